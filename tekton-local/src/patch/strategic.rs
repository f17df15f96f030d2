//! Strategic merge patch: lists of objects merge by a key; `$patch`, `$deleteFromPrimitiveList`, `$retainKeys` and
//! `$setElementOrder` direct it.

use serde_json::{Map, Value};

/// The key by which lists under a field merge, if they do. Lists of scalars that merge have `Some("")`.
fn merge_key(field: &str, items: &[Value]) -> Option<&'static str> {
    Some(match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets"
        | "webhooks" => "name",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "ports" if items.iter().any(|item| item.get("containerPort").is_some()) => "containerPort",
        "ports" => "port",
        "hostAliases" | "podIPs" | "hostIPs" => "ip",
        "topologySpreadConstraints" => "topologyKey",
        "conditions" | "addresses" => "type",
        "ownerReferences" => "uid",
        "taints" => "key",
        "finalizers" => "",
        _ => return None,
    })
}

/// Fields of which one alone may be set, as `$retainKeys` of the strategies says.
fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Applies `patch` to `target`.
///
/// Errors: an element of a merging list without its key, or an unknown directive.
pub fn merge(target: &mut Value, patch: &Value) -> Result<(), String> {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return Ok(());
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    match text(patch, "$patch").as_deref() {
        Some("replace") => {
            *target = stripped(patch);
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(format!("Unknown patch type: {other}")),
    }
    let Value::Object(fields) = target else { return Ok(()) };
    if let Some(Value::Array(retain)) = changes.get("$retainKeys") {
        fields.retain(|name, _| retain.iter().any(|keep| keep == name));
    }
    let mut before = std::collections::BTreeMap::new();
    for (name, change) in changes {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (fields.get_mut(list), change) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if name.starts_with('$') {
            continue;
        }
        match change {
            Value::Null => {
                fields.remove(name);
            }
            Value::Object(_) => {
                if change.get("$patch").is_some_and(|p| p == "delete") {
                    fields.remove(name);
                } else {
                    merge(fields.entry(name.clone()).or_insert(Value::Null), change)?;
                }
            }
            Value::Array(items) => {
                let existing = fields.remove(name);
                if changes.contains_key(&format!("$setElementOrder/{name}"))
                    && let Some(Value::Array(items)) = &existing
                {
                    before.insert(name.as_str(), items.clone());
                }
                fields.insert(name.clone(), merge_list(name, existing, items)?);
            }
            other => {
                fields.insert(name.clone(), other.clone());
            }
        }
    }
    for (name, order) in changes.iter().filter(|(name, _)| name.starts_with("$setElementOrder/")) {
        let list = &name["$setElementOrder/".len()..];
        if let (Some(Value::Array(items)), Value::Array(order)) = (fields.get_mut(list), order) {
            let before = before.get(list).cloned().unwrap_or_else(|| items.clone());
            reorder(list, items, order, &before);
        }
    }
    Ok(())
}

fn merge_list(field: &str, existing: Option<Value>, patch: &[Value]) -> Result<Value, String> {
    let replace = patch.iter().any(|item| {
        item.get("$patch").is_some_and(|p| p == "replace") && item.as_object().is_some_and(|o| o.len() == 1)
    });
    let mut items = match existing {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let key = merge_key(field, if items.is_empty() { patch } else { &items });
    let Some(key) = key.filter(|_| !replace) else {
        return Ok(Value::Array(
            patch.iter().filter(|i| !(replace && i.get("$patch").is_some())).map(stripped).collect(),
        ));
    };
    if key.is_empty() {
        let before = items.clone();
        for item in patch {
            if !items.contains(item) {
                items.push(item.clone());
            }
        }
        reorder(field, &mut items, patch, &before);
        return Ok(Value::Array(items));
    }
    let before = items.clone();
    for change in patch {
        let id = change.get(key).ok_or_else(|| format!("map: {change} does not contain declared merge key: {key}"))?;
        let directive = text(change, "$patch");
        let at = items.iter().position(|item| item.get(key) == Some(id));
        match (directive.as_deref(), at) {
            (Some("delete"), _) => items.retain(|item| item.get(key) != Some(id)),
            (_, Some(at)) => merge(&mut items[at], change)?,
            (_, None) => {
                let mut fresh = Value::Object(Map::new());
                merge(&mut fresh, change)?;
                items.push(fresh);
            }
        }
    }
    reorder(field, &mut items, patch, &before);
    Ok(Value::Array(items))
}

/// Where an item stands in a list of items or of keys.
fn place(key: Option<&str>, order: &[Value], item: &Value) -> Option<usize> {
    match key {
        Some(key) if !key.is_empty() => order.iter().position(|o| o.get(key).is_some() && o.get(key) == item.get(key)),
        _ => order.iter().position(|o| o == item),
    }
}

/// Puts items into the order that the patch wants; those that it does not name stay where they stood among each other,
/// and before a named one only when they stood before it.
fn reorder(field: &str, items: &mut Vec<Value>, wanted: &[Value], before: &[Value]) {
    let key = merge_key(field, items);
    let (mut named, rest): (Vec<Value>, Vec<Value>) =
        items.drain(..).partition(|item| place(key, wanted, item).is_some());
    named.sort_by_key(|item| place(key, wanted, item));
    let (mut named, mut rest) = (named.into_iter().peekable(), rest.into_iter().peekable());
    while let (Some(left), Some(right)) = (rest.peek(), named.peek()) {
        let first = match (place(key, before, left), place(key, before, right)) {
            (Some(left), Some(right)) => left < right,
            _ => false,
        };
        items.extend(if first { rest.next() } else { named.next() });
    }
    items.extend(named);
    items.extend(rest);
}

fn stripped(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(name, v)| !name.starts_with('$') && !v.is_null())
                .map(|(name, v)| (name.clone(), stripped(v)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(stripped).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(mut target: Value, patch: &Value, expected: &Value) {
        merge(&mut target, patch).expect("the patch applies");
        assert_eq!(&target, expected);
    }

    #[test]
    fn lists_with_a_merge_key_merge_by_it() {
        check(
            json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}),
            &json!({"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}),
            &json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}),
        );
    }

    #[test]
    fn directives_delete_replace_and_order() {
        check(
            json!({"env": [{"name": "a"}, {"name": "b"}], "finalizers": ["x/1", "x/2"], "data": {"a": 1}}),
            &json!({"env": [{"name": "a", "$patch": "delete"}], "$deleteFromPrimitiveList/finalizers": ["x/1"], "data": {"$patch": "replace", "b": 2}}),
            &json!({"env": [{"name": "b"}], "finalizers": ["x/2"], "data": {"b": 2}}),
        );
        check(
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
            &json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            &json!({"containers": [{"name": "b"}, {"name": "a"}]}),
        );
    }

    #[test]
    fn other_lists_are_replaced() {
        check(json!({"args": ["a", "b"]}), &json!({"args": ["c"]}), &json!({"args": ["c"]}));
    }
}
