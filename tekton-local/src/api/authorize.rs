//! Who may do what: the cluster's owner everything, a ServiceAccount what its roles say.

use serde_json::Value;

use super::Api;
use super::error::ApiError;
use super::identity::User;
use super::request::Request;

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Access<'a> {
    pub(super) verb: &'a str,
    pub(super) group: &'a str,
    /// The resource, with its subresource behind a slash.
    pub(super) resource: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    /// The path, when it names no resource.
    pub(super) path: &'a str,
}

/// Paths that everybody with a token may read: discovery and health.
const OPEN: &[&str] = &["api", "apis", "healthz", "livez", "readyz", "version", "openapi"];

impl Api {
    /// Whether a user may do something, by the roles that are bound to them.
    pub(super) fn allows(&self, user: &User, access: Access<'_>) -> bool {
        if user.is_master() {
            return true;
        }
        let granted = |binding: &Value, namespace: &str| {
            binds(binding, user) && self.rules(&binding["roleRef"], namespace).iter().any(|rule| permits(rule, access))
        };
        let bound = |resource: &str, namespace: Option<&str>| {
            let (_, bindings) = self.store.list(resource, namespace);
            bindings.iter().any(|binding| granted(&binding.value, namespace.unwrap_or_default()))
        };
        bound("rbac.authorization.k8s.io/clusterrolebindings", None)
            || (!access.namespace.is_empty() && bound("rbac.authorization.k8s.io/rolebindings", Some(access.namespace)))
    }

    fn rules(&self, role: &Value, namespace: &str) -> Vec<Value> {
        let (plural, namespace) = match role["kind"].as_str() {
            Some("Role") => ("roles", namespace),
            _ => ("clusterroles", ""),
        };
        let key = crate::store::Key {
            resource: format!("rbac.authorization.k8s.io/{plural}").into(),
            namespace: namespace.to_owned(),
            name: role["name"].as_str().unwrap_or_default().to_owned(),
        };
        self.store.get(&key).and_then(|role| role.value["rules"].as_array().cloned()).unwrap_or_default()
    }

    /// Lets a request be another's, as `kubectl --as` asks, when its user may.
    ///
    /// Errors: `Forbidden`.
    pub(super) fn impersonate(&self, request: &mut Request) -> Result<(), ApiError> {
        let Some(other) = request.impersonated.take() else { return Ok(()) };
        let asked = |resource, name, namespace| {
            let access = Access { verb: "impersonate", resource, name, namespace, ..Access::default() };
            if self.allows(&request.user, access) { Ok(()) } else { Err(forbidden(&request.user, access)) }
        };
        match other.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
            Some((namespace, name)) => asked("serviceaccounts", name, namespace)?,
            None => asked("users", &other.name, "")?,
        }
        for group in other
            .groups
            .iter()
            .filter(|group| !group.starts_with("system:serviceaccounts") && *group != "system:authenticated")
        {
            asked("groups", group, "")?;
        }
        request.user = other;
        Ok(())
    }

    /// Refuses a request that its user may not make.
    ///
    /// Errors: `Forbidden`, with the text of Kubernetes.
    pub(super) fn authorize(&self, request: &Request) -> Result<(), ApiError> {
        if request.user.is_master() {
            return Ok(());
        }
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let (group, rest) = match path.as_slice() {
            ["api", _, rest @ ..] if !rest.is_empty() => ("", rest),
            ["apis", group, _, rest @ ..] if !rest.is_empty() => (*group, rest),
            [first, ..] if OPEN.contains(first) && matches!(request.method.as_str(), "GET" | "HEAD") => return Ok(()),
            _ => return self.authorize_path(request),
        };
        // Everybody may ask what they may do.
        if request.method == "POST"
            && matches!(rest, ["selfsubjectaccessreviews" | "selfsubjectrulesreviews" | "selfsubjectreviews"])
        {
            return Ok(());
        }
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !matches!(rest[0], "status" | "finalize") => {
                (*namespace, rest)
            }
            ["namespaces", namespace, ..] => (*namespace, rest),
            rest => ("", rest),
        };
        let resource = match rest {
            [plural, _, subresource, ..] => format!("{plural}/{subresource}"),
            [plural, ..] => (*plural).to_owned(),
            [] => String::new(),
        };
        let access = Access {
            verb: verb(request, rest.len() > 1),
            group,
            resource: &resource,
            namespace,
            name: rest.get(1).copied().unwrap_or_default(),
            path: "",
        };
        if self.allows(&request.user, access) { Ok(()) } else { Err(forbidden(&request.user, access)) }
    }

    fn authorize_path(&self, request: &Request) -> Result<(), ApiError> {
        let path = format!("/{}", request.path.join("/"));
        let verb = request.method.to_lowercase();
        if self.allows(&request.user, Access { verb: &verb, path: &path, ..Access::default() }) {
            return Ok(());
        }
        let text = format!("forbidden: User \"{}\" cannot {verb} path \"{path}\"", request.user.name);
        Err(ApiError::denied(403, "Forbidden", &text))
    }
}

fn verb(request: &Request, named: bool) -> &'static str {
    match (request.method.as_str(), named) {
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        (_, true) => "get",
        (_, false) if request.query.flag("watch") => "watch",
        (_, false) => "list",
    }
}

fn forbidden(user: &User, access: Access<'_>) -> ApiError {
    let plural = access.resource.split('/').next().unwrap_or_default();
    let qualified = if access.group.is_empty() { plural.to_owned() } else { format!("{plural}.{}", access.group) };
    let named = if access.name.is_empty() { String::new() } else { format!(" \"{}\"", access.name) };
    let scope = if access.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", access.namespace)
    };
    let text = format!(
        "{qualified}{named} is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
        user.name, access.verb, access.resource, access.group
    );
    let mut details = serde_json::json!({"kind": plural});
    for (field, value) in [("group", access.group), ("name", access.name)] {
        if !value.is_empty() {
            details[field] = value.into();
        }
    }
    ApiError::with_details(403, "Forbidden", &text, details)
}

fn texts<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    value[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a binding is for this user.
fn binds(binding: &Value, user: &User) -> bool {
    binding["subjects"].as_array().into_iter().flatten().any(|subject| {
        let name = subject["name"].as_str().unwrap_or_default();
        match subject["kind"].as_str() {
            Some("ServiceAccount") => {
                let namespace = subject["namespace"]
                    .as_str()
                    .unwrap_or(binding["metadata"]["namespace"].as_str().unwrap_or_default());
                user.name == format!("system:serviceaccount:{namespace}:{name}")
            }
            Some("Group") => user.groups.iter().any(|group| group == name),
            _ => user.name == name,
        }
    })
}

/// Whether a rule of a role permits an access.
fn permits(rule: &Value, access: Access<'_>) -> bool {
    let has = |field: &str, wanted: &str| texts(rule, field).any(|value| value == "*" || value == wanted);
    if !has("verbs", access.verb) {
        return false;
    }
    if !access.path.is_empty() {
        return texts(rule, "nonResourceURLs").any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => access.path.starts_with(prefix),
            None => access.path == pattern,
        });
    }
    let subresource = access.resource.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
    let resource = has("resources", access.resource)
        || subresource.is_some_and(|any| texts(rule, "resources").any(|value| value == any));
    let names = rule["resourceNames"].as_array().is_none_or(Vec::is_empty)
        || texts(rule, "resourceNames").any(|name| name == access.name);
    has("apiGroups", access.group) && resource && names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_permits_what_it_names() {
        let rule = json!({"verbs": ["get", "list"], "apiGroups": ["", "tekton.dev"], "resources": ["pods", "pods/log", "*/status"]});
        let check = |verb, group, resource, permitted| {
            let access = Access { verb, group, resource, namespace: "a", name: "x", path: "" };
            assert_eq!(permits(&rule, access), permitted, "{access:?}");
        };
        check("get", "", "pods", true);
        check("get", "", "pods/log", true);
        check("get", "tekton.dev", "taskruns/status", true);
        check("create", "", "pods", false);
        check("get", "apps", "pods", false);
        check("get", "", "pods/exec", false);
        let named = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["y"]});
        assert!(!permits(&named, Access { verb: "get", resource: "pods", name: "x", ..Access::default() }));
        let path = json!({"verbs": ["get"], "nonResourceURLs": ["/metrics/*"]});
        assert!(permits(&path, Access { verb: "get", path: "/metrics/x", ..Access::default() }));
    }
}
