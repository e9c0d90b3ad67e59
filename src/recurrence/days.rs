//! Which days: as days since 1970-01-01, so that cycles are remainders and nothing is walked.

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

/// Eras of 400 years that make every day's number positive.
const ERAS: i64 = 14_705;

/// A calendar day as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub(in crate::recurrence) i32);

impl Day {
    /// Monday 0 … Sunday 6. Day 0, 1970-01-01, was a Thursday.
    fn weekday(self) -> u32 {
        (self.0 + 3).rem_euclid(7) as u32
    }

    /// The Monday of its week.
    fn monday(self) -> Day {
        Day(self.0 - self.weekday() as i32)
    }

    /// (months since year 0, day of the month).
    ///
    /// After Neri and Schneider, "Euclidean affine functions and their application to calendar
    /// algorithms" (2022): years counted from March, so that the leap day is the last of its year,
    /// and divisions that are multiplications.
    fn month(self) -> (i32, i32) {
        // Days since 0000-03-01, moved by eras of 400 years until none is negative.
        let days = (i64::from(self.0) + 719_468 + ERAS * 146_097) as u64;
        let quarters = 4 * days + 3;
        let century = quarters / 146_097;
        let day_of_century = (quarters % 146_097) as u32 / 4;
        let product = 2_939_745 * u64::from(4 * day_of_century + 3);
        let year = 100 * century + (product >> 32);
        let day_of_year = product as u32 / 2_939_745 / 4;
        let months = 2_141 * day_of_year + 197_913;
        let month = 12 * (year as i64 - 400 * ERAS) + i64::from(months >> 16) - 1;
        (month as i32, ((months & 0xffff) / 2_141 + 1) as i32)
    }

    /// How many days a month given in months since year 0 has.
    fn length_of(month: i32) -> i32 {
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        if month == 2 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            28 + i32::from(leap)
        } else {
            // 31 for the odd ones up to July and the even ones from August on.
            30 + ((month ^ (month >> 3)) & 1)
        }
    }

    /// The first day of a month given in months since year 0.
    fn first_of(month: i32) -> Day {
        let from_march = i64::from(month) - 2;
        let (year, month) = (from_march.div_euclid(12), from_march.rem_euclid(12));
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * month + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Day((era * 146_097 + day_of_era - 719_468) as i32)
    }

    /// The day of the month, or its last day where it is shorter.
    fn clamped(month: i32, day: i32) -> Day {
        Day(Day::first_of(month).0 + day.min(Day::length_of(month)) - 1)
    }
}

impl Day {
    /// Days since 1970-01-01.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// As a date; the first or last of the calendar for a day beyond it.
    #[must_use]
    pub fn date(self) -> Date {
        let (month, day) = self.month();
        let year = i16::try_from(month.div_euclid(12)).ok();
        year.and_then(|year| Date::new(year, (month.rem_euclid(12) + 1) as i8, day as i8).ok())
            .unwrap_or(if month < 0 { Date::MIN } else { Date::MAX })
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        let month = i32::from(date.year()) * 12 + i32::from(date.month()) - 1;
        Day(Day::first_of(month).0 + i32::from(date.day()) - 1)
    }
}

/// A set of weekdays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Weekdays(u8);

impl Weekdays {
    /// All seven.
    pub const ALL: Weekdays = Weekdays(0x7f);
    /// Monday to Friday.
    pub const WORKING: Weekdays = Weekdays(0x1f);
    /// Saturday and Sunday.
    pub const WEEKEND: Weekdays = Weekdays(0x60);
    /// None: a set to be filled.
    pub const NONE: Weekdays = Weekdays(0);

    /// The set with one more day.
    #[must_use]
    pub fn with(self, day: Weekday) -> Self {
        Self(self.0 | 1 << day.to_monday_zero_offset())
    }

    /// The days of both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The days that are in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the day is in the set.
    #[must_use]
    pub fn contains(self, day: Weekday) -> bool {
        self.0 >> day.to_monday_zero_offset() & 1 == 1
    }

    /// Whether no day is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many days after a weekday (Monday 0) the first of the set comes, itself included;
    /// `None` for an empty set.
    fn distance_from(self, weekday: u32) -> Option<u32> {
        let fortnight = u32::from(self.0) | u32::from(self.0) << 7;
        let ahead = fortnight >> weekday;
        (ahead != 0).then(|| ahead.trailing_zeros())
    }

    /// From Monday to Sunday.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        (0..7)
            .filter_map(|offset| Weekday::from_monday_zero_offset(offset).ok())
            .filter(move |day| self.contains(*day))
    }

    fn has(self, day: Day) -> bool {
        self.0 >> day.weekday() & 1 == 1
    }
}

/// Which days of the calendar. Days, weeks and months are counted from their anchor (P4), never
/// from the window looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Days {
    /// On these days of each week.
    Weekdays(Weekdays),
    /// The first `run` days of each `period` days from the anchor, where the weekday fits.
    Cycle {
        /// The first day of a cycle.
        anchor: Day,
        /// Length of a cycle in days, at least 1.
        period: u32,
        /// How many days of each cycle, at least 1.
        run: u32,
        /// Days of other weekdays are left out.
        weekdays: Weekdays,
    },
    /// On these days of every `period`-th week, weeks beginning on Monday.
    Weeks {
        /// A day in the first week.
        anchor: Day,
        /// At least 1.
        period: u32,
        /// At least one.
        weekdays: Weekdays,
    },
    /// The anchor's day of every `period`-th month, or the last of a shorter month.
    Months {
        /// The first day.
        anchor: Day,
        /// At least 1.
        period: u32,
    },
    /// These days of each month; 29 to 31 are the last day of a shorter month.
    MonthDays(MonthDays),
}

/// A set of days of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MonthDays(u32);

impl MonthDays {
    /// None: a set to be filled.
    pub const NONE: MonthDays = MonthDays(0);
    /// The last day of each month.
    pub const LAST: MonthDays = MonthDays(1 << 31);

    /// The days, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (1..=31).filter(move |day| self.contains(*day))
    }

    /// The set with one more day, 1 to 31; others change nothing.
    #[must_use]
    pub fn with(self, day: u8) -> Self {
        if (1..=31).contains(&day) {
            Self(self.0 | 1 << day)
        } else {
            self
        }
    }

    /// Whether the day is in the set.
    #[must_use]
    pub fn contains(self, day: u8) -> bool {
        day <= 31 && self.0 >> day & 1 == 1
    }

    /// The days as a bit set of a month of that length.
    fn in_month(self, length: i32) -> u32 {
        let within = self.0 & ((2_u64 << length) - 1) as u32;
        if within == self.0 {
            within
        } else {
            within | 1 << length
        }
    }
}

impl Days {
    /// Every day.
    pub const EVERY: Days = Days::Weekdays(Weekdays::ALL);

    /// The first matching day at or after `day`.
    pub(super) fn at_or_after(&self, day: Day) -> Option<Day> {
        match *self {
            Days::Weekdays(weekdays) => weekdays
                .distance_from(day.weekday())
                .and_then(|distance| day.0.checked_add(distance as i32))
                .map(Day),
            Days::Cycle {
                anchor,
                period,
                run,
                weekdays,
            } => {
                let (period, run) = (i64::from(period.max(1)), i64::from(run.max(1)));
                let mut day = i64::from(day.0);
                let mut position = (day - i64::from(anchor.0)).rem_euclid(period);
                // The weekday of a cycle's n-th day repeats after seven cycles.
                for _ in 0..=7 {
                    if position >= run {
                        day += period - position;
                        position = 0;
                    }
                    let left = run - position;
                    let weekday = (day + 3).rem_euclid(7) as u32;
                    let distance = i64::from(weekdays.distance_from(weekday)?);
                    if distance < left {
                        return i32::try_from(day + distance).ok().map(Day);
                    }
                    day += left;
                    position = run;
                }
                None
            }
            Days::Weeks {
                anchor,
                period,
                weekdays,
            } => {
                let period = i64::from(period.max(1)) * 7;
                let week = i64::from(anchor.monday().0);
                let position = (i64::from(day.0) - week).rem_euclid(period);
                let monday = i64::from(day.0) - position;
                let this_week = u32::from(weekdays.0) >> position.min(7) << position.min(7);
                let n = if this_week == 0 {
                    period + i64::from(weekdays.distance_from(0)?)
                } else {
                    i64::from(this_week.trailing_zeros())
                };
                i32::try_from(monday + n).ok().map(Day)
            }
            Days::Months { anchor, period } => {
                let period = period.max(1) as i32;
                let (first, day_of_month) = anchor.month();
                let (month, _) = day.month();
                let month = first + (month - first).div_euclid(period) * period;
                [month, month.checked_add(period)?]
                    .into_iter()
                    .map(|month| Day::clamped(month, day_of_month))
                    .find(|found| *found >= day)
            }
            Days::MonthDays(days) => {
                let (month, day_of_month) = day.month();
                let length = Day::length_of(month);
                let rest = u64::from(days.in_month(length)) >> day_of_month << day_of_month;
                if rest != 0 {
                    let ahead = rest.trailing_zeros() as i32 - day_of_month;
                    return day.0.checked_add(ahead).map(Day);
                }
                let next = days.in_month(Day::length_of(month + 1)) & !1;
                let ahead = length - day_of_month + next.trailing_zeros() as i32;
                (next != 0).then(|| day.0.checked_add(ahead).map(Day))?
            }
        }
    }

    /// The last matching day at or before `day`.
    pub(super) fn at_or_before(&self, day: Day) -> Option<Day> {
        match *self {
            Days::Weekdays(weekdays) => (0..7)
                .map(|n| Day(day.0 - n))
                .find(|day| weekdays.has(*day)),
            Days::Cycle {
                anchor,
                period,
                run,
                weekdays,
            } => {
                let (period, run) = (i64::from(period.max(1)), i64::from(run.max(1)));
                let mut day = i64::from(day.0);
                for _ in 0..=7 {
                    let position = (day - i64::from(anchor.0)).rem_euclid(period);
                    day -= (position - (run.min(period) - 1)).max(0);
                    let first = day - (day - i64::from(anchor.0)).rem_euclid(period);
                    let found = (first.max(day - 6)..=day)
                        .rev()
                        .find(|day| i32::try_from(*day).is_ok_and(|day| weekdays.has(Day(day))));
                    if let Some(found) = found {
                        return i32::try_from(found).ok().map(Day);
                    }
                    day = first - 1;
                }
                None
            }
            Days::Weeks {
                anchor,
                period,
                weekdays,
            } => {
                let period = i64::from(period.max(1)) * 7;
                let week = i64::from(anchor.monday().0);
                let position = (i64::from(day.0) - week).rem_euclid(period);
                let monday = i64::from(day.0) - position;
                [0..=position.min(6), -period..=6 - period]
                    .into_iter()
                    .flat_map(Iterator::rev)
                    .filter_map(|n| i32::try_from(monday + n).ok())
                    .map(Day)
                    .find(|day| weekdays.has(*day))
            }
            Days::Months { anchor, period } => {
                let period = period.max(1) as i32;
                let (first, day_of_month) = anchor.month();
                let (month, _) = day.month();
                let month = first + (month - first).div_euclid(period) * period;
                [month, month.checked_sub(period)?]
                    .into_iter()
                    .map(|month| Day::clamped(month, day_of_month))
                    .find(|found| *found <= day)
            }
            Days::MonthDays(days) => {
                let (month, day_of_month) = day.month();
                [(month, day_of_month), (month - 1, 31)]
                    .into_iter()
                    .find_map(|(month, until)| {
                        let first = Day::first_of(month);
                        let set = days.in_month(Day::length_of(month));
                        let rest = set & ((2_u64 << until) - 1) as u32;
                        (rest != 0).then(|| Day(first.0 + rest.ilog2() as i32 - 1))
                    })
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    pub(in crate::recurrence) fn to_date(day: Day) -> Date {
        date(1970, 1, 1)
            .checked_add(jiff::Span::new().days(day.0))
            .unwrap()
    }

    /// The rules said once more, slowly, on jiff's dates.
    pub(in crate::recurrence) fn matches(days: &Days, day: Date) -> bool {
        let since = |anchor: Day| {
            to_date(anchor)
                .until((jiff::Unit::Day, day))
                .unwrap()
                .get_days()
        };
        match days {
            Days::Weekdays(set) => set.contains(day.weekday()),
            Days::Cycle {
                anchor,
                period,
                run,
                weekdays,
            } => {
                since(*anchor).rem_euclid(*period as i32) < *run as i32
                    && weekdays.contains(day.weekday())
            }
            Days::Weeks {
                anchor,
                period,
                weekdays,
            } => {
                let first = to_date(*anchor);
                let monday = since(*anchor) + i32::from(first.weekday().to_monday_zero_offset());
                monday.div_euclid(7).rem_euclid(*period as i32) == 0
                    && weekdays.contains(day.weekday())
            }
            Days::Months { anchor, period } => {
                let first = to_date(*anchor);
                let months = (i32::from(day.year()) - i32::from(first.year())) * 12
                    + i32::from(day.month())
                    - i32::from(first.month());
                months.rem_euclid(*period as i32) == 0
                    && day.day() == first.day().min(day.days_in_month())
            }
            Days::MonthDays(set) => {
                set.contains(day.day() as u8)
                    || (day.day() == day.days_in_month()
                        && (day.day() as u8..=31).any(|later| set.contains(later)))
            }
        }
    }

    pub(in crate::recurrence) fn any_days() -> impl Strategy<Value = Days> {
        let anchor = || (-20_000..40_000_i32).prop_map(Day);
        let weekdays = || (1..0x80_u8).prop_map(Weekdays);
        prop_oneof![
            weekdays().prop_map(Days::Weekdays),
            (anchor(), 1..60_u32, 1..60_u32, weekdays()).prop_map(
                |(anchor, period, run, weekdays)| Days::Cycle {
                    anchor,
                    period,
                    run: run.min(period),
                    weekdays
                }
            ),
            (anchor(), 1..9_u32, weekdays()).prop_map(|(anchor, period, weekdays)| Days::Weeks {
                anchor,
                period,
                weekdays
            }),
            (anchor(), 1..15_u32).prop_map(|(anchor, period)| Days::Months { anchor, period }),
            (1..u32::MAX >> 1).prop_map(|bits| Days::MonthDays(MonthDays(bits << 1))),
            (1..32_u8).prop_map(|day| Days::MonthDays(MonthDays::NONE.with(day))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn days_are_found_as_by_walking(days in any_days(), from in -20_000..40_000_i32) {
            let limit = 7 * 60 + 500;
            let after = (0..limit).map(|n| Day(from + n)).find(|day| matches(&days, to_date(*day)));
            prop_assert_eq!(days.at_or_after(Day(from)), after);
            let before = (0..limit).map(|n| Day(from - n)).find(|day| matches(&days, to_date(*day)));
            prop_assert_eq!(days.at_or_before(Day(from)), before);
        }

        #[test]
        fn days_and_dates_correspond(day in -2_000_000..2_900_000_i32) {
            prop_assert_eq!(Day::from(to_date(Day(day))), Day(day));
            let (month, of_month) = Day(day).month();
            prop_assert_eq!(month, i32::from(to_date(Day(day)).year()) * 12 + i32::from(to_date(Day(day)).month()) - 1);
            prop_assert_eq!(of_month, i32::from(to_date(Day(day)).day()));
            prop_assert_eq!(Day(day).date(), to_date(Day(day)));
        }
    }

    #[test]
    fn a_weekday_that_no_cycle_meets_ends_the_search() {
        let monday = Day::from(date(2026, 3, 2));
        let days = Days::Cycle {
            anchor: monday,
            period: 14,
            run: 1,
            weekdays: Weekdays::NONE.with(Weekday::Tuesday),
        };
        assert_eq!(days.at_or_after(monday), None);
        assert_eq!(days.at_or_before(monday), None);
    }
}
