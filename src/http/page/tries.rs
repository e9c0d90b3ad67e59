//! How many passwords may be tried: a few at once for each name from each address, for each address,
//! and for all together, then one after the other. A name that nobody has is treated like any other.
//! Whoever keeps trying keeps nobody out who comes from elsewhere.

use crate::http::bounded::network;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Names, and addresses, share so many buckets: memory does not grow with those that are tried.
const BUCKETS: usize = 1_024;
/// Tries at once for one name from one address, and how long until one more.
const OF_NAME: Rate = Rate {
    burst: 5,
    pause: Duration::from_secs(20),
};
/// Tries at once from one address, and how long until one more: half of what all have.
const OF_ADDRESS: Rate = Rate {
    burst: 10,
    pause: Duration::from_secs(4),
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
    buckets: Mutex<Buckets>,
}

struct Buckets {
    all: Bucket,
    addresses: Box<[Bucket; BUCKETS]>,
    names: Box<[Bucket; BUCKETS]>,
}

impl Default for Tries {
    fn default() -> Self {
        let none = || Box::new([Duration::ZERO; BUCKETS]);
        Self {
            hasher: RandomState::new(),
            buckets: Mutex::new(Buckets {
                all: Duration::ZERO,
                addresses: none(),
                names: none(),
            }),
        }
    }
}

impl Tries {
    fn places(&self, name: &str, from: Option<IpAddr>) -> (usize, usize) {
        let from = from.map(network);
        let place = |hash: u64| hash as usize % BUCKETS;
        (
            place(self.hasher.hash_one(from)),
            place(self.hasher.hash_one((name, from))),
        )
    }

    /// Whether a password may be tried for this name from this address now. A try that is refused
    /// uses nothing up.
    pub fn may_try(&self, name: &str, from: Option<IpAddr>, now: Duration) -> bool {
        let (address, named) = self.places(name, from);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(all), Some(of_address), Some(of_name)) = (
            OF_ALL.after(buckets.all, now),
            OF_ADDRESS.after(buckets.addresses[address], now),
            OF_NAME.after(buckets.names[named], now),
        ) else {
            return false;
        };
        buckets.all = all;
        buckets.addresses[address] = of_address;
        buckets.names[named] = of_name;
        true
    }

    /// The password was right: the name's earlier tries from there are forgotten.
    pub fn succeeded(&self, name: &str, from: Option<IpAddr>) {
        let (_, named) = self.places(name, from);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.names[named] = Duration::ZERO;
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

    fn address(last: u8) -> IpAddr {
        [203, 0, 113, last].into()
    }

    #[test]
    fn a_name_has_a_few_tries_and_then_one_each_pause() {
        let tries = Tries::default();
        let let_through = |now| {
            (0..100)
                .filter(|_| tries.may_try("hao", Some(address(1)), now))
                .count()
        };
        assert_eq!(let_through(seconds(1_000)), 5);
        assert_eq!(let_through(seconds(1_019)), 0);
        assert_eq!(let_through(seconds(1_020)), 1);
        assert_eq!(let_through(seconds(1_120)), 5);
        tries.succeeded("hao", Some(address(1)));
        assert_eq!(
            let_through(seconds(1_160)),
            5,
            "after the right one it begins anew"
        );
    }

    #[test]
    fn whoever_keeps_trying_keeps_nobody_out_who_comes_from_elsewhere() {
        // The same bucket for two of them would be chance.
        let apart = |tries: &Tries| {
            let from = [Some(address(1)), Some(address(2)), None];
            let [one, two, none] = from.map(|from| tries.places("hao", from));
            let same = |a: (usize, usize), b: (usize, usize)| a.0 == b.0 || a.1 == b.1;
            !same(one, two) && !same(one, none)
        };
        let tries = std::iter::repeat_with(Tries::default).find(apart).unwrap();
        let mut count = 0;
        for second in 0..600 {
            for n in 0..100 {
                // Half of them for the name that there is.
                let name = if n % 2 == 0 { "hao" } else { &format!("n{n}") };
                count += usize::from(tries.may_try(name, Some(address(1)), seconds(second)));
            }
        }
        assert!((100..=10 + 600 / 4).contains(&count), "{count}");
        assert!(!tries.may_try("hao", Some(address(1)), seconds(599)));
        assert!(tries.may_try("hao", Some(address(2)), seconds(599)));
        assert!(tries.may_try("hao", None, seconds(599)));
    }

    #[test]
    fn all_names_together_have_no_more_than_one_each_other_second() {
        let tries = Tries::default();
        let mut count = 0;
        for n in 0..10_000_u32 {
            let from = Some(IpAddr::from(n.to_be_bytes()));
            count += usize::from(tries.may_try(&format!("name-{n}"), from, seconds(50)));
        }
        assert_eq!(count, 20);
        assert!(
            !tries.may_try("hao", Some(address(1)), seconds(51)),
            "not yet"
        );
        assert!(tries.may_try("hao", Some(address(1)), seconds(52)));
    }
}
