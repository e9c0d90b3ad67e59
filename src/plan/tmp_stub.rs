//! Placeholder signatures; delete this file when the plan module brings its own.
use super::*;
impl ResolvedPlan {
    pub fn doses_from<'a>(
        &'a self,
        _m: &'a Medication,
        _from: Timestamp,
    ) -> impl Iterator<Item = ScheduledDose<'a>> + 'a {
        std::iter::empty()
    }
    pub fn check_ins_from<'a>(
        &'a self,
        _m: &'a CheckIn,
        _from: Timestamp,
    ) -> impl Iterator<Item = ScheduledCheckIn> + 'a {
        std::iter::empty()
    }
    pub fn meaning_hash(&self) -> [u8; 32] {
        [0; 32]
    }
}
use jiff::Timestamp;
impl Medication {
    pub fn is_interval(&self) -> bool {
        false
    }
    pub fn label(&self) -> &str {
        &self.name
    }
}
