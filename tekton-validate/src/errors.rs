//! Field errors as admission prints them: collected flat, with paths that grow outwards.

use std::collections::HashMap;
use std::fmt::Write as _;

/// One error: a message about one or more field paths, perhaps with details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) message: String,
    pub(crate) paths: Vec<String>,
    pub(crate) details: String,
    /// The part of the field's text that it is about: `$(params.x)`, the name of a task.
    pub(crate) about: Option<String>,
}

impl FieldError {
    pub(crate) fn new(message: impl Into<String>, paths: &[&str]) -> Self {
        Self {
            message: message.into(),
            paths: paths.iter().map(|&p| p.to_owned()).collect(),
            details: String::new(),
            about: None,
        }
    }

    pub(crate) fn about(mut self, text: impl Into<String>) -> Self {
        self.about = Some(text.into());
        self
    }

    pub(crate) fn details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    pub(crate) fn missing(paths: &[&str]) -> Self {
        Self::new("missing field(s)", paths)
    }

    pub(crate) fn disallowed(paths: &[&str]) -> Self {
        Self::new("must not set the field(s)", paths)
    }

    pub(crate) fn missing_one_of(paths: &[&str]) -> Self {
        Self::new("expected exactly one, got neither", paths)
    }

    pub(crate) fn multiple_one_of(paths: &[&str]) -> Self {
        Self::new("expected exactly one, got both", paths)
    }

    pub(crate) fn invalid_value(value: impl std::fmt::Display, path: &str) -> Self {
        Self::new(format!("invalid value: {value}"), &[path])
    }
}

/// The errors found so far. `via_*` say which field, index or key led here; they cost nothing while there is no error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Errors(pub(crate) Vec<FieldError>);

impl From<FieldError> for Errors {
    fn from(error: FieldError) -> Self {
        Self(vec![error])
    }
}

impl Errors {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn also(&mut self, other: impl Into<Errors>) {
        let mut other = other.into();
        if self.0.is_empty() {
            self.0 = other.0;
        } else {
            self.0.append(&mut other.0);
        }
    }

    pub(crate) fn push(&mut self, error: FieldError) {
        self.0.push(error);
    }

    pub(crate) fn via_field(mut self, field: &str) -> Self {
        for error in &mut self.0 {
            for path in &mut error.paths {
                *path = flatten(field, path);
            }
        }
        self
    }

    pub(crate) fn via_index(self, index: usize) -> Self {
        if self.is_empty() { self } else { self.via_field(&format!("[{index}]")) }
    }

    pub(crate) fn via_key(self, key: &str) -> Self {
        if self.is_empty() { self } else { self.via_field(&format!("[{key}]")) }
    }

    pub(crate) fn via_field_index(self, field: &str, index: usize) -> Self {
        if self.is_empty() { self } else { self.via_index(index).via_field(field) }
    }

    pub(crate) fn via_field_key(self, field: &str, key: &str) -> Self {
        if self.is_empty() { self } else { self.via_key(key).via_field(field) }
    }

    /// Errors of equal text become one with the union of their paths; paths and errors are sorted.
    pub(crate) fn merged(self) -> Vec<FieldError> {
        let mut at: HashMap<(String, String), usize> = HashMap::with_capacity(self.0.len());
        let mut seen: Vec<std::collections::HashSet<String>> = Vec::with_capacity(self.0.len());
        let mut merged: Vec<FieldError> = Vec::with_capacity(self.0.len());
        for error in self.0 {
            if error.message.is_empty() {
                continue;
            }
            match at.entry((error.message.clone(), error.details.clone())) {
                std::collections::hash_map::Entry::Vacant(slot) => {
                    slot.insert(merged.len());
                    seen.push(error.paths.iter().cloned().collect());
                    merged.push(error);
                }
                std::collections::hash_map::Entry::Occupied(slot) => {
                    let index = *slot.get();
                    for path in error.paths {
                        if seen[index].insert(path.clone()) {
                            merged[index].paths.push(path);
                        }
                    }
                }
            }
        }
        for error in &mut merged {
            error.paths.sort();
        }
        merged.sort_by(|a, b| a.message.cmp(&b.message).then_with(|| a.details.cmp(&b.details)));
        merged
    }
}

/// The text of merged errors.
pub(crate) fn print<'a>(errors: impl IntoIterator<Item = (&'a str, &'a [String], &'a str)>) -> String {
    let mut out = String::new();
    for (index, (message, paths, details)) in errors.into_iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let _ = write!(out, "{message}: {}", paths.join(", "));
        if !details.is_empty() {
            let _ = write!(out, "\n{details}");
        }
    }
    out
}

/// Joins a prefix and a path: split at every dot, empty parts vanish, `[…]` parts glue to the part before.
fn flatten(prefix: &str, path: &str) -> String {
    let mut out = String::with_capacity(prefix.len() + path.len() + 1);
    let mut any = false;
    for part in prefix.split('.').chain(path.split('.')) {
        if part.is_empty() {
            continue;
        }
        let is_index = part.starts_with('[') && part.ends_with(']');
        if any && !is_index {
            out.push('.');
        }
        out.push_str(part);
        any = true;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errors: Errors, expected: &str) {
        let merged = errors.merged();
        let text = print(merged.iter().map(|e| (e.message.as_str(), e.paths.as_slice(), e.details.as_str())));
        assert_eq!(text, expected);
    }

    #[test]
    fn paths_grow_outwards_and_indices_glue() {
        let errors = Errors::from(FieldError::missing(&["name"])).via_index(0).via_field("steps").via_field("spec");
        check(errors, "missing field(s): spec.steps[0].name");
        check(
            Errors::from(FieldError::missing(&[""])).via_index(0).via_index(1).via_field("a"),
            "missing field(s): a[1][0]",
        );
        check(Errors::from(FieldError::missing(&["b"])).via_field_key("a", "x.y"), "missing field(s): a.[x.y].b");
    }

    #[test]
    fn equal_texts_merge_and_everything_is_sorted() {
        let mut errors = Errors::from(FieldError::missing(&["z", "b"]));
        errors.push(FieldError::disallowed(&["q"]).details("because"));
        errors.push(FieldError::missing(&["a", "b"]));
        errors.push(FieldError::new("gate", &[]));
        check(errors, "gate: \nmissing field(s): a, b, z\nmust not set the field(s): q\nbecause");
    }
}
