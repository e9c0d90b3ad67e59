//! `dosed clock`.

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
use crate::http::admin::Released;
use std::path::PathBuf;

/// Say that this machine's clock is right.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Accept(AcceptArgs),
}

/// Make the running daemon believe a clock that it does not find plausible, and go on sending.
///
/// The daemon holds all sending while the clock is more than a day before one that it has seen,
/// was stepped forward by more than 7 days, or is more than 30 days ahead at its start. Set the
/// clock first: what it shows is acted upon at once. Exit code 0: accepted; 1: it was not in
/// doubt; 69: no daemon answers.
#[derive(Debug, clap::Args)]
pub struct AcceptArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let What::Accept(args) = &args.what;
    release(
        &args.config,
        "/clock/accept",
        "the clock is accepted as right; sending goes on\n",
        "the clock was not in doubt; nothing has changed\n",
    )
}

/// Asks the daemon to release a hold, and says what came of it.
pub(super) fn release(config: &std::path::Path, path: &str, released: &str, not: &str) -> Exit {
    let asked = Config::load(config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))
        .and_then(|config| Daemon::of(&config).post(path, &serde_json::json!({})))
        .and_then(|answer| {
            serde_json::from_value::<Released>(answer).map_err(|_| {
                let message = "the daemon is of another release".to_owned();
                (Exit::Unavailable, message)
            })
        });
    match asked {
        Ok(answer) => {
            let (text, exit) = if answer.released {
                (released, Exit::Ok)
            } else {
                (not, Exit::Findings)
            };
            match terminal::write_stdout(text) {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Exit::Io,
                _ => exit,
            }
        }
        Err((exit, message)) => {
            terminal::write_stderr(&format!("dosed: {message}\n"));
            exit
        }
    }
}
