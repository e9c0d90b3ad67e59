//! The talk with one contact: what was asked last, consent, stop, and what the channel still
//! allows. One contact may answer for several patients.

use super::{DoseReport, ExpiredReason, Teller, Value};
use crate::plan::Language;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A typed answer opens the channel for free words for so long (WeChat: 48 hours).
const WROTE_LASTS: SignedDuration = SignedDuration::from_hours(48);

/// For so many messages.
const WROTE_MESSAGES: u8 = 5;

/// A follow, a scan or a click in the menu does so for a minute.
const ACTED_LASTS: SignedDuration = SignedDuration::from_mins(1);

/// What comes so long after they stopped following was done after they followed again, whatever
/// became of the word of that: the platform repeats a push within seconds.
const LATE_PUSH: SignedDuration = SignedDuration::from_mins(5);

/// For so many messages.
const ACTED_MESSAGES: u8 = 3;

/// What is known of the talk with one contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Language of what is said outside of any patient's matters.
    pub language: Language,
    /// Whether the contact follows the account, as far as is known.
    pub following: bool,
    /// When they stopped following.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub left_at: Option<Timestamp>,
    /// Whether medical messages may go there.
    pub consent: Consent,
    /// When all messages were stopped by the contact's word.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub stopped_at: Option<Timestamp>,
    /// The numbered list that was our last message.
    pub asked: Option<Asked>,
    /// Words of a member of staff of which we asked for whom they are.
    pub advice_asked: Option<AdviceAsked>,
    /// Questions whose unreadable answer was hinted at: once is enough.
    pub hinted: Vec<(u32, String, super::Millis)>,
    /// When free words were acknowledged last.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub acknowledged_at: Option<Timestamp>,
    /// What the channel still allows.
    pub window: Window,
    /// The channel has said that news sent there is refused; until something is heard again.
    pub refuses: bool,
}

/// Whether medical messages may go to a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consent {
    /// Nobody has asked.
    #[default]
    NotAsked,
    /// Asked, and not answered yet.
    Asked,
    /// The plan names the contact: the clinic attests it.
    Attested,
    /// Given over the channel.
    Given {
        /// To which text: a short hash of it.
        version: String,
        /// When.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        at: Timestamp,
    },
    /// Asked for and not given. It may be given later.
    Declined,
}

impl Consent {
    /// Whether medical messages may go there.
    #[must_use]
    pub fn is_given(&self) -> bool {
        matches!(self, Consent::Attested | Consent::Given { .. })
    }
}

/// A numbered list that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What is to be noted of the one meant.
    pub report: Report,
    /// Number in the list, and what it means.
    pub choices: Vec<(u32, Matter)>,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// The words that were said before it, of doses; none once a number of it has been said.
    pub words: String,
}

impl Asked {
    /// Whether a number of it has been said. Then it is kept for whoever says the number again, or
    /// another.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.words.is_empty() && !matches!(self.report, Report::Value(_))
    }
}

/// Words of a member of staff for one of several patients, and the list that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceAsked {
    /// The words.
    pub text: String,
    /// The patients' numbers, in the order of the list.
    pub patients: Vec<u32>,
    /// When.
    pub at: super::Millis,
}

/// What somebody said of doses, kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// Taken, when as far as that was said.
    Taken(Option<super::Millis>),
    /// To be reminded of again, in so many minutes.
    Later(Option<u32>),
    /// Left out on purpose, and why.
    Skipped(Option<String>),
    /// Not taken (yet).
    NotTaken,
    /// Words that answer one of several check-ins.
    Value(String),
}

impl Report {
    /// As an input has it.
    #[must_use]
    pub fn as_input(&self) -> DoseReport<'_> {
        match self {
            Report::Taken(at) => DoseReport::Taken {
                at: at.map(|at| at.0),
            },
            Report::Later(minutes) => DoseReport::Later { minutes: *minutes },
            Report::Skipped(reason) => DoseReport::Skipped {
                reason: reason.as_deref(),
            },
            // Of doses it says nothing; it is never handed to them.
            Report::NotTaken | Report::Value(_) => DoseReport::NotTaken,
        }
    }
}

/// What an answer may be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// The patient's number.
    pub patient: u32,
    /// The medication's or check-in's id.
    pub id: String,
    /// The scheduled instant.
    pub due: super::Millis,
}

/// What the channel still allows without a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When the contact wrote last.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub wrote_at: Option<Timestamp>,
    /// Messages sent since.
    pub since_wrote: u8,
    /// When the contact followed, scanned or clicked last.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub acted_at: Option<Timestamp>,
    /// Messages sent since.
    pub since_acted: u8,
}

impl Window {
    /// Whether a message in free words will be accepted at `now`.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        let holds = |since: Option<Timestamp>, lasts, sent: u8, most: u8| {
            sent < most
                && since.is_some_and(|since| now >= since && now.duration_since(since) < lasts)
        };
        holds(self.wrote_at, WROTE_LASTS, self.since_wrote, WROTE_MESSAGES)
            || holds(self.acted_at, ACTED_LASTS, self.since_acted, ACTED_MESSAGES)
    }

    /// The contact wrote.
    pub fn note_writing(&mut self, now: Timestamp) {
        self.wrote_at = Some(now);
        self.since_wrote = 0;
    }

    /// The contact followed, scanned or clicked.
    pub fn note_acting(&mut self, now: Timestamp) {
        self.acted_at = Some(now);
        self.since_acted = 0;
    }

    /// A message in free words was accepted.
    pub fn note_sending(&mut self) {
        self.since_wrote = self.since_wrote.saturating_add(1);
        self.since_acted = self.since_acted.saturating_add(1);
    }

    /// The channel says that it is closed, whatever is counted here.
    pub fn close(&mut self) {
        *self = Self::default();
    }
}

impl Conversation {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self {
            language,
            following: true,
            left_at: None,
            consent: Consent::default(),
            stopped_at: None,
            asked: None,
            advice_asked: None,
            hinted: Vec::new(),
            acknowledged_at: None,
            window: Window::default(),
            refuses: false,
        }
    }

    /// Something came that only somebody who follows can do. True if they follow again by that.
    pub(super) fn note_doing(&mut self, now: Timestamp) -> bool {
        let lately = |left: Timestamp| now >= left && now.duration_since(left) < LATE_PUSH;
        if self.following || self.left_at.is_some_and(lately) {
            return false;
        }
        self.following = true;
        true
    }

    /// Whether a list is open that names the patient: a number would be an answer to it.
    #[must_use]
    pub fn asks_about(&self, patient: u32, now: Timestamp) -> bool {
        let is_open = |at: Timestamp| now.duration_since(at) < super::converse::ASKED_FOR;
        let of_doses = self.asked.as_ref().is_some_and(|asked| {
            is_open(asked.at) && asked.choices.iter().any(|(_, it)| it.patient == patient)
        });
        let of_advice = self.advice_asked.as_ref();
        of_doses || of_advice.is_some_and(|it| is_open(it.at.0) && it.patients.contains(&patient))
    }

    /// Forgets what was asked of a patient. True if there was anything.
    pub fn forget(&mut self, patient: u32) -> bool {
        let before = (
            self.asked.is_some(),
            self.advice_asked.is_some(),
            self.hinted.len(),
        );
        let is_of = |asked: &Asked| asked.choices.iter().any(|(_, it)| it.patient == patient);
        self.asked.take_if(|asked| is_of(asked));
        self.advice_asked
            .take_if(|asked| asked.patients.contains(&patient));
        self.hinted.retain(|(it, _, _)| *it != patient);
        let after = (
            self.asked.is_some(),
            self.advice_asked.is_some(),
            self.hinted.len(),
        );
        before != after
    }

    /// Something came from the contact: whatever was refused before may be tried again.
    pub fn note_hearing(&mut self) {
        self.refuses = false;
    }

    /// Why no medical message may go there; `None` when it may.
    #[must_use]
    pub fn bars(&self) -> Option<ExpiredReason> {
        if !self.following {
            Some(ExpiredReason::Unreachable)
        } else if self.stopped_at.is_some() || self.consent == Consent::Declined {
            Some(ExpiredReason::ConsentWithdrawn)
        } else if !self.consent.is_given() {
            Some(ExpiredReason::NotEnrolled)
        } else {
            None
        }
    }
}

/// Something said of one patient: an input for that patient's step, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Of doses: medication id and scheduled instant.
    Doses {
        /// Which.
        doses: Vec<(String, Timestamp)>,
        /// What.
        report: Report,
    },
    /// A medicine was taken as needed.
    AsNeeded {
        /// The medication's id.
        medication: String,
        /// When, as far as that was said.
        at: Option<Timestamp>,
    },
    /// A check-in was answered.
    CheckIn {
        /// The check-in's id.
        check_in: String,
        /// The scheduled instant.
        due: Timestamp,
        /// The answer.
        value: Value,
    },
    /// What no question asked for.
    Words {
        /// The words.
        text: String,
        /// They hold one that cannot wait.
        red_flag: bool,
    },
    /// Messages can go to the patient again, or not any more.
    Reach(super::ReachChange),
    /// Medical messages are allowed.
    Consented {
        /// To which text: a short hash of it.
        version: String,
    },
}

impl Said {
    /// As an input has it.
    #[must_use]
    pub fn as_input<'a>(&'a self, by: &'a Teller) -> super::Input<'a> {
        use super::Input;
        match self {
            Said::Doses { doses, report } => Input::Answered {
                doses,
                report: report.as_input(),
                by,
            },
            Said::AsNeeded { medication, at } => Input::TakenAsNeeded {
                medication,
                at: *at,
                by,
            },
            Said::CheckIn {
                check_in,
                due,
                value,
            } => Input::CheckInAnswered {
                check_in,
                due: *due,
                value,
                by,
            },
            Said::Words { text, red_flag } => Input::Wrote {
                text,
                red_flag: *red_flag,
                by,
            },
            Said::Reach(why) => Input::ReachChanged { why: *why },
            Said::Consented { version } => Input::Consented { version, by },
        }
    }
}
