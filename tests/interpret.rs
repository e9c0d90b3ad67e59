//! What patients' replies are read as: a table of replies, and properties of any.

use dosed::engine::DoseState;
use dosed::engine::interpret::{
    AsNeededItem, DoseAnswer, Interpretation, ItemKind, OpenItem, Reading, RecentDose, Reply,
    Value, interpret,
};
use dosed::plan::{Language, answer_type};
use jiff::{Timestamp, Zoned, tz};
use std::fmt::Write as _;

const TABLES: [(&str, &str); 3] = [
    ("replies.txt", include_str!("interpret/replies.txt")),
    ("fresh.txt", include_str!("interpret/fresh.txt")),
    ("beside.txt", include_str!("interpret/beside.txt")),
];

/// What is known when a reply comes.
#[derive(Clone, Debug)]
struct Context {
    name: String,
    now: Zoned,
    red_flags: Vec<String>,
    open: Vec<OpenItem>,
    recent: Vec<RecentDose>,
    as_needed: Vec<AsNeededItem>,
    asked_which: Option<DoseAnswer>,
}

impl Context {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            now: Timestamp::UNIX_EPOCH.to_zoned(tz::TimeZone::UTC),
            red_flags: Vec::new(),
            open: Vec::new(),
            recent: Vec::new(),
            as_needed: Vec::new(),
            asked_which: None,
        }
    }

    fn read(&self, text: &str) -> Interpretation {
        interpret(&Reply {
            now: &self.now,
            language: Language::ZhCn,
            text,
            red_flags: &self.red_flags,
            open: &self.open,
            recent: &self.recent,
            as_needed: &self.as_needed,
            asked_which: self.asked_which,
        })
    }

    /// "08:00" of the day, "-1 20:00" would be yesterday's: `yesterday 20:00`.
    fn at(&self, time: &str) -> Timestamp {
        let (date, time) = match time.strip_prefix('-') {
            Some(time) => (self.now.date().yesterday().unwrap(), time),
            None => (self.now.date(), time),
        };
        let time: jiff::civil::Time = format!("{time}:00").parse().unwrap();
        date.to_datetime(time)
            .to_zoned(self.now.time_zone().clone())
            .unwrap()
            .timestamp()
    }

    /// One line of what is known; false if it is none.
    fn take(&mut self, line: &str) -> bool {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fields: Vec<&str> = rest.split(' ').collect();
        let after = |count: usize| fields[count..].join(" ");
        match word {
            "now" => {
                let offset = &rest[19..];
                let offset: tz::Offset = jiff::fmt::temporal::Pieces::parse(rest)
                    .unwrap()
                    .to_numeric_offset()
                    .expect(offset);
                self.now = rest
                    .parse::<Timestamp>()
                    .unwrap()
                    .to_zoned(offset.to_time_zone());
            }
            "dose" => {
                let whole = after(3);
                let (name, patient) = match whole.split_once(" @ ") {
                    Some((name, patient)) => (name.to_owned(), Some(patient.to_owned())),
                    None => (whole, None),
                };
                self.open.push(OpenItem {
                    reference: fields[0].to_owned(),
                    number: fields[1].parse().unwrap(),
                    kind: ItemKind::Dose,
                    name,
                    at: self.at(fields[2]),
                    patient,
                });
            }
            "check" => {
                let whole = after(3);
                let (answer, name) = whole
                    .split_once(" = ")
                    .expect("check REF N AT ANSWER = QUESTION");
                let (name, patient) = match name.split_once(" @ ") {
                    Some((name, patient)) => (name, Some(patient.to_owned())),
                    None => (name, None),
                };
                self.open.push(OpenItem {
                    reference: fields[0].to_owned(),
                    number: fields[1].parse().unwrap(),
                    kind: ItemKind::CheckIn(answer_type(answer).unwrap()),
                    name: name.to_owned(),
                    at: self.at(fields[2]),
                    patient,
                });
            }
            "recent" => self.recent.push(RecentDose {
                reference: fields[0].to_owned(),
                name: after(3),
                at: self.at(fields[1]),
                state: match fields[2] {
                    "taken" => DoseState::Taken,
                    "skipped" => DoseState::Skipped,
                    "missed" => DoseState::Missed,
                    other => panic!("no state: {other}"),
                },
                patient: None,
            }),
            "need" => self.as_needed.push(AsNeededItem {
                reference: fields[0].to_owned(),
                name: after(1),
            }),
            "flag" => self.red_flags.push(rest.to_owned()),
            "asked" => {
                self.asked_which = Some(
                    *DoseAnswer::ALL
                        .iter()
                        .find(|answer| answer.name() == rest)
                        .expect(rest),
                );
            }
            _ => return false,
        }
        true
    }
}

struct Row {
    table: &'static str,
    line: usize,
    context: usize,
    text: String,
    expected: String,
}

fn tables() -> (Vec<Context>, Vec<Row>) {
    let (mut contexts, mut rows): (Vec<Context>, Vec<Row>) = (Vec::new(), Vec::new());
    for (table, text) in TABLES {
        for (line, content) in (1..).zip(text.lines()) {
            if content.starts_with('#') || content.trim().is_empty() {
                continue;
            }
            if let Some(name) = content.strip_prefix('[').filter(|rest| rest.ends_with(']')) {
                contexts.push(Context::new(&name[..name.len() - 1]));
                continue;
            }
            let context = contexts.last_mut().expect("a block before its rows");
            let Some((text, expected)) = content.rsplit_once(" | ") else {
                assert!(context.take(content), "{table}:{line}: {content}");
                continue;
            };
            let text = if text.starts_with('"') {
                serde_json::from_str(text).unwrap()
            } else {
                text.to_owned()
            };
            rows.push(Row {
                table,
                line,
                context: contexts.len() - 1,
                text,
                expected: expected.trim().to_owned(),
            });
        }
    }
    (contexts, rows)
}

/// An interpretation as the table writes it.
fn shown(found: &Interpretation, now: &Zoned) -> String {
    let mut text = found.reading.name().to_owned();
    for reference in &found.references {
        write!(text, " {reference}").unwrap();
    }
    match &found.reading {
        Reading::Later {
            minutes: Some(minutes),
        } => write!(text, " minutes={minutes}").unwrap(),
        Reading::Skipped {
            reason: Some(reason),
        } => write!(text, " reason={reason}").unwrap(),
        Reading::Taken { taken_at: Some(at) } | Reading::AsNeededTaken { taken_at: Some(at) } => {
            let local = at.to_zoned(now.time_zone().clone());
            let day = if local.date() == now.date() { "" } else { "-" };
            write!(text, " at={day}{}", local.strftime("%H:%M")).unwrap();
        }
        Reading::CheckInValue(value) => {
            let value = match value {
                Value::BloodPressure { upper, lower } => {
                    format!("{{\"upper\":{upper},\"lower\":{lower}}}")
                }
                Value::Number(thousandths) => format!("{}", *thousandths as f64 / 1000.0),
                Value::Bool(value) => value.to_string(),
                Value::Choice(text) | Value::Text(text) => serde_json::to_string(text).unwrap(),
            };
            write!(text, " value={value}").unwrap();
        }
        _ => {}
    }
    text
}

#[test]
fn replies_are_read_as_the_tables_say() {
    let (contexts, rows) = tables();
    let mut wrong = String::new();
    let mut count = 0;
    for row in &rows {
        let context = &contexts[row.context];
        let found = shown(&context.read(&row.text), &context.now);
        if found != row.expected {
            count += 1;
            writeln!(
                wrong,
                "{}:{}: [{}] {:?}: {found}, not {}",
                row.table, row.line, context.name, row.text, row.expected
            )
            .unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "{count} of {} are wrong\n{wrong}",
        rows.len()
    );
    assert!(rows.len() > 500, "the tables were not read");
}

fn is_taken(found: &Interpretation) -> bool {
    matches!(
        found.reading,
        Reading::Taken { .. } | Reading::AsNeededTaken { .. }
    )
}

/// Every reply of the tables in every context.
fn everywhere(mut check: impl FnMut(&Context, &str, &Interpretation)) {
    let (contexts, rows) = tables();
    // Some of the pairs, always the same ones: all of them take long without optimisation.
    for (number, row) in rows.iter().enumerate() {
        for context in contexts.iter().skip(number % 11).step_by(11) {
            check(context, &row.text, &context.read(&row.text));
        }
    }
}

#[test]
fn references_are_those_that_were_given_each_once() {
    everywhere(|context, text, found| {
        let known = |reference: &String| {
            context.open.iter().any(|item| item.reference == *reference)
                || context
                    .recent
                    .iter()
                    .any(|dose| dose.reference == *reference)
                || context
                    .as_needed
                    .iter()
                    .any(|item| item.reference == *reference)
        };
        for (index, reference) in found.references.iter().enumerate() {
            assert!(known(reference), "[{}] {text}: {found:?}", context.name);
            assert!(
                !found.references[..index].contains(reference),
                "[{}] {text}: {found:?}",
                context.name
            );
        }
        let closes = !matches!(
            found.reading,
            Reading::FreeText
                | Reading::RedFlag
                | Reading::Stop
                | Reading::Start
                | Reading::AskWhich(_)
        );
        assert!(
            !closes || !found.references.is_empty(),
            "[{}] {text}: {found:?}",
            context.name
        );
    });
}

#[test]
fn taken_never_lies_ahead_and_never_covers_a_check_in() {
    everywhere(|context, text, found| {
        if let Reading::Taken { taken_at: Some(at) }
        | Reading::AsNeededTaken { taken_at: Some(at) } = found.reading
        {
            assert!(
                at <= context.now.timestamp(),
                "[{}] {text}: {found:?}",
                context.name
            );
        }
        if is_taken(found) {
            for item in &context.open {
                let covered = found.references.contains(&item.reference);
                assert!(
                    !covered || item.kind == ItemKind::Dose,
                    "[{}] {text}: {found:?}",
                    context.name
                );
            }
        }
    });
}

#[test]
fn what_denies_asks_or_doubts_is_never_taken() {
    let (contexts, rows) = tables();
    let mut wrong = String::new();
    let mut tried = 0;
    for row in rows
        .iter()
        .filter(|row| row.expected.contains("taken ") && !row.expected.starts_with("not_"))
    {
        let context = &contexts[row.context];
        let text = row.text.trim();
        let mut changed: Vec<String> = [
            "{}?",
            "{}？",
            "{}吗",
            "{} 吗？",
            "{}没",
            "{}没有",
            "{}吧",
            "没{}",
            "没有{}",
            "不{}",
            "还没{}",
            "应该{}",
            "可能{}",
            "忘了{}",
            "别{}",
            "要不要{}",
            "not {}",
            "haven't {}",
            "didn't {}",
            "should I {}",
            "did you {}",
            "maybe {}",
            "never {}",
            "{} or not",
            "{}一半",
            "{}，又吐了",
            "{} but threw up",
            "马上{}",
            "if {}",
            "I wish I {}",
            "{} tomorrow",
            "明天{}",
            "{}才怪",
            "谁{}",
            "will be {}",
            "almost {}",
            "差点{}",
            "{}x2",
            "{}两次",
            "{}两片",
        ]
        .iter()
        // "放心吧" doubts nothing, "差点忘了，刚吃" and "忘了，刚吃" were taken after all.
        .filter(|form| !(form.contains('吧') && text.ends_with("放心")))
        .filter(|form| !(form.contains('忘') && (text.contains('，') || text.contains(','))))
        .filter(|_| !text.starts_with('忘') && !text.starts_with("差点"))
        .map(|form| form.replace("{}", text))
        .collect();
        changed.extend(
            ["吃了", "服了", "took", "taken"]
                .into_iter()
                .filter(|word| text.contains(word))
                .flat_map(|word| {
                    ["没", "不", "not ", "never ", "haven't ", "一半"]
                        .map(|no| text.replacen(word, &format!("{no}{word}"), 1))
                }),
        );
        for text in changed {
            tried += 1;
            let found = context.read(&text);
            if is_taken(&found)
                && found
                    .references
                    .iter()
                    .any(|reference| context.open.iter().any(|item| item.reference == *reference))
            {
                writeln!(wrong, "[{}] {text}: {found:?}", context.name).unwrap();
            }
        }
    }
    assert!(tried > 5000, "{tried}");
    assert!(wrong.is_empty(), "{wrong}");
}

/// "asked which" apart, a reading as taken needs a word or sign that says so.
#[test]
fn taken_needs_a_word_that_says_so() {
    const SAYING: [&str; 40] = [
        "吃",
        "服",
        "喝",
        "用",
        "打",
        "恰",
        "食",
        "完成",
        "搞定",
        "👍",
        "💊",
        "✅",
        "✔",
        "强",
        "赞",
        "咽",
        "took",
        "taken",
        "done",
        "had",
        "did",
        "swallowed",
        "injected",
        "used",
        "1",
        "１",
        "①",
        "一",
        "take",
        "补",
        "strong",
        "complete",
        "喂",
        "吞",
        "含",
        "贴",
        "滴",
        "喷",
        "吸",
        "抹",
    ];
    everywhere(|context, text, found| {
        let said = text.to_lowercase();
        let told = SAYING.iter().any(|word| said.contains(word));
        assert!(
            !is_taken(found) || told || context.asked_which.is_some(),
            "[{}] {text}: {found:?}",
            context.name
        );
    });
}

mod any_text {
    use super::*;
    use proptest::prelude::*;

    /// Pieces that mean something, in any order.
    fn pieces() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "吃了",
            "没",
            "不",
            "吃",
            "药",
            "的",
            "8点",
            "早上",
            "昨天",
            "二甲双胍",
            "阿司匹林",
            "1",
            "2",
            "3",
            "，",
            " ",
            "?",
            "第",
            "个",
            "都",
            "忘了",
            "等会",
            "半小时",
            "后",
            "前",
            "130",
            "/",
            "85",
            ".",
            "度",
            "took",
            "it",
            "at ",
            "not ",
            "half ",
            "in ",
            "an hour",
            "the first",
            "百",
            "点",
            "两",
            "零",
            "👍",
            "\u{200b}",
            "\u{fe0f}",
            "乐乐",
            "号",
            "both",
            "'",
            "因为",
            "跳过",
            "\"",
            "[",
            "(",
            "公斤",
            "99999999999",
        ]);
        prop::collection::vec(words, 0..12).prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_text_panics_and_the_same_text_reads_the_same(text in prop_oneof![pieces(), any::<String>(), "\\PC{0,250}"], at in 0_usize..1000) {
            let (contexts, _) = tables();
            let context = &contexts[at % contexts.len()];
            let found = context.read(&text);
            prop_assert_eq!(&found, &context.read(&text));
            for reference in &found.references {
                let given = context.open.iter().any(|item| &item.reference == reference)
                    || context.recent.iter().any(|dose| &dose.reference == reference)
                    || context.as_needed.iter().any(|item| &item.reference == reference);
                prop_assert!(given);
            }
        }
    }
}

/// Runs the command over these lines.
fn command(lines: &str) -> Vec<serde_json::Value> {
    use std::io::Write as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(["interpret", "--json"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_command_gives_a_line_for_each_line() {
    let open = r#""open":[{"ref":"d1","n":1,"kind":"dose","name":"二甲双胍","at":"2026-03-02T08:00:00+08:00"}]"#;
    let check_in = r#""open":[{"ref":"c1","n":1,"kind":"check_in","name":"体重","at":"2026-03-02T08:00:00+08:00","answer":"weight"}]"#;
    let now = r#""now":"2026-03-02T09:30:00+08:00","language":"zh-CN","red_flags":[],"recent":[],"as_needed":[],"asked_which":null"#;
    let lines = format!(
        "{{\"id\":1,{now},{open},\"text\":\"8点吃的\"}}\nnonsense\n{{\"id\":\"x\",{now},{open},\"text\":\"半小时后\"}}\n{{\"id\":3,{now},{check_in},\"text\":\"131斤\"}}\n{{\"id\":4}}\n{{\"id\":5,{now},{open},\"text\":\"好的\"}}"
    );
    let found = command(&lines);
    assert_eq!(found.len(), 6);
    let expected = [
        (
            0,
            serde_json::json!({"id":1,"reading":"taken","refs":["d1"],"taken_at":"2026-03-02T08:00:00+08:00"}),
        ),
        (
            2,
            serde_json::json!({"id":"x","reading":"later","refs":["d1"],"minutes":30}),
        ),
        (
            3,
            serde_json::json!({"id":3,"reading":"check_in_value","refs":["c1"],"value":65.5}),
        ),
        (
            5,
            serde_json::json!({"id":5,"reading":"free_text","refs":[]}),
        ),
    ];
    for (index, expected) in expected {
        assert_eq!(found[index], expected);
    }
    for index in [1, 4] {
        assert!(
            found[index]["id"].is_null() && found[index]["error"].is_string(),
            "{}",
            found[index]
        );
    }
}
