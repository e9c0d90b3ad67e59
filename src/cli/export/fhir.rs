//! `dosed export fhir`.

mod resource;

use super::{Common, Stop};
use crate::cli::exit::Exit;
use crate::cli::progress::Progress;
use crate::daemon::reports::End;
use crate::plan::Zone;
use crate::store::Reader;
use jiff::Timestamp;
use std::io::{self, BufWriter, Write};

/// What became of doses, check-ins and messages, as FHIR resources (R4), one a line.
///
/// `Patient` (id and name), `MedicationAdministration` for each dose that is closed,
/// `Observation` for each answer to a check-in (with LOINC codes for vital signs),
/// `Communication` for each message and each word of a patient. See docs/fhir.md.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Only doses and questions due, and messages written, from here on: a date or date-time in
    /// each patient's zone, or RFC 3339.
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Only what was before this.
    #[arg(long, value_name = "T")]
    until: Option<String>,
}

pub(super) fn export(args: &Args) -> Result<Exit, (Exit, String)> {
    let end = |text: &Option<String>, otherwise| match text {
        None => Ok(End::Instant(otherwise)),
        Some(text) => crate::cli::report::end(text),
    };
    let (from, until) = (
        end(&args.from, Timestamp::MIN)?,
        end(&args.until, Timestamp::MAX)?,
    );
    let (config, reader) = args.common.open()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let patient = args.common.patient.as_deref();
    let zone = &config.clinic.defaults.zone;
    let written = write(&mut out, &reader, patient, zone, from, until);
    super::done(written, &reader)
}

pub(super) fn write(
    out: &mut impl Write,
    reader: &Reader,
    patient: Option<&str>,
    clinic: &Zone,
    from: End,
    until: End,
) -> Result<(), Stop> {
    let day = jiff::SignedDuration::from_hours(48);
    let earliest = from.in_zone(clinic).saturating_sub(day);
    let charts = reader.charts(patient, earliest.unwrap_or(Timestamp::MIN), |_| true)?;
    let mut progress = Progress::new("export", charts.patients() as u64);
    for (done, chart) in (1..).zip(charts) {
        let chart = chart?;
        let zone = chart
            .plan
            .as_ref()
            .map_or(clinic, |plan| &plan.zone)
            .clone();
        let range = from.in_zone(&zone)..until.in_zone(&zone);
        for resource in resource::resources(&chart, &zone, &range) {
            writeln!(out, "{resource}")?;
        }
        progress.done(done);
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests;
