//! What goes wrong in a story: at a time, or in the pass that comes next.

use std::sync::Arc;

use jiff::SignedDuration;
use tekton_engine::{Kind, Object, ObjectKey};
use tekton_types::v1::TaskRun;

use super::super::faults::{Fault, Sort};
use super::super::node;
use super::super::objects::{NAMESPACE, RUN};
use super::{Story, owner_of};
use crate::world::{Failing, Trouble};

impl Story<'_> {
    /// One fault that happens at a time.
    pub(super) fn happen(&mut self, fault: Fault) {
        let nth = |keys: Vec<&ObjectKey>, number: u8| keys.get(usize::from(number)).map(|key| (*key).clone());
        let done = match fault.sort {
            Sort::PodLost(number) | Sort::Evicted(number) => {
                let key = nth(node::keys_of::<k8s_openapi::api::core::v1::Pod>(&self.world).collect(), number);
                match key {
                    Some(key) if matches!(fault.sort, Sort::PodLost(_)) => {
                        self.watch.lost_pods = true;
                        self.remove(&key);
                        true
                    }
                    Some(key) => {
                        let evicted = node::evict(&mut self.world, &key);
                        if evicted {
                            self.node.forget(&key);
                            self.changed(&key);
                        }
                        evicted
                    }
                    None => false,
                }
            }
            Sort::ChildLost(number) => {
                let key = nth(node::keys_of::<TaskRun>(&self.world).collect(), number);
                if let Some(key) = &key {
                    self.lose_child(key);
                }
                key.is_some()
            }
            Sort::Cancel(cancel) => {
                let key = ObjectKey::new(Kind::PipelineRun, NAMESPACE, RUN);
                match self.world.objects.get_mut(&key) {
                    Some(Object::PipelineRun(run)) if run.spec.status.is_empty() => {
                        cancel.spec_status().clone_into(&mut Arc::make_mut(run).spec.status);
                        self.changed(&key);
                        true
                    }
                    _ => false,
                }
            }
            Sort::CancelTask(number) => {
                let key = nth(node::keys_of::<TaskRun>(&self.world).collect(), number);
                match key.as_ref().and_then(|key| self.world.objects.get_mut(key)) {
                    Some(Object::TaskRun(run)) if run.spec.status.is_empty() => {
                        "TaskRunCancelled".clone_into(&mut Arc::make_mut(run).spec.status);
                        let key = key.expect("there is an object of this key");
                        self.changed(&key);
                        true
                    }
                    _ => false,
                }
            }
            Sort::ClockJump(seconds) => {
                let jumped = self.world.now.checked_add(SignedDuration::from_secs(seconds.into()));
                self.world.now = jumped.unwrap_or(self.world.now);
                self.watch.jumped = true;
                true
            }
            _ => false,
        };
        if done {
            self.told.figures.faults[fault.sort.number()] += 1;
            self.say(|| format!("FAULT {fault}"));
        }
    }

    /// A child run and all that it owns is deleted.
    fn lose_child(&mut self, key: &ObjectKey) {
        self.watch.lost_children = true;
        let owned: Vec<ObjectKey> = self
            .world
            .objects
            .iter()
            .filter(|(_, object)| owner_of(object).as_ref() == Some(key))
            .map(|(key, _)| key.clone())
            .collect();
        for owned in owned {
            self.remove(&owned);
        }
        self.remove(key);
    }

    /// The faults of the pass that comes next.
    pub(super) fn trouble(&mut self, key: &ObjectKey) {
        let number = u32::try_from(self.told.figures.passes).unwrap_or(u32::MAX);
        self.world.trouble = Trouble { doubts: self.scenario.seed.is_multiple_of(16), ..Trouble::default() };
        self.world.failing.clear();
        self.world.dies_after = None;
        if self.in_pass.iter().any(|fault| matches!(fault.sort, Sort::Stale(_)) && fault.at >= number) {
            if self.views.len() > 4 {
                self.views.pop_front();
            }
            self.views.push_back(Arc::new(self.world.objects.clone()));
        }
        for index in 0..self.in_pass.len() {
            let fault = self.in_pass[index];
            if fault.at != number {
                continue;
            }
            let trouble = &mut self.world.trouble;
            match fault.sort {
                Sort::Crash(effects) => self.world.dies_after = Some(effects.into()),
                Sort::Repeat => trouble.repeats = true,
                Sort::Reverse => trouble.reverses = true,
                Sort::Stale(age) => {
                    let view = self.views.iter().rev().nth(age.into()).or(self.views.front());
                    // A run that the caches do not know yet is not looked at.
                    trouble.stale = view.filter(|view| view.contains_key(key)).cloned();
                }
                // What makes of a failed create of a Pod the failure of its TaskRun is upstream's rule.
                Sort::LostReply if key.kind == Kind::PipelineRun => trouble.loses_reply = Some(0),
                Sort::Conflict => trouble.refuses_status = true,
                Sort::Refuse(refusal) => {
                    for kind in [Kind::Pod, Kind::TaskRun, Kind::CustomRun] {
                        self.world.failing.push(Failing {
                            verb: "create".to_owned(),
                            resource: kind.resource().to_owned(),
                            name: String::new(),
                            fault: refusal.fault(kind.resource()),
                        });
                    }
                }
                _ => continue,
            }
            self.told.figures.faults[fault.sort.number()] += 1;
            self.say(|| format!("FAULT {fault}"));
        }
    }
}
