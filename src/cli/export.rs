//! `dosed export`.

mod audit;
mod fhir;
mod ical;
mod journal;

use super::exit::Exit;
use crate::daemon::config::{Config, Environment};
use crate::store::{Reader, StoreError};
use std::io;
use std::path::PathBuf;

/// Write what the store knows, in forms that other programs read.
///
/// It reads the store, whether the daemon runs or not, and writes to standard output.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Journal(journal::Args),
    Audit(audit::Args),
    Fhir(fhir::Args),
    Ical(ical::Args),
}

/// What every export is told.
#[derive(Debug, clap::Args)]
struct Common {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this patient.
    #[arg(long, value_name = "PATIENT")]
    patient: Option<String>,
}

impl Common {
    fn open(&self) -> Result<(Config, Reader), (Exit, String)> {
        let config = Config::load(&self.config, &Environment::of_process())
            .map_err(|error| (Exit::from(&error), error.to_string()))?;
        let reader = super::open_reader(&config)?;
        super::known(&reader, self.patient.as_deref())?;
        Ok((config, reader))
    }
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(match &args.what {
        What::Journal(args) => journal::export(args),
        What::Audit(args) => audit::export(args),
        What::Fhir(args) => fhir::export(args),
        What::Ical(args) => ical::export(args),
    })
}

/// Why writing ended early.
enum Stop {
    Store(StoreError),
    Output(io::Error),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Store(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Output(error)
    }
}

/// How the command ends.
fn done(written: Result<(), Stop>, reader: &Reader) -> Result<Exit, (Exit, String)> {
    match written {
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Ok),
        Err(Stop::Output(error)) => Err((Exit::Io, error.to_string())),
        Err(Stop::Store(error)) => Err((Exit::Io, error.to_string())),
        Ok(()) => super::all_read(reader),
    }
}

#[cfg(test)]
mod tests;
