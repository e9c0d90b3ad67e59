//! Whether a message that was tried, or may have been, may leave once more. While it is on its way
//! it cannot be withdrawn: what happened meanwhile is looked at before the next try.

use super::StoreError;
use super::records::{Attempts, OutboxRecord, PatientRecord, PlanRecord};
use crate::engine::{self, Body, ExpiredReason, Recipient, Settlement};

/// What the store has of a patient: the plan in force, and the record.
pub(super) type Known = (
    Result<Option<PlanRecord>, StoreError>,
    Result<Option<PatientRecord>, StoreError>,
);

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
            let (contacts, to) = (&patient.contacts, &record.message.to);
            let barred = contacts.barred.filter(|_| *to == Recipient::Patient);
            let contact = match to {
                Recipient::Patient => contacts.patients(plan.head.contact, &plan.plan),
                Recipient::Caregiver(id) => contacts.caregivers_own(id),
                // The desk is told anew by each process: it may not know yet.
                Recipient::Staff(_) => Some(record.contact),
            };
            if barred.is_some() || contact != Some(record.contact) {
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
