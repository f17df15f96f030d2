//! Volumes that runs give to workspaces.

use tekton_types::v1::WorkspaceBinding;

use crate::errors::{Errors, FieldError};
use crate::rules::params::no_duplicate_names;

const SOURCES: [&str; 5] = ["persistentvolumeclaim", "volumeclaimtemplate", "emptydir", "configmap", "secret"];

/// Bindings of a run: each right, names unique.
pub(crate) fn validate_bindings(bindings: &[WorkspaceBinding]) -> Errors {
    let mut errors = Errors::none();
    for (index, binding) in bindings.iter().enumerate() {
        errors.also(validate(binding).via_index(index));
    }
    errors.also(no_duplicate_names(bindings.iter().map(|b| b.name.as_str()), true));
    errors
}

/// One binding: exactly one source, and that source complete.
pub(crate) fn validate(binding: &WorkspaceBinding) -> Errors {
    if *binding == WorkspaceBinding::default() {
        return FieldError::missing(&[""]).into();
    }
    let sources = [
        binding.volume_claim_template.is_some(),
        binding.persistent_volume_claim.is_some(),
        binding.empty_dir.is_some(),
        binding.config_map.is_some(),
        binding.secret.is_some(),
        binding.projected.is_some(),
        binding.csi.is_some(),
    ];
    match sources.iter().filter(|given| **given).count() {
        0 => return FieldError::missing_one_of(&SOURCES).into(),
        1 => {}
        _ => return FieldError::multiple_one_of(&SOURCES).into(),
    }
    let missing = if binding.persistent_volume_claim.as_ref().is_some_and(|c| c.claim_name.is_empty()) {
        "persistentvolumeclaim.claimname"
    } else if binding.config_map.as_ref().is_some_and(|c| c.name.is_empty()) {
        "configmap.name"
    } else if binding.secret.as_ref().is_some_and(|s| s.secret_name.as_deref().unwrap_or_default().is_empty()) {
        "secret.secretName"
    } else if binding.projected.as_ref().is_some_and(|p| p.sources.as_ref().is_none_or(Vec::is_empty)) {
        "projected.sources"
    } else if binding.csi.as_ref().is_some_and(|c| c.driver.is_empty()) {
        "csi.driver"
    } else {
        return Errors::none();
    };
    FieldError::missing(&[missing]).into()
}
