//! What lies in the plan directory: names and stamps, no contents.

use crate::plan::diagnostic::{Diagnostic, Severity};
use crate::plan::{PatientId, PatientIdError};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file that was changed this recently may change again within the same tick of the file
/// system's stamps, and look unchanged.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// The plan directory as it was listed.
#[derive(Debug, Default)]
pub struct Scan {
    /// The plan files by patient.
    pub files: BTreeMap<PatientId, PlanFile>,
    /// Names that belong to no patient: foreign files (warnings), names that no patient can have
    /// (errors).
    pub strays: Vec<Diagnostic>,
}

/// One plan file, not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    /// The directory's path and the file's name.
    pub path: PathBuf,
    /// `None` when only reading can tell whether it has changed.
    pub stamp: Option<Stamp>,
}

/// What tells that a file has not changed since it was read: equal stamps, equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified_ns: i128,
    changed_ns: i128,
    size_bytes: u64,
    inode: u64,
    device: u64,
}

impl Stamp {
    /// The stamp of a file; `None` when it was changed so recently that a further change might
    /// not show.
    ///
    /// `now` is of the machine's clock, which is the file system's.
    #[must_use]
    pub fn of(metadata: &Metadata, now: SystemTime) -> Option<Self> {
        let nanos =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let changed_ns = nanos(metadata.ctime(), metadata.ctime_nsec());
        let now_ns = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos());
        let settled_ns = changed_ns + SETTLED_AFTER.as_nanos() as i128;
        (now_ns as i128 > settled_ns).then(|| Self {
            modified_ns: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns,
            size_bytes: metadata.size(),
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }
}

/// Why the plan directory could not be listed. Nothing may be concluded of the plans then.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It does not exist.
    #[error("the plan directory {0} does not exist")]
    Missing(PathBuf),
    /// It cannot be listed, or not to its end.
    #[error("the plan directory {path} cannot be read: {error}")]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl ScanError {
    /// As a finding.
    #[must_use]
    pub fn diagnostic(&self, severity: Severity) -> Diagnostic {
        let (Self::Missing(path) | Self::Unreadable { path, .. }) = self;
        Diagnostic::about_file(severity, path, self.to_string())
    }
}

/// Lists the plan directory. Nothing in it is opened.
///
/// # Errors
/// The directory is not there, or cannot be listed to its end.
pub fn scan(directory: &Path) -> Result<Scan, ScanError> {
    let mut files = BTreeMap::new();
    let strays = walk(directory, |id, file| {
        let path = directory.join(file.name);
        let stamp = file.stamp;
        files.insert(id, PlanFile { path, stamp });
    })?;
    Ok(Scan { files, strays })
}

/// A plan file that a walk came to.
pub(super) struct Listed {
    /// The file's name.
    pub name: OsString,
    /// As of [`PlanFile`].
    pub stamp: Option<Stamp>,
}

/// Comes to each plan file of the directory, in no order, and returns the names that belong to no
/// patient. However many there are, nothing is kept of them here.
pub(super) fn walk(
    directory: &Path,
    mut take: impl FnMut(PatientId, Listed),
) -> Result<Vec<Diagnostic>, ScanError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ScanError::Missing(directory.to_path_buf()),
        _ => ScanError::Unreadable {
            path: directory.to_path_buf(),
            error,
        },
    };
    let mut strays = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        // An entry that cannot be listed might be anybody's plan.
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let stray =
            |severity, message: String| Diagnostic::about_file(severity, entry.path(), message);
        match classify(&name) {
            Name::Leftover => {}
            Name::Foreign => strays.push(stray(
                Severity::Warning,
                "this is not a plan: plans are files named ID.toml".to_owned(),
            )),
            Name::Bad(error) => strays.push(
                stray(
                    Severity::Error,
                    format!("no patient can have this id: {error}"),
                )
                .with_help("rename the file, e.g. to wang-xiulan.toml"),
            ),
            Name::Plan(id) => match metadata(&entry) {
                // Renamed away between the listing and this line: the next scan sees where to.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link(&entry) => {}
                Err(_) => take(id, Listed { name, stamp: None }),
                Ok(metadata) => {
                    let stamp = Stamp::of(&metadata, SystemTime::now());
                    take(id, Listed { name, stamp });
                }
            },
        }
    }
    strays.sort_by_cached_key(Diagnostic::sort_key);
    Ok(strays)
}

/// What a directory's entry, or what it links to, is. Only a link takes a walk along its path.
fn metadata(entry: &fs::DirEntry) -> io::Result<Metadata> {
    if is_link(entry) {
        fs::metadata(entry.path())
    } else {
        entry.metadata()
    }
}

/// A link that leads nowhere is a plan that cannot be read, not one that is gone.
fn is_link(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_symlink())
}

/// What a file's name says.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    /// An editor's or the system's own.
    Leftover,
    /// Not named like a plan.
    Foreign,
    /// Named like a plan, but of nobody.
    Bad(PatientIdError),
    /// A plan.
    Plan(PatientId),
}

fn classify(name: &OsStr) -> Name {
    let bytes = name.as_bytes();
    let autosave = bytes.len() > 1 && bytes.starts_with(b"#") && bytes.ends_with(b"#");
    let leftover = [&b"~"[..], b".swp", b".tmp"]
        .iter()
        .any(|ending| bytes.ends_with(ending));
    if bytes.starts_with(b".") || autosave || leftover {
        return Name::Leftover;
    }
    let Some(stem) = bytes.strip_suffix(b".toml") else {
        return Name::Foreign;
    };
    match String::from_utf8_lossy(stem).parse() {
        Ok(id) => Name::Plan(id),
        Err(error) => Name::Bad(error),
    }
}

/// The id that a plan file's name gives, for files that are named one by one.
///
/// # Errors
/// The name is no patient's.
pub fn id_of_path(path: &Path) -> Result<PatientId, PatientIdError> {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn names_say_what_a_file_is() {
        for leftover in [
            ".#a.toml",
            ".a.toml.swp",
            "a.toml~",
            "a.swp",
            "a.tmp",
            "#a.toml#",
            ".git",
            "..data",
        ] {
            assert_eq!(classify(OsStr::new(leftover)), Name::Leftover, "{leftover}");
        }
        for foreign in ["readme.md", "a", "a.TOML", "a.toml.bak", "archive", "#"] {
            assert_eq!(classify(OsStr::new(foreign)), Name::Foreign, "{foreign}");
        }
        for bad in [
            "Wang.toml",
            "王秀兰.toml",
            "a b.toml",
            "-a.toml",
            "a.b.toml",
        ] {
            assert!(matches!(classify(OsStr::new(bad)), Name::Bad(_)), "{bad}");
        }
        let raw = std::ffi::OsString::from_vec(b"\xff.toml".to_vec());
        assert!(matches!(classify(&raw), Name::Bad(_)));
        assert_eq!(
            classify(OsStr::new("p_1-2.toml")),
            Name::Plan("p_1-2".parse().unwrap())
        );
    }

    #[test]
    fn whatever_lies_in_the_directory_is_listed_without_being_opened() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("a.toml"), "").unwrap();
        fs::write(at("notes.txt"), "").unwrap();
        fs::write(at("Bad.toml"), "").unwrap();
        fs::write(at("a.toml~"), "").unwrap();
        fs::create_dir(at("dir.toml")).unwrap();
        std::os::unix::fs::symlink("loop.toml", at("loop.toml")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling.toml")).unwrap();
        let (pipe, mode) = (at("pipe.toml"), rustix::fs::Mode::RUSR);
        rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();

        let scan = scan(directory.path()).unwrap();
        let ids: Vec<&str> = scan.files.keys().map(PatientId::as_str).collect();
        assert_eq!(ids, ["a", "dangling", "dir", "loop", "pipe"]);
        let strays: Vec<(String, bool)> = scan
            .strays
            .iter()
            .map(|stray| {
                let name = stray.source().path().file_name().unwrap();
                (name.to_string_lossy().into_owned(), stray.is_error())
            })
            .collect();
        assert_eq!(
            strays,
            [
                ("Bad.toml".to_owned(), true),
                ("notes.txt".to_owned(), false)
            ]
        );
    }

    #[test]
    fn a_directory_that_cannot_be_listed_is_no_empty_directory() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("plans.d");
        assert!(matches!(scan(&absent), Err(ScanError::Missing(_))));
        fs::write(&absent, "").unwrap();
        let error = scan(&absent).unwrap_err();
        assert!(matches!(error, ScanError::Unreadable { .. }));
        assert!(
            error
                .diagnostic(Severity::Error)
                .message()
                .contains("plans.d")
        );
    }

    #[test]
    fn stamps_tell_a_changed_file_and_trust_no_fresh_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        let later = SystemTime::now() + Duration::from_secs(60);
        let stamp = |now| Stamp::of(&fs::metadata(&path).unwrap(), now);

        fs::write(&path, "1").unwrap();
        assert_eq!(stamp(SystemTime::now()), None, "just written");
        let first = stamp(later);
        assert!(first.is_some());
        assert_eq!(stamp(later), first);
        fs::write(&path, "12").unwrap();
        assert_ne!(stamp(later), first, "another size");
        fs::remove_file(&path).unwrap();
        let other = directory.path().join("other");
        fs::write(&other, "1").unwrap();
        fs::write(&path, "1").unwrap();
        assert_ne!(stamp(later), first, "another file of the same size");
    }
}
