//! The store on disk: one crash-safe file, written behind by a thread that commits whatever has gathered as one.
//!
//! A write is durable when the transaction that holds it has been synced; [`Disk::settled`] waits for that, and the API
//! server does before it answers. Writes of many clients share a transaction, so the disk is asked once for all of them.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::Value;
use tokio::sync::watch;

use super::{Key, Object};

/// The file of the store in its directory.
const FILE: &str = "objects.redb";
/// Objects as JSON by resource and `namespace/name`.
const OBJECTS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("objects");
/// Numbers of the store itself.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Key of the newest revision in `META`.
const REVISION: &str = "revision";
/// Key of the format's version in `META`.
const FORMAT: &str = "format";
/// The version that this program writes and reads.
const FORMAT_VERSION: u64 = 1;
/// How far revisions jump at a start: more than can ever have been given out without having been committed, so that no
/// revision is used twice for different states.
const JUMP: u64 = 1 << 20;
/// Writes of one transaction at most.
const BATCH: usize = 4096;
/// Memory for pages: objects are in memory already.
const CACHE_BYTES: usize = 8 << 20;

/// Why a store on disk cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// Another process has it open.
    #[error("{path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is of another version of this program.
    #[error("{path} has format {found}; this version reads format {FORMAT_VERSION}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u64,
    },
    /// The file cannot be read or written.
    #[error("failed to open {path}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a transaction writes for one object: the new state, or nothing when it is gone.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) revision: u64,
    pub(super) object: Option<Arc<Object>>,
}

/// How far the disk has come.
#[derive(Debug, Clone, Default)]
struct Progress {
    durable: u64,
    failed: Option<Arc<str>>,
}

/// An open store on disk.
#[derive(Debug)]
pub(super) struct Disk {
    entries: Option<mpsc::Sender<Entry>>,
    progress: watch::Receiver<Progress>,
    writer: Option<JoinHandle<()>>,
}

/// What was found on disk.
pub(super) struct Found {
    pub(super) disk: Disk,
    pub(super) revision: u64,
    pub(super) objects: Vec<(Key, Arc<Object>)>,
}

impl Disk {
    /// Opens or makes the store of a directory and reads everything in it.
    pub(super) fn open(dir: &Path) -> Result<Found, DiskError> {
        let path = dir.join(FILE);
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| DiskError::Failed { path: path.clone(), source };
        // Secrets are among the objects: the directory is for its owner only.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| failed(error.into()))?;
        let database = match Database::builder().set_cache_size(CACHE_BYTES).create(&path) {
            Ok(database) => database,
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(DiskError::InUse { path }),
            Err(error) => return Err(failed(error.into())),
        };
        let (format, revision, objects) = read(&database).map_err(failed)?;
        if format != FORMAT_VERSION {
            return Err(DiskError::Format { path, found: format });
        }
        let revision = revision + JUMP;
        commit(&database, &[], revision).map_err(|error| failed(error.into()))?;
        let (entries, queue) = mpsc::channel();
        let (sender, progress) = watch::channel(Progress { durable: revision, failed: None });
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write(&database, &queue, &sender))
            .map_err(|error| failed(error.into()))?;
        Ok(Found { disk: Self { entries: Some(entries), progress, writer: Some(writer) }, revision, objects })
    }

    /// Hands a write to the disk.
    pub(super) fn push(&self, entry: Entry) {
        if let Some(entries) = &self.entries {
            // A writer that has failed says so to whoever waits for this write.
            let _ = entries.send(entry);
        }
    }

    /// Waits until everything up to `revision` is on disk.
    ///
    /// Errors: the disk does not take it.
    pub(super) fn settled(&self, revision: u64) -> impl Future<Output = Result<(), Arc<str>>> + Send + use<> {
        let mut progress = self.progress.clone();
        async move {
            match progress.wait_for(|progress| progress.durable >= revision || progress.failed.is_some()).await {
                Ok(progress) => progress.failed.clone().map_or(Ok(()), Err),
                Err(_ended) => Err("the store has been closed".into()),
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The writer commits what is in its queue, and ends when nobody can add to it.
        drop(self.entries.take());
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has ended too.
            let _ = writer.join();
        }
    }
}

type Contents = (u64, u64, Vec<(Key, Arc<Object>)>);

fn read(database: &Database) -> Result<Contents, Box<dyn std::error::Error + Send + Sync>> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        // A new file.
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok((FORMAT_VERSION, 1, Vec::new())),
        Err(error) => return Err(error.into()),
    };
    let number = |key: &str| meta.get(key).map(|found| found.map_or(0, |guard| guard.value()));
    let (format, revision) = (number(FORMAT)?, number(REVISION)?);
    let mut objects = Vec::new();
    if format == FORMAT_VERSION {
        let mut resource: Arc<str> = "".into();
        for entry in transaction.open_table(OBJECTS)?.iter()? {
            let (key, json) = entry?;
            let (of, id) = key.value();
            if *resource != *of {
                resource = of.into();
            }
            let (namespace, name) = id.split_once('/').unwrap_or(("", id));
            let key = Key { resource: Arc::clone(&resource), namespace: namespace.to_owned(), name: name.to_owned() };
            let value: Value = serde_json::from_slice(json.value())?;
            let revision = value["metadata"]["resourceVersion"].as_str().unwrap_or_default().parse()?;
            objects.push((key, Object::new(value, revision)));
        }
    }
    Ok((format, revision, objects))
}

fn commit(database: &Database, entries: &[Entry], revision: u64) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut objects = transaction.open_table(OBJECTS)?;
        for Entry { key, object, .. } in entries {
            let id = key.id();
            match object {
                Some(object) => drop(objects.insert((&*key.resource, id.as_str()), &*object.json())?),
                None => drop(objects.remove((&*key.resource, id.as_str()))?),
            }
        }
        let mut meta = transaction.open_table(META)?;
        meta.insert(REVISION, revision)?;
        meta.insert(FORMAT, FORMAT_VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Commits what comes, as much at a time as has gathered, until nobody sends any more.
fn write(database: &Database, queue: &mpsc::Receiver<Entry>, progress: &watch::Sender<Progress>) {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(BATCH - 1));
        let revision = batch.iter().map(|entry| entry.revision).max().unwrap_or_default();
        if let Err(error) = commit(database, &batch, revision) {
            // What is not on disk must not be built upon: nothing is acknowledged from here on.
            let text: Arc<str> = format!("the data directory does not take writes: {error}").into();
            progress.send_modify(|progress| progress.failed = Some(text));
            return;
        }
        progress.send_modify(|progress| progress.durable = revision);
    }
}
