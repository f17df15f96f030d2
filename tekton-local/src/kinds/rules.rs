//! How writes of particular kinds differ.

use crate::resources::Resource;

/// Whether a PUT of an object that is not there creates it.
pub(crate) fn creates_on_update(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.kind.as_str()),
        ("coordination.k8s.io", "Lease") | ("", "Event" | "LimitRange") | ("events.k8s.io", "Event")
    )
}

/// Whether a PUT may leave out the resource version.
pub(crate) fn unconditional_update(resource: &Resource) -> bool {
    !(resource.custom
        || matches!(
            (resource.group.as_str(), resource.kind.as_str()),
            ("coordination.k8s.io", "Lease") | ("apiextensions.k8s.io", _)
        ))
}

/// Whether a DELETE answers the object and not a `Status`.
pub(crate) fn answers_deleted(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.kind.as_str()),
        (
            "",
            "Pod"
                | "PersistentVolumeClaim"
                | "ServiceAccount"
                | "Namespace"
                | "PersistentVolume"
                | "Service"
                | "PodTemplate"
                | "ResourceQuota"
        ) | ("apiextensions.k8s.io" | "storage.k8s.io", _)
    )
}

/// Whether a deletion records no grace period.
pub(crate) fn counts_no_grace(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.kind.as_str()),
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

/// Whether objects are given time to end.
pub(crate) fn is_graceful(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.kind == "Pod"
}
