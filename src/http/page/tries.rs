//! How many passwords may be tried: a few at once for each name and for all together, then one
//! after the other. A name that nobody has is treated like any other.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Names share so many buckets: memory does not grow with the names that are tried.
const BUCKETS: usize = 1_024;
/// Tries at once for one name, and how long until one more.
const OF_NAME: Rate = Rate {
    burst: 5,
    pause: Duration::from_secs(20),
};
/// Tries at once for all names, and how long until one more.
const OF_ALL: Rate = Rate {
    burst: 20,
    pause: Duration::from_secs(2),
};

struct Rate {
    burst: u32,
    pause: Duration,
}

/// Until when a bucket is in use, if nothing comes: as many pauses ahead of now as tries are used.
type Bucket = Duration;

/// What was tried.
pub struct Tries {
    hasher: RandomState,
    buckets: Mutex<(Bucket, Box<[Bucket; BUCKETS]>)>,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            buckets: Mutex::new((Duration::ZERO, Box::new([Duration::ZERO; BUCKETS]))),
        }
    }
}

impl Tries {
    /// Whether a password may be tried for this name now. A try that is refused uses nothing up.
    pub fn may_try(&self, name: &str, now: Duration) -> bool {
        let at = self.hasher.hash_one(name) as usize % BUCKETS;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, names) = &mut *buckets;
        let (Some(all_then), Some(name_then)) =
            (OF_ALL.after(*all, now), OF_NAME.after(names[at], now))
        else {
            return false;
        };
        (*all, names[at]) = (all_then, name_then);
        true
    }

    /// The password was right: the name's earlier tries are forgotten.
    pub fn succeeded(&self, name: &str) {
        let at = self.hasher.hash_one(name) as usize % BUCKETS;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.1[at] = Duration::ZERO;
    }
}

impl Rate {
    /// The bucket after one more try; `None` when it is full.
    fn after(&self, bucket: Bucket, now: Duration) -> Option<Bucket> {
        let then = bucket.max(now) + self.pause;
        (then <= now + self.pause * self.burst).then_some(then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_name_has_a_few_tries_and_then_one_each_pause() {
        let tries = Tries::default();
        let let_through = |now| (0..100).filter(|_| tries.may_try("hao", now)).count();
        assert_eq!(let_through(seconds(1_000)), 5);
        assert_eq!(let_through(seconds(1_019)), 0);
        assert_eq!(let_through(seconds(1_020)), 1);
        assert_eq!(let_through(seconds(1_120)), 5);
        tries.succeeded("hao");
        assert_eq!(
            let_through(seconds(1_120)),
            5,
            "after the right one it begins anew"
        );
    }

    #[test]
    fn all_names_together_have_no_more_than_one_each_other_second() {
        let tries = Tries::default();
        let mut count = 0;
        for n in 0..10_000 {
            count += usize::from(tries.may_try(&format!("name-{n}"), seconds(50)));
        }
        assert_eq!(count, 20);
        assert!(!tries.may_try("hao", seconds(51)), "not yet");
        assert!(tries.may_try("hao", seconds(52)));
    }
}
