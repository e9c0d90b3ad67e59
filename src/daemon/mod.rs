//! The imperative shell: one file a task.

pub mod clock;
pub mod config;
pub mod logging;
pub mod plan_files;
pub mod small_file;
pub mod gate;
pub mod metrics;
pub mod retry;
