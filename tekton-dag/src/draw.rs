//! Draws the graph of a pipeline: for a terminal, for Graphviz, for Mermaid, as SVG, as JSON.
//!
//! ```
//! use tekton_dag::draw::{Drawing, Task};
//!
//! let drawing = Drawing {
//!     tasks: vec![
//!         Task { name: "build".into(), after: vec![], note: String::new() },
//!         Task { name: "deploy".into(), after: vec!["build".into()], note: "when".into() },
//!     ],
//!     finally: vec![],
//! };
//! assert_eq!(drawing.ascii(), "1  build\n2  deploy  ← build  (when)\n");
//! ```

mod svg;

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

/// A pipeline as it is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawing {
    /// The tasks, in the order of the pipeline.
    pub tasks: Vec<Task>,
    /// The finally tasks, in the order of the pipeline.
    pub finally: Vec<Task>,
}

/// One task of a drawing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// The tasks that it waits for.
    pub after: Vec<String>,
    /// What else is to be said of it, such as `when` or `matrix 4`; may be empty.
    pub note: String,
}

impl Drawing {
    /// The level of each task: 1 for one that waits for nothing, else one more than the highest that it waits for.
    ///
    /// Linear in tasks and edges. Tasks on a cycle have level 0.
    fn levels(&self) -> Vec<usize> {
        let index: HashMap<&str, usize> =
            self.tasks.iter().enumerate().map(|(i, task)| (task.name.as_str(), i)).collect();
        let mut waiting: Vec<usize> = vec![0; self.tasks.len()];
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); self.tasks.len()];
        for (task, node) in self.tasks.iter().enumerate() {
            for before in node.after.iter().filter_map(|name| index.get(name.as_str())) {
                waiting[task] += 1;
                followers[*before].push(task);
            }
        }
        let mut levels = vec![0; self.tasks.len()];
        let mut ready: Vec<usize> = (0..self.tasks.len()).filter(|task| waiting[*task] == 0).collect();
        for task in &ready {
            levels[*task] = 1;
        }
        while let Some(task) = ready.pop() {
            for &follower in &followers[task] {
                levels[follower] = levels[follower].max(levels[task] + 1);
                waiting[follower] -= 1;
                if waiting[follower] == 0 {
                    ready.push(follower);
                }
            }
        }
        for (task, left) in waiting.into_iter().enumerate() {
            if left > 0 {
                levels[task] = 0;
            }
        }
        levels
    }

    /// Text for a terminal: the tasks level by level, each with what it waits for.
    pub fn ascii(&self) -> String {
        let levels = self.levels();
        let width = self.tasks.iter().chain(&self.finally).map(|task| task.name.chars().count()).max().unwrap_or(0);
        let digits = levels.iter().max().map_or(1, |level| level.to_string().len());
        let mut order: Vec<usize> = (0..self.tasks.len()).collect();
        order.sort_by_key(|task| levels[*task]);
        let mut text = String::new();
        let mut last = None;
        for task in order {
            let head = if last == Some(levels[task]) { String::new() } else { levels[task].to_string() };
            last = Some(levels[task]);
            line(&mut text, &format!("{head:digits$}"), &self.tasks[task], width);
        }
        if !self.finally.is_empty() {
            text.push_str("finally\n");
            for task in &self.finally {
                line(&mut text, &" ".repeat(digits), task, width);
            }
        }
        text
    }

    /// Graphviz.
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph pipeline {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
        for task in &self.tasks {
            push(&mut text, format_args!("  {:?}{};\n", task.name, dot_label(task)));
        }
        for task in &self.tasks {
            for before in &task.after {
                push(&mut text, format_args!("  {before:?} -> {:?};\n", task.name));
            }
        }
        if !self.finally.is_empty() {
            text.push_str("  subgraph cluster_finally {\n    label=\"finally\";\n");
            for task in &self.finally {
                push(&mut text, format_args!("    {:?}{};\n", task.name, dot_label(task)));
            }
            text.push_str("  }\n");
        }
        text.push_str("}\n");
        text
    }

    /// SVG: a column a level, with curves between the boxes.
    pub fn svg(&self) -> String {
        svg::svg(self)
    }

    /// JSON: `tasks` and `finally`, each task with `name`, `level`, `after` and `note`.
    pub fn json(&self) -> Value {
        let one = |task: &Task, level: Option<usize>| json!({"name": task.name, "level": level, "after": task.after, "note": task.note});
        let tasks: Vec<Value> =
            self.tasks.iter().zip(self.levels()).map(|(task, level)| one(task, Some(level))).collect();
        let finally: Vec<Value> = self.finally.iter().map(|task| one(task, None)).collect();
        json!({"tasks": tasks, "finally": finally})
    }

    /// Mermaid, as code hosts draw it in Markdown.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        let index: HashMap<&str, usize> =
            self.tasks.iter().enumerate().map(|(i, task)| (task.name.as_str(), i)).collect();
        for (i, task) in self.tasks.iter().enumerate() {
            push(&mut text, format_args!("  t{i}[\"{}\"]\n", mermaid_label(task)));
        }
        for (i, task) in self.tasks.iter().enumerate() {
            for before in task.after.iter().filter_map(|name| index.get(name.as_str())) {
                push(&mut text, format_args!("  t{before} --> t{i}\n"));
            }
        }
        if !self.finally.is_empty() {
            text.push_str("  subgraph finally\n");
            for (i, task) in self.finally.iter().enumerate() {
                push(&mut text, format_args!("    f{i}[\"{}\"]\n", mermaid_label(task)));
            }
            text.push_str("  end\n");
        }
        text
    }
}

fn line(text: &mut String, head: &str, task: &Task, width: usize) {
    let mut line = format!("{head}  {:width$}", task.name);
    if !task.after.is_empty() {
        push(&mut line, format_args!("  ← {}", task.after.join(", ")));
    }
    if !task.note.is_empty() {
        push(&mut line, format_args!("  ({})", task.note));
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn dot_label(task: &Task) -> String {
    if task.note.is_empty() { String::new() } else { format!(" [label={:?}]", format!("{}\n{}", task.name, task.note)) }
}

fn mermaid_label(task: &Task) -> String {
    let name = task.name.replace('"', "#quot;");
    if task.note.is_empty() { name } else { format!("{name}<br/>{}", task.note.replace('"', "#quot;")) }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str, after: &[&str]) -> Task {
        Task { name: name.into(), after: after.iter().map(|&name| name.into()).collect(), note: String::new() }
    }

    fn diamond() -> Drawing {
        Drawing {
            tasks: vec![task("d", &["b", "c"]), task("a", &[]), task("b", &["a"]), task("c", &["a"])],
            finally: vec![task("f", &[])],
        }
    }

    #[test]
    fn a_task_stands_below_all_that_it_waits_for() {
        assert_eq!(diamond().ascii(), "1  a\n2  b  ← a\n   c  ← a\n3  d  ← b, c\nfinally\n   f\n");
    }

    #[test]
    fn a_cycle_does_not_hang_the_drawing() {
        let drawing = Drawing { tasks: vec![task("a", &["b"]), task("b", &["a"])], finally: vec![] };
        assert_eq!(drawing.ascii(), "0  a  ← b\n   b  ← a\n");
    }

    #[test]
    fn svg_has_a_box_for_every_task_and_a_curve_for_every_edge() {
        let mut drawing = diamond();
        drawing.tasks[0].note = "a < b".into();
        let svg = drawing.svg();
        assert_eq!((svg.matches("<rect").count(), svg.matches("<path").count()), (5, 4));
        assert!(svg.contains("a &lt; b"));
    }

    #[test]
    fn json_has_levels_and_edges() {
        let json = diamond().json();
        assert_eq!(json["tasks"][0], json!({"name": "d", "level": 3, "after": ["b", "c"], "note": ""}));
        assert_eq!(json["finally"][0]["name"], "f");
    }

    #[test]
    fn mermaid_and_dot_hold_every_edge() {
        assert!(diamond().mermaid().contains("t1 --> t2\n"));
        assert!(diamond().dot().contains("\"b\" -> \"d\";\n"));
    }
}
