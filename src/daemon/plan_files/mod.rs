//! The plans of all patients: found, read, checked. Nothing here decides what is applied.
//!
//! A patient's plan is a file `ID.toml` of the plan directory or a table `[patients.ID]` of the
//! configuration. What is wrong in one concerns that patient alone. A file that cannot be read is
//! *rejected*, not *gone*.

mod fit;
mod inline;
mod load;
mod scan;

pub use fit::{Item, Misfit, misfits};
pub use inline::{InlinePlan, inline_plans};
pub use load::{
    LoadedPlan, LoadedPlans, Origin, PLAN_BYTES_MAX, Terms, load, read_bytes, read_file,
};
pub use scan::{PlanFile, Scan, ScanError, Stamp, id_of_path, scan};
