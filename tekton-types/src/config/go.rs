//! Go's text conversions, with Go's error texts.

/// `strconv.ParseBool`.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// `strconv.Atoi` or `strconv.ParseInt` in base ten.
pub(super) fn parse_int(function: &str, text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("strconv.{function}: parsing {text:?}: invalid syntax"));
    }
    text.parse().map_err(|_| format!("strconv.{function}: parsing {text:?}: value out of range"))
}

/// `strconv.ParseFloat`.
pub(super) fn parse_float(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
}
