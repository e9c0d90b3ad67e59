//! Watching the plan directory: told when it has changed and then been quiet.

use super::config::Config;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long it is waited for what.
#[derive(Clone, Copy)]
struct Pace {
    /// A save comes as several events: the plans are read when none has come for this long.
    quiet_for: Duration,
    /// A directory that cannot be watched (it is not there yet) is tried again after this.
    try_again: Duration,
    /// Another directory at the same path (moved there, mounted over it, behind a link) says
    /// nothing by itself: it is looked for this often.
    look_every: Duration,
}

const PACE: Pace = Pace {
    quiet_for: Duration::from_secs(2),
    try_again: Duration::from_secs(5),
    look_every: Duration::from_secs(5),
};

/// A watch on the plan directory, if the configuration wants one.
pub struct Watch {
    directory: Option<PathBuf>,
    pace: Pace,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// The directory that is watched.
    watched: Option<Identity>,
    /// When the directory was seen to change last, while that has not been reported.
    last_change: Option<Instant>,
}

impl Watch {
    /// Begins to watch.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self::on(wanted(config), PACE)
    }

    fn on(directory: Option<PathBuf>, pace: Pace) -> Self {
        let mut watch = Self {
            directory,
            pace,
            changed: Arc::new(Notify::new()),
            watcher: None,
            watched: None,
            last_change: None,
        };
        watch.begin();
        watch
    }

    /// Goes on after the configuration was read again. What has changed meanwhile is not forgotten:
    /// of another directory nobody knows whether it has.
    pub fn follow(&mut self, config: &Config) {
        let directory = wanted(config);
        if self.directory == directory {
            self.begin_again();
        } else {
            *self = Self::on(directory, self.pace);
            self.last_change = Some(Instant::now());
        }
    }

    fn begin_again(&mut self) {
        let (before, was_deaf) = (self.watched, self.watcher.is_none());
        self.begin();
        if self.watched != before || was_deaf && self.watcher.is_some() {
            self.last_change = Some(Instant::now());
        }
    }

    fn begin(&mut self) {
        let found = self.directory.as_deref().and_then(identity);
        let is_same = found.is_some() && found == self.watched;
        self.watched = found;
        let directory = self.directory.as_deref();
        let watcher = directory.and_then(|directory| begin(directory, &self.changed));
        // The system gives away only so many: where there is none more, the one before takes the
        // path anew.
        let before = self.watcher.take().filter(|_| is_same);
        self.watcher = watcher.or_else(|| {
            let mut before = before?;
            let again = before.watch(directory?, RecursiveMode::NonRecursive);
            again.is_ok().then_some(before)
        });
    }

    /// Whether what is at the path is what is watched, as far as can be told without a word of a
    /// change.
    async fn is_in_place(&self) -> bool {
        let Some(directory) = &self.directory else {
            return true;
        };
        let found = tokio::fs::metadata(directory).await.ok();
        self.watched.is_some() && self.watched == found.as_ref().and_then(identity_of)
    }

    /// Waits until the directory has changed and been quiet since. May be dropped and called
    /// again at any time.
    pub async fn changed_and_quiet(&mut self) {
        if self.directory.is_none() {
            return std::future::pending().await;
        }
        loop {
            if self.watcher.is_none() {
                tokio::time::sleep(self.pace.try_again).await;
                self.begin();
                if self.watcher.is_some() {
                    // It has come up: what is in it was not seen yet.
                    self.last_change = Some(Instant::now());
                }
                continue;
            }
            match self.last_change {
                None => tokio::select! {
                    () = self.changed.notified() => self.last_change = Some(Instant::now()),
                    () = tokio::time::sleep(self.pace.look_every) => {
                        if !self.is_in_place().await {
                            self.last_change = Some(Instant::now());
                        }
                    }
                },
                Some(last) => tokio::select! {
                    () = self.changed.notified() => self.last_change = Some(Instant::now()),
                    () = tokio::time::sleep_until(last + self.pace.quiet_for) => {
                        self.last_change = None;
                        // A watch goes with its directory, and another one may have its number:
                        // the new one begins before anything is read.
                        self.begin();
                        return;
                    }
                },
            }
        }
    }
}

fn wanted(config: &Config) -> Option<PathBuf> {
    config.clinic.watch.then(|| config.clinic.plans.clone())
}

/// Device and number of a directory, where it is one.
type Identity = (u64, u64);

fn identity(directory: &Path) -> Option<Identity> {
    identity_of(&std::fs::metadata(directory).ok()?)
}

fn identity_of(metadata: &std::fs::Metadata) -> Option<Identity> {
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

fn begin(directory: &Path, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let told = move |event: notify::Result<notify::Event>| {
        // Reading is no change: else each reload would ask for the next.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            changed.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(told).ok()?;
    watcher.watch(directory, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Pace = Pace {
        quiet_for: Duration::from_millis(20),
        try_again: Duration::from_millis(20),
        look_every: Duration::from_millis(20),
    };

    #[tokio::test]
    async fn another_directory_at_the_same_path_is_a_change_and_is_watched() {
        let home = tempfile::tempdir().unwrap();
        let plans = home.path().join("plans.d");
        let (old, new) = (home.path().join("old"), home.path().join("new"));
        std::fs::create_dir(&old).unwrap();
        std::fs::create_dir(&new).unwrap();
        std::os::unix::fs::symlink(&old, &plans).unwrap();
        let mut watch = Watch::on(Some(plans.clone()), QUICK);
        std::fs::write(plans.join("first.toml"), "").unwrap();
        watch.changed_and_quiet().await;
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&new, &link).unwrap();
        std::fs::rename(&link, &plans).unwrap();
        watch.changed_and_quiet().await;
        assert!(watch.is_in_place().await);
        std::fs::write(plans.join("second.toml"), "").unwrap();
        watch.changed_and_quiet().await;
        // Read again, under the same name, while it was another.
        std::fs::rename(&plans, &link).unwrap();
        std::os::unix::fs::symlink(&old, &plans).unwrap();
        watch.begin_again();
        watch.changed_and_quiet().await;
        std::fs::remove_file(&plans).unwrap();
        std::fs::rename(&link, &plans).unwrap();
        watch.changed_and_quiet().await;
        assert!(watch.is_in_place().await);
        // Gone, and there again.
        std::fs::remove_file(&plans).unwrap();
        watch.changed_and_quiet().await;
        std::os::unix::fs::symlink(&old, &plans).unwrap();
        watch.changed_and_quiet().await;
        assert!(watch.is_in_place().await);
        // Made anew at once: on many file systems under the same number.
        std::fs::remove_dir_all(&old).unwrap();
        std::fs::create_dir(&old).unwrap();
        watch.changed_and_quiet().await;
        while tokio::time::timeout(Duration::from_millis(200), watch.changed_and_quiet())
            .await
            .is_ok()
        {}
        std::fs::write(plans.join("third.toml"), "").unwrap();
        watch.changed_and_quiet().await;
    }
}
