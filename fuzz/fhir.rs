//! FHIR resources: built of the elements that bear on timing, mended and broken.

use crate::choices::Choices;
use crate::plan::ZONES;
use dosed::plan::diagnostic::Source;
use dosed::plan::fhir::{self, Kind, Moment, Names, Request, Subject, Terms};
use dosed::plan::{Day, Defaults, Language, Zone};
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::{Map, Value, json};

const MOMENTS: &[&str] = &[
    "2026-03-02",
    "2026-03-27",
    "2026-01-31",
    "2024-02-29",
    "2026-03-02T08:00:00Z",
    "2026-03-28T12:00:00+13:00",
    "2026-03-02T02:30:15-05:00",
    "2011-12-29",
    "1900-01-01",
    "2200-12-31",
    "2026-03",
    "2026-02-30",
    "soon",
];
const WHEN: &[&str] = &[
    "MORN", "NOON", "AFT", "EVE", "NIGHT", "HS", "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD",
    "ACV", "PC", "PCM", "PCD", "PCV", "PHS",
];
const WEEKDAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun", "MON"];
const UNITS: &[&str] = &["d", "wk", "mo", "h", "a", "min", "s", "day"];
const TIMES: &[&str] = &[
    "08:00:00", "20:00:00", "02:30:00", "00:00:00", "23:59:00", "8:00", "24:00:00",
];
const CODES: &[&str] = &[
    "BID", "TID", "QD", "QOD", "AM", "PM", "BED", "WK", "MO", "Q1H", "Q4H", "Q8H", "Q6H", "ABC",
];
const NUMBERS: &[f64] = &[
    1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0, 30.0, 0.5, 1.5, 7.0, 100.0, 0.0, -1.0, 1e9, 1e300,
    36_500.0,
];
/// Values that are put where they do not belong.
const STRAYS: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "1.5",
    "\"\"",
    "\"x\"",
    "[]",
    "{}",
    "[null]",
    "{\"a\": 1}",
    "\"2026-03-02\"",
    "4294967296",
    "[[[[]]]]",
    "\"\\u0000\"",
];

/// One input.
pub fn run(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let zone = choices.pick(ZONES);
    let terms = Terms {
        zone: Zone::get(zone).expect("the zones of this file are known"),
        day: day(&mut choices),
        start: start(&mut choices),
    };
    let text = match choices.below(10) {
        0 => String::from_utf8_lossy(choices.rest()).into_owned(),
        1 | 2 => broken(&request(&mut choices, 0).to_string(), &mut choices),
        3 => bundle(&mut choices).to_string(),
        _ => request(&mut choices, 0).to_string(),
    };
    check(&text, &terms);
}

fn day(choices: &mut Choices<'_>) -> Day {
    let mut day = Day::default();
    if choices.chance(6) {
        day.set_time(dosed::plan::DayWord::Breakfast, civil::time(0, 10, 0, 0));
        day.set_time(dosed::plan::DayWord::Dinner, civil::time(23, 50, 0, 0));
        day.set_time(dosed::plan::DayWord::Night, civil::time(2, 30, 0, 0));
    }
    day
}

fn start(choices: &mut Choices<'_>) -> Option<Moment> {
    match choices.below(4) {
        0 => None,
        1 => Some(Moment::At(at("2026-03-02T09:30:15Z"))),
        2 => Some(Moment::Date(civil::date(2026, 1, 31))),
        _ => Some(Moment::Date(civil::date(2026, 3, 2))),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("the instants of this file are right")
}

fn number(choices: &mut Choices<'_>) -> Value {
    let number = NUMBERS[choices.below(NUMBERS.len())];
    if number.fract() == 0.0 && number.abs() < 1e12 {
        json!(number as i64)
    } else {
        json!(number)
    }
}

fn several(choices: &mut Choices<'_>, of: &[&str]) -> Value {
    let count = 1 + choices.below(3);
    (0..count).map(|_| Value::from(choices.pick(of))).collect()
}

fn quantity(choices: &mut Choices<'_>) -> Value {
    json!({"value": number(choices), "code": choices.pick(UNITS)})
}

fn repeat(choices: &mut Choices<'_>) -> Value {
    let mut repeat = Map::new();
    let mut put = |key: &str, value: Value| {
        repeat.insert(key.to_owned(), value);
    };
    match choices.below(8) {
        0 => put("timeOfDay", several(choices, &TIMES[..5])),
        1 => put("when", several(choices, WHEN)),
        2 => {
            put("when", several(choices, &WHEN[..7]));
            put("offset", number(choices));
        }
        3 => {
            put("frequency", json!(1));
            put("period", number(choices));
            put("periodUnit", json!(choices.pick(UNITS)));
        }
        4 => {
            put("frequency", json!(1 + choices.below(5)));
            put("period", json!(1));
            put("periodUnit", json!("d"));
        }
        5 => {
            put("frequency", json!(1));
            put("period", json!(1 + choices.below(3)));
            put("periodUnit", json!("wk"));
        }
        6 => put("count", json!(1)),
        _ => put("timeOfDay", several(choices, TIMES)),
    }
    if choices.chance(5) {
        put("dayOfWeek", several(choices, WEEKDAYS));
    }
    if choices.chance(3) {
        put("count", number(choices));
    }
    if choices.chance(2) {
        put("period", number(choices));
        put("periodUnit", json!(choices.pick(UNITS)));
    }
    match choices.below(6) {
        0 => put("boundsPeriod", json!({"start": choices.pick(MOMENTS)})),
        1 => put(
            "boundsPeriod",
            json!({"start": choices.pick(MOMENTS), "end": choices.pick(MOMENTS)}),
        ),
        2 => put("boundsDuration", quantity(choices)),
        3 => put(
            "boundsRange",
            json!({"low": quantity(choices), "high": quantity(choices)}),
        ),
        _ => {}
    }
    let key = choices.pick(&[
        "frequencyMax",
        "periodMax",
        "countMax",
        "duration",
        "durationUnit",
        "offset",
        "modifierExtension",
    ]);
    if choices.chance(1) {
        put(key, number(choices));
    }
    Value::Object(repeat)
}

fn dosage(choices: &mut Choices<'_>) -> Value {
    let mut timing = Map::new();
    if choices.chance(14) {
        timing.insert("repeat".to_owned(), repeat(choices));
    }
    if choices.chance(2) {
        timing.insert("event".to_owned(), several(choices, MOMENTS));
    }
    if timing.is_empty() || choices.chance(2) {
        timing.insert(
            "code".to_owned(),
            json!({"coding": [{"code": choices.pick(CODES)}]}),
        );
    }
    let mut dosage = json!({"timing": timing});
    let unit = |value: Value, unit: &str| json!({"value": value, "unit": unit});
    let dose = match choices.below(5) {
        0 => json!([]),
        1 => {
            json!([{"doseRange": {"low": unit(json!(1), "puff"), "high": unit(json!(2), "puff")}}])
        }
        2 => json!([{"doseQuantity": unit(number(choices), "片")}]),
        _ => json!([{"doseQuantity": unit(json!(1 + choices.below(3)), "tablet")}]),
    };
    dosage["doseAndRate"] = dose;
    if choices.chance(1) {
        dosage["asNeededBoolean"] = json!(true);
    }
    if choices.chance(3) {
        dosage["text"] = json!(choices.pick(&["with food", "line\nline", "\u{0}\"\\", ""]));
    }
    dosage
}

fn request(choices: &mut Choices<'_>, number: usize) -> Value {
    let count = choices.pick(&[&1, &1, &2, &3]);
    let in_sequence = choices.chance(5);
    let dosages: Vec<Value> = (0..*count)
        .map(|index| {
            let mut dosage = dosage(choices);
            if in_sequence {
                dosage["sequence"] = json!(index + 1);
            }
            dosage
        })
        .collect();
    let mut request = json!({
        "resourceType": "MedicationRequest", "id": format!("r{number}"), "status": "active", "intent": "order",
        "medicationCodeableConcept": {"text": "药"},
        "subject": {"reference": format!("Patient/p{}", number % 2)},
        "dosageInstruction": dosages,
    });
    if choices.chance(6) {
        request["authoredOn"] = json!(choices.pick(MOMENTS));
    }
    request
}

fn bundle(choices: &mut Choices<'_>) -> Value {
    let entries: Vec<Value> = (0..=choices.below(3))
        .map(|number| match choices.below(5) {
            0 => json!({"fullUrl": "urn:uuid:p", "resource": {"resourceType": "Patient", "id": "p0", "name": [{"family": "王", "given": ["秀兰"]}], "birthDate": "1950-01-01"}}),
            1 => json!({"resource": {"resourceType": "Medication", "id": "m", "code": {"text": "x"}}}),
            2 => json!({"resource": {"resourceType": "Bundle"}}),
            _ => json!({"resource": request(choices, number)}),
        })
        .collect();
    json!({"resourceType": "Bundle", "entry": entries})
}

/// A resource in which a value, or a few bytes, are replaced.
fn broken(text: &str, choices: &mut Choices<'_>) -> String {
    let stray = choices.pick(STRAYS);
    let places: Vec<usize> = text
        .match_indices([':', '['])
        .map(|(at, _)| at + 1)
        .collect();
    let start = places[choices.below(places.len().clamp(1, 65_536))];
    let rest = &text[start..];
    let end = start + rest.find([',', '}', ']']).unwrap_or(rest.len());
    let text = format!("{}{stray}{}", &text[..start], &text[end..]);
    if choices.chance(4) {
        let mut cut = choices.below(text.len().clamp(1, 65_536));
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        return text[..cut].to_owned();
    }
    text
}

/// What must hold for any text.
fn check(text: &str, terms: &Terms) {
    let mut names = Names::default();
    let mut requests = Vec::new();
    let mut visit = |found: Result<fhir::Addressed<'_>, fhir::Refusal>| match found {
        Ok((resource, url)) => {
            if let Err(refusal) = names.learn(resource, url.as_deref()) {
                assert!(!refusal.reason.is_empty());
            }
            if resource.kind == Kind::MedicationRequest {
                requests.push(resource.text.to_owned());
            }
        }
        Err(refusal) => assert!(!refusal.reason.is_empty()),
    };
    if let Err(refusal) = fhir::resources(text, &mut visit) {
        assert!(!refusal.element.is_empty() && !refusal.reason.is_empty());
    }
    for text in requests {
        match fhir::read(&text, &names, terms) {
            Ok(request) => followed(&request, &names, terms, &text),
            Err(refusal) => assert!(!refusal.element.is_empty() && !refusal.reason.is_empty()),
        }
    }
}

fn followed(request: &Request, names: &Names, terms: &Terms, text: &str) {
    let subject = Subject::of(request, names);
    let written = fhir::write(&subject, std::slice::from_ref(request), terms);
    let plan = written.text.as_ref().map(|plan| {
        let defaults = Defaults {
            zone: Zone::get("UTC").expect("UTC is known"),
            language: Language::En,
            quiet_hours: None,
            day: Day::default(),
            now: None,
        };
        dosed::plan::read(&Source::new("p.toml", plan.as_str()), &defaults)
            .unwrap_or_else(|found| panic!("{text}\n{plan}\n{found:?}"))
    });
    for from in [
        "2026-03-01T00:00:00Z",
        "2026-03-27T13:20:00Z",
        "2011-12-28T00:00:00Z",
    ] {
        let from = at(from);
        let until = from + SignedDuration::from_hours(12 * 24);
        let due = request.due_between(&terms.zone, from, until);
        for pair in due.windows(2) {
            assert!(pair[0].at <= pair[1].at, "{text}");
        }
        for due in &due {
            assert!(
                due.at >= from && due.at < until && due.window_ends > due.at,
                "{text}"
            );
        }
        if !written.lost.is_empty() {
            continue;
        }
        let mut expected: Vec<Timestamp> = due.iter().map(|due| due.at).collect();
        let mut found: Vec<Timestamp> = plan
            .iter()
            .flat_map(|read| {
                let due = read.plan.due_between(&read.places, from, until, None);
                due.into_iter().map(|due| due.at).collect::<Vec<_>>()
            })
            .collect();
        expected.dedup();
        found.dedup();
        assert_eq!(found, expected, "{text}\n{:?}", written.text);
    }
}
