//! What was written, answered and edited within the last days. Days that are over do not change,
//! and are kept as they were read; those that may still change are read again.

use crate::engine::interpret::{Reading, Reply as Said, interpret};
use crate::engine::{Adviser, Entry, Teller};
use crate::http::page::clinic::{Edited, Inbox, Person, Reply, Written};
use crate::plan::Language;
use crate::store::{DayEntry, Reader, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// So far back the inbox and the last edits go.
const SHOWN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Days of the journal, from the last one back, that may still change: its days are those of UTC,
/// and a clock may have been set back a little.
const OPEN_DAYS: usize = 2;

/// What is of interest of one day.
#[derive(Default)]
struct Day {
    entries: Vec<DayEntry>,
    /// Rows that cannot be read.
    unreadable: u64,
}

impl Day {
    fn read(reader: &Reader, number: u32) -> Result<Self, StoreError> {
        let before = reader.unreadable();
        let entries = reader.journal_of_day(number, is_shown)?;
        Ok(Self {
            entries,
            unreadable: reader.unreadable() - before,
        })
    }
}

/// The last days.
#[derive(Default)]
pub struct Days {
    over: Mutex<BTreeMap<u32, Arc<Day>>>,
}

/// An edit of a plan.
pub struct Edit {
    /// When.
    pub at: Timestamp,
    /// Whose plan.
    pub patient: u32,
    /// What it was.
    pub what: Edited,
    /// Number of the version; `None` where the plan ended.
    pub version: Option<u32>,
}

impl Days {
    /// The last days, the oldest first, and how many of their rows cannot be read that `reader`
    /// does not know of: of days that were read before.
    fn read(&self, reader: &Reader, now: Timestamp) -> Result<(Vec<Arc<Day>>, u64), StoreError> {
        let from = now.saturating_sub(SHOWN).unwrap_or(Timestamp::MIN);
        let numbers = reader.journal_days(from)?;
        let open = numbers.len().saturating_sub(OPEN_DAYS);
        let (mut days, mut unreadable) = (Vec::new(), 0);
        for (index, number) in numbers.iter().enumerate() {
            let known = self.over().get(number).cloned();
            let day = match known.filter(|_| index < open) {
                Some(day) => {
                    unreadable += day.unreadable;
                    day
                }
                None => Arc::new(Day::read(reader, *number)?),
            };
            if index < open {
                self.over().insert(*number, Arc::clone(&day));
            }
            days.push(day);
        }
        let first = numbers.first().copied().unwrap_or_default();
        self.over().retain(|number, _| *number >= first);
        Ok((days, unreadable))
    }

    fn over(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Arc<Day>>> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What people wrote, and what the clinic said to them after that.
    pub fn inbox(
        &self,
        reader: &Reader,
        now: Timestamp,
        red_flags: &[String],
    ) -> Result<Inbox, StoreError> {
        let from = now.saturating_sub(SHOWN).unwrap_or(Timestamp::MIN);
        let (days, known) = self.read(reader, now)?;
        let entries = || {
            days.iter()
                .flat_map(|day| &day.entries)
                .filter(|it| it.at >= from)
        };
        let wrote = entries().filter(|it| matches!(it.entry, Entry::Wrote { .. }));
        let people = reader.people(wrote.map(|it| it.patient))?;
        let mut answers: HashMap<u32, Vec<(u32, Reply)>> = HashMap::new();
        for it in entries() {
            if let Some(reply) = reply(it) {
                let of_patient = answers.entry(it.patient).or_default();
                of_patient.push((it.row, reply));
            }
        }
        let mut written = Vec::new();
        for it in entries() {
            let Entry::Wrote { text, red_flag, by } = &it.entry else {
                continue;
            };
            let later = answers.get(&it.patient).into_iter().flatten();
            let later = later.filter(|(row, _)| *row > it.row);
            written.push(Written {
                at: it.at,
                person: people.get(&it.patient).map(person),
                by: match by {
                    Teller::Patient => None,
                    Teller::Caregiver(id) => Some(id.clone()),
                },
                red_flag: *red_flag,
                text: text.clone(),
                answers: later.map(|(_, reply)| reply.clone()).collect(),
            });
        }
        for it in reader.strangers(from, Timestamp::MAX)? {
            written.push(Written {
                at: it.at,
                person: None,
                by: Some(it.contact.to_string()),
                red_flag: is_urgent(&it.text, red_flags),
                text: it.text,
                answers: Vec::new(),
            });
        }
        written.sort_by_key(|it| {
            let waits = it.red_flag && it.answers.is_empty();
            (!waits, std::cmp::Reverse(it.at))
        });
        Ok(Inbox {
            written,
            unreadable: known + reader.unreadable(),
        })
    }

    /// The last edits of plans, the newest first; so many at most. And how many rows cannot be read
    /// that `reader` does not know of.
    pub fn edits(
        &self,
        reader: &Reader,
        now: Timestamp,
        count: usize,
    ) -> Result<(Vec<Edit>, u64), StoreError> {
        let (days, known) = self.read(reader, now)?;
        let entries = days.iter().rev().flat_map(|day| &day.entries);
        let mut edits: Vec<Edit> = entries.filter_map(edit).collect();
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.at));
        edits.truncate(count);
        Ok((edits, known))
    }
}

/// What the inbox and the list of edits are made of.
fn is_shown(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Wrote { .. }
            | Entry::Advised { .. }
            | Entry::PlanApplied { .. }
            | Entry::PlanTextChanged { .. }
            | Entry::PlanEnded
    )
}

fn edit(it: &DayEntry) -> Option<Edit> {
    let (what, version) = match &it.entry {
        Entry::PlanApplied { version: 1 } => (Edited::New, Some(1)),
        Entry::PlanApplied { version } => (Edited::Changed, Some(*version)),
        Entry::PlanTextChanged { version } => (Edited::Reworded, Some(*version)),
        Entry::PlanEnded => (Edited::Ended, None),
        _ => return None,
    };
    Some(Edit {
        at: it.at,
        patient: it.patient,
        what,
        version,
    })
}

fn reply(it: &DayEntry) -> Option<Reply> {
    let Entry::Advised { text, by, message } = &it.entry else {
        return None;
    };
    Some(Reply {
        at: it.at,
        by: match by {
            Adviser::Operator => String::new(),
            Adviser::Staff(name) | Adviser::Account(name) => name.clone(),
        },
        text: text.clone(),
        sent: message.is_some(),
    })
}

/// A patient as the pages name one.
pub fn person(known: &crate::store::Person) -> Person {
    Person {
        patient: known.patient.clone(),
        name: known.name.clone(),
    }
}

/// Whether a stranger's words hold one that cannot wait.
fn is_urgent(text: &str, red_flags: &[String]) -> bool {
    let now = Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let read = interpret(&Said {
        now: &now,
        language: Language::default(),
        text,
        red_flags,
        open: &[],
        recent: &[],
        as_needed: &[],
        asked_which: None,
    });
    read.reading == Reading::RedFlag
}
