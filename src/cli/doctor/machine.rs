//! The machine around the daemon: its disk and its unit.

use super::Patient;
use super::finding::{Finding, Report, quoted};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// A disk with less room than this is a warning; health warns of the same.
const FREE_WARN_BYTES: u64 = 1_000_000_000;

/// With less than this the store may fail within a day.
const FREE_FAIL_BYTES: u64 = 100_000_000;

/// Files that can still be made, where the file system counts them.
const FREE_FILES_MIN: u64 = 1_000;

pub fn disk(patient: &Patient<'_>, report: &mut Report) {
    let path = &patient.config.store.path;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let Ok(disk) = rustix::fs::statvfs(directory) else {
        return;
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let files = (disk.f_files > 0).then_some(disk.f_favail);
    report.add(judge_disk(directory, free, files));
}

fn judge_disk(directory: &Path, free: u64, files: Option<u64>) -> Finding {
    const CHECK: &str = "disk:space";
    let shown = directory.display();
    let remedy = format!(
        "df -h {0}; du -sh {0}/*; journalctl --vacuum-size=500M",
        quoted(directory)
    );
    let why = "On a full disk nothing is sent: what cannot be remembered is not done";
    if let Some(files) = files.filter(|files| *files < FREE_FILES_MIN) {
        return Finding::fail(
            CHECK,
            format!("only {files} more files can be made below {shown}"),
        )
        .why(why)
        .remedy(format!("df -i {}", quoted(directory)));
    }
    let what = format!("{} MB free below {shown}", free / 1_000_000);
    if free < FREE_FAIL_BYTES {
        Finding::fail(CHECK, what).why(why).remedy(remedy)
    } else if free < FREE_WARN_BYTES {
        Finding::warn(CHECK, what).why(why).remedy(remedy)
    } else {
        Finding::ok(CHECK, what)
    }
}

pub fn unit(patient: &Patient<'_>, report: &mut Report) {
    let unit = &patient.args.unit;
    let properties = "LoadState,ActiveState,UnitFileState,Type,WatchdogUSec,User,Restart,\
                      NeedDaemonReload";
    let asked = Command::new("systemctl")
        .args(["show", unit, "--property", properties])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let answer = asked.ok().filter(|output| output.status.success());
    let answer = answer.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    for finding in judge_unit(unit, answer.as_deref()) {
        report.add(finding);
    }
}

/// What systemd says of the unit; `None`: there is no systemd.
fn judge_unit(unit: &str, answer: Option<&str>) -> Vec<Finding> {
    const CHECK: &str = "systemd:unit";
    let properties: BTreeMap<&str, &str> = answer
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let says = |key: &str| properties.get(key).copied().unwrap_or_default();
    if says("LoadState").is_empty() {
        return vec![Finding::skipped(CHECK, "systemd does not answer")];
    }
    if says("LoadState") != "loaded" {
        return vec![
            Finding::warn(CHECK, format!("systemd knows no {unit}"))
                .why("Nothing starts the daemon with the machine, or again after a fault")
                .remedy(
                    "install -m 644 systemd/dosed.service /etc/systemd/system/ && systemctl \
                     daemon-reload && systemctl enable --now dosed",
                ),
        ];
    }
    let edit = format!("systemctl edit {unit}");
    let mut findings = Vec::new();
    let mut find = |fails: bool, found: bool, what: &str, why: &str, remedy: String| {
        if found {
            let make = if fails { Finding::fail } else { Finding::warn };
            findings.push(
                make(CHECK.to_owned(), format!("{unit}: {what}"))
                    .why(why)
                    .remedy(remedy),
            );
        }
    };
    find(
        true,
        says("ActiveState") == "failed",
        "it has failed",
        "Nobody is reminded",
        format!("journalctl -u {unit} -n 50"),
    );
    find(
        false,
        says("UnitFileState") == "disabled",
        "it is not started with the machine",
        "After a restart of the machine nobody is reminded",
        format!("systemctl enable {unit}"),
    );
    find(
        false,
        matches!(says("User"), "" | "root"),
        "it runs as root",
        "A fault of the daemon would be one of the whole machine",
        format!("{edit}: [Service] User=dosed"),
    );
    find(
        false,
        says("Type") != "notify",
        "its Type= is not notify",
        "systemd does not know when the daemon is ready, reloads, or ends",
        format!("{edit}: [Service] Type=notify"),
    );
    find(
        false,
        matches!(says("WatchdogUSec"), "" | "0" | "infinity"),
        "it has no WatchdogSec=",
        "A daemon that is stuck stays stuck",
        format!("{edit}: [Service] WatchdogSec=60"),
    );
    find(
        false,
        says("Restart") != "always",
        "its Restart= is not always",
        "After a fault nobody is reminded until somebody starts it",
        format!("{edit}: [Service] Restart=always"),
    );
    find(
        false,
        says("NeedDaemonReload") == "yes",
        "its file has changed since systemd read it",
        "systemd goes by the old one",
        format!("systemctl daemon-reload && systemctl restart {unit}"),
    );
    if findings.is_empty() {
        let (state, user) = (says("ActiveState"), says("User"));
        findings.push(Finding::ok(
            CHECK,
            format!("{unit} is {state}, as {user}, with a watchdog"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn a_full_disk_is_found_before_it_is_full() {
        let of = |free, files| judge_disk(Path::new("/var/lib/dosed"), free, files).status;
        for (free, files, status) in [
            (40_000_000_000, Some(1_000_000), Status::Ok),
            (40_000_000_000, None, Status::Ok),
            (40_000_000_000, Some(999), Status::Fail),
            (999_999_999, None, Status::Warn),
            (99_999_999, None, Status::Fail),
            (0, None, Status::Fail),
        ] {
            assert_eq!(of(free, files), status, "{free} {files:?}");
        }
    }

    #[test]
    fn a_unit_without_watchdog_user_or_restart_is_found() {
        const GOOD: &str = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\
                            Type=notify\nWatchdogUSec=1min\nUser=dosed\nRestart=always\n\
                            NeedDaemonReload=no\n";
        let found = |answer: Option<&str>| judge_unit("dosed.service", answer);
        assert_eq!(found(Some(GOOD))[0].status, Status::Ok);
        assert_eq!(found(None)[0].status, Status::Skipped);
        for (from, to, words) in [
            ("LoadState=loaded", "LoadState=not-found", "knows no"),
            ("ActiveState=active", "ActiveState=failed", "has failed"),
            (
                "UnitFileState=enabled",
                "UnitFileState=disabled",
                "not started",
            ),
            ("User=dosed", "User=", "as root"),
            ("User=dosed", "User=root", "as root"),
            ("Type=notify", "Type=simple", "Type="),
            ("WatchdogUSec=1min", "WatchdogUSec=0", "WatchdogSec="),
            ("WatchdogUSec=1min", "WatchdogUSec=infinity", "WatchdogSec="),
            ("Restart=always", "Restart=no", "Restart="),
            ("NeedDaemonReload=no", "NeedDaemonReload=yes", "has changed"),
        ] {
            let answer = GOOD.replace(from, to);
            let found = found(Some(&answer));
            assert_eq!(found.len(), 1, "{to}: {found:?}");
            assert!(found[0].what.contains(words), "{to}: {found:?}");
            assert!(!found[0].remedy.is_empty() && !found[0].why.is_empty());
        }
    }
}
