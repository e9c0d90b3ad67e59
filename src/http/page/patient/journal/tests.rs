//! Each entry is a sentence, in both languages.

use super::*;
use crate::engine::{DoseState, MessageId, News};
use crate::plan::{Stock, Zone};
use jiff::Timestamp;

const MESSAGE: MessageId = MessageId([7; 16]);

fn millis() -> Millis {
    Millis(Timestamp::from_second(1_772_409_600).unwrap())
}

fn about() -> Vec<About> {
    vec![About {
        id: "A".to_owned(),
        due: millis(),
    }]
}

fn dose(state: DoseState) -> ClosedDose {
    ClosedDose {
        medication: "A".to_owned(),
        amount: String::new(),
        due: millis(),
        on_time_until: millis(),
        state,
        reason: (state == DoseState::Expired).then_some(ExpiredReason::Held),
        reminded: None,
        in_doubt: true,
        messages: Vec::new(),
        answer: Some(GivenAnswer {
            said_at: millis(),
            taken_at: Some(millis()),
            by: Teller::Caregiver("C".to_owned()),
            reason: Some("why".to_owned()),
            late: true,
        }),
        corrects: true,
    }
}

/// At least one of each sort.
#[expect(clippy::too_many_lines, reason = "a list: one of each sort")]
fn entries() -> Vec<Entry> {
    let (message, by) = (MESSAGE, Teller::Patient);
    let mut entries = vec![
        Entry::PlanApplied { version: 3 },
        Entry::PlanTextChanged { version: 4 },
        Entry::PlanEnded,
        Entry::Restored { since: millis() },
        Entry::Accepted {
            message,
            at: millis(),
            about: about(),
        },
        Entry::NotAccepted {
            message,
            reason: None,
            about: about(),
        },
        Entry::NotAccepted {
            message,
            reason: Some(ExpiredReason::Clock),
            about: Vec::new(),
        },
        Entry::DosesExpired {
            medication: "A".to_owned(),
            amount: "1".to_owned(),
            due: vec![millis(), millis()],
            reason: ExpiredReason::DaemonDown,
        },
        Entry::DosesExpired {
            medication: "A".to_owned(),
            amount: "1".to_owned(),
            due: vec![millis()],
            reason: ExpiredReason::DaemonDown,
        },
        Entry::AppointmentNotReminded {
            what: "X".to_owned(),
            due: millis(),
            reason: None,
        },
        Entry::CheckInClosed {
            check_in: "B".to_owned(),
            due: millis(),
            asked: None,
            reason: Some(ExpiredReason::ApiDown),
            cancelled: false,
        },
        Entry::DoseReopened {
            about: about().remove(0),
            by: by.clone(),
        },
        Entry::Snoozed {
            about: about(),
            until: millis(),
            by: by.clone(),
        },
        Entry::SaidNotTaken {
            about: about(),
            by: by.clone(),
        },
        Entry::TakenAsNeeded {
            medication: "A".to_owned(),
            at: millis(),
            by: by.clone(),
        },
        Entry::AsNeededTooSoon {
            medication: "A".to_owned(),
            at: millis(),
            allowed_from: None,
            by: by.clone(),
        },
        Entry::CheckInAnswered {
            check_in: "B".to_owned(),
            due: millis(),
            value: Value::Bool(true),
            late: true,
            alert: true,
            by: by.clone(),
        },
        Entry::Wrote {
            text: "T".to_owned(),
            red_flag: true,
            by: by.clone(),
        },
        Entry::Wrote {
            text: "T".to_owned(),
            red_flag: false,
            by: by.clone(),
        },
        Entry::ConsentGiven {
            version: "v".to_owned(),
            at: millis(),
            by,
        },
        Entry::Delivered { message },
        Entry::NotDelivered {
            message,
            reason: ExpiredReason::Unreachable,
            about: about(),
        },
        Entry::SentInWords { message },
        Entry::WordsRefused { message },
        Entry::CaregiverReach {
            caregiver: "C".to_owned(),
            barred: None,
        },
        Entry::CaregiverReach {
            caregiver: "C".to_owned(),
            barred: Some(ExpiredReason::ConsentWithdrawn),
        },
        Entry::StockCounted {
            medication: "A".to_owned(),
            stock: Stock {
                thousandths: 30_000,
                unit: "tablets".to_owned(),
                on: jiff::civil::date(2026, 3, 2),
            },
            taken: 0,
        },
        Entry::RefillDue {
            medication: "A".to_owned(),
            left: 2_500,
            days: 2,
            message: None,
        },
    ];
    for by in [
        Adviser::Operator,
        Adviser::Staff("S".to_owned()),
        Adviser::Account("S".to_owned()),
    ] {
        let reasons = CallReason::ALL.to_vec();
        entries.push(Entry::CallDone {
            reasons,
            note: "N".to_owned(),
            by: by.clone(),
        });
        entries.push(Entry::Advised {
            text: "T".to_owned(),
            by,
            message: None,
        });
    }
    for reason in CallReason::ALL {
        entries.push(Entry::CallWanted { reason });
        entries.push(Entry::CallOver { reason });
    }
    for why in [
        ReachChange::Enrolled,
        ReachChange::Consented,
        ReachChange::Unfollowed,
        ReachChange::Followed,
        ReachChange::Stopped,
        ReachChange::Started,
        ReachChange::Declined,
    ] {
        entries.push(Entry::ReachChanged { why, barred: None });
    }
    for reason in ExpiredReason::ALL {
        let (why, barred) = (ReachChange::Stopped, Some(reason));
        entries.push(Entry::ReachChanged { why, barred });
    }
    for news in News::NAMES {
        let (to, news) = (Recipient::Staff("S".to_owned()), news.to_owned());
        entries.push(Entry::Told { message, to, news });
    }
    entries.extend(DoseState::CLOSING.map(|state| Entry::DoseClosed(dose(state))));
    entries
}

fn is_chinese(letter: char) -> bool {
    ('\u{3000}'..='\u{9fff}').contains(&letter) || ('\u{ff00}'..='\u{ffef}').contains(&letter)
}

#[test]
fn each_entry_is_a_sentence_in_each_language() {
    let zone = Zone::get("Asia/Shanghai").unwrap();
    let names = |language| Naming {
        plan: None,
        zone: &zone,
        language,
    };
    for entry in entries() {
        let english = sentence(&entry, &names(Language::En));
        let chinese = sentence(&entry, &names(Language::ZhCn));
        assert!(english.len() > 5, "{entry:?}: {english}");
        assert!(!english.chars().any(is_chinese), "{entry:?}: {english}");
        assert!(
            english.chars().next().is_some_and(|it| !it.is_lowercase()),
            "{english}"
        );
        assert!(chinese.chars().any(is_chinese), "{entry:?}: {chinese}");
        assert!(
            !english.contains('_') && !chinese.contains('_'),
            "{english}: {chinese}"
        );
    }
}

#[test]
fn what_was_answered_is_said_as_the_plan_calls_it() {
    let zone = Zone::get("Asia/Shanghai").unwrap();
    let text = "name = \"Wang\"\n[[medication]]\nid = \"A\"\nname = \"Metformin\"\n\
                take = \"1 tablet\"\nat = \"08:00\"\n[[caregiver]]\nid = \"C\"\n\
                name = \"Xiao Wang\"\nrelation = \"daughter\"\n";
    let defaults = crate::plan::Defaults {
        zone: zone.clone(),
        language: Language::En,
        quiet_hours: None,
        day: crate::plan::Day::default(),
        now: None,
    };
    let source = crate::plan::diagnostic::Source::new("p.toml", text);
    let plan = crate::plan::read(&source, &defaults).unwrap().plan;
    let names = Naming {
        plan: Some(&plan),
        zone: &zone,
        language: Language::En,
    };
    let closed = ClosedDose {
        amount: "1 tablet".to_owned(),
        in_doubt: false,
        corrects: false,
        ..dose(DoseState::Taken)
    };
    assert_eq!(
        sentence(&Entry::DoseClosed(closed), &names),
        "Metformin, 1 tablet (2026-03-02 Mon 08:00): taken, says Xiao Wang, at \
         2026-03-02 Mon 08:00, because \"why\", after its window"
    );
}
