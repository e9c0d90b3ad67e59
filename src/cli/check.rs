//! `dosed check`.

use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Channel, Config, ConfigError, ConfigErrorKind, Environment};
use crate::daemon::plan_files::{self, LoadedPlan, PlanFile, ScanError, Terms};
use crate::messaging::wechat::Settings;
use crate::messaging::wechat::crypto::Cipher;
use crate::messaging::{Limits, WeChat};
use crate::plan::diagnostic::{Diagnostic, Severity};
use crate::plan::{Day, Defaults, Language, Zone};
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Check the configuration and the plans.
///
/// Every finding is PATH:LINE:COLUMN, what is wrong, the line, and what would be right. Nothing is
/// sent and nothing is stored. Exit code 0 without errors (there may be warnings), 1 with errors, 66
/// when a file that was named does not exist.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file. Without PATH, all plans that it names are checked; plans must fit its
    /// templates.
    #[arg(long, value_name = "FILE", required_unless_present = "paths")]
    config: Option<PathBuf>,
    /// Look at the configuration and not at plans.
    #[arg(long, requires = "config", conflicts_with = "paths")]
    config_only: bool,
    /// Print errors only.
    #[arg(long)]
    quiet: bool,
    /// Print the findings on stdout, one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Plan files, or directories of plan files.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let mut check = Check::default();
    check.all(args);
    check.report(args)
}

/// What was looked at, and what was found.
#[derive(Default)]
struct Check {
    findings: Vec<Diagnostic>,
    plans: usize,
    /// Something that was named cannot be read at all: says more than the findings do.
    exit: Option<Exit>,
}

impl Check {
    fn all(&mut self, args: &Args) {
        let environment = Environment::of_process();
        let config = match &args.config {
            None => None,
            Some(path) => match Config::load(path, &environment) {
                Ok(config) => Some(config),
                // Without it nothing is known of what plans inherit.
                Err(error) => return self.refused(error),
            },
        };
        if let Some(config) = &config {
            self.config(config);
        }
        if args.config_only {
            return;
        }
        match (config.as_ref(), args.paths.is_empty()) {
            (Some(config), true) => self.plans_of(config),
            (config, _) => {
                let now = Timestamp::now();
                let terms = match config {
                    Some(config) => Terms::of(config, now),
                    None => terms_without_config(now),
                };
                for path in &args.paths {
                    self.path(path, &terms);
                }
            }
        }
    }

    fn refused(&mut self, error: ConfigError) {
        if error.kind != ConfigErrorKind::Invalid {
            self.exit = Some(Exit::from(&error));
        }
        self.findings.extend(error.diagnostics);
    }

    /// What `run` would stumble over besides the text.
    fn config(&mut self, config: &Config) {
        self.findings.extend(config.warnings.iter().cloned());
        let secret = config.secret();
        let ca_pem = config.ca_pem();
        if let (Channel::WeChat(wechat), Ok(Some(secret)), Ok(ca_pem)) =
            (&config.messaging.channel, &secret, &ca_pem)
        {
            let settings = Settings {
                api_base: wechat.api_base.clone(),
                appid: wechat.appid.clone(),
                secret: secret.clone(),
                ca_pem: ca_pem.clone(),
                templates: wechat.templates.clone(),
                timeout: config.messaging.timeout,
                concurrency: config.messaging.concurrency.get(),
                observer: Arc::new(()),
            };
            if let Err(error) = WeChat::new(&settings) {
                let path = config.source.path();
                let finding = Diagnostic::about_file(Severity::Error, path, error.to_string());
                self.findings.push(finding);
            }
        }
        let callback = config.callback_secrets();
        if let (Channel::WeChat(wechat), Ok(Some(secrets))) = (&config.messaging.channel, &callback)
            && let Some(key) = &secrets.aes_key
            && let Err(error) = Cipher::new(key.expose(), &wechat.appid)
        {
            let path = config.source.path();
            let message = format!("`wechat.aes_key_file`: {error}");
            self.findings
                .push(Diagnostic::about_file(Severity::Error, path, message));
        }
        for error in [secret.err(), ca_pem.err(), callback.err()]
            .into_iter()
            .flatten()
        {
            let findings = error.diagnostics.into_iter();
            if error.kind == ConfigErrorKind::Denied {
                // The daemon's user may, where the one who checks may not.
                self.findings.extend(findings.map(Diagnostic::into_warning));
            } else {
                self.findings.extend(findings);
            }
        }
    }

    fn plans_of(&mut self, config: &Config) {
        let loaded = plan_files::load(config, &HashMap::new(), Timestamp::now());
        self.findings.extend(loaded.strays);
        match loaded.directory {
            Ok(()) => {}
            // It may be absent when patients are inline.
            Err(ScanError::Missing(_)) if !loaded.plans.is_empty() => {}
            Err(error @ ScanError::Missing(_)) => {
                self.findings.push(error.diagnostic(Severity::Warning));
            }
            Err(error @ ScanError::Unreadable { .. }) => {
                self.findings.push(error.diagnostic(Severity::Error));
            }
        }
        for plan in loaded.plans.into_values() {
            self.plan(plan);
        }
    }

    fn path(&mut self, path: &Path, terms: &Terms) {
        if path.is_dir() {
            match plan_files::scan(path) {
                Ok(scan) => {
                    self.findings.extend(scan.strays);
                    for file in scan.files.into_values() {
                        self.plan_file(&file, terms);
                    }
                }
                Err(error) => self.findings.push(error.diagnostic(Severity::Error)),
            }
            return;
        }
        if let Err(error) = plan_files::id_of_path(path) {
            let message = format!("no patient can have this id: {error}");
            let finding = Diagnostic::about_file(Severity::Error, path, message);
            let help = "a plan is a file named after its patient, e.g. wang-xiulan.toml";
            self.findings.push(finding.with_help(help));
        }
        self.plan_file(
            &PlanFile {
                path: path.to_path_buf(),
                stamp: None,
            },
            terms,
        );
    }

    fn plan_file(&mut self, file: &PlanFile, terms: &Terms) {
        if let Some(plan) = plan_files::read_file(file, terms) {
            self.plan(plan);
        } else {
            self.exit = Some(Exit::NoInput);
            let message = "there is no such file or directory";
            self.findings
                .push(Diagnostic::about_file(Severity::Error, &file.path, message));
        }
    }

    fn plan(&mut self, loaded: LoadedPlan) {
        self.plans += 1;
        match loaded.plan {
            Ok(read) => self.findings.extend(read.warnings),
            Err(findings) => self.findings.extend(findings),
        }
    }

    fn report(mut self, args: &Args) -> Exit {
        let errors = self
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .count();
        let warnings = self.findings.len() - errors;
        if args.quiet {
            self.findings.retain(Diagnostic::is_error);
        }
        self.findings.sort_by_cached_key(Diagnostic::sort_key);

        if args.json {
            let lines: Vec<String> = self
                .findings
                .iter()
                .map(|finding| format!("{}\n", finding.to_json()))
                .collect();
            if let Err(error) = terminal::write_stdout(&lines.concat()) {
                terminal::write_stderr(&format!("dosed: stdout: {error}\n"));
                return Exit::Io;
            }
        } else {
            let colour = terminal::stderr_colour();
            let mut text: String = self
                .findings
                .iter()
                .map(|finding| finding.render(colour))
                .collect();
            if !args.quiet {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}", summary(self.plans, errors, warnings));
            }
            terminal::write_stderr(&text);
        }
        self.exit
            .unwrap_or(if errors > 0 { Exit::Findings } else { Exit::Ok })
    }
}

/// What plans inherit where no configuration says it. The zone moves no finding: times are civil.
fn terms_without_config(now: Timestamp) -> Terms {
    Terms {
        defaults: Defaults {
            zone: Zone::get("UTC").expect("the bundled time zone database has UTC"),
            language: Language::default(),
            quiet_hours: None,
            day: Day::default(),
            now: Some(now),
        },
        limits: Limits::Unlimited,
    }
}

fn summary(plans: usize, errors: usize, warnings: usize) -> String {
    let count = |number: usize, noun: &str| match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    let found = match (errors, warnings) {
        (0, 0) => "nothing to say against it".to_owned(),
        _ => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    format!("{} checked: {found}", count(plans, "plan"))
}
