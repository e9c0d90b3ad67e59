//! After a restore nothing of the unknown time is said again, nothing of it is held against the
//! patient, and the future goes on.

use super::shell::*;
use crate::engine::*;
use crate::plan::ResolvedPlan;

fn restore(shell: &mut Shell, plan: &ResolvedPlan, now: jiff::Timestamp) -> Decision {
    shell.step(plan, Input::Restored, now)
}

#[test]
fn what_was_open_and_what_fell_since_is_closed_and_the_future_goes_on() {
    let plan = taken(&[("A", "08:00, 14:00, 20:00")]);
    let mut shell = Shell::with(&plan, at("02 07:00"));
    shell.run(at("02 08:00"));
    shell.accept_all(at("02 08:00"));
    let decision = restore(&mut shell, &plan, at("02 14:30"));
    assert_eq!(decision.messages, []);
    assert_eq!(
        decision.calls,
        [CallReason::InDoubt],
        "14:00 can be taken yet"
    );
    assert_eq!(
        shell.closed(),
        [
            "A 02 08:00 expired(daemon_down)",
            "A 02 14:00 expired(daemon_down)"
        ]
    );
    assert_eq!(
        decision.journal[0],
        Entry::Restored {
            since: Millis(at("02 08:00"))
        }
    );
    assert_eq!(shell.wake_at, Some(at("02 20:00") - LOOK_AHEAD));
    let told = shell.run_accepting(at("03 08:00"));
    let told: Vec<String> = told
        .iter()
        .map(|(at, ids)| format!("{} {ids}", clock(*at)))
        .collect();
    assert_eq!(told, ["02 20:00 A", "03 08:00 A"]);
}

#[test]
fn what_waits_or_is_under_way_is_taken_back_with_it() {
    let plan = taken(&[("A", "08:00"), ("B", "08:00;critical = true")]);
    let mut shell = Shell::with(&plan, at("02 07:00"));
    shell.run(at("02 08:00"));
    let waiting: Vec<OutboxRef> = shell.outbox.keys().copied().collect();
    assert!(!waiting.is_empty());
    let key = IdKey::new(&[7; 32]);
    let claimed: Vec<MessageId> = waiting.iter().map(|key| key.id).collect();
    let context = Context {
        patient: 5,
        barred: None,
        answers: true,
        caregivers: &[],
        staff: &[],
        fits: &Unlimited,
        ids: &key,
        claimed: &claimed,
        ages_by: None,
    };
    let decision = step(
        &context,
        &plan,
        shell.state.clone(),
        Input::Restored,
        at("02 08:01"),
    );
    let mut withdrawn = decision.withdraw.clone();
    withdrawn.sort_unstable();
    assert_eq!(withdrawn, waiting);
    assert_eq!(decision.messages, []);
    assert!(decision.state.unsettled.is_empty() && decision.state.doses.is_empty());
    // Who answers what the old daemon may have sent is heard.
    assert_eq!(decision.state.recent.len(), 2);
    assert!(
        decision
            .state
            .recent
            .iter()
            .all(|it| it.dose.sending.in_doubt)
    );
}

#[test]
fn what_may_have_been_reminded_of_is_not_reminded_of_at_a_new_time_of_the_day() {
    let plan = taken(&[("A", "08:00")]);
    let mut shell = Shell::with(&plan, at("02 02:00"));
    restore(&mut shell, &plan, at("02 11:00"));
    let moved = taken(&[("A", "12:00")]);
    shell.apply(&moved, at("02 11:05"));
    let told = shell.run_accepting(at("03 13:00"));
    let told: Vec<String> = told.iter().map(|(at, _)| clock(*at)).collect();
    assert_eq!(told, ["03 12:00"]);
}

#[test]
fn an_answer_to_what_the_old_daemon_sent_is_taken() {
    let plan = taken(&[("A", "08:00, 20:00")]);
    let mut shell = Shell::with(&plan, at("02 07:00"));
    shell.answers = true;
    restore(&mut shell, &plan, at("02 08:30"));
    let taken = DoseReport::Taken { at: None };
    shell.answer("A", at("02 08:00"), taken, at("02 08:40"));
    assert_eq!(
        shell.closed(),
        ["A 02 08:00 expired(daemon_down)", "A 02 08:00 taken"]
    );
}

#[test]
fn a_backup_of_long_ago_expires_all_since_and_says_nothing() {
    let plan = taken(&[
        ("A", "08:00, 20:00"),
        (
            "B",
            "06:00, 08:00, 10:00, 12:00, 14:00, 16:00, 18:00, 20:00, 22:00",
        ),
    ]);
    let mut shell = Shell::with(&plan, at("02 07:00"));
    let decision = restore(&mut shell, &plan, at("30 06:30"));
    assert_eq!(
        (decision.messages, decision.calls),
        (vec![], vec![CallReason::InDoubt])
    );
    let doses = shell.closings();
    assert_eq!(doses.iter().filter(|it| it.0 == "A").count(), 2 * 28);
    assert!(doses.iter().all(|it| it.2 == "expired(daemon_down)"));
    // What is long over is told in one entry a medication and amount; of the last days each.
    assert!(decision.journal.len() < 40, "{}", decision.journal.len());
    assert!(shell.wake_at > Some(at("30 06:30")));
}

#[test]
fn questions_and_reminders_of_appointments_are_not_made_up_for() {
    let plan = plan(
        "[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = \"08:00, 18:00\"\n\
         [[appointment]]\nwhat = \"X\"\nat = 2026-03-03T09:00:00\nremind = [\"1 day before\"]\n",
    );
    let mut shell = Shell::with(&plan, at("02 07:00"));
    shell.run(at("02 08:00"));
    shell.accept_all(at("02 08:00"));
    let decision = restore(&mut shell, &plan, at("02 18:30"));
    assert_eq!(decision.messages, []);
    let reasons: Vec<_> = decision
        .journal
        .iter()
        .filter_map(|entry| match entry {
            Entry::CheckInClosed { reason, .. } | Entry::AppointmentNotReminded { reason, .. } => {
                Some(*reason)
            }
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [Some(ExpiredReason::DaemonDown); 3]);
    let told = shell.run_accepting(at("03 08:00"));
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn messages_after_a_restore_have_ids_that_none_had_before() {
    let plan = taken(&[("A", "08:00, 20:00")]);
    let mut shell = Shell::with(&plan, at("02 07:00"));
    let mut other = Shell::with(&plan, at("02 07:00"));
    // In the time that is lost a dose fell, and the plan was edited back and forth.
    other.run(at("02 08:00"));
    other.accept_all(at("02 08:00"));
    let evening = taken(&[("A", "09:00, 20:00")]);
    other.apply(&evening, at("02 08:10"));
    other.apply(&plan, at("02 08:11"));
    other.run(at("02 20:00"));
    restore(&mut shell, &plan, at("02 09:00"));
    shell.run(at("02 20:00"));
    assert_ne!(shell.only().key.id, other.only().key.id);
}
