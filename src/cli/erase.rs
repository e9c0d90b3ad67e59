//! `dosed erase`.

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
use crate::http::admin::{EraseEnded, EraseRequest};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

/// Remove what is known of a patient; what the clinic keeps names nobody any more.
///
/// The plan must have ended: remove its file first. Removed are the texts of the plans, the
/// contacts who answered for nobody else with their addresses and talks, codes, reports, places on
/// the call list, and each word that was written, said or noted. The journal of doses and measured
/// values stays under another id, without names; with --all it goes, too. The running daemon does
/// it. Backups made until now hold all of it until they are replaced. Exit code 0: done; 1: there
/// is no such patient, the plan is in force, or nobody agreed; 69: no daemon answers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The patient.
    #[arg(value_name = "PATIENT")]
    patient: String,
    /// The journal, too: as if the patient had never been.
    #[arg(long)]
    all: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(erase(args))
}

fn erase(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let patient = args.patient.as_str();
    let reader = super::open_reader(&config)?;
    let failed = |error: crate::store::StoreError| (Exit::Io, error.to_string());
    if !reader.knows(patient).map_err(failed)? {
        return Err(unknown(&config, patient));
    }
    let file = config.clinic.plans.join(format!("{patient}.toml"));
    if file.exists() {
        return Err(in_force(&config, patient));
    }
    let charts = reader.charts_without_journal(Some(patient));
    let chart = charts.and_then(|mut charts| charts.next().transpose());
    if chart.map_err(failed)?.is_some_and(|it| it.plan.is_some()) {
        return Err(in_force(&config, patient));
    }
    drop(reader);
    if !args.yes {
        confirm(patient, args.all)?;
    }
    let request = EraseRequest {
        patient: patient.to_owned(),
        all: args.all,
    };
    let body =
        serde_json::to_value(request).map_err(|error| (Exit::Internal, error.to_string()))?;
    let answer = Daemon::of(&config).post("/erase", &body)?;
    let ended = serde_json::from_value::<EraseEnded>(answer.clone()).map_err(|_| {
        let message = "the daemon is of another release".to_owned();
        (Exit::Unavailable, message)
    })?;
    match &ended {
        EraseEnded::Done { .. } => {
            let stays = stays(&config, &ended, args.all);
            let text = if args.json {
                object(answer, patient, &stays)
            } else {
                words(&ended, patient, args.all, &stays)
            };
            super::write_data(&text)?;
            Ok(Exit::Ok)
        }
        EraseEnded::NoPatient => Err(unknown(&config, patient)),
        EraseEnded::InForce => Err(in_force(&config, patient)),
        EraseEnded::UnderWay { messages } => {
            let message = format!(
                "{messages} messages or questions about `{patient}` are open; nothing was removed: \
                 try again in ten minutes, or two hours after the last question"
            );
            Err((Exit::Findings, message))
        }
        EraseEnded::Failed { why } => {
            let message = format!("not all was removed; run it again: {why}");
            Err((Exit::Io, message))
        }
    }
}

fn unknown(config: &Config, patient: &str) -> (Exit, String) {
    let (exit, why) = super::no_patient(config, patient);
    let hint = why.split_once("; ").map_or("", |(_, hint)| hint);
    let hint = if hint.is_empty() {
        String::new()
    } else {
        format!("; {hint}")
    };
    (exit, format!("no patient `{patient}` is known{hint}"))
}

fn in_force(config: &Config, patient: &str) -> (Exit, String) {
    let file = config.clinic.plans.join(format!("{patient}.toml"));
    let message = format!(
        "the plan of `{patient}` is there or in force: remove {} (or [patients.{patient}] in {}), \
         run `dosed reload --accept-removals` or wait for a minute, and then erase",
        file.display(),
        config.path.display(),
    );
    (Exit::Findings, message)
}

/// Asks whoever is at the terminal; where nobody is, `--yes` has to say it.
fn confirm(patient: &str, all: bool) -> Result<(), (Exit, String)> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let message = format!("this would erase `{patient}` for good; add --yes to do it");
        return Err((Exit::Usage, message));
    }
    let journal = if all {
        "The journal goes, too."
    } else {
        "The journal of doses and values stays, without names and words."
    };
    terminal::write_stderr(&format!(
        "This removes the plans' texts, addresses, talks and words of `{patient}` for good. \
         {journal} Erase? [y/N] "
    ));
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err((Exit::Findings, "nothing was removed".to_owned()))
    }
}

/// What stays, and how it goes.
fn stays(config: &Config, ended: &EraseEnded, all: bool) -> Vec<String> {
    let EraseEnded::Done {
        known_as,
        journal,
        contacts_kept,
        ..
    } = ended
    else {
        return Vec::new();
    };
    let mut stays = Vec::new();
    if !all && *journal > 0 {
        stays.push(format!(
            "{journal} rows of the journal as `{known_as}`: medicines, amounts, times, measured \
             values, until they are older than store.keep"
        ));
    }
    if *contacts_kept > 0 {
        stays.push(format!(
            "{contacts_kept} contacts who answer for others or are staff"
        ));
    }
    stays.push(format!(
        "everything in backups made until now, until they are replaced: {} and your own copies",
        config.store.backups.display()
    ));
    stays.push(
        "what is not the daemon's: copies of the plan's file, the phones and the platform"
            .to_owned(),
    );
    stays
}

fn object(answer: Value, patient: &str, stays: &[String]) -> String {
    let mut object = answer;
    object["patient"] = patient.into();
    object["stays"] = json!(stays);
    format!("{object}\n")
}

fn words(ended: &EraseEnded, patient: &str, all: bool, stays: &[String]) -> String {
    let EraseEnded::Done {
        texts,
        journal,
        contacts,
        rows,
        ..
    } = ended
    else {
        return String::new();
    };
    let of_journal = if all {
        format!("{journal} rows of the journal")
    } else {
        format!("words and names in {journal} rows of the journal")
    };
    let mut text = format!(
        "{patient} is erased: {texts} texts of plans, {contacts} contacts with their talks, \
         {of_journal}, {rows} other rows\n"
    );
    for line in stays {
        let _ = writeln!(text, "stays: {line}");
    }
    text
}
