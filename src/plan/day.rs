//! The words of the day and the times that they mean.

use jiff::civil::{Time, time};
use std::collections::BTreeMap;

/// A word for a time of the day: a key of the `[day]` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DayWord {
    /// Getting up.
    Waking,
    /// The first meal.
    Breakfast,
    /// The morning.
    Morning,
    /// Noon.
    Noon,
    /// The second meal.
    Lunch,
    /// The afternoon.
    Afternoon,
    /// The evening.
    Evening,
    /// The third meal.
    Dinner,
    /// Going to bed.
    Bedtime,
    /// At night. Early in the morning it belongs to that calendar day.
    Night,
}

impl DayWord {
    /// All words, in the order of the day.
    pub const ALL: [DayWord; 10] = [
        DayWord::Waking,
        DayWord::Breakfast,
        DayWord::Morning,
        DayWord::Noon,
        DayWord::Lunch,
        DayWord::Afternoon,
        DayWord::Evening,
        DayWord::Dinner,
        DayWord::Bedtime,
        DayWord::Night,
    ];

    /// The meals, in the order of the day.
    pub const MEALS: [DayWord; 3] = [DayWord::Breakfast, DayWord::Lunch, DayWord::Dinner];

    /// The key in the `[day]` table, which is also the English word.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            DayWord::Waking => "waking",
            DayWord::Breakfast => "breakfast",
            DayWord::Morning => "morning",
            DayWord::Noon => "noon",
            DayWord::Lunch => "lunch",
            DayWord::Afternoon => "afternoon",
            DayWord::Evening => "evening",
            DayWord::Dinner => "dinner",
            DayWord::Bedtime => "bedtime",
            DayWord::Night => "night",
        }
    }
}

/// What the words of the day mean: the resolved `[day]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    words: [Time; 10],
    /// Minutes before a meal where no minutes are said.
    pub before_meal: i32,
    /// Minutes after a meal where no minutes are said.
    pub after_meal: i32,
    times: BTreeMap<u32, Vec<Time>>,
}

impl Default for Day {
    fn default() -> Self {
        let at = |hour, minute| time(hour, minute, 0, 0);
        Self {
            words: [
                at(7, 0),
                at(7, 30),
                at(8, 0),
                at(12, 0),
                at(12, 30),
                at(15, 0),
                at(18, 0),
                at(18, 30),
                at(22, 0),
                at(22, 0),
            ],
            before_meal: 30,
            after_meal: 30,
            times: BTreeMap::from([
                (1, vec![at(8, 0)]),
                (2, vec![at(8, 0), at(20, 0)]),
                (3, vec![at(8, 0), at(14, 0), at(20, 0)]),
                (4, vec![at(8, 0), at(12, 0), at(16, 0), at(20, 0)]),
            ]),
        }
    }
}

impl Day {
    /// The time that a word means.
    #[must_use]
    pub fn time(&self, word: DayWord) -> Time {
        self.words[word as usize]
    }

    /// Lets a word mean another time.
    pub fn set_time(&mut self, word: DayWord, time: Time) {
        self.words[word as usize] = time;
    }

    /// What "N times a day" means, ascending; `None` where nobody has said it.
    #[must_use]
    pub fn times(&self, n: u32) -> Option<&[Time]> {
        self.times.get(&n).map(Vec::as_slice)
    }

    /// Says what "N times a day" means.
    pub fn set_times(&mut self, n: u32, mut times: Vec<Time>) {
        times.sort_unstable();
        self.times.insert(n, times);
    }

    /// For how many times a day there is a meaning, ascending.
    pub fn known_times(&self) -> impl Iterator<Item = u32> {
        self.times.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_own_place() {
        let mut day = Day::default();
        for (index, word) in DayWord::ALL.into_iter().enumerate() {
            assert_eq!(word as usize, index);
            day.set_time(word, time(0, index as i8, 0, 0));
        }
        for (index, word) in DayWord::ALL.into_iter().enumerate() {
            assert_eq!(day.time(word), time(0, index as i8, 0, 0));
        }
    }
}
