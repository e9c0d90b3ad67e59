//! A patient's text becomes a plan: every value typed, checked against the others, resolved with
//! what it inherits. All that is wrong is found in one run.

mod bounds;
mod check_in;
mod day;
mod doubts;
mod medication;
mod others;
mod patient;
mod schedule;

use super::{
    Day, Defaults, ResolvedPlan, Zone,
    diagnostic::{Diagnostic, Source},
    grammar::{Problem, Reading},
    reader::{Document, Findings, LocalDate, Table, Value},
    words::turns_direction,
};
use jiff::{Timestamp, civil};
use std::{ops::Range, sync::Arc};

/// A plan that stands, with doubts about it.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// What the text means.
    pub plan: ResolvedPlan,
    /// What its writer may have meant otherwise.
    pub warnings: Vec<Diagnostic>,
    /// Where it says what.
    pub places: Places,
}

/// Where a plan's text says what: byte ranges of the source, in the order of the plan's lists.
#[derive(Clone, Debug)]
pub struct Places {
    /// The text.
    pub source: Arc<Source>,
    /// Of each medication.
    pub medications: Vec<MedicationPlace>,
    /// Of each check-in's question.
    pub check_ins: Vec<Range<usize>>,
    /// Of what each appointment is for.
    pub appointments: Vec<Range<usize>>,
}

/// Where a medication says what messages use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MedicationPlace {
    /// `name`
    pub name: Range<usize>,
    /// `short`
    pub short: Option<Range<usize>>,
    /// `take`, `scheme` or `steps`: the amounts.
    pub take: Option<Range<usize>>,
    /// `at`, `every`, `once` or whatever else says when.
    pub times: Option<Range<usize>>,
    /// `refill_when`
    pub refill: Option<Range<usize>>,
}

impl MedicationPlace {
    /// What messages call the medication: `short` if there is one, else `name`.
    #[must_use]
    pub fn label(&self) -> Range<usize> {
        self.short.clone().unwrap_or_else(|| self.name.clone())
    }
}

/// Reads a patient's file.
///
/// # Errors
/// All that is wrong with it, and its doubts, in the order of the text.
pub fn read(source: &Arc<Source>, defaults: &Defaults) -> Result<ReadPlan, Vec<Diagnostic>> {
    let document = Document::parse(source);
    let Some(root) = document.root() else {
        return Err(document.finish());
    };
    read_table(&root, defaults)
}

/// Reads a patient's table within another file, e.g. `[patients.ID]` of the configuration.
/// Nothing is noted in the table's own findings.
///
/// # Errors
/// All that is wrong with it, and its doubts, in the order of the text.
pub fn read_table(table: &Table<'_>, defaults: &Defaults) -> Result<ReadPlan, Vec<Diagnostic>> {
    let source = Arc::clone(table.findings().source());
    let findings = Findings::new(&source);
    let read = patient::read(&table.with_findings(&findings), defaults);
    let failed = findings.has_errors();
    let list = findings.into_list();
    match read {
        Some((plan, places)) if !failed => Ok(ReadPlan {
            plan,
            warnings: list,
            places,
        }),
        _ => Err(list),
    }
}

/// What all values of one patient share.
struct Reader<'f> {
    findings: &'f Findings,
    zone: Zone,
    day: Day,
    now: Option<Timestamp>,
}

impl Reader<'_> {
    /// The local date of the present, or one that shows the form.
    fn today(&self) -> civil::Date {
        self.now
            .map_or(civil::date(2026, 3, 2), |now| self.zone.local(now).date())
    }

    fn start_help(&self) -> String {
        format!("write: start = {}", self.today())
    }

    /// A local date-time that the clocks skip is refused: nobody means a time that is not there.
    /// False where one was refused.
    fn exists(&self, value: &Value<'_>, at: civil::DateTime) -> bool {
        // What a trip skips is no slip of the pen: it moves like the times of every day.
        let day = crate::recurrence::Day::from(at.date());
        let trips = self.zone.trips();
        let trip = trips
            .iter()
            .find(|trip| trip.from <= day && day <= trip.until);
        let name = trip.map_or(self.zone.name(), |trip| &trip.zone);
        let Ok(zone) = Zone::get(name) else {
            return true;
        };
        let shown = zone.local(zone.instant(at));
        if shown == at {
            return true;
        }
        let message = format!(
            "there is no {} on {}: the clocks of {} skip it",
            at.strftime("%H:%M"),
            at.date(),
            zone.name()
        );
        let instead = shown.strftime("%Y-%m-%dT%H:%M:%S");
        let help = if value.is_list_entry() {
            format!("write: {instead}")
        } else {
            format!("write: {} = {instead}", value.key())
        };
        value.error_with_help(message, help);
        false
    }

    /// [`local_date_time`] that exists.
    fn existing_date_time(&self, value: &Value<'_>) -> Option<civil::DateTime> {
        local_date_time(value).filter(|at| self.exists(value, *at))
    }

    /// [`local_date`] whose time, if any, exists.
    fn existing_date(&self, value: &Value<'_>) -> Option<LocalDate> {
        local_date(value).filter(|found| match found {
            LocalDate::Date(_) => true,
            LocalDate::DateTime(at) => self.exists(value, *at),
        })
    }
}

/// Notes what is wrong with a value.
fn refuse(value: &Value<'_>, problem: Problem) {
    match problem.help {
        // The help is a value to copy.
        Some(help) if help.starts_with('"') && !value.is_list_entry() => {
            let key = value.key_written();
            value.error_with_help(problem.message, format!("write: {key} = {help}"));
        }
        Some(help) => value.error_with_help(problem.message, format!("write: {help}")),
        None => value.error(problem.message),
    }
}

/// A text, read by a grammar.
fn parsed<T>(value: &Value<'_>, parse: impl Fn(&str) -> Reading<T>) -> Option<T> {
    if without_quotes(value, &parse) {
        return None;
    }
    let text = value.text()?;
    parse(text.get_ref())
        .map_err(|problem| refuse(value, problem))
        .ok()
}

/// A text or a bare local time, read by a grammar.
fn parsed_time<T>(value: &Value<'_>, parse: impl Fn(&str) -> Reading<T>) -> Option<T> {
    if value.kind() != "a time" && without_quotes(value, &parse) {
        return None;
    }
    let text = value.text_or_time()?;
    parse(text.get_ref())
        .map_err(|problem| refuse(value, problem))
        .ok()
}

/// Refuses a number or the like which quotes alone would not make right, with what would be
/// right: `for = 7` wants days or weeks. False where it is none.
fn without_quotes<T>(value: &Value<'_>, parse: impl Fn(&str) -> Reading<T>) -> bool {
    let Some(Err(Problem {
        help: Some(help), ..
    })) = value.bare().map(parse)
    else {
        return false;
    };
    let each = if value.is_list_entry() {
        "each entry of "
    } else {
        ""
    };
    let (key, kind) = (value.key(), value.kind());
    let message = format!("{each}`{key}` must be a text in quotes, not {kind}");
    refuse(value, Problem::new(message).help(help));
    true
}

/// Most characters of a name, an id or a question.
const WORDS_MAX: usize = 300;
/// Most characters of the doctor's words.
const NOTE_MAX: usize = 2000;

/// A text for people: not blank, one line, not endless.
fn words(value: &Value<'_>) -> Option<String> {
    free_text(value, WORDS_MAX, false, None)
}

/// The doctor's words: like [`words`], on several lines if need be.
fn note(value: &Value<'_>) -> Option<String> {
    free_text(value, NOTE_MAX, true, None)
}

fn free_text(value: &Value<'_>, max: usize, lines: bool, example: Option<&str>) -> Option<String> {
    let text = value.text()?.into_inner().trim();
    let length = text.chars().count();
    let problem = if text.is_empty() {
        format!("`{}` is empty", value.key())
    } else if length > max {
        format!("`{}` has {length} characters, more than {max}", value.key())
    } else if text.contains(|c: char| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t')))
    {
        format!(
            "`{}` must be one line without control characters",
            value.key()
        )
    } else if let Some(turn) = text.chars().find(|c| turns_direction(*c)) {
        format!(
            "`{}` has a character that turns the reading direction: U+{:04X}",
            value.key(),
            u32::from(turn)
        )
    } else {
        return Some(text.to_owned());
    };
    let example = example.map_or_else(
        || {
            let words = match value.key() {
                "as_needed" => "headache",
                "id" | "short" => "amoxicillin",
                _ => "a few words",
            };
            format!("{} = \"{words}\"", value.key())
        },
        str::to_owned,
    );
    value.error_with_help(problem, format!("write: {example}"));
    None
}

/// [`words`] of a key that may be absent.
fn optional_words(table: &Table<'_>, key: &str) -> Option<String> {
    words(&table.get(key)?)
}

/// The value of a key that must be there; `example` is a line that would be right.
fn required<'a>(table: &Table<'a>, key: &str, example: &str) -> Option<Value<'a>> {
    let value = table.get(key);
    if value.is_none() {
        table.missing(key, example);
    }
    value
}

/// [`words`] of a key that must be there.
fn required_words(table: &Table<'_>, key: &str, example: &str) -> Option<String> {
    free_text(
        &required(table, key, example)?,
        WORDS_MAX,
        false,
        Some(example),
    )
}

/// A local date or date-time within what calendars of patients need, on a whole second.
fn local_date(value: &Value<'_>) -> Option<LocalDate> {
    sensible(value, value.local_date()?)
}

fn sensible(value: &Value<'_>, found: LocalDate) -> Option<LocalDate> {
    let (date, whole) = match found {
        LocalDate::Date(date) => (date, true),
        LocalDate::DateTime(at) => (at.date(), at.subsec_nanosecond() == 0),
    };
    if !whole {
        let whole = value.written().split('.').next().unwrap_or_default();
        value.error_with_help(
            format!("`{}` must be on a whole second", value.key()),
            format!("write: {} = {whole}", value.key()),
        );
        return None;
    }
    if !(1900..=2200).contains(&date.year()) {
        value.error_with_help(
            format!("the year {} is not from 1900 to 2200", date.year()),
            format!("write: {} = 2026-03-02", value.key()),
        );
        return None;
    }
    Some(found)
}

/// A local date-time, with the limits of [`local_date`].
fn local_date_time(value: &Value<'_>) -> Option<civil::DateTime> {
    match sensible(value, value.local_date_like("2026-03-02T08:00:00")?)? {
        LocalDate::DateTime(at) => Some(at),
        LocalDate::Date(date) => {
            value.expected("a date with a time", Some(&format!("{date}T08:00:00")));
            None
        }
    }
}

/// A local date, with the limits of [`local_date`].
fn plain_date(value: &Value<'_>) -> Option<civil::Date> {
    match local_date(value)? {
        LocalDate::Date(date) => Some(date),
        LocalDate::DateTime(at) => {
            value.expected("a date without a time", Some(&at.date().to_string()));
            None
        }
    }
}

#[cfg(test)]
mod tests;
