//! The termination message: how a step hands its results to the controller.
//!
//! A JSON list of key, value and type, or `tknz:` and the deflated form of that list. Writer and
//! reader have upstream's limits, order and leniency.

use std::{collections::BTreeMap, fmt};

use miniz_oxide::{
    deflate::compress_to_vec,
    inflate::{
        TINFLStatus,
        core::{DecompressorOxide, decompress, inflate_flags},
    },
};

use crate::{
    base64::{self, Padding},
    json::{self, Error, Value},
};

/// The most that one container may leave behind, in bytes.
pub const MAX_LENGTH: usize = 4096;
/// The most that Kubernetes keeps of all messages of one pod, in bytes.
pub const MAX_POD_LENGTH: usize = 12288;
/// Start of a compressed message.
pub const COMPRESSED_PREFIX: &str = "tknz:";
/// The most that a compressed message may unpack to, in bytes.
pub const MAX_UNPACKED_LENGTH: usize = 128 * 1024;

/// Key of the entry with the time at which the command started.
pub const STARTED_AT: &str = "StartedAt";
/// Key of the entry with the reason of an unusual end.
pub const REASON: &str = "Reason";
/// Key of the entry with the exit code of a step that may fail.
pub const EXIT_CODE: &str = "ExitCode";
/// Value of [`REASON`]: a step before failed, or a when expression did not hold.
pub const REASON_SKIPPED: &str = "Skipped";
/// Value of [`REASON`]: the run was cancelled.
pub const REASON_CANCELLED: &str = "Cancelled";
/// Value of [`REASON`]: the step took too long.
pub const REASON_TIMEOUT_EXCEEDED: &str = "TimeoutExceeded";
/// Reason of a step that failed and may.
pub const REASON_CONTINUED: &str = "Continued";

/// What kind of thing an entry is; numbers that nobody knows are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultType(
    /// The number on the wire; 0 is left out.
    pub i64,
);

impl ResultType {
    /// No type.
    pub const NONE: Self = Self(0);
    /// A task result.
    pub const TASK_RUN: Self = Self(1);
    /// Something between entrypoint and controller.
    pub const INTERNAL: Self = Self(3);
    /// A step result.
    pub const STEP: Self = Self(4);
    /// Artifacts of a step.
    pub const STEP_ARTIFACTS: Self = Self(5);
    /// Artifacts of a task.
    pub const TASK_RUN_ARTIFACTS: Self = Self(6);
    /// A name of a type that nobody knows.
    pub const UNKNOWN: Self = Self(10);

    /// Reads a type from its number, or from the name that old releases wrote.
    pub fn from_json(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(Self::NONE),
            Value::Number(number) if let Ok(number) = number.parse() => Ok(Self(number)),
            Value::String(name) => Ok(match name.as_str() {
                "TaskRunResult" => Self::TASK_RUN,
                "InternalTektonResult" => Self::INTERNAL,
                "StepResult" => Self::STEP,
                "StepArtifactsResult" => Self::STEP_ARTIFACTS,
                "TaskRunArtifactsResult" => Self::TASK_RUN_ARTIFACTS,
                _ => Self::UNKNOWN,
            }),
            Value::Number(number) => Err(Error(format!(
                "unsupported value type, neither int nor string: json: cannot unmarshal number {number} into Go value of type int\n{}",
                Error::unmarshal(value, "string")
            ))),
            _ => Err(Error(format!(
                "unsupported value type, neither int nor string: {}\n{}",
                Error::unmarshal(value, "int"),
                Error::unmarshal(value, "string")
            ))),
        }
    }
}

/// One entry of a termination message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunResult {
    /// Name of the result, or of the internal value.
    pub key: String,
    /// The value as the step wrote it.
    pub value: String,
    /// The value holds U+FFFD in place of bytes that were no text; it is written in its long form, six bytes each.
    pub replaced: bool,
    /// Kept from messages of old releases.
    pub resource_name: String,
    /// What kind of entry it is.
    pub result_type: ResultType,
}

impl RunResult {
    /// An entry of a type.
    pub fn new(key: impl Into<String>, value: impl Into<String>, result_type: ResultType) -> Self {
        Self { key: key.into(), value: value.into(), result_type, ..Self::default() }
    }

    /// An entry with the content of a file, which may be no text.
    pub fn from_bytes(key: impl Into<String>, value: &[u8], result_type: ResultType) -> Self {
        let replaced = std::str::from_utf8(value).is_err();
        Self { replaced, ..Self::new(key, json::text(value), result_type) }
    }

    /// Reads one entry from JSON. Unknown members are ignored.
    pub fn from_json(value: &Value) -> Result<Self, Error> {
        let members = match value {
            Value::Null => return Ok(Self::default()),
            Value::Object(members) => members,
            _ => return Err(Error::unmarshal(value, "result.RunResult")),
        };
        let mut entry = Self::default();
        for (name, value) in members {
            let field =
                [("key", &mut entry.key), ("value", &mut entry.value), ("resourceName", &mut entry.resource_name)]
                    .into_iter()
                    .find(|(field, _)| field.eq_ignore_ascii_case(name));
            match (field, value) {
                (Some((_, target)), Value::String(text)) => target.clone_from(text),
                (Some((field, _)), value) if *value != Value::Null => {
                    return Err(Error(format!(
                        "json: cannot unmarshal {} into Go struct field RunResult.{field} of type string",
                        value.kind()
                    )));
                }
                (None, value) if *value != Value::Null && name.eq_ignore_ascii_case("type") => {
                    entry.result_type = ResultType::from_json(value)?;
                }
                // Go leaves a field as it is on null.
                _ => {}
            }
        }
        Ok(entry)
    }

    fn write(&self, out: &mut String) {
        out.push_str("{\"key\":");
        json::quote(out, &self.key);
        out.push_str(",\"value\":");
        if self.replaced {
            let mut value = String::new();
            json::quote(&mut value, &self.value);
            out.push_str(&value.replace('\u{fffd}', "\\ufffd"));
        } else {
            json::quote(out, &self.value);
        }
        if !self.resource_name.is_empty() {
            out.push_str(",\"resourceName\":");
            json::quote(out, &self.resource_name);
        }
        if self.result_type != ResultType::NONE {
            out.push_str(",\"type\":");
            out.push_str(&self.result_type.0.to_string());
        }
        out.push('}');
    }
}

/// The message does not fit into what a container may leave behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Termination message is above max allowed size 4096, caused by large task result.")
    }
}

impl std::error::Error for TooLong {}

/// Prints entries as compact JSON.
pub fn encode(entries: &[RunResult]) -> String {
    let mut out = String::from("[");
    for (i, entry) in entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        entry.write(&mut out);
    }
    out.push(']');
    out
}

/// The text to write: plain, or compressed when asked for and shorter.
///
/// ```
/// use tekton_contract::termination::{decode, message, ResultType, RunResult};
/// let entries = [RunResult::new("digest", "sha256:0".repeat(40), ResultType::TASK_RUN)];
/// let text = message(&entries, true).unwrap();
/// assert!(text.starts_with("tknz:"));
/// assert_eq!(decode(text.as_bytes()).unwrap(), entries);
/// ```
pub fn message(entries: &[RunResult], compress: bool) -> Result<String, TooLong> {
    let mut text = encode(entries);
    if compress {
        let packed = pack(text.as_bytes());
        if COMPRESSED_PREFIX.len() + packed.len() < text.len() {
            text = format!("{COMPRESSED_PREFIX}{packed}");
        }
    }
    if text.len() > MAX_LENGTH { Err(TooLong) } else { Ok(text) }
}

/// Never inlined: its tables would be on the stack of every message, and each page of that is a page fault of every
/// step.
#[inline(never)]
fn pack(text: &[u8]) -> String {
    base64::encode(&compress_to_vec(text, 9), Padding::None)
}

/// The entries of what a file holds already; blank means none.
///
/// The error says why they are lost, which upstream reports only when compression is on.
pub fn existing(content: &[u8]) -> Result<Vec<RunResult>, String> {
    if content.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    if content.starts_with(COMPRESSED_PREFIX.as_bytes()) {
        let unpacked = unpack(&content[COMPRESSED_PREFIX.len()..])?;
        return entries(&unpacked).map_err(|error| error.0);
    }
    entries(content).map_err(|error| error.0)
}

/// Reads a message as the controller does: entries that are all empty are dropped, the last of
/// equal keys wins, the outcome is sorted by key.
pub fn decode(message: &[u8]) -> Result<Vec<RunResult>, String> {
    if message.is_empty() {
        return Ok(Vec::new());
    }
    let unpacked;
    let text = if let Some(packed) = message.strip_prefix(COMPRESSED_PREFIX.as_bytes()) {
        unpacked = unpack(packed).map_err(|error| format!("decompressing termination message: {error}"))?;
        &unpacked
    } else {
        message
    };
    let entries = entries(text).map_err(|error| {
        let shown =
            if text.len() > 256 { format!("{}...(truncated)", json::text(&text[..256])) } else { json::text(text) };
        format!("parsing message json: {error}, msg: {shown}")
    })?;
    let by_key: BTreeMap<String, RunResult> = entries
        .into_iter()
        .filter(|entry| *entry != RunResult::default())
        .map(|entry| (entry.key.clone(), entry))
        .collect();
    Ok(by_key.into_values().collect())
}

fn entries(text: &[u8]) -> Result<Vec<RunResult>, Error> {
    match json::parse(text)? {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(RunResult::from_json).collect(),
        value => Err(Error::unmarshal(&value, "[]result.RunResult")),
    }
}

/// Unpacks what follows the prefix of a compressed message.
// As with `pack`.
#[inline(never)]
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let deflated = base64::decode(packed, Padding::None).map_err(|error| format!("base64 decode: {error}"))?;
    let mut state = DecompressorOxide::new();
    let mut out = vec![0; (deflated.len() * 4).clamp(1024, MAX_UNPACKED_LENGTH + 1)];
    let (mut read, mut written) = (0, 0);
    loop {
        let (status, consumed, produced) = decompress(
            &mut state,
            &deflated[read..],
            &mut out,
            written,
            inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
        );
        read += consumed;
        written += produced;
        match status {
            TINFLStatus::Done if written <= MAX_UNPACKED_LENGTH => {
                out.truncate(written);
                return Ok(out);
            }
            TINFLStatus::HasMoreOutput if out.len() <= MAX_UNPACKED_LENGTH => {
                out.resize((out.len() * 2).min(MAX_UNPACKED_LENGTH + 1), 0);
            }
            TINFLStatus::Done | TINFLStatus::HasMoreOutput => {
                return Err(format!("decompressed termination message exceeds {MAX_UNPACKED_LENGTH} byte limit"));
            }
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                return Err("flate decompress: unexpected EOF".to_owned());
            }
            _ => return Err(format!("flate decompress: flate: corrupt input before offset {read}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_of_exactly_the_limit_is_written() {
        let value = "v".repeat(MAX_LENGTH - encode(&[RunResult::new("k", "", ResultType::TASK_RUN)]).len());
        let entry = RunResult::new("k", value.clone(), ResultType::TASK_RUN);
        assert_eq!(message(&[entry], false).unwrap().len(), MAX_LENGTH);
        assert_eq!(message(&[RunResult::new("k", value + "v", ResultType::TASK_RUN)], false), Err(TooLong));
    }

    #[test]
    fn unpacking_stops_at_its_limit() {
        let bomb = base64::encode(&compress_to_vec(&vec![b'a'; MAX_UNPACKED_LENGTH + 1], 9), Padding::None);
        assert!(unpack(bomb.as_bytes()).unwrap_err().contains("exceeds 131072 byte limit"));
        let full = base64::encode(&compress_to_vec(&vec![b'a'; MAX_UNPACKED_LENGTH], 9), Padding::None);
        assert_eq!(unpack(full.as_bytes()).unwrap().len(), MAX_UNPACKED_LENGTH);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values: BTreeMap<String, String>, compress: bool) {
            let entries: Vec<_> =
                values.into_iter().map(|(key, value)| RunResult::new(key, value, ResultType::STEP)).collect();
            if let Ok(text) = message(&entries, compress) {
                prop_assert_eq!(existing(text.as_bytes()).unwrap(), entries.clone());
                prop_assert_eq!(decode(text.as_bytes()).unwrap(), entries);
            }
        }

        #[test]
        fn any_message_is_read_or_refused_without_a_panic(bytes: Vec<u8>, packed: bool) {
            let mut message = if packed { b"tknz:".to_vec() } else { Vec::new() };
            if packed {
                message.extend_from_slice(base64::encode(&bytes, Padding::None).as_bytes());
            } else {
                message.extend_from_slice(&bytes);
            }
            let _ = decode(&message);
        }
    }
}
