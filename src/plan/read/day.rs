//! The `[day]` table.

use super::{parsed_time, refuse};
use crate::plan::{
    Day, DayWord,
    grammar::{Problem, span, time},
    reader::{Keys, Table, Value},
};
use jiff::{SignedDuration, civil::Time};

pub(super) const KEYS: Keys = Keys::new(&[
    "waking",
    "breakfast",
    "morning",
    "noon",
    "lunch",
    "afternoon",
    "evening",
    "dinner",
    "bedtime",
    "night",
    "before_meal",
    "after_meal",
    "times",
]);

impl Day {
    /// Reads a `[day]` table; what it does not say is as in `inherited`. What is wrong goes to
    /// the table's findings.
    #[must_use]
    pub fn read(table: &Table<'_>, inherited: &Day) -> Day {
        table.check_keys(&KEYS);
        let mut day = inherited.clone();
        for word in DayWord::ALL {
            let value = table.get(word.key());
            if let Some(list) = value.as_ref().filter(|value| value.is_list()) {
                list.expected("one clock time", Some("\"07:30\""));
                continue;
            }
            if let Some(time) = value.and_then(|value| parsed_time(&value, time::single)) {
                day.set_time(word, time);
            }
        }
        let distance = |key: &str| minutes(&table.get(key)?);
        day.before_meal = distance("before_meal").unwrap_or(day.before_meal);
        day.after_meal = distance("after_meal").unwrap_or(day.after_meal);
        if let Some(times) = table.get("times").and_then(|value| value.table()) {
            for entry in times.entries() {
                read_times(&entry, &mut day);
            }
        }
        day
    }
}

/// A distance from a meal; zero is allowed.
fn minutes(value: &Value<'_>) -> Option<i32> {
    let parse = |text: &str| span::duration(text).map_err(|problem| problem.help("\"30 min\""));
    if super::without_quotes(value, parse) {
        return None;
    }
    let text = value.text()?;
    let length = parse(text.get_ref())
        .map_err(|problem| refuse(value, problem))
        .ok()?;
    if length > SignedDuration::from_hours(12) || length.as_secs() % 60 != 0 {
        refuse(
            value,
            Problem::new("a distance from a meal is whole minutes, at most 12 hours")
                .help("\"30 min\""),
        );
        return None;
    }
    Some((length.as_secs() / 60) as i32)
}

/// One entry of `[day.times]`: how many times a day, and which.
fn read_times(entry: &Value<'_>, day: &mut Day) {
    let Some(n) = entry
        .key()
        .parse::<u32>()
        .ok()
        .filter(|n| (1..=time::A_DAY_MAX).contains(n))
    else {
        entry.findings().error_with_help(
            entry.key_span(),
            format!(
                "`{}` is not how often a day: 1 to {}",
                entry.key(),
                time::A_DAY_MAX
            ),
            "write: 3 = [\"08:00\", \"14:00\", \"20:00\"]",
        );
        return;
    };
    let mut times: Vec<Time> = Vec::new();
    for value in entry.one_or_many() {
        let Some(text) = value.text_or_time() else {
            return;
        };
        for part in text.get_ref().split([',', '，', '、']) {
            match time::single(part) {
                Ok(time) if times.contains(&time) => {
                    value.error_with_help(format!("{} stands here twice", part.trim()), example(n));
                    return;
                }
                Ok(time) => times.push(time),
                Err(problem) => return value.error_with_help(problem.message, example(n)),
            }
        }
    }
    if times.len() == n as usize {
        day.set_times(n, times);
    } else {
        entry.error_with_help(
            format!("{n} times a day need {n} times, not {}", times.len()),
            example(n),
        );
    }
}

/// An entry of `[day.times]` that is right: hours from six in the morning on.
fn example(n: u32) -> String {
    let step = (16 * 60 / n.max(1)).min(8 * 60);
    let times: Vec<String> = (0..n)
        .map(|index| 6 * 60 + index * step)
        .map(|minute| format!("\"{:02}:{:02}\"", minute / 60, minute % 60))
        .collect();
    format!("write: {n} = [{}]", times.join(", "))
}
