//! Whether the channel can hold what a plan will say: asked when the plan is read, so that a text
//! that is too long is an error on the doctor's screen and not a reminder that cannot be sent.

use crate::engine::{Addressee, AppointmentLine, Body, DoseLine, Question, RefillLine};
use crate::messaging::{Limits, Unfit};
use crate::plan::{Medication, ResolvedPlan};
use jiff::Timestamp;

/// What of a plan cannot be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which part of the plan.
    pub item: Item,
    /// What stands in the way, in a sentence.
    pub message: String,
    /// What would help, if anything is known to.
    pub help: Option<String>,
}

/// A part of a plan, by its place in the plan's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// What one of the medications is called.
    Medication(usize),
    /// How much of one of the medications is taken.
    Amount(usize),
    /// One of the check-ins.
    CheckIn(usize),
    /// One of the appointments.
    Appointment(usize),
    /// When one of the medications runs low.
    Refill(usize),
}

/// All that cannot be said, at most one finding for each part of the plan.
#[must_use]
pub fn misfits(plan: &ResolvedPlan, limits: &Limits) -> Vec<Misfit> {
    let addressee = addressee(plan);
    // Every instant is as long as any other in a text.
    let at = Timestamp::UNIX_EPOCH;
    let check = |item: Item, body: &Body| {
        let unfit = limits.check(&addressee, body).err()?;
        Some(misfit(item, body, &unfit))
    };
    let mut misfits = Vec::new();

    for (index, medication) in plan.medications.iter().enumerate() {
        // A medication that is only taken when needed is never reminded of.
        if medication.as_needed.is_some() {
            continue;
        }
        let dose = |label: &str, amount: &str| {
            Body::Dose(vec![DoseLine {
                medication: medication.id.clone(),
                label: label.to_owned(),
                amount: amount.to_owned(),
                formerly: None,
                due: at,
                on_time_until: at,
                note: medication.note.clone(),
            }])
        };
        let unfit =
            |label: &str, amount: &str| check(Item::Medication(index), &dose(label, amount));
        misfits.extend(medication.amounts.iter().find_map(|amount| {
            let found = unfit(medication.label(), amount)?;
            // Where no name is short enough, the amount is to be changed, if that helps at all.
            let amount_fails = unfit("M", amount).is_some() && unfit("M", "").is_none();
            Some(if amount_fails {
                let help = Some("say the amount in fewer words".to_owned());
                Misfit {
                    item: Item::Amount(index),
                    help,
                    ..found
                }
            } else {
                found
            })
        }));
    }
    for (index, check_in) in plan.check_ins.iter().enumerate() {
        let question = Question {
            check_in: check_in.id.clone(),
            ask: check_in.ask.clone(),
            answer: check_in.answer.clone(),
            due: at,
            on_time_until: at,
        };
        misfits.extend(check(Item::CheckIn(index), &Body::CheckIn(question)));
    }
    for (index, appointment) in plan.appointments.iter().enumerate() {
        let line = AppointmentLine {
            what: appointment.what.clone(),
            at: appointment.at,
            note: appointment.note.clone(),
        };
        misfits.extend(check(Item::Appointment(index), &Body::Appointment(line)));
    }
    misfits
}

/// What of a plan is not said to the patient, at most one finding for each part: the plan is good
/// without it, since a person at the clinic learns of it, but whoever wrote it should know.
#[must_use]
pub fn unsaid(plan: &ResolvedPlan, limits: &Limits) -> Vec<Misfit> {
    let addressee = addressee(plan);
    let low = |(index, medication): (usize, &Medication)| {
        let stock = medication.stock.as_ref()?;
        medication.refill_when.as_ref()?;
        let body = Body::Refill(RefillLine {
            label: medication.label().to_owned(),
            left: stock.thousandths,
            unit: stock.unit.clone(),
            days: 1,
            at: Timestamp::UNIX_EPOCH,
        });
        let unfit = limits.check(&addressee, &body).err()?;
        Some(misfit(Item::Refill(index), &body, &unfit))
    };
    plan.medications
        .iter()
        .enumerate()
        .filter_map(low)
        .collect()
}

fn addressee(plan: &ResolvedPlan) -> Addressee {
    Addressee {
        name: plan.name.clone(),
        language: plan.language,
        zone: plan.zone.clone(),
    }
}

fn misfit(item: Item, body: &Body, unfit: &Unfit) -> Misfit {
    let what = match body {
        Body::Dose(doses) => {
            let amount = doses.first().map_or("", |dose| dose.amount.as_str());
            if amount.is_empty() {
                "the reminder cannot be sent".to_owned()
            } else {
                format!("the reminder with \"{amount}\" cannot be sent")
            }
        }
        Body::CheckIn(_) => "the question cannot be sent".to_owned(),
        Body::Appointment(_) => "the reminder cannot be sent".to_owned(),
        Body::Refill(_) => {
            "the patient is not told when it runs low, only the call list has it".to_owned()
        }
        Body::Notice(_) | Body::Alert(_) | Body::Digest(_) => {
            "the message cannot be sent".to_owned()
        }
    };
    let help = match unfit {
        Unfit::Field(field) => match (field.short_max, item, field.limit) {
            (Some(short_max), _, _) => Some(format!(
                "give it a name of at most {short_max} characters: short = \"…\""
            )),
            (None, Item::CheckIn(_), Some(_)) => Some("ask in fewer words".to_owned()),
            _ => None,
        },
        Unfit::NotConfigured(kind) => Some(format!(
            "the configuration needs a table [wechat.templates.{}]",
            kind.name()
        )),
        Unfit::Unrendered { .. } => None,
    };
    Misfit {
        item,
        message: format!("{what}: {unfit}"),
        help,
    }
}
