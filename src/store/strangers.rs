//! What people write whom nobody knows: kept for the clinic, and told to its staff where it cannot
//! wait.

use super::StoreError;
use super::digest::for_nobody;
use super::patient::Tables;
use super::receive::{Received, Talk};
use super::records::{STRANGERS, StrangerRecord, encode};
use super::writer::Scope;
use crate::engine::{Body, Fits, StrangersWords, alarm_of_stranger};
use redb::ReadableTable;

/// Keeps the words; staff is told of those that cannot wait, as often as the limits allow.
pub(super) fn hear(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    received: &mut Received,
    (talk, fits): (&Talk, &dyn Fits),
    contact: u32,
    words: StrangersWords,
) -> Result<(), StoreError> {
    if scope.memory.desk.name(contact).is_some() {
        // Somebody of the clinic.
        return Ok(());
    }
    let StrangersWords { text, red_flag } = words;
    if red_flag {
        let known = scope.effects.stranger_alarms.take();
        let mut alarms = known.unwrap_or_else(|| scope.memory.stranger_alarms.clone());
        if alarms.may_tell(contact, scope.now) {
            tell(scope, tables, received, (talk, fits), (contact, &text))?;
        }
        scope.effects.stranger_alarms = Some(alarms);
    }
    note(scope, contact, text)
}

fn tell(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    received: &mut Received,
    (talk, fits): (&Talk, &dyn Fits),
    (contact, text): (u32, &str),
) -> Result<(), StoreError> {
    for member in &scope.memory.desk.members {
        let to = scope.memory.desk.contact(&member.name);
        let message = alarm_of_stranger(member, (contact, text), scope.now, &talk.zone, scope.ids);
        let (Some(to), Some(message)) = (to, message) else {
            continue;
        };
        if !fits.fits(&message.addressee, &message.body) {
            continue;
        }
        if let Body::Alert(alert) = &message.body {
            received.tally.note_told(alert.news.name());
        }
        let queued = for_nobody(&mut scope.effects, tables, to, message)?;
        received.queued.push(queued);
    }
    Ok(())
}

fn note(scope: &Scope<'_>, contact: u32, text: String) -> Result<(), StoreError> {
    let mut strangers = scope.transaction.open_table(STRANGERS)?;
    let at = scope.now.as_millisecond();
    let number = {
        let last = strangers.range((at, 0)..=(at, u32::MAX))?.next_back();
        match last {
            Some(row) => row?.0.value().1.saturating_add(1),
            None => 0,
        }
    };
    let record = StrangerRecord { contact, text };
    strangers.insert((at, number), encode(&record)?.as_slice())?;
    Ok(())
}
