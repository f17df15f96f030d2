//! Discovery: versions, groups, resources, health; plain and aggregated.

use http::Response;
use serde_json::{Value, json};

use super::error::ApiError;
use super::request::Request;
use super::{Api, Body, respond, respond_json};
use crate::resources::Resource;
use crate::resources::crd::compare_versions;

/// Groups that serve reviews only.
const REVIEW_GROUPS: &[&str] = &["authentication.k8s.io", "authorization.k8s.io"];
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const CUSTOM_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const SUBRESOURCE_VERBS: &[&str] = &["get", "patch", "update"];
/// The Kubernetes release whose behaviour is served.
const VERSION: (&str, &str, &str) = ("1", "32", "v1.32.0");

/// A subresource: its name, the kind that it takes, its verbs, and the group and version of that kind when foreign.
type Subresource = (&'static str, &'static str, &'static [&'static str], Option<(&'static str, &'static str)>);

/// One entry of a resource list.
struct Entry {
    name: String,
    singular: String,
    namespaced: bool,
    kind: String,
    verbs: Vec<&'static str>,
    short_names: Vec<String>,
    categories: Vec<String>,
    /// The group and version of the kind when it is not the resource's.
    foreign: Option<(&'static str, &'static str)>,
}

impl Entry {
    fn sub(
        name: &str,
        namespaced: bool,
        kind: &str,
        verbs: &[&'static str],
        foreign: Option<(&'static str, &'static str)>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            singular: String::new(),
            namespaced,
            kind: kind.to_owned(),
            verbs: verbs.to_vec(),
            short_names: Vec::new(),
            categories: Vec::new(),
            foreign,
        }
    }
}

impl Api {
    pub(super) fn discover(&self, request: &Request, path: &[&str]) -> Result<Response<Body>, ApiError> {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Err(ApiError::method_not_allowed());
        }
        let aggregated = aggregated_version(&request.accept);
        match path {
            [] => Ok(respond_json(200, &json!({"paths": self.paths()}))),
            ["healthz" | "livez" | "readyz", ..] => Ok(respond(200, "text/plain; charset=utf-8", "ok")),
            ["version"] => Ok(respond_json(200, &version())),
            ["api"] => Ok(match aggregated {
                Some(version) => self.aggregate(version, true),
                None => respond_json(
                    200,
                    &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
                ),
            }),
            ["api", "v1"] => Ok(respond_json(200, &self.resource_list("", "v1"))),
            ["apis"] => Ok(if let Some(version) = aggregated {
                self.aggregate(version, false)
            } else {
                let groups: Vec<Value> = self.groups().iter().map(|g| self.group(g, false)).collect();
                respond_json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
            }),
            ["apis", group] if self.groups().iter().any(|g| g == group) => {
                Ok(respond_json(200, &self.group(group, true)))
            }
            ["apis", group, version] if self.versions(group).iter().any(|v| v == version) => {
                Ok(respond_json(200, &self.resource_list(group, version)))
            }
            ["openapi", rest @ ..] => self.openapi(request, rest),
            _ => Err(ApiError::no_such_page()),
        }
    }

    fn paths(&self) -> Vec<String> {
        let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned(), "/apis/".to_owned()];
        for group in self.groups() {
            paths.push(format!("/apis/{group}"));
            paths.extend(self.versions(&group).iter().map(|v| format!("/apis/{group}/{v}")));
        }
        paths.extend(["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
        paths
    }

    /// The names of all groups but the core one, built-in ones first.
    pub(super) fn groups(&self) -> Vec<String> {
        let all = self.registry.all();
        let mut own: Vec<String> =
            all.iter().filter(|r| !r.custom && !r.group.is_empty()).map(|r| r.group.clone()).collect();
        own.extend(REVIEW_GROUPS.iter().map(|g| (*g).to_owned()));
        own.sort();
        own.dedup();
        let mut custom: Vec<String> =
            all.iter().filter(|r| r.custom && !own.contains(&r.group)).map(|r| r.group.clone()).collect();
        custom.sort();
        custom.dedup();
        own.extend(custom);
        own
    }

    /// The served versions of a group, preferred first.
    pub(super) fn versions(&self, group: &str) -> Vec<String> {
        if REVIEW_GROUPS.contains(&group) {
            return vec!["v1".to_owned()];
        }
        let mut versions: Vec<String> = self
            .registry
            .all()
            .iter()
            .filter(|r| r.group == group)
            .flat_map(|r| r.versions.iter().map(|v| v.name.clone()))
            .collect();
        versions.sort_by(|a, b| compare_versions(b, a));
        versions.dedup();
        versions
    }

    fn group(&self, group: &str, alone: bool) -> Value {
        let versions: Vec<Value> = self
            .versions(group)
            .iter()
            .map(|v| json!({"groupVersion": format!("{group}/{v}"), "version": v}))
            .collect();
        let mut value = json!({"name": group, "versions": versions, "preferredVersion": versions.first()});
        if alone {
            value["kind"] = "APIGroup".into();
            value["apiVersion"] = "v1".into();
        }
        value
    }

    fn entries(&self, group: &str, version: &str) -> Vec<Entry> {
        match group {
            "authorization.k8s.io" => {
                return [
                    ("localsubjectaccessreviews", true, "LocalSubjectAccessReview"),
                    ("selfsubjectaccessreviews", false, "SelfSubjectAccessReview"),
                    ("selfsubjectrulesreviews", false, "SelfSubjectRulesReview"),
                    ("subjectaccessreviews", false, "SubjectAccessReview"),
                ]
                .map(|(name, namespaced, kind)| Entry {
                    singular: kind.to_lowercase(),
                    ..Entry::sub(name, namespaced, kind, &["create"], None)
                })
                .into();
            }
            "authentication.k8s.io" => {
                return [("tokenreviews", "TokenReview"), ("selfsubjectreviews", "SelfSubjectReview")]
                    .map(|(name, kind)| Entry {
                        singular: kind.to_lowercase(),
                        ..Entry::sub(name, false, kind, &["create"], None)
                    })
                    .into();
            }
            _ => {}
        }
        let mut entries = Vec::new();
        for resource in self.registry.all().iter().filter(|r| r.group == group && r.version(version).is_some()) {
            entries.extend(entries_of(resource, version));
        }
        entries
    }

    fn resource_list(&self, group: &str, version: &str) -> Value {
        let resources: Vec<Value> = self.entries(group, version).iter().map(plain_entry).collect();
        let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let mut list = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
        list["apiVersion"] = "v1".into();
        list
    }

    fn aggregate(&self, version: &str, core: bool) -> Response<Body> {
        let groups = if core { vec![String::new()] } else { self.groups() };
        let items: Vec<Value> = groups
            .iter()
            .map(|group| {
                let versions: Vec<Value> = self
                    .versions(group)
                    .iter()
                    .map(|v| json!({"version": v, "resources": aggregated_entries(group, v, &self.entries(group, v)), "freshness": "Current"}))
                    .collect();
                let meta = if group.is_empty() { json!({"creationTimestamp": null}) } else { json!({"name": group, "creationTimestamp": null}) };
                json!({"metadata": meta, "versions": versions})
            })
            .collect();
        let list = json!({"kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {}, "items": items});
        respond(
            200,
            &format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"),
            list.to_string(),
        )
    }
}

/// The version of aggregated discovery that a client prefers to the plain one.
fn aggregated_version(accept: &str) -> Option<&'static str> {
    for range in accept.split(',') {
        if range.contains("as=APIGroupDiscoveryList") && range.contains("application/json") {
            return Some(if range.contains("v=v2beta1") { "v2beta1" } else { "v2" });
        }
        if range.trim() == "application/json" {
            return None;
        }
    }
    None
}

fn entries_of(resource: &Resource, version: &str) -> Vec<Entry> {
    let Some(declared) = resource.version(version) else { return Vec::new() };
    let plural = &resource.plural;
    let core = resource.group.is_empty();
    let verbs = match (core, resource.kind.as_str()) {
        (true, "Binding") => &["create"][..],
        (true, "ComponentStatus") => &["get", "list"],
        _ if resource.custom => CUSTOM_VERBS,
        _ => VERBS,
    };
    let mut entries = vec![Entry {
        name: plural.clone(),
        singular: resource.singular.clone(),
        namespaced: resource.namespaced,
        kind: resource.kind.clone(),
        verbs: verbs.to_vec(),
        short_names: resource.short_names.clone(),
        categories: resource.categories.clone(),
        foreign: None,
    }];
    if declared.status {
        entries.push(Entry::sub(
            &format!("{plural}/status"),
            resource.namespaced,
            &resource.kind,
            SUBRESOURCE_VERBS,
            None,
        ));
    }
    if declared.scale.is_some() {
        entries.push(Entry::sub(
            &format!("{plural}/scale"),
            resource.namespaced,
            "Scale",
            SUBRESOURCE_VERBS,
            Some(("autoscaling", "v1")),
        ));
    }
    if core {
        let extra: &[Subresource] = match resource.kind.as_str() {
            "Pod" => &[
                ("binding", "Binding", &["create"], None),
                ("eviction", "Eviction", &["create"], Some(("policy", "v1"))),
                ("log", "Pod", &["get"], None),
            ],
            "Namespace" => &[("finalize", "Namespace", &["update"], None)],
            "ServiceAccount" => &[("token", "TokenRequest", &["create"], Some(("authentication.k8s.io", "v1")))],
            _ => &[],
        };
        entries.extend(extra.iter().map(|(name, kind, verbs, foreign)| {
            Entry::sub(&format!("{plural}/{name}"), resource.namespaced, kind, verbs, *foreign)
        }));
    }
    entries
}

fn plain_entry(entry: &Entry) -> Value {
    let mut value = json!({
        "name": entry.name, "singularName": entry.singular, "namespaced": entry.namespaced, "kind": entry.kind, "verbs": entry.verbs,
    });
    if !entry.short_names.is_empty() {
        value["shortNames"] = entry.short_names.clone().into();
    }
    if !entry.categories.is_empty() {
        value["categories"] = entry.categories.clone().into();
    }
    if let Some((group, version)) = entry.foreign {
        value["group"] = group.into();
        value["version"] = version.into();
    }
    value
}

fn aggregated_entries(group: &str, version: &str, entries: &[Entry]) -> Vec<Value> {
    let kind_of = |entry: &Entry| {
        let (group, version) = entry.foreign.unwrap_or((group, version));
        json!({"group": group, "version": version, "kind": entry.kind})
    };
    let scope = |entry: &Entry| if entry.namespaced { "Namespaced" } else { "Cluster" };
    let mut all: Vec<Value> = Vec::new();
    for entry in entries {
        if let Some((parent, name)) = entry.name.split_once('/') {
            let sub = json!({"subresource": name, "responseKind": kind_of(entry), "verbs": entry.verbs});
            if let Some(resource) = all.iter_mut().find(|r| r["resource"] == parent) {
                match resource["subresources"].as_array_mut() {
                    Some(list) => list.push(sub),
                    None => resource["subresources"] = json!([sub]),
                }
            }
            continue;
        }
        let mut value = json!({
            "resource": entry.name, "responseKind": kind_of(entry), "scope": scope(entry),
            "singularResource": entry.singular, "verbs": entry.verbs,
        });
        if !entry.short_names.is_empty() {
            value["shortNames"] = entry.short_names.clone().into();
        }
        if !entry.categories.is_empty() {
            value["categories"] = entry.categories.clone().into();
        }
        all.push(value);
    }
    all
}

fn version() -> Value {
    let (major, minor, git) = VERSION;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "major": major, "minor": minor, "gitVersion": format!("{git}+tekton-local"), "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": format!("linux/{architecture}"),
    })
}
