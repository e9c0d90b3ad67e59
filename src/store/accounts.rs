//! Accounts of the doctor's page.

use super::read::Reader;
use super::records::{ACCOUNTS, decode, encode, present};
use super::{Store, StoreError};
use crate::engine::Role;
use crate::plan::Language;
use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What they may do.
    pub role: Role,
    /// The language that was chosen for them.
    pub language: Option<Language>,
    /// When the account was made, ms.
    pub since: i64,
    /// What is kept of the password.
    pub password: PasswordHash,
}

/// What is kept of a password: the hash, and all that is needed to make it again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// The salt: another with each password.
    pub salt: [u8; 16],
    /// The hash.
    pub hash: [u8; 32],
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What is to become of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// It is made.
    Add(Account),
    /// It gets another password.
    Password(PasswordHash),
    /// It ends.
    Remove,
}

impl Store {
    /// Changes the account of this name, and returns those that there are then; `None`: nothing
    /// was changed, for it exists already, or it does not exist.
    ///
    /// # Errors
    /// The transaction failed; it may be made again.
    pub async fn change_account(
        &self,
        now: Timestamp,
        name: String,
        change: AccountChange,
    ) -> Result<Option<BTreeMap<String, Account>>, StoreError> {
        self.write(now, move |scope| {
            let mut accounts = scope.transaction.open_table(ACCOUNTS)?;
            let known = {
                let row = accounts.get(name.as_str())?;
                row.map(|row| decode::<Account>(&ACCOUNTS, row.value()))
            };
            match (change, known) {
                (AccountChange::Add(account), None) => {
                    accounts.insert(name.as_str(), encode(&account)?.as_slice())?;
                }
                (AccountChange::Password(password), Some(account)) => {
                    let mut account = account?;
                    account.password = password;
                    accounts.insert(name.as_str(), encode(&account)?.as_slice())?;
                }
                // Also one that cannot be read.
                (AccountChange::Remove, Some(_)) => {
                    accounts.remove(name.as_str())?;
                }
                _ => return Ok(None),
            }
            read(&accounts).map(Some)
        })
        .await
    }

    /// The accounts, by their names.
    ///
    /// # Errors
    /// The read failed.
    pub async fn accounts(&self) -> Result<BTreeMap<String, Account>, StoreError> {
        self.read(|snapshot, _| all(snapshot)).await
    }
}

impl Reader {
    /// The accounts, by their names.
    ///
    /// # Errors
    /// The read failed.
    pub fn accounts(&self) -> Result<BTreeMap<String, Account>, StoreError> {
        all(&*self.snapshot()?)
    }
}

fn all(snapshot: &ReadTransaction) -> Result<BTreeMap<String, Account>, StoreError> {
    match present(snapshot.open_table(ACCOUNTS))? {
        Some(accounts) => read(&accounts),
        None => Ok(BTreeMap::new()),
    }
}

/// One that cannot be read lets nobody in.
fn read(
    accounts: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<BTreeMap<String, Account>, StoreError> {
    let mut found = BTreeMap::new();
    for row in accounts.iter()? {
        let (name, account) = row?;
        if let Ok(account) = decode::<Account>(&ACCOUNTS, account.value()) {
            found.insert(name.value().to_owned(), account);
        }
    }
    Ok(found)
}
