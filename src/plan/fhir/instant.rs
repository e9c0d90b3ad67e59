//! FHIR's dates and times: `2026-03-02`, `2026-03-02T08:00:00+08:00`, `08:00:00`.

use crate::plan::Zone;
use jiff::{Timestamp, civil};

/// A date of the calendar, or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A date: local midnight as a start, the whole day as an end.
    Date(civil::Date),
    /// An instant.
    At(Timestamp),
}

impl Moment {
    /// The local date.
    #[must_use]
    pub fn date(self, zone: &Zone) -> civil::Date {
        match self {
            Moment::Date(date) => date,
            Moment::At(at) => zone.local(at).date(),
        }
    }

    /// The instant: of a date its midnight.
    #[must_use]
    pub fn instant(self, zone: &Zone) -> Timestamp {
        match self {
            Moment::Date(date) => zone.instant(date.at(0, 0, 0, 0)),
            Moment::At(at) => at,
        }
    }
}

/// The years in which patients live.
fn sensible(year: i16) -> bool {
    (1900..=2200).contains(&year)
}

/// Whether the text has the form, in which `0` stands for a digit.
fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text
            .bytes()
            .zip(form.bytes())
            .all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                _ => byte == form,
            })
}

/// A FHIR `dateTime`, whole to the day at least.
pub(super) fn date_time(text: &str) -> Result<Moment, String> {
    let wrong = || format!("`{text}` is no date or date-time");
    if has_form(text, "0000") || has_form(text, "0000-00") {
        return Err(format!("`{text}` does not say the day"));
    }
    if has_form(text, "0000-00-00") {
        let date: civil::Date = text.parse().map_err(|_| wrong())?;
        return if sensible(date.year()) {
            Ok(Moment::Date(date))
        } else {
            Err(format!("the year of `{text}` is not from 1900 to 2200"))
        };
    }
    let Some((date, rest)) = text.split_at_checked(10) else {
        return Err(wrong());
    };
    let Some((time, rest)) = rest.split_at_checked(9) else {
        return Err(format!("`{text}` needs its seconds and its offset"));
    };
    let offset = rest.strip_prefix('.').map_or(rest, |fraction| {
        fraction.trim_start_matches(|c: char| c.is_ascii_digit())
    });
    let whole = has_form(date, "0000-00-00")
        && has_form(time, "T00:00:00")
        && !rest.starts_with(".Z")
        && !time.starts_with("T24");
    if !whole {
        return Err(wrong());
    }
    if !(offset == "Z" || has_form(offset, "+00:00") || has_form(offset, "-00:00")) {
        return Err(format!("`{text}` needs its offset from UTC"));
    }
    // The furthest zones lie 14 hours from UTC, and FHIR allows no more.
    if offset.len() == 6 && &offset[1..] > "14:00" {
        return Err(format!("`{offset}` is no offset from UTC"));
    }
    let at: Timestamp = text.parse().map_err(|_| wrong())?;
    let year = date[..4].parse().unwrap_or(0);
    if !sensible(year) {
        return Err(format!("the year of `{text}` is not from 1900 to 2200"));
    }
    Timestamp::from_second(at.as_second())
        .map(Moment::At)
        .map_err(|_| wrong())
}

/// A FHIR `time`, in minutes after midnight.
pub(super) fn time_of_day(text: &str) -> Result<i32, String> {
    let (whole, fraction) = text.split_at_checked(8).unwrap_or((text, ""));
    let fraction_fits = fraction.is_empty()
        || fraction
            .strip_prefix('.')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    if !has_form(whole, "00:00:00") || !fraction_fits {
        return Err(format!("`{text}` is no time of the form hh:mm:ss"));
    }
    let number = |range: std::ops::Range<usize>| whole[range].parse::<i32>().unwrap_or(99);
    let (hour, minute, second) = (number(0..2), number(3..5), number(6..8));
    if hour > 23 || minute > 59 || second > 59 {
        return Err(format!("`{text}` is no time of the day"));
    }
    if second != 0 || fraction.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        return Err(format!("`{text}` is not on a whole minute"));
    }
    Ok(hour * 60 + minute)
}
