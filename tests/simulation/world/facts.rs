//! What the world knows and the daemon does not say: the oracle judges by it.

use super::api::Sent;
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
}

impl Trouble {
    const COUNT: usize = 6;
    const ALL: [Trouble; Self::COUNT] = [
        Trouble::Down,
        Trouble::Api,
        Trouble::Clock,
        Trouble::Store,
        Trouble::Edit,
        Trouble::Unfollowed,
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
    troubles: Troubles,
    /// What is out of order at present.
    open: Vec<(Trouble, i64, i64)>,
    /// Where the wall clock was set back: what it showed after and before.
    pub set_back: Vec<(i64, i64)>,
    /// What came to the API, by the name in its text.
    pub sent: BTreeMap<String, Vec<Sent>>,
    pub patients: usize,
    /// Patients can answer.
    pub answers: bool,
    /// The names of those who have said something.
    pub speakers: BTreeSet<String>,
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

    /// How far the clock had been ahead of `at` when it was set back to before it.
    pub fn ahead_of(&self, at: i64) -> i64 {
        self.set_back
            .iter()
            .filter(|(after, before)| *after <= at && at < *before)
            .map(|(_, before)| *before)
            .max()
            .unwrap_or(at)
    }
}
