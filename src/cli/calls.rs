//! `dosed calls`.

use super::exit::Exit;
use super::history::rfc3339;
use crate::daemon::config::{Config, Environment};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Show whom somebody has to ring, and why, one line each.
///
/// It reads the store, whether the daemon runs or not. Those who have waited longest come first;
/// `last` is when there was a reason last.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(show(args))
}

fn show(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let zone = &config.clinic.defaults.zone;
    let calls = super::open_reader(&config)?
        .calls()
        .map_err(|error| (Exit::Io, error.to_string()))?;
    let mut text = String::new();
    for call in calls {
        let (since, last) = (rfc3339(call.since, zone), rfc3339(call.last, zone));
        let reason = call.reason.name();
        // Writing to a String cannot fail.
        let _ = if args.json {
            let line = json!({
                "patient": call.patient,
                "reason": reason,
                "since": since,
                "last": last,
            });
            writeln!(text, "{line}")
        } else {
            writeln!(text, "{since}  {}  {reason}  last {last}", call.patient)
        };
    }
    super::write_data(&text)?;
    Ok(Exit::Ok)
}
