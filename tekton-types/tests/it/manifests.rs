//! Real manifests: nothing is lost between text and objects, and migration says what conversion says.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tekton_types::decode::Mode;
use tekton_types::duration::GoDuration;
use tekton_types::migrate::{self, migrate};
use tekton_types::quantity::Quantity;
use tekton_types::v1beta1::convert::{to_hub, to_version};
use tekton_types::{Object, yaml};

fn own_examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/yaml")
}

/// The folder of real manifests beside the recorded cases, when it is there.
pub(crate) fn real_manifests() -> Option<PathBuf> {
    let cases = std::env::var_os("TEKTON_CONFORMANCE_DIR").map(PathBuf::from);
    let cases = cases.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance"));
    let folder = cases.join("../realworld");
    if !folder.is_dir() {
        eprintln!("skipped: there are no real manifests at {}", folder.display());
        return None;
    }
    Some(folder)
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            files.push((path, text));
        }
    }
}

/// All manifests: the project's own, and the real ones when they are there.
pub(crate) fn files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    collect(&own_examples(), &mut files);
    assert!(!files.is_empty(), "the project has examples");
    if let Some(folder) = real_manifests() {
        collect(&folder, &mut files);
    }
    files
}

/// The first value of a document that its object does not have; what is empty says nothing.
fn lost(source: &Value, object: &Value, path: &str) -> Option<String> {
    match (source, object) {
        (Value::Object(source), Value::Object(object)) => source
            .iter()
            .find_map(|(key, value)| lost(value, object.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"))),
        (Value::Array(source), Value::Array(object)) if source.len() == object.len() => {
            source.iter().zip(object).enumerate().find_map(|(i, (a, b))| lost(a, b, &format!("{path}[{i}]")))
        }
        (source, object) if same_scalar(source, object) || is_empty(source) && object.is_null() => None,
        _ => Some(format!("{path}: {source} became {object}")),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.values().all(is_empty),
    }
}

/// Quantities and durations may be written in several ways; parameters take numbers as text.
fn same_scalar(a: &Value, b: &Value) -> bool {
    if a == b {
        return true;
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (a, b) = (text(a), text(b));
    let quantity = |text: &str| Quantity::parse(text).map(|quantity| quantity.to_string());
    a == b
        || (quantity(&a).is_some() && quantity(&a) == quantity(&b))
        || a.parse::<GoDuration>().is_ok_and(|duration| b.parse() == Ok(duration))
}

#[test]
fn nothing_is_lost_from_text_to_object_and_back() {
    let mut checked = 0;
    for (file, text) in files() {
        for document in yaml::parse_each(&text).flatten() {
            let Ok(object) = Object::decode(&document, Mode::Strict) else { continue };
            let place = format!("{} document {}", file.display(), document.index);
            assert_eq!(lost(&document.to_json(), &object.to_json(), ""), None, "{place}");
            let printed = yaml::to_string(&object.to_json());
            let again = Object::decode(&yaml::parse(&printed).unwrap()[0], Mode::Strict);
            assert_eq!(again.as_ref(), Ok(&object), "{place}");
            checked += 1;
        }
    }
    eprintln!("{checked} documents");
    assert!(checked > 15);
}

#[test]
fn lenient_reading_accepts_all_that_strict_reading_does() {
    for (file, text) in files() {
        for document in yaml::parse_each(&text).flatten() {
            let strict = Object::decode(&document, Mode::Strict);
            let lenient = Object::decode(&document, Mode::Lenient);
            if strict.is_ok() {
                assert_eq!(lenient, strict, "{}", file.display());
            }
        }
    }
}

#[test]
fn every_object_goes_to_its_older_version_and_back_unchanged_but_for_what_is_lost_on_purpose() {
    for (file, text) in files() {
        for document in yaml::parse_each(&text).flatten() {
            let Ok(object) = Object::decode(&document, Mode::Strict) else { continue };
            let older = match (object.api_version().split('/').next(), object.kind()) {
                (Some("tekton.dev"), "StepAction") => "tekton.dev/v1alpha1",
                (Some("tekton.dev"), "Task" | "TaskRun" | "Pipeline" | "PipelineRun") => "tekton.dev/v1beta1",
                _ => continue,
            };
            let round = |object: Object| to_version(object, older).and_then(to_hub);
            let once = round(object).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(round(once.clone()).as_ref(), Ok(&once), "{} document {}", file.display(), document.index);
        }
    }
}

/// Without what conversion keeps in annotations for the way back, what it loses, and the older spelling of variables.
fn comparable(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(entries) => {
                for key in ["managedBy", "status"] {
                    entries.remove(key);
                }
                if let Some(annotations) = entries.get_mut("annotations").and_then(Value::as_object_mut) {
                    annotations.retain(|key, _| !key.starts_with("tekton.dev/v1beta1"));
                    if annotations.is_empty() {
                        entries.remove("annotations");
                    }
                }
                entries.values_mut().for_each(walk);
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::String(text) => *text = text.replace("$(inputs.params", "$(params"),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

fn upgraded(object: Object) -> Value {
    let mut object = to_hub(object).expect("the document can be converted");
    object.set_defaults(&tekton_types::config::Config::default(), true);
    comparable(object.to_json())
}

#[test]
fn a_migrated_document_is_the_conversion_of_the_old_one() {
    let options = migrate::Options::default();
    let (mut migrated, mut compared, mut left) = (0, 0, 0);
    for (file, text) in files() {
        let done = migrate(&text, &options);
        let again = migrate(&done.text, &options);
        assert_eq!(again.text, done.text, "{} is not stable", file.display());
        assert!(done.notes.iter().all(|note| note.code != "layout"), "{}: {:#?}", file.display(), done.notes);
        migrated += done.changed;
        left += done.notes.iter().filter(|note| note.blocks && note.code != "yaml").count();
        let refused = |document| done.notes.iter().any(|note| note.blocks && note.document == document);
        for (old, new) in yaml::parse_each(&text).zip(yaml::parse_each(&done.text)) {
            let (Ok(old), Ok(new)) = (old, new) else { continue };
            let (Ok(before), true) = (Object::decode(&old, Mode::Strict), !refused(old.index)) else { continue };
            let is_old = before.api_version() == "tekton.dev/v1beta1"
                && ["Task", "TaskRun", "Pipeline", "PipelineRun"].contains(&before.kind());
            if !is_old || text.contains("kind: ClusterTask") {
                continue;
            }
            let after = Object::decode(&new, Mode::Strict);
            let after = after.unwrap_or_else(|errors| panic!("{}: {errors:#?}", file.display()));
            assert_eq!(after.api_version(), "tekton.dev/v1", "{}", file.display());
            assert_eq!(upgraded(after), upgraded(before), "{} document {}", file.display(), old.index);
            compared += 1;
        }
    }
    eprintln!(
        "{migrated} documents migrated, {compared} compared with their conversion, {left} things left to a person"
    );
    if real_manifests().is_some() {
        assert!(compared > 400);
    }
}

#[test]
fn comments_survive_migration() {
    for (file, text) in files() {
        let done = migrate(&text, &migrate::Options::default());
        let dropped = done.notes.iter().filter(|note| note.code == "dropped-field").count();
        let comments = |text: &str| text.matches(" # ").count();
        assert!(comments(&done.text) + dropped >= comments(&text), "{}", file.display());
    }
}
