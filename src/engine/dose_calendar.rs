//! What became of each dose, on the days of a calendar: what the figures of adherence are made of,
//! dose by dose.

use super::adherence::is_on_time;
use super::{About, ClosedDose, DoseState, Entry, ExpiredReason, GivenAnswer, Millis, OpenDose};
use crate::plan::Zone;
use jiff::{Timestamp, civil::Date};
use std::collections::BTreeMap;

/// A patient's doses due in a half-open range of time, as far as entries of the journal told.
///
/// Entries are noted in the order in which they were written: of several about one dose the last
/// counts, as in [`super::DoseHistory`].
#[derive(Clone, Debug)]
pub struct DoseCalendar {
    from: Timestamp,
    until: Timestamp,
    doses: BTreeMap<String, BTreeMap<Timestamp, DoseMark>>,
}

/// One dose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoseMark {
    /// `take`; empty for "as directed".
    pub amount: String,
    /// What became of it; `None`: its instant has not come.
    pub state: Option<DoseState>,
    /// Why, when it expired.
    pub reason: Option<ExpiredReason>,
    /// What was said of it.
    pub answer: Option<GivenAnswer>,
    /// Taken, and on time.
    pub on_time: bool,
    /// Somebody said within its window that it is not taken.
    pub said_not_taken: bool,
    /// When the API took the first reminder.
    pub reminded: Option<Timestamp>,
    /// A reminder was sent and no answer was read.
    pub in_doubt: bool,
}

impl DoseMark {
    fn of_state(state: Option<DoseState>) -> Self {
        Self {
            amount: String::new(),
            state,
            reason: None,
            answer: None,
            on_time: false,
            said_not_taken: false,
            reminded: None,
            in_doubt: false,
        }
    }

    fn close(&mut self, dose: &ClosedDose) {
        let said_not_taken = self.said_not_taken;
        let answer = dose.answer.as_ref();
        *self = Self {
            amount: dose.amount.clone(),
            state: Some(dose.state),
            reason: dose.reason,
            answer: answer.cloned(),
            on_time: dose.state == DoseState::Taken
                && answer.is_some_and(|it| is_on_time(dose, it)),
            said_not_taken,
            reminded: dose.reminded.map(|at| at.0),
            in_doubt: dose.in_doubt,
        };
    }
}

/// The doses of one medication on consecutive days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarRow<'a> {
    /// The medication's id.
    pub medication: &'a str,
    /// Of each day, from the first one on: instants and doses, ascending.
    pub days: Vec<Vec<(Timestamp, &'a DoseMark)>>,
}

impl DoseCalendar {
    /// Of the doses due from `from` on and before `until` nothing is known yet.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            doses: BTreeMap::new(),
        }
    }

    /// Notes what an entry says of doses.
    pub fn note(&mut self, entry: &Entry) {
        match entry {
            Entry::DoseClosed(dose) => {
                if let Some(mark) = self.mark(&dose.medication, dose.due.0) {
                    mark.close(dose);
                }
            }
            Entry::DosesExpired {
                medication,
                amount,
                due,
                reason,
            } => {
                for due in due {
                    if let Some(mark) = self.mark(medication, due.0) {
                        mark.amount.clone_from(amount);
                        (mark.state, mark.reason) = (Some(DoseState::Expired), Some(*reason));
                        (mark.answer, mark.on_time) = (None, false);
                    }
                }
            }
            Entry::DoseReopened { about, .. } => {
                if let Some(mark) = self.mark(&about.id, about.due.0) {
                    (mark.state, mark.reason) = (Some(DoseState::Open), None);
                    (mark.answer, mark.on_time) = (None, false);
                }
            }
            Entry::SaidNotTaken { about, .. } => {
                for About {
                    id,
                    due: Millis(due),
                } in about
                {
                    if let Some(mark) = self.mark(id, *due) {
                        mark.said_not_taken = true;
                    }
                }
            }
            // The others say nothing of what became of a dose: `DoseHistory::is_told_by`.
            _ => {}
        }
    }

    /// A dose waits for an answer. To be said before entries are noted: what is noted is newer.
    pub fn waits(&mut self, dose: &OpenDose) {
        if let Some(mark) = self.mark(&dose.medication, dose.due) {
            *mark = DoseMark {
                amount: dose.amount.clone(),
                said_not_taken: dose.said_not_taken,
                reminded: dose.sending.accepted_at,
                in_doubt: dose.sending.in_doubt,
                ..DoseMark::of_state(Some(DoseState::Open))
            };
        }
    }

    /// A dose will be due. What is known of it already stands.
    pub fn will_be_due(&mut self, medication: &str, due: Timestamp, amount: &str) {
        if due < self.from || due >= self.until {
            return;
        }
        let doses = self.doses.entry(medication.to_owned()).or_default();
        doses.entry(due).or_insert_with(|| DoseMark {
            amount: amount.to_owned(),
            ..DoseMark::of_state(None)
        });
    }

    /// A dose in the range; made as an open one where nothing was known of it.
    fn mark(&mut self, medication: &str, due: Timestamp) -> Option<&mut DoseMark> {
        if due < self.from || due >= self.until {
            return None;
        }
        if !self.doses.contains_key(medication) {
            self.doses.insert(medication.to_owned(), BTreeMap::new());
        }
        let doses = self.doses.get_mut(medication)?;
        let mark = doses.entry(due);
        Some(mark.or_insert_with(|| DoseMark::of_state(Some(DoseState::Open))))
    }

    /// All doses of a medication, ascending.
    pub fn doses(&self) -> impl Iterator<Item = (&str, Timestamp, &DoseMark)> {
        self.doses.iter().flat_map(|(medication, doses)| {
            let doses = doses.iter();
            doses.map(move |(due, mark)| (medication.as_str(), *due, mark))
        })
    }

    /// One row a medication that has doses there, in the order of `order` and then by id: `days`
    /// local days from `first` on.
    #[must_use]
    pub fn rows(
        &self,
        first: Date,
        days: usize,
        zone: &Zone,
        order: &[&str],
    ) -> Vec<CalendarRow<'_>> {
        let mut rows: Vec<CalendarRow<'_>> = Vec::new();
        for (medication, doses) in &self.doses {
            let mut row = CalendarRow {
                medication,
                days: vec![Vec::new(); days],
            };
            for (due, mark) in doses {
                let day = zone.local(*due).date();
                let index = first.until(day).map_or(-1, |span| span.get_days());
                let index = usize::try_from(index).ok();
                if let Some(day) = index.and_then(|index| row.days.get_mut(index)) {
                    day.push((*due, mark));
                }
            }
            if row.days.iter().any(|day| !day.is_empty()) {
                rows.push(row);
            }
        }
        let place = |row: &CalendarRow<'_>| {
            let place = order.iter().position(|id| *id == row.medication);
            (place.unwrap_or(usize::MAX), row.medication.to_owned())
        };
        rows.sort_by_cached_key(place);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Teller;
    use jiff::SignedDuration;
    use jiff::civil::date;

    fn zone() -> Zone {
        Zone::get("Asia/Shanghai").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        zone().instant(text.parse().unwrap())
    }

    fn march() -> DoseCalendar {
        DoseCalendar::new(at("2026-03-01T00:00"), at("2026-04-01T00:00"))
    }

    fn closed(medication: &str, due: &str, state: DoseState) -> Entry {
        let due = at(due);
        let answer = (state == DoseState::Taken).then(|| GivenAnswer {
            said_at: Millis(due + SignedDuration::from_mins(5)),
            taken_at: None,
            by: Teller::Patient,
            reason: None,
            late: false,
        });
        Entry::DoseClosed(ClosedDose {
            medication: medication.to_owned(),
            amount: "1片".to_owned(),
            due: Millis(due),
            on_time_until: Millis(due + SignedDuration::from_hours(1)),
            state,
            reason: None,
            reminded: Some(Millis(due)),
            in_doubt: false,
            messages: Vec::new(),
            answer,
            corrects: false,
        })
    }

    #[test]
    fn a_dose_stands_on_its_local_day_and_others_are_left_out() {
        let mut calendar = march();
        // 23:30 and 00:30 of the clinic are one day in UTC.
        calendar.note(&closed("A", "2026-03-02T23:30", DoseState::Taken));
        calendar.note(&closed("A", "2026-03-03T00:30", DoseState::Missed));
        calendar.note(&closed("A", "2026-02-28T23:59", DoseState::Missed));
        calendar.note(&closed("A", "2026-04-01T00:00", DoseState::Missed));
        let rows = calendar.rows(date(2026, 3, 1), 31, &zone(), &[]);
        assert_eq!(rows.len(), 1);
        let states: Vec<Vec<_>> = rows[0]
            .days
            .iter()
            .map(|day| day.iter().map(|(_, mark)| mark.state).collect())
            .collect();
        assert_eq!(states[1], [Some(DoseState::Taken)]);
        assert_eq!(states[2], [Some(DoseState::Missed)]);
        assert_eq!(states.iter().flatten().count(), 2);
        assert!(rows[0].days[1][0].1.on_time);
    }

    #[test]
    fn rows_stand_in_the_order_of_the_plan_and_medicines_that_are_gone_behind() {
        let mut calendar = march();
        for medication in ["A", "B", "C", "D"] {
            calendar.note(&closed(medication, "2026-03-02T08:00", DoseState::Taken));
        }
        let rows = calendar.rows(date(2026, 3, 1), 31, &zone(), &["C", "A", "X"]);
        let order: Vec<_> = rows.iter().map(|row| row.medication).collect();
        assert_eq!(order, ["C", "A", "B", "D"]);
    }

    #[test]
    fn the_last_word_on_a_dose_counts_and_what_is_planned_takes_nothing_back() {
        let mut calendar = march();
        let due = at("2026-03-02T08:00");
        calendar.will_be_due("A", due, "1片");
        let state = |calendar: &DoseCalendar| calendar.doses().next().unwrap().2.state;
        assert_eq!(state(&calendar), None);
        calendar.note(&closed("A", "2026-03-02T08:00", DoseState::Missed));
        calendar.will_be_due("A", due, "2片");
        assert_eq!(state(&calendar), Some(DoseState::Missed));
        calendar.note(&closed("A", "2026-03-02T08:00", DoseState::Taken));
        assert_eq!(state(&calendar), Some(DoseState::Taken));
        calendar.note(&Entry::DoseReopened {
            about: About {
                id: "A".to_owned(),
                due: Millis(due),
            },
            by: Teller::Patient,
        });
        let (_, _, mark) = calendar.doses().next().unwrap();
        assert_eq!(mark.state, Some(DoseState::Open));
        assert_eq!((mark.on_time, mark.answer.is_some()), (false, false));
        assert_eq!(mark.amount, "1片");
        assert_eq!(calendar.doses().count(), 1);
    }

    #[test]
    fn days_before_the_first_and_behind_the_last_are_not_shown() {
        let mut calendar = march();
        calendar.note(&closed("A", "2026-03-05T08:00", DoseState::Taken));
        for (first, days, shown) in [
            (date(2026, 3, 5), 1, 1),
            (date(2026, 3, 6), 5, 0),
            (date(2026, 3, 1), 4, 0),
            (date(2026, 3, 1), 5, 1),
            (date(2026, 3, 1), 0, 0),
        ] {
            let rows = calendar.rows(first, days, &zone(), &[]);
            assert_eq!(rows.len(), shown, "{first}, {days}");
        }
    }
}
