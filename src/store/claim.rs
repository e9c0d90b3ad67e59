//! Transaction 2: mark a group of messages as started before the first byte goes out.

use super::contacts::known_conversation;
use super::patient::Queued;
use super::records::{
    ATTEMPTS, Attempts, AttemptsRecord, CONTACTS, LaterRecord, OUTBOX, OUTBOX_LATER, OutboxRecord,
    PATIENTS, PLANS, decode, encode, outbox_key,
};
use super::settle::{Receipt, Tried, TriedOutcome};
use super::wanted::{self, Onward};
use super::writer::{Claim, Scope, key_head};
use super::{DeliberateFault, Store, StoreError};
use crate::engine::{
    Body, Class, Message, MessageId, MessageIds, OutboxRef, Recipient, Settlement, Unlimited,
    Window,
};
use crate::store::Address;
use jiff::Timestamp;
use redb::ReadableTable;
use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::sync::Arc;

/// What of a wanted group was claimed.
pub struct Claimed {
    /// Those that may be sent now, as the store has them. Those that are in neither list were
    /// withdrawn.
    pub messages: Vec<Queued>,
    /// Those that could not be withdrawn and must not leave any more, with what they end as. They
    /// are not claimed.
    pub unwanted: Vec<(Queued, Settlement)>,
}

/// A place in the outbox, which is in the order of urgency: class, deadline, patient, id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxPlace {
    class: u8,
    /// Milliseconds since 1970.
    deadline: i64,
    patient: u32,
    id: MessageId,
}

impl OutboxPlace {
    /// Before all messages.
    pub const FIRST: Self = Self {
        class: 0,
        deadline: i64::MIN,
        patient: 0,
        id: MessageId([0; 16]),
    };

    /// Where a message lies.
    #[must_use]
    pub fn of(queued: &Queued) -> Self {
        Self::from_key(outbox_key(queued.patient, &queued.message.key))
    }

    fn from_key((class, deadline, patient, id): (u8, i64, u32, &[u8; 16])) -> Self {
        let id = MessageId(*id);
        Self {
            class,
            deadline,
            patient,
            id,
        }
    }
}

/// What was read of the outbox.
pub struct Waiting {
    /// The messages, the most urgent first.
    pub found: Vec<Queued>,
    /// Where the reading ended because of its limit: from here on there may be more that could
    /// leave as soon.
    pub more: Option<OutboxPlace>,
    /// When the first of those could leave that were left out because their time is far.
    pub next: Option<Timestamp>,
}

impl Store {
    /// Claims a group of messages: one row. What was withdrawn meanwhile is not claimed, and what
    /// was written anew is claimed as it stands now: an edit may have changed the text behind the
    /// same id. What could not be withdrawn, because it may have arrived already, is not claimed
    /// again where nobody waits for it any more.
    ///
    /// # Errors
    /// The transaction failed: nothing of the group may be sent. If the commit happened all the
    /// same, the messages are found as claimed when the store is opened again.
    pub async fn claim(&self, now: Timestamp, wanted: Vec<Queued>) -> Result<Claimed, StoreError> {
        let claimed = self.claim_group(now, wanted).await?;
        if self.fault() == Some(DeliberateFault::SettleBeforeSend) {
            let tried = claimed.messages.iter().map(|queued| Tried {
                key: queued.message.key,
                patient: queued.patient,
                outcome: TriedOutcome::Final(Settlement::Accepted(now)),
                receipt: Receipt::default(),
            });
            self.settle(now, tried.collect(), Arc::new(Unlimited), 0)
                .await?;
        }
        Ok(claimed)
    }

    async fn claim_group(
        &self,
        now: Timestamp,
        wanted: Vec<Queued>,
    ) -> Result<Claimed, StoreError> {
        self.write_first(now, move |scope| {
            let mut outbox = scope.transaction.open_table(OUTBOX)?;
            let mut later = scope.transaction.open_table(OUTBOX_LATER)?;
            let group = scope.memory.next_group;
            let mut rows = Vec::with_capacity(wanted.len());
            let mut messages = Vec::with_capacity(wanted.len());
            let mut unwanted = Vec::new();
            let mut moved = Vec::new();
            let mut known = Vec::new();
            let mut windows = Windows::default();
            for mut queued in wanted {
                let key = queued.message.key;
                let Some(row) = outbox.get(outbox_key(queued.patient, &key))? else {
                    continue;
                };
                // A record ends with its message: where that is the one known, nothing is decoded.
                known.clear();
                known = postcard::to_extend(queued.message.as_ref(), known)
                    .map_err(|_| StoreError::Encode)?;
                if !row.value().ends_with(&known) {
                    let Ok(record) = decode::<OutboxRecord>(&OUTBOX, row.value()) else {
                        scope.effects.unreadable.push(("outbox", key_head(&key.id)));
                        continue;
                    };
                    queued.message = Arc::new(record.message);
                }
                // By a claim whose commit was thought to have failed: nothing was sent.
                let left_claimed = scope.memory.claimed.contains_key(&key.id);
                if left_claimed {
                    scope.effects.released.push(key.id);
                }
                let waits = scope.memory.later.get(&key.id);
                if let Some((_, attempts)) = waits {
                    let steady = queued.attempts.steady;
                    queued.attempts = Attempts {
                        // By which clock its age is measured is the dispatcher's knowledge.
                        steady: attempts.steady.or(steady),
                        ..*attempts
                    };
                }
                // News waits for hours: whoever is told of it may have another phone by now, or none.
                let is_news = queued.message.to != Recipient::Patient;
                let mut goes_to = queued.contact;
                if left_claimed || is_news || queued.attempts.first_unknown.is_some() {
                    match onward(scope, &queued)? {
                        Onward::AsItIs => {}
                        Onward::To(contact) => goes_to = contact,
                        Onward::Ends(end) => {
                            unwanted.push((queued, end));
                            continue;
                        }
                    }
                }
                if let Some((not_before, _)) = waits {
                    later.remove((*not_before, &key.id.0))?;
                    scope.effects.not_later.push(key.id);
                }
                if goes_to != queued.contact {
                    let contacts = scope.transaction.open_table(CONTACTS)?;
                    queued.address = read_address(&contacts, goes_to)?;
                    queued.contact = goes_to;
                    moved.push(record_of(&queued));
                }
                queued.attempts.words = match queued.message.body {
                    // Under the key of its first try it can only be sent as it was.
                    _ if queued.attempts.first_unknown.is_some() => queued.attempts.words,
                    // An alarm has to be tried again where no answer is read: free words cannot.
                    _ if key.class == Class::Critical => false,
                    Body::Notice(_) | Body::Alert(_) | Body::Refill(_) | Body::Digest(_) => {
                        windows.take(scope, queued.contact)?
                    }
                    Body::Dose(_) | Body::CheckIn(_) | Body::Appointment(_) => false,
                };
                let attempts = queued.attempts;
                scope
                    .effects
                    .claimed
                    .push((key.id, Claim::new(group, attempts)));
                rows.push((queued.patient, key, attempts));
                if scope.memory.fault == Some(DeliberateFault::NewIdOnResend)
                    && attempts.first_unknown.is_some()
                {
                    let mut message = Message::clone(&queued.message);
                    message.key.id.0[0] ^= 1;
                    queued.message = Arc::new(message);
                }
                messages.push(queued);
            }
            for record in &moved {
                let key = outbox_key(record.patient, &record.message.key);
                outbox.insert(key, encode(record)?.as_slice())?;
            }
            note_group(scope, now, group, rows)?;
            Ok(Claimed { messages, unwanted })
        })
        .await
    }

    /// Reads at most `limit` waiting messages that may leave before `until`, the most urgent
    /// first, beginning at `from` and leaving out those in `known`.
    ///
    /// # Errors
    /// The read failed.
    pub async fn waiting(
        &self,
        limit: usize,
        known: MessageIds,
        from: OutboxPlace,
        until: Timestamp,
    ) -> Result<Waiting, StoreError> {
        let (waiting, unreadable) = self
            .read(move |snapshot, memory| {
                let outbox = snapshot.open_table(OUTBOX)?;
                let contacts = snapshot.open_table(CONTACTS)?;
                let mut waiting = Waiting {
                    found: Vec::new(),
                    more: None,
                    next: None,
                };
                let mut unreadable = Vec::new();
                let first = (from.class, from.deadline, from.patient, &from.id.0);
                for row in outbox.range(first..)? {
                    let (key, value) = row?;
                    let id = MessageId(*key.value().3);
                    let forgotten = memory.fault == Some(DeliberateFault::ForgetOutbox)
                        && memory.claimed.contains_key(&id);
                    if known.contains(&id) || forgotten {
                        continue;
                    }
                    if waiting.found.len() == limit {
                        waiting.more = Some(OutboxPlace::from_key(key.value()));
                        break;
                    }
                    let Ok(record) = decode::<OutboxRecord>(&OUTBOX, value.value()) else {
                        unreadable.push(("outbox", key_head(&id)));
                        continue;
                    };
                    let earliest = record.message.not_before;
                    let claim = memory.claimed.get(&id);
                    let fresh = claim.map(|claim| claim.attempts).unwrap_or_default();
                    let (not_before, attempts) =
                        memory
                            .later
                            .get(&id)
                            .map_or((earliest, fresh), |(ms, attempts)| {
                                let at = Timestamp::from_millisecond(*ms).unwrap_or(earliest);
                                (at, *attempts)
                            });
                    let leaves = not_before.min(record.message.key.deadline);
                    if leaves > until {
                        waiting.next = Some(waiting.next.map_or(leaves, |next| next.min(leaves)));
                        continue;
                    }
                    waiting.found.push(Queued {
                        patient: record.patient,
                        contact: record.contact,
                        address: read_address(&contacts, record.contact)?,
                        message: Arc::new(record.message),
                        attempts,
                        not_before,
                    });
                }
                Ok((waiting, unreadable))
            })
            .await?;
        self.telemetry().note_unreadable(unreadable);
        Ok(waiting)
    }

    /// The recipients of messages that wait because their recipient got too much, and until when
    /// each waits.
    ///
    /// # Errors
    /// The read failed.
    pub async fn resting(&self) -> Result<Vec<(Arc<str>, Timestamp)>, StoreError> {
        self.read(|snapshot, memory| {
            let outbox = snapshot.open_table(OUTBOX)?;
            let contacts = snapshot.open_table(CONTACTS)?;
            let mut resting = Vec::new();
            for row in snapshot.open_table(OUTBOX_LATER)?.iter()? {
                let (key, later) = row?;
                let (until, id) = key.value();
                let known = memory.later.get(&MessageId(*id));
                if !known.is_some_and(|(_, attempts)| attempts.resting) {
                    continue;
                }
                let Ok(later) = decode::<LaterRecord>(&OUTBOX_LATER, later.value()) else {
                    continue;
                };
                // A message that cannot be read is met where it is claimed.
                let record = outbox.get(outbox_key(later.patient, &later.key))?;
                let record =
                    record.and_then(|row| decode::<OutboxRecord>(&OUTBOX, row.value()).ok());
                if let (Some(record), Ok(until)) = (record, Timestamp::from_millisecond(until)) {
                    resting.push((read_address(&contacts, record.contact)?, until));
                }
            }
            Ok(resting)
        })
        .await
    }

    /// The messages that were claimed when the last process ended and whose outcome nobody has
    /// read: the API may or may not have them.
    ///
    /// # Errors
    /// The read failed.
    pub async fn left_claimed(&self) -> Result<Vec<Queued>, StoreError> {
        let (found, unreadable) = self
            .read(move |snapshot, memory| {
                let outbox = snapshot.open_table(OUTBOX)?;
                let contacts = snapshot.open_table(CONTACTS)?;
                let (mut found, mut unreadable) = (Vec::new(), Vec::new());
                let forgets = memory.fault == Some(DeliberateFault::ForgetOutbox);
                if memory.claimed.is_empty() || forgets {
                    return Ok((found, unreadable));
                }
                for row in outbox.range::<(u8, i64, u32, &[u8; 16])>(..)? {
                    let (key, value) = row?;
                    let id = MessageId(*key.value().3);
                    let Some(claim) = memory.claimed.get(&id) else {
                        continue;
                    };
                    let Ok(record) = decode::<OutboxRecord>(&OUTBOX, value.value()) else {
                        unreadable.push(("outbox", key_head(&id)));
                        continue;
                    };
                    found.push(Queued {
                        patient: record.patient,
                        contact: record.contact,
                        address: read_address(&contacts, record.contact)?,
                        not_before: record.message.not_before,
                        message: Arc::new(record.message),
                        attempts: claim.attempts,
                    });
                }
                Ok((found, unreadable))
            })
            .await?;
        self.telemetry().note_unreadable(unreadable);
        Ok(found)
    }
}

/// Writes down what is claimed in a group; forgets groups of which all is settled.
fn note_group(
    scope: &mut Scope<'_>,
    now: Timestamp,
    group: u64,
    rows: Vec<(u32, OutboxRef, Attempts)>,
) -> Result<(), StoreError> {
    let mut groups = scope.transaction.open_table(ATTEMPTS)?;
    for (group, open) in &scope.memory.groups {
        if *open == 0 {
            groups.remove(*group)?;
            scope.effects.ended_groups.push(*group);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let fresh = rows.iter().filter(|(_, _, attempts)| attempts.count == 0);
    let mut ledger = scope.memory.ledger.clone();
    ledger.claim(now, fresh.count() as u64, rows.len() as u64);
    scope.effects.ledger = Some(ledger);
    let record = AttemptsRecord {
        started: now.as_millisecond(),
        messages: rows,
    };
    groups.insert(group, encode(&record)?.as_slice())?;
    Ok(())
}

/// As the outbox holds it.
fn record_of(queued: &Queued) -> OutboxRecord {
    OutboxRecord {
        patient: queued.patient,
        contact: queued.contact,
        message: Message::clone(&queued.message),
    }
}

/// What becomes of a message, by the plan in force and by what is known of its patient.
fn onward(scope: &Scope<'_>, queued: &Queued) -> Result<Onward, StoreError> {
    let plans = scope.transaction.open_table(PLANS)?;
    let plan = plans.get(queued.patient)?;
    let patients = scope.transaction.open_table(PATIENTS)?;
    let patient = patients.get(queued.patient)?;
    let known = (
        plan.map(|row| decode(&PLANS, row.value())).transpose(),
        patient
            .map(|row| decode(&PATIENTS, row.value()))
            .transpose(),
    );
    let record = record_of(queued);
    wanted::onward(known, &scope.memory.desk, &record, &queued.attempts)
}

/// What contacts allow in free words, less what this group takes of it.
#[derive(Default)]
struct Windows(HashMap<u32, Window>);

impl Windows {
    /// Whether a message can go to a contact in free words; if so, one less is left.
    fn take(&mut self, scope: &Scope<'_>, contact: u32) -> Result<bool, StoreError> {
        if !scope.memory.desk.answers {
            return Ok(false);
        }
        let window = match self.0.entry(contact) {
            Occupied(known) => known.into_mut(),
            Vacant(new) => {
                let talk = known_conversation(scope, contact)?;
                new.insert(talk.map(|it| it.window).unwrap_or_default())
            }
        };
        let is_open = window.is_open(scope.now);
        if is_open {
            window.note_sending();
        }
        Ok(is_open)
    }
}

/// The address of a contact; empty when it cannot be read.
fn read_address(
    contacts: &impl ReadableTable<u32, &'static [u8]>,
    contact: u32,
) -> Result<Arc<str>, StoreError> {
    let address = match contacts.get(contact)? {
        Some(row) => decode::<Address>(&CONTACTS, row.value()).map(|it| it.address),
        None => Ok(String::new()),
    };
    Ok(address.unwrap_or_default().into())
}
