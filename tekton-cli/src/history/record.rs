//! Files the runs of `tekton run` when they have ended, so that `tekton list` shows them.

use std::path::Path;

use tekton_local::{LocalCluster, history};

use super::{default_dir, open_at_rest, server_file};
use crate::run::world::RunKey;

/// Copies ended runs with all that they own, events and logs to the data directory of this user.
///
/// Errors: the directory cannot be written, as a text for people.
pub(crate) async fn record(from: &LocalCluster, node: &Path, namespace: &str, runs: &[RunKey]) -> Result<(), String> {
    let dir = default_dir()?;
    let Some(into) = open_at_rest(&dir).await? else {
        return Err(format!("a server has it open; it is in {}", server_file(&dir).display()));
    };
    let mut kept = Ok(());
    for run in runs {
        let (plural, name) = match run {
            RunKey::Pipeline(name) => ("pipelineruns", name),
            RunKey::Task(name) => ("taskruns", name),
            RunKey::Custom(name) => ("customruns", name),
        };
        let run = history::Run {
            resource: format!("tekton.dev/{plural}"),
            namespace: namespace.to_owned(),
            name: name.clone(),
        };
        kept = kept.and(history::record(from, node, &into, &dir, &run).map(drop));
    }
    let settled = into.api().store.settled().await;
    into.stop().await;
    kept.map_err(|error| error.to_string())?;
    settled.map_err(|error| error.to_string())
}
