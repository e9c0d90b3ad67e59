//! Which messages there are, and how windows end.

use super::shell::*;
use crate::engine::step::{LOOK_AHEAD, OCCURRENCES_PER_STEP};
use crate::engine::*;

#[test]
fn one_reminder_an_instant_names_all_of_its_doses_in_the_order_of_the_plan() {
    let plan = taken(&[("B", "08:00, 20:00"), ("A", "08:00"), ("C", "08:01")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    assert_eq!(shell.wake_at, Some(at("02 08:00") - LOOK_AHEAD));
    let messages = shell.run(at("02 08:00"));
    assert_eq!(said(&messages), ["B,A"]);
    assert_eq!(messages[0].not_before, at("02 08:00"));
    assert_eq!(messages[0].key.class, Class::Dose);
    assert_eq!(said(&shell.run(at("02 21:00"))), ["C", "B"]);
}

#[test]
fn a_time_critical_dose_makes_the_whole_reminder_critical() {
    let plan = taken(&[("A", "08:00"), ("W", "08:00;critical = true")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    let messages = shell.run(at("02 08:00"));
    assert_eq!(said(&messages), ["A,W"]);
    assert_eq!(messages[0].key.class, Class::Critical);
    assert_eq!(
        messages[0].key.deadline,
        at("02 10:00"),
        "the narrower window"
    );
}

#[test]
fn what_is_overdue_becomes_one_message_until_the_first_window_ends() {
    let plan = taken(&[
        ("A", "08:00"),
        ("B", "09:00;window = \"3 hours\""),
        ("C", "10:00"),
        ("D", "10:30"),
    ]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    let messages = shell.catch_up(at("02 10:29:58"));
    assert_eq!(said(&messages), ["A,B,C", "D"], "what is ahead waits apart");
    let late = &messages[0];
    assert_eq!(late.due, at("02 08:00"));
    // If the clock is set back meanwhile, C is not told before its instant.
    assert_eq!(late.not_before, at("02 10:00"));
    assert_eq!(late.key.deadline, at("02 12:00"));
}

#[test]
fn what_a_channel_cannot_hold_in_one_message_becomes_one_a_medication() {
    let plan = taken(&[("A", "08:00"), ("B", "08:00"), ("C", "09:00")]);
    for (room, woken, expected) in [
        (9, "02 07:59:57", &["A,B"][..]),
        (1, "02 07:59:57", &["A", "B"]),
        (3, "02 09:00", &["A,B,C"]),
        (2, "02 09:00", &["A", "B", "C"]),
    ] {
        let mut shell = Shell::with(&plan, at("02 00:00"));
        shell.room = room;
        assert_eq!(
            said(&shell.catch_up(at(woken))),
            expected,
            "{room} at {woken}"
        );
    }
}

#[test]
fn windows_that_passed_unseen_are_one_entry_with_all_instants() {
    let plan = taken(&[("A", "08:00, 20:00")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    let decision = shell.wake(at("04 19:00"));
    let due = ["02 08:00", "02 20:00", "03 08:00", "03 20:00", "04 08:00"];
    assert_eq!(
        decision.journal,
        [Entry::DosesExpired {
            medication: "A".into(),
            amount: "1".into(),
            due: due.iter().map(|due| Millis(at(due))).collect(),
            reason: ExpiredReason::DaemonDown,
        }]
    );
    assert_eq!(decision.doses_due, 5);
    assert_eq!(decision.messages, []);
    assert_eq!(shell.wake_at, Some(at("04 20:00") - LOOK_AHEAD));
}

#[test]
fn a_step_decides_a_bounded_number_and_then_asks_to_be_woken_at_once() {
    let every = "[[medication]]\nname = \"A\"\ntake = \"1\"\nevery = \"1 hour\"\nfirst = 2026-03-02T00:00:00\n";
    let mut shell = Shell::with(&plan(every), at("02 00:00"));
    let now = at("27 00:00:30");
    let mut closed = Vec::new();
    loop {
        let decision = shell.wake(now);
        closed.push(decision.doses_due as usize);
        if decision.wake_at.unwrap() > now {
            break;
        }
        assert_eq!(decision.wake_at, Some(now));
    }
    assert_eq!(closed, [OCCURRENCES_PER_STEP, OCCURRENCES_PER_STEP, 88]);
    assert_eq!(shell.closings().len(), 600 - 1, "all but the last");
    assert_eq!(shell.state.doses.len(), 1, "the one of midnight");
}

#[test]
fn at_the_end_of_its_window_a_dose_is_missed_if_reminded_of_and_else_expired() {
    let plan = taken(&[("A", "08:00")]);
    for (settlement, expected) in [
        (Settlement::Accepted(at("02 08:00")), "A 02 08:00 missed"),
        (Settlement::InDoubt, "A 02 08:00 expired(api_down)"),
        (
            Settlement::NotSent(ExpiredReason::Throttled),
            "A 02 08:00 expired(throttled)",
        ),
    ] {
        let mut shell = Shell::with(&plan, at("02 00:00"));
        shell.run(at("02 08:00"));
        let key = shell.only().key;
        let settled = match settlement {
            Settlement::NotSent(_) => at("02 14:00"),
            _ => at("02 08:00"),
        };
        shell.settle(key, settlement, settled);
        shell.run(at("02 13:59:59"));
        if settled < at("02 14:00") {
            assert_eq!(shell.closed(), [""; 0]);
        }
        shell.run(at("02 14:00"));
        assert_eq!(shell.closed(), [expected]);
    }
}

#[test]
fn a_dose_with_an_unsettled_message_waits_for_it_a_while_behind_its_window() {
    let plan = taken(&[("A", "08:00")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    shell.claim(key.id);
    shell.run(at("02 14:04"));
    assert_eq!(shell.closed(), [""; 0]);
    let mut never = Shell::with(&plan, at("02 00:00"));
    never.run(at("02 14:10"));
    assert_eq!(never.closed(), ["A 02 08:00 expired(api_down)"]);
    shell.settle(key, Settlement::Accepted(at("02 13:59")), at("02 14:04"));
    assert_eq!(shell.closed(), ["A 02 08:00 missed"]);
}

#[test]
fn after_a_standstill_the_dispatcher_has_its_say_before_a_dose_is_closed() {
    let plan = taken(&[("A", "08:00")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    shell.catch_up(at("02 17:00"));
    assert_eq!(shell.closed(), [""; 0]);
    let reason = ExpiredReason::DaemonDown;
    shell.settle(key, Settlement::NotSent(reason), at("02 17:00:01"));
    assert_eq!(shell.closed(), ["A 02 08:00 expired(daemon_down)"]);
}

#[test]
fn looks_that_follow_one_another_leave_the_dispatcher_its_say() {
    let first = taken(&[("A", "08:00")]);
    let edited = taken(&[("A", "08:00"), ("B", "20:00")]);
    let mut shell = Shell::with(&first, at("02 00:00"));
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    shell.claim(key.id);
    // After a standstill the patient is woken, and the plan edited: both before anything is
    // known of the message that was under way.
    shell.catch_up(at("02 17:00"));
    shell.apply(&edited, at("02 17:00"));
    shell.apply(&first, at("02 17:00:01"));
    assert_eq!(shell.closed(), [""; 0]);
    shell.settle(key, Settlement::InDoubt, at("02 17:00:02"));
    assert_eq!(shell.closings().len(), 1);
    let Some(Entry::DoseClosed(closed)) = shell.journal.last() else {
        panic!("the dose is closed last");
    };
    assert!(closed.in_doubt, "{closed:?}");
}

#[test]
fn without_a_contact_doses_expire_as_not_enrolled_and_enrolment_in_the_window_prompts() {
    let plan = taken(&[("A", "08:00"), ("B", "09:00")]);
    let mut shell = Shell::new(at("02 00:00"));
    shell.enrolled = false;
    shell.apply(&plan, at("02 00:00"));
    assert_eq!(shell.run(at("02 23:00")), []);
    let both = [
        "A 02 08:00 expired(not_enrolled)",
        "B 02 09:00 expired(not_enrolled)",
    ];
    assert_eq!(shell.closed(), both);
    shell.run(at("03 09:30"));
    shell.enrolled = true;
    let enrolled = shell.apply(&plan, at("03 09:30"));
    assert_eq!(said(&enrolled.messages), ["A,B"]);
    shell.accept_all(at("03 09:30:01"));
    shell.run(at("03 23:00"));
    assert_eq!(
        shell.closed()[2..],
        ["A 03 08:00 missed", "B 03 09:00 missed"]
    );
}

#[test]
fn check_ins_and_appointments_wait_for_the_end_of_quiet_hours_and_doses_do_not() {
    let text = format!(
        "quiet_hours = \"21:30-07:00\"\n{}[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = \"22:00\"\n\
         [[appointment]]\nwhat = \"X-ray\"\nat = 2026-03-03T08:00:00\nremind = [\"2 hours before\"]\n",
        med("A", "22:00")
    );
    let mut shell = Shell::with(&plan(&text), at("02 20:00"));
    let told = shell.run_accepting(at("03 21:00"));
    let expected = [
        (at("02 22:00"), "A"),
        (at("03 07:00"), "?How?"),
        (at("03 07:00"), "!X-ray"),
    ];
    assert_eq!(told, expected.map(|(at, what)| (at, what.to_owned())));
}

#[test]
fn a_question_that_is_quiet_for_its_whole_window_is_not_put_and_says_so() {
    let text = "quiet_hours = \"21:30-07:00\"\n[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = [\"22:00\", \"23:00\", \"12:00\"]\n";
    let mut shell = Shell::with(&plan(text), at("02 20:00"));
    let told = shell.run_accepting(at("03 11:00"));
    assert_eq!(told, [(at("03 07:00"), "?How?".to_owned())]);
    assert_eq!(
        shell.journal[0],
        Entry::CheckInClosed {
            check_in: "How?".into(),
            due: Millis(at("02 22:00")),
            asked: None,
            reason: Some(ExpiredReason::Held),
            cancelled: false,
        }
    );
}

#[test]
fn each_reminder_of_an_appointment_is_useful_until_the_next_and_is_done_when_it_left() {
    let text = "[[appointment]]\nwhat = \"X-ray\"\nat = 2026-03-04T08:00:00\n";
    let mut shell = Shell::with(&plan(text), at("02 20:00"));
    let first = shell.run(at("03 08:00"));
    assert_eq!(first[0].key.deadline, at("04 06:00"));
    assert_eq!(first[0].key.class, Class::Notice);
    shell.accept_all(at("03 08:00"));
    assert!(shell.state.prompts.iter().all(OpenPrompt::is_done));
    assert_eq!(shell.run(at("04 05:59")), [], "it is not said twice");
    let second = shell.run(at("04 06:00"));
    assert_eq!(second[0].key.deadline, at("04 08:00"));
    shell.settle(
        second[0].key,
        Settlement::NotSent(ExpiredReason::ApiDown),
        at("04 08:00"),
    );
    assert_eq!(
        shell.journal.last(),
        Some(&Entry::AppointmentNotReminded {
            what: "X-ray".into(),
            due: Millis(at("04 06:00")),
            reason: Some(ExpiredReason::ApiDown),
        })
    );
    assert_eq!(shell.wake_at, None);
    assert_eq!(shell.state.prompts, []);
}

#[test]
fn a_question_that_was_put_and_not_answered_is_closed_when_the_next_one_comes() {
    let text = "[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = \"09:00\"\n";
    let mut shell = Shell::with(&plan(text), at("02 00:00"));
    shell.run_accepting(at("03 08:59"));
    assert_eq!(shell.state.prompts.len(), 1);
    shell.run_accepting(at("03 09:00"));
    let closed = Entry::CheckInClosed {
        check_in: "How?".into(),
        due: Millis(at("02 09:00")),
        asked: Some(Millis(at("02 09:00"))),
        reason: None,
        cancelled: false,
    };
    assert!(shell.journal.contains(&closed));
}
