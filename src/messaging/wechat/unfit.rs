//! Why a message cannot be sent as it stands, for the doctor's screen and for the log.

use super::keyword::{Fault, Kind};
use crate::messaging::MessageKind;
use std::fmt;

/// Why a message cannot be sent as it stands. Holds no text of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The kind has no template.
    #[error("no template is configured for messages of this kind (`wechat.templates.{}`)", .0.name())]
    NotConfigured(MessageKind),
    /// A field cannot hold its text.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A field's template failed on this message.
    #[error("the template of `{field}` ({}) fails for this message: {reason}", .kind.name())]
    Unrendered {
        /// The kind of message.
        kind: MessageKind,
        /// The field.
        field: String,
        /// The template engine's word for it.
        reason: String,
    },
}

/// A field that cannot hold its text. Holds nothing of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// The kind of message.
    pub message: MessageKind,
    /// The field, e.g. `thing2`.
    pub field: String,
    /// What kind of values it takes.
    pub kind: Kind,
    /// Characters of the text.
    pub length: usize,
    /// Characters that fit, where that is known.
    pub limit: Option<usize>,
    /// What is wrong with the text.
    pub fault: Fault,
    /// For a single dose whose text is too long: a label of so many characters (the medication's
    /// `short`) would make it fit.
    pub short_max: Option<usize>,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the field `{}` of the {} template {}",
            self.field,
            self.message.name(),
            self.fault
        )?;
        match (self.fault, self.limit) {
            (Fault::TooLong, Some(limit)) => {
                write!(f, ": {} characters, and {limit} fit", self.length)
            }
            _ => Ok(()),
        }
    }
}

impl FieldError {
    /// What the doctor can do about it, if anything is known to help.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        self.short_max.map(|short_max| {
            format!("give the medication a `short` name of at most {short_max} characters")
        })
    }
}
