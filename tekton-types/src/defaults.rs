//! What an object gets that its author left open: `SetDefaults` of every kind.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::duration::GoDuration;
use crate::pod::{AffinityAssistantTemplate, PodTemplate};
use crate::v1::{
    NAMESPACED_TASK_KIND, ParamSpec, Pipeline, PipelineRun, PipelineRunSpec, PipelineSpec, PipelineTask, Properties,
    PropertySpec, StepResult, Task, TaskRef, TaskResult, TaskRun, TaskRunSpec, TaskSpec, param_type,
};
use crate::{v1alpha1, v1beta1};
use k8s_openapi::api::core::v1::{EnvVar, Volume};

/// The label that names who manages a TaskRun.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Fills in what an author left open, as the admission webhook does.
pub trait SetDefaults {
    /// Fills in what was left open. Filling in twice changes nothing.
    fn set_defaults(&mut self, config: &Config);
}

impl SetDefaults for Task {
    fn set_defaults(&mut self, config: &Config) {
        self.spec.set_defaults(config);
    }
}

impl SetDefaults for TaskSpec {
    fn set_defaults(&mut self, config: &Config) {
        for step in &mut self.steps {
            if let Some(reference) = &mut step.r#ref {
                default_resolver(&reference.name, &mut reference.resolver, config);
            }
        }
        self.params.set_defaults(config);
        self.results.set_defaults(config);
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

impl SetDefaults for TaskRef {
    fn set_defaults(&mut self, config: &Config) {
        default_resolver(&self.name, &mut self.resolver, config);
        default_task_kind(&self.resolver, &mut self.kind);
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
        let timeouts = self.timeouts.get_or_insert_default();
        timeouts.pipeline.get_or_insert_with(|| default_timeout(config));
        default_service_account(&mut self.task_run_template.service_account_name, config);
        merge_pod_template(&mut self.task_run_template.pod_template, config.defaults.default_pod_template.as_ref());
        if let Some(spec) = &mut self.pipeline_spec {
            spec.set_defaults(config);
        }
    }
}

impl SetDefaults for v1beta1::StepAction {
    fn set_defaults(&mut self, config: &Config) {
        self.spec.set_defaults(config);
    }
}

impl SetDefaults for v1alpha1::StepAction {
    fn set_defaults(&mut self, config: &Config) {
        self.spec.set_defaults(config);
    }
}

impl SetDefaults for v1beta1::StepActionSpec {
    fn set_defaults(&mut self, config: &Config) {
        self.params.set_defaults(config);
        self.results.set_defaults(config);
    }
}

impl SetDefaults for v1beta1::CustomRun {
    fn set_defaults(&mut self, config: &Config) {
        self.spec.set_defaults(config);
    }
}

impl SetDefaults for v1beta1::CustomRunSpec {
    fn set_defaults(&mut self, config: &Config) {
        default_service_account(&mut self.service_account_name, config);
    }
}

impl SetDefaults for ParamSpec {
    fn set_defaults(&mut self, _: &Config) {
        let typed = !self.type_.is_empty();
        if typed || self.properties.is_given() {
            default_property_types(&mut self.properties);
        }
        if !typed {
            self.type_ = match &self.default {
                _ if self.properties.is_given() => param_type::OBJECT,
                Some(value) => value.type_name(),
                None => param_type::STRING,
            }
            .to_owned();
        }
    }
}

impl SetDefaults for TaskResult {
    fn set_defaults(&mut self, _: &Config) {
        default_result_type(&mut self.type_, &mut self.properties);
    }
}

impl SetDefaults for StepResult {
    fn set_defaults(&mut self, _: &Config) {
        default_result_type(&mut self.type_, &mut self.properties);
    }
}

impl<T: SetDefaults> SetDefaults for Vec<T> {
    fn set_defaults(&mut self, config: &Config) {
        for item in self {
            item.set_defaults(config);
        }
    }
}

/// Takes annotations away that only Tekton itself may set; admission does so at creation.
pub fn drop_reserved_annotations(annotations: &mut Option<BTreeMap<String, String>>) {
    if let Some(annotations) = annotations {
        annotations.retain(|key, _| !is_reserved_annotation(key));
    }
}

/// Whether `chains.tekton.dev/` occurs in a key; upstream's expression lets any character stand for the dots.
fn is_reserved_annotation(key: &str) -> bool {
    key.match_indices("chains").any(|(at, _)| {
        let any_then = |rest: &mut std::str::Chars<'_>, word: &str| {
            let one = rest.next().is_some_and(|c| c != '\n');
            let tail = rest.as_str().strip_prefix(word);
            tail.filter(|_| one).map(|tail| *rest = tail.chars()).is_some()
        };
        let mut rest = key[at + "chains".len()..].chars();
        any_then(&mut rest, "tekton") && any_then(&mut rest, "dev/")
    })
}

/// The time that a run may take when it does not say.
pub fn default_timeout(config: &Config) -> GoDuration {
    GoDuration::from_mins(config.defaults.default_timeout_minutes)
}

pub(crate) fn default_resolver(name: &str, resolver: &mut String, config: &Config) {
    if name.is_empty() && resolver.is_empty() {
        resolver.clone_from(&config.defaults.default_resolver_type);
    }
}

pub(crate) fn default_task_kind(resolver: &str, kind: &mut String) {
    if kind.is_empty() && resolver.is_empty() {
        NAMESPACED_TASK_KIND.clone_into(kind);
    }
}

pub(crate) fn default_service_account(name: &mut String, config: &Config) {
    if name.is_empty() {
        name.clone_from(&config.defaults.default_service_account);
    }
}

pub(crate) fn set_managed_by(labels: &mut Option<BTreeMap<String, String>>, config: &Config) {
    labels
        .get_or_insert_default()
        .entry(MANAGED_BY_LABEL.to_owned())
        .or_insert_with(|| config.defaults.default_managed_by_label_value.clone());
}

fn default_property_types(properties: &mut BTreeMap<String, PropertySpec>) {
    for property in properties.values_mut().filter(|p| p.type_.is_empty()) {
        param_type::STRING.clone_into(&mut property.type_);
    }
}

fn default_result_type(type_: &mut String, properties: &mut Properties) {
    if type_.is_empty() {
        let inferred = if properties.is_given() { param_type::OBJECT } else { param_type::STRING };
        inferred.clone_into(type_);
    }
    default_property_types(properties);
}

/// Completes a pod template from a default one; what is set stays, lists with names are joined.
pub fn merge_pod_template(template: &mut Option<PodTemplate>, default: Option<&PodTemplate>) {
    let Some(default) = default else { return };
    let Some(template) = template else {
        *template = Some(default.clone());
        return;
    };
    let PodTemplate {
        node_selector,
        env,
        tolerations,
        affinity,
        security_context,
        volumes,
        runtime_class_name,
        automount_service_account_token,
        dns_policy,
        dns_config,
        enable_service_links,
        priority_class_name,
        scheduler_name,
        image_pull_secrets,
        host_aliases,
        host_network,
        host_users,
        topology_spread_constraints,
    } = template;
    fill_map(node_selector, &default.node_selector);
    merge_by_name(env, &default.env);
    fill_list(tolerations, &default.tolerations);
    fill(affinity, default.affinity.as_ref());
    fill(security_context, default.security_context.as_ref());
    merge_by_name(volumes, &default.volumes);
    fill(runtime_class_name, default.runtime_class_name.as_ref());
    fill(automount_service_account_token, default.automount_service_account_token.as_ref());
    fill(dns_policy, default.dns_policy.as_ref());
    fill(dns_config, default.dns_config.as_ref());
    fill(enable_service_links, default.enable_service_links.as_ref());
    fill(priority_class_name, default.priority_class_name.as_ref());
    if scheduler_name.is_empty() {
        scheduler_name.clone_from(&default.scheduler_name);
    }
    fill_list(image_pull_secrets, &default.image_pull_secrets);
    fill_list(host_aliases, &default.host_aliases);
    *host_network |= default.host_network;
    fill(host_users, default.host_users.as_ref());
    fill_list(topology_spread_constraints, &default.topology_spread_constraints);
}

/// Completes the pod template of an affinity assistant from a default one.
pub fn merge_affinity_assistant_template(
    template: &mut Option<AffinityAssistantTemplate>,
    default: Option<&AffinityAssistantTemplate>,
) {
    let Some(default) = default else { return };
    let Some(template) = template else {
        *template = Some(default.clone());
        return;
    };
    let AffinityAssistantTemplate {
        node_selector,
        tolerations,
        image_pull_secrets,
        security_context,
        priority_class_name,
        service_account_name,
    } = template;
    fill_map(node_selector, &default.node_selector);
    fill_list(tolerations, &default.tolerations);
    fill_list(image_pull_secrets, &default.image_pull_secrets);
    fill(security_context, default.security_context.as_ref());
    fill(priority_class_name, default.priority_class_name.as_ref());
    if service_account_name.is_empty() {
        service_account_name.clone_from(&default.service_account_name);
    }
}

fn fill<T: Clone>(field: &mut Option<T>, default: Option<&T>) {
    if field.is_none() {
        *field = default.cloned();
    }
}

fn fill_list<T: Clone>(field: &mut Vec<T>, default: &[T]) {
    if field.is_empty() {
        *field = default.to_vec();
    }
}

fn fill_map(field: &mut BTreeMap<String, String>, default: &BTreeMap<String, String>) {
    if field.is_empty() {
        field.clone_from(default);
    }
}

trait Named {
    fn name(&self) -> &str;
}

impl Named for EnvVar {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Volume {
    fn name(&self) -> &str {
        &self.name
    }
}

/// Appends the defaults whose names are not taken; nameless items go when there is anything to merge into.
fn merge_by_name<T: Named + Clone>(items: &mut Vec<T>, default: &[T]) {
    if items.is_empty() {
        *items = default.to_vec();
        return;
    }
    items.retain(|item| !item.name().is_empty());
    let own = items.len();
    for item in default.iter().filter(|item| !item.name().is_empty()) {
        if !items[..own].iter().any(|taken| taken.name() == item.name()) {
            items.push(item.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taskrun_gets_timeout_account_kind_and_label() {
        let mut run: TaskRun = serde_json::from_str(r#"{"spec":{"taskRef":{"name":"a"}}}"#).unwrap();
        run.set_defaults(&Config::default());
        assert_eq!(run.spec.timeout, Some(GoDuration::from_mins(60)));
        assert_eq!(run.spec.service_account_name, "default");
        assert_eq!(run.spec.task_ref.unwrap().kind, "Task");
        assert_eq!(run.metadata.labels.unwrap()[MANAGED_BY_LABEL], "tekton-pipelines");
    }

    #[test]
    fn annotations_of_chains_are_reserved() {
        for (key, reserved) in [
            ("chains.tekton.dev/signed", true),
            ("x.chains-tekton-dev/", true),
            ("chains.tekton.dev", false),
            ("tekton.dev/chains", false),
        ] {
            assert_eq!(is_reserved_annotation(key), reserved, "{key}");
        }
    }
}
