//! `dosed explain`.

use super::{
    exit::Exit,
    plan_texts::{self, Origin},
    terminal,
};
use crate::plan::explain::{amount_words, list_separator, moment, reminders_heading};
use crate::plan::{Due, Language, PatientId, ReadPlan};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// Reminders that are listed.
const REMINDERS: usize = 10;

/// Say in plain words what a plan means, and list its next ten reminders.
///
/// One sentence a medication, in the patient's language. What is said comes from what was
/// understood, not from what was written: read it against what was meant.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Plan files, or directories of plans.
    #[arg(value_name = "PATH", required_unless_present = "config")]
    paths: Vec<PathBuf>,
    /// Explain the plans of this configuration.
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    config: Option<PathBuf>,
    /// Explain this patient's plan alone.
    #[arg(long, value_name = "ID")]
    patient: Option<PatientId>,
    /// Explain in this language instead of the patient's.
    #[arg(long, value_name = "LANGUAGE", value_parser = language)]
    language: Option<Language>,
}

fn language(text: &str) -> Result<Language, String> {
    match text {
        "en" => Ok(Language::En),
        "zh-CN" => Ok(Language::ZhCn),
        _ => Err("write en or zh-CN".to_owned()),
    }
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let now = Timestamp::now();
    let origin = Origin {
        paths: &args.paths,
        config: args.config.as_deref(),
        patient: args.patient.as_ref(),
        ..Origin::default()
    };
    let plans = match plan_texts::read(&origin, now) {
        Ok(plans) => plans,
        Err(exit) => return exit,
    };
    let mut text = String::new();
    for (id, read) in &plans.plans {
        if !text.is_empty() {
            text.push('\n');
        }
        explain(
            &mut text,
            id,
            read,
            args.language.unwrap_or(read.plan.language),
            now,
        );
    }
    let failed = plans.report();
    match terminal::write_stdout(&text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            terminal::write_stderr(&format!("dosed: writing failed: {error}\n"));
            Exit::Io
        }
        _ if failed => Exit::Findings,
        _ => Exit::Ok,
    }
}

fn explain(text: &mut String, id: &PatientId, read: &ReadPlan, language: Language, now: Timestamp) {
    let plan = &read.plan;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} ({id}, {})", plan.name, plan.zone.name());
    for sentence in plan.explain(language) {
        let _ = writeln!(text, "- {sentence}");
    }
    let next = read.next_reminders(now, REMINDERS);
    let _ = writeln!(text, "{}", reminders_heading(language, !next.is_empty()));
    for due in next {
        let things: Vec<String> = due.iter().map(|due| thing(due, language)).collect();
        let at = moment(language, &plan.zone, due[0].at);
        let _ = writeln!(text, "  {at}  {}", things.join(list_separator(language)));
    }
}

fn thing(due: &Due<'_>, language: Language) -> String {
    match &due.dose {
        Some(amount) => format!("{} {}", due.name, amount_words(language, amount)),
        None => due.name.to_owned(),
    }
}
