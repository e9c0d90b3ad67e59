//! A clinic in a temporary directory.

use super::{Daemon, HistoryLine, SharedClock};
use dosed::sandbox::{Options, Sandbox, Template};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// The tables of templates in the configuration; the sandbox has the same.
const TEMPLATES: &str = r#"
[wechat.templates.dose]
id = "DOSE"
[wechat.templates.dose.data]
thing1 = "{{ patient }}"
thing2 = "{{ medications }}"
time3 = "{{ at }}"
thing4 = "{{ note or '请按医嘱服用' }}"
phrase5 = "{{ '补发' if late else '按时' }}"
[wechat.templates.check_in]
id = "ASK"
[wechat.templates.check_in.data]
thing1 = "{{ patient }}"
thing2 = "{{ question }}"
thing3 = "{{ answer }}"
time4 = "{{ at }}"
"#;

/// Configuration, plans, secret, sandbox and clock of one test.
pub struct World {
    dir: TempDir,
    pub sandbox: Sandbox,
    pub clock: SharedClock,
    runs: AtomicU32,
}

impl World {
    /// Five seconds before eight in Shanghai, on a Tuesday.
    pub async fn new() -> Self {
        Self::at("2026-03-24T07:59:55+08:00").await
    }

    pub async fn at(shown: &str) -> Self {
        Self::with_sandbox(shown, |_| {}).await
    }

    pub async fn with_sandbox(shown: &str, change: impl FnOnce(&mut Options)) -> Self {
        let clock = SharedClock::starting(shown);
        let shared = clock.clone();
        let dose = [
            ("thing1", "患者"),
            ("thing2", "药品"),
            ("time3", "时间"),
            ("thing4", "说明"),
            ("phrase5", "状态"),
        ];
        let ask = [
            ("thing1", "患者"),
            ("thing2", "问题"),
            ("thing3", "回答"),
            ("time4", "时间"),
        ];
        let mut options = Options {
            templates: vec![
                Template::new("DOSE", "用药提醒", &dose),
                Template::new("ASK", "随访提醒", &ask),
            ],
            now: std::sync::Arc::new(move || shared.now()),
            ..Options::default()
        };
        change(&mut options);
        let secret = options.secret.clone();
        let sandbox = Sandbox::start(options)
            .await
            .expect("a free port of loopback can be bound");
        let dir = TempDir::new().expect("a temporary directory can be made");
        let world = Self {
            dir,
            sandbox,
            clock,
            runs: AtomicU32::new(0),
        };
        world.write("wechat-secret", format!("{secret}\n"));
        world.set_mode("wechat-secret", 0o600);
        std::fs::create_dir(world.path("plans.d")).expect("a fresh directory takes another");
        world.write("dosed.toml", world.config());
        world
    }

    /// The configuration that a world begins with.
    pub fn config(&self) -> String {
        format!(
            r#"[clinic]
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
concurrency = 64
rate = 0
timeout = "2 s"

[log]
level = "info"
format = "human"

[wechat]
api_base = "{}"
appid = "wxsandbox"
secret_file = "wechat-secret"
{TEMPLATES}"#,
            self.sandbox.base_url()
        )
    }

    /// Writes the configuration anew with a part of it exchanged, which must be there once.
    pub fn reconfigure(&self, part: &str, by: &str) {
        let text = self.read("dosed.toml");
        assert_eq!(text.matches(part).count(), 1, "{part:?} in {text}");
        self.write("dosed.toml", text.replace(part, by));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("a file of the world can be written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file of the world can be read")
    }

    pub fn set_mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode))
            .expect("a file of the world is ours");
    }

    /// Writes a plan with an openid of the same name, and makes its patient follow the account.
    pub fn patient(&self, id: &str, name: &str, medications: &[(&str, &str)]) {
        let mut plan = format!("name = \"{name}\"\nwechat = \"o-{id}\"\n");
        for (medication, keys) in medications {
            write!(plan, "\n[[medication]]\nname = \"{medication}\"\n{keys}\n")
                .expect("a String takes any text");
        }
        self.write_plan(id, &plan);
        self.sandbox.follow(&format!("o-{id}"));
    }

    pub fn write_plan(&self, id: &str, plan: impl AsRef<[u8]>) {
        self.write(&format!("plans.d/{id}.toml"), plan);
    }

    /// So many patients `p0000`… with one tablet each at eight.
    pub fn crowd(&self, count: usize) {
        for n in 0..count {
            let id = format!("p{n:04}");
            self.patient(
                &id,
                &format!("患者{n:04}"),
                &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
            );
        }
    }

    /// The binary with a subcommand and this world's configuration, and nothing of our environment
    /// that could reach into it. `DOSED_BINARY` names another build of it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    /// The same, run by another command.
    pub fn command_under(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let built = env!("CARGO_BIN_EXE_dosed").into();
        let binary = std::env::var_os("DOSED_BINARY").unwrap_or(built);
        let mut command = match wrapper {
            [] => Command::new(binary),
            [program, more @ ..] => {
                let mut command = Command::new(program);
                command.args(more).arg(binary);
                command
            }
        };
        command
            .args(arguments)
            .arg("--config")
            .arg(self.path("dosed.toml"))
            .current_dir(self.dir())
            .env_remove("NOTIFY_SOCKET")
            .env_remove("STATE_DIRECTORY")
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("RUNTIME_DIRECTORY")
            .env_remove("CONFIGURATION_DIRECTORY")
            .env_remove("JOURNAL_STREAM")
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .env_remove("DOSED_LOG")
            .env("NO_COLOR", "1");
        command
    }

    /// Runs a subcommand to its end.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("waiting for a child does not panic")
            .expect("the built binary starts")
    }

    /// Waits until a running daemon has noted since when it knows each job of housekeeping: from
    /// then on their hours count.
    pub async fn jobs_are_known(&self) {
        super::eventually("all jobs are known", async || {
            let shown = self.cli(&["jobs", "--json"]).await;
            let shown = String::from_utf8(shown.stdout).expect("JSON is UTF-8");
            (!shown.is_empty() && !shown.contains("\"known_since\":null")).then_some(())
        })
        .await;
    }

    /// `dosed history --json`, one line a dose.
    pub async fn history(&self) -> Vec<HistoryLine> {
        let output = self
            .cli(&[
                "history",
                "--json",
                "--from",
                "2026-01-01T00:00:00Z",
                "--until",
                "2026-12-31T00:00:00Z",
            ])
            .await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{error}");
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        text.lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    pub async fn start(&self) -> Daemon {
        Daemon::start(self).await
    }

    /// A number for the next daemon's files.
    pub(super) fn next_run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed)
    }
}
