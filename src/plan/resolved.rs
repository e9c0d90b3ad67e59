//! The plan in its resolved form: the patient's text plus all that it inherits from the clinic.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// An IANA time zone, kept and compared by its name.
#[derive(Clone, Debug)]
pub struct Zone {
    name: Box<str>,
    zone: TimeZone,
}

impl Zone {
    /// Looks the zone up in the time zone database.
    ///
    /// # Errors
    /// The name is not in the database.
    pub fn get(name: &str) -> Result<Self, jiff::Error> {
        Ok(Self {
            zone: TimeZone::get(name)?,
            name: name.into(),
        })
    }

    /// The IANA name, e.g. `Asia/Shanghai`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone's rules.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Zone::get(&name).map_err(serde::de::Error::custom)
    }
}

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
        let local = zone.time_zone().to_datetime(at);
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
        zone.time_zone()
            .to_ambiguous_timestamp(date.to_datetime(self.until))
            .compatible()
            .ok()
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
    /// Zone of all civil times of this plan.
    pub zone: Zone,
    /// When check-ins and notices wait.
    pub quiet_hours: Option<QuietHours>,
    /// The contact's openid as the plan's text names it (`wechat =`).
    pub wechat: Option<String>,
    /// In the order of the file.
    pub medications: Vec<Medication>,
    /// In the order of the file.
    pub check_ins: Vec<CheckIn>,
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
    /// `window` as written; else P8 decides from the gaps.
    pub window: Option<SignedDuration>,
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
}

/// One scheduled taking, as a schedule gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledDose<'a> {
    /// The instant at which it is due.
    pub due: Timestamp,
    /// `take` in the doctor's words; empty for "as directed".
    pub amount: &'a str,
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
