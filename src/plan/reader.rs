//! TOML read with the place of every value.
//!
//! A thin layer over [`toml::de::DeTable`]: values come out typed and with their span; whatever
//! does not fit is noted in [`Findings`] with what was expected and how to write it, and reading
//! goes on, so that one run shows all that is wrong.
//!
//! ```
//! use dosed::plan::diagnostic::Source;
//! use dosed::plan::reader::{Document, Keys};
//!
//! const KEYS: Keys = Keys::new(&["name", "at"]);
//!
//! let source = Source::new("a.toml", "name = 7\nat = 08:00\nnmae = \"x\"");
//! let document = Document::parse(&source);
//! let root = document.root().expect("the syntax is right");
//! root.check_keys(&KEYS);
//! assert_eq!(root.text("name"), None);
//! assert_eq!(root.get("at").unwrap().text_or_time().unwrap().into_inner(), "08:00");
//! let places: Vec<String> = document.finish().iter().map(|found| found.place()).collect();
//! assert_eq!(places, ["a.toml:1:8", "a.toml:3:1"]);
//! ```

mod findings;
mod names;
mod syntax;

use super::diagnostic::{Diagnostic, Source};
use findings::FINDINGS_MAX;
pub use findings::Findings;
use jiff::civil;
pub use names::nearest;
pub use serde_spanned::Spanned;
use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A longer value is not repeated in a help.
const REPEATED_MAX: usize = 60;

/// A TOML text, parsed.
#[derive(Debug)]
pub struct Document<'s> {
    /// `None` where the syntax is wrong: what a recovering parser makes of such a text is not
    /// what its writer meant.
    tree: Option<Spanned<DeTable<'s>>>,
    findings: Findings,
}

impl<'s> Document<'s> {
    /// Parses the text; syntax errors are findings, at most one a line.
    #[must_use]
    pub fn parse(source: &'s Arc<Source>) -> Self {
        let findings = Findings::new(source);
        let (tree, errors) = DeTable::parse_recoverable(source.text());
        let mut lines = HashSet::new();
        // What follows an open header seems to belong to the table above.
        let open_header = errors
            .iter()
            .position(|error| error.message().starts_with("unclosed"));
        for (index, error) in errors.iter().enumerate() {
            if error.message() == "duplicate key" && open_header.is_some_and(|open| open < index) {
                continue;
            }
            if lines.len() == FINDINGS_MAX {
                // To find the line of each of a million would take a day.
                findings.leave_out(errors.len() - FINDINGS_MAX);
                break;
            }
            let span = error.span().unwrap_or(0..0);
            // One slip often makes the parser stumble again on the same line.
            if lines.insert(source.position(span.start).line) {
                findings.push(syntax::error(source, span, error.message()));
            }
        }
        Self {
            tree: errors.is_empty().then_some(tree),
            findings,
        }
    }

    /// The top level; `None` when the syntax is wrong.
    #[must_use]
    pub fn root(&self) -> Option<Table<'_>> {
        let tree = self.tree.as_ref()?;
        Some(Table {
            findings: &self.findings,
            entries: tree.get_ref(),
            span: tree.span(),
        })
    }

    /// What was found so far, and a place for more.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// All that was found, in the order of the text.
    #[must_use]
    pub fn finish(self) -> Vec<Diagnostic> {
        self.findings.into_list()
    }
}

/// The keys a table may have.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Keys that are read.
    pub known: &'static [&'static str],
    /// Keys of the grammar that this release refuses by name.
    pub not_yet: &'static [&'static str],
}

impl Keys {
    /// Keys all of which are read.
    #[must_use]
    pub const fn new(known: &'static [&'static str]) -> Self {
        Self {
            known,
            not_yet: &[],
        }
    }

    /// The same with keys that are refused by name.
    #[must_use]
    pub const fn with_not_yet(self, not_yet: &'static [&'static str]) -> Self {
        Self { not_yet, ..self }
    }
}

/// A table: `[header]`, `{ inline }`, or the top level.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    findings: &'a Findings,
    entries: &'a DeTable<'a>,
    span: Range<usize>,
}

impl<'a> Table<'a> {
    /// The header, the braces of an inline table, or the empty start of the text.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Where findings are noted.
    #[must_use]
    pub fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// The same table with another place for what is found in it.
    #[must_use]
    pub fn with_findings<'b>(&self, findings: &'b Findings) -> Table<'b>
    where
        'a: 'b,
    {
        Table {
            findings,
            entries: self.entries,
            span: self.span(),
        }
    }

    /// True without any entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Notes every key that is not in the list, with the nearest that is.
    pub fn check_keys(&self, keys: &Keys) {
        for entry in self.entries() {
            let key = entry.key();
            if keys.known.contains(&key) {
                continue;
            }
            if keys.not_yet.contains(&key) {
                self.findings
                    .error(entry.key_span(), format!("`{key}` is not supported yet"));
                continue;
            }
            let nearest = names::meant(key, keys.known).or_else(|| nearest(key, keys.known));
            let message = match nearest {
                Some(nearest) => {
                    format!("unknown key `{key}`; the nearest known one is `{nearest}`")
                }
                None => format!("unknown key `{key}`"),
            };
            let help = nearest
                .filter(|nearest| names::is_like(key, nearest))
                .and_then(|nearest| entry.under_key(nearest))
                .map_or_else(
                    || format!("known here: {}", keys.known.join(", ")),
                    |line| format!("write: {line}"),
                );
            self.findings
                .error_with_help(entry.key_span(), message, help);
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let (key, inner) = self.entries.get_key_value(key)?;
        Some(Value {
            findings: self.findings,
            key,
            inner,
            in_list: false,
        })
    }

    /// All entries in the order of the text.
    #[must_use]
    pub fn entries(&self) -> Vec<Value<'a>> {
        let mut entries: Vec<Value<'a>> = self
            .entries
            .iter()
            .map(|(key, inner)| Value {
                findings: self.findings,
                key,
                inner,
                in_list: false,
            })
            .collect();
        entries.sort_by_key(|entry| entry.key.span().start);
        entries
    }

    /// [`Value::text`] of a key that may be absent.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Spanned<&'a str>> {
        self.get(key)?.text()
    }

    /// [`Value::text`] of a key that must be there and not be blank.
    ///
    /// `example` is a line that would be right, e.g. `name = "王秀兰"`.
    #[must_use]
    pub fn required_text(&self, key: &str, example: &str) -> Option<Spanned<&'a str>> {
        let Some(value) = self.get(key) else {
            self.missing(key, example);
            return None;
        };
        let text = value.text()?;
        if text.get_ref().trim().is_empty() {
            self.findings.error_with_help(
                text.span(),
                format!("`{key}` is empty"),
                format!("write: {example}"),
            );
            return None;
        }
        Some(text)
    }

    /// Notes that a key must be there.
    pub fn missing(&self, key: &str, example: &str) {
        self.findings.error_with_help(
            self.span(),
            format!("`{key}` is missing"),
            format!("write: {example}"),
        );
    }

    /// [`Value::boolean`] of a key that may be absent.
    #[must_use]
    pub fn boolean(&self, key: &str) -> Option<bool> {
        self.get(key)?.boolean()
    }

    /// [`Value::integer`] of a key that may be absent.
    #[must_use]
    pub fn integer(&self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.get(key)?.integer(range)
    }

    /// [`Value::table`] of a key that may be absent, its keys checked.
    #[must_use]
    pub fn table(&self, key: &str, keys: &Keys) -> Option<Table<'a>> {
        let table = self.get(key)?.table()?;
        table.check_keys(keys);
        Some(table)
    }

    /// The tables `[[key]]`, in order, the keys of each checked; empty where there is none.
    #[must_use]
    pub fn tables(&self, key: &str, keys: &Keys) -> Vec<Table<'a>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value.inner.get_ref() else {
            let help = format!("write [[{key}]] with two brackets above each");
            self.findings.error_with_help(
                value.place(),
                format!("`{key}` must be a list of tables, not {}", value.kind()),
                help,
            );
            return Vec::new();
        };
        let tables = array
            .iter()
            .filter_map(|element| value.element(element).table());
        tables.inspect(|table| table.check_keys(keys)).collect()
    }
}

/// A date, or a date with a time, in no particular zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalDate {
    /// `2026-03-02`
    Date(civil::Date),
    /// `2026-03-02T06:00:00`
    DateTime(civil::DateTime),
}

/// A value with the key it belongs to; an element of a list belongs to the list's key.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    findings: &'a Findings,
    key: &'a Spanned<toml::de::DeString<'a>>,
    inner: &'a Spanned<DeValue<'a>>,
    in_list: bool,
}

impl<'a> Value<'a> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &'a str {
        self.key.get_ref()
    }

    /// Where the key stands.
    #[must_use]
    pub fn key_span(&self) -> Range<usize> {
        self.key.span()
    }

    /// Where the value stands.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.inner.span()
    }

    /// The value as it is written, quotes included.
    #[must_use]
    pub fn written(&self) -> &'a str {
        self.findings.source().slice(self.span())
    }

    /// Where findings are noted.
    #[must_use]
    pub fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// The same value with another place for what is found in it.
    #[must_use]
    pub fn with_findings<'b>(&self, findings: &'b Findings) -> Value<'b>
    where
        'a: 'b,
    {
        Value {
            findings,
            ..self.clone()
        }
    }

    /// The key as it is written, quotes included.
    #[must_use]
    pub fn key_written(&self) -> &'a str {
        self.findings.source().slice(self.key_span())
    }

    /// The line with another key before the value: one that can be copied.
    fn under_key(&self, key: &str) -> Option<String> {
        let written = self.written();
        let header = self.is_table() && written.starts_with('[');
        if self.is_table() && !header && !written.starts_with('{') {
            // A dotted key has no value of its own.
            return None;
        }
        if header || (self.is_list() && written.starts_with("[[")) || written.is_empty() {
            let brackets = if self.is_list() { 2 } else { 1 };
            return Some(format!(
                "{}{key}{}",
                "[".repeat(brackets),
                "]".repeat(brackets)
            ));
        }
        let short = written.chars().count() <= REPEATED_MAX && !written.contains('\n');
        short.then(|| format!("{key} = {written}"))
    }

    /// A value that stands without quotes where a text was wanted: a number, a date, a boolean.
    #[must_use]
    pub fn bare(&self) -> Option<&'a str> {
        match self.inner.get_ref() {
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => Some(self.written()),
            DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }

    /// The texts of a list as one text: `["mon", "wed"]` as `mon, wed`.
    fn joined(&self) -> Option<String> {
        let DeValue::Array(array) = self.inner.get_ref() else {
            return None;
        };
        let texts: Option<Vec<&str>> = array
            .iter()
            .map(|element| match element.get_ref() {
                DeValue::String(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let joined = texts?.join(", ");
        let plain = !joined.contains(|c: char| c == '"' || c == '\\' || c.is_control());
        (plain && !joined.is_empty() && joined.chars().count() <= REPEATED_MAX).then_some(joined)
    }

    /// What it is, in words: "a number".
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.inner.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(stamp) => match (stamp.date, stamp.time) {
                (Some(_), Some(_)) => "a date with a time",
                (Some(_), None) => "a date",
                (None, _) => "a time",
            },
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    /// True for an entry of a list: it has no key of its own.
    #[must_use]
    pub fn is_list_entry(&self) -> bool {
        self.in_list
    }

    /// Notes that something else was expected. `expected` goes on "must be", e.g. "a text in
    /// quotes"; `example` is a value that would be right, as it is to be written.
    pub fn expected(&self, expected: &str, example: Option<&str>) {
        let what = if self.in_list { "each entry of " } else { "" };
        let message = format!(
            "{what}`{}` must be {expected}, not {}",
            self.key(),
            self.kind()
        );
        let finding = Diagnostic::error(self.findings.source(), self.place(), message);
        self.findings.push(match example {
            Some(example) if self.in_list => finding.with_help(format!("write: {example}")),
            Some(example) => {
                finding.with_help(format!("write: {} = {example}", self.key_written()))
            }
            None => finding,
        });
    }

    /// Notes a refusal of this value.
    pub fn error(&self, message: impl Into<String>) {
        self.findings.error(self.place(), message);
    }

    /// Notes a refusal of this value and what would be right.
    pub fn error_with_help(&self, message: impl Into<String>, help: impl Into<String>) {
        self.findings.error_with_help(self.place(), message, help);
    }

    /// A text in quotes.
    #[must_use]
    pub fn text(&self) -> Option<Spanned<&'a str>> {
        match self.inner.get_ref() {
            DeValue::String(text) => Some(Spanned::new(self.span(), text)),
            DeValue::Array(_) | DeValue::Table(_) => {
                let example = self.joined().map(|joined| format!("\"{joined}\""));
                self.expected(
                    "a text in quotes",
                    Some(example.as_deref().unwrap_or("\"…\"")),
                );
                None
            }
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {
                self.expected("a text in quotes", Some(&format!("\"{}\"", self.written())));
                None
            }
        }
    }

    /// A text in quotes, or a bare local time (`08:00`) as if it stood in quotes.
    #[must_use]
    pub fn text_or_time(&self) -> Option<Spanned<&'a str>> {
        match self.inner.get_ref() {
            DeValue::Datetime(stamp) if stamp.date.is_none() => {
                Some(Spanned::new(self.span(), self.written()))
            }
            _ => self.text(),
        }
    }

    /// `true` or `false`.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        let example = match self.inner.get_ref() {
            DeValue::Boolean(value) => return Some(*value),
            DeValue::String(text)
                if matches!(&*text.to_lowercase(), "false" | "no" | "否" | "不") =>
            {
                "false"
            }
            _ => "true",
        };
        self.expected("true or false", Some(example));
        None
    }

    /// A whole number in a closed range.
    #[must_use]
    pub fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let (min, max) = (*range.start(), *range.end());
        let DeValue::Integer(integer) = self.inner.get_ref() else {
            let unquoted = self
                .written()
                .trim_matches(['"', '\''])
                .trim()
                .parse::<i64>();
            let example = unquoted.ok().filter(|number| range.contains(number));
            let example = example.unwrap_or(min).to_string();
            self.expected("a whole number", Some(&example));
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let bounds = if max == i64::MAX {
                format!("at least {min}")
            } else {
                format!("from {min} to {max}")
            };
            let negative = self.written().trim_start().starts_with('-');
            let small = i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or(negative, |number| number < min);
            let example = if small { min } else { max };
            self.error_with_help(
                format!("`{}` must be {bounds}, not {}", self.key(), self.written()),
                format!("write: {} = {example}", self.key()),
            );
        }
        number
    }

    /// A local date or a local date-time, neither in quotes nor with an offset.
    #[must_use]
    pub fn local_date(&self) -> Option<LocalDate> {
        self.local_date_like("2026-03-02")
    }

    /// [`Value::local_date`]; `example` is shown to whom writes something else.
    #[must_use]
    pub fn local_date_like(&self, example: &str) -> Option<LocalDate> {
        let DeValue::Datetime(stamp) = self.inner.get_ref() else {
            let unquoted = self.written().trim_matches(['"', '\'']).trim();
            let is_stamp = unquoted
                .parse::<toml::value::Datetime>()
                .is_ok_and(|stamp| stamp.date.is_some() && stamp.offset.is_none());
            let like = is_stamp && unquoted.len() >= example.len().min(16);
            let example = if like { unquoted } else { example };
            self.expected("a date without quotes", Some(example));
            return None;
        };
        let Some(date) = stamp.date else {
            let example = stamp.time.map_or_else(
                || "2026-03-02".to_owned(),
                |time| format!("2026-03-02T{time}"),
            );
            self.expected("a date", Some(&example));
            return None;
        };
        let year = i16::try_from(date.year).ok();
        let local = year.and_then(|year| {
            let date = civil::Date::new(year, date.month as i8, date.day as i8).ok()?;
            let Some(time) = stamp.time else {
                return Some(LocalDate::Date(date));
            };
            let time = civil::Time::new(
                time.hour as i8,
                time.minute as i8,
                time.second.unwrap_or_default() as i8,
                time.nanosecond.unwrap_or_default() as i32,
            );
            Some(LocalDate::DateTime(date.to_datetime(time.ok()?)))
        });
        if stamp.offset.is_some() {
            let bare = toml::value::Datetime {
                offset: None,
                ..*stamp
            };
            self.error_with_help(
                format!(
                    "`{}` must not have an offset: it is in the patient's time zone",
                    self.key()
                ),
                format!("write: {} = {bare}", self.key()),
            );
            return None;
        }
        if local.is_none() {
            let help = format!("write: {} = 2026-03-02T08:00:00", self.key());
            self.error_with_help(
                format!("{} is not a date and time of the calendar", self.written()),
                help,
            );
        }
        local
    }

    /// A local date without a time.
    #[must_use]
    pub fn date(&self) -> Option<civil::Date> {
        match self.local_date()? {
            LocalDate::Date(date) => Some(date),
            LocalDate::DateTime(stamp) => {
                self.expected("a date without a time", Some(&stamp.date().to_string()));
                None
            }
        }
    }

    /// A local date-time.
    #[must_use]
    pub fn date_time(&self) -> Option<civil::DateTime> {
        match self.local_date()? {
            LocalDate::DateTime(stamp) => Some(stamp),
            LocalDate::Date(date) => {
                self.expected("a date with a time", Some(&format!("{date}T08:00:00")));
                None
            }
        }
    }

    /// True for a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.inner.get_ref(), DeValue::Array(_))
    }

    /// True for a table.
    #[must_use]
    pub fn is_table(&self) -> bool {
        matches!(self.inner.get_ref(), DeValue::Table(_))
    }

    /// The entries of a list.
    #[must_use]
    pub fn list(&self) -> Option<Vec<Value<'a>>> {
        let DeValue::Array(array) = self.inner.get_ref() else {
            let example = if self.is_table() {
                "[\"…\"]".to_owned()
            } else {
                format!("[{}]", self.written())
            };
            self.expected("a list", Some(&example));
            return None;
        };
        Some(array.iter().map(|element| self.element(element)).collect())
    }

    /// The entries of a list, or the single value.
    #[must_use]
    pub fn one_or_many(&self) -> Vec<Value<'a>> {
        match self.inner.get_ref() {
            DeValue::Array(array) => array.iter().map(|element| self.element(element)).collect(),
            _ => vec![self.clone()],
        }
    }

    /// A table, its keys not checked.
    #[must_use]
    pub fn table(&self) -> Option<Table<'a>> {
        match self.inner.get_ref() {
            DeValue::Table(entries) => Some(Table {
                findings: self.findings,
                entries,
                span: self.span(),
            }),
            DeValue::Array(_) if self.written().starts_with("[[") && !self.in_list => {
                let help = format!("write [{}] with one bracket", self.key());
                self.error_with_help(format!("`{}` can be there only once", self.key()), help);
                None
            }
            _ => {
                let help = if self.in_list {
                    format!("write [[{}]] above the keys of each", self.key())
                } else {
                    format!("write [{}] above its keys", self.key())
                };
                let message = format!("`{}` must be a table, not {}", self.key(), self.kind());
                let what = if self.in_list { "each entry of " } else { "" };
                self.error_with_help(format!("{what}{message}"), help);
                None
            }
        }
    }

    fn element(&self, inner: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        Value {
            inner,
            in_list: true,
            ..self.clone()
        }
    }

    /// The value's place; the key's where the value has none of its own.
    #[must_use]
    pub fn place(&self) -> Range<usize> {
        if self.span().is_empty() {
            self.key_span()
        } else {
            self.span()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads `text` and gives all findings as `LINE:COL message | help`.
    fn findings(text: &str, read: impl FnOnce(Table<'_>)) -> Vec<String> {
        let source = Source::new("t", text);
        let document = Document::parse(&source);
        if let Some(root) = document.root() {
            read(root);
        }
        let show = |found: &Diagnostic| {
            let at = found.position();
            let help = found
                .help()
                .map(|help| format!(" | {help}"))
                .unwrap_or_default();
            format!("{}:{} {}{help}", at.line, at.column, found.message())
        };
        document.finish().iter().map(show).collect()
    }

    #[test]
    fn several_syntax_errors_are_found_in_one_run() {
        let found = findings(
            "a = 1\nb = oops\nd = 2026-02-30\n[c\n[e]\na =\n[e]\n",
            |_| panic!("a text with wrong syntax has no values"),
        );
        assert_eq!(
            found,
            [
                "2:5 string values must be quoted, expected literal string | \
                 write it in quotes: \"oops\"",
                "3:5 invalid date, expected day between 01 and 28 | write: d = 2026-02-28",
                "4:3 unclosed table, expected `]` | write: [c]",
                "6:4 the value is missing | a line is a key, `=` and a value, texts in quotes: take = \"1 tablet\"",
            ]
        );
    }

    #[test]
    fn syntax_errors_help_those_who_type_chinese() {
        for (text, help) in [
            ("name = “王秀兰”", "write `\"` instead of `“`"),
            ("name ＝ \"王秀兰\"", "write `=` instead of `＝`"),
            ("【day】", "write `[` instead of `【`"),
            ("at = morning # 早上", "write it in quotes: \"morning\""),
            ("take：\"1片\"", "write `=` instead of `：`"),
            (
                "at = [\"08:00\"，\"20:00\"]",
                "write `,` between the values of a list",
            ),
            ("start = 2026-3-2", "write: start = 2026-03-02"),
            ("start = 2026/03/02", "write: start = 2026-03-02"),
            ("start = 2027-02-29", "write: start = 2027-02-28"),
            ("start = 2026-13-01", "write: start = 2026-03-02"),
            ("at = 8:00", "write: at = \"08:00\""),
            ("take = \"1 tablet", "write: take = \"1 tablet\""),
            ("[[medication]", "write: [[medication]]"),
            ("take \"1 tablet\"", "take = \"1 tablet\""),
            (
                "once = 2026-04-30T24:00:00",
                "write: once = 2026-04-30T08:00:00",
            ),
            ("nudge = [\"1 min\"", "write: nudge = [\"1 min\"]"),
            ("take = { mon = \"1\"", "write: take = { mon = \"1\" }"),
            ("days = \"mon\",", "write: days = \"mon\""),
            ("note: \"x\"", "write: note = \"x\""),
        ] {
            let found = findings(text, |_| ());
            assert!(found[0].ends_with(help), "{text}: {found:#?}");
        }
        let found = findings("id = 1\nid = 2", |_| ());
        assert_eq!(
            found,
            ["2:1 `id` is given twice | keep one of the two and leave the other out"]
        );
    }

    #[test]
    fn unknown_keys_name_the_nearest_known_one() {
        const KEYS: Keys = Keys::new(&["name", "medication", "check_in"]).with_not_yet(&["steps"]);
        let found = findings(
            "nmae = 1\nsteps = 2\nfrequency = 3\n[[medicaton]]\n[Check_In]\n",
            |root| {
                root.check_keys(&KEYS);
            },
        );
        let known = "known here: name, medication, check_in";
        assert_eq!(
            found,
            [
                "1:1 unknown key `nmae`; the nearest known one is `name` | write: name = 1",
                "2:1 `steps` is not supported yet",
                &format!(
                    "3:1 unknown key `frequency`; the nearest known one is `check_in` | {known}"
                ),
                "4:3 unknown key `medicaton`; the nearest known one is `medication` | write: [[medication]]",
                "5:2 unknown key `Check_In`; the nearest known one is `check_in` | write: [check_in]",
            ]
        );
    }

    #[test]
    fn wrong_types_say_what_was_expected_and_how_to_write_it() {
        type Read = fn(&Value<'_>) -> bool;
        let text: Read = |value| value.text().is_some();
        let boolean: Read = |value| value.boolean().is_some();
        let integer: Read = |value| value.integer(1..=90).is_some();
        let date: Read = |value| value.date().is_some();
        let date_time: Read = |value| value.date_time().is_some();
        let list: Read = |value| value.list().is_some();
        let table: Read = |value| value.table().is_some();
        for (line, read, expected) in [
            (
                "k = 2",
                text,
                "1:5 `k` must be a text in quotes, not a number | write: k = \"2\"",
            ),
            (
                "k = ['a']",
                text,
                "1:5 `k` must be a text in quotes, not a list | write: k = \"a\"",
            ),
            (
                "k = 'yes'",
                boolean,
                "1:5 `k` must be true or false, not a text | write: k = true",
            ),
            (
                "k = '否'",
                boolean,
                "1:5 `k` must be true or false, not a text | write: k = false",
            ),
            (
                "k = '10'",
                integer,
                "1:5 `k` must be a whole number, not a text | write: k = 10",
            ),
            (
                "k = 1.5",
                integer,
                "1:5 `k` must be a whole number, not a number | write: k = 1",
            ),
            (
                "k = 91",
                integer,
                "1:5 `k` must be from 1 to 90, not 91 | write: k = 90",
            ),
            (
                "k = -1",
                integer,
                "1:5 `k` must be from 1 to 90, not -1 | write: k = 1",
            ),
            (
                "k = 99999999999999999999",
                integer,
                "1:5 `k` must be from 1 to 90, not 99999999999999999999 | write: k = 90",
            ),
            (
                "k = '2026-03-02'",
                date,
                "1:5 `k` must be a date without quotes, not a text | write: k = 2026-03-02",
            ),
            (
                "k = 2026-03-02T08:00:00",
                date,
                "1:5 `k` must be a date without a time, not a date with a time | write: k = 2026-03-02",
            ),
            (
                "k = 2026-03-02",
                date_time,
                "1:5 `k` must be a date with a time, not a date | write: k = 2026-03-02T08:00:00",
            ),
            (
                "k = 2026-03-02T08:00:00+08:00",
                date_time,
                "1:5 `k` must not have an offset: it is in the patient's time zone | write: k = 2026-03-02T08:00:00",
            ),
            (
                "k = 2026-03-02T08:00:60",
                date_time,
                "1:5 2026-03-02T08:00:60 is not a date and time of the calendar | write: k = 2026-03-02T08:00:00",
            ),
            (
                "k = 'x'",
                list,
                "1:5 `k` must be a list, not a text | write: k = ['x']",
            ),
            (
                "k = 'x'",
                table,
                "1:5 `k` must be a table, not a text | write [k] above its keys",
            ),
            (
                "[[k]]",
                table,
                "1:1 `k` can be there only once | write [k] with one bracket",
            ),
        ] {
            let found = findings(line, |root| {
                assert!(!read(&root.get("k").unwrap()), "{line}");
            });
            assert_eq!(found, [expected], "{line}");
        }
    }

    #[test]
    fn entries_of_a_list_are_refused_each_at_its_place() {
        let found = findings("k = ['a', 2,\n 08:00]", |root| {
            let texts: Vec<_> = root
                .get("k")
                .unwrap()
                .one_or_many()
                .iter()
                .map(|value| value.text_or_time().map(Spanned::into_inner))
                .collect();
            assert_eq!(texts, [Some("a"), None, Some("08:00")]);
        });
        assert_eq!(
            found,
            ["1:11 each entry of `k` must be a text in quotes, not a number | write: \"2\""]
        );
    }

    #[test]
    fn right_values_are_read_without_findings() {
        let text = "t = \"x\"\nb = true\ni = 0x1F\nd = 2026-03-02\ndt = 2026-03-02 06:30:00\n\
                    one = 8\nempty = ''\n[[m]]\nname = 'a'\n[[m]]\nname = 'b'\n";
        let found = findings(text, |root| {
            assert_eq!(root.text("t").unwrap().into_inner(), "x");
            assert_eq!(root.boolean("b"), Some(true));
            assert_eq!(root.integer("i", 0..=100), Some(31));
            assert_eq!(root.get("d").unwrap().date(), Some(civil::date(2026, 3, 2)));
            let stamp = civil::date(2026, 3, 2).at(6, 30, 0, 0);
            assert_eq!(
                root.get("dt").unwrap().local_date(),
                Some(LocalDate::DateTime(stamp))
            );
            assert_eq!(root.get("one").unwrap().one_or_many().len(), 1);
            let tables = root.tables("m", &Keys::new(&["name"]));
            let names: Vec<_> = tables
                .iter()
                .map(|t| t.text("name").unwrap().into_inner())
                .collect();
            assert_eq!(names, ["a", "b"]);
            assert_eq!(root.text("absent"), None);
            assert!(root.tables("absent", &Keys::new(&[])).is_empty());
            let order: Vec<&str> = root.entries().iter().map(Value::key).collect();
            assert_eq!(order, ["t", "b", "i", "d", "dt", "one", "empty", "m"]);
        });
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn missing_and_blank_texts_are_refused_with_an_example() {
        let found = findings("blank = ' '\n[[m]]\n[n]", |root| {
            assert!(root.required_text("blank", "blank = \"x\"").is_none());
            for table in root.tables("m", &Keys::new(&[])) {
                assert!(table.required_text("name", "name = \"x\"").is_none());
            }
            assert!(root.tables("n", &Keys::new(&[])).is_empty());
        });
        assert_eq!(
            found,
            [
                "1:9 `blank` is empty | write: blank = \"x\"",
                "2:1 `name` is missing | write: name = \"x\"",
                "3:1 `n` must be a list of tables, not a table | write [[n]] with two brackets above each",
            ]
        );
    }

    #[test]
    fn endless_findings_are_counted_not_listed() {
        let found = findings(&"x\n".repeat(5_000), |_| ());
        assert_eq!(found.len(), FINDINGS_MAX + 1);
        assert_eq!(
            found[FINDINGS_MAX],
            "5001:1 4900 more findings are not shown"
        );
        let text: Vec<String> = (0..500).map(|n| format!("k{n} = 1\n")).collect();
        let text = text.concat();
        let found = findings(&text, |root| root.check_keys(&Keys::new(&["a"])));
        assert_eq!(found.len(), FINDINGS_MAX + 1);
        assert_eq!(found[FINDINGS_MAX], "501:1 400 more findings are not shown");
    }

    proptest! {
        #[test]
        fn parsing_is_total_for_any_text(text in "([a-c.]{1,3} ?= ?|[\\[\\]{}\"',#\n\r\t :.TZ+0-9-]|王|“|true|\\PC){0,60}") {
            let source = Source::new("t", text);
            let document = Document::parse(&source);
            if let Some(root) = document.root() {
                for value in root.entries() {
                    let _ = (value.text(), value.integer(0..=9), value.local_date(), value.table());
                    for value in value.one_or_many() {
                        let _ = (value.text_or_time(), value.boolean(), value.list());
                    }
                }
            }
            for found in document.finish() {
                prop_assert!(found.render(crate::plan::diagnostic::Colour::None).starts_with("t:"));
            }
        }
    }
}
