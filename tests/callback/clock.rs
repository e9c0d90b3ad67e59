//! A clock that runs at the machine's pace and can be let jump ahead.

use dosed::daemon::clock::{Clock, Sleep};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Wall clock and steady clock jump together, as if the time between had passed; whoever sleeps
/// until an instant that was jumped over wakes at once. Clones show the same time.
#[derive(Clone)]
pub struct JumpingClock {
    start: Timestamp,
    began: Instant,
    skipped: Arc<watch::Sender<Duration>>,
}

impl JumpingClock {
    /// A clock that shows `start` now.
    pub fn starting(start: Timestamp) -> Self {
        Self {
            start,
            began: Instant::now(),
            skipped: Arc::new(watch::Sender::new(Duration::ZERO)),
        }
    }

    /// Shows `instant` from now on; an instant that has passed changes nothing.
    pub fn jump(&self, instant: Timestamp) {
        let ahead = Duration::try_from(instant.duration_since(self.now())).unwrap_or_default();
        self.skipped.send_modify(|skipped| *skipped += ahead);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.elapsed()).expect("a test is short")
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed() + *self.skipped.borrow()
    }

    fn sleep(&self, span: Duration) -> Sleep {
        let clock = self.clone();
        let until = self.elapsed().saturating_add(span);
        let mut jumps = self.skipped.subscribe();
        Box::pin(async move {
            loop {
                let left = until.saturating_sub(clock.elapsed());
                tokio::select! {
                    () = tokio::time::sleep(left) => return,
                    jumped = jumps.changed() => jumped.expect("the clock outlives its sleepers"),
                }
            }
        })
    }
}

#[tokio::test]
async fn a_jump_wakes_whoever_sleeps_until_before_it() {
    let clock = JumpingClock::starting(Timestamp::UNIX_EPOCH);
    let day = Duration::from_secs(86_400);
    let (sleep, longer) = (clock.sleep(day), clock.sleep(day * 3));
    clock.jump(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(48));
    sleep.await;
    assert!(clock.elapsed() >= day * 2);
    tokio::select! {
        biased;
        () = longer => panic!("that was a day early"),
        () = std::future::ready(()) => {}
    }
}
