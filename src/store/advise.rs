//! Advice: what the clinic says to one patient, or to many.

use super::contacts::save_conversation;
use super::patient::{Queued, Tables, Tally, Visit};
use super::receive::Received;
use super::records::{PATIENT_IDS, PLANS, PlanRecord, TOLD, decode};
use super::writer::Scope;
use super::{Store, StoreError};
use crate::engine::{
    Adviser, Conversation, Counsel, Entry, Fits, Input, NOBODY, Reply, ToldOf, counsel,
    name_of_stranger,
};
use crate::plan::{Language, ResolvedPlan};
use jiff::Timestamp;
use redb::ReadableTable;
use std::sync::Arc;

/// To whom advice is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The patient with this id.
    Patient(String),
    /// Everybody with a plan in force.
    All,
    /// Everybody whose plan in force holds this medication, by its id or its name.
    Taking(String),
}

/// What advising did.
#[derive(Default)]
pub struct Advised {
    /// How many patients a message goes to.
    pub sent: usize,
    /// How many somebody has to ring, because none can go to them.
    pub to_call: usize,
    /// Messages put into the outbox.
    pub queued: Vec<Queued>,
    /// Doses and check-ins closed.
    pub tally: Tally,
}

impl Store {
    /// The patients meant, by their numbers.
    ///
    /// # Errors
    /// The read failed.
    pub async fn audience(&self, audience: Audience) -> Result<Vec<u32>, StoreError> {
        let read = self.read(move |snapshot, _| {
            let plans = snapshot.open_table(PLANS)?;
            let (mut numbers, mut unreadable) = (Vec::new(), Vec::new());
            match audience {
                Audience::Patient(id) => {
                    let ids = snapshot.open_table(PATIENT_IDS)?;
                    let number = ids.get(id.as_str())?.map(|row| row.value());
                    if let Some(number) = number
                        && plans.get(number)?.is_some()
                    {
                        numbers.push(number);
                    }
                }
                Audience::All => {
                    for row in plans.iter()? {
                        numbers.push(row?.0.value());
                    }
                }
                Audience::Taking(medication) => {
                    for row in plans.iter()? {
                        let (number, record) = row?;
                        match decode::<PlanRecord>(&PLANS, record.value()) {
                            Ok(record) if takes(&record.plan, &medication) => {
                                numbers.push(number.value());
                            }
                            Ok(_) => {}
                            Err(_) => unreadable.push(("plans", u64::from(number.value()))),
                        }
                    }
                }
            }
            Ok((numbers, unreadable))
        });
        let (numbers, unreadable) = read.await?;
        self.telemetry().note_unreadable(unreadable);
        Ok(numbers)
    }

    /// Advises a batch of patients in one commit. Those without a plan in force are left out.
    ///
    /// # Errors
    /// The transaction failed, and its outcome is unknown: made again, a patient might be told
    /// twice.
    pub async fn advise(
        &self,
        now: Timestamp,
        patients: Vec<u32>,
        text: String,
        by: Adviser,
        fits: Arc<dyn Fits + Send + Sync>,
        day: u32,
    ) -> Result<Advised, StoreError> {
        self.write(now, move |scope| {
            scope.effects.day = day;
            let mut advised = Advised::default();
            let mut tables = Tables::open(scope.transaction)?;
            for patient in patients {
                advise_one(
                    scope,
                    &mut tables,
                    &mut advised,
                    fits.as_ref(),
                    patient,
                    Input::Advised {
                        text: &text,
                        by: &by,
                    },
                )?;
            }
            scope.effects.counts.expired += advised.tally.doses_expired();
            Ok(advised)
        })
        .await
    }
}

/// A member of staff wrote words: if they answer news of a patient, that patient is told. Returns
/// what is said in return.
pub(super) fn hear(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    received: &mut Received,
    fits: &dyn Fits,
    (contact, conversation, text): (u32, Conversation, &str),
    (by, language): (&Adviser, Language),
) -> Result<Vec<Reply>, StoreError> {
    let mut told = Vec::new();
    for row in scope
        .transaction
        .open_table(TOLD)?
        .range((contact, 0)..=(contact, u32::MAX))?
    {
        let (key, at) = row?;
        told.push((key.value().1, at.value()));
    }
    let mut known = Vec::new();
    for (patient, at) in told {
        if patient == NOBODY {
            let name = name_of_stranger(language).to_owned();
            let at = Timestamp::from_millisecond(at).ok();
            known.extend(at.map(|at| ToldOf { patient, name, at }));
            continue;
        }
        let plan = super::receive::load(scope, tables, patient)?;
        if let (Some((plan, _)), Ok(at)) = (plan, Timestamp::from_millisecond(at)) {
            known.push(ToldOf {
                patient,
                name: plan.plan.name,
                at,
            });
        }
    }
    let Counsel {
        conversation,
        advice,
        reply,
    } = counsel(conversation, &known, text, scope.now);
    save_conversation(scope, contact, &conversation)?;
    let mut replies: Vec<Reply> = reply.into_iter().collect();
    if let Some((patient, text)) = advice {
        let mut advised = Advised::default();
        let input = Input::Advised { text: &text, by };
        advise_one(scope, tables, &mut advised, fits, patient, input)?;
        received.queued.append(&mut advised.queued);
        received.tally.add(&advised.tally);
        let name = known.into_iter().find(|it| it.patient == patient);
        replies.push(match name {
            Some(it) if advised.sent + advised.to_call > 0 => Reply::Advised {
                patient: it.name,
                to_call: advised.sent == 0,
            },
            // The plan has ended meanwhile.
            _ => Reply::NobodyToAdvise,
        });
    }
    Ok(replies)
}

fn advise_one(
    scope: &mut Scope<'_>,
    tables: &mut Tables<'_>,
    advised: &mut Advised,
    fits: &dyn Fits,
    patient: u32,
    input: Input<'_>,
) -> Result<(), StoreError> {
    let Some((plan, record)) = super::receive::load(scope, tables, patient)? else {
        return Ok(());
    };
    let mut visit = Visit::new(scope, fits, patient, record, plan.head.contact);
    visit.step(
        tables,
        &mut scope.effects,
        &plan.plan,
        input,
        &mut advised.tally,
    )?;
    for entry in &visit.entries {
        match entry {
            Entry::Advised {
                message: Some(_), ..
            } => advised.sent += 1,
            Entry::Advised { message: None, .. } => advised.to_call += 1,
            _ => {}
        }
    }
    visit.finish(tables, &mut advised.queued)
}

fn takes(plan: &ResolvedPlan, medication: &str) -> bool {
    let mut medications = plan.medications.iter();
    medications.any(|it| it.id == medication || it.name == medication)
}
