//! `dosed jobs`.

use super::exit::Exit;
use super::history::rfc3339;
use crate::daemon::clock::{Clock, ScaledClock, SystemClock};
use crate::daemon::config::{Config, Environment};
use crate::daemon::job::{Job, Rhythm, is_overdue, next_due};
use crate::plan::Zone;
use crate::store::JobRun;
use jiff::Timestamp;
use serde_json::json;
use std::path::PathBuf;

/// Show the jobs of housekeeping: when each was started last, how long it took, how it ended, how
/// often it ran, and when it is due next.
///
/// It reads the store, whether the daemon runs or not. Exit code 1: the last run of a job failed,
/// or it has not succeeded for too long.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Look at a clock other than the machine's, for tests: SHOWN@REAL*SPEED.
    #[arg(long, value_name = "CLOCK", hide = true)]
    clock: Option<ScaledClock>,
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
    let reader = super::open_reader(&config)?;
    let runs = reader
        .jobs()
        .map_err(|error| (Exit::Io, error.to_string()))?;
    let now = args
        .clock
        .as_ref()
        .map_or_else(|| SystemClock.now(), Clock::now);
    let mut text = String::new();
    let mut good = true;
    for job in Job::ALL {
        let rhythm = job.rhythm(config.talk.digest_at);
        let run = runs.get(job.name()).cloned();
        let mut line = Line::of((job, rhythm), run, now, zone);
        if !job.is_on(&config.store) {
            line.switch_off();
        }
        good &= line.next.is_none() || !(line.run.failed() || line.overdue);
        text += &if args.json {
            line.object(zone)
        } else {
            line.words(zone)
        };
        text.push('\n');
    }
    super::write_data(&text)?;
    let read = super::all_read(&reader)?;
    Ok(if good { read } else { Exit::Findings })
}

/// What is told of one job.
struct Line {
    job: Job,
    run: JobRun,
    overdue: bool,
    /// `None`: it is switched off.
    next: Option<Timestamp>,
}

impl Line {
    fn of((job, rhythm): (Job, Rhythm), run: Option<JobRun>, now: Timestamp, zone: &Zone) -> Self {
        let run = run.unwrap_or_default();
        Self {
            job,
            overdue: is_overdue(rhythm, &run, now),
            next: Some(next_due(rhythm, &run, now, zone)),
            run,
        }
    }

    fn switch_off(&mut self) {
        self.next = None;
        self.overdue = false;
    }

    /// How the last run ended; `None` before the first.
    fn result(&self) -> Option<&'static str> {
        let ran = self.run.started().is_some();
        ran.then_some(if self.run.failed() { "failed" } else { "ok" })
    }

    fn object(&self, zone: &Zone) -> String {
        let run = &self.run;
        let ran = run.started().is_some();
        json!({
            "job": self.job.name(),
            "known_since": run.known().map(|at| rfc3339(at, zone)),
            "last_start": run.started().map(|at| rfc3339(at, zone)),
            "last_success": run.last_success().map(|at| rfc3339(at, zone)),
            "last_result": self.result(),
            "last_seconds": ran.then_some(run.took().as_secs_f64()),
            "count": run.count(),
            "overdue": self.overdue,
            "next_due": self.next.map(|at| rfc3339(at, zone)),
        })
        .to_string()
    }

    fn words(&self, zone: &Zone) -> String {
        let run = &self.run;
        let last = match (run.started(), self.result()) {
            (Some(at), Some(result)) => {
                let seconds = run.took().as_secs_f64();
                let at = rfc3339(at, zone);
                format!("last {at}  {result}  {seconds:.1} s  {} runs", run.count())
            }
            _ => "never run".to_owned(),
        };
        let overdue = if self.overdue { "  overdue" } else { "" };
        let next = self.next.map_or("switched off".to_owned(), |at| {
            format!("next {}", rfc3339(at, zone))
        });
        format!("{:<10}  {last}{overdue}  {next}", self.job.name())
    }
}
