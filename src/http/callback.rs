//! The callback address of the messaging platform, the one thing on the public listener.
//!
//! HTTP stops here: what a request means, and whether it is the platform's at all, the
//! [`Callback`] given to this module decides.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Most bytes of a request's body; the platform's have some kilobytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// A body that has not come by then does not come.
const BODY_READ_MAX: Duration = Duration::from_secs(3);

/// The decoded pairs of a request's query.
pub type Pairs = Vec<(String, String)>;

/// Who judges requests and takes what they carry.
pub trait Callback: Send + Sync + 'static {
    /// The platform asks whether the address is the account's: what to answer; `None` if it is not
    /// the platform that asks.
    fn greet(&self, query: Pairs) -> Option<String>;

    /// The platform pushes something. Comes to an end within about a second.
    fn receive(&self, query: Pairs, body: Bytes) -> BoxFuture<'_, Answer>;

    /// A request was refused before it could be judged: its query, or its body.
    fn unread(&self);
}

/// What follows on something that was pushed.
pub enum Answer {
    /// It was taken, durably; this is what the platform is told.
    Taken(Cow<'static, str>),
    /// It is not the platform's, or not to be understood.
    Refused,
    /// It was not taken, or nobody knows; the platform is to send it again.
    Unavailable,
}

/// The routes of the public listener: the callback at `path` and nothing else.
///
/// `path` begins with a slash and holds none of the characters that a route gives a meaning.
pub(super) fn router(path: &str, callback: Arc<dyn Callback>) -> Router {
    Router::new()
        .route(path, get(greet).post(receive))
        .with_state(callback)
}

async fn greet(State(callback): State<Arc<dyn Callback>>, request: Request) -> Response {
    let Ok(Query(query)) = Query::<Pairs>::try_from_uri(request.uri()) else {
        return refuse(&*callback, StatusCode::BAD_REQUEST);
    };
    match callback.greet(query) {
        Some(echo) => said(echo.into()),
        None => StatusCode::FORBIDDEN.into_response(),
    }
}

async fn receive(State(callback): State<Arc<dyn Callback>>, request: Request) -> Response {
    let Ok(Query(query)) = Query::<Pairs>::try_from_uri(request.uri()) else {
        return refuse(&*callback, StatusCode::BAD_REQUEST);
    };
    if is_too_long(request.headers()) {
        return refuse(&*callback, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
    let body = match tokio::time::timeout(BODY_READ_MAX, body).await {
        Ok(Ok(body)) => body,
        // Too long, or broken off: then nobody reads the answer.
        Ok(Err(_)) => return refuse(&*callback, StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => return refuse(&*callback, StatusCode::REQUEST_TIMEOUT),
    };
    match callback.receive(query, body).await {
        Answer::Taken(body) => said(body),
        Answer::Refused => StatusCode::FORBIDDEN.into_response(),
        Answer::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn refuse(callback: &dyn Callback, status: StatusCode) -> Response {
    callback.unread();
    status.into_response()
}

/// Whether a body says of itself that it is too long: then none of it is read.
fn is_too_long(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length > BODY_BYTES_MAX as u64)
}

fn said(body: Cow<'static, str>) -> Response {
    // As text, whatever it is: an echo that a browser takes for a page would be one of ours.
    let kind = "text/plain; charset=utf-8";
    let body = match body {
        Cow::Borrowed(body) => Body::from(body),
        Cow::Owned(body) => Body::from(body),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
