//! `dosed run`.

use super::exit::Exit;
use super::terminal;
use crate::daemon::clock::{Clock, ScaledClock, SystemClock};
use crate::daemon::config::{Config, ConfigError, Environment};
use crate::daemon::signals::{self, Control};
use crate::daemon::{self, DaemonError, logging};
use std::path::PathBuf;
use std::sync::Arc;

/// Run the daemon.
///
/// It reads the configuration and the plans, opens the store (making it if there is none), and
/// reminds each patient of each dose until it is asked to end. SIGHUP reads configuration and
/// plans again, SIGUSR1 logs a summary, SIGTERM ends it in good order.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Once ready, write the addresses really bound to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Run on a clock other than the machine's, for tests: SHOWN@REAL*SPEED.
    #[arg(long, value_name = "CLOCK", hide = true)]
    clock: Option<ScaledClock>,
}

/// Runs the command.
#[must_use]
pub fn run(args: Args) -> Exit {
    let environment = Environment::of_process();
    let config = match Config::load(&args.config, &environment) {
        Ok(config) => config,
        Err(error) => return refused(&error),
    };
    let journal_stream = environment.journal_stream.as_deref();
    if let Err(error) = logging::init(&config.log, journal_stream, terminal::stderr_colour()) {
        terminal::write_stderr(&format!("dosed: {error}\n"));
        return Exit::Config;
    }
    for warning in &config.warnings {
        // Where, not what: the configuration may hold patients.
        tracing::warn!(at = %warning.place(), "see: dosed check --config-only");
    }
    let clock: Arc<dyn Clock> = match args.clock {
        None => Arc::new(SystemClock),
        Some(clock) => {
            tracing::warn!("the clock is a test clock: not for patients");
            Arc::new(clock)
        }
    };
    let options = daemon::Options {
        ready_file: args.ready_file,
        environment,
        clock,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::write_stderr(&format!("dosed: the runtime cannot be started: {error}\n"));
            return Exit::Internal;
        }
    };
    let ended = runtime.block_on(async {
        let control = Control::default();
        let handle = signals::listen(control.clone()).map_err(|error| DaemonError::Listen {
            address: "the process's signals".to_owned(),
            error,
        })?;
        let ended = daemon::run(config, options, control).await;
        handle.close();
        ended
    });
    // What still blocks (a disk that does not answer) must not keep the process.
    runtime.shutdown_background();
    match ended {
        Ok(()) => Exit::Ok,
        Err(DaemonError::Config(error)) => refused(&error),
        Err(error) => {
            tracing::error!(%error, "the daemon ended");
            terminal::write_stderr(&format!("dosed: {error}\n"));
            exit_of(&error)
        }
    }
}

/// Shows why a configuration was refused.
fn refused(error: &ConfigError) -> Exit {
    terminal::write_stderr(&format!("{error}\n"));
    Exit::from(error)
}

/// The exit code for a daemon that ended because of `error`.
pub(super) fn exit_of(error: &DaemonError) -> Exit {
    match error {
        DaemonError::Store(error) => super::store_exit(error),
        DaemonError::Config(_)
        | DaemonError::Channel(_)
        | DaemonError::NoSecret
        | DaemonError::Callback(_) => Exit::Config,
        DaemonError::Console(_) | DaemonError::StoreLost => Exit::Io,
        DaemonError::Listen { error, .. } | DaemonError::ReadyFile { error, .. } => {
            match error.kind() {
                std::io::ErrorKind::PermissionDenied => Exit::Permission,
                _ => Exit::CannotCreate,
            }
        }
        DaemonError::TaskEnded(_) => Exit::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OpenError;

    #[test]
    fn what_only_a_person_can_mend_is_not_restarted() {
        let path = PathBuf::from("dosed.redb");
        let newer = DaemonError::Store(OpenError::Newer {
            path: path.clone(),
            found: 2,
        });
        let locked = DaemonError::Store(OpenError::Locked(path));
        assert_eq!(exit_of(&newer), Exit::Config);
        assert_eq!(exit_of(&locked), Exit::Locked);
        assert_eq!(exit_of(&DaemonError::StoreLost), Exit::Io);
    }
}
