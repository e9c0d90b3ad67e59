//! Signing in and out.

use super::Pages;
use super::bounds::{self, Head, SESSION_COOKIE};
use super::clinic::{Deed, Event};
use super::frame;
use super::gate::{self, Answered, Route};
use super::visit::Visit;
use super::words::Words;
use crate::engine::Role;
use crate::http::bounded::address_of;
use crate::plan::Language;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use maud::html;
use std::sync::Arc;

/// Where one signs in.
pub const PATH: &str = "/sign-in";
/// Most bytes of that form.
const FORM_BYTES_MAX: usize = 4 * 1024;

/// Signing out.
pub const ROUTES: &[Route] = &[Route::post("/sign-out", Role::Viewer, "sign_out", sign_out)];

/// The address of signing in, with where to go then.
pub fn path_with(next: &str) -> String {
    if next == "/" {
        return PATH.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", next);
    format!("{PATH}?{}", query.finish())
}

/// A path of ours, and nothing that a browser would take for another site.
fn safe(next: Option<&str>) -> &str {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let is_path = |next: &&str| next.starts_with('/') && !next.starts_with("//");
    next.filter(is_path)
        .filter(|next| next.bytes().all(plain))
        .unwrap_or("/")
}

/// Shows the form.
#[must_use]
pub fn show(pages: &Pages, request: &Request) -> Response {
    if !pages.clinic.is_open() {
        return gate::off();
    }
    let head = Head::of(request);
    if pages.known(&head).is_some() {
        return gate::to(safe(bounds::get(&head.query, "next")));
    }
    let words = Words::of(pages.language(&head));
    let said = (bounds::get(&head.query, "said") == Some("out")).then_some(words.signed_out);
    let next = bounds::get(&head.query, "next").map(ToOwned::to_owned);
    form(pages, &head, StatusCode::OK, said, "", next.as_deref())
}

fn form(
    pages: &Pages,
    head: &Head,
    status: StatusCode,
    said: Option<&str>,
    name: &str,
    next: Option<&str>,
) -> Response {
    let language = pages.language(head);
    let words = Words::of(language);
    let clinic = pages.clinic.name();
    let other = match language {
        Language::En => Language::ZhCn,
        Language::ZhCn => Language::En,
    };
    let content = html! {
        @if !clinic.is_empty() { p.clinic { (clinic) } }
        h1 { (words.sign_in) }
        @if let Some(said) = said { p.notice role="alert" { (said) } }
        form.stacked method="post" action=(PATH) {
            input type="hidden" name="next" value=(safe(next));
            label for="name" { (words.account) }
            input #name name="name" value=(name) autocomplete="username" autocapitalize="none"
                spellcheck="false" required maxlength="64";
            label for="password" { (words.password) }
            input #password name="password" type="password" autocomplete="current-password"
                required maxlength="1024";
            button type="submit" { (words.sign_in) }
        }
        p.small { (words.cookies_needed) }
        p { a lang=(other.tag()) hreflang=(other.tag()) href={ (PATH) "?lang=" (other.tag()) } {
            (words.other_language)
        } }
    };
    let mut response = frame::bare(status, language, words.sign_in, &content);
    if let Some(Ok(cookie)) = head.language_cookie().map(HeaderValue::try_from) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Takes the form. Whether the name or the password was wrong is not said, nor to be seen from the
/// time that it takes.
pub async fn take(pages: Arc<Pages>, request: Request) -> Response {
    if !pages.clinic.is_open() {
        return gate::off();
    }
    let head = Head::of(&request);
    let language = pages.language(&head);
    let words = Words::of(language);
    let from = address_of(&request);
    let (parts, body) = request.into_parts();
    if !bounds::is_ours(&parts.headers) {
        pages.clinic.count(Event::Forged);
        let said = Some(words.forged_why);
        return form(&pages, &head, StatusCode::FORBIDDEN, said, "", None);
    }
    let fields = match bounds::form(&parts.headers, body, FORM_BYTES_MAX).await {
        Ok(fields) => fields,
        Err(event) => {
            pages.clinic.count(event);
            return bounds::unread(event, words, language);
        }
    };
    let field = |name| bounds::get(&fields, name).unwrap_or_default();
    let (name, next) = (field("name").trim(), bounds::get(&fields, "next"));
    if !pages.tries.may_try(name, from, pages.clinic.elapsed()) {
        pages.clinic.count(Event::TooManyTries);
        let said = Some(words.too_many_tries);
        let mut refused = form(
            &pages,
            &head,
            StatusCode::TOO_MANY_REQUESTS,
            said,
            name,
            next,
        );
        let pause = HeaderValue::from_static("20");
        refused.headers_mut().insert(header::RETRY_AFTER, pause);
        return refused;
    }
    let tried = pages
        .clinic
        .sign_in(name.to_owned(), field("password").to_owned());
    let Some(account) = tried.await else {
        pages.clinic.count(Event::WrongPassword);
        // A name that nobody has is no account: who tried it is not known, and what was written
        // there may be a password.
        if pages.clinic.account(name).is_some() {
            pages.clinic.note(Deed {
                account: name.to_owned(),
                what: "sign_in",
                patient: None,
                outcome: "refused",
            });
        }
        let said = Some(words.wrong_password);
        return form(&pages, &head, StatusCode::FORBIDDEN, said, name, next);
    };
    pages.tries.succeeded(name, from);
    let Ok(token) = pages.sessions.begin(&account, pages.clinic.elapsed()) else {
        tracing::error!("the machine gives no random numbers: nobody can sign in");
        let said = Some(words.unavailable);
        return form(
            &pages,
            &head,
            StatusCode::SERVICE_UNAVAILABLE,
            said,
            name,
            next,
        );
    };
    pages.clinic.count(Event::SignedIn);
    pages.clinic.note(Deed {
        account: account.name,
        what: "sign_in",
        patient: None,
        outcome: "done",
    });
    let mut response = gate::to(safe(next));
    set_session(&mut response, &head, &token, "");
    response
}

fn sign_out(visit: Visit) -> Answered {
    Box::pin(async move {
        visit.sign_out();
        let mut response = visit.go(&format!("{PATH}?said=out"));
        set_session(&mut response, &visit.head, "", "; Max-Age=0");
        Ok(response)
    })
}

fn set_session(response: &mut Response, head: &Head, token: &str, age: &str) {
    let secure = if head.secure { "; Secure" } else { "" };
    let cookie =
        format!("{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{age}{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_go_next_is_a_page_of_ours() {
        for (next, expected) in [
            (
                Some("/patients/wang-xiulan?day=2"),
                "/patients/wang-xiulan?day=2",
            ),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("/a\nb"), "/"),
            (Some("https://evil.example"), "/"),
            (Some(""), "/"),
            (None, "/"),
        ] {
            assert_eq!(safe(next), expected, "{next:?}");
        }
        assert_eq!(path_with("/calls"), "/sign-in?next=%2Fcalls");
        assert_eq!(path_with("/"), "/sign-in");
    }
}
