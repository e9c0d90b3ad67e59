//! How the daemon is, in words.

use super::gate::{Answered, Route};
use super::visit::Visit;
use super::words::Words;
use crate::engine::Role;
use crate::http::health::{Health, Status};
use maud::{Markup, html};

/// The page.
pub const ROUTES: &[Route] = &[Route::get("/system", Role::Viewer, "system", show)];

fn show(visit: Visit) -> Answered {
    Box::pin(async move {
        let health = visit.clinic().health();
        let content = html! {
            div #health data-live="15" { (checks(visit.words, &health)) }
        };
        Ok(visit.page("system", visit.words.system, &content))
    })
}

fn checks(words: &Words, health: &Health) -> Markup {
    let (class, sentence) = match health.status() {
        Status::Pass => ("good", words.all_well),
        Status::Warn => ("look", words.look),
        Status::Fail => ("bad", words.broken),
    };
    let mut checks: Vec<_> = health.checks.iter().collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.status));
    html! {
        p.verdict.(class) { strong { (sentence) } " " (health.summary) }
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
                            th scope="row" { code { (check.name) } }
                            td { (state(words, check.status)) }
                            td { (check.output.as_deref().unwrap_or_default()) }
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
