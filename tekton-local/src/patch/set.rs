//! Sets of field paths, as `managedFields` records them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::shape::{ListType, Shape};

/// A set of paths: whether this path itself is in it, and the sets below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// Whether the path that leads here is a member.
    pub owned: bool,
    /// By path element: `f:name`, `k:{…}`, `v:…`.
    pub children: BTreeMap<String, Set>,
}

impl Set {
    /// Whether no path is in it.
    pub fn is_empty(&self) -> bool {
        !self.owned && self.children.values().all(Set::is_empty)
    }

    fn leaf() -> Self {
        Self { owned: true, children: BTreeMap::new() }
    }

    /// Reads `fieldsV1`.
    pub fn from_fields(fields: &Value) -> Self {
        let mut set = Self::default();
        for (name, below) in fields.as_object().into_iter().flatten() {
            if name == "." {
                set.owned = true;
                continue;
            }
            let mut child = Self::from_fields(below);
            if below.as_object().is_none_or(Map::is_empty) {
                child.owned = true;
            }
            set.children.insert(name.clone(), child);
        }
        set
    }

    /// Prints `fieldsV1`.
    pub fn to_fields(&self) -> Value {
        let mut fields = Map::new();
        for (name, child) in &self.children {
            if child.is_empty() {
                continue;
            }
            let mut below = child.to_fields();
            if child.owned
                && let Value::Object(map) = &mut below
                && !map.is_empty()
            {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            fields.insert(name.clone(), below);
        }
        Value::Object(fields)
    }

    /// Adds every path of `other`.
    pub fn union(&mut self, other: &Self) {
        self.owned |= other.owned;
        for (name, child) in &other.children {
            self.children.entry(name.clone()).or_default().union(child);
        }
    }

    /// Removes every path of `other`.
    pub fn subtract(&mut self, other: &Self) {
        if other.owned {
            self.owned = false;
        }
        for (name, child) in &other.children {
            if let Some(mine) = self.children.get_mut(name) {
                mine.subtract(child);
                if mine.is_empty() {
                    self.children.remove(name);
                }
            }
        }
    }

    /// Removes every path of `other` and everything below it.
    pub fn subtract_recursive(&mut self, other: &Self) {
        for (name, child) in &other.children {
            if child.owned {
                self.children.remove(name);
            } else if let Some(mine) = self.children.get_mut(name) {
                mine.subtract_recursive(child);
                if mine.is_empty() {
                    self.children.remove(name);
                }
            }
        }
    }

    /// Takes back every path of which something below is in `keep`.
    pub fn spare(&mut self, keep: &Self) {
        for (name, child) in &mut self.children {
            if let Some(kept) = keep.children.get(name).filter(|kept| !kept.is_empty()) {
                child.owned = false;
                child.spare(kept);
            }
        }
    }

    /// The paths that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self { owned: self.owned && other.owned, children: BTreeMap::new() };
        for (name, child) in &self.children {
            if let Some(theirs) = other.children.get(name) {
                let common = child.intersection(theirs);
                if !common.is_empty() {
                    both.children.insert(name.clone(), common);
                }
            }
        }
        both
    }

    /// Every path of the set as Kubernetes prints it: `.spec.containers[name="a"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect("", &mut all);
        all
    }

    fn collect(&self, prefix: &str, all: &mut Vec<String>) {
        for (name, child) in &self.children {
            let path = format!("{prefix}{}", shown(name));
            if child.owned {
                all.push(path.clone());
            }
            child.collect(&path, all);
        }
    }
}

fn shown(element: &str) -> String {
    if let Some(field) = element.strip_prefix("f:") {
        return format!(".{field}");
    }
    if let Some(key) = element.strip_prefix("k:") {
        let key: Value = serde_json::from_str(key).unwrap_or_default();
        let pairs: Vec<String> =
            key.as_object().into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
        return format!("[{}]", pairs.join(","));
    }
    if let Some(value) = element.strip_prefix("v:") {
        return format!("[={value}]");
    }
    element.to_owned()
}

/// The path element of an item of a keyed list.
pub(super) fn key_element(item: &Value, keys: &[String], shape: Shape<'_>) -> Option<String> {
    let mut id = Map::new();
    for key in keys {
        let value = match item.get(key) {
            Some(value) => value.clone(),
            None => shape.key_default(key)?,
        };
        id.insert(key.clone(), value);
    }
    Some(format!("k:{}", Value::Object(id)))
}

/// The items of a list by their path elements, or nothing when the list is atomic.
pub(super) fn elements<'a>(items: &'a [Value], shape: Shape<'_>) -> Option<Vec<(String, &'a Value)>> {
    match shape.list() {
        ListType::Atomic => None,
        ListType::Set => Some(items.iter().map(|item| (format!("v:{item}"), item)).collect()),
        ListType::Map(keys) => items.iter().map(|item| key_element(item, &keys, shape).map(|id| (id, item))).collect(),
    }
}

/// The paths of everything that `value` sets, as server-side apply counts them.
pub fn of_value(value: &Value, shape: Shape<'_>) -> Set {
    match value {
        Value::Object(fields) if !fields.is_empty() && !shape.atomic_map() => {
            let mut set = Set::default();
            for (name, below) in fields {
                set.children.insert(format!("f:{name}"), of_value(below, shape.field(name)));
            }
            set
        }
        Value::Array(items) if !items.is_empty() => match elements(items, shape) {
            None => Set::leaf(),
            Some(elements) => {
                let mut set = Set::default();
                for (id, item) in elements {
                    let mut below = if item.is_object() { of_value(item, shape.item()) } else { Set::leaf() };
                    below.owned = true;
                    set.children.insert(id, below);
                }
                set
            }
        },
        _ => Set::leaf(),
    }
}

/// The paths that are in `new` and were not, or had another value, in `old`; and the paths that are gone.
pub fn changes(old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>) -> (Set, Set) {
    let (mut changed, mut removed) = (Set::default(), Set::default());
    compare(old, new, shape, &mut changed, &mut removed);
    (changed, removed)
}

/// The parts of a value by their path elements; nothing when it counts as a whole.
fn below<'a>(value: Option<&'a Value>, shape: Shape<'_>) -> Option<Vec<(String, &'a Value)>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::Object(fields)) if !shape.atomic_map() => {
            Some(fields.iter().map(|(n, v)| (format!("f:{n}"), v)).collect())
        }
        Some(Value::Array(items)) => elements(items, shape),
        Some(_) => None,
    }
}

fn compare(old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>, changed: &mut Set, removed: &mut Set) {
    if old == new {
        return;
    }
    match (below(old, shape), below(new, shape)) {
        (Some(before), Some(after)) if old.is_some() || new.is_some() => {
            let is_list = matches!(old.or(new), Some(Value::Array(_)));
            if old.is_none_or(Value::is_null) {
                changed.owned = true;
            }
            if new.is_none() {
                removed.owned = true;
            }
            let before: BTreeMap<String, &Value> = before.into_iter().collect();
            let after: BTreeMap<String, &Value> = after.into_iter().collect();
            for id in after.keys().chain(before.keys().filter(|id| !after.contains_key(*id))) {
                let inner = if is_list { shape.item() } else { shape.field(id.strip_prefix("f:").unwrap_or(id)) };
                step(id, before.get(id).copied(), after.get(id).copied(), inner, changed, removed);
            }
        }
        _ => {
            if new.is_some() {
                changed.owned = true;
            } else {
                removed.owned = true;
            }
        }
    }
}

fn step(id: &str, old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>, changed: &mut Set, removed: &mut Set) {
    let (mut below_changed, mut below_removed) = (Set::default(), Set::default());
    if id.starts_with("v:") {
        below_changed.owned = old.is_none();
        below_removed.owned = new.is_none();
    } else {
        compare(old, new, shape, &mut below_changed, &mut below_removed);
    }
    if !below_changed.is_empty() {
        changed.children.insert(id.to_owned(), below_changed);
    }
    if !below_removed.is_empty() {
        removed.children.insert(id.to_owned(), below_removed);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_v1_round_trips() {
        let fields = json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}, "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}});
        assert_eq!(Set::from_fields(&fields).to_fields(), fields);
    }

    #[test]
    fn changes_name_what_is_new_and_what_is_gone() {
        let (changed, removed) = changes(
            Some(&json!({"data": {"a": "1", "b": "2"}})),
            Some(&json!({"data": {"a": "1", "c": "3"}})),
            Shape::Builtin(""),
        );
        assert_eq!(changed.paths(), [".data.c"]);
        assert_eq!(removed.paths(), [".data.b"]);
    }
}
