//! Where the daemon's time comes from: every task takes it from a [`Clock`] given to it.

use jiff::{SignedDuration, Timestamp};
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A future that completes when a span of the clock's time has passed.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wall clock and a steady clock that belong together.
///
/// # Contract
/// `now` may step in either direction; `elapsed` never goes back and counts time spent
/// suspended. The scheduler compares the two to see steps of the wall clock.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Steady time since an arbitrary beginning.
    fn elapsed(&self) -> Duration;
    /// Sleeps for a span of this clock's time. It does not see steps of the wall clock: callers
    /// cap it.
    fn sleep(&self, span: Duration) -> Sleep;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        // CLOCK_BOOTTIME counts suspension, CLOCK_MONOTONIC does not.
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(boot.tv_sec as u64, boot.tv_nsec as u32)
    }

    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(span))
    }
}

/// A clock that starts at a chosen instant and runs a number of times as fast, for the demo and
/// for tests.
#[derive(Clone, Copy, Debug)]
pub struct ScaledClock {
    start: Timestamp,
    began: Instant,
    speed: u32,
}

impl ScaledClock {
    /// A clock that shows `start` now and then runs `speed` times as fast as the machine's.
    /// A `speed` of 0 is taken as 1.
    #[must_use]
    pub fn new(start: Timestamp, speed: u32) -> Self {
        Self { start, began: Instant::now(), speed: speed.max(1) }
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Timestamp {
        let gone = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(gone).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed().saturating_mul(self.speed)
    }

    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(span / self.speed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_clock_begins_at_its_start_and_never_goes_back() {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let clock = ScaledClock::new(start, 3600);
        let (first, second) = (clock.now(), clock.now());
        assert!(start <= first && first <= second);
    }
}
