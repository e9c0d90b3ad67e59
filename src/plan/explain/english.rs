//! English.

use super::Phrases;
use crate::plan::{AnswerType, Tell};
use crate::recurrence::{Days, MonthDays, Weekdays};
use jiff::{SignedDuration, civil::Weekday};

pub(super) struct English;

impl English {
    fn weekdays(&self, set: Weekdays) -> String {
        let names: Vec<&str> = set.iter().map(|day| self.weekday(day)).collect();
        names.join(", ")
    }
}

fn and(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

fn ordinal(n: u8) -> String {
    let ending = match (n % 10, n / 10 % 10) {
        (1, tens) if tens != 1 => "st",
        (2, tens) if tens != 1 => "nd",
        (3, tens) if tens != 1 => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

fn every(n: u32, unit: &str) -> String {
    if n == 1 {
        format!("every {unit}")
    } else {
        format!("every {n} {unit}s")
    }
}

impl Phrases for English {
    fn days(&self, days: &Days) -> String {
        match days {
            Days::Weekdays(set) if *set == Weekdays::ALL => "every day".to_owned(),
            Days::Weekdays(set) => format!("every {}", self.weekdays(*set)),
            Days::Cycle {
                period,
                run,
                weekdays,
                ..
            } => {
                let cycle = if *run == 1 {
                    every(*period, "day")
                } else {
                    format!("{run} days on, {} days off", period.saturating_sub(*run))
                };
                if *weekdays == Weekdays::ALL {
                    cycle
                } else {
                    format!("{cycle}, if it is {}", self.weekdays(*weekdays))
                }
            }
            Days::Weeks {
                period, weekdays, ..
            } => format!("{} on {}", every(*period, "week"), self.weekdays(*weekdays)),
            Days::Months { anchor, period } => {
                let day = anchor.date().day() as u8;
                let short = if day > 28 { " (or the last day)" } else { "" };
                format!("{} on the {}{short}", every(*period, "month"), ordinal(day))
            }
            Days::MonthDays(set) if *set == MonthDays::LAST => {
                "on the last day of each month".to_owned()
            }
            Days::MonthDays(set) => {
                let days: Vec<String> = set
                    .iter()
                    .map(|day| {
                        if day == 31 {
                            "last".to_owned()
                        } else {
                            ordinal(day)
                        }
                    })
                    .collect();
                let short = if set.contains(29) || set.contains(30) {
                    " (or the last day)"
                } else {
                    ""
                };
                format!("on the {} day of each month{short}", and(&days))
            }
        }
    }

    fn separator(&self) -> &'static str {
        ", "
    }

    fn semicolon(&self, _: bool) -> &'static str {
        "; "
    }

    fn sentence(&self, subject: &str, predicate: &str) -> String {
        format!("{subject}: {predicate}.")
    }

    fn take_at(&self, days: &str, doses: &[(Vec<String>, String)]) -> String {
        let doses: Vec<String> = doses
            .iter()
            .map(|(times, amount)| format!("at {} take {amount}", and(times)))
            .collect();
        format!("{days} {}", doses.join(", "))
    }

    fn take_every(&self, every: &str, first: Option<&str>, amount: &str) -> String {
        let first = first
            .map(|first| format!(", first on {first}"))
            .unwrap_or_default();
        format!("every {every}, day and night, take {amount}{first}")
    }

    fn take_after_last(&self, every: &str, first: Option<&str>, amount: &str) -> String {
        let first = first.map_or_else(
            || ", first at once".to_owned(),
            |first| format!(", first on {first}"),
        );
        format!("{every} after each dose that was taken, take {amount}{first}")
    }

    fn take_once(&self, at: &[String], amount: &str) -> String {
        format!("on {} take {amount}", and(at))
    }

    fn take_when_needed(&self, reason: &str, amount: &str) -> String {
        format!("when needed ({reason}) take {amount}, without reminders")
    }

    fn at_most(&self, doses: u32, within: Option<&str>) -> String {
        within.map_or_else(
            || format!("at most {doses} a day"),
            |within| format!("at most {doses} in {within}"),
        )
    }

    fn apart(&self, time: &str) -> String {
        format!("at least {time} apart")
    }

    fn span(&self, from: Option<&str>, until: Option<&str>) -> String {
        match (from, until) {
            (Some(from), Some(until)) if from == until => format!("on {from}"),
            (Some(from), Some(until)) => format!("from {from} to {until}"),
            (Some(from), None) => format!("from {from} on"),
            (None, Some(until)) => format!("until {until}"),
            (None, None) => String::new(),
        }
    }

    fn before(&self, moment: &str) -> String {
        format!("ending before {moment}")
    }

    fn doses(&self, doses: u32) -> String {
        if doses == 1 {
            "1 dose in all".to_owned()
        } else {
            format!("{doses} doses in all")
        }
    }

    fn pause(&self, off: &str, back: &str) -> String {
        format!("not from {off} on, again from {back} on")
    }

    fn critical(&self) -> &'static str {
        "time-critical"
    }

    fn as_directed(&self) -> &'static str {
        "as directed"
    }

    fn duration(&self, duration: SignedDuration) -> String {
        let seconds = duration.as_secs();
        let (n, unit) = match seconds {
            _ if seconds % 86_400 == 0 && seconds > 86_400 => (seconds / 86_400, "day"),
            _ if seconds % 3600 == 0 => (seconds / 3600, "hour"),
            _ if seconds % 60 == 0 => (seconds / 60, "minute"),
            _ => (seconds, "second"),
        };
        if n == 1 {
            format!("1 {unit}")
        } else {
            format!("{n} {unit}s")
        }
    }

    fn question(&self, ask: &str, answer: &str, days: &str, times: &[String]) -> String {
        format!("Asked {days} at {}: \"{ask}\" ({answer})", and(times))
    }

    fn answer(&self, answer: &AnswerType) -> String {
        match answer {
            AnswerType::Text => "in words".to_owned(),
            AnswerType::YesOrNo => "yes or no".to_owned(),
            AnswerType::Number { from, to, unit } => {
                let unit = unit
                    .as_ref()
                    .map(|unit| format!(" {unit}"))
                    .unwrap_or_default();
                format!("a number from {from} to {to}{unit}")
            }
            AnswerType::Scale { from, to } => format!("{from} to {to}"),
            AnswerType::OneOf(words) => format!("one of: {}", words.join(", ")),
            AnswerType::BloodPressure => "blood pressure".to_owned(),
            AnswerType::BloodGlucose => "blood glucose".to_owned(),
            AnswerType::Temperature => "temperature".to_owned(),
            AnswerType::Weight => "weight".to_owned(),
            AnswerType::HeartRate => "heart rate".to_owned(),
        }
    }

    fn appointment(&self, what: &str, at: &str, reminders: &[String]) -> String {
        if reminders.is_empty() {
            return format!("Appointment on {at}: {what}; without reminders.");
        }
        format!(
            "Appointment on {at}: {what}; reminders on {}.",
            and(reminders)
        )
    }

    fn caregiver(&self, name: &str, relation: &str, tell: Tell) -> String {
        let of = match tell {
            Tell::Never => "is told of nothing",
            Tell::Missed => "is told of missed doses",
            Tell::Critical => "is told of missed doses that are time-critical",
            Tell::EveryDose => "is told of every dose",
        };
        format!("{name} ({relation}) {of}.")
    }

    fn away(&self, from: &str, until: &str, zone: &str) -> String {
        format!("From {from} to {until} all times are those of {zone}.")
    }

    fn next_day(&self) -> &'static str {
        "the next day's "
    }

    fn day_before(&self) -> &'static str {
        "the day before's "
    }

    fn weekday(&self, day: Weekday) -> &'static str {
        match day {
            Weekday::Monday => "Mon",
            Weekday::Tuesday => "Tue",
            Weekday::Wednesday => "Wed",
            Weekday::Thursday => "Thu",
            Weekday::Friday => "Fri",
            Weekday::Saturday => "Sat",
            Weekday::Sunday => "Sun",
        }
    }

    fn next_reminders(&self) -> &'static str {
        "Next reminders:"
    }

    fn no_reminders(&self) -> &'static str {
        "No reminders are to come."
    }

    fn list(&self) -> &'static str {
        ", "
    }
}
