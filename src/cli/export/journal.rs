//! `dosed export journal`.

use super::{Common, Stop};
use crate::cli::exit::Exit;
use crate::cli::history::{Instants, entry_json};
use crate::cli::progress::Progress;
use crate::plan::Zone;
use crate::store::Reader;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

/// The whole journal, one JSON object a line.
///
/// First a line `patient` for each patient, with the time zone, and a line `dose_open` for each
/// dose that waits for an answer; then each entry of the journal. `row` tells the order in which a
/// patient's entries were written, `at` when. Instants are exact and have the offset at which the
/// patient lived then: the first ten letters are the patient's date. What is written while it runs
/// is left out.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// One JSON object a line: the only form there is, and so the default.
    #[arg(long)]
    ndjson: bool,
}

pub(super) fn export(args: &Args) -> Result<Exit, (Exit, String)> {
    let (config, reader) = args.common.open()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let patient = args.common.patient.as_deref();
    let written = write(
        &mut out,
        &reader,
        patient,
        &config.clinic.defaults.zone,
        Timestamp::now(),
    );
    super::done(written, &reader)
}

pub(super) fn write(
    out: &mut impl Write,
    reader: &Reader,
    patient: Option<&str>,
    clinic: &Zone,
    now: Timestamp,
) -> Result<(), Stop> {
    let mut patients = BTreeMap::new();
    let mut rows_below = BTreeMap::new();
    for chart in reader.charts_without_journal(patient)? {
        let chart = chart?;
        let zone = chart
            .plan
            .as_ref()
            .map_or(clinic, |plan| &plan.zone)
            .clone();
        let away: Vec<Value> = zone
            .trips()
            .iter()
            .map(|trip| {
                json!({
                    "from": trip.from.date().to_string(),
                    "until": trip.until.date().to_string(),
                    "timezone": trip.zone,
                })
            })
            .collect();
        let line = json!({
            "entry": "patient",
            "patient": chart.patient,
            "timezone": zone.name(),
            "away": away,
            "plan": chart.plan.is_some(),
        });
        writeln!(out, "{line}")?;
        let doses = chart.state.iter().flat_map(|state| &state.doses);
        // Stepped ahead of its instant it is only planned.
        for dose in doses.filter(|dose| dose.due <= now) {
            let line = json!({
                "entry": "dose_open",
                "patient": chart.patient,
                "id": dose.medication,
                "dose": dose.amount,
                "due": zone.rfc3339(dose.due),
                "reminded": dose.sending.accepted_at.map(|at| zone.rfc3339(at)),
                "in_doubt": dose.sending.in_doubt,
            });
            writeln!(out, "{line}")?;
        }
        rows_below.insert(chart.number, chart.rows);
        patients.insert(chart.number, (chart.patient, zone));
    }
    let rows: u64 = rows_below.values().map(|rows| u64::from(*rows)).sum();
    let mut progress = Progress::new("export", rows);
    let mut done = 0;
    for page in reader.journal_pages(rows_below) {
        for row in page? {
            let Some((patient, zone)) = patients.get(&row.patient) else {
                continue;
            };
            for entry in &row.entries {
                let mut line = entry_json(entry, &Instants::Exact(zone));
                if let Value::Object(fields) = &mut line {
                    fields.insert("at".to_owned(), zone.rfc3339(row.at).into());
                    fields.insert("patient".to_owned(), patient.as_str().into());
                    fields.insert("row".to_owned(), row.row.into());
                }
                writeln!(out, "{line}")?;
            }
            done += 1;
        }
        progress.done(done);
    }
    out.flush()?;
    Ok(())
}
