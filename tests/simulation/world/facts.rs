//! What the world knows and the daemon does not say: the oracle judges by it.

use super::api::Sent;
use super::calendar::Windows;
use super::chart::Chart;
use dosed::engine::MessageId;
use std::collections::{BTreeMap, BTreeSet};

/// What was out of order at a time: what a dose may then expire of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    Down,
    Api,
    Clock,
    Store,
    Edit,
    Unfollowed,
    /// The daemon was down, and came up with a clock that it did not believe: for how long it had
    /// been down it does not know.
    DownIntoDoubt,
}

impl Trouble {
    const COUNT: usize = 7;
    const ALL: [Trouble; Self::COUNT] = [
        Trouble::Down,
        Trouble::Api,
        Trouble::Clock,
        Trouble::Store,
        Trouble::Edit,
        Trouble::Unfollowed,
        Trouble::DownIntoDoubt,
    ];
}

/// When what was out of order, by the wall clock: intervals that do not touch, ascending.
#[derive(Default)]
struct Troubles([Vec<(i64, i64)>; Trouble::COUNT]);

impl Troubles {
    fn add(&mut self, kind: Trouble, from: i64, until: i64) {
        let known = &mut self.0[kind as usize];
        let first = known.partition_point(|(_, end)| *end < from);
        let last = first + known[first..].partition_point(|(begin, _)| *begin <= until);
        let begin = known[first..last].first().map_or(from, |it| it.0.min(from));
        let end = known[first..last]
            .last()
            .map_or(until, |it| it.1.max(until));
        known.splice(first..last, [(begin, end)]);
    }

    fn had(&self, kind: Trouble, from: i64, until: i64) -> bool {
        let known = &self.0[kind as usize];
        let first = known.partition_point(|(_, end)| *end < from);
        known.get(first).is_some_and(|(begin, _)| *begin <= until)
    }
}

/// What the world knows and the daemon does not say.
#[derive(Default)]
pub struct Facts {
    /// By the first line of a text: the plan that it means. A text that is not here is broken.
    pub charts: BTreeMap<String, Chart>,
    /// When the windows of doses end, as far as it was worked out.
    pub windows: Windows,
    troubles: Troubles,
    /// What is out of order at present.
    open: Vec<(Trouble, i64, i64)>,
    /// Where the wall clock was set back: what it showed after and before.
    pub set_back: Vec<(i64, i64)>,
    /// Where the wall clock was set ahead while nothing ran that could have seen it: what it showed
    /// before and after.
    pub set_ahead_unseen: Vec<(i64, i64)>,
    /// What came to the API, by the name in its text.
    pub sent: BTreeMap<String, Vec<Sent>>,
    pub patients: usize,
    /// Patients can answer.
    pub answers: bool,
    /// The names of those who have said something.
    pub speakers: BTreeSet<String>,
    /// Blood pressures that were said, by the name of who said them, each different.
    pub pressures: BTreeMap<String, BTreeSet<(u32, u32)>>,
    /// Messages that were lost and of which the platform was told that its report was taken.
    pub reported: BTreeSet<MessageId>,
    /// Words that no reminder asks for, each different, and whether the platform was told that
    /// they were taken.
    pub notes: BTreeMap<String, bool>,
}

impl Facts {
    pub fn new(patients: usize, answers: bool) -> Self {
        Self {
            patients,
            answers,
            ..Self::default()
        }
    }

    /// Something was out of order from `from` to `until`, by the wall clock.
    pub fn trouble(&mut self, kind: Trouble, from: i64, until: i64) {
        self.troubles.add(kind, from.min(until), until.max(from));
    }

    /// What is out of order now, and since when; it is not over.
    pub fn set_open(&mut self, open: Vec<(Trouble, i64, i64)>) {
        self.open = open;
    }

    /// A message came to the API.
    pub fn note_sent(&mut self, sent: Sent) {
        if !self.sent.contains_key(&sent.name) {
            self.sent.insert(sent.name.clone(), Vec::new());
        }
        if let Some(of_one) = self.sent.get_mut(&sent.name) {
            of_one.push(sent);
        }
    }

    pub fn is_calm(&self, from: i64, until: i64) -> bool {
        !self.had(&Trouble::ALL, from, until)
    }

    pub fn had(&self, kinds: &[Trouble], from: i64, until: i64) -> bool {
        let open = |(kind, begin, end): &(Trouble, i64, i64)| {
            kinds.contains(kind) && *begin <= until && from <= *end
        };
        kinds
            .iter()
            .any(|kind| self.troubles.had(*kind, from, until))
            || self.open.iter().any(open)
    }

    /// How far the clock had been ahead of `at` when it was set back to before it, in one step or
    /// in several: what it showed before the first of them it had shown as well.
    pub fn ahead_of(&self, at: i64) -> i64 {
        let mut shown = at;
        loop {
            let steps = self.set_back.iter();
            let ahead = steps
                .filter(|(after, before)| *after <= shown && shown < *before)
                .map(|(_, before)| *before)
                .max();
            let Some(ahead) = ahead else {
                return shown;
            };
            shown = ahead;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Facts;

    #[test]
    fn a_clock_that_was_set_back_twice_has_shown_what_it_showed_before_the_first_time() {
        let mut facts = Facts::new(1, false);
        facts.set_back.push((22, 28));
        facts.set_back.push((-400, 24));
        assert_eq!(facts.ahead_of(-400), 28);
        assert_eq!(facts.ahead_of(23), 28);
        assert_eq!(facts.ahead_of(28), 28);
        assert_eq!(facts.ahead_of(-401), -401);
    }
}
