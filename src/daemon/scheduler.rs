//! The scheduler: wakes patients when their instant has come, and never by a clock in doubt.

use super::clock::Moment;
use super::dispatcher::Notice;
use super::shared::Shared;
use crate::engine::ExpiredReason;
use crate::store::StoreError;
use jiff::Timestamp;
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

/// Wakes patients until `stop`. `bell` is rung when an earlier wake may have come up;
/// `first_turn` is told of each turn.
pub async fn run(
    shared: Arc<Shared>,
    dispatcher: mpsc::UnboundedSender<Notice>,
    bell: Arc<Notify>,
    first_turn: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut store_failed = false;
    while !stop.is_cancelled() {
        let time = shared.time();
        let mut sleep = SLEEP_MAX;
        // What was edited while the daemon was down is edited before anybody is woken.
        let planned = shared.vitals.signs().plans.last_reload.is_some();
        if time.doubted {
            shared.timekeeper.set_held(true);
            shared.vitals.scheduler_turn(time.now.steady, None);
        } else if planned {
            // Windows that passed while the clock was in doubt were missed for that.
            let overdue = shared.timekeeper.overdue_for();
            match fire_due(&shared, &dispatcher, overdue, &stop).await {
                Ok(next_wake) => {
                    if std::mem::take(&mut store_failed) {
                        // A commit whose answer was lost may have put messages into the outbox.
                        let _ = dispatcher.send(Notice::LookAgain);
                    }
                    let Moment { wall, steady } = shared.moment();
                    shared.vitals.scheduler_turn(steady, next_wake);
                    let until = next_wake.map(|at| at.duration_since(wall));
                    let until = until.and_then(|span| Duration::try_from(span).ok());
                    sleep = until.unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
                    shared.timekeeper.set_held(false);
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
        }
        if planned || time.doubted {
            first_turn.notify_one();
        }
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
    overdue: ExpiredReason,
    stop: &CancellationToken,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let known = shared.vitals.signs().next_wake;
        let time = shared.time();
        if time.doubted {
            // Since the last batch: the next turn says so.
            return Ok(known);
        }
        let now = time.now.wall;
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
