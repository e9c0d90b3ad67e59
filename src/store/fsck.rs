//! Looking the whole store over, without writing: redb's own check, and what must hold between the
//! tables.

use super::open::{Options, builder, check_schema, open_error};
use super::records::{
    ATTEMPTS, Address, AttemptsRecord, CONTACT_NUMBERS, CONTACTS, DAYS, DayCounts, JOBS, JOURNAL,
    JournalRow, LaterRecord, META, OUTBOX, OUTBOX_LATER, OutboxRecord, PATIENT_IDS, PATIENT_SLUGS,
    PATIENTS, PLAN_HISTORY, PLANS, PatientRecord, PlanRecord, PlanText, WAKES, decode, outbox_key,
};
use super::{JobRun, OpenError, StoreError, ledger};
use crate::engine::{IdKey, OutboxRef};
use redb::{
    DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, StorageError,
};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// At most so many findings are kept in words; the rest is counted.
const FINDINGS_MAX: usize = 1_000;

/// Numbers from here on were given out while the count of a patient could not be read.
const BLIND: u32 = u32::MAX / 2;

/// What redb says of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Every page is as it should be.
    Whole,
    /// It is not; opening the store for writing would repair what can be repaired.
    Damaged,
    /// Not looked at: a daemon writes to the file.
    LeftOut,
}

/// Something that must hold and does not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The table.
    pub table: &'static str,
    /// The pseudonym of the patient whom it concerns.
    pub patient: Option<String>,
    /// What is wrong.
    pub what: String,
}

/// What looking the store over brought to light.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// What redb says.
    pub integrity: Integrity,
    /// What does not hold, the first thousand.
    pub findings: Vec<Finding>,
    /// How many findings there are.
    pub count: u64,
    /// Rows that are of no use any more and do no harm.
    pub leftovers: u64,
    /// Rows looked at, by table.
    pub rows: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.count == 0 && self.integrity != Integrity::Damaged
    }
}

/// Looks a store over. Nothing is written, not even a repair after a kill: that is made in memory.
///
/// Beside a running daemon the invariants are checked on a snapshot, and redb's own check is left
/// out.
///
/// # Errors
/// The store cannot be opened, or a read failed.
pub fn fsck(options: &Options) -> Result<Report, FsckError> {
    let path = &options.path;
    if is_written(path) {
        let database = builder(options)
            .open_read_only(path)
            .map_err(|error| open_error(path, error))?;
        check_schema(path, &database)?;
        return Ok(look_over(&database, Integrity::LeftOut)?);
    }
    let file = File::open(path).map_err(|error| {
        let error = DatabaseError::Storage(StorageError::Io(error));
        open_error(path, error)
    })?;
    let overlay = Overlay::over(file).map_err(|error| OpenError::Failed {
        path: path.clone(),
        why: error.to_string(),
    })?;
    // redb panics on some damaged pages. What it was looking at is then left as it is: closing it
    // might panic once more.
    let opened = catch_unwind(|| {
        redb::Builder::new()
            .set_cache_size(options.cache_bytes)
            .create_with_backend(overlay)
    });
    let Ok(opened) = opened else {
        return Ok(damaged());
    };
    let mut database = ManuallyDrop::new(opened.map_err(|error| open_error(path, error))?);
    let looked = catch_unwind(AssertUnwindSafe(|| -> Result<Report, FsckError> {
        check_schema(path, &*database)?;
        let integrity = match database.check_integrity() {
            Ok(true) => Integrity::Whole,
            Ok(false) => Integrity::Damaged,
            Err(DatabaseError::Storage(StorageError::Corrupted(_))) => return Ok(damaged()),
            Err(error) => return Err(open_error(path, error).into()),
        };
        Ok(look_over(&*database, integrity)?)
    }));
    match looked {
        Ok(report) => {
            drop(ManuallyDrop::into_inner(database));
            report
        }
        Err(_) => Ok(damaged()),
    }
}

/// The report of a file of which so much is damaged that its tables cannot be looked at.
fn damaged() -> Report {
    Report {
        integrity: Integrity::Damaged,
        findings: Vec::new(),
        count: 0,
        leftovers: 0,
        rows: BTreeMap::new(),
    }
}

/// Why a store cannot be looked over.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] StoreError),
}

/// Whether a process holds the file for writing, as the kernel lists it.
fn is_written(path: &Path) -> bool {
    let Ok(inode) = std::fs::metadata(path).map(|file| file.ino()) else {
        return false;
    };
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else {
        return false;
    };
    let end = format!(":{inode}");
    locks.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.any(|word| word == "WRITE") && words.any(|word| word.ends_with(&end))
    })
}

/// Storage that begins as a file and keeps what is written in memory.
#[derive(Debug)]
struct Overlay {
    file: File,
    inner: Mutex<Written>,
}

/// Pages written since, by their number, and the length.
#[derive(Debug)]
struct Written {
    length: u64,
    /// Beyond this the file holds nothing of use: it was cut there.
    from_file: u64,
    pages: HashMap<u64, Box<[u8]>>,
}

const PAGE: u64 = 4096;

impl Overlay {
    fn over(file: File) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            file,
            inner: Mutex::new(Written {
                length,
                from_file: length,
                pages: HashMap::new(),
            }),
        })
    }

    /// The file's page, zeros beyond its end.
    fn original(&self, number: u64, from_file: u64) -> std::io::Result<Box<[u8]>> {
        let mut page = vec![0; PAGE as usize];
        let start = number * PAGE;
        let known = from_file.saturating_sub(start).min(PAGE) as usize;
        self.file.read_exact_at(&mut page[..known], start)?;
        Ok(page.into())
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(self
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if offset + out.len() as u64 > inner.length {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let (number, within) = (at / PAGE, (at % PAGE) as usize);
            let count = (PAGE as usize - within).min(out.len() - done);
            let part = &mut out[done..done + count];
            if let Some(page) = inner.pages.get(&number) {
                part.copy_from_slice(&page[within..within + count]);
            } else {
                let page = self.original(number, inner.from_file)?;
                part.copy_from_slice(&page[within..within + count]);
            }
            done += count;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), std::io::Error> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if length < inner.length {
            let last = length / PAGE;
            inner.from_file = inner.from_file.min(length);
            inner.pages.retain(|number, _| *number <= last);
            if let Some(page) = inner.pages.get_mut(&last) {
                page[(length % PAGE) as usize..].fill(0);
            }
        }
        inner.length = length;
        Ok(())
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let from_file = inner.from_file;
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let (number, within) = (at / PAGE, (at % PAGE) as usize);
            let count = (PAGE as usize - within).min(data.len() - done);
            let page = match inner.pages.entry(number) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => {
                    new.insert(self.original(number, from_file)?)
                }
            };
            page[within..within + count].copy_from_slice(&data[done..done + count]);
            done += count;
        }
        inner.length = inner.length.max(offset + data.len() as u64);
        Ok(())
    }
}

fn look_over(database: &impl ReadableDatabase, integrity: Integrity) -> Result<Report, StoreError> {
    let snapshot = database.begin_read()?;
    let mut examination = Examination {
        ids: super::read::id_key(&snapshot).ok(),
        report: Report {
            integrity,
            findings: Vec::new(),
            count: 0,
            leftovers: 0,
            rows: BTreeMap::new(),
        },
    };
    examination.meta(&snapshot)?;
    examination.names(&snapshot)?;
    examination.contacts(&snapshot)?;
    examination.history(&snapshot)?;
    examination.plans(&snapshot)?;
    let outbox = examination.outbox(&snapshot)?;
    let known = examination.patients(&snapshot, &outbox)?;
    examination.wakes(&snapshot, &known)?;
    examination.attempts(&snapshot, &outbox)?;
    examination.journal(&snapshot, &known)?;
    examination.counts(&snapshot)?;
    Ok(examination.report)
}

/// The examination under way.
struct Examination {
    ids: Option<IdKey>,
    report: Report,
}

/// What is known of the patients whose records can be read.
#[derive(Default)]
struct Patients {
    wakes: HashMap<u32, Option<i64>>,
    journal_next: HashMap<u32, u32>,
    unreadable: HashSet<u32>,
}

/// Messages in the outbox, with the patient of each.
type Outbox = HashMap<OutboxRef, u32>;

impl Examination {
    fn row(&mut self, table: &'static str) {
        *self.report.rows.entry(table).or_default() += 1;
    }

    fn find(&mut self, table: &'static str, patient: Option<u32>, what: impl Into<String>) {
        self.report.count += 1;
        if self.report.findings.len() < FINDINGS_MAX {
            let pseudonym = |ids: &IdKey| patient.map(|it| super::read::pseudonym(ids, it));
            let patient = self.ids.as_ref().and_then(pseudonym);
            let what = what.into();
            let finding = Finding {
                table,
                patient,
                what,
            };
            self.report.findings.push(finding);
        }
    }

    /// The record, or a finding.
    fn read<T: DeserializeOwned>(
        &mut self,
        table: &'static str,
        patient: Option<u32>,
        record: Result<T, StoreError>,
    ) -> Option<T> {
        self.row(table);
        if record.is_err() {
            self.find(table, patient, "the record cannot be read");
        }
        record.ok()
    }

    fn meta(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let meta = snapshot.open_table(META)?;
        for row in meta.iter()? {
            let (name, value) = row?;
            self.row("meta");
            let length = match name.value() {
                "schema" => Some(4),
                "id_key" => Some(32),
                "last_seen" | "set_back_from" | "accepted_at" => Some(8),
                _ => None,
            };
            if length.is_some_and(|length| value.value().len() != length) {
                let what = format!("the row {} has a wrong length", name.value());
                self.find("meta", None, what);
            }
        }
        if self.ids.is_none() {
            self.find("meta", None, "the key of ids is missing");
        }
        if ledger::read(snapshot)?.is_none() {
            self.find("meta", None, "the ledger of what has left cannot be read");
        }
        Ok(())
    }

    /// Ids and numbers name each other.
    fn names(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
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

    /// Addresses and numbers name each other.
    fn contacts(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        let contacts = snapshot.open_table(CONTACTS)?;
        let numbers = snapshot.open_table(CONTACT_NUMBERS)?;
        for row in contacts.iter()? {
            let (number, record) = row?;
            let address = decode::<Address>(&CONTACTS, record.value());
            let Some(address) = self.read("contacts", None, address) else {
                continue;
            };
            if address.address.is_empty() {
                // Deleted: its owner does not follow any more.
                continue;
            }
            let back = numbers.get(address.index_key().as_str())?;
            if back.is_none_or(|back| back.value() != number.value()) {
                let what = format!("the address of contact {} has another", number.value());
                self.find("contacts", None, what);
            }
        }
        for row in numbers.iter()? {
            let (_, number) = row?;
            self.row("contact_numbers");
            if contacts.get(number.value())?.is_none() {
                let what = format!(
                    "an address has the contact {}, which is not",
                    number.value()
                );
                self.find("contact_numbers", None, what);
            }
        }
        Ok(())
    }

    fn history(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
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
    fn plans(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
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

    /// Each message names a patient and a contact that exist, and lies where its key says.
    fn outbox(&mut self, snapshot: &ReadTransaction) -> Result<Outbox, StoreError> {
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
            if outbox_key(&record.message.key) != key.value() {
                self.find("outbox", patient, "a message lies under another key");
            }
            if slugs.get(record.patient)?.is_none() {
                self.find("outbox", patient, "a message of an unknown patient");
            }
            if contacts.get(record.contact)?.is_none() {
                self.find("outbox", patient, "a message to an unknown contact");
            }
            outbox.insert(record.message.key, record.patient);
        }
        Ok(outbox)
    }

    /// Each state has an id and its row in the wake queue, and each message in the outbox is one
    /// that its patient waits for.
    fn patients(
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
        for (key, patient) in outbox {
            if !awaited.contains(key) && !known.unreadable.contains(patient) {
                let what = "a message that its patient does not wait for";
                self.find("outbox", Some(*patient), what);
            }
        }
        Ok(known)
    }

    /// One row a patient, and it is the one that the patient's record names.
    fn wakes(&mut self, snapshot: &ReadTransaction, known: &Patients) -> Result<(), StoreError> {
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

    /// What was tried is readable; rows of messages that are settled are left over.
    fn attempts(&mut self, snapshot: &ReadTransaction, outbox: &Outbox) -> Result<(), StoreError> {
        for row in snapshot.open_table(ATTEMPTS)?.iter()? {
            let (_, record) = row?;
            let record = decode::<AttemptsRecord>(&ATTEMPTS, record.value());
            let Some(record) = self.read("attempts", None, record) else {
                continue;
            };
            let of_outbox = |(key, _): &(OutboxRef, _)| outbox.contains_key(key);
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

    /// Each row has a number of its own, below the patient's next one.
    fn journal(&mut self, snapshot: &ReadTransaction, known: &Patients) -> Result<(), StoreError> {
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

    fn counts(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        for row in snapshot.open_table(DAYS)?.iter()? {
            let counts = decode::<DayCounts>(&DAYS, row?.1.value());
            self.read("days", None, counts);
        }
        for row in snapshot.open_table(JOBS)?.iter()? {
            let run = decode::<JobRun>(&JOBS, row?.1.value());
            self.read("jobs", None, run);
        }
        Ok(())
    }
}
