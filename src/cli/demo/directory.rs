//! The demo's files: a configuration, its secrets and the plans of five patients, in a directory of
//! their own that vanishes with the demo.

use crate::messaging::wechat::crypto::ENCODING_AES_KEY_LENGTH;
use jiff::civil::Date;
use std::collections::hash_map::RandomState;
use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The secret that both the sandbox and the configuration's secret file hold.
pub(super) const SECRET: &str = "demo-secret-of-the-sandbox";

const CONFIG: &str = include_str!("config.toml");
/// Stands in the configuration for the sandbox's address.
const API_BASE: &str = "http://sandbox.invalid";
/// Stands in plans for the demo's first day.
const TODAY: &str = "TODAY";
const PLANS: [(&str, &str); 5] = [
    ("chen-lele", include_str!("plans.d/chen-lele.toml")),
    ("emma-miller", include_str!("plans.d/emma-miller.toml")),
    ("li-guifang", include_str!("plans.d/li-guifang.toml")),
    ("wang-xiulan", include_str!("plans.d/wang-xiulan.toml")),
    ("zhang-jianguo", include_str!("plans.d/zhang-jianguo.toml")),
];
/// Tries to find a name that is not taken.
const TRIES: usize = 16;

/// Letters and digits of a token.
const TOKEN_LENGTH: usize = 24;
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A directory that only we may enter; removed with all that is in it when dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    token: String,
    aes_key: String,
}

impl Directory {
    /// Makes the directory below `parent` and fills it.
    pub(super) fn create(parent: &Path, api_base: &str, today: Date) -> io::Result<Self> {
        let directory = Self {
            path: make(parent)?,
            token: letters(TOKEN_LENGTH)?,
            aes_key: letters(ENCODING_AES_KEY_LENGTH)?,
        };
        directory.write("wechat-secret", SECRET)?;
        directory.write("wechat-token", &directory.token)?;
        directory.write("wechat-aes-key", &directory.aes_key)?;
        directory.write("config.toml", &CONFIG.replace(API_BASE, api_base))?;
        fs::create_dir(directory.path.join("plans.d"))?;
        for (patient, plan) in PLANS {
            let plan = plan.replace(TODAY, &today.to_string());
            directory.write(&format!("plans.d/{patient}.toml"), &plan)?;
        }
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// Where the daemon says that it is ready, and where it listens.
    pub(super) fn ready(&self) -> PathBuf {
        self.path.join("ready")
    }

    /// The token by which pushes are signed.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The key by which pushes are encrypted.
    pub(super) fn aes_key(&self) -> &str {
        &self.aes_key
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path.join(name))?;
        file.write_all(text.as_bytes())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is in the system's directory for such things.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// So many letters and digits that nobody can guess.
pub(super) fn letters(length: usize) -> io::Result<String> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        // Of the 64 values of six bits two are left out, so that each letter is as likely.
        let letters = bytes
            .iter()
            .filter_map(|byte| LETTERS.get(usize::from(byte & 63)));
        text.extend(letters.take(length - text.len()).map(|&it| char::from(it)));
    }
    Ok(text)
}

/// A new directory, entered by nobody else: an existing one is never taken over.
fn make(parent: &Path) -> io::Result<PathBuf> {
    let mut last = io::ErrorKind::AlreadyExists.into();
    for _ in 0..TRIES {
        let draw = RandomState::new().build_hasher().finish();
        let path = parent.join(format!("dosed-demo-{draw:016x}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::config::{Channel, Config, Environment};
    use crate::plan::{self, diagnostic::Source};
    use jiff::civil::date;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_directory_is_ours_alone_and_vanishes_with_all_that_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let directory = Directory::create(parent.path(), "http://x", date(2026, 3, 1)).unwrap();
        assert_eq!(mode(directory.path()), 0o700);
        for secret in ["wechat-secret", "wechat-token", "wechat-aes-key"] {
            assert_eq!(mode(&directory.path().join(secret)), 0o600, "{secret}");
        }
        fs::write(directory.path().join("dosed.redb"), "store").unwrap();
        drop(directory);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_configuration_is_good_and_leads_to_the_sandbox() {
        let parent = tempfile::tempdir().unwrap();
        let base = "http://127.0.0.1:8390";
        let directory = Directory::create(parent.path(), base, date(2026, 3, 1)).unwrap();
        let config = Config::load(&directory.config(), &Environment::default()).unwrap();
        let Channel::WeChat(wechat) = &config.messaging.channel else {
            panic!("the demo writes to WeChat");
        };
        assert_eq!(wechat.api_base, base);
        assert_eq!(wechat.appid, super::super::APPID);
        assert!(config.secret().unwrap().is_some());
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert!(config.store.path.starts_with(directory.path()));
        assert!(config.http.admin.starts_with(directory.path()));
    }

    #[test]
    fn token_and_key_are_another_pair_each_time() {
        let parent = tempfile::tempdir().unwrap();
        let make = || Directory::create(parent.path(), "http://x", date(2026, 3, 1)).unwrap();
        let (one, other) = (make(), make());
        assert_ne!(one.token(), other.token());
        assert_ne!(one.aes_key(), other.aes_key());
        for directory in [&one, &other] {
            let text = [directory.token(), directory.aes_key()].concat();
            assert_eq!(text.len(), TOKEN_LENGTH + ENCODING_AES_KEY_LENGTH);
            assert!(
                text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{text}"
            );
        }
    }

    #[test]
    fn every_plan_is_read_without_a_doubt_and_written_to_somebody_who_follows() {
        let parent = tempfile::tempdir().unwrap();
        let today = date(2026, 3, 1);
        let directory = Directory::create(parent.path(), "http://x", today).unwrap();
        let config = Config::load(&directory.config(), &Environment::default()).unwrap();
        let files = fs::read_dir(&config.clinic.plans).unwrap();
        let mut read: Vec<_> = files
            .map(|file| {
                let path = file.unwrap().path();
                let source = Source::from_bytes(&path, fs::read(&path).unwrap()).unwrap();
                plan::read(&source, &config.clinic.defaults).unwrap()
            })
            .collect();
        read.sort_by(|a, b| a.plan.wechat.cmp(&b.plan.wechat));
        for one in &read {
            assert!(one.warnings.is_empty(), "{:?}", one.warnings);
        }
        let patients = read.iter().map(|one| one.plan.wechat.clone());
        let caregivers = read.iter().flat_map(|one| &one.plan.caregivers);
        let caregivers = caregivers.map(|one| one.wechat.clone());
        let staff = config.talk.staff.iter().map(|one| one.wechat.clone());
        let mut contacts: Vec<_> = patients.chain(caregivers).chain(staff).collect();
        contacts.sort();
        let mut followers: Vec<_> = super::super::followers()
            .into_iter()
            .map(|follower| Some(follower.openid))
            .collect();
        followers.sort();
        assert_eq!(contacts, followers);
    }
}
