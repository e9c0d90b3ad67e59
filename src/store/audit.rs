//! Who saw and did what on the doctor's page.

use super::read::Reader;
use super::records::{AUDIT, decode, encode, journal_day, present};
use super::retention::PER_STEP;
use super::{Store, StoreError};
use jiff::Timestamp;
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

/// Something that somebody saw or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// The name of the account.
    pub account: String,
    /// What, a word of a closed set.
    pub what: &'static str,
    /// The id of the patient whom it concerned.
    pub patient: Option<String>,
    /// What came of it, a word of a closed set; empty where it only was seen.
    pub outcome: &'static str,
}

/// A row of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuditRecord {
    at: i64,
    account: String,
    what: String,
    pub patient: Option<String>,
    outcome: String,
}

/// Where a line stands: its day and its number there.
pub type AuditPlace = (u32, u32);

/// A line of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Where it stands.
    pub place: AuditPlace,
    /// When.
    pub at: Timestamp,
    /// The name of the account.
    pub account: String,
    /// What.
    pub what: String,
    /// The id of the patient whom it concerned.
    pub patient: Option<String>,
    /// What came of it; empty where it only was seen.
    pub outcome: String,
}

impl Store {
    /// Keeps what was seen and done, in one commit.
    ///
    /// # Errors
    /// The transaction failed, and its outcome is unknown: made again, it may be there twice.
    pub async fn note_deeds(&self, now: Timestamp, deeds: Vec<Deed>) -> Result<(), StoreError> {
        self.write(now, move |scope| {
            let mut audit = scope.transaction.open_table(AUDIT)?;
            for deed in &deeds {
                let day = journal_day(deed.at);
                let next = match audit.range((day, 0)..=(day, u32::MAX))?.next_back() {
                    Some(row) => row?.0.value().1.checked_add(1),
                    None => Some(0),
                };
                let number = next.ok_or(StoreError::Exhausted("audit"))?;
                let record = AuditRecord {
                    at: deed.at.as_millisecond(),
                    account: deed.account.clone(),
                    what: deed.what.to_owned(),
                    patient: deed.patient.clone(),
                    outcome: deed.outcome.to_owned(),
                };
                audit.insert((day, number), encode(&record)?.as_slice())?;
            }
            Ok(())
        })
        .await
    }

    /// Removes the audit's days that ended before `before`. Returns how many rows.
    ///
    /// # Errors
    /// A transaction failed; what was removed stays removed.
    pub async fn forget_audit_before(
        &self,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let day = journal_day(before);
        self.in_steps(now, move |scope| {
            let mut audit = scope.transaction.open_table(AUDIT)?;
            let mut old = Vec::new();
            for row in audit.range(..(day, 0))?.take(PER_STEP) {
                old.push(row?.0.value());
            }
            for key in &old {
                audit.remove(key)?;
            }
            Ok(old.len())
        })
        .await
    }
}

impl Reader {
    /// At most `count` lines before the given place, the newest first.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn audit_before(
        &self,
        place: Option<AuditPlace>,
        count: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        let snapshot = self.snapshot()?;
        let Some(audit) = present(snapshot.open_table(AUDIT))? else {
            return Ok(Vec::new());
        };
        let mut lines = Vec::new();
        for row in audit.range(..place.unwrap_or((u32::MAX, u32::MAX)))?.rev() {
            let (key, record) = row?;
            lines.extend(self.audit_line(key.value(), record.value()));
            if lines.len() >= count {
                break;
            }
        }
        Ok(lines)
    }

    /// At most `count` lines from the given place on, the oldest first, and where the next ones
    /// begin.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn audit_from(
        &self,
        place: AuditPlace,
        count: usize,
    ) -> Result<(Vec<AuditLine>, Option<AuditPlace>), StoreError> {
        let snapshot = self.snapshot()?;
        let Some(audit) = present(snapshot.open_table(AUDIT))? else {
            return Ok((Vec::new(), None));
        };
        let mut lines = Vec::new();
        for (looked_at, row) in audit.range(place..)?.enumerate() {
            let (key, record) = row?;
            if looked_at == count {
                return Ok((lines, Some(key.value())));
            }
            lines.extend(self.audit_line(key.value(), record.value()));
        }
        Ok((lines, None))
    }

    fn audit_line(&self, place: AuditPlace, record: &[u8]) -> Option<AuditLine> {
        let record = self.readable(decode::<AuditRecord>(&AUDIT, record))?;
        Some(AuditLine {
            place,
            at: Timestamp::from_millisecond(record.at).unwrap_or(Timestamp::UNIX_EPOCH),
            account: record.account,
            what: record.what,
            patient: record.patient,
            outcome: record.outcome,
        })
    }
}
