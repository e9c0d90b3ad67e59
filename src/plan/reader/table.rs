//! Tables and what stands under their keys.

use super::{Findings, Keys, Spanned, Value, names, nearest};
use std::ops::{Range, RangeInclusive};
use toml::de::{DeTable, DeValue};

/// Longer keys are cut in messages.
const KEY_SHOWN_MAX: usize = 60;

/// A table: `[header]`, `{ inline }`, or the top level.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    pub(super) findings: &'a Findings,
    pub(super) entries: &'a DeTable<'a>,
    pub(super) span: Range<usize>,
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
            let short = shortened(key);
            let message = match nearest {
                Some(nearest) => {
                    format!("unknown key `{short}`; the nearest known one is `{nearest}`")
                }
                None => format!("unknown key `{short}`"),
            };
            let meant = names::meant(key, keys.known);
            if let Some(known) =
                nearest.filter(|known| names::is_like(key, known) || meant == Some(*known))
            {
                self.findings.note_misnamed(self.span.start, known);
            }
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

    /// Notes that a key must be there, unless one was found that is so nearly its name that it is
    /// what is wrong.
    pub fn missing(&self, key: &str, example: &str) {
        if self.findings.is_misnamed(self.span.start, key) {
            return;
        }
        self.findings.error_with_help(
            self.span(),
            format!("`{key}` is missing"),
            format!("write: {example}"),
        );
    }

    /// Whether a key was refused that is so nearly the name of a known one that it is meant.
    #[must_use]
    pub fn has_misnamed_key(&self) -> bool {
        self.findings.has_misnamed(self.span.start)
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

/// A key as messages show it: nobody reads a hundred characters.
fn shortened(key: &str) -> std::borrow::Cow<'_, str> {
    match key.char_indices().nth(KEY_SHOWN_MAX) {
        Some((at, _)) => format!("{}…", &key[..at]).into(),
        None => key.into(),
    }
}
