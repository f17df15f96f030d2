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
mod lease;
mod options;
mod pace;
mod read;
mod reconcile;
mod watch;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::controller::{Action, Config as ControllerConfig, ReconcileReason, ReconcileRequest, applier};
use kube::runtime::reflector::ObjectRef;
use tekton_engine::{ClusterFacts, Event, ObjectKey, Run};
use tekton_types::config::Config;
use tokio::sync::{Notify, watch as latest};

#[cfg(feature = "registry")]
pub use images::RegistryImages;
pub use images::{ImageConfigs, ImageQuery, Keyring, KeyringError, Login, NoImages};
pub use kube;
pub use lease::Election;
pub use options::Options;

use api::Api;
use cache::Cache;
use lease::Candidate;
use pace::Pace;
use read::Named;
use reconcile::Passed;
use watch::Queue;

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
    /// Another controller decides from now on: this one has to start anew.
    #[error("the lease is lost")]
    Deposed,
}

/// What every pass shares.
pub(crate) struct Shell {
    client: kube::Client,
    api: Api,
    cache: Cache,
    cluster: ClusterFacts,
    config: latest::Receiver<Arc<Config>>,
    images: Arc<dyn ImageConfigs>,
    pace: Pace,
    /// Whether what of a status may wait is written at once all the same.
    eager: bool,
}

impl Shell {
    /// The object is gone.
    fn forget(&self, key: &ObjectKey) {
        self.cache.remove(key);
        self.pace.forget(key);
    }

    /// Writes the Events that are news, without holding up the pass.
    fn emit(&self, key: &ObjectKey, run: &ObjectMeta, events: Vec<Event>) {
        let events = self.pace.news(key, events);
        if events.is_empty() {
            return;
        }
        let events = events::core_events(key, run, events, Timestamp::now());
        tokio::spawn(events::write(self.client.clone(), key.namespace.clone(), events));
    }
}

/// Runs the controller until `stop` resolves.
///
/// With an [`Election`] in the options it stands by until it is elected, and gives the lease back at the end.
///
/// Errors: the configuration cannot be read at the start, or the lease is lost.
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
        pace: Pace::default(),
        eager: options.eager_status,
    });
    let synced = Arc::new(Notify::new());
    let (task_runs, pipeline_runs, watches) = watch::runs(&shell, options.namespace.as_deref(), Arc::clone(&synced));
    let candidate =
        options.election.map(|election| Candidate::new(client.clone(), &options.system_namespace, election));
    let elected = AtomicBool::new(false);
    let reconciling = async {
        // A decision on half of what there is would create what exists already.
        synced.notified().await;
        let (mut task_runs, mut pipeline_runs) = (task_runs, pipeline_runs);
        if let Some(candidate) = &candidate {
            tokio::select! {
                () = candidate.acquire() => elected.store(true, Ordering::Relaxed),
                // What a candidate hears it need not keep: all runs are looked at once it is elected.
                () = task_runs.ignore() => {}
                () = pipeline_runs.ignore() => {}
            }
        }
        let reconciled = async {
            tokio::join!(
                reconcile_all(&shell, task_runs, options.concurrency),
                reconcile_all(&shell, pipeline_runs, options.concurrency),
            );
        };
        let deposed = async {
            match &candidate {
                Some(candidate) => candidate.hold().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = reconciled => Ok(()),
            () = deposed => Err(ControllerError::Deposed),
        }
    };
    let end = tokio::select! {
        () = stop => Ok(()),
        () = config_watch => Ok(()),
        () = watches => Ok(()),
        end = reconciling => end,
    };
    if let Some(candidate) = candidate.filter(|_candidate| end.is_ok() && elected.load(Ordering::Relaxed)) {
        candidate.release().await;
    }
    end
}

/// Reconciles every run that the queue names, each at most once at a time.
async fn reconcile_all<R>(shell: &Arc<Shell>, queue: Queue<R>, concurrency: u16)
where
    R: Run + kube::Resource<DynamicType = ()> + std::fmt::Debug,
{
    let Queue { store, names } = queue;
    let known: Vec<_> = store.state().iter().map(|run| ObjectRef::from_obj(&**run)).collect();
    let requests = futures::stream::iter(known)
        .chain(names)
        .map(|obj_ref| Ok::<_, Infallible>(ReconcileRequest { obj_ref, reason: ReconcileReason::Unknown }));
    let reconcile = |named: Arc<Named<R>>, shell: Arc<Shell>| {
        Box::pin(async move {
            let key = named.key();
            // What is gone meanwhile, or cannot be read, needs no decision.
            let Some(run) = shell.cache.typed::<R>(&key) else { return Ok::<_, Infallible>(Action::await_change()) };
            Ok(match reconcile::pass(&shell, run).await {
                Passed::Done(wake) => {
                    shell.pace.succeeded(&key);
                    wake.map_or_else(Action::await_change, Action::requeue)
                }
                Passed::Retry(why) => {
                    let delay = shell.pace.failed(key.clone());
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
