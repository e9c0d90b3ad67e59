//! The scheduler: wakes patients when their instant has come, and watches the clock.

use super::dispatcher::Notice;
use super::shared::Shared;
use super::vitals::ClockDoubt;
use crate::engine::ExpiredReason;
use crate::store::StoreError;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// The longest sleep: then the wall clock is compared with the steady one.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Patients stepped in one transaction.
const BATCH: usize = 2_000;

/// After a failure the store is left alone for this.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Wall and steady clock may differ by this between two looks without it being called a step.
const STEP_MIN: SignedDuration = SignedDuration::from_millis(500);

/// A clock this far before the last one seen is not believed (G8).
const BACKWARD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// A step forward of more than this while running is not believed (G8).
const FORWARD_RUNNING_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A start this far after the last clock seen is not believed (G8).
const FORWARD_START_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The clock is noted as seen this often.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// Wakes patients until `stop`. `bell` is rung when an earlier wake may have come up;
/// `first_turn` is told of each turn.
pub async fn run(
    shared: Arc<Shared>,
    dispatcher: mpsc::UnboundedSender<Notice>,
    bell: Arc<Notify>,
    first_turn: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut watch = ClockWatch::start(&shared).await;
    let mut store_failed = false;
    while !stop.is_cancelled() {
        watch.look(&shared).await;
        let mut sleep = SLEEP_MAX;
        if watch.is_believed() {
            match fire_due(&shared, &dispatcher, &stop).await {
                Ok(next_wake) => {
                    if std::mem::take(&mut store_failed) {
                        // A commit whose answer was lost may have put messages into the outbox.
                        let _ = dispatcher.send(Notice::LookAgain);
                    }
                    let now = shared.clock.now();
                    shared
                        .vitals
                        .scheduler_turn(shared.clock.elapsed(), next_wake);
                    let until = next_wake.map(|at| at.duration_since(now));
                    let until = until.and_then(|span| Duration::try_from(span).ok());
                    sleep = until.unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
                }
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "patients cannot be woken: the store fails");
                    store_failed = true;
                    // The loop turns: whether the store can be written is for readiness to say.
                    let next_wake = shared.vitals.signs().next_wake;
                    shared
                        .vitals
                        .scheduler_turn(shared.clock.elapsed(), next_wake);
                    sleep = STORE_PAUSE;
                }
            }
        } else {
            shared.vitals.scheduler_turn(shared.clock.elapsed(), None);
        }
        first_turn.notify_one();
        tokio::select! {
            biased;
            () = shared.clock.sleep(sleep) => {}
            () = bell.notified() => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Steps all patients whose wake has come, in batches. Returns the earliest wake that is left.
async fn fire_due(
    shared: &Shared,
    dispatcher: &mpsc::UnboundedSender<Notice>,
    stop: &CancellationToken,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let known = shared.vitals.signs().next_wake;
        let now = shared.clock.now();
        let limits = Arc::clone(&shared.outlet().limits);
        // A look at the first row costs no write.
        let (next, sleeping) = shared.store.next_wake().await?;
        if known != next {
            shared.vitals.scheduler_turn(shared.clock.elapsed(), next);
        }
        if next.is_none_or(|at| at > now) || stop.is_cancelled() {
            let day = shared.day(now);
            shared
                .vitals
                .set_today(day, shared.store.day_counts(day).await?);
            shared
                .metrics
                .patients
                .set(i64::try_from(sleeping).unwrap_or(i64::MAX));
            return Ok(next);
        }
        let overdue = ExpiredReason::DaemonDown;
        let fired = shared
            .store
            .fire(now, BATCH, overdue, limits, shared.day(now))
            .await?;
        shared.metrics.wakes.inc_by(fired.stepped as u64);
        shared.metrics.closed(&fired.tally);
        shared.vitals.closed(&fired.tally);
        if fired.broken > 0 {
            tracing::error!(count = fired.broken, "records of patients cannot be read");
        }
        if !fired.queued.is_empty() {
            let _ = dispatcher.send(Notice::Queued(fired.queued));
        }
        shared
            .vitals
            .scheduler_turn(shared.clock.elapsed(), fired.next_wake);
    }
}

/// Compares the wall clock with the steady one, and with what was seen before.
struct ClockWatch {
    wall: Timestamp,
    steady: Duration,
    /// What passed between reading the two.
    blur: SignedDuration,
    last_seen: Option<Timestamp>,
    noted: Option<Duration>,
    doubt: Option<ClockDoubt>,
}

impl ClockWatch {
    async fn start(shared: &Shared) -> Self {
        let last_seen = shared.store.last_seen().await.ok().flatten();
        let wall = shared.clock.now();
        let doubt = last_seen
            .filter(|seen| !is_plausible(*seen, wall, FORWARD_START_MAX))
            .map(|last_seen| ClockDoubt { last_seen });
        let mut watch = Self {
            wall,
            steady: shared.clock.elapsed(),
            blur: SignedDuration::from_millis(500),
            last_seen,
            noted: None,
            doubt: None,
        };
        watch.hold(shared, doubt);
        watch
    }

    fn is_believed(&self) -> bool {
        self.doubt.is_none()
    }

    /// One look at both clocks: counts a step, holds or releases sending, notes the clock as seen.
    async fn look(&mut self, shared: &Shared) {
        let before = shared.clock.elapsed();
        let (wall, steady) = (shared.clock.now(), shared.clock.elapsed());
        // The two cannot be read at once: what passed in between is no step.
        let blur = SignedDuration::try_from(steady.saturating_sub(before)).unwrap_or_default();
        let predicted = steady
            .checked_sub(self.steady)
            .and_then(|gone| SignedDuration::try_from(gone).ok())
            .and_then(|gone| self.wall.checked_add(gone).ok())
            .unwrap_or(self.wall);
        let step = wall.duration_since(predicted);
        if step.abs() > STEP_MIN + self.blur + blur {
            tracing::warn!(seconds = step.as_secs_f64(), "the wall clock was stepped");
            shared.metrics.clock_stepped(step.is_positive());
            shared.vitals.clock_stepped(step);
            if step > FORWARD_RUNNING_MAX && self.doubt.is_none() {
                self.hold(
                    shared,
                    Some(ClockDoubt {
                        last_seen: predicted,
                    }),
                );
            }
        }
        (self.wall, self.steady, self.blur) = (wall, steady, blur);
        if let Some(doubt) = self.doubt {
            if is_plausible(doubt.last_seen, wall, FORWARD_RUNNING_MAX) {
                tracing::warn!("the clock is plausible again");
                self.hold(shared, None);
            }
        } else if let Some(seen) = self.last_seen
            && !is_plausible(seen, wall, SignedDuration::MAX)
        {
            self.hold(shared, Some(ClockDoubt { last_seen: seen }));
        }
        if self.doubt.is_some() {
            return;
        }
        if self
            .noted
            .is_none_or(|noted| steady.saturating_sub(noted) >= NOTE_EVERY)
            && shared.store.note_running(wall, None).await.is_ok()
        {
            self.noted = Some(steady);
        }
        self.last_seen = Some(self.last_seen.map_or(wall, |seen| seen.max(wall)));
    }

    fn hold(&mut self, shared: &Shared, doubt: Option<ClockDoubt>) {
        if doubt.is_some() {
            tracing::error!("the clock is not to be believed: sending is held");
        }
        self.doubt = doubt;
        shared.vitals.hold_for_clock(doubt);
    }
}

/// Whether a clock may show `wall` when `seen` was seen before it.
fn is_plausible(seen: Timestamp, wall: Timestamp, forward_max: SignedDuration) -> bool {
    let gone = wall.duration_since(seen);
    gone >= -BACKWARD_MAX && gone <= forward_max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_a_day_back_or_a_month_ahead_is_not_believed() {
        let seen = Timestamp::from_second(1_772_409_600).unwrap();
        for (hours, believed) in [
            (-25, false),
            (-24, true),
            (-1, true),
            (0, true),
            (719, true),
            (721, false),
        ] {
            let wall = seen + SignedDuration::from_hours(hours);
            assert_eq!(
                is_plausible(seen, wall, FORWARD_START_MAX),
                believed,
                "{hours} h"
            );
        }
    }
}
