//! What leaves, counted: messages of the last hour, for the brake (G9), and of the API's day, for
//! its quota. A pure value, kept in one row and changed by the transactions that claim messages
//! and give them back, so that no byte leaves before it is counted.

use super::records::{META, decode, encode};
use super::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Minutes that make the hour.
const HOUR_MINUTES: i64 = 60;

/// The API's day begins at midnight in China.
const CHINA_OFFSET: SignedDuration = SignedDuration::from_hours(8);

/// From this share of the day's quota on the rest is kept for what is urgent.
const RESERVE_FROM: f64 = 0.9;

/// The row of `meta`.
pub(super) const LEDGER: &str = "ledger";

/// What leaves, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Messages claimed for their first try, by minute since 1970, ascending.
    minutes: VecDeque<(i64, u64)>,
    /// Since when the brake holds, ms.
    held_since: Option<i64>,
    quota: QuotaDay,
}

/// The quota of one day of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct QuotaDay {
    /// Days since 1970 in China.
    day: i64,
    /// Messages a day, as the API said last.
    limit: Option<u64>,
    /// Tries of the day: as the API said last, and ours since.
    used: u64,
}

impl Ledger {
    /// How many messages were claimed for their first try within the hour before `now`.
    #[must_use]
    pub fn hour(&self, now: Timestamp) -> u64 {
        let last = minute(now);
        self.minutes
            .iter()
            .filter(|(at, _)| last - HOUR_MINUTES < *at && *at <= last)
            .map(|(_, count)| count)
            .sum()
    }

    /// `tries` messages are about to be tried, `fresh` of them for the first time.
    pub(super) fn claim(&mut self, now: Timestamp, fresh: u64, tries: u64) {
        let last = minute(now);
        // Minutes ahead are of a clock that has been set back since.
        self.minutes
            .retain(|(at, _)| last - HOUR_MINUTES < *at && *at <= last);
        match self.minutes.back_mut() {
            Some((at, count)) if *at == last => *count += fresh,
            _ if fresh > 0 => self.minutes.push_back((last, fresh)),
            _ => {}
        }
        self.turn_day(now);
        self.quota.used = self.quota.used.saturating_add(tries);
    }

    /// Counts messages as the store does when it claims them for their first try.
    #[cfg(test)]
    pub fn sent(&mut self, now: Timestamp, count: u64) {
        self.claim(now, count, count);
    }

    /// Messages that were claimed come back untried.
    pub(super) fn give_back(&mut self, mut fresh: u64, tries: u64) {
        while fresh > 0
            && let Some((_, count)) = self.minutes.back_mut()
        {
            let taken = fresh.min(*count);
            *count -= taken;
            fresh -= taken;
            if *count == 0 {
                self.minutes.pop_back();
            }
        }
        self.quota.used = self.quota.used.saturating_sub(tries);
    }

    /// Since when the brake holds all but critical messages.
    #[must_use]
    pub fn held_since(&self) -> Option<Timestamp> {
        self.held_since
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
    }

    /// The brake holds from `now` on.
    pub fn hold(&mut self, now: Timestamp) {
        self.held_since.get_or_insert(now.as_millisecond());
    }

    /// The brake holds no more; the hour's count stays.
    pub fn release(&mut self) {
        self.held_since = None;
    }

    /// The brake holds no more, and the hour's count begins anew.
    pub fn resume(&mut self) {
        self.held_since = None;
        self.minutes.clear();
    }

    /// The API said at `now` how much of its day's quota is used.
    pub fn note_quota(&mut self, now: Timestamp, limit: u64, used: u64) {
        self.turn_day(now);
        self.quota.limit = Some(limit);
        self.quota.used = used;
    }

    /// Share of the day's quota that is used, 0 to 1; `None` while the API has not said what the
    /// quota is.
    #[must_use]
    pub fn quota_share(&self, now: Timestamp) -> Option<f64> {
        let limit = self.quota.limit?;
        let used = if self.quota.day == china_day(now) {
            self.quota.used
        } else {
            0
        };
        Some(match limit {
            0 => 1.0,
            limit => (used as f64 / limit as f64).min(1.0),
        })
    }

    /// Whether what is left of the day's quota is kept for critical messages and doses.
    #[must_use]
    pub fn is_reserved(&self, now: Timestamp) -> bool {
        self.quota_share(now)
            .is_some_and(|share| share >= RESERVE_FROM)
    }

    /// Whether nothing is left of the day's quota.
    #[must_use]
    pub fn is_spent(&self, now: Timestamp) -> bool {
        self.quota_share(now).is_some_and(|share| share >= 1.0)
    }

    fn turn_day(&mut self, now: Timestamp) {
        let day = china_day(now);
        if self.quota.day != day {
            self.quota.day = day;
            self.quota.used = 0;
        }
    }
}

impl Store {
    /// Changes the ledger in a transaction of its own.
    ///
    /// # Errors
    /// The transaction failed; it may be made again.
    pub async fn change_ledger(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Ledger) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.write(now, move |scope| {
            let mut ledger = scope.memory.ledger.clone();
            change(&mut ledger);
            scope.effects.ledger = Some(ledger);
            Ok(())
        })
        .await
    }
}

/// Writes the ledger's row.
pub(super) fn write(
    transaction: &redb::WriteTransaction,
    ledger: &Ledger,
) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(LEDGER, encode(ledger)?.as_slice())?;
    Ok(())
}

/// Reads the ledger; one that cannot be read is counted anew.
pub(super) fn read(snapshot: &redb::ReadTransaction) -> Result<Option<Ledger>, StoreError> {
    let meta = snapshot.open_table(META)?;
    let row = meta.get(LEDGER)?;
    Ok(match row {
        Some(row) => decode(&META, row.value()).ok(),
        None => Some(Ledger::default()),
    })
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

fn china_day(at: Timestamp) -> i64 {
    let local = at.saturating_add(CHINA_OFFSET).unwrap_or(at);
    local.as_second().div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn minutes(count: i64) -> Timestamp {
        at("2026-03-02T00:00:00Z") + SignedDuration::from_mins(count)
    }

    #[test]
    fn the_hour_is_the_last_sixty_minutes_whatever_the_clock_did_before() {
        let mut ledger = Ledger::default();
        for (minute, fresh, hour) in [
            (0, 5, 5),
            (0, 1, 6),
            (30, 10, 16),
            (59, 0, 16),
            (60, 0, 10),
            (89, 1, 11),
            (90, 0, 1),
            // Set back: what was counted later is of no hour before.
            (-600, 2, 2),
        ] {
            ledger.claim(minutes(minute), fresh, fresh);
            assert_eq!(ledger.hour(minutes(minute)), hour, "{minute}");
        }
        assert!(ledger.minutes.len() <= 60);
    }

    #[test]
    fn what_comes_back_untried_does_not_count() {
        let mut ledger = Ledger::default();
        ledger.claim(minutes(0), 5, 7);
        ledger.claim(minutes(1), 5, 5);
        ledger.give_back(7, 8);
        assert_eq!(ledger.hour(minutes(1)), 3);
        assert_eq!(ledger.quota.used, 4);
        ledger.give_back(100, 100);
        assert_eq!((ledger.hour(minutes(1)), ledger.quota.used), (0, 0));
    }

    #[test]
    fn the_brake_keeps_its_first_instant_and_forgets_the_count_only_on_resuming() {
        let mut ledger = Ledger::default();
        ledger.claim(minutes(0), 9, 9);
        ledger.hold(minutes(0));
        ledger.hold(minutes(5));
        assert_eq!(ledger.held_since(), Some(minutes(0)));
        ledger.release();
        assert_eq!((ledger.held_since(), ledger.hour(minutes(5))), (None, 9));
        ledger.hold(minutes(6));
        ledger.resume();
        assert_eq!((ledger.held_since(), ledger.hour(minutes(6))), (None, 0));
    }

    #[test]
    fn the_quota_is_of_a_day_in_china_and_a_tenth_of_it_is_kept() {
        let mut ledger = Ledger::default();
        let evening = at("2026-03-02T15:59:00Z");
        let midnight = at("2026-03-02T16:00:00Z");
        ledger.claim(evening, 5, 5);
        assert_eq!(ledger.quota_share(evening), None, "the limit is not known");
        assert!(!ledger.is_reserved(evening));
        ledger.note_quota(evening, 100, 85);
        for (tries, share, reserved, spent) in [
            (0, 0.85, false, false),
            (4, 0.89, false, false),
            (1, 0.9, true, false),
            (9, 0.99, true, false),
            (1, 1.0, true, true),
            (7, 1.0, true, true),
        ] {
            ledger.claim(evening, 0, tries);
            assert_eq!(ledger.quota_share(evening), Some(share));
            assert_eq!(ledger.is_reserved(evening), reserved, "{share}");
            assert_eq!(ledger.is_spent(evening), spent, "{share}");
        }
        assert_eq!(ledger.quota_share(midnight), Some(0.0));
        ledger.claim(midnight, 1, 1);
        assert_eq!(ledger.quota_share(midnight), Some(0.01));
        ledger.note_quota(midnight, 0, 0);
        assert!(
            ledger.is_spent(midnight),
            "an account that may send nothing"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_claimed_and_given_back_the_hour_is_never_more_than_was_claimed(
            steps in proptest::collection::vec((-90i64..90, 0u64..50, 0u64..50), 1..40),
        ) {
            let mut ledger = Ledger::default();
            let mut total = 0;
            let mut now = 0;
            for (gone, fresh, back) in steps {
                now += gone;
                ledger.claim(minutes(now), fresh, fresh);
                ledger.give_back(back, back);
                total += fresh;
                prop_assert!(ledger.hour(minutes(now)) <= total);
                prop_assert!(ledger.minutes.len() <= 60);
                prop_assert!(ledger.minutes.iter().is_sorted());
            }
        }
    }
}
