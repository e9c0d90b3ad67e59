//! Transaction 1: step all patients whose wake has come.

use super::patient::{Queued, Tables, Tally, Visit};
use super::records::WAKES;
use super::{Store, StoreError};
use crate::engine::{ExpiredReason, Fits, Input};
use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, ReadableTableMetadata};
use std::sync::Arc;

/// A patient whose record cannot be read is looked at again after this.
const BROKEN_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What a firing did.
#[derive(Default)]
pub struct Fired {
    /// Patients stepped.
    pub stepped: usize,
    /// Messages put into the outbox.
    pub queued: Vec<Queued>,
    /// Doses and check-ins closed.
    pub tally: Tally,
    /// The earliest wake that is left.
    pub next_wake: Option<Timestamp>,
    /// Patients whose record cannot be read; they are tried again later.
    pub broken: u32,
}

impl Store {
    /// Steps at most `limit` patients whose wake is at or before `now`, the longest waiting
    /// first, and commits state, outbox, journal and next wakes of all of them at once.
    ///
    /// `overdue` is why a window may have passed unseen; `day` is the clinic's day, in days since
    /// 1970, for the counts.
    ///
    /// # Errors
    /// The transaction failed; it may be made again.
    pub async fn fire(
        &self,
        now: Timestamp,
        limit: usize,
        overdue: ExpiredReason,
        fits: Arc<dyn Fits + Send + Sync>,
        day: u32,
    ) -> Result<Fired, StoreError> {
        self.write(now, move |scope| {
            scope.effects.day = day;
            let mut tables = Tables::open(scope.transaction)?;
            let mut fired = Fired::default();
            let mut due = Vec::new();
            for row in tables
                .wakes
                .range(..=(now.as_millisecond(), u32::MAX))?
                .take(limit)
            {
                due.push(row?.0.value());
            }
            // In the order of the patients' keys, so that rows of neighbours are met together.
            due.sort_unstable_by_key(|(_, patient)| *patient);
            for (wake, patient) in due {
                let loaded = tables
                    .patient(patient)
                    .and_then(|record| Ok((record, tables.plan(patient)?)));
                let (mut record, plan) = match loaded {
                    Ok((Some(record), Some(plan))) => (record, plan),
                    Ok((record, _)) => {
                        // No plan is in force: nothing can fall.
                        tables.wakes.remove((wake, patient))?;
                        if let Some(mut record) = record {
                            tables.save(patient, &mut record, None)?;
                        }
                        continue;
                    }
                    Err(StoreError::Record { .. }) => {
                        let again = now.saturating_add(BROKEN_AGAIN).unwrap_or(Timestamp::MAX);
                        tables.wakes.remove((wake, patient))?;
                        tables.wakes.insert((again.as_millisecond(), patient), ())?;
                        scope
                            .effects
                            .unreadable
                            .push(("patients", u64::from(patient)));
                        fired.broken += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                if record.wake_at != Some(wake) {
                    // A row of a time in which the record could not be read: it is not the
                    // record's own, which would not take it away.
                    tables.wakes.remove((wake, patient))?;
                    if let Some(own) = record.wake_at.take() {
                        tables.wakes.remove((own, patient))?;
                    }
                }
                let mut visit =
                    Visit::new(scope, fits.as_ref(), patient, record, plan.head.contact);
                visit.step(
                    &mut tables,
                    &mut scope.effects,
                    &plan.plan,
                    Input::Wake { overdue },
                    &mut fired.tally,
                )?;
                visit.finish(&mut tables, &mut fired.queued)?;
                fired.stepped += 1;
            }
            scope.effects.counts.expired += fired.tally.doses_expired();
            fired.next_wake = match tables.wakes.first()? {
                Some((key, _)) => Timestamp::from_millisecond(key.value().0).ok(),
                None => None,
            };
            Ok(fired)
        })
        .await
    }

    /// The earliest wake, and how many patients sleep.
    ///
    /// # Errors
    /// The read failed.
    pub async fn next_wake(&self) -> Result<(Option<Timestamp>, u64), StoreError> {
        self.read(|snapshot, _| {
            let wakes = snapshot.open_table(WAKES)?;
            let first = wakes.first()?;
            let first = first.and_then(|(key, _)| Timestamp::from_millisecond(key.value().0).ok());
            Ok((first, wakes.len()?))
        })
        .await
    }
}
