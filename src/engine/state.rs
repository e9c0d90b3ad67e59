//! The patient's state between two steps, and the words for what became of a dose.

use super::{Class, MessageId, Recipient};
use crate::plan::Stock;
use jiff::Timestamp;
use jiff::civil::Date;
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
    /// Doses closed within about the last two days, for answers that come late or correct one.
    /// Kept only where answers can come.
    pub recent: Vec<RecentDose>,
    /// Check-ins asked and closed without an answer within about the last two days.
    pub recent_check_ins: Vec<RecentCheckIn>,
    /// Takings of medicines as needed that the patient reported, as far back as a guard looks.
    pub as_needed: Vec<AsNeededTaking>,
    /// Numbers that the patient answered, as far back as a condition on their change looks.
    pub readings: Vec<PastReading>,
    /// Questions whose silence somebody is to be told of.
    pub silences: Vec<Silence>,
    /// News in the outbox for staff and caregivers, and the doses that it names: an answer takes
    /// it back.
    pub alerts: Vec<WaitingAlert>,
    /// Advice in the outbox: what cannot be delivered is a reason to ring.
    pub advice: Vec<MessageId>,
    /// The channel's last report was that the patient refuses messages. It takes them all the
    /// same: that it took one says nothing.
    pub refused: bool,
    /// When each medication that follows its last dose was last taken (P3), and the time before;
    /// the last stands last.
    pub last_taken: Vec<LastTaken>,
    /// How many doses in a row were missed, without an answer in between.
    pub missed_in_a_row: u16,
    /// Messages of the last hour in which there were any (G9).
    pub hour: HourCount,
    /// Caregivers to whom news could go and cannot any more, by their ids.
    pub lost_caregivers: Vec<String>,
    /// What is left of each medication of which the plan says how much there was.
    pub stocks: Vec<StockState>,
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
            recent: Vec::new(),
            recent_check_ins: Vec::new(),
            as_needed: Vec::new(),
            readings: Vec::new(),
            silences: Vec::new(),
            alerts: Vec::new(),
            advice: Vec::new(),
            refused: false,
            last_taken: Vec::new(),
            missed_in_a_row: 0,
            hour: HourCount::default(),
            lost_caregivers: Vec::new(),
            stocks: Vec::new(),
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
    /// `take` at that instant, as its messages have it; empty for "as directed".
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
    /// When the patient wants to be reminded of it again.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub snoozed_until: Option<Timestamp>,
    /// The patient has said that it is not taken (yet).
    pub said_not_taken: bool,
    /// It was closed before, by an answer that was taken back.
    pub reopened: bool,
    /// What the patient was told, while a message that names another amount waits or is in doubt.
    pub told: Option<String>,
    /// What is known of its messages.
    pub sending: Sending,
}

/// A dose that was closed not long ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentDose {
    /// As it was when it was open.
    pub dose: OpenDose,
    /// How it was closed.
    pub state: DoseState,
    /// Why, when it expired.
    pub reason: Option<ExpiredReason>,
    /// What somebody said of it.
    pub answer: Option<GivenAnswer>,
}

/// What was said of a dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenAnswer {
    /// When it was said.
    pub said_at: Millis,
    /// When it was taken, as far as that was said.
    pub taken_at: Option<Millis>,
    /// Who said it.
    pub by: Teller,
    /// Why it was skipped, in their words.
    pub reason: Option<String>,
    /// It was said after the dose's window.
    pub late: bool,
}

/// Who says something of a patient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Teller {
    /// The patient.
    #[default]
    Patient,
    /// The caregiver with this id.
    Caregiver(String),
}

/// A question that was asked and closed without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentCheckIn {
    /// The check-in's id.
    pub check_in: String,
    /// The scheduled instant.
    pub due: Millis,
}

/// A taking of a medicine as needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsNeededTaking {
    /// The medication's id.
    pub medication: String,
    /// When it was taken.
    pub at: Millis,
}

/// The numbers of one answer, in thousandths of the unit asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastReading {
    /// The check-in's id.
    pub check_in: String,
    /// When it was said.
    pub at: Millis,
    /// The number; of a blood pressure the upper and the lower one.
    pub numbers: Vec<i64>,
}

/// A question that was asked, and when its silence becomes news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The check-in's id.
    pub check_in: String,
    /// The scheduled instant.
    pub due: Millis,
    /// Nobody is told before this instant.
    pub told_at: Millis,
}

/// News in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingAlert {
    /// The message.
    pub id: MessageId,
    /// The doses that it says were missed, by medication id and scheduled instant.
    pub doses: Vec<(String, Millis)>,
    /// Whom it tells.
    pub to: Recipient,
}

/// What is left of a medication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockState {
    /// The medication's id.
    pub medication: String,
    /// What was counted, as the plan says it.
    pub stock: Stock,
    /// What was taken since, by the local day of the dose, in thousandths of the unit; ascending.
    pub taken: Vec<(Date, i64)>,
    /// What was taken on the days before those.
    pub before: i64,
    /// It was said that a refill is due.
    pub told: bool,
    /// The message that says so to the patient, while it waits.
    pub notice: Option<MessageId>,
}

/// When a medication was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTaken {
    /// The medication's id.
    pub medication: String,
    /// When it was taken.
    pub at: Millis,
    /// How many of its doses have been due until then, that one included.
    pub doses: u32,
}

/// How many messages went to a patient within an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourCount {
    /// When the first of them was put into the outbox.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub began: Option<Timestamp>,
    /// How many.
    pub messages: u16,
    /// The alarm was raised.
    pub told: bool,
}

/// What a prompt other than a reminder of doses is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptKind {
    /// A question; it stays open for the answer.
    CheckIn,
    /// A reminder of an appointment; it waits for no answer. It is known until its window ends, for
    /// it is said again if the platform reports that it has lost it.
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
    /// The instant for which `prompt` repeats an earlier message; `None` for the first one.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub repeat: Option<Timestamp>,
    /// Repeats due up to this instant are done, or were dropped.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub repeated_until: Option<Timestamp>,
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
