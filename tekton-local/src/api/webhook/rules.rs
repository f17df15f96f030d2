//! Which webhooks want to see a request: rules, scope and selectors.

use serde_json::Value;

use super::Attempt;
use crate::api::admission::Operation;
use crate::api::{Api, Target};
use crate::store::Key;

/// Whether a webhook is to be called.
pub(super) fn wants(api: &Api, hook: &Value, attempt: &Attempt<'_>, object: &Value) -> bool {
    let exact = hook["matchPolicy"] == "Exact";
    let rules = hook["rules"].as_array().into_iter().flatten();
    let mut rules = rules.filter(|rule| matches(rule, attempt, exact));
    rules.next().is_some() && selects(&hook["namespaceSelector"], &namespace_labels(api, attempt.target, object)) && {
        let selector = &hook["objectSelector"];
        let labels = |object: &Value| object["metadata"]["labels"].clone();
        selects(selector, &labels(object)) || attempt.old.is_some_and(|old| selects(selector, &labels(old)))
    }
}

fn texts<'a>(value: &'a Value, field: &str) -> Vec<&'a str> {
    value[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn matches(rule: &Value, attempt: &Attempt<'_>, exact: bool) -> bool {
    let has = |field: &str, wanted: &str| texts(rule, field).iter().any(|value| *value == "*" || *value == wanted);
    let resource = &attempt.target.resource;
    let operation = match attempt.operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
    };
    let version = if exact {
        has("apiVersions", &attempt.target.version)
    } else {
        // A rule about one version of a resource is about the same objects in the others.
        resource.versions.iter().any(|version| has("apiVersions", &version.name))
    };
    let scope = match rule["scope"].as_str() {
        Some("Namespaced") => resource.namespaced,
        Some("Cluster") => !resource.namespaced,
        _ => true,
    };
    let of = texts(rule, "resources").iter().any(|pattern| {
        let (plural, subresource) = pattern.split_once('/').unwrap_or((pattern, ""));
        (plural == "*" || plural == resource.plural) && (subresource == "*" || subresource == attempt.subresource)
    });
    has("operations", operation) && has("apiGroups", &resource.group) && version && scope && of
}

/// The labels that a namespace selector looks at: those of the object's namespace, or of the namespace itself.
fn namespace_labels(api: &Api, target: &Target, object: &Value) -> Option<Value> {
    if target.resource.group.is_empty() && target.resource.kind == "Namespace" {
        return Some(object["metadata"]["labels"].clone());
    }
    let name = target.namespace.clone().filter(|_| target.resource.namespaced)?;
    let key = Key { resource: "/namespaces".into(), namespace: String::new(), name };
    Some(api.store.get(&key).map_or(Value::Null, |namespace| namespace.value["metadata"]["labels"].clone()))
}

/// Something with labels, or nothing that a selector could hold against it.
trait Labels {
    fn labels(&self) -> Option<&Value>;
}

impl Labels for Value {
    fn labels(&self) -> Option<&Value> {
        Some(self)
    }
}

impl Labels for Option<Value> {
    fn labels(&self) -> Option<&Value> {
        self.as_ref()
    }
}

/// Whether a `LabelSelector` matches; an empty one matches everything, and what has no namespace is always matched.
fn selects(selector: &Value, labels: &impl Labels) -> bool {
    let Some(labels) = labels.labels() else { return true };
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    equal
        && expressions.clone().all(|expression| {
            let value = expression["key"].as_str().and_then(|key| labels[key].as_str());
            let among = value.is_some_and(|value| texts(expression, "values").contains(&value));
            match expression["operator"].as_str() {
                Some("In") => among,
                Some("NotIn") => !among,
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_select_as_kubernetes_does() {
        let labels = json!({"team": "shop", "tier": "web"});
        let check = |selector: Value, expected| assert_eq!(selects(&selector, &labels), expected, "{selector}");
        check(json!({}), true);
        check(Value::Null, true);
        check(json!({"matchLabels": {"team": "shop"}}), true);
        check(json!({"matchLabels": {"team": "bank"}}), false);
        let expression = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]});
        check(expression("In", json!(["web", "db"])), true);
        check(expression("NotIn", json!(["web"])), false);
        check(expression("Exists", json!([])), true);
        check(expression("DoesNotExist", json!([])), false);
        assert!(
            selects(&json!({"matchLabels": {"a": "b"}}), &None::<Value>),
            "what has no namespace is always matched"
        );
    }
}
