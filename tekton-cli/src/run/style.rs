//! Colours, where the terminal shows them.

use std::io::IsTerminal;

/// A colour with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// What matters less.
    Dim,
    /// What goes on.
    Blue,
    /// What went well.
    Green,
    /// What deserves a look.
    Yellow,
    /// What went wrong.
    Red,
}

/// Whether to colour at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Colours when standard output (or standard error) is a terminal and `NO_COLOR` is not set.
    pub(crate) fn for_stream(stream: &impl IsTerminal) -> Self {
        Self(stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    /// Never colours.
    #[cfg(test)]
    pub(crate) const fn never() -> Self {
        Self(false)
    }

    /// `text` as the head of a warning.
    pub(crate) fn warning(self, text: &str) -> String {
        format!("{} {text}", self.tone(Tone::Yellow, "warning:"))
    }

    /// `text` in the tone.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Dim => 2,
            Tone::Blue => 34,
            Tone::Green => 32,
            Tone::Yellow => 33,
            Tone::Red => 31,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
