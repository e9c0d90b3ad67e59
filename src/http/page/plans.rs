//! What is in force, what is refused and why, and what the last edits changed.

use super::clinic::{Edited, PlanEdit, PlanInForce, Plans, Rejected};
use super::finding;
use super::gate::{Answered, Route};
use super::patient::differences_at_most;
use super::visit::Visit;
use crate::engine::Role;
use crate::plan::PatientId;
use maud::{Markup, html};

/// The page.
pub const ROUTES: &[Route] = &[Route::get("/plans", Role::Viewer, "plans", show)];

/// So many lines of what an edit changed are shown; the plan's history has all of them.
const LINES_MAX: usize = 40;

fn show(visit: Visit) -> Answered {
    Box::pin(async move {
        let after = visit.query("after").map(ToOwned::to_owned);
        let after = after.filter(|id| id.parse::<PatientId>().is_ok());
        let plans = visit.clinic().plans(after).await?;
        let content = html! {
            div #plans data-live="30" { (all(&visit, &plans)) }
        };
        Ok(visit.page("plans", visit.words.plans, &content))
    })
}

fn all(visit: &Visit, plans: &Plans) -> Markup {
    let words = visit.words;
    html! {
        (visit.left_out(plans.unreadable))
        @if let Some(why) = &plans.refused {
            p.notice.bad { (words.reload_refused) " " (why) }
        }
        @if plans.held_removals > 0 {
            p.notice { (words.held_removals) " " (plans.held_removals) }
        }
        p {
            (words.plans_in_force) " " strong { (plans.active) }
            @if let Some(at) = plans.last_reload {
                " · " (words.read_last) " " (visit.time(at))
            }
        }
        @if visit.account.role >= Role::Doctor {
            p.noprint { a href="/new-patient" { (words.new_plan) } }
        }
        section {
            h2 #rejected { (words.rejected) " · " (plans.rejected.len()) }
            @if plans.rejected.is_empty() { p { (words.none_rejected) } }
            @for it in &plans.rejected { (rejected(visit, it)) }
        }
        section {
            h2 #edits { (words.last_edits) }
            @if plans.edits.is_empty() { p { (words.no_edits) } }
            @for edit in &plans.edits { (edited(visit, edit)) }
        }
        section {
            h2 #in-force { (words.in_force) }
            div.scrolls tabindex="0" role="region" aria-labelledby="in-force" {
                table.cards {
                    thead { tr {
                        th scope="col" { (words.patient) }
                        th scope="col" { (words.medications) }
                        th.number scope="col" { (words.check_ins) }
                        th.number scope="col" { (words.version) }
                    } }
                    tbody { @for plan in &plans.in_force { (row(visit, plan)) } }
                }
            }
            @if let Some(next) = &plans.next {
                nav.turn aria-label=(words.more_pages) {
                    a href="/plans" { (words.first_page) }
                    a rel="next" href={ "/plans?after=" (next) } { (words.later_page) }
                }
            }
        }
    }
}

fn rejected(visit: &Visit, it: &Rejected) -> Markup {
    let words = visit.words;
    html! {
        article.bad {
            h3 { (it.patient.as_deref().unwrap_or(words.not_a_plan)) }
            (finding::all(visit.words, visit.language, &it.findings))
            @if it.patient.is_some() { p.small { (words.last_good_stays) } }
        }
    }
}

fn edited(visit: &Visit, edit: &PlanEdit) -> Markup {
    let words = visit.words;
    let what = match edit.what {
        Edited::New => words.edit_new,
        Edited::Changed => words.edit_changed,
        Edited::Reworded => words.edit_reworded,
        Edited::Ended => words.edit_ended,
    };
    html! {
        article {
            h3 { (visit.person(&edit.person)) }
            p { (visit.time(edit.at)) " · " (what) }
            @match (edit.what, edit.texts.0.as_str(), edit.texts.1.as_str()) {
                // What it was is in its history; of what is not kept nothing can be said.
                (Edited::Ended, ..) | (_, _, "") => {}
                (Edited::Changed | Edited::Reworded, "", _) => {
                    p.small { (words.no_text_before) }
                }
                (_, old, new) => { (differences_at_most(visit, old, new, LINES_MAX)) }
            }
            p.small {
                a href={ "/patients/" (edit.person.patient) "/plans" } { (words.plan_history) }
            }
        }
    }
}

fn row(visit: &Visit, plan: &PlanInForce) -> Markup {
    let words = visit.words;
    html! {
        tr {
            th scope="row" { (visit.person(&plan.person)) }
            td data-label=(words.medications) { (plan.medications.join(words.between)) }
            td.number data-label=(words.check_ins) { (plan.check_ins) }
            td.number data-label=(words.version) { (plan.version) }
        }
    }
}
