//! The imperative shell: one file a task.

pub mod clock;
