//! The callback address, in `[wechat]`.

use super::error::ConfigError;
use super::read::one_of;
use super::secret::SecretFile;
use crate::messaging::Secret;
use crate::messaging::wechat::callback::Mode;
use crate::plan::diagnostic::Source;
use crate::plan::reader::Table;
use std::path::Path;
use std::sync::Arc;

/// Where and how the platform pushes what contacts write. The token and the key are not part of
/// it: see [`super::Config::callback_secrets`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The address's path on the public listener; begins with a slash.
    pub path: String,
    /// How the platform pushes.
    pub mode: Mode,
    /// The account's original id, if messages for another are to be refused.
    pub original_id: Option<String>,
    pub(super) token_file: SecretFile,
    /// There in every mode but plain.
    pub(super) aes_key_file: Option<SecretFile>,
}

/// What only the platform and the account know.
pub struct CallbackSecrets {
    /// Of the signatures.
    pub token: Secret,
    /// The EncodingAESKey; none in plain mode.
    pub aes_key: Option<Secret>,
}

impl Callback {
    /// Reads the keys of `[wechat]`. Without `token_file` there is no callback, which is an error
    /// where one is `required`.
    pub(super) fn read(
        wechat: &Table<'_>,
        directory: &Path,
        credentials: Option<&Path>,
        required: bool,
    ) -> Option<Self> {
        let file = |key, example| {
            let given = if required {
                wechat.required_text(key, example)
            } else {
                wechat.text(key)
            };
            Some(SecretFile::below(directory, credentials, &given?))
        };
        let mode = match wechat.get("mode") {
            None => Some(Mode::default()),
            Some(value) => one_of(
                &value,
                &[
                    ("secure", Mode::Secure),
                    ("compatible", Mode::Compatible),
                    ("plain", Mode::Plain),
                ],
            ),
        };
        let path = match wechat.get("callback_path") {
            None => Some("/wechat".to_owned()),
            Some(value) => {
                let path = value.text().map(|text| text.into_inner().to_owned());
                if path.as_deref().is_some_and(|path| !is_path(path)) {
                    value.error_with_help(
                        "`callback_path` must be a slash and letters, digits, `-`, `_`, `.`, `/`",
                        "write e.g. callback_path = \"/wechat\"",
                    );
                }
                path
            }
        };
        let original_id = wechat
            .text("original_id")
            .map(|id| id.into_inner().trim().to_owned());
        let token_file = file("token_file", "token_file = \"wechat-token\"");
        let aes_key_file = match mode {
            Some(Mode::Plain) => None,
            _ => file("aes_key_file", "aes_key_file = \"wechat-aes-key\""),
        };
        if mode == Some(Mode::Plain)
            && let Some(value) = wechat.get("mode").filter(|_| required)
        {
            wechat.findings().warning(
                value.span(),
                "what contacts write travels unencrypted, and whoever sees one request of the \
                 platform can make others for ten minutes",
            );
        }
        let complete = mode? == Mode::Plain || aes_key_file.is_some();
        complete.then_some(Self {
            path: path?,
            mode: mode?,
            original_id,
            token_file: token_file?,
            aes_key_file,
        })
    }

    /// Reads the token and the key.
    ///
    /// # Errors
    /// A file is missing, empty, not to be read, or to be read by others.
    pub(super) fn secrets(&self, source: &Arc<Source>) -> Result<CallbackSecrets, ConfigError> {
        Ok(CallbackSecrets {
            token: self.token_file.read(source)?,
            aes_key: match &self.aes_key_file {
                Some(file) => Some(file.read(source)?),
                None => None,
            },
        })
    }
}

/// Whether a path is one of plain characters: none that a route or a proxy reads otherwise.
fn is_path(path: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    path.starts_with('/') && path.bytes().all(plain) && !path.contains("//")
}
