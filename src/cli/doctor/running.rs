//! Whether a daemon runs, holds the store and is well.

use super::Patient;
use super::files;
use super::finding::{Finding, Report, quoted};
use crate::cli::ask::Daemon;
use crate::store::OpenError;
use jiff::Timestamp;
use serde_json::Value;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// What is known of a daemon.
#[derive(Debug, Default)]
pub struct Running {
    /// It answers.
    pub answers: bool,
    /// Where its public listener is.
    pub public: Option<String>,
    /// What its clock shows.
    pub now: Option<Timestamp>,
}

pub fn examine(patient: &Patient<'_>, report: &mut Report) -> Running {
    const CHECK: &str = "daemon:running";
    let config = patient.config;
    let endpoints = left_in_store(patient, report);
    let start = format!("systemctl start {}", patient.args.unit);
    let health = Daemon::of(config).get("/health").ok();
    let health: Option<Value> = health.and_then(|body| serde_json::from_str(&body).ok());
    let admin = endpoints["admin"]
        .as_str()
        .map_or_else(|| config.http.admin.clone(), PathBuf::from);
    let Some(health) = health.filter(|health| health["serviceId"].is_string()) else {
        report.add(
            match (UnixStream::connect(&admin).is_ok(), process(&endpoints)) {
                (true, _) | (false, Some(_)) => {
                    let pid = endpoints["pid"].as_u64().unwrap_or_default();
                    Finding::fail(
                        CHECK,
                        format!("a daemon (process {pid}) runs and does not answer"),
                    )
                    .why("It is stuck, or its [http] private has been changed since its start")
                    .remedy(format!("systemctl restart {}", patient.args.unit))
                }
                (false, None) => Finding::warn(CHECK, "no daemon runs")
                    .why("Nobody is reminded")
                    .remedy(start),
            },
        );
        return Running::default();
    };
    let summary = health["summary"].as_str().unwrap_or("?");
    let release = health["releaseId"].as_str().unwrap_or("?");
    let ours = env!("CARGO_PKG_VERSION");
    report.add(if release == ours {
        Finding::ok(CHECK, format!("release {release} runs: {summary}"))
    } else {
        Finding::warn(
            CHECK,
            format!("release {release} runs, and {ours} is installed"),
        )
        .why("What was mended since does not take effect before a restart")
        .remedy(format!("systemctl restart {}", patient.args.unit))
    });
    report.add(judge(&health, patient));
    files::socket(&admin, report);
    Running {
        answers: true,
        public: endpoints["public"].as_str().map(ToOwned::to_owned),
        now: health["time"].as_str().and_then(|time| time.parse().ok()),
    }
}

/// What health says, as one finding.
fn judge(health: &Value, patient: &Patient<'_>) -> Finding {
    const CHECK: &str = "daemon:health";
    let mut words = Vec::new();
    for (name, observed) in health["checks"].as_object().into_iter().flatten() {
        let check = &observed[0];
        if check["status"] != "pass" {
            let output = check["output"].as_str().unwrap_or("beyond its limit");
            words.push(format!("{name}: {output}"));
        }
    }
    let what = words.join("; ");
    let status = patient.command("status");
    match health["status"].as_str() {
        Some("pass") => Finding::ok(CHECK, "all of its checks pass"),
        Some("warn") => Finding::warn(CHECK, what)
            .why("The daemon says so of itself")
            .remedy(status),
        _ => Finding::fail(CHECK, what)
            .why("The daemon says so of itself: reminders do not leave as they should")
            .remedy(status),
    }
}

/// Where the daemon that ran last said that it listens; and whether the store can be read.
fn left_in_store(patient: &Patient<'_>, report: &mut Report) -> Value {
    const CHECK: &str = "store:open";
    let path = &patient.config.store.path;
    let endpoints = match crate::cli::open_store(patient.config) {
        Ok(reader) => {
            report.add(Finding::ok(
                CHECK,
                format!("{} can be read", path.display()),
            ));
            reader.endpoints().ok().flatten()
        }
        // Said where its permissions are.
        Err(OpenError::Missing(_)) => None,
        Err(error) => {
            report.add(open_failed(&error, path, patient));
            None
        }
    };
    endpoints
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

fn open_failed(error: &OpenError, path: &Path, patient: &Patient<'_>) -> Finding {
    const CHECK: &str = "store:open";
    let what = error.to_string();
    match error {
        OpenError::Permission(_) => Finding::warn(CHECK, what)
            .why("Where a daemon listens is not known")
            .remedy("run this as root or as the daemon's user"),
        OpenError::Locked(_) => Finding::fail(CHECK, what)
            .why("Two programs cannot hold one store; a second daemon does not start")
            .remedy(format!("fuser -v {}", quoted(path))),
        OpenError::Newer { .. } | OpenError::Older { .. } => Finding::fail(CHECK, what)
            .why("This release does not start with it")
            .remedy("install the release that wrote it"),
        OpenError::Backup(_) => Finding::fail(CHECK, what)
            .why("The daemon does not start with it")
            .remedy(format!(
                "mv {0} {0}.backup, and then: dosed restore {0}.backup",
                quoted(path)
            )),
        OpenError::Disk { .. } | OpenError::Failed { .. } | OpenError::Missing(_) => {
            Finding::fail(CHECK, what)
                .why("The daemon does not start, or cannot remember what it does")
                .remedy(patient.command("fsck"))
        }
    }
}

/// The process that the store names, if it is a dosed that lives.
fn process(endpoints: &Value) -> Option<u64> {
    let pid = endpoints["pid"].as_u64()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "dosed").then_some(pid)
}
