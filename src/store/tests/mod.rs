//! Tests of the store.

mod backup;
mod bindings;
mod care;
mod digest;
mod disk;
mod dossier;
mod erase;
mod faults;
mod fsck;
mod life;
mod opening;
mod others;
mod page;
mod pages;
mod quarantine;
mod receive;
mod reopening;
mod retention;
mod strangers;
mod talk;

use super::*;
use crate::engine::{ExpiredReason, MessageId, MessageIds, Settlement, Unlimited};
use crate::plan::{Day, Defaults, Language, ResolvedPlan, Zone, diagnostic::Source, read};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

const DAY: u32 = 20_514;

/// 2026-03-02 00:00 UTC and some seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_409_600 + seconds).unwrap()
}

fn hour(hours: i64) -> Timestamp {
    at(hours * 3600)
}

fn plan(text: &str) -> ResolvedPlan {
    let defaults = Defaults {
        zone: Zone::get("UTC").unwrap(),
        language: Language::En,
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    let source = Source::new("p.toml", text.to_owned());
    read(&source, &defaults).unwrap().plan
}

const TWICE: &str = "name = \"Wang\"\n[[medication]]\nname = \"Metformin\"\ntake = \"1 tablet\"\n\
                     at = \"08:00, 20:00\"\n";

fn change(patient: &str, text: &str) -> PlanChange {
    let plan = plan(text);
    PlanChange {
        patient: patient.to_owned(),
        meaning: plan.meaning_hash(),
        source: Sha256::digest(text).into(),
        plan,
        inline: false,
        text: text.to_owned(),
        file: format!("{patient}.toml"),
        address: Some(Address {
            channel: "wechat".to_owned(),
            address: format!("openid-{patient}"),
        }),
        caregivers: Vec::new(),
    }
}

fn telemetry() -> Arc<Telemetry> {
    Arc::new(Telemetry::new(|_, _| {}))
}

fn options(directory: &tempfile::TempDir) -> Options {
    Options {
        path: directory.path().join("dosed.redb"),
        cache_bytes: 1 << 20,
    }
}

fn open(options: &Options) -> Store {
    Store::open(options, telemetry()).unwrap()
}

async fn apply(store: &Store, now: Timestamp, changes: Vec<PlanChange>) -> Applied {
    let fits = Arc::new(Unlimited);
    let overdue = ExpiredReason::DaemonDown;
    let applied = store.apply(now, changes, Vec::new(), overdue, fits, DAY);
    applied.await.unwrap()
}

async fn end(store: &Store, now: Timestamp, patient: &str) -> Applied {
    let ends = vec![PlanEnd {
        patient: patient.to_owned(),
    }];
    let fits = Arc::new(Unlimited);
    let overdue = ExpiredReason::DaemonDown;
    store
        .apply(now, Vec::new(), ends, overdue, fits, DAY)
        .await
        .unwrap()
}

async fn fire(store: &Store, now: Timestamp) -> Fired {
    let fits = Arc::new(Unlimited);
    let overdue = ExpiredReason::DaemonDown;
    store.fire(now, 100, overdue, fits, DAY).await.unwrap()
}

async fn settle(store: &Store, now: Timestamp, queued: &Queued, outcome: TriedOutcome) -> Settled {
    let tried = Tried {
        key: queued.message.key,
        patient: queued.patient,
        outcome,
        receipt: Receipt::default(),
    };
    let fits = Arc::new(Unlimited);
    store.settle(now, vec![tried], fits, DAY).await.unwrap()
}

fn accepted(now: Timestamp) -> TriedOutcome {
    TriedOutcome::Final(Settlement::Accepted(now))
}

async fn waiting(store: &Store) -> Vec<Queued> {
    may_leave(store, 1_000, Timestamp::MAX).await.found
}

/// The first of those that may leave before `until`.
async fn may_leave(store: &Store, limit: usize, until: Timestamp) -> Waiting {
    let (none, first) = (MessageIds::default(), OutboxPlace::FIRST);
    store.waiting(limit, none, first, until).await.unwrap()
}

fn ids(queued: &[Queued]) -> MessageIds {
    queued.iter().map(|it| it.message.key.id).collect()
}
