//! `dosed report`.

mod json;
mod table;

use super::exit::Exit;
use super::progress::Progress;
use crate::daemon::config::{Config, Environment};
use crate::daemon::reports::{self, Csv, End, Head, Html, Line, Range, Stop, Writer, percent};
#[cfg(test)]
use crate::{plan::Zone, store::Reader};
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

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(show(args))
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
        Format::Csv => Box::new(Csv(out)),
        Format::Json => Box::new(json::Json::new(out)),
        Format::Html => Box::new(Html::new(out)),
    };
    let now = Timestamp::now();
    let head = Head {
        clinic: &config.clinic.name,
        from: &args.from,
        until: &args.until,
        made: super::history::rfc3339(now, zone),
    };
    let mut progress: Option<Progress> = None;
    let written = reports::write(
        writer.as_mut(),
        &head,
        &reader,
        args.patient.as_deref(),
        Range { from, until, now },
        zone,
        |whole, done| {
            progress
                .get_or_insert_with(|| Progress::new("report", whole))
                .done(done);
        },
    );
    drop(progress);
    match written {
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Ok),
        Err(Stop::Output(error)) => Err((Exit::Io, error.to_string())),
        Err(Stop::Store(error)) => Err((Exit::Io, error.to_string())),
        Ok(()) => super::all_read(&reader),
    }
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
    let written = reports::write(
        &mut json::Json::new(&mut out),
        &head,
        reader,
        None,
        range,
        clinic,
        |_, _| {},
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
}
