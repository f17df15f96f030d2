//! The definitions for a cluster that has no webhook of Tekton's.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

use super::crds;

/// The definitions of [`crds`] for a cluster that has no webhook of Tekton's, which then neither converts between
/// versions nor fills in what an author leaves out.
///
/// Served are the stored version and those of the same shape, so that nothing has to be converted: `v1` of Tasks,
/// Pipelines and their runs. Steps may go without a name, for it is the webhook that gives each one an empty name.
pub fn crds_without_webhook() -> Vec<CustomResourceDefinition> {
    let mut all = crds();
    for definition in &mut all {
        if definition.spec.conversion.take().is_some() {
            definition.spec.conversion =
                Some(CustomResourceConversion { strategy: "None".to_owned(), ..CustomResourceConversion::default() });
        }
        let versions = &mut definition.spec.versions;
        let stored = versions.iter().find(|version| version.storage).and_then(|version| version.schema.clone());
        for version in versions {
            version.served = version.storage || version.schema == stored;
            if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
                let_steps_be_unnamed(schema);
            }
        }
    }
    all
}

fn let_steps_be_unnamed(schema: &mut JSONSchemaProps) {
    for (name, field) in schema.properties.iter_mut().flatten() {
        let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut field.items else {
            let_steps_be_unnamed(field);
            continue;
        };
        if name == "steps"
            && let Some(required) = &mut item.required
        {
            required.retain(|field| field != "name");
            if required.is_empty() {
                item.required = None;
            }
        }
        let_steps_be_unnamed(item);
    }
}
