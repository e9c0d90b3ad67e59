//! One dosage that is to be reminded of: a pattern within its bounds.

use super::instant::Moment;
use crate::plan::Zone;
use crate::recurrence::{self, Clock, Days, Elapsed, Part, Schedule, Slot, Weekdays};
use jiff::{Timestamp, civil};

/// More administrations are no course but a mistake; it also bounds the search for the last.
pub(super) const COUNT_MAX: u32 = 100_000;

/// What repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Clock times on days that are counted from the start.
    Clock {
        /// On which days.
        on: OnDays,
        /// Minutes after midnight of the day they belong to, ascending; a meal's offset may pass
        /// midnight (R11).
        minutes: Vec<i32>,
    },
    /// Elapsed time from a first instant (R9).
    Elapsed {
        /// Second of Unix time.
        first: i64,
        /// Seconds.
        every: i64,
        /// Those that fall on other local days are left out.
        weekdays: Weekdays,
    },
    /// Single instants, seconds of Unix time, ascending.
    Once(Vec<i64>),
}

/// Days, counted from the start date (R7, R8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDays {
    /// On these days of each week.
    Weekdays(Weekdays),
    /// Every n-th day, where the weekday fits.
    EveryDays(u32, Weekdays),
    /// On these days of every n-th week, weeks beginning on Monday.
    Weeks(u32, Weekdays),
    /// The day of the start of every n-th month, or its last one.
    Months(u32),
}

/// Where a course ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this day.
    Day(civil::Date),
    /// Before this second of Unix time.
    Before(i64),
}

/// A dosage with its pattern and bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Its place in `dosageInstruction`.
    pub index: usize,
    /// The text of the dose; empty where none is given (R17).
    pub dose: String,
    /// What repeats.
    pub pattern: Pattern,
    /// From when on; `None`: single instants without a bound.
    pub start: Option<Moment>,
    /// Until when.
    pub end: Option<End>,
    /// The length, where it was given in days, weeks or months: "10 days".
    pub span: Option<String>,
    /// How many administrations from the start.
    pub count: Option<u32>,
    /// The words that go with it.
    pub note: Option<String>,
    /// All of it as a schedule of one part; the days of [`Pattern::Elapsed`] are not in it.
    pub schedule: Schedule,
}

/// A dosage that is taken when needed: no reminder, its timing is a ceiling (R3).
#[derive(Clone, Debug, PartialEq)]
pub struct WhenNeeded {
    /// Its place in `dosageInstruction`.
    pub index: usize,
    /// The text of the dose.
    pub dose: String,
    /// For what.
    pub reason: Option<String>,
    /// No more than so many doses in so many hours.
    pub at_most: Option<(u32, u32)>,
    /// The shortest time between two, in minutes.
    pub apart: Option<u32>,
    /// From when on.
    pub start: Option<Moment>,
    /// Until when.
    pub end: Option<End>,
    /// The words that go with it.
    pub note: Option<String>,
    /// The elements that say more than this can hold.
    pub left: Vec<&'static str>,
}

impl Course {
    /// Puts the parts together into the schedule.
    pub(super) fn resolve(&mut self, zone: &Zone) {
        let mut begin = self.start.map(|start| start.instant(zone).as_second());
        let (mut end, mut last_day) = match self.end {
            None => (None, None),
            Some(End::Before(second)) => (Some(second), None),
            Some(End::Day(date)) => (Some(midnight_after(date, zone)), Some(date)),
        };
        let pattern = match &self.pattern {
            Pattern::Clock { on, minutes } => {
                let slots = minutes.iter().map(|&minute| Slot { minute, amount: 0 });
                let first = self.start.map(|start| start.date(zone));
                // A date bounds the days; an instant is needed only where a time passes midnight,
                // and a whole day without one keeps the search short.
                if matches!(self.start, Some(Moment::Date(_))) && minutes.iter().all(|m| *m >= 0) {
                    begin = None;
                }
                if last_day.is_some() && minutes.iter().all(|m| *m < 1440) {
                    end = None;
                }
                recurrence::Pattern::Clock(Clock {
                    days: on.from(first.unwrap_or(civil::Date::ZERO)),
                    slots: slots.collect(),
                    first_day: first.map(Into::into),
                    last_day: last_day.take().map(Into::into),
                })
            }
            Pattern::Elapsed { first, every, .. } => recurrence::Pattern::Elapsed(Elapsed {
                first: Some(*first),
                every: *every,
                amount: 0,
            }),
            Pattern::Once(seconds) => recurrence::Pattern::Once {
                seconds: seconds.clone(),
                amount: 0,
            },
        };
        self.schedule = Schedule {
            parts: vec![Part {
                pattern,
                begin,
                end,
            }],
            pauses: Vec::new(),
        };
        if let Some(count) = self.count {
            let last = self
                .occurrences(zone, Timestamp::MIN)
                .nth(count as usize - 1);
            if let Some(last) = last {
                self.schedule.end_at(last.as_second() + 1);
            }
        }
    }

    /// The instants at or after `from`, ascending.
    pub fn occurrences<'a>(
        &'a self,
        zone: &'a Zone,
        from: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + 'a {
        let only = match &self.pattern {
            Pattern::Elapsed { weekdays, .. } if *weekdays != Weekdays::ALL => Some(*weekdays),
            _ => None,
        };
        let mut from = Some(from);
        std::iter::from_fn(move || {
            loop {
                let found = self.schedule.at_or_after(zone, from?)?.at;
                let date = zone.local(found).date();
                if only.is_none_or(|only| only.contains(date.weekday())) {
                    from = Timestamp::from_second(found.as_second() + 1).ok();
                    return Some(found);
                }
                // The day does not fit: on to the next one.
                from = Timestamp::from_second(midnight_after(date, zone)).ok();
            }
        })
    }

    /// Whether its bounds leave no instant at all.
    #[must_use]
    pub fn is_never_due(&self, zone: &Zone) -> bool {
        self.occurrences(zone, Timestamp::MIN).next().is_none()
    }

    /// The last instant, if there is one.
    #[must_use]
    pub fn last(&self, zone: &Zone) -> Option<Timestamp> {
        let part = self.schedule.parts.first()?;
        let endless = match &part.pattern {
            recurrence::Pattern::Clock(clock) => clock.last_day.is_none() && part.end.is_none(),
            recurrence::Pattern::Once { .. } => false,
            _ => part.end.is_none(),
        };
        if endless {
            return None;
        }
        let found = self.schedule.before(zone, Timestamp::MAX)?.at;
        Some(found)
    }
}

/// Local midnight at the end of a date.
pub(super) fn midnight_after(date: civil::Date, zone: &Zone) -> i64 {
    let next = date.tomorrow().unwrap_or(date);
    zone.instant(next.at(0, 0, 0, 0)).as_second()
}

impl OnDays {
    fn from(self, start: civil::Date) -> Days {
        let anchor = recurrence::Day::from(start);
        match self {
            OnDays::Weekdays(set) => Days::Weekdays(set),
            OnDays::EveryDays(period, weekdays) => Days::Cycle {
                anchor,
                period,
                run: 1,
                weekdays,
            },
            OnDays::Weeks(period, weekdays) => Days::Weeks {
                anchor,
                period,
                weekdays,
            },
            OnDays::Months(period) => Days::Months { anchor, period },
        }
    }
}
