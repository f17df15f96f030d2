//! Artifacts: what steps consume and produce, as JSON on disk.

use std::collections::BTreeMap;

use tekton_contract::json::{self, Error, Value};

/// A place where an artifact is, and the digests of what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Location {
    digest: BTreeMap<String, String>,
    uri: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Artifact {
    name: String,
    /// `None` when there was no list, which prints as `null`.
    values: Option<Vec<Location>>,
    build_output: bool,
}

/// All artifacts of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Artifacts {
    inputs: Vec<Artifact>,
    outputs: Vec<Artifact>,
}

type Members = [(String, Value)];

fn members<'a>(value: &'a Value, kind: &str) -> Result<&'a Members, Error> {
    match value {
        Value::Null => Ok(&[]),
        Value::Object(members) => Ok(members),
        value => Err(Error::unmarshal(value, kind)),
    }
}

fn items<'a>(value: &'a Value, kind: &str) -> Result<&'a [Value], Error> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        value => Err(Error::unmarshal(value, kind)),
    }
}

fn text(value: &Value, target: &mut String) -> Result<(), Error> {
    match value {
        Value::Null => Ok(()),
        Value::String(text) => {
            target.clone_from(text);
            Ok(())
        }
        value => Err(Error::unmarshal(value, "string")),
    }
}

impl Artifacts {
    /// Reads artifacts from JSON.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, Error> {
        let mut artifacts = Self::default();
        for (name, value) in members(&json::parse(content)?, "types.Artifacts")? {
            if name.eq_ignore_ascii_case("inputs") {
                artifacts.inputs = list(value)?;
            } else if name.eq_ignore_ascii_case("outputs") {
                artifacts.outputs = list(value)?;
            }
        }
        Ok(artifacts)
    }

    /// The values of the first artifact of a name, as compact JSON.
    pub(crate) fn values(&self, outputs: bool, name: &str) -> Option<String> {
        let artifacts = if outputs { &self.outputs } else { &self.inputs };
        artifacts.iter().find(|artifact| artifact.name == name).map(|artifact| {
            let mut out = String::new();
            match &artifact.values {
                Some(values) => write_values(&mut out, values),
                None => out.push_str("null"),
            }
            out
        })
    }

    /// All of it as compact JSON.
    pub(crate) fn encode(&self) -> String {
        let mut out = String::from("{");
        for (name, artifacts) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            if artifacts.is_empty() {
                continue;
            }
            if out.len() > 1 {
                out.push(',');
            }
            json::quote(&mut out, name);
            out.push_str(":[");
            for (i, artifact) in artifacts.iter().enumerate() {
                out.push_str(if i > 0 { ",{" } else { "{" });
                artifact.write(&mut out);
                out.push('}');
            }
            out.push(']');
        }
        out.push('}');
        out
    }
}

fn list(value: &Value) -> Result<Vec<Artifact>, Error> {
    items(value, "[]types.Artifact")?.iter().map(Artifact::parse).collect()
}

impl Artifact {
    fn parse(value: &Value) -> Result<Self, Error> {
        let mut artifact = Self::default();
        for (name, value) in members(value, "types.Artifact")? {
            if name.eq_ignore_ascii_case("name") {
                text(value, &mut artifact.name)?;
            } else if name.eq_ignore_ascii_case("values") {
                artifact.values = match value {
                    Value::Null => None,
                    value => {
                        let values = items(value, "[]types.ArtifactValue")?;
                        Some(values.iter().map(Location::parse).collect::<Result<_, _>>()?)
                    }
                };
            } else if name.eq_ignore_ascii_case("buildOutput") {
                match value {
                    Value::Null => {}
                    Value::Bool(build_output) => artifact.build_output = *build_output,
                    value => return Err(Error::unmarshal(value, "bool")),
                }
            }
        }
        Ok(artifact)
    }

    fn write(&self, out: &mut String) {
        let mut separator = "";
        if !self.name.is_empty() {
            out.push_str("\"name\":");
            json::quote(out, &self.name);
            separator = ",";
        }
        if let Some(values) = self.values.as_ref().filter(|values| !values.is_empty()) {
            out.push_str(separator);
            out.push_str("\"values\":");
            write_values(out, values);
            separator = ",";
        }
        if self.build_output {
            out.push_str(separator);
            out.push_str("\"buildOutput\":true");
        }
    }
}

fn write_values(out: &mut String, values: &[Location]) {
    out.push('[');
    for (i, value) in values.iter().enumerate() {
        out.push_str(if i > 0 { ",{" } else { "{" });
        if !value.digest.is_empty() {
            out.push_str("\"digest\":{");
            for (i, (algorithm, digest)) in value.digest.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                json::quote(out, algorithm);
                out.push(':');
                json::quote(out, digest);
            }
            out.push('}');
        }
        if !value.uri.is_empty() {
            out.push_str(if value.digest.is_empty() { "\"uri\":" } else { ",\"uri\":" });
            json::quote(out, &value.uri);
        }
        out.push('}');
    }
    out.push(']');
}

impl Location {
    fn parse(value: &Value) -> Result<Self, Error> {
        let mut location = Self::default();
        for (name, value) in members(value, "types.ArtifactValue")? {
            if name.eq_ignore_ascii_case("uri") {
                text(value, &mut location.uri)?;
            } else if name.eq_ignore_ascii_case("digest") {
                for (algorithm, value) in members(value, "map[v1.Algorithm]string")? {
                    text(value, location.digest.entry(algorithm.clone()).or_default())?;
                }
            }
        }
        Ok(location)
    }
}
