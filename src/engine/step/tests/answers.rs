//! Answers: what they close, correct, move and withdraw, and who is told.

use super::shell::*;
use crate::engine::*;
use jiff::Timestamp;

fn talking(plan: &crate::plan::ResolvedPlan, now: Timestamp) -> Shell {
    let mut shell = Shell::new(now);
    shell.answers = true;
    shell.caregivers = vec!["Lei".to_owned()];
    shell.staff = vec![StaffMember {
        name: "Hao".to_owned(),
        language: crate::plan::Language::En,
        alerts: [
            "critical_missed",
            "check_in",
            "no_answer",
            "red_flag",
            "missed_in_a_row",
        ]
        .map(str::to_owned)
        .to_vec(),
        quiet_hours: None,
        refuses: false,
    }];
    shell.apply(plan, now);
    shell
}

fn taken_now() -> DoseReport<'static> {
    DoseReport::Taken { at: None }
}

const CAREGIVER: &str = "[[caregiver]]\nname = \"Lei\"\nrelation = \"son\"\n";

/// Whom the outbox tells of what.
fn alerts(shell: &Shell) -> Vec<String> {
    let told = shell.outbox.values().filter_map(|it| match &it.body {
        Body::Alert(alert) => {
            let to = match &it.to {
                Recipient::Patient => "patient",
                Recipient::Caregiver(id) | Recipient::Staff(id) => id,
            };
            Some(format!("{to} {}", alert.news.name()))
        }
        _ => None,
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told
}

#[test]
fn taken_and_skipped_close_the_dose_at_once_and_say_which() {
    for (report, state) in [
        (taken_now(), "taken"),
        (
            DoseReport::Skipped {
                reason: Some("sick"),
            },
            "skipped",
        ),
    ] {
        let mut shell = talking(&taken(&[("A", "08:00"), ("B", "08:00")]), at("02 00:00"));
        shell.run_accepting(at("02 08:05"));
        let decision = shell.answer("A", at("02 08:00"), report, at("02 08:05"));
        let doses = match &decision.replies[..] {
            [Reply::Taken { doses, .. } | Reply::Skipped { doses }] => doses,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (doses[0].label.as_str(), doses[0].due),
            ("A", at("02 08:00"))
        );
        assert_eq!(shell.closed(), [format!("A 02 08:00 {state}")]);
        shell.run_accepting(at("02 20:00"));
        assert_eq!(
            shell.closed(),
            [
                format!("A 02 08:00 {state}"),
                "B 02 08:00 missed".to_owned()
            ]
        );
    }
}

#[test]
fn an_answer_after_the_window_corrects_what_was_missed_and_keeps_both_times() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run_accepting(at("02 23:00"));
    assert_eq!(shell.closed(), ["A 02 08:00 missed"]);
    let eight = at("02 08:00");
    let report = DoseReport::Taken { at: Some(eight) };
    shell.answer("A", eight, report, at("02 23:00"));
    assert_eq!(shell.closed(), ["A 02 08:00 missed", "A 02 08:00 taken"]);
    let Some(Entry::DoseClosed(dose)) = shell.journal.last() else {
        panic!("{:?}", shell.journal)
    };
    let answer = dose.answer.as_ref().unwrap();
    assert_eq!(
        (answer.said_at, answer.taken_at),
        (Millis(at("02 23:00")), Some(Millis(eight)))
    );
    // Said once more, it changes nothing and is confirmed all the same.
    let decision = shell.answer("A", eight, report, at("02 23:01"));
    assert_eq!(decision.journal, []);
    assert!(matches!(&decision.replies[..], [Reply::Taken { .. }]));
}

#[test]
fn not_taken_keeps_a_dose_open_within_its_window_and_is_missed_after_it() {
    let plan = taken(&[("A", "08:00;if_missed = \"Never two at once.\"")]);
    let mut shell = talking(&plan, at("02 00:00"));
    shell.run_accepting(at("02 08:05"));
    let decision = shell.answer("A", at("02 08:00"), DoseReport::NotTaken, at("02 08:05"));
    let [
        Reply::NotTaken {
            advice, open_until, ..
        },
    ] = &decision.replies[..]
    else {
        panic!("{:?}", decision.replies)
    };
    assert_eq!(advice, &[("A".to_owned(), "Never two at once.".to_owned())]);
    assert_eq!(*open_until, Some(at("02 14:00")));
    assert_eq!(shell.closed(), [""; 0]);
    // Nudges go on.
    let nudged = shell.run_accepting(at("02 13:00"));
    assert_eq!(nudged.len(), 2, "{nudged:?}");
    shell.run_accepting(at("02 23:00"));
    let decision = shell.answer("A", at("02 08:00"), DoseReport::NotTaken, at("02 23:00"));
    let [
        Reply::NotTaken {
            open_until: None, ..
        },
    ] = &decision.replies[..]
    else {
        panic!("{:?}", decision.replies)
    };
    assert_eq!(shell.closed(), ["A 02 08:00 missed", "A 02 08:00 missed"]);
}

#[test]
fn a_mistaken_taken_is_taken_back_within_the_window_and_reminded_of_again() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run_accepting(at("02 08:05"));
    shell.answer("A", at("02 08:00"), taken_now(), at("02 08:05"));
    shell.answer("A", at("02 08:00"), DoseReport::NotTaken, at("02 08:06"));
    assert_eq!(shell.state.doses.len(), 1);
    let nudged = shell.run_accepting(at("02 12:00"));
    assert_eq!(nudged.len(), 2, "{nudged:?}");
    shell.answer("A", at("02 08:00"), taken_now(), at("02 12:00"));
    assert_eq!(shell.closed(), ["A 02 08:00 taken", "A 02 08:00 taken"]);
}

#[test]
fn what_expired_for_our_fault_stays_so_when_the_patient_did_not_take_it() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    shell.settle(
        key,
        Settlement::NotSent(ExpiredReason::ApiDown),
        at("02 14:00"),
    );
    shell.run(at("02 15:00"));
    assert_eq!(shell.closed(), ["A 02 08:00 expired(api_down)"]);
    shell.answer("A", at("02 08:00"), DoseReport::NotTaken, at("02 15:00"));
    assert_eq!(
        shell.closed().last().unwrap(),
        "A 02 08:00 expired(api_down)"
    );
    shell.answer("A", at("02 08:00"), taken_now(), at("02 15:01"));
    assert_eq!(shell.closed().last().unwrap(), "A 02 08:00 taken");
}

#[test]
fn an_answer_races_the_settling_of_its_reminder_and_there_is_one_state() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run(at("02 08:00"));
    let reminder = shell.only();
    shell.claim(reminder.key.id);
    // The patient reads and answers before the API's answer has been recorded.
    shell.answer("A", at("02 08:00"), taken_now(), at("02 08:00:01"));
    shell.settle(
        reminder.key,
        Settlement::Accepted(at("02 08:00")),
        at("02 08:00:02"),
    );
    shell.run_accepting(at("03 07:00"));
    assert_eq!(shell.closed(), ["A 02 08:00 taken"], "once");
    let accepted = shell.journal.iter().any(|it| {
        matches!(it, Entry::Accepted { message, about, .. }
            if *message == reminder.key.id && about[0].id == "A")
    });
    assert!(accepted, "that it was reminded of is the message's entry");
    assert!(shell.outbox.is_empty());
}

#[test]
fn a_dose_that_waits_again_is_nudged_though_its_reminder_was_under_way_when_it_was_answered() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run(at("02 08:00"));
    let reminder = shell.only();
    shell.claim(reminder.key.id);
    shell.answer("A", at("02 08:00"), taken_now(), at("02 08:00:01"));
    let accepted = Settlement::Accepted(at("02 08:00"));
    shell.settle(reminder.key, accepted, at("02 08:00:02"));
    shell.answer("A", at("02 08:00"), DoseReport::NotTaken, at("02 08:01"));
    assert_eq!(shell.run_accepting(at("02 12:00")).len(), 2);
}

#[test]
fn caregivers_are_told_once_of_what_was_missed_and_an_answer_in_time_takes_it_back() {
    let text = CAREGIVER.to_owned() + &med("A", "08:00") + &med("B", "08:00");
    let mut shell = talking(&plan(&text), at("02 00:00"));
    shell.run_accepting(at("02 13:59"));
    shell.catch_up(at("02 14:00"));
    assert_eq!(alerts(&shell), ["Lei missed"]);
    shell.answer("A", at("02 08:00"), taken_now(), at("02 14:00:01"));
    assert_eq!(alerts(&shell), [""; 0], "stopped by any answer");
}

#[test]
fn a_critical_dose_missed_reaches_staff_and_the_call_list() {
    let text = CAREGIVER.to_owned() + &med("W", "23:00;critical = true");
    let text = format!("quiet_hours = \"21:30-07:00\"\n{text}");
    let mut shell = talking(&plan(&text), at("02 00:00"));
    shell.run_accepting(at("03 00:59"));
    let mut calls = Vec::new();
    while let Some(wake_at) = shell.wake_at.filter(|it| *it <= at("03 01:00")) {
        calls.extend(shell.wake(wake_at).calls);
    }
    assert_eq!(calls, [CallReason::CriticalMissed]);
    assert_eq!(
        alerts(&shell),
        ["Hao critical_missed", "Lei critical_missed"]
    );
    // It does not wait for quiet hours to end.
    assert!(
        shell
            .outbox
            .values()
            .all(|it| it.not_before <= at("03 01:00"))
    );
    assert!(shell.outbox.keys().all(|key| key.class == Class::Critical));
}

#[test]
fn three_missed_in_a_row_are_a_reason_to_ring_and_an_answer_begins_anew() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    let rung = |shell: &Shell| {
        let wanted = |it: &&Entry| {
            matches!(
                it,
                Entry::CallWanted {
                    reason: CallReason::MissedInARow
                }
            )
        };
        shell.journal.iter().filter(wanted).count()
    };
    shell.run_accepting(at("03 23:00"));
    assert_eq!(rung(&shell), 0);
    shell.answer("A", at("03 08:00"), taken_now(), at("03 23:00"));
    shell.run_accepting(at("05 23:00"));
    assert_eq!(rung(&shell), 0);
    shell.run_accepting(at("06 23:00"));
    assert_eq!(rung(&shell), 1);
    shell.run_accepting(at("09 23:00"));
    assert_eq!(rung(&shell), 1, "once a run");
}

#[test]
fn an_answer_that_must_be_looked_at_alarms_staff_and_silence_does_after_its_time() {
    let text = "[[check_in]]\nid = \"bp\"\nask = \"BP?\"\nanswer = \"blood pressure\"\nat = \"08:00\"\n\
                alert_if = [\"upper over 160\"]\nalert_if_no_answer = \"6 hours\"\n";
    let mut shell = talking(&plan(text), at("02 00:00"));
    shell.run_accepting(at("02 09:00"));
    let fine = Value::BloodPressure {
        upper: 130,
        lower: 80,
    };
    shell.answer_check_in("bp", at("02 08:00"), &fine, at("02 09:00"));
    assert_eq!(alerts(&shell), [""; 0]);
    shell.run_accepting(at("02 23:00"));
    let high = Value::BloodPressure {
        upper: 161,
        lower: 80,
    };
    // Corrected later: the last answer counts, and alarms.
    let decision = shell.answer_check_in("bp", at("02 08:00"), &high, at("02 23:00"));
    assert!(matches!(
        &decision.replies[..],
        [Reply::Noted { alert: true, .. }]
    ));
    assert_eq!(alerts(&shell), ["Hao check_in"]);
    shell.accept_all(at("02 23:00"));
    shell.run_accepting(at("03 13:59"));
    shell.catch_up(at("03 14:00"));
    assert_eq!(alerts(&shell), ["Hao no_answer"]);
}

#[test]
fn a_rise_within_days_alarms() {
    let text = "[[check_in]]\nid = \"w\"\nask = \"Weight?\"\nanswer = \"weight\"\nat = \"08:00\"\n\
                alert_if = [\"up 2 in 3 days\"]\n";
    let mut shell = talking(&plan(text), at("02 00:00"));
    let mut alarmed = Vec::new();
    for (day, kilograms) in [
        ("02", 70_000),
        ("03", 71_000),
        ("04", 71_900),
        ("05", 72_900),
        ("09", 75_000),
    ] {
        let eight = at(&format!("{day} 08:00"));
        shell.run_accepting(at(&format!("{day} 09:00")));
        let value = Value::Number(kilograms);
        let decision = shell.answer_check_in("w", eight, &value, at(&format!("{day} 09:00")));
        let [Reply::Noted { alert, .. }] = &decision.replies[..] else {
            panic!("{:?}", decision.replies)
        };
        alarmed.push(*alert);
        shell.accept_all(at(&format!("{day} 09:00")));
    }
    // From the 2nd to the 5th it is more than three days: from the 3rd only 1.9.
    assert_eq!(alarmed, [false, false, false, true, false]);
}

#[test]
fn what_is_taken_as_needed_is_guarded() {
    let text = "[[medication]]\nname = \"Ibuprofen\"\ntake = \"1\"\nas_needed = \"pain\"\n\
                at_most = \"3 in 24 hours\"\napart = \"6 hours\"\n";
    let mut shell = talking(&plan(text), at("02 00:00"));
    let by = Teller::Patient;
    let mut report = |when: &str| {
        let plan = shell.plan.clone().unwrap();
        let input = Input::TakenAsNeeded {
            medication: "Ibuprofen",
            at: None,
            by: &by,
        };
        shell.step(&plan, input, at(when)).replies.pop()
    };
    let too_soon = |reply: &Option<Reply>| match reply {
        Some(Reply::AsNeeded { .. }) => None,
        Some(Reply::AsNeededTooSoon {
            allowed_from: Some(from),
            ..
        }) => Some(clock(*from)),
        other => panic!("{other:?}"),
    };
    for (when, allowed_from) in [
        ("02 08:00", None),
        ("02 12:00", Some("02 14:00")),
        ("02 14:00", None),
        ("02 20:00", None),
        // Six hours after the last, but the fourth within a day.
        ("03 02:00", Some("03 08:00")),
        ("03 08:00", None),
    ] {
        let reply = report(when);
        assert_eq!(too_soon(&reply).as_deref(), allowed_from, "{when}");
    }
}

#[test]
fn a_taking_that_is_reported_after_a_later_one_is_guarded_by_both() {
    let text = "[[medication]]\nname = \"Ibuprofen\"\ntake = \"1\"\nas_needed = \"pain\"\n\
                apart = \"4 hours\"\n";
    let report = |takings: &[(&str, &str)]| {
        let mut shell = talking(&plan(text), at("02 00:00"));
        let replies = takings.iter().map(|(taken, said)| {
            let by = Teller::Patient;
            let input = Input::TakenAsNeeded {
                medication: "Ibuprofen",
                at: Some(at(taken)),
                by: &by,
            };
            let plan = shell.plan.clone().unwrap();
            shell.step(&plan, input, at(said)).replies.pop()
        });
        match replies.last().flatten() {
            Some(Reply::AsNeeded { next, .. }) => match next {
                NextTaking::From(from) => format!("from {}", clock(from)),
                other => format!("{other:?}"),
            },
            Some(Reply::AsNeededTooSoon { after_this, .. }) => {
                format!(
                    "too soon, from {}",
                    after_this.map_or_else(String::new, clock)
                )
            }
            other => panic!("{other:?}"),
        }
    };
    let late = [("02 10:00", "02 10:00"), ("02 08:00", "02 10:30")];
    assert_eq!(report(&late), "too soon, from 02 14:00");
    // It counts against the next all the same.
    let third = [late[0], late[1], ("02 13:30", "02 13:30")];
    assert_eq!(report(&third), "too soon, from 02 17:30");
    let reversed = [("02 13:00", "02 13:00"), ("02 08:00", "02 14:00")];
    assert_eq!(report(&reversed), "from 02 17:00");
}

#[test]
fn the_next_dose_follows_when_the_last_was_taken() {
    let text = "[[medication]]\nname = \"A\"\ntake = \"1\"\nevery = \"6 hours after the last dose\"\n\
                first = 2026-03-02T08:00:00\ndoses = 4\n";
    let mut shell = talking(&plan(text), at("02 00:00"));
    shell.run_accepting(at("02 09:30"));
    shell.answer("A", at("02 08:00"), taken_now(), at("02 09:30"));
    // Six hours after half past nine; not answered, it counts as taken at its instant.
    let told: Vec<_> = shell.run_accepting(at("04 08:00"));
    let firsts: Vec<String> = told.iter().map(|(when, _)| clock(*when)).collect();
    assert!(firsts.contains(&"02 15:30".to_owned()), "{firsts:?}");
    assert!(firsts.contains(&"02 21:30".to_owned()), "{firsts:?}");
    assert!(!firsts.contains(&"02 14:00".to_owned()), "{firsts:?}");
    assert_eq!(
        shell.closed(),
        [
            "A 02 08:00 taken",
            "A 02 15:30 missed",
            "A 02 21:30 missed",
            "A 03 03:30 missed"
        ],
        "four doses in all"
    );
}

#[test]
fn a_taking_that_is_said_again_or_corrected_or_taken_back_moves_the_next_dose_only_as_it_was_taken()
{
    let text = "[[medication]]\nname = \"A\"\ntake = \"1\"\nevery = \"6 hours after the last dose\"\n\
                first = 2026-03-02T08:00:00\ndoses = 4\n";
    let first = || {
        let mut shell = talking(&plan(text), at("02 00:00"));
        shell.run_accepting(at("02 09:30"));
        shell.answer("A", at("02 08:00"), taken_now(), at("02 09:30"));
        shell
    };
    let dues = |mut shell: Shell| {
        shell.run_accepting(at("04 08:00"));
        let mut closed = shell.closed();
        closed.sort();
        closed.dedup_by_key(|line| line[..10].to_owned());
        let dues = closed.iter().map(|line| line[2..10].to_owned());
        dues.collect::<Vec<_>>()
    };
    let said_again = {
        let mut shell = first();
        shell.answer("A", at("02 08:00"), taken_now(), at("02 13:00"));
        dues(shell)
    };
    assert_eq!(said_again, ["02 08:00", "02 15:30", "02 21:30", "03 03:30"]);
    let corrected = {
        let mut shell = first();
        let earlier = DoseReport::Taken {
            at: Some(at("02 08:30")),
        };
        shell.answer("A", at("02 08:00"), earlier, at("02 13:00"));
        dues(shell)
    };
    assert_eq!(corrected, ["02 08:00", "02 14:30", "02 20:30", "03 02:30"]);
    // It follows the one before again, and the course is as long as it was.
    for mistake in [
        DoseReport::NotTaken,
        DoseReport::Skipped { reason: None },
        DoseReport::Later { minutes: None },
    ] {
        let mut shell = first();
        shell.run_accepting(at("02 15:40"));
        shell.answer("A", at("02 15:30"), taken_now(), at("02 15:40"));
        shell.answer("A", at("02 15:30"), mistake, at("02 15:41"));
        assert_eq!(
            dues(shell),
            ["02 08:00", "02 15:30", "02 21:30", "03 03:30"],
            "{mistake:?}"
        );
    }
    // What was promised comes where what would come instead has been passed already.
    for again in [false, true] {
        let mut shell = first();
        shell.run_accepting(at("02 18:00"));
        shell.answer("A", at("02 15:30"), taken_now(), at("02 18:00"));
        shell.run_accepting(at("02 22:00"));
        shell.answer("A", at("02 15:30"), DoseReport::NotTaken, at("02 22:00"));
        if again {
            shell.answer("A", at("02 15:30"), taken_now(), at("02 22:10"));
            let earlier = DoseReport::Taken {
                at: Some(at("02 15:35")),
            };
            shell.answer("A", at("02 15:30"), earlier, at("02 22:30"));
        }
        let dues = dues(shell);
        assert_eq!(dues[..2], ["02 08:00", "02 15:30"], "{again}");
        assert_eq!(dues.len(), 4, "{again}: {dues:?}");
        let next = if again { "03 04:10" } else { "03 00:00" };
        assert_eq!(dues[2], next, "{again}");
    }
    for mistake in [DoseReport::NotTaken, DoseReport::Skipped { reason: None }] {
        let mut shell = first();
        shell.run_accepting(at("02 18:00"));
        shell.answer("A", at("02 15:30"), taken_now(), at("02 18:00"));
        shell.run_accepting(at("02 22:00"));
        shell.answer("A", at("02 15:30"), mistake, at("02 22:00"));
        let earlier = DoseReport::Taken {
            at: Some(at("02 15:35")),
        };
        shell.answer("A", at("02 15:30"), earlier, at("02 22:10"));
        assert_eq!(
            dues(shell),
            ["02 08:00", "02 15:30", "03 00:00", "03 06:00"],
            "{mistake:?}"
        );
    }
    let mut shell = talking(&plan(text), at("02 00:00"));
    shell.run_accepting(at("02 09:30"));
    shell.answer("A", at("02 08:00"), taken_now(), at("02 09:30"));
    shell.run_accepting(at("02 14:30"));
    shell.answer("A", at("02 08:00"), DoseReport::NotTaken, at("02 14:30"));
    assert_eq!(
        dues(shell),
        ["02 08:00", "02 15:30", "02 21:30", "03 03:30"]
    );
    // None before: the first of the plan.
    let mut shell = first();
    shell.answer("A", at("02 08:00"), DoseReport::NotTaken, at("02 09:31"));
    assert_eq!(
        dues(shell),
        ["02 08:00", "02 14:00", "02 20:00", "03 02:00"]
    );
}

#[test]
fn stop_takes_back_what_waits_and_start_brings_back_what_has_time() {
    let mut shell = talking(&taken(&[("A", "08:00"), ("B", "20:00")]), at("02 00:00"));
    shell.run(at("02 08:00"));
    shell.enrolled = false;
    shell.barred = ExpiredReason::ConsentWithdrawn;
    let stopped = shell.reach(ReachChange::Stopped, at("02 08:00:01"));
    assert_eq!(stopped.withdraw.len(), 1);
    assert_eq!(stopped.calls, [CallReason::Stopped]);
    assert!(shell.outbox.is_empty());
    shell.run(at("02 15:00"));
    assert_eq!(shell.closed(), ["A 02 08:00 expired(consent_withdrawn)"]);
    shell.run(at("02 20:10"));
    shell.enrolled = true;
    let started = shell.reach(ReachChange::Started, at("02 20:10"));
    assert_eq!(said(&started.messages), ["B"]);
}

#[test]
fn a_caregiver_who_cannot_be_reached_says_nothing_of_the_patient() {
    let text = CAREGIVER.to_owned() + &med("A", "08:00");
    let mut shell = talking(&plan(&text), at("02 00:00"));
    shell.run_accepting(at("02 13:59"));
    shell.catch_up(at("02 14:00"));
    let key = shell.only().key;
    let unreachable = Settlement::Undeliverable(ExpiredReason::Unreachable);
    shell.settle(key, unreachable, at("02 14:00"));
    assert_eq!(shell.state.unreachable_since, None);
    assert!(shell.state.alerts.is_empty());
}
