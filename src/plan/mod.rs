//! What the doctor writes: types, TOML with source spans, validation, and the plan in its
//! resolved form.
//!
//! Nothing here reads a clock, a file or the network: text and instants come in as arguments.

mod day;
pub mod diagnostic;
pub mod explain;
pub mod fhir;
mod grammar;
mod patient_id;
mod projection;
mod read;
pub mod reader;
mod renames;
mod resolved;
mod scheduled;
mod words;

pub use day::{Day, DayWord};
pub(crate) use grammar::answer::milli;
pub use grammar::{
    Problem,
    amount::{quantity, same_unit, thousandths},
    answer::answer as answer_type,
    span::{duration, quiet_hours},
};
pub use patient_id::{PatientId, PatientIdError};
pub use projection::{Due, DueKind};
pub use read::{MedicationPlace, Places, ReadPlan, read, read_table};
pub use renames::{Rename, renames};
pub use resolved::*;
use scheduled::BOTH;
pub(crate) use words::{chinese_number, plain};

/// What a plan inherits where its text is silent.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// The clinic's zone.
    pub zone: Zone,
    /// The clinic's language.
    pub language: Language,
    /// The clinic's quiet hours.
    pub quiet_hours: Option<QuietHours>,
    /// The clinic's words of the day.
    pub day: Day,
    /// The present, for what a refusal offers to copy and for warnings of what is over; it never
    /// changes what a plan means.
    pub now: Option<jiff::Timestamp>,
}
