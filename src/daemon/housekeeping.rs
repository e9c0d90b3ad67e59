//! Housekeeping: jobs of the day, each at its hour in the clinic's zone.
//!
//! tokio-cron-scheduler is only a doorbell, rung once a minute in UTC: it freezes a zone's offset
//! when a job is made, makes up no missed run and guards against no overlap. Whether a job is due
//! is decided by a pure function of its last success, the clinic's zone and now ([`super::job`]); the
//! task's own clock rings the same bell, so that a dead doorbell stops nothing.
//!
//! # What this does not promise
//! A job runs once after its hour, not at it: a daemon that was down runs it once when it is back,
//! however many hours were missed.

use super::backups;
use super::config;
use super::job::{Job, is_due};
use super::shared::Shared;
use crate::store::{JobRun, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job as Tick, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

/// Every full minute, with seconds.
const EVERY_MINUTE: &str = "0 * * * * *";

/// The bell rings by itself after this, should the doorbell be dead.
const OWN_BELL: Duration = Duration::from_secs(300);

/// A run that takes longer is given up; the next bell tries again.
const RUN_MAX: Duration = Duration::from_secs(600);

/// Counts of days are kept this long: more than a year, for the report of a year.
const DAY_COUNTS_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Words of people whom nobody knows are kept for so long: they are read within days, or not.
const STRANGERS_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Of whom staff were told is kept for so long: an answer comes within the hour, or not.
const TOLD_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// For so long after a person accepted the clock nothing is removed by it.
const PROBATION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Runs jobs that are due, one at a time, until `stop`.
pub async fn run(shared: Arc<Shared>, store: config::Store, stop: CancellationToken) {
    let bell = Arc::new(Notify::new());
    let mut doorbell = match install_doorbell(&bell).await {
        Ok(doorbell) => Some(doorbell),
        Err(error) => {
            tracing::error!(%error, "the doorbell of housekeeping is dead; its own clock rings");
            None
        }
    };
    for job in Job::ALL.into_iter().filter(|job| !job.is_on(&store)) {
        shared.metrics.job_is_off(job);
        shared.vitals.job_is_off(job);
    }
    while !stop.is_cancelled() {
        for job in Job::ALL.into_iter().filter(|job| job.is_on(&store)) {
            tokio::select! {
                () = run_if_due(&shared, job, &store) => {}
                // What was begun is begun again after the next start.
                () = stop.cancelled() => break,
            }
        }
        tokio::select! {
            () = bell.notified() => {}
            () = shared.clock.sleep(OWN_BELL) => {}
            () = stop.cancelled() => {}
        }
    }
    if let Some(doorbell) = &mut doorbell {
        // It only rings: nothing is under way in it.
        let _ = doorbell.shutdown().await;
    }
}

async fn install_doorbell(bell: &Arc<Notify>) -> Result<JobScheduler, JobSchedulerError> {
    let doorbell = JobScheduler::new().await?;
    let bell = Arc::clone(bell);
    doorbell
        .add(Tick::new(EVERY_MINUTE, move |_, _| bell.notify_one())?)
        .await?;
    doorbell.start().await?;
    Ok(doorbell)
}

async fn run_if_due(shared: &Shared, job: Job, store: &config::Store) {
    let Ok(mut before) = shared.store.job(job.name()).await else {
        // The store fails: the next bell looks again.
        return;
    };
    show(shared, job, &before);
    let time = shared.time();
    let started = time.now.wall;
    if time.doubted {
        // What is old enough to be removed is not known.
        return;
    }
    if before.known().is_none() {
        before = before.known_since(started);
        note(shared, job, &before).await;
    }
    if !is_due(job.rhythm(), &before, started, &shared.outlet().zone) {
        return;
    }
    let began = shared.clock.elapsed();
    let done = tokio::time::timeout(RUN_MAX, carry_out(shared, job, store, started)).await;
    let success = matches!(done, Ok(true));
    let took = shared.clock.elapsed().saturating_sub(began);
    let run = before.after(started, took, success);
    shared.metrics.job_ran(job, success);
    note(shared, job, &run).await;
    if success {
        tracing::debug!(job = job.name(), "a job has run");
    } else {
        tracing::error!(job = job.name(), "a job has failed");
    }
}

async fn note(shared: &Shared, job: Job, run: &JobRun) {
    let noted = shared
        .store
        .note_job(shared.now(), job.name(), run.clone())
        .await;
    if let Err(error) = noted {
        tracing::error!(%error, job = job.name(), "a job's run cannot be noted");
    }
    show(shared, job, run);
}

async fn carry_out(shared: &Shared, job: Job, store: &config::Store, now: Timestamp) -> bool {
    let done = match job {
        Job::Retention => forget(shared, store.keep, now)
            .await
            .map_err(|error| error.to_string()),
        Job::Backup => backups::make(store, now)
            .await
            .map_err(|error| error.to_string()),
    };
    if let Err(error) = &done {
        tracing::error!(%error, job = job.name(), "a job cannot be carried out");
    }
    done.is_ok()
}

/// Removes what is older than it is kept, the journal first: it is the largest. By a clock that a
/// person had to accept lately nothing is removed: were it years ahead, all would be old.
async fn forget(shared: &Shared, keep: SignedDuration, now: Timestamp) -> Result<(), StoreError> {
    if let Some(at) = shared.store.accepted_at().await?
        && (at..at.saturating_add(PROBATION).unwrap_or(Timestamp::MAX)).contains(&now)
    {
        tracing::info!("nothing is removed: the clock was accepted by a person lately");
        return Ok(());
    }
    let before = now.saturating_sub(keep).unwrap_or(Timestamp::MIN);
    let rows = shared.store.forget_journal_before(now, before).await?;
    let texts = shared.store.forget_ended_plans_before(now, before).await?;
    if rows + texts > 0 {
        tracing::info!(rows, texts, "what is older than it is kept was removed");
    }
    let deeds = shared.store.forget_audit_before(now, before).await?;
    if deeds > 0 {
        tracing::info!(deeds, "old rows of the audit were removed");
    }
    let ago = |kept| now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
    let strangers = ago(STRANGERS_KEPT);
    let strangers = shared.store.forget_strangers_before(now, strangers).await?;
    let told = shared.store.forget_told_before(now, ago(TOLD_KEPT)).await?;
    if strangers + told > 0 {
        tracing::info!(strangers, told, "old rows of talks were removed");
    }
    shared
        .store
        .forget_jobs_before(now, before, &Job::NAMES)
        .await?;
    let day = shared.day(now.saturating_sub(DAY_COUNTS_KEPT).unwrap_or(now));
    shared.store.forget_days_before(now, day).await
}

fn show(shared: &Shared, job: Job, run: &JobRun) {
    shared.vitals.job_ran(job, run);
    shared.metrics.job_succeeded(job, run.last_success());
}
