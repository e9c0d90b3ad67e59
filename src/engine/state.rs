//! The patient's state between two steps, and the words for what became of a dose.

use super::{Class, MessageId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// All that is known and decided about one patient's treatment, apart from the plan itself.
///
/// Invariants: `doses` is ordered by instant; each prompt named by a dose or check-in is in
/// `unsettled`; nothing that was decided up to `seen` is ever decided again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientState {
    /// Everything due up to and including this instant has been decided. It runs up to
    /// [`super::LOOK_AHEAD`] ahead of the clock.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub cursor: Timestamp,
    /// The latest instant at which the patient was stepped: what fell up to here has had its
    /// time, whatever the clock says now.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub seen: Timestamp,
    /// No check-in or appointment's reminder due at or before this is decided (again).
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub prompts_decided_until: Timestamp,
    /// How many times the plan changed or ended: part of the identity of each message, since
    /// what an edit takes back and what is decided in its place are two messages.
    pub edits: u32,
    /// One for each medication ever applied and still of use.
    pub medications: Vec<MedicationState>,
    /// Doses that wait for an answer or for the end of their window.
    pub doses: Vec<OpenDose>,
    /// Check-ins that wait for an answer or for the end of their window, and reminders of
    /// appointments that have not left yet.
    pub prompts: Vec<OpenPrompt>,
    /// Messages in the outbox whose outcome is not known yet.
    pub unsettled: Vec<OutboxRef>,
    /// Since when the channel says that this patient cannot be reached.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub unreachable_since: Option<Timestamp>,
}

impl PatientState {
    /// A patient of whom nothing is known before `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            cursor: now,
            seen: now,
            prompts_decided_until: now,
            edits: 0,
            medications: Vec::new(),
            doses: Vec::new(),
            prompts: Vec::new(),
            unsettled: Vec::new(),
            unreachable_since: None,
        }
    }
}

/// What is remembered of a medication beyond its open doses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MedicationState {
    /// The medication's id.
    pub id: String,
    /// When it was first applied.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub since: Timestamp,
    /// No dose due at or before this is decided (again): none from before the medication was
    /// applied (P5), and after an edit under a clock that was set back none that was decided
    /// before it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub decided_until: Timestamp,
    /// Instants of the doses of about the last two days that were reminded of.
    pub recent: Vec<Millis>,
    /// Slots of the day of an edit that count as served (P15).
    pub served: Option<ServedSlots>,
}

/// On the local date of `edited_at` the first `count` slots since the medication was first
/// applied are served: their doses were reminded of before the edit (P15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedSlots {
    /// The instant of the edit.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub edited_at: Timestamp,
    /// How many of the date's earliest slots are served.
    pub count: u16,
}

/// An instant kept as milliseconds since 1970, for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")] pub Timestamp,
);

/// A dose whose instant has come (or is about to) and which is not closed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDose {
    /// The medication's id.
    pub medication: String,
    /// `take` at that instant; empty for "as directed".
    pub amount: String,
    /// The scheduled instant: with patient and medication the dose's identity (P7).
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due: Timestamp,
    /// From here on no reminder of it leaves the house.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub window_ends: Timestamp,
    /// A reminder after this says that it is late.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub on_time_until: Timestamp,
    /// Time-critical.
    pub critical: bool,
    /// What is known of its messages.
    pub sending: Sending,
}

/// What a prompt other than a reminder of doses is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptKind {
    /// A question; it stays open for the answer.
    CheckIn,
    /// A reminder of an appointment; it is done when it has left.
    Appointment,
}

/// A check-in or a reminder of an appointment whose instant has come and which is not closed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPrompt {
    /// What it is about.
    pub kind: PromptKind,
    /// The check-in's id; what the appointment is for.
    pub id: String,
    /// The scheduled instant.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due: Timestamp,
    /// From here on it does not leave the house, and an answer is late.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub window_ends: Timestamp,
    /// A prompt after this says that it is late.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub on_time_until: Timestamp,
    /// What is known of its messages.
    pub sending: Sending,
}

/// What is known of the messages about one dose or check-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// The message in the outbox that names it, until that is settled.
    pub prompt: Option<MessageId>,
    /// When the API took the first message about it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub accepted_at: Option<Timestamp>,
    /// A message was sent and no answer was read: the patient may have it.
    pub in_doubt: bool,
    /// Why no message has left so far.
    pub failure: Option<ExpiredReason>,
    /// How many messages about it were put into the outbox.
    pub issued: u8,
    /// Messages that were accepted or are in doubt.
    pub messages: Vec<MessageId>,
}

/// The key of a message in the outbox: class, deadline, id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutboxRef {
    /// Priority.
    pub class: Class,
    /// Not handed to the API from here on.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub deadline: Timestamp,
    /// The message.
    pub id: MessageId,
}

/// States of a dose (section 5 of the design).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoseState {
    /// Its instant has come; it waits for an answer.
    Open,
    /// The patient says so.
    Taken,
    /// The patient says so.
    Skipped,
    /// A reminder was accepted, the window has closed, no answer.
    Missed,
    /// No reminder left in time: says something of us, not of the patient.
    Expired,
    /// The plan was edited.
    Cancelled,
}

impl DoseState {
    /// The states that close a dose.
    pub const CLOSING: [DoseState; 5] = [
        DoseState::Taken,
        DoseState::Skipped,
        DoseState::Missed,
        DoseState::Expired,
        DoseState::Cancelled,
    ];

    /// The name in JSON, metrics and docs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DoseState::Open => "open",
            DoseState::Taken => "taken",
            DoseState::Skipped => "skipped",
            DoseState::Missed => "missed",
            DoseState::Expired => "expired",
            DoseState::Cancelled => "cancelled",
        }
    }
}

/// Why a dose expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredReason {
    /// The daemon did not run.
    DaemonDown,
    /// The messaging API refused everybody, or did not answer.
    ApiDown,
    /// The API's or our own rate limit.
    Throttled,
    /// No contact is known.
    NotEnrolled,
    /// The recipient does not follow, refuses, or is unknown to the channel.
    Unreachable,
    /// The patient has withdrawn consent.
    ConsentWithdrawn,
    /// Sending was held by an operator or by the daemon's own brake.
    Held,
    /// The channel refuses this message in this form.
    Rejected,
    /// The clock was not to be believed.
    Clock,
}

impl ExpiredReason {
    /// All reasons, in the order of the metrics' docs.
    pub const ALL: [ExpiredReason; 9] = [
        ExpiredReason::DaemonDown,
        ExpiredReason::ApiDown,
        ExpiredReason::Throttled,
        ExpiredReason::NotEnrolled,
        ExpiredReason::Unreachable,
        ExpiredReason::ConsentWithdrawn,
        ExpiredReason::Held,
        ExpiredReason::Rejected,
        ExpiredReason::Clock,
    ];

    /// The name in JSON, metrics and docs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ExpiredReason::DaemonDown => "daemon_down",
            ExpiredReason::ApiDown => "api_down",
            ExpiredReason::Throttled => "throttled",
            ExpiredReason::NotEnrolled => "not_enrolled",
            ExpiredReason::Unreachable => "unreachable",
            ExpiredReason::ConsentWithdrawn => "consent_withdrawn",
            ExpiredReason::Held => "held",
            ExpiredReason::Rejected => "rejected",
            ExpiredReason::Clock => "clock",
        }
    }
}
