//! Requests of tools on this machine, each brought to the task that it concerns.

use super::accounts::Accounts;
use super::dispatcher::Notice;
use super::shared::Shared;
use super::{advice, calls, enrolment, erasure};
use crate::engine::Adviser;
use crate::http::admin::{Released, Request};
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Answers until `stop`. A reload may take minutes: the planner answers it, and nobody who
/// releases a hold waits for it.
pub async fn run(
    shared: Arc<Shared>,
    mut requests: mpsc::Receiver<Request>,
    (planner, dispatcher, bell, accounts): (
        mpsc::Sender<Request>,
        mpsc::UnboundedSender<Notice>,
        Arc<Notify>,
        Arc<Accounts>,
    ),
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
            Some(Request::Enrol { request, answer }) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { answer.send(enrolment::enrol(&shared, request).await) });
            }
            Some(Request::Say { request, answer }) => {
                let (shared, dispatcher) = (Arc::clone(&shared), dispatcher.clone());
                let bell = Arc::clone(&bell);
                tokio::spawn(async move {
                    let by = Adviser::Operator;
                    answer.send(advice::say(&shared, &dispatcher, &bell, request, by).await)
                });
            }
            Some(Request::EndCall { request, answer }) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    answer.send(calls::end(&shared, request, Adviser::Operator).await)
                });
            }
            Some(Request::ChangeAccount { request, answer }) => {
                let (shared, accounts) = (Arc::clone(&shared), Arc::clone(&accounts));
                tokio::spawn(async move { answer.send(accounts.change(&shared, request).await) });
            }
            Some(Request::Erase { request, answer }) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { answer.send(erasure::erase(&shared, request).await) });
            }
            Some(reload @ Request::Reload { .. }) => {
                let planner = planner.clone();
                tokio::spawn(async move { planner.send(reload).await });
            }
            None => return,
        }
    }
}
