//! Opening: atomically created, refused when newer, shared with readers of other processes.

use super::records::{
    ACCOUNTS, ATTEMPTS, AUDIT, CALLS, CONTACT_NUMBERS, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS,
    DAYS, DELIVERIES, DELIVERY_TIMES, ENROLMENTS, FORMER_CONTACTS, INBOUND_SEEN, INBOUND_TIMES,
    JOBS, JOURNAL, META, OUTBOX, OUTBOX_LATER, PATIENT_IDS, PATIENT_SLUGS, PATIENTS, PLAN_HISTORY,
    PLANS, SCHEMA, STRANGERS, TOLD, UNFOLLOWED, WAKES,
};
use super::{DeliberateFault, Reader, StoreError};
use redb::{Builder, ConcurrencyMode, Database, DatabaseError, ReadableDatabase, WriteTransaction};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file.
    pub path: PathBuf,
    /// Size of redb's page cache in bytes.
    pub cache_bytes: usize,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open for writing.
    #[error("{0}: another dosed has this store open")]
    Locked(PathBuf),
    /// Its tables come from a newer release.
    #[error(
        "{path}: the store has schema {found}; this release reads up to {SCHEMA}: run the release that wrote it, or a newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// Its tables come from before the first release, and no migration leads here.
    #[error(
        "{path}: the store has schema {found}, from before the first release; this one reads schema {SCHEMA}: move the file away, the plans are read again"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// It is a backup, as it was made.
    #[error(
        "{0}: this is a backup; run as it is, it would send what was sent since: put it in place with `dosed restore`"
    )]
    Backup(PathBuf),
    /// No permission.
    #[error("{0}: no permission to open the store")]
    Permission(PathBuf),
    /// There is none.
    #[error("{0}: no such store; it is made by the first `dosed run`")]
    Missing(PathBuf),
    /// The disk under it does not let itself be read or written: full, broken, read-only, gone.
    /// It may come back.
    #[error("{path}: the store's disk fails: {error}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Anything else.
    #[error("{path}: the store cannot be opened: {why}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the storage says.
        why: String,
    },
}

/// How long a writer that has just ended may keep its lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Storage other than a file, for tests and simulations of what faults do to a store. It is the
/// one place at which this module shows its engine.
pub trait Backing: Send + Sync + 'static {
    /// Opens the storage with `builder`; called again after each storage error.
    ///
    /// # Errors
    /// It cannot be opened; the store tries again later.
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError>;

    /// The steady clock by which the store waits between two tries to open it again.
    fn elapsed(&self) -> Duration {
        steady()
    }

    /// The key of ids of a store that is being made.
    ///
    /// # Errors
    /// There is no randomness.
    fn id_key(&self) -> io::Result<[u8; 32]> {
        random_bytes()
    }

    /// A fault that the store is to have.
    fn fault(&self) -> Option<DeliberateFault> {
        None
    }

    /// Whether the next commit is made to outlive a crash, as each is in a file: written, synced,
    /// with the allocator's state for a quick repair. A simulation that knows that nothing can die
    /// before it asks for one that is leaves that out: it is most of a commit's work.
    fn lasts(&self) -> bool {
        true
    }
}

/// The machine's steady clock, since an arbitrary beginning.
pub(super) fn steady() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Where a store lies.
#[derive(Clone)]
pub(super) enum Place {
    File(Options),
    Backing(Arc<dyn Backing>, Options),
}

impl Place {
    pub fn options(&self) -> &Options {
        match self {
            Place::File(options) | Place::Backing(_, options) => options,
        }
    }

    /// The steady clock that belongs to the storage.
    pub fn elapsed(&self) -> Duration {
        match self {
            Place::File(_) => steady(),
            Place::Backing(backing, _) => backing.elapsed(),
        }
    }

    /// The fault that the storage brings; none with a file.
    pub fn fault(&self) -> Option<DeliberateFault> {
        match self {
            Place::File(_) => None,
            Place::Backing(backing, _) => backing.fault(),
        }
    }

    /// Whether the next commit is made to outlive a crash; always in a file.
    pub fn lasts(&self) -> bool {
        match self {
            Place::File(_) => true,
            Place::Backing(backing, _) => backing.lasts(),
        }
    }

    /// Opens the store for writing.
    pub fn open(&self) -> Result<Database, OpenError> {
        match self {
            Place::File(options) => {
                let database = open_writer(options)?;
                super::backup::refuse_backup(&options.path, &database)?;
                Ok(database)
            }
            Place::Backing(backing, options) => open_backing(backing.as_ref(), options),
        }
    }
}

pub(super) fn builder(options: &Options) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(options.cache_bytes);
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Opens a store on other storage, making it if there is none. Nobody else has it open: such
/// storage has no locks.
fn open_backing(backing: &dyn Backing, options: &Options) -> Result<Database, OpenError> {
    let path = &options.path;
    let mut builder = Builder::new();
    builder.set_cache_size(options.cache_bytes);
    let database = backing
        .open(&builder)
        .map_err(|error| open_error(path, error))?;
    let failed = |error: StoreError| OpenError::Failed {
        path: path.clone(),
        why: error.to_string(),
    };
    let begun = database
        .begin_read()
        .map_err(StoreError::from)
        .map_err(failed)?;
    match begun.open_table(META) {
        Ok(_) => {}
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let key = backing.id_key().map_err(|error| no_randomness(&error));
            key.and_then(|key| write_schema(&database, &key))
                .map_err(failed)?;
        }
        Err(error) => return Err(failed(error.into())),
    }
    drop(begun);
    check_schema(path, &database)?;
    Ok(database)
}

/// Starts a write transaction as this store wants each: two-phase, with the allocator's state
/// saved so that a repair after a kill is quick.
pub(super) fn begin_write(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Makes the store if the file does not exist: under a temporary name, schema committed, synced,
/// renamed without replacing, directory synced. A kill at any point leaves either no store or a
/// whole one.
///
/// # Errors
/// The directory cannot be written.
pub fn create_if_absent(options: &Options) -> Result<(), OpenError> {
    let path = &options.path;
    if path.exists() {
        return Ok(());
    }
    let failed = |why: String| OpenError::Failed {
        path: path.clone(),
        why,
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| failed("it names no file".to_owned()))?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".creating-");
    remove_leftovers(directory, &prefix);
    let mut temporary = prefix;
    temporary.push(std::process::id().to_string());
    let temporary = directory.join(temporary);
    let io_failed = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => OpenError::Permission(path.clone()),
        _ => OpenError::Disk {
            path: path.clone(),
            error,
        },
    };
    let made = make(options, &temporary, directory, path);
    if made.is_err() {
        // Best effort: what stays is removed by the next one that makes the store.
        let _ = fs::remove_file(&temporary);
    }
    match made {
        Ok(()) => Ok(()),
        Err(MakeError::Io(error)) => Err(io_failed(error)),
        Err(MakeError::Store(error)) => Err(failed(error.to_string())),
    }
}

/// Removes what processes that are gone left of a creation. Best effort: one that stays takes
/// room and does no harm.
pub(super) fn remove_leftovers(directory: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let maker = name.as_bytes().strip_prefix(prefix.as_bytes());
        let maker = maker
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse::<i32>().ok())
            .and_then(rustix::process::Pid::from_raw);
        let Some(maker) = maker else {
            continue;
        };
        if rustix::process::test_kill_process(maker) == Err(rustix::io::Errno::SRCH) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

enum MakeError {
    Io(io::Error),
    Store(StoreError),
}

impl From<io::Error> for MakeError {
    fn from(error: io::Error) -> Self {
        MakeError::Io(error)
    }
}

impl From<StoreError> for MakeError {
    fn from(error: StoreError) -> Self {
        MakeError::Store(error)
    }
}

fn make(
    options: &Options,
    temporary: &Path,
    directory: &Path,
    path: &Path,
) -> Result<(), MakeError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(temporary)?;
    let backend = redb::backends::FileBackend::new(file).map_err(StoreError::from)?;
    let database = builder(options)
        .create_with_backend(backend)
        .map_err(StoreError::from)?;
    write_schema(&database, &random_bytes()?)?;
    drop(database);
    File::open(temporary)?.sync_all()?;
    match put_in_place(temporary, path) {
        // Another process was quicker: its store is as good as ours.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(temporary)?,
        put => put?,
    }
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// Gives a file its name, without replacing another.
pub(super) fn put_in_place(temporary: &Path, path: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(
        rustix::fs::CWD,
        temporary,
        rustix::fs::CWD,
        path,
        rustix::fs::RenameFlags::NOREPLACE,
    ) {
        // A file system without the flag: a hard link does not replace either.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::hard_link(temporary, path)?;
            fs::remove_file(temporary)
        }
        put => put.map_err(io::Error::from),
    }
}

/// Makes all tables and the rows that every store has.
pub(super) fn write_schema(database: &Database, id_key: &[u8; 32]) -> Result<(), StoreError> {
    let transaction = begin_write(database)?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("schema", SCHEMA.to_le_bytes().as_slice())?;
        meta.insert("id_key", id_key.as_slice())?;
        transaction.open_table(PATIENT_IDS)?;
        transaction.open_table(PATIENT_SLUGS)?;
        transaction.open_table(PLANS)?;
        transaction.open_table(PLAN_HISTORY)?;
        transaction.open_table(PATIENTS)?;
        transaction.open_table(WAKES)?;
        transaction.open_table(OUTBOX)?;
        transaction.open_table(OUTBOX_LATER)?;
        transaction.open_table(ATTEMPTS)?;
        transaction.open_table(JOURNAL)?;
        transaction.open_table(CONTACTS)?;
        transaction.open_table(CONTACT_NUMBERS)?;
        transaction.open_table(CONVERSATIONS)?;
        transaction.open_table(CONTACT_PATIENTS)?;
        transaction.open_table(FORMER_CONTACTS)?;
        transaction.open_table(UNFOLLOWED)?;
        transaction.open_table(ENROLMENTS)?;
        transaction.open_table(INBOUND_SEEN)?;
        transaction.open_table(INBOUND_TIMES)?;
        transaction.open_table(DELIVERIES)?;
        transaction.open_table(DELIVERY_TIMES)?;
        transaction.open_table(TOLD)?;
        transaction.open_table(CALLS)?;
        transaction.open_table(STRANGERS)?;
        transaction.open_table(DAYS)?;
        transaction.open_table(JOBS)?;
        transaction.open_table(ACCOUNTS)?;
        transaction.open_table(AUDIT)?;
    }
    transaction.commit()?;
    Ok(())
}

fn no_randomness(error: &io::Error) -> StoreError {
    StoreError::Storage(error.to_string())
}

fn random_bytes() -> io::Result<[u8; 32]> {
    use std::io::Read;
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Opens an existing store for writing, waiting a little for a writer that is just ending.
pub(super) fn open_writer(options: &Options) -> Result<Database, OpenError> {
    let path = &options.path;
    let began = Instant::now();
    let database = loop {
        match builder(options).open(path) {
            Ok(database) => break database,
            Err(DatabaseError::DatabaseAlreadyOpen) if began.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => return Err(open_error(path, error)),
        }
    };
    check_schema(path, &database)?;
    Ok(database)
}

/// Opens a store for reading, beside a daemon or without one. After a kill the file wants a
/// repair first: that needs the permission to write.
///
/// # Errors
/// See [`OpenError`].
pub fn open_reader(options: &Options) -> Result<Reader, OpenError> {
    let path = &options.path;
    let opened = match builder(options).open_read_only(path) {
        Err(DatabaseError::RepairAborted) => {
            match builder(options).open(path) {
                Ok(database) => drop(database),
                // A daemon has begun to repair it itself: then it is enough to look again.
                Err(DatabaseError::DatabaseAlreadyOpen) => {}
                Err(error) => return Err(open_error(path, error)),
            }
            builder(options).open_read_only(path)
        }
        other => other,
    };
    let database = opened.map_err(|error| open_error(path, error))?;
    check_schema(path, &database)?;
    Ok(Reader::of_file(database))
}

pub(super) fn check_schema(path: &Path, database: &impl ReadableDatabase) -> Result<(), OpenError> {
    let failed = |why: String| OpenError::Failed {
        path: path.to_path_buf(),
        why,
    };
    let read = || -> Result<Option<[u8; 4]>, StoreError> {
        let meta = database.begin_read()?.open_table(META)?;
        Ok(meta
            .get("schema")?
            .and_then(|row| row.value().try_into().ok()))
    };
    match read()
        .map_err(|error| failed(error.to_string()))?
        .map(u32::from_le_bytes)
    {
        Some(found) if found > SCHEMA => Err(OpenError::Newer {
            path: path.to_path_buf(),
            found,
        }),
        Some(found) if found < SCHEMA => Err(OpenError::Older {
            path: path.to_path_buf(),
            found,
        }),
        Some(_) => Ok(()),
        None => Err(failed(
            "it is a redb file, but not a store of dosed".to_owned(),
        )),
    }
}

pub(super) fn open_error(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_path_buf();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::Locked(path),
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::PermissionDenied =>
        {
            OpenError::Permission(path)
        }
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::NotFound =>
        {
            OpenError::Missing(path)
        }
        // Without a number it is redb that objects to what the file holds.
        DatabaseError::Storage(redb::StorageError::Io(error)) if error.raw_os_error().is_some() => {
            OpenError::Disk { path, error }
        }
        other => OpenError::Failed {
            path,
            why: other.to_string(),
        },
    }
}
