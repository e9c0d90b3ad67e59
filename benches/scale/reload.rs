//! Goal 4: one changed file of very many, and reading all of them for the first time.

use super::Size;
use super::measure::{median, ms, timed};
use super::table::{Goal, Row};
use crate::support::clinic::{plan_text, write_clinic, write_plans};
use crate::support::process::Process;
use crate::support::sink::Sink;
use jiff::Timestamp;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub fn measure(size: Size) -> Vec<Row> {
    let files = size.of(100_000, 20_000);
    let rounds = size.of(15, 15);
    let sink = Sink::start();
    let world = tempfile::tempdir().expect("a temporary directory");
    write_clinic(world.path(), sink.port).expect("the clinic is written");
    let written = write_plans(world.path(), files, |_| "08:00".to_owned());
    written.expect("the plans are written");
    let plans = world.path().join("plans.d");
    // Nothing is due, and what was written last is older than a file may be that is read twice.
    std::thread::sleep(Duration::from_secs(3));
    let clock = format!("2026-03-02T01:00:00+08:00@{}", Timestamp::now());
    let daemon = Process::start(world.path(), &clock);
    let loaded = daemon.ready();
    let rate = files as f64 / loaded.as_secs_f64();
    eprintln!("  {files} files: ready after {:.0} ms", ms(loaded));
    let (mut ratios, mut walks) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let text = plan_text(round, &format!("09:{round:02}"));
        fs::write(plans.join(format!("p{round}.toml")), text).expect("a plan is written");
        let (count, before) = timed(|| walk(&plans));
        let (answer, took) = daemon.reload();
        let (_, after) = timed(|| walk(&plans));
        assert_eq!(count, files);
        assert_eq!(answer["changed"], 1, "{answer}");
        let walk = f64::midpoint(ms(before), ms(after));
        ratios.push(ms(took) / walk);
        walks.push(walk);
    }
    daemon.stop();
    eprintln!("  a bare walk takes {:.1} ms", median(walks));
    vec![
        Row::steady(
            4,
            "reload.one",
            format!("one of {files} plan files changed: applied, of a bare walk's time"),
            median(ratios),
            "",
            Goal::AtMost(1.5),
        ),
        Row::timed(
            4,
            "reload.first",
            format!("first load of {files} plan files"),
            rate,
            "files/s",
            Goal::AtLeast(20_000.0),
        ),
    ]
}

/// Stats all files of a directory, and does nothing else.
fn walk(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let stats = entries.map(|entry| fs::metadata(entry.expect("an entry").path()));
    stats.flatten().count()
}
