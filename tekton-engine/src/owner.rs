//! Who owns an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::run::Run;

/// The reference by which the run controls what it creates.
pub(crate) fn controller_of<R: Run>(run: &R) -> OwnerReference {
    let meta = run.metadata();
    OwnerReference {
        api_version: R::KIND.api_version().to_owned(),
        kind: R::KIND.as_str().to_owned(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The reference of an object to its controller.
pub(crate) fn controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.as_deref()?.iter().find(|owner| owner.controller == Some(true))
}

/// The object is controlled by the run.
pub(crate) fn is_controlled_by(meta: &ObjectMeta, owner: &ObjectMeta) -> bool {
    controller(meta).is_some_and(|reference| reference.uid == owner.uid.as_deref().unwrap_or_default())
}
