//! What a request says before it is known whose it is, and how much of it is read.

use super::clinic::Event;
use super::frame;
use super::words::Words;
use crate::http::bounded::Peer;
use crate::plan::Language;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use std::time::Duration;

/// A body that has not come by then does not come.
const BODY_READ_MAX: Duration = Duration::from_secs(10);

/// The decoded pairs of a query or a form.
pub type Pairs = Vec<(String, String)>;

/// What a request says of itself.
#[derive(Clone, Debug)]
pub struct Head {
    /// The path as it was asked for.
    pub path: String,
    /// The pairs of the query.
    pub query: Pairs,
    /// The language that was chosen in the query: it is to be remembered.
    pub chosen: Option<Language>,
    /// The language that was chosen before.
    pub remembered: Option<Language>,
    /// The language that the browser prefers.
    pub preferred: Option<Language>,
    /// The token of the session.
    pub token: Option<String>,
    /// It came over https, as far as a proxy on this machine says.
    pub secure: bool,
    /// A page brings itself up to date: nobody is looking for sure.
    pub is_live: bool,
}

/// The cookie with the session's token.
pub const SESSION_COOKIE: &str = "dosed_session";
/// The cookie with the language.
pub const LANGUAGE_COOKIE: &str = "dosed_language";

impl Head {
    /// Reads it.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let headers = request.headers();
        let query = pairs(request.uri().query().unwrap_or_default().as_bytes());
        let peer = request.extensions().get::<Peer>();
        let is_near = peer.is_some_and(|peer| peer.0.ip().is_loopback());
        let forwarded = text(headers, "x-forwarded-proto");
        Self {
            path: request.uri().path().to_owned(),
            chosen: get(&query, "lang").and_then(language),
            remembered: cookie(headers, LANGUAGE_COOKIE).and_then(language),
            preferred: text(headers, header::ACCEPT_LANGUAGE.as_str()).and_then(preferred),
            token: cookie(headers, SESSION_COOKIE).map(ToOwned::to_owned),
            secure: is_near && forwarded.is_some_and(|it| it.eq_ignore_ascii_case("https")),
            is_live: headers.contains_key("x-dosed-live"),
            query,
        }
    }

    /// The language to speak: what was just chosen, what was chosen before, the account's, the
    /// browser's, the clinic's.
    #[must_use]
    pub fn language(&self, account: Option<Language>, clinic: Language) -> Language {
        let own = self.chosen.or(self.remembered).or(account);
        own.or(self.preferred).unwrap_or(clinic)
    }

    /// The cookie that remembers the language, when it was just chosen.
    #[must_use]
    pub fn language_cookie(&self) -> Option<String> {
        let chosen = self.chosen?.tag();
        let secure = if self.secure { "; Secure" } else { "" };
        Some(format!(
            "{LANGUAGE_COOKIE}={chosen}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}"
        ))
    }
}

/// The first value of a name.
#[must_use]
pub fn get<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let mut found = pairs.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| value.as_str())
}

/// The pairs of an encoded query or form.
#[must_use]
pub fn pairs(encoded: &[u8]) -> Pairs {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    cookies
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

fn language(tag: &str) -> Option<Language> {
    let first = tag.split(['-', '_']).next().unwrap_or_default();
    if first.eq_ignore_ascii_case("zh") {
        Some(Language::ZhCn)
    } else if first.eq_ignore_ascii_case("en") {
        Some(Language::En)
    } else {
        None
    }
}

/// The first of the browser's languages that we speak; browsers name them in order.
fn preferred(list: &str) -> Option<Language> {
    list.split(',')
        .filter_map(|it| it.split(';').next())
        .find_map(|tag| language(tag.trim()))
}

/// Whether a request that changes something comes from a page of ours. Browsers say so; what says
/// nothing is none of ours.
#[must_use]
pub fn is_ours(headers: &HeaderMap) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let origin = text(headers, header::ORIGIN.as_str());
    let host = text(headers, header::HOST.as_str());
    match (origin.and_then(|it| it.split_once("://")), host) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// The pairs of a form of at most so many bytes.
///
/// # Errors
/// It is too long, or did not come in time.
pub async fn form(headers: &HeaderMap, body: Body, max: usize) -> Result<Pairs, Event> {
    let length = text(headers, header::CONTENT_LENGTH.as_str());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > max as u64) {
        return Err(Event::TooLong);
    }
    let body = axum::body::to_bytes(body, max);
    match tokio::time::timeout(BODY_READ_MAX, body).await {
        Ok(Ok(body)) => Ok(pairs(&body)),
        // Too long, or broken off: then nobody reads the answer.
        Ok(Err(_)) => Err(Event::TooLong),
        Err(_) => Err(Event::TooSlow),
    }
}

/// The answer to a form that was not read.
#[must_use]
pub fn unread(why: Event, words: &Words, language: Language) -> axum::response::Response {
    let (status, title) = match why {
        Event::TooSlow => (StatusCode::REQUEST_TIMEOUT, words.too_slow),
        _ => (StatusCode::PAYLOAD_TOO_LARGE, words.too_long),
    };
    frame::bare(status, language, title, &maud::html! { h1 { (title) } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_what_a_browser_says_is_from_our_own_page_is_ours() {
        for (said, expected) in [
            (
                &[("sec-fetch-site", "same-origin"), ("host", "x")][..],
                true,
            ),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://x"),
                    ("host", "x"),
                ],
                false,
            ),
            (
                &[("origin", "http://clinic:8380"), ("host", "clinic:8380")],
                true,
            ),
            (
                &[("origin", "http://clinic:8381"), ("host", "clinic:8380")],
                false,
            ),
            (&[("origin", "null"), ("host", "clinic:8380")], false),
            (&[("host", "clinic:8380")], false),
            (&[], false),
        ] {
            assert_eq!(is_ours(&headers(said)), expected, "{said:?}");
        }
    }

    #[test]
    fn the_first_language_that_we_speak_is_spoken() {
        assert_eq!(
            preferred("de-DE,de;q=0.9,en;q=0.8,zh;q=0.7"),
            Some(Language::En)
        );
        assert_eq!(preferred("zh-TW,en"), Some(Language::ZhCn));
        assert_eq!(preferred("fr"), None);
        assert_eq!(preferred(""), None);
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let headers = headers(&[("cookie", "a=1; xdosed_session=2; dosed_session=3=4")]);
        assert_eq!(cookie(&headers, "dosed_session"), Some("3=4"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[tokio::test]
    async fn a_form_is_read_up_to_its_limit() {
        let read = |length: Option<&'static str>, body: &'static str| async move {
            let said: Vec<_> = length
                .map(|it| ("content-length", it))
                .into_iter()
                .collect();
            form(&headers(&said), Body::from(body), 10).await
        };
        let ten = vec![
            ("a".to_owned(), "b c".to_owned()),
            ("d".to_owned(), "ä".to_owned()),
        ];
        assert_eq!(read(None, "a=b+c&d=ä").await, Ok(ten));
        assert_eq!(read(None, "a=b+c&d=%C3%A4").await, Err(Event::TooLong));
        assert_eq!(read(Some("11"), "a").await, Err(Event::TooLong));
    }
}
