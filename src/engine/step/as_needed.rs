//! Medicines taken as needed: never reminded of, but guarded.

use super::Turn;
use crate::engine::{AsNeededTaking, Entry, Millis, News, NextTaking, Reply, Teller};
use crate::plan::{AsNeeded, ResolvedPlan};
use jiff::{SignedDuration, Timestamp};

/// Takings are remembered at least this long.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(48);

impl Turn<'_> {
    /// Somebody reports a taking. One that the guard does not allow is refused, in the journal,
    /// and staff are told: whoever took it all the same is told when the next one is allowed.
    pub(super) fn take_as_needed(
        &mut self,
        plan: &ResolvedPlan,
        medication: &str,
        at: Option<Timestamp>,
        by: &Teller,
    ) {
        let known = plan.medications.iter().find(|it| it.id == medication);
        let Some((known, guard)) = known.and_then(|it| Some((it, it.as_needed.as_ref()?))) else {
            return;
        };
        let at = at.filter(|at| *at <= self.now).unwrap_or(self.now);
        let label = known.label().to_owned();
        self.forget_takings(plan);
        let mut takings: Vec<Timestamp> = self
            .state
            .as_needed
            .iter()
            .filter(|it| it.medication == medication)
            .map(|it| it.at.0)
            .collect();
        takings.sort_unstable();
        let allowed = allowed_from(guard, plan, &takings, at);
        // Of one that is reported after a later one nobody could say that it was too soon.
        let is_late_word = takings.last().is_some_and(|last| *last > at);
        let mut with_this = takings;
        with_this.push(at);
        with_this.sort_unstable();
        let after_this = allowed_from(guard, plan, &with_this, at);
        if allowed.is_some_and(|from| from <= at) {
            self.state.as_needed.push(AsNeededTaking {
                medication: medication.to_owned(),
                at: Millis(at),
            });
            self.journal.push(Entry::TakenAsNeeded {
                medication: medication.to_owned(),
                at: Millis(at),
                by: by.clone(),
            });
            self.lower_stock_as_needed(known, at);
            let next = match after_this {
                None => NextTaking::NoMore,
                Some(from) if from > at => NextTaking::From(from),
                Some(_) => NextTaking::Whenever,
            };
            self.replies.push(Reply::AsNeeded { label, at, next });
            return;
        }
        self.journal.push(Entry::AsNeededTooSoon {
            medication: medication.to_owned(),
            at: Millis(at),
            allowed_from: allowed.map(Millis),
            by: by.clone(),
        });
        if is_late_word {
            // It was taken, and counts against the next.
            self.state.as_needed.push(AsNeededTaking {
                medication: medication.to_owned(),
                at: Millis(at),
            });
            self.lower_stock_as_needed(known, at);
        }
        let news = News::TooSoon {
            label: label.clone(),
        };
        self.tell_staff(plan, &news, &[]);
        self.replies.push(Reply::AsNeededTooSoon {
            label,
            allowed_from: allowed,
            after_this,
        });
    }

    fn forget_takings(&mut self, plan: &ResolvedPlan) {
        let guards = plan
            .medications
            .iter()
            .filter_map(|it| it.as_needed.as_ref());
        let longest = guards
            .flat_map(|it| [it.apart, it.at_most.and_then(|most| most.within)])
            .flatten()
            .max()
            .unwrap_or(REMEMBERED)
            .max(REMEMBERED);
        let horizon = self.now.saturating_sub(longest).unwrap_or(Timestamp::MIN);
        self.state.as_needed.retain(|it| it.at.0 >= horizon);
    }
}

/// The first instant at or after `at` at which one more is allowed; `None` when there is none
/// within what the plan says. `takings` ascend; one behind `at` guards as one before it does: what
/// is reported late was not always taken last.
pub(in crate::engine) fn allowed_from(
    guard: &AsNeeded,
    plan: &ResolvedPlan,
    takings: &[Timestamp],
    at: Timestamp,
) -> Option<Timestamp> {
    let mut from = guard.from.map_or(at, |from| from.max(at));
    // Each turn goes beyond one taking at least, or into another day.
    loop {
        let raised = beyond_most(guard, plan, takings, beyond_near(guard, takings, from))?;
        if raised <= from {
            break;
        }
        from = raised;
    }
    (guard.until.is_none_or(|until| from < until)).then_some(from)
}

/// The first instant at or after `from` that is far enough from each taking.
fn beyond_near(guard: &AsNeeded, takings: &[Timestamp], from: Timestamp) -> Timestamp {
    let Some(apart) = guard.apart else {
        return from;
    };
    takings.iter().fold(from, |from, taking| {
        if taking.duration_since(from).abs() < apart {
            taking.saturating_add(apart).unwrap_or(Timestamp::MAX)
        } else {
            from
        }
    })
}

/// The first instant at or after `from` at which not as many as may be were taken.
fn beyond_most(
    guard: &AsNeeded,
    plan: &ResolvedPlan,
    takings: &[Timestamp],
    from: Timestamp,
) -> Option<Timestamp> {
    let Some(most) = guard.at_most else {
        return Some(from);
    };
    let most_before = most.doses as usize;
    if let Some(within) = most.within {
        // The one that must have left the span before the next is taken.
        let oldest = takings.len().checked_sub(most_before);
        let oldest = oldest.and_then(|index| takings.get(index));
        let free = oldest.and_then(|oldest| oldest.saturating_add(within).ok());
        return Some(free.map_or(from, |free| from.max(free)));
    }
    let date = plan.zone.local(from).date();
    let today = takings
        .iter()
        .filter(|it| plan.zone.local(**it).date() == date);
    if today.count() < most_before {
        return Some(from);
    }
    let tomorrow = date.tomorrow().ok()?;
    Some(from.max(plan.zone.instant(tomorrow.at(0, 0, 0, 0))))
}
