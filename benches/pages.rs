//! The pages of a clinic with a year behind it: how long each takes, and whether the daemon's memory
//! stays where it is.
//!
//! `cargo bench --bench pages` makes a clinic of 1,000 patients with 365 days of history under
//! `TMPDIR` (350 MB, some minutes), starts the built binary on it, asks for each page 40 times, then for 2,000
//! pages of many patients, and prints a table. `-- --patients N`, `--days N`, `--times N`, `--views N`;
//! `--directory DIR` keeps the clinic there, and uses the one that is there already; `--binary FILE`
//! measures another one.
//!
//! A page is to take no more than 200 ms. On a machine that does other things besides, the median
//! says more of the page, the worst more of the machine; both are printed, and the time of the first
//! request, which found nothing in memory.

#[path = "../examples/year.rs"]
#[allow(dead_code, reason = "its main function is an example of its own")]
mod year;

use dosed::engine::Link;
use dosed::store::{Options, Store, Telemetry};
use jiff::{SignedDuration, Timestamp};
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a page may take.
const MOST: Duration = Duration::from_millis(200);

const PASSWORD: &str = "correct horse battery";

/// No start, and no answer, takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

struct Arguments {
    patients: usize,
    days: i32,
    times: usize,
    directory: Option<PathBuf>,
    binary: PathBuf,
    /// Pages asked for while memory is looked at.
    views: usize,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = arguments()?;
    let temporary = tempfile::tempdir()?;
    let directory = match &arguments.directory {
        Some(directory) => directory.clone(),
        None => temporary.path().join("clinic"),
    };
    if !directory.exists() {
        println!(
            "{}",
            year::make(&directory, arguments.patients, arguments.days)?
        );
    }
    year::write_config(&directory, "127.0.0.1:0", Some("127.0.0.1:0"))?;
    let link = link_of(&directory)?;
    let clinic = Clinic::start(&directory, &arguments.binary)?;
    let mut over = false;
    println!("| page | status | bytes | median | worst | first |\n|---|---|---|---|---|---|");
    for view in views(&clinic, &link)? {
        let timed = clinic.time(&view, arguments.times)?;
        let ms = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1e3);
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            view.name,
            timed.status,
            timed.bytes,
            ms(timed.median),
            ms(timed.worst),
            ms(timed.first)
        );
        over |= timed.median > MOST;
    }
    memory(&clinic, &link, (arguments.patients, arguments.views))?;
    reports(&directory, &arguments.binary)?;
    drop(clinic);
    Ok(ExitCode::from(u8::from(over)))
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let usage = "usage: pages [--patients N] [--days N] [--times N] [--views N] \
                 [--directory DIR] [--binary FILE]";
    let mut arguments = Arguments {
        patients: 1_000,
        days: 365,
        times: 40,
        directory: None,
        binary: PathBuf::from(env!("CARGO_BIN_EXE_dosed")),
        views: 2_000,
    };
    // Cargo adds `--bench`.
    let mut all = std::env::args().skip(1).filter(|it| it != "--bench");
    while let Some(name) = all.next() {
        let value = all.next().ok_or(usage)?;
        match name.as_str() {
            "--patients" => arguments.patients = value.parse()?,
            "--days" => arguments.days = value.parse()?,
            "--times" => arguments.times = value.parse()?,
            "--views" => arguments.views = value.parse()?,
            "--binary" => arguments.binary = PathBuf::from(value),
            "--directory" => arguments.directory = Some(PathBuf::from(value)),
            _ => return Err(usage.into()),
        }
    }
    Ok(arguments)
}

/// The path of the first patient's own page. Over the console that patient's contact is the first.
fn link_of(directory: &Path) -> Result<String, Box<dyn Error>> {
    let options = Options {
        path: directory.join("dosed.redb"),
        cache_bytes: 16 << 20,
    };
    let store = Store::open(&options, Arc::new(Telemetry::new(|_, _| {})))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let now = Timestamp::now();
    let key = runtime.block_on(store.link_key(now))?;
    let link = Link {
        patient: 1,
        contact: 1,
        expires: now.saturating_add(SignedDuration::from_hours(24))?,
    };
    let path = format!("/p/{}", key.seal(&link));
    runtime.block_on(store.close());
    Ok(path)
}

/// A running daemon, and somebody who is signed in.
struct Clinic {
    child: Child,
    private: String,
    public: String,
    cookie: String,
    token: String,
}

/// Something to ask for.
struct View {
    name: &'static str,
    public: bool,
    method: &'static str,
    path: String,
    form: String,
    live: bool,
    /// Of somebody who is not signed in.
    anonymous: bool,
}

/// What came of asking for it.
struct Timed {
    status: u16,
    bytes: usize,
    first: Duration,
    median: Duration,
    worst: Duration,
}

/// An answer: its status, its head and its body.
type Answer = (u16, String, String);

impl Clinic {
    fn start(directory: &Path, binary: &Path) -> Result<Self, Box<dyn Error>> {
        let ready = directory.join("ready.json");
        let _ = fs::remove_file(&ready);
        let config = directory.join("config.toml");
        let mut command = Command::new(binary);
        command
            .args(["run", "--config"])
            .arg(&config)
            .arg("--ready-file")
            .arg(&ready)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = command.spawn()?;
        let began = Instant::now();
        let addresses = loop {
            if let Ok(text) = fs::read_to_string(&ready) {
                break serde_json::from_str::<serde_json::Value>(&text)?;
            }
            if began.elapsed() > PATIENCE {
                return Err("the daemon does not become ready".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        println!("ready after {:.1} s", began.elapsed().as_secs_f64());
        let address = |name: &str| addresses[name].as_str().unwrap_or_default().to_owned();
        let mut clinic = Self {
            child,
            private: address("private"),
            public: address("public"),
            cookie: String::new(),
            token: String::new(),
        };
        // It may be there from an earlier run.
        let mut add = Command::new(binary)
            .args(["user", "add", "hao", "--role", "doctor", "--config"])
            .arg(&config)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = add.stdin.as_mut().ok_or("it is piped")?;
        let _ = stdin.write_all(format!("{PASSWORD}\n").as_bytes());
        add.wait()?;
        let form = format!("name=hao&password={}", PASSWORD.replace(' ', "+"));
        let (status, head, _) = clinic.send(&View::form("sign in", "/sign-in", form))?;
        let cookie = head
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.and_then(|it| it.split(';').next());
        let cookie = cookie.ok_or(format!("nobody gets in: {status}"))?;
        cookie.clone_into(&mut clinic.cookie);
        let (_, _, page) = clinic.send(&View::of("system", "/system"))?;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").ok_or("a form")?;
        rest.split('"')
            .next()
            .unwrap_or_default()
            .clone_into(&mut clinic.token);
        Ok(clinic)
    }

    fn send(&self, view: &View) -> Result<Answer, Box<dyn Error>> {
        let address = if view.public {
            &self.public
        } else {
            &self.private
        };
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut request = format!(
            "{} {} HTTP/1.1\r\nHost: {address}\r\nSec-Fetch-Site: same-origin\r\n",
            view.method, view.path
        );
        if !view.anonymous {
            request.extend(["Cookie: ", &self.cookie, "\r\n"]);
        }
        if view.live {
            request += "X-Dosed-Live: 1\r\n";
        }
        if view.method == "POST" {
            let length = view.form.len().to_string();
            request += "Content-Type: application/x-www-form-urlencoded\r\n";
            request.extend(["Content-Length: ", &length, "\r\n"]);
        }
        request = request + "\r\n" + &view.form;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok((status, head.to_owned(), body.to_owned()))
    }

    fn time(&self, view: &View, times: usize) -> Result<Timed, Box<dyn Error>> {
        let (mut took, mut last) = (Vec::new(), (0, 0));
        for _ in 0..=times.max(1) {
            let began = Instant::now();
            let (status, _, body) = self.send(view)?;
            took.push(began.elapsed());
            last = (status, body.len());
        }
        let first = took.remove(0);
        took.sort_unstable();
        if !(200..400).contains(&last.0) {
            return Err(format!("{}: {}", view.name, last.0).into());
        }
        Ok(Timed {
            status: last.0,
            bytes: last.1,
            first,
            median: took[(took.len() - 1) / 2],
            worst: took[took.len() - 1],
        })
    }

    /// Resident memory in KiB.
    fn resident(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.ok_or("it has memory")?.parse()?)
    }
}

impl Drop for Clinic {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl View {
    fn of(name: &'static str, path: impl Into<String>) -> Self {
        Self {
            name,
            public: false,
            method: "GET",
            path: path.into(),
            form: String::new(),
            live: false,
            anonymous: false,
        }
    }

    fn form(name: &'static str, path: impl Into<String>, form: String) -> Self {
        Self {
            method: "POST",
            form,
            ..Self::of(name, path)
        }
    }

    /// As the script asks, to bring a page up to date.
    fn live(name: &'static str, path: impl Into<String>) -> Self {
        Self {
            live: true,
            ..Self::of(name, path)
        }
    }
}

/// Every page, in the order of the navigation.
fn views(clinic: &Clinic, link: &str) -> Result<Vec<View>, Box<dyn Error>> {
    let one = "/patients/p0500";
    let (_, _, journal) = clinic.send(&View::of("journal", format!("{one}/journal")))?;
    let older = journal
        .split("before=")
        .nth(1)
        .and_then(|it| it.split('"').next());
    let older = older.ok_or("there is an older page of the journal")?;
    let (_, _, editor) = clinic.send(&View::of("editor", format!("{one}/plan/edit")))?;
    let loaded = editor.split("name=\"loaded\" value=\"").nth(1);
    let loaded = loaded
        .and_then(|it| it.split('"').next())
        .unwrap_or_default();
    let plan = "name = \"王秀兰500\"\n\n[[medication]]\nname = \"二甲双胍\"\ntake = \"2片\"\n\
                at = \"07:30, 19:30\"\n\n[[check_in]]\nask = \"今早血压是多少?\"\n\
                answer = \"blood pressure\"\nat = \"09:00\"\n";
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("csrf", &clinic.token);
    form.append_pair("loaded", loaded);
    form.append_pair("text", plan);
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let then = today.saturating_sub(jiff::Span::new().months(7));
    let month = then.strftime("%Y-%m");
    let public = View {
        public: true,
        ..View::of("the patient's own page", link)
    };
    Ok(vec![
        View {
            anonymous: true,
            ..View::of("*Sign in*", "/sign-in?lang=en")
        },
        View::of("*Today*", "/today"),
        View::of("*Today*, missed, in English", "/today?show=missed&lang=en"),
        View::live("*Today*, brought up to date", "/today"),
        View::of("*Call list*", "/calls"),
        View::of("*Inbox*", "/inbox"),
        View::of("*Inbox*, third page", "/inbox?page=2"),
        View::of("*Plans*", "/plans"),
        View::of("*Plans*, from the middle", "/plans?after=p0500"),
        View::of("*System*", "/system"),
        View::of("who saw and did what", "/system/audit"),
        View::of("a patient, 90 days", one),
        View::of("a patient, 30 days", format!("{one}?days=30")),
        View::of("a patient, 365 days", format!("{one}?days=365")),
        View::of("a patient, another month", format!("{one}?month={month}")),
        View::live("a patient, brought up to date", one),
        View::of("the journal, last page", format!("{one}/journal")),
        View::of(
            "the journal, older page",
            format!("{one}/journal?before={older}"),
        ),
        View::of("what the plan was", format!("{one}/plans")),
        View::of("plan editor", format!("{one}/plan/edit")),
        View::form(
            "plan editor, live check",
            format!("{one}/plan/check"),
            form.finish(),
        ),
        View::of("new plan", "/new-patient"),
        public,
        View::of("`/health`", "/health"),
        View::of("`/metrics`", "/metrics"),
    ])
}

/// Views of many patients; what the daemon holds before, in between and after.
fn memory(
    clinic: &Clinic,
    link: &str,
    (patients, views): (usize, usize),
) -> Result<(), Box<dyn Error>> {
    let mib = |kib: u64| kib as f64 / 1_024.0;
    print!("memory over {views} views: {:.1}", mib(clinic.resident()?));
    for number in 0..views {
        let patient = format!("/patients/p{:04}", number * 37 % patients);
        let view = match number % 10 {
            0 => View::of("today", format!("/today?page={}", number % 7)),
            1 => View::of("inbox", "/inbox"),
            2 => View::of("plans", format!("/plans?after=p{:04}", number % patients)),
            3 => View::of("journal", format!("{patient}/journal")),
            4 => View::of("plans of one", format!("{patient}/plans")),
            5 => View::of("editor", format!("{patient}/plan/edit")),
            6 => View::of("a year", format!("{patient}?days=365")),
            7 => View {
                public: true,
                ..View::of("own", link)
            },
            8 => View::of("calls", "/calls"),
            _ => View::of("patient", patient),
        };
        let (status, _, _) = clinic.send(&view)?;
        if status != 200 {
            return Err(format!("{}: {status}", view.path).into());
        }
        if (number + 1) % (views / 8).max(1) == 0 {
            print!(", {:.1}", mib(clinic.resident()?));
        }
    }
    println!(" MiB");
    Ok(())
}

/// Reports of all patients, beside the running daemon: not pages, but made from the same rows.
fn reports(directory: &Path, binary: &Path) -> Result<(), Box<dyn Error>> {
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let from = today.saturating_sub(jiff::Span::new().days(90)).to_string();
    for format in ["csv", "html", "json"] {
        let began = Instant::now();
        let made = Command::new(binary)
            .args(["report", "--format", format, "--from", &from])
            .args(["--until", &today.to_string(), "--config"])
            .arg(directory.join("config.toml"))
            .current_dir(directory)
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        println!(
            "`dosed report --format {format}` of 90 days of all: {:.2} s, {} bytes",
            began.elapsed().as_secs_f64(),
            made.stdout.len()
        );
    }
    Ok(())
}
