//! Texts of plans: built of the grammar's words, mended and broken.

use crate::choices::Choices;
use dosed::plan::diagnostic::{Colour, Diagnostic, Source};
use dosed::plan::{Day, Defaults, Language, ReadPlan, ResolvedPlan, Zone, read};
use jiff::{SignedDuration, Timestamp};
use std::sync::LazyLock;

/// What each key may be given, right and wrong.
const VALUES: &[(&str, &[&str])] = &[
    (
        "take",
        &[
            "\"1 tablet\"",
            "\"½ tablet\"",
            "\"1-2 puffs\"",
            "\"半片\"",
            "\"遵医嘱\"",
            "\"1,5 mg\"",
            "\"0 mg\"",
            "{ \"mon, wed\" = \"5 mg\", \"周日\" = \"2 mg\" }",
            "{ \"08:00\" = \"1\", \"睡前\" = \"2\" }",
            "{ \"every 2 days\" = \"1\" }",
            "1.5",
            "{}",
        ],
    ),
    (
        "at",
        &[
            "\"08:00\"",
            "\"08:00, 20:00\"",
            "\"早上，睡前\"",
            "\"30 min before breakfast\"",
            "\"饭后2小时\"",
            "\"随餐\"",
            "\"4 times a day\"",
            "\"每天两次\"",
            "[\"00:10\", \"23:50\"]",
            "\"12 hours after dinner\"",
            "\"02:30\"",
            "08:00",
            "\"8.00\"",
            "\"24:00\"",
            "\"bid\"",
            "[]",
            "[[\"08:00\"]]",
        ],
    ),
    (
        "days",
        &[
            "\"every 3 days\"",
            "\"mon, thu\"",
            "\"每周一、三、五\"",
            "\"weekdays\"",
            "\"every 2 weeks on mon, sun\"",
            "\"每2周的周一\"",
            "\"every month\"",
            "\"每3个月\"",
            "\"1st, 31st of the month\"",
            "\"每月最后一天\"",
            "\"21 on, 7 off\"",
            "\"服1天停1天\"",
            "\"隔天\"",
            "\"每隔3天\"",
            "\"366 on, 366 off\"",
            "\"every 120 months\"",
            "\"5 times a week\"",
            "[\"mon\"]",
        ],
    ),
    (
        "every",
        &[
            "\"8 hours\"",
            "\"每90分钟\"",
            "\"6 hours after the last dose\"",
            "\"上次服药后6小时\"",
            "\"1 hour\"",
            "\"1439 hours\"",
            "\"48 hours\"",
            "\"1 minute\"",
        ],
    ),
    (
        "first",
        &[
            "2026-03-02T06:00:00",
            "2026-03-29T02:30:00",
            "1900-01-01T00:00:00",
            "2200-12-31T23:59:59",
            "2026-03-02",
        ],
    ),
    (
        "between",
        &["\"07:00-22:00\"", "\"00:00-23:59\"", "\"22:00-06:00\""],
    ),
    (
        "once",
        &[
            "2026-03-02T08:00:00",
            "[2026-03-02T08:00:00, 2026-10-25T02:30:00]",
            "2026-03-02T08:00:00Z",
            "[]",
        ],
    ),
    ("as_needed", &["\"headache\"", "\"\""]),
    ("at_most", &["\"3 in 24 hours\"", "\"每天3次\""]),
    ("apart", &["\"6 hours\"", "\"0 s\""]),
    (
        "scheme",
        &["\"1-0-½-0\"", "\"1-1-1\"", "\"0-0-0\"", "\"1-0\""],
    ),
    ("unit", &["\"tablet\"", "\"片\""]),
    (
        "steps",
        &[
            "[\"40 mg for 5 days\", \"20 mg\"]",
            "[\"500 mg once\", \"250 mg for 4 days\"]",
            "[\"40 mg 5天\", \"20 mg 一次\", \"10 mg 2个月\"]",
            "[\"1 once\", \"1 once\", \"1 once\"]",
            "[\"1\", \"2\"]",
            "[]",
            "[\"1 for 1200 months\", \"2 once\"]",
        ],
    ),
    (
        "start",
        &[
            "2026-03-02",
            "2026-01-31",
            "2024-02-29",
            "2026-03-02T12:30:00",
            "2026-03-29T02:30:00",
            "2199-12-31",
            "1900-01-01",
            "2026-02-30",
            "\"2026-03-02\"",
        ],
    ),
    (
        "end",
        &[
            "2026-03-09",
            "2026-03-02T08:00:00",
            "2200-12-31",
            "2026-03-01",
        ],
    ),
    (
        "for",
        &["\"7 days\"", "\"2周\"", "\"1个月\"", "\"36500 days\"", "7"],
    ),
    ("doses", &["10", "1", "10000", "0", "-1"]),
    (
        "pauses",
        &[
            "[\"off 2026-03-04, back on 2026-03-06\"]",
            "[\"2026-03-04停, 2026-03-06恢复\", \"2026-03-05停, 2026-03-09恢复\"]",
            "[\"off 1900-01-01, back on 2200-12-31\"]",
        ],
    ),
    ("critical", &["true", "false", "\"yes\""]),
    ("window", &["\"90 min\"", "\"400 days\"", "\"1 s\""]),
    ("nudge", &["[]", "[\"10 min\", \"1 hour\"]"]),
    (
        "stock",
        &["\"60 tablets on 2026-03-01\"", "\"60片 2026-03-01\""],
    ),
    ("refill_when", &["\"7 days left\"", "\"剩7天\""]),
    ("note", &["\"a\"", "\"\"\"\na\nb\"\"\"", "'x'"]),
    ("id", &["\"m\"", "\"M\""]),
];

const FORMS: &[&[&str]] = &[
    &["take", "at"],
    &["take", "at", "days", "start"],
    &["take", "at", "days", "start", "for"],
    &["take", "at", "start", "doses", "pauses"],
    &["take", "every", "first"],
    &["take", "every", "first", "doses", "pauses"],
    &["take", "every", "between", "end"],
    &["take", "every", "start"],
    &["take", "once"],
    &["take", "as_needed", "at_most", "apart"],
    &["scheme", "unit", "days", "start"],
    &["steps", "at", "days", "start"],
    &["steps", "at", "start", "pauses"],
    &["steps", "at", "start", "doses"],
];

const OTHERS: &[&str] = &[
    "[[check_in]]\nask = \"血压？\"\nanswer = \"blood pressure\"\ndays = \"mon, thu\"\nat = \"08:30\"\nalert_if = [\"upper over 160\", \"低压低于50\"]\n",
    "[[check_in]]\nask = \"Q\"\nanswer = \"number from 0 to 10\"\nat = \"随餐\"\nalert_if = [\"over 5\", \"up 2 in 3 days\"]\n",
    "[[check_in]]\nask = \"R\"\nanswer = \"one of: a, b\"\nat = \"23:59\"\ndays = \"last day of the month\"\nalert_if = \"is a\"\n",
    "[[appointment]]\nwhat = \"X\"\nat = 2026-03-10T09:00:00\nremind = [\"1 day before\", \"2小时前\"]\n",
    "[[away]]\nfrom = 2026-03-05\nuntil = 2026-03-08\ntimezone = \"Europe/Berlin\"\n",
    "[[away]]\nfrom = 2026-03-27\nuntil = 2026-03-30\ntimezone = \"Pacific/Apia\"\n",
    "[[caregiver]]\nname = \"C\"\nrelation = \"son\"\ntell = \"missed\"\n",
];

const DAY: &str = "[day]\nbreakfast = \"00:10\"\ndinner = \"23:50\"\nnight = \"02:30\"\nbefore_meal = \"45 min\"\ntimes = { 1 = \"09:00\", 5 = [\"06:00\", \"10:00\", \"14:00\", \"18:00\", \"22:00\"] }\n";

pub const ZONES: &[&str] = &[
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "UTC",
];

/// Pieces that are put where they do not belong.
const PIECES: &[&str] = &[
    "0",
    "1",
    "31",
    "366",
    "99999999999",
    ".5",
    "½",
    "一",
    "十二",
    "半",
    "1st",
    "32nd",
    "24:00",
    "2026-02-30",
    "T08:00:00",
    ",",
    "，",
    "、",
    "-",
    "～",
    ":",
    "：",
    "*",
    "/",
    " ",
    "\t",
    "\n",
    "\r\n",
    "=",
    "[",
    "]]",
    "{",
    "}",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "\\",
    "\\u0000",
    "every",
    "每",
    "每隔",
    "day",
    "天",
    "周",
    "month",
    "个月",
    "hours",
    "分钟",
    "mon",
    "周一",
    "三",
    "早饭",
    "饭",
    "before",
    "后",
    "on",
    "停",
    "of the month",
    "最后",
    "once",
    "一次",
    "次",
    "片",
    "for",
    "恢复",
    "内",
    "over",
    "yes",
    "é",
    "💊",
    "\u{feff}",
    "\u{202e}",
    "\u{0}",
];

static EXAMPLES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut all: Vec<&str> = include_str!("../docs/plans.md")
        .split("```toml")
        .skip(1)
        .filter_map(|block| block.split_once('\n')?.1.split("```").next())
        .collect();
    all.push(include_str!("../src/cli/demo/plans.d/wang-xiulan.toml"));
    all.push(include_str!("../src/cli/demo/plans.d/zhang-jianguo.toml"));
    all
});

/// One input.
pub fn run(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let text = match choices.below(8) {
        0 => String::from_utf8_lossy(choices.rest()).into_owned(),
        1 | 2 => broken(&mut choices),
        _ => built(&mut choices),
    };
    let zone = choices.pick(ZONES);
    check(&text, zone);
}

/// A plan of the grammar's forms, in which now and then something is wrong.
fn built(choices: &mut Choices<'_>) -> String {
    let mut text = "name = \"王秀兰\"\n".to_owned();
    if choices.chance(10) {
        text += &["timezone = \"", choices.pick(ZONES), "\"\n"].concat();
    }
    if choices.chance(4) {
        text += "quiet_hours = \"21:30-07:00\"\n";
    }
    if choices.chance(6) {
        text += DAY;
    }
    for number in 0..=choices.below(3) {
        let name = if choices.chance(15) {
            ["A", "B", "C"][number]
        } else {
            "A"
        };
        text += &["[[medication]]\nname = \"", name, "\"\n"].concat();
        let form = choices.pick(FORMS);
        for &key in form {
            if choices.chance(15) {
                text += &line(key, choices);
            }
        }
        while choices.chance(4) {
            let (key, _) = VALUES[choices.below(VALUES.len())];
            if choices.chance(2) || !form.contains(&key) {
                text += &line(key, choices);
            }
        }
    }
    while choices.chance(6) {
        text += choices.pick(OTHERS);
    }
    if choices.chance(4) {
        text = mutated(&text, choices);
    }
    text
}

fn line(key: &str, choices: &mut Choices<'_>) -> String {
    let values = VALUES.iter().find(|(known, _)| *known == key);
    let mut value = values
        .map_or("1", |(_, values)| choices.pick(values))
        .to_owned();
    if choices.chance(2) {
        value = mutated(&value, choices);
    }
    format!("{key} = {value}\n")
}

/// An example with a slip or a few.
fn broken(choices: &mut Choices<'_>) -> String {
    let mut text = EXAMPLES[choices.below(EXAMPLES.len())].to_owned();
    if !text.starts_with("name") {
        text.insert_str(0, "name = \"x\"\n");
    }
    for _ in 0..=choices.below(4) {
        text = mutated(&text, choices);
    }
    text
}

/// The text with a few bytes replaced by a piece.
fn mutated(text: &str, choices: &mut Choices<'_>) -> String {
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(choices.below(text.len().clamp(1, 65_536)).min(text.len()));
    let end = boundary((start + choices.below(12)).min(text.len())).max(start);
    format!("{}{}{}", &text[..start], choices.pick(PIECES), &text[end..])
}

fn defaults(zone: &str) -> Defaults {
    Defaults {
        zone: Zone::get(zone).expect("the zones of this file are known"),
        language: Language::ZhCn,
        quiet_hours: None,
        day: Day::default(),
        now: Some(at("2026-03-02T00:00:00Z")),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("the instants of this file are right")
}

/// What must hold for any text.
fn check(text: &str, zone: &str) {
    let defaults = defaults(zone);
    match read(&Source::new("p.toml", text), &defaults) {
        Err(found) => refused(&found, text),
        Ok(plan) => {
            accepted(&plan, text);
            // Ends of lines and comments change nothing.
            if !text.contains(['\r', '\\']) && !text.contains("\"\"\"") && !text.contains("'''") {
                let other = format!("\u{feff}{}\r\n# a comment", text.replace('\n', "\r\n"));
                let bytes = other.into_bytes();
                let source = Source::from_bytes("p.toml", bytes).expect("the text is UTF-8");
                let again = read(&source, &defaults).expect("what is accepted is accepted again");
                assert_eq!(again.plan, plan.plan);
            }
        }
    }
}

fn refused(found: &[Diagnostic], text: &str) {
    assert!(
        found.iter().any(Diagnostic::is_error),
        "a refusal has a reason"
    );
    let lines = text.lines().count().max(1) + 1;
    for found in found {
        let place = found.position();
        assert!(place.line >= 1 && place.line <= lines && place.column >= 1);
        assert!(found.render(Colour::None).starts_with("p.toml:"));
        assert!(found.to_json().is_object());
        let counted = found.message().ends_with("more findings are not shown");
        assert!(
            !found.is_error() || counted || found.help().is_some(),
            "{found}"
        );
    }
}

fn accepted(read: &ReadPlan, text: &str) {
    let plan = &read.plan;
    let bytes = postcard::to_stdvec(plan).expect("a plan can be stored");
    let again: ResolvedPlan = postcard::from_bytes(&bytes).expect("what is stored can be read");
    assert_eq!(&again, plan);
    assert_eq!(again.meaning_hash(), plan.meaning_hash());
    for language in [Language::En, Language::ZhCn] {
        assert!(
            plan.explain(language)
                .iter()
                .all(|sentence| !sentence.is_empty())
        );
    }
    for found in &read.warnings {
        assert!(found.render(Colour::None).starts_with("p.toml:"));
    }
    for from in [
        "2026-03-01T00:00:00Z",
        "2026-03-27T13:20:00Z",
        "2011-12-28T00:00:00Z",
    ] {
        let from = at(from);
        let until = from + SignedDuration::from_hours(20 * 24);
        let due = plan.due_between(&read.places, from, until, None);
        for pair in due.windows(2) {
            assert!(pair[0].at <= pair[1].at, "{text}");
        }
        for due in &due {
            assert!(
                due.at >= from && due.at < until && due.window_ends > due.at,
                "{text}"
            );
        }
        // A span in two halves is the span, but for what begins when the plan is applied.
        if plan
            .medications
            .iter()
            .any(|medication| medication.schedule.needs_anchor())
        {
            continue;
        }
        let middle = from + SignedDuration::from_hours(9 * 24 + 8);
        let mut halves = plan.due_between(&read.places, from, middle, None);
        halves.extend(plan.due_between(&read.places, middle, until, None));
        let shown = |due: &dosed::plan::Due<'_>| {
            (
                due.at,
                due.id.to_owned(),
                due.dose.as_deref().map(str::to_owned),
                due.window_ends,
            )
        };
        let differs = halves
            .iter()
            .zip(&due)
            .find(|(half, whole)| shown(half) != shown(whole));
        assert!(
            halves.len() == due.len() && differs.is_none(),
            "{text}\n{:?}",
            differs.map(|(half, whole)| (shown(half), shown(whole)))
        );
    }
}
