//! What was: the journal in words, and the texts of the plan with what changed from one to the next.

use super::difference::{Line, difference};
use super::view::PlanText;
use super::{Naming, answered, journal as sentences, patient_of};
use crate::engine::Entry;
use crate::http::page::gate::{Answered, Trouble};
use crate::http::page::visit::{Visit, time};
use crate::http::page::words::Words;
use crate::plan::Zone;
use jiff::Timestamp;
use maud::{Markup, html};

pub(super) fn journal(visit: Visit) -> Answered {
    answered(async move {
        let id = patient_of(&visit)?.to_string();
        let before = visit.query("before").map(ToOwned::to_owned);
        let view = visit.clinic().journal(id.clone(), before).await?;
        let view = view.ok_or(Trouble::NotFound)?;
        let (clinic, _) = visit.clinic().manners();
        let zone = view.plan.as_ref().map_or(&clinic, |plan| &plan.zone);
        let names = Naming {
            plan: view.plan.as_ref(),
            zone,
            language: visit.language,
        };
        let words = visit.words;
        let content = html! {
            p { a href=(format!("/patients/{id}")) { (words.back_to_patient) } }
            (entries(&visit, &view.entries, &names, visit.clinic().now()))
            p.turn {
                a href=(format!("/patients/{id}/journal")) { (words.newest) }
                @if let Some(older) = &view.older {
                    a href=(format!("/patients/{id}/journal?before={older}")) { (words.older) }
                }
            }
        };
        let title = format!("{} · {id}", words.journal);
        Ok(visit.page("plans", &title, &content))
    })
}

/// Entries as a list, the newest first.
pub(super) fn entries(
    visit: &Visit,
    entries: &[(Timestamp, Entry)],
    names: &Naming<'_>,
    now: Timestamp,
) -> Markup {
    if entries.is_empty() {
        return html! { p { (visit.words.journal_empty) } };
    }
    html! {
        ul.journal {
            @for (at, entry) in entries {
                li { (time(*at, now, names.zone)) "  " (sentences::sentence(entry, names)) }
            }
        }
    }
}

pub(super) fn plans(visit: Visit) -> Answered {
    answered(async move {
        let id = patient_of(&visit)?.to_string();
        let before = visit.query("before").and_then(|before| before.parse().ok());
        let texts = visit.clinic().plan_texts(id.clone(), before).await?;
        let texts = texts.ok_or(Trouble::NotFound)?;
        let words = visit.words;
        let older = texts.versions.iter().skip(1).chain(&texts.before).map(Some);
        let older = older.chain([None]);
        let last = texts.versions.last().filter(|_| texts.before.is_some());
        let content = html! {
            p { a href=(format!("/patients/{id}")) { (words.back_to_patient) } }
            @for (version, before) in texts.versions.iter().zip(older) {
                (version_of(&visit, version, before, &texts.zone))
            }
            @if texts.versions.is_empty() { p { (words.no_texts) } }
            p.turn {
                @if let Some(last) = last {
                    a href=(format!("/patients/{id}/plans?before={}", last.version)) {
                        (words.older)
                    }
                }
            }
        };
        let title = format!("{} · {id}", words.plan_history);
        Ok(visit.page("plans", &title, &content))
    })
}

fn version_of(visit: &Visit, version: &PlanText, before: Option<&PlanText>, zone: &Zone) -> Markup {
    let words = visit.words;
    html! {
        article {
            h2 { (words.version) " " (version.version) " · "
                (time(version.at, visit.clinic().now(), zone)) }
            p.small { (version.file) }
            @match before {
                None => { p { (words.first_version) } }
                Some(before) => { (differences(visit, &before.text, &version.text)) }
            }
            details {
                summary { (words.whole_text) }
                pre tabindex="0" { (version.text) }
            }
        }
    }
}

/// What differs between two texts.
pub(in crate::http::page) fn differences(visit: &Visit, old: &str, new: &str) -> Markup {
    differences_at_most(visit, old, new, usize::MAX)
}

/// The same, of which no more than so many lines are shown.
pub(in crate::http::page) fn differences_at_most(
    visit: &Visit,
    old: &str,
    new: &str,
    lines_max: usize,
) -> Markup {
    differences_in(visit.words, old, new, lines_max)
}

fn differences_in(words: &Words, old: &str, new: &str, lines_max: usize) -> Markup {
    let mut lines = difference(old, new);
    if lines.is_empty() {
        return html! { p { (words.same_text) } };
    }
    let hidden = lines.split_off(lines.len().min(lines_max));
    let differs = |line: &&Line<'_>| matches!(line, Line::Gone(_) | Line::New(_));
    let hidden = hidden.iter().filter(differs).count();
    html! {
        pre.difference tabindex="0" aria-label=(words.differences) {
            @for line in lines {
                @match line {
                    Line::Same(text) => { span { "  " (text) "\n" } }
                    Line::Gone(text) => { del { "- " (text) "\n" } }
                    Line::New(text) => { ins { "+ " (text) "\n" } }
                    Line::Skipped(count) => {
                        span.small { "  … " (count) " " (words.lines_alike) "\n" }
                    }
                }
            }
            @if hidden > 0 { span.small { "  … " (hidden) " " (words.more_lines) "\n" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Language;

    #[test]
    fn of_a_long_difference_only_the_beginning_is_shown_and_the_rest_is_counted() {
        let long = |letter: &str| format!("{letter}\n").repeat(60);
        for (language, said) in [
            (Language::En, "  … 80 more lines that differ"),
            (Language::ZhCn, "  … 80 行有改动，未显示"),
        ] {
            let shown = differences_in(Words::of(language), &long("a"), &long("b"), 40);
            let shown = shown.into_string();
            assert_eq!(shown.matches("<del>").count(), 40);
            assert_eq!(shown.matches("<ins>").count(), 0);
            assert!(shown.contains(said), "{shown}");
        }
        let short = differences_in(Words::of(Language::En), "a\nb\n", "a\nc\n", 3).into_string();
        assert!(
            short.contains("<del>- b") && short.contains("<ins>+ c"),
            "{short}"
        );
        assert!(!short.contains("more lines"), "{short}");
        // What is left out does not differ.
        let same = differences_in(Words::of(Language::En), "a\nb\n", "c\nb\n", 2).into_string();
        assert!(!same.contains("more lines"), "{same}");
    }
}
