//! Which plans that are gone from the files end, and which stay: a pure decision.
//!
//! An editor's save leaves a gap, a mount can fail, a wrong directory can be configured: a plan
//! ends only after its file was gone for a while, and many at once only when a person says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A file that is gone this long ends its plan.
pub const GONE_FOR: Duration = Duration::from_secs(60);

/// Up to this many plans may end at once whatever their share.
const FEW: usize = 5;

/// What is to be done about plans whose files are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removals {
    /// These end now.
    pub end: Vec<String>,
    /// So many stay in force until a person accepts their end.
    pub held: usize,
    /// When to look again, in steady time: a gap may have to run out.
    pub again_at: Option<Duration>,
}

/// Since when, in steady time, files of plans in force are gone.
#[derive(Clone, Debug, Default)]
pub struct Gone {
    since: BTreeMap<String, Duration>,
}

impl Gone {
    /// Those whose file was gone when it was looked for last, and whose plan is still in force.
    pub fn waiting(&self) -> impl Iterator<Item = &str> {
        self.since.keys().map(String::as_str)
    }

    /// Decides about the plans in force of which there is no text.
    ///
    /// `in_force` are the patients with a plan in force, `present` those with a text, good or
    /// rejected, and those of whom it cannot be known (their directory could not be listed).
    pub fn decide(
        &mut self,
        in_force: &BTreeSet<&str>,
        present: &BTreeSet<&str>,
        accepted: bool,
        now: Duration,
    ) -> Removals {
        let missing = in_force.difference(present).copied().collect();
        self.decide_of(&missing, in_force.len(), accepted, now)
    }

    /// The same of those of which it is known already that there is no text, of so many in force.
    pub fn decide_of(
        &mut self,
        missing: &BTreeSet<&str>,
        in_force: usize,
        accepted: bool,
        now: Duration,
    ) -> Removals {
        self.since
            .retain(|patient, _| missing.contains(patient.as_str()));
        for patient in missing {
            self.since.entry((*patient).to_owned()).or_insert(now);
        }
        let over = |since: &Duration| now.saturating_sub(*since) >= GONE_FOR;
        let again_at = self
            .since
            .values()
            .filter(|since| !over(since))
            .min()
            .map(|since| *since + GONE_FOR);
        if !accepted && missing.len() > FEW && missing.len() * 2 > in_force {
            return Removals {
                end: Vec::new(),
                held: missing.len(),
                again_at,
            };
        }
        let end: Vec<String> = self
            .since
            .iter()
            .filter(|(_, since)| accepted || over(since))
            .map(|(patient, _)| patient.clone())
            .collect();
        for patient in &end {
            self.since.remove(patient);
        }
        let again_at = if accepted { None } else { again_at };
        Removals {
            end,
            held: 0,
            again_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("p{number}")).collect()
    }

    fn set(names: &[String]) -> BTreeSet<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[test]
    fn a_plan_ends_after_its_file_was_gone_for_a_minute_and_not_in_an_editors_gap() {
        let all = names(10);
        let (in_force, present) = (set(&all), set(&all[1..]));
        let mut gone = Gone::default();
        let first = gone.decide(&in_force, &present, false, at(0));
        assert_eq!(
            first,
            Removals {
                again_at: Some(at(60)),
                ..Removals::default()
            }
        );
        assert_eq!(
            gone.decide(&in_force, &in_force, false, at(30)),
            Removals::default()
        );
        let again = gone.decide(&in_force, &present, false, at(40));
        assert_eq!(again.again_at, Some(at(100)), "the minute begins anew");
        let ended = gone.decide(&in_force, &present, false, at(100));
        assert_eq!(ended.end, ["p0"]);
    }

    #[test]
    fn more_than_half_and_more_than_five_at_once_are_held_until_a_person_accepts() {
        let all = names(10);
        let in_force = set(&all);
        let mut gone = Gone::default();
        for now in [0, 61, 3_600] {
            let held = gone.decide(&in_force, &set(&all[6..]), false, at(now));
            assert_eq!((held.end.len(), held.held), (0, 6), "{now}");
        }
        let accepted = gone.decide(&in_force, &set(&all[6..]), true, at(3_601));
        assert_eq!((accepted.end.len(), accepted.held), (6, 0));
    }

    #[test]
    fn five_of_six_may_end_and_so_may_half_of_many() {
        for (count, left) in [(6, 1), (20, 10)] {
            let all = names(count);
            let mut gone = Gone::default();
            gone.decide(&set(&all), &set(&all[..left]), false, at(0));
            let ended = gone.decide(&set(&all), &set(&all[..left]), false, at(60));
            assert_eq!(ended.end.len(), count - left);
        }
    }
}
