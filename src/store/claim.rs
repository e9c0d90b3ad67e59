//! Transaction 2: mark a group of messages as started before the first byte goes out.

use super::patient::Queued;
use super::records::{
    ATTEMPTS, Attempts, AttemptsRecord, CONTACTS, OUTBOX, OUTBOX_LATER, OutboxRecord, decode,
    encode, outbox_key,
};
use super::writer::Claim;
use super::{Store, StoreError};
use crate::engine::{MessageId, OutboxRef};
use crate::store::Address;
use jiff::Timestamp;
use redb::ReadableTable;
use std::collections::HashSet;
use std::sync::Arc;

/// What of a wanted group was claimed.
pub struct Claimed {
    /// Those that may be sent now. The others were withdrawn.
    pub ids: HashSet<MessageId>,
}

impl Store {
    /// Claims a group of messages: one row. What was withdrawn meanwhile is not claimed.
    ///
    /// # Errors
    /// The transaction failed: nothing of the group may be sent. If the commit happened all the
    /// same, the messages are found as claimed when the store is opened again.
    pub async fn claim(
        &self,
        now: Timestamp,
        wanted: Vec<(OutboxRef, Attempts)>,
    ) -> Result<Claimed, StoreError> {
        self.write_first(now, move |scope| {
            let outbox = scope.transaction.open_table(OUTBOX)?;
            let mut later = scope.transaction.open_table(OUTBOX_LATER)?;
            let group = scope.memory.next_group;
            let mut messages = Vec::with_capacity(wanted.len());
            let mut ids = HashSet::with_capacity(wanted.len());
            for (key, attempts) in wanted {
                if outbox.get(outbox_key(&key))?.is_none() {
                    continue;
                }
                if scope.memory.claimed.contains_key(&key.id) {
                    // Left by a claim whose commit was thought to have failed: nothing was sent.
                    scope.effects.released.push(key.id);
                }
                if let Some((not_before, _)) = scope.memory.later.get(&key.id) {
                    later.remove((*not_before, &key.id.0))?;
                    scope.effects.not_later.push(key.id);
                }
                ids.insert(key.id);
                scope
                    .effects
                    .claimed
                    .push((key.id, Claim { group, attempts }));
                messages.push((key, attempts));
            }
            let mut groups = scope.transaction.open_table(ATTEMPTS)?;
            for (group, open) in &scope.memory.groups {
                if *open == 0 {
                    groups.remove(*group)?;
                    scope.effects.ended_groups.push(*group);
                }
            }
            if !messages.is_empty() {
                let record = AttemptsRecord {
                    started: now.as_millisecond(),
                    messages,
                };
                groups.insert(group, encode(&record)?.as_slice())?;
            }
            Ok(Claimed { ids })
        })
        .await
    }

    /// Reads at most `limit` waiting messages, the most urgent first, leaving out those in
    /// `known`. The flag says whether there may be more.
    ///
    /// # Errors
    /// The read failed.
    pub async fn waiting(
        &self,
        limit: usize,
        known: HashSet<MessageId>,
    ) -> Result<(Vec<Queued>, bool), StoreError> {
        self.read(move |snapshot, memory| {
            let outbox = snapshot.open_table(OUTBOX)?;
            let contacts = snapshot.open_table(CONTACTS)?;
            let mut found = Vec::new();
            for row in outbox.range::<(u8, i64, &[u8; 16])>(..)? {
                let (key, value) = row?;
                let id = MessageId(*key.value().2);
                if known.contains(&id) {
                    continue;
                }
                if found.len() == limit {
                    return Ok((found, true));
                }
                let record: OutboxRecord = decode(&OUTBOX, value.value())?;
                let Some(address) = contacts.get(record.contact)? else {
                    continue;
                };
                let address: Address = decode(&CONTACTS, address.value())?;
                let earliest = record.message.not_before;
                let (not_before, attempts) = if let Some((ms, attempts)) = memory.later.get(&id) {
                    (
                        Timestamp::from_millisecond(*ms).unwrap_or(earliest),
                        *attempts,
                    )
                } else {
                    let claim = memory.claimed.get(&id);
                    (
                        earliest,
                        claim.map(|claim| claim.attempts).unwrap_or_default(),
                    )
                };
                found.push(Queued {
                    patient: record.patient,
                    address: address.address.into(),
                    message: Arc::new(record.message),
                    attempts,
                    not_before,
                });
            }
            Ok((found, false))
        })
        .await
    }

    /// The messages that were claimed when the last process ended and whose outcome nobody has
    /// read: the API may or may not have them.
    ///
    /// # Errors
    /// The read failed.
    pub async fn left_claimed(&self) -> Result<Vec<Queued>, StoreError> {
        self.read(move |snapshot, memory| {
            let outbox = snapshot.open_table(OUTBOX)?;
            let contacts = snapshot.open_table(CONTACTS)?;
            let mut found = Vec::new();
            if memory.claimed.is_empty() {
                return Ok(found);
            }
            for row in outbox.range::<(u8, i64, &[u8; 16])>(..)? {
                let (key, value) = row?;
                let Some(claim) = memory.claimed.get(&MessageId(*key.value().2)) else {
                    continue;
                };
                let record: OutboxRecord = decode(&OUTBOX, value.value())?;
                let address = match contacts.get(record.contact)? {
                    Some(row) => decode::<Address>(&CONTACTS, row.value())?.address,
                    None => String::new(),
                };
                found.push(Queued {
                    patient: record.patient,
                    address: address.into(),
                    not_before: record.message.not_before,
                    message: Arc::new(record.message),
                    attempts: claim.attempts,
                });
            }
            Ok(found)
        })
        .await
    }
}
