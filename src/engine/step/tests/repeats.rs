//! Nudges and snoozes: when what is open is said again (P9).

use super::shell::*;
use crate::engine::*;

/// A shell whose patient can answer.
fn talking(plan: &crate::plan::ResolvedPlan, now: jiff::Timestamp) -> Shell {
    let mut shell = Shell::new(now);
    shell.answers = true;
    shell.apply(plan, now);
    shell
}

fn told(shell: &mut Shell, until: &str) -> Vec<String> {
    shell
        .run_accepting(at(until))
        .into_iter()
        .map(|(when, ids)| format!("{} {ids}", clock(when)))
        .collect()
}

#[test]
fn nudges_come_at_their_times_while_the_dose_is_open() {
    for (text, expected) in [
        ("08:00", &["02 08:00 A", "02 08:15 A", "02 09:00 A"][..]),
        (
            "08:00;critical = true",
            &["02 08:00 A", "02 08:10 A", "02 08:20 A", "02 08:30 A"],
        ),
        (
            "08:00;nudge = [\"5 min\", \"2 hours\"]",
            &["02 08:00 A", "02 08:05 A", "02 10:00 A"],
        ),
        ("08:00;nudge = []", &["02 08:00 A"]),
        // Never outside of the window.
        ("08:00;window = \"30 min\"", &["02 08:00 A", "02 08:15 A"]),
        ("08:00;window = \"15 min\"", &["02 08:00 A"]),
    ] {
        let mut shell = talking(&taken(&[("A", text)]), at("02 00:00"));
        assert_eq!(told(&mut shell, "02 20:00"), expected, "{text}");
        assert_eq!(shell.closed(), ["A 02 08:00 missed"], "{text}");
    }
}

#[test]
fn where_nobody_can_answer_nothing_is_repeated() {
    let mut shell = Shell::with(&taken(&[("A", "08:00")]), at("02 00:00"));
    assert_eq!(told(&mut shell, "02 20:00"), ["02 08:00 A"]);
}

#[test]
fn doses_of_one_instant_are_nudged_together_and_an_answered_one_is_left_out() {
    let plan = taken(&[("A", "08:00"), ("B", "08:00")]);
    let mut shell = talking(&plan, at("02 00:00"));
    assert_eq!(
        told(&mut shell, "02 08:20"),
        ["02 08:00 A,B", "02 08:15 A,B"]
    );
    shell.answer(
        "A",
        at("02 08:00"),
        DoseReport::Taken { at: None },
        at("02 08:20"),
    );
    assert_eq!(told(&mut shell, "02 20:00"), ["02 09:00 B"]);
}

#[test]
fn a_nudge_in_the_outbox_never_leaves_after_the_answer() {
    let plan = taken(&[("A", "08:00"), ("B", "08:00")]);
    let mut shell = talking(&plan, at("02 00:00"));
    told(&mut shell, "02 08:10");
    shell.catch_up(at("02 08:14:57"));
    assert_eq!(ids(&shell.only()), "A,B");
    shell.answer(
        "A",
        at("02 08:00"),
        DoseReport::Taken { at: None },
        at("02 08:14:58"),
    );
    // The other one is nudged all the same, at its time.
    assert_eq!(told(&mut shell, "02 08:30"), ["02 08:15 B"]);
    shell.answer(
        "B",
        at("02 08:00"),
        DoseReport::Taken { at: None },
        at("02 08:30"),
    );
    assert!(shell.outbox.is_empty());
    assert_eq!(told(&mut shell, "02 23:00"), [""; 0]);
    assert_eq!(shell.closed(), ["A 02 08:00 taken", "B 02 08:00 taken"]);
}

#[test]
fn a_nudge_whose_time_had_passed_when_the_reminder_was_accepted_is_dropped() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run(at("02 08:00"));
    let reminder = shell.only();
    shell.settle(
        reminder.key,
        Settlement::Accepted(at("02 08:40")),
        at("02 08:40"),
    );
    assert_eq!(told(&mut shell, "02 20:00"), ["02 09:00 A"]);
}

#[test]
fn a_reminder_in_doubt_is_covered_by_the_next_nudge() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run(at("02 08:00"));
    let reminder = shell.only();
    let decision = shell.settle(reminder.key, Settlement::InDoubt, at("02 08:08"));
    assert_eq!(decision.calls, [CallReason::InDoubt]);
    assert_eq!(told(&mut shell, "02 20:00"), ["02 08:15 A", "02 09:00 A"]);
    assert_eq!(shell.closed(), ["A 02 08:00 missed"]);
}

#[test]
fn after_downtime_one_nudge_covers_all_that_were_slept_through() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    told(&mut shell, "02 08:05");
    // Nobody woke the patient until now.
    shell.catch_up(at("02 11:00"));
    assert_eq!(ids(&shell.only()), "A");
    shell.accept_all(at("02 11:00"));
    assert_eq!(told(&mut shell, "02 20:00"), [""; 0]);
}

#[test]
fn later_is_later_within_the_window_and_nudges_go_on_after_it() {
    for (minutes, expected, until) in [
        // Half an hour where nothing was said; the nudge at nine follows.
        (None, &["02 08:40 A", "02 09:00 A"][..], Some("02 08:40")),
        (Some(120), &["02 10:10 A"], Some("02 10:10")),
        (
            Some(0),
            &["02 08:11 A", "02 08:15 A", "02 09:00 A"],
            Some("02 08:11"),
        ),
        // The window of a daily dose is six hours: five minutes before its end at the latest.
        (Some(600), &["02 13:55 A"], Some("02 13:55")),
    ] {
        let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
        told(&mut shell, "02 08:10");
        let report = DoseReport::Later { minutes };
        let decision = shell.answer("A", at("02 08:00"), report, at("02 08:10"));
        let [
            Reply::Later {
                until: said,
                clamped,
                ..
            },
        ] = &decision.replies[..]
        else {
            panic!("{:?}", decision.replies)
        };
        assert_eq!(*said, until.map(at), "{minutes:?}");
        assert_eq!(*clamped, minutes == Some(600));
        assert_eq!(told(&mut shell, "02 20:00"), expected, "{minutes:?}");
    }
}

#[test]
fn later_at_the_very_end_of_the_window_brings_no_reminder_and_says_so() {
    let mut shell = talking(&taken(&[("A", "08:00")]), at("02 00:00"));
    told(&mut shell, "02 13:57");
    let report = DoseReport::Later { minutes: Some(10) };
    let decision = shell.answer("A", at("02 08:00"), report, at("02 13:57"));
    let [
        Reply::Later {
            until: None,
            clamped: true,
            window_ends,
            ..
        },
    ] = &decision.replies[..]
    else {
        panic!("{:?}", decision.replies)
    };
    assert_eq!(*window_ends, at("02 14:00"));
    assert_eq!(told(&mut shell, "02 20:00"), [""; 0]);
    let decision = shell.answer("A", at("02 08:00"), report, at("02 20:00"));
    assert!(matches!(&decision.replies[..], [Reply::TooLate { .. }]));
}

#[test]
fn a_check_in_is_asked_again_once_after_two_hours() {
    let plan = plan("[[check_in]]\nask = \"Q\"\nanswer = \"text\"\nat = \"08:00\"\n");
    let mut shell = talking(&plan, at("02 00:00"));
    assert_eq!(told(&mut shell, "03 07:00"), ["02 08:00 ?Q", "02 10:00 ?Q"]);
}

#[test]
fn repeats_wait_for_quiet_hours_only_where_they_are_questions() {
    let text = "quiet_hours = \"21:30-07:00\"\n".to_owned()
        + &med("A", "21:20")
        + "[[check_in]]\nask = \"Q\"\nanswer = \"text\"\nat = \"20:00\"\n";
    let mut shell = talking(&plan(&text), at("02 00:00"));
    assert_eq!(
        told(&mut shell, "03 08:00"),
        [
            "02 20:00 ?Q",
            "02 21:20 A",
            "02 21:35 A",
            "02 22:00 ?Q",
            "02 22:20 A"
        ]
        .into_iter()
        .filter(|it| !it.contains("22:00"))
        .chain(["03 07:00 ?Q"])
        .collect::<Vec<_>>()
    );
}

#[test]
fn more_than_twenty_messages_in_an_hour_hold_all_but_doses_and_raise_one_alarm() {
    let mut text = String::new();
    for minute in 0..25 {
        text += &med(&format!("M{minute:02}"), &format!("08:{minute:02}"));
    }
    let mut shell = Shell::new(at("02 00:00"));
    shell.answers = true;
    shell.staff = vec![StaffMember {
        name: "Hao".to_owned(),
        language: crate::plan::Language::En,
        alerts: News::NAMES.map(str::to_owned).to_vec(),
        quiet_hours: None,
        refuses: false,
    }];
    shell.apply(&plan(&text), at("02 00:00"));
    let told = told(&mut shell, "02 08:59");
    let doses = told.iter().filter(|it| !it.contains('('));
    // All doses are reminded of; of the nudges only what the hour has room for.
    let first = |it: &&String| {
        let (when, id) = it.rsplit_once(" M").unwrap();
        when.ends_with(&format!("08:{}", &id[..2]))
    };
    assert_eq!(doses.clone().filter(first).count(), 25, "{told:#?}");
    assert!(doses.count() < 45, "{told:#?}");
    assert_eq!(
        told.iter().filter(|it| it.contains("too_many")).count(),
        1,
        "{told:#?}"
    );
}
