//! When which amount: the forms of a medication's schedule.

mod distance;
mod single;
mod varying;

use super::bounds::{Bounds, End, date_of};
use super::{Reader, parsed, parsed_time};
use crate::plan::AsNeeded;
use crate::plan::grammar::amount;
use crate::plan::grammar::days::{self, DaysWord};
use crate::plan::grammar::time::{self, A_DAY_MAX, Minute};
use crate::plan::reader::{LocalDate, Table, Value};
use crate::recurrence::{Clock, Days, Part, Pattern, Schedule, Slot, Weekdays};
use jiff::civil;
use varying::Keyed;

/// A medication's schedule with the amounts to which it points.
pub(super) struct Regimen {
    pub(super) schedule: Schedule,
    pub(super) amounts: Vec<String>,
    pub(super) as_needed: Option<AsNeeded>,
    pub(super) by_distance: bool,
    pub(super) doses: Option<u32>,
}

/// The keys that make a form, and all that go with it.
const FORMS: [(&str, &[&str]); 6] = [
    ("every", &["take", "every", "first", "between"]),
    ("once", &["take", "once"]),
    ("as_needed", &["take", "as_needed", "at_most", "apart"]),
    ("scheme", &["scheme", "unit", "days"]),
    ("steps", &["steps", "at", "days"]),
    ("at", &["take", "at", "days"]),
];

const SCHEDULE_KEYS: [&str; 13] = [
    "take",
    "at",
    "days",
    "every",
    "first",
    "between",
    "once",
    "as_needed",
    "at_most",
    "apart",
    "scheme",
    "unit",
    "steps",
];

/// A part without bounds.
fn part(pattern: Pattern) -> Part {
    Part {
        pattern,
        begin: None,
        end: None,
    }
}

fn clock(days: Days, slots: Vec<Slot>) -> Pattern {
    Pattern::Clock(Clock {
        days,
        slots,
        first_day: None,
        last_day: None,
    })
}

impl Reader<'_> {
    pub(super) fn regimen(&self, table: &Table<'_>) -> Option<Regimen> {
        let form = Self::form(table)?;
        match form {
            "every" => self.every(table),
            "once" => self.once(table),
            "as_needed" => self.as_needed(table),
            "scheme" => self.scheme(table),
            "steps" => self.steps(table),
            _ => self.at(table),
        }
    }

    /// Which form it is; keys that do not go with it are refused.
    fn form(table: &Table<'_>) -> Option<&'static str> {
        let present = |key: &&str| table.get(key).is_some();
        let form = FORMS.iter().find(|(form, _)| present(form));
        let (form, allowed) = form.or_else(|| {
            let keyed = table.get("take").is_some_and(|take| take.is_table());
            (keyed || present(&"days")).then_some(&FORMS[5])
        })?;
        let mut fits = true;
        for key in SCHEDULE_KEYS.iter().filter(|key| !allowed.contains(key)) {
            let Some(value) = table.get(key) else {
                continue;
            };
            fits = false;
            let message = format!("`{key}` does not go with `{form}`");
            let written = table.get(form).map_or("", |value| value.written());
            let help = match (*form, *key) {
                ("every", "at") => format!(
                    "write: every = {written}, a distance, or at = {}, by the clock on the wall, not both",
                    value.written()
                ),
                ("scheme" | "steps", "take") => {
                    format!("`{form}` already says how much: leave `take` out")
                }
                ("at", "between") => format!(
                    "write: every = \"3 hours\" and between = {}, without `at`",
                    value.written()
                ),
                ("at", "first") => format!("write: start = {}", value.written()),
                ("at", "at_most" | "apart") => format!(
                    "write: as_needed = \"pain\" and {key} = {}, without `at`",
                    value.written()
                ),
                ("at", "unit") => "write the unit with the number: take = \"1 tablet\"".to_owned(),
                _ => format!(
                    "leave `{key}` out; with `{form}` stand: {}",
                    allowed.join(", ")
                ),
            };
            value
                .findings()
                .error_with_help(value.key_span(), message, help);
        }
        fits.then_some(*form)
    }

    /// `take` as one amount.
    fn take(table: &Table<'_>) -> Option<String> {
        let Some(value) = table.get("take") else {
            table.missing("take", "take = \"1 tablet\"");
            return None;
        };
        if value.is_table() {
            value.error_with_help("one amount is wanted here", "write: take = \"1 tablet\"");
            return None;
        }
        if value.is_list() {
            value.error_with_help(
                "one amount is wanted here, not a list",
                "write: take = \"1 tablet\", or one amount for each time: take = { \"08:00\" = \"1 tablet\", \"20:00\" = \"2 tablets\" }",
            );
            return None;
        }
        parsed(&value, amount::amount)
    }

    /// All times of a value, as slots of one amount; each time once.
    fn slots(&self, value: &Value<'_>) -> Option<Vec<Slot>> {
        let mut slots = Vec::new();
        let mut complete = true;
        for entry in value.one_or_many() {
            match parsed_time(&entry, |text| time::times(text, &self.day)) {
                Some(minutes) => complete &= add_slots(&mut slots, &minutes, 0, &entry),
                None => complete = false,
            }
        }
        if complete && slots.is_empty() {
            value.error_with_help(
                format!("`{}` is empty", value.key()),
                "write: at = \"08:00\"",
            );
            return None;
        }
        complete.then(|| sorted(slots))
    }

    fn days_word(table: &Table<'_>) -> Option<DaysWord> {
        table
            .get("days")
            .map_or(Some(DaysWord::EVERY), |value| parsed(&value, days::days))
    }

    /// The days, counted from the start where they need one.
    fn days(&self, table: &Table<'_>, word: DaysWord, start: Option<LocalDate>) -> Option<Days> {
        if word.needs_start() && start.is_none() {
            if let Some(value) = table.get("days") {
                value.error_with_help(
                    format!("{} counts from a start, and there is none", value.written()),
                    self.start_help(),
                );
            }
            return None;
        }
        Some(word.from(start.map_or(civil::Date::ZERO, date_of)))
    }

    /// `take` at `at` on `days`; also with a table of amounts by days or by times.
    fn at(&self, table: &Table<'_>) -> Option<Regimen> {
        let days = Self::days_word(table);
        let bounds = self.bounds(table, None);
        let take = table.get("take");
        let keyed = match &take {
            Some(take) if take.is_table() => Some(self.keyed(take)?),
            _ => None,
        };
        let (amounts, patterns): (Vec<String>, Vec<AmountPattern>) = match keyed {
            Some(Keyed::Times { amounts, slots }) => {
                if let Some(at) = table.get("at") {
                    at.findings().error_with_help(
                        at.key_span(),
                        "`take` already says at what times",
                        "leave `at` out",
                    );
                    return None;
                }
                (amounts, vec![(None, slots)])
            }
            Some(Keyed::Days { amounts, sets }) => {
                if let Some(days) = table.get("days") {
                    days.findings().error_with_help(
                        days.key_span(),
                        "`take` already says on which days",
                        "leave `days` out",
                    );
                    return None;
                }
                let slots = self.required_slots(table)?;
                let with = |index: u16| {
                    slots
                        .iter()
                        .map(|slot| Slot {
                            amount: index,
                            ..*slot
                        })
                        .collect()
                };
                let patterns = sets
                    .iter()
                    .zip(0..)
                    .map(|(set, index)| (Some(*set), with(index)))
                    .collect();
                (amounts, patterns)
            }
            None => {
                let take = Self::take(table);
                let slots = self.required_slots(table);
                (vec![take?], vec![(None, slots?)])
            }
        };
        let (word, bounds) = (days?, bounds?);
        let days = self.days(table, word, bounds.start)?;
        let parts = patterns
            .into_iter()
            .map(|(set, slots)| part(clock(set.map_or(days.clone(), Days::Weekdays), slots)))
            .collect();
        Some(self.regimen_of(parts, amounts, &bounds, false))
    }

    fn required_slots(&self, table: &Table<'_>) -> Option<Vec<Slot>> {
        let Some(value) = table.get("at") else {
            table.missing(
                "at",
                "at = \"08:00\", at = \"with breakfast\" or every = \"8 hours\"",
            );
            return None;
        };
        self.slots(&value)
    }

    fn regimen_of(
        &self,
        parts: Vec<Part>,
        amounts: Vec<String>,
        bounds: &Bounds,
        by_distance: bool,
    ) -> Regimen {
        let doses = match bounds.end {
            Some(End::Doses(doses)) => Some(doses),
            _ => None,
        };
        Regimen {
            schedule: self.within(parts, bounds),
            amounts,
            as_needed: None,
            by_distance,
            doses,
        }
    }
}

/// Slots on days of the week, or on those that `days` says.
type AmountPattern = (Option<Weekdays>, Vec<Slot>);

fn sorted(mut slots: Vec<Slot>) -> Vec<Slot> {
    slots.sort_by_key(|slot| slot.minute);
    slots
}

/// Adds times to the slots; false where one is there already or where they become too many.
fn add_slots(slots: &mut Vec<Slot>, minutes: &[Minute], amount: u16, value: &Value<'_>) -> bool {
    for &minute in minutes {
        if slots.iter().any(|slot| slot.minute == minute) {
            let time = minute.rem_euclid(24 * 60);
            // What would be right: all of the times, each once.
            let mut all: Vec<Minute> = slots.iter().map(|slot| slot.minute).collect();
            all.extend(minutes);
            all.sort_unstable();
            all.dedup();
            let at: Vec<String> = all
                .iter()
                .map(|minute| minute.rem_euclid(24 * 60))
                .map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60))
                .collect();
            let at_key =
                value.key() == "at" && all.iter().all(|minute| (0..24 * 60).contains(minute));
            let help = if at_key {
                format!("write: at = \"{}\"", at.join(", "))
            } else {
                "each time once; two amounts at one time are two medications".to_owned()
            };
            value.error_with_help(
                format!("{:02}:{:02} stands here twice", time / 60, time % 60),
                help,
            );
            return false;
        }
        slots.push(Slot { minute, amount });
    }
    if slots.len() > A_DAY_MAX as usize {
        value.error_with_help(
            format!("these are more than {A_DAY_MAX} times a day"),
            "write: at = \"4 times a day\"",
        );
        return false;
    }
    true
}

impl Reader<'_> {
    /// The schedule of a check-in: `at` on `days` within `start` and `end`.
    pub(super) fn questions(&self, table: &Table<'_>) -> Option<Schedule> {
        // A course has no place here, and was refused with the keys.
        if ["for", "doses", "pauses"]
            .iter()
            .any(|key| table.get(key).is_some())
        {
            return None;
        }
        let slots = self.required_slots(table);
        let word = Self::days_word(table);
        let bounds = self.bounds(table, None);
        let (slots, word, bounds) = (slots?, word?, bounds?);
        let days = self.days(table, word, bounds.start)?;
        Some(self.within(vec![part(clock(days, slots))], &bounds))
    }
}
