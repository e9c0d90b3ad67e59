//! What would come of a patient if nothing else happened: steps made in memory, ahead of time.

use super::{
    Context, Decision, DoseState, Entry, ExpiredReason, Input, PatientState, PromptKind,
    Settlement, step,
};
use crate::plan::{DueKind, ResolvedPlan};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Before a plan changes, what the old one left is stepped at most this often.
pub const CATCH_UP_STEPS_MAX: u32 = 1_000;

/// More steps than any plan takes in the spans that people ask for: no reading of a plan, however
/// odd, keeps a report from ending.
const STEPS_MAX: u32 = 200_000;

/// A patient's state and next wake, stepped without a store. What it is asked to do is what the
/// daemon does with the same state, plan and instant, because [`step`] is the same.
#[derive(Clone, Debug)]
pub struct Course {
    /// The state.
    pub state: PatientState,
    /// When the patient would be looked at.
    pub wake_at: Option<Timestamp>,
}

/// Something whose instant comes in a course.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    /// The scheduled instant.
    pub due: Timestamp,
    /// What sort of thing.
    pub kind: DueKind,
    /// The medication's or check-in's id; of an appointment what it is for.
    pub id: String,
    /// The amount of a dose; empty for "as directed" and for anything else.
    pub amount: String,
    /// Whether a message about it goes into the outbox. None does while no contact is known.
    pub reminded: bool,
}

impl Course {
    /// A patient of whom nothing is known.
    #[must_use]
    pub fn beginning(now: Timestamp) -> Self {
        Self {
            state: PatientState::new(now),
            wake_at: None,
        }
    }

    fn step(
        &mut self,
        context: &Context<'_>,
        plan: &ResolvedPlan,
        input: Input<'_>,
        now: Timestamp,
    ) -> Vec<Entry> {
        let state = std::mem::replace(&mut self.state, PatientState::new(now));
        let Decision {
            state,
            journal,
            wake_at,
            ..
        } = step(context, plan, state, input, now);
        self.state = state;
        self.wake_at = wake_at;
        journal
    }

    /// What fell up to `now` falls under the plan in force, as the daemon decides it before an
    /// edit.
    pub fn catch_up(
        &mut self,
        context: &Context<'_>,
        plan: &ResolvedPlan,
        overdue: ExpiredReason,
        now: Timestamp,
    ) {
        for _ in 0..CATCH_UP_STEPS_MAX {
            if self.wake_at.is_none_or(|wake_at| wake_at > now) {
                return;
            }
            self.step(context, plan, Input::Wake { overdue }, now);
        }
    }

    /// The plan `new` comes into force. Returns the open doses and check-ins that this cancels.
    pub fn change(
        &mut self,
        context: &Context<'_>,
        old: Option<&ResolvedPlan>,
        new: &ResolvedPlan,
        overdue: ExpiredReason,
        now: Timestamp,
    ) -> Vec<Expected> {
        let input = Input::PlanChanged { old, overdue };
        cancelled(self.step(context, new, input, now))
    }

    /// The plan ends. Returns the open doses and check-ins that this cancels.
    pub fn end(
        &mut self,
        context: &Context<'_>,
        plan: &ResolvedPlan,
        overdue: ExpiredReason,
        now: Timestamp,
    ) -> Vec<Expected> {
        cancelled(self.step(context, plan, Input::PlanEnded { overdue }, now))
    }

    /// All that falls after `now` and before `until`, ascending, each message accepted at once
    /// and none answered.
    #[must_use]
    pub fn ahead(
        mut self,
        context: &Context<'_>,
        plan: &ResolvedPlan,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<Expected> {
        let mut expected = BTreeSet::new();
        let mut at = now;
        for _ in 0..STEPS_MAX {
            let open = self.state.expected();
            expected.extend(open.filter(|it| now < it.due && it.due < until));
            for message in self.state.unsettled.clone() {
                let input = Input::Settled {
                    message: message.id,
                    settlement: Settlement::Accepted(at),
                };
                self.step(context, plan, input, at);
            }
            let Some(wake_at) = self.wake_at.filter(|wake_at| *wake_at < until) else {
                break;
            };
            at = at.max(wake_at);
            let overdue = ExpiredReason::DaemonDown;
            self.step(context, plan, Input::Wake { overdue }, at);
        }
        expected.into_iter().collect()
    }
}

impl PatientState {
    fn expected(&self) -> impl Iterator<Item = Expected> + '_ {
        let doses = self.doses.iter().map(|dose| Expected {
            due: dose.due,
            kind: DueKind::Dose,
            id: dose.medication.clone(),
            amount: dose.amount.clone(),
            reminded: dose.sending.issued > 0,
        });
        let prompts = self.prompts.iter().filter(|it| !it.is_done());
        let prompts = prompts.map(|prompt| Expected {
            due: prompt.due,
            kind: match prompt.kind {
                PromptKind::CheckIn => DueKind::CheckIn,
                PromptKind::Appointment => DueKind::Appointment,
            },
            id: prompt.id.clone(),
            amount: String::new(),
            reminded: prompt.sending.issued > 0,
        });
        doses.chain(prompts)
    }
}

/// What an edit cancels, by the entries of its step.
fn cancelled(journal: Vec<Entry>) -> Vec<Expected> {
    let entries = journal.into_iter().filter_map(|entry| match entry {
        Entry::DoseClosed(dose) if dose.state == DoseState::Cancelled => Some(Expected {
            due: dose.due.0,
            kind: DueKind::Dose,
            id: dose.medication,
            amount: dose.amount,
            reminded: dose.reminded.is_some(),
        }),
        Entry::CheckInClosed {
            check_in,
            due,
            asked,
            cancelled: true,
            ..
        } => Some(Expected {
            due: due.0,
            kind: DueKind::CheckIn,
            id: check_in,
            amount: String::new(),
            reminded: asked.is_some(),
        }),
        _ => None,
    });
    entries.collect()
}

impl PatientState {
    /// The plan with what begins "when the plan starts" beginning when the medication was first
    /// applied, now if it is new (P3).
    #[must_use]
    pub fn anchor(&self, mut plan: ResolvedPlan, now: Timestamp) -> ResolvedPlan {
        for medication in &mut plan.medications {
            if medication.schedule.needs_anchor() {
                let known = self.medications.iter().find(|it| it.id == medication.id);
                let since = known.map_or(now, |it| it.since);
                // The first dose comes after the instant at which everything has been decided.
                let first = since
                    .saturating_add(jiff::SignedDuration::from_millis(1))
                    .unwrap_or(since);
                medication.schedule = medication.schedule.anchored(first);
            }
        }
        plan
    }
}
