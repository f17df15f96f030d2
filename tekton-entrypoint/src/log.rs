//! Lines on standard error, as Go's `log` and `slog` packages print them.

use std::io::Write as _;

use tekton_contract::var::extract::go_quote;

use crate::calendar;

/// Prints text as it is.
pub(crate) fn raw(text: &str) {
    // Where standard error is gone there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints a line with the local time in front.
pub(crate) fn line(text: &str) {
    let time = calendar::local_time();
    let mut out = format!(
        "{:04}/{:02}/{:02} {:02}:{:02}:{:02} {text}",
        time.year, time.month, time.day, time.hour, time.minute, time.second
    );
    if !out.ends_with('\n') {
        out.push('\n');
    }
    raw(&out);
}

/// Prints a line, and gives back the exit code of a failure.
pub(crate) fn fatal(text: &str) -> i32 {
    line(text);
    1
}

/// Prints an error with its cause as an attribute.
pub(crate) fn error(text: &str, cause: &str) {
    line(&format!("ERROR {text} error={}", attribute(cause)));
}

/// The value of an attribute, quoted where it would be misread.
pub(crate) fn attribute(value: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
    if !value.is_empty() && value.chars().all(plain) { value.to_owned() } else { go_quote(value) }
}
