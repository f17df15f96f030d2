//! Validation of pods and of what holds pod templates.

use std::collections::BTreeSet;

use serde_json::Value;

use super::quantity;
use crate::api::error::Cause;
use crate::api::meta;
use crate::api::names;

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const RESTART_POLICIES: &[&str] = &["Always", "OnFailure", "Never"];
const DNS_POLICIES: &[&str] = &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const MESSAGE_POLICIES: &[&str] = &["FallbackToLogsOnError", "File"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const ENV_NAME: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
/// What an update may change.
const MUTABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(super) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn one_of(value: &Value, field: &str, at: &str, allowed: &[&str], causes: &mut Vec<Cause>) {
    let given = text(value, field);
    if given.is_empty() {
        causes.push(Cause::required(format!("{at}.{field}"), ""));
    } else if !allowed.contains(&given) {
        causes.push(Cause::not_supported(format!("{at}.{field}"), &given.into(), allowed));
    }
}

/// What is wrong with the spec of a pod.
pub(super) fn spec(spec: &Value, at: &str, causes: &mut Vec<Cause>) {
    let volumes = volumes(spec, at, causes);
    let mut taken = BTreeSet::new();
    if list(spec, "containers").is_empty() {
        causes.push(Cause::required(format!("{at}.containers"), ""));
    }
    for kind in ["containers", "initContainers"] {
        let mut host_ports = BTreeSet::new();
        for (i, container) in list(spec, kind).iter().enumerate() {
            let at = format!("{at}.{kind}[{i}]");
            let name = text(container, "name");
            if name.is_empty() {
                causes.push(Cause::required(format!("{at}.name"), ""));
            } else {
                for wrong in names::label(name) {
                    causes.push(Cause::invalid(format!("{at}.name"), &name.into(), wrong));
                }
                if !taken.insert(name.to_owned()) {
                    causes.push(Cause::duplicate(format!("{at}.name"), &name.into()));
                }
            }
            self::container(container, &at, &volumes, &mut host_ports, causes);
            if kind == "initContainers" {
                super::podchecks::init_container(container, &at, causes);
            }
        }
    }
    one_of(spec, "restartPolicy", at, RESTART_POLICIES, causes);
    one_of(spec, "dnsPolicy", at, DNS_POLICIES, causes);
    meta::labels(&spec["nodeSelector"], &format!("{at}.nodeSelector"), causes);
    let account = text(spec, "serviceAccountName");
    if !account.is_empty() {
        for wrong in names::subdomain(account) {
            causes.push(Cause::invalid(format!("{at}.serviceAccountName"), &account.into(), wrong));
        }
    }
    let node = text(spec, "nodeName");
    if !node.is_empty() {
        for wrong in names::subdomain(node) {
            causes.push(Cause::invalid(format!("{at}.nodeName"), &node.into(), wrong));
        }
    }
    if let Some(seconds) = spec["activeDeadlineSeconds"].as_i64().filter(|n| !(1..=i64::from(i32::MAX)).contains(n)) {
        let detail = "must be between 1 and 2147483647, inclusive";
        causes.push(Cause::invalid(format!("{at}.activeDeadlineSeconds"), &seconds.into(), detail));
    }
    for field in ["hostname", "subdomain"] {
        let host = text(spec, field);
        if !host.is_empty() {
            for wrong in names::label(host) {
                causes.push(Cause::invalid(format!("{at}.{field}"), &host.into(), wrong));
            }
        }
    }
    super::podchecks::spec(spec, at, causes);
}

fn volumes<'a>(spec: &'a Value, at: &str, causes: &mut Vec<Cause>) -> BTreeSet<&'a str> {
    let mut known = BTreeSet::new();
    for (i, volume) in list(spec, "volumes").iter().enumerate() {
        let at = format!("{at}.volumes[{i}]");
        let name = text(volume, "name");
        let sources: Vec<&String> =
            volume.as_object().into_iter().flatten().map(|(name, _)| name).filter(|name| *name != "name").collect();
        for extra in sources.iter().skip(1) {
            causes.push(Cause::forbidden(format!("{at}.{extra}"), "may not specify more than 1 volume type"));
        }
        required(volume, "secret", "secretName", &at, causes);
        required(volume, "persistentVolumeClaim", "claimName", &at, causes);
        required(volume, "configMap", "name", &at, causes);
        required(volume, "hostPath", "path", &at, causes);
        super::podchecks::volume(volume, &at, causes);
        if name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
            continue;
        }
        for wrong in names::label(name) {
            causes.push(Cause::invalid(format!("{at}.name"), &name.into(), wrong));
        }
        if !known.insert(name) {
            causes.push(Cause::duplicate(format!("{at}.name"), &name.into()));
        }
    }
    known
}

fn required(volume: &Value, source: &str, field: &str, at: &str, causes: &mut Vec<Cause>) {
    if volume[source].is_object() && text(&volume[source], field).is_empty() {
        causes.push(Cause::required(format!("{at}.{source}.{field}"), ""));
    }
}

fn container(
    container: &Value,
    at: &str,
    volumes: &BTreeSet<&str>,
    host_ports: &mut BTreeSet<String>,
    causes: &mut Vec<Cause>,
) {
    let image = text(container, "image");
    if image.is_empty() {
        causes.push(Cause::required(format!("{at}.image"), ""));
    } else if image.trim() != image {
        causes.push(Cause::invalid(
            format!("{at}.image"),
            &image.into(),
            "must not have leading or trailing whitespace",
        ));
    }
    one_of(container, "terminationMessagePolicy", at, MESSAGE_POLICIES, causes);
    ports(container, at, host_ports, causes);
    env(container, at, causes);
    super::podchecks::container(container, at, causes);
    mounts(container, at, volumes, causes);
    one_of(container, "imagePullPolicy", at, PULL_POLICIES, causes);
    resources(&container["resources"], &format!("{at}.resources"), causes);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        self::probe(&container[probe], &format!("{at}.{probe}"), causes);
    }
}

fn probe(probe: &Value, at: &str, causes: &mut Vec<Cause>) {
    if !probe.is_object() {
        return;
    }
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"].iter().filter(|h| probe[**h].is_object()).count();
    if handlers == 0 {
        causes.push(Cause::required(at, "must specify a handler type"));
    }
    super::podchecks::handler(probe, at, causes);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        if let Some(n) = probe[field].as_i64().filter(|n| *n < 0) {
            causes.push(Cause::invalid(format!("{at}.{field}"), &n.into(), "must be greater than or equal to 0"));
        }
    }
    let success = probe["successThreshold"].as_i64().unwrap_or(1);
    if !at.ends_with("readinessProbe") && success > 1 {
        causes.push(Cause::invalid(format!("{at}.successThreshold"), &success.into(), "must be 1"));
    }
}

fn ports(container: &Value, at: &str, host_ports: &mut BTreeSet<String>, causes: &mut Vec<Cause>) {
    let mut taken = BTreeSet::new();
    for (i, port) in list(container, "ports").iter().enumerate() {
        let at = format!("{at}.ports[{i}]");
        let name = text(port, "name");
        if !name.is_empty() {
            super::podchecks::port_name(name, &format!("{at}.name"), causes);
            if !taken.insert(name) {
                causes.push(Cause::duplicate(format!("{at}.name"), &name.into()));
            }
        }
        for field in ["containerPort", "hostPort"] {
            match port[field].as_i64() {
                None | Some(0) if field == "containerPort" => causes.push(Cause::required(format!("{at}.{field}"), "")),
                Some(n) if !(1..=65535).contains(&n) => {
                    causes.push(Cause::invalid(
                        format!("{at}.{field}"),
                        &n.into(),
                        "must be between 1 and 65535, inclusive",
                    ));
                }
                _ => {}
            }
        }
        one_of(port, "protocol", &at, PROTOCOLS, causes);
        if let Some(host) = port["hostPort"].as_i64() {
            let id = format!("{}/{}/{host}", text(port, "protocol"), text(port, "hostIP"));
            if !host_ports.insert(id.clone()) {
                causes.push(Cause::duplicate(format!("{at}.hostPort"), &id.into()));
            }
        }
    }
}

fn field_path_problem(path: &str, volume: bool) -> Option<String> {
    if let Some((field, rest)) = path.split_once("['")
        && let Some(key) = rest.strip_suffix("']")
    {
        return match field {
            "metadata.annotations" | "metadata.labels" => {
                let wrong = names::qualified(key);
                (!wrong.is_empty()).then(|| wrong.join(";"))
            }
            _ => Some(format!("field label not supported: {path}")),
        };
    }
    let known = match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => true,
        "metadata.annotations" | "metadata.labels" => volume,
        "spec.nodeName"
        | "spec.serviceAccountName"
        | "spec.restartPolicy"
        | "status.hostIP"
        | "status.hostIPs"
        | "status.podIP"
        | "status.podIPs"
        | "spec.schedulerName"
        | "status.phase"
        | "spec.hostNetwork" => !volume,
        _ => false,
    };
    (!known).then(|| format!("error converting fieldPath: field label not supported: {path}"))
}

fn env(container: &Value, at: &str, causes: &mut Vec<Cause>) {
    for (i, variable) in list(container, "env").iter().enumerate() {
        let at = format!("{at}.env[{i}]");
        let name = text(variable, "name");
        if name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        } else if !name.bytes().all(|c| (b' '..=b'~').contains(&c) && c != b'=') {
            causes.push(Cause::invalid(format!("{at}.name"), &name.into(), ENV_NAME));
        }
        let from = &variable["valueFrom"];
        if !from.is_object() {
            continue;
        }
        let at = format!("{at}.valueFrom");
        let sources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"]
            .iter()
            .filter(|s| from[**s].is_object())
            .count();
        if sources == 0 {
            causes.push(Cause::invalid(
                &at,
                &"".into(),
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            ));
        } else if !text(variable, "value").is_empty() {
            causes.push(Cause::invalid(&at, &"".into(), "may not be specified when `value` is not empty"));
        } else if sources > 1 {
            causes.push(Cause::invalid(&at, &"".into(), "may not have more than one field specified at a time"));
        }
        if from["fieldRef"].is_object() {
            let path = text(&from["fieldRef"], "fieldPath");
            let at = format!("{at}.fieldRef.fieldPath");
            if path.is_empty() {
                causes.push(Cause::required(at, ""));
            } else if let Some(problem) = field_path_problem(path, false) {
                causes.push(Cause::invalid(at, &path.into(), problem));
            }
        }
        for source in ["configMapKeyRef", "secretKeyRef"] {
            if from[source].is_object() && text(&from[source], "key").is_empty() {
                causes.push(Cause::required(format!("{at}.{source}.key"), ""));
            }
        }
    }
}

fn mounts(container: &Value, at: &str, volumes: &BTreeSet<&str>, causes: &mut Vec<Cause>) {
    let mut taken = BTreeSet::new();
    for (i, mount) in list(container, "volumeMounts").iter().enumerate() {
        let at = format!("{at}.volumeMounts[{i}]");
        let (name, path) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        }
        if !volumes.contains(name) {
            causes.push(Cause::not_found(format!("{at}.name"), &name.into()));
        }
        if path.is_empty() {
            causes.push(Cause::required(format!("{at}.mountPath"), ""));
        }
        if !taken.insert(path) {
            causes.push(Cause::invalid(format!("{at}.mountPath"), &path.into(), "must be unique"));
        }
        for field in ["subPath", "subPathExpr"] {
            let sub = text(mount, field);
            if sub.starts_with('/') {
                causes.push(Cause::invalid(format!("{at}.{field}"), &sub.into(), "must be a relative path"));
            } else if sub.split('/').any(|part| part == "..") {
                causes.push(Cause::invalid(format!("{at}.{field}"), &sub.into(), "must not contain '..'"));
            }
        }
    }
}

fn resources(resources: &Value, at: &str, causes: &mut Vec<Cause>) {
    for kind in ["limits", "requests"] {
        for (name, amount) in resources[kind].as_object().into_iter().flatten() {
            let at = format!("{at}.{kind}[{name}]");
            if quantity::is_negative(amount) {
                causes.push(Cause::invalid(&at, amount, "must be greater than or equal to 0"));
            }
            if !name.contains('/')
                && !matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage")
                && !name.starts_with("hugepages-")
            {
                causes.push(Cause::invalid(
                    &at,
                    &name.as_str().into(),
                    "must be a standard resource type or fully qualified",
                ));
            }
        }
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let limit = &resources["limits"][name];
        if quantity::compare(request, limit) == Some(std::cmp::Ordering::Greater) {
            let detail =
                format!("must be less than or equal to {name} limit of {}", limit.as_str().unwrap_or_default());
            causes.push(Cause::invalid(format!("{at}.requests"), request, detail));
        }
    }
}

/// What an update of a pod may not change.
pub(super) fn update_forbidden(old: &Value, new: &Value) -> Vec<Cause> {
    let (before, after) = (&old["spec"], &new["spec"]);
    for kind in ["containers", "initContainers"] {
        if list(before, kind).len() != list(after, kind).len() {
            return vec![Cause::forbidden(format!("spec.{kind}"), "pod updates may not add or remove containers")];
        }
    }
    let mut causes = Vec::new();
    let deadline = |spec: &Value| spec["activeDeadlineSeconds"].as_i64();
    match (deadline(before), deadline(after)) {
        (Some(had), Some(wants)) if wants > had => {
            let detail = "must be less than or equal to previous value";
            causes.push(Cause::invalid("spec.activeDeadlineSeconds", &wants.into(), detail));
        }
        (Some(_), None) => {
            causes.push(Cause::invalid(
                "spec.activeDeadlineSeconds",
                &Value::Null,
                "must not update from a positive integer to nil value",
            ));
        }
        _ => {}
    }
    if !causes.is_empty() {
        return causes;
    }
    // A grace period that was negative counts as one second.
    let was_negative = before["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0);
    let fixed = |spec: &Value| {
        let mut spec = spec.clone();
        if let Some(fields) = spec.as_object_mut() {
            if was_negative {
                fields.remove("terminationGracePeriodSeconds");
            }
            for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
                fields.remove(field);
            }
            for kind in ["containers", "initContainers"] {
                for container in fields.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
                    if let Some(container) = container.as_object_mut() {
                        container.remove("image");
                    }
                }
            }
        }
        spec
    };
    if fixed(before) != fixed(after) {
        causes.push(Cause::forbidden("spec", MUTABLE));
    }
    causes
}

/// How a Deployment replaces its pods: it has to be able to make progress.
fn strategy(strategy: &Value, causes: &mut Vec<Cause>) {
    match text(strategy, "type") {
        "RollingUpdate" => {
            let none = |field: &str| {
                let given = &strategy["rollingUpdate"][field];
                given == 0 || given.as_str().is_some_and(|text| text.trim_end_matches('%').parse() == Ok(0))
            };
            if none("maxSurge") && none("maxUnavailable") {
                let given = &strategy["rollingUpdate"]["maxUnavailable"];
                let field = "spec.strategy.rollingUpdate.maxUnavailable";
                causes.push(Cause::invalid(field, given, "may not be 0 when `maxSurge` is 0"));
            }
        }
        "Recreate" => {
            if !strategy["rollingUpdate"].is_null() {
                let detail = "may not be specified when strategy `type` is 'Recreate'";
                causes.push(Cause::forbidden("spec.strategy.rollingUpdate", detail));
            }
        }
        _ => causes.push(Cause::not_supported("spec.strategy", strategy, &["Recreate", "RollingUpdate"])),
    }
}

/// What is wrong with an object that has a selector and a template, such as a StatefulSet.
pub(super) fn workload(kind: &str, object: &Value, causes: &mut Vec<Cause>) {
    let selector = &object["spec"]["selector"];
    let template = &object["spec"]["template"];
    let labels = &template["metadata"]["labels"];
    if let Some(replicas) = object["spec"]["replicas"].as_i64().filter(|n| *n < 0) {
        causes.push(Cause::invalid("spec.replicas", &replicas.into(), "must be greater than or equal to 0"));
    }
    let wanted = selector["matchLabels"].as_object();
    let detail = format!("empty selector is invalid for {}", kind.to_lowercase());
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if wanted.is_none_or(serde_json::Map::is_empty) && list(selector, "matchExpressions").is_empty() {
        causes.push(Cause::invalid("spec.selector", selector, detail));
    }
    if wanted.into_iter().flatten().any(|(name, value)| labels.get(name) != Some(value)) {
        causes.push(Cause::invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        ));
    }
    spec(&template["spec"], "spec.template.spec", causes);
    if template["spec"]["restartPolicy"] != "Always" {
        let given = &template["spec"]["restartPolicy"];
        causes.push(Cause::not_supported("spec.template.spec.restartPolicy", given, &["Always"]));
    }
    if kind == "Deployment" {
        strategy(&object["spec"]["strategy"], causes);
    }
    if kind == "StatefulSet" && !matches!(text(&object["spec"], "podManagementPolicy"), "OrderedReady" | "Parallel") {
        let given = &object["spec"]["podManagementPolicy"];
        causes.push(Cause::invalid("spec.podManagementPolicy", given, "must be 'OrderedReady' or 'Parallel'"));
    }
}
