//! Lengths of time: elapsed ones and those of the calendar.

use super::{Problem, Reading};
use crate::plan::{
    QuietHours,
    words::{Kind, Words},
};
use jiff::{SignedDuration, Span, civil};

/// Days, weeks or months of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum CalendarSpan {
    Days(u32),
    Weeks(u32),
    Months(u32),
}

/// Nobody plans further; it keeps all arithmetic far from the end of the calendar.
const DAYS_MAX: u32 = 36_500;

impl CalendarSpan {
    pub(in crate::plan) fn of(number: u32, unit: Kind) -> Option<Self> {
        let (span, days) = match unit {
            Kind::Day => (Self::Days(number), number),
            Kind::Week => (Self::Weeks(number), number.checked_mul(7)?),
            Kind::Month => (Self::Months(number), number.checked_mul(30)?),
            _ => return None,
        };
        (1..=DAYS_MAX).contains(&days).then_some(span)
    }

    fn span(self) -> Span {
        match self {
            Self::Days(n) => Span::new().days(n),
            Self::Weeks(n) => Span::new().weeks(n),
            Self::Months(n) => Span::new().months(n),
        }
    }

    /// The date so much later; months clamp to their last day.
    pub(in crate::plan) fn after(self, date: civil::Date) -> civil::Date {
        date.saturating_add(self.span())
    }

    /// The local time so much later.
    pub(in crate::plan) fn after_time(self, at: civil::DateTime) -> civil::DateTime {
        at.saturating_add(self.span())
    }
}

/// A date of ten characters in a text that no calendar has: "2026-02-30".
pub(in crate::plan) fn impossible_date(text: &str, help: &str) -> Option<Problem> {
    let form = |word: &str| {
        word.len() == 10
            && word.bytes().enumerate().all(|(index, byte)| match index {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    let plain = crate::plan::words::normalise(text);
    let starts = (0..plain.len()).filter(|at| plain.is_char_boundary(*at));
    let word = starts
        .filter_map(|at| plain.get(at..at + 10))
        .find(|word| form(word) && word.parse::<civil::Date>().is_err())?;
    Some(Problem::new(format!("{word} is no day of the calendar")).help(help))
}

/// "7 days", "2 weeks", "1个月".
pub(in crate::plan) fn calendar_span(text: &str) -> Reading<CalendarSpan> {
    let words = Words::of(text);
    let problem = match *words.kinds() {
        [Kind::N(number), Kind::DayNumber] if CalendarSpan::of(number, Kind::Day).is_some() => {
            return Ok(CalendarSpan::Days(number));
        }
        [
            Kind::N(number),
            unit @ (Kind::Day | Kind::Week | Kind::Month),
        ]
        | [
            Kind::For,
            Kind::N(number),
            unit @ (Kind::Day | Kind::Week | Kind::Month),
        ] => match CalendarSpan::of(number, unit) {
            Some(span) => return Ok(span),
            None if number == 0 => Problem::new("a span of zero is no span"),
            None => Problem::new(format!("`{}` is longer than 100 years", text.trim())),
        },
        [Kind::N(number), Kind::Year] => Problem::new("a span is given in days, weeks or months")
            .help(format!("\"{} months\"", u64::from(number) * 12)),
        [Kind::N(_), Kind::Hour | Kind::Minute] => {
            Problem::new("a span of treatment is given in days, weeks or months")
                .help("\"1 day\", \"7 days\" or \"2 weeks\"")
        }
        [Kind::N(number)] => Problem::new(format!("`{number}` of what? A span needs its unit"))
            .help(format!(
                "\"{number} days\", \"{number} weeks\" or \"{number} months\""
            )),
        [Kind::Thousandths(_), ..] => {
            Problem::new("a span is a whole number of days, weeks or months")
        }
        _ => Problem::not_understood(
            "a span of days, weeks or months",
            text,
            &words,
            "\"7 days\"",
        ),
    };
    Err(if problem.help.is_none() {
        problem.help("\"7 days\"")
    } else {
        problem
    })
}

/// An elapsed time in words: "10 s", "15 min", "48 hours", "3 days", "90 分钟", "半小时".
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn duration(text: &str) -> Reading<SignedDuration> {
    let words = Words::of(text);
    let (thousandths, unit) = match *words.kinds() {
        [Kind::N(number), unit] => (i64::from(number) * 1000, unit),
        [Kind::Thousandths(number), unit] => (number, unit),
        [Kind::N(number)] => {
            return Err(
                Problem::new(format!("`{number}` of what? A time needs its unit"))
                    .help(format!("\"{number} min\" or \"{number} hours\"")),
            );
        }
        _ => (0, Kind::Unknown),
    };
    let seconds = match unit {
        Kind::Second => 1,
        Kind::Minute => 60,
        Kind::Hour => 3600,
        Kind::Day => 86_400,
        Kind::Week => 7 * 86_400,
        _ => {
            let help = "\"10 s\", \"15 min\", \"48 hours\" or \"3 days\"";
            return Err(Problem::not_understood(
                "a length of time",
                text,
                &words,
                help,
            ));
        }
    };
    if thousandths > 1000 * i64::from(DAYS_MAX) * 86_400 / seconds {
        return Err(
            Problem::new(format!("`{}` is longer than 100 years", text.trim()))
                .help("\"48 hours\" or \"3 days\""),
        );
    }
    Ok(SignedDuration::from_millis(thousandths * seconds))
}

/// A [`duration`] of whole seconds that is not zero.
pub(in crate::plan) fn positive_duration(text: &str) -> Reading<SignedDuration> {
    let duration = duration(text)?;
    if duration.is_zero() {
        return Err(Problem::new("a time of zero is no time").help("\"15 min\""));
    }
    if duration.subsec_nanos() != 0 {
        return Err(Problem::new("a time is given in whole seconds").help("\"15 min\""));
    }
    Ok(duration)
}

/// "21:30-07:00", as two local times.
pub(in crate::plan) fn time_range(text: &str) -> Reading<(civil::Time, civil::Time)> {
    let words = Words::of(text);
    let (from, until) = match *words.kinds() {
        [
            Kind::Clock(h1, m1),
            Kind::Dash | Kind::To,
            Kind::Clock(h2, m2),
        ]
        | [
            Kind::From,
            Kind::Clock(h1, m1),
            Kind::To,
            Kind::Clock(h2, m2),
        ] => {
            let time = |hour, minute| {
                super::time::clock(hour, minute).map_err(|problem| problem.help("\"21:30-07:00\""))
            };
            (time(h1, m1)?, time(h2, m2)?)
        }
        _ => {
            let help = "\"21:30-07:00\"";
            return Err(Problem::not_understood(
                "a span of the day",
                text,
                &words,
                help,
            ));
        }
    };
    if from == until {
        return Err(Problem::new("the span begins where it ends").help("\"21:30-07:00\""));
    }
    Ok((from, until))
}

/// Quiet hours in words: "21:30-07:00".
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn quiet_hours(text: &str) -> Reading<QuietHours> {
    time_range(text).map(|(from, until)| QuietHours { from, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_both_languages() {
        for (text, seconds) in [
            ("10 s", 10),
            ("15 min", 900),
            ("1 hour", 3600),
            ("48 hours", 172_800),
            ("90分钟", 5400),
            ("90 分钟", 5400),
            ("半小时", 1800),
            ("1.5 hours", 5400),
            ("两小时", 7200),
            ("3 days", 259_200),
        ] {
            assert_eq!(
                duration(text),
                Ok(SignedDuration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "15",
            "min",
            "-5 min",
            "15 parsecs",
            "1 month",
            "9999999 days",
            "1 h 30 min",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(positive_duration("0 min").is_err());
        assert!(positive_duration("0.001 s").is_err());
    }

    #[test]
    fn spans_of_the_calendar_are_whole_and_named() {
        for (text, span) in [
            ("7 days", CalendarSpan::Days(7)),
            ("7天", CalendarSpan::Days(7)),
            ("7日", CalendarSpan::Days(7)),
            ("2 weeks", CalendarSpan::Weeks(2)),
            ("2周", CalendarSpan::Weeks(2)),
            ("两个星期", CalendarSpan::Weeks(2)),
            ("1个月", CalendarSpan::Months(1)),
            ("for 3 months", CalendarSpan::Months(3)),
        ] {
            assert_eq!(calendar_span(text), Ok(span), "{text}");
        }
        for text in [
            "7",
            "0 days",
            "1.5 weeks",
            "1 year",
            "12 hours",
            "40000 days",
            "7 days 2 weeks",
            "",
        ] {
            assert!(calendar_span(text).unwrap_err().help.is_some(), "{text}");
        }
    }

    #[test]
    fn quiet_hours_may_pass_midnight_but_not_be_empty() {
        let hours = quiet_hours("21:30-07:00").unwrap();
        assert_eq!(
            (hours.from, hours.until),
            (civil::time(21, 30, 0, 0), civil::time(7, 0, 0, 0))
        );
        assert_eq!(quiet_hours("２１：３０～07:00"), Ok(hours));
        for text in ["21:30", "21:30-21:30", "21:30-24:00", "9pm-7am", ""] {
            assert!(quiet_hours(text).is_err(), "{text}");
        }
    }
}
