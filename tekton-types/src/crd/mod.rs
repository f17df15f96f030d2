//! CustomResourceDefinitions of every kind, with structural schemas made from the types.
//!
//! ```
//! let crds = tekton_types::crd::crds();
//! assert!(crds.iter().any(|crd| crd.metadata.name.as_deref() == Some("tasks.tekton.dev")));
//! ```

mod schema;
mod standalone;

use std::collections::BTreeMap;

use k8s_openapi::Resource;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceStatus,
    CustomResourceSubresources, CustomResourceValidation, ServiceReference, WebhookClientConfig, WebhookConversion,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;

pub use standalone::crds_without_webhook;

use crate::{resolution, v1, v1alpha1, v1beta1};

/// The definitions of every kind that Tekton serves, sorted by name.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let run = [
        column("Succeeded", "string", r#".status.conditions[?(@.type=="Succeeded")].status"#),
        column("Reason", "string", r#".status.conditions[?(@.type=="Succeeded")].reason"#),
        column("StartTime", "date", ".status.startTime"),
        column("CompletionTime", "date", ".status.completionTime"),
    ];
    let request = [
        column("OwnerKind", "string", ".metadata.ownerReferences[0].kind"),
        column("Owner", "string", ".metadata.ownerReferences[0].name"),
        column("Succeeded", "string", ".status.conditions[?(@.type=='Succeeded')].status"),
        column("Reason", "string", ".status.conditions[?(@.type=='Succeeded')].reason"),
        column("StartTime", "string", ".metadata.creationTimestamp"),
        column("EndTime", "string", ".status.conditions[?(@.type=='Succeeded')].lastTransitionTime"),
    ];
    let mut old_request = version::<resolution::v1alpha1::ResolutionRequest>(false, &request[2..4]);
    old_request.deprecated = Some(true);
    vec![
        definition::<v1beta1::CustomRun>(&[], vec![version::<v1beta1::CustomRun>(true, &run)]),
        definition::<v1::PipelineRun>(
            &["pr", "prs"],
            vec![version::<v1beta1::PipelineRun>(false, &run), version::<v1::PipelineRun>(true, &run)],
        ),
        definition::<v1::Pipeline>(
            &[],
            vec![version::<v1beta1::Pipeline>(false, &[]), version::<v1::Pipeline>(true, &[])],
        ),
        definition::<resolution::v1beta1::ResolutionRequest>(
            &[],
            vec![old_request, version::<resolution::v1beta1::ResolutionRequest>(true, &request)],
        ),
        definition::<v1beta1::StepAction>(
            &[],
            vec![version::<v1alpha1::StepAction>(false, &[]), version::<v1beta1::StepAction>(true, &[])],
        ),
        definition::<v1::TaskRun>(
            &["tr", "trs"],
            vec![version::<v1beta1::TaskRun>(false, &run), version::<v1::TaskRun>(true, &run)],
        ),
        definition::<v1::Task>(&[], vec![version::<v1beta1::Task>(false, &[]), version::<v1::Task>(true, &[])]),
        definition::<v1alpha1::VerificationPolicy>(&[], vec![version::<v1alpha1::VerificationPolicy>(true, &[])]),
    ]
}

fn definition<K: Resource>(
    short_names: &[&str],
    versions: Vec<CustomResourceDefinitionVersion>,
) -> CustomResourceDefinition {
    let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let conversion = (versions.len() > 1).then(|| CustomResourceConversion {
        strategy: "Webhook".to_owned(),
        webhook: Some(WebhookConversion {
            conversion_review_versions: versions.iter().map(|version| version.name.clone()).collect(),
            client_config: Some(WebhookClientConfig {
                service: Some(ServiceReference {
                    name: "tekton-pipelines-webhook".to_owned(),
                    namespace: "tekton-pipelines".to_owned(),
                    ..ServiceReference::default()
                }),
                ..WebhookClientConfig::default()
            }),
        }),
    });
    let labels = BTreeMap::from([
        ("app.kubernetes.io/instance".to_owned(), "default".to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), "tekton-pipelines".to_owned()),
    ]);
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{}.{}", K::URL_PATH_SEGMENT, K::GROUP)),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: CustomResourceDefinitionSpec {
            conversion,
            group: K::GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                categories: Some(strings(&["tekton", "tekton-pipelines"])),
                kind: K::KIND.to_owned(),
                list_kind: Some(format!("{}List", K::KIND)),
                plural: K::URL_PATH_SEGMENT.to_owned(),
                short_names: (!short_names.is_empty()).then(|| strings(short_names)),
                singular: Some(K::KIND.to_lowercase()),
            },
            scope: "Namespaced".to_owned(),
            versions,
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

fn version<K: Resource + JsonSchema>(
    storage: bool,
    columns: &[CustomResourceColumnDefinition],
) -> CustomResourceDefinitionVersion {
    CustomResourceDefinitionVersion {
        name: K::VERSION.to_owned(),
        served: true,
        storage,
        additional_printer_columns: (!columns.is_empty()).then(|| columns.to_vec()),
        schema: Some(CustomResourceValidation { open_api_v3_schema: Some(schema::of::<K>()) }),
        subresources: (K::KIND != "VerificationPolicy").then(|| CustomResourceSubresources {
            // An empty object: the default is null, which turns the subresource off.
            status: Some(CustomResourceSubresourceStatus(serde_json::json!({}))),
            ..CustomResourceSubresources::default()
        }),
        ..CustomResourceDefinitionVersion::default()
    }
}

fn column(name: &str, type_: &str, json_path: &str) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path: json_path.to_owned(),
        ..CustomResourceColumnDefinition::default()
    }
}

#[cfg(test)]
mod tests;
