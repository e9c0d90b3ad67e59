//! Values as what they are wanted to be: a text, a number, a date, a list, a table.

use super::{LocalDate, Spanned, Table, Value};
use jiff::civil;
use std::ops::RangeInclusive;
use toml::de::DeValue;

impl<'a> Value<'a> {
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
}
