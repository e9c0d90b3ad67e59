//! Access tokens as the platform issues and retires them.

use jiff::{SignedDuration, Timestamp};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// Life of a token.
const LIFE: SignedDuration = SignedDuration::from_secs(7200);
/// In the last minutes of a token's life a new one is issued, and the old one goes on for as long.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// Forced renewals closer together than this do not renew.
const FORCE_APART: SignedDuration = SignedDuration::from_secs(30);
/// Forced renewals a day.
const FORCES_A_DAY: u32 = 20;
/// Calls of `stable_token` a minute and a day.
const STABLE_A_MINUTE: u32 = 10_000;
const STABLE_A_DAY: u32 = 500_000;
/// Calls of `token` a day.
const PLAIN_A_DAY: u32 = 2_000;
/// Clients must be able to hold tokens of this length, so they get such ones.
const LENGTH: usize = 512;
/// Tokens remembered for the sake of the right errcode.
const REMEMBERED: usize = 64;

/// What comes of a request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// The token, and the whole seconds it has left.
    Token(Arc<str>, i64),
    /// 45009: too many calls today.
    DailyLimit,
    /// 45011: too many calls this minute.
    MinuteLimit,
}

/// What a call's token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Accepted.
    Good,
    /// 42001.
    Expired,
    /// 40001: killed by a forced renewal, or never issued.
    NotLatest,
    /// 40014: cannot be a token at all.
    Malformed,
}

struct Token {
    text: Arc<str>,
    expires: Timestamp,
    killed: bool,
}

impl Token {
    fn is_good(&self, now: Timestamp) -> bool {
        !self.killed && now < self.expires
    }
}

/// Both desks at which tokens are handed out; they know nothing of each other.
#[derive(Default)]
pub(super) struct Tokens {
    stable: Desk,
    plain: Desk,
    last_force: Option<Timestamp>,
    forces: Count,
    stable_minute: Count,
    stable_day: Count,
    plain_day: Count,
    /// Normal mode goes on returning the killed token.
    stuck: bool,
}

impl Tokens {
    /// `stable_token`: the same token while it lives; a new one in its last minutes; at once,
    /// killing the old, when forced (not sooner than 30 s after the last time).
    pub(super) fn stable(&mut self, force: bool, now: Timestamp) -> Grant {
        if self.stable_minute.add(minute(now)) > STABLE_A_MINUTE {
            return Grant::MinuteLimit;
        }
        if self.stable_day.add(day(now)) > STABLE_A_DAY {
            return Grant::DailyLimit;
        }
        if force
            && self
                .last_force
                .is_none_or(|last| now.duration_since(last) >= FORCE_APART)
        {
            if self.forces.add(day(now)) > FORCES_A_DAY {
                return Grant::DailyLimit;
            }
            self.last_force = Some(now);
            self.stuck = false;
            self.stable.kill();
            return self.stable.issue(now);
        }
        match self.stable.newest() {
            Some(newest) if self.stuck && now < newest.expires => newest.grant(now),
            Some(newest) if newest.is_good(now) && newest.expires.duration_since(now) > OVERLAP => {
                newest.grant(now)
            }
            Some(_) | None => self.stable.issue(now),
        }
    }

    /// `token`: a new one each time; the one before works for five minutes more.
    pub(super) fn plain(&mut self, now: Timestamp) -> Grant {
        if self.plain_day.add(day(now)) > PLAIN_A_DAY {
            return Grant::DailyLimit;
        }
        self.plain.issue(now)
    }

    /// Judges the token of a call.
    pub(super) fn judge(&self, text: &str, now: Timestamp) -> Verdict {
        let known = self.stable.find(text).or_else(|| self.plain.find(text));
        match known {
            Some(token) if token.killed => Verdict::NotLatest,
            Some(token) if now >= token.expires => Verdict::Expired,
            Some(_) => Verdict::Good,
            None if text.len() == LENGTH && text.bytes().all(|b| ALPHABET.contains(&b)) => {
                Verdict::NotLatest
            }
            None => Verdict::Malformed,
        }
    }

    /// Kills every token in force. With `stuck`, normal mode goes on handing out the killed one
    /// until somebody forces a new one.
    pub(super) fn kill(&mut self, stuck: bool) {
        self.stable.kill();
        self.plain.kill();
        self.stuck = stuck && self.stable.newest().is_some();
    }
}

/// The tokens of one endpoint, oldest first.
#[derive(Default)]
struct Desk {
    issued: Vec<Token>,
}

impl Desk {
    fn newest(&self) -> Option<&Token> {
        self.issued.last()
    }

    fn find(&self, text: &str) -> Option<&Token> {
        self.issued.iter().rev().find(|token| *token.text == *text)
    }

    fn kill(&mut self) {
        for token in &mut self.issued {
            token.killed = true;
        }
    }

    fn issue(&mut self, now: Timestamp) -> Grant {
        if let Some(old) = self.issued.last_mut().filter(|old| old.is_good(now)) {
            old.expires = old.expires.min(later(now, OVERLAP));
        }
        if self.issued.len() == REMEMBERED {
            self.issued.remove(0);
        }
        let token = Token {
            text: make(),
            expires: later(now, LIFE),
            killed: false,
        };
        let grant = token.grant(now);
        self.issued.push(token);
        grant
    }
}

impl Token {
    fn grant(&self, now: Timestamp) -> Grant {
        Grant::Token(
            Arc::clone(&self.text),
            self.expires.duration_since(now).as_secs(),
        )
    }
}

/// A count that begins anew with each period.
#[derive(Default)]
pub(super) struct Count {
    period: i64,
    count: u32,
}

impl Count {
    /// Counts one more in `period` and says how many there are.
    pub(super) fn add(&mut self, period: i64) -> u32 {
        if self.period != period {
            *self = Self { period, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }

    /// How many there are in `period`.
    pub(super) fn of(&self, period: i64) -> u32 {
        if self.period == period { self.count } else { 0 }
    }
}

fn minute(now: Timestamp) -> i64 {
    now.as_second().div_euclid(60)
}

/// The platform's day, which begins at midnight in Beijing.
pub(super) fn day(now: Timestamp) -> i64 {
    (now.as_second() + 8 * 3600).div_euclid(24 * 3600)
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A token nobody can guess from another: the standard library's hasher keys are random.
fn make() -> Arc<str> {
    let mut text = String::with_capacity(LENGTH);
    while text.len() < LENGTH {
        let mut bits = RandomState::new().build_hasher().finish();
        for _ in 0..8 {
            text.push(char::from(ALPHABET[(bits & 63) as usize]));
            bits >>= 6;
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[track_caller]
    fn token(grant: Grant) -> (Arc<str>, i64) {
        match grant {
            Grant::Token(text, left) => (text, left),
            refused => panic!("{refused:?}"),
        }
    }

    #[test]
    fn normal_mode_returns_the_same_token_and_counts_it_down() {
        let mut tokens = Tokens::default();
        let (first, left) = token(tokens.stable(false, at(0)));
        assert_eq!((first.len(), left), (512, 7200));
        let (again, left) = token(tokens.stable(false, at(6899)));
        assert_eq!((again, left), (first, 301));
    }

    #[test]
    fn in_the_last_five_minutes_a_new_token_is_issued_and_both_are_good() {
        let mut tokens = Tokens::default();
        let (old, _) = token(tokens.stable(false, at(0)));
        let (new, left) = token(tokens.stable(false, at(6900)));
        assert_ne!(old, new);
        assert_eq!(left, 7200);
        let rows = [
            (&old, 7199, Verdict::Good),
            (&old, 7200, Verdict::Expired),
            (&new, 7200, Verdict::Good),
            (&new, 14_099, Verdict::Good),
            (&new, 14_100, Verdict::Expired),
        ];
        for (text, second, verdict) in rows {
            assert_eq!(tokens.judge(text, at(second)), verdict, "at {second}");
        }
    }

    #[test]
    fn forcing_kills_at_once_but_not_twice_within_thirty_seconds_nor_oftener_than_twenty_a_day() {
        let mut tokens = Tokens::default();
        let (old, _) = token(tokens.stable(false, at(0)));
        let (forced, _) = token(tokens.stable(true, at(10)));
        assert_ne!(old, forced);
        assert_eq!(tokens.judge(&old, at(10)), Verdict::NotLatest);
        let (within, _) = token(tokens.stable(true, at(39)));
        assert_eq!(within, forced);
        let (second, _) = token(tokens.stable(true, at(40)));
        assert_ne!(second, forced);
        for n in 3..=20 {
            token(tokens.stable(true, at(30 * n)));
        }
        assert_eq!(tokens.stable(true, at(30 * 21)), Grant::DailyLimit);
        token(tokens.stable(true, at(24 * 3600)));
    }

    #[test]
    fn plain_tokens_are_new_each_time_and_the_one_before_lives_five_minutes_more() {
        let mut tokens = Tokens::default();
        let (stable, _) = token(tokens.stable(false, at(0)));
        let (first, _) = token(tokens.plain(at(0)));
        let (second, _) = token(tokens.plain(at(100)));
        assert_ne!(first, second);
        assert_eq!(tokens.judge(&first, at(399)), Verdict::Good);
        assert_eq!(tokens.judge(&first, at(400)), Verdict::Expired);
        assert_eq!(
            tokens.judge(&stable, at(400)),
            Verdict::Good,
            "the two endpoints are apart"
        );
    }

    #[test]
    fn what_was_never_issued_is_not_latest_or_no_token_at_all() {
        let tokens = Tokens::default();
        assert_eq!(tokens.judge(&make(), at(0)), Verdict::NotLatest);
        assert_eq!(tokens.judge("short", at(0)), Verdict::Malformed);
        assert_eq!(tokens.judge(&"!".repeat(LENGTH), at(0)), Verdict::Malformed);
    }

    #[test]
    fn a_stuck_token_is_handed_out_until_somebody_forces_a_new_one() {
        let mut tokens = Tokens::default();
        let (old, _) = token(tokens.stable(false, at(0)));
        tokens.kill(true);
        let (again, _) = token(tokens.stable(false, at(1)));
        assert_eq!(again, old);
        assert_eq!(tokens.judge(&again, at(1)), Verdict::NotLatest);
        let (forced, _) = token(tokens.stable(true, at(2)));
        assert_eq!(tokens.judge(&forced, at(2)), Verdict::Good);
    }

    #[test]
    fn calls_are_limited_by_the_minute_and_by_the_day_of_beijing() {
        let mut tokens = Tokens::default();
        for _ in 0..STABLE_A_MINUTE {
            token(tokens.stable(false, at(0)));
        }
        assert_eq!(tokens.stable(false, at(0)), Grant::MinuteLimit);
        token(tokens.stable(false, at(60)));

        for _ in 0..PLAIN_A_DAY {
            token(tokens.plain(at(0)));
        }
        assert_eq!(tokens.plain(at(0)), Grant::DailyLimit);
        let midnight = (day(at(0)) + 1) * 24 * 3600 - 8 * 3600;
        let midnight = Timestamp::from_second(midnight).unwrap();
        assert_eq!(
            tokens.plain(midnight - SignedDuration::from_secs(1)),
            Grant::DailyLimit
        );
        token(tokens.plain(midnight));
    }
}
