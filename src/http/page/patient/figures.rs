//! Adherence over the last days.

use super::{Naming, view::PatientView};
use crate::engine::{Figures, Share};
use crate::http::page::visit::Visit;
use maud::{Markup, html};

pub(super) fn table(visit: &Visit, view: &PatientView, names: &Naming<'_>) -> Markup {
    let words = visit.words;
    html! {
        h2 { (words.adherence) }
        div.scrolls tabindex="0" role="region" aria-label=(words.adherence) {
            table {
                caption { (words.adherence_caption) }
                thead { tr {
                    th scope="col" { (words.last_days) }
                    th scope="col" { (words.medicine) }
                    th.number scope="col" { (words.doses_taken) }
                    th.number scope="col" { (words.doses_on_time) }
                    th.number scope="col" { (words.correct_days) }
                    th.number scope="col" { (words.no_answer) }
                    th.number scope="col" { (words.not_sent) }
                } }
                @for (days, adherence) in &view.figures {
                    tbody {
                        (row(&days.to_string(), words.all_medicines, &adherence.all))
                        @if adherence.medications.len() > 1 {
                            @for (id, figures) in &adherence.medications {
                                (row("", names.medication(id), figures))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(days: &str, medicine: &str, figures: &Figures) -> Markup {
    html! {
        tr {
            th scope="row" { (days) }
            td { (medicine) }
            td.number { (share(figures.doses_taken())) }
            td.number { (share(figures.doses_on_time())) }
            td.number { (share(figures.correct_days())) }
            td.number { (figures.no_answer) }
            td.number { (figures.not_sent_in_all()) }
        }
    }
}

/// `93.3 % (14/15)`; a dash of nothing.
fn share(share: Share) -> String {
    match share.per_mille() {
        None => "–".to_owned(),
        Some(per_mille) => format!(
            "{}.{} % ({}/{})",
            per_mille / 10,
            per_mille % 10,
            share.numerator,
            share.denominator
        ),
    }
}
