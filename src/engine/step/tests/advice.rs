//! Advice, consent, and what the channel reports of messages that it had taken.

use super::shell::*;
use crate::engine::*;
use jiff::Timestamp;

fn shell(text: &str, now: &str) -> Shell {
    let mut shell = Shell::new(at(now));
    shell.answers = true;
    shell.apply(&plan(text), at(now));
    shell
}

fn advise(shell: &mut Shell, now: &str) -> Decision {
    let plan = shell.plan.clone().unwrap();
    let input = Input::Advised {
        text: "Rest today",
        by: &Adviser::Operator,
    };
    shell.step(&plan, input, at(now))
}

fn deliver(shell: &mut Shell, message: MessageId, delivery: Delivery, now: Timestamp) -> Decision {
    let plan = shell.plan.clone().unwrap();
    let input = Input::Delivered {
        message,
        to: &Recipient::Patient,
        advice: false,
        delivery,
    };
    shell.step(&plan, input, now)
}

#[test]
fn advice_waits_for_the_end_of_quiet_hours_and_lasts_a_day() {
    let quiet = "quiet_hours = \"22:00-07:00\"\n";
    for (now, leaves) in [("02 12:00", "02 12:00"), ("02 23:00", "03 07:00")] {
        let mut shell = shell(&format!("{quiet}{}", med("a", "08:00")), now);
        let decision = advise(&mut shell, now);
        let message = shell.only();
        assert_eq!(message.not_before, at(leaves));
        assert_eq!(message.key.class, Class::Notice);
        assert_eq!(message.to, Recipient::Patient);
        assert!(matches!(&message.body, Body::Notice(text) if text.text == "Rest today"));
        let noted = Entry::Advised {
            text: "Rest today".to_owned(),
            by: Adviser::Operator,
            message: Some(message.key.id),
        };
        assert_eq!(decision.journal, [noted]);
        assert_eq!(decision.calls, []);
    }
}

#[test]
fn advice_that_cannot_be_delivered_is_a_reason_to_ring_and_only_that() {
    let now = at("02 12:00");
    for (settlement, calls) in [
        (Settlement::Accepted(now), vec![]),
        (Settlement::InDoubt, vec![CallReason::Advice]),
        (
            Settlement::NotSent(ExpiredReason::ApiDown),
            vec![CallReason::Advice],
        ),
        (
            Settlement::Undeliverable(ExpiredReason::Rejected),
            vec![CallReason::Advice],
        ),
        (
            Settlement::Undeliverable(ExpiredReason::Unreachable),
            vec![CallReason::Advice, CallReason::Unreachable],
        ),
    ] {
        let mut shell = shell(&med("a", "20:00"), "02 12:00");
        advise(&mut shell, "02 12:00");
        let key = shell.only().key;
        let decision = shell.settle(key, settlement, now);
        assert_eq!(decision.calls, calls, "{settlement:?}");
        assert_eq!(decision.state.advice, []);
    }
}

#[test]
fn advice_to_somebody_who_cannot_be_reached_goes_to_the_call_list_at_once() {
    let mut shell = shell(&med("a", "08:00"), "02 12:00");
    shell.enrolled = false;
    let decision = advise(&mut shell, "02 12:00");
    assert_eq!(decision.messages, []);
    assert_eq!(decision.calls, [CallReason::Advice]);
    // What waits when they stop all messages does not arrive either.
    shell.enrolled = true;
    advise(&mut shell, "02 12:01");
    shell.enrolled = false;
    shell.barred = ExpiredReason::ConsentWithdrawn;
    let decision = shell.reach(ReachChange::Stopped, at("02 12:02"));
    assert_eq!(decision.calls, [CallReason::Stopped, CallReason::Advice]);
    assert!(shell.outbox.is_empty());
}

#[test]
fn consent_is_noted_with_its_text_and_time_and_a_caregivers_changes_nothing_else() {
    for (by, barred_entry) in [
        (Teller::Patient, true),
        (Teller::Caregiver("Lei".to_owned()), false),
    ] {
        let mut shell = shell(&med("a", "08:00"), "02 12:00");
        let plan = shell.plan.clone().unwrap();
        let input = Input::Consented {
            version: "cafe",
            by: &by,
        };
        let decision = shell.step(&plan, input, at("02 12:00"));
        assert_eq!(
            decision.journal[0],
            Entry::ConsentGiven {
                version: "cafe".to_owned(),
                at: Millis(at("02 12:00")),
                by: by.clone(),
            }
        );
        assert_eq!(decision.journal.len() == 2, barred_entry, "{by:?}");
    }
}

/// A dose of eight o'clock whose reminder was accepted then.
fn reminded() -> (Shell, MessageId) {
    let mut shell = shell(&med("a", "08:00"), "02 07:00");
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    shell.settle(key, Settlement::Accepted(at("02 08:00")), at("02 08:00"));
    (shell, key.id)
}

#[test]
fn a_report_of_arrival_is_noted_and_changes_nothing() {
    let (mut shell, message) = reminded();
    let before = shell.state.doses.clone();
    let decision = deliver(&mut shell, message, Delivery::Arrived, at("02 08:00:02"));
    assert_eq!(decision.journal, [Entry::Delivered { message }]);
    assert_eq!(decision.state.doses, before);
    assert_eq!(decision.calls, []);
}

#[test]
fn a_dose_whose_reminder_failed_counts_as_not_reminded_and_a_nudge_covers_it() {
    for (delivery, reason) in [
        (Delivery::Failed, "api_down"),
        (Delivery::TooMany, "throttled"),
    ] {
        let (mut shell, message) = reminded();
        let decision = deliver(&mut shell, message, delivery, at("02 08:00:02"));
        assert_eq!(decision.messages, [], "it is not sent again at once");
        assert_eq!(decision.state.doses[0].sending.accepted_at, None);
        assert_eq!(decision.calls, []);
        // Nothing more is accepted: the silence is ours.
        let mut lost = shell;
        lost.run(at("02 08:15"));
        assert_eq!(lost.outbox.len(), 1, "the first nudge");
        let key = lost.only().key;
        let not_sent = Settlement::NotSent(ExpiredReason::Held);
        lost.settle(key, not_sent, at("02 08:59"));
        lost.run(at("02 23:59"));
        for key in lost.outbox.keys().copied().collect::<Vec<_>>() {
            lost.settle(key, not_sent, at("02 23:59"));
        }
        lost.catch_up(at("03 01:00"));
        assert_eq!(lost.closed(), ["a 02 08:00 expired(held)"]);

        let (mut shell, message) = reminded();
        deliver(&mut shell, message, delivery, at("02 08:00:02"));
        shell.run_accepting(at("02 23:59"));
        assert_eq!(shell.closed(), ["a 02 08:00 missed"], "{reason}");
    }
}

#[test]
fn somebody_who_refuses_messages_is_unreachable_once_however_many_are_taken() {
    let (mut shell, message) = reminded();
    let now = at("02 08:00:02");
    let decision = deliver(&mut shell, message, Delivery::Refused, now);
    assert_eq!(decision.calls, [CallReason::Unreachable]);
    assert_eq!(decision.state.unreachable_since, Some(now));
    assert_eq!(shell.closed(), ["a 02 08:00 expired(unreachable)"]);
    // The API takes the next one all the same.
    shell.run(at("03 08:00"));
    let key = shell.only().key;
    let taken = Settlement::Accepted(at("03 08:00"));
    let decision = shell.settle(key, taken, at("03 08:00"));
    assert_eq!(decision.state.unreachable_since, Some(now));
    let decision = deliver(&mut shell, key.id, Delivery::Refused, at("03 08:00:02"));
    assert_eq!(decision.calls, [], "nobody is told twice");
    shell.run(at("04 08:00"));
    let key = shell.only().key;
    shell.settle(key, Settlement::Accepted(at("04 08:00")), at("04 08:00"));
    let decision = deliver(&mut shell, key.id, Delivery::Arrived, at("04 08:00:02"));
    assert_eq!(decision.state.unreachable_since, None);
}

#[test]
fn a_report_that_comes_after_the_window_corrects_missed_and_leaves_an_answer_alone() {
    let (mut shell, message) = reminded();
    // No nudge is sent in this one.
    shell.answers = false;
    let (mut answered, other) = reminded();
    shell.answers = true;
    let dose = shell.state.doses[0].clone();
    shell.state.doses.clear();
    shell.state.recent.push(RecentDose {
        dose,
        state: DoseState::Missed,
        reason: None,
        answer: None,
    });
    deliver(&mut shell, message, Delivery::Failed, at("02 23:00"));
    assert_eq!(shell.closed(), ["a 02 08:00 expired(api_down)"]);

    let taken = DoseReport::Taken { at: None };
    answered.answer("a", at("02 08:00"), taken, at("02 08:05"));
    deliver(&mut answered, other, Delivery::Failed, at("02 08:06"));
    assert_eq!(answered.closed(), ["a 02 08:00 taken"]);
}

#[test]
fn a_dose_of_which_one_message_is_in_doubt_and_the_accepted_one_was_lost_is_not_missed() {
    let told = || {
        let mut shell = shell(&med("a", "08:00;window = \"30 min\""), "02 07:00");
        shell.run(at("02 08:00"));
        shell.settle(shell.only().key, Settlement::InDoubt, at("02 08:08"));
        shell.catch_up(at("02 08:15"));
        let key = shell.only().key;
        let accepted = Settlement::Accepted(at("02 08:15"));
        shell.settle(key, accepted, at("02 08:15"));
        (shell, key.id)
    };
    let (mut soon, id) = told();
    deliver(&mut soon, id, Delivery::Failed, at("02 08:16"));
    soon.catch_up(at("02 08:30"));
    assert_eq!(soon.closed(), ["a 02 08:00 expired(api_down)"]);
    // The report may come when the dose is closed.
    let (mut late, id) = told();
    late.catch_up(at("02 08:30"));
    assert_eq!(late.closed(), ["a 02 08:00 missed"]);
    deliver(&mut late, id, Delivery::Failed, at("02 09:00"));
    assert_eq!(
        late.closed().last().map(String::as_str),
        Some("a 02 08:00 expired(api_down)")
    );
}

#[test]
fn a_clock_that_was_set_ahead_by_days_makes_no_dose_too_old_for_a_report() {
    let mut shell = shell(&med("a", "08:00"), "02 07:00");
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    shell.settle(key, Settlement::Accepted(at("02 08:00")), at("02 08:00"));
    shell.ages_by = Some(at("02 08:05"));
    shell.catch_up(at("08 08:05"));
    assert!(shell.closed().contains(&"a 02 08:00 missed".to_owned()));
    deliver(&mut shell, key.id, Delivery::Failed, at("08 08:06"));
    assert_eq!(
        shell.closed().last().map(String::as_str),
        Some("a 02 08:00 expired(api_down)")
    );
}

#[test]
fn a_reminder_that_the_platform_lost_is_said_again_where_no_nudge_covers_it() {
    let now = at("02 08:00:02");
    for (nudge, again) in [("", false), ("nudge = []", true)] {
        let mut shell = shell(&med("a", &format!("08:00;{nudge}")), "02 07:00");
        shell.run(at("02 08:00"));
        let mut message = shell.only();
        shell.settle(message.key, Settlement::Accepted(now), now);
        let mut said = 1;
        loop {
            shell.did_not_arrive(&message);
            let decision = deliver(&mut shell, message.key.id, Delivery::Failed, now);
            let Some(next) = decision.messages.first() else {
                break;
            };
            assert_ne!(next.key.id, message.key.id, "under a key of its own");
            assert_eq!(super::shell::said(&decision.messages), ["a"]);
            message = next.clone();
            shell.settle(message.key, Settlement::Accepted(now), now);
            said += 1;
        }
        assert_eq!(said, if again { 5 } else { 1 }, "{nudge}");
    }
    // Somebody who got too much is left alone.
    let mut shell = shell(&med("a", "08:00;nudge = []"), "02 07:00");
    shell.run(at("02 08:00"));
    let message = shell.only();
    shell.settle(message.key, Settlement::Accepted(now), now);
    shell.did_not_arrive(&message);
    let decision = deliver(&mut shell, message.key.id, Delivery::TooMany, now);
    assert_eq!(decision.messages, []);
}

const X_RAY: &str =
    "[[appointment]]\nwhat = \"X-ray\"\nat = 2026-03-04T08:00:00\nremind = [\"1 day before\"]\n";

/// The reminder of an appointment was taken by the API, at the instant.
fn reminded_of_x_ray() -> (Shell, Message) {
    let mut shell = shell(X_RAY, "02 20:00");
    shell.run(at("03 08:00"));
    let message = shell.only();
    let taken = Settlement::Accepted(at("03 08:00"));
    shell.settle(message.key, taken, at("03 08:00"));
    (shell, message)
}

#[test]
fn an_appointment_whose_reminder_the_platform_lost_is_said_again_while_it_has_time() {
    let (mut shell, mut message) = reminded_of_x_ray();
    let now = at("03 08:00:02");
    let mut said = 1;
    loop {
        let decision = deliver(&mut shell, message.key.id, Delivery::Failed, now);
        let about = vec![About {
            id: "X-ray".to_owned(),
            due: Millis(at("03 08:00")),
        }];
        let not_delivered = Entry::NotDelivered {
            message: message.key.id,
            reason: ExpiredReason::ApiDown,
            about,
        };
        assert_eq!(decision.journal, [not_delivered]);
        let Some(next) = decision.messages.first() else {
            break;
        };
        assert_ne!(next.key.id, message.key.id, "under a key of its own");
        assert_eq!(super::shell::said(&decision.messages), ["!X-ray"]);
        assert_eq!(next.key.deadline, at("04 08:00"));
        message = next.clone();
        shell.settle(message.key, Settlement::Accepted(now), now);
        said += 1;
    }
    assert_eq!(said, 5, "a platform that loses each is not tried for ever");
    shell.catch_up(at("04 08:00"));
    let not_reminded = Entry::AppointmentNotReminded {
        what: "X-ray".to_owned(),
        due: Millis(at("03 08:00")),
        reason: Some(ExpiredReason::ApiDown),
    };
    assert_eq!(shell.journal.last(), Some(&not_reminded));
    assert_eq!(shell.state.prompts, []);
}

#[test]
fn an_appointment_is_not_said_again_where_it_arrived_is_over_or_the_recipient_had_too_much() {
    for (delivery, when) in [
        (Delivery::Arrived, "03 08:00:02"),
        (Delivery::TooMany, "03 08:00:02"),
        // The report comes when the patient is with the doctor.
        (Delivery::Failed, "04 08:00"),
    ] {
        let (mut shell, message) = reminded_of_x_ray();
        let decision = deliver(&mut shell, message.key.id, delivery, at(when));
        assert_eq!(decision.messages, [], "{delivery:?}");
        shell.run(at("05 08:00"));
        assert!(shell.outbox.is_empty() && shell.state.prompts.is_empty());
    }
    // What was taken back by an edit is not said again, and was not *not reminded of*.
    let (mut shell, message) = reminded_of_x_ray();
    let decision = shell.apply(&plan(&med("a", "09:00")), at("03 08:00:01"));
    let is_of_x_ray = |it: &Entry| matches!(it, Entry::AppointmentNotReminded { .. });
    assert!(!decision.journal.iter().any(is_of_x_ray));
    let now = at("03 08:00:02");
    let decision = deliver(&mut shell, message.key.id, Delivery::Failed, now);
    assert_eq!(decision.messages, []);
}
