//! The hook that sees objects before they are stored, as admission webhooks do.

use futures::future::BoxFuture;
use serde_json::Value;

use super::error::ApiError;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// Another state of an object.
    Update,
    /// An object goes.
    Delete,
}

/// What a hook is told.
#[derive(Debug)]
pub struct Review<'a> {
    /// The group of the resource.
    pub group: &'a str,
    /// The version in which the object is.
    pub version: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The subresource, or "".
    pub subresource: &'a str,
    /// What is being done.
    pub operation: Operation,
    /// The state before, on updates and deletions.
    pub old: Option<&'a Value>,
}

/// Changes or refuses objects before they are stored.
///
/// A hook is called for every create, update and delete that it [asks for](Admission::wants), after the server's own
/// defaults and before its validation of metadata; it may change the object.
pub trait Admission: Send + Sync + std::fmt::Debug {
    /// Whether the hook wants to see objects of this group and kind.
    fn wants(&self, group: &str, kind: &str) -> bool;

    /// Looks at `object` and may change it.
    ///
    /// Errors: the object is refused with this answer.
    fn admit<'a>(&'a self, review: &'a Review<'a>, object: &'a mut Value) -> BoxFuture<'a, Result<(), ApiError>>;
}
