//! Clocks that are set, and instants at the ends of time (G8).

use super::shell::*;
use crate::engine::*;
use jiff::Timestamp;

#[test]
fn a_clock_set_back_decides_nothing_again() {
    let plan = taken(&[("A", "08:00, 12:00")]);
    for back in ["02 07:59:59", "02 07:00", "02 01:00"] {
        let mut shell = Shell::with(&plan, at("02 00:00"));
        shell.run_accepting(at("02 12:30"));
        let told = shell.closed().len();
        shell.now = at(back);
        assert_eq!(shell.wake(at(back)).messages, []);
        assert_eq!(shell.run_accepting(at("02 12:30")), []);
        assert_eq!(shell.closed().len(), told);
        let next = shell.run_accepting(at("03 08:30"));
        assert_eq!(next, [(at("03 08:00"), "A".to_owned())]);
    }
}

#[test]
fn an_edit_under_a_clock_set_back_decides_nothing_again_and_loses_nothing_new() {
    let old = &[("A", "08:00, 12:00;window = \"30 min\"")][..];
    let text = format!(
        "{}{}{}",
        med(old[0].0, old[0].1),
        med("N", "11:00"),
        "[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = \"08:00\"\n"
    );
    for back in ["02 12:39:59", "02 12:00", "02 11:59:59", "02 10:00"] {
        let mut shell = Shell::with(&plan(&text), at("02 07:00"));
        shell.run(at("02 12:00"));
        // Both expire at once, in different ways.
        for key in shell.outbox.keys().copied().collect::<Vec<_>>() {
            let reason = Settlement::Undeliverable(ExpiredReason::Rejected);
            shell.settle(key, reason, at("02 12:00:01"));
        }
        shell.run(at("02 12:40"));
        let closed = shell.closed();
        shell.now = at(back);
        let more = format!("{text}{}", med("B", "12:40, 13:00"));
        shell.apply(&plan(&more), at(back));
        let told = shell.run_accepting(at("02 13:30"));
        let told: Vec<_> = told
            .iter()
            .map(|(now, what)| (*now, what.as_str()))
            .collect();
        assert_eq!(
            told,
            [(at("02 12:40"), "B"), (at("02 13:00"), "B")],
            "{back}"
        );
        let mut old_ones = shell.closed();
        old_ones.retain(|it| !it.starts_with('B'));
        assert_eq!(old_ones, closed, "{back}");
    }
}

#[test]
fn a_plan_that_returns_under_a_clock_set_back_decides_nothing_again() {
    let plan = taken(&[("A", "08:00, 20:00;window = \"30 min\"")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    shell.catch_up(at("02 09:00"));
    shell.end(at("02 09:00"));
    shell.now = at("02 07:00");
    shell.apply(&plan, at("02 07:00"));
    let told = shell.run_accepting(at("02 21:00"));
    assert_eq!(told, [(at("02 20:00"), "A".to_owned())]);
    let closed = ["A 02 08:00 expired(daemon_down)", "A 02 20:00 missed"];
    assert_eq!(shell.closed(), closed);
}

#[test]
fn a_clock_set_forward_leaves_one_late_reminder_and_what_is_over() {
    let plan = taken(&[("A", "08:00, 20:00"), ("B", "19:00")]);
    let mut shell = Shell::with(&plan, at("02 00:00"));
    let messages = shell.catch_up(at("03 20:30"));
    assert_eq!(said(&messages), ["B,A"]);
    let closed: Vec<_> = shell.closed();
    let expired = ["A 02 08:00", "A 02 20:00", "A 03 08:00", "B 02 19:00"];
    assert_eq!(
        closed,
        expired.map(|it| format!("{it} expired(daemon_down)"))
    );
}

#[test]
fn a_dose_in_the_hour_that_comes_twice_is_reminded_of_once() {
    let zone = "Europe/Berlin";
    let plan = plan_in(zone, &med("A", "02:30"));
    let of = |text: &str| -> Timestamp { text.parse().unwrap() };
    let mut shell = Shell::with(&plan, of("2026-10-24T12:00:00Z"));
    let told = shell.run_accepting(of("2026-10-26T12:00:00Z"));
    let times: Vec<_> = told.iter().map(|(now, _)| *now).collect();
    assert_eq!(
        times,
        [of("2026-10-25T00:30:00Z"), of("2026-10-26T01:30:00Z")]
    );
}

#[test]
fn no_instant_is_too_early_or_too_late_for_any_input() {
    let text = format!(
        "quiet_hours = \"21:30-07:00\"\n{}{}[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = \"08:00\"\n\
         [[appointment]]\nwhat = \"X\"\nat = 2026-03-03T08:00:00\n",
        med("A", "08:00, 20:00"),
        "[[medication]]\nname = \"E\"\ntake = \"1\"\nevery = \"1 hour\"\nfirst = 2026-03-02T00:00:00\n",
    );
    let plan = plan(&text);
    let other = taken(&[("A", "09:00")]);
    let second = Timestamp::from_second;
    let instants = [
        Timestamp::MIN,
        second(Timestamp::MIN.as_second() + 2).unwrap(),
        second(0).unwrap(),
        at("02 08:00"),
        second(Timestamp::MAX.as_second() - 2).unwrap(),
        Timestamp::MAX,
    ];
    let key = IdKey::new(&[1; 32]);
    let context = Context {
        patient: u32::MAX,
        barred: None,
        answers: false,
        caregivers: &[],
        staff: &[],
        fits: &Unlimited,
        ids: &key,
        claimed: &[],
        ages_by: Some(Timestamp::MAX),
    };
    let overdue = ExpiredReason::Clock;
    for first in instants {
        for then in instants {
            let applied = Input::PlanChanged { old: None, overdue };
            let decision = step(&context, &plan, PatientState::new(first), applied, first);
            let woken = step(
                &context,
                &plan,
                decision.state,
                Input::Wake { overdue },
                then,
            );
            let message = woken
                .messages
                .first()
                .map_or(MessageId([0; 16]), |it| it.key.id);
            for settlement in [
                Settlement::Accepted(then),
                Settlement::InDoubt,
                Settlement::NotSent(overdue),
                Settlement::Undeliverable(overdue),
            ] {
                let settled = Input::Settled {
                    message,
                    settlement,
                };
                let _ = step(&context, &plan, woken.state.clone(), settled, first);
            }
            let edited = Input::PlanChanged {
                old: Some(&plan),
                overdue,
            };
            let edited = step(&context, &other, woken.state.clone(), edited, first);
            let _ = step(
                &context,
                &other,
                edited.state,
                Input::PlanEnded { overdue },
                then,
            );
        }
    }
}

#[test]
fn what_was_asked_a_moment_ahead_is_not_asked_again_when_the_plan_is_back() {
    let asks =
        "[[check_in]]\nid = \"bp\"\nask = \"BP?\"\nanswer = \"blood pressure\"\nat = \"08:00\"\n";
    let plan = plan(&(med("A", "20:00") + asks));
    for settlement in [None, Some(Settlement::InDoubt)] {
        // Two seconds before the question, five days ahead of the right clock.
        let mut shell = Shell::with(&plan, at("07 07:00"));
        shell.answers = true;
        shell.run(at("07 07:59:58"));
        let asked = shell.only();
        assert_eq!(asked.due, at("07 08:00"));
        shell.claim(asked.key.id);
        if let Some(settlement) = settlement {
            shell.settle(asked.key, settlement, at("07 07:59:59"));
        }
        shell.now = at("02 12:00");
        shell.end(at("02 12:00"));
        shell.apply(&plan, at("02 13:00"));
        let later = shell.run(at("07 08:30"));
        let again = later.iter().filter(|it| it.due == at("07 08:00"));
        assert_eq!(again.count(), 0, "{settlement:?}");
    }
}
