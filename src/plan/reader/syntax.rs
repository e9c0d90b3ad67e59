//! Texts that are no TOML: what the parser says of them, and what their writer may have meant.

use super::{Diagnostic, Source, civil, names};
use std::ops::Range;
use std::sync::Arc;

/// What a line is.
const FORM: &str = "a line is a key, `=` and a value, texts in quotes: take = \"1 tablet\"";
/// A longer line, in bytes, is not repeated in a help.
const REPEATED_MAX: usize = 400;

/// The parser's words with what helps a person who is no programmer.
pub(super) fn error(source: &Arc<Source>, span: Range<usize>, message: &str) -> Diagnostic {
    let line = source.line_at(span.start);
    let slice = source.slice(span.clone());
    let message = if message == "duplicate key" && !slice.is_empty() {
        format!(
            "`{}` is given twice",
            slice.trim_matches(['"', '\'', '[', ']'])
        )
    } else if message.contains("must be quoted") && slice.trim().is_empty() {
        "the value is missing".to_owned()
    } else {
        message.to_owned()
    };
    let diagnostic = Diagnostic::error(source, span, message);
    // Input methods for Chinese put these where TOML wants its ASCII twin.
    let twins = [
        ('“', '"'),
        ('”', '"'),
        ('＂', '"'),
        ('‘', '\''),
        ('’', '\''),
        ('＝', '='),
        ('［', '['),
        ('］', ']'),
        ('【', '['),
        ('】', ']'),
        ('＃', '#'),
    ];
    if let Some((wide, ascii)) = twins.into_iter().find(|(wide, _)| line.contains(*wide)) {
        return diagnostic.with_help(format!("write `{ascii}` instead of `{wide}`"));
    }
    if line.contains('：') && !line.contains('=') {
        return diagnostic.with_help("write `=` instead of `：`");
    }
    if line.contains("\"，") || line.contains("\"、") {
        return diagnostic.with_help("write `,` between the values of a list");
    }
    let help = help(line, diagnostic.message());
    diagnostic.with_help(help)
}

/// Lists in lists in lists; the parser does not always say where.
pub(super) fn too_deep(source: &Arc<Source>, span: Option<Range<usize>>) -> Diagnostic {
    let deepest = || {
        let mut start = 0;
        let lines = source.text().split_inclusive('\n').map(|line| {
            let place = start..start + line.trim_end().len();
            start += line.len();
            (line.matches(['.', '[', '{']).count(), place)
        });
        lines
            .max_by_key(|(depth, place)| (*depth, std::cmp::Reverse(place.start)))
            .map_or(0..0, |(_, place)| place)
    };
    let message = "keys, lists or tables stand in one another too deeply";
    Diagnostic::error(source, span.unwrap_or_else(deepest), message).with_help(FORM)
}

/// What to write instead of a line that is no TOML.
fn help(line: &str, message: &str) -> String {
    // Of a longer line nobody copies anything.
    let line = line.trim();
    if line.len() > REPEATED_MAX {
        return FORM.to_owned();
    }
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    let (key, value) = (
        key.trim(),
        value.split('#').next().unwrap_or_default().trim(),
    );
    let bare_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let under_key = |value: &str| {
        if bare_key && line.contains('=') {
            format!("write: {key} = {value}")
        } else {
            format!("write: {value}")
        }
    };
    if message.ends_with("is given twice") {
        return "keep one of the two and leave the other out".to_owned();
    }
    if message.contains("unquoted key") && !key.is_ascii() {
        return match names::translated(key.split(['：', ':', ' ']).next().unwrap_or(key)) {
            Some(known) => format!("keys are English words: write {known} instead of {key}"),
            None => "keys are English words: name, take, at, days, start, note".to_owned(),
        };
    }
    if line.starts_with('{') {
        return "a plan is no JSON: a line is a key, `=` and a value: name = \"王秀兰\"".to_owned();
    }
    if let Some(dates) = day_first(value) {
        return format!("write the year first: {key} = {dates}");
    }
    if message.contains("invalid date") || message.contains("must be quoted") {
        if let Some(date) = nearest_date(value) {
            return under_key(&date);
        }
        if message.contains("invalid date") {
            return under_key("2026-03-02");
        }
    }
    if message.contains("invalid time")
        && let Some(date) = nearest_date(value)
    {
        return under_key(&format!("{date}T08:00:00"));
    }
    if message.contains("invalid time")
        && let Some(time) = nearest_time(value)
    {
        return under_key(&format!("\"{time}\""));
    }
    if message.contains("invalid time") && bare_key {
        return under_key("\"08:00\"");
    }
    if message.contains("must be quoted") && !value.is_empty() && !value.contains(['"', '\\']) {
        return format!("write it in quotes: \"{value}\"");
    }
    if message.contains("unclosed") && line.starts_with('[') {
        let name = line.trim_matches(|c: char| c == '[' || c == ']' || c.is_whitespace());
        return if line.starts_with("[[") {
            format!("write: [[{name}]]")
        } else {
            format!("write: [{name}]")
        };
    }
    if value.starts_with('"') && !value.starts_with("\"\"\"") && value.matches('"').count() == 1 {
        return under_key(&format!("{value}\""));
    }
    if message.contains("unclosed array") && value.starts_with('[') {
        return under_key(&format!("{value}]"));
    }
    if message.contains("unclosed inline table") && value.starts_with('{') {
        return under_key(&format!("{value} }}"));
    }
    if let Some(whole) = value
        .strip_suffix([',', ';'])
        .filter(|whole| !whole.is_empty())
    {
        return under_key(whole.trim_end());
    }
    if let Some((key, value)) = line.split_once(':').filter(|_| !line.contains('=')) {
        let value = value.trim();
        let bare = value.starts_with(|c: char| c.is_ascii_digit() || "\"'[{".contains(c))
            || matches!(value, "true" | "false");
        return if bare {
            format!("write: {} = {value}", key.trim())
        } else {
            format!("write: {} = \"{value}\"", key.trim())
        };
    }
    FORM.to_owned()
}

/// "2026-3-2" or "2026/03/02" as it is to be written; the 30th of February as its last day.
fn nearest_date(value: &str) -> Option<String> {
    let numbers: Vec<i64> = value
        .trim_matches('"')
        .split(['-', '/', '.', '年', '月', '日'])
        .take(3)
        .map(|part| {
            let digits = part.trim().bytes().take_while(u8::is_ascii_digit).count();
            part.trim()[..digits].parse().ok()
        })
        .collect::<Option<_>>()?;
    let [year @ 1900..=2200, month @ 1..=12, day @ 1..=31] = numbers[..] else {
        return None;
    };
    let first = civil::Date::new(year as i16, month as i8, 1).ok()?;
    let last = first.last_of_month().day();
    Some(
        first
            .with()
            .day(last.min(day as i8))
            .build()
            .ok()?
            .to_string(),
    )
}

/// "3/2/2026": is it the day or the month that comes first? Each date that it may be.
fn day_first(value: &str) -> Option<String> {
    let parts: Vec<&str> = value.trim_matches('"').split(['/', '.', '-']).collect();
    let [first, second, year] = parts[..] else {
        return None;
    };
    let digits = |text: &str, most| {
        ((1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<i16>().ok())?
    };
    let (first, second) = (digits(first, 2)?, digits(second, 2)?);
    let year = digits(year, 4).filter(|year| (1900..=2200).contains(year))?;
    let date = |month: i16, day: i16| civil::Date::new(year, month as i8, day as i8).ok();
    let mut dates: Vec<String> = [date(first, second), date(second, first)]
        .into_iter()
        .flatten()
        .map(|date| date.to_string())
        .collect();
    dates.dedup();
    (!dates.is_empty()).then(|| dates.join(" or "))
}

/// "8:00" as it is to be written.
fn nearest_time(value: &str) -> Option<String> {
    let (hour, minute) = value.split_once(':')?;
    let hour: i8 = hour.trim().parse().ok()?;
    let minute: i8 = minute.get(..2)?.parse().ok()?;
    civil::Time::new(hour, minute, 0, 0).ok()?;
    Some(format!("{hour:02}:{minute:02}"))
}
