//! One process of the daemon: its own tasks on the simulated machine.

use super::api::Api;
use super::clock::SimClock;
use super::dice::Dice;
use super::disk::Disk;
use super::executor::Executor;
use dosed::daemon::clock::Clock;
use dosed::daemon::config::{Config, Environment};
use dosed::daemon::desk::Desk;
use dosed::daemon::dispatcher::Dispatcher;
use dosed::daemon::manners::Manners;
use dosed::daemon::metrics::Metrics;
use dosed::daemon::monitor::Monitor;
use dosed::daemon::plan_files::{LoadedPlans, ScanError, Terms, read_bytes};
use dosed::daemon::planner::Planner;
use dosed::daemon::shared::{Outlet, Shared};
use dosed::daemon::vitals::Vitals;
use dosed::daemon::worker::Handoff;
use dosed::daemon::{inbox, recorder, scheduler, timekeeper, worker};
use dosed::http::Source as _;
use dosed::http::health::Status;
use dosed::messaging::wechat::callback::{Inbound, Inbox as _};
use dosed::messaging::{Channel, Limits};
use dosed::plan::diagnostic::Source;
use dosed::store::{self, OpenError, Store, Telemetry};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Tries of the API at once.
const CONCURRENCY: usize = 4;

/// What a process finds on the machine.
#[derive(Clone)]
pub struct Site {
    pub clock: SimClock,
    pub disk: Disk,
    pub api: Api,
    pub folder: Folder,
    pub config: Config,
    pub limits: Limits,
}

/// The plan directory.
#[derive(Clone, Default)]
pub struct Folder(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    /// With the number of the writing: what a file's stamp is.
    texts: BTreeMap<String, (u64, String)>,
    written: u64,
    unreadable: bool,
    /// A person accepts what is gone.
    accepts: bool,
}

impl Folder {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self, patient: &str, text: String) {
        let mut shelf = self.shelf();
        shelf.written += 1;
        let number = shelf.written;
        shelf.texts.insert(patient.to_owned(), (number, text));
    }

    pub fn remove(&self, patient: &str) {
        self.shelf().texts.remove(patient);
    }

    pub fn set_readable(&self, readable: bool) {
        self.shelf().unreadable = !readable;
    }

    pub fn accept_removals(&self) {
        self.shelf().accepts = true;
    }

    /// Reads all texts but those of which `known` has the number.
    fn load(&self, terms: &Terms, known: &BTreeMap<String, u64>) -> LoadedPlans {
        let shelf = self.shelf();
        let mut loaded = LoadedPlans::default();
        if shelf.unreadable {
            loaded.directory = Err(ScanError::Unreadable {
                path: PathBuf::from("plans.d"),
                error: std::io::Error::from_raw_os_error(5),
            });
            return loaded;
        }
        for (patient, (number, text)) in &shelf.texts {
            let id = patient.parse().expect("the simulation's ids are ids");
            if known.get(patient) == Some(number) {
                loaded.unchanged.insert(id);
                continue;
            }
            let path = Path::new("plans.d").join(format!("{patient}.toml"));
            let plan = read_bytes(&path, text.clone().into_bytes(), terms);
            loaded.plans.insert(id, plan);
        }
        loaded
    }

    /// Whether a person accepts what is gone, asked once.
    fn accepts_removals(&self) -> bool {
        std::mem::take(&mut self.shelf().accepts)
    }

    /// The numbers of all texts.
    fn numbers(&self) -> BTreeMap<String, u64> {
        let shelf = self.shelf();
        let texts = shelf.texts.iter();
        texts.map(|(patient, it)| (patient.clone(), it.0)).collect()
    }

    fn is_readable(&self) -> bool {
        !self.shelf().unreadable
    }
}

/// The configuration of all simulated clinics.
pub fn config(answers: bool) -> Config {
    let mut text = r#"[clinic]
name = "Clinic"
timezone = "Asia/Shanghai"
language = "en"
plans = "plans.d"
[store]
path = "dosed.redb"
[messaging]
channel = "wechat"
[wechat]
appid = "wx0123456789abcdef"
secret_file = "secret"
[wechat.templates.dose]
id = "dose-template"
[wechat.templates.dose.data]
thing1 = "{{ patient }}"
thing2 = "{{ medications }}"
time3 = "{{ at }}"
[wechat.templates.check_in]
id = "check-in-template"
[wechat.templates.check_in.data]
thing1 = "{{ patient }}"
thing2 = "{{ question }}"
thing3 = "{{ answer }}"
time4 = "{{ at }}"
"#
    .to_owned();
    if answers {
        // Where patients can answer they are reminded again.
        text = text.replace(
            "[wechat]\n",
            "[wechat]\nmode = \"plain\"\ntoken_file = \"token\"\n",
        );
        text += "[http]\npublic = \"127.0.0.1:0\"\n";
    }
    let source = Source::new("/simulation/dosed.toml", text);
    let environment = Environment::default();
    Config::parse(&source, &environment).expect("the simulation's configuration is one")
}

pub struct Process {
    executor: Executor,
    /// What tasks spawn themselves.
    runtime: Runtime,
    pub shared: Arc<Shared>,
    stop: CancellationToken,
    reload: Arc<Notify>,
    /// The door for pushes; gone when the end was asked for.
    inbox: Option<Arc<inbox::Inbox>>,
    monitor: Arc<Monitor>,
}

/// What comes before all tasks: what an earlier process saw of the clock, and who is told of
/// patients. The store answers on this thread.
fn begin(shared: &Shared, config: &Config) -> Desk {
    at_once(async {
        let mut desk = Desk::default();
        // Whoever is to know of a failure here meets it again in the tasks.
        let _ = timekeeper::begin(shared).await;
        let _ = desk.tell(shared, config).await;
        desk
    })
}

/// Runs what waits for the store alone, which answers on this thread.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(made) = work.as_mut().poll(&mut context) {
            return made;
        }
    }
}

impl Process {
    /// Opens the store and starts the tasks, in the order in which the daemon does.
    pub fn start(site: &Site) -> Result<Self, OpenError> {
        let runtime = Builder::new_current_thread()
            .build()
            .expect("a runtime without I/O can be made");
        let options = store::Options {
            path: PathBuf::from("dosed.redb"),
            cache_bytes: 4 << 20,
        };
        let telemetry = Arc::new(Telemetry::new(|_, _| {}));
        let store = Store::open_inline(Arc::new(site.disk.clone()), &options, telemetry)?;
        let clock: Arc<dyn Clock> = Arc::new(site.clock.clone());
        let outlet = Outlet {
            channel: Channel::Carrier(Arc::new(site.api.clone())),
            limits: Arc::new(site.limits.clone()),
            zone: site.config.clinic.defaults.zone.clone(),
            rate: NonZeroU32::new(80),
            hourly_max: None,
            manners: Arc::new(Manners::default()),
        };
        let metrics = Arc::new(Metrics::new(0.0));
        let vitals = Arc::new(Vitals::default());
        let shared = Arc::new(Shared::new(clock, store, vitals, metrics, outlet));
        let desk = begin(&shared, &site.config);
        let (inbox, sorter) = inbox::open(&shared);
        let mut process = Self {
            monitor: Arc::new(Monitor::new(Arc::clone(&shared), &site.config)),
            inbox: Some(Arc::new(inbox)),
            executor: Executor::default(),
            runtime,
            stop: CancellationToken::new(),
            reload: Arc::new(Notify::new()),
            shared,
        };
        process.spawn(site, sorter, desk);
        Ok(process)
    }

    fn spawn(&mut self, site: &Site, sorter: inbox::Sorter, desk: Desk) {
        let (shared, stop) = (&self.shared, &self.stop);
        let (to_dispatcher, notices) = mpsc::unbounded_channel();
        let (to_recorder, ended) = mpsc::unbounded_channel();
        let handoff = Arc::new(Handoff::default());
        let bell = Arc::new(Notify::new());
        let executor = &mut self.executor;
        executor.spawn(recorder::run(
            Arc::clone(shared),
            ended,
            Arc::clone(&handoff),
            to_dispatcher.clone(),
        ));
        for _ in 0..CONCURRENCY {
            executor.spawn(worker::run(
                Arc::clone(shared),
                Arc::clone(&handoff),
                to_recorder.clone(),
                stop.clone(),
            ));
        }
        let dispatcher = Dispatcher::new(
            Arc::clone(shared),
            notices,
            to_recorder,
            handoff,
            CONCURRENCY,
        );
        executor.spawn(dispatcher.run(stop.clone()));
        let mut planner = Planner::new(
            Arc::clone(shared),
            (site.config.clone(), desk),
            Environment::default(),
            to_dispatcher.clone(),
            Arc::clone(&bell),
            Arc::clone(&self.monitor),
        );
        let (reload, stopped) = (Arc::clone(&self.reload), stop.clone());
        let (site, asked) = (site.clone(), Arc::clone(shared));
        executor.spawn(async move {
            let mut known = BTreeMap::new();
            loop {
                let terms = Terms::of(&site.config, site.clock.now());
                let (numbers, is_readable) = (site.folder.numbers(), site.folder.is_readable());
                let accepts = site.folder.accepts_removals();
                // The planner reads nothing while the clock is in doubt.
                let loaded = if asked.time().doubted {
                    LoadedPlans::default()
                } else {
                    site.folder.load(&terms, &known)
                };
                let brought = planner.bring_into_force(loaded, accepts, &stopped).await;
                let Some(reloaded) = brought else {
                    return;
                };
                // While the clock is in doubt nothing was looked at.
                if reloaded.refused.is_none() && is_readable {
                    known = numbers;
                }
                let pause = planner.pause();
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => return,
                    () = reload.notified() => {}
                    () = site.clock.sleep(pause) => {}
                }
            }
        });
        executor.spawn(sorter.run(to_dispatcher.clone(), Arc::clone(&bell), stop.clone()));
        let scheduler = scheduler::run(
            Arc::clone(shared),
            to_dispatcher,
            bell,
            Arc::new(Notify::new()),
            stop.clone(),
        );
        executor.spawn(scheduler);
        executor.spawn(timekeeper::run(Arc::clone(shared), stop.clone()));
    }

    /// Polls one task. False when none is ready.
    pub fn turn(&mut self, dice: &mut Dice) -> bool {
        let context = self.runtime.enter();
        if self.executor.turn(dice) {
            return true;
        }
        drop(context);
        // What was spawned runs in between.
        self.runtime.block_on(async {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        });
        let _context = self.runtime.enter();
        self.executor.turn(dice)
    }

    /// How many tasks have not ended.
    pub fn running(&self) -> usize {
        self.executor.running()
    }

    /// The platform pushes something, and is told by `receipt` that it was taken.
    pub fn receive(&mut self, inbound: Inbound, receipt: impl FnOnce() + Send + 'static) {
        let Some(inbox) = self.inbox.clone() else {
            // Nobody is let in any more: the platform pushes it again.
            return;
        };
        self.executor.spawn(async move {
            if inbox.receive(inbound).await.is_ok() {
                receipt();
            }
        });
    }

    /// What was committed is on the disk from now on.
    pub fn sync(&self) {
        // Whoever is to know of a failure meets it again in the tasks.
        let _ = at_once(self.shared.store.sync(self.shared.now()));
    }

    /// The plan directory has changed.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Whether the clock is not believed.
    pub fn is_held(&self) -> bool {
        self.shared.vitals.signs().clock_held.is_some()
    }

    /// Asks all tasks to end in good order.
    pub fn stop(&mut self) {
        // The public listener goes first.
        self.inbox = None;
        self.stop.cancel();
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// True when the daemon would end itself because its store is lost.
    pub fn has_lost_its_store(&self) -> bool {
        self.shared.store.telemetry().lost()
    }

    /// Whether `/health` says that something is wrong with a part.
    pub fn tells_of(&self, part: &str) -> bool {
        let checks = self.monitor.health().checks;
        let mut of_part = checks.iter().filter(|check| check.name == part);
        of_part.any(|check| check.status != Status::Pass)
    }

    /// Messages in the outbox.
    pub fn outbox(&self) -> u64 {
        self.shared.store.telemetry().outbox_depth().iter().sum()
    }
}
