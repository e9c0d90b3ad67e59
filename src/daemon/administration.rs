//! Requests of tools on this machine, each brought to the task that it concerns.

use super::shared::Shared;
use crate::http::admin::{Released, Request};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Answers until `stop`. A reload may take minutes: the planner answers it, and nobody who
/// releases a hold waits for it.
pub async fn run(
    shared: Arc<Shared>,
    mut requests: mpsc::Receiver<Request>,
    planner: mpsc::Sender<Request>,
    stop: CancellationToken,
) {
    loop {
        let request = tokio::select! {
            request = requests.recv() => request,
            () = stop.cancelled() => return,
        };
        // A tool that has gone away is not waited for.
        match request {
            Some(Request::AcceptClock { answer }) => {
                // Noted before it is acted upon: nothing old is removed by such a clock.
                let doubted = shared.time().doubted;
                if doubted && let Err(error) = shared.store.note_accepted(shared.clock.now()).await
                {
                    tracing::error!(%error, "that the clock is accepted cannot be noted");
                }
                let released = shared.accept_clock("an operator");
                let _ = answer.send(Released { released });
            }
            Some(Request::Resume { answer }) => {
                let released = shared.resume().await;
                let _ = answer.send(Released { released });
            }
            Some(reload @ Request::Reload { .. }) => {
                let planner = planner.clone();
                tokio::spawn(async move { planner.send(reload).await });
            }
            None => return,
        }
    }
}
