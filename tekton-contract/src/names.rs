//! Names of child objects: cut to what Kubernetes allows, and still unique.

use md5::{Digest, Md5};

use crate::volumes;

/// The longest name that an object may have.
pub const MAX_NAME_LENGTH: usize = 63;
const MD5_LENGTH: usize = 32;
const HEAD: usize = MAX_NAME_LENGTH - MD5_LENGTH;
/// Length of the random suffix of [`restrict_length_with_suffix`].
pub const RANDOM_LENGTH: usize = 5;
const MAX_GENERATED_LENGTH: usize = MAX_NAME_LENGTH - RANDOM_LENGTH - 1;

/// The name of a child, from its parent and a suffix; at most 63 bytes.
///
/// A name that fits is the plain concatenation. Otherwise the parent is cut and an MD5 hash put in
/// its place; a suffix longer than 30 bytes goes into the hash and is cut too.
///
/// ```
/// use tekton_contract::names::child_name;
/// assert_eq!(child_name("run", "-pod"), "run-pod");
/// assert_eq!(
///     child_name(&"a".repeat(64), "-pod"),
///     format!("{}014842d480b571495a4a0363793f7367-pod", "a".repeat(27)),
/// );
/// ```
pub fn child_name(parent: &str, suffix: &str) -> String {
    if parent.len() + suffix.len() <= MAX_NAME_LENGTH {
        return format!("{parent}{suffix}");
    }
    if suffix.len() < HEAD {
        let head = cut(parent, HEAD - suffix.len());
        return format!("{head}{}{suffix}", md5_hex(&[parent]));
    }
    let mut name = format!("{}{}", cut(parent, HEAD), md5_hex(&[parent, suffix]));
    let room = MAX_NAME_LENGTH - name.len();
    name.push_str(cut(suffix, room));
    while !name.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        name.pop();
    }
    name
}

/// The name of a TaskRun's pod: `<task run>-pod`, with `-retry<n>` from the second attempt on.
pub fn pod_name(task_run: &str, retries: usize) -> String {
    if retries == 0 { child_name(task_run, "-pod") } else { child_name(task_run, &format!("-pod-retry{retries}")) }
}

/// `<base>-<suffix>` with the base cut so that a suffix of five characters fits.
///
/// The suffix is the caller's, because this crate draws no random numbers.
pub fn restrict_length_with_suffix(base: &str, suffix: &str) -> String {
    format!("{}-{suffix}", cut(base, MAX_GENERATED_LENGTH))
}

/// At most 63 bytes of the base, without a tail that is not alphanumeric.
pub fn restrict_length(base: &str) -> &str {
    cut(base, MAX_NAME_LENGTH).trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// `<prefix>-<hash of name>`; the hash is hexadecimal FNV-1a, cut or padded with `0` to `length`.
/// A length of 0 means five.
pub fn hashed_name(prefix: &str, name: &str, length: usize) -> String {
    let length = if length == 0 { RANDOM_LENGTH } else { length };
    let mut hash = 0x811c_9dc5_u32;
    for byte in name.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let mut suffix = format!("{hash:x}");
    suffix.truncate(length);
    format!("{prefix}-{suffix:0<length$}")
}

/// The volume of a mounted secret.
pub fn credential_volume(secret: &str) -> String {
    hashed_name(volumes::CREDENTIAL, secret, volumes::CREDENTIAL_HASH_LENGTH)
}

/// The volume of a workspace.
pub fn workspace_volume(workspace: &str) -> String {
    hashed_name("ws", workspace, 0)
}

fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn md5_hex(parts: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut digest = Md5::new();
    for part in parts {
        digest.update(part.as_bytes());
    }
    let mut text = String::with_capacity(MD5_LENGTH);
    for byte in digest.finalize() {
        write!(text, "{byte:02x}").expect("writing to a String can not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_suffix_is_hashed_and_cut() {
        let name = child_name("parent", &"s".repeat(80));
        assert_eq!(name.len(), 63);
        assert!(name.starts_with("parent"));
        let trimmed = child_name(&"p".repeat(40), &format!("{}-", "-".repeat(40)));
        assert_eq!(trimmed.len(), 63);
    }

    #[test]
    fn hashed_names_are_padded() {
        assert_eq!(hashed_name("ws", "", 12), "ws-811c9dc50000");
        assert_eq!(hashed_name("ws", "", 0), "ws-811c9");
    }

    #[test]
    fn a_retry_is_in_the_pod_name() {
        assert_eq!(pod_name("tr", 0), "tr-pod");
        assert_eq!(pod_name("tr", 2), "tr-pod-retry2");
    }

    #[test]
    fn restricted_names_end_alphanumerically() {
        assert_eq!(restrict_length("abc-._"), "abc");
        assert_eq!(restrict_length_with_suffix(&"x".repeat(90), "12345").len(), 63);
    }
}
