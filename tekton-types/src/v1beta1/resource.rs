//! PipelineResources: gone from Tekton, kept so that old objects can be read and converted without loss.

use crate::wire::wire;

wire! {
    /// Declared resources of a task.
    pub struct TaskResources {
        /// Read by the task.
        pub inputs: Vec<TaskResource>,
        /// Made by the task.
        pub outputs: Vec<TaskResource>,
    }
}

wire! {
    /// A declared resource of a task.
    pub struct TaskResource {
        /// Name of the resource.
        pub always name: String,
        /// Type of the resource.
        #[serde(rename = "type")]
        pub always type_: String,
        /// What it is for.
        pub description: String,
        /// Where it is put.
        pub target_path: String,
        /// Whether a run may leave it out.
        pub optional: bool,
    }
}

wire! {
    /// Resources given to a TaskRun.
    pub struct TaskRunResources {
        /// Read by the task.
        pub inputs: Vec<TaskResourceBinding>,
        /// Made by the task.
        pub outputs: Vec<TaskResourceBinding>,
    }
}

wire! {
    /// A resource given to a TaskRun.
    pub struct TaskResourceBinding {
        /// Name of the resource.
        pub name: String,
        /// The resource by reference.
        pub resource_ref: Option<PipelineResourceRef>,
        /// The resource in place.
        pub resource_spec: Option<PipelineResourceSpec>,
        /// Paths to copy it from.
        pub paths: Vec<String>,
    }
}

wire! {
    /// A resource given to a PipelineRun.
    pub struct PipelineResourceBinding {
        /// Name of the resource.
        pub name: String,
        /// The resource by reference.
        pub resource_ref: Option<PipelineResourceRef>,
        /// The resource in place.
        pub resource_spec: Option<PipelineResourceSpec>,
    }
}

wire! {
    /// Names a PipelineResource.
    pub struct PipelineResourceRef {
        /// Name of the referent.
        pub name: String,
        /// API version of the referent.
        pub api_version: String,
    }
}

wire! {
    /// A PipelineResource in place.
    pub struct PipelineResourceSpec {
        /// What it is for.
        pub description: String,
        /// Type of the resource.
        #[serde(rename = "type")]
        pub always type_: String,
        /// Its parameters.
        pub always params: Vec<ResourceParam>,
        /// Its secrets.
        pub secrets: Vec<SecretParam>,
    }
}

wire! {
    /// A parameter of a PipelineResource.
    pub struct ResourceParam {
        /// Name of the parameter.
        pub always name: String,
        /// Its value.
        pub always value: String,
    }
}

wire! {
    /// A secret of a PipelineResource.
    pub struct SecretParam {
        /// Name of the field.
        pub always field_name: String,
        /// Key within the Secret.
        pub always secret_key: String,
        /// Name of the Secret.
        pub always secret_name: String,
    }
}

wire! {
    /// A declared resource of a pipeline.
    pub struct PipelineDeclaredResource {
        /// Name of the resource.
        pub always name: String,
        /// Type of the resource.
        #[serde(rename = "type")]
        pub always type_: String,
        /// Whether a run may leave it out.
        pub optional: bool,
    }
}

wire! {
    /// Resources that a pipeline hands to a task.
    pub struct PipelineTaskResources {
        /// Read by the task.
        pub inputs: Vec<PipelineTaskInputResource>,
        /// Made by the task.
        pub outputs: Vec<PipelineTaskOutputResource>,
    }
}

wire! {
    /// A resource that a task reads.
    pub struct PipelineTaskInputResource {
        /// Name as the task declares it.
        pub always name: String,
        /// Name as the pipeline declares it.
        pub always resource: String,
        /// Tasks that made it.
        pub from: Vec<String>,
    }
}

wire! {
    /// A resource that a task makes.
    pub struct PipelineTaskOutputResource {
        /// Name as the task declares it.
        pub always name: String,
        /// Name as the pipeline declares it.
        pub always resource: String,
    }
}

wire! {
    /// A result of a resource, in the status of a TaskRun.
    pub struct PipelineResourceResult {
        /// Key of the result.
        pub always key: String,
        /// Its value.
        pub always value: String,
        /// Name of the resource.
        pub resource_name: String,
        /// Its type: a number, or a name that older versions wrote.
        #[serde(rename = "type")]
        pub type_: ResultType,
    }
}

/// The type of an entry of a termination message, as a number; names that older versions wrote are read, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct ResultType(pub i64);

impl crate::wire::Empty for ResultType {
    fn is_empty_value(&self) -> bool {
        self.0 == 0
    }
}

impl<'de> serde::Deserialize<'de> for ResultType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrName;
        impl serde::de::Visitor<'_> for NumberOrName {
            type Value = ResultType;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or the name of a result type")
            }
            fn visit_i64<E>(self, value: i64) -> Result<ResultType, E> {
                Ok(ResultType(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<ResultType, E> {
                Ok(ResultType(i64::try_from(value).unwrap_or(10)))
            }
            fn visit_str<E>(self, name: &str) -> Result<ResultType, E> {
                Ok(ResultType(match name {
                    "TaskRunResult" => 1,
                    "InternalTektonResult" => 3,
                    "StepResult" => 4,
                    "StepArtifactsResult" => 5,
                    "TaskRunArtifactsResult" => 6,
                    _ => 10,
                }))
            }
        }
        deserializer.deserialize_any(NumberOrName)
    }
}
