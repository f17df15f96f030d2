//! The shell around the engine: watches, fetches, applies and writes status on a Kubernetes cluster.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use tekton_controller::{Options, run};
//!
//! let client = kube::Client::try_default().await?;
//! let stop = async { tokio::signal::ctrl_c().await.expect("signals can be handled") };
//! run(client, Options::default(), stop).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`run`] is the whole controller; [`Options`] say where and with which images; [`ImageConfigs`] finds out what an image
//! runs. The crate holds no rule of Tekton's: what a run does next is `decide` of `tekton-engine`.

mod api;
mod cache;
mod events;
mod images;
mod options;
mod reconcile;
mod watch;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::controller::{Action, Config as ControllerConfig, ReconcileReason, ReconcileRequest, applier};
use tekton_engine::{ClusterFacts, Event, ObjectKey, Run};
use tekton_types::config::Config;
use tokio::sync::{Notify, watch as latest};

#[cfg(feature = "registry")]
pub use images::RegistryImages;
pub use images::{ImageConfigs, ImageQuery, Keyring, KeyringError, Login, NoImages};
pub use kube;
pub use options::Options;

use api::Api;
use cache::Cache;
use reconcile::Passed;
use watch::Queue;

/// First delay after a pass that could not be completed; it doubles with each further failure.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// Longest delay between two tries.
const LAST_RETRY: Duration = Duration::from_mins(1);

/// Why the controller could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// A ConfigMap in Tekton's namespace holds a value that is not allowed.
    #[error("failed to read the configuration: {0}")]
    Config(#[from] tekton_types::config::ConfigError),
    /// The API server does not answer.
    #[error("failed to reach the API server")]
    Api(#[from] kube::Error),
}

/// What every pass shares.
pub(crate) struct Shell {
    client: kube::Client,
    api: Api,
    cache: Cache,
    cluster: ClusterFacts,
    config: latest::Receiver<Arc<Config>>,
    images: Arc<dyn ImageConfigs>,
    failures: Mutex<HashMap<ObjectKey, u32>>,
}

impl Shell {
    /// Writes Events without holding up the pass.
    fn emit(&self, key: &ObjectKey, run: &ObjectMeta, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let events = events::core_events(key, run, events, Timestamp::now());
        tokio::spawn(events::write(self.client.clone(), key.namespace.clone(), events));
    }

    fn next_delay(&self, key: ObjectKey) -> Duration {
        let mut failures = self.failures.lock().expect("no thread panics while it holds the counts");
        let count = failures.entry(key).or_default();
        *count += 1;
        FIRST_RETRY.saturating_mul(1 << (*count - 1).min(16)).min(LAST_RETRY)
    }

    fn succeeded(&self, key: &ObjectKey) {
        self.failures.lock().expect("no thread panics while it holds the counts").remove(key);
    }
}

/// Runs the controller until `stop` resolves.
///
/// Errors: the configuration cannot be read at the start.
pub async fn run(
    client: kube::Client,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<(), ControllerError> {
    let (config, config_watch) = watch::config(client.clone(), &options.system_namespace).await?;
    let shell = Arc::new(Shell {
        client: client.clone(),
        api: Api::new(client.clone()),
        cache: Cache::default(),
        cluster: options.cluster.clone(),
        config,
        images: Arc::clone(&options.images),
        failures: Mutex::default(),
    });
    let synced = Arc::new(Notify::new());
    let (task_runs, pipeline_runs, watches) = watch::runs(&shell, options.namespace.as_deref(), Arc::clone(&synced));
    let reconciling = async {
        // A decision on half of what there is would create what exists already.
        synced.notified().await;
        tokio::join!(
            reconcile_all(&shell, task_runs, options.concurrency),
            reconcile_all(&shell, pipeline_runs, options.concurrency),
        );
    };
    tokio::select! {
        () = stop => {}
        () = config_watch => {}
        () = watches => {}
        () = reconciling => {}
    }
    Ok(())
}

/// Reconciles every run that the queue names, each at most once at a time.
async fn reconcile_all<R>(shell: &Arc<Shell>, queue: Queue<R>, concurrency: u16)
where
    R: Run + kube::Resource<DynamicType = ()> + std::fmt::Debug,
{
    let Queue { store, names } = queue;
    let requests =
        names.map(|obj_ref| Ok::<_, Infallible>(ReconcileRequest { obj_ref, reason: ReconcileReason::Unknown }));
    let reconcile = |run: Arc<R>, shell: Arc<Shell>| {
        Box::pin(async move {
            let run = reconcile::newest(&shell, &run);
            let key = reconcile::key_of::<R>(&run);
            Ok::<_, Infallible>(match reconcile::pass(&shell, run).await {
                Passed::Done(wake) => {
                    shell.succeeded(&key);
                    wake.map_or_else(Action::await_change, Action::requeue)
                }
                Passed::Retry(why) => {
                    let delay = shell.next_delay(key.clone());
                    tracing::warn!(run = %key, ?delay, "{why}");
                    Action::requeue(delay)
                }
            })
        })
    };
    applier(
        reconcile,
        |_run, never: &Infallible, _shell| match *never {},
        Arc::clone(shell),
        store,
        requests,
        ControllerConfig::default().concurrency(concurrency),
    )
    .for_each(|_outcome| std::future::ready(()))
    .await;
}
