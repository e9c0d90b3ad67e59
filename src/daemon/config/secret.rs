//! The file of a secret: read only when nobody else can read it.

use super::error::{ConfigError, ConfigErrorKind};
use super::values::resolve;
use crate::daemon::small_file::{self, SmallFileError};
use crate::messaging::Secret;
use crate::plan::diagnostic::{Diagnostic, Source};
use serde_spanned::Spanned;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A secret is a line; anything larger is the wrong file.
const SECRET_BYTES_MAX: u64 = 4096;

/// Where a secret lies, and where the configuration says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretFile {
    /// Absolute.
    pub path: PathBuf,
    /// In `$CREDENTIALS_DIRECTORY`: the service manager guards the directory and gives the files
    /// mode 0440, owned by root.
    pub credential: bool,
    /// The key's value in the configuration.
    pub span: Range<usize>,
}

impl SecretFile {
    /// The file that a key of the configuration names: in the directory of credentials where the
    /// service manager sets one, else in that of the configuration.
    pub fn below(directory: &Path, credentials: Option<&Path>, given: &Spanned<&str>) -> Self {
        let path = resolve(credentials.unwrap_or(directory), given.get_ref());
        // A path that leaves the directory leaves its guard.
        let inside = !path.components().any(|part| part == Component::ParentDir);
        let credential = inside && credentials.is_some_and(|guarded| path.starts_with(guarded));
        Self {
            path,
            credential,
            span: given.span(),
        }
    }

    /// Reads the secret, without the line break at its end.
    ///
    /// # Errors
    /// The file is missing, empty or no text; or may be read by others, or not by this process.
    pub fn read(&self, config: &Arc<Source>) -> Result<Secret, ConfigError> {
        let (bytes, metadata) =
            small_file::read(&self.path, SECRET_BYTES_MAX).map_err(|error| {
                let kind = match error {
                    SmallFileError::Missing
                    | SmallFileError::NotRegular
                    | SmallFileError::TooLarge { .. } => ConfigErrorKind::Invalid,
                    SmallFileError::Denied => ConfigErrorKind::Denied,
                    SmallFileError::Io(_) => ConfigErrorKind::Io,
                };
                self.refuse(config, kind, &format!("cannot be read: {error}"), None)
            })?;
        let mode = metadata.permissions().mode() & 0o777;
        let forbidden = if self.credential { 0o037 } else { 0o077 };
        if mode & forbidden != 0 {
            let help = format!("chmod 600 {}", self.path.display());
            let message = format!("can be read by others (mode {mode:04o})");
            let help = (!self.credential).then_some(help);
            return Err(self.refuse(config, ConfigErrorKind::Exposed, &message, help));
        }
        let invalid =
            |message: &str| Err(self.refuse(config, ConfigErrorKind::Invalid, message, None));
        // The bytes themselves never reach a message.
        let Ok(text) = String::from_utf8(bytes) else {
            return invalid("is not a text");
        };
        let text = text.trim();
        if text.is_empty() {
            return invalid("is empty");
        }
        if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return invalid("holds more than one word");
        }
        Ok(Secret::new(text))
    }

    fn refuse(
        &self,
        config: &Arc<Source>,
        kind: ConfigErrorKind,
        message: &str,
        help: Option<String>,
    ) -> ConfigError {
        let message = format!("the secret file {} {message}", self.path.display());
        let diagnostic = Diagnostic::error(config, self.span.clone(), message);
        let diagnostic = match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        };
        ConfigError::new(kind, vec![diagnostic])
    }
}
