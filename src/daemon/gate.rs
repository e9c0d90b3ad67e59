//! Whether the channel may be used at all, and how fast: throttling for everybody, and a circuit
//! breaker. A pure value; the dispatcher holds it.

use super::throttle::Throttle;
use crate::engine::ExpiredReason;
use crate::messaging::Outcome;
use jiff::{SignedDuration, Timestamp};

/// So many failures in a row close the gate.
const FAILURES_IN_A_ROW_MAX: u32 = 20;

/// Half of so many last tries failing closes the gate too.
const LAST_TRIES: u32 = 100;

/// The first pause; it doubles up to [`PAUSE_MAX`] while probes fail.
const PAUSE_FIRST: SignedDuration = SignedDuration::from_secs(1);

/// The longest pause between two probes of an API that fails.
const PAUSE_MAX: SignedDuration = SignedDuration::from_secs(60);

/// The longest pause of its own before a token is asked for again, as long as that of the channel.
const TOKEN_PAUSE_MAX: SignedDuration = SignedDuration::from_secs(30);

/// The pause after a refusal that only an operator can lift.
const OPERATOR_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// A probe of which nothing was heard for so long has been lost: a try ends within seconds.
const PROBE_MAX: SignedDuration = SignedDuration::from_mins(2);

/// A look may be a little older than what it looks at; a clock that shows less was set back.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_secs(5);

/// What the gate lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Everything.
    Open,
    /// One question, to see whether the API is back: a message that was tried already, or where
    /// there is none what tells without one. No fresh message is put into doubt for it.
    Probe,
    /// One message, fresh or not: the API has answered a question.
    Confirm,
    /// Nothing before this instant.
    Closed(Timestamp),
}

/// The gate in front of the channel.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    closed: Option<Closed>,
    failures_in_a_row: u32,
    /// The last tries, one bit each, 1 for a failure.
    last: u128,
    last_success: Option<Timestamp>,
    throttle: Throttle,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    until: Timestamp,
    pause: SignedDuration,
    reason: ExpiredReason,
    /// Since when a probe is under way.
    probing: Option<Timestamp>,
    /// The API has answered a question since.
    answered: bool,
    /// When it closed: a clock that shows less has been set back.
    since: Timestamp,
}

impl Closed {
    /// Whether a probe is under way, and not lost.
    fn is_probed(&self, now: Timestamp) -> bool {
        let lasted = self.probing.map(|since| now.duration_since(since));
        lasted.is_some_and(|lasted| (-SET_BACK_MIN..PROBE_MAX).contains(&lasted))
    }
}

impl Gate {
    /// What may be sent at `now`. A probe is counted as under way from here on, until an outcome
    /// comes in or [`Gate::probe_dropped`], and for two minutes at most: were one lost, nothing
    /// would ever be sent again.
    pub fn pass(&mut self, now: Timestamp) -> Passage {
        match &mut self.closed {
            None => Passage::Open,
            // After the clock was set back the pause would last as long as that.
            Some(closed)
                if now < closed.until && closed.since.duration_since(now) <= SET_BACK_MIN =>
            {
                Passage::Closed(closed.until)
            }
            // While the probe is under way nothing else goes.
            Some(closed) if closed.is_probed(now) => {
                Passage::Closed(now.saturating_add(PAUSE_FIRST).unwrap_or(Timestamp::MAX))
            }
            Some(closed) => {
                closed.probing = Some(now);
                if closed.answered {
                    Passage::Confirm
                } else {
                    Passage::Probe
                }
            }
        }
    }

    /// The probe did not take place (nothing to send, or it was withdrawn).
    pub fn probe_dropped(&mut self) {
        if let Some(closed) = &mut self.closed {
            closed.probing = None;
        }
    }

    /// The API was asked a question instead of being sent a message. An answer lets one message
    /// through: what opens the gate is a message that is taken.
    pub fn asked(&mut self, outcome: Outcome, now: Timestamp) {
        match (&mut self.closed, outcome) {
            (Some(closed), Outcome::Accepted) => {
                closed.answered = true;
                closed.probing = None;
                closed.until = closed.until.min(now);
            }
            (Some(_), outcome) => self.tried(outcome, now),
            (None, _) => {}
        }
    }

    /// A try has ended.
    pub fn tried(&mut self, outcome: Outcome, now: Timestamp) {
        match outcome {
            // The API works, whatever it thinks of this message or this recipient.
            Outcome::Accepted | Outcome::Recipient | Outcome::Message | Outcome::RetryAt(_) => {
                if outcome == Outcome::Accepted {
                    self.last_success = Some(now);
                }
                self.failures_in_a_row = 0;
                self.last <<= 1;
                // While the API limits us, what was under way when it said so tells nothing.
                let opens = |closed: Closed| {
                    closed.probing.is_some() || closed.reason != ExpiredReason::Throttled
                };
                if self.closed.is_some_and(opens) {
                    self.closed = None;
                    self.last = 0;
                    self.throttle.opened(now);
                }
                if outcome == Outcome::Accepted {
                    self.throttle.taken(now);
                }
            }
            // Nothing was asked of the API.
            Outcome::NotSent => self.probe_dropped(),
            Outcome::Unknown | Outcome::RetrySoon => {
                self.failed();
                let broken = self.failures_in_a_row >= FAILURES_IN_A_ROW_MAX
                    || (self.last & mask(LAST_TRIES)).count_ones() >= LAST_TRIES / 2;
                if broken || self.closed.is_some() {
                    self.close(ExpiredReason::ApiDown, PAUSE_FIRST, PAUSE_MAX, None, now);
                }
            }
            Outcome::NoToken(pause) => {
                // However many waited for it, it is one failure: that of asking for a token.
                if self.closed.is_none_or(|closed| closed.probing.is_some()) {
                    self.failed();
                }
                let until = now.saturating_add(pause).ok();
                self.close(
                    ExpiredReason::ApiDown,
                    PAUSE_FIRST,
                    TOKEN_PAUSE_MAX,
                    until,
                    now,
                );
            }
            Outcome::Throttled(until) => {
                self.failed();
                let is_probe = self.closed.is_some_and(|closed| closed.probing.is_some());
                self.throttle.refused(until, is_probe, now);
                self.close(
                    ExpiredReason::Throttled,
                    PAUSE_FIRST,
                    PAUSE_MAX,
                    Some(until),
                    now,
                );
            }
            Outcome::BadToken => {
                self.failed();
                self.close(ExpiredReason::ApiDown, PAUSE_MAX, PAUSE_MAX, None, now);
            }
            Outcome::Configuration => {
                self.failed();
                self.close(
                    ExpiredReason::ApiDown,
                    OPERATOR_PAUSE,
                    OPERATOR_PAUSE,
                    None,
                    now,
                );
            }
        }
    }

    /// A try in free words has ended. What limits templates says nothing of those, nor they of it:
    /// words that are taken open no gate that is closed for that.
    pub fn tried_in_words(&mut self, outcome: Outcome, is_probe: bool, now: Timestamp) {
        let is_taken = matches!(outcome, Outcome::Accepted | Outcome::Recipient);
        if is_taken && self.reason() == Some(ExpiredReason::Throttled) {
            if is_probe {
                self.probe_dropped();
            }
        } else {
            self.tried(outcome, now);
        }
    }

    /// The quota is used up: a gate that is closed because the API limits us is not probed before
    /// `until`. False when it is not closed for that.
    pub fn hold(&mut self, until: Timestamp) -> bool {
        match &mut self.closed {
            Some(closed) if closed.reason == ExpiredReason::Throttled => {
                closed.until = closed.until.max(until);
                self.throttle.forget();
                true
            }
            Some(_) | None => false,
        }
    }

    /// The quota is not used up any more: what [`Gate::hold`] held is probed at once.
    pub fn release(&mut self, now: Timestamp) {
        if let Some(closed) = &mut self.closed
            && closed.reason == ExpiredReason::Throttled
        {
            closed.until = closed.until.min(now);
        }
    }

    /// Messages that may leave within a second while the API takes only so many; `None`: as many
    /// as there are.
    #[must_use]
    pub fn rate(&self, now: Timestamp) -> Option<f64> {
        self.throttle.rate(now)
    }

    /// When a closed gate lets a probe through; `None` while it is open, or one is under way.
    #[must_use]
    pub fn probes_at(&self) -> Option<Timestamp> {
        self.closed
            .filter(|closed| closed.probing.is_none())
            .map(|closed| closed.until)
    }

    /// Why messages wait at present: nothing is sent, or less than there is.
    #[must_use]
    pub fn waits_for(&self, now: Timestamp) -> Option<ExpiredReason> {
        let slowed = self.rate(now).map(|_| ExpiredReason::Throttled);
        self.reason().or(slowed)
    }

    /// Why nothing is sent at present.
    #[must_use]
    pub fn reason(&self) -> Option<ExpiredReason> {
        self.closed.map(|closed| closed.reason)
    }

    /// Failures since the last answer that shows a working API.
    #[must_use]
    pub fn failures_in_a_row(&self) -> u32 {
        self.failures_in_a_row
    }

    /// When the API took a message last.
    #[must_use]
    pub fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    fn failed(&mut self) {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.last = self.last << 1 | 1;
    }

    /// Closes the gate, or keeps it closed for twice as long after a probe that failed. Tries
    /// that were under way when it closed do not lengthen the pause.
    fn close(
        &mut self,
        reason: ExpiredReason,
        first: SignedDuration,
        most: SignedDuration,
        until: Option<Timestamp>,
        now: Timestamp,
    ) {
        let pause = match self.closed {
            Some(closed) if closed.probing.is_some() => (closed.pause * 2).clamp(first, most),
            Some(closed) => closed.pause.max(first),
            None => first,
        };
        let end = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let end = until.map_or(end, |until| until.max(end));
        let until = match self.closed {
            Some(closed) if closed.probing.is_none() => closed.until.max(end),
            Some(_) | None => end,
        };
        self.closed = Some(Closed {
            until,
            pause,
            reason,
            probing: None,
            answered: false,
            since: now,
        });
    }
}

fn mask(bits: u32) -> u128 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_409_600 + seconds).unwrap()
    }

    #[test]
    fn twenty_failures_in_a_row_close_the_gate_and_one_success_opens_it() {
        let mut gate = Gate::default();
        for _ in 0..19 {
            gate.tried(Outcome::Unknown, at(0));
        }
        assert_eq!(gate.pass(at(0)), Passage::Open);
        gate.tried(Outcome::Unknown, at(0));
        assert_eq!(gate.pass(at(0)), Passage::Closed(at(1)));
        assert_eq!(gate.reason(), Some(ExpiredReason::ApiDown));
        assert_eq!(gate.pass(at(1)), Passage::Probe);
        assert!(
            matches!(gate.pass(at(1)), Passage::Closed(_)),
            "one probe at a time"
        );
        gate.tried(Outcome::Accepted, at(2));
        assert_eq!(gate.pass(at(2)), Passage::Open);
        assert_eq!(gate.reason(), None);
    }

    #[test]
    fn a_probe_of_which_nothing_is_heard_keeps_nothing_back_for_long() {
        for now in [at(121), at(-3_600)] {
            let mut gate = Gate::default();
            gate.tried(Outcome::Throttled(at(0)), at(0));
            assert_eq!(gate.pass(at(1)), Passage::Probe);
            assert!(matches!(gate.pass(at(120)), Passage::Closed(_)));
            assert_eq!(gate.pass(now), Passage::Probe, "{now}");
        }
    }

    #[test]
    fn probes_that_fail_double_the_pause_up_to_a_minute() {
        let mut gate = Gate::default();
        for _ in 0..20 {
            gate.tried(Outcome::RetrySoon, at(0));
        }
        let mut now = at(1);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert_eq!(gate.pass(now), Passage::Probe);
            gate.tried(Outcome::RetrySoon, now);
            let Passage::Closed(until) = gate.pass(now) else {
                panic!("{gate:?}")
            };
            pauses.push(until.duration_since(now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn without_a_token_nothing_is_tried_until_it_is_asked_for_again() {
        let mut gate = Gate::default();
        let second = SignedDuration::from_secs(1);
        // All of them waited for the same token.
        for _ in 0..32 {
            gate.tried(Outcome::NoToken(second), at(0));
        }
        assert_eq!(gate.failures_in_a_row(), 1);
        assert_eq!(gate.pass(at(0)), Passage::Closed(at(1)));
        assert_eq!(gate.pass(at(1)), Passage::Probe);
        gate.tried(Outcome::NoToken(second * 8), at(1));
        assert_eq!(gate.failures_in_a_row(), 2);
        assert_eq!(gate.pass(at(2)), Passage::Closed(at(9)));
        let mut now = at(9);
        for _ in 0..8 {
            assert_eq!(gate.pass(now), Passage::Probe);
            gate.tried(Outcome::NoToken(second * 30), now);
            assert_eq!(gate.pass(now), Passage::Closed(now + second * 30));
            now += second * 30;
        }
        assert_eq!(gate.pass(now), Passage::Probe);
        gate.asked(Outcome::Accepted, now);
        assert_eq!(gate.pass(now), Passage::Confirm);
        gate.tried(Outcome::Accepted, now);
        assert_eq!(gate.pass(now), Passage::Open);
    }

    #[test]
    fn free_words_that_are_taken_say_nothing_of_what_limits_templates() {
        let mut gate = Gate::default();
        gate.tried(Outcome::Throttled(at(60)), at(0));
        // One that was under way when the API said so, and one that went as a probe.
        gate.tried_in_words(Outcome::Accepted, false, at(1));
        assert_eq!(gate.pass(at(1)), Passage::Closed(at(60)));
        assert_eq!(gate.pass(at(60)), Passage::Probe);
        gate.tried_in_words(Outcome::Accepted, false, at(60));
        assert!(
            matches!(gate.pass(at(60)), Passage::Closed(_)),
            "one at a time"
        );
        gate.tried_in_words(Outcome::Accepted, true, at(60));
        assert_eq!(gate.pass(at(60)), Passage::Probe, "the next");
        gate.tried(Outcome::Accepted, at(61));
        assert_eq!(gate.pass(at(61)), Passage::Open);
        // What does not answer does not answer words either.
        for _ in 0..20 {
            gate.tried_in_words(Outcome::Unknown, false, at(62));
        }
        assert_eq!(gate.pass(at(63)), Passage::Probe);
        gate.tried_in_words(Outcome::Accepted, true, at(63));
        assert_eq!(gate.pass(at(63)), Passage::Open);
    }

    #[test]
    fn an_answer_lets_one_message_through_and_only_a_message_that_is_taken_opens() {
        let mut gate = Gate::default();
        for _ in 0..20 {
            gate.tried(Outcome::Unknown, at(0));
        }
        let mut now = at(1);
        let mut pauses = Vec::new();
        for _ in 0..4 {
            assert_eq!(gate.pass(now), Passage::Probe);
            gate.asked(Outcome::Accepted, now);
            assert_eq!(gate.pass(now), Passage::Confirm);
            assert!(
                matches!(gate.pass(now), Passage::Closed(_)),
                "one at a time"
            );
            // It answers questions and takes no messages: one in each pause, and each is longer.
            gate.tried(Outcome::Unknown, now);
            let Passage::Closed(until) = gate.pass(now) else {
                panic!("{gate:?}")
            };
            pauses.push(until.duration_since(now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [2, 4, 8, 16]);
        assert_eq!(gate.pass(now), Passage::Probe);
        gate.asked(Outcome::RetrySoon, now);
        assert_eq!(
            gate.pass(now),
            Passage::Closed(now + SignedDuration::from_secs(32))
        );
        now += SignedDuration::from_secs(32);
        assert_eq!(gate.pass(now), Passage::Probe);
        gate.asked(Outcome::Accepted, now);
        assert_eq!(gate.pass(now), Passage::Confirm);
        gate.tried(Outcome::Accepted, now);
        assert_eq!(gate.pass(now), Passage::Open);
        gate.asked(Outcome::Throttled(at(9_999)), now);
        assert_eq!(gate.pass(now), Passage::Open, "nobody had asked");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_lengthen_a_pause() {
        let mut gate = Gate::default();
        gate.tried(Outcome::Throttled(at(40)), at(0));
        // Somebody read the clock, then the gate closed, then they asked.
        assert_eq!(gate.pass(at(-1)), Passage::Closed(at(40)));
        assert_eq!(gate.pass(at(-3_600)), Passage::Probe);
    }

    #[test]
    fn a_probe_that_never_left_is_none() {
        let mut gate = Gate::default();
        gate.tried(Outcome::Throttled(at(1)), at(0));
        assert_eq!(gate.pass(at(1)), Passage::Probe);
        gate.tried(Outcome::NotSent, at(1));
        assert_eq!(gate.pass(at(1)), Passage::Probe);
        assert_eq!(gate.failures_in_a_row(), 1);
    }

    #[test]
    fn throttling_closes_at_once_until_the_instant_given() {
        let mut gate = Gate::default();
        gate.tried(Outcome::Throttled(at(40)), at(0));
        assert_eq!(gate.pass(at(39)), Passage::Closed(at(40)));
        assert_eq!(gate.reason(), Some(ExpiredReason::Throttled));
        assert_eq!(gate.pass(at(40)), Passage::Probe);
        gate.probe_dropped();
        assert_eq!(gate.pass(at(40)), Passage::Probe);
    }

    #[test]
    fn a_limit_that_goes_on_is_probed_after_one_second_and_then_ever_more_rarely() {
        let mut gate = Gate::default();
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            gate.tried(Outcome::Throttled(now + SignedDuration::from_secs(1)), now);
            let Passage::Closed(until) = gate.pass(now) else {
                panic!("{gate:?}")
            };
            pauses.push(until.duration_since(now).as_secs());
            now = until;
            assert_eq!(gate.pass(now), Passage::Probe);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn what_was_under_way_when_the_api_set_a_limit_does_not_open_the_gate() {
        let mut gate = Gate::default();
        gate.tried(Outcome::Throttled(at(1)), at(0));
        gate.tried(Outcome::Accepted, at(0));
        assert_eq!(gate.pass(at(0)), Passage::Closed(at(1)));
        assert_eq!(gate.pass(at(1)), Passage::Probe);
        gate.tried(Outcome::Accepted, at(1));
        assert_eq!(gate.pass(at(1)), Passage::Open);
    }

    #[test]
    fn a_quota_that_is_used_up_holds_and_one_that_is_not_releases() {
        let mut gate = Gate::default();
        assert!(!gate.hold(at(1800)), "open: there is nothing to hold");
        gate.tried(Outcome::Throttled(at(1)), at(0));
        assert!(gate.hold(at(1800)));
        assert_eq!(gate.pass(at(1799)), Passage::Closed(at(1800)));
        gate.release(at(300));
        assert_eq!(gate.pass(at(300)), Passage::Probe);
    }

    #[test]
    fn refusals_of_recipients_and_messages_show_a_working_api() {
        let mut gate = Gate::default();
        for _ in 0..200 {
            gate.tried(Outcome::Recipient, at(0));
            gate.tried(Outcome::Message, at(0));
        }
        assert_eq!(gate.pass(at(0)), Passage::Open);
    }

    #[test]
    fn half_of_the_last_hundred_close_the_gate() {
        let mut gate = Gate::default();
        for _ in 0..49 {
            gate.tried(Outcome::Unknown, at(0));
            gate.tried(Outcome::Accepted, at(0));
        }
        assert_eq!(gate.pass(at(0)), Passage::Open);
        gate.tried(Outcome::Unknown, at(0));
        assert!(matches!(gate.pass(at(0)), Passage::Closed(_)));
    }
}
