//! The doses of a month, day by day.

use super::journal::{reason_words, state_words};
use super::{Naming, view::PatientView};
use crate::engine::{CalendarRow, DoseMark, DoseState};
use crate::http::page::visit::Visit;
use crate::plan::{Language, explain};
use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};
use std::fmt::Write as _;

/// The first day of the month that an address names: `2026-03`.
pub(super) fn month_of(text: &str) -> Option<Date> {
    let (year, month) = text.split_once('-')?;
    let digits = text.len() == 7 && text.bytes().all(|it| it.is_ascii_digit() || it == b'-');
    let (year, month) = (year.parse().ok()?, month.parse().ok()?);
    let known = digits && (2000..=2199).contains(&year) && (1..=12).contains(&month);
    known.then(|| date(year, month, 1))
}

pub(super) fn draw(visit: &Visit, view: &PatientView, names: &Naming<'_>) -> Markup {
    let words = visit.words;
    let month = view.month;
    let days = usize::try_from(month.days_in_month()).unwrap_or(31);
    let order: Vec<&str> = view
        .plan
        .iter()
        .flat_map(|plan| &plan.medications)
        .map(|it| it.id.as_str())
        .collect();
    let rows = view.calendar.rows(month, days, &view.zone, &order);
    let today = view.zone.local(view.now).date();
    let title = format!("{} {}", words.calendar, month.strftime("%Y-%m"));
    html! {
        h2 { (title) }
        p.turn.noprint {
            @for (label, months) in [(words.month_before, -1), (words.month_after, 1)] {
                @if let Some(other) = other_month(month, months) {
                    a href=(format!("/patients/{}?month={}#calendar", view.id, other.strftime("%Y-%m"))) {
                        (label) " " (other.strftime("%Y-%m"))
                    }
                }
            }
        }
        @if rows.is_empty() {
            p { (words.no_doses) }
        } @else {
            div.scrolls tabindex="0" role="region" aria-label=(title) {
                table.doses {
                    thead { tr {
                        th scope="col" { (words.medicine) }
                        @for day in 1..=month.days_in_month() {
                            th scope="col" aria-current=[is_day(today, month, day).then_some("date")] {
                                (day)
                            }
                        }
                    } }
                    tbody { @for row in &rows { (row_of(row, names, visit.language)) } }
                }
            }
            p.small.key {
                @for state in [
                    None, Some(DoseState::Open), Some(DoseState::Taken), Some(DoseState::Skipped),
                    Some(DoseState::Missed), Some(DoseState::Expired), Some(DoseState::Cancelled),
                ] {
                    span { span.dose.(class(state)) aria-hidden="true" { (sign(state, true)) } " "
                        (words_of(visit.language, state)) "  " }
                    @if state == Some(DoseState::Taken) {
                        span { span.dose.late aria-hidden="true" { (sign(state, false)) } " "
                            (words.taken_not_on_time) "  " }
                    }
                }
            }
        }
    }
}

fn is_day(today: Date, month: Date, day: i8) -> bool {
    today.first_of_month() == month && today.day() == day
}

fn other_month(month: Date, months: i32) -> Option<Date> {
    let other = month.checked_add(months.months()).ok()?;
    (2000..=2199).contains(&other.year()).then_some(other)
}

fn row_of(row: &CalendarRow<'_>, names: &Naming<'_>, language: Language) -> Markup {
    html! {
        tr {
            th scope="row" { (names.medication(row.medication)) }
            @for day in &row.days {
                td { @for (due, mark) in day { (dose(*due, mark, names, language)) } }
            }
        }
    }
}

/// A sign for the eye, words for everybody else.
fn dose(due: Timestamp, mark: &DoseMark, names: &Naming<'_>, language: Language) -> Markup {
    let late = mark.state == Some(DoseState::Taken) && !mark.on_time;
    let class = if late { "late" } else { class(mark.state) };
    let words = dose_words(due, mark, names, language);
    html! {
        span.dose.(class) role="img" aria-label=(words) title=(words) {
            (sign(mark.state, mark.on_time))
        }
    }
}

fn dose_words(due: Timestamp, mark: &DoseMark, names: &Naming<'_>, language: Language) -> String {
    let at = names.zone.local(due).strftime("%H:%M");
    let amount = explain::amount_words(language, &mark.amount);
    let mut words = format!("{at} {amount}: {}", words_of(language, mark.state));
    if let Some(reason) = mark.reason {
        // Writing to a String cannot fail.
        let _ = write!(words, " ({})", reason_words(language, reason));
    }
    if let Some(taken_at) = mark.answer.as_ref().and_then(|answer| answer.taken_at) {
        let _ = write!(words, " {}", names.zone.local(taken_at.0).strftime("%H:%M"));
    }
    if let Some(reason) = mark
        .answer
        .as_ref()
        .and_then(|answer| answer.reason.as_ref())
    {
        let _ = write!(words, " \"{reason}\"");
    }
    words
}

fn words_of(language: Language, state: Option<DoseState>) -> &'static str {
    match (state, language) {
        (Some(state), _) => state_words(language, state),
        (None, Language::En) => "will be due",
        (None, Language::ZhCn) => "将到时间",
    }
}

fn class(state: Option<DoseState>) -> &'static str {
    match state {
        None => "planned",
        Some(state) => state.name(),
    }
}

fn sign(state: Option<DoseState>, on_time: bool) -> &'static str {
    match state {
        None => "·",
        Some(DoseState::Open) => "○",
        Some(DoseState::Taken) if on_time => "✓",
        Some(DoseState::Taken) => "✓̲",
        Some(DoseState::Skipped) => "–",
        Some(DoseState::Missed) => "✗",
        Some(DoseState::Expired) => "!",
        Some(DoseState::Cancelled) => "⊘",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_year_and_a_month_are_a_month() {
        assert_eq!(month_of("2026-03"), Some(date(2026, 3, 1)));
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "1999-12",
            "2200-01",
            "2026-3",
            "+026-03",
            "2026-03-01",
            "-026-03",
        ] {
            assert_eq!(month_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_state_has_a_sign_of_its_own() {
        let mut signs: Vec<&str> = DoseState::CLOSING
            .into_iter()
            .map(|state| sign(Some(state), true))
            .collect();
        signs.extend([
            sign(None, false),
            sign(Some(DoseState::Open), false),
            sign(Some(DoseState::Taken), false),
        ]);
        let all = signs.len();
        signs.sort_unstable();
        signs.dedup();
        assert_eq!(signs.len(), all);
    }
}
