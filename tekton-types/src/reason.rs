//! Reasons and fixed messages of conditions, byte for byte as upstream has them.

/// Reasons of the `Succeeded` condition of PipelineRuns.
pub mod pipelinerun {
    /// The run has been started.
    pub const STARTED: &str = "Started";
    /// The run is running.
    pub const RUNNING: &str = "Running";
    /// The run succeeded.
    pub const SUCCESSFUL: &str = "Succeeded";
    /// The run succeeded with skipped tasks.
    pub const COMPLETED: &str = "Completed";
    /// The run failed.
    pub const FAILED: &str = "Failed";
    /// The run was cancelled.
    pub const CANCELLED: &str = "Cancelled";
    /// The run is on hold.
    pub const PENDING: &str = "PipelineRunPending";
    /// The run timed out.
    pub const TIMED_OUT: &str = "PipelineRunTimeout";
    /// The word for: stopping.
    pub const STOPPING: &str = "PipelineRunStopping";
    /// The word for: timed out running finally.
    pub const TIMED_OUT_RUNNING_FINALLY: &str = "PipelineRunTimeoutRunningFinally";
    /// The word for: cancelled running finally.
    pub const CANCELLED_RUNNING_FINALLY: &str = "CancelledRunningFinally";
    /// The word for: stopped running finally.
    pub const STOPPED_RUNNING_FINALLY: &str = "StoppedRunningFinally";
    /// The word for: couldnt get pipeline.
    pub const COULDNT_GET_PIPELINE: &str = "CouldntGetPipeline";
    /// The word for: invalid bindings.
    pub const INVALID_BINDINGS: &str = "InvalidPipelineResourceBindings";
    /// The word for: invalid workspace binding.
    pub const INVALID_WORKSPACE_BINDING: &str = "InvalidWorkspaceBindings";
    /// The word for: invalid task run spec.
    pub const INVALID_TASK_RUN_SPEC: &str = "InvalidTaskRunSpecs";
    /// The word for: parameter type mismatch.
    pub const PARAMETER_TYPE_MISMATCH: &str = "ParameterTypeMismatch";
    /// The word for: object parameter miss keys.
    pub const OBJECT_PARAMETER_MISS_KEYS: &str = "ObjectParameterMissKeys";
    /// The word for: param array indexing invalid.
    pub const PARAM_ARRAY_INDEXING_INVALID: &str = "ParamArrayIndexingInvalid";
    /// The word for: couldnt get task.
    pub const COULDNT_GET_TASK: &str = "CouldntGetTask";
    /// The word for: parameter missing.
    pub const PARAMETER_MISSING: &str = "ParameterMissing";
    /// The word for: failed validation.
    pub const FAILED_VALIDATION: &str = "PipelineValidationFailed";
    /// The word for: couldnt get pipeline result.
    pub const COULDNT_GET_PIPELINE_RESULT: &str = "CouldntGetPipelineResult";
    /// The word for: invalid graph.
    pub const INVALID_GRAPH: &str = "PipelineInvalidGraph";
    /// The word for: couldnt cancel.
    pub const COULDNT_CANCEL: &str = "PipelineRunCouldntCancel";
    /// The word for: couldnt time out.
    pub const COULDNT_TIME_OUT: &str = "PipelineRunCouldntTimeOut";
    /// The word for: invalid matrix parameter types.
    pub const INVALID_MATRIX_PARAMETER_TYPES: &str = "InvalidMatrixParameterTypes";
    /// The word for: invalid task result reference.
    pub const INVALID_TASK_RESULT_REFERENCE: &str = "InvalidTaskResultReference";
    /// The word for: invalid pipeline result reference.
    pub const INVALID_PIPELINE_RESULT_REFERENCE: &str = "InvalidPipelineResultReference";
    /// The word for: required workspace marked optional.
    pub const REQUIRED_WORKSPACE_MARKED_OPTIONAL: &str = "RequiredWorkspaceMarkedOptional";
    /// The word for: resolving pipeline ref.
    pub const RESOLVING_PIPELINE_REF: &str = "ResolvingPipelineRef";
    /// The word for: resource verification failed.
    pub const RESOURCE_VERIFICATION_FAILED: &str = "ResourceVerificationFailed";
    /// The word for: create run failed.
    pub const CREATE_RUN_FAILED: &str = "CreateRunFailed";
    /// The word for: celevaluation failed.
    pub const CEL_EVALUATION_FAILED: &str = "CELEvaluationFailed";
    /// The word for: invalid param value.
    pub const INVALID_PARAM_VALUE: &str = "InvalidParamValue";
}

/// Reasons of the `Succeeded` condition of TaskRuns.
pub mod taskrun {
    /// The run has been started.
    pub const STARTED: &str = "Started";
    /// The run is running.
    pub const RUNNING: &str = "Running";
    /// The run succeeded.
    pub const SUCCESSFUL: &str = "Succeeded";
    /// The run failed.
    pub const FAILED: &str = "Failed";
    /// The attempt failed and another one follows.
    pub const TO_BE_RETRIED: &str = "ToBeRetried";
    /// The run was cancelled.
    pub const CANCELLED: &str = "TaskRunCancelled";
    /// The run timed out.
    pub const TIMED_OUT: &str = "TaskRunTimeout";
    /// The word for: resolving task ref.
    pub const RESOLVING_TASK_REF: &str = "ResolvingTaskRef";
    /// The word for: resolving step action ref.
    pub const RESOLVING_STEP_ACTION_REF: &str = "ResolvingStepActionRef";
    /// The word for: image pull failed.
    pub const IMAGE_PULL_FAILED: &str = "TaskRunImagePullFailed";
    /// The word for: create container config error.
    pub const CREATE_CONTAINER_CONFIG_ERROR: &str = "CreateContainerConfigError";
    /// The word for: pod creation failed.
    pub const POD_CREATION_FAILED: &str = "PodCreationFailed";
    /// The word for: result larger than allowed limit.
    pub const RESULT_LARGER_THAN_ALLOWED_LIMIT: &str = "TaskRunResultLargerThanAllowedLimit";
    /// The word for: stop sidecar failed.
    pub const STOP_SIDECAR_FAILED: &str = "TaskRunStopSidecarFailed";
    /// The word for: invalid param value.
    pub const INVALID_PARAM_VALUE: &str = "InvalidParamValue";
    /// The word for: failed resolution.
    pub const FAILED_RESOLUTION: &str = "TaskRunResolutionFailed";
    /// The word for: failed validation.
    pub const FAILED_VALIDATION: &str = "TaskRunValidationFailed";
    /// The word for: task failed validation.
    pub const TASK_FAILED_VALIDATION: &str = "TaskValidationFailed";
    /// The word for: resource verification failed.
    pub const RESOURCE_VERIFICATION_FAILED: &str = "ResourceVerificationFailed";
    /// The word for: pod evicted.
    pub const POD_EVICTED: &str = "PodEvicted";
    /// The word for: step oom.
    pub const STEP_OOM: &str = "StepOOM";
    /// The word for: step failed.
    pub const STEP_FAILED: &str = "StepFailed";
    /// The word for: sidecar oom.
    pub const SIDECAR_OOM: &str = "SidecarOOM";
    /// The word for: sidecar failed.
    pub const SIDECAR_FAILED: &str = "SidecarFailed";
    /// The word for: init container oom.
    pub const INIT_CONTAINER_OOM: &str = "InitContainerOOM";
    /// The word for: init container failed.
    pub const INIT_CONTAINER_FAILED: &str = "InitContainerFailed";
    /// The word for: failure ignored.
    pub const FAILURE_IGNORED: &str = "FailureIgnored";
    /// The run is on hold.
    pub const PENDING: &str = "TaskRunPending";
}

/// Reasons of the `Succeeded` condition of CustomRuns.
pub mod customrun {
    /// The run has been started.
    pub const STARTED: &str = "Started";
    /// The run is running.
    pub const RUNNING: &str = "Running";
    /// The run succeeded.
    pub const SUCCESSFUL: &str = "Succeeded";
    /// The run failed.
    pub const FAILED: &str = "Failed";
    /// The run was cancelled.
    pub const CANCELLED: &str = "CustomRunCancelled";
    /// The run timed out.
    pub const TIMED_OUT: &str = "CustomRunTimedOut";
    /// The word for: workspace not supported.
    pub const WORKSPACE_NOT_SUPPORTED: &str = "CustomRunWorkspaceNotSupported";
}

/// Reasons of skipped tasks.
pub mod skip {
    /// The word for: when expressions.
    pub const WHEN_EXPRESSIONS: &str = "When Expressions evaluated to false";
    /// The word for: parent tasks.
    pub const PARENT_TASKS: &str = "Parent Tasks were skipped";
    /// The word for: stopping.
    pub const STOPPING: &str = "PipelineRun was stopping";
    /// The word for: gracefully cancelled.
    pub const GRACEFULLY_CANCELLED: &str = "PipelineRun was gracefully cancelled";
    /// The word for: gracefully stopped.
    pub const GRACEFULLY_STOPPED: &str = "PipelineRun was gracefully stopped";
    /// The word for: missing results.
    pub const MISSING_RESULTS: &str = "Results were missing";
    /// The word for: pipeline timed out.
    pub const PIPELINE_TIMED_OUT: &str = "PipelineRun timeout has been reached";
    /// The word for: tasks timed out.
    pub const TASKS_TIMED_OUT: &str = "PipelineRun Tasks timeout has been reached";
    /// The word for: finally timed out.
    pub const FINALLY_TIMED_OUT: &str = "PipelineRun Finally timeout has been reached";
    /// The word for: empty array in matrix params.
    pub const EMPTY_ARRAY_IN_MATRIX_PARAMS: &str = "Matrix Parameters have an empty array";
    /// The word for: none.
    pub const NONE: &str = "None";
}

/// Reasons that come from the state of the pod.
pub mod pod {
    /// The word for: exceeded resource quota.
    pub const EXCEEDED_RESOURCE_QUOTA: &str = "ExceededResourceQuota";
    /// The word for: exceeded node resources.
    pub const EXCEEDED_NODE_RESOURCES: &str = "ExceededNodeResources";
    /// The word for: pull image failed.
    pub const PULL_IMAGE_FAILED: &str = "PullImageFailed";
    /// The word for: create container config error.
    pub const CREATE_CONTAINER_CONFIG_ERROR: &str = "CreateContainerConfigError";
    /// The word for: pod creation failed.
    pub const POD_CREATION_FAILED: &str = "PodCreationFailed";
    /// The word for: pod admission failed.
    pub const POD_ADMISSION_FAILED: &str = "PodAdmissionFailed";
    /// The word for: pod pending.
    pub const POD_PENDING: &str = "Pending";
}

/// Reasons of the `Succeeded` condition of ResolutionRequests.
pub mod resolution {
    /// The resolver works on it.
    pub const RESOLUTION_IN_PROGRESS: &str = "ResolutionInProgress";
    /// The definition is there.
    pub const RESOLUTION_SUCCESSFUL: &str = "ResolutionSuccessful";
    /// The resolver failed.
    pub const RESOLUTION_FAILED: &str = "ResolutionFailed";
    /// The resolver took too long.
    pub const RESOLUTION_TIMED_OUT: &str = "ResolutionTimedOut";
}
