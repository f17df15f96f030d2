//! What holds of Kubernetes' own types beyond their shape: fields of later releases, defaults, how lists and maps merge.

/// Fields that came after Kubernetes 1.35, which upstream's API is built with: to it they are unknown.
const NEWER: &[(&str, &[&str])] = &[
    ("ClusterTrustBundleProjection", &["user"]),
    ("ConfigMapVolumeSource", &["defaultUser"]),
    ("DownwardAPIVolumeFile", &["user"]),
    ("DownwardAPIVolumeSource", &["defaultUser"]),
    ("EmptyDirVolumeSource", &["mode"]),
    ("GRPCAction", &["mode"]),
    ("HTTPGetAction", &["protocol"]),
    ("KeyToPath", &["user"]),
    ("PodCertificateProjection", &["user"]),
    ("ProjectedVolumeSource", &["defaultUser"]),
    ("SecretVolumeSource", &["defaultUser"]),
    ("ServiceAccountTokenProjection", &["user"]),
    ("VolumeMount", &["bindMountOptions"]),
];

/// The fields of a type of Kubernetes that upstream does not know.
pub(crate) fn newer(type_: &str) -> &'static [&'static str] {
    NEWER.iter().find(|(of, _)| *of == type_).map_or(&[], |(_, fields)| *fields)
}

/// Types that an apply replaces as a whole.
const ATOMIC: &[&str] =
    &["FileKeySelector", "LabelSelector", "ObjectFieldSelector", "ResourceFieldSelector", "SecretReference"];

/// Types that refer to an object of the same namespace: an apply replaces them as a whole, too, and the name is empty
/// when it is left out.
const REFERENCES: &[&str] = &[
    "ConfigMapEnvSource",
    "ConfigMapKeySelector",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "LocalObjectReference",
    "SecretEnvSource",
    "SecretKeySelector",
    "SecretProjection",
];

/// Whether an apply replaces objects of a type as a whole.
pub(crate) fn is_atomic(type_: &str) -> bool {
    ATOMIC.contains(&type_) || REFERENCES.contains(&type_)
}

/// The field of a type that the API server fills in, and with what.
pub(crate) fn default(type_: &str) -> Option<(&'static str, serde_json::Value)> {
    match type_ {
        "ContainerPort" => Some(("protocol", "TCP".into())),
        "FileKeySelector" => Some(("optional", false.into())),
        "GRPCAction" => Some(("service", "".into())),
        _ => REFERENCES.contains(&type_).then(|| ("name", "".into())),
    }
}

/// The fields that tell elements of a list apart when an apply merges it; `None` for lists that it replaces.
pub(crate) fn list_keys(field: &str) -> Option<&'static [&'static str]> {
    match field {
        "claims" => Some(&["name"]),
        "ports" => Some(&["containerPort", "protocol"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_tables_is_one_of_the_schemas_and_has_the_fields() {
        let mut generator = schemars::generate::SchemaSettings::draft07().into_generator();
        let _ = crate::object::schemas(&mut generator);
        let definitions = generator.take_definitions(true);
        let of = |type_: &str| {
            let found = definitions.iter().find(|(name, _)| name.rsplit('.').next() == Some(type_));
            found.unwrap_or_else(|| panic!("no {type_}")).1
        };
        for (type_, fields) in NEWER {
            for field in *fields {
                assert!(of(type_)["properties"][*field].is_object(), "{type_} has no {field}");
            }
        }
        for type_ in ATOMIC.iter().chain(REFERENCES) {
            let schema = of(type_);
            let field = default(type_).map(|(field, _)| field);
            assert!(field.is_none_or(|field| schema["properties"][field].is_object()), "{type_} has no {field:?}");
        }
    }
}
