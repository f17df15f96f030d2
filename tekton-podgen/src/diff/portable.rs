//! A Pod without what a cluster added to it and without what is random in it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::credentials::DEFAULT_SERVICE_ACCOUNT;
use crate::names::SCRIPTS_DIR;

/// Volume of the ServiceAccount's token, which admission adds.
const TOKEN_VOLUME: &str = "kube-api-access-";
/// Taints of nodes that admission makes every Pod tolerate for a while.
const TOLERATED: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
/// Marks that end scripts for breakpoints.
const MARKER: &str = "-heredoc-randomly-generated-";

/// Takes out of a Pod what a cluster put in (identity, node, token volume, tolerations, status), and numbers what is
/// random in it (names of script files, marks in the text that writes them), so that Pods of two builders compare.
pub fn portable(pod: &mut Pod) {
    pod.status = None;
    let ObjectMeta { name, namespace, labels, annotations, owner_references, .. } = std::mem::take(&mut pod.metadata);
    pod.metadata = ObjectMeta { name, namespace, labels, annotations, owner_references, ..ObjectMeta::default() };
    let Some(spec) = &mut pod.spec else { return };
    without_admission(spec);
    let mut suffixes = Suffixes::default();
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        for text in container.command.iter_mut().flatten().chain(container.args.iter_mut().flatten()) {
            suffixes.number(text);
        }
    }
}

fn without_admission(spec: &mut PodSpec) {
    spec.node_name = None;
    spec.priority = None;
    spec.preemption_policy = None;
    spec.service_account = None;
    spec.service_account_name = spec.service_account_name.take().filter(|name| name != DEFAULT_SERVICE_ACCOUNT);
    if let Some(tolerations) = &mut spec.tolerations {
        tolerations.retain(|toleration| {
            let key = toleration.key.as_deref().unwrap_or_default();
            !(TOLERATED.contains(&key) && toleration.toleration_seconds == Some(300))
        });
    }
    if let Some(volumes) = &mut spec.volumes {
        volumes.retain(|volume| !volume.name.starts_with(TOKEN_VOLUME));
    }
    let without_token = |container: &mut Container| {
        if let Some(mounts) = &mut container.volume_mounts {
            mounts.retain(|mount| !mount.name.starts_with(TOKEN_VOLUME));
        }
    };
    spec.init_containers.iter_mut().flatten().chain(&mut spec.containers).for_each(without_token);
}

/// Random suffixes in the order in which they were first seen.
#[derive(Debug, Default)]
struct Suffixes(BTreeMap<String, usize>);

impl Suffixes {
    /// Replaces the random end of every script name and mark in `text` by its number.
    fn number(&mut self, text: &mut String) {
        if !text.contains(SCRIPTS_DIR) && !text.contains(MARKER) {
            return;
        }
        let mut out = String::with_capacity(text.len());
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let mut rest = text.as_str();
        while let Some(start) = rest.find(is_word) {
            out.push_str(&rest[..start]);
            let word = &rest[start..];
            let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
            let scripts = out.ends_with("/tekton/scripts/");
            out.push_str(&self.numbered(&word[..end], scripts));
            rest = &word[end..];
        }
        out.push_str(rest);
        *text = out;
    }

    fn numbered(&mut self, word: &str, is_script: bool) -> String {
        let Some((base, suffix)) = word.rsplit_once('-').filter(|_| is_script || word.contains(MARKER)) else {
            return word.to_owned();
        };
        let next = self.0.len();
        let number = *self.0.entry(suffix.to_owned()).or_insert(next);
        format!("{base}-{number:05}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_names_are_numbered_as_they_are_seen() {
        let mut suffixes = Suffixes::default();
        let mut text = "scriptfile=\"/tekton/scripts/script-1-x7k2p\"\ncat /tekton/scripts/sidecar-script-0-abcde <<'debug-continue-heredoc-randomly-generated-zzzzz'\n/tekton/scripts/script-1-x7k2p a-b".to_owned();
        suffixes.number(&mut text);
        assert_eq!(
            text,
            "scriptfile=\"/tekton/scripts/script-1-00000\"\ncat /tekton/scripts/sidecar-script-0-00001 <<'debug-continue-heredoc-randomly-generated-00002'\n/tekton/scripts/script-1-00000 a-b"
        );
    }
}
