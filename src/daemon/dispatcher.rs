//! The dispatcher: drains the outbox to the channel by priority, claiming before it sends.

use super::brake::{self, Allowance, Turn};
use super::clock::Moment;
use super::gate::Passage;
use super::held::Held;
use super::pace::Pace;
use super::queue::{Queue, horizon};
use super::recorder::Ended;
use super::retry;
use super::shared::Shared;
use super::worker::Handoff;
use crate::engine::{Class, ExpiredReason, LOOK_AHEAD, MessageId, MessageIds, Settlement};
use crate::messaging::Outcome;
use crate::messaging::wechat::errcode;
use crate::store::{Attempts, Ledger, Queued, TriedOutcome};
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Messages kept in memory at most; the rest of a backlog stays in the store.
const CAPACITY: usize = 20_000;

/// A group of claims is never larger.
const GROUP_MAX: usize = 2_000;

/// So long before its instant a message may be claimed, where nothing else is to be sent: as long
/// as a commit may take, so that at the instant only sending is left. An answer or an edit within
/// it finds the message on its way.
const CLAIM_AHEAD: SignedDuration = SignedDuration::from_millis(60);

/// Claimed ahead of the workers is what they send in this part of a second, beyond half a group: as
/// long as the commit of a claim may take before they run dry.
const AHEAD_PART: usize = 8;

/// Room for so many messages under way is kept when none is; what a burst needed beyond is given
/// back.
const OUT_KEPT: usize = 8_192;

/// The first groups, before a rate was seen: what any API worth the name takes in a second.
const GROUP_FIRST: usize = 256;

/// At this rate outcomes gather until the sending is done; below it they are recorded beside it,
/// so that a crash finds few messages unsettled.
const FAST_PER_SECOND: usize = 8_000;

/// The age of the oldest message is looked up this often: it takes a walk over the queue.
const OLDEST_EVERY: Duration = Duration::from_millis(250);

/// The clock is looked at again after this at the latest.
const TURN_MAX: Duration = Duration::from_secs(1);

/// The channel is made ready again after this long without messages ahead.
const WARM_FOR: Duration = Duration::from_secs(30);

/// After a claim that failed the store is left alone for this.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What the dispatcher is told.
pub enum Notice {
    /// Messages were put into the outbox.
    Queued(Vec<Queued>),
    /// The outcomes of these messages are committed: forget them.
    Settled(Vec<MessageId>),
    /// These were put off: here they are again.
    PutOff(Vec<Queued>),
    /// The store may hold messages that nobody has told of.
    LookAgain,
}

/// The dispatcher's task.
pub struct Dispatcher {
    shared: Arc<Shared>,
    notices: mpsc::UnboundedReceiver<Notice>,
    recorder: mpsc::UnboundedSender<Ended>,
    handoff: Arc<Handoff>,
    concurrency: usize,
    queue: Queue,
    /// Claimed, and not handed to a worker yet.
    claimed: VecDeque<Queued>,
    /// Claimed a moment before their instant, in the order of their instants.
    early: VecDeque<Queued>,
    /// Claimed or otherwise in the hands of workers and recorder.
    out: MessageIds,
    pace: Pace,
    /// What the brake and the day's quota allow since the last turn.
    allowance: Allowance,
    oldest: Option<Timestamp>,
    oldest_at: Duration,
    /// Openings of the store that have been followed by a reading of it.
    reopens: u64,
    /// When the channel was made ready last.
    warmed: Option<Duration>,
    /// Why nothing may leave, apart from the API, and until when that was so last.
    held: Held,
}

impl Dispatcher {
    /// A dispatcher that has told nobody and knows nothing yet.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        notices: mpsc::UnboundedReceiver<Notice>,
        recorder: mpsc::UnboundedSender<Ended>,
        handoff: Arc<Handoff>,
        concurrency: usize,
    ) -> Self {
        // A second dispatcher, in a test, finds it set.
        let _ = shared.sends_since.set(shared.now());
        Self {
            pace: Pace::new(shared.clock.elapsed()),
            shared,
            notices,
            recorder,
            handoff,
            concurrency,
            queue: Queue::new(CAPACITY),
            claimed: VecDeque::new(),
            early: VecDeque::new(),
            out: MessageIds::default(),
            allowance: Allowance {
                least: Class::Critical,
                count: 0,
            },
            oldest: None,
            oldest_at: Duration::ZERO,
            reopens: 0,
            warmed: None,
            held: Held::default(),
        }
    }

    /// Runs until `stop`. What is claimed and not handed out then is released.
    pub async fn run(mut self, stop: CancellationToken) {
        self.recover().await;
        self.shared.show_brake();
        let now = self.shared.now();
        // Recipients whom an earlier process was told to leave alone.
        match self.shared.store.resting().await {
            Ok(resting) => {
                let mut recipients = self.shared.recipients();
                for (address, until) in &resting {
                    recipients.remember(address, *until, now);
                }
            }
            Err(error) => tracing::error!(%error, "the outbox cannot be read"),
        }
        if self.shared.store.telemetry().ledger().is_spent(now) {
            // An earlier process has used the day's quota up.
            let look = errcode::next_quota_look(now, 0);
            self.shared.gate().tried(Outcome::Throttled(look), now);
        }
        while !stop.is_cancelled() {
            let store_failed = !self.refill().await | !self.turn().await;
            let pause = if store_failed {
                // What ends meanwhile ends for our fault, and not for the API's.
                self.held.hold(ExpiredReason::DaemonDown);
                STORE_PAUSE
            } else {
                self.pause()
            };
            self.show_life();
            let clock = Arc::clone(&self.shared.clock);
            let handoff = Arc::clone(&self.handoff);
            tokio::select! {
                biased;
                notice = self.notices.recv() => match notice {
                    Some(notice) => self.hear(notice),
                    None => break,
                },
                () = handoff.runs_low() => {}
                () = clock.sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            while let Ok(notice) = self.notices.try_recv() {
                self.hear(notice);
            }
        }
        // Nothing more is handed out: the recorder need not gather what comes of it.
        self.handoff.set_busy(false);
        let now = self.shared.now();
        self.release_claimed(now);
        // The workers may have ended before what was handed out last came to them.
        self.claimed.extend(self.handoff.take_back());
        self.release_claimed(now);
    }

    /// Messages that the last process claimed and did not settle: the API may have them. They are
    /// sent again under the same id while that is safe; else they are in doubt.
    async fn recover(&mut self) {
        let left = loop {
            match self.shared.store.left_claimed().await {
                Ok(left) => break left,
                Err(crate::store::StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    self.shared.clock.sleep(STORE_PAUSE).await;
                }
            }
        };
        if !left.is_empty() {
            tracing::warn!(
                count = left.len(),
                "messages were under way when the daemon ended"
            );
        }
        let now = self.shared.moment();
        let resend_within = self.shared.outlet().channel.resend_within();
        for mut queued in left {
            queued.attempts = self.anchored(queued.attempts, now);
            if self.cannot_have_left(&queued, now.wall) {
                let waits = queued.message.not_before;
                self.end(queued, TriedOutcome::Later(waits, Attempts::default()));
                continue;
            }
            let tried = retry::Try {
                id: queued.message.key.id,
                before: queued.attempts,
                began: now,
                not_before: queued.message.not_before,
                deadline: queued.message.key.deadline,
                resend_within,
            };
            let outcome = retry::again(&tried, queued.attempts, now.wall, now);
            self.end(queued, outcome);
        }
    }

    /// Whether a message of which nobody knows if it was claimed surely was not, because its
    /// instant has not come.
    fn cannot_have_left(&self, queued: &Queued, now: Timestamp) -> bool {
        let set_back_from = self.shared.timekeeper.set_back_from();
        let latest = set_back_from.map_or(now, |from| from.max(now));
        queued.attempts.is_unknown() && queued.message.not_before > latest
    }

    fn anchored(&self, attempts: Attempts, now: Moment) -> Attempts {
        let set_back_from = if self.shared.time().doubted {
            // How long the daemon did not run is not known.
            Some(Timestamp::MAX)
        } else {
            self.shared.timekeeper.set_back_from()
        };
        retry::anchored(attempts, now, set_back_from)
    }

    /// Leaves a sign of life, and how long the oldest message has waited.
    fn show_life(&mut self) {
        let elapsed = self.shared.clock.elapsed();
        if self.queue.ready() == 0 {
            self.oldest = None;
        } else if elapsed.saturating_sub(self.oldest_at) >= OLDEST_EVERY {
            self.oldest = self.queue.oldest();
            self.oldest_at = elapsed;
        }
        self.shared.vitals.dispatcher_turn(elapsed, self.oldest);
    }

    /// Reads from the store what is not in memory. False if the store failed.
    async fn refill(&mut self) -> bool {
        // A commit that was thought to have failed may have put messages into the outbox.
        let reopens = self.shared.store.telemetry().reopens();
        if std::mem::replace(&mut self.reopens, reopens) != reopens {
            self.queue.forget_completeness();
        }
        let Some((room, from)) = self.queue.room() else {
            return true;
        };
        let mut known = self.queue.known();
        known.extend(&self.out);
        self.queue.assume_complete();
        let until = horizon(self.shared.now());
        match self.shared.store.waiting(room, known, from, until).await {
            Ok(waiting) => {
                if let Some(more) = waiting.more {
                    self.queue.note_unread(more);
                }
                if let Some(next) = waiting.next {
                    self.queue.note_far(next);
                }
                let now = self.shared.moment();
                self.take_in(waiting.found, now);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read");
                self.queue.forget_completeness();
                false
            }
        }
    }

    fn hear(&mut self, notice: Notice) {
        let now = self.shared.moment();
        match notice {
            Notice::Queued(queued) => {
                let horizon = now.wall.saturating_add(LOOK_AHEAD).unwrap_or(now.wall);
                let soon = |it: &&Queued| it.not_before > now.wall && it.not_before <= horizon;
                let ahead = queued.iter().filter(soon).count();
                if ahead > 0 {
                    self.warm_up(ahead);
                }
                self.take_in(queued, now);
            }
            Notice::PutOff(queued) => {
                for queued in &queued {
                    self.out.remove(&queued.message.key.id);
                }
                self.take_in(queued, now);
            }
            Notice::Settled(ids) => {
                for id in ids {
                    self.out.remove(&id);
                }
                if self.out.is_empty() && self.out.capacity() > OUT_KEPT {
                    self.out = MessageIds::default();
                }
            }
            Notice::LookAgain => self.queue.forget_completeness(),
        }
    }

    fn take_in(&mut self, found: Vec<Queued>, now: Moment) {
        for mut queued in found {
            queued.attempts = self.anchored(queued.attempts, now);
            if self.out.contains(&queued.message.key.id) {
                continue;
            }
            if queued.address.is_empty() {
                // No contact can be read: nobody to whom it could go.
                let nobody = retry::without_address(&queued.attempts);
                self.end(queued, nobody);
            } else {
                self.queue.push(queued, now.wall);
            }
        }
    }

    /// Makes the channel ready for messages that leave in a moment, behind their back.
    fn warm_up(&mut self, messages: usize) {
        let elapsed = self.shared.clock.elapsed();
        if self
            .warmed
            .is_some_and(|warmed| elapsed.saturating_sub(warmed) < WARM_FOR)
        {
            return;
        }
        self.warmed = Some(elapsed);
        let outlet = self.shared.outlet();
        tokio::spawn(async move { outlet.channel.warm_up(messages).await });
    }

    /// One look at the queue: what has passed its deadline is settled, what may leave is claimed
    /// and handed out. False if the store failed.
    async fn turn(&mut self) -> bool {
        let time = self.shared.time();
        let moment = time.now;
        let now = moment.wall;
        if time.doubted {
            // Nothing expires either: what its window is nobody knows.
            self.held.hold(ExpiredReason::Clock);
            self.release_claimed(now);
            return true;
        }
        let ledger = self.shared.store.telemetry().ledger();
        if ledger.held_since().is_some() {
            self.held.hold(ExpiredReason::Held);
        } else {
            self.held.release(now);
        }
        let passage = self.shared.gate().pass(now);
        if passage == Passage::Open {
            // Before those that are to be claimed are looked at: these only have to be sent.
            self.ripen_early(now);
            self.hand_out();
        }
        self.queue.ripen(now);
        self.settle_overdue(now);
        self.allowance = self.allow(&ledger, now).await;
        let least = self.allowance.least;
        // Only an API this fast leaves the recorder no time beside the sending.
        let fast = self
            .pace
            .seen_per_second()
            .is_none_or(|seen| seen >= FAST_PER_SECOND);
        let busy = passage == Passage::Open && fast && self.may_take();
        self.handoff.set_busy(busy);
        if passage != Passage::Open {
            self.pace.drain(self.shared.clock.elapsed());
        }
        match passage {
            // The gate may open before that.
            Passage::Closed(_) => {
                self.release_claimed(now);
                true
            }
            Passage::Probe | Passage::Confirm => {
                self.release_claimed(now);
                let probe = if passage == Passage::Probe {
                    self.next(moment, |queue| queue.take_probe(least))
                } else {
                    self.take(1, moment).pop()
                };
                let Some(probe) = probe else {
                    if passage == Passage::Probe {
                        self.ask();
                    } else {
                        self.shared.gate().probe_dropped();
                    }
                    return true;
                };
                let claimed = self.claim(vec![probe]).await;
                if self.claimed.is_empty() {
                    self.shared.gate().probe_dropped();
                }
                while let Some(probe) = self.claimed.pop_front() {
                    self.handoff.push_probe(probe);
                }
                claimed
            }
            Passage::Open => {
                self.hand_out();
                self.pace
                    .finished(self.handoff.finished(), self.shared.clock.elapsed());
                let group = self.group_size();
                let ahead = self.ahead(group);
                let mut claimed = true;
                let waiting = self.claimed.len() + self.handoff.waiting();
                if waiting <= ahead && self.may_take() {
                    let wanted = self.take(group, moment);
                    claimed = self.claim(wanted).await;
                    self.hand_out();
                } else if waiting == 0 && self.early.is_empty() {
                    claimed = self.claim_early(group, moment).await;
                }
                if self.may_take() {
                    self.handoff.set_low_water(ahead);
                }
                claimed
            }
        }
    }

    /// What the brake and the day's quota allow, after the brake was set or taken off.
    async fn allow(&mut self, ledger: &Ledger, now: Timestamp) -> Allowance {
        let max = self.shared.hourly_max();
        let quota = if ledger.is_reserved(now) {
            Class::Dose
        } else {
            Class::Notice
        };
        self.shared.metrics.held_by_quota(quota == Class::Dose);
        let waits = self.queue.has_ready(Class::Dose, quota);
        match brake::turn(ledger, max, waits, now) {
            Turn::Stay => brake::allowance(ledger, max, now),
            turn => {
                self.shared.turn_brake(turn, now).await;
                brake::allowance(&self.shared.store.telemetry().ledger(), max, now)
            }
        }
    }

    /// Whether something is ready that may leave.
    fn may_take(&self) -> bool {
        let Allowance { least, count } = self.allowance;
        let least = if count == 0 { Class::Critical } else { least };
        self.queue.has_ready(Class::Critical, least)
    }

    /// The most urgent messages that may be sent: critical ones, and as many others as are
    /// allowed. Those that may have arrived already, and have waited for too long since, are
    /// settled as in doubt.
    fn take(&mut self, count: usize, now: Moment) -> Vec<Queued> {
        let mut wanted = self.queue.take(count, Class::Critical);
        let Allowance { least, count: rest } = self.allowance;
        let rest = usize::try_from(rest).unwrap_or(usize::MAX);
        if least > Class::Critical {
            // Critical ones count towards the ceiling, too.
            let rest = rest.saturating_sub(wanted.len());
            let more = rest.min(count - wanted.len());
            wanted.extend(self.queue.take(more, least));
        }
        wanted.retain_mut(|queued| self.may_be_sent(queued, now));
        wanted
    }

    /// As [`Dispatcher::take`], the first that `take` finds and that may be sent.
    fn next(
        &mut self,
        now: Moment,
        mut take: impl FnMut(&mut Queue) -> Option<Queued>,
    ) -> Option<Queued> {
        loop {
            let mut queued = take(&mut self.queue)?;
            if self.may_be_sent(&mut queued, now) {
                return Some(queued);
            }
        }
    }

    /// Settles a message that is too old to be sent again, and puts off one whose recipient rests.
    fn may_be_sent(&mut self, queued: &mut Queued, now: Moment) -> bool {
        let resend_within = self.shared.outlet().channel.resend_within();
        if retry::is_too_late(&queued.attempts, resend_within, now) {
            self.end(queued.clone(), TriedOutcome::Final(Settlement::InDoubt));
            return false;
        }
        let rests_until = self
            .shared
            .recipients()
            .rests_until(&queued.address, now.wall);
        let Some(until) = rests_until else {
            return true;
        };
        // It is in the store as it was: there its next try does not wait, here it does.
        let mut waiting = queued.clone();
        waiting.not_before = until;
        waiting
            .attempts
            .failure
            .get_or_insert(ExpiredReason::Throttled);
        self.queue.push(waiting, now.wall);
        false
    }

    /// Asks the API, behind the dispatcher's back, whether it works.
    fn ask(&self) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let outlet = shared.outlet();
            let outcome = outlet.channel.ask(shared.now()).await;
            let now = shared.now();
            shared.gate().asked(outcome, now);
        });
    }

    /// Claims a group and keeps it for handing out. False if the store failed.
    async fn claim(&mut self, wanted: Vec<Queued>) -> bool {
        if wanted.is_empty() {
            return true;
        }
        let now = self.shared.now();
        match self.shared.store.claim(now, wanted.clone()).await {
            Ok(claimed) => {
                // What is missing was withdrawn: its row is gone.
                let ids = claimed.messages.iter().map(|queued| queued.message.key.id);
                self.out.extend(ids);
                self.claimed.extend(claimed.messages);
                for (queued, settlement) in claimed.unwanted {
                    self.end(queued, TriedOutcome::Final(settlement));
                }
                true
            }
            Err(error) => {
                // Whether it was committed is unknown. Nothing of it was sent, so what the store
                // holds as claimed when it is opened again is released by asking again.
                tracing::error!(%error, "messages cannot be claimed");
                let now = self.shared.now();
                for queued in wanted {
                    self.queue.put_back(queued, now);
                }
                false
            }
        }
    }

    /// Claims messages whose instant is about to come. False if the store failed.
    async fn claim_early(&mut self, group: usize, now: Moment) -> bool {
        let until = now.wall.saturating_add(CLAIM_AHEAD).unwrap_or(now.wall);
        let Allowance { least, count } = self.allowance;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut wanted = self.queue.take_early(until, group.min(count), least);
        wanted.retain_mut(|queued| self.may_be_sent(queued, now));
        wanted.sort_by_key(|queued| queued.patient);
        let claimed = self.claim(wanted).await;
        let mut early: Vec<Queued> = self.claimed.drain(..).collect();
        early.sort_by_key(|queued| queued.message.not_before);
        self.early = early.into();
        // The commit may have taken until the instant, or longer.
        let now = self.shared.now();
        self.ripen_early(now);
        self.hand_out();
        claimed
    }

    /// Claimed messages whose instant has come may be handed out. Those whose instant has become
    /// far, because the clock was set back, are given back.
    fn ripen_early(&mut self, now: Timestamp) {
        let far = now.saturating_add(2 * CLAIM_AHEAD).unwrap_or(now);
        if self
            .early
            .back()
            .is_some_and(|last| last.message.not_before > far)
        {
            self.release_claimed(now);
        }
        while let Some(first) = self.early.front()
            && first.message.not_before <= now
        {
            self.claimed.extend(self.early.pop_front());
        }
    }

    /// Hands claimed messages to the workers, as many as the rate allows.
    fn hand_out(&mut self) {
        let allowed = match self.rate() {
            None => self.claimed.len(),
            Some(rate) => self
                .pace
                .allow(self.claimed.len(), rate, self.shared.clock.elapsed()),
        };
        self.handoff.push(self.claimed.drain(..allowed));
    }

    /// Messages that may leave within a second: what the configuration says, or less while the API
    /// takes less.
    fn rate(&self) -> Option<f64> {
        let configured = self.shared.outlet().rate.map(|rate| f64::from(rate.get()));
        let now = self.shared.now();
        let limited = self.shared.gate().rate(now);
        [configured, limited].into_iter().flatten().reduce(f64::min)
    }

    /// About a second of the present rate: a crash puts few messages in doubt.
    fn group_size(&self) -> usize {
        let rate = self.rate();
        let seen = self
            .pace
            .seen_per_second()
            .unwrap_or(0)
            .max(2 * self.concurrency)
            .max(GROUP_FIRST);
        rate.map_or(seen, |rate| seen.min(rate as usize))
            .clamp(1, GROUP_MAX)
    }

    /// So many may wait claimed when the next group is claimed: with it no more than about a
    /// quarter of a second of the present rate.
    fn ahead(&self, group: usize) -> usize {
        let seen = self.pace.seen_per_second().unwrap_or(0);
        // What was seen may be of before a limit.
        let present = self.rate().map_or(seen, |rate| seen.min(rate as usize));
        (present / AHEAD_PART).clamp(group / 2, 4 * GROUP_MAX)
    }

    /// Gives back what was claimed and not handed out: it was surely not sent.
    fn release_claimed(&mut self, until: Timestamp) {
        self.claimed.extend(self.early.drain(..));
        while let Some(queued) = self.claimed.pop_front() {
            let at = until.max(queued.message.not_before);
            let at = at.min(queued.message.key.deadline);
            let attempts = queued.attempts;
            self.end(queued, TriedOutcome::Later(at, attempts));
        }
    }

    /// Settles what has passed its deadline without a try under way.
    fn settle_overdue(&mut self, now: Timestamp) {
        let overdue = self.queue.expire(now);
        if overdue.is_empty() {
            return;
        }
        let closed = self.shared.gate().waits_for(now);
        for queued in overdue {
            let held = self.held.reason(&queued.message.key);
            let untouched = self.shared.not_reached(&queued.message);
            let settlement =
                retry::at_deadline(&queued.attempts, held.or(closed).unwrap_or(untouched));
            self.end(queued, TriedOutcome::Final(settlement));
        }
    }

    fn end(&mut self, queued: Queued, outcome: TriedOutcome) {
        self.out.insert(queued.message.key.id);
        // The recorder outlives the dispatcher.
        let _ = self.recorder.send(Ended::new(queued, outcome));
    }

    /// How long nothing will happen by itself.
    fn pause(&self) -> Duration {
        if self.shared.time().doubted {
            return TURN_MAX;
        }
        if self.queue.wants_reading() {
            // A page may have brought only what waits.
            return Duration::from_millis(1);
        }
        let now = self.shared.now();
        if !self.claimed.is_empty() {
            // Twice as often as one may leave: what a turn is late by is not lost.
            let half = |rate: f64| Duration::from_secs_f64(0.5 / rate);
            return self
                .rate()
                .map_or(Duration::from_millis(1), half)
                .max(Duration::from_millis(1));
        }
        let probes_at = self.shared.gate().probes_at();
        // Claiming begins before the instant, if it is not too late for that.
        let ripe = self.queue.next_ripe();
        let claims_at = ripe.and_then(|at| at.checked_sub(CLAIM_AHEAD).ok());
        let next = [
            claims_at
                .filter(|at| *at > now && self.early.is_empty())
                .or(ripe),
            self.early.front().map(|queued| queued.message.not_before),
            self.queue.next_deadline(),
            probes_at.filter(|_| self.may_take()),
        ]
        .into_iter()
        .flatten()
        .min();
        let span = next.map_or(TURN_MAX, |at| {
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
        });
        let ready = self.may_take() && self.shared.gate().reason().is_none();
        if ready && self.handoff.waiting() == 0 {
            // The workers have run dry, perhaps before they were asked to tell.
            return Duration::from_millis(1);
        }
        // Ready messages that wait for room with the workers are looked at again when those run
        // low, or the recorder tells of settled ones.
        let least = if ready {
            Duration::from_millis(5)
        } else {
            Duration::from_millis(1)
        };
        span.clamp(least, TURN_MAX)
    }
}
