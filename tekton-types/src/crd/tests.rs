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

/// Every schema has a type or says that it is open, and nothing that a structural schema must not have.
fn check(schema: &Value, path: &str) {
    let open = schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true);
    let either = schema["x-kubernetes-int-or-string"] == Value::Bool(true);
    assert!(schema["type"].is_string() || open || either, "{path}: {schema}");
    for forbidden in ["$ref", "default", "definitions", "nullable"] {
        assert!(schema.get(forbidden).is_none(), "{path} has {forbidden}");
    }
    if let Some(properties) = schema["properties"].as_object() {
        properties.iter().for_each(|(name, schema)| check(schema, &format!("{path}.{name}")));
    }
    if schema["items"].is_object() {
        check(&schema["items"], &format!("{path}[]"));
    }
    if schema["additionalProperties"].is_object() {
        check(&schema["additionalProperties"], &format!("{path}{{}}"));
    }
}

#[test]
fn schemas_are_structural() {
    for crd in crds() {
        for version in &crd.spec.versions {
            let schema = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref());
            check(&serde_json::to_value(schema).unwrap(), &crd.spec.names.plural);
        }
    }
}

#[test]
fn a_definition_is_small_enough_for_kubectl_apply() {
    for crd in crds() {
        let size = serde_json::to_string(&crd).unwrap().len();
        assert!(size < 250_000, "{} has {size} bytes", crd.spec.names.plural);
    }
}
