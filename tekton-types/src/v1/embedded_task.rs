//! EmbeddedTask: a task, or a custom task, written inside a pipeline.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{ParamSpec, PipelineTaskMetadata, Sidecar, Step, StepTemplate, TaskResult, TaskSpec, WorkspaceDeclaration};
use crate::wire::wire;
use k8s_openapi::api::core::v1::Volume;

/// A task in place. The fields of [`TaskSpec`] stand beside `apiVersion`, `kind`, `spec` and `metadata` on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddedTask {
    /// API version of a custom task.
    pub api_version: String,
    /// Kind of a custom task.
    pub kind: String,
    /// The spec of a custom task, as given.
    pub spec: Option<Value>,
    /// Labels and annotations for the created run.
    pub metadata: PipelineTaskMetadata,
    /// The task itself.
    pub task_spec: TaskSpec,
}

wire! {
    /// The shape of an EmbeddedTask on the wire.
    struct WireEmbeddedTask {
        /// API version of a custom task.
        pub api_version: String,
        /// Kind of a custom task.
        pub kind: String,
        /// The spec of a custom task, as given.
        pub spec: Option<Value>,
        /// Labels and annotations for the created run.
        pub metadata: PipelineTaskMetadata,
        /// Declared parameters.
        pub params: Vec<ParamSpec>,
        /// Name for people.
        pub display_name: String,
        /// What the task is for.
        pub description: String,
        /// Steps, in the order in which they run.
        pub steps: Vec<Step>,
        /// Volumes that steps and sidecars may mount.
        pub volumes: Vec<Volume>,
        /// What every step starts from.
        pub step_template: Option<StepTemplate>,
        /// Containers beside the steps.
        pub sidecars: Vec<Sidecar>,
        /// Declared workspaces.
        pub workspaces: Vec<WorkspaceDeclaration>,
        /// Declared results.
        pub results: Vec<TaskResult>,
    }
}

impl crate::wire::Empty for PipelineTaskMetadata {
    fn is_empty_value(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}

impl<'de> Deserialize<'de> for EmbeddedTask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = WireEmbeddedTask::deserialize(deserializer)?;
        Ok(Self {
            api_version: wire.api_version,
            kind: wire.kind,
            spec: wire.spec,
            metadata: wire.metadata,
            task_spec: TaskSpec {
                params: wire.params,
                display_name: wire.display_name,
                description: wire.description,
                steps: wire.steps,
                volumes: wire.volumes,
                step_template: wire.step_template,
                sidecars: wire.sidecars,
                workspaces: wire.workspaces,
                results: wire.results,
            },
        })
    }
}

impl Serialize for EmbeddedTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { api_version, kind, spec, metadata, task_spec } = self;
        let TaskSpec {
            params,
            display_name,
            description,
            steps,
            volumes,
            step_template,
            sidecars,
            workspaces,
            results,
        } = task_spec;
        let mut out = serializer.serialize_map(None)?;
        put(&mut out, "kind", kind)?;
        put(&mut out, "apiVersion", api_version)?;
        out.serialize_entry("spec", spec)?;
        out.serialize_entry("metadata", metadata)?;
        put(&mut out, "params", params)?;
        put(&mut out, "displayName", display_name)?;
        put(&mut out, "description", description)?;
        put(&mut out, "steps", steps)?;
        put(&mut out, "volumes", volumes)?;
        put(&mut out, "stepTemplate", step_template)?;
        put(&mut out, "sidecars", sidecars)?;
        put(&mut out, "workspaces", workspaces)?;
        put(&mut out, "results", results)?;
        out.end()
    }
}

fn put<M: SerializeMap, T: Serialize + crate::wire::Empty>(
    out: &mut M,
    key: &'static str,
    value: &T,
) -> Result<(), M::Error> {
    if value.is_empty_value() { Ok(()) } else { out.serialize_entry(key, value) }
}

impl JsonSchema for EmbeddedTask {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EmbeddedTask".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        WireEmbeddedTask::json_schema(generator)
    }
}

impl EmbeddedTask {
    /// Whether this is a custom task: it names an API version and a kind of its own.
    pub fn is_custom_task(&self) -> bool {
        !self.api_version.is_empty() && !self.kind.is_empty()
    }
}
