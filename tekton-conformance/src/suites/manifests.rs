//! Suites `examples`, `validate-mutations` and `realworld`: YAML text → decode → default → validate.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use tekton_types::Object;
use tekton_types::config::Config;
use tekton_types::decode::{DecodeError, Problem};
use tekton_types::yaml;
use tekton_validate::{Diagnostic, Operation, field_error, validate_with_source, without_a_value};

use super::validate::{compare, config};
use crate::{Case, cases_dir, diff};

/// What became of one document.
struct Outcome {
    rejected_by: Option<&'static str>,
    strict: BTreeSet<String>,
    object: Option<Value>,
    /// Whether admission cannot write the object back.
    cannot_encode: bool,
    found: Vec<Diagnostic>,
}

impl Outcome {
    /// The verdict where writing the object back was recorded too.
    fn with_encoding(mut self) -> Self {
        if self.cannot_encode && matches!(self.rejected_by, None | Some("validate")) {
            self.rejected_by = Some("encode");
        }
        self
    }
}

/// Checks one case of `examples` or `validate-mutations`.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let config = config(&input["config"])?;
    let text = input["yaml"].as_str().unwrap_or_default();
    let ours = run(text, 0, input["assignedName"].as_str(), &config);
    compare_outcome(&case.expect, &ours)?;
    if case.expect["object"].is_object() {
        let object = ours.object.as_ref().unwrap_or(&Value::Null);
        diff::equal(&case.expect["object"], object)?;
    }
    Ok(())
}

/// Checks one case of `realworld`.
pub(super) fn check_realworld(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let dir = cases_dir().ok_or("there is no folder of recorded cases")?;
    let file = dir.join("../realworld").join(input["file"].as_str().unwrap_or_default());
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let index = input["doc"].as_u64().and_then(|d| usize::try_from(d).ok()).unwrap_or_default();
    let name = input["assignedName"].as_str();
    compare_outcome(&case.expect, &run(&text, index, name, &Config::default()).with_encoding())?;
    for (profile, flags) in PROFILES {
        let data = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let config = Config::from_config_maps([("feature-flags", &data)]).map_err(|e| e.to_string())?;
        let mut expect = case.expect.clone();
        if let Some(other) = case.expect["underConfig"][profile].as_object() {
            for (key, value) in other {
                expect[key.as_str()] = value.clone();
            }
            if !other.contains_key("rejectedBy") {
                expect["rejectedBy"] = Value::Null;
            }
            if !other.contains_key("error") {
                expect["error"] = Value::Null;
            }
        }
        compare_outcome(&expect, &run(&text, index, name, &config).with_encoding())
            .map_err(|e| format!("under {profile}:\n{e}"))?;
    }
    Ok(())
}

const PROFILES: [(&str, &[(&str, &str)]); 3] = [
    ("alpha", &[("enable-api-fields", "alpha")]),
    ("stable", &[("enable-api-fields", "stable")]),
    (
        "alphaAll",
        &[
            ("enable-api-fields", "alpha"),
            ("results-from", "sidecar-logs"),
            ("keep-pod-on-cancel", "true"),
            ("enable-cel-in-whenexpression", "true"),
            ("enable-param-enum", "true"),
            ("enable-artifacts", "true"),
            ("enable-concise-resolver-syntax", "true"),
            ("enable-kubernetes-sidecar", "true"),
            ("enable-termination-message-compression", "true"),
        ],
    ),
];

fn rejected(by: &'static str) -> Outcome {
    Outcome { rejected_by: Some(by), strict: BTreeSet::new(), object: None, cannot_encode: false, found: Vec::new() }
}

fn run(text: &str, index: usize, assigned: Option<&str>, config: &Config) -> Outcome {
    let Some(Ok(document)) = yaml::parse_each(text).nth(index) else { return rejected("yaml") };
    let (object, errors) = Object::observe(&document);
    let is_kind = |e: &DecodeError| matches!(e.problem, Problem::UnknownKind | Problem::RemovedKind { .. });
    if errors.iter().any(is_kind) || matches!(object, Some(Object::Other(_))) {
        return rejected("kind");
    }
    if errors.iter().any(|e| e.problem == Problem::BadValue) {
        return rejected("decode");
    }
    let Some(mut object) = object else { return rejected("decode") };
    let by_field = !Object::refusals(&document).is_empty();
    let strict = errors
        .iter()
        .filter(|e| matches!(e.problem, Problem::UnknownField { .. }))
        .map(|e| e.message.clone())
        .collect();
    object.set_defaults(config, true);
    let recorded = object.to_json();
    if let (Some(name), Some(metadata)) = (assigned, object.metadata_mut()) {
        metadata.name = Some(name.to_owned());
    }
    let source = document.to_json();
    let found = validate_with_source(&object, &source, config, Operation::Create);
    let rejected_by = if by_field {
        Some("unknown-field")
    } else if found.is_empty() {
        None
    } else {
        Some("validate")
    };
    let cannot_encode = !without_a_value(&source).is_empty();
    Outcome { rejected_by, strict, object: Some(recorded), cannot_encode, found }
}

fn compare_outcome(expect: &Value, ours: &Outcome) -> Result<(), String> {
    let theirs = expect["rejectedBy"].as_str();
    if matches!(theirs, Some("panic")) {
        return if ours.rejected_by.is_some() { Ok(()) } else { Err("  upstream breaks off, we accept".to_owned()) };
    }
    if theirs != ours.rejected_by {
        return Err(format!(
            "  rejected by: theirs {theirs:?}, ours {:?}\n  theirs: {}\n    ours: {}",
            ours.rejected_by,
            expect["error"],
            field_error(&ours.found)
        ));
    }
    if ours.object.is_none() {
        return Ok(());
    }
    if let Some(errors) = expect["decode"]["strictErrors"].as_array() {
        let theirs: BTreeSet<String> = errors.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if theirs != ours.strict {
            return Err(format!("  strict: theirs {theirs:?}\n            ours {:?}", ours.strict));
        }
    }
    compare(expect, &ours.found)
}
