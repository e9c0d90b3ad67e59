//! The clinic's digest on its way to staff, and messages that are about no patient.

use super::patient::{Effects, Queued, Tables};
use super::records::{Attempts, JOBS, OutboxRecord, encode, outbox_key};
use super::{JobRun, Store, StoreError};
use crate::engine::{Digest, Fits, Message, NOBODY};
use crate::plan::Zone;
use jiff::Timestamp;
use std::sync::Arc;

/// What came of telling a digest.
#[derive(Default)]
pub struct DigestTold {
    /// Messages put into the outbox.
    pub queued: Vec<Queued>,
    /// Members of staff who want it, and to whom the channel can bring no such message.
    pub unfit: usize,
}

impl Store {
    /// Puts a digest into the outbox, one message for each member of staff who wants it, and notes
    /// the job's run as done: one commit, so that after a kill it was either told or is to be told.
    ///
    /// # Errors
    /// The transaction failed; it may be made again, the messages have the same ids.
    pub async fn tell_digest(
        &self,
        now: Timestamp,
        digest: Digest,
        zone: Zone,
        fits: Arc<dyn Fits + Send + Sync>,
        (job, run): (&'static str, JobRun),
    ) -> Result<DigestTold, StoreError> {
        self.write(now, move |scope| {
            let mut tables = Tables::open(scope.transaction)?;
            let mut told = DigestTold::default();
            for member in &scope.memory.desk.members {
                let contact = scope.memory.desk.contact(&member.name);
                let message = digest.for_member(member, &zone, scope.ids);
                let (Some(contact), Some(message)) = (contact, message) else {
                    continue;
                };
                if !fits.fits(&message.addressee, &message.body) {
                    told.unfit += 1;
                    continue;
                }
                let queued = for_nobody(&mut scope.effects, &mut tables, contact, message)?;
                told.queued.push(queued);
            }
            let mut jobs = scope.transaction.open_table(JOBS)?;
            jobs.insert(job, encode(&run)?.as_slice())?;
            Ok(told)
        })
        .await
    }
}

/// Puts a message into the outbox that is about no patient: nobody's record waits for what comes of
/// it.
pub(super) fn for_nobody(
    effects: &mut Effects,
    tables: &mut Tables<'_>,
    contact: u32,
    message: Message,
) -> Result<Queued, StoreError> {
    let record = OutboxRecord {
        patient: NOBODY,
        contact,
        message,
    };
    let bytes = encode(&record)?;
    let key = outbox_key(NOBODY, &record.message.key);
    if tables.outbox.insert(key, bytes.as_slice())?.is_none() {
        effects.depth[record.message.key.class as usize] += 1;
    }
    Ok(Queued {
        patient: NOBODY,
        contact,
        address: tables.address_text(contact)?,
        attempts: Attempts::default(),
        not_before: record.message.not_before,
        message: Arc::new(record.message),
    })
}
