//! What is to be said: messages in words of the domain, before any channel renders them.

use super::{Digest, OutboxRef, Value};
use crate::plan::{AnswerType, Language, Zone};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// The name of a message, inside and to the API (`client_msg_id`): 16 bytes of a keyed hash over
/// what the message is about; 32 hexadecimal digits in text. The same decision made again has
/// the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub [u8; 16]);

/// Ids of messages.
pub type MessageIds = HashSet<MessageId, BuildHasherDefault<IdHasher>>;

/// Something about each of some messages.
pub type ByMessageId<T> = HashMap<MessageId, T, BuildHasherDefault<IdHasher>>;

/// The hash of a [`MessageId`], which is one already: its first bytes. Nobody outside can choose
/// them, since the key of the hash is the store's secret.
#[derive(Clone, Copy, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    // The length, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The key of ids and pseudonyms: random, made with the store, kept in it.
#[derive(Clone)]
pub struct IdKey(Hmac<Sha256>);

impl IdKey {
    /// A key from its 32 random bytes.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "no length is refused")]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(bytes).expect("HMAC takes a key of any length"))
    }

    /// The first 16 bytes of the keyed hash over length-prefixed parts.
    #[must_use]
    pub fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        first
    }
}

impl std::fmt::Debug for IdKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdKey(…)")
    }
}

/// A message to one patient's contact, as the engine decides it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its place in the outbox: class, deadline, id.
    pub key: OutboxRef,
    /// Not handed to the API before this instant.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub not_before: Timestamp,
    /// The instant it is about: lateness is counted from here.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due: Timestamp,
    /// Name, language and zone for the text.
    pub addressee: Addressee,
    /// Who of those around the patient is to read it.
    pub to: Recipient,
    /// What is said.
    pub body: Body,
}

/// Who is to read a message about a patient.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Recipient {
    /// The patient, or whoever answers the patient's phone.
    #[default]
    Patient,
    /// The caregiver with this id in the plan.
    Caregiver(String),
    /// The member of staff with this name in the configuration.
    Staff(String),
}

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
    pub const ALL: [Class; 5] = [
        Class::Critical,
        Class::Dose,
        Class::Nudge,
        Class::CheckIn,
        Class::Notice,
    ];

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
    Alert(Alert),
    /// A medicine of the patient's runs out soon.
    Refill(RefillLine),
    /// The clinic's day in numbers, for staff; about no patient.
    Digest(Digest),
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
    /// The amount that the patient was told before, where the plan has another one since.
    pub formerly: Option<String>,
    /// The scheduled instant.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due: Timestamp,
    /// A reminder after this is late.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
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
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due: Timestamp,
    /// A prompt after this is late.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub on_time_until: Timestamp,
}

/// One appointment reminder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentLine {
    /// What for.
    pub what: String,
    /// When the appointment is.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// The doctor's words.
    pub note: Option<String>,
}

/// A medicine that runs out soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefillLine {
    /// What messages call the medication.
    pub label: String,
    /// What is left, in thousandths of the unit; never negative.
    pub left: i64,
    /// The unit in the plan's words; may be empty.
    pub unit: String,
    /// For how many days it lasts.
    pub days: u32,
    /// When that was found out.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
}

/// News about a patient for staff or a caregiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What happened.
    pub news: News,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
}

/// What staff and caregivers are told about a patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// Doses were missed: reminded of, and not answered until their windows closed, or the
    /// patient says so.
    Missed {
        /// Ordered by instant.
        doses: Vec<DoseName>,
        /// One of them is time-critical.
        critical: bool,
    },
    /// So many doses in a row were missed.
    MissedInARow {
        /// How many.
        count: u16,
    },
    /// Doses are due: for a caregiver who is told of each.
    Due {
        /// Ordered by instant.
        doses: Vec<DoseName>,
    },
    /// An answer to a check-in that a person must look at.
    CheckIn {
        /// The question.
        ask: String,
        /// The answer.
        value: Value,
    },
    /// A check-in was not answered in the time that the plan gives.
    NoAnswer {
        /// The question.
        ask: String,
    },
    /// The patient wrote of something that cannot wait.
    RedFlag {
        /// The patient's words.
        text: String,
    },
    /// The patient wrote something for the doctor.
    Message {
        /// The patient's words, or what was sent instead of words.
        text: String,
    },
    /// A medicine was reported as taken as needed before its guard allows it.
    TooSoon {
        /// What messages call it.
        label: String,
    },
    /// The patient cannot be reached over the channel any more.
    Unreachable,
    /// A message was sent, and nobody knows whether it arrived.
    InDoubt {
        /// Ordered by instant.
        doses: Vec<DoseName>,
    },
    /// The patient has stopped all messages.
    Stopped,
    /// The patient has allowed messages again.
    Started,
    /// More messages than a person can be sent in an hour wanted to go to this patient.
    TooMany,
    /// A medicine runs out soon.
    Refill(RefillLine),
    /// News does not reach one of the patient's caregivers any more.
    CaregiverUnreachable {
        /// The caregiver's name.
        name: String,
    },
}

impl News {
    /// The name in metrics and in the configuration of staff.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            News::Missed { critical: true, .. } => "critical_missed",
            News::Missed { .. } => "missed",
            News::MissedInARow { .. } => "missed_in_a_row",
            News::Due { .. } => "due",
            News::CheckIn { .. } => "check_in",
            News::NoAnswer { .. } => "no_answer",
            News::RedFlag { .. } => "red_flag",
            News::Message { .. } => "message",
            News::TooSoon { .. } => "too_soon",
            News::Unreachable => "unreachable",
            News::InDoubt { .. } => "in_doubt",
            News::Stopped => "stopped",
            News::Started => "started",
            News::TooMany => "too_many",
            News::Refill(_) => "refill",
            News::CaregiverUnreachable { .. } => "caregiver_unreachable",
        }
    }

    /// All names, for metrics.
    pub const NAMES: [&'static str; 16] = [
        "critical_missed",
        "missed",
        "missed_in_a_row",
        "due",
        "check_in",
        "no_answer",
        "red_flag",
        "message",
        "too_soon",
        "unreachable",
        "in_doubt",
        "stopped",
        "started",
        "too_many",
        "refill",
        "caregiver_unreachable",
    ];
}

/// A dose as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoseName {
    /// What messages call the medication.
    pub label: String,
    /// `take`; empty for "as directed".
    pub amount: String,
    /// The scheduled instant.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due: Timestamp,
}

/// Free text of the clinic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// What is said.
    pub text: String,
    /// When it happened or was written.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
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
