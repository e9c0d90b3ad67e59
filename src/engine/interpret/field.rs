//! What the fields of a form say: there it is known of which question they speak, and nothing else
//! can be meant.

use super::value::{CheckInReading, check_in};
use super::{ItemKind, OpenItem, Reply, Value, red_flag};
use crate::plan::{AnswerType, Language, Zone};
use jiff::{Timestamp, civil};

/// What the words in a question's field come to, by the rules by which they are read in the talk;
/// `None` where they are no answer to it.
#[must_use]
pub fn field_value(
    ask: &str,
    answer: &AnswerType,
    text: &str,
    zone: &Zone,
    now: Timestamp,
) -> Option<Value> {
    let open = [OpenItem {
        reference: String::new(),
        number: 1,
        kind: ItemKind::CheckIn(answer.clone()),
        name: ask.to_owned(),
        at: now,
        patient: None,
    }];
    let reply = Reply {
        now: &now.to_zoned(zone.time_zone().clone()),
        language: Language::default(),
        text,
        red_flags: &[],
        open: &open,
        recent: &[],
        as_needed: &[],
        asked_which: None,
    };
    let short = text.chars().count() <= super::CHARACTERS_MAX;
    match check_in(&reply, short) {
        // What stands beside a value would be lost.
        CheckInReading::Value(value, _, false) => Some(value),
        CheckInReading::Text(_) => Some(Value::Text(text.trim().to_owned())),
        _ => None,
    }
}

/// Whether a text holds one of the phrases that a person must see at once.
#[must_use]
pub fn is_red_flag(text: &str, red_flags: &[String]) -> bool {
    red_flags.iter().any(|flag| red_flag::is_in(flag, text))
}

/// When a clock that showed `time` last did so, as far as that fits a dose due at `due`.
#[must_use]
pub fn taken_at_time(
    time: civil::Time,
    due: Option<Timestamp>,
    zone: &Zone,
    now: Timestamp,
) -> Option<Timestamp> {
    let today = zone.local(now).date();
    let days = [today.yesterday().ok(), Some(today)];
    let instants = days.into_iter().flatten();
    let instants: Vec<Timestamp> = instants
        .map(|date| zone.instant(date.to_datetime(time)))
        .filter(|at| *at <= now)
        .collect();
    match due {
        Some(due) => super::clock::fitting(&instants, due),
        None => instants.last().copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_as_the_talk_reads_it() {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        let now = "2026-11-24T00:05:00Z".parse().unwrap();
        let number = |from: &str, to: &str| AnswerType::Number {
            from: from.into(),
            to: to.into(),
            unit: None,
        };
        let pressure = |upper, lower| Some(Value::BloodPressure { upper, lower });
        let rows = [
            (AnswerType::BloodPressure, "135/85", pressure(135, 85)),
            (AnswerType::BloodPressure, "85/135", None),
            (AnswerType::BloodPressure, "1350/85", None),
            (AnswerType::BloodPressure, "135/", None),
            (AnswerType::BloodGlucose, "6.5", Some(Value::Number(6_500))),
            (
                AnswerType::BloodGlucose,
                "６．５",
                Some(Value::Number(6_500)),
            ),
            (AnswerType::BloodGlucose, "650000", None),
            (AnswerType::Temperature, "36.8", Some(Value::Number(36_800))),
            (AnswerType::HeartRate, "72", Some(Value::Number(72_000))),
            (AnswerType::Weight, "65.5", Some(Value::Number(65_500))),
            (number("1", "10"), "1", Some(Value::Number(1_000))),
            (number("1", "10"), "11", None),
            (number("1", "10"), "x", None),
            (number("1", "10"), "", None),
            (
                AnswerType::Scale { from: 0, to: 10 },
                "3",
                Some(Value::Number(3_000)),
            ),
            (AnswerType::Scale { from: 0, to: 10 }, "3.5", None),
            (AnswerType::Text, " 停止 ", Some(Value::Text("停止".into()))),
            (AnswerType::Text, "   ", None),
        ];
        for (answer, text, expected) in rows {
            let read = field_value("今天怎么样？", &answer, text, &zone, now);
            assert_eq!(read, expected, "{answer:?}: {text}");
        }
    }

    #[test]
    fn a_time_is_that_of_the_dose() {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // 09:00 in Shanghai.
        let now = at("2026-11-24T01:00:00Z");
        let due = at("2026-11-24T00:00:00Z");
        let evening = at("2026-11-23T12:00:00Z");
        let time = |hour, minute| civil::time(hour, minute, 0, 0);
        for (time, due, expected) in [
            (time(8, 5), Some(due), Some("2026-11-24T00:05:00Z")),
            (time(20, 30), Some(evening), Some("2026-11-23T12:30:00Z")),
            // Nobody took this morning's dose the evening before.
            (time(20, 30), Some(due), None),
            (time(8, 5), None, Some("2026-11-24T00:05:00Z")),
            (time(23, 0), None, Some("2026-11-23T15:00:00Z")),
        ] {
            let read = taken_at_time(time, due, &zone, now);
            assert_eq!(read, expected.map(at), "{time} {due:?}");
        }
    }
}
