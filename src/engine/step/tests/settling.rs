//! What becomes of doses when it is known what became of their messages.

use super::shell::*;
use crate::engine::*;

#[test]
fn nothing_more_goes_out_once_a_message_was_accepted_or_is_in_doubt() {
    let plan = taken(&[("A", "08:00")]);
    for settlement in [Settlement::Accepted(at("02 08:00")), Settlement::InDoubt] {
        let mut shell = Shell::with(&plan, at("02 00:00"));
        shell.run(at("02 08:00"));
        let key = shell.only().key;
        let settled = shell.settle(key, settlement, at("02 08:00:01"));
        assert_eq!(settled.messages, []);
        let sending = &shell.state.doses[0].sending;
        assert_eq!(sending.messages, [key.id]);
        assert_eq!(sending.in_doubt, settlement == Settlement::InDoubt);
        assert_eq!(shell.run(at("02 23:00")), []);
        assert_eq!(shell.apply(&plan, at("02 23:30")).messages, []);
    }
}

#[test]
fn an_acceptance_names_what_it_was_about_and_when() {
    let plan = taken(&[("A", "08:00"), ("B", "08:00")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    let taken_at = at("02 08:00:01");
    let settled = shell.settle(key, Settlement::Accepted(taken_at), at("02 08:00:02"));
    let about = |id: &str| About {
        id: id.into(),
        due: Millis(at("02 08:00")),
    };
    assert_eq!(
        settled.journal,
        [Entry::Accepted {
            message: key.id,
            at: Millis(taken_at),
            about: vec![about("A"), about("B")],
        }]
    );
    shell.run(at("02 14:00"));
    let Some(Entry::DoseClosed(closed)) = shell.journal.last() else {
        panic!("{:?}", shell.journal);
    };
    assert_eq!(closed.reminded, Some(Millis(taken_at)));
    assert_eq!(closed.messages, [key.id]);
}

#[test]
fn when_a_merged_message_did_not_leave_in_time_those_still_in_their_window_are_prompted_once() {
    let plan = taken(&[("A", "08:00"), ("B", "10:00"), ("C", "11:00")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    assert_eq!(said(&shell.catch_up(at("02 12:00"))), ["A,B,C"]);
    for (deadline, rest, closed) in [
        ("02 14:00", "B,C", "A 02 08:00 expired(api_down)"),
        ("02 16:00", "C", "B 02 10:00 expired(api_down)"),
    ] {
        let key = shell.only().key;
        assert_eq!(key.deadline, at(deadline));
        let reason = ExpiredReason::ApiDown;
        let again = shell.settle(key, Settlement::NotSent(reason), at(deadline));
        assert_eq!(said(&again.messages), [rest]);
        assert_eq!(shell.closed().last().unwrap(), closed);
        assert_eq!(shell.catch_up(at(deadline)), [], "once");
    }
    shell.accept_all(at("02 16:30"));
    shell.run(at("02 23:00"));
    assert_eq!(shell.closed().last().unwrap(), "C 02 11:00 missed");
}

#[test]
fn what_no_try_can_change_closes_the_dose_at_once() {
    let plan = taken(&[("A", "08:00"), ("B", "08:30")]);
    for (reason, unreachable, expected) in [
        (
            ExpiredReason::Unreachable,
            true,
            "A 02 08:00 expired(unreachable)",
        ),
        (
            ExpiredReason::Rejected,
            false,
            "A 02 08:00 expired(rejected)",
        ),
    ] {
        let mut shell = Shell::with(&plan, at("02 00:00"));
        shell.run(at("02 08:30"));
        let key = *shell.outbox.keys().next().unwrap();
        let settled = shell.settle(key, Settlement::Undeliverable(reason), at("02 08:31"));
        assert_eq!(settled.messages, []);
        assert_eq!(shell.closed(), [expected]);
        assert_eq!(
            shell.state.doses.len(),
            1,
            "the other waits for its own message"
        );
        assert_eq!(shell.state.unreachable_since.is_some(), unreachable);
        let key = shell.only().key;
        shell.settle(key, Settlement::Accepted(at("02 08:32")), at("02 08:32"));
        assert_eq!(shell.state.unreachable_since, None);
    }
}

#[test]
fn an_outcome_of_a_message_of_closed_doses_is_remembered_and_changes_nothing() {
    let plan = taken(&[("A", "08:00"), ("B", "20:00")]);
    for settlement in [
        Settlement::Accepted(at("02 08:00")),
        Settlement::InDoubt,
        Settlement::NotSent(ExpiredReason::ApiDown),
        Settlement::Undeliverable(ExpiredReason::Rejected),
    ] {
        let mut shell = Shell::with(&plan, at("02 00:00"));
        shell.run(at("02 08:00"));
        let key = shell.only().key;
        shell.claim(key.id);
        shell.apply(&taken(&[("B", "20:00")]), at("02 08:00:01"));
        assert_eq!(shell.closed(), ["A 02 08:00 cancelled"]);
        let settled = shell.settle(key, settlement, at("02 08:00:02"));
        assert_eq!(settled.journal.len(), 1);
        assert_eq!(settled.messages, []);
        assert_eq!(shell.state.unsettled, []);
        assert_eq!(shell.state.doses, []);
        assert_eq!(shell.closed().len(), 1);
    }
}

#[test]
fn a_settlement_keeps_the_next_wake() {
    let plan = taken(&[("A", "08:00, 20:00")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    shell.run(at("02 08:00"));
    shell.accept_all(at("02 08:00"));
    assert_eq!(shell.wake_at, Some(at("02 14:00")));
    shell.run(at("02 14:00"));
    assert_eq!(shell.wake_at, Some(at("02 19:59:57")));
}
