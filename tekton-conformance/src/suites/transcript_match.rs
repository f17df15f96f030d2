//! The matchers of recorded transcripts: what an answer may be where it cannot be the recorded one.

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::apiserver_transcripts::Names;

/// Puts the values of `${name}` into a text.
pub(super) fn fill(text: &str, names: &Names) -> Result<String, String> {
    fill_with(text, names, str::to_owned)
}

fn fill_with(text: &str, names: &Names, quote: impl Fn(&str) -> String) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (name, after) = after.split_once('}').ok_or("a placeholder without end")?;
        let value = names.get(name).ok_or_else(|| format!("placeholder ${{{name}}} has no value"))?;
        out.push_str(&quote(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// [`fill`] in every text and key of a value.
pub(super) fn fill_all(value: &Value, names: &Names) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => fill(text, names)?.into(),
        Value::Array(items) => items.iter().map(|item| fill_all(item, names)).collect::<Result<Vec<_>, _>>()?.into(),
        Value::Object(fields) => {
            let filled = fields.iter().map(|(name, field)| Ok((fill(name, names)?, fill_all(field, names)?)));
            filled.collect::<Result<Map<_, _>, String>>()?.into()
        }
        other => other.clone(),
    })
}

/// The value at a JSON pointer.
pub(super) fn pointer<'a>(document: &'a Value, at: &str) -> Option<&'a Value> {
    document.pointer(at)
}

/// A value for people, cut off.
pub(super) fn show(value: Option<&Value>) -> String {
    let Some(value) = value else { return "(absent)".to_owned() };
    let text = value.to_string();
    if text.chars().count() <= 300 { text } else { text.chars().take(297).chain("...".chars()).collect() }
}

fn matcher(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    let (name, argument) = fields.iter().next()?;
    let known = ["$any", "$same", "$gt", "$gte", "$regex", "$contains", "$partial", "$unordered", "$optional"];
    known.contains(&name.as_str()).then_some((name.as_str(), argument))
}

fn is_any(kind: &str, value: &Value) -> bool {
    let looks = |pattern: &str| value.as_str().is_some_and(|text| Regex::new(pattern).is_ok_and(|r| r.is_match(text)));
    match kind {
        "value" => true,
        "string" => value.is_string(),
        "int" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "bool" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "timestamp" => looks(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"),
        "uid" => looks(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        "resourceVersion" => looks(r"^[1-9]\d*$"),
        "managedFields" => value.as_array().is_some_and(|list| {
            let complete =
                |entry: &Value| ["manager", "operation", "fieldsV1"].iter().all(|field| entry.get(field).is_some());
            !list.is_empty() && list.iter().all(complete)
        }),
        _ => false,
    }
}

/// Compares an answer with what is expected.
///
/// Errors: the first difference.
pub(super) fn diff(expected: &Value, actual: Option<&Value>, names: &Names, path: &str) -> Result<(), String> {
    let unlike = |what: &str| Err(format!("{path}: expected {what}, got {}", show(actual)));
    match matcher(expected) {
        Some(("$any", kind)) => {
            let kind = kind.as_str().unwrap_or_default();
            let fits = match (kind, actual) {
                ("optional", _) | ("null-or-absent", None | Some(Value::Null)) => true,
                (_, Some(value)) => is_any(kind, value),
                (_, None) => false,
            };
            return if fits { Ok(()) } else { unlike(&format!("any {kind}")) };
        }
        Some(("$optional", inner)) => {
            return if actual.is_none() { Ok(()) } else { diff(inner, actual, names, path) };
        }
        _ => {}
    }
    let Some(actual) = actual else { return unlike(&show(Some(expected))) };
    if let Some((name, argument)) = matcher(expected) {
        return special(name, argument, actual, names, path);
    }
    match (expected, actual) {
        (Value::Object(want), Value::Object(have)) => {
            let mut known = Vec::new();
            for (name, field) in want {
                let name = fill(name, names)?;
                diff(field, have.get(&name), names, &format!("{path}.{name}"))?;
                known.push(name);
            }
            match have.iter().find(|(name, _)| !known.contains(name)) {
                Some((name, value)) => Err(format!("{path}.{name}: unexpected, got {}", show(Some(value)))),
                None => Ok(()),
            }
        }
        (Value::Array(want), Value::Array(have)) => {
            for (i, item) in want.iter().enumerate() {
                diff(item, have.get(i), names, &format!("{path}[{i}]"))?;
            }
            if have.len() > want.len() {
                return Err(format!("{path}: {} elements, expected {}", have.len(), want.len()));
            }
            Ok(())
        }
        (Value::String(text), _) => {
            let want = Value::from(fill(text, names)?);
            if want == *actual { Ok(()) } else { unlike(&show(Some(&want))) }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => Ok(()),
        (want, have) if want == have => Ok(()),
        _ => unlike(&show(Some(expected))),
    }
}

fn number(value: Option<&Value>) -> Option<i128> {
    match value? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().map(i128::from),
        _ => None,
    }
}

fn special(name: &str, argument: &Value, actual: &Value, names: &Names, path: &str) -> Result<(), String> {
    let unlike = |what: String| Err(format!("{path}: expected {what}, got {}", show(Some(actual))));
    let captured = names.get(argument.as_str().unwrap_or_default());
    match name {
        "$same" if captured == Some(actual) => Ok(()),
        "$same" => unlike(format!("{} (captured as {argument})", show(captured))),
        "$gt" | "$gte" => match (number(Some(actual)), number(captured)) {
            (Some(have), Some(want)) if have > want || (name == "$gte" && have == want) => Ok(()),
            _ => unlike(format!("more than {} (captured as {argument})", show(captured))),
        },
        "$regex" => {
            let pattern = fill_with(argument.as_str().unwrap_or_default(), names, regex::escape)?;
            let regex = RegexBuilder::new(&pattern).dot_matches_new_line(true).build().map_err(|e| e.to_string())?;
            if actual.as_str().is_some_and(|text| regex.is_match(text)) {
                Ok(())
            } else {
                unlike(format!("to match /{pattern}/"))
            }
        }
        "$partial" => {
            if !actual.is_object() {
                return unlike("an object".to_owned());
            }
            for (name, field) in argument.as_object().into_iter().flatten() {
                let name = fill(name, names)?;
                diff(field, actual.get(&name), names, &format!("{path}.{name}"))?;
            }
            Ok(())
        }
        _ => {
            let Some(have) = actual.as_array() else { return unlike("an array".to_owned()) };
            let mut left: Vec<&Value> = have.iter().collect();
            for item in argument.as_array().into_iter().flatten() {
                match left.iter().position(|candidate| diff(item, Some(candidate), names, path).is_ok()) {
                    Some(at) => drop(left.remove(at)),
                    None => return Err(format!("{path}: no element like {}", show(Some(item)))),
                }
            }
            match left.first() {
                Some(extra) if name == "$unordered" => Err(format!("{path}: unexpected element {}", show(Some(extra)))),
                _ => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn matchers_accept_what_they_stand_for() {
        let names = Names::from([("rv".to_owned(), json!("5"))]);
        assert_eq!(
            diff(&json!({"a": {"$any": "int"}, "b": {"$any": "optional"}}), Some(&json!({"a": 1})), &names, "$"),
            Ok(())
        );
        assert_eq!(diff(&json!({"$gt": "rv"}), Some(&json!("6")), &names, "$"), Ok(()));
        assert!(diff(&json!({"$gt": "rv"}), Some(&json!("5")), &names, "$").is_err());
        assert!(diff(&json!({"a": 1}), Some(&json!({"a": 1, "b": 2})), &names, "$").is_err());
        assert_eq!(diff(&json!("x ${rv}"), Some(&json!("x 5")), &names, "$"), Ok(()));
        assert_eq!(diff(&json!({"$regex": "^a.*${rv}$"}), Some(&json!("a\n5")), &names, "$"), Ok(()));
    }
}
