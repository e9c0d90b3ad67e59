//! Transaction 5: changed plans come into force, ended ones leave it.

use super::contacts::{attest, bars, bind, contact_number, known_conversation, let_go, mask};
use super::patient::{Queued, Tables, Tally, Visit};
use super::records::{
    Address, CaregiverContact, Contacts, JournalRow, PATIENT_IDS, PATIENT_SLUGS, PATIENTS,
    PLAN_HISTORY, PLANS, PatientRecord, PlanHead, PlanRecord, PlanText, decode, decode_head,
    encode, journal_day,
};
use super::writer::Scope;
use super::{Store, StoreError};
use crate::engine::{
    CATCH_UP_STEPS_MAX, Entry, ExpiredReason, Fits, IdKey, Input, PatientState, Teller,
};
use crate::plan::ResolvedPlan;
use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata};
use std::collections::HashMap;
use std::sync::Arc;

/// Rows read at once: others wait no longer than that takes.
const PAGE: usize = 2_000;

/// Some of the plans in force.
#[derive(Debug, Default)]
pub struct PlansPage {
    /// The patients' ids, and whether their plan stands in the configuration.
    pub plans: Vec<(String, bool)>,
    /// Where the next page begins.
    pub next: Option<u32>,
}

/// A plan text that is to come into force.
pub struct PlanChange {
    /// The patient's id.
    pub patient: String,
    /// The plan in its resolved form.
    pub plan: ResolvedPlan,
    /// Hash of the resolved form and of the contact.
    pub meaning: [u8; 32],
    /// Hash of the source text.
    pub source: [u8; 32],
    /// The text stands in the configuration, not in a file of its own.
    pub inline: bool,
    /// The text and its file, for the history.
    pub text: String,
    /// The file.
    pub file: String,
    /// Where messages go, if the plan or the channel names it.
    pub address: Option<Address>,
    /// Where messages for caregivers go, by their ids, as far as the plan names it.
    pub caregivers: Vec<(String, Address)>,
}

/// A plan that is to end.
pub struct PlanEnd {
    /// The patient's id.
    pub patient: String,
}

/// What applying did.
#[derive(Default)]
pub struct Applied {
    /// Plans whose meaning changed.
    pub changed: usize,
    /// Plans of which only the text changed.
    pub reworded: usize,
    /// Plans that ended.
    pub ended: usize,
    /// Patients left as they were because their record cannot be read.
    pub broken: usize,
    /// Messages put into the outbox.
    pub queued: Vec<Queued>,
    /// Doses and check-ins closed.
    pub tally: Tally,
}

impl Store {
    /// The plans in force of these patients, by their ids. One that cannot be read is left out: its
    /// text, applied again, mends it.
    ///
    /// # Errors
    /// The read failed.
    pub async fn heads_of(
        &self,
        patients: Vec<String>,
    ) -> Result<HashMap<String, PlanHead>, StoreError> {
        let mut found = HashMap::with_capacity(patients.len());
        let mut patients = patients.into_iter();
        loop {
            let page: Vec<String> = patients.by_ref().take(PAGE).collect();
            if page.is_empty() {
                return Ok(found);
            }
            let read = self.read(move |snapshot, _| {
                let ids = snapshot.open_table(PATIENT_IDS)?;
                let plans = snapshot.open_table(PLANS)?;
                let (mut heads, mut unreadable) = (Vec::new(), Vec::new());
                for patient in page {
                    let Some(number) = ids.get(patient.as_str())?.map(|row| row.value()) else {
                        continue;
                    };
                    let Some(record) = plans.get(number)? else {
                        continue;
                    };
                    match decode_head(record.value()) {
                        Ok(head) => heads.push((patient, head)),
                        Err(_) => unreadable.push(("plans", u64::from(number))),
                    }
                }
                Ok((heads, unreadable))
            });
            let (heads, unreadable) = read.await?;
            found.extend(heads);
            self.telemetry().note_unreadable(unreadable);
        }
    }

    /// Some of the plans in force, in the order of the patients' numbers from `from` on: however
    /// many there are, others use the store in between.
    ///
    /// # Errors
    /// The read failed.
    pub async fn plans_from(&self, from: u32) -> Result<PlansPage, StoreError> {
        let read = self.read(move |snapshot, _| {
            let slugs = snapshot.open_table(PATIENT_SLUGS)?;
            let plans = snapshot.open_table(PLANS)?;
            let mut page = PlansPage::default();
            let mut unreadable = Vec::new();
            let mut rows = plans.range(from..)?;
            for row in rows.by_ref().take(PAGE) {
                let (number, record) = row?;
                let number = number.value();
                page.next = number.checked_add(1);
                let Some(slug) = slugs.get(number)? else {
                    continue;
                };
                match decode_head(record.value()) {
                    Ok(head) => page.plans.push((slug.value().to_owned(), head.inline)),
                    Err(_) => unreadable.push(("plans", u64::from(number))),
                }
            }
            if rows.next().is_none() {
                page.next = None;
            }
            Ok((page, unreadable))
        });
        let (page, unreadable) = read.await?;
        self.telemetry().note_unreadable(unreadable);
        Ok(page)
    }

    /// The plans in force, by the patient's id.
    #[cfg(test)]
    pub(super) async fn plan_heads(&self) -> Result<HashMap<String, PlanHead>, StoreError> {
        let mut patients = Vec::new();
        let mut from = Some(0);
        while let Some(start) = from {
            let page = self.plans_from(start).await?;
            patients.extend(page.plans.into_iter().map(|(patient, _)| patient));
            from = page.next;
        }
        self.heads_of(patients).await
    }

    /// How many plans are in force.
    ///
    /// # Errors
    /// The read failed.
    pub async fn count_plans(&self) -> Result<u64, StoreError> {
        self.read(|snapshot, _| Ok(snapshot.open_table(PLANS)?.len()?))
            .await
    }

    /// How many patients the channel cannot reach. It looks at all of them, and others use the
    /// store in between.
    ///
    /// # Errors
    /// The read failed.
    pub async fn count_unreachable(&self) -> Result<u64, StoreError> {
        let mut unreachable = 0;
        let mut from = Some(0);
        while let Some(start) = from {
            let read = self.read(move |snapshot, _| {
                let patients = snapshot.open_table(PATIENTS)?;
                let (mut found, mut next, mut seen) = (0, None, 0);
                for row in patients.range(start..)?.take(PAGE) {
                    let (number, record) = row?;
                    (next, seen) = (number.value().checked_add(1), seen + 1);
                    // One that cannot be read is met, and counted, at its wake.
                    let record: Result<PatientRecord, _> = decode(&PATIENTS, record.value());
                    found += u64::from(record.is_ok_and(|it| it.state.unreachable_since.is_some()));
                }
                Ok((found, next.filter(|_| seen == PAGE)))
            });
            let (found, next) = read.await?;
            unreachable += found;
            from = next;
        }
        Ok(unreachable)
    }

    /// Applies a batch of changed and ended plans in one commit. A text with the same meaning
    /// only joins the history: nobody is stepped.
    ///
    /// # Errors
    /// The transaction failed; it may be made again.
    pub async fn apply(
        &self,
        now: Timestamp,
        changes: Vec<PlanChange>,
        ends: Vec<PlanEnd>,
        overdue: ExpiredReason,
        fits: Arc<dyn Fits + Send + Sync>,
        day: u32,
    ) -> Result<Applied, StoreError> {
        self.write(now, move |scope| {
            scope.effects.day = day;
            let mut applied = Applied::default();
            let mut tables = Tables::open(scope.transaction)?;
            for change in changes {
                change_plan(
                    scope,
                    &mut tables,
                    &mut applied,
                    fits.as_ref(),
                    overdue,
                    change,
                )?;
            }
            for end in ends {
                end_plan(
                    scope,
                    &mut tables,
                    &mut applied,
                    fits.as_ref(),
                    overdue,
                    &end,
                )?;
            }
            scope.effects.counts.expired += applied.tally.doses_expired();
            Ok(applied)
        })
        .await
    }
}

fn change_plan(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    applied: &mut Applied,
    fits: &dyn Fits,
    overdue: ExpiredReason,
    change: PlanChange,
) -> Result<(), StoreError> {
    let number = patient_number(scope, &change.patient)?;
    let old = match tables.plan(number) {
        Err(StoreError::Record { .. }) => {
            // The text comes into force as if nothing had been before: that mends it.
            note(scope, "plans", number);
            None
        }
        old => old?,
    };
    let version = match &old {
        Some(old) => old.head.version + 1,
        None => next_version(scope, number)?,
    };
    let is_same =
        |old: &PlanRecord| (old.head.source, old.head.meaning) == (change.source, change.meaning);
    if old.as_ref().is_some_and(is_same) {
        return Ok(());
    }
    let known = tables.patient(number);
    if let Err(StoreError::Record { .. }) = known {
        note(scope, "patients", number);
        applied.broken += 1;
        return Ok(());
    }
    let known = known?;
    keep_text(scope, (number, version), &change)?;
    let same = old
        .as_ref()
        .filter(|old| old.head.meaning == change.meaning);
    if let Some(old) = same {
        let head = PlanHead {
            version,
            source: change.source,
            inline: change.inline,
            ..old.head.clone()
        };
        // The same meaning: what was begun goes on as it began.
        let record = PlanRecord {
            head,
            plan: old.plan.clone(),
        };
        tables.plans.insert(number, encode(&record)?.as_slice())?;
        if let Some(mut patient) = known {
            let entry = Entry::PlanTextChanged { version };
            journal(scope, tables, number, &mut patient, vec![entry])?;
            let wake_at = patient.wake_at;
            tables.save(number, &mut patient, wake_at)?;
        }
        applied.reworded += 1;
        return Ok(());
    }
    let record = known.unwrap_or_else(|| PatientRecord {
        journal_next: 0,
        wake_at: None,
        contacts: Contacts::default(),
        state: PatientState::new(scope.now),
    });
    let plan = without_addresses(scope.ids, change.plan);
    let plan = record.state.anchor(plan, scope.now);
    let old_contact = old.as_ref().and_then(|old| old.head.contact);
    let mut visit = Visit::new(scope, fits, number, record, old_contact);
    if let Some(old) = &old {
        catch_up(
            scope,
            tables,
            &mut visit,
            &old.plan,
            overdue,
            &mut applied.tally,
        )?;
    }
    let reach = Reach {
        number,
        address: change.address.as_ref(),
        caregivers: &change.caregivers,
    };
    let contact = reach.settle(
        scope,
        tables,
        &mut visit.record.contacts,
        old_contact,
        &plan,
    )?;
    visit.attested = contact;
    visit.entries.push(Entry::PlanApplied { version });
    let input = Input::PlanChanged {
        old: old.as_ref().map(|old| &old.plan),
        overdue,
    };
    visit.step(tables, &mut scope.effects, &plan, input, &mut applied.tally)?;
    visit.finish(tables, &mut applied.queued)?;
    let head = PlanHead {
        version,
        meaning: change.meaning,
        source: change.source,
        contact,
        inline: change.inline,
    };
    let record = encode(&PlanRecord { head, plan })?;
    tables.plans.insert(number, record.as_slice())?;
    applied.changed += 1;
    Ok(())
}

/// Puts the text into the history, without the addresses that it names: it outlives the contacts,
/// whose addresses have to be deleted everywhere when they go.
fn keep_text(scope: &Scope<'_>, key: (u32, u32), change: &PlanChange) -> Result<(), StoreError> {
    let mut text = change.text.clone();
    let own = change.address.iter().filter(|it| it.channel != "console");
    for address in own.chain(change.caregivers.iter().map(|(_, address)| address)) {
        let mask = mask(scope.ids, &address.address);
        text = text.replace(&address.address, &mask);
    }
    let text = PlanText {
        at: scope.now.as_millisecond(),
        file: change.file.clone(),
        text,
    };
    let mut history = scope.transaction.open_table(PLAN_HISTORY)?;
    history.insert(key, encode(&text)?.as_slice())?;
    Ok(())
}

/// Where the messages about a patient are to go.
struct Reach<'a> {
    number: u32,
    address: Option<&'a Address>,
    caregivers: &'a [(String, Address)],
}

impl Reach<'_> {
    /// Binds the contacts that the plan names and lets go of those that it does not name any
    /// more. Returns the patient's own, if the plan names it.
    fn settle(
        &self,
        scope: &mut Scope<'_>,
        tables: &mut Tables<'_>,
        contacts: &mut Contacts,
        old: Option<u32>,
        plan: &ResolvedPlan,
    ) -> Result<Option<u32>, StoreError> {
        let attested = match self.address {
            Some(address) => Some(contact_number(scope, tables, address)?),
            None => None,
        };
        // Nothing comes back from a channel without a way in.
        let heard = self.address.is_some_and(|it| it.channel != "console");
        let mut gone: Vec<u32> = old
            .filter(|old| Some(*old) != attested)
            .into_iter()
            .collect();
        if let Some(contact) = attested.filter(|_| heard && old != attested) {
            bind(scope, contact, self.number, Teller::Patient, true)?;
            attest(scope, contact)?;
        }
        let mut kept = Vec::new();
        // Whoever is the patient's own contact, too, speaks as the patient.
        let bound = contacts.bound;
        let is_own = |contact: u32| bound == Some(contact) || attested == Some(contact);
        for caregiver in std::mem::take(&mut contacts.caregivers) {
            let named = self.caregivers.iter().any(|(id, _)| *id == caregiver.id);
            let known = plan.caregivers.iter().any(|it| it.id == caregiver.id);
            if !caregiver.attested && !named && known {
                kept.push(caregiver);
            } else {
                gone.push(caregiver.contact);
            }
        }
        for (id, address) in self.caregivers {
            let contact = contact_number(scope, tables, address)?;
            if !is_own(contact) {
                let role = Teller::Caregiver(id.clone());
                bind(scope, contact, self.number, role, true)?;
            }
            attest(scope, contact)?;
            let talk = known_conversation(scope, contact)?;
            kept.push(CaregiverContact {
                id: id.clone(),
                contact,
                attested: true,
                barred: talk.as_ref().is_some_and(|talk| talk.bars().is_some()),
                refuses: talk.is_some_and(|talk| talk.refuses),
            });
        }
        contacts.caregivers = kept;
        for contact in gone {
            let_go(
                scope,
                contact,
                self.number,
                attested.filter(|_| heard),
                contacts,
            )?;
        }
        contacts.barred = match contacts.patients(attested, plan) {
            Some(contact) => bars(scope, contact)?,
            // Whoever has left has left, whatever else the plan says now.
            None => contacts
                .barred
                .filter(|it| *it == ExpiredReason::Unreachable),
        };
        Ok(attested)
    }
}

/// The plan as the store keeps it: without the addresses that its text names. What stands in
/// their place tells them apart.
#[must_use]
pub fn without_addresses(ids: &IdKey, mut plan: ResolvedPlan) -> ResolvedPlan {
    let hide = |address: &mut Option<String>| {
        if let Some(address) = address {
            *address = mask(ids, address);
        }
    };
    hide(&mut plan.wechat);
    for caregiver in &mut plan.caregivers {
        hide(&mut caregiver.wechat);
    }
    plan
}

fn end_plan(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    applied: &mut Applied,
    fits: &dyn Fits,
    overdue: ExpiredReason,
    end: &PlanEnd,
) -> Result<(), StoreError> {
    let number = {
        let ids = scope.transaction.open_table(PATIENT_IDS)?;
        ids.get(end.patient.as_str())?.map(|row| row.value())
    };
    let Some(number) = number else {
        return Ok(());
    };
    let loaded = tables
        .plan(number)
        .and_then(|plan| Ok((plan, tables.patient(number)?)));
    let (plan, record) = match loaded {
        Ok((Some(plan), Some(record))) => (plan, record),
        Ok(_) => return Ok(()),
        Err(StoreError::Record { .. }) => {
            note(scope, "patients", number);
            applied.broken += 1;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let mut visit = Visit::new(scope, fits, number, record, plan.head.contact);
    catch_up(
        scope,
        tables,
        &mut visit,
        &plan.plan,
        overdue,
        &mut applied.tally,
    )?;
    visit.entries.push(Entry::PlanEnded);
    let input = Input::PlanEnded { overdue };
    visit.step(
        tables,
        &mut scope.effects,
        &plan.plan,
        input,
        &mut applied.tally,
    )?;
    if let Some(contact) = plan.head.contact {
        // Should the plan come back and name somebody else, this one is not heard.
        let_go(scope, contact, number, None, &visit.record.contacts)?;
    }
    visit.finish(tables, &mut applied.queued)?;
    tables.plans.remove(number)?;
    applied.ended += 1;
    Ok(())
}

/// A record of this patient cannot be read.
fn note(scope: &mut Scope<'_>, table: &'static str, patient: u32) {
    scope.effects.unreadable.push((table, u64::from(patient)));
}

/// What fell before the edit falls under the old plan, however much of it there is.
fn catch_up(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    visit: &mut Visit<'_>,
    plan: &ResolvedPlan,
    overdue: ExpiredReason,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    for _ in 0..CATCH_UP_STEPS_MAX {
        if visit.wake_at.is_none_or(|wake_at| wake_at > scope.now) {
            return Ok(());
        }
        visit.step(
            tables,
            &mut scope.effects,
            plan,
            Input::Wake { overdue },
            tally,
        )?;
    }
    Ok(())
}

pub(super) fn journal(
    scope: &Scope<'_>,
    tables: &mut Tables<'_>,
    number: u32,
    patient: &mut PatientRecord,
    entries: Vec<Entry>,
) -> Result<(), StoreError> {
    let row = JournalRow {
        at: scope.now.as_millisecond(),
        entries,
    };
    let key = (journal_day(scope.now), number, patient.journal_next);
    tables.journal.insert(key, encode(&row)?.as_slice())?;
    patient.journal_next += 1;
    Ok(())
}

/// The number of a patient's id, given out when it is first seen and never again.
fn patient_number(scope: &Scope<'_>, patient: &str) -> Result<u32, StoreError> {
    let mut ids = scope.transaction.open_table(PATIENT_IDS)?;
    if let Some(row) = ids.get(patient)? {
        return Ok(row.value());
    }
    let mut slugs = scope.transaction.open_table(PATIENT_SLUGS)?;
    let number = match slugs.last()? {
        Some((last, _)) => last
            .value()
            .checked_add(1)
            .ok_or(StoreError::Exhausted("patient"))?,
        None => 1,
    };
    slugs.insert(number, patient)?;
    ids.insert(patient, number)?;
    Ok(number)
}

/// The version after the last one of a patient whose plan had ended, or the first.
fn next_version(scope: &Scope<'_>, number: u32) -> Result<u32, StoreError> {
    let history = scope.transaction.open_table(PLAN_HISTORY)?;
    let last = history.range((number, 0)..=(number, u32::MAX))?.next_back();
    Ok(match last {
        Some(row) => row?.0.value().1 + 1,
        None => 1,
    })
}
