//! The plans that a command line names: files, directories, or a configuration's.

use super::{exit::Exit, terminal};
use crate::daemon::{
    config::{Config, ConfigErrorKind, Environment},
    plan_files, small_file,
};
use crate::plan::{
    self, Day, Defaults, Language, PatientId, ReadPlan, Zone,
    diagnostic::{Diagnostic, Severity, Source},
    reader::Document,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Most bytes of a plan or a day map.
const TEXT_BYTES_MAX: u64 = 1 << 20;

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

    fn add(&mut self, id: PatientId, place: &Diagnostic, read: Result<ReadPlan, Vec<Diagnostic>>) {
        match read {
            Ok(read) => {
                if self.plans.insert(id, read).is_some() {
                    self.findings.push(place.clone());
                }
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
    let config = origin.config.map(load_config).transpose()?;
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
    let wanted = |id: &PatientId| origin.patient.is_none_or(|patient| patient == id);
    if let Some(config) = &config {
        read_inline(config, &defaults, &wanted, &mut plans);
        match plan_files::scan(&config.clinic.plans) {
            Ok(scan) => read_scan(scan, &defaults, &wanted, &mut plans),
            // Patients may all stand in the configuration.
            Err(plan_files::ScanError::Missing(_)) => {}
            Err(error) => plans.findings.push(error.diagnostic(Severity::Error)),
        }
    }
    for path in origin.paths {
        if path.is_dir() {
            match plan_files::scan(path) {
                Ok(scan) => read_scan(scan, &defaults, &wanted, &mut plans),
                Err(error) => plans.findings.push(error.diagnostic(Severity::Error)),
            }
            continue;
        }
        if !path.exists() {
            terminal::write_stderr(&format!(
                "dosed: {}: there is no such file\n",
                path.display()
            ));
            return Err(Exit::NoInput);
        }
        match plan_files::id_of_path(path) {
            Ok(id) if !wanted(&id) => {}
            Ok(id) => read_file(id, path, &defaults, &mut plans),
            Err(error) => plans.findings.push(
                Diagnostic::about_file(
                    Severity::Error,
                    path,
                    format!("no patient can have this id: {error}"),
                )
                .with_help("rename the file, e.g. to wang-xiulan.toml"),
            ),
        }
    }
    Ok(plans)
}

fn load_config(path: &Path) -> Result<Config, Exit> {
    Config::load(path, &Environment::of_process()).map_err(|error| {
        let colour = terminal::stderr_colour();
        let text: String = error
            .diagnostics
            .iter()
            .map(|found| found.render(colour))
            .collect();
        terminal::write_stderr(&text);
        match error.kind {
            ConfigErrorKind::Missing => Exit::NoInput,
            ConfigErrorKind::Permission => Exit::Permission,
            ConfigErrorKind::Io => Exit::Io,
            ConfigErrorKind::Invalid => Exit::Config,
        }
    })
}

fn read_inline(
    config: &Config,
    defaults: &Defaults,
    wanted: &dyn Fn(&PatientId) -> bool,
    plans: &mut Plans,
) {
    let document = Document::parse(&config.source);
    let Some(root) = document.root() else { return };
    for inline in plan_files::inline_plans(&root) {
        let entry = &inline.entry;
        let place = |message: String| Diagnostic::error(&config.source, entry.key_span(), message);
        match (entry.key().parse::<PatientId>(), entry.table()) {
            (Ok(id), _) if !wanted(&id) => {}
            (Ok(id), Some(table)) => {
                let twice = place(format!("the patient `{id}` stands here and in a file"));
                plans.add(id, &twice, plan::read_table(&table, defaults));
            }
            (Ok(_), None) => plans
                .findings
                .push(place("a patient must be a table".to_owned())),
            (Err(error), _) => plans.findings.push(place(error.to_string())),
        }
    }
}

fn read_scan(
    scan: plan_files::Scan,
    defaults: &Defaults,
    wanted: &dyn Fn(&PatientId) -> bool,
    plans: &mut Plans,
) {
    plans.findings.extend(scan.strays);
    for (id, file) in scan.files {
        if wanted(&id) {
            read_file(id, &file.path, defaults, plans);
        }
    }
}

fn read_file(id: PatientId, path: &Path, defaults: &Defaults, plans: &mut Plans) {
    let about = |message: String| Diagnostic::about_file(Severity::Error, path, message);
    let twice = about(format!("the patient `{id}` is given twice"));
    match read_source(path) {
        Ok(source) => plans.add(id, &twice, plan::read(&source, defaults)),
        Err(found) => plans.findings.push(found),
    }
}

fn read_source(path: &Path) -> Result<Arc<Source>, Diagnostic> {
    match small_file::read(path, TEXT_BYTES_MAX) {
        Ok((bytes, _)) => Source::from_bytes(path, bytes),
        Err(error) => {
            let message = format!("the file cannot be read: {error}");
            Err(Diagnostic::about_file(Severity::Error, path, message))
        }
    }
}

/// A file with a `[day]` table, or with its keys alone.
fn read_day(path: &Path, inherited: &Day) -> Result<Day, Exit> {
    let refuse = |found: Vec<Diagnostic>| {
        let colour = terminal::stderr_colour();
        let text: String = found.iter().map(|found| found.render(colour)).collect();
        terminal::write_stderr(&text);
    };
    if !path.exists() {
        terminal::write_stderr(&format!(
            "dosed: {}: there is no such file\n",
            path.display()
        ));
        return Err(Exit::NoInput);
    }
    let source = read_source(path).map_err(|found| {
        refuse(vec![found]);
        Exit::Findings
    })?;
    let document = Document::parse(&source);
    let day = document.root().and_then(|root| match root.get("day") {
        Some(day) => {
            root.check_keys(&plan::reader::Keys::new(&["day"]));
            Some(Day::read(&day.table()?, inherited))
        }
        None => Some(Day::read(&root, inherited)),
    });
    let found = document.finish();
    match day {
        Some(day) if found.is_empty() => Ok(day),
        _ => {
            refuse(found);
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
