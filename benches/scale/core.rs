//! Goal 6: the decision about one patient.

use super::Size;
use super::measure::median;
use super::table::{Goal, Row};
use crate::support::core::{Core, OVERDUE};
use dosed::engine::{Input, PatientState};
use dosed::plan::ResolvedPlan;
use redb::{Database, ReadableDatabase, TableDefinition};
use std::hint::black_box;
use std::time::Duration;

const PLANS: TableDefinition<u32, &[u8]> = TableDefinition::new("plans");
const STATES: TableDefinition<u32, &[u8]> = TableDefinition::new("states");

/// Patients in the store of which one after the other is loaded.
const PATIENTS: u32 = 10_000;

pub fn measure(size: Size) -> Vec<Row> {
    let core = Core::new();
    let rounds = size.of(101, 31);
    let wake = Input::Wake { overdue: OVERDUE };
    let mut states: Vec<PatientState> = Vec::new();
    let step = median(
        (0..rounds)
            .map(|_| {
                states.clear();
                states.resize(1_000, core.asleep.clone());
                per_item(1_000, |_| {
                    let state = states.pop().expect("one for each");
                    let context = core.context();
                    dosed::engine::step(&context, black_box(&core.plan), state, wake, core.now)
                })
            })
            .collect(),
    );
    let plan = postcard::to_stdvec(&core.plan).expect("a plan can be written");
    let state = postcard::to_stdvec(&core.asleep).expect("a state can be written");
    let database = database(&plan, &state);
    let snapshot = database.begin_read().expect("it can be read");
    let plans = snapshot.open_table(PLANS).expect("there are plans");
    let states = snapshot.open_table(STATES).expect("there are states");
    let whole = median(
        (0..rounds)
            .map(|_| {
                per_item(1_000, |at| {
                    // Scattered, as the patients of an instant are.
                    let number = (at * 7_919) % PATIENTS;
                    let plan = plans.get(number).expect("readable").expect("there");
                    let state = states.get(number).expect("readable").expect("there");
                    let plan: ResolvedPlan = postcard::from_bytes(plan.value()).expect("a plan");
                    let state = postcard::from_bytes(state.value()).expect("a state");
                    let context = core.context();
                    let decision = dosed::engine::step(&context, &plan, state, wake, core.now);
                    let state = postcard::to_stdvec(&decision.state).expect("it can be written");
                    (decision, state)
                })
            })
            .collect(),
    );
    vec![
        Row::timed(
            6,
            "core.step",
            "step of a patient with three medications",
            step,
            "µs",
            Goal::AtMost(3.0),
        ),
        Row::timed(
            6,
            "core.whole",
            "load, decode, step, encode",
            whole,
            "µs",
            Goal::AtMost(8.0),
        ),
        Row::steady(
            6,
            "core.bytes",
            "plan and state of that patient as they are kept",
            (plan.len() + state.len()) as f64,
            "bytes",
            Goal::Shown,
        ),
    ]
}

/// Microseconds of a processor for one of so many: what else runs on the machine does not count.
fn per_item<T>(count: u32, mut work: impl FnMut(u32) -> T) -> f64 {
    let began = cpu();
    for at in 0..count {
        black_box(work(at));
    }
    cpu().saturating_sub(began).as_secs_f64() * 1e6 / f64::from(count)
}

/// For how long this thread has run.
fn cpu() -> Duration {
    let ran = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(ran.tv_sec as u64, ran.tv_nsec as u32)
}

fn database(plan: &[u8], state: &[u8]) -> Database {
    let backend = redb::backends::InMemoryBackend::new();
    let database = Database::builder().create_with_backend(backend);
    let database = database.expect("memory can be had");
    let transaction = database.begin_write().expect("it can be written");
    {
        let mut plans = transaction.open_table(PLANS).expect("a table");
        let mut states = transaction.open_table(STATES).expect("a table");
        for number in 0..PATIENTS {
            plans.insert(number, plan).expect("a row");
            states.insert(number, state).expect("a row");
        }
    }
    transaction.commit().expect("it can be written");
    database
}
