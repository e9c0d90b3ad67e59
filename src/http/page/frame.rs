//! The frame around each page.

use super::assets::{SCRIPT_PATH, STYLE_PATH};
use super::visit::Visit;
use super::words::Words;
use crate::plan::Language;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A page in the navigation.
pub struct Place {
    /// Its name, by which a page says where it stands.
    pub name: &'static str,
    /// Its path.
    pub path: &'static str,
    /// Its label.
    pub label: fn(&Words) -> &'static str,
}

/// The navigation, in order. The first is where the work begins.
pub const PLACES: &[Place] = &[
    Place {
        name: "today",
        path: "/today",
        label: |words| words.today,
    },
    Place {
        name: "calls",
        path: "/calls",
        label: |words| words.calls,
    },
    Place {
        name: "inbox",
        path: "/inbox",
        label: |words| words.inbox,
    },
    Place {
        name: "plans",
        path: "/plans",
        label: |words| words.plans,
    },
    Place {
        name: "system",
        path: "/system",
        label: |words| words.system,
    },
];

/// How a page comes to be in another language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch<'a> {
    /// It is asked for again.
    Link,
    /// What is written in the form with this id is sent to an address at which nothing is done with
    /// it but to show it again: see [`Visit::only_shows_again`].
    Form {
        /// The form's id.
        id: &'a str,
        /// The address.
        action: &'a str,
    },
    /// Not at all: what it shows is shown once.
    Never,
}

/// The field by which a form says that it is only to be shown again in another language.
pub(super) const SHOW_AGAIN: &str = "show_again";

/// A page in the frame, with navigation.
pub(super) fn whole(
    visit: &Visit,
    status: StatusCode,
    place: &str,
    title: &str,
    content: &Markup,
    switch: Switch<'_>,
) -> Response {
    let words = visit.words;
    let clinic = visit.clinic().name();
    let now = visit.clinic().now();
    let other = match visit.language {
        Language::En => Language::ZhCn,
        Language::ZhCn => Language::En,
    };
    let body = html! {
        a.skip href="#content" { (words.skip) }
        header.frame {
            @if !clinic.is_empty() { p.clinic { (clinic) } }
            nav aria-label=(words.pages) {
                ul {
                    @for it in PLACES {
                        li {
                            a href=(it.path) aria-current=[(it.name == place).then_some("page")] {
                                ((it.label)(words))
                            }
                        }
                    }
                }
            }
            div.who {
                span { (words.signed_in_as) " " strong { (visit.account.name) }
                    " (" (words.role(visit.account.role)) ")" }
                @match switch {
                    Switch::Link => {
                        a lang=(other.tag()) hreflang=(other.tag())
                            href=(visit.in_language(other)) { (words.other_language) }
                    }
                    Switch::Form { id, action } => {
                        button.plain type="submit" lang=(other.tag()) form=(id)
                            formaction=(format!("{action}?lang={}", other.tag())) formnovalidate
                            name=(SHOW_AGAIN) value="1" { (words.other_language) }
                    }
                    Switch::Never => {}
                }
                form method="post" action="/sign-out" {
                    (visit.form_token())
                    button.plain type="submit" { (words.sign_out) }
                }
            }
        }
        main #content tabindex="-1" {
            h1 { (title) }
            (content)
        }
        footer { p { (words.as_of) " " (visit.time(now)) } }
    };
    let title = if clinic.is_empty() {
        title.to_owned()
    } else {
        format!("{title} · {clinic}")
    };
    document(status, visit.language, &title, &body)
}

/// A page without navigation, for whoever is not signed in and for what went wrong.
#[must_use]
pub fn bare(status: StatusCode, language: Language, title: &str, content: &Markup) -> Response {
    let body = html! { main.bare #content { (content) } };
    document(status, language, title, &body)
}

fn document(status: StatusCode, language: Language, title: &str, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(STYLE_PATH);
                script src=(SCRIPT_PATH) defer {}
            }
            body { (body) }
        }
    };
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_LANGUAGE,
            HeaderValue::from_static(language.tag()),
        ),
    ];
    let PreEscaped(page) = page;
    (status, headers, page).into_response()
}
