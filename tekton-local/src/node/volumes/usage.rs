//! How much volumes with a limit hold.

use super::super::fields;
use super::Volumes;
use k8s_openapi::api::core::v1::{Pod, Volume};
use std::path::{Path, PathBuf};

/// Whether any volume of a pod has a limit.
pub(in crate::node) fn limited(pod: &Pod) -> bool {
    volumes(pod).any(|(_, limit, _)| limit > 0)
}

/// The volumes that have a limit: their name, the limit in bytes and as it is written.
fn volumes(pod: &Pod) -> impl Iterator<Item = (&Volume, u64, &str)> {
    let all = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    all.filter_map(|volume| {
        let limit = volume.empty_dir.as_ref()?.size_limit.as_ref()?;
        let bytes = fields::nano(limit)? / 1_000_000_000;
        Some((volume, u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)?, limit.0.as_str()))
    })
}

/// Volumes to be measured.
#[derive(Debug)]
pub(in crate::node) struct Measure(Vec<(String, PathBuf, u64, String)>);

impl Volumes {
    /// The volumes of a pod that have a limit, to be measured.
    pub(in crate::node) fn overfull(&self, pod: &Pod) -> Measure {
        let found = volumes(pod).filter_map(|(volume, limit, text)| {
            let prepared = self.volumes.get(&volume.name)?;
            Some((volume.name.clone(), prepared.path.clone(), limit, text.to_owned()))
        });
        Measure(found.collect())
    }
}

impl Measure {
    /// What the kubelet says of the first volume that holds more than it may.
    pub(in crate::node) fn message(&self) -> Option<String> {
        let (name, _, _, limit) = self.0.iter().find(|(_, path, limit, _)| size(path) > *limit)?;
        Some(format!("Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "))
    }
}

/// The bytes that a directory takes, links not followed.
fn size(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    let mut left = vec![dir.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            sum += found.blocks() * 512;
            if found.is_dir() {
                left.push(entry.path());
            }
        }
    }
    sum
}
