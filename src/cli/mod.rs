//! The command line: one file a subcommand.
//!
//! Each subcommand is an `Args` (its flags, with their help) and a `run(Args) -> Exit`. Help,
//! manual pages and completions all come from these definitions. Data goes to stdout, everything
//! else to stderr.

mod ask;
pub mod backup;
pub mod calls;
pub mod check;
pub mod clock;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod enrol;
pub mod erase;
pub mod exit;
pub mod explain;
pub mod export;
mod fhir_file;
pub mod fsck;
pub mod history;
pub mod import;
pub mod inbox;
pub mod interpret;
pub mod jobs;
pub mod manual;
pub mod patients;
mod plan_texts;
pub mod preview;
mod progress;
pub mod reload;
pub mod report;
pub mod restore;
pub mod resume;
pub mod run;
pub mod say;
pub mod status;
pub mod terminal;
pub mod user;

use crate::daemon::config::Config;
use crate::store::{self, OpenError, Reader};
use clap::{CommandFactory, Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

/// Medication reminders for a clinic's patients.
///
/// dosed reads what doctors prescribe from plain text files and reminds each patient of each dose
/// on WeChat, at its time, once.
#[derive(Debug, Parser)]
#[command(name = "dosed", version, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 findings, 64 wrong usage, 65 bad data, 66 missing \
                        input, 69 not reachable, 70 internal fault, 73 cannot create, 74 I/O \
                        error, 75 store in use, 77 permission, 78 wrong configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Check(check::Args),
    Explain(explain::Args),
    Preview(preview::Args),
    Diff(diff::Args),
    Import(import::Args),
    Interpret(interpret::Args),
    Demo(demo::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    History(history::Args),
    Patients(patients::Args),
    Report(report::Args),
    Export(export::Args),
    Enrol(enrol::Args),
    Say(say::Args),
    Calls(calls::Args),
    Inbox(inbox::Args),
    User(user::Args),
    Reload(reload::Args),
    Resume(resume::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Erase(erase::Args),
    Jobs(jobs::Args),
    Fsck(fsck::Args),
    Clock(clock::Args),
    Man(manual::ManArgs),
    Completions(manual::CompletionsArgs),
}

/// The definition of the whole command line.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => dispatch(cli.command).into(),
        Err(error) => {
            // Help and version are data; a stdout or stderr that is gone leaves nobody to tell.
            let _ = error.print();
            if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Ok.into()
            }
        }
    }
}

fn dispatch(command: Command) -> Exit {
    match command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Preview(args) => preview::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Interpret(args) => interpret::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::History(args) => history::run(&args),
        Command::Patients(args) => patients::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Enrol(args) => enrol::run(&args),
        Command::Say(args) => say::run(&args),
        Command::Calls(args) => calls::run(&args),
        Command::Inbox(args) => inbox::run(&args),
        Command::User(args) => user::run(&args),
        Command::Reload(args) => reload::run(&args),
        Command::Resume(args) => resume::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Erase(args) => erase::run(&args),
        Command::Jobs(args) => jobs::run(&args),
        Command::Fsck(args) => fsck::run(&args),
        Command::Clock(args) => clock::run(&args),
        Command::Man(args) => manual::man(&args),
        Command::Completions(args) => manual::completions(&args),
    }
}

/// Opens the store of a configuration for reading.
fn open_reader(config: &Config) -> Result<Reader, (Exit, String)> {
    open_store(config).map_err(|error| (store_exit(&error), error.to_string()))
}

/// The same, with the reason where it cannot be opened.
fn open_store(config: &Config) -> Result<Reader, OpenError> {
    let options = store::Options {
        path: config.store.path.clone(),
        cache_bytes: usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX),
    };
    store::open_reader(&options)
}

/// Writes data to stdout; a reader that has gone away is nobody's fault.
fn write_data(text: &str) -> Result<(), (Exit, String)> {
    match terminal::write_stdout(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err((Exit::Io, error.to_string()))
        }
        _ => Ok(()),
    }
}

/// Whether the reader of stdout has gone away, which is nobody's fault.
fn written(done: std::io::Result<()>) -> Result<bool, (Exit, String)> {
    match done {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err((Exit::Io, error.to_string())),
    }
}

/// A patient who is asked for must have had a plan.
fn known(reader: &Reader, patient: Option<&str>) -> Result<(), (Exit, String)> {
    let Some(patient) = patient else {
        return Ok(());
    };
    match reader.knows(patient) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!("no plan was ever in force for `{patient}`");
            Err((Exit::Findings, message))
        }
        Err(error) => Err((Exit::Io, error.to_string())),
    }
}

/// What could not be read was left out: that is said.
fn all_read(reader: &Reader) -> Result<Exit, (Exit, String)> {
    match reader.unreadable() {
        0 => Ok(Exit::Ok),
        rows => {
            let message =
                format!("{rows} records cannot be read and were left out; run: dosed fsck");
            Err((Exit::Findings, message))
        }
    }
}

/// Shows how a command ended, and why where it could not be done.
fn ended(result: Result<Exit, (Exit, String)>) -> Exit {
    result.unwrap_or_else(|(exit, message)| {
        terminal::write_stderr(&format!("dosed: {message}\n"));
        exit
    })
}

/// No plan of this patient is in force: the nearest id is named.
fn no_patient(config: &Config, patient: &str) -> (Exit, String) {
    let known = open_reader(config)
        .ok()
        .and_then(|reader| reader.patients().ok())
        .unwrap_or_default();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let nearest = crate::plan::reader::nearest(patient, &known);
    let hint = nearest.map_or(String::new(), |id| format!("; did you mean `{id}`?"));
    let message = format!("no plan of `{patient}` is in force{hint}");
    (Exit::Findings, message)
}

/// The exit code of a store that cannot be opened.
fn store_exit(error: &OpenError) -> Exit {
    match error {
        OpenError::Locked(_) => Exit::Locked,
        OpenError::Newer { .. } | OpenError::Older { .. } | OpenError::Backup(_) => Exit::Config,
        OpenError::Permission(_) => Exit::Permission,
        OpenError::Missing(_) => Exit::NoInput,
        OpenError::Disk { .. } | OpenError::Failed { .. } => Exit::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_of_the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_subcommand_and_flag_is_explained() {
        for subcommand in command().get_subcommands() {
            assert!(
                subcommand.get_about().is_some(),
                "{}",
                subcommand.get_name()
            );
            for argument in subcommand.get_arguments() {
                let id = argument.get_id();
                assert!(
                    argument.get_help().is_some(),
                    "{} {id}",
                    subcommand.get_name()
                );
            }
        }
    }
}
