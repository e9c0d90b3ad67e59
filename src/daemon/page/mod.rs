//! What the pages are told: the [`Clinic`] behind them, over the store's snapshots and the tasks.

use super::accounts::Accounts;
use super::monitor::Monitor;
use super::shared::Shared;
use crate::http::Source;
use crate::http::health::Health;
use crate::http::page::clinic::{Account, Clinic, Deed, Event};
use crate::plan::{Language, Zone};
use crate::store;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The clinic behind the pages.
pub struct Practice {
    /// Handles that every task has.
    pub shared: Arc<Shared>,
    /// What health is asked of.
    pub monitor: Arc<Monitor>,
    /// Who may sign in.
    pub accounts: Arc<Accounts>,
}

impl Clinic for Practice {
    fn name(&self) -> String {
        self.shared.outlet().manners.clinic.name.clone()
    }

    fn manners(&self) -> (Zone, Language) {
        let outlet = self.shared.outlet();
        (outlet.zone.clone(), outlet.manners.language)
    }

    fn now(&self) -> Timestamp {
        self.shared.now()
    }

    fn elapsed(&self) -> Duration {
        self.shared.clock.elapsed()
    }

    fn is_open(&self) -> bool {
        self.accounts.any()
    }

    fn account(&self, name: &str) -> Option<Account> {
        let (role, language, stamp) = self.accounts.get(name)?;
        Some(Account {
            name: name.to_owned(),
            role,
            language,
            stamp,
        })
    }

    fn sign_in(&self, name: String, password: String) -> BoxFuture<'_, Option<Account>> {
        Box::pin(async move {
            // Taken before the password is looked at: one that changes meanwhile lets nobody in.
            let account = self.account(&name);
            let right = self.accounts.is_right(&name, password).await;
            account.filter(|_| right)
        })
    }

    fn note(&self, deed: Deed) {
        self.accounts.note(store::Deed {
            at: self.shared.now(),
            account: deed.account,
            what: deed.what,
            patient: deed.patient,
            outcome: deed.outcome,
        });
    }

    fn count(&self, event: Event) {
        self.shared.metrics.paged(event);
    }

    fn health(&self) -> Health {
        self.monitor.health()
    }
}
