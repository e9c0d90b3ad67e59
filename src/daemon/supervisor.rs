//! Bringing the daemon up, watching over its tasks, and taking it down.

use super::accounts::Accounts;
use super::clock::Clock;
use super::config::{self, Config, ConfigError, Environment};
use super::desk::Desk;
use super::dispatcher::Dispatcher;
use super::inbox::{self, Sorter};
use super::manners::Manners;
use super::metrics::{LISTENERS, Metrics};
use super::monitor::{self, Monitor};
use super::page::Practice;
use super::patient_page::{self, Pages};
use super::planner::Planner;
use super::shared::{Outlet, Shared};
use super::signals::Control;
use super::vitals::Vitals;
use super::worker::Handoff;
use super::{administration, audit, housekeeping, recorder, scheduler, timekeeper, worker};
use crate::http::{self, PublicParts, Source};
use crate::messaging::wechat::callback::{self, Inbox, Reception};
use crate::messaging::wechat::crypto::CryptoError;
use crate::messaging::wechat::{Settings, SettingsError};
use crate::messaging::{self, Channel, Console, WeChat};
use crate::store::{self, OpenError, Store, Telemetry};
use sd_notify::NotifyState;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take when the daemon is asked to end.
const FINISH_MAX: Duration = Duration::from_secs(3);

/// How long a daemon may take until its first turn before systemd is asked for more time.
const START_STEP: Duration = Duration::from_secs(10);

/// How long a start waits for a disk that fails. Together with the pause between two starts
/// (`RestartSec=`) it keeps a daemon whose disk stays away below the unit's limit of starts
/// (`StartLimitBurst=` in `StartLimitIntervalSec=`), at which systemd would give up for good.
const DISK_PATIENCE: Duration = Duration::from_secs(40);

/// Between two looks at a disk that fails.
const DISK_PAUSE: Duration = Duration::from_secs(2);

/// How to run, besides the configuration.
pub struct Options {
    /// Where the addresses really bound are left, as JSON.
    pub ready_file: Option<PathBuf>,
    /// The environment, for reading the configuration again.
    pub environment: Environment,
    /// The clock of all tasks.
    pub clock: Arc<dyn Clock>,
}

/// What opens the store.
pub type Opener = fn(&store::Options, Arc<Telemetry>) -> Result<Store, OpenError>;

/// Why the daemon did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A secret or certificate cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The channel has no secret.
    #[error("the channel has no secret")]
    NoSecret,
    /// The channel cannot be made.
    #[error("{0}")]
    Channel(#[from] SettingsError),
    /// The callback's key is none.
    #[error("`wechat.aes_key_file`: {0}")]
    Callback(#[from] CryptoError),
    /// Standard output cannot be written to.
    #[error("standard output cannot be used: {0}")]
    Console(io::Error),
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// The ready file cannot be written.
    #[error("{path}: the ready file cannot be written: {error}")]
    ReadyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The store failed and could not be opened again.
    #[error("the store is lost: it could not be opened again")]
    StoreLost,
    /// A task ended by itself.
    #[error("the task {0} ended by itself")]
    TaskEnded(&'static str),
}

/// Makes what messages leave through.
///
/// # Errors
/// A secret, a certificate or the console cannot be used.
pub fn outlet(config: &Config, metrics: &Arc<Metrics>) -> Result<Outlet, DaemonError> {
    let channel = match &config.messaging.channel {
        config::Channel::Console(format) => {
            Channel::Console(Console::new(*format).map_err(DaemonError::Console)?)
        }
        config::Channel::WeChat(wechat) => {
            let observer: Arc<dyn messaging::Observer> = metrics.clone();
            let secret = config.secret()?.ok_or(DaemonError::NoSecret)?;
            let settings = Settings {
                api_base: wechat.api_base.clone(),
                appid: wechat.appid.clone(),
                secret,
                ca_pem: config.ca_pem()?,
                templates: wechat.templates.clone(),
                timeout: config.messaging.timeout,
                concurrency: config.messaging.concurrency.get(),
                observer,
            };
            Channel::WeChat(WeChat::new(&settings)?)
        }
    };
    let manners = Manners::of(config)?;
    let channel = channel.with_texts(manners.texts.clone());
    Ok(Outlet {
        limits: Arc::new(channel.limits()),
        channel,
        zone: config.clinic.defaults.zone.clone(),
        rate: config.messaging.rate,
        manners: Arc::new(manners),
        hourly_max: config.messaging.hourly_max,
    })
}

/// Makes the callback address of the account; `None` where none is to be served.
///
/// # Errors
/// A secret cannot be used.
pub fn reception(
    config: &Config,
    inbox: Arc<dyn Inbox>,
) -> Result<Option<Arc<Reception>>, DaemonError> {
    let config::Channel::WeChat(wechat) = &config.messaging.channel else {
        return Ok(None);
    };
    let (Some(secrets), Some(callback)) = (config.callback_secrets()?, &wechat.callback) else {
        return Ok(None);
    };
    let settings = callback::Settings {
        appid: wechat.appid.clone(),
        account: callback.original_id.clone(),
        token: secrets.token,
        aes_key: secrets.aes_key,
        mode: callback.mode,
    };
    Ok(Some(Arc::new(Reception::new(&settings, inbox)?)))
}

/// Runs the daemon until `control` stops it.
///
/// # Errors
/// See [`DaemonError`].
pub async fn run(config: Config, options: Options, control: Control) -> Result<(), DaemonError> {
    run_on(config, options, control, Store::open).await
}

/// As [`run`], on a store that is opened in another way: a bench measures what its durability costs.
///
/// # Errors
/// See [`DaemonError`].
#[doc(hidden)]
pub async fn run_on(
    config: Config,
    options: Options,
    control: Control,
    open: Opener,
) -> Result<(), DaemonError> {
    messaging::install_crypto_provider();
    let clock = Arc::clone(&options.clock);
    let metrics = Arc::new(Metrics::new(clock.now().as_millisecond() as f64 / 1e3));
    let outlet = outlet(&config, &metrics)?;
    let Some(store) = open_store(&config, &metrics, &control, open).await? else {
        return Ok(());
    };
    let vitals = Arc::new(Vitals::default());
    let shared = Arc::new(Shared::new(clock, store, vitals, metrics, outlet));
    // Before anybody looks at the time: by a clock in doubt nothing is decided.
    timekeeper::begin(&shared)
        .await
        .map_err(|_| DaemonError::StoreLost)?;
    // Nor does anything come in or leave before it is known whom it concerns at the clinic.
    let desk = Desk::begin(&shared, &config)
        .await
        .map_err(|_| DaemonError::StoreLost)?;
    // The hour's ceiling depends on it from the first message on.
    if let Ok(plans) = shared.store.count_plans().await {
        let active = usize::try_from(plans).unwrap_or(usize::MAX);
        shared.vitals.plans(|known| known.active = active);
    }
    patient_page::begin(&shared, config.http.public_url.as_deref()).await;
    let (accounts, noted) = Accounts::begin(&shared).await;
    let (inbox, sorter) = inbox::open(&shared);
    let reception = reception(&config, Arc::new(inbox))?;
    let listeners = Listeners::bind(&config, reception).await?;
    let mut tasks = Tasks::start(
        &shared,
        (config, desk),
        (Arc::new(accounts), noted),
        &options,
        listeners,
        sorter,
        &control,
    );
    let ended = tasks.watch(&shared, &options, &control).await;
    monitor::notify(&[NotifyState::Stopping]);
    control.stop.cancel();
    tasks.finish().await;
    shared.store.close().await;
    if ended.is_ok() {
        tracing::info!("ended in good order");
    }
    ended
}

/// Opens the store, and waits a while for a disk that fails. `None`: it was asked to end meanwhile.
async fn open_store(
    config: &Config,
    metrics: &Arc<Metrics>,
    control: &Control,
    open: Opener,
) -> Result<Option<Store>, DaemonError> {
    let began = Instant::now();
    let mut waits = false;
    loop {
        match try_to_open_store(config, metrics, open).await {
            Err(DaemonError::Store(error @ OpenError::Disk { .. }))
                if began.elapsed() < DISK_PATIENCE =>
            {
                if !std::mem::replace(&mut waits, true) {
                    tracing::error!(%error, "the store's disk is waited for");
                }
                monitor::notify(&[NotifyState::Status("the store's disk is waited for")]);
                ask_for_more_time();
                tokio::select! {
                    () = tokio::time::sleep(DISK_PAUSE) => {}
                    () = control.stop.cancelled() => return Ok(None),
                }
            }
            opened => return opened.map(Some),
        }
    }
}

/// A repair after a kill, or a disk that fails, may take its time.
fn ask_for_more_time() {
    let more = u32::try_from(START_STEP.as_micros()).unwrap_or(u32::MAX);
    monitor::notify(&[NotifyState::ExtendTimeoutUsec(more)]);
}

async fn try_to_open_store(
    config: &Config,
    metrics: &Arc<Metrics>,
    open: Opener,
) -> Result<Store, DaemonError> {
    let options = store::Options {
        path: config.store.path.clone(),
        cache_bytes: usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX),
    };
    let counted = Arc::clone(metrics);
    let telemetry = Arc::new(Telemetry::new(move |ok, took: Duration| {
        counted.committed(ok, took.as_secs_f64());
    }));
    let opening = tokio::task::spawn_blocking(move || open(&options, telemetry));
    tokio::pin!(opening);
    loop {
        tokio::select! {
            opened = &mut opening => {
                return Ok(opened.map_err(|_| DaemonError::TaskEnded("store"))??);
            }
            () = tokio::time::sleep(START_STEP / 2) => ask_for_more_time(),
        }
    }
}

/// The listeners, bound.
struct Listeners {
    private: TcpListener,
    private_address: SocketAddr,
    admin: UnixListener,
    admin_path: PathBuf,
    public: Option<Public>,
}

/// The public listener, bound, with all that it serves.
struct Public {
    listener: TcpListener,
    address: SocketAddr,
    /// The callback's path, and who receives there.
    callback: Option<(String, Arc<Reception>)>,
}

impl Public {
    /// Serves the callback and the patients' page until `stop`, and says where.
    fn serve(
        self,
        (shared, page): (&Arc<Shared>, Option<Pages>),
        tasks: &mut JoinSet<Ended>,
        stop: &CancellationToken,
    ) -> SocketAddr {
        let parts = PublicParts {
            callback: self.callback.map(|(path, it)| (path, it as _)),
            page: page.map(|page| Arc::new(page) as _),
        };
        let count = count(shared, LISTENERS[1]);
        let served = http::serve_public(self.listener, parts, count, stop.clone());
        spawn(tasks, "public listener", served);
        self.address
    }
}

impl Listeners {
    async fn bind(config: &Config, reception: Option<Arc<Reception>>) -> Result<Self, DaemonError> {
        let address = config.http.private;
        let failed = |address: String| move |error| DaemonError::Listen { address, error };
        let private = TcpListener::bind(address)
            .await
            .map_err(failed(address.to_string()))?;
        let private_address = private.local_addr().map_err(failed(address.to_string()))?;
        let admin_path = config.http.admin.clone();
        let admin = bind_admin(&admin_path).map_err(failed(admin_path.display().to_string()))?;
        let callback = match (reception, &config.messaging.channel) {
            (Some(reception), config::Channel::WeChat(wechat)) => {
                let callback = wechat.callback.as_ref();
                callback.map(|callback| (callback.path.clone(), reception))
            }
            _ => None,
        };
        let has_page = config.http.public_url.is_some();
        let public = match config.http.public {
            Some(address) if callback.is_some() || has_page => {
                let listener = TcpListener::bind(address)
                    .await
                    .map_err(failed(address.to_string()))?;
                Some(Public {
                    address: listener.local_addr().map_err(failed(address.to_string()))?,
                    listener,
                    callback,
                })
            }
            _ => None,
        };
        Ok(Self {
            private,
            private_address,
            admin,
            admin_path,
            public,
        })
    }
}

/// Binds the administration socket, for this user only. A socket left by a daemon that was killed
/// is replaced: the store's lock, held by now, says that none is running.
fn bind_admin(path: &Path) -> io::Result<UnixListener> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Under a name of its own first: nobody finds the socket before its mode is right.
    let listener = UnixListener::bind(&temporary)?;
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&temporary, path)?;
    Ok(listener)
}

/// The tasks of a running daemon.
struct Tasks {
    /// Those that end when they are asked to.
    running: JoinSet<Ended>,
    /// Those that end when all that send to them have ended.
    draining: JoinSet<()>,
    first_turn: Arc<Notify>,
    monitor: Arc<Monitor>,
    admin_path: PathBuf,
    private_address: SocketAddr,
    public_address: Option<SocketAddr>,
}

/// How a task ended.
enum Ended {
    /// As it was asked to, or by itself.
    Plainly(&'static str),
    /// The store could not be opened again.
    StoreLost,
}

impl Tasks {
    fn start(
        shared: &Arc<Shared>,
        (config, desk): (Config, Desk),
        (accounts, noted): (Arc<Accounts>, audit::Noted),
        options: &Options,
        listeners: Listeners,
        sorter: Sorter,
        control: &Control,
    ) -> Self {
        let stop = &control.stop;
        let concurrency = config.messaging.concurrency.get();
        let (to_dispatcher, notices) = mpsc::unbounded_channel();
        let (to_recorder, ended) = mpsc::unbounded_channel();
        let (to_planner, reloads) = mpsc::channel(16);
        let (to_administration, requests) = mpsc::channel(16);
        let handoff = Arc::new(Handoff::default());
        let bell = Arc::new(Notify::new());
        let first_turn = Arc::new(Notify::new());
        let monitor = Arc::new(Monitor::new(Arc::clone(shared), &config));
        let mut running = JoinSet::new();
        let mut draining = JoinSet::new();
        draining.spawn(recorder::run(
            Arc::clone(shared),
            ended,
            Arc::clone(&handoff),
            to_dispatcher.clone(),
        ));
        for _ in 0..concurrency {
            draining.spawn(worker::run(
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
            concurrency,
        );
        spawn(&mut running, "dispatcher", dispatcher.run(stop.clone()));
        draining.spawn(audit::run(Arc::clone(shared), noted));
        let (notices, planner) = (to_dispatcher.clone(), to_planner.clone());
        let practice = Practice::new(shared, &monitor, &accounts, notices, &bell, planner);
        serve(
            &mut running,
            (shared, &monitor),
            practice,
            (listeners.private, listeners.admin),
            to_administration,
            stop,
        );
        let inbox = sorter.run(to_dispatcher.clone(), Arc::clone(&bell), stop.clone());
        spawn(&mut running, "inbox", inbox);
        let (pages, clerk) = patient_page::open(shared);
        let pressed = clerk.run(to_dispatcher.clone(), Arc::clone(&bell), stop.clone());
        spawn(&mut running, "presses", pressed);
        let public_address = listeners
            .public
            .map(|public| public.serve((shared, pages), &mut running, stop));
        let dispatcher = to_dispatcher.clone();
        let outlets = (to_planner, dispatcher, Arc::clone(&bell), accounts);
        let administered = administration::run(Arc::clone(shared), requests, outlets, stop.clone());
        spawn(&mut running, "administration", administered);
        let monitored = Arc::clone(&monitor).run(stop.clone());
        running.spawn(async move {
            match monitored.await {
                Ok(()) => Ended::Plainly("monitor"),
                Err(_) => Ended::StoreLost,
            }
        });
        let asked = super::quota::run(Arc::clone(shared), stop.clone());
        spawn(&mut running, "quota", asked);
        let kept_store = config.store.clone();
        let planner = Planner::new(
            Arc::clone(shared),
            (config, desk),
            options.environment.clone(),
            to_dispatcher.clone(),
            Arc::clone(&bell),
            Arc::clone(&monitor),
        );
        let told = to_dispatcher.clone();
        let housekeeping = housekeeping::run(Arc::clone(shared), kept_store, told, stop.clone());
        spawn(&mut running, "housekeeping", housekeeping);
        let kept = timekeeper::run(Arc::clone(shared), stop.clone());
        spawn(&mut running, "timekeeper", kept);
        let reload = Arc::clone(&control.reload);
        let run = planner.run(reloads, reload, stop.clone());
        spawn(&mut running, "planner", run);
        let scheduler = scheduler::run(
            Arc::clone(shared),
            to_dispatcher,
            bell,
            Arc::clone(&first_turn),
            stop.clone(),
        );
        spawn(&mut running, "scheduler", scheduler);
        Self {
            running,
            draining,
            first_turn,
            monitor,
            admin_path: listeners.admin_path,
            private_address: listeners.private_address,
            public_address,
        }
    }

    /// Announces readiness, then waits for the end: asked for, or by itself.
    async fn watch(
        &mut self,
        shared: &Arc<Shared>,
        options: &Options,
        control: &Control,
    ) -> Result<(), DaemonError> {
        let first_turn = Arc::clone(&self.first_turn);
        let mut announced = false;
        loop {
            tokio::select! {
                () = first_turn.notified(), if !announced => {
                    announced = true;
                    self.announce(shared, options).await?;
                    control.ready.notify_one();
                }
                () = control.summary.notified() => {
                    tracing::info!(summary = self.monitor.summary(), "status");
                }
                () = control.stop.cancelled() => return Ok(()),
                ended = self.running.join_next() => match ended {
                    _ if control.stop.is_cancelled() => return Ok(()),
                    Some(Ok(Ended::StoreLost)) => return Err(DaemonError::StoreLost),
                    Some(Ok(Ended::Plainly(task))) => return Err(DaemonError::TaskEnded(task)),
                    Some(Err(_)) => return Err(DaemonError::TaskEnded("(panicked)")),
                    None => return Err(DaemonError::TaskEnded("(all)")),
                },
                // They end after all others: before that nothing would be sent or recorded.
                ended = self.draining.join_next() => match ended {
                    _ if control.stop.is_cancelled() => return Ok(()),
                    Some(Err(_)) => return Err(DaemonError::TaskEnded("(panicked)")),
                    _ => return Err(DaemonError::TaskEnded("recorder, worker or audit")),
                },
            }
        }
    }

    /// The daemon works: says where, to whoever asked to be told.
    async fn announce(&self, shared: &Shared, options: &Options) -> Result<(), DaemonError> {
        let private = self.private_address.to_string();
        let public = self.public_address.map(|address| address.to_string());
        tracing::info!(private, public, admin = %self.admin_path.display(), "listening");
        let mut ready = serde_json::json!({ "private": private });
        if let Some(public) = &public {
            ready["public"] = public.as_str().into();
        }
        let endpoints = serde_json::json!({
            "private": private,
            "public": public,
            "admin": self.admin_path,
            "pid": std::process::id(),
        });
        let noted = shared
            .store
            .note_endpoints(shared.now(), endpoints.to_string());
        if let Err(error) = noted.await {
            tracing::error!(%error, "the store does not take where the daemon listens");
        }
        if let Some(path) = &options.ready_file {
            write_whole(path, &(ready.to_string() + "\n")).map_err(|error| {
                DaemonError::ReadyFile {
                    path: path.clone(),
                    error,
                }
            })?;
        }
        monitor::notify(&[NotifyState::Ready]);
        Ok(())
    }

    /// Lets requests under way come to their end, bounded, and commits what came of them.
    async fn finish(mut self) {
        let finish = async {
            while self.running.join_next().await.is_some() {}
            while self.draining.join_next().await.is_some() {}
        };
        if tokio::time::timeout(FINISH_MAX, finish).await.is_err() {
            tracing::warn!("requests under way are abandoned; the next start looks after them");
        }
        // Nobody listens there any more.
        let _ = std::fs::remove_file(&self.admin_path);
    }
}

fn spawn(
    tasks: &mut JoinSet<Ended>,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(async move {
        task.await;
        Ended::Plainly(name)
    });
}

/// Counts what a listener does not serve.
fn count(shared: &Arc<Shared>, listener: &'static str) -> http::Count {
    let shared = Arc::clone(shared);
    Arc::new(move |reason| shared.metrics.unserved(listener, reason))
}

fn serve(
    tasks: &mut JoinSet<Ended>,
    (shared, monitor): (&Arc<Shared>, &Arc<Monitor>),
    practice: Practice,
    (private, admin): (TcpListener, UnixListener),
    requests: mpsc::Sender<http::admin::Request>,
    stop: &CancellationToken,
) {
    let source: Arc<dyn Source> = monitor.clone();
    let count = count(shared, LISTENERS[0]);
    let practice = Arc::new(practice);
    let served = http::serve_private(private, source, practice, count, stop.clone());
    spawn(tasks, "private listener", served);
    let stopped = stop.clone();
    spawn(tasks, "administration socket", async move {
        tokio::select! {
            served = http::serve_admin(admin, requests) => {
                if let Err(error) = served {
                    tracing::error!(%error, "the administration socket failed");
                }
            }
            () = stopped.cancelled() => {}
        }
    });
}

/// Writes a file that readers see whole or not at all.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, path)
}
