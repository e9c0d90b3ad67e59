//! Patients: their names, plans, states, wakes and journals.

use super::super::StoreError;
use super::super::records::{
    CONTACTS, JOURNAL, JournalRow, PATIENT_IDS, PATIENT_SLUGS, PATIENTS, PLAN_HISTORY, PLANS,
    PatientRecord, PlanRecord, PlanText, WAKES, decode,
};
use super::Examination;
use super::messages::Outbox;
use crate::engine::{NOBODY, OutboxRef};
use redb::{ReadTransaction, ReadableTable};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// Numbers from here on were given out while the count of a patient could not be read.
const BLIND: u32 = u32::MAX / 2;

/// What is known of the patients whose records can be read.
#[derive(Default)]
pub(super) struct Patients {
    wakes: HashMap<u32, Option<i64>>,
    journal_next: HashMap<u32, u32>,
    unreadable: HashSet<u32>,
}

impl Examination {
    /// Ids and numbers name each other.
    pub(super) fn names(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let ids = snapshot.open_table(PATIENT_IDS)?;
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        for row in ids.iter()? {
            let (slug, number) = row?;
            self.row("patient_ids");
            let back = slugs.get(number.value())?;
            if back.is_none_or(|back| back.value() != slug.value()) {
                let what = "an id has a number that does not name it";
                self.find("patient_ids", Some(number.value()), what);
            }
        }
        for row in slugs.iter()? {
            let (number, slug) = row?;
            self.row("patient_slugs");
            let back = ids.get(slug.value())?;
            if back.is_none_or(|back| back.value() != number.value()) {
                let what = "a number has an id that does not name it";
                self.find("patient_slugs", Some(number.value()), what);
            }
        }
        Ok(())
    }

    pub(super) fn history(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        for row in snapshot.open_table(PLAN_HISTORY)?.iter()? {
            let (key, record) = row?;
            let (patient, _) = key.value();
            let text = decode::<PlanText>(&PLAN_HISTORY, record.value());
            self.read("plan_history", Some(patient), text);
            if slugs.get(patient)?.is_none() {
                self.find(
                    "plan_history",
                    Some(patient),
                    "a text of an unknown patient",
                );
            }
        }
        Ok(())
    }

    /// Each plan in force has a patient with an id and a state, a contact that exists, and is the
    /// last of its history.
    pub(super) fn plans(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        let patients = snapshot.open_table(PATIENTS)?;
        let contacts = snapshot.open_table(CONTACTS)?;
        let history = snapshot.open_table(PLAN_HISTORY)?;
        for row in snapshot.open_table(PLANS)?.iter()? {
            let (number, record) = row?;
            let patient = number.value();
            if slugs.get(patient)?.is_none() {
                self.find("plans", Some(patient), "a plan of an unknown patient");
            }
            if patients.get(patient)?.is_none() {
                self.find("plans", Some(patient), "a plan in force without a state");
            }
            let plan = decode::<PlanRecord>(&PLANS, record.value());
            let Some(plan) = self.read("plans", Some(patient), plan) else {
                continue;
            };
            if let Some(contact) = plan.head.contact
                && contacts.get(contact)?.is_none()
            {
                self.find("plans", Some(patient), "its contact does not exist");
            }
            let last = history
                .range((patient, 0)..=(patient, u32::MAX))?
                .next_back();
            let last = last.transpose()?.map(|(key, _)| key.value().1);
            if last != Some(plan.head.version) {
                let mut what = format!("version {} is in force, ", plan.head.version);
                let _ = match last {
                    Some(last) => write!(what, "and the last of its history is {last}"),
                    None => write!(what, "and it has no history"),
                };
                self.find("plans", Some(patient), what);
            }
        }
        Ok(())
    }

    /// Each state has an id and its row in the wake queue, and each message in the outbox is one
    /// that its patient waits for.
    pub(super) fn patients(
        &mut self,
        snapshot: &ReadTransaction,
        outbox: &Outbox,
    ) -> Result<Patients, StoreError> {
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        let wakes = snapshot.open_table(WAKES)?;
        let mut known = Patients::default();
        let mut awaited: HashSet<OutboxRef> = HashSet::new();
        for row in snapshot.open_table(PATIENTS)?.iter()? {
            let (number, record) = row?;
            let patient = number.value();
            if slugs.get(patient)?.is_none() {
                self.find("patients", Some(patient), "a state of an unknown patient");
            }
            let record = decode::<PatientRecord>(&PATIENTS, record.value());
            let Some(record) = self.read("patients", Some(patient), record) else {
                known.unreadable.insert(patient);
                continue;
            };
            if let Some(wake_at) = record.wake_at
                && wakes.get((wake_at, patient))?.is_none()
            {
                let what = "the patient has a wake that is not in the queue";
                self.find("wakes", Some(patient), what);
            }
            known.wakes.insert(patient, record.wake_at);
            known.journal_next.insert(patient, record.journal_next);
            let of_outbox = |key: &&OutboxRef| outbox.get(*key) == Some(&patient);
            awaited.extend(record.state.unsettled.iter().filter(of_outbox));
        }
        for (key, patient) in outbox.iter().filter(|(_, patient)| **patient != NOBODY) {
            if !awaited.contains(key) && !known.unreadable.contains(patient) {
                let what = "a message that its patient does not wait for";
                self.find("outbox", Some(*patient), what);
            }
        }
        Ok(known)
    }

    /// One row a patient, and it is the one that the patient's record names.
    pub(super) fn wakes(
        &mut self,
        snapshot: &ReadTransaction,
        known: &Patients,
    ) -> Result<(), StoreError> {
        for row in snapshot.open_table(WAKES)?.iter()? {
            let (at, patient) = row?.0.value();
            self.row("wakes");
            if known.unreadable.contains(&patient) {
                // It is looked at again and again until its record is mended.
                continue;
            }
            if known.wakes.get(&patient) != Some(&Some(at)) {
                self.find(
                    "wakes",
                    Some(patient),
                    "a wake that its patient does not have",
                );
            }
        }
        Ok(())
    }

    /// Each row has a number of its own, below the patient's next one.
    pub(super) fn journal(
        &mut self,
        snapshot: &ReadTransaction,
        known: &Patients,
    ) -> Result<(), StoreError> {
        #[derive(Default)]
        struct Numbers {
            count: u64,
            least: Option<u32>,
            most: u32,
        }
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        let mut numbers: HashMap<u32, Numbers> = HashMap::new();
        for row in snapshot.open_table(JOURNAL)?.iter()? {
            let (key, record) = row?;
            let (_, patient, number) = key.value();
            let record = decode::<JournalRow>(&JOURNAL, record.value());
            self.read("journal", Some(patient), record);
            if number >= BLIND {
                continue;
            }
            let of_patient = numbers.entry(patient).or_default();
            of_patient.count += 1;
            of_patient.least = Some(of_patient.least.map_or(number, |least| least.min(number)));
            of_patient.most = of_patient.most.max(number);
        }
        for (patient, of_patient) in numbers {
            if slugs.get(patient)?.is_none() {
                self.find("journal", Some(patient), "a journal of an unknown patient");
            }
            let span = u64::from(of_patient.most - of_patient.least.unwrap_or(0)) + 1;
            if of_patient.count > span {
                self.find("journal", Some(patient), "a number was given out twice");
            }
            let next = known.journal_next.get(&patient);
            if next.is_some_and(|next| of_patient.most >= *next) {
                let what = "a number is not below the one that is given out next";
                self.find("journal", Some(patient), what);
            }
        }
        Ok(())
    }
}
