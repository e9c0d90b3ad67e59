//! Messages: which doses go into which, and what happens to those that have not left yet.

use super::Turn;
use crate::engine::{
    Addressee, AppointmentLine, Body, Class, DoseLine, ExpiredReason, Message, MessageId, OpenDose,
    OpenPrompt, OutboxRef, PromptKind, Question, Sending,
};
use crate::plan::ResolvedPlan;
use jiff::Timestamp;

impl Turn<'_> {
    /// Puts reminders of the open doses from index `first` on into the outbox: one for each
    /// instant ahead, and one for all that is overdue.
    pub(super) fn prompt_doses(&mut self, plan: &ResolvedPlan, first: usize) {
        let mut wanted: Vec<usize> = (first..self.state.doses.len()).collect();
        self.prompt_these(plan, &mut wanted);
    }

    /// Puts reminders of all doses that need one (no message waits or has left, and the window
    /// is open) into the outbox again; check-ins likewise.
    pub(super) fn prompt_again(&mut self, plan: &ResolvedPlan) {
        let now = self.now;
        let mut wanted: Vec<usize> = (0..self.state.doses.len())
            .filter(|index| {
                let dose = &self.state.doses[*index];
                dose.sending.may_be_prompted() && dose.window_ends > now
            })
            .collect();
        self.prompt_these(plan, &mut wanted);
        self.send_prompts(plan, 0);
    }

    fn prompt_these(&mut self, plan: &ResolvedPlan, wanted: &mut Vec<usize>) {
        if !self.context.enrolled {
            for index in wanted.drain(..) {
                self.state.doses[index].sending.failure = Some(ExpiredReason::NotEnrolled);
            }
            return;
        }
        while let Some(first) = wanted.first() {
            let instant = self.state.doses[*first].due;
            let overdue = instant <= self.now;
            let group: Vec<usize> = wanted
                .extract_if(.., |index| {
                    let due = self.state.doses[*index].due;
                    if overdue {
                        due <= self.now
                    } else {
                        due == instant
                    }
                })
                .collect();
            self.prompt_group(plan, &group);
        }
    }

    /// One message for the group if the channel can hold it; else one for each medication; and
    /// one for each dose where even that is too long.
    fn prompt_group(&mut self, plan: &ResolvedPlan, group: &[usize]) {
        let body = Body::Dose(group.iter().map(|index| self.line(plan, *index)).collect());
        if group.len() == 1 || self.context.fits.fits(&addressee(plan), &body) {
            self.issue_doses(plan, group, body);
            return;
        }
        let mut rest = group.to_vec();
        while let Some(first) = rest.first() {
            let medication = self.state.doses[*first].medication.clone();
            let same: Vec<usize> = rest
                .extract_if(.., |index| {
                    self.state.doses[*index].medication == medication
                })
                .collect();
            let body = Body::Dose(same.iter().map(|index| self.line(plan, *index)).collect());
            if same.len() == 1 || self.context.fits.fits(&addressee(plan), &body) {
                self.issue_doses(plan, &same, body);
            } else {
                for index in same {
                    let body = Body::Dose(vec![self.line(plan, index)]);
                    self.issue_doses(plan, &[index], body);
                }
            }
        }
    }

    fn line(&self, plan: &ResolvedPlan, index: usize) -> DoseLine {
        let dose = &self.state.doses[index];
        let medication = plan.medications.iter().find(|it| it.id == dose.medication);
        DoseLine {
            medication: dose.medication.clone(),
            label: medication
                .map_or(dose.medication.as_str(), |it| it.label())
                .to_owned(),
            amount: dose.amount.clone(),
            due: dose.due,
            on_time_until: dose.on_time_until,
            note: medication.and_then(|it| it.note.clone()),
        }
    }

    /// Puts one reminder into the outbox and notes it at its doses. `group` is not empty.
    fn issue_doses(&mut self, plan: &ResolvedPlan, group: &[usize], body: Body) {
        let doses = || group.iter().map(|index| &self.state.doses[*index]);
        let (Some(deadline), Some(due)) = (
            doses().map(|dose| dose.window_ends).min(),
            doses().map(|dose| dose.due).min(),
        ) else {
            return;
        };
        let class = if doses().any(|dose| dose.critical) {
            Class::Critical
        } else {
            Class::Dose
        };
        let issued = doses().map(|dose| dose.sending.issued).max().unwrap_or(0);
        let names = doses().map(|dose| (dose.medication.as_str(), dose.due));
        let id = self.message_id(b"dose", issued, names);
        for index in group {
            self.state.doses[*index].sending.issue(id);
        }
        self.issue(
            plan,
            OutboxRef {
                class,
                deadline,
                id,
            },
            due,
            due,
            body,
        );
    }

    /// Puts the open check-ins and reminders of appointments from index `first` on that need it
    /// into the outbox. In quiet hours they wait for their end.
    pub(super) fn send_prompts(&mut self, plan: &ResolvedPlan, first: usize) {
        for index in first..self.state.prompts.len() {
            let open = &self.state.prompts[index];
            if !open.sending.may_be_prompted() || open.window_ends <= self.now {
                continue;
            }
            let Some((class, kind, body)) = body_of(plan, open) else {
                continue;
            };
            if !self.context.enrolled {
                self.state.prompts[index].sending.failure = Some(ExpiredReason::NotEnrolled);
                continue;
            }
            let (due, deadline) = (open.due, open.window_ends);
            let quiet = plan.quiet_hours;
            let not_before = quiet
                .and_then(|it| it.end_after(due.max(self.now), &plan.zone))
                .unwrap_or(due);
            if not_before >= deadline {
                // It is quiet for the whole of its window.
                self.state.prompts[index].sending.failure = Some(ExpiredReason::Held);
                continue;
            }
            let about = [(open.id.as_str(), due)].into_iter();
            let id = self.message_id(kind, open.sending.issued, about);
            self.state.prompts[index].sending.issue(id);
            self.issue(
                plan,
                OutboxRef {
                    class,
                    deadline,
                    id,
                },
                not_before,
                due,
                body,
            );
        }
    }

    fn issue(
        &mut self,
        plan: &ResolvedPlan,
        key: OutboxRef,
        not_before: Timestamp,
        due: Timestamp,
        body: Body,
    ) {
        self.state.unsettled.push(key);
        self.messages.push(Message {
            key,
            not_before,
            due,
            addressee: addressee(plan),
            body,
        });
    }

    fn message_id<'b>(
        &self,
        kind: &[u8],
        issued: u8,
        names: impl Iterator<Item = (&'b str, Timestamp)>,
    ) -> MessageId {
        let mut about = Vec::with_capacity(64);
        for (id, due) in names {
            about.extend_from_slice(&(id.len() as u64).to_le_bytes());
            about.extend_from_slice(id.as_bytes());
            about.extend_from_slice(&due.as_millisecond().to_le_bytes());
        }
        let patient = self.context.patient.to_le_bytes();
        let edits = self.state.edits.to_le_bytes();
        MessageId(
            self.context
                .ids
                .hash([&patient[..], kind, &edits[..], &[issued], &about]),
        )
    }

    /// Takes back the messages in `ids` that have not been claimed. Doses and check-ins that
    /// they name and that are still open lose their prompt: the caller prompts them again.
    pub(super) fn withdraw_messages(&mut self, ids: &[MessageId]) {
        for id in ids {
            if self.context.claimed.contains(id) {
                continue;
            }
            let Some(position) = self.state.unsettled.iter().position(|it| it.id == *id) else {
                continue;
            };
            let key = self.state.unsettled.remove(position);
            let before = self.messages.len();
            self.messages.retain(|message| message.key.id != *id);
            if self.messages.len() == before {
                self.withdraw.push(key);
            }
            let doses = self.state.doses.iter_mut().map(|dose| &mut dose.sending);
            let prompts = self.state.prompts.iter_mut().map(|it| &mut it.sending);
            for sending in doses.chain(prompts).filter(|it| it.prompt == Some(*id)) {
                sending.prompt = None;
            }
        }
    }

    /// Removes the open doses for which `gone` holds, with their messages, and gives them back.
    /// Doses that shared a message with one of them are prompted again by the caller.
    pub(super) fn remove_doses(&mut self, gone: impl Fn(&OpenDose) -> bool) -> Vec<OpenDose> {
        let removed: Vec<OpenDose> = self.state.doses.extract_if(.., |dose| gone(dose)).collect();
        let prompts: Vec<MessageId> = removed
            .iter()
            .filter_map(|dose| dose.sending.prompt)
            .collect();
        self.withdraw_messages(&prompts);
        removed
    }
}

impl Sending {
    /// True if nothing about it waits in the outbox, was accepted or is in doubt.
    fn may_be_prompted(&self) -> bool {
        self.prompt.is_none() && !self.has_left()
    }

    fn issue(&mut self, id: MessageId) {
        self.prompt = Some(id);
        self.issued = self.issued.saturating_add(1);
    }
}

/// Class, name of the kind for message ids, and text of an open prompt; `None` when the plan does
/// not hold it any more.
fn body_of(plan: &ResolvedPlan, open: &OpenPrompt) -> Option<(Class, &'static [u8], Body)> {
    match open.kind {
        PromptKind::CheckIn => {
            let check_in = plan.check_ins.iter().find(|it| it.id == open.id)?;
            let question = Question {
                check_in: check_in.id.clone(),
                ask: check_in.ask.clone(),
                answer: check_in.answer.clone(),
                due: open.due,
                on_time_until: open.on_time_until,
            };
            Some((Class::CheckIn, b"check_in", Body::CheckIn(question)))
        }
        PromptKind::Appointment => {
            let appointment = plan
                .appointments
                .iter()
                .find(|it| it.what == open.id && it.remind.contains(&open.due))?;
            let line = AppointmentLine {
                what: appointment.what.clone(),
                at: appointment.at,
                note: appointment.note.clone(),
            };
            Some((Class::Notice, b"appointment", Body::Appointment(line)))
        }
    }
}

fn addressee(plan: &ResolvedPlan) -> Addressee {
    Addressee {
        name: plan.name.clone(),
        language: plan.language,
        zone: plan.zone.clone(),
    }
}
