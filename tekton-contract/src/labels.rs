//! Label and annotation keys, and the values that have a meaning.

/// API group of Tekton Pipelines; prefix of most keys below.
pub const GROUP: &str = "tekton.dev";
/// API group of resolution requests.
pub const RESOLUTION_GROUP: &str = "resolution.tekton.dev";

/// Label: name of the StepAction.
pub const STEP_ACTION: &str = "tekton.dev/stepAction";
/// Label: name of the Task.
pub const TASK: &str = "tekton.dev/task";
/// Label: name of the cluster Task (kept by v1beta1 runs).
pub const CLUSTER_TASK: &str = "tekton.dev/clusterTask";
/// Label: name of the TaskRun.
pub const TASK_RUN: &str = "tekton.dev/taskRun";
/// Label: UID of the TaskRun.
pub const TASK_RUN_UID: &str = "tekton.dev/taskRunUID";
/// Label: name of the Pipeline.
pub const PIPELINE: &str = "tekton.dev/pipeline";
/// Label: name of the PipelineRun.
pub const PIPELINE_RUN: &str = "tekton.dev/pipelineRun";
/// Label: UID of the PipelineRun.
pub const PIPELINE_RUN_UID: &str = "tekton.dev/pipelineRunUID";
/// Label: name of the pipeline task.
pub const PIPELINE_TASK: &str = "tekton.dev/pipelineTask";
/// Label: name of the Run.
pub const RUN: &str = "tekton.dev/run";
/// Label: name of the CustomRun.
pub const CUSTOM_RUN: &str = "tekton.dev/customRun";
/// Label: `tasks` or `finally`, the section of the pipeline task.
pub const MEMBER_OF: &str = "tekton.dev/memberOf";
/// Value of [`MEMBER_OF`] for ordinary tasks.
pub const MEMBER_OF_TASKS: &str = "tasks";
/// Value of [`MEMBER_OF`] for finally tasks.
pub const MEMBER_OF_FINALLY: &str = "finally";
/// Value of `managedBy` for objects of the Pipelines controller.
pub const MANAGED_BY: &str = "tekton.dev/pipeline";

/// Kubernetes' own label that names what manages an object.
pub const APP_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Kubernetes' own label for the operating system of a node.
pub const OS: &str = "kubernetes.io/os";

/// Label of affinity assistant objects: the instance.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label of affinity assistant objects: the component.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Value of [`COMPONENT`] for an affinity assistant.
pub const AFFINITY_ASSISTANT_COMPONENT: &str = "affinity-assistant";
/// Annotation: name of the affinity assistant that a pod must be near to.
pub const AFFINITY_ASSISTANT: &str = "pipeline.tekton.dev/affinity-assistant";

/// Annotation: release of the controller that made the object.
pub const RELEASE: &str = "pipeline.tekton.dev/release";
/// Annotation: hermetic or ordinary execution.
pub const EXECUTION_MODE: &str = "experimental.tekton.dev/execution-mode";
/// Value of [`EXECUTION_MODE`] that cuts a step off the network.
pub const EXECUTION_MODE_HERMETIC: &str = "hermetic";
/// Annotation of a pod: set to [`READY_VALUE`] when its sidecars are ready.
pub const READY: &str = "tekton.dev/ready";
/// Value of [`READY`].
pub const READY_VALUE: &str = "READY";
/// Annotation of a pod: set to [`CANCEL_VALUE`] to cancel its running step.
pub const CANCEL: &str = "tekton.dev/cancel";
/// Value of [`CANCEL`].
pub const CANCEL_VALUE: &str = "CANCEL";
/// Annotation of a TaskRun: what `onError` of its pipeline task says.
pub const PIPELINE_TASK_ON_ERROR: &str = "pipeline.tekton.dev/pipeline-task-on-error";
/// Annotation of a claim that is deleted with its PipelineRun.
pub const AUTO_CLEANUP_PVC: &str = "tekton.dev/auto-cleanup-pvc";
/// Pattern of annotations that only Tekton Chains may set.
pub const CHAINS_RESERVED_PREFIX: &str = "chains.tekton.dev/";

/// Prefix of annotations that bind a Secret to a git server.
pub const GIT_CREDENTIAL_PREFIX: &str = "tekton.dev/git-";
/// Prefix of annotations that bind a Secret to a container registry.
pub const DOCKER_CREDENTIAL_PREFIX: &str = "tekton.dev/docker-";

/// Annotation: trace context of a PipelineRun.
pub const PIPELINE_RUN_SPAN_CONTEXT: &str = "tekton.dev/pipelinerunSpanContext";
/// Annotation: trace context of a TaskRun.
pub const TASK_RUN_SPAN_CONTEXT: &str = "tekton.dev/taskrunSpanContext";
/// Annotation: trace context of a CustomRun.
pub const CUSTOM_RUN_SPAN_CONTEXT: &str = "tekton.dev/customrunSpanContext";

/// Annotation: signature of a Task or Pipeline.
pub const SIGNATURE: &str = "tekton.dev/signature";
/// Annotation: hash of a TaskRun status (SPIRE).
pub const STATUS_HASH: &str = "tekton.dev/status-hash";
/// Annotation: signature of [`STATUS_HASH`].
pub const STATUS_HASH_SIG: &str = "tekton.dev/status-hash-sig";
/// Annotation: certificate of the controller (SPIRE).
pub const CONTROLLER_SVID: &str = "tekton.dev/controller-svid";
/// Annotation: `yes` or `no`, whether results were verified (SPIRE).
pub const SPIRE_VERIFIED: &str = "tekton.dev/spire-verified";

/// Label of a resolution request: the resolver.
pub const RESOLVER_TYPE: &str = "resolution.tekton.dev/type";
/// Annotation of a resolved object that came from the cache.
pub const RESOLUTION_CACHED: &str = "resolution.tekton.dev/cached";
/// Annotation: when the cached object was resolved.
pub const RESOLUTION_CACHE_TIMESTAMP: &str = "resolution.tekton.dev/cache-timestamp";
/// Annotation: the resolver that filled the cache.
pub const RESOLUTION_CACHE_RESOLVER_TYPE: &str = "resolution.tekton.dev/cache-resolver-type";
/// Annotation: what the cache did (`store`, `retrieve`).
pub const RESOLUTION_CACHE_OPERATION: &str = "resolution.tekton.dev/cache-operation";

/// Annotation: step, sidecar and deprecation data that v1 can not hold.
pub const V1BETA1_TASK_DEPRECATIONS: &str = "tekton.dev/v1beta1.task-deprecations";
/// Annotation: v1beta1 resources of a converted object.
pub const V1BETA1_RESOURCES: &str = "tekton.dev/v1beta1Resources";
/// Annotation: v1beta1 cloud events of a converted TaskRun.
pub const V1BETA1_CLOUD_EVENTS: &str = "tekton.dev/v1beta1CloudEvents";
/// Annotation: v1beta1 resource results of a converted TaskRun.
pub const V1BETA1_RESOURCES_RESULT: &str = "tekton.dev/v1beta1ResourcesResult";
/// Annotation: v1beta1 resource status of a converted TaskRun.
pub const V1BETA1_RESOURCES_STATUS: &str = "tekton.dev/v1beta1ResourcesStatus";
