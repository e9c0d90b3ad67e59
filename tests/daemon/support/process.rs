//! The daemon as a child process.

use super::http::{self, Answer};
use super::notify::{NotifySocket, Said};
use super::{PATIENCE, World};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running daemon. It is killed when it is dropped; its log is shown when the test fails.
pub struct Daemon {
    child: Child,
    notify: NotifySocket,
    ready_file: PathBuf,
    log: PathBuf,
    out: PathBuf,
    private: String,
}

/// How a daemon ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub took: Duration,
    pub log: String,
}

impl Ended {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl Daemon {
    /// Starts one and waits until it is ready.
    pub async fn start(world: &World) -> Self {
        Self::start_with(world, |_| {}).await
    }

    /// The same, with changes to its command.
    pub async fn start_with(world: &World, change: impl FnOnce(&mut Command)) -> Self {
        Self::spawn(world, &[], change).until_ready().await
    }

    /// The same, run by another command, which becomes it.
    pub async fn start_under(world: &World, wrapper: &[&str]) -> Self {
        Self::spawn(world, wrapper, |_| {}).until_ready().await
    }

    async fn until_ready(self) -> Self {
        let mut daemon = self;
        let ended = daemon.ended();
        tokio::select! {
            ready = daemon.notify.wait_for("READY=1", 1) => assert!(ready, "the daemon is not ready"),
            () = ended => panic!("the daemon ended before it was ready"),
        }
        // The file is complete before the daemon says that it is ready.
        let written = std::fs::read_to_string(&daemon.ready_file).expect("the ready file is there");
        let ready: serde_json::Value =
            serde_json::from_str(&written).expect("the ready file is JSON");
        ready["private"]
            .as_str()
            .expect("the ready file has the address")
            .clone_into(&mut daemon.private);
        daemon
    }

    /// Starts one that must end by itself, and waits for that.
    pub async fn start_in_vain(world: &World) -> Ended {
        Self::spawn(world, &[], |_| {}).wait().await
    }

    /// Starts one and does not wait.
    pub fn begin(world: &World) -> Self {
        Self::spawn(world, &[], |_| {})
    }

    fn spawn(world: &World, wrapper: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let run = world.next_run();
        let notify = NotifySocket::bind(&world.path(&format!("notify-{run}")));
        let (log, out) = (
            world.path(&format!("log-{run}")),
            world.path(&format!("out-{run}")),
        );
        let ready_file = world.path(&format!("ready-{run}.json"));
        world.clock.run();
        let mut command = world.command_under(wrapper, &["run"]);
        command
            .arg("--ready-file")
            .arg(&ready_file)
            .arg("--clock")
            .arg(world.clock.argument())
            .env("NOTIFY_SOCKET", notify.path())
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("a file in a fresh directory can be made"))
            .stderr(File::create(&log).expect("a file in a fresh directory can be made"));
        change(&mut command);
        let child = command.spawn().expect("the built binary starts");
        Self {
            child,
            notify,
            ready_file,
            log,
            out,
            private: String::new(),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Completes when the process has ended. It is not reaped by that, so its number stays its own.
    fn ended(&self) -> impl Future<Output = ()> + 'static {
        let pid = self.pid();
        let waiting = tokio::task::spawn_blocking(move || {
            // Fails where `drop` has reaped the child meanwhile, which is an end as well.
            let _ = waitid(
                WaitId::Pid(pid),
                WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
            );
        });
        async move { waiting.await.expect("waiting for a child does not panic") }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("an unreaped child can be signalled");
    }

    /// Waits for its end.
    pub async fn wait(mut self) -> Ended {
        let began = Instant::now();
        let ended = tokio::time::timeout(PATIENCE, self.ended()).await;
        assert!(ended.is_ok(), "the daemon does not end");
        let status = self.child.wait().expect("an ended child has a status");
        Ended {
            status,
            took: began.elapsed(),
            log: self.log(),
        }
    }

    /// Asks it to end and waits for that.
    pub async fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait().await
    }

    /// SIGKILL: no code of the daemon's runs any more when this is over.
    pub async fn kill(self) {
        self.signal(Signal::KILL);
        let ended = self.wait().await;
        assert_eq!(
            ended.status.signal(),
            Some(Signal::KILL.as_raw()),
            "{ended:?}"
        );
    }

    /// Reloads and waits until it says that it is done.
    pub async fn reload(&self) {
        let ready = self
            .notify
            .all()
            .iter()
            .filter(|said| said.says("READY=1"))
            .count();
        self.signal(Signal::HUP);
        assert!(
            self.notify.wait_for("READY=1", ready + 1).await,
            "no READY=1 after SIGHUP"
        );
    }

    pub fn notified(&self) -> Vec<Said> {
        self.notify.all()
    }

    /// Waits for the `nth` notification that has the line.
    pub async fn wait_for_notification(&self, line: &str, nth: usize) -> bool {
        self.notify.wait_for(line, nth).await
    }

    /// The address of the private listener.
    pub fn private(&self) -> &str {
        &self.private
    }

    pub async fn get(&self, path: &str) -> Answer {
        http::get(&self.private, path).await
    }

    pub async fn health(&self) -> serde_json::Value {
        self.get("/health").await.json()
    }

    pub async fn metrics(&self) -> String {
        self.get("/metrics").await.body
    }

    /// Standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log is UTF-8")
    }

    /// Standard output so far.
    pub fn out(&self) -> String {
        std::fs::read_to_string(&self.out).expect("the output is UTF-8")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail on a daemon that has ended and been waited for, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("-- log of the daemon\n{}--", self.log());
        }
    }
}
