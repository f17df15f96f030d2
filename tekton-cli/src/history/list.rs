//! `tekton list`: a table of runs, newest first.

use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::json;
use tekton_types::yaml;

use super::select::{Run, runs};
use super::{History, text};
use crate::args::{ListArguments, ListFormat};
use crate::run::style::Paint;

/// Prints the runs.
///
/// Errors: the data directory cannot be read.
pub(crate) async fn list(arguments: &ListArguments) -> Result<ExitCode, String> {
    let history = History::open(arguments.data.data_dir.as_deref()).await?;
    let found = runs(history.client(), &arguments.filter, arguments.kind).await;
    history.close().await;
    let mut found = found?;
    found.truncate(arguments.limit.unwrap_or(usize::MAX));
    let objects = |found: Vec<Run>| {
        let items: Vec<_> = found.into_iter().map(|run| run.value).collect();
        json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
    };
    let text = match arguments.output {
        ListFormat::Json => format!("{:#}\n", objects(found)),
        ListFormat::Yaml => yaml::to_string(&objects(found)),
        ListFormat::Name => found.iter().map(|run| run.path() + "\n").collect(),
        ListFormat::Text if found.is_empty() => {
            eprintln!("no runs found");
            String::new()
        }
        ListFormat::Text => table(&found, arguments),
    };
    Ok(crate::printed(text))
}

fn table(found: &[Run], arguments: &ListArguments) -> String {
    let now = Timestamp::now();
    let namespaces = found.iter().any(|run| run.meta("namespace") != found[0].meta("namespace"));
    let kinds = arguments.kind.is_none();
    let mut head = Vec::new();
    head.extend(namespaces.then_some("NAMESPACE"));
    head.push("NAME");
    head.extend(kinds.then_some("KIND"));
    head.extend(["STARTED", "DURATION", "STATUS"]);
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|run| {
            let mut row = Vec::new();
            row.extend(namespaces.then(|| run.meta("namespace").to_owned()));
            row.push(run.meta("name").to_owned());
            row.extend(kinds.then(|| run.kind.names().0.to_owned()));
            row.extend(text::times(run, now));
            row
        })
        .collect();
    text::table(&head, &rows, true, Paint::for_stream(&std::io::stdout())).join("\n") + "\n"
}
