//! The transactions of a reminder, on a store without a daemon.

use dosed::engine::{ExpiredReason, Settlement, Unlimited};
use dosed::plan::ResolvedPlan;
use dosed::store::{
    Address, Fired, Options, PlanChange, Queued, Receipt, Store, Telemetry, Tried, TriedOutcome,
};
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The store of a directory.
pub fn options(directory: &Path, cache_bytes: usize) -> Options {
    Options {
        path: directory.join("dosed.redb"),
        cache_bytes,
    }
}

/// What a store tells nobody.
pub fn telemetry() -> Arc<Telemetry> {
    Arc::new(Telemetry::new(|_, _| {}))
}

/// A patient's first plan.
pub fn change(patient: &str, plan: &ResolvedPlan, text: &str) -> PlanChange {
    PlanChange {
        patient: patient.to_owned(),
        plan: plan.clone(),
        meaning: [1; 32],
        source: [1; 32],
        inline: false,
        text: text.to_owned(),
        file: format!("{patient}.toml"),
        caregivers: Vec::new(),
        address: Some(Address {
            channel: "wechat".to_owned(),
            address: format!("o{patient:0>27}"),
        }),
    }
}

/// Brings plans into force.
pub fn apply(runtime: &Runtime, store: &Store, now: Timestamp, changes: Vec<PlanChange>) {
    let unlimited = Arc::new(Unlimited);
    let reason = ExpiredReason::DaemonDown;
    let applied = store.apply(now, changes, Vec::new(), reason, unlimited, 0);
    runtime.block_on(applied).expect("the plans are applied");
}

/// Wakes at most `limit` patients.
pub fn fire(runtime: &Runtime, store: &Store, now: Timestamp, limit: usize) -> Fired {
    let unlimited = Arc::new(Unlimited);
    let fired = store.fire(now, limit, ExpiredReason::DaemonDown, unlimited, 0);
    runtime.block_on(fired).expect("the patients are woken")
}

/// Claims messages, all of them.
pub fn claim(runtime: &Runtime, store: &Store, now: Timestamp, queued: Vec<Queued>) -> Vec<Queued> {
    let wanted = queued.len();
    let claimed = runtime.block_on(store.claim(now, queued));
    let messages = claimed.expect("the messages are claimed").messages;
    assert_eq!(messages.len(), wanted);
    messages
}

/// Settles claimed messages as accepted. Each has the number after the one before.
pub fn settle(
    runtime: &Runtime,
    store: &Store,
    now: Timestamp,
    claimed: &[Queued],
    number: Option<i64>,
) {
    let numbers = number.map_or(i64::MAX..i64::MAX, |first| first..i64::MAX);
    let mut numbers = numbers.map(Some);
    let batch = claimed
        .iter()
        .map(|queued| Tried {
            key: queued.message.key,
            patient: queued.patient,
            outcome: TriedOutcome::Final(Settlement::Accepted(now)),
            receipt: Receipt {
                number: numbers.next().flatten(),
                ..Receipt::default()
            },
        })
        .collect();
    let settled = store.settle(now, batch, Arc::new(Unlimited), 0);
    runtime
        .block_on(settled)
        .expect("the outcomes are recorded");
}
