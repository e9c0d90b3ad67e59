//! `dosed restore`.

use super::ask::Daemon;
use super::exit::Exit;
use super::history::rfc3339;
use super::terminal;
use crate::daemon::clock::{Clock, ScaledClock, SystemClock};
use crate::daemon::config::{Config, Environment};
use crate::store::{self, OpenError, RestoreError, Restored};
use jiff::Timestamp;
use std::path::PathBuf;

/// Put a backup in the place of a store that is gone.
///
/// It refuses where there is a store. What was due until now is not sent (again): what the old
/// store did since the backup is not known to anybody. Such doses end as `expired`, never as
/// `missed`; where there is time yet to take one, the patient is on the call list. What is due
/// from now on goes on when the daemon is started. Enrolments, answers, and `STOP`s since the
/// backup are lost: see docs/operations.md.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The configuration file; it says where the store goes.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The clock is right, although it is more than 30 days ahead of the backup, or behind it.
    #[arg(long)]
    clock_is_right: bool,
    /// Look at a clock other than the machine's, for tests: SHOWN@REAL*SPEED.
    #[arg(long, value_name = "CLOCK", hide = true)]
    clock: Option<ScaledClock>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(restore(args))
}

fn restore(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    if Daemon::of(&config).is_there() {
        let message = "a daemon runs with this configuration: stop it first".to_owned();
        return Err((Exit::Locked, message));
    }
    let options = store::Options {
        path: config.store.path.clone(),
        cache_bytes: usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| (Exit::Internal, error.to_string()))?;
    let now = args
        .clock
        .as_ref()
        .map_or_else(|| SystemClock.now(), Clock::now);
    let zone = &config.clinic.defaults.zone;
    let since = zone.local(now).date().since(jiff::civil::date(1970, 1, 1));
    let day = since.map_or(0, |span| u32::try_from(span.get_days()).unwrap_or(0));
    let restored = store::restore(&args.file, &options, now, day, args.clock_is_right);
    let restored = runtime.block_on(restored);
    let restored = restored.map_err(|error| {
        let exit = match &error {
            RestoreError::Exists(_) | RestoreError::Create { .. } => Exit::CannotCreate,
            RestoreError::Missing(_) => Exit::NoInput,
            RestoreError::Bad { .. } | RestoreError::Clock { .. } => Exit::BadData,
            RestoreError::Release(OpenError::Newer { .. } | OpenError::Older { .. }) => {
                Exit::Config
            }
            RestoreError::Release(_) | RestoreError::Store(_) => Exit::Io,
        };
        (exit, error.to_string())
    })?;
    terminal::write_stderr(&words(&restored, |at| rfc3339(at, zone)));
    Ok(if restored.broken + restored.findings > 0 {
        Exit::Findings
    } else {
        Exit::Ok
    })
}

fn words(restored: &Restored, say: impl Fn(Timestamp) -> String) -> String {
    let since = restored.at.map_or("an unknown moment".to_owned(), say);
    let mut lines = vec![
        format!(
            "restored as of {since}: {} patients with a plan",
            restored.patients
        ),
        format!(
            "{} doses that were open then, or due since, are closed as expired: nobody knows \
             what became of them, and none is sent",
            restored.doses
        ),
    ];
    if restored.calls > 0 {
        lines.push(format!(
            "{} patients are to be rung, some of them in time for a dose: dosed calls",
            restored.calls
        ));
    }
    if restored.broken + restored.findings > 0 {
        lines.push(format!(
            "{} records cannot be read, {} findings: dosed fsck",
            restored.broken, restored.findings
        ));
    }
    lines.join("\n") + "\n"
}
