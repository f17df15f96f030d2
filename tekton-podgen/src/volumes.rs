//! Volumes and mounts that every Pod of a TaskRun has.

use crate::names;
use k8s_openapi::api::core::v1::{
    CSIVolumeSource, DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource, ObjectFieldSelector, Volume,
    VolumeMount,
};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Volume name and mount path of what each step sees without asking.
const IMPLICIT: [(&str, &str, bool); 5] = [
    (tekton_contract::volumes::WORKSPACE, names::WORKSPACE_DIR, false),
    (tekton_contract::volumes::HOME, names::HOME_DIR, false),
    (tekton_contract::volumes::RESULTS, names::RESULTS_DIR, false),
    (STEPS, names::STEPS_DIR, true),
    (tekton_contract::volumes::ARTIFACTS, names::ARTIFACTS_DIR, false),
];
const SPIRE: &str = "spiffe-workload-api";
pub(crate) use tekton_contract::volumes::{BIN, DEBUG_INFO, DEBUG_SCRIPTS, SCRIPTS, STEPS};
use tekton_contract::volumes::{CREDS_HOME, DOWNWARD, SPIFFE_CSI_DRIVER, run as run_name};

/// Volumes that share a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct DuplicateVolume(String);

pub(crate) fn empty_dir(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

pub(crate) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

pub(crate) fn implicit() -> impl Iterator<Item = Volume> {
    IMPLICIT.iter().map(|(name, _, _)| empty_dir(name))
}

pub(crate) fn implicit_mounts() -> Vec<VolumeMount> {
    IMPLICIT.iter().map(|(name, path, read_only)| mount(name, path, *read_only)).collect()
}

pub(crate) fn run(index: usize) -> Volume {
    empty_dir(&run_name(index))
}

pub(crate) fn run_mount(index: usize, read_only: bool) -> VolumeMount {
    mount(&run_name(index), &format!("{}/{index}", names::RUN_DIR), read_only)
}

pub(crate) fn creds_home(index: usize) -> (Volume, VolumeMount) {
    let name = format!("{CREDS_HOME}-{index}");
    let volume = Volume {
        name: name.clone(),
        empty_dir: Some(EmptyDirVolumeSource { medium: Some("Memory".to_owned()), ..EmptyDirVolumeSource::default() }),
        ..Volume::default()
    };
    (volume, mount(&name, names::CREDS_DIR, false))
}

/// The annotations through which a running Pod is told to start and to stop.
pub(crate) fn downward(with_cancel: bool) -> Volume {
    let item = |path: &str, annotation: &str| DownwardAPIVolumeFile {
        path: path.to_owned(),
        field_ref: Some(ObjectFieldSelector {
            field_path: format!("metadata.annotations['{annotation}']"),
            ..ObjectFieldSelector::default()
        }),
        ..DownwardAPIVolumeFile::default()
    };
    let mut items = vec![item("ready", names::READY_ANNOTATION)];
    if with_cancel {
        items.push(item("cancel", names::CANCEL_ANNOTATION));
    }
    Volume {
        name: DOWNWARD.to_owned(),
        downward_api: Some(DownwardAPIVolumeSource { items: Some(items), ..DownwardAPIVolumeSource::default() }),
        ..Volume::default()
    }
}

pub(crate) fn downward_mount() -> VolumeMount {
    mount(DOWNWARD, names::DOWNWARD_DIR, true)
}

pub(crate) fn spire() -> Volume {
    Volume {
        name: SPIRE.to_owned(),
        csi: Some(CSIVolumeSource {
            driver: SPIFFE_CSI_DRIVER.to_owned(),
            read_only: Some(true),
            ..CSIVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub(crate) fn spire_mount() -> VolumeMount {
    mount(SPIRE, names::SPIRE_DIR, true)
}

/// Adds those of `defaults` whose path is not mounted yet. The paths of `defaults` are clean.
pub(crate) fn add_unmounted(mounts: &mut Vec<VolumeMount>, defaults: &[VolumeMount]) {
    // Nearly all paths are clean as they stand, and need no copy to compare.
    let odd: Vec<String> = mounts
        .iter()
        .map(|mount| mount.mount_path.as_str())
        .filter(|path| !is_clean(path))
        .map(names::clean_path)
        .collect();
    let given = mounts.len();
    mounts.reserve(defaults.len());
    for default in defaults {
        let path = &default.mount_path;
        if !mounts[..given].iter().any(|mount| mount.mount_path == *path) && !odd.contains(path) {
            mounts.push(default.clone());
        }
    }
}

/// Whether cleaning the path would leave it as it is; may say no of a clean path with a dot at the start of a name.
fn is_clean(path: &str) -> bool {
    path.starts_with('/') && !path.ends_with('/') && !path.contains("//") && !path.contains("/.")
}

pub(crate) fn check_unique(volumes: &[Volume]) -> Result<(), DuplicateVolume> {
    let mut seen = BTreeSet::new();
    let mut repeated: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (index, volume) in volumes.iter().enumerate() {
        if !seen.insert(volume.name.as_str()) {
            repeated.entry(&volume.name).or_default().push(format!("[{index}].name"));
        }
    }
    if repeated.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = repeated
        .into_iter()
        .map(|(name, paths)| format!("multiple volumes with same name {name:?}: {}", paths.join(", ")))
        .collect();
    Err(DuplicateVolume(lines.join("\n")))
}
