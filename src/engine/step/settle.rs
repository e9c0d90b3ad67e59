//! What became of a message, and what its doses and check-ins learn of it.

use super::{Turn, news};
use crate::engine::{
    About, CallReason, Entry, ExpiredReason, MessageId, Millis, News, OpenDose, Settlement,
};
use crate::plan::ResolvedPlan;

impl Turn<'_> {
    /// It is known what became of a message: every dose and check-in that it names learns it, in
    /// whatever state it is.
    pub(super) fn settle(
        &mut self,
        plan: &ResolvedPlan,
        message: MessageId,
        settlement: Settlement,
    ) {
        self.state
            .unsettled
            .retain(|unsettled| unsettled.id != message);
        if let Some(index) = self.state.alerts.iter().position(|it| it.id == message) {
            // News for somebody else says nothing of the patient's own messages.
            self.state.alerts.swap_remove(index);
            self.journal_outcome(message, settlement, Vec::new());
            return;
        }
        self.settle_advice(message, settlement);
        self.end_notice(message);
        let now = self.now;
        let mut about = Vec::new();
        for dose in &mut self.state.doses {
            if dose.sending.prompt == Some(message) {
                about.push(About {
                    id: dose.medication.clone(),
                    due: Millis(dose.due),
                });
                dose.settle(message, settlement, now);
            }
        }
        for prompt in &mut self.state.prompts {
            if prompt.sending.prompt == Some(message) {
                about.push(About {
                    id: prompt.id.clone(),
                    due: Millis(prompt.due),
                });
                prompt.sending.settle(message, settlement, now);
            }
        }
        let of_open = !about.is_empty();
        about.extend(self.settle_recent(message, settlement));
        self.journal_outcome(message, settlement, about);
        match settlement {
            Settlement::Accepted(at) => {
                if !self.state.refused {
                    self.state.unreachable_since = None;
                }
                self.await_answers(plan, at);
            }
            Settlement::InDoubt if of_open => self.note_doubt(plan, message),
            Settlement::InDoubt => {}
            Settlement::NotSent(_) => {
                // It was on its way when the plan was edited, perhaps.
                self.correct_waiting(plan);
                self.prompt_again(plan);
            }
            Settlement::Undeliverable(reason) => {
                if reason == ExpiredReason::Unreachable {
                    self.note_unreachable(plan);
                }
                self.close_undeliverable(reason);
            }
        }
    }

    /// Nobody knows whether a reminder of open doses arrived: somebody is told.
    fn note_doubt(&mut self, plan: &ResolvedPlan, message: MessageId) {
        self.call(CallReason::InDoubt);
        let doses = self.state.doses.iter();
        let named = doses.filter(|dose| dose.sending.messages.last() == Some(&message));
        let doses: Vec<OpenDose> = named.cloned().collect();
        let doses: Vec<&OpenDose> = doses.iter().collect();
        if !doses.is_empty() {
            let news = News::InDoubt {
                doses: news::names(plan, &doses),
            };
            self.tell_staff(plan, &news, &doses);
        }
    }

    /// Nothing reaches the patient any more: somebody is told, once.
    pub(super) fn note_unreachable(&mut self, plan: &ResolvedPlan) {
        if self.state.unreachable_since.is_none() {
            self.state.unreachable_since = Some(self.now);
            self.call(CallReason::Unreachable);
            self.tell_staff(plan, &News::Unreachable, &[]);
        }
    }

    /// A dose that was answered while its message was under way learns the outcome, too: should
    /// it wait again, nothing stands in the way of a reminder.
    fn settle_recent(&mut self, message: MessageId, settlement: Settlement) -> Vec<About> {
        let now = self.now;
        let mut about = Vec::new();
        for recent in &mut self.state.recent {
            if recent.dose.sending.prompt == Some(message) {
                recent.dose.settle(message, settlement, now);
                about.push(About {
                    id: recent.dose.medication.clone(),
                    due: Millis(recent.dose.due),
                });
            }
        }
        about
    }

    pub(super) fn journal_outcome(
        &mut self,
        message: MessageId,
        settlement: Settlement,
        about: Vec<About>,
    ) {
        self.journal
            .push(Entry::of_settlement(message, settlement, about));
    }
}
