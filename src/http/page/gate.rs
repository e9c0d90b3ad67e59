//! The one place where it is decided who may: each route but signing in goes through [`enter`].

use super::Pages;
use super::bounds::{self, Head};
use super::clinic::{Account, Deed, Event};
use super::frame;
use super::session::{Known, same};
use super::sign_in;
use super::visit::Visit;
use super::words::Words;
use crate::engine::Role;
use crate::plan::{Language, PatientId};
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodFilter;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most bytes of a form, where its route says nothing else.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// What somebody sees again within this time is in the audit once.
const SEEN_AGAIN: Duration = Duration::from_secs(10 * 60);
/// So many sights are remembered for that.
const SIGHTS_MAX: usize = 4_096;

/// What a handler comes to.
pub type Answered = BoxFuture<'static, Result<Response, Trouble>>;

/// A page, or a form of one.
pub struct Route {
    /// Its method.
    pub method: MethodFilter,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// What the account must be allowed.
    pub needs: Role,
    /// The word for it in the audit.
    pub what: &'static str,
    /// Most bytes of its form.
    pub form_max: usize,
    /// It changes nothing: it is in the audit as something that was seen.
    pub is_sight: bool,
    /// What answers.
    pub handler: fn(Visit) -> Answered,
}

impl Route {
    /// Something to see.
    #[must_use]
    pub const fn get(
        path: &'static str,
        needs: Role,
        what: &'static str,
        handler: fn(Visit) -> Answered,
    ) -> Self {
        Self {
            method: MethodFilter::GET,
            path,
            needs,
            what,
            form_max: 0,
            is_sight: true,
            handler,
        }
    }

    /// Something to do.
    #[must_use]
    pub const fn post(
        path: &'static str,
        needs: Role,
        what: &'static str,
        handler: fn(Visit) -> Answered,
    ) -> Self {
        Self {
            method: MethodFilter::POST,
            path,
            needs,
            what,
            form_max: FORM_BYTES_MAX,
            is_sight: false,
            handler,
        }
    }

    /// Whether it changes something.
    #[must_use]
    pub fn is_form(&self) -> bool {
        self.method == MethodFilter::POST
    }

    /// A form that asks for something to see and changes nothing.
    #[must_use]
    pub const fn as_a_sight(mut self) -> Self {
        self.is_sight = true;
        self
    }

    /// With a form of at most so many bytes.
    #[must_use]
    pub const fn with_form(mut self, bytes: usize) -> Self {
        self.form_max = bytes;
        self
    }
}

/// Why a handler does not answer as it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such thing.
    NotFound,
    /// The store does not answer; why, for the log.
    Unavailable(String),
}

/// What was seen lately: (session, what, patient), and when it was noted.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<Sight, Duration>>);

type Sight = ([u8; 32], &'static str, Option<String>);

impl Seen {
    /// Whether this is seen for the first time within a while.
    fn is_new(&self, sight: Sight, now: Duration) -> bool {
        let mut sights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = |noted: &Duration| now.saturating_sub(*noted) < SEEN_AGAIN;
        if sights.get(&sight).is_some_and(lately) {
            return false;
        }
        if sights.len() >= SIGHTS_MAX {
            sights.retain(|_, noted| lately(noted));
        }
        if sights.len() >= SIGHTS_MAX {
            sights.clear();
        }
        sights.insert(sight, now);
        true
    }
}

impl Pages {
    /// Who asks: their session and account, as both are now.
    pub(super) fn known(&self, head: &Head) -> Option<(Known, Account)> {
        let now = self.clinic.elapsed();
        let session = self
            .sessions
            .find(head.token.as_deref()?, now, !head.is_live)?;
        let account = self.clinic.account(&session.account);
        // One that has ended, or has another password now, signs out whoever came with it.
        let account = account.filter(|account| account.stamp == session.stamp);
        if account.is_none() {
            self.sessions.end(&session.key);
        }
        Some((session, account?))
    }

    /// The language for somebody of whom nothing is known but the request.
    pub(super) fn language(&self, head: &Head) -> Language {
        head.language(None, self.clinic.manners().1)
    }
}

/// Lets a request through to its route, or says why not.
pub async fn enter(
    pages: Arc<Pages>,
    route: &'static Route,
    params: RawPathParams,
    request: Request,
) -> Response {
    if !pages.clinic.is_open() {
        return off();
    }
    let head = Head::of(&request);
    let Some((session, account)) = pages.known(&head) else {
        return signed_out(&pages, route, &head, request).await;
    };
    let language = head.language(account.language, pages.clinic.manners().1);
    let words = Words::of(language);
    if account.role < route.needs {
        pages.clinic.count(Event::NotAllowed);
        pages.note(&account, route, None, "not_allowed");
        return said(
            StatusCode::FORBIDDEN,
            language,
            words.not_allowed,
            words.not_allowed_why,
        );
    }
    let form = match pages
        .taken(route, &session, &account, language, request)
        .await
    {
        Ok(form) => form,
        Err(refused) => return *refused,
    };
    let params: bounds::Pairs = params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let named = bounds::get(&params, "patient").or(bounds::get(&form, "patient"));
    // Only what can be an id is kept.
    let patient = named
        .filter(|id| id.parse::<PatientId>().is_ok())
        .map(ToOwned::to_owned);
    let cookie = head.language_cookie();
    let visit = Visit {
        pages: Arc::clone(&pages),
        session: session.key,
        csrf: session.csrf,
        account: account.clone(),
        language,
        words,
        head,
        is_form: route.is_form(),
        params,
        form,
    };
    let answered = (route.handler)(visit).await;
    let mut response =
        answered.unwrap_or_else(|trouble| pages.explained(&trouble, route, language));
    let status = response.status();
    let outcome = match status.as_u16() {
        ..400 => "done",
        400..500 => "refused",
        _ => "failed",
    };
    if !route.is_sight {
        pages.note(&account, route, patient, outcome);
    } else if status.is_success() {
        let sight = (session.key, route.what, patient.clone());
        if pages.seen.is_new(sight, pages.clinic.elapsed()) {
            pages.note(&account, route, patient, "");
        }
    }
    if let Some(Ok(cookie)) = cookie.map(HeaderValue::try_from) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl Pages {
    /// The form of a request that changes something, if it is one of ours; empty for others.
    async fn taken(
        &self,
        route: &Route,
        session: &Known,
        account: &Account,
        language: Language,
        request: Request,
    ) -> Result<bounds::Pairs, Box<Response>> {
        if !route.is_form() {
            return Ok(bounds::Pairs::new());
        }
        let words = Words::of(language);
        let (parts, body) = request.into_parts();
        if bounds::is_ours(&parts.headers) {
            match bounds::form(&parts.headers, body, route.form_max).await {
                Ok(form) => {
                    let token = bounds::get(&form, "csrf").unwrap_or_default();
                    if same(token, &session.csrf) {
                        return Ok(form);
                    }
                }
                Err(event) => {
                    self.clinic.count(event);
                    return Err(Box::new(bounds::unread(event, words, language)));
                }
            }
        }
        self.clinic.count(Event::Forged);
        self.note(account, route, None, "forged");
        let (status, title) = (StatusCode::FORBIDDEN, words.forged);
        Err(Box::new(said(status, language, title, words.forged_why)))
    }

    /// What is shown in the place of what could not be.
    fn explained(&self, trouble: &Trouble, route: &Route, language: Language) -> Response {
        let words = Words::of(language);
        match trouble {
            Trouble::NotFound => {
                self.clinic.count(Event::NotFound);
                let status = StatusCode::NOT_FOUND;
                said(status, language, words.not_found, words.not_found_why)
            }
            Trouble::Unavailable(why) => {
                tracing::error!(why, page = route.what, "a page cannot be shown");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                said(status, language, words.unavailable, words.unavailable_why)
            }
        }
    }

    fn note(
        &self,
        account: &Account,
        route: &Route,
        patient: Option<String>,
        outcome: &'static str,
    ) {
        self.clinic.note(Deed {
            account: account.name.clone(),
            what: route.what,
            patient,
            outcome,
        });
    }
}

/// Nobody is signed in: to see something they are asked to; what they wrote they get back.
async fn signed_out(pages: &Pages, route: &Route, head: &Head, request: Request) -> Response {
    pages.clinic.count(Event::SignedOut);
    if head.is_live {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !route.is_form() {
        return to(&sign_in::path_with(&head.path));
    }
    let language = pages.language(head);
    let words = Words::of(language);
    let (parts, body) = request.into_parts();
    let form = if bounds::is_ours(&parts.headers) {
        bounds::form(&parts.headers, body, route.form_max).await
    } else {
        Ok(bounds::Pairs::new())
    };
    let form = match form {
        Ok(form) => form,
        Err(event) => {
            pages.clinic.count(event);
            return bounds::unread(event, words, language);
        }
    };
    let written = bounds::get(&form, "text").unwrap_or_default();
    let body = html! {
        h1 { (words.expired) }
        p #written-why { (words.expired_why) }
        @if !written.is_empty() {
            textarea readonly rows="6" aria-labelledby="written-why" { (written) }
        }
        p { a href=(sign_in::PATH) { (words.sign_in) } }
    };
    frame::bare(StatusCode::UNAUTHORIZED, language, words.expired, &body)
}

/// `/`: where the work begins.
#[must_use]
pub fn first_page(pages: &Pages, request: &Request) -> Response {
    if !pages.clinic.is_open() {
        return off();
    }
    let head = Head::of(request);
    match pages.known(&head) {
        Some(_) => to(frame::PLACES[0].path),
        None => to(sign_in::PATH),
    }
}

/// There is no such page.
#[must_use]
pub fn nowhere(pages: &Pages, request: &Request) -> Response {
    if !pages.clinic.is_open() {
        return off();
    }
    pages.clinic.count(Event::NotFound);
    let language = pages.language(&Head::of(request));
    let words = Words::of(language);
    said(
        StatusCode::NOT_FOUND,
        language,
        words.not_found,
        words.not_found_why,
    )
}

/// Without any account there are no pages, and whoever asks learns how to make one: they reach
/// this machine, and the command needs the daemon's user.
#[must_use]
pub fn off() -> Response {
    let text = "There are no pages while there is no account. To make one, as the daemon's user:\n\
                dosed user add NAME --role doctor --config FILE\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

/// Sends the browser elsewhere, to be asked for anew.
pub(super) fn to(path: &str) -> Response {
    match HeaderValue::try_from(path) {
        Ok(path) => (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A page that only says something.
fn said(status: StatusCode, language: Language, title: &str, why: &str) -> Response {
    let words = Words::of(language);
    let body: Markup = html! {
        h1 { (title) }
        p { (why) }
        p { a href="/" { (words.back) } }
    };
    frame::bare(status, language, title, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_again_and_again_is_noted_now_and_then() {
        let seen = Seen::default();
        let minute = |count: u64| Duration::from_secs(60 * count);
        let sight = |n: u8| ([n; 32], "today", None);
        assert!(seen.is_new(sight(1), minute(0)));
        assert!(!seen.is_new(sight(1), minute(9)));
        assert!(seen.is_new(sight(2), minute(9)));
        assert!(seen.is_new(sight(1), minute(10)));
        for n in 0..10_000_u32 {
            let patient = Some(n.to_string());
            seen.is_new(([3; 32], "patient", patient), minute(20));
        }
        assert!(seen.0.lock().unwrap().len() <= SIGHTS_MAX);
    }
}
