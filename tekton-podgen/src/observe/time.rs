//! The start time in a termination message, read as strictly as Go reads it and with Go's error texts.

use jiff::Timestamp;
use jiff::civil::Date;
use tekton_contract::var::extract::go_quote;

/// RFC 3339 with milliseconds, as Go writes a layout.
const LAYOUT: &str = "2006-01-02T15:04:05.000Z07:00";
const NANOS: i64 = 1_000_000_000;

/// Why a text is no time.
enum Bad {
    /// The rest of the text does not fit an element of the layout.
    Element(&'static str),
    /// A part has a value that no time has.
    Range(&'static str),
}

/// What of the text is not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn literal(&mut self, text: &'static str) -> Result<(), Bad> {
        self.0 = self.0.strip_prefix(text).ok_or(Bad::Element(text))?;
        Ok(())
    }

    /// Digits that are a number within `range`.
    fn number(
        &mut self,
        digits: usize,
        element: &'static str,
        range: std::ops::RangeInclusive<i16>,
        what: &'static str,
    ) -> Result<i16, Bad> {
        let (number, rest) = self.digits(digits, element)?;
        self.0 = rest;
        if range.contains(&number) { Ok(number) } else { Err(Bad::Range(what)) }
    }

    fn digits(&self, digits: usize, element: &'static str) -> Result<(i16, &'a str), Bad> {
        let given = self.0.get(..digits).filter(|given| given.bytes().all(|b| b.is_ascii_digit()));
        let number = given.and_then(|given| given.parse().ok()).ok_or(Bad::Element(element))?;
        Ok((number, &self.0[digits..]))
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Result<i64, Bad> {
        const ELEMENT: &str = "Z07:00";
        if let Some(rest) = self.0.strip_prefix('Z') {
            self.0 = rest;
            return Ok(0);
        }
        let sign = match self.0.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(Bad::Element(ELEMENT)),
        };
        let (hours, rest) = Self(&self.0[1..]).digits(2, ELEMENT)?;
        let rest = rest.strip_prefix(':').ok_or(Bad::Element(ELEMENT))?;
        let (minutes, rest) = Self(rest).digits(2, ELEMENT)?;
        self.0 = rest;
        match (hours, minutes) {
            (25.., _) => Err(Bad::Range("time zone offset hour")),
            (_, 61..) => Err(Bad::Range("time zone offset minute")),
            _ => Ok(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60)),
        }
    }
}

/// Reads a time to the second.
///
/// Errors: what Go says of the text.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    let mut rest = Rest(text);
    let value = go_quote(text);
    let time = read(&mut rest).map_err(|bad| match bad {
        Bad::Element(element) => format!(
            "parsing time {value} as {}: cannot parse {} as {}",
            go_quote(LAYOUT),
            go_quote(rest.0),
            go_quote(element)
        ),
        Bad::Range(what) => format!("parsing time {value}: {what} out of range"),
    })?;
    if rest.0.is_empty() {
        return Ok(time);
    }
    Err(format!("parsing time {value}: extra text: {}", go_quote(rest.0)))
}

fn read(rest: &mut Rest<'_>) -> Result<Timestamp, Bad> {
    let year = rest.number(4, "2006", 0..=9999, "year")?;
    rest.literal("-")?;
    let month = rest.number(2, "01", 1..=12, "month")?;
    rest.literal("-")?;
    let day = rest.number(2, "02", 0..=99, "day")?;
    rest.literal("T")?;
    let hour = rest.number(2, "15", 0..=23, "hour")?;
    rest.literal(":")?;
    let minute = rest.number(2, "04", 0..=59, "minute")?;
    rest.literal(":")?;
    let second = rest.number(2, "05", 0..=59, "second")?;
    if !rest.0.starts_with(['.', ',']) {
        return Err(Bad::Element(".000"));
    }
    let (_, after) = Rest(&rest.0[1..]).digits(3, ".000")?;
    rest.0 = after;
    let offset = rest.offset()?;
    let small = |number: i16| i8::try_from(number).unwrap_or(i8::MAX);
    let date = Date::new(year, small(month), small(day)).map_err(|_| Bad::Range("day"))?;
    let local = date
        .at(small(hour), small(minute), small(second), 0)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|_| Bad::Range("year"))?;
    let seconds = local.timestamp().as_second() - offset;
    Timestamp::from_nanosecond(i128::from(seconds) * i128::from(NANOS)).map_err(|_| Bad::Range("year"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_to_the_second() {
        for (text, seconds) in [
            ("1970-01-02T00:00:01.999Z", 86_401),
            ("1970-01-01T01:00:00.000+01:00", 0),
            ("1969-12-31T23:30:00,000-00:30", 0),
        ] {
            assert_eq!(parse(text).map(Timestamp::as_second), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_as_go_tells_it() {
        let fit = |text: &str, rest: &str, element: &str| {
            format!("parsing time \"{text}\" as \"{LAYOUT}\": cannot parse \"{rest}\" as \"{element}\"")
        };
        for (text, rest, element) in [
            ("", "", "2006"),
            ("now", "now", "2006"),
            ("2026-1-02", "1-02", "01"),
            ("2026/01/02", "/01/02", "-"),
            ("2026-01-02T03:04:05Z", "Z", ".000"),
            ("2026-01-02T03:04:05.12Z", ".12Z", ".000"),
            ("2026-01-02T03:04:05.123", "", "Z07:00"),
            ("2026-01-02T03:04:05.123+1", "+1", "Z07:00"),
        ] {
            assert_eq!(parse(text), Err(fit(text, rest, element)));
        }
        for (text, why) in [
            ("2026-13-02T03:04:05.000Z", "month out of range"),
            ("2026-02-30T03:04:05.000Z", "day out of range"),
            ("2026-02-03T25:04:05.000Z", "hour out of range"),
            ("2026-02-03T05:04:05.000Zx", "extra text: \"x\""),
        ] {
            assert_eq!(parse(text), Err(format!("parsing time \"{text}\": {why}")));
        }
    }
}
