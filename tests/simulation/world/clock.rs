//! The clocks of the simulated machine: one that is steady, one on the wall that is not.

use dosed::daemon::clock::{Answer, Clock, Sleep};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Clones show the same time.
#[derive(Clone)]
pub struct SimClock(Arc<Mutex<Clocks>>);

struct Clocks {
    /// Milliseconds since the simulation began: true time.
    steady: i64,
    /// Wall clock in milliseconds minus `steady`.
    offset: i64,
    /// How many milliseconds the wall clock gains in a million.
    drift: i64,
    drift_since: i64,
    timers: BTreeMap<(i64, u64), Waker>,
    timers_made: u64,
    boots: u32,
    /// What `offset` is where the wall clock is right.
    right: i64,
    /// The kernel is told by a time service whether the wall clock is right.
    has_service: bool,
}

/// A drifting clock is this near to the truth.
const RIGHT_WITHIN: i64 = 5 * 60_000;

impl SimClock {
    pub fn starting(wall: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Clocks {
            steady: 0,
            offset: wall.as_millisecond(),
            drift: 0,
            drift_since: 0,
            timers: BTreeMap::new(),
            timers_made: 0,
            boots: 0,
            right: wall.as_millisecond(),
            has_service: false,
        })))
    }

    /// Lets a time service tell the kernel whether the wall clock is right.
    pub fn serve(&self) {
        self.clocks().has_service = true;
    }

    pub fn has_service(&self) -> bool {
        self.clocks().has_service
    }

    /// Whether the wall clock is right.
    pub fn is_right(&self) -> bool {
        let clocks = self.clocks();
        (clocks.wall() - clocks.steady - clocks.right).abs() < RIGHT_WITHIN
    }

    fn clocks(&self) -> MutexGuard<'_, Clocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True time, in milliseconds since the beginning.
    pub fn steady(&self) -> i64 {
        self.clocks().steady
    }

    /// The wall clock, in milliseconds since 1970.
    pub fn wall(&self) -> i64 {
        self.clocks().wall()
    }

    /// The machine starts anew.
    pub fn boot(&self) {
        self.clocks().boots += 1;
    }

    /// What the wall clock is ahead of true time by.
    pub fn offset(&self) -> i64 {
        let clocks = self.clocks();
        clocks.wall() - clocks.steady
    }

    /// Sets the wall clock ahead of true time by so much.
    pub fn set_offset(&self, offset: i64) {
        let mut clocks = self.clocks();
        clocks.offset = offset;
        clocks.drift_since = clocks.steady;
    }

    /// From now on the wall clock gains so much in a million.
    pub fn set_drift(&self, drift: i64) {
        let mut clocks = self.clocks();
        clocks.offset = clocks.wall() - clocks.steady;
        clocks.drift_since = clocks.steady;
        clocks.drift = drift;
    }

    /// When somebody wakes by himself next, in true time.
    pub fn next_timer(&self) -> Option<i64> {
        self.clocks().timers.first_key_value().map(|(key, _)| key.0)
    }

    /// Lets time pass until `steady`, and rings what has come up.
    pub fn advance(&self, steady: i64) {
        let mut rung = Vec::new();
        {
            let mut clocks = self.clocks();
            clocks.steady = clocks.steady.max(steady);
            let now = clocks.steady;
            while let Some(entry) = clocks.timers.first_entry()
                && entry.key().0 <= now
            {
                rung.push(entry.remove());
            }
        }
        for waker in rung {
            waker.wake();
        }
    }

    /// Completes after a span of true time.
    pub fn after(&self, span_ms: i64) -> Timer {
        let mut clocks = self.clocks();
        clocks.timers_made += 1;
        Timer {
            key: (clocks.steady + span_ms, clocks.timers_made),
            clock: self.clone(),
        }
    }
}

impl Clocks {
    fn wall(&self) -> i64 {
        let gained = (self.steady - self.drift_since) * self.drift / 1_000_000;
        self.steady + self.offset + gained
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.wall()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.steady() as u64)
    }

    fn run(&self) -> Option<String> {
        Some(format!("boot {}", self.clocks().boots))
    }

    fn is_synchronised(&self) -> Answer {
        let answer = self.has_service() && self.is_right();
        Box::pin(std::future::ready(answer))
    }

    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(self.after((span.as_micros().div_ceil(1_000)) as i64))
    }
}

pub struct Timer {
    key: (i64, u64),
    clock: SimClock,
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut clocks = self.clock.clocks();
        if clocks.steady >= self.key.0 {
            clocks.timers.remove(&self.key);
            return Poll::Ready(());
        }
        clocks.timers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clock.clocks().timers.remove(&self.key);
    }
}
