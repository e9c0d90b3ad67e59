//! What would come of a plan if it were applied at this moment, for those who ask beforehand: the
//! planner's own decision and the engine's own steps, made in memory.

mod compare;
mod notes;
mod report;

pub use compare::{Change, Line};
pub use notes::{Note, Said};
pub use report::{Report, What};

use super::config::Config;
use super::plan_changes::{self, Present};
use super::plan_files::LoadedPlans;
use super::removals::{GONE_FOR, Gone};
use crate::engine::{Context, Course, Expected, ExpiredReason, IdKey};
use crate::messaging::Limits;
use crate::plan::ResolvedPlan;
use crate::plan::diagnostic::Diagnostic;
use crate::store::{PlanChange, PlanHead, Treatment};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::time::Duration;

/// How far ahead the two plans are compared.
const AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The plans whose file is gone: those that would end, and those that would be held back.
#[must_use]
pub fn removals<S: BuildHasher>(
    loaded: &LoadedPlans,
    heads: &HashMap<String, PlanHead, S>,
) -> (Vec<String>, BTreeSet<String>) {
    let in_force: BTreeSet<&str> = heads.keys().map(String::as_str).collect();
    let Present { patients, .. } = plan_changes::present(loaded, heads, false);
    let mut gone = Gone::default();
    // As the planner does: it looks, and looks again when the gap has run out.
    gone.decide(&in_force, &patients, false, Duration::ZERO);
    let decided = gone.decide(&in_force, &patients, false, GONE_FOR);
    let missing = in_force.difference(&patients);
    let held = missing
        .filter(|_| decided.held > 0)
        .map(|patient| (*patient).to_owned());
    (decided.end, held.collect())
}

/// What the planner would do about a patient.
pub enum Turn {
    /// Another meaning comes into force.
    Change(Box<PlanChange>),
    /// The bytes differ, the meaning does not.
    Reword(String),
    /// The file is gone.
    End,
    /// The file is gone, with too many others at once.
    Hold,
    /// The text is refused.
    Reject(Vec<Diagnostic>),
}

/// What the planner would do about each patient whose text is not what is in force.
#[must_use]
pub fn turns<S: BuildHasher>(
    config: &Config,
    loaded: LoadedPlans,
    heads: &HashMap<String, PlanHead, S>,
) -> BTreeMap<String, Turn> {
    let mut turns = BTreeMap::new();
    for change in plan_changes::changes(config, &loaded, heads) {
        let head = heads.get(&change.patient);
        turns.insert(change.patient.clone(), Turn::of(change, head));
    }
    let (ends, held) = removals(&loaded, heads);
    turns.extend(ends.into_iter().map(|patient| (patient, Turn::End)));
    turns.extend(held.into_iter().map(|patient| (patient, Turn::Hold)));
    for (id, plan) in loaded.plans {
        if let Err(findings) = plan.plan {
            turns.insert(id.to_string(), Turn::Reject(findings));
        }
    }
    turns
}

impl Turn {
    /// What a change comes to, where this is in force.
    #[must_use]
    pub fn of(change: PlanChange, head: Option<&PlanHead>) -> Self {
        if head.is_some_and(|head| head.meaning == change.meaning) {
            Turn::Reword(change.plan.name)
        } else {
            Turn::Change(Box::new(change))
        }
    }
}

/// What is the same for all patients.
pub struct Rehearsal {
    now: Timestamp,
    until: Timestamp,
    limits: Limits,
    /// For ids of messages where there is no store: nothing is sent by them.
    spare_key: IdKey,
}

/// What would be due under the plan in force and under what the files say.
struct Outlook {
    lines: Vec<Line>,
    /// Doses, check-ins and appointments of the new plan of which nobody would be reminded.
    unreminded: usize,
}

impl Rehearsal {
    /// At this instant, over a channel that can hold so much.
    #[must_use]
    pub fn new(now: Timestamp, limits: Limits) -> Self {
        Self {
            now,
            until: now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX),
            limits,
            spare_key: IdKey::new(&[0; 32]),
        }
    }

    /// What a turn would change for a patient of whom this is kept; `ids` are those of the store,
    /// where there is one. `None` where there is nothing to change.
    #[must_use]
    pub fn report<'a>(
        &self,
        patient: &'a str,
        turn: &'a Turn,
        kept: Option<&'a Treatment>,
        ids: Option<&IdKey>,
    ) -> Option<Report<'a>> {
        let ids = ids.unwrap_or(&self.spare_key);
        let old = kept.and_then(|kept| kept.plan.as_ref());
        let name = old.map(|(_, plan)| plan.name.as_str());
        let report = |name, what| Report {
            patient,
            name,
            what,
            old: old.map(|(_, plan)| plan),
            new: None,
            lines: Vec::new(),
            notes: Vec::new(),
        };
        Some(match turn {
            Turn::Reword(name) => report(Some(name), What::Reword),
            Turn::Hold => report(name, What::Hold),
            Turn::Reject(findings) => report(
                name,
                What::Reject {
                    findings,
                    in_force: old.is_some(),
                },
            ),
            Turn::End => {
                let (kept, (_, plan)) = (kept?, old?);
                Report {
                    lines: self.end(kept, plan, ids),
                    ..report(name, What::End)
                }
            }
            Turn::Change(change) if kept.is_some_and(|kept| kept.broken) => {
                report(Some(&change.plan.name), What::Broken)
            }
            Turn::Change(change) => {
                let outlook = self.change(kept, change, ids);
                let mut notes =
                    notes::notes(old.map(|(_, plan)| plan), &change.plan, &outlook.lines);
                if change.address.is_none() {
                    notes.push(Note::NoContact(outlook.unreminded));
                } else if let Some(address) = kept.and_then(|kept| kept.address.as_ref())
                    && Some(address) != change.address.as_ref()
                {
                    notes.push(Note::OtherContact);
                }
                let what = match old {
                    None => What::Begin,
                    Some(_) => What::Change,
                };
                Report {
                    new: Some(&change.plan),
                    lines: outlook.lines,
                    notes,
                    ..report(Some(&change.plan.name), what)
                }
            }
        })
    }

    /// What falls within the next 7 days for a patient of whom this is kept, if nothing changes.
    #[must_use]
    pub fn expected(&self, kept: Option<&Treatment>, ids: &IdKey) -> Vec<Expected> {
        self.as_it_is(kept, ids).1
    }

    fn context<'a>(
        &'a self,
        kept: Option<&'a Treatment>,
        addressed: bool,
        ids: &'a IdKey,
    ) -> Context<'a> {
        Context {
            patient: kept.map_or(0, |kept| kept.number),
            barred: match kept.filter(|kept| kept.address.is_some()) {
                Some(kept) => kept.barred,
                None => (!addressed).then_some(ExpiredReason::NotEnrolled),
            },
            // What is repeated is no other dose.
            answers: false,
            caregivers: &[],
            staff: &[],
            fits: &self.limits,
            ids,
            claimed: kept.map_or(&[], |kept| &kept.claimed),
            ages_by: None,
        }
    }

    /// The patient as it is after all that fell up to now, and what would fall under the old plan.
    fn as_it_is(&self, kept: Option<&Treatment>, ids: &IdKey) -> (Course, Vec<Expected>) {
        let mut course = kept
            .and_then(|kept| kept.course.clone())
            .unwrap_or_else(|| Course::beginning(self.now));
        let Some((kept, (head, plan))) = kept.and_then(|kept| Some((kept, kept.plan.as_ref()?)))
        else {
            return (course, Vec::new());
        };
        let context = self.context(Some(kept), head.contact.is_some(), ids);
        course.catch_up(&context, plan, ExpiredReason::DaemonDown, self.now);
        let ahead = course.clone().ahead(&context, plan, self.now, self.until);
        (course, ahead)
    }

    fn change(&self, kept: Option<&Treatment>, change: &PlanChange, ids: &IdKey) -> Outlook {
        let (mut course, before) = self.as_it_is(kept, ids);
        let old = kept.and_then(|kept| kept.plan.as_ref());
        let old = old.map(|(_, plan)| plan);
        let plan = crate::store::without_addresses(ids, change.plan.clone());
        let plan = course.state.anchor(plan, self.now);
        let context = self.context(kept, change.address.is_some(), ids);
        let overdue = ExpiredReason::DaemonDown;
        let cancelled = course.change(&context, old, &plan, overdue, self.now);
        let after = course.ahead(&context, &plan, self.now, self.until);
        let unreminded = after.iter().filter(|it| !it.reminded).count();
        let zone = &change.plan.zone;
        let zones = (old.map_or(zone, |old| &old.zone), zone);
        Outlook {
            lines: compare::lines(zones, before, after, cancelled),
            unreminded,
        }
    }

    fn end(&self, kept: &Treatment, plan: &ResolvedPlan, ids: &IdKey) -> Vec<Line> {
        let (mut course, before) = self.as_it_is(Some(kept), ids);
        let context = self.context(Some(kept), kept.address.is_some(), ids);
        let overdue = ExpiredReason::DaemonDown;
        let cancelled = course.end(&context, plan, overdue, self.now);
        compare::lines((&plan.zone, &plan.zone), before, Vec::new(), cancelled)
    }
}
