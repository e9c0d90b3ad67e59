//! What a handler gets: who asks for what.

use super::Pages;
use super::bounds::{self, Head, Pairs};
use super::clinic::{Account, Clinic, Person};
use super::frame::Switch;
use super::session::{SessionKey, random_word};
use super::words::Words;
use super::{frame, gate};
use crate::plan::{Language, Zone};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

/// Somebody who is signed in and may.
pub struct Visit {
    pub(super) pages: Arc<Pages>,
    pub(super) session: SessionKey,
    pub(super) csrf: String,
    /// Who asks.
    pub account: Account,
    /// Their language.
    pub language: Language,
    /// The labels in it.
    pub words: &'static Words,
    pub(super) head: Head,
    /// A form was sent; else something is asked for.
    pub(super) is_form: bool,
    pub(super) params: Pairs,
    pub(super) form: Pairs,
}

impl Visit {
    /// What may be asked of the daemon.
    #[must_use]
    pub fn clinic(&self) -> &dyn Clinic {
        &*self.pages.clinic
    }

    /// A part of the path.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        bounds::get(&self.params, name).unwrap_or_default()
    }

    /// A part of the query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        bounds::get(&self.head.query, name)
    }

    /// A field of the form.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        bounds::get(&self.form, name).unwrap_or_default()
    }

    /// The hidden field that each form begins with: without it the form is not taken.
    #[must_use]
    pub fn form_token(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.csrf); }
    }

    /// The same for a form that must not be taken twice: see [`Visit::is_again`].
    #[must_use]
    pub fn form_token_once(&self) -> Markup {
        // Without random numbers it is a form like any other.
        let token = random_word().unwrap_or_default();
        html! {
            (self.form_token())
            input type="hidden" name="once" value=(token);
        }
    }

    /// Whether this very form was taken before: a button pressed twice, a page sent again.
    #[must_use]
    pub fn is_again(&self) -> bool {
        let token = self.field("once");
        !token.is_empty() && !self.pages.once.take(token)
    }

    /// A patient, with a link to their page.
    #[must_use]
    pub fn person(&self, person: &Person) -> Markup {
        html! { a href={ "/patients/" (person.patient) } { (self.name(person)) } }
    }

    /// A patient's name with the id; the id where no plan is in force.
    #[must_use]
    pub fn name(&self, person: &Person) -> Markup {
        html! {
            @match &person.name {
                Some(name) => { (name) " " span.id { (person.patient) } }
                None => { (person.patient) }
            }
        }
    }

    /// That so many rows of the store are left out of what is shown, because they cannot be read;
    /// nothing where there are none.
    #[must_use]
    pub fn left_out(&self, rows: u64) -> Markup {
        html! {
            @if rows > 0 { p.notice.bad { strong { (rows) } " " (self.words.left_out) } }
        }
    }

    /// A page in the frame: its place in the navigation, its title and its content.
    #[must_use]
    pub fn page(&self, place: &str, title: &str, content: &Markup) -> Response {
        self.page_with(StatusCode::OK, place, title, content)
    }

    /// The same with another status, e.g. 422 for a form that is shown again with what is wrong.
    #[must_use]
    pub fn page_with(
        &self,
        status: StatusCode,
        place: &str,
        title: &str,
        content: &Markup,
    ) -> Response {
        // What a form came to is not asked for again by its address.
        let switch = if self.is_form {
            Switch::Never
        } else {
            Switch::Link
        };
        frame::whole(self, status, place, title, content, switch)
    }

    /// The same for a page whose form is written in: another language keeps what is written. Who
    /// answers at the form's address asks [`Visit::only_shows_again`] before anything is done.
    #[must_use]
    pub fn page_of_form(
        &self,
        status: StatusCode,
        (place, title): (&str, &str),
        content: &Markup,
        switch: Switch<'_>,
    ) -> Response {
        frame::whole(self, status, place, title, content, switch)
    }

    /// Whether a form was sent by the button for another language: it is shown again as it was
    /// written, and nothing is done.
    #[must_use]
    pub fn only_shows_again(&self) -> bool {
        !self.field(frame::SHOW_AGAIN).is_empty()
    }

    /// After something was done: the page on which that is seen.
    #[must_use]
    pub fn go(&self, path: &str) -> Response {
        gate::to(path)
    }

    /// The address of this page in another language.
    pub(super) fn in_language(&self, language: Language) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.head.query.iter().filter(|(name, _)| name != "lang") {
            query.append_pair(name, value);
        }
        query.append_pair("lang", language.tag());
        format!("{}?{}", self.head.path, query.finish())
    }

    /// Ends the session.
    pub(super) fn sign_out(&self) {
        self.pages.sessions.end(&self.session);
    }

    /// An instant in the clinic's zone: the time, and the date where it is not today's.
    #[must_use]
    pub fn time(&self, at: Timestamp) -> Markup {
        let (zone, _) = self.clinic().manners();
        time(at, self.clinic().now(), &zone)
    }
}

/// An instant in a zone: the time, and the date where it is not that of `now`.
#[must_use]
pub fn time(at: Timestamp, now: Timestamp, zone: &Zone) -> Markup {
    let (local, today) = (zone.local(at), zone.local(now).date());
    let shown = if local.date() == today {
        local.strftime("%H:%M")
    } else if local.date().year() == today.year() {
        local.strftime("%m-%d %H:%M")
    } else {
        local.strftime("%Y-%m-%d %H:%M")
    };
    let exact = zone.rfc3339(at);
    html! { time datetime=(exact) title=(exact) { (shown.to_string()) } }
}
