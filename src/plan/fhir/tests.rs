//! What requests mean, as tables of claims; what is written means the same.

use super::*;
use crate::plan::{DayWord, Defaults, Language, diagnostic::Source};
use jiff::{Timestamp, civil::time};
use proptest::prelude::*;
use serde_json::{Value, json};

fn terms(zone: &str, start: Option<&str>) -> Terms {
    Terms {
        zone: Zone::get(zone).unwrap(),
        day: Day::default(),
        start: start.map(|start| instant::date_time(start).unwrap()),
    }
}

fn request(dosages: &Value) -> Value {
    json!({
        "resourceType": "MedicationRequest", "id": "r1", "status": "active", "intent": "order",
        "medicationCodeableConcept": {"text": "Kalium"},
        "subject": {"reference": "Patient/p1"},
        "dosageInstruction": dosages,
    })
}

fn one(timing: &Value) -> Value {
    request(&json!([{ "timing": timing }]))
}

fn read(request: &Value, terms: &Terms) -> Result<Request, Refusal> {
    super::read(&request.to_string(), &Names::default(), terms)
}

/// "03-02 08:00" of each instant in a year, the first so many.
fn shown(instants: impl Iterator<Item = Timestamp>, zone: &Zone) -> Vec<String> {
    instants
        .map(|at| zone.local(at).strftime("%m-%d %H:%M").to_string())
        .collect()
}

fn due(request: &Request, terms: &Terms, from: &str, until: &str) -> Vec<Timestamp> {
    let at = |text: &str| terms.zone.instant(text.parse().unwrap());
    let due = request.due_between(&terms.zone, at(from), at(until));
    due.iter().map(|due| due.at).collect()
}

/// The instants of the plan that is written of a request.
fn due_as_plan(request: &Request, terms: &Terms, from: &str, until: &str) -> Vec<Timestamp> {
    let subject = Subject::of(request, &Names::default());
    let written = write(&subject, std::slice::from_ref(request), terms);
    assert!(written.lost.is_empty(), "{written:?}");
    let Some(text) = written.text else {
        return Vec::new();
    };
    let defaults = Defaults {
        zone: Zone::get("UTC").unwrap(),
        language: Language::default(),
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    let read = crate::plan::read(&Source::new("p1.toml", text.clone()), &defaults);
    let read = read.unwrap_or_else(|found| panic!("{text}\n{found:?}"));
    let at = |text: &str| terms.zone.instant(text.parse().unwrap());
    let due = read
        .plan
        .due_between(&read.places, at(from), at(until), None);
    due.iter().map(|due| due.at).collect()
}

struct Case {
    claim: &'static str,
    zone: &'static str,
    start: Option<&'static str>,
    timing: Value,
    span: (&'static str, &'static str),
    expected: &'static [&'static str],
}

fn case(
    claim: &'static str,
    zone: &'static str,
    start: &'static str,
    timing: Value,
    span: (&'static str, &'static str),
    expected: &'static [&'static str],
) -> Case {
    Case {
        claim,
        zone,
        start: (!start.is_empty()).then_some(start),
        timing,
        span,
        expected,
    }
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the tables read better with values"
)]
fn repeat(repeat: Value) -> Value {
    json!({ "repeat": repeat })
}

fn code(code: &str) -> Value {
    json!({"code": {"coding": [{"code": code}]}})
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let week = ("2026-03-02", "2026-03-09");
    let day = ("2026-03-02", "2026-03-03");
    let year = ("2026-01-01", "2027-01-01");
    vec![
        case("each abbreviation has its times: BID", "Asia/Tokyo", "2026-03-01", code("BID"), day, &["03-02 08:00", "03-02 20:00"]),
        case("TID", "Asia/Tokyo", "2026-03-01", code("TID"), day, &["03-02 08:00", "03-02 14:00", "03-02 20:00"]),
        case("QID", "Asia/Tokyo", "2026-03-01", code("QID"), day, &["03-02 08:00", "03-02 12:00", "03-02 16:00", "03-02 20:00"]),
        case("AM is the morning", "Asia/Tokyo", "2026-03-01", code("AM"), day, &["03-02 08:00"]),
        case("PM is the afternoon", "Asia/Tokyo", "2026-03-01", code("PM"), day, &["03-02 15:00"]),
        case("BED is bedtime", "Asia/Tokyo", "2026-03-01", code("BED"), day, &["03-02 22:00"]),
        case("QOD counts from the start", "Asia/Tokyo", "2026-03-01", code("QOD"), week, &["03-03 08:00", "03-05 08:00", "03-07 08:00"]),
        case("WK is the weekday of the start", "Asia/Tokyo", "2026-02-25", code("WK"), week, &["03-04 08:00"]),
        case("MO clamps and does not drift", "Asia/Tokyo", "2026-01-31", code("MO"), ("2026-01-01", "2026-05-01"), &["01-31 08:00", "02-28 08:00", "03-31 08:00", "04-30 08:00"]),
        case("Q4H counts from the morning of a date", "Asia/Tokyo", "2026-03-02", code("Q4H"), day, &["03-02 08:00", "03-02 12:00", "03-02 16:00", "03-02 20:00"]),
        case("Q8H counts from an instant", "Asia/Tokyo", "2026-03-02T01:30:00+09:00", code("Q8H"), day, &["03-02 01:30", "03-02 09:30", "03-02 17:30"]),
        case("bounds apply to a code", "Asia/Tokyo", "2026-03-01", json!({"code": {"coding": [{"code": "QD"}]}, "repeat": {"boundsPeriod": {"end": "2026-03-03"}}}), week, &["03-02 08:00", "03-03 08:00"]),
        case("a repeat wins over a code", "Asia/Tokyo", "2026-03-01", json!({"code": {"coding": [{"code": "QID"}]}, "repeat": {"timeOfDay": ["09:15:00"]}}), day, &["03-02 09:15"]),
        case("every day ends with the end date", "Asia/Kolkata", "2026-03-05", repeat(json!({"frequency": 1, "period": 1, "periodUnit": "d", "boundsPeriod": {"end": "2026-03-06"}})), week, &["03-05 08:00", "03-06 08:00"]),
        case("an end instant is inclusive", "UTC", "2026-03-05", repeat(json!({"frequency": 2, "period": 1, "periodUnit": "d", "boundsPeriod": {"end": "2026-03-06T08:00:00Z"}})), week, &["03-05 08:00", "03-05 20:00", "03-06 08:00"]),
        case("an end instant just before is not reached", "UTC", "2026-03-05", repeat(json!({"frequency": 2, "period": 1, "periodUnit": "d", "boundsPeriod": {"end": "2026-03-06T07:59:59Z"}})), week, &["03-05 08:00", "03-05 20:00"]),
        case("a duration in hours is elapsed", "Europe/Berlin", "2026-03-28T20:00:00+01:00", repeat(json!({"period": 6, "periodUnit": "h", "boundsDuration": {"value": 24, "code": "h"}})), ("2026-03-28", "2026-03-31"), &["03-28 20:00", "03-29 03:00", "03-29 09:00", "03-29 15:00"]),
        case("a duration of a month is calendar time", "UTC", "2026-01-31", repeat(json!({"period": 1, "periodUnit": "wk", "boundsDuration": {"value": 1, "code": "mo"}})), year, &["01-31 08:00", "02-07 08:00", "02-14 08:00", "02-21 08:00"]),
        case("a duration of a year", "UTC", "2026-01-15", repeat(json!({"period": 6, "periodUnit": "mo", "boundsDuration": {"value": 1, "code": "a"}})), ("2026-01-01", "2028-01-01"), &["01-15 08:00", "07-15 08:00"]),
        case("29 February is 28 February in common years", "UTC", "2024-02-29", repeat(json!({"period": 1, "periodUnit": "a"})), ("2024-01-01", "2029-01-01"), &["02-29 08:00", "02-28 08:00", "02-28 08:00", "02-28 08:00", "02-29 08:00"]),
        case("48 hours are two days by the wall clock", "Europe/Paris", "2026-03-27", repeat(json!({"frequency": 1, "period": 48, "periodUnit": "h"})), ("2026-03-27", "2026-04-01"), &["03-27 08:00", "03-29 08:00", "03-31 08:00"]),
        case("1440 minutes are a day", "Europe/Paris", "2026-03-28", repeat(json!({"frequency": 3, "period": 1440, "periodUnit": "min"})), ("2026-03-28", "2026-03-29"), &["03-28 08:00", "03-28 14:00", "03-28 20:00"]),
        case("a period and a half", "UTC", "2026-03-02T00:00:00Z", repeat(json!({"period": 1.5, "periodUnit": "h", "count": 3})), day, &["03-02 00:00", "03-02 01:30", "03-02 03:00"]),
        case("every 20 minutes is several that take turns", "UTC", "2026-03-02T10:00:00Z", repeat(json!({"period": 20, "periodUnit": "min", "count": 5})), day, &["03-02 10:00", "03-02 10:20", "03-02 10:40", "03-02 11:00", "03-02 11:20"]),
        case("every 3 days on Mondays only", "UTC", "2026-03-02", repeat(json!({"period": 3, "periodUnit": "d", "dayOfWeek": ["mon"]})), ("2026-03-01", "2026-05-01"), &["03-02 08:00", "03-23 08:00", "04-13 08:00"]),
        case("every 14 days on the weekday that fits", "UTC", "2026-03-02", repeat(json!({"period": 14, "periodUnit": "d", "dayOfWeek": ["mon", "tue"]})), ("2026-03-01", "2026-04-01"), &["03-02 08:00", "03-16 08:00", "03-30 08:00"]),
        case("every 2 weeks begins with the Monday of the start", "UTC", "2026-03-04", repeat(json!({"period": 2, "periodUnit": "wk", "dayOfWeek": ["mon", "sun"]})), ("2026-03-01", "2026-04-01"), &["03-08 08:00", "03-16 08:00", "03-22 08:00", "03-30 08:00"]),
        case("4 a week are two days with two times", "UTC", "2026-03-01", repeat(json!({"frequency": 4, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "fri"], "when": ["MORN", "HS"]})), week, &["03-02 08:00", "03-02 22:00", "03-06 08:00", "03-06 22:00"]),
        case("one a week with two days is each of them", "UTC", "2026-03-01", repeat(json!({"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "fri"], "timeOfDay": ["07:45:00"]})), week, &["03-02 07:45", "03-06 07:45"]),
        case("before meals without an offset", "UTC", "2026-03-01", repeat(json!({"when": ["ACM", "PCV"]})), day, &["03-02 07:00", "03-02 19:00"]),
        case("an offset is before a meal", "UTC", "2026-03-01", repeat(json!({"when": ["ACD"], "offset": 45})), day, &["03-02 11:45"]),
        case("an offset is before bedtime", "UTC", "2026-03-01", repeat(json!({"when": ["HS"], "offset": 60})), day, &["03-02 21:00"]),
        case("an offset is after all else", "UTC", "2026-03-01", repeat(json!({"when": ["WAKE"], "offset": 15})), day, &["03-02 07:15"]),
        case("an offset of zero is at the meal", "UTC", "2026-03-01", repeat(json!({"when": ["PCM"], "offset": 0})), day, &["03-02 07:30"]),
        case("C is with each meal", "UTC", "2026-03-01", repeat(json!({"when": ["C"]})), day, &["03-02 07:30", "03-02 12:30", "03-02 18:30"]),
        case("an offset past midnight belongs to the day of its meal", "UTC", "2026-03-01", repeat(json!({"when": ["PCV"], "offset": 360, "dayOfWeek": ["mon"]})), ("2026-03-01", "2026-03-15"), &["03-03 00:30", "03-10 00:30"]),
        case("nothing falls before the midnight of the start date", "UTC", "2026-03-02", repeat(json!({"when": ["ACM"], "offset": 480})), ("2026-03-01", "2026-03-04"), &["03-02 23:30", "03-03 23:30"]),
        case("a time past midnight every other week", "UTC", "2026-03-02", repeat(json!({"when": ["PCV"], "offset": 360, "period": 2, "periodUnit": "wk", "dayOfWeek": ["sun"]})), ("2026-03-01", "2026-04-01"), &["03-09 00:30", "03-23 00:30"]),
        case("a time before midnight every third day", "UTC", "2026-03-02", repeat(json!({"when": ["ACM"], "offset": 480, "period": 3, "periodUnit": "d"})), ("2026-03-01", "2026-03-12"), &["03-04 23:30", "03-07 23:30", "03-10 23:30"]),
        case("a count counts from the start", "UTC", "2026-03-01", repeat(json!({"timeOfDay": ["08:00:00", "20:00:00"], "count": 5})), week, &["03-02 08:00", "03-02 20:00", "03-03 08:00"]),
        case("a count and an end: the first that is reached", "UTC", "2026-03-01", repeat(json!({"timeOfDay": ["08:00:00"], "count": 9, "boundsPeriod": {"end": "2026-03-03"}})), week, &["03-02 08:00", "03-03 08:00"]),
        case("one alone at the instant of the start", "UTC", "2026-03-02T10:11:12Z", repeat(json!({"count": 1})), week, &["03-02 10:11"]),
        case("one alone on a date", "UTC", "2026-03-02", repeat(json!({"count": 1})), week, &["03-02 08:00"]),
        case("events need no start", "UTC", "", json!({"event": ["2026-03-04", "2026-03-03T09:30:00+01:00"]}), week, &["03-03 08:30", "03-04 08:00"]),
        case("the start is no bound of events, the period is", "UTC", "2026-03-04", json!({"event": ["2026-03-03", "2026-03-05", "2026-03-07"], "repeat": {"boundsPeriod": {"end": "2026-03-05"}}}), week, &["03-03 08:00", "03-05 08:00"]),
        case("ranges whose ends agree are no ranges", "UTC", "2026-03-02", repeat(json!({"frequency": 2, "frequencyMax": 2, "period": 1, "periodMax": 1, "periodUnit": "d", "boundsRange": {"low": {"value": 1, "code": "d"}, "high": {"value": 1, "code": "d"}}})), week, &["03-02 08:00", "03-02 20:00"]),
        case("the start of the bounds wins over the importer's", "UTC", "2020-01-01", repeat(json!({"period": 3, "periodUnit": "d", "boundsPeriod": {"start": "2026-03-03"}})), week, &["03-03 08:00", "03-06 08:00"]),
        case("the time of a day that Samoa left out falls onto the next one: one dose", "Pacific/Apia", "2011-12-29", repeat(json!({"timeOfDay": ["08:00:00"]})), ("2011-12-28", "2012-01-01"), &["12-29 08:00", "12-31 08:00"]),
        case("half an hour of DST", "Australia/Lord_Howe", "2026-10-03", repeat(json!({"timeOfDay": ["02:15:00"]})), ("2026-10-03", "2026-10-06"), &["10-03 02:15", "10-04 02:45", "10-05 02:15"]),
        case("the hour that comes twice is due once", "America/New_York", "2026-10-31", repeat(json!({"timeOfDay": ["01:30:00"]})), ("2026-10-31", "2026-11-03"), &["10-31 01:30", "11-01 01:30", "11-02 01:30"]),
    ]
}

#[test]
fn timings_give_their_instants_and_so_do_the_plans_written_of_them() {
    for case in cases() {
        let terms = terms(case.zone, case.start);
        let request = read(&one(&case.timing), &terms)
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", case.claim));
        let (from, until) = case.span;
        let found = due(&request, &terms, from, until);
        assert_eq!(
            shown(found.iter().copied(), &terms.zone),
            case.expected,
            "{}",
            case.claim
        );
        let planned = due_as_plan(&request, &terms, from, until);
        assert_eq!(planned, found, "{} as a plan", case.claim);
    }
}

#[test]
fn weekdays_of_a_distance_are_previewed_and_not_carried_over() {
    let terms = terms("Europe/Berlin", Some("2026-03-23T04:00:00+01:00"));
    let timing = repeat(json!({"period": 8, "periodUnit": "h", "dayOfWeek": ["sun"], "count": 4}));
    let request = read(&one(&timing), &terms).unwrap();
    let found = due(&request, &terms, "2026-03-01", "2026-05-01");
    assert_eq!(
        shown(found.into_iter(), &terms.zone),
        ["03-29 05:00", "03-29 13:00", "03-29 21:00", "04-05 05:00"]
    );
    let subject = Subject::of(&request, &Names::default());
    let written = write(&subject, &[request], &terms);
    assert_eq!(written.text, None);
    assert!(written.lost[0].contains("MedicationRequest/r1: dosageInstruction[0]"));
}

#[test]
fn a_day_map_moves_the_times() {
    let mut terms = terms("UTC", Some("2026-03-02"));
    terms.day.set_time(DayWord::Breakfast, time(0, 15, 0, 0));
    terms.day.set_time(DayWord::Bedtime, time(0, 30, 0, 0));
    terms
        .day
        .set_times(6, (0..6).map(|n| time(n * 4, 5, 0, 0)).collect());
    for (timing, expected) in [
        (repeat(json!({"when": ["ACM"]})), vec!["03-02 23:45"]),
        (
            repeat(json!({"when": ["HS"], "offset": 60})),
            vec!["03-02 23:30"],
        ),
        (
            repeat(json!({"frequency": 6, "period": 1, "periodUnit": "d"})),
            vec![
                "03-02 00:05",
                "03-02 04:05",
                "03-02 08:05",
                "03-02 12:05",
                "03-02 16:05",
                "03-02 20:05",
            ],
        ),
        (
            repeat(json!({"when": ["ACM", "MORN"]})),
            vec!["03-02 08:00", "03-02 23:45"],
        ),
    ] {
        let request = read(&one(&timing), &terms).unwrap();
        let found = due(&request, &terms, "2026-03-02", "2026-03-03");
        assert_eq!(
            shown(found.iter().copied(), &terms.zone),
            expected,
            "{timing}"
        );
        let planned = due_as_plan(&request, &terms, "2026-03-02", "2026-03-03");
        assert_eq!(planned, found, "{timing} as a plan");
    }
}

#[test]
fn what_leaves_something_open_is_refused_at_its_element() {
    let r = repeat;
    #[rustfmt::skip]
    let cases = [
        (json!({}), "timing.repeat"),
        (r(json!({"boundsPeriod": {"start": "2026-03-01"}})), "timing.repeat"),
        (r(json!({"count": 5})), "timing.repeat.count"),
        (r(json!({"frequency": 2})), "timing.repeat.period"),
        (r(json!({"frequency": 3, "period": 1, "periodUnit": "wk"})), "timing.repeat.frequency"),
        (r(json!({"frequency": 2, "period": 3, "periodUnit": "d"})), "timing.repeat.frequency"),
        (r(json!({"frequency": 2, "period": 1, "periodUnit": "mo"})), "timing.repeat.frequency"),
        (r(json!({"period": 1, "periodUnit": "mo", "dayOfWeek": ["mon"]})), "timing.repeat.dayOfWeek"),
        (r(json!({"frequency": 7, "period": 1, "periodUnit": "d"})), "timing.repeat.frequency"),
        (r(json!({"frequency": 2, "period": 12, "periodUnit": "h"})), "timing.repeat.frequency"),
        (r(json!({"period": 1, "periodUnit": "min"})), "timing.repeat.period"),
        (r(json!({"period": 0.5, "periodUnit": "d"})), "timing.repeat.period"),
        (r(json!({"period": 0, "periodUnit": "d"})), "timing.repeat.period"),
        (r(json!({"when": ["MORN", "EVE"], "frequency": 1, "period": 1, "periodUnit": "d"})), "timing.repeat.frequency"),
        (r(json!({"when": ["PHS"]})), "timing.repeat.when[0]"),
        (r(json!({"when": ["MORN", "NOON.early"]})), "timing.repeat.when[1]"),
        (r(json!({"when": ["MORN"], "timeOfDay": ["08:00:00"]})), "timing.repeat.timeOfDay"),
        (r(json!({"timeOfDay": ["08:00:30"]})), "timing.repeat.timeOfDay[0]"),
        (r(json!({"timeOfDay": ["24:00:00"]})), "timing.repeat.timeOfDay[0]"),
        (r(json!({"when": ["C"], "offset": 10})), "timing.repeat.offset"),
        (r(json!({"timeOfDay": ["08:00:00"], "offset": 10})), "timing.repeat.offset"),
        (r(json!({"dayOfWeek": ["Mon"]})), "timing.repeat.dayOfWeek[0]"),
        (r(json!({"dayOfWeek": "mon"})), "timing.repeat.dayOfWeek"),
        (r(json!({"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"})), "timing.repeat.frequencyMax"),
        (r(json!({"period": 4, "periodMax": 6, "periodUnit": "h"})), "timing.repeat.periodMax"),
        (r(json!({"timeOfDay": ["08:00:00"], "count": 2, "countMax": 3})), "timing.repeat.countMax"),
        (r(json!({"timeOfDay": ["08:00:00"], "boundsRange": {"low": {"value": 3, "code": "d"}, "high": {"value": 5, "code": "d"}}})), "timing.repeat.boundsRange"),
        (r(json!({"timeOfDay": ["08:00:00"], "boundsRange": {"high": {"value": 5, "code": "d"}}})), "timing.repeat.boundsRange.low"),
        (r(json!({"timeOfDay": ["08:00:00"], "boundsDuration": {"value": 0, "code": "d"}})), "timing.repeat.boundsDuration.value"),
        (r(json!({"timeOfDay": ["08:00:00"], "boundsDuration": {"value": 1.5, "code": "wk"}})), "timing.repeat.boundsDuration.value"),
        (r(json!({"timeOfDay": ["08:00:00"], "boundsDuration": {"value": 3, "comparator": "<", "code": "d"}})), "timing.repeat.boundsDuration.comparator"),
        (r(json!({"timeOfDay": ["08:00:00"], "boundsPeriod": {"start": "2026-03"}})), "timing.repeat.boundsPeriod.start"),
        (r(json!({"timeOfDay": ["08:00:00"], "boundsPeriod": {"end": "2026-03-01T08:00:00"}})), "timing.repeat.boundsPeriod.end"),
        (r(json!({"timeOfDay": ["08:00:00"], "boundsPeriod": {"start": "2026-03-05", "end": "2026-03-04"}})), "timing.repeat.boundsPeriod.end"),
        (json!({"event": ["2026-02-30"]}), "timing.event[0]"),
        (json!({"event": ["2026"]}), "timing.event[0]"),
        (code("bid"), "timing.code"),
        (json!({"code": {"text": "BID"}}), "timing.code"),
        (json!({"code": {"coding": [{"system": "http://example.org/codes", "code": "BID"}]}}), "timing.code"),
        (json!({"code": {"coding": [{"code": "BID"}, {"code": "TID"}]}}), "timing.code"),
        (json!({"repeat": {"timeOfDay": ["08:00:00"]}, "modifierExtension": [{"url": "http://example.org/x"}]}), "timing.modifierExtension[0]"),
    ];
    for (timing, element) in cases {
        let refusal = read(&one(&timing), &terms("UTC", Some("2026-03-01"))).unwrap_err();
        assert_eq!(
            refusal.element,
            format!("dosageInstruction[0].{element}"),
            "{timing}: {refusal}"
        );
        assert_eq!(refusal.resource, "MedicationRequest/r1");
    }
}

#[test]
fn requests_are_refused_or_left_by_what_they_say_of_themselves() {
    let daily = json!([{"timing": {"repeat": {"timeOfDay": ["08:00:00"]}}}]);
    let with = |key: &str, value: Value| {
        let mut request = request(&daily);
        request[key] = value;
        request
    };
    let without = |key: &str| {
        let mut request = request(&daily);
        request.as_object_mut().unwrap().remove(key);
        request
    };
    let terms = terms("UTC", Some("2026-03-01"));
    for (request, element) in [
        (without("status"), "status"),
        (with("status", json!("Active")), "status"),
        (without("intent"), "intent"),
        (with("intent", json!("command")), "intent"),
        (without("subject"), "subject"),
        (with("subject", json!({})), "subject"),
        (without("medicationCodeableConcept"), "medication[x]"),
        (
            with("medicationReference", json!({"reference": "Medication/1"})),
            "medication[x]",
        ),
        (without("dosageInstruction"), "dosageInstruction"),
        (with("dosageInstruction", json!([])), "dosageInstruction"),
        (
            with("dosageInstruction", json!([{"text": "1-0-1"}])),
            "dosageInstruction[0].timing",
        ),
        (
            with(
                "modifierExtension",
                json!([{"url": "http://example.org/x"}]),
            ),
            "modifierExtension[0]",
        ),
        (
            with("implicitRules", json!("http://example.org/r")),
            "implicitRules",
        ),
        (with("doNotPerform", json!("true")), "doNotPerform"),
    ] {
        let refusal = read(&request, &terms).unwrap_err();
        assert_eq!(refusal.element, element, "{request}");
    }
    for (request, reason) in [
        (
            with("status", json!("on-hold")),
            Unscheduled::Status("on-hold".to_owned()),
        ),
        (
            with("intent", json!("plan")),
            Unscheduled::Intent("plan".to_owned()),
        ),
        (with("doNotPerform", json!(true)), Unscheduled::DoNotPerform),
        (
            with("dosageInstruction", json!([{"asNeededBoolean": true}])),
            Unscheduled::AsNeeded,
        ),
    ] {
        let found = read(&request, &terms).unwrap();
        assert_eq!(found.unscheduled, Some(reason), "{request}");
        assert_eq!(due(&found, &terms, "2026-03-01", "2026-04-01"), []);
    }
    for intent in [
        "order",
        "original-order",
        "reflex-order",
        "filler-order",
        "instance-order",
    ] {
        let found = read(&with("intent", json!(intent)), &terms).unwrap();
        assert_eq!(
            due(&found, &terms, "2026-03-02", "2026-03-04").len(),
            2,
            "{intent}"
        );
    }
}

fn phase(sequence: Option<i64>, mut repeat: Value, bounds: Value) -> Value {
    if let (Some(repeat), Value::Object(bounds)) = (repeat.as_object_mut(), bounds) {
        repeat.extend(bounds);
    }
    let mut dosage = json!({"timing": {"repeat": repeat}});
    if let Some(sequence) = sequence {
        dosage["sequence"] = json!(sequence);
    }
    dosage
}

#[test]
fn different_sequences_follow_each_other() {
    let daily = || json!({"timeOfDay": ["08:00:00"]});
    let days = |n: u32| json!({"boundsDuration": {"value": n, "code": "d"}});
    let terms = terms("UTC", Some("2026-03-02"));
    let found = |dosages: Value| {
        read(&request(&dosages), &terms)
            .map(|request| {
                let found = due(&request, &terms, "2026-03-01", "2026-03-08");
                assert_eq!(
                    due_as_plan(&request, &terms, "2026-03-01", "2026-03-08"),
                    found
                );
                shown(found.into_iter(), &terms.zone).join(", ")
            })
            .map_err(|refusal| refusal.element)
    };
    let noon = || json!({"timeOfDay": ["12:00:00"]});
    // By number and not by place.
    assert_eq!(
        found(json!([
            phase(Some(2), noon(), days(2)),
            phase(Some(1), daily(), days(2))
        ])),
        Ok("03-02 08:00, 03-03 08:00, 03-04 12:00, 03-05 12:00".to_owned())
    );
    // The later end of two that run together counts.
    assert_eq!(
        found(json!([
            phase(Some(1), daily(), days(1)),
            phase(Some(1), noon(), days(2)),
            phase(Some(5), daily(), days(1))
        ])),
        Ok("03-02 08:00, 03-02 12:00, 03-03 12:00, 03-04 08:00".to_owned())
    );
    // A start of its own.
    assert_eq!(
        found(json!([
            phase(Some(1), daily(), days(1)),
            phase(
                Some(2),
                daily(),
                json!({"boundsPeriod": {"start": "2026-03-06", "end": "2026-03-06"}})
            )
        ])),
        Ok("03-02 08:00, 03-06 08:00".to_owned())
    );
    // A count is an end, but what follows must say when.
    assert_eq!(
        found(json!([
            phase(Some(1), daily(), json!({"count": 2})),
            phase(
                Some(2),
                noon(),
                json!({"boundsPeriod": {"start": "2026-03-06", "end": "2026-03-06"}})
            )
        ])),
        Ok("03-02 08:00, 03-03 08:00, 03-06 12:00".to_owned())
    );
    // So is a single one at the start.
    assert_eq!(
        found(json!([
            phase(Some(1), json!({"count": 1}), json!({})),
            phase(
                Some(2),
                noon(),
                json!({"boundsPeriod": {"start": "2026-03-03", "end": "2026-03-04"}})
            )
        ])),
        Ok("03-02 08:00, 03-03 12:00, 03-04 12:00".to_owned())
    );
    let without_end = Err("dosageInstruction[0].timing.repeat.bounds[x]".to_owned());
    assert_eq!(
        found(json!([
            phase(Some(1), daily(), json!({})),
            phase(Some(2), noon(), days(2))
        ])),
        without_end
    );
    assert_eq!(
        found(json!([
            phase(Some(1), daily(), json!({"count": 2})),
            phase(Some(2), noon(), days(2))
        ])),
        without_end
    );
    assert_eq!(
        found(json!([
            phase(Some(1), daily(), days(1)),
            phase(None, noon(), days(2))
        ])),
        Err("dosageInstruction[1].sequence".to_owned())
    );
    let mut needed = phase(Some(2), noon(), days(2));
    needed["asNeededBoolean"] = json!(true);
    assert_eq!(
        found(json!([phase(Some(1), daily(), days(1)), needed])),
        Err("dosageInstruction[1].sequence".to_owned())
    );
}

/// The medications of the plan that is written of a request, without name and id.
fn written(dosages: &Value, terms: &Terms) -> Vec<String> {
    let request = read(&request(dosages), terms).unwrap();
    let subject = Subject::of(&request, &Names::default());
    let text = write(&subject, &[request], terms).text.unwrap();
    text.split("[[medication]]\n")
        .skip(1)
        .map(|item| {
            let lines = item.lines().filter(|line| {
                !line.is_empty() && !line.starts_with("name = ") && !line.starts_with("id = ")
            });
            lines.collect::<Vec<_>>().join("; ")
        })
        .collect()
}

fn dosed(dose: u32, repeat: &Value, more: Value) -> Value {
    let mut dosage = json!({
        "timing": {"repeat": repeat},
        "doseAndRate": [{"doseQuantity": {"value": dose, "unit": "mg"}}],
    });
    if let (Some(dosage), Value::Object(more)) = (dosage.as_object_mut(), more) {
        dosage.extend(more);
    }
    dosage
}

#[test]
fn dosages_of_one_request_become_one_medication_where_a_form_says_them_together() {
    let terms = terms("Europe/Berlin", Some("2026-03-02"));
    let times = json!([
        dosed(
            5,
            &json!({"timeOfDay": ["08:00:00", "12:00:00"]}),
            json!({"text": "a"})
        ),
        dosed(10, &json!({"when": ["HS"]}), json!({"text": "b"})),
    ]);
    assert_eq!(
        written(&times, &terms),
        [
            "take = { \"08:00, 12:00\" = \"5 mg\", \"22:00\" = \"10 mg\" }; start = 2026-03-02; note = \"a\\nb\""
        ]
    );
    let by_days = |days: &[&str]| json!({"when": ["EVE"], "dayOfWeek": days, "boundsDuration": {"value": 4, "code": "wk"}});
    let days = json!([
        dosed(5, &by_days(&["mon", "wed", "fri"]), json!({})),
        dosed(2, &by_days(&["tue", "sun"]), json!({})),
    ]);
    assert_eq!(
        written(&days, &terms),
        [
            "take = { \"mon, wed, fri\" = \"5 mg\", \"tue, sun\" = \"2 mg\" }; at = \"18:00\"; start = 2026-03-02; for = \"4 weeks\""
        ]
    );
    let step = |bounds: Value| {
        let mut repeat = json!({"when": ["MORN"]});
        repeat
            .as_object_mut()
            .unwrap()
            .extend(bounds.as_object().unwrap().clone());
        repeat
    };
    let steps = json!([
        dosed(
            40,
            &step(json!({"boundsDuration": {"value": 5, "code": "d"}})),
            json!({"sequence": 1})
        ),
        dosed(
            20,
            &step(json!({"boundsPeriod": {"start": "2026-03-07", "end": "2026-03-09"}})),
            json!({"sequence": 2})
        ),
        dosed(10, &step(json!({})), json!({"sequence": 3})),
    ]);
    assert_eq!(
        written(&steps, &terms),
        [
            "steps = [\"40 mg for 5 days\", \"20 mg for 3 days\", \"10 mg\"]; at = \"08:00\"; start = 2026-03-02"
        ]
    );
    // A gap between them, one time in both, a count: no form says that together.
    let apart = [
        json!([
            dosed(
                40,
                &step(json!({"boundsDuration": {"value": 5, "code": "d"}})),
                json!({"sequence": 1})
            ),
            dosed(
                20,
                &step(json!({"boundsPeriod": {"start": "2026-03-10"}})),
                json!({"sequence": 2})
            ),
        ]),
        json!([
            dosed(
                5,
                &json!({"timeOfDay": ["08:00:00", "12:00:00"]}),
                json!({})
            ),
            dosed(10, &json!({"timeOfDay": ["12:00:00"]}), json!({})),
        ]),
        json!([
            dosed(
                5,
                &json!({"timeOfDay": ["08:00:00"], "count": 3}),
                json!({})
            ),
            dosed(
                10,
                &json!({"timeOfDay": ["12:00:00"], "count": 3}),
                json!({})
            ),
        ]),
    ];
    for dosages in apart {
        assert_eq!(written(&dosages, &terms).len(), 2, "{dosages}");
    }
}

#[test]
fn what_cannot_be_read_is_named_by_its_id() {
    let mut wrong = one(&json!({"repeat": {"when": ["MORN"]}}));
    wrong["doNotPerform"] = json!("true");
    let refusal = read(&wrong, &terms("UTC", None)).unwrap_err();
    assert_eq!(refusal.resource, "MedicationRequest/r1");
    assert_eq!(refusal.element, "doNotPerform");
}

#[test]
fn modifiers_are_refused_wherever_they_stand() {
    let unknown = || json!([{"url": "http://example.org/not"}]);
    let terms = terms("UTC", Some("2026-03-02"));
    for (timing, dose, element) in [
        (
            json!({"repeat": {"when": ["MORN"], "modifierExtension": unknown()}}),
            json!({}),
            "timing.repeat",
        ),
        (
            json!({"repeat": {"when": ["MORN"]}, "modifierExtension": unknown()}),
            json!({}),
            "timing",
        ),
        (
            json!({"repeat": {"when": ["MORN"]}}),
            json!({"modifierExtension": unknown()}),
            "doseAndRate[0]",
        ),
    ] {
        let dosages = json!([{"timing": timing, "doseAndRate": [dose]}]);
        let refusal = read(&request(&dosages), &terms).unwrap_err();
        assert_eq!(
            refusal.element,
            format!("dosageInstruction[0].{element}.modifierExtension[0]")
        );
    }
}

#[test]
fn doses_are_value_and_unit() {
    let q = |value: Value| json!([{"doseQuantity": value}]);
    let range = |low: Value, high: Value| json!([{"doseRange": {"low": low, "high": high}}]);
    let found = |dose: Value| {
        let dosage =
            json!([{"timing": {"repeat": {"timeOfDay": ["08:00:00"]}}, "doseAndRate": dose}]);
        read(&request(&dosage), &terms("UTC", Some("2026-03-01")))
            .map(|request| request.courses[0].dose.clone())
            .map_err(|refusal| refusal.element["dosageInstruction[0].".len()..].to_owned())
    };
    let ok = |text: &str| Ok(text.to_owned());
    let err = |text: &str| Err(text.to_owned());
    assert_eq!(
        found(q(json!({"value": 2.5, "unit": "mg", "code": "MG"}))),
        ok("2.5 mg")
    );
    assert_eq!(found(q(json!({"value": 2.0, "code": "mL"}))), ok("2 mL"));
    assert_eq!(found(q(json!({"value": 0.001}))), ok("0.001"));
    assert_eq!(found(json!([])), ok(""));
    assert_eq!(found(json!([{"rateQuantity": {"value": 1}}])), ok(""));
    assert_eq!(
        found(range(
            json!({"value": 1, "unit": "Tab"}),
            json!({"value": 2, "unit": "Tab"})
        )),
        ok("1-2 Tab")
    );
    assert_eq!(
        found(range(
            json!({"value": 1}),
            json!({"value": 1, "unit": "Tab"})
        )),
        ok("1 Tab")
    );
    assert_eq!(
        found(range(json!({"value": 2}), json!({"value": 1}))),
        err("doseAndRate[0].doseRange")
    );
    assert_eq!(
        found(range(json!({"value": 0}), json!({"value": 1}))),
        err("doseAndRate[0].doseRange.low.value")
    );
    assert_eq!(
        found(q(json!({"value": 0}))),
        err("doseAndRate[0].doseQuantity.value")
    );
    assert_eq!(
        found(q(json!({"value": -1}))),
        err("doseAndRate[0].doseQuantity.value")
    );
    assert_eq!(
        found(q(json!({"value": "1"}))),
        err("doseAndRate[0].doseQuantity.value")
    );
    assert_eq!(
        found(q(json!({"value": 1, "comparator": "<"}))),
        err("doseAndRate[0].doseQuantity.comparator")
    );
    assert_eq!(
        found(json!([{"doseQuantity": {"value": 1}, "doseRange": {}}])),
        err("doseAndRate[0].dose[x]")
    );
}

#[test]
fn two_dosages_at_one_instant_stay_two_lines_in_their_order() {
    let at = |value: u32, time: &str| json!({"timing": {"repeat": {"timeOfDay": [time]}}, "doseAndRate": [{"doseQuantity": {"value": value}}]});
    let terms = terms("UTC", Some("2026-03-02"));
    let request = read(
        &request(&json!([
            at(3, "20:00:00"),
            at(2, "08:00:00"),
            at(1, "08:00:00")
        ])),
        &terms,
    )
    .unwrap();
    let zone = &terms.zone;
    let span = |text: &str| zone.instant(text.parse().unwrap());
    let due = request.due_between(zone, span("2026-03-02"), span("2026-03-03"));
    let doses: Vec<&str> = due.iter().map(|due| due.dose).collect();
    assert_eq!(doses, ["2", "1", "3"]);
    // One medication: the window ends half way to the evening's dose.
    assert_eq!(due[0].window_ends, due[1].window_ends);
    assert_eq!(due[0].window_ends, span("2026-03-02T14:00"));
}

#[test]
fn as_needed_keeps_its_ceilings() {
    let dosage = json!([{
        "asNeededCodeableConcept": {"text": "pain"},
        "timing": {"repeat": {"frequency": 1, "period": 6, "periodUnit": "h"}},
        "doseAndRate": [{"doseQuantity": {"value": 200, "unit": "mg"}}],
        "maxDosePerPeriod": {"numerator": {"value": 600, "unit": "mg"}, "denominator": {"value": 1, "code": "d"}},
    }]);
    let terms = terms("UTC", None);
    let request = read(&request(&dosage), &terms).unwrap();
    let subject = Subject::of(&request, &Names::default());
    let text = write(&subject, &[request], &terms).text.unwrap();
    for line in [
        "as_needed = \"pain\"",
        "at_most = \"3 in 24 hours\"",
        "apart = \"6 hours\"",
        "take = \"200 mg\"",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn names_come_from_patients_and_medications() {
    let bundle = json!({"resourceType": "Bundle", "entry": [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "p1", "birthDate": "1950-02-03", "name": [{"use": "old", "text": "X"}, {"use": "official", "family": "王", "given": ["秀兰"]}]}},
        {"resource": {"resourceType": "Medication", "id": "m", "code": {"coding": [{"display": "Aspirin"}]}}},
        {"resource": {"resourceType": "Observation"}},
        {"resource": 5},
        {},
    ]});
    let mut names = Names::default();
    let mut refused = 0;
    let text = bundle.to_string();
    resources(&text, &mut |found| match found {
        Ok((resource, url)) => names.learn(resource, url.as_deref()).unwrap(),
        Err(_) => refused += 1,
    })
    .unwrap();
    assert_eq!(refused, 1);
    for reference in [
        "Patient/p1",
        "urn:uuid:1",
        "https://example.org/fhir/Patient/p1/_history/2",
    ] {
        assert_eq!(
            names.patient(reference).unwrap().name.as_deref(),
            Some("王秀兰"),
            "{reference}"
        );
    }
    assert_eq!(names.medication("Medication/m"), Some("Aspirin"));
    assert_eq!(names.patient("Patient/p2"), None);
}

#[test]
fn slugs_are_stems_of_plan_files() {
    for (reference, slug) in [
        ("Patient/Ab_1", "ab_1"),
        ("urn:uuid:0C-1", "0c-1"),
        ("Amy Shaw", "amy-shaw"),
        ("王秀兰", "patient"),
        ("--x--", "x"),
        ("Patient/7/_history/3", "7"),
    ] {
        assert_eq!(super::slug(reference), slug);
    }
    let long = super::slug(&"a-".repeat(100));
    assert!(long.parse::<crate::plan::PatientId>().is_ok(), "{long}");
}

/// Repeats that may be followed, of all sorts.
fn any_repeat() -> impl Strategy<Value = Value> {
    let times = prop_oneof![
        proptest::sample::subsequence(vec!["MORN", "ACM", "PCV", "HS", "NIGHT", "CD"], 1..4)
            .prop_map(|when| json!({"when": when})),
        proptest::collection::btree_set((0..24_u8, 0..60_u8), 1..4).prop_map(|times| {
            let times: Vec<String> = times
                .iter()
                .map(|(h, m)| format!("{h:02}:{m:02}:00"))
                .collect();
            json!({"timeOfDay": times})
        }),
        Just(json!({})),
    ];
    let days = prop_oneof![
        Just(json!({})),
        (1..30_u32).prop_map(|n| json!({"period": n, "periodUnit": "d"})),
        (1..6_u32).prop_map(|n| json!({"period": n, "periodUnit": "wk"})),
        (1..14_u32).prop_map(|n| json!({"period": n, "periodUnit": "mo"})),
        (1..100_u32).prop_map(|n| json!({"period": n, "periodUnit": "h"})),
        proptest::sample::subsequence(vec!["mon", "wed", "sat", "sun"], 1..4)
            .prop_map(|days| json!({"dayOfWeek": days})),
        (
            2..6_u32,
            proptest::sample::subsequence(vec!["mon", "wed", "sun"], 1..3)
        )
            .prop_map(|(n, days)| json!({"period": n, "periodUnit": "wk", "dayOfWeek": days})),
        (
            2..12_u32,
            proptest::sample::subsequence(vec!["mon", "wed", "sun"], 1..3)
        )
            .prop_map(|(n, days)| json!({"period": n, "periodUnit": "d", "dayOfWeek": days})),
    ];
    let bounds = prop_oneof![
        Just(json!({})),
        (1..40_u32).prop_map(|n| json!({"boundsDuration": {"value": n, "code": "d"}})),
        (1..4_u32).prop_map(|n| json!({"boundsDuration": {"value": n, "code": "mo"}})),
        (1..400_u32).prop_map(|n| json!({"boundsDuration": {"value": n, "code": "h"}})),
        (1..28_u32).prop_map(|n| json!({"boundsPeriod": {"end": format!("2026-04-{n:02}")}})),
        (1..28_u32)
            .prop_map(|n| json!({"boundsPeriod": {"end": format!("2026-04-{n:02}T11:00:00Z")}})),
        (1..28_u32)
            .prop_map(|n| json!({"boundsPeriod": {"start": format!("2026-03-{n:02}T03:17:00Z")}})),
        (1..60_u32).prop_map(|n| json!({"count": n})),
    ];
    (times, days, bounds).prop_map(|(times, days, bounds)| {
        let mut repeat = serde_json::Map::new();
        for part in [times, days, bounds] {
            repeat.extend(part.as_object().unwrap().clone());
        }
        Value::Object(repeat)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn a_plan_that_is_written_means_the_same(
        repeat in any_repeat(),
        zone in proptest::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"]),
        start in proptest::sample::select(vec!["2026-03-01", "2026-01-31", "2026-03-14T09:30:15Z"]),
        breakfast in proptest::sample::select(vec![(7, 30), (0, 10)]),
        dinner in proptest::sample::select(vec![(18, 30), (23, 50)]),
    ) {
        let mut terms = terms(zone, Some(start));
        terms.day.set_time(DayWord::Breakfast, time(breakfast.0, breakfast.1, 0, 0));
        terms.day.set_time(DayWord::Dinner, time(dinner.0, dinner.1, 0, 0));
        if let Ok(request) = read(&one(&json!({"repeat": repeat})), &terms) {
            let span = ("2026-02-01", "2026-08-01");
            let found = due(&request, &terms, span.0, span.1);
            let elapsed_on_days = matches!(&request.courses[0].pattern, Pattern::Elapsed { weekdays, .. } if *weekdays != crate::recurrence::Weekdays::ALL);
            let spilled_months = matches!(&request.courses[0].pattern, Pattern::Clock { on: OnDays::Months(_), minutes } if minutes.iter().any(|m| !(0..1440).contains(m)));
            if !elapsed_on_days && !spilled_months {
                prop_assert_eq!(due_as_plan(&request, &terms, span.0, span.1), found);
            }
        }
    }
}

/// Puts another value at a place of a JSON text.
fn mutated(value: &mut Value, path: &[prop::sample::Index], with: &Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = with.clone();
        return;
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(first.index(map.len())).unwrap().clone();
            mutated(map.get_mut(&key).unwrap(), rest, with);
        }
        Value::Array(list) if !list.is_empty() => {
            let index = first.index(list.len());
            mutated(&mut list[index], rest, with);
        }
        _ => *value = with.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn nothing_that_is_read_panics(
        changes in proptest::collection::vec((
            proptest::collection::vec(any::<prop::sample::Index>(), 1..7),
            prop_oneof![
                any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from), any::<u32>().prop_map(Value::from),
                Just(Value::Null), Just(json!([])), Just(json!({})), Just(json!(true)),
                "\\PC{0,12}".prop_map(Value::from),
                proptest::sample::select(vec!["d", "wk", "mo", "a", "h", "min", "s", "mon", "2026-03-02", "9999-12-31", "2200-12-31T23:59:59Z", "1900-01-01", "MORN", "PCV", "active", "23:59:00"]).prop_map(Value::from),
                proptest::sample::select(vec![0.0, 1.0, 1e9, 1e300, -1.0, 0.001, 36_500.0, 100_000.0]).prop_map(Value::from),
            ],
        ), 0..4),
        cut in proptest::option::of(0..900_usize),
    ) {
        let mut request = request(&json!([
            {"sequence": 1, "text": "t", "timing": {"repeat": {"boundsDuration": {"value": 10, "code": "d"}, "frequency": 1, "period": 1, "periodUnit": "d", "count": 9, "when": ["PCV"], "offset": 30, "dayOfWeek": ["mon"]}}, "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}]},
            {"sequence": 2, "timing": {"repeat": {"period": 8, "periodUnit": "h", "boundsPeriod": {"start": "2026-03-02", "end": "2026-04-02T10:00:00Z"}}}},
            {"sequence": 3, "timing": {"event": ["2026-03-02"], "code": {"coding": [{"code": "BID"}]}}, "modifierExtension": []},
        ]));
        for (path, with) in &changes {
            mutated(&mut request, path, with);
        }
        let mut text = request.to_string();
        if let Some(cut) = cut.filter(|cut| text.is_char_boundary(*cut)) {
            text.truncate(cut);
        }
        let terms = terms("Europe/Berlin", Some("2026-03-01"));
        let _ = resources(&text, &mut |_| {});
        if let Ok(request) = super::read(&text, &Names::default(), &terms) {
            let _ = due(&request, &terms, "2026-03-01", "2026-03-15");
            let subject = Subject::of(&request, &Names::default());
            let _ = write(&subject, &[request], &terms);
        }
    }
}

#[test]
fn a_text_that_is_no_resource_is_refused_in_words() {
    for (text, expected) in [
        ("null", "resource: it is no JSON object"),
        ("[]", "resource: it is no JSON object"),
        (
            "{\"resourceType\": \"MedicationRequest\"",
            "resource: it is no JSON: EOF while parsing an object",
        ),
        (
            "{\"resourceType\": \"MedicationRequest\"} x",
            "resource: it is no JSON: trailing characters",
        ),
        ("{}", "resource: resourceType: it is missing"),
    ] {
        assert_eq!(head(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn a_dosage_whose_bounds_leave_no_time_is_never_due() {
    let never = |repeat: Value| {
        let terms = terms("America/New_York", Some("2026-03-03"));
        let request = read(&one(&json!({ "repeat": repeat })), &terms).unwrap();
        request.courses[0].is_never_due(&terms.zone)
    };
    let six_hours = json!({"value": 6, "code": "h"});
    // By the clock from the morning on, and the bounds end before it.
    assert!(never(json!({
        "frequency": 1, "period": 90, "periodUnit": "min", "boundsDuration": six_hours,
    })));
    assert!(!never(json!({
        "frequency": 1, "period": 90, "periodUnit": "min", "boundsDuration": {"value": 9, "code": "h"},
    })));
    // No Monday within the bounds.
    let bounds = json!({"start": "2026-03-03", "end": "2026-03-06"});
    assert!(never(json!({
        "dayOfWeek": ["mon"], "timeOfDay": ["08:00:00"], "boundsPeriod": bounds,
    })));
}
