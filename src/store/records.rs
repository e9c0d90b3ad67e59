//! Tables and records. Every record carries the version of its format as its first byte.

use super::StoreError;
use crate::engine::{
    Delivery, Entry, ExpiredReason, Message, MessageId, OutboxRef, PatientState, Recipient, Teller,
};
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};
use redb::{TableDefinition, TableHandle};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Version of the set of tables. A store with a higher one is refused.
pub const SCHEMA: u32 = 5;

/// Version of each record's format, its first byte.
const RECORD: u8 = 5;

pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
pub(super) const PATIENT_IDS: TableDefinition<&str, u32> = TableDefinition::new("patient_ids");
pub(super) const PATIENT_SLUGS: TableDefinition<u32, &str> = TableDefinition::new("patient_slugs");
pub(super) const PLANS: TableDefinition<u32, &[u8]> = TableDefinition::new("plans");
pub(super) const PLAN_HISTORY: TableDefinition<(u32, u32), &[u8]> =
    TableDefinition::new("plan_history");
pub(super) const PATIENTS: TableDefinition<u32, &[u8]> = TableDefinition::new("patients");
pub(super) const WAKES: TableDefinition<(i64, u32), ()> = TableDefinition::new("wakes");
pub(super) const OUTBOX: TableDefinition<OutboxKey, &[u8]> = TableDefinition::new("outbox");
pub(super) const OUTBOX_LATER: TableDefinition<(i64, &[u8; 16]), &[u8]> =
    TableDefinition::new("outbox_later");
pub(super) const ATTEMPTS: TableDefinition<u64, &[u8]> = TableDefinition::new("attempts");
pub(super) const JOURNAL: TableDefinition<(u32, u32, u32), &[u8]> = TableDefinition::new("journal");
pub(super) const CONTACTS: TableDefinition<u32, &[u8]> = TableDefinition::new("contacts");
pub(super) const CONTACT_NUMBERS: TableDefinition<&str, u32> =
    TableDefinition::new("contact_numbers");
pub(super) const CONVERSATIONS: TableDefinition<u32, &[u8]> = TableDefinition::new("conversations");
/// (contact, patient): what the contact is to the patient.
pub(super) const CONTACT_PATIENTS: TableDefinition<(u32, u32), &[u8]> =
    TableDefinition::new("contact_patients");
/// (patient, contact): who answered for a patient before and does not any more.
pub(super) const FORMER_CONTACTS: TableDefinition<(u32, u32), ()> =
    TableDefinition::new("former_contacts");
/// Keyed hashes of addresses that were deleted: to the contact that they were.
pub(super) const UNFOLLOWED: TableDefinition<&[u8; 16], u32> = TableDefinition::new("unfollowed");
/// Keyed hash of a code's secret: for whom it is.
pub(super) const ENROLMENTS: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("enrolments");
pub(super) const INBOUND_SEEN: TableDefinition<&[u8; 16], &[u8]> =
    TableDefinition::new("inbound_seen");
/// (ms, key): the same in the order of time.
pub(super) const INBOUND_TIMES: TableDefinition<(i64, &[u8; 16]), ()> =
    TableDefinition::new("inbound_times");
/// (contact of staff, patient): when news of the patient went there last, ms.
pub(super) const TOLD: TableDefinition<(u32, u32), i64> = TableDefinition::new("told");
/// Number that the channel gave a message: what it was, or what was reported of it.
pub(super) const DELIVERIES: TableDefinition<i64, &[u8]> = TableDefinition::new("deliveries");
/// (ms, number): the same in the order of time.
pub(super) const DELIVERY_TIMES: TableDefinition<(i64, i64), ()> =
    TableDefinition::new("delivery_times");
/// (patient, reason): since when a person is to ring.
pub(super) const CALLS: TableDefinition<(u32, u8), &[u8]> = TableDefinition::new("calls");
/// (ms, number): words of people whom nobody knows.
pub(super) const STRANGERS: TableDefinition<(i64, u32), &[u8]> = TableDefinition::new("strangers");
pub(super) const JOBS: TableDefinition<&str, &[u8]> = TableDefinition::new("jobs");
/// Name of an account: who signs in to the doctor's page with it.
pub(super) const ACCOUNTS: TableDefinition<&str, &[u8]> = TableDefinition::new("accounts");
/// (day, number): who saw and did what on the doctor's page.
pub(super) const AUDIT: TableDefinition<(u32, u32), &[u8]> = TableDefinition::new("audit");
pub(super) const DAYS: TableDefinition<u32, &[u8]> = TableDefinition::new("days");

/// Key of the outbox: class, deadline in ms, patient, message id. Ids are scattered: by the patient
/// those of one instant lie in the order in which patients are stepped.
pub(super) type OutboxKey = (u8, i64, u32, &'static [u8; 16]);

/// The outbox key of a patient's message.
pub(super) fn outbox_key(patient: u32, key: &OutboxRef) -> (u8, i64, u32, &[u8; 16]) {
    let deadline = key.deadline.as_millisecond();
    (key.class as u8, deadline, patient, &key.id.0)
}

/// A plan in force: what a reload compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHead {
    /// Number of this version in the plan history, from 1.
    pub version: u32,
    /// Hash of the resolved form and of the contact.
    pub meaning: [u8; 32],
    /// Hash of the source text.
    pub source: [u8; 32],
    /// Number of the contact to which messages go.
    pub contact: Option<u32>,
    /// The text stands in the configuration, not in a file of its own.
    pub inline: bool,
}

/// A plan in force, whole.
#[derive(Serialize, Deserialize)]
pub(super) struct PlanRecord {
    pub head: PlanHead,
    pub plan: ResolvedPlan,
}

/// A text that was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanText {
    /// When it came into force, ms.
    pub at: i64,
    /// The file it was read from.
    pub file: String,
    /// The text; of an inline patient, its part of the configuration.
    pub text: String,
}

/// A patient's state with the places that name it.
#[derive(Serialize, Deserialize)]
pub(super) struct PatientRecord {
    /// Number of the next journal row.
    pub journal_next: u32,
    /// The patient's row in `wakes`.
    pub wake_at: Option<i64>,
    pub contacts: Contacts,
    pub state: PatientState,
}

/// Through whom a patient is reached, besides the contact that the plan in force names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contacts {
    /// The patient's own contact, bound by a scan.
    pub bound: Option<u32>,
    pub caregivers: Vec<CaregiverContact>,
    /// Why no message can go to the patient's contact.
    pub barred: Option<ExpiredReason>,
}

impl Contacts {
    /// Where messages for the patient go: the contact bound at the clinic, else the one that the
    /// plan names, else that of a caregiver who answers in the patient's place.
    pub fn patients(&self, attested: Option<u32>, plan: &ResolvedPlan) -> Option<u32> {
        self.bound.or(attested).or_else(|| {
            let mut answering = plan.caregivers.iter().filter(|it| it.answers);
            answering.find_map(|it| self.caregivers_own(&it.id))
        })
    }

    /// Whether messages for the patient go to this contact, or would if it were not barred.
    pub fn is_patients(&self, contact: u32, attested: Option<u32>, plan: &ResolvedPlan) -> bool {
        if let Some(own) = self.bound.or(attested) {
            return own == contact;
        }
        let mut answering = plan.caregivers.iter().filter(|it| it.answers);
        let first = answering.find_map(|it| {
            let mut known = self.caregivers.iter().filter(|known| known.id == it.id);
            known.find(|it| it.contact == contact || !it.barred)
        });
        first.is_some_and(|it| it.contact == contact)
    }

    /// A caregiver's contact.
    pub fn caregivers_own(&self, id: &str) -> Option<u32> {
        let known = self.caregivers.iter().find(|it| it.id == id && !it.barred);
        known.map(|it| it.contact)
    }

    /// The caregivers to whom news can go.
    pub fn caregiver_ids(&self) -> Vec<String> {
        let reached = self
            .caregivers
            .iter()
            .filter(|it| !it.barred && !it.refuses);
        reached.map(|it| it.id.clone()).collect()
    }
}

/// A caregiver's contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CaregiverContact {
    /// The caregiver's id in the plan.
    pub id: String,
    pub contact: u32,
    /// The plan in force names the contact; else it was bound by a scan.
    pub attested: bool,
    /// No message may go there: no consent, stopped, or not following.
    pub barred: bool,
    /// The channel has said that news sent there is refused.
    pub refuses: bool,
}

/// What a contact is to a patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContactRole {
    pub role: Teller,
    /// The plan in force names the contact; else it was bound by a scan.
    pub attested: bool,
}

/// A code that a patient or a caregiver scans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EnrolmentRecord {
    pub patient: u32,
    pub role: Teller,
    /// Not valid from here on, ms.
    pub expires: i64,
    /// The contact that scanned it.
    pub used_by: Option<u32>,
}

/// A push that was received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeenRecord {
    /// When, ms.
    pub at: i64,
    /// What was answered: a repeated push is answered likewise.
    pub answer: Option<String>,
}

/// A message of which the channel will report, or has reported, what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DeliveryRecord {
    /// It was taken; the report is awaited.
    Taken(TakenRecord),
    /// The report came before it was settled that the message was taken.
    Reported(Delivery),
}

/// A message that the channel has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TakenRecord {
    pub patient: u32,
    pub message: MessageId,
    pub to: Recipient,
    /// The contact to which it went.
    pub contact: u32,
    /// It was advice.
    pub advice: bool,
}

/// A patient whom a person is to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Since when, ms.
    pub since: i64,
    /// When there was a reason last, ms.
    pub last: i64,
}

/// Words of somebody whom nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrangerRecord {
    /// The contact's number.
    pub contact: u32,
    /// The words.
    pub text: String,
}

/// A message in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutboxRecord {
    pub patient: u32,
    pub contact: u32,
    pub message: Message,
}

/// What is known of the tries of a message that has not been settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Tries so far.
    pub count: u16,
    /// When the first try with an unknown outcome was made, ms.
    pub first_unknown: Option<i64>,
    /// Tries that were refused for a cause that is only believed after several.
    pub refusals: u8,
    /// Why the last try failed.
    pub failure: Option<ExpiredReason>,
    /// When the first try with an unknown outcome was made, by the steady clock of this process:
    /// its age is measured by that. Not kept over a restart.
    #[serde(skip)]
    pub steady: Option<SignedDuration>,
    /// The recipient got too much: until the next try nothing else is sent to them either.
    pub resting: bool,
    /// The last try is, or was, made in free words and without a template: then the channel knows
    /// no key by which it would tell a second try from a second message.
    pub words: bool,
}

impl Attempts {
    /// What is taken to have been tried of a message where the record of it cannot be read: once,
    /// nobody knows when, so that it is in doubt and not sent again.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            count: 1,
            first_unknown: Some(0),
            ..Self::default()
        }
    }

    /// Nobody knows whether, or when, the message was tried.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.first_unknown == Some(0)
    }
}

/// A message whose next try waits.
#[derive(Serialize, Deserialize)]
pub(super) struct LaterRecord {
    pub patient: u32,
    pub key: OutboxRef,
    pub attempts: Attempts,
}

/// A group of messages that were claimed together.
#[derive(Serialize, Deserialize)]
pub(super) struct AttemptsRecord {
    /// When the group was claimed, ms.
    pub started: i64,
    pub messages: Vec<(u32, OutboxRef, Attempts)>,
}

/// One journal row: what one transaction remembered of one patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRow {
    /// When, ms.
    pub at: i64,
    /// In order.
    pub entries: Vec<Entry>,
}

/// An address on a channel.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// `wechat` or `console`.
    pub channel: String,
    /// The openid; for the console the patient's id.
    pub address: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({}, …)", self.channel)
    }
}

impl Address {
    pub(super) fn index_key(&self) -> String {
        format!("{}:{}", self.channel, self.address)
    }
}

/// What happened on one day of the clinic, for the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCounts {
    /// Doses that became due.
    pub due: u64,
    /// Doses whose reminder was accepted.
    pub reminded: u64,
    /// Doses that expired.
    pub expired: u64,
    /// Messages that ended in doubt.
    pub in_doubt: u64,
}

/// What the wall clock and the steady clock showed at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockMark {
    /// Which run of the steady clock: it begins anew with the machine.
    pub run: String,
    /// The steady clock, ms.
    pub steady: u64,
    /// The wall clock, ms.
    pub wall: i64,
}

/// Room for a record while it is written: a patient with three medications has a thousand bytes.
const ROOM: usize = 4_096;

/// Serialises a record behind its version.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    // A row that grows while it is written is moved several times: nearly all have room on the
    // stack, and the row is allocated once, as long as it is.
    let mut room = [0; ROOM];
    let (version, rest) = room.split_at_mut(1);
    version[0] = RECORD;
    match postcard::to_slice(record, rest) {
        Ok(written) => {
            let length = 1 + written.len();
            Ok(room[..length].to_vec())
        }
        Err(postcard::Error::SerializeBufferFull) => {
            postcard::to_extend(record, vec![RECORD]).map_err(|_| StoreError::Encode)
        }
        Err(_) => Err(StoreError::Encode),
    }
}

/// Reads a record of this release's version, or says which table holds another.
pub(super) fn decode<T: DeserializeOwned>(
    table: &impl TableHandle,
    bytes: &[u8],
) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&RECORD, rest)) => postcard::from_bytes(rest).map_err(|_| StoreError::Record {
            table: table.name().to_owned(),
            version: RECORD,
        }),
        Some((&version, _)) => Err(StoreError::Record {
            table: table.name().to_owned(),
            version,
        }),
        None => Err(StoreError::Record {
            table: table.name().to_owned(),
            version: 0,
        }),
    }
}

/// The table, or `None` in a store that was made before there was one.
pub(super) fn present<T>(opened: Result<T, redb::TableError>) -> Result<Option<T>, StoreError> {
    match opened {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The head of a plan record, without decoding the plan.
pub(super) fn decode_head(bytes: &[u8]) -> Result<PlanHead, StoreError> {
    let broken = |version| StoreError::Record {
        table: "plans".to_owned(),
        version,
    };
    match bytes.split_first() {
        Some((&RECORD, rest)) => postcard::take_from_bytes(rest)
            .map(|(head, _)| head)
            .map_err(|_| broken(RECORD)),
        Some((&version, _)) => Err(broken(version)),
        None => Err(broken(0)),
    }
}

/// The journal's day of an instant: days since 1970 in UTC.
pub(super) fn journal_day(at: Timestamp) -> u32 {
    u32::try_from(at.as_second().div_euclid(86_400)).unwrap_or(0)
}
