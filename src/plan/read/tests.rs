//! Plans as texts, and what becomes of them.

#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

mod documented;
mod refusals;
mod robustness;
mod slips;

use super::*;
use crate::plan::Language;
use jiff::SignedDuration;
use std::fmt::Write as _;

fn defaults() -> Defaults {
    Defaults {
        zone: Zone::get("Asia/Shanghai").unwrap(),
        language: Language::ZhCn,
        quiet_hours: None,
        day: Day::default(),
        now: Some("2026-03-02T00:00:00Z".parse().unwrap()),
    }
}

fn plan_of(text: &str) -> ResolvedPlan {
    let source = Source::new("p.toml", format!("name = \"王秀兰\"\n{text}"));
    match read(&source, &defaults()) {
        Ok(read) => read.plan,
        Err(found) => {
            let all: String = found.iter().fold(String::new(), |mut all, found| {
                let _ = write!(
                    all,
                    "{}",
                    found.render(crate::plan::diagnostic::Colour::None)
                );
                all
            });
            panic!("{text}\n{all}");
        }
    }
}

/// The doses of all medications in `[from, until)` as `MM-DD HH:MM amount`, by instant.
fn doses(text: &str, from: &str, until: &str) -> Vec<String> {
    let plan = plan_of(text);
    let at = |text: &str| {
        let local: civil::DateTime = text.parse().unwrap();
        plan.zone.instant(local)
    };
    let mut all = Vec::new();
    for medication in &plan.medications {
        let doses = plan
            .doses_from(medication, at(from))
            .take_while(|dose| dose.due < at(until));
        all.extend(doses.map(|dose| {
            let local = plan.zone.local(dose.due).strftime("%m-%d %H:%M");
            format!("{local} {}", dose.amount).trim_end().to_owned()
        }));
    }
    all.sort();
    all
}

fn medication(lines: &str) -> String {
    format!("[[medication]]\nname = \"M\"\n{lines}\n")
}

#[test]
fn schedules_fall_where_their_words_say() {
    for (lines, from, until, expected) in [
        (
            "take = \"1\"\nat = [\"08:00\", \"20:00\"]\nstart = 2026-03-02\nfor = \"2 days\"",
            "2026-01-01",
            "2027-01-01",
            "03-02 08:00 1, 03-02 20:00 1, 03-03 08:00 1, 03-03 20:00 1",
        ),
        (
            "take = \"1\"\nat = 08:00\ndays = \"mon, thu\"",
            "2026-03-02",
            "2026-03-10",
            "03-02 08:00 1, 03-05 08:00 1, 03-09 08:00 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"every 3 days\"\nstart = 2026-03-01",
            "2026-03-02",
            "2026-03-10",
            "03-04 08:00 1, 03-07 08:00 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"every 2 weeks on mon, wed\"\nstart = 2026-03-04",
            "2026-03-01",
            "2026-03-20",
            "03-04 08:00 1, 03-16 08:00 1, 03-18 08:00 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"every month\"\nstart = 2026-01-31",
            "2026-01-01",
            "2026-06-01",
            "01-31 08:00 1, 02-28 08:00 1, 03-31 08:00 1, 04-30 08:00 1, 05-31 08:00 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"1st, 15th of the month\"",
            "2026-03-02",
            "2026-04-02",
            "03-15 08:00 1, 04-01 08:00 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"每月最后一天\"",
            "2026-02-02",
            "2026-04-02",
            "02-28 08:00 1, 03-31 08:00 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"2 on, 3 off\"\nstart = 2026-03-01",
            "2026-03-01",
            "2026-03-12",
            "03-01 08:00 1, 03-02 08:00 1, 03-06 08:00 1, 03-07 08:00 1, 03-11 08:00 1",
        ),
        (
            "at = \"18:00\"\ntake = { \"mon, wed, fri\" = \"5 mg\", \"tue, thu, sat, sun\" = \"2.5 mg\" }",
            "2026-03-02",
            "2026-03-05",
            "03-02 18:00 5 mg, 03-03 18:00 2.5 mg, 03-04 18:00 5 mg",
        ),
        (
            "take = { \"08:00\" = \"10 units\", \"bedtime\" = \"16 units\" }",
            "2026-03-02",
            "2026-03-03",
            "03-02 08:00 10 units, 03-02 22:00 16 units",
        ),
        (
            "at = \"morning\"\nstart = 2026-03-02\nsteps = [\"40 mg for 2 days\", \"20 mg for 1 day\", \"10 mg\"]\nend = 2026-03-06",
            "2026-01-01",
            "2027-01-01",
            "03-02 08:00 40 mg, 03-03 08:00 40 mg, 03-04 08:00 20 mg, 03-05 08:00 10 mg, 03-06 08:00 10 mg",
        ),
        (
            "at = \"08:00, 20:00\"\nstart = 2026-03-02\nsteps = [\"500 mg once\", \"250 mg for 1 day\"]",
            "2026-01-01",
            "2027-01-01",
            "03-02 08:00 500 mg, 03-02 20:00 250 mg, 03-03 08:00 250 mg",
        ),
        (
            "take = \"1 g\"\nevery = \"8 hours\"\nfirst = 2026-03-02T06:00:00\nfor = \"1 day\"",
            "2026-01-01",
            "2027-01-01",
            "03-02 06:00 1 g, 03-02 14:00 1 g, 03-02 22:00 1 g",
        ),
        (
            "take = \"1\"\nevery = \"6 hours after the last dose\"\nstart = 2026-03-02T06:00:00\ndoses = 3",
            "2026-01-01",
            "2027-01-01",
            "03-02 06:00 1, 03-02 12:00 1, 03-02 18:00 1",
        ),
        (
            "take = \"1\"\nevery = \"3 hours\"\nbetween = \"07:00-13:30\"",
            "2026-03-02",
            "2026-03-03",
            "03-02 07:00 1, 03-02 10:00 1, 03-02 13:00 1",
        ),
        (
            "take = \"1\"\nonce = [2026-03-05T10:00:00, 2026-03-02T09:30:00]",
            "2026-01-01",
            "2027-01-01",
            "03-02 09:30 1, 03-05 10:00 1",
        ),
        (
            "scheme = \"1-0-½-0\"\nunit = \"tablet\"",
            "2026-03-02",
            "2026-03-03",
            "03-02 08:00 1 tablet, 03-02 18:00 ½ tablet",
        ),
        (
            "scheme = \"1-1-0-2\"\nunit = \"片\"",
            "2026-03-02",
            "2026-03-03",
            "03-02 08:00 1片, 03-02 12:00 1片, 03-02 22:00 2片",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 2026-04-09\ndoses = 3\npauses = [\"off 2026-04-10, back on 2026-04-13\"]",
            "2026-01-01",
            "2027-01-01",
            "04-09 08:00 1, 04-13 08:00 1, 04-14 08:00 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 2026-04-09\nfor = \"5 days\"\npauses = [\"off 2026-04-10, back on 2026-04-13\"]",
            "2026-01-01",
            "2027-01-01",
            "04-09 08:00 1, 04-13 08:00 1",
        ),
        (
            "take = \"1\"\nat = \"08:00, 20:00\"\nstart = 2026-03-02T12:00:00\nend = 2026-03-03T20:00:00",
            "2026-01-01",
            "2027-01-01",
            "03-02 20:00 1, 03-03 08:00 1, 03-03 20:00 1",
        ),
        (
            "take = \"as directed\"\nat = \"noon\"",
            "2026-03-02",
            "2026-03-03",
            "03-02 12:00",
        ),
        (
            "take = \"1\"\nas_needed = \"headache\"\nat_most = \"3 in 24 hours\"\napart = \"6 hours\"",
            "2026-01-01",
            "2027-01-01",
            "",
        ),
    ] {
        assert_eq!(
            doses(&medication(lines), from, until).join(", "),
            expected,
            "{lines}"
        );
    }
}

#[test]
fn a_time_before_midnight_belongs_to_the_day_of_its_meal() {
    let text = format!(
        "[day]\nbreakfast = \"00:10\"\n{}",
        medication("take = \"1\"\nat = \"before breakfast\"\nstart = 2026-03-02\nfor = \"2 days\"")
    );
    assert_eq!(
        doses(&text, "2026-02-01", "2026-04-01").join(", "),
        "03-01 23:40 1, 03-02 23:40 1"
    );
}

#[test]
fn over_dst_clock_times_keep_the_clock_and_distances_the_time() {
    let zone = "timezone = \"Europe/Berlin\"\n";
    let clock = format!(
        "{zone}{}",
        medication("take = \"1\"\nat = \"02:30, 03:30\"")
    );
    // The gap on 29 March 2026: 02:30 moves to 03:30, and the two are one dose.
    assert_eq!(
        doses(&clock, "2026-03-28T12:00", "2026-03-30T03:00").join(", "),
        "03-29 03:30 1, 03-30 02:30 1"
    );
    let amounts = format!(
        "{zone}{}",
        medication("take = { \"02:30\" = \"1 mg\", \"03:30\" = \"2 mg\" }")
    );
    assert_eq!(
        doses(&amounts, "2026-03-29", "2026-03-30").join(", "),
        "03-29 03:30 1 mg + 2 mg"
    );
    let every = format!(
        "{zone}{}",
        medication("take = \"1\"\nevery = \"12 hours\"\nfirst = 2026-03-28T08:00:00")
    );
    assert_eq!(
        doses(&every, "2026-03-28", "2026-03-30").join(", "),
        "03-28 08:00 1, 03-28 20:00 1, 03-29 09:00 1, 03-29 21:00 1"
    );
}

#[test]
fn windows_follow_the_actual_gaps() {
    for (lines, window_minutes, on_time_minutes) in [
        ("at = \"08:00\"", 360, 120),
        ("at = \"08:00, 20:00\"", 360, 60),
        ("at = \"08:00, 12:00, 16:00, 20:00\"", 120, 30),
        ("at = \"08:00\"\ncritical = true", 120, 30),
        ("at = \"08:00\"\ndays = \"mon\"", 1440, 120),
        ("at = \"08:00\"\ndays = \"1st of the month\"", 2880, 120),
        ("once = 2026-04-01T08:00:00", 2880, 120),
        ("at = \"08:00\"\nwindow = \"90 min\"", 90, 90),
        ("at = \"08:00, 09:00\"\nwindow = \"90 min\"", 60, 30),
        // The last of a course looks back.
        (
            "at = \"08:00, 20:00\"\nstart = 2026-04-01\ndoses = 2",
            360,
            60,
        ),
        (
            "at = \"20:00\"\nstart = 2026-03-31\nend = 2026-04-01",
            360,
            120,
        ),
    ] {
        let plan = plan_of(&medication(&format!("take = \"1\"\n{lines}")));
        let from = "2026-03-31T18:00:00Z".parse().unwrap();
        let dose = plan.doses_from(&plan.medications[0], from).next().unwrap();
        let minutes = |until: Timestamp| until.duration_since(dose.due).as_mins();
        assert_eq!(
            (minutes(dose.window_ends), minutes(dose.on_time_until)),
            (window_minutes, on_time_minutes),
            "{lines}"
        );
    }
}

#[test]
fn comments_order_of_keys_and_spelling_do_not_change_the_meaning() {
    let a = plan_of("[[medication]]\nname = \"M\"\ntake = \"1 tablet\"\nat = \"08:00, 20:00\"\n");
    let b =
        plan_of("# a\n[[medication]]\nat = [\"20:00\", 08:00]\ntake = \"1 tablet\"\nname = 'M'\n");
    assert_eq!(a.meaning_hash(), b.meaning_hash());
    let c = plan_of("[[medication]]\nname = \"M\"\ntake = \"2 tablets\"\nat = \"08:00, 20:00\"\n");
    assert_ne!(a.meaning_hash(), c.meaning_hash());
    let bytes = postcard::to_stdvec(&a).unwrap();
    assert_eq!(postcard::from_bytes::<ResolvedPlan>(&bytes).unwrap(), a);
}

fn warnings(text: &str) -> Vec<String> {
    let source = Source::new("p.toml", format!("name = \"x\"\n{text}"));
    let read = read(&source, &defaults()).unwrap();
    let show = |found: &Diagnostic| format!("{} {}", found.position().line, found.message());
    read.warnings.iter().map(show).collect()
}

#[test]
fn what_may_not_be_meant_is_doubted_where_it_stands() {
    for (text, expected) in [
        (
            medication("take = \"1\"\nat = \"08:00, 08:30\""),
            "5 two doses of M are closer than an hour: 08:00 and 08:30",
        ),
        (
            medication("take = \"1\"\nevery = \"30 minutes\"\nbetween = \"07:00-09:00\""),
            "",
        ),
        (
            format!(
                "quiet_hours = \"21:30-07:00\"\n{}",
                medication("take = \"1\"\nat = \"bedtime\"")
            ),
            "6 the dose of M at 22:00 is in the patient's quiet hours; it will not wait",
        ),
        (
            medication(
                "take = \"1\"\nat = \"08:00\"\ndays = \"mon\"\nstart = 2026-03-03\nend = 2026-03-05",
            ),
            "5 M falls on no day at all",
        ),
        (
            medication(
                "take = { \"mon\" = \"1\", \"tue\" = \"2\" }\nat = \"08:00\"\nstart = 2026-03-03\nend = 2026-03-05",
            ),
            "5 a part of M falls on no day at all",
        ),
        (
            medication("take = \"1\"\nat = \"08:00\"\nstart = 2026-02-01\nfor = \"7 days\""),
            "3 every medication of this plan has ended",
        ),
        (
            medication("take = \"1\"\nat = \"08:00\"\nstart = 2027-02-01\nfor = \"7 days\""),
            "",
        ),
        (medication("take = \"1\"\nat = \"08:00, 20:00\""), ""),
        (
            medication("take = \"1\"\nevery = \"6 hours after the last dose\""),
            "",
        ),
        (
            medication(
                "take = \"1\"\nonce = [2026-03-10T08:00:00, 2026-04-01T08:00:00]\nend = 2026-03-20",
            ),
            "5 M is not due at 2026-04-01 08:00: its start, end or a pause forbids it",
        ),
        (
            medication(
                "take = \"1\"\nat = \"08:00\"\nstart = 2026-03-02\npauses = [\"off 2025-04-10, back on 2025-04-13\"]",
            ),
            "5 the pause of M from 2025-04-10 to 2025-04-13 leaves no dose out",
        ),
        (
            medication(
                "take = \"1\"\nat = \"08:00\"\nstart = 2026-03-02\npauses = [\"off 2026-04-10, back on 2026-04-13\"]",
            ),
            "",
        ),
        (
            "timezone = \"EST\"\n".to_owned(),
            "2 `EST` is the same all year: it has no summer time",
        ),
        (
            "timezone = \"Etc/GMT+8\"\n".to_owned(),
            "2 `Etc/GMT+8` lies west of Greenwich, in spite of its sign",
        ),
        ("timezone = \"Etc/GMT\"\n".to_owned(), ""),
    ] {
        assert_eq!(warnings(&text).join("; "), expected, "{text}");
    }
}

#[test]
fn a_distance_after_the_last_dose_without_a_first_waits_for_it() {
    let plan = plan_of(&medication(
        "take = \"1\"\nevery = \"6 hours after the last dose\"\ndoses = 3\nstart = 2026-03-02T06:00:00",
    ));
    assert!(!plan.medications[0].schedule.needs_anchor());
    let plan = plan_of(&medication(
        "take = \"1\"\nevery = \"6 hours after the last dose\"",
    ));
    let open = &plan.medications[0];
    assert!(open.schedule.needs_anchor() && open.is_interval());
    let now = "2026-03-02T00:00:00Z".parse().unwrap();
    assert_eq!(plan.doses_from(open, now).count(), 0);
    let anchored = open.schedule.anchored(now);
    let next: Vec<_> = anchored
        .occurrences(&plan.zone, now)
        .take(2)
        .map(|found| found.at)
        .collect();
    assert_eq!(next, [now, now + SignedDuration::from_hours(6)]);
}

#[test]
fn on_a_trip_each_slot_comes_once_a_local_date_and_distances_stay() {
    let away = "[[away]]\nfrom = 2026-04-10\nuntil = 2026-04-11\ntimezone = \"Europe/Berlin\"\n";
    let clock = format!(
        "{away}{}",
        medication("take = \"1\"\nat = \"08:00, 20:00\"")
    );
    // In the patient's local time: as at home, and each once.
    assert_eq!(
        doses(&clock, "2026-04-09T12:00", "2026-04-12T12:00").join(", "),
        "04-09 20:00 1, 04-10 08:00 1, 04-10 20:00 1, 04-11 08:00 1, 04-11 20:00 1, 04-12 08:00 1"
    );
    let plan = plan_of(&clock);
    let from = "2026-04-09T00:00:00Z".parse().unwrap();
    let due: Vec<String> = plan
        .doses_from(&plan.medications[0], from)
        .take(7)
        .map(|dose| dose.due.to_string())
        .collect();
    assert_eq!(
        due,
        [
            "2026-04-09T00:00:00Z",
            "2026-04-09T12:00:00Z",
            "2026-04-10T06:00:00Z",
            "2026-04-10T18:00:00Z",
            "2026-04-11T06:00:00Z",
            "2026-04-11T18:00:00Z",
            "2026-04-12T00:00:00Z",
        ]
    );
    let distance = "take = \"1\"\nevery = \"12 hours\"\nfirst = 2026-04-09T08:00:00\ndoses = 8";
    let home = plan_of(&medication(distance));
    let abroad = plan_of(&format!("{away}{}", medication(distance)));
    assert_eq!(home.medications[0].schedule, abroad.medications[0].schedule);
    assert_ne!(home.meaning_hash(), abroad.meaning_hash());
}

#[test]
fn a_stock_that_cannot_be_counted_down_is_named() {
    for (take, stock, why) in [
        ("1 tablet", "60 tablets", None),
        ("1片", "60 tablets", None),
        ("1", "60", None),
        (
            "5 mg",
            "60 tablets",
            Some("\"5 mg\" is not said in tablets"),
        ),
        ("as directed", "60 tablets", Some("has no number")),
    ] {
        let text = format!(
            "[[medication]]\nname = \"B\"\ntake = \"{take}\"\nat = \"08:00\"\n\
             stock = \"{stock} on 2026-03-01\"\nrefill_when = \"7 days left\"\n"
        );
        let found = warnings(&text).join("\n");
        match why {
            None => assert_eq!(found, "", "{take} of {stock}"),
            Some(why) => assert!(found.contains(why), "{take} of {stock}: {found}"),
        }
    }
}
