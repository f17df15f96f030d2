//! Subresources: status, scale, finalize, and those of pods and service accounts.

use std::sync::Arc;

use futures::StreamExt as _;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};

use super::delete::DeleteOptions;
use super::error::{ApiError, Cause};
use super::identity::ISSUER;
use super::logs::LogOptions;
use super::request::Request;
use super::{Api, Body, Target, now, respond_json, stamp};
use crate::kinds::columns::json_path;

fn success() -> Response<Body> {
    respond_json(201, &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}))
}

impl Api {
    pub(super) async fn subresource(
        self: &Arc<Self>,
        request: &Request,
        target: &Target,
        method: &str,
        name: &str,
        subresource: &str,
    ) -> Result<Response<Body>, ApiError> {
        let resource = &target.resource;
        let core = resource.group.is_empty();
        match (subresource, resource.kind.as_str()) {
            ("status", _) if target.declared().status => match method {
                "GET" | "HEAD" => self.get(request, target, name),
                "PUT" => self.put(request, target, name, "status").await,
                "PATCH" => self.patch(request, target, name, "status").await,
                _ => Err(ApiError::method_not_allowed()),
            },
            ("scale", _) if target.declared().scale.is_some() => self.scale(request, target, method, name).await,
            ("finalize", "Namespace") if core && method == "PUT" => self.finalize(request, target, name),
            ("binding", "Pod") if core && method == "POST" => self.bind(request, target, name),
            ("eviction", "Pod") if core && method == "POST" => self.evict(request, target, name).await,
            ("log", "Pod") if core && method == "GET" => self.log(request, target, name).await,
            ("exec", "Pod") if core && matches!(method, "GET" | "POST") => self.exec(request, target, name),
            ("attach", "Pod") if core && matches!(method, "GET" | "POST") => self.attach(request, target, name),
            ("portforward", "Pod") if core && matches!(method, "GET" | "POST") => {
                self.port_forward(request, target, name)
            }
            ("token", "ServiceAccount") if core && method == "POST" => self.token(request, target, name),
            _ => {
                if resource.custom {
                    return Err(ApiError::not_found(resource, name));
                }
                Err(ApiError::no_such_resource())
            }
        }
    }

    fn finalize(&self, request: &Request, target: &Target, name: &str) -> Result<Response<Body>, ApiError> {
        let body = request.object()?;
        self.found(target, name)?;
        let key = target.key(name);
        let finalizers = body["spec"]["finalizers"].clone();
        crate::gc::rewrite(self, &key, |value| {
            if finalizers.as_array().is_some_and(|list| !list.is_empty()) {
                value["spec"]["finalizers"] = finalizers.clone();
            } else if let Some(spec) = value["spec"].as_object_mut() {
                spec.remove("finalizers");
            }
        });
        match self.store.get(&key) {
            Some(object) => {
                let form = super::negotiate::form(&request.accept)?;
                super::get::answer_value(&form, request, target, &object.value, 200)
            }
            None => Ok(respond_json(200, &body)),
        }
    }

    fn bind(&self, request: &Request, target: &Target, name: &str) -> Result<Response<Body>, ApiError> {
        let body = request.object()?;
        let (node, kind) =
            (body["target"]["name"].as_str().unwrap_or_default(), body["target"]["kind"].as_str().unwrap_or_default());
        let mut causes = Vec::new();
        if !matches!(kind, "" | "Node") {
            causes.push(Cause::not_supported("target.kind", &kind.into(), &["Node", "<empty>"]));
        }
        if node.is_empty() {
            causes.push(Cause::required("target.name", ""));
        }
        if !causes.is_empty() {
            return Err(ApiError::invalid("", "Binding", name, &causes));
        }
        let pod = self.found(target, name)?;
        let conflict = |detail: String| ApiError::conflict("", "pods/binding", name, &detail);
        if !pod.value["metadata"]["deletionTimestamp"].is_null() {
            return Err(conflict(format!("pod {name} is being deleted, cannot be assigned to a host")));
        }
        if let Some(bound) = pod.value["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
            return Err(conflict(format!("pod {name} is already assigned to node \"{bound}\"")));
        }
        if !request.dry_run()? {
            crate::gc::rewrite(self, &target.key(name), |value| {
                value["spec"]["nodeName"] = node.into();
                for (key, text) in body["metadata"]["annotations"].as_object().into_iter().flatten() {
                    value["metadata"]["annotations"][key] = text.clone();
                }
                let scheduled = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now()});
                match value["status"]["conditions"].as_array_mut() {
                    Some(list) => {
                        list.retain(|c| c["type"] != "PodScheduled");
                        list.push(scheduled);
                    }
                    None => value["status"]["conditions"] = json!([scheduled]),
                }
            });
        }
        Ok(success())
    }

    async fn evict(&self, request: &Request, target: &Target, name: &str) -> Result<Response<Body>, ApiError> {
        let body = request.object()?;
        if body["metadata"]["name"].as_str().is_some_and(|given| given != name) {
            return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
        }
        let given = &body["deleteOptions"];
        let options = DeleteOptions {
            grace: given["gracePeriodSeconds"].as_i64(),
            uid: given["preconditions"]["uid"].as_str().map(str::to_owned),
            dry_run: request.dry_run()? || given["dryRun"].as_array().is_some_and(|list| !list.is_empty()),
            ..DeleteOptions::default()
        };
        self.delete_object(target, name, &options).await?;
        Ok(success())
    }

    async fn log(&self, request: &Request, target: &Target, name: &str) -> Result<Response<Body>, ApiError> {
        let pod = self.found(target, name)?;
        let container = container_of(&pod.value, name, request.query.get("container"))?;
        let options = log_options(request, container)?;
        let empty = || {
            let mut response = super::respond(204, "text/plain", "");
            response.headers_mut().remove(http::header::CONTENT_TYPE);
            response
        };
        if pod.value["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
            return Ok(empty());
        }
        let Some(logs) = self.node() else { return Ok(empty()) };
        let stream = logs.logs(pod.meta("namespace"), name, pod.meta("uid"), options).await?;
        let mut closing = self.closing.subscribe();
        let closed = async move {
            // An error means that the server is gone, which ends the stream as well.
            let _ = closing.wait_for(|closing| *closing).await;
        };
        let frames = stream.take_until(Box::pin(closed)).map(|bytes| Ok::<_, std::io::Error>(Frame::data(bytes)));
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    fn token(&self, request: &Request, target: &Target, name: &str) -> Result<Response<Body>, ApiError> {
        let body = request.object()?;
        let account = self.found(target, name)?;
        let seconds = body["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
        if seconds < 600 {
            let cause = Cause::invalid(
                "spec.expirationSeconds",
                &seconds.into(),
                "may not specify a duration less than 10 minutes",
            );
            return Err(ApiError::invalid("authentication.k8s.io", "TokenRequest", "", &[cause]));
        }
        if seconds > 1 << 32 {
            let cause = Cause::invalid(
                "spec.expirationSeconds",
                &seconds.into(),
                "may not specify a duration larger than 2^32 seconds",
            );
            return Err(ApiError::invalid("authentication.k8s.io", "TokenRequest", "", &[cause]));
        }
        let audiences = match &body["spec"]["audiences"] {
            Value::Array(list) if !list.is_empty() => Value::Array(list.clone()),
            _ => json!([ISSUER]),
        };
        let issued = jiff::Timestamp::now();
        let expires = issued.saturating_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(jiff::Timestamp::MAX);
        let namespace = account.meta("namespace");
        let mut claims = json!({
            "iss": ISSUER, "aud": audiences, "iat": issued.as_second(), "nbf": issued.as_second(), "exp": expires.as_second(),
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": account.meta("uid")}},
        });
        let bound = &body["spec"]["boundObjectRef"];
        if bound["kind"] == "Pod" {
            let pod = bound["name"].as_str().unwrap_or_default();
            let key =
                crate::store::Key { resource: "/pods".into(), namespace: namespace.to_owned(), name: pod.to_owned() };
            let Some(found) = self.store.get(&key) else { return Err(ApiError::not_found_named("", "pods", pod)) };
            claims["kubernetes.io"]["pod"] = json!({"name": pod, "uid": found.meta("uid")});
        }
        let token = self.signer.sign(&claims);
        let answer = json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": now()},
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": body["spec"]["boundObjectRef"]},
            "status": {"token": token, "expirationTimestamp": stamp(expires)},
        });
        Ok(respond_json(201, &answer))
    }

    async fn scale(
        self: &Arc<Self>,
        request: &Request,
        target: &Target,
        method: &str,
        name: &str,
    ) -> Result<Response<Body>, ApiError> {
        let Some(paths) = target.declared().scale.clone() else { return Err(ApiError::no_such_resource()) };
        if method == "GET" {
            let object = self.found(target, name)?;
            return Ok(respond_json(200, &scale_of(target, &object.value, &paths)));
        }
        if !matches!(method, "PUT" | "PATCH") {
            return Err(ApiError::method_not_allowed());
        }
        let dry_run = request.dry_run()?;
        for _ in 0..16 {
            let old = self.found(target, name)?;
            let current = scale_of(target, &old.value, &paths);
            let wanted = if method == "PUT" {
                request.object()?
            } else {
                let mut wanted = current.clone();
                let patch: Value = request.json()?;
                match request.content_type.as_str() {
                    "application/json-patch+json" => crate::patch::json::apply(&mut wanted, &patch).map_err(|_| {
                        ApiError::denied(
                            422,
                            "Invalid",
                            "the server rejected our request due to an error in our request",
                        )
                    })?,
                    _ => crate::patch::merge::merge(&mut wanted, &patch),
                }
                wanted
            };
            let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
            if replicas < 0 {
                let cause = Cause::invalid("spec.replicas", &replicas.into(), "must be greater than or equal to 0");
                return Err(ApiError::invalid("autoscaling", "Scale", name, &[cause]));
            }
            let given = wanted["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            if !given.is_empty() && given != old.meta("resourceVersion") {
                return Err(ApiError::modified(&target.resource, name));
            }
            let mut new = crate::convert::to_version(&old.value, &target.api_version()).into_owned();
            set_path(&mut new, &paths.spec, replicas.into());
            let change = super::update::Change { request, target, name, subresource: "scale", applied: false, dry_run };
            match self.change(&change, &old, new).await {
                Ok(object) => return Ok(respond_json(200, &scale_of(target, &object, &paths))),
                Err(super::update::Refused::Raced) => {}
                Err(super::update::Refused::Error(error)) => return Err(error),
            }
        }
        Err(ApiError::modified(&target.resource, name))
    }
}

fn set_path(object: &mut Value, path: &str, value: Value) {
    let slot = path.trim_start_matches('.').split('.').fold(object, |at, field| {
        if !at.is_object() {
            *at = json!({});
        }
        &mut at[field]
    });
    *slot = value;
}

fn scale_of(target: &Target, object: &Value, paths: &crate::resources::ScalePaths) -> Value {
    let meta = &object["metadata"];
    let selector = match &paths.selector {
        Some(path) => json_path(object, path).and_then(|v| v.as_str().map(str::to_owned)),
        None if target.resource.custom => None,
        None => object["spec"]["selector"]["matchLabels"].as_object().map(|labels| {
            let all: Vec<String> =
                labels.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
            all.join(",")
        }),
    };
    let number = |path: &str| json_path(object, path).and_then(|v| v.as_i64());
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"], "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": {}, "status": {"replicas": number(&paths.status).unwrap_or(0)},
    });
    if let Some(replicas) = number(&paths.spec).filter(|n| *n != 0) {
        scale["spec"]["replicas"] = replicas.into();
    }
    if let Some(selector) = selector.filter(|s| !s.is_empty()) {
        scale["status"]["selector"] = selector.into();
    }
    scale
}

pub(super) fn container_of(pod: &Value, name: &str, wanted: Option<&str>) -> Result<String, ApiError> {
    let names = |list: &str| -> Vec<String> {
        pod["spec"][list]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|c| c["name"].as_str())
            .map(str::to_owned)
            .collect()
    };
    let (containers, init) = (names("containers"), names("initContainers"));
    if let Some(wanted) = wanted {
        let known = [&containers, &init, &names("ephemeralContainers")]
            .into_iter()
            .any(|list| list.iter().any(|c| c == wanted));
        return if known {
            Ok(wanted.to_owned())
        } else {
            Err(ApiError::bad_request(format!("container {wanted} is not valid for pod {name}")))
        };
    }
    let default = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    if let Some(default) = default.filter(|default| containers.iter().any(|name| name == default)) {
        return Ok(default.to_owned());
    }
    match containers.as_slice() {
        [only] if init.is_empty() || containers.len() == 1 => Ok(only.clone()),
        many => {
            let mut text =
                format!("a container name must be specified for pod {name}, choose one of: [{}]", many.join(" "));
            if !init.is_empty() {
                text.extend([" or one of the init containers: [", &init.join(" "), "]"]);
            }
            Err(ApiError::bad_request(text))
        }
    }
}

fn log_options(request: &Request, container: String) -> Result<LogOptions, ApiError> {
    let query = &request.query;
    let number = |field: &str| -> Result<Option<i64>, ApiError> {
        query
            .get(field)
            .map(|text| {
                text.parse()
                    .map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax")))
            })
            .transpose()
    };
    let mut causes = Vec::new();
    let (tail, limit, since) = (number("tailLines")?, number("limitBytes")?, number("sinceSeconds")?);
    if let Some(tail) = tail.filter(|n| *n < 0) {
        causes.push(Cause::invalid("tailLines", &tail.into(), "must be greater than or equal to 0"));
    }
    if let Some(limit) = limit.filter(|n| *n < 1) {
        causes.push(Cause::invalid("limitBytes", &limit.into(), "must be greater than 0"));
    }
    if since.is_some() && query.get("sinceTime").is_some() {
        causes.push(Cause::forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    } else if let Some(since) = since.filter(|n| *n < 1) {
        causes.push(Cause::invalid("sinceSeconds", &since.into(), "must be greater than 0"));
    }
    if !causes.is_empty() {
        return Err(ApiError::invalid("", "PodLogOptions", "", &causes));
    }
    let since = match (since, query.get("sinceTime")) {
        (Some(seconds), _) => jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_secs(seconds)).ok(),
        (None, Some(time)) => time.parse().ok(),
        (None, None) => None,
    };
    Ok(LogOptions {
        container,
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        timestamps: query.flag("timestamps"),
        since,
        tail_lines: tail.and_then(|n| u64::try_from(n).ok()),
        limit_bytes: limit.and_then(|n| u64::try_from(n).ok()),
    })
}
