//! Workers: each hands one message at a time to the channel.

use super::clock::Moment;
use super::recorder::Ended;
use super::retry::{self, Try};
use super::shared::{Outlet, Shared};
use super::timekeeper::Time;
use crate::engine::Settlement;
use crate::messaging::{Outcome, Outgoing, Permit, Verdict};
use crate::store::{Queued, Receipt, TriedOutcome};
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Claimed messages on their way from the dispatcher to the workers.
#[derive(Default)]
pub struct Handoff {
    jobs: Mutex<VecDeque<Job>>,
    available: Semaphore0,
    /// The dispatcher is told, once for each time that it asks, when so few are left.
    low_water: AtomicUsize,
    low_awaited: AtomicBool,
    low: Notify,
    /// More messages could be sent than workers have at hand.
    busy: AtomicBool,
    /// Messages that workers have finished with since the start.
    finished: AtomicUsize,
}

/// A semaphore that begins with nothing.
struct Semaphore0(Semaphore);

impl Default for Semaphore0 {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

struct Job {
    queued: Queued,
    /// Sent although the gate is closed, to see whether it may be opened.
    probe: bool,
}

impl Handoff {
    /// Hands claimed messages over, in order.
    pub fn push(&self, claimed: impl Iterator<Item = Queued>) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let before = jobs.len();
        jobs.extend(claimed.map(|queued| Job {
            queued,
            probe: false,
        }));
        self.available.0.add_permits(jobs.len() - before);
    }

    /// Hands over a message that passes the closed gate.
    pub fn push_probe(&self, queued: Queued) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push_back(Job {
            queued,
            probe: true,
        });
        self.available.0.add_permits(1);
    }

    /// Takes back those that no worker has taken.
    pub fn take_back(&self) -> Vec<Queued> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.drain(..).map(|job| job.queued).collect()
    }

    /// How many wait for a worker.
    pub fn waiting(&self) -> usize {
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Asks to be told by [`Handoff::runs_low`] when one is taken and not more than `left` wait.
    pub fn set_low_water(&self, left: usize) {
        self.low_water.store(left, Ordering::Relaxed);
        self.low_awaited.store(true, Ordering::Release);
    }

    /// Waits until few are left.
    pub async fn runs_low(&self) {
        self.low.notified().await;
    }

    /// The dispatcher says whether it has more to hand over.
    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// True while messages that could be sent wait for their turn.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// How many messages workers have finished with.
    pub fn finished(&self) -> usize {
        self.finished.load(Ordering::Relaxed)
    }

    /// Takes the next one; waits for it.
    async fn next(&self) -> Option<Job> {
        self.available.0.acquire().await.ok()?.forget();
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = jobs.pop_front();
        if jobs.len() <= self.low_water.load(Ordering::Relaxed)
            && self.low_awaited.swap(false, Ordering::AcqRel)
        {
            self.low.notify_one();
        }
        job
    }
}

/// Sends until `stop`; then finishes the message in hand and gives back those that wait.
pub async fn run(
    shared: Arc<Shared>,
    handoff: Arc<Handoff>,
    recorder: mpsc::UnboundedSender<Ended>,
    stop: CancellationToken,
) {
    loop {
        let job = tokio::select! {
            biased;
            job = handoff.next() => job,
            () = stop.cancelled() => return,
        };
        let Some(job) = job else {
            return;
        };
        let ended = if stop.is_cancelled() {
            give_back(&shared, job.queued)
        } else {
            send(&shared, job).await
        };
        handoff.finished.fetch_add(1, Ordering::Relaxed);
        if recorder.send(ended).is_err() {
            return;
        }
    }
}

/// A message that was not sent: it may be tried at once, or when the gate opens.
fn give_back(shared: &Shared, queued: Queued) -> Ended {
    let outcome = unsent(&queued, shared.now());
    Ended::new(queued, outcome)
}

/// Where the clock was set back, the instant of a message that was ready is to come again.
fn unsent(queued: &Queued, now: Timestamp) -> TriedOutcome {
    let message = &queued.message;
    let at = now.max(message.not_before).min(message.key.deadline);
    TriedOutcome::Later(at, queued.attempts)
}

/// Looks again, right before the first byte leaves, at what was looked at before: a token or a
/// connection may have been waited for, and the clock may have been touched.
fn permit(shared: &Arc<Shared>, queued: &Queued, resend_within: Option<SignedDuration>) -> Permit {
    let shared = Arc::clone(shared);
    let (not_before, deadline) = (queued.message.not_before, queued.message.key.deadline);
    let attempts = queued.attempts;
    Permit::new(move || {
        let time = shared.time();
        !time.doubted
            && (not_before..deadline).contains(&time.now.wall)
            && !retry::is_too_late(&attempts, resend_within, time.now)
    })
}

/// What has become of a message by the time a worker looks at it: `Some` where it is not sent.
fn looked_at_again(
    shared: &Shared,
    queued: &Queued,
    probe: bool,
    time: Time,
) -> Option<TriedOutcome> {
    let message = &queued.message;
    let now = time.now;
    if time.doubted {
        return Some(unsent(queued, now.wall));
    }
    if now.wall >= message.key.deadline {
        let closed = shared.gate().waits_for(now.wall);
        let reason = closed.unwrap_or_else(|| shared.not_reached(message));
        let settlement = retry::at_deadline(&queued.attempts, reason);
        return Some(TriedOutcome::Final(settlement));
    }
    if now.wall < message.not_before || (!probe && shared.gate().reason().is_some()) {
        return Some(unsent(queued, now.wall));
    }
    let resend_within = shared.outlet().channel.resend_within();
    retry::is_too_late(&queued.attempts, resend_within, now)
        .then_some(TriedOutcome::Final(Settlement::InDoubt))
}

async fn send(shared: &Arc<Shared>, job: Job) -> Ended {
    let Job { queued, probe } = job;
    let time = shared.time();
    if let Some(outcome) = looked_at_again(shared, &queued, probe, time) {
        if probe {
            shared.gate().probe_dropped();
        }
        return Ended::new(queued, outcome);
    }
    let message = &queued.message;
    let began = time.now;
    let outlet = shared.outlet();
    let resend_within = outlet.channel.resend_within();
    let permit = permit(shared, &queued, resend_within);
    let link = shared
        .links
        .get()
        .and_then(|links| links.for_message(queued.patient, queued.contact, message));
    let outgoing = Outgoing {
        id: message.key.id,
        address: &queued.address,
        addressee: &message.addressee,
        body: &message.body,
        link: link.as_deref(),
        now: began.wall,
        permit: &permit,
    };
    if queued.attempts.words {
        return send_in_words(shared, (&queued, probe), outgoing, began, &outlet).await;
    }
    let mut verdict = outlet.channel.send(outgoing).await;
    let now = shared.moment();
    let took = now.steady.saturating_sub(began.steady);
    if verdict.detail.is_ours() {
        // It says nothing of the API.
        if probe {
            shared.gate().probe_dropped();
        }
    } else {
        shared.gate().tried(verdict.outcome, now.wall);
    }
    match verdict.outcome {
        Outcome::Throttled(_) => shared.throttled.notify_one(),
        Outcome::RetryAt(until) if verdict.tries_max.is_none() => {
            let until = shared
                .recipients()
                .refused(&queued.address, until, now.wall);
            verdict.outcome = Outcome::RetryAt(until);
        }
        Outcome::Accepted => shared.recipients().accepted(&queued.address),
        _ => {}
    }
    note_tried(shared, &queued, &verdict, took, now);
    let outcome = retry::after(&tried_of(&queued, began, resend_within), &verdict, now);
    let receipt = Receipt {
        number: verdict
            .msgid
            .filter(|_| verdict.outcome == Outcome::Accepted),
        ..Receipt::default()
    };
    Ended::with_receipt(queued, outcome, receipt)
}

/// The same in free words. What the API says of those closes no gate: its quota and its permission
/// are others than those of templates.
async fn send_in_words(
    shared: &Arc<Shared>,
    (queued, probe): (&Queued, bool),
    outgoing: Outgoing<'_>,
    began: Moment,
    outlet: &Outlet,
) -> Ended {
    let verdict = outlet.channel.send_in_words(outgoing).await;
    let now = shared.moment();
    let tried = tried_of(queued, began, None);
    let (outcome, closed) = retry::after_words(&tried, &verdict, now);
    let told = if closed {
        Outcome::Recipient
    } else {
        verdict.outcome
    };
    if !verdict.detail.is_ours() {
        shared.gate().tried_in_words(told, probe, now.wall);
    } else if probe {
        shared.gate().probe_dropped();
    }
    let took = now.steady.saturating_sub(began.steady);
    note_tried(shared, queued, &verdict, took, now);
    let receipt = Receipt {
        number: None,
        in_words: verdict.outcome == Outcome::Accepted,
        closed,
    };
    Ended::with_receipt(queued.clone(), outcome, receipt)
}

fn tried_of(queued: &Queued, began: Moment, resend_within: Option<SignedDuration>) -> Try {
    Try {
        id: queued.message.key.id,
        before: queued.attempts,
        began,
        not_before: queued.message.not_before,
        deadline: queued.message.key.deadline,
        resend_within,
    }
}

/// Counts a try, and says why it failed.
fn note_tried(shared: &Shared, queued: &Queued, verdict: &Verdict, took: Duration, now: Moment) {
    let message = &queued.message;
    shared.metrics.tried(verdict.outcome.name());
    shared
        .metrics
        .send_duration_seconds
        .observe(took.as_secs_f64());
    if verdict.outcome == Outcome::Accepted {
        let late = now.wall.duration_since(message.due).as_secs_f64().max(0.0);
        shared.metrics.reminder_lateness_seconds.observe(late);
    } else {
        tracing::warn!(
            patient = shared.store.pseudonym(queued.patient),
            message = %message.key.id,
            outcome = verdict.outcome.name(),
            cause = %verdict,
            "a message was not accepted"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate::Passage;
    use super::super::queue::tests::queued;
    use super::*;
    use crate::daemon::tests::{SetClock, shared};
    use crate::engine::{Class, ExpiredReason, Message};

    #[test]
    fn what_came_up_overdue_and_had_no_time_left_expired_because_the_daemon_was_down() {
        let directory = tempfile::tempdir().unwrap();
        let shared = shared(&directory, &Arc::new(SetClock::default()));
        let since = shared.now();
        shared.sends_since.set(since).unwrap();
        let seconds = |it: i64| since + SignedDuration::from_secs(it);
        let mut message = Message::clone(&queued(1, Class::Dose, 0, 600, 0).message);
        for (due, not_before, reason) in [
            (-60, 0, ExpiredReason::DaemonDown),
            (-60, -60, ExpiredReason::DaemonDown),
            (0, 0, ExpiredReason::Throttled),
            // Put off by quiet hours.
            (-60, 3_600, ExpiredReason::Throttled),
        ] {
            (message.due, message.not_before) = (seconds(due), seconds(not_before));
            assert_eq!(shared.not_reached(&message), reason, "{due} {not_before}");
        }
    }

    /// A probe that is not sent is no probe: another goes.
    #[tokio::test]
    async fn a_probe_that_is_not_sent_lets_another_through() {
        for (wall, why) in [
            (-3_600, "the clock was set back"),
            (600, "its deadline has passed"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let clock = Arc::new(SetClock::default());
            let shared = shared(&directory, &clock);
            let now = shared.now();
            shared.gate().tried(Outcome::Throttled(now), now);
            clock.set(1, 1);
            assert_eq!(shared.gate().pass(shared.now()), Passage::Probe);
            clock.set(wall, 2);
            let job = Job {
                queued: queued(1, Class::Dose, 0, 600, 1),
                probe: true,
            };
            let ended = send(&shared, job).await;
            let sent = matches!(
                ended.tried.outcome,
                TriedOutcome::Final(Settlement::Accepted(_))
            );
            assert!(!sent, "{why}");
            let waits_until = match ended.tried.outcome {
                TriedOutcome::Later(at, _) => Some(at),
                TriedOutcome::Final(_) => None,
            };
            // What was set back waits for the instant of the message.
            assert_eq!(waits_until, (wall < 0).then_some(now), "{why}");
            assert_eq!(shared.gate().pass(shared.now()), Passage::Probe, "{why}");
        }
    }
}
