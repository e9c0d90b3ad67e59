//! One value: its key, its place, and what is said of it.

use super::{Diagnostic, Findings, Spanned};
use std::ops::Range;
use toml::de::DeValue;

/// A longer value is not repeated in a help.
const REPEATED_MAX: usize = 60;

/// A value with the key it belongs to; an element of a list belongs to the list's key.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    pub(super) findings: &'a Findings,
    pub(super) key: &'a Spanned<toml::de::DeString<'a>>,
    pub(super) inner: &'a Spanned<DeValue<'a>>,
    pub(super) in_list: bool,
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
    pub(super) fn under_key(&self, key: &str) -> Option<String> {
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
    pub(super) fn joined(&self) -> Option<String> {
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

    pub(super) fn element(&self, inner: &'a Spanned<DeValue<'a>>) -> Value<'a> {
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
