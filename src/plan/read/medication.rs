//! A `[[medication]]`.

use super::{MedicationPlace, Reader, note, optional_words, parsed, required_words};
use crate::plan::{
    Medication, Stock,
    grammar::{Problem, Reading, amount, course, span},
    reader::{Keys, Table, Value},
};
use jiff::SignedDuration;

pub(super) const KEYS: Keys = Keys::new(&[
    "name",
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
    "id",
    "short",
    "start",
    "end",
    "for",
    "doses",
    "pauses",
    "critical",
    "note",
    "window",
    "nudge",
    "stock",
    "refill_when",
    "if_missed",
]);

/// More reminders of one dose help nobody (P9).
const NUDGES_MAX: usize = 5;

/// No window that is not given is longer (P8).
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(48);

/// How long a dose may still be reminded of.
fn window_length(text: &str) -> Reading<SignedDuration> {
    let window = span::positive_duration(text)?;
    let sensible = SignedDuration::from_mins(1)..=SignedDuration::from_hours(24 * 31);
    if sensible.contains(&window) {
        return Ok(window);
    }
    Err(Problem::new("a window lasts from a minute to 31 days").help("\"2 hours\""))
}

impl Reader<'_> {
    pub(super) fn medication(&self, table: &Table<'_>) -> Option<(Medication, MedicationPlace)> {
        let errors = self.findings.errors();
        let name = required_words(table, "name", "name = \"Amoxicillin 500 mg\"");
        let id = optional_words(table, "id");
        let short = optional_words(table, "short");
        let critical = table.boolean("critical").unwrap_or(false);
        let doctors_note = table.get("note").and_then(|value| note(&value));
        let if_missed = table.get("if_missed").and_then(|value| note(&value));
        let window = table
            .get("window")
            .and_then(|value| parsed(&value, window_length));
        let nudge = table
            .get("nudge")
            .and_then(|value| Self::nudge(&value, window));
        let stock = table.get("stock").and_then(|value| {
            let (thousandths, unit, on) = parsed(&value, amount::stock)?;
            Some(Stock {
                thousandths,
                unit,
                on,
            })
        });
        let refill_when = table.get("refill_when").and_then(|value| {
            let refill = parsed(&value, course::refill)?;
            if table.get("stock").is_none() {
                let help = format!("write: stock = \"60 tablets on {}\"", self.today());
                value.error_with_help("`refill_when` needs a `stock` to count down", help);
            }
            Some(refill)
        });
        let regimen = self.regimen(table);
        let span = |key: &str| table.get(key).map(|value| value.span());
        let said = self.findings.errors() != errors || table.has_misnamed_key();
        if regimen.is_none() && !said {
            let help = "at = \"08:00\" (or every = \"8 hours\", or as_needed = \"pain\")";
            table.missing("at", help);
        }
        let first_of = |keys: &[&str]| keys.iter().find_map(|key| span(key));
        let (regimen, name) = (regimen?, name?);
        let place = MedicationPlace {
            name: span("name")?,
            short: span("short"),
            take: first_of(&["take", "scheme", "steps"]),
            refill: span("refill_when"),
            times: first_of(&["at", "every", "once", "as_needed", "scheme", "take"]),
        };
        let medication = Medication {
            id: id.unwrap_or_else(|| name.clone()),
            name,
            short,
            critical,
            note: doctors_note,
            schedule: regimen.schedule,
            by_distance: regimen.by_distance,
            doses: regimen.doses,
            amounts: regimen.amounts,
            as_needed: regimen.as_needed,
            window,
            nudge,
            stock,
            refill_when,
            if_missed,
        };
        if let (Some(value), Some(stock)) = (table.get("stock"), &medication.stock) {
            warn_of_uncounted(&value, stock, &medication.amounts);
        }
        Some((medication, place))
    }

    fn nudge(value: &Value<'_>, window: Option<SignedDuration>) -> Option<Vec<SignedDuration>> {
        let entries = value.one_or_many();
        if entries.len() > NUDGES_MAX {
            value.error_with_help(
                format!(
                    "a dose is nudged at most {NUDGES_MAX} times, not {}",
                    entries.len()
                ),
                "write: nudge = [\"15 min\", \"1 hour\"]",
            );
            return None;
        }
        let mut nudges = Vec::new();
        for entry in &entries {
            let after = parsed(entry, span::positive_duration)?;
            if nudges.contains(&after) {
                entry.error_with_help(
                    format!("{} stands here twice", entry.written()),
                    "leave this one out",
                );
                return None;
            }
            if window.is_none() && after >= LONGEST_WINDOW {
                entry.error_with_help(
                    format!("{} is past each window that is not given", entry.written()),
                    "write: nudge = [\"15 min\", \"1 hour\"], or give a longer `window`",
                );
                return None;
            }
            if window.is_some_and(|window| after >= window) {
                entry.error_with_help(
                    format!(
                        "{} is past the window, in which alone a nudge can be",
                        entry.written()
                    ),
                    "write: nudge = [\"15 min\"], or a longer `window`",
                );
                return None;
            }
            nudges.push(after);
        }
        nudges.sort_unstable();
        Some(nudges)
    }
}

/// A stock in other units than what is taken of it cannot be counted down.
fn warn_of_uncounted(value: &Value<'_>, stock: &Stock, amounts: &[String]) {
    let mut uncounted = amounts.iter().filter(|amount| {
        amount::quantity(amount).is_none_or(|(_, unit)| !amount::same_unit(&stock.unit, &unit))
    });
    if let Some(amount) = uncounted.next() {
        let why = if amount.is_empty() {
            "an amount \"as directed\" has no number".to_owned()
        } else {
            let unit = if stock.unit.is_empty() {
                "it"
            } else {
                stock.unit.as_str()
            };
            format!("\"{amount}\" is not said in {unit}")
        };
        let message = format!("`stock` is not counted down, and no refill is told of: {why}");
        value.findings().warning(value.key_span(), message);
    }
}
