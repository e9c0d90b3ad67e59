//! The imperative shell: one file a task.
//!
//! [`run`] brings the tasks up in the order in which they need each other, supervises them, and
//! takes them down in good order. A task that ends by itself ends the daemon: systemd restarts it.

pub mod accounts;
pub mod administration;
mod advice;
mod audit;
mod backups;
pub mod brake;
pub mod callback;
mod calls;
pub mod clock;
pub mod config;
mod deadman;
pub mod desk;
mod digest;
pub mod dispatcher;
mod enrolment;
mod erasure;
pub mod gate;
pub mod held;
pub mod housekeeping;
pub mod inbox;
pub mod job;
pub mod logging;
pub mod manners;
pub mod metrics;
pub mod monitor;
pub mod pace;
mod page;
mod patient_page;
pub mod plan_changes;
pub mod plan_editor;
pub mod plan_files;
pub mod planner;
pub mod plausibility;
pub mod queue;
pub mod quota;
pub mod recipients;
pub mod recorder;
pub mod rehearsal;
pub mod removals;
pub mod reports;
pub mod retry;
pub mod scheduler;
pub mod shared;
pub mod signals;
pub mod small_file;
mod supervisor;
pub mod throttle;
pub mod timekeeper;
pub mod vitals;
pub mod watch;
pub mod worker;

#[cfg(test)]
mod tests;

pub use supervisor::{DaemonError, Opener, Options, outlet, run, run_on};
