//! Who may read and write what.

use super::Patient;
use super::finding::{Finding, Report, quoted};
use crate::daemon::config::{ConfigError, ConfigErrorKind};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

pub fn examine(patient: &Patient<'_>, report: &mut Report) {
    config(patient, report);
    plans(patient, report);
    secrets(patient, report);
    store(patient, report);
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

/// What cannot even be looked at.
fn unseen(check: &str, path: &Path, error: &io::Error) -> Finding {
    let shown = path.display();
    Finding::warn(check, format!("{shown} cannot be looked at: {error}"))
        .why("Its permissions are not known")
        .remedy("run this as root or as the daemon's user, e.g. sudo -u dosed dosed doctor …")
}

fn config(patient: &Patient<'_>, report: &mut Report) {
    const CHECK: &str = "permissions:config";
    let path = &patient.config.path;
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return report.add(unseen(CHECK, path, &error)),
    };
    let mode = mode(&metadata);
    let names_people =
        patient.config.deadman.is_some() || patient.config.source.text().contains("\n[patients");
    let shown = path.display();
    report.add(if mode & 0o022 != 0 {
        Finding::fail(
            CHECK,
            format!("others can change {shown} (mode {mode:04o})"),
        )
        .why("Whoever changes it decides where patients' messages go")
        .remedy(format!("chmod go-w {}", quoted(path)))
    } else if mode & 0o004 != 0 && names_people {
        Finding::warn(
            CHECK,
            format!("everybody can read {shown} (mode {mode:04o})"),
        )
        .why("It names patients, or holds the address of the dead man's switch")
        .remedy(format!("chmod o-rwx {}", quoted(path)))
    } else {
        Finding::ok(CHECK, format!("{shown} has mode {mode:04o}"))
    });
}

fn plans(patient: &Patient<'_>, report: &mut Report) {
    const CHECK: &str = "permissions:plans";
    let path = &patient.config.clinic.plans;
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        // The plans themselves are looked at elsewhere.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let shown = path.display();
            return report.add(Finding::skipped(CHECK, format!("there is no {shown}")));
        }
        Err(error) => return report.add(unseen(CHECK, path, &error)),
    };
    let mode = mode(&metadata);
    let shown = path.display();
    report.add(if mode & 0o002 != 0 {
        Finding::fail(
            CHECK,
            format!("everybody can write into {shown} (mode {mode:04o})"),
        )
        .why("Anybody on this machine can change what patients are told to take")
        .remedy(format!("chmod o-rwx {}", quoted(path)))
    } else if mode & 0o005 != 0 {
        Finding::warn(
            CHECK,
            format!("everybody can look into {shown} (mode {mode:04o})"),
        )
        .why("Plans name patients and their medicines")
        .remedy(format!("chmod o-rwx {}", quoted(path)))
    } else {
        Finding::ok(CHECK, format!("{shown} has mode {mode:04o}"))
    });
}

fn secrets(patient: &Patient<'_>, report: &mut Report) {
    const CHECK: &str = "permissions:secrets";
    let config = patient.config;
    let failed: Vec<ConfigError> = [
        config.secret().err(),
        config.callback_secrets().err(),
        config.ca_pem().err(),
    ]
    .into_iter()
    .flatten()
    .collect();
    for error in &failed {
        for diagnostic in &error.diagnostics {
            let finding = if error.kind == ConfigErrorKind::Denied {
                Finding::warn(CHECK, diagnostic.message())
                    .why("Whether the daemon can use it is not known")
                    .remedy("run this as root or as the daemon's user")
            } else {
                let why = match error.kind {
                    ConfigErrorKind::Exposed => {
                        "The daemon refuses a secret that others can read: it may be known already"
                    }
                    _ => "Without it the daemon does not start",
                };
                let remedy = diagnostic
                    .help()
                    .unwrap_or("write the secret into that file, as one line, and: chmod 600 FILE");
                Finding::fail(CHECK, diagnostic.message())
                    .why(why)
                    .remedy(remedy)
            };
            report.add(finding);
        }
    }
    if failed.is_empty() {
        let what = match config.secret() {
            Ok(Some(_)) => "secrets are there, and nobody else can read them",
            _ => "the channel has no secrets",
        };
        report.add(Finding::ok(CHECK, what));
    }
}

fn store(patient: &Patient<'_>, report: &mut Report) {
    const CHECK: &str = "permissions:store";
    let path = &patient.config.store.path;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let around = match directory.metadata() {
        Ok(around) => around,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return report.add(
                Finding::fail(CHECK, format!("there is no {}", directory.display()))
                    .why("The daemon makes the store, not its directory")
                    .remedy(format!(
                        "install -d -m 700 -o dosed -g dosed {}",
                        quoted(directory)
                    )),
            );
        }
        Err(error) => return report.add(unseen(CHECK, directory, &error)),
    };
    if mode(&around) & 0o022 != 0 && mode(&around) & 0o1000 == 0 {
        report.add(
            Finding::fail(
                CHECK,
                format!(
                    "others can write into {} (mode {:04o})",
                    directory.display(),
                    mode(&around)
                ),
            )
            .why("Whoever can replace the store decides what patients are told")
            .remedy(format!("chmod go-w {}", quoted(directory))),
        );
    }
    let shown = path.display();
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return report.add(missing_store(patient));
        }
        Err(error) => return report.add(unseen(CHECK, path, &error)),
    };
    let mode = mode(&metadata);
    report.add(if metadata.uid() != around.uid() {
        Finding::fail(
            CHECK,
            format!("{shown} belongs to another user than its directory"),
        )
        .why("The daemon cannot write it; was `dosed run` once started as root?")
        .remedy(format!(
            "chown --reference={} {}",
            quoted(directory),
            quoted(path)
        ))
    } else if mode & 0o077 != 0 && self::mode(&around) & 0o055 != 0 {
        Finding::warn(CHECK, format!("others can read {shown} (mode {mode:04o})"))
            .why("It names patients, their medicines and what they wrote")
            .remedy(format!("chmod 600 {}", quoted(path)))
    } else {
        Finding::ok(CHECK, format!("{shown} has mode {mode:04o}"))
    });
}

/// systemd tells the directory of the store to the daemon alone.
fn missing_store(patient: &Patient<'_>) -> Finding {
    const CHECK: &str = "permissions:store";
    let path = &patient.config.store.path;
    let shown = path.display();
    let elsewhere = path
        .file_name()
        .map(|name| Path::new("/var/lib/dosed").join(name))
        .filter(|there| there != path && there.exists());
    match elsewhere {
        Some(there) => Finding::warn(
            CHECK,
            format!("there is no {shown}, but there is {}", there.display()),
        )
        .why("systemd tells the daemon alone where the store is: this looked at the wrong place")
        .remedy(format!(
            "STATE_DIRECTORY=/var/lib/dosed {}",
            patient.command("doctor")
        )),
        None => Finding::skipped(
            CHECK,
            format!("there is no {shown} yet: the first `dosed run` makes it"),
        ),
    }
}

/// The administration socket of a daemon that runs.
pub fn socket(path: &Path, report: &mut Report) {
    const CHECK: &str = "permissions:socket";
    let shown = path.display();
    report.add(match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::fail(CHECK, format!("there is no {shown}"))
                .why("`dosed reload`, `resume`, `enrol` and others cannot speak to the daemon")
                .remedy("systemctl restart dosed")
        }
        Err(error) => unseen(CHECK, path, &error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Finding::fail(CHECK, format!("{shown} is no socket"))
                .why("`dosed reload`, `resume`, `enrol` and others cannot speak to the daemon")
                .remedy(format!("rm {} && systemctl restart dosed", quoted(path)))
        }
        Ok(metadata) if mode(&metadata) & 0o077 != 0 => {
            let mode = mode(&metadata);
            Finding::fail(CHECK, format!("others can open {shown} (mode {mode:04o})"))
                .why("Whoever opens it can release held messages and end plans")
                .remedy(format!("chmod 600 {}", quoted(path)))
        }
        Ok(_) => Finding::ok(CHECK, format!("only its user can open {shown}")),
    });
}
