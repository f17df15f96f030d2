//! The tree of tasks and steps, with state and time: drawn anew while a run goes on, and once at the end.

use jiff::{SignedDuration, Timestamp};
use tekton_types::condition::Condition;
use tekton_types::v1::{ParamValue, PipelineRun, PipelineTask, StepState, TaskRun};

use super::style::{Paint, Tone};
use super::world::{RunKey, Timed, World, children, succeeded};

/// What a line of the tree says about its task or step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Waiting,
    Running,
    Succeeded,
    Ignored,
    Failed,
    Cancelled,
    Skipped,
}

impl Mark {
    fn of(condition: Option<&Condition>) -> Self {
        match condition.map(|condition| (condition.status.as_str(), condition.reason.as_str())) {
            Some(("True", _)) => Self::Succeeded,
            Some(("False", reason)) if reason.contains("Cancelled") => Self::Cancelled,
            Some(("False", "FailureIgnored")) => Self::Ignored,
            Some(("False", _)) => Self::Failed,
            None | Some((_, "Started" | "Pending" | "TaskRunPending" | "PipelineRunPending")) => Self::Waiting,
            Some(_) => Self::Running,
        }
    }

    const fn glyph(self) -> &'static str {
        match self {
            Self::Waiting => "○",
            Self::Running => "●",
            Self::Succeeded => "✓",
            Self::Ignored => "!",
            Self::Failed => "✗",
            Self::Cancelled => "■",
            Self::Skipped => "–",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Waiting | Self::Skipped => Tone::Dim,
            Self::Running => Tone::Blue,
            Self::Succeeded => Tone::Green,
            Self::Ignored | Self::Cancelled => Tone::Yellow,
            Self::Failed => Tone::Red,
        }
    }
}

/// One line to be: what hangs under what.
#[derive(Debug)]
struct Node {
    mark: Mark,
    name: String,
    detail: String,
    time: Option<SignedDuration>,
    children: Vec<Node>,
}

/// Draws the tree of one run.
///
/// `now` is what running things are measured against; `steps_of_all` shows the steps of finished tasks too.
pub(crate) fn draw(world: &World, run: &RunKey, now: Timestamp, steps_of_all: bool, paint: Paint) -> Vec<String> {
    let node = run_node(world, run, now, steps_of_all, None);
    let mut lines = Vec::new();
    let width = label_width(&node, 0);
    render(&node, "", "", width, paint, &mut lines);
    lines
}

/// Results of the run, one a line.
pub(crate) fn results(world: &World, run: &RunKey) -> Vec<String> {
    let pairs: Vec<(&str, &ParamValue)> = match run {
        RunKey::Task(name) => world.task_runs.get(name).map_or_else(Vec::new, |task_run| {
            task_run.status.results.iter().map(|result| (result.name.as_str(), &result.value)).collect()
        }),
        RunKey::Pipeline(name) => world.pipeline_runs.get(name).map_or_else(Vec::new, |run| {
            run.status.results.iter().map(|result| (result.name.as_str(), &result.value)).collect()
        }),
        RunKey::Custom(_) => Vec::new(),
    };
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    pairs.into_iter().map(|(name, value)| format!("  {name:width$}  {}", one_line(value))).collect()
}

fn one_line(value: &ParamValue) -> String {
    match value {
        ParamValue::String(text) => text.trim_end_matches('\n').replace('\n', "⏎"),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

fn run_node(world: &World, run: &RunKey, now: Timestamp, all: bool, label: Option<&str>) -> Node {
    match run {
        RunKey::Task(name) => match world.task_runs.get(name) {
            Some(task_run) => task_node(world, task_run, label.map_or_else(|| run.describe(), str::to_owned), now, all),
            None => waiting(label.map_or_else(|| run.describe(), str::to_owned)),
        },
        RunKey::Pipeline(name) => match world.pipeline_runs.get(name) {
            Some(pipeline_run) => {
                pipeline_node(world, pipeline_run, label.map_or_else(|| run.describe(), str::to_owned), now, all)
            }
            None => waiting(label.map_or_else(|| run.describe(), str::to_owned)),
        },
        RunKey::Custom(name) => {
            let mut node = waiting(label.map_or_else(|| run.describe(), str::to_owned));
            if let Some(custom) = world.custom_runs.get(name) {
                let condition = succeeded(&custom.status.conditions);
                node.mark = Mark::of(condition);
                node.detail = detail(condition);
                node.time = took(world, custom.metadata.uid.as_deref(), now);
            }
            node
        }
    }
}

fn waiting(name: String) -> Node {
    Node { mark: Mark::Waiting, name, detail: String::new(), time: None, children: Vec::new() }
}

fn pipeline_node(world: &World, run: &PipelineRun, name: String, now: Timestamp, all: bool) -> Node {
    let condition = succeeded(&run.status.conditions);
    let mut node = Node {
        mark: Mark::of(condition),
        name,
        detail: detail(condition),
        time: took(world, run.metadata.uid.as_deref(), now),
        children: Vec::new(),
    };
    let Some(spec) = run.status.pipeline_spec.as_ref().or(run.spec.pipeline_spec.as_ref()) else { return node };
    for task in &spec.tasks {
        pipeline_task_nodes(world, run, task, now, all, &mut node.children);
    }
    if !spec.finally.is_empty() {
        let mut finally = Node {
            mark: Mark::Waiting,
            name: "finally".to_owned(),
            detail: String::new(),
            time: None,
            children: Vec::new(),
        };
        for task in &spec.finally {
            pipeline_task_nodes(world, run, task, now, all, &mut finally.children);
        }
        finally.mark = worst(&finally.children);
        node.children.push(finally);
    }
    node
}

fn pipeline_task_nodes(
    world: &World,
    run: &PipelineRun,
    task: &PipelineTask,
    now: Timestamp,
    all: bool,
    nodes: &mut Vec<Node>,
) {
    let before = nodes.len();
    let listed = run.status.child_references.iter().zip(children(run));
    for (reference, key) in listed.filter(|(reference, _)| reference.pipeline_task_name == task.name) {
        let label = if reference.display_name.is_empty() || reference.display_name == task.name {
            task.name.clone()
        } else {
            format!("{} ({})", task.name, reference.display_name)
        };
        nodes.push(run_node(world, &key, now, all, Some(&label)));
    }
    if nodes.len() > before {
        return;
    }
    let skipped = run.status.skipped_tasks.iter().find(|skipped| skipped.name == task.name);
    nodes.push(match skipped {
        Some(skipped) => Node {
            mark: Mark::Skipped,
            name: task.name.clone(),
            detail: format!("skipped: {}", skipped.reason),
            time: None,
            children: Vec::new(),
        },
        None => waiting(task.name.clone()),
    });
}

fn task_node(world: &World, task_run: &TaskRun, name: String, now: Timestamp, all: bool) -> Node {
    let status = &task_run.status;
    let condition = succeeded(&status.conditions);
    let mark = Mark::of(condition);
    let mut detail = detail(condition);
    if !status.retries_status.is_empty() {
        let attempts = format!("attempt {} of {}", status.retries_status.len() + 1, task_run.spec.retries + 1);
        detail = if detail.is_empty() { attempts } else { format!("{detail}; {attempts}") };
    }
    let show_steps = all || matches!(mark, Mark::Running | Mark::Failed);
    let uid = task_run.metadata.uid.as_deref();
    let children = if show_steps { step_nodes(world, uid, &status.steps, now) } else { Vec::new() };
    Node { mark, name, detail, time: took(world, uid, now), children }
}

fn step_nodes(world: &World, uid: Option<&str>, steps: &[StepState], now: Timestamp) -> Vec<Node> {
    // Every container of a Pod runs from the start; a step begins where the one before it has ended.
    let mut previous_ended = true;
    steps
        .iter()
        .map(|step| {
            let begun = previous_ended;
            previous_ended = step.terminated.is_some();
            let (mark, detail) = match (&step.terminated, &step.running) {
                (Some(ended), _) => ended_step(step, ended.exit_code),
                (None, Some(_)) if begun => (Mark::Running, String::new()),
                (None, _) => (Mark::Waiting, String::new()),
            };
            let time = world.took(&Timed::Step(uid.unwrap_or_default().to_owned(), step.name.clone()), now);
            Node { mark, name: step.name.clone(), detail, time, children: Vec::new() }
        })
        .collect()
}

fn ended_step(step: &StepState, exit_code: i32) -> (Mark, String) {
    match (step.termination_reason.as_str(), exit_code) {
        ("Skipped", _) => (Mark::Skipped, "skipped".to_owned()),
        ("Continued", _) => (Mark::Ignored, format!("exit code {exit_code}, ignored")),
        ("Cancelled", _) => (Mark::Cancelled, "cancelled".to_owned()),
        (_, 0) => (Mark::Succeeded, String::new()),
        ("" | "Error", code) => (Mark::Failed, format!("exit code {code}")),
        (reason, code) => (Mark::Failed, format!("{reason}, exit code {code}")),
    }
}

fn worst(nodes: &[Node]) -> Mark {
    let any = |mark| nodes.iter().any(|node| node.mark == mark);
    for mark in [Mark::Running, Mark::Failed, Mark::Cancelled] {
        if any(mark) {
            return mark;
        }
    }
    match nodes.iter().all(|node| node.mark == Mark::Waiting) {
        true => Mark::Waiting,
        false if nodes.iter().all(|node| node.mark == Mark::Skipped) => Mark::Skipped,
        false => Mark::Succeeded,
    }
}

/// What a person wants to read beside the name: nothing for success, else reason and message.
fn detail(condition: Option<&Condition>) -> String {
    match condition {
        Some(condition) if condition.status == "False" && condition.message.is_empty() => condition.reason.clone(),
        Some(condition) if condition.status == "False" => {
            format!("{}: {}", condition.reason, condition.message.trim().replace('\n', " "))
        }
        _ => String::new(),
    }
}

fn took(world: &World, uid: Option<&str>, now: Timestamp) -> Option<SignedDuration> {
    world.took(&Timed::Run(uid?.to_owned()), now)
}

fn label_width(node: &Node, depth: usize) -> usize {
    let own = depth * 3 + node.name.chars().count();
    node.children.iter().map(|child| label_width(child, depth + 1)).max().unwrap_or(0).max(own)
}

fn render(node: &Node, head: &str, tail: &str, width: usize, paint: Paint, lines: &mut Vec<String>) {
    let used = head.chars().count() + node.name.chars().count();
    let pad = " ".repeat(width.saturating_sub(used));
    let mark = paint.tone(node.mark.tone(), node.mark.glyph());
    let time = node.time.map(seconds).unwrap_or_default();
    let name = match node.mark {
        Mark::Waiting | Mark::Skipped => paint.tone(Tone::Dim, &node.name),
        _ => node.name.clone(),
    };
    let detail = paint.tone(if node.mark == Mark::Failed { Tone::Red } else { Tone::Dim }, &node.detail);
    let line = format!("{}{mark} {name}{pad}  {time:>8}  {detail}", paint.tone(Tone::Dim, head));
    lines.push(line.trim_end().to_owned());
    let last = node.children.len().saturating_sub(1);
    for (index, child) in node.children.iter().enumerate() {
        let (branch, under) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        render(child, &format!("{tail}{branch}"), &format!("{tail}{under}"), width, paint, lines);
    }
}

/// A time as people read it: `0.3s`, `42.0s`, `3m05s`.
pub(crate) fn seconds(time: SignedDuration) -> String {
    let tenths = time.as_millis().max(0) / 100;
    if tenths < 600 {
        format!("{}.{}s", tenths / 10, tenths % 10)
    } else {
        format!("{}m{:02}s", tenths / 600, tenths / 10 % 60)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("the time is in range")
    }

    #[test]
    fn the_tree_shows_tasks_steps_skips_and_finally_in_the_order_of_the_pipeline() {
        let run = json!({
            "metadata": {"name": "ci", "uid": "p"},
            "spec": {"pipelineSpec": {
                "tasks": [{"name": "build"}, {"name": "deploy"}], "finally": [{"name": "report"}],
            }},
            "status": {
                "startTime": "2026-01-01T00:00:00Z",
                "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running"}],
                "skippedTasks": [{"name": "deploy", "reason": "When Expressions evaluated to false"}],
                "childReferences": [{"kind": "TaskRun", "name": "ci-build", "pipelineTaskName": "build"}],
            },
        });
        let build = json!({
            "metadata": {"name": "ci-build", "uid": "t"},
            "status": {
                "startTime": "2026-01-01T00:00:00Z",
                "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running"}],
                "steps": [
                    {"name": "compile", "terminated": {"exitCode": 0}, "terminationReason": "Completed"},
                    {"name": "test", "running": {}},
                    {"name": "pack", "running": {}},
                ],
            },
        });
        let mut world = World::default();
        world.observe_pipeline_run(serde_json::from_value(run).expect("it is a PipelineRun"), at(0));
        world.observe_task_run(serde_json::from_value(build).expect("it is a TaskRun"), at(1));
        let lines = draw(&world, &RunKey::Pipeline("ci".to_owned()), at(3), false, Paint::never());
        assert_eq!(
            lines,
            [
                "● PipelineRun ci      3.0s",
                "├─ ● build            2.0s",
                "│  ├─ ✓ compile       0.0s",
                "│  ├─ ● test          2.0s",
                "│  └─ ○ pack",
                "├─ – deploy                 skipped: When Expressions evaluated to false",
                "└─ ○ finally",
                "   └─ ○ report",
            ]
        );
    }

    #[test]
    fn times_are_short() {
        let texts = [0, 300, 59_950, 185_000].map(|millis| seconds(SignedDuration::from_millis(millis)));
        assert_eq!(texts, ["0.0s", "0.3s", "59.9s", "3m05s"]);
    }
}
