//! Reports of the channel on messages that it had taken, each joined to its message.

use super::StoreError;
use super::patient::{Queued, Tables, Tally, Visit};
use super::records::{
    DELIVERIES, DELIVERY_TIMES, DeliveryRecord, OutboxRecord, TakenRecord, decode, encode,
};
use super::writer::Scope;
use crate::engine::{Body, Delivery, Fits, Input, Recipient};
use redb::{ReadableTable, Table, WriteTransaction};

/// So many are forgotten in one transaction at most.
const FORGOTTEN_MAX: usize = 2_000;

/// The tables of reports, opened once a transaction.
pub(super) struct Awaited<'t> {
    messages: Table<'t, i64, &'static [u8]>,
    times: Table<'t, (i64, i64), ()>,
}

impl<'t> Awaited<'t> {
    pub fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            messages: transaction.open_table(DELIVERIES)?,
            times: transaction.open_table(DELIVERY_TIMES)?,
        })
    }

    /// A message was taken under this number. What was reported of it already is given back, for its
    /// patient; else it is waited for.
    pub fn report_of(
        &mut self,
        scope: &Scope<'_>,
        number: i64,
        record: &OutboxRecord,
    ) -> Result<Option<(TakenRecord, Delivery)>, StoreError> {
        let taken = TakenRecord {
            patient: record.patient,
            message: record.message.key.id,
            to: record.message.to.clone(),
            contact: record.contact,
            advice: matches!(record.message.body, Body::Notice(_)),
        };
        let known = self
            .messages
            .get(number)?
            .and_then(|row| decode::<DeliveryRecord>(&DELIVERIES, row.value()).ok());
        if let Some(DeliveryRecord::Reported(delivery)) = known {
            // Its row in the order of time goes with the others of its age.
            self.messages.remove(number)?;
            return Ok(Some((taken, delivery)));
        }
        let bytes = encode(&DeliveryRecord::Taken(taken))?;
        self.messages.insert(number, bytes.as_slice())?;
        self.note_time(scope, number)?;
        Ok(None)
    }

    fn note_time(&mut self, scope: &Scope<'_>, number: i64) -> Result<(), StoreError> {
        let key = (scope.now.as_millisecond(), number);
        self.times.insert(key, ())?;
        Ok(())
    }
}

/// The channel reports of a message. One that is not known to be taken yet is kept until it is.
pub(super) fn reported(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    effects: (&mut Vec<Queued>, &mut Tally),
    fits: &dyn Fits,
    number: i64,
    delivery: Delivery,
) -> Result<(), StoreError> {
    let known = {
        let mut awaited = Awaited::open(scope.transaction)?;
        let known = awaited
            .messages
            .get(number)?
            .and_then(|row| decode::<DeliveryRecord>(&DELIVERIES, row.value()).ok());
        match known {
            Some(DeliveryRecord::Taken(taken)) => {
                awaited.messages.remove(number)?;
                Some(taken)
            }
            // Of two reports of one message the first counts.
            Some(DeliveryRecord::Reported(_)) => None,
            None => {
                let bytes = encode(&DeliveryRecord::Reported(delivery))?;
                awaited.messages.insert(number, bytes.as_slice())?;
                awaited.note_time(scope, number)?;
                None
            }
        }
    };
    let Some(taken) = known else {
        return Ok(());
    };
    let (queued, tally) = effects;
    let Some((plan, record)) = super::receive::load(scope, tables, taken.patient)? else {
        // The plan has ended: nobody is reminded any more.
        return Ok(());
    };
    let mut visit = Visit::new(scope, fits, taken.patient, record, plan.head.contact);
    visit.step(
        tables,
        &mut scope.effects,
        &plan.plan,
        taken.as_input(delivery),
        tally,
    )?;
    visit.finish(tables, queued)?;
    if delivery == Delivery::Refused && taken.to != Recipient::Patient {
        super::refusals::note(scope, tables, (queued, tally), fits, taken.contact)?;
    }
    Ok(())
}

impl TakenRecord {
    /// What is reported of it, for the patient's step.
    pub fn as_input(&self, delivery: Delivery) -> Input<'_> {
        Input::Delivered {
            message: self.message,
            to: &self.to,
            advice: self.advice,
            delivery,
        }
    }
}

/// Forgets messages of which no report comes any more, a few at a time: a report is awaited for 48
/// hours.
pub(super) fn forget(scope: &Scope<'_>) -> Result<(), StoreError> {
    let Some(horizon) = scope.too_old() else {
        return Ok(());
    };
    let mut times = scope.transaction.open_table(DELIVERY_TIMES)?;
    let mut over = Vec::new();
    for row in times
        .range(..(horizon.as_millisecond(), i64::MIN))?
        .take(FORGOTTEN_MAX)
    {
        over.push(row?.0.value());
    }
    if over.is_empty() {
        return Ok(());
    }
    let mut table = scope.transaction.open_table(DELIVERIES)?;
    for key in over {
        times.remove(key)?;
        table.remove(key.1)?;
    }
    Ok(())
}
