//! `$(inputs.params.x)` is `$(params.x)` today; variables of PipelineResources are gone.

use super::{Walk, removed};
use crate::yaml::{Node, Span, Value};

const OLD_PARAMS: &str = "$(inputs.params";
const OLD_RESOURCES: &[&str] =
    &["$(inputs.resources.", "$(outputs.resources.", "$(resources.inputs.", "$(resources.outputs."];

impl Walk<'_, '_> {
    /// All strings below a task's spec.
    pub(super) fn variables(&mut self, node: &Node<'_>) {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries.iter().filter(|e| e.key != "description") {
                    self.variables(&entry.value);
                }
            }
            Value::Seq(items) => items.iter().for_each(|item| self.variables(item)),
            Value::String(text) if text.contains("puts.") => self.variables_of(node.span),
            _ => {}
        }
    }

    fn variables_of(&mut self, span: Span) {
        let text = self.edits.text();
        for (at, _) in text[span.start..span.end].match_indices("$(") {
            let start = span.start + at;
            let rest = &text[start..span.end];
            let Some(close) = rest.find(')') else { continue };
            let reference = &rest[..=close];
            if reference.contains(char::is_whitespace) && !reference.contains(['"', '\'']) {
                continue;
            }
            if reference[OLD_PARAMS.len().min(close)..].starts_with(['.', '[']) && reference.starts_with(OLD_PARAMS) {
                let inputs = start + "$(".len();
                self.edits.replace(inputs..inputs + "inputs.".len(), "");
            } else if OLD_RESOURCES.iter().any(|prefix| reference.starts_with(prefix)) {
                let message =
                    format!("{reference} is the variable of a PipelineResource, which were removed from Tekton");
                let place = place(text, start, start + reference.len());
                self.refuse("removed-variable", place, message, removed::RESOURCES);
            }
        }
    }
}

/// A range of bytes with its line and column.
fn place(text: &str, start: usize, end: usize) -> Span {
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    Span {
        start,
        end,
        line: text[..start].matches('\n').count() + 1,
        column: text[line_start..start].chars().count() + 1,
    }
}
