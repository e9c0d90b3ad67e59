//! Wall-clock times on days of the calendar.

use super::{Day, Days, Hit, Pause, Zone};
use serde::{Deserialize, Serialize};

const DAY: i64 = 86_400;
const MINUTE: i64 = 60;

/// One time of the day and the amount that is due then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Minutes after local midnight of the day it belongs to. A meal's offset may pass midnight:
    /// then it is negative or 1440 and more (P12).
    pub minute: i32,
    /// Index of the amount.
    pub amount: u16,
}

/// Clock times in the zone in force, on days of the calendar. They keep the wall clock over
/// DST; a local time that does not exist moves later by the gap, one that comes twice is due
/// once, the first time (P1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// On which days.
    pub days: Days,
    /// At which times; ordered, each time once.
    pub slots: Vec<Slot>,
    /// No day before this one.
    pub first_day: Option<Day>,
    /// No day after this one.
    pub last_day: Option<Day>,
}

/// What is found where no change of the offset is near.
enum Undisturbed {
    Hit(Hit),
    /// Nothing any more.
    Over,
    /// A change is near, or slots pass midnight: more must be looked at.
    ChangeNear,
}

impl Clock {
    fn day_at_or_after(&self, day: Day, pauses: &[Pause]) -> Option<Day> {
        let mut day = self.first_day.map_or(day, |first| first.max(day));
        loop {
            day = self.days.at_or_after(day)?;
            if self.last_day.is_some_and(|last| day > last) {
                return None;
            }
            match pauses.iter().find(|pause| pause.holds_day(day)) {
                Some(pause) => day = pause.until_day,
                None => return Some(day),
            }
        }
    }

    fn day_at_or_before(&self, day: Day, pauses: &[Pause]) -> Option<Day> {
        let mut day = self.last_day.map_or(day, |last| last.min(day));
        loop {
            day = self.days.at_or_before(day)?;
            if self.first_day.is_some_and(|first| day < first) {
                return None;
            }
            match pauses.iter().find(|pause| pause.holds_day(day)) {
                Some(pause) => day = Day(pause.from_day.0.checked_sub(1)?),
                None => return Some(day),
            }
        }
    }

    fn local(day: Day, slot: Slot) -> i64 {
        i64::from(day.0) * DAY + i64::from(slot.minute) * MINUTE
    }

    /// The first at or after `from` and before `end`.
    pub(super) fn next(&self, zone: &Zone, from: i64, end: i64, pauses: &[Pause]) -> Option<Hit> {
        match self.next_undisturbed(zone, from, pauses) {
            Undisturbed::Hit(hit) => Some(hit).filter(|hit| hit.second < end),
            Undisturbed::Over => None,
            Undisturbed::ChangeNear => self.next_among_changes(zone, from, end, pauses),
        }
    }

    /// The usual case: no change of the offset is near, so that the order of local times is the
    /// order of instants.
    fn next_undisturbed(&self, zone: &Zone, from: i64, pauses: &[Pause]) -> Undisturbed {
        use Undisturbed::{ChangeNear, Over};
        let (Some(first), Some(last)) = (self.slots.first(), self.slots.last()) else {
            return Over;
        };
        if first.minute < 0 || last.minute >= 1440 {
            return ChangeNear;
        }
        let here = zone.stretch_at(from);
        if from - here.from < zone.leap() {
            return ChangeNear;
        }
        let local = from + here.offset;
        let Ok(today) = i32::try_from(local.div_euclid(DAY)) else {
            return ChangeNear;
        };
        // Counted, not searched for: nobody can foretell where a search would end.
        let time = local.rem_euclid(DAY);
        let passed = |slot: &&Slot| i64::from(slot.minute) * MINUTE < time;
        let passed = self.slots.iter().filter(passed).count();
        let earliest = Day(today.saturating_add(i32::from(passed == self.slots.len())));
        let Some(day) = self.day_at_or_after(earliest, pauses) else {
            return Over;
        };
        let slot = &self.slots[if day.0 == today { passed } else { 0 }];
        let local = Self::local(day, *slot);
        let mut second = local - here.offset;
        if second >= here.until {
            let there = zone.stretch_at(second);
            second = local - there.offset;
            if second - there.from < zone.leap() || second >= there.until {
                return ChangeNear;
            }
        }
        Undisturbed::Hit(Hit::new(second, slot.amount))
    }

    /// Near a change of the offset, and where slots pass midnight: all days that may matter are
    /// looked at.
    fn next_among_changes(
        &self,
        zone: &Zone,
        from: i64,
        end: i64,
        pauses: &[Pause],
    ) -> Option<Hit> {
        let (earliest, latest) = self.span()?;
        let start = (from - zone.reach() - latest).div_euclid(DAY);
        let mut day = self.day_at_or_after(Day(i32::try_from(start).ok()?), pauses);
        let mut best: Option<Hit> = None;
        while let Some(today) = day {
            let lower = i64::from(today.0) * DAY + earliest - zone.reach();
            if lower >= end || best.is_some_and(|best| lower > best.second) {
                break;
            }
            for slot in &self.slots {
                let second = zone.second_of(Self::local(today, *slot));
                if second >= from && second < end {
                    best = Some(Hit::first(best, second, slot.amount));
                }
            }
            day = self.day_at_or_after(Day(today.0.checked_add(1)?), pauses);
        }
        best
    }

    /// The last before `before` and at or after `begin`.
    pub(super) fn previous(
        &self,
        zone: &Zone,
        before: i64,
        begin: i64,
        pauses: &[Pause],
    ) -> Option<Hit> {
        let (earliest, latest) = self.span()?;
        let start = (before + zone.reach() - earliest).div_euclid(DAY) + 1;
        let mut day = self.day_at_or_before(Day(i32::try_from(start).ok()?), pauses);
        let mut best: Option<Hit> = None;
        while let Some(today) = day {
            let upper = i64::from(today.0) * DAY + latest + zone.reach();
            if upper < begin || best.is_some_and(|best| upper < best.second) {
                break;
            }
            for slot in &self.slots {
                let second = zone.second_of(Self::local(today, *slot));
                if second >= begin && second < before {
                    best = Some(Hit::last(best, second, slot.amount));
                }
            }
            day = self.day_at_or_before(Day(today.0.checked_sub(1)?), pauses);
        }
        best
    }

    /// Calls `visit` with the amount of each slot that falls on the instant.
    pub(super) fn amounts_at(
        &self,
        zone: &Zone,
        second: i64,
        pauses: &[Pause],
        visit: &mut dyn FnMut(u16),
    ) {
        let Some((earliest, latest)) = self.span() else {
            return;
        };
        let start = (second - zone.reach() - latest).div_euclid(DAY);
        let Ok(start) = i32::try_from(start) else {
            return;
        };
        let mut day = self.day_at_or_after(Day(start), pauses);
        while let Some(today) = day {
            if i64::from(today.0) * DAY + earliest - zone.reach() > second {
                break;
            }
            for slot in &self.slots {
                if zone.second_of(Self::local(today, *slot)) == second {
                    visit(slot.amount);
                }
            }
            day = today
                .0
                .checked_add(1)
                .and_then(|next| self.day_at_or_after(Day(next), pauses));
        }
    }

    /// The earliest and the latest slot, in seconds after midnight.
    fn span(&self) -> Option<(i64, i64)> {
        let earliest = self.slots.first()?.minute;
        let latest = self.slots.last()?.minute;
        Some((i64::from(earliest) * MINUTE, i64::from(latest) * MINUTE))
    }
}
