//! `dosed inbox`.

use super::exit::Exit;
use super::history::{parse_instant, rfc3339};
use crate::daemon::config::{Config, Environment};
use crate::engine::interpret::cannot_wait;
use crate::engine::{Entry, Teller};
use crate::store::StoreError;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Without `--from` so much is shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Show what people wrote that no question had asked for, one line each, in the order of time.
///
/// It reads the store, whether the daemon runs or not. Words that cannot wait are marked RED FLAG.
/// People whom nobody knows appear as `stranger` and a number.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// From this instant on: RFC 3339, or a date or date-time in the clinic's zone. Without it the
    /// last seven days are shown.
    #[arg(long, value_name = "T")]
    from: Option<String>,
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
    super::ended(show(args))
}

/// Something that was written.
struct Line {
    at: Timestamp,
    /// The patient's id; `None` for a stranger.
    patient: Option<String>,
    /// The caregiver who wrote it, or which stranger.
    by: String,
    red_flag: bool,
    text: String,
}

fn show(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let zone = &config.clinic.defaults.zone;
    let reader = super::open_reader(&config)?;
    let failed = |error: StoreError| (Exit::Io, error.to_string());
    let from = match &args.from {
        Some(text) => parse_instant(text, zone).ok_or_else(|| {
            let message = format!("`{text}` is no instant; write e.g. 2026-03-01T08:00");
            (Exit::Usage, message)
        })?,
        None => (Timestamp::now().saturating_sub(SHOWN)).unwrap_or(Timestamp::MIN),
    };
    let journal = reader.journal(None, from, Timestamp::MAX).map_err(failed)?;
    let strangers = reader.strangers(from, Timestamp::MAX).map_err(failed)?;
    let of_patients = journal.into_iter().filter_map(|line| match line.entry {
        Entry::Wrote { text, red_flag, by } => Some(Line {
            at: line.at,
            patient: Some(line.patient),
            by: match by {
                Teller::Patient => "patient".to_owned(),
                Teller::Caregiver(id) => id,
            },
            red_flag,
            text,
        }),
        _ => None,
    });
    let red_flags = &config.talk.red_flags;
    let of_strangers = strangers.into_iter().map(|line| Line {
        at: line.at,
        patient: None,
        by: format!("stranger {}", line.contact),
        red_flag: cannot_wait(&line.text, red_flags),
        text: line.text,
    });
    let mut lines: Vec<Line> = of_patients.chain(of_strangers).collect();
    lines.sort_by_key(|line| line.at);
    let mut text = String::new();
    for line in &lines {
        let at = rfc3339(line.at, zone);
        // Writing to a String cannot fail.
        let _ = if args.json {
            let line = json!({
                "at": at,
                "patient": line.patient,
                "by": line.by,
                "red_flag": line.red_flag,
                "text": line.text,
            });
            writeln!(text, "{line}")
        } else {
            let whom = match &line.patient {
                Some(patient) if line.by == "patient" => patient.clone(),
                Some(patient) => format!("{patient} ({})", line.by),
                None => line.by.clone(),
            };
            let mark = if line.red_flag { "RED FLAG  " } else { "" };
            // One line each, whatever was written.
            let said = line.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let said: String = said.chars().filter(|c| !c.is_control()).collect();
            writeln!(text, "{at}  {whom}  {mark}{said}")
        };
    }
    super::write_data(&text)?;
    super::all_read(&reader)
}
