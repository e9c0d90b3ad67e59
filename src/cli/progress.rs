//! How far long work is, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// Work that is done sooner shows nothing.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// A bar on stderr that appears where the work takes long and somebody looks.
pub(super) struct Progress {
    what: &'static str,
    whole: u64,
    since: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For work of so many parts.
    pub(super) fn new(what: &'static str, whole: u64) -> Self {
        Self {
            what,
            whole,
            since: Instant::now(),
            bar: None,
        }
    }

    /// So many parts are done.
    pub(super) fn done(&mut self, parts: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(parts);
        } else if self.since.elapsed() > SHOWN_AFTER {
            // Nothing is drawn where stderr is no terminal.
            let style = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} {eta}");
            let bar = ProgressBar::new(self.whole)
                .with_prefix(self.what)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_position(parts);
            self.bar = Some(bar);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
