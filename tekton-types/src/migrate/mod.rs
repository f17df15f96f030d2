//! Rewrites manifests of older Tekton releases, as text: comments, order and layout stay.
//!
//! ```
//! use tekton_types::migrate::{Options, migrate};
//! let old = "apiVersion: tekton.dev/v1beta1 # old\nkind: Task\nmetadata: {name: a}\nspec:\n  steps:\n  - image: b\n    resources: {}\n";
//! let done = migrate(old, &Options::default());
//! assert_eq!(done.text, "apiVersion: tekton.dev/v1 # old\nkind: Task\nmetadata: {name: a}\nspec:\n  steps:\n  - image: b\n    computeResources: {}\n");
//! ```
//!
//! What is rewritten: v1beta1 and v1alpha1 objects to the version that is stored today, references to ClusterTasks and
//! bundles to resolvers, `$(inputs.params.x)` to `$(params.x)`, Run to CustomRun, ClusterTask to Task; fields without
//! effect go. What needs a person (PipelineResources, Conditions) is told with its replacement, and its object is left
//! as it is. The new text of each document is read again and compared with the conversion of the old one; where the two
//! differ, the document is left as it is, too.

mod kinds;
mod reference;
pub mod removed;
mod runs;
mod variables;
mod verify;

use crate::yaml::edit::Edits;
use crate::yaml::{self, Document, Node, Span, Value};

/// What a text cannot tell about its migration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The namespace of the Tasks that were ClusterTasks. Without it references leave the namespace to the cluster
    /// resolver's `default-namespace`.
    pub cluster_task_namespace: Option<String>,
}

/// A migrated text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Migration {
    /// The new text.
    pub text: String,
    /// How many documents changed.
    pub changed: usize,
    /// What a person should know or do, in the order of the text.
    pub notes: Vec<Note>,
}

impl Migration {
    /// Whether something is left that only a person can do.
    pub fn needs_a_person(&self) -> bool {
        self.notes.iter().any(|note| note.blocks)
    }
}

/// Something that a person should know or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// A stable name for this kind of note.
    pub code: &'static str,
    /// The document in the text, from 0.
    pub document: usize,
    /// Kind and name of the object, such as `Task build`.
    pub object: String,
    /// Where in the old text.
    pub span: Span,
    /// What it is about.
    pub message: String,
    /// What to do or to use instead.
    pub help: Option<String>,
    /// Whether the object is left as it is because of it.
    pub blocks: bool,
}

/// Migrates all documents of a text.
pub fn migrate(text: &str, options: &Options) -> Migration {
    let mut notes = Vec::new();
    let mut documents = Vec::new();
    for document in yaml::parse_each(text) {
        match document {
            Ok(document) => {
                let mut walk = Walk::new(text, options, &document);
                walk.document(&document.root);
                notes.append(&mut walk.notes);
                if !walk.edits.is_empty() {
                    documents.push((document, walk.edits));
                }
            }
            Err(error) => notes.push(Note {
                code: "yaml",
                document: error.document,
                object: String::new(),
                span: error.span,
                message: error.message,
                help: None,
                blocks: true,
            }),
        }
    }
    let new = settle(text, &mut documents, &mut notes);
    notes.sort_by_key(|note| (note.document, note.span.start));
    Migration { text: new, changed: documents.len(), notes }
}

/// Applies the changes; documents that do not come out as the conversion of the old ones are left as they were.
fn settle<'t>(text: &'t str, documents: &mut Vec<(Document<'t>, Edits<'t>)>, notes: &mut Vec<Note>) -> String {
    loop {
        let mut all = Edits::new(text);
        for (_, edits) in documents.iter() {
            all.extend(edits);
        }
        let new = all.apply();
        let read: Vec<_> = yaml::parse_each(&new).collect();
        let before = documents.len();
        documents.retain(|(old, _)| {
            let same = matches!(read.get(old.index), Some(Ok(now)) if verify::is_conversion(&old.root, &now.root));
            if !same {
                notes.push(Note {
                    code: "layout",
                    document: old.index,
                    object: String::new(),
                    span: old.root.span,
                    message: "this document is written in a way that cannot be rewritten in place".to_owned(),
                    help: Some("rewrite it by hand, without aliases and merge keys".to_owned()),
                    blocks: true,
                });
            }
            same
        });
        drop(read);
        if documents.len() == before {
            return new;
        }
    }
}

/// One document under migration.
struct Walk<'t, 'o> {
    edits: Edits<'t>,
    options: &'o Options,
    notes: Vec<Note>,
    document: usize,
    /// Kind and name of the object at hand.
    object: String,
    /// How much further right than their key the dashes of lists stand in this document.
    list_indent: usize,
}

impl<'t, 'o> Walk<'t, 'o> {
    fn new(text: &'t str, options: &'o Options, document: &Document<'_>) -> Self {
        Self {
            edits: Edits::new(text),
            options,
            notes: Vec::new(),
            document: document.index,
            object: String::new(),
            list_indent: list_indent(text, &document.root).unwrap_or_default(),
        }
    }

    fn note(&mut self, code: &'static str, span: Span, message: String, help: Option<String>) {
        let (document, object) = (self.document, self.object.clone());
        self.notes.push(Note { code, document, object, span, message, help, blocks: false });
    }

    /// Notes what only a person can do; the object is left as it is.
    fn refuse(&mut self, code: &'static str, span: Span, message: String, replacement: &str) {
        self.note(code, span, message, Some(format!("use {replacement} instead")));
        if let Some(note) = self.notes.last_mut() {
            note.blocks = true;
        }
    }
}

/// How the first list of a document stands below its key.
fn list_indent(text: &str, node: &Node<'_>) -> Option<usize> {
    match &node.value {
        Value::Map(entries) => entries.iter().find_map(|entry| {
            if let (Value::Seq(items), true) = (&entry.value.value, entry.value.span.start > entry.key_span.start)
                && !items.is_empty()
                && !text[entry.value.span.start..].starts_with('[')
            {
                let start = entry.value.span.start;
                let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
                let dash = text[line..].find('-').filter(|dash| line + dash <= start)?;
                return dash.checked_sub(entry.key_span.column - 1);
            }
            list_indent(text, &entry.value)
        }),
        Value::Seq(items) => items.iter().find_map(|item| list_indent(text, item)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
