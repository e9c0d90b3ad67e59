//! What the pages are told: the [`Clinic`] behind them, over the store's snapshots and the tasks.

mod patient;
mod plans;
mod talk;
mod today;

use super::accounts::Accounts;
use super::clock::{Clock as _, SystemClock};
use super::dispatcher::Notice;
use super::job::Job;
use super::monitor::Monitor;
use super::plan_editor::PlanEditor;
use super::shared::Shared;
use super::{advice, calls};
use crate::engine::Adviser;
use crate::http::Source;
use crate::http::admin::{CallEnded, EndCallRequest, Request, Said, SayRequest, SayTo};
use crate::http::health::Health;
use crate::http::page::Trouble;
use crate::http::page::clinic::{
    Account, Asked, AuditLeaf, AuditLine, Call, Calls, Clinic, Deed, Event, Inbox, JobLine, Leaf,
    Person, Plans, Today,
};
use crate::plan::{Language, Zone};
use crate::store::{self, Reader, StoreError};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};

/// What takes more than a page's work is shared by all who ask within this time.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// What the plans say of what comes is read anew after this, and whenever plans are.
const PLANNED_FOR: Duration = Duration::from_secs(60);
/// So many read the store at the same time; others wait.
const READERS_MAX: usize = 2;
/// Lines of the audit on one page.
const AUDIT_LINES: usize = 100;

/// The clinic behind the pages.
pub struct Practice {
    shared: Arc<Shared>,
    monitor: Arc<Monitor>,
    accounts: Arc<Accounts>,
    dispatcher: mpsc::UnboundedSender<Notice>,
    bell: Arc<Notify>,
    editor: Arc<PlanEditor>,
    places: Arc<Semaphore>,
    days: Arc<talk::Days>,
    planned: tokio::sync::Mutex<Option<LastPlanned>>,
    today: Lately<Today>,
    inbox: Lately<Inbox>,
}

/// What the plans said, when plans were read before that, and when they were looked at.
type LastPlanned = (Option<Timestamp>, Duration, Arc<today::Planned>);

/// A value that is as good for all who ask within a moment.
struct Lately<T>(tokio::sync::Mutex<Option<(Duration, Arc<T>)>>);

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::new(None))
    }
}

impl<T> Lately<T> {
    /// The value of this moment; one makes it, the others wait.
    async fn get(
        &self,
        now: Duration,
        make: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<Arc<T>, Trouble> {
        let mut held = self.0.lock().await;
        if let Some((made, value)) = &*held
            && now.saturating_sub(*made) < SHARED_FOR
        {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make.await?);
        *held = Some((now, Arc::clone(&value)));
        Ok(value)
    }

    /// Something changed that whoever asks next wants to see.
    async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

impl Practice {
    /// Over the handles that every task has.
    pub fn new(
        shared: &Arc<Shared>,
        monitor: &Arc<Monitor>,
        accounts: &Arc<Accounts>,
        dispatcher: mpsc::UnboundedSender<Notice>,
        bell: &Arc<Notify>,
        planner: mpsc::Sender<Request>,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            monitor: Arc::clone(monitor),
            accounts: Arc::clone(accounts),
            dispatcher,
            bell: Arc::clone(bell),
            editor: Arc::new(PlanEditor::new(Arc::clone(shared), planner)),
            places: Arc::new(Semaphore::new(READERS_MAX)),
            days: Arc::default(),
            planned: tokio::sync::Mutex::new(None),
            today: Lately::default(),
            inbox: Lately::default(),
        }
    }

    /// What the plans say, until they are read again or a while has passed.
    async fn planned(&self) -> Result<Arc<today::Planned>, Trouble> {
        let last_reload = self.shared.vitals.signs().plans.last_reload;
        let (now, elapsed) = (self.shared.now(), self.elapsed());
        let mut held = self.planned.lock().await;
        if let Some((reload, read_at, planned)) = &*held
            && *reload == last_reload
            && elapsed.saturating_sub(*read_at) < PLANNED_FOR
        {
            return Ok(Arc::clone(planned));
        }
        let read = self.read(move |reader| today::planned(reader, now));
        let planned = Arc::new(read.await?);
        *held = Some((last_reload, elapsed, Arc::clone(&planned)));
        Ok(planned)
    }

    /// Reads a snapshot of the store on a thread that may wait.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let unavailable = |why: String| Trouble::Unavailable(why);
        let places = Arc::clone(&self.places).acquire_owned();
        let place = places
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        let store = self.shared.store.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let read = job(&Reader::of_store(&store));
            drop(place);
            read
        });
        match reading.await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(error)) => Err(unavailable(error.to_string())),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }
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
        // The machine's: where the daemon's clock runs fast, people are as slow as ever.
        SystemClock.elapsed()
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

    fn jobs(&self) -> Asked<'_, Vec<JobLine>> {
        Box::pin(async move {
            let mut lines = Vec::new();
            for job in Job::ALL {
                let run = self.shared.store.job(job.name()).await;
                let run = run.map_err(|error| Trouble::Unavailable(error.to_string()))?;
                lines.push(JobLine {
                    name: job.name(),
                    check: job.check(),
                    started: run.started(),
                    succeeded: run.last_success(),
                    failed: run.failed(),
                });
            }
            Ok(lines)
        })
    }

    fn audit(&self, before: Option<Leaf>) -> Asked<'_, AuditLeaf> {
        Box::pin(async move {
            let read = self.read(move |reader| reader.audit_before(before, AUDIT_LINES));
            let lines = read.await?;
            let last = lines.last().map(|line| line.place);
            let lines = lines.into_iter().map(|line| AuditLine {
                at: line.at,
                account: line.account,
                what: line.what,
                patient: line.patient,
                outcome: line.outcome,
            });
            let lines: Vec<AuditLine> = lines.collect();
            Ok(AuditLeaf {
                older: last.filter(|_| lines.len() == AUDIT_LINES),
                lines,
            })
        })
    }

    fn today(&self) -> Asked<'_, Arc<Today>> {
        Box::pin(async move {
            let (now, zone) = (self.shared.now(), self.shared.outlet().zone.clone());
            let read = async {
                let planned = self.planned().await?;
                self.read(move |reader| today::read(reader, &planned, &zone, now))
                    .await
            };
            self.today.get(self.elapsed(), read).await
        })
    }

    fn calls(&self) -> Asked<'_, Calls> {
        Box::pin(async move {
            let read = self.read(|reader| Ok((reader.calls()?, reader.unreadable())));
            let (calls, unreadable) = read.await?;
            let call = |it: store::CallLine| Call {
                person: Person {
                    patient: it.patient,
                    name: it.name,
                },
                reason: it.reason,
                since: it.since,
                last: it.last,
                caregivers: it
                    .caregivers
                    .into_iter()
                    .map(|it| (it.name, it.relation, it.reached))
                    .collect(),
            };
            Ok(Calls {
                calls: calls.into_iter().map(call).collect(),
                unreadable,
            })
        })
    }

    fn end_call(&self, by: &Account, done: EndCallRequest) -> BoxFuture<'_, CallEnded> {
        let by = Adviser::Account(by.name.clone());
        Box::pin(async move { calls::end(&self.shared, done, by).await })
    }

    fn inbox(&self) -> Asked<'_, Arc<Inbox>> {
        Box::pin(async move {
            let (now, days) = (self.shared.now(), Arc::clone(&self.days));
            let red_flags = Arc::clone(&self.shared.outlet().manners.red_flags);
            let read = self.read(move |reader| days.inbox(reader, now, &red_flags));
            self.inbox.get(self.elapsed(), read).await
        })
    }

    fn say(&self, by: &Account, patient: String, text: String) -> BoxFuture<'_, Said> {
        let by = Adviser::Account(by.name.clone());
        Box::pin(async move {
            let request = SayRequest {
                to: SayTo::Patient(patient),
                text,
                count_only: false,
            };
            let said = advice::say(&self.shared, &self.dispatcher, &self.bell, request, by).await;
            self.inbox.forget().await;
            said
        })
    }

    fn plans(&self, after: Option<String>) -> Asked<'_, Plans> {
        Box::pin(async move {
            let (now, days) = (self.shared.now(), Arc::clone(&self.days));
            let read = self.read(move |reader| plans::read(reader, &days, now, after.as_deref()));
            let mut plans = read.await?;
            let known = self.shared.vitals.signs().plans;
            plans.active = known.active;
            plans.held_removals = known.held_removals;
            plans.refused = known.refused;
            plans.last_reload = known.last_reload;
            plans.rejected = plans::rejected(&self.shared.findings());
            Ok(plans)
        })
    }
}
