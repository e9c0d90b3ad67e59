//! What the ids of a patient's plan are called, and when something was, in a language.

use crate::engine::Millis;
use crate::plan::{Language, ResolvedPlan, Zone, explain};
use jiff::Timestamp;

/// How things are called. What is not in the plan in force is called by its id.
pub struct Naming<'a> {
    /// The plan in force.
    pub plan: Option<&'a ResolvedPlan>,
    /// The patient's zone.
    pub zone: &'a Zone,
    /// The reader's language.
    pub language: Language,
}

impl Naming<'_> {
    /// A medication.
    #[must_use]
    pub fn medication<'b>(&'b self, id: &'b str) -> &'b str {
        let mut medications = self.plan.iter().flat_map(|plan| &plan.medications);
        medications.find(|it| it.id == id).map_or(id, |it| &it.name)
    }

    /// A check-in: its question.
    #[must_use]
    pub fn check_in<'b>(&'b self, id: &'b str) -> &'b str {
        let mut check_ins = self.plan.iter().flat_map(|plan| &plan.check_ins);
        check_ins.find(|it| it.id == id).map_or(id, |it| &it.ask)
    }

    /// A caregiver.
    #[must_use]
    pub fn caregiver<'b>(&'b self, id: &'b str) -> &'b str {
        let mut caregivers = self.plan.iter().flat_map(|plan| &plan.caregivers);
        caregivers.find(|it| it.id == id).map_or(id, |it| &it.name)
    }

    /// A medication or a check-in.
    #[must_use]
    pub fn item<'b>(&'b self, id: &'b str) -> &'b str {
        match self.medication(id) {
            same if same == id => self.check_in(id),
            name => name,
        }
    }

    /// When it was.
    #[must_use]
    pub fn moment(&self, at: Millis) -> String {
        self.at(at.0)
    }

    /// When it was, to the minute.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> String {
        let whole = Timestamp::from_second(at.as_second().div_euclid(60) * 60);
        explain::moment(self.language, self.zone, whole.unwrap_or(at))
    }
}
