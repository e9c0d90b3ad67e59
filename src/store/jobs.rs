//! What is remembered of the jobs of housekeeping.

use super::records::{DAYS, JOBS, decode, encode};
use super::{Reader, Store, StoreError};
use jiff::Timestamp;
use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// When a daemon first knew of it, ms.
    known: Option<i64>,
}

impl JobRun {
    /// When it was started last and then succeeded.
    #[must_use]
    pub fn last_success(&self) -> Option<Timestamp> {
        instant(self.succeeded)
    }

    /// When it was started last.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        instant(self.started)
    }

    /// Up to here nothing is left to do: its last success, or when a daemon first knew of it.
    #[must_use]
    pub fn done_until(&self) -> Option<Timestamp> {
        instant(self.succeeded.or(self.known))
    }

    /// When a daemon first knew of it.
    #[must_use]
    pub fn known(&self) -> Option<Timestamp> {
        instant(self.known)
    }

    /// How long the last run took.
    #[must_use]
    pub fn took(&self) -> Duration {
        Duration::from_millis(self.took_ms)
    }

    /// How often it was run.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// It was run, and the last run did not succeed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.count > 0 && !self.success
    }

    /// The record once a daemon knows of the job; it stays as it is where one did before.
    #[must_use]
    pub fn known_since(mut self, now: Timestamp) -> Self {
        self.known.get_or_insert(now.as_millisecond());
        self
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
            known: self.known.or(Some(ms)),
        }
    }
}

fn instant(ms: Option<i64>) -> Option<Timestamp> {
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok())
}

impl Reader {
    /// What is remembered of the jobs of housekeeping, by name. Rows that cannot be read are left
    /// out and counted.
    ///
    /// # Errors
    /// The read failed.
    pub fn jobs(&self) -> Result<BTreeMap<String, JobRun>, StoreError> {
        let snapshot = self.snapshot()?;
        let mut jobs = BTreeMap::new();
        for row in snapshot.open_table(JOBS)?.iter()? {
            let (name, run) = row?;
            if let Some(run) = self.readable(decode(&JOBS, run.value())) {
                jobs.insert(name.value().to_owned(), run);
            }
        }
        Ok(jobs)
    }
}

impl Store {
    /// What is remembered of a job. A record that cannot be read counts as none: the next run
    /// mends it.
    ///
    /// # Errors
    /// The read failed.
    pub async fn job(&self, name: &'static str) -> Result<JobRun, StoreError> {
        self.read(move |snapshot, _| {
            let jobs = snapshot.open_table(JOBS)?;
            jobs.get(name)?
                .and_then(|row| decode(&JOBS, row.value()).ok())
                .map_or(Ok(JobRun::default()), Ok)
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
