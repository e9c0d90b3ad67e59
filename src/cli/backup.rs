//! `dosed backup`.

use super::exit::Exit;
use super::progress::Progress;
use super::terminal;
use crate::daemon::clock::{Clock, ScaledClock, SystemClock};
use crate::daemon::config::{Config, Environment};
use crate::store::BackupError;
use std::path::PathBuf;

/// Copy the store to a file, also while the daemon runs.
///
/// The copy is of one moment. It is opened and counted before it takes its name, so that FILE is
/// either a whole backup or what it was before; only its owner can read it. To use it: `dosed
/// restore`. The daemon makes one each night by itself (`store.backups`).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The backup; replaced if it exists.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Say nothing when all is well.
    #[arg(long)]
    quiet: bool,
    /// Look at a clock other than the machine's, for tests: SHOWN@REAL*SPEED.
    #[arg(long, value_name = "CLOCK", hide = true)]
    clock: Option<ScaledClock>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(backup(args))
}

fn backup(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let reader = super::open_reader(&config)?;
    let mut progress: Option<Progress> = None;
    let mut go_on = |done, all| {
        progress
            .get_or_insert_with(|| Progress::new("backup", all))
            .done(done);
        true
    };
    let now = args
        .clock
        .as_ref()
        .map_or_else(|| SystemClock.now(), Clock::now);
    let made = reader.backup(&config.store.path, &args.file, now, &mut go_on);
    drop(progress);
    match made {
        Ok(backup) => {
            if !args.quiet {
                terminal::write_stderr(&format!(
                    "backup of {} patients, {} rows, {} bytes: {}\n",
                    backup.patients(),
                    backup.rows_in_all(),
                    backup.bytes,
                    args.file.display()
                ));
            }
            Ok(Exit::Ok)
        }
        Err(error) => {
            let exit = match &error {
                BackupError::Itself(_) => Exit::Usage,
                BackupError::Create { .. } => Exit::CannotCreate,
                BackupError::Store(_) | BackupError::Differs(_) | BackupError::GivenUp => Exit::Io,
            };
            Err((exit, error.to_string()))
        }
    }
}
