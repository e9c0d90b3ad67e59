//! What is due on the clinic's day.

use crate::engine::DoseState;
use crate::http::page::clinic::{Dose, Person, Question, QuestionState, Slot, Today};
use crate::plan::Zone;
use crate::store::{CheckInLine, DoseLine, Reader, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// So far ahead is looked.
const AHEAD: SignedDuration = SignedDuration::from_hours(6);
/// So many are named of those who have something due at one instant.
const NAMED_MAX: usize = 12;

/// How a patient and what is in the plan are called.
struct Known {
    name: String,
    /// Medications, by their ids.
    medications: HashMap<String, String>,
    /// Questions, by the check-ins' ids.
    asks: HashMap<String, String>,
}

/// By the patients' ids.
type Names = HashMap<String, Known>;

/// What is due at one instant: how many doses and questions, and whose they are.
#[derive(Default)]
struct Due {
    doses: usize,
    check_ins: usize,
    people: Vec<Person>,
}

impl Due {
    fn of(&mut self, person: &Person) -> &mut Self {
        // Those of one patient come one after the other.
        if self.people.len() <= NAMED_MAX && self.people.last() != Some(person) {
            self.people.push(person.clone());
        }
        self
    }
}

/// What the plans in force say: who has what, and when it is due next.
pub struct Planned {
    names: Names,
    slots: BTreeMap<Timestamp, Due>,
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
                planned.slots.entry(dose.due).or_default().of(&person).doses += 1;
            }
        }
        for check_in in &plan.check_ins {
            let askings = plan.check_ins_from(check_in, now);
            for asking in askings.take_while(|asking| asking.due < horizon) {
                let slot = planned.slots.entry(asking.due).or_default();
                slot.of(&person).check_ins += 1;
            }
        }
        let medications = plan.medications.iter();
        let asks = plan.check_ins.iter();
        let known = Known {
            name: plan.name.clone(),
            medications: medications
                .map(|it| (it.id.clone(), it.name.clone()))
                .collect(),
            asks: asks.map(|it| (it.id.clone(), it.ask.clone())).collect(),
        };
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
    let (lines, askings) = reader.recent(from, until, now)?;
    let names = &planned.names;
    let mut doses: Vec<Dose> = lines.into_iter().map(|line| dose(line, names)).collect();
    doses.sort_by_key(|dose| (urgency(dose), dose.due));
    let questions = askings.into_iter().map(|line| question(line, names));
    let mut check_ins: Vec<Question> = questions.collect();
    check_ins.sort_by_key(|question| (urgency_of(question), question.due));
    let horizon = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
    let slots = planned.slots.range(until..horizon.max(until));
    let next: Vec<Slot> = slots
        .map(|(due, slot)| Slot {
            due: *due,
            doses: slot.doses,
            check_ins: slot.check_ins,
            people: slot.people.iter().take(NAMED_MAX).cloned().collect(),
            more: slot.people.len() > NAMED_MAX,
        })
        .collect();
    Ok(Today {
        doses_next: next.iter().map(|slot| slot.doses).sum(),
        check_ins_next: next.iter().map(|slot| slot.check_ins).sum(),
        next,
        doses,
        check_ins,
        unreadable: planned.unreadable + reader.unreadable(),
    })
}

fn dose(line: DoseLine, names: &Names) -> Dose {
    let known = names.get(&line.patient);
    let medication = known.and_then(|known| known.medications.get(&line.medication));
    Dose {
        medication: medication.cloned().unwrap_or(line.medication),
        person: Person {
            name: known.map(|known| known.name.clone()),
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

fn question(line: CheckInLine, names: &Names) -> Question {
    let known = names.get(&line.patient);
    let ask = known.and_then(|known| known.asks.get(&line.check_in));
    Question {
        state: match &line {
            CheckInLine {
                answer: Some(_), ..
            } => QuestionState::Answered,
            CheckInLine { closed: false, .. } => QuestionState::Open,
            CheckInLine {
                cancelled: true, ..
            } => QuestionState::Cancelled,
            CheckInLine {
                reason: Some(_), ..
            } => QuestionState::Expired,
            _ => QuestionState::Missed,
        },
        ask: ask.cloned().unwrap_or(line.check_in),
        person: Person {
            name: known.map(|known| known.name.clone()),
            patient: line.patient,
        },
        due: line.due,
        reason: line.reason.filter(|_| line.answer.is_none()),
        asked: line.asked,
        in_doubt: line.in_doubt && line.answer.is_none(),
        alert: line.answer.as_ref().is_some_and(|answer| answer.alert),
        answer: line.answer.map(|answer| (answer.value, answer.at)),
    }
}

/// What somebody should look at comes first.
fn urgency_of(question: &Question) -> u8 {
    match question.state {
        QuestionState::Answered if question.alert => 0,
        QuestionState::Expired => 1,
        QuestionState::Missed => 2,
        QuestionState::Open => 3,
        QuestionState::Answered => 4,
        QuestionState::Cancelled => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{ExpiredReason, Value};
    use crate::store::CheckInAnswer;

    fn line(due: i64) -> CheckInLine {
        CheckInLine {
            patient: "wang".to_owned(),
            check_in: "bp".to_owned(),
            due: Timestamp::from_second(due).unwrap(),
            answer: None,
            closed: true,
            cancelled: false,
            reason: None,
            asked: None,
            in_doubt: false,
        }
    }

    #[test]
    fn a_question_is_what_became_of_it_last() {
        let answer = |alert| {
            Some(CheckInAnswer {
                value: Value::Number(1_000),
                at: Timestamp::from_second(9).unwrap(),
                late: true,
                alert,
            })
        };
        let reason = Some(ExpiredReason::ApiDown);
        for (line, state, urgency) in [
            (line(1), QuestionState::Missed, 2),
            (
                CheckInLine {
                    closed: false,
                    ..line(1)
                },
                QuestionState::Open,
                3,
            ),
            (CheckInLine { reason, ..line(1) }, QuestionState::Expired, 1),
            (
                CheckInLine {
                    cancelled: true,
                    ..line(1)
                },
                QuestionState::Cancelled,
                5,
            ),
            // A late answer corrects all of them.
            (
                CheckInLine {
                    answer: answer(false),
                    ..line(1)
                },
                QuestionState::Answered,
                4,
            ),
            (
                CheckInLine {
                    answer: answer(true),
                    reason,
                    ..line(1)
                },
                QuestionState::Answered,
                0,
            ),
        ] {
            let question = question(line, &Names::new());
            assert_eq!(question.state, state);
            assert_eq!(urgency_of(&question), urgency, "{state:?}");
            assert_eq!(question.reason.is_some(), state == QuestionState::Expired);
            assert_eq!(question.ask, "bp", "of a check-in that is no more, the id");
        }
    }
}
