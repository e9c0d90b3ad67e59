//! Codes that bind a contact to a patient: made at the clinic, scanned once.

use super::contacts::{bind, let_go};
use super::patient::Tables;
use super::records::{CaregiverContact, ENROLMENTS, EnrolmentRecord, PATIENT_IDS, decode, encode};
use super::writer::Scope;
use super::{Store, StoreError};
use crate::engine::Teller;
use jiff::Timestamp;
use redb::ReadableTable;

/// For whom a code is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The patient's id.
    pub patient: String,
    /// The id of one of the patient's caregivers; `None` for the patient.
    pub caregiver: Option<String>,
    /// The code is not valid from here on.
    pub expires: Timestamp,
}

/// Why no code is made.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// There is no plan of this patient.
    #[error("no plan of this patient is in force")]
    NoPatient,
    /// The plan names no such caregiver.
    #[error("the plan has no caregiver of this id; it has {}", known.join(", "))]
    NoCaregiver {
        /// Those that it names.
        known: Vec<String>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Keeps a code's secret, as a keyed hash, with whom it is for. Codes that have expired go.
    ///
    /// # Errors
    /// See [`EnrolError`]; nothing was kept.
    pub async fn enrol(
        &self,
        now: Timestamp,
        enrolment: Enrolment,
        secret: String,
    ) -> Result<(), EnrolError> {
        let result = self.write(now, move |scope| {
            let tables = Tables::open(scope.transaction)?;
            let number = {
                let ids = scope.transaction.open_table(PATIENT_IDS)?;
                ids.get(enrolment.patient.as_str())?.map(|row| row.value())
            };
            let Some(number) = number else {
                return Ok(Err(EnrolError::NoPatient));
            };
            let Some(plan) = tables.plan(number)? else {
                return Ok(Err(EnrolError::NoPatient));
            };
            let role = match enrolment.caregiver {
                None => Teller::Patient,
                Some(id) if plan.plan.caregivers.iter().any(|it| it.id == id) => {
                    Teller::Caregiver(id)
                }
                Some(_) => {
                    let known = plan.plan.caregivers.into_iter().map(|it| it.id).collect();
                    return Ok(Err(EnrolError::NoCaregiver { known }));
                }
            };
            let record = EnrolmentRecord {
                patient: number,
                role,
                expires: enrolment.expires.as_millisecond(),
                used_by: None,
            };
            let mut table = scope.transaction.open_table(ENROLMENTS)?;
            let mut over = Vec::new();
            for row in table.iter()? {
                let (key, old) = row?;
                let old = decode::<EnrolmentRecord>(&ENROLMENTS, old.value());
                if old.map_or(true, |old| old.expires < now.as_millisecond()) {
                    over.push(*key.value());
                }
            }
            for key in &over {
                table.remove(key)?;
            }
            table.insert(&key_of(scope, &secret), encode(&record)?.as_slice())?;
            Ok(Ok(()))
        });
        result.await?
    }
}

/// For whom a code is that a contact has scanned. `None` when it is not valid (any more).
pub(super) fn redeem(
    scope: &Scope<'_>,
    secret: &str,
    contact: u32,
) -> Result<Option<EnrolmentRecord>, StoreError> {
    let key = key_of(scope, secret);
    let mut table = scope.transaction.open_table(ENROLMENTS)?;
    let known = table
        .get(&key)?
        .and_then(|row| decode::<EnrolmentRecord>(&ENROLMENTS, row.value()).ok());
    let Some(mut known) = known else {
        return Ok(None);
    };
    // Scanned again by the same person: a second look at the same screen.
    let free = known.used_by.is_none_or(|used_by| used_by == contact);
    if !free || known.expires <= scope.now.as_millisecond() {
        return Ok(None);
    }
    known.used_by = Some(contact);
    table.insert(&key, encode(&known)?.as_slice())?;
    Ok(Some(known))
}

/// Binds a contact to the patient of a code; the contact bound before is let go. `attested` is the
/// contact that the plan in force names.
pub(super) fn bind_by_code(
    scope: &Scope<'_>,
    attested: Option<u32>,
    contacts: &mut super::records::Contacts,
    code: &EnrolmentRecord,
    contact: u32,
) -> Result<(), StoreError> {
    let before = match &code.role {
        Teller::Patient => contacts.bound.replace(contact),
        Teller::Caregiver(id) => {
            let before = contacts.caregivers.iter().position(|it| it.id == *id);
            let before = before.map(|index| contacts.caregivers.swap_remove(index).contact);
            contacts.caregivers.push(CaregiverContact {
                id: id.clone(),
                contact,
                attested: false,
                // Until there is consent.
                barred: true,
                refuses: false,
            });
            before
        }
    };
    if let Some(before) = before.filter(|before| *before != contact) {
        let_go(scope, before, code.patient, attested, contacts)?;
    }
    let own = contacts.bound == Some(contact) || attested == Some(contact);
    if code.role != Teller::Patient && own {
        // Whoever is the patient's own contact, too, speaks as the patient.
        return Ok(());
    }
    bind(scope, contact, code.patient, code.role.clone(), false)
}

fn key_of(scope: &Scope<'_>, secret: &str) -> [u8; 16] {
    scope.ids.hash([&b"enrolment"[..], secret.as_bytes()])
}
