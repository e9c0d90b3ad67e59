//! Removing what is older than it is kept, in small steps: a wake waits for one of them at most.
//!
//! Never cut is what is still of use: plans in force, states, wakes, messages, contacts, and the
//! numbers of patients, which are never given out again.

use super::records::{
    JOBS, JOURNAL, PATIENTS, PLAN_HISTORY, PLANS, PatientRecord, PlanText, STRANGERS, TOLD, decode,
    journal_day,
};
use super::writer::Scope;
use super::{JobRun, Store, StoreError};
use jiff::Timestamp;
use redb::ReadableTable;

/// Rows looked at in one transaction at most.
pub(super) const PER_STEP: usize = 500;

impl Store {
    /// Makes steps until one has removed fewer than [`PER_STEP`] rows, each a transaction of its own:
    /// nothing waits behind all of them. Returns how many rows.
    pub(super) async fn in_steps(
        &self,
        now: Timestamp,
        step: impl Fn(&mut Scope<'_>) -> Result<usize, StoreError> + Clone + Send + 'static,
    ) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let count = self.write(now, step.clone()).await?;
            removed += count as u64;
            if count < PER_STEP {
                return Ok(removed);
            }
        }
    }

    /// Removes the journal's days that ended before `before`. Returns how many rows.
    ///
    /// # Errors
    /// A transaction failed; what was removed stays removed.
    pub async fn forget_journal_before(
        &self,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let day = journal_day(before);
        self.in_steps(now, move |scope| {
            let mut journal = scope.transaction.open_table(JOURNAL)?;
            let mut old = Vec::new();
            for row in journal.range(..(day, 0, 0))?.take(PER_STEP) {
                old.push(row?.0.value());
            }
            for key in &old {
                journal.remove(key)?;
            }
            Ok(old.len())
        })
        .await
    }

    /// Removes the texts of patients whose plan has ended, who have nothing open, and whom nothing
    /// has happened to since before `before`. Returns how many texts.
    ///
    /// # Errors
    /// A transaction failed; what was removed stays removed.
    pub async fn forget_ended_plans_before(
        &self,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let (mut removed, mut from) = (0, Some((0, 0)));
        while let Some(start) = from {
            let step = self.write(now, move |scope| {
                let mut history = scope.transaction.open_table(PLAN_HISTORY)?;
                let plans = scope.transaction.open_table(PLANS)?;
                let patients = scope.transaction.open_table(PATIENTS)?;
                let (mut old, mut last, mut count) = (Vec::new(), None, 0);
                for row in history.range(start..)?.take(PER_STEP) {
                    let (key, text) = row?;
                    let (patient, version) = key.value();
                    (last, count) = (Some((patient, version)), count + 1);
                    // What cannot be read is left alone.
                    let text = decode::<PlanText>(&PLAN_HISTORY, text.value());
                    let is_old = text.is_ok_and(|text| text.at < before.as_millisecond());
                    if is_old
                        && plans.get(patient)?.is_none()
                        && patients.get(patient)?.is_none_or(|record| {
                            decode::<PatientRecord>(&PATIENTS, record.value())
                                .is_ok_and(|record| is_over(&record, before))
                        })
                    {
                        old.push((patient, version));
                    }
                }
                for key in &old {
                    history.remove(key)?;
                }
                let next = last.filter(|_| count == PER_STEP);
                Ok((
                    old.len(),
                    next.map(|(patient, version)| after(patient, version)),
                ))
            });
            let (step, next) = step.await?;
            removed += step as u64;
            from = next;
        }
        Ok(removed)
    }

    /// Removes words of people whom nobody knows, written before `before`. Returns how many.
    ///
    /// # Errors
    /// A transaction failed; what was removed stays removed.
    pub async fn forget_strangers_before(
        &self,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        self.in_steps(now, move |scope| {
            let mut strangers = scope.transaction.open_table(STRANGERS)?;
            let mut old = Vec::new();
            for row in strangers
                .range(..(before.as_millisecond(), 0))?
                .take(PER_STEP)
            {
                old.push(row?.0.value());
            }
            for key in &old {
                strangers.remove(key)?;
            }
            Ok(old.len())
        })
        .await
    }

    /// Removes of whom staff were told, where that was last before `before`: what they write is no
    /// answer to it any more. Returns how many rows.
    ///
    /// # Errors
    /// A transaction failed; what was removed stays removed.
    pub async fn forget_told_before(
        &self,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let (mut removed, mut from) = (0, Some((0, 0)));
        while let Some(start) = from {
            let step = self.write(now, move |scope| {
                let mut told = scope.transaction.open_table(TOLD)?;
                let (mut old, mut last, mut count) = (Vec::new(), None, 0);
                for row in told.range(start..)?.take(PER_STEP) {
                    let (key, at) = row?;
                    let (contact, patient) = key.value();
                    (last, count) = (Some((contact, patient)), count + 1);
                    if at.value() < before.as_millisecond() {
                        old.push((contact, patient));
                    }
                }
                for key in &old {
                    told.remove(key)?;
                }
                let next = last.filter(|_| count == PER_STEP);
                Ok((
                    old.len(),
                    next.map(|(contact, patient)| after(contact, patient)),
                ))
            });
            let (step, next) = step.await?;
            removed += step as u64;
            from = next;
        }
        Ok(removed)
    }

    /// Removes what is remembered of jobs that this release does not have and that have not run
    /// since before `before`.
    ///
    /// # Errors
    /// The transaction failed.
    pub async fn forget_jobs_before(
        &self,
        now: Timestamp,
        before: Timestamp,
        present: &'static [&'static str],
    ) -> Result<(), StoreError> {
        self.write(now, move |scope| {
            let mut jobs = scope.transaction.open_table(JOBS)?;
            jobs.retain(|name, run| {
                let ran = decode::<JobRun>(&JOBS, run)
                    .ok()
                    .and_then(|run| run.started());
                present.contains(&name) || ran.is_none_or(|ran| ran >= before)
            })?;
            Ok(())
        })
        .await
    }
}

/// The key after one of two numbers.
fn after(first: u32, second: u32) -> (u32, u32) {
    match second.checked_add(1) {
        Some(second) => (first, second),
        // Nobody has the last number of all, so this is no key that was looked at.
        None => (first.saturating_add(1), 0),
    }
}

/// Nothing of the patient is open, and nothing has happened since before `before`.
fn is_over(record: &PatientRecord, before: Timestamp) -> bool {
    let state = &record.state;
    state.seen < before
        && state.doses.is_empty()
        && state.prompts.is_empty()
        && state.unsettled.is_empty()
}
