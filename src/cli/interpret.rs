//! `dosed interpret`.

use super::{exit::Exit, terminal};
use crate::engine::DoseState;
use crate::engine::interpret::{
    AsNeededItem, DoseAnswer, Interpretation, ItemKind, OpenItem, Reading, RecentDose, Reply,
    Value, interpret,
};
use crate::plan::{Language, answer_type};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead};

/// Read patients' replies as the daemon reads them, a JSON object a line from stdin.
///
/// Each line has the reply and what was open when it came; each gives one line with what it means,
/// in the same order. A line that cannot be used gives {"id":null,"error":…}. docs/replies.md has
/// the fields.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print a JSON object a line; there is no other form.
    #[arg(long, required = true)]
    json: bool,
}

/// One line of the input.
#[derive(Deserialize)]
struct Line {
    id: serde_json::Value,
    now: String,
    #[serde(default)]
    language: Language,
    text: String,
    #[serde(default)]
    red_flags: Vec<String>,
    #[serde(default)]
    open: Vec<Open>,
    #[serde(default)]
    recent: Vec<Recent>,
    #[serde(default)]
    as_needed: Vec<AsNeeded>,
    #[serde(default)]
    asked_which: Option<Answer>,
}

#[derive(Deserialize)]
struct Open {
    #[serde(rename = "ref")]
    reference: String,
    n: u32,
    kind: Kind,
    name: String,
    at: Timestamp,
    #[serde(default)]
    answer: Option<String>,
    #[serde(default)]
    patient: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Dose,
    CheckIn,
}

#[derive(Deserialize)]
struct Recent {
    #[serde(rename = "ref")]
    reference: String,
    name: String,
    at: Timestamp,
    state: State,
    #[serde(default)]
    patient: Option<String>,
}

/// [`DoseState`], and *not taken*, which the daemon keeps as missed.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Open,
    Taken,
    Skipped,
    NotTaken,
    Missed,
    Expired,
    Cancelled,
    /// Answered *later*; still open.
    Later,
}

#[derive(Deserialize)]
struct AsNeeded {
    #[serde(rename = "ref")]
    reference: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Taken,
    Later,
    Skipped,
    NotTaken,
}

/// One line of the output.
#[derive(Serialize)]
struct Read<'a> {
    id: &'a serde_json::Value,
    reading: &'static str,
    refs: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct Broken {
    id: (),
    error: String,
}

/// Runs the command.
#[must_use]
pub fn run(_args: &Args) -> Exit {
    let mut stdin = io::stdin().lock();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match stdin.read_until(b'\n', &mut bytes) {
            Ok(0) => return Exit::Ok,
            Ok(_) => {}
            Err(error) => {
                terminal::write_stderr(&format!("dosed: stdin: {error}\n"));
                return Exit::Io;
            }
        }
        let answer = match read(&bytes) {
            Ok(answer) => answer,
            Err(error) => serde_json::to_string(&Broken { id: (), error }),
        };
        let written = answer
            .map_err(io::Error::other)
            .and_then(|line| terminal::write_stdout(&format!("{line}\n")));
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::Ok,
            Err(error) => {
                terminal::write_stderr(&format!("dosed: stdout: {error}\n"));
                return Exit::Io;
            }
        }
    }
}

/// Reads one line and says what its reply means.
fn read(bytes: &[u8]) -> Result<serde_json::Result<String>, String> {
    let line: Line = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let now = zoned(&line.now)?;
    let open: Vec<OpenItem> = line
        .open
        .into_iter()
        .map(open_item)
        .collect::<Result<_, _>>()?;
    let recent: Vec<RecentDose> = line
        .recent
        .into_iter()
        .map(|dose| RecentDose {
            reference: dose.reference,
            name: dose.name,
            at: dose.at,
            patient: dose.patient,
            state: match dose.state {
                State::Open | State::Later => DoseState::Open,
                State::Taken => DoseState::Taken,
                State::Skipped => DoseState::Skipped,
                State::NotTaken | State::Missed => DoseState::Missed,
                State::Expired => DoseState::Expired,
                State::Cancelled => DoseState::Cancelled,
            },
        })
        .collect();
    let as_needed: Vec<AsNeededItem> = line
        .as_needed
        .into_iter()
        .map(|item| AsNeededItem {
            reference: item.reference,
            name: item.name,
        })
        .collect();
    let reply = Reply {
        now: &now,
        language: line.language,
        text: &line.text,
        red_flags: &line.red_flags,
        open: &open,
        recent: &recent,
        as_needed: &as_needed,
        asked_which: line.asked_which.map(|answer| match answer {
            Answer::Taken => DoseAnswer::Taken,
            Answer::Later => DoseAnswer::Later,
            Answer::Skipped => DoseAnswer::Skipped,
            Answer::NotTaken => DoseAnswer::NotTaken,
        }),
    };
    let Interpretation {
        reading,
        references,
        has_remark: _,
    } = interpret(&reply);
    let taken_at = match &reading {
        Reading::Taken { taken_at } | Reading::AsNeededTaken { taken_at } => *taken_at,
        _ => None,
    };
    Ok(serde_json::to_string(&Read {
        id: &line.id,
        reading: reading.name(),
        refs: &references,
        minutes: match &reading {
            Reading::Later { minutes } => *minutes,
            _ => None,
        },
        taken_at: taken_at.map(|at| {
            let offset = now.time_zone().to_offset(at);
            at.display_with_offset(offset).to_string()
        }),
        value: match &reading {
            Reading::CheckInValue(value) => Some(json(value)),
            _ => None,
        },
    }))
}

/// RFC 3339, with the zone of its offset; a zone in square brackets wins.
fn zoned(text: &str) -> Result<Zoned, String> {
    if text.contains('[') {
        return text.parse().map_err(|error| format!("now: {error}"));
    }
    let at: Timestamp = text.parse().map_err(|error| format!("now: {error}"))?;
    let offset = Pieces::parse(text).ok().and_then(|pieces| pieces.offset());
    let zone = match offset {
        Some(PiecesOffset::Numeric(offset)) => offset.offset().to_time_zone(),
        _ => TimeZone::UTC,
    };
    Ok(at.to_zoned(zone))
}

fn open_item(item: Open) -> Result<OpenItem, String> {
    let kind = match item.kind {
        Kind::Dose => ItemKind::Dose,
        Kind::CheckIn => {
            let answer = item
                .answer
                .as_deref()
                .ok_or("open: a check_in needs its answer")?;
            let answer = answer_type(answer)
                .map_err(|problem| format!("open: answer: {}", problem.message))?;
            ItemKind::CheckIn(answer)
        }
    };
    Ok(OpenItem {
        reference: item.reference,
        number: item.n,
        kind,
        name: item.name,
        at: item.at,
        patient: item.patient,
    })
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::BloodPressure { upper, lower } => {
            serde_json::json!({ "upper": upper, "lower": lower })
        }
        Value::Number(thousandths) if thousandths % 1000 == 0 => (thousandths / 1000).into(),
        // Three decimals are exact enough in binary to print as they were.
        Value::Number(thousandths) => (*thousandths as f64 / 1000.0).into(),
        Value::Bool(value) => (*value).into(),
        Value::Choice(text) | Value::Text(text) => text.as_str().into(),
    }
}
