//! Exit codes, after sysexits(3).

use crate::daemon::config::{ConfigError, ConfigErrorKind};
use std::process::ExitCode;

/// How a command ended: the one list of exit codes.
///
/// A service manager must not restart the daemon after 64, 65, 66, 77 and 78: only a person can
/// mend those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Done, and the answer is no: findings, something is not well.
    Findings = 1,
    /// The command line is wrong.
    Usage = 64,
    /// Data handed in cannot be used (import, restore).
    BadData = 65,
    /// An input does not exist, e.g. the configuration file.
    NoInput = 66,
    /// A service that was asked cannot be reached.
    Unavailable = 69,
    /// A fault of the program itself.
    Internal = 70,
    /// An output cannot be created.
    CannotCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// Another daemon holds the store.
    Locked = 75,
    /// Permissions are missing, or too wide: a secret that others can read.
    Permission = 77,
    /// The configuration is wrong, a secret is missing, the store is from a newer version.
    Config = 78,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Exit; 12] = [
        Exit::Ok,
        Exit::Findings,
        Exit::Usage,
        Exit::BadData,
        Exit::NoInput,
        Exit::Unavailable,
        Exit::Internal,
        Exit::CannotCreate,
        Exit::Io,
        Exit::Locked,
        Exit::Permission,
        Exit::Config,
    ];

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

impl From<&ConfigError> for Exit {
    fn from(error: &ConfigError) -> Self {
        match error.kind {
            ConfigErrorKind::Missing => Exit::NoInput,
            ConfigErrorKind::Denied | ConfigErrorKind::Exposed => Exit::Permission,
            ConfigErrorKind::Io => Exit::Io,
            ConfigErrorKind::Invalid => Exit::Config,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_sysexits() {
        let numbers: Vec<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
        assert_eq!(numbers, [0, 1, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78]);
    }
}
