//! Keeping who saw and did what on the pages: gathered for a moment, then one commit for all.

use super::shared::Shared;
use crate::store::Deed;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// So many deeds may wait for their commit. The pages make a few a minute.
const WAITING_MAX: usize = 4_096;
/// So many are committed at once.
const BATCH: usize = 256;
/// What comes within this is committed together.
const GATHERED: Duration = Duration::from_millis(500);
/// After a failure the store is left alone for this.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// A batch that fails so often is given up: the store is down for longer than a restart takes.
const TRIES_MAX: u32 = 60;

/// Where deeds go.
#[derive(Clone)]
pub struct Deeds(mpsc::Sender<Deed>);

/// Where they come from.
pub struct Noted(mpsc::Receiver<Deed>);

/// A way for deeds from the pages to the store.
pub fn open() -> (Deeds, Noted) {
    let (deeds, noted) = mpsc::channel(WAITING_MAX);
    (Deeds(deeds), Noted(noted))
}

impl Deeds {
    /// Returns at once.
    pub fn note(&self, deed: Deed) {
        if self.0.try_send(deed).is_err() {
            tracing::error!("something seen or done on the pages is not in the audit");
        }
    }
}

/// Commits what was seen and done until nobody can see or do anything any more.
pub async fn run(shared: Arc<Shared>, mut noted: Noted) {
    let mut batch = Vec::with_capacity(BATCH);
    while noted.0.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < BATCH {
            // At the end the channel closes, and this with it.
            let more =
                async { while batch.len() < BATCH && gather(&mut noted, &mut batch).await {} };
            let _ = tokio::time::timeout(GATHERED, more).await;
        }
        commit(&shared, &batch).await;
        batch.clear();
    }
}

/// One more; false when there will be none.
async fn gather(noted: &mut Noted, batch: &mut Vec<Deed>) -> bool {
    let more = noted.0.recv().await;
    let came = more.is_some();
    batch.extend(more);
    came
}

async fn commit(shared: &Shared, batch: &[Deed]) {
    for tried in 1..=TRIES_MAX {
        match shared.store.note_deeds(shared.now(), batch.to_vec()).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(%error, tried, "what was seen and done is not in the audit yet");
                shared.clock.sleep(STORE_PAUSE).await;
            }
        }
    }
    tracing::error!(
        lost = batch.len(),
        "what was seen and done is not in the audit"
    );
}
