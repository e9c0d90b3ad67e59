//! What is remembered: redb behind the transactions that the daemon needs.
//!
//! The interface speaks of those transactions, in batches, and shows no type of redb, so that
//! another storage engine can stand behind it. One thread owns the write side ([`Store`]);
//! readers use snapshots ([`Reader`]), in this process and in others.
//!
//! A commit that failed has an unknown outcome: every id is deterministic, every write may be
//! made again, and the handle is opened anew.

mod accounts;
mod advise;
mod apply;
mod audit;
mod backup;
mod calls;
mod charts;
mod check_ins;
mod claim;
mod contacts;
mod days;
mod deliberate;
mod deliveries;
mod desk;
mod digest;
mod dossier;
mod enrol;
mod erase;
mod fire;
mod fsck;
mod in_force;
mod jobs;
mod lanes;
mod ledger;
mod notes;
mod open;
mod page;
mod patient;
mod populate;
mod read;
mod receive;
mod records;
mod refusals;
mod restore;
mod retention;
mod settle;
mod strangers;
mod wanted;
mod writer;

#[cfg(test)]
mod tests;

pub use accounts::{Account, AccountChange, PasswordHash};
pub use advise::{Advised, Audience};
pub use apply::{Applied, PlanChange, PlanEnd, PlansPage, without_addresses};
pub use audit::{AuditLine, AuditPlace, Deed};
pub use backup::{Backup, BackupError, GoOn};
pub use calls::{CallEnd, SeenTo};
pub use charts::{Chart, Charts, JournalPageRow, JournalPages};
pub use check_ins::{CheckInAnswer, CheckInLine};
pub use claim::{Claimed, OutboxPlace, Waiting};
pub use days::{DayEntry, Person, PlanLine};
pub use deliberate::DeliberateFault;
pub use digest::DigestTold;
pub use dossier::{CaregiverReach, JournalLeaf, JournalMark, PlanVersion, Reach};
pub use enrol::{EnrolError, Enrolment};
pub use erase::{Erased, Erasure, JournalFate};
pub use fire::Fired;
pub use fsck::{Finding, FsckError, Integrity, Report, fsck};
pub use in_force::{Treatment, Treatments};
pub use jobs::JobRun;
pub use ledger::Ledger;
pub use open::{Backing, OpenError, Options, create_if_absent, open_reader};
pub use page::{PressDone, PressOutcome, PressedForm};
pub use patient::{Queued, Tally};
pub use read::{CallCaregiver, CallLine, DoseLine, JournalLine, Reader, StrangerLine};
pub use receive::{Pushed, Received, Talk, What};
pub use records::{
    Address, Attempts, ClockMark, DayCounts, JournalRow, PlanHead, PlanText, SCHEMA,
};
pub use restore::{RestoreError, Restored, restore};
pub use settle::{Receipt, Settled, Tried, TriedOutcome};
pub use writer::{Store, Telemetry};

/// Why a transaction did not happen, or may not have happened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The storage failed. The outcome of a commit under way is unknown; the store reopens.
    #[error("the store failed: {0}")]
    Storage(String),
    /// The store is closed or could not be opened again.
    #[error("the store is closed")]
    Closed,
    /// A record cannot be read.
    #[error("a record in table {table} (version {version}) cannot be read")]
    Record {
        /// The table.
        table: String,
        /// Its first byte.
        version: u8,
    },
    /// A record cannot be written.
    #[error("a record cannot be encoded")]
    Encode,
    /// All numbers of a kind are used up.
    #[error("no {0} number is left")]
    Exhausted(&'static str),
}

macro_rules! storage_error {
    ($($source:ty),*) => {$(
        impl From<$source> for StoreError {
            fn from(error: $source) -> Self {
                StoreError::Storage(error.to_string())
            }
        }
    )*};
}

storage_error!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError
);
