//! A world in memory for the engine: objects, a clock that stands still, calls that fail on demand.
//!
//! [`World::pass`] takes one run to the fix point of decide, fetch and apply, as a controller would. The clock and
//! everything that Pods do is up to the caller; [`Simulation`](crate::simulation::Simulation) is such a caller.
//!
//! ```
//! use serde_json::json;
//! use tekton_conformance::world::World;
//! use tekton_engine::{Kind, Object};
//! use tekton_types::v1::TaskRun;
//!
//! let mut world = World { fills_in: true, ..World::default() };
//! world.put(Object::from_json(Kind::ServiceAccount, json!({"metadata": {"name": "default", "namespace": "demo"}}))?);
//! world.put(Object::from_json(Kind::TaskRun, json!({
//!     "metadata": {"name": "hello", "namespace": "demo", "uid": "1"},
//!     "spec": {"taskSpec": {"steps": [{"name": "say", "image": "busybox", "script": "echo hello"}]}},
//! }))?);
//! let done = world.pass::<TaskRun>("demo", "hello").expect("the run is there");
//! assert_eq!(done.created.len(), 1);
//! assert_eq!(done.created[0].0.key().to_string(), "pods demo/hello-pod");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod answer;
mod apply;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;
use tekton_engine::{
    ApiFault, Class, ClusterFacts, Decision, Env, Facts, ImageMetadata, Kind, Need, Object, ObjectKey, Outcome,
    PatchType, Run, ServerVersion, Snapshot, Stored,
};
use tekton_podgen::image::Reference;
use tekton_types::config::Config;

/// Rounds after which a pass that does not settle is given up.
const MAX_ROUNDS: usize = 200;

/// A call that fails.
#[derive(Debug, Clone)]
pub struct Failing {
    /// `get`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// The plural of the kind.
    pub resource: String,
    /// The name; empty for any.
    pub name: String,
    /// With what.
    pub fault: ApiFault,
}

/// What one pass did.
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that may or may not have happened")]
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Objects as they were submitted, and the fault of those that were refused.
    pub created: Vec<(Object, Option<ApiFault>)>,
    /// Objects other than the run that were replaced.
    pub updated: Vec<(Object, Option<ApiFault>)>,
    /// Patches, with their type.
    pub patched: Vec<(ObjectKey, PatchType, Json, Option<ApiFault>)>,
    /// Deletions.
    pub deleted: Vec<(ObjectKey, Option<ApiFault>)>,
    /// Events, as `Type Reason Message`.
    pub events: Vec<String>,
    /// Labels or annotations of the run were written.
    pub wrote_metadata: bool,
    /// The status of the run was written.
    pub wrote_status: bool,
    /// The text of the fault, and whether it is permanent.
    pub fault: Option<(String, bool)>,
    /// Images that were looked up, fully qualified, and whether the step had arguments.
    pub lookups: Vec<(String, bool)>,
    /// When the run is to be looked at again.
    pub wake_at: Option<Timestamp>,
    /// The controller died before the pass ended.
    pub died: bool,
    /// The status was not written, because the run that it was decided on is not the newest.
    pub conflict: bool,
    /// How often was decided.
    pub rounds: usize,
    /// Objects other than the run that are there now, are gone, or are not what they were, in order.
    pub changed: Vec<ObjectKey>,
}

/// What goes wrong in one pass, beside calls that fail. By default nothing does.
#[expect(clippy::struct_excessive_bools, reason = "each is a trouble of its own")]
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    /// What the caches of the controller still remember; what it reads past them is new.
    pub stale: Option<Arc<BTreeMap<ObjectKey, Object>>>,
    /// Every effect is done twice; the controller hears of the second time.
    pub repeats: bool,
    /// The effects of each decision are applied in reverse.
    pub reverses: bool,
    /// The answer to this effect of the pass, from 0, is lost on its way: it is done and seems to have failed.
    pub loses_reply: Option<usize>,
    /// The status is refused as if somebody else had just written the run.
    pub refuses_status: bool,
    /// Every decision is made a second time, to compare; without this only those that end a pass are.
    pub doubts: bool,
}

/// The fault of a call whose answer was lost.
pub fn lost_reply() -> ApiFault {
    ApiFault {
        reason: "Timeout".to_owned(),
        code: 504,
        text: "the server was unable to return a response in the time allotted".to_owned(),
        details_kind: String::new(),
    }
}

/// Objects and everything else that a decision depends on.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// All objects.
    pub objects: BTreeMap<ObjectKey, Object>,
    /// Objects that the API server has at a newer version than the caches.
    pub newer: BTreeMap<ObjectKey, Object>,
    /// The time; it does not pass by itself.
    pub now: Timestamp,
    /// The configuration.
    pub config: Arc<Config>,
    /// Images and release.
    pub cluster: Arc<ClusterFacts>,
    /// What the registry knows.
    pub images: BTreeMap<String, ImageMetadata>,
    /// What the registry knows of every other image.
    pub any_image: Option<ImageMetadata>,
    /// Calls that fail.
    pub failing: Vec<Failing>,
    /// The controller dies after so many effects of a pass: what it has not written by then is lost.
    pub dies_after: Option<usize>,
    /// What else goes wrong.
    pub trouble: Trouble,
    /// Created objects get a time and a uid.
    pub fills_in: bool,
    /// Created Pods are pending.
    pub pods_pend: bool,
    /// The spec of a TaskRun that has ended cannot be changed, as admission has it.
    pub guards_ended: bool,
    /// The version of Kubernetes.
    pub version: Option<ServerVersion>,
    /// Logs by Pod and container.
    pub logs: BTreeMap<(String, String), String>,
    /// The log of every other container.
    pub any_log: String,
}

impl World {
    /// Adds an object, or replaces it.
    pub fn put(&mut self, object: Object) {
        self.objects.insert(object.key(), object);
    }

    /// The object called so.
    pub fn get<T: Stored>(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        T::from_object(self.objects.get(&ObjectKey::new(T::KIND, namespace, name))?)
    }

    /// One pass over one run, as a controller makes it; `None` when there is no such run.
    pub fn pass<R: Run>(&mut self, namespace: &str, name: &str) -> Option<Done> {
        self.pass_with::<R>(namespace, name, R::decide)
    }

    /// One pass over one run where `decide` decides, which may be a part of a pass only.
    ///
    /// # Panics
    ///
    /// Two decisions on the same facts differ.
    pub fn pass_with<R: Run>(
        &mut self,
        namespace: &str,
        name: &str,
        decide: impl Fn(&Snapshot<'_, R>, &Env<'_>) -> Decision<R::Status>,
    ) -> Option<Done> {
        let key = ObjectKey::new(R::KIND, namespace, name);
        let seen = match &self.trouble.stale {
            Some(stale) => stale.get(&key)?.clone(),
            None => self.objects.get(&key)?.clone(),
        };
        let run = R::from_object(&seen)?;
        let mut done = Done::default();
        let mut effects = 0;
        let mut facts = Facts::new();
        let (config, cluster) = (Arc::clone(&self.config), Arc::clone(&self.cluster));
        let env = Env { now: self.now, config: &config, cluster: &cluster };
        for _ in 0..MAX_ROUNDS {
            done.rounds += 1;
            let mut decision = decide(&Snapshot { run, facts: &facts }, &env);
            if self.trouble.doubts || decision.is_settled() {
                let again = decide(&Snapshot { run, facts: &facts }, &env);
                assert!(decision == again, "two decisions on the same facts differ");
            }
            if decision.is_settled() {
                self.settle::<R>(key, &seen, decision, &mut done);
                return Some(done);
            }
            for need in std::mem::take(&mut decision.needs) {
                if let Need::Image { image, has_args, .. } = &need {
                    let name = Reference::parse(image).map_or_else(|_| image.clone(), |reference| reference.name());
                    done.lookups.push((name, *has_args));
                }
                let fact = self.answer(&need);
                facts.set(need, fact);
            }
            if self.trouble.reverses {
                decision.effects.reverse();
            }
            for effect in &decision.effects {
                if self.dies_after.is_some_and(|most| effects >= most) {
                    done.died = true;
                    return Some(done);
                }
                let mut outcome = self.apply(effect, &mut done);
                let mut tries = 1;
                while let Outcome::Refused(fault) = &outcome
                    && tekton_engine::retry_after(effect, fault, tries, &config).is_some()
                {
                    tries += 1;
                    outcome = self.apply(effect, &mut done);
                }
                if self.trouble.repeats {
                    outcome = self.apply(effect, &mut done);
                }
                if self.trouble.loses_reply == Some(effects) {
                    outcome = Outcome::Refused(lost_reply());
                }
                effects += 1;
                let refused = matches!(outcome, Outcome::Refused(_));
                facts.set_outcome(effect.key(), outcome);
                if refused {
                    break;
                }
            }
        }
        done.fault = Some(("the decision did not settle".to_owned(), false));
        Some(done)
    }

    /// Writes what the pass has come to, unless the run is not the one that was decided on any more.
    fn settle<R: Run>(&mut self, key: ObjectKey, seen: &Object, decision: Decision<R::Status>, done: &mut Done) {
        let Some(run) = R::from_object(seen) else { return };
        let wrote_status = *run.status() != decision.status;
        if wrote_status || decision.metadata.is_some() {
            let newest = self.objects.get(&key).is_some_and(|newest| newest.is_same(seen));
            if !newest || self.trouble.refuses_status {
                done.conflict = true;
                return;
            }
            let mut after = R::clone(run);
            if let Some(metadata) = decision.metadata {
                done.wrote_metadata = true;
                let meta = after.metadata_mut();
                meta.labels = Some(metadata.labels).filter(|all| !all.is_empty());
                meta.annotations = Some(metadata.annotations).filter(|all| !all.is_empty());
            }
            done.wrote_status = wrote_status;
            *after.status_mut() = decision.status;
            self.objects.insert(key, after.into_object());
        }
        let events = decision.transitions.iter().filter_map(tekton_engine::Transition::event);
        done.events.extend(events.map(|event| format!("{} {} {}", event.type_, event.reason, event.message)));
        if let Some(fault) = decision.fault {
            done.fault = Some((fault.text, fault.class == Class::Permanent));
        }
        done.wake_at = decision.wake_at;
    }

    fn fails(&self, verb: &str, key: &ObjectKey) -> Option<ApiFault> {
        let failing = self.failing.iter().find(|failing| {
            failing.verb == verb
                && failing.resource == key.kind.resource()
                && (failing.name.is_empty() || failing.name == key.name)
        });
        failing.map(|failing| failing.fault.clone())
    }
}

/// The kind of this name, if the engine handles it.
pub fn kind_called(name: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|kind| kind.as_str() == name)
}
