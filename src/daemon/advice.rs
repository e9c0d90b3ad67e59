//! Advice that somebody at the machine or at a page gives to patients.

use super::dispatcher::Notice;
use super::shared::Shared;
use crate::engine::Adviser;
use crate::http::admin::{Said, SayRequest, SayTo};
use crate::store::Audience;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// So many patients are advised in one transaction: no reminder waits long for it.
const BATCH: usize = 200;

/// Gives advice, or counts whom it would go to.
pub async fn say(
    shared: &Shared,
    dispatcher: &mpsc::UnboundedSender<Notice>,
    bell: &Notify,
    request: SayRequest,
    by: Adviser,
) -> Said {
    let mut said = Said::default();
    let audience = match request.to {
        SayTo::Patient(id) => Audience::Patient(id),
        SayTo::All => Audience::All,
        SayTo::Taking(medication) => Audience::Taking(medication),
    };
    let patients = match shared.store.audience(audience).await {
        Ok(patients) => patients,
        Err(error) => {
            said.failed = Some(error.to_string());
            return said;
        }
    };
    said.patients = patients.len();
    if request.count_only {
        return said;
    }
    for batch in patients.chunks(BATCH) {
        let now = shared.now();
        let advised = shared.store.advise(
            now,
            batch.to_vec(),
            request.text.clone(),
            by.clone(),
            Arc::clone(&shared.outlet().limits) as _,
            shared.day(now),
        );
        match advised.await {
            Ok(advised) => {
                said.sent += advised.sent;
                said.to_call += advised.to_call;
                shared.metrics.closed(&advised.tally);
                shared.vitals.closed(&advised.tally);
                if !advised.queued.is_empty() {
                    // What does not arrive there any more is in the store.
                    let _ = dispatcher.send(Notice::Queued(advised.queued));
                }
            }
            Err(error) => {
                said.failed = Some(error.to_string());
                break;
            }
        }
    }
    bell.notify_one();
    said
}
