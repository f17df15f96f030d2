//! Tasks that write to one file of a workspace at the same time.

use std::collections::BTreeMap;

use tekton_dag::edges;
use tekton_dag::graph::Graph;
use tekton_types::v1::{PipelineSpec, PipelineTask};

use super::{Found, shell, warning};

/// How a script calls the directory of a workspace, up to the name.
const DIRECTORY: &str = "$(workspaces.";

/// A file that a script writes.
struct Write<'s> {
    /// The task, by its place in the list.
    task: usize,
    step: usize,
    /// As the script has it.
    text: &'s str,
}

/// A file in a workspace of the pipeline: workspace, `subPath`, path.
type Place<'s> = (&'s str, &'s str, &'s str);

/// Warns of two tasks whose specs stand in the pipeline, of which neither waits for the other, and whose scripts write one
/// file; and of a task that does so in each run of its matrix.
pub(super) fn check(spec: &PipelineSpec, path: &str, found: &mut Vec<Found>) {
    for (field, tasks) in [("tasks", &spec.tasks), ("finally", &spec.r#finally)] {
        let mut order = None;
        for writes in written(tasks).into_values() {
            let of_matrix = writes.iter().find(|write| tasks[write.task].matrix.is_some());
            let at_once = of_matrix.map(|write| (write, write)).or_else(|| {
                let is_one = writes.iter().all(|write| write.task == writes[0].task);
                if is_one { None } else { order.get_or_insert_with(|| Order::of(tasks)).as_ref()?.unordered(&writes) }
            });
            let Some((first, second)) = at_once else { continue };
            let who = if first.task == second.task {
                format!("the runs of the matrix of task {:?}", tasks[first.task].name)
            } else {
                format!("tasks {:?} and {:?}", tasks[first.task].name, tasks[second.task].name)
            };
            let place = format!("{path}.{field}[{}].taskSpec.steps[{}].script", second.task, second.step);
            found.push(
                warning("workspace-race", format!("{who} may write {} at the same time", second.text), place)
                    .with_about(second.text)
                    .with_help("let one wait for the other with `runAfter`, or write to different files or with a `subPath` each")
                    .into(),
            );
        }
    }
}

/// What the scripts of the tasks write, by place.
fn written(tasks: &[PipelineTask]) -> BTreeMap<Place<'_>, Vec<Write<'_>>> {
    let mut places: BTreeMap<Place<'_>, Vec<Write<'_>>> = BTreeMap::new();
    for (number, task) in tasks.iter().enumerate() {
        let Some(embedded) = task.task_spec.as_ref().filter(|spec| !spec.is_custom_task()) else { continue };
        let scripts = embedded.task_spec.steps.iter().enumerate().filter(|(_, step)| shell::is_shell(&step.script));
        for (step, (name, file, text)) in
            scripts.flat_map(|(n, step)| writes(&step.script).map(move |write| (n, write)))
        {
            if embedded.task_spec.workspaces.iter().any(|declared| declared.name == name && declared.read_only) {
                continue;
            }
            let binding = task.workspaces.iter().find(|binding| binding.name == name);
            let workspace = binding.map(|b| b.workspace.as_str()).filter(|name| !name.is_empty()).unwrap_or(name);
            let sub_path = binding.map_or("", |binding| binding.sub_path.as_str());
            places.entry((workspace, sub_path, file)).or_default().push(Write { task: number, step, text });
        }
    }
    places
}

/// The files of workspaces that a script redirects to or gives to `tee`: workspace, path, and both as written. A path with a
/// variable in it may be another each time.
fn writes(script: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| line.match_indices(DIRECTORY).map(move |(at, _)| (line, at))).filter_map(|(line, at)| {
        let before = line[..at].trim_end_matches(['"', '\'', ' ', '\t']);
        let mut words = before.rsplit([' ', '\t']).skip_while(|word| word.starts_with('-'));
        if !before.ends_with('>') && words.next() != Some("tee") {
            return None;
        }
        let (name, rest) = line[at + DIRECTORY.len()..].split_once(".path)")?;
        let end = rest.find(|c: char| c.is_whitespace() || "\"';&|<>()".contains(c)).unwrap_or(rest.len());
        let file = rest[..end].strip_prefix('/').filter(|file| !file.is_empty() && !file.contains('$'))?;
        let stop = line.len() - rest.len() + end;
        Some((name, file, &line[at..stop]))
    })
}

/// Which task waits for which.
struct Order {
    graph: Graph,
    /// The node of each task, and the place of each node among all, those that wait behind those that they wait for.
    nodes: Vec<usize>,
    ranks: Vec<usize>,
}

impl Order {
    /// `None` when the tasks make no graph.
    fn of(tasks: &[PipelineTask]) -> Option<Self> {
        let graph = edges::tasks_graph(tasks).ok()?;
        let nodes = tasks.iter().map(|task| graph.index_of(&task.name)).collect::<Option<_>>()?;
        let mut ranks = vec![0; graph.len()];
        graph.order().iter().enumerate().for_each(|(rank, node)| ranks[*node] = rank);
        Some(Self { graph, nodes, ranks })
    }

    /// Two writes in tasks of which neither waits for the other. When each waits for the one before it, all are in order.
    fn unordered<'w, 's>(&self, writes: &'w [Write<'s>]) -> Option<(&'w Write<'s>, &'w Write<'s>)> {
        let mut sorted: Vec<&Write<'_>> = writes.iter().collect();
        sorted.sort_by_key(|write| self.ranks[self.nodes[write.task]]);
        let mut next = sorted.windows(2).map(|pair| (pair[0], pair[1]));
        next.find(|(first, second)| {
            first.task != second.task && !waits(&self.graph, self.nodes[second.task], self.nodes[first.task])
        })
    }
}

/// Whether a task waits for another, perhaps by way of others.
fn waits(graph: &Graph, task: usize, other: usize) -> bool {
    let (mut seen, mut open) = (vec![false; graph.len()], vec![task]);
    while let Some(next) = open.pop() {
        if next == other {
            return true;
        }
        if !std::mem::replace(&mut seen[next], true) {
            open.extend(graph.parents(next));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn task(name: &str, after: &[&str], script: &str) -> Value {
        json!({
            "name": name, "runAfter": after, "workspaces": [{"name": "src", "workspace": "shared"}],
            "taskSpec": {"workspaces": [{"name": "src"}], "steps": [{"image": "i", "script": script}]},
        })
    }

    fn warnings(tasks: &[Value]) -> Vec<String> {
        let spec = serde_json::from_value(json!({"tasks": tasks})).expect("it is a pipeline");
        let mut found = Vec::new();
        check(&spec, "spec", &mut found);
        found.into_iter().map(|found| found.diagnostic.message).collect()
    }

    #[test]
    fn two_tasks_that_write_one_file_are_told_unless_one_waits_for_the_other() {
        let write = "make > \"$(workspaces.src.path)/log\"";
        let append = "make | tee -a $(workspaces.src.path)/log; echo done";
        let [a, b] = [task("a", &[], write), task("b", &[], append)];
        assert_eq!(
            warnings(&[a.clone(), b]),
            ["tasks \"a\" and \"b\" may write $(workspaces.src.path)/log at the same time"]
        );
        let between = task("m", &["a"], "true");
        assert_eq!(warnings(&[a.clone(), between, task("b", &["m"], append)]), [""; 0]);
        assert_eq!(warnings(&[a.clone(), task("b", &[], "cat $(workspaces.src.path)/log")]), [""; 0], "it reads");
        assert_eq!(warnings(&[a.clone(), task("b", &[], "make > $(workspaces.src.path)/log2")]), [""; 0]);
        let mut elsewhere = task("b", &[], write);
        elsewhere["workspaces"][0]["subPath"] = json!("b");
        assert_eq!(warnings(&[a, elsewhere]), [""; 0]);
    }

    #[test]
    fn a_matrix_whose_runs_write_one_file_is_told() {
        let with = |script: &str| {
            let mut task = task("a", &[], script);
            task["matrix"] = json!({"params": [{"name": "os", "value": ["linux", "mac"]}]});
            warnings(&[task])
        };
        assert_eq!(
            with("make > $(workspaces.src.path)/log"),
            ["the runs of the matrix of task \"a\" may write $(workspaces.src.path)/log at the same time"]
        );
        assert_eq!(with("make > $(workspaces.src.path)/log-$(params.os)"), [""; 0]);
    }
}
