//! N patients due at one instant: the daemon, end to end, against a bare reqwest loop that posts
//! the same bodies at the same concurrency to the same sink, alternating in one run.
//!
//! Every message of the daemon is claimed durably before it is sent and settled durably after.
//! `cargo bench --bench burst -- [--patients N] [--rounds R]`; the figure that counts is the
//! ratio, as these machines drift.

#[allow(dead_code, reason = "each bench needs its part")]
#[path = "support/sink.rs"]
mod support;

use dosed::daemon::clock::ScaledClock;
use dosed::daemon::config::{Config, Environment};
use dosed::daemon::signals::Control;
use dosed::daemon::{self, Options};
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::Sink;

/// Requests under way at once, for both.
const CONCURRENCY: usize = 64;

/// How long after the daemon is ready the doses are due: time for loading is not measured.
const LEAD: SignedDuration = SignedDuration::from_secs(8);

fn main() {
    let (patients, rounds) = arguments();
    dosed::messaging::install_crypto_provider();
    let sink = Sink::start();
    println!("{patients} patients due at one instant, {CONCURRENCY} requests at once");
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let burst = daemon_burst(&sink, patients);
        let bare = bare_burst(&sink, &burst.bodies);
        let ratio = bare.as_secs_f64() / burst.took.as_secs_f64();
        println!(
            "round {round}: dosed {:>6.0}/s ({:.3} s, first after {:.1} ms, {} commits)  \
             bare reqwest {:>6.0}/s ({:.3} s)  ratio {ratio:.2}",
            patients as f64 / burst.took.as_secs_f64(),
            burst.took.as_secs_f64(),
            burst.first.as_secs_f64() * 1e3,
            burst.commits,
            patients as f64 / bare.as_secs_f64(),
            bare.as_secs_f64(),
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "median ratio {:.2} (1 is the bare loop)",
        ratios[ratios.len() / 2]
    );
}

fn arguments() -> (usize, usize) {
    let mut patients = 20_000;
    let mut rounds = 3;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = |otherwise| {
            arguments
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(otherwise)
        };
        match argument.as_str() {
            "--patients" => patients = number(patients),
            "--rounds" => rounds = number(rounds),
            // What cargo itself adds.
            _ => {}
        }
    }
    (patients, rounds.max(1))
}

/// One burst through the daemon.
struct Burst {
    took: Duration,
    first: Duration,
    commits: String,
    bodies: Vec<Vec<u8>>,
}

fn daemon_burst(sink: &Sink, patients: usize) -> Burst {
    let world = tempfile::tempdir().expect("a temporary directory");
    let due: Timestamp = "2026-03-02T00:00:00Z".parse().expect("an instant");
    write_world(world.path(), sink.port, patients).expect("the plans are written");
    let environment = Environment {
        current_directory: world.path().to_path_buf(),
        ..Environment::default()
    };
    let config = Config::load(&world.path().join("config.toml"), &environment);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    sink.expect(patients);
    // Loading so many plans takes its time, and the instant must lie after it.
    let loading = SignedDuration::from_millis(patients as i64 / 4);
    let start = due - LEAD - loading;
    let clock = ScaledClock::new(start, 1);
    let began = Instant::now();
    let ready = world.path().join("ready.json");
    let options = Options {
        ready_file: Some(ready.clone()),
        environment,
        clock: Arc::new(clock),
    };
    let control = Control::default();
    let stop = control.stop.clone();
    let daemon = runtime.spawn(daemon::run(config, options, control));
    runtime.block_on(sink.done.notified());
    let text = std::fs::read_to_string(&ready).expect("the daemon was ready");
    let address: serde_json::Value = serde_json::from_str(&text).expect("a JSON document");
    let metrics = runtime.block_on(async {
        let url = format!(
            "http://{}/metrics",
            address["private"].as_str().expect("an address")
        );
        // The last outcomes are committed a moment after the last answer.
        loop {
            let text = reqwest::get(&url)
                .await
                .expect("metrics")
                .text()
                .await
                .expect("metrics");
            let settled = format!("outcome=\"accepted\"}} {patients}");
            if text
                .lines()
                .any(|line| line.starts_with("dosed_reminders") && line.ends_with(&settled))
            {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let commits = metrics
        .lines()
        .find_map(|line| line.strip_prefix("dosed_store_commits_total{result=\"ok\"} "))
        .unwrap_or("?")
        .to_owned();
    stop.cancel();
    let ended = runtime.block_on(daemon).expect("the daemon did not panic");
    ended.unwrap_or_else(|error| panic!("{error}"));
    let instant = began
        + Duration::try_from(due.duration_since(start)).expect("the instant is ahead of the start");
    let arrivals = sink.take();
    let (first, last) = (arrivals.first, arrivals.last);
    assert!(first >= instant, "a message left before its instant");
    assert_eq!(arrivals.bodies.len(), patients);
    Burst {
        took: last - instant,
        first: first - instant,
        commits,
        bodies: arrivals.bodies,
    }
}

fn write_world(directory: &Path, port: u16, patients: usize) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let plans = directory.join("plans.d");
    std::fs::create_dir(&plans)?;
    let secret = directory.join("secret");
    std::fs::write(&secret, "0123456789abcdef")?;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600))?;
    std::fs::write(
        directory.join("config.toml"),
        format!(
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
        ),
    )?;
    for patient in 0..patients {
        let mut plan = String::new();
        let _ = write!(
            plan,
            "name = \"王秀兰{patient}\"\nwechat = \"o{patient:027}\"\n\
             [[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"08:00\"\n"
        );
        std::fs::write(plans.join(format!("p{patient}.toml")), plan)?;
    }
    Ok(())
}

/// The same bodies, as fast as a loop of reqwest posts them.
fn bare_burst(sink: &Sink, bodies: &[Vec<u8>]) -> Duration {
    sink.expect(bodies.len());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
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
    let bodies: Arc<Vec<Vec<u8>>> = Arc::new(bodies.to_vec());
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..CONCURRENCY {
            let (client, url) = (client.clone(), url.clone());
            let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
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
                    let reply: dosed::messaging::wechat::wire::Reply =
                        serde_json::from_slice(&answer).expect("a reply");
                    assert_eq!(reply.errcode, 0);
                }
            });
        }
        while tasks.join_next().await.is_some() {}
        sink.done.notified().await;
    });
    let arrivals = sink.take();
    assert_eq!(arrivals.bodies.len(), bodies.len());
    arrivals.last - began
}
