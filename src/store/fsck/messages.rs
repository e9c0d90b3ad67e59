//! Messages: those that are to leave, their tries, and the reports on those that have left.

use super::super::StoreError;
use super::super::records::{
    ATTEMPTS, AttemptsRecord, CONTACTS, DELIVERIES, DELIVERY_TIMES, DeliveryRecord, LaterRecord,
    OUTBOX, OUTBOX_LATER, OutboxRecord, PATIENT_SLUGS, decode, outbox_key,
};
use super::Examination;
use crate::engine::{NOBODY, OutboxRef};
use redb::{ReadTransaction, ReadableTable};
use std::collections::{HashMap, HashSet};

/// Messages in the outbox, with the patient of each.
pub(super) type Outbox = HashMap<OutboxRef, u32>;

impl Examination {
    /// Each message names a patient and a contact that exist, and lies where its key says.
    pub(super) fn outbox(&mut self, snapshot: &ReadTransaction) -> Result<Outbox, StoreError> {
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        let contacts = snapshot.open_table(CONTACTS)?;
        let mut outbox = Outbox::new();
        for row in snapshot.open_table(OUTBOX)?.iter()? {
            let (key, record) = row?;
            let record = decode::<OutboxRecord>(&OUTBOX, record.value());
            let Some(record) = self.read("outbox", None, record) else {
                continue;
            };
            let patient = Some(record.patient);
            if outbox_key(record.patient, &record.message.key) != key.value() {
                self.find("outbox", patient, "a message lies under another key");
            }
            if record.patient != NOBODY && slugs.get(record.patient)?.is_none() {
                self.find("outbox", patient, "a message of an unknown patient");
            }
            if contacts.get(record.contact)?.is_none() {
                self.find("outbox", patient, "a message to an unknown contact");
            }
            outbox.insert(record.message.key, record.patient);
        }
        Ok(outbox)
    }

    /// What was tried is readable; rows of messages that are settled are left over.
    pub(super) fn attempts(
        &mut self,
        snapshot: &ReadTransaction,
        outbox: &Outbox,
    ) -> Result<(), StoreError> {
        for row in snapshot.open_table(ATTEMPTS)?.iter()? {
            let (_, record) = row?;
            let record = decode::<AttemptsRecord>(&ATTEMPTS, record.value());
            let Some(record) = self.read("attempts", None, record) else {
                continue;
            };
            let of_outbox = |(_, key, _): &(u32, OutboxRef, _)| outbox.contains_key(key);
            self.report.leftovers += u64::from(!record.messages.iter().any(of_outbox));
        }
        for row in snapshot.open_table(OUTBOX_LATER)?.iter()? {
            let (key, record) = row?;
            let id = *key.value().1;
            let record = decode::<LaterRecord>(&OUTBOX_LATER, record.value());
            let Some(record) = self.read("outbox_later", None, record) else {
                continue;
            };
            if record.key.id.0 != id {
                self.find("outbox_later", None, "a row that names another message");
            }
            self.report.leftovers += u64::from(!outbox.contains_key(&record.key));
        }
        Ok(())
    }

    /// Each message of which a report is awaited, and each report of a message, is of a patient
    /// and has its row in the order of time, by which it is forgotten.
    pub(super) fn deliveries(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        let reports = snapshot.open_table(DELIVERIES)?;
        let mut timed: HashSet<i64> = HashSet::new();
        for row in snapshot.open_table(DELIVERY_TIMES)?.iter()? {
            let (_, number) = row?.0.value();
            self.row("delivery_times");
            timed.insert(number);
            // Of those that were joined the time is left; it goes with the others of its age.
            self.report.leftovers += u64::from(reports.get(number)?.is_none());
        }
        for row in reports.iter()? {
            let (number, record) = row?;
            let record = decode::<DeliveryRecord>(&DELIVERIES, record.value());
            let record = self.read("deliveries", None, record);
            if let Some(DeliveryRecord::Taken(taken)) = record
                && taken.patient != NOBODY
                && slugs.get(taken.patient)?.is_none()
            {
                let patient = Some(taken.patient);
                self.find("deliveries", patient, "a message of an unknown patient");
            }
            if !timed.contains(&number.value()) {
                self.find("deliveries", None, "a row that would never be forgotten");
            }
        }
        Ok(())
    }
}
