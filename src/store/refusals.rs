//! Contacts of caregivers and staff that refuse what is sent there about others.

use super::StoreError;
use super::contacts::{known_conversation, patients_of, save_conversation};
use super::patient::{Queued, Tables, Tally, Visit};
use super::records::ContactRole;
use super::writer::Scope;
use crate::engine::{Consent, Conversation, ExpiredReason, Fits, Input, Teller};
use crate::plan::Language;

/// News that went to a contact was refused. None goes there any more until something is heard
/// from it: each patient in whose place it is told learns that, and staff who refuse get alarms
/// only.
pub(super) fn note(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    (queued, tally): (&mut Vec<Queued>, &mut Tally),
    fits: &dyn Fits,
    contact: u32,
) -> Result<(), StoreError> {
    let patients = patients_of(scope, contact)?;
    let known = known_conversation(scope, contact)?;
    let mut talk = known.unwrap_or_else(|| {
        // Nothing was said yet: where the plan names the contact, the clinic attests it.
        let mut talk = Conversation::new(Language::default());
        if patients.iter().any(|(_, role)| role.attested) {
            talk.consent = Consent::Attested;
        }
        talk
    });
    if talk.refuses {
        return Ok(());
    }
    talk.refuses = true;
    save_conversation(scope, contact, &talk)?;
    scope.effects.staff_refuses.push((contact, true));
    for (patient, role) in patients {
        let ContactRole {
            role: Teller::Caregiver(caregiver),
            ..
        } = role
        else {
            continue;
        };
        let Some((plan, record)) = super::receive::load(scope, tables, patient)? else {
            continue;
        };
        let mut visit = Visit::new(scope, fits, patient, record, plan.head.contact);
        let caregivers = &mut visit.record.contacts.caregivers;
        let known = caregivers.iter_mut().find(|it| it.contact == contact);
        let Some(known) = known.filter(|it| !it.refuses && !it.barred) else {
            continue;
        };
        known.refuses = true;
        let input = Input::CaregiverReach {
            caregiver: &caregiver,
            barred: Some(ExpiredReason::Unreachable),
        };
        visit.step(tables, &mut scope.effects, &plan.plan, input, tally)?;
        visit.finish(tables, queued)?;
    }
    Ok(())
}
