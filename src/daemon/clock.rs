//! Where the daemon's time comes from: every task takes it from a [`Clock`] given to it.

mod synchronised;

use jiff::{SignedDuration, Timestamp};
use std::pin::Pin;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A future that completes when a span of the clock's time has passed.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer that may take a second.
pub type Answer = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What both clocks showed at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, or the best that is known of it.
    pub wall: Timestamp,
    /// The steady clock.
    pub steady: Duration,
}

impl Moment {
    /// The moment at which the wall clock will show `wall`, if nobody touches it; this moment for
    /// an instant that has passed.
    #[must_use]
    pub fn until(self, wall: Timestamp) -> Self {
        let ahead = Duration::try_from(wall.duration_since(self.wall)).unwrap_or(Duration::ZERO);
        Self {
            wall: self.wall.max(wall),
            steady: self.steady.saturating_add(ahead),
        }
    }
}

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
    /// Names the run of the steady clock: two processes that are told the same name read one and
    /// the same clock. `None` where it is of this process alone.
    fn run(&self) -> Option<String> {
        None
    }
    /// Whether somebody who knows (the kernel, by its time service) says that the wall clock is
    /// right. May take a second; it is asked only while the clock is in doubt.
    fn is_synchronised(&self) -> Answer {
        Box::pin(std::future::ready(false))
    }
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

    fn run(&self) -> Option<String> {
        // The steady clock begins with the machine's start.
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(boot.trim().to_owned())
    }

    fn is_synchronised(&self) -> Answer {
        let now = self.now();
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || synchronised::by_timedated(now));
            asked.await.unwrap_or(false)
        })
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
        Self {
            start,
            began: Instant::now(),
            speed: speed.max(1),
        }
    }
}

/// A scaled clock as text: `SHOWN@REAL*SPEED` shows `SHOWN` when the machine's clock shows `REAL`
/// (both RFC 3339) and runs `SPEED` times as fast; `*SPEED` may be left out. Two processes that
/// are given the same text show the same time.
impl FromStr for ScaledClock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not of the form SHOWN@REAL*SPEED");
        let (shown, rest) = text.split_once('@').ok_or_else(malformed)?;
        let (real, speed) = rest.split_once('*').unwrap_or((rest, "1"));
        let shown: Timestamp = shown.parse().map_err(|_| malformed())?;
        let real: Timestamp = real.parse().map_err(|_| malformed())?;
        let speed: u16 = speed.parse().map_err(|_| malformed())?;
        let gone = Timestamp::now()
            .duration_since(real)
            .checked_mul(i32::from(speed.max(1)));
        let start = gone
            .and_then(|gone| shown.checked_add(gone).ok())
            .ok_or_else(malformed)?;
        Ok(Self::new(start, speed.into()))
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

    #[test]
    fn a_scaled_clock_is_anchored_to_the_machines() {
        let real = Timestamp::now();
        let shown: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let hour_ago = real - SignedDuration::from_hours(1);
        for (text, at_least) in [
            (format!("{shown}@{real}"), shown),
            (format!("2026-03-01T08:00:00+08:00@{real}*60"), shown),
            (
                format!("{shown}@{hour_ago}"),
                shown + SignedDuration::from_hours(1),
            ),
            (
                format!("{shown}@{hour_ago}*24"),
                shown + SignedDuration::from_hours(24),
            ),
        ] {
            let now = text.parse::<ScaledClock>().unwrap().now();
            let late = now.duration_since(at_least);
            assert!(
                !late.is_negative() && late < SignedDuration::from_hours(1),
                "{text}: {now}"
            );
        }
    }

    #[test]
    fn a_scaled_clock_refuses_what_it_does_not_understand() {
        let good = "2026-03-01T00:00:00Z";
        for text in [
            String::new(),
            good.to_owned(),
            format!("{good}@"),
            format!("{good}@{good}*"),
            format!("{good}@{good}*-1"),
            format!("{good}@yesterday"),
            format!("{good}@{good}*4294967295"),
        ] {
            assert!(text.parse::<ScaledClock>().is_err(), "{text}");
        }
    }
}
