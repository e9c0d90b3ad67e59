//! Patients one after the other, each with plan, state and what the journal says: for reports over
//! long times, in memory that does not grow with the number of patients or of days.
//!
//! Patients are read in batches, and no snapshot gets old: while one is held, the file of a daemon
//! that writes grows.

use super::StoreError;
use super::read::Reader;
use super::records::{
    JOURNAL, JournalRow, PATIENT_IDS, PATIENT_SLUGS, PATIENTS, PLANS, PatientRecord, PlanRecord,
    decode, journal_day,
};
use crate::engine::{Entry, ExpiredReason, PatientState};
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};
use redb::{ReadTransaction, ReadableTable};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Patients whose journal is read together.
const PATIENTS_PER_BATCH: usize = 32;

/// Rows of the journal that are read from one snapshot.
const ROWS_PER_PAGE: usize = 5_000;

/// A snapshot is held for about so long at most.
const SNAPSHOT_AGE_MAX: Duration = Duration::from_millis(500);

/// What is due from an instant on may have been written so long before it: a few seconds, more
/// where the clock was set back.
const WRITTEN_AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One patient.
pub struct Chart {
    /// The patient's id.
    pub patient: String,
    /// The patient's number.
    pub number: u32,
    /// How many rows of the journal were written of the patient.
    pub rows: u32,
    /// The plan in force; `None` when there is none, or it cannot be read.
    pub plan: Option<ResolvedPlan>,
    /// The state; `None` when there is none, or it cannot be read.
    pub state: Option<PatientState>,
    /// Why no message can go to the patient; `None` when one can.
    pub barred: Option<ExpiredReason>,
    /// When the patient is looked at next.
    pub wake_at: Option<Timestamp>,
    /// Entries of the journal, in the order of writing, with the instant of it.
    pub entries: Vec<(Timestamp, Entry)>,
}

/// Patients in the order in which they were first known.
pub struct Charts<'r> {
    reader: &'r Reader,
    patients: Vec<(u32, String)>,
    /// The first of `patients` that has not been read.
    next: usize,
    /// Days of the journal to be read; `None`: none.
    from_day: Option<u32>,
    wanted: fn(&Entry) -> bool,
    read: VecDeque<Chart>,
}

impl Reader {
    /// The charts of one patient or of all, with those entries of the journal for which `wanted`
    /// holds and that say something of what was due at or after `from` (and perhaps earlier
    /// ones). Rows that cannot be read are left out and counted.
    ///
    /// # Errors
    /// The read failed.
    pub fn charts(
        &self,
        patient: Option<&str>,
        from: Timestamp,
        wanted: fn(&Entry) -> bool,
    ) -> Result<Charts<'_>, StoreError> {
        let day = journal_day(from.saturating_sub(WRITTEN_AHEAD).unwrap_or(Timestamp::MIN));
        self.charts_of(patient, Some(day), wanted)
    }

    /// The charts of one patient or of all, without the journal.
    ///
    /// # Errors
    /// The read failed.
    pub fn charts_without_journal(&self, patient: Option<&str>) -> Result<Charts<'_>, StoreError> {
        self.charts_of(patient, None, |_| false)
    }

    /// The journal's rows of these patients from the earliest day on, page by page. Of each
    /// patient only rows with lower numbers than the given one are read: what is written while
    /// the pages are turned is left out.
    #[must_use]
    pub fn journal_pages(&self, rows_below: BTreeMap<u32, u32>) -> JournalPages<'_> {
        JournalPages {
            reader: self,
            rows_below,
            next: Some((0, 0, 0)),
        }
    }

    fn charts_of(
        &self,
        patient: Option<&str>,
        from_day: Option<u32>,
        wanted: fn(&Entry) -> bool,
    ) -> Result<Charts<'_>, StoreError> {
        let snapshot = self.snapshot()?;
        let mut patients = Vec::new();
        if let Some(patient) = patient {
            if let Some(row) = snapshot.open_table(PATIENT_IDS)?.get(patient)? {
                patients.push((row.value(), patient.to_owned()));
            }
        } else {
            for row in snapshot.open_table(PATIENT_SLUGS)?.iter()? {
                let (number, slug) = row?;
                patients.push((number.value(), slug.value().to_owned()));
            }
        }
        Ok(Charts {
            reader: self,
            patients,
            next: 0,
            from_day,
            wanted,
            read: VecDeque::new(),
        })
    }
}

impl Charts<'_> {
    /// How many patients there are in all.
    #[must_use]
    pub fn patients(&self) -> usize {
        self.patients.len()
    }

    fn read_batch(&mut self) -> Result<(), StoreError> {
        let end = (self.next + PATIENTS_PER_BATCH).min(self.patients.len());
        let batch = &self.patients[self.next..end];
        let mut snapshot = Fresh::new(self.reader)?;
        // The states first: what is closed meanwhile is found in the journal, which comes later.
        let mut charts = Vec::with_capacity(batch.len());
        for (number, patient) in batch {
            charts.push(chart(self.reader, snapshot.get()?, *number, patient)?);
        }
        let mut rows: Vec<Vec<(u32, JournalRow)>> = vec![Vec::new(); batch.len()];
        if let (Some(from), Some((first, _)), Some((last, _))) =
            (self.from_day, batch.first(), batch.last())
        {
            let days = snapshot.days()?;
            for day in days.into_iter().flat_map(|(a, b)| from.max(a)..=b) {
                let journal = snapshot.get()?.open_table(JOURNAL)?;
                for row in journal.range((day, *first, 0)..=(day, *last, u32::MAX))? {
                    let (key, row) = row?;
                    let (_, number, seq) = key.value();
                    let Ok(index) = batch.binary_search_by_key(&number, |(it, _)| *it) else {
                        continue;
                    };
                    let row = decode::<JournalRow>(&JOURNAL, row.value());
                    if let Some(mut row) = self.reader.readable(row) {
                        row.entries.retain(self.wanted);
                        if !row.entries.is_empty() {
                            rows[index].push((seq, row));
                        }
                    }
                }
            }
        }
        for (mut chart, mut rows) in charts.into_iter().zip(rows) {
            // By number, not by day: the clock may have been set back in between.
            rows.sort_by_key(|(seq, _)| *seq);
            let entries = rows.into_iter().flat_map(|(_, row)| {
                let at = instant(row.at);
                row.entries.into_iter().map(move |entry| (at, entry))
            });
            chart.entries = entries.collect();
            self.read.push_back(chart);
        }
        self.next = end;
        Ok(())
    }
}

impl Iterator for Charts<'_> {
    type Item = Result<Chart, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read.is_empty()
            && self.next < self.patients.len()
            && let Err(error) = self.read_batch()
        {
            self.next = self.patients.len();
            return Some(Err(error));
        }
        self.read.pop_front().map(Ok)
    }
}

/// One row of the journal.
pub struct JournalPageRow {
    /// The patient's number.
    pub patient: u32,
    /// The number of the row among the patient's: it tells the order of writing.
    pub row: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What it says, in order.
    pub entries: Vec<Entry>,
}

/// The journal, page by page.
pub struct JournalPages<'r> {
    reader: &'r Reader,
    rows_below: BTreeMap<u32, u32>,
    /// The first key of the next page; `None` behind the last one.
    next: Option<(u32, u32, u32)>,
}

impl JournalPages<'_> {
    fn page(&mut self, from: (u32, u32, u32)) -> Result<Vec<JournalPageRow>, StoreError> {
        let snapshot = self.reader.snapshot()?;
        let journal = snapshot.open_table(JOURNAL)?;
        let mut rows = Vec::new();
        self.next = None;
        for (looked_at, row) in journal.range(from..)?.enumerate() {
            let (key, record) = row?;
            let key @ (_, patient, row) = key.value();
            if looked_at == ROWS_PER_PAGE {
                self.next = Some(key);
                break;
            }
            if self.rows_below.get(&patient).is_none_or(|end| row >= *end) {
                continue;
            }
            let record = decode::<JournalRow>(&JOURNAL, record.value());
            if let Some(record) = self.reader.readable(record) {
                rows.push(JournalPageRow {
                    patient,
                    row,
                    at: instant(record.at),
                    entries: record.entries,
                });
            }
        }
        Ok(rows)
    }
}

impl Iterator for JournalPages<'_> {
    type Item = Result<Vec<JournalPageRow>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.next?;
        Some(self.page(from))
    }
}

fn chart(
    reader: &Reader,
    snapshot: &ReadTransaction,
    number: u32,
    patient: &str,
) -> Result<Chart, StoreError> {
    let plan = snapshot.open_table(PLANS)?.get(number)?;
    let plan = plan.map(|row| decode::<PlanRecord>(&PLANS, row.value()));
    let plan = plan.and_then(|plan| reader.readable(plan));
    let record = snapshot.open_table(PATIENTS)?.get(number)?;
    let record = record.map(|row| decode::<PatientRecord>(&PATIENTS, row.value()));
    let record = record.and_then(|record| reader.readable(record));
    let barred = match (&plan, &record) {
        (Some(plan), Some(record)) => {
            let contact = record.contacts.patients(plan.head.contact, &plan.plan);
            let none = contact.is_none().then_some(ExpiredReason::NotEnrolled);
            record.contacts.barred.or(none)
        }
        (Some(plan), None) if plan.head.contact.is_some() => None,
        _ => Some(ExpiredReason::NotEnrolled),
    };
    let wake_at = record.as_ref().and_then(|record| record.wake_at);
    Ok(Chart {
        patient: patient.to_owned(),
        number,
        rows: record.as_ref().map_or(0, |record| record.journal_next),
        plan: plan.map(|plan| plan.plan),
        barred,
        wake_at: wake_at.map(instant),
        entries: Vec::new(),
        state: record.map(|record| record.state),
    })
}

fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A snapshot that is taken anew when it has become old.
pub(super) struct Fresh<'r> {
    reader: &'r Reader,
    snapshot: Arc<ReadTransaction>,
    taken: Instant,
}

impl<'r> Fresh<'r> {
    pub fn new(reader: &'r Reader) -> Result<Self, StoreError> {
        Ok(Self {
            reader,
            snapshot: reader.snapshot()?,
            taken: Instant::now(),
        })
    }

    pub fn get(&mut self) -> Result<&ReadTransaction, StoreError> {
        if self.taken.elapsed() > SNAPSHOT_AGE_MAX {
            self.snapshot = self.reader.snapshot()?;
            self.taken = Instant::now();
        }
        Ok(&self.snapshot)
    }

    /// The journal's first and last day; `None` when it is empty.
    fn days(&mut self) -> Result<Option<(u32, u32)>, StoreError> {
        let journal = self.get()?.open_table(JOURNAL)?;
        let first = journal.first()?.map(|(key, _)| key.value().0);
        let last = journal.last()?.map(|(key, _)| key.value().0);
        Ok(first.zip(last))
    }
}

impl super::Store {
    /// Appends rows to the journals of patients as they are given: a history that nobody lived,
    /// for tests and for measuring what reads it. Nothing of the daemon writes like this.
    ///
    /// # Errors
    /// The transaction failed, or a patient is not known.
    pub async fn write_history(
        &self,
        now: Timestamp,
        rows: BTreeMap<String, Vec<JournalRow>>,
    ) -> Result<(), StoreError> {
        use super::records::encode;
        self.write(now, move |scope| {
            let ids = scope.transaction.open_table(PATIENT_IDS)?;
            let mut patients = scope.transaction.open_table(PATIENTS)?;
            let mut journal = scope.transaction.open_table(JOURNAL)?;
            for (patient, rows) in rows {
                let number = ids.get(patient.as_str())?.map_or(0, |row| row.value());
                let mut record = {
                    let row = patients.get(number)?;
                    let bytes = row.map(|row| row.value().to_vec()).unwrap_or_default();
                    decode::<PatientRecord>(&PATIENTS, &bytes)?
                };
                for row in rows {
                    let day = journal_day(instant(row.at));
                    for entry in &row.entries {
                        if let Entry::CallWanted { reason } = entry {
                            scope.effects.calls.push((number, *reason));
                        }
                    }
                    let key = (day, number, record.journal_next);
                    journal.insert(key, encode(&row)?.as_slice())?;
                    record.journal_next += 1;
                }
                patients.insert(number, encode(&record)?.as_slice())?;
            }
            Ok(())
        })
        .await
    }

    /// As [`Self::write_history`], of one patient.
    #[cfg(test)]
    pub(crate) async fn write_journal(
        &self,
        now: Timestamp,
        patient: String,
        rows: Vec<JournalRow>,
    ) -> Result<(), StoreError> {
        self.write_history(now, BTreeMap::from([(patient, rows)]))
            .await
    }
}
