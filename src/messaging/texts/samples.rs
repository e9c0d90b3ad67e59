//! Made-up replies and news, for trying texts out when they are loaded.

use crate::engine::{
    Choice, ChoiceItem, Digest, DoseAnswer, DoseName, ExpiredReason, News, NextTaking, RefillLine,
    Reply, Value,
};
use jiff::Timestamp;

/// Doses of two instants.
pub(super) fn doses() -> Vec<DoseName> {
    let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap_or_default();
    let dose = |label: &str, due| DoseName {
        label: label.to_owned(),
        amount: "1片".to_owned(),
        due,
    };
    vec![
        dose("二甲双胍", at(8)),
        dose("氨氯地平", at(8)),
        dose("钙片", at(12)),
    ]
}

/// A reply of each kind, and of each branch of a text.
pub(super) fn replies() -> Vec<Reply> {
    let at = Timestamp::from_second(9 * 3600).unwrap_or_default();
    let later = |until, clamped| Reply::Later {
        doses: doses(),
        until,
        clamped,
        window_ends: at,
    };
    let not_taken = |advice: &[(&str, &str)], open_until| Reply::NotTaken {
        doses: doses(),
        advice: advice
            .iter()
            .map(|(name, words)| ((*name).to_owned(), (*words).to_owned()))
            .collect(),
        open_until,
    };
    let too_soon = |allowed_from, after_this| Reply::AsNeededTooSoon {
        label: "布洛芬".to_owned(),
        allowed_from,
        after_this,
    };
    let as_needed = |next| Reply::AsNeeded {
        label: "布洛芬".to_owned(),
        at,
        next,
    };
    let which = |asked| Reply::Which {
        asked,
        choices: vec![
            Choice {
                number: 1,
                patient: None,
                item: ChoiceItem::Doses(doses()),
            },
            Choice {
                number: 2,
                patient: Some("王小明".to_owned()),
                item: ChoiceItem::CheckIn {
                    ask: "体温？".to_owned(),
                    due: at,
                },
            },
        ],
    };
    let noted = |value, alert| Reply::Noted {
        ask: "血压？".to_owned(),
        value,
        alert,
    };
    vec![
        Reply::Taken {
            doses: doses(),
            taken_at: None,
        },
        Reply::Taken {
            doses: doses(),
            taken_at: Some(at),
        },
        later(Some(at), false),
        later(Some(at), true),
        later(None, true),
        Reply::Skipped { doses: doses() },
        not_taken(&[], Some(at)),
        not_taken(&[], None),
        not_taken(&[("华法林", "不要补服")], None),
        Reply::TooLate { doses: doses() },
        which(Some(DoseAnswer::Taken)),
        which(Some(DoseAnswer::Later)),
        which(Some(DoseAnswer::Skipped)),
        which(Some(DoseAnswer::NotTaken)),
        which(None),
        noted(
            Value::BloodPressure {
                upper: 165,
                lower: 95,
            },
            true,
        ),
        noted(Value::Bool(false), false),
        Reply::Unreadable {
            ask: "血压？".to_owned(),
            answer: crate::plan::AnswerType::BloodPressure,
        },
        as_needed(NextTaking::Whenever),
        as_needed(NextTaking::From(at)),
        as_needed(NextTaking::NoMore),
        too_soon(Some(at), Some(at)),
        too_soon(None, None),
    ]
    .into_iter()
    .chain(of_the_talk())
    .collect()
}

/// Replies that are about no dose and no question.
fn of_the_talk() -> Vec<Reply> {
    let bound = |caregiver| Reply::Bound {
        patient: "王秀兰".to_owned(),
        caregiver,
    };
    let advised = |to_call| Reply::Advised {
        patient: "王秀兰".to_owned(),
        to_call,
    };
    vec![
        Reply::Page {
            url: "https://clinic.example/p/x".to_owned(),
        },
        Reply::Stopped,
        Reply::Started,
        Reply::RedFlag,
        Reply::PassedOn,
        Reply::OutOfHours,
        Reply::Welcome,
        Reply::CodeExpired,
        bound(false),
        bound(true),
        Reply::ConsentAsked,
        Reply::ConsentGiven,
        Reply::ConsentDeclined,
        advised(false),
        advised(true),
        Reply::AdviseWhom {
            choices: vec!["王秀兰".to_owned(), "李雷".to_owned()],
        },
        Reply::NobodyToAdvise,
    ]
}

/// News of each kind.
pub(super) fn news() -> Vec<News> {
    let ask = || "血压？".to_owned();
    let text = || "胸痛".to_owned();
    vec![
        News::Missed {
            doses: doses(),
            critical: true,
        },
        News::MissedInARow { count: 3 },
        News::Due { doses: doses() },
        News::CheckIn {
            ask: ask(),
            value: Value::Bool(false),
        },
        News::NoAnswer { ask: ask() },
        News::RedFlag { text: text() },
        News::Message { text: text() },
        News::TooSoon {
            label: "布洛芬".to_owned(),
        },
        News::Unreachable,
        News::InDoubt { doses: doses() },
        News::Stopped,
        News::Started,
        News::TooMany,
        News::Refill(refill(7)),
        News::Refill(refill(0)),
        News::CaregiverUnreachable {
            name: "王磊".to_owned(),
        },
    ]
}

/// A quiet day and one with everything.
pub(super) fn digests() -> [Digest; 2] {
    let quiet = Digest {
        day: jiff::civil::date(2026, 3, 23),
        due: 90,
        taken: 90,
        ..Digest::default()
    };
    let busy = Digest {
        taken: 60,
        missed: 9,
        skipped: 1,
        expired: vec![(ExpiredReason::ApiDown, 12), (ExpiredReason::Clock, 3)],
        open: 5,
        calls: 7,
        red_flags: 1,
        words: 8,
        unreachable: 2,
        rejected: 1,
        backup_late: true,
        ..quiet.clone()
    };
    [quiet, busy]
}

/// A medicine that lasts for so many days.
pub(super) fn refill(days: u32) -> RefillLine {
    RefillLine {
        label: "二甲双胍".to_owned(),
        left: 14_000,
        unit: "片".to_owned(),
        days,
        at: Timestamp::UNIX_EPOCH,
    }
}
