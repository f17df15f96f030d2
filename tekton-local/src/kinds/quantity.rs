//! Quantities in their canonical form.

use serde_json::Value;

const NANO: i128 = 1_000_000_000;
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// Suffixes with their power of ten.
const DECIMAL: [(&str, i32); 10] =
    [("E", 18), ("P", 15), ("T", 12), ("G", 9), ("M", 6), ("k", 3), ("", 0), ("m", -3), ("u", -6), ("n", -9)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Binary,
    Decimal,
    Exponent,
}

fn ten(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

/// The value in billionths, and the way it was written.
fn parse(text: &str) -> Option<(i128, Format)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (negative, digits) = match number.as_bytes().first()? {
        b'-' => (true, &number[1..]),
        b'+' => (false, &number[1..]),
        _ => (false, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || !whole.bytes().chain(fraction.bytes()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?;
    let (multiplier, power, format) = if let Some(i) = BINARY.iter().position(|b| *b == suffix) {
        (1024_i128.checked_pow(u32::try_from(i + 1).ok()?)?, 0, Format::Binary)
    } else if let Some((_, power)) = DECIMAL.iter().find(|(s, _)| *s == suffix) {
        (1, *power, Format::Decimal)
    } else {
        let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
        (1, power, Format::Exponent)
    };
    let power = power - scale + 9;
    let mut nanos = mantissa.checked_mul(multiplier)?;
    if power >= 0 {
        nanos = nanos.checked_mul(ten(power.unsigned_abs())?)?;
    } else {
        // What is finer than a billionth is rounded up.
        let unit = ten(power.unsigned_abs())?;
        nanos = nanos / unit + i128::from(nanos % unit != 0);
    }
    Some((if negative { -nanos } else { nanos }, format))
}

/// Whether a quantity is negative.
pub(super) fn is_negative(value: &Value) -> bool {
    value.as_str().and_then(parse).is_some_and(|(nanos, _)| nanos < 0)
}

/// Whether two quantities are the same number, or the first is less, or greater.
pub(super) fn compare(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    let read = |value: &Value| value.as_str().and_then(parse).map(|(nanos, _)| nanos);
    Some(read(a)?.cmp(&read(b)?))
}

/// The number in billionths, or nothing when there is no quantity.
pub(super) fn nanos(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => parse(text).map(|(nanos, _)| nanos),
        Value::Number(number) => parse(&number.to_string()).map(|(nanos, _)| nanos),
        _ => None,
    }
}

/// A number of billionths as a quantity: memory and storage in powers of two, everything else in powers of ten.
pub(super) fn print(nanos: i128, what: &str) -> String {
    let bytes = what.ends_with("memory") || what.ends_with("storage");
    if bytes && nanos % NANO == 0 {
        let exact = canonical(&format!("{}Ki", nanos / NANO / 1024).into());
        return match exact {
            Some(exact) if nanos % (1024 * NANO) == 0 => exact,
            _ => (nanos / NANO).to_string(),
        };
    }
    let exact = if nanos % NANO == 0 { (nanos / NANO).to_string() } else { format!("{nanos}n") };
    canonical(&exact.as_str().into()).unwrap_or(exact)
}

/// The canonical form of a quantity, or nothing when it is none.
pub(super) fn canonical(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (nanos, mut format) = parse(&text)?;
    if nanos == 0 {
        return Some("0".to_owned());
    }
    if format == Format::Binary && (nanos.abs() < 1024 * NANO || nanos % NANO != 0) {
        format = Format::Decimal;
    }
    if format == Format::Binary {
        let mut number = nanos / NANO;
        let mut suffix = "";
        for next in BINARY {
            if number % 1024 != 0 {
                break;
            }
            number /= 1024;
            suffix = next;
        }
        return Some(format!("{number}{suffix}"));
    }
    for (suffix, power) in DECIMAL {
        let unit = ten(u32::try_from(power + 9).ok()?)?;
        if nanos % unit == 0 {
            let number = nanos / unit;
            return Some(match (format, power) {
                (Format::Exponent, 0) => number.to_string(),
                (Format::Exponent, power) => format!("{number}e{power}"),
                _ => format!("{number}{suffix}"),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_printed_with_the_largest_suffix_that_fits() {
        for (given, expected) in [
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000m", "1"),
            ("1000", "1k"),
            ("0", "0"),
            ("100Mi", "100Mi"),
            ("1e3", "1e3"),
            ("512Ki", "512Ki"),
            ("1000Ki", "1000Ki"),
            ("-1", "-1"),
            ("0.1", "100m"),
            ("2048", "2048"),
        ] {
            assert_eq!(canonical(&json!(given)).as_deref(), Some(expected), "{given}");
        }
        assert_eq!(canonical(&json!("1x")), None);
        assert_eq!(canonical(&json!(2)).as_deref(), Some("2"));
    }
}
