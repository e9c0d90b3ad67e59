//! What a button pressed on the patient's page means: nothing is to be found out there, for the form
//! names what it is about.

use super::interpret::{field_value, is_red_flag, taken_at_time};
use super::{
    DoseState, Millis, Person, PromptKind, RecentDose, Reply, Report, Said, TalkTerms, Value,
    step::RECENT,
};
use crate::plan::AnswerType;
use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};

/// Longer words are no answer: they are refused whole, and never cut.
const WORDS_MAX: usize = 500;

/// Nobody snoozes for longer.
const LATER_MINUTES_MAX: u32 = 24 * 60;

/// What a form is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// Doses, by medication id and scheduled instant.
    Doses(Vec<(String, Millis)>),
    /// A check-in, by its id and scheduled instant.
    CheckIn(String, Millis),
    /// A medicine that is taken as needed, by its id.
    AsNeeded(String),
}

/// What was pressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Press {
    /// Taken.
    Taken {
        /// What the clock showed then, hour and minute, where that was said.
        clock: Option<(i8, i8)>,
    },
    /// To be reminded of again.
    Later {
        /// In so many minutes, where that was said.
        minutes: Option<u32>,
    },
    /// It will not be taken.
    Skipped {
        /// Why, where that was said.
        reason: Option<String>,
    },
    /// It was not taken (yet).
    NotTaken,
    /// The answer to a question.
    Answer(Field),
}

/// The fields of a question's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// Words or a number, as typed.
    Words(String),
    /// The two of a blood pressure, as typed.
    Pressure {
        /// The upper.
        upper: String,
        /// The lower.
        lower: String,
    },
    /// One of the words offered.
    Choice(String),
    /// Yes or no.
    YesOrNo(bool),
}

/// What follows from a press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pressed {
    /// What is said in return, before what the patient's own step says.
    pub replies: Vec<Reply>,
    /// What is said of the patient, in order.
    pub said: Vec<Said>,
}

/// Why nothing follows from a press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PressFault {
    /// What the form is about is not in the plan any more, or cannot be answered any more.
    NotOpen,
    /// The form is about something to which this is no answer.
    Foreign,
    /// The answer cannot be read.
    Unreadable {
        /// The question.
        ask: String,
        /// How to answer.
        answer: AnswerType,
    },
    /// The words are too long.
    TooLong,
    /// It cannot have been taken then.
    NotThen,
}

/// Decides what a press at `now`, on a form that was shown at `shown`, says of a patient, by the
/// same rules as words of the talk. Who pressed does not know what was answered since it was shown.
///
/// # Errors
/// Nothing follows; why.
pub fn press(
    person: &Person<'_>,
    subject: &Subject,
    press: &Press,
    terms: &TalkTerms<'_>,
    (shown, now): (Timestamp, Timestamp),
) -> Result<Pressed, PressFault> {
    let mut pressed = Pressed {
        replies: Vec::new(),
        said: Vec::new(),
    };
    let words = match press {
        Press::Skipped { reason } => reason.as_deref(),
        Press::Answer(Field::Words(words)) => Some(words.as_str()),
        _ => None,
    };
    if words.is_some_and(|words| words.chars().count() > WORDS_MAX) {
        return Err(PressFault::TooLong);
    }
    let said = match (subject, press) {
        (Subject::Doses(doses), press) => of_doses(person, doses, press, (shown, now))?,
        (Subject::CheckIn(id, due), Press::Answer(field)) => {
            of_check_in(person, id, due.0, field, now)?
        }
        (Subject::AsNeeded(id), Press::Taken { clock }) => of_as_needed(person, id, *clock, now)?,
        (Subject::CheckIn(..) | Subject::AsNeeded(_), _) => return Err(PressFault::Foreign),
    };
    if let Some(words) = words.filter(|words| is_red_flag(words, terms.red_flags)) {
        // Whatever was asked: somebody has to ring, and the patient is told so first.
        pressed.replies.push(Reply::RedFlag);
        pressed.said.push(Said::Words {
            text: words.trim().to_owned(),
            red_flag: true,
        });
    }
    pressed.said.push(said);
    Ok(pressed)
}

fn of_doses(
    person: &Person<'_>,
    doses: &[(String, Millis)],
    press: &Press,
    (shown, now): (Timestamp, Timestamp),
) -> Result<Said, PressFault> {
    let open = |id: &str, due: Timestamp| {
        let mut open = person.state.doses.iter();
        open.any(|it| it.is(id, due) && it.due <= now)
    };
    let closed = |id: &str, due: Timestamp| {
        let mut recent = person.state.recent.iter();
        recent.any(|it| it.dose.is(id, due) && may_be_corrected(it, press, (shown, now)))
    };
    let known: Vec<(String, Timestamp)> = doses
        .iter()
        .map(|(id, due)| (id.clone(), due.0))
        .filter(|(id, due)| open(id, *due) || (closed(id, *due) && is_recent(*due, now)))
        .collect();
    let report = match press {
        Press::Taken { clock } => Report::Taken(taken_at(person, *clock, &known, now)?.map(Millis)),
        Press::Later { minutes } => {
            Report::Later(minutes.map(|minutes| minutes.min(LATER_MINUTES_MAX)))
        }
        Press::Skipped { reason } => {
            let reason = reason.as_deref().map(str::trim);
            Report::Skipped(reason.filter(|it| !it.is_empty()).map(str::to_owned))
        }
        Press::NotTaken => Report::NotTaken,
        Press::Answer(_) => return Err(PressFault::Foreign),
    };
    if known.is_empty() {
        return Err(PressFault::NotOpen);
    }
    Ok(Said::Doses {
        doses: known,
        report,
    })
}

/// Whether a closed dose may be said to be otherwise: not by whoever saw it open and does not know
/// that somebody has answered since.
fn may_be_corrected(
    closed: &RecentDose,
    press: &Press,
    (shown, now): (Timestamp, Timestamp),
) -> bool {
    let same = match press {
        Press::Taken { .. } => closed.state == DoseState::Taken,
        Press::Skipped { .. } => closed.state == DoseState::Skipped,
        Press::NotTaken => closed.state == DoseState::Missed,
        // A page offers it for what is open only.
        Press::Later { .. } | Press::Answer(_) => false,
    };
    let answer = closed.answer.as_ref();
    // One from ahead was noted by a clock that has been set back since.
    let is_news = answer.is_some_and(|answer| shown < answer.said_at.0 && answer.said_at.0 <= now);
    match (closed.state, press) {
        (DoseState::Cancelled, _)
        | (DoseState::Taken | DoseState::Skipped, Press::Later { .. }) => false,
        _ => same || !is_news,
    }
}

/// The instant that the clock's time means for all of these doses.
fn taken_at(
    person: &Person<'_>,
    clock: Option<(i8, i8)>,
    doses: &[(String, Timestamp)],
    now: Timestamp,
) -> Result<Option<Timestamp>, PressFault> {
    let Some((hour, minute)) = clock else {
        return Ok(None);
    };
    let time = civil::Time::new(hour, minute, 0, 0).map_err(|_| PressFault::NotThen)?;
    let zone = &person.plan.zone;
    let mut instants = doses
        .iter()
        .map(|(_, due)| taken_at_time(time, Some(*due), zone, now));
    let first = instants
        .next()
        .unwrap_or_else(|| taken_at_time(time, None, zone, now));
    match first {
        Some(first) if instants.all(|other| other == Some(first)) => Ok(Some(first)),
        _ => Err(PressFault::NotThen),
    }
}

fn of_as_needed(
    person: &Person<'_>,
    id: &str,
    clock: Option<(i8, i8)>,
    now: Timestamp,
) -> Result<Said, PressFault> {
    let mut medications = person.plan.medications.iter();
    if !medications.any(|it| it.id == id && it.as_needed.is_some()) {
        return Err(PressFault::NotOpen);
    }
    Ok(Said::AsNeeded {
        medication: id.to_owned(),
        at: taken_at(person, clock, &[], now)?,
    })
}

fn of_check_in(
    person: &Person<'_>,
    id: &str,
    due: Timestamp,
    field: &Field,
    now: Timestamp,
) -> Result<Said, PressFault> {
    let check_in = person.plan.check_ins.iter().find(|it| it.id == id);
    let check_in = check_in.ok_or(PressFault::NotOpen)?;
    let state = person.state;
    let open = state
        .prompts
        .iter()
        .any(|it| it.kind == PromptKind::CheckIn && it.id == id && it.due == due && it.due <= now);
    let closed = || {
        let mut recent = state.recent_check_ins.iter();
        recent.any(|it| it.check_in == id && it.due.0 == due) && is_recent(due, now)
    };
    if !open && !closed() {
        return Err(PressFault::NotOpen);
    }
    let typed = |text: &str| {
        field_value(
            &check_in.ask,
            &check_in.answer,
            text,
            &person.plan.zone,
            now,
        )
    };
    // A plan edited since may ask another kind of question under the same name.
    let value = match (&check_in.answer, field) {
        (AnswerType::YesOrNo, Field::YesOrNo(yes)) => Some(Value::Bool(*yes)),
        (AnswerType::OneOf(choices), Field::Choice(said)) => {
            let known = choices.iter().find(|it| *it == said);
            known.cloned().map(Value::Choice)
        }
        (AnswerType::BloodPressure, Field::Pressure { upper, lower }) => {
            typed(&format!("{}/{}", upper.trim(), lower.trim()))
        }
        (AnswerType::YesOrNo | AnswerType::OneOf(_) | AnswerType::BloodPressure, _)
        | (_, Field::Choice(_) | Field::YesOrNo(_) | Field::Pressure { .. }) => None,
        (_, Field::Words(words)) => typed(words),
    };
    let value = value.ok_or_else(|| PressFault::Unreadable {
        ask: check_in.ask.clone(),
        answer: check_in.answer.clone(),
    })?;
    Ok(Said::CheckIn {
        check_in: id.to_owned(),
        due,
        value,
    })
}

/// Whether something closed may still be meant. The state forgets at its next step only.
fn is_recent(due: Timestamp, now: Timestamp) -> bool {
    now.duration_since(due) < RECENT
}
