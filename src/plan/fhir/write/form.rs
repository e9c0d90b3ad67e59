//! A course in the forms of the plan language.

use super::{
    super::{
        Course, End, Moment, Terms,
        course::{OnDays, Pattern},
    },
    DOSES_MAX, Item, quoted,
};
use crate::plan::Zone;
use crate::recurrence::Weekdays;
use jiff::{Span, Timestamp, civil};

const DAY: i32 = 24 * 60;

/// An instant as a local date-time, where that names this instant and no other.
pub(super) fn local(at: Timestamp, zone: &Zone) -> Option<String> {
    let local = zone.local(at);
    (zone.instant(local) == at).then(|| local.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// A distance in words.
pub(super) fn distance(minutes: i64) -> String {
    let (n, unit) = if minutes % 60 == 0 {
        (minutes / 60, "hour")
    } else {
        (minutes, "minute")
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

/// The course as medications of a plan; none where it is never due, `None` where no form says it.
pub(super) fn items(course: &Course, terms: &Terms) -> Option<Vec<Item>> {
    let zone = &terms.zone;
    if course.occurrences(zone, Timestamp::MIN).next().is_none() {
        return Some(Vec::new());
    }
    match &course.pattern {
        Pattern::Once(_) => once(course, zone),
        Pattern::Elapsed {
            first,
            every,
            weekdays,
        } => {
            if *weekdays != Weekdays::ALL {
                return None;
            }
            elapsed(course, *first, *every, zone)
        }
        Pattern::Clock { on, minutes } => clock(course, *on, minutes, zone),
    }
}

fn once(course: &Course, zone: &Zone) -> Option<Vec<Item>> {
    let instants: Option<Vec<String>> = course
        .occurrences(zone, Timestamp::MIN)
        .map(|at| local(at, zone))
        .collect();
    let instants = instants?;
    let value = match &instants[..] {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Some(vec![Item::default().with("once", value)])
}

/// The item with the course's end; `alone`: this one medication says all of the course.
fn ended(item: Item, course: &Course, zone: &Zone, alone: bool) -> Option<Item> {
    if let (Some(count), true, None) = (course.count, alone, course.end)
        && count <= DOSES_MAX
    {
        return Some(item.with("doses", count.to_string()));
    }
    if alone
        && course.count.is_none()
        && let Some(span) = &course.span
    {
        return Some(item.with("for", quoted(span)));
    }
    let Some(last) = course.last(zone) else {
        return Some(item);
    };
    let bound = match (course.count, course.end) {
        (None, Some(End::Before(second))) => Timestamp::from_second(second - 1)
            .ok()
            .and_then(|at| local(at, zone)),
        _ => None,
    };
    let value = bound.or_else(|| local(last, zone))?;
    Some(item.with("end", value))
}

fn elapsed(course: &Course, first: i64, every: i64, zone: &Zone) -> Option<Vec<Item>> {
    if every % 60 != 0 {
        return None;
    }
    let minutes = every / 60;
    // `every` is at least an hour: what is more often becomes several that take turns.
    let turns = if minutes < 60 {
        (60 + minutes - 1) / minutes
    } else {
        1
    };
    let last = course.last(zone);
    let mut items = Vec::new();
    for turn in 0..turns {
        let at = Timestamp::from_second(first + turn * every).ok()?;
        if last.is_some_and(|last| at > last) {
            break;
        }
        let item = Item::default()
            .with("every", quoted(&distance(minutes * turns)))
            .with("first", local(at, zone)?);
        let item = match course.start {
            // A length counts from the date, and not from the first dose.
            Some(Moment::Date(date)) if course.span.is_some() && turns == 1 => {
                item.with("start", date.to_string())
            }
            _ => item,
        };
        items.push(ended(item, course, zone, turns == 1)?);
    }
    Some(items)
}

/// Days of the plan language with their first day.
struct Days {
    words: Option<String>,
    /// The date from which they count, and on which the medication starts.
    from: civil::Date,
    /// They count from it, so that another start would be other days.
    anchored: bool,
}

fn clock(course: &Course, on: OnDays, minutes: &[i32], zone: &Zone) -> Option<Vec<Item>> {
    let start = course.start?;
    let first = start.date(zone);
    let mut shifts: Vec<i32> = minutes.iter().map(|m| m.div_euclid(DAY)).collect();
    shifts.dedup();
    let mut items = Vec::new();
    let single = shifts == [0];
    let last = course.last(zone).map(|last| zone.local(last).date());
    for shift in shifts {
        let times: Vec<String> = minutes
            .iter()
            .filter(|minute| minute.div_euclid(DAY) == shift)
            .map(|minute| {
                let minute = minute.rem_euclid(DAY);
                format!("\"{:02}:{:02}\"", minute / 60, minute % 60)
            })
            .collect();
        let at = match &times[..] {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let groups = days(on, first, shift)?;
        let only = single && groups.len() == 1;
        for days in groups {
            // A length counts from the start of the course.
            let alone = only && days.from == first;
            // Over before its first day: the plan language refuses an end before the start.
            if last.is_some_and(|last| last < days.from) {
                continue;
            }
            let mut item = Item::default();
            if let Some(words) = &days.words {
                item = item.with("days", quoted(words));
            }
            item = item.with("at", at.clone());
            let begin = match start {
                Moment::Date(date) => days.from.max(date).to_string(),
                // A day after that of the start is wholly within.
                Moment::At(_) if days.from > first => days.from.to_string(),
                Moment::At(at) => local(at, zone)?,
            };
            if days.anchored && days.from < first {
                return None;
            }
            item = item.with("start", begin);
            item = match (course.end, course.count) {
                (Some(End::Day(last)), None) if course.span.is_none() || !alone => {
                    let last = if shift < 0 {
                        last.yesterday().ok()?
                    } else {
                        last
                    };
                    if last < days.from || last < first {
                        continue;
                    }
                    item.with("end", last.to_string())
                }
                _ => ended(item, course, zone, alone)?,
            };
            items.push(item);
        }
    }
    Some(items)
}

fn moved(date: civil::Date, days: i64) -> Option<civil::Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

pub(super) fn weekday_words(set: Weekdays, shift: i32) -> String {
    let name = |day: civil::Weekday| {
        let day = day.wrapping_add(i64::from(shift));
        match day {
            civil::Weekday::Monday => "mon",
            civil::Weekday::Tuesday => "tue",
            civil::Weekday::Wednesday => "wed",
            civil::Weekday::Thursday => "thu",
            civil::Weekday::Friday => "fri",
            civil::Weekday::Saturday => "sat",
            civil::Weekday::Sunday => "sun",
        }
    };
    let names: Vec<&str> = set.iter().map(name).collect();
    names.join(", ")
}

/// The days, moved by so many days for times that pass midnight.
fn days(on: OnDays, first: civil::Date, shift: i32) -> Option<Vec<Days>> {
    let days_later = |date: civil::Date, days: i64| moved(date, days);
    let shifted = moved(first, i64::from(shift))?;
    Some(match on {
        OnDays::Weekdays(set) => vec![Days {
            words: (set != Weekdays::ALL).then(|| weekday_words(set, shift)),
            from: shifted.max(first),
            anchored: false,
        }],
        OnDays::EveryDays(n, Weekdays::ALL) => {
            let from = if shifted < first {
                days_later(shifted, i64::from(n))?
            } else {
                shifted
            };
            vec![Days {
                words: Some(format!("every {n} days")),
                from,
                anchored: true,
            }]
        }
        OnDays::EveryDays(n, set) => {
            // A weekday comes again after so many days that both the cycle and the week fit.
            let again = if n % 7 == 0 { n } else { n * 7 };
            let words = if again <= 366 {
                format!("every {again} days")
            } else {
                format!("every {} weeks", again / 7)
            };
            let mut found = Vec::new();
            let cycles = if n % 7 == 0 { 1 } else { 7 };
            for cycle in 0..cycles {
                let day = days_later(first, i64::from(n) * cycle)?;
                if set.contains(day.weekday()) {
                    let mut from = days_later(day, i64::from(shift))?;
                    if from < first {
                        from = days_later(from, i64::from(again))?;
                    }
                    found.push(Days {
                        words: Some(words.clone()),
                        from,
                        anchored: true,
                    });
                }
            }
            found
        }
        OnDays::Weeks(n, set) if shift == 0 => vec![Days {
            words: Some(format!("every {n} weeks on {}", weekday_words(set, 0))),
            from: first,
            anchored: true,
        }],
        OnDays::Weeks(n, set) => {
            let monday = days_later(first, -i64::from(first.weekday().to_monday_zero_offset()))?;
            let mut found = Vec::new();
            for day in set.iter() {
                let mut from = days_later(monday, i64::from(day.to_monday_zero_offset()))?;
                while from < first || days_later(from, i64::from(shift))? < first {
                    from = days_later(from, i64::from(n) * 7)?;
                }
                found.push(Days {
                    words: Some(format!("every {n} weeks")),
                    from: days_later(from, i64::from(shift))?,
                    anchored: true,
                });
            }
            found
        }
        OnDays::Months(n) => {
            let words = Some(match n {
                1 => "every month".to_owned(),
                n => format!("every {n} months"),
            });
            let from = if shift == 0 {
                first
            } else if (2..=27).contains(&first.day()) && shift > 0 {
                shifted
            } else if (2..=28).contains(&first.day()) {
                shifted
                    .checked_add(Span::new().try_months(i64::from(n)).ok()?)
                    .ok()?
            } else {
                return None;
            };
            vec![Days {
                words,
                from,
                anchored: true,
            }]
        }
    })
}
