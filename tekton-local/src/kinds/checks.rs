//! Validation of the kinds that are stored for others to act on: jobs, services, roles, quotas, classes.

use serde_json::Value;

use super::pod::{self, list, text};
use super::quantity;
use crate::api::error::Cause;
use crate::api::names;

const RBAC: &str = "rbac.authorization.k8s.io";

/// What is wrong with an object of such a kind.
pub(super) fn validate(group: &str, kind: &str, object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    match (group, kind) {
        ("batch", "Job") => job(object, old, causes),
        ("batch", "CronJob") => cron_job(object, causes),
        ("", "Service") => service(object, causes),
        ("", "ResourceQuota") => quota(object, causes),
        ("", "LimitRange") => limit_range(object, causes),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => role(kind, object, causes),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => binding(kind, object, causes),
        ("storage.k8s.io", "StorageClass") if text(object, "provisioner").is_empty() => {
            causes.push(Cause::required("provisioner", ""));
        }
        ("", "PersistentVolume") => volume(object, causes),
        _ => {}
    }
}

fn not_negative(object: &Value, fields: &[&str], causes: &mut Vec<Cause>) {
    for field in fields {
        if let Some(n) = object[*field].as_i64().filter(|n| *n < 0) {
            causes.push(Cause::invalid(format!("spec.{field}"), &n.into(), "must be greater than or equal to 0"));
        }
    }
}

fn job(object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    not_negative(spec, &["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit"], causes);
    not_negative(spec, &["ttlSecondsAfterFinished"], causes);
    if !matches!(text(spec, "completionMode"), "NonIndexed" | "Indexed") {
        causes.push(Cause::not_supported("spec.completionMode", &spec["completionMode"], &["NonIndexed", "Indexed"]));
    }
    if old.is_some() {
        return;
    }
    restarts_of_job(&spec["template"], "spec.template", causes);
    pod::spec(&spec["template"]["spec"], "spec.template.spec", causes);
    let labels = &spec["template"]["metadata"]["labels"];
    let wanted = spec["selector"]["matchLabels"].as_object().into_iter().flatten();
    if spec["manualSelector"] != true && spec["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"].is_null()
    {
        causes.push(Cause::invalid("spec.selector", &spec["selector"], "`selector` not auto-generated"));
    }
    if wanted.into_iter().any(|(name, value)| labels.get(name) != Some(value)) {
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", labels, detail));
    }
}

/// The pods of jobs end, so they cannot always be restarted.
fn restarts_of_job(template: &Value, at: &str, causes: &mut Vec<Cause>) {
    if template["spec"]["restartPolicy"] == "Always" {
        let at = format!("{at}.spec.restartPolicy");
        causes.push(Cause::required(at, "valid values: \"OnFailure\", \"Never\""));
    }
}

/// What an update of a job may not change.
pub(super) fn job_update(old: &Value, new: &Value) -> Vec<Cause> {
    let (before, after) = (&old["spec"], &new["spec"]);
    let mut fields = vec!["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"];
    if after["completionMode"] != "Indexed" {
        fields.insert(0, "completions");
    }
    // What is not started yet may still be changed.
    let suspended = before["suspend"] == true && old["status"]["startTime"].is_null();
    if !suspended {
        fields.push("template");
    }
    let changed = fields.into_iter().filter(|field| before[*field] != after[*field]);
    changed.map(|field| Cause::invalid(format!("spec.{field}"), &after[field], "field is immutable")).collect()
}

fn cron_job(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let schedule = text(spec, "schedule");
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if schedule.is_empty() {
        causes.push(Cause::required("spec.schedule", ""));
    } else if !schedule.starts_with('@') && fields.len() != 5 {
        let detail = format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" "));
        causes.push(Cause::invalid("spec.schedule", &schedule.into(), detail));
    }
    let policies = ["Allow", "Forbid", "Replace"];
    if !policies.contains(&text(spec, "concurrencyPolicy")) {
        causes.push(Cause::not_supported("spec.concurrencyPolicy", &spec["concurrencyPolicy"], &policies));
    }
    let template = &spec["jobTemplate"]["spec"]["template"];
    restarts_of_job(template, "spec.jobTemplate.spec.template", causes);
    pod::spec(&template["spec"], "spec.jobTemplate.spec.template.spec", causes);
}

fn service(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let ports = list(spec, "ports");
    let kind = text(spec, "type");
    if ports.is_empty() && kind != "ExternalName" && spec["clusterIP"] != "None" {
        causes.push(Cause::required("spec.ports", ""));
    }
    if kind == "ExternalName" && text(spec, "externalName").is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
    let mut taken = std::collections::BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{i}]");
        let name = text(port, "name");
        if ports.len() > 1 && name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        } else if !name.is_empty() {
            for wrong in names::label(name) {
                causes.push(Cause::invalid(format!("{at}.name"), &name.into(), wrong));
            }
            if !taken.insert(name) {
                causes.push(Cause::duplicate(format!("{at}.name"), &name.into()));
            }
        }
        for field in ["port", "targetPort"] {
            let number = if field == "port" { Some(port[field].as_i64().unwrap_or(0)) } else { port[field].as_i64() };
            if let Some(number) = number.filter(|number| !(1..=65535).contains(number)) {
                let detail = "must be between 1 and 65535, inclusive";
                causes.push(Cause::invalid(format!("{at}.{field}"), &number.into(), detail));
            }
        }
    }
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !kinds.contains(&kind) {
        causes.push(Cause::not_supported("spec.type", &kind.into(), &kinds));
    }
}

fn quota(object: &Value, causes: &mut Vec<Cause>) {
    for (name, amount) in object["spec"]["hard"].as_object().into_iter().flatten() {
        let at = format!("spec.hard[{name}]");
        for wrong in names::qualified(name) {
            causes.push(Cause::invalid(&at, &name.as_str().into(), wrong));
        }
        if quantity::is_negative(amount) {
            causes.push(Cause::invalid(&at, amount, "must be greater than or equal to 0"));
        }
    }
}

fn limit_range(object: &Value, causes: &mut Vec<Cause>) {
    for (i, limit) in list(&object["spec"], "limits").iter().enumerate() {
        let at = format!("spec.limits[{i}]");
        for wrong in names::qualified(text(limit, "type")) {
            causes.push(Cause::invalid(format!("{at}.type"), &limit["type"], wrong));
        }
        let mut ordered = |low: &str, high: &str, named: &str, said: &str| {
            for (name, least) in limit[low].as_object().into_iter().flatten() {
                let most = &limit[high][name];
                if quantity::compare(least, most) == Some(std::cmp::Ordering::Greater) {
                    let shown = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let detail = format!("{said} value {} is greater than {named} value {}", shown(least), shown(most));
                    causes.push(Cause::invalid(format!("{at}.{low}[{name}]"), least, detail));
                }
            }
        };
        ordered("min", "max", "max", "min");
        ordered("min", "defaultRequest", "default request", "min");
        ordered("min", "default", "default", "min");
        ordered("defaultRequest", "max", "max", "default request");
        ordered("defaultRequest", "default", "default limit", "default request");
        ordered("default", "max", "max", "default");
    }
}

fn role(kind: &str, object: &Value, causes: &mut Vec<Cause>) {
    for (i, rule) in list(object, "rules").iter().enumerate() {
        let at = format!("rules[{i}]");
        if list(rule, "verbs").is_empty() {
            causes.push(Cause::required(format!("{at}.verbs"), "verbs must contain at least one value"));
        }
        if !list(rule, "nonResourceURLs").is_empty() {
            if kind == "Role" {
                let detail = "namespaced rules cannot apply to non-resource URLs";
                causes.push(Cause::invalid(format!("{at}.nonResourceURLs"), &rule["nonResourceURLs"], detail));
            }
            continue;
        }
        if list(rule, "apiGroups").is_empty() {
            let detail = "resource rules must supply at least one api group";
            causes.push(Cause::required(format!("{at}.apiGroups"), detail));
        }
        if list(rule, "resources").is_empty() {
            let detail = "resource rules must supply at least one resource";
            causes.push(Cause::required(format!("{at}.resources"), detail));
        }
    }
}

fn binding(kind: &str, object: &Value, causes: &mut Vec<Cause>) {
    let role = &object["roleRef"];
    if text(role, "apiGroup") != RBAC {
        causes.push(Cause::not_supported("roleRef.apiGroup", &role["apiGroup"], &[RBAC]));
    }
    let roles: &[&str] = if kind == "RoleBinding" { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !roles.contains(&text(role, "kind")) {
        causes.push(Cause::not_supported("roleRef.kind", &text(role, "kind").into(), roles));
    }
    if text(role, "name").is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (i, subject) in list(object, "subjects").iter().enumerate() {
        let at = format!("subjects[{i}]");
        if text(subject, "name").is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        }
        match text(subject, "kind") {
            "ServiceAccount" => {
                if kind == "ClusterRoleBinding" && text(subject, "namespace").is_empty() {
                    causes.push(Cause::required(format!("{at}.namespace"), ""));
                }
            }
            "User" | "Group" => {}
            other => {
                let known = ["ServiceAccount", "User", "Group"];
                causes.push(Cause::not_supported(format!("{at}.kind"), &other.into(), &known));
            }
        }
    }
}

fn volume(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    if list(spec, "accessModes").is_empty() {
        causes.push(Cause::required("spec.accessModes", ""));
    }
    if spec["capacity"].as_object().is_none_or(serde_json::Map::is_empty) {
        causes.push(Cause::required("spec.capacity", ""));
    }
}

/// What an update of a storage class may not change.
pub(super) fn class_update(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if old["parameters"] != new["parameters"] {
        causes.push(Cause::forbidden("parameters", "updates to parameters are forbidden."));
    }
    for field in ["provisioner", "reclaimPolicy", "volumeBindingMode"] {
        if old[field] != new[field] {
            causes.push(Cause::invalid(field, &new[field], "field is immutable"));
        }
    }
    causes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(group: &str, kind: &str, object: &Value, refusals: &[&str]) {
        let mut causes = Vec::new();
        validate(group, kind, object, None, &mut causes);
        let told: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        assert_eq!(told, refusals, "{object}");
    }

    #[test]
    fn objects_are_refused_in_the_words_of_kubernetes() {
        check("", "Service", &json!({"spec": {"type": "ClusterIP"}}), &["spec.ports: Required value"]);
        check("", "Service", &json!({"spec": {"type": "ClusterIP", "clusterIP": "None"}}), &[]);
        check(
            "",
            "Service",
            &json!({"spec": {"type": "ClusterIP", "ports": [{"port": 1, "name": "a"}, {"port": 2}]}}),
            &["spec.ports[1].name: Required value"],
        );
        check(
            RBAC,
            "Role",
            &json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}),
            &["rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs"],
        );
        check(
            RBAC,
            "RoleBinding",
            &json!({"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "a"}, "subjects": [{"kind": "User"}]}),
            &["subjects[0].name: Required value"],
        );
        check(
            "",
            "LimitRange",
            &json!({"spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}}),
            &["spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1"],
        );
        check("storage.k8s.io", "StorageClass", &json!({}), &["provisioner: Required value"]);
    }

    #[test]
    fn a_job_that_has_started_keeps_its_template() {
        let job =
            |image: &str, suspend: bool| json!({"spec": {"suspend": suspend, "template": {"spec": {"image": image}}}});
        assert_eq!(job_update(&job("a", false), &job("b", false)).len(), 1);
        assert_eq!(job_update(&job("a", true), &job("b", true)), []);
    }
}
