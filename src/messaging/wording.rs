//! What messages say, in the patient's language, before a channel lays it out.

use crate::engine::{Addressee, DoseLine};
use crate::plan::{AnswerType, Language};
use jiff::Timestamp;
use jiff::civil::DateTime;
use std::borrow::Cow;
use std::fmt::Write as _;

/// What stands in front of each dose of a reminder whose doses are due at different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// `11-24 08:00 `
    DateTime,
    /// `08:00 `
    Time,
    /// Nothing.
    None,
}

/// The stamps worth trying for these doses, the most telling first.
pub(super) fn stamps(doses: &[DoseLine], addressee: &Addressee) -> &'static [Stamp] {
    let Some((first, rest)) = doses.split_first() else {
        return &[Stamp::None];
    };
    // By far the most common case, and it needs no calendar.
    if rest.iter().all(|dose| dose.due == first.due) {
        return &[Stamp::None];
    }
    let minutes = |dose: &DoseLine| {
        let local = local(dose.due, addressee);
        (local.date(), (local.hour(), local.minute()))
    };
    let (date, time) = minutes(first);
    let same_date = rest.iter().all(|dose| minutes(dose).0 == date);
    let same_time = rest.iter().all(|dose| minutes(dose).1 == time);
    match (same_date, same_time) {
        // The hour that DST repeats: two instants, one reading of the clock.
        (true, true) => &[Stamp::None],
        (true, false) => &[Stamp::Time, Stamp::None],
        // Times alone would all read the same.
        (false, true) => &[Stamp::DateTime, Stamp::None],
        (false, false) => &[Stamp::DateTime, Stamp::Time, Stamp::None],
    }
}

/// The doses as one list, with or without their amounts.
pub(super) fn doses(
    doses: &[DoseLine],
    addressee: &Addressee,
    stamp: Stamp,
    amounts: bool,
) -> String {
    let separator = match addressee.language {
        Language::ZhCn => "、",
        Language::En => ", ",
    };
    let mut list = String::with_capacity(doses.len() * 32);
    for (index, dose) in doses.iter().enumerate() {
        if index > 0 {
            list.push_str(separator);
        }
        match stamp {
            Stamp::DateTime => {
                let local = local(dose.due, addressee);
                let (month, day) = (local.month(), local.day());
                // Writing to a String cannot fail.
                let _ = write!(list, "{month:02}-{day:02} ");
                push_time(&mut list, local);
                list.push(' ');
            }
            Stamp::Time => {
                push_time(&mut list, local(dose.due, addressee));
                list.push(' ');
            }
            Stamp::None => {}
        }
        list.push_str(&dose.label);
        if amounts && !dose.amount.is_empty() {
            list.push(' ');
            list.push_str(&dose.amount);
        }
    }
    list
}

/// The doctor's words for these doses, each once, in their order; empty when there are none.
pub(super) fn notes<'a>(doses: &'a [DoseLine], addressee: &Addressee) -> Cow<'a, str> {
    let mut said: Vec<&str> = Vec::new();
    for note in doses.iter().filter_map(|dose| dose.note.as_deref()) {
        if !note.is_empty() && !said.contains(&note) {
            said.push(note);
        }
    }
    match said.as_slice() {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(one),
        many => Cow::Owned(many.join(match addressee.language {
            Language::ZhCn => "；",
            Language::En => "; ",
        })),
    }
}

/// A civil time in the patient's zone.
pub(super) fn local(at: Timestamp, addressee: &Addressee) -> DateTime {
    addressee.zone.time_zone().to_datetime(at)
}

/// `2026-11-24 08:00`
pub(super) fn date_time(at: Timestamp, addressee: &Addressee) -> String {
    let local = local(at, addressee);
    let mut text = String::with_capacity(16);
    let (year, month, day) = (local.year(), local.month(), local.day());
    // Writing to a String cannot fail.
    let _ = write!(text, "{year:04}-{month:02}-{day:02} ");
    push_time(&mut text, local);
    text
}

/// `08:00`
pub(super) fn push_time(text: &mut String, local: DateTime) {
    let _ = write!(text, "{:02}:{:02}", local.hour(), local.minute());
}

/// How to answer a check-in, in words. Short enough for a field of 20 characters where the plan's
/// own words (units, choices) leave room.
pub(super) fn how_to_answer(answer: &AnswerType, language: Language) -> String {
    match language {
        Language::ZhCn => match answer {
            AnswerType::Text => "请用文字回复".into(),
            AnswerType::YesOrNo => "请回复“是”或“否”".into(),
            AnswerType::Number {
                from,
                to,
                unit: None,
            } => format!("请回复{from}到{to}的数字"),
            AnswerType::Number {
                from,
                to,
                unit: Some(unit),
            } => {
                format!("请回复{from}到{to}的数字（{unit}）")
            }
            AnswerType::Scale { from, to } => format!("请回复{from}到{to}的整数"),
            AnswerType::OneOf(choices) => format!("请回复：{}", choices.join("、")),
            AnswerType::BloodPressure => "请回复高压/低压，如120/80".into(),
            AnswerType::BloodGlucose => "请回复血糖，如6.5（mmol/L）".into(),
            AnswerType::Temperature => "请回复体温，如36.8（°C）".into(),
            AnswerType::Weight => "请回复体重，如65.5（公斤）".into(),
            AnswerType::HeartRate => "请回复每分钟心跳，如72".into(),
        },
        Language::En => match answer {
            AnswerType::Text => "reply in words".into(),
            AnswerType::YesOrNo => "reply yes or no".into(),
            AnswerType::Number {
                from,
                to,
                unit: None,
            } => format!("reply {from} to {to}"),
            AnswerType::Number {
                from,
                to,
                unit: Some(unit),
            } => {
                format!("reply {from} to {to} {unit}")
            }
            AnswerType::Scale { from, to } => format!("reply {from} to {to}"),
            AnswerType::OneOf(choices) => match choices.split_last() {
                Some((last, rest)) if !rest.is_empty() => {
                    format!("reply {} or {last}", rest.join(", "))
                }
                _ => format!("reply {}", choices.concat()),
            },
            AnswerType::BloodPressure => "reply like 120/80".into(),
            AnswerType::BloodGlucose => "mmol/L, like 6.5".into(),
            AnswerType::Temperature => "°C, like 36.8".into(),
            AnswerType::Weight => "kg, like 65.5".into(),
            AnswerType::HeartRate => "beats a minute".into(),
        },
    }
}
