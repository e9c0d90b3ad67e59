//! `dosed history`.

use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
use crate::engine::{DoseState, Entry, ExpiredReason};
use crate::plan::Zone;
use crate::store::{DoseLine, JournalLine, StoreError};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Show the doses of the past, one line each.
///
/// It reads the store, whether the daemon runs or not. A dose is `open` while it waits for an
/// answer; then `taken`, `skipped`, `missed` (reminded, not answered), `expired` (not reminded in
/// time, with the reason) or `cancelled` (the plan was edited).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this patient.
    #[arg(value_name = "PATIENT")]
    patient: Option<String>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// From this instant on: RFC 3339, or a date or date-time in the clinic's zone.
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Before this instant: RFC 3339, or a date or date-time in the clinic's zone.
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// The raw entries of the journal instead of the doses.
    #[arg(long)]
    journal: bool,
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
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let zone = &config.clinic.defaults.zone;
    let instant = |text: &Option<String>, otherwise| match text {
        None => Ok(otherwise),
        Some(text) => parse_instant(text, zone).ok_or_else(|| {
            let message = format!(
                "`{text}` is no instant; write e.g. 2026-03-01T08:00:00+08:00, 2026-03-01T08:00 \
                 or 2026-03-01"
            );
            (Exit::Usage, message)
        }),
    };
    let from = instant(&args.from, Timestamp::MIN)?;
    let until = instant(&args.until, Timestamp::MAX)?;
    let reader = super::open_reader(&config)?;
    let failed = |error: StoreError| (Exit::Io, error.to_string());
    let patient = args.patient.as_deref();
    if let Some(patient) = patient
        && !reader.knows(patient).map_err(failed)?
    {
        return Err((
            Exit::Findings,
            format!("no plan was ever in force for `{patient}`"),
        ));
    }
    let text = if args.journal {
        let lines = reader.journal(patient, from, until).map_err(failed)?;
        journal_text(&lines, zone, args.json)
    } else {
        let doses = reader
            .doses(patient, from, until, Timestamp::now())
            .map_err(failed)?;
        if args.json {
            doses_json(&doses, zone)
        } else {
            doses_text(&doses, zone)
        }
    };
    match terminal::write_stdout(&text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err((Exit::Io, error.to_string()))
        }
        _ => super::all_read(&reader),
    }
}

/// RFC 3339, or a local date or date-time in the zone.
pub(super) fn parse_instant(text: &str, zone: &Zone) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let local = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| {
            text.parse::<jiff::civil::Date>()
                .map(|date| date.at(0, 0, 0, 0))
        })
        .ok()?;
    zone.time_zone().to_timestamp(local).ok()
}

/// RFC 3339 with the zone's offset.
pub(super) fn rfc3339(at: Timestamp, zone: &Zone) -> String {
    at.to_zoned(zone.time_zone().clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

/// How instants are written.
#[derive(Clone, Copy)]
pub(super) enum Instants<'a> {
    /// Whole seconds, in the zone at home.
    Seconds(&'a Zone),
    /// As they are, with the offset at which the patient lived, on trips too.
    Exact(&'a Zone),
}

impl Instants<'_> {
    fn say(self, at: Timestamp) -> String {
        match self {
            Instants::Seconds(zone) => rfc3339(at, zone),
            Instants::Exact(zone) => zone.rfc3339(at),
        }
    }
}

fn doses_json(doses: &[DoseLine], zone: &Zone) -> String {
    let mut text = String::new();
    for dose in doses {
        let messages: Vec<String> = dose.messages.iter().map(ToString::to_string).collect();
        let mut line = json!({
            "patient": dose.patient,
            "id": dose.medication,
            "due": rfc3339(dose.due, zone),
            "dose": dose.amount,
            "state": dose.state.name(),
            "reason": dose.reason.map(ExpiredReason::name),
            "reminded": dose.reminded.map(|at| rfc3339(at, zone)),
            "in_doubt": dose.in_doubt,
            "messages": messages,
        });
        if let (Some(answer), Value::Object(fields)) = (&dose.answer, &mut line) {
            fields.insert(
                "answer".to_owned(),
                answer_json(answer, &Instants::Seconds(zone)),
            );
        }
        let _ = writeln!(text, "{line}");
    }
    text
}

fn doses_text(doses: &[DoseLine], zone: &Zone) -> String {
    let mut text = String::new();
    for dose in doses {
        let due = zone
            .time_zone()
            .to_datetime(dose.due)
            .strftime("%Y-%m-%d %H:%M");
        let late = dose.answer.as_ref().is_some_and(|answer| answer.late);
        let state = match (dose.reason, dose.in_doubt) {
            (None, _) if late && dose.state == DoseState::Taken => "taken (late)".to_owned(),
            (Some(reason), true) => format!("{} ({}, in doubt)", dose.state.name(), reason.name()),
            (Some(reason), false) => format!("{} ({})", dose.state.name(), reason.name()),
            (None, true) => format!("{} (in doubt)", dose.state.name()),
            (None, false) => dose.state.name().to_owned(),
        };
        let reminded = dose.reminded.map_or("not reminded".to_owned(), |at| {
            format!(
                "reminded {}",
                zone.time_zone().to_datetime(at).strftime("%H:%M:%S")
            )
        });
        let _ = writeln!(
            text,
            "{due}  {}  {} {}  {state}  {reminded}",
            dose.patient, dose.medication, dose.amount
        );
    }
    text
}

fn journal_text(lines: &[JournalLine], zone: &Zone, as_json: bool) -> String {
    let mut text = String::new();
    for line in lines {
        let at = rfc3339(line.at, zone);
        let mut entry = entry_json(&line.entry, &Instants::Seconds(zone));
        if as_json {
            if let Value::Object(fields) = &mut entry {
                fields.insert("at".to_owned(), at.into());
                fields.insert("patient".to_owned(), line.patient.clone().into());
            }
            let _ = writeln!(text, "{entry}");
        } else {
            let _ = writeln!(text, "{at}  {}  {entry}", line.patient);
        }
    }
    text
}

pub(super) fn entry_json(entry: &Entry, zone: &Instants<'_>) -> Value {
    let instant = |at: &crate::engine::Millis| zone.say(at.0);
    let about = |about: &[crate::engine::About]| -> Vec<Value> {
        about
            .iter()
            .map(|it| json!({ "id": it.id, "due": instant(&it.due) }))
            .collect()
    };
    match entry {
        Entry::PlanApplied { version } => json!({ "entry": "plan_applied", "version": version }),
        Entry::PlanTextChanged { version } => {
            json!({ "entry": "plan_text_changed", "version": version })
        }
        Entry::PlanEnded => json!({ "entry": "plan_ended" }),
        Entry::Accepted {
            message,
            at,
            about: items,
        } => json!({
            "entry": "accepted",
            "message": message.to_string(),
            "accepted_at": instant(at),
            "about": about(items),
        }),
        Entry::NotAccepted {
            message,
            reason,
            about: items,
        } => json!({
            "entry": if reason.is_some() { "not_accepted" } else { "in_doubt" },
            "message": message.to_string(),
            "reason": reason.map(ExpiredReason::name),
            "about": about(items),
        }),
        Entry::DoseClosed(dose) => json!({
            "entry": "dose_closed",
            "id": dose.medication,
            "dose": dose.amount,
            "due": instant(&dose.due),
            "on_time_until": instant(&dose.on_time_until),
            "state": dose.state.name(),
            "reason": dose.reason.map(ExpiredReason::name),
            "reminded": dose.reminded.as_ref().map(instant),
            "in_doubt": dose.in_doubt,
            "messages": dose.messages.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "answer": dose.answer.as_ref().map(|it| answer_json(it, zone)),
            "corrects": dose.corrects,
        }),
        Entry::DosesExpired {
            medication,
            amount,
            due,
            reason,
        } => json!({
            "entry": "doses_expired",
            "id": medication,
            "dose": amount,
            "from": due.first().map(instant),
            "to": due.last().map(instant),
            "due": due.iter().map(instant).collect::<Vec<_>>(),
            "count": due.len(),
            "reason": reason.name(),
        }),
        Entry::AppointmentNotReminded { what, due, reason } => json!({
            "entry": "appointment_not_reminded",
            "what": what,
            "due": instant(due),
            "reason": reason.map(ExpiredReason::name),
        }),
        Entry::CheckInClosed {
            check_in,
            due,
            asked,
            reason,
            cancelled,
        } => json!({
            "entry": "check_in_closed",
            "id": check_in,
            "due": instant(due),
            "asked": asked.as_ref().map(instant),
            "reason": reason.map(ExpiredReason::name),
            "cancelled": cancelled,
        }),
        _ => talk_json(entry, zone),
    }
}

/// Entries of what was said, and of who was told.
fn talk_json(entry: &Entry, zone: &Instants<'_>) -> Value {
    let instant = |at: &crate::engine::Millis| zone.say(at.0);
    let about = |about: &[crate::engine::About]| -> Vec<Value> {
        about
            .iter()
            .map(|it| json!({ "id": it.id, "due": instant(&it.due) }))
            .collect()
    };
    match entry {
        Entry::DoseReopened { about: item, by } => json!({
            "entry": "dose_reopened",
            "about": about(std::slice::from_ref(item)),
            "by": teller(by),
        }),
        Entry::Snoozed {
            about: items,
            until,
            by,
        } => json!({
            "entry": "snoozed",
            "about": about(items),
            "until": instant(until),
            "by": teller(by),
        }),
        Entry::SaidNotTaken { about: items, by } => json!({
            "entry": "said_not_taken",
            "about": about(items),
            "by": teller(by),
        }),
        Entry::TakenAsNeeded { medication, at, by } => json!({
            "entry": "taken_as_needed",
            "id": medication,
            "taken_at": instant(at),
            "by": teller(by),
        }),
        Entry::AsNeededTooSoon {
            medication,
            at,
            allowed_from,
            by,
        } => json!({
            "entry": "as_needed_too_soon",
            "id": medication,
            "taken_at": instant(at),
            "allowed_from": allowed_from.as_ref().map(instant),
            "by": teller(by),
        }),
        _ => news_json(entry, zone),
    }
}

/// Entries of questions, of what was written, and of who was told.
fn news_json(entry: &Entry, zone: &Instants<'_>) -> Value {
    let instant = |at: &crate::engine::Millis| zone.say(at.0);
    match entry {
        Entry::CheckInAnswered {
            check_in,
            due,
            value,
            late,
            alert,
            by,
        } => json!({
            "entry": "check_in_answered",
            "id": check_in,
            "due": instant(due),
            "value": value_json(value),
            "late": late,
            "alert": alert,
            "by": teller(by),
        }),
        Entry::Wrote { text, red_flag, by } => json!({
            "entry": "wrote",
            "text": text,
            "red_flag": red_flag,
            "by": teller(by),
        }),
        Entry::ReachChanged { why, barred } => json!({
            "entry": "reach_changed",
            "why": why.name(),
            "barred": barred.map(ExpiredReason::name),
        }),
        Entry::Told { message, to, news } => json!({
            "entry": "told",
            "message": message.to_string(),
            "to": recipient(to),
            "news": news,
        }),
        Entry::CallWanted { reason } => json!({
            "entry": "call_wanted",
            "reason": reason.name(),
        }),
        _ => advice_json(entry, zone),
    }
}

/// Entries of consent, of advice, and of what the channel reports.
fn advice_json(entry: &Entry, zone: &Instants<'_>) -> Value {
    let instant = |at: &crate::engine::Millis| zone.say(at.0);
    match entry {
        Entry::ConsentGiven { version, at, by } => json!({
            "entry": "consent_given",
            "version": version,
            "given_at": instant(at),
            "by": teller(by),
        }),
        Entry::Advised { text, by, message } => json!({
            "entry": "advised",
            "text": text,
            "by": adviser(by),
            "message": message.map(|id| id.to_string()),
        }),
        Entry::Erased => json!({ "entry": "erased" }),
        Entry::Restored { since } => json!({
            "entry": "restored",
            "since": instant(since),
        }),
        Entry::Delivered { message } => json!({
            "entry": "delivered",
            "message": message.to_string(),
        }),
        Entry::NotDelivered {
            message,
            reason,
            about: items,
        } => json!({
            "entry": "not_delivered",
            "message": message.to_string(),
            "reason": reason.name(),
            "about": items
                .iter()
                .map(|it| json!({ "id": it.id, "due": instant(&it.due) }))
                .collect::<Vec<_>>(),
        }),
        _ => care_json(entry),
    }
}

/// Entries of the call list, of caregivers, and of what is left of a medicine.
fn care_json(entry: &Entry) -> Value {
    let amount = |thousandths: &i64| *thousandths as f64 / 1e3;
    match entry {
        Entry::SentInWords { message } => json!({
            "entry": "sent_in_words",
            "message": message.to_string(),
        }),
        Entry::WordsRefused { message } => json!({
            "entry": "words_refused",
            "message": message.to_string(),
        }),
        Entry::CallDone { reasons, note, by } => json!({
            "entry": "call_done",
            "reasons": reasons.iter().map(|it| it.name()).collect::<Vec<_>>(),
            "note": note,
            "by": adviser(by),
        }),
        Entry::CallOver { reason } => json!({
            "entry": "call_over",
            "reason": reason.name(),
        }),
        Entry::CaregiverReach { caregiver, barred } => json!({
            "entry": "caregiver_reach",
            "caregiver": caregiver,
            "barred": barred.map(ExpiredReason::name),
        }),
        Entry::StockCounted {
            medication,
            stock,
            taken,
        } => json!({
            "entry": "stock_counted",
            "id": medication,
            "stock": amount(&stock.thousandths),
            "unit": stock.unit,
            "on": stock.on.to_string(),
            "taken_since": amount(taken),
        }),
        Entry::RefillDue {
            medication,
            left,
            days,
            message,
        } => json!({
            "entry": "refill_due",
            "id": medication,
            "left": amount(left),
            "days_left": days,
            "message": message.map(|id| id.to_string()),
        }),
        // All others are of doses and plans, and of what was said.
        _ => Value::Null,
    }
}

fn answer_json(answer: &crate::engine::GivenAnswer, zone: &Instants<'_>) -> Value {
    json!({
        "said_at": zone.say(answer.said_at.0),
        "taken_at": answer.taken_at.as_ref().map(|at| zone.say(at.0)),
        "by": teller(&answer.by),
        "reason": answer.reason,
        "late": answer.late,
    })
}

fn teller(by: &crate::engine::Teller) -> Value {
    match by {
        crate::engine::Teller::Patient => json!("patient"),
        crate::engine::Teller::Caregiver(id) => json!({ "caregiver": id }),
    }
}

fn adviser(by: &crate::engine::Adviser) -> Value {
    match by {
        crate::engine::Adviser::Operator => json!("operator"),
        crate::engine::Adviser::Staff(name) => json!({ "staff": name }),
        crate::engine::Adviser::Account(name) => json!({ "account": name }),
    }
}

fn recipient(to: &crate::engine::Recipient) -> Value {
    match to {
        crate::engine::Recipient::Patient => json!("patient"),
        crate::engine::Recipient::Caregiver(id) => json!({ "caregiver": id }),
        crate::engine::Recipient::Staff(name) => json!({ "staff": name }),
    }
}

fn value_json(value: &crate::engine::Value) -> Value {
    use crate::engine::Value as Said;
    match value {
        Said::BloodPressure { upper, lower } => json!({ "upper": upper, "lower": lower }),
        Said::Number(thousandths) => json!(*thousandths as f64 / 1e3),
        Said::Bool(yes) => json!(yes),
        Said::Choice(text) | Said::Text(text) => json!(text),
    }
}
