//! `dosed status`.

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
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
        readable(&health)
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

/// The summary, then what is not well, then what was measured.
fn readable(health: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut text = format!(
        "dosed {} is {}: {}\nup {}\n",
        word(&health["releaseId"]),
        match health["status"].as_str() {
            Some("pass") => "well",
            Some("warn") => "running; somebody should look",
            _ => "not working",
        },
        word(&health["summary"]),
        duration(health["uptime_seconds"].as_u64().unwrap_or(0)),
    );
    let Some(checks) = health["checks"].as_object() else {
        return text;
    };
    for (name, observations) in checks {
        let check = &observations[0];
        let status = word(&check["status"]);
        let value = match &check["observedValue"] {
            Value::Null => String::new(),
            value => match (check["observedUnit"].as_str(), value.as_u64()) {
                (Some("By"), Some(bytes)) => format!("{} GB", bytes / 1_000_000_000),
                (unit, _) => format!("{value} {}", unit.unwrap_or("")),
            },
        };
        let _ = write!(text, "  {status:4}  {name:22} {}", value.trim_end());
        if let Some(output) = check["output"].as_str() {
            let _ = write!(text, "  {output}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
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

    #[test]
    fn what_is_not_well_is_said_in_words() {
        let text = readable(&json!({
            "status": "warn", "releaseId": "0.1.0", "summary": "1 plan rejected",
            "uptime_seconds": 90_000,
            "checks": {"plans:active": [{"status": "warn", "observedValue": 3,
                "output": "1 plan rejected; run: dosed check"}]},
        }));
        assert!(
            text.contains("running; somebody should look: 1 plan rejected"),
            "{text}"
        );
        assert!(text.contains("up 1 d 1 h"), "{text}");
        assert!(text.contains("run: dosed check"), "{text}");
    }
}
