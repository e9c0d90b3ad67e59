//! The built binary over real sockets, a file a theme.
//!
//! Each test has a world of its own: a directory with configuration, plans and secret, a sandbox
//! of the WeChat API, and a clock that both the sandbox and the daemon show (`--clock`), so that
//! "eight o'clock" is a few seconds away. Nothing here sleeps for a guessed time: tests wait for
//! messages in an inbox, for the daemon's notifications, for its end, or for what it answers.

#![allow(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "metrics are floats that hold small counts, exactly"
)]

mod support;

mod backup;
mod clock;
mod crash;
mod deadman;
mod diff;
mod digest;
mod doctor;
mod downtime;
mod edits;
mod enrolment;
mod erase;
mod faults;
mod hostile;
mod keeping;
mod lifecycle;
mod limits;
mod notify;
mod pages;
mod patient_pages;
mod plans;
mod privacy;
mod refusals;
mod sending;
