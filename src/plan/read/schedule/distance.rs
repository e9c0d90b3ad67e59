//! By a distance: elapsed time, after the last dose, or within hours of the day.

use super::super::bounds::Bounds;
use super::super::{Reader, parsed};
use super::{Regimen, clock, part};
use crate::plan::grammar::time::A_DAY_MAX;
use crate::plan::grammar::{course, span, time};
use crate::plan::reader::{LocalDate, Table, Value};
use crate::recurrence::{Days, Elapsed, Pattern, Slot};

impl Reader<'_> {
    /// A distance: by elapsed time, after the last dose, or within hours of the day.
    pub(super) fn every(&self, table: &Table<'_>) -> Option<Regimen> {
        let take = Self::take(table);
        let value = table.get("every")?;
        let every = parsed(&value, course::every);
        let first = table.get("first");
        let first_at = first
            .as_ref()
            .map(|first| self.existing_date_time(first).map(|at| (at, first.span())));
        if matches!(first_at, Some(None)) {
            return None;
        }
        let first_at = first_at.flatten();
        let bounds = self.bounds(table, first_at.as_ref().map(|(at, _)| *at));
        let (take, every, bounds) = (take?, every?, bounds?);
        if let Some(between) = table.get("between") {
            if let Some(first) = &first {
                first.findings().error_with_help(
                    first.key_span(),
                    "`first` does not go with `between`: each day begins where the span begins",
                    format!(
                        "write: between = {}, and leave `first` out",
                        between.written()
                    ),
                );
                return None;
            }
            return self.between(&between, every, take, &bounds);
        }
        if every.minutes < 60 * 24 / A_DAY_MAX {
            value.error_with_help(
                format!("{} is more than {A_DAY_MAX} times a day", value.written()),
                "write: every = \"1 hour\", or with the hours of the day: between = \"07:00-22:00\"",
            );
            return None;
        }
        let first = match (first_at, bounds.start) {
            (Some((at, place)), Some(start)) => {
                let early = match start {
                    LocalDate::Date(date) => at.date() < date,
                    LocalDate::DateTime(start) => at < start,
                };
                if early {
                    let help = format!(
                        "write: first = {}, or leave `start` out",
                        match start {
                            LocalDate::Date(date) => date.to_datetime(at.time()),
                            LocalDate::DateTime(start) => start,
                        }
                    );
                    self.findings
                        .error_with_help(place, "`first` is before `start`", help);
                    return None;
                }
                Some(at)
            }
            (Some((at, _)), None) | (None, Some(LocalDate::DateTime(at))) => Some(at),
            (None, Some(LocalDate::Date(date))) => {
                value.error_with_help(
                    format!("at what time on {date} is the first one?"),
                    format!("write: first = {date}T08:00:00"),
                );
                return None;
            }
            (None, None) if every.after_last => None,
            (None, None) => {
                value.error_with_help(
                    "a distance needs its first dose, and there is no `first`",
                    format!("write: first = {}T08:00:00", self.today()),
                );
                return None;
            }
        };
        let elapsed = Elapsed {
            first: first.map(|at| self.zone.instant(at).as_second()),
            every: i64::from(every.minutes) * 60,
            amount: 0,
        };
        let pattern = if every.after_last {
            Pattern::AfterLast(elapsed)
        } else {
            Pattern::Elapsed(elapsed)
        };
        Some(self.regimen_of(vec![part(pattern)], vec![take], &bounds, true))
    }

    fn between(
        &self,
        value: &Value<'_>,
        every: course::Every,
        take: String,
        bounds: &Bounds,
    ) -> Option<Regimen> {
        let (from, until) = parsed(value, |text| {
            span::time_range(text).map_err(|problem| problem.help("\"07:00-22:00\""))
        })?;
        if every.after_last {
            value.error_with_help(
                "`between` does not go with a distance after the last dose",
                "write: every = \"3 hours\"",
            );
            return None;
        }
        if from > until {
            value.error_with_help(
                "`between` cannot pass midnight",
                "write: between = \"07:00-22:00\"",
            );
            return None;
        }
        let (from, until) = (time::minute_of(from), time::minute_of(until));
        let slots: Vec<Slot> = (from..=until)
            .step_by(every.minutes as usize)
            .map(|minute| Slot { minute, amount: 0 })
            .collect();
        if slots.len() > A_DAY_MAX as usize {
            value.error_with_help(
                format!("these are {} a day, more than {A_DAY_MAX}", slots.len()),
                "write: every = \"1 hour\", or fewer hours of the day",
            );
            return None;
        }
        Some(self.regimen_of(
            vec![part(clock(Days::EVERY, slots))],
            vec![take],
            bounds,
            true,
        ))
    }
}
