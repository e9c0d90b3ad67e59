//! Distances, pauses, and the smaller values around a schedule.

use super::{Problem, Reading, span};
use crate::plan::{
    AtMost, Refill, Tell,
    words::{Kind, Words},
};
use jiff::{SignedDuration, civil::Date};

/// `every` as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Every {
    /// The distance in minutes.
    pub(in crate::plan) minutes: u32,
    /// From the taking of the one before, not from its instant.
    pub(in crate::plan) after_last: bool,
}

/// "8 hours", "90 minutes", "6 hours after the last dose", "上次服药后6小时".
pub(in crate::plan) fn every(text: &str) -> Reading<Every> {
    use Kind::{After, Day, Dose, EveryGap, Hour, Last, Minute, Month, N, The, Week};
    let words = Words::of(text);
    if let [EveryGap, N(n), unit @ (Hour | Minute)] = *words.kinds() {
        let unit = if unit == Hour { "小时" } else { "分钟" };
        let cause =
            format!("每隔N{unit} is ambiguous: between two doses, or with the time of taking?");
        return Err(Problem::new(cause).help(format!("\"每{n}{unit}\"")));
    }
    if let Some(problem) = latin(text) {
        return Err(problem);
    }
    let kinds = match words.kinds() {
        [Kind::Every, rest @ ..] => rest,
        all => all,
    };
    // 每8小时一次
    let kinds = match kinds {
        [rest @ .., Kind::Once] => rest,
        all => all,
    };
    let (number, unit, after_last) = match *kinds {
        [N(n), unit @ (Hour | Minute)] => (n, unit, false),
        [N(n), unit @ (Hour | Minute), After, The, Last, Dose]
        | [N(n), unit @ (Hour | Minute), After, Last, Dose]
        | [Last, Dose, After, N(n), unit @ (Hour | Minute)]
        | [Last, Dose, N(n), unit @ (Hour | Minute), After] => (n, unit, true),
        [N(n), unit @ (Day | Week | Month | Kind::Year), ..] => {
            let (n, unit) = match unit {
                Day => (n, "day"),
                Week => (n, "week"),
                Month => (n, "month"),
                _ => (n.saturating_mul(12), "month"),
            };
            let days = match n {
                1 => format!("every {unit}"),
                n => format!("every {n} {unit}s"),
            };
            return Err(
                Problem::new("`every` counts hours and minutes; days stand in `days`")
                    .help(format!("days = \"{days}\" and at = \"08:00\"")),
            );
        }
        [Day] => {
            return Err(
                Problem::new("`every` counts hours and minutes; days stand in `days`")
                    .help("days = \"every day\" and at = \"08:00\""),
            );
        }
        _ => {
            let help = "\"8 hours\", \"90 minutes\" or \"6 hours after the last dose\"";
            return Err(Problem::not_understood("a distance", text, &words, help));
        }
    };
    let minutes = u64::from(number) * if unit == Hour { 60 } else { 1 };
    if minutes == 0 {
        return Err(Problem::new("a distance of zero is no distance").help("\"8 hours\""));
    }
    if minutes % (24 * 60) == 0 && !after_last {
        let days = minutes / (24 * 60);
        let days = if days == 1 {
            "every day".to_owned()
        } else {
            format!("every {days} days")
        };
        return Err(Problem::new(format!(
            "`{}` is whole days: by the clock or by the calendar?",
            text.trim()
        ))
        .help(format!("days = \"{days}\" and at = \"08:00\"")));
    }
    if minutes > 60 * 24 * 60 {
        return Err(Problem::new("a distance has at most 60 days").help("days = \"every month\""));
    }
    Ok(Every {
        minutes: minutes as u32,
        after_last,
    })
}

/// "q8h", "qod": abbreviations that are often misread.
fn latin(text: &str) -> Option<Problem> {
    let plain = crate::plan::words::normalise(text).replace(['.', ' '], "");
    let help = if matches!(plain.as_str(), "qod" | "eod") {
        "days = \"every 2 days\" and at = \"08:00\"".to_owned()
    } else {
        let hours = plain.strip_prefix('q')?.strip_suffix(['h', 'd'])?;
        let hours: u32 = hours
            .parse()
            .ok()
            .filter(|hours| (1..=72).contains(hours))?;
        if plain.ends_with('d') {
            format!("days = \"every {hours} days\" and at = \"08:00\"")
        } else if hours.is_multiple_of(24) {
            format!("days = \"every {} days\" and at = \"08:00\"", hours / 24)
        } else {
            format!("\"{hours} hours\"")
        }
    };
    let message = format!("`{}` is an abbreviation that is often misread", text.trim());
    Some(Problem::new(message).help(help))
}

/// "off 2026-04-10, back on 2026-04-13", "2026-04-10停, 2026-04-13恢复": the first day left out
/// and the first one taken again.
pub(in crate::plan) fn pause(text: &str) -> Reading<(Date, Date)> {
    use Kind::{Back, Comma, Date, Off, On};
    let words = Words::of(text);
    let ([Off, Date(off), Comma, Back, On, Date(back)]
    | [Off, Date(off), Back, On, Date(back)]
    | [Off, On, Date(off), Comma, Back, On, Date(back)]
    | [Date(off), Off, Comma, Date(back), Back, On]
    | [Date(off), Off, Date(back), Back, On]) = *words.kinds()
    else {
        let help = "\"off 2026-04-10, back on 2026-04-13\"";
        return Err(span::impossible_date(text, help)
            .unwrap_or_else(|| Problem::not_understood("a pause", text, &words, help)));
    };
    if back <= off {
        return Err(Problem::new(
            "a pause ends after it began: the second date is the first day taken again",
        )
        .help(format!(
            "\"off {off}, back on {}\"",
            off.tomorrow().unwrap_or(off)
        )));
    }
    Ok((off, back))
}

/// "3 in 24 hours", "3 a day", "24小时内3次", "每天3次".
pub(in crate::plan) fn at_most(text: &str) -> Reading<AtMost> {
    use Kind::{A, Day, Every, Hour, In, N, Once, Times};
    let words = Words::of(text);
    let (doses, within) = match *words.kinds() {
        [N(doses), In, N(n), Hour]
        | [N(doses), Times, In, N(n), Hour]
        | [N(n), Hour, In, N(doses), Times] => (doses, Some(n)),
        [N(n), Hour, In, Once] | [Once, In, N(n), Hour] => (1, Some(n)),
        [N(doses), A, Day]
        | [N(doses), Times, A, Day]
        | [Every, Day, N(doses), Times]
        | [N(doses), Every, Day]
        | [N(1), Day, N(doses), Times] => (doses, None),
        [Every, Day, Once] | [Once, A, Day] => (1, None),
        _ => {
            let help = "\"3 in 24 hours\" or \"3 a day\"";
            return Err(Problem::not_understood("a ceiling", text, &words, help));
        }
    };
    if !(1..=100).contains(&doses) || within.is_some_and(|hours| !(1..=24 * 31).contains(&hours)) {
        return Err(
            Problem::new("a ceiling is 1 to 100 doses in 1 to 744 hours").help("\"3 in 24 hours\""),
        );
    }
    let within = within.map(|hours| SignedDuration::from_hours(i64::from(hours)));
    Ok(AtMost { doses, within })
}

/// "6 hours", "每6小时" would be something else.
pub(in crate::plan) fn apart(text: &str) -> Reading<SignedDuration> {
    let apart = span::positive_duration(text)?;
    if apart > SignedDuration::from_hours(24 * 31) {
        return Err(
            Problem::new("at most 31 days can be asked for between two doses").help("\"6 hours\""),
        );
    }
    Ok(apart)
}

/// "7 days left", "剩7天".
pub(in crate::plan) fn refill(text: &str) -> Reading<Refill> {
    use Kind::{Day, Left, N, Week};
    let words = Words::of(text);
    let days_left = match *words.kinds() {
        [N(n), Day, Left] | [Left, N(n), Day] => n,
        [N(n), Week, Left] | [Left, N(n), Week] => n.saturating_mul(7),
        _ => {
            return Err(Problem::not_understood(
                "a time for a refill",
                text,
                &words,
                "\"7 days left\"",
            ));
        }
    };
    if !(1..=366).contains(&days_left) {
        return Err(
            Problem::new("a refill is due 1 to 366 days before the end").help("\"7 days left\"")
        );
    }
    Ok(Refill { days_left })
}

/// When before an appointment the patient is reminded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum BeforeAppointment {
    /// The same local time so many days before.
    Days(u32),
    /// Elapsed time.
    Elapsed(SignedDuration),
}

/// "1 day before", "2 hours before", "1天前", "2小时前".
pub(in crate::plan) fn remind(text: &str) -> Reading<BeforeAppointment> {
    use Kind::{Before, Day, Hour, Minute, N, Week};
    let words = Words::of(text);
    let [N(n), unit @ (Day | Week | Hour | Minute), Before] = *words.kinds() else {
        let help = "\"1 day before\"";
        return Err(Problem::not_understood("a reminder", text, &words, help));
    };
    let minutes = i64::from(n)
        * match unit {
            Week => 7 * 24 * 60,
            Day => 24 * 60,
            Hour => 60,
            _ => 1,
        };
    if !(1..=366 * 24 * 60).contains(&minutes) {
        return Err(
            Problem::new("a reminder is sent 1 minute to 366 days before").help("\"1 day before\""),
        );
    }
    Ok(match unit {
        Day => BeforeAppointment::Days(n),
        Week => BeforeAppointment::Days(n * 7),
        _ => BeforeAppointment::Elapsed(SignedDuration::from_mins(minutes)),
    })
}

/// "never", "missed", "critical", "every dose".
pub(in crate::plan) fn tell(text: &str) -> Reading<Tell> {
    const KNOWN: &[(&str, Tell)] = &[
        ("never", Tell::Never),
        ("missed", Tell::Missed),
        ("critical", Tell::Critical),
        ("every dose", Tell::EveryDose),
        ("从不", Tell::Never),
        ("漏服", Tell::Missed),
        ("关键", Tell::Critical),
        ("每次", Tell::EveryDose),
    ];
    let plain = crate::plan::words::normalise(text);
    KNOWN
        .iter()
        .find(|(word, _)| *word == plain)
        .map(|(_, tell)| *tell)
        .ok_or_else(|| {
            Problem::new(format!("`{}` is nothing that can be told", text.trim()))
                .help("\"never\", \"missed\", \"critical\" or \"every dose\"")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn distances_are_read_in_both_languages() {
        for (text, minutes, after_last) in [
            ("8 hours", 480, false),
            ("every 8 hours", 480, false),
            ("8小时", 480, false),
            ("每8小时", 480, false),
            ("每8小时一次", 480, false),
            ("上一次服药后6小时", 360, true),
            ("每90分钟", 90, false),
            ("36 hours", 2160, false),
            ("6 hours after the last dose", 360, true),
            ("上次服药后6小时", 360, true),
        ] {
            assert_eq!(
                every(text),
                Ok(Every {
                    minutes,
                    after_last
                }),
                "{text}"
            );
        }
        for text in [
            "24 hours",
            "48小时",
            "1 day",
            "2 weeks",
            "0 hours",
            "8",
            "hours",
            "1.5 hours",
            "day",
            "q8h",
            "q 48 h",
            "每隔8小时",
            "",
        ] {
            assert!(every(text).unwrap_err().help.is_some(), "{text}");
        }
        assert!(
            every("48 hours")
                .unwrap_err()
                .help
                .unwrap()
                .contains("every 2 days")
        );
    }

    #[test]
    fn pauses_have_a_first_day_off_and_a_first_day_on() {
        let expected = Ok((date(2026, 4, 10), date(2026, 4, 13)));
        for text in [
            "off 2026-04-10, back on 2026-04-13",
            "2026-04-10停, 2026-04-13恢复",
            "2026-04-10停药，2026-04-13恢复",
        ] {
            assert_eq!(pause(text), expected, "{text}");
        }
        for text in [
            "off 2026-04-13, back on 2026-04-13",
            "off 2026-04-13",
            "2026-04-10 to 2026-04-13",
            "off 2026-02-30, back on 2026-04-13",
            "2026-04-10停，2026-04-31恢复",
            "",
        ] {
            assert!(pause(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_smaller_values_are_read_in_both_languages() {
        let day = Some(SignedDuration::from_hours(24));
        for (text, doses, within) in [
            ("3 in 24 hours", 3, day),
            ("24小时内3次", 3, day),
            ("3 a day", 3, None),
            ("每天3次", 3, None),
        ] {
            assert_eq!(at_most(text), Ok(AtMost { doses, within }), "{text}");
        }
        for text in ["7 days left", "剩7天", "1 week left"] {
            assert_eq!(refill(text), Ok(Refill { days_left: 7 }), "{text}");
        }
        assert_eq!(remind("1 day before"), Ok(BeforeAppointment::Days(1)));
        assert_eq!(remind("1天前"), Ok(BeforeAppointment::Days(1)));
        let two = BeforeAppointment::Elapsed(SignedDuration::from_hours(2));
        assert_eq!(remind("2 hours before"), Ok(two));
        assert_eq!(remind("2小时前"), Ok(two));
        assert!(at_most("3").is_err() && at_most("0 a day").is_err());
        assert!(refill("soon").is_err() && refill("0 days left").is_err());
        assert!(remind("1 day after").is_err() && remind("0 days before").is_err());
        assert!(tell("always").is_err());
    }
}
