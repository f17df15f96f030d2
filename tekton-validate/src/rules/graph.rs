//! The graph of a pipeline: every dependency exists and there is no cycle.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use tekton_types::v1::PipelineTask;

use crate::errors::{Errors, FieldError};
use crate::rules::result_refs::of_task;
use crate::text::quote;

/// The graph that results and `runAfter` make.
pub(crate) fn validate(tasks: &[PipelineTask]) -> Errors {
    match problem(tasks) {
        Some(message) => FieldError::invalid_value(message, "tasks").into(),
        None => Errors::none(),
    }
}

/// What is wrong with the graph.
pub(crate) fn problem(tasks: &[PipelineTask]) -> Option<String> {
    let mut known = HashSet::new();
    for task in tasks {
        if !known.insert(task.name.as_str()) {
            return Some(format!(
                "task {0} is already present in Graph, can't add it again: duplicate pipeline task",
                task.name
            ));
        }
    }
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for task in tasks {
        let needs: BTreeSet<&str> =
            of_task(task).into_iter().map(|r| r.task).chain(task.run_after.iter().map(String::as_str)).collect();
        if !needs.is_empty() {
            edges.insert(&task.name, needs);
        }
    }
    if let Some(cycle) = cycle(&edges) {
        return Some(format!("cycle detected; {cycle}"));
    }
    for (task, needs) in &edges {
        for need in needs {
            if !known.contains(need) {
                return Some(format!(
                    "couldn't add link between {task} and {need}: task {task} depends on {need} but {need} wasn't present in Pipeline"
                ));
            }
        }
    }
    None
}

/// Takes away tasks whose needs are met until none is left; what stays is on or behind a cycle.
fn cycle(edges: &BTreeMap<&str, BTreeSet<&str>>) -> Option<String> {
    let mut left: HashMap<&str, usize> = edges.iter().map(|(task, needs)| (*task, needs.len())).collect();
    let mut dependents: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut ready: VecDeque<&str> = VecDeque::new();
    let mut done: HashSet<&str> = HashSet::new();
    for (task, needs) in edges {
        for need in needs {
            dependents.entry(need).or_default().push(task);
            if !edges.contains_key(need) && done.insert(need) {
                ready.push_back(need);
            }
        }
    }
    while let Some(task) = ready.pop_front() {
        for dependent in dependents.get(task).into_iter().flatten() {
            if let Some(count) = left.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    left.remove(dependent);
                    done.insert(dependent);
                    ready.push_back(dependent);
                }
            }
        }
    }
    let first = left.keys().min()?;
    let needs: Vec<String> = edges[first].iter().filter(|n| !done.contains(*n)).map(|n| quote(n)).collect();
    Some(format!("task {} depends on {}", quote(first), needs.join(", ")))
}
