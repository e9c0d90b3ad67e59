//! A plan's file as an editor would change it: read with a hash of what was read, and replaced as a
//! whole or not at all.
//!
//! Nothing but `ID.toml` in the plan directory is ever read or written here: the id is a patient's,
//! which holds no slash and no dot, and a link is not followed, wherever it leads.

use crate::daemon::plan_files::PLAN_BYTES_MAX;
use crate::plan::PatientId;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

/// The hash of a file's bytes: whoever saves says what they had before them.
pub type Hash = [u8; 32];

/// Permissions of a new plan: the daemon writes, its group reads.
const NEW_MODE: u32 = 0o640;

/// What lies where a patient's plan is.
#[derive(Clone, PartialEq, Eq)]
pub enum Lying {
    /// Nothing.
    Nothing,
    /// A file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Their hash.
        hash: Hash,
    },
    /// What is not edited here, and why.
    Other(Odd),
}

/// Why something is not edited here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    /// A symbolic link.
    #[error("it is a link; what a link leads to is not edited here")]
    Link,
    /// A directory, a pipe, a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// More than [`PLAN_BYTES_MAX`].
    #[error("it is too large")]
    TooLarge,
}

/// Why a plan was not saved. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// What lies there is not what was loaded.
    #[error("the file has changed since it was loaded")]
    Changed,
    /// What lies there is not edited here.
    #[error("{0}")]
    Other(Odd),
    /// This process may not write there.
    #[error("the plan directory is read-only for the daemon")]
    ReadOnly,
    /// Anything else: a full disk, a directory that is gone.
    #[error("{0}")]
    Io(io::Error),
}

impl From<Errno> for SaveError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::ROFS | Errno::ACCESS | Errno::PERM => SaveError::ReadOnly,
            error => SaveError::Io(error.into()),
        }
    }
}

impl From<io::Error> for SaveError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(error) => SaveError::from(error),
            None => SaveError::Io(error),
        }
    }
}

/// The hash of bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The name of a patient's file.
#[must_use]
pub fn name(patient: &PatientId) -> String {
    format!("{patient}.toml")
}

/// Whether this process can make and replace files in the directory.
#[must_use]
pub fn is_writable(directory: &Path) -> bool {
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::accessat(rustix::fs::CWD, directory, access, AtFlags::EACCESS).is_ok()
}

/// What lies where the patient's plan is.
///
/// # Errors
/// It cannot be read.
pub fn look(directory: &Path, patient: &PatientId) -> io::Result<Lying> {
    match open_directory(directory) {
        Ok(directory) => look_in(&directory, &name(patient)),
        Err(Errno::NOENT) => Ok(Lying::Nothing),
        Err(error) => Err(error.into()),
    }
}

fn open_directory(directory: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty())
}

fn look_in(directory: &OwnedFd, name: &str) -> io::Result<Lying> {
    // Without NONBLOCK the open of a pipe that nobody writes to would wait for ever.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Lying::Nothing),
        Err(Errno::LOOP | Errno::MLINK) => return Ok(Lying::Other(Odd::Link)),
        // A socket cannot be opened at all.
        Err(Errno::NXIO) => return Ok(Lying::Other(Odd::NotRegular)),
        Err(error) => return Err(error.into()),
    };
    let found = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Ok(Lying::Other(Odd::NotRegular));
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(PLAN_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > PLAN_BYTES_MAX {
        return Ok(Lying::Other(Odd::TooLarge));
    }
    Ok(Lying::File {
        hash: hash(&bytes),
        bytes,
    })
}

/// Puts `bytes` in the place of what was `loaded` (`None`: there was no file), as a whole: whoever
/// reads at any moment, or after a loss of power, finds the old text or the new one. The file's
/// permissions are kept.
///
/// # Errors
/// Nothing was changed: see [`SaveError`]. After an I/O error at the very end the new text may stand
/// there already; it is not known to outlast a loss of power.
///
/// # What this does not promise
/// Whoever writes into the file on disk in the same moment, between the last look at it and the
/// renaming, is not noticed.
pub fn save(
    directory: &Path,
    patient: &PatientId,
    bytes: &[u8],
    loaded: Option<&Hash>,
) -> Result<(), SaveError> {
    let directory = open_directory(directory)?;
    let name = name(patient);
    unchanged(&directory, &name, loaded)?;
    let mode = match rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Mode::from_raw_mode(found.st_mode) & Mode::from_raw_mode(0o777),
        Err(Errno::NOENT) => Mode::from_raw_mode(NEW_MODE),
        Err(error) => return Err(error.into()),
    };
    // A name that the reading of the directory passes over.
    let draft = format!(".{name}.{}.tmp", std::process::id());
    let written = write(&directory, &draft, bytes, mode)
        .and_then(|()| unchanged(&directory, &name, loaded))
        .and_then(|()| put(&directory, &draft, &name, loaded.is_none()));
    if written.is_err() {
        // Where it is gone already there is nothing to remove.
        let _ = rustix::fs::unlinkat(&directory, &draft, AtFlags::empty());
    }
    written?;
    rustix::fs::fsync(&directory)?;
    Ok(())
}

/// That what lies there is what was loaded.
fn unchanged(directory: &OwnedFd, name: &str, loaded: Option<&Hash>) -> Result<(), SaveError> {
    match (look_in(directory, name)?, loaded) {
        (Lying::Nothing, None) => Ok(()),
        (Lying::File { hash, .. }, Some(loaded)) if hash == *loaded => Ok(()),
        (Lying::Other(odd), _) => Err(SaveError::Other(odd)),
        _ => Err(SaveError::Changed),
    }
}

fn write(directory: &OwnedFd, draft: &str, bytes: &[u8], mode: Mode) -> Result<(), SaveError> {
    // What an end of the daemon in between has left.
    match rustix::fs::unlinkat(directory, draft, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, draft, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(file);
    file.write_all(bytes)?;
    rustix::fs::fchmod(&file, mode)?;
    file.sync_all()?;
    Ok(())
}

fn put(directory: &OwnedFd, draft: &str, name: &str, is_new: bool) -> Result<(), SaveError> {
    if !is_new {
        rustix::fs::renameat(directory, draft, directory, name)?;
        return Ok(());
    }
    match rustix::fs::renameat_with(directory, draft, directory, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(SaveError::Changed),
        // A file system that does not know how: it was looked at a moment ago.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::renameat(directory, draft, directory, name)?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn wang() -> PatientId {
        "wang".parse().unwrap()
    }

    fn loaded(directory: &Path) -> Option<Hash> {
        match look(directory, &wang()).unwrap() {
            Lying::Nothing => None,
            Lying::File { hash, .. } => Some(hash),
            Lying::Other(odd) => panic!("{odd}"),
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let all = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = all
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_saved_text_stands_there_byte_for_byte_and_keeps_its_permissions() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wang.toml");
        fs::write(&path, "# old\n").unwrap();
        for mode in [0o600, 0o640, 0o664] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let text = format!("# comments stay {mode}\r\nname = \"王\"\n");
            let hash = loaded(directory.path());
            save(directory.path(), &wang(), text.as_bytes(), hash.as_ref()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let kept = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
            assert_eq!(kept, mode);
        }
        assert_eq!(names(directory.path()), ["wang.toml"], "no draft is left");
    }

    #[test]
    fn a_new_plan_is_made_where_there_is_none_and_never_over_another() {
        let directory = tempfile::tempdir().unwrap();
        save(directory.path(), &wang(), b"first", None).unwrap();
        let path = directory.path().join("wang.toml");
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, NEW_MODE);
        let again = save(directory.path(), &wang(), b"second", None);
        assert!(matches!(again, Err(SaveError::Changed)), "{again:?}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(directory.path()), ["wang.toml"]);
    }

    #[test]
    fn what_has_changed_underneath_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wang.toml");
        fs::write(&path, "loaded").unwrap();
        let hash = loaded(directory.path()).unwrap();
        fs::write(&path, "edited on disk").unwrap();
        let saved = save(directory.path(), &wang(), b"mine", Some(&hash));
        assert!(matches!(saved, Err(SaveError::Changed)), "{saved:?}");
        assert_eq!(fs::read(&path).unwrap(), b"edited on disk");
        fs::remove_file(&path).unwrap();
        let saved = save(directory.path(), &wang(), b"mine", Some(&hash));
        assert!(matches!(saved, Err(SaveError::Changed)), "{saved:?}");
        assert_eq!(names(directory.path()), [] as [&str; 0]);
    }

    #[test]
    fn links_pipes_and_directories_are_neither_read_nor_written() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let secret = elsewhere.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let path = directory.path().join("wang.toml");
        let odd = |expected: Odd| {
            let Lying::Other(odd) = look(directory.path(), &wang()).unwrap() else {
                panic!("nothing of it may be read");
            };
            assert_eq!(odd, expected);
            for loaded in [None, Some(&hash(b"secret"))] {
                let saved = save(directory.path(), &wang(), b"mine", loaded);
                assert!(matches!(saved, Err(SaveError::Other(odd)) if odd == expected));
            }
        };
        symlink(&secret, &path).unwrap();
        odd(Odd::Link);
        assert_eq!(fs::read(&secret).unwrap(), b"secret");
        fs::remove_file(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        odd(Odd::Link);
        fs::remove_file(&path).unwrap();
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0).unwrap();
        odd(Odd::NotRegular);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        odd(Odd::NotRegular);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, vec![b' '; PLAN_BYTES_MAX as usize + 1]).unwrap();
        odd(Odd::TooLarge);
    }

    #[test]
    fn a_draft_that_an_end_has_left_is_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        let draft = format!(".wang.toml.{}.tmp", std::process::id());
        fs::write(directory.path().join(draft), "half").unwrap();
        save(directory.path(), &wang(), b"whole", None).unwrap();
        assert_eq!(names(directory.path()), ["wang.toml"]);
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error_and_nothing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("plans.d");
        assert!(!is_writable(&absent));
        assert!(is_writable(directory.path()));
        assert!(matches!(look(&absent, &wang()).unwrap(), Lying::Nothing));
        assert!(matches!(
            save(&absent, &wang(), b"x", None),
            Err(SaveError::Io(_))
        ));
        assert!(!absent.exists());
    }
}
