//! Whether messages can go to the patient at all.

use super::Turn;
use crate::engine::{CallReason, Entry, Millis, News, ReachChange, Teller};
use crate::plan::ResolvedPlan;

impl Turn<'_> {
    /// Somebody allowed medical messages: to which text and when is kept.
    pub(super) fn note_consent(&mut self, plan: &ResolvedPlan, version: &str, by: &Teller) {
        self.journal.push(Entry::ConsentGiven {
            version: version.to_owned(),
            at: Millis(self.now),
            by: by.clone(),
        });
        if *by == Teller::Patient {
            self.change_reach(plan, ReachChange::Consented);
        }
    }

    /// Messages can go again, or not any more, as the context says. What waits in the outbox is
    /// taken back; doses go on and end as *expired* with the reason.
    pub(super) fn change_reach(&mut self, plan: &ResolvedPlan, why: ReachChange) {
        let barred = self.context.barred;
        self.journal.push(Entry::ReachChanged { why, barred });
        match why {
            ReachChange::Unfollowed => {
                self.state.unreachable_since.get_or_insert(self.now);
                self.call(CallReason::Unreachable);
                self.tell_staff(plan, &News::Unreachable, &[]);
            }
            ReachChange::Stopped => {
                self.call(CallReason::Stopped);
                self.tell_staff(plan, &News::Stopped, &[]);
            }
            ReachChange::Started => self.tell_staff(plan, &News::Started, &[]),
            ReachChange::Enrolled | ReachChange::Consented | ReachChange::Followed => {}
        }
        if barred.is_none() {
            self.state.unreachable_since = None;
            self.state.refused = false;
        }
        let doses = self.state.doses.iter().map(|dose| &dose.sending);
        let prompts = self.state.prompts.iter().map(|it| &it.sending);
        let waiting: Vec<_> = doses.chain(prompts).filter_map(|it| it.prompt).collect();
        self.withdraw_messages(&waiting);
        if barred.is_some() {
            self.withdraw_advice();
        }
        self.prompt_again(plan);
        if barred.is_none() {
            self.repeat(plan);
        }
    }
}
