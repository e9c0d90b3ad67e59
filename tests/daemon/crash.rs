//! SIGKILL at any point of a burst: every message once, every dose in one state.
//!
//! `DOSED_CRASH_PATIENTS` and `DOSED_CRASH_ROUNDS` make it as large as one has time for (2,000 and
//! 10 in `tests/system/run`); `DOSED_CRASH_SEED` repeats a run.

use crate::support::{World, eventually, metric};
use dosed::store::{Options, Store, Telemetry};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// A generator that a seed repeats (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_point_of_a_burst_loses_and_doubles_nothing() {
    let patients = usize::try_from(setting("DOSED_CRASH_PATIENTS", 200)).expect("a count");
    let rounds = setting("DOSED_CRASH_ROUNDS", 3);
    let seed = setting("DOSED_CRASH_SEED", RandomState::new().hash_one(patients));
    println!("DOSED_CRASH_SEED={seed}");
    let mut random = Random(seed);
    for round in 0..rounds {
        let at = usize::try_from(random.below(patients as u64)).expect("a count");
        let twice = random.below(2) == 0;
        println!("round {round}: kill after {at} of {patients} sends, twice: {twice}");
        survive(patients, at, twice).await;
    }
}

async fn survive(patients: usize, at: usize, twice: bool) {
    let world = World::at("2026-03-24T07:59:00+08:00").await;
    world.crowd(patients);
    // However long so many plans take to be read: the burst begins when the clock is set.
    let daemon = world.start().await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    world.clock.set("2026-03-24T07:59:58+08:00", 1);

    let mut claimed = HashSet::new();
    let mut kill_at = at;
    for _ in 0..=u8::from(twice) {
        let daemon = world.start().await;
        let reached = world.sandbox.wait_for_attempts(
            |attempts| attempts.len() > kill_at || attempts.len() >= patients,
            Duration::from_secs(120),
        );
        assert!(reached.await, "the burst does not go on");
        daemon.kill().await;
        let left = left_claimed(&world).await;
        let sent = world.sandbox.attempts().len();
        println!(
            "  killed after {sent} sends, {} claimed and not settled",
            left.len()
        );
        claimed.extend(left);
        kill_at = world.sandbox.attempts().len() + (patients - at) / 2;
    }

    let began = Instant::now();
    let daemon = world.start().await;
    println!(
        "  ready {:.2} s after the last kill",
        began.elapsed().as_secs_f64()
    );
    let all = world
        .sandbox
        .wait_for(|inbox| inbox.len() >= patients, Duration::from_secs(120));
    assert!(
        all.await,
        "{} of {patients} arrived",
        world.sandbox.deliveries().len()
    );
    eventually("everything settled", async || {
        let metrics = daemon.metrics().await;
        (metric(&metrics, "dosed_outbox_depth", &[]) == 0.0).then_some(())
    })
    .await;
    assert_eq!(daemon.stop().await.code(), Some(0));

    let inbox = world.sandbox.deliveries();
    let mut per_patient: BTreeMap<_, u32> = BTreeMap::new();
    for message in &inbox {
        *per_patient.entry(message.touser.clone()).or_default() += 1;
    }
    assert_eq!(per_patient.len(), patients, "nobody is left out");
    assert!(
        per_patient.values().all(|&count| count == 1),
        "nobody is told twice"
    );
    let keys: BTreeSet<_> = inbox
        .iter()
        .filter_map(|message| message.client_msg_id.clone())
        .collect();
    assert_eq!(keys.len(), patients);

    // A message is sent again only if a daemon that died had claimed it and not settled it.
    let mut tried = HashSet::new();
    let mut again = 0;
    for attempt in world.sandbox.attempts() {
        let id = attempt.client_msg_id.expect("each send has a key");
        if !tried.insert(id.clone()) {
            assert!(claimed.contains(&id), "{id} was sent again without a cause");
            again += 1;
        }
    }
    println!("  {again} sent again, of {} claimed", claimed.len());

    let history = world.history().await;
    let doses: BTreeSet<_> = history
        .iter()
        .map(|dose| (&dose.patient, &dose.id, dose.due))
        .collect();
    assert_eq!(
        (history.len(), doses.len()),
        (patients, patients),
        "one line a dose"
    );
    for dose in &history {
        assert_eq!(
            (dose.state.as_str(), dose.in_doubt),
            ("open", false),
            "{dose:?}"
        );
        assert!(dose.reminded.is_some(), "{dose:?}");
    }
}

/// The keys of the messages that are claimed and not settled, read from a copy of the store as the
/// killed daemon left it.
async fn left_claimed(world: &World) -> Vec<String> {
    let path = world.path("copy.redb");
    std::fs::copy(world.path("dosed.redb"), &path).expect("nobody writes the store");
    let options = Options {
        path,
        cache_bytes: 1 << 20,
    };
    let telemetry = Arc::new(Telemetry::new(|_, _| {}));
    let store = Store::open(&options, telemetry).expect("a killed daemon's store opens");
    let left = store.left_claimed().await.expect("the store can be read");
    left.iter()
        .map(|queued| queued.message.key.id.to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_the_store_is_made_leaves_one_that_opens() {
    for pause_us in [0_u64, 500, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000] {
        let world = World::new().await;
        world.crowd(3);
        let mut child = world
            .command(&["run"])
            .arg("--clock")
            .arg(world.clock.argument())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the built binary starts");
        // Any instant of the start will do, so a pause is as good as an event.
        std::thread::sleep(Duration::from_micros(pause_us));
        child.kill().expect("an unreaped child can be killed");
        child.wait().expect("a killed child has a status");
        let daemon = world.start().await;
        assert_eq!(daemon.get("/readyz").await.status, 200);
    }
}
