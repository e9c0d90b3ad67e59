//! Reading: history and names, from a snapshot, beside the daemon or without it.

use super::check_ins::{CheckInLine, CheckIns};
use super::records::{
    CALLS, CallRecord, JOURNAL, JournalRow, META, PATIENT_IDS, PATIENT_SLUGS, PATIENTS, PLANS,
    PatientRecord, PlanRecord, STRANGERS, StrangerRecord, decode, journal_day,
};
use super::{Store, StoreError};
use crate::engine::{
    About, CallReason, ClosedDose, DoseState, Entry, ExpiredReason, GivenAnswer, IdKey, MessageId,
    OpenDose,
};
use jiff::Timestamp;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, TableHandle};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Snapshots of a store, for reports.
pub struct Reader {
    of: Of,
    unreadable: AtomicU64,
}

/// Where snapshots come from.
enum Of {
    /// A file, whether another process writes it or not.
    File(redb::ReadOnlyDatabase),
    /// The write side in this process.
    Store(Store),
    /// One that was taken, for all that is read.
    Moment(Arc<ReadTransaction>),
}

/// One dose, as `dosed history` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoseLine {
    /// The patient's id.
    pub patient: String,
    /// The medication's id.
    pub medication: String,
    /// The scheduled instant.
    pub due: Timestamp,
    /// `take`.
    pub amount: String,
    /// Its state, the last one where it was corrected.
    pub state: DoseState,
    /// Why it expired.
    pub reason: Option<ExpiredReason>,
    /// When the API took the first reminder.
    pub reminded: Option<Timestamp>,
    /// A reminder was sent and no answer was read.
    pub in_doubt: bool,
    /// Messages about it that were accepted or are in doubt.
    pub messages: Vec<MessageId>,
    /// What was said of it.
    pub answer: Option<GivenAnswer>,
}

/// One journal entry with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalLine {
    /// The patient's id.
    pub patient: String,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub entry: Entry,
}

/// A patient whom a person is to ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLine {
    /// The patient's id.
    pub patient: String,
    /// The patient's name; `None` where no plan is in force.
    pub name: Option<String>,
    /// Why.
    pub reason: CallReason,
    /// When there was a reason first.
    pub since: Timestamp,
    /// When there was a reason last.
    pub last: Timestamp,
    /// Who looks after the patient, in the order of the plan.
    pub caregivers: Vec<CallCaregiver>,
}

/// A caregiver of a patient whom a person is to ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCaregiver {
    /// The id in the plan.
    pub id: String,
    /// The name.
    pub name: String,
    /// What they are to the patient.
    pub relation: String,
    /// Whether news can go to them.
    pub reached: bool,
}

/// Words of somebody whom nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrangerLine {
    /// When.
    pub at: Timestamp,
    /// Tells one stranger from another.
    pub contact: u32,
    /// The words.
    pub text: String,
}

impl Reader {
    pub(super) fn of_file(database: redb::ReadOnlyDatabase) -> Self {
        Self {
            of: Of::File(database),
            unreadable: AtomicU64::new(0),
        }
    }

    /// Snapshots beside the write side, in its process. Whoever asks waits for at most the commit
    /// that is under way: to be asked on threads that may wait.
    #[must_use]
    pub fn of_store(store: &Store) -> Self {
        Self {
            of: Of::Store(store.clone()),
            unreadable: AtomicU64::new(0),
        }
    }

    /// Rows that the calls so far have left out because they cannot be read.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Reads all from one snapshot that is taken now: what is read is of one moment, and the write
    /// side is asked once. For a page's worth; while one is held, the file of a daemon that writes
    /// grows.
    ///
    /// # Errors
    /// The read failed.
    pub fn of_this_moment(&self) -> Result<Self, StoreError> {
        Ok(Self {
            of: Of::Moment(self.snapshot()?),
            unreadable: AtomicU64::new(0),
        })
    }

    pub(super) fn snapshot(&self) -> Result<Arc<ReadTransaction>, StoreError> {
        match &self.of {
            Of::File(database) => Ok(Arc::new(database.begin_read()?)),
            Of::Store(store) => store.snapshot().map(Arc::new),
            Of::Moment(snapshot) => Ok(Arc::clone(snapshot)),
        }
    }

    /// The record, or `None` and one more that cannot be read.
    pub(super) fn readable<T>(&self, record: Result<T, StoreError>) -> Option<T> {
        if record.is_err() {
            self.unreadable.fetch_add(1, Ordering::Relaxed);
        }
        record.ok()
    }

    /// The doses due in the half-open range, ordered by instant, patient and medication: the
    /// closed ones from the journal, the open ones from the patients' states.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn doses(
        &self,
        patient: Option<&str>,
        from: Timestamp,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DoseLine>, StoreError> {
        let read = self.written_from(0, patient, (from, until), now);
        read.map(|(doses, _)| doses)
    }

    /// The doses of all patients due in the half-open range, as [`Reader::doses`] has them, and
    /// the check-ins, from the days of the journal since the hour before that range only: for what
    /// was due lately.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn recent(
        &self,
        from: Timestamp,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(Vec<DoseLine>, Vec<CheckInLine>), StoreError> {
        // A dose is closed no earlier than a few seconds ahead of its instant; the hour is for a
        // clock that was set back a little.
        let since = from.saturating_sub(jiff::SignedDuration::from_hours(1));
        let day = journal_day(since.unwrap_or(Timestamp::MIN));
        self.written_from(day, None, (from, until), now)
    }

    fn written_from(
        &self,
        day: u32,
        patient: Option<&str>,
        (from, until): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<(Vec<DoseLine>, Vec<CheckInLine>), StoreError> {
        let snapshot = self.snapshot()?;
        let names = Names::read(&snapshot, patient)?;
        let mut check_ins = CheckIns::new(from, until);
        let mut doses: HashMap<(u32, String, Timestamp), (u32, DoseLine)> = HashMap::new();
        let within = |due: Timestamp| from <= due && due < until;
        self.each_entry(&snapshot, day, &names, |number, seq, name, at, entry| {
            check_ins.note((number, name), (seq, at), &entry);
            // A message that is settled after its dose was closed: what came of it is the dose's.
            if let Some((message, accepted, about)) = outcome_of(&entry) {
                for it in about.iter().filter(|it| within(it.due.0)) {
                    let key = (number, it.id.clone(), it.due.0);
                    if let Some((_, line)) = doses.get_mut(&key) {
                        line.learn(message, accepted);
                    }
                }
            }
            for dose in closed_doses(entry) {
                if within(dose.due.0) {
                    let key = (number, dose.medication.clone(), dose.due.0);
                    // By number, not by day: the clock may have been set back in between.
                    if doses.get(&key).is_none_or(|(known, _)| *known <= seq) {
                        doses.insert(key, (seq, DoseLine::closed(name, dose)));
                    }
                }
            }
        })?;
        let patients = snapshot.open_table(PATIENTS)?;
        for row in patients.iter()? {
            let (number, record) = row?;
            let Some(name) = names.of(number.value()) else {
                continue;
            };
            let record = decode::<PatientRecord>(&PATIENTS, record.value());
            let Some(record) = self.readable(record) else {
                continue;
            };
            check_ins.waits((number.value(), name), &record.state.prompts, now);
            for dose in record.state.doses {
                // Stepped ahead of its instant it is only planned.
                if within(dose.due) && dose.due <= now {
                    let key = (number.value(), dose.medication.clone(), dose.due);
                    let line = |dose: OpenDose| DoseLine {
                        patient: name.to_owned(),
                        medication: dose.medication,
                        due: dose.due,
                        amount: dose.amount,
                        state: DoseState::Open,
                        reason: None,
                        reminded: dose.sending.accepted_at,
                        in_doubt: dose.sending.in_doubt,
                        messages: dose.sending.messages,
                        answer: None,
                    };
                    // One that was closed by mistake waits again.
                    doses.insert(key, (0, line(dose)));
                }
            }
        }
        let mut lines: Vec<DoseLine> = doses.into_values().map(|(_, line)| line).collect();
        lines.sort_unstable_by(|a, b| {
            (a.due, &a.patient, &a.medication).cmp(&(b.due, &b.patient, &b.medication))
        });
        Ok((lines, check_ins.into_lines()))
    }

    /// The raw entries written in the half-open range, in the order of writing by patient and
    /// day.
    ///
    /// # Errors
    /// The read failed, or a record cannot be read.
    pub fn journal(
        &self,
        patient: Option<&str>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<JournalLine>, StoreError> {
        let snapshot = self.snapshot()?;
        let names = Names::read(&snapshot, patient)?;
        let mut lines = Vec::new();
        self.each_entry(&snapshot, 0, &names, |_, _, name, at, entry| {
            if from <= at && at < until {
                lines.push(JournalLine {
                    patient: name.to_owned(),
                    at,
                    entry,
                });
            }
        })?;
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }

    /// Whom a person is to ring, those who have waited longest first.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn calls(&self) -> Result<Vec<CallLine>, StoreError> {
        let snapshot = self.snapshot()?;
        let names = Names::read(&snapshot, None)?;
        let mut people: HashMap<u32, (Option<String>, Vec<CallCaregiver>)> = HashMap::new();
        let instant = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut lines = Vec::new();
        for row in snapshot.open_table(CALLS)?.iter()? {
            let (key, record) = row?;
            let (number, reason) = key.value();
            let reason = CallReason::ALL.get(usize::from(reason)).copied();
            let reason = reason.ok_or_else(|| StoreError::Record {
                table: CALLS.name().to_owned(),
                version: 0,
            });
            let decoded = |reason| Ok((reason, decode::<CallRecord>(&CALLS, record.value())?));
            let call = self.readable(reason.and_then(decoded));
            if let (Some(id), Some((reason, record))) = (names.of(number), call) {
                let known = people.get(&number).cloned();
                let (name, caregivers) = match known {
                    Some(known) => known,
                    None => self.around(&snapshot, number)?,
                };
                people.insert(number, (name.clone(), caregivers.clone()));
                lines.push(CallLine {
                    patient: id.to_owned(),
                    name,
                    reason,
                    since: instant(record.since),
                    last: instant(record.last),
                    caregivers,
                });
            }
        }
        lines.sort_by(|a, b| (a.since, &a.patient).cmp(&(b.since, &b.patient)));
        Ok(lines)
    }

    /// A patient's name and caregivers, as the plan in force has them.
    fn around(
        &self,
        snapshot: &ReadTransaction,
        patient: u32,
    ) -> Result<(Option<String>, Vec<CallCaregiver>), StoreError> {
        let plan = snapshot.open_table(PLANS)?.get(patient)?;
        let plan = plan.map(|row| decode::<PlanRecord>(&PLANS, row.value()));
        let Some(plan) = plan.and_then(|plan| self.readable(plan)) else {
            return Ok((None, Vec::new()));
        };
        let record = snapshot.open_table(PATIENTS)?.get(patient)?;
        let record = record.map(|row| decode::<PatientRecord>(&PATIENTS, row.value()));
        let record = record.and_then(|record| self.readable(record));
        let reached = record.map_or(Vec::new(), |it| it.contacts.caregiver_ids());
        let caregivers = plan.plan.caregivers.into_iter().map(|it| CallCaregiver {
            reached: reached.contains(&it.id),
            id: it.id,
            name: it.name,
            relation: it.relation,
        });
        Ok((Some(plan.plan.name), caregivers.collect()))
    }

    /// What people wrote whom nobody knows, in the half-open range, in the order of time.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn strangers(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<StrangerLine>, StoreError> {
        let snapshot = self.snapshot()?;
        let mut lines = Vec::new();
        let (from, until) = (from.as_millisecond(), until.as_millisecond());
        for row in snapshot
            .open_table(STRANGERS)?
            .range((from, 0)..(until, 0))?
        {
            let (key, record) = row?;
            let record = self.readable(decode::<StrangerRecord>(&STRANGERS, record.value()));
            let at = Timestamp::from_millisecond(key.value().0);
            if let (Some(record), Ok(at)) = (record, at) {
                lines.push(StrangerLine {
                    at,
                    contact: record.contact,
                    text: record.text,
                });
            }
        }
        Ok(lines)
    }

    /// The ids of all patients who ever had a plan.
    ///
    /// # Errors
    /// The read failed.
    pub fn patients(&self) -> Result<Vec<String>, StoreError> {
        let snapshot = self.snapshot()?;
        let mut ids = Vec::new();
        for row in snapshot.open_table(PATIENT_IDS)?.iter()? {
            ids.push(row?.0.value().to_owned());
        }
        Ok(ids)
    }

    /// True if a patient of this id was ever applied.
    ///
    /// # Errors
    /// The read failed.
    pub fn knows(&self, patient: &str) -> Result<bool, StoreError> {
        let snapshot = self.snapshot()?;
        Ok(snapshot.open_table(PATIENT_IDS)?.get(patient)?.is_some())
    }

    /// The id of the patient with this pseudonym.
    ///
    /// # Errors
    /// The read failed.
    pub fn who(&self, wanted: &str) -> Result<Option<String>, StoreError> {
        let snapshot = self.snapshot()?;
        let ids = id_key(&snapshot)?;
        for row in snapshot.open_table(PATIENT_SLUGS)?.iter()? {
            let (number, slug) = row?;
            if pseudonym(&ids, number.value()) == wanted {
                return Ok(Some(slug.value().to_owned()));
            }
        }
        Ok(None)
    }

    /// Where the daemon that ran last on this store listens, as it left it (JSON).
    ///
    /// # Errors
    /// The read failed.
    pub fn endpoints(&self) -> Result<Option<String>, StoreError> {
        let snapshot = self.snapshot()?;
        let meta = snapshot.open_table(META)?;
        let row = meta.get(super::notes::ENDPOINTS)?;
        Ok(row.and_then(|row| String::from_utf8(row.value().to_vec()).ok()))
    }
}

/// The message of an entry that says what came of it, when it was accepted (`None` when it is in
/// doubt), and what it was about.
fn outcome_of(entry: &Entry) -> Option<(MessageId, Option<Timestamp>, &[About])> {
    match entry {
        Entry::Accepted { message, at, about } => Some((*message, Some(at.0), about)),
        Entry::NotAccepted {
            message,
            reason: None,
            about,
        } => Some((*message, None, about)),
        _ => None,
    }
}

impl DoseLine {
    /// A message about it left.
    fn learn(&mut self, message: MessageId, accepted: Option<Timestamp>) {
        if self.messages.contains(&message) {
            return;
        }
        self.messages.push(message);
        match accepted {
            Some(at) => {
                self.reminded.get_or_insert(at);
            }
            None => self.in_doubt = true,
        }
    }

    fn closed(patient: &str, dose: ClosedDose) -> Self {
        Self {
            patient: patient.to_owned(),
            medication: dose.medication,
            due: dose.due.0,
            amount: dose.amount,
            state: dose.state,
            reason: dose.reason,
            reminded: dose.reminded.map(|at| at.0),
            in_doubt: dose.in_doubt,
            messages: dose.messages,
            answer: dose.answer,
        }
    }
}

/// The closing states that an entry holds; a run of expired doses is spelled out.
fn closed_doses(entry: Entry) -> Vec<ClosedDose> {
    match entry {
        Entry::DoseClosed(dose) => vec![dose],
        Entry::DosesExpired {
            medication,
            amount,
            due,
            reason,
        } => due
            .into_iter()
            .map(|due| ClosedDose {
                medication: medication.clone(),
                amount: amount.clone(),
                due,
                on_time_until: due,
                state: DoseState::Expired,
                reason: Some(reason),
                reminded: None,
                in_doubt: false,
                messages: Vec::new(),
                answer: None,
                corrects: false,
            })
            .collect(),
        Entry::PlanApplied { .. }
        | Entry::PlanTextChanged { .. }
        | Entry::PlanEnded
        | Entry::Accepted { .. }
        | Entry::NotAccepted { .. }
        | Entry::AppointmentNotReminded { .. }
        | Entry::CheckInClosed { .. }
        | Entry::DoseReopened { .. }
        | Entry::Snoozed { .. }
        | Entry::SaidNotTaken { .. }
        | Entry::TakenAsNeeded { .. }
        | Entry::AsNeededTooSoon { .. }
        | Entry::CheckInAnswered { .. }
        | Entry::Wrote { .. }
        | Entry::ReachChanged { .. }
        | Entry::ConsentGiven { .. }
        | Entry::Advised { .. }
        | Entry::Delivered { .. }
        | Entry::NotDelivered { .. }
        | Entry::Told { .. }
        | Entry::CallWanted { .. }
        | Entry::SentInWords { .. }
        | Entry::WordsRefused { .. }
        | Entry::CallDone { .. }
        | Entry::CallOver { .. }
        | Entry::CaregiverReach { .. }
        | Entry::StockCounted { .. }
        | Entry::RefillDue { .. }
        | Entry::Restored { .. }
        | Entry::Erased => Vec::new(),
    }
}

/// The ids of one patient or of all.
struct Names(HashMap<u32, String>);

impl Names {
    fn read(snapshot: &ReadTransaction, patient: Option<&str>) -> Result<Self, StoreError> {
        let mut names = HashMap::new();
        if let Some(patient) = patient {
            if let Some(row) = snapshot.open_table(PATIENT_IDS)?.get(patient)? {
                names.insert(row.value(), patient.to_owned());
            }
        } else {
            for row in snapshot.open_table(PATIENT_SLUGS)?.iter()? {
                let (number, slug) = row?;
                names.insert(number.value(), slug.value().to_owned());
            }
        }
        Ok(Self(names))
    }

    fn of(&self, number: u32) -> Option<&str> {
        self.0.get(&number).map(String::as_str)
    }
}

impl Reader {
    /// Calls `visit` with patient, number of the row, name, instant and entry of all that was
    /// written from a day on.
    fn each_entry(
        &self,
        snapshot: &ReadTransaction,
        from_day: u32,
        names: &Names,
        mut visit: impl FnMut(u32, u32, &str, Timestamp, Entry),
    ) -> Result<(), StoreError> {
        let journal = snapshot.open_table(JOURNAL)?;
        for row in journal.range((from_day, 0, 0)..)? {
            let (key, row) = row?;
            let (_, number, seq) = key.value();
            let Some(name) = names.of(number) else {
                continue;
            };
            let Some(row) = self.readable(decode::<JournalRow>(&JOURNAL, row.value())) else {
                continue;
            };
            let at = Timestamp::from_millisecond(row.at).unwrap_or(Timestamp::UNIX_EPOCH);
            for entry in row.entries {
                visit(number, seq, name, at, entry);
            }
        }
        Ok(())
    }
}

pub(super) fn id_key(snapshot: &ReadTransaction) -> Result<IdKey, StoreError> {
    let meta = snapshot.open_table(META)?;
    let row = meta.get("id_key")?;
    let bytes = row.and_then(|row| <[u8; 32]>::try_from(row.value()).ok());
    bytes
        .map(|bytes| IdKey::new(&bytes))
        .ok_or_else(|| StoreError::Record {
            table: "meta".to_owned(),
            version: 0,
        })
}

/// `p-` and eight letters and digits of a keyed hash over the patient's number.
pub(super) fn pseudonym(ids: &IdKey, patient: u32) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = ids.hash([&b"pseudonym"[..], &patient.to_le_bytes()]);
    let digits = hash[..8]
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte & 31)]));
    "p-".chars().chain(digits).collect()
}
