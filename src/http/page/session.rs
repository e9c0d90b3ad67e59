//! Who is signed in. Kept in memory only: a restart signs everybody out, and a copy of the store
//! lets nobody in.

use super::clinic::Account;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// A session that nobody uses for so long ends.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);
/// A session ends after so long: a working day.
const AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// So many sessions at the same time; one more ends that which was used longest ago.
const SESSIONS_MAX: usize = 256;
/// Random bytes of a token: nobody guesses it.
const TOKEN_BYTES: usize = 32;

/// The hash of a session's token: what is kept of it.
pub type SessionKey = [u8; 32];

struct Session {
    account: String,
    stamp: [u8; 16],
    csrf: String,
    began: Duration,
    used: Duration,
}

/// A session of this moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Known {
    /// What is kept of its token.
    pub key: SessionKey,
    /// The name of its account.
    pub account: String,
    /// The stamp of the account when it signed in.
    pub stamp: [u8; 16],
    /// The word that each of its forms carries.
    pub csrf: String,
}

/// All sessions.
#[derive(Default)]
pub struct Sessions {
    all: Mutex<HashMap<SessionKey, Session>>,
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session, and returns its token.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub fn begin(&self, account: &Account, now: Duration) -> Result<String, getrandom::Error> {
        let (token, csrf) = (random_word()?, random_word()?);
        let session = Session {
            account: account.name.clone(),
            stamp: account.stamp,
            csrf,
            began: now,
            used: now,
        };
        let mut all = self.all();
        all.retain(|_, it| is_alive(it, now));
        if all.len() >= SESSIONS_MAX {
            let oldest = all
                .iter()
                .min_by_key(|(_, it)| it.used)
                .map(|(key, _)| *key);
            oldest.map(|key| all.remove(&key));
        }
        all.insert(key_of(&token), session);
        Ok(token)
    }

    /// The session of a token. `used`: by a person, not by a page that brings itself up to date.
    pub fn find(&self, token: &str, now: Duration, used: bool) -> Option<Known> {
        let key = key_of(token);
        let mut all = self.all();
        let session = all.get_mut(&key)?;
        if !is_alive(session, now) {
            all.remove(&key);
            return None;
        }
        if used {
            session.used = now;
        }
        Some(Known {
            key,
            account: session.account.clone(),
            stamp: session.stamp,
            csrf: session.csrf.clone(),
        })
    }

    /// Ends a session.
    pub fn end(&self, key: &SessionKey) {
        self.all().remove(key);
    }
}

fn is_alive(session: &Session, now: Duration) -> bool {
    now.saturating_sub(session.used) < IDLE_MAX && now.saturating_sub(session.began) < AGE_MAX
}

fn key_of(token: &str) -> SessionKey {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether two words are the same, in a time that does not say where they differ.
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// A word that nobody guesses.
pub fn random_word() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut word, byte| {
        // Writing to a String cannot fail.
        let _ = write!(word, "{byte:02x}");
        word
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Role;

    fn account(name: &str) -> Account {
        Account {
            name: name.to_owned(),
            role: Role::Doctor,
            language: None,
            stamp: [7; 16],
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_after_a_day_in_any_case() {
        let sessions = Sessions::default();
        let token = sessions.begin(&account("hao"), Duration::ZERO).unwrap();
        assert!(sessions.find(&token, 59 * MINUTE, false).is_some());
        assert!(
            sessions.find(&token, 60 * MINUTE, true).is_none(),
            "what brings itself up to date keeps nobody signed in"
        );
        let token = sessions.begin(&account("hao"), Duration::ZERO).unwrap();
        for minute in (0..12 * 60).step_by(30) {
            assert!(
                sessions.find(&token, minute * MINUTE, true).is_some(),
                "{minute}"
            );
        }
        assert!(sessions.find(&token, 12 * 60 * MINUTE, true).is_none());
    }

    #[test]
    fn a_session_is_found_by_its_token_alone_until_it_is_ended() {
        let sessions = Sessions::default();
        let token = sessions.begin(&account("hao"), Duration::ZERO).unwrap();
        let other = sessions.begin(&account("hao"), Duration::ZERO).unwrap();
        assert_ne!(token, other);
        assert_eq!(token.len(), 2 * TOKEN_BYTES);
        let known = sessions.find(&token, MINUTE, true).unwrap();
        assert_eq!(known.account, "hao");
        assert_ne!(
            known.csrf,
            sessions.find(&other, MINUTE, true).unwrap().csrf
        );
        assert!(sessions.find("", MINUTE, true).is_none());
        assert!(sessions.find(&known.csrf, MINUTE, true).is_none());
        sessions.end(&known.key);
        assert!(sessions.find(&token, MINUTE, true).is_none());
        assert!(sessions.find(&other, MINUTE, true).is_some());
    }

    #[test]
    fn one_session_too_many_ends_the_one_that_was_used_longest_ago() {
        let sessions = Sessions::default();
        let first = sessions.begin(&account("a"), Duration::ZERO).unwrap();
        let second = sessions
            .begin(&account("b"), Duration::from_secs(1))
            .unwrap();
        sessions.find(&first, Duration::from_secs(2), true).unwrap();
        for _ in 2..=SESSIONS_MAX {
            sessions
                .begin(&account("c"), Duration::from_secs(3))
                .unwrap();
        }
        let now = Duration::from_secs(4);
        assert!(sessions.find(&second, now, true).is_none());
        assert!(sessions.find(&first, now, true).is_some());
    }
}
