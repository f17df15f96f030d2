//! Images that change under the same name.

use super::{Found, warning};

/// Warns of an image without a tag or digest, or with the tag `latest`.
pub(super) fn check(image: &str, path: &str, found: &mut Vec<Found>) {
    if image.is_empty() || image.contains("$(") || image.contains("@sha256:") {
        return;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    let tag = name.split_once(':').map(|(_, tag)| tag);
    if tag.is_none_or(|tag| tag == "latest") {
        let message = format!("image {image:?} is whatever was pushed last");
        found.push(
            warning("unpinned-image", message, path.to_owned())
                .with_help("name a version, or better a digest: `image: name@sha256:…`")
                .into(),
        );
    }
}
