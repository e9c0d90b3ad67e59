//! The call list: whom a person is to ring, and who has been rung.

use super::apply::journal;
use super::patient::{Tables, Tally, Visit};
use super::records::{CALLS, CallRecord, PATIENT_IDS, decode, encode};
use super::writer::Scope;
use super::{Store, StoreError};
use crate::engine::{Adviser, CallReason, Entry, Fits, Input};
use jiff::Timestamp;
use redb::{ReadableTable, WriteTransaction};
use std::sync::Arc;

/// Somebody has seen to a patient who is on the call list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTo {
    /// The patient's id.
    pub patient: String,
    /// For which reason; `None` for all.
    pub reason: Option<CallReason>,
    /// What came of it; may be empty.
    pub note: String,
    /// Who.
    pub by: Adviser,
}

/// What came of taking somebody off the call list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// They are off it, for these reasons.
    Done(Vec<CallReason>),
    /// They are not on it, or not for that reason.
    NotListed,
    /// There never was a plan of this patient.
    NoPatient,
}

impl Store {
    /// Takes a patient off the call list, with an entry in the journal.
    ///
    /// # Errors
    /// The transaction failed; it may be made again.
    pub async fn end_call(
        &self,
        now: Timestamp,
        seen_to: SeenTo,
        fits: Arc<dyn Fits + Send + Sync>,
        day: u32,
    ) -> Result<CallEnd, StoreError> {
        self.write(now, move |scope| {
            scope.effects.day = day;
            let number = {
                let ids = scope.transaction.open_table(PATIENT_IDS)?;
                ids.get(seen_to.patient.as_str())?.map(|row| row.value())
            };
            let Some(number) = number else {
                return Ok(CallEnd::NoPatient);
            };
            let reasons = take_off(scope, number, seen_to.reason)?;
            if reasons.is_empty() {
                return Ok(CallEnd::NotListed);
            }
            note(scope, number, &reasons, &seen_to, fits.as_ref())?;
            Ok(CallEnd::Done(reasons))
        })
        .await
    }
}

/// Removes the rows of a patient; for which reasons there were any.
fn take_off(
    scope: &Scope<'_>,
    number: u32,
    reason: Option<CallReason>,
) -> Result<Vec<CallReason>, StoreError> {
    let mut calls = scope.transaction.open_table(CALLS)?;
    let mut reasons = Vec::new();
    for it in CallReason::ALL {
        let meant = reason.is_none_or(|reason| reason == it);
        if meant && calls.remove((number, it as u8))?.is_some() {
            reasons.push(it);
        }
    }
    Ok(reasons)
}

/// Lets the patient's step know, and the journal; a patient whose plan has ended has the journal
/// only.
fn note(
    scope: &mut Scope<'_>,
    number: u32,
    reasons: &[CallReason],
    seen_to: &SeenTo,
    fits: &dyn Fits,
) -> Result<(), StoreError> {
    let mut tables = Tables::open(scope.transaction)?;
    if let Some((plan, record)) = super::receive::load(scope, &tables, number)? {
        let mut visit = Visit::new(scope, fits, number, record, plan.head.contact);
        let input = Input::CallDone {
            reasons,
            note: &seen_to.note,
            by: &seen_to.by,
        };
        // It closes nothing and sends nothing.
        let mut tally = Tally::default();
        visit.step(
            &mut tables,
            &mut scope.effects,
            &plan.plan,
            input,
            &mut tally,
        )?;
        return visit.finish(&mut tables, &mut Vec::new());
    }
    let Some(mut record) = tables.patient(number)? else {
        return Ok(());
    };
    let entry = Entry::CallDone {
        reasons: reasons.to_vec(),
        note: seen_to.note.clone(),
        by: seen_to.by.clone(),
    };
    journal(scope, &mut tables, number, &mut record, vec![entry])?;
    let wake_at = record.wake_at;
    tables.save(number, &mut record, wake_at)
}

/// Puts patients whom a person must ring on the list, or notes that there is a reason again; takes
/// those off it for whom there is none any more.
pub(super) fn write(
    transaction: &WriteTransaction,
    wanted: &[(u32, CallReason)],
    over: &[(u32, CallReason)],
    now: Timestamp,
) -> Result<(), StoreError> {
    if wanted.is_empty() && over.is_empty() {
        return Ok(());
    }
    let mut calls = transaction.open_table(CALLS)?;
    for (patient, reason) in over {
        calls.remove((*patient, *reason as u8))?;
    }
    let last = now.as_millisecond();
    for (patient, reason) in wanted {
        let key = (*patient, *reason as u8);
        let known = calls
            .get(key)?
            .and_then(|row| decode::<CallRecord>(&CALLS, row.value()).ok());
        let since = known.map_or(last, |known| known.since);
        calls.insert(key, encode(&CallRecord { since, last })?.as_slice())?;
    }
    Ok(())
}
