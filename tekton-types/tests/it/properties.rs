//! What holds for any input: durations, parameter values, YAML and its way to objects and back.

use proptest::prelude::*;
use serde_json::Value;
use tekton_types::Object;
use tekton_types::decode::Mode;
use tekton_types::duration::GoDuration;
use tekton_types::quantity::Quantity;
use tekton_types::v1::{Param, ParamValue, Step, Task, TaskSpec};
use tekton_types::v1beta1::convert::{to_hub, to_version};
use tekton_types::yaml;

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        "[ \\t\\n:#'\"|>&*!%@`{}\\[\\],?-]{0,8}",
        "([a-z ]{0,6}\n){0,4}",
        prop::sample::select(vec![
            "yes",
            "no",
            "null",
            "~",
            "1",
            "017",
            "1e3",
            ".inf",
            "<<",
            "=",
            "2001-01-01",
            "12:30"
        ])
        .prop_map(str::to_owned),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(texts(), inner, 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn param_values() -> impl Strategy<Value = ParamValue> {
    prop_oneof![
        texts().prop_map(ParamValue::String),
        prop::collection::vec(texts(), 0..4).prop_map(ParamValue::Array),
        prop::collection::btree_map(texts(), texts(), 0..4)
            .prop_map(|entries| ParamValue::Object(entries.into_iter().collect())),
    ]
}

/// Replaces from left to right, as plainly as can be said: a reference ends at the next `)`.
fn replaced_plainly(text: &str, known: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("$(") {
        out.push_str(before);
        let found = behind
            .split_once(')')
            .and_then(|(key, after)| Some((known.iter().find(|(name, _)| *name == key)?.1, after)));
        let (value, after) = found.unwrap_or(("$(", behind));
        out.push_str(value);
        rest = after;
    }
    out + rest
}

/// An object with one of its values replaced: which one, and with what.
fn disturbed(object: &Value, at: usize, with: &Value) -> Value {
    fn walk(value: &mut Value, left: &mut usize, with: &Value) {
        if *left == 0 {
            *value = with.clone();
        }
        *left = left.wrapping_sub(1);
        match value {
            Value::Object(entries) => entries.values_mut().for_each(|value| walk(value, left, with)),
            Value::Array(items) => items.iter_mut().for_each(|value| walk(value, left, with)),
            _ => {}
        }
    }
    fn count(value: &Value) -> usize {
        match value {
            Value::Object(entries) => 1 + entries.values().map(count).sum::<usize>(),
            Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
            _ => 1,
        }
    }
    let mut object = object.clone();
    let mut left = at % count(&object);
    walk(&mut object["spec"], &mut left, with);
    object
}

/// Objects of the older version with most of what conversion moves.
fn old_objects() -> Vec<Value> {
    let task = serde_json::json!({
        "params": [{"name": "a", "default": "b"}], "resources": {"inputs": [{"name": "r", "type": "git"}]},
        "stepTemplate": {"name": "t", "env": [{"name": "E", "value": "v"}]},
        "steps": [{"name": "s", "image": "i", "tty": true, "ports": [{"containerPort": 1}], "resources": {"limits": {"cpu": "1"}}}],
        "sidecars": [{"name": "c", "image": "i", "resources": {}}], "results": [{"name": "r"}],
    });
    let overrides = serde_json::json!([{"name": "s", "resources": {"limits": {"cpu": "1"}}}]);
    let kinds = [
        ("Task", task.clone()),
        (
            "TaskRun",
            serde_json::json!({"taskSpec": task, "stepOverrides": overrides, "timeout": "1h", "resources": {"inputs": [{"name": "r"}]}}),
        ),
        (
            "Pipeline",
            serde_json::json!({"resources": [{"name": "r", "type": "git"}], "tasks": [{"name": "a", "taskSpec": task, "matrix": {}}]}),
        ),
        (
            "PipelineRun",
            serde_json::json!({"pipelineRef": {"name": "p"}, "serviceAccountName": "sa", "timeout": "1h",
            "taskRunSpecs": [{"pipelineTaskName": "a", "taskServiceAccountName": "b", "stepOverrides": overrides, "metadata": {"labels": {"l": "m"}}}]}),
        ),
    ];
    let object = |(kind, spec)| serde_json::json!({"apiVersion": "tekton.dev/v1beta1", "kind": kind, "metadata": {"name": "o"}, "spec": spec});
    kinds.map(object).into()
}

proptest! {
    #[test]
    fn references_are_replaced_from_left_to_right(text in "([$()a-c. ]|\\$\\(|\\$\\(a\\)|\\$\\(b.c\\)|\\$\\(\\)|\u{e9}){0,24}") {
        let known = [("a", "$(b.c)"), ("b.c", "1"), ("", "empty")];
        let mut table = tekton_contract::var::Table::new();
        for (key, value) in known {
            table.set(key, value);
        }
        let replaced = table.apply(&text);
        prop_assert_eq!(replaced.as_ref(), replaced_plainly(&text, &known));
    }

    #[test]
    fn what_was_converted_to_and_fro_once_stays_as_it_is(kind in 0..4_usize, at in any::<usize>(), with in values()) {
        let old = disturbed(&old_objects()[kind], at, &with);
        let (Some(object), _) = Object::from_json(&old) else { return Ok(()) };
        let round = |object: Object| to_version(object, "tekton.dev/v1beta1").and_then(to_hub);
        let Ok(once) = to_hub(object).and_then(round) else { return Ok(()) };
        prop_assert_eq!(round(once.clone()), Ok(once));
    }

    #[test]
    fn a_duration_prints_what_it_parses(nanos in any::<i64>()) {
        let duration = GoDuration::from_nanos(nanos);
        prop_assert_eq!(duration.to_string().parse::<GoDuration>(), Ok(duration));
    }

    #[test]
    fn any_text_is_a_duration_or_an_error(text in "[-+0-9.hmsuµn]{0,24}") {
        let _ = text.parse::<GoDuration>();
    }

    #[test]
    fn a_canonical_quantity_is_its_own_canonical_form(text in "[-+]?[0-9]{0,20}[.]?[0-9]{0,12}(m|k|Ki|Gi|E|e[-+]?[0-9]{1,9})?") {
        if let Some(quantity) = Quantity::parse(&text) {
            let canonical = quantity.to_string();
            let again = Quantity::parse(&canonical).map(|q| q.to_string());
            prop_assert_eq!(again, Some(canonical));
        }
    }

    #[test]
    fn a_parameter_value_survives_json(value in param_values()) {
        let json = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(serde_json::from_str::<ParamValue>(&json).unwrap(), value);
    }

    #[test]
    fn any_json_is_a_parameter_value(value in values()) {
        prop_assert!(serde_json::from_value::<ParamValue>(value).is_ok());
    }

    #[test]
    fn json_survives_yaml(value in values()) {
        let text = yaml::to_string(&value);
        let documents = yaml::parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(documents.first().map_or(Value::Null, yaml::Document::to_json), value, "{}", text);
    }

    #[test]
    fn any_text_is_yaml_or_an_error(text in "[ -~\n\t]{0,80}") {
        for document in yaml::parse_each(&text).flatten() {
            let _ = Object::decode(&document, Mode::Strict);
        }
    }

    #[test]
    fn an_object_survives_yaml(scripts in prop::collection::vec(texts(), 0..3), value in param_values()) {
        let steps = scripts.into_iter().map(|script| Step { script, ..Step::default() }).collect();
        let params = vec![tekton_types::v1::ParamSpec {
            name: "p".to_owned(),
            default: Some(value),
            ..Default::default()
        }];
        let task = Task { spec: TaskSpec { steps, params, ..TaskSpec::default() }, ..Task::default() };
        let text = yaml::to_string(&task);
        let documents = yaml::parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let read = Object::decode(&documents[0], Mode::Strict).map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
        prop_assert_eq!(read, Object::from(task), "{}", text);
    }

    #[test]
    fn decoding_any_shape_ends_in_an_object_or_in_errors(spec in values(), param in values()) {
        for kind in ["Task", "TaskRun", "Pipeline", "PipelineRun"] {
            let value = serde_json::json!({"apiVersion": "tekton.dev/v1", "kind": kind, "metadata": &param, "spec": &spec});
            let (object, errors) = Object::from_json(&value);
            prop_assert!(object.is_some() || !errors.is_empty());
        }
        let _ = tekton_types::decode::from_json::<Param>(&param);
    }
}
