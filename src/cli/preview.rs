//! `dosed preview`.

pub(super) mod fhir;
mod sorted;

use super::{
    exit::Exit,
    plan_texts::{self, Origin},
    terminal,
};
use crate::plan::{Due, PatientId, ResolvedPlan, Zone};
use jiff::{Timestamp, ToSpan, civil};
use serde::Serialize;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// Show what is due when, without sending anything.
///
/// Every dose, check-in and reminder of an appointment in the span from --from to before --until,
/// in order. A plan without a start counts as in force since before --from, unless --start says
/// otherwise.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Plan files, or directories of plans.
    #[arg(value_name = "PATH", required_unless_present_any = ["config", "fhir"])]
    paths: Vec<PathBuf>,
    /// Show the plans of this configuration.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "fhir"])]
    config: Option<PathBuf>,
    /// Show what FHIR MedicationRequests ask for.
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    fhir: Option<PathBuf>,
    /// Show this patient alone; with --fhir by the subject's reference or its id.
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// The beginning: RFC 3339, or a local date or date-time in --timezone, else in each patient's
    /// zone. Left out: now.
    #[arg(long, value_name = "T")]
    from: Option<Moment>,
    /// The end, which is not part of the span any more.
    #[arg(long, value_name = "T", conflicts_with = "days")]
    until: Option<Moment>,
    /// So many days instead of --until. Left out: 7.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: Option<u16>,
    /// The zone of local times on this command line, and of plans that name none.
    #[arg(long, value_name = "TZ", value_parser = zone)]
    timezone: Option<Zone>,
    /// When plans without a start of their own come into force.
    #[arg(long, value_name = "T")]
    start: Option<Moment>,
    /// What the words of the day mean: a TOML file with a [day] table or its keys.
    #[arg(long, value_name = "FILE")]
    day: Option<PathBuf>,
    /// Print a JSON object a line.
    #[arg(long)]
    json: bool,
}

/// An instant as it is given on a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// With an offset.
    Instant(Timestamp),
    /// A date: its midnight.
    Date(civil::Date),
    /// Without an offset.
    Local(civil::DateTime),
}

impl Moment {
    pub(super) fn in_zone(self, zone: &Zone) -> Timestamp {
        match self {
            Moment::Instant(at) => at,
            Moment::Date(date) => zone.instant(date.at(0, 0, 0, 0)),
            Moment::Local(local) => zone.instant(local),
        }
    }
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Moment::Instant(at));
        }
        if text.len() == 10
            && let Ok(date) = text.parse::<civil::Date>()
        {
            return Ok(Moment::Date(date));
        }
        // jiff reads "2026-03-02T08:00[Europe/Berlin]" as a local time too, without its zone.
        let local = text
            .parse::<civil::DateTime>()
            .ok()
            .filter(|_| !text.contains('['));
        local.map(Moment::Local).ok_or_else(|| {
            "write 2026-03-02, 2026-03-02T08:00 or 2026-03-02T08:00:00+08:00".to_owned()
        })
    }
}

pub(super) fn zone(name: &str) -> Result<Zone, String> {
    Zone::get(name).map_err(|_| format!("`{name}` is no time zone; write e.g. Asia/Shanghai"))
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    patient: &'a str,
    kind: &'static str,
    id: &'a str,
    name: &'a str,
    dose: Option<&'a str>,
    window_ends: String,
    class: &'static str,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    if let Some(path) = &args.fhir {
        return fhir::run(args, path);
    }
    let patient = match args.patient.as_deref().map(str::parse::<PatientId>) {
        None => None,
        Some(Ok(patient)) => Some(patient),
        Some(Err(error)) => {
            terminal::write_stderr(&format!("dosed: --patient: {error}\n"));
            return Exit::Usage;
        }
    };
    let now = Timestamp::now();
    let origin = Origin {
        paths: &args.paths,
        config: args.config.as_deref(),
        zone: args.timezone.clone(),
        language: None,
        day: args.day.as_deref(),
        patient: patient.as_ref(),
    };
    let plans = match plan_texts::read(&origin, now) {
        Ok(plans) => plans,
        Err(exit) => return exit,
    };
    let mut all: Vec<(&PatientId, &ResolvedPlan, Due<'_>)> = Vec::new();
    for (id, read) in &plans.plans {
        let zone = args.timezone.as_ref().unwrap_or(&read.plan.zone);
        let (from, until) = match span(args, zone, now) {
            Ok(span) => span,
            Err(message) => {
                terminal::write_stderr(&format!("dosed: {message}\n"));
                return Exit::Usage;
            }
        };
        let since = args.start.map(|start| start.in_zone(zone));
        let due = read.plan.due_between(&read.places, from, until, since);
        all.extend(due.into_iter().map(|due| (id, &read.plan, due)));
    }
    // Stable, and already in the order of patients and of each text.
    all.sort_by_key(|(_, _, due)| due.at);
    let failed = plans.report();
    match write(&all, args.json) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            terminal::write_stderr(&format!("dosed: writing failed: {error}\n"));
            Exit::Io
        }
        _ if failed => Exit::Findings,
        _ => Exit::Ok,
    }
}

/// The half-open span that is shown.
fn span(args: &Args, zone: &Zone, now: Timestamp) -> Result<(Timestamp, Timestamp), String> {
    let from = args.from.map_or(now, |from| from.in_zone(zone));
    let until = if let Some(until) = args.until {
        until.in_zone(zone)
    } else {
        // Days of the calendar: the same local time so many days later.
        let days = i64::from(args.days.unwrap_or(7)).days();
        zone.instant(zone.local(from).saturating_add(days))
    };
    if until < from {
        return Err("--until is before --from".to_owned());
    }
    Ok((from, until))
}

fn write(all: &[(&PatientId, &ResolvedPlan, Due<'_>)], json: bool) -> io::Result<()> {
    let mut text = String::new();
    let width = all
        .iter()
        .map(|(id, _, _)| id.as_str().len())
        .max()
        .unwrap_or(0);
    for (id, plan, due) in all {
        let zone = &plan.zone;
        if json {
            let line = Line {
                at: zone.rfc3339(due.at),
                patient: id.as_str(),
                kind: due.kind.name(),
                id: due.id,
                name: due.name,
                dose: due.dose.as_deref(),
                window_ends: zone.rfc3339(due.window_ends),
                class: due.class,
            };
            text.push_str(&serde_json::to_string(&line).map_err(io::Error::other)?);
        } else {
            let at = zone.local(due.at).strftime("%Y-%m-%d %a %H:%M");
            let dose = due.dose.as_deref().unwrap_or_default();
            let line = format!("{at}  {:width$}  {}  {dose}", id.as_str(), due.name);
            // Writing to a String cannot fail.
            let _ = write!(text, "{}", line.trim_end());
        }
        text.push('\n');
        if text.len() > 1 << 16 {
            terminal::write_stdout(&text)?;
            text.clear();
        }
    }
    terminal::write_stdout(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_instants_or_local() {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        for (text, expected) in [
            ("2026-03-02", "2026-03-01T16:00:00Z"),
            ("2026-03-02T08:00", "2026-03-02T00:00:00Z"),
            ("2026-03-02T08:00:00", "2026-03-02T00:00:00Z"),
            ("2026-03-02 08:00", "2026-03-02T00:00:00Z"),
            ("2026-03-02T08:00:00+01:00", "2026-03-02T07:00:00Z"),
            ("2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"),
        ] {
            assert_eq!(
                text.parse::<Moment>().unwrap().in_zone(&zone).to_string(),
                expected,
                "{text}"
            );
        }
        for text in [
            "",
            "tomorrow",
            "08:00",
            "2026-02-30",
            "2026-03-02T08:00[Europe/Berlin]",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
