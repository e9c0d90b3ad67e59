//! A clinic in a directory, and the daemon on it in this process.

use super::sink::Sink;
use dosed::daemon::clock::Clock;
use dosed::daemon::config::{Config, Environment};
use dosed::daemon::signals::Control;
use dosed::daemon::{self, DaemonError, Options};
use dosed::messaging::wechat::wire::Reply;
use dosed::store::{self, Backing, OpenError, Store, Telemetry};
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Requests under way at once, for the daemon and for the bare loop.
pub const CONCURRENCY: usize = 64;

/// Nothing that is measured takes longer.
const PATIENCE: Duration = Duration::from_secs(300);

/// Writes a configuration whose messages go to `port`, its secret, and an empty plan directory.
pub fn write_clinic(directory: &Path, port: u16) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir(directory.join("plans.d"))?;
    write_config(directory, port)?;
    let secret = directory.join("secret");
    fs::write(&secret, "0123456789abcdef")?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))
}

/// Writes the configuration alone.
pub fn write_config(directory: &Path, port: u16) -> io::Result<()> {
    let text = format!(
        r#"
[clinic]
name = "Dr Hao Clinic"
timezone = "Asia/Shanghai"
language = "zh-CN"
plans = "plans.d"
watch = false
[store]
path = "dosed.redb"
[http]
private = "127.0.0.1:0"
[messaging]
channel = "wechat"
concurrency = {CONCURRENCY}
rate = 0
[log]
level = "error"
[wechat]
api_base = "http://127.0.0.1:{port}"
appid = "wx0000000000000001"
secret_file = "secret"
[wechat.templates.dose]
id = "0123456789012345678901234567890123456789012"
[wechat.templates.dose.data]
thing1 = "{{{{ patient }}}}"
thing2 = "{{{{ medications }}}}"
time3 = "{{{{ at }}}}"
thing4 = "{{{{ note or '请按医嘱服用' }}}}"
"#
    );
    fs::write(directory.join("config.toml"), text)
}

/// The plan of one patient who takes one medicine a day.
pub fn plan_text(number: usize, at: &str) -> String {
    format!(
        "name = \"王秀兰{number}\"\nwechat = \"o{number:027}\"\n\
         [[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"{at}\"\n"
    )
}

/// Writes plan files of patients from 0, each due at the time that `at` gives.
pub fn write_plans(
    directory: &Path,
    patients: usize,
    at: impl Fn(usize) -> String,
) -> io::Result<()> {
    let plans = directory.join("plans.d");
    for number in 0..patients {
        let path = plans.join(format!("p{number}.toml"));
        fs::write(path, plan_text(number, &at(number)))?;
    }
    Ok(())
}

/// What of the store is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: as in the product.
    On,
    /// Nothing waits for the disk, and no state for a quick repair is saved.
    Off,
}

impl Durability {
    /// What opens a store in this way.
    pub fn opener(self) -> daemon::Opener {
        match self {
            Self::On => Store::open,
            Self::Off => open_without_durability,
        }
    }
}

fn open_without_durability(
    options: &store::Options,
    telemetry: Arc<Telemetry>,
) -> Result<Store, OpenError> {
    store::create_if_absent(options)?;
    Store::open_on(
        Arc::new(NotDurable(options.path.clone())),
        options,
        telemetry,
    )
}

struct NotDurable(PathBuf);

impl Backing for NotDurable {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        let file = File::options().read(true).write(true).open(&self.0);
        let file = file.map_err(|error| DatabaseError::Storage(error.into()))?;
        builder.create_with_backend(Unsynced(FileBackend::new(file)?))
    }

    fn lasts(&self) -> bool {
        false
    }
}

/// A file that is never waited for.
#[derive(Debug)]
struct Unsynced(FileBackend);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// A runtime as the binary makes it.
pub fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

/// The daemon in this process.
pub struct Running {
    runtime: Runtime,
    stop: CancellationToken,
    daemon: JoinHandle<Result<(), DaemonError>>,
    ready: PathBuf,
}

impl Running {
    /// Starts the daemon of a directory; it is not ready yet.
    pub fn start(directory: &Path, clock: Arc<dyn Clock>, durability: Durability) -> Self {
        let environment = Environment {
            current_directory: directory.to_path_buf(),
            ..Environment::default()
        };
        let config = Config::load(&directory.join("config.toml"), &environment);
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        let ready = directory.join("ready.json");
        let _ = fs::remove_file(&ready);
        let options = Options {
            ready_file: Some(ready.clone()),
            environment,
            clock,
        };
        let control = Control::default();
        let stop = control.stop.clone();
        let runtime = runtime();
        let opener = durability.opener();
        let daemon = runtime.spawn(daemon::run_on(config, options, control, opener));
        Self {
            runtime,
            stop,
            daemon,
            ready,
        }
    }

    /// Waits until the daemon is ready, and says where its private listener is.
    pub fn private(&self) -> String {
        let began = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(&self.ready) {
                let ready: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                return ready["private"].as_str().expect("an address").to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "the daemon is not ready");
            assert!(!self.daemon.is_finished(), "the daemon has ended");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The metrics of this moment.
    pub fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.private()).expect("it listens");
        let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Waits until all that the sink expects has arrived, without disturbing anybody.
    pub fn arrived(&self, sink: &Sink) {
        let waited = self.runtime.block_on(async {
            let all = sink.done.notified();
            tokio::time::timeout(PATIENCE, all).await
        });
        waited.expect("not all has arrived");
    }

    /// Waits until so many messages are settled as accepted; returns the metrics of then.
    pub fn settled(&self, count: usize) -> String {
        let began = Instant::now();
        let settled = format!("outcome=\"accepted\"}} {count}");
        loop {
            let metrics = self.metrics();
            let is_settled =
                |line: &str| line.starts_with("dosed_reminders") && line.ends_with(&settled);
            if metrics.lines().any(is_settled) {
                return metrics;
            }
            assert!(began.elapsed() < PATIENCE, "not all is settled");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the daemon in good order.
    pub fn stop(self) {
        self.stop.cancel();
        let ended = self.runtime.block_on(self.daemon);
        let ended = ended.expect("the daemon did not panic");
        ended.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The value of a metric that has no labels but those named.
pub fn metric(metrics: &str, name: &str) -> f64 {
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("the metrics have no {name}"))
}

/// The bodies, as fast as a loop of reqwest posts them. Returns how long that took, and for how
/// long the processors have worked.
pub fn bare(sink: &Sink, bodies: &Arc<Vec<Vec<u8>>>) -> (Duration, Duration) {
    sink.expect(bodies.len());
    let runtime = runtime();
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(CONCURRENCY)
        .tcp_nodelay(true)
        .build()
        .expect("a client");
    let url = format!(
        "http://127.0.0.1:{}/cgi-bin/message/template/send?access_token=token",
        sink.port
    );
    let next = Arc::new(AtomicUsize::new(0));
    let cpu = sink.cpu_beside();
    let began = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..CONCURRENCY {
            let (client, url) = (client.clone(), url.clone());
            let (bodies, next) = (Arc::clone(bodies), Arc::clone(&next));
            tasks.spawn(async move {
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = client
                        .post(&url)
                        .header("content-type", "application/json")
                        .body(body.clone())
                        .send()
                        .await
                        .expect("the sink answers");
                    let answer = answer.bytes().await.expect("the sink answers");
                    let reply: Reply = serde_json::from_slice(&answer).expect("a reply");
                    assert_eq!(reply.errcode, 0);
                }
            });
        }
        while tasks.join_next().await.is_some() {}
        sink.done.notified().await;
    });
    let cpu = sink.cpu_beside().saturating_sub(cpu);
    let arrivals = sink.take();
    assert_eq!(arrivals.bodies.len(), bodies.len());
    (arrivals.last - began, cpu)
}
