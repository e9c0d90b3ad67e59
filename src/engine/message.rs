//! What is to be said: messages in words of the domain, before any channel renders them.

use crate::plan::{AnswerType, Language, Zone};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Priority classes, strict, first the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Time-critical medication, and alarms to staff.
    Critical,
    /// Doses, and the answer to a patient's message.
    Dose,
    /// Repeated reminders.
    Nudge,
    /// Questions.
    CheckIn,
    /// Advice, refill, digest.
    Notice,
}

impl Class {
    /// All classes, first the most urgent.
    pub const ALL: [Class; 5] =
        [Class::Critical, Class::Dose, Class::Nudge, Class::CheckIn, Class::Notice];

    /// The name in JSON, metrics and docs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Critical => "critical",
            Class::Dose => "dose",
            Class::Nudge => "nudge",
            Class::CheckIn => "check_in",
            Class::Notice => "notice",
        }
    }
}

/// Who is addressed, as far as a text needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressee {
    /// The patient's name.
    pub name: String,
    /// Language of the text.
    pub language: Language,
    /// Zone of the times in the text.
    pub zone: Zone,
}

/// What a message says, in words of the domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Reminder of doses, ordered by instant, then by their order in the plan; never empty.
    Dose(Vec<DoseLine>),
    /// A check-in's question.
    CheckIn(Question),
    /// Reminder of an appointment.
    Appointment(AppointmentLine),
    /// Advice and other news for the patient.
    Notice(Text),
    /// News for staff or a caregiver.
    Alert(Text),
}

/// One dose in a reminder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoseLine {
    /// The medication's id.
    pub medication: String,
    /// What messages call it: `short`, else the name.
    pub label: String,
    /// `take`; empty for "as directed".
    pub amount: String,
    /// The scheduled instant.
    pub due: Timestamp,
    /// A reminder after this is late.
    pub on_time_until: Timestamp,
    /// The doctor's words.
    pub note: Option<String>,
}

/// One check-in prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The check-in's id.
    pub check_in: String,
    /// The question.
    pub ask: String,
    /// What kind of answer is expected.
    pub answer: AnswerType,
    /// The scheduled instant.
    pub due: Timestamp,
    /// A prompt after this is late.
    pub on_time_until: Timestamp,
}

/// One appointment reminder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentLine {
    /// What for.
    pub what: String,
    /// When the appointment is.
    pub at: Timestamp,
    /// The doctor's words.
    pub note: Option<String>,
}

/// Free text of the clinic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// What is said.
    pub text: String,
    /// When it happened or was written.
    pub at: Timestamp,
}

/// Whether a channel can hold a text: a pure function of the text, so that the engine may ask.
///
/// Implementations are consulted for reminders that name several medications; one that does not
/// fit becomes one message per medication.
pub trait Fits {
    /// True if the channel's fields can hold the body as one message, late or not.
    fn fits(&self, addressee: &Addressee, body: &Body) -> bool;
}

/// A channel without limits.
pub struct Unlimited;

impl Fits for Unlimited {
    fn fits(&self, _: &Addressee, _: &Body) -> bool {
        true
    }
}
