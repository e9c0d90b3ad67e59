//! The demo's clock: it takes its time until the daemon is ready, and runs fast from then on.

use crate::daemon::clock::{Clock, Sleep};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A clock that begins at a chosen instant at the machine's pace, and is let run a number of times
/// as fast later. Were it fast from the start, a slow machine would pass the first reminders
/// before the daemon is up. Clones show the same time.
#[derive(Clone, Debug)]
pub(super) struct DemoClock {
    start: Timestamp,
    began: Instant,
    speed: u32,
    let_run: Arc<OnceLock<Instant>>,
    runs: CancellationToken,
}

impl DemoClock {
    /// A clock that shows `start` now.
    pub(super) fn new(start: Timestamp, speed: u32) -> Self {
        Self {
            start,
            began: Instant::now(),
            speed: speed.max(1),
            let_run: Arc::default(),
            runs: CancellationToken::new(),
        }
    }

    /// From now on it runs fast.
    pub(super) fn run(&self) {
        self.let_run.get_or_init(Instant::now);
        self.runs.cancel();
    }

    /// What it shows beyond its start when the machine's clock shows `now`.
    fn shown(&self, now: Instant) -> Duration {
        let slow = self.let_run.get().map_or(now, |&at| at.min(now));
        let fast = now.saturating_duration_since(slow);
        slow.saturating_duration_since(self.began)
            .saturating_add(fast.saturating_mul(self.speed))
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        let gone = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(gone).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.shown(Instant::now())
    }

    fn sleep(&self, span: Duration) -> Sleep {
        let clock = self.clone();
        let until = self.elapsed().saturating_add(span);
        Box::pin(async move {
            tokio::select! {
                () = tokio::time::sleep(span), if !clock.runs.is_cancelled() => return,
                () = clock.runs.cancelled() => {}
            }
            let left = until.saturating_sub(clock.elapsed());
            tokio::time::sleep(left / clock.speed).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_machines_pace_until_it_is_let_run_and_never_goes_back() {
        let clock = DemoClock::new(Timestamp::UNIX_EPOCH, 60);
        let after = |seconds| clock.began + Duration::from_secs(seconds);
        assert_eq!(clock.shown(after(0)), Duration::ZERO);
        assert_eq!(clock.shown(after(3)), Duration::from_secs(3));
        clock.let_run.set(after(5)).unwrap();
        for (real, shown) in [(3, 3), (5, 5), (6, 65), (10, 305)] {
            let told = clock.shown(after(real));
            assert_eq!(told, Duration::from_secs(shown), "after {real} s");
        }
    }

    #[tokio::test]
    async fn a_sleep_that_began_slowly_ends_at_its_time_when_the_clock_runs() {
        let clock = DemoClock::new(Timestamp::UNIX_EPOCH, 600);
        let span = Duration::from_secs(60);
        let sleep = clock.sleep(span);
        clock.run();
        sleep.await;
        assert!(clock.elapsed() >= span, "not before its time");
        assert!(clock.began.elapsed() < span, "not at the slow pace");
    }
}
