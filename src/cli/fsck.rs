//! `dosed fsck`.

use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
use crate::store::{self, FsckError, Integrity, Report};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Look the whole store over: the file's own integrity, and what must hold between its tables.
///
/// Nothing is written. Beside a running daemon the tables are checked on a snapshot, and the
/// file's own check is left out. Exit code 0: all is well; 1: something is not; 74: the store
/// cannot be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The whole report, as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    match check(args) {
        Ok(exit) => exit,
        Err((exit, message)) => {
            terminal::write_stderr(&format!("dosed: {message}\n"));
            exit
        }
    }
}

fn check(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let options = store::Options {
        path: config.store.path.clone(),
        cache_bytes: usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX),
    };
    // A damaged page makes redb panic; what that means is said by the report.
    std::panic::set_hook(Box::new(|_| {}));
    let report = store::fsck(&options);
    drop(std::panic::take_hook());
    let report = report.map_err(|error| match &error {
        FsckError::Open(open) => (super::store_exit(open), error.to_string()),
        FsckError::Read(_) => (Exit::Io, error.to_string()),
    })?;
    let text = if args.json {
        let mut value =
            serde_json::to_value(&report).map_err(|error| (Exit::Internal, error.to_string()))?;
        value["ok"] = report.is_clean().into();
        format!("{value}\n")
    } else {
        readable(&report)
    };
    match terminal::write_stdout(&text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            return Err((Exit::Io, error.to_string()));
        }
        _ => {}
    }
    Ok(if report.is_clean() {
        Exit::Ok
    } else {
        Exit::Findings
    })
}

fn readable(report: &Report) -> String {
    let mut text = String::new();
    text.push_str(match report.integrity {
        Integrity::Whole => "file: whole\n",
        Integrity::Damaged => {
            "file: damaged; restore a backup, or let `dosed run` repair what can be repaired\n"
        }
        Integrity::LeftOut => {
            "file: not checked, as a daemon writes to it; stop the daemon to have it checked\n"
        }
    });
    for finding in &report.findings {
        let _ = write!(text, "{}: {}", finding.table, finding.what);
        if let Some(patient) = &finding.patient {
            let _ = write!(text, " ({patient})");
        }
        text.push('\n');
    }
    let told = report.findings.len() as u64;
    if report.count > told {
        let _ = writeln!(text, "and {} more", report.count - told);
    }
    let rows: u64 = report.rows.values().sum();
    let _ = writeln!(
        text,
        "{rows} rows in {} tables looked at, {} findings",
        report.rows.len(),
        report.count
    );
    if report.findings.iter().any(|it| it.patient.is_some()) {
        text.push_str("who a pseudonym is: dosed status --config FILE --who PSEUDONYM\n");
    }
    text
}
