//! Dates, and the local time zone as Go finds it.
//!
//! The C library's own functions would bring in a tenth of the program more.

#[cfg(unix)]
use std::sync::OnceLock;
use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

/// Days since 1970 of a date of the Gregorian calendar.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a number of days since 1970.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}

/// A moment on the clock of the local time zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalTime {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) millisecond: u32,
    /// Seconds east of UTC.
    pub(crate) offset: i64,
}

/// Now, in the time zone of `TZ` or the machine.
pub(crate) fn local_time() -> LocalTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(now.as_secs()).unwrap_or_default();
    let offset = local_offset(seconds);
    let local = seconds + offset;
    let (year, month, day) = date(local.div_euclid(DAY));
    let of_day = local.rem_euclid(DAY);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    LocalTime { year, month, day, hour, minute, second, millisecond: now.subsec_millis(), offset }
}

const DAY: i64 = 86_400;

/// Where zones are, in the order in which they are looked for.
const ZONES: [&str; 4] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"];

/// Reads the local zone, so that who asks for the time later need not wait for a file.
pub(crate) fn prepare() {
    local_time();
}

/// Seconds east of UTC at a time on this machine. The zone is read once, as Go does it.
#[cfg(unix)]
fn local_offset(at: i64) -> i64 {
    static ZONE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    ZONE.get_or_init(zone_file).as_ref().and_then(|file| offset(file, at)).unwrap_or_default()
}

/// Seconds east of UTC on this machine, now.
#[cfg(windows)]
fn local_offset(_: i64) -> i64 {
    crate::sys::zone_offset()
}

/// The file of the local zone; `None` is UTC.
#[cfg(unix)]
fn zone_file() -> Option<Vec<u8>> {
    let Some(name) = std::env::var_os("TZ") else { return fs::read("/etc/localtime").ok() };
    let name = name.to_str()?;
    let name = name.strip_prefix(':').unwrap_or(name);
    if name.is_empty() || name == "UTC" {
        None
    } else if name.starts_with('/') {
        fs::read(name).ok()
    } else {
        installed(name)
    }
}

/// The file of a zone that is installed.
fn installed(name: &str) -> Option<Vec<u8>> {
    if name.starts_with(['/', '\\']) || name.split('/').any(|part| part == "..") {
        return None;
    }
    ZONES.iter().find_map(|directory| fs::read(format!("{directory}/{name}")).ok())
}

/// Seconds east of UTC at a time in a zone, by its name.
pub(crate) fn zone_offset(name: &str, at: i64) -> Option<i64> {
    match name {
        "" | "UTC" => Some(0),
        "Local" => Some(local_offset(at)),
        name => offset(&installed(name)?, at),
    }
}

/// The parts of one block of a zone file.
struct Block<'a> {
    times: &'a [u8],
    kinds: &'a [u8],
    types: &'a [u8],
    rest: &'a [u8],
}

/// The block behind a header, with times of `width` bytes.
fn block(file: &[u8], width: usize) -> Option<Block<'_>> {
    let (header, body) = file.split_at_checked(44)?;
    if !header.starts_with(b"TZif") {
        return None;
    }
    let count = |index: usize| {
        let bytes = header.get(20 + index * 4..24 + index * 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    let [is_ut, is_std, leaps, times, types, names] =
        [count(0)?, count(1)?, count(2)?, count(3)?, count(4)?, count(5)?];
    let (time_bytes, body) = body.split_at_checked(times.checked_mul(width)?)?;
    let (kinds, body) = body.split_at_checked(times)?;
    let (type_bytes, body) = body.split_at_checked(types.checked_mul(6)?)?;
    let skipped = leaps.checked_mul(width + 4)?.checked_add(names)?.checked_add(is_std)?.checked_add(is_ut)?;
    Some(Block { times: time_bytes, kinds, types: type_bytes, rest: body.get(skipped..)? })
}

/// Seconds east of UTC at a time, by a zone file.
fn offset(file: &[u8], at: i64) -> Option<i64> {
    let old = block(file, 4)?;
    let (block, width, rule) = if file.get(4).is_some_and(|version| *version >= b'2') {
        let new = block(old.rest, 8)?;
        let rule = std::str::from_utf8(new.rest).ok()?.trim_matches('\n');
        (new, 8, rule)
    } else {
        (old, 4, "")
    };
    let of_type = |index: u8| {
        let entry = block.types.get(usize::from(index) * 6..)?;
        Some(i64::from(i32::from_be_bytes(entry.get(..4)?.try_into().ok()?)))
    };
    let mut found = None;
    for (index, time) in block.times.chunks_exact(width).enumerate() {
        let time = match <[u8; 8]>::try_from(time) {
            Ok(time) => i64::from_be_bytes(time),
            Err(_) => i64::from(i32::from_be_bytes(time.try_into().ok()?)),
        };
        if time > at {
            break;
        }
        found = Some(index);
    }
    match found {
        // Behind the last change a rule holds, where there is one.
        Some(last) if last + 1 == block.kinds.len() && !rule.is_empty() => {
            by_rule(rule, at).or_else(|| of_type(block.kinds[last]))
        }
        Some(index) => of_type(block.kinds[index]),
        None if block.times.is_empty() && !rule.is_empty() => by_rule(rule, at).or_else(|| of_type(0)),
        None => of_type(0),
    }
}

/// Seconds east of UTC by a POSIX rule such as `CET-1CEST,M3.5.0,M10.5.0/3`.
fn by_rule(rule: &str, at: i64) -> Option<i64> {
    let rest = skip_name(rule)?;
    let (standard, rest) = hours(rest)?;
    let standard = -standard;
    if rest.is_empty() {
        return Some(standard);
    }
    let rest = skip_name(rest)?;
    let (summer, rest) = match hours(rest) {
        Some((west, rest)) => (-west, rest),
        None => (standard + 3_600, rest),
    };
    let (start, end) = rest.strip_prefix(',')?.split_once(',')?;
    let (year, ..) = date((at + standard).div_euclid(DAY));
    let start = change(start, year)? - standard;
    let end = change(end, year)? - summer;
    let is_summer = if start < end { (start..end).contains(&at) } else { !(end..start).contains(&at) };
    Some(if is_summer { summer } else { standard })
}

fn skip_name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>').map(|(_, rest)| rest);
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    (end > 0).then(|| &text[end..])
}

/// Seconds of `[+-]h[:m[:s]]`, and what follows.
fn hours(text: &str) -> Option<(i64, &str)> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut total = 0;
    for (index, unit) in [3_600, 60, 1].into_iter().enumerate() {
        if index > 0 {
            match rest.strip_prefix(':') {
                Some(after) => rest = after,
                None => break,
            }
        }
        let (value, after) = number(rest)?;
        total += value * unit;
        rest = after;
    }
    Some((sign * total, rest))
}

fn number(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// When a rule changes the clocks in a year: seconds since 1970, on the clock before the change.
fn change(rule: &str, year: i64) -> Option<i64> {
    let (day, time) = rule.split_once('/').unwrap_or((rule, "2"));
    let (time, _) = hours(time)?;
    let day = if let Some(month_rule) = day.strip_prefix('M') {
        let mut parts = month_rule.split('.').map(str::parse::<i64>);
        let (month, week, weekday) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        let first = days(year, month, 1);
        let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
        // The first of January 1970 was a Thursday.
        let mut day = first + (weekday - (first + 4)).rem_euclid(7) + (week - 1) * 7;
        while day >= next {
            day -= 7;
        }
        day
    } else if let Some(julian) = day.strip_prefix('J') {
        let number: i64 = julian.parse().ok()?;
        let leap = days(year, 3, 1) - days(year, 2, 1) == 29;
        days(year, 1, 1) + number - 1 + i64::from(leap && number > 59)
    } else {
        days(year, 1, 1) + day.parse::<i64>().ok()?
    };
    Some(day * DAY + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_summer_time_hold_on_both_sides_of_the_earth() {
        let at = |year, month, day| days(year, month, day) * DAY;
        let zurich = "CET-1CEST,M3.5.0,M10.5.0/3";
        assert_eq!(by_rule(zurich, at(2026, 1, 15)), Some(3_600));
        assert_eq!(by_rule(zurich, at(2026, 7, 15)), Some(7_200));
        // The change is at 01:00 UTC on the last Sunday of March, the 29th.
        assert_eq!(by_rule(zurich, at(2026, 3, 29) + 3_599), Some(3_600));
        assert_eq!(by_rule(zurich, at(2026, 3, 29) + 3_600), Some(7_200));
        assert_eq!(by_rule(zurich, at(2026, 10, 25) + 3_599), Some(7_200));
        assert_eq!(by_rule(zurich, at(2026, 10, 25) + 3_600), Some(3_600));
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        assert_eq!(by_rule(sydney, at(2026, 1, 15)), Some(39_600));
        assert_eq!(by_rule(sydney, at(2026, 7, 15)), Some(36_000));
        assert_eq!(by_rule("<+0545>-5:45", 0), Some(20_700));
        assert_eq!(by_rule("EST5EDT,M3.2.0,M11.1.0", at(2026, 7, 4)), Some(-14_400));
    }

    #[test]
    fn a_zone_is_found_by_its_name_where_zones_are_installed() {
        let july = days(2026, 7, 15) * DAY;
        if installed("Europe/Zurich").is_some() {
            assert_eq!(zone_offset("Europe/Zurich", july), Some(7_200));
        }
        assert_eq!(zone_offset("UTC", july), Some(0));
        for name in ["Nowhere/None", "../../../etc/localtime", "/etc/localtime"] {
            assert_eq!(zone_offset(name, july), None, "{name}");
        }
    }

    #[test]
    fn any_bytes_are_a_zone_or_none() {
        for length in 0..64 {
            let _ =
                offset(&b"TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff".repeat(3)[..length], 0);
        }
    }
}
