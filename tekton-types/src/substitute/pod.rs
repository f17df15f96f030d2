//! Variables in Pod templates. Nothing is spliced here: a list keeps its length.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, EnvVarSource, HostAlias, LocalObjectReference, NodeSelectorTerm, PodAffinityTerm, PodDNSConfig,
    PodSecurityContext, Toleration, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use tekton_contract::var::Table;

use super::{Substitute, volume_of_task};
use crate::pod::PodTemplate;

impl Substitute for String {
    fn substitute(&mut self, table: &Table) {
        table.apply_to(self);
    }
}

/// Replaces keys and values.
fn entries(map: &mut BTreeMap<String, String>, table: &Table) {
    *map = std::mem::take(map)
        .into_iter()
        .map(|(key, value)| (table.apply(&key).into_owned(), table.apply(&value).into_owned()))
        .collect();
}

impl Substitute for PodTemplate {
    fn substitute(&mut self, table: &Table) {
        let Self {
            node_selector,
            env,
            tolerations,
            affinity,
            security_context,
            volumes,
            runtime_class_name,
            automount_service_account_token: _,
            dns_policy,
            dns_config,
            enable_service_links: _,
            priority_class_name,
            scheduler_name,
            image_pull_secrets,
            host_aliases,
            host_network: _,
            host_users: _,
            topology_spread_constraints,
        } = self;
        entries(node_selector, table);
        for variable in env {
            variable.name.substitute(table);
            variable.value.substitute(table);
            variable.value_from.substitute(table);
        }
        tolerations.substitute(table);
        affinity.substitute(table);
        security_context.substitute(table);
        for volume in volumes.iter_mut() {
            volume_of_task(volume, table);
        }
        runtime_class_name.substitute(table);
        dns_policy.substitute(table);
        dns_config.substitute(table);
        priority_class_name.substitute(table);
        scheduler_name.substitute(table);
        image_pull_secrets.substitute(table);
        host_aliases.substitute(table);
        topology_spread_constraints.substitute(table);
    }
}

impl Substitute for EnvVarSource {
    fn substitute(&mut self, table: &Table) {
        if let Some(config_map) = &mut self.config_map_key_ref {
            config_map.name.substitute(table);
            config_map.key.substitute(table);
        }
        if let Some(secret) = &mut self.secret_key_ref {
            secret.name.substitute(table);
            secret.key.substitute(table);
        }
        if let Some(field) = &mut self.field_ref {
            field.field_path.substitute(table);
        }
        if let Some(resource) = &mut self.resource_field_ref {
            resource.resource.substitute(table);
            resource.container_name.substitute(table);
        }
    }
}

impl Substitute for Toleration {
    fn substitute(&mut self, table: &Table) {
        let Self { effect, key, operator, toleration_seconds: _, value } = self;
        for text in [effect, key, operator, value] {
            text.substitute(table);
        }
    }
}

impl Substitute for Affinity {
    fn substitute(&mut self, table: &Table) {
        let Self { node_affinity, pod_affinity, pod_anti_affinity } = self;
        if let Some(nodes) = node_affinity {
            if let Some(required) = &mut nodes.required_during_scheduling_ignored_during_execution {
                required.node_selector_terms.substitute(table);
            }
            for preferred in nodes.preferred_during_scheduling_ignored_during_execution.iter_mut().flatten() {
                preferred.preference.substitute(table);
            }
        }
        if let Some(pods) = pod_affinity {
            pods.required_during_scheduling_ignored_during_execution.substitute(table);
            for preferred in pods.preferred_during_scheduling_ignored_during_execution.iter_mut().flatten() {
                preferred.pod_affinity_term.substitute(table);
            }
        }
        if let Some(pods) = pod_anti_affinity {
            pods.required_during_scheduling_ignored_during_execution.substitute(table);
            for preferred in pods.preferred_during_scheduling_ignored_during_execution.iter_mut().flatten() {
                preferred.pod_affinity_term.substitute(table);
            }
        }
    }
}

impl Substitute for NodeSelectorTerm {
    fn substitute(&mut self, table: &Table) {
        let Self { match_expressions, match_fields } = self;
        for requirement in match_expressions.iter_mut().chain(match_fields).flatten() {
            requirement.key.substitute(table);
            requirement.values.substitute(table);
        }
    }
}

impl Substitute for PodAffinityTerm {
    fn substitute(&mut self, table: &Table) {
        self.label_selector.substitute(table);
        self.topology_key.substitute(table);
        self.namespace_selector.substitute(table);
        self.namespaces.substitute(table);
    }
}

impl Substitute for LabelSelector {
    fn substitute(&mut self, table: &Table) {
        let Self { match_expressions, match_labels } = self;
        if let Some(labels) = match_labels {
            entries(labels, table);
        }
        for requirement in match_expressions.iter_mut().flatten() {
            requirement.key.substitute(table);
            requirement.values.substitute(table);
        }
    }
}

impl Substitute for PodSecurityContext {
    fn substitute(&mut self, table: &Table) {
        if let Some(options) = &mut self.se_linux_options {
            for text in [&mut options.user, &mut options.role, &mut options.type_, &mut options.level] {
                text.substitute(table);
            }
        }
        if let Some(options) = &mut self.windows_options {
            options.gmsa_credential_spec_name.substitute(table);
            options.gmsa_credential_spec.substitute(table);
            options.run_as_user_name.substitute(table);
        }
        self.supplemental_groups_policy.substitute(table);
        for sysctl in self.sysctls.iter_mut().flatten() {
            sysctl.name.substitute(table);
            sysctl.value.substitute(table);
        }
        self.fs_group_change_policy.substitute(table);
        if let Some(profile) = &mut self.seccomp_profile {
            profile.type_.substitute(table);
            profile.localhost_profile.substitute(table);
        }
        if let Some(profile) = &mut self.app_armor_profile {
            profile.type_.substitute(table);
            profile.localhost_profile.substitute(table);
        }
        self.se_linux_change_policy.substitute(table);
    }
}

impl Substitute for PodDNSConfig {
    fn substitute(&mut self, table: &Table) {
        let Self { nameservers, options, searches } = self;
        nameservers.substitute(table);
        searches.substitute(table);
        for option in options.iter_mut().flatten() {
            option.name.substitute(table);
            option.value.substitute(table);
        }
    }
}

impl Substitute for LocalObjectReference {
    fn substitute(&mut self, table: &Table) {
        let Self { name } = self;
        name.substitute(table);
    }
}

impl Substitute for HostAlias {
    fn substitute(&mut self, table: &Table) {
        let Self { hostnames, ip } = self;
        ip.substitute(table);
        hostnames.substitute(table);
    }
}

impl Substitute for TopologySpreadConstraint {
    fn substitute(&mut self, table: &Table) {
        self.topology_key.substitute(table);
        self.label_selector.substitute(table);
    }
}
