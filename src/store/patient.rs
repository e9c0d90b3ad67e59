//! One patient inside a transaction: load, step, and write all that follows.

use super::records::{
    Address, Attempts, CONTACTS, DayCounts, JOURNAL, JournalRow, OUTBOX, OUTBOX_LATER, OutboxKey,
    OutboxRecord, PATIENTS, PLANS, PatientRecord, PlanRecord, WAKES, decode, encode, journal_day,
    outbox_key,
};
use super::writer::{Claim, Memory, Scope, Unreadable};
use super::{DeliberateFault, Ledger, StoreError, wanted};
use crate::engine::{
    self, CallReason, Context, Decision, DoseState, Entry, ExpiredReason, Fits, IdKey, Input,
    Message, MessageId, News, PatientState, Recipient, Reply, StrangerAlarms,
};
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, Table, WriteTransaction};
use std::sync::Arc;

/// A message in the outbox, ready to be handed to the dispatcher.
#[derive(Clone)]
pub struct Queued {
    /// The patient's number.
    pub patient: u32,
    /// The number of the contact to whom it goes.
    pub contact: u32,
    /// The address of the contact; empty when none can be read.
    pub address: Arc<str>,
    /// The message.
    pub message: Arc<Message>,
    /// What was tried so far.
    pub attempts: Attempts,
    /// Not handed to the API before this instant.
    pub not_before: Timestamp,
}

/// How many doses and check-ins were closed, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Doses by closing state, in the order of [`DoseState::CLOSING`].
    pub doses: [u64; 5],
    /// Expired doses by reason, in the order of [`ExpiredReason::ALL`].
    pub expired: [u64; 9],
    /// Check-ins closed: asked without an answer, not asked, cancelled, answered.
    pub check_ins: [u64; 4],
    /// News for staff and caregivers, in the order of [`News::NAMES`].
    pub told: [u64; News::NAMES.len()],
    /// Patients whose reachability changed: now unreachable minus now reachable.
    pub unreachable: i64,
}

impl Tally {
    fn dose(&mut self, state: DoseState, reason: Option<ExpiredReason>, count: u64) {
        if let Some(index) = DoseState::CLOSING.iter().position(|it| *it == state) {
            self.doses[index] += count;
        }
        if let Some(index) =
            reason.and_then(|reason| ExpiredReason::ALL.iter().position(|it| *it == reason))
        {
            self.expired[index] += count;
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match entry {
            // Each dose once: what corrects it is not counted.
            Entry::DoseClosed(dose) if dose.corrects => {}
            Entry::DoseClosed(dose) => self.dose(dose.state, dose.reason, 1),
            Entry::DosesExpired { due, reason, .. } => {
                self.dose(DoseState::Expired, Some(*reason), due.len() as u64);
            }
            Entry::CheckInClosed {
                cancelled: true, ..
            } => self.check_ins[2] += 1,
            Entry::CheckInClosed { asked: Some(_), .. } => self.check_ins[0] += 1,
            Entry::CheckInClosed { .. } => self.check_ins[1] += 1,
            Entry::AppointmentNotReminded { .. }
            | Entry::PlanApplied { .. }
            | Entry::PlanTextChanged { .. }
            | Entry::PlanEnded
            | Entry::Accepted { .. }
            | Entry::NotAccepted { .. }
            | Entry::DoseReopened { .. }
            | Entry::Snoozed { .. }
            | Entry::SaidNotTaken { .. }
            | Entry::TakenAsNeeded { .. }
            | Entry::AsNeededTooSoon { .. }
            | Entry::Wrote { .. }
            | Entry::ReachChanged { .. }
            | Entry::ConsentGiven { .. }
            | Entry::Advised { .. }
            | Entry::Delivered { .. }
            | Entry::NotDelivered { .. }
            | Entry::CallWanted { .. }
            | Entry::SentInWords { .. }
            | Entry::WordsRefused { .. }
            | Entry::CallDone { .. }
            | Entry::CallOver { .. }
            | Entry::CaregiverReach { .. }
            | Entry::StockCounted { .. }
            | Entry::RefillDue { .. }
            | Entry::Restored { .. }
            | Entry::Erased => {}
            Entry::CheckInAnswered { .. } => self.check_ins[3] += 1,
            Entry::Told { news, .. } => self.note_told(news),
        }
    }

    /// Somebody is told of something, by its name.
    pub(super) fn note_told(&mut self, news: &str) {
        if let Some(index) = News::NAMES.iter().position(|name| *name == news) {
            self.told[index] += 1;
        }
    }

    /// Adds what another step closed.
    pub(super) fn add(&mut self, other: &Tally) {
        let sums = self.doses.iter_mut().zip(other.doses);
        let sums = sums.chain(self.expired.iter_mut().zip(other.expired));
        let sums = sums.chain(self.check_ins.iter_mut().zip(other.check_ins));
        for (sum, more) in sums.chain(self.told.iter_mut().zip(other.told)) {
            *sum += more;
        }
        self.unreachable += other.unreachable;
    }

    /// How many doses expired.
    #[must_use]
    pub fn doses_expired(&self) -> u64 {
        self.expired.iter().sum()
    }
}

/// What a transaction changes beside the tables: applied when its commit has succeeded.
#[derive(Default)]
pub(super) struct Effects {
    pub claimed: Vec<(MessageId, Claim)>,
    pub released: Vec<MessageId>,
    pub ended_groups: Vec<u64>,
    pub later: Vec<(MessageId, i64, Attempts)>,
    pub not_later: Vec<MessageId>,
    pub depth: [i64; 5],
    pub day: u32,
    pub counts: DayCounts,
    /// Patients whom a person must ring, and why.
    pub calls: Vec<(u32, CallReason)>,
    /// Patients whom nobody must ring any more for that.
    pub calls_over: Vec<(u32, CallReason)>,
    /// Contacts that refuse what is sent there, or that are heard again.
    pub staff_refuses: Vec<(u32, bool)>,
    /// Records met that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// The ledger, where it has changed.
    pub ledger: Option<Ledger>,
    /// Of which strangers staff was told lately, where that has changed.
    pub stranger_alarms: Option<StrangerAlarms>,
    /// By which clock ages are told from now on.
    pub ages_by: Option<Timestamp>,
}

/// The tables of a step, opened once a transaction.
pub(super) struct Tables<'t> {
    pub plans: Table<'t, u32, &'static [u8]>,
    pub patients: Table<'t, u32, &'static [u8]>,
    pub wakes: Table<'t, (i64, u32), ()>,
    pub outbox: Table<'t, OutboxKey, &'static [u8]>,
    pub later: Table<'t, (i64, &'static [u8; 16]), &'static [u8]>,
    pub journal: Table<'t, (u32, u32, u32), &'static [u8]>,
    pub contacts: Table<'t, u32, &'static [u8]>,
}

impl<'t> Tables<'t> {
    pub fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            plans: transaction.open_table(PLANS)?,
            patients: transaction.open_table(PATIENTS)?,
            wakes: transaction.open_table(WAKES)?,
            outbox: transaction.open_table(OUTBOX)?,
            later: transaction.open_table(OUTBOX_LATER)?,
            journal: transaction.open_table(JOURNAL)?,
            contacts: transaction.open_table(CONTACTS)?,
        })
    }

    pub fn plan(&self, patient: u32) -> Result<Option<PlanRecord>, StoreError> {
        self.plans
            .get(patient)?
            .map(|row| decode(&PLANS, row.value()))
            .transpose()
    }

    pub fn patient(&self, patient: u32) -> Result<Option<PatientRecord>, StoreError> {
        self.patients
            .get(patient)?
            .map(|row| decode(&PATIENTS, row.value()))
            .transpose()
    }

    pub fn address(&self, contact: u32) -> Result<Option<Address>, StoreError> {
        self.contacts
            .get(contact)?
            .map(|row| decode(&CONTACTS, row.value()))
            .transpose()
    }

    /// The address of a contact; empty when it cannot be read or was deleted: then the message
    /// goes nowhere, and the dispatcher says so.
    pub fn address_text(&self, contact: u32) -> Result<Arc<str>, StoreError> {
        match self.address(contact) {
            Ok(address) => Ok(address.map_or("".into(), |it| it.address.into())),
            Err(StoreError::Record { .. }) => Ok("".into()),
            Err(error) => Err(error),
        }
    }

    /// Writes a patient's record and moves the row in the wake queue.
    pub fn save(
        &mut self,
        patient: u32,
        record: &mut PatientRecord,
        wake_at: Option<i64>,
    ) -> Result<(), StoreError> {
        if record.wake_at != wake_at {
            if let Some(old) = record.wake_at {
                self.wakes.remove((old, patient))?;
            }
            if let Some(new) = wake_at {
                self.wakes.insert((new, patient), ())?;
            }
            record.wake_at = wake_at;
        }
        self.patients.insert(patient, encode(record)?.as_slice())?;
        Ok(())
    }
}

/// A patient being stepped in a transaction, perhaps several times; saved at the end.
pub(super) struct Visit<'v> {
    pub number: u32,
    pub record: PatientRecord,
    /// The contact that the plan in force names.
    pub attested: Option<u32>,
    pub ids: &'v IdKey,
    pub memory: &'v Memory,
    pub fits: &'v dyn Fits,
    pub now: Timestamp,
    pub entries: Vec<Entry>,
    pub queued: Vec<(u32, Message)>,
    pub replies: Vec<Reply>,
    pub wake_at: Option<Timestamp>,
}

impl<'v> Visit<'v> {
    pub fn new(
        scope: &Scope<'v>,
        fits: &'v dyn Fits,
        number: u32,
        record: PatientRecord,
        attested: Option<u32>,
    ) -> Self {
        let wake_at = record
            .wake_at
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Self {
            number,
            record,
            attested,
            ids: scope.ids,
            memory: scope.memory,
            fits,
            now: scope.now,
            entries: Vec::new(),
            queued: Vec::new(),
            replies: Vec::new(),
            wake_at,
        }
    }

    /// Where messages for a recipient go.
    fn contact(&self, plan: &ResolvedPlan, to: &Recipient) -> Option<u32> {
        let in_force = (self.attested, plan);
        wanted::contact_in_force(in_force, &self.record.contacts, &self.memory.desk, to)
    }

    /// Steps the patient and writes what goes to the outbox. State, journal and wake are kept
    /// until [`Visit::finish`].
    pub fn step(
        &mut self,
        tables: &mut Tables<'_>,
        effects: &mut Effects,
        plan: &ResolvedPlan,
        input: Input<'_>,
        tally: &mut Tally,
    ) -> Result<(), StoreError> {
        let claimed: Vec<MessageId> = self
            .record
            .state
            .unsettled
            .iter()
            .map(|key| key.id)
            .filter(|id| self.memory.may_have_left(id))
            .collect();
        let barred = match self.contact(plan, &Recipient::Patient) {
            Some(_) => self.record.contacts.barred,
            None => Some((self.record.contacts.barred).unwrap_or(ExpiredReason::NotEnrolled)),
        };
        let caregivers = self.record.contacts.caregiver_ids();
        let context = Context {
            patient: self.number,
            barred,
            answers: self.memory.desk.answers,
            caregivers: &caregivers,
            staff: &self.memory.desk.members,
            fits: self.fits,
            ids: self.ids,
            claimed: &claimed,
            ages_by: self.memory.ages_by,
        };
        let keeps = self.memory.fault == Some(DeliberateFault::KeepAnswered)
            && matches!(input, Input::Answered { .. });
        let before = self.record.state.unreachable_since.is_some();
        let state = std::mem::replace(&mut self.record.state, PatientState::new(self.now));
        let decision = engine::step(&context, plan, state, input, self.now);
        let Decision {
            state,
            messages,
            withdraw,
            journal,
            replies,
            calls,
            calls_over,
            wake_at,
            doses_due,
        } = decision;
        tally.unreachable += i64::from(state.unreachable_since.is_some()) - i64::from(before);
        self.record.state = state;
        self.wake_at = wake_at;
        self.replies.extend(replies);
        for reason in calls_over {
            // Of the steps of one transaction the last one counts.
            effects.calls.retain(|it| *it != (self.number, reason));
            effects.calls_over.push((self.number, reason));
        }
        effects
            .calls
            .extend(calls.into_iter().map(|reason| (self.number, reason)));
        effects.counts.due += u64::from(doses_due);
        for key in withdraw.iter().filter(|_| !keeps) {
            if tables
                .outbox
                .remove(outbox_key(self.number, key))?
                .is_some()
            {
                effects.depth[key.class as usize] -= 1;
            }
            if let Some((not_before, _)) = self.memory.later.get(&key.id) {
                tables.later.remove((*not_before, &key.id.0))?;
                effects.not_later.push(key.id);
            }
            self.queued.retain(|(_, message)| message.key.id != key.id);
        }
        for mut message in messages {
            if self.memory.fault == Some(DeliberateFault::IgnoreWindow) {
                let later = message
                    .key
                    .deadline
                    .saturating_add(SignedDuration::from_hours(9));
                message.key.deadline = later.unwrap_or(message.key.deadline);
            }
            if let Some(contact) = self.contact(plan, &message.to) {
                let record = OutboxRecord {
                    patient: self.number,
                    contact,
                    message,
                };
                let bytes = encode(&record)?;
                let key = outbox_key(self.number, &record.message.key);
                if tables.outbox.insert(key, bytes.as_slice())?.is_none() {
                    effects.depth[record.message.key.class as usize] += 1;
                }
                self.queued.push((contact, record.message));
            }
        }
        for entry in &journal {
            tally.entry(entry);
        }
        self.entries.extend(journal);
        Ok(())
    }

    /// Writes state, journal and wake, and hands over the messages.
    pub fn finish(
        mut self,
        tables: &mut Tables<'_>,
        queued: &mut Vec<Queued>,
    ) -> Result<(), StoreError> {
        if !self.entries.is_empty() {
            let row = JournalRow {
                at: self.now.as_millisecond(),
                entries: self.entries,
            };
            let key = (journal_day(self.now), self.number, self.record.journal_next);
            tables.journal.insert(key, encode(&row)?.as_slice())?;
            self.record.journal_next += 1;
        }
        let wake_at = self.wake_at.map(Timestamp::as_millisecond);
        tables.save(self.number, &mut self.record, wake_at)?;
        let mut known: Vec<(u32, Arc<str>)> = Vec::new();
        for (contact, message) in self.queued {
            let address = known.iter().find(|(number, _)| *number == contact);
            let address = if let Some((_, address)) = address {
                Arc::clone(address)
            } else {
                let address = tables.address_text(contact)?;
                known.push((contact, Arc::clone(&address)));
                address
            };
            queued.push(Queued {
                patient: self.number,
                contact,
                address,
                attempts: Attempts::default(),
                not_before: message.not_before,
                message: Arc::new(message),
            });
        }
        Ok(())
    }
}
