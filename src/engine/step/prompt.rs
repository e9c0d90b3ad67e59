//! Messages: which doses go into which, and what happens to those that have not left yet.

use super::Turn;
use super::repeat::{Issue, is_held_by_the_hour};
use crate::engine::{
    Addressee, AppointmentLine, Body, Class, DoseLine, ExpiredReason, Message, MessageId, OpenDose,
    OpenPrompt, OutboxRef, PromptKind, Question, Recipient, Sending,
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
                dose.sending.may_be_prompted()
                    && dose.window_ends > now
                    && dose.snoozed_until.is_none()
            })
            .collect();
        self.prompt_these(plan, &mut wanted);
        self.send_prompts(plan, 0);
    }

    pub(super) fn prompt_these(&mut self, plan: &ResolvedPlan, wanted: &mut Vec<usize>) {
        if let Some(reason) = self.context.barred {
            for index in wanted.drain(..) {
                self.state.doses[index].sending.failure = Some(reason);
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
            self.prompt_group(plan, &group, None);
        }
    }

    /// One message for the group if the channel can hold it; else one for each medication; and
    /// one for each dose where even that is too long.
    ///
    /// `repeat` is the instant for which it repeats an earlier message.
    pub(super) fn prompt_group(
        &mut self,
        plan: &ResolvedPlan,
        group: &[usize],
        repeat: Option<Timestamp>,
    ) {
        if repeat.is_some() {
            // What was told of may have changed since; what was not told of was corrected.
            for index in group {
                self.name_what_is_prescribed(plan, *index);
            }
        }
        let body = Body::Dose(group.iter().map(|index| self.line(plan, *index)).collect());
        if group.len() == 1 || self.context.fits.fits(&addressee(plan), &body) {
            self.issue_doses(plan, group, repeat, body);
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
                self.issue_doses(plan, &same, repeat, body);
            } else {
                for index in same {
                    let body = Body::Dose(vec![self.line(plan, index)]);
                    self.issue_doses(plan, &[index], repeat, body);
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
            formerly: dose.told.clone(),
            due: dose.due,
            on_time_until: dose.on_time_until,
            note: medication.and_then(|it| it.note.clone()),
        }
    }

    /// Puts one reminder into the outbox and notes it at its doses. `group` is not empty.
    fn issue_doses(
        &mut self,
        plan: &ResolvedPlan,
        group: &[usize],
        repeat: Option<Timestamp>,
        body: Body,
    ) {
        let doses = || group.iter().map(|index| &self.state.doses[*index]);
        let window_ends = doses().map(|dose| dose.window_ends).min();
        let repeat_ends = repeat.and_then(|at| self.repeat_deadline(plan, group, at));
        let (Some(deadline), Some(due)) = (
            repeat_ends.into_iter().chain(window_ends).min(),
            doses().map(|dose| dose.due).min(),
        ) else {
            return;
        };
        // A clock that was set back may find what was overdue together ahead of it again, one
        // instant after the other: none of them is told before its own.
        let last_due = doses().map(|dose| dose.due).max().unwrap_or(due);
        let class = if doses().any(|dose| dose.critical) {
            Class::Critical
        } else if repeat.is_some() {
            Class::Nudge
        } else {
            Class::Dose
        };
        let issued = doses().map(|dose| dose.sending.issued).max().unwrap_or(0);
        let names = doses().map(|dose| (dose.medication.as_str(), dose.due));
        let id = self.message_id(b"dose", issued, names);
        for index in group {
            let dose = &mut self.state.doses[*index];
            dose.sending.issue(id, repeat);
            if repeat.is_some() {
                dose.snoozed_until = None;
            }
        }
        self.issue(
            plan,
            Issue {
                key: OutboxRef {
                    class,
                    deadline,
                    id,
                },
                not_before: repeat.unwrap_or(due).max(last_due),
                due: repeat.unwrap_or(due),
                to: Recipient::Patient,
                language: plan.language,
                body,
            },
        );
    }

    /// Puts the open check-ins and reminders of appointments from index `first` on that need it
    /// into the outbox.
    pub(super) fn send_prompts(&mut self, plan: &ResolvedPlan, first: usize) {
        for index in first..self.state.prompts.len() {
            let open = &self.state.prompts[index];
            if open.sending.may_be_prompted() && open.window_ends > self.now {
                self.send_prompt(plan, index, None);
            }
        }
    }

    /// Puts one of them into the outbox. In quiet hours it waits for their end, after too many
    /// messages for the next hour.
    pub(super) fn send_prompt(
        &mut self,
        plan: &ResolvedPlan,
        index: usize,
        repeat: Option<Timestamp>,
    ) {
        let open = &self.state.prompts[index];
        let Some((class, kind, body)) = body_of(plan, open) else {
            return;
        };
        if let Some(reason) = self.context.barred {
            self.state.prompts[index].sending.failure = Some(reason);
            return;
        }
        let (due, deadline) = (open.due, open.window_ends);
        let about = [(open.id.as_str(), due)].into_iter();
        let id = self.message_id(kind, open.sending.issued, about);
        let wanted = repeat.unwrap_or(due).max(self.now);
        let mut not_before = repeat.unwrap_or(due);
        if is_held_by_the_hour(class) && self.hour_is_full(wanted) {
            not_before = self.hour_ends();
            self.too_many(plan);
        }
        let quiet = plan.quiet_hours;
        let not_before = quiet
            .and_then(|it| it.end_after(not_before.max(self.now), &plan.zone))
            .unwrap_or(not_before);
        let sending = &mut self.state.prompts[index].sending;
        if not_before >= deadline {
            // It cannot be said within its window.
            match repeat {
                Some(at) => sending.repeated_until = sending.repeated_until.max(Some(at)),
                None => sending.failure = Some(ExpiredReason::Held),
            }
            return;
        }
        sending.issue(id, repeat);
        self.issue(
            plan,
            Issue {
                key: OutboxRef {
                    class,
                    deadline,
                    id,
                },
                not_before,
                due: repeat.unwrap_or(due),
                to: Recipient::Patient,
                language: plan.language,
                body,
            },
        );
    }

    pub(super) fn issue(&mut self, plan: &ResolvedPlan, issue: Issue) {
        if issue.to == Recipient::Patient {
            let at = issue.not_before.max(self.now);
            if !is_held_by_the_hour(issue.key.class) && self.hour_is_full(at) {
                // Doses are never held; somebody should look at why there are so many.
                self.too_many(plan);
            }
            self.count_message(at);
        }
        self.state.unsettled.push(issue.key);
        self.messages.push(Message {
            key: issue.key,
            not_before: issue.not_before,
            due: issue.due,
            addressee: Addressee {
                language: issue.language,
                ..addressee(plan)
            },
            to: issue.to,
            body: issue.body,
        });
    }

    pub(super) fn message_id<'b>(
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
            self.state.alerts.retain(|it| it.id != *id);
            self.lose_advice(*id);
            self.end_notice(*id);
            for dose in &mut self.state.doses {
                if dose.sending.prompt == Some(*id) {
                    // A repeat that has not left is wanted again, for the others that it names.
                    dose.snoozed_until = dose.withdraw();
                }
            }
            for prompt in &mut self.state.prompts {
                if prompt.sending.prompt == Some(*id) {
                    prompt.sending.withdraw();
                }
            }
        }
    }

    /// Removes the open doses for which `gone` holds, with their messages, and gives them back.
    /// Doses that shared a message with one of them are prompted again by the caller.
    pub(super) fn remove_doses(&mut self, gone: impl Fn(&OpenDose) -> bool) -> Vec<OpenDose> {
        let claimed = self.context.claimed;
        let mut removed: Vec<OpenDose> =
            self.state.doses.extract_if(.., |dose| gone(dose)).collect();
        for dose in &mut removed {
            if dose.sending.prompt.is_some_and(|id| !claimed.contains(&id)) {
                // The other amount was never said.
                dose.take_back_amount();
            }
        }
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
    pub(super) fn may_be_prompted(&self) -> bool {
        self.prompt.is_none() && !self.has_left()
    }

    fn issue(&mut self, id: MessageId, repeat: Option<Timestamp>) {
        self.prompt = Some(id);
        self.repeat = repeat;
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
