//! What follows from one try: a pure function of the verdict, what was tried before, and now.

use super::clock::Moment;
use crate::engine::{ExpiredReason, MessageId, Settlement};
use crate::messaging::{Detail, Outcome, Verdict};
use crate::store::{Attempts, TriedOutcome};
use jiff::{SignedDuration, Timestamp};

/// The first wait after a failed try; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_FIRST: SignedDuration = SignedDuration::from_secs(1);

/// The longest wait between two tries of one message.
const BACKOFF_MAX: SignedDuration = SignedDuration::from_secs(60);

/// After a refusal that only an operator can lift, a message is looked at again after this.
const OPERATOR_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// Older than any time for which an API knows an id.
const AGE_UNKNOWN: SignedDuration = SignedDuration::from_hours(24 * 365);

/// What is known of a message when a try of it has ended.
pub struct Try {
    /// The message.
    pub id: MessageId,
    /// What was tried before this try.
    pub before: Attempts,
    /// When this try began.
    pub began: Moment,
    /// The message is not handed to the API before this.
    pub not_before: Timestamp,
    /// The message is not handed to the API from here on.
    pub deadline: Timestamp,
    /// How long after the first unknown outcome the same id may be sent again; `None`: never.
    pub resend_within: Option<SignedDuration>,
}

/// What follows from a verdict.
#[must_use]
pub fn after(tried: &Try, verdict: &Verdict, now: Moment) -> TriedOutcome {
    let mut attempts = tried.before;
    attempts.count = attempts.count.saturating_add(1);
    attempts.failure = verdict.reason();
    attempts.resting =
        matches!(verdict.outcome, Outcome::RetryAt(_)) && verdict.tries_max.is_none();
    let refused_too_often = verdict.tries_max.is_some_and(|most| {
        attempts.refusals = attempts.refusals.saturating_add(1);
        attempts.refusals >= most
    });
    match verdict.outcome {
        Outcome::Accepted => TriedOutcome::Final(Settlement::Accepted(now.wall)),
        Outcome::Recipient => undeliverable(&attempts, ExpiredReason::Unreachable),
        Outcome::Message => undeliverable(&attempts, ExpiredReason::Rejected),
        _ if refused_too_often => undeliverable(&attempts, ExpiredReason::Rejected),
        Outcome::Unknown => {
            if attempts.first_unknown.is_none() {
                attempts.first_unknown = Some(tried.began.wall.as_millisecond());
                attempts.steady = SignedDuration::try_from(tried.began.steady).ok();
            }
            again(tried, attempts, soon(tried, &attempts, now), now)
        }
        Outcome::RetrySoon | Outcome::BadToken => {
            again(tried, attempts, soon(tried, &attempts, now), now)
        }
        Outcome::NoToken(pause) => {
            let at = now.wall.saturating_add(pause).unwrap_or(Timestamp::MAX);
            again(tried, attempts, at, now)
        }
        Outcome::RetryAt(at) | Outcome::Throttled(at) => again(tried, attempts, at, now),
        Outcome::Configuration => {
            let at = now.wall.saturating_add(OPERATOR_PAUSE);
            again(tried, attempts, at.unwrap_or(Timestamp::MAX), now)
        }
        // It was as if there had been no try. At its deadline it is settled as not sent.
        Outcome::NotSent => {
            let attempts = Attempts {
                failure: tried.before.failure.or(verdict.reason()),
                ..tried.before
            };
            again(tried, attempts, tried.not_before.max(now.wall), now)
        }
    }
}

/// What follows from a try in free words. The API knows no id of those: where nobody knows what came
/// of it, it is not made again. What it answered and did not take is said with a template, at once,
/// and only what comes of that counts. The flag says that no free words are taken now.
#[must_use]
pub fn after_words(tried: &Try, verdict: &Verdict, now: Moment) -> (TriedOutcome, bool) {
    match verdict.outcome {
        Outcome::Unknown => (TriedOutcome::Final(Settlement::InDoubt), false),
        Outcome::Accepted
        | Outcome::RetrySoon
        | Outcome::NoToken(_)
        | Outcome::BadToken
        | Outcome::NotSent => (after(tried, verdict, now), false),
        // Of the token, or of a gateway: nobody has judged the words.
        Outcome::RetryAt(_) | Outcome::Throttled(_) | Outcome::Configuration
            if !matches!(verdict.detail, Detail::Errcode(_)) =>
        {
            (after(tried, verdict, now), false)
        }
        Outcome::RetryAt(_)
        | Outcome::Throttled(_)
        | Outcome::Recipient
        | Outcome::Message
        | Outcome::Configuration => {
            let attempts = Attempts {
                count: tried.before.count.saturating_add(1),
                failure: verdict.reason(),
                ..tried.before
            };
            (again(tried, attempts, now.wall, now), true)
        }
    }
}

/// There is nobody any more to whom it could go. Who has unfollowed may have had it before.
#[must_use]
pub fn without_address(attempts: &Attempts) -> TriedOutcome {
    undeliverable(attempts, ExpiredReason::NotEnrolled)
}

/// No further try can help. Where an earlier one may have arrived, this refusal says nothing of
/// it: the message is in doubt, and its dose counts as perhaps reminded of.
fn undeliverable(attempts: &Attempts, reason: ExpiredReason) -> TriedOutcome {
    TriedOutcome::Final(match attempts.first_unknown {
        Some(_) => Settlement::InDoubt,
        None => Settlement::Undeliverable(reason),
    })
}

/// What is to be done with a message that may have been sent by a process that has died, or
/// whose next try has to wait: tried again at `at` if the same id may still be sent then.
#[must_use]
pub fn again(tried: &Try, attempts: Attempts, at: Timestamp, now: Moment) -> TriedOutcome {
    let too_late = |at| is_too_late(&attempts, tried.resend_within, at);
    let hopeless = attempts.first_unknown.is_some() && at >= tried.deadline;
    if hopeless || too_late(now.until(at)) || too_late(now) {
        return TriedOutcome::Final(Settlement::InDoubt);
    }
    // A next try after the deadline is none: at the deadline the message is settled as not sent.
    TriedOutcome::Later(at.min(tried.deadline), attempts)
}

/// Whether a message may not be sent at `at` because it may have arrived already and the API may
/// have forgotten its id (G3). Asked before each try, and again before its first byte leaves: a
/// gate that was closed, a long queue or a slow connection delays a message beyond the instant
/// for which it was put off.
///
/// The age of the first try is measured by the steady clock. Of a try of an earlier process only
/// the wall clock tells, until [`anchored`]; a wall clock that went back tells nothing.
#[must_use]
pub fn is_too_late(attempts: &Attempts, resend_within: Option<SignedDuration>, at: Moment) -> bool {
    let Some(first) = attempts.first_unknown else {
        return false;
    };
    // Of free words the API knows no id at all.
    let resend_within = resend_within.filter(|_| !attempts.words);
    let age = match attempts.steady {
        Some(first) => SignedDuration::try_from(at.steady)
            .ok()
            .and_then(|steady| steady.checked_sub(first)),
        None => Timestamp::from_millisecond(first)
            .ok()
            .map(|first| at.wall.duration_since(first)),
    };
    let Some((age, within)) = age.zip(resend_within) else {
        return true;
    };
    age.is_negative() || age > within
}

/// What was tried by an earlier process, with the age of its first try fixed to the steady clock:
/// from here on no step of the wall clock changes it. Where the wall clock was set back since
/// that try (`set_back_from`: up to there it shows instants again) its age is not known: the
/// message is in doubt at once.
#[must_use]
pub fn anchored(attempts: Attempts, now: Moment, set_back_from: Option<Timestamp>) -> Attempts {
    let Some(first) = attempts.first_unknown.filter(|_| attempts.steady.is_none()) else {
        return attempts;
    };
    let first = Timestamp::from_millisecond(first).unwrap_or(Timestamp::MIN);
    let known = first <= now.wall && set_back_from.is_none_or(|from| first > from);
    let age = if known {
        now.wall.duration_since(first)
    } else {
        AGE_UNKNOWN
    };
    let steady = SignedDuration::try_from(now.steady)
        .ok()
        .and_then(|steady| steady.checked_sub(age));
    Attempts {
        steady: Some(steady.unwrap_or(SignedDuration::MIN)),
        ..attempts
    }
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
fn soon(tried: &Try, attempts: &Attempts, now: Moment) -> Timestamp {
    let doublings = u32::from(attempts.count.saturating_sub(1)).min(6);
    let wait = (BACKOFF_FIRST * 2_i32.pow(doublings)).min(BACKOFF_MAX);
    let spread = i64::from(u16::from_le_bytes([tried.id.0[0], tried.id.0[1]]));
    let jitter = SignedDuration::from_millis(wait.as_millis() as i64 / 5 * spread / 65_536);
    now.wall
        .saturating_add(wait + jitter)
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::Detail;
    use std::time::Duration;

    const NOW: i64 = 1_772_409_600_000;
    const STEADY: i64 = 3_600_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(NOW + ms).unwrap()
    }

    /// A moment at which both clocks have moved on by the same.
    fn moment(ms: i64) -> Moment {
        moments(ms, ms)
    }

    fn moments(wall_ms: i64, steady_ms: i64) -> Moment {
        Moment {
            wall: at(wall_ms),
            steady: Duration::from_millis((STEADY + steady_ms) as u64),
        }
    }

    fn tried(before: Attempts) -> Try {
        Try {
            id: MessageId([0; 16]),
            before,
            began: moment(-100),
            not_before: at(-1_000),
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
            moment(0),
        );
        let TriedOutcome::Later(next, attempts) = first else {
            panic!("{first:?}")
        };
        assert_eq!((next, attempts.first_unknown), (at(1000), Some(NOW - 100)));
        let late = after(
            &tried(attempts),
            &verdict(Outcome::Unknown),
            moment(479_000),
        );
        assert!(
            matches!(late, TriedOutcome::Final(Settlement::InDoubt)),
            "{late:?}"
        );
        // Of a try of an earlier process only the wall clock tells, and one that went back nothing.
        let earlier = Attempts {
            steady: None,
            ..attempts
        };
        let set_back = after(&tried(earlier), &verdict(Outcome::Unknown), moment(-5_000));
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
            assert_eq!(is_too_late(&attempts, within, moment(ms)), too_late, "{ms}");
        }
    }

    #[test]
    fn the_age_of_a_first_try_is_measured_by_the_steady_clock_whatever_the_wall_clock_does() {
        let within = Some(SignedDuration::from_mins(8));
        let TriedOutcome::Later(_, attempts) = after(
            &tried(Attempts::default()),
            &verdict(Outcome::Unknown),
            moment(0),
        ) else {
            panic!("it is tried again")
        };
        for (wall_ms, steady_ms, too_late) in [
            (1_000, 1_000, false),
            // The wall clock is set ahead, or back, by an hour.
            (3_601_000, 1_000, false),
            (-3_599_000, 1_000, false),
            // Nine minutes pass while it is set back by five: it shows four.
            (240_000, 540_000, true),
            (-3_600_000, 480_000, true),
            (479_000, 479_000, false),
        ] {
            let now = moments(wall_ms, steady_ms);
            assert_eq!(
                is_too_late(&attempts, within, now),
                too_late,
                "{wall_ms} {steady_ms}"
            );
        }
    }

    #[test]
    fn over_a_restart_the_wall_clock_tells_the_age_unless_it_was_set_back() {
        let within = Some(SignedDuration::from_mins(8));
        let left = Attempts {
            count: 1,
            first_unknown: Some(NOW),
            ..Attempts::default()
        };
        for (now_ms, set_back_ms, too_late) in [
            (60_000, None, false),
            (480_000, None, false),
            (480_001, None, true),
            // It shows less than when the try was made.
            (-1, None, true),
            // It was set back from before the try: what it says of the try is right.
            (60_000, Some(-1), false),
            // It was set back from an instant at or after the try.
            (60_000, Some(0), true),
            (60_000, Some(900_000), true),
        ] {
            let now = moment(now_ms);
            let known = anchored(left, now, set_back_ms.map(at));
            assert_eq!(
                is_too_late(&known, within, now),
                too_late,
                "{now_ms} {set_back_ms:?}"
            );
        }
        // From then on no step of the wall clock changes it.
        let known = anchored(left, moment(60_000), None);
        assert!(!is_too_late(&known, within, moments(-86_400_000, 479_000)));
        assert!(is_too_late(&known, within, moments(61_000, 481_000)));
        assert_eq!(anchored(known, moment(900_000), Some(at(900_000))), known);
        let untried = Attempts::default();
        assert_eq!(anchored(untried, moment(0), Some(at(0))), untried);
    }

    #[test]
    fn what_did_not_leave_because_its_time_was_over_is_not_sent_unless_it_was_before() {
        let none = Attempts::default();
        let unknown = Attempts {
            count: 1,
            first_unknown: Some(NOW),
            ..none
        };
        let not_sent = verdict(Outcome::NotSent);
        // At the deadline: settled there as not sent, because of the API.
        let TriedOutcome::Later(next, attempts) = after(&tried(none), &not_sent, moment(3_600_000))
        else {
            panic!("an untried message is in no doubt")
        };
        assert_eq!((next, attempts.count), (at(3_600_000), 0));
        assert_eq!(
            at_deadline(&attempts, ExpiredReason::Throttled),
            Settlement::NotSent(ExpiredReason::ApiDown)
        );
        for ms in [3_600_000, 480_001] {
            let followed = after(&tried(unknown), &not_sent, moment(ms));
            assert!(
                matches!(followed, TriedOutcome::Final(Settlement::InDoubt)),
                "{ms}: {followed:?}"
            );
        }
        // Before its instant, after the clock was set back: it waits.
        let early = after(&tried(none), &not_sent, moment(-60_000));
        assert!(
            matches!(early, TriedOutcome::Later(next, _) if next == at(-1_000)),
            "{early:?}"
        );
    }

    #[test]
    fn a_refusal_after_an_unknown_outcome_does_not_make_a_late_resend_safe() {
        let attempts = Attempts {
            count: 1,
            first_unknown: Some(NOW),
            ..Attempts::default()
        };
        let throttled = verdict(Outcome::Throttled(at(600_000)));
        let outcome = after(&tried(attempts), &throttled, moment(1_000));
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
        let outcome = after(&tried, &verdict(Outcome::Unknown), moment(0));
        assert!(
            matches!(outcome, TriedOutcome::Final(Settlement::InDoubt)),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_refusal_starts_no_clock_and_never_outlives_the_deadline() {
        for outcome in [
            Outcome::RetrySoon,
            Outcome::NoToken(SignedDuration::from_hours(24)),
            Outcome::BadToken,
            Outcome::Configuration,
            Outcome::RetryAt(at(86_400_000)),
            Outcome::Throttled(at(86_400_000)),
        ] {
            let followed = after(&tried(Attempts::default()), &verdict(outcome), moment(0));
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
            match after(&tried(attempts), &refusal, moment(0)) {
                TriedOutcome::Later(_, next) if count < 3 => attempts = next,
                TriedOutcome::Final(Settlement::Undeliverable(ExpiredReason::Rejected))
                    if count == 3 => {}
                other => panic!("try {count}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_last_refusal_after_a_try_that_may_have_arrived_is_in_doubt_and_not_undeliverable() {
        let before = Attempts {
            count: 2,
            first_unknown: Some(NOW),
            refusals: 2,
            ..Attempts::default()
        };
        let bounded = Verdict {
            tries_max: Some(3),
            ..verdict(Outcome::RetryAt(at(60_000)))
        };
        for refusal in [
            verdict(Outcome::Recipient),
            verdict(Outcome::Message),
            bounded,
        ] {
            let outcome = after(&tried(before), &refusal, moment(1_000));
            assert!(
                matches!(outcome, TriedOutcome::Final(Settlement::InDoubt)),
                "{refusal:?}: {outcome:?}"
            );
        }
    }

    #[test]
    fn what_somebody_may_have_had_who_then_unfollowed_is_in_doubt() {
        let refused = Attempts {
            failure: Some(ExpiredReason::ApiDown),
            ..Attempts::default()
        };
        let nobody = Settlement::Undeliverable(ExpiredReason::NotEnrolled);
        assert!(matches!(
            without_address(&refused),
            TriedOutcome::Final(settlement) if settlement == nobody
        ));
        let unknown = Attempts {
            first_unknown: Some(NOW),
            ..refused
        };
        assert!(matches!(
            without_address(&unknown),
            TriedOutcome::Final(Settlement::InDoubt)
        ));
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

    /// A refusal of the token, or of a gateway, says nothing of whether words are taken.
    #[test]
    fn words_that_nobody_has_judged_are_said_in_words_later() {
        let words = Attempts {
            words: true,
            ..Attempts::default()
        };
        let pause = at(60_000);
        for detail in [Detail::TokenErrcode(40_164), Detail::Status(429)] {
            for outcome in [
                Outcome::Throttled(pause),
                Outcome::RetryAt(pause),
                Outcome::Configuration,
            ] {
                let verdict = Verdict::new(outcome, detail);
                let (follows, says_closed) = after_words(&tried(words), &verdict, moment(0));
                assert!(!says_closed, "{verdict:?}");
                let TriedOutcome::Later(next, attempts) = follows else {
                    panic!("{follows:?}")
                };
                assert!(next >= pause, "{verdict:?} {next}");
                assert!(attempts.words, "{verdict:?}");
            }
        }
    }

    #[test]
    fn free_words_without_an_answer_are_in_doubt_and_what_was_refused_is_said_with_a_template() {
        let words = Attempts {
            words: true,
            ..Attempts::default()
        };
        let later = at(60_000);
        let words_refused = |outcome| Verdict::new(outcome, Detail::Errcode(45_047));
        for (outcome, ends, closed) in [
            (Outcome::Accepted, Some(Settlement::Accepted(at(0))), false),
            (Outcome::Unknown, Some(Settlement::InDoubt), false),
            (Outcome::RetrySoon, None, false),
            (Outcome::NoToken(SignedDuration::from_secs(2)), None, false),
            (Outcome::BadToken, None, false),
            (Outcome::NotSent, None, false),
            (Outcome::Recipient, None, true),
            (Outcome::Message, None, true),
            (Outcome::Configuration, None, true),
            (Outcome::RetryAt(later), None, true),
            (Outcome::Throttled(later), None, true),
        ] {
            let (follows, says_closed) =
                after_words(&tried(words), &words_refused(outcome), moment(0));
            assert_eq!(says_closed, closed, "{outcome:?}");
            match follows {
                TriedOutcome::Final(settlement) => {
                    assert_eq!(Some(settlement), ends, "{outcome:?}");
                }
                TriedOutcome::Later(next, attempts) => {
                    assert_eq!(ends, None, "{outcome:?}");
                    assert!(!closed || next == at(0), "a template goes at once");
                    assert_eq!(attempts.first_unknown, None, "it surely did not leave");
                }
            }
        }
    }

    #[test]
    fn free_words_that_were_under_way_at_a_crash_are_in_doubt_however_short_ago() {
        for (words, doubted) in [(false, false), (true, true)] {
            let left = Attempts {
                words,
                first_unknown: Some(NOW - 1),
                ..Attempts::default()
            };
            let follows = again(&tried(left), left, at(0), moment(0));
            let in_doubt = matches!(follows, TriedOutcome::Final(Settlement::InDoubt));
            assert_eq!(in_doubt, doubted);
        }
    }
}
