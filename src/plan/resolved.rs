//! The plan in its resolved form: the patient's text plus all that it inherits from the clinic.

pub use crate::recurrence::{Trip, Zone};
use jiff::{SignedDuration, Timestamp, civil};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The language in which a patient is addressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English, `en`.
    #[serde(rename = "en")]
    En,
    /// Simplified Chinese, `zh-CN`.
    #[default]
    #[serde(rename = "zh-CN")]
    ZhCn,
}

impl Language {
    /// The language tag in configuration, plans and folders of texts.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::ZhCn => "zh-CN",
        }
    }
}

/// A daily span of local time in which check-ins and notices wait, e.g. `21:30-07:00`.
/// It may pass midnight. `from == until` is refused when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// First quiet local time.
    pub from: jiff::civil::Time,
    /// First local time that is not quiet any more.
    pub until: jiff::civil::Time,
}

impl QuietHours {
    /// The end of the quiet span that holds `at`, or `None` when `at` is not quiet.
    #[must_use]
    pub fn end_after(&self, at: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let local = zone.local(at);
        let time = local.time();
        let overnight = self.from > self.until;
        let quiet = if overnight {
            time >= self.from || time < self.until
        } else {
            time >= self.from && time < self.until
        };
        if !quiet {
            return None;
        }
        let date = if overnight && time >= self.from {
            local.date().tomorrow().ok()?
        } else {
            local.date()
        };
        Some(zone.instant(date.to_datetime(self.until)))
    }
}

/// All that is prescribed for one patient, with all that the text inherits (zone, day words,
/// quiet hours, language). Two texts with equal resolved forms mean the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResolvedPlan {
    /// The patient's name, as messages use it.
    pub name: String,
    /// Language of the messages.
    pub language: Language,
    /// Zone of all civil times of this plan, with the trips of `away` (P11).
    pub zone: Zone,
    /// When check-ins and notices wait.
    pub quiet_hours: Option<QuietHours>,
    /// The contact's openid as the plan's text names it (`wechat =`).
    pub wechat: Option<String>,
    /// In the order of the file.
    pub medications: Vec<Medication>,
    /// In the order of the file.
    pub check_ins: Vec<CheckIn>,
    /// Date of birth.
    pub born: Option<civil::Date>,
    /// In the order of the file.
    pub caregivers: Vec<Caregiver>,
    /// In the order of the file.
    pub appointments: Vec<Appointment>,
}

/// One item of the plan with its schedule and dose (FHIR MedicationRequest).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Medication {
    /// `id`, else the name: with patient and instant the identity of a dose (P7).
    pub id: String,
    /// As the doctor wrote it.
    pub name: String,
    /// A short name for small template fields.
    pub short: Option<String>,
    /// Time-critical: the narrower window, the first class of sending.
    pub critical: bool,
    /// The doctor's own words that go with each reminder.
    pub note: Option<String>,
    /// When which amount is due.
    pub schedule: crate::recurrence::Schedule,
    /// Written with `every`: by a distance, not at times of the day.
    pub by_distance: bool,
    /// `doses` as written; the schedule already ends there as long as each dose is taken at its
    /// instant.
    pub doses: Option<u32>,
    /// The amounts to which the schedule points, in the doctor's words; empty for "as directed".
    pub amounts: Vec<String>,
    /// Taken when needed: nothing is ever due, the guards hold for what the patient reports.
    pub as_needed: Option<AsNeeded>,
    /// `window` as written; else P8 decides from the gaps.
    pub window: Option<SignedDuration>,
    /// `nudge` as written, ascending; else P9 decides.
    pub nudge: Option<Vec<SignedDuration>>,
    /// What the patient had at home.
    pub stock: Option<Stock>,
    /// When a refill is due.
    pub refill_when: Option<Refill>,
    /// The doctor's own words for a dose that was forgotten.
    pub if_missed: Option<String>,
}

/// What guards a medication that is taken when needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsNeeded {
    /// For what, in the doctor's words.
    pub reason: String,
    /// No more than so many.
    pub at_most: Option<AtMost>,
    /// The shortest time between two.
    pub apart: Option<SignedDuration>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Not from this instant on.
    pub until: Option<Timestamp>,
}

/// A ceiling on doses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// So many doses.
    pub doses: u32,
    /// In any span of this length; `None`: in a local calendar day.
    pub within: Option<SignedDuration>,
}

/// What the patient had at home at the beginning of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// How much, in thousandths of the unit.
    pub thousandths: i64,
    /// The unit as written, e.g. `tablets`; empty if none was.
    pub unit: String,
    /// On which day it was counted.
    pub on: civil::Date,
}

/// When the patient or the clinic is told of a refill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refill {
    /// The stock lasts for so many days, or fewer.
    pub days_left: u32,
}

/// Somebody who is told or asked in the patient's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caregiver {
    /// `id`, else the name.
    pub id: String,
    /// As texts use it.
    pub name: String,
    /// What they are to the patient, in the doctor's words.
    pub relation: String,
    /// The contact's openid as the plan's text names it.
    pub wechat: Option<String>,
    /// What they are told of.
    pub tell: Tell,
    /// Whether they may answer for the patient.
    pub answers: bool,
}

/// What a caregiver is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tell {
    /// Nothing.
    Never,
    /// Doses without an answer when their window closed.
    #[default]
    Missed,
    /// The same, of critical medications only.
    Critical,
    /// Each dose, when it is due.
    EveryDose,
}

/// A visit with its reminders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// What for.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// When the patient is reminded of it; ascending, before `at`.
    pub remind: Vec<Timestamp>,
    /// The doctor's words.
    pub note: Option<String>,
}

/// A question to the patient on a schedule, with a typed answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckIn {
    /// `id`, else the question.
    pub id: String,
    /// The question.
    pub ask: String,
    /// What kind of answer is expected.
    pub answer: AnswerType,
    /// When it is asked.
    pub schedule: crate::recurrence::Schedule,
    /// Answers that a person must look at.
    pub alert_if: Vec<AlertIf>,
    /// Silence for so long after the question must be looked at.
    pub alert_if_no_answer: Option<SignedDuration>,
    /// Which caregivers are told of such an answer; `None`: staff only.
    pub tell: Option<Tell>,
}

/// A condition on an answer. Numbers are in thousandths of the unit asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertIf {
    /// A number above this one.
    Over(Reading, i64),
    /// A number below this one.
    Under(Reading, i64),
    /// A number below the first or above the second.
    Outside(Reading, i64, i64),
    /// The answer is yes.
    Yes,
    /// The answer is no.
    No,
    /// The answer is this word.
    Is(String),
    /// The number rose by so much or more within the time.
    Up(Reading, i64, SignedDuration),
    /// The number fell by so much or more within the time.
    Down(Reading, i64, SignedDuration),
}

/// Which number of an answer is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// The only one.
    Value,
    /// The upper of a blood pressure.
    Upper,
    /// The lower of a blood pressure.
    Lower,
}

/// One scheduled taking, as a schedule gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledDose<'a> {
    /// The instant at which it is due.
    pub due: Timestamp,
    /// `take` in the doctor's words; empty for "as directed". Two slots that fall on one instant
    /// with different amounts are one dose that shows both (P7): only then it is not borrowed.
    pub amount: Cow<'a, str>,
    /// End of the window: from here on no reminder for it leaves the house (P8).
    pub window_ends: Timestamp,
    /// Later than this a reminder is *late* (P8, ISMP's timely-administration guidelines).
    pub on_time_until: Timestamp,
}

/// One asking of a check-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledCheckIn {
    /// The instant at which it is due.
    pub due: Timestamp,
    /// Until the next one, at most 24 h (P8).
    pub window_ends: Timestamp,
    /// Later than this the question is *late*.
    pub on_time_until: Timestamp,
}

/// The kinds of answers a check-in can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnswerType {
    /// Any words.
    Text,
    /// Yes or no.
    YesOrNo,
    /// A number in a closed range, with a unit if one was written.
    Number {
        /// Smallest number accepted, as written.
        from: String,
        /// Largest number accepted, as written.
        to: String,
        /// Unit shown to the patient.
        unit: Option<String>,
    },
    /// A whole number of a scale.
    Scale {
        /// Lowest step.
        from: i32,
        /// Highest step.
        to: i32,
    },
    /// One of the listed words.
    OneOf(Vec<String>),
    /// Upper and lower, mmHg.
    BloodPressure,
    /// mmol/L unless the clinic says mg/dL.
    BloodGlucose,
    /// °C unless the clinic says °F.
    Temperature,
    /// kg.
    Weight,
    /// Beats a minute.
    HeartRate,
}
