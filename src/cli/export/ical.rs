//! `dosed export ical`.

use super::Stop;
use crate::cli::exit::Exit;
use crate::daemon::config::{Config, Environment};
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// More than anybody's calendar holds.
const EVENTS_MAX: usize = 20_000;

/// Octets of a line, without its end (RFC 5545, 3.1).
const LINE_OCTETS_MAX: usize = 75;

/// What is due to a patient, as a calendar (iCalendar, RFC 5545).
///
/// An event for each dose, check-in and appointment of the plan in force, at its instant in UTC:
/// so it falls right in every program, over DST and on trips. It is a copy: an edit of the plan
/// does not change it. What follows the last dose stands as if each dose were taken at its
/// instant; medicines taken as needed are not in it. It holds health data.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The patient.
    #[arg(value_name = "PATIENT")]
    patient: String,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// From this instant on: RFC 3339, or a date or date-time in the patient's zone. Without it,
    /// from now on.
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Before this instant; without it, 90 days later.
    #[arg(long, value_name = "T")]
    until: Option<String>,
}

pub(super) fn export(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let reader = crate::cli::open_reader(&config)?;
    let charts = reader.charts_without_journal(Some(&args.patient));
    let chart = charts
        .and_then(|mut charts| charts.next().transpose())
        .map_err(|error| (Exit::Io, error.to_string()))?;
    let Some(plan) = chart.and_then(|chart| chart.plan) else {
        return Err(crate::cli::no_patient(&config, &args.patient));
    };
    let now = Timestamp::now();
    let end = |text: &Option<String>, otherwise| match text {
        None => Ok(otherwise),
        Some(text) => crate::cli::report::end(text).map(|end| end.in_zone(&plan.zone)),
    };
    let from = end(&args.from, now)?;
    let days = SignedDuration::from_hours(90 * 24);
    let until = end(&args.until, from.saturating_add(days).unwrap_or(from))?;
    if from >= until {
        return Err((Exit::Usage, "the range ends before it begins".to_owned()));
    }
    let Some((text, is_whole)) = calendar(&args.patient, &plan, (from, until), now) else {
        // A calendar without an event is none (RFC 5545, 3.6).
        return Err((Exit::Findings, "nothing falls in that range".to_owned()));
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Stop::Output);
    let exit = super::done(written, &reader)?;
    if is_whole {
        Ok(exit)
    } else {
        let message = format!("more than {EVENTS_MAX} events: the first are written; ask for less");
        Err((Exit::Findings, message))
    }
}

/// One event.
struct Event {
    at: Timestamp,
    kind: &'static str,
    id: String,
    summary: String,
    note: Option<String>,
}

/// The calendar, and whether it holds all of the range; `None` where nothing falls in it.
fn calendar(
    patient: &str,
    plan: &ResolvedPlan,
    (from, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> Option<(String, bool)> {
    let mut events = Vec::new();
    for medication in &plan.medications {
        let doses = plan
            .doses_from(medication, from)
            .take_while(|dose| dose.due < until);
        events.extend(doses.take(EVENTS_MAX + 1).map(|dose| {
            Event {
                at: dose.due,
                kind: "dose",
                id: medication.id.clone(),
                summary: format!("{} {}", medication.name, dose.amount)
                    .trim()
                    .to_owned(),
                note: medication.note.clone(),
            }
        }));
    }
    for check_in in &plan.check_ins {
        let asked = plan
            .check_ins_from(check_in, from)
            .take_while(|it| it.due < until);
        events.extend(asked.take(EVENTS_MAX + 1).map(|it| Event {
            at: it.due,
            kind: "check-in",
            id: check_in.id.clone(),
            summary: check_in.ask.clone(),
            note: None,
        }));
    }
    for appointment in &plan.appointments {
        if (from..until).contains(&appointment.at) {
            events.push(Event {
                at: appointment.at,
                kind: "appointment",
                id: appointment.what.clone(),
                summary: appointment.what.clone(),
                note: appointment.note.clone(),
            });
        }
    }
    events.sort_by(|a, b| (a.at, a.kind, &a.id).cmp(&(b.at, b.kind, &b.id)));
    if events.is_empty() {
        return None;
    }
    let is_whole = events.len() <= EVENTS_MAX;
    events.truncate(EVENTS_MAX);
    let mut text = String::new();
    for line in [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//dosed//EN",
        "CALSCALE:GREGORIAN",
    ] {
        content_line(&mut text, line);
    }
    content_line(&mut text, &format!("X-WR-CALNAME:{}", escape(&plan.name)));
    for event in &events {
        let at = stamp(event.at);
        content_line(&mut text, "BEGIN:VEVENT");
        content_line(&mut text, &format!("UID:{}", uid(patient, event)));
        content_line(&mut text, &format!("DTSTAMP:{}", stamp(now)));
        content_line(&mut text, &format!("DTSTART:{at}"));
        content_line(&mut text, &format!("SUMMARY:{}", escape(&event.summary)));
        if let Some(note) = &event.note {
            content_line(&mut text, &format!("DESCRIPTION:{}", escape(note)));
        }
        content_line(&mut text, "CLASS:PRIVATE");
        content_line(&mut text, "TRANSP:TRANSPARENT");
        content_line(&mut text, &format!("CATEGORIES:{}", event.kind));
        content_line(&mut text, "END:VEVENT");
    }
    content_line(&mut text, "END:VCALENDAR");
    Some((text, is_whole))
}

/// The same event has the same name in each export, and the name tells nothing.
fn uid(patient: &str, event: &Event) -> String {
    let mut hash = Sha256::new();
    for part in [patient, event.kind, &event.id] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(event.at.as_millisecond().to_le_bytes());
    let mut uid = String::new();
    for byte in &hash.finalize()[..16] {
        // Writing to a String cannot fail.
        let _ = write!(uid, "{byte:02x}");
    }
    uid + "@dosed"
}

/// In UTC (form 2 of RFC 5545, 3.3.5).
fn stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A TEXT value (RFC 5545, 3.3.11).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            ';' => escaped.push_str("\\;"),
            ',' => escaped.push_str("\\,"),
            '\n' | '\r' => escaped.push_str("\\n"),
            c if c.is_control() && c != '\t' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line, folded where it is too long, never within a character.
fn content_line(text: &mut String, line: &str) {
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > LINE_OCTETS_MAX {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(c);
        octets += c.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters_and_texts_escaped() {
        let mut text = String::new();
        content_line(
            &mut text,
            &format!("SUMMARY:{}", escape(&"药,;\\\n".repeat(30))),
        );
        assert!(text.ends_with("\r\n"));
        let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= LINE_OCTETS_MAX));
        assert!(lines[1..].iter().all(|line| line.starts_with(' ')));
        let unfolded = text.replace("\r\n ", "").trim_end().to_owned();
        assert_eq!(
            unfolded,
            format!("SUMMARY:{}", "药\\,\\;\\\\\\n".repeat(30))
        );
    }
}
