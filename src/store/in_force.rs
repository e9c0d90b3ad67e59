//! Reading what is in force for a patient: plan, state, next wake, and which messages may be on
//! their way. For reports of what would follow from a change.

use super::StoreError;
use super::read::{Reader, id_key};
use super::records::{
    ATTEMPTS, Address, AttemptsRecord, CONTACTS, LaterRecord, OUTBOX, OUTBOX_LATER, PATIENT_IDS,
    PATIENT_SLUGS, PATIENTS, PLANS, PatientRecord, PlanHead, PlanRecord, decode, decode_head,
    outbox_key,
};
use crate::engine::{Course, ExpiredReason, IdKey, MessageId};
use crate::plan::ResolvedPlan;
use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable};
use std::collections::{HashMap, HashSet};

/// What is kept of one patient.
pub struct Treatment {
    /// The patient's number.
    pub number: u32,
    /// The plan in force; `None` when there is none, or it cannot be read.
    pub plan: Option<(PlanHead, ResolvedPlan)>,
    /// Where messages go.
    pub address: Option<Address>,
    /// Why none can go to a contact that is known.
    pub barred: Option<ExpiredReason>,
    /// State and next wake; `None` when the patient was never stepped.
    pub course: Option<Course>,
    /// Those of the state's messages that may have left.
    pub claimed: Vec<MessageId>,
    /// The state's record cannot be read: the patient is left as it is.
    pub broken: bool,
}

/// What is kept of some patients, as of one moment.
pub struct Treatments {
    /// The key of message ids.
    pub ids: IdKey,
    /// By the patient's id; those who were never applied are not there.
    pub patients: HashMap<String, Treatment>,
}

impl Reader {
    /// The plans in force, by the patient's id. One that cannot be read is left out and counted.
    ///
    /// # Errors
    /// The read failed.
    pub fn plan_heads(&self) -> Result<HashMap<String, PlanHead>, StoreError> {
        let snapshot = self.snapshot()?;
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        let mut heads = HashMap::new();
        for row in snapshot.open_table(PLANS)?.iter()? {
            let (number, record) = row?;
            if let Some(slug) = slugs.get(number.value())?
                && let Some(head) = self.readable(decode_head(record.value()))
            {
                heads.insert(slug.value().to_owned(), head);
            }
        }
        Ok(heads)
    }

    /// What is kept of these patients.
    ///
    /// # Errors
    /// The read failed.
    pub fn treatments<'a>(
        &self,
        patients: impl IntoIterator<Item = &'a str>,
    ) -> Result<Treatments, StoreError> {
        let snapshot = self.snapshot()?;
        let on_their_way = on_their_way(&snapshot)?;
        let ids = snapshot.open_table(PATIENT_IDS)?;
        let plans = snapshot.open_table(PLANS)?;
        let states = snapshot.open_table(PATIENTS)?;
        let contacts = snapshot.open_table(CONTACTS)?;
        let mut found = HashMap::new();
        for patient in patients {
            let Some(number) = ids.get(patient)?.map(|row| row.value()) else {
                continue;
            };
            let record = plans.get(number)?;
            let record = record.map(|row| decode::<PlanRecord>(&PLANS, row.value()));
            let plan = record.and_then(|record| self.readable(record));
            let state = states.get(number)?;
            let state = state.map(|row| decode::<PatientRecord>(&PATIENTS, row.value()));
            let broken = matches!(state, Some(Err(_)));
            let bound = state.as_ref().and_then(|state| state.as_ref().ok());
            let barred = bound.and_then(|record| record.contacts.barred);
            let contact = plan.as_ref().and_then(|plan| {
                let contacts = bound.map(|record| record.contacts.clone());
                let contacts = contacts.unwrap_or_default();
                contacts.patients(plan.head.contact, &plan.plan)
            });
            let contact = contact.map(|contact| contacts.get(contact)).transpose()?;
            let address = contact
                .flatten()
                .map(|row| decode::<Address>(&CONTACTS, row.value()));
            let course = state
                .and_then(|state| self.readable(state))
                .map(|record| Course {
                    wake_at: record
                        .wake_at
                        .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
                    state: record.state,
                });
            let unsettled = course.iter().flat_map(|course| &course.state.unsettled);
            let claimed = unsettled
                .map(|key| key.id)
                .filter(|id| on_their_way.contains(id))
                .collect();
            let treatment = Treatment {
                number,
                plan: plan.map(|plan| (plan.head, plan.plan)),
                address: address.and_then(|address| self.readable(address)),
                course,
                barred,
                claimed,
                broken,
            };
            found.insert(patient.to_owned(), treatment);
        }
        Ok(Treatments {
            ids: id_key(&snapshot)?,
            patients: found,
        })
    }
}

/// Messages that were claimed, or wait for another try after one whose outcome nobody knows: what
/// the writer keeps in memory, read from the file.
fn on_their_way(snapshot: &ReadTransaction) -> Result<HashSet<MessageId>, StoreError> {
    let outbox = snapshot.open_table(OUTBOX)?;
    let mut ids = HashSet::new();
    for row in snapshot.open_table(ATTEMPTS)?.iter()? {
        let record: AttemptsRecord = decode(&ATTEMPTS, row?.1.value())?;
        for (patient, key, _) in record.messages {
            if outbox.get(outbox_key(patient, &key))?.is_some() {
                ids.insert(key.id);
            }
        }
    }
    for row in snapshot.open_table(OUTBOX_LATER)?.iter()? {
        let (key, record) = row?;
        let id = MessageId(*key.value().1);
        let record = decode::<LaterRecord>(&OUTBOX_LATER, record.value());
        // Where it cannot be read, it is taken as tried.
        if record.map_or(true, |record| record.attempts.first_unknown.is_some()) {
            ids.insert(id);
        } else {
            ids.remove(&id);
        }
    }
    Ok(ids)
}
