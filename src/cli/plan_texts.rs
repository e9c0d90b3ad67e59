//! The plans that a command line names: files, directories, or a configuration's.

use super::{exit::Exit, terminal};
use crate::daemon::config::{Config, Environment};
use crate::daemon::plan_files::{self, LoadedPlan, PlanFile, ScanError, Terms};
use crate::daemon::small_file;
use crate::messaging::Limits;
use crate::plan::diagnostic::{Diagnostic, Severity, Source};
use crate::plan::reader::{Document, Keys};
use crate::plan::{Day, Defaults, Language, PatientId, ReadPlan, Zone};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes of a day map.
const DAY_BYTES_MAX: u64 = 1 << 20;

/// What is said on the command line about where plans come from.
#[derive(Debug, Default)]
pub(super) struct Origin<'a> {
    pub(super) paths: &'a [PathBuf],
    pub(super) config: Option<&'a Path>,
    /// The zone of plans that name none, when there is no configuration.
    pub(super) zone: Option<Zone>,
    pub(super) language: Option<Language>,
    /// A file with what the words of the day mean.
    pub(super) day: Option<&'a Path>,
    /// This patient alone.
    pub(super) patient: Option<&'a PatientId>,
}

/// What was found there.
#[derive(Debug, Default)]
pub(super) struct Plans {
    /// The plans that stand, by patient.
    pub(super) plans: BTreeMap<PatientId, ReadPlan>,
    /// What is wrong with others.
    pub(super) findings: Vec<Diagnostic>,
}

impl Plans {
    /// Shows what is wrong; true if something is.
    pub(super) fn report(&self) -> bool {
        let colour = terminal::stderr_colour();
        let errors = self.findings.iter().filter(|found| found.is_error());
        let text: String = errors.map(|found| found.render(colour)).collect();
        terminal::write_stderr(&text);
        !text.is_empty()
    }

    fn add(&mut self, id: PatientId, loaded: LoadedPlan) {
        match loaded.plan {
            Ok(read) if self.plans.contains_key(&id) => {
                let message = format!("the patient `{id}` is given twice");
                let path = read.places.source.path();
                self.findings
                    .push(Diagnostic::about_file(Severity::Error, path, message));
            }
            Ok(read) => {
                self.plans.insert(id, read);
            }
            Err(found) => self.findings.extend(found),
        }
    }
}

/// Reads the plans. What is wrong with one of them is a finding and does not stop the others.
///
/// # Errors
/// What the command line names is not there or cannot be used at all; it has been reported.
pub(super) fn read(origin: &Origin<'_>, now: Timestamp) -> Result<Plans, Exit> {
    let mut config = origin.config.map(load_config).transpose()?;
    let mut defaults = match &config {
        Some(config) => config.clinic.defaults.clone(),
        None => Defaults {
            zone: origin.zone.clone().unwrap_or_else(system_zone),
            language: Language::default(),
            quiet_hours: None,
            day: Day::default(),
            now: None,
        },
    };
    defaults.now = Some(now);
    if let Some(language) = origin.language {
        defaults.language = language;
    }
    if let Some(path) = origin.day {
        defaults.day = read_day(path, &defaults.day)?;
    }
    let mut plans = Plans::default();
    if let Some(config) = &mut config {
        config.clinic.defaults = defaults.clone();
        plans.load(config, origin, now);
    }
    let terms = Terms {
        defaults,
        limits: Limits::Unlimited,
    };
    for path in origin.paths {
        plans.path(path, origin, &terms)?;
    }
    Ok(plans)
}

impl Plans {
    fn load(&mut self, config: &Config, origin: &Origin<'_>, now: Timestamp) {
        let loaded = plan_files::load(config, &HashMap::new(), now);
        self.findings.extend(loaded.strays);
        match loaded.directory {
            // It may be absent when patients are inline.
            Ok(()) | Err(ScanError::Missing(_)) => {}
            Err(error @ ScanError::Unreadable { .. }) => {
                self.findings.push(error.diagnostic(Severity::Error));
            }
        }
        for (id, plan) in loaded.plans {
            if origin.wants(&id) {
                self.add(id, plan);
            }
        }
    }

    fn path(&mut self, path: &Path, origin: &Origin<'_>, terms: &Terms) -> Result<(), Exit> {
        if path.is_dir() {
            match plan_files::scan(path) {
                Ok(scan) => {
                    self.findings.extend(scan.strays);
                    for (id, file) in scan.files {
                        // One that is gone since the directory was listed is no plan any more.
                        if origin.wants(&id)
                            && let Some(plan) = plan_files::read_file(&file, terms)
                        {
                            self.add(id, plan);
                        }
                    }
                }
                Err(error) => self.findings.push(error.diagnostic(Severity::Error)),
            }
            return Ok(());
        }
        let file = PlanFile {
            path: path.to_path_buf(),
            stamp: None,
        };
        let Some(plan) = plan_files::read_file(&file, terms) else {
            return Err(no_such_file(path));
        };
        match plan_files::id_of_path(path) {
            Ok(id) if !origin.wants(&id) => {}
            Ok(id) => self.add(id, plan),
            Err(error) => {
                let message = format!("no patient can have this id: {error}");
                let help = "a plan is a file named after its patient, e.g. wang-xiulan.toml";
                self.findings
                    .push(Diagnostic::about_file(Severity::Error, path, message).with_help(help));
            }
        }
        Ok(())
    }
}

impl Origin<'_> {
    fn wants(&self, id: &PatientId) -> bool {
        self.patient.is_none_or(|patient| patient == id)
    }
}

fn no_such_file(path: &Path) -> Exit {
    terminal::write_stderr(&format!(
        "dosed: {}: there is no such file\n",
        path.display()
    ));
    Exit::NoInput
}

fn show(found: &[Diagnostic]) {
    let colour = terminal::stderr_colour();
    let text: String = found.iter().map(|found| found.render(colour)).collect();
    terminal::write_stderr(&text);
}

fn load_config(path: &Path) -> Result<Config, Exit> {
    Config::load(path, &Environment::of_process()).map_err(|error| {
        show(&error.diagnostics);
        Exit::from(&error)
    })
}

fn read_source(path: &Path) -> Result<Arc<Source>, Diagnostic> {
    match small_file::read(path, DAY_BYTES_MAX) {
        Ok((bytes, _)) => Source::from_bytes(path, bytes),
        Err(error) => {
            let message = format!("the file cannot be read: {error}");
            Err(Diagnostic::about_file(Severity::Error, path, message))
        }
    }
}

/// A file with a `[day]` table, or with its keys alone.
pub(super) fn read_day(path: &Path, inherited: &Day) -> Result<Day, Exit> {
    if !path.exists() {
        return Err(no_such_file(path));
    }
    let source = read_source(path).map_err(|found| {
        show(&[found]);
        Exit::Findings
    })?;
    let document = Document::parse(&source);
    let day = document.root().and_then(|root| match root.get("day") {
        Some(day) => {
            root.check_keys(&Keys::new(&["day"]));
            Some(Day::read(&day.table()?, inherited))
        }
        None => Some(Day::read(&root, inherited)),
    });
    let found = document.finish();
    match day {
        Some(day) if found.is_empty() => Ok(day),
        _ => {
            show(&found);
            Err(Exit::Findings)
        }
    }
}

/// The zone of this machine, else UTC.
pub(super) fn system_zone() -> Zone {
    let name = jiff::tz::TimeZone::try_system()
        .ok()
        .and_then(|zone| zone.iana_name().map(str::to_owned));
    name.and_then(|name| Zone::get(&name).ok())
        .or_else(|| Zone::get("UTC").ok())
        .expect("UTC is in the database that is built in")
}
