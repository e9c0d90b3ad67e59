//! The administration socket: HTTP/JSON over a Unix socket that only the daemon's user can open.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// Something that a tool on this machine asks of the daemon.
pub enum Request {
    /// Read configuration and plans again.
    Reload {
        /// Apply also a removal of many plans at once.
        accept_removals: bool,
        /// Where the answer goes.
        answer: oneshot::Sender<Reloaded>,
    },
    /// Take the clock as right although it is not plausible.
    AcceptClock {
        /// Where the answer goes.
        answer: oneshot::Sender<Released>,
    },
    /// Go on sending although much was sent within an hour.
    Resume {
        /// Where the answer goes.
        answer: oneshot::Sender<Released>,
    },
}

/// What came of asking for a hold to be released.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Released {
    /// Sending was held for that, and is not any more.
    pub released: bool,
}

/// Body of `POST /reload`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReloadRequest {
    /// Apply also a removal of many plans at once.
    #[serde(default)]
    pub accept_removals: bool,
}

/// What a reload did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// Why nothing was applied; `None` if it was.
    pub refused: Option<String>,
    /// Plans whose meaning changed.
    pub changed: usize,
    /// Plans of which only the text changed.
    pub reworded: usize,
    /// Plans that ended.
    pub ended: usize,
    /// Plans rejected for errors.
    pub rejected: usize,
    /// Plans whose removal waits to be accepted.
    pub held_removals: usize,
    /// Configuration keys that changed and need a restart.
    pub restart_needed: Vec<String>,
}

/// The routes of the administration socket.
pub(super) fn router(requests: mpsc::Sender<Request>) -> Router {
    Router::new()
        .route("/reload", post(reload))
        .route("/clock/accept", post(accept_clock))
        .route("/resume", post(resume))
        .with_state(requests)
}

async fn reload(
    State(requests): State<mpsc::Sender<Request>>,
    Json(body): Json<ReloadRequest>,
) -> Result<Json<Reloaded>, StatusCode> {
    let accept_removals = body.accept_removals;
    ask(&requests, |answer| Request::Reload {
        accept_removals,
        answer,
    })
    .await
}

async fn accept_clock(
    State(requests): State<mpsc::Sender<Request>>,
) -> Result<Json<Released>, StatusCode> {
    ask(&requests, |answer| Request::AcceptClock { answer }).await
}

async fn resume(
    State(requests): State<mpsc::Sender<Request>>,
) -> Result<Json<Released>, StatusCode> {
    ask(&requests, |answer| Request::Resume { answer }).await
}

async fn ask<T>(
    requests: &mpsc::Sender<Request>,
    request: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Result<Json<T>, StatusCode> {
    let (answer, answered) = oneshot::channel();
    requests
        .send(request(answer))
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answered
        .await
        .map(Json)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
