//! The JSON Schemas: real manifests conform to them, common mistakes do not.

use jsonschema::Validator;
use serde_json::json;
use tekton_types::decode::Mode;
use tekton_types::object::KINDS;
use tekton_types::{Object, schema, yaml};

use crate::manifests::files;

fn validator(schema: &serde_json::Value) -> Validator {
    jsonschema::validator_for(schema).expect("the schema is one")
}

#[test]
fn every_readable_manifest_conforms_to_the_schema_of_its_kind() {
    let any = validator(&schema::any());
    let mut checked = 0;
    for (file, text) in files() {
        for document in yaml::parse_each(&text).flatten() {
            if Object::decode(&document, Mode::Strict).is_err() {
                continue;
            }
            let value = document.to_json();
            let problems: Vec<String> =
                any.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(problems.is_empty(), "{} document {}: {problems:#?}", file.display(), document.index);
            checked += 1;
        }
    }
    eprintln!("{checked} documents");
    assert!(checked > 15);
}

#[test]
fn each_kind_has_a_schema_of_its_own_that_stands_alone() {
    for (api_version, kind) in KINDS {
        let schema = schema::of(api_version, kind).expect("a schema");
        let validator = validator(&schema);
        let minimal = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
        assert!(validator.is_valid(&minimal), "{api_version} {kind}");
        assert!(!validator.is_valid(&json!({"apiVersion": api_version, "kind": "Pod"})), "{api_version} {kind}");
        assert!(!validator.is_valid(&json!({"apiVersion": api_version, "kind": kind, "speck": {}})), "{kind}");
    }
}

#[test]
fn a_misspelt_field_is_found_at_any_depth() {
    let any = validator(&schema::any());
    let run = |step: serde_json::Value| {
        json!({"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": {"name": "r"},
            "spec": {"pipelineSpec": {"tasks": [{"name": "a", "taskSpec": {"steps": [step]}}]}}})
    };
    assert!(any.is_valid(&run(json!({"image": "a", "script": "b", "env": null}))));
    assert!(!any.is_valid(&run(json!({"image": "a", "scripts": "b"}))));
    assert!(!any.is_valid(&run(json!({"image": ["a"]}))));
    assert!(any.is_valid(&json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}})));
}

#[test]
fn files_are_named_after_kinds_and_older_versions() {
    assert_eq!(schema::file_name("tekton.dev/v1", "PipelineRun"), "pipelinerun.json");
    assert_eq!(schema::file_name("tekton.dev/v1beta1", "PipelineRun"), "pipelinerun-v1beta1.json");
}
