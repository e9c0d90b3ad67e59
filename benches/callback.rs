//! So many pushes a second to the callback address while a burst of reminders drains: how long the
//! platform waits for its answer, counted from the instant at which each push was due to leave, so
//! that a standstill counts for all who waited.
//!
//! `cargo bench --bench callback -- [--seconds N] [--rate N] [--patients N]`. The limit is a second
//! for 999 of 1,000; the same pushes into an inbox that keeps nothing, in the same run, say what of
//! it is the machine's and the listener's own.

#[path = "support/mod.rs"]
mod support;

use dosed::daemon::clock::{Clock, ScaledClock};
use dosed::daemon::config::{Config, Environment};
use dosed::daemon::signals::Control;
use dosed::daemon::{self, Options};
use dosed::http::{PublicParts, serve_public};
use dosed::messaging::Secret;
use dosed::messaging::wechat::callback::{
    Inbound, InboundKind, InboundResult, Inbox, Mode, Reception, Settings, Unavailable,
};
use dosed::messaging::wechat::crypto::{Cipher, signature};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::clinic::runtime;
use support::sink::{FIRST_MSGID, Sink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const APPID: &str = "wx0000000000000001";
const TOKEN: &str = "emulatortoken";
const KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";
/// Reminders a second; the burst drains for as long as pushes come.
const DRAIN_PER_SECOND: usize = 80;
/// What 999 of 1,000 answers have to keep to.
const LIMIT: Duration = Duration::from_secs(1);

fn main() {
    let [seconds, rate, patients] = arguments();
    dosed::messaging::install_crypto_provider();
    println!(
        "{rate} pushes a second for {seconds} s, encrypted, each on a connection of its own; \
         {patients} reminders at {DRAIN_PER_SECOND} a second"
    );
    let bare = bare(seconds.min(10), rate);
    bare.print("an inbox that keeps nothing");
    let (kept, commits) = kept(seconds, rate, patients);
    kept.print("the daemon");
    let worst = kept.share(0.999);
    println!(
        "{commits} commits; p99.9 is {:.3} of the limit of a second, and {:.1} times that of the \
         inbox that keeps nothing",
        worst.as_secs_f64() / LIMIT.as_secs_f64(),
        worst.as_secs_f64() / bare.share(0.999).as_secs_f64(),
    );
}

fn arguments() -> [usize; 3] {
    let mut numbers = [60, 500, 5_000];
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let known = ["--seconds", "--rate", "--patients"];
        if let Some(at) = known.iter().position(|known| *known == argument) {
            let given = arguments.next().and_then(|text| text.parse().ok());
            numbers[at] = given.filter(|number| *number > 0).unwrap_or(numbers[at]);
        }
    }
    numbers
}

/// How long each answer took, and how many said that it was taken.
struct Answers {
    took: Vec<Duration>,
    taken: usize,
}

impl Answers {
    fn share(&self, part: f64) -> Duration {
        let at = (self.took.len() as f64 * part) as usize;
        self.took[at.min(self.took.len() - 1)]
    }

    fn print(&self, what: &str) {
        let ms = |part| self.share(part).as_secs_f64() * 1e3;
        println!(
            "{what}: {} of {} taken; median {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, most {:.1} ms",
            self.taken,
            self.took.len(),
            ms(0.5),
            ms(0.99),
            ms(0.999),
            ms(1.0),
        );
    }
}

/// The listener, with an inbox that says at once that it has taken what came.
struct Nothing(ScaledClock);

impl Inbox for Nothing {
    fn receive(&self, _: Inbound) -> BoxFuture<'_, Result<Option<String>, Unavailable>> {
        Box::pin(std::future::ready(Ok(None)))
    }
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    fn count(&self, _: InboundKind, _: InboundResult) {}
}

fn bare(seconds: usize, rate: usize) -> Answers {
    let clock = ScaledClock::new(Timestamp::now(), 1);
    let settings = Settings {
        appid: APPID.to_owned(),
        account: None,
        token: Secret::new(TOKEN),
        aes_key: Some(Secret::new(KEY)),
        mode: Mode::Secure,
    };
    let reception = Reception::new(&settings, Arc::new(Nothing(clock))).expect("a good key");
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("a port");
    let stop = CancellationToken::new();
    let served = serve_public(
        listener,
        PublicParts::callback_at("/wechat", Arc::new(reception)),
        Arc::new(|_| {}),
        stop.clone(),
    );
    let served = runtime.spawn(served);
    let mut number = 0;
    let answers = pour(address, clock, seconds, rate, move || {
        number += 1;
        text(&format!("o{:027}", number % 5_000), "柚子", number)
    });
    stop.cancel();
    runtime.block_on(served).expect("it did not panic");
    answers
}

fn kept(seconds: usize, rate: usize, patients: usize) -> (Answers, String) {
    let sink = Arc::new(Sink::start());
    let world = tempfile::tempdir().expect("a temporary directory");
    let due: Timestamp = "2026-03-02T00:00:00Z".parse().expect("an instant");
    write_world(world.path(), sink.port, patients).expect("the plans are written");
    let environment = Environment {
        current_directory: world.path().to_path_buf(),
        ..Environment::default()
    };
    let config = Config::load(&world.path().join("config.toml"), &environment);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let runtime = runtime();
    sink.expect(patients);
    // Loading so many plans takes its time, and the instant must lie after it.
    let loading = SignedDuration::from_millis(patients as i64) + SignedDuration::from_secs(3);
    let clock = ScaledClock::new(due - loading, 1);
    let ready_file = world.path().join("ready.json");
    let options = Options {
        ready_file: Some(ready_file.clone()),
        environment,
        clock: Arc::new(clock),
    };
    let control = Control::default();
    let (stop, ready) = (control.stop.clone(), Arc::clone(&control.ready));
    let daemon = runtime.spawn(daemon::run(config, options, control));
    runtime.block_on(ready.notified());
    let left = std::fs::read_to_string(&ready_file).expect("the daemon is ready");
    let left: serde_json::Value = serde_json::from_str(&left).expect("JSON");
    let address = |name: &str| left[name].as_str().expect("an address").to_owned();
    let public: SocketAddr = address("public").parse().expect("an address");
    assert!(
        clock.now() < due,
        "loading took longer than was given to it"
    );
    let until_due = due.duration_since(clock.now());
    std::thread::sleep(Duration::try_from(until_due).expect("it lies ahead"));
    // As the messages arrive they are reported and answered; in between all of them write.
    let (mut number, mut reported, mut answered) = (0, 0, 0);
    let arrived = Arc::clone(&sink);
    let answers = pour(public, clock, seconds, rate, move || {
        number += 1;
        if reported <= answered
            && let Some(openid) = arrived.body(reported).map(|body| openid(&body))
        {
            reported += 1;
            return report(&openid, FIRST_MSGID + reported - 1);
        }
        if answered < reported
            && let Some(openid) = arrived.body(answered).map(|body| openid(&body))
        {
            answered += 1;
            return text(&openid, "1", number);
        }
        let openid = format!("o{:027}", number * 7 % patients);
        text(&openid, "今天能吃柚子吗", number)
    });
    let metrics = runtime.block_on(async {
        let url = format!("http://{}/metrics", address("private"));
        let answer = reqwest::get(&url).await.expect("metrics");
        answer.text().await.expect("metrics")
    });
    let commits = metrics
        .lines()
        .find_map(|line| line.strip_prefix("dosed_store_commits_total{result=\"ok\"} "))
        .unwrap_or("?")
        .to_owned();
    stop.cancel();
    let ended = runtime.block_on(daemon).expect("the daemon did not panic");
    ended.unwrap_or_else(|error| panic!("{error}"));
    let sent = sink.take().bodies.len();
    println!("{sent} reminders left meanwhile");
    (answers, commits)
}

fn write_world(directory: &Path, port: u16, patients: usize) -> io::Result<()> {
    let plans = directory.join("plans.d");
    std::fs::create_dir(&plans)?;
    for (name, secret) in [
        ("secret", "0123456789abcdef"),
        ("token", TOKEN),
        ("key", KEY),
    ] {
        let file = directory.join(name);
        std::fs::write(&file, secret)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    }
    std::fs::write(
        directory.join("config.toml"),
        format!(
            r#"
[clinic]
name = "Dr Hao Clinic"
timezone = "Asia/Shanghai"
language = "zh-CN"
plans = "plans.d"
watch = false
[store]
path = "dosed.redb"
[http]
private = "127.0.0.1:0"
public = "127.0.0.1:0"
[messaging]
channel = "wechat"
rate = {DRAIN_PER_SECOND}
hourly_max = 1000000
[log]
level = "error"
[wechat]
api_base = "http://127.0.0.1:{port}"
appid = "{APPID}"
secret_file = "secret"
token_file = "token"
aes_key_file = "key"
[wechat.templates.dose]
id = "0123456789012345678901234567890123456789012"
[wechat.templates.dose.data]
thing1 = "{{{{ patient }}}}"
thing2 = "{{{{ medications }}}}"
time3 = "{{{{ at }}}}"
"#
        ),
    )?;
    for patient in 0..patients {
        let plan = format!(
            "name = \"王秀兰{patient}\"\nwechat = \"o{patient:027}\"\n\
             [[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"08:00\"\n"
        );
        std::fs::write(plans.join(format!("p{patient}.toml")), plan)?;
    }
    Ok(())
}

/// To whom a message goes.
fn openid(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    body["touser"].as_str().expect("an openid").to_owned()
}

fn text(openid: &str, words: &str, number: usize) -> String {
    let number = 24_000_000_000_000_000 + number;
    format!(
        "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>\n\
         <FromUserName><![CDATA[{openid}]]></FromUserName>\n<CreateTime>1772409600</CreateTime>\n\
         <MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[{words}]]></Content>\n\
         <MsgId>{number}</MsgId>\n</xml>"
    )
}

fn report(openid: &str, msgid: usize) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>\n\
         <FromUserName><![CDATA[{openid}]]></FromUserName>\n<CreateTime>1772409600</CreateTime>\n\
         <MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>\n\
         <MsgID>{msgid}</MsgID>\n<Status><![CDATA[success]]></Status>\n</xml>"
    )
}

/// The request of one push.
fn request(cipher: &Cipher, message: &str, now: Timestamp, number: usize) -> Vec<u8> {
    let mut random = [0; 16];
    random[..8].copy_from_slice(&number.to_be_bytes());
    let encrypted = cipher.encrypt(random, message);
    let (second, nonce) = (now.as_second().to_string(), number.to_string());
    let signed = signature(&[TOKEN, &second, &nonce]);
    let sealed = signature(&[TOKEN, &second, &nonce, &encrypted]);
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>\
         <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    );
    let head = format!(
        "POST /wechat?signature={signed}&timestamp={second}&nonce={nonce}&openid=o\
         &encrypt_type=aes&msg_signature={sealed} HTTP/1.1\r\nHost: x\r\n\
         Content-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// Pushes what `next` gives, `rate` times a second, from a thread of its own.
fn pour(
    address: SocketAddr,
    clock: ScaledClock,
    seconds: usize,
    rate: usize,
    mut next: impl FnMut() -> String + Send + 'static,
) -> Answers {
    let platform = std::thread::spawn(move || {
        let cipher = Cipher::new(KEY, APPID).expect("a good key");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async move {
            let mut pushes = JoinSet::new();
            let began = Instant::now();
            for number in 0..seconds * rate {
                let due = began + Duration::from_secs(1) * number as u32 / rate as u32;
                tokio::time::sleep_until(due.into()).await;
                let request = request(&cipher, &next(), clock.now(), number);
                pushes.spawn(async move {
                    let taken = push(address, &request).await.unwrap_or(false);
                    (due.elapsed(), taken)
                });
            }
            pushes.join_all().await
        })
    });
    let answers = platform.join().expect("the platform does not panic");
    let mut took: Vec<Duration> = answers.iter().map(|(took, _)| *took).collect();
    took.sort_unstable();
    let taken = answers.iter().filter(|(_, taken)| *taken).count();
    Answers { took, taken }
}

async fn push(address: SocketAddr, request: &[u8]) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request).await?;
    let mut answer = Vec::with_capacity(1_024);
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}
