//! `dosed demo`: the real daemon against a sandbox in place of WeChat, on a clock that runs fast.

mod clock;
mod directory;

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::clock::Clock;
use crate::daemon::config::{Config, Environment};
use crate::daemon::signals::Control;
use crate::daemon::{self, logging};
use crate::engine::Role;
use crate::http::admin::{AccountRequest, AccountWish};
use crate::sandbox::{Callback, Follower, Options, Page, Sandbox, Template};
use clock::DemoClock;
use directory::Directory;
use futures_util::StreamExt;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where the phone page is, unless something else is there or `--listen` says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8390);
/// Letters and digits of the password of the doctor's page.
const PASSWORD_LETTERS: usize = 16;
/// The sandbox's account, as in the demo's configuration.
const APPID: &str = "wxdosed00demo0000";
/// The path of the callback, as in the demo's configuration.
const CALLBACK_PATH: &str = "/wechat";
/// The clinic's zone, as in the demo's configuration.
const ZONE: &str = "Asia/Shanghai";
/// The clinic's name, as in the demo's configuration.
const CLINIC: &str = "Dr Hao Clinic";

/// Show a day of reminders on a phone page in the browser
///
/// Starts a stand-in of WeChat on this machine and the daemon against it, with five example
/// patients, a son and a doctor. The clock begins at 07:59:50 of today and runs fast as soon as the
/// daemon is up. Prints the address of a page that shows their phones and on which they can answer:
/// 1 taken, 2 later, 3 not today; and that of the doctor's page, with an account to sign in. Ctrl-C ends it and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many times as fast as real time the demo's clock runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1000))]
    speed: u32,
    /// Address of the phone page [default: 127.0.0.1:8390, else any free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    match demonstrate(args) {
        Ok(()) => Exit::Ok,
        Err(Failure { exit, message }) => {
            terminal::write_stderr(&format!("dosed: {message}\n"));
            exit
        }
    }
}

/// Why the demo could not be shown.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

fn demonstrate(args: &Args) -> Result<(), Failure> {
    let zone = TimeZone::get(ZONE)
        .map_err(|error| Failure::new(Exit::Internal, format!("no time zone: {error}")))?;
    let now = Timestamp::now().to_zoned(zone.clone());
    let start = beginning(&now)
        .map_err(|error| Failure::new(Exit::Internal, format!("no such day: {error}")))?;
    let clock = DemoClock::new(start, args.speed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}")))?;
    let shown = runtime.block_on(show(args, clock, zone, now.date()));
    // What still runs after a second Ctrl-C must not keep the process.
    runtime.shutdown_background();
    shown
}

/// 07:59:50 of the day: ten seconds before the first reminders.
fn beginning(now: &Zoned) -> Result<Timestamp, jiff::Error> {
    let first = now.date().at(7, 59, 50, 0);
    Ok(now.time_zone().to_zoned(first)?.timestamp())
}

async fn show(args: &Args, clock: DemoClock, zone: TimeZone, today: Date) -> Result<(), Failure> {
    // Before anything is made that would have to be removed.
    let stops = Stops::listen()
        .map_err(|error| Failure::new(Exit::Internal, format!("no signals: {error}")))?;
    let sandbox = open_sandbox(args, clock.clone(), zone).await?;
    let files = Directory::create(&std::env::temp_dir(), &sandbox.base_url(), today)
        .map_err(|error| Failure::new(Exit::CannotCreate, format!("no directory: {error}")))?;
    greet(&sandbox, args.speed, &files)
        .map_err(|error| Failure::new(Exit::Io, format!("cannot write: {error}")))?;
    let result = tokio::select! {
        result = remind(&files, &sandbox, clock, stops.first.clone()) => result,
        () = stops.second.cancelled() => Ok(()),
    };
    sandbox.shutdown().await;
    result
}

/// Runs the daemon until `stop`.
async fn remind(
    files: &Directory,
    sandbox: &Sandbox,
    clock: DemoClock,
    stop: CancellationToken,
) -> Result<(), Failure> {
    // Not the service manager's directories: nothing of the demo may land in them.
    let environment = Environment {
        log: Environment::of_process().log,
        ..Environment::default()
    };
    let config = Config::load(&files.config(), &environment)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    logging::init(&config.log, None, terminal::stderr_colour())
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let options = daemon::Options {
        ready_file: Some(files.ready()),
        environment: environment.clone(),
        clock: Arc::new(clock.clone()),
    };
    let control = Control::default();
    let end = control.stop.clone();
    let ready = Arc::clone(&control.ready);
    let running = daemon::run(config, options, control);
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return told(ended),
        () = stop.cancelled() => {}
        () = ready.notified() => {
            sandbox.set_callback(Some(callback(files)?));
            let_in(files, &environment).await?;
            clock.run();
            tokio::select! {
                ended = &mut running => return told(ended),
                () = stop.cancelled() => {}
            }
        }
    }
    // Nothing is pushed any more to a daemon that is about to end.
    sandbox.set_callback(None);
    end.cancel();
    told(running.await)
}

/// Makes an account of the doctor's page, and says how to sign in with it.
async fn let_in(files: &Directory, environment: &Environment) -> Result<(), Failure> {
    let failed = |why: String| Failure::new(Exit::Internal, format!("no doctor's page: {why}"));
    let config =
        Config::load(&files.config(), environment).map_err(|error| failed(error.to_string()))?;
    let password =
        directory::letters(PASSWORD_LETTERS).map_err(|error| failed(error.to_string()))?;
    let request = AccountRequest {
        name: "doctor".to_owned(),
        change: AccountWish::Add {
            role: Role::Doctor,
            language: None,
            password: password.clone(),
        },
    };
    let body = serde_json::to_value(request).map_err(|error| failed(error.to_string()))?;
    // It waits for the daemon, which must not wait for it.
    let asked = tokio::task::spawn_blocking(move || Daemon::of(&config).post("/accounts", &body));
    let asked = asked.await.map_err(|error| failed(error.to_string()))?;
    asked.map_err(|(exit, message)| Failure::new(exit, message))?;
    let address = listens(files, "private")?;
    let said =
        format!("The doctor's page: http://{address}/ (sign in as doctor, password {password})\n");
    match terminal::write_stdout(&said) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(error.to_string())),
        _ => Ok(()),
    }
}

fn told(ended: Result<(), daemon::DaemonError>) -> Result<(), Failure> {
    ended.map_err(|error| Failure::new(super::run::exit_of(&error), error.to_string()))
}

/// The account's callback: where the daemon says that it listens, with the secrets of its files.
fn callback(files: &Directory) -> Result<Callback, Failure> {
    let failed = |why: String| Failure::new(Exit::Internal, format!("no callback: {why}"));
    let address = listens(files, "public")?;
    let (token, key) = (files.token(), files.aes_key());
    Callback::new(address, CALLBACK_PATH, token, key, APPID)
        .map_err(|error| failed(error.to_string()))
}

/// Where the daemon says that it listens.
fn listens(files: &Directory, listener: &str) -> Result<SocketAddr, Failure> {
    let failed = |why: String| Failure::new(Exit::Internal, format!("no address: {why}"));
    let ready = std::fs::read(files.ready()).map_err(|error| failed(error.to_string()))?;
    let ready: serde_json::Value =
        serde_json::from_slice(&ready).map_err(|error| failed(error.to_string()))?;
    let address = ready[listener].as_str().and_then(|it| it.parse().ok());
    address.ok_or_else(|| failed("the daemon does not say where".to_owned()))
}

/// Opens the sandbox where it is wanted; where nobody said and the usual place is taken, anywhere.
async fn open_sandbox(args: &Args, clock: DemoClock, zone: TimeZone) -> Result<Sandbox, Failure> {
    let options = Options {
        listen: args.listen.unwrap_or(LISTEN),
        appid: APPID.to_owned(),
        secret: directory::SECRET.to_owned(),
        templates: templates(),
        followers: followers(),
        now: Arc::new(move || clock.now()),
        page: Page {
            title: CLINIC.to_owned(),
            timezone: zone,
            speed: args.speed,
        },
        ..Options::default()
    };
    let wanted = options.listen;
    let opened = match Sandbox::start(options.clone()).await {
        Err(error) if args.listen.is_none() && error.kind() == io::ErrorKind::AddrInUse => {
            terminal::write_stderr(&format!("dosed: {wanted} is taken, using another port\n"));
            let listen = SocketAddr::new(wanted.ip(), 0);
            Sandbox::start(Options { listen, ..options }).await
        }
        opened => opened,
    };
    opened.map_err(|error| {
        Failure::new(
            Exit::CannotCreate,
            format!("cannot listen on {wanted}: {error}"),
        )
    })
}

fn greet(sandbox: &Sandbox, speed: u32, files: &Directory) -> io::Result<()> {
    let page = sandbox.base_url();
    let files = files.path().display();
    terminal::write_stdout(&format!(
        "The patients' phones: {page}/\n\
         The clock starts at 07:59:50 of today in {ZONE} and runs {speed} times as fast.\n\
         Answer on a phone: 1 taken, 2 later, 3 not today. 170/95 as 王秀兰's blood pressure, or\n\
         胸痛 (chest pain) on any phone, and look at 郝医生's, the doctor's.\n\
         Configuration and plans are in {files} (removed at the end).\n\
         Stop with Ctrl-C.\n"
    ))
}

/// The account's templates, as the demo's configuration fills them.
fn templates() -> Vec<Template> {
    vec![
        Template::new(
            "demo-dose",
            "用药提醒 · Medication",
            &[
                ("thing1", "患者 Patient"),
                ("thing2", "药品 Medicine"),
                ("time3", "时间 Time"),
                ("thing4", "医嘱 Advice"),
                ("thing5", "回复 Reply"),
            ],
        ),
        Template::new(
            "demo-alert",
            "患者情况提醒 · Patient alert",
            &[
                ("thing1", "患者 Patient"),
                ("thing2", "情况 What"),
                ("time3", "时间 Time"),
            ],
        ),
        Template::new(
            "demo-notice",
            "诊所通知 · Notice",
            &[
                ("thing1", "关于 About"),
                ("thing2", "内容 What"),
                ("time3", "时间 Time"),
            ],
        ),
        Template::new(
            "demo-check-in",
            "健康随访 · Check-in",
            &[
                ("thing1", "患者 Patient"),
                ("thing2", "问题 Question"),
                ("thing3", "回复 Answer"),
                ("time4", "时间 Time"),
            ],
        ),
    ]
}

/// Whose phones there are: the patients' (a child's is its mother's), a son's, the doctor's.
fn followers() -> Vec<Follower> {
    [
        ("o-demo-zhang-jianguo", "张建国", "68 岁 · 糖尿病、高血压"),
        ("o-demo-wang-xiulan", "王秀兰", "72 岁 · 房颤，服华法林"),
        ("o-demo-chen-xiaowen", "陈晓雯", "陈乐乐（4 岁）的妈妈"),
        ("o-demo-emma-miller", "Emma Miller", "34 · asthma"),
        ("o-demo-li-guifang", "李桂芳", "65 岁 · 高血压"),
        ("o-demo-wang-lei", "王磊", "王秀兰的儿子，漏服时会收到提醒"),
        (
            "o-demo-dr-hao",
            "郝医生",
            "Doctor · 需要人看的情况会发到这里",
        ),
    ]
    .map(|(openid, name, note)| Follower {
        note: note.to_owned(),
        ..Follower::new(openid, name)
    })
    .to_vec()
}

/// The signals that end the demo: the first asks for an orderly end, the second for one at once.
struct Stops {
    first: CancellationToken,
    second: CancellationToken,
}

impl Stops {
    fn listen() -> io::Result<Self> {
        // A terminal that is closed must not leave the files behind either.
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let stops = Self {
            first: CancellationToken::new(),
            second: CancellationToken::new(),
        };
        let (first, second) = (stops.first.clone(), stops.second.clone());
        tokio::spawn(async move {
            for stop in [first, second] {
                if signals.next().await.is_some() {
                    stop.cancel();
                }
            }
        });
        Ok(stops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_clock_begins_ten_seconds_before_eight_of_the_clinics_day() {
        let zone = TimeZone::get(ZONE).unwrap();
        let now: Timestamp = "2026-11-23T17:00:00Z".parse().unwrap();
        let start = beginning(&now.to_zoned(zone)).unwrap();
        assert_eq!(start, "2026-11-23T23:59:50Z".parse().unwrap());
    }

    #[test]
    fn the_speed_is_sixty_unless_said_and_kept_in_bounds() {
        let speed = |words: &[&str]| {
            let line = Line::try_parse_from([&["demo"], words].concat());
            line.map(|line| line.args.speed).ok()
        };
        assert_eq!(speed(&[]), Some(60));
        assert_eq!(speed(&["--speed", "1"]), Some(1));
        assert_eq!(speed(&["--speed", "1000"]), Some(1000));
        assert_eq!(speed(&["--speed", "0"]), None);
        assert_eq!(speed(&["--speed", "1001"]), None);
        assert_eq!(speed(&["--speed", "-1"]), None);
    }
}
