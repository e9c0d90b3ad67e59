//! A copy of a store that is in use: consistent, verified, in place as a whole or not at all.
//!
//! The days of the journal that are over do not change: they are copied page by page from
//! snapshots of short life, since a snapshot that is held lets the file of a busy daemon grow. All
//! else is copied from one snapshot: the moment of the backup.

use super::open::{Options, builder, check_schema};
use super::read::Reader;
use super::records::{
    ACCOUNTS, ATTEMPTS, AUDIT, CALLS, CONTACT_NUMBERS, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS,
    DAYS, DELIVERIES, DELIVERY_TIMES, ENROLMENTS, FORMER_CONTACTS, INBOUND_SEEN, INBOUND_TIMES,
    JOBS, JOURNAL, META, OUTBOX, OUTBOX_LATER, PATIENT_IDS, PATIENT_SLUGS, PATIENTS, PLAN_HISTORY,
    PLANS, STRANGERS, TOLD, UNFOLLOWED, WAKES, present,
};
use super::{OpenError, StoreError};
use jiff::Timestamp;
use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, TableHandle, Value, WriteTransaction,
};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The row of `meta` that only a backup has: the moment at which it was made, ms.
pub(super) const BACKUP_AT: &str = "backup_at";

/// A backup that is being made; the number of the process follows.
const TEMPORARY: &str = ".dosed-backup-creating-";

/// Rows of the journal that are copied from one snapshot.
const ROWS_PER_PAGE: usize = 20_000;

/// The last days of the journal are copied with all else.
const DAYS_THAT_CHANGE: u32 = 2;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The moment at which it was made.
    pub at: Timestamp,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// The size of the file.
    pub bytes: u64,
}

impl Backup {
    /// Rows of all tables.
    #[must_use]
    pub fn rows_in_all(&self) -> u64 {
        self.rows.values().sum()
    }

    /// How many patients it knows.
    #[must_use]
    pub fn patients(&self) -> u64 {
        self.rows.get(PATIENT_SLUGS.name()).copied().unwrap_or(0)
    }
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place is not one for a backup.
    #[error("{0}: that is the store itself")]
    Itself(PathBuf),
    /// The file cannot be made.
    #[error("{path}: the backup cannot be made: {error}")]
    Create {
        /// Where.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Reading the store, or writing the copy, failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The copy was opened and is not what was copied.
    #[error("the copy is not what was copied: {0}")]
    Differs(String),
    /// There was no time for it.
    #[error("it was given up")]
    GivenUp,
}

macro_rules! storage_error {
    ($($source:ty),*) => {$(
        impl From<$source> for BackupError {
            fn from(error: $source) -> Self {
                BackupError::Store(error.into())
            }
        }
    )*};
}

storage_error!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::DatabaseError
);

/// How far a backup is: rows copied and rows in all. It goes on as long as this says so.
pub type GoOn<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

impl Reader {
    /// Copies the store to a file, which is replaced as a whole if it exists.
    ///
    /// # Errors
    /// See [`BackupError`]; the file is then as it was.
    pub fn backup(
        &self,
        store: &Path,
        to: &Path,
        now: Timestamp,
        go_on: GoOn<'_>,
    ) -> Result<Backup, BackupError> {
        let create = |error: io::Error| BackupError::Create {
            path: to.to_path_buf(),
            error,
        };
        if is_same_file(store, to) {
            return Err(BackupError::Itself(to.to_path_buf()));
        }
        let directory = match to.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if to.file_name().is_none() {
            return Err(create(io::ErrorKind::InvalidInput.into()));
        }
        super::open::remove_leftovers(directory, OsStr::new(TEMPORARY));
        let temporary = directory.join(format!("{TEMPORARY}{}", std::process::id()));
        // One of this process that was given up.
        let _ = fs::remove_file(&temporary);
        let made = self.copy_to(&temporary, now, go_on).and_then(|backup| {
            fs::rename(&temporary, to).map_err(create)?;
            File::open(directory)
                .and_then(|it| it.sync_all())
                .map_err(create)?;
            Ok(backup)
        });
        if made.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        made
    }

    fn copy_to(
        &self,
        temporary: &Path,
        now: Timestamp,
        go_on: GoOn<'_>,
    ) -> Result<Backup, BackupError> {
        let create = |error: io::Error| BackupError::Create {
            path: temporary.to_path_buf(),
            error,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(temporary)
            .map_err(create)?;
        let options = Options {
            path: temporary.to_path_buf(),
            cache_bytes: 16 << 20,
        };
        let backend = redb::backends::FileBackend::new(file)?;
        let copy = builder(&options).create_with_backend(backend)?;
        let rows = self.copy_rows(&copy, now, go_on)?;
        drop(copy);
        let file = File::open(temporary).map_err(create)?;
        file.sync_all().map_err(create)?;
        verify(&options, &rows)?;
        Ok(Backup {
            at: now,
            rows,
            bytes: file.metadata().map_err(create)?.len(),
        })
    }

    /// Returns how many rows each table of the copy has.
    fn copy_rows(
        &self,
        copy: &Database,
        now: Timestamp,
        go_on: GoOn<'_>,
    ) -> Result<BTreeMap<String, u64>, BackupError> {
        let all = rows_of(&*self.snapshot()?)?.values().sum();
        let mut pace = Pace {
            done: 0,
            all,
            go_on,
        };
        let settled = self.copy_settled_days(copy, &mut pace)?;
        let snapshot = self.snapshot()?;
        let transaction = super::open::begin_write(copy)?;
        copy_all_but_journal(&snapshot, &transaction, &mut pace)?;
        copy_journal(&snapshot, &transaction, settled, &mut pace)?;
        let mut expected = rows_of(&snapshot)?;
        if transaction.open_table(JOURNAL)?.len()?
            != expected.get(JOURNAL.name()).copied().unwrap_or(0)
        {
            // Days were removed meanwhile, or the clock was set back far: once more, as a whole.
            transaction.delete_table(JOURNAL)?;
            copy_journal(&snapshot, &transaction, None, &mut pace)?;
        }
        drop(snapshot);
        {
            let mut meta = transaction.open_table(META)?;
            let ms = now.as_millisecond().to_le_bytes();
            let is_new = meta.insert(BACKUP_AT, ms.as_slice())?.is_none();
            *expected.entry(META.name().to_owned()).or_default() += u64::from(is_new);
        }
        transaction.commit()?;
        Ok(expected)
    }

    /// Copies the days of the journal that do not change any more. Returns the first key behind
    /// them.
    fn copy_settled_days(
        &self,
        copy: &Database,
        pace: &mut Pace<'_>,
    ) -> Result<Option<(u32, u32, u32)>, BackupError> {
        let last = {
            let snapshot = self.snapshot()?;
            let journal = snapshot.open_table(JOURNAL)?;
            let last = journal.last()?;
            last.map(|(key, _)| key.value().0)
        };
        let Some(end) = last.and_then(|last| last.checked_sub(DAYS_THAT_CHANGE)) else {
            return Ok(None);
        };
        let end = (end, 0, 0);
        let mut from = (0, 0, 0);
        let mut more = true;
        while more {
            more = false;
            let snapshot = self.snapshot()?;
            let source = snapshot.open_table(JOURNAL)?;
            let transaction = super::open::begin_write(copy)?;
            {
                let mut target = transaction.open_table(JOURNAL)?;
                for (count, row) in source.range(from..end)?.enumerate() {
                    let (key, value) = row?;
                    if count == ROWS_PER_PAGE {
                        (from, more) = (key.value(), true);
                        break;
                    }
                    target.insert(key.value(), value.value())?;
                    pace.row()?;
                }
            }
            transaction.commit()?;
        }
        Ok(Some(end))
    }
}

/// Counts what is copied, and asks now and then whether to go on.
struct Pace<'a> {
    done: u64,
    all: u64,
    go_on: GoOn<'a>,
}

impl Pace<'_> {
    fn row(&mut self) -> Result<(), BackupError> {
        self.done += 1;
        if self.done.is_multiple_of(1_000) && !(self.go_on)(self.done, self.all.max(self.done)) {
            return Err(BackupError::GivenUp);
        }
        Ok(())
    }
}

fn copy_all_but_journal(
    from: &ReadTransaction,
    to: &WriteTransaction,
    pace: &mut Pace<'_>,
) -> Result<(), BackupError> {
    macro_rules! copy {
        ($($table:ident),*) => {$( copy_table(from, to, $table, pace)?; )*};
    }
    copy!(
        META,
        PATIENT_IDS,
        PATIENT_SLUGS,
        PLANS,
        PLAN_HISTORY,
        PATIENTS,
        WAKES,
        OUTBOX,
        OUTBOX_LATER,
        ATTEMPTS,
        CONTACTS,
        CONTACT_NUMBERS,
        CONVERSATIONS,
        CONTACT_PATIENTS,
        FORMER_CONTACTS,
        UNFOLLOWED,
        ENROLMENTS,
        INBOUND_SEEN,
        INBOUND_TIMES,
        DELIVERIES,
        DELIVERY_TIMES,
        TOLD,
        CALLS,
        STRANGERS,
        DAYS,
        JOBS,
        ACCOUNTS,
        AUDIT
    );
    Ok(())
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
    pace: &mut Pace<'_>,
) -> Result<(), BackupError> {
    let Some(source) = present(from.open_table(table))? else {
        return Ok(());
    };
    let mut target = to.open_table(table)?;
    for row in source.iter()? {
        let (key, value) = row?;
        target.insert(key.value(), value.value())?;
        pace.row()?;
    }
    Ok(())
}

fn copy_journal(
    from: &ReadTransaction,
    to: &WriteTransaction,
    first: Option<(u32, u32, u32)>,
    pace: &mut Pace<'_>,
) -> Result<(), BackupError> {
    let source = from.open_table(JOURNAL)?;
    let mut target = to.open_table(JOURNAL)?;
    let first = first.unwrap_or((0, 0, 0));
    for row in source.range(first..)? {
        let (key, value) = row?;
        target.insert(key.value(), value.value())?;
        pace.row()?;
    }
    Ok(())
}

/// Rows by table, of all tables that there are.
fn rows_of(snapshot: &ReadTransaction) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut rows = BTreeMap::new();
    for table in snapshot.list_tables()? {
        let name = table.name().to_owned();
        let count = snapshot.open_untyped_table(table)?.len()?;
        rows.insert(name, count);
    }
    Ok(rows)
}

/// Opens the copy and counts.
fn verify(options: &Options, expected: &BTreeMap<String, u64>) -> Result<(), BackupError> {
    let differs = |why: String| BackupError::Differs(why);
    let copy = builder(options)
        .open_read_only(&options.path)
        .map_err(|error| differs(error.to_string()))?;
    check_schema(&options.path, &copy).map_err(|error| differs(error.to_string()))?;
    let snapshot = copy.begin_read()?;
    let found = rows_of(&snapshot)?;
    if found != *expected {
        let table = expected
            .keys()
            .chain(found.keys())
            .find(|table| found.get(*table) != expected.get(*table));
        let table = table.map_or("", String::as_str);
        return Err(differs(format!(
            "table {table} has {:?} rows in place of {:?}",
            found.get(table),
            expected.get(table)
        )));
    }
    // Every record of the patients can be found by its key.
    let patients = snapshot.open_table(PATIENTS)?;
    for row in snapshot.open_table(WAKES)?.iter()? {
        let (_, patient) = row?.0.value();
        if patients.get(patient)?.is_none() {
            return Err(differs("a patient who sleeps has no record".to_owned()));
        }
    }
    Ok(())
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// A backup must not be run as it is: `dosed restore` looks after what happened since.
pub(super) fn refuse_backup(path: &Path, database: &Database) -> Result<(), OpenError> {
    let failed = |error: StoreError| OpenError::Failed {
        path: path.to_path_buf(),
        why: error.to_string(),
    };
    let snapshot = database.begin_read().map_err(StoreError::from);
    let meta = snapshot.and_then(|snapshot| Ok(snapshot.open_table(META)?));
    let row = meta.and_then(|meta| Ok(meta.get(BACKUP_AT)?.is_some()));
    if row.map_err(failed)? {
        return Err(OpenError::Backup(path.to_path_buf()));
    }
    Ok(())
}
