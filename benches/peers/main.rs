//! What else one could use, side by side: the same bodies to the same sink, all due at one instant.
//!
//! `cargo bench --bench peers -- [--patients N] [--rounds R]`. Needs `npm ci --prefix benches/peers`
//! once, Debian's `redis-server` for BullMQ, and Debian's `postgresql` for graphile-worker; what is
//! absent is named and left out. Servers are started on sockets in a temporary directory, and ended
//! by their numbers.

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use support::burst::Crowd;
use support::clinic::{CONCURRENCY, Durability, bare};
use support::sink::Sink;

/// Worker processes of a peer: Node.js runs on one processor.
const PROCESSES: usize = 2;

/// A peer that needs longer has failed.
const PATIENCE: Duration = Duration::from_secs(240);

fn main() {
    let (patients, rounds) = arguments();
    dosed::messaging::install_crypto_provider();
    let sink = Sink::start();
    let crowd = Crowd::new(&sink, patients);
    println!("{patients} due at one instant, {CONCURRENCY} requests at once");
    let mut peers = Vec::new();
    for found in [bullmq(), graphile()] {
        match found {
            Ok(peer) => peers.push(peer),
            Err(why) => println!("left out: {why}"),
        }
    }
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for round in 1..=rounds {
        let own = crowd.burst(&sink, Durability::On);
        let (bare, _) = bare(&sink, &own.bodies);
        println!(
            "round {round}: dosed {:.0}/s, a bare loop {:.0}/s",
            patients as f64 / own.took.as_secs_f64(),
            patients as f64 / bare.as_secs_f64(),
        );
        for (peer, ratios) in peers.iter().zip(&mut ratios) {
            let took = peer.burst(&sink, &own.bodies);
            let ratio = took.as_secs_f64() / own.took.as_secs_f64();
            println!(
                "round {round}: {} {:.0}/s; dosed is {ratio:.1} times as fast",
                peer.name,
                patients as f64 / took.as_secs_f64(),
            );
            ratios.push(ratio);
        }
    }
    for (peer, mut ratios) in peers.iter().zip(ratios) {
        ratios.sort_by(f64::total_cmp);
        let median = ratios[(ratios.len() - 1) / 2];
        let met = if median >= 6.0 { "yes" } else { "NO" };
        println!(
            "dosed is {median:.1} times as fast as {}, median of {rounds}; at least 6 wanted: {met}",
            peer.name
        );
    }
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

/// A process of ours; ended when it is dropped.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        let number = i32::try_from(self.0.id()).ok();
        if let Some(number) = number.and_then(rustix::process::Pid::from_raw) {
            // It may have ended already.
            let _ = rustix::process::kill_process(number, rustix::process::Signal::INT);
        }
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(5) {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Something that one could use.
struct Peer {
    name: String,
    script: &'static str,
    /// What the script is told of its server.
    environment: (&'static str, String),
    // Ended, and removed, with the peer.
    _server: Ours,
    directory: tempfile::TempDir,
}

impl Peer {
    /// From the instant until the last of the bodies arrives.
    fn burst(&self, sink: &Sink, bodies: &[Vec<u8>]) -> Duration {
        let path = self.directory.path().join("bodies");
        let text: Vec<&str> = bodies
            .iter()
            .map(|body| std::str::from_utf8(body).expect("bodies are text"))
            .collect();
        fs::write(&path, text.join("\n")).expect("the bodies are written");
        // Filling takes its time; those who are due then wait for the instant.
        let lead = Duration::from_secs(6) + Duration::from_millis(bodies.len() as u64 / 4);
        let (instant, shown) = (Instant::now() + lead, SystemTime::now() + lead);
        let shown = shown.duration_since(SystemTime::UNIX_EPOCH);
        let due = shown.expect("it is past 1970").as_millis().to_string();
        let start = |role: &str| {
            let mut child = Command::new("node")
                .arg(scripts().join(self.script))
                .arg(role)
                .env("BODIES", &path)
                .env("CONCURRENCY", (CONCURRENCY / PROCESSES).to_string())
                .env("DUE_MS", &due)
                .env("SINK_PORT", sink.port.to_string())
                .env(self.environment.0, &self.environment.1)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()
                .expect("node starts");
            let said = BufReader::new(child.stdout.take().expect("it was asked for"));
            (Ours(child), said)
        };
        sink.expect(bodies.len());
        let (filler, said) = start("fill");
        wait_for(said, "filled");
        drop(filler);
        let workers: Vec<_> = (0..PROCESSES).map(|_| start("work")).collect();
        let workers: Vec<Ours> = workers
            .into_iter()
            .map(|(worker, said)| {
                wait_for(said, "ready");
                worker
            })
            .collect();
        assert!(Instant::now() < instant, "filling took too long");
        sink.wait_for(bodies.len(), PATIENCE);
        // What would come twice comes now.
        std::thread::sleep(Duration::from_millis(500));
        drop(workers);
        let arrivals = sink.take();
        let early = arrivals.at.iter().filter(|at| **at < instant).count();
        let more = arrivals.bodies.len() - bodies.len();
        if early + more > 0 {
            println!("{}: {early} early, {more} more than wanted", self.name);
        }
        arrivals.at[bodies.len() - 1].saturating_duration_since(instant)
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

/// Reads what a process says until it says this.
fn wait_for(said: BufReader<ChildStdout>, word: &str) {
    let mut lines = said.lines().map_while(Result::ok);
    assert!(lines.any(|line| line == word), "it did not say `{word}`");
}

/// The version of a program, where it is there.
fn version(program: &str) -> Result<String, String> {
    let asked = Command::new(program).arg("--version").output();
    let asked = asked.map_err(|_| format!("there is no {program}"))?;
    let text = String::from_utf8_lossy(&asked.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The version of a package, where it is installed.
fn package(name: &str) -> Result<String, String> {
    version("node")?;
    let path = scripts().join("node_modules").join(name);
    let text = fs::read_to_string(path.join("package.json"));
    let text = text.map_err(|_| format!("{name} is absent; run: npm ci --prefix benches/peers"))?;
    let package: serde_json::Value = serde_json::from_str(&text).map_err(|it| it.to_string())?;
    let version = package["version"].as_str().unwrap_or("?");
    Ok(format!("{name} {version}"))
}

/// Waits until a server's socket takes a connection.
fn listens(socket: &Path) -> Result<(), String> {
    let began = Instant::now();
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        if began.elapsed() > Duration::from_secs(20) {
            return Err(format!("{} does not listen", socket.display()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn bullmq() -> Result<Peer, String> {
    let package = package("bullmq")?;
    version("redis-server")?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let socket = directory.path().join("redis.sock");
    // Durable as its documentation advises: an append-only file, synced each second.
    let server = Command::new("redis-server")
        .args(["--port", "0", "--appendonly", "yes", "--save", ""])
        .args(["--maxmemory-policy", "noeviction", "--unixsocket"])
        .arg(&socket)
        .arg("--dir")
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("redis-server: {error}"))?;
    let server = Ours(server);
    listens(&socket)?;
    Ok(Peer {
        name: format!("{package} on redis, synced each second"),
        script: "bullmq.mjs",
        environment: ("REDIS_SOCKET", socket.display().to_string()),
        _server: server,
        directory,
    })
}

fn graphile() -> Result<Peer, String> {
    let package = package("graphile-worker")?;
    let programs = fs::read_dir("/usr/lib/postgresql").map_err(|_| "there is no PostgreSQL")?;
    let newest = programs.flatten().map(|it| it.path().join("bin")).max();
    let programs = newest.ok_or("there is no PostgreSQL")?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let data = directory.path().join("data");
    // It refuses to run as root: then it is its own user's.
    let is_root = rustix::process::getuid().is_root();
    let program = |name: &str| {
        let path = programs.join(name);
        if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            command.arg(path);
            command
        } else {
            Command::new(path)
        }
    };
    if is_root {
        let given = Command::new("chown")
            .arg("postgres")
            .arg(directory.path())
            .status();
        if !given.is_ok_and(|status| status.success()) {
            return Err("there is no user `postgres`".to_owned());
        }
    }
    let made = program("initdb")
        .args(["--auth=trust", "--username=postgres", "-D"])
        .arg(&data)
        .current_dir("/")
        .stdout(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return Err("initdb fails".to_owned());
    }
    let server = program("postgres")
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=", "-c"])
        .arg(format!(
            "unix_socket_directories={}",
            directory.path().display()
        ))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("postgres: {error}"))?;
    let server = Ours(server);
    listens(&directory.path().join(".s.PGSQL.5432"))?;
    Ok(Peer {
        name: format!("{package} on PostgreSQL"),
        script: "graphile.mjs",
        environment: (
            "POSTGRES",
            format!(
                "postgres://postgres@localhost/postgres?host={}",
                directory.path().display()
            ),
        ),
        _server: server,
        directory,
    })
}
