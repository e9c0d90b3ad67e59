//! Pure calendar arithmetic: the instants at which a schedule falls, in a time zone.
//!
//! A [`Schedule`] answers one question: *which is the first instant at or after this one?* The
//! answer costs the same however far the schedule's start is away, so that an iterator over it
//! ([`Schedule::occurrences`]) can begin anywhere and needs no memory of what it gave before.
//! From that follows what the tests state as properties: the order is strict, no instant comes
//! twice, and two adjacent windows give together what the window over both gives.

mod clock;
mod days;
mod zone;

pub use clock::{Clock, Slot};
pub use days::{Day, Days, MonthDays, Weekdays};
pub use zone::{Trip, Zone};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// When something falls, and which of its amounts: the union of its parts, less its pauses.
///
/// Instants are whole seconds. Nothing here knows what an amount is: it is an index into a list
/// that the schedule's owner keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// In the order of the text: of two amounts at one instant the earlier part's comes first.
    pub parts: Vec<Part>,
    /// Spans in which nothing is due; they do not overlap.
    pub pauses: Vec<Pause>,
}

/// One pattern within its bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What repeats.
    pub pattern: Pattern,
    /// Nothing before this second of Unix time.
    pub begin: Option<i64>,
    /// Nothing from this second of Unix time on.
    pub end: Option<i64>,
}

/// What repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// Clock times on days.
    Clock(Clock),
    /// Elapsed time from a first instant: it does not follow the wall clock over DST (P2).
    Elapsed(Elapsed),
    /// Elapsed time from the taking of the one before (P3). Here each is taken at its instant;
    /// who knows when it was taken reads the distance and the first from it.
    AfterLast(Elapsed),
    /// Single instants.
    Once {
        /// Seconds of Unix time, ascending, each once.
        seconds: Vec<i64>,
        /// Index of the amount.
        amount: u16,
    },
}

/// A first instant and the distance to each next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elapsed {
    /// Second of Unix time. `None`: nobody knows yet, and nothing falls until somebody says it
    /// ([`Schedule::anchored`]).
    pub first: Option<i64>,
    /// Seconds, at least 1.
    pub every: i64,
    /// Index of the amount.
    pub amount: u16,
}

/// A span in which nothing is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The first day that is left out.
    pub from_day: Day,
    /// The first day that is not left out any more.
    pub until_day: Day,
    /// Local midnight of `from_day`, a second of Unix time.
    pub from: i64,
    /// Local midnight of `until_day`, a second of Unix time.
    pub until: i64,
}

impl Pause {
    /// From one local midnight to another.
    #[must_use]
    pub fn new(from_day: Day, until_day: Day, zone: &Zone) -> Self {
        Self {
            from_day,
            until_day,
            from: from_day.midnight(zone),
            until: until_day.midnight(zone),
        }
    }

    fn holds_day(&self, day: Day) -> bool {
        self.from_day <= day && day < self.until_day
    }

    fn holds(&self, second: i64) -> bool {
        self.from <= second && second < self.until
    }
}

impl Day {
    /// Local midnight at its beginning, a second of Unix time.
    #[must_use]
    pub fn midnight(self, zone: &Zone) -> i64 {
        zone.second_of(i64::from(self.0) * 86_400)
    }
}

/// One instant of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The instant.
    pub at: Timestamp,
    /// Index of the amount; of several the first in the order of the text.
    pub amount: u16,
    /// More slots with other amounts fall on the instant: [`Schedule::amounts_at`] gives all.
    pub several: bool,
}

/// A second at which a part falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hit {
    second: i64,
    amount: u16,
    several: bool,
}

impl Hit {
    fn new(second: i64, amount: u16) -> Self {
        Self {
            second,
            amount,
            several: false,
        }
    }

    /// The earlier of a hit and another; both, if they are one instant.
    fn first(best: Option<Hit>, second: i64, amount: u16) -> Hit {
        best.map_or(Hit::new(second, amount), |best| {
            best.or(second, amount, second < best.second)
        })
    }

    /// The later of a hit and another; both, if they are one instant.
    fn last(best: Option<Hit>, second: i64, amount: u16) -> Hit {
        best.map_or(Hit::new(second, amount), |best| {
            best.or(second, amount, second > best.second)
        })
    }

    fn or(self, second: i64, amount: u16, better: bool) -> Hit {
        if better {
            Hit::new(second, amount)
        } else {
            let other = second == self.second && amount != self.amount;
            Hit {
                several: self.several || other,
                ..self
            }
        }
    }

    fn merge(self, other: Hit, better: bool) -> Hit {
        if self.second == other.second {
            let several = self.several || other.several || self.amount != other.amount;
            Hit { several, ..self }
        } else if better {
            other
        } else {
            self
        }
    }

    fn occurrence(self) -> Option<Occurrence> {
        let at = Timestamp::from_second(self.second).ok()?;
        Some(Occurrence {
            at,
            amount: self.amount,
            several: self.several,
        })
    }
}

impl Schedule {
    /// A schedule of one part without bounds.
    #[must_use]
    pub fn of(pattern: Pattern) -> Self {
        Self {
            parts: vec![Part {
                pattern,
                begin: None,
                end: None,
            }],
            pauses: Vec::new(),
        }
    }

    /// The first occurrence at or after `from`.
    #[must_use]
    pub fn at_or_after(&self, zone: &Zone, from: Timestamp) -> Option<Occurrence> {
        // Instants are whole seconds; `as_second` cuts towards zero.
        let up = i64::from(from.subsec_nanosecond() > 0);
        let from = from.as_second() + up;
        let mut best: Option<Hit> = None;
        for part in &self.parts {
            if best.is_some_and(|best| part.begin.is_some_and(|begin| begin > best.second)) {
                continue;
            }
            if let Some(hit) = part.next(zone, from, &self.pauses) {
                best = Some(best.map_or(hit, |best| best.merge(hit, hit.second < best.second)));
            }
        }
        best?.occurrence()
    }

    /// The last occurrence before `before`.
    #[must_use]
    pub fn before(&self, zone: &Zone, before: Timestamp) -> Option<Occurrence> {
        let up = i64::from(before.subsec_nanosecond() > 0);
        let before = before.as_second() + up;
        let mut best: Option<Hit> = None;
        for part in &self.parts {
            if let Some(hit) = part.previous(zone, before, &self.pauses) {
                best = Some(best.map_or(hit, |best| best.merge(hit, hit.second > best.second)));
            }
        }
        best?.occurrence()
    }

    /// All occurrences at or after `from`, ascending, each instant once.
    pub fn occurrences<'a>(
        &'a self,
        zone: &'a Zone,
        from: Timestamp,
    ) -> impl Iterator<Item = Occurrence> + 'a {
        let mut from = Some(from);
        std::iter::from_fn(move || {
            let found = self.at_or_after(zone, from?);
            from = found.and_then(|found| Timestamp::from_second(found.at.as_second() + 1).ok());
            found
        })
    }

    /// Calls `visit` with the amount of everything that falls on the instant, in the order of
    /// the text.
    pub fn amounts_at(&self, zone: &Zone, at: Timestamp, mut visit: impl FnMut(u16)) {
        let second = at.as_second();
        for part in &self.parts {
            part.amounts_at(zone, second, &self.pauses, &mut visit);
        }
    }

    /// Lets nothing fall before the second of Unix time.
    pub fn begin_at(&mut self, second: i64) {
        for part in &mut self.parts {
            part.begin = Some(part.begin.map_or(second, |begin| begin.max(second)));
        }
    }

    /// Lets nothing fall at or after the second of Unix time.
    pub fn end_at(&mut self, second: i64) {
        for part in &mut self.parts {
            part.end = Some(part.end.map_or(second, |end| end.min(second)));
        }
    }

    /// Whether every part says itself when it begins. Single instants do not: one that passed
    /// before anybody wrote it down is over.
    #[must_use]
    pub fn has_begin(&self) -> bool {
        self.parts.iter().all(|part| {
            part.begin.is_some()
                || match &part.pattern {
                    Pattern::Clock(clock) => clock.first_day.is_some(),
                    Pattern::Elapsed(elapsed) | Pattern::AfterLast(elapsed) => {
                        elapsed.first.is_some()
                    }
                    Pattern::Once { .. } => false,
                }
        })
    }

    /// Whether a first instant has yet to be said.
    #[must_use]
    pub fn needs_anchor(&self) -> bool {
        self.parts.iter().any(|part| match &part.pattern {
            Pattern::Elapsed(elapsed) | Pattern::AfterLast(elapsed) => elapsed.first.is_none(),
            Pattern::Clock(_) | Pattern::Once { .. } => false,
        })
    }

    /// The same with the first instant said where it was not: not before the part's bounds.
    #[must_use]
    pub fn anchored(&self, first: Timestamp) -> Self {
        let second = first.as_second() + i64::from(first.subsec_nanosecond() > 0);
        let mut anchored = self.clone();
        for part in &mut anchored.parts {
            let first = part.begin.map_or(second, |begin| begin.max(second));
            match &mut part.pattern {
                Pattern::Elapsed(elapsed) | Pattern::AfterLast(elapsed) => {
                    elapsed.first = elapsed.first.or(Some(first));
                }
                Pattern::Clock(_) | Pattern::Once { .. } => {}
            }
        }
        anchored
    }

    /// Whether the schedule counts elapsed time and not the calendar.
    #[must_use]
    pub fn is_interval(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part.pattern, Pattern::Elapsed(_) | Pattern::AfterLast(_)))
    }
}

impl Part {
    fn next(&self, zone: &Zone, from: i64, pauses: &[Pause]) -> Option<Hit> {
        let from = self.begin.map_or(from, |begin| begin.max(from));
        let end = self.end.unwrap_or(i64::MAX);
        if from >= end {
            return None;
        }
        match &self.pattern {
            Pattern::Clock(clock) => clock.next(zone, from, end, pauses),
            Pattern::Elapsed(elapsed) | Pattern::AfterLast(elapsed) => {
                elapsed.next(from, end, pauses)
            }
            Pattern::Once { seconds, amount } => {
                let index = seconds.partition_point(|second| *second < from);
                seconds[index..]
                    .iter()
                    .take_while(|second| **second < end)
                    .find(|second| !pauses.iter().any(|pause| pause.holds(**second)))
                    .map(|second| Hit::new(*second, *amount))
            }
        }
    }

    fn previous(&self, zone: &Zone, before: i64, pauses: &[Pause]) -> Option<Hit> {
        let before = self.end.map_or(before, |end| end.min(before));
        let begin = self.begin.unwrap_or(i64::MIN);
        if before <= begin {
            return None;
        }
        match &self.pattern {
            Pattern::Clock(clock) => clock.previous(zone, before, begin, pauses),
            Pattern::Elapsed(elapsed) | Pattern::AfterLast(elapsed) => {
                elapsed.previous(before, begin, pauses)
            }
            Pattern::Once { seconds, amount } => {
                let index = seconds.partition_point(|second| *second < before);
                seconds[..index]
                    .iter()
                    .rev()
                    .take_while(|second| **second >= begin)
                    .find(|second| !pauses.iter().any(|pause| pause.holds(**second)))
                    .map(|second| Hit::new(*second, *amount))
            }
        }
    }

    fn amounts_at(&self, zone: &Zone, second: i64, pauses: &[Pause], visit: &mut dyn FnMut(u16)) {
        let bounds = self.begin.unwrap_or(i64::MIN)..self.end.unwrap_or(i64::MAX);
        if !bounds.contains(&second) {
            return;
        }
        match &self.pattern {
            Pattern::Clock(clock) => clock.amounts_at(zone, second, pauses, visit),
            Pattern::Elapsed(_) | Pattern::AfterLast(_) | Pattern::Once { .. } => {
                if let Some(hit) = self
                    .next(zone, second, pauses)
                    .filter(|hit| hit.second == second)
                {
                    visit(hit.amount);
                }
            }
        }
    }
}

impl Elapsed {
    fn next(&self, from: i64, end: i64, pauses: &[Pause]) -> Option<Hit> {
        let first = self.first?;
        let every = self.every.max(1);
        let mut second = from;
        loop {
            if second <= first {
                second = first;
            } else {
                // Rounded up to a whole number of distances.
                let steps = (second.checked_sub(first)? - 1) / every + 1;
                second = first.checked_add(steps.checked_mul(every)?)?;
            }
            if second >= end {
                return None;
            }
            match pauses.iter().find(|pause| pause.holds(second)) {
                Some(pause) => second = pause.until,
                None => return Some(Hit::new(second, self.amount)),
            }
        }
    }

    fn previous(&self, before: i64, begin: i64, pauses: &[Pause]) -> Option<Hit> {
        let first = self.first?;
        let every = self.every.max(1);
        let mut before = before;
        loop {
            if before <= first {
                return None;
            }
            let second = first + (before - 1 - first) / every * every;
            if second < begin {
                return None;
            }
            match pauses.iter().find(|pause| pause.holds(second)) {
                Some(pause) => before = pause.from,
                None => return Some(Hit::new(second, self.amount)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
