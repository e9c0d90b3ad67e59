//! What patients' replies are read as: a table of replies, and properties of any.

use dosed::engine::DoseState;
use dosed::engine::interpret::{
    AsNeededItem, DoseAnswer, Interpretation, ItemKind, OpenItem, Reading, RecentDose, Reply, Value, interpret,
};
use dosed::plan::{Language, answer_type};
use jiff::{Timestamp, Zoned, tz};
use std::fmt::Write as _;

const TABLES: [(&str, &str); 2] = [
    ("replies.txt", include_str!("interpret/replies.txt")),
    ("fresh.txt", include_str!("interpret/fresh.txt")),
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
        date.to_datetime(time).to_zoned(self.now.time_zone().clone()).unwrap().timestamp()
    }

    /// One line of what is known; false if it is none.
    fn take(&mut self, line: &str) -> bool {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fields: Vec<&str> = rest.split(' ').collect();
        let after = |count: usize| fields[count..].join(" ");
        match word {
            "now" => {
                let offset = &rest[19..];
                let offset: tz::Offset = jiff::fmt::temporal::Pieces::parse(rest).unwrap().to_numeric_offset().expect(offset);
                self.now = rest.parse::<Timestamp>().unwrap().to_zoned(offset.to_time_zone());
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
                let (answer, name) = whole.split_once(" = ").expect("check REF N AT ANSWER = QUESTION");
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
            }),
            "need" => self.as_needed.push(AsNeededItem {
                reference: fields[0].to_owned(),
                name: after(1),
            }),
            "flag" => self.red_flags.push(rest.to_owned()),
            "asked" => {
                self.asked_which = Some(*DoseAnswer::ALL.iter().find(|answer| answer.name() == rest).expect(rest));
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
        Reading::Later { minutes: Some(minutes) } => write!(text, " minutes={minutes}").unwrap(),
        Reading::Skipped { reason: Some(reason) } => write!(text, " reason={reason}").unwrap(),
        Reading::Taken { taken_at: Some(at) } | Reading::AsNeededTaken { taken_at: Some(at) } => {
            let local = at.to_zoned(now.time_zone().clone());
            let day = if local.date() == now.date() { "" } else { "-" };
            write!(text, " at={day}{}", local.strftime("%H:%M")).unwrap();
        }
        Reading::CheckInValue(value) => {
            let value = match value {
                Value::BloodPressure { upper, lower } => format!("{{\"upper\":{upper},\"lower\":{lower}}}"),
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
    assert!(wrong.is_empty(), "{count} of {} are wrong\n{wrong}", rows.len());
    assert!(rows.len() > 500, "the tables were not read");
}

fn is_taken(found: &Interpretation) -> bool {
    matches!(found.reading, Reading::Taken { .. } | Reading::AsNeededTaken { .. })
}

/// Every reply of the tables in every context.
fn everywhere(mut check: impl FnMut(&Context, &str, &Interpretation)) {
    let (contexts, rows) = tables();
    // A third of the pairs, always the same ones: all of them take minutes without optimisation.
    for (number, row) in rows.iter().enumerate() {
        for context in contexts.iter().skip(number % 7).step_by(7) {
            check(context, &row.text, &context.read(&row.text));
        }
    }
}

#[test]
fn references_are_those_that_were_given_each_once() {
    everywhere(|context, text, found| {
        let known = |reference: &String| {
            context.open.iter().any(|item| item.reference == *reference)
                || context.recent.iter().any(|dose| dose.reference == *reference)
                || context.as_needed.iter().any(|item| item.reference == *reference)
        };
        for (index, reference) in found.references.iter().enumerate() {
            assert!(known(reference), "[{}] {text}: {found:?}", context.name);
            assert!(!found.references[..index].contains(reference), "[{}] {text}: {found:?}", context.name);
        }
        let closes = !matches!(
            found.reading,
            Reading::FreeText | Reading::RedFlag | Reading::Stop | Reading::Start | Reading::AskWhich(_)
        );
        assert!(!closes || !found.references.is_empty(), "[{}] {text}: {found:?}", context.name);
    });
}

#[test]
fn taken_never_lies_ahead_and_never_covers_a_check_in() {
    everywhere(|context, text, found| {
        if let Reading::Taken { taken_at: Some(at) } | Reading::AsNeededTaken { taken_at: Some(at) } = found.reading {
            assert!(at <= context.now.timestamp(), "[{}] {text}: {found:?}", context.name);
        }
        if is_taken(found) {
            for item in &context.open {
                let covered = found.references.contains(&item.reference);
                assert!(!covered || item.kind == ItemKind::Dose, "[{}] {text}: {found:?}", context.name);
            }
        }
    });
}

#[test]
fn what_denies_asks_or_doubts_is_never_taken() {
    let (contexts, rows) = tables();
    let mut wrong = String::new();
    let mut tried = 0;
    for row in rows.iter().filter(|row| row.expected.contains("taken ") && !row.expected.starts_with("not_")) {
        let context = &contexts[row.context];
        let text = row.text.trim();
        let mut changed: Vec<String> = [
            "{}?", "{}？", "{}吗", "{} 吗？", "{}没", "{}没有", "{}吧", "没{}", "没有{}", "不{}", "还没{}", "应该{}", "可能{}", "忘了{}",
            "别{}", "要不要{}", "not {}", "haven't {}", "didn't {}", "should I {}", "did you {}", "maybe {}", "never {}", "{} or not",
            "{}一半", "{}，又吐了", "{} but threw up", "马上{}", "if {}", "I wish I {}", "{} tomorrow", "明天{}", "{}才怪", "谁{}",
            "will be {}", "almost {}", "差点{}", "{}x2", "{}两次", "{}两片",
        ]
        .iter()
        .map(|form| form.replace("{}", text))
        .collect();
        changed.extend(["吃了", "服了", "took", "taken"].into_iter().filter(|word| text.contains(word)).flat_map(|word| {
            ["没", "不", "not ", "never ", "haven't ", "一半"].map(|no| text.replacen(word, &format!("{no}{word}"), 1))
        }));
        for text in changed {
            tried += 1;
            let found = context.read(&text);
            if is_taken(&found) && found.references.iter().any(|reference| context.open.iter().any(|item| item.reference == *reference)) {
                writeln!(wrong, "[{}] {text}: {found:?}", context.name).unwrap();
            }
        }
    }
    assert!(tried > 5000, "{tried}");
    assert!(wrong.is_empty(), "{wrong}");
}
