//! Names of the runs of a pipeline task: those that the status remembers, else new ones.

use tekton_contract::names::{MAX_NAME_LENGTH, child_name};
use tekton_types::v1::ChildStatusReference;

/// The names of the runs of `task` that are in `references`, or `count` new ones for a pipeline run called `parent`.
///
/// One run has no number; of many, each has its own as suffix, whatever else has to be cut.
pub fn run_names(
    references: &[ChildStatusReference],
    kind: &str,
    task: &str,
    parent: &str,
    count: usize,
) -> Vec<String> {
    let known: Vec<String> = known(references, kind, task).map(str::to_owned).collect();
    if !known.is_empty() {
        return known;
    }
    let single = child_name(parent, &format!("-{task}"));
    if count == 1 {
        return vec![single];
    }
    let longest = MAX_NAME_LENGTH - format!("-{count}").len();
    (0..count)
        .map(|index| {
            let suffix = format!("-{index}");
            let name = child_name(parent, &format!("-{task}{suffix}"));
            if name.ends_with(&suffix) {
                return name;
            }
            let mut end = longest.min(single.len());
            while !single.is_char_boundary(end) {
                end -= 1;
            }
            format!("{}{suffix}", &single[..end])
        })
        .collect()
}

/// The name of the only run of `task`, as [`run_names`] has it.
pub fn run_name(references: &[ChildStatusReference], kind: &str, task: &str, parent: &str) -> String {
    known(references, kind, task).next().map_or_else(|| child_name(parent, &format!("-{task}")), str::to_owned)
}

fn known<'r>(references: &'r [ChildStatusReference], kind: &str, task: &str) -> impl Iterator<Item = &'r str> {
    references
        .iter()
        .filter(move |child| child.kind == kind && child.pipeline_task_name == task)
        .map(|child| child.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_run_is_never_cut() {
        let names = run_names(&[], "TaskRun", &"t".repeat(60), &"p".repeat(60), 11);
        assert!(names.iter().enumerate().all(|(i, name)| name.len() <= 63 && name.ends_with(&format!("-{i}"))));
    }

    #[test]
    fn names_that_the_status_remembers_win() {
        let known = ChildStatusReference {
            kind: "TaskRun".into(),
            name: "old".into(),
            pipeline_task_name: "a".into(),
            ..ChildStatusReference::default()
        };
        assert_eq!(run_names(std::slice::from_ref(&known), "TaskRun", "a", "run", 2), ["old"]);
        assert_eq!(run_name(&[known], "CustomRun", "a", "run"), "run-a");
    }
}
