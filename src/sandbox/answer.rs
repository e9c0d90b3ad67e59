//! What goes back: as the platform writes it, or as the fault wants it.

use super::connection::Hangup;
use super::fault::Fault;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use std::io;
use tokio_util::sync::CancellationToken;

/// Answers as the fault wants it; `body` is what is to be said where anything is. What is never
/// answered ends with `stop`.
pub(super) async fn answer(
    fault: Fault,
    hangup: &Hangup,
    stop: &CancellationToken,
    body: String,
) -> Response {
    match fault {
        Fault::None | Fault::Errcode(_) | Fault::ErrcodeAfter(_) => json_response(body),
        Fault::Http(status) | Fault::HttpAfter(status) => html_response(status),
        Fault::Hang | Fault::HangAfter => {
            stop.cancelled().await;
            hangup.cut()
        }
        Fault::DropBefore | Fault::DropAfter => hangup.cut(),
        Fault::Delay(delay) => {
            tokio::select! {
                () = tokio::time::sleep(delay) => json_response(body),
                () = stop.cancelled() => hangup.cut(),
            }
        }
        Fault::Truncate => truncated(body),
        Fault::Garble => html_response(200),
    }
}

pub(super) fn json_response(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; encoding=utf-8"),
    );
    response
}

/// What a gateway in front of the platform says when something is amiss.
pub(super) fn html_response(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(format!("<html><h1>{status}</h1></html>\n")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// The head promises the whole body, half of it follows, then the connection ends.
fn truncated(body: String) -> Response {
    let whole = body.len();
    let half = Bytes::from(body).slice(..whole / 2);
    let parts = futures_util::stream::unfold(Some(half), async |half| {
        if let Some(half) = half {
            return Some((Ok(half), None));
        }
        // Yields once, so that the half is written before the error ends the connection.
        tokio::task::yield_now().await;
        Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), None))
    });
    let mut response = json_response(Body::from_stream(parts));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, whole.into());
    response
}
