//! A person's right: what is known of a patient is removed, and what the clinic keeps of it names
//! nobody any more.
//!
//! The journal is rewritten in small steps first; the last transaction does all else, so that a
//! patient who is not wholly erased still has the name by which to go on.

use super::audit::AuditRecord;
use super::patient::Tables;
use super::records::{
    AUDIT, Address, CALLS, CONTACT_NUMBERS, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS, DELIVERIES,
    DELIVERY_TIMES, DeliveryRecord, ENROLMENTS, EnrolmentRecord, FORMER_CONTACTS, INBOUND_SEEN,
    JOURNAL, JournalRow, OUTBOX, PATIENT_IDS, PATIENT_SLUGS, PATIENTS, PLAN_HISTORY, PLANS,
    PatientRecord, PlanText, STRANGERS, SeenRecord, StrangerRecord, TOLD, UNFOLLOWED, decode,
    encode, outbox_key,
};
use super::writer::Scope;
use super::{Store, StoreError, contacts};
use crate::engine::{CallReason, Entry, PatientState};
use jiff::{SignedDuration, Timestamp};
use redb::ReadableTable;
use std::collections::BTreeSet;

/// Days of the journal that are looked at in one transaction at most.
const DAYS_PER_STEP: u32 = 400;

/// Rows of the journal that are rewritten in one transaction at most.
const ROWS_PER_STEP: usize = 500;

/// Pushes, or rows of the audit, that are looked at in one transaction at most.
const PUSHES_PER_STEP: usize = 2_000;

/// The platform repeats a push that was not answered twice, after five seconds each.
const REPEATED_FOR: SignedDuration = SignedDuration::from_secs(60);

/// What is to be done with the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalFate {
    /// Words and names go; doses, times and values stay, as those of nobody.
    Anonymous,
    /// It goes.
    Removed,
}

/// What came of erasing somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// They are erased.
    Erased(Erased),
    /// There is no such patient.
    NoPatient,
    /// Their plan is in force: it must end first.
    InForce,
    /// So many of their messages have not been settled, or questions that name them are open.
    UnderWay(usize),
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// The id by which what is left is known.
    pub known_as: String,
    /// Texts of plans.
    pub texts: u64,
    /// Rows of the journal: removed, or made anonymous.
    pub journal: u64,
    /// Contacts who answered for nobody else, each with its talk.
    pub contacts: u64,
    /// Contacts who stay, because they answer for others or are staff.
    pub contacts_kept: u64,
    /// Codes, awaited reports, places on the call list, and the like.
    pub rows: u64,
    /// They counted as somebody whom the channel cannot reach.
    pub was_unreachable: bool,
}

impl Store {
    /// Erases a patient whose plan has ended.
    ///
    /// # Errors
    /// A transaction failed. What was removed stays removed; it may be made again.
    pub async fn erase(
        &self,
        now: Timestamp,
        patient: String,
        fate: JournalFate,
    ) -> Result<Erasure, StoreError> {
        let slug = patient.clone();
        let asked = self.write(now, move |scope| match ready(scope, &slug)? {
            Ok(number) => open_lists(scope, number).map(Ok),
            Err(not) => Ok(Err(not)),
        });
        match asked.await? {
            Ok(0) => {}
            // A number that comes now would be read as an answer to something else.
            Ok(lists) => return Ok(Erasure::UnderWay(lists)),
            Err(not) => return Ok(not),
        }
        let mut journal = 0;
        let mut from = Some((0, 0));
        while let Some(start) = from {
            let slug = patient.clone();
            let step = self.write(now, move |scope| {
                let number = match ready(scope, &slug)? {
                    Ok(number) => number,
                    Err(not) => return Ok(Err(not)),
                };
                rewrite_journal(scope, number, start, fate).map(Ok)
            });
            match step.await? {
                Ok((rows, next)) => {
                    journal += rows;
                    from = next;
                }
                Err(not) => return Ok(not),
            }
        }
        let mut from = Some([0; 16]);
        while let Some(start) = from {
            let step = self.write(now, move |scope| forget_answers(scope, start));
            from = step.await?;
        }
        let mut from = Some((0, 0));
        while let Some(start) = from {
            let slug = patient.clone();
            let step = self.write(now, move |scope| match ready(scope, &slug)? {
                Ok(number) => forget_deeds(scope, (number, &slug), start).map(Ok),
                Err(not) => Ok(Err(not)),
            });
            match step.await? {
                Ok(next) => from = next,
                Err(not) => return Ok(not),
            }
        }
        self.write(now, move |scope| {
            let number = match ready(scope, &patient)? {
                Ok(number) => number,
                Err(not) => return Ok(not),
            };
            let mut erased = Erased {
                journal,
                ..Erased::default()
            };
            let record = {
                let patients = scope.transaction.open_table(PATIENTS)?;
                let row = patients.get(number)?;
                row.and_then(|row| decode::<PatientRecord>(&PATIENTS, row.value()).ok())
            };
            erased.was_unreachable = record
                .as_ref()
                .is_some_and(|record| record.state.unreachable_since.is_some());
            forget_contacts(scope, number, record.as_ref(), &mut erased)?;
            forget_rows(scope, number, &mut erased)?;
            erased.known_as = forget_name(scope, number, &patient)?;
            forget_state(scope, number, record, fate)?;
            Ok(Erasure::Erased(erased))
        })
        .await
    }
}

/// The number of a patient who can be erased; else why not.
fn ready(scope: &Scope<'_>, patient: &str) -> Result<Result<u32, Erasure>, StoreError> {
    let ids = scope.transaction.open_table(PATIENT_IDS)?;
    let Some(number) = ids.get(patient)?.map(|row| row.value()) else {
        return Ok(Err(Erasure::NoPatient));
    };
    let plans = scope.transaction.open_table(PLANS)?;
    if plans.get(number)?.is_some() {
        return Ok(Err(Erasure::InForce));
    }
    let patients = scope.transaction.open_table(PATIENTS)?;
    let record = patients.get(number)?;
    let record = record.and_then(|row| decode::<PatientRecord>(&PATIENTS, row.value()).ok());
    let outbox = scope.transaction.open_table(OUTBOX)?;
    let mut under_way = 0;
    for key in record.iter().flat_map(|record| &record.state.unsettled) {
        under_way += usize::from(outbox.get(outbox_key(number, key))?.is_some());
    }
    Ok(if under_way > 0 {
        Err(Erasure::UnderWay(under_way))
    } else {
        Ok(number)
    })
}

/// Rewrites or removes a part of a patient's journal. Returns how many rows, and where to go on.
fn rewrite_journal(
    scope: &Scope<'_>,
    patient: u32,
    (first, number): (u32, u32),
    fate: JournalFate,
) -> Result<(u64, Option<(u32, u32)>), StoreError> {
    let mut journal = scope.transaction.open_table(JOURNAL)?;
    let ends = journal.first()?.zip(journal.last()?);
    let Some((begin, last)) = ends.map(|((first, _), (last, _))| (first.value().0, last.value().0))
    else {
        return Ok((0, None));
    };
    let begin = first.max(begin);
    let mut from = if begin == first { number } else { 0 };
    let mut rewritten = 0;
    for day in begin..=last {
        if day - begin == DAYS_PER_STEP {
            return Ok((rewritten, Some((day, 0))));
        }
        let mut rows = Vec::new();
        for row in journal.range((day, patient, from)..=(day, patient, u32::MAX))? {
            let (key, row) = row?;
            rows.push((key.value().2, decode::<JournalRow>(&JOURNAL, row.value())));
            if rows.len() == ROWS_PER_STEP {
                break;
            }
        }
        from = 0;
        let is_full = rows.len() == ROWS_PER_STEP;
        let behind = rows.last().map(|(number, _)| number.saturating_add(1));
        for (number, row) in rows {
            let key = (day, patient, number);
            match row {
                Ok(row) if fate == JournalFate::Anonymous => {
                    let entries = row.entries.into_iter().map(Entry::anonymous).collect();
                    let row = JournalRow {
                        at: row.at,
                        entries,
                    };
                    journal.insert(key, encode(&row)?.as_slice())?;
                }
                // Nobody can say whose words are in a row that cannot be read.
                _ => drop(journal.remove(key)?),
            }
            rewritten += 1;
        }
        if is_full {
            return Ok((rewritten, behind.map(|behind| (day, behind))));
        }
    }
    Ok((rewritten, None))
}

/// Forgets what was answered to pushes that the platform does not repeat any more, of whomever:
/// whose they were is not kept. Returns where to go on.
fn forget_answers(scope: &Scope<'_>, from: [u8; 16]) -> Result<Option<[u8; 16]>, StoreError> {
    let mut seen = scope.transaction.open_table(INBOUND_SEEN)?;
    let before = scope.now.saturating_sub(REPEATED_FOR).unwrap_or(scope.now);
    let (mut spoken, mut last, mut count) = (Vec::new(), None, 0);
    for row in seen.range::<&[u8; 16]>(&from..)?.take(PUSHES_PER_STEP) {
        let (key, record) = row?;
        (last, count) = (Some(*key.value()), count + 1);
        let record = decode::<SeenRecord>(&INBOUND_SEEN, record.value());
        if let Ok(record) = record
            && record.answer.is_some()
            && record.at < before.as_millisecond()
        {
            let answer = None;
            spoken.push((*key.value(), SeenRecord { answer, ..record }));
        }
    }
    for (key, record) in &spoken {
        seen.insert(key, encode(record)?.as_slice())?;
    }
    let last = last.filter(|_| count == PUSHES_PER_STEP);
    let next = last.and_then(|last| u128::from_be_bytes(last).checked_add(1));
    Ok(next.map(u128::to_be_bytes))
}

/// Who of the staff saw and did what stays, as of the id by which what is left is known. Returns
/// where to go on.
fn forget_deeds(
    scope: &Scope<'_>,
    (number, patient): (u32, &str),
    from: (u32, u32),
) -> Result<Option<(u32, u32)>, StoreError> {
    let known_as = new_name(scope, number)?;
    let mut audit = scope.transaction.open_table(AUDIT)?;
    let (mut own, mut last, mut count) = (Vec::new(), None, 0);
    for row in audit.range(from..)?.take(PUSHES_PER_STEP) {
        let (key, record) = row?;
        (last, count) = (Some(key.value()), count + 1);
        let record = decode::<AuditRecord>(&AUDIT, record.value());
        if let Ok(mut record) = record
            && record.patient.as_deref() == Some(patient)
        {
            record.patient = Some(known_as.clone());
            own.push((key.value(), record));
        }
    }
    for (key, record) in &own {
        audit.insert(key, encode(record)?.as_slice())?;
    }
    let last = last.filter(|_| count == PUSHES_PER_STEP);
    Ok(last.map(|(day, number)| match number.checked_add(1) {
        Some(number) => (day, number),
        None => (day.saturating_add(1), 0),
    }))
}

/// The id by which what is left of a patient is known.
fn new_name(scope: &Scope<'_>, number: u32) -> Result<String, StoreError> {
    let ids = scope.transaction.open_table(PATIENT_IDS)?;
    let mut name = format!("erased-{number}");
    while ids.get(name.as_str())?.is_some() {
        name.push('x');
    }
    Ok(name)
}

/// Forgets whom the patient was reached through, where they answer for nobody else.
fn forget_contacts(
    scope: &mut Scope<'_>,
    number: u32,
    record: Option<&PatientRecord>,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    let mut known: BTreeSet<u32> = named_before(scope, number)?;
    if let Some(record) = record {
        known.extend(record.contacts.bound);
        known.extend(record.contacts.caregivers.iter().map(|it| it.contact));
    }
    let mut others: BTreeSet<u32> = scope
        .memory
        .desk
        .contacts
        .iter()
        .map(|(_, contact)| *contact)
        .collect();
    {
        let mut bindings = scope.transaction.open_table(CONTACT_PATIENTS)?;
        let mut own = Vec::new();
        for row in bindings.iter()? {
            let (contact, patient) = row?.0.value();
            if patient == number {
                known.insert(contact);
                own.push(contact);
            } else {
                others.insert(contact);
            }
        }
        for contact in own {
            bindings.remove((contact, number))?;
        }
    }
    // Contacts of plans over whose channel nothing comes back stand in the plans and records only.
    {
        let plans = scope.transaction.open_table(PLANS)?;
        for row in plans.iter()? {
            let head = super::records::decode_head(row?.1.value());
            others.extend(head.ok().and_then(|head| head.contact));
        }
        let patients = scope.transaction.open_table(PATIENTS)?;
        for row in patients.iter()? {
            let (patient, record) = row?;
            if patient.value() == number {
                continue;
            }
            if let Ok(record) = decode::<PatientRecord>(&PATIENTS, record.value()) {
                others.extend(record.contacts.bound);
                others.extend(record.contacts.caregivers.iter().map(|it| it.contact));
            }
        }
    }
    for contact in known {
        if others.contains(&contact) {
            erased.contacts_kept += 1;
        } else {
            forget_contact(scope, contact, erased)?;
            erased.contacts += 1;
        }
    }
    forget_in_talks(scope, number)
}

/// The contacts that the texts of the patient's plans name, by what stands there for an address,
/// those that scanned a code of the patient, and those that answered before somebody else did.
fn named_before(scope: &Scope<'_>, number: u32) -> Result<BTreeSet<u32>, StoreError> {
    let mut masks: BTreeSet<String> = BTreeSet::new();
    let history = scope.transaction.open_table(PLAN_HISTORY)?;
    for row in history.range((number, 0)..=(number, u32::MAX))? {
        if let Ok(text) = decode::<PlanText>(&PLAN_HISTORY, row?.1.value()) {
            let words = text.text.split(['"', '\'']);
            masks.extend(words.filter(|it| it.starts_with('#')).map(str::to_owned));
        }
    }
    let mut found = BTreeSet::new();
    let former = scope.transaction.open_table(FORMER_CONTACTS)?;
    for row in former.range((number, 0)..=(number, u32::MAX))? {
        found.insert(row?.0.value().1);
    }
    for row in scope.transaction.open_table(ENROLMENTS)?.iter()? {
        let code = decode::<EnrolmentRecord>(&ENROLMENTS, row?.1.value());
        let own = code.ok().filter(|code| code.patient == number);
        found.extend(own.and_then(|code| code.used_by));
    }
    if masks.is_empty() {
        return Ok(found);
    }
    for row in scope.transaction.open_table(CONTACTS)?.iter()? {
        let (contact, address) = row?;
        let Ok(address) = decode::<Address>(&CONTACTS, address.value()) else {
            continue;
        };
        if masks.contains(&contacts::mask(scope.ids, &address.address)) {
            found.insert(contact.value());
        }
    }
    Ok(found)
}

fn forget_contact(scope: &Scope<'_>, contact: u32, erased: &mut Erased) -> Result<(), StoreError> {
    let mut tables = Tables::open(scope.transaction)?;
    if let Some(address) = contacts::address_of(&tables, contact)? {
        let mut numbers = scope.transaction.open_table(CONTACT_NUMBERS)?;
        numbers.remove(address.index_key().as_str())?;
    }
    tables.contacts.remove(contact)?;
    scope
        .transaction
        .open_table(UNFOLLOWED)?
        .retain(|_, it| it != contact)?;
    scope
        .transaction
        .open_table(CONVERSATIONS)?
        .remove(contact)?;
    scope
        .transaction
        .open_table(TOLD)?
        .retain(|(it, _), _| it != contact)?;
    scope
        .transaction
        .open_table(FORMER_CONTACTS)?
        .retain(|(_, it), ()| it != contact)?;
    let mut strangers = scope.transaction.open_table(STRANGERS)?;
    let before = redb::ReadableTableMetadata::len(&strangers)?;
    strangers.retain(|_, row| {
        let row = decode::<StrangerRecord>(&STRANGERS, row);
        row.map_or(true, |row| row.contact != contact)
    })?;
    erased.rows += before - redb::ReadableTableMetadata::len(&strangers)?;
    // A code of another patient that they scanned stays; who scanned it is forgotten.
    let mut codes = scope.transaction.open_table(ENROLMENTS)?;
    let mut scanned = Vec::new();
    for row in codes.iter()? {
        let (key, code) = row?;
        let code = decode::<EnrolmentRecord>(&ENROLMENTS, code.value());
        if let Some(code) = code.ok().filter(|code| code.used_by == Some(contact)) {
            scanned.push((*key.value(), code));
        }
    }
    for (key, mut code) in scanned {
        code.used_by = None;
        code.expires = i64::MIN;
        codes.insert(&key, encode(&code)?.as_slice())?;
    }
    Ok(())
}

/// How many contacts were sent a list that names the patient, and may answer with a number.
fn open_lists(scope: &Scope<'_>, number: u32) -> Result<usize, StoreError> {
    let talks = scope.transaction.open_table(CONVERSATIONS)?;
    let mut open = 0;
    for row in talks.iter()? {
        let talk = decode::<crate::engine::Conversation>(&CONVERSATIONS, row?.1.value());
        open += usize::from(talk.is_ok_and(|talk| talk.asks_about(number, scope.now)));
    }
    Ok(open)
}

/// Those who stay have no question open that is of the patient.
fn forget_in_talks(scope: &Scope<'_>, number: u32) -> Result<(), StoreError> {
    let mut changed = Vec::new();
    {
        let talks = scope.transaction.open_table(CONVERSATIONS)?;
        for row in talks.iter()? {
            let (contact, talk) = row?;
            let talk = decode::<crate::engine::Conversation>(&CONVERSATIONS, talk.value());
            let Ok(mut talk) = talk else { continue };
            if talk.forget(number) {
                changed.push((contact.value(), talk));
            }
        }
    }
    for (contact, talk) in changed {
        contacts::save_conversation(scope, contact, &talk)?;
    }
    Ok(())
}

/// Forgets what else is filed under the patient's number.
fn forget_rows(scope: &Scope<'_>, number: u32, erased: &mut Erased) -> Result<(), StoreError> {
    let mut history = scope.transaction.open_table(PLAN_HISTORY)?;
    let texts = (number, 0)..=(number, u32::MAX);
    let mut versions = Vec::new();
    for row in history.range(texts)? {
        versions.push(row?.0.value());
    }
    for key in versions {
        history.remove(key)?;
        erased.texts += 1;
    }
    let mut told = scope.transaction.open_table(TOLD)?;
    told.retain(|(_, patient), _| patient != number)?;
    let mut former = scope.transaction.open_table(FORMER_CONTACTS)?;
    former.retain(|(patient, _), ()| patient != number)?;
    let mut calls = scope.transaction.open_table(CALLS)?;
    for reason in CallReason::ALL {
        erased.rows += u64::from(calls.remove((number, reason as u8))?.is_some());
    }
    let mut codes = scope.transaction.open_table(ENROLMENTS)?;
    let mut own = Vec::new();
    for row in codes.iter()? {
        let (key, code) = row?;
        let code = decode::<EnrolmentRecord>(&ENROLMENTS, code.value());
        if code.is_ok_and(|code| code.patient == number) {
            own.push(*key.value());
        }
    }
    for key in own {
        codes.remove(&key)?;
        erased.rows += 1;
    }
    let mut reports = scope.transaction.open_table(DELIVERIES)?;
    let mut own = BTreeSet::new();
    for row in reports.iter()? {
        let (message, record) = row?;
        let record = decode::<DeliveryRecord>(&DELIVERIES, record.value());
        if let Ok(DeliveryRecord::Taken(taken)) = record
            && taken.patient == number
        {
            own.insert(message.value());
        }
    }
    for message in &own {
        reports.remove(message)?;
        erased.rows += 1;
    }
    let mut times = scope.transaction.open_table(DELIVERY_TIMES)?;
    times.retain(|(_, message), ()| !own.contains(&message))?;
    Ok(())
}

/// Gives the number another id, which tells nothing. The number itself is never given out again.
fn forget_name(scope: &Scope<'_>, number: u32, patient: &str) -> Result<String, StoreError> {
    let name = new_name(scope, number)?;
    let mut ids = scope.transaction.open_table(PATIENT_IDS)?;
    let mut slugs = scope.transaction.open_table(PATIENT_SLUGS)?;
    ids.remove(patient)?;
    ids.insert(name.as_str(), number)?;
    slugs.insert(number, name.as_str())?;
    Ok(name)
}

/// Nothing is left of the state but where the journal goes on.
fn forget_state(
    scope: &mut Scope<'_>,
    number: u32,
    record: Option<PatientRecord>,
    fate: JournalFate,
) -> Result<(), StoreError> {
    let mut tables = Tables::open(scope.transaction)?;
    let Some(mut record) = record else {
        // It could not be read, and goes as it is; so does its wake.
        tables.patients.remove(number)?;
        tables.wakes.retain(|(_, patient), ()| patient != number)?;
        return Ok(());
    };
    record.state = PatientState::new(scope.now);
    record.contacts = super::records::Contacts::default();
    if fate == JournalFate::Anonymous {
        super::apply::journal(scope, &mut tables, number, &mut record, vec![Entry::Erased])?;
    }
    tables.save(number, &mut record, None)?;
    Ok(())
}
