//! Single instants, and what is taken when needed.

use super::super::{Reader, parsed, words};
use super::{Regimen, part};
use crate::plan::AsNeeded;
use crate::plan::grammar::course;
use crate::plan::reader::Table;
use crate::recurrence::{Elapsed, Pattern, Schedule};
use jiff::Timestamp;

impl Reader<'_> {
    /// Single instants.
    pub(super) fn once(&self, table: &Table<'_>) -> Option<Regimen> {
        let take = Self::take(table);
        let bounds = self.bounds(table, None);
        let value = table.get("once")?;
        let mut seconds: Vec<i64> = Vec::new();
        let mut complete = true;
        for entry in value.one_or_many() {
            let Some(at) = self.existing_date_time(&entry) else {
                complete = false;
                continue;
            };
            let second = self.zone.instant(at).as_second();
            if seconds.contains(&second) {
                entry.error_with_help(
                    format!("{} stands here twice", entry.written()),
                    "leave this one out",
                );
                complete = false;
            }
            seconds.push(second);
        }
        if complete && seconds.is_empty() {
            value.error_with_help(
                "`once` is empty",
                format!("write: once = {}T08:00:00", self.today()),
            );
            return None;
        }
        seconds.sort_unstable();
        let parts = vec![part(Pattern::Once { seconds, amount: 0 })];
        let (take, bounds) = (take?, bounds?);
        complete.then(|| self.regimen_of(parts, vec![take], &bounds, false))
    }

    /// Taken when needed: nothing is due.
    pub(super) fn as_needed(&self, table: &Table<'_>) -> Option<Regimen> {
        let take = Self::take(table);
        let value = table.get("as_needed")?;
        if value.kind() == "true or false" {
            value.expected("a text in quotes", Some("\"headache\""));
            return None;
        }
        let reason = words(&value);
        let at_most = table
            .get("at_most")
            .map(|value| parsed(&value, course::at_most));
        let apart = table
            .get("apart")
            .map(|value| parsed(&value, course::apart));
        let mut fits = true;
        for key in ["doses", "pauses"] {
            if let Some(value) = table.get(key) {
                fits = false;
                value.findings().error_with_help(
                    value.key_span(),
                    format!("`{key}` does not go with `as_needed`: nothing is scheduled"),
                    "a ceiling stands in `at_most`",
                );
            }
        }
        if !fits {
            return None;
        }
        let bounds = self.bounds(table, None)?;
        if at_most == Some(None) || apart == Some(None) {
            return None;
        }
        // A pattern of every second within the bounds tells where they lie.
        let within = self.within(
            vec![part(Pattern::Elapsed(Elapsed {
                first: None,
                every: 1,
                amount: 0,
            }))],
            &bounds,
        );
        let bound =
            |second: Option<i64>| second.and_then(|second| Timestamp::from_second(second).ok());
        let as_needed = AsNeeded {
            reason: reason?,
            at_most: at_most.flatten(),
            apart: apart.flatten(),
            from: bound(within.parts[0].begin),
            until: bound(within.parts[0].end),
        };
        Some(Regimen {
            schedule: Schedule::default(),
            amounts: vec![take?],
            as_needed: Some(as_needed),
            by_distance: false,
            doses: None,
        })
    }
}
