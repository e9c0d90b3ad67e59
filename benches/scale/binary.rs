//! Goal 7: the binary.

use super::Size;
use super::measure::{median, mib, ms};
use super::table::{Goal, Row};
use crate::support::clinic::write_clinic;
use crate::support::process::{BINARY, Process};
use crate::support::sink::Sink;
use jiff::Timestamp;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub fn measure(size: Size) -> Vec<Row> {
    let sink = Sink::start();
    let world = tempfile::tempdir().expect("a temporary directory");
    write_clinic(world.path(), sink.port).expect("the clinic is written");
    let clock = || format!("2026-03-02T01:00:00+08:00@{}", Timestamp::now());
    let mut starts = Vec::new();
    let mut resident = 0;
    // The first one makes the store.
    for start in 0..=size.of(15, 7) {
        let daemon = Process::start(world.path(), &clock());
        let ready = daemon.ready();
        if start == 0 {
            std::thread::sleep(Duration::from_secs(3));
            resident = daemon.resident();
        } else {
            starts.push(ms(ready));
        }
        daemon.stop();
    }
    vec![
        Row::steady(
            7,
            "binary.size",
            "the binary, stripped",
            mib(stripped(world.path())),
            "MiB",
            Goal::AtMost(15.0),
        ),
        Row::timed(
            7,
            "binary.ready",
            "from exec to READY on an empty store",
            median(starts),
            "ms",
            Goal::AtMost(30.0),
        ),
        Row::steady(
            7,
            "binary.resident",
            "memory at rest on an empty store",
            mib(resident),
            "MiB",
            Goal::AtMost(20.0),
        ),
    ]
}

/// Size of the binary without symbols; as it is where there is no `strip`.
fn stripped(directory: &Path) -> u64 {
    let bare = directory.join("stripped");
    let strip = Command::new("strip")
        .arg("-o")
        .arg(&bare)
        .arg(BINARY)
        .status();
    let is_stripped = strip.is_ok_and(|status| status.success());
    let path = if is_stripped {
        &bare
    } else {
        Path::new(BINARY)
    };
    fs::metadata(path).expect("there is a binary").len()
}
