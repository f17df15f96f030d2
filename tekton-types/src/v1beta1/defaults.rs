//! What a v1beta1 object gets that its author left open.

use super::{
    Pipeline, PipelineRun, PipelineRunSpec, PipelineSpec, PipelineTask, Task, TaskRef, TaskRun, TaskRunSpec, TaskSpec,
};
use crate::config::Config;
use crate::defaults::{
    SetDefaults, default_resolver, default_service_account, default_task_kind, default_timeout, merge_pod_template,
    set_managed_by,
};

impl SetDefaults for Task {
    fn set_defaults(&mut self, config: &Config) {
        self.spec.set_defaults(config);
    }
}

impl SetDefaults for TaskSpec {
    fn set_defaults(&mut self, config: &Config) {
        self.params.set_defaults(config);
        self.results.set_defaults(config);
    }
}

impl SetDefaults for TaskRef {
    fn set_defaults(&mut self, config: &Config) {
        default_resolver(&self.name, &mut self.resolver, config);
        default_task_kind(&self.resolver, &mut self.kind);
    }
}

impl SetDefaults for TaskRun {
    fn set_defaults(&mut self, config: &Config) {
        self.spec.set_defaults(config);
        set_managed_by(&mut self.metadata.labels, config);
    }
}

impl SetDefaults for TaskRunSpec {
    fn set_defaults(&mut self, config: &Config) {
        if let Some(reference) = &mut self.task_ref {
            reference.set_defaults(config);
        }
        self.timeout.get_or_insert_with(|| default_timeout(config));
        default_service_account(&mut self.service_account_name, config);
        merge_pod_template(&mut self.pod_template, config.defaults.default_pod_template.as_ref());
        if let Some(spec) = &mut self.task_spec {
            spec.set_defaults(config);
        }
    }
}

impl SetDefaults for Pipeline {
    fn set_defaults(&mut self, config: &Config) {
        self.spec.set_defaults(config);
    }
}

impl SetDefaults for PipelineSpec {
    fn set_defaults(&mut self, config: &Config) {
        self.params.set_defaults(config);
        self.tasks.set_defaults(config);
        self.r#finally.set_defaults(config);
    }
}

impl SetDefaults for PipelineTask {
    fn set_defaults(&mut self, config: &Config) {
        if let Some(reference) = &mut self.task_ref {
            reference.set_defaults(config);
        }
        if let Some(embedded) = &mut self.task_spec {
            embedded.task_spec.set_defaults(config);
        }
    }
}

impl SetDefaults for PipelineRun {
    fn set_defaults(&mut self, config: &Config) {
        self.spec.set_defaults(config);
    }
}

impl SetDefaults for PipelineRunSpec {
    fn set_defaults(&mut self, config: &Config) {
        if let Some(reference) = &mut self.pipeline_ref {
            default_resolver(&reference.name, &mut reference.resolver, config);
        }
        match &mut self.timeouts {
            Some(timeouts) => {
                timeouts.pipeline.get_or_insert_with(|| default_timeout(config));
            }
            None => {
                self.timeout.get_or_insert_with(|| default_timeout(config));
            }
        }
        default_service_account(&mut self.service_account_name, config);
        merge_pod_template(&mut self.pod_template, config.defaults.default_pod_template.as_ref());
        if let Some(spec) = &mut self.pipeline_spec {
            spec.set_defaults(config);
        }
    }
}
