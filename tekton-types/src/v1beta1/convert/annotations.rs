//! Fields that travel in annotations.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ConvertError;

pub(super) const RESOURCES: &str = "tekton.dev/v1beta1Resources";
pub(super) const CLOUD_EVENTS: &str = "tekton.dev/v1beta1CloudEvents";
pub(super) const RESOURCES_RESULT: &str = "tekton.dev/v1beta1ResourcesResult";
pub(super) const RESOURCES_STATUS: &str = "tekton.dev/v1beta1ResourcesStatus";
pub(super) const TASK_DEPRECATIONS: &str = "tekton.dev/v1beta1.task-deprecations";

/// Writes a field as an annotation.
pub(super) fn write<T: Serialize>(metadata: &mut ObjectMeta, key: &str, field: &T) -> Result<(), ConvertError> {
    let json =
        serde_json::to_string(field).map_err(|error| ConvertError(format!("error serializing field: {error}")))?;
    // Go escapes these three wherever they stand.
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    metadata.annotations.get_or_insert_default().insert(key.to_owned(), json);
    Ok(())
}

/// Reads a field from an annotation, when it is there, and takes the annotation away.
pub(super) fn take<T: DeserializeOwned>(metadata: &mut ObjectMeta, key: &str) -> Result<Option<T>, ConvertError> {
    let Some(json) = metadata.annotations.as_mut().and_then(|annotations| annotations.remove(key)) else {
        return Ok(None);
    };
    if metadata.annotations.as_ref().is_some_and(std::collections::BTreeMap::is_empty) {
        metadata.annotations = None;
    }
    serde_json::from_str(&json)
        .map(Some)
        .map_err(|error| ConvertError(format!("error deserializing key {key} from metadata: {error}")))
}
