//! `dosed status`.

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
use crate::plan::Zone;
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Show how the running daemon is.
///
/// It asks the daemon's private listener. Exit code 0: all is well or somebody should look;
/// 1: something does not work; 69: no daemon answers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The whole health document, as JSON.
    #[arg(long)]
    json: bool,
    /// Tell which patient a pseudonym of the log stands for, from the store on this machine.
    #[arg(long, value_name = "PSEUDONYM", conflicts_with = "json")]
    who: Option<String>,
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
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    if let Some(pseudonym) = &args.who {
        let reader = super::open_reader(&config)?;
        let patient = reader
            .who(pseudonym)
            .map_err(|error| (Exit::Io, error.to_string()))?;
        let Some(patient) = patient else {
            return Err((
                Exit::Findings,
                format!("no patient has the pseudonym `{pseudonym}`"),
            ));
        };
        return print(&format!("{patient}\n")).map(|()| Exit::Ok);
    }
    let body = Daemon::of(&config).get("/health")?;
    let health: Value = serde_json::from_str(&body).map_err(|_| {
        (
            Exit::Unavailable,
            "what answers there is not a dosed daemon".to_owned(),
        )
    })?;
    print(&if args.json {
        format!("{health}\n")
    } else {
        readable(&health, &config.clinic.defaults.zone)
    })?;
    Ok(if health["status"] == "fail" {
        Exit::Findings
    } else {
        Exit::Ok
    })
}

fn print(text: &str) -> Result<(), (Exit, String)> {
    match terminal::write_stdout(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err((Exit::Io, error.to_string()))
        }
        _ => Ok(()),
    }
}

/// The summary, then what was measured, each check with what is wrong and what to do.
fn readable(health: &Value, zone: &Zone) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let (release, installed) = (word(&health["releaseId"]), env!("CARGO_PKG_VERSION"));
    let mut text = format!(
        "dosed {release} is {}: {}\nup {}, clock {}\n",
        match health["status"].as_str() {
            Some("pass") => "well",
            Some("warn") => "running; somebody should look",
            _ => "not working",
        },
        word(&health["summary"]),
        duration(health["uptime_seconds"].as_u64().unwrap_or(0)),
        local(&health["time"], zone).unwrap_or_else(|| "?".to_owned()),
    );
    if release != installed {
        let _ = writeln!(
            text,
            "dosed {installed} is installed: it takes effect with a restart"
        );
    }
    let Some(checks) = health["checks"].as_object() else {
        return text;
    };
    for (name, observations) in checks {
        let check = &observations[0];
        let _ = write!(
            text,
            "  {:4}  {name:22} {}",
            word(&check["status"]),
            measured(check, zone)
        );
        if let Some(output) = check["output"].as_str() {
            let _ = write!(text, "  {output}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// What a check has measured, and what belongs to it: since when, when last, how much of it.
fn measured(check: &Value, zone: &Zone) -> String {
    let mut parts = Vec::new();
    let unit = check["observedUnit"].as_str();
    match (&check["observedValue"], unit) {
        (Value::Null, _) => {}
        (value, Some("By")) => {
            let bytes = value.as_u64().unwrap_or(0);
            parts.push(format!("{} GB free", bytes / 1_000_000_000));
        }
        (value, Some("share used today")) => {
            let share = value.as_f64().unwrap_or(0.0);
            parts.push(format!("{:.1} % used today", share * 100.0));
        }
        (value, unit) => parts.push(format!("{value} {}", unit.unwrap_or("")).trim().to_owned()),
    }
    for (key, words) in [
        ("lastSuccess", "last success"),
        ("lastStart", "last start"),
        ("lastReload", "last reload"),
        ("lastCommit", "last commit"),
        ("heldSince", "held since"),
    ] {
        if let Some(at) = local(&check[key], zone) {
            parts.push(format!("{words} {at}"));
        }
    }
    for (key, words) in [
        ("rejected", "rejected"),
        ("heldRemovals", "held back"),
        ("consecutiveFailures", "failures in a row"),
    ] {
        if let Some(count) = check[key].as_u64().filter(|count| *count > 0) {
            parts.push(format!("{count} {words}"));
        }
    }
    parts.join(", ")
}

/// An instant of the document in the clinic's zone.
fn local(value: &Value, zone: &Zone) -> Option<String> {
    let at: Timestamp = value.as_str()?.parse().ok()?;
    let at = zone.time_zone().to_datetime(at);
    Some(at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(health: &Value) -> String {
        readable(health, &Zone::get("Asia/Shanghai").unwrap())
    }

    #[test]
    fn what_is_not_well_is_said_in_words() {
        let text = shown(&json!({
            "status": "warn", "releaseId": "0.1.0", "summary": "1 plan rejected",
            "uptime_seconds": 90_000, "time": "2026-03-24T00:00:00Z",
            "checks": {"plans:active": [{"status": "warn", "observedValue": 3, "rejected": 1,
                "heldRemovals": 0, "lastReload": "2026-03-23T23:00:00Z",
                "output": "1 plan rejected; run: dosed check"}]},
        }));
        assert!(
            text.contains("running; somebody should look: 1 plan rejected"),
            "{text}"
        );
        assert!(
            text.contains("up 1 d 1 h, clock 2026-03-24 08:00:00"),
            "{text}"
        );
        let line =
            "3, last reload 2026-03-24 07:00:00, 1 rejected  1 plan rejected; run: dosed check";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn what_was_measured_is_said_with_its_unit_and_its_times() {
        let text = shown(&json!({
            "status": "fail", "releaseId": "0.0.1", "summary": "", "uptime_seconds": 5,
            "checks": {
                "store:free_space": [{"status": "pass", "observedValue": 41_200_000_000_u64,
                    "observedUnit": "By"}],
                "messaging:quota": [{"status": "pass", "observedValue": 0.125,
                    "observedUnit": "share used today"}],
                "messaging:hour": [{"status": "fail", "observedValue": 2001,
                    "observedUnit": "messages within an hour",
                    "heldSince": "2026-03-24T00:00:00Z"}],
                "jobs:retention": [{"status": "pass", "lastSuccess": "2026-03-23T19:30:00Z"}],
                "messaging:send": [{"status": "warn", "lastSuccess": null,
                    "consecutiveFailures": 4}],
            },
        }));
        for words in [
            "dosed 0.0.1 is not working",
            "is installed: it takes effect with a restart",
            "41 GB free",
            "12.5 % used today",
            "2001 messages within an hour, held since 2026-03-24 08:00:00",
            "last success 2026-03-24 03:30:00",
            "4 failures in a row",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
