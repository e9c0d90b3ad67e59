//! `dosed export audit`.

use super::Stop;
use crate::cli::exit::Exit;
use crate::cli::history::rfc3339;
use crate::daemon::config::{Config, Environment};
use serde_json::json;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Lines read from one snapshot.
const PAGE: usize = 2_000;

/// Who saw and did what on the doctor's page, one JSON object a line, the oldest first.
///
/// `what` is the page that was seen or what was asked for, `outcome` what came of it: `done`,
/// `refused` or `failed`; it is empty where something only was seen. What somebody sees again
/// within ten minutes has one line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn export(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let reader = crate::cli::open_reader(&config)?;
    let zone = &config.clinic.defaults.zone;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut write = || -> Result<(), Stop> {
        let mut place = Some((0, 0));
        while let Some(from) = place {
            let (lines, next) = reader.audit_from(from, PAGE)?;
            place = next;
            for line in lines {
                let line = json!({
                    "at": rfc3339(line.at, zone),
                    "account": line.account,
                    "what": line.what,
                    "patient": line.patient,
                    "outcome": line.outcome,
                });
                writeln!(out, "{line}")?;
            }
        }
        out.flush()?;
        Ok(())
    };
    let written = write();
    super::done(written, &reader)
}
