//! Kubernetes quantities, as far as comparing them needs: exact, in billionths.

/// The quantity in units of 10⁻⁹; text that is none is zero.
pub(crate) fn parse(text: &str) -> i128 {
    let text = text.trim();
    let split = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && matches!(c, '+' | '-'))))
        .map_or(text.len(), |(at, _)| at);
    let (number, suffix) = text.split_at(split);
    let Some(scale) = scale(suffix) else { return 0 };
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut value: i128 = 0;
    for digit in whole.bytes().filter(u8::is_ascii_digit) {
        value = value.saturating_mul(10).saturating_add(i128::from(digit - b'0'));
    }
    value = value.saturating_mul(scale);
    let mut unit = scale;
    for digit in fraction.bytes().filter(u8::is_ascii_digit) {
        unit /= 10;
        value = value.saturating_add(unit.saturating_mul(i128::from(digit - b'0')));
    }
    if negative { -value } else { value }
}

fn scale(suffix: &str) -> Option<i128> {
    const NANO: i128 = 1;
    let decimal = |power: u32| Some(NANO * 10_i128.pow(power));
    let binary = |power: u32| Some(1_000_000_000 * 1024_i128.pow(power));
    match suffix {
        "n" => decimal(0),
        "u" => decimal(3),
        "m" => decimal(6),
        "" => decimal(9),
        "k" => decimal(12),
        "M" => decimal(15),
        "G" => decimal(18),
        "T" => decimal(21),
        "P" => decimal(24),
        "E" => decimal(27),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            u32::try_from(power + 9).ok().filter(|p| *p < 38).and_then(decimal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn quantities_compare_by_value() {
        assert!(parse("1") == parse("1000m") && parse("1Gi") > parse("1G") && parse("0.5") == parse("500m"));
        assert!(parse("1e3") == parse("1k") && parse("-1") < parse("0") && parse("x") == 0);
    }
}
