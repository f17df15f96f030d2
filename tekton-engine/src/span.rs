//! The trace that a run belongs to: taken over from an annotation into the status, and handed on to children.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// Both of them are headers of W3C's Trace Context.
const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// Fills the span context of a status from an annotation of the run, unless there is one already.
pub(crate) fn take_over(status: &mut BTreeMap<String, String>, run: &ObjectMeta, annotation: &str) {
    let given = run.annotations.as_ref().and_then(|all| all.get(annotation));
    if let (true, Some(given)) = (status.is_empty(), given)
        && let Ok(Value::Object(headers)) = serde_json::from_str(given)
    {
        let text = |value: Value| if let Value::String(text) = value { text } else { String::new() };
        status.extend(headers.into_iter().map(|(name, value)| (name, text(value))));
    }
}

/// The annotation by which a child joins the trace of a status; `None` when that is in no trace.
pub(crate) fn handed_on(status: &BTreeMap<String, String>) -> Option<String> {
    let mut headers = BTreeMap::from([(PARENT, parent(status.get(PARENT)?)?)]);
    if let Some(state) = status.get(STATE).filter(|state| !state.is_empty()) {
        headers.insert(STATE, state.clone());
    }
    serde_json::to_string(&headers).ok()
}

/// A `traceparent` as version 00 writes it, if it is one.
fn parent(text: &str) -> Option<String> {
    let mut parts = text.splitn(5, '-');
    let mut part = |length: usize| {
        let part = parts.next()?;
        let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (part.len() == length && is_hex).then_some(part)
    };
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    let is_nothing = |id: &str| id.bytes().all(|byte| byte == b'0');
    if version == "ff" || is_nothing(trace) || is_nothing(span) {
        return None;
    }
    // Later versions may say more; this one may not.
    if version == "00" && (parts.next().is_some_and(|rest| !rest.is_empty()) || flags > 3) {
        return None;
    }
    Some(format!("00-{trace}-{span}-{:02x}", flags & 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0f57e147e992b304d977436289d10628-73d5909e31793992-01";

    fn taken_over(annotation: &str) -> BTreeMap<String, String> {
        let annotations = BTreeMap::from([("trace".to_owned(), annotation.to_owned())]);
        let run = ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() };
        let mut status = BTreeMap::new();
        take_over(&mut status, &run, "trace");
        status
    }

    #[test]
    fn a_run_joins_the_trace_of_its_annotation_and_hands_it_on() {
        let status = taken_over(&format!(r#"{{"traceparent":"{GIVEN}","tracestate":"v=1"}}"#));
        assert_eq!(status["traceparent"], GIVEN);
        assert_eq!(handed_on(&status), Some(format!(r#"{{"traceparent":"{GIVEN}","tracestate":"v=1"}}"#)));
    }

    #[test]
    fn what_is_no_trace_is_handed_on_to_nobody() {
        assert!(taken_over("nope").is_empty());
        for wrong in ["", "00-0-0-01", &GIVEN.to_uppercase(), &format!("{GIVEN}-x"), &GIVEN.replace("-01", "-04")] {
            assert_eq!(handed_on(&BTreeMap::from([("traceparent".to_owned(), wrong.to_owned())])), None, "{wrong}");
        }
        assert_eq!(parent(&format!("01{}-x", &GIVEN[2..])), Some(GIVEN.to_owned()));
    }
}
