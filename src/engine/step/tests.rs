//! The rules of [`step`](super::step) as tables and as properties, over a small model of the
//! shell.

mod advice;
mod amounts;
mod answers;
mod care;
mod edits;
mod properties;
mod reminders;
mod repeats;
mod restore;
mod settling;
pub(in crate::engine) mod shell;
mod stocks;
mod time;
