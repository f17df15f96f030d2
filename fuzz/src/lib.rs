//! What each fuzz target checks: no input makes a parser panic, and what was read is written as the same again.
//!
//! Each function takes any bytes and panics when something does not hold.

use std::collections::BTreeMap;

use tekton_contract::var::{Table, extract};
use tekton_types::decode::Mode;
use tekton_types::duration::GoDuration;
use tekton_types::migrate;
use tekton_types::quantity::Quantity;
use tekton_types::v1::ParamValue;
use tekton_types::v1beta1::convert::{to_hub, to_version};
use tekton_types::{Object, yaml};

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// YAML bytes to objects: spans lie in the text, and an object survives being printed and read.
pub fn yaml_decode(data: &[u8]) {
    let Some(text) = text(data) else { return };
    for document in yaml::parse_each(text).flatten() {
        within(&document.root, text);
        let _ = Object::refusals(&document);
        let lenient = Object::decode(&document, Mode::Lenient);
        let Ok(object) = Object::decode(&document, Mode::Strict) else { continue };
        assert_eq!(lenient.as_ref(), Ok(&object), "lenient reading refuses or changes what strict reading accepts");
        let printed = yaml::to_string(&object.to_json());
        let again = yaml::parse(&printed).expect("what is printed is YAML");
        let again = again.first().map_or_else(|| Ok(Object::Other(serde_json::Value::Null)), |d| Object::decode(d, Mode::Strict));
        assert_eq!(again, Ok(object), "{printed}");
    }
}

fn within(node: &yaml::Node<'_>, text: &str) {
    assert!(text.get(node.span.start..node.span.end).is_some(), "{:?} is not in the text", node.span);
    match &node.value {
        yaml::Value::Seq(items) => items.iter().for_each(|item| within(item, text)),
        yaml::Value::Map(entries) => entries.iter().for_each(|entry| {
            assert!(text.get(entry.key_span.start..entry.key_span.end).is_some(), "{:?}", entry.key_span);
            within(&entry.value, text);
        }),
        _ => {}
    }
}

/// The scanner of `$(…)` against one that is written as plainly as can be.
pub fn references(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let known = BTreeMap::from([("params.a", "$(params.b)"), ("params.b", ""), ("params[\"c d\"]", "é"), ("x", "1")]);
    let mut table = Table::new();
    for (key, value) in &known {
        table.set(*key, *value);
    }
    assert_eq!(table.apply(text), plainly(text, &known));
    table.set_array("params.list", ["1", "2"]);
    let _ = table.apply_list(&[text.to_owned()]);
    for prefix in ["params", r"(?:inputs\.)?params", r"tasks\.[^.]*"] {
        let found = extract::variables(text, prefix);
        assert!(found.names.is_empty() || found.present);
    }
}

/// Left to right; a reference ends at the next `)`; what is not known stays, but for what is within it.
fn plainly(text: &str, known: &BTreeMap<&str, &str>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("$(") {
        out.push_str(before);
        let found = behind.split_once(')').and_then(|(key, after)| Some((known.get(key)?, after)));
        let (value, after) = found.map_or(("$(", behind), |(value, after)| (*value, after));
        out.push_str(value);
        rest = after;
    }
    out + rest
}

/// A parameter's value survives JSON, whatever JSON it was.
pub fn param_value(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<ParamValue>(data) else { return };
    let printed = serde_json::to_string(&value).expect("a value is strings");
    assert_eq!(serde_json::from_str::<ParamValue>(&printed).expect("it was just written"), value);
}

/// Durations and quantities print what they parse; a quantity's canonical form is its own.
pub fn duration_quantity(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(duration) = text.parse::<GoDuration>() {
        assert_eq!(duration.to_string().parse(), Ok(duration));
    }
    if let Some(quantity) = Quantity::parse(text) {
        let canonical = quantity.to_string();
        assert_eq!(Quantity::parse(&canonical).map(|again| again.to_string()), Some(canonical));
    }
}

/// What was converted to the stored version goes to an older one and back unchanged, but for what is lost on purpose.
pub fn convert(data: &[u8]) {
    let Some(text) = text(data) else { return };
    for document in yaml::parse_each(text).flatten() {
        let (Some(object), _) = Object::from_node(&document.root) else { continue };
        let old = if object.kind() == "StepAction" || object.api_version().starts_with("resolution") { "v1alpha1" } else { "v1beta1" };
        let group = object.api_version().split('/').next().unwrap_or_default().to_owned();
        let Ok(hub) = to_hub(object) else { continue };
        // Once through the older version what it cannot hold is gone; from then on nothing changes any more.
        let round = |object: Object| to_version(object, &format!("{group}/{old}")).and_then(to_hub);
        let Ok(once) = round(hub) else { continue };
        let Ok(twice) = round(once.clone()) else { panic!("what was converted once cannot be converted again") };
        assert_eq!(twice, once);
    }
}

/// Migration never fails, changes nothing the second time, and leaves YAML that can be read as such.
pub fn migrate(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let options = migrate::Options::default();
    let done = migrate::migrate(text, &options);
    let read = |text: &str| yaml::parse_each(text).filter(Result::is_ok).count();
    assert_eq!(read(&done.text), read(text), "documents were broken:\n{}", done.text);
    let again = migrate::migrate(&done.text, &options);
    assert_eq!(again.text, done.text, "the second time changes more");
}

#[cfg(test)]
mod tests;
