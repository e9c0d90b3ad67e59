//! The planner: brings what the files say into force, and keeps in force what they once said well.
//!
//! All fallible work comes before anything live is touched: a configuration that is refused
//! changes nothing, a plan that is refused leaves the last good one, a directory that cannot be
//! listed ends nobody's plan.

use super::config::{Channel as ChannelConfig, Config, ConfigError, Environment};
use super::desk::Desk;
use super::dispatcher::Notice;
use super::manners::Manners;
use super::monitor::{self, Monitor};
use super::plan_changes::{self, Absent};
use super::plan_files::{self, LoadedPlans, ScanError, Stamp};
use super::removals::Gone;
use super::shared::{Findings, Outlet, Shared};
use super::watch::Watch;
use crate::http::admin::{Reloaded, Request};
use crate::messaging::Channel;
use crate::plan::PatientId;
use crate::plan::diagnostic::{Diagnostic, Severity};
use crate::store::{Applied, PlanChange, PlanEnd, StoreError};
use jiff::Timestamp;
use sd_notify::NotifyState;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Plans applied in one transaction.
const BATCH: usize = 1_000;

/// While the clock is in doubt it is looked at again after this.
const CLOCK_PAUSE: Duration = Duration::from_secs(1);

/// After a failure the store is left alone for this.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The planner's task.
pub struct Planner {
    shared: Arc<Shared>,
    config: Config,
    environment: Environment,
    dispatcher: mpsc::UnboundedSender<Notice>,
    bell: Arc<Notify>,
    monitor: Arc<Monitor>,
    /// Stamps of files that were read under the present configuration.
    known: Arc<HashMap<PatientId, Stamp>>,
    /// Those with a text when the plans were applied last: of them, and of those whose file was
    /// gone already, are all that are in force. `None`: look at all.
    texts: Option<HashSet<PatientId>>,
    /// The opening of the store in which it was counted who cannot be reached.
    counted: Option<u64>,
    /// Patients whose text was refused when it was read last.
    rejected: BTreeSet<PatientId>,
    gone: Gone,
    /// When to look again for files that are gone, in steady time.
    again_at: Option<Duration>,
    /// What the store was told last of staff, and whether patients can answer.
    desk: Desk,
    /// Plans were not read because the clock is in doubt: they are when it is not any more.
    held_by_clock: bool,
    /// Why the configuration was refused when it was read last: plans that are read under the one
    /// before do not make it right.
    config_refused: Option<String>,
}

impl Planner {
    /// A planner that has read nothing yet.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        (config, desk): (Config, Desk),
        environment: Environment,
        dispatcher: mpsc::UnboundedSender<Notice>,
        bell: Arc<Notify>,
        monitor: Arc<Monitor>,
    ) -> Self {
        shared.set_config(config.clone());
        Self {
            shared,
            config,
            environment,
            dispatcher,
            bell,
            monitor,
            known: Arc::default(),
            texts: None,
            counted: None,
            rejected: BTreeSet::new(),
            gone: Gone::default(),
            again_at: None,
            desk,
            held_by_clock: false,
            config_refused: None,
        }
    }

    /// Applies the plans, and then reads them again whenever it is asked to or the directory has
    /// changed, until `stop`.
    pub async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        reload: Arc<Notify>,
        stop: CancellationToken,
    ) {
        // The watch begins before the first reading: a change in between is not overlooked.
        let mut watch = Watch::of(&self.config);
        if self.read_plans(false, &stop).await.is_none() {
            return;
        }
        loop {
            let look_again = self.pause();
            let clock = Arc::clone(&self.shared.clock);
            tokio::select! {
                () = stop.cancelled() => return,
                () = reload.notified() => {
                    notify_reloading();
                    self.reload(false, &stop).await;
                    watch.follow(&self.config);
                    monitor::notify(&[NotifyState::Ready]);
                }
                request = requests.recv() => {
                    let Some(request) = request else {
                        return;
                    };
                    // The others do not come here.
                    let Request::Reload { accept_removals, answer } = request else {
                        continue;
                    };
                    notify_reloading();
                    let reloaded = self.reload(accept_removals, &stop).await;
                    watch.follow(&self.config);
                    monitor::notify(&[NotifyState::Ready]);
                    // The tool may have gone away.
                    let _ = answer.send(reloaded);
                }
                () = watch.changed_and_quiet() => {
                    self.read_plans(false, &stop).await;
                }
                () = clock.sleep(look_again) => {
                    self.read_plans(false, &stop).await;
                }
            }
        }
    }

    /// How long until files that are gone are looked for again.
    #[must_use]
    pub fn pause(&self) -> Duration {
        const NEVER: Duration = Duration::from_secs(86_400);
        if self.held_by_clock {
            return CLOCK_PAUSE;
        }
        let now = self.shared.clock.elapsed();
        self.again_at.map_or(NEVER, |at| {
            at.saturating_sub(now) + Duration::from_millis(10)
        })
    }

    /// Reads configuration and plans again.
    async fn reload(&mut self, accept_removals: bool, stop: &CancellationToken) -> Reloaded {
        let path = self.config.path.clone();
        let environment = self.environment.clone();
        let loading = tokio::task::spawn_blocking(move || {
            let config = Config::load(&path, &environment)?;
            let manners = Manners::of(&config)?;
            Ok((config, manners))
        });
        let restart_needed = match loading.await {
            Ok(Ok((config, manners))) => self.take_config(config, manners),
            Ok(Err(error)) => return self.refuse(&error),
            // The task panicked; the present configuration is as good as it was.
            Err(_) => Vec::new(),
        };
        for key in &restart_needed {
            tracing::warn!(key, "a changed key needs a restart");
        }
        let mut reloaded = self
            .read_plans(accept_removals, stop)
            .await
            .unwrap_or_else(|| Reloaded {
                refused: Some("the store is closed".to_owned()),
                ..Reloaded::default()
            });
        reloaded.restart_needed = restart_needed.into_iter().map(str::to_owned).collect();
        reloaded
    }

    /// A configuration that is wrong changes nothing.
    fn refuse(&mut self, error: &ConfigError) -> Reloaded {
        for diagnostic in &error.diagnostics {
            log_finding("the configuration is refused", diagnostic);
        }
        let why =
            "the configuration is refused; run: dosed check --config FILE --config-only".to_owned();
        self.config_refused = Some(why.clone());
        self.shared
            .vitals
            .plans(|plans| plans.refused = Some(why.clone()));
        self.shared.metrics.config_last_reload_successful.set(0);
        Reloaded {
            refused: Some(why),
            ..Reloaded::default()
        }
    }

    /// Takes up what a reload can take up. Returns the changed keys that need a restart.
    fn take_config(&mut self, mut config: Config, manners: Manners) -> Vec<&'static str> {
        let restart_needed = self.config.restart_keys_changed(&config);
        if !restart_needed.is_empty() {
            // These keep their value until then, so that all of the daemon means the same by them.
            config.store = self.config.store.clone();
            config.http = self.config.http.clone();
            config.log = self.config.log.clone();
            config.messaging.concurrency = self.config.messaging.concurrency;
            config.messaging.timeout = self.config.messaging.timeout;
        }
        let old = self.shared.outlet();
        let channel = match (&old.channel, &config.messaging.channel) {
            (Channel::WeChat(wechat), ChannelConfig::WeChat(new)) => {
                Channel::WeChat(wechat.with_templates(new.templates.clone()))
            }
            (channel, _) => {
                config.messaging.channel = self.config.messaging.channel.clone();
                channel.clone()
            }
        };
        let channel = channel.with_texts(manners.texts.clone());
        self.shared.set_outlet(Outlet {
            limits: Arc::new(channel.limits()),
            channel,
            zone: config.clinic.defaults.zone.clone(),
            rate: config.messaging.rate,
            manners: Arc::new(manners),
            hourly_max: config.messaging.hourly_max,
        });
        self.monitor.set_deadman(config.deadman.clone());
        self.monitor
            .set_zone(config.clinic.defaults.zone.time_zone());
        let zone = &self.config.clinic.defaults.zone;
        if config.source.text() != self.config.source.text() || config.clinic.defaults.zone != *zone
        {
            // What was read was read under other terms.
            self.known = Arc::default();
        }
        self.shared.set_config(config.clone());
        self.config = config;
        self.config_refused = None;
        restart_needed
    }

    /// Reads the plans and brings them into force. `None` when the daemon ends meanwhile.
    async fn read_plans(
        &mut self,
        accept_removals: bool,
        stop: &CancellationToken,
    ) -> Option<Reloaded> {
        if let Some(refused) = self.refused_by_clock() {
            return Some(refused);
        }
        let config = self.config.clone();
        let known = Arc::clone(&self.known);
        let now = self.shared.now();
        let loaded = tokio::task::spawn_blocking(move || plan_files::load(&config, &known, now))
            .await
            .ok()?;
        self.bring_into_force(loaded, accept_removals, stop).await
    }

    /// An edit takes effect from now on: while nobody knows what now is, none does.
    fn refused_by_clock(&mut self) -> Option<Reloaded> {
        self.held_by_clock = self.shared.time().doubted;
        if !self.held_by_clock {
            return None;
        }
        let why = "the clock is not to be believed; plans are read when it is, or after: dosed \
                   clock accept --config FILE"
            .to_owned();
        // Whoever has edited a plan sees that it is not in force yet (G10).
        self.shared
            .vitals
            .plans(|plans| plans.refused = Some(why.clone()));
        Some(Reloaded {
            refused: Some(why),
            ..Reloaded::default()
        })
    }

    /// Brings into force what was read, however long that takes. `None` when the daemon ends
    /// meanwhile.
    pub async fn bring_into_force(
        &mut self,
        mut loaded: LoadedPlans,
        accept_removals: bool,
        stop: &CancellationToken,
    ) -> Option<Reloaded> {
        if let Some(refused) = self.refused_by_clock() {
            return Some(refused);
        }
        self.note_findings(&mut loaded);
        loop {
            match self.apply(&mut loaded, accept_removals).await {
                Ok(reloaded) => return Some(reloaded),
                Err(StoreError::Closed) => return None,
                Err(error) => {
                    tracing::error!(%error, "plans cannot be applied yet: the store fails");
                    // A commit whose answer was lost may have put messages into the outbox.
                    let _ = self.dispatcher.send(Notice::LookAgain);
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return None,
                        () = self.shared.clock.sleep(STORE_PAUSE) => {}
                    }
                }
            }
        }
    }

    /// Remembers stamps and refusals, and logs what is wrong: where, not what stands there.
    fn note_findings(&mut self, loaded: &mut LoadedPlans) {
        // The task that read the plans has given its handle back.
        let known = Arc::make_mut(&mut self.known);
        if loaded.directory.is_ok() {
            self.rejected.retain(|id| loaded.has_text(id.as_str()));
            let read = loaded.plans.keys().filter(|id| known.contains_key(*id));
            if known.len() > loaded.unchanged.len() + read.count() {
                known.retain(|id, _| loaded.has_text(id.as_str()));
            }
        }
        for stray in &loaded.strays {
            log_finding("a file in the plan directory is not a plan", stray);
        }
        match &loaded.directory {
            Ok(()) => {}
            // It may be absent when all patients stand in the configuration.
            Err(ScanError::Missing(_)) if !loaded.plans.is_empty() => {}
            Err(error @ ScanError::Missing(_)) => {
                tracing::warn!(%error, "no plans are read from there");
            }
            Err(error @ ScanError::Unreadable { .. }) => {
                tracing::error!(%error, "all of its plans stay in force");
            }
        }
        let mut refused = self.shared.findings().plans.clone();
        for (id, plan) in &loaded.plans {
            if let Some(stamp) = plan.stamp {
                known.insert(id.clone(), stamp);
            } else {
                known.remove(id);
            }
            match &plan.plan {
                Ok(_) => {
                    self.rejected.remove(id);
                }
                Err(findings) => {
                    self.rejected.insert(id.clone());
                    refused.insert(id.clone(), findings.clone());
                    for finding in findings {
                        log_finding("a plan is rejected; the last good one stays", finding);
                    }
                }
            }
        }
        refused.retain(|id, _| self.rejected.contains(id));
        self.shared.set_findings(Findings {
            plans: refused,
            strays: loaded.strays.clone(),
        });
    }

    /// Compares what was read with what is in force, and applies the difference.
    async fn apply(
        &mut self,
        loaded: &mut LoadedPlans,
        accept_removals: bool,
    ) -> Result<Reloaded, StoreError> {
        self.desk.tell(&self.shared, &self.config).await?;
        let texts = loaded.plans.keys().map(PatientId::to_string).collect();
        let heads = self.shared.store.heads_of(texts).await?;
        let changes = plan_changes::changes(&self.config, loaded, &heads);
        drop(heads);
        let Absent { missing, unknown } = self.absent(loaded, accept_removals).await?;
        let missing: BTreeSet<&str> = missing.iter().map(String::as_str).collect();
        let in_force = self.shared.store.count_plans().await?;
        let in_force = usize::try_from(in_force).unwrap_or(usize::MAX);
        let now = self.shared.clock.elapsed();
        let removals = self
            .gone
            .decide_of(&missing, in_force, accept_removals, now);
        self.again_at = removals.again_at;
        let mut ends: Vec<PlanEnd> = removals
            .end
            .iter()
            .map(|id| PlanEnd {
                patient: id.clone(),
            })
            .collect();

        let mut reloaded = Reloaded {
            rejected: self.rejected.len(),
            held_removals: removals.held + unknown,
            ..Reloaded::default()
        };
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() || !ends.is_empty() {
            let batch: Vec<PlanChange> = changes.by_ref().take(BATCH).collect();
            let ends_now: Vec<PlanEnd> = ends.drain(..ends.len().min(BATCH)).collect();
            let applied = self.commit(batch, ends_now).await?;
            reloaded.changed += applied.changed;
            reloaded.reworded += applied.reworded;
            reloaded.ended += applied.ended;
            if !applied.queued.is_empty() {
                let _ = self.dispatcher.send(Notice::Queued(applied.queued));
            }
        }
        self.report(&reloaded, unknown > 0).await?;
        if loaded.directory.is_ok() {
            let mut texts = std::mem::take(&mut loaded.unchanged);
            texts.extend(loaded.plans.keys().cloned());
            self.texts = Some(texts);
        }
        // The scheduler waits for the first plans to be in force.
        self.bell.notify_one();
        Ok(reloaded)
    }

    /// The plans in force without a text. What is remembered of the last time is given away: it
    /// is good again when all is applied.
    async fn absent(
        &mut self,
        loaded: &LoadedPlans,
        accept_removals: bool,
    ) -> Result<Absent, StoreError> {
        let store = &self.shared.store;
        let mut absent = Absent::default();
        if let (Some(before), Ok(())) = (self.texts.take(), &loaded.directory) {
            let gone = before.iter().map(PatientId::as_str);
            let gone = gone.chain(self.gone.waiting());
            let gone = gone.filter(|patient| !loaded.has_text(patient));
            let gone = gone.map(str::to_owned).collect();
            for (patient, head) in store.heads_of(gone).await? {
                absent.look(loaded, accept_removals, patient, head.inline);
            }
            return Ok(absent);
        }
        let mut from = Some(0);
        while let Some(start) = from {
            let page = store.plans_from(start).await?;
            for (patient, inline) in page.plans {
                absent.look(loaded, accept_removals, patient, inline);
            }
            from = page.next;
        }
        Ok(absent)
    }

    /// Counts who cannot be reached, where it is not known: what changes it is counted as it
    /// happens, but for a commit that was thought to have failed.
    async fn count_unreachable(&mut self) -> Result<(), StoreError> {
        let opening = self.shared.store.telemetry().reopens();
        if self.counted != Some(opening) {
            let unreachable = self.shared.store.count_unreachable().await?;
            self.shared.vitals.set_unreachable(unreachable);
            self.counted = Some(opening);
        }
        Ok(())
    }

    async fn commit(
        &self,
        changes: Vec<PlanChange>,
        ends: Vec<PlanEnd>,
    ) -> Result<Applied, StoreError> {
        let now = self.shared.now();
        let limits = Arc::clone(&self.shared.outlet().limits);
        let overdue = self.shared.timekeeper.overdue_for();
        let day = self.shared.day(now);
        let applied = self
            .shared
            .store
            .apply(now, changes, ends, overdue, limits, day)
            .await?;
        self.shared.metrics.closed(&applied.tally);
        self.shared.vitals.closed(&applied.tally);
        Ok(applied)
    }

    /// Tells monitoring and the log what came of it.
    async fn report(
        &mut self,
        reloaded: &Reloaded,
        directory_missing: bool,
    ) -> Result<(), StoreError> {
        self.count_unreachable().await?;
        let active = self.shared.store.count_plans().await?;
        let (_, sleeping) = self.shared.store.next_wake().await?;
        let now: Timestamp = self.shared.now();
        let metrics = &self.shared.metrics;
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.plans_active.set(gauge(active));
        metrics.patients.set(gauge(active));
        metrics.plans_rejected.set(gauge(reloaded.rejected as u64));
        if self.config_refused.is_none() {
            metrics.config_last_reload_successful.set(1);
            metrics
                .config_last_reload_success_timestamp_seconds
                .set(now.as_millisecond() as f64 / 1e3);
        }
        self.shared.vitals.set_sleeping(sleeping);
        self.shared.vitals.plans(|plans| {
            plans.active = usize::try_from(active).unwrap_or(usize::MAX);
            plans.rejected = reloaded.rejected;
            plans.held_removals = reloaded.held_removals;
            plans.directory_missing = directory_missing;
            plans.last_reload = Some(now);
            plans.refused.clone_from(&self.config_refused);
        });
        tracing::info!(
            active,
            changed = reloaded.changed,
            reworded = reloaded.reworded,
            ended = reloaded.ended,
            rejected = reloaded.rejected,
            held_removals = reloaded.held_removals,
            "plans applied"
        );
        Ok(())
    }
}

/// systemd wants to know when the reload began, on the steady clock.
fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(since) => monitor::notify(&[NotifyState::Reloading, since]),
        Err(_) => monitor::notify(&[NotifyState::Reloading]),
    }
}

/// Logs where a finding is. What it says may quote the text, and the text is medical: `dosed
/// check` shows it.
fn log_finding(what: &'static str, finding: &Diagnostic) {
    let place = finding.place();
    match finding.severity() {
        Severity::Error => tracing::error!(at = %place, "{what}; run: dosed check --config FILE"),
        Severity::Warning => tracing::warn!(at = %place, "{what}; run: dosed check --config FILE"),
    }
}
