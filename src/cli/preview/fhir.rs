//! `dosed preview --fhir`.

use super::{
    Args, Line, Moment,
    sorted::{Row, Sorted},
};
use crate::cli::{
    exit::Exit,
    fhir_file::{FhirFile, FhirFileError},
    plan_texts, terminal,
};
use crate::plan::fhir::{self, Kind, Terms};
use crate::plan::{Day, Zone};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// What is said on stderr is written in pieces of about so many bytes.
const SAID_BYTES: usize = 1 << 14;

/// Says things on stderr, a piece at a time.
#[derive(Default)]
pub(in crate::cli) struct Said {
    text: String,
    /// How many errors there were.
    pub(in crate::cli) errors: u64,
}

impl Said {
    pub(in crate::cli) fn error(&mut self, what: &impl std::fmt::Display) {
        self.errors += 1;
        self.line("error", what);
    }

    pub(in crate::cli) fn line(&mut self, severity: &str, what: &dyn std::fmt::Display) {
        // Writing to a String cannot fail. What stands in a file is no command to a terminal.
        let start = self.text.len();
        let _ = write!(self.text, "{severity}: {what}");
        let plain = self.text[start..].replace(char::is_control, "\u{fffd}");
        self.text.truncate(start);
        self.text.push_str(&plain);
        self.text.push('\n');
        if self.text.len() > SAID_BYTES {
            self.flush();
        }
    }

    pub(in crate::cli) fn flush(&mut self) {
        terminal::write_stderr(&self.text);
        self.text.clear();
    }
}

/// What was said on the command line, for the importer.
pub(in crate::cli) fn terms(
    zone: Option<&Zone>,
    start: Option<Moment>,
    day: Option<&Path>,
) -> Result<Terms, Exit> {
    let zone = zone.cloned().unwrap_or_else(plan_texts::system_zone);
    let day = match day {
        Some(path) => plan_texts::read_day(path, &Day::default())?,
        None => Day::default(),
    };
    let start = start.map(|start| match start {
        Moment::Date(date) => fhir::Moment::Date(date),
        other => fhir::Moment::At(other.in_zone(&zone)),
    });
    Ok(Terms { zone, day, start })
}

/// Whether a subject is the patient who was asked for: by the reference or by its id alone.
fn is_wanted(subject: &str, wanted: Option<&str>) -> bool {
    wanted
        .is_none_or(|wanted| subject == wanted || subject.rsplit(['/', ':']).next() == Some(wanted))
}

pub(super) fn run(args: &Args, path: &Path) -> Exit {
    let terms = match terms(args.timezone.as_ref(), args.start, args.day.as_deref()) {
        Ok(terms) => terms,
        Err(exit) => return exit,
    };
    let (from, until) = match super::span(args, &terms.zone, Timestamp::now()) {
        Ok(span) => span,
        Err(message) => {
            terminal::write_stderr(&format!("dosed: {message}\n"));
            return Exit::Usage;
        }
    };
    let mut said = Said::default();
    let collected = collect(
        path,
        args.patient.as_deref(),
        &terms,
        (from, until),
        &mut said,
    );
    said.flush();
    let rows = match collected {
        Ok(rows) => rows,
        Err(Failed::File(error)) => return error.report(),
        Err(Failed::Spill(error)) => {
            terminal::write_stderr(&format!("dosed: a temporary file failed: {error}\n"));
            return Exit::Io;
        }
    };
    match print(rows, &terms.zone, args.json) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            terminal::write_stderr(&format!("dosed: writing failed: {error}\n"));
            Exit::Io
        }
        _ if said.errors > 0 => Exit::Findings,
        _ => Exit::Ok,
    }
}

enum Failed {
    File(FhirFileError),
    Spill(io::Error),
}

fn collect(
    path: &Path,
    patient: Option<&str>,
    terms: &Terms,
    (from, until): (Timestamp, Timestamp),
    said: &mut Said,
) -> Result<Sorted, Failed> {
    let file = FhirFile::open(path).map_err(Failed::File)?;
    let names = file.names(false).map_err(Failed::File)?;
    let mut rows = Sorted::new();
    let mut place = 0;
    let mut requests = 0_u64;
    let mut spilled = Ok(());
    let visited = file.each("requests", |_| true, &mut |found| {
        let (resource, _) = match found {
            Ok(found) => found,
            Err(refused) => return said.error(&refused),
        };
        if resource.kind != Kind::MedicationRequest {
            return;
        }
        requests += 1;
        let request = match fhir::read(resource.text, &names, terms) {
            Ok(request) => request,
            Err(refusal) => return said.error(&refusal),
        };
        if !is_wanted(&request.subject, patient) {
            return;
        }
        if let Some(reason) = &request.unscheduled {
            said.line(
                "note",
                &format_args!("MedicationRequest/{}: {reason}", request.id),
            );
        }
        for course in request.courses.iter().filter(|course| course.is_never_due(&terms.zone)) {
            said.line(
                "note",
                &format_args!(
                    "MedicationRequest/{}: dosageInstruction[{}] is never due: its bounds leave no time for it",
                    request.id, course.index
                ),
            );
        }
        for due in request.due_between(&terms.zone, from, until) {
            place += 1;
            let row = Row {
                at: due.at.as_second(),
                patient: request.subject.clone(),
                place,
                window_ends: due.window_ends.as_second(),
                id: request.id.clone(),
                name: request.medication.clone(),
                dose: due.dose.to_owned(),
            };
            if spilled.is_ok() {
                spilled = rows.push(row);
            }
        }
    });
    visited.map_err(Failed::File)?;
    spilled.map_err(Failed::Spill)?;
    if requests == 0 && said.errors == 0 {
        let path = path.display();
        said.error(&format_args!(
            "{path}: resourceType: it holds no MedicationRequest"
        ));
    }
    Ok(rows)
}

fn print(rows: Sorted, zone: &Zone, json: bool) -> io::Result<()> {
    let mut text = String::new();
    let width = rows.width;
    rows.each(&mut |row| {
        let at = Timestamp::from_second(row.at).map_err(io::Error::other)?;
        if json {
            let ends = Timestamp::from_second(row.window_ends).map_err(io::Error::other)?;
            let line = Line {
                at: zone.rfc3339(at),
                patient: &row.patient,
                kind: "dose",
                id: &row.id,
                name: &row.name,
                dose: Some(&row.dose),
                window_ends: zone.rfc3339(ends),
                class: "dose",
            };
            text.push_str(&serde_json::to_string(&line).map_err(io::Error::other)?);
        } else {
            let at = zone.local(at).strftime("%Y-%m-%d %a %H:%M");
            let line = format!("{at}  {:width$}  {}  {}", row.patient, row.name, row.dose);
            text.push_str(&line.trim_end().replace(char::is_control, "\u{fffd}"));
        }
        text.push('\n');
        if text.len() > 1 << 16 {
            terminal::write_stdout(&text)?;
            text.clear();
        }
        Ok(())
    })?;
    terminal::write_stdout(&text)
}
