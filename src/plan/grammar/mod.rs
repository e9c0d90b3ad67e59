//! What may stand in a value: each function reads one text and says what it means, or what is
//! wrong with it and what to write instead.

#![allow(
    clippy::unnested_or_patterns,
    reason = "each alternative is one way of saying it, to be read as a whole"
)]

pub(in crate::plan) mod amount;
pub(in crate::plan) mod answer;
pub(in crate::plan) mod course;
pub(in crate::plan) mod days;
pub(in crate::plan) mod span;
pub(in crate::plan) mod time;

use super::words::Words;

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: a sentence without a full stop.
    pub message: String,
    /// What to write instead; where it is a value alone it stands in quotes.
    pub help: Option<String>,
}

impl Problem {
    pub(in crate::plan) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    pub(in crate::plan) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// The text is none of the forms that may stand here.
    fn not_understood(what: &str, text: &str, words: &Words, help: &str) -> Self {
        let message = match words.unknown() {
            Some((word, Some(nearest))) => {
                format!("`{word}` is no word for {what}; the nearest known one is `{nearest}`")
            }
            Some((word, None)) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("`{word}` is too large a number for {what}")
            }
            Some((word, None)) => format!("`{word}` is no word for {what}"),
            None => format!("`{}` is not understood as {what}", text.trim()),
        };
        Self::new(message).help(help)
    }
}

/// The result of reading one text.
pub(in crate::plan) type Reading<T> = Result<T, Problem>;
