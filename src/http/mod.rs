//! The listeners: health, metrics and the pages for the clinic's people on the private one, the
//! platform's callback and the patients' page on the public one, administration on a Unix socket.
//!
//! This module reaches the rest only through the handles given to it: a [`Source`] that answers
//! what is asked, and a channel into which administrative requests go.

pub mod admin;
mod bounded;
pub mod callback;
pub mod health;
pub mod page;
pub mod patient_page;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
pub use bounded::{Count, Unserved};
use health::{Health, Status};
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What the private listener may ask of the daemon. All answers are immediate: nothing waits for
/// the store or the API.
pub trait Source: Send + Sync + 'static {
    /// True while the scheduler's loop makes turns.
    fn live(&self) -> bool;
    /// Empty when the daemon can do its work; else the reasons why not.
    fn not_ready(&self) -> Vec<String>;
    /// The checks, the summary, the times.
    fn health(&self) -> Health;
    /// The metrics in the text format.
    fn metrics(&self) -> String;
}

/// What monitoring asks of the private listener.
fn monitored() -> [(&'static str, MethodRouter<Arc<dyn Source>>); 5] {
    [
        ("/livez", get(livez)),
        ("/readyz", get(readyz)),
        ("/health", get(health)),
        ("/healthz", get(health)),
        ("/metrics", get(metrics)),
    ]
}

/// All paths of the private listener, with parameters in braces: nothing of them is served by the
/// public one.
pub fn private_paths() -> impl Iterator<Item = &'static str> {
    monitored()
        .into_iter()
        .map(|(path, _)| path)
        .chain(page::paths())
}

/// The routes of the private listener.
fn private(source: Arc<dyn Source>) -> Router {
    let mut router = Router::new();
    for (path, answers) in monitored() {
        router = router.route(path, answers);
    }
    router.with_state(source)
}

/// Serves the private listener's routes until `stop`, and then what is under way.
pub async fn serve_private(
    listener: TcpListener,
    source: Arc<dyn Source>,
    clinic: Arc<dyn page::clinic::Clinic>,
    count: Count,
    stop: CancellationToken,
) {
    let router = private(source).merge(page::router(clinic));
    let time = bounded::PRIVATE_CONNECTION_MAX;
    bounded::serve(listener, router, time, count, stop).await;
}

/// What the public listener serves.
#[derive(Default)]
pub struct PublicParts {
    /// The callback of the messaging platform, and at which path.
    pub callback: Option<(String, Arc<dyn callback::Callback>)>,
    /// The patients' page.
    pub page: Option<Arc<dyn patient_page::PatientPage>>,
}

impl PublicParts {
    /// The callback alone.
    #[must_use]
    pub fn callback_at(path: &str, callback: Arc<dyn callback::Callback>) -> Self {
        Self {
            callback: Some((path.to_owned(), callback)),
            page: None,
        }
    }
}

/// Serves the public parts until `stop`, and then what is under way. Nothing of the private
/// listener can be reached here.
pub async fn serve_public(
    listener: TcpListener,
    parts: PublicParts,
    count: Count,
    stop: CancellationToken,
) {
    let mut router = Router::new();
    if let Some((path, callback)) = parts.callback {
        router = router.merge(callback::router(&path, callback));
    }
    if let Some(page) = parts.page {
        router = router.merge(patient_page::router(page));
    }
    let time = bounded::PUBLIC_CONNECTION_MAX;
    bounded::serve(listener, router, time, count, stop).await;
}

/// Serves the administration socket's routes for as long as the socket works.
///
/// # Errors
/// The socket failed.
pub async fn serve_admin(
    listener: UnixListener,
    requests: mpsc::Sender<admin::Request>,
) -> io::Result<()> {
    axum::serve(listener, admin::router(requests)).await
}

async fn livez(State(source): State<Arc<dyn Source>>) -> Response {
    if source.live() {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the scheduler has made no turn for 30 s\n",
        )
            .into_response()
    }
}

async fn readyz(State(source): State<Arc<dyn Source>>) -> Response {
    let reasons = source.not_ready();
    if reasons.is_empty() {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n").into_response()
    }
}

async fn health(State(source): State<Arc<dyn Source>>) -> Response {
    let health = source.health();
    let status = match health.status() {
        Status::Pass | Status::Warn => StatusCode::OK,
        Status::Fail => StatusCode::SERVICE_UNAVAILABLE,
    };
    let headers = [
        (header::CONTENT_TYPE, "application/health+json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, health.to_json().to_string() + "\n").into_response()
}

async fn metrics(State(source): State<Arc<dyn Source>>) -> Response {
    let headers = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (headers, source.metrics()).into_response()
}
