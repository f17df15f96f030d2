//! Reads bodies in Kubernetes' protobuf encoding, which kubectl's typed commands send, as the JSON that they stand for.
//!
//! Answers are always JSON; clients that send protobuf accept it.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What every encoded object starts with.
const MAGIC: &[u8] = b"k8s\0";
/// How deep messages may nest.
const DEPTH: usize = 64;

type Fields = HashMap<u64, (&'static str, &'static str)>;

static MESSAGES: LazyLock<HashMap<&'static str, Fields>> = LazyLock::new(|| {
    let mut messages = HashMap::new();
    for line in include_str!("protobuf.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let fields = words.filter_map(|word| {
            let mut parts = word.splitn(3, ':');
            Some((parts.next()?.parse().ok()?, (parts.next()?, parts.next()?)))
        });
        messages.insert(name, fields.collect());
    }
    messages
});

/// One field as it is on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next field with its number.
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Number(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Number(u64::from(u32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            _ => return None,
        };
        Some((tag >> 3, wire))
    }
}

/// The object in a body, or nothing when it is not one that can be read.
pub(crate) fn decode(body: &[u8]) -> Option<Value> {
    let mut envelope = Reader(body.strip_prefix(MAGIC)?);
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &b""[..]);
    while !envelope.0.is_empty() {
        match envelope.field()? {
            (1, Wire::Bytes(meta)) => {
                let mut meta = Reader(meta);
                while !meta.0.is_empty() {
                    match meta.field()? {
                        (1, Wire::Bytes(text)) => api_version = text_of(text),
                        (2, Wire::Bytes(text)) => kind = text_of(text),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("core", &api_version));
    let package = group.split('.').next().unwrap_or_default();
    let message = match kind.as_str() {
        "DeleteOptions" => "meta/v1.DeleteOptions".to_owned(),
        kind => format!("{package}/{version}.{kind}"),
    };
    let mut object = read(raw, &message, 0)?;
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Some(object)
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(bytes: &[u8], message: &str, depth: usize) -> Option<Value> {
    let fields = MESSAGES.get(message).filter(|_| depth < DEPTH)?;
    let mut object = Map::new();
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        let (number, wire) = reader.field()?;
        let Some((name, kind)) = fields.get(&number) else { continue };
        if let Some(kind) = kind.strip_prefix('*') {
            let list = object.entry(*name).or_insert_with(|| json!([]));
            list.as_array_mut()?.push(value(&wire, kind, depth)?);
        } else if let Some(kind) = kind.strip_prefix('%') {
            let (key, value) = entry(&wire, kind, depth)?;
            object.entry(*name).or_insert_with(|| json!({})).as_object_mut()?.insert(key, value);
        } else {
            object.insert((*name).to_owned(), value(&wire, kind, depth)?);
        }
    }
    // Texts that are empty were not set: the encoding writes them all the same.
    object.retain(|_, field| field != "");
    Some(Value::Object(object))
}

fn entry(wire: &Wire<'_>, kind: &str, depth: usize) -> Option<(String, Value)> {
    let Wire::Bytes(bytes) = wire else { return None };
    let (mut key, mut found) = (String::new(), None);
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        match reader.field()? {
            (1, Wire::Bytes(text)) => key = text_of(text),
            (2, wire) => found = Some(value(&wire, kind, depth)?),
            _ => {}
        }
    }
    Some((key, found.unwrap_or_else(|| "".into())))
}

fn value(wire: &Wire<'_>, kind: &str, depth: usize) -> Option<Value> {
    Some(match (kind, wire) {
        ("s", Wire::Bytes(bytes)) => text_of(bytes).into(),
        ("b", Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        ("i", Wire::Number(n)) => n.cast_signed().into(),
        ("o", Wire::Number(n)) => (*n != 0).into(),
        ("d", Wire::Number(n)) => json!(f64::from_bits(*n)),
        ("T" | "U", Wire::Bytes(bytes)) => time(bytes, kind == "U")?,
        ("D", Wire::Bytes(bytes)) => {
            let (nanos, _) = numbers(bytes)?;
            format!("{}s", nanos / 1_000_000_000).into()
        }
        ("Q", Wire::Bytes(bytes)) => match Reader(bytes).field() {
            Some((1, Wire::Bytes(text))) => text_of(text).into(),
            _ => "0".into(),
        },
        ("I", Wire::Bytes(bytes)) => int_or_string(bytes)?,
        ("R", Wire::Bytes(bytes)) => match Reader(bytes).field() {
            Some((1, Wire::Bytes(raw))) => serde_json::from_slice(raw).ok()?,
            _ => Value::Null,
        },
        (message, Wire::Bytes(bytes)) => read(bytes, message, depth + 1)?,
        _ => return None,
    })
}

/// The first two numbers of a message.
fn numbers(bytes: &[u8]) -> Option<(i64, i64)> {
    let (mut first, mut second) = (0, 0);
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        match reader.field()? {
            (1, Wire::Number(n)) => first = n.cast_signed(),
            (2, Wire::Number(n)) => second = n.cast_signed(),
            _ => {}
        }
    }
    Some((first, second))
}

fn time(bytes: &[u8], micro: bool) -> Option<Value> {
    let (seconds, nanos) = numbers(bytes)?;
    if (seconds, nanos) == (0, 0) || seconds == -62_135_596_800 {
        return Some(Value::Null);
    }
    let time = jiff::Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()?;
    Some(if micro { time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into() } else { super::stamp(time).into() })
}

fn int_or_string(bytes: &[u8]) -> Option<Value> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        match reader.field()? {
            (1, Wire::Number(n)) => is_text = n == 1,
            (2, Wire::Number(n)) => number = n.cast_signed(),
            (3, Wire::Bytes(bytes)) => text = text_of(bytes),
            _ => {}
        }
    }
    Some(if is_text { text.into() } else { number.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("the test's messages are short");
        [&[number << 3 | 2, length][..], bytes].concat()
    }

    #[test]
    fn a_config_map_is_read_with_its_kind_and_data() {
        let meta = field(1, b"one");
        let entry = [field(1, b"a"), field(2, b"1")].concat();
        let raw = [field(1, &meta), field(2, &entry)].concat();
        let kind = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
        let body = [MAGIC, &field(1, &kind), &field(2, &raw)].concat();
        let object = decode(&body).expect("it can be read");
        assert_eq!(
            object,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}})
        );
    }

    #[test]
    fn garbage_is_refused() {
        assert!(decode(b"{}").is_none());
        assert!(decode(b"k8s\0\xff\xff").is_none());
    }
}
