//! Accounts of the pages: passwords are kept as Argon2id hashes only.
//!
//! All are in memory, beside the store: who is signed in is looked at with each request.

use super::audit::{self, Deeds};
use super::shared::Shared;
use crate::engine::Role;
use crate::http::admin::{AccountChanged, AccountRequest, AccountWish};
use crate::plan::Language;
use crate::store::{Account, AccountChange, Deed, PasswordHash, Store, StoreError};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Memory of one hash, in KiB: with [`PASSES`] and [`LANES`] what OWASP recommends for Argon2id.
const MEMORY: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// So many sign-ins may wait for the one whose password is looked at: more than are let through at
/// once.
const WAITING_MAX: usize = 32;
/// Fewest characters of a password.
pub const PASSWORD_MIN: usize = 12;
/// Most bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Most bytes of a name.
const NAME_BYTES_MAX: usize = 32;

/// Why something cannot be an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The name is none.
    #[error(
        "an account's name has 1 to 32 of a-z, 0-9, `.`, `-` and `_`, and begins with a letter"
    )]
    Name,
    /// The password is too short.
    #[error("a password has at least 12 characters")]
    Short,
    /// The password is too long.
    #[error("a password has at most 1,024 bytes")]
    Long,
    /// There is no randomness, or no memory.
    #[error("the machine gives no random numbers, or not enough memory to hash a password")]
    Machine,
}

/// Whether an account may have this name.
///
/// # Errors
/// It may not.
pub fn check_name(name: &str) -> Result<(), AccountError> {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let may =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    if begins && name.len() <= NAME_BYTES_MAX && name.chars().all(may) {
        Ok(())
    } else {
        Err(AccountError::Name)
    }
}

/// Hashes a password with a fresh salt. Takes a few hundredths of a second and `MEMORY`.
///
/// # Errors
/// It is too short or too long, or the machine lacks something.
pub fn hash(password: &str) -> Result<PasswordHash, AccountError> {
    if password.chars().count() < PASSWORD_MIN {
        return Err(AccountError::Short);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(AccountError::Long);
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| AccountError::Machine)?;
    let mut kept = PasswordHash {
        memory: MEMORY,
        passes: PASSES,
        lanes: LANES,
        salt,
        hash: [0; 32],
    };
    kept.hash = derive(&kept, password, &mut Vec::new()).ok_or(AccountError::Machine)?;
    Ok(kept)
}

/// Whether this is the password.
fn is_right(kept: &PasswordHash, password: &str, room: &mut Vec<Block>) -> bool {
    let derived = derive(kept, password, room);
    derived.is_some_and(|hash| hash.ct_eq(&kept.hash).into())
}

/// The hash, worked out in a room that nothing is left in.
fn derive(kept: &PasswordHash, password: &str, room: &mut Vec<Block>) -> Option<[u8; 32]> {
    let params = Params::new(kept.memory, kept.passes, kept.lanes, Some(32)).ok()?;
    room.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = [0; 32];
    let bytes = password.as_bytes();
    let derived =
        argon2.hash_password_into_with_memory(bytes, &kept.salt, &mut hash, room.as_mut_slice());
    room.fill(Block::default());
    derived.ok()?;
    Some(hash)
}

/// What becomes of an account, from what was asked for.
///
/// # Errors
/// The name or the password cannot be one.
pub fn change_of(
    name: &str,
    wish: AccountWish,
    now: Timestamp,
) -> Result<AccountChange, AccountError> {
    match wish {
        AccountWish::Add {
            role,
            language,
            password,
        } => {
            check_name(name)?;
            Ok(AccountChange::Add(Account {
                role,
                language,
                since: now.as_millisecond(),
                password: hash(&password)?,
            }))
        }
        AccountWish::Password { password } => Ok(AccountChange::Password(hash(&password)?)),
        AccountWish::Remove => Ok(AccountChange::Remove),
    }
}

/// The word of the audit for a wish.
fn word(wish: &AccountWish) -> &'static str {
    match wish {
        AccountWish::Add { .. } => "account_add",
        AccountWish::Password { .. } => "account_password",
        AccountWish::Remove => "account_remove",
    }
}

/// Changes an account in a store that no daemon has open, with a line in the audit.
///
/// # Errors
/// The store failed.
pub async fn change_in(
    store: &Store,
    now: Timestamp,
    request: AccountRequest,
) -> Result<AccountChanged, StoreError> {
    Ok(carry_out(store, now, request).await?.0)
}

type Known = BTreeMap<String, Account>;

async fn carry_out(
    store: &Store,
    now: Timestamp,
    request: AccountRequest,
) -> Result<(AccountChanged, Option<Known>), StoreError> {
    let AccountRequest { name, change } = request;
    let adds = matches!(change, AccountWish::Add { .. });
    let what = word(&change);
    let hashed_for = name.clone();
    let change = tokio::task::spawn_blocking(move || change_of(&hashed_for, change, now)).await;
    let change = match change {
        Ok(Ok(change)) => change,
        Ok(Err(error)) => {
            let why = error.to_string();
            return Ok((AccountChanged::Failed { why }, None));
        }
        Err(_) => {
            let why = AccountError::Machine.to_string();
            return Ok((AccountChanged::Failed { why }, None));
        }
    };
    let changed = store.change_account(now, name.clone(), change).await?;
    if changed.is_some() {
        let deed = Deed {
            at: now,
            account: name,
            what,
            patient: None,
            outcome: "done",
        };
        store.note_deeds(now, vec![deed]).await?;
    }
    let answer = match (&changed, adds) {
        (Some(_), _) => AccountChanged::Done,
        (None, true) => AccountChanged::Exists,
        (None, false) => AccountChanged::NoAccount,
    };
    Ok((answer, changed))
}

/// The accounts of a running daemon.
pub struct Accounts {
    known: RwLock<Arc<Known>>,
    /// One password at a time is looked at: memory and the processor belong to the reminders.
    place: Arc<Semaphore>,
    /// The memory for it, kept: freed by one thread and taken anew by the next, each would hold on
    /// to its own.
    room: Arc<Mutex<Vec<Block>>>,
    waiting: Arc<Semaphore>,
    /// What a name that nobody has is compared with.
    nobody: PasswordHash,
    deeds: Deeds,
}

impl Accounts {
    /// Those of the store. Without a store that can be read there are none: the pages are off.
    pub async fn begin(shared: &Arc<Shared>) -> (Self, audit::Noted) {
        let known = shared.store.accounts().await.unwrap_or_else(|error| {
            tracing::error!(%error, "the accounts cannot be read: the pages are off");
            Known::new()
        });
        let (deeds, noted) = audit::open();
        let accounts = Self {
            known: RwLock::new(Arc::new(known)),
            place: Arc::new(Semaphore::new(1)),
            room: Arc::default(),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            nobody: PasswordHash {
                memory: MEMORY,
                passes: PASSES,
                lanes: LANES,
                salt: [0; 16],
                hash: [0; 32],
            },
            deeds,
        };
        (accounts, noted)
    }

    /// All of them.
    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is any.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.known().is_empty()
    }

    /// What an account may do, its language, and the stamp of its password.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(Role, Option<Language>, [u8; 16])> {
        let known = self.known();
        let account = known.get(name)?;
        Some((account.role, account.language, account.password.salt))
    }

    /// Whether that is the account's password; as slow where there is no such account.
    pub async fn is_right(&self, name: &str, password: String) -> bool {
        let Ok(_waits) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return false;
        };
        let Ok(place) = Arc::clone(&self.place).acquire_owned().await else {
            return false;
        };
        let kept = self.known().get(name).map(|it| it.password.clone());
        let is_known = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.nobody.clone());
        let room = Arc::clone(&self.room);
        let looked = tokio::task::spawn_blocking(move || {
            let mut room = room.lock().unwrap_or_else(PoisonError::into_inner);
            let right = is_right(&kept, &password, &mut room);
            drop(place);
            right
        });
        looked.await.unwrap_or(false) && is_known
    }

    /// Makes, changes or ends an account.
    pub async fn change(&self, shared: &Shared, request: AccountRequest) -> AccountChanged {
        match carry_out(&shared.store, shared.now(), request).await {
            Ok((answer, changed)) => {
                if let Some(known) = changed {
                    let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
                    *all = Arc::new(known);
                }
                answer
            }
            Err(error) => AccountChanged::Failed {
                why: error.to_string(),
            },
        }
    }

    /// Keeps that somebody saw or did something.
    pub fn note(&self, deed: Deed) {
        self.deeds.note(deed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_another_is_not() {
        let kept = hash("correct horse battery").unwrap();
        assert!(is_right(&kept, "correct horse battery", &mut Vec::new()));
        assert!(!is_right(&kept, "correct horse batterz", &mut Vec::new()));
        assert!(!is_right(&kept, "", &mut Vec::new()));
        let again = hash("correct horse battery").unwrap();
        assert_ne!(kept.salt, again.salt);
        assert_ne!(kept.hash, again.hash);
        assert_eq!(format!("{kept:?}"), "PasswordHash(…)");
    }

    #[test]
    fn parameters_are_those_that_owasp_recommends() {
        let kept = hash("correct horse battery").unwrap();
        assert_eq!((kept.memory, kept.passes, kept.lanes), (19_456, 2, 1));
    }

    #[test]
    fn a_hash_is_that_of_argon2id() {
        // Of the reference implementation, by argon2-cffi.
        let mut kept = PasswordHash {
            memory: MEMORY,
            passes: PASSES,
            lanes: LANES,
            salt: *b"0123456789abcdef",
            hash: [0; 32],
        };
        let mut room = Vec::new();
        // The second time in a room that was used.
        let first = derive(&kept, "another horse battery", &mut room);
        kept.hash = derive(&kept, "correct horse battery", &mut room).unwrap();
        assert_ne!(first, Some(kept.hash));
        let hex: Vec<String> = kept.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex.concat(),
            "ebd23ba828c34ec430850a85be94098aa108d25190bf10bce1f5c4d0ab7171ae"
        );
    }

    #[test]
    fn names_and_passwords_that_cannot_be_are_refused() {
        for name in ["hao", "dr.hao", "a", "nurse-2_b"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let long = "a".repeat(33);
        for name in ["", "Hao", "郝", "1a", "-a", "a b", "a/b", &long] {
            assert_eq!(check_name(name), Err(AccountError::Name), "{name}");
        }
        assert_eq!(hash("11 letters!"), Err(AccountError::Short));
        assert!(hash("十二个汉字也可以做为密码吧").is_ok());
        assert_eq!(hash(&"a".repeat(1_025)), Err(AccountError::Long));
    }
}
