//! Caregivers, appointments and trips.

use super::{Reader, note, optional_words, parsed, plain_date, required, required_words};
use crate::plan::{
    Appointment, Caregiver, Tell,
    grammar::course::{self, BeforeAppointment},
    reader::{Keys, Table, Value},
};
use crate::recurrence::{Day, Trip};
use jiff::{SignedDuration, Timestamp, civil};
use std::ops::Range;

pub(super) const CAREGIVER_KEYS: Keys =
    Keys::new(&["name", "relation", "id", "wechat", "tell", "answers"]);
pub(super) const APPOINTMENT_KEYS: Keys = Keys::new(&["what", "at", "remind", "note"]);
pub(super) const AWAY_KEYS: Keys = Keys::new(&["from", "until", "timezone"]);

/// More reminders of one appointment help nobody.
const REMINDERS_MAX: usize = 10;
/// The years in which trips are known to the tables of zones.
const TRIP_YEARS: std::ops::RangeInclusive<i16> = 1970..=2090;

impl Reader<'_> {
    pub(super) fn caregiver(table: &Table<'_>) -> Option<Caregiver> {
        let name = required_words(table, "name", "name = \"王磊\"");
        let relation = required_words(table, "relation", "relation = \"son\"");
        let id = optional_words(table, "id");
        let wechat = optional_words(table, "wechat");
        let tell = table.get("tell").map(|value| parsed(&value, course::tell));
        let answers = table.boolean("answers").unwrap_or(false);
        let name = name?;
        Some(Caregiver {
            id: id.unwrap_or_else(|| name.clone()),
            name,
            relation: relation?,
            wechat,
            tell: tell.map_or(Some(Tell::default()), |tell| tell)?,
            answers,
        })
    }

    pub(super) fn appointment(&self, table: &Table<'_>) -> Option<(Appointment, Range<usize>)> {
        let what = required_words(table, "what", "what = \"Blood test\"");
        let doctors_note = table.get("note").and_then(|value| note(&value));
        let example = format!("at = {}T09:00:00", self.today());
        let at = required(table, "at", &example).and_then(|value| self.existing_date_time(&value));
        let remind = match table.get("remind") {
            Some(value) => at.and_then(|at| self.reminders(&value, at)),
            None => at.map(|at| {
                let defaults = [
                    BeforeAppointment::Days(1),
                    BeforeAppointment::Elapsed(SignedDuration::from_hours(2)),
                ];
                let mut remind: Vec<Timestamp> = defaults
                    .iter()
                    .map(|before| self.before(*before, at))
                    .collect();
                remind.sort_unstable();
                remind
            }),
        };
        let appointment = Appointment {
            what: what?,
            at: self.zone.instant(at?),
            remind: remind?,
            note: doctors_note,
        };
        Some((appointment, table.get("what")?.span()))
    }

    fn before(&self, before: BeforeAppointment, at: civil::DateTime) -> Timestamp {
        match before {
            BeforeAppointment::Days(days) => self
                .zone
                .instant(at.saturating_sub(jiff::Span::new().days(days))),
            BeforeAppointment::Elapsed(time) => self
                .zone
                .instant(at)
                .checked_sub(time)
                .unwrap_or(Timestamp::MIN),
        }
    }

    fn reminders(&self, value: &Value<'_>, at: civil::DateTime) -> Option<Vec<Timestamp>> {
        let entries = value.one_or_many();
        if entries.len() > REMINDERS_MAX {
            value.error_with_help(
                format!("an appointment has at most {REMINDERS_MAX} reminders"),
                "write: remind = [\"1 day before\", \"2 hours before\"]",
            );
            return None;
        }
        let mut reminders = Vec::new();
        for entry in entries {
            let reminder = self.before(parsed(&entry, course::remind)?, at);
            if reminders.contains(&reminder) {
                entry.error_with_help(
                    format!("{} is the same time as another", entry.written()),
                    "leave this one out",
                );
                return None;
            }
            reminders.push(reminder);
        }
        reminders.sort_unstable();
        Some(reminders)
    }
}

/// Reads the trips, ascending; `None` where one is wrong.
pub(super) fn trips(tables: &[Table<'_>]) -> Option<Vec<Trip>> {
    let mut trips: Vec<Trip> = Vec::new();
    let mut complete = true;
    for table in tables {
        let Some(trip) = trip(table) else {
            complete = false;
            continue;
        };
        if trips
            .iter()
            .any(|other| trip.from <= other.until && other.from <= trip.until)
        {
            table.findings().error_with_help(
                table.span(),
                "two trips overlap",
                "a trip that follows another begins on the day after its last",
            );
            complete = false;
            continue;
        }
        trips.push(trip);
    }
    trips.sort_by_key(|trip| trip.from);
    complete.then_some(trips)
}

fn trip(table: &Table<'_>) -> Option<Trip> {
    let date = |key: &str| {
        let value = required(table, key, &format!("{key} = 2026-04-10"))?;
        let date = plain_date(&value)?;
        if !TRIP_YEARS.contains(&date.year()) {
            value.error_with_help(
                format!("the year {} is too far away for a trip", date.year()),
                format!("write: {key} = 2026-04-10"),
            );
            return None;
        }
        Some(date)
    };
    let (from, until) = (date("from"), date("until"));
    let zone = required(table, "timezone", "timezone = \"Europe/Berlin\"")
        .and_then(|value| super::patient::zone(&value));
    let (from, until, zone) = (from?, until?, zone?);
    if until < from {
        let value = table.get("until")?;
        value.error_with_help(
            "the trip ends before it begins",
            format!("write: until = {from}, or a later day"),
        );
        return None;
    }
    Some(Trip {
        from: Day::from(from),
        until: Day::from(until),
        zone: zone.name().into(),
    })
}
