//! The patient's id: the stem of the plan's file.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A patient's id, `[a-z0-9][a-z0-9_-]{0,63}`: the stem of the plan's file, or the key below
/// `[patients]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PatientId(Box<str>);

/// Why a text is no patient's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatientIdError {
    /// Nothing was given.
    #[error("a patient's id is empty")]
    Empty,
    /// More than 64 characters.
    #[error("a patient's id has at most 64 characters, this one has {0}")]
    TooLong(usize),
    /// A character that ids do not have, or not at the beginning.
    #[error(
        "`{0}` cannot stand here: a patient's id has small letters a to z and digits, and after the first character also - and _"
    )]
    Character(char),
}

impl PatientId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Ids are in the order of their texts.
impl std::borrow::Borrow<str> for PatientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for PatientId {
    type Err = PatientIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(PatientIdError::Empty);
        }
        for (index, character) in text.char_indices() {
            let inner = index > 0 && matches!(character, '-' | '_');
            if !(character.is_ascii_lowercase() || character.is_ascii_digit() || inner) {
                return Err(PatientIdError::Character(character));
            }
        }
        if text.len() > 64 {
            return Err(PatientIdError::TooLong(text.len()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for PatientId {
    type Error = PatientIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PatientId> for String {
    fn from(id: PatientId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for PatientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for PatientId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_slugs_of_at_most_64_characters() {
        let long = "a".repeat(64);
        for good in ["a", "0", "wang-xiulan", "p_1-2", &long] {
            assert_eq!(good.parse::<PatientId>().unwrap().as_str(), good);
        }
        let longer = "a".repeat(65);
        for bad in [
            "", "-a", "_a", "Wang", "王", "a b", "a.b", "a/b", "é", &longer,
        ] {
            assert!(bad.parse::<PatientId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stored_id_is_checked_again() {
        assert!(serde_json::from_str::<PatientId>("\"../etc\"").is_err());
        assert_eq!(
            serde_json::from_str::<PatientId>("\"a\"")
                .unwrap()
                .to_string(),
            "a"
        );
    }
}
