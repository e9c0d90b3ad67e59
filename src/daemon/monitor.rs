//! What monitoring is told, and the watchdog: from the signs that the tasks leave.

use super::config::Config;
use super::deadman::{Deadman, Word};
use super::job::{self, Job};
use super::plausibility::ClockDoubt;
use super::shared::Shared;
use super::vitals::{Signs, TURN_AGE_MAX};
use crate::engine::ExpiredReason;
use crate::http::Source;
use crate::http::health::remark::{self, Remark};
use crate::http::health::{Check, Health, Status};
use crate::messaging::{Channel, Ping};
use crate::plan::Language;
use crate::store::{JobRun, StoreError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sd_notify::NotifyState;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often gauges are set and signs looked at.
const EVERY: Duration = Duration::from_secs(1);

/// More than this share of the API's quota of the day is warned of.
const QUOTA_WARN: f64 = 0.8;

/// A disk with less room than this is warned of.
const FREE_SPACE_WARN_BYTES: u64 = 1_000_000_000;

/// Before this a daemon that has made no turn is starting: the dead man's switch is not told of it.
const START_MAX: Duration = Duration::from_secs(300);

/// Answers what the private listener asks.
pub struct Monitor {
    shared: Arc<Shared>,
    started: Duration,
    store_path: PathBuf,
    zone: Mutex<TimeZone>,
    free_space: AtomicU64,
    reopens_counted: AtomicU64,
    deadman: Deadman,
}

impl Monitor {
    /// A monitor of a daemon that has just started.
    #[must_use]
    pub fn new(shared: Arc<Shared>, config: &Config) -> Self {
        let monitor = Self {
            started: shared.clock.elapsed(),
            store_path: config.store.path.clone(),
            zone: Mutex::new(config.clinic.defaults.zone.time_zone().clone()),
            free_space: AtomicU64::new(u64::MAX),
            reopens_counted: AtomicU64::new(0),
            deadman: Deadman::default(),
            shared,
        };
        monitor.set_deadman(config.deadman.clone());
        monitor.measure();
        monitor
    }

    /// Sets the gauges, and feeds systemd's watchdog while scheduler and dispatcher make progress,
    /// until `stop`.
    ///
    /// # Errors
    /// The store is lost: the daemon is to end and be restarted.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), StoreError> {
        let watchdog = sd_notify::watchdog_enabled().map(|interval| interval / 2);
        let mut fed = tokio::time::Instant::now();
        let mut said = String::new();
        loop {
            self.measure();
            if self.shared.store.telemetry().lost() {
                return Err(StoreError::Closed);
            }
            let status = self.status_line();
            if status != said {
                notify(&[NotifyState::Status(&status)]);
                said = status;
            }
            if let Some(half) = watchdog
                && self.makes_progress()
                && (fed.elapsed() + EVERY >= half)
            {
                notify(&[NotifyState::Watchdog]);
                fed = tokio::time::Instant::now();
            }
            self.feed_deadman();
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// The zone in which people read times.
    pub fn set_zone(&self, zone: &TimeZone) {
        *self.zone.lock().unwrap_or_else(PoisonError::into_inner) = zone.clone();
    }

    /// Who is told from now on that the daemon works.
    pub fn set_deadman(&self, target: Option<Ping>) {
        self.deadman.set_target(target);
    }

    /// Tells the dead man's switch how the daemon is. A start has five minutes before it counts.
    fn feed_deadman(&self) {
        let steady = self.shared.clock.elapsed();
        let has_begun = self.shared.vitals.signs().scheduler_turn.is_some();
        if !has_begun && steady.saturating_sub(self.started) < START_MAX {
            return;
        }
        self.deadman.feed(steady, self.shared.now(), || {
            if self.makes_progress() && self.health().status() != Status::Fail {
                Word::Well
            } else {
                Word::Fail
            }
        });
    }

    /// True while both loops have turned lately.
    fn makes_progress(&self) -> bool {
        let signs = self.shared.vitals.signs();
        let now = self.shared.clock.elapsed();
        let fresh = |turn: Option<Duration>| {
            turn.is_some_and(|turn| now.saturating_sub(turn) < TURN_AGE_MAX)
        };
        fresh(signs.scheduler_turn) && fresh(signs.dispatcher_turn)
    }

    fn measure(&self) {
        let (shared, metrics) = (&self.shared, &self.shared.metrics);
        let signs = shared.vitals.signs();
        let now = shared.now();
        metrics
            .scheduler_lag_seconds
            .set(age_seconds(signs.next_wake, now));
        metrics
            .outbox_oldest_age_seconds
            .set(age_seconds(signs.outbox_oldest, now));
        if let Some(used) = shared.store.telemetry().ledger().quota_share(now) {
            metrics.messaging_quota_used_ratio.set(used);
        }
        let digest_at = shared.outlet().manners.digest_at;
        for (job, run) in Job::ALL.iter().zip(&signs.jobs) {
            if !signs.jobs_off[*job as usize] {
                metrics.job_is_overdue(*job, job::is_overdue(job.rhythm(digest_at), run, now));
            }
        }
        metrics.set_outbox_depth(shared.store.telemetry().outbox_depth());
        let reopens = shared.store.telemetry().reopens();
        let counted = self.reopens_counted.swap(reopens, Ordering::Relaxed);
        metrics
            .store_reopens
            .inc_by(reopens.saturating_sub(counted));
        if let Ok(file) = std::fs::metadata(&self.store_path) {
            metrics
                .store_bytes
                .set(i64::try_from(file.len()).unwrap_or(i64::MAX));
        }
        let directory = self.store_path.parent().unwrap_or(&self.store_path);
        if let Ok(disk) = rustix::fs::statvfs(directory) {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            self.free_space.store(free, Ordering::Relaxed);
        }
    }

    /// One line for people, without a patient.
    #[must_use]
    pub fn summary(&self) -> String {
        remark::line(&self.remarks(), Language::En)
    }

    /// How things are, for people, without a patient.
    fn remarks(&self) -> Vec<Remark> {
        let signs = self.shared.vitals.signs();
        let now = self.shared.now();
        let waits_for = self.shared.gate().waits_for(now);
        let mut remarks = Vec::new();
        if signs.plans.rejected > 0 {
            remarks.push(Remark::PlansRefused {
                number: signs.plans.rejected,
                plans: count(signs.plans.rejected as u64, "plan"),
            });
        }
        let ledger = self.shared.store.telemetry().ledger();
        if signs.clock_held.is_some() {
            remarks.push(Remark::HeldByClock {});
        } else if ledger.held_since().is_some() {
            remarks.push(Remark::HeldByHour {});
        } else if let Some(reason) = waits_for {
            remarks.push(match reason {
                ExpiredReason::Throttled => Remark::Limited {},
                _ => Remark::Closed {},
            });
        }
        let today = signs.today;
        remarks.push(Remark::Doses {
            doses: count(today.due, "dose"),
            due: today.due,
            reminded: today.reminded,
            expired: today.expired,
        });
        if today.in_doubt > 0 {
            remarks.push(Remark::InDoubt {
                number: today.in_doubt,
                messages: count(today.in_doubt, "message"),
            });
        }
        remarks.push(signs.next_wake.map_or(Remark::NoWake {}, |at| {
            let zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
            // A wake comes a little before its instant.
            let due = at.saturating_add(crate::engine::LOOK_AHEAD).unwrap_or(at);
            let at = zone.to_datetime(due).strftime("%Y-%m-%d %H:%M").to_string();
            Remark::NextWake { at }
        }));
        remarks
    }

    /// What `systemctl status` shows.
    fn status_line(&self) -> String {
        let plans = self.shared.vitals.signs().plans.active as u64;
        format!("{} in force; {}", count(plans, "plan"), self.summary())
    }

    fn store_checks(&self) -> [Check; 2] {
        let telemetry = self.shared.store.telemetry();
        let writable = telemetry.writable();
        let free = self.free_space.load(Ordering::Relaxed);
        [
            Check::new("store:writable")
                .with("observedValue", writable)
                .with("lastCommit", instant(telemetry.last_commit()))
                .when(!writable, Status::Fail, || Remark::NotWritable {}),
            Check::new("store:free_space")
                .with("observedValue", free)
                .with("observedUnit", "By")
                .with("warnBelow", FREE_SPACE_WARN_BYTES)
                .when(free < FREE_SPACE_WARN_BYTES, Status::Warn, || {
                    Remark::DiskNearlyFull {}
                }),
        ]
    }

    fn messaging_checks(&self, signs: &Signs, now: Timestamp) -> Vec<Check> {
        let (closed, failures, last_success) = {
            let gate = self.shared.gate();
            (
                gate.waits_for(now),
                gate.failures_in_a_row(),
                gate.last_success(),
            )
        };
        let mut checks = vec![
            Check::new("outbox:oldest").measured(
                age_seconds(signs.outbox_oldest, now),
                "s",
                Some(60.0),
                Some(600.0),
            ),
            Check::new("messaging:send")
                .with("lastSuccess", instant(last_success))
                .with("consecutiveFailures", failures)
                .when(closed.is_some(), Status::Warn, || match closed {
                    Some(ExpiredReason::Throttled) => Remark::LimitedNow {},
                    _ => Remark::ClosedNow {},
                })
                .when(failures > 0, Status::Warn, || Remark::TriesFailed {}),
        ];
        let hourly_max = self.shared.hourly_max();
        let ledger = self.shared.store.telemetry().ledger();
        let held_since = ledger.held_since();
        checks.push(
            Check::new("messaging:hour")
                .with("observedValue", ledger.hour(now))
                .with("observedUnit", "messages within an hour")
                .with("failAbove", hourly_max)
                .with("heldSince", instant(held_since))
                .when(held_since.is_some(), Status::Fail, || {
                    Remark::TooManyMessages {}
                }),
        );
        if let Channel::WeChat(wechat) = &self.shared.outlet().channel {
            let token = wechat.token_status();
            let left = token.expires_in.map_or(0, |left| left.as_secs());
            checks.push(
                Check::new("messaging:token")
                    .with("observedValue", left)
                    .with("observedUnit", "s until expiry")
                    .when(token.trouble.is_some(), Status::Warn, || Remark::NoToken {}),
            );
            let used = ledger.quota_share(now);
            let reserved = ledger.is_reserved(now);
            checks.push(
                Check::new("messaging:quota")
                    .with("observedValue", used)
                    .with("observedUnit", "share used today")
                    .with("warnAbove", QUOTA_WARN)
                    .with("reserved", reserved)
                    .when(
                        used.is_some_and(|used| used > QUOTA_WARN),
                        Status::Warn,
                        || {
                            if reserved {
                                Remark::QuotaReserved {}
                            } else {
                                Remark::QuotaLow {}
                            }
                        },
                    ),
            );
        }
        checks
    }

    fn plan_checks(signs: &Signs) -> Check {
        let plans = &signs.plans;
        Check::new("plans:active")
            .with("observedValue", plans.active)
            .with("rejected", plans.rejected)
            .with("heldRemovals", plans.held_removals)
            .with("lastReload", instant(plans.last_reload))
            .when(plans.last_reload.is_none(), Status::Fail, || {
                Remark::NoPlansYet {}
            })
            .when(plans.refused.is_some(), Status::Warn, || {
                Remark::ReloadRefused {
                    why: plans.refused.clone().unwrap_or_default(),
                }
            })
            .when(plans.directory_missing, Status::Warn, || {
                Remark::NoPlanDirectory {}
            })
            .when(plans.held_removals > 0, Status::Warn, || {
                Remark::PlansVanished {
                    number: plans.held_removals,
                    plans: count(plans.held_removals as u64, "plan"),
                }
            })
            .when(plans.rejected > 0, Status::Warn, || Remark::PlansToCheck {
                number: plans.rejected,
                plans: count(plans.rejected as u64, "plan"),
            })
    }
}

impl Source for Monitor {
    fn live(&self) -> bool {
        let turn = self.shared.vitals.signs().scheduler_turn;
        let now = self.shared.clock.elapsed();
        // Before the first turn the daemon is starting: that is not dead.
        let since = turn.unwrap_or(self.started);
        now.saturating_sub(since) < TURN_AGE_MAX
    }

    fn not_ready(&self) -> Vec<String> {
        let signs = self.shared.vitals.signs();
        let mut reasons = Vec::new();
        if !self.shared.store.telemetry().writable() {
            reasons.push("the store cannot be written".to_owned());
        }
        if signs.plans.last_reload.is_none() {
            reasons.push("the plans have not been read yet".to_owned());
        }
        if signs.scheduler_turn.is_none() {
            reasons.push("the scheduler has not made its first turn".to_owned());
        }
        if let Some(doubt) = signs.clock_held {
            reasons.push(format!("{}; sending is held", doubt.reason()));
        }
        reasons
    }

    fn health(&self) -> Health {
        let signs = self.shared.vitals.signs();
        let now = self.shared.now();
        let mut checks = vec![
            Check::new("scheduler:lag").measured(
                age_seconds(signs.next_wake, now),
                "s",
                Some(5.0),
                Some(60.0),
            ),
            Check::new("clock:step")
                .with("observedValue", signs.last_clock_step.as_secs_f64())
                .with("observedUnit", "s")
                .with("count", signs.clock_steps)
                .when(signs.clock_held.is_some(), Status::Fail, || {
                    let doubt = signs.clock_held.as_ref();
                    Remark::ClockInDoubt {
                        english: doubt.map_or("", ClockDoubt::reason),
                        chinese: doubt.map_or("", ClockDoubt::reason_in_chinese),
                    }
                }),
            Self::plan_checks(&signs),
        ];
        checks.extend(self.store_checks());
        checks.extend(self.messaging_checks(&signs, now));
        checks.push(
            Check::new("doses:expired")
                .with("observedValue", signs.today.expired)
                .when(signs.today.expired > 0, Status::Warn, || {
                    Remark::DosesExpired {}
                }),
        );
        checks.push(
            Check::new("messages:in_doubt")
                .with("observedValue", signs.today.in_doubt)
                .when(signs.today.in_doubt > 0, Status::Warn, || {
                    Remark::MessagesInDoubt {}
                }),
        );
        let digest_at = self.shared.outlet().manners.digest_at;
        checks.extend(
            Job::ALL
                .iter()
                .zip(&signs.jobs)
                .filter(|(job, _)| !signs.jobs_off[**job as usize])
                .map(|(job, run)| job_check(*job, job.rhythm(digest_at), run, now)),
        );
        checks.push(
            Check::new("patients:unreachable")
                .with("observedValue", signs.unreachable)
                .when(signs.unreachable > 0, Status::Warn, || {
                    Remark::PatientsUnreachable {}
                }),
        );
        let refusing = self.shared.store.telemetry().staff_refusing();
        checks.push(
            Check::new("staff:unreachable")
                .with("observedValue", refusing)
                .when(refusing > 0, Status::Warn, || Remark::StaffRefuse {}),
        );
        let unreadable = self.shared.store.telemetry().unreadable();
        checks.push(
            Check::new("patients:records")
                .with("unreadable", unreadable)
                .when(
                    unreadable > 0,
                    Status::Fail,
                    || Remark::RecordsUnreadable {},
                ),
        );
        checks.extend(self.deadman.told().map(|told| {
            Check::new("deadman:told")
                .with("lastSuccess", instant(told.last_success))
                .when(told.failing, Status::Warn, || Remark::DeadmanFails {})
        }));
        Health {
            service_id: "dosed@clinic".to_owned(),
            // The machine's own, right or wrong.
            time: rfc3339(self.shared.clock.now()),
            uptime_seconds: self
                .shared
                .clock
                .elapsed()
                .saturating_sub(self.started)
                .as_secs(),
            summary: self.remarks(),
            checks,
        }
    }

    fn metrics(&self) -> String {
        self.measure();
        self.shared.metrics.text()
    }
}

fn job_check(job: Job, rhythm: job::Rhythm, run: &JobRun, now: Timestamp) -> Check {
    let late = job::is_overdue(rhythm, run, now);
    Check::new(job.check())
        .with("knownSince", instant(run.known()))
        .with("lastSuccess", instant(run.last_success()))
        .with("maxAge_seconds", rhythm.age_max().as_secs())
        .when(late, Status::Warn, || {
            if run.last_success().is_some() {
                Remark::JobOverdue {}
            } else {
                Remark::JobNeverDone {}
            }
        })
        .when(run.failed() && !late, Status::Warn, || Remark::JobFailed {})
}

/// Tells systemd; where there is none, nobody.
pub fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// Seconds since an instant; 0 for one ahead, or none.
fn age_seconds(since: Option<Timestamp>, now: Timestamp) -> f64 {
    since.map_or(0.0, |since| {
        now.duration_since(since).as_secs_f64().max(0.0)
    })
}

fn instant(at: Option<Timestamp>) -> serde_json::Value {
    at.map_or(serde_json::Value::Null, |at| rfc3339(at).into())
}

fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn count(number: u64, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}
