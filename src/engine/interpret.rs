//! Types of the reading of replies.
use serde::{Deserialize, Serialize};

/// What is said of a dose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DoseAnswer {
    /// Taken.
    Taken,
    /// Later.
    Later,
    /// Skipped.
    Skipped,
    /// Not taken.
    NotTaken,
}

/// The answer to a check-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// mmHg.
    BloodPressure {
        /// Upper.
        upper: u16,
        /// Lower.
        lower: u16,
    },
    /// In thousandths.
    Number(i64),
    /// Yes or no.
    Bool(bool),
    /// As written.
    Choice(String),
    /// Words.
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::BloodPressure { upper, lower } => write!(f, "{upper}/{lower}"),
            Value::Number(thousandths) => write!(f, "{}", *thousandths as f64 / 1e3),
            Value::Bool(yes) => write!(f, "{yes}"),
            Value::Choice(text) | Value::Text(text) => f.write_str(text),
        }
    }
}

/// What is read.
pub struct Written<'a> {
    /// Local time.
    pub now: &'a jiff::Zoned,
    /// Language.
    pub language: crate::plan::Language,
    /// Words.
    pub text: &'a str,
    /// Phrases.
    pub red_flags: &'a [String],
    /// Open.
    pub open: &'a [OpenItem],
    /// Recent.
    pub recent: &'a [RecentItem],
    /// As needed.
    pub as_needed: &'a [AsNeededItem],
    /// Asked.
    pub asked_which: Option<DoseAnswer>,
}
/// Open.
pub struct OpenItem {
    /// Ref.
    pub reference: String,
    /// n.
    pub number: u32,
    /// Kind.
    pub kind: ItemKind,
    /// Name.
    pub name: String,
    /// At.
    pub at: jiff::Timestamp,
    /// Whose.
    pub patient: Option<String>,
}
/// Kind.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// Dose.
    Dose,
    /// Check-in.
    CheckIn(crate::plan::AnswerType),
}
/// Recent.
pub struct RecentItem {
    /// Ref.
    pub reference: String,
    /// Name.
    pub name: String,
    /// At.
    pub at: jiff::Timestamp,
    /// State.
    pub state: super::DoseState,
}
/// As needed.
pub struct AsNeededItem {
    /// Ref.
    pub reference: String,
    /// Name.
    pub name: String,
}
/// Reading.
pub enum Reading {
    /// Taken.
    Taken {
        /// When.
        taken_at: Option<jiff::Timestamp>,
    },
    /// Later.
    Later {
        /// Minutes.
        minutes: Option<u32>,
    },
    /// Skipped.
    Skipped {
        /// Why.
        reason: Option<String>,
    },
    /// Not taken.
    NotTaken,
    /// Which?
    AskWhich(DoseAnswer),
    /// Value.
    CheckInValue(Value),
    /// Unreadable.
    Unreadable,
    /// As needed.
    AsNeededTaken {
        /// When.
        taken_at: Option<jiff::Timestamp>,
    },
    /// Stop.
    Stop,
    /// Start.
    Start,
    /// Red flag.
    RedFlag,
    /// Free text.
    FreeText,
}
/// Result.
pub struct Interpretation {
    /// Reading.
    pub reading: Reading,
    /// Refs.
    pub references: Vec<String>,
}
/// Reads.
#[must_use]
pub fn interpret(_: &Written<'_>) -> Interpretation {
    Interpretation {
        reading: Reading::FreeText,
        references: Vec::new(),
    }
}
