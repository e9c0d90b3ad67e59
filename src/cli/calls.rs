//! `dosed calls`.

use super::ask::Daemon;
use super::exit::Exit;
use super::history::rfc3339;
use crate::daemon::config::{Config, Environment};
use crate::engine::CallReason;
use crate::http::admin::{CallEnded, EndCallRequest};
use crate::store::{CallCaregiver, CallLine};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Most bytes of a note.
const NOTE_BYTES_MAX: usize = 2_000;

/// Show whom somebody has to ring, and why, one line each; or take somebody off the list.
///
/// It reads the store, whether the daemon runs or not. Those who have waited longest come first;
/// `last` is when there was a reason last. With --done the running daemon takes a patient off the
/// list and keeps that, with the note, in the journal. Exit code 0: done; 1: there is no such
/// patient, or none on the list for that; 69: no daemon answers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Take this patient off the list: somebody has seen to it.
    #[arg(long, value_name = "PATIENT")]
    done: Option<String>,
    /// Only for this reason, as the list names it; without it for all of them.
    #[arg(long, value_name = "REASON", requires = "done")]
    reason: Option<String>,
    /// What came of it, for the journal.
    #[arg(long, value_name = "TEXT", requires = "done")]
    note: Option<String>,
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
    super::ended(match &args.done {
        Some(patient) => end(args, patient),
        None => show(args),
    })
}

fn show(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let zone = &config.clinic.defaults.zone;
    let reader = super::open_reader(&config)?;
    let calls = reader
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
                "name": call.name,
                "reason": reason,
                "since": since,
                "last": last,
                "caregivers": call.caregivers.iter().map(caregiver).collect::<Vec<_>>(),
            });
            writeln!(text, "{line}")
        } else {
            let around = people(&call);
            writeln!(
                text,
                "{since}  {}  {reason}  last {last}{around}",
                call.patient
            )
        };
    }
    super::write_data(&text)?;
    super::all_read(&reader)
}

fn caregiver(caregiver: &CallCaregiver) -> Value {
    json!({
        "id": caregiver.id,
        "name": caregiver.name,
        "relation": caregiver.relation,
        "reached": caregiver.reached,
    })
}

/// The patient's name, and who else could be rung.
fn people(call: &CallLine) -> String {
    let Some(name) = &call.name else {
        return String::new();
    };
    let around = call.caregivers.iter();
    let around: Vec<String> = around
        .map(|it| format!("{} ({})", it.name, it.relation))
        .collect();
    if around.is_empty() {
        format!("  {name}")
    } else {
        format!("  {name}; {}", around.join(", "))
    }
}

fn end(args: &Args, patient: &str) -> Result<Exit, (Exit, String)> {
    let note = args.note.as_deref().unwrap_or_default().trim();
    if note.len() > NOTE_BYTES_MAX {
        let message = "that is longer than a note can be: at most 2,000 bytes";
        return Err((Exit::Usage, message.to_owned()));
    }
    if let Some(reason) = &args.reason
        && CallReason::of(reason).is_none()
    {
        let known = CallReason::ALL.map(CallReason::name);
        let message = format!(
            "there is no reason `{reason}`; there are {}",
            known.join(", ")
        );
        return Err((Exit::Usage, message));
    }
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let request = EndCallRequest {
        patient: patient.to_owned(),
        reason: args.reason.clone(),
        note: note.to_owned(),
    };
    let body =
        serde_json::to_value(request).map_err(|error| (Exit::Internal, error.to_string()))?;
    let answer = Daemon::of(&config).post("/calls/done", &body)?;
    let ended = serde_json::from_value::<CallEnded>(answer.clone()).map_err(|_| {
        let message = "the daemon is of another release".to_owned();
        (Exit::Unavailable, message)
    })?;
    match ended {
        CallEnded::Done { reasons } => {
            let text = if args.json {
                format!(
                    "{}\n",
                    json!({ "patient": patient, "reasons": reasons, "note": note })
                )
            } else {
                format!("{patient} is off the list: {}\n", reasons.join(", "))
            };
            super::write_data(&text)?;
            Ok(Exit::Ok)
        }
        CallEnded::NotListed => {
            let why = args.reason.as_ref();
            let why = why.map_or(String::new(), |reason| format!(" for `{reason}`"));
            let message = format!("`{patient}` is not on the call list{why}");
            Err((Exit::Findings, message))
        }
        CallEnded::NoPatient => Err(super::no_patient(&config, patient)),
        CallEnded::NoReason { known } => {
            let message = format!("there is no such reason; there are {}", known.join(", "));
            Err((Exit::Usage, message))
        }
        CallEnded::Failed { why } => Err((Exit::Io, why)),
    }
}
