//! The merge of server-side apply: what the applied configuration sets wins, what it no longer sets and nobody else owns goes.

use serde_json::{Map, Value};

use super::set::{Set, elements, key_element};
use super::shape::{ListType, Shape};

/// Merges the applied configuration into the live object.
pub fn merge(live: &mut Value, applied: &Value, shape: Shape<'_>) {
    match (&mut *live, applied) {
        (Value::Object(fields), Value::Object(changes)) if !shape.atomic_map() => {
            for (name, change) in changes {
                match fields.get_mut(name) {
                    Some(field) => merge(field, change, shape.field(name)),
                    None => {
                        fields.insert(name.clone(), change.clone());
                    }
                }
            }
        }
        (Value::Array(items), Value::Array(changes)) => match shape.list() {
            ListType::Atomic => *live = applied.clone(),
            ListType::Set => {
                for change in changes {
                    if !items.contains(change) {
                        items.push(change.clone());
                    }
                }
            }
            ListType::Map(keys) => {
                let mut order = Vec::new();
                for change in changes {
                    let id = key_element(change, &keys, shape);
                    order.push(id.clone());
                    match items.iter_mut().find(|item| key_element(item, &keys, shape) == id) {
                        Some(item) => merge(item, change, shape.item()),
                        None => items.push(change.clone()),
                    }
                }
            }
        },
        _ => *live = applied.clone(),
    }
}

/// Removes the paths of `gone` from the object.
pub fn remove(value: &mut Value, gone: &Set, shape: Shape<'_>) {
    match value {
        Value::Object(fields) => remove_fields(fields, gone, shape),
        Value::Array(items) => {
            let Some(ids) = elements(items, shape).map(|all| all.into_iter().map(|(id, _)| id).collect::<Vec<_>>())
            else {
                return;
            };
            let mut kept = Vec::with_capacity(items.len());
            for (id, mut item) in ids.into_iter().zip(items.drain(..)) {
                match gone.children.get(&id) {
                    Some(set) if set.owned => {}
                    Some(set) => {
                        remove(&mut item, set, shape.item());
                        kept.push(item);
                    }
                    None => kept.push(item),
                }
            }
            *items = kept;
        }
        _ => {}
    }
}

fn remove_fields(fields: &mut Map<String, Value>, gone: &Set, shape: Shape<'_>) {
    for (id, set) in &gone.children {
        let Some(name) = id.strip_prefix("f:") else { continue };
        if set.owned {
            fields.remove(name);
            continue;
        }
        let Some(below) = fields.get_mut(name) else { continue };
        let was_empty = empty(below);
        remove(below, set, shape.field(name));
        if !was_empty && empty(below) {
            fields.remove(name);
        }
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::patch::set::of_value;

    #[test]
    fn keyed_lists_merge_and_dropped_fields_go() {
        let mut live = json!({"spec": {"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}]}, "data": {"a": "1", "b": "2"}});
        merge(&mut live, &json!({"spec": {"containers": [{"name": "a", "image": "2"}]}}), Shape::Builtin(""));
        assert_eq!(live["spec"]["containers"][0], json!({"name": "a", "image": "2", "args": ["x"]}));
        remove(&mut live, &of_value(&json!({"data": {"b": "2"}}), Shape::Builtin("")), Shape::Builtin(""));
        assert_eq!(live["data"], json!({"a": "1"}));
    }
}
