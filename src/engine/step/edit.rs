//! Edits of the plan: exact from the edit on, and never a second reminder for a dose of the day
//! (G6, P15).

use super::{LOOK_AHEAD, RECENT, Turn, after};
use crate::engine::{
    DoseState, Entry, ExpiredReason, MedicationState, Millis, OpenPrompt, PromptKind, ServedSlots,
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
        match old {
            Some(old) => {
                // What fell up to now fell under the old plan.
                self.advance(old, self.now, overdue);
                self.take_back_planned();
            }
            None => self.state.cursor = self.state.cursor.max(self.now),
        }
        self.close_due();
        self.cancel_removed(new);
        self.remember_medications(old, new);
        self.prompt_again(new);
        let horizon = self.now.saturating_add(LOOK_AHEAD).unwrap_or(self.now);
        self.advance(new, horizon, overdue)
    }

    /// The plan ends: open doses are cancelled, nothing falls any more.
    pub(super) fn end_plan(&mut self, plan: &ResolvedPlan, overdue: ExpiredReason) {
        self.advance(plan, self.now, overdue);
        self.take_back_planned();
        self.close_due();
        self.cancel(|_| true, |_| true);
        self.forget_medications(|_| false);
    }

    /// What was decided ahead of the clock was only planned until its instant: it is taken back,
    /// and the cursor with it. A cursor further ahead than the engine looks comes from a clock
    /// that was set back: nothing that has left is decided again.
    fn take_back_planned(&mut self) {
        let now = self.now;
        let furthest = now.saturating_add(LOOK_AHEAD).unwrap_or(now);
        if self.state.cursor <= now || self.state.cursor > furthest {
            return;
        }
        let claimed = self.context.claimed;
        let planned = |due: Timestamp, sending: &crate::engine::Sending| {
            due > now
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
        self.state.cursor = now;
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
            self.journal
                .push(Entry::DoseClosed(dose.close(DoseState::Cancelled, None)));
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
        self.journal
            .extend(cancelled.iter().map(OpenPrompt::cancelled));
    }

    /// Notes new medications, forgets those long gone, and counts the served slots of today for
    /// each whose schedule changed.
    fn remember_medications(&mut self, old: Option<&ResolvedPlan>, new: &ResolvedPlan) {
        self.forget_medications(|id| new.medications.iter().any(|it| it.id == id));
        let today = local_date(new, self.now);
        let now = self.now;
        for medication in &new.medications {
            let unchanged = old.is_some_and(|old| {
                old.zone == new.zone
                    && old
                        .medications
                        .iter()
                        .any(|it| it.id == medication.id && it.schedule == medication.schedule)
            });
            let remembered = self.remembered(medication);
            if unchanged || medication.is_interval() {
                continue;
            }
            let count = remembered
                .recent
                .iter()
                .filter(|due| due.0 <= now && local_date(new, due.0) == today)
                .count();
            remembered.served = (count > 0).then_some(ServedSlots {
                edited_at: now,
                count: u16::try_from(count).unwrap_or(u16::MAX),
            });
        }
    }

    fn forget_medications(&mut self, keep: impl Fn(&str) -> bool) {
        let horizon = self.now.saturating_sub(RECENT).unwrap_or(Timestamp::MIN);
        self.state
            .medications
            .retain(|it| keep(&it.id) || it.recent.iter().any(|due| due.0 > horizon));
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

fn local_date(plan: &ResolvedPlan, at: Timestamp) -> Date {
    plan.zone.local(at).date()
}
