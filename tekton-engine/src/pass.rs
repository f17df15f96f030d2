//! The book-keeping of one call of `decide`: what is asked for, what is to be done, what has been noted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::backoff;
use crate::decision::{Fault, Note};
use crate::effect::{ApiFault, Effect, Outcome};
use crate::facts::{Fact, Facts, Need, Value};
use crate::object::{Kind, Object, ObjectKey, Stored};
use crate::run::Env;
use crate::transition::Transition;

/// Why a step of a decision cannot go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A fact or an outcome is missing; the decision is provisional.
    Wait,
    /// The pass is over; look again after this long.
    After(SignedDuration),
    /// The pass is over because of a fault.
    Fault(Fault),
}

impl Stop {
    pub(crate) fn permanent(text: impl std::fmt::Display) -> Self {
        Self::Fault(Fault::permanent(text))
    }

    pub(crate) fn transient(text: impl std::fmt::Display) -> Self {
        Self::Fault(Fault::transient(text))
    }
}

/// One call of `decide`.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    pub(crate) env: Env<'a>,
    pub(crate) facts: &'a Facts,
    pub(crate) effects: Vec<Effect>,
    pub(crate) needs: BTreeSet<Need>,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) notes: Vec<Note>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(env: &Env<'a>, facts: &'a Facts) -> Self {
        Self {
            env: *env,
            facts,
            effects: Vec::new(),
            needs: BTreeSet::new(),
            transitions: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.env.now
    }

    /// The answer to `need`; without one the need is noted.
    ///
    /// Errors: [`Stop::Wait`] while the answer is not there.
    pub(crate) fn fetch(&mut self, need: Need) -> Result<Result<&'a Value, &'a ApiFault>, Stop> {
        match self.facts.get(&need) {
            Some(Fact::Known(value)) => Ok(Ok(value)),
            Some(Fact::Denied(fault)) => Ok(Err(fault)),
            Some(Fact::Pending) | None => {
                self.needs.insert(need);
                Err(Stop::Wait)
            }
        }
    }

    /// One object by name.
    pub(crate) fn object<T: Stored + 'a>(
        &mut self,
        namespace: &str,
        name: &str,
    ) -> Result<Result<&'a Arc<T>, &'a ApiFault>, Stop> {
        self.typed(Need::Object(ObjectKey::new(T::KIND, namespace, name)))
    }

    /// One object by name, past every cache.
    pub(crate) fn fresh<T: Stored + 'a>(
        &mut self,
        namespace: &str,
        name: &str,
    ) -> Result<Result<&'a Arc<T>, &'a ApiFault>, Stop> {
        self.typed(Need::Fresh(ObjectKey::new(T::KIND, namespace, name)))
    }

    fn typed<T: Stored + 'a>(&mut self, need: Need) -> Result<Result<&'a Arc<T>, &'a ApiFault>, Stop> {
        Ok(match self.fetch(need)? {
            Ok(Value::Object(object)) => match T::from_object(object) {
                Some(typed) => Ok(typed),
                None => return Err(wrong_answer()),
            },
            Ok(_) => return Err(wrong_answer()),
            Err(fault) => Err(fault),
        })
    }

    /// All objects of a kind in a namespace that carry the labels.
    pub(crate) fn list<T: Stored + 'a>(
        &mut self,
        namespace: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<Result<Vec<&'a Arc<T>>, &'a ApiFault>, Stop> {
        let need = Need::List { kind: T::KIND, namespace: namespace.to_owned(), labels };
        Ok(match self.fetch(need)? {
            Ok(Value::List(objects)) => Ok(objects.iter().filter_map(T::from_object).collect()),
            Ok(_) => return Err(wrong_answer()),
            Err(fault) => Err(fault),
        })
    }

    /// Has the effect done; the object as the world has it afterwards.
    ///
    /// Errors: [`Stop::Wait`] while it has not been tried.
    pub(crate) fn effect(&mut self, effect: Effect) -> Result<Result<Option<&'a Object>, &'a ApiFault>, Stop> {
        match self.facts.outcome(&effect.key()) {
            Some(Outcome::Done(object)) => Ok(Ok(object.as_ref())),
            Some(Outcome::Refused(fault)) => Ok(Err(backoff::refusal(&effect, fault, self.env.config))),
            None => {
                self.effects.push(effect);
                Err(Stop::Wait)
            }
        }
    }

    /// Has the object created; as it came back.
    pub(crate) fn create<T: Stored + 'a>(&mut self, object: T) -> Result<Result<&'a Arc<T>, &'a ApiFault>, Stop> {
        Ok(match self.effect(Effect::Create(object.into_object()))? {
            Ok(Some(done)) => Ok(T::from_object(done).ok_or_else(wrong_answer)?),
            Ok(None) => return Err(wrong_answer()),
            Err(fault) => Err(fault),
        })
    }

    pub(crate) fn delete(&mut self, kind: Kind, namespace: &str, name: &str) -> Result<Result<(), &'a ApiFault>, Stop> {
        Ok(self.effect(Effect::Delete(ObjectKey::new(kind, namespace, name)))?.map(|_| ()))
    }

    pub(crate) fn note(&mut self, subject: &str, text: impl Into<String>) {
        self.notes.push(Note { subject: subject.to_owned(), text: text.into() });
    }

    pub(crate) fn warn(&mut self, reason: &str, message: impl Into<String>) {
        self.transitions.push(Transition::Warning { reason: reason.to_owned(), message: message.into() });
    }
}

fn wrong_answer() -> Stop {
    Stop::transient("the answer to a need is of another shape than the question")
}
