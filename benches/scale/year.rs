//! Goal 5: a year of patients, and what it leaves.

use super::Size;
use super::measure::{median, mib, ms, timed};
use super::table::{Goal, Row};
use crate::support::clinic::{Durability, runtime, write_config};
use crate::support::core::{at, plan};
use crate::support::process::Process;
use crate::support::transactions::{apply, change, claim, fire, options, settle, telemetry};
use dosed::store::Store;
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Two medications in the morning and one in the evening.
const PLAN: &str = "name = \"王秀兰\"\n\
    [[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"08:00\"\n\
    [[medication]]\nname = \"氨氯地平\"\ntake = \"5 mg\"\nat = \"08:00\"\n\
    [[medication]]\nname = \"华法林\"\ntake = \"2.5 mg\"\nat = \"18:00\"\n";

/// Doses of a patient in a day.
const DOSES: usize = 3;

const DAYS: usize = 365;

const FIRST_DAY: &str = "2026-01-01T00:30:00+08:00";

const CACHE: usize = 16 << 20;

/// Messages claimed in one transaction, as the dispatcher does.
const GROUP: usize = 1_000;

pub fn measure(size: Size) -> Vec<Row> {
    let patients = size.of(10_000, 200);
    let runtime = runtime();
    let young = Life::new(&runtime, patients);
    let old = Life::new(&runtime, patients);
    let first = at(FIRST_DAY);
    let day = SignedDuration::from_hours(24);
    let young_end = young.live(&runtime, first, 1);
    let (old_end, took) = timed(|| old.live(&runtime, first, DAYS));
    let doses = patients * DOSES * DAYS;
    eprintln!(
        "  {patients} patients: {doses} doses in {:.0} s, {:.1} µs each",
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / doses as f64
    );
    assert!(old_end > young_end + day * 363);
    let wake = compare_wakes(&runtime, [(&young, young_end), (&old, old_end)], size);
    let answers = compare_answers([(&young, young_end), (&old, old_end)], size);
    let before = old.bytes();
    old.compact();
    let after = old.bytes();
    eprintln!("  {:.0} MiB, compacted {:.0} MiB", mib(before), mib(after));
    vec![
        Row::steady(
            5,
            "year.wake",
            format!("a wake after a year of {patients} patients, of one on the first day"),
            wake,
            "",
            Goal::AtMost(1.3),
        ),
        Row::steady(
            5,
            "year.health",
            "/health, likewise",
            answers[0],
            "",
            Goal::AtMost(1.3),
        ),
        Row::steady(
            5,
            "year.metrics",
            "/metrics, likewise",
            answers[1],
            "",
            Goal::AtMost(1.3),
        ),
        Row::steady(
            5,
            "year.bytes",
            "the file, compacted, for each dose kept",
            after as f64 / doses as f64,
            "bytes",
            Goal::AtMost(400.0),
        ),
        Row::timed(
            5,
            "year.dose",
            "fire, claim, settle and close a dose in the store",
            took.as_secs_f64() * 1e6 / doses as f64,
            "µs",
            Goal::Shown,
        ),
    ]
}

/// A store in a directory that a daemon can run on.
struct Life {
    world: TempDir,
}

impl Life {
    fn new(runtime: &Runtime, patients: usize) -> Self {
        let world = tempfile::tempdir().expect("a temporary directory");
        // Nothing leaves: nobody listens there.
        write_config(world.path(), 9).expect("the configuration is written");
        write_secret(world.path());
        let one = Self { world };
        let store = one.open(Durability::Off);
        let plan = plan(PLAN, "Asia/Shanghai");
        let names: Vec<String> = (0..patients).map(|number| format!("p{number}")).collect();
        for names in names.chunks(GROUP) {
            let changes = names.iter().map(|name| change(name, &plan, PLAN)).collect();
            apply(runtime, &store, at(FIRST_DAY), changes);
        }
        runtime.block_on(store.close());
        one
    }

    fn open(&self, durability: Durability) -> Store {
        let open = durability.opener();
        let store = open(&options(self.world.path(), CACHE), telemetry());
        store.expect("the store opens")
    }

    /// Lives so many days: each reminder is accepted, and no patient says anything. Returns a
    /// moment after them.
    fn live(&self, runtime: &Runtime, first: Timestamp, days: usize) -> Timestamp {
        let store = self.open(Durability::Off);
        let end = first + SignedDuration::from_hours(24) * i32::try_from(days).expect("a year");
        let mut number = 1;
        loop {
            let (next, _) = runtime.block_on(store.next_wake()).expect("it can be read");
            let now = next.expect("patients are to be woken");
            if now >= end {
                break;
            }
            let fired = fire(runtime, &store, now, 2 * GROUP);
            let mut queued = fired.queued;
            while !queued.is_empty() {
                let rest = queued.split_off(queued.len().min(GROUP));
                let due = queued.iter().map(|it| it.message.not_before).max();
                let due = due.unwrap_or(now).max(now);
                let count = i64::try_from(queued.len()).expect("few");
                let claimed = claim(runtime, &store, due, queued);
                settle(runtime, &store, due, &claimed, Some(number));
                number += count;
                queued = rest;
            }
        }
        runtime.block_on(store.close());
        end
    }

    fn bytes(&self) -> u64 {
        let file = fs::metadata(self.world.path().join("dosed.redb"));
        file.expect("there is a store").len()
    }

    fn compact(&self) {
        let database = redb::Database::open(self.world.path().join("dosed.redb"));
        let mut database = database.expect("the store opens");
        while database.compact().expect("the store can be compacted") {}
    }
}

fn write_secret(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let secret = directory.join("secret");
    fs::write(&secret, "0123456789abcdef").expect("the secret is written");
    let mode = fs::set_permissions(&secret, fs::Permissions::from_mode(0o600));
    mode.expect("the secret is ours");
}

/// Wakes of one patient, durable, in turns: the second store's time, of the first one's.
fn compare_wakes(runtime: &Runtime, stores: [(&Life, Timestamp); 2], size: Size) -> f64 {
    let opened = stores.map(|(store, _)| store.open(Durability::On));
    let mut took = [Vec::new(), Vec::new()];
    // Past the morning's instant: all patients are to be woken, one is.
    for _ in 0..size.of(150, 50) {
        for ((store, (_, end)), took) in opened.iter().zip(&stores).zip(&mut took) {
            let now = *end + SignedDuration::from_hours(8);
            let (fired, span) = timed(|| fire(runtime, store, now, 1));
            assert_eq!(fired.stepped, 1);
            took.push(ms(span));
        }
    }
    for store in &opened {
        runtime.block_on(store.close());
    }
    let [first, second] = took.map(median);
    second / first
}

/// `/health` and `/metrics` of daemons on both stores, in turns.
fn compare_answers(stores: [(&Life, Timestamp); 2], size: Size) -> [f64; 2] {
    let daemons = stores.map(|(store, end)| {
        let night = end + SignedDuration::from_mins(30);
        let clock = format!("{night}@{}", Timestamp::now());
        let daemon = Process::start(store.world.path(), &clock);
        daemon.ready();
        daemon
    });
    let ratios = ["/health", "/metrics"].map(|path| {
        let mut took = [Vec::new(), Vec::new()];
        for _ in 0..size.of(400, 100) {
            for (daemon, took) in daemons.iter().zip(&mut took) {
                took.push(ms(daemon.get(path)));
            }
        }
        let [first, second] = took.map(median);
        second / first
    });
    for daemon in daemons {
        daemon.stop();
    }
    ratios
}
