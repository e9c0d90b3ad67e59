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

/// What a message ends as that must not leave any more: what it names was answered or is over, or
/// was changed by the doctor; whom it is for has stopped, or is reached elsewhere. `None` where it
/// may leave. What may have arrived is sent again as it was, for the sake of what is still open.
///
/// Where plan or record cannot be read nobody knows better: it may leave.
///
/// # Errors
/// The read failed.
pub(super) fn end_of_unwanted(
    known: Known,
    desk: &Desk,
    record: &OutboxRecord,
    attempts: &Attempts,
) -> Result<Option<Settlement>, StoreError> {
    let may_have_arrived = attempts.first_unknown.is_some();
    let end = |reason: Option<ExpiredReason>| {
        let reason = reason.or(attempts.failure);
        Some(if may_have_arrived {
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
            let in_force = (plan.head.contact, &plan.plan);
            let mut contact = contact_in_force(in_force, &patient.contacts, desk, to);
            if matches!(to, Recipient::Staff(_)) {
                // The desk is told anew by each process: it may not know yet.
                contact = contact.or(Some(record.contact));
            }
            // News that surely has not arrived goes to where its recipient is reached now.
            let follows = *to != Recipient::Patient && !may_have_arrived;
            let elsewhere = contact != Some(record.contact) && !(follows && contact.is_some());
            if barred.is_some() || elsewhere {
                let nobody = contact.is_none().then_some(ExpiredReason::NotEnrolled);
                return Ok(end(barred.or(nobody)));
            }
            let wanted = if may_have_arrived {
                engine::is_awaited(&plan.plan, &patient.state, body)
            } else {
                engine::is_still_wanted(&plan.plan, &patient.state, body)
            };
            Ok(if wanted { None } else { end(None) })
        }
        // The plan has ended, and with it all that is to be taken, asked or kept.
        (Ok(None), _) => Ok(match body {
            Body::Dose(_) | Body::CheckIn(_) | Body::Appointment(_) => end(None),
            _ => None,
        }),
        (Err(StoreError::Record { .. }) | Ok(_), Err(StoreError::Record { .. }) | Ok(_)) => {
            Ok(None)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}
