//! Go durations such as `1h30m`, in nanoseconds.

use crate::var::extract::go_quote;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Parses a Go duration into nanoseconds; `None` when it is not one or does not fit in an `i64`.
///
/// ```
/// use tekton_contract::duration::{format, parse};
/// assert_eq!(parse("1h2m3.5s"), Some(3_723_500_000_000));
/// assert_eq!(parse("10"), None);
/// assert_eq!(format(3_723_500_000_000), "1h2m3.5s");
/// ```
pub fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let limit = i64::MIN.unsigned_abs();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let whole_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, after) = rest.split_at(whole_end);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(tail) => tail.split_at(tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(unit_end);
        let scale = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let mut value = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
        value = value.checked_mul(scale).filter(|value| *value <= limit)?;
        value = value.checked_add(fraction_of(fraction, scale)).filter(|value| *value <= limit)?;
        total = total.checked_add(value).filter(|total| *total <= limit)?;
        rest = tail;
    }
    if negative { Some(0_i64.wrapping_sub_unsigned(total)) } else { i64::try_from(total).ok() }
}

/// Why Go does not take a text for a duration, in its words.
///
/// ```
/// use tekton_contract::duration::reason;
/// assert_eq!(reason("10"), "missing unit in duration \"10\"");
/// assert_eq!(reason("1h2d"), "unknown unit \"d\" in duration \"1h2d\"");
/// ```
pub fn reason(text: &str) -> String {
    let quoted = go_quote(text);
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    loop {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let after =
            number.strip_prefix('.').map_or(number, |tail| tail.trim_start_matches(|c: char| c.is_ascii_digit()));
        if after.len() == rest.len() || rest.strip_prefix('.').is_some_and(|tail| tail.len() == after.len()) {
            return format!("invalid duration {quoted}");
        }
        let (unit, tail) = after.split_at(after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len()));
        if unit.is_empty() {
            return format!("missing unit in duration {quoted}");
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return format!("unknown unit {} in duration {quoted}", go_quote(unit));
        }
        // What is left of a text whose parts are all good is one that is too long.
        if tail.is_empty() {
            return format!("invalid duration {quoted}");
        }
        rest = tail;
    }
}

fn fraction_of(digits: &str, scale: u64) -> u64 {
    let mut value = 0_u64;
    let mut unit = 1_u64;
    for digit in digits.bytes().take(18) {
        value = value * 10 + u64::from(digit - b'0');
        unit *= 10;
    }
    u64::try_from(u128::from(value) * u128::from(scale) / u128::from(unit))
        .expect("a fraction of a unit is less than the unit")
}

/// Prints nanoseconds as Go's `Duration.String` does.
pub fn format(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let decimal = |value: u64, unit: u64, digits: usize, name: &str| {
        let whole = value / unit;
        let fraction = format!("{:0digits$}", value % unit);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{whole}{point}{fraction}{name}")
    };
    let text = match total {
        0..1_000 => format!("{total}ns"),
        1_000..1_000_000 => decimal(total, 1_000, 3, "µs"),
        1_000_000..1_000_000_000 => decimal(total, 1_000_000, 6, "ms"),
        _ => {
            let (minutes, rest) = (total / 60_000_000_000, total % 60_000_000_000);
            let seconds = decimal(rest, 1_000_000_000, 9, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_are_no_duration_are_refused() {
        for text in ["", "10", "1d", "-", ".s", "1.5", "1h ", "9223372036854775808ns", "s"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("-9223372036854775808ns"), Some(i64::MIN));
        assert_eq!(parse(".5h"), Some(1_800_000_000_000));
        assert_eq!(parse("+1.s"), Some(1_000_000_000));
    }

    #[test]
    fn small_durations_print_in_small_units() {
        for (value, text) in [(1, "1ns"), (1_100, "1.1µs"), (2_500_000, "2.5ms"), (60_000_000_000, "1m0s")] {
            assert_eq!(format(value), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses(nanoseconds: i64) {
            prop_assert_eq!(parse(&format(nanoseconds)), Some(nanoseconds));
        }
    }
}
