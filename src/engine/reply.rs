//! What somebody who wrote is told in return, in words of the domain.

use super::{DoseName, Value};
use crate::plan::AnswerType;
use jiff::Timestamp;

/// An answer to what somebody wrote. Each says which medicine and which scheduled time it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The doses are noted as taken.
    Taken {
        /// Ordered by instant; never empty.
        doses: Vec<DoseName>,
        /// When they were taken, where that was said.
        taken_at: Option<Timestamp>,
    },
    /// They will be reminded of again.
    Later {
        /// Ordered by instant; never empty.
        doses: Vec<DoseName>,
        /// When; `None` when their time is almost over and no reminder comes any more.
        until: Option<Timestamp>,
        /// It was asked for later than their time allows.
        clamped: bool,
        /// Until when the first of them can still be taken.
        window_ends: Timestamp,
    },
    /// The doses are noted as left out.
    Skipped {
        /// Ordered by instant; never empty.
        doses: Vec<DoseName>,
    },
    /// The doses are noted as not taken.
    NotTaken {
        /// Ordered by instant; never empty.
        doses: Vec<DoseName>,
        /// The doctor's words for it, each with the medicine that it is about.
        advice: Vec<(String, String)>,
        /// Until when they can still be taken; `None` when their time is over.
        open_until: Option<Timestamp>,
    },
    /// Their time is over: no reminder comes any more.
    TooLate {
        /// Ordered by instant; never empty.
        doses: Vec<DoseName>,
    },
    /// Which is meant?
    Which {
        /// What is to be noted of the one meant; `None`: the value that was just said.
        asked: Option<super::DoseAnswer>,
        /// The numbered list.
        choices: Vec<Choice>,
    },
    /// The answer to a check-in is noted.
    Noted {
        /// The question.
        ask: String,
        /// The answer.
        value: Value,
        /// Staff were told.
        alert: bool,
    },
    /// The answer to a check-in could not be read.
    Unreadable {
        /// The question.
        ask: String,
        /// How to answer.
        answer: AnswerType,
    },
    /// A medicine is noted as taken as needed.
    AsNeeded {
        /// What messages call it.
        label: String,
        /// When it was taken.
        at: Timestamp,
        /// What the plan says of the next one.
        next: NextTaking,
    },
    /// A medicine was taken before its guard allows it.
    AsNeededTooSoon {
        /// What messages call it.
        label: String,
        /// From when on it is allowed; `None`: not within what the plan says.
        allowed_from: Option<Timestamp>,
        /// From when on, if it was taken all the same; `None` likewise.
        after_this: Option<Timestamp>,
    },
    /// It can be answered on the patient's page, too.
    Page {
        /// The page's address.
        url: String,
    },
    /// All messages are stopped.
    Stopped,
    /// Messages come again.
    Started,
    /// What was written cannot wait.
    RedFlag,
    /// What was written goes to the doctor.
    PassedOn,
    /// The clinic is closed; what was written goes to the doctor.
    OutOfHours,
    /// Somebody follows who is not known.
    Welcome,
    /// The code that was scanned is not valid any more.
    CodeExpired,
    /// A contact is bound to a patient.
    Bound {
        /// The patient's name.
        patient: String,
        /// As a caregiver.
        caregiver: bool,
    },
    /// May the clinic send medical messages over this account?
    ConsentAsked,
    /// Consent is noted.
    ConsentGiven,
    /// Consent was not given: no messages come.
    ConsentDeclined,
    /// To staff: the words go to the patient.
    Advised {
        /// The patient's name.
        patient: String,
        /// No message can go there: somebody has to ring.
        to_call: bool,
    },
    /// To staff: for whom are the words?
    AdviseWhom {
        /// The patients' names, numbered from 1.
        choices: Vec<String>,
    },
    /// To staff: there was no news that the words could answer.
    NobodyToAdvise,
}

/// When a medicine may be taken as needed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextTaking {
    /// The plan sets no limit.
    Whenever,
    /// From this instant on.
    From(Timestamp),
    /// Not within what the plan says.
    NoMore,
}

/// One line of a numbered list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The number to answer with.
    pub number: u32,
    /// The patient's name, where the contact answers for several.
    pub patient: Option<String>,
    /// What is meant.
    pub item: ChoiceItem,
}

/// What one line of a numbered list means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChoiceItem {
    /// Doses that were reminded of together.
    Doses(Vec<DoseName>),
    /// A question.
    CheckIn {
        /// The question.
        ask: String,
        /// When it was asked.
        due: Timestamp,
    },
}
