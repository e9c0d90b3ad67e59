//! How many wrong links an address may try.

use crate::http::bounded::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many a minute; whoever mistypes an address has enough of them.
const WRONG_MAX: u32 = 20;

/// Counted over this.
const SPAN: Duration = Duration::from_secs(60);

/// So many addresses are remembered at once. Where more ask, the counts begin anew: what is lost is
/// a limit on answers that say nothing.
const ADDRESSES_MAX: usize = 4_096;

/// Who tried how many wrong links. Right ones are never counted, and never refused for the wrong
/// ones that came from the same address: many phones share one.
#[derive(Default)]
pub struct WrongLinks(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl WrongLinks {
    /// Counts a wrong link; whether it is one too many.
    pub fn is_one_too_many(&self, from: IpAddr) -> bool {
        self.count_at(from, Instant::now())
    }

    fn count_at(&self, from: IpAddr, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |began: Instant| now.saturating_duration_since(began) >= SPAN;
        if known.len() >= ADDRESSES_MAX {
            known.retain(|_, (began, _)| !over(*began));
        }
        if known.len() >= ADDRESSES_MAX {
            known.clear();
        }
        let (began, count) = known.entry(network(from)).or_insert((now, 0));
        if over(*began) {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count > WRONG_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn an_address_may_err_for_a_while_and_again_after_a_minute() {
        let wrong = WrongLinks::default();
        let now = Instant::now();
        let (one, other) = ([203, 0, 113, 7].into(), [203, 0, 113, 8].into());
        for _ in 0..WRONG_MAX {
            assert!(!wrong.count_at(one, now));
        }
        assert!(wrong.count_at(one, now));
        assert!(!wrong.count_at(other, now));
        assert!(wrong.count_at(one, now + Duration::from_secs(59)));
        assert!(!wrong.count_at(one, now + SPAN));
    }

    #[test]
    fn a_network_of_version_6_is_one_address_and_the_memory_is_bounded() {
        let wrong = WrongLinks::default();
        let now = Instant::now();
        let network = u128::from("2001:db8::".parse::<Ipv6Addr>().unwrap());
        let host = |number: u128| IpAddr::V6(Ipv6Addr::from(network + number));
        let refused = (0..=u128::from(WRONG_MAX)).map(|it| wrong.count_at(host(it), now));
        assert_eq!(refused.filter(|it| *it).count(), 1);
        for number in 0..10_000_u128 {
            wrong.count_at(host(number << 64), now);
        }
        assert!(wrong.0.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
