//! The transactions of a burst, a thousand patients each, on a real file with real syncs.
//!
//! `cargo bench --bench store`. Figures are of one transaction; divide by the patients.

#[path = "support/mod.rs"]
mod support;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dosed::plan::ResolvedPlan;
use dosed::store::{Queued, Store};
use jiff::Timestamp;
use support::clinic::runtime;
use support::core::{at, plan};
use support::transactions::{apply, change, claim, fire, options, settle, telemetry};
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

fn world(runtime: &Runtime, plan: &ResolvedPlan) -> World {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(&options(directory.path(), 16 << 20), telemetry());
    let store = store.expect("the store opens");
    let changes = (0..PATIENTS)
        .map(|number| change(&format!("p{number}"), plan, PLAN))
        .collect();
    apply(runtime, &store, at("2026-03-02T07:00:00Z"), changes);
    World {
        _directory: directory,
        store,
    }
}

/// The instant at which all are due.
fn due() -> Timestamp {
    at("2026-03-02T08:00:00Z")
}

fn fire_all(runtime: &Runtime, world: &World) -> Vec<Queued> {
    let queued = fire(runtime, &world.store, due(), PATIENTS).queued;
    assert_eq!(queued.len(), PATIENTS);
    queued
}

fn benches(criterion: &mut Criterion) {
    let runtime = runtime();
    let plan = plan(PLAN, "UTC");
    let mut group = criterion.benchmark_group("thousand_patients");
    group.sample_size(20);
    group.bench_function("fire", |bencher| {
        bencher.iter_batched_ref(
            || world(&runtime, &plan),
            |world| fire_all(&runtime, world),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("claim", |bencher| {
        bencher.iter_batched_ref(
            || {
                let world = world(&runtime, &plan);
                let queued = fire_all(&runtime, &world);
                (world, queued)
            },
            |(world, queued)| claim(&runtime, &world.store, due(), std::mem::take(queued)),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("settle", |bencher| {
        bencher.iter_batched_ref(
            || {
                let world = world(&runtime, &plan);
                let queued = fire_all(&runtime, &world);
                let claimed = claim(&runtime, &world.store, due(), queued);
                (world, claimed)
            },
            |(world, claimed)| settle(&runtime, &world.store, due(), claimed, None),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(store, benches);
criterion_main!(store);
