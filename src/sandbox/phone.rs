//! The phone page: what the followers' phones show, live in a browser.
//!
//! Plain files without a build step, a snapshot (`/phone/state`), a stream of what comes after it
//! (`/phone/events`), and what somebody does on a phone (`/phone/do`).

use super::Content;
use super::account::{Account, Line};
use super::deed::Deed;
use super::server::{Serving, Shared};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
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

/// Codes that the page offers to scan.
const CODES: usize = 5;

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
        .route("/phone/do", post(act))
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
    state["messages"] = lines(&account, after).collect();
    drop(account);
    let body = state.to_string();
    guarded(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// What somebody does on a phone.
#[derive(Deserialize)]
struct Done {
    openid: String,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum What {
    Follow,
    Unfollow,
    Write { text: String },
    Scan { ticket: String },
}

/// Takes JSON only: no page of another origin can send that without being asked.
async fn act(State(serving): State<Serving>, Json(done): Json<Done>) -> Response {
    let deed = match done.what {
        What::Follow => Deed::Follow,
        What::Unfollow => Deed::Unfollow,
        What::Write { text } => Deed::Write(text),
        What::Scan { ticket } => Deed::Scan(ticket),
    };
    let shared = &serving.shared;
    // Only phones that are on the page: no others appear by being written to.
    let known = shared
        .account()
        .fans()
        .any(|(openid, _, _)| openid == done.openid);
    if !known || !shared.do_as(&done.openid, deed) {
        return guarded(StatusCode::CONFLICT.into_response());
    }
    let body = time(shared).to_string();
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
                let event = |new: Value| Event::default().data(new.to_string());
                it.ready = lines(&account, it.last).map(event).collect();
                it.last += it.ready.len() as u64;
                it.ready.reverse();
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

/// At most one snapshot's worth of what phones show whose sequence number is beyond `after`.
fn lines(account: &Account, after: u64) -> impl Iterator<Item = Value> {
    // Sequence numbers count from 1 without gaps.
    let from = usize::try_from(after).unwrap_or(usize::MAX);
    let lines = account.timeline.iter().enumerate();
    lines
        .skip(from)
        .take(SNAPSHOT_MESSAGES)
        .filter_map(|(index, line)| message(account, index, line))
}

/// The sandbox's time, in milliseconds, which start of it this is, who follows, and which codes can
/// be scanned.
fn time(shared: &Shared) -> Value {
    let now = shared.now();
    let account = shared.account();
    let following: Vec<&str> = account
        .fans()
        .map(|(openid, _, _)| openid)
        .filter(|openid| account.follows(openid))
        .collect();
    let codes: Vec<Value> = account
        .codes(now)
        .take(CODES)
        .map(|code| json!({ "ticket": code.ticket, "until": code.expires.as_millisecond() }))
        .collect();
    json!({
        "run": shared.run,
        "now": now.as_millisecond(),
        "speed": shared.page.speed,
        "answers": shared.callback().is_some(),
        "following": following,
        "codes": codes,
    })
}

fn message(account: &Account, index: usize, line: &Line) -> Option<Value> {
    let seq = index + 1;
    let delivered = match line {
        Line::Own { openid, at, text } => {
            return Some(json!({
                "seq": seq,
                "to": **openid,
                "at": at.as_millisecond(),
                "kind": "own",
                "text": text,
            }));
        }
        Line::Delivered(index) => account.deliveries.get(*index)?,
    };
    let mut message = json!({
        "seq": seq,
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
    Some(message)
}
