//! `tekton pod --diff OTHER`: how the Pods that are built here differ from those of a file.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value as Json;
use tekton_podgen::diff;

use crate::{files, printed};

/// Prints the differences; nothing when there are none.
///
/// Errors: a file that cannot be read, or holds no Pod.
pub(super) fn report(built: &[Pod], other: &PathBuf) -> Result<ExitCode, String> {
    let name = if other.as_os_str() == "-" { "standard input".to_owned() } else { other.display().to_string() };
    let given = read(other, &name)?;
    let mut text = String::new();
    for (built, given) in pairs(built, &given) {
        match (built, given) {
            (Some(built), Some(given)) => {
                let found = diff::pods(&comparable(given, &name)?, &comparable(built, "the Pod")?);
                if found.is_empty() {
                    continue;
                }
                let _ = writeln!(text, "pod {}:", called(built));
                for difference in found {
                    let _ = writeln!(text, "  {difference}");
                }
            }
            (Some(built), None) => {
                let _ = writeln!(text, "pod {}: not in {name}", called(built));
            }
            (None, Some(given)) => {
                let _ = writeln!(text, "pod {}: in {name} only", called(given));
            }
            (None, None) => {}
        }
    }
    if text.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    printed(text);
    Ok(ExitCode::FAILURE)
}

fn called(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or("without a name")
}

/// The Pods of a file; what else it holds is passed over.
fn read(path: &PathBuf, name: &str) -> Result<Vec<Pod>, String> {
    let objects = files::objects(&files::read_all(std::slice::from_ref(path))?)?;
    let pods = objects.into_iter().filter(|object| object["kind"] == "Pod" && object["apiVersion"] == "v1");
    let pods: Vec<Pod> = pods.map(|pod| typed(pod, name)).collect::<Result<_, _>>()?;
    if pods.is_empty() {
        return Err(format!("{name}: expected at least one Pod (apiVersion: v1, kind: Pod)"));
    }
    Ok(pods)
}

fn typed(pod: Json, name: &str) -> Result<Pod, String> {
    serde_json::from_value(pod).map_err(|error| format!("{name}: failed to read the Pod: {error}"))
}

/// The Pod with what the server would fill in, and without what only a cluster knows.
fn comparable(pod: &Pod, name: &str) -> Result<Pod, String> {
    let mut value = serde_json::to_value(pod).expect("a Pod is representable in JSON");
    tekton_local::default_pod(&mut value);
    let mut pod = typed(value, name)?;
    diff::portable(&mut pod);
    Ok(pod)
}

/// Pods of both sides by name. One that is left on each side is the same Pod under another name.
fn pairs<'a>(built: &'a [Pod], given: &'a [Pod]) -> Vec<(Option<&'a Pod>, Option<&'a Pod>)> {
    let same = |left: &Pod, right: &Pod| left.metadata.name == right.metadata.name;
    let mut pairs: Vec<_> = built.iter().map(|pod| (Some(pod), given.iter().find(|other| same(pod, other)))).collect();
    let mut left: Vec<&Pod> = given.iter().filter(|other| !built.iter().any(|pod| same(pod, other))).collect();
    let mut lonely = pairs.iter_mut().filter(|(_, other)| other.is_none());
    if let (Some(pair), None, [_]) = (lonely.next(), lonely.next(), left.as_slice()) {
        pair.1 = left.pop();
    }
    pairs.extend(left.into_iter().map(|pod| (None, Some(pod))));
    pairs
}
