//! Amounts that differ: by place in the day, by day or time, over time.

use super::super::bounds::Bounds;
use super::super::{Reader, parsed, required_words};
use super::{Regimen, add_slots, clock, part, sorted};
use crate::plan::DayWord;
use crate::plan::grammar::amount::{self, StepLength};
use crate::plan::grammar::days::{self, DaysWord};
use crate::plan::grammar::time;
use crate::plan::reader::{LocalDate, Table, Value};
use crate::recurrence::{Part, Schedule, Slot, Weekdays};
use jiff::{Timestamp, civil};

impl Reader<'_> {
    /// A table of amounts: its keys are all days or all times.
    pub(super) fn keyed(&self, take: &Value<'_>) -> Option<Keyed> {
        let entries = take.table()?.entries();
        let Some(first) = entries.first() else {
            take.error_with_help("`take` is empty", "write: take = \"1 tablet\"");
            return None;
        };
        let by_days = days::days(first.key()).is_ok();
        let mut amounts = Vec::new();
        let mut sets: Vec<Weekdays> = Vec::new();
        let mut slots = Vec::new();
        for (entry, index) in entries.iter().zip(0_u16..) {
            let at_key = |message: String, help: &str| {
                // The key is what is to be written, not the value under it.
                let help = if help.starts_with('"') {
                    format!("write: {help}")
                } else {
                    help.to_owned()
                };
                entry
                    .findings()
                    .error_with_help(entry.key_span(), message, help);
            };
            amounts.push(parsed(entry, amount::amount)?);
            let other_sort = if by_days {
                time::times(entry.key(), &self.day).is_ok()
            } else {
                days::days(entry.key()).is_ok()
            };
            if other_sort {
                at_key(
                    "the keys of `take` must be all days or all times".to_owned(),
                    "write two medications, or only days, or only times",
                );
                return None;
            }
            if by_days {
                let set = match days::days(entry.key()) {
                    Ok(DaysWord::Weekdays(set)) => set,
                    Ok(_) => {
                        at_key(
                            format!(
                                "`{}` cannot be a key of `take`: only days of the week can",
                                entry.key()
                            ),
                            "write two medications with `days`",
                        );
                        return None;
                    }
                    Err(problem) => {
                        at_key(problem.message, &problem.help.unwrap_or_default());
                        return None;
                    }
                };
                if let Some(day) = sets
                    .iter()
                    .flat_map(|other| other.intersection(set).iter())
                    .next()
                {
                    let taken = sets.iter().fold(Weekdays::NONE, |all, set| all.union(*set));
                    let left: Vec<&str> = set
                        .iter()
                        .filter(|day| !taken.contains(*day))
                        .map(|day| &weekday_name(day)[..3])
                        .collect();
                    let help = if left.is_empty() {
                        "leave it out: each day has one amount".to_owned()
                    } else {
                        let left = left.join(", ").to_lowercase();
                        format!("write: \"{left}\" = {}", entry.written())
                    };
                    at_key(format!("{} has two amounts", weekday_name(day)), &help);
                    return None;
                }
                sets.push(set);
            } else {
                match time::times(entry.key(), &self.day) {
                    Ok(minutes) => {
                        if !add_slots(&mut slots, &minutes, index, entry) {
                            return None;
                        }
                    }
                    Err(problem) => {
                        at_key(problem.message, &problem.help.unwrap_or_default());
                        return None;
                    }
                }
            }
        }
        Some(if by_days {
            Keyed::Days { amounts, sets }
        } else {
            Keyed::Times {
                amounts,
                slots: sorted(slots),
            }
        })
    }

    /// Morning-noon-evening-bedtime.
    pub(super) fn scheme(&self, table: &Table<'_>) -> Option<Regimen> {
        let value = table.get("scheme")?;
        let scheme = parsed(&value, amount::scheme);
        let unit = required_words(table, "unit", "unit = \"tablet\"");
        let word = Self::days_word(table);
        let bounds = self.bounds(table, None);
        let (scheme, unit, word, bounds) = (scheme?, unit?, word?, bounds?);
        let places = [
            DayWord::Morning,
            DayWord::Noon,
            DayWord::Evening,
            DayWord::Bedtime,
        ];
        let mut amounts: Vec<String> = Vec::new();
        let mut slots = Vec::new();
        for (number, place) in scheme.into_iter().zip(places) {
            let Some(number) = number else { continue };
            let space = if unit.starts_with(|c: char| c.is_ascii()) {
                " "
            } else {
                ""
            };
            let words = format!("{number}{space}{unit}");
            if let Err(problem) = amount::amount(&words) {
                let unit = table.get("unit")?;
                unit.error_with_help(
                    format!("`{words}` is no amount: {}", problem.message),
                    "write: unit = \"tablet\"",
                );
                return None;
            }
            let index = amounts
                .iter()
                .position(|known| *known == words)
                .unwrap_or_else(|| {
                    amounts.push(words);
                    amounts.len() - 1
                });
            let minute = time::minute_of(self.day.time(place));
            if !add_slots(&mut slots, &[minute], index as u16, &value) {
                return None;
            }
        }
        let days = self.days(table, word, bounds.start)?;
        Some(self.regimen_of(
            vec![part(clock(days, sorted(slots)))],
            amounts,
            &bounds,
            false,
        ))
    }

    /// Amounts that change over time.
    pub(super) fn steps(&self, table: &Table<'_>) -> Option<Regimen> {
        let value = table.get("steps")?;
        let entries = value.list()?;
        let steps: Vec<_> = entries
            .iter()
            .map(|entry| parsed(entry, amount::step))
            .collect();
        let slots = self.required_slots(table);
        let word = Self::days_word(table);
        let bounds = self.bounds(table, None);
        if entries.is_empty() {
            value.error_with_help(
                "`steps` is empty",
                "write: steps = [\"40 mg for 5 days\", \"20 mg for 5 days\"]",
            );
            return None;
        }
        let steps: Vec<(String, StepLength)> = steps.into_iter().collect::<Option<_>>()?;
        let (slots, word, bounds) = (slots?, word?, bounds?);
        for (entry, (amount, length)) in entries.iter().zip(&steps).take(steps.len() - 1) {
            if *length == StepLength::Open {
                entry.error_with_help(
                    "only the last step goes on: how long does this one last?",
                    format!("write: \"{amount} for 5 days\""),
                );
                return None;
            }
        }
        let Some(start) = bounds.start else {
            value.error_with_help(
                "steps count from a start, and there is none",
                self.start_help(),
            );
            return None;
        };
        if bounds.end.is_some()
            && steps
                .last()
                .is_some_and(|(_, length)| *length != StepLength::Open)
        {
            self.findings.error_with_help(
                bounds.end_place.clone(),
                "the steps already say when it ends",
                "leave it out, or let the last step go on: \"5 mg\"",
            );
            return None;
        }
        let days = self.days(table, word, Some(start))?;
        let mut amounts: Vec<String> = Vec::new();
        let mut parts = Vec::new();
        let mut cursor = Some(start);
        for (amount, length) in steps {
            let Some(from) = cursor else { break };
            let index = amounts
                .iter()
                .position(|known| *known == amount)
                .unwrap_or_else(|| {
                    amounts.push(amount);
                    amounts.len() - 1
                });
            let slots = slots
                .iter()
                .map(|slot| Slot {
                    amount: index as u16,
                    ..*slot
                })
                .collect();
            let mut step = part(clock(days.clone(), slots));
            self.begin_part(&mut step, from);
            cursor = match length {
                StepLength::Span(span) => {
                    let until = match from {
                        LocalDate::Date(date) => LocalDate::Date(span.after(date)),
                        LocalDate::DateTime(at) => LocalDate::DateTime(span.after_time(at)),
                    };
                    self.end_part(&mut step, until);
                    Some(until)
                }
                StepLength::Once => self.after_one(&mut step, &bounds),
                StepLength::Open => None,
            };
            parts.push(step);
        }
        Some(self.regimen_of(parts, amounts, &bounds, false))
    }

    /// Ends a part after its first dose; the local time of the dose that would follow.
    fn after_one(&self, step: &mut Part, bounds: &Bounds) -> Option<LocalDate> {
        let probe = Schedule {
            parts: vec![step.clone()],
            pauses: bounds.pauses.clone(),
        };
        let mut following = probe.occurrences(&self.zone, Timestamp::MIN);
        let (first, second) = (following.next()?, following.next());
        step.end = Some(first.at.as_second() + 1);
        second.map(|second| LocalDate::DateTime(self.zone.local(second.at)))
    }
}

/// Amounts by days or by times.
pub(super) enum Keyed {
    Days {
        amounts: Vec<String>,
        sets: Vec<Weekdays>,
    },
    Times {
        amounts: Vec<String>,
        slots: Vec<Slot>,
    },
}

/// For messages in English.
fn weekday_name(day: civil::Weekday) -> &'static str {
    match day {
        civil::Weekday::Monday => "Monday",
        civil::Weekday::Tuesday => "Tuesday",
        civil::Weekday::Wednesday => "Wednesday",
        civil::Weekday::Thursday => "Thursday",
        civil::Weekday::Friday => "Friday",
        civil::Weekday::Saturday => "Saturday",
        civil::Weekday::Sunday => "Sunday",
    }
}
