//! The patient's page, behind a link that was sent to whoever answers for the patient.
//!
//! HTTP stops here: which link opens what, and what follows from a press, the [`PatientPage`] given
//! to this module decides. To look at the page changes nothing: messengers fetch links ahead.
//! Nothing is logged: an address is a key.

mod fields;
mod limit;
mod view;
mod words;

use super::bounded::address_of;
use crate::engine::{PAGE_PATH, Press, Sheet, Subject};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use limit::WrongLinks;
use maud::PreEscaped;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use view::Notice;

/// Most bytes of a form: the form's own name and some words.
pub const FORM_BYTES_MAX: usize = 16 * 1024;
/// A form that has not come by then does not come.
const FORM_READ_MAX: Duration = Duration::from_secs(3);
/// What has not been noted by then may have been: the page says so. Less than a connection's time.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// Who knows the links, shows what they open, and takes what is pressed.
pub trait PatientPage: Send + Sync + 'static {
    /// Whether a link was made here and its time is not over. Asks no store: whoever guesses learns
    /// nothing and costs nothing.
    ///
    /// # Errors
    /// It was not, or it is.
    fn check(&self, link: &str) -> Result<(), Refusal>;

    /// What a link shows.
    fn open<'a>(&'a self, link: &'a str) -> BoxFuture<'a, Opened>;

    /// Something was pressed: on which form, and what.
    fn press<'a>(&'a self, link: &'a str, form: &'a str, press: Press) -> BoxFuture<'a, Pressed>;

    /// Counts a request by what came of it.
    fn count(&self, result: PageResult);
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is none of ours, or its contact does not answer for its patient (any more).
    Unknown,
    /// Its time is over.
    Expired,
}

/// What a link opens.
pub enum Opened {
    /// This.
    Page(Box<Page>),
    /// Nothing.
    Refused(Refusal),
    /// It cannot be looked up now.
    Unavailable,
}

/// What came of a press.
pub enum Pressed {
    /// It is noted, durably, or was before; what is said in return, and the page as it is now where
    /// that could be read.
    Noted(String, Option<Box<Page>>),
    /// It is not noted; why, and the page as it is now where that could be read.
    NotNoted(NotNoted, Option<Box<Page>>),
    /// The link opens nothing.
    Refused(Refusal),
    /// It was not noted, or nobody knows.
    Unavailable,
}

/// Why a press is not noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotNoted {
    /// The form is none of this page, or nothing that can be pressed on it.
    Foreign,
    /// The form is from a page that was opened long ago, or has counted already.
    Old,
    /// What it is about cannot be answered any more.
    NotOpen,
    /// The answer cannot be read; how to answer, in words.
    Unreadable(String),
    /// The words are too long.
    TooLong,
    /// It cannot have been taken at that time.
    NotThen,
}

/// A page to show.
pub struct Page {
    /// What it shows.
    pub sheet: Sheet,
    /// The form in which something can be answered, as it stands on the page.
    pub seal: Box<dyn Fn(&Subject) -> String + Send + Sync>,
    /// The clinic's name; may be empty.
    pub clinic: String,
    /// What to ring when it cannot wait; may be empty.
    pub emergency_number: String,
}

/// What came of a request, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageResult {
    /// The page was shown.
    Shown,
    /// An answer was noted.
    Noted,
    /// An answer was not noted.
    NotNoted,
    /// The link is none of ours, or not good any more.
    Unknown,
    /// The link's time is over.
    Expired,
    /// Too many wrong links came from one address.
    Limited,
    /// The form was too long, or did not come.
    Unread,
    /// The store failed.
    Unavailable,
}

impl PageResult {
    /// All of them.
    pub const ALL: [PageResult; 8] = [
        PageResult::Shown,
        PageResult::Noted,
        PageResult::NotNoted,
        PageResult::Unknown,
        PageResult::Expired,
        PageResult::Limited,
        PageResult::Unread,
        PageResult::Unavailable,
    ];

    /// The name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PageResult::Shown => "shown",
            PageResult::Noted => "noted",
            PageResult::NotNoted => "not_noted",
            PageResult::Unknown => "unknown",
            PageResult::Expired => "expired",
            PageResult::Limited => "limited",
            PageResult::Unread => "unread",
            PageResult::Unavailable => "unavailable",
        }
    }
}

/// What the routes share.
struct Desk {
    page: Arc<dyn PatientPage>,
    wrong: WrongLinks,
}

/// The route of the page and nothing else.
pub(super) fn router(page: Arc<dyn PatientPage>) -> Router {
    let desk = Desk {
        page,
        wrong: WrongLinks::default(),
    };
    Router::new()
        .route(&format!("{PAGE_PATH}{{link}}"), get(show).post(answer))
        .with_state(Arc::new(desk))
}

async fn show(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let link = link_of(&request);
    if let Err(refusal) = desk.page.check(link) {
        return desk.refuse(refusal, &request);
    }
    match tokio::time::timeout(ANSWER_MAX, desk.page.open(link)).await {
        Ok(Opened::Page(page)) => {
            desk.page.count(PageResult::Shown);
            html(StatusCode::OK, view::whole(&page, None))
        }
        Ok(Opened::Refused(refusal)) => desk.refuse(refusal, &request),
        Ok(Opened::Unavailable) | Err(_) => {
            desk.page.count(PageResult::Unavailable);
            html(StatusCode::SERVICE_UNAVAILABLE, view::not_shown())
        }
    }
}

async fn answer(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let link = link_of(&request).to_owned();
    // Before a byte of the form is read.
    if let Err(refusal) = desk.page.check(&link) {
        return desk.refuse(refusal, &request);
    }
    if is_too_long(request.headers()) {
        return desk.unread(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let from = address_of(&request);
    let body = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX);
    let body = match tokio::time::timeout(FORM_READ_MAX, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return desk.unread(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => return desk.unread(StatusCode::REQUEST_TIMEOUT),
    };
    let pressed = match fields::read(&body) {
        Ok((form, press)) => {
            let pressed = desk.page.press(&link, &form, press);
            let pressed = tokio::time::timeout(ANSWER_MAX, pressed).await;
            pressed.unwrap_or(Pressed::Unavailable)
        }
        Err(why) => {
            let page = tokio::time::timeout(ANSWER_MAX, desk.page.open(&link)).await;
            match page.unwrap_or(Opened::Unavailable) {
                Opened::Page(page) => Pressed::NotNoted(why, Some(page)),
                Opened::Refused(refusal) => Pressed::Refused(refusal),
                Opened::Unavailable => Pressed::NotNoted(why, None),
            }
        }
    };
    match pressed {
        Pressed::Noted(said, page) => {
            desk.page.count(PageResult::Noted);
            let page = match page {
                Some(page) => view::whole(&page, Some(&Notice::Noted(said))),
                None => view::noted(&said),
            };
            html(StatusCode::OK, page)
        }
        Pressed::NotNoted(why, page) => {
            desk.page.count(PageResult::NotNoted);
            let status = match why {
                NotNoted::Foreign => StatusCode::BAD_REQUEST,
                NotNoted::Old | NotNoted::NotOpen => StatusCode::CONFLICT,
                NotNoted::Unreadable(_) | NotNoted::TooLong | NotNoted::NotThen => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
            };
            let page = match page {
                Some(page) => view::whole(&page, Some(&Notice::NotNoted(why))),
                None => view::not_noted(),
            };
            html(status, page)
        }
        Pressed::Refused(refusal) => desk.refuse_from(refusal, from),
        Pressed::Unavailable => {
            desk.page.count(PageResult::Unavailable);
            html(StatusCode::SERVICE_UNAVAILABLE, view::not_noted())
        }
    }
}

impl Desk {
    fn refuse(&self, refusal: Refusal, request: &Request) -> Response {
        self.refuse_from(refusal, address_of(request))
    }

    /// The same page whatever is wrong with a link: who guesses learns nothing of anybody.
    fn refuse_from(&self, refusal: Refusal, from: Option<IpAddr>) -> Response {
        let (result, status) = match refusal {
            Refusal::Unknown if from.is_some_and(|from| self.wrong.is_one_too_many(from)) => {
                self.page.count(PageResult::Limited);
                return plain(StatusCode::TOO_MANY_REQUESTS);
            }
            Refusal::Unknown => (PageResult::Unknown, StatusCode::NOT_FOUND),
            Refusal::Expired => (PageResult::Expired, StatusCode::GONE),
        };
        self.page.count(result);
        html(status, view::no_page())
    }

    fn unread(&self, status: StatusCode) -> Response {
        self.page.count(PageResult::Unread);
        html(status, view::not_noted())
    }
}

/// What follows the page's path, as it was sent.
fn link_of(request: &Request) -> &str {
    let path = request.uri().path();
    path.strip_prefix(PAGE_PATH).unwrap_or_default()
}

/// Whether a body says of itself that it is too long: then none of it is read.
fn is_too_long(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length > FORM_BYTES_MAX as u64)
}

fn html(status: StatusCode, PreEscaped(page): PreEscaped<String>) -> Response {
    let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    guarded((status, [kind], page).into_response())
}

fn plain(status: StatusCode) -> Response {
    guarded(status.into_response())
}

/// What every answer carries. Nothing is kept, framed, or told to other sites.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, view::policy());
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let index = HeaderValue::from_static("noindex, nofollow, noarchive");
    headers.insert("x-robots-tag", index);
    response
}

#[cfg(test)]
mod tests;
