//! References to definitions: by name in the cluster, or through a resolver and its ResolutionRequest.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use tekton_contract::json;
use tekton_types::condition;
use tekton_types::resolution::{ResolutionRequest, ResolutionRequestSpec};
use tekton_types::v1::{Param, ParamValue, RefSource};

use crate::decision::USER_ERROR;
use crate::effect::ApiFault;
use crate::pass::{Pass, Stop};

/// Longest name of a ResolutionRequest.
const NAME_LIMIT: usize = 63;
/// The label that names the resolver.
pub(crate) const TYPE_LABEL: &str = "resolution.tekton.dev/type";

/// Why a definition could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefFault {
    /// A resolver is at work.
    InProgress(String),
    /// Nothing has this name.
    NotFound(String),
    /// The API server refused the definition.
    Validation(String),
    /// The API server cannot judge the definition.
    Unprocessable(String),
    /// Time may help.
    Transient(String),
    /// Anything else.
    Failed(String),
}

impl RefFault {
    fn in_progress() -> Self {
        Self::InProgress("resource request in progress".to_owned())
    }

    /// Puts words before the text.
    pub(crate) fn context(self, words: &str) -> Self {
        match self {
            Self::InProgress(text) => Self::InProgress(format!("{words}{text}")),
            Self::NotFound(text) => Self::NotFound(format!("{words}{text}")),
            Self::Validation(text) => Self::Validation(format!("{words}{text}")),
            Self::Unprocessable(text) => Self::Unprocessable(format!("{words}{text}")),
            Self::Transient(text) => Self::Transient(format!("{words}{text}")),
            Self::Failed(text) => Self::Failed(format!("{words}{text}")),
        }
    }

    /// The text for a condition: the user is told when it is theirs to mend.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Unprocessable(text) => format!("{USER_ERROR}{text}"),
            other => other.text().to_owned(),
        }
    }

    /// The text, for people.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::InProgress(text)
            | Self::NotFound(text)
            | Self::Validation(text)
            | Self::Unprocessable(text)
            | Self::Transient(text)
            | Self::Failed(text) => text,
        }
    }
}

impl From<&ApiFault> for RefFault {
    fn from(fault: &ApiFault) -> Self {
        let transient = matches!(fault.known_reason(), "Conflict" | "ServerTimeout" | "Timeout" | "TooManyRequests")
            || sounds_transient(&fault.text);
        if transient {
            Self::Transient(fault.text.clone())
        } else if fault.is_not_found() {
            Self::NotFound(fault.text.clone())
        } else {
            Self::Failed(fault.text.clone())
        }
    }
}

/// The text is about something that passes, whoever tells it.
fn sounds_transient(text: &str) -> bool {
    text.contains("etcdserver: leader changed") || text.contains("context deadline exceeded")
}

/// What is asked of a resolver.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Name of the resolver.
    pub(crate) resolver: &'a str,
    /// The run that asks.
    pub(crate) owner: OwnerReference,
    /// Namespace of the request.
    pub(crate) namespace: &'a str,
    /// Base of the name of the request.
    pub(crate) name: &'a str,
    /// Parameters of the resolver.
    pub(crate) params: Vec<Param>,
    /// An URL; empty for none.
    pub(crate) url: String,
}

/// A definition as a resolver delivered it.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The text.
    pub(crate) data: Vec<u8>,
    /// Where it came from.
    pub(crate) source: Option<RefSource>,
}

/// Asks a resolver; creates the ResolutionRequest when there is none.
pub(crate) fn resolve(pass: &mut Pass<'_>, request: Request<'_>) -> Result<Result<Resolved, RefFault>, Stop> {
    if request.namespace.is_empty() {
        return Ok(Err(RefFault::Failed(format!(
            "error building request for remote resource: namespace is required for resolution request but was empty (resolver: {}, resource: {})",
            request.resolver, request.name
        ))));
    }
    let base = format!("{}/{}", request.namespace, request.name);
    let name = request_name(request.resolver, &base, &request.params, &request.url);
    let found = pass.object::<ResolutionRequest>(request.namespace, &name)?;
    let Ok(found) = found else {
        let object = ResolutionRequest {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(request.namespace.to_owned()),
                labels: Some([(TYPE_LABEL.to_owned(), request.resolver.to_owned())].into()),
                owner_references: Some(vec![request.owner]),
                ..ObjectMeta::default()
            },
            spec: ResolutionRequestSpec { params: request.params, url: request.url },
            ..ResolutionRequest::default()
        };
        return Ok(Err(match pass.create(object)? {
            Err(fault) if !fault.is_already_exists() => {
                RefFault::from(fault).context("error requesting remote resource: ")
            }
            _ => RefFault::in_progress(),
        }));
    };
    let Some(succeeded) = condition::succeeded(&found.status.conditions) else {
        return Ok(Err(RefFault::in_progress()));
    };
    if succeeded.is_unknown() {
        return Ok(Err(RefFault::in_progress()));
    }
    if succeeded.is_false() {
        let text = format!("error requesting remote resource: {}", succeeded.message);
        return Ok(Err(if sounds_transient(&text) { RefFault::Transient(text) } else { RefFault::Failed(text) }));
    }
    Ok(match decode_base64(&found.status.data) {
        Ok(data) => {
            let source = found.status.ref_source.clone();
            Ok(Resolved { data, source })
        }
        Err(position) => Err(RefFault::Failed(format!(
            "error accessing data from remote resource: error decoding data from base64: illegal base64 data at input byte {position}"
        ))),
    })
}

/// The name of a reference that is an URL: a scheme, a colon and a slash.
pub(crate) fn is_url(name: &str) -> bool {
    name.match_indices(":/").any(|(at, _)| {
        name[..at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    })
}

/// The name of the request: the same question of the same run has the same name.
fn request_name(resolver: &str, base: &str, params: &[Param], url: &str) -> String {
    let mut hash = Fnv128::new();
    hash.write(base.as_bytes());
    let mut sorted: Vec<&Param> = params.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for param in sorted {
        hash.write(param.name.as_bytes());
        match &param.value {
            ParamValue::String(text) => hash.write(text.as_bytes()),
            ParamValue::Array(items) => hash.write(go_json(&serde_json::Value::from(items.clone())).as_bytes()),
            ParamValue::Object(map) => {
                let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
                hash.write(go_json(&serde_json::to_value(sorted).unwrap_or_default()).as_bytes());
            }
        }
    }
    hash.write(url.as_bytes());
    let digest = hash.hex();
    let room = NAME_LIMIT - digest.len() - 1;
    let prefix = if resolver.len() > room { &resolver[..room] } else { resolver };
    format!("{prefix}-{digest}")
}

/// JSON as Go's encoder prints it.
fn go_json(value: &serde_json::Value) -> String {
    json::escape_html(&value.to_string()).into_owned()
}

/// FNV-1a with 128 bits, as Go's `fnv.New128a`.
struct Fnv128(u128);

impl Fnv128 {
    const fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u128::from(*byte);
            self.0 = self.0.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }

    fn hex(&self) -> String {
        format!("{:032x}", self.0)
    }
}

/// Decodes standard base64 with padding, skipping line ends as Go does.
///
/// Errors: the position of the first byte that is wrong.
pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0_u32, 0_u32, 0_usize);
    for (position, byte) in text.bytes().enumerate() {
        let value = match byte {
            b'\r' | b'\n' => continue,
            b'=' => {
                padding += 1;
                if count < 2 || padding > 2 {
                    return Err(position);
                }
                continue;
            }
            _ if padding > 0 => return Err(position),
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(position),
        };
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    match (count, padding) {
        (0, 0) => {}
        (2, 2) => out.push((bits >> 4).to_be_bytes()[3]),
        (3, 1) => out.extend_from_slice(&(bits >> 2).to_be_bytes()[2..]),
        _ => return Err(text.len()),
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_upstreams_name() {
        assert_eq!(request_name("foobar", "default/tr", &[], ""), "foobar-b4b0f3663f6b6c87594441e516065db5");
    }

    #[test]
    fn what_a_server_gives_only_a_code_for_is_known_by_it() {
        let of = |code| RefFault::from(&ApiFault { code, text: "no".to_owned(), ..ApiFault::default() });
        assert_eq!(of(404), RefFault::NotFound("no".to_owned()));
        assert_eq!(of(429), RefFault::Transient("no".to_owned()));
        assert_eq!(of(0), RefFault::Failed("no".to_owned()));
    }

    #[test]
    fn base64_is_decoded_and_refused_at_the_wrong_byte() {
        assert_eq!(decode_base64("aGVsbG8="), Ok(b"hello".to_vec()));
        assert_eq!(decode_base64("aGVsbG8h"), Ok(b"hello!".to_vec()));
        assert_eq!(decode_base64("aA=="), Ok(b"h".to_vec()));
        assert_eq!(decode_base64("a!=="), Err(1));
    }
}
