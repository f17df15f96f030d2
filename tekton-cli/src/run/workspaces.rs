//! Workspaces from the command line: `-w name=PATH|PATH:copy|emptyDir|claim:SIZE|configMap:NAME|secret:NAME`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, HostPathVolumeSource, ObjectReference, PersistentVolume,
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource, PersistentVolumeSpec,
    SecretVolumeSource, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_types::v1::{VolumeClaimTemplate, WorkspaceBinding};

/// Size that stands in the claim of a directory; nothing measures it.
const DIRECTORY_SIZE: &str = "1Ti";

/// What a `-w` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Workspace {
    /// The workspace's name.
    pub(crate) name: String,
    /// What it is bound to.
    pub(crate) source: Source,
}

/// What a workspace is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A directory of this machine, seen and changed in place.
    Directory(PathBuf),
    /// A copy of a directory of this machine, made before the run.
    Copy(PathBuf),
    /// A directory of each Pod, gone with it.
    EmptyDir,
    /// A claim of this size, made for the run.
    Claim(String),
    /// A ConfigMap, of the files or of the data directory.
    ConfigMap(String),
    /// A Secret, of the files or of the data directory.
    Secret(String),
}

impl Workspace {
    /// Reads one `-w`.
    ///
    /// Errors: no `=`, an empty name, or a directory that is not there.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, source) = text
            .split_once('=')
            .filter(|(name, source)| !name.is_empty() && !source.is_empty())
            .ok_or_else(|| format!("-w {text}: expected NAME=PATH, NAME=PATH:copy, NAME=emptyDir, NAME=claim:SIZE, NAME=configMap:NAME or NAME=secret:NAME"))?;
        let directory = |path: &str| std::fs::canonicalize(path).ok().filter(|path| path.is_dir());
        let source = match source.split_once(':') {
            None if source == "emptyDir" => Source::EmptyDir,
            Some(("claim", "")) => return Err(format!("-w {text}: expected a size such as claim:1Gi")),
            Some(("claim", size)) => Source::Claim(size.to_owned()),
            Some(("configMap", object)) => Source::ConfigMap(object.to_owned()),
            Some(("secret", object)) => Source::Secret(object.to_owned()),
            _ => match (directory(source), source.strip_suffix(":copy")) {
                (Some(path), _) => Source::Directory(path),
                (None, Some(original)) => Source::Copy(
                    directory(original).ok_or_else(|| format!("-w {text}: there is no directory {original}"))?,
                ),
                (None, None) => return Err(format!("-w {text}: there is no directory {source}")),
            },
        };
        Ok(Self { name: name.to_owned(), source })
    }

    /// The binding that the run gets.
    pub(crate) fn binding(&self) -> WorkspaceBinding {
        let mut binding = WorkspaceBinding { name: self.name.clone(), ..WorkspaceBinding::default() };
        match &self.source {
            Source::Directory(_) | Source::Copy(_) => {
                binding.persistent_volume_claim =
                    Some(PersistentVolumeClaimVolumeSource { claim_name: self.object_name(), read_only: None });
            }
            Source::EmptyDir => binding.empty_dir = Some(EmptyDirVolumeSource::default()),
            Source::Claim(size) => {
                binding.volume_claim_template =
                    Some(VolumeClaimTemplate { spec: claim_spec(size), ..VolumeClaimTemplate::default() });
            }
            Source::ConfigMap(name) => {
                binding.config_map =
                    Some(ConfigMapVolumeSource { name: name.clone(), ..ConfigMapVolumeSource::default() });
            }
            Source::Secret(name) => {
                binding.secret =
                    Some(SecretVolumeSource { secret_name: Some(name.clone()), ..SecretVolumeSource::default() });
            }
        }
        binding
    }

    /// Makes the copy that was asked for, as a new directory in `parent`, which then is what the workspace is bound to.
    ///
    /// Errors: something can't be read or written, with its path.
    pub(crate) fn copied(self, parent: &Path) -> Result<Self, String> {
        let Source::Copy(original) = &self.source else { return Ok(self) };
        let failed = |path: &Path, error: std::io::Error| {
            format!("-w {}: failed to copy {}: {error}", self.name, path.display())
        };
        std::fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        let folder = tempfile::Builder::new().prefix("copy-").tempdir_in(parent);
        let copy = folder.map_err(|error| failed(parent, error))?.keep();
        copy_tree(original, &copy, parent).map_err(|(path, error)| failed(&path, error))?;
        let copy = std::fs::canonicalize(&copy).map_err(|error| failed(&copy, error))?;
        Ok(Self { source: Source::Directory(copy), name: self.name })
    }

    /// The volume and the claim that stand for a directory of this machine.
    pub(crate) fn objects(&self, namespace: &str) -> Option<(PersistentVolume, PersistentVolumeClaim)> {
        let Source::Directory(path) = &self.source else { return None };
        Some((self.volume(path, namespace), self.claim(namespace)))
    }

    /// The name of volume and claim: that of the workspace, and what stands for the directory, so that a data directory
    /// may have those of earlier runs.
    fn object_name(&self) -> String {
        let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        let name: String = self.name.chars().map(allowed).collect();
        format!("workspace-{name}-{:016x}", hasher.finish())
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

/// Copies what is in a directory into one that is there: files with their modes, links as links. What is neither, such as
/// a socket, is left out, and so is `but`, where the copies are.
fn copy_tree(from: &Path, to: &Path, but: &Path) -> Result<(), (PathBuf, std::io::Error)> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    let mode = std::fs::metadata(from).map_err(failed(from))?.permissions();
    for entry in std::fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(failed(&source))?;
        if kind.is_dir() && source != but {
            std::fs::create_dir(&target).map_err(failed(&target))?;
            copy_tree(&source, &target, but)?;
        } else if kind.is_symlink() {
            let link = std::fs::read_link(&source).map_err(failed(&source))?;
            std::os::unix::fs::symlink(link, &target).map_err(failed(&target))?;
        } else if kind.is_file() {
            std::fs::copy(&source, &target).map_err(failed(&source))?;
        }
    }
    // Last, so that a directory without write permission can be filled.
    std::fs::set_permissions(to, mode).map_err(failed(to))
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
    fn a_copy_has_files_modes_and_links_and_leaves_the_original_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let (original, copies) = (dir.path().join("src"), dir.path().join("src/copies"));
        std::fs::create_dir_all(original.join("a/b")).expect("directories");
        std::fs::write(original.join("a/b/run"), "one").expect("a file");
        std::fs::set_permissions(original.join("a/b/run"), std::fs::Permissions::from_mode(0o750)).expect("a mode");
        std::os::unix::fs::symlink("a/b", original.join("link")).expect("a link");
        let workspace = Workspace::parse(&format!("source={}:copy", original.display())).expect("a workspace");
        let Source::Directory(copy) = workspace.copied(&copies).expect("it is copied").source else {
            panic!("a copy is a directory")
        };
        std::fs::write(copy.join("link/run"), "two").expect("the link leads into the copy");
        assert_eq!(std::fs::read_to_string(original.join("a/b/run")).expect("the original"), "one");
        let mode = std::fs::metadata(copy.join("a/b/run")).expect("the copy").permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
        assert!(!copy.join("copies").exists());
    }

    #[test]
    fn a_directory_whose_name_ends_like_a_wish_for_a_copy_is_itself() {
        let dir = tempfile::tempdir().expect("a directory");
        let odd = dir.path().join("a:copy");
        std::fs::create_dir(&odd).expect("a directory");
        let workspace = Workspace::parse(&format!("w={}", odd.display())).expect("a workspace");
        assert_eq!(workspace.source, Source::Directory(std::fs::canonicalize(odd).expect("it is there")));
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let error = Workspace::parse("source=/no/such/place").expect_err("there is no such directory");
        assert_eq!(error, "-w source=/no/such/place: there is no directory /no/such/place");
    }
}
