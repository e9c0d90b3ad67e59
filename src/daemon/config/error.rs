//! Why a configuration was refused.

use crate::plan::diagnostic::Diagnostic;
use std::fmt;

/// A configuration that was refused, with all that is wrong with it.
///
/// Neither `Display` nor the diagnostics carry a secret.
#[derive(Debug)]
pub struct ConfigError {
    /// Which sort of refusal: it decides the exit code.
    pub kind: ConfigErrorKind,
    /// What is wrong; never empty.
    pub diagnostics: Vec<Diagnostic>,
}

/// The sorts of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// There is no such file.
    Missing,
    /// A file may not be read by this process.
    Denied,
    /// A secret may be read by others.
    Exposed,
    /// A file cannot be read.
    Io,
    /// The text is wrong, or a secret is missing.
    Invalid,
}

impl ConfigError {
    /// What is wrong, and where.
    #[must_use]
    pub(in crate::daemon) fn new(kind: ConfigErrorKind, diagnostics: Vec<Diagnostic>) -> Self {
        Self { kind, diagnostics }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.diagnostics.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(diagnostic, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
