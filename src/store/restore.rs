//! A backup takes the place of a store that is gone.
//!
//! Between the backup and now the old store may have sent anything, and anything may have been
//! answered: nobody knows. So nothing that was due until now is sent again, and nothing of it is
//! held against a patient ([`Input::Restored`]); what is due from now on goes on.

use super::backup::BACKUP_AT;
use super::fsck::{Integrity, fsck};
use super::notes::{ENDPOINTS, LAST_SEEN};
use super::open::{Options, begin_write, open_reader, open_writer, put_in_place};
use super::patient::{Tables, Tally, Visit};
use super::records::{ATTEMPTS, META, OUTBOX, OUTBOX_LATER};
use super::{OpenError, Store, StoreError, Telemetry};
use crate::engine::{Input, Unlimited};
use jiff::{SignedDuration, Timestamp};
use redb::{ReadableDatabase, ReadableTable};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Patients stepped in one transaction.
const PATIENTS_PER_STEP: usize = 200;

/// A clock this far ahead of the backup is not believed without a person's word: all that falls
/// until then would be over.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The moment of the backup, as far as is known.
    pub at: Option<Timestamp>,
    /// Patients whose plans are in force.
    pub patients: u64,
    /// Doses that were open, or fell due since: closed, nobody knows what became of them.
    pub doses: u64,
    /// Patients of whom somebody has to ring: there is time yet for a dose of theirs, or advice
    /// was under way.
    pub calls: u64,
    /// Patients left as they were because their record cannot be read.
    pub broken: u64,
    /// What does not hold in the backup, in words of `dosed fsck`.
    pub findings: u64,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is a store.
    #[error(
        "{0}: there is a store; nothing is restored over one: stop the daemon, and move it away first"
    )]
    Exists(PathBuf),
    /// There is no such backup.
    #[error("{0}: no such file")]
    Missing(PathBuf),
    /// What is there is no backup that can be used.
    #[error("{path}: it cannot be restored: {why}")]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is of another release.
    #[error(transparent)]
    Release(OpenError),
    /// The clock is not to be believed.
    #[error(
        "the clock shows {now}, the backup was in use until {seen}: if the clock is right, say --clock-is-right"
    )]
    Clock {
        /// What the clock shows.
        now: Timestamp,
        /// The last clock seen by the store.
        seen: Timestamp,
    },
    /// The store cannot be made.
    #[error("{path}: the store cannot be made: {error}")]
    Create {
        /// Where.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts the backup `from` in the place of a store that is not there. A failure leaves nothing
/// behind.
///
/// `day` is the clinic's day, for the counts; `clock_is_right` a person's word.
///
/// # Errors
/// See [`RestoreError`].
pub async fn restore(
    from: &Path,
    options: &Options,
    now: Timestamp,
    day: u32,
    clock_is_right: bool,
) -> Result<Restored, RestoreError> {
    let path = &options.path;
    if path.exists() {
        return Err(RestoreError::Exists(path.clone()));
    }
    let create = |error: io::Error| RestoreError::Create {
        path: path.clone(),
        error,
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| create(io::ErrorKind::InvalidInput.into()))?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".creating-");
    super::open::remove_leftovers(directory, &prefix);
    prefix.push(std::process::id().to_string());
    let temporary = Options {
        path: directory.join(prefix),
        cache_bytes: options.cache_bytes,
    };
    let made = make(from, &temporary, now, day, clock_is_right).await;
    let made = made.and_then(|restored| {
        match put_in_place(&temporary.path, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RestoreError::Exists(path.clone()));
            }
            put => put.map_err(create)?,
        }
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(create)?;
        Ok(restored)
    });
    if made.is_err() {
        // Best effort: what stays is removed by the next one that makes the store.
        let _ = fs::remove_file(&temporary.path);
    }
    made
}

async fn make(
    from: &Path,
    temporary: &Options,
    now: Timestamp,
    day: u32,
    clock_is_right: bool,
) -> Result<Restored, RestoreError> {
    copy(from, &temporary.path)?;
    let bad = |why: String| RestoreError::Bad {
        path: from.to_path_buf(),
        why,
    };
    let refused = |error: OpenError| match error {
        OpenError::Newer { found, .. } => RestoreError::Release(OpenError::Newer {
            path: from.to_path_buf(),
            found,
        }),
        OpenError::Older { found, .. } => RestoreError::Release(OpenError::Older {
            path: from.to_path_buf(),
            found,
        }),
        OpenError::Failed { why, .. } => bad(why),
        other => bad(other.to_string()),
    };
    drop(open_reader(temporary).map_err(refused)?);
    let report = fsck(temporary).map_err(|error| bad(error.to_string()))?;
    if report.integrity == Integrity::Damaged {
        return Err(bad("the file is damaged".to_owned()));
    }
    let at = mark(temporary, now, clock_is_right, refused)?;
    let store = Store::open(temporary, Arc::new(Telemetry::new(|_, _| {}))).map_err(refused)?;
    let settled = settle(&store, now, day).await;
    store.close().await;
    let mut restored = settled?;
    drop(store);
    let synced = File::open(&temporary.path).and_then(|file| file.sync_all());
    synced.map_err(|error| RestoreError::Create {
        path: temporary.path.clone(),
        error,
    })?;
    restored.at = at;
    restored.findings = report.count;
    Ok(restored)
}

/// Only its owner may read the copy.
fn copy(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let mut source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(RestoreError::Missing(from.to_path_buf()));
        }
        Err(error) => {
            return Err(RestoreError::Bad {
                path: from.to_path_buf(),
                why: error.to_string(),
            });
        }
    };
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to);
    let copied = made.and_then(|mut target| io::copy(&mut source, &mut target));
    copied.map(drop).map_err(|error| RestoreError::Create {
        path: to.to_path_buf(),
        error,
    })
}

/// Makes a store of the backup's copy, if the clock can be believed. Returns the moment of the
/// backup.
fn mark(
    copy: &Options,
    now: Timestamp,
    clock_is_right: bool,
    refused: impl Fn(OpenError) -> RestoreError,
) -> Result<Option<Timestamp>, RestoreError> {
    let database = open_writer(copy).map_err(refused)?;
    let instant = |bytes: &[u8]| {
        let ms = i64::from_le_bytes(bytes.try_into().ok()?);
        Timestamp::from_millisecond(ms).ok()
    };
    let storage = |error: redb::Error| RestoreError::Store(StoreError::Storage(error.to_string()));
    let read = || -> Result<_, redb::Error> {
        let snapshot = database.begin_read()?;
        let meta = snapshot.open_table(META)?;
        let read = |name| -> Result<_, redb::Error> {
            Ok(meta.get(name)?.and_then(|row| instant(row.value())))
        };
        Ok((read(BACKUP_AT)?, read(LAST_SEEN)?))
    };
    let (at, seen) = read().map_err(storage)?;
    let known = at.into_iter().chain(seen).max();
    if let Some(seen) = known.filter(|_| !clock_is_right) {
        let ahead = now.duration_since(seen);
        if !(SignedDuration::ZERO..=AHEAD_MAX).contains(&ahead) {
            return Err(RestoreError::Clock { now, seen });
        }
    }
    let write = || -> Result<(), StoreError> {
        let transaction = begin_write(&database)?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.remove(BACKUP_AT)?;
            meta.remove(ENDPOINTS)?;
            meta.insert(LAST_SEEN, now.as_millisecond().to_le_bytes().as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    };
    write()?;
    Ok(at)
}

/// Steps every patient, and empties the outbox.
async fn settle(store: &Store, now: Timestamp, day: u32) -> Result<Restored, RestoreError> {
    let mut restored = Restored {
        at: None,
        patients: 0,
        doses: 0,
        calls: 0,
        broken: 0,
        findings: 0,
    };
    let mut next = Some(0);
    while let Some(from) = next {
        let step = store.settle_restored(now, day, from).await?;
        restored.patients += step.patients;
        restored.doses += step.doses;
        restored.calls += step.calls;
        restored.broken += step.broken;
        next = step.next;
    }
    store.forget_outbox(now).await?;
    Ok(restored)
}

/// What one transaction settled.
#[derive(Default)]
struct Step {
    patients: u64,
    doses: u64,
    calls: u64,
    broken: u64,
    /// The first patient that is left.
    next: Option<u32>,
}

impl Store {
    async fn settle_restored(
        &self,
        now: Timestamp,
        day: u32,
        from: u32,
    ) -> Result<Step, StoreError> {
        self.write(now, move |scope| {
            scope.effects.day = day;
            let mut tables = Tables::open(scope.transaction)?;
            let mut numbers = Vec::new();
            for row in tables.patients.range(from..)?.take(PATIENTS_PER_STEP + 1) {
                numbers.push(row?.0.value());
            }
            let mut step = Step::default();
            if numbers.len() > PATIENTS_PER_STEP {
                step.next = numbers.pop();
            }
            let (mut tally, mut queued) = (Tally::default(), Vec::new());
            for number in numbers {
                let loaded = tables
                    .patient(number)
                    .and_then(|record| Ok((record, tables.plan(number)?)));
                let (mut record, plan) = match loaded {
                    Ok((Some(record), plan)) => (record, plan),
                    Ok((None, _)) => continue,
                    Err(StoreError::Record { .. }) => {
                        step.broken += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let Some(plan) = plan else {
                    record.state.unsettled.clear();
                    record.state.alerts.clear();
                    record.state.advice.clear();
                    record.state.stocks.clear();
                    let wake_at = record.wake_at;
                    tables.save(number, &mut record, wake_at)?;
                    continue;
                };
                let calls = scope.effects.calls.len();
                let mut visit = Visit::new(scope, &Unlimited, number, record, plan.head.contact);
                visit.step(
                    &mut tables,
                    &mut scope.effects,
                    &plan.plan,
                    Input::Restored,
                    &mut tally,
                )?;
                visit.finish(&mut tables, &mut queued)?;
                step.patients += 1;
                step.calls += u64::from(scope.effects.calls.len() > calls);
            }
            step.doses = tally.doses_expired();
            scope.effects.counts.expired += step.doses;
            Ok(step)
        })
        .await
    }

    /// Nothing waits to be sent, and nothing is under way.
    async fn forget_outbox(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(now, |scope| {
            scope.transaction.open_table(OUTBOX)?.retain(|_, _| false)?;
            scope
                .transaction
                .open_table(OUTBOX_LATER)?
                .retain(|_, _| false)?;
            scope
                .transaction
                .open_table(ATTEMPTS)?
                .retain(|_, _| false)?;
            Ok(())
        })
        .await
    }
}
