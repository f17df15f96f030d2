//! Fields of TaskRuns and PipelineRuns that have another name or place today.

use std::fmt::Write as _;

use super::Walk;
use super::kinds::items;
use crate::yaml::edit::shift_right;
use crate::yaml::{Entry, Node};

impl Walk<'_, '_> {
    fn rename(&mut self, holder: &Node<'_>, old: &str, new: &str) {
        if let (Some(entry), None) = (holder.entry(old), holder.entry(new)) {
            self.edits.rename(entry, new);
        }
    }

    pub(super) fn task_run(&mut self, spec: &Node<'_>) {
        self.old_inputs(spec);
        if let Some(resources) = spec.entry("resources") {
            self.resources(resources);
        }
        self.references(spec);
        self.rename(spec, "serviceAccount", "serviceAccountName");
        if let Some(task) = spec.get("taskSpec") {
            self.task_spec(task);
        }
        self.overrides(spec);
    }

    /// Requests and limits per step and sidecar.
    fn overrides(&mut self, holder: &Node<'_>) {
        for (old, new) in [("stepOverrides", "stepSpecs"), ("sidecarOverrides", "sidecarSpecs")] {
            for item in items(holder.get(old)) {
                self.compute_resources(item);
            }
            self.rename(holder, old, new);
        }
    }

    pub(super) fn pipeline_run(&mut self, spec: &Node<'_>) {
        if let Some(resources) = spec.entry("resources") {
            self.resources(resources);
        }
        for key in ["serviceAccountNames", "trigger"] {
            if let Some(entry) = spec.entry(key) {
                self.removed_field(entry);
            }
        }
        self.references(spec);
        if let Some(pipeline) = spec.get("pipelineSpec") {
            self.pipeline_spec(pipeline);
        }
        for settings in items(spec.get("taskRunSpecs")) {
            self.rename(settings, "taskServiceAccountName", "serviceAccountName");
            self.rename(settings, "taskPodTemplate", "podTemplate");
            self.overrides(settings);
        }
        self.timeout(spec);
        self.template(spec);
    }

    /// `timeout` is `timeouts.pipeline` today; where both are given the older one counts.
    fn timeout(&mut self, spec: &Node<'_>) {
        let Some(entry) = spec.entry("timeout") else { return };
        if let Some(timeouts) = spec.entry("timeouts") {
            self.edits.remove(spec, &[timeouts]);
        }
        self.nest(spec, "timeouts", &[(entry, "pipeline")]);
    }

    /// Service account and pod settings are in `taskRunTemplate` today.
    fn template(&mut self, spec: &Node<'_>) {
        if spec.entry("taskRunTemplate").is_some() {
            return;
        }
        let fields = [
            ("serviceAccountName", "serviceAccountName"),
            ("serviceAccount", "serviceAccountName"),
            ("podTemplate", "podTemplate"),
        ];
        let mut moved: Vec<(&Entry<'_>, &str)> =
            fields.iter().filter_map(|(old, new)| Some((spec.entry(old)?, *new))).collect();
        moved.sort_by_key(|(entry, _)| entry.key_span.start);
        self.nest(spec, "taskRunTemplate", &moved);
    }

    /// Puts entries of a map into a new map within it, at the place of the first one.
    fn nest(&mut self, map: &Node<'_>, name: &str, moved: &[(&Entry<'_>, &str)]) {
        let [(first, first_name), others @ ..] = moved else { return };
        let text = self.edits.text();
        let quote = if text[first.key_span.start..].starts_with('"') { "\"" } else { "" };
        let flow = self.edits.is_flow(map);
        let renamed = |entry: &Entry<'_>, name: &str, end: usize| {
            format!("{quote}{name}{quote}{}", &text[entry.key_span.end..end])
        };
        if flow {
            let inner: Vec<String> =
                moved.iter().map(|(entry, name)| renamed(entry, name, self.edits.end_of(entry))).collect();
            let range = first.key_span.start..self.edits.end_of(first);
            self.edits.replace(range, format!("{quote}{name}{quote}: {{{}}}", inner.join(", ")));
            let others: Vec<&Entry<'_>> = others.iter().map(|(entry, _)| *entry).collect();
            self.edits.remove(map, &others);
            return;
        }
        let indent = self.edits.indent_of(first);
        let mut range = self.edits.source_of(map, first);
        let mut inner = format!("\n{:indent$}  {}", "", shift_right(&renamed(first, first_name, range.end), 2));
        for (entry, name) in others {
            let source = self.edits.source_of(map, entry);
            let between = &text[range.end..entry.key_span.start];
            let adjacent = between.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
            if adjacent {
                // Comments between the two go along.
                inner.push_str(&shift_right(between.trim_end(), 2));
                range.end = source.end;
            } else {
                self.edits.remove(map, &[entry]);
            }
            let _ = write!(inner, "\n{:indent$}  ", "");
            inner.push_str(&shift_right(&renamed(entry, name, source.end), 2));
        }
        self.edits.replace(range, format!("{name}:{inner}"));
    }

    /// Statuses are written by the controller; those in manifests keep what still has a name.
    pub(super) fn status(&mut self, status: &Node<'_>) {
        self.rename(status, "taskResults", "results");
        self.rename(status, "pipelineResults", "results");
        if let Some(spec) = status.get("taskSpec") {
            self.task_spec(spec);
        }
        if let Some(spec) = status.get("pipelineSpec") {
            self.pipeline_spec(spec);
        }
        let gone = ["cloudEvents", "resourcesResult", "taskRuns", "runs"];
        self.drop_fields(status, &gone, "statuses do not have it since v1");
        for retry in items(status.get("retriesStatus")) {
            self.status(retry);
        }
    }
}
