//! What a plan will ask of a patient: all that is due in a span of time, in order.

use super::{Medication, Places, ReadPlan, ResolvedPlan};
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueKind {
    /// A dose.
    Dose,
    /// A check-in.
    CheckIn,
    /// A reminder of an appointment.
    Appointment,
}

impl DueKind {
    /// The word in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DueKind::Dose => "dose",
            DueKind::CheckIn => "check_in",
            DueKind::Appointment => "appointment",
        }
    }
}

/// One thing that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<'a> {
    /// When.
    pub at: Timestamp,
    /// What sort of thing.
    pub kind: DueKind,
    /// The medication's or the check-in's id; of an appointment what it is for.
    pub id: &'a str,
    /// The medication's name, the question, or what the appointment is for.
    pub name: &'a str,
    /// The amount of a dose, empty for "as directed"; `None` for anything else.
    pub dose: Option<Cow<'a, str>>,
    /// No reminder of it from here on; of an appointment its own time.
    pub window_ends: Timestamp,
    /// `critical`, `dose`, `check_in` or `notice`: the class in which it is sent.
    pub class: &'static str,
    /// Where it stands in the text: the order of things due at one instant.
    pub place: usize,
}

/// How far is looked for the next reminders, in days, until there are enough.
const DAYS_AHEAD: [i64; 4] = [3, 30, 400, 4000];

impl ReadPlan {
    /// What is due from `now` on, by instant: one reminder each, so many at most.
    #[must_use]
    pub fn next_reminders(&self, now: Timestamp, count: usize) -> Vec<Vec<Due<'_>>> {
        let mut reminders: Vec<Vec<Due<'_>>> = Vec::new();
        for days in DAYS_AHEAD {
            let until = now.saturating_add(SignedDuration::from_hours(days * 24));
            let until = until.unwrap_or(Timestamp::MAX);
            reminders.clear();
            for due in self.plan.due_between(&self.places, now, until, None) {
                match reminders.last_mut() {
                    Some(last) if last[0].at == due.at => last.push(due),
                    _ => reminders.push(vec![due]),
                }
            }
            if reminders.len() >= count {
                break;
            }
        }
        reminders.truncate(count);
        reminders
    }
}

impl ResolvedPlan {
    /// All that is due in `[from, until)`, ordered by instant, then as in the text.
    ///
    /// `since` is when the plan is taken to have come into force: what has no `start` of its own
    /// is not due before; `None`: it has always been. A medication that is taken so long after
    /// the last dose, and whose first is not said, is first taken then (P3), each next as if the
    /// one before was taken at its instant.
    #[must_use]
    pub fn due_between(
        &self,
        places: &Places,
        from: Timestamp,
        until: Timestamp,
        since: Option<Timestamp>,
    ) -> Vec<Due<'_>> {
        let mut all = Vec::new();
        for (index, medication) in self.medications.iter().enumerate() {
            let place = places
                .medications
                .get(index)
                .map_or(index, |place| place.name.start);
            self.doses_due(medication, place, (from, until), since, &mut all);
        }
        for (index, check_in) in self.check_ins.iter().enumerate() {
            let place = places
                .check_ins
                .get(index)
                .map_or(index, |place| place.start);
            let from = match since {
                Some(since) if !check_in.schedule.has_begin() => from.max(since),
                _ => from,
            };
            let asked = self
                .check_ins_from(check_in, from)
                .take_while(|asked| asked.due < until);
            all.extend(asked.map(|asked| Due {
                at: asked.due,
                kind: DueKind::CheckIn,
                id: &check_in.id,
                name: &check_in.ask,
                dose: None,
                window_ends: asked.window_ends,
                class: "check_in",
                place,
            }));
        }
        for (index, appointment) in self.appointments.iter().enumerate() {
            let place = places
                .appointments
                .get(index)
                .map_or(index, |place| place.start);
            let reminders = appointment
                .remind
                .iter()
                .filter(|at| (from..until).contains(*at));
            all.extend(reminders.map(|at| Due {
                at: *at,
                kind: DueKind::Appointment,
                id: &appointment.what,
                name: &appointment.what,
                dose: None,
                window_ends: appointment.at,
                class: "notice",
                place,
            }));
        }
        all.sort_by_key(|due| (due.at, due.place));
        all
    }

    fn doses_due<'a>(
        &'a self,
        medication: &'a Medication,
        place: usize,
        (from, until): (Timestamp, Timestamp),
        since: Option<Timestamp>,
        all: &mut Vec<Due<'a>>,
    ) {
        let mut push = |at, dose, window_ends| {
            all.push(Due {
                at,
                kind: DueKind::Dose,
                id: &medication.id,
                name: &medication.name,
                dose: Some(dose),
                window_ends,
                class: if medication.critical {
                    "critical"
                } else {
                    "dose"
                },
                place,
            });
        };
        if medication.schedule.needs_anchor() {
            let anchored = Medication {
                schedule: medication.schedule.anchored(since.unwrap_or(from)),
                ..medication.clone()
            };
            let doses = self
                .doses_from(&anchored, from)
                .take_while(|dose| dose.due < until);
            for dose in doses {
                push(
                    dose.due,
                    Cow::Owned(dose.amount.into_owned()),
                    dose.window_ends,
                );
            }
            return;
        }
        let from = match since {
            Some(since) if !medication.schedule.has_begin() => from.max(since),
            _ => from,
        };
        for dose in self
            .doses_from(medication, from)
            .take_while(|dose| dose.due < until)
        {
            push(dose.due, dose.amount, dose.window_ends);
        }
    }
}
