//! References to ClusterTasks and to bundles become references through resolvers.

use super::{Walk, list_indent};
use crate::yaml::edit::own_entries;
use crate::yaml::{Entry, Node};

impl Walk<'_, '_> {
    /// The references of a run or a pipeline task.
    pub(super) fn references(&mut self, holder: &Node<'_>) {
        for (key, kind) in [("taskRef", "task"), ("pipelineRef", "pipeline")] {
            if let Some(entry) = holder.entry(key) {
                // Lists look like those beside them, else like the first of the document.
                let indent = list_indent(self.edits.text(), holder).unwrap_or(self.list_indent);
                self.reference(&entry.value, kind, indent);
            }
        }
    }

    fn reference(&mut self, reference: &Node<'_>, kind: &str, list_indent: usize) {
        let text = |key| reference.get(key).and_then(Node::as_str).unwrap_or_default();
        if !text("resolver").is_empty() || reference.entry("params").is_some() {
            return;
        }
        let name = reference.get("name").map(|node| self.raw(node));
        let (resolver, params) = if !text("bundle").is_empty() {
            let bundle = reference.get("bundle").map(|node| self.raw(node));
            ("bundles", [("bundle", bundle), ("name", name), ("kind", Some(kind.to_owned()))])
        } else if text("kind") == "ClusterTask" {
            let namespace = self.options.cluster_task_namespace.clone();
            if namespace.is_none() {
                let span = reference.get("kind").map_or(reference.span, |node| node.span);
                let message = "which namespace has the Task that was a ClusterTask?".to_owned();
                let help =
                    "name it with --cluster-task-namespace, or let the cluster resolver's default-namespace be it";
                self.note("cluster-task", span, message, Some(help.to_owned()));
            }
            ("cluster", [("kind", Some("task".to_owned())), ("name", name), ("namespace", namespace)])
        } else {
            if let Some(empty) = reference.entry("bundle") {
                self.edits.remove(reference, &[empty]);
            }
            return;
        };
        let params: Vec<(&str, String)> = params.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        self.resolve_through(reference, resolver, &params, list_indent);
    }

    fn raw(&self, node: &Node<'_>) -> String {
        self.edits.text()[node.span.start..node.span.end].to_owned()
    }

    fn resolve_through(&mut self, reference: &Node<'_>, resolver: &str, params: &[(&str, String)], list_indent: usize) {
        let own = own_entries(reference);
        let (Some(first), Some(last)) = (own.first(), own.last()) else { return };
        let text = self.edits.text();
        if self.edits.is_flow(reference) {
            let q = if text[first.key_span.start..].starts_with('"') { "\"" } else { "" };
            let quoted = |value: &str| {
                if q.is_empty() || value.starts_with('"') { value.to_owned() } else { format!("{q}{value}{q}") }
            };
            let items: Vec<String> = params
                .iter()
                .map(|(name, value)| format!("{{{q}name{q}: {q}{name}{q}, {q}value{q}: {}}}", quoted(value)))
                .collect();
            let inner = format!("{q}resolver{q}: {}, {q}params{q}: [{}]", quoted(resolver), items.join(", "));
            self.edits.replace(first.key_span.start..self.edits.end_of(last), inner);
            return;
        }
        let indent = self.edits.indent_of(first);
        let range = first.key_span.start..self.edits.source_of(reference, last).end;
        let comments = self.comments(&own, range.end);
        let mut new = String::new();
        let mut line = |indent: usize, text: &str| {
            if !new.is_empty() {
                new.push('\n');
                new.extend(std::iter::repeat_n(' ', indent));
            }
            new.push_str(text);
        };
        for comment in &comments {
            line(indent, comment);
        }
        line(indent, &format!("resolver: {resolver}"));
        line(indent, "params:");
        for (name, value) in params {
            line(indent + list_indent, &format!("- name: {name}"));
            line(indent + list_indent, &format!("  value: {value}"));
        }
        self.edits.replace(range, new);
    }

    /// The comments behind and between entries.
    fn comments(&self, own: &[&Entry<'_>], end: usize) -> Vec<String> {
        let text = self.edits.text();
        let starts = own.iter().skip(1).map(|entry| entry.key_span.start).chain([end]);
        own.iter()
            .zip(starts)
            .flat_map(|(entry, next)| text[self.edits.end_of(entry).min(next)..next].lines())
            .map(str::trim)
            .filter(|line| line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    }
}
