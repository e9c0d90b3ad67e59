//! Texts of the configuration that mean a number, a span or a place.

use crate::plan::QuietHours;
use jiff::civil;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// `16 MiB`, as bytes.
///
/// # Errors
/// A sentence that says how to write it.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = number_and_unit(text).ok_or_else(|| {
        format!("`{text}` is not a size: write a whole number and a unit, e.g. \"16 MiB\"")
    })?;
    let factor = match unit {
        "B" | "bytes" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => {
            return Err(format!(
                "unknown unit of size `{unit}`: write KiB, MiB or GiB"
            ));
        }
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("`{text}` is too much"))
}

/// `10 s`, `500 ms`, `2 min`.
///
/// # Errors
/// A sentence that says how to write it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text).ok_or_else(|| {
        format!("`{text}` is not a duration: write a whole number and a unit, e.g. \"10 s\"")
    })?;
    let factor_ms = match unit {
        "ms" => 1,
        "s" | "sec" | "second" | "seconds" => 1_000,
        "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        _ => return Err(format!("unknown unit of time `{unit}`: write ms, s or min")),
    };
    let millis = number
        .checked_mul(factor_ms)
        .ok_or_else(|| format!("`{text}` is too much"))?;
    Ok(Duration::from_millis(millis))
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// `21:30-07:00`.
///
/// # Errors
/// A sentence that says how to write it.
pub fn quiet_hours(text: &str) -> Result<QuietHours, String> {
    let example = "write e.g. \"21:30-07:00\"";
    let (from, until) = text
        .split_once(['-', '–', '~'])
        .and_then(|(from, until)| Some((clock_time(from)?, clock_time(until)?)))
        .ok_or_else(|| format!("`{text}` is not a span of clock times: {example}"))?;
    if from == until {
        return Err(format!(
            "`{text}` begins and ends at the same time: {example}"
        ));
    }
    Ok(QuietHours { from, until })
}

fn clock_time(text: &str) -> Option<civil::Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |part: &str, count: std::ops::RangeInclusive<usize>| {
        let fits = count.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse::<i8>().ok()).flatten()
    };
    civil::Time::new(digits(hour, 1..=2)?, digits(minute, 2..=2)?, 0, 0).ok()
}

/// A path as the configuration gives it, from the directory it is relative to; `.` and `..` in
/// front of it are resolved by the words alone.
#[must_use]
pub fn resolve(base: &Path, given: &str) -> PathBuf {
    let mut resolved = base.to_path_buf();
    for component in Path::new(given).components() {
        match component {
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_number_and_a_unit() {
        for (text, bytes) in [
            ("16 MiB", 16 << 20),
            ("16MiB", 16 << 20),
            (" 1  GiB", 1 << 30),
            ("64 KiB", 65_536),
            ("1 MB", 1_000_000),
            ("0 B", 0),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "16",
            "MiB",
            "1.5 MiB",
            "-1 MiB",
            "16 mib",
            "16 Mib",
            "99999999999 GiB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, millis) in [
            ("10 s", 10_000),
            ("500ms", 500),
            ("2 min", 120_000),
            ("1 hour", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "10",
            "s",
            "1.5 s",
            "-1 s",
            "10 m",
            "99999999999999999 h",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quiet_hours_are_two_different_clock_times() {
        let hours = quiet_hours("21:30-07:00").unwrap();
        assert_eq!(hours.from, civil::time(21, 30, 0, 0));
        assert_eq!(hours.until, civil::time(7, 0, 0, 0));
        assert_eq!(
            quiet_hours("9:00 – 12:05").unwrap().until,
            civil::time(12, 5, 0, 0)
        );
        for text in [
            "",
            "21:30",
            "21:30-24:00",
            "21:60-07:00",
            "07:00-07:00",
            "21-7",
            "x-y",
        ] {
            assert!(quiet_hours(text).is_err(), "{text}");
        }
    }

    #[test]
    fn relative_paths_hang_below_their_base() {
        for (given, resolved) in [
            ("dosed.redb", "/etc/dosed/dosed.redb"),
            ("./plans.d", "/etc/dosed/plans.d"),
            ("a/./b", "/etc/dosed/a/b"),
            ("../x", "/etc/dosed/../x"),
            ("/var/lib/x", "/var/lib/x"),
        ] {
            assert_eq!(
                resolve(Path::new("/etc/dosed"), given),
                Path::new(resolved),
                "{given}"
            );
        }
    }
}
