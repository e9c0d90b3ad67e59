//! `dosed preview` and `dosed explain` as a person runs them.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PLAN: &str = r#"
name = "王秀兰"
timezone = "Asia/Shanghai"

[[medication]]
name = "Warfarin"
take = "5 mg"
at = "18:00"
critical = true

[[check_in]]
ask = "How are you?"
answer = "yes or no"
at = "18:00"

[[medication]]
name = "Metformin 500 mg"
id = "metformin"
take = "1 tablet"
at = "with dinner"

[[appointment]]
what = "Blood test"
at = 2026-03-03T09:00:00
"#;

fn dosed(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("TZ")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn json_lines_have_all_fields_in_the_order_of_instants_patients_and_text() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("wang-xiulan.toml"), PLAN).unwrap();
    fs::write(
        directory.path().join("anna.toml"),
        "name = \"Anna\"\ntimezone = \"Europe/Berlin\"\n[[medication]]\nname = \"A\"\ntake = \"as directed\"\nat = \"11:00\"\n",
    )
    .unwrap();
    let arguments = [
        "preview",
        "--json",
        "--from",
        "2026-03-02",
        "--days",
        "1",
        "--timezone",
        "Asia/Shanghai",
        ".",
    ];
    let output = dosed(directory.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = [
        r#"{"at":"2026-03-02T09:00:00+08:00","patient":"wang-xiulan","kind":"appointment","id":"Blood test","name":"Blood test","dose":null,"window_ends":"2026-03-03T09:00:00+08:00","class":"notice"}"#,
        r#"{"at":"2026-03-02T11:00:00+01:00","patient":"anna","kind":"dose","id":"A","name":"A","dose":"","window_ends":"2026-03-02T17:00:00+01:00","class":"dose"}"#,
        r#"{"at":"2026-03-02T18:00:00+08:00","patient":"wang-xiulan","kind":"dose","id":"Warfarin","name":"Warfarin","dose":"5 mg","window_ends":"2026-03-02T20:00:00+08:00","class":"critical"}"#,
        r#"{"at":"2026-03-02T18:00:00+08:00","patient":"wang-xiulan","kind":"check_in","id":"How are you?","name":"How are you?","dose":null,"window_ends":"2026-03-03T18:00:00+08:00","class":"check_in"}"#,
        r#"{"at":"2026-03-02T18:30:00+08:00","patient":"wang-xiulan","kind":"dose","id":"metformin","name":"Metformin 500 mg","dose":"1 tablet","window_ends":"2026-03-03T00:30:00+08:00","class":"dose"}"#,
    ];
    let expected: Vec<Value> = expected
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // 11:00 in Berlin is 18:00 in Shanghai: of one instant the patients stand in their order.
    assert_eq!(lines(&output), expected);
    let one = dosed(
        directory.path(),
        &[&arguments[..], &["--patient", "anna"]].concat(),
    );
    assert_eq!(lines(&one).len(), 1);
}

#[test]
fn the_span_is_half_open_and_local_to_the_patient() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("p.toml"), PLAN).unwrap();
    let count = |from: &str, until: &str| {
        let output = dosed(
            directory.path(),
            &["preview", "p.toml", "--from", from, "--until", until],
        );
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).lines().count()
    };
    assert_eq!(count("2026-03-05T18:00", "2026-03-05T18:30"), 2);
    assert_eq!(count("2026-03-05T18:00", "2026-03-05T18:30:01"), 3);
    assert_eq!(count("2026-03-05T18:00:01", "2026-03-05T18:30"), 0);
    assert_eq!(
        count("2026-03-05T10:00:00Z", "2026-03-05T18:00:00+08:00"),
        0
    );
    assert_eq!(count("2026-03-05T10:00:00Z", "2026-03-06"), 3);
    let backwards = dosed(
        directory.path(),
        &[
            "preview",
            "p.toml",
            "--from",
            "2026-03-05",
            "--until",
            "2026-03-04",
        ],
    );
    assert_eq!(backwards.status.code(), Some(64));
}

#[test]
fn a_start_and_a_day_map_may_be_given_from_outside() {
    let directory = tempfile::tempdir().unwrap();
    let plan = "name = \"x\"\n[day]\nbedtime = \"21:00\"\n[[medication]]\nname = \"A\"\ntake = \"1\"\nat = \"morning, bedtime\"\n\
                [[medication]]\nname = \"B\"\ntake = \"1\"\nevery = \"10 hours after the last dose\"\n\
                [[medication]]\nname = \"C\"\ntake = \"1\"\nonce = 2026-03-02T09:00:00\n";
    fs::write(directory.path().join("p.toml"), plan).unwrap();
    fs::write(
        directory.path().join("day.toml"),
        "morning = \"06:30\"\nbedtime = \"23:00\"\n",
    )
    .unwrap();
    fs::write(
        directory.path().join("table.toml"),
        "[day]\nmorning = \"06:30\"\n",
    )
    .unwrap();
    let show = |more: &[&str]| {
        let base = [
            "preview",
            "p.toml",
            "--timezone",
            "Europe/Berlin",
            "--from",
            "2026-03-02",
            "--days",
            "1",
        ];
        let output = dosed(directory.path(), &[&base[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        text.lines()
            .map(|line| format!("{} {}", &line[15..20], &line[25..26]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(
        show(&[]),
        "00:00 B, 08:00 A, 09:00 C, 10:00 B, 20:00 B, 21:00 A"
    );
    assert_eq!(
        show(&["--start", "2026-03-02T12:00"]),
        "12:00 B, 21:00 A, 22:00 B"
    );
    assert_eq!(
        show(&["--day", "day.toml"]),
        "00:00 B, 06:30 A, 09:00 C, 10:00 B, 20:00 B, 21:00 A"
    );
    assert_eq!(
        show(&["--day", "table.toml"]),
        "00:00 B, 06:30 A, 09:00 C, 10:00 B, 20:00 B, 21:00 A"
    );
}

#[test]
fn one_bad_plan_does_not_hide_the_others() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("good.toml"), PLAN).unwrap();
    fs::write(
        directory.path().join("bad.toml"),
        "name = \"x\"\nnmae = 1\n",
    )
    .unwrap();
    for command in ["preview", "explain"] {
        let output = dosed(directory.path(), &[command, "."]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("bad.toml:2:1: error: unknown key `nmae`"),
            "{}",
            stderr(&output)
        );
        assert!(stdout(&output).contains("Warfarin"));
    }
}

#[test]
fn what_cannot_be_done_has_its_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("p.toml"), PLAN).unwrap();
    for (arguments, code) in [
        (&["preview"][..], 64),
        (&["preview", "absent.toml"], 66),
        (&["preview", "--config", "absent.toml"], 66),
        (&["preview", "p.toml", "--day", "absent.toml"], 66),
        (&["preview", "p.toml", "--from", "tomorrow"], 64),
        (&["preview", "p.toml", "--days", "0"], 64),
        (&["preview", "p.toml", "--timezone", "Asia/Peking"], 64),
        (&["explain"], 64),
        (&["explain", "absent.toml"], 66),
    ] {
        let output = dosed(directory.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}\n{}",
            stderr(&output)
        );
        assert!(!stderr(&output).is_empty());
    }
}

#[test]
fn explain_says_the_plan_in_the_language_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("wang-xiulan.toml"), PLAN).unwrap();
    let chinese = stdout(&dosed(directory.path(), &["explain", "wang-xiulan.toml"]));
    assert!(
        chinese.contains("- Warfarin：每天 18:00 服 5 mg，须准时。"),
        "{chinese}"
    );
    assert!(chinese.contains("接下来的提醒："));
    let english = stdout(&dosed(
        directory.path(),
        &["explain", "--language", "en", "wang-xiulan.toml"],
    ));
    assert!(
        english.contains("- Warfarin: every day at 18:00 take 5 mg, time-critical."),
        "{english}"
    );
    let reminders = english.split("Next reminders:").nth(1).unwrap();
    assert_eq!(
        reminders
            .lines()
            .filter(|line| line.starts_with("  "))
            .count(),
        10
    );
    assert!(
        reminders.contains("Warfarin 5 mg, How are you?"),
        "one reminder for one instant"
    );
}

#[test]
fn a_configuration_gives_its_plans_and_what_they_inherit() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("plans.d")).unwrap();
    let plan = "name = \"x\"\n[[medication]]\nname = \"A\"\ntake = \"1\"\nat = \"morning\"\n";
    fs::write(directory.path().join("plans.d/file.toml"), plan).unwrap();
    let config = "[clinic]\nname = \"C\"\ntimezone = \"Asia/Tokyo\"\n[clinic.day]\nmorning = \"07:15\"\n\
                  [patients.inline]\nname = \"y\"\n[[patients.inline.medication]]\nname = \"B\"\ntake = \"1\"\nat = \"noon\"\n";
    fs::write(directory.path().join("dosed.toml"), config).unwrap();
    let output = dosed(
        directory.path(),
        &[
            "preview",
            "--config",
            "dosed.toml",
            "--from",
            "2026-03-02",
            "--days",
            "1",
            "--json",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let at: Vec<Value> = lines(&output)
        .iter()
        .map(|line| line["at"].clone())
        .collect();
    assert_eq!(
        at,
        ["2026-03-02T07:15:00+09:00", "2026-03-02T12:00:00+09:00"]
    );
}
