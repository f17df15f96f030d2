//! Kubernetes quantities (`500m`, `1.5Gi`, `1e3`): parse, compare, divide and print in canonical form.
//!
//! Quantities are kept as they are written in API objects; this type exists for the few places where Tekton
//! calculates with them, and to print them the way the API server does.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use std::cmp::Ordering;
use std::fmt;

const NANO: i128 = 1_000_000_000;
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Which family of suffixes a quantity is printed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// `n u m k M G T P E`, powers of 1000.
    #[default]
    DecimalSi,
    /// `Ki Mi Gi Ti Pi Ei`, powers of 1024.
    BinarySi,
    /// `e3`, `e-3`.
    DecimalExponent,
}

/// A quantity as a number of billionths, with the format that it was written in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}
impl Eq for Quantity {}
impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Quantity {
    /// Parses what Kubernetes accepts; `None` for anything else. Values finer than a billionth are rounded up.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, body) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = body.bytes().position(|b| !b.is_ascii_digit() && b != b'.').unwrap_or(body.len());
        let (digits, suffix) = body.split_at(end);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let (format, binary_power, decimal_exponent) = suffix_scale(suffix)?;
        let mut value = 0_i128;
        for digit in whole.bytes().chain(fraction.bytes()) {
            value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        for _ in 0..binary_power {
            value = value.checked_mul(1024)?;
        }
        let exponent = decimal_exponent.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let nanos = if exponent >= 0 {
            value.checked_mul(10_i128.checked_pow(exponent.unsigned_abs())?)?
        } else {
            10_i128
                .checked_pow(exponent.unsigned_abs())
                .map_or(i128::from(value != 0), |divisor| div_ceil(value, divisor))
        };
        Some(Self { nanos: if negative { -nanos } else { nanos }, format })
    }

    /// The quantity of an API object; what does not parse counts as zero.
    pub fn of(quantity: &ApiQuantity) -> Self {
        Self::parse(&quantity.0).unwrap_or_default()
    }

    /// A whole number of units.
    pub fn from_value(value: i64, format: Format) -> Self {
        Self { nanos: i128::from(value) * NANO, format }
    }

    /// A number of thousandths.
    pub fn from_millis(value: i64, format: Format) -> Self {
        Self { nanos: i128::from(value) * (NANO / 1000), format }
    }

    /// The value in whole units, rounded up.
    pub fn value(&self) -> i64 {
        i64::try_from(div_ceil(self.nanos, NANO)).unwrap_or(i64::MAX)
    }

    /// The value in thousandths, rounded up.
    pub fn millis(&self) -> i64 {
        i64::try_from(div_ceil(self.nanos, NANO / 1000)).unwrap_or(i64::MAX)
    }

    /// How the quantity was written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether the value is zero.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// The canonical text as an API quantity.
    pub fn to_api(self) -> ApiQuantity {
        ApiQuantity(self.to_string())
    }
}

/// Rounds away from zero, as Kubernetes does when a value does not fit its scale.
fn div_ceil(value: i128, divisor: i128) -> i128 {
    let quotient = value / divisor;
    if value % divisor == 0 { quotient } else { quotient + value.signum() }
}

fn suffix_scale(suffix: &str) -> Option<(Format, u32, i32)> {
    let decimal = |exponent| Some((Format::DecimalSi, 0, exponent));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        _ => {
            if let Some(power) = BINARY.iter().position(|name| *name == suffix) {
                return Some((Format::BinarySi, u32::try_from(power).ok()?, 0));
            }
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            Some((Format::DecimalExponent, 0, exponent.parse().ok()?))
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return out.write_str("0");
        }
        // Small values and those with a fraction would lose precision in powers of 1024.
        if self.format == Format::BinarySi && self.nanos.abs() >= 1024 * NANO && self.nanos % NANO == 0 {
            let mut value = self.nanos / NANO;
            let mut power = 0;
            while value % 1024 == 0 && power + 1 < BINARY.len() {
                value /= 1024;
                power += 1;
            }
            return write!(out, "{value}{}", BINARY[power]);
        }
        let (mut value, mut exponent) = (self.nanos, -9_i32);
        while value % 1000 == 0 && exponent < 18 {
            value /= 1000;
            exponent += 3;
        }
        if self.format == Format::DecimalExponent {
            return if exponent == 0 { write!(out, "{value}") } else { write!(out, "{value}e{exponent}") };
        }
        let suffix = match exponent {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            18 => "E",
            _ => "",
        };
        write!(out, "{value}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Quantity::parse(text).expect("a quantity").to_string()
    }

    #[test]
    fn quantities_print_in_the_form_of_the_api_server() {
        for (written, printed) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Ki", "1Mi"),
            ("512", "512"),
            ("0", "0"),
            ("1e3", "1e3"),
            ("100M", "100M"),
            ("1500", "1500"),
            ("2000", "2k"),
            ("0.5Ki", "512"),
            ("1n", "1n"),
        ] {
            assert_eq!(canonical(written), printed, "{written}");
        }
    }

    #[test]
    fn what_is_no_quantity_does_not_parse() {
        for text in ["", "abc", "1.2.3", "1Q", ".", "1e"] {
            assert!(Quantity::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn values_round_up() {
        let quantity = Quantity::parse("1500m").expect("a quantity");
        assert_eq!(quantity.value(), 2);
        assert_eq!(quantity.millis(), 1500);
    }
}
