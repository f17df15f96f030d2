//! JSON texts as Go's encoder prints them, for values that end up inside a Pod.

use serde::Serialize;
use tekton_contract::json;

/// Compact JSON with what Go escapes.
pub(crate) fn go_string(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("what ends up inside a Pod is representable in JSON");
    json::escape_html(&text).into_owned()
}
