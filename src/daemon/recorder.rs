//! The recorder: commits what came of tries, in groups.

use super::dispatcher::Notice;
use super::shared::Shared;
use super::worker::Handoff;
use crate::store::{Queued, Receipt, StoreError, Tried, TriedOutcome};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// At most so many outcomes in one commit.
const BATCH_MAX: usize = 2_000;

/// At most so many outcomes gather while messages wait to be sent: of each is kept what is to be
/// written of it, and the message itself only where it is tried again.
const GATHERED_MAX: usize = 100_000;

/// How long outcomes gather before they are committed.
const LINGER: Duration = Duration::from_millis(4);

/// So many times the linger is repeated while messages wait to be sent to an API that is fast:
/// sending comes first. A crash then makes what was sent in some three seconds be sent again,
/// under its ids.
const LINGERS_MAX: u32 = 750;

/// After a failure the store is left alone for this.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// A try that has ended, or a message whose time is over.
pub struct Ended {
    /// What is to be written of it.
    pub(super) tried: Tried,
    /// The message; kept where it is to be tried again, and only there.
    again: Option<Queued>,
}

impl Ended {
    /// One of which the channel said nothing else.
    #[must_use]
    pub fn new(queued: Queued, outcome: TriedOutcome) -> Self {
        Self::with_receipt(queued, outcome, Receipt::default())
    }

    /// One with what else the channel said.
    #[must_use]
    pub fn with_receipt(queued: Queued, outcome: TriedOutcome, receipt: Receipt) -> Self {
        let tried = Tried {
            key: queued.message.key,
            patient: queued.patient,
            outcome,
            receipt,
        };
        let again = matches!(outcome, TriedOutcome::Later(..)).then_some(queued);
        Self { tried, again }
    }
}

/// Settles until all senders are gone and nothing is left.
pub async fn run(
    shared: Arc<Shared>,
    mut ended: mpsc::UnboundedReceiver<Ended>,
    handoff: Arc<Handoff>,
    dispatcher: mpsc::UnboundedSender<Notice>,
) {
    let mut batch: Vec<Ended> = Vec::new();
    while ended.recv_many(&mut batch, BATCH_MAX).await > 0 {
        // Those that end within the linger share the commit.
        for _ in 0..LINGERS_MAX {
            shared.clock.sleep(LINGER).await;
            while batch.len() < GATHERED_MAX
                && let Ok(one) = ended.try_recv()
            {
                batch.push(one);
            }
            if batch.len() >= GATHERED_MAX || !handoff.is_busy() {
                break;
            }
        }
        let mut gathered = std::mem::take(&mut batch).into_iter();
        while gathered.len() > 0 {
            let group: Vec<Ended> = gathered.by_ref().take(BATCH_MAX).collect();
            if !settle(&shared, group, &dispatcher).await {
                return;
            }
        }
    }
}

/// Commits a batch, however long that takes. False when the store is closed.
async fn settle(
    shared: &Shared,
    batch: Vec<Ended>,
    dispatcher: &mpsc::UnboundedSender<Notice>,
) -> bool {
    let tried: Vec<Tried> = batch.iter().map(|ended| ended.tried).collect();
    let settled = loop {
        let now = shared.now();
        let limits = Arc::clone(&shared.outlet().limits);
        match shared
            .store
            .settle(now, tried.clone(), limits, shared.day(now))
            .await
        {
            Ok(settled) => break settled,
            Err(StoreError::Closed) => return false,
            Err(error) => {
                tracing::error!(%error, "outcomes cannot be recorded yet");
                shared.clock.sleep(STORE_PAUSE).await;
            }
        }
    };
    shared.vitals.closed(&settled.tally);
    shared.metrics.closed(&settled.tally);
    let mut done = Vec::new();
    let mut put_off = Vec::new();
    for Ended { tried, again } in batch {
        let Tried { key, outcome, .. } = tried;
        let ended = settled.ended.iter().find(|(ended, _)| *ended == key.id);
        let settlement = match (ended, outcome) {
            (Some((_, settlement)), _) => *settlement,
            (None, TriedOutcome::Final(settlement)) => settlement,
            (None, TriedOutcome::Later(at, attempts)) => {
                put_off.extend(again.map(|queued| Queued {
                    attempts,
                    not_before: at,
                    ..queued
                }));
                continue;
            }
        };
        shared.metrics.settled(key.class, settlement);
        done.push(key.id);
    }
    // The dispatcher ends before the recorder; what it does not hear any more is in the store.
    let _ = dispatcher.send(Notice::Settled(done));
    if !put_off.is_empty() {
        let _ = dispatcher.send(Notice::PutOff(put_off));
    }
    if !settled.queued.is_empty() {
        let _ = dispatcher.send(Notice::Queued(settled.queued));
    }
    true
}
