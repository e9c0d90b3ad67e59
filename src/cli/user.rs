//! `dosed user`.

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::accounts;
use crate::daemon::config::{Config, Environment};
use crate::engine::Role;
use crate::http::admin::{AccountChanged, AccountRequest, AccountWish};
use crate::plan::Language;
use crate::store::{self, OpenError, Store, Telemetry};
use jiff::Timestamp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who may sign in to the doctor's page.
///
/// Without any account there is no page. A running daemon is told; without one the store is changed.
/// A store there must be: the first `dosed run` makes it.
/// Passwords are asked for on the terminal, or read from standard input: they never stand on a
/// command line. Exit code 0: done; 1: there is no such account, or there is one already.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Add(AddArgs),
    Password(NameArgs),
    Remove(NameArgs),
    List(ListArgs),
}

/// Make an account, with a password of at least 12 characters.
#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The name to sign in with: a-z, 0-9, `.`, `-`, `_`.
    #[arg(value_name = "NAME")]
    name: String,
    /// What it may do: `viewer` reads; `nurse` also answers patients and marks calls as done;
    /// `doctor` also edits plans.
    #[arg(long, value_name = "ROLE", value_parser = ["viewer", "nurse", "doctor"])]
    role: String,
    /// The language of its pages; without it the browser's is taken.
    #[arg(long, value_name = "LANGUAGE", value_parser = ["zh-CN", "en"])]
    language: Option<String>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// One account.
#[derive(Debug, clap::Args)]
struct NameArgs {
    /// The name.
    #[arg(value_name = "NAME")]
    name: String,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Show the accounts.
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(match &args.what {
        What::Add(args) => add(args),
        What::Password(args) => load(&args.config).and_then(|config| {
            let password = new_password()?;
            let wish = AccountWish::Password { password };
            change(
                &config,
                &args.name,
                wish,
                "has the new password now; whoever was signed in is signed out",
            )
        }),
        What::Remove(args) => load(&args.config).and_then(|config| {
            change(
                &config,
                &args.name,
                AccountWish::Remove,
                "is no account any more",
            )
        }),
        What::List(args) => list(args),
    })
}

fn load(path: &Path) -> Result<Config, (Exit, String)> {
    Config::load(path, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))
}

fn add(args: &AddArgs) -> Result<Exit, (Exit, String)> {
    accounts::check_name(&args.name).map_err(|error| (Exit::Usage, error.to_string()))?;
    let config = load(&args.config)?;
    let wish = AccountWish::Add {
        // The parser lets nothing else through.
        role: Role::of(&args.role).unwrap_or(Role::Viewer),
        language: args.language.as_deref().map(|tag| match tag {
            "en" => Language::En,
            _ => Language::ZhCn,
        }),
        password: new_password()?,
    };
    change(&config, &args.name, wish, "can sign in")
}

fn change(
    config: &Config,
    name: &str,
    wish: AccountWish,
    done: &str,
) -> Result<Exit, (Exit, String)> {
    let request = AccountRequest {
        name: name.to_owned(),
        change: wish,
    };
    let body =
        serde_json::to_value(&request).map_err(|error| (Exit::Internal, error.to_string()))?;
    let changed = match Daemon::of(config).post("/accounts", &body) {
        Ok(answer) => serde_json::from_value::<AccountChanged>(answer).map_err(|_| {
            let message = "the daemon is of another release".to_owned();
            (Exit::Unavailable, message)
        })?,
        Err((Exit::Unavailable, _)) => change_in_store(config, request)?,
        Err(error) => return Err(error),
    };
    match changed {
        AccountChanged::Done => {
            super::write_data(&format!("{name} {done}\n"))?;
            Ok(Exit::Ok)
        }
        AccountChanged::Exists => {
            let message = format!(
                "there is an account `{name}` already; to change its password: dosed user password {name}"
            );
            Err((Exit::Findings, message))
        }
        AccountChanged::NoAccount => Err((Exit::Findings, format!("there is no account `{name}`"))),
        AccountChanged::Failed { why } => Err((Exit::Io, why)),
    }
}

/// No daemon answers: nobody else has the store open.
fn change_in_store(
    config: &Config,
    request: AccountRequest,
) -> Result<AccountChanged, (Exit, String)> {
    let options = store::Options {
        path: config.store.path.clone(),
        cache_bytes: usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX),
    };
    if !options.path.exists() {
        // Made by whoever runs this, it would perhaps not be the daemon's.
        let message = format!(
            "{}: no such store; it is made by the first `dosed run`",
            options.path.display()
        );
        return Err((Exit::NoInput, message));
    }
    let telemetry = Arc::new(Telemetry::new(|_, _| {}));
    let store = Store::open(&options, telemetry).map_err(|error| match error {
        OpenError::Locked(_) => {
            let message = "a daemon runs on this store and does not answer on its socket";
            (Exit::Locked, message.to_owned())
        }
        other => (super::store_exit(&other), other.to_string()),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (Exit::Internal, error.to_string()))?;
    runtime.block_on(async {
        let changed = accounts::change_in(&store, Timestamp::now(), request).await;
        store.close().await;
        changed.map_err(|error| (Exit::Io, error.to_string()))
    })
}

fn list(args: &ListArgs) -> Result<Exit, (Exit, String)> {
    let config = load(&args.config)?;
    let reader = super::open_reader(&config)?;
    let accounts = reader
        .accounts()
        .map_err(|error| (Exit::Io, error.to_string()))?;
    let zone = &config.clinic.defaults.zone;
    let mut text = String::new();
    for (name, account) in accounts {
        let since = Timestamp::from_millisecond(account.since).unwrap_or(Timestamp::UNIX_EPOCH);
        let since = super::history::rfc3339(since, zone);
        let (role, language) = (account.role.name(), account.language.map(Language::tag));
        // Writing to a String cannot fail.
        let _ = if args.json {
            let line = json!({
                "account": name,
                "role": role,
                "language": language,
                "since": since,
            });
            writeln!(text, "{line}")
        } else {
            let language = language.map_or(String::new(), |tag| format!("  {tag}"));
            writeln!(text, "{name}  {role}  since {since}{language}")
        };
    }
    super::write_data(&text)?;
    Ok(Exit::Ok)
}

/// A new password: asked for twice on a terminal, else the first line of standard input.
fn new_password() -> Result<String, (Exit, String)> {
    let stdin = std::io::stdin();
    let password = if stdin.is_terminal() {
        let first = ask("New password (at least 12 characters): ")?;
        if ask("The same again: ")? != first {
            let message = "the two are not the same; nothing was changed".to_owned();
            return Err((Exit::Usage, message));
        }
        first
    } else {
        let most = accounts::PASSWORD_BYTES_MAX as u64 + 2;
        let mut line = String::new();
        let read = stdin.lock().take(most).read_line(&mut line);
        read.map_err(|error| (Exit::NoInput, format!("no password can be read: {error}")))?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.chars().count() < accounts::PASSWORD_MIN {
        let message = "a password has at least 12 characters; nothing was changed".to_owned();
        return Err((Exit::Usage, message));
    }
    Ok(password)
}

/// Reads a line from the terminal that it does not show.
fn ask(question: &str) -> Result<String, (Exit, String)> {
    let stdin = std::io::stdin();
    let failed =
        |error: std::io::Error| (Exit::Io, format!("the terminal cannot be used: {error}"));
    terminal::write_stderr(question);
    let shown = tcgetattr(&stdin).map_err(|error| failed(error.into()))?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(|error| failed(error.into()))?;
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Now, &shown).map_err(|error| failed(error.into()))?;
    read.map_err(failed)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
