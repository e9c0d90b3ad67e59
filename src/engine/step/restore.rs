//! After the store was restored from a backup: what has happened since is not known to anybody.

use super::Turn;
use crate::engine::{
    CallReason, DoseState, Entry, ExpiredReason, Millis, OpenDose, PromptKind, RecentCheckIn,
    RecentDose,
};
use crate::plan::ResolvedPlan;
use jiff::Timestamp;

/// Ids of messages count the edits of the plan. Since the backup there may have been some, and
/// messages with such ids: those of now are none of theirs.
const EDITS_APART: u32 = 1 << 16;

/// Why what fell in the time that nobody knows of was not told.
const UNKNOWN: ExpiredReason = ExpiredReason::DaemonDown;

impl Turn<'_> {
    /// All that waited when the backup was made, and all that fell due since, may have been said
    /// and answered: none of it is said (again), and none of it is held against the patient. What
    /// falls after now goes on. Returns the next instant at which something falls.
    pub(super) fn restore(&mut self, plan: &ResolvedPlan) -> Option<Timestamp> {
        self.journal.push(Entry::Restored {
            since: Millis(self.state.seen),
        });
        self.take_back_planned(Some(plan));
        self.state.edits = self.state.edits.wrapping_add(EDITS_APART);
        self.forget_messages();
        self.close_all_unknown();
        self.nothing_leaves = true;
        while self.state.cursor < self.now {
            self.advance(plan, self.now, UNKNOWN);
        }
        self.next_due(plan)
    }

    /// Messages in the outbox, and those that were being sent, may have arrived.
    fn forget_messages(&mut self) {
        self.withdraw.append(&mut self.state.unsettled);
        self.state.alerts.clear();
        self.state.silences.clear();
        for stock in &mut self.state.stocks {
            // The call list has it.
            stock.notice = None;
        }
        if !self.state.advice.is_empty() {
            self.state.advice.clear();
            self.call(CallReason::Advice);
        }
    }

    fn close_all_unknown(&mut self) {
        for dose in std::mem::take(&mut self.state.doses) {
            self.close_unknown(dose);
        }
        for mut prompt in std::mem::take(&mut self.state.prompts) {
            prompt.sending.prompt = None;
            if prompt.is_done() {
                continue;
            }
            self.journal.push(prompt.closed(Some(UNKNOWN)));
            if prompt.kind == PromptKind::CheckIn {
                self.state.recent_check_ins.push(RecentCheckIn {
                    check_in: prompt.id,
                    due: Millis(prompt.due),
                });
            }
        }
    }

    /// Of a dose nobody knows whether the patient was reminded, or answered. While there is time
    /// to take it, somebody has to ring.
    pub(super) fn close_unknown(&mut self, mut dose: OpenDose) {
        if dose.window_ends > self.now {
            self.call(CallReason::InDoubt);
        }
        dose.sending.prompt = None;
        dose.sending.in_doubt = true;
        dose.snoozed_until = None;
        let closed = RecentDose {
            dose,
            state: DoseState::Expired,
            reason: Some(UNKNOWN),
            answer: None,
        };
        let corrects = closed.dose.reopened;
        self.journal
            .push(Entry::DoseClosed(closed.to_entry(corrects)));
        // Who answers it yet is heard.
        self.state.recent.push(closed);
    }
}
