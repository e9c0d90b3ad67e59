//! Requests as plan files.
//!
//! A request becomes one `[[medication]]` where a form of the plan language says all its dosages
//! together, else each dosage one, or a few where one cannot say it. Times are written as
//! clock times, so that the text means the same whatever the clinic's words of the day are. What
//! was written is read back and compared with the dosage: a text that would mean anything else
//! is not given out, and the caller is told what is left.

mod form;
mod joined;

use super::{
    Course, End, Moment, Names, Pattern, Request, Terms, WhenNeeded, document::PatientName,
};
use crate::plan::{
    self, Day, Defaults, Language, Zone, diagnostic::Source, words::turns_direction,
};
use crate::recurrence::Weekdays;
use jiff::{Timestamp, civil};
use std::collections::HashSet;
use std::fmt::Write as _;

/// More medications do not stand in one plan.
const MEDICATIONS_MAX: usize = 200;
/// So many instants of a dosage are compared with what its text means.
const COMPARED: usize = 400;
/// Limits of the plan language.
const WORDS_MAX: usize = 300;
const NOTE_MAX: usize = 2000;
/// More doses are written as an end.
const DOSES_MAX: u32 = 10_000;

/// One patient, as plans need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The reference.
    pub reference: String,
    /// The name in one line.
    pub name: String,
    /// Date of birth.
    pub born: Option<civil::Date>,
}

impl Subject {
    /// Whom a request is about: the Patient resource says the name, else the subject's display,
    /// else the reference stands for it.
    #[must_use]
    pub fn of(request: &Request, names: &Names) -> Self {
        let known = names.patient(&request.subject);
        let PatientName { name, born } = known.cloned().unwrap_or_default();
        let display = request.subject_name.as_deref().map(str::trim);
        let name = name
            .or_else(|| display.filter(|name| !name.is_empty()).map(str::to_owned))
            .unwrap_or_else(|| request.subject.clone());
        Self {
            reference: request.subject.clone(),
            name,
            born,
        }
    }
}

/// A plan file and what is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The text of the plan; `None` where nothing could be carried over.
    pub text: Option<String>,
    /// What a plan cannot say and a reminder depends on: whole dosages, a sentence each.
    pub lost: Vec<String>,
    /// What a plan cannot say besides.
    pub left: Vec<String>,
}

/// Keys and values of one `[[medication]]`, without name and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Item {
    lines: Vec<(&'static str, String)>,
}

impl Item {
    fn with(mut self, key: &'static str, value: String) -> Self {
        self.lines.push((key, value));
        self
    }

    fn render(&self, name: &str, id: &str, out: &mut String) {
        let mut line = |key: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{key} = {value}");
        };
        line("name", &quoted(name));
        if id != name {
            line("id", &quoted(id));
        }
        for (key, value) in &self.lines {
            line(key, value);
        }
    }
}

/// Writes the plan of one subject.
#[must_use]
pub fn write(subject: &Subject, requests: &[Request], terms: &Terms) -> Written {
    let mut written = Written {
        text: None,
        lost: Vec::new(),
        left: Vec::new(),
    };
    let mut medications = String::new();
    let mut ids = HashSet::new();
    for request in requests {
        let label = format!("MedicationRequest/{}", request.id);
        let name = one_line(&request.medication, WORDS_MAX);
        if name != request.medication {
            written.left.push(format!(
                "{label}: medication[x]: the name was shortened to one line of a plan"
            ));
        }
        let mut items = Vec::new();
        let joined = joined::item(request, terms);
        let apart = if joined.is_some() {
            &[]
        } else {
            &request.courses[..]
        };
        items.extend(joined);
        for course in apart {
            let place = format!("{label}: dosageInstruction[{}]", course.index);
            match form::items(course, terms).filter(|items| fits(items, course, terms)) {
                Some(found) if found.is_empty() => {
                    written.left.push(format!("{place}: it is never due"));
                }
                Some(found) => {
                    for item in found {
                        items.push(noted(item, course.note.as_deref(), &course.dose));
                    }
                }
                None => written
                    .lost
                    .push(format!("{place}: {}; it is left out", no_form(course))),
            }
        }
        for needed in &request.needed {
            let place = format!("{label}: dosageInstruction[{}]", needed.index);
            for element in &needed.left {
                written
                    .left
                    .push(format!("{place}.{element}: it is not carried over"));
            }
            match needed_item(needed, terms) {
                Some(item) => items.push(noted(item, needed.note.as_deref(), &needed.dose)),
                None => written.lost.push(format!(
                    "{place}: no plan says exactly this; it is left out"
                )),
            }
        }
        let several = items.len() > 1;
        for (item, number) in items.iter().zip(1..) {
            if ids.len() == MEDICATIONS_MAX {
                written.lost.push(format!(
                    "{label}: a plan has at most {MEDICATIONS_MAX} medications; it is left out"
                ));
                break;
            }
            let base = if request.id.is_empty() {
                &name
            } else {
                &request.id
            };
            let base = one_line(base, WORDS_MAX - 10);
            let wanted = if several {
                format!("{base}-{number}")
            } else {
                base
            };
            let id = unique(&wanted, &mut ids);
            medications.push_str("\n[[medication]]\n");
            item.render(&name, &id, &mut medications);
        }
    }
    if !medications.is_empty() {
        let text = head(subject, &terms.zone) + &medications;
        match read(&text, &terms.zone) {
            Some(_) => written.text = Some(text),
            // Each part stands alone: what is wrong lies in the name or in the words.
            None => written.lost.push(format!(
                "{}: no plan can hold what it says",
                subject.reference
            )),
        }
    }
    written
}

/// Why no plan says what a course means.
fn no_form(course: &Course) -> &'static str {
    match &course.pattern {
        Pattern::Elapsed { weekdays, .. } if *weekdays != Weekdays::ALL => {
            "days of the week with a period in hours or minutes have no form in a plan"
        }
        Pattern::Elapsed { every, .. } if every % 60 != 0 => {
            "a period that is no whole number of minutes has no form in a plan"
        }
        _ => "no plan says exactly this",
    }
}

fn head(subject: &Subject, zone: &Zone) -> String {
    let name = one_line(&subject.name, WORDS_MAX);
    let name = if name.is_empty() {
        "?".to_owned()
    } else {
        name
    };
    let mut head = format!(
        "name = {}\ntimezone = {}\n",
        quoted(&name),
        quoted(zone.name())
    );
    if let Some(born) = subject
        .born
        .filter(|born| (1900..=2200).contains(&born.year()))
    {
        // Writing to a String cannot fail.
        let _ = writeln!(head, "born = {born}");
    }
    head
}

fn unique(wanted: &str, taken: &mut HashSet<String>) -> String {
    let mut id = wanted.to_owned();
    let mut number = 2;
    while !taken.insert(id.clone()) {
        id = format!("{wanted}-{number}");
        number += 1;
    }
    id
}

/// Reads a plan's text as the clinic would.
fn read(text: &str, zone: &Zone) -> Option<plan::ReadPlan> {
    let defaults = Defaults {
        zone: zone.clone(),
        language: Language::default(),
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    plan::read(&Source::new("import.toml", text), &defaults).ok()
}

/// Whether the items mean what the course means.
fn fits(items: &[Item], course: &Course, terms: &Terms) -> bool {
    let zone = &terms.zone;
    let mut expected: Vec<Timestamp> = course
        .occurrences(zone, Timestamp::MIN)
        .take(COMPARED)
        .collect();
    if items.is_empty() {
        return expected.is_empty();
    }
    let mut text = "name = \"?\"\n".to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "timezone = {}", quoted(zone.name()));
    for (item, number) in items.iter().zip(1..) {
        text.push_str("[[medication]]\n");
        noted(item.clone(), None, "").render("?", &number.to_string(), &mut text);
    }
    let Some(read) = read(&text, zone) else {
        return false;
    };
    let mut found: Vec<Timestamp> = Vec::new();
    let mut last: Option<Timestamp> = None;
    for medication in &read.plan.medications {
        let schedule = &medication.schedule;
        found.extend(
            schedule
                .occurrences(zone, Timestamp::MIN)
                .take(COMPARED)
                .map(|dose| dose.at),
        );
        last = last.max(schedule.before(zone, Timestamp::MAX).map(|dose| dose.at));
    }
    found.sort_unstable();
    let ended = expected.len() < COMPARED;
    if ended {
        return found == expected;
    }
    found.truncate(COMPARED);
    // Where both go on for ever the end of the calendar is the last; its very instant does not
    // matter.
    expected.truncate(COMPARED);
    found == expected && course.last(zone).is_none_or(|end| last == Some(end))
}

/// The amount and the doctor's words. An amount that `take` cannot hold stands in the note.
fn noted(item: Item, note: Option<&str>, dose: &str) -> Item {
    let amount = take(dose);
    let mut words = Vec::new();
    if amount.is_none() {
        words.push(dose);
    }
    words.extend(note);
    let mut lines = vec![("take", quoted(amount.as_deref().unwrap_or("as directed")))];
    lines.extend(item.lines);
    noted_words(Item { lines }, &words)
}

/// The item with a note, where there are words for one.
fn noted_words(item: Item, words: &[&str]) -> Item {
    let note = several_lines(&words.join("\n"), NOTE_MAX);
    if note.is_empty() {
        return item;
    }
    item.with("note", quoted(&note))
}

/// `take`, where the plan language reads the dose as it is.
fn take(dose: &str) -> Option<String> {
    if dose.is_empty() {
        return Some("as directed".to_owned());
    }
    let read = plan::grammar::amount::amount(dose).ok()?;
    (read == dose).then_some(read)
}

fn needed_item(needed: &WhenNeeded, terms: &Terms) -> Option<Item> {
    let reason = needed.reason.as_deref().unwrap_or("when needed");
    let mut item = Item::default().with("as_needed", quoted(&one_line(reason, WORDS_MAX)));
    if let Some((doses, hours)) = needed.at_most {
        item = item.with("at_most", quoted(&format!("{doses} in {hours} hours")));
    }
    if let Some(minutes) = needed.apart {
        item = item.with("apart", quoted(&form::distance(i64::from(minutes))));
    }
    match needed.start {
        Some(Moment::Date(date)) => item = item.with("start", date.to_string()),
        Some(Moment::At(at)) => item = item.with("start", form::local(at, &terms.zone)?),
        None => {}
    }
    match needed.end {
        Some(End::Day(date)) => item = item.with("end", date.to_string()),
        Some(End::Before(second)) => {
            let last = Timestamp::from_second(second - 1).ok()?;
            item = item.with("end", form::local(last, &terms.zone)?);
        }
        None => {}
    }
    let mut text = "name = \"?\"\n[[medication]]\n".to_owned();
    noted(item.clone(), None, &needed.dose).render("?", "?", &mut text);
    read(&text, &terms.zone).map(|_| item)
}

/// A text as a TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// One line without control characters, at most so many characters.
fn one_line(text: &str, max: usize) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control() || turns_direction(c))
        .filter(|word| !word.is_empty())
        .collect();
    words
        .join(" ")
        .chars()
        .take(max)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// Lines without control characters, at most so many characters.
fn several_lines(text: &str, max: usize) -> String {
    let plain: String = text
        .replace("\r\n", "\n")
        .chars()
        .map(|c| {
            let unfit = (c.is_control() && c != '\n') || turns_direction(c);
            if unfit { ' ' } else { c }
        })
        .take(max)
        .collect();
    plain.trim().to_owned()
}

/// The stem of a plan file for a reference: small letters, digits, `-` and `_`.
#[must_use]
pub fn slug(reference: &str) -> String {
    let id = reference.split("/_history/").next().unwrap_or(reference);
    let id = id.rsplit(['/', ':']).find(|part| !part.is_empty());
    let mut slug = String::new();
    for c in id.unwrap_or_default().chars() {
        match c {
            'A'..='Z' => slug.push(c.to_ascii_lowercase()),
            'a'..='z' | '0'..='9' => slug.push(c),
            '-' | '_' if !slug.is_empty() => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(56);
    let slug = slug.trim_end_matches(['-', '_']);
    if slug.is_empty() {
        "patient".to_owned()
    } else {
        slug.to_owned()
    }
}
