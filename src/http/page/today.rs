//! What is due today, and what became of it.

use super::clinic::{Dose, Question, QuestionState, Slot, Today};
use super::gate::{Answered, Route};
use super::patient::journal::value_words;
use super::visit::Visit;
use super::words::Words;
use crate::engine::{DoseState, ExpiredReason, Role};
use maud::{Markup, html};

/// The page.
pub const ROUTES: &[Route] = &[Route::get("/today", Role::Viewer, "today", show)];

/// Doses on one page.
const PER_PAGE: usize = 100;

/// Which doses are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    All,
    Reminded,
    Answered,
    State(DoseState),
}

impl Shown {
    /// Those that one can choose, in the order in which they stand there.
    const CHOICES: [Shown; 7] = [
        Shown::All,
        Shown::Reminded,
        Shown::Answered,
        Shown::State(DoseState::Open),
        Shown::State(DoseState::Missed),
        Shown::State(DoseState::Expired),
        Shown::State(DoseState::Cancelled),
    ];

    fn name(self) -> &'static str {
        match self {
            Shown::All => "",
            Shown::Reminded => "reminded",
            Shown::Answered => "answered",
            Shown::State(state) => state.name(),
        }
    }

    fn label(self, words: &Words) -> &'static str {
        match self {
            Shown::All => words.due,
            Shown::Reminded => words.reminded,
            Shown::Answered => words.answered,
            Shown::State(state) => words.dose_state(state),
        }
    }

    fn has(self, dose: &Dose) -> bool {
        match self {
            Shown::All => true,
            Shown::Reminded => dose.reminded.is_some() || dose.in_doubt,
            Shown::Answered => dose.answered.is_some(),
            Shown::State(state) => dose.state == state,
        }
    }
}

fn show(visit: Visit) -> Answered {
    Box::pin(async move {
        let today = visit.clinic().today().await?;
        let asked = visit.query("show").unwrap_or_default();
        let mut choices = Shown::CHOICES.into_iter();
        let shown = choices.find(|it| it.name() == asked).unwrap_or(Shown::All);
        let number = |name| visit.query(name).and_then(|page| page.parse().ok());
        let pages = (
            number("page").unwrap_or(0),
            number("questions").unwrap_or(0),
        );
        let content = html! {
            div #today data-live="15" { (day(&visit, &today, shown, pages)) }
        };
        Ok(visit.page("today", visit.words.today, &content))
    })
}

fn day(visit: &Visit, today: &Today, shown: Shown, (page, asked_page): (usize, usize)) -> Markup {
    let words = visit.words;
    let doses: Vec<&Dose> = today.doses.iter().filter(|it| shown.has(it)).collect();
    let pages = doses.len().div_ceil(PER_PAGE).max(1);
    let page = page.min(pages - 1);
    let on_page = doses.iter().skip(page * PER_PAGE).take(PER_PAGE);
    html! {
        (visit.left_out(today.unreadable))
        ul.counts {
            @for choice in Shown::CHOICES {
                @let count = today.doses.iter().filter(|it| choice.has(it)).count();
                li {
                    a href=(address(choice, 0)) aria-current=[(choice == shown).then_some("true")] {
                        b { (count) } (choice.label(words))
                    }
                }
            }
        }
        (reasons(words, today))
        section {
            h2 #doses { (words.doses) }
            @if doses.is_empty() {
                p { (words.none) }
            } @else {
                div.scrolls tabindex="0" role="region" aria-labelledby="doses" {
                    table.cards {
                        thead { tr {
                            th scope="col" { (words.due_at) }
                            th scope="col" { (words.patient) }
                            th scope="col" { (words.medication) }
                            th scope="col" { (words.state) }
                            th scope="col" { (words.reminded) }
                            th scope="col" { (words.answered) }
                        } }
                        tbody { @for dose in on_page { (row(visit, dose)) } }
                    }
                }
                (turn(words, shown, page, pages))
            }
        }
        (questions(visit, today, asked_page))
        section {
            h2 #next {
                (words.next_hours) " · " (words.doses) " " (today.doses_next)
                @if today.check_ins_next > 0 {
                    " · " (words.questions) " " (today.check_ins_next)
                }
            }
            @if today.next.is_empty() {
                p { (words.none) }
            } @else {
                div.scrolls tabindex="0" role="region" aria-labelledby="next" {
                    table.cards {
                        thead { tr {
                            th scope="col" { (words.due_at) }
                            th.number scope="col" { (words.doses) }
                            th.number scope="col" { (words.questions) }
                            th scope="col" { (words.patients) }
                        } }
                        tbody { @for slot in &today.next { (slot_row(visit, slot)) } }
                    }
                }
            }
        }
    }
}

/// What a state of questions is called.
type Label = fn(&Words) -> &'static str;

/// The states of questions, in the order in which they are counted, with their labels.
const STATES: [(QuestionState, Label); 5] = [
    (QuestionState::Answered, |words| words.answered),
    (QuestionState::Open, |words| words.dose_open),
    (QuestionState::Missed, |words| words.no_answer_came),
    (QuestionState::Expired, |words| words.not_asked),
    (QuestionState::Cancelled, |words| words.dose_cancelled),
];

/// The questions due so far; nothing where nobody is asked any today.
fn questions(visit: &Visit, today: &Today, page: usize) -> Markup {
    let words = visit.words;
    let all = &today.check_ins;
    if all.is_empty() {
        return html! {};
    }
    let pages = all.len().div_ceil(PER_PAGE);
    let page = page.min(pages - 1);
    let count = |state| all.iter().filter(|it| it.state == state).count();
    let turned = |page: usize| format!("/today?questions={page}#questions");
    html! {
        section {
            h2 #questions { (words.questions_due) " · " (all.len()) }
            p {
                @for (index, (state, label)) in STATES.iter().enumerate() {
                    @if index > 0 { " · " }
                    (label(words)) " " strong { (count(*state)) }
                }
            }
            div.scrolls tabindex="0" role="region" aria-labelledby="questions" {
                table.cards {
                    thead { tr {
                        th scope="col" { (words.due_at) }
                        th scope="col" { (words.patient) }
                        th scope="col" { (words.question) }
                        th scope="col" { (words.state) }
                        th scope="col" { (words.answer_given) }
                    } }
                    tbody {
                        @for question in all.iter().skip(page * PER_PAGE).take(PER_PAGE) {
                            (question_row(visit, question))
                        }
                    }
                }
            }
            @if pages > 1 {
                nav.turn aria-label=(words.questions_due) {
                    @if page > 0 { a rel="prev" href=(turned(page - 1)) { (words.earlier_page) } }
                    span { (page + 1) " / " (pages) }
                    @if page + 1 < pages {
                        a rel="next" href=(turned(page + 1)) { (words.later_page) }
                    }
                }
            }
        }
    }
}

fn question_row(visit: &Visit, question: &Question) -> Markup {
    let words = visit.words;
    let class = match question.state {
        QuestionState::Answered if question.alert => "bad",
        QuestionState::Expired | QuestionState::Missed => "bad",
        QuestionState::Open if question.in_doubt => "look",
        QuestionState::Answered => "good",
        _ => "",
    };
    let label = STATES.iter().find(|(state, _)| *state == question.state);
    let label = label.map_or("", |(_, label)| label(words));
    let waits = question.state == QuestionState::Open;
    html! {
        tr {
            td data-label=(words.due_at) { (visit.time(question.due)) }
            th scope="row" { (visit.person(&question.person)) }
            td data-label=(words.question) { (question.ask) }
            td data-label=(words.state) {
                span.mark.(class) { (label) }
                @if question.alert { " " (words.look_at_answer) }
                @if let Some(reason) = question.reason { " " (words.expired_reason(reason)) }
                @if question.in_doubt { " " (words.in_doubt) }
                @if waits && question.asked.is_none() && !question.in_doubt {
                    " " (words.not_asked_yet)
                }
            }
            td data-label=(words.answer_given) {
                @if let Some((value, at)) = &question.answer {
                    (value_words(visit.language, value)) " · " (visit.time(*at))
                }
            }
        }
    }
}

/// Why doses expired, each reason with its count.
fn reasons(words: &Words, today: &Today) -> Markup {
    let count = |reason| {
        let expired = today
            .doses
            .iter()
            .filter(|it| it.state == DoseState::Expired);
        expired.filter(|it| it.reason == Some(reason)).count()
    };
    let reasons: Vec<_> = ExpiredReason::ALL
        .into_iter()
        .map(|reason| (reason, count(reason)))
        .filter(|(_, count)| *count > 0)
        .collect();
    html! {
        @if !reasons.is_empty() {
            p.notice.bad {
                (words.expired_because) " "
                @for (index, (reason, count)) in reasons.iter().enumerate() {
                    @if index > 0 { (words.between) }
                    (words.expired_reason(*reason)) " (" (count) ")"
                }
            }
        }
    }
}

fn row(visit: &Visit, dose: &Dose) -> Markup {
    let words = visit.words;
    let class = match dose.state {
        DoseState::Expired | DoseState::Missed => "bad",
        DoseState::Open if dose.in_doubt => "look",
        DoseState::Taken => "good",
        _ => "",
    };
    html! {
        tr {
            td data-label=(words.due_at) { (visit.time(dose.due)) }
            th scope="row" { (visit.person(&dose.person)) }
            td data-label=(words.medication) { (dose.medication) @if !dose.amount.is_empty() { " · " (dose.amount) } }
            td data-label=(words.state) {
                span.mark.(class) { (words.dose_state(dose.state)) }
                @if let Some(reason) = dose.reason { " " (words.expired_reason(reason)) }
                @if dose.in_doubt { " " (words.in_doubt) }
            }
            td data-label=(words.reminded) { @if let Some(at) = dose.reminded { (visit.time(at)) } }
            td data-label=(words.answered) { @if let Some(at) = dose.answered { (visit.time(at)) } }
        }
    }
}

fn slot_row(visit: &Visit, slot: &Slot) -> Markup {
    html! {
        tr {
            th scope="row" { (visit.time(slot.due)) }
            td.number data-label=(visit.words.doses) { (slot.doses) }
            td.number data-label=(visit.words.questions) { (slot.check_ins) }
            td data-label=(visit.words.patients) {
                @for (index, person) in slot.people.iter().enumerate() {
                    @if index > 0 { (visit.words.between) }
                    (visit.person(person))
                }
                @if slot.more { " …" }
            }
        }
    }
}

fn turn(words: &Words, shown: Shown, page: usize, pages: usize) -> Markup {
    html! {
        @if pages > 1 {
            nav.turn aria-label=(words.more_pages) {
                @if page > 0 {
                    a rel="prev" href=(address(shown, page - 1)) { (words.earlier_page) }
                }
                span { (page + 1) " / " (pages) }
                @if page + 1 < pages {
                    a rel="next" href=(address(shown, page + 1)) { (words.later_page) }
                }
            }
        }
    }
}

fn address(shown: Shown, page: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if shown != Shown::All {
        query.append_pair("show", shown.name());
    }
    if page > 0 {
        query.append_pair("page", &page.to_string());
    }
    format!("/today?{}", query.finish())
}
