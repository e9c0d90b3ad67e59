//! Recipients who got too much: the API refuses them for a while, and so nothing is sent to them.
//! A pure value; workers tell it of refusals, the dispatcher asks it.

use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// The first rest; it doubles with each refusal after one.
const REST_FIRST: SignedDuration = SignedDuration::from_mins(10);

/// The longest rest.
const REST_MAX: SignedDuration = SignedDuration::from_hours(4);

/// Refusals older than this do not count any more.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// A look may be a little older than what it looks at; a clock that shows less was set back.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_secs(5);

/// The rests of recipients, by address.
#[derive(Debug, Default)]
pub struct Recipients {
    resting: HashMap<Arc<str>, Rest>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    since: Timestamp,
    until: Timestamp,
    refusals: u32,
}

impl Recipients {
    /// The API refused a message for this recipient's sake, and any other until `until` at least.
    /// Returns until when the recipient is left alone.
    pub fn refused(&mut self, address: &Arc<str>, until: Timestamp, now: Timestamp) -> Timestamp {
        self.resting
            .retain(|_, rest| now < rest.until || now.duration_since(rest.since) < FORGOTTEN_AFTER);
        let known = self.resting.get(address).copied();
        if let Some(rest) = known.filter(|rest| rest.holds(now)) {
            // It was under way when the first was refused.
            return rest.until;
        }
        let refusals = known.map_or(1, |rest| rest.refusals.saturating_add(1));
        let doublings = (refusals - 1).min(8);
        let span = (REST_FIRST * 2_i32.pow(doublings)).min(REST_MAX);
        let until = until.max(now.saturating_add(span).unwrap_or(Timestamp::MAX));
        let rest = Rest {
            since: now,
            until,
            refusals,
        };
        self.resting.insert(Arc::clone(address), rest);
        until
    }

    /// An earlier process was told to leave this recipient alone until `until`.
    pub fn remember(&mut self, address: &Arc<str>, until: Timestamp, now: Timestamp) {
        let rest = self.resting.entry(Arc::clone(address)).or_insert(Rest {
            since: now,
            until,
            refusals: 1,
        });
        rest.until = rest.until.max(until);
    }

    /// A message was taken: the recipient rests no more.
    pub fn accepted(&mut self, address: &str) {
        if !self.resting.is_empty() {
            self.resting.remove(address);
        }
    }

    /// Until when the recipient is left alone.
    #[must_use]
    pub fn rests_until(&self, address: &str, now: Timestamp) -> Option<Timestamp> {
        let rest = self.resting.get(address)?;
        rest.holds(now).then_some(rest.until)
    }
}

impl Rest {
    /// A clock that was set back before the refusal says nothing of how long ago that was; the
    /// API is asked.
    fn holds(&self, now: Timestamp) -> bool {
        now < self.until && self.since.duration_since(now) <= SET_BACK_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_772_409_600 + minutes * 60).unwrap()
    }

    #[test]
    fn rests_grow_from_ten_minutes_to_hours_and_end_with_an_acceptance() {
        let mut recipients = Recipients::default();
        let address: Arc<str> = "o-a".into();
        let mut now = at(0);
        let mut spans = Vec::new();
        for _ in 0..7 {
            let until = recipients.refused(&address, now, now);
            assert_eq!(recipients.rests_until("o-a", now), Some(until));
            assert_eq!(
                recipients.rests_until("o-b", now),
                None,
                "nobody else rests"
            );
            spans.push(until.duration_since(now).as_mins());
            now = until;
            assert_eq!(recipients.rests_until("o-a", now), None);
        }
        assert_eq!(spans, [10, 20, 40, 80, 160, 240, 240]);
        recipients.accepted("o-a");
        let until = recipients.refused(&address, now, now);
        assert_eq!(until.duration_since(now).as_mins(), 10);
    }

    #[test]
    fn refusals_of_messages_under_way_do_not_lengthen_the_rest() {
        let mut recipients = Recipients::default();
        let address: Arc<str> = "o-a".into();
        let until = recipients.refused(&address, at(0), at(0));
        assert_eq!(recipients.refused(&address, at(1), at(1)), until);
        let later = recipients.refused(&address, at(75), at(10));
        assert_eq!(later, at(75), "what the API asks for is the least");
    }

    #[test]
    fn a_rest_is_remembered_over_a_restart_and_ends_when_the_clock_is_set_back() {
        let mut recipients = Recipients::default();
        let address: Arc<str> = "o-a".into();
        recipients.remember(&address, at(10), at(2));
        recipients.remember(&address, at(5), at(2));
        assert_eq!(recipients.rests_until("o-a", at(9)), Some(at(10)));
        let just_before = at(2) - SignedDuration::from_millis(3);
        assert_eq!(recipients.rests_until("o-a", just_before), Some(at(10)));
        assert_eq!(recipients.rests_until("o-a", at(1)), None);
    }

    #[test]
    fn those_who_rested_long_ago_are_forgotten() {
        let mut recipients = Recipients::default();
        for n in 0..100 {
            let address: Arc<str> = format!("o-{n}").into();
            recipients.refused(&address, at(0), at(0));
        }
        recipients.refused(&"o-x".into(), at(1_500), at(1_500));
        assert_eq!(recipients.resting.len(), 1);
    }
}
