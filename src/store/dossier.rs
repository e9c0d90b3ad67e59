//! One patient, for whoever looks at one: the journal page by page from its end, the texts of the
//! plan, who is reached. Only this patient's rows are read.

use super::StoreError;
use super::read::{JournalLine, Reader};
use super::records::{
    JOURNAL, JournalRow, PATIENT_IDS, PATIENTS, PLAN_HISTORY, PLANS, PatientRecord, PlanText,
    decode, decode_head,
};
use crate::engine::ExpiredReason;
use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable};

/// A place in a patient's journal, between two rows: where a page ends and the next one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalMark {
    day: u32,
    row: u32,
}

/// As it stands in an address.
impl std::fmt::Display for JournalMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.day, self.row)
    }
}

impl JournalMark {
    /// Reads what an address says; `None` if it is no mark.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let (day, row) = text.split_once('.')?;
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        Some(Self {
            day: number(day)?,
            row: number(row)?,
        })
    }
}

/// A part of a patient's journal, the newest entry first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalLeaf {
    /// The entries.
    pub lines: Vec<JournalLine>,
    /// Where it goes on to older ones; `None` at the beginning.
    pub older: Option<JournalMark>,
}

/// A text of a patient's plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanVersion {
    /// Its number, from 1.
    pub version: u32,
    /// When it came into force, from which file, and the text.
    pub text: PlanText,
}

/// Whether, and how, messages reach a patient and those who look after them. No address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The patient's own contact was bound by a scan.
    pub bound: bool,
    /// The plan names the patient's contact.
    pub attested: bool,
    /// Why no message can go to the patient's contact.
    pub barred: Option<ExpiredReason>,
    /// Caregivers of whom a contact is known.
    pub caregivers: Vec<CaregiverReach>,
}

/// Whether news reaches a caregiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaregiverReach {
    /// The id in the plan.
    pub id: String,
    /// The plan names the contact; else it was bound by a scan.
    pub attested: bool,
    /// No consent, stopped, or not following.
    pub barred: bool,
    /// The channel says that news is refused there.
    pub refuses: bool,
}

impl Reader {
    /// So many rows of a patient's journal, those written last first, older than `before`. Each
    /// row has what was remembered at one moment.
    ///
    /// Within days the order is that of writing; a clock that was set back over midnight writes
    /// into an earlier day.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn journal_leaf(
        &self,
        patient: &str,
        before: Option<JournalMark>,
        rows: usize,
    ) -> Result<JournalLeaf, StoreError> {
        let mut leaf = JournalLeaf::default();
        let snapshot = self.snapshot()?;
        let Some(number) = number_of(&snapshot, patient)? else {
            return Ok(leaf);
        };
        let journal = snapshot.open_table(JOURNAL)?;
        let first = journal.first()?.map(|(key, _)| key.value().0);
        let last = journal.last()?.map(|(key, _)| key.value().0);
        let Some((first, last)) = first.zip(last) else {
            return Ok(leaf);
        };
        let start = before.map_or(last, |mark| mark.day.min(last));
        let mut read = 0;
        for day in (first..=start).rev() {
            let end = match before {
                Some(mark) if mark.day == day => mark.row,
                _ => u32::MAX,
            };
            for row in journal.range((day, number, 0)..(day, number, end))?.rev() {
                let (key, record) = row?;
                if read == rows {
                    leaf.older = Some(JournalMark {
                        day,
                        row: key.value().2 + 1,
                    });
                    return Ok(leaf);
                }
                read += 1;
                let record = decode::<JournalRow>(&JOURNAL, record.value());
                let Some(record) = self.readable(record) else {
                    continue;
                };
                let at = instant(record.at);
                let lines = record.entries.into_iter().rev();
                leaf.lines.extend(lines.map(|entry| JournalLine {
                    patient: patient.to_owned(),
                    at,
                    entry,
                }));
            }
        }
        Ok(leaf)
    }

    /// The last texts of a patient's plan, older than version `before`, the newest first; so many
    /// at most.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn plan_versions(
        &self,
        patient: &str,
        before: Option<u32>,
        count: usize,
    ) -> Result<Vec<PlanVersion>, StoreError> {
        let snapshot = self.snapshot()?;
        let Some(number) = number_of(&snapshot, patient)? else {
            return Ok(Vec::new());
        };
        let history = snapshot.open_table(PLAN_HISTORY)?;
        let end = before.unwrap_or(u32::MAX);
        let mut versions = Vec::new();
        for row in history.range((number, 0)..(number, end))?.rev().take(count) {
            let (key, text) = row?;
            let text = decode::<PlanText>(&PLAN_HISTORY, text.value());
            if let Some(text) = self.readable(text) {
                versions.push(PlanVersion {
                    version: key.value().1,
                    text,
                });
            }
        }
        Ok(versions)
    }

    /// Whether messages reach a patient; `None` where there never was one of this id.
    ///
    /// # Errors
    /// The read failed. A record that cannot be read is counted, and says nothing.
    pub fn reach(&self, patient: &str) -> Result<Option<Reach>, StoreError> {
        let snapshot = self.snapshot()?;
        let Some(number) = number_of(&snapshot, patient)? else {
            return Ok(None);
        };
        let head = snapshot.open_table(PLANS)?.get(number)?;
        let head = head.map(|row| decode_head(row.value()));
        let head = head.and_then(|head| self.readable(head));
        let record = snapshot.open_table(PATIENTS)?.get(number)?;
        let record = record.map(|row| decode::<PatientRecord>(&PATIENTS, row.value()));
        let contacts = record.and_then(|record| self.readable(record));
        let contacts = contacts.map(|record| record.contacts).unwrap_or_default();
        let caregivers = contacts.caregivers.into_iter().map(|it| CaregiverReach {
            id: it.id,
            attested: it.attested,
            barred: it.barred,
            refuses: it.refuses,
        });
        Ok(Some(Reach {
            bound: contacts.bound.is_some(),
            attested: head.is_some_and(|head| head.contact.is_some()),
            barred: contacts.barred,
            caregivers: caregivers.collect(),
        }))
    }
}

fn number_of(snapshot: &ReadTransaction, patient: &str) -> Result<Option<u32>, StoreError> {
    let ids = snapshot.open_table(PATIENT_IDS)?;
    Ok(ids.get(patient)?.map(|row| row.value()))
}

fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
