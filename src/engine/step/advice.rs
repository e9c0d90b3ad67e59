//! What the clinic says to the patient besides reminders.

use super::{Turn, repeat::Issue};
use crate::engine::{
    Adviser, Body, CallReason, Class, Entry, MessageId, OutboxRef, Recipient, Settlement, Text,
};
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};

/// Advice that could not be delivered for this long is not delivered any more: somebody rings.
const ADVICE_LASTS: SignedDuration = SignedDuration::from_hours(24);

impl Turn<'_> {
    /// Puts advice into the outbox. In quiet hours it waits for their end, after too many messages
    /// for the next hour. Where none can go to the patient, somebody has to ring.
    pub(super) fn advise(&mut self, plan: &ResolvedPlan, text: &str, by: &Adviser) {
        let noted = |message| Entry::Advised {
            text: text.to_owned(),
            by: by.clone(),
            message,
        };
        if self.context.barred.is_some() {
            self.journal.push(noted(None));
            self.call(CallReason::Advice);
            return;
        }
        let mut not_before = self.now;
        if self.hour_is_full(not_before) {
            not_before = self.hour_ends();
            self.too_many(plan);
        }
        let not_before = plan
            .quiet_hours
            .and_then(|it| it.end_after(not_before, &plan.zone))
            .unwrap_or(not_before);
        // Several are told apart by how many wait, where they are said at the same instant.
        let issued = u8::try_from(self.state.advice.len()).unwrap_or(u8::MAX);
        let about = [(text, self.now)].into_iter();
        let id = self.message_id(b"advice", issued, about);
        let deadline = not_before.saturating_add(ADVICE_LASTS);
        self.journal.push(noted(Some(id)));
        self.state.advice.push(id);
        self.issue(
            plan,
            Issue {
                key: OutboxRef {
                    class: Class::Notice,
                    deadline: deadline.unwrap_or(Timestamp::MAX),
                    id,
                },
                not_before,
                due: not_before,
                to: Recipient::Patient,
                language: plan.language,
                body: Body::Notice(Text {
                    text: text.to_owned(),
                    at: self.now,
                }),
            },
        );
    }

    /// It is known what became of a message. Advice of which nobody can say that it arrived is a
    /// reason to ring.
    pub(super) fn settle_advice(&mut self, message: MessageId, settlement: Settlement) {
        let before = self.state.advice.len();
        self.state.advice.retain(|id| *id != message);
        let was_advice = self.state.advice.len() < before;
        if was_advice && !matches!(settlement, Settlement::Accepted(_)) {
            self.call(CallReason::Advice);
        }
    }

    /// Advice in the outbox that is taken back does not reach the patient.
    pub(super) fn lose_advice(&mut self, message: MessageId) {
        self.settle_advice(message, Settlement::InDoubt);
    }

    /// All advice that waits is taken back.
    pub(super) fn withdraw_advice(&mut self) {
        let waiting = self.state.advice.clone();
        self.withdraw_messages(&waiting);
    }
}
