//! `dosed` is a medication-reminder scheduling daemon for clinics.
//!
//! Arrows between the modules run downwards only:
//! `cli → daemon → {http, messaging, store} → engine → plan → recurrence`.
//! [`plan`], [`recurrence`] and [`engine`] are the functional core: no clock, no I/O, no runtime.
//! `ARCHITECTURE.md` is the map.

pub mod cli;
pub mod daemon;
pub mod engine;
pub mod http;
pub mod messaging;
pub mod plan;
pub mod recurrence;
pub mod sandbox;
pub mod store;
