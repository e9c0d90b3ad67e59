//! The examples of `docs/plans.md` and `docs/fhir.md` give what stands under them, and every form
//! of the tables of plans is read, the Chinese ones to the same meaning as the English ones.

use dosed::plan::diagnostic::{Diagnostic, Source};
use dosed::plan::{Day, Defaults, Language, ReadPlan, Zone, read};
use jiff::Timestamp;

const DOCUMENT: &str = include_str!("../docs/plans.md");
const FHIR: &str = include_str!("../docs/fhir.md");

fn read_plan(text: &str) -> Result<ReadPlan, Vec<Diagnostic>> {
    let zone = Zone::get("Asia/Shanghai").unwrap();
    let defaults = Defaults {
        now: Some(midnight(&zone)),
        zone,
        language: Language::ZhCn,
        quiet_hours: None,
        day: Day::default(),
    };
    let named = text.starts_with("name") || text.contains("\nname = \"王秀兰\"");
    let text = if named {
        text.to_owned()
    } else {
        format!("name = \"x\"\n{text}")
    };
    read(&Source::new("example.toml", text), &defaults)
}

fn midnight(zone: &Zone) -> Timestamp {
    zone.instant(jiff::civil::date(2026, 3, 2).at(0, 0, 0, 0))
}

/// The fenced blocks: their info string and their text.
fn blocks(document: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut blocks = Vec::new();
    let mut rest = document;
    while let Some(open) = rest.find("```") {
        let after = &rest[open + 3..];
        let (info, body) = after.split_once('\n').unwrap();
        let close = body.find("```").unwrap();
        blocks.push((info, &body[..close]));
        rest = &body[close + 3..];
    }
    blocks
}

#[test]
fn examples_give_what_stands_under_them() {
    let blocks = blocks(DOCUMENT);
    let pairs = blocks.windows(2).filter(|pair| pair[0].0 == "toml");
    let mut count = 0;
    for pair in pairs {
        let (text, (info, expected)) = (pair[0].1, pair[1]);
        assert_eq!(info, "text", "an example says what it gives:\n{text}");
        let read = read_plan(text).unwrap_or_else(|found| panic!("{text}\n{found:?}"));
        let doubts: Vec<_> = read
            .warnings
            .iter()
            .filter(|warning| !warning.message().contains("is not supported yet"))
            .collect();
        assert!(doubts.is_empty(), "{text}\n{doubts:?}");
        let zone = &read.plan.zone;
        let from = midnight(zone);
        let until = from + jiff::SignedDuration::from_hours(24 * 60);
        let due = read.plan.due_between(&read.places, from, until, None);
        let lines: Vec<String> = due
            .iter()
            .take(expected.lines().count())
            .map(|due| {
                let at = zone.local(due.at).strftime("%Y-%m-%d %a %H:%M");
                let dose = due.dose.as_deref().unwrap_or_default();
                format!("{at} {} {dose}", due.name).trim_end().to_owned()
            })
            .collect();
        assert_eq!(lines.join("\n"), expected.trim_end(), "{text}");
        count += 1;
    }
    assert!(count >= 9, "only {count} examples");
}

#[test]
fn refused_examples_are_refused_with_these_words() {
    let blocks = blocks(DOCUMENT);
    let pairs: Vec<_> = blocks
        .windows(2)
        .filter(|pair| pair[0].0 == "toml refused")
        .collect();
    assert!(pairs.len() >= 4);
    for pair in pairs {
        let found = read_plan(pair[0].1).unwrap_err();
        let said: Vec<&str> = found
            .iter()
            .flat_map(|found| [found.message(), found.help().unwrap_or_default()])
            .collect();
        assert_eq!(said, pair[1].1.lines().collect::<Vec<_>>());
    }
}

/// A plan in which the key has the value, with all that the key needs around it.
fn around(key: &str, value: &str) -> String {
    let line = format!("{key} = {value}\n");
    let medication = "[[medication]]\nname = \"M\"\n";
    let check_in = "[[check_in]]\nask = \"Q\"\nat = \"08:00\"\n";
    match key {
        "at" | "att" => format!("{medication}take = \"1\"\n{line}"),
        "take" => format!("{medication}at = \"08:00\"\n{line}"),
        "steps" => format!("{medication}at = \"08:00\"\nstart = 2026-03-02\n{line}"),
        "every" => format!("{medication}take = \"1\"\nfirst = 2026-03-02T06:00:00\n{line}"),
        "at_most" => format!("{medication}take = \"1\"\nas_needed = \"pain\"\n{line}"),
        "refill_when" => {
            format!(
                "{medication}take = \"1\"\nat = \"08:00\"\nstock = \"60 on 2026-03-01\"\n{line}"
            )
        }
        "answer" => format!("{check_in}{line}"),
        "alert_if" if value.contains("16") => {
            format!("{check_in}answer = \"blood pressure\"\n{line}")
        }
        "alert_if" => format!("{check_in}answer = \"temperature\"\n{line}"),
        "tell" => format!("[[caregiver]]\nname = \"C\"\nrelation = \"son\"\n{line}"),
        _ => format!("{medication}take = \"1\"\nat = \"08:00\"\nstart = 2026-03-02\n{line}"),
    }
}

#[test]
fn every_form_of_the_tables_is_read_alike_in_both_languages() {
    let mut count = 0;
    for cells in rows("| key | English | Chinese |") {
        let [key, english, chinese, ..] = cells[..] else {
            panic!("{cells:?}")
        };
        let plan = |cell: &str| {
            let text = around(key.trim_matches('`'), cell.trim_matches('`'));
            read_plan(&text)
                .unwrap_or_else(|found| panic!("{text}\n{found:?}"))
                .plan
        };
        let (mut one, mut other) = (plan(english), plan(chinese));
        // Words that are kept as they are written differ; what they mean must not.
        let words = |plan: &mut dosed::plan::ResolvedPlan| {
            for medication in &mut plan.medications {
                medication.amounts.iter_mut().for_each(|amount| {
                    *amount = dosed::plan::thousandths(amount)
                        .map(|n| n.to_string())
                        .unwrap_or_default();
                });
                medication
                    .stock
                    .iter_mut()
                    .for_each(|stock| stock.unit.clear());
            }
            for check_in in &mut plan.check_ins {
                if let dosed::plan::AnswerType::OneOf(words) = &mut check_in.answer {
                    words.iter_mut().for_each(String::clear);
                }
            }
        };
        words(&mut one);
        words(&mut other);
        assert_eq!(one, other, "{cells:?}");
        count += 1;
    }
    assert!(count > 45, "only {count} rows");
}

/// What each line of the table of refusals says is what is said, at the line that it writes.
#[test]
fn every_refusal_of_the_table_is_refused_with_these_words() {
    let mut count = 0;
    for cells in rows("| written | because | write |") {
        let [written, because, write] = cells[..] else {
            panic!("{cells:?}")
        };
        let (key, value) = written
            .trim_matches('`')
            .split_once(" = ")
            .expect("a key and its value");
        let text = around(key, value);
        let found = read_plan(&text).expect_err(&text);
        let [found] = &found[..] else {
            panic!("{text}\n{found:?}")
        };
        assert_eq!(found.message(), because, "{text}");
        assert_eq!(found.help(), Some(&*format!("write: {write}")), "{text}");
        // The name of the patient stands before the text.
        let line = 2 + text
            .lines()
            .position(|line| line.starts_with(key))
            .expect("it is there");
        assert_eq!(found.position().line, line, "{text}");
        count += 1;
    }
    assert!(count > 25, "only {count} rows");
}

/// What each key needs around it, so that its example is a plan.
fn around_key(heading: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = {value}\n");
    let table = |table: &str, others: &[(&str, &str)]| {
        let others = others.iter().filter(|(other, _)| *other != key);
        let others: Vec<String> = others
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        let others = others.concat();
        format!("[[{table}]]\n{others}{line}")
    };
    let medication =
        |others: &[(&str, &str)]| table("medication", &[&[("name", "\"M\"")], others].concat());
    let take = ("take", "\"1 tablet\"");
    let at = ("at", "\"08:00\"");
    let start = ("start", "2026-03-02");
    match (heading, key) {
        ("Patient", "name") => line,
        ("Patient", _) => format!("name = \"x\"\n{line}"),
        ("Day", _) => format!("[day]\n{line}"),
        ("Medication", "every") => medication(&[take, ("first", "2026-03-02T06:00:00")]),
        ("Medication", "first") => medication(&[take, ("every", "\"8 hours\"")]),
        ("Medication", "between") => medication(&[take, ("every", "\"3 hours\"")]),
        ("Medication", "once") => medication(&[take]),
        ("Medication", "as_needed" | "at_most" | "apart") => {
            medication(&[take, ("as_needed", "\"pain\"")])
        }
        ("Medication", "scheme" | "unit") => {
            medication(&[("scheme", "\"1-0-1\""), ("unit", "\"mg\"")])
        }
        ("Medication", "steps") => medication(&[at, start]),
        ("Medication", "refill_when") => {
            medication(&[take, at, ("stock", "\"60 tablets on 2026-03-01\"")])
        }
        ("Medication", _) => medication(&[take, at, start]),
        ("Check-in", _) => table(
            "check_in",
            &[("ask", "\"Q\""), ("answer", "\"scale 1 to 5\""), at],
        ),
        ("Caregiver", _) => table("caregiver", &[("name", "\"C\""), ("relation", "\"son\"")]),
        ("Appointment", _) => table(
            "appointment",
            &[("what", "\"W\""), ("at", "2026-03-10T09:00:00")],
        ),
        ("Away", _) => {
            let zone = ("timezone", "\"Europe/Berlin\"");
            table(
                "away",
                &[("from", "2026-03-05"), ("until", "2026-03-08"), zone],
            )
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_of_every_key_is_read() {
    let (_, section) = DOCUMENT
        .split_once("\n## Every key\n")
        .expect("there is the section");
    let mut count = 0;
    for part in section.split("\n### ").skip(1) {
        let (heading, table) = part.split_once('\n').expect("a heading has a table");
        for cells in rows_in(table, "| key | example | says |") {
            let text = around_key(
                heading,
                cells[0].trim_matches('`'),
                cells[1].trim_matches('`'),
            );
            let read = read_plan(&text).unwrap_or_else(|found| panic!("{text}\n{found:?}"));
            let doubts: Vec<_> = read
                .warnings
                .iter()
                .filter(|warning| !warning.message().contains("is not supported yet"))
                .collect();
            assert!(doubts.is_empty(), "{text}\n{doubts:?}");
            count += 1;
        }
    }
    assert!(count > 60, "only {count} keys");
}

/// The rows of the document's tables that have this head.
fn rows(head: &str) -> Vec<Vec<&'static str>> {
    rows_in(DOCUMENT, head)
}

fn rows_in(text: &'static str, head: &str) -> Vec<Vec<&'static str>> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if inside && line.starts_with("| ") {
            let cells = line.trim_start_matches("| ").trim_end_matches('|');
            rows.push(cells.split(" | ").map(str::trim).collect());
        } else {
            inside = line.starts_with(head) || (inside && line.starts_with("|---"));
        }
    }
    rows
}

/// Runs the binary on a file; stdout and stderr.
fn dosed(arguments: &[&str], directory: &std::path::Path) -> (String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(arguments)
        .args(["--timezone", "Asia/Shanghai"])
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .output()
        .expect("the built binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    (text(output.stdout), text(output.stderr))
}

#[test]
fn fhir_examples_give_what_stands_under_them() {
    let mut request = None;
    let mut count = 0;
    for (info, body) in blocks(FHIR) {
        // How the exports are called: nothing is read there.
        if info == "sh" {
            continue;
        }
        if info == "json" {
            assert!(request.is_none(), "a request says what comes of it");
            request = Some(body);
            continue;
        }
        let text = request.expect("an answer follows a request");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        std::fs::write(path.join("request.json"), text).expect("a file can be made");
        let preview = [
            "preview",
            "--fhir",
            "request.json",
            "--from",
            "2026-03-02",
            "--days",
            "2",
        ];
        let import = ["import", "fhir", "request.json", "--out", "plans"];
        let given = match info {
            "text preview" => dosed(&preview, path).0,
            "text said" => dosed(&preview, path).1,
            "toml import" => {
                dosed(&import, path);
                std::fs::read_to_string(path.join("plans/wang-xiulan.toml"))
                    .expect("the plan has the name that the text says")
            }
            "text import said" => {
                let said = dosed(&import, path).1;
                let (first, _) = said.split_once('\n').expect("a line is said");
                format!("{first}\n")
            }
            other => panic!("nobody knows what `{other}` is"),
        };
        assert_eq!(given, body, "{text}");
        count += 1;
        // The plan stands under what was previewed.
        if info != "text preview" {
            request = None;
        }
    }
    assert!(count >= 6 && request.is_none(), "{count}");
}
