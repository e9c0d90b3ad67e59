//! What messages say, in the patient's language, before a channel lays it out.

use crate::engine::{Addressee, DoseLine, ExpiredReason};
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

/// How much is said of amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amounts {
    /// Nothing.
    No,
    /// What is to be taken.
    Now,
    /// That, and what the patient was told before where that was another amount.
    Changes,
}

/// True if one of the doses has another amount than the patient was told before.
pub(super) fn have_changed(doses: &[DoseLine]) -> bool {
    doses.iter().any(|dose| former(dose).is_some())
}

/// The amount that the patient was told before, as far as it can be said.
fn former(dose: &DoseLine) -> Option<&str> {
    dose.formerly.as_deref().filter(|amount| !amount.is_empty())
}

/// The doses as one list.
pub(super) fn doses(
    doses: &[DoseLine],
    addressee: &Addressee,
    stamp: Stamp,
    amounts: Amounts,
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
        if amounts != Amounts::No && !dose.amount.is_empty() {
            list.push(' ');
            list.push_str(&dose.amount);
        }
        if let (Amounts::Changes, Some(former)) = (amounts, former(dose)) {
            // Writing to a String cannot fail.
            let _ = match addressee.language {
                Language::ZhCn => write!(list, "（原{former}）"),
                Language::En => write!(list, " (was {former})"),
            };
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
    addressee.zone.local(at)
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

/// Why nobody was reminded in time, in a few words.
pub(super) fn expired_reason(reason: ExpiredReason, language: Language) -> &'static str {
    use ExpiredReason as R;
    match (reason, language) {
        (R::DaemonDown, Language::ZhCn) => "系统停机",
        (R::DaemonDown, Language::En) => "system down",
        (R::ApiDown, Language::ZhCn) => "微信故障",
        (R::ApiDown, Language::En) => "WeChat down",
        (R::Throttled, Language::ZhCn) => "微信限流",
        (R::Throttled, Language::En) => "WeChat limits",
        (R::NotEnrolled, Language::ZhCn) => "未绑定",
        (R::NotEnrolled, Language::En) => "not enrolled",
        (R::Unreachable, Language::ZhCn) => "联系不上",
        (R::Unreachable, Language::En) => "not reached",
        (R::ConsentWithdrawn, Language::ZhCn) => "未同意",
        (R::ConsentWithdrawn, Language::En) => "no consent",
        (R::Held, Language::ZhCn) => "暂缓发送",
        (R::Held, Language::En) => "held",
        (R::Rejected, Language::ZhCn) => "被拒收",
        (R::Rejected, Language::En) => "rejected",
        (R::Clock, Language::ZhCn) => "时钟有误",
        (R::Clock, Language::En) => "wrong clock",
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Zone;

    fn addressee(language: Language, zone: &str) -> Addressee {
        Addressee {
            name: "王秀兰".into(),
            language,
            zone: Zone::get(zone).expect("a known zone"),
        }
    }

    fn dose(label: &str, amount: &str, due: &str, note: Option<&str>) -> DoseLine {
        let due: Timestamp = due.parse().expect("an instant");
        DoseLine {
            medication: label.into(),
            label: label.into(),
            amount: amount.into(),
            formerly: None,
            due,
            on_time_until: due,
            note: note.map(str::to_owned),
        }
    }

    #[test]
    fn doses_are_listed_with_amounts_in_the_patients_language() {
        let list = [
            dose("二甲双胍", "1片", "2026-11-24T00:00:00Z", None),
            dose("氨氯地平", "1片", "2026-11-24T00:00:00Z", None),
            dose("鱼油", "", "2026-11-24T00:00:00Z", None),
        ];
        let zh = addressee(Language::ZhCn, "Asia/Shanghai");
        let en = addressee(Language::En, "Asia/Shanghai");
        assert_eq!(
            doses(&list, &zh, Stamp::None, Amounts::Now),
            "二甲双胍 1片、氨氯地平 1片、鱼油"
        );
        assert_eq!(
            doses(&list, &zh, Stamp::None, Amounts::No),
            "二甲双胍、氨氯地平、鱼油"
        );
        assert_eq!(
            doses(&list, &en, Stamp::None, Amounts::Now),
            "二甲双胍 1片, 氨氯地平 1片, 鱼油"
        );
    }

    #[test]
    fn an_amount_that_is_not_what_was_told_before_says_so() {
        let changed = |label: &str, amount: &str, formerly: &str| DoseLine {
            formerly: Some(formerly.into()),
            ..dose(label, amount, "2026-11-24T00:00:00Z", None)
        };
        let list = [
            changed("二甲双胍", "2片", "1片"),
            changed("鱼油", "", "1粒"),
            changed("氨氯地平", "1片", ""),
        ];
        assert!(have_changed(&list[..1]) && have_changed(&list[1..2]));
        assert!(!have_changed(&list[2..]), "nothing can be said of it");
        let zh = addressee(Language::ZhCn, "Asia/Shanghai");
        let en = addressee(Language::En, "Asia/Shanghai");
        let said = |addressee, amounts| doses(&list, addressee, Stamp::None, amounts);
        assert_eq!(
            said(&zh, Amounts::Changes),
            "二甲双胍 2片（原1片）、鱼油（原1粒）、氨氯地平 1片"
        );
        assert_eq!(
            said(&en, Amounts::Changes),
            "二甲双胍 2片 (was 1片), 鱼油 (was 1粒), 氨氯地平 1片"
        );
        assert_eq!(said(&zh, Amounts::Now), "二甲双胍 2片、鱼油、氨氯地平 1片");
        assert_eq!(said(&zh, Amounts::No), "二甲双胍、鱼油、氨氯地平");
    }

    #[test]
    fn different_times_stand_in_front_as_far_as_they_tell_the_doses_apart() {
        use Stamp as S;
        let at = |due: &[&str]| -> Vec<DoseLine> {
            due.iter().map(|due| dose("A", "1", due, None)).collect()
        };
        // Shanghai is eight hours ahead.
        let rows: [(&[&str], &[Stamp], &str); 6] = [
            (&["2026-11-24T00:00:00Z"], &[S::None], "A 1"),
            (
                &["2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z"],
                &[S::None],
                "A 1、A 1",
            ),
            (
                &["2026-11-24T00:00:00Z", "2026-11-24T04:00:00Z"],
                &[S::Time, S::None],
                "08:00 A 1、12:00 A 1",
            ),
            (
                &["2026-11-23T14:00:00Z", "2026-11-24T00:00:00Z"],
                &[S::DateTime, S::Time, S::None],
                "11-23 22:00 A 1、11-24 08:00 A 1",
            ),
            (
                &["2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"],
                &[S::DateTime, S::None],
                "11-23 08:00 A 1、11-24 08:00 A 1",
            ),
            // Two instants of one minute read the same.
            (
                &["2026-11-24T00:00:10Z", "2026-11-24T00:00:50Z"],
                &[S::None],
                "A 1、A 1",
            ),
        ];
        let zh = addressee(Language::ZhCn, "Asia/Shanghai");
        for (due, expected, text) in rows {
            let list = at(due);
            assert_eq!(stamps(&list, &zh), expected, "{due:?}");
            assert_eq!(
                doses(&list, &zh, expected[0], Amounts::Now),
                text,
                "{due:?}"
            );
        }
        // 01:30 comes twice on the morning that London leaves summer time.
        let london = addressee(Language::En, "Europe/London");
        let twice = at(&["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]);
        assert_eq!(stamps(&twice, &london), [S::None]);
        assert_eq!(stamps(&[], &london), [S::None]);
    }

    #[test]
    fn notes_are_said_once_each_in_their_order() {
        let due = "2026-11-24T00:00:00Z";
        let zh = addressee(Language::ZhCn, "Asia/Shanghai");
        let en = addressee(Language::En, "Asia/Shanghai");
        for (said, chinese, english) in [
            (vec![], "", ""),
            (vec![None, Some("")], "", ""),
            (vec![Some("饭后"), None], "饭后", "饭后"),
            (vec![Some("饭后"), Some("饭后")], "饭后", "饭后"),
            (vec![Some("b"), Some("a"), Some("b")], "b；a", "b; a"),
        ] {
            let list: Vec<DoseLine> = said.iter().map(|note| dose("A", "1", due, *note)).collect();
            assert_eq!(notes(&list, &zh), chinese, "{said:?}");
            assert_eq!(notes(&list, &en), english, "{said:?}");
        }
    }

    #[test]
    fn times_are_those_of_the_patients_zone() {
        for (zone, at, text) in [
            ("Asia/Shanghai", "2026-11-24T00:00:00Z", "2026-11-24 08:00"),
            (
                "America/New_York",
                "2026-11-24T00:05:59Z",
                "2026-11-23 19:05",
            ),
            ("Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01 05:45"),
        ] {
            let at = at.parse().expect("an instant");
            assert_eq!(date_time(at, &addressee(Language::En, zone)), text);
        }
    }

    #[test]
    fn each_kind_of_answer_is_asked_for_in_words_that_fit_a_small_field() {
        let unit = |unit: Option<&str>| AnswerType::Number {
            from: "3".into(),
            to: "20".into(),
            unit: unit.map(str::to_owned),
        };
        let choices = |words: &[&str]| {
            AnswerType::OneOf(words.iter().map(|word| (*word).to_owned()).collect())
        };
        let rows = [
            (AnswerType::Text, "请用文字回复", "reply in words"),
            (AnswerType::YesOrNo, "请回复“是”或“否”", "reply yes or no"),
            (unit(None), "请回复3到20的数字", "reply 3 to 20"),
            (
                unit(Some("mmol/L")),
                "请回复3到20的数字（mmol/L）",
                "reply 3 to 20 mmol/L",
            ),
            (
                AnswerType::Scale { from: 0, to: 10 },
                "请回复0到10的整数",
                "reply 0 to 10",
            ),
            (
                choices(&["好", "一般", "差"]),
                "请回复：好、一般、差",
                "reply 好, 一般 or 差",
            ),
            (choices(&["好"]), "请回复：好", "reply 好"),
            (
                AnswerType::BloodPressure,
                "请回复高压/低压，如120/80",
                "reply like 120/80",
            ),
            (
                AnswerType::BloodGlucose,
                "请回复血糖，如6.5（mmol/L）",
                "mmol/L, like 6.5",
            ),
            (
                AnswerType::Temperature,
                "请回复体温，如36.8（°C）",
                "°C, like 36.8",
            ),
            (
                AnswerType::Weight,
                "请回复体重，如65.5（公斤）",
                "kg, like 65.5",
            ),
            (
                AnswerType::HeartRate,
                "请回复每分钟心跳，如72",
                "beats a minute",
            ),
        ];
        for (answer, zh, en) in rows {
            for (language, text) in [(Language::ZhCn, zh), (Language::En, en)] {
                let said = how_to_answer(&answer, language);
                assert_eq!(said, text);
                let kind = crate::messaging::wechat::keyword::Kind::Thing;
                assert_eq!(kind.check(&said), Ok(()), "{said}");
            }
        }
    }
}
