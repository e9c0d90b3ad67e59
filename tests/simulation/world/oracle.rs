//! What must be true, worked out from the texts of the plans, the clock and what the API saw,
//! without any code of the engine. It reads the journal as a witness, not as a judge.

use super::api::Sent;
use super::calendar;
use super::chart::{Chart, Medication, When};
use super::facts::{Facts, Trouble};
use dosed::engine::interpret::Value;
use dosed::engine::{ClosedDose, DoseState, Entry, ExpiredReason, MessageId};
use dosed::messaging::Outcome;
use dosed::store::{JournalRow, PlanText};
use jiff::civil::Date;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A dose: medication and instant.
type Dose = (String, i64);

/// What is expected of one patient's doses.
#[derive(Default)]
struct Book {
    /// Those that fell, with the end of their window.
    must: BTreeMap<Dose, i64>,
    /// Those of which the design does not say whether they fall.
    may: BTreeMap<Dose, i64>,
    closed: BTreeMap<Dose, Vec<Closing>>,
    /// How much of each medication the plans said, and from when on.
    amounts: BTreeMap<String, Vec<(i64, &'static str)>>,
    /// Doses of plans with an address.
    enrolled: BTreeSet<Dose>,
    /// From when until when, by the journal, a dose is answered: nothing about it leaves.
    quiet: BTreeMap<Dose, Vec<(i64, i64)>>,
    /// Reminders that the patient asked for besides those of the plan.
    asked_for: BTreeMap<Dose, usize>,
    /// What was written down of what was said.
    notes: BTreeMap<String, usize>,
    /// The blood pressures that were written down, and how often.
    pressures: BTreeMap<(u32, u32), usize>,
    /// Doses that one answer closed, of other instants and, as far as the journal says, of no
    /// message of both: it does not name what has not been settled yet.
    one_answer: Vec<(Dose, Dose)>,
}

#[derive(Clone, Copy, Debug)]
struct Closing {
    state: DoseState,
    reason: Option<ExpiredReason>,
    in_doubt: bool,
    answered: bool,
    /// It had been closed, and an answer opened it again.
    reopened: bool,
    /// When it was closed, by the wall clock of then.
    at: i64,
}

/// What is due so soon after an edit may have been on its way before it.
const CLAIMED_AHEAD: i64 = 100;

/// What is due so soon after a clock that is set back is decided by it.
const LOOK_AHEAD: i64 = 3_000;

/// A plan in force.
#[derive(Clone)]
struct Reign<'f> {
    chart: &'f Chart,
    from: i64,
    /// Up to here what falls may have been decided before the edit, under a clock set back.
    clear_from: i64,
    /// By medication: earliest slots of a date that count as served (P15).
    served: BTreeMap<String, Served>,
}

#[derive(Clone, Debug)]
struct Served {
    date: Date,
    count: usize,
    /// Slots count from here on.
    since: i64,
    /// The design does not say which.
    unsure: bool,
}

/// Looks at a store between two transactions. `final_look` at the end of a run, when all is in
/// order again; `now` is the wall clock.
pub fn examine(
    database: &Database,
    facts: &Facts,
    now: i64,
    final_look: bool,
) -> Result<Numbers, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the store cannot be read: {error}");
    let snapshot = database.begin_read().map_err(|error| failed(&error))?;
    let mut numbers = Numbers::default();

    let slugs: TableDefinition<u32, &str> = TableDefinition::new("patient_slugs");
    let slugs = snapshot.open_table(slugs).map_err(|error| failed(&error))?;
    let mut names = BTreeMap::new();
    for row in slugs.iter().map_err(|error| failed(&error))? {
        let (number, slug) = row.map_err(|error| failed(&error))?;
        names.insert(number.value(), slug.value().to_owned());
    }

    let wakes: TableDefinition<(i64, u32), ()> = TableDefinition::new("wakes");
    let wakes = snapshot.open_table(wakes).map_err(|error| failed(&error))?;
    let mut woken = BTreeSet::new();
    for row in wakes.iter().map_err(|error| failed(&error))? {
        let (key, ()) = row
            .map(|(key, value)| (key, value.value()))
            .map_err(|error| failed(&error))?;
        if !woken.insert(key.value().1) {
            return Err("G9: a patient has two wakes".to_owned());
        }
    }

    let outbox: TableDefinition<(u8, i64, u32, &[u8; 16]), &[u8]> = TableDefinition::new("outbox");
    let outbox = snapshot
        .open_table(outbox)
        .map_err(|error| failed(&error))?;
    let later: TableDefinition<(i64, &[u8; 16]), &[u8]> = TableDefinition::new("outbox_later");
    let later = snapshot.open_table(later).map_err(|error| failed(&error))?;
    let attempts: TableDefinition<u64, &[u8]> = TableDefinition::new("attempts");
    let attempts = snapshot
        .open_table(attempts)
        .map_err(|error| failed(&error))?;
    let rows = |table: redb::Result<u64>| table.map_err(|error| failed(&error));
    let (outbox, later, attempts) = (
        rows(outbox.len())?,
        rows(later.len())?,
        rows(attempts.len())?,
    );
    // A patient has at most a message for each dose that is open.
    let most = facts.patients as u64 * 64;
    if outbox > most || later > outbox || attempts > outbox + 16 {
        return Err(format!(
            "G9: {outbox} messages in the outbox, {later} put off, {attempts} groups of claims"
        ));
    }
    numbers.outbox = outbox;

    let history: TableDefinition<(u32, u32), &[u8]> = TableDefinition::new("plan_history");
    let history = snapshot
        .open_table(history)
        .map_err(|error| failed(&error))?;
    let mut texts = BTreeMap::new();
    for row in history.iter().map_err(|error| failed(&error))? {
        let (key, record) = row.map_err(|error| failed(&error))?;
        let text: PlanText = record_of(record.value())?;
        texts.insert(key.value(), text.text);
    }

    let journal: TableDefinition<(u32, u32, u32), &[u8]> = TableDefinition::new("journal");
    let journal = snapshot
        .open_table(journal)
        .map_err(|error| failed(&error))?;
    let mut rows: BTreeMap<(u32, u32), JournalRow> = BTreeMap::new();
    for row in journal.iter().map_err(|error| failed(&error))? {
        let (key, record) = row.map_err(|error| failed(&error))?;
        let (_, patient, seq) = key.value();
        if rows
            .insert((patient, seq), record_of(record.value())?)
            .is_some()
        {
            return Err("the journal has two rows of one number".to_owned());
        }
    }
    numbers.journal = rows.len();

    let mut written = BTreeSet::new();
    for (number, slug) in &names {
        let mut ledger = Ledger::new(facts);
        for ((_, _), row) in rows.range((*number, 0)..=(*number, u32::MAX)) {
            ledger.row(row, *number, &texts)?;
        }
        let book = ledger.finish(now);
        let index = slug.trim_start_matches('p');
        let name = format!("Patient {index}");
        book.check_answers(facts, &name)
            .map_err(|wrong| format!("{slug}: {wrong}"))?;
        for note in book.notes.keys() {
            written.insert(note.clone());
        }
        let sent = facts.sent.get(&name).map(Vec::as_slice).unwrap_or_default();
        book.check(facts, sent, now, final_look).map_err(|wrong| {
            // The first line says what is wrong, the others what the journal has.
            let mut said = format!("{slug}: {wrong}");
            for ((_, seq), row) in rows.range((*number, 0)..=(*number, u32::MAX)) {
                let _ = write!(said, "\n{seq} at {}: {:?}", row.at, row.entries);
            }
            said
        })?;
        numbers.doses += book.must.len();
        for closings in book.closed.values() {
            for closing in closings {
                *numbers.states.entry(closing.state.name()).or_default() += 1;
            }
        }
    }
    let strangers: TableDefinition<(i64, u32), &[u8]> = TableDefinition::new("strangers");
    if let Ok(strangers) = snapshot.open_table(strangers) {
        for row in strangers.iter().map_err(|error| failed(&error))? {
            let (_, record) = row.map_err(|error| failed(&error))?;
            let (_, text): (u32, String) = record_of(record.value())?;
            written.insert(text);
        }
    }
    let lost = facts
        .notes
        .iter()
        .find(|(note, is_taken)| **is_taken && !written.contains(*note));
    if let Some((note, _)) = lost {
        return Err(format!(
            "what the platform was told is taken is not there: {note}"
        ));
    }
    // Under a clock that was ahead something may have been put off to what is still to come.
    let was_ahead = facts.set_back.iter().any(|(_, before)| *before > now);
    if final_look && outbox > 0 && !was_ahead {
        return Err(format!(
            "{outbox} messages are left in the outbox when all is in order"
        ));
    }
    Ok(numbers)
}

/// What a look counted.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    pub doses: usize,
    pub journal: usize,
    pub outbox: u64,
    pub states: BTreeMap<&'static str, u64>,
}

fn record_of<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let (_, record) = bytes.split_first().ok_or("a record is empty")?;
    postcard::from_bytes(record).map_err(|error| format!("a record cannot be read: {error}"))
}

/// One patient's journal, read from its beginning.
struct Ledger<'f> {
    facts: &'f Facts,
    book: Book,
    reign: Option<Reign<'f>>,
    /// When a medication was applied first, and when it was in force last.
    known: BTreeMap<String, (i64, i64)>,
    /// The chart before the present one.
    last: Option<&'f Chart>,
}

impl<'f> Ledger<'f> {
    fn new(facts: &'f Facts) -> Self {
        Self {
            facts,
            book: Book::default(),
            reign: None,
            known: BTreeMap::new(),
            last: None,
        }
    }

    fn row(
        &mut self,
        row: &JournalRow,
        patient: u32,
        texts: &BTreeMap<(u32, u32), String>,
    ) -> Result<(), String> {
        let mut together = None;
        for entry in &row.entries {
            match entry {
                Entry::PlanApplied { version } | Entry::PlanTextChanged { version } => {
                    let text = texts
                        .get(&(patient, *version))
                        .ok_or("G6: a version of a plan has no text")?;
                    let chart = self
                        .facts
                        .charts
                        .get(text.lines().next().unwrap_or_default())
                        .ok_or("G7: a broken plan came into force")?;
                    if matches!(entry, Entry::PlanApplied { .. }) {
                        self.begin(chart, row.at);
                    } else if let Some(reign) = &mut self.reign {
                        reign.chart = chart;
                    }
                }
                Entry::PlanEnded => self.end(row.at),
                Entry::DoseClosed(dose) => {
                    let key = (dose.medication.clone(), dose.due.0.as_millisecond());
                    let by_answer = matches!(dose.state, DoseState::Taken | DoseState::Skipped);
                    self.book.not_quiet(&key, row.at);
                    if by_answer {
                        let quiet = self.book.quiet.entry(key.clone()).or_default();
                        quiet.push((row.at, i64::MAX));
                        self.book.hear(&mut together, dose);
                    }
                    self.book.closed.entry(key).or_default().push(Closing {
                        state: dose.state,
                        reason: dose.reason,
                        in_doubt: dose.in_doubt,
                        answered: dose.answer.is_some(),
                        reopened: false,
                        at: row.at,
                    });
                }
                Entry::DosesExpired {
                    medication,
                    due,
                    reason,
                    ..
                } => {
                    for due in due {
                        let key = (medication.clone(), due.0.as_millisecond());
                        self.book.closed.entry(key).or_default().push(Closing {
                            state: DoseState::Expired,
                            reason: Some(*reason),
                            in_doubt: false,
                            answered: false,
                            reopened: false,
                            at: row.at,
                        });
                    }
                }
                Entry::DoseReopened { about, .. } => {
                    let key = (about.id.clone(), about.due.0.as_millisecond());
                    self.book.not_quiet(&key, row.at);
                    *self.book.asked_for.entry(key.clone()).or_default() += 1;
                    if let Some(last) = self.book.closed.get_mut(&key).and_then(|it| it.last_mut())
                    {
                        last.reopened = true;
                    }
                }
                Entry::Snoozed { about, .. } => {
                    for about in about {
                        let key = (about.id.clone(), about.due.0.as_millisecond());
                        *self.book.asked_for.entry(key).or_default() += 1;
                    }
                }
                // A question is kept here as a dose is: it falls, has a window, is asked at most
                // once a step, is closed once, and is left alone once it was answered.
                Entry::CheckInClosed {
                    check_in,
                    due,
                    reason,
                    cancelled,
                    ..
                } => {
                    let key = (check_in.clone(), due.0.as_millisecond());
                    let state = match (cancelled, reason) {
                        (true, _) => DoseState::Cancelled,
                        (false, Some(_)) => DoseState::Expired,
                        (false, None) => DoseState::Missed,
                    };
                    self.book.closed.entry(key).or_default().push(Closing {
                        state,
                        reason: *reason,
                        // The entry does not say.
                        in_doubt: true,
                        answered: false,
                        reopened: false,
                        at: row.at,
                    });
                }
                Entry::CheckInAnswered {
                    check_in,
                    due,
                    value,
                    late,
                    ..
                } => {
                    let key = (check_in.clone(), due.0.as_millisecond());
                    let quiet = self.book.quiet.entry(key.clone()).or_default();
                    quiet.push((row.at, i64::MAX));
                    if let Value::BloodPressure { upper, lower } = value {
                        *self.book.pressures.entry((*upper, *lower)).or_default() += 1;
                    } else {
                        return Err(format!("G5: {check_in} was answered by {value}"));
                    }
                    let closings = self.book.closed.entry(key).or_default();
                    // Within the window nothing has closed it before.
                    if !late && !closings.is_empty() {
                        return Err(format!("G1: {check_in} was answered after its end"));
                    }
                    closings.push(Closing {
                        state: DoseState::Taken,
                        reason: None,
                        in_doubt: false,
                        answered: true,
                        reopened: false,
                        at: row.at,
                    });
                }
                Entry::Wrote { text, .. } => {
                    *self.book.notes.entry(text.clone()).or_default() += 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A plan comes into force at `at`.
    fn begin(&mut self, chart: &'f Chart, at: i64) {
        let old = self.reign.clone();
        self.end(at);
        let clear_from = self.facts.ahead_of(at);
        let mut served = BTreeMap::new();
        for check_in in &chart.check_ins {
            // There is no amount.
            let told = self.book.amounts.entry(check_in.id.clone());
            told.or_default().push((at, ""));
        }
        for medication in &chart.medications {
            let before = self.known.get(&medication.id).copied();
            let since = before.map_or(at, |(since, _)| since);
            self.known.insert(medication.id.clone(), (since, at));
            let told = self.book.amounts.entry(medication.id.clone());
            told.or_default().push((at, medication.amount));
            if matches!(medication.schedule.when, When::Every { .. }) || before.is_none() {
                continue;
            }
            let in_old = old.as_ref().and_then(|old| {
                let chart = old.chart;
                let found = chart.medications.iter().find(|it| it.id == medication.id);
                found.map(|found| (old, found))
            });
            let zone = calendar::zone(chart.zone);
            let date = calendar::date(&zone, at);
            let counted = |due: &i64| calendar::date(&zone, *due) == date;
            let mut unsure = clear_from > at || self.facts.ahead_of(at - 26 * HOUR) > at;
            if let Some((old, found)) = in_old {
                if old.chart.zone == chart.zone && found.schedule == medication.schedule {
                    if let Some(kept) = old.served.get(&medication.id) {
                        served.insert(medication.id.clone(), kept.clone());
                    }
                    // Whether another amount on its own makes a difference is not to be seen.
                    continue;
                }
                unsure |= old.chart.zone != chart.zone;
            } else {
                unsure = true;
            }
            let fell = self.book.must.keys().chain(self.book.may.keys());
            let fell: BTreeSet<i64> = fell
                .filter(|(id, due)| *id == medication.id && *due <= at && counted(due))
                .map(|(_, due)| *due)
                .collect();
            unsure |= self
                .book
                .may
                .keys()
                .any(|(id, due)| *id == medication.id && counted(due));
            let count = fell
                .iter()
                .filter(|due| {
                    let closed = self.book.closed.get(&(medication.id.clone(), **due));
                    let last = closed.and_then(|it| it.last());
                    !last.is_some_and(|it| it.state == DoseState::Expired && !it.in_doubt)
                })
                .count();
            let told = Served {
                date,
                count,
                since,
                unsure,
            };
            served.insert(medication.id.clone(), told);
        }
        self.reign = Some(Reign {
            chart,
            from: at,
            clear_from,
            served,
        });
    }

    /// The plan in force ends at `at`, or is looked at then.
    fn end(&mut self, at: i64) {
        let Some(reign) = self.reign.take() else {
            return;
        };
        self.last = Some(reign.chart);
        let zone = calendar::zone(reign.chart.zone);
        for medication in &reign.chart.medications {
            if let Some(known) = self.known.get_mut(&medication.id) {
                known.1 = at;
            }
            // A clock that was set back during the reign has seen what comes after `at` too.
            let until = self.decided_until(reign.from, at);
            let (mut fall, mut unclear) = (Vec::new(), Vec::new());
            for due in calendar::slots(medication, &zone, reign.from, until) {
                if due > at || due <= reign.clear_from {
                    unclear.push(due);
                    continue;
                }
                match reign.served.get(&medication.id) {
                    Some(served) if calendar::date(&zone, due) == served.date => {
                        if served.unsure {
                            unclear.push(due);
                        } else if !is_served(medication, &zone, served, due) {
                            fall.push(due);
                        }
                    }
                    _ => fall.push(due),
                }
            }
            let facts = self.facts;
            let edit = &reign.chart.edit;
            let end = |due| facts.windows.end(edit, medication, &zone, due);
            self.book.expect(&reign, &medication.id, (fall, true), end);
            self.book
                .expect(&reign, &medication.id, (unclear, false), end);
        }
        for check_in in &reign.chart.check_ins {
            let until = self.decided_until(reign.from, at);
            let due = calendar::falls(&check_in.schedule, &zone, reign.from, until);
            let (fall, unclear): (Vec<i64>, Vec<i64>) = due
                .into_iter()
                .partition(|due| *due <= at && *due > reign.clear_from);
            let end = |due| calendar::question_ends(&check_in.schedule, &zone, due);
            self.book.expect(&reign, &check_in.id, (fall, true), end);
            self.book
                .expect(&reign, &check_in.id, (unclear, false), end);
        }
    }

    /// Up to here what falls may have been decided while a plan was in force from `from` to `until`.
    fn decided_until(&self, from: i64, until: i64) -> i64 {
        let seen = self.seen_in(from, until);
        if seen > until {
            seen + LOOK_AHEAD
        } else {
            until + CLAIMED_AHEAD
        }
    }

    /// The latest that the clock showed while a plan was in force from `from` to `until`. A clock
    /// that was set back from before `from` had not shown more in between.
    fn seen_in(&self, from: i64, until: i64) -> i64 {
        let shown = self.facts.ahead_of(until);
        if shown >= from { shown } else { until }
    }

    fn finish(mut self, now: i64) -> Book {
        self.end(now);
        self.book
    }
}

/// True if the slot is one of the earliest of its date that count as served.
fn is_served(
    medication: &Medication,
    zone: &jiff::tz::TimeZone,
    served: &Served,
    due: i64,
) -> bool {
    let midnight = calendar::instant(zone, served.date.at(0, 0, 0, 0));
    let from = (midnight - 1).max(served.since);
    let before = calendar::slots(medication, zone, from, due - 1);
    let before = before
        .iter()
        .filter(|slot| calendar::date(zone, **slot) == served.date)
        .count();
    before < served.count
}

/// An instant that becomes a text only where something is wrong.
struct Shown(i64);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => at.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

/// Whether it is a question, and not a dose.
fn is_question(dose: &Dose) -> bool {
    dose.0.starts_with('c')
}

impl Book {
    /// These fall under a plan, or may.
    fn expect(
        &mut self,
        reign: &Reign<'_>,
        id: &str,
        (list, is_sure): (Vec<i64>, bool),
        end: impl Fn(i64) -> i64,
    ) {
        for due in list {
            let key = (id.to_owned(), due);
            if reign.chart.openid.is_some() {
                self.enrolled.insert(key.clone());
            }
            let book = if is_sure {
                &mut self.must
            } else {
                &mut self.may
            };
            let end = end(due);
            let known = book.entry(key).or_insert(end);
            *known = (*known).max(end);
        }
    }

    /// Something about a dose may leave again.
    fn not_quiet(&mut self, dose: &Dose, at: i64) {
        if let Some(last) = self.quiet.get_mut(dose).and_then(|it| it.last_mut()) {
            last.1 = last.1.min(at);
        }
    }

    /// A dose of this message was open when it left, or had just been closed.
    fn is_for_another(&self, sent: &Sent) -> bool {
        let before = sent.wall - sent.waited - 15_000;
        sent.doses.iter().any(|(id, _, due)| {
            let mut closings = self.closed.get(&(id.clone(), *due)).into_iter().flatten();
            let last = closings.rfind(|it| it.at < before);
            last.is_none_or(|it| it.reopened)
        })
    }

    /// One answer closes doses of one message, or of one instant.
    fn hear(&mut self, together: &mut Option<ClosedDose>, dose: &ClosedDose) {
        let Some(before) = together.replace(dose.clone()) else {
            return;
        };
        let shares = before.messages.iter().any(|id| dose.messages.contains(id));
        if !shares && before.due != dose.due {
            let key = |it: &ClosedDose| (it.medication.clone(), it.due.0.as_millisecond());
            self.one_answer.push((key(&before), key(dose)));
        }
    }

    /// What was said was written down once, and what the platform was told of is there.
    fn check_answers(&self, facts: &Facts, name: &str) -> Result<(), String> {
        let sent = facts.sent.get(name).map(Vec::as_slice).unwrap_or_default();
        for (one, other) in &self.one_answer {
            let names = |sent: &Sent, dose: &Dose| {
                let mut doses = sent.doses.iter();
                doses.any(|(id, _, due)| (id, due) == (&dose.0, &dose.1))
            };
            let of_one_message = |it: &&Sent| names(it, one) && names(it, other);
            if !sent.iter().any(|it| of_one_message(&it)) {
                return Err(format!(
                    "G5: one answer closed {} of {} and {} of {}, of no message of both",
                    one.0,
                    Shown(one.1),
                    other.0,
                    Shown(other.1)
                ));
            }
        }
        for (note, count) in &self.notes {
            if *count > 1 && facts.notes.contains_key(note) {
                return Err(format!("what was said once is there {count} times: {note}"));
            }
        }
        let said = facts.pressures.get(name);
        for (value, count) in &self.pressures {
            if *count > 1 || !said.is_some_and(|said| said.contains(value)) {
                return Err(format!("G5: {value:?} is there {count} times"));
            }
        }
        let heard = self.closed.values().flatten().any(|it| it.answered);
        if heard && !facts.speakers.contains(name) {
            return Err("G5: an answer of somebody who said nothing".to_owned());
        }
        Ok(())
    }

    fn check(
        &self,
        facts: &Facts,
        sent: &[Sent],
        now: i64,
        final_look: bool,
    ) -> Result<(), String> {
        let expected = |dose: &Dose| self.must.get(dose).or_else(|| self.may.get(dose));
        // Taken by the API and never on the phone: is that known to the daemon?
        let mut lost: BTreeMap<Dose, bool> = BTreeMap::new();
        for sent in sent.iter().filter(|it| it.lost) {
            let is_known = facts.reported.contains(&sent.id);
            for (id, _, due) in &sent.doses {
                *lost.entry((id.clone(), *due)).or_insert(true) &= is_known;
            }
        }
        for (dose, closings) in &self.closed {
            let (id, due) = (&dose.0, Shown(dose.1));
            // Put into the outbox a moment ahead, and taken back before its instant.
            let taken_back = closings.iter().all(|it| {
                let ahead = dose.1 - it.at;
                it.state == DoseState::Cancelled && (0..=LOOK_AHEAD).contains(&ahead)
            });
            if expected(dose).is_none() && !taken_back {
                return Err(format!(
                    "G6: {id} of {due} was closed ({closings:?}) and never fell"
                ));
            }
            let was_lost = lost.contains_key(dose);
            let follows = |pair: &[Closing]| {
                let corrected = (pair[0].state, pair[1].state);
                pair[0].reopened
                    || pair[1].answered
                    || (was_lost && corrected == (DoseState::Missed, DoseState::Expired))
            };
            if !closings.windows(2).all(follows) {
                return Err(format!("G1: {id} of {due} was closed twice: {closings:?}"));
            }
        }
        let mut delivered: BTreeMap<&Dose, Vec<&Sent>> = BTreeMap::new();
        let mut tried: BTreeMap<Dose, Vec<&Sent>> = BTreeMap::new();
        let mut keys = BTreeSet::new();
        let mut firsts = BTreeMap::new();
        for sent in sent {
            for (id, amount, due) in &sent.doses {
                let dose = (id.clone(), *due);
                let told = || format!("{id} of {} at {}", Shown(*due), Shown(sent.wall));
                let Some(end) = expected(&dose).copied() else {
                    return Err(format!("G6: {}: sent, and it never fell", told()));
                };
                if sent.wall < *due {
                    return Err(format!("G2: {}: sent before its instant", told()));
                }
                if sent.wall >= end {
                    return Err(format!(
                        "G2: {}: sent after its window, {}",
                        told(),
                        Shown(end)
                    ));
                }
                // What the API may have is sent again as it is.
                let first = match sent.outcome {
                    Outcome::Unknown => *firsts.entry(sent.id).or_insert(sent.wall),
                    _ => firsts.get(&sent.id).copied().unwrap_or(sent.wall),
                };
                let amounts = self.amounts.get(id).map(Vec::as_slice).unwrap_or_default();
                // A message that was on its way when the plan was edited stays what it was.
                let before =
                    |(from, _): &&(i64, &'static str)| from + 15_000 <= first - sent.waited;
                let valid = amounts.iter().rposition(|it| before(&it)).unwrap_or(0);
                let said = amounts[valid..].iter().any(|(_, it)| it == amount);
                if !said && facts.set_back.is_empty() {
                    return Err(format!(
                        "G6: {}: {amount} was not prescribed then: {amounts:?}",
                        told()
                    ));
                }
                tried.entry(dose.clone()).or_default().push(sent);
                keys.insert(dose);
            }
        }
        for dose in &keys {
            for sent in &tried[dose] {
                if sent.delivered {
                    delivered.entry(dose).or_default().push(sent);
                }
            }
        }
        for (dose, sent) in &delivered {
            let ids: BTreeSet<MessageId> = sent.iter().map(|it| it.id).collect();
            let most = if is_question(dose) {
                // One repeat.
                1 + usize::from(facts.answers)
            } else if facts.answers {
                // A reminder, its nudges (an edit may make it time-critical or not: at 10, 15, 20,
                // 30 and 60 minutes), and what the patient asked for.
                6 + self.asked_for.get(*dose).copied().unwrap_or(0)
            } else {
                1
            };
            if sent.len() > ids.len() || ids.len() > most {
                let times: Vec<String> = sent
                    .iter()
                    .map(|it| format!("{} as {}", Shown(it.wall), it.id))
                    .collect();
                return Err(format!(
                    "G3: {} of {} reached the patient {} times: {times:?}",
                    dose.0,
                    Shown(dose.1),
                    sent.len()
                ));
            }
        }
        for (dose, tries) in &tried {
            for (from, until) in self.quiet.get(dose).into_iter().flatten() {
                // Sent again under the id of a try of which the daemon never heard: it came to
                // nothing that it could read, or the daemon ended before it was written down. That
                // may be for another dose of the message, which is still open.
                let unknown_before = |it: &Sent| {
                    let same = tries.iter().filter(|other| other.id == it.id);
                    same.into_iter().any(|other| {
                        other.steady < it.steady
                            && (other.outcome == Outcome::Unknown
                                || other.outcome == Outcome::Accepted
                                    && facts.had(&[Trouble::Down], other.wall, it.wall))
                    })
                };
                // What was claimed before may still be on its way.
                let late = tries.iter().find(|it| {
                    let left = it.wall - it.waited;
                    left > from + 15_000
                        && it.wall < *until
                        && !(unknown_before(it) && self.is_for_another(it))
                        && !facts.had(&[Trouble::Clock], *from, it.wall)
                });
                if let Some(late) = late {
                    return Err(format!(
                        "G4: {} of {} was answered at {} and {} left at {}",
                        dose.0,
                        Shown(dose.1),
                        Shown(*from),
                        late.id,
                        Shown(late.wall)
                    ));
                }
            }
            for pair in tries.windows(2) {
                let unknown = tries
                    .iter()
                    .find(|it| it.id == pair[1].id && it.outcome == Outcome::Unknown);
                if let Some(first) = unknown
                    && pair[1].steady - first.steady > 8 * MINUTE + 1_000
                    && first.steady < pair[1].steady
                {
                    return Err(format!(
                        "G3: {} of {} was sent again {} s after a try of unknown outcome",
                        dose.0,
                        Shown(dose.1),
                        (pair[1].steady - first.steady) / 1_000
                    ));
                }
            }
        }
        // A recipient of whom the API said that they get too much rests, four hours at most.
        let rests = |due: i64| {
            let mut before = sent.iter().rev().filter(|it| it.wall <= due);
            before.next().is_some_and(|it| {
                matches!(it.outcome, Outcome::RetryAt(_)) && due - it.wall <= 4 * HOUR
            })
        };
        for (dose, closings) in &self.closed {
            let reached = delivered.get(dose).is_some_and(|it| !it.is_empty());
            let (id, due) = (&dose.0, Shown(dose.1));
            let end = expected(dose).copied().unwrap_or(dose.1);
            let last = closings.last().filter(|it| !it.answered);
            // Of several messages in doubt it is not remembered which they were.
            let tries = tried.get(dose).into_iter().flatten();
            let unknown = tries.filter(|it| it.outcome == Outcome::Unknown);
            let in_doubt: BTreeSet<MessageId> = unknown.map(|it| it.id).collect();
            // A clock that was set ahead by days while nothing ran ends the wait for reports: the
            // daemon believes that it was down for so long.
            let wait_ends = end + 48 * HOUR;
            let waits = || {
                let mut leaps = facts.set_ahead_unseen.iter();
                !leaps.any(|(before, after)| *before <= wait_ends && dose.1 <= *after)
            };
            // Nobody is blamed for a question without an answer.
            if final_look
                && !is_question(dose)
                && waits()
                && in_doubt.len() < 2
                && last.is_some_and(|it| it.state == DoseState::Missed)
                && !reached
                && lost.get(dose) == Some(&true)
            {
                return Err(format!(
                    "G1: {id} of {due} is missed, and it is known that it reached nobody"
                ));
            }
            for closing in closings {
                match closing.state {
                    // What a patient says is not ours to judge.
                    _ if closing.answered => {}
                    DoseState::Missed if !reached && !lost.contains_key(dose) => {
                        return Err(format!("G1: {id} of {due} is missed and reached nobody"));
                    }
                    DoseState::Expired if reached && !closing.in_doubt => {
                        return Err(format!(
                            "G1: {id} of {due} is expired and reached the patient"
                        ));
                    }
                    DoseState::Expired => {
                        let kinds: &[Trouble] = match closing.reason {
                            Some(ExpiredReason::DaemonDown) => {
                                &[Trouble::Down, Trouble::Store, Trouble::Clock]
                            }
                            Some(ExpiredReason::ApiDown) => {
                                &[Trouble::Api, Trouble::Down, Trouble::Store, Trouble::Clock]
                            }
                            Some(ExpiredReason::Throttled) => {
                                &[Trouble::Api, Trouble::Clock, Trouble::Store]
                            }
                            Some(ExpiredReason::Unreachable) => &[Trouble::Unfollowed],
                            Some(ExpiredReason::Rejected) => &[Trouble::Api],
                            // How long it had been down the daemon does not know under a clock
                            // that it does not believe.
                            Some(ExpiredReason::Clock) => &[Trouble::Clock, Trouble::DownIntoDoubt],
                            _ => continue,
                        };
                        let rested =
                            closing.reason == Some(ExpiredReason::Throttled) && rests(dose.1);
                        // Whoever was enrolled in the last moment of the window could not be reached.
                        let rushed = matches!(
                            closing.reason,
                            Some(ExpiredReason::ApiDown | ExpiredReason::Throttled)
                        ) && facts.had(&[Trouble::Edit], end - 1_000, end);
                        let excused = rested || rushed;
                        if !excused && !facts.had(kinds, dose.1 - MINUTE, end + 15 * MINUTE) {
                            return Err(format!(
                                "G1: {id} of {due} expired as {:?} without a cause",
                                closing.reason
                            ));
                        }
                    }
                    _ => {}
                }
            }
        }
        for (dose, end) in &self.must {
            let (id, due) = (&dose.0, Shown(dose.1));
            let closed = self.closed.get(dose).map_or(0, Vec::len);
            if final_look && end + 20 * MINUTE < now && closed == 0 {
                return Err(format!(
                    "G1: {id} of {due} was lost: its window ended at {} and it is not closed",
                    Shown(*end)
                ));
            }
            // Taken, as the patient says, before the reminder could leave.
            let quiet = self.quiet.get(dose).into_iter().flatten();
            let answered_first = quiet
                .into_iter()
                .any(|(from, until)| (*from..*until).contains(&(dose.1 + 30_000)));
            let is_calm = || facts.is_calm(dose.1 - 5 * MINUTE, dose.1 + 5 * MINUTE);
            if dose.1 + 5 * MINUTE < now && is_calm() && !rests(dose.1) {
                let enrolled = self.enrolled.contains(dose);
                let first = delivered.get(dose).and_then(|it| it.first());
                match first {
                    None if enrolled && !answered_first => {
                        return Err(format!(
                            "G1: {id} of {due} was not sent though all was well"
                        ));
                    }
                    Some(sent) if enrolled && sent.wall > dose.1 + 30_000 => {
                        return Err(format!(
                            "G2: {id} of {due} was sent late though all was well"
                        ));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
