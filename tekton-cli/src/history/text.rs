//! Tables, ages and states as `tkn` prints them.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::select::Run;
use crate::run::style::{Paint, Tone};

/// What stands where there is nothing to say.
pub(super) const NONE: &str = "---";

/// How long ago something was: `5 minutes ago`.
pub(super) fn ago(time: Option<Timestamp>, now: Timestamp) -> String {
    let Some(time) = time else { return NONE.to_owned() };
    let seconds = now.duration_since(time).as_secs().max(0);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        86_400..604_800 => (seconds / 86_400, "day"),
        _ => (seconds / 604_800, "week"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// How long something took: `1m5s`.
pub(super) fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => span(to.duration_since(from)),
        _ => NONE.to_owned(),
    }
}

fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// The state of a run from its condition: `Succeeded`, `Failed(TaskRunTimeout)`, `Running`, ….
pub(super) fn state(condition: Option<&Value>) -> String {
    let Some(condition) = condition else { return NONE.to_owned() };
    let word = match condition["status"].as_str() {
        Some("True") => "Succeeded",
        Some("False") => "Failed",
        _ => "Running",
    };
    match condition["reason"].as_str().unwrap_or_default() {
        reason if reason.is_empty() || reason == word => word.to_owned(),
        reason if word == "Failed" && reason.ends_with("Cancelled") => format!("Cancelled({reason})"),
        reason => format!("{word}({reason})"),
    }
}

/// The tone of a state.
pub(super) fn tone(state: &str) -> Tone {
    match state.split('(').next().unwrap_or_default() {
        "Succeeded" | "Completed" => Tone::Green,
        "Failed" | "Error" => Tone::Red,
        "Cancelled" => Tone::Yellow,
        "Running" => Tone::Blue,
        _ => Tone::Dim,
    }
}

/// When a run began, how long it took or has taken, and its state.
pub(super) fn times(run: &Run, now: Timestamp) -> [String; 3] {
    let begun = run.time("/status/startTime");
    let ended = run.time("/status/completionTime").or_else(|| (!run.is_done()).then_some(now));
    [ago(begun, now), took(begun, ended), state(run.condition())]
}

/// Rows under a head, each column as wide as its widest cell; the last column is coloured as a state when `states`.
pub(super) fn table(head: &[&str], rows: &[Vec<String>], states: bool, paint: Paint) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>, colour: bool| {
        let mut text = String::new();
        for (column, cell) in cells.enumerate() {
            if column + 1 == head.len() {
                text.push_str(&if colour { paint.tone(tone(cell), cell) } else { cell.to_owned() });
            } else {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', widths[column] + 3 - cell.chars().count()));
            }
        }
        text.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut head.iter().copied(), false)];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str), states)));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit_that_fits() {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().expect("a time");
        for (then, said) in [
            ("2026-01-09T23:59:59Z", "1 second ago"),
            ("2026-01-09T23:58:00Z", "2 minutes ago"),
            ("2026-01-09T20:00:00Z", "4 hours ago"),
            ("2026-01-07T00:00:00Z", "3 days ago"),
            ("2025-12-10T00:00:00Z", "4 weeks ago"),
        ] {
            assert_eq!(ago(then.parse().ok(), now), said);
        }
        assert_eq!(took("2026-01-09T22:58:55Z".parse().ok(), Some(now)), "1h1m5s");
        assert_eq!(took(None, Some(now)), NONE);
    }

    #[test]
    fn a_state_names_its_reason_when_that_says_more() {
        for (status, reason, said) in [
            ("True", "Succeeded", "Succeeded"),
            ("True", "Completed", "Succeeded(Completed)"),
            ("False", "TaskRunTimeout", "Failed(TaskRunTimeout)"),
            ("False", "TaskRunCancelled", "Cancelled(TaskRunCancelled)"),
            ("Unknown", "Running", "Running"),
            ("Unknown", "Started", "Running(Started)"),
        ] {
            assert_eq!(state(Some(&json!({"status": status, "reason": reason}))), said);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a-long-name".to_owned(), "Succeeded".to_owned()], vec!["b".to_owned(), NONE.to_owned()]];
        assert_eq!(
            table(&["NAME", "STATUS"], &rows, true, Paint::never()),
            ["NAME          STATUS", "a-long-name   Succeeded", "b             ---"]
        );
    }
}
