//! FHIR R4: what MedicationRequests ask for, as medications of the plan language.
//!
//! A request becomes *courses*, one for each dosage that is to be reminded of: the same
//! recurrence patterns as a plan's, so that both give the same instants ([`Request::due_between`])
//! and a course can be written as a `[[medication]]` ([`write()`]). Structure wins over text; what
//! cannot be scheduled without guessing is refused with the element that is to blame.
//!
//! Resources come in as text, one at a time: nothing here reads a file.

mod course;
mod document;
mod dose;
mod due;
mod instant;
mod phases;
mod repeat;
mod request;
mod resource;
mod times;
mod write;

#[cfg(test)]
mod tests;

pub use course::{Course, End, OnDays, Pattern, WhenNeeded};
pub use document::{Addressed, Kind, Names, PatientName, Resource, head, resources};
pub use instant::Moment;
pub use request::{Request, Unscheduled, read};
pub use write::{Subject, Written, slug, write};

use super::{Day, Zone};

/// What is said to the importer.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The zone of local times.
    pub zone: Zone,
    /// What the words of the day mean.
    pub day: Day,
    /// The start of what does not say its own.
    pub start: Option<Moment>,
}

/// Why a resource, or an element of it, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{resource}: {}{reason}", path(element))]
pub struct Refusal {
    /// Which resource: its type and id, else its type.
    pub resource: String,
    /// The path of the element within the resource.
    pub element: String,
    /// A sentence without a full stop.
    pub reason: String,
}

/// The path with what stands behind it in a message; none for the whole of a resource.
fn path(element: &str) -> String {
    match element {
        "" | "." => String::new(),
        element => format!("{element}: "),
    }
}

/// A refused element before the resource is known.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    element: String,
    reason: String,
}

impl Fault {
    fn new(element: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            element: element.into(),
            reason: reason.into(),
        }
    }

    /// The same seen from the element around it.
    fn within(mut self, outer: &str) -> Self {
        if self.element.is_empty() || self.element == "." {
            outer.clone_into(&mut self.element);
        } else if self.element.starts_with('[') {
            self.element = format!("{outer}{}", self.element);
        } else {
            self.element = format!("{outer}.{}", self.element);
        }
        self
    }

    fn of(self, resource: String) -> Refusal {
        Refusal {
            resource,
            element: self.element,
            reason: self.reason,
        }
    }
}
