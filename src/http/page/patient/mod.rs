//! One patient: what is due, what became of it, what was answered and written, and the plan.

mod calendar;
mod code;
mod crossed;
pub mod difference;
mod figures;
pub mod journal;
mod naming;
mod overview;
mod past;
mod readings;
pub mod view;

use super::gate::{Answered, Route, Trouble};
use super::visit::Visit;
use crate::engine::Role;
use crate::plan::PatientId;
use naming::Naming;
pub(super) use past::{differences, differences_at_most};

/// The pages.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/patients/{patient}",
        Role::Viewer,
        "patient",
        overview::show,
    ),
    Route::get(
        "/patients/{patient}/journal",
        Role::Viewer,
        "journal",
        past::journal,
    ),
    Route::get(
        "/patients/{patient}/plans",
        Role::Viewer,
        "plan_history",
        past::plans,
    ),
    // Whoever scans the code binds themselves: it is made by a form alone.
    Route::post(
        "/patients/{patient}/enrol",
        Role::Nurse,
        "enrol",
        code::make,
    ),
];

/// The id in the path, if any patient can have it.
pub(super) fn patient_of(visit: &Visit) -> Result<PatientId, Trouble> {
    visit
        .param("patient")
        .parse()
        .map_err(|_| Trouble::NotFound)
}

/// Answers, boxed as the gate takes them.
fn answered(
    answer: impl Future<Output = Result<axum::response::Response, Trouble>> + Send + 'static,
) -> Answered {
    Box::pin(answer)
}
