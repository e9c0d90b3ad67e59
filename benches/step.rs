//! How long a decision about one patient takes: three medications and a check-in.
//!
//! `cargo bench --bench step`. The goals: a step in 3 µs, and with reading plan and state from
//! their stored form and writing the state back in 8 µs.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dosed::engine::{
    Context, Decision, ExpiredReason, IdKey, Input, PatientState, Settlement, Unlimited, step,
};
use dosed::plan::{Day, Defaults, Language, ResolvedPlan, Zone, diagnostic::Source, read};
use jiff::Timestamp;
use std::hint::black_box;

const PLAN: &str = r#"
name = "Wang"
[[medication]]
name = "Metformin 500 mg"
take = "1 tablet"
at = "07:30, 18:30"
[[medication]]
name = "Amlodipine 5 mg"
take = "1 tablet"
at = "07:30"
[[medication]]
name = "Warfarin"
take = "2.5 mg"
at = "18:00"
critical = true
"#;

const CHECK_IN: &str = "[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = \"12:00\"\n";

fn plan(text: &str) -> ResolvedPlan {
    let defaults = Defaults {
        zone: Zone::get("Europe/Berlin").expect("the zone is in the database"),
        language: Language::En,
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    let source = Source::new("p.toml", text.to_owned());
    read(&source, &defaults).expect("the plan is sound").plan
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn benches(criterion: &mut Criterion) {
    let key = IdKey::new(&[9; 32]);
    let context = Context {
        patient: 7,
        barred: None,
        answers: true,
        caregivers: &[],
        staff: &[],
        fits: &Unlimited,
        ids: &key,
        claimed: &[],
    };
    let before = plan(PLAN);
    let plan = plan(&format!("{PLAN}{CHECK_IN}"));
    let overdue = ExpiredReason::DaemonDown;
    let on = |plan: &ResolvedPlan, state: &PatientState, input: Input<'_>, now| -> Decision {
        step(&context, plan, state.clone(), input, now)
    };

    // A patient of some days: yesterday's doses are remembered, all of them closed.
    let applied = Input::PlanChanged { old: None, overdue };
    let first = at("2026-03-02T00:00:00Z");
    let mut decision = on(&plan, &PatientState::new(first), applied, first);
    let due = at("2026-03-05T06:30:00Z");
    loop {
        for message in std::mem::take(&mut decision.messages) {
            let settled = Input::Settled {
                message: message.key.id,
                settlement: Settlement::Accepted(message.not_before),
            };
            decision = on(&plan, &decision.state, settled, message.not_before);
        }
        let now = decision.wake_at.expect("there is a next wake");
        if now >= due - dosed::engine::LOOK_AHEAD {
            break;
        }
        decision = on(&plan, &decision.state, Input::Wake { overdue }, now);
    }
    let asleep = decision.state;
    let now = due - dosed::engine::LOOK_AHEAD;
    let fired = on(&plan, &asleep, Input::Wake { overdue }, now);
    assert_eq!(fired.messages.len(), 1, "two doses of three fall at 07:30");
    let settled = Input::Settled {
        message: fired.messages[0].key.id,
        settlement: Settlement::Accepted(due),
    };
    let changed = Input::PlanChanged {
        old: Some(&before),
        overdue,
    };

    let mut group = criterion.benchmark_group("step");
    for (name, state, input, now) in [
        (
            "wake: two doses of three fall",
            &asleep,
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
                |state| step(&context, black_box(&plan), state, black_box(input), now),
                BatchSize::SmallInput,
            );
        });
    }
    let plan_bytes = postcard::to_stdvec(&plan).expect("a plan can be written");
    let state_bytes = postcard::to_stdvec(&asleep).expect("a state can be written");
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
