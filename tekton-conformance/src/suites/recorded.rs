//! Shapes that the suites of the pipeline side share: optional orders, alternative error texts, graphs.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tekton_dag::graph::{Dependencies, Graph};

use crate::{Case, diff};

/// The operation of a case.
pub(super) fn op(case: &Case) -> &str {
    case.input["op"].as_str().unwrap_or_default()
}

/// One field of the input, read as an API type; absent and null are the default.
pub(super) fn field<T: DeserializeOwned + Default>(case: &Case, name: &str) -> Result<T, String> {
    typed(&case.input[name]).map_err(|e| format!("input.{name}: {e}"))
}

/// A value read as an API type; null is the default.
pub(super) fn typed<T: DeserializeOwned + Default>(value: &Value) -> Result<T, String> {
    if value.is_null() { Ok(T::default()) } else { T::deserialize(value).map_err(|e| e.to_string()) }
}

/// Compares our answer with the recorded one, where lists named in `unordered` are multisets and an error text
/// may be any of the recorded alternatives.
pub(super) fn compare(case: &Case, mut ours: Value) -> Result<(), String> {
    let mut expected = case.expect.clone();
    if let Some(alternatives) = expected.as_object_mut().and_then(|e| e.remove("errorAlternatives"))
        && alternatives.as_array().is_some_and(|all| all.contains(&ours["error"]))
    {
        expected["error"] = ours["error"].clone();
    }
    for name in &case.unordered {
        for side in [&mut expected, &mut ours] {
            if let Some(items) = side.get_mut(name).and_then(Value::as_array_mut) {
                items.sort_by_key(Value::to_string);
            }
        }
    }
    diff::equal(&expected, &ours)
}

/// Reads a recorded graph; `None` when it is null.
pub(super) fn graph(value: &Value) -> Result<Option<Graph>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let nodes: Vec<&str> = value["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut dependencies = Dependencies::new();
    for edge in value["edges"].as_array().into_iter().flatten() {
        let (from, to) = (edge[0].as_str().unwrap_or_default(), edge[1].as_str().unwrap_or_default());
        dependencies.entry(to).or_default().push(from);
    }
    Graph::build(nodes, &dependencies).map(Some).map_err(|e| e.to_string())
}

/// Writes a graph as it is recorded: sorted names and sorted edges.
pub(super) fn graph_json(graph: &Graph) -> Value {
    let mut nodes: Vec<&str> = graph.names().collect();
    nodes.sort_unstable();
    let mut edges: Vec<[&str; 2]> = graph.edges().map(|(from, to)| [graph.name(from), graph.name(to)]).collect();
    edges.sort_unstable();
    json!({ "nodes": nodes, "edges": edges })
}
