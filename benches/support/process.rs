//! The built binary as a process of its own, as an administrator has it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// No start takes longer.
const PATIENCE: Duration = Duration::from_secs(300);

/// The binary that is measured.
pub const BINARY: &str = env!("CARGO_BIN_EXE_dosed");

/// A running daemon; killed when it is dropped.
pub struct Process {
    child: Child,
    began: Instant,
    /// Says when it was ready.
    became_ready: mpsc::Receiver<Instant>,
    directory: PathBuf,
}

/// Reads what the daemon tells systemd, as systemd does: it waits where nobody reads.
fn listen(notices: UnixDatagram) -> mpsc::Receiver<Instant> {
    let (ready, became_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let mut notice = [0; 4_096];
        while let Ok(length) = notices.recv(&mut notice) {
            let text = String::from_utf8_lossy(&notice[..length]);
            if text.lines().any(|line| line == "READY=1") {
                // After the first time nobody may listen.
                let _ = ready.send(Instant::now());
            }
            if text.lines().any(|line| line == "STOPPING=1") {
                return;
            }
        }
    });
    became_ready
}

impl Process {
    /// Starts the daemon of a directory on a clock as `--clock` takes it.
    pub fn start(directory: &Path, clock: &str) -> Self {
        let socket = directory.join("notify");
        let _ = fs::remove_file(&socket);
        let _ = fs::remove_file(directory.join("ready.json"));
        let notices = UnixDatagram::bind(&socket).expect("a socket for notices");
        let patience = notices.set_read_timeout(Some(PATIENCE));
        patience.expect("a socket can have a limit");
        let became_ready = listen(notices);
        let began = Instant::now();
        let child = Command::new(BINARY)
            .args(["run", "--config"])
            .arg(directory.join("config.toml"))
            .arg("--ready-file")
            .arg(directory.join("ready.json"))
            .args(["--clock", clock])
            .current_dir(directory)
            .env("NOTIFY_SOCKET", &socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        Self {
            child,
            began,
            became_ready,
            directory: directory.to_path_buf(),
        }
    }

    /// When it was started.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Waits until it tells systemd that it is ready; returns how long that took.
    pub fn ready(&self) -> Duration {
        let ready = self.became_ready.recv_timeout(PATIENCE);
        ready.expect("it becomes ready") - self.began
    }

    /// Resident memory, bytes.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("it runs");
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let kib: u64 = resident
            .and_then(|kib| kib.parse().ok())
            .expect("it has memory");
        kib * 1_024
    }

    /// Time that its threads have run on a processor.
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let ran = tasks.expect("it runs").flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(ran.sum())
    }

    /// Asks its private listener; returns how long the answer took.
    pub fn get(&self, path: &str) -> Duration {
        let text = fs::read_to_string(self.directory.join("ready.json")).expect("it is ready");
        let ready: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let address = ready["private"].as_str().expect("an address");
        let began = Instant::now();
        let mut stream = TcpStream::connect(address).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let took = began.elapsed();
        let status = answer.split_whitespace().nth(1);
        // Where the plan directory is not there health says so, and is whole all the same.
        assert!(
            matches!(status, Some("200" | "503")),
            "{path}: {status:?} is no answer"
        );
        took
    }

    /// Asks the administration socket to read the plans again; returns what it answers and how
    /// long that took.
    pub fn reload(&self) -> (serde_json::Value, Duration) {
        let body = r#"{"accept_removals":false}"#;
        let request = format!(
            "POST /reload HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let began = Instant::now();
        let stream = UnixStream::connect(self.directory.join("dosed.sock"));
        let mut stream = stream.expect("it listens");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let took = began.elapsed();
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (serde_json::from_str(body).expect("JSON"), took)
    }

    /// Kills it as a power failure would.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).ok();
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("a process has a number");
        let asked = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        asked.expect("it can be asked");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
