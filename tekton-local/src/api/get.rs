//! Reading: one object, and lists with selectors and pages.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::negotiate::{Form, form};
use super::request::Request;
use super::selector::{FieldSelector, LabelSelector};
use super::{Api, Body, Target, respond, respond_json, table};
use crate::convert;
use crate::store::Object;

/// How long a read of a resource version from the future waits before it is refused.
const FUTURE_WAIT: std::time::Duration = std::time::Duration::from_secs(3);

/// The selectors of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selection {
    pub(crate) fn of(request: &Request, target: &Target) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(request.query.get("labelSelector").unwrap_or_default())?;
        let text = request.query.get("fieldSelector").unwrap_or_default();
        let fields = FieldSelector::parse(text, &target.api_version(), &target.resource.kind, target.resource.custom)?;
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}

impl Api {
    pub(super) fn get(&self, request: &Request, target: &Target, name: &str) -> Result<Response<Body>, ApiError> {
        let form = form(&request.accept)?;
        let object = self.found(target, name)?;
        if form == Form::Json && object.value["apiVersion"] == target.api_version().as_str() {
            return Ok(respond(200, "application/json", object.json()));
        }
        answer_value(&form, request, target, &object.value, 200)
    }

    pub(super) fn list(&self, request: &Request, target: &Target) -> Result<Response<Body>, ApiError> {
        let form = form(&request.accept)?;
        let selection = Selection::of(request, target)?;
        let page = self.page(request, target, &selection)?;
        let mut meta = Map::new();
        meta.insert("resourceVersion".to_owned(), page.revision.to_string().into());
        match (&page.next, target.resource.custom) {
            (Some(token), _) => drop(meta.insert("continue".to_owned(), token.clone().into())),
            (None, true) if form == Form::Json => drop(meta.insert("continue".to_owned(), "".into())),
            _ => {}
        }
        if let Some(remaining) = page.remaining {
            meta.insert("remainingItemCount".to_owned(), remaining.into());
        }
        let api_version = target.api_version();
        let resource = &target.resource;
        match form {
            Form::Json => Ok(respond(
                200,
                "application/json",
                print_list(&page.items, &api_version, &resource.list_kind, &meta, resource.custom),
            )),
            Form::Yaml => {
                let items: Vec<_> =
                    page.items.iter().map(|o| convert::to_version(&o.value, &api_version).into_owned()).collect();
                let list =
                    json!({"apiVersion": api_version, "kind": resource.list_kind, "metadata": meta, "items": items});
                let text = serde_saphyr::to_string(&list).map_err(|e| ApiError::internal(e.to_string()))?;
                Ok(respond(200, "application/yaml", text))
            }
            Form::Table(version) => {
                let rows: Vec<_> = page.items.iter().map(|o| convert::to_version(&o.value, &api_version)).collect();
                let values: Vec<&Value> = rows.iter().map(AsRef::as_ref).collect();
                Ok(respond_json(200, &table::of_list(&version, target, &values, &meta, request)))
            }
            Form::Metadata(version) => {
                let items: Vec<Value> = page.items.iter().map(|o| metadata_only(&version, &o.value)).collect();
                let list = json!({"kind": "PartialObjectMetadataList", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": meta, "items": items});
                Ok(respond_json(200, &list))
            }
        }
    }

    fn page(&self, request: &Request, target: &Target, selection: &Selection) -> Result<Page, ApiError> {
        let query = &request.query;
        let namespace = target.namespace.as_deref();
        let limit: usize = query.get("limit").and_then(|l| l.parse().ok()).unwrap_or(0);
        let token = query.get("continue");
        let version = query.get("resourceVersion");
        check_version_match(query, token.is_some(), version)?;
        let requested: Option<u64> = match version {
            Some(text) => Some(text.parse().map_err(|_| super::watch::bad_version(text))?),
            None => None,
        };
        let exact = query.get("resourceVersionMatch") == Some("Exact")
            || (query.get("resourceVersionMatch").is_none() && limit > 0 && requested.is_some_and(|r| r > 0));
        let (revision, all, start) = match token {
            Some(token) => {
                if version.is_some_and(|v| v != "0") {
                    return Err(ApiError::bad_request(
                        "specifying resource version is not allowed when using continue",
                    ));
                }
                let (revision, start) = read_token(token)?;
                let items = self.store.list_at(&target.resource.key, namespace, revision).map_err(|_| {
                    ApiError::expired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.")
                })?;
                (revision, items, Some(start))
            }
            None => match requested {
                Some(requested) if exact => {
                    let items =
                        self.store.list_at(&target.resource.key, namespace, requested).map_err(|compacted| {
                            ApiError::expired(format!(
                                "The resourceVersion for the provided list is too old. ({requested} < {})",
                                compacted.oldest
                            ))
                        })?;
                    (requested, items, None)
                }
                _ => {
                    let (revision, items) = self.store.list(&target.resource.key, namespace);
                    (revision, items, None)
                }
            },
        };
        let place = |o: &Object| format!("{}/{}", o.meta("namespace"), o.meta("name"));
        let mut items = Vec::new();
        let mut next = None;
        let mut remaining = 0_u64;
        for object in all {
            if start.as_ref().is_some_and(|start| place(&object) <= *start) {
                continue;
            }
            if limit > 0 && items.len() == limit {
                if next.is_none() {
                    let last = items.last().map(|o: &Arc<Object>| place(o)).unwrap_or_default();
                    next = Some(write_token(revision, &last));
                }
                remaining += 1;
                continue;
            }
            if selection.matches(&object.value) {
                items.push(object);
            }
        }
        let remaining = (next.is_some() && selection.is_empty()).then_some(remaining);
        Ok(Page { revision, items, next, remaining })
    }

    /// Waits for a resource version that has not been written yet.
    ///
    /// Errors: 504 when it is not written within three seconds.
    pub(super) async fn wait_for_version(&self, query: &super::request::Query) -> Result<(), ApiError> {
        let Some(requested) = query.get("resourceVersion").and_then(|text| text.parse::<u64>().ok()) else {
            return Ok(());
        };
        let until = tokio::time::Instant::now() + FUTURE_WAIT;
        while requested > self.store.revision() {
            if tokio::time::Instant::now() >= until {
                return Err(ApiError::too_large_resource_version(requested, self.store.revision()));
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// An object in the form that the client wants.
pub(crate) fn answer_value(
    form: &Form,
    request: &Request,
    target: &Target,
    value: &Value,
    code: u16,
) -> Result<Response<Body>, ApiError> {
    let value = convert::to_version(value, &target.api_version());
    Ok(match form {
        Form::Json => respond_json(code, &value),
        Form::Yaml => {
            let text = serde_saphyr::to_string(&*value).map_err(|e| ApiError::internal(e.to_string()))?;
            respond(code, "application/yaml", text)
        }
        Form::Table(version) => respond_json(code, &table::of_object(version, target, &value, request)),
        Form::Metadata(version) => respond_json(code, &metadata_only(version, &value)),
    })
}

struct Page {
    revision: u64,
    items: Vec<Arc<Object>>,
    next: Option<String>,
    remaining: Option<u64>,
}

fn check_version_match(query: &super::request::Query, continued: bool, version: Option<&str>) -> Result<(), ApiError> {
    let Some(wanted) = query.get("resourceVersionMatch") else { return Ok(()) };
    let refuse = |detail: &str| {
        let cause = super::error::Cause::forbidden("resourceVersionMatch", detail);
        Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", &[cause]))
    };
    if continued {
        return refuse("resourceVersionMatch is forbidden when continue is provided");
    }
    if version.is_none() {
        return refuse("resourceVersionMatch is forbidden unless resourceVersion is provided");
    }
    if !matches!(wanted, "Exact" | "NotOlderThan") {
        let cause =
            super::error::Cause::not_supported("resourceVersionMatch", &wanted.into(), &["Exact", "NotOlderThan", ""]);
        return Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", &[cause]));
    }
    if wanted == "Exact" && version == Some("0") {
        return refuse("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    }
    Ok(())
}

fn write_token(revision: u64, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": revision, "start": format!("{last}\u{0}")}).to_string())
}

fn read_token(token: &str) -> Result<(u64, String), ApiError> {
    let refuse = |detail: &str| ApiError::bad_request(format!("continue key is not valid: {detail}"));
    let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).map_err(|e| refuse(&e.to_string()))?;
    let read: Value = serde_json::from_slice(&bytes).map_err(|e| refuse(&e.to_string()))?;
    let revision = read["rv"]
        .as_u64()
        .filter(|rv| *rv > 0)
        .ok_or_else(|| refuse("incorrect encoded start resourceVersion (version meta.k8s.io/v1)"))?;
    let start = read["start"].as_str().unwrap_or_default().trim_end_matches('\u{0}');
    if !start.contains('/') {
        return Err(refuse("encoded start key empty (version meta.k8s.io/v1)"));
    }
    Ok((revision, start.to_owned()))
}

fn metadata_only(version: &str, object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": object["metadata"]})
}

/// The metadata of an object as a `PartialObjectMetadata`.
pub(crate) fn partial(version: &str, object: &Value) -> Value {
    metadata_only(version, object)
}

fn print_list(
    items: &[Arc<Object>],
    api_version: &str,
    kind: &str,
    meta: &Map<String, Value>,
    custom: bool,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + items.len() * 512);
    let head = json!({"apiVersion": api_version, "kind": kind, "metadata": meta}).to_string();
    out.extend_from_slice(&head.as_bytes()[..head.len() - 1]);
    out.extend_from_slice(b",\"items\":[");
    for (i, object) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if custom && object.value["apiVersion"] == api_version {
            out.extend_from_slice(&object.json());
            continue;
        }
        let value = convert::to_version(&object.value, api_version);
        if custom {
            out.extend_from_slice(value.to_string().as_bytes());
        } else {
            print_untyped(&value, &mut out);
        }
    }
    out.extend_from_slice(b"]}\n");
    out
}

/// An item of a typed list: without its kind and version.
fn print_untyped(value: &Value, out: &mut Vec<u8>) {
    out.push(b'{');
    let fields = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "apiVersion" && *name != "kind");
    for (i, (name, field)) in fields.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(field.to_string().as_bytes());
    }
    out.push(b'}');
}
