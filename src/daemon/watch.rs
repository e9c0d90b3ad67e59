//! Watching the plan directory: told when it has changed and then been quiet.

use super::config::Config;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A save comes as several events: the plans are read when none has come for this long.
const QUIET_FOR: Duration = Duration::from_secs(2);

/// A directory that cannot be watched (it is not there yet) is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// A watch on the plan directory, if the configuration wants one.
pub struct Watch {
    directory: Option<PathBuf>,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// When the directory was seen to change last, while that has not been reported.
    last_change: Option<Instant>,
}

impl Watch {
    /// Begins to watch.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let changed = Arc::new(Notify::new());
        let directory = config.clinic.watch.then(|| config.clinic.plans.clone());
        let watcher = directory
            .as_deref()
            .and_then(|directory| begin(directory, &changed));
        Self {
            directory,
            changed,
            watcher,
            last_change: None,
        }
    }

    /// Waits until the directory has changed and been quiet since. May be dropped and called
    /// again at any time.
    pub async fn changed_and_quiet(&mut self) {
        let Some(directory) = self.directory.clone() else {
            return std::future::pending().await;
        };
        loop {
            if self.watcher.is_none() {
                tokio::time::sleep(TRY_AGAIN).await;
                self.watcher = begin(&directory, &self.changed);
                if self.watcher.is_some() {
                    // It has come up: what is in it was not seen yet.
                    self.last_change = Some(Instant::now());
                }
                continue;
            }
            match self.last_change {
                None => {
                    self.changed.notified().await;
                    self.last_change = Some(Instant::now());
                }
                Some(last) => tokio::select! {
                    () = self.changed.notified() => self.last_change = Some(Instant::now()),
                    () = tokio::time::sleep_until(last + QUIET_FOR) => {
                        self.last_change = None;
                        if !directory.is_dir() {
                            // The watch went with the directory.
                            self.watcher = None;
                        }
                        return;
                    }
                },
            }
        }
    }
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
