use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::yaml;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds")
}

/// `UPDATE=1` writes the files instead.
#[test]
fn the_committed_definitions_are_those_of_the_types() {
    let update = std::env::var_os("UPDATE").is_some();
    if update {
        std::fs::create_dir_all(folder()).unwrap();
    }
    for crd in crds() {
        let file = folder().join(format!("{}.yaml", crd.spec.names.plural));
        let text = yaml::to_string(&crd);
        if update {
            std::fs::write(&file, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == text, "{} is out of date: run with UPDATE=1", file.display());
    }
}

/// What the API server asks of a structural schema, and of one that prunes.
fn check(schema: &Value, path: &str) {
    let open = schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true);
    let either = schema["x-kubernetes-int-or-string"] == Value::Bool(true);
    let type_ = schema["type"].as_str();
    assert!(type_.is_some() || open || either, "{path}: {schema}");
    assert!(!(either && type_.is_some()), "{path}: either an integer or a string has no type");
    assert!(type_ != Some("array") || schema["items"].is_object(), "{path}: a list says what its items are");
    assert!(schema["properties"].is_null() || schema["additionalProperties"].is_null(), "{path}: a map or an object");
    assert!(schema["properties"].is_null() || type_ == Some("object"), "{path}: only objects have properties");
    for forbidden in ["$ref", "definitions", "nullable", "id", "patternProperties", "dependencies", "uniqueItems"] {
        assert!(schema.get(forbidden).is_none(), "{path} has {forbidden}");
    }
    let kind = |value: &Value| match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        _ => "another",
    };
    let default = schema.get("default");
    assert!(default.is_none_or(|value| Some(kind(value)) == type_), "{path}: {default:?} is no {type_:?}");
    // What tells elements of a list apart is always there.
    for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
        let (items, name) = (&schema["items"], key.as_str().unwrap());
        let is_required = items["required"].as_array().is_some_and(|required| required.contains(key));
        let has_default = items["properties"][name].get("default").is_some();
        assert!(is_required || has_default, "{path}: {name} may be missing");
        assert_eq!(schema["x-kubernetes-list-type"], "map", "{path}");
    }
    for combined in ["anyOf", "allOf", "oneOf", "not"] {
        assert!(schema.get(combined).is_none() || either, "{path} has {combined}");
    }
    for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(schema["properties"][field].is_object(), "{path} requires {field}, which it does not have");
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, schema) in properties {
            check(schema, &format!("{path}.{name}"));
        }
    }
    if schema["items"].is_object() {
        check(&schema["items"], &format!("{path}[]"));
    }
    if schema["additionalProperties"].is_object() {
        check(&schema["additionalProperties"], &format!("{path}{{}}"));
    }
}

fn schema_of(plural: &str, version: &str) -> Value {
    let crd = crds().into_iter().find(|crd| crd.spec.names.plural == plural).unwrap();
    let version = crd.spec.versions.into_iter().find(|known| known.name == version).unwrap();
    serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap()
}

#[test]
fn schemas_are_structural() {
    for crd in crds() {
        for version in &crd.spec.versions {
            let schema = schema_of(&crd.spec.names.plural, &version.name);
            assert_eq!(schema["type"], "object");
            assert_eq!(schema["properties"]["metadata"], serde_json::json!({"type": "object"}));
            check(&schema, &crd.spec.names.plural);
        }
    }
}

/// Which fields must be given, as upstream's definitions have it; `-` stands for the items of a list.
#[test]
fn the_fields_that_must_be_given_are_upstreams() {
    for (plural, version, path, required) in [
        ("tasks", "v1", "spec/steps/-", "name"),
        ("tasks", "v1", "spec/params/-", "name"),
        ("tasks", "v1", "spec/results/-", "name"),
        ("tasks", "v1", "spec/workspaces/-", "name"),
        ("tasks", "v1", "spec/sidecars/-", "name"),
        ("tasks", "v1", "spec/steps/-/volumeMounts/-", "mountPath name"),
        ("tasks", "v1", "spec/steps/-/env/-/valueFrom/secretKeyRef", "key"),
        ("tasks", "v1", "spec/stepTemplate", ""),
        ("pipelines", "v1", "spec/tasks/-/params/-", "name value"),
        ("pipelines", "v1", "spec/tasks/-/taskRef/params/-", "name value"),
        ("pipelines", "v1", "spec/tasks/-", ""),
        ("pipelines", "v1", "spec/results/-", "name value"),
        ("pipelines", "v1beta1", "spec/results/-", "name value"),
        ("taskruns", "v1", "spec", ""),
        ("taskruns", "v1", "spec/stepSpecs/-", "computeResources name"),
        ("taskruns", "v1", "spec/workspaces/-/configMap", ""),
        ("taskruns", "v1", "spec/workspaces/-/persistentVolumeClaim", "claimName"),
        ("taskruns", "v1", "spec/podTemplate/hostAliases/-", "ip"),
        ("taskruns", "v1", "status", "podName"),
        ("taskruns", "v1", "status/taskSpec/steps/-", "name"),
        ("pipelineruns", "v1", "spec", ""),
        ("pipelineruns", "v1", "status/skippedTasks/-", "name reason"),
        ("customruns", "v1beta1", "spec", ""),
        ("customruns", "v1beta1", "status", ""),
        ("verificationpolicies", "v1alpha1", "", "spec"),
        ("verificationpolicies", "v1alpha1", "spec", "authorities resources"),
    ] {
        let mut schema = schema_of(plural, version);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            schema = if part == "-" { schema["items"].take() } else { schema["properties"][part].take() };
            assert!(schema.is_object(), "{plural} {path}: there is no {part}");
        }
        let mut found: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        found.sort_unstable();
        assert_eq!(found.join(" "), required, "{plural} {version} {path}");
    }
}

/// Fields that are open on purpose are those whose inside upstream's definitions leave to admission, too.
#[test]
fn only_fields_whose_inside_admission_checks_are_open() {
    fn open(schema: &Value, path: &str, found: &mut Vec<String>) {
        if schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true) {
            found.push(path.to_owned());
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            open(inner, &format!("{path}.{name}"), found);
        }
        for inner in [&schema["items"], &schema["additionalProperties"]] {
            if inner.is_object() {
                open(inner, path, found);
            }
        }
    }
    const ENDS: &[&str] = &[
        // Specs and tasks in place.
        "taskSpec",
        "pipelineSpec",
        "spec",
        "extraFields",
        // Values that are a string, a list or a map.
        "value",
        "default",
        "params",
        "results",
        // Volumes, and what a claim's template holds.
        "volumes",
        "volumeClaimTemplate",
        "ephemeral",
        // Statuses within statuses.
        "retriesStatus",
        "taskRuns",
        "runs",
    ];
    for crd in crds() {
        for version in &crd.spec.versions {
            let mut found = Vec::new();
            open(&schema_of(&crd.spec.names.plural, &version.name), "", &mut found);
            for path in found {
                let end = path.rsplit('.').next().unwrap();
                assert!(ENDS.contains(&end), "{} {}: {path} is open", crd.spec.names.plural, version.name);
            }
        }
    }
}

#[test]
fn what_clients_see_of_a_definition_is_upstreams() {
    let all = crds();
    let of = |plural: &str| &all.iter().find(|crd| crd.spec.names.plural == plural).unwrap().spec;
    for crd in &all {
        let names = &crd.spec.names;
        assert_eq!(names.categories.as_deref(), Some(&["tekton".to_owned(), "tekton-pipelines".to_owned()][..]));
        assert_eq!(crd.spec.versions.iter().filter(|version| version.storage).count(), 1, "{}", names.plural);
        assert_eq!(crd.spec.conversion.is_some(), crd.spec.versions.len() > 1, "{}", names.plural);
        // Upstream's have none.
        assert!(crd.spec.versions.iter().all(|version| version.selectable_fields.is_none()));
        for version in &crd.spec.versions {
            let status = serde_json::to_value(version).unwrap()["subresources"]["status"].take();
            assert_eq!(status.is_object(), names.plural != "verificationpolicies", "{}: {status}", names.plural);
        }
    }
    assert_eq!(of("taskruns").names.short_names.as_deref(), Some(&["tr".to_owned(), "trs".to_owned()][..]));
    assert_eq!(of("pipelineruns").names.short_names.as_deref(), Some(&["pr".to_owned(), "prs".to_owned()][..]));
    for plural in ["taskruns", "pipelineruns", "customruns"] {
        for version in &of(plural).versions {
            let columns = version.additional_printer_columns.as_ref().unwrap();
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            assert_eq!(names, ["Succeeded", "Reason", "StartTime", "CompletionTime"], "{plural}");
        }
    }
    assert!(of("tasks").versions.iter().all(|version| version.additional_printer_columns.is_none()));
}

/// A server fills these in, and an apply merges so; upstream's definitions say the same.
#[test]
fn parts_of_kubernetes_have_its_defaults_and_merge_as_it_says() {
    let schema = schema_of("tasks", "v1");
    let step = &schema["properties"]["spec"]["properties"]["steps"]["items"]["properties"];
    let secret = &step["env"]["items"]["properties"]["valueFrom"]["properties"]["secretKeyRef"];
    assert_eq!(secret["x-kubernetes-map-type"], "atomic");
    assert_eq!(secret["properties"]["name"]["default"], "");
    let claims = &step["computeResources"]["properties"]["claims"];
    assert_eq!(claims["x-kubernetes-list-map-keys"], serde_json::json!(["name"]));
    let ports = &schema["properties"]["spec"]["properties"]["sidecars"]["items"]["properties"]["ports"];
    assert_eq!(ports["x-kubernetes-list-map-keys"], serde_json::json!(["containerPort", "protocol"]));
    assert_eq!(ports["items"]["properties"]["protocol"]["default"], "TCP");
    // It came with a later Kubernetes than the one that upstream is built with.
    assert!(step["volumeMounts"]["items"]["properties"]["bindMountOptions"].is_null());
}

#[test]
fn a_definition_is_small_enough_for_kubectl_apply() {
    for crd in crds() {
        let size = serde_json::to_string(&crd).unwrap().len();
        assert!(size < 250_000, "{} has {size} bytes", crd.spec.names.plural);
    }
}

#[test]
fn without_a_webhook_nothing_needs_one() {
    for definition in super::crds_without_webhook() {
        let name = definition.metadata.name.as_deref().unwrap_or_default();
        let strategy = definition.spec.conversion.as_ref().map_or("None", |conversion| &conversion.strategy);
        assert_eq!(strategy, "None", "{name}");
        let served = definition.spec.versions.iter().filter(|version| version.served);
        let served: Vec<&str> = served.map(|version| version.name.as_str()).collect();
        let expected: &[&str] = match name {
            "customruns.tekton.dev" | "resolutionrequests.resolution.tekton.dev" => &["v1beta1"],
            // Both versions have the same shape.
            "stepactions.tekton.dev" => &["v1alpha1", "v1beta1"],
            "verificationpolicies.tekton.dev" => &["v1alpha1"],
            _ => &["v1"],
        };
        assert_eq!(served, expected, "{name}");
    }
    let tasks =
        super::crds_without_webhook().into_iter().find(|crd| crd.spec.names.kind == "Task").expect("there are Tasks");
    let text = serde_json::to_value(&tasks.spec.versions[1].schema).expect("a schema is JSON");
    let step = "/openAPIV3Schema/properties/spec/properties/steps/items";
    assert_eq!(text.pointer(step).expect("a Task has steps")["required"], Value::Null);
    let sidecar = "/openAPIV3Schema/properties/spec/properties/sidecars/items";
    assert_eq!(text.pointer(sidecar).expect("a Task has sidecars")["required"], serde_json::json!(["name"]));
}
