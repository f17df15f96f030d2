//! Replaces references to results and artifacts of earlier steps by what those steps wrote.

use std::collections::BTreeMap;

use tekton_contract::{
    json::{self, Value},
    paths,
    var::extract,
};

use crate::{artifacts::Artifacts, fs, sys, when::When};

/// Why substitution ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Error {
    /// The rest stays as it is, and the command runs.
    Reported(String),
    /// An index beyond the end of a list, which crashes upstream's program.
    Panic(String),
}

impl<T: ToString> From<T> for Error {
    fn from(error: T) -> Self {
        Self::Reported(error.to_string())
    }
}

const EXACT_FORMAT: &str =
    "value must be in \"$(steps.<step-name>.results.<result-name>[*])\" format, when using array results";

/// The value that a step wrote as its result.
enum Written {
    Text(String),
    List(Vec<String>),
    Object(BTreeMap<String, String>),
}

impl Written {
    fn read(step: &str, result: &str) -> Result<Self, fs::PathError> {
        let path = fs::join(&[paths::STEPS, &format!("step-{step}"), paths::STEP_RESULTS_DIR, result]);
        Ok(Self::parse(&fs::read(&path)?))
    }

    fn parse(content: &[u8]) -> Self {
        let parsed = json::parse(content);
        let string = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Null => Some(String::new()),
            _ => None,
        };
        match (content.first(), &parsed) {
            (Some(b'['), Ok(Value::Array(items))) => {
                if let Some(list) = items.iter().map(string).collect() {
                    return Self::List(list);
                }
            }
            (Some(b'{'), Ok(Value::Object(members))) => {
                // One by one: `collect` would bring in a sort, of 20 KB.
                let mut object = BTreeMap::new();
                if members
                    .iter()
                    .all(|(key, value)| string(value).map(|value| object.insert(key.clone(), value)).is_some())
                {
                    return Self::Object(object);
                }
            }
            (Some(_), Ok(value @ (Value::String(_) | Value::Null))) => {
                return Self::Text(string(value).unwrap_or_default());
            }
            _ => {}
        }
        Self::Text(json::text(content))
    }
}

/// What one reference becomes.
enum Replacement {
    Text(String),
    List(Vec<String>),
}

fn replacement(reference: &str) -> Result<Replacement, Error> {
    let expression = reference.strip_prefix("$(").unwrap_or(reference);
    let expression = expression.strip_suffix(')').unwrap_or(expression);
    let parts: Vec<&str> = expression.split('.').collect();
    let (step, result, key) = match parts[..] {
        ["steps", step, "results", result] => (step, result, None),
        ["steps", step, "results", result, key] => (step, result, Some(key)),
        ["steps", _, "results", _, ..] => {
            return Err(Error::Reported(
                "must be one of the form 1). \"tasks.<taskName>.results.<resultName>\"; 2). \"tasks.<taskName>.results.<objectResultName>.<individualAttribute>\"; 3). \"steps.<stepName>.results.<resultName>\"; 4). \"steps.<stepName>.results.<objectResultName>.<individualAttribute>\"".to_owned(),
            ));
        }
        _ => {
            return Err(Error::Reported(
                "must be one of the form 1). \"steps.<stepName>.results.<resultName>\"; 2). \"steps.<stepName>.results.<objectResultName>.<individualAttribute>\"".to_owned(),
            ));
        }
    };
    let text = |text: Option<String>| Ok(Replacement::Text(text.unwrap_or_default()));
    if let Some(key) = key {
        return match Written::read(step, result)? {
            Written::Object(mut object) => text(object.remove(key)),
            _ => text(None),
        };
    }
    let index = index(result);
    let written = Written::read(step, &extract::trim_array_index(result))?;
    match (index, written) {
        (None, Written::Text(value)) => text(Some(value)),
        (None, _) => text(None),
        (Some("*"), Written::List(list)) => Ok(Replacement::List(list)),
        (Some("*"), _) => Ok(Replacement::List(Vec::new())),
        (Some(index), written) => {
            let list = if let Written::List(list) = written { list } else { Vec::new() };
            // A number that Go can not parse counts as 0, one that is too large as the largest.
            let at = extract::index(index).unwrap_or_else(|(at, _)| at);
            let length = list.len();
            match usize::try_from(at).ok().and_then(|at| list.into_iter().nth(at)) {
                Some(item) => text(Some(item)),
                None => Err(Error::Panic(format!("runtime error: index out of range [{at}] with length {length}"))),
            }
        }
    }
}

/// What stands in the first brackets of a result's name; `None` when there are none, or nothing is in them.
fn index(name: &str) -> Option<&str> {
    let mut rest = name;
    while let Some(open) = rest.find('[') {
        let inner = &rest[open + 1..];
        let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
        let star = usize::from(inner[digits..].starts_with('*'));
        if inner[digits + star..].starts_with(']') {
            return Some(&inner[..digits + star]).filter(|index| !index.is_empty());
        }
        rest = inner;
    }
    None
}

/// All references to step results: `$(steps.` up to the first `)` behind the first `.results.` of the same line.
fn result_references(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = text[at..].find("$(steps.") {
        let start = at + offset;
        at = start + "$(steps.".len();
        let line = text[at..].split('\n').next().unwrap_or_default();
        let end = line.find(".results.").and_then(|results| {
            let tail = results + ".results.".len();
            line[tail..].find(')').map(|close| tail + close + 1)
        });
        if let Some(end) = end {
            at += end;
            found.push(&text[start..at]);
        }
    }
    found
}

/// A text in which a list has no place: lists become nothing.
fn replace_text(text: &str) -> Result<Option<String>, Error> {
    let mut replaced = None;
    for reference in result_references(text) {
        let value = match replacement(reference)? {
            Replacement::Text(value) => value,
            Replacement::List(_) => String::new(),
        };
        replaced = Some(replaced.as_deref().unwrap_or(text).replace(reference, &value));
    }
    Ok(replaced)
}

/// Variables with their text; those that are not text can hold no reference that we could read.
fn environment() -> Vec<(std::ffi::OsString, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name, value.into_string().ok()?))).collect()
}

/// Replaces step results: in the environment, then in when expressions, then in the command.
pub(crate) fn step_results(command: &mut Vec<String>, when: &mut [When]) -> Result<(), Error> {
    for (name, value) in environment() {
        if let Some(replaced) = replace_text(&value)? {
            sys::set_env(&name, &replaced);
        }
    }
    let mut replaced = when.to_vec();
    for expression in &mut replaced {
        let mut values = Vec::new();
        for value in &expression.values {
            values.extend(replace_item(value, |_, error| error)?);
        }
        expression.values = values;
        for text in [&mut expression.input, &mut expression.cel] {
            if let Some(new) = replace_text(text)? {
                *text = new;
            }
        }
    }
    when.clone_from_slice(&replaced);
    let mut words = Vec::new();
    for word in &*command {
        let describe = |reference: &str, error| match error {
            Error::Reported(_) => {
                Error::Reported(format!("failed to find replacement for {reference} to replace {word}"))
            }
            Error::Panic(text) => Error::Panic(text),
        };
        words.extend(replace_item(word, describe)?);
    }
    *command = words;
    Ok(())
}

/// One element of a list: several, where it is a reference to a list and nothing else.
fn replace_item(item: &str, describe: impl Fn(&str, Error) -> Error) -> Result<Vec<String>, Error> {
    let mut text = None;
    for reference in result_references(item) {
        let value = match replacement(reference).map_err(|error| describe(reference, error))? {
            Replacement::List(list) if list.is_empty() => String::new(),
            Replacement::List(list) if item == reference => return Ok(list),
            Replacement::List(_) => return Err(Error::Reported(EXACT_FORMAT.to_owned())),
            Replacement::Text(value) => value,
        };
        text = Some(text.as_deref().unwrap_or(item).replace(reference, &value));
    }
    Ok(vec![text.unwrap_or_else(|| item.to_owned())])
}

/// A reference to artifacts of a step.
struct ArtifactReference<'a> {
    expression: &'a str,
    step: &'a str,
    outputs: bool,
    name: &'a str,
}

fn artifact_references(text: &str) -> Vec<ArtifactReference<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = text[at..].find("$(steps.") {
        let start = at + offset;
        at = start + "$(steps.".len();
        if let Some((step, rest)) = text[at..].split_once('.')
            && !step.is_empty()
            && let Some((outputs, rest)) = rest
                .strip_prefix("inputs.")
                .map(|rest| (false, rest))
                .or_else(|| rest.strip_prefix("outputs.").map(|rest| (true, rest)))
            && let Some(end) = rest.find(['.', ')'])
            && end > 0
            && rest[end..].starts_with(')')
        {
            at = text.len() - rest.len() + end + 1;
            found.push(ArtifactReference { expression: &text[start..at], step, outputs, name: &rest[..end] });
        }
    }
    found
}

fn replace_artifacts(text: &str) -> Result<Option<String>, Error> {
    let mut replaced = None;
    for ArtifactReference { expression, step, outputs, name } in artifact_references(text) {
        let container = format!("step-{step}");
        let path = fs::join(&[paths::STEPS, &container, paths::STEP_ARTIFACTS_DIR, paths::PROVENANCE_FILE]);
        let artifacts = Artifacts::parse(&fs::read(&path)?)?;
        let Some(values) = artifacts.values(outputs, name) else {
            return Err(Error::Reported(format!("values for template {expression} not found")));
        };
        replaced = Some(replaced.as_deref().unwrap_or(text).replace(expression, &values));
    }
    Ok(replaced)
}

/// Replaces step artifacts: in the script or the command, then in the environment.
pub(crate) fn step_artifacts(command: &mut Vec<String>) -> Result<(), Error> {
    if let [script] = &command[..]
        && fs::dir(script) == fs::clean(paths::SCRIPTS)
    {
        let content = fs::read(script)?;
        // A script that is not text can hold no reference that we could read.
        if let Ok(content) = String::from_utf8(content)
            && let Some(replaced) = replace_artifacts(&content)?
            && replaced != content
        {
            *command = vec![write_script(&replaced)?];
        }
    } else {
        let mut words = Vec::new();
        for word in &*command {
            words.push(replace_artifacts(word)?.unwrap_or_else(|| word.clone()));
        }
        *command = words;
    }
    for (name, value) in environment() {
        if let Some(replaced) = replace_artifacts(&value)? {
            sys::set_env(&name, &replaced);
        }
    }
    Ok(())
}

/// Writes a script to a new file that can be run; its path.
fn write_script(content: &str) -> Result<String, Error> {
    use std::io::Write as _;
    let mut directory = sys::temporary_directory();
    if !directory.ends_with(sys::SEPARATORS) {
        directory.push_str(sys::SEPARATOR);
    }
    let mut seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |now| now.subsec_nanos())
        .wrapping_add(std::process::id());
    for attempt in 0.. {
        let path = format!("{directory}script-{seed}");
        match sys::with_mode(std::fs::OpenOptions::new().read(true).write(true).create_new(true), 0o600).open(&path) {
            Ok(mut file) => {
                sys::make_executable(&file)
                    .and_then(|()| file.write_all(content.as_bytes()))
                    .map_err(|error| fs::PathError::new("write", &path, error))?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < 10_000 => {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            }
            Err(error) => return Err(fs::PathError::new("open", &path, error).into()),
        }
    }
    unreachable!("the loop ends by returning")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_may_start_at_an_unrelated_one() {
        assert_eq!(result_references("$(steps.x) $(steps.a.results.r)"), ["$(steps.x) $(steps.a.results.r)"]);
        assert_eq!(result_references("$(steps.x)\n$(steps.a.results.r)"), ["$(steps.a.results.r)"]);
    }

    #[test]
    fn artifact_references_have_two_names() {
        let found = artifact_references("$(steps.a.outputs.img) $(steps.a.outputs.x.y) $(steps.b.inputs.)");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].step, found[0].name, found[0].outputs), ("a", "img", true));
    }

    #[test]
    fn an_index_is_what_stands_in_brackets() {
        for (name, expected) in
            [("r[3]", Some("3")), ("r[*]", Some("*")), ("r[3*]", Some("3*")), ("r[]", None), ("r[x]", None)]
        {
            assert_eq!(index(name), expected, "{name}");
        }
    }
}
