//! Watches of runs, Pods, ResolutionRequests and ConfigMaps: they fill the cache and name the runs to look at.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, ListParams};
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tekton_engine::{Event, Object, ObjectKey, Stored};
use tekton_types::config::Config;
use tekton_types::resolution::ResolutionRequest;
use tekton_types::v1::{PipelineRun, TaskRun};
use tekton_types::v1beta1::CustomRun;
use tokio::sync::{Notify, watch};

use crate::read::{Named, Read, Unreadable};
use crate::{ControllerError, Shell};

/// The runs of a kind, and which of them are to be looked at.
pub(crate) struct Queue<R: Resource<DynamicType = ()> + Clone + 'static> {
    /// What the watch has told.
    pub(crate) store: Store<Named<R>>,
    /// Runs to look at, with repeats.
    pub(crate) names: UnboundedReceiver<ObjectRef<Named<R>>>,
}

impl<R: Resource<DynamicType = ()> + Clone + 'static> Queue<R> {
    /// Drops the names that come; ends with the watches.
    pub(crate) async fn ignore(&mut self) {
        while self.names.next().await.is_some() {}
    }
}

/// Where the names of runs to look at go.
#[derive(Clone)]
struct Triggers {
    task_runs: UnboundedSender<ObjectRef<Named<TaskRun>>>,
    pipeline_runs: UnboundedSender<ObjectRef<Named<PipelineRun>>>,
}

impl Triggers {
    /// The run itself, and the run that controls it.
    fn send(&self, object: &Object) {
        let key = object.key();
        self.name(key.kind.as_str(), &key.name, &key.namespace);
        for owner in object.metadata().owner_references.iter().flatten().filter(|owner| owner.controller == Some(true))
        {
            self.name(&owner.kind, &owner.name, &key.namespace);
        }
    }

    fn name(&self, kind: &str, name: &str, namespace: &str) {
        // A closed queue means that the controller stops.
        match kind {
            "TaskRun" => drop(self.task_runs.unbounded_send(ObjectRef::new(name).within(namespace))),
            "PipelineRun" => drop(self.pipeline_runs.unbounded_send(ObjectRef::new(name).within(namespace))),
            _ => {}
        }
    }
}

/// Starts the watches of runs and Pods. The queues hold nothing that the cache does not know; the future drives the
/// watches and never ends; it notifies `synced` when all of them have told what there is.
pub(crate) fn runs(
    shell: &Arc<Shell>,
    namespace: Option<&str>,
    synced: Arc<Notify>,
) -> (Queue<TaskRun>, Queue<PipelineRun>, impl Future<Output = ()> + use<>) {
    let (task_runs, task_run_names) = unbounded();
    let (pipeline_runs, pipeline_run_names) = unbounded();
    let triggers = Triggers { task_runs, pipeline_runs };
    let (task_run_store, task_run_writer) = reflector::store();
    let (pipeline_run_store, pipeline_run_writer) = reflector::store();
    let client = &shell.client;
    let begun = |done: &Arc<Notify>| Arc::clone(done);
    let each = [(); 5].map(|()| Arc::new(Notify::new()));
    let drives = futures::future::join5(
        drive::<TaskRun>(shell, scoped(client, namespace), Some(task_run_writer), triggers.clone(), begun(&each[0])),
        drive::<PipelineRun>(
            shell,
            scoped(client, namespace),
            Some(pipeline_run_writer),
            triggers.clone(),
            begun(&each[1]),
        ),
        drive::<CustomRun>(shell, scoped(client, namespace), None, triggers.clone(), begun(&each[2])),
        drive::<Pod>(shell, scoped(client, namespace), None, triggers.clone(), begun(&each[3])),
        drive::<ResolutionRequest>(shell, scoped(client, namespace), None, triggers, begun(&each[4])),
    );
    let all = async move {
        for one in &each {
            one.notified().await;
        }
        synced.notify_one();
    };
    (
        Queue { store: task_run_store, names: task_run_names },
        Queue { store: pipeline_run_store, names: pipeline_run_names },
        async move {
            futures::future::join(drives, all).await;
        },
    )
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

fn drive<K>(
    shell: &Arc<Shell>,
    api: Api<Read<K>>,
    writer: Option<Writer<Named<K>>>,
    triggers: Triggers,
    begun: Arc<Notify>,
) -> impl Future<Output = ()> + use<K>
where
    K: Resource<DynamicType = ()> + Stored + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let shell = Arc::clone(shell);
    async move {
        let mut writer = writer;
        let mut listed: Vec<Object> = Vec::new();
        let selector = watcher::Config::default();
        let mut events = watcher(api, watcher_config::<K>(selector)).default_backoff().boxed();
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(%error, kind = K::KIND.as_str(), "watching goes on after an error");
                    continue;
                }
            };
            if let Some(writer) = &mut writer {
                writer.apply_watcher_event(&names(&event));
            }
            match event {
                watcher::Event::Init => listed.clear(),
                watcher::Event::InitApply(read) => {
                    if let Some(object) = taken_in(&shell, read) {
                        listed.push(object);
                    }
                }
                watcher::Event::InitDone => {
                    forget_missing::<K>(&shell, &listed);
                    listed.drain(..).for_each(|object| triggers.send(&object));
                    begun.notify_one();
                }
                watcher::Event::Apply(read) => {
                    if let Some(object) = taken_in(&shell, read) {
                        triggers.send(&object);
                    }
                }
                watcher::Event::Delete(read) => {
                    shell.forget(&read.named().key());
                    if let Ok(object) = read.into_object() {
                        triggers.send(&object);
                    }
                }
            }
        }
    }
}

/// The same event about the names of the objects alone.
fn names<K: Stored>(event: &watcher::Event<Read<K>>) -> watcher::Event<Named<K>> {
    match event {
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitApply(read) => watcher::Event::InitApply(read.named()),
        watcher::Event::InitDone => watcher::Event::InitDone,
        watcher::Event::Apply(read) => watcher::Event::Apply(read.named()),
        watcher::Event::Delete(read) => watcher::Event::Delete(read.named()),
    }
}

/// Puts the object into the cache; one that cannot be read is told to its author, and nothing is decided about it.
fn taken_in<K: Stored>(shell: &Shell, read: Read<K>) -> Option<Object> {
    match read.into_object() {
        Ok(object) => {
            shell.cache.insert(object.clone());
            Some(object)
        }
        Err(unreadable) => {
            let Unreadable { key, metadata, reason } = *unreadable;
            tracing::warn!(%key, "not an object of its kind: {reason}");
            shell.forget(&key);
            let message = format!("the {} cannot be read: {reason}", key.kind.as_str());
            let event = Event { type_: "Warning", reason: "InvalidObject".to_owned(), message };
            shell.emit(&key, &metadata, vec![event]);
            None
        }
    }
}

/// Pods of others are none of our business.
fn watcher_config<K: Stored>(config: watcher::Config) -> watcher::Config {
    if K::KIND == tekton_engine::Kind::Pod { config.labels(tekton_contract::labels::TASK_RUN) } else { config }
}

/// After a watch was broken, what the new list lacks is gone.
fn forget_missing<K: Stored>(shell: &Shell, listed: &[Object]) {
    let present: std::collections::HashSet<ObjectKey> = listed.iter().map(Object::key).collect();
    for key in shell.cache.keys(K::KIND) {
        if !present.contains(&key) {
            shell.forget(&key);
        }
    }
}

/// Reads the ConfigMaps of Tekton's namespace; the future follows their changes and never ends.
///
/// A change to a value that is not allowed is logged, and what was in force stays in force.
pub(crate) async fn config(
    client: Client,
    namespace: &str,
) -> Result<(watch::Receiver<Arc<Config>>, impl Future<Output = ()>), ControllerError> {
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    let mut maps: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for map in api.list(&ListParams::default()).await?.items {
        maps.insert(map.metadata.name.unwrap_or_default(), map.data.unwrap_or_default());
    }
    let (sender, receiver) = watch::channel(Arc::new(read(&maps)?));
    let follow = async move {
        let mut changes = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
        loop {
            match changes.try_next().await {
                Ok(Some(map)) => {
                    let (name, data) = (map.metadata.name.unwrap_or_default(), map.data.unwrap_or_default());
                    if maps.get(&name) == Some(&data) {
                        continue;
                    }
                    maps.insert(name, data);
                    match read(&maps) {
                        Ok(config) => drop(sender.send(Arc::new(config))),
                        Err(error) => tracing::error!(%error, "the configuration stays as it was"),
                    }
                }
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, "watching ConfigMaps goes on after an error"),
            }
        }
    };
    Ok((receiver, follow))
}

fn read(maps: &BTreeMap<String, BTreeMap<String, String>>) -> Result<Config, tekton_types::config::ConfigError> {
    Config::from_config_maps(maps.iter().map(|(name, data)| (name.as_str(), data)))
}
