//! Durations as Go writes them: `1h30m0s`.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A duration in nanoseconds that parses and prints as Go's `time.Duration`.
///
/// ```
/// use tekton_types::duration::GoDuration;
/// let d: GoDuration = "1.5h".parse().unwrap();
/// assert_eq!(d.to_string(), "1h30m0s");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub i64);

impl GoDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A duration of nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A duration of milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A duration of seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// A duration of minutes.
    pub const fn from_mins(mins: i64) -> Self {
        Self::from_secs(mins * 60)
    }

    /// The nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The whole seconds, rounded toward zero.
    pub const fn whole_secs(self) -> i64 {
        self.0 / 1_000_000_000
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The same length as a `jiff` duration.
    pub const fn to_signed(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_nanos(self.0)
    }

    /// The same length as a `jiff` duration; saturates at Go's limits (about 292 years).
    pub fn from_signed(duration: jiff::SignedDuration) -> Self {
        let nanos = duration.as_nanos();
        Self(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl std::ops::Add for GoDuration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl std::ops::Sub for GoDuration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        if nanos == 0 {
            return f.write_str("0s");
        }
        f.write_str(sign)?;
        match nanos {
            0..MICROSECOND => write!(f, "{nanos}ns"),
            MICROSECOND..MILLISECOND => write_fraction(f, nanos, MICROSECOND, "µs"),
            MILLISECOND..SECOND => write_fraction(f, nanos, MILLISECOND, "ms"),
            _ => {
                let (hours, rest) = (nanos / HOUR, nanos % HOUR);
                let (minutes, seconds) = (rest / MINUTE, rest % MINUTE);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write_fraction(f, seconds, SECOND, "s")
            }
        }
    }
}

fn write_fraction(f: &mut fmt::Formatter<'_>, nanos: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", nanos / unit)?;
    let rest = nanos % unit;
    if rest > 0 {
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(name)
}

/// Why a text is no duration; prints as Go's error does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDurationError {
    /// The text has no number where one belongs, or is out of range.
    #[error("time: invalid duration {0}")]
    Invalid(String),
    /// A number has no unit.
    #[error("time: missing unit in duration {0}")]
    MissingUnit(String),
    /// A unit is none of Go's.
    #[error("time: unknown unit {unit} in duration {text}")]
    UnknownUnit {
        /// The unit, quoted.
        unit: String,
        /// The whole text, quoted.
        text: String,
    },
}

impl FromStr for GoDuration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || ParseDurationError::Invalid(quote(text));
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let limit = 1_u64 << 63;
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let number = Number::take(rest).ok_or_else(invalid)?;
            rest = &rest[number.len..];
            let unit_len = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
            if unit_len == 0 {
                return Err(ParseDurationError::MissingUnit(quote(text)));
            }
            let (unit, tail) = rest.split_at(unit_len);
            rest = tail;
            let unit = unit_nanos(unit)
                .ok_or_else(|| ParseDurationError::UnknownUnit { unit: quote(unit), text: quote(text) })?;
            let nanos = number.times(unit).filter(|n| *n <= limit).ok_or_else(invalid)?;
            total = total.checked_add(nanos).filter(|n| *n <= limit).ok_or_else(invalid)?;
        }
        if negative {
            return Ok(Self(0_i64.wrapping_sub_unsigned(total)));
        }
        i64::try_from(total).map(Self).map_err(|_| invalid())
    }
}

/// A decimal number: whole part, and the fraction as digits over a power of ten.
struct Number {
    whole: u64,
    fraction: u64,
    scale: f64,
    len: usize,
}

impl Number {
    fn take(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let limit = 1_u64 << 63;
        let (mut whole, mut at) = (0_u64, 0);
        while let Some(digit) = bytes.get(at).filter(|b| b.is_ascii_digit()) {
            whole = whole.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|n| *n <= limit)?;
            at += 1;
        }
        let whole_digits = at;
        let (mut fraction, mut scale, mut fraction_digits, mut full) = (0_u64, 1.0, 0, false);
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            while let Some(digit) = bytes.get(at).filter(|b| b.is_ascii_digit()) {
                at += 1;
                fraction_digits += 1;
                let next = fraction.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit - b'0')));
                match next.filter(|n| !full && *n < limit) {
                    Some(next) => {
                        fraction = next;
                        scale *= 10.0;
                    }
                    None => full = true,
                }
            }
        }
        (whole_digits + fraction_digits > 0).then_some(Self { whole, fraction, scale, len: at })
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "Go computes the fraction in float64 and truncates; the product is below one unit"
    )]
    fn times(&self, unit: u64) -> Option<u64> {
        let part = (self.fraction as f64 * (unit as f64 / self.scale)) as u64;
        self.whole.checked_mul(unit)?.checked_add(part)
    }
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

/// Quotes as Go's `time` package does in its errors.
fn quote(text: &str) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
            out.push(c);
        } else if c < ' ' || !c.is_ascii() {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                write!(out, "\\x{byte:02x}").expect("writing to a string cannot fail");
            }
        } else {
            out.push(c);
        }
    }
    out.push('"');
    out
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = GoDuration;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"1h30m\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<GoDuration, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_as_go_does() {
        for (text, nanos, printed) in [
            ("0", 0, "0s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("1.5h", 5_400_000_000_000, "1h30m0s"),
            ("100ms", 100_000_000, "100ms"),
            ("1.5us", 1_500, "1.5µs"),
            ("-.5s", -500_000_000, "-500ms"),
            ("1m0.25s", 60_250_000_000, "1m0.25s"),
            ("-9223372036854775808ns", i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            let parsed: GoDuration = text.parse().unwrap();
            assert_eq!(parsed.0, nanos, "{text}");
            assert_eq!(parsed.to_string(), printed);
        }
    }

    #[test]
    fn says_what_go_says_about_bad_text() {
        for (text, message) in [
            ("", "time: invalid duration \"\""),
            ("3", "time: missing unit in duration \"3\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("-", "time: invalid duration \"-\""),
            (".s", "time: invalid duration \".s\""),
            ("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""),
        ] {
            assert_eq!(text.parse::<GoDuration>().unwrap_err().to_string(), message);
        }
    }
}
