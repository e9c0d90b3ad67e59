//! What is due on the clinic's day.

use crate::engine::DoseState;
use crate::http::page::clinic::{Dose, Person, Slot, Today};
use crate::plan::Zone;
use crate::store::{DoseLine, Reader, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// So far ahead is looked.
const AHEAD: SignedDuration = SignedDuration::from_hours(6);
/// So many are named of those who have something due at one instant.
const NAMED_MAX: usize = 12;

/// Names of patients and of their medications, by ids.
type Names = HashMap<String, (String, HashMap<String, String>)>;

/// What the plans in force say: who has what, and when it is due next.
pub struct Planned {
    names: Names,
    /// By instant: how many doses, and who takes them.
    slots: BTreeMap<Timestamp, (usize, Vec<Person>)>,
    /// Plans that cannot be read.
    unreadable: u64,
}

/// Reads the plans in force, for what is due from `now` on.
pub fn planned(reader: &Reader, now: Timestamp) -> Result<Planned, StoreError> {
    let mut planned = Planned {
        names: Names::new(),
        slots: BTreeMap::new(),
        unreadable: 0,
    };
    // It serves for a while, and still looks as far ahead then.
    let horizon = now.saturating_add(AHEAD + AHEAD).unwrap_or(Timestamp::MAX);
    reader.each_plan(|patient, plan| {
        let person = Person {
            patient: patient.to_owned(),
            name: Some(plan.name.clone()),
        };
        for medication in &plan.medications {
            let doses = plan.doses_from(medication, now);
            for dose in doses.take_while(|dose| dose.due < horizon) {
                let (count, people) = planned.slots.entry(dose.due).or_default();
                *count += 1;
                // Those of one patient come one after the other.
                if people.len() <= NAMED_MAX && people.last() != Some(&person) {
                    people.push(person.clone());
                }
            }
        }
        let medications = plan.medications.iter();
        let medications = medications.map(|it| (it.id.clone(), it.name.clone()));
        let known = (plan.name.clone(), medications.collect());
        planned.names.insert(patient.to_owned(), known);
    })?;
    planned.unreadable = reader.unreadable();
    Ok(planned)
}

/// Reads the day that holds `now`.
pub fn read(
    reader: &Reader,
    planned: &Planned,
    zone: &Zone,
    now: Timestamp,
) -> Result<Today, StoreError> {
    let today = zone.local(now).date();
    let from = zone.instant(today.to_datetime(jiff::civil::Time::midnight()));
    let until = now.saturating_add(SignedDuration::from_millis(1));
    let until = until.unwrap_or(Timestamp::MAX);
    let lines = reader.recent_doses(from, until, now)?;
    let names = &planned.names;
    let mut doses: Vec<Dose> = lines.into_iter().map(|line| dose(line, names)).collect();
    doses.sort_by_key(|dose| (urgency(dose), dose.due));
    let horizon = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
    let slots = planned.slots.range(until..horizon.max(until));
    let next: Vec<Slot> = slots
        .map(|(due, (count, people))| Slot {
            due: *due,
            doses: *count,
            people: people.iter().take(NAMED_MAX).cloned().collect(),
            more: people.len() > NAMED_MAX,
        })
        .collect();
    Ok(Today {
        doses_next: next.iter().map(|slot| slot.doses).sum(),
        next,
        doses,
        unreadable: planned.unreadable + reader.unreadable(),
    })
}

fn dose(line: DoseLine, names: &Names) -> Dose {
    let known = names.get(&line.patient);
    let medication = known.and_then(|(_, medications)| medications.get(&line.medication));
    Dose {
        medication: medication.cloned().unwrap_or(line.medication),
        person: Person {
            name: known.map(|(name, _)| name.clone()),
            patient: line.patient,
        },
        amount: line.amount,
        due: line.due,
        state: line.state,
        reason: line.reason,
        reminded: line.reminded,
        in_doubt: line.in_doubt,
        answered: line.answer.map(|answer| answer.said_at.0),
    }
}

/// What somebody should look at comes first.
fn urgency(dose: &Dose) -> u8 {
    match dose.state {
        DoseState::Expired => 0,
        DoseState::Missed => 1,
        DoseState::Open if dose.in_doubt => 2,
        DoseState::Open => 3,
        DoseState::Skipped => 4,
        DoseState::Taken => 5,
        DoseState::Cancelled => 6,
    }
}
