//! Whether messages can go to the patient at all.

use super::Turn;
use crate::engine::{
    CallReason, Entry, ExpiredReason, Millis, News, ReachChange, Recipient, Teller,
};
use crate::plan::{ResolvedPlan, Tell};

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
            ReachChange::Stopped | ReachChange::Declined => {
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
            self.withdraw_notices();
        }
        // Whoever answers in the patient's place may be a caregiver who is told as well.
        let reached = self.context.caregivers;
        let gone = self.state.alerts.iter().filter(|it| match &it.to {
            Recipient::Caregiver(id) => !reached.contains(id),
            Recipient::Patient | Recipient::Staff(_) => false,
        });
        let gone: Vec<_> = gone.map(|it| it.id).collect();
        self.withdraw_messages(&gone);
        self.prompt_again(plan);
        if barred.is_none() {
            self.repeat(plan);
        }
    }

    /// News can go to a caregiver again, or not any more: then what waits for them is taken back,
    /// and somebody else is told, once.
    pub(super) fn change_caregiver(
        &mut self,
        plan: &ResolvedPlan,
        caregiver: &str,
        barred: Option<ExpiredReason>,
    ) {
        self.journal.push(Entry::CaregiverReach {
            caregiver: caregiver.to_owned(),
            barred,
        });
        let lost = &mut self.state.lost_caregivers;
        let known = lost.iter().position(|it| it == caregiver);
        if barred.is_none() {
            if let Some(index) = known {
                lost.swap_remove(index);
                if lost.is_empty() {
                    self.call_over(CallReason::Caregiver);
                }
            }
            return;
        }
        if barred == Some(ExpiredReason::NotEnrolled) {
            // Bound, and not asked for consent yet, or not answered.
            return;
        }
        let to = Recipient::Caregiver(caregiver.to_owned());
        let alerts = self.state.alerts.iter().filter(|it| it.to == to);
        let waiting: Vec<_> = alerts.map(|it| it.id).collect();
        self.withdraw_messages(&waiting);
        let told = plan.caregivers.iter();
        let mut told = told.filter(|it| it.id == caregiver && it.tell != Tell::Never);
        if let (Some(told), None) = (told.next(), known) {
            self.state.lost_caregivers.push(caregiver.to_owned());
            self.call(CallReason::Caregiver);
            let name = told.name.clone();
            self.tell_staff(plan, &News::CaregiverUnreachable { name }, &[]);
        }
    }

    /// The plan has changed: whom it does not name any more, and whom it names with a contact that
    /// can be reached, is not lost.
    pub(super) fn find_caregivers(&mut self, plan: &ResolvedPlan) {
        let reached = self.context.caregivers;
        let lost = &mut self.state.lost_caregivers;
        let before = lost.len();
        lost.retain(|id| plan.caregivers.iter().any(|it| it.id == *id) && !reached.contains(id));
        if lost.is_empty() && before > 0 {
            self.call_over(CallReason::Caregiver);
        }
    }
}
