//! `dosed reload`.

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
use crate::http::admin::{ReloadRequest, Reloaded};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Make the running daemon read its configuration and plans again, and say what came of it.
///
/// Exit code 0: applied; 1: refused, or plans were rejected or held back; 69: no daemon answers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// End also the plans of many patients whose files have vanished at once, now.
    #[arg(long)]
    accept_removals: bool,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    match reload(args) {
        Ok(exit) => exit,
        Err((exit, message)) => {
            terminal::write_stderr(&format!("dosed: {message}\n"));
            exit
        }
    }
}

fn reload(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let request = ReloadRequest {
        accept_removals: args.accept_removals,
    };
    let body =
        serde_json::to_value(request).map_err(|error| (Exit::Internal, error.to_string()))?;
    let answer = Daemon::of(&config).post("/reload", &body)?;
    let reloaded: Reloaded = serde_json::from_value(answer).map_err(|_| {
        (
            Exit::Unavailable,
            "the daemon is of another release".to_owned(),
        )
    })?;
    let text = readable(&reloaded);
    match terminal::write_stdout(&text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            return Err((Exit::Io, error.to_string()));
        }
        _ => {}
    }
    let well = reloaded.refused.is_none() && reloaded.rejected == 0 && reloaded.held_removals == 0;
    Ok(if well { Exit::Ok } else { Exit::Findings })
}

fn readable(reloaded: &Reloaded) -> String {
    if let Some(why) = &reloaded.refused {
        return format!("nothing was applied: {why}\n");
    }
    let mut text = format!(
        "{} changed, {} reworded, {} ended, {} rejected\n",
        reloaded.changed, reloaded.reworded, reloaded.ended, reloaded.rejected
    );
    if reloaded.rejected > 0 {
        text.push_str(
            "rejected plans stay in force as they were; run: dosed check --config FILE\n",
        );
    }
    if reloaded.held_removals > 0 {
        let _ = writeln!(
            text,
            "{} vanished at once and stay in force; if that is meant, add --accept-removals",
            reloaded.held_removals
        );
    }
    for key in &reloaded.restart_needed {
        let _ = writeln!(text, "`{key}` has changed and needs a restart");
    }
    text
}
