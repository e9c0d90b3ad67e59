//! What the pages are dressed in: part of the binary, nothing comes from elsewhere.

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The one style sheet.
const STYLE: &[u8] = include_bytes!("assets/page.css");
/// The one script: brings what is shown up to date.
const SCRIPT: &[u8] = include_bytes!("assets/page.js");

/// Where the style sheet is; another address with each release.
pub const STYLE_PATH: &str = concat!("/assets/page.css?v=", env!("CARGO_PKG_VERSION"));
/// Where the script is.
pub const SCRIPT_PATH: &str = concat!("/assets/page.js?v=", env!("CARGO_PKG_VERSION"));

/// Their paths.
pub const PATHS: [&str; 2] = ["/assets/page.css", "/assets/page.js"];

/// The routes of the assets. They hold nothing of the clinic: whoever is not signed in gets them.
pub fn router() -> Router {
    Router::new()
        .route(
            PATHS[0],
            get(async || asset(STYLE, "text/css; charset=utf-8")),
        )
        .route(
            PATHS[1],
            get(async || asset(SCRIPT, "text/javascript; charset=utf-8")),
        )
}

fn asset(bytes: &'static [u8], kind: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        // Asked for anew after an update: the versions of releases are not those of files.
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("max-age=300"),
        ),
    ];
    (StatusCode::OK, headers, bytes).into_response()
}
