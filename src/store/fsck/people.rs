//! People: contacts and whose they are, the talk with each, codes, what was received, and the
//! clinic's desk.

use super::super::StoreError;
use super::super::records::{
    Address, CALLS, CONTACT_NUMBERS, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS, CallRecord,
    ContactRole, ENROLMENTS, EnrolmentRecord, FORMER_CONTACTS, INBOUND_SEEN, INBOUND_TIMES,
    PATIENT_SLUGS, PATIENTS, PLANS, PatientRecord, PlanRecord, STRANGERS, SeenRecord,
    StrangerRecord, TOLD, UNFOLLOWED, decode, present,
};
use super::Examination;
use crate::engine::{CallReason, Conversation, NOBODY, Teller};
use redb::{ReadTransaction, ReadableTable};
use std::collections::HashSet;

impl Examination {
    /// Addresses and numbers name each other. One whose owner has left is not written down any
    /// more: a keyed hash stands for it.
    pub(super) fn contacts(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let contacts = snapshot.open_table(CONTACTS)?;
        let numbers = snapshot.open_table(CONTACT_NUMBERS)?;
        let gone = snapshot.open_table(UNFOLLOWED)?;
        let mut hashed: HashSet<u32> = HashSet::new();
        for row in gone.iter()? {
            let (_, contact) = row?;
            let contact = contact.value();
            self.row("unfollowed");
            let Some(row) = contacts.get(contact)? else {
                let what = format!("somebody has left as the contact {contact}, which is not");
                self.find("unfollowed", None, what);
                continue;
            };
            let address = decode::<Address>(&CONTACTS, row.value());
            if address.is_ok_and(|it| !it.address.is_empty()) {
                let what = format!("contact {contact} has left, and its address is written down");
                self.find("unfollowed", None, what);
            }
            if !hashed.insert(contact) {
                let what = format!("contact {contact} has left with two addresses");
                self.find("unfollowed", None, what);
            }
        }
        for row in contacts.iter()? {
            let (number, record) = row?;
            let address = decode::<Address>(&CONTACTS, record.value());
            let Some(address) = self.read("contacts", None, address) else {
                continue;
            };
            if address.address.is_empty() {
                // Deleted: its owner does not follow any more.
                if !hashed.contains(&number.value()) {
                    let what = format!("contact {} has lost its address", number.value());
                    self.find("contacts", None, what);
                }
                continue;
            }
            let back = numbers.get(address.index_key().as_str())?;
            if back.is_none_or(|back| back.value() != number.value()) {
                let what = format!("the address of contact {} has another", number.value());
                self.find("contacts", None, what);
            }
        }
        for row in numbers.iter()? {
            let (key, number) = row?;
            self.row("contact_numbers");
            let number = number.value();
            let Some(record) = contacts.get(number)? else {
                let what = format!("an address has the contact {number}, which is not");
                self.find("contact_numbers", None, what);
                continue;
            };
            let address = decode::<Address>(&CONTACTS, record.value());
            if address.is_ok_and(|it| it.index_key() != key.value()) {
                let what = format!("an address has the contact {number}, which has another");
                self.find("contact_numbers", None, what);
            }
        }
        Ok(())
    }

    /// Who answers for a patient is named by the plan in force or by the patient's record.
    pub(super) fn bindings(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        const TABLE: &str = "contact_patients";
        let contacts = snapshot.open_table(CONTACTS)?;
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        let plans = snapshot.open_table(PLANS)?;
        let patients = snapshot.open_table(PATIENTS)?;
        for row in snapshot.open_table(CONTACT_PATIENTS)?.iter()? {
            let (key, role) = row?;
            let (contact, patient) = key.value();
            let role = decode::<ContactRole>(&CONTACT_PATIENTS, role.value());
            let role = self.read(TABLE, Some(patient), role);
            if contacts.get(contact)?.is_none() {
                let what = format!("contact {contact}, which is not, answers for a patient");
                self.find(TABLE, Some(patient), what);
            }
            if slugs.get(patient)?.is_none() {
                let what = format!("contact {contact} answers for an unknown patient");
                self.find(TABLE, Some(patient), what);
                continue;
            }
            let plan = plans.get(patient)?;
            let plan = plan.map(|row| decode::<PlanRecord>(&PLANS, row.value()));
            let record = patients.get(patient)?;
            let record = record.map(|row| decode::<PatientRecord>(&PATIENTS, row.value()));
            let (Some(role), Ok(plan), Ok(record)) = (role, plan.transpose(), record.transpose())
            else {
                // What cannot be read is a finding of its own.
                continue;
            };
            let bound = record.map(|record| record.contacts).unwrap_or_default();
            let is_named = match &role.role {
                Teller::Patient => {
                    let attested = plan.and_then(|plan| plan.head.contact);
                    [attested, bound.bound].contains(&Some(contact))
                }
                Teller::Caregiver(id) => {
                    let mut known = bound.caregivers.iter();
                    known.any(|it| it.id == *id && it.contact == contact)
                }
            };
            if !is_named {
                let what = format!("contact {contact} answers for a patient who does not name it");
                self.find(TABLE, Some(patient), what);
            }
        }
        Ok(())
    }

    /// Who answered before is known: whoever erases the patient forgets them, too.
    pub(super) fn former(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        const TABLE: &str = "former_contacts";
        let Some(former) = present(snapshot.open_table(FORMER_CONTACTS))? else {
            return Ok(());
        };
        let contacts = snapshot.open_table(CONTACTS)?;
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        for row in former.iter()? {
            let (patient, contact) = row?.0.value();
            self.row(TABLE);
            self.expect_contact(&contacts, TABLE, contact)?;
            if slugs.get(patient)?.is_none() {
                self.find(
                    TABLE,
                    Some(patient),
                    "somebody answered for an unknown patient",
                );
            }
        }
        Ok(())
    }

    /// The contacts of a patient's record exist; those to which messages go, over a channel on
    /// which something comes back, can answer.
    pub(super) fn bound(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let contacts = snapshot.open_table(CONTACTS)?;
        let plans = snapshot.open_table(PLANS)?;
        let bindings = snapshot.open_table(CONTACT_PATIENTS)?;
        for row in snapshot.open_table(PATIENTS)?.iter()? {
            let (patient, record) = row?;
            let patient = patient.value();
            let Ok(record) = decode::<PatientRecord>(&PATIENTS, record.value()) else {
                continue;
            };
            let caregivers = record.contacts.caregivers.iter().map(|it| it.contact);
            let named: Vec<u32> = record
                .contacts
                .bound
                .into_iter()
                .chain(caregivers)
                .collect();
            for contact in &named {
                if contacts.get(*contact)?.is_none() {
                    let what = format!("its contact {contact} does not exist");
                    self.find("patients", Some(patient), what);
                }
            }
            let plan = plans.get(patient)?;
            let plan = plan.map(|row| decode::<PlanRecord>(&PLANS, row.value()));
            let Some(Ok(plan)) = plan else {
                continue;
            };
            let effective = record.contacts.patients(plan.head.contact, &plan.plan);
            for contact in effective.into_iter().chain(named) {
                let row = contacts.get(contact)?;
                let address = row.and_then(|row| decode::<Address>(&CONTACTS, row.value()).ok());
                let is_heard = address.is_some_and(|it| it.channel != "console");
                if is_heard && bindings.get((contact, patient))?.is_none() {
                    let what = format!("its contact {contact} cannot answer for it");
                    self.find("contact_patients", Some(patient), what);
                }
            }
        }
        Ok(())
    }

    /// Each talk is with a contact.
    pub(super) fn talks(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let contacts = snapshot.open_table(CONTACTS)?;
        for row in snapshot.open_table(CONVERSATIONS)?.iter()? {
            let (contact, talk) = row?;
            let talk = decode::<Conversation>(&CONVERSATIONS, talk.value());
            self.read("conversations", None, talk);
            self.expect_contact(&contacts, "conversations", contact.value())?;
        }
        Ok(())
    }

    /// Each code is for a patient, and whoever scanned it is a contact.
    pub(super) fn codes(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let contacts = snapshot.open_table(CONTACTS)?;
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        for row in snapshot.open_table(ENROLMENTS)?.iter()? {
            let (_, record) = row?;
            let record = decode::<EnrolmentRecord>(&ENROLMENTS, record.value());
            let Some(record) = self.read("enrolments", None, record) else {
                continue;
            };
            if slugs.get(record.patient)?.is_none() {
                let what = "a code for an unknown patient";
                self.find("enrolments", Some(record.patient), what);
            }
            if let Some(contact) = record.used_by {
                self.expect_contact(&contacts, "enrolments", contact)?;
            }
        }
        Ok(())
    }

    /// What was received is known by its key and in the order of time, by which it is forgotten.
    pub(super) fn pushes(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let times = snapshot.open_table(INBOUND_TIMES)?;
        let seen = snapshot.open_table(INBOUND_SEEN)?;
        for row in times.iter()? {
            let key = row?.0;
            let (_, push) = key.value();
            self.row("inbound_times");
            // One more that is there no longer is forgotten with its time.
            self.report.leftovers += u64::from(seen.get(push)?.is_none());
        }
        for row in seen.iter()? {
            let (key, record) = row?;
            let record = decode::<SeenRecord>(&INBOUND_SEEN, record.value());
            let record = self.read("inbound_seen", None, record);
            if let Some(record) = record
                && times.get((record.at, key.value()))?.is_none()
            {
                self.find("inbound_seen", None, "a push that would never be forgotten");
            }
        }
        Ok(())
    }

    /// Who was told of whom, whom to ring, and what strangers wrote.
    pub(super) fn desk(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let contacts = snapshot.open_table(CONTACTS)?;
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        for row in snapshot.open_table(TOLD)?.iter()? {
            let (contact, patient) = row?.0.value();
            self.row("told");
            self.expect_contact(&contacts, "told", contact)?;
            if patient != NOBODY && slugs.get(patient)?.is_none() {
                self.find("told", Some(patient), "news of an unknown patient");
            }
        }
        for row in snapshot.open_table(CALLS)?.iter()? {
            let (key, record) = row?;
            let (patient, reason) = key.value();
            let record = decode::<CallRecord>(&CALLS, record.value());
            self.read("calls", Some(patient), record);
            if slugs.get(patient)?.is_none() {
                self.find("calls", Some(patient), "an unknown patient is to be rung");
            }
            if usize::from(reason) >= CallReason::ALL.len() {
                let what = "a patient is to be rung for a reason that nobody knows";
                self.find("calls", Some(patient), what);
            }
        }
        for row in snapshot.open_table(STRANGERS)?.iter()? {
            let (_, record) = row?;
            let record = decode::<StrangerRecord>(&STRANGERS, record.value());
            if let Some(record) = self.read("strangers", None, record) {
                self.expect_contact(&contacts, "strangers", record.contact)?;
            }
        }
        Ok(())
    }

    fn expect_contact(
        &mut self,
        contacts: &impl ReadableTable<u32, &'static [u8]>,
        table: &'static str,
        contact: u32,
    ) -> Result<(), StoreError> {
        if contacts.get(contact)?.is_none() {
            let what = format!("a row of contact {contact}, which is not");
            self.find(table, None, what);
        }
        Ok(())
    }
}
