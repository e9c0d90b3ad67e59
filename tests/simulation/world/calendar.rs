//! The oracle's own calendar: when the doses of a chart fall, worked out slowly, day by day, and
//! without any code of the product.

use super::chart::{Course, Days, Medication, Schedule, When};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::cell::RefCell;
use std::collections::HashMap;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// The zone of a name.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("the bundled time zones hold those of the charts")
}

/// The instant, in ms, at which clocks in the zone first show a civil time; one that they skip is
/// taken as later by what was skipped.
pub fn instant(zone: &TimeZone, civil: DateTime) -> i64 {
    let as_utc = TimeZone::UTC
        .to_timestamp(civil)
        .expect("charts are of this century")
        .as_millisecond();
    let shown = |at: i64| {
        let at = Timestamp::from_millisecond(at).expect("charts are of this century");
        i64::from(zone.to_offset(at).seconds()) * 1_000
    };
    let (before, after) = (shown(as_utc - DAY), shown(as_utc + DAY));
    let candidates = [as_utc - before, as_utc - after];
    candidates
        .into_iter()
        .filter(|at| at + shown(*at) == as_utc)
        .min()
        .unwrap_or(as_utc - before)
}

/// The local date of an instant in ms.
pub fn date(zone: &TimeZone, at: i64) -> Date {
    let at = Timestamp::from_millisecond(at).expect("charts are of this century");
    zone.to_datetime(at).date()
}

fn days_between(from: Date, to: Date) -> i64 {
    i64::from(
        to.since(from)
            .expect("dates of one century are comparable")
            .get_days(),
    )
}

fn plus_days(date: Date, days: i64) -> Date {
    date.saturating_add(Span::new().days(days))
}

fn is_on(days: &Days, start: Option<Date>, date: Date) -> bool {
    let since = start.map_or(0, |start| days_between(start, date));
    match days {
        Days::All => true,
        Days::Weekdays(on) => on[date.weekday().to_monday_zero_offset() as usize],
        Days::EveryN(n) => since.rem_euclid(*n) == 0,
        Days::Cycle { on, off } => since.rem_euclid(on + off) < *on,
        Days::OfMonth(days) => days.contains(&date.day()),
    }
}

/// The instants of a medication's doses after `from` up to and including `until`, ascending.
pub fn slots(medication: &Medication, zone: &TimeZone, from: i64, until: i64) -> Vec<i64> {
    falls(&medication.schedule, zone, from, until)
}

/// The instants of a schedule after `from` up to and including `until`, ascending.
pub fn falls(schedule: &Schedule, zone: &TimeZone, from: i64, until: i64) -> Vec<i64> {
    let mut found = match &schedule.when {
        When::Every { hours, first } => {
            let (first, step) = (instant(zone, *first), hours * HOUR);
            let skipped = match schedule.course {
                Course::Doses(_) => 0,
                _ => ((from - first) / step - 1).max(0),
            };
            let mut found = Vec::new();
            let mut at = first + skipped * step;
            while at <= until {
                found.push(at);
                at += step;
            }
            found
        }
        When::Times(times, days) => {
            let near = plus_days(date(zone, from), -2);
            let first = match (schedule.start, &schedule.course) {
                // They are counted from the start.
                (Some(start), Course::Doses(_)) => start,
                (Some(start), _) => start.max(near),
                (None, _) => near,
            };
            let last = plus_days(date(zone, until), 1);
            let mut found = Vec::new();
            let mut day = first;
            while day <= last {
                let ended = match schedule.course {
                    Course::Until(end) => day > end,
                    Course::Days(count) => schedule
                        .start
                        .is_some_and(|start| days_between(start, day) >= count),
                    Course::Open | Course::Doses(_) => false,
                };
                if ended {
                    break;
                }
                if is_on(days, schedule.start, day) {
                    for minute in times {
                        let civil = day.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
                        found.push(instant(zone, civil));
                    }
                }
                day = plus_days(day, 1);
            }
            found.sort_unstable();
            found.dedup();
            found
        }
    };
    if let Course::Doses(count) = schedule.course {
        found.truncate(count);
    }
    found.retain(|at| *at > from && *at <= until);
    found
}

/// When the window of the question due at `due` ends, in ms: with the next one, after a day at the
/// latest (P8).
pub fn question_ends(schedule: &Schedule, zone: &TimeZone, due: i64) -> i64 {
    let next = falls(schedule, zone, due, due + DAY).first().copied();
    next.unwrap_or(due + DAY)
}

/// When the windows of doses end, by the edit of their chart and the medication: each is worked
/// out once.
#[derive(Default)]
pub struct Windows(RefCell<HashMap<String, OfEdit>>);

/// By the medication and when its dose falls.
type OfEdit = HashMap<String, HashMap<i64, i64>>;

impl Windows {
    /// As [`window_end`], of the medication in the chart of `edit`.
    pub fn end(&self, edit: &str, medication: &Medication, zone: &TimeZone, due: i64) -> i64 {
        let mut known = self.0.borrow_mut();
        let of_edit = match known.get_mut(edit) {
            Some(of_edit) => of_edit,
            None => known.entry(edit.to_owned()).or_default(),
        };
        let of_one = match of_edit.get_mut(&medication.id) {
            Some(of_one) => of_one,
            None => of_edit.entry(medication.id.clone()).or_default(),
        };
        let worked_out = || window_end(medication, zone, due);
        *of_one.entry(due).or_insert_with(worked_out)
    }
}

/// When the window of the dose due at `due` ends, in ms (P8).
fn window_end(medication: &Medication, zone: &TimeZone, due: i64) -> i64 {
    // Most are near.
    const SPANS: [i64; 3] = [DAY, 9 * DAY, 70 * DAY];
    let next = SPANS
        .iter()
        .find_map(|span| slots(medication, zone, due, due + span).first().copied());
    let before = || {
        let near = |span: &i64| slots(medication, zone, due - span, due - 1).last().copied();
        SPANS.iter().find_map(near)
    };
    let before = if next.is_none() { before() } else { None };
    let gap = match (next, before) {
        (Some(next), _) => Some(next - due),
        (None, Some(before)) => Some(due - before),
        (None, None) => None,
    };
    let window = match (medication.schedule.window_minutes, gap) {
        (Some(minutes), _) => minutes * 60_000,
        (None, Some(gap)) if medication.critical => (gap / 2).min(2 * HOUR),
        (None, None) if medication.critical => 2 * HOUR,
        (None, Some(gap)) if gap <= 25 * HOUR => (gap / 2).min(6 * HOUR),
        (None, Some(gap)) if gap < 28 * DAY => 24 * HOUR,
        (None, _) => 48 * HOUR,
    };
    let end = due + window;
    next.map_or(end, |next| end.min(next))
}
