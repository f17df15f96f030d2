//! From a document to its objects, and what each kind becomes.

use super::{Walk, removed};
use crate::yaml::edit::own_entries;
use crate::yaml::{Entry, Node, Value};

/// Fields of steps that v1 does not have; they have no effect.
const DEPRECATED_IN_STEPS: &[&str] = &[
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "stdin",
    "stdinOnce",
    "tty",
];

pub(super) fn items<'n, 'a>(node: Option<&'n Node<'a>>) -> &'n [Node<'a>] {
    match node.map(|node| &node.value) {
        Some(Value::Seq(items)) => items,
        _ => &[],
    }
}

impl Walk<'_, '_> {
    /// A document: an object, or a list or a trigger's template with objects in it.
    pub(super) fn document(&mut self, root: &Node<'_>) {
        let kind = root.get("kind").and_then(Node::as_str).unwrap_or_default();
        if kind.ends_with("List") {
            for item in items(root.get("items")) {
                self.object(item);
            }
        } else if kind == "TriggerTemplate" {
            let templates = ["resourcetemplates", "resourceTemplates"].map(|key| root.get("spec")?.get(key));
            for item in templates.into_iter().flat_map(items) {
                self.object(item);
            }
        } else {
            self.object(root);
        }
    }

    fn object(&mut self, node: &Node<'_>) {
        let word = |key| node.get(key).and_then(Node::as_str).unwrap_or_default();
        let (Some(api_version), Some(kind_node)) = (node.get("apiVersion"), node.get("kind")) else { return };
        let Some((group @ ("tekton.dev" | "resolution.tekton.dev"), version)) = word("apiVersion").split_once('/')
        else {
            return;
        };
        let kind = word("kind");
        let metadata = node.get("metadata");
        let name = metadata.and_then(|m| m.get("name").or_else(|| m.get("generateName"))).and_then(Node::as_str);
        self.object = name.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"));
        let (edits, notes) = (self.edits.len(), self.notes.len());
        let spec = node.get("spec");
        let now = match (group, kind, version) {
            ("tekton.dev", "Task" | "ClusterTask" | "Pipeline" | "TaskRun" | "PipelineRun", _) => "v1",
            ("tekton.dev", "StepAction" | "Run", _) | ("resolution.tekton.dev", "ResolutionRequest", _) => "v1beta1",
            ("tekton.dev", "PipelineResource" | "Condition", _) => {
                self.removed_kind(kind, kind_node, spec);
                return;
            }
            _ => return,
        };
        if version != now {
            self.edits.set_word(api_version, &format!("{group}/{now}"));
        }
        match kind {
            "ClusterTask" => self.cluster_task(kind_node, metadata),
            "Run" => self.custom_run(kind_node, spec),
            "ResolutionRequest" if version == "v1alpha1" => self.request(spec),
            _ => {}
        }
        if let Some(spec) = spec {
            match kind {
                "Task" | "ClusterTask" => self.task_spec(spec),
                "Pipeline" => self.pipeline_spec(spec),
                "TaskRun" => self.task_run(spec),
                "PipelineRun" => self.pipeline_run(spec),
                _ => {}
            }
        }
        if let Some(status) = node.get("status") {
            self.status(status);
        }
        if self.notes[notes..].iter().any(|note| note.blocks) {
            self.edits.truncate(edits);
        }
    }

    fn removed_kind(&mut self, kind: &str, kind_node: &Node<'_>, spec: Option<&Node<'_>>) {
        let type_ = spec.and_then(|spec| spec.get("type"));
        let general =
            removed::KINDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, replacement)| replacement);
        if let Some(name) = type_.and_then(Node::as_str).filter(|_| kind == "PipelineResource") {
            let span = type_.map_or(kind_node.span, |node| node.span);
            let message = format!("PipelineResources of type {name} were removed from Tekton");
            self.refuse("removed-kind", span, message, removed::resource_type(name));
        } else {
            let message = format!("kind {kind} was removed from Tekton");
            self.refuse("removed-kind", kind_node.span, message, general);
        }
    }

    fn cluster_task(&mut self, kind: &Node<'_>, metadata: Option<&Node<'_>>) {
        self.edits.set_word(kind, "Task");
        let named = metadata.and_then(|metadata| metadata.entry("name").map(|name| (metadata, name)));
        if let (Some(namespace), Some((metadata, name))) = (&self.options.cluster_task_namespace, named) {
            let (end, between) = if self.edits.is_flow(metadata) {
                (self.edits.end_of(name), ", ".to_owned())
            } else {
                let end = self.edits.source_of(metadata, name).end;
                (end, format!("\n{:1$}", "", self.edits.indent_of(name)))
            };
            self.edits.replace(end..end, format!("{between}namespace: {namespace}"));
        } else {
            let message = "a ClusterTask becomes a Task, which lives in one namespace".to_owned();
            self.note("cluster-task", kind.span, message, Some("choose the namespace that references name".to_owned()));
        }
    }

    fn custom_run(&mut self, kind: &Node<'_>, spec: Option<&Node<'_>>) {
        self.edits.set_word(kind, "CustomRun");
        let Some(spec) = spec else { return };
        for (old, new) in [("ref", "customRef"), ("spec", "customSpec")] {
            if let Some(entry) = spec.entry(old) {
                self.edits.rename(entry, new);
            }
        }
        self.drop_fields(spec, &["podTemplate"], "CustomRuns have no podTemplate; give it within `customSpec`");
    }

    /// The parameters of an old request are a map.
    fn request(&mut self, spec: Option<&Node<'_>>) {
        let Some(params) = spec.and_then(|spec| spec.entry("params")) else { return };
        let own = own_entries(&params.value);
        if own.is_empty() {
            return;
        }
        let text = self.edits.text();
        let flow = self.edits.is_flow(&params.value);
        let items: Vec<String> = own
            .iter()
            .map(|entry| {
                let key = &text[entry.key_span.start..entry.key_span.end];
                let value = &text[entry.value.span.start..self.edits.end_of(entry)];
                if flow { format!("{{name: {key}, value: {value}}}") } else { format!("- name: {key}\n{value}") }
            })
            .collect();
        if flow {
            let range = params.value.span.start..params.value.span.end;
            self.edits.replace(range, format!("[{}]", items.join(", ")));
            return;
        }
        for entry in own {
            let indent = self.edits.indent_of(entry);
            let key = &text[entry.key_span.start..entry.key_span.end];
            let range = entry.key_span.start..entry.key_span.end;
            self.edits.replace(range, format!("- name: {key}\n{:indent$}  value", ""));
        }
    }

    pub(super) fn task_spec(&mut self, spec: &Node<'_>) {
        self.old_inputs(spec);
        if let Some(resources) = spec.entry("resources") {
            self.resources(resources);
        }
        for step in items(spec.get("steps")) {
            self.compute_resources(step);
            self.drop_fields(step, DEPRECATED_IN_STEPS, "steps do not have it since v1, and it had no effect");
        }
        if let Some(template) = spec.get("stepTemplate") {
            self.compute_resources(template);
            self.drop_fields(
                template,
                DEPRECATED_IN_STEPS,
                "step templates do not have it since v1, and it had no effect",
            );
            self.drop_fields(template, &["name"], "step templates do not have it since v1, and it had no effect");
        }
        for sidecar in items(spec.get("sidecars")) {
            self.compute_resources(sidecar);
        }
        self.variables(spec);
    }

    pub(super) fn compute_resources(&mut self, holder: &Node<'_>) {
        if let (Some(entry), None) = (holder.entry("resources"), holder.entry("computeResources")) {
            self.edits.rename(entry, "computeResources");
        }
    }

    pub(super) fn pipeline_spec(&mut self, spec: &Node<'_>) {
        if let Some(resources) = spec.entry("resources") {
            self.resources(resources);
        }
        for task in items(spec.get("tasks")).iter().chain(items(spec.get("finally"))) {
            for key in ["resources", "conditions"] {
                match task.entry(key) {
                    Some(entry) if key == "resources" => self.resources(entry),
                    Some(entry) => self.removed_field(entry),
                    None => {}
                }
            }
            self.references(task);
            match task.get("taskSpec") {
                // A custom task: its inside belongs to another API.
                Some(spec) if spec.get("apiVersion").is_some() && spec.get("kind").is_some() => {}
                Some(spec) => self.task_spec(spec),
                None => {}
            }
            if let Some(spec) = task.get("pipelineSpec") {
                self.pipeline_spec(spec);
            }
        }
    }

    /// `inputs` and `outputs` of v1alpha1: parameters move up, resources are told.
    pub(super) fn old_inputs(&mut self, spec: &Node<'_>) {
        for key in ["inputs", "outputs"] {
            let Some(entry) = spec.entry(key) else { continue };
            if let Some(resources) = entry.value.entry("resources") {
                self.resources(resources);
            } else if let (Some(params), None, 1) =
                (entry.value.entry("params"), spec.entry("params"), own_entries(&entry.value).len())
                && !self.edits.is_flow(&entry.value)
            {
                self.edits.replace(entry.key_span.start..params.key_span.end, "params");
            } else {
                self.removed_field(entry);
            }
        }
    }

    pub(super) fn removed_field(&mut self, entry: &Entry<'_>) {
        let known = removed::FIELDS.iter().find(|(name, _)| *name == entry.key);
        let replacement = known.map_or(removed::RESOURCES, |(_, replacement)| replacement);
        let message = format!("field {:?} was removed from Tekton", entry.key);
        self.refuse("removed-field", entry.key_span, message, replacement);
    }

    /// PipelineResources, declared or given: each is told with what replaces its type.
    pub(super) fn resources(&mut self, entry: &Entry<'_>) {
        let lists = [Some(&entry.value), entry.value.get("inputs"), entry.value.get("outputs")];
        let mut told = false;
        for item in lists.into_iter().flat_map(items) {
            let type_ = item.get("type").or_else(|| item.get("resourceSpec")?.get("type"));
            let Some((node, name)) = type_.and_then(|node| Some((node, node.as_str()?))) else { continue };
            let message = format!("PipelineResources of type {name} were removed from Tekton");
            self.refuse("removed-field", node.span, message, removed::resource_type(name));
            told = true;
        }
        if !told {
            let message = "PipelineResources were removed from Tekton".to_owned();
            self.refuse("removed-field", entry.key_span, message, removed::RESOURCES);
        }
    }

    /// Takes fields out that have no effect, and says so.
    pub(super) fn drop_fields(&mut self, map: &Node<'_>, fields: &[&str], why: &str) {
        let gone: Vec<&Entry<'_>> =
            own_entries(map).into_iter().filter(|entry| fields.contains(&entry.key.as_ref())).collect();
        for entry in &gone {
            self.note("dropped-field", entry.key_span, format!("field {:?} goes: {why}", entry.key), None);
        }
        if !gone.is_empty() {
            self.edits.remove(map, &gone);
        }
    }
}
