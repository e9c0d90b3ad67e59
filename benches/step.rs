//! How long a decision about one patient takes: three medications and a check-in.
//!
//! `cargo bench --bench step`. The goals: a step in 3 µs, and with reading plan and state from
//! their stored form and writing the state back in 8 µs.

#[path = "support/mod.rs"]
mod support;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dosed::engine::{Input, step};
use dosed::plan::ResolvedPlan;
use std::hint::black_box;
use support::core::{Core, OVERDUE};

fn benches(criterion: &mut Criterion) {
    let core = Core::new();
    let Core {
        plan,
        asleep,
        fired,
        now,
        due,
        ..
    } = &core;
    let (now, due, overdue) = (*now, *due, OVERDUE);
    let context = core.context();
    let settled = core.settled();
    let changed = Input::PlanChanged {
        old: Some(&core.before),
        overdue,
    };

    let mut group = criterion.benchmark_group("step");
    for (name, state, input, now) in [
        (
            "wake: two doses of three fall",
            asleep,
            Input::Wake { overdue },
            now,
        ),
        (
            "wake: nothing falls",
            &fired.state,
            Input::Wake { overdue },
            now,
        ),
        ("settle: accepted", &fired.state, settled, due),
        ("plan change", &fired.state, changed, due),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || state.clone(),
                |state| step(&context, black_box(plan), state, black_box(input), now),
                BatchSize::SmallInput,
            );
        });
    }
    let plan_bytes = postcard::to_stdvec(plan).expect("a plan can be written");
    let state_bytes = postcard::to_stdvec(asleep).expect("a state can be written");
    group.bench_function("read, wake and write", |bencher| {
        bencher.iter(|| {
            let plan: ResolvedPlan = postcard::from_bytes(black_box(&plan_bytes)).expect("a plan");
            let state = postcard::from_bytes(black_box(&state_bytes)).expect("a state");
            let decision = step(&context, &plan, state, Input::Wake { overdue }, now);
            let state = postcard::to_stdvec(&decision.state).expect("a state can be written");
            let message = postcard::to_stdvec(&decision.messages[0]).expect("so can a message");
            (decision, state, message)
        });
    });
    group.bench_function("read the plan alone", |bencher| {
        bencher.iter(|| postcard::from_bytes::<ResolvedPlan>(black_box(&plan_bytes)));
    });
    group.finish();
}

criterion_group!(step_benches, benches);
criterion_main!(step_benches);
