//! Points in time, in nanoseconds since 1970: read, printed and taken apart.

use crate::calendar::{date, days, zone_offset};

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400;

/// Reads an RFC 3339 time.
pub(super) fn parse(text: &str) -> Option<i128> {
    let number = |from: usize, to: usize| {
        text.get(from..to).filter(|digits| digits.bytes().all(|c| c.is_ascii_digit()))?.parse::<i64>().ok()
    };
    let mark = |at: usize, accepted: &[u8]| text.as_bytes().get(at).filter(|c| accepted.contains(c));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    for (at, accepted) in [(4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":")] {
        mark(at, accepted)?;
    }
    if !(1..=12).contains(&month)
        || hour > 23
        || minute > 59
        || second > 59
        || date(days(year, month, day)) != (year, month, day)
    {
        return None;
    }
    let mut rest = &text[19..];
    let mut fraction = 0;
    if let Some(digits) = rest.strip_prefix('.') {
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return None;
        }
        fraction = format!("{:0<9}", &digits[..length.min(9)]).parse::<i128>().ok()?;
        rest = &digits[length..];
    }
    let offset = if rest == "Z" { 0 } else { offset(rest)? };
    let seconds = i128::from(days(year, month, day)) * DAY + i128::from(hour * 3_600 + minute * 60 + second - offset);
    Some(seconds * SECOND + fraction)
}

/// Seconds east of UTC of `+hh:mm` or `-hh:mm`.
fn offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Seconds east of UTC at a time in a zone: the name of one that is installed, or hours and minutes.
pub(super) fn zone(text: &str, at: i128) -> Option<i64> {
    let Some((hours, minutes)) = text.split_once(':') else { return zone_offset(text, whole(at.div_euclid(SECOND))) };
    let number = |text: &str| text.parse::<i32>().ok().map(i64::from);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    Some(hours * 3_600 + if text.starts_with('-') { -minutes } else { minutes } * 60)
}

/// Prints a time in UTC.
pub(super) fn print(at: i128) -> String {
    let seconds = at.div_euclid(SECOND);
    let (year, month, day) = date(whole(seconds.div_euclid(DAY)));
    let of_day = seconds.rem_euclid(DAY);
    let fraction = format!("{:09}", at.rem_euclid(SECOND));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{point}{fraction}Z")
}

/// Prints a span in seconds.
pub(super) fn seconds(span: i64) -> String {
    let sign = if span < 0 { "-" } else { "" };
    let span = span.unsigned_abs();
    let fraction = format!("{:09}", span % 1_000_000_000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}s", span / 1_000_000_000)
}

fn whole(value: i128) -> i64 {
    i64::try_from(value).unwrap_or_default()
}

/// One part of a time, by the name of CEL's method.
pub(super) fn field(name: &str, at: i128) -> Option<i64> {
    let seconds = at.div_euclid(SECOND);
    let day_number = whole(seconds.div_euclid(DAY));
    let of_day = whole(seconds.rem_euclid(DAY));
    let (year, month, day) = date(day_number);
    Some(match name {
        "getFullYear" => year,
        "getMonth" => month - 1,
        "getDayOfYear" => day_number - days(year, 1, 1),
        "getDayOfMonth" => day - 1,
        "getDate" => day,
        "getDayOfWeek" => (day_number + 4).rem_euclid(7),
        "getHours" => of_day / 3_600,
        "getMinutes" => of_day / 60 % 60,
        "getSeconds" => of_day % 60,
        "getMilliseconds" => whole(at.rem_euclid(SECOND) / 1_000_000),
        _ => return None,
    })
}
