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
        .with_state(requests)
}

async fn reload(
    State(requests): State<mpsc::Sender<Request>>,
    Json(body): Json<ReloadRequest>,
) -> Result<Json<Reloaded>, StatusCode> {
    let (answer, answered) = oneshot::channel();
    requests
        .send(Request::Reload {
            accept_removals: body.accept_removals,
            answer,
        })
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answered
        .await
        .map(Json)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
