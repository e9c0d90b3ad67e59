//! The top level of a patient's text.

use super::{
    Places, Reader, check_in, medication, optional_words,
    others::{self, APPOINTMENT_KEYS, AWAY_KEYS, CAREGIVER_KEYS},
    parsed, plain_date, required_words,
};
use crate::plan::{
    Day, Defaults, Language, ResolvedPlan, Zone,
    diagnostic::Diagnostic,
    grammar::{Problem, span},
    reader::{Keys, Table, Value, nearest},
};
use std::{collections::HashMap, ops::Range, sync::Arc};

pub(super) const KEYS: Keys = Keys::new(&[
    "name",
    "timezone",
    "language",
    "born",
    "wechat",
    "quiet_hours",
    "day",
    "caregiver",
    "medication",
    "check_in",
    "appointment",
    "away",
]);

/// More of a kind is a mistake of a program, not a patient.
const ITEMS_MAX: usize = 200;

pub(super) fn read(table: &Table<'_>, defaults: &Defaults) -> Option<(ResolvedPlan, Places)> {
    let findings = table.findings();
    table.check_keys(&KEYS);
    let name = required_words(table, "name", "name = \"王秀兰\"");
    let home = table
        .get("timezone")
        .map_or(Some(defaults.zone.clone()), |value| zone(&value));
    let language = table
        .get("language")
        .map_or(Some(defaults.language), |value| language(&value));
    let born = table.get("born").and_then(|value| born(&value, defaults));
    let wechat = optional_words(table, "wechat");
    let quiet_hours = table
        .get("quiet_hours")
        .and_then(|value| parsed(&value, span::quiet_hours));
    let day = table
        .get("day")
        .and_then(|value| value.table())
        .map_or_else(
            || defaults.day.clone(),
            |table| Day::read(&table, &defaults.day),
        );
    let trips = others::trips(&tables(table, "away", &AWAY_KEYS));
    // What stands in a wrong zone is still read, so that all that is wrong is said at once.
    let at_home = home.unwrap_or_else(|| defaults.zone.clone());
    let zone = trips
        .filter(|trips| !trips.is_empty())
        .and_then(|trips| at_home.with_trips(&trips).ok())
        .unwrap_or(at_home);
    let reader = Reader {
        findings,
        zone,
        day,
        now: defaults.now,
    };

    let medication_tables = tables(table, "medication", &medication::KEYS);
    let check_in_tables = tables(table, "check_in", &check_in::KEYS);
    let caregiver_tables = tables(table, "caregiver", &CAREGIVER_KEYS);
    refuse_doubles("medications", &medication_tables, "name");
    refuse_doubles("check-ins", &check_in_tables, "ask");
    refuse_doubles("caregivers", &caregiver_tables, "name");

    let medications = medication_tables
        .iter()
        .filter_map(|table| reader.medication(table));
    let (medications, medication_places) = medications.unzip();
    let check_ins = check_in_tables
        .iter()
        .filter_map(|table| reader.check_in(table));
    let (check_ins, check_in_places) = check_ins.unzip();
    let appointments = tables(table, "appointment", &APPOINTMENT_KEYS);
    let appointments = appointments
        .iter()
        .filter_map(|table| reader.appointment(table));
    let (appointments, appointment_places) = appointments.unzip();
    let caregivers: Vec<_> = caregiver_tables
        .iter()
        .filter_map(Reader::caregiver)
        .collect();
    let plan = ResolvedPlan {
        name: name?,
        language: language?,
        zone: reader.zone.clone(),
        quiet_hours: quiet_hours.or(defaults.quiet_hours),
        wechat,
        medications,
        check_ins,
        born,
        caregivers,
        appointments,
    };
    let places = Places {
        source: Arc::clone(findings.source()),
        medications: medication_places,
        check_ins: check_in_places,
        appointments: appointment_places,
    };
    if !findings.has_errors() {
        reader.doubts(&plan, &places, quiet_hours);
    }
    Some((plan, places))
}

fn tables<'a>(table: &Table<'a>, key: &str, keys: &Keys) -> Vec<Table<'a>> {
    let mut tables = table.tables(key, keys);
    if tables.len() > ITEMS_MAX {
        table.findings().error_with_help(
            table.span(),
            format!("there are more than {ITEMS_MAX} of `{key}`"),
            "leave out those that are over",
        );
        tables.truncate(ITEMS_MAX);
    }
    tables
}

/// An id names one thing (P7): `id`, else what the thing is called.
fn refuse_doubles(what: &str, tables: &[Table<'_>], name: &str) {
    let mut seen: HashMap<String, Range<usize>> = HashMap::new();
    for table in tables {
        let Some(value) = table.get("id").or_else(|| table.get(name)) else {
            continue;
        };
        let written = value.written();
        if !written.starts_with(['"', '\'']) {
            continue;
        }
        let Some(id) = value.text().map(|text| text.into_inner().trim().to_owned()) else {
            continue;
        };
        if let Some(first) = seen.get(&id) {
            let line = table.findings().source().position(first.start).line;
            table.findings().error_with_help(
                value.span(),
                format!("two {what} are called `{id}`; the other one is in line {line}"),
                format!("give them ids that differ: id = \"{id} 2\""),
            );
            continue;
        }
        seen.insert(id, value.span());
    }
}

/// A date of birth: not in the future.
fn born(value: &Value<'_>, defaults: &Defaults) -> Option<jiff::civil::Date> {
    let born = plain_date(value)?;
    let today = defaults.now.map(|now| defaults.zone.local(now).date());
    // Where the patient lives it may be tomorrow already.
    let latest = today.and_then(|today| today.tomorrow().ok());
    if latest.is_some_and(|latest| born > latest) {
        value.error_with_help(
            format!("{born} has not come yet"),
            format!("write: {} = 1950-01-31", value.key()),
        );
        return None;
    }
    Some(born)
}

/// Names of the database that are read otherwise than they are meant.
fn doubt_zone(value: &Value<'_>, name: &str) {
    let (message, help) = match name.to_ascii_uppercase().as_str() {
        "EST" => (
            "is the same all year: it has no summer time",
            "America/New_York",
        ),
        "MST" => (
            "is the same all year: it has no summer time",
            "America/Denver",
        ),
        upper => {
            let Some(hours) = upper.strip_prefix("ETC/GMT") else {
                return;
            };
            if hours.starts_with('+') {
                (
                    "lies west of Greenwich, in spite of its sign",
                    "Asia/Shanghai",
                )
            } else if hours.starts_with('-') {
                (
                    "lies east of Greenwich, in spite of its sign",
                    "America/New_York",
                )
            } else {
                return;
            }
        }
    };
    let findings = value.findings();
    let finding = Diagnostic::warning(
        findings.source(),
        value.span(),
        format!("`{name}` {message}"),
    );
    findings.push(finding.with_help(format!("a place is never misread: timezone = \"{help}\"")));
}

/// An IANA zone by its name.
pub(super) fn zone(value: &Value<'_>) -> Option<Zone> {
    let shanghai = || Problem::new("").help("\"Asia/Shanghai\"");
    if super::without_quotes(value, |text| Zone::get(text).map_err(|_| shanghai())) {
        return None;
    }
    let text = value.text()?.into_inner().trim();
    if let Ok(zone) = Zone::get(text) {
        doubt_zone(value, text);
        return Some(zone);
    }
    let names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // "Shanghai" and "Beijing" are what people write.
    let by_city = names.iter().find(|name| {
        name.rsplit('/')
            .next()
            .is_some_and(|city| city.eq_ignore_ascii_case(&text.replace(' ', "_")))
    });
    let known = match text.to_lowercase().as_str() {
        "" => None,
        "beijing" | "北京" | "china" | "utc+8" | "gmt+8" | "+08:00" | "cst" | "asia/beijing" => {
            Some("Asia/Shanghai")
        }
        _ => by_city.copied().or_else(|| nearest(text, &names)),
    };
    let help = format!("write: timezone = \"{}\"", known.unwrap_or("Asia/Shanghai"));
    value.error_with_help(format!("`{text}` is no time zone"), help);
    None
}

fn language(value: &Value<'_>) -> Option<Language> {
    parsed(value, |text| match text.trim() {
        "zh-CN" => Ok(Language::ZhCn),
        "en" => Ok(Language::En),
        other => {
            let english = other.to_lowercase().starts_with("en");
            Err(Problem::new(format!(
                "`{other}` is no language that messages are written in"
            ))
            .help(if english {
                "\"en\""
            } else {
                "\"zh-CN\" or \"en\""
            }))
        }
    })
}
