//! Workspaces from the command line: `-w name=PATH|emptyDir|claim:SIZE`.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, HostPathVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim,
    PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource, PersistentVolumeSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_types::v1::{VolumeClaimTemplate, WorkspaceBinding};

/// Size that stands in the claim of a directory; nothing measures it.
const DIRECTORY_SIZE: &str = "1Ti";

/// What a `-w` asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Workspace {
    /// The workspace's name.
    pub(crate) name: String,
    /// What it is bound to.
    pub(crate) source: Source,
}

/// What a workspace is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A directory of this machine, seen and changed in place.
    Directory(PathBuf),
    /// A directory of each Pod, gone with it.
    EmptyDir,
    /// A claim of this size, made for the run.
    Claim(String),
}

impl Workspace {
    /// Reads one `-w`.
    ///
    /// Errors: no `=`, an empty name, or a directory that is not there.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, source) = text
            .split_once('=')
            .filter(|(name, source)| !name.is_empty() && !source.is_empty())
            .ok_or_else(|| format!("-w {text}: expected NAME=PATH, NAME=emptyDir or NAME=claim:SIZE"))?;
        let source = match source {
            "emptyDir" => Source::EmptyDir,
            source => match source.strip_prefix("claim:") {
                Some(size) => Source::Claim(size.to_owned()),
                None => Source::Directory(
                    std::fs::canonicalize(source)
                        .ok()
                        .filter(|path| path.is_dir())
                        .ok_or_else(|| format!("-w {text}: there is no directory {source}"))?,
                ),
            },
        };
        Ok(Self { name: name.to_owned(), source })
    }

    /// The binding that the run gets.
    pub(crate) fn binding(&self) -> WorkspaceBinding {
        let mut binding = WorkspaceBinding { name: self.name.clone(), ..WorkspaceBinding::default() };
        match &self.source {
            Source::Directory(_) => {
                binding.persistent_volume_claim =
                    Some(PersistentVolumeClaimVolumeSource { claim_name: self.object_name(), read_only: None });
            }
            Source::EmptyDir => binding.empty_dir = Some(EmptyDirVolumeSource::default()),
            Source::Claim(size) => {
                binding.volume_claim_template =
                    Some(VolumeClaimTemplate { spec: claim_spec(size), ..VolumeClaimTemplate::default() });
            }
        }
        binding
    }

    /// The volume and the claim that stand for a directory of this machine.
    pub(crate) fn objects(&self, namespace: &str) -> Option<(PersistentVolume, PersistentVolumeClaim)> {
        let Source::Directory(path) = &self.source else { return None };
        Some((self.volume(path, namespace), self.claim(namespace)))
    }

    fn object_name(&self) -> String {
        format!("workspace-{}", self.name.to_ascii_lowercase())
    }

    fn volume(&self, path: &Path, namespace: &str) -> PersistentVolume {
        PersistentVolume {
            metadata: ObjectMeta { name: Some(self.object_name()), ..ObjectMeta::default() },
            spec: Some(PersistentVolumeSpec {
                access_modes: Some(vec!["ReadWriteMany".to_owned()]),
                capacity: Some([("storage".to_owned(), Quantity(DIRECTORY_SIZE.to_owned()))].into()),
                claim_ref: Some(ObjectReference {
                    kind: Some("PersistentVolumeClaim".to_owned()),
                    namespace: Some(namespace.to_owned()),
                    name: Some(self.object_name()),
                    ..ObjectReference::default()
                }),
                host_path: Some(HostPathVolumeSource { path: path.display().to_string(), type_: None }),
                persistent_volume_reclaim_policy: Some("Retain".to_owned()),
                ..PersistentVolumeSpec::default()
            }),
            status: None,
        }
    }

    fn claim(&self, namespace: &str) -> PersistentVolumeClaim {
        let mut spec = claim_spec(DIRECTORY_SIZE);
        spec.access_modes = Some(vec!["ReadWriteMany".to_owned()]);
        spec.volume_name = Some(self.object_name());
        PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(self.object_name()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
            status: None,
        }
    }
}

fn claim_spec(size: &str) -> PersistentVolumeClaimSpec {
    PersistentVolumeClaimSpec {
        access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
        resources: Some(VolumeResourceRequirements {
            requests: Some([("storage".to_owned(), Quantity(size.to_owned()))].into()),
            limits: None,
        }),
        ..PersistentVolumeClaimSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_the_size_that_was_asked_for() {
        let workspace = Workspace::parse("cache=claim:2Gi").expect("the text is a workspace");
        assert_eq!(workspace.source, Source::Claim("2Gi".to_owned()));
        let template = workspace.binding().volume_claim_template.expect("a claim has a template");
        let requests = template.spec.resources.and_then(|resources| resources.requests);
        assert_eq!(requests.expect("it requests storage")["storage"], Quantity("2Gi".to_owned()));
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let error = Workspace::parse("source=/no/such/place").expect_err("there is no such directory");
        assert_eq!(error, "-w source=/no/such/place: there is no directory /no/such/place");
    }
}
