//! Goal 3: a million patients and five, with three medications each.

use super::Size;
use super::measure::{median, mib, ms, timed};
use super::table::{Goal, Row};
use crate::support::clinic::{runtime, write_config};
use crate::support::core::{at, plan};
use crate::support::process::Process;
use crate::support::sink::Sink;
use crate::support::transactions::{apply, change, fire, options, telemetry};
use dosed::store::Store;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Patients take their first medicine at so many instants, a minute apart.
const INSTANTS: u32 = 900;

/// When the first of them is.
const FIRST: &str = "2026-03-02T06:00:00+08:00";

/// When the plans came into force.
const APPLIED: &str = "2026-03-02T00:10:00+08:00";

/// A time at which nothing is due.
const NIGHT: &str = "2026-03-02T01:00:00+08:00";

/// Page cache of the daemon, and of the stores that are measured here.
const CACHE: usize = 16 << 20;

pub fn measure(size: Size) -> Vec<Row> {
    let few = Clinic::new(10_000);
    let mut rows = Vec::new();
    let little = few.resident();
    let sizes: &[(u32, [&'static str; 4])] = match size {
        Size::Whole => &[
            (1_000_000, ONE_MILLION),
            (5_000_000, ["", "five.resident", "five.more", "five.first"]),
        ],
        Size::Quick => &[(100_000, ONE_MILLION)],
    };
    for (patients, ids) in sizes {
        let many = Clinic::new(*patients);
        let name = named(*patients);
        let resident = many.resident();
        rows.push(Row::steady(
            3,
            ids[1],
            format!("memory at rest with {name} patients"),
            mib(resident),
            "MiB",
            Goal::AtMost(60.0),
        ));
        rows.push(Row::steady(
            3,
            ids[2],
            "the same, beyond that with 10 thousand",
            mib(resident.saturating_sub(little)),
            "MiB",
            Goal::AtMost(32.0),
        ));
        rows.push(Row::timed(
            3,
            ids[3],
            format!("first message after SIGKILL and start, {name} patients"),
            many.first_after_kill(),
            "ms",
            Goal::AtMost(300.0),
        ));
        if !ids[0].is_empty() {
            rows.push(Row::timed(
                3,
                ids[0],
                format!("processor at rest with {name} patients"),
                many.idle(size) * 100.0,
                "%",
                Goal::AtMost(0.2),
            ));
        }
        if Some(patients) == sizes.last().map(|(patients, _)| patients) {
            rows.extend(wakes(&few, &many, size));
        }
    }
    rows
}

const ONE_MILLION: [&str; 4] = ["many.idle", "many.resident", "many.more", "many.first"];

fn named(patients: u32) -> String {
    match patients {
        1_000_000.. => format!("{} million", patients / 1_000_000),
        _ => format!("{} thousand", patients / 1_000),
    }
}

/// A clinic whose store has many patients. There is no plan directory, so that their plans stay in
/// force as they are.
struct Clinic {
    world: TempDir,
    sink: Sink,
}

impl Clinic {
    fn new(patients: u32) -> Self {
        let world = tempfile::tempdir().expect("a temporary directory");
        let sink = Sink::start();
        write_clinic_without_plans(world.path(), sink.port);
        let ((), took) = timed(|| fill(world.path(), patients));
        let bytes = fs::metadata(world.path().join("dosed.redb")).expect("there is a store");
        eprintln!(
            "  {patients} patients: made in {:.0} s, {:.0} MiB",
            took.as_secs_f64(),
            mib(bytes.len())
        );
        Self { world, sink }
    }

    /// Memory of the daemon when it has been ready for a moment.
    fn resident(&self) -> u64 {
        let daemon = Process::start(self.world.path(), &clock(NIGHT));
        let ready = daemon.ready();
        std::thread::sleep(Duration::from_secs(3));
        let resident = daemon.resident();
        eprintln!(
            "  ready after {:.0} ms, {:.1} MiB",
            ms(ready),
            mib(resident)
        );
        daemon.stop();
        resident
    }

    /// Share of a processor that the daemon takes when nothing is due.
    fn idle(&self, size: Size) -> f64 {
        let daemon = Process::start(self.world.path(), &clock(NIGHT));
        daemon.ready();
        std::thread::sleep(Duration::from_secs(4));
        let before = daemon.cpu();
        let span = Duration::from_secs(size.of(20, 8) as u64);
        std::thread::sleep(span);
        let ran = daemon.cpu().saturating_sub(before);
        daemon.stop();
        ran.as_secs_f64() / span.as_secs_f64()
    }

    /// From the start of a daemon, after one was killed with messages under way, to its first
    /// message; in milliseconds.
    fn first_after_kill(&self) -> f64 {
        let mut took = Vec::new();
        let first = at(FIRST);
        for minute in 0..3 {
            let due = first + SignedDuration::from_mins(minute);
            let clock = clock(&(due - SignedDuration::from_secs(2)).to_string());
            self.sink.expect(usize::MAX);
            self.sink.stall(true);
            let daemon = Process::start(self.world.path(), &clock);
            // As many as are under way at once wait for their answers.
            self.sink.wait_for(8, Duration::from_secs(120));
            daemon.kill();
            self.sink.stall(false);
            self.sink.take();
            let daemon = Process::start(self.world.path(), &clock);
            self.sink.wait_for(1, Duration::from_secs(120));
            let arrivals = self.sink.take();
            took.push(ms(arrivals.first - daemon.began()));
            // All of this minute leave before the next is looked at.
            daemon.ready();
            daemon.stop();
        }
        eprintln!("  first after a kill: {took:.0?} ms");
        median(took)
    }
}

fn write_clinic_without_plans(directory: &Path, port: u16) {
    use std::os::unix::fs::PermissionsExt;
    write_config(directory, port).expect("the configuration is written");
    let secret = directory.join("secret");
    fs::write(&secret, "0123456789abcdef").expect("the secret is written");
    let mode = fs::set_permissions(&secret, fs::Permissions::from_mode(0o600));
    mode.expect("the secret is ours");
}

/// A clock for `--clock` that shows this now.
fn clock(shown: &str) -> String {
    format!("{shown}@{}", Timestamp::now())
}

/// Makes the store: some patients whose plans are applied as always, and copies of them.
fn fill(directory: &Path, patients: u32) {
    let runtime = runtime();
    let store = Store::open(&options(directory, 256 << 20), telemetry());
    let store = store.expect("the store opens");
    let mut names = Vec::new();
    let mut changes = Vec::new();
    for instant in 0..INSTANTS.min(patients) {
        let name = format!("a{instant:03}");
        let text = plan_of(instant);
        changes.push(change(&name, &plan(&text, "Asia/Shanghai"), &text));
        names.push(name);
    }
    let made = u32::try_from(names.len()).expect("few");
    let now = at(APPLIED);
    apply(&runtime, &store, now, changes);
    let copied = runtime.block_on(store.populate(now, names, patients - made));
    copied.expect("the patients are copied");
    runtime.block_on(store.close());
}

/// Three medications, the first at a minute of the day.
fn plan_of(instant: u32) -> String {
    let first = jiff::civil::time(6, 0, 0, 0) + i64::from(instant).minutes();
    let (hour, minute) = (first.hour(), first.minute());
    let mut text = format!("name = \"王秀兰\"\nwechat = \"oa{instant:026}\"\n");
    for (name, take, at) in [
        ("二甲双胍", "1片", format!("{hour:02}:{minute:02}, 23:30")),
        ("氨氯地平", "5 mg", format!("{hour:02}:{minute:02}")),
        ("华法林", "2.5 mg", "22:45".to_owned()),
    ] {
        let _ = write!(
            text,
            "[[medication]]\nname = \"{name}\"\ntake = \"{take}\"\nat = \"{at}\"\n"
        );
    }
    text
}

/// What it costs to wake one patient, in a small store and in a large one, in turns.
fn wakes(few: &Clinic, many: &Clinic, size: Size) -> Vec<Row> {
    let runtime = runtime();
    let stores = [few, many].map(|clinic| {
        let store = Store::open(&options(clinic.world.path(), CACHE), telemetry());
        store.expect("the store opens")
    });
    // The minutes before were used up by the messages after a kill.
    let first = at(FIRST) + SignedDuration::from_mins(10);
    let mut took = [Vec::new(), Vec::new()];
    for minute in 0..size.of(200, 60) {
        let now = first + SignedDuration::from_mins(minute as i64);
        for (store, took) in stores.iter().zip(&mut took) {
            let (fired, span) = timed(|| fire(&runtime, store, now, 1));
            assert_eq!(fired.stepped, 1);
            took.push(ms(span));
        }
    }
    for store in &stores {
        runtime.block_on(store.close());
    }
    let [few, many] = took.map(median);
    vec![
        Row::steady(
            3,
            "wake.more",
            "a wake, durable, in the larger store: of one with 10 thousand",
            many / few,
            "",
            Goal::AtMost(1.3),
        ),
        Row::timed(3, "wake.took", "the same", many, "ms", Goal::Shown),
    ]
}
