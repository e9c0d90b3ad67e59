//! The pages for the clinic's people, on the private listener: rendered here, without anything
//! from elsewhere, under a content security policy that knows no `unsafe-inline`.
//!
//! # How to add a page
//! 1. Labels: a line in [`words`]; both languages, or it does not compile.
//! 2. What it shows: a method of [`Clinic`] that returns a view without types of
//!    the store, implemented in `daemon::page`. It reads on a thread where it may wait, and gives a
//!    page's worth.
//! 3. A file here with `pub const ROUTES: &[Route]` and a handler for each route,
//!    `fn(Visit) -> Answered`; name the list in `ROUTES`, and the page in [`frame::PLACES`] if it
//!    is to stand in the navigation.
//!
//! A route says what it needs ([`Route::get`], [`Route::post`] with a
//! [`Role`](crate::engine::Role)) and by which word it is in the audit. That is all there is to
//! say: [`gate`] lets nobody through who is not signed in or may not, takes no form that is not
//! ours or is too long, and keeps who saw and did what. A handler gets a [`Visit`]: who asks
//! (`account`), the labels in their language (`words`), parts of the path (`param`), of the query
//! (`query`), of the form (`field`); and answers with `visit.page(…)`, after a form with
//! `visit.go(…)`, or with a [`Trouble`]. Each form begins with `visit.form_token()`, and one that must not be taken twice with
//! `visit.form_token_once()`, its handler with `visit.is_again()`. A patient is named by
//! `visit.person(…)`, with a link to `/patients/{patient}`.
//!
//! What is to stay up to date without being loaded again stands in an element with an id and
//! `data-live="seconds"`; the script replaces it when nobody is writing in it.

pub mod assets;
pub mod bounds;
mod calls;
pub mod chart;
pub mod clinic;
pub mod editor;
mod finding;
pub mod frame;
pub mod gate;
mod inbox;
mod once;
pub mod patient;
mod plans;
mod session;
mod sign_in;
mod system;
mod today;
mod tries;
pub mod visit;
pub mod words;

use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, on};
use clinic::Clinic;
pub use gate::{Answered, Route, Trouble};
use once::Once;
use session::Sessions;
use std::sync::Arc;
use tries::Tries;
pub use visit::Visit;

/// All pages but signing in.
const ROUTES: &[&[Route]] = &[
    today::ROUTES,
    calls::ROUTES,
    inbox::ROUTES,
    plans::ROUTES,
    patient::ROUTES,
    editor::ROUTES,
    system::ROUTES,
    sign_in::ROUTES,
];

/// All routes for which somebody must be signed in.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().copied().flatten()
}

/// All paths of the pages, those included for which nobody must be signed in.
pub fn paths() -> impl Iterator<Item = &'static str> {
    let open = ["/", sign_in::PATH].into_iter();
    open.chain(assets::PATHS).chain(routes().map(|it| it.path))
}

/// What the browser is told of each answer. Scripts, styles and pictures come from here, nothing
/// that stands in a page is run or applied, nobody puts a page into another.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: with that, browsers hide the origin of our own forms, too.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// What all requests share.
pub struct Pages {
    clinic: Arc<dyn Clinic>,
    sessions: Sessions,
    tries: Tries,
    seen: gate::Seen,
    once: Once,
}

/// The routes of the pages, and what is answered where there is none.
pub(super) fn router(clinic: Arc<dyn Clinic>) -> Router {
    let pages = Arc::new(Pages {
        clinic,
        sessions: Sessions::default(),
        tries: Tries::default(),
        seen: gate::Seen::default(),
        once: Once::default(),
    });
    let mut router = Router::new().merge(assets::router());
    for route in routes() {
        let pages = Arc::clone(&pages);
        let enter = move |params: RawPathParams, request: Request| {
            gate::enter(Arc::clone(&pages), route, params, request)
        };
        router = router.route(route.path, on(route.method, enter));
    }
    let (shown, taken, first) = (Arc::clone(&pages), Arc::clone(&pages), Arc::clone(&pages));
    router
        .route(
            "/",
            get(async move |request: Request| gate::first_page(&first, &request)),
        )
        .route(
            sign_in::PATH,
            get(async move |request: Request| sign_in::show(&shown, &request))
                .post(move |request| sign_in::take(Arc::clone(&taken), request)),
        )
        .fallback(async move |request: Request| gate::nowhere(&pages, &request))
        .layer(axum::middleware::map_response(dressed))
}

/// Adds the headers that each answer has.
async fn dressed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
