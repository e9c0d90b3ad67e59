//! What is in force, what is refused, and what the last edits changed.

use super::talk::{Days, person};
use crate::http::page::clinic::{Person, PlanEdit, PlanInForce, Plans, Rejected};
use crate::store::{Reader, StoreError};
use jiff::Timestamp;

/// Plans on one page.
const PER_PAGE: usize = 50;
/// The last edits that are shown.
const EDITS_SHOWN: usize = 10;

/// Reads a page of what is in force, and the last edits.
pub fn read(
    reader: &Reader,
    days: &Days,
    now: Timestamp,
    after: Option<&str>,
) -> Result<Plans, StoreError> {
    let (lines, more) = reader.plan_lines(after, PER_PAGE)?;
    let next = lines.last().filter(|_| more).map(|it| it.patient.clone());
    let in_force = lines.into_iter().map(|line| {
        let plan = line.plan.as_ref();
        PlanInForce {
            person: Person {
                patient: line.patient,
                name: plan.map(|plan| plan.name.clone()),
            },
            version: line.head.version,
            medications: plan.map_or(Vec::new(), |plan| {
                plan.medications.iter().map(|it| it.name.clone()).collect()
            }),
            check_ins: plan.map_or(0, |plan| plan.check_ins.len()),
        }
    });
    let (edits, known) = days.edits(reader, now, EDITS_SHOWN)?;
    let people = reader.people(edits.iter().map(|edit| edit.patient))?;
    let mut shown = Vec::new();
    for edit in edits {
        let Some(known) = people.get(&edit.patient) else {
            continue;
        };
        let versions = match edit.version {
            Some(version) => {
                let behind = version.checked_add(1);
                reader.plan_versions(&known.patient, behind, 2)?
            }
            None => Vec::new(),
        };
        // The newest first; the one before may be gone already.
        let mut texts = versions.into_iter().filter_map(|it| {
            let steps = edit.version?.checked_sub(it.version)?;
            (steps <= 1).then_some((steps, it.text.text))
        });
        let new = texts.next().filter(|(steps, _)| *steps == 0);
        let old = texts.next();
        shown.push(PlanEdit {
            at: edit.at,
            person: person(known),
            what: edit.what,
            texts: (
                old.map(|(_, text)| text).unwrap_or_default(),
                new.map(|(_, text)| text).unwrap_or_default(),
            ),
        });
    }
    Ok(Plans {
        in_force: in_force.collect(),
        next,
        edits: shown,
        unreadable: known + reader.unreadable(),
        ..Plans::default()
    })
}

/// What is refused, patient by patient.
pub fn rejected(plans: &super::super::shared::Findings) -> Vec<Rejected> {
    let of_plans = plans.plans.iter().map(|(id, findings)| Rejected {
        patient: Some(id.as_str().to_owned()),
        findings: findings.clone(),
    });
    let strays = plans.strays.iter().map(|finding| Rejected {
        patient: None,
        findings: vec![finding.clone()],
    });
    of_plans.chain(strays).collect()
}
