//! Reading a small regular file: whatever lies at the path, never blocking and never more than
//! was asked for.

use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum SmallFileError {
    /// Nothing is there.
    #[error("it does not exist")]
    Missing,
    /// This process may not.
    #[error("permission denied")]
    Denied,
    /// A directory, a pipe, a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// More bytes than the limit.
    #[error("it is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// Anything else.
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for SmallFileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A path below a file names nothing either.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SmallFileError::Missing,
            io::ErrorKind::PermissionDenied => SmallFileError::Denied,
            _ => SmallFileError::Io(error),
        }
    }
}

/// Reads a regular file of at most `limit_bytes`; symbolic links are followed. The metadata is
/// that of the file that was read.
///
/// # Errors
/// See [`SmallFileError`].
pub fn read(path: &Path, limit_bytes: u64) -> Result<(Vec<u8>, Metadata), SmallFileError> {
    // Without O_NONBLOCK the open of a pipe that nobody writes to would wait for ever.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path);
    let file: File = file.map_err(|error| match error.raw_os_error() {
        // A socket cannot be opened at all.
        Some(code) if code == rustix::io::Errno::NXIO.raw_os_error() => SmallFileError::NotRegular,
        _ => SmallFileError::from(error),
    })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(SmallFileError::NotRegular);
    }
    if metadata.len() > limit_bytes {
        return Err(SmallFileError::TooLarge { limit_bytes });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // The file may grow while it is read.
    (&file).take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(SmallFileError::TooLarge { limit_bytes });
    }
    Ok((bytes, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_small_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), "12345").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        std::os::unix::fs::symlink("absent", at("dangling")).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();

        assert_eq!(read(&at("file"), 5).unwrap().0, b"12345");
        assert_eq!(read(&at("link"), 5).unwrap().0, b"12345");
        for (name, limit, message) in [
            ("file", 4, "it is larger than 4 bytes"),
            ("absent", 4, "it does not exist"),
            ("dangling", 4, "it does not exist"),
            ("file/below", 4, "it does not exist"),
            ("directory", 4, "it is not a regular file"),
            ("pipe", 4, "it is not a regular file"),
            ("socket", 4, "it is not a regular file"),
        ] {
            assert_eq!(
                read(&at(name), limit).unwrap_err().to_string(),
                message,
                "{name}"
            );
        }
        assert!(matches!(read(&at("loop"), 4), Err(SmallFileError::Io(_))));
        assert!(matches!(
            read(Path::new("/dev/zero"), 4),
            Err(SmallFileError::NotRegular)
        ));
    }
}
