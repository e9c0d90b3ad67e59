//! `dosed diff`.

mod compare;
mod notes;
mod report;

use super::exit::Exit;
use super::terminal;
use crate::daemon::clock::{Clock, ScaledClock, SystemClock};
use crate::daemon::config::{Config, Environment};
use crate::daemon::plan_changes::{self, Present};
use crate::daemon::plan_files::{self, LoadedPlans};
use crate::daemon::removals::{GONE_FOR, Gone};
use crate::engine::{Context, Course, Expected, ExpiredReason, IdKey};
use crate::messaging::Limits;
use crate::plan::ResolvedPlan;
use crate::plan::diagnostic::Diagnostic;
use crate::store::{OpenError, PlanChange, PlanHead, Reader, StoreError, Treatment};
use compare::Line;
use jiff::{SignedDuration, Timestamp};
use notes::Note;
use report::{Report, What};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

/// How far ahead the two plans are compared.
const AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Patients looked at in one snapshot of the store.
const BATCH: usize = 500;

/// Show what applying the plans as they are now would change.
///
/// For each patient whose text differs from what is in force: the doses, check-ins and reminders
/// of the next 7 days that would be added, withdrawn, moved, or have another amount, as the daemon
/// would decide it at this moment. It reads the store, whether the daemon runs or not, and writes
/// nothing. Exit code 0 when nothing would change, 1 when something would or a plan is rejected.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Look at a clock other than the machine's, for tests: SHOWN@REAL*SPEED.
    #[arg(long, value_name = "CLOCK", hide = true)]
    clock: Option<ScaledClock>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    match show(args) {
        Ok(exit) => exit,
        Err((exit, message)) => {
            terminal::write_stderr(&format!("dosed: {message}\n"));
            exit
        }
    }
}

fn show(args: &Args) -> Result<Exit, (Exit, String)> {
    let now = args
        .clock
        .as_ref()
        .map_or_else(|| SystemClock.now(), Clock::now);
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let failed = |error: StoreError| (Exit::Io, error.to_string());
    let reader = open(&config)?;
    let loaded = plan_files::load(&config, &BTreeMap::new(), now);
    let heads = match &reader {
        Some(reader) => reader.plan_heads().map_err(failed)?,
        None => HashMap::new(),
    };
    let mut found = say_what_is_not_read(&config, &loaded, &heads);
    let turns = turns(&config, loaded, &heads);
    let rehearsal = Rehearsal {
        now,
        until: now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX),
        limits: config.limits(),
        spare_key: IdKey::new(&[0; 32]),
    };
    let turns: Vec<(String, Turn)> = turns.into_iter().collect();
    for batch in turns.chunks(BATCH) {
        let names = batch.iter().map(|(patient, _)| patient.as_str());
        let treatments = match &reader {
            Some(reader) => Some(reader.treatments(names).map_err(failed)?),
            None => None,
        };
        let ids = treatments
            .as_ref()
            .map_or(&rehearsal.spare_key, |treatments| &treatments.ids);
        let mut text = String::new();
        for (patient, turn) in batch {
            let kept = treatments
                .as_ref()
                .and_then(|treatments| treatments.patients.get(patient));
            if let Some(report) = rehearsal.report(patient, turn, kept, ids) {
                found |= report.is_finding();
                text += &if args.json {
                    report.json()
                } else {
                    report.words()
                };
            }
        }
        match terminal::write_stdout(&text) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err((Exit::Io, error.to_string())),
            Ok(()) => {}
        }
    }
    Ok(if found { Exit::Findings } else { Exit::Ok })
}

/// The store; `None` where none was made yet: then nothing is in force.
fn open(config: &Config) -> Result<Option<Reader>, (Exit, String)> {
    let options = crate::store::Options {
        path: config.store.path.clone(),
        cache_bytes: usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX),
    };
    match crate::store::open_reader(&options) {
        Ok(reader) => Ok(Some(reader)),
        Err(OpenError::Missing(path)) => {
            terminal::write_stderr(&format!(
                "dosed: there is no store at {} yet: no plan is in force\n",
                path.display()
            ));
            Ok(None)
        }
        Err(error) => Err((super::store_exit(&error), error.to_string())),
    }
}

/// Says on stderr what belongs to no patient. True if something of it is to be looked at.
fn say_what_is_not_read(
    config: &Config,
    loaded: &LoadedPlans,
    heads: &HashMap<String, PlanHead>,
) -> bool {
    let mut found = false;
    let colour = terminal::stderr_colour();
    for stray in loaded.strays.iter().filter(|stray| stray.is_error()) {
        terminal::write_stderr(&stray.render(colour));
        found = true;
    }
    let unknown = plan_changes::present(loaded, heads, false).unknown;
    if let Err(error) = &loaded.directory
        && (unknown > 0 || loaded.plans.is_empty())
    {
        terminal::write_stderr(&format!(
            "dosed: {error}: all of its plans stay in force ({unknown})\n"
        ));
        found = true;
    }
    let held = removals(loaded, heads).1;
    if !held.is_empty() {
        terminal::write_stderr(&format!(
            "dosed: {} of {} plans in force have no file any more: they stay in force; if their \
             end is meant: dosed reload --config {} --accept-removals\n",
            held.len(),
            heads.len(),
            config.path.display()
        ));
    }
    found
}

/// The plans whose file is gone: those that would end, and those that would be held back.
fn removals(
    loaded: &LoadedPlans,
    heads: &HashMap<String, PlanHead>,
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
enum Turn {
    Change(Box<PlanChange>),
    /// The bytes differ, the meaning does not.
    Reword(String),
    End,
    Hold,
    Reject(Vec<Diagnostic>),
}

fn turns(
    config: &Config,
    loaded: LoadedPlans,
    heads: &HashMap<String, PlanHead>,
) -> BTreeMap<String, Turn> {
    let mut turns = BTreeMap::new();
    for change in plan_changes::changes(config, &loaded, heads) {
        let same = heads
            .get(&change.patient)
            .is_some_and(|head| head.meaning == change.meaning);
        let patient = change.patient.clone();
        let turn = if same {
            Turn::Reword(change.plan.name)
        } else {
            Turn::Change(Box::new(change))
        };
        turns.insert(patient, turn);
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

/// What is the same for all patients.
struct Rehearsal {
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
    fn report<'a>(
        &self,
        patient: &'a str,
        turn: &'a Turn,
        kept: Option<&'a Treatment>,
        ids: &IdKey,
    ) -> Option<Report<'a>> {
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
