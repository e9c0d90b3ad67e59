//! `dosed doctor`.

mod api;
mod callback;
mod files;
mod finding;
mod machine;
mod running;
mod time;
mod zones;

use super::ask;
use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Channel, Config, Environment};
use crate::daemon::plan_files;
use finding::{Finding, Report};
use jiff::Timestamp;
use std::collections::HashMap;
use std::path::PathBuf;

/// Look for what keeps reminders from reaching patients, and say what to do about it.
///
/// It looks at permissions, clock, time zone data, plans, the account (credentials, allow-list,
/// templates), the callback, disk, systemd's unit, backups and the running daemon. It changes
/// nothing; of the API it asks for the token that the daemon has too, and for the list of templates.
/// Run it as the daemon's user or as root. Exit code 1: something was found.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON object a line, also of what is well.
    #[arg(long)]
    json: bool,
    /// The callback's address as the account's console has it: it is asked there, through whatever
    /// lies in between, and not only on this machine. Without it `http.public_url` is.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// systemd's unit of the daemon.
    #[arg(long, value_name = "NAME", default_value = "dosed.service")]
    unit: String,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(examine(args))
}

/// What all examinations are given.
struct Patient<'a> {
    config: &'a Config,
    /// The configuration's path as it was given, for commands to copy.
    path: String,
    args: &'a Args,
    now: Timestamp,
}

impl Patient<'_> {
    /// `dosed SUBCOMMAND --config FILE`.
    fn command(&self, subcommand: &str) -> String {
        format!("dosed {subcommand} --config {}", self.path)
    }
}

fn examine(args: &Args) -> Result<Exit, (Exit, String)> {
    let environment = Environment::of_process();
    let config = Config::load(&args.config, &environment)
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let patient = Patient {
        config: &config,
        path: finding::quoted(&args.config),
        args,
        now: Timestamp::now(),
    };
    let mut report = Report::default();
    configuration(&patient, &mut report);
    files::examine(&patient, &mut report);
    let loaded = plan_files::load(&config, &HashMap::new(), patient.now);
    plans(&patient, &loaded, &mut report);
    zones::examine(&patient, &loaded, &mut report);
    time::synchronised(&mut report);
    ask::block_on(async {
        api::examine(&patient, &mut report).await;
        Ok(())
    })?;
    let daemon = running::examine(&patient, &mut report);
    ask::block_on(async {
        callback::examine(&patient, &daemon, &mut report).await;
        Ok(())
    })?;
    machine::disk(&patient, &mut report);
    machine::unit(&patient, &mut report);
    show(args, &report)
}

fn configuration(patient: &Patient<'_>, report: &mut Report) {
    let warnings = patient.config.warnings.len();
    let shown = patient.config.path.display();
    report.add(if warnings == 0 {
        Finding::ok("config", format!("{shown} is accepted"))
    } else {
        Finding::warn(
            "config",
            format!("{shown} is accepted, with {warnings} doubts"),
        )
        .why("What is accepted may not be what was meant")
        .remedy(patient.command("check") + " --config-only")
    });
    report.add(match patient.config.messaging.channel {
        Channel::WeChat(_) => Finding::ok("channel", "messages go to WeChat"),
        Channel::Console(_) => Finding::warn("channel", "messages go to the console")
            .why("Nobody is reminded over WeChat: the console is for a first look")
            .remedy("write [messaging] channel = \"wechat\" and fill in [wechat]"),
    });
}

fn plans(patient: &Patient<'_>, loaded: &plan_files::LoadedPlans, report: &mut Report) {
    let check = patient.command("check");
    let rejected = loaded
        .plans
        .values()
        .filter(|plan| plan.plan.is_err())
        .count();
    if let Err(error) = &loaded.directory
        && loaded.plans.is_empty()
    {
        report.add(
            Finding::fail("plans", error.to_string())
                .why("No plan can be read, so nobody is reminded of anything new")
                .remedy(format!(
                    "install -d -m 2770 -g dosed {}",
                    finding::quoted(&patient.config.clinic.plans)
                )),
        );
    } else if rejected > 0 {
        let all = loaded.plans.len();
        report.add(
            Finding::fail("plans", format!("{rejected} of {all} plans are rejected"))
                .why("The last good version of each stays in force; a new patient's plan has none")
                .remedy(check),
        );
    } else if loaded.plans.is_empty() {
        report.add(
            Finding::warn("plans", "there are no plans")
                .why("Nobody is reminded")
                .remedy(format!(
                    "ls -l {}",
                    finding::quoted(&patient.config.clinic.plans)
                )),
        );
    } else {
        let all = loaded.plans.len();
        report.add(Finding::ok("plans", format!("{all} plans are accepted")));
    }
}

fn show(args: &Args, report: &Report) -> Result<Exit, (Exit, String)> {
    let text = if args.json {
        report.to_json()
    } else {
        report.render(terminal::stdout_colour())
    };
    super::write_data(&text)?;
    let found = report.found();
    if !args.json {
        terminal::write_stderr(&match found {
            0 => "nothing was found\n".to_owned(),
            1 => "1 finding\n".to_owned(),
            more => format!("{more} findings\n"),
        });
    }
    Ok(if found > 0 { Exit::Findings } else { Exit::Ok })
}
