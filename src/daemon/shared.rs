//! What the tasks of the daemon share.

use super::clock::Clock;
use super::config::Config;
use super::gate::Gate;
use super::manners::Manners;
use super::metrics::Metrics;
use super::recipients::Recipients;
use super::timekeeper::Timekeeper;
use super::vitals::Vitals;
use crate::engine::{ExpiredReason, Links, Message};
use crate::messaging::{Channel, Limits};
use crate::plan::diagnostic::Diagnostic;
use crate::plan::{PatientId, Zone};
use crate::store::Store;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// What a reload can replace while messages are under way.
pub struct Outlet {
    /// Where messages go.
    pub channel: Channel,
    /// What it can hold.
    pub limits: Arc<Limits>,
    /// The clinic's zone: its day is the day of the counts.
    pub zone: Zone,
    /// Messages a second at most.
    pub rate: Option<NonZeroU32>,
    /// How the clinic talks.
    pub manners: Arc<Manners>,
    /// Messages within an hour at most; `None` is what the number of patients says.
    pub hourly_max: Option<NonZeroU64>,
}

/// Handles that every task has.
pub struct Shared {
    /// The only source of time. What is decided by it is decided by [`Shared::time`].
    pub clock: Arc<dyn Clock>,
    /// What was seen of the clocks.
    pub timekeeper: Timekeeper,
    /// The write side of the store.
    pub store: Store,
    /// What monitoring reads.
    pub vitals: Arc<Vitals>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Rung when the API says that it has had too much.
    pub throttled: tokio::sync::Notify,
    /// When sending began, by the best clock known; set by the dispatcher.
    pub sends_since: OnceLock<Timestamp>,
    /// Makes links to patients' pages; set at the start where they are served.
    pub links: OnceLock<Links>,
    outlet: RwLock<Arc<Outlet>>,
    config: RwLock<Option<Arc<Config>>>,
    findings: RwLock<Arc<Findings>>,
    gate: Mutex<Gate>,
    recipients: Mutex<Recipients>,
}

/// What was wrong with the plans when they were read last.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Of each plan that is refused.
    pub plans: BTreeMap<PatientId, Vec<Diagnostic>>,
    /// Findings that belong to no patient.
    pub strays: Vec<Diagnostic>,
}

/// Within this after its start the daemon has put what is overdue into the outbox.
const JUST_STARTED: SignedDuration = SignedDuration::from_secs(60);

impl Shared {
    /// Why a message was not sent in time where nothing else stood in its way. What came up overdue
    /// at the start had no more than what was left of its window; what was put off on purpose had
    /// all of it.
    pub fn not_reached(&self, message: &Message) -> ExpiredReason {
        let came_late = self.sends_since.get().is_some_and(|since| {
            let soon = since.saturating_add(JUST_STARTED).unwrap_or(*since);
            message.due < *since && message.not_before < soon
        });
        if came_late {
            ExpiredReason::DaemonDown
        } else {
            ExpiredReason::Throttled
        }
    }

    /// Brings the handles together.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        store: Store,
        vitals: Arc<Vitals>,
        metrics: Arc<Metrics>,
        outlet: Outlet,
    ) -> Self {
        let outlet = RwLock::new(Arc::new(outlet));
        Self {
            clock,
            timekeeper: Timekeeper::default(),
            store,
            vitals,
            metrics,
            throttled: tokio::sync::Notify::new(),
            sends_since: OnceLock::new(),
            links: OnceLock::new(),
            outlet,
            config: RwLock::default(),
            findings: RwLock::default(),
            gate: Mutex::new(Gate::default()),
            recipients: Mutex::default(),
        }
    }

    /// The outlet of this moment.
    #[must_use]
    pub fn outlet(&self) -> Arc<Outlet> {
        Arc::clone(&self.outlet.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the outlet; what is under way keeps the old one.
    pub fn set_outlet(&self, outlet: Outlet) {
        *self.outlet.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(outlet);
    }

    /// The configuration by which plans are read; `None` until the planner has begun.
    #[must_use]
    pub fn config(&self) -> Option<Arc<Config>> {
        let config = self.config.read();
        config.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Plans are read by this configuration from now on.
    pub fn set_config(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(config));
    }

    /// What was wrong with the plans when they were read last.
    #[must_use]
    pub fn findings(&self) -> Arc<Findings> {
        Arc::clone(&self.findings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// That is wrong with the plans from now on.
    pub fn set_findings(&self, findings: Findings) {
        *self
            .findings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(findings);
    }

    /// The gate in front of the channel. Never held across an await.
    pub fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recipients who got too much. Never held across an await.
    pub fn recipients(&self) -> MutexGuard<'_, Recipients> {
        self.recipients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The clinic's day that holds `now`, in days since 1970.
    #[must_use]
    pub fn day(&self, now: Timestamp) -> u32 {
        let date = self.outlet().zone.time_zone().to_datetime(now).date();
        let since = date.since(jiff::civil::date(1970, 1, 1));
        since.map_or(0, |span| u32::try_from(span.get_days()).unwrap_or(0))
    }
}
