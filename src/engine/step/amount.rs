//! Amounts that the doctor changes while a dose is open: no message leaves with one that is not
//! prescribed any more, and one that names another amount than the patient was told says so.

use super::{Turn, after, edit::local_date, follow_last::following};
use crate::engine::{
    Body, MessageId, Millis, OpenDose, OpenPrompt, PatientState, PromptKind, Settlement,
};
use crate::plan::{Medication, ResolvedPlan};
use jiff::Timestamp;

impl Turn<'_> {
    /// What has not left yet leaves with the amount that the plan has now: nobody is told in
    /// words that the doctor has taken back. A repeat that waits is taken back for it, and wanted
    /// again.
    pub(super) fn correct_waiting(&mut self, plan: &ResolvedPlan) {
        let claimed = self.context.claimed;
        let mut changed = Vec::new();
        for index in 0..self.state.doses.len() {
            let dose = &self.state.doses[index];
            if dose.sending.prompt.is_some_and(|id| claimed.contains(&id)) {
                continue;
            }
            let Some(amount) = prescribed(plan, &self.state, dose) else {
                continue;
            };
            let dose = &mut self.state.doses[index];
            if amount != dose.amount {
                changed.extend(dose.sending.prompt);
                if !dose.sending.has_left() {
                    dose.amount = amount;
                    dose.told = None;
                }
            }
        }
        self.withdraw_messages(&changed);
    }

    /// The next message about an open dose names the amount that the plan has now.
    pub(super) fn name_what_is_prescribed(&mut self, plan: &ResolvedPlan, index: usize) {
        let dose = &self.state.doses[index];
        let Some(amount) = prescribed(plan, &self.state, dose).filter(|it| *it != dose.amount)
        else {
            return;
        };
        let dose = &mut self.state.doses[index];
        let before = std::mem::replace(&mut dose.amount, amount);
        if dose.sending.has_left() {
            dose.told.get_or_insert(before);
        }
        if dose.told.as_ref() == Some(&dose.amount) {
            dose.told = None;
        }
    }
}

impl OpenDose {
    /// It is known what became of a message about it.
    pub(super) fn settle(&mut self, message: MessageId, settlement: Settlement, now: Timestamp) {
        self.sending.settle(message, settlement, now);
        match settlement {
            Settlement::Accepted(_) => self.told = None,
            // Whether the new amount was read nobody knows: the next message says it again.
            Settlement::InDoubt => {}
            Settlement::NotSent(_) | Settlement::Undeliverable(_) => self.take_back_amount(),
        }
    }

    /// A message about it is taken back before it left. A repeat is wanted again, for its instant.
    pub(super) fn withdraw(&mut self) -> Option<Timestamp> {
        self.take_back_amount();
        self.sending.withdraw()
    }

    /// What was to be said of it was not said: the amount is the one that the patient knows.
    pub(super) fn take_back_amount(&mut self) {
        if let Some(told) = self.told.take() {
            self.amount = told;
        }
    }
}

/// What the plan prescribes for a dose: at its instant or, where the times were moved, for the
/// slot of its date as which it counts (P15), or wherever it takes the medication. `None` where
/// the plan does not say.
fn prescribed(plan: &ResolvedPlan, state: &PatientState, dose: &OpenDose) -> Option<String> {
    let mut medications = plan.medications.iter();
    let medication = medications.find(|it| it.id == dose.medication)?;
    let at_its_instant = plan.doses_from(medication, dose.due).next();
    if let Some(slot) = at_its_instant.filter(|slot| slot.due == dose.due) {
        return Some(slot.amount.into_owned());
    }
    slot_of_the_date(plan, medication, state, dose).or_else(|| {
        // Where there is but one amount it is that one, whatever the dose counts as.
        let (first, others) = medication.amounts.split_first()?;
        others.iter().all(|it| it == first).then(|| first.clone())
    })
}

/// The amount of the slot as which a dose counts since its medication's times were moved.
fn slot_of_the_date(
    plan: &ResolvedPlan,
    medication: &Medication,
    state: &PatientState,
    dose: &OpenDose,
) -> Option<String> {
    if medication.is_interval() {
        return None;
    }
    let remembered = state.medications.iter().find(|it| it.id == medication.id)?;
    let date = local_date(plan, dose.due);
    let before = |due: &&Millis| due.0 < dose.due && local_date(plan, due.0) == date;
    let rank = remembered.recent.iter().filter(before).count();
    let midnight = plan.zone.instant(date.at(0, 0, 0, 0));
    let slots = plan.doses_from(medication, midnight.max(after(remembered.since)));
    let mut of_the_date = slots.take_while(|slot| local_date(plan, slot.due) == date);
    of_the_date.nth(rank).map(|slot| slot.amount.into_owned())
}

/// Whether a reminder that may have arrived may be sent again as it is, as only it can be under its
/// id: one of the doses that it names still waits, in whatever amount; a question waits for its
/// answer; an appointment is still that of the plan.
#[must_use]
pub fn is_awaited(plan: &ResolvedPlan, state: &PatientState, body: &Body) -> bool {
    match body {
        Body::Dose(lines) => lines.iter().any(|line| {
            let mut open = state.doses.iter();
            open.any(|dose| dose.is(&line.medication, line.due))
        }),
        Body::CheckIn(question) => {
            let mut open = state.prompts.iter();
            open.any(|it| {
                it.kind == PromptKind::CheckIn
                    && it.id == question.check_in
                    && it.due == question.due
            })
        }
        Body::Appointment(line) => {
            let mut open = state.prompts.iter();
            let waits = |it: &OpenPrompt| {
                it.kind == PromptKind::Appointment && it.id == line.what && !it.is_done()
            };
            let mut known = plan.appointments.iter();
            open.any(waits) && known.any(|it| it.what == line.what && it.at == line.at)
        }
        _ => true,
    }
}

/// Whether a reminder that was tried and surely not taken may be tried again as it is: each dose
/// that it names still waits, and in the amount that the plan has now; a question still waits for
/// its answer, and an appointment is still that of the plan.
#[must_use]
pub fn is_still_wanted(plan: &ResolvedPlan, state: &PatientState, body: &Body) -> bool {
    let Body::Dose(lines) = body else {
        return is_awaited(plan, state, body);
    };
    let resolved = following(plan, state);
    let plan = resolved.as_ref();
    lines.iter().all(|line| {
        let mut open = state.doses.iter();
        let dose = open.find(|dose| dose.is(&line.medication, line.due));
        dose.is_some_and(|dose| {
            let now = prescribed(plan, state, dose);
            now.is_none_or(|amount| amount == line.amount)
        })
    })
}
