//! From files and tables to plans, each with its own findings.

use super::fit::{self, Item, Misfit};
use super::inline::inline_plans;
use super::scan::{self, PlanFile, ScanError, Stamp};
use crate::daemon::config::Config;
use crate::daemon::small_file::{self, SmallFileError};
use crate::messaging::Limits;
use crate::plan::diagnostic::{Diagnostic, Severity, Source};
use crate::plan::reader::{Document, Findings};
use crate::plan::{self, Defaults, MedicationPlace, PatientId, ReadPlan};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::SystemTime;

/// Most bytes of a plan file. A plan of a hundred medications has a twentieth.
pub const PLAN_BYTES_MAX: u64 = 1 << 20;

/// So few files are read without help.
const READ_ALONE_MAX: usize = 500;

/// Where a plan stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file of the plan directory.
    File(PathBuf),
    /// In the configuration.
    Inline,
}

/// One patient's plan as it was found.
///
/// `Debug` shows no text: it is medical data.
pub struct LoadedPlan {
    /// Where it stands.
    pub origin: Origin,
    /// Its text, for the history; empty where it could not be read.
    pub text: String,
    /// SHA-256 of the bytes that were read: equal hashes, nothing to do.
    pub source_hash: [u8; 32],
    /// Equal stamps, nothing to read. `None`: read again next time.
    pub stamp: Option<Stamp>,
    /// The plan, or why it is refused: then the last good one stays in force.
    pub plan: Result<ReadPlan, Vec<Diagnostic>>,
}

impl std::fmt::Debug for LoadedPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedPlan")
            .field("origin", &self.origin)
            .field("accepted", &self.plan.is_ok())
            .finish_non_exhaustive()
    }
}

/// What is taken into account when a plan is read.
#[derive(Clone)]
pub struct Terms {
    /// What plans inherit.
    pub defaults: Defaults,
    /// What the channel can hold.
    pub limits: Limits,
}

impl Terms {
    /// Those of a configuration. The present decides nothing but what findings propose.
    #[must_use]
    pub fn of(config: &Config, now: Timestamp) -> Self {
        Self {
            defaults: Defaults {
                now: Some(now),
                ..config.clinic.defaults.clone()
            },
            limits: config.limits(),
        }
    }
}

/// The plans of all patients.
#[derive(Debug)]
pub struct LoadedPlans {
    /// Those that were read, good and bad.
    pub plans: BTreeMap<PatientId, LoadedPlan>,
    /// Those whose file has the stamp that was known: not read.
    pub unchanged: HashSet<PatientId>,
    /// Findings that belong to no patient.
    pub strays: Vec<Diagnostic>,
    /// Why the plan directory could not be listed: which of its plans are gone is not known then.
    pub directory: Result<(), ScanError>,
}

/// Reads all plans of a configuration, but for the files whose stamp is known.
///
/// `known` is only good for the terms under which those plans were read: with other terms it must
/// be empty.
#[must_use]
pub fn load<S: BuildHasher>(
    config: &Config,
    known: &HashMap<PatientId, Stamp, S>,
    now: Timestamp,
) -> LoadedPlans {
    let terms = Terms::of(config, now);
    let (inline, strays) = read_inline(config, &terms);
    let mut loaded = LoadedPlans {
        plans: inline,
        strays,
        ..LoadedPlans::default()
    };
    let directory = &config.clinic.plans;
    let (mut unchanged, mut to_read) = (HashSet::with_capacity(known.len()), Vec::new());
    let walked = scan::walk(directory, |id, file| {
        if is_known(&id, file.stamp, known) && !loaded.plans.contains_key(&id) {
            unchanged.insert(id);
        } else {
            to_read.push((id, file));
        }
    });
    match walked {
        Ok(strays) => loaded.strays.extend(strays),
        Err(error) => loaded.directory = Err(error),
    }
    if loaded.directory.is_err() {
        // What it still holds is not known: nothing of it is read.
        return loaded;
    }
    loaded.unchanged = unchanged;
    let files = to_read.into_iter().map(|(id, file)| {
        let path = directory.join(file.name);
        let stamp = file.stamp;
        (id, PlanFile { path, stamp })
    });
    let (twice, files): (Vec<_>, Vec<_>) = files.partition(|(id, _)| loaded.plans.contains_key(id));
    for (id, file) in twice {
        if let Some(inline) = loaded.plans.get_mut(&id) {
            refuse_twice(inline, &id, &file, config);
        }
    }
    let read = read_files(&files, &terms);
    let read = files.into_iter().zip(read);
    loaded
        .plans
        .extend(read.filter_map(|((id, _), plan)| Some((id, plan?))));
    loaded
}

/// Whether a file has the stamp under which it was read.
fn is_known<S: BuildHasher>(
    id: &PatientId,
    stamp: Option<Stamp>,
    known: &HashMap<PatientId, Stamp, S>,
) -> bool {
    stamp.is_some() && stamp == known.get(id).copied()
}

/// Reads files, in their order, with all processors.
fn read_files(files: &[(PatientId, PlanFile)], terms: &Terms) -> Vec<Option<LoadedPlan>> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(processors).max(READ_ALONE_MAX);
    let read = |files: &[(PatientId, PlanFile)]| -> Vec<Option<LoadedPlan>> {
        files
            .iter()
            .map(|(_, file)| read_file(file, terms))
            .collect()
    };
    if files.len() <= share {
        return read(files);
    }
    std::thread::scope(|scope| {
        let shares: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(move || read(files)))
            .collect();
        let read = shares.into_iter().map(ScopedJoinHandle::join);
        // A panic of one is a panic of all: as if nobody had shared.
        read.flat_map(|plans| plans.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

impl LoadedPlans {
    /// Whether a patient has a text, good or refused.
    #[must_use]
    pub fn has_text(&self, patient: &str) -> bool {
        self.unchanged.contains(patient) || self.plans.contains_key(patient)
    }
}

impl Default for LoadedPlans {
    fn default() -> Self {
        Self {
            plans: BTreeMap::new(),
            unchanged: HashSet::new(),
            strays: Vec::new(),
            directory: Ok(()),
        }
    }
}

/// Reads one plan file; `None` if it is gone. The patient's id is not looked at.
#[must_use]
pub fn read_file(file: &PlanFile, terms: &Terms) -> Option<LoadedPlan> {
    let path = &file.path;
    let (bytes, stamp) = match small_file::read(path, PLAN_BYTES_MAX) {
        Ok((bytes, metadata)) => (bytes, Stamp::of(&metadata, SystemTime::now())),
        Err(SmallFileError::Missing) if path.symlink_metadata().is_err() => return None,
        Err(error) => {
            let message = format!("the plan cannot be read: {error}");
            let finding = Diagnostic::about_file(Severity::Error, path, message);
            return Some(LoadedPlan {
                origin: Origin::File(path.clone()),
                text: String::new(),
                source_hash: hash(b""),
                stamp: None,
                plan: Err(vec![finding]),
            });
        }
    };
    Some(LoadedPlan {
        stamp,
        ..read_bytes(path, bytes, terms)
    })
}

/// Reads the bytes of a plan file.
#[must_use]
pub fn read_bytes(path: &Path, bytes: Vec<u8>, terms: &Terms) -> LoadedPlan {
    let source_hash = hash(&bytes);
    let source = Source::from_bytes(path, bytes);
    let (text, plan) = match source {
        Ok(source) => (source.text().to_owned(), read_text(&source, terms)),
        Err(error) => (error.source().text().to_owned(), Err(vec![error])),
    };
    LoadedPlan {
        origin: Origin::File(path.to_owned()),
        text,
        source_hash,
        stamp: None,
        plan,
    }
}

/// Reads the patients of the configuration's own text.
fn read_inline(
    config: &Config,
    terms: &Terms,
) -> (BTreeMap<PatientId, LoadedPlan>, Vec<Diagnostic>) {
    let document = Document::parse(&config.source);
    let mut plans = BTreeMap::new();
    let mut strays = Vec::new();
    for inline in document.root().iter().flat_map(inline_plans) {
        let id = match inline.entry.key().parse::<PatientId>() {
            Ok(id) => id,
            Err(error) => {
                let message = format!("no patient can have this id: {error}");
                strays.push(Diagnostic::error(
                    &config.source,
                    inline.entry.key_span(),
                    message,
                ));
                continue;
            }
        };
        // What is no table is a finding of this patient's, like all that is in it.
        let findings = Findings::new(&config.source);
        let table = inline.entry.with_findings(&findings).table();
        let plan = match table {
            Some(table) => plan::read_table(&table, &terms.defaults),
            None => Err(findings.into_list()),
        };
        let plan = plan.and_then(|plan| fitted(plan, terms));
        plans.insert(
            id,
            LoadedPlan {
                origin: Origin::Inline,
                source_hash: hash(inline.text.as_bytes()),
                text: inline.text,
                stamp: None,
                plan,
            },
        );
    }
    (plans, strays)
}

/// Reads a plan's text.
fn read_text(source: &Arc<Source>, terms: &Terms) -> Result<ReadPlan, Vec<Diagnostic>> {
    plan::read(source, &terms.defaults).and_then(|plan| fitted(plan, terms))
}

/// Refuses what the channel cannot hold, and warns of what is not said without it.
fn fitted(mut read: ReadPlan, terms: &Terms) -> Result<ReadPlan, Vec<Diagnostic>> {
    let places = &read.places;
    let finding = |misfit: Misfit| {
        let place = match misfit.item {
            Item::Medication(index) => places.medications.get(index).map(MedicationPlace::label),
            Item::Amount(index) => places
                .medications
                .get(index)
                .map(|place| place.take.clone().unwrap_or_else(|| place.label())),
            Item::CheckIn(index) => places.check_ins.get(index).cloned(),
            Item::Appointment(index) => places.appointments.get(index).cloned(),
            Item::Refill(index) => places
                .medications
                .get(index)
                .and_then(|place| place.refill.clone()),
        };
        let finding = Diagnostic::error(&places.source, place.unwrap_or_default(), misfit.message);
        match misfit.help {
            Some(help) => finding.with_help(help),
            None => finding,
        }
    };
    let misfits = fit::misfits(&read.plan, &terms.limits);
    let mut errors: Vec<Diagnostic> = misfits.into_iter().map(finding).collect();
    let unsaid = fit::unsaid(&read.plan, &terms.limits).into_iter();
    let warnings: Vec<_> = unsaid.map(|it| finding(it).into_warning()).collect();
    read.warnings.extend(warnings);
    read.warnings.sort_by_cached_key(Diagnostic::sort_key);
    if errors.is_empty() {
        return Ok(read);
    }
    errors.append(&mut read.warnings);
    errors.sort_by_cached_key(Diagnostic::sort_key);
    Err(errors)
}

/// Refuses a patient who stands in a file and in the configuration, at both places.
fn refuse_twice(inline: &mut LoadedPlan, id: &PatientId, file: &PlanFile, config: &Config) {
    let document = Document::parse(&config.source);
    let entry = document.root().and_then(|root| {
        inline_plans(&root)
            .into_iter()
            .find(|plan| plan.entry.key() == id.as_str())
    });
    let span = entry.map_or(0..0, |plan| plan.entry.key_span());
    let help = "remove one of the two";
    let message = format!("this patient has a plan in {} too", file.path.display());
    let here = Diagnostic::error(&config.source, span, message).with_help(help);
    let message = format!("this patient has a plan in {} too", here.place());
    let there = Diagnostic::about_file(Severity::Error, &file.path, message).with_help(help);
    inline.plan = Err(vec![here, there]);
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests;
