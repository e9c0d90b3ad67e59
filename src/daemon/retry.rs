//! What follows from one try: a pure function of the verdict, what was tried before, and now.

use crate::engine::{ExpiredReason, MessageId, Settlement};
use crate::messaging::{Outcome, Verdict};
use crate::store::{Attempts, TriedOutcome};
use jiff::{SignedDuration, Timestamp};

/// The first wait after a failed try; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_FIRST: SignedDuration = SignedDuration::from_secs(1);

/// The longest wait between two tries of one message.
const BACKOFF_MAX: SignedDuration = SignedDuration::from_secs(60);

/// After a refusal that only an operator can lift, a message is looked at again after this.
const OPERATOR_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// What is known of a message when a try of it has ended.
pub struct Try {
    /// The message.
    pub id: MessageId,
    /// What was tried before this try.
    pub before: Attempts,
    /// When this try began.
    pub began: Timestamp,
    /// The message is not handed to the API from here on.
    pub deadline: Timestamp,
    /// How long after the first unknown outcome the same id may be sent again; `None`: never.
    pub resend_within: Option<SignedDuration>,
}

/// What follows from a verdict.
#[must_use]
pub fn after(tried: &Try, verdict: &Verdict, now: Timestamp) -> TriedOutcome {
    let mut attempts = tried.before;
    attempts.count = attempts.count.saturating_add(1);
    attempts.failure = verdict.reason();
    let refused_too_often = verdict.tries_max.is_some_and(|most| {
        attempts.refusals = attempts.refusals.saturating_add(1);
        attempts.refusals >= most
    });
    match verdict.outcome {
        Outcome::Accepted => TriedOutcome::Final(Settlement::Accepted(now)),
        Outcome::Recipient => {
            TriedOutcome::Final(Settlement::Undeliverable(ExpiredReason::Unreachable))
        }
        Outcome::Message => TriedOutcome::Final(Settlement::Undeliverable(ExpiredReason::Rejected)),
        _ if refused_too_often => {
            TriedOutcome::Final(Settlement::Undeliverable(ExpiredReason::Rejected))
        }
        Outcome::Unknown => {
            attempts
                .first_unknown
                .get_or_insert(tried.began.as_millisecond());
            again(tried, attempts, soon(tried, &attempts, now), now)
        }
        Outcome::RetrySoon | Outcome::BadToken => {
            again(tried, attempts, soon(tried, &attempts, now), now)
        }
        Outcome::RetryAt(at) | Outcome::Throttled(at) => again(tried, attempts, at, now),
        Outcome::Configuration => {
            let at = now.saturating_add(OPERATOR_PAUSE).unwrap_or(Timestamp::MAX);
            again(tried, attempts, at, now)
        }
    }
}

/// What is to be done with a message that may have been sent by a process that has died, or
/// whose next try has to wait: tried again at `at` if the same id may still be sent then.
#[must_use]
pub fn again(tried: &Try, attempts: Attempts, at: Timestamp, now: Timestamp) -> TriedOutcome {
    // A clock that went back tells nothing of the age of the first try.
    let too_late = |at| is_too_late(&attempts, tried.resend_within, at);
    let hopeless = attempts.first_unknown.is_some() && at >= tried.deadline;
    if hopeless || too_late(at) || too_late(now) {
        return TriedOutcome::Final(Settlement::InDoubt);
    }
    // A next try after the deadline is none: at the deadline the message is settled as not sent.
    TriedOutcome::Later(at.min(tried.deadline), attempts)
}

/// Whether a message may not be sent at `at` because it may have arrived already and the API may
/// have forgotten its id (G3). Asked before each try: a gate that was closed, or a long queue,
/// delays a message beyond the instant for which it was put off.
#[must_use]
pub fn is_too_late(
    attempts: &Attempts,
    resend_within: Option<SignedDuration>,
    at: Timestamp,
) -> bool {
    let Some(first) = attempts.first_unknown else {
        return false;
    };
    let first = Timestamp::from_millisecond(first).unwrap_or(Timestamp::MIN);
    let last = resend_within.and_then(|span| first.saturating_add(span).ok());
    first > at || last.is_none_or(|last| at > last)
}

/// What a message is settled as when its deadline has passed and no try is under way.
#[must_use]
pub fn at_deadline(attempts: &Attempts, otherwise: ExpiredReason) -> Settlement {
    match attempts.first_unknown {
        Some(_) => Settlement::InDoubt,
        None => Settlement::NotSent(attempts.failure.unwrap_or(otherwise)),
    }
}

/// The instant of the next try: exponential, with a jitter of up to a fifth that is a function of
/// the message, so that messages refused together do not come back together.
fn soon(tried: &Try, attempts: &Attempts, now: Timestamp) -> Timestamp {
    let doublings = u32::from(attempts.count.saturating_sub(1)).min(6);
    let wait = (BACKOFF_FIRST * 2_i32.pow(doublings)).min(BACKOFF_MAX);
    let spread = i64::from(u16::from_le_bytes([tried.id.0[0], tried.id.0[1]]));
    let jitter = SignedDuration::from_millis(wait.as_millis() as i64 / 5 * spread / 65_536);
    now.saturating_add(wait + jitter).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::Detail;

    const NOW: i64 = 1_772_409_600_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(NOW + ms).unwrap()
    }

    fn tried(before: Attempts) -> Try {
        Try {
            id: MessageId([0; 16]),
            before,
            began: at(-100),
            deadline: at(3_600_000),
            resend_within: Some(SignedDuration::from_mins(8)),
        }
    }

    fn verdict(outcome: Outcome) -> Verdict {
        Verdict::new(outcome, Detail::Timeout)
    }

    #[test]
    fn an_unknown_outcome_is_tried_again_within_eight_minutes_of_the_first_and_then_in_doubt() {
        let first = after(
            &tried(Attempts::default()),
            &verdict(Outcome::Unknown),
            at(0),
        );
        let TriedOutcome::Later(next, attempts) = first else {
            panic!("{first:?}")
        };
        assert_eq!((next, attempts.first_unknown), (at(1000), Some(NOW - 100)));
        let late = after(&tried(attempts), &verdict(Outcome::Unknown), at(479_000));
        assert!(
            matches!(late, TriedOutcome::Final(Settlement::InDoubt)),
            "{late:?}"
        );
        let set_back = after(&tried(attempts), &verdict(Outcome::Unknown), at(-5_000));
        assert!(
            matches!(set_back, TriedOutcome::Final(Settlement::InDoubt)),
            "{set_back:?}"
        );
    }

    #[test]
    fn what_waited_behind_a_closed_gate_is_not_sent_again_once_the_id_is_forgotten() {
        let unknown = Attempts {
            first_unknown: Some(NOW),
            ..Attempts::default()
        };
        let within = Some(SignedDuration::from_mins(8));
        for (attempts, within, ms, too_late) in [
            (unknown, within, 0, false),
            (unknown, within, 480_000, false),
            (unknown, within, 480_001, true),
            (unknown, within, -1, true),
            (unknown, None, 0, true),
            (Attempts::default(), within, 86_400_000, false),
            (Attempts::default(), None, 0, false),
        ] {
            assert_eq!(is_too_late(&attempts, within, at(ms)), too_late, "{ms}");
        }
    }

    #[test]
    fn a_refusal_after_an_unknown_outcome_does_not_make_a_late_resend_safe() {
        let attempts = Attempts {
            count: 1,
            first_unknown: Some(NOW),
            ..Attempts::default()
        };
        let throttled = verdict(Outcome::Throttled(at(600_000)));
        let outcome = after(&tried(attempts), &throttled, at(1_000));
        assert!(
            matches!(outcome, TriedOutcome::Final(Settlement::InDoubt)),
            "{outcome:?}"
        );
    }

    #[test]
    fn without_an_idempotency_key_an_unknown_outcome_is_never_sent_again() {
        let tried = Try {
            resend_within: None,
            ..tried(Attempts::default())
        };
        let outcome = after(&tried, &verdict(Outcome::Unknown), at(0));
        assert!(
            matches!(outcome, TriedOutcome::Final(Settlement::InDoubt)),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_refusal_starts_no_clock_and_never_outlives_the_deadline() {
        for outcome in [
            Outcome::RetrySoon,
            Outcome::BadToken,
            Outcome::Configuration,
            Outcome::RetryAt(at(86_400_000)),
            Outcome::Throttled(at(86_400_000)),
        ] {
            let followed = after(&tried(Attempts::default()), &verdict(outcome), at(0));
            let TriedOutcome::Later(next, attempts) = followed else {
                panic!("{followed:?}")
            };
            assert!(next <= at(3_600_000), "{outcome:?} {next}");
            assert_eq!(attempts.first_unknown, None, "{outcome:?}");
        }
    }

    #[test]
    fn a_code_with_a_bound_on_its_tries_ends_the_message_there() {
        let mut attempts = Attempts::default();
        let refusal = Verdict {
            tries_max: Some(3),
            ..verdict(Outcome::RetryAt(at(60_000)))
        };
        for count in 1..=3 {
            match after(&tried(attempts), &refusal, at(0)) {
                TriedOutcome::Later(_, next) if count < 3 => attempts = next,
                TriedOutcome::Final(Settlement::Undeliverable(ExpiredReason::Rejected))
                    if count == 3 => {}
                other => panic!("try {count}: {other:?}"),
            }
        }
    }

    #[test]
    fn at_the_deadline_the_last_failure_is_the_reason_and_the_unknown_is_in_doubt() {
        let none = Attempts::default();
        let refused = Attempts {
            failure: Some(ExpiredReason::ApiDown),
            ..none
        };
        let unknown = Attempts {
            first_unknown: Some(NOW),
            ..refused
        };
        let otherwise = ExpiredReason::Throttled;
        assert_eq!(
            at_deadline(&none, otherwise),
            Settlement::NotSent(otherwise)
        );
        assert_eq!(
            at_deadline(&refused, otherwise),
            Settlement::NotSent(ExpiredReason::ApiDown)
        );
        assert_eq!(at_deadline(&unknown, otherwise), Settlement::InDoubt);
    }
}
