//! Edits of the plan: exact from the edit on (G6, P15).

use super::shell::*;
use crate::engine::*;

#[test]
fn a_removed_medication_leaves_and_those_that_shared_its_message_are_prompted_again() {
    let mut shell = Shell::with(&taken(&[("A", "08:00"), ("B", "08:00")]), at("02 00:00"));
    shell.run(at("02 08:00"));
    let shared = shell.only();
    let edited = shell.apply(&taken(&[("B", "08:00")]), at("02 08:05"));
    assert_eq!(edited.withdraw, [shared.key]);
    assert_eq!(said(&edited.messages), ["B"]);
    assert_eq!(shell.closed(), ["A 02 08:00 cancelled"]);
    shell.accept_all(at("02 08:06"));
    shell.run(at("02 23:00"));
    assert_eq!(
        shell.closed(),
        ["A 02 08:00 cancelled", "B 02 08:00 missed"]
    );
}

#[test]
fn a_claimed_message_is_not_withdrawn_and_nobody_it_names_is_prompted_again() {
    let mut shell = Shell::with(&taken(&[("A", "08:00"), ("B", "08:00")]), at("02 00:00"));
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    shell.claim(key.id);
    let edited = shell.apply(&taken(&[("B", "08:00")]), at("02 08:00:01"));
    assert_eq!((edited.withdraw, edited.messages), (vec![], vec![]));
    shell.settle(
        key,
        Settlement::Accepted(at("02 08:00:01")),
        at("02 08:00:02"),
    );
    shell.run(at("02 23:00"));
    assert_eq!(
        shell.closed(),
        ["A 02 08:00 cancelled", "B 02 08:00 missed"]
    );
}

#[test]
fn what_was_decided_ahead_is_taken_back_and_decided_again_under_the_new_plan() {
    let old = taken(&[("A", "08:00"), ("B", "08:00")]);
    for (new, told) in [
        (
            &[("A", "08:00"), ("B", "08:00;note = \"with water\"")][..],
            "08:00 A,B",
        ),
        (&[("A", "08:00"), ("B", "09:00")], "08:00 A | 09:00 B"),
        (&[("A", "08:00"), ("B", "07:30")], "08:00 A"),
        (&[("A", "08:00")], "08:00 A"),
        (
            &[
                ("A", "08:00;critical = true"),
                ("B", "08:00"),
                ("C", "08:00"),
            ],
            "08:00 A,B,C",
        ),
        (
            &[("B", "08:00;window = \"10 min\""), ("A", "08:00")],
            "08:00 B,A",
        ),
    ] {
        let mut shell = Shell::with(&old, at("02 00:00"));
        shell.run(at("02 07:59:58"));
        assert_eq!(said(&[shell.only()]), ["A,B"]);
        let edited = shell.apply(&taken(new), at("02 07:59:59"));
        assert_eq!(edited.withdraw.len(), 1);
        let all: Vec<String> = shell
            .run_accepting(at("02 23:00"))
            .into_iter()
            .map(|(now, what)| format!("{} {what}", &clock(now)[3..]))
            .collect();
        assert_eq!(all.join(" | "), told);
        assert_eq!(
            shell
                .closings()
                .iter()
                .filter(|it| it.2 != "missed")
                .count(),
            0
        );
    }
}

#[test]
fn what_is_decided_again_after_an_edit_is_another_message() {
    // A dispatcher that holds the old text by its id must not take the new one for it.
    let mut shell = Shell::with(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run(at("02 07:59:58"));
    let before = shell.only();
    shell.apply(
        &taken(&[("A", "08:00;window = \"1 hour\"")]),
        at("02 07:59:59"),
    );
    let after = shell.only();
    assert_ne!(before.key.id, after.key.id);
    assert_eq!(after.key.deadline, at("02 09:00"));
}

#[test]
fn a_claimed_reminder_ahead_of_its_instant_counts_for_the_day_of_the_edit() {
    let mut shell = Shell::with(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run(at("02 07:59:58"));
    let key = shell.only().key;
    shell.claim(key.id);
    shell.apply(&taken(&[("A", "09:00")]), at("02 07:59:59"));
    let told = shell.run_accepting(at("02 23:00"));
    assert_eq!(told, [(at("02 08:00"), "A".to_owned())]);
}

/// P15: (schedule before, when edited, schedule after, reminders at these times of the day after
/// the edit, and on the next day).
#[test]
fn what_was_reminded_of_counts_against_the_earliest_slots_of_the_day() {
    for (before, edited, after, rest, tomorrow) in [
        ("08:00", "08:10", "09:00", "", "09:00"),
        ("08:00", "07:50", "09:00", "09:00", "09:00"),
        ("08:00, 20:00", "08:10", "08:00", "", "08:00"),
        ("08:00, 20:00", "08:10", "20:00", "", "20:00"),
        ("08:00", "08:10", "08:00, 20:00", "20:00", "08:00 20:00"),
        ("08:00", "08:10", "09:00, 21:00", "21:00", "09:00 21:00"),
        (
            "08:00, 20:00",
            "12:00",
            "07:00, 13:00, 19:00",
            "13:00 19:00",
            "07:00 13:00 19:00",
        ),
        (
            "08:00, 14:00, 20:00",
            "15:00",
            "08:00, 20:00",
            "",
            "08:00 20:00",
        ),
        (
            "08:00, 14:00, 20:00",
            "15:00",
            "16:00, 18:00, 20:00",
            "20:00",
            "16:00 18:00 20:00",
        ),
        ("08:00", "08:10", "08:00;note = \"n\"", "", "08:00"),
    ] {
        let mut shell = Shell::with(&taken(&[("A", before)]), at("02 00:00"));
        shell.run_accepting(at(&format!("02 {edited}")));
        shell.apply(&taken(&[("A", after)]), at(&format!("02 {edited}")));
        let times = |told: Vec<(jiff::Timestamp, String)>| {
            let times = told.iter().map(|(now, _)| clock(*now)[3..].to_owned());
            times.collect::<Vec<_>>().join(" ")
        };
        let case = format!("{before} at {edited} to {after}");
        assert_eq!(times(shell.run_accepting(at("02 23:59"))), rest, "{case}");
        assert_eq!(
            times(shell.run_accepting(at("03 23:59"))),
            tomorrow,
            "{case}"
        );
    }
}

#[test]
fn several_edits_of_one_day_count_all_that_was_reminded_of() {
    let mut shell = Shell::with(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run_accepting(at("02 08:10"));
    shell.apply(&taken(&[("A", "09:00")]), at("02 08:10"));
    // The edit of another medication does not bring it back, nor does moving it once more, nor
    // an end and return of the plan.
    shell.apply(&taken(&[("A", "09:00"), ("B", "21:00")]), at("02 08:20"));
    shell.apply(&taken(&[("A", "10:00"), ("B", "21:00")]), at("02 08:30"));
    shell.end(at("02 08:40"));
    shell.apply(&taken(&[("A", "11:00"), ("B", "21:00")]), at("02 08:50"));
    let told = shell.run_accepting(at("03 12:00"));
    let expected = [
        (at("02 21:00"), "B".to_owned()),
        (at("03 11:00"), "A".to_owned()),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_expired_does_not_count_for_the_day() {
    let mut shell = Shell::with(
        &taken(&[("A", "08:00;window = \"30 min\"")]),
        at("02 00:00"),
    );
    shell.run(at("02 08:00"));
    let key = shell.only().key;
    shell.settle(
        key,
        Settlement::NotSent(ExpiredReason::ApiDown),
        at("02 08:30"),
    );
    shell.apply(&taken(&[("A", "10:00")]), at("02 09:00"));
    let told = shell.run_accepting(at("02 23:00"));
    assert_eq!(told, [(at("02 10:00"), "A".to_owned())]);
}

#[test]
fn slots_from_before_the_medication_was_applied_are_not_counted() {
    // Applied at noon: the evening's dose is the first of the day.
    let mut shell = Shell::with(&taken(&[("A", "08:00, 20:00")]), at("02 12:00"));
    shell.run_accepting(at("02 20:30"));
    shell.apply(&taken(&[("A", "08:00, 21:00")]), at("02 20:30"));
    assert_eq!(shell.run_accepting(at("02 23:59")), []);
}

#[test]
fn intervals_are_exempt_even_on_the_day_on_which_clock_times_were_served() {
    let every = |first: &str| {
        plan(&format!(
            "[[medication]]\nname = \"A\"\ntake = \"1\"\nevery = \"4 hours\"\nfirst = 2026-03-02T{first}:00\n"
        ))
    };
    let mut shell = Shell::with(&every("06:00"), at("02 00:00"));
    shell.run_accepting(at("02 08:30"));
    shell.apply(&every("09:00"), at("02 08:30"));
    assert_eq!(shell.run_accepting(at("02 09:00")).len(), 1);
    // Clock times with a dose served, then an interval on the same day.
    let mut shell = Shell::with(&taken(&[("A", "08:00")]), at("02 00:00"));
    shell.run_accepting(at("02 08:10"));
    shell.apply(&taken(&[("A", "09:00")]), at("02 08:10"));
    shell.apply(&every("10:00"), at("02 08:20"));
    let told = shell.run_accepting(at("02 14:00"));
    assert_eq!(told.len(), 2, "at 10:00 and 14:00");
}

#[test]
fn an_untouched_medication_keeps_every_instant_whatever_happens_to_the_others() {
    let b = [
        "20:00",
        "08:00",
        "12:00;critical = true",
        "08:00;note = \"n\"",
    ];
    let mut alone = Shell::with(&taken(&[("A", "08:00, 14:00, 20:00")]), at("02 00:00"));
    alone.run_accepting(at("06 00:00"));
    let mut edited = Shell::with(&taken(&[("A", "08:00, 14:00, 20:00")]), at("02 00:00"));
    for hour in 0..95 {
        let now = at("02 00:30") + seconds(3600 * hour);
        edited.run_accepting(now);
        let other = ("B", b[hour as usize % b.len()]);
        edited.apply(&taken(&[other, ("A", "08:00, 14:00, 20:00")]), now);
    }
    edited.run_accepting(at("06 00:00"));
    let of_a = |shell: &Shell| {
        let mut all = shell.closed();
        all.retain(|it| it.starts_with("A "));
        all
    };
    assert_eq!(of_a(&edited), of_a(&alone));
    assert_eq!(of_a(&alone).len(), 11);
}

#[test]
fn the_end_of_a_plan_cancels_what_is_open_and_withdraws_what_waits() {
    let text = format!(
        "{}[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = \"08:00\"\n",
        med("A", "08:00")
    );
    let mut shell = Shell::with(&plan(&text), at("02 00:00"));
    shell.run(at("02 08:00"));
    assert_eq!(shell.outbox.len(), 2);
    shell.end(at("02 08:01"));
    assert!(shell.outbox.is_empty());
    assert_eq!(shell.closed(), ["A 02 08:00 cancelled"]);
    let cancelled = |entry: &Entry| {
        matches!(
            entry,
            Entry::CheckInClosed {
                cancelled: true,
                ..
            }
        )
    };
    assert!(shell.journal.iter().any(cancelled));
}

#[test]
fn a_new_contact_gets_what_the_old_one_was_not_sent_yet() {
    let of = |openid: &str| plan(&format!("wechat = \"{openid}\"\n{}", med("A", "08:00")));
    let mut shell = Shell::with(&of("oAAAAAAAAAAAAAAAAAAAAAAAAAAA"), at("02 00:00"));
    shell.run(at("02 08:00"));
    let old = shell.only().key;
    let edited = shell.apply(&of("oBBBBBBBBBBBBBBBBBBBBBBBBBBB"), at("02 08:05"));
    assert_eq!(edited.withdraw, [old]);
    assert_eq!(said(&edited.messages), ["A"]);
    assert_eq!(edited.state.unreachable_since, None);
}

#[test]
fn an_appointment_that_moves_is_another_one() {
    let at_time = |time: &str| {
        plan(&format!(
            "[[appointment]]\nwhat = \"X-ray\"\nat = 2026-03-03T{time}:00\nremind = [\"2 hours before\"]\n"
        ))
    };
    let mut shell = Shell::with(&at_time("10:00"), at("02 00:00"));
    shell.run(at("03 08:00"));
    let edited = shell.apply(&at_time("12:00"), at("03 08:05"));
    assert_eq!(edited.withdraw.len(), 1);
    let told = shell.run_accepting(at("03 12:00"));
    assert_eq!(told, [(at("03 10:00"), "!X-ray".to_owned())]);
}

#[test]
fn an_unsent_dose_leaves_with_the_amount_of_the_new_plan() {
    let amount = |text: &str| plan(&med("A", "08:00").replace("take = \"1\"", text));
    let mut shell = Shell::with(&amount("take = \"1 tablet\""), at("02 00:00"));
    shell.run(at("02 08:00"));
    shell.apply(&amount("take = \"2 tablets\""), at("02 08:01"));
    let Body::Dose(lines) = shell.only().body else {
        panic!("a reminder")
    };
    assert_eq!(lines[0].amount, "2 tablets");
    // What has left stays as the patient has read it.
    shell.accept_all(at("02 08:02"));
    shell.apply(&amount("take = \"3 tablets\""), at("02 08:03"));
    assert_eq!(shell.state.doses[0].amount, "2 tablets");
    assert!(shell.outbox.is_empty());
}
