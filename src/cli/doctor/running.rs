//! Whether a daemon runs, holds the store and is well.

use super::Patient;
use super::files;
use super::finding::{Finding, Report, quoted};
use crate::cli::ask::Daemon;
use crate::daemon::job::{Job, is_overdue};
use crate::store::{OpenError, Reader};
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
    let store = open(patient, report);
    let endpoints = store.as_ref().and_then(|store| store.endpoints().ok()?);
    let endpoints: Value = endpoints
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let start = format!("systemctl start {}", patient.args.unit);
    let health = Daemon::of(config).get("/health").ok();
    let health: Option<Value> = health.and_then(|body| serde_json::from_str(&body).ok());
    let admin = endpoints["admin"]
        .as_str()
        .map_or_else(|| config.http.admin.clone(), PathBuf::from);
    let health = health.filter(|health| health["serviceId"].is_string());
    let now = health
        .as_ref()
        .and_then(|health| health["time"].as_str()?.parse().ok());
    if let Some(store) = &store {
        // By the daemon's clock: whether that is right is another question.
        backups(patient, store, now.unwrap_or(patient.now), report);
    }
    let Some(health) = health else {
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
        now,
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

/// The store, where it can be read.
fn open(patient: &Patient<'_>, report: &mut Report) -> Option<Reader> {
    const CHECK: &str = "store:open";
    let path = &patient.config.store.path;
    match crate::cli::open_store(patient.config) {
        Ok(reader) => {
            report.add(Finding::ok(
                CHECK,
                format!("{} can be read", path.display()),
            ));
            Some(reader)
        }
        // Said where its permissions are.
        Err(OpenError::Missing(_)) => None,
        Err(error) => {
            report.add(open_failed(&error, path, patient));
            None
        }
    }
}

/// How old the last backup is.
fn backups(patient: &Patient<'_>, store: &Reader, now: Timestamp, report: &mut Report) {
    const CHECK: &str = "backups:age";
    let config = &patient.config.store;
    let directory = quoted(&config.backups);
    let jobs = patient.command("jobs");
    let why = "When the disk breaks, what was taken, answered and decided since is lost";
    if !Job::Backup.is_on(config) {
        return report.add(
            Finding::warn(CHECK, "no backups are made")
                .why(why)
                .remedy("write [store] backups_keep = 7"),
        );
    }
    let Some(run) = store.jobs().ok().map(|mut jobs| {
        let run = jobs.remove(Job::Backup.name());
        run.unwrap_or_default()
    }) else {
        return;
    };
    let rhythm = Job::Backup.rhythm(patient.config.talk.digest_at);
    let last = run.last_success().map(|at| {
        let zone = patient.config.clinic.defaults.zone.time_zone();
        zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string()
    });
    let made = last.as_deref().unwrap_or("never");
    report.add(if run.failed() || is_overdue(rhythm, &run, now) {
        Finding::fail(CHECK, format!("the last backup was made: {made}"))
            .why(why)
            .remedy(format!("{jobs}; df -h {directory}"))
    } else if last.is_none() {
        Finding::skipped(CHECK, "the first backup is made in the coming night")
    } else if !has_backup(&config.backups) {
        Finding::fail(
            CHECK,
            format!("a backup was made at {made}, and none is in {directory}"),
        )
        .why(why)
        .remedy(format!(
            "{} {directory}/now.redb",
            patient.command("backup")
        ))
    } else {
        Finding::ok(CHECK, format!("the last backup was made at {made}"))
    });
}

fn has_backup(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| Path::new(&name).extension().is_some_and(|it| it == "redb"))
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
            .why("The daemon does not run a backup as it is: it would send again what was sent")
            .remedy(format!(
                "mv {0} {0}.backup && {1} {0}.backup",
                quoted(path),
                patient.command("restore")
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
