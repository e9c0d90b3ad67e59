//! What may not be meant: warnings of a plan that stands (P10).

use super::{Places, Reader};
use crate::plan::{CheckIn, Medication, QuietHours, ResolvedPlan};
use crate::recurrence::{Part, Pattern, Schedule};
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;

/// So many doses are looked at: more than a week of the most frequent.
const LOOKED_AT: usize = 200;
/// Doses of one medication closer than this are doubted.
const CLOSE: SignedDuration = SignedDuration::from_hours(1);

impl Reader<'_> {
    /// Notes the doubts about a plan. `own_quiet_hours` are those of the patient's own text.
    pub(super) fn doubts(
        &self,
        plan: &ResolvedPlan,
        places: &Places,
        own_quiet_hours: Option<QuietHours>,
    ) {
        for (medication, place) in plan.medications.iter().zip(&places.medications) {
            let place = place.times.clone().unwrap_or_else(|| place.name.clone());
            self.doubt_days(&medication.schedule, &place, &medication.name);
            self.doubt_instants(&medication.schedule, &place, &medication.name);
            self.doubt_pauses(&medication.schedule, &place, &medication.name);
            if !medication.by_distance {
                self.doubt_distance(medication, &place);
            }
            if let Some(quiet) = own_quiet_hours {
                self.doubt_quiet(medication, quiet, &place);
            }
        }
        for (CheckIn { schedule, ask, .. }, place) in plan.check_ins.iter().zip(&places.check_ins) {
            self.doubt_days(schedule, place, ask);
        }
        self.doubt_end(plan, places);
    }

    /// The occurrences that a doctor would look at: from now on, else the first ones.
    fn sample(&self, schedule: &Schedule) -> Vec<Timestamp> {
        let next = |from| {
            schedule
                .occurrences(&self.zone, from)
                .take(LOOKED_AT)
                .map(|found| found.at)
        };
        let from = self.now.unwrap_or(Timestamp::UNIX_EPOCH);
        let sample: Vec<Timestamp> = next(from).collect();
        if sample.is_empty() {
            next(Timestamp::UNIX_EPOCH).collect()
        } else {
            sample
        }
    }

    fn doubt_distance(&self, medication: &Medication, place: &Range<usize>) {
        let sample = self.sample(&medication.schedule);
        let close = sample
            .windows(2)
            .find(|pair| pair[1].duration_since(pair[0]) < CLOSE);
        if let Some([first, second]) = close {
            let time = |at: Timestamp| self.zone.local(at).strftime("%H:%M");
            let message = format!(
                "two doses of {} are closer than an hour: {} and {}",
                medication.name,
                time(*first),
                time(*second)
            );
            self.findings.warning(place.clone(), message);
        }
    }

    fn doubt_quiet(&self, medication: &Medication, quiet: QuietHours, place: &Range<usize>) {
        let sample = self.sample(&medication.schedule);
        let hit = sample
            .iter()
            .find(|at| quiet.end_after(**at, &self.zone).is_some());
        if let Some(at) = hit {
            let time = self.zone.local(*at).strftime("%H:%M");
            let message = format!(
                "the dose of {} at {time} is in the patient's quiet hours; it will not wait",
                medication.name
            );
            self.findings.warning(place.clone(), message);
        }
    }

    /// A part that never falls due, e.g. an amount for Sundays in a course of two weekdays.
    fn doubt_days(&self, schedule: &Schedule, place: &Range<usize>, name: &str) {
        let falls = |part: &Part| {
            let alone = Schedule {
                parts: vec![part.clone()],
                pauses: schedule.pauses.clone(),
            };
            alone.needs_anchor() || alone.at_or_after(&self.zone, Timestamp::MIN).is_some()
        };
        let idle: Vec<&Part> = schedule.parts.iter().filter(|part| !falls(part)).collect();
        if idle.is_empty() {
            return;
        }
        let message = if idle.len() == schedule.parts.len() {
            format!("{name} falls on no day at all")
        } else if idle
            .iter()
            .all(|part| matches!(part.pattern, Pattern::Clock(_)))
        {
            format!("a part of {name} falls on no day at all")
        } else {
            return;
        };
        self.findings.warning(place.clone(), message);
    }

    /// Single instants of which some lie outside of the bounds, or in a pause. Where all do, it
    /// falls on no day at all.
    fn doubt_instants(&self, schedule: &Schedule, place: &Range<usize>, name: &str) {
        for part in &schedule.parts {
            let Pattern::Once { seconds, .. } = &part.pattern else {
                continue;
            };
            let due = |second: &&i64| {
                let at = Timestamp::from_second(**second).ok();
                let found = at.and_then(|at| schedule.at_or_after(&self.zone, at));
                found.is_some_and(|found| found.at.as_second() == **second)
            };
            let idle: Vec<&i64> = seconds.iter().filter(|second| !due(second)).collect();
            if idle.is_empty() || idle.len() == seconds.len() {
                continue;
            }
            let at = Timestamp::from_second(*idle[0]).unwrap_or(Timestamp::UNIX_EPOCH);
            let at = self.zone.local(at).strftime("%Y-%m-%d %H:%M");
            let message =
                format!("{name} is not due at {at}: its start, end or a pause forbids it");
            self.findings.warning(place.clone(), message);
        }
    }

    /// A pause in which nothing would have been due, e.g. one with the wrong year.
    fn doubt_pauses(&self, schedule: &Schedule, place: &Range<usize>, name: &str) {
        for pause in &schedule.pauses {
            let alone = Schedule {
                parts: schedule.parts.clone(),
                pauses: Vec::new(),
            };
            let from = Timestamp::from_second(pause.from).ok();
            let next = from.and_then(|from| alone.at_or_after(&self.zone, from));
            if alone.needs_anchor() || next.is_some_and(|next| next.at.as_second() < pause.until) {
                continue;
            }
            let message = format!(
                "the pause of {name} from {} to {} leaves no dose out",
                pause.from_day.date(),
                pause.until_day.date()
            );
            self.findings.warning(place.clone(), message);
        }
    }

    fn doubt_end(&self, plan: &ResolvedPlan, places: &Places) {
        let (Some(now), Some(first)) = (self.now, places.medications.first()) else {
            return;
        };
        let over = plan
            .medications
            .iter()
            .all(|medication| match &medication.as_needed {
                Some(as_needed) => as_needed.until.is_some_and(|until| until <= now),
                None => {
                    !medication.schedule.needs_anchor()
                        && medication.schedule.at_or_after(&self.zone, now).is_none()
                        && medication.schedule.before(&self.zone, now).is_some()
                }
            });
        if over {
            self.findings.warning(
                first.name.clone(),
                "every medication of this plan has ended",
            );
        }
    }
}
