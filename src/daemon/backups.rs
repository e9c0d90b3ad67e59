//! The backup of the night: made beside all else, verified, and only so many kept.

use super::config;
use crate::store::{self, BackupError, OpenError};
use jiff::Timestamp;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// So much stays free beside the copy: reminders must not wait for a disk that a backup filled.
const ROOM_LEFT_BYTES: u64 = 64 << 20;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub(super) enum NightlyError {
    #[error("{0}")]
    Open(#[from] OpenError),
    #[error("{0}")]
    Backup(#[from] BackupError),
    #[error("the directory of backups: {0}")]
    Directory(io::Error),
    #[error("no room for a backup: {free} bytes are free, {wanted} are wanted")]
    NoRoom { free: u64, wanted: u64 },
    #[error("it was broken off")]
    BrokenOff,
}

/// Makes a backup, and removes those that are too many.
pub(super) async fn make(store: &config::Store, now: Timestamp) -> Result<(), NightlyError> {
    let given_up = GiveUp(Arc::new(AtomicBool::new(false)));
    let (store, flag) = (store.clone(), Arc::clone(&given_up.0));
    let made = tokio::task::spawn_blocking(move || copy(&store, now, &flag)).await;
    made.unwrap_or(Err(NightlyError::BrokenOff))
}

/// Whoever does not wait any more lets the copying end.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn copy(store: &config::Store, now: Timestamp, given_up: &AtomicBool) -> Result<(), NightlyError> {
    let directory = &store.backups;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(NightlyError::Directory)?;
    let disk =
        rustix::fs::statvfs(directory).map_err(|error| NightlyError::Directory(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let bytes = std::fs::metadata(&store.path).map_or(0, |file| file.len());
    let wanted = bytes.saturating_mul(2).saturating_add(ROOM_LEFT_BYTES);
    if free < wanted {
        return Err(NightlyError::NoRoom { free, wanted });
    }
    let reader = store::open_reader(&store::Options {
        path: store.path.clone(),
        cache_bytes: 4 << 20,
    })?;
    let backup = reader.backup(&store.path, &directory.join(name(now)), now, &mut |_, _| {
        !given_up.load(Ordering::Relaxed)
    })?;
    tracing::info!(
        rows = backup.rows_in_all(),
        bytes = backup.bytes,
        "a backup was made"
    );
    remove_superseded(directory, &name(now), store.backups_keep).map_err(NightlyError::Directory)
}

/// Names sort by time.
fn name(at: Timestamp) -> String {
    format!("dosed-{}.redb", at.strftime("%Y%m%dT%H%M%SZ"))
}

/// Whether a file is one of ours, by its name.
fn is_backup(name: &str) -> bool {
    let stamp = name
        .strip_prefix("dosed-")
        .and_then(|rest| rest.strip_suffix(".redb"));
    stamp.is_some_and(|stamp| {
        let bytes = stamp.as_bytes();
        bytes.len() == 16
            && bytes.iter().enumerate().all(|(index, byte)| match index {
                8 => *byte == b'T',
                15 => *byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
    })
}

/// The oldest backups, beyond those that are kept. Whatever is dated later than the one `made` now
/// was made by a clock that was ahead, and is older.
fn superseded(mut names: Vec<String>, made: &str, keep: usize) -> Vec<String> {
    names.retain(|name| is_backup(name));
    names.sort_unstable_by(|a, b| (a.as_str() <= made, a).cmp(&(b.as_str() <= made, b)));
    let excess = names.len().saturating_sub(keep);
    names.truncate(excess);
    names
}

fn remove_superseded(directory: &Path, made: &str, keep: usize) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    for name in superseded(names, made, keep) {
        std::fs::remove_file(directory.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_backups_go_and_nothing_else() {
        let at = |day: i64| Timestamp::from_second(1_772_409_600 + day * 86_400).unwrap();
        let mut names: Vec<String> = (0..9).map(|day| name(at(day))).collect();
        let others = [
            "dosed.redb",
            "dosed-old.redb",
            "dosed-20260302T000000Z.redb.gz",
            "dosed-2026030xT000000Z.redb",
            "notes.txt",
        ];
        names.extend(others.map(str::to_owned));
        names.reverse();
        assert_eq!(name(at(0)), "dosed-20260302T000000Z.redb");
        let last = name(at(8));
        let gone = |made: &str, keep| superseded(names.clone(), made, keep);
        assert_eq!(gone(&last, 7), [name(at(0)), name(at(1))]);
        assert_eq!(gone(&last, 9), [""; 0]);
        assert_eq!(gone(&last, 1).len(), 8);
        // Made after the clock was set right, which had been days ahead.
        let made = name(at(2));
        assert_eq!(gone(&made, 7), [name(at(3)), name(at(4))]);
        assert!(!gone(&made, 1).contains(&made));
    }
}
