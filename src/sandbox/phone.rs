//! The phone page: what the followers' phones show, live in a browser.
//!
//! Plain files without a build step, a snapshot (`/phone/state`) and a stream of what comes after
//! it (`/phone/events`). Answering from the page would be one more route here and one more method
//! of the account.

use super::account::Account;
use super::server::{Serving, Shared};
use super::{Content, Delivered};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// How often the page is told the time; in between it counts by itself.
const TELL_TIME_EVERY: Duration = Duration::from_secs(5);
/// Messages in one snapshot; who asks for more asks again.
const SNAPSHOT_MESSAGES: usize = 2000;

/// Scripts and styles come from here only, nothing is inline, nothing frames the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

pub(super) fn routes() -> Router<Serving> {
    Router::new()
        .route(
            "/",
            file("text/html; charset=utf-8", include_str!("phone/index.html")),
        )
        .route(
            "/phone.css",
            file("text/css; charset=utf-8", include_str!("phone/phone.css")),
        )
        .route(
            "/phone.js",
            file(
                "text/javascript; charset=utf-8",
                include_str!("phone/phone.js"),
            ),
        )
        .route(
            "/icon.svg",
            file("image/svg+xml", include_str!("phone/icon.svg")),
        )
        .route("/phone/state", get(state))
        .route("/phone/events", get(events))
}

fn file(kind: &'static str, text: &'static str) -> axum::routing::MethodRouter<Serving> {
    get(async move || guarded(([(header::CONTENT_TYPE, kind)], text).into_response()))
}

/// What every answer to a browser carries.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response
}

/// The message after which the caller wants to know more; 0 for all.
#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn state(State(serving): State<Serving>, Query(After { after }): Query<After>) -> Response {
    let shared = &serving.shared;
    let mut state = time(shared);
    let account = shared.account();
    state["title"] = shared.page.title.as_str().into();
    state["zone"] = shared.page.timezone.iana_name().unwrap_or("UTC").into();
    state["followers"] = account
        .fans()
        .map(|(openid, name, note)| json!({ "openid": openid, "name": name, "note": note }))
        .collect();
    state["messages"] = messages(&account, after).iter().map(message).collect();
    drop(account);
    let body = state.to_string();
    guarded(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

async fn events(State(serving): State<Serving>, Query(After { after }): Query<After>) -> Response {
    guarded(Sse::new(stream(serving, after)).into_response())
}

/// The messages after `after` as they come, and the time now and then, until the sandbox stops.
fn stream(serving: Serving, after: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    struct Listening {
        serving: Serving,
        changes: watch::Receiver<()>,
        clock: tokio::time::Interval,
        last: u64,
        ready: Vec<Event>,
    }
    let listening = Listening {
        changes: serving.shared.changes(),
        serving,
        clock: tokio::time::interval(TELL_TIME_EVERY),
        last: after,
        ready: Vec::new(),
    };
    futures_util::stream::unfold(listening, async |mut it| {
        loop {
            if let Some(event) = it.ready.pop() {
                return Some((Ok(event), it));
            }
            {
                let account = it.serving.shared.account();
                let new = messages(&account, it.last);
                it.last += new.len() as u64;
                let event = |new: &Delivered| Event::default().data(message(new).to_string());
                it.ready = new.iter().rev().map(event).collect();
            }
            if !it.ready.is_empty() {
                continue;
            }
            tokio::select! {
                () = it.serving.stop.cancelled() => return None,
                changed = it.changes.changed() => changed.ok()?,
                _ = it.clock.tick() => {
                    let told = time(&it.serving.shared).to_string();
                    it.ready.push(Event::default().event("clock").data(told));
                }
            }
        }
    })
}

/// At most one snapshot's worth of the messages whose sequence number is beyond `after`.
fn messages(account: &Account, after: u64) -> &[Delivered] {
    // Sequence numbers count from 1 without gaps.
    let from =
        usize::try_from(after).map_or(usize::MAX, |after| after.min(account.deliveries.len()));
    let rest = account.deliveries.get(from..).unwrap_or_default();
    &rest[..rest.len().min(SNAPSHOT_MESSAGES)]
}

/// The sandbox's time, in milliseconds, and which start of it this is.
fn time(shared: &Shared) -> Value {
    json!({
        "run": shared.run,
        "now": shared.now().as_millisecond(),
        "speed": shared.page.speed,
    })
}

fn message(delivered: &Delivered) -> Value {
    let mut message = json!({
        "seq": delivered.seq,
        "to": *delivered.touser,
        "at": delivered.received.as_millisecond(),
    });
    match &delivered.content {
        Content::Template { template, data, .. } => {
            message["kind"] = "card".into();
            message["title"] = template.title.as_str().into();
            message["rows"] = template
                .keywords
                .iter()
                .map(|keyword| json!([keyword.label, data.get(&keyword.name)]))
                .collect();
        }
        Content::Text(text) => {
            message["kind"] = "text".into();
            message["text"] = text.as_str().into();
        }
    }
    message
}
