//! Rules for pods beyond names, images and mounts: handlers, volumes' sources, tolerations, affinity, security.

use serde_json::Value;

use super::pod::{list, text};
use super::quantity;
use crate::api::error::Cause;

const HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "grpc"];
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const HOST_PATHS: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const IDS: std::ops::RangeInclusive<i64> = 0..=i32::MAX as i64;

/// What is wrong with the spec of a pod besides its containers.
pub(super) fn spec(spec: &Value, at: &str, causes: &mut Vec<Cause>) {
    if spec["dnsPolicy"] == "None" && list(&spec["dnsConfig"], "nameservers").is_empty() {
        let detail = if spec["dnsConfig"].is_object() {
            causes.push(Cause::required(
                format!("{at}.dnsConfig.nameservers"),
                "must provide at least one DNS nameserver when `dnsPolicy` is None",
            ));
            None
        } else {
            Some("must provide `dnsConfig` when `dnsPolicy` is None")
        };
        causes.extend(detail.map(|detail| Cause::required(format!("{at}.dnsConfig"), detail)));
    }
    if let Some(seconds) = spec["terminationGracePeriodSeconds"].as_i64().filter(|n| *n < 0) {
        let detail = "must be greater than or equal to 0";
        causes.push(Cause::invalid(format!("{at}.terminationGracePeriodSeconds"), &seconds.into(), detail));
    }
    for (i, toleration) in list(spec, "tolerations").iter().enumerate() {
        self::toleration(toleration, &format!("{at}.tolerations[{i}]"), causes);
    }
    affinity(&spec["affinity"], &format!("{at}.affinity"), causes);
    security(&spec["securityContext"], &format!("{at}.securityContext"), causes);
    for (i, alias) in list(spec, "hostAliases").iter().enumerate() {
        if text(alias, "ip").parse::<std::net::IpAddr>().is_err() {
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            causes.push(Cause::invalid(format!("{at}.hostAliases[{i}].ip"), &text(alias, "ip").into(), detail));
        }
    }
    if spec["shareProcessNamespace"] == true && spec["hostPID"] == true {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        causes.push(Cause::invalid(format!("{at}.securityContext.shareProcessNamespace"), &true.into(), detail));
    }
    if !list(spec, "ephemeralContainers").is_empty() {
        causes.push(Cause::forbidden(format!("{at}.ephemeralContainers"), "cannot be set on create"));
    }
}

fn toleration(toleration: &Value, at: &str, causes: &mut Vec<Cause>) {
    let operator = text(toleration, "operator");
    if text(toleration, "key").is_empty() && operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        causes.push(Cause::invalid(format!("{at}.operator"), &operator.into(), detail));
    }
    if toleration["tolerationSeconds"].is_number() && text(toleration, "effect") != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        causes.push(Cause::invalid(format!("{at}.effect"), &text(toleration, "effect").into(), detail));
    }
    match operator {
        "Exists" if !text(toleration, "value").is_empty() => {
            let detail = "value must be empty when `operator` is 'Exists'";
            causes.push(Cause::invalid(format!("{at}.operator"), &text(toleration, "value").into(), detail));
        }
        "" | "Equal" | "Exists" => {}
        other => {
            causes.push(Cause::not_supported(format!("{at}.operator"), &other.into(), &["Equal", "Exists"]));
        }
    }
    let effect = text(toleration, "effect");
    if !effect.is_empty() && !EFFECTS.contains(&effect) {
        causes.push(Cause::not_supported(format!("{at}.effect"), &effect.into(), EFFECTS));
    }
}

fn affinity(affinity: &Value, at: &str, causes: &mut Vec<Cause>) {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let node = &affinity["nodeAffinity"][required];
    if node.is_object() && list(node, "nodeSelectorTerms").is_empty() {
        causes.push(Cause::required(
            format!("{at}.nodeAffinity.{required}.nodeSelectorTerms"),
            "must have at least one node selector term",
        ));
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (i, term) in list(&affinity[kind], required).iter().enumerate() {
            if text(term, "topologyKey").is_empty() {
                causes.push(Cause::required(format!("{at}.{kind}.{required}[{i}].topologyKey"), "can not be empty"));
            }
        }
    }
}

/// The security settings of a pod or a container.
fn security(context: &Value, at: &str, causes: &mut Vec<Cause>) {
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        if let Some(id) = context[field].as_i64().filter(|id| !IDS.contains(id)) {
            let detail = "must be between 0 and 2147483647, inclusive";
            causes.push(Cause::invalid(format!("{at}.{field}"), &id.into(), detail));
        }
    }
    let profile = &context["seccompProfile"];
    if profile.is_object() && !PROFILES.contains(&text(profile, "type")) {
        causes.push(Cause::not_supported(format!("{at}.seccompProfile.type"), &profile["type"], PROFILES));
    }
    let policy = &context["fsGroupChangePolicy"];
    if policy.is_string() && policy != "Always" && policy != "OnRootMismatch" {
        causes.push(Cause::not_supported(format!("{at}.fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]));
    }
}

/// What is wrong with a container, init or not.
pub(super) fn container(container: &Value, at: &str, causes: &mut Vec<Cause>) {
    for (i, source) in list(container, "envFrom").iter().enumerate() {
        let at = format!("{at}.envFrom[{i}]");
        match (source["configMapRef"].is_object(), source["secretRef"].is_object()) {
            (false, false) => {
                let detail = "must specify one of: `configMapRef` or `secretRef`";
                causes.push(Cause::invalid(at, &"".into(), detail));
            }
            (true, true) => {
                causes.push(Cause::invalid(at, &"".into(), "may not have more than one field specified at a time"));
            }
            _ => {}
        }
    }
    for hook in ["postStart", "preStop"] {
        let action = &container["lifecycle"][hook];
        if action.is_object() {
            let at = format!("{at}.lifecycle.{hook}");
            if !HANDLERS.iter().chain(&["sleep"]).any(|handler| action[*handler].is_object()) {
                causes.push(Cause::required(&at, "must specify a handler type"));
            }
            handler(action, &at, causes);
        }
    }
    let context = &container["securityContext"];
    security(context, &format!("{at}.securityContext"), causes);
    if context["privileged"] == true && context["allowPrivilegeEscalation"] == false {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        causes.push(Cause::invalid(format!("{at}.securityContext"), context, detail));
    }
    let resources = &container["resources"];
    for (name, _) in resources["requests"].as_object().into_iter().flatten() {
        let extended = name.contains('/') && !name.contains("kubernetes.io/");
        if (extended || name.starts_with("hugepages-")) && resources["limits"].get(name).is_none() {
            let at = format!("{at}.resources.limits");
            causes.push(Cause::required(at, "Limit must be set for non overcommitable resources"));
        }
    }
}

/// What only init containers may not have.
pub(super) fn init_container(container: &Value, at: &str, causes: &mut Vec<Cause>) {
    if container["restartPolicy"] == "Always" {
        return;
    }
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if container[field].is_object() {
            let detail = "may not be set for init containers without restartPolicy=Always";
            causes.push(Cause::forbidden(format!("{at}.{field}"), detail));
        }
    }
}

/// What a probe or a hook does.
pub(super) fn handler(action: &Value, at: &str, causes: &mut Vec<Cause>) {
    let given: Vec<&&str> = HANDLERS.iter().filter(|handler| action[**handler].is_object()).collect();
    for more in given.iter().skip(1) {
        causes.push(Cause::forbidden(format!("{at}.{more}"), "may not specify more than 1 handler type"));
    }
    match given.first().map(|handler| **handler) {
        Some("exec") if list(&action["exec"], "command").is_empty() => {
            causes.push(Cause::required(format!("{at}.exec.command"), ""));
        }
        Some(handler @ ("httpGet" | "tcpSocket" | "grpc")) => {
            let port = &action[handler]["port"];
            let at = format!("{at}.{handler}.port");
            match (port.as_i64(), port.as_str()) {
                (Some(number), _) if !(1..=65535).contains(&number) => {
                    causes.push(Cause::invalid(at, port, "must be between 1 and 65535, inclusive"));
                }
                (_, Some(name)) => port_name(name, &at, causes),
                _ => {}
            }
        }
        _ => {}
    }
}

/// The name of a port.
pub(super) fn port_name(name: &str, at: &str, causes: &mut Vec<Cause>) {
    let mut wrong = |detail: &str| causes.push(Cause::invalid(at, &name.into(), detail));
    if name.len() > 15 {
        wrong("must be no more than 15 characters");
    }
    if !name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-') {
        wrong("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !name.bytes().any(|c| c.is_ascii_lowercase()) {
        wrong("must contain at least one letter (a-z)");
    }
    if name.contains("--") {
        wrong("must not contain consecutive hyphens");
    }
    if name.starts_with('-') || name.ends_with('-') {
        wrong("must not begin or end with a hyphen");
    }
}

/// What is wrong with the source of a volume.
pub(super) fn volume(volume: &Value, at: &str, causes: &mut Vec<Cause>) {
    let host = &volume["hostPath"];
    if host.is_object() {
        let path = text(host, "path");
        if path.split('/').any(|part| part == "..") {
            causes.push(Cause::invalid(format!("{at}.hostPath.path"), &path.into(), "must not contain '..'"));
        }
        if !HOST_PATHS.contains(&text(host, "type")) {
            causes.push(Cause::not_supported(format!("{at}.hostPath.type"), &host["type"], HOST_PATHS));
        }
    }
    for source in ["secret", "configMap"] {
        items(&volume[source], &format!("{at}.{source}"), causes);
    }
    for (i, source) in list(&volume["projected"], "sources").iter().enumerate() {
        let at = format!("{at}.projected.sources[{i}]");
        for kind in ["secret", "configMap"] {
            if source[kind].is_object() && text(&source[kind], "name").is_empty() {
                causes.push(Cause::required(format!("{at}.{kind}.name"), ""));
            }
            items(&source[kind], &format!("{at}.{kind}"), causes);
        }
        let kinds = source.as_object().map_or(0, serde_json::Map::len);
        if kinds > 1 {
            let detail = "may not specify more than 1 volume type per source";
            causes.push(Cause::forbidden(at, detail));
        }
    }
    let limit = &volume["emptyDir"]["sizeLimit"];
    if quantity::is_negative(limit) {
        let detail = "SizeLimit field must be a valid resource quantity";
        causes.push(Cause::forbidden(format!("{at}.emptyDir.sizeLimit"), detail));
    }
}

/// Keys and the paths they are written to.
fn items(source: &Value, at: &str, causes: &mut Vec<Cause>) {
    for (i, item) in list(source, "items").iter().enumerate() {
        let at = format!("{at}.items[{i}]");
        let path = text(item, "path");
        if text(item, "key").is_empty() {
            causes.push(Cause::required(format!("{at}.key"), ""));
        }
        if path.is_empty() {
            causes.push(Cause::required(format!("{at}.path"), ""));
        } else if path.starts_with('/') {
            causes.push(Cause::invalid(format!("{at}.path"), &path.into(), "must be a relative path"));
        } else if path.split('/').any(|part| part == "..") {
            causes.push(Cause::invalid(format!("{at}.path"), &path.into(), "must not contain '..'"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The refusals of a pod's spec, each as `field: message`.
    fn refusals(extra: &Value) -> Vec<String> {
        let mut pod = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}});
        for (field, value) in extra.as_object().expect("fields") {
            pod["spec"][field] = value.clone();
        }
        super::super::default_pod(&mut pod);
        let mut causes = Vec::new();
        super::super::pod::spec(&pod["spec"], "spec", &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn pods_are_refused_in_the_words_of_kubernetes() {
        let cases = [
            (
                json!({"tolerations": [{"operator": "Exists", "value": "a"}]}),
                "spec.tolerations[0].operator: Invalid value: \"a\": value must be empty when `operator` is 'Exists'",
            ),
            (
                json!({"dnsPolicy": "None"}),
                "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
            ),
            (
                json!({"volumes": [{"name": "v", "hostPath": {"path": "/../x"}}]}),
                "spec.volumes[0].hostPath.path: Invalid value: \"/../x\": must not contain '..'",
            ),
            (
                json!({"containers": [{"name": "c", "image": "i", "livenessProbe": {"exec": {"command": []}}}]}),
                "spec.containers[0].livenessProbe.exec.command: Required value",
            ),
            (
                json!({"containers": [{"name": "c", "image": "i", "lifecycle": {"preStop": {}}}]}),
                "spec.containers[0].lifecycle.preStop: Required value: must specify a handler type",
            ),
            (
                json!({"initContainers": [{"name": "i", "image": "i", "livenessProbe": {"exec": {"command": ["a"]}}}]}),
                "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
            ),
            (
                json!({"securityContext": {"runAsUser": -1}}),
                "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
            ),
        ];
        for (extra, refusal) in cases {
            assert_eq!(refusals(&extra), [refusal], "{extra}");
        }
        assert_eq!(refusals(&json!({"tolerations": [{"key": "a", "operator": "Exists"}]})), Vec::<String>::new());
    }
}
