//! Amounts that change while a dose is open: what is said again, and in which words.

use super::super::{is_awaited, is_still_wanted};
use super::shell::*;
use crate::engine::*;
use crate::plan::ResolvedPlan;
use jiff::Timestamp;

/// A taken so at these times.
fn taking(amount: &str, times: &str) -> ResolvedPlan {
    plan(&med("A", times).replace("take = \"1\"", &format!("take = \"{amount}\"")))
}

fn talking(plan: &ResolvedPlan) -> Shell {
    let mut shell = Shell::new(at("02 00:00"));
    shell.answers = true;
    shell.apply(plan, at("02 00:00"));
    shell
}

/// What a message says to take: `amount`, or `amount (was amount)`.
fn amounts(message: &Message) -> String {
    let Body::Dose(lines) = &message.body else {
        panic!("{message:?}")
    };
    let line = |line: &DoseLine| match &line.formerly {
        Some(formerly) => format!("{} (was {formerly})", line.amount),
        None => line.amount.clone(),
    };
    lines.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// The only message that waits, looked at when the patient is woken at `now`.
fn waiting(shell: &mut Shell, now: &str) -> Message {
    shell.catch_up(at(now));
    shell.only()
}

fn accept(shell: &mut Shell, message: &Message, now: Timestamp) {
    shell.settle(message.key, Settlement::Accepted(now), now);
}

#[test]
fn a_nudge_names_the_amount_that_is_prescribed_now_and_says_that_it_has_changed() {
    let mut shell = talking(&taking("1 tablet", "08:00"));
    shell.run_accepting(at("02 08:05"));
    shell.apply(&taking("2 tablets", "08:00"), at("02 08:05"));
    assert!(
        shell.outbox.is_empty(),
        "it is not reminded of again at once"
    );
    let first = waiting(&mut shell, "02 08:15");
    assert_eq!(amounts(&first), "2 tablets (was 1 tablet)");
    accept(&mut shell, &first, at("02 08:15"));
    // Told once, it is what the patient knows.
    let second = waiting(&mut shell, "02 09:00");
    assert_eq!(amounts(&second), "2 tablets");
    accept(&mut shell, &second, at("02 09:00"));
    shell.run_accepting(at("02 20:00"));
    let Some(Entry::DoseClosed(dose)) = shell.journal.last() else {
        panic!("{:?}", shell.journal)
    };
    assert_eq!(
        (dose.amount.as_str(), dose.state),
        ("2 tablets", DoseState::Missed)
    );
}

#[test]
fn what_was_answered_before_the_change_was_told_is_closed_in_the_amount_that_was_told() {
    for nudged in [false, true] {
        let mut shell = talking(&taking("1 tablet", "08:00"));
        shell.run_accepting(at("02 08:05"));
        shell.apply(&taking("2 tablets", "08:00"), at("02 08:05"));
        if nudged {
            // It waits, and is taken back with the answer.
            waiting(&mut shell, "02 08:15");
        }
        let report = DoseReport::Taken { at: None };
        shell.answer("A", at("02 08:00"), report, at("02 08:15"));
        assert!(shell.outbox.is_empty());
        let Some(Entry::DoseClosed(dose)) = shell.journal.last() else {
            panic!("{:?}", shell.journal)
        };
        assert_eq!(
            (dose.amount.as_str(), dose.state),
            ("1 tablet", DoseState::Taken)
        );
    }
}

#[test]
fn a_nudge_that_waits_is_corrected_and_an_amount_that_is_back_is_no_change() {
    let mut shell = talking(&taking("1 tablet", "08:00"));
    shell.run_accepting(at("02 08:05"));
    shell.catch_up(at("02 08:14:58"));
    assert_eq!(amounts(&shell.only()), "1 tablet");
    shell.apply(&taking("2 tablets", "08:00"), at("02 08:14:59"));
    assert_eq!(
        amounts(&waiting(&mut shell, "02 08:15")),
        "2 tablets (was 1 tablet)"
    );
    shell.apply(&taking("3 tablets", "08:00"), at("02 08:16"));
    assert_eq!(
        amounts(&waiting(&mut shell, "02 08:16")),
        "3 tablets (was 1 tablet)"
    );
    shell.apply(&taking("1 tablet", "08:00"), at("02 08:17"));
    assert_eq!(amounts(&waiting(&mut shell, "02 08:17")), "1 tablet");
}

#[test]
fn a_change_that_did_not_arrive_or_may_not_have_is_said_again() {
    for (settlement, then) in [
        (
            Settlement::NotSent(ExpiredReason::ApiDown),
            "2 tablets (was 1 tablet)",
        ),
        (Settlement::InDoubt, "2 tablets (was 1 tablet)"),
        (Settlement::Accepted(at("02 08:15")), "2 tablets"),
    ] {
        let mut shell = talking(&taking("1 tablet", "08:00"));
        shell.run_accepting(at("02 08:05"));
        shell.apply(&taking("2 tablets", "08:00"), at("02 08:05"));
        let nudge = waiting(&mut shell, "02 08:15");
        shell.settle(nudge.key, settlement, at("02 08:16"));
        assert_eq!(
            amounts(&waiting(&mut shell, "02 09:00")),
            then,
            "{settlement:?}"
        );
    }
}

#[test]
fn a_dose_whose_time_was_moved_too_has_the_amount_of_the_slot_as_which_it_counts() {
    // Two were reminded of: the second of the date's slots is that of the second dose.
    let old = taking("1 tablet", "08:00, 12:00");
    let new = plan(
        "[[medication]]\nname = \"A\"\n\
         take = { \"09:00\" = \"2 tablets\", \"13:00\" = \"3 tablets\" }\n",
    );
    let mut shell = talking(&old);
    shell.run_accepting(at("02 12:05"));
    let report = DoseReport::Taken { at: None };
    shell.answer("A", at("02 08:00"), report, at("02 12:05"));
    shell.apply(&new, at("02 12:06"));
    assert_eq!(
        amounts(&waiting(&mut shell, "02 12:15")),
        "3 tablets (was 1 tablet)"
    );
}

#[test]
fn a_dose_that_counts_as_no_slot_of_the_new_times_has_the_only_amount_or_the_one_told() {
    let two = "[[medication]]\nname = \"A\"\n\
               take = { \"mon\" = \"2 tablets\", \"tue\" = \"3 tablets\" }\nat = \"20:00\"\n";
    for (new, then) in [
        // 2 March 2026 is a Monday: nothing is taken on it any more.
        (
            med("A", "20:00;days = \"tue\"").replace("\"1\"", "\"2 tablets\""),
            "2 tablets (was 1)",
        ),
        (two.replace("mon", "wed"), "1"),
    ] {
        let mut shell = talking(&plan(&med("A", "08:00")));
        shell.run_accepting(at("02 08:05"));
        shell.apply(&plan(&new), at("02 08:06"));
        assert_eq!(amounts(&waiting(&mut shell, "02 08:15")), then, "{new}");
    }
}

#[test]
fn a_later_reminder_that_the_patient_asked_for_says_the_change_too() {
    let mut shell = talking(&taking("1 tablet", "08:00"));
    shell.run_accepting(at("02 08:05"));
    let report = DoseReport::Later { minutes: Some(30) };
    shell.answer("A", at("02 08:00"), report, at("02 08:05"));
    shell.apply(&taking("2 tablets", "08:00"), at("02 08:06"));
    assert_eq!(
        amounts(&waiting(&mut shell, "02 08:35")),
        "2 tablets (was 1 tablet)"
    );
}

#[test]
fn a_reminder_under_way_is_not_tried_again_once_its_dose_was_answered_changed_or_removed() {
    let old = plan(&(med("A", "08:00") + &med("B", "08:00")));
    let wanted = |shell: &Shell, message: &Message| {
        let plan = shell.plan.as_ref().unwrap();
        is_still_wanted(plan, &shell.state, &message.body)
    };
    let claimed = || {
        let mut shell = talking(&old);
        shell.run(at("02 08:00"));
        let message = shell.only();
        shell.claim(message.key.id);
        assert!(wanted(&shell, &message));
        (shell, message)
    };
    let (mut shell, message) = claimed();
    shell.apply(
        &plan(&(med("A", "08:00;note = \"x\"") + &med("B", "08:00"))),
        at("02 08:01"),
    );
    assert!(wanted(&shell, &message), "a note is no amount");
    let (mut shell, message) = claimed();
    let report = DoseReport::Taken { at: None };
    shell.answer("A", at("02 08:00"), report, at("02 08:01"));
    assert!(!wanted(&shell, &message));
    let awaited = |shell: &Shell| {
        let plan = shell.plan.as_ref().unwrap();
        is_awaited(plan, &shell.state, &message.body)
    };
    assert!(awaited(&shell), "B is open");
    shell.answer("B", at("02 08:00"), report, at("02 08:01"));
    assert!(!awaited(&shell));
    let (mut shell, message) = claimed();
    shell.apply(&plan(&med("B", "08:00")), at("02 08:01"));
    assert!(!wanted(&shell, &message));
    let (mut shell, message) = claimed();
    let doubled = med("A", "08:00").replace("take = \"1\"", "take = \"2\"") + &med("B", "08:00");
    shell.apply(&plan(&doubled), at("02 08:01"));
    assert!(!wanted(&shell, &message));
    // What takes its place says what is prescribed.
    let reason = ExpiredReason::Throttled;
    shell.settle(message.key, Settlement::NotSent(reason), at("02 08:02"));
    assert_eq!(amounts(&shell.only()), "2, 1");
}

#[test]
fn a_question_under_way_is_not_tried_again_once_it_was_answered_or_is_asked_no_more() {
    let asks =
        "[[check_in]]\nid = \"bp\"\nask = \"BP?\"\nanswer = \"blood pressure\"\nat = \"08:00\"\n";
    let old = plan(&(med("A", "20:00") + asks));
    let wanted = |shell: &Shell, message: &Message| {
        let plan = shell.plan.as_ref().unwrap();
        is_still_wanted(plan, &shell.state, &message.body)
    };
    let claimed = || {
        let mut shell = talking(&old);
        shell.run(at("02 08:00"));
        let message = shell.only();
        shell.claim(message.key.id);
        assert!(wanted(&shell, &message));
        (shell, message)
    };
    let (mut shell, message) = claimed();
    let value = Value::BloodPressure {
        upper: 130,
        lower: 80,
    };
    shell.answer_check_in("bp", at("02 08:00"), &value, at("02 08:01"));
    assert!(!wanted(&shell, &message), "answered");
    let (mut shell, message) = claimed();
    shell.apply(&plan(&med("A", "20:00")), at("02 08:01"));
    assert!(!wanted(&shell, &message), "asked no more");
    let (mut shell, message) = claimed();
    shell.apply(&plan(&(med("A", "21:00") + asks)), at("02 08:01"));
    assert!(wanted(&shell, &message), "another was edited");
}

#[test]
fn an_appointment_under_way_is_not_tried_again_once_it_was_moved() {
    let on = |hour: u8| {
        let keeps = format!(
            "[[appointment]]\nwhat = \"X-ray\"\nat = 2026-03-03T{hour:02}:00:00\nremind = [\"1 day before\"]\n"
        );
        plan(&(med("A", "20:00") + &keeps))
    };
    let mut shell = talking(&on(8));
    shell.run(at("02 08:00"));
    let message = shell.only();
    shell.claim(message.key.id);
    let wanted = |shell: &Shell| {
        let plan = shell.plan.as_ref().unwrap();
        is_still_wanted(plan, &shell.state, &message.body)
    };
    assert!(wanted(&shell));
    shell.apply(&on(9), at("02 08:01"));
    assert!(!wanted(&shell));
}
