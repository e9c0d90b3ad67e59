//! `dosed report`.

mod csv;
mod html;
mod json;
mod table;

use super::exit::Exit;
use super::progress::Progress;
use crate::daemon::config::{Config, Environment};
use crate::engine::{Adherence, DoseHistory, Figures, Share};
use crate::plan::Zone;
use crate::store::{Chart, Reader, StoreError};
use jiff::{Timestamp, civil};
use std::io::{self, BufWriter};
use std::path::PathBuf;

/// Show how much of what was prescribed was taken.
///
/// For each patient and medication: doses taken, taken on time, and days on which all doses were
/// taken, each with numerator and denominator; doses without an answer, doses that were not sent
/// and pauses stand apart. What counts is in docs/adherence.md. It reads the store, whether the
/// daemon runs or not.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Doses due from here on: a date or date-time in each patient's zone, or RFC 3339.
    #[arg(long, value_name = "T")]
    from: String,
    /// Doses due before this: a date or date-time in each patient's zone, or RFC 3339. A date
    /// means its first moment: for all of March write 2026-04-01.
    #[arg(long, value_name = "T")]
    until: String,
    /// Only this patient.
    #[arg(long, value_name = "PATIENT")]
    patient: Option<String>,
    /// How to write it: `csv` and `json` for machines, `html` to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Forms of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns for people.
    Table,
    /// Comma-separated values, RFC 4180.
    Csv,
    /// One JSON document.
    Json,
    /// One page that can be printed.
    Html,
}

/// One end of the range, as it was given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Instant(Timestamp),
    /// In each patient's zone.
    Local(civil::DateTime),
}

/// What stands above the lines.
struct Head<'a> {
    clinic: &'a str,
    from: &'a str,
    until: &'a str,
    made: String,
}

/// One line of the report.
struct Line<'a> {
    patient: &'a str,
    /// `None`: all medications of the patient.
    medication: Option<&'a str>,
    figures: &'a Figures,
    paused: u64,
}

/// A way to write the report, line by line.
trait Writer {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()>;
    fn line(&mut self, line: &Line<'_>) -> io::Result<()>;
    /// The sums over all patients, of so many.
    fn end(&mut self, figures: &Figures, paused: u64, patients: u64) -> io::Result<()>;
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(show(args))
}

/// Why a report ended early.
enum Stop {
    Store(StoreError),
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Output(error)
    }
}

fn show(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let (from, until) = (end(&args.from)?, end(&args.until)?);
    let zone = &config.clinic.defaults.zone;
    if from.in_zone(zone) >= until.in_zone(zone) {
        let message = format!("`{}` is not before `{}`", args.from, args.until);
        return Err((Exit::Usage, message));
    }
    let reader = super::open_reader(&config)?;
    super::known(&reader, args.patient.as_deref())?;
    let out = BufWriter::new(io::stdout().lock());
    let mut writer: Box<dyn Writer> = match args.format {
        Format::Table => Box::new(table::Table(out)),
        Format::Csv => Box::new(csv::Csv(out)),
        Format::Json => Box::new(json::Json::new(out)),
        Format::Html => Box::new(html::Html::new(out)),
    };
    let now = Timestamp::now();
    let head = Head {
        clinic: &config.clinic.name,
        from: &args.from,
        until: &args.until,
        made: super::history::rfc3339(now, zone),
    };
    let written = write(
        writer.as_mut(),
        &head,
        &reader,
        args.patient.as_deref(),
        Range { from, until, now },
        zone,
    );
    match written {
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Ok),
        Err(Stop::Output(error)) => Err((Exit::Io, error.to_string())),
        Err(Stop::Store(error)) => Err((Exit::Io, error.to_string())),
        Ok(()) => super::all_read(&reader),
    }
}

/// What is asked for, and when.
#[derive(Clone, Copy)]
struct Range {
    from: End,
    until: End,
    now: Timestamp,
}

fn write(
    writer: &mut dyn Writer,
    head: &Head<'_>,
    reader: &Reader,
    patient: Option<&str>,
    range: Range,
    clinic: &Zone,
) -> Result<(), Stop> {
    writer.begin(head)?;
    // A day more on both sides than the clinic's range: patients live elsewhere.
    let days = jiff::SignedDuration::from_hours(48);
    let earliest = range.from.in_zone(clinic).saturating_sub(days);
    let charts = reader
        .charts(
            patient,
            earliest.unwrap_or(Timestamp::MIN),
            DoseHistory::is_told_by,
        )
        .map_err(Stop::Store)?;
    let mut progress = Progress::new("report", charts.patients() as u64);
    let (mut sum, mut paused_sum, mut patients) = (Figures::default(), 0, 0);
    for (done, chart) in (1..).zip(charts) {
        let chart = chart.map_err(Stop::Store)?;
        let (adherence, paused) = of_chart(&chart, range, clinic);
        if !adherence.medications.is_empty() || !paused.is_empty() {
            let mut medications: Vec<&str> =
                adherence.medications.keys().map(String::as_str).collect();
            medications.extend(paused.iter().map(|(id, _)| id.as_str()));
            medications.sort_unstable();
            medications.dedup();
            let none = Figures::default();
            for id in medications {
                let paused = paused.iter().find(|(paused, _)| paused == id);
                writer.line(&Line {
                    patient: &chart.patient,
                    medication: Some(id),
                    figures: adherence.medications.get(id).unwrap_or(&none),
                    paused: paused.map_or(0, |(_, count)| *count),
                })?;
            }
            let paused = paused.iter().map(|(_, count)| count).sum();
            writer.line(&Line {
                patient: &chart.patient,
                medication: None,
                figures: &adherence.all,
                paused,
            })?;
            sum.add(&adherence.all);
            paused_sum += paused;
            patients += 1;
        }
        progress.done(done);
    }
    writer.end(&sum, paused_sum, patients)?;
    Ok(())
}

/// A patient's figures, and the doses that pauses leave out, by medication.
fn of_chart(chart: &Chart, range: Range, clinic: &Zone) -> (Adherence, Vec<(String, u64)>) {
    let zone = chart.plan.as_ref().map_or(clinic, |plan| &plan.zone);
    let (from, until) = (range.from.in_zone(zone), range.until.in_zone(zone));
    let mut history = DoseHistory::new(from, until);
    let doses = chart.state.iter().flat_map(|state| &state.doses);
    // Stepped ahead of its instant it is only planned.
    for dose in doses.filter(|dose| dose.due <= range.now) {
        history.waits(&dose.medication, dose.due);
    }
    for (_, entry) in &chart.entries {
        history.note(entry);
    }
    let mut paused = Vec::new();
    if let (Some(plan), Some(state)) = (&chart.plan, &chart.state) {
        for medication in &plan.medications {
            let known = state.medications.iter().find(|it| it.id == medication.id);
            let from = known.map(|known| known.since.max(from));
            let count = from.map_or(0, |from| {
                plan.doses_paused(medication, from, until.min(range.now))
            });
            if count > 0 {
                paused.push((medication.id.clone(), count));
            }
        }
    }
    (history.adherence(zone), paused)
}

pub(super) fn end(text: &str) -> Result<End, (Exit, String)> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(End::Instant(instant));
    }
    let local = text.parse::<civil::DateTime>();
    let local = local.or_else(|_| text.parse().map(|date: civil::Date| date.at(0, 0, 0, 0)));
    local.map(End::Local).map_err(|_| {
        let message = format!(
            "`{text}` is no instant; write e.g. 2026-03-01, 2026-03-01T08:00 or \
             2026-03-01T08:00:00+08:00"
        );
        (Exit::Usage, message)
    })
}

impl End {
    pub(super) fn in_zone(self, zone: &Zone) -> Timestamp {
        match self {
            End::Instant(at) => at,
            End::Local(local) => zone.instant(local),
        }
    }
}

/// `93.3`, or nothing of nothing.
fn percent(share: Share) -> Option<String> {
    let per_mille = share.per_mille()?;
    Some(format!("{}.{}", per_mille / 10, per_mille % 10))
}

/// The report as JSON, for tests of what other programs make of it.
#[cfg(test)]
pub(super) fn json_of(
    reader: &Reader,
    from: &str,
    until: &str,
    clinic: &Zone,
    now: Timestamp,
) -> Vec<u8> {
    let mut out = Vec::new();
    let head = Head {
        clinic: "}",
        from,
        until,
        made: String::new(),
    };
    let range = Range {
        from: end(from).unwrap(),
        until: end(until).unwrap(),
        now,
    };
    let written = write(
        &mut json::Json::new(&mut out),
        &head,
        reader,
        None,
        range,
        clinic,
    );
    assert!(written.is_ok());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_begins_at_each_patients_own_midnight() {
        let day = end("2026-03-29").unwrap();
        let instant = end("2026-03-29T00:00:00+08:00").unwrap();
        let zone = |name| Zone::get(name).unwrap();
        for (name, expected) in [
            ("Asia/Shanghai", "2026-03-28T16:00:00Z"),
            ("Europe/Berlin", "2026-03-28T23:00:00Z"),
        ] {
            assert_eq!(
                day.in_zone(&zone(name)),
                expected.parse().unwrap(),
                "{name}"
            );
        }
        assert_eq!(
            instant.in_zone(&zone("Europe/Berlin")),
            "2026-03-28T16:00:00Z".parse().unwrap()
        );
        for wrong in ["", "March", "2026-02-30", "29.3.2026"] {
            assert_eq!(end(wrong).unwrap_err().0, Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn a_percentage_has_one_decimal_and_none_of_nothing() {
        let share = |numerator, denominator| {
            percent(Share {
                numerator,
                denominator,
            })
        };
        assert_eq!(share(0, 0), None);
        assert_eq!(share(1, 3).as_deref(), Some("33.3"));
        assert_eq!(share(3, 3).as_deref(), Some("100.0"));
        assert_eq!(share(1, 40).as_deref(), Some("2.5"));
    }
}
