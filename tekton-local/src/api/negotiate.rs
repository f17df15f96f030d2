//! In which form an answer is wanted.

use super::error::ApiError;

/// The form of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// The object itself as JSON.
    Json,
    /// The object itself as YAML.
    Yaml,
    /// A `Table` of this version of `meta.k8s.io`.
    Table(String),
    /// Metadata only, of this version of `meta.k8s.io`.
    Metadata(String),
}

/// Picks the first form of an `Accept` header that the server has.
///
/// Errors: 406 when there is none.
pub(crate) fn form(accept: &str) -> Result<Form, ApiError> {
    if accept.trim().is_empty() {
        return Ok(Form::Json);
    }
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let (mut kind, mut version, mut group) = ("", "v1", "meta.k8s.io");
        for parameter in parts {
            match parameter.split_once('=') {
                Some(("as", value)) => kind = value,
                Some(("v", value)) => version = value,
                Some(("g", value)) => group = value,
                _ => {}
            }
        }
        if !kind.is_empty() && (group != "meta.k8s.io" || !matches!(version, "v1" | "v1beta1")) {
            continue;
        }
        match (media, kind) {
            ("application/json" | "*/*" | "application/*", "") => return Ok(Form::Json),
            ("application/yaml", "") => return Ok(Form::Yaml),
            ("application/json", "Table") => return Ok(Form::Table(version.to_owned())),
            ("application/json", "PartialObjectMetadata" | "PartialObjectMetadataList") => {
                return Ok(Form::Metadata(version.to_owned()));
            }
            _ => {}
        }
    }
    Err(ApiError::not_acceptable())
}
