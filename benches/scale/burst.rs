//! Goal 1: a burst against a bare loop, and against the same daemon without durability.

use super::Size;
use super::measure::{median, ms};
use super::table::{Goal, Row};
use crate::support::burst::Crowd;
use crate::support::clinic::{Durability, bare};
use crate::support::sink::Sink;

pub fn measure(size: Size) -> Vec<Row> {
    let patients = size.of(100_000, 10_000);
    let rounds = size.of(5, 3);
    let sink = Sink::start();
    let crowd = Crowd::new(&sink, patients);
    let (mut to_bare, mut to_off, mut off_to_bare) = (Vec::new(), Vec::new(), Vec::new());
    let (mut commits, mut rates, mut cpus) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let on = crowd.burst(&sink, Durability::On);
        let (bare, bare_cpu) = bare(&sink, &on.bodies);
        let bare = bare.as_secs_f64();
        let off = crowd.burst(&sink, Durability::Off);
        let (took, without) = (on.took.as_secs_f64(), off.took.as_secs_f64());
        let cpu = on.cpu.as_secs_f64() * 1e6 / patients as f64;
        let bare_cpu = bare_cpu.as_secs_f64() * 1e6 / patients as f64;
        eprintln!(
            "  round {round}: {:.0}/s, first after {:.1} ms, {} commits, {cpu:.1} µs of a \
             processor each; without durability {:.0}/s; bare {:.0}/s, {bare_cpu:.1} µs",
            patients as f64 / took,
            ms(on.first),
            on.commits,
            patients as f64 / without,
            patients as f64 / bare,
        );
        to_bare.push(bare / took);
        to_off.push(without / took);
        off_to_bare.push(bare / without);
        commits.push(on.commits / patients as f64);
        rates.push(patients as f64 / took);
        cpus.push(cpu / bare_cpu);
    }
    // Each burst has asserted that nothing left early and that each patient was reminded once.
    vec![
        Row::steady(
            1,
            "burst.to_bare",
            format!("{patients} due at once: speed, of a bare loop's"),
            median(to_bare),
            "",
            Goal::AtLeast(0.95),
        ),
        Row::steady(
            1,
            "burst.to_off",
            "the same, of the daemon's without durability",
            median(to_off),
            "",
            Goal::AtLeast(0.97),
        ),
        Row::steady(
            1,
            "burst.off_to_bare",
            "the daemon without durability, of a bare loop's",
            median(off_to_bare),
            "",
            Goal::Shown,
        ),
        Row::steady(
            1,
            "burst.commits",
            "commits a reminder",
            median(commits),
            "",
            Goal::AtMost(0.003),
        ),
        Row::steady(
            1,
            "burst.cpu",
            "work of the processors, waking and settling included, of a bare loop's",
            median(cpus),
            "",
            Goal::Less,
        ),
        Row::timed(
            1,
            "burst.rate",
            "reminders a second, none early, none twice",
            median(rates),
            "/s",
            Goal::Shown,
        ),
    ]
}
