//! What people wrote, and answering them.

use super::clinic::{Person, Written};
use super::frame::Switch;
use super::gate::{Answered, Route, Trouble};
use super::visit::Visit;
use crate::engine::Role;
use axum::http::StatusCode;
use maud::{Markup, html};

/// The page, and its form.
pub const ROUTES: &[Route] = &[
    Route::get("/inbox", Role::Viewer, "inbox", show),
    Route::post("/inbox/answer", Role::Nurse, "answer", answer),
];

/// What is written on one page.
const PER_PAGE: usize = 30;
/// Most bytes of an answer: one message.
const TEXT_BYTES_MAX: usize = 2_000;

fn show(visit: Visit) -> Answered {
    Box::pin(async move {
        let words = visit.words;
        let inbox = visit.clinic().inbox().await?;
        let only_open = visit.query("show") == Some("open");
        let written: Vec<(usize, &Written)> = inbox
            .written
            .iter()
            .filter(|it| !only_open || it.answers.is_empty())
            .enumerate()
            .collect();
        let pages = written.len().div_ceil(PER_PAGE).max(1);
        let page = visit.query("page").and_then(|page| page.parse().ok());
        let page = page.unwrap_or(0_usize).min(pages - 1);
        let on_page = written.iter().skip(page * PER_PAGE).take(PER_PAGE);
        let open = inbox.written.iter().filter(|it| it.answers.is_empty());
        let (all, open) = (inbox.written.len(), open.count());
        let said = match visit.query("said") {
            Some("sent") => Some(("good", words.answer_is_sent)),
            Some("call") => Some(("", words.answer_is_to_call)),
            Some("again") => Some(("", words.answer_is_again)),
            _ => None,
        };
        let show = if only_open { "open" } else { "" };
        let content = html! {
            @if let Some((class, said)) = said { p.notice.(class) role="status" { (said) } }
            div #inbox data-live="15" {
                (visit.left_out(inbox.unreadable))
                ul.counts {
                    li { a href="/inbox" aria-current=[(!only_open).then_some("true")] {
                        b { (all) } (words.of_seven_days)
                    } }
                    li { a href="/inbox?show=open" aria-current=[only_open.then_some("true")] {
                        b { (open) } (words.not_answered)
                    } }
                }
                @if written.is_empty() { p { (words.nothing_written) } }
                @for (index, it) in on_page { (card(&visit, *index, it)) }
                @if pages > 1 {
                    nav.turn aria-label=(words.more_pages) {
                        @if page > 0 {
                            a rel="prev" href={ "/inbox?show=" (show) "&page=" (page - 1) } {
                                (words.newer)
                            }
                        }
                        span { (page + 1) " / " (pages) }
                        @if page + 1 < pages {
                            a rel="next" href={ "/inbox?show=" (show) "&page=" (page + 1) } {
                                (words.older)
                            }
                        }
                    }
                }
            }
        };
        Ok(visit.page("inbox", words.inbox, &content))
    })
}

fn card(visit: &Visit, index: usize, it: &Written) -> Markup {
    let words = visit.words;
    let id = format!("written-{index}");
    html! {
        article.(if it.red_flag { "bad" } else { "" }) aria-labelledby=(id) {
            h2 #(id) {
                @match &it.person {
                    Some(person) => { (visit.person(person)) }
                    None => { (words.stranger) " " (it.by.as_deref().unwrap_or_default()) }
                }
            }
            p.small {
                (visit.time(it.at))
                @if let (Some(_), Some(by)) = (&it.person, &it.by) {
                    " · " (words.written_by) " " (by)
                }
                @if it.red_flag { " " span.mark.bad { (words.red_flag) } }
                @if it.answers.is_empty() && it.person.is_some() {
                    " " span.mark.look { (words.not_answered) }
                }
            }
            p.words { (it.text) }
            @for reply in &it.answers {
                p.small {
                    (words.clinic_said) " " (visit.time(reply.at))
                    @if !reply.by.is_empty() { " · " (reply.by) }
                    @if !reply.sent { " · " (words.could_not_be_sent) }
                }
                p.words { (reply.text) }
            }
            @match &it.person {
                Some(person) if person.name.is_some() && visit.account.role >= Role::Nurse => {
                    details {
                        summary { (words.answer) }
                        (form(visit, person, &id, ""))
                    }
                }
                Some(_) => {}
                None => { p.small { (words.stranger_why) } }
            }
        }
    }
}

fn form(visit: &Visit, person: &Person, id: &str, text: &str) -> Markup {
    let words = visit.words;
    html! {
        form #{ (id) "-form" } .stacked method="post" action="/inbox/answer" {
            (visit.form_token_once())
            input type="hidden" name="patient" value=(person.patient);
            label for={ (id) "-text" } { (words.answer_to) " " (visit.name(person)) }
            textarea #{ (id) "-text" } name="text" required maxlength=(TEXT_BYTES_MAX) { (text) }
            p.small { (words.answer_goes) }
            button type="submit" { (words.send) }
        }
    }
}

fn answer(visit: Visit) -> Answered {
    Box::pin(async move {
        let words = visit.words;
        let text = visit.field("text").trim().to_owned();
        let patient = visit.field("patient").to_owned();
        if visit.only_shows_again() || text.is_empty() || text.len() > TEXT_BYTES_MAX {
            let person = Person {
                patient,
                name: None,
            };
            let content = html! {
                p.notice.bad role="alert" { (words.answer_too_long) }
                (form(&visit, &person, "again", &text))
            };
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let switch = Switch::Form {
                id: "again-form",
                action: "/inbox/answer",
            };
            return Ok(visit.page_of_form(status, ("inbox", words.inbox), &content, switch));
        }
        // Sent twice, a patient would be told twice.
        if visit.is_again() {
            return Ok(visit.go("/inbox?said=again"));
        }
        let said = visit.clinic().say(&visit.account, patient, text).await;
        match said.failed {
            Some(why) => Err(Trouble::Unavailable(why)),
            None if said.sent > 0 => Ok(visit.go("/inbox?said=sent")),
            None if said.to_call > 0 => Ok(visit.go("/inbox?said=call")),
            None => Err(Trouble::NotFound),
        }
    })
}
