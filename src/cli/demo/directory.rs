//! The demo's files: a configuration, a secret and the plans of five patients, in a directory of
//! their own that vanishes with the demo.

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

/// A directory that only we may enter; removed with all that is in it when dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes the directory below `parent` and fills it.
    pub(super) fn create(parent: &Path, api_base: &str, today: Date) -> io::Result<Self> {
        let directory = Self {
            path: make(parent)?,
        };
        directory.write("wechat-secret", SECRET)?;
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
        assert_eq!(mode(&directory.path().join("wechat-secret")), 0o600);
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
        let contacts: Vec<_> = read.iter().map(|one| one.plan.wechat.clone()).collect();
        let mut followers: Vec<_> = super::super::followers()
            .into_iter()
            .map(|follower| Some(follower.openid))
            .collect();
        followers.sort();
        assert_eq!(contacts, followers);
    }
}
