//! The patient's page: who may see it, what it shows, and what was pressed on it.

use super::patient::{Queued, Tables, Tally, Visit};
use super::receive::{Talk, forget_seen, load, may_answer, note_seen, say, seen};
use super::records::{
    Address, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS, ContactRole, JOURNAL, JournalRow, META,
    PATIENTS, PLANS, PatientRecord, PlanRecord, decode, journal_day,
};
use super::writer::Scope;
use super::{Store, StoreError};
use crate::engine::{
    self, Conversation, Entry, Fits, FormId, Known, Link, LinkKey, Person, Press, PressFault,
    Reply, Sheet, Subject, Teller, Text,
};
use jiff::Timestamp;
use redb::ReadableTable;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The row of `meta` with the key of links.
const LINK_KEY: &str = "link_key";

/// What the clinic said is shown for so many days.
const ADVICE_DAYS: u32 = 14;

/// Something that was pressed on a patient's page.
#[derive(Clone)]
pub struct PressedForm {
    /// With which link.
    pub link: Link,
    /// What tells the form from all others.
    pub form: FormId,
    /// When the form was shown.
    pub shown: Timestamp,
    /// What it is about.
    pub subject: Subject,
    /// What was pressed.
    pub press: Press,
}

/// What came of it.
pub enum PressOutcome {
    /// It is noted, or was before; this is what is said in return.
    Noted(String),
    /// The form has counted already, for another answer.
    UsedUp,
    /// Nothing followed from it.
    Refused(PressFault),
    /// The link's contact does not answer for the link's patient (any more).
    NoPage,
}

/// What pressing did.
#[derive(Default)]
pub struct PressDone {
    /// What came of each press, in their order.
    pub outcomes: Vec<PressOutcome>,
    /// Messages put into the outbox.
    pub queued: Vec<Queued>,
    /// Doses and check-ins closed.
    pub tally: Tally,
}

impl Store {
    /// The key of links, made now if there is none yet.
    ///
    /// # Errors
    /// The transaction failed, or there is no randomness.
    pub async fn link_key(&self, now: Timestamp) -> Result<LinkKey, StoreError> {
        let known = self.read(|snapshot, _| known_key(&snapshot.open_table(META)?));
        if let Some(key) = known.await? {
            return Ok(key);
        }
        self.write(now, |scope| {
            let mut meta = scope.transaction.open_table(META)?;
            if let Some(known) = known_key(&meta)? {
                return Ok(known);
            }
            let mut fresh = [0; 32];
            getrandom::fill(&mut fresh).map_err(|error| StoreError::Storage(error.to_string()))?;
            meta.insert(LINK_KEY, fresh.as_slice())?;
            Ok(LinkKey::new(&fresh))
        })
        .await
    }

    /// What a link's page shows; `None` where its contact does not answer for its patient (any
    /// more). Changes nothing.
    ///
    /// # Errors
    /// The read failed.
    pub async fn sheet(&self, now: Timestamp, link: Link) -> Result<Option<Sheet>, StoreError> {
        let ids = self.id_key().clone();
        self.read_beside(move |snapshot| {
            let plan = snapshot.open_table(PLANS)?.get(link.patient)?;
            let plan = plan.map(|row| decode::<PlanRecord>(&PLANS, row.value()));
            let record = snapshot.open_table(PATIENTS)?.get(link.patient)?;
            let record = record.map(|row| decode::<PatientRecord>(&PATIENTS, row.value()));
            let (Some(plan), Some(record)) = (plan.transpose()?, record.transpose()?) else {
                return Ok(None);
            };
            let role = snapshot.open_table(CONTACT_PATIENTS)?;
            let contacts = snapshot.open_table(CONTACTS)?;
            let talks = snapshot.open_table(CONVERSATIONS)?;
            if role_of(link, &plan, &role, &contacts, &talks)?.is_none() {
                return Ok(None);
            }
            let advice = last_advice(&snapshot.open_table(JOURNAL)?, link.patient, now)?;
            let wake_at = record.wake_at;
            let known = Known {
                number: link.patient,
                plan: &plan.plan,
                state: &record.state,
                wake_at: wake_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
                ids: &ids,
                advice: advice.as_ref(),
            };
            Ok(Some(engine::sheet(&known, now)))
        })
        .await
    }

    /// Receives what was pressed on patients' pages, as what contacts write is received: all that
    /// follows is one commit. The same form counts once; pressed again in the same way it is
    /// answered as before.
    ///
    /// # Errors
    /// The transaction failed, and its outcome is unknown; it may be made again. Nobody may be told
    /// that anything was noted.
    pub async fn press(
        &self,
        now: Timestamp,
        batch: Vec<PressedForm>,
        talk: Talk,
        fits: Arc<dyn Fits + Send + Sync>,
        day: u32,
    ) -> Result<PressDone, StoreError> {
        self.write_first(now, move |scope| {
            scope.effects.day = day;
            let mut done = PressDone::default();
            for pressed in &batch {
                let outcome = press(scope, &mut done, pressed, &talk, fits.as_ref())?;
                done.outcomes.push(outcome);
            }
            forget_seen(scope)?;
            scope.effects.counts.expired += done.tally.doses_expired();
            Ok(done)
        })
        .await
    }
}

fn press(
    scope: &mut Scope<'_>,
    done: &mut PressDone,
    pressed: &PressedForm,
    talk: &Talk,
    fits: &dyn Fits,
) -> Result<PressOutcome, StoreError> {
    let PressedForm {
        link,
        form,
        shown,
        subject,
        press,
    } = pressed;
    let mut tables = Tables::open(scope.transaction)?;
    let Some((plan, record)) = load(scope, &tables, link.patient)? else {
        return Ok(PressOutcome::NoPage);
    };
    let role = {
        let role = scope.transaction.open_table(CONTACT_PATIENTS)?;
        let talks = scope.transaction.open_table(CONVERSATIONS)?;
        role_of(*link, &plan, &role, &tables.contacts, &talks)?
    };
    let Some(role) = role else {
        return Ok(PressOutcome::NoPage);
    };
    let key = scope.ids.hash([&b"page form"[..], form]);
    let content = content_of(press);
    if let Some(before) = seen(scope, &key)? {
        let before = before.answer.unwrap_or_default();
        return Ok(match before.split_once('\n') {
            Some((known, words)) if known == content => PressOutcome::Noted(words.to_owned()),
            _ => PressOutcome::UsedUp,
        });
    }
    let person = Person {
        number: link.patient,
        role: &role.role,
        answers: true,
        own: true,
        plan: &plan.plan,
        state: &record.state,
        under_way: &[],
    };
    let decided = match engine::press(&person, subject, press, &talk.terms(), (*shown, scope.now)) {
        Ok(decided) => decided,
        Err(fault) => return Ok(PressOutcome::Refused(fault)),
    };
    let mut replies: Vec<Reply> = decided.replies;
    let mut visit = Visit::new(scope, fits, link.patient, record, plan.head.contact);
    for said in &decided.said {
        let input = said.as_input(&role.role);
        let effects = &mut scope.effects;
        visit.step(&mut tables, effects, &plan.plan, input, &mut done.tally)?;
    }
    replies.append(&mut visit.replies);
    visit.finish(&mut tables, &mut done.queued)?;
    let words = say(&replies, talk, (plan.plan.language, &plan.plan.zone)).join("\n");
    note_seen(scope, &key, Some(&format!("{content}\n{words}")))?;
    Ok(PressOutcome::Noted(words))
}

fn known_key(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Option<LinkKey>, StoreError> {
    let Some(row) = meta.get(LINK_KEY)? else {
        return Ok(None);
    };
    // One that is broken is not replaced: the links that were sent would die unseen.
    let bytes: Result<[u8; 32], _> = row.value().try_into();
    let bytes = bytes.map_err(|_| StoreError::Record {
        table: "meta".to_owned(),
        version: 0,
    })?;
    Ok(Some(LinkKey::new(&bytes)))
}

/// What a link's contact is to its patient, as long as it is heard: bound, answering, following, and
/// consenting.
fn role_of(
    link: Link,
    plan: &PlanRecord,
    roles: &impl ReadableTable<(u32, u32), &'static [u8]>,
    contacts: &impl ReadableTable<u32, &'static [u8]>,
    talks: &impl ReadableTable<u32, &'static [u8]>,
) -> Result<Option<ContactRole>, StoreError> {
    // What cannot be read opens nothing.
    let address = contacts.get(link.contact)?;
    let address = address.and_then(|row| decode::<Address>(&CONTACTS, row.value()).ok());
    let Some(address) = address.filter(|it| !it.address.is_empty()) else {
        return Ok(None);
    };
    let bound = roles.get((link.contact, link.patient))?;
    let bound = bound.map(|row| decode::<ContactRole>(&CONTACT_PATIENTS, row.value()).ok());
    let role = match bound {
        Some(bound) => bound,
        // Nobody is bound on the console: it shows the messages of each patient with a plan.
        None if address.channel == "console" && plan.head.contact == Some(link.contact) => {
            Some(ContactRole {
                role: Teller::Patient,
                attested: true,
            })
        }
        None => None,
    };
    // Where no talk has begun the clinic has named the contact.
    let barred = talks.get(link.contact)?.is_some_and(|row| {
        let talk = decode::<Conversation>(&CONVERSATIONS, row.value());
        talk.map_or(true, |talk| talk.bars().is_some())
    });
    Ok(role.filter(|role| !barred && may_answer(role, plan)))
}

/// What the clinic said last to a patient.
fn last_advice(
    journal: &impl ReadableTable<(u32, u32, u32), &'static [u8]>,
    patient: u32,
    now: Timestamp,
) -> Result<Option<Text>, StoreError> {
    let today = journal_day(now);
    for day in (today.saturating_sub(ADVICE_DAYS)..=today).rev() {
        let rows = journal.range((day, patient, 0)..=(day, patient, u32::MAX))?;
        for row in rows.rev() {
            let (_, row) = row?;
            // A row that cannot be read hides nothing but itself.
            let Ok(row) = decode::<JournalRow>(&JOURNAL, row.value()) else {
                continue;
            };
            let said = row.entries.into_iter().rev().find_map(|entry| match entry {
                Entry::Advised { text, .. } => Some(text),
                _ => None,
            });
            if let (Some(text), Ok(at)) = (said, Timestamp::from_millisecond(row.at)) {
                return Ok(Some(Text { text, at }));
            }
        }
    }
    Ok(None)
}

/// What was pressed, as a short hash: whether a form is pressed again in the same way.
fn content_of(press: &Press) -> String {
    // A press is numbers and words: it always has a stored form.
    let hash = Sha256::digest(postcard::to_stdvec(press).unwrap_or_default());
    let mut head = [0; 8];
    head.copy_from_slice(&hash[..8]);
    format!("{:016x}", u64::from_be_bytes(head))
}
