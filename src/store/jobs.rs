//! What is remembered of the jobs of housekeeping.

use super::records::{DAYS, JOBS, decode, encode};
use super::{Store, StoreError};
use jiff::Timestamp;
use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Counts removed in one transaction at most: a wake must not wait for housekeeping.
const DAYS_PER_STEP: usize = 1_000;

/// The runs of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// When it was started last, ms.
    started: Option<i64>,
    /// When it was started last and then succeeded, ms.
    succeeded: Option<i64>,
    /// How long the last run took, ms.
    took_ms: u64,
    /// Whether the last run succeeded.
    success: bool,
    /// How often it was run.
    count: u64,
}

impl JobRun {
    /// When it was started last and then succeeded.
    #[must_use]
    pub fn last_success(&self) -> Option<Timestamp> {
        self.succeeded
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
    }

    /// When it was started last.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.started
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
    }

    /// The record after one more run.
    #[must_use]
    pub fn after(&self, started: Timestamp, took: Duration, success: bool) -> Self {
        let ms = started.as_millisecond();
        Self {
            started: Some(ms),
            succeeded: if success { Some(ms) } else { self.succeeded },
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            success,
            count: self.count + 1,
        }
    }
}

impl Store {
    /// What is remembered of a job.
    ///
    /// # Errors
    /// The read failed.
    pub async fn job(&self, name: &'static str) -> Result<JobRun, StoreError> {
        self.read(move |snapshot, _| {
            let jobs = snapshot.open_table(JOBS)?;
            jobs.get(name)?
                .map_or(Ok(JobRun::default()), |row| decode(&JOBS, row.value()))
        })
        .await
    }

    /// Remembers a job's run.
    ///
    /// # Errors
    /// The transaction failed.
    pub async fn note_job(
        &self,
        now: Timestamp,
        name: &'static str,
        run: JobRun,
    ) -> Result<(), StoreError> {
        self.write(now, move |scope| {
            let mut jobs = scope.transaction.open_table(JOBS)?;
            jobs.insert(name, encode(&run)?.as_slice())?;
            Ok(())
        })
        .await
    }

    /// Removes the counts of days before `day`, in small steps.
    ///
    /// # Errors
    /// A transaction failed; what was removed stays removed.
    pub async fn forget_days_before(&self, now: Timestamp, day: u32) -> Result<(), StoreError> {
        loop {
            let left = self
                .write(now, move |scope| {
                    let mut days = scope.transaction.open_table(DAYS)?;
                    let mut old = Vec::new();
                    for row in days.range(..day)?.take(DAYS_PER_STEP) {
                        old.push(row?.0.value());
                    }
                    for day in &old {
                        days.remove(day)?;
                    }
                    Ok(old.len() == DAYS_PER_STEP)
                })
                .await?;
            if !left {
                return Ok(());
            }
        }
    }
}
