//! Very many patients at once, for measuring what they cost: copies of a few.

use super::records::{
    Address, CONTACT_NUMBERS, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS, JOURNAL, PATIENT_IDS,
    PATIENT_SLUGS, PATIENTS, PLAN_HISTORY, PLANS, PatientRecord, PlanRecord, WAKES, decode, encode,
};
use super::writer::Scope;
use super::{Store, StoreError};
use jiff::Timestamp;
use redb::{Key, ReadableTable, TableDefinition, Value};
use std::borrow::Borrow;
use std::cmp::Ordering;

/// Copies made in one transaction.
const STEP: u32 = 200_000;

/// All that the store has of a patient whose plan was applied, and to whom nothing has happened.
struct Original {
    plan: PlanRecord,
    patient: Vec<u8>,
    wake_at: Option<i64>,
    history: Vec<u8>,
    journal: Vec<((u32, u32), Vec<u8>)>,
    address: Address,
    role: Option<Vec<u8>>,
    talk: Option<Vec<u8>>,
}

impl Store {
    /// Makes so many copies of patients, in turns, each with a contact of its own. For benches:
    /// rows are written in the order of their keys, and nobody is stepped.
    ///
    /// # Errors
    /// A transaction failed, or one of the patients is not there or has no contact of its own.
    #[doc(hidden)]
    pub async fn populate(
        &self,
        now: Timestamp,
        patients: Vec<String>,
        copies: u32,
    ) -> Result<(), StoreError> {
        let mut made = 0;
        while made < copies {
            let count = STEP.min(copies - made);
            let patients = patients.clone();
            self.write(now, move |scope| {
                let originals = patients.iter().map(|slug| Original::read(scope, slug));
                let originals: Vec<Original> = originals.collect::<Result<_, _>>()?;
                write(scope, &originals, count)
            })
            .await?;
            made += count;
        }
        Ok(())
    }
}

impl Original {
    fn read(scope: &Scope<'_>, slug: &str) -> Result<Self, StoreError> {
        let transaction = scope.transaction;
        let absent = || StoreError::Storage(format!("{slug} is not there to be copied"));
        let ids = transaction.open_table(PATIENT_IDS)?;
        let number = ids.get(slug)?.map(|row| row.value()).ok_or_else(absent)?;
        let plan: Option<PlanRecord> = bytes(scope, PLANS, number)?
            .map(|row| decode(&PLANS, &row))
            .transpose()?;
        let plan = plan.ok_or_else(absent)?;
        let contact = plan.head.contact.ok_or_else(absent)?;
        let patient = bytes(scope, PATIENTS, number)?.ok_or_else(absent)?;
        let record: PatientRecord = decode(&PATIENTS, &patient)?;
        let mut journal = Vec::new();
        let rows = transaction.open_table(JOURNAL)?;
        for row in rows.iter()? {
            let (key, entries) = row?;
            let (day, patient, seq) = key.value();
            match patient.cmp(&number) {
                Ordering::Less => {}
                Ordering::Equal => journal.push(((day, seq), entries.value().to_vec())),
                Ordering::Greater => break,
            }
        }
        let address = bytes(scope, CONTACTS, contact)?.ok_or_else(absent)?;
        Ok(Self {
            plan,
            patient,
            wake_at: record.wake_at,
            history: bytes(scope, PLAN_HISTORY, (number, 1))?.ok_or_else(absent)?,
            journal,
            address: decode(&CONTACTS, &address)?,
            role: bytes(scope, CONTACT_PATIENTS, (contact, number))?,
            talk: bytes(scope, CONVERSATIONS, contact)?,
        })
    }
}

/// One row.
fn bytes<'k, K: Key + 'static>(
    scope: &Scope<'_>,
    table: TableDefinition<'static, K, &'static [u8]>,
    key: impl Borrow<K::SelfType<'k>>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let table = scope.transaction.open_table(table)?;
    let row = table.get(key)?;
    Ok(row.map(|row| row.value().to_vec()))
}

/// The number after the last one of a table.
fn next<V: Value + 'static>(
    scope: &Scope<'_>,
    table: TableDefinition<'static, u32, V>,
) -> Result<u32, StoreError> {
    let table = scope.transaction.open_table(table)?;
    Ok(table.last()?.map_or(1, |(last, _)| last.value() + 1))
}

/// Writes `count` further copies, table by table.
fn write(scope: &Scope<'_>, originals: &[Original], count: u32) -> Result<(), StoreError> {
    let transaction = scope.transaction;
    let first = next(scope, PATIENT_SLUGS)?;
    let first_contact = next(scope, CONTACTS)?;
    let copies = || {
        (0..count).map(|at| {
            let original = &originals[at as usize % originals.len()];
            (first + at, first_contact + at, original)
        })
    };
    let slug = |number: u32| format!("c{number:09}");
    let address = |number: u32, original: &Original| Address {
        channel: original.address.channel.clone(),
        address: format!("oc{number:026}"),
    };
    let mut table = transaction.open_table(PATIENT_IDS)?;
    for (number, _, _) in copies() {
        table.insert(slug(number).as_str(), number)?;
    }
    let mut table = transaction.open_table(PATIENT_SLUGS)?;
    for (number, _, _) in copies() {
        table.insert(number, slug(number).as_str())?;
    }
    let mut table = transaction.open_table(PLANS)?;
    for (number, contact, original) in copies() {
        let mut head = original.plan.head.clone();
        head.contact = Some(contact);
        let row = (&head, &original.plan.plan);
        table.insert(number, encode(&row)?.as_slice())?;
    }
    let mut table = transaction.open_table(PATIENTS)?;
    for (number, _, original) in copies() {
        table.insert(number, original.patient.as_slice())?;
    }
    let mut table = transaction.open_table(WAKES)?;
    let mut wakes: Vec<(i64, u32)> = copies()
        .filter_map(|(number, _, original)| Some((original.wake_at?, number)))
        .collect();
    wakes.sort_unstable();
    for wake in wakes {
        table.insert(wake, ())?;
    }
    let mut table = transaction.open_table(PLAN_HISTORY)?;
    for (number, _, original) in copies() {
        table.insert((number, 1), original.history.as_slice())?;
    }
    let mut table = transaction.open_table(JOURNAL)?;
    for (number, _, original) in copies() {
        for ((day, seq), entries) in &original.journal {
            table.insert((*day, number, *seq), entries.as_slice())?;
        }
    }
    let mut table = transaction.open_table(CONTACTS)?;
    for (number, contact, original) in copies() {
        let record = encode(&address(number, original))?;
        table.insert(contact, record.as_slice())?;
    }
    let mut table = transaction.open_table(CONTACT_NUMBERS)?;
    for (number, contact, original) in copies() {
        let key = address(number, original).index_key();
        table.insert(key.as_str(), contact)?;
    }
    let mut table = transaction.open_table(CONTACT_PATIENTS)?;
    for (number, contact, original) in copies() {
        if let Some(role) = &original.role {
            table.insert((contact, number), role.as_slice())?;
        }
    }
    let mut table = transaction.open_table(CONVERSATIONS)?;
    for (_, contact, original) in copies() {
        if let Some(talk) = &original.talk {
            table.insert(contact, talk.as_slice())?;
        }
    }
    Ok(())
}
