//! What is left of a medicine, and who is told when it runs out.

use super::shell::*;
use crate::engine::*;
use crate::plan::Language;

const METFORMIN: &str = "[[medication]]\nid = \"m\"\nname = \"Metformin\"\ntake = \"1 tablet\"\n\
                         at = \"08:00, 20:00\"\n";

fn with_stock(stock: &str, limit: &str) -> String {
    format!("{METFORMIN}stock = \"{stock}\"\nrefill_when = \"{limit}\"\n")
}

fn talking(text: &str, now: &str) -> Shell {
    let mut shell = Shell::new(at(now));
    shell.answers = true;
    shell.caregivers = vec!["Lei".to_owned()];
    shell.staff = vec![StaffMember {
        name: "Hao".to_owned(),
        language: Language::En,
        alerts: vec!["refill".to_owned(), "caregiver_unreachable".to_owned()],
        quiet_hours: None,
        refuses: false,
    }];
    shell.apply(&plan(text), at(now));
    shell
}

fn taken_now() -> DoseReport<'static> {
    DoseReport::Taken { at: None }
}

/// Every dose of these days, two a day, is answered five minutes after its instant. Returns when a
/// refill was found due, what was left, and for how many days.
fn take_all(shell: &mut Shell, days: std::ops::RangeInclusive<u8>) -> Vec<String> {
    let mut found = Vec::new();
    for day in days {
        for hour in ["08", "20"] {
            let due = at(&format!("{day:02} {hour}:00"));
            let said = at(&format!("{day:02} {hour}:05"));
            shell.run_accepting(said);
            let before = shell.journal.len();
            shell.answer("m", due, taken_now(), said);
            found.extend(
                shell.journal[before..]
                    .iter()
                    .filter_map(|entry| match entry {
                        Entry::RefillDue { left, days, .. } => {
                            Some(format!("{} {left} {days}", clock(said)))
                        }
                        _ => None,
                    }),
            );
        }
    }
    found
}

fn left(shell: &Shell) -> i64 {
    shell.state.stocks[0].left()
}

/// Whom the outbox tells of a refill.
fn told(shell: &Shell) -> Vec<String> {
    let to = |it: &Message| match &it.to {
        Recipient::Patient => "patient".to_owned(),
        Recipient::Caregiver(id) | Recipient::Staff(id) => id.clone(),
    };
    let of_refill = |it: &&Message| {
        matches!(&it.body, Body::Refill(_))
            || matches!(&it.body, Body::Alert(alert) if matches!(alert.news, News::Refill(_)))
    };
    let mut told: Vec<String> = shell.outbox.values().filter(of_refill).map(to).collect();
    told.sort();
    told
}

#[test]
fn each_dose_taken_lowers_the_stock_and_a_refill_is_told_of_once_in_time() {
    let mut shell = talking(
        &with_stock("20 tablets on 2026-03-02", "7 days left"),
        "02 00:00",
    );
    // 20 tablets are ten days: after the first five of them seven and a half are left.
    assert_eq!(take_all(&mut shell, 2..=9), ["04 08:05 15000 7"]);
    assert_eq!(left(&shell), 4_000);
}

#[test]
fn patient_caregiver_staff_and_call_list_have_it() {
    let caregiver = "[[caregiver]]\nname = \"Lei\"\nrelation = \"son\"\n";
    let text = format!(
        "{caregiver}{}",
        with_stock("16 tablets on 2026-03-02", "7 days left")
    );
    let mut shell = talking(&text, "02 00:00");
    shell.run_accepting(at("02 08:05"));
    let decision = shell.answer("m", at("02 08:00"), taken_now(), at("02 08:05"));
    assert_eq!(decision.calls, [CallReason::Refill]);
    assert_eq!(told(&shell), ["Hao", "Lei", "patient"]);
    let notice = shell.outbox.values().find(|it| it.to == Recipient::Patient);
    let Some(Message {
        body: Body::Refill(line),
        key,
        ..
    }) = notice
    else {
        panic!("{notice:?}")
    };
    assert_eq!(key.class, Class::Notice);
    assert_eq!(
        (
            line.label.as_str(),
            line.left,
            line.unit.as_str(),
            line.days
        ),
        ("Metformin", 15_000, "tablets", 7)
    );
}

#[test]
fn what_was_not_taken_lowers_nothing_and_a_correction_is_counted_back() {
    let mut shell = talking(
        &with_stock("20 tablets on 2026-03-02", "1 day left"),
        "02 00:00",
    );
    let morning = at("02 08:00");
    shell.run_accepting(at("02 08:05"));
    for (report, now, expected) in [
        (DoseReport::NotTaken, "02 08:05", 20_000),
        (DoseReport::Later { minutes: Some(30) }, "02 08:06", 20_000),
        (taken_now(), "02 08:40", 19_000),
        // Said twice, it was taken once.
        (taken_now(), "02 08:41", 19_000),
        // Within its window it waits again.
        (DoseReport::NotTaken, "02 08:42", 20_000),
        (taken_now(), "02 08:43", 19_000),
        (DoseReport::Skipped { reason: None }, "02 19:00", 20_000),
        (taken_now(), "02 19:01", 19_000),
        (DoseReport::NotTaken, "02 19:02", 20_000),
    ] {
        shell.answer("m", morning, report, at(now));
        assert_eq!(left(&shell), expected, "{report:?} at {now}");
    }
    // Nobody answers: it was missed, and is still there; taken after all, it is not.
    shell.run_accepting(at("03 07:00"));
    assert_eq!(left(&shell), 20_000);
    shell.answer("m", at("02 20:00"), taken_now(), at("03 07:00"));
    assert_eq!(left(&shell), 19_000);
}

#[test]
fn a_stock_that_is_stated_anew_counts_from_its_day_and_the_next_shortage_is_told_of_again() {
    let mut shell = talking(
        &with_stock("16 tablets on 2026-03-02", "7 days left"),
        "02 00:00",
    );
    assert_eq!(take_all(&mut shell, 2..=3), ["02 08:05 15000 7"]);
    // Counted on the 3rd before the first dose of that day: two of those days' doses are known.
    let more = with_stock("46 tablets on 2026-03-03", "7 days left");
    let decision = shell.apply(&plan(&more), at("03 21:00"));
    assert_eq!(left(&shell), 44_000);
    assert_eq!(decision.calls_over, [CallReason::Refill]);
    assert!(decision.journal.contains(&Entry::StockCounted {
        medication: "m".to_owned(),
        stock: crate::plan::Stock {
            thousandths: 46_000,
            unit: "tablets".to_owned(),
            on: jiff::civil::date(2026, 3, 3),
        },
        taken: 2_000,
    }));
    // Another key is edited: the count goes on as it was.
    let noted = format!("{more}note = \"With water\"\n");
    shell.apply(&plan(&noted), at("03 21:01"));
    assert_eq!(left(&shell), 44_000);
    assert_eq!(take_all(&mut shell, 4..=18), ["18 08:05 15000 7"]);
}

#[test]
fn a_stock_counted_before_the_plan_came_counts_what_was_to_be_taken_since() {
    // Five doses between the morning of the 1st and noon of the 3rd.
    let shell = talking(
        &with_stock("20 tablets on 2026-03-01", "1 day left"),
        "03 12:00",
    );
    assert_eq!(left(&shell), 15_000);
    // It may be short at once.
    let shell = talking(
        &with_stock("20 tablets on 2026-03-01", "7 days left"),
        "03 12:00",
    );
    assert_eq!(told(&shell), ["Hao", "patient"]);
}

#[test]
fn the_notice_comes_by_day_and_outside_of_quiet_hours() {
    for (quiet, said, leaves) in [
        ("", "02 08:05", "02 08:05"),
        ("", "02 20:05", "03 08:00"),
        ("quiet_hours = \"19:00-10:00\"\n", "02 20:05", "03 10:00"),
    ] {
        let stock = with_stock("15 tablets on 2026-03-02", "8 days left");
        let mut shell = Shell::new(at("02 06:00"));
        shell.answers = true;
        shell.apply(&plan(&format!("{quiet}{METFORMIN}")), at("02 06:00"));
        let due = at(if said < "02 20:00" {
            "02 08:00"
        } else {
            "02 20:00"
        });
        shell.run_accepting(at(said));
        let full = stock.replace("15 tablets", "40 tablets");
        shell.apply(&plan(&format!("{quiet}{full}")), at(said));
        shell.apply(&plan(&format!("{quiet}{stock}")), at(said));
        shell.answer("m", due, taken_now(), at(said));
        let notice = shell
            .outbox
            .values()
            .find(|it| matches!(it.body, Body::Refill(_)));
        assert_eq!(
            notice.map(|it| it.not_before),
            Some(at(leaves)),
            "{quiet}{said}"
        );
    }
}

#[test]
fn a_course_that_ends_before_the_stock_does_needs_no_refill() {
    let text = format!(
        "{}start = 2026-03-02\nfor = \"3 days\"\n",
        with_stock("7 tablets on 2026-03-02", "30 days left")
    );
    let mut shell = talking(&text, "02 00:00");
    assert_eq!(take_all(&mut shell, 2..=4), [""; 0]);
    assert_eq!(left(&shell), 1_000);
}

#[test]
fn a_stock_in_another_unit_is_left_alone() {
    let text = with_stock("20 tablets on 2026-03-02", "30 days left").replace("1 tablet", "500 mg");
    let mut shell = talking(&text, "02 00:00");
    assert_eq!(take_all(&mut shell, 2..=3), [""; 0]);
    assert_eq!(left(&shell), 20_000);
}

#[test]
fn what_is_taken_as_needed_lowers_the_stock_by_as_much_as_may_be_taken() {
    let text = "[[medication]]\nid = \"i\"\nname = \"Ibuprofen\"\ntake = \"1-2 tablets\"\n\
                as_needed = \"pain\"\nat_most = \"2 in 24 hours\"\n\
                stock = \"14 tablets on 2026-03-02\"\nrefill_when = \"2 days left\"\n";
    let mut shell = talking(text, "02 00:00");
    let by = Teller::Patient;
    let mut calls = Vec::new();
    for when in ["02 08:00", "02 12:00", "03 12:00", "04 12:00"] {
        let plan = shell.plan.clone().unwrap();
        let input = Input::TakenAsNeeded {
            medication: "i",
            at: None,
            by: &by,
        };
        let decision = shell.step(&plan, input, at(when));
        calls.push((left(&shell), decision.calls));
    }
    let refill = || vec![CallReason::Refill];
    // Four a day at most: from eight on they last for two days.
    let expected = [
        (12_000, vec![]),
        (10_000, refill()),
        (8_000, vec![]),
        (6_000, vec![]),
    ];
    assert_eq!(calls, expected);
}

#[test]
fn a_notice_that_waits_is_taken_back_by_a_stop_and_by_the_end_of_the_plan() {
    let text = with_stock("18 tablets on 2026-03-02", "8 days left");
    let waiting = || {
        let mut shell = talking(&text, "02 00:00");
        shell.run_accepting(at("02 20:05"));
        shell.answer("m", at("02 20:00"), taken_now(), at("02 20:05"));
        assert_eq!(told(&shell), ["Hao", "patient"]);
        shell
    };
    let mut stopped = waiting();
    stopped.enrolled = false;
    stopped.barred = ExpiredReason::ConsentWithdrawn;
    stopped.reach(ReachChange::Stopped, at("02 20:06"));
    assert_eq!(told(&stopped), ["Hao"]);
    let mut ended = waiting();
    ended.end(at("02 20:06"));
    assert_eq!(told(&ended), ["Hao"]);
    assert!(ended.state.stocks.is_empty());
    assert!(ended.journal.contains(&Entry::CallOver {
        reason: CallReason::Refill
    }));
}
