//! From when until when: `start`, `end`, `for`, `doses`, `pauses`.

use super::{Reader, local_date, parsed};
use crate::{
    plan::{
        grammar::{
            course,
            span::{self, CalendarSpan},
        },
        reader::{LocalDate, Table},
    },
    recurrence::{self, Part, Pattern, Pause, Schedule},
};
use jiff::{Timestamp, civil};
use std::ops::Range;

/// More scheduled doses are no course but a life.
const DOSES_MAX: i64 = 10_000;
/// More pauses than anybody has written.
const PAUSES_MAX: usize = 100;

/// The bounds of a schedule, as written.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    pub(super) start: Option<LocalDate>,
    pub(super) end: Option<End>,
    /// Where the end is written.
    pub(super) end_place: Range<usize>,
    pub(super) pauses: Vec<Pause>,
}

/// When a course ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The last day, inclusive.
    Day(civil::Date),
    /// The last instant, inclusive.
    At(civil::DateTime),
    /// So long after the start.
    For(CalendarSpan),
    /// After so many doses.
    Doses(u32),
}

/// The date of a date or a date-time.
pub(super) fn date_of(local: LocalDate) -> civil::Date {
    match local {
        LocalDate::Date(date) => date,
        LocalDate::DateTime(at) => at.date(),
    }
}

/// The local time at which it begins.
fn beginning(local: LocalDate) -> civil::DateTime {
    match local {
        LocalDate::Date(date) => date.at(0, 0, 0, 0),
        LocalDate::DateTime(at) => at,
    }
}

impl Reader<'_> {
    /// Reads the bounds. `first` also stands for a start that is not given (P2).
    pub(super) fn bounds(
        &self,
        table: &Table<'_>,
        first: Option<civil::DateTime>,
    ) -> Option<Bounds> {
        let given = table.get("start");
        let start = given.as_ref().and_then(|value| self.existing_date(value));
        if given.is_some() && start.is_none() {
            // Without it nothing that follows can be judged.
            let _ = table.get("end").map(|value| local_date(&value));
            return None;
        }
        let start = start.or(first.map(LocalDate::DateTime));
        let end = self.end(table, start);
        let pauses = self.pauses(table);
        let (end, end_place) = end?;
        Some(Bounds {
            start,
            end,
            end_place,
            pauses: pauses?,
        })
    }

    fn end(
        &self,
        table: &Table<'_>,
        start: Option<LocalDate>,
    ) -> Option<(Option<End>, Range<usize>)> {
        let given: Vec<_> = ["end", "for", "doses"]
            .iter()
            .filter_map(|key| table.get(key))
            .collect();
        let [value] = &given[..] else {
            let [first, second, ..] = &given[..] else {
                return Some((None, 0..0));
            };
            let message = format!(
                "`{}` and `{}` both say when it ends",
                first.key(),
                second.key()
            );
            let help = format!(
                "write: {} = {}, or {} = {}, not both",
                first.key(),
                first.written(),
                second.key(),
                second.written()
            );
            second.error_with_help(message, help);
            return None;
        };
        let end = match value.key() {
            "end" => match self.existing_date(value)? {
                LocalDate::Date(date) => End::Day(date),
                LocalDate::DateTime(at) => End::At(at),
            },
            "for" => End::For(parsed(value, span::calendar_span)?),
            _ => End::Doses(value.integer(1..=DOSES_MAX)? as u32),
        };
        let Some(start) = start else {
            if matches!(end, End::Day(_) | End::At(_)) {
                return Some((Some(end), value.span()));
            }
            value.error_with_help(
                format!("`{}` counts from a start, and there is none", value.key()),
                self.start_help(),
            );
            return None;
        };
        let early = match end {
            End::Day(date) => date < date_of(start),
            End::At(at) => at < beginning(start),
            End::For(_) | End::Doses(_) => false,
        };
        if early {
            value.error_with_help(
                "it ends before it starts",
                format!("write: end = {}, or a later day", date_of(start)),
            );
            return None;
        }
        Some((Some(end), value.span()))
    }

    fn pauses(&self, table: &Table<'_>) -> Option<Vec<Pause>> {
        let Some(value) = table.get("pauses") else {
            return Some(Vec::new());
        };
        let entries = value.one_or_many();
        if entries.len() > PAUSES_MAX {
            value.error_with_help(
                format!("there are more than {PAUSES_MAX} pauses"),
                "leave out those that are over",
            );
            return None;
        }
        let mut pauses: Vec<Pause> = Vec::new();
        for entry in entries {
            let (off, back) = parsed(&entry, course::pause)?;
            let pause = Pause::new(off.into(), back.into(), &self.zone);
            let overlaps = |other: &&Pause| {
                pause.from_day < other.until_day && other.from_day < pause.until_day
            };
            if let Some(other) = pauses.iter().find(overlaps) {
                let off = pause.from_day.min(other.from_day).date();
                let back = pause.until_day.max(other.until_day).date();
                let help = format!("write: \"off {off}, back on {back}\" in place of the two");
                entry.error_with_help("two pauses overlap", help);
                return None;
            }
            pauses.push(pause);
        }
        pauses.sort_by_key(|pause| pause.from);
        Some(pauses)
    }

    /// The schedule of the parts within the bounds.
    pub(super) fn within(&self, parts: Vec<Part>, bounds: &Bounds) -> Schedule {
        let mut schedule = Schedule {
            parts,
            pauses: bounds.pauses.clone(),
        };
        let start = bounds.start;
        if let Some(start) = start {
            for part in &mut schedule.parts {
                self.begin_part(part, start);
            }
        }
        match (bounds.end, start) {
            (Some(End::Day(last)), _) => self.end_parts(
                &mut schedule,
                LocalDate::Date(last.tomorrow().unwrap_or(last)),
            ),
            (Some(End::At(at)), _) => schedule.end_at(self.zone.instant(at).as_second() + 1),
            (Some(End::For(span)), Some(LocalDate::Date(date))) => {
                self.end_parts(&mut schedule, LocalDate::Date(span.after(date)));
            }
            (Some(End::For(span)), Some(LocalDate::DateTime(at))) => {
                self.end_parts(&mut schedule, LocalDate::DateTime(span.after_time(at)));
            }
            (Some(End::Doses(doses)), Some(_)) => self.end_after(&mut schedule, doses),
            (Some(End::For(_) | End::Doses(_)), None) | (None, _) => {}
        }
        schedule
    }

    /// Lets a part begin: on a day (days are those of a slot, even of one that passes midnight),
    /// or at an instant.
    pub(super) fn begin_part(&self, part: &mut Part, start: LocalDate) {
        if let (Pattern::Clock(clock), LocalDate::Date(date)) = (&mut part.pattern, start) {
            let day = recurrence::Day::from(date);
            clock.first_day = Some(clock.first_day.map_or(day, |first| first.max(day)));
        } else {
            let second = self.zone.instant(beginning(start)).as_second();
            part.begin = Some(part.begin.map_or(second, |begin| begin.max(second)));
        }
    }

    /// Lets a part end: before a day, or before an instant.
    pub(super) fn end_part(&self, part: &mut Part, until: LocalDate) {
        if let (Pattern::Clock(clock), LocalDate::Date(date)) = (&mut part.pattern, until) {
            let day = recurrence::Day::from(date.yesterday().unwrap_or(date));
            clock.last_day = Some(clock.last_day.map_or(day, |last| last.min(day)));
        } else {
            let second = self.zone.instant(beginning(until)).as_second();
            part.end = Some(part.end.map_or(second, |end| end.min(second)));
        }
    }

    fn end_parts(&self, schedule: &mut Schedule, until: LocalDate) {
        for part in &mut schedule.parts {
            self.end_part(part, until);
        }
    }

    /// Ends a schedule that has a start after its n-th occurrence.
    fn end_after(&self, schedule: &mut Schedule, doses: u32) {
        let last = schedule
            .occurrences(&self.zone, Timestamp::MIN)
            .nth(doses as usize - 1);
        if let Some(last) = last {
            schedule.end_at(last.at.as_second() + 1);
        }
    }
}
