//! The plan's text, edited here: checked while it is written, saved as a whole or not at all.

use super::bounds;
use super::clinic::Event;
use super::finding;
use super::frame::Switch;
use super::gate::{Answered, Route, Trouble};
use super::patient::view::{PlanContent, PlanFile, PlanReading, Saved};
use super::patient::{differences, patient_of};
use super::visit::Visit;
use crate::engine::Role;
use crate::plan::PatientId;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

/// Most bytes of a text; longer ones are edited on disk.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of its form: each byte of a text may take three.
const FORM_BYTES_MAX: usize = 3 * TEXT_BYTES_MAX + 16 * 1024;

/// What a new plan begins with, in the reader's language.
const TEMPLATES: [&str; 2] = [
    "name = \"\"\n\n[[medication]]\nname = \"\"\ntake = \"1 tablet\"\nat = \"08:00\"\n",
    "name = \"\"\n\n[[medication]]\nname = \"\"\ntake = \"1片\"\nat = \"08:00\"\n",
];

/// The pages.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/patients/{patient}/plan/edit",
        Role::Doctor,
        "plan_edit",
        edit,
    ),
    Route::post(
        "/patients/{patient}/plan/check",
        Role::Doctor,
        "plan_check",
        check,
    )
    .with_form(FORM_BYTES_MAX)
    .as_a_sight(),
    Route::post("/patients/{patient}/plan", Role::Doctor, "plan_save", save)
        .with_form(FORM_BYTES_MAX),
    // Where a browser goes that knows the address of a form alone.
    Route::get(
        "/patients/{patient}/plan",
        Role::Doctor,
        "plan_edit",
        to_edit,
    ),
    Route::get(
        "/patients/{patient}/plan/check",
        Role::Doctor,
        "plan_edit",
        to_edit,
    ),
    Route::get("/new-patient", Role::Doctor, "plan_new", new),
    Route::post("/new-patient", Role::Doctor, "plan_new", begin).as_a_sight(),
];

/// What the editor shows.
struct Sheet<'a> {
    patient: &'a PatientId,
    path: &'a str,
    writable: bool,
    text: &'a str,
    /// What tells whether the file has changed since; empty where there was none.
    loaded: &'a str,
    reading: &'a PlanReading,
    /// What is said above it.
    notice: Markup,
}

fn edit(visit: Visit) -> Answered {
    Box::pin(async move {
        let patient = patient_of(&visit)?;
        let file = visit.clinic().plan_file(patient.to_string()).await?;
        let file = file.ok_or(Trouble::NotFound)?;
        let (text, loaded) = match &file.content {
            PlanContent::Text { text, loaded } => (text.clone(), loaded.as_str()),
            PlanContent::Nothing => (template(&visit).to_owned(), ""),
            PlanContent::Inline => {
                let why = visit.words.plan_inline.to_owned();
                return Ok(not_here(&visit, &patient, &file.path, &why));
            }
            PlanContent::Other(why) => return Ok(not_here(&visit, &patient, &file.path, why)),
        };
        let reading = read(&visit, &patient, &text).await?;
        let notice = html! {
            @if file.content == PlanContent::Nothing { p.notice { (visit.words.plan_is_new) } }
        };
        let sheet = Sheet {
            patient: &patient,
            path: &file.path,
            writable: file.writable,
            text: &text,
            loaded,
            reading: &reading,
            notice,
        };
        Ok(shown(&visit, StatusCode::OK, &sheet))
    })
}

fn to_edit(visit: Visit) -> Answered {
    Box::pin(async move {
        let patient = patient_of(&visit)?;
        Ok(visit.go(&format!("/patients/{patient}/plan/edit")))
    })
}

/// The text as it is now: what the script asks for while somebody writes, and the button without
/// it. Nothing is written.
fn check(visit: Visit) -> Answered {
    Box::pin(async move {
        let patient = patient_of(&visit)?;
        let text = match text_of(&visit) {
            Ok(text) => text,
            Err(answer) => return Ok(*answer),
        };
        let file = visit.clinic().plan_file(patient.to_string()).await?;
        let file = file.ok_or(Trouble::NotFound)?;
        let reading = read(&visit, &patient, &text).await?;
        let sheet = Sheet {
            patient: &patient,
            path: &file.path,
            writable: file.writable,
            text: &text,
            loaded: visit.field("loaded"),
            reading: &reading,
            notice: html! {},
        };
        Ok(shown(&visit, StatusCode::OK, &sheet))
    })
}

fn save(visit: Visit) -> Answered {
    Box::pin(async move {
        let patient = patient_of(&visit)?;
        let text = match text_of(&visit) {
            Ok(text) => text,
            Err(answer) => return Ok(*answer),
        };
        // Somebody has seen what stands there now, and says that theirs is to stand there instead.
        let over = visit.field("instead_of");
        let loaded = if over.is_empty() {
            visit.field("loaded")
        } else {
            over
        };
        let loaded = loaded.to_owned();
        let before = (!loaded.is_empty()).then(|| loaded.clone());
        let clinic = visit.clinic();
        let saved = clinic.save_plan(patient.to_string(), text.clone(), before, visit.language);
        let saved = saved.await?.ok_or(Trouble::NotFound)?;
        let words = visit.words;
        let (status, notice) = match saved {
            Saved::Saved { version, why_not } => {
                return done(&visit, &patient, version, why_not.as_deref()).await;
            }
            Saved::Wrong(reading) => {
                let file = visit.clinic().plan_file(patient.to_string()).await?;
                let file = file.ok_or(Trouble::NotFound)?;
                let sheet = Sheet {
                    patient: &patient,
                    path: &file.path,
                    writable: file.writable,
                    text: &text,
                    loaded: &loaded,
                    reading: &reading,
                    notice: html! { p.notice.bad role="alert" { (words.plan_wrong) } },
                };
                return Ok(shown(&visit, StatusCode::UNPROCESSABLE_ENTITY, &sheet));
            }
            Saved::Changed { now } => {
                (StatusCode::CONFLICT, changed(&visit, &patient, &now, &text))
            }
            Saved::ReadOnly => (
                StatusCode::CONFLICT,
                html! { p.notice.bad role="alert" { (words.plan_read_only) } },
            ),
            Saved::NotHere(why) => (
                StatusCode::CONFLICT,
                html! { p.notice.bad role="alert" { (words.plan_not_here) " " (why) } },
            ),
            Saved::Failed(why) => (
                StatusCode::SERVICE_UNAVAILABLE,
                html! { p.notice.bad role="alert" { (words.plan_not_saved) " " (why) } },
            ),
        };
        let file = visit.clinic().plan_file(patient.to_string()).await?;
        let file = file.ok_or(Trouble::NotFound)?;
        let reading = read(&visit, &patient, &text).await?;
        let sheet = Sheet {
            patient: &patient,
            path: &file.path,
            writable: file.writable,
            text: &text,
            loaded: &loaded,
            reading: &reading,
            notice,
        };
        Ok(shown(&visit, status, &sheet))
    })
}

/// It is saved: what stands there now, and whether it is in force.
async fn done(
    visit: &Visit,
    patient: &PatientId,
    version: Option<u32>,
    why_not: Option<&str>,
) -> Result<Response, Trouble> {
    let words = visit.words;
    let file = visit.clinic().plan_file(patient.to_string()).await?;
    let file = file.ok_or(Trouble::NotFound)?;
    let notice = match (version, why_not) {
        (Some(version), _) => html! {
            p.notice.good role="status" { (words.plan_saved) " " (words.in_force_as) " " (version)
                ". " a href=(format!("/patients/{patient}")) { (words.back_to_patient) } }
        },
        (None, why) => html! {
            p.notice role="status" { (words.plan_saved) " " (words.not_in_force_yet) " "
                (why.unwrap_or_default()) }
        },
    };
    // Somebody may have edited it meanwhile.
    let (text, loaded) = match &file.content {
        PlanContent::Text { text, loaded } => (text.as_str(), loaded.as_str()),
        _ => ("", ""),
    };
    let reading = read(visit, patient, text).await?;
    let sheet = Sheet {
        patient,
        path: &file.path,
        writable: file.writable,
        text,
        loaded,
        reading: &reading,
        notice,
    };
    Ok(shown(visit, StatusCode::OK, &sheet))
}

/// Somebody else has edited the file: what stands there now against what is written here.
fn changed(visit: &Visit, patient: &PatientId, now: &PlanFile, text: &str) -> Markup {
    let words = visit.words;
    html! {
        div.notice.bad role="alert" {
            p { (words.plan_changed) }
            @match &now.content {
                PlanContent::Text { text: there, .. } => {
                    p { (words.there_and_here) }
                    (differences(visit, there, text))
                }
                PlanContent::Nothing => { p { (words.plan_gone) } }
                PlanContent::Inline => { p { (words.plan_inline) } }
                PlanContent::Other(why) => { p { (why) } }
            }
            p { a href=(format!("/patients/{patient}/plan/edit")) { (words.load_again) } }
            @if let PlanContent::Text { loaded, .. } = &now.content {
                // Part of the form further down.
                button type="submit" form="plan-form" name="instead_of" value=(loaded) {
                    (words.save_instead)
                }
            }
        }
    }
}

fn template(visit: &Visit) -> &'static str {
    match visit.language {
        crate::plan::Language::En => TEMPLATES[0],
        crate::plan::Language::ZhCn => TEMPLATES[1],
    }
}

/// The text of the form; lines of forms end with carriage return and line feed. Of one that is too
/// long, the answer.
fn text_of(visit: &Visit) -> Result<String, Box<Response>> {
    let text = visit.field("text").replace("\r\n", "\n");
    if text.len() > TEXT_BYTES_MAX {
        visit.clinic().count(Event::TooLong);
        let answer = bounds::unread(Event::TooLong, visit.words, visit.language);
        return Err(Box::new(answer));
    }
    Ok(text)
}

async fn read(visit: &Visit, patient: &PatientId, text: &str) -> Result<PlanReading, Trouble> {
    let (id, text) = (patient.to_string(), text.to_owned());
    let reading = visit.clinic().read_plan(id, text, visit.language).await?;
    reading.ok_or(Trouble::NotFound)
}

fn not_here(visit: &Visit, patient: &PatientId, path: &str, why: &str) -> Response {
    let words = visit.words;
    let content = html! {
        p.notice { (words.plan_not_here) " " (why) }
        p.small { (path) }
        p { a href=(format!("/patients/{patient}")) { (words.back_to_patient) } }
    };
    let title = format!("{} · {patient}", words.edit_plan);
    visit.page_with(StatusCode::CONFLICT, "plans", &title, &content)
}

fn shown(visit: &Visit, status: StatusCode, sheet: &Sheet<'_>) -> Response {
    let words = visit.words;
    let path = format!("/patients/{}", sheet.patient);
    let check = format!("{path}/plan/check");
    let content = html! {
        (sheet.notice)
        @if !sheet.writable { p.notice.bad { (words.plan_read_only) } }
        p.small { (sheet.path) }
        div.editor {
            form #plan-form .stacked method="post" action=(format!("{path}/plan"))
                data-check=(check) data-into="reading" {
                (visit.form_token())
                input type="hidden" name="loaded" value=(sheet.loaded);
                label for="plan-text" { (words.plan_text) }
                // The first line feed of such an element is not part of its text.
                textarea #plan-text name="text" rows="28" spellcheck="false" wrap="off"
                    autocapitalize="off" autocomplete="off" maxlength=(TEXT_BYTES_MAX)
                    aria-describedby="verdict" { "\n" (sheet.text) }
                p {
                    button type="submit" disabled[!sheet.writable] { (words.save) } " "
                    button.plain type="submit" formaction=(check) { (words.check_plan) }
                }
            }
            div #reading { (reading(visit, sheet)) }
        }
        p { a href=(path) { (words.back_to_patient) } }
    };
    let title = format!("{} · {}", words.edit_plan, sheet.patient);
    let switch = Switch::Form {
        id: "plan-form",
        action: &check,
    };
    visit.page_of_form(status, ("plans", &title), &content, switch)
}

/// What the text means and does.
fn reading(visit: &Visit, sheet: &Sheet<'_>) -> Markup {
    let (words, reading) = (visit.words, sheet.reading);
    let errors = reading.findings.iter().filter(|it| it.is_error()).count();
    html! {
        p #verdict role="status" aria-live="polite" {
            @if errors > 0 {
                span.mark.bad { (words.plan_is_wrong) } " " (errors)
            } @else if reading.findings.is_empty() {
                span.mark.good { (words.plan_is_right) }
            } @else {
                span.mark.look { (words.plan_has_doubts) } " " (reading.findings.len())
            }
        }
        (finding::all(words, visit.language, &reading.findings))
        @if !reading.is_wrong() {
            h2 { (words.plan_means) }
            ul { @for sentence in &reading.sentences { li { (sentence) } } }
            h2 { (words.comes_next) }
            @if reading.next.is_empty() {
                p { (words.nothing_next) }
            } @else {
                ul { @for line in &reading.next { li { (line) } } }
            }
        }
        h2 { (words.saving_would) }
        @match &reading.what {
            None => { p { (words.nothing_changes) } }
            Some(what) => { p { strong { (what) } } }
        }
        @if !reading.changes.is_empty() {
            ul { @for line in &reading.changes { li { (line) } } }
        }
    }
}

/// Which patient a new plan is for.
fn new(visit: Visit) -> Answered {
    Box::pin(async move { Ok(asked_for_id(&visit, StatusCode::OK, "", None)) })
}

fn begin(visit: Visit) -> Answered {
    Box::pin(async move {
        let written = visit.field("id").trim();
        if visit.only_shows_again() {
            return Ok(asked_for_id(&visit, StatusCode::OK, written, None));
        }
        match written.parse::<PatientId>() {
            Ok(patient) => Ok(visit.go(&format!("/patients/{patient}/plan/edit"))),
            Err(error) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let why = error.to_string();
                Ok(asked_for_id(&visit, status, written, Some(&why)))
            }
        }
    })
}

fn asked_for_id(visit: &Visit, status: StatusCode, written: &str, why: Option<&str>) -> Response {
    let words = visit.words;
    let content = html! {
        @if let Some(why) = why { p #why .notice.bad role="alert" { (why) } }
        form #new-form .stacked method="post" action="/new-patient" {
            (visit.form_token())
            label for="id" { (words.new_id) }
            input #id name="id" value=(written) required maxlength="64" autocomplete="off"
                spellcheck="false" autocapitalize="off" aria-describedby="id-help";
            p #id-help .small { (words.new_id_help) }
            button type="submit" { (words.begin_plan) }
        }
    };
    let switch = Switch::Form {
        id: "new-form",
        action: "/new-patient",
    };
    visit.page_of_form(status, ("plans", words.new_plan), &content, switch)
}
