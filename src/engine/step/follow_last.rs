//! Medications that are taken so long after the last dose (P3): the schedule counts from when
//! that was really taken.

use crate::engine::{LastTaken, PatientState};
use crate::plan::{Medication, ResolvedPlan};
use crate::recurrence::{Elapsed, Pattern};
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;

/// The plan with each such schedule counted from the last taking that is known.
pub(super) fn following<'p>(plan: &'p ResolvedPlan, state: &PatientState) -> Cow<'p, ResolvedPlan> {
    let mut plan = Cow::Borrowed(plan);
    for (place, taken) in state.last_taken.iter().enumerate() {
        let later = &state.last_taken[place + 1..];
        if later.iter().any(|it| it.medication == taken.medication) {
            continue;
        }
        let index = plan
            .medications
            .iter()
            .position(|it| it.id == taken.medication && it.follows_last());
        if let Some(index) = index {
            count_from(&mut plan.to_mut().medications[index], taken);
        }
    }
    plan
}

fn count_from(medication: &mut Medication, taken: &LastTaken) {
    let left = medication
        .doses
        .map(|doses| i64::from(doses.saturating_sub(taken.doses)));
    for part in &mut medication.schedule.parts {
        let Pattern::AfterLast(elapsed) = &mut part.pattern else {
            continue;
        };
        let next = taken.at.0.as_second().saturating_add(elapsed.every);
        // A first dose that the doctor sets to a later instant comes then.
        let first = elapsed.first.map_or(next, |first| first.max(next));
        elapsed.first = Some(first);
        part.begin = part.begin.map(|begin| begin.min(first));
        if let Some(left) = left {
            part.end = Some(if left == 0 {
                first
            } else {
                first.saturating_add((left - 1).saturating_mul(elapsed.every) + 1)
            });
        }
    }
}

fn elapsed_of(medication: &Medication) -> Option<Elapsed> {
    let mut parts = medication.schedule.parts.iter();
    parts.find_map(|part| match &part.pattern {
        Pattern::AfterLast(elapsed) => Some(*elapsed),
        _ => None,
    })
}

/// How long after a taking the next one is due.
pub(super) fn every(medication: &Medication) -> Option<SignedDuration> {
    elapsed_of(medication).map(|elapsed| SignedDuration::from_secs(elapsed.every))
}

/// Whether the medication, as it counts from its last taking, is due only after this instant.
pub(super) fn begins_after(medication: &Medication, due: Timestamp) -> bool {
    let first = elapsed_of(medication).and_then(|elapsed| elapsed.first);
    first.is_some_and(|first| first > due.as_second())
}

/// How many doses of the medication have been due up to and including the one due at `due`.
pub(super) fn doses_until(
    medication: &Medication,
    before: Option<&LastTaken>,
    due: Timestamp,
) -> u32 {
    let elapsed = elapsed_of(medication);
    let Some(Elapsed {
        first: Some(first),
        every,
        ..
    }) = elapsed
    else {
        return 0;
    };
    // The plan at hand already counts from the taking before.
    let since = (due.as_second() - first).max(0) / every.max(1) + 1;
    let counted = before.map_or(0, |before| before.doses);
    counted.saturating_add(u32::try_from(since).unwrap_or(u32::MAX))
}
