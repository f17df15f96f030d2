//! The object store: every object by resource, namespace and name, one global revision, and the history that watches read.
//!
//! Objects are immutable once stored and shared by reference, so a list or a watch copies pointers, and the JSON of an
//! object is printed once however many readers ask for it. Lists by namespace are ranges of an ordered map.

mod disk;
mod history;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

pub use disk::DiskError;
use disk::{Disk, Entry};
use history::History;
pub use history::{Change, ChangeKind, Compacted};

/// One stored state of an object.
#[derive(Debug)]
pub struct Object {
    /// The whole object at its storage version, with `metadata.resourceVersion`.
    pub value: Value,
    /// The revision of this state.
    pub revision: u64,
    json: OnceLock<Bytes>,
}

impl Object {
    fn new(mut value: Value, revision: u64) -> Arc<Self> {
        value["metadata"]["resourceVersion"] = Value::String(revision.to_string());
        Arc::new(Self { value, revision, json: OnceLock::new() })
    }

    /// The object as JSON, printed once.
    pub fn json(&self) -> Bytes {
        self.json.get_or_init(|| Bytes::from(self.value.to_string())).clone()
    }

    /// A string of `metadata`, or "".
    pub fn meta(&self, field: &str) -> &str {
        self.value["metadata"][field].as_str().unwrap_or_default()
    }
}

/// Where an object lives: its resource (`group/plural`), namespace ("" for cluster-scoped) and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// `group/plural`, the group empty for the core group.
    pub resource: Arc<str>,
    /// The namespace, or "".
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Why a write was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    /// The object is not in the state that the writer read.
    Conflict,
    /// An object of this name is there already.
    Exists,
    /// There is no such object.
    Missing,
}

/// Objects by `namespace/name`, the order in which lists come.
type Entries = BTreeMap<String, Arc<Object>>;

#[derive(Debug)]
struct Table {
    entries: Entries,
    history: History,
    tick: watch::Sender<u64>,
}

impl Table {
    fn new(begins: u64, revision: u64) -> Self {
        Self { entries: BTreeMap::new(), history: History::new(begins), tick: watch::Sender::new(revision) }
    }
}

/// Where objects are besides in memory.
#[derive(Debug)]
enum Backing {
    Memory,
    Disk(Disk),
    Closed,
}

#[derive(Debug)]
struct Inner {
    revision: u64,
    tables: BTreeMap<Arc<str>, Table>,
    /// The dependents of each owner, by its uid.
    dependents: HashMap<String, BTreeSet<Key>>,
    /// Every object by its uid.
    uids: HashMap<String, Key>,
    /// Where writes go, when they outlive the process. Under the lock, so that they go in the order of their revisions.
    backing: Backing,
    /// The revision before which nothing is known: the history begins here.
    begins: u64,
}

/// The store. All operations are atomic; a write needs the revision that the writer has read.
#[derive(Debug)]
pub struct Store {
    inner: Mutex<Inner>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                revision: 1,
                tables: BTreeMap::new(),
                dependents: HashMap::new(),
                uids: HashMap::new(),
                backing: Backing::Memory,
                begins: 1,
            }),
        }
    }
}

impl Store {
    /// A store that keeps its objects in a directory, with what is in it already. Revisions go on from where they were;
    /// what happened before is no longer known, so watches from then are told to list again.
    ///
    /// Errors: another process has it open, or it cannot be read.
    pub fn open(dir: &std::path::Path) -> Result<Self, DiskError> {
        let found = Disk::open(dir)?;
        let store = Self::default();
        {
            let mut inner = store.lock();
            inner.revision = found.revision;
            inner.begins = found.revision;
            for (key, object) in found.objects {
                inner.index(&key, None, Some(&object));
                let table = inner.tables.entry(Arc::clone(&key.resource));
                let table = table.or_insert_with(|| Table::new(found.revision, found.revision));
                table.entries.insert(key.id(), object);
            }
            inner.backing = Backing::Disk(found.disk);
        }
        Ok(store)
    }

    /// Waits until every write so far would survive the end of this process. In memory nothing does, and nothing waits.
    ///
    /// Errors: the disk does not take writes any more.
    pub async fn settled(&self) -> Result<(), Arc<str>> {
        let settled = {
            let inner = self.lock();
            match &inner.backing {
                Backing::Memory => return Ok(()),
                Backing::Closed => return Err("the store has been closed".into()),
                Backing::Disk(disk) => disk.settled(inner.revision),
            }
        };
        settled.await
    }

    /// Writes what has not been written yet and closes the file, so that it can be opened again. Later writes are not
    /// kept, and [`Store::settled`] says so. A store in memory has nothing to close.
    pub fn close(&self) {
        let mut inner = self.lock();
        if matches!(inner.backing, Backing::Disk(_)) {
            inner.backing = Backing::Closed;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The revision of the newest write.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// The object, if it exists.
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        let inner = self.lock();
        inner.tables.get(&key.resource)?.entries.get(&key.id()).cloned()
    }

    /// All objects of a resource in key order, of one namespace or of all, and the revision of the list.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> (u64, Vec<Arc<Object>>) {
        let inner = self.lock();
        let items = inner.tables.get(resource).map(|table| range(&table.entries, namespace)).unwrap_or_default();
        (inner.revision, items)
    }

    /// The list as it was at `revision`.
    ///
    /// Errors: the history no longer reaches back to `revision`.
    pub fn list_at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Object>>, Compacted> {
        let inner = self.lock();
        let Some(table) = inner.tables.get(resource) else { return Ok(Vec::new()) };
        let later = table.history.since(revision)?;
        if later.is_empty() {
            return Ok(range(&table.entries, namespace));
        }
        let mut entries = table.entries.clone();
        for change in later.iter().rev() {
            let key = format!("{}/{}", change.object.meta("namespace"), change.object.meta("name"));
            match &change.previous {
                Some(previous) => entries.insert(key, Arc::clone(previous)),
                None => entries.remove(&key),
            };
        }
        Ok(range(&entries, namespace))
    }

    /// Adds an object. The stored state carries its revision as `metadata.resourceVersion`.
    ///
    /// Errors: [`WriteError::Exists`].
    pub fn create(&self, key: &Key, value: Value) -> Result<Arc<Object>, WriteError> {
        let mut inner = self.lock();
        let id = key.id();
        if inner.tables.get(&key.resource).is_some_and(|table| table.entries.contains_key(&id)) {
            return Err(WriteError::Exists);
        }
        Ok(inner.write(key, |revision| (Object::new(value, revision), None, ChangeKind::Added)))
    }

    /// Replaces the state at `revision` by another one.
    ///
    /// Errors: [`WriteError::Conflict`] when the object has changed since, [`WriteError::Missing`] when it is gone.
    pub fn update(&self, key: &Key, revision: u64, value: Value) -> Result<Arc<Object>, WriteError> {
        let mut inner = self.lock();
        let previous = inner.current(key, revision)?;
        Ok(inner.write(key, |revision| (Object::new(value, revision), Some(previous), ChangeKind::Modified)))
    }

    /// Removes the state at `revision`; what watchers see is `value` with the revision of the deletion.
    ///
    /// Errors: as [`Store::update`].
    pub fn delete(&self, key: &Key, revision: u64, value: Value) -> Result<Arc<Object>, WriteError> {
        let mut inner = self.lock();
        let previous = inner.current(key, revision)?;
        Ok(inner.write(key, |revision| (Object::new(value, revision), Some(previous), ChangeKind::Deleted)))
    }

    /// What happened to a resource after `revision`, oldest first.
    ///
    /// Errors: the history no longer reaches back to `revision`.
    pub fn changes(&self, resource: &str, revision: u64) -> Result<Vec<Change>, Compacted> {
        let inner = self.lock();
        match inner.tables.get(resource) {
            Some(table) => table.history.since(revision),
            None if revision < inner.begins => Err(Compacted { oldest: inner.begins }),
            None => Ok(Vec::new()),
        }
    }

    /// A receiver that is notified of each write to the resource.
    pub fn subscribe(&self, resource: &Arc<str>) -> watch::Receiver<u64> {
        let mut inner = self.lock();
        let (begins, revision) = (inner.begins, inner.revision);
        inner.tables.entry(Arc::clone(resource)).or_insert_with(|| Table::new(begins, revision)).tick.subscribe()
    }

    /// Forgets the history of every resource up to the newest write, as a compaction does.
    pub fn compact(&self) {
        let mut inner = self.lock();
        let revision = inner.revision;
        for table in inner.tables.values_mut() {
            table.history.compact(revision);
        }
    }

    /// The objects that name `uid` among their owners.
    pub fn dependents(&self, uid: &str) -> Vec<Key> {
        self.lock().dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Where the object with this uid is, if it exists.
    pub fn by_uid(&self, uid: &str) -> Option<Key> {
        self.lock().uids.get(uid).cloned()
    }

    /// Every resource that holds objects.
    pub fn resources(&self) -> Vec<Arc<str>> {
        self.lock()
            .tables
            .iter()
            .filter(|(_, table)| !table.entries.is_empty())
            .map(|(name, _)| Arc::clone(name))
            .collect()
    }
}

fn owners(object: &Object) -> impl Iterator<Item = &str> {
    object.value["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|owner| owner["uid"].as_str())
}

impl Inner {
    fn index(&mut self, key: &Key, old: Option<&Object>, new: Option<&Object>) {
        for owner in old.into_iter().flat_map(owners) {
            if let Some(keys) = self.dependents.get_mut(owner) {
                keys.remove(key);
                if keys.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
        for owner in new.into_iter().flat_map(owners) {
            self.dependents.entry(owner.to_owned()).or_default().insert(key.clone());
        }
        match (old, new) {
            (Some(old), None) => drop(self.uids.remove(old.meta("uid"))),
            (None, Some(new)) => drop(self.uids.insert(new.meta("uid").to_owned(), key.clone())),
            _ => {}
        }
    }

    fn current(&self, key: &Key, revision: u64) -> Result<Arc<Object>, WriteError> {
        let id = key.id();
        let object =
            self.tables.get(&key.resource).and_then(|table| table.entries.get(&id)).ok_or(WriteError::Missing)?;
        if object.revision == revision { Ok(Arc::clone(object)) } else { Err(WriteError::Conflict) }
    }

    fn write(
        &mut self,
        key: &Key,
        change: impl FnOnce(u64) -> (Arc<Object>, Option<Arc<Object>>, ChangeKind),
    ) -> Arc<Object> {
        let before = self.revision;
        self.revision += 1;
        let revision = self.revision;
        let (object, previous, kind) = change(revision);
        self.index(key, previous.as_deref(), (kind != ChangeKind::Deleted).then_some(&*object));
        let begins = self.begins;
        let table = self.tables.entry(Arc::clone(&key.resource)).or_insert_with(|| Table::new(begins, before));
        let id = key.id();
        if kind == ChangeKind::Deleted {
            table.entries.remove(&id);
        } else {
            table.entries.insert(id, Arc::clone(&object));
        }
        if let Backing::Disk(disk) = &self.backing {
            let object = (kind != ChangeKind::Deleted).then(|| Arc::clone(&object));
            disk.push(Entry { key: key.clone(), revision, object });
        }
        table.history.push(Change { revision, kind, object: Arc::clone(&object), previous });
        table.tick.send_replace(revision);
        object
    }
}

fn range(entries: &Entries, namespace: Option<&str>) -> Vec<Arc<Object>> {
    match namespace {
        None => entries.values().cloned().collect(),
        Some(namespace) => {
            let prefix = format!("{namespace}/");
            entries
                .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
                .take_while(|(id, _)| id.starts_with(&prefix))
                .map(|(_, object)| Arc::clone(object))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests;
