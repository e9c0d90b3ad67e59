//! Edits of the plan: exact from the edit on, and never a second reminder for a dose of the day
//! (G6, P15).

use super::{LOOK_AHEAD, RECENT, Turn, after};
use crate::engine::{
    DoseState, ExpiredReason, MedicationState, MessageId, Millis, OpenPrompt, PromptKind, Sending,
    ServedSlots,
};
use crate::plan::{Medication, ResolvedPlan};
use jiff::{Timestamp, civil::Date};

impl Turn<'_> {
    /// The plan `new` comes into force. Returns the next instant at which something falls.
    pub(super) fn change_plan(
        &mut self,
        old: Option<&ResolvedPlan>,
        new: &ResolvedPlan,
        overdue: ExpiredReason,
    ) -> Option<Timestamp> {
        self.state.edits = self.state.edits.wrapping_add(1);
        if let Some(old) = old {
            // What fell up to now fell under the old plan.
            self.advance(old, self.now, overdue);
        }
        self.take_back_planned(old);
        if old.is_none() {
            self.state.cursor = self.now;
        }
        self.close_due(old.unwrap_or(new));
        self.cancel_removed(new);
        self.correct_waiting(new);
        self.remember_medications(old, new);
        self.count_stocks(new);
        self.find_caregivers(new);
        if old.is_some_and(|old| is_addressed_otherwise(old, new)) {
            // News for others says what it has to say under any name.
            let alerts = &self.state.alerts;
            let to_patient = |id: &MessageId| !alerts.iter().any(|it| it.id == *id);
            let waiting = self.state.unsettled.iter().map(|key| key.id);
            let waiting: Vec<MessageId> = waiting.filter(to_patient).collect();
            self.withdraw_messages(&waiting);
        }
        if old.is_some_and(|old| old.wechat != new.wechat) {
            self.state.unreachable_since = None;
        }
        self.prompt_again(new);
        let horizon = self.now.saturating_add(LOOK_AHEAD).unwrap_or(self.now);
        let next = self.advance(new, horizon, overdue);
        self.look_at_stocks(new);
        next
    }

    /// The plan ends: open doses are cancelled, nothing falls any more.
    pub(super) fn end_plan(&mut self, plan: &ResolvedPlan, overdue: ExpiredReason) {
        self.state.edits = self.state.edits.wrapping_add(1);
        self.advance(plan, self.now, overdue);
        self.take_back_planned(Some(plan));
        // What was asked a moment ahead, by a clock that was set back since, is not asked again
        // when the plan comes back.
        let asked = self.state.prompts.iter().map(|it| it.due).max();
        let decided = self.state.prompts_decided_until;
        self.state.prompts_decided_until = asked.map_or(decided, |due| due.max(decided));
        self.close_due(plan);
        self.cancel(|_| true, |_| true);
        self.forget_stocks();
        self.state.lost_caregivers.clear();
        self.forget_medications(|_| false);
    }

    /// What was decided ahead of the clock was only planned until its instant: it is taken back,
    /// and the cursor with it. What fell before the clock was set back had its instant: it is not
    /// decided again, while what is new in the plan may fall there.
    pub(super) fn take_back_planned(&mut self, old: Option<&ResolvedPlan>) {
        let past = self.now.max(self.state.seen);
        let decided = self.state.cursor.min(past);
        for medication in old.iter().flat_map(|old| &old.medications) {
            let remembered = self.remembered(medication);
            remembered.decided_until = remembered.decided_until.max(decided);
        }
        self.state.prompts_decided_until = self.state.prompts_decided_until.max(decided);
        let claimed = self.context.claimed;
        let planned = |due: Timestamp, sending: &Sending| {
            due > past
                && sending.accepted_at.is_none()
                && !sending.in_doubt
                && sending.prompt.is_none_or(|id| !claimed.contains(&id))
        };
        for dose in self.remove_doses(|dose| planned(dose.due, &dose.sending)) {
            self.doses_due = self.doses_due.saturating_sub(1);
            for medication in &mut self.state.medications {
                if medication.id == dose.medication {
                    medication.recent.retain(|due| *due != Millis(dose.due));
                }
            }
        }
        let taken_back: Vec<_> = self
            .state
            .prompts
            .extract_if(.., |it| planned(it.due, &it.sending))
            .filter_map(|it| it.sending.prompt)
            .collect();
        self.withdraw_messages(&taken_back);
        self.state.cursor = self.state.cursor.min(self.now);
    }

    /// Cancels the open doses and check-ins of what is not in the plan any more.
    fn cancel_removed(&mut self, new: &ResolvedPlan) {
        self.cancel(
            |id| !new.medications.iter().any(|it| it.id == id),
            |prompt| match prompt.kind {
                PromptKind::CheckIn => !new.check_ins.iter().any(|it| it.id == prompt.id),
                // An appointment that was moved is another one.
                PromptKind::Appointment => !new
                    .appointments
                    .iter()
                    .any(|it| it.what == prompt.id && it.remind.contains(&prompt.due)),
            },
        );
    }

    fn cancel(
        &mut self,
        medication_gone: impl Fn(&str) -> bool,
        prompt_gone: impl Fn(&OpenPrompt) -> bool,
    ) {
        for dose in self.remove_doses(|dose| medication_gone(&dose.medication)) {
            self.close_as(dose, DoseState::Cancelled, None, None);
        }
        let cancelled: Vec<_> = self
            .state
            .prompts
            .extract_if(.., |it| prompt_gone(it))
            .collect();
        let prompts: Vec<_> = cancelled
            .iter()
            .filter_map(|it| it.sending.prompt)
            .collect();
        self.withdraw_messages(&prompts);
        let cancelled = cancelled.iter().filter(|it| !it.is_done());
        self.journal.extend(cancelled.map(OpenPrompt::cancelled));
    }

    /// Notes new medications, forgets those long gone, and counts the served slots of today for
    /// each whose schedule changed.
    fn remember_medications(&mut self, old: Option<&ResolvedPlan>, new: &ResolvedPlan) {
        self.forget_medications(|id| new.medications.iter().any(|it| it.id == id));
        let follows = |id: &str| {
            let known = new.medications.iter().find(|it| it.id == id);
            known.is_some_and(crate::plan::Medication::follows_last)
        };
        self.state.last_taken.retain(|it| follows(&it.medication));
        let now = self.now;
        let today = local_date(new, now);
        for medication in &new.medications {
            let unchanged = old.is_some_and(|old| {
                old.zone == new.zone
                    && old
                        .medications
                        .iter()
                        .any(|it| it.id == medication.id && it.schedule == medication.schedule)
            });
            let remembered = self.remembered(medication);
            if medication.is_interval() {
                remembered.served = None;
                continue;
            }
            if unchanged {
                continue;
            }
            // One that is ahead of the clock here has been claimed: it leaves all the same.
            let count = remembered
                .recent
                .iter()
                .filter(|due| local_date(new, due.0) == today)
                .count();
            remembered.served = (count > 0).then_some(ServedSlots {
                edited_at: now,
                count: u16::try_from(count).unwrap_or(u16::MAX),
            });
        }
    }

    /// Forgets what is not kept and has been out of the plan for a while: what returns within
    /// it is not decided again under a clock that was set back.
    fn forget_medications(&mut self, keep: impl Fn(&str) -> bool) {
        let horizon = self.now.saturating_sub(RECENT).unwrap_or(Timestamp::MIN);
        self.state
            .medications
            .retain(|it| keep(&it.id) || it.decided_until > horizon);
    }
}

/// True if the dose due at `due` falls on a slot that counts as served since an edit of that
/// day (P15).
pub(super) fn is_served(
    plan: &ResolvedPlan,
    medication: &Medication,
    remembered: &MedicationState,
    due: Timestamp,
) -> bool {
    let Some(served) = remembered.served else {
        return false;
    };
    let date = local_date(plan, due);
    if local_date(plan, served.edited_at) != date {
        return false;
    }
    let midnight = plan.zone.instant(date.at(0, 0, 0, 0));
    let rank = plan
        .doses_from(medication, midnight.max(after(remembered.since)))
        .take_while(|slot| slot.due < due)
        .count();
    rank < usize::from(served.count)
}

/// Whether what waits in the outbox speaks to somebody else, or in other words or times.
fn is_addressed_otherwise(old: &ResolvedPlan, new: &ResolvedPlan) -> bool {
    (&old.wechat, &old.name, old.language, &old.zone)
        != (&new.wechat, &new.name, new.language, &new.zone)
}

pub(super) fn local_date(plan: &ResolvedPlan, at: Timestamp) -> Date {
    plan.zone.local(at).date()
}
