//! Caregivers who cannot be told, and the call list.

use super::shell::*;
use crate::engine::*;
use crate::plan::Language;

const PEOPLE: &str = "[[caregiver]]\nname = \"Lei\"\nrelation = \"son\"\n\
                      [[caregiver]]\nname = \"Mei\"\nrelation = \"daughter\"\n\
                      [[caregiver]]\nname = \"Bo\"\nrelation = \"friend\"\ntell = \"never\"\n";

fn shell(text: &str) -> Shell {
    let mut shell = Shell::new(at("02 00:00"));
    shell.answers = true;
    shell.caregivers = ["Lei", "Mei", "Bo"].map(str::to_owned).to_vec();
    shell.staff = vec![StaffMember {
        name: "Hao".to_owned(),
        language: Language::En,
        alerts: News::NAMES.map(str::to_owned).to_vec(),
        quiet_hours: None,
        refuses: false,
    }];
    shell.apply(&plan(text), at("02 00:00"));
    shell
}

fn reach(shell: &mut Shell, caregiver: &str, barred: Option<ExpiredReason>, now: &str) -> Decision {
    shell.catch_up(at(now));
    shell.caregivers.retain(|it| it != caregiver);
    if barred.is_none() {
        shell.caregivers.push(caregiver.to_owned());
    }
    let plan = shell.plan.clone().unwrap();
    shell.step(&plan, Input::CaregiverReach { caregiver, barred }, at(now))
}

/// Who is to be told of what.
fn told(shell: &Shell) -> Vec<String> {
    let mut told: Vec<String> = (shell.outbox.values())
        .filter_map(|it| match (&it.to, &it.body) {
            (Recipient::Caregiver(id) | Recipient::Staff(id), Body::Alert(alert)) => {
                Some(format!("{id} {}", alert.news.name()))
            }
            _ => None,
        })
        .collect();
    told.sort();
    told
}

const GONE: Option<ExpiredReason> = Some(ExpiredReason::Unreachable);

#[test]
fn a_caregiver_who_cannot_be_told_is_told_of_no_more_and_somebody_else_knows_it_once() {
    let mut shell = shell(&format!("{PEOPLE}{}", med("A", "08:00")));
    shell.run_accepting(at("02 13:59"));
    shell.catch_up(at("02 14:00"));
    assert_eq!(told(&shell), ["Lei missed", "Mei missed"]);
    let decision = reach(&mut shell, "Lei", GONE, "02 14:01");
    assert_eq!(decision.calls, [CallReason::Caregiver]);
    assert_eq!(told(&shell), ["Hao caregiver_unreachable", "Mei missed"]);
    let again = reach(&mut shell, "Lei", GONE, "02 14:02");
    assert_eq!((again.calls, again.messages), (vec![], vec![]), "once");
    reach(&mut shell, "Mei", GONE, "02 14:03");
    // The last one who comes back ends the reason to ring.
    let back = reach(&mut shell, "Lei", None, "02 15:00");
    assert_eq!(back.calls_over, []);
    let back = reach(&mut shell, "Mei", None, "02 15:01");
    assert_eq!(back.calls_over, [CallReason::Caregiver]);
    assert!(back.journal.contains(&Entry::CallOver {
        reason: CallReason::Caregiver
    }));
    let lost = reach(&mut shell, "Mei", GONE, "02 15:02");
    assert_eq!(lost.calls, [CallReason::Caregiver], "and anew");
}

#[test]
fn somebody_who_is_told_of_nothing_is_missed_by_nobody() {
    let mut shell = shell(&format!("{PEOPLE}{}", med("A", "08:00")));
    let decision = reach(&mut shell, "Bo", GONE, "02 07:00");
    assert_eq!((decision.calls, decision.messages), (vec![], vec![]));
    assert_eq!(decision.journal.len(), 1);
}

#[test]
fn a_plan_that_names_them_no_more_or_with_another_contact_ends_the_reason_to_ring() {
    let text = format!("{PEOPLE}{}", med("A", "08:00"));
    let without = format!("{}{}", PEOPLE.replacen("Lei", "Li", 1), med("A", "08:00"));
    for (new, reached) in [(&without, false), (&text, true)] {
        let mut shell = shell(&text);
        reach(&mut shell, "Lei", GONE, "02 07:00");
        if reached {
            shell.caregivers.push("Lei".to_owned());
        }
        let changed = format!("quiet_hours = \"22:00-06:00\"\n{new}");
        let decision = shell.apply(&plan(&changed), at("02 07:01"));
        assert_eq!(decision.calls_over, [CallReason::Caregiver]);
        assert!(shell.state.lost_caregivers.is_empty());
    }
}

#[test]
fn staff_who_refuse_messages_get_alarms_only() {
    let mut shell = shell(&med("W", "08:00;critical = true"));
    shell.staff[0].refuses = true;
    let plan = shell.plan.clone().unwrap();
    let by = Teller::Patient;
    for (text, red_flag) in [("I am tired", false), ("chest pain", true)] {
        let input = Input::Wrote {
            text,
            red_flag,
            by: &by,
        };
        shell.step(&plan, input, at("02 07:00"));
    }
    assert_eq!(told(&shell), ["Hao red_flag"]);
}

#[test]
fn a_call_that_is_done_is_noted_and_doses_in_a_row_are_counted_anew() {
    let mut shell = shell(&med("A", "08:00"));
    let rung = |shell: &Shell| {
        let wanted = Entry::CallWanted {
            reason: CallReason::MissedInARow,
        };
        shell.journal.iter().filter(|it| **it == wanted).count()
    };
    shell.run_accepting(at("05 07:00"));
    assert_eq!(rung(&shell), 1);
    let plan = shell.plan.clone().unwrap();
    let reasons = [CallReason::MissedInARow, CallReason::Unreachable];
    let input = Input::CallDone {
        reasons: &reasons,
        note: "On a journey, back on Friday",
        by: &Adviser::Operator,
    };
    let decision = shell.step(&plan, input, at("05 07:00"));
    assert_eq!(
        decision.journal,
        [Entry::CallDone {
            reasons: reasons.to_vec(),
            note: "On a journey, back on Friday".to_owned(),
            by: Adviser::Operator,
        }]
    );
    shell.run_accepting(at("07 07:00"));
    assert_eq!(rung(&shell), 1);
    shell.run_accepting(at("08 07:00"));
    assert_eq!(rung(&shell), 2, "three more");
}

#[test]
fn that_a_dose_was_not_taken_ends_no_row_of_missed_ones() {
    let mut shell = shell(&med("A", "08:00"));
    for day in 2..=4 {
        let due = at(&format!("{day:02} 08:00"));
        let now = at(&format!("{day:02} 23:00"));
        shell.run_accepting(now);
        shell.answer("A", due, DoseReport::NotTaken, now);
    }
    let wanted = Entry::CallWanted {
        reason: CallReason::MissedInARow,
    };
    assert!(shell.journal.contains(&wanted));
}

#[test]
fn staff_learn_of_a_reminder_in_doubt_and_which_doses_it_named() {
    let mut shell = shell(&format!("{}{}", med("A", "08:00"), med("B", "08:00")));
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    let decision = shell.settle(key, Settlement::InDoubt, at("02 08:09"));
    assert_eq!(decision.calls, [CallReason::InDoubt]);
    let Some(Body::Alert(Alert {
        news: News::InDoubt { doses },
        ..
    })) = decision.messages.first().map(|it| &it.body)
    else {
        panic!("{:?}", decision.messages)
    };
    let named: Vec<&str> = doses.iter().map(|it| it.label.as_str()).collect();
    assert_eq!(named, ["A", "B"]);
}

#[test]
fn news_for_others_stays_when_the_patients_name_changes() {
    let text = format!("{PEOPLE}{}", med("A", "08:00"));
    let mut shell = shell(&format!("quiet_hours = \"13:00-20:00\"\n{text}"));
    shell.run_accepting(at("02 13:59"));
    shell.catch_up(at("02 14:00"));
    assert_eq!(told(&shell), ["Lei missed", "Mei missed"]);
    let mut renamed = plan(&format!("quiet_hours = \"13:00-20:00\"\n{text}"));
    renamed.name = "Wang".to_owned();
    shell.apply(&renamed, at("02 15:00"));
    assert_eq!(told(&shell), ["Lei missed", "Mei missed"]);
}
