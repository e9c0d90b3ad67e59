//! Whom to ring.

use super::clinic::Call;
use super::frame::Switch;
use super::gate::{Answered, Route, Trouble};
use super::visit::Visit;
use crate::engine::{CallReason, Role};
use crate::http::admin::{CallEnded, EndCallRequest};
use axum::http::StatusCode;
use maud::{Markup, html};

/// The page, and its form.
pub const ROUTES: &[Route] = &[
    Route::get("/calls", Role::Viewer, "calls", show),
    Route::post("/calls/done", Role::Nurse, "call_done", done),
];

/// Patients on one page.
const PER_PAGE: usize = 50;
/// Most bytes of a note.
const NOTE_BYTES_MAX: usize = 2_000;

fn show(visit: Visit) -> Answered {
    Box::pin(async move {
        let content = list(&visit, None).await?;
        Ok(visit.page("calls", visit.words.calls, &content))
    })
}

/// One patient, with all reasons.
struct Patient<'a> {
    calls: Vec<&'a Call>,
}

async fn list(visit: &Visit, said: Option<&str>) -> Result<Markup, Trouble> {
    let words = visit.words;
    let listed = visit.clinic().calls().await?;
    let calls = &listed.calls;
    let mut patients: Vec<Patient<'_>> = Vec::new();
    for call in calls {
        let of = |it: &&mut Patient<'_>| it.calls[0].person.patient == call.person.patient;
        match patients.iter_mut().find(of) {
            Some(patient) => patient.calls.push(call),
            None => patients.push(Patient { calls: vec![call] }),
        }
    }
    // A word that cannot wait goes before all others; the order of time stays.
    patients.sort_by_key(|it| !it.calls.iter().any(|it| it.reason == CallReason::RedFlag));
    let pages = patients.len().div_ceil(PER_PAGE).max(1);
    let page = visit.query("page").and_then(|page| page.parse().ok());
    let page = page.unwrap_or(0_usize).min(pages - 1);
    let on_page = patients.iter().skip(page * PER_PAGE).take(PER_PAGE);
    let said = said.or(match visit.query("said") {
        Some("done") => Some(words.call_is_done),
        Some("gone") => Some(words.call_is_gone),
        _ => None,
    });
    Ok(html! {
        @if let Some(said) = said { p.notice.good role="status" { (said) } }
        div #calls data-live="15" {
            (visit.left_out(listed.unreadable))
            p { (words.to_ring) " " strong { (patients.len()) } }
            @if patients.is_empty() { p { (words.nobody_to_ring) } }
            @for patient in on_page { (card(visit, patient)) }
            @if pages > 1 {
                nav.turn aria-label=(words.more_pages) {
                    @if page > 0 {
                        a rel="prev" href={ "/calls?page=" (page - 1) } { (words.earlier_page) }
                    }
                    span { (page + 1) " / " (pages) }
                    @if page + 1 < pages {
                        a rel="next" href={ "/calls?page=" (page + 1) } { (words.later_page) }
                    }
                }
            }
        }
    })
}

fn card(visit: &Visit, patient: &Patient<'_>) -> Markup {
    let words = visit.words;
    let first = patient.calls[0];
    let id = &first.person.patient;
    let urgent = patient
        .calls
        .iter()
        .any(|it| it.reason == CallReason::RedFlag);
    html! {
        article.(if urgent { "bad" } else { "" }) aria-labelledby={ "call-" (id) } {
            h2 #{ "call-" (id) } { (visit.person(&first.person)) }
            div.scrolls tabindex="0" role="region" aria-labelledby={ "call-" (id) } {
                table.cards {
                    thead { tr {
                        th scope="col" { (words.why) }
                        th scope="col" { (words.since) }
                        th scope="col" { (words.last) }
                    } }
                    tbody {
                        @for call in &patient.calls {
                            tr {
                                th scope="row" { (words.call_reason(call.reason)) }
                                td data-label=(words.since) { (visit.time(call.since)) }
                                td data-label=(words.last) { (visit.time(call.last)) }
                            }
                        }
                    }
                }
            }
            @if !first.caregivers.is_empty() {
                p {
                    (words.caregivers) " "
                    @for (index, (name, relation, reached)) in first.caregivers.iter().enumerate() {
                        @if index > 0 { (words.between) }
                        (name) " (" (relation) ")"
                        @if !reached { " – " (words.not_reached) }
                    }
                }
            }
            @if visit.account.role >= Role::Nurse {
                details {
                    summary { (words.mark_done) }
                    form.stacked method="post" action="/calls/done" {
                        (visit.form_token_once())
                        input type="hidden" name="patient" value=(id);
                        label for={ "reason-" (id) } { (words.done_with) }
                        select #{ "reason-" (id) } name="reason" {
                            option value="" { (words.all_reasons) }
                            @for call in &patient.calls {
                                option value=(call.reason.name()) {
                                    (words.call_reason(call.reason))
                                }
                            }
                        }
                        label for={ "note-" (id) } { (words.note) }
                        textarea #{ "note-" (id) } name="text" maxlength=(NOTE_BYTES_MAX) {}
                        button type="submit" { (words.mark_done) }
                    }
                }
            }
        }
    }
}

fn done(visit: Visit) -> Answered {
    Box::pin(async move {
        let note = visit.field("text").trim();
        if visit.only_shows_again() || note.len() > NOTE_BYTES_MAX {
            let words = visit.words;
            let content = html! {
                p.notice.bad role="alert" { (words.note_too_long) }
                form #note-form .stacked method="post" action="/calls/done" {
                    (visit.form_token_once())
                    input type="hidden" name="patient" value=(visit.field("patient"));
                    input type="hidden" name="reason" value=(visit.field("reason"));
                    label for="note" { (words.note) }
                    textarea #note name="text" rows="8" { (note) }
                    button type="submit" { (words.mark_done) }
                }
            };
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let switch = Switch::Form {
                id: "note-form",
                action: "/calls/done",
            };
            return Ok(visit.page_of_form(status, ("calls", words.calls), &content, switch));
        }
        if visit.is_again() {
            return Ok(visit.go("/calls?said=done"));
        }
        let request = EndCallRequest {
            patient: visit.field("patient").to_owned(),
            reason: Some(visit.field("reason").to_owned()).filter(|it| !it.is_empty()),
            note: note.to_owned(),
        };
        match visit.clinic().end_call(&visit.account, request).await {
            CallEnded::Done { .. } => Ok(visit.go("/calls?said=done")),
            CallEnded::NotListed => Ok(visit.go("/calls?said=gone")),
            CallEnded::NoPatient | CallEnded::NoReason { .. } => Err(Trouble::NotFound),
            CallEnded::Failed { why } => Err(Trouble::Unavailable(why)),
        }
    })
}
