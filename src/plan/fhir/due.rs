//! When the doses of a request are due.

use super::{Course, Request, course::Pattern};
use crate::plan::{Language, Medication, ResolvedPlan, Zone};
use crate::recurrence::{self, Part, Schedule, Weekdays};
use jiff::{SignedDuration, Timestamp};

/// One dosage that is due at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<'a> {
    /// When.
    pub at: Timestamp,
    /// The text of the dose.
    pub dose: &'a str,
    /// No reminder of it from here on (P8); the dosages of a request are one medication.
    pub window_ends: Timestamp,
}

/// So far around a span single instants are looked for, so that gaps to neighbours are right: more
/// than a week.
const AROUND: SignedDuration = SignedDuration::from_hours(9 * 24);

impl Request {
    /// All that is due in `[from, until)`, ordered by instant, then as in `dosageInstruction`; two
    /// dosages at one instant stay two lines (R17).
    #[must_use]
    pub fn due_between(&self, zone: &Zone, from: Timestamp, until: Timestamp) -> Vec<Due<'_>> {
        if self.courses.is_empty() || from >= until {
            return Vec::new();
        }
        let mut parts = Vec::new();
        for (course, amount) in self.courses.iter().zip(0_u16..) {
            parts.extend(course.part(zone, amount, from, until));
        }
        let medication = Medication {
            id: String::new(),
            name: String::new(),
            short: None,
            critical: false,
            note: None,
            by_distance: false,
            doses: None,
            schedule: Schedule {
                parts,
                pauses: Vec::new(),
            },
            amounts: Vec::new(),
            as_needed: None,
            window: None,
            nudge: None,
            stock: None,
            refill_when: None,
            if_missed: None,
        };
        let plan = empty(zone);
        let mut all = Vec::new();
        for dose in plan
            .doses_from(&medication, from)
            .take_while(|dose| dose.due < until)
        {
            let mut last = None;
            medication.schedule.amounts_at(zone, dose.due, |amount| {
                // Two times of one dosage that fall on one instant are one dose (P7).
                if last == Some(amount) {
                    return;
                }
                last = Some(amount);
                if let Some(course) = self.courses.get(usize::from(amount)) {
                    all.push(Due {
                        at: dose.due,
                        dose: &course.dose,
                        window_ends: dose.window_ends,
                    });
                }
            });
        }
        all
    }
}

fn empty(zone: &Zone) -> ResolvedPlan {
    ResolvedPlan {
        name: String::new(),
        language: Language::default(),
        zone: zone.clone(),
        quiet_hours: None,
        wechat: None,
        medications: Vec::new(),
        check_ins: Vec::new(),
        born: None,
        caregivers: Vec::new(),
        appointments: Vec::new(),
    }
}

impl Course {
    /// Its schedule for a span of time, with the amount's number.
    fn part(&self, zone: &Zone, amount: u16, from: Timestamp, until: Timestamp) -> Option<Part> {
        let mut part = self.schedule.parts.first()?.clone();
        match &mut part.pattern {
            recurrence::Pattern::Clock(clock) => {
                for slot in &mut clock.slots {
                    slot.amount = amount;
                }
            }
            recurrence::Pattern::Elapsed(elapsed) | recurrence::Pattern::AfterLast(elapsed) => {
                elapsed.amount = amount;
            }
            recurrence::Pattern::Once { amount: known, .. } => *known = amount,
        }
        let filtered = matches!(
            &self.pattern,
            Pattern::Elapsed { weekdays, .. } if *weekdays != Weekdays::ALL
        );
        if filtered {
            let begin = from.checked_sub(AROUND).unwrap_or(Timestamp::MIN);
            let end = until.checked_add(AROUND).unwrap_or(Timestamp::MAX);
            let instants = self.occurrences(zone, begin);
            part.pattern = recurrence::Pattern::Once {
                seconds: instants
                    .take_while(|at| *at < end)
                    .map(Timestamp::as_second)
                    .collect(),
                amount,
            };
        }
        Some(part)
    }
}
