//! The rules of [`step`](super::step) as tables and as properties, over a small model of the
//! shell.

mod edits;
mod properties;
mod reminders;
mod settling;
mod shell;
mod time;
