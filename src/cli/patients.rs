//! `dosed patients`.

use super::exit::Exit;
use super::history::rfc3339;
use crate::daemon::config::{Config, Environment};
use crate::engine::{ExpiredReason, PatientState};
use crate::store::Chart;
use jiff::Timestamp;
use serde_json::json;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Show the patients whose plans are in force, one line each.
///
/// Whether messages can go to them and why not, how many doses wait for an answer, how many were
/// missed in a row, and when something is due next. It reads the store, whether the daemon runs or
/// not.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Those whose plan has ended, too.
    #[arg(long)]
    all: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(show(args))
}

fn show(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let reader = super::open_reader(&config)?;
    let failed = |error: crate::store::StoreError| (Exit::Io, error.to_string());
    let charts = reader.charts_without_journal(None).map_err(failed)?;
    let now = Timestamp::now();
    let mut out = BufWriter::new(io::stdout().lock());
    for chart in charts {
        let chart = chart.map_err(failed)?;
        if chart.plan.is_none() && !args.all {
            continue;
        }
        let line = if args.json {
            object(&chart, now)
        } else {
            words(&chart, now)
        };
        if super::written(writeln!(out, "{line}"))? {
            return Ok(Exit::Ok);
        }
    }
    super::written(out.flush())?;
    super::all_read(&reader)
}

/// Doses that wait for an answer: those stepped ahead of their instant are only planned.
fn open(chart: &Chart, now: Timestamp) -> usize {
    let doses = chart.state.iter().flat_map(|state| &state.doses);
    doses.filter(|dose| dose.due <= now).count()
}

/// Why nothing reaches the patient.
fn unreached(chart: &Chart) -> Option<ExpiredReason> {
    let unreachable = chart
        .state
        .as_ref()
        .and_then(|state| state.unreachable_since);
    chart
        .barred
        .or(unreachable.map(|_| ExpiredReason::Unreachable))
}

/// The next dose, check-in or reminder of an appointment.
fn next(chart: &Chart, now: Timestamp) -> Option<Timestamp> {
    let plan = chart.plan.as_ref()?;
    let from = now + jiff::SignedDuration::from_millis(1);
    let doses = plan
        .medications
        .iter()
        .filter_map(|it| Some(plan.doses_from(it, from).next()?.due));
    let check_ins = plan
        .check_ins
        .iter()
        .filter_map(|it| Some(plan.check_ins_from(it, from).next()?.due));
    let reminders = plan.appointments.iter().flat_map(|it| &it.remind).copied();
    doses
        .chain(check_ins)
        .chain(reminders.filter(|at| *at > now))
        .min()
}

fn object(chart: &Chart, now: Timestamp) -> String {
    let plan = chart.plan.as_ref();
    let reason = unreached(chart);
    let missed = chart.state.as_ref().map(|state| state.missed_in_a_row);
    let next = next(chart, now).zip(plan);
    json!({
        "patient": chart.patient,
        "name": plan.map(|plan| &plan.name),
        "language": plan.map(|plan| plan.language.tag()),
        "timezone": plan.map(|plan| plan.zone.name()),
        "plan": plan.is_some(),
        "medications": plan.map_or(0, |plan| plan.medications.len()),
        "check_ins": plan.map_or(0, |plan| plan.check_ins.len()),
        "caregivers": plan.map_or(0, |plan| plan.caregivers.len()),
        "reached": reason.is_none(),
        "reason": reason.map(ExpiredReason::name),
        "open": open(chart, now),
        "missed_in_a_row": missed.unwrap_or(0),
        "next": next.map(|(at, plan)| plan.zone.rfc3339(at)),
    })
    .to_string()
}

fn words(chart: &Chart, now: Timestamp) -> String {
    let reached = unreached(chart).map_or("reached", ExpiredReason::name);
    let missed = |state: &PatientState| state.missed_in_a_row;
    let missed = chart.state.as_ref().map_or(0, missed);
    let Some(plan) = &chart.plan else {
        return format!("{}  plan ended", chart.patient);
    };
    let next = next(chart, now).map_or("nothing due".to_owned(), |at| {
        format!("next {}", rfc3339(at, &plan.zone))
    });
    format!(
        "{}  {}  {} medications  {reached}  {} open  {missed} missed in a row  {next}",
        chart.patient,
        plan.name,
        plan.medications.len(),
        open(chart, now),
    )
}
