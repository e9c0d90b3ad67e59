//! Storage in memory that fails when it is told to, and loses, tears and reorders what was not
//! synced when the power is cut.

use super::clock::SimClock;
use super::dice::Dice;
use dosed::store::{Backing, DeliberateFault};
use redb::{Builder, Database, DatabaseError, StorageBackend};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// The medium: what handles opened one after the other share.
#[derive(Clone)]
pub struct Disk {
    medium: Arc<Mutex<Medium>>,
    clock: SimClock,
    id_key: [u8; 32],
    fault: Option<DeliberateFault>,
}

#[derive(Default)]
struct Medium {
    now: Vec<u8>,
    /// What was done since the last sync, in order, with what is needed to undo it.
    unsynced: Vec<Change>,
    calls: u64,
    fails_at: Option<u64>,
    dies_at: Option<u64>,
    died: bool,
    /// Handles of an earlier one belong to a process that is gone.
    generation: u64,
}

enum Change {
    Write {
        offset: usize,
        before: Vec<u8>,
        after: Vec<u8>,
    },
    SetLen {
        before: usize,
        cut: Vec<u8>,
        after: usize,
    },
}

impl Disk {
    pub fn new(clock: SimClock, dice: &mut Dice, fault: Option<DeliberateFault>) -> Self {
        let mut id_key = [0; 32];
        for chunk in id_key.chunks_mut(8) {
            chunk.copy_from_slice(&dice.next().to_le_bytes());
        }
        Self {
            medium: Arc::default(),
            clock,
            id_key,
            fault,
        }
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call after so many fails, once.
    pub fn fail_after(&self, calls: u64) {
        let mut medium = self.medium();
        medium.fails_at = Some(medium.calls + calls);
    }

    /// The process dies in the call after so many.
    pub fn die_after(&self, calls: u64) {
        let mut medium = self.medium();
        medium.dies_at = Some(medium.calls + calls);
    }

    /// True when the process died in a call.
    pub fn has_died(&self) -> bool {
        self.medium().died
    }

    /// The process is gone: its handles do nothing more. What it wrote is in the page cache.
    pub fn kill(&self) {
        let mut medium = self.medium();
        medium.generation += 1;
        medium.died = false;
        medium.dies_at = None;
    }

    /// The machine is gone: of each sector that was not synced any version may have survived.
    pub fn cut_power(&self, dice: &mut Dice) {
        let mut medium = self.medium();
        let changes = std::mem::take(&mut medium.unsynced);
        for change in changes.iter().rev() {
            match change {
                Change::Write { offset, before, .. } => {
                    medium.now[*offset..*offset + before.len()].copy_from_slice(before);
                }
                Change::SetLen { before, cut, after } => {
                    medium.now.resize(*before, 0);
                    if before > after {
                        medium.now[*after..].copy_from_slice(cut);
                    }
                }
            }
        }
        let mut versions: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for change in &changes {
            match change {
                Change::SetLen { after, .. } => {
                    if *after > medium.now.len() {
                        medium.now.resize(*after, 0);
                    }
                }
                Change::Write { offset, after, .. } => {
                    let mut from = 0;
                    while from < after.len() {
                        let at = offset + from;
                        let size = (SECTOR - at % SECTOR).min(after.len() - from);
                        let part = after[from..from + size].to_vec();
                        versions.entry(at).or_default().push(part);
                        from += size;
                    }
                }
            }
        }
        // Most cuts lose nearly all or nearly nothing; some anything.
        let survives = *dice.pick(&[0, 30, 500, 970, 1_000]);
        for (at, versions) in versions {
            if dice.chance(survives) {
                let version = dice.pick(&versions);
                let end = (at + version.len()).min(medium.now.len());
                if at < end {
                    medium.now[at..end].copy_from_slice(&version[..end - at]);
                }
            }
        }
    }

    /// The database as a process that starts now would find it, on a medium of its own.
    pub fn copy(&self) -> Result<Database, DatabaseError> {
        let medium = Medium {
            now: self.medium().now.clone(),
            ..Medium::default()
        };
        let copy = Self {
            medium: Arc::new(Mutex::new(medium)),
            ..self.clone()
        };
        copy.open(&Builder::new())
    }
}

impl Backing for Disk {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        let generation = self.medium().generation;
        builder.create_with_backend(Handle {
            disk: self.clone(),
            generation,
        })
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.clock.steady() as u64)
    }

    fn id_key(&self) -> io::Result<[u8; 32]> {
        Ok(self.id_key)
    }

    fn fault(&self) -> Option<DeliberateFault> {
        self.fault
    }
}

struct Handle {
    disk: Disk,
    generation: u64,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({})", self.generation)
    }
}

impl Handle {
    fn call<T>(&self, work: impl FnOnce(&mut Medium) -> T) -> io::Result<T> {
        let mut medium = self.disk.medium();
        if medium.generation != self.generation || medium.died {
            return Err(io::Error::from_raw_os_error(5));
        }
        medium.calls += 1;
        if medium.dies_at.is_some_and(|at| medium.calls >= at) {
            medium.died = true;
            return Err(io::Error::from_raw_os_error(5));
        }
        if medium.fails_at.is_some_and(|at| medium.calls >= at) {
            medium.fails_at = None;
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(work(&mut medium))
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        self.call(|medium| medium.now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.call(|medium| {
            let from = offset as usize;
            out.copy_from_slice(&medium.now[from..from + out.len()]);
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.call(|medium| {
            let (before, after) = (medium.now.len(), len as usize);
            let cut = medium.now.get(after..).unwrap_or_default().to_vec();
            medium.now.resize(after, 0);
            medium.unsynced.push(Change::SetLen { before, cut, after });
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.call(|medium| medium.unsynced.clear())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.call(|medium| {
            let offset = offset as usize;
            let before = medium.now[offset..offset + data.len()].to_vec();
            medium.now[offset..offset + data.len()].copy_from_slice(data);
            medium.unsynced.push(Change::Write {
                offset,
                before,
                after: data.to_vec(),
            });
        })
    }
}
