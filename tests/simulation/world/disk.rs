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
    /// What was done since the last sync, in order.
    unsynced: Vec<Change>,
    /// What those writes and cuts replaced, one behind the other.
    replaced: Vec<u8>,
    calls: u64,
    fails_at: Option<u64>,
    dies_at: Option<u64>,
    died: bool,
    /// Something may die soon.
    crash_is_near: bool,
    /// Handles of an earlier one belong to a process that is gone.
    generation: u64,
}

/// One call that was not synced. What it replaced ends where that of the next one begins.
enum Change {
    Write { offset: usize, length: usize },
    SetLen { before: usize, after: usize },
}

/// A write as a power cut sees it: where, and what was written.
type Written = (usize, Vec<u8>);

impl Medium {
    /// Notes what a range holds before it is changed; nothing of what lies behind the end.
    fn keep(&mut self, from: usize, until: usize) {
        let until = until.min(self.now.len());
        if from < until {
            self.replaced.extend_from_slice(&self.now[from..until]);
        }
    }

    /// Puts everything back as it was at the last sync. Returns what was done since, in order.
    fn undo(&mut self) -> (Vec<Written>, Vec<usize>) {
        let (mut writes, mut lengths) = (Vec::new(), Vec::new());
        while let Some(change) = self.unsynced.pop() {
            match change {
                Change::Write { offset, length } => {
                    let range = offset..offset + length;
                    writes.push((offset, self.now[range.clone()].to_vec()));
                    let begin = self.replaced.len() - length;
                    self.now[range].copy_from_slice(&self.replaced[begin..]);
                    self.replaced.truncate(begin);
                }
                Change::SetLen { before, after } => {
                    lengths.push(after);
                    self.now.resize(before, 0);
                    let begin = self.replaced.len() - before.saturating_sub(after);
                    self.now[after.min(before)..].copy_from_slice(&self.replaced[begin..]);
                    self.replaced.truncate(begin);
                }
            }
        }
        writes.reverse();
        lengths.reverse();
        (writes, lengths)
    }
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

    /// Whether something may die soon: then commits are made ready for it.
    /// True when that is new.
    pub fn expect_crash(&self, is_near: bool) -> bool {
        let mut medium = self.medium();
        let before = std::mem::replace(&mut medium.crash_is_near, is_near);
        is_near && !before
    }

    /// No call fails any more by what was asked for before.
    pub fn spare(&self) {
        let mut medium = self.medium();
        (medium.fails_at, medium.dies_at) = (None, None);
    }

    /// True when no call is about to fail.
    pub fn is_sound(&self) -> bool {
        let medium = self.medium();
        medium.fails_at.is_none() && medium.dies_at.is_none()
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
        let (writes, lengths) = medium.undo();
        for length in lengths {
            if length > medium.now.len() {
                medium.now.resize(length, 0);
            }
        }
        let mut versions: BTreeMap<usize, Vec<&[u8]>> = BTreeMap::new();
        for (offset, data) in &writes {
            let mut from = 0;
            while from < data.len() {
                let at = offset + from;
                let size = (SECTOR - at % SECTOR).min(data.len() - from);
                let part = &data[from..from + size];
                versions.entry(at).or_default().push(part);
                from += size;
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

    fn lasts(&self) -> bool {
        let medium = self.medium();
        medium.crash_is_near || medium.dies_at.is_some() || medium.fails_at.is_some()
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
            medium.keep(after, before);
            medium.now.resize(after, 0);
            medium.unsynced.push(Change::SetLen { before, after });
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.call(|medium| {
            medium.unsynced.clear();
            medium.replaced.clear();
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.call(|medium| {
            let (offset, length) = (offset as usize, data.len());
            medium.keep(offset, offset + length);
            medium.now[offset..offset + length].copy_from_slice(data);
            medium.unsynced.push(Change::Write { offset, length });
        })
    }
}
