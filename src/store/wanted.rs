//! Whether a message that was tried, or may have been, may leave once more. While it is on its way
//! it cannot be withdrawn: what happened meanwhile is looked at before the next try.

use super::StoreError;
use super::desk::Desk;
use super::records::{Attempts, Contacts, OutboxRecord, PatientRecord, PlanRecord};
use crate::engine::{self, Body, ExpiredReason, Recipient, Settlement};
use crate::plan::ResolvedPlan;

/// What the store has of a patient: the plan in force, and the record.
pub(super) type Known = (
    Result<Option<PlanRecord>, StoreError>,
    Result<Option<PatientRecord>, StoreError>,
);

/// Where messages for a recipient go, by the contact that the plan in force names and by what is
/// bound.
pub(super) fn contact_in_force(
    (attested, plan): (Option<u32>, &ResolvedPlan),
    contacts: &Contacts,
    desk: &Desk,
    to: &Recipient,
) -> Option<u32> {
    match to {
        Recipient::Patient => contacts.patients(attested, plan),
        Recipient::Caregiver(id) => contacts.caregivers_own(id),
        Recipient::Staff(name) => desk.contact(name),
    }
}

/// What becomes of a message that is to leave once more.
pub(super) enum Onward {
    /// It leaves as it is.
    AsItIs,
    /// It leaves, for another contact.
    To(u32),
    /// It must not leave any more, and ends so.
    Ends(Settlement),
}

/// Whether a message may leave: not where what it names was answered or is over, or was changed by
/// the doctor, nor where whom it is for has stopped or is reached elsewhere. News that surely has
/// not arrived goes to where its recipient is reached now. What may have arrived is sent again as it
/// was, for the sake of what is still open.
///
/// Where plan or record cannot be read nobody knows better: it may leave.
///
/// # Errors
/// The read failed.
pub(super) fn onward(
    known: Known,
    desk: &Desk,
    record: &OutboxRecord,
    attempts: &Attempts,
) -> Result<Onward, StoreError> {
    let may_have_arrived = attempts.first_unknown.is_some();
    let end = |reason: Option<ExpiredReason>| {
        let reason = reason.or(attempts.failure);
        Onward::Ends(if may_have_arrived {
            Settlement::InDoubt
        } else {
            Settlement::NotSent(reason.unwrap_or(ExpiredReason::ApiDown))
        })
    };
    let body = &record.message.body;
    match known {
        (Ok(Some(plan)), Ok(Some(patient))) => {
            let to = &record.message.to;
            let barred = (patient.contacts.barred).filter(|_| *to == Recipient::Patient);
            if barred.is_some() {
                return Ok(end(barred));
            }
            let wanted = if may_have_arrived {
                engine::is_awaited(&plan.plan, &patient.state, body)
            } else {
                engine::is_still_wanted(&plan.plan, &patient.state, body)
            };
            if !wanted {
                return Ok(end(None));
            }
            let in_force = (plan.head.contact, &plan.plan);
            let is_news = *to != Recipient::Patient;
            Ok(
                match contact_in_force(in_force, &patient.contacts, desk, to) {
                    Some(contact) if contact == record.contact => Onward::AsItIs,
                    Some(contact) if is_news && !may_have_arrived => Onward::To(contact),
                    Some(_) => end(None),
                    // The desk is told anew by each process: it may not know yet.
                    None if matches!(to, Recipient::Staff(_)) => Onward::AsItIs,
                    None => end(Some(ExpiredReason::NotEnrolled)),
                },
            )
        }
        // The plan has ended, and with it all that is to be taken, asked or kept.
        (Ok(None), _) => Ok(match body {
            Body::Dose(_) | Body::CheckIn(_) | Body::Appointment(_) => end(None),
            _ => Onward::AsItIs,
        }),
        (Err(StoreError::Record { .. }) | Ok(_), Err(StoreError::Record { .. }) | Ok(_)) => {
            Ok(Onward::AsItIs)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}
