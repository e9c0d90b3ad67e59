//! The timekeeper: compares the clocks whenever somebody asks for the time, and holds all sending
//! while the wall clock is not to be believed (G8).
//!
//! Nobody decides about a patient by a clock in doubt: no wake fires, nothing expires, nothing
//! leaves. The doubt ends with a clock that is plausible again, with the kernel's word that it is
//! synchronised, or with `dosed clock accept`.

use super::clock::{Clock, Moment};
use super::plausibility::{ClockDoubt, Findings, Look, Plausibility};
use super::shared::Shared;
use crate::engine::ExpiredReason;
use crate::store::{ClockMark, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The clocks are compared at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The clock is noted as seen this often.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// After a failure the store is left alone for this.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// While the clock is in doubt somebody who knows is asked this often.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// What was seen of the clocks, shared by all tasks.
#[derive(Default)]
pub struct Timekeeper {
    inner: Mutex<Inner>,
    changed: Notify,
    /// Nobody was woken since the clock was in doubt.
    held: AtomicBool,
}

#[derive(Default)]
struct Inner {
    clock: Plausibility,
    /// Up to here the wall clock has shown instants that it shows again.
    set_back_from: Option<Timestamp>,
    /// The store does not know of `set_back_from` yet.
    unnoted_set_back: bool,
    /// The wall clock was set ahead, from and to, and the store does not know of it yet.
    unnoted_set_ahead: Option<(Timestamp, Timestamp)>,
    /// The clock is to be noted as seen now.
    note_now: bool,
}

impl Timekeeper {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the clocks. The findings, and the moment by the best clock known.
    fn look(&self, clock: &dyn Clock) -> (Findings, Moment, Option<ClockDoubt>) {
        let mut inner = self.inner();
        // Read under the lock: looks are judged in the order in which they were taken.
        let before = clock.elapsed();
        let (wall, steady) = (clock.now(), clock.elapsed());
        // The two cannot be read at once: what passed in between is no step.
        let blur = SignedDuration::try_from(steady.saturating_sub(before)).unwrap_or_default();
        let at = Moment { wall, steady };
        let findings = inner.clock.look(Look { at, blur });
        if let Some(from) = findings.set_back_from {
            let known = inner.set_back_from;
            inner.set_back_from = Some(known.map_or(from, |known| known.max(from)));
            inner.unnoted_set_back = true;
        }
        if let Some(from) = findings.set_ahead_from {
            let first = inner.unnoted_set_ahead.map_or(from, |(first, _)| first);
            inner.unnoted_set_ahead = Some((first.min(from), wall));
        }
        let doubt = inner.clock.doubt();
        let moment = inner.clock.moment().unwrap_or(at);
        drop(inner);
        let set = findings.set_back_from.or(findings.set_ahead_from);
        if set.is_some() || findings.turned {
            self.changed.notify_one();
        }
        (findings, moment, doubt)
    }

    /// The clock is in doubt, and nobody is woken; or all who were due have been.
    pub fn set_held(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// Why windows have passed by which nobody was woken.
    #[must_use]
    pub fn overdue_for(&self) -> ExpiredReason {
        if self.held.load(Ordering::Relaxed) {
            ExpiredReason::Clock
        } else {
            ExpiredReason::DaemonDown
        }
    }

    /// The latest instant that the wall clock has shown and may show again because it was set
    /// back: what was noted at or before it has an age that nobody knows.
    #[must_use]
    pub fn set_back_from(&self) -> Option<Timestamp> {
        self.inner().set_back_from
    }
}

/// The time, and whether it may be acted upon.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// This moment by the best clock known.
    pub now: Moment,
    /// Nobody may decide about a patient by it.
    pub doubted: bool,
}

impl Shared {
    /// Compares the clocks, says what has changed, and tells the time.
    pub fn time(&self) -> Time {
        let (findings, now, doubt) = self.timekeeper.look(self.clock.as_ref());
        if let Some(step) = findings.step {
            tracing::warn!(seconds = step.as_secs_f64(), "the wall clock was stepped");
            self.metrics.clock_stepped(step.is_positive());
            self.vitals.clock_stepped(step);
        }
        if findings.turned {
            if let Some(doubt) = doubt {
                tracing::error!(
                    reason = doubt.reason(),
                    "the clock is not to be believed: sending is held"
                );
            } else {
                tracing::warn!("the clock is plausible again: sending goes on");
            }
            self.vitals.hold_for_clock(doubt);
            self.metrics.held_for_clock(doubt.is_some());
        }
        Time {
            now,
            doubted: doubt.is_some(),
        }
    }

    /// This moment by the best clock known, for what is remembered and not decided.
    pub fn moment(&self) -> Moment {
        self.time().now
    }

    /// The best wall clock known.
    pub fn now(&self) -> Timestamp {
        self.moment().wall
    }

    /// Takes the clock as right, on somebody's word. False when it was not in doubt.
    pub fn accept_clock(&self, on_whose_word: &'static str) -> bool {
        self.time();
        let mut inner = self.timekeeper.inner();
        let accepted = inner.clock.accept();
        inner.note_now |= accepted;
        drop(inner);
        if accepted {
            tracing::warn!(
                by = on_whose_word,
                "the clock is accepted as right: sending goes on"
            );
            self.vitals.hold_for_clock(None);
            self.metrics.held_for_clock(false);
            self.timekeeper.changed.notify_one();
        }
        accepted
    }
}

/// Reads what an earlier process saw of the clock, and judges the present one: to be awaited
/// before any task looks at the time. Without knowing what was seen no clock can be judged: a
/// store that fails is asked again.
///
/// # Errors
/// The store is lost.
pub async fn begin(shared: &Shared) -> Result<(), StoreError> {
    let (seen, set_back_from, mark) = loop {
        match read(&shared.store).await {
            Ok(read) => break read,
            Err(StoreError::Closed) => return Err(StoreError::Closed),
            Err(error) if shared.store.telemetry().lost() => return Err(error),
            Err(error) => {
                tracing::error!(%error, "what was seen of the clock cannot be read");
                shared.clock.sleep(STORE_PAUSE).await;
            }
        }
    };
    let run = shared.clock.run();
    let marked = mark
        .filter(|mark| run.as_deref() == Some(mark.run.as_str()))
        .and_then(|mark| {
            Some(Moment {
                wall: Timestamp::from_millisecond(mark.wall).ok()?,
                steady: Duration::from_millis(mark.steady),
            })
        });
    {
        let mut inner = shared.timekeeper.inner();
        inner.clock = Plausibility::after(seen, marked);
        inner.set_back_from = set_back_from;
        inner.note_now = true;
    }
    shared.time();
    Ok(())
}

/// The last clock seen, from where it was set back, and what both clocks showed.
type Noted = (Option<Timestamp>, Option<Timestamp>, Option<ClockMark>);

async fn read(store: &Store) -> Result<Noted, StoreError> {
    Ok((
        store.last_seen().await?,
        store.set_back_from().await?,
        store.clock_mark().await?,
    ))
}

/// Compares the clocks, remembers what was seen, and asks whether a doubted clock is right, until
/// `stop`.
pub async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut noted: Option<Duration> = None;
    let mut asked: Option<Duration> = None;
    while !stop.is_cancelled() {
        let time = shared.time();
        let steady = time.now.steady;
        let passed = |since: Option<Duration>, span| {
            since.is_none_or(|since| steady.saturating_sub(since) >= span)
        };
        note_set_back(&shared, time.now.wall).await;
        let ages_are_known = note_set_ahead(&shared, time.now.wall).await;
        if time.doubted {
            if passed(asked, ASK_EVERY) {
                asked = Some(steady);
                if shared.clock.is_synchronised().await {
                    shared.accept_clock("the kernel");
                }
            }
        } else {
            let (seen, due) = {
                let mut inner = shared.timekeeper.inner();
                let due = std::mem::take(&mut inner.note_now) || passed(noted, NOTE_EVERY);
                (inner.clock.seen(), due)
            };
            if !ages_are_known {
                // What is noted as seen makes old: only after what it was set ahead by.
                shared.timekeeper.inner().note_now = true;
            } else if due && let Some(seen) = seen {
                let mark = shared.clock.run().map(|run| ClockMark {
                    run,
                    steady: u64::try_from(steady.as_millis()).unwrap_or(u64::MAX),
                    wall: time.now.wall.as_millisecond(),
                });
                match shared.store.note_seen(time.now.wall, seen, mark).await {
                    Ok(()) => noted = Some(steady),
                    // The store says itself what is wrong with it.
                    Err(_) => shared.timekeeper.inner().note_now = true,
                }
            }
        }
        tokio::select! {
            biased;
            () = shared.clock.sleep(LOOK_EVERY) => {}
            () = shared.timekeeper.changed.notified() => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn note_set_back(shared: &Shared, now: Timestamp) {
    let from = {
        let mut inner = shared.timekeeper.inner();
        let unnoted = std::mem::take(&mut inner.unnoted_set_back);
        inner.set_back_from.filter(|_| unnoted)
    };
    if let Some(from) = from
        && shared.store.note_set_back(now, from).await.is_err()
    {
        shared.timekeeper.inner().unnoted_set_back = true;
    }
}

/// False when the store could not be told.
async fn note_set_ahead(shared: &Shared, now: Timestamp) -> bool {
    let unnoted = shared.timekeeper.inner().unnoted_set_ahead.take();
    let Some((from, to)) = unnoted else {
        return true;
    };
    let noted = shared.store.note_set_ahead(now, from, to).await.is_ok();
    if !noted {
        let mut inner = shared.timekeeper.inner();
        let later = inner.unnoted_set_ahead.map_or(to, |(_, later)| later);
        inner.unnoted_set_ahead = Some((from, later));
    }
    noted
}

#[cfg(test)]
mod tests {
    use super::super::plausibility::DoubtKind;
    use super::*;
    use crate::daemon::tests::{START, SetClock, shared};
    use std::sync::atomic::Ordering;

    const DAY: i64 = 86_400;

    /// Runs the task until `is_met`, asked a thousand times a second, then stops it.
    async fn run_until(shared: &Arc<Shared>, mut is_met: impl AsyncFnMut() -> bool) {
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(Arc::clone(shared), stop.clone()));
        let met = async {
            while !is_met().await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let met = tokio::time::timeout(Duration::from_secs(60), met).await;
        stop.cancel();
        running.await.unwrap();
        met.expect("waited in vain");
    }

    fn at(seconds: i64) -> Option<Timestamp> {
        Timestamp::from_second(START + seconds).ok()
    }

    #[tokio::test]
    async fn a_step_of_more_than_a_week_holds_is_not_seen_and_ends_with_the_right_time() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::default());
        let shared = shared(&directory, &clock);
        begin(&shared).await.unwrap();
        let store = shared.store.clone();
        let seen = async || store.last_seen().await.unwrap();
        run_until(&shared, async || seen().await == at(0)).await;
        clock.set(8 * DAY, 61);
        assert!(shared.time().doubted);
        assert_eq!(shared.moment().wall, at(61).unwrap(), "what it should show");
        let doubt = shared.vitals.signs().clock_held.unwrap();
        assert_eq!(doubt.kind, DoubtKind::SteppedAhead);
        assert!(
            shared
                .metrics
                .text()
                .contains("dosed_sending_held{reason=\"clock\"} 1")
        );
        // Two minutes of it: it is never noted as seen.
        clock.set(8 * DAY + 120, 181);
        assert!(shared.time().doubted);
        clock.set(200, 200);
        assert!(!shared.time().doubted);
        assert_eq!(shared.vitals.signs().clock_held, None);
        run_until(&shared, async || seen().await == at(200)).await;
        assert!(
            shared
                .metrics
                .text()
                .contains("dosed_sending_held{reason=\"clock\"} 0")
        );
    }

    #[tokio::test]
    async fn the_kernels_word_ends_a_doubt_and_the_clock_is_then_the_last_one_seen() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::default());
        let shared = shared(&directory, &clock);
        begin(&shared).await.unwrap();
        clock.set(-3 * DAY, 1);
        assert!(shared.time().doubted);
        clock.synchronised.store(true, Ordering::SeqCst);
        let store = shared.store.clone();
        let seen = async || store.last_seen().await.unwrap();
        run_until(&shared, async || seen().await == at(-3 * DAY)).await;
        assert!(!shared.time().doubted);
        assert_eq!(shared.timekeeper.set_back_from(), at(1));
    }

    #[tokio::test]
    async fn a_clock_set_back_while_nothing_ran_is_known_by_the_steady_clock() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::default());
        let first = shared(&directory, &clock);
        begin(&first).await.unwrap();
        let store = first.store.clone();
        run_until(&first, async || store.clock_mark().await.unwrap().is_some()).await;
        store.close().await;
        drop((first, store));
        // Half an hour later it shows twenty minutes: later than any that was seen.
        clock.set(1_200, 1_800);
        let second = shared(&directory, &clock);
        begin(&second).await.unwrap();
        assert!(!second.time().doubted);
        assert_eq!(second.timekeeper.set_back_from(), at(1_800));
        let store = second.store.clone();
        let noted = async || store.set_back_from().await.unwrap();
        run_until(&second, async || noted().await == at(1_800)).await;
    }
}
