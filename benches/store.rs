//! The transactions of a burst, a thousand patients each, on a real file with real syncs.
//!
//! `cargo bench --bench store`. Figures are of one transaction; divide by the patients.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dosed::engine::{ExpiredReason, Settlement, Unlimited};
use dosed::plan::{Day, Defaults, Language, ResolvedPlan, Zone, diagnostic::Source, read};
use dosed::store::{Address, Options, PlanChange, Queued, Store, Telemetry, Tried, TriedOutcome};
use jiff::Timestamp;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const PATIENTS: usize = 1_000;

const PLAN: &str = "name = \"Wang\"\n[[medication]]\nname = \"Metformin\"\ntake = \"1 tablet\"\n\
                    at = \"08:00\"\n[[medication]]\nname = \"Warfarin\"\ntake = \"2.5 mg\"\n\
                    at = \"18:00\"\ncritical = true\n";

/// A store with a thousand patients whose first dose is about to be due.
struct World {
    // Removed when the iteration has been measured.
    _directory: TempDir,
    store: Store,
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn plan() -> ResolvedPlan {
    let defaults = Defaults {
        zone: Zone::get("UTC").expect("the zone is in the database"),
        language: Language::En,
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    let source = Source::new("p.toml", PLAN.to_owned());
    read(&source, &defaults).expect("the plan is sound").plan
}

fn world(runtime: &Runtime, plan: &ResolvedPlan) -> World {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = Options {
        path: directory.path().join("dosed.redb"),
        cache_bytes: 16 << 20,
    };
    let telemetry = Arc::new(Telemetry::new(|_, _| {}));
    let store = Store::open(&options, telemetry).expect("the store opens");
    let changes = (0..PATIENTS)
        .map(|number| PlanChange {
            patient: format!("p{number}"),
            plan: plan.clone(),
            meaning: [1; 32],
            source: [1; 32],
            inline: false,
            text: PLAN.to_owned(),
            file: format!("p{number}.toml"),
            caregivers: Vec::new(),
            address: Some(Address {
                channel: "wechat".to_owned(),
                address: format!("o{number:027}"),
            }),
        })
        .collect();
    let apply = store.apply(
        at("2026-03-02T07:00:00Z"),
        changes,
        Vec::new(),
        ExpiredReason::DaemonDown,
        Arc::new(Unlimited),
        0,
    );
    runtime.block_on(apply).expect("the plans are applied");
    World {
        _directory: directory,
        store,
    }
}

fn fire(runtime: &Runtime, world: &World) -> Vec<Queued> {
    let fired = world.store.fire(
        at("2026-03-02T08:00:00Z"),
        PATIENTS,
        ExpiredReason::DaemonDown,
        Arc::new(Unlimited),
        0,
    );
    let queued = runtime
        .block_on(fired)
        .expect("the patients are woken")
        .queued;
    assert_eq!(queued.len(), PATIENTS);
    queued
}

fn claim(runtime: &Runtime, world: &World, queued: Vec<Queued>) -> Vec<Queued> {
    let claimed = world.store.claim(at("2026-03-02T08:00:00Z"), queued);
    let messages = runtime
        .block_on(claimed)
        .expect("the messages are claimed")
        .messages;
    assert_eq!(messages.len(), PATIENTS);
    messages
}

fn settle(runtime: &Runtime, world: &World, claimed: &[Queued]) {
    let now = at("2026-03-02T08:00:01Z");
    let batch = claimed
        .iter()
        .map(|queued| Tried {
            key: queued.message.key,
            patient: queued.patient,
            outcome: TriedOutcome::Final(Settlement::Accepted(now)),
            receipt: dosed::store::Receipt::default(),
        })
        .collect();
    let settled = world.store.settle(now, batch, Arc::new(Unlimited), 0);
    runtime
        .block_on(settled)
        .expect("the outcomes are recorded");
}

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let plan = plan();
    let mut group = criterion.benchmark_group("thousand_patients");
    group.sample_size(20);
    group.bench_function("fire", |bencher| {
        bencher.iter_batched_ref(
            || world(&runtime, &plan),
            |world| fire(&runtime, world),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("claim", |bencher| {
        bencher.iter_batched_ref(
            || {
                let world = world(&runtime, &plan);
                let queued = fire(&runtime, &world);
                (world, queued)
            },
            |(world, queued)| claim(&runtime, world, std::mem::take(queued)),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("settle", |bencher| {
        bencher.iter_batched_ref(
            || {
                let world = world(&runtime, &plan);
                let queued = fire(&runtime, &world);
                let claimed = claim(&runtime, &world, queued);
                (world, claimed)
            },
            |(world, claimed)| settle(&runtime, world, claimed),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(store, benches);
criterion_main!(store);
