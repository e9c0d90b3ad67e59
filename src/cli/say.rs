//! `dosed say`.

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
use crate::http::admin::{Said, SayRequest, SayTo};
use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

/// Most bytes of advice: what one message of free words can hold.
const TEXT_BYTES_MAX: usize = 2_000;

/// Say something to a patient, or to many: "take it after the meal from today on".
///
/// It goes as a message of free words while the patient's own writing allows that, else as the
/// `notice` template; who cannot be reached is put on the call list (see `dosed calls`). Quiet hours
/// are kept. Exit code 0: done; 1: there is no such patient, or nobody was told; 69: no daemon
/// answers.
#[derive(Debug, clap::Args)]
#[command(override_usage = "dosed say --config <FILE> <PATIENT> <TEXT>\n       \
                            dosed say --config <FILE> --all [--yes] <TEXT>\n       \
                            dosed say --config <FILE> --taking <MEDICATION> [--yes] <TEXT>")]
pub struct Args {
    /// The patient's id, unless --all or --taking is given; then the words.
    #[arg(value_name = "PATIENT TEXT", required = true, num_args = 1..=2)]
    words: Vec<String>,
    /// To everybody with a plan in force.
    #[arg(long, conflicts_with = "taking")]
    all: bool,
    /// To everybody who takes this medication, by its id or its name.
    #[arg(long, value_name = "MEDICATION")]
    taking: Option<String>,
    /// Do not ask whether it may go to so many.
    #[arg(long)]
    yes: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(say(args))
}

fn say(args: &Args) -> Result<Exit, (Exit, String)> {
    let (to, text) = meant(args)?;
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let daemon = Daemon::of(&config);
    let ask = |count_only| {
        let request = SayRequest {
            to: to.clone(),
            text: text.to_owned(),
            count_only,
        };
        let body =
            serde_json::to_value(request).map_err(|error| (Exit::Internal, error.to_string()))?;
        let answer = daemon.post("/say", &body)?;
        serde_json::from_value::<Said>(answer).map_err(|_| {
            let message = "the daemon is of another release".to_owned();
            (Exit::Unavailable, message)
        })
    };
    if !matches!(to, SayTo::Patient(_)) {
        let counted = ask(true)?;
        if let Some(why) = counted.failed {
            return Err((Exit::Io, why));
        }
        if counted.patients > 0 && !args.yes {
            confirm(counted.patients)?;
        }
    }
    let said = ask(false)?;
    if let Some(why) = said.failed {
        let message = format!(
            "of {} patients {} are told and {} are on the call list; then: {why}",
            said.patients, said.sent, said.to_call
        );
        return Err((Exit::Io, message));
    }
    match &to {
        SayTo::Patient(id) if said.patients == 0 => return Err(super::no_patient(&config, id)),
        _ if said.patients == 0 => {
            return Err((Exit::Findings, "nobody is meant".to_owned()));
        }
        _ => {}
    }
    let rest = match said.to_call {
        0 => String::new(),
        1 => "; 1 cannot be reached and is on the call list".to_owned(),
        more => format!("; {more} cannot be reached and are on the call list"),
    };
    super::write_data(&format!("{} to be told{rest}\n", patients(said.sent)))?;
    Ok(if said.sent > 0 {
        Exit::Ok
    } else {
        Exit::Findings
    })
}

/// To whom, and what.
fn meant(args: &Args) -> Result<(SayTo, &str), (Exit, String)> {
    let usage = |message: &str| Err((Exit::Usage, message.to_owned()));
    let (to, text) = match (&args.words[..], args.all, &args.taking) {
        ([text], true, None) => (SayTo::All, text),
        ([text], false, Some(medication)) => (SayTo::Taking(medication.clone()), text),
        ([patient, text], false, None) => (SayTo::Patient(patient.clone()), text),
        ([_], false, None) => return usage("say to whom: PATIENT, --all or --taking MEDICATION"),
        _ => return usage("with --all or --taking no patient is named: quote the words"),
    };
    let text = text.trim();
    if text.is_empty() {
        return usage("there are no words to say");
    }
    if text.len() > TEXT_BYTES_MAX {
        return usage("that is longer than one message can be: at most 2,000 bytes");
    }
    Ok((to, text))
}

/// Asks whoever is at the terminal; where nobody is, `--yes` has to say it.
fn confirm(count: usize) -> Result<(), (Exit, String)> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let message = format!("this would go to {}; add --yes to send it", patients(count));
        return Err((Exit::Usage, message));
    }
    terminal::write_stderr(&format!("Send this to {}? [y/N] ", patients(count)));
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    let agreed = read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes");
    if agreed {
        Ok(())
    } else {
        Err((Exit::Findings, "nothing was sent".to_owned()))
    }
}

fn patients(count: usize) -> String {
    if count == 1 {
        "1 patient".to_owned()
    } else {
        format!("{count} patients")
    }
}
