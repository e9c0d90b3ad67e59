//! The patient's page.

use super::view::{PatientAsk, PatientView, ReachView};
use super::{Naming, answered, calendar, figures, journal, past, patient_of, readings};
use crate::engine::{Expected, Role};
use crate::http::page::gate::{Answered, Trouble};
use crate::http::page::visit::{Visit, time};
use crate::plan::{DueKind, explain};
use jiff::Timestamp;
use maud::{Markup, html};

/// Answers of so many days are shown where nothing else is asked for.
const DAYS: u16 = 90;
/// What may be asked for.
const DAYS_OFFERED: [u16; 3] = [30, DAYS, 365];
/// So much of what falls next is shown.
const NEXT_MAX: usize = 24;

pub(super) fn show(visit: Visit) -> Answered {
    answered(async move {
        let id = patient_of(&visit)?.to_string();
        let days = visit.query("days").and_then(|days| days.parse().ok());
        let days = days
            .filter(|days| DAYS_OFFERED.contains(days))
            .unwrap_or(DAYS);
        let month = visit.query("month").and_then(calendar::month_of);
        let view = visit
            .clinic()
            .patient(id, PatientAsk { month, days })
            .await?;
        let view = view.ok_or(Trouble::NotFound)?;
        let title = match &view.plan {
            Some(plan) => format!("{} ({})", plan.name, view.id),
            None => view.id.clone(),
        };
        Ok(visit.page("plans", &title, &content(&visit, &view)))
    })
}

fn content(visit: &Visit, view: &PatientView) -> Markup {
    let words = visit.words;
    let names = Naming {
        plan: view.plan.as_ref(),
        zone: &view.zone,
        language: visit.language,
    };
    let path = format!("/patients/{}", view.id);
    html! {
        p.small {
            @match view.version {
                Some(version) => { (words.plan_version) " " (version) " · " }
                None => { (words.no_plan) " · " }
            }
            (view.zone.name()) " · "
            a href=(format!("{path}/plans")) { (words.plan_history) }
            @if visit.account.role >= Role::Doctor {
                " · " a href=(format!("{path}/plan/edit")) { (words.edit_plan) }
            }
        }
        section #now data-live="30" { (now(visit, view, &names)) }
        section #plan {
            h2 { (words.plan) }
            @match &view.plan {
                None => { p { (words.no_plan) } }
                Some(plan) => {
                    ul { @for sentence in plan.explain(visit.language) { li { (sentence) } } }
                }
            }
        }
        section #calendar { (calendar::draw(visit, view, &names)) }
        section #readings {
            h2 { (words.answers) }
            p.turn.noprint {
                @for days in DAYS_OFFERED {
                    a href=(format!("{path}?days={days}#readings"))
                        aria-current=[(days == view.days).then_some("true")] {
                        (days) " " (words.days_long)
                    }
                }
            }
            (readings::draw(visit, view, &names))
        }
        section #adherence { (figures::table(visit, view, &names)) }
        section #contacts { (contacts(visit, view, &names)) }
        section #journal {
            h2 { (words.journal) }
            (past::entries(visit, &view.journal.entries, &names, view.now))
            p { a href=(format!("{path}/journal")) { (words.whole_journal) } }
        }
    }
}

/// What waits, and what comes next.
fn now(visit: &Visit, view: &PatientView, names: &Naming<'_>) -> Markup {
    let words = visit.words;
    html! {
        h2 { (words.waiting) }
        @if view.open.is_empty() {
            p { (words.nothing_waits) }
        } @else {
            ul {
                @for dose in &view.open {
                    li {
                        strong { (names.medication(&dose.medication)) } " "
                        (explain::amount_words(visit.language, &dose.amount)) " · "
                        (time(dose.due, view.now, &view.zone)) " · "
                        @match dose.sending.accepted_at {
                            Some(at) => {
                                (words.reminded_at) " " (time(at, view.now, &view.zone))
                            }
                            None => { (words.not_reminded_yet) }
                        }
                        @if dose.said_not_taken { " · " (words.said_not_taken) }
                    }
                }
            }
        }
        h2 { (words.comes_next) }
        @if view.next.is_empty() {
            p { (words.nothing_next) }
        } @else {
            ul {
                @for (at, things) in by_instant(&view.next, names, visit) {
                    li { (names.at(at)) "  " (things.join(explain::list_separator(visit.language))) }
                }
            }
        }
    }
}

fn by_instant(
    next: &[Expected],
    names: &Naming<'_>,
    visit: &Visit,
) -> Vec<(Timestamp, Vec<String>)> {
    let mut all: Vec<(Timestamp, Vec<String>)> = Vec::new();
    for item in next.iter().take(NEXT_MAX) {
        let thing = match item.kind {
            DueKind::Dose => {
                let amount = explain::amount_words(visit.language, &item.amount);
                format!("{} {amount}", names.medication(&item.id))
            }
            DueKind::CheckIn => names.check_in(&item.id).to_owned(),
            DueKind::Appointment => item.id.clone(),
        };
        match all.last_mut() {
            Some((at, things)) if *at == item.due => things.push(thing),
            _ => all.push((item.due, vec![thing])),
        }
    }
    all
}

fn contacts(visit: &Visit, view: &PatientView, names: &Naming<'_>) -> Markup {
    let words = visit.words;
    let caregivers = view.plan.iter().flat_map(|plan| &plan.caregivers);
    let enrols = visit.account.role >= Role::Nurse && view.plan.is_some();
    html! {
        h2 { (words.contacts) }
        div.scrolls tabindex="0" role="region" aria-label=(words.contacts) {
            table {
                thead { tr {
                    th scope="col" { (words.who) }
                    th scope="col" { (words.reached) }
                    @if enrols { th.noprint scope="col" { (words.enrol) } }
                } }
                tbody {
                    tr {
                        th scope="row" { (words.the_patient) }
                        td { (patient_reach(visit, &view.reach)) }
                        @if enrols { td.noprint { (enrol(visit, &view.id, "")) } }
                    }
                    @for caregiver in caregivers {
                        tr {
                            th scope="row" { (names.caregiver(&caregiver.id)) " "
                                span.small { (caregiver.relation) } }
                            td { (caregiver_reach(visit, &view.reach, &caregiver.id)) }
                            @if enrols { td.noprint { (enrol(visit, &view.id, &caregiver.id)) } }
                        }
                    }
                }
            }
        }
    }
}

fn patient_reach(visit: &Visit, reach: &ReachView) -> Markup {
    let words = visit.words;
    let how = if reach.bound {
        words.bound_by_scan
    } else if reach.attested {
        words.named_by_plan
    } else {
        words.no_contact
    };
    html! {
        @match reach.barred {
            Some(reason) => {
                span.mark.bad { (words.not_reached) } " "
                (journal::reason_words(visit.language, reason))
            }
            None if reach.bound || reach.attested => {
                span.mark.good { (words.reached) } " " (how)
            }
            None => { span.mark.look { (how) } }
        }
    }
}

fn caregiver_reach(visit: &Visit, reach: &ReachView, id: &str) -> Markup {
    let words = visit.words;
    let known = reach.caregivers.iter().find(|(known, _)| known == id);
    html! {
        @match known {
            Some((_, true)) => { span.mark.good { (words.reached) } }
            Some((_, false)) => { span.mark.bad { (words.not_reached) } }
            None => { span.mark.look { (words.no_contact) } }
        }
    }
}

fn enrol(visit: &Visit, patient: &str, caregiver: &str) -> Markup {
    html! {
        form method="post" action=(format!("/patients/{patient}/enrol")) {
            (visit.form_token())
            input type="hidden" name="caregiver" value=(caregiver);
            button type="submit" { (visit.words.make_code) }
        }
    }
}
