//! Pod templates: what a run may set on its pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, HostAlias, LocalObjectReference, PodDNSConfig, PodSecurityContext, Toleration,
    TopologySpreadConstraint, Volume,
};

use crate::wire::wire;

wire! {
    /// Settings of the pod of a TaskRun.
    pub struct PodTemplate {
        /// Labels that the node must have.
        pub node_selector: BTreeMap<String, String>,
        /// Environment variables for every container.
        pub env: Vec<EnvVar>,
        /// Taints that the pod tolerates.
        pub tolerations: Vec<Toleration>,
        /// Scheduling preferences.
        pub affinity: Option<Affinity>,
        /// Security options of the pod.
        pub security_context: Option<PodSecurityContext>,
        /// More volumes.
        pub volumes: Vec<Volume>,
        /// Runtime class.
        pub runtime_class_name: Option<String>,
        /// Whether the token of the service account is mounted.
        pub automount_service_account_token: Option<bool>,
        /// DNS policy.
        #[serde(rename = "dnsPolicy")]
        pub dns_policy: Option<String>,
        /// DNS settings.
        #[serde(rename = "dnsConfig")]
        pub dns_config: Option<PodDNSConfig>,
        /// Whether variables for services are injected.
        pub enable_service_links: Option<bool>,
        /// Priority class.
        pub priority_class_name: Option<String>,
        /// Scheduler.
        pub scheduler_name: String,
        /// Secrets for pulling images.
        pub image_pull_secrets: Vec<LocalObjectReference>,
        /// Entries of the hosts file.
        pub host_aliases: Vec<HostAlias>,
        /// Whether the pod uses the network of its node.
        pub host_network: bool,
        /// Whether the pod uses the user namespace of its node.
        pub host_users: Option<bool>,
        /// How pods spread over the cluster.
        pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    }
}

wire! {
    /// Settings of the affinity assistant's pod.
    pub struct AffinityAssistantTemplate {
        /// Labels that the node must have.
        pub node_selector: BTreeMap<String, String>,
        /// Taints that the pod tolerates.
        pub tolerations: Vec<Toleration>,
        /// Secrets for pulling images.
        pub image_pull_secrets: Vec<LocalObjectReference>,
        /// Security options of the pod.
        pub security_context: Option<PodSecurityContext>,
        /// Priority class.
        pub priority_class_name: Option<String>,
        /// Service account.
        pub service_account_name: String,
    }
}
