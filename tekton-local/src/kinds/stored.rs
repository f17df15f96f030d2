//! Defaults of the kinds that are stored for others to act on: roles, policies, webhooks, schedules.

use serde_json::{Value, json};

use super::defaults::{items, object_at, pod_spec, set};

/// Fills in what the kind leaves to the server.
pub(super) fn default(group: &str, kind: &str, object: &mut Value) {
    match (group, kind) {
        ("batch", "CronJob") => cron_job(object),
        ("", "Endpoints") => {
            for subset in items(object, "subsets") {
                for port in items(subset, "ports") {
                    set(port, "protocol", "TCP".into());
                }
            }
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => binding(object),
        ("networking.k8s.io", "NetworkPolicy") => network_policy(object),
        ("scheduling.k8s.io", "PriorityClass") => set(object, "preemptionPolicy", "PreemptLowerPriority".into()),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => {
            webhooks(object);
            for webhook in items(object, "webhooks") {
                set(webhook, "reinvocationPolicy", "Never".into());
            }
        }
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => webhooks(object),
        _ => {}
    }
}

fn cron_job(object: &mut Value) {
    let spec = object_at(object, "spec");
    set(spec, "concurrencyPolicy", "Allow".into());
    set(spec, "suspend", false.into());
    set(spec, "successfulJobsHistoryLimit", 3.into());
    set(spec, "failedJobsHistoryLimit", 1.into());
    let job = object_at(object_at(spec, "jobTemplate"), "spec");
    pod_spec(object_at(object_at(job, "template"), "spec"), false);
}

fn binding(object: &mut Value) {
    set(object_at(object, "roleRef"), "apiGroup", "rbac.authorization.k8s.io".into());
    for subject in items(object, "subjects") {
        if matches!(subject["kind"].as_str(), Some("User" | "Group")) {
            set(subject, "apiGroup", "rbac.authorization.k8s.io".into());
        }
    }
}

fn network_policy(object: &mut Value) {
    let spec = object_at(object, "spec");
    object_at(spec, "podSelector");
    let egress = spec["egress"].as_array().is_some_and(|rules| !rules.is_empty());
    set(spec, "policyTypes", if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
    for rules in ["ingress", "egress"] {
        for rule in items(&mut *spec, rules) {
            for port in items(rule, "ports") {
                set(port, "protocol", "TCP".into());
            }
        }
    }
}

fn webhooks(object: &mut Value) {
    for webhook in items(object, "webhooks") {
        set(webhook, "failurePolicy", "Fail".into());
        set(webhook, "matchPolicy", "Equivalent".into());
        set(webhook, "namespaceSelector", json!({}));
        set(webhook, "objectSelector", json!({}));
        set(webhook, "timeoutSeconds", 10.into());
        if webhook["clientConfig"]["service"].is_object() {
            set(&mut webhook["clientConfig"]["service"], "port", 443.into());
        }
        for rule in items(webhook, "rules") {
            set(rule, "scope", "*".into());
        }
    }
}
