//! What the channel reports of messages that it had taken.

use super::Turn;
use crate::engine::{
    About, CallReason, Delivery, DoseState, Entry, ExpiredReason, MessageId, Millis, Recipient,
    Sending,
};
use crate::plan::ResolvedPlan;

/// A dose is not said more often than so for a platform that loses each message.
const ISSUED_MAX: u8 = 5;

impl Turn<'_> {
    /// A message that is not on the phone has not reminded of anything: what it named counts as
    /// not reminded of, and the next repeat covers it. Somebody who refuses messages is not
    /// reachable.
    pub(super) fn deliver(
        &mut self,
        plan: &ResolvedPlan,
        message: MessageId,
        to: &Recipient,
        advice: bool,
        delivery: Delivery,
    ) {
        let own = *to == Recipient::Patient;
        let Some(reason) = delivery.reason() else {
            if own && std::mem::take(&mut self.state.refused) && self.context.barred.is_none() {
                self.state.unreachable_since = None;
            }
            self.journal.push(Entry::Delivered { message });
            return;
        };
        let about = self.undo(message, reason);
        self.journal.push(Entry::NotDelivered {
            message,
            reason,
            about,
        });
        self.expire_missed(message, reason);
        if own && delivery == Delivery::Failed {
            self.remind_instead(plan);
        }
        if advice {
            self.call(CallReason::Advice);
        }
        if own && delivery == Delivery::Refused {
            self.state.refused = true;
            self.note_unreachable(plan);
            self.close_undeliverable(reason);
        }
    }

    /// Takes it back from everything open that the message had reminded of.
    fn undo(&mut self, message: MessageId, reason: ExpiredReason) -> Vec<About> {
        let doses = self.state.doses.iter_mut();
        let doses = doses.map(|dose| (&dose.medication, dose.due, &mut dose.sending));
        let prompts = self.state.prompts.iter_mut();
        let prompts = prompts.map(|it| (&it.id, it.due, &mut it.sending));
        let mut about = Vec::new();
        for (id, due, sending) in doses.chain(prompts) {
            if sending.undo(message, reason) {
                about.push(About {
                    id: id.clone(),
                    due: Millis(due),
                });
            }
        }
        about
    }

    /// What was to be reminded of by a message that the platform has lost, and what no repeat
    /// covers, is said again: it has not reached the phone, and nothing else comes.
    fn remind_instead(&mut self, plan: &ResolvedPlan) {
        if self.context.barred.is_some() {
            return;
        }
        let (now, repeats) = (self.now, self.repeats());
        let lost = |sending: &Sending, window_ends| {
            sending.failure == Some(ExpiredReason::ApiDown)
                && sending.may_be_prompted()
                && sending.issued < ISSUED_MAX
                && window_ends > now
        };
        let doses = self.state.doses.iter().enumerate();
        let mut doses: Vec<usize> = doses
            .filter(|(_, it)| lost(&it.sending, it.window_ends) && it.snoozed_until.is_none())
            .filter(|(_, it)| !repeats || it.next_repeat(plan).is_none())
            .map(|(index, _)| index)
            .collect();
        self.prompt_these(plan, &mut doses);
        for index in 0..self.state.prompts.len() {
            let prompt = &self.state.prompts[index];
            let covered = repeats && prompt.next_repeat().is_some();
            if lost(&prompt.sending, prompt.window_ends) && !covered {
                self.send_prompt(plan, index, None);
            }
        }
    }

    /// A dose that was closed as missed and of which nothing had arrived was not missed by the
    /// patient.
    fn expire_missed(&mut self, message: MessageId, reason: ExpiredReason) {
        let mut corrected = Vec::new();
        for recent in &mut self.state.recent {
            let undone = recent.dose.sending.undo(message, reason);
            if undone
                && recent.state == DoseState::Missed
                && recent.dose.sending.accepted_at.is_none()
            {
                recent.state = DoseState::Expired;
                recent.reason = Some(reason);
                corrected.push(Entry::DoseClosed(recent.to_entry(true)));
            }
        }
        self.journal.extend(corrected);
    }
}

impl Sending {
    /// A message about it did not arrive. True if it was about it.
    fn undo(&mut self, message: MessageId, reason: ExpiredReason) -> bool {
        let before = self.messages.len();
        self.messages.retain(|it| *it != message);
        let undone = self.messages.len() < before;
        // What is reported was accepted: one that is left beside it is the one in doubt.
        let left = usize::from(self.in_doubt);
        if undone && self.messages.len() <= left {
            self.accepted_at = None;
            self.failure = Some(reason);
        }
        undone
    }
}
