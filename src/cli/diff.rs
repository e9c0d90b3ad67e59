//! `dosed diff`.

use super::exit::Exit;
use super::terminal;
use crate::daemon::clock::{Clock, ScaledClock, SystemClock};
use crate::daemon::config::{Config, Environment};
use crate::daemon::plan_changes;
use crate::daemon::plan_files::{self, LoadedPlans};
use crate::daemon::rehearsal::{Rehearsal, Turn, removals, turns};
use crate::store::{OpenError, PlanHead, Reader, StoreError};
use std::collections::HashMap;
use std::path::PathBuf;

/// Patients looked at in one snapshot of the store.
const BATCH: usize = 500;

/// Show what applying the plans as they are now would change.
///
/// For each patient whose text differs from what is in force: the doses, check-ins and reminders
/// of the next 7 days that would be added, withdrawn, moved, or have another amount, as the daemon
/// would decide it at this moment. It reads the store, whether the daemon runs or not, and writes
/// nothing. Exit code 0 when nothing would change, 1 when something would or a plan is rejected.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Look at a clock other than the machine's, for tests: SHOWN@REAL*SPEED.
    #[arg(long, value_name = "CLOCK", hide = true)]
    clock: Option<ScaledClock>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    match show(args) {
        Ok(exit) => exit,
        Err((exit, message)) => {
            terminal::write_stderr(&format!("dosed: {message}\n"));
            exit
        }
    }
}

fn show(args: &Args) -> Result<Exit, (Exit, String)> {
    let now = args
        .clock
        .as_ref()
        .map_or_else(|| SystemClock.now(), Clock::now);
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let failed = |error: StoreError| (Exit::Io, error.to_string());
    let reader = open(&config)?;
    let loaded = plan_files::load(&config, &HashMap::new(), now);
    let heads = match &reader {
        Some(reader) => reader.plan_heads().map_err(failed)?,
        None => HashMap::new(),
    };
    let mut found = say_what_is_not_read(&config, &loaded, &heads);
    let turns = turns(&config, loaded, &heads);
    let rehearsal = Rehearsal::new(now, config.limits());
    let turns: Vec<(String, Turn)> = turns.into_iter().collect();
    for batch in turns.chunks(BATCH) {
        let names = batch.iter().map(|(patient, _)| patient.as_str());
        let treatments = match &reader {
            Some(reader) => Some(reader.treatments(names).map_err(failed)?),
            None => None,
        };
        let mut text = String::new();
        for (patient, turn) in batch {
            let kept = treatments
                .as_ref()
                .and_then(|treatments| treatments.patients.get(patient));
            let ids = treatments.as_ref().map(|treatments| &treatments.ids);
            if let Some(report) = rehearsal.report(patient, turn, kept, ids) {
                found |= report.is_finding();
                text += &if args.json {
                    report.json()
                } else {
                    report.words()
                };
            }
        }
        match terminal::write_stdout(&text) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err((Exit::Io, error.to_string())),
            Ok(()) => {}
        }
    }
    Ok(if found { Exit::Findings } else { Exit::Ok })
}

/// The store; `None` where none was made yet: then nothing is in force.
fn open(config: &Config) -> Result<Option<Reader>, (Exit, String)> {
    let options = crate::store::Options {
        path: config.store.path.clone(),
        cache_bytes: usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX),
    };
    match crate::store::open_reader(&options) {
        Ok(reader) => Ok(Some(reader)),
        Err(OpenError::Missing(path)) => {
            terminal::write_stderr(&format!(
                "dosed: there is no store at {} yet: no plan is in force\n",
                path.display()
            ));
            Ok(None)
        }
        Err(error) => Err((super::store_exit(&error), error.to_string())),
    }
}

/// Says on stderr what belongs to no patient. True if something of it is to be looked at.
fn say_what_is_not_read(
    config: &Config,
    loaded: &LoadedPlans,
    heads: &HashMap<String, PlanHead>,
) -> bool {
    let mut found = false;
    let colour = terminal::stderr_colour();
    for stray in loaded.strays.iter().filter(|stray| stray.is_error()) {
        terminal::write_stderr(&stray.render(colour));
        found = true;
    }
    let unknown = plan_changes::present(loaded, heads, false).unknown;
    if let Err(error) = &loaded.directory
        && (unknown > 0 || loaded.plans.is_empty())
    {
        terminal::write_stderr(&format!(
            "dosed: {error}: all of its plans stay in force ({unknown})\n"
        ));
        found = true;
    }
    let held = removals(loaded, heads).1;
    if !held.is_empty() {
        terminal::write_stderr(&format!(
            "dosed: {} of {} plans in force have no file any more: they stay in force; if their \
             end is meant: dosed reload --config {} --accept-removals\n",
            held.len(),
            heads.len(),
            config.path.display()
        ));
    }
    found
}
