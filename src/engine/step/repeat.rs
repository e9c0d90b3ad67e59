//! Repeated reminders of what is still open: nudges (P9), and what the patient asked to be
//! reminded of later.

use super::{LOOK_AHEAD, Turn};
use crate::engine::{Body, Class, OpenDose, OpenPrompt, OutboxRef, PromptKind, Sending};
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};

const fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// How long after its instant a dose is reminded of again, where the plan does not say (P9).
const NUDGES: &[SignedDuration] = &[minutes(15), minutes(60)];

/// The same of a time-critical one.
const CRITICAL_NUDGES: &[SignedDuration] = &[minutes(10), minutes(20), minutes(30)];

/// The same of a question.
const CHECK_IN_NUDGES: &[SignedDuration] = &[minutes(120)];

impl Turn<'_> {
    /// Whether anything is repeated at all: not where nobody could answer.
    pub(super) fn repeats(&self) -> bool {
        self.context.answers && self.context.barred.is_none()
    }

    /// The next instant at which something open is to be said again.
    pub(super) fn next_repeat(&self, plan: &ResolvedPlan) -> Option<Timestamp> {
        if !self.repeats() {
            return None;
        }
        let doses = self.state.doses.iter();
        let doses = doses.filter_map(|dose| dose.next_repeat(plan));
        let prompts = self.state.prompts.iter();
        let prompts = prompts.filter_map(OpenPrompt::next_repeat);
        doses.chain(prompts).min()
    }

    /// Puts the repeats whose instant has come, or is about to, into the outbox: one message for
    /// all that is overdue and one for each instant ahead.
    pub(super) fn repeat(&mut self, plan: &ResolvedPlan) {
        if !self.repeats() {
            return;
        }
        let horizon = self.horizon();
        let due = |at: &Timestamp| *at <= horizon;
        let mut wanted: Vec<(usize, Timestamp)> = (self.state.doses.iter().enumerate())
            .filter_map(|(index, dose)| Some((index, dose.next_repeat(plan).filter(due)?)))
            .collect();
        while let Some((_, first)) = wanted.first().copied() {
            let at = first.max(self.now);
            let together: Vec<usize> = wanted
                .extract_if(.., |(_, instant)| (*instant).max(self.now) == at)
                .map(|(index, _)| index)
                .collect();
            if self.hour_is_full(at) {
                // Dropped, not put off: a flood that waits is a flood.
                for index in together {
                    let dose = &mut self.state.doses[index];
                    dose.snoozed_until = None;
                    dose.sending.repeated_until = dose.sending.repeated_until.max(Some(at));
                }
                self.too_many(plan);
                continue;
            }
            self.prompt_group(plan, &together, Some(at));
        }
        for index in 0..self.state.prompts.len() {
            let next = self.state.prompts[index].next_repeat();
            if let Some(at) = next.filter(due) {
                self.send_prompt(plan, index, Some(at.max(self.now)));
            }
        }
    }

    /// A reminder has left: what waits for an answer from now on.
    pub(super) fn await_answers(&mut self, plan: &ResolvedPlan, at: Timestamp) {
        if !self.context.answers {
            return;
        }
        let asked = self.state.prompts.iter();
        let asked = asked.filter(|it| {
            it.kind == PromptKind::CheckIn
                && it.sending.accepted_at.is_some_and(|first| first == at)
        });
        let silences: Vec<_> = asked
            .filter_map(|it| {
                let check_in = plan.check_ins.iter().find(|known| known.id == it.id)?;
                let after = check_in.alert_if_no_answer?;
                Some(crate::engine::Silence {
                    check_in: it.id.clone(),
                    due: crate::engine::Millis(it.due),
                    told_at: crate::engine::Millis(it.due.saturating_add(after).ok()?.max(at)),
                })
            })
            .filter(|new| {
                let known = |old: &crate::engine::Silence| {
                    old.check_in == new.check_in && old.due == new.due
                };
                !self.state.silences.iter().any(known)
            })
            .collect();
        self.state.silences.extend(silences);
    }

    /// The key of a repeat's message: it is of no use any more when the next one comes.
    pub(super) fn repeat_deadline(
        &self,
        plan: &ResolvedPlan,
        group: &[usize],
        at: Timestamp,
    ) -> Option<Timestamp> {
        let ends = group.iter().map(|index| {
            let dose = &self.state.doses[*index];
            let next = dose.nudge_after(plan, at);
            next.map_or(dose.window_ends, |next| next.min(dose.window_ends))
        });
        ends.min()
    }
}

impl OpenDose {
    /// When it is to be said again; `None` while a message about it waits.
    pub(super) fn next_repeat(&self, plan: &ResolvedPlan) -> Option<Timestamp> {
        if self.sending.prompt.is_some() {
            return None;
        }
        let next = match self.snoozed_until {
            Some(until) => Some(until),
            // Only what has left is repeated.
            None => self.nudge_after(plan, self.sending.repeated_until?),
        };
        next.filter(|next| *next < self.window_ends)
    }

    /// The first nudge after an instant.
    fn nudge_after(&self, plan: &ResolvedPlan, after: Timestamp) -> Option<Timestamp> {
        let medication = plan
            .medications
            .iter()
            .find(|it| it.id == self.medication)?;
        let default = if medication.critical {
            CRITICAL_NUDGES
        } else {
            NUDGES
        };
        let spans = medication.nudge.as_deref().unwrap_or(default);
        step_after(self.due, spans, after)
    }
}

impl OpenPrompt {
    pub(super) fn next_repeat(&self) -> Option<Timestamp> {
        if self.kind != PromptKind::CheckIn || self.sending.prompt.is_some() {
            return None;
        }
        step_after(self.due, CHECK_IN_NUDGES, self.sending.repeated_until?)
            .filter(|next| *next < self.window_ends)
    }
}

impl Sending {
    /// A message that repeats for the instant is taken back before it left: it is wanted again.
    pub(super) fn withdraw(&mut self) -> Option<Timestamp> {
        self.prompt = None;
        self.repeat.take()
    }
}

/// The first of some spans after an instant that ends after another one.
fn step_after(due: Timestamp, spans: &[SignedDuration], after: Timestamp) -> Option<Timestamp> {
    spans
        .iter()
        .filter_map(|span| due.saturating_add(*span).ok())
        .find(|at| *at > after)
}

/// Whether a class counts against the hour's messages and is held when there are too many (G9).
pub(super) fn is_held_by_the_hour(class: Class) -> bool {
    match class {
        Class::Critical | Class::Dose => false,
        Class::Nudge | Class::CheckIn | Class::Notice => true,
    }
}

/// A message about to be put into the outbox.
pub(super) struct Issue {
    pub key: OutboxRef,
    pub not_before: Timestamp,
    pub due: Timestamp,
    pub to: crate::engine::Recipient,
    pub language: crate::plan::Language,
    pub body: Body,
}

const _: () = assert!(
    LOOK_AHEAD.as_secs() < 10 * 60,
    "a nudge lies behind the look ahead"
);
