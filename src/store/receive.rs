//! Transaction 4: what came from contacts.

use super::contacts::{
    address_of, bars, contact_number, conversation, delete_address, let_go, number_of, patients_of,
    save_conversation,
};
use super::enrol::{bind_by_code, redeem};
use super::patient::{Queued, Tables, Tally, Visit};
use super::records::{
    Address, ContactRole, INBOUND_SEEN, INBOUND_TIMES, PatientRecord, PlanRecord, SeenRecord,
    decode, encode,
};
use super::writer::Scope;
use super::{DeliberateFault, Store, StoreError, advise, deliveries, strangers};
use crate::engine::{
    Adviser, Consent, Conversation, Conversed, Delivery, Fits, Heard, Input, Links, MessageId,
    Person, ReachChange, Reply, Said, TalkTerms, Teller, converse,
};
use crate::plan::{Language, Zone};
use jiff::Timestamp;
use redb::ReadableTable;
use std::sync::Arc;

/// So many known pushes are forgotten in one transaction at most.
const FORGOTTEN_MAX: usize = 200;

/// Something that a contact did.
#[derive(Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The contact.
    pub address: Address,
    /// The same for each repetition of the same push.
    pub dedupe_key: [u8; 16],
    /// What.
    pub what: What,
}

/// What a contact did.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// Wrote words.
    Words(String),
    /// Tapped an item of a message, whose words these are.
    Tapped(String),
    /// Sent a picture, a voice message or the like.
    Media {
        /// `image`, `voice` and so on.
        kind: &'static str,
        /// The id under which the channel keeps it.
        id: String,
    },
    /// Tapped in the menu.
    Acted,
    /// Follows the account, perhaps by scanning a code.
    Followed {
        /// The code's secret.
        secret: Option<String>,
    },
    /// Scanned a code while following.
    Scanned {
        /// The code's secret.
        secret: String,
    },
    /// Does not follow any more.
    Unfollowed,
    /// Nothing: the channel reports what became of a message to it.
    Reported {
        /// The number that the channel gave the message.
        number: i64,
        /// What became of it.
        delivery: Delivery,
    },
}

/// What the clinic has set for talks, and the words in which it talks.
#[derive(Clone)]
pub struct Talk {
    /// Phrases that cannot wait.
    pub red_flags: Arc<[String]>,
    /// A short hash of the text to which patients consent.
    pub consent_version: Arc<str>,
    /// Whether somebody is at the clinic.
    pub is_open: bool,
    /// Language of those whom nobody knows.
    pub language: Language,
    /// Zone of those whom nobody knows.
    pub zone: Zone,
    /// Puts a reply into words.
    pub words: Words,
    /// Makes links to patients' pages, where they are served.
    pub links: Option<Links>,
}

/// Puts a reply into words, in a language and a zone.
pub type Words = Arc<dyn Fn(&Reply, Language, &Zone) -> String + Send + Sync>;

/// What receiving did.
#[derive(Default)]
pub struct Received {
    /// What each contact is told at once, in the order of the pushes.
    pub answers: Vec<Option<String>>,
    /// Whether each push had been received before.
    pub repeated: Vec<bool>,
    /// Messages put into the outbox.
    pub queued: Vec<Queued>,
    /// Doses and check-ins closed.
    pub tally: Tally,
}

impl Store {
    /// Receives a batch: dedupes, talks with each contact, steps the patients meant, all in one
    /// commit. What was received before is answered as it was then, and changes nothing.
    ///
    /// # Errors
    /// The transaction failed; it may be made again. Nobody may be told that it was received.
    pub async fn receive(
        &self,
        now: Timestamp,
        batch: Vec<Pushed>,
        talk: Talk,
        fits: Arc<dyn Fits + Send + Sync>,
        day: u32,
    ) -> Result<Received, StoreError> {
        self.write_first(now, move |scope| {
            scope.effects.day = day;
            let mut received = Received::default();
            for pushed in batch {
                let known = seen(scope, &pushed.dedupe_key)?
                    .filter(|_| scope.memory.fault != Some(DeliberateFault::ForgetInbound));
                received.repeated.push(known.is_some());
                let answer = if let Some(known) = known {
                    known.answer
                } else {
                    let answer = receive_one(scope, &mut received, &pushed, &talk, fits.as_ref())?;
                    note_seen(scope, &pushed.dedupe_key, answer.as_deref())?;
                    answer
                };
                received.answers.push(answer);
            }
            forget_seen(scope)?;
            scope.effects.counts.expired += received.tally.doses_expired();
            Ok(received)
        })
        .await
    }
}

fn receive_one(
    scope: &mut Scope<'_>,
    received: &mut Received,
    pushed: &Pushed,
    talk: &Talk,
    fits: &dyn Fits,
) -> Result<Option<String>, StoreError> {
    let mut tables = Tables::open(scope.transaction)?;
    if let What::Reported { number, delivery } = pushed.what {
        let effects = (&mut received.queued, &mut received.tally);
        deliveries::reported(scope, &mut tables, effects, fits, number, delivery)?;
        return Ok(None);
    }
    let contact = contact_of(scope, &mut tables, pushed)?;
    let mut conversation = conversation(scope, contact, talk.language)?;
    if conversation.refuses && pushed.what != What::Unfollowed {
        scope.effects.staff_refuses.push((contact, false));
    }
    let secret = pushed.what.secret();
    let Scan {
        mut replies,
        first,
        bound,
    } = match secret {
        Some(secret) => scan(scope, &mut tables, &mut conversation, secret, contact)?,
        None => Scan::default(),
    };
    let people = people_of(scope, &tables, contact)?;
    if let (What::Words(text) | What::Tapped(text), Some(name), true) = (
        &pushed.what,
        scope.memory.desk.name(contact),
        people.is_empty(),
    ) {
        let by = Adviser::Staff(name.to_owned());
        let heard = (contact, conversation, text.as_str());
        let by = (&by, talk.language);
        let said = advise::hear(scope, &mut tables, received, fits, heard, by)?;
        return Ok(spoken(&said, talk, (talk.language, &talk.zone)));
    }
    let attested = people.iter().any(|(_, role, ..)| role.attested);
    if attested && matches!(conversation.consent, Consent::NotAsked | Consent::Asked) {
        conversation.consent = Consent::Attested;
    }
    let Some(heard) = pushed.what.heard() else {
        return Ok(None);
    };
    let under_way = under_way(scope, &people);
    let was_following = conversation.following;
    let known = people.iter().zip(&under_way);
    let persons: Vec<Person<'_>> = known
        .map(|(known, under_way)| person(contact, known, under_way))
        .collect();
    if secret.is_some() && !persons.is_empty() && !conversation.consent.is_given() {
        conversation.consent = Consent::Asked;
        replies.push(Reply::ConsentAsked);
    }
    let Conversed {
        conversation,
        replies: said_back,
        said,
        stranger,
    } = converse(conversation, &persons, heard, &talk.terms(), scope.now);
    drop(persons);
    replies.extend(said_back);
    save_conversation(scope, contact, &conversation)?;
    if conversation.following && !was_following {
        number_of(scope, &mut tables, &pushed.address)?;
    }
    if let Some(words) = stranger {
        let means = (talk, fits);
        strangers::hear(scope, &mut tables, received, means, contact, words)?;
    }
    let (language, zone) = match people.first() {
        Some((_, _, plan, _)) => (plan.plan.language, plan.plan.zone.clone()),
        None => (talk.language, talk.zone.clone()),
    };
    let said: Vec<(u32, Said)> = first.into_iter().chain(said).collect();
    let outcome = Outcome {
        contact,
        conversation: &conversation,
        has_left: pushed.what == What::Unfollowed,
        bound,
        said: &said,
    };
    replies.extend(page_of(scope, &people, contact, &replies, talk));
    let mut words = say(&replies, talk, (language, &zone));
    let several = people.len() > 1;
    for known in people {
        // Its own times are those of its own zone.
        let zone = known.2.plan.zone.clone();
        let name = several.then(|| known.2.plan.name.clone());
        let said_back = outcome.follow(scope, &mut tables, received, known, fits)?;
        let lines = say(&said_back, talk, (language, &zone));
        words.extend(lines.into_iter().map(|line| match &name {
            // Whoever answers for several sees for whom it was noted.
            Some(name) if language == Language::ZhCn => format!("{name}：{line}"),
            Some(name) => format!("{name}: {line}"),
            None => line,
        }));
    }
    if pushed.what == What::Unfollowed {
        if let Some(address) = address_of(&tables, contact)? {
            delete_address(scope, &mut tables, contact, &address)?;
        }
        return Ok(None);
    }
    Ok((!words.is_empty()).then(|| words.join("\n")))
}

/// Where somebody is asked again what they mean, their page lets them say it by a button: if they
/// answer for one patient only, for a link is to one patient's page.
fn page_of(
    scope: &Scope<'_>,
    people: &[Known],
    contact: u32,
    replies: &[Reply],
    talk: &Talk,
) -> Option<Reply> {
    let asks = |it: &Reply| matches!(it, Reply::Which { .. } | Reply::Unreadable { .. });
    let [(patient, role, plan, _)] = people else {
        return None;
    };
    if !replies.iter().any(asks) || !may_answer(role, plan) {
        return None;
    }
    let links = talk.links.as_ref()?;
    let url = links.for_a_day(*patient, contact, scope.now);
    Some(Reply::Page { url })
}

/// The number of the contact that did something. A push from before they stopped following may come
/// after it: it brings no address back.
fn contact_of(
    scope: &Scope<'_>,
    tables: &mut Tables<'_>,
    pushed: &Pushed,
) -> Result<u32, StoreError> {
    match pushed.what {
        What::Followed { .. } | What::Scanned { .. } => number_of(scope, tables, &pushed.address),
        _ => contact_number(scope, tables, &pushed.address),
    }
}

impl Talk {
    pub(super) fn terms(&self) -> TalkTerms<'_> {
        TalkTerms {
            red_flags: &self.red_flags,
            consent_version: &self.consent_version,
            is_open: self.is_open,
        }
    }
}

impl What {
    /// The secret of the code that was scanned.
    fn secret(&self) -> Option<&str> {
        match self {
            What::Followed { secret } => secret.as_deref(),
            What::Scanned { secret } => Some(secret),
            _ => None,
        }
    }

    /// As the talk hears it; `None` for what is no part of a talk.
    fn heard(&self) -> Option<Heard<'_>> {
        Some(match self {
            What::Words(words) => Heard::Words(words),
            What::Tapped(words) => Heard::Tapped(words),
            What::Media { kind, id } => Heard::Media { kind, id },
            What::Acted | What::Scanned { .. } | What::Followed { secret: Some(_) } => Heard::Acted,
            What::Followed { secret: None } => Heard::Followed,
            What::Unfollowed => Heard::Unfollowed,
            What::Reported { .. } => return None,
        })
    }
}

/// The replies in words, a line each at least.
fn spoken(replies: &[Reply], talk: &Talk, said: (Language, &Zone)) -> Option<String> {
    let words = say(replies, talk, said);
    (!words.is_empty()).then(|| words.join("\n"))
}

pub(super) fn say(
    replies: &[Reply],
    talk: &Talk,
    (language, zone): (Language, &Zone),
) -> Vec<String> {
    let words = replies.iter();
    words
        .map(|reply| (talk.words)(reply, language, zone))
        .collect()
}

/// A patient of the contact: its number, what the contact is to it, its plan and its record.
type Known = (u32, ContactRole, PlanRecord, PatientRecord);

/// The patients of a contact that have a plan in force and can be read.
fn people_of(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    contact: u32,
) -> Result<Vec<Known>, StoreError> {
    let mut people = Vec::new();
    for (patient, role) in patients_of(scope, contact)? {
        if let Some((plan, record)) = load(scope, tables, patient)? {
            people.push((patient, role, plan, record));
        }
    }
    Ok(people)
}

/// A patient of the contact, as the talk sees one.
fn person<'p>(
    contact: u32,
    (number, role, plan, record): &'p Known,
    under_way: &'p [MessageId],
) -> Person<'p> {
    let contacts = &record.contacts;
    Person {
        number: *number,
        role: &role.role,
        answers: may_answer(role, plan),
        own: contacts.is_patients(contact, plan.head.contact, &plan.plan),
        plan: &plan.plan,
        state: &record.state,
        under_way,
    }
}

/// Messages of each that may have left and of which no outcome is known yet.
fn under_way(scope: &Scope<'_>, people: &[Known]) -> Vec<Vec<MessageId>> {
    let of_one = |(_, _, _, record): &Known| {
        let unsettled = record.state.unsettled.iter().map(|key| key.id);
        let left = unsettled.filter(|id| scope.memory.may_have_left(id));
        left.collect()
    };
    people.iter().map(of_one).collect()
}

/// What the talk with a contact has come to.
struct Outcome<'a> {
    contact: u32,
    conversation: &'a Conversation,
    /// The contact does not follow any more.
    has_left: bool,
    /// The patient in whose place it has just been bound, as a caregiver.
    bound: Option<u32>,
    /// What was said of which patient, in order.
    said: &'a [(u32, Said)],
}

impl Outcome<'_> {
    /// Lets it happen to one of the contact's patients; what is said in return.
    fn follow(
        &self,
        scope: &mut Scope<'_>,
        tables: &mut Tables<'_>,
        received: &mut Received,
        (number, role, plan, record): Known,
        fits: &dyn Fits,
    ) -> Result<Vec<Reply>, StoreError> {
        let contact = self.contact;
        let of_this = self.said.iter().filter(|(it, _)| *it == number);
        let about: Vec<&Said> = of_this.map(|(_, said)| said).collect();
        let changes_reach = caregiver_changes(&role, &record, contact, self.conversation);
        let is_new = self.bound == Some(number);
        if about.is_empty() && !changes_reach && !self.has_left && !is_new {
            return Ok(Vec::new());
        }
        let mut visit = Visit::new(scope, fits, number, record, plan.head.contact);
        let contacts = &mut visit.record.contacts;
        let effective = contacts.patients(plan.head.contact, &plan.plan);
        let barred = self.conversation.bars();
        let mut changed = None;
        for caregiver in &mut contacts.caregivers {
            if caregiver.contact == contact {
                let told = !caregiver.barred && !caregiver.refuses;
                caregiver.barred = barred.is_some();
                caregiver.refuses = self.conversation.refuses;
                if is_new || told != (barred.is_none() && !caregiver.refuses) {
                    changed = Some(caregiver.id.clone());
                }
            }
        }
        // Who is reached now, or else why the one who was reached is not.
        let reached = contacts.patients(plan.head.contact, &plan.plan);
        if let Some(effective) = reached.or(effective) {
            contacts.barred = bars(scope, effective)?;
        }
        // Whoever stands in the patient's place is missed as the patient.
        let own = contacts.is_patients(contact, plan.head.contact, &plan.plan);
        let changed = changed.filter(|_| is_new || !own || barred.is_none());
        if let Some(caregiver) = changed {
            let input = Input::CaregiverReach {
                caregiver: &caregiver,
                barred,
            };
            let (effects, tally) = (&mut scope.effects, &mut received.tally);
            visit.step(tables, effects, &plan.plan, input, tally)?;
            if is_new && own {
                // The patient's own messages come here from now on.
                let why = ReachChange::Enrolled;
                let input = Input::ReachChanged { why };
                visit.step(tables, effects, &plan.plan, input, tally)?;
            }
        }
        for said in about {
            let input = said.as_input(&role.role);
            let (effects, tally) = (&mut scope.effects, &mut received.tally);
            visit.step(tables, effects, &plan.plan, input, tally)?;
        }
        let replies = std::mem::take(&mut visit.replies);
        if self.has_left && !role.attested {
            // Bound by a scan: whoever comes back scans again.
            let contacts = &mut visit.record.contacts;
            if contacts.bound == Some(contact) {
                contacts.bound = None;
            }
            contacts
                .caregivers
                .retain(|it| it.contact != contact || it.attested);
            // Unless the plan names them: then they are heard again as soon as they follow.
            let_go(scope, contact, number, plan.head.contact, contacts)?;
        }
        visit.finish(tables, &mut received.queued)?;
        Ok(replies)
    }
}

/// Whether it has changed that messages can go to a caregiver.
fn caregiver_changes(
    role: &ContactRole,
    record: &PatientRecord,
    contact: u32,
    conversation: &Conversation,
) -> bool {
    let now = (conversation.bars().is_some(), conversation.refuses);
    let known = record.contacts.caregivers.iter();
    role.role != Teller::Patient
        && known
            .filter(|it| it.contact == contact)
            .any(|it| (it.barred, it.refuses) != now)
}

/// Whether a contact's words about doses and check-ins count: the patient's own, and those of a
/// caregiver who answers in the patient's place.
pub(super) fn may_answer(role: &ContactRole, plan: &PlanRecord) -> bool {
    match &role.role {
        Teller::Patient => true,
        Teller::Caregiver(id) => {
            let known = plan.plan.caregivers.iter().find(|it| it.id == *id);
            known.is_some_and(|it| it.answers)
        }
    }
}

/// What a scan comes to.
#[derive(Default)]
struct Scan {
    /// What is said in return.
    replies: Vec<Reply>,
    /// What the patient's step learns first.
    first: Vec<(u32, Said)>,
    /// The patient in whose place the contact is bound, as a caregiver.
    bound: Option<u32>,
}

/// A contact has scanned a code.
fn scan(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    conversation: &mut Conversation,
    secret: &str,
    contact: u32,
) -> Result<Scan, StoreError> {
    let mut scan = Scan::default();
    conversation.following = true;
    let Some(code) = redeem(scope, secret, contact)? else {
        scan.replies.push(Reply::CodeExpired);
        return Ok(scan);
    };
    let reply = enrolled(scope, tables, conversation, &code, contact)?;
    scan.replies.extend(reply);
    match code.role {
        Teller::Patient => {
            let enrolled = Said::Reach(ReachChange::Enrolled);
            scan.first.push((code.patient, enrolled));
        }
        Teller::Caregiver(_) => scan.bound = Some(code.patient),
    }
    Ok(scan)
}

/// Binds the contact to the code's patient, and says so.
fn enrolled(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    conversation: &mut Conversation,
    code: &super::records::EnrolmentRecord,
    contact: u32,
) -> Result<Option<Reply>, StoreError> {
    let Some((plan, mut record)) = load(scope, tables, code.patient)? else {
        return Ok(None);
    };
    bind_by_code(
        scope,
        plan.head.contact,
        &mut record.contacts,
        code,
        contact,
    )?;
    conversation.language = plan.plan.language;
    conversation.stopped_at = None;
    let wake_at = record.wake_at;
    tables.save(code.patient, &mut record, wake_at)?;
    Ok(Some(Reply::Bound {
        patient: plan.plan.name,
        caregiver: code.role != Teller::Patient,
    }))
}

/// A patient with a plan in force; `None` for one that has none or cannot be read.
pub(super) fn load(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    patient: u32,
) -> Result<Option<(PlanRecord, PatientRecord)>, StoreError> {
    let plan = tables.plan(patient);
    let record = tables.patient(patient);
    match (plan, record) {
        (Ok(Some(plan)), Ok(Some(record))) => Ok(Some((plan, record))),
        (Ok(_), Ok(_)) => Ok(None),
        (Err(StoreError::Record { .. }), _) => {
            let met = ("plans", u64::from(patient));
            scope.effects.unreadable.push(met);
            Ok(None)
        }
        (_, Err(StoreError::Record { .. })) => {
            let met = ("patients", u64::from(patient));
            scope.effects.unreadable.push(met);
            Ok(None)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

fn key_of(scope: &Scope<'_>, dedupe_key: &[u8; 16]) -> [u8; 16] {
    scope.ids.hash([&b"inbound"[..], dedupe_key])
}

pub(super) fn seen(
    scope: &Scope<'_>,
    dedupe_key: &[u8; 16],
) -> Result<Option<SeenRecord>, StoreError> {
    let table = scope.transaction.open_table(INBOUND_SEEN)?;
    let row = table.get(&key_of(scope, dedupe_key))?;
    // One that cannot be read was received all the same.
    Ok(row.map(|row| {
        decode(&INBOUND_SEEN, row.value()).unwrap_or(SeenRecord {
            at: 0,
            answer: None,
        })
    }))
}

pub(super) fn note_seen(
    scope: &Scope<'_>,
    dedupe_key: &[u8; 16],
    answer: Option<&str>,
) -> Result<(), StoreError> {
    let key = key_of(scope, dedupe_key);
    let at = scope.now.as_millisecond();
    let record = SeenRecord {
        at,
        answer: answer.map(str::to_owned),
    };
    let mut table = scope.transaction.open_table(INBOUND_SEEN)?;
    table.insert(&key, encode(&record)?.as_slice())?;
    let mut times = scope.transaction.open_table(INBOUND_TIMES)?;
    times.insert((at, &key), ())?;
    Ok(())
}

/// Forgets pushes that nobody repeats any more, a few at a time: the platform repeats one within
/// seconds, and it is known for 48 hours.
pub(super) fn forget_seen(scope: &Scope<'_>) -> Result<(), StoreError> {
    let Some(horizon) = scope.too_old() else {
        return Ok(());
    };
    let mut times = scope.transaction.open_table(INBOUND_TIMES)?;
    let mut table = scope.transaction.open_table(INBOUND_SEEN)?;
    let mut over = Vec::new();
    for row in times
        .range(..(horizon.as_millisecond(), &[0; 16]))?
        .take(FORGOTTEN_MAX)
    {
        let row = row?.0;
        let (at, key) = row.value();
        over.push((at, *key));
    }
    for (at, key) in over {
        times.remove((at, &key))?;
        table.remove(&key)?;
    }
    Ok(())
}
