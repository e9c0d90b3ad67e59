//! Transaction 3: what came of tries.

use super::apply::journal;
use super::contacts::{known_conversation, save_conversation};
use super::deliveries;
use super::patient::{Queued, Tables, Tally, Visit};
use super::records::{
    ATTEMPTS, Attempts, JournalRow, LaterRecord, OUTBOX, OutboxRecord, TOLD, TakenRecord, decode,
    encode, journal_day, outbox_key,
};
use super::wanted::{self, Onward};
use super::writer::{Scope, key_head};
use super::{DeliberateFault, Store, StoreError, refusals};
use crate::engine::{
    About, Body, Delivery, Entry, ExpiredReason, Fits, Input, MessageId, Millis, OutboxRef,
    Recipient, Settlement, Window,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What came of one try.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// The message.
    pub key: OutboxRef,
    /// The patient's number.
    pub patient: u32,
    /// What is to be done about it.
    pub outcome: TriedOutcome,
    /// What else the channel said.
    pub receipt: Receipt,
}

/// What the channel says of a try besides its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The number under which it will report what became of the message.
    pub number: Option<i64>,
    /// It took the message in free words: one less that the contact has allowed by writing.
    pub in_words: bool,
    /// It takes no free words for this contact now.
    pub closed: bool,
}

/// What is to be done about a message that was tried, or whose time is over.
#[derive(Clone, Copy, Debug)]
pub enum TriedOutcome {
    /// It is over.
    Final(Settlement),
    /// It is tried again, not before this instant.
    Later(Timestamp, Attempts),
}

/// What settling did.
#[derive(Default)]
pub struct Settled {
    /// Messages that the settling itself put into the outbox.
    pub queued: Vec<Queued>,
    /// Doses and check-ins closed.
    pub tally: Tally,
    /// Messages that were to be tried again and are over: nobody is to be told of that any more,
    /// or in other words.
    pub ended: Vec<(MessageId, Settlement)>,
}

impl Store {
    /// Settles a batch: removes messages from the outbox or puts them off, steps their patients,
    /// journals. One commit.
    ///
    /// # Errors
    /// The transaction failed; it may be made again: what is settled already is left alone.
    pub async fn settle(
        &self,
        now: Timestamp,
        batch: Vec<Tried>,
        fits: Arc<dyn Fits + Send + Sync>,
        day: u32,
    ) -> Result<Settled, StoreError> {
        self.write(now, move |scope| {
            scope.effects.day = day;
            let mut settled = Settled::default();
            let mut tables = Tables::open(scope.transaction)?;
            let mut awaited = deliveries::Awaited::open(scope.transaction)?;
            // By patient: each record is read and written once.
            let mut finals: BTreeMap<u32, Vec<Final>> = BTreeMap::new();
            let mut refusing: Vec<u32> = Vec::new();
            let mut hops: Vec<(u32, Entry)> = Vec::new();
            let (mut fresh, mut untried) = (0, 0);
            for mut tried in batch {
                if scope.memory.fault == Some(DeliberateFault::RearmSent) {
                    tried.outcome = rearmed(tried.outcome, now);
                }
                if let TriedOutcome::Later(_, attempts) = tried.outcome
                    && let Some(claim) = scope.memory.claimed.get(&tried.key.id)
                    && claim.attempts.count == attempts.count
                    && !claim.found
                {
                    fresh += u64::from(attempts.count == 0);
                    untried += 1;
                }
                release(scope, &tried.key);
                hops.extend(closed_to_words(scope, &tables, &tried)?);
                if tried.receipt.in_words {
                    note_window(scope, &tables, &tried, Window::note_sending)?;
                }
                if let TriedOutcome::Later(_, attempts) = tried.outcome
                    && let Some(settlement) = end_of_unwanted(scope, &tables, &tried, &attempts)?
                {
                    settled.ended.push((tried.key.id, settlement));
                    tried.outcome = TriedOutcome::Final(settlement);
                }
                match tried.outcome {
                    TriedOutcome::Later(not_before, attempts) => {
                        put_off(scope, &mut tables, &tried, not_before, attempts)?;
                    }
                    TriedOutcome::Final(settlement) => {
                        if let Some(record) = remove(scope, &mut tables, &tried)? {
                            count(scope, &record, settlement);
                            note_told(scope, &record, settlement)?;
                            let report = match tried.receipt.number {
                                // Where nothing comes back no report does.
                                Some(number) if scope.memory.desk.answers => {
                                    awaited.report_of(scope, number, &record)?
                                }
                                _ => None,
                            };
                            if refuses(&record, settlement, report.as_ref()) {
                                refusing.push(record.contact);
                            }
                            finals.entry(record.patient).or_default().push(Final {
                                record,
                                settlement,
                                report,
                                in_words: tried.receipt.in_words,
                            });
                        }
                    }
                }
            }
            drop(awaited);
            for (patient, messages) in finals {
                settle_patient(
                    scope,
                    &mut tables,
                    &mut settled,
                    fits.as_ref(),
                    patient,
                    &messages,
                )?;
            }
            for (patient, entry) in hops {
                // One whose record cannot be read is met elsewhere.
                if let Ok(Some(mut record)) = tables.patient(patient) {
                    journal(scope, &mut tables, patient, &mut record, vec![entry])?;
                    let wake_at = record.wake_at;
                    tables.save(patient, &mut record, wake_at)?;
                }
            }
            for contact in refusing {
                let effects = (&mut settled.queued, &mut settled.tally);
                refusals::note(scope, &mut tables, effects, fits.as_ref(), contact)?;
            }
            drop(tables);
            deliveries::forget(scope)?;
            if untried > 0 {
                let mut ledger = scope.memory.ledger.clone();
                ledger.give_back(fresh, untried);
                scope.effects.ledger = Some(ledger);
            }
            end_groups(scope)?;
            scope.effects.counts.expired += settled.tally.doses_expired();
            Ok(settled)
        })
        .await
    }
}

/// A message that is over.
struct Final {
    record: OutboxRecord,
    settlement: Settlement,
    /// What was reported of it before it was settled.
    report: Option<(TakenRecord, Delivery)>,
    /// It was taken in free words.
    in_words: bool,
}

/// Whether what came back says that the contact takes no news about others.
fn refuses(
    record: &OutboxRecord,
    settlement: Settlement,
    report: Option<&(TakenRecord, Delivery)>,
) -> bool {
    let refused = matches!(report, Some((_, Delivery::Refused)));
    let unreachable = settlement == Settlement::Undeliverable(ExpiredReason::Unreachable);
    record.message.to != Recipient::Patient && (refused || unreachable)
}

/// What a message ends as that is to be tried again and must not leave any more.
fn end_of_unwanted(
    scope: &Scope<'_>,
    tables: &Tables<'_>,
    tried: &Tried,
    attempts: &Attempts,
) -> Result<Option<Settlement>, StoreError> {
    use redb::ReadableTable;
    let Some(row) = tables.outbox.get(outbox_key(tried.patient, &tried.key))? else {
        return Ok(None);
    };
    let Ok(record) = decode::<OutboxRecord>(&OUTBOX, row.value()) else {
        return Ok(None);
    };
    let known = (tables.plan(record.patient), tables.patient(record.patient));
    // Whoever is reached elsewhere by now is looked for when it is claimed.
    let onward = wanted::onward(known, &scope.memory.desk, &record, attempts)?;
    Ok(match onward {
        Onward::Ends(settlement) => Some(settlement),
        Onward::AsItIs | Onward::To(_) => None,
    })
}

/// Notes that a contact takes no free words now, if that is what the channel said; for the journal.
fn closed_to_words(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    tried: &Tried,
) -> Result<Option<(u32, Entry)>, StoreError> {
    if !tried.receipt.closed {
        return Ok(None);
    }
    note_window(scope, tables, tried, Window::close)?;
    let message = tried.key.id;
    Ok(Some((tried.patient, Entry::WordsRefused { message })))
}

/// Corrects what is known of the free words that a contact takes.
fn note_window(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    Tried { key, patient, .. }: &Tried,
    change: impl FnOnce(&mut Window),
) -> Result<(), StoreError> {
    use redb::ReadableTable;
    let contact = match tables.outbox.get(outbox_key(*patient, key))? {
        Some(row) => decode::<OutboxRecord>(&OUTBOX, row.value()).map(|it| it.contact),
        None => return Ok(()),
    };
    // One that cannot be read is met below; a contact without a talk has opened nothing.
    if let Ok(contact) = contact
        && let Some(mut talk) = known_conversation(scope, contact)?
    {
        change(&mut talk.window);
        save_conversation(scope, contact, &talk)?;
    }
    Ok(())
}

/// News of a patient has gone to a member of staff: what they write next may be an answer to it.
fn note_told(
    scope: &Scope<'_>,
    record: &OutboxRecord,
    settlement: Settlement,
) -> Result<(), StoreError> {
    let news = matches!(record.message.body, Body::Alert(_))
        && matches!(record.message.to, Recipient::Staff(_));
    if let (true, Settlement::Accepted(at)) = (news, settlement) {
        let mut told = scope.transaction.open_table(TOLD)?;
        told.insert((record.contact, record.patient), at.as_millisecond())?;
    }
    Ok(())
}

/// A fault put in on purpose.
fn rearmed(outcome: TriedOutcome, now: Timestamp) -> TriedOutcome {
    match outcome {
        TriedOutcome::Final(Settlement::Accepted(_)) => {
            let later = now.saturating_add(SignedDuration::from_mins(11));
            TriedOutcome::Later(later.unwrap_or(now), Attempts::default())
        }
        other => other,
    }
}

fn release(scope: &mut Scope<'_>, key: &OutboxRef) {
    if scope.memory.claimed.contains_key(&key.id) {
        scope.effects.released.push(key.id);
    }
}

/// Takes a message out of the outbox; `None` when it is not there any more.
fn remove(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    Tried { key, patient, .. }: &Tried,
) -> Result<Option<OutboxRecord>, StoreError> {
    if let Some((not_before, _)) = scope.memory.later.get(&key.id) {
        tables.later.remove((*not_before, &key.id.0))?;
        scope.effects.not_later.push(key.id);
    }
    let Some(row) = tables.outbox.remove(outbox_key(*patient, key))? else {
        return Ok(None);
    };
    scope.effects.depth[key.class as usize] -= 1;
    let record = decode(&OUTBOX, row.value()).ok();
    if record.is_none() {
        // Its patient closes without it, a while after the window.
        scope.effects.unreadable.push(("outbox", key_head(&key.id)));
    }
    Ok(record)
}

fn put_off(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    Tried { key, patient, .. }: &Tried,
    not_before: Timestamp,
    attempts: Attempts,
) -> Result<(), StoreError> {
    use redb::ReadableTable;
    if tables.outbox.get(outbox_key(*patient, key))?.is_none() {
        return Ok(());
    }
    if let Some((old, _)) = scope.memory.later.get(&key.id) {
        tables.later.remove((*old, &key.id.0))?;
    }
    let ms = not_before.as_millisecond();
    let record = encode(&LaterRecord {
        patient: *patient,
        key: *key,
        attempts,
    })?;
    tables.later.insert((ms, &key.id.0), record.as_slice())?;
    scope.effects.later.push((key.id, ms, attempts));
    Ok(())
}

fn count(scope: &mut Scope<'_>, record: &OutboxRecord, settlement: Settlement) {
    let doses = match &record.message.body {
        // A nudge reminds of nobody who was not reminded of.
        Body::Dose(lines) if lines.iter().all(|line| line.due < record.message.due) => 0,
        Body::Dose(lines) => lines.len() as u64,
        Body::CheckIn(_)
        | Body::Appointment(_)
        | Body::Notice(_)
        | Body::Alert(_)
        | Body::Refill(_)
        | Body::Digest(_) => 0,
    };
    match settlement {
        Settlement::Accepted(_) => scope.effects.counts.reminded += doses,
        Settlement::InDoubt => scope.effects.counts.in_doubt += 1,
        Settlement::NotSent(_) | Settlement::Undeliverable(_) => {}
    }
}

fn settle_patient(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    settled: &mut Settled,
    fits: &dyn Fits,
    patient: u32,
    messages: &[Final],
) -> Result<(), StoreError> {
    let entries = || JournalRow {
        at: scope.now.as_millisecond(),
        entries: messages
            .iter()
            .map(|it| without_plan(&it.record, it.settlement))
            .collect(),
    };
    let day = journal_day(scope.now);
    let mut record = match tables.patient(patient) {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(()),
        Err(StoreError::Record { .. }) => {
            // What came back is remembered, and nobody else waits for this patient.
            let seq = blind_seq(tables, day, patient)?;
            let row = encode(&entries())?;
            tables.journal.insert((day, patient, seq), row.as_slice())?;
            let met = ("patients", u64::from(patient));
            scope.effects.unreadable.push(met);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let plan = match tables.plan(patient) {
        Err(StoreError::Record { .. }) => {
            let met = ("plans", u64::from(patient));
            scope.effects.unreadable.push(met);
            None
        }
        plan => plan?,
    };
    let Some(plan) = plan else {
        // The plan has ended; what still comes back is remembered all the same.
        let row = encode(&entries())?;
        let key = (day, patient, record.journal_next);
        tables.journal.insert(key, row.as_slice())?;
        record.journal_next += 1;
        for message in messages {
            let id = message.record.message.key.id;
            record.state.unsettled.retain(|key| key.id != id);
        }
        let wake_at = record.wake_at;
        return tables.save(patient, &mut record, wake_at);
    };
    let mut visit = Visit::new(scope, fits, patient, record, plan.head.contact);
    for message in messages {
        let input = Input::Settled {
            message: message.record.message.key.id,
            settlement: message.settlement,
        };
        if message.in_words {
            let message = message.record.message.key.id;
            visit.entries.push(Entry::SentInWords { message });
        }
        let report = message.report.as_ref();
        let report = report.map(|(taken, delivery)| taken.as_input(*delivery));
        for input in [Some(input), report].into_iter().flatten() {
            visit.step(
                tables,
                &mut scope.effects,
                &plan.plan,
                input,
                &mut settled.tally,
            )?;
        }
    }
    visit.finish(tables, &mut settled.queued)
}

/// A place in the journal of a patient whose own count cannot be read: above all that it gives.
fn blind_seq(tables: &Tables<'_>, day: u32, patient: u32) -> Result<u32, StoreError> {
    use redb::ReadableTable;
    const FIRST: u32 = u32::MAX / 2;
    let range = (day, patient, FIRST)..=(day, patient, u32::MAX);
    Ok(match tables.journal.range(range)?.next_back() {
        Some(row) => row?.0.value().2.saturating_add(1),
        None => FIRST,
    })
}

fn without_plan(record: &OutboxRecord, settlement: Settlement) -> Entry {
    let message = record.message.key.id;
    let about = match &record.message.body {
        Body::Dose(lines) => lines
            .iter()
            .map(|line| About {
                id: line.medication.clone(),
                due: Millis(line.due),
            })
            .collect(),
        Body::CheckIn(question) => {
            vec![About {
                id: question.check_in.clone(),
                due: Millis(question.due),
            }]
        }
        Body::Appointment(_)
        | Body::Notice(_)
        | Body::Alert(_)
        | Body::Refill(_)
        | Body::Digest(_) => Vec::new(),
    };
    Entry::of_settlement(message, settlement, about)
}

/// Removes the rows of groups of which nothing is left.
fn end_groups(scope: &mut Scope<'_>) -> Result<(), StoreError> {
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    // Each once: a group must not seem ended while one of its messages is under way.
    let released: HashSet<_> = scope.effects.released.iter().collect();
    for id in released {
        if let Some(claim) = scope.memory.claimed.get(id) {
            let left = open
                .entry(claim.group)
                .or_insert_with(|| scope.memory.groups.get(&claim.group).copied().unwrap_or(0));
            *left = left.saturating_sub(1);
        }
    }
    // Those whose last claim was made anew in another group.
    for (group, left) in &scope.memory.groups {
        if *left == 0 {
            open.insert(*group, 0);
        }
    }
    let mut attempts = scope.transaction.open_table(ATTEMPTS)?;
    for (group, left) in open {
        if left == 0 {
            attempts.remove(group)?;
            scope.effects.ended_groups.push(group);
        }
    }
    Ok(())
}
