//! Looking the whole store over, without writing: redb's own check, and what must hold between the
//! tables.

mod messages;
mod overlay;
mod patients;
mod people;

use super::accounts::Account;
use super::audit::AuditRecord;
use super::open::{Options, builder, check_schema, open_error};
use super::records::{ACCOUNTS, AUDIT, ClockMark, DAYS, DayCounts, JOBS, META, decode, present};
use super::{JobRun, OpenError, StoreError, ledger};
use crate::engine::IdKey;
use overlay::Overlay;
use redb::{DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageError};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// At most so many findings are kept in words; the rest is counted.
const FINDINGS_MAX: usize = 1_000;

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
    let opened = match opened {
        // It is a store, and so much of it is missing that it does not open.
        Err(DatabaseError::Storage(StorageError::Corrupted(_))) => return Ok(damaged()),
        opened => opened.map_err(|error| open_error(path, error))?,
    };
    let mut database = ManuallyDrop::new(opened);
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
    examination.history(&snapshot)?;
    examination.plans(&snapshot)?;
    let outbox = examination.outbox(&snapshot)?;
    let known = examination.patients(&snapshot, &outbox)?;
    examination.wakes(&snapshot, &known)?;
    examination.attempts(&snapshot, &outbox)?;
    examination.deliveries(&snapshot)?;
    examination.journal(&snapshot, &known)?;
    examination.contacts(&snapshot)?;
    examination.bindings(&snapshot)?;
    examination.former(&snapshot)?;
    examination.bound(&snapshot)?;
    examination.talks(&snapshot)?;
    examination.codes(&snapshot)?;
    examination.pushes(&snapshot)?;
    examination.desk(&snapshot)?;
    examination.counts(&snapshot)?;
    Ok(examination.report)
}

/// The examination under way.
struct Examination {
    ids: Option<IdKey>,
    report: Report,
}

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
                "set_ahead" => Some(16),
                _ => None,
            };
            if name.value() == "clock_mark" && decode::<ClockMark>(&META, value.value()).is_err() {
                self.find("meta", None, "the row clock_mark cannot be read");
            }
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

    fn counts(&mut self, snapshot: &ReadTransaction) -> Result<(), StoreError> {
        for row in snapshot.open_table(DAYS)?.iter()? {
            let counts = decode::<DayCounts>(&DAYS, row?.1.value());
            self.read("days", None, counts);
        }
        for row in snapshot.open_table(JOBS)?.iter()? {
            let run = decode::<JobRun>(&JOBS, row?.1.value());
            self.read("jobs", None, run);
        }
        if let Some(accounts) = present(snapshot.open_table(ACCOUNTS))? {
            for row in accounts.iter()? {
                let account = decode::<Account>(&ACCOUNTS, row?.1.value());
                self.read("accounts", None, account);
            }
        }
        if let Some(audit) = present(snapshot.open_table(AUDIT))? {
            for row in audit.iter()? {
                let deed = decode::<AuditRecord>(&AUDIT, row?.1.value());
                self.read("audit", None, deed);
            }
        }
        Ok(())
    }
}
