//! The time that a world shows.

use jiff::Timestamp;
use std::sync::{Arc, Mutex};

/// A clock that the sandbox reads and the daemon is started with.
#[derive(Clone)]
pub struct SharedClock(Arc<Mutex<Anchor>>);

#[derive(Clone, Copy)]
struct Anchor {
    shown: Timestamp,
    /// Since when it runs; before that it stands.
    real: Option<Timestamp>,
    speed: u16,
}

impl SharedClock {
    /// Shows this until a daemon is started: what a test prepares takes none of the time before a
    /// dose.
    pub fn starting(shown: &str) -> Self {
        let shown = shown.parse().expect("a test's instant is RFC 3339");
        Self(Arc::new(Mutex::new(Anchor {
            shown,
            real: None,
            speed: 1,
        })))
    }

    pub fn now(&self) -> Timestamp {
        let Anchor { shown, real, speed } = *self.0.lock().expect("nobody panics with the clock");
        let now = Timestamp::now();
        shown + now.duration_since(real.unwrap_or(now)) * i32::from(speed)
    }

    /// From now on it runs, if it does not yet.
    pub fn run(&self) {
        let mut anchor = self.0.lock().expect("nobody panics with the clock");
        anchor.real.get_or_insert_with(Timestamp::now);
    }

    /// Shows another time from now on. A daemon that runs is not told: its clock would have
    /// stepped, and that is another test.
    pub fn set(&self, shown: &str, speed: u16) {
        let shown = shown.parse().expect("a test's instant is RFC 3339");
        *self.0.lock().expect("nobody panics with the clock") = Anchor {
            shown,
            real: Some(Timestamp::now()),
            speed,
        };
    }

    /// What `--clock` is given.
    pub fn argument(&self) -> String {
        let Anchor { shown, real, speed } = *self.0.lock().expect("nobody panics with the clock");
        let real = real.unwrap_or_else(Timestamp::now);
        format!("{shown}@{real}*{speed}")
    }
}
