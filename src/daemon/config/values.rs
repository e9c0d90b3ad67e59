//! Texts of the configuration that mean a number or a place.

use crate::messaging::wechat;
use crate::plan::Problem;
use jiff::SignedDuration;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

/// `16 MiB`, as bytes.
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn size(text: &str) -> Result<u64, Problem> {
    let problem = |message| Problem {
        message,
        help: Some("\"16 MiB\"".to_owned()),
    };
    let (number, unit) = number_and_unit(text)
        .ok_or_else(|| problem(format!("`{text}` is not a whole number and a unit of size")))?;
    let factor = match unit {
        "B" | "bytes" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(problem(format!("`{unit}` is no unit of size"))),
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| problem(format!("`{text}` is too much")))
}

/// Less than this is kept of nothing: reports look back on three months.
const KEEP_DAYS_MIN: u64 = 90;

/// More than this is longer than anybody lives.
const KEEP_DAYS_MAX: u64 = 100 * 366;

/// So many years, of 365 days and a quarter.
#[must_use]
pub fn years(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count.saturating_mul(8_766))
}

/// `15 years`, `400 days`.
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn keep(text: &str) -> Result<SignedDuration, Problem> {
    let problem = |message| Problem {
        message,
        help: Some("\"15 years\"".to_owned()),
    };
    let (number, unit) = number_and_unit(text)
        .ok_or_else(|| problem(format!("`{text}` is not a whole number of years or days")))?;
    let hours = match unit {
        "year" | "years" => number.checked_mul(8_766),
        "day" | "days" => number.checked_mul(24),
        _ => return Err(problem(format!("`{unit}` is neither years nor days"))),
    };
    hours
        .filter(|hours| (KEEP_DAYS_MIN * 24..=KEEP_DAYS_MAX * 24).contains(hours))
        .and_then(|hours| i64::try_from(hours).ok())
        .map(SignedDuration::from_hours)
        .ok_or_else(|| problem("it must be from 90 days to 100 years".to_owned()))
}

/// `127.0.0.1:8380`.
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn address(text: &str) -> Result<SocketAddr, Problem> {
    text.trim().parse().map_err(|_| Problem {
        message: format!("`{text}` is not an IP address and a port"),
        help: Some("\"127.0.0.1:8380\"".to_owned()),
    })
}

/// Longer than any address that is typed; with the link behind it a message holds it everywhere.
const PUBLIC_URL_BYTES_MAX: usize = 160;

/// `https://clinic.example`, without a slash at its end.
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn public_url(text: &str) -> Result<String, Problem> {
    let problem = |message: &str| Problem {
        message: message.to_owned(),
        help: Some("\"https://clinic.example\"".to_owned()),
    };
    let text = text.trim().trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&byte);
    let transport = wechat::check_api_base(text).ok();
    let Some(transport) = transport.filter(|_| text.bytes().all(plain)) else {
        return Err(problem(
            "it must be an https:// address of plain letters, without user, query and fragment",
        ));
    };
    if transport == wechat::Transport::Exposed {
        return Err(problem(
            "it must begin with https://: patients' pages would travel unencrypted",
        ));
    }
    if text.len() > PUBLIC_URL_BYTES_MAX {
        return Err(problem("it must have at most 160 letters"));
    }
    Ok(text.to_owned())
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// A path as the configuration gives it, from the directory it is relative to.
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
    fn a_public_address_is_encrypted_and_plain() {
        for (text, read) in [
            ("https://clinic.example", "https://clinic.example"),
            (
                " https://clinic.example/dosed/ ",
                "https://clinic.example/dosed",
            ),
            ("https://clinic.example:8443", "https://clinic.example:8443"),
            ("http://127.0.0.1:8381", "http://127.0.0.1:8381"),
            ("http://localhost:8381/", "http://localhost:8381"),
            ("http://[::1]:8381", "http://[::1]:8381"),
        ] {
            assert_eq!(public_url(text).as_deref(), Ok(read), "{text}");
        }
        let long = format!("https://{}.example", "a".repeat(160));
        for text in [
            "",
            "clinic.example",
            "http://clinic.example",
            "http://192.168.1.5:8381",
            "ftp://clinic.example",
            "https://",
            "https://user@clinic.example",
            "https://clinic.example/?a=b",
            "https://clinic.example/#a",
            "https://clinic.example/a b",
            "https://clinic.example/\"",
            "https://诊所.example",
            &long,
        ] {
            let problem = public_url(text).expect_err(text);
            assert!(problem.message.starts_with("it must "), "{problem:?}");
        }
    }

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
    fn what_is_kept_is_kept_for_years_or_days() {
        for (text, days) in [
            ("15 years", 5_478),
            ("1 year", 365),
            ("90 days", 90),
            ("400days", 400),
            ("100 years", 36_525),
        ] {
            assert_eq!(keep(text).unwrap().as_hours() / 24, days, "{text}");
        }
        for text in [
            "",
            "15",
            "years",
            "89 days",
            "101 years",
            "-15 years",
            "180 months",
            "99999999999999999 years",
        ] {
            assert!(keep(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_an_ip_and_a_port() {
        for good in ["127.0.0.1:8380", "0.0.0.0:0", "[::1]:80"] {
            assert_eq!(address(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "8380",
            "localhost:8380",
            "127.0.0.1",
            "127.0.0.1:65536",
            "::1:80:",
        ] {
            assert!(address(bad).is_err(), "{bad}");
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
