//! The brake of G9: however many messages want to leave, no more than a ceiling does within an
//! hour. Above it all but critical messages are held, and an alarm is raised, until the hour's
//! count has fallen to half of the ceiling or a person says `dosed resume`.
//!
//! Critical messages always leave: a brake that kept a time-critical dose from a patient would do
//! what it is to prevent. They count towards the ceiling.

use super::shared::Shared;
use crate::engine::Class;
use crate::store::Ledger;
use jiff::Timestamp;

/// A clinic sends by default at most so many messages a patient within an hour.
const PER_PATIENT: u64 = 20;

/// The ceiling is by default never below this.
const LEAST: u64 = 2_000;

/// What may leave at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The least urgent class that may leave.
    pub least: Class,
    /// How many messages that are not critical.
    pub count: u64,
}

/// What the brake does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing changes.
    Stay,
    /// It holds from now on.
    Hold,
    /// It holds no more.
    Release,
}

/// The ceiling of a clinic with so many patients whose configuration says nothing.
#[must_use]
pub fn default_max(patients: u64) -> u64 {
    patients.saturating_mul(PER_PATIENT).max(LEAST)
}

/// What may leave at `now`: while the brake holds critical messages only; while the day's quota
/// is nearly used up doses too.
#[must_use]
pub fn allowance(ledger: &Ledger, max: u64, now: Timestamp) -> Allowance {
    let least = if ledger.held_since().is_some() {
        Class::Critical
    } else if ledger.is_reserved(now) {
        Class::Dose
    } else {
        Class::Notice
    };
    Allowance {
        least,
        count: max.saturating_sub(ledger.hour(now)),
    }
}

/// Whether the brake is to hold, or to hold no more. `waits`: a message that is not critical, and
/// that nothing else holds, wants to leave.
#[must_use]
pub fn turn(ledger: &Ledger, max: u64, waits: bool, now: Timestamp) -> Turn {
    let hour = ledger.hour(now);
    match ledger.held_since() {
        Some(_) if hour <= max / 2 => Turn::Release,
        None if hour >= max && waits => Turn::Hold,
        Some(_) | None => Turn::Stay,
    }
}

impl Shared {
    /// Messages that may leave within an hour.
    #[must_use]
    pub fn hourly_max(&self) -> u64 {
        let patients = self.vitals.signs().plans.active as u64;
        self.outlet()
            .hourly_max
            .map_or_else(|| default_max(patients), std::num::NonZeroU64::get)
    }

    /// Sets the brake, or takes it off. What the store does not take is tried again at the next
    /// turn: until then the count alone keeps messages back.
    pub async fn turn_brake(&self, turn: Turn, now: Timestamp) {
        let changed = match turn {
            Turn::Stay => return,
            Turn::Hold => {
                let hold = move |ledger: &mut Ledger| ledger.hold(now);
                self.store.change_ledger(now, hold).await
            }
            Turn::Release => self.store.change_ledger(now, Ledger::release).await,
        };
        match (turn, changed) {
            (_, Err(error)) => tracing::error!(%error, "the brake cannot be noted"),
            (Turn::Hold, Ok(())) => tracing::error!(
                hourly_max = self.hourly_max(),
                "too many messages within an hour: all but critical ones are held"
            ),
            (_, Ok(())) => tracing::warn!("the hour's messages are fewer again: sending goes on"),
        }
        self.show_brake();
    }

    /// Takes the brake off at a person's word. False when it did not hold.
    pub async fn resume(&self) -> bool {
        if self.store.telemetry().ledger().held_since().is_none() {
            return false;
        }
        let resumed = self.store.change_ledger(self.now(), Ledger::resume).await;
        match &resumed {
            Ok(()) => tracing::warn!("an operator lets the held messages go"),
            Err(error) => tracing::error!(%error, "the brake cannot be noted"),
        }
        self.show_brake();
        resumed.is_ok()
    }

    /// Shows monitoring whether the brake holds.
    pub fn show_brake(&self) {
        let held = self.store.telemetry().ledger().held_since();
        self.metrics.held_by_brake(held.is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_772_409_600).unwrap() + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn the_default_ceiling_grows_with_the_clinic() {
        for (patients, max) in [(0, 2_000), (100, 2_000), (101, 2_020), (50_000, 1_000_000)] {
            assert_eq!(default_max(patients), max);
        }
        assert_eq!(default_max(u64::MAX), u64::MAX);
    }

    #[test]
    fn it_holds_at_the_ceiling_and_lets_go_at_half_of_it() {
        let mut ledger = Ledger::default();
        let mut allowed = Vec::new();
        for (minute, sent) in [(0, 60), (30, 39), (31, 1)] {
            ledger.sent(at(minute), sent);
            allowed.push(allowance(&ledger, 100, at(minute)).count);
        }
        assert_eq!(allowed, [40, 1, 0]);
        assert_eq!(
            turn(&ledger, 100, false, at(31)),
            Turn::Stay,
            "nothing waits"
        );
        assert_eq!(turn(&ledger, 100, true, at(31)), Turn::Hold);
        ledger.hold(at(31));
        assert_eq!(allowance(&ledger, 100, at(31)).least, Class::Critical);
        assert_eq!(turn(&ledger, 100, true, at(59)), Turn::Stay);
        // The first sixty are an hour old, forty are left.
        assert_eq!(turn(&ledger, 100, true, at(60)), Turn::Release);
        ledger.release();
        let after = allowance(&ledger, 100, at(60));
        assert_eq!((after.least, after.count), (Class::Notice, 60));
    }

    #[test]
    fn a_nearly_used_up_quota_leaves_the_rest_to_critical_messages_and_doses() {
        let mut ledger = Ledger::default();
        ledger.note_quota(at(0), 100, 89);
        assert_eq!(allowance(&ledger, 2_000, at(0)).least, Class::Notice);
        ledger.note_quota(at(0), 100, 90);
        assert_eq!(allowance(&ledger, 2_000, at(0)).least, Class::Dose);
        ledger.hold(at(0));
        assert_eq!(allowance(&ledger, 2_000, at(0)).least, Class::Critical);
    }
}
