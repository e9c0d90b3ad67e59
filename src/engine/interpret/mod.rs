//! What a patient's reply means: a pure function of its words and of what is open.
//!
//! A wrong *taken* can hurt somebody. So a reply is only read as *taken* if every word of it is
//! known and none of them denies, doubts, asks, plans or counts; anything else goes to the doctor
//! as it is. An answer goes to a dose only where it can mean no other; else the patient is asked.
//!
//! `writing` folds the many ways of writing the same, `token` takes the reply apart with the
//! words of `lexicon`, `sentence` finds what is `said` (`clause` looks around a word), `which`
//! finds of which dose, `doses` what that comes to, and `value` reads the answers to check-ins. The order is that of [`interpret`].

#![allow(
    clippy::match_same_arms,
    clippy::option_option,
    clippy::struct_excessive_bools,
    clippy::too_many_lines,
    clippy::nonminimal_bool,
    clippy::overly_complex_bool_expr,
    reason = "grammars are tables: one arm or flag a way of saying it, to be read as a whole"
)]

mod clause;
mod clock;
mod doses;
mod field;
mod form;
mod lexicon;
mod name;
mod numeral;
mod red_flag;
mod said;
mod sentence;
mod taken_at;
mod token;
mod value;
mod which;
mod writing;

pub use field::{field_value, is_red_flag, taken_at_time};

use super::DoseState;
use crate::plan::{AnswerType, Language};
use jiff::{Timestamp, Zoned};
use name::Names;
use said::Sentence;
use serde::{Deserialize, Serialize};
use value::CheckInReading;
use writing::{Writing, squeezed};

/// A reply with all that is needed to understand it.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// When it was written, in the patient's zone: its clock times are of this zone.
    pub now: &'a Zoned,
    /// The language in which the patient is addressed. Replies may be in either, so it changes
    /// nothing today; a language whose words mean something else in another would need it.
    pub language: Language,
    /// The reply as written.
    pub text: &'a str,
    /// Phrases that a person must see at once.
    pub red_flags: &'a [String],
    /// Prompts that wait for an answer, of all patients of this contact.
    pub open: &'a [OpenItem],
    /// Doses that were answered or missed and may be corrected.
    pub recent: &'a [RecentDose],
    /// Medicines that are taken when needed.
    pub as_needed: &'a [AsNeededItem],
    /// Our last message was the numbered list, for this answer.
    pub asked_which: Option<DoseAnswer>,
}

/// A dose or check-in that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenItem {
    /// How the caller names it.
    pub reference: String,
    /// Its number in the list; items of one reminder share it.
    pub number: u32,
    /// What it is.
    pub kind: ItemKind,
    /// The medicine, or several joined by 、 or a comma; the question.
    pub name: String,
    /// When it was due.
    pub at: Timestamp,
    /// Whose it is, where the contact answers for several.
    pub patient: Option<String>,
}

/// What waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A dose.
    Dose,
    /// A question with this kind of answer.
    CheckIn(AnswerType),
}

/// A dose that was answered or missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentDose {
    /// How the caller names it.
    pub reference: String,
    /// The medicine, or several.
    pub name: String,
    /// When it was due.
    pub at: Timestamp,
    /// What became of it.
    pub state: DoseState,
    /// Whose it is, where the contact has several patients.
    pub patient: Option<String>,
}

/// A medicine that is taken when needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsNeededItem {
    /// How the caller names it.
    pub reference: String,
    /// The medicine.
    pub name: String,
}

/// What can be answered to a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoseAnswer {
    /// It was taken.
    Taken,
    /// It will be.
    Later,
    /// It will not be.
    Skipped,
    /// It was not.
    NotTaken,
}

impl DoseAnswer {
    /// All of them.
    pub const ALL: [DoseAnswer; 4] = [
        DoseAnswer::Taken,
        DoseAnswer::Later,
        DoseAnswer::Skipped,
        DoseAnswer::NotTaken,
    ];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DoseAnswer::Taken => "taken",
            DoseAnswer::Later => "later",
            DoseAnswer::Skipped => "skipped",
            DoseAnswer::NotTaken => "not_taken",
        }
    }

    /// The answer of a bare digit: 1 taken, 2 later, 3 skipped.
    fn of_digit(digit: u32) -> Option<Self> {
        match digit {
            1 => Some(DoseAnswer::Taken),
            2 => Some(DoseAnswer::Later),
            3 => Some(DoseAnswer::Skipped),
            _ => None,
        }
    }
}

/// What a reply means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The doses were taken.
    Taken {
        /// When, if it was said.
        taken_at: Option<Timestamp>,
    },
    /// The doses will be taken.
    Later {
        /// In how many minutes, if it was said.
        minutes: Option<u32>,
    },
    /// The doses will not be taken.
    Skipped {
        /// Why, as written.
        reason: Option<String>,
    },
    /// The doses were not taken.
    NotTaken,
    /// The reply may mean one or another: the patient is to be asked, for this answer; `None`
    /// where it is the value of one of several check-ins.
    AskWhich(Option<DoseAnswer>),
    /// The answer to a check-in.
    CheckInValue(Value),
    /// It was meant as an answer to a check-in and cannot be one.
    Unreadable,
    /// Something that is taken when needed was taken.
    AsNeededTaken {
        /// When, if it was said.
        taken_at: Option<Timestamp>,
    },
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// A person must see this at once.
    RedFlag,
    /// A message to the doctor.
    FreeText,
}

impl Reading {
    /// The name in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Reading::Taken { .. } => "taken",
            Reading::Later { .. } => "later",
            Reading::Skipped { .. } => "skipped",
            Reading::NotTaken => "not_taken",
            Reading::AskWhich(_) => "ask_which",
            Reading::CheckInValue(_) => "check_in_value",
            Reading::Unreadable => "unreadable",
            Reading::AsNeededTaken { .. } => "as_needed_taken",
            Reading::Stop => "stop",
            Reading::Start => "start",
            Reading::RedFlag => "red_flag",
            Reading::FreeText => "free_text",
        }
    }
}

/// The answer to a check-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// mmHg.
    BloodPressure {
        /// Systolic.
        upper: u32,
        /// Diastolic.
        lower: u32,
    },
    /// In thousandths of the unit asked for (mmol/L, °C, kg, beats a minute, or the plan's).
    Number(i64),
    /// Yes or no.
    Bool(bool),
    /// One of the words offered, as the plan writes it.
    Choice(String),
    /// The patient's words.
    Text(String),
}

/// As it is said back: `130/85`, `36.8`, the words. Yes and no are for whoever knows the language.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::BloodPressure { upper, lower } => write!(f, "{upper}/{lower}"),
            Value::Number(thousandths) => {
                let (whole, rest) = (thousandths / 1000, (thousandths % 1000).abs());
                let sign = if *thousandths < 0 && whole == 0 {
                    "-"
                } else {
                    ""
                };
                let rest = format!("{rest:03}");
                match rest.trim_end_matches('0') {
                    "" => write!(f, "{sign}{whole}"),
                    rest => write!(f, "{sign}{whole}.{rest}"),
                }
            }
            Value::Bool(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Value::Choice(words) | Value::Text(words) => f.write_str(words),
        }
    }
}

/// What a reply means, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpretation {
    /// What it means.
    pub reading: Reading,
    /// All that the answer covers; of `AskWhich` all that it may mean. Each is a reference of the
    /// reply, in its order, and none stands twice.
    pub references: Vec<String>,
    /// The reply says more than this: the doctor is to have its words as well.
    pub has_remark: bool,
}

impl Interpretation {
    fn new(reading: Reading, references: Vec<String>) -> Self {
        Self {
            reading,
            references,
            has_remark: false,
        }
    }

    fn with_remark(self, has_remark: bool) -> Self {
        Self { has_remark, ..self }
    }

    fn bare(reading: Reading) -> Self {
        Self::new(reading, Vec::new())
    }
}

/// No message of this length is an answer; it also bounds the work.
const CHARACTERS_MAX: usize = 200;

/// Whether the words of somebody whom nobody knows hold a phrase that cannot wait.
#[must_use]
pub fn cannot_wait(text: &str, red_flags: &[String]) -> bool {
    let now = Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let read = interpret(&Reply {
        now: &now,
        language: Language::default(),
        text,
        red_flags,
        open: &[],
        recent: &[],
        as_needed: &[],
        asked_which: None,
    });
    read.reading == Reading::RedFlag
}

/// Reads a reply.
///
/// The order: exact words of stop and start, red flags, the answer to our list, what was taken
/// when needed, the answer to a check-in, the answer to a reminder, a message to the doctor.
/// Total and deterministic: no text panics.
#[must_use]
pub fn interpret(reply: &Reply<'_>) -> Interpretation {
    match exact_word(reply.text) {
        Some("停止" | "退订" | "stop") => return Interpretation::bare(Reading::Stop),
        Some(_) => return Interpretation::bare(Reading::Start),
        None => {}
    }
    if reply
        .red_flags
        .iter()
        .any(|flag| red_flag::is_in(flag, reply.text))
    {
        return Interpretation::bare(Reading::RedFlag);
    }
    let writing = Writing::of(reply.text);
    let short = writing.characters().len() <= CHARACTERS_MAX;
    let sentence = if short {
        let names = Names::of(reply);
        sentence::sentence(&token::tokens(&writing, &names))
    } else {
        Sentence {
            unclear: true,
            ..Sentence::default()
        }
    };
    if let Some(asked) = reply.asked_which
        && let Some(answer) = doses::listed(reply, &sentence, asked)
    {
        return answer;
    }
    if let Some(answer) = doses::as_needed(reply, &sentence) {
        return answer;
    }
    let value = match value::check_in(reply, short) {
        // After our list "yes" is of no use, and a murmur may be about the dose.
        CheckInReading::Value(Value::Bool(true), ..)
            if doses::is_open(reply) && (reply.asked_which.is_some() || is_murmur(reply.text)) =>
        {
            CheckInReading::Nothing
        }
        value => value,
    };
    let digit = sentence
        .digit
        .filter(|_| sentence.acts.is_empty() && !sentence.unclear)
        .and_then(DoseAnswer::of_digit)
        .filter(|_| doses::is_open(reply));
    match value {
        CheckInReading::Value(value, items, has_remark) => {
            if let Some(digit) = digit {
                return Interpretation::new(
                    Reading::AskWhich(Some(digit)),
                    doses::doubtful(reply, &items),
                );
            }
            return match items[..] {
                [_] => Interpretation::new(Reading::CheckInValue(value), references(reply, &items))
                    .with_remark(has_remark),
                _ => Interpretation::new(Reading::AskWhich(None), references(reply, &items)),
            };
        }
        CheckInReading::Digit(items) if digit.is_some() => {
            return Interpretation::new(Reading::AskWhich(digit), doses::doubtful(reply, &items));
        }
        _ => {}
    }
    let check_ins: Vec<usize> = (0..reply.open.len())
        .filter(|index| reply.open[*index].kind != ItemKind::Dose)
        .collect();
    if digit.is_some() && !check_ins.is_empty() {
        // Whoever is asked a number and reminded of a dose may mean either.
        return Interpretation::new(Reading::AskWhich(digit), doses::doubtful(reply, &check_ins));
    }
    if let Some(answer) = doses::answer(reply, &sentence, &writing) {
        return answer;
    }
    match value {
        CheckInReading::Unreadable(items) => {
            Interpretation::new(Reading::Unreadable, references(reply, &items))
        }
        CheckInReading::Text(items) => {
            let references = references(reply, &items);
            if items.len() > 1 {
                return Interpretation::new(Reading::AskWhich(None), references);
            }
            let value = Value::Text(reply.text.trim().to_owned());
            Interpretation::new(Reading::CheckInValue(value), references)
        }
        _ => Interpretation::bare(Reading::FreeText),
    }
}

fn is_murmur(text: &str) -> bool {
    let words: String = squeezed(text).into_iter().collect();
    ["嗯", "嗯嗯", "恩", "恩恩", "sure", "uhhuh", "mhm"].contains(&words.as_str())
}

/// 停止, 退订, STOP, 开始, START and nothing else but punctuation.
fn exact_word(text: &str) -> Option<&'static str> {
    let writing = Writing::of(text);
    let only_marks = |c: &char| c.is_alphanumeric() || *c == ' ' || writing::is_mark(*c);
    if !writing.characters().iter().all(only_marks) {
        return None;
    }
    let word: String = squeezed(text).into_iter().collect();
    let blanks = writing.characters().contains(&' ');
    ["停止", "退订", "stop", "开始", "start"]
        .into_iter()
        .find(|exact| {
            **exact == word
                && (!blanks
                    || !exact.is_ascii()
                    || text
                        .split_whitespace()
                        .any(|part| part.len() >= exact.len()))
        })
}

/// The references of open items, each once.
fn references(reply: &Reply<'_>, items: &[usize]) -> Vec<String> {
    let mut references: Vec<String> = Vec::new();
    for item in items {
        let reference = &reply.open[*item].reference;
        if !references.contains(reference) {
            references.push(reference.clone());
        }
    }
    references
}
