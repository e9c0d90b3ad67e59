//! What monitoring sees: each task leaves its signs of life here, health reads them without
//! waiting for anybody.

use super::job::Job;
use super::plausibility::ClockDoubt;
use crate::store::{DayCounts, JobRun, Tally};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The scheduler is alive while its last turn is not older than this.
pub const TURN_AGE_MAX: Duration = Duration::from_secs(30);

/// The signs of life of all tasks.
#[derive(Debug, Default)]
pub struct Vitals {
    inner: Mutex<Signs>,
}

/// What the tasks left, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    /// Steady time of the scheduler's last turn.
    pub scheduler_turn: Option<Duration>,
    /// The earliest wake that is left.
    pub next_wake: Option<Timestamp>,
    /// Patients that sleep until their wake.
    pub sleeping: u64,
    /// Steady time of the dispatcher's last turn.
    pub dispatcher_turn: Option<Duration>,
    /// Since when the longest waiting message could have left.
    pub outbox_oldest: Option<Timestamp>,
    /// Steps of the wall clock seen since the start, and the last one.
    pub clock_steps: u64,
    /// The last step of the wall clock.
    pub last_clock_step: SignedDuration,
    /// Why the clock is not to be believed.
    pub clock_held: Option<ClockDoubt>,
    /// What is known of the plans.
    pub plans: Plans,
    /// What happened on the clinic's day.
    pub today: DayCounts,
    /// Which day that is, in days since 1970.
    pub day: u32,
    /// Patients whom the channel cannot reach.
    pub unreachable: i64,
    /// The runs of each job, in the order of [`Job::ALL`].
    pub jobs: [JobRun; Job::ALL.len()],
    /// Which of them the clinic does not want.
    pub jobs_off: [bool; Job::ALL.len()],
}

/// What is known of the plans.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    /// In force.
    pub active: usize,
    /// Rejected for errors; the last good version of each stays in force.
    pub rejected: usize,
    /// Gone from the directory, and not taken out of force because they are too many.
    pub held_removals: usize,
    /// The plan directory is not there although plans came from it.
    pub directory_missing: bool,
    /// When the plans were applied last.
    pub last_reload: Option<Timestamp>,
    /// Why the last reload was refused.
    pub refused: Option<String>,
}

impl Vitals {
    fn signs_mut(&self) -> MutexGuard<'_, Signs> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All signs of this moment.
    #[must_use]
    pub fn signs(&self) -> Signs {
        self.signs_mut().clone()
    }

    /// The scheduler made a turn at this steady time.
    pub fn scheduler_turn(&self, elapsed: Duration, next_wake: Option<Timestamp>) {
        let mut signs = self.signs_mut();
        signs.scheduler_turn = Some(elapsed);
        signs.next_wake = next_wake;
    }

    /// The dispatcher made a turn at this steady time.
    pub fn dispatcher_turn(&self, elapsed: Duration, oldest: Option<Timestamp>) {
        let mut signs = self.signs_mut();
        signs.dispatcher_turn = Some(elapsed);
        signs.outbox_oldest = oldest;
    }

    /// The wall clock stepped.
    pub fn clock_stepped(&self, step: SignedDuration) {
        let mut signs = self.signs_mut();
        signs.clock_steps += 1;
        signs.last_clock_step = step;
    }

    /// The clock is, or is not any more, in doubt.
    pub fn hold_for_clock(&self, doubt: Option<ClockDoubt>) {
        self.signs_mut().clock_held = doubt;
    }

    /// A transaction closed doses and changed who is reachable.
    pub fn closed(&self, tally: &Tally) {
        let mut signs = self.signs_mut();
        signs.unreachable = (signs.unreachable + tally.unreachable).max(0);
    }

    /// The counts of the day, as the store has them.
    pub fn set_today(&self, day: u32, today: DayCounts) {
        let mut signs = self.signs_mut();
        signs.day = day;
        signs.today = today;
    }

    /// How many patients cannot be reached, counted anew.
    pub fn set_unreachable(&self, unreachable: u64) {
        self.signs_mut().unreachable = i64::try_from(unreachable).unwrap_or(i64::MAX);
    }

    /// How many patients sleep.
    pub fn set_sleeping(&self, sleeping: u64) {
        self.signs_mut().sleeping = sleeping;
    }

    /// A job is switched off: nobody waits for it.
    pub fn job_is_off(&self, job: Job) {
        self.signs_mut().jobs_off[job as usize] = true;
    }

    /// What is remembered of a job.
    pub fn job_ran(&self, job: Job, run: &JobRun) {
        self.signs_mut().jobs[job as usize] = run.clone();
    }

    /// Changes what is known of the plans.
    pub fn plans(&self, change: impl FnOnce(&mut Plans)) {
        change(&mut self.signs_mut().plans);
    }
}
