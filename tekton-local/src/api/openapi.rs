//! OpenAPI documents: enough for kubectl to know kinds and their fields.

use http::Response;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::request::Request;
use super::{Api, Body, respond_json};

impl Api {
    pub(super) fn openapi(&self, request: &Request, rest: &[&str]) -> Result<Response<Body>, ApiError> {
        if request.accept.contains("protobuf") && !request.accept.contains("json") && !request.accept.contains("*/*") {
            return Err(ApiError::not_acceptable());
        }
        match rest {
            ["v2"] => Ok(respond_json(200, &self.openapi_v2())),
            ["v3"] => {
                let mut paths = Map::new();
                for (path, _, _) in self.group_versions() {
                    let url = format!("/openapi/v3/{path}");
                    paths.insert(path, json!({"serverRelativeURL": url}));
                }
                Ok(respond_json(200, &json!({"paths": paths})))
            }
            ["v3", path @ ..] => {
                let path = path.join("/");
                let (_, group, version) = self
                    .group_versions()
                    .into_iter()
                    .find(|(p, _, _)| *p == path)
                    .ok_or_else(ApiError::no_such_page)?;
                Ok(respond_json(200, &self.openapi_v3(&group, &version)))
            }
            _ => Err(ApiError::no_such_page()),
        }
    }

    fn group_versions(&self) -> Vec<(String, String, String)> {
        let mut all = vec![("api/v1".to_owned(), String::new(), "v1".to_owned())];
        for group in self.groups() {
            all.extend(self.versions(&group).into_iter().map(|v| (format!("apis/{group}/{v}"), group.clone(), v)));
        }
        all
    }

    fn schemas(&self, group: &str, version: &str, prefix: &str) -> Map<String, Value> {
        let mut schemas = Map::new();
        for resource in self.registry.all().iter().filter(|r| r.group == group) {
            let Some(declared) = resource.version(version) else { continue };
            let mut schema = match &declared.schema {
                Some(schema) => (**schema).clone(),
                None => crate::kinds::schema::of(&resource.kind, prefix, &mut schemas),
            };
            if schema["type"].is_null() {
                schema["type"] = "object".into();
            }
            schema["x-kubernetes-group-version-kind"] =
                json!([{"group": group, "kind": resource.kind, "version": version}]);
            schemas.insert(crate::kinds::schema::name(group, version, &resource.kind), schema);
        }
        schemas
    }

    fn openapi_paths(&self, group: &str, version: &str, body: impl Fn(&str) -> Value) -> Map<String, Value> {
        let mut paths = Map::new();
        let base = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        for resource in self.registry.all().iter().filter(|r| r.group == group && r.version(version).is_some()) {
            let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
            let gvk = json!({"group": group, "kind": resource.kind, "version": version});
            let schema = body(&crate::kinds::schema::name(group, version, &resource.kind));
            let operation = |action: &str| {
                let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"]
                    .iter()
                    .map(|name| parameter(name, schema.get("swagger").is_some()))
                    .collect();
                json!({"x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk, "parameters": parameters, "responses": {"200": {"description": "OK"}}})
            };
            paths.insert(
                format!("{base}{scope}/{}", resource.plural),
                json!({"get": operation("list"), "post": operation("post")}),
            );
            paths.insert(
                format!("{base}{scope}/{}/{{name}}", resource.plural),
                json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch"), "delete": operation("delete")}),
            );
        }
        paths
    }

    fn openapi_v3(&self, group: &str, version: &str) -> Value {
        json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": "unversioned"},
            "paths": self.openapi_paths(group, version, |_| json!({})),
            "components": {"schemas": self.schemas(group, version, "#/components/schemas/")},
        })
    }

    fn openapi_v2(&self) -> Value {
        let mut definitions = Map::new();
        let mut paths = Map::new();
        for (_, group, version) in self.group_versions() {
            definitions.extend(self.schemas(&group, &version, "#/definitions/"));
            paths.extend(self.openapi_paths(&group, &version, |_| json!({"swagger": true})));
        }
        json!({
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": "unversioned"},
            "paths": paths,
            "definitions": definitions,
        })
    }
}

fn parameter(name: &str, swagger: bool) -> Value {
    if swagger {
        json!({"name": name, "in": "query", "type": "string", "uniqueItems": true})
    } else {
        json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}})
    }
}
