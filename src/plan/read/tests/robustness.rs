//! No text makes the reader panic; what it refuses it helps to write, and what it accepts can be stored, explained and previewed.

use super::super::*;
use super::defaults;
use crate::plan::Language;
use proptest::prelude::*;

/// What plans are made of, in both languages, and what they are not.
const PIECES: &[&str] = &[
    "0",
    "1",
    "2",
    "8",
    "24",
    "31",
    "366",
    "99999999999",
    "0.5",
    "½",
    "1.",
    "一",
    "十二",
    "半",
    "两",
    "1st",
    "32nd",
    "08:00",
    "24:00",
    "8.00",
    "2026-03-02",
    "2026-02-30",
    "T08:00:00",
    ",",
    "，",
    "、",
    "-",
    "～",
    ":",
    "*",
    "/",
    " ",
    "every",
    "每",
    "每隔",
    "other",
    "day",
    "days",
    "天",
    "日",
    "号",
    "week",
    "weeks",
    "周",
    "month",
    "个月",
    "hours",
    "小时",
    "min",
    "分钟",
    "mon",
    "周一",
    "三",
    "weekdays",
    "morning",
    "睡前",
    "breakfast",
    "早饭",
    "meals",
    "饭",
    "with",
    "before",
    "after",
    "前",
    "后",
    "时",
    "on",
    "off",
    "服",
    "停",
    "of the month",
    "last",
    "最后",
    "dose",
    "once",
    "一次",
    "times a day",
    "次",
    "tablet",
    "片",
    "as directed",
    "遵医嘱",
    "for",
    "back",
    "恢复",
    "left",
    "剩",
    "in",
    "内",
    "over",
    "under",
    "outside",
    "upper",
    "高压超过",
    "to",
    "到",
    "yes",
    "是",
    "is",
    "one of:",
    "scale",
    "number from",
    "blood pressure",
    "é",
    "💊",
    "\u{0}",
    "\u{feff}",
    "\"",
    "\\",
];

/// Keys with the lines that make them sensible.
const KEYS: &[&str] = &[
    "take",
    "at",
    "days",
    "every",
    "between",
    "scheme",
    "steps",
    "for",
    "pauses",
    "window",
    "nudge",
    "stock",
    "refill_when",
    "as_needed",
    "at_most",
    "apart",
    "note",
    "id",
    "start",
    "end",
    "doses",
    "first",
    "once",
    "unit",
    "critical",
];

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..7).prop_map(|pieces| pieces.join(" "))
}

fn glued() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..7).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = String> {
    let quoted = |text: String| toml::Value::String(text).to_string();
    prop_oneof![
        6 => prop_oneof![words(), glued()].prop_map(quoted),
        1 => prop::collection::vec(words().prop_map(quoted), 0..3).prop_map(|list| format!("[{}]", list.join(", "))),
        1 => prop::sample::select(&["2026-03-02", "2026-03-02T08:00:00", "08:00", "true", "3", "1.5", "{ mon = \"1\" }"][..])
            .prop_map(str::to_owned),
    ]
}

fn medication() -> impl Strategy<Value = String> {
    let lines = prop::collection::btree_map(prop::sample::select(KEYS), value(), 0..4);
    (lines, any::<bool>()).prop_map(|(lines, usual)| {
        let mut all = vec!["[[medication]]".to_owned(), "name = \"M\"".to_owned()];
        let usually = [
            ("take", "\"1 tablet\""),
            ("at", "\"08:00\""),
            ("start", "2026-03-02"),
        ];
        let missing = usually
            .iter()
            .filter(|(key, _)| usual && !lines.contains_key(key));
        all.extend(missing.map(|(key, value)| format!("{key} = {value}")));
        all.extend(lines.iter().map(|(key, value)| format!("{key} = {value}")));
        all.join("\n") + "\n"
    })
}

fn check_in() -> impl Strategy<Value = String> {
    (value(), value()).prop_map(|(answer, alert_if)| {
        format!(
            "[[check_in]]\nask = \"Q\"\nat = \"08:00\"\nanswer = {answer}\nalert_if = {alert_if}\n"
        )
    })
}

/// All examples of the documentation in one plan.
fn all_examples() -> String {
    let mut text = String::from("name = \"x\"\n");
    for block in include_str!("../../../../docs/plans.md")
        .split("```toml\n")
        .skip(1)
    {
        text += block.split("```").next().unwrap_or_default();
    }
    for top in [
        "name = \"王秀兰\"",
        "timezone = \"Asia/Shanghai\"",
        "language = \"zh-CN\"",
    ] {
        text = text.replace(top, "");
    }
    text
}

#[test]
fn all_examples_together_are_one_plan() {
    let plan = read(&Source::new("p.toml", all_examples()), &defaults())
        .unwrap()
        .plan;
    assert!(plan.medications.len() > 10);
}

/// Reads a text; what is accepted must hold together.
fn accept(text: &str) {
    let read = match read(&Source::new("p.toml", text), &defaults()) {
        Ok(read) => read,
        Err(found) => {
            for found in found.iter().filter(|found| found.is_error()) {
                let counted = found.message().ends_with("more findings are not shown");
                assert!(found.help().is_some() || counted, "{text}\n{found}");
            }
            return;
        }
    };
    let bytes = postcard::to_stdvec(&read.plan).unwrap();
    assert_eq!(
        postcard::from_bytes::<ResolvedPlan>(&bytes).unwrap(),
        read.plan
    );
    for language in [Language::En, Language::ZhCn] {
        assert!(
            read.plan
                .explain(language)
                .iter()
                .all(|sentence| !sentence.is_empty())
        );
    }
    let from = "2026-03-01T00:00:00Z".parse().unwrap();
    let until = "2026-04-15T00:00:00Z".parse().unwrap();
    let due = read.plan.due_between(&read.places, from, until, None);
    for pair in due.windows(2) {
        assert!(pair[0].at <= pair[1].at);
    }
    for due in &due {
        assert!(due.window_ends > due.at, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn no_value_makes_the_reader_panic(medication in medication(), check_in in check_in()) {
        accept(&format!("name = \"x\"\n{medication}"));
        accept(&format!("name = \"x\"\n{check_in}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn no_slip_of_the_pen_makes_the_reader_panic(
        at in 0..20_000_usize,
        length in 0..12_usize,
        piece in prop::sample::select(PIECES),
    ) {
        let text = all_examples();
        let boundary = |mut at: usize| {
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(at % text.len());
        let end = boundary((start + length).min(text.len())).max(start);
        accept(&format!("{}{piece}{}", &text[..start], &text[end..]));
    }
}
