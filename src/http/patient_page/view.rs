//! How the page looks: plain forms, large type, one thumb. No script, nothing from elsewhere.

use super::words::{self, Plain, Words};
use super::{NotNoted, Page, fields};
use crate::engine::{
    ClosedLine, DoseName, DoseState, DueDose, DueDoses, NeededMedicine, OpenQuestion, Sheet,
    Subject,
};
use crate::plan::{AnswerType, Language};
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The style stands in each page: one answer is the whole page, also over a slow network.
const STYLE: &str = include_str!("style.css");

/// That style and no other, forms to this listener, and nothing else.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).ok()
});

/// A scale of so many steps is a row of buttons; a longer one is a field.
const SCALE_BUTTONS_MAX: i32 = 12;

/// What the header `Content-Security-Policy` says.
pub fn policy() -> HeaderValue {
    let strictest = HeaderValue::from_static("default-src 'none'");
    POLICY.clone().unwrap_or(strictest)
}

/// What came of a press.
pub enum Notice {
    /// It is noted; what is said in return.
    Noted(String),
    /// It is not noted; why.
    NotNoted(NotNoted),
}

/// The whole page.
pub fn whole(page: &Page, notice: Option<&Notice>) -> Markup {
    let view = View {
        page,
        sheet: &page.sheet,
        words: words::of(page.sheet.language),
    };
    document(view.words.language, view.words.title, &view.body(notice))
}

/// A link that opens nothing: the same for whatever reason, in both languages.
pub fn no_page() -> Markup {
    plain(&words::NO_PAGE)
}

/// The page cannot be shown now.
pub fn not_shown() -> Markup {
    plain(&words::NOT_SHOWN)
}

/// Nobody knows whether an answer was noted.
pub fn not_noted() -> Markup {
    plain(&words::NOT_NOTED)
}

/// An answer is noted, and the page cannot be shown now.
pub fn noted(said: &str) -> Markup {
    let body = html! {
        main {
            section.notice role="status" { h1 { "✓" } p { (said) } }
        }
    };
    document(Language::ZhCn, "✓", &body)
}

fn plain(said: &Plain) -> Markup {
    let body = html! {
        main {
            @for (language, title, sentences) in said {
                section lang=(language.tag()) { h1 { (title) } p { (sentences) } }
            }
        }
    };
    document(Language::ZhCn, said[0].1, &body)
}

fn document(language: Language, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="format-detection" content="telephone=no";
                meta name="color-scheme" content="light";
                meta name="referrer" content="no-referrer";
                title { (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
}

struct View<'a> {
    page: &'a Page,
    sheet: &'a Sheet,
    words: &'static Words,
}

impl View<'_> {
    fn body(&self, notice: Option<&Notice>) -> Markup {
        let (sheet, words) = (self.sheet, self.words);
        let waits = !sheet.doses.is_empty() || !sheet.questions.is_empty();
        html! {
            header {
                h1 { (sheet.name) }
                p { (self.day_and_time()) }
            }
            main {
                @if let Some(notice) = notice { (self.notice(notice)) }
                @for doses in &sheet.doses { (self.due(doses)) }
                @for question in &sheet.questions { (self.question(question)) }
                @if !waits { p { (words.nothing) } }
                @if let Some(advice) = &sheet.advice {
                    section {
                        h2 { (words.advice) }
                        p.said { (advice.text) }
                        span.aside { (self.time(advice.at)) }
                    }
                }
                @if !sheet.as_needed.is_empty() {
                    section {
                        h2 { (words.as_needed) }
                        ul { @for it in &sheet.as_needed { li { (self.needed(it)) } } }
                    }
                }
                @if !sheet.ahead.is_empty() {
                    section {
                        h2 { (words.ahead) }
                        ul { @for it in &sheet.ahead { li { (self.ahead(it)) } } }
                    }
                }
                @if !sheet.closed.is_empty() {
                    section {
                        h2 { (words.closed) }
                        ul { @for it in &sheet.closed { li { (self.closed(it)) } } }
                    }
                }
                a.button href="" { (words.refresh) }
            }
            footer {
                @if !self.page.clinic.is_empty() { p { (self.page.clinic) } }
                @if !self.page.emergency_number.is_empty() {
                    p { (words.emergency) strong { (self.page.emergency_number) } }
                }
            }
        }
    }

    fn notice(&self, notice: &Notice) -> Markup {
        let words = self.words;
        match notice {
            Notice::Noted(said) => html! {
                section.notice role="status" { h2 { "✓ " (words.noted) } p { (said) } }
            },
            Notice::NotNoted(why) => {
                let (why, how) = match why {
                    NotNoted::Foreign | NotNoted::Old => (words.old, None),
                    NotNoted::NotOpen => (words.not_open, None),
                    NotNoted::Unreadable(how) => (words.unreadable, Some(how)),
                    NotNoted::TooLong => (words.too_long, None),
                    NotNoted::NotThen => (words.not_then, None),
                };
                html! {
                    section.notice.not role="alert" {
                        p { (why) }
                        @if let Some(how) = how { p { (how) } }
                    }
                }
            }
        }
    }

    /// Doses of one instant: answered together by large buttons, or one by one.
    fn due(&self, doses: &DueDoses) -> Markup {
        let words = self.words;
        let form = self.form(&doses.subject());
        let several = doses.lines.len() > 1;
        html! {
            section.now {
                h2 { (self.time(doses.due)) " " (words.due) }
                ul { @for line in &doses.lines { li { (self.dose(line)) } } }
                form method="post" {
                    (form)
                    button.taken name=(fields::DO) value=(fields::TAKEN) {
                        "✓ " (if several { words.all_taken } else { words.taken })
                    }
                    button.later name=(fields::DO) value=(fields::LATER) { (words.later) }
                }
                (self.skip(&form))
                details {
                    summary { (words.more) }
                    (self.taken_then(&form))
                    form method="post" {
                        (form)
                        button name=(fields::DO) value=(fields::LATER_HOUR) { (words.later_hour) }
                        button name=(fields::DO) value=(fields::LATER_TWO_HOURS) {
                            (words.later_two_hours)
                        }
                        button name=(fields::DO) value=(fields::NOT_TAKEN) { (words.not_taken) }
                    }
                    @if several {
                        @for line in &doses.lines { (self.one_of(doses, line)) }
                    }
                }
            }
        }
    }

    fn dose(&self, line: &DueDose) -> Markup {
        let words = self.words;
        html! {
            span.name { (line.name) }
            @if !line.amount.is_empty() { " " span.name { (line.amount) } }
            @if let Some(note) = &line.note { span.aside.said { (note) } }
            @if let Some(until) = line.snoozed_until {
                span.aside { (self.time(until)) " " (words.reminded_again) }
            } @else if line.said_not_taken {
                span.aside { (words.said_not_taken) }
            }
        }
    }

    /// One of several doses, by itself.
    fn one_of(&self, doses: &DueDoses, line: &DueDose) -> Markup {
        let words = self.words;
        let form = self.form(&doses.subject_of(line));
        html! {
            h3 { (line.name) " " (line.amount) }
            form method="post" {
                (form)
                button.taken name=(fields::DO) value=(fields::TAKEN) {
                    "✓ " (words.taken) "：" (line.name)
                }
                button.skipped name=(fields::DO) value=(fields::SKIPPED) {
                    (words.skipped) "：" (line.name)
                }
            }
        }
    }

    /// Left out, with a reason: two taps, for it is rare and easily meant otherwise.
    fn skip(&self, form: &Markup) -> Markup {
        let words = self.words;
        html! {
            details {
                summary { (words.skip) }
                form method="post" {
                    (form)
                    fieldset {
                        legend { (words.why) }
                        @for reason in words.reasons {
                            label.pick {
                                input type="radio" name=(fields::REASON) value=(reason);
                                (reason)
                            }
                        }
                    }
                    label {
                        (words.other)
                        input type="text" name=(fields::OTHER) maxlength="200" autocomplete="off";
                    }
                    button.skipped name=(fields::DO) value=(fields::SKIPPED) { (words.skipped) }
                }
            }
        }
    }

    fn taken_then(&self, form: &Markup) -> Markup {
        let words = self.words;
        html! {
            form method="post" {
                (form)
                label {
                    (words.taken_at)
                    input type="time" name=(fields::CLOCK) required;
                }
                button.taken name=(fields::DO) value=(fields::TAKEN) { (words.taken_then) }
            }
        }
    }

    fn question(&self, question: &OpenQuestion) -> Markup {
        let words = self.words;
        let form = self.form(&question.subject());
        html! {
            section.now {
                h2 { (question.ask) }
                span.aside { (self.time(question.due)) }
                form method="post" {
                    (form)
                    (self.answer(&question.answer))
                    @if needs_sending(&question.answer) { button.taken { (words.send) } }
                }
            }
        }
    }

    fn answer(&self, answer: &AnswerType) -> Markup {
        let words = self.words;
        let number = |label: &str, unit: &str, mode: &str| {
            html! {
                label {
                    (label) @if !unit.is_empty() { "（" (unit) "）" }
                    input type="text" name=(fields::VALUE) inputmode=(mode) maxlength="40"
                        autocomplete="off" required;
                }
            }
        };
        match answer {
            AnswerType::YesOrNo => html! {
                button name=(fields::YES) value="1" { (words.yes) }
                button name=(fields::YES) value="0" { (words.no) }
            },
            AnswerType::OneOf(choices) => html! {
                @for choice in choices {
                    button name=(fields::CHOICE) value=(choice) { (choice) }
                }
            },
            AnswerType::Scale { from, to } if is_short(*from, *to) => html! {
                div.scale {
                    @for step in *from..=*to {
                        button name=(fields::VALUE) value=(step) { (step) }
                    }
                }
            },
            AnswerType::Scale { from, to } => {
                number(&format!("{} {from}–{to}", words.answer), "", "numeric")
            }
            AnswerType::Number { from, to, unit } => {
                let label = format!("{} {from}–{to}", words.answer);
                number(&label, unit.as_deref().unwrap_or_default(), "decimal")
            }
            AnswerType::BloodGlucose => number(words.answer, "mmol/L", "decimal"),
            AnswerType::Temperature => number(words.answer, "°C", "decimal"),
            AnswerType::Weight => number(words.answer, "kg", "decimal"),
            AnswerType::HeartRate => number(words.answer, "/min", "numeric"),
            AnswerType::BloodPressure => html! {
                div.pair {
                    @for (label, name) in [(words.upper, fields::UPPER), (words.lower, fields::LOWER)]
                    {
                        label {
                            (label)
                            input type="text" name=(name) inputmode="numeric" maxlength="8"
                                autocomplete="off" required;
                        }
                    }
                }
            },
            AnswerType::Text => html! {
                label {
                    (words.answer)
                    textarea name=(fields::VALUE) rows="3" maxlength="500" required {}
                }
            },
        }
    }

    fn needed(&self, it: &NeededMedicine) -> Markup {
        let words = self.words;
        let form = self.form(&it.subject());
        let is_allowed = it.allowed_from.is_some_and(|from| from <= self.sheet.now);
        let took_one = html! {
            form method="post" {
                (form)
                button.taken name=(fields::DO) value=(fields::TAKEN) { (words.took_one) }
            }
            (self.taken_then(&form))
        };
        html! {
            span.name { (it.name) }
            @if !it.reason.is_empty() { span.aside { (it.reason) } }
            @if let Some(last) = it.last { span.aside { (words.last) (self.time(last)) } }
            @if is_allowed {
                form method="post" {
                    (form)
                    button.taken name=(fields::DO) value=(fields::TAKEN) { (words.took_one) }
                }
                details { summary { (words.more) } (self.taken_then(&form)) }
            } @else {
                p {
                    strong {
                        @match it.allowed_from {
                            Some(from) => {
                                (words.not_before) (self.time(from)) (words.not_before_end)
                            }
                            None => { (words.no_more) }
                        }
                    }
                }
                details { summary { (words.took_one_anyway) } (took_one) }
            }
        }
    }

    fn ahead(&self, it: &DoseName) -> Markup {
        html! { (self.time(it.due)) " " span.name { (it.label) } " " (it.amount) }
    }

    fn closed(&self, it: &ClosedLine) -> Markup {
        let words = self.words;
        let form = self.form(&it.subject());
        let state = match it.state {
            DoseState::Taken => words.is_taken,
            DoseState::Skipped => words.is_skipped,
            DoseState::Expired => words.is_expired,
            DoseState::Missed | DoseState::Open | DoseState::Cancelled => words.is_missed,
        };
        html! {
            (self.time(it.due)) " " span.name { (it.name) } " " (it.amount)
            span.aside {
                (state)
                @if let Some(at) = it.taken_at { " " (self.time(at)) }
            }
            details {
                summary { (words.change) }
                @if it.state != DoseState::Taken {
                    form method="post" {
                        (form)
                        button.taken name=(fields::DO) value=(fields::TAKEN) { "✓ " (words.taken) }
                    }
                }
                (self.taken_then(&form))
                form method="post" {
                    (form)
                    button name=(fields::DO) value=(fields::NOT_TAKEN) { (words.not_taken) }
                }
                @if it.state != DoseState::Skipped { (self.skip(&form)) }
            }
        }
    }

    /// What a form is about, sealed.
    fn form(&self, subject: &Subject) -> Markup {
        let sealed = (self.page.seal)(subject);
        html! { input type="hidden" name=(fields::FORM) value=(sealed); }
    }

    /// `08:00`; with its date where that is not today's.
    fn time(&self, at: Timestamp) -> String {
        let zone = &self.sheet.zone;
        let local = zone.local(at);
        let time = format!("{:02}:{:02}", local.hour(), local.minute());
        if local.date() == zone.local(self.sheet.now).date() {
            return time;
        }
        match self.words.language {
            Language::ZhCn => format!("{}月{}日 {time}", local.month(), local.day()),
            Language::En => format!("{} {time}", local.strftime("%b %-d")),
        }
    }

    fn day_and_time(&self) -> String {
        let local = self.sheet.zone.local(self.sheet.now);
        let time = format!("{:02}:{:02}", local.hour(), local.minute());
        match self.words.language {
            Language::ZhCn => {
                let day = match local.weekday() {
                    jiff::civil::Weekday::Monday => "一",
                    jiff::civil::Weekday::Tuesday => "二",
                    jiff::civil::Weekday::Wednesday => "三",
                    jiff::civil::Weekday::Thursday => "四",
                    jiff::civil::Weekday::Friday => "五",
                    jiff::civil::Weekday::Saturday => "六",
                    jiff::civil::Weekday::Sunday => "日",
                };
                format!("{}月{}日 星期{day} {time}", local.month(), local.day())
            }
            Language::En => format!("{} {time}", local.strftime("%A, %B %-d")),
        }
    }
}

fn is_short(from: i32, to: i32) -> bool {
    to.checked_sub(from)
        .is_some_and(|steps| (0..SCALE_BUTTONS_MAX).contains(&steps))
}

/// Whether an answer is typed, and not a button itself.
fn needs_sending(answer: &AnswerType) -> bool {
    match answer {
        AnswerType::YesOrNo | AnswerType::OneOf(_) => false,
        AnswerType::Scale { from, to } => !is_short(*from, *to),
        _ => true,
    }
}
