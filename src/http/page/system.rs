//! How the daemon is, in words.

use super::clinic::JobLine;
use super::gate::{Answered, Route};
use super::visit::Visit;
use super::words::Words;
use crate::engine::Role;
use crate::http::health::{Health, Status, remark};
use crate::plan::Language;
use maud::{Markup, html};

/// The page.
pub const ROUTES: &[Route] = &[
    Route::get("/system", Role::Viewer, "system", show),
    Route::get("/system/audit", Role::Doctor, "audit", audit),
];

fn show(visit: Visit) -> Answered {
    Box::pin(async move {
        let words = visit.words;
        let health = visit.clinic().health();
        // How it is must be seen also while the store does not answer.
        let lines = visit.clinic().jobs().await.unwrap_or_default();
        let content = html! {
            div #health data-live="15" {
                (checks(words, visit.language, &health))
                (jobs(&visit, &lines))
            }
            @if visit.account.role >= Role::Doctor {
                p { a href="/system/audit" { (words.audit) } }
            }
        };
        Ok(visit.page("system", words.system, &content))
    })
}

fn jobs(visit: &Visit, lines: &[JobLine]) -> Markup {
    let words = visit.words;
    let time = |at: Option<jiff::Timestamp>| {
        html! {
            @match at { Some(at) => { (visit.time(at)) } None => { "–" } }
        }
    };
    html! {
        @if !lines.is_empty() {
            div.scrolls tabindex="0" role="region" aria-label=(words.jobs) {
                table {
                    caption { (words.jobs) }
                    thead { tr {
                        th scope="col" { (words.job) }
                        th scope="col" { (words.started_last) }
                        th scope="col" { (words.succeeded_last) }
                    } }
                    tbody {
                        @for line in lines {
                            tr {
                                th scope="row" {
                                    (words.health_check(line.check)) " " code.id { (line.name) }
                                }
                                td {
                                    (time(line.started))
                                    @if line.failed { " " span.mark.bad { (words.failed) } }
                                }
                                td { (time(line.succeeded)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn audit(visit: Visit) -> Answered {
    Box::pin(async move {
        let words = visit.words;
        let place = |text: &str| {
            let (day, number) = text.split_once('.')?;
            Some((day.parse().ok()?, number.parse().ok()?))
        };
        let leaf = visit
            .clinic()
            .audit(visit.query("before").and_then(place))
            .await?;
        let outcome = |word: &str| match word {
            "" => words.seen,
            "done" => words.outcome_done,
            "failed" => words.outcome_failed,
            _ => words.outcome_refused,
        };
        let content = html! {
            div.scrolls tabindex="0" role="region" aria-label=(words.audit) {
                table.cards {
                    thead { tr {
                        th scope="col" { (words.at) }
                        th scope="col" { (words.account) }
                        th scope="col" { (words.what) }
                        th scope="col" { (words.patient) }
                        th scope="col" { (words.outcome) }
                    } }
                    tbody {
                        @for line in &leaf.lines {
                            tr {
                                td data-label=(words.at) { (visit.time(line.at)) }
                                th scope="row" { (line.account) }
                                td data-label=(words.what) { code { (line.what) } }
                                td data-label=(words.patient) { (line.patient.as_deref().unwrap_or_default()) }
                                td data-label=(words.outcome) { (outcome(&line.outcome)) }
                            }
                        }
                    }
                }
            }
            @if let Some((day, number)) = leaf.older {
                nav.turn aria-label=(words.more_pages) {
                    a href="/system/audit" { (words.first_page) }
                    a rel="next" href={ "/system/audit?before=" (day) "." (number) } {
                        (words.older)
                    }
                }
            }
        };
        Ok(visit.page("system", words.audit, &content))
    })
}

fn checks(words: &Words, language: Language, health: &Health) -> Markup {
    let (class, sentence) = match health.status() {
        Status::Pass => ("good", words.all_well),
        Status::Warn => ("look", words.look),
        Status::Fail => ("bad", words.broken),
    };
    let mut checks: Vec<_> = health.checks.iter().collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.status));
    html! {
        p.verdict.(class) { strong { (sentence) } " " (remark::line(&health.summary, language)) }
        p { (words.release) " " (env!("CARGO_PKG_VERSION")) " · " (words.up_since) " "
            (duration(words, health.uptime_seconds)) }
        div.scrolls tabindex="0" role="region" aria-label=(words.checks) {
            table {
                caption { (words.checks) }
                thead { tr {
                    th scope="col" { (words.check) }
                    th scope="col" { (words.state) }
                    th scope="col" { (words.finding) }
                } }
                tbody {
                    @for check in checks {
                        tr {
                            th scope="row" {
                                (words.health_check(check.name)) " " code.id { (check.name) }
                            }
                            td { (state(words, check.status)) }
                            td {
                                @if let Some(output) = &check.output { (output.words(language)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn state(words: &Words, status: Status) -> Markup {
    let (class, word) = match status {
        Status::Pass => ("good", words.pass),
        Status::Warn => ("look", words.warn),
        Status::Fail => ("bad", words.fail),
    };
    html! { span.mark.(class) { (word) } }
}

fn duration(words: &Words, seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} {}", words.minutes),
        (0, hours) => format!("{hours} {} {minutes} {}", words.hours, words.minutes),
        (days, hours) => format!("{days} {} {hours} {}", words.days, words.hours),
    }
}
