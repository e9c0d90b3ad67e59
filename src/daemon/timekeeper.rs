//! The timekeeper: compares the clocks whenever somebody asks for the time, and holds all sending
//! while the wall clock is not to be believed (G8).
//!
//! Nobody decides about a patient by a clock in doubt: no wake fires, nothing expires, nothing
//! leaves. The doubt ends with a clock that is plausible again, with the kernel's word that it is
//! synchronised, or with `dosed clock accept`.

use super::clock::{Clock, Moment};
use super::plausibility::{ClockDoubt, Findings, Look, Plausibility};
use super::shared::Shared;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The clocks are compared at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The clock is noted as seen this often.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// While the clock is in doubt somebody who knows is asked this often.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// What was seen of the clocks, shared by all tasks.
#[derive(Default)]
pub struct Timekeeper {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    clock: Plausibility,
    /// Up to here the wall clock has shown instants that it shows again.
    set_back_from: Option<Timestamp>,
    /// The store does not know of `set_back_from` yet.
    unnoted_set_back: bool,
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
        let doubt = inner.clock.doubt();
        let moment = inner.clock.moment().unwrap_or(at);
        drop(inner);
        if findings.set_back_from.is_some() || findings.turned {
            self.changed.notify_one();
        }
        (findings, moment, doubt)
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
            match doubt {
                Some(doubt) => {
                    tracing::error!(
                        reason = doubt.reason(),
                        "the clock is not to be believed: sending is held"
                    );
                }
                None => tracing::warn!("the clock is plausible again: sending goes on"),
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
/// before any task looks at the time.
pub async fn begin(shared: &Shared) {
    let seen = shared.store.last_seen().await.ok().flatten();
    let set_back_from = shared.store.set_back_from().await.ok().flatten();
    {
        let mut inner = shared.timekeeper.inner();
        inner.clock = Plausibility::after(seen);
        inner.set_back_from = set_back_from;
        inner.note_now = true;
    }
    shared.time();
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
            if due && let Some(seen) = seen {
                match shared.store.note_seen(time.now.wall, seen).await {
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
