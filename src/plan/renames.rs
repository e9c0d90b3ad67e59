//! Medications that look renamed: by their id they are others now (P10).

use super::{Medication, ResolvedPlan};

/// A medication that is gone, and a new one that falls at the same times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rename<'a> {
    /// The id that is gone; the new one is to have it (`id = "…"`) if it is the same medication.
    pub old_id: &'a str,
    /// Index of the new medication in the new plan.
    pub new: usize,
}

/// The medications of a plan that may be renamed ones of the plan before. One that was given an
/// `id` of its own, or whose times changed too, is not among them.
#[must_use]
pub fn renames<'a>(old: &'a ResolvedPlan, new: &ResolvedPlan) -> Vec<Rename<'a>> {
    let kept = |medication: &Medication, plan: &ResolvedPlan| {
        plan.medications
            .iter()
            .any(|other| other.id == medication.id)
    };
    let gone = old
        .medications
        .iter()
        .filter(|medication| !kept(medication, new));
    let mut taken = vec![false; new.medications.len()];
    let mut renames = Vec::new();
    for medication in gone.filter(|medication| medication.id == medication.name) {
        let alike = |(index, other): &(usize, &Medication)| {
            !taken[*index]
                && other.id == other.name
                && !kept(other, old)
                && other.schedule == medication.schedule
                && other.as_needed.is_some() == medication.as_needed.is_some()
        };
        if let Some((index, _)) = new.medications.iter().enumerate().find(alike) {
            taken[index] = true;
            renames.push(Rename {
                old_id: &medication.id,
                new: index,
            });
        }
    }
    renames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Day, Defaults, Language, Zone, diagnostic::Source, read};

    fn plan(medications: &[(&str, &str)]) -> ResolvedPlan {
        let medication = |(lines, at): &(&str, &str)| {
            format!("[[medication]]\n{lines}\ntake = \"1\"\nat = \"{at}\"")
        };
        let text: Vec<String> = medications.iter().map(medication).collect();
        let defaults = Defaults {
            zone: Zone::get("Asia/Shanghai").unwrap(),
            language: Language::En,
            quiet_hours: None,
            day: Day::default(),
            now: None,
        };
        read(
            &Source::new("p.toml", format!("name = \"x\"\n{}", text.join("\n"))),
            &defaults,
        )
        .unwrap()
        .plan
    }

    #[test]
    fn only_what_has_no_id_and_the_same_times_looks_renamed() {
        let old = plan(&[("name = \"A\"", "08:00"), ("name = \"B\"", "09:00")]);
        for (new, expected) in [
            (
                vec![("name = \"A 5 mg\"", "08:00"), ("name = \"B\"", "09:00")],
                vec![("A", 0)],
            ),
            (
                vec![
                    ("name = \"B 5 mg\"", "09:00"),
                    ("name = \"A 5 mg\"", "08:00"),
                ],
                vec![("A", 1), ("B", 0)],
            ),
            (
                vec![
                    ("name = \"A 5 mg\"\nid = \"A\"", "08:00"),
                    ("name = \"B\"", "09:00"),
                ],
                vec![],
            ),
            (
                vec![("name = \"A 5 mg\"", "10:00"), ("name = \"B\"", "09:00")],
                vec![],
            ),
            (vec![("name = \"B\"", "09:00")], vec![]),
            (
                vec![
                    ("name = \"B\"", "09:00"),
                    ("name = \"C\"", "08:00"),
                    ("name = \"D\"", "08:00"),
                ],
                vec![("A", 1)],
            ),
        ] {
            let new = plan(&new);
            let found: Vec<_> = renames(&old, &new)
                .iter()
                .map(|rename| (rename.old_id, rename.new))
                .collect();
            assert_eq!(found, expected);
        }
    }
}
