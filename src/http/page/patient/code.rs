//! The code by whose scan somebody binds themselves.

use super::{answered, patient_of};
use crate::http::admin::{EnrolRequest, Enrolled};
use crate::http::page::gate::{Answered, Trouble};
use crate::http::page::visit::Visit;
use crate::http::page::words::Words;
use crate::plan::Language;
use axum::http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, html};
use qrcode::{Color, QrCode};
use std::fmt::Write as _;

/// A code made on the page is scanned at once.
const VALID_SECONDS: u32 = 3_600;

/// Light modules around a code, so that it can be read.
const QUIET: usize = 4;

pub(super) fn make(visit: Visit) -> Answered {
    answered(async move {
        let id = patient_of(&visit)?.to_string();
        let caregiver = visit.field("caregiver");
        let request = EnrolRequest {
            patient: id.clone(),
            caregiver: (!caregiver.is_empty()).then(|| caregiver.to_owned()),
            valid_seconds: VALID_SECONDS,
        };
        let words = visit.words;
        let enrolled = visit.clinic().enrol(request).await;
        let (status, content) = match enrolled {
            Enrolled::Made { url, expires } => match QrCode::new(url.as_bytes()) {
                Ok(code) => (
                    StatusCode::OK,
                    shown(
                        &visit,
                        if caregiver.is_empty() { &id } else { caregiver },
                        &code,
                        expires,
                    ),
                ),
                Err(error) => return Err(Trouble::Unavailable(error.to_string())),
            },
            Enrolled::NoPatient | Enrolled::NoCaregiver { .. } => return Err(Trouble::NotFound),
            Enrolled::NoAnswers { why } => (
                StatusCode::CONFLICT,
                html! { p.notice.bad { (words.no_code) " " (why) } },
            ),
            Enrolled::Unavailable { why } | Enrolled::Failed { why } => (
                StatusCode::SERVICE_UNAVAILABLE,
                html! { p.notice.bad { (words.no_code) " " (why) } },
            ),
        };
        let content = html! {
            (content)
            p { a href=(format!("/patients/{id}")) { (words.back_to_patient) } }
        };
        Ok(visit.page_with(status, "plans", words.code, &content))
    })
}

/// The code, in both languages: it is shown once, and to whom it is handed may read the other one.
fn shown(visit: &Visit, whom: &str, code: &QrCode, expires: Timestamp) -> Markup {
    let other = match visit.language {
        Language::En => Language::ZhCn,
        Language::ZhCn => Language::En,
    };
    let said = |language: Language| {
        let words = Words::of(language);
        html! {
            div lang=(language.tag()) {
                p { (words.code_for) " " strong { (whom) } }
                p { (words.code_until) " " (visit.time(expires)) }
            }
        }
    };
    html! {
        (said(visit.language))
        (drawn(code, visit.words.code))
        (said(other))
    }
}

/// Dark on light, whatever the colours of the page.
fn drawn(code: &QrCode, title: &str) -> Markup {
    let width = code.width();
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (index % width + QUIET, index / width + QUIET);
            // Writing to a String cannot fail.
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    html! {
        svg.code role="img" aria-label=(title) viewBox=(format!("0 0 {side} {side}"))
            xmlns="http://www.w3.org/2000/svg" shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dark_module_is_drawn_once_within_a_margin() {
        let code = QrCode::new(b"http://weixin.qq.com/q/02abc").unwrap();
        let svg = drawn(&code, "Code").into_string();
        let dark = code
            .to_colors()
            .iter()
            .filter(|it| **it == Color::Dark)
            .count();
        assert_eq!(svg.matches("h1v1h-1z").count(), dark);
        assert!(svg.contains(&format!("viewBox=\"0 0 {0} {0}\"", code.width() + 8)));
        // The finder pattern begins behind the margin.
        assert!(svg.contains("M4 4h1v1h-1z"), "{svg}");
        assert!(!svg.contains("style"));
    }
}
