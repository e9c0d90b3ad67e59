//! Times of the day: `when`, `offset`, `timeOfDay`, `dayOfWeek`.

use super::{Fault, instant::time_of_day, resource::Repeat};
use crate::plan::{Day, DayWord};
use crate::recurrence::Weekdays;
use jiff::civil::{Time, Weekday};

/// An event of the day to which a time is tied (<https://hl7.org/fhir/R4/valueset-event-timing.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    At(DayWord),
    With(DayWord),
    Before(DayWord),
    After(DayWord),
}

/// What a code of `when` stands for.
fn events(code: &str) -> Option<Vec<When>> {
    let word = match code {
        "MORN" => Some(DayWord::Morning),
        "NOON" => Some(DayWord::Noon),
        "AFT" => Some(DayWord::Afternoon),
        "EVE" => Some(DayWord::Evening),
        "NIGHT" => Some(DayWord::Night),
        "HS" => Some(DayWord::Bedtime),
        "WAKE" => Some(DayWord::Waking),
        _ => None,
    };
    if let Some(word) = word {
        return Some(vec![When::At(word)]);
    }
    let (tie, meal): (fn(DayWord) -> When, &str) = if let Some(meal) = code.strip_prefix("AC") {
        (When::Before, meal)
    } else if let Some(meal) = code.strip_prefix("PC") {
        (When::After, meal)
    } else {
        (When::With, code.strip_prefix('C')?)
    };
    let meals = match meal {
        "" => DayWord::MEALS.to_vec(),
        "M" => vec![DayWord::Breakfast],
        "D" => vec![DayWord::Lunch],
        "V" => vec![DayWord::Dinner],
        _ => return None,
    };
    Some(meals.into_iter().map(tie).collect())
}

fn minute(time: Time) -> i32 {
    i32::from(time.hour()) * 60 + i32::from(time.minute())
}

/// Minutes of what "n times a day" means.
pub(super) fn of_frequency(n: u32, day: &Day) -> Option<Vec<i32>> {
    let times = day.times(n)?;
    Some(times.iter().map(|time| minute(*time)).collect())
}

/// Minutes of a word of the day.
pub(super) fn of_word(word: DayWord, day: &Day) -> i32 {
    minute(day.time(word))
}

/// Times that are named.
pub(super) struct Times {
    /// Ascending, each once.
    pub(super) minutes: Vec<i32>,
    /// How many were written, before those that are equal became one.
    pub(super) written: usize,
}

impl Times {
    fn new(mut minutes: Vec<i32>) -> Self {
        let written = minutes.len();
        minutes.sort_unstable();
        minutes.dedup();
        Self { minutes, written }
    }

    /// Whether there are so many.
    pub(super) fn are(&self, number: u32) -> bool {
        number as usize == self.minutes.len() || number as usize == self.written
    }
}

/// Checks the codes, and what may not stand together (tim-9, tim-10).
pub(super) fn check(repeat: &Repeat) -> Result<(), Fault> {
    for (index, code) in repeat.when.iter().enumerate() {
        if events(code).is_none() {
            return Err(Fault::new(
                format!("when[{index}]"),
                format!("`{code}` is no time of the day that is known here"),
            ));
        }
    }
    for (index, text) in repeat.time_of_day.iter().enumerate() {
        time_of_day(text).map_err(|reason| Fault::new(format!("timeOfDay[{index}]"), reason))?;
    }
    weekdays(repeat)?;
    if !repeat.when.is_empty() && !repeat.time_of_day.is_empty() {
        return Err(Fault::new(
            "timeOfDay",
            "`when` and `timeOfDay` exclude each other (tim-10)",
        ));
    }
    if let Some(offset) = repeat.offset {
        if repeat.when.is_empty() {
            return Err(Fault::new("offset", "it needs a `when` (tim-9)"));
        }
        let with_meal = |code: &String| matches!(code.as_str(), "C" | "CM" | "CD" | "CV");
        if repeat.when.iter().any(with_meal) {
            return Err(Fault::new(
                "offset",
                "there is no offset from what is taken with a meal (tim-9)",
            ));
        }
        if offset > 24 * 60 {
            return Err(Fault::new("offset", "it is longer than a day"));
        }
    }
    Ok(())
}

/// The named times; none where there is neither `when` nor `timeOfDay`.
pub(super) fn named(repeat: &Repeat, day: &Day) -> Result<Option<Times>, Fault> {
    if !repeat.time_of_day.is_empty() {
        let minutes = repeat.time_of_day.iter().enumerate().map(|(index, text)| {
            time_of_day(text).map_err(|reason| Fault::new(format!("timeOfDay[{index}]"), reason))
        });
        return Ok(Some(Times::new(minutes.collect::<Result<_, _>>()?)));
    }
    if repeat.when.is_empty() {
        return Ok(None);
    }
    let events = repeat.when.iter().filter_map(|code| events(code)).flatten();
    let offset = repeat.offset.and_then(|offset| i32::try_from(offset).ok());
    let minutes = events.map(|event| match event {
        When::At(DayWord::Bedtime) => of_word(DayWord::Bedtime, day) - offset.unwrap_or(0),
        When::At(word) => of_word(word, day) + offset.unwrap_or(0),
        When::With(meal) => of_word(meal, day),
        When::Before(meal) => of_word(meal, day) - offset.unwrap_or(day.before_meal),
        When::After(meal) => of_word(meal, day) + offset.unwrap_or(day.after_meal),
    });
    Ok(Some(Times::new(minutes.collect())))
}

/// The days of `dayOfWeek`; empty where there are none.
pub(super) fn weekdays(repeat: &Repeat) -> Result<Weekdays, Fault> {
    let mut days = Weekdays::NONE;
    for (index, code) in repeat.day_of_week.iter().enumerate() {
        let day = match code.as_str() {
            "mon" => Weekday::Monday,
            "tue" => Weekday::Tuesday,
            "wed" => Weekday::Wednesday,
            "thu" => Weekday::Thursday,
            "fri" => Weekday::Friday,
            "sat" => Weekday::Saturday,
            "sun" => Weekday::Sunday,
            _ => {
                return Err(Fault::new(
                    format!("dayOfWeek[{index}]"),
                    format!("`{code}` is no day of the week: mon, tue, wed, thu, fri, sat, sun"),
                ));
            }
        };
        days = days.with(day);
    }
    Ok(days)
}
