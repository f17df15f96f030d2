//! What a request asks for: its path, parameters and headers as data.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;

use super::error::{ApiError, Cause};

/// How long the name of a field manager may be.
const MOST_MANAGER: usize = 128;

/// The parameters after `?`.
#[derive(Debug, Clone, Default)]
pub struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    /// Reads a query string.
    pub fn parse(text: &str) -> Self {
        let mut all = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            all.entry(decode(name, true)).or_insert_with(Vec::new).push(decode(value, true));
        }
        Self(all)
    }

    /// A parameter; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a boolean parameter is set, as Go reads it.
    pub fn flag(&self, name: &str) -> bool {
        let value = self.0.get(name).and_then(|values| values.first());
        value.is_some_and(|value| !matches!(value.to_lowercase().as_str(), "0" | "false"))
    }

    /// Every value of a parameter that may be given more than once, in order.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Undoes percent-encoding.
pub fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = || std::str::from_utf8(bytes.get(i + 1..i + 3)?).ok().and_then(|h| u8::from_str_radix(h, 16).ok());
        match bytes[i] {
            b'%' if hex().is_some() => {
                out.push(hex().unwrap_or_default());
                i += 3;
                continue;
            }
            b'+' if plus => out.push(b' '),
            c => out.push(c),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The header in which clients that switch to SPDY name their sub-protocols.
pub(crate) const STREAM_PROTOCOL: &str = "x-stream-protocol-version";

/// A wish to speak another protocol over the connection.
#[derive(Debug, Clone, Default)]
pub struct Upgrade {
    /// The `Upgrade` header.
    pub to: String,
    /// The sub-protocols that the client offers.
    pub protocols: Vec<String>,
    /// The `Sec-WebSocket-Key` header.
    pub key: String,
    /// The connection, once it has been switched.
    pub pending: Option<hyper::upgrade::OnUpgrade>,
}

/// Whom the headers of `kubectl --as` name. Groups without a user name nobody.
fn impersonated(headers: &http::HeaderMap) -> Option<super::User> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let name = text("impersonate-user");
    let mut groups: Vec<String> =
        headers.get_all("impersonate-group").iter().filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect();
    if name.is_empty() {
        return None;
    }
    // A ServiceAccount has its groups, unless others are named.
    if groups.is_empty()
        && let Some((namespace, _)) = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
    {
        groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    }
    if name != "system:anonymous" && !groups.iter().any(|group| group == "system:authenticated") {
        groups.push("system:authenticated".to_owned());
    }
    Some(super::User { name, groups, uid: text("impersonate-uid") })
}

/// A request with its body read.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `POST`, ….
    pub method: String,
    /// The segments of the path, decoded.
    pub path: Vec<String>,
    /// The parameters.
    pub query: Query,
    /// The `Accept` header.
    pub accept: String,
    /// The `Content-Type` header without parameters.
    pub content_type: String,
    /// The `User-Agent` up to the first slash.
    pub user_agent: String,
    /// The wish to switch to another protocol.
    pub upgrade: Upgrade,
    /// Who asks.
    pub user: super::User,
    /// As whom the request is to be done, when the client says so.
    pub impersonated: Option<super::User>,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// Takes a request apart.
    pub fn new(parts: &Parts, body: Bytes) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let content_type = header("content-type").split(';').next().unwrap_or_default().trim().to_owned();
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().split('/').filter(|s| !s.is_empty()).map(|s| decode(s, false)).collect(),
            query: Query::parse(parts.uri.query().unwrap_or_default()),
            accept: header("accept").to_owned(),
            content_type,
            user_agent: header("user-agent").split('/').next().unwrap_or_default().to_owned(),
            upgrade: Upgrade {
                to: header("upgrade").to_owned(),
                protocols: parts
                    .headers
                    .get_all(http::header::SEC_WEBSOCKET_PROTOCOL)
                    .iter()
                    .chain(parts.headers.get_all(STREAM_PROTOCOL))
                    .filter_map(|value| value.to_str().ok())
                    .flat_map(|value| value.split(','))
                    .map(|protocol| protocol.trim().to_owned())
                    .collect(),
                key: header("sec-websocket-key").to_owned(),
                pending: parts.extensions.get::<hyper::upgrade::OnUpgrade>().cloned(),
            },
            user: parts.extensions.get::<super::User>().cloned().unwrap_or_default(),
            impersonated: impersonated(&parts.headers),
            body,
        }
    }

    /// The name under which this request's writes are recorded in `managedFields`.
    pub fn manager(&self) -> &str {
        match self.query.get("fieldManager") {
            Some(manager) => manager,
            None if self.user_agent.is_empty() => "unknown",
            None => &self.user_agent,
        }
    }

    /// The kind of the options that this request's parameters make up.
    fn options(&self) -> &'static str {
        match self.method.as_str() {
            "GET" | "HEAD" => "ListOptions",
            "PUT" => "UpdateOptions",
            "PATCH" => "PatchOptions",
            "DELETE" => "DeleteOptions",
            _ => "CreateOptions",
        }
    }

    fn refuse_option(&self, cause: Cause) -> ApiError {
        ApiError::invalid("meta.k8s.io", self.options(), "", &[cause])
    }

    /// Whether nothing is to be stored.
    pub fn dry_run(&self) -> Result<bool, ApiError> {
        self.dry_run_of(self.query.all("dryRun").iter().map(String::as_str))
    }

    /// As [`Request::dry_run`], of the values in a body.
    pub fn dry_run_of<'a>(&self, values: impl Iterator<Item = &'a str>) -> Result<bool, ApiError> {
        let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
        if values.iter().any(|value| *value != "All") {
            return Err(self.refuse_option(Cause::not_supported("dryRun", &values.into(), &["All"])));
        }
        Ok(!values.is_empty())
    }

    /// Checks the parameters that every operation reads.
    ///
    /// Errors: one has a value that it cannot have.
    pub fn check_options(&self) -> Result<(), ApiError> {
        for name in ["limit", "timeoutSeconds", "gracePeriodSeconds"] {
            if let Some(text) = self.query.get(name).filter(|text| text.parse::<i64>().is_err()) {
                return Err(ApiError::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax")));
            }
        }
        if self.query.get("fieldManager").is_some_and(|manager| manager.len() > MOST_MANAGER) {
            let cause = Cause {
                reason: "FieldValueTooLong",
                message: format!("Too long: may not be more than {MOST_MANAGER} bytes"),
                field: "fieldManager".to_owned(),
            };
            return Err(self.refuse_option(cause));
        }
        if let Some(level) = self.query.get("fieldValidation").filter(|l| !matches!(*l, "Ignore" | "Strict" | "Warn")) {
            let cause = Cause::not_supported("fieldValidation", &level.into(), &["", "Ignore", "Strict", "Warn"]);
            return Err(self.refuse_option(cause));
        }
        if self.options() == "ListOptions" && self.query.flag("sendInitialEvents") && !self.query.flag("watch") {
            let detail = "sendInitialEvents is forbidden for list";
            return Err(self.refuse_option(Cause::forbidden("sendInitialEvents", detail)));
        }
        Ok(())
    }

    /// The body as a JSON object; YAML is read too.
    pub fn object(&self) -> Result<Value, ApiError> {
        match self.content_type.as_str() {
            "" | "application/json" => self.json(),
            "application/yaml" | "application/x-yaml" => {
                let text = std::str::from_utf8(&self.body).map_err(|e| ApiError::bad_request(e.to_string()))?;
                serde_saphyr::from_str(text)
                    .map_err(|e| ApiError::bad_request(format!("error converting YAML to JSON: {e}")))
            }
            "application/vnd.kubernetes.protobuf" => super::protobuf::decode(&self.body)
                .ok_or_else(|| ApiError::bad_request("the protobuf body cannot be read; send application/json")),
            _ => Err(ApiError::unsupported_media_type(&[
                "application/json",
                "application/yaml",
                "application/vnd.kubernetes.protobuf",
            ])),
        }
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|e| ApiError::bad_request(format!("couldn't get version/kind; json parse error: {e}")))
    }
}
