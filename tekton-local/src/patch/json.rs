//! JSON patch (RFC 6902), with the leniency that Kubernetes has: `remove` of what is not there fails, `add` makes no parents.

use serde_json::Value;

/// A patch that cannot be applied, or is none; the text says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatchError {
    /// The patch is no list of operations.
    Malformed(String),
    /// An operation failed.
    Failed(String),
}

/// Applies the operations in order; on an error `target` is in an undefined state.
///
/// Errors: the first operation that fails.
pub fn apply(target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let Value::Array(operations) = patch else {
        return Err(PatchError::Malformed(
            "json: cannot unmarshal object into Go value of type jsonpatch.Patch".to_owned(),
        ));
    };
    for operation in operations {
        step(target, operation).map_err(PatchError::Failed)?;
    }
    Ok(())
}

fn step(target: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |name: &str| operation[name].as_str().ok_or_else(|| format!("operation without {name}"));
    let op = text("op")?;
    let path = pointer(text("path")?)?;
    let value = || operation.get("value").cloned().ok_or_else(|| format!("{op} operation without a value"));
    match op {
        "add" => add(target, &path, value()?),
        "remove" => remove(target, &path).map(drop),
        "replace" => {
            let value = value()?;
            // A member that is not there is set, as the library in the API server does; Tekton relies on it.
            match path.split_last().map(|(last, parents)| (last, find(target, parents))) {
                Some((last, Some(Value::Object(fields)))) => {
                    fields.insert(last.clone(), value);
                }
                _ => *find(target, &path).ok_or_else(|| missing("replace", &path))? = value,
            }
            Ok(())
        }
        "move" => {
            let from = pointer(text("from")?)?;
            let value = remove(target, &from)?;
            add(target, &path, value)
        }
        "copy" => {
            let from = pointer(text("from")?)?;
            let value = find(target, &from).ok_or_else(|| missing("copy", &from))?.clone();
            add(target, &path, value)
        }
        "test" => {
            let want = operation.get("value").cloned().unwrap_or(Value::Null);
            let have = find(target, &path).map_or(Value::Null, |v| v.clone());
            if have == want { Ok(()) } else { Err(format!("testing path /{} failed", path.join("/"))) }
        }
        other => Err(format!("unexpected kind: {other}")),
    }
}

fn missing(op: &str, path: &[String]) -> String {
    format!("{op} operation does not apply: doc is missing path: /{}", path.join("/"))
}

fn pointer(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let rest = text.strip_prefix('/').ok_or_else(|| format!("path '{text}' does not start with '/'"))?;
    Ok(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
}

fn find<'a>(target: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(target, |value, part| match value {
        Value::Object(fields) => fields.get_mut(part),
        Value::Array(items) => part.parse::<usize>().ok().and_then(|i| items.get_mut(i)),
        _ => None,
    })
}

fn add(target: &mut Value, path: &[String], value: Value) -> Result<(), String> {
    let Some((last, parents)) = path.split_last() else {
        *target = value;
        return Ok(());
    };
    match find(target, parents).ok_or_else(|| missing("add", path))? {
        Value::Object(fields) => {
            fields.insert(last.clone(), value);
            Ok(())
        }
        Value::Array(items) if last == "-" => {
            items.push(value);
            Ok(())
        }
        Value::Array(items) => {
            let index = last.parse::<usize>().map_err(|e| e.to_string())?;
            if index > items.len() {
                return Err(format!("index {index} is out of range"));
            }
            items.insert(index, value);
            Ok(())
        }
        _ => Err(missing("add", path)),
    }
}

fn remove(target: &mut Value, path: &[String]) -> Result<Value, String> {
    let (last, parents) = path.split_last().ok_or_else(|| missing("remove", path))?;
    let gone = match find(target, parents) {
        Some(Value::Object(fields)) => fields.remove(last),
        Some(Value::Array(items)) => last.parse::<usize>().ok().filter(|i| *i < items.len()).map(|i| items.remove(i)),
        _ => None,
    };
    gone.ok_or_else(|| missing("remove", path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_apply_in_order() {
        let mut target = json!({"a": {"x/y": 1}, "l": [1, 3]});
        let patch = json!([
            {"op": "test", "path": "/a/x~1y", "value": 1},
            {"op": "add", "path": "/l/1", "value": 2},
            {"op": "add", "path": "/l/-", "value": 4},
            {"op": "move", "from": "/a/x~1y", "path": "/b"},
            {"op": "remove", "path": "/a"},
            {"op": "replace", "path": "/b", "value": 5},
        ]);
        apply(&mut target, &patch).expect("every operation applies");
        assert_eq!(target, json!({"b": 5, "l": [1, 2, 3, 4]}));
    }

    #[test]
    fn a_failed_test_or_a_missing_path_fails() {
        assert!(apply(&mut json!({"a": 1}), &json!([{"op": "test", "path": "/a", "value": 2}])).is_err());
        assert!(apply(&mut json!({}), &json!([{"op": "remove", "path": "/a"}])).is_err());
        assert!(apply(&mut json!({}), &json!([{"op": "frobnicate", "path": "/a"}])).is_err());
        assert!(matches!(apply(&mut json!({}), &json!({})), Err(PatchError::Malformed(_))));
    }
}
