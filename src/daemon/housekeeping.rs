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
use super::digest::{self, Seen};
use super::dispatcher::Notice;
use super::job::{Job, is_due, is_overdue};
use super::reports;
use super::shared::Shared;
use crate::engine::interpret::cannot_wait;
use crate::store::{JobRun, Reader, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinError;
use tokio_cron_scheduler::{Job as Tick, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

/// Every full minute, with seconds.
const EVERY_MINUTE: &str = "0 * * * * *";

/// The bell rings by itself after this, should the doorbell be dead.
const OWN_BELL: Duration = Duration::from_secs(300);

/// After a start the scheduler's first turn is waited for, so often and so long.
const FIRST_TURN_LOOKS: u32 = 60;
const FIRST_TURN_PAUSE: Duration = Duration::from_secs(1);

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

/// What all jobs are given.
#[derive(Clone)]
struct Tools {
    shared: Arc<Shared>,
    store: config::Store,
    dispatcher: mpsc::UnboundedSender<Notice>,
}

/// Runs jobs that are due, one at a time, until `stop`.
pub async fn run(
    shared: Arc<Shared>,
    store: config::Store,
    dispatcher: mpsc::UnboundedSender<Notice>,
    stop: CancellationToken,
) {
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
    let tools = Tools {
        shared: Arc::clone(&shared),
        store: store.clone(),
        dispatcher,
    };
    // What was overdue at the start is closed first: the digest tells what became of it.
    for _ in 0..FIRST_TURN_LOOKS {
        if stop.is_cancelled() || shared.vitals.signs().scheduler_turn.is_some() {
            break;
        }
        shared.clock.sleep(FIRST_TURN_PAUSE).await;
    }
    while !stop.is_cancelled() {
        for job in Job::ALL.into_iter().filter(|job| job.is_on(&store)) {
            tokio::select! {
                () = run_if_due(&tools, job) => {}
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

async fn run_if_due(tools: &Tools, job: Job) {
    let shared = &tools.shared;
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
    let outlet = shared.outlet();
    let rhythm = job.rhythm(outlet.manners.digest_at);
    if !is_due(rhythm, &before, started, &outlet.zone) {
        return;
    }
    let began = shared.clock.elapsed();
    let work = carry_out(tools.clone(), job, before.clone(), started);
    let success = match bounded(RUN_MAX, work).await {
        Ok(success) => success,
        Err(Ended::TooLate) => {
            tracing::error!(job = job.name(), "a job takes too long and is given up");
            false
        }
        Err(Ended::Panicked) => {
            tracing::error!(job = job.name(), "a job has panicked");
            false
        }
    };
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

/// Why a job came to no end of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    TooLate,
    Panicked,
}

/// Runs a job in a task of its own: a panic ends the job and nothing else, and so does its time.
async fn bounded(
    limit: Duration,
    work: impl Future<Output = bool> + Send + 'static,
) -> Result<bool, Ended> {
    let mut task = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(work));
    match tokio::time::timeout(limit, &mut task).await {
        Ok(ended) => ended.map_err(|_: JoinError| Ended::Panicked),
        Err(_) => Err(Ended::TooLate),
    }
}

async fn carry_out(tools: Tools, job: Job, before: JobRun, now: Timestamp) -> bool {
    let (shared, store) = (&tools.shared, &tools.store);
    let done = match job {
        Job::Retention => forget(shared, store.keep, now)
            .await
            .map_err(|error| error.to_string()),
        Job::Backup => backups::make(store, now)
            .await
            .map_err(|error| error.to_string()),
        Job::Digest => tell_staff(&tools, &before, now).await,
        Job::Report => report(&tools, now).await,
    };
    if let Err(error) = &done {
        tracing::error!(%error, job = job.name(), "a job cannot be carried out");
    }
    done.is_ok()
}

/// Tells the members of staff who want it of the day before. That it is done is noted with the
/// messages, in one commit.
async fn tell_staff(tools: &Tools, before: &JobRun, now: Timestamp) -> Result<(), String> {
    let shared = &tools.shared;
    let outlet = shared.outlet();
    // Each day is told of once, whatever became of the hour meanwhile.
    let date = |at| outlet.zone.local(at).date();
    if before
        .last_success()
        .is_some_and(|at| date(at) == date(now))
    {
        return Ok(());
    }
    let signs = shared.vitals.signs();
    let backup = &signs.jobs[Job::Backup as usize];
    let rhythm = Job::Backup.rhythm(outlet.manners.digest_at);
    let seen = Seen {
        unreachable: u64::try_from(signs.unreachable).unwrap_or(0),
        rejected: signs.plans.rejected as u64,
        backup_late: !signs.jobs_off[Job::Backup as usize]
            && (backup.failed() || is_overdue(rhythm, backup, now)),
    };
    let reader = Reader::of_store(&shared.store);
    let (zone, flags) = (outlet.zone.clone(), Arc::clone(&outlet.manners.red_flags));
    let collected = tokio::task::spawn_blocking(move || {
        digest::collect(&reader, seen, now, &zone, |text| cannot_wait(text, &flags))
    });
    let collected = collected.await.map_err(|error| error.to_string())?;
    let collected = collected.map_err(|error| error.to_string())?;
    let told = shared
        .store
        .tell_digest(
            shared.now(),
            collected,
            outlet.zone.clone(),
            Arc::clone(&outlet.limits) as _,
            (Job::Digest.name(), before.after(now, Duration::ZERO, true)),
        )
        .await;
    match told {
        Ok(told) => {
            if told.unfit > 0 {
                tracing::warn!(
                    staff = told.unfit,
                    "the digest is not sent: [wechat.templates.notice] is missing, or cannot hold it"
                );
            }
            // Fails where the dispatcher has ended: then all ends.
            let _ = tools.dispatcher.send(Notice::Queued(told.queued));
            Ok(())
        }
        Err(error) => {
            // A commit whose answer was lost may have put messages into the outbox.
            let _ = tools.dispatcher.send(Notice::LookAgain);
            Err(error.to_string())
        }
    }
}

/// Writes the report of the week before beside the store.
async fn report(tools: &Tools, now: Timestamp) -> Result<(), String> {
    let outlet = tools.shared.outlet();
    let reader = Reader::of_store(&tools.shared.store);
    let (directory, keep) = (tools.store.reports.clone(), tools.store.reports_keep);
    let clinic = outlet.manners.clinic.name.clone();
    let zone = outlet.zone.clone();
    let made = tokio::task::spawn_blocking(move || {
        reports::make(&reader, &directory, keep, &clinic, &zone, now)
    });
    let made = made.await.map_err(|error| error.to_string())?;
    made.map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_job_ends_the_job_and_nothing_else() {
        let panicking = async { panic!("on purpose") };
        let ended = bounded(RUN_MAX, panicking).await;
        assert_eq!(ended, Err(Ended::Panicked));
        assert_eq!(bounded(RUN_MAX, async { false }).await, Ok(false));
        assert_eq!(bounded(RUN_MAX, async { true }).await, Ok(true));
    }

    #[tokio::test]
    async fn a_job_that_takes_too_long_is_given_up() {
        let (gone, mut is_gone) = tokio::sync::oneshot::channel::<()>();
        let endless = async move {
            let _held = gone;
            std::future::pending().await
        };
        let ended = bounded(Duration::from_millis(1), endless).await;
        assert_eq!(ended, Err(Ended::TooLate));
        // What it held is let go.
        assert!((&mut is_gone).await.is_err());
    }
}
