//! The time that a world shows.

use jiff::Timestamp;
use std::sync::{Arc, Mutex};

/// A clock that the sandbox reads and the daemon is started with.
#[derive(Clone)]
pub struct SharedClock(Arc<Mutex<Anchor>>);

#[derive(Clone, Copy)]
struct Anchor {
    shown: Timestamp,
    real: Timestamp,
    speed: u16,
}

impl SharedClock {
    pub fn starting(shown: &str) -> Self {
        let shown = shown.parse().expect("a test's instant is RFC 3339");
        Self(Arc::new(Mutex::new(Anchor {
            shown,
            real: Timestamp::now(),
            speed: 1,
        })))
    }

    pub fn now(&self) -> Timestamp {
        let Anchor { shown, real, speed } = *self.0.lock().expect("nobody panics with the clock");
        shown + Timestamp::now().duration_since(real) * i32::from(speed)
    }

    /// Shows another time from now on. A daemon that runs is not told: its clock would have
    /// stepped, and that is another test.
    pub fn set(&self, shown: &str, speed: u16) {
        let shown = shown.parse().expect("a test's instant is RFC 3339");
        *self.0.lock().expect("nobody panics with the clock") = Anchor {
            shown,
            real: Timestamp::now(),
            speed,
        };
    }

    /// What `--clock` is given.
    pub fn argument(&self) -> String {
        let Anchor { shown, real, speed } = *self.0.lock().expect("nobody panics with the clock");
        format!("{shown}@{real}*{speed}")
    }
}
