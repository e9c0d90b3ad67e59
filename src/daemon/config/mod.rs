//! The daemon's configuration: typed, complete, its paths resolved.
//!
//! The text is read once, here; nothing else knows a key's name or looks into the process's
//! environment. `config.example.toml` explains every key.
//!
//! A relative path is relative to what its key says: `store.path` to `$STATE_DIRECTORY`,
//! `wechat.secret_file` and the other secrets to `$CREDENTIALS_DIRECTORY`, `http.admin` to `$RUNTIME_DIRECTORY` (the
//! directories a service manager hands to a daemon), everything else, and these three where the
//! variable is not set, to the directory of the configuration file (`http.admin`: of the store).

mod callback;
mod deadman;
mod error;
mod keys;
mod read;
mod secret;
mod talk;
pub mod values;

pub use callback::{Callback, CallbackSecrets};
pub use error::{ConfigError, ConfigErrorKind};
pub use keys::{TABLES, TableKeys};
pub use talk::{Role, Staff, Talk};

use super::small_file::{self, SmallFileError};
use crate::messaging::wechat::template::Templates;
use crate::messaging::{Limits, Ping, Secret, console};
use crate::plan::Defaults;
use crate::plan::diagnostic::{Diagnostic, Severity, Source};
use jiff::SignedDuration;
use secret::SecretFile;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Most bytes of a configuration file; it may hold many patients.
const CONFIG_BYTES_MAX: u64 = 64 << 20;
/// A bundle of all public authorities has a quarter of this.
const CA_BYTES_MAX: u64 = 1 << 20;

/// What the process's environment says, read once at its start.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Where relative paths of the command line begin; empty where it is unknown.
    pub current_directory: PathBuf,
    /// `$STATE_DIRECTORY`: where the service manager wants the store.
    pub state_directory: Option<PathBuf>,
    /// `$CREDENTIALS_DIRECTORY`: where the service manager puts secrets.
    pub credentials_directory: Option<PathBuf>,
    /// `$RUNTIME_DIRECTORY`: where the service manager wants sockets.
    pub runtime_directory: Option<PathBuf>,
    /// `$DOSED_LOG`: overrides `log.level`.
    pub log: Option<String>,
    /// `$JOURNAL_STREAM`: device and inode of the stream that the journal reads.
    pub journal_stream: Option<String>,
}

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            current_directory: std::env::current_dir().unwrap_or_default(),
            state_directory: first_directory(std::env::var_os("STATE_DIRECTORY")),
            credentials_directory: first_directory(std::env::var_os("CREDENTIALS_DIRECTORY")),
            runtime_directory: first_directory(std::env::var_os("RUNTIME_DIRECTORY")),
            log: text("DOSED_LOG"),
            journal_stream: text("JOURNAL_STREAM"),
        }
    }
}

/// A unit with several directories of a kind gets them in one variable, separated by colons.
fn first_directory(value: Option<OsString>) -> Option<PathBuf> {
    std::env::split_paths(&value?).find(|path| path.is_absolute())
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file's path, absolute.
    pub path: PathBuf,
    /// Its text: inline patients are read out of it, and diagnostics point into it.
    pub source: Arc<Source>,
    /// `[clinic]` and what plans inherit.
    pub clinic: Clinic,
    /// `[store]`
    pub store: Store,
    /// `[http]`
    pub http: Http,
    /// `[messaging]`, with the channel's own table.
    pub messaging: Messaging,
    /// `[log]`
    pub log: Log,
    /// The clinic's talks with patients, and its staff.
    pub talk: Talk,
    /// Who is told regularly that the daemon works.
    pub deadman: Option<Ping>,
    /// What is accepted and may not be meant.
    pub warnings: Vec<Diagnostic>,
}

/// The clinic, and what its patients' plans inherit.
#[derive(Clone, Debug, PartialEq)]
pub struct Clinic {
    /// The name in messages; may be empty.
    pub name: String,
    /// The plan directory, absolute. It need not exist.
    pub plans: PathBuf,
    /// Whether plans are read again when the directory has changed.
    pub watch: bool,
    /// What plans inherit where they are silent.
    pub defaults: Defaults,
}

/// Where the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The store's file, absolute.
    pub path: PathBuf,
    /// Page cache, in bytes.
    pub cache_bytes: u64,
    /// How long the journal, and the plans of patients who have left, are kept.
    pub keep: SignedDuration,
    /// The directory of the nightly backups, absolute.
    pub backups: PathBuf,
    /// How many of them are kept; 0: none is made.
    pub backups_keep: usize,
    /// The directory of the weekly reports, absolute.
    pub reports: PathBuf,
    /// Of how many weeks they are kept; 0: none is made.
    pub reports_keep: usize,
}

/// Where the daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Health and metrics; port 0 takes a free one.
    pub private: SocketAddr,
    /// The callback of the platform and the patients' page; `None` serves nothing to the outside.
    pub public: Option<SocketAddr>,
    /// The address at which patients' phones reach `public`, without a slash at its end; `None`
    /// serves no page.
    pub public_url: Option<String>,
    /// The administration socket, absolute.
    pub admin: PathBuf,
}

/// How messages leave.
#[derive(Clone, Debug)]
pub struct Messaging {
    /// Where they go.
    pub channel: Channel,
    /// Most requests under way at once.
    pub concurrency: NonZeroUsize,
    /// Most messages a second; `None` is no limit of our own.
    pub rate: Option<NonZeroU32>,
    /// Most messages within an hour; `None` is what the number of patients says.
    pub hourly_max: Option<NonZeroU64>,
    /// Time limit of one request.
    pub timeout: Duration,
}

/// The channel of all messages.
#[derive(Clone, Debug)]
pub enum Channel {
    /// Standard output.
    Console(console::Format),
    /// A WeChat Official Account.
    WeChat(Box<WeChat>),
}

/// The account whose template messages are sent. The secret is not part of it: see
/// [`Config::secret`].
#[derive(Clone)]
pub struct WeChat {
    /// Scheme, host and perhaps port and path.
    pub api_base: String,
    /// The account.
    pub appid: String,
    /// Certificates (PEM) that are trusted besides the system's, absolute.
    pub ca_file: Option<PathBuf>,
    /// The templates, compiled.
    pub templates: Templates,
    /// Where and how the platform pushes; there if `http.public` is.
    pub callback: Option<Callback>,
    secret_file: SecretFile,
}

impl WeChat {
    /// Where the account's secret lies, absolute.
    #[must_use]
    pub fn secret_path(&self) -> &Path {
        &self.secret_file.path
    }
}

impl std::fmt::Debug for WeChat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeChat")
            .field("api_base", &self.api_base)
            .field("appid", &self.appid)
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or a filter of `tracing_subscriber::EnvFilter`; `$DOSED_LOG` has been applied.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Journald's under journald, else human.
    Auto,
    /// Level prefixes, no timestamps.
    Journald,
    /// Timestamps, for reading.
    Human,
    /// A JSON object a line.
    Json,
}

impl Config {
    /// Whether patients can answer: only where what they write, or press on their page, comes
    /// back.
    #[must_use]
    pub fn takes_answers(&self) -> bool {
        let writes = matches!(self.messaging.channel, Channel::WeChat(_));
        self.http.public.is_some() && (writes || self.http.public_url.is_some())
    }

    /// Reads and checks a configuration file. Secrets are not read: see [`Config::secret`].
    ///
    /// # Errors
    /// The file cannot be read, or says something wrong; all that is wrong is listed.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let (bytes, _) = small_file::read(path, CONFIG_BYTES_MAX).map_err(|error| {
            let kind = match error {
                SmallFileError::Missing => ConfigErrorKind::Missing,
                SmallFileError::Denied => ConfigErrorKind::Denied,
                SmallFileError::NotRegular
                | SmallFileError::TooLarge { .. }
                | SmallFileError::Io(_) => ConfigErrorKind::Io,
            };
            let message = format!("the configuration file cannot be read: {error}");
            ConfigError::new(
                kind,
                vec![Diagnostic::about_file(Severity::Error, path, message)],
            )
        })?;
        let source = Source::from_bytes(path, bytes)
            .map_err(|error| ConfigError::new(ConfigErrorKind::Invalid, vec![error]))?;
        Self::parse(&source, environment)
    }

    /// Checks a configuration's text. Pure: `source`'s path is only a name here.
    ///
    /// # Errors
    /// All that is wrong in the text.
    pub fn parse(source: &Arc<Source>, environment: &Environment) -> Result<Self, ConfigError> {
        read::config(source, environment)
            .map_err(|findings| ConfigError::new(ConfigErrorKind::Invalid, findings))
    }

    /// Reads the account's secret; `None` for a channel that has none.
    ///
    /// # Errors
    /// The file is missing, empty, not to be read, or to be read by others.
    pub fn secret(&self) -> Result<Option<Secret>, ConfigError> {
        match &self.messaging.channel {
            Channel::Console(_) => Ok(None),
            Channel::WeChat(wechat) => wechat.secret_file.read(&self.source).map(Some),
        }
    }

    /// Reads the token and the key of the callback; `None` where there is none, or nothing to serve
    /// it on.
    ///
    /// # Errors
    /// As [`Config::secret`].
    pub fn callback_secrets(&self) -> Result<Option<CallbackSecrets>, ConfigError> {
        match &self.messaging.channel {
            Channel::WeChat(wechat) if self.http.public.is_some() => {
                let callback = wechat.callback.as_ref();
                callback
                    .map(|callback| callback.secrets(&self.source))
                    .transpose()
            }
            Channel::WeChat(_) | Channel::Console(_) => Ok(None),
        }
    }

    /// What the channel's messages can hold.
    #[must_use]
    pub fn limits(&self) -> Limits {
        match &self.messaging.channel {
            Channel::Console(_) => Limits::Unlimited,
            Channel::WeChat(wechat) => Limits::WeChat(wechat.templates.clone()),
        }
    }

    /// Reads the certificates of `wechat.ca_file`; `None` where there is no such key.
    ///
    /// # Errors
    /// The file cannot be read. Whether it holds certificates is for the channel to say.
    pub fn ca_pem(&self) -> Result<Option<Vec<u8>>, ConfigError> {
        let Channel::WeChat(wechat) = &self.messaging.channel else {
            return Ok(None);
        };
        let Some(path) = &wechat.ca_file else {
            return Ok(None);
        };
        match small_file::read(path, CA_BYTES_MAX) {
            Ok((bytes, _)) => Ok(Some(bytes)),
            Err(error) => {
                let kind = match error {
                    SmallFileError::Denied => ConfigErrorKind::Denied,
                    SmallFileError::Io(_) => ConfigErrorKind::Io,
                    SmallFileError::Missing
                    | SmallFileError::NotRegular
                    | SmallFileError::TooLarge { .. } => ConfigErrorKind::Invalid,
                };
                let message = format!("the certificates cannot be read: {error}");
                let diagnostic = Diagnostic::about_file(Severity::Error, path, message);
                Err(ConfigError::new(kind, vec![diagnostic]))
            }
        }
    }

    /// The keys that differ in `new` and of which a reload takes no notice: those of the store, the
    /// listeners, the log and the channel. A reload takes up all the others.
    #[must_use]
    pub fn restart_keys_changed(&self, new: &Config) -> Vec<&'static str> {
        let (old_sending, new_sending) = (&self.messaging, &new.messaging);
        let mut keys = vec![
            ("store.path", self.store.path != new.store.path),
            (
                "store.cache",
                self.store.cache_bytes != new.store.cache_bytes,
            ),
            ("store.keep", self.store.keep != new.store.keep),
            ("store.backups", self.store.backups != new.store.backups),
            (
                "store.backups_keep",
                self.store.backups_keep != new.store.backups_keep,
            ),
            ("store.reports", self.store.reports != new.store.reports),
            (
                "store.reports_keep",
                self.store.reports_keep != new.store.reports_keep,
            ),
            ("http.private", self.http.private != new.http.private),
            ("http.public", self.http.public != new.http.public),
            (
                "http.public_url",
                self.http.public_url != new.http.public_url,
            ),
            ("http.admin", self.http.admin != new.http.admin),
            ("log.level", self.log.level != new.log.level),
            ("log.format", self.log.format != new.log.format),
            (
                "messaging.concurrency",
                old_sending.concurrency != new_sending.concurrency,
            ),
            (
                "messaging.timeout",
                old_sending.timeout != new_sending.timeout,
            ),
        ];
        match (&old_sending.channel, &new_sending.channel) {
            (Channel::Console(old), Channel::Console(new)) => {
                keys.push(("messaging.format", old != new));
            }
            (Channel::WeChat(old), Channel::WeChat(new)) => {
                keys.extend(callback_keys(old, new));
                keys.extend([
                    ("wechat.api_base", old.api_base != new.api_base),
                    ("wechat.appid", old.appid != new.appid),
                    ("wechat.ca_file", old.ca_file != new.ca_file),
                    (
                        "wechat.secret_file",
                        old.secret_file.path != new.secret_file.path,
                    ),
                ]);
            }
            (Channel::Console(_), Channel::WeChat(_))
            | (Channel::WeChat(_), Channel::Console(_)) => keys.push(("messaging.channel", true)),
        }
        keys.into_iter()
            .filter_map(|(key, changed)| changed.then_some(key))
            .collect()
    }
}

/// The keys of the callback, and whether each differs.
fn callback_keys(old: &WeChat, new: &WeChat) -> [(&'static str, bool); 5] {
    let (old, new) = (old.callback.as_ref(), new.callback.as_ref());
    let path = |file: &SecretFile| file.path.clone();
    [
        (
            "wechat.original_id",
            old.map(|it| &it.original_id) != new.map(|it| &it.original_id),
        ),
        (
            "wechat.callback_path",
            old.map(|it| &it.path) != new.map(|it| &it.path),
        ),
        (
            "wechat.token_file",
            old.map(|it| path(&it.token_file)) != new.map(|it| path(&it.token_file)),
        ),
        (
            "wechat.aes_key_file",
            old.map(|it| it.aes_key_file.as_ref().map(path))
                != new.map(|it| it.aes_key_file.as_ref().map(path)),
        ),
        (
            "wechat.mode",
            old.map(|it| it.mode) != new.map(|it| it.mode),
        ),
    ]
}

#[cfg(test)]
mod tests;
