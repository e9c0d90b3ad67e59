//! Storage in memory that fails when it is told to, and can lose what was not synced.

use super::super::Backing;
use redb::{Builder, Database, DatabaseError, StorageBackend};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// The medium: what handles opened one after the other share.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Medium>>);

#[derive(Debug, Default)]
struct Medium {
    now: Vec<u8>,
    synced: Vec<u8>,
    calls: u64,
    fails_at: Option<u64>,
}

impl Disk {
    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.0.lock().unwrap()
    }

    /// The call of this number (from 1, over all handles) fails, once.
    pub fn fail_at(&self, call: u64) {
        self.medium().fails_at = Some(call);
    }

    pub fn calls(&self) -> u64 {
        self.medium().calls
    }

    /// Nothing is on it any more.
    pub fn erase(&self) {
        let mut medium = self.medium();
        medium.now.clear();
        medium.synced.clear();
    }

    /// What was not synced is lost.
    pub fn cut_power(&self) {
        let mut medium = self.medium();
        medium.now = medium.synced.clone();
    }

    pub fn reader(&self) -> super::super::Reader {
        let read_only = || Builder::new().open_read_only_with_backend(Handle(self.clone()));
        let database = read_only().or_else(|_| {
            // A close that failed wants a repair.
            drop(self.open(&Builder::new())?);
            read_only()
        });
        super::super::Reader::of_file(database.unwrap())
    }

    fn call<T>(&self, work: impl FnOnce(&mut Medium) -> T) -> io::Result<T> {
        let mut medium = self.medium();
        medium.calls += 1;
        if medium.fails_at == Some(medium.calls) {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(work(&mut medium))
    }
}

impl Backing for Disk {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.create_with_backend(Handle(self.clone()))
    }
}

#[derive(Debug)]
struct Handle(Disk);

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        self.0.call(|medium| medium.now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.call(|medium| {
            let from = offset as usize;
            out.copy_from_slice(&medium.now[from..from + out.len()]);
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.call(|medium| medium.now.resize(len as usize, 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.call(|medium| medium.synced = medium.now.clone())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.call(|medium| {
            let from = offset as usize;
            medium.now[from..from + data.len()].copy_from_slice(data);
        })
    }
}
