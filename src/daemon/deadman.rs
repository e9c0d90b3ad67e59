//! The dead man's switch: a service elsewhere is told every five minutes that the daemon works, or
//! that it does not, and raises the alarm when it hears nothing (healthchecks.io's convention).
//!
//! It is fed by the monitor, where health is judged: a daemon that is stuck, a machine that is off
//! and a network that is gone all go silent. What stands in the way of telling is a warning and
//! nothing more: no reminder depends on it.

use crate::messaging::Ping;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is told.
const EVERY: Duration = Duration::from_secs(300);

/// Bad news waits no longer than this after what was said last.
const BAD_NEWS_AFTER: Duration = Duration::from_secs(60);

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The daemon works.
    Well,
    /// Something does not work.
    Fail,
}

/// When what is said. Pure: the steady clock is an argument.
#[derive(Clone, Copy, Debug, Default)]
struct Rhythm {
    last: Option<(Duration, Word)>,
}

impl Rhythm {
    /// Whether `word` is to be said at this steady time; then it counts as said.
    fn is_due(&mut self, steady: Duration, word: Word) -> bool {
        let due = self.last.is_none_or(|(at, said)| {
            let since = steady.saturating_sub(at);
            since >= EVERY || (word == Word::Fail && said == Word::Well && since >= BAD_NEWS_AFTER)
        });
        if due {
            self.last = Some((steady, word));
        }
        due
    }
}

/// What came of telling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// When it was told last.
    pub last_success: Option<Timestamp>,
    /// The last try has failed.
    pub failing: bool,
}

#[derive(Default)]
struct Inner {
    target: Option<Ping>,
    rhythm: Rhythm,
    under_way: bool,
    told: Told,
}

/// The switch, as the monitor feeds it.
#[derive(Clone, Default)]
pub struct Deadman {
    inner: Arc<Mutex<Inner>>,
}

impl Deadman {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is told from now on. Another address is told at once.
    pub fn set_target(&self, target: Option<Ping>) {
        let mut inner = self.inner();
        if inner.target != target {
            inner.target = target;
            inner.rhythm = Rhythm::default();
            inner.told = Told::default();
        }
    }

    /// What came of telling; `None` where nobody is to be told.
    #[must_use]
    pub fn told(&self) -> Option<Told> {
        let inner = self.inner();
        inner.target.as_ref().map(|_| inner.told)
    }

    /// Says `word` if it is time to, without waiting for the answer. `judge` is only asked where
    /// somebody is to be told. Within a runtime.
    pub fn feed(&self, steady: Duration, now: Timestamp, judge: impl FnOnce() -> Word) {
        // Health is judged without the lock: it asks for what was told.
        if self.inner().target.is_none() {
            return;
        }
        let word = judge();
        let mut inner = self.inner();
        let Some(target) = inner.target.clone() else {
            return;
        };
        if inner.under_way || !inner.rhythm.is_due(steady, word) {
            return;
        }
        inner.under_way = true;
        drop(inner);
        let switch = self.clone();
        tokio::spawn(async move {
            let asked = target.ask(word == Word::Well).await;
            switch.note(&target, now, asked);
        });
    }

    fn note(&self, target: &Ping, now: Timestamp, asked: Result<(), String>) {
        let mut inner = self.inner();
        inner.under_way = false;
        if inner.target.as_ref() != Some(target) {
            return;
        }
        let was_failing = std::mem::replace(&mut inner.told.failing, asked.is_err());
        match asked {
            Ok(()) => {
                inner.told.last_success = Some(now);
                if was_failing {
                    tracing::info!("the dead man's switch is told again");
                }
            }
            Err(why) => tracing::warn!(why, "the dead man's switch cannot be told"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_every_five_minutes_and_bad_news_sooner() {
        let mut rhythm = Rhythm::default();
        for (second, word, due, why) in [
            (10, Word::Well, true, "never told"),
            (11, Word::Well, false, "told a second ago"),
            (309, Word::Well, false, "not five minutes yet"),
            (310, Word::Well, true, "five minutes"),
            (369, Word::Fail, false, "bad news, told a moment ago"),
            (370, Word::Fail, true, "bad news"),
            (430, Word::Fail, false, "known"),
            (440, Word::Well, false, "good news can wait"),
            (670, Word::Well, true, "five minutes"),
            (700, Word::Fail, false, "flapping"),
            (5000, Word::Fail, true, "late, and once"),
            (5001, Word::Fail, false, "what was missed is not made up"),
            (0, Word::Well, false, "a clock that went back"),
        ] {
            let second = Duration::from_secs(second);
            assert_eq!(rhythm.is_due(second, word), due, "{second:?}: {why}");
        }
    }

    #[tokio::test]
    async fn nobody_judges_where_nobody_is_told() {
        let switch = Deadman::default();
        switch.feed(Duration::ZERO, Timestamp::UNIX_EPOCH, || {
            panic!("health was judged for nobody")
        });
        assert_eq!(switch.told(), None);
    }
}
