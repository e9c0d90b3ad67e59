//! The patients' page: the daemon is the real one on a real store over real sockets, its messages
//! carry the links, and what is pressed is pressed as a browser does it.

use super::clock::JumpingClock;
use super::desk::{APPID, KEY, PATIENCE, TOKEN};
use dosed::daemon;
use dosed::daemon::clock::Clock as _;
use dosed::daemon::config::{Config, Environment};
use dosed::daemon::signals::Control;
use dosed::sandbox::{Callback, Content, Delivered, Follower, Options, Sandbox, Template};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const WANG: &str = r#"
name = "王秀兰"
wechat = "o-wang"
[[medication]]
name = "盐酸二甲双胍缓释片"
short = "二甲双胍"
take = "1片"
at = "08:00, 20:00"
note = "饭后 <b>马上</b>"
[[medication]]
name = "氨氯地平"
take = "1片"
at = "08:00"
[[medication]]
name = "布洛芬"
take = "1片"
as_needed = "头痛"
at_most = "2 a day"
apart = "6 hours"
[[check_in]]
ask = "今天血压？"
answer = "血压"
at = "08:00"
[[check_in]]
ask = "睡得好吗？"
answer = "one of: 好, 一般, 差"
at = "08:00"
"#;

const LI: &str = r#"
name = "Li Lei"
language = "en"
wechat = "o-li"
[[medication]]
name = "Warfarin"
take = "1 tablet"
at = "08:00"
"#;

pub const CONFIG: &str = r#"
[clinic]
name = "郝医生诊所"
timezone = "Asia/Shanghai"
plans = "plans.d"
watch = false
emergency_number = "120"
[http]
private = "127.0.0.1:0"
public = "127.0.0.1:0"
public_url = "https://clinic.example/dosed/"
[messaging]
channel = "wechat"
[wechat]
api_base = "API"
appid = "APPID"
secret_file = "secret"
token_file = "token"
aes_key_file = "key"
[wechat.templates.dose]
id = "DOSE"
data.thing1 = "{{ patient }}"
[wechat.templates.check_in]
id = "ASK"
data.thing1 = "{{ patient }}"
"#;

/// A clinic with its daemon.
pub struct Clinic {
    directory: tempfile::TempDir,
    sandbox: Sandbox,
    pub clock: JumpingClock,
    pub public: SocketAddr,
    private: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<Result<(), daemon::DaemonError>>,
}

pub fn at(time: &str) -> jiff::Timestamp {
    format!("2026-03-{time}+08:00").parse().unwrap()
}

/// What a browser is answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Clinic {
    /// It is ten to eight, and nothing has been sent.
    pub async fn open(config: &str) -> Self {
        let clock = JumpingClock::starting(at("23T07:50:00"));
        let directory = tempfile::tempdir().unwrap();
        let shown = clock.clone();
        let names = [("thing1", "患者")];
        let options = Options {
            appid: APPID.to_owned(),
            followers: ["wang", "li"]
                .map(|it| Follower::new(&format!("o-{it}"), it))
                .to_vec(),
            templates: ["DOSE", "ASK"]
                .map(|id| Template::new(id, id, &names))
                .to_vec(),
            now: Arc::new(move || shown.now()),
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let path = write_clinic(directory.path(), config, &sandbox.base_url());
        let config = Config::load(&path, &Environment::default()).unwrap_or_else(|e| panic!("{e}"));
        let ready_file = directory.path().join("ready");
        let options = daemon::Options {
            ready_file: Some(ready_file.clone()),
            environment: Environment::default(),
            clock: Arc::new(clock.clone()),
        };
        let control = Control::default();
        let (ready, stop) = (Arc::clone(&control.ready), control.stop.clone());
        let running = tokio::spawn(daemon::run(config, options, control));
        let is_ready = tokio::time::timeout(PATIENCE, ready.notified()).await;
        is_ready.expect("the daemon becomes ready");
        let left: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
        let address = |name: &str| left[name].as_str().unwrap().parse().unwrap();
        let public = address("public");
        sandbox.set_callback(Some(
            Callback::new(public, "/wechat", TOKEN, KEY, APPID).unwrap(),
        ));
        Self {
            private: address("private"),
            directory,
            sandbox,
            clock,
            public,
            stop,
            running,
        }
    }

    /// Waits for so many messages in all, and gives them.
    async fn messages(&self, count: usize) -> Vec<Delivered> {
        let come = self
            .sandbox
            .wait_for(|it| it.len() >= count, PATIENCE)
            .await;
        assert!(come, "{:?}", self.sandbox.deliveries());
        self.sandbox.deliveries()
    }

    /// The path of the page to which the first message to somebody leads.
    pub async fn link(&self, to: &str, count: usize) -> String {
        let messages = self.messages(count).await;
        let first = messages.iter().find(|it| &*it.touser == to).unwrap();
        let url = url_of(first).expect("it carries a link");
        let path = url
            .strip_prefix("https://clinic.example/dosed")
            .expect("the public address");
        path.to_owned()
    }

    pub async fn ask(&self, method: &str, target: &str, body: &str) -> Answer {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        exchange(self.public, &[head.as_bytes(), body.as_bytes()]).await
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "").await
    }

    /// Presses on a page as it was shown: the form that stands before `button`.
    pub async fn press(&self, target: &str, page: &str, button: &str, more: &str) -> Answer {
        let form = form_of(page, button);
        self.ask("POST", target, &format!("form={form}&{more}"))
            .await
    }

    /// Asks the private listener.
    async fn ask_inside(&self, path: &str) -> reqwest::Response {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://{}{path}", self.private));
        answer.send().await.unwrap()
    }

    /// The status of what the private listener answers.
    pub async fn private_status(&self, path: &str) -> u16 {
        self.ask_inside(path).await.status().as_u16()
    }

    /// The value of a series, whose name ends with a space.
    pub async fn metric(&self, series: &str) -> u64 {
        let text = self.ask_inside("/metrics").await.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("{series}")).parse().unwrap()
    }

    /// Requests to the patients' page that came to this.
    pub async fn counted(&self, result: &str) -> u64 {
        let series = format!("dosed_patient_page_requests_total{{result=\"{result}\"}} ");
        self.metric(&series).await
    }

    /// Doses that were closed like this.
    pub async fn closed(&self, state: &str) -> u64 {
        let series = format!("dosed_doses_settled_total{{outcome=\"{state}\"}} ");
        self.metric(&series).await
    }

    pub async fn stop(self) -> tempfile::TempDir {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.running).await;
        let ended = ended.expect("it ends").unwrap();
        assert!(ended.is_ok(), "{ended:?}");
        self.directory
    }
}

fn write_clinic(directory: &Path, config: &str, api_base: &str) -> std::path::PathBuf {
    for (name, secret) in [("secret", "sandbox-secret"), ("token", TOKEN), ("key", KEY)] {
        let file = directory.join(name);
        std::fs::write(&file, secret).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let plans = directory.join("plans.d");
    std::fs::create_dir(&plans).unwrap();
    for (patient, plan) in [("wang-xiulan", WANG), ("li-lei", LI)] {
        std::fs::write(plans.join(format!("{patient}.toml")), plan).unwrap();
    }
    let path = directory.join("dosed.toml");
    let text = config.replace("APPID", APPID).replace("API", api_base);
    std::fs::write(&path, text).unwrap();
    path
}

fn url_of(message: &Delivered) -> Option<&str> {
    match &message.content {
        Content::Template { url, .. } => url.as_deref(),
        Content::Text(text) => text.find("https://").map(|at| text[at..].trim_end()),
    }
}

/// The sealed form nearest before some words of the page.
fn form_of<'p>(page: &'p str, button: &str) -> &'p str {
    let end = page
        .find(button)
        .unwrap_or_else(|| panic!("{button} is not in {page}"));
    let start = page[..end].rfind("name=\"form\" value=\"").expect("a form") + 19;
    let rest = &page[start..];
    &rest[..rest.find('"').unwrap()]
}

pub async fn exchange(address: SocketAddr, parts: &[&[u8]]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for part in parts {
        // The other end may have said enough and closed.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A reset is an end, too.
    let _ = read.expect("the connection comes to an end");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

/// What `dosed history` says: the state of each dose, or the journal.
fn history(directory: &Path, args: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(["history", "--json", "--from", "2026-03-22T16:00:00Z"])
        .args(["--until", "2026-03-30T00:00:00Z", "--config"])
        .arg(directory.join("dosed.toml"))
        .args(args)
        .env_remove("STATE_DIRECTORY")
        .output()
        .expect("the built binary runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn states(directory: &Path) -> Vec<String> {
    let lines = history(directory, &[]).into_iter().map(|line| {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap_or("?").to_owned();
        format!("{} {} {}", text("patient"), text("id"), text("state"))
    });
    lines.collect()
}

#[tokio::test]
async fn an_answer_on_the_page_reaches_its_dose_and_a_double_press_is_one() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    // Two reminders and two questions.
    let link = clinic.link("o-wang", 4).await;
    assert!(link.starts_with("/p/") && link.len() == 3 + 39, "{link}");
    let shown = clinic.get(&link).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    for header in [
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "content-type: text/html; charset=utf-8",
    ] {
        assert!(shown.head.contains(header), "{header}: {}", shown.head);
    }
    assert!(!shown.head.contains("unsafe") && !shown.body.contains("<script"));
    for text in [
        "王秀兰",
        "盐酸二甲双胍缓释片",
        "氨氯地平",
        "饭后 &lt;b&gt;马上",
        "今天血压？",
        "全部已服",
        "lang=\"zh-CN\"",
        "120",
    ] {
        assert!(shown.body.contains(text), "{text}: {}", shown.body);
    }
    assert!(!shown.body.contains("Warfarin") && !shown.body.contains("Li Lei"));

    let noted = clinic
        .press(&link, &shown.body, "全部已服", "do=taken")
        .await;
    assert_eq!(noted.status, 200, "{noted:?}");
    let said = "好的，记下了：08:00 二甲双胍、氨氯地平，已服用。";
    assert!(noted.body.contains(said), "{}", noted.body);
    // The page says it; no message does.
    let again = clinic
        .press(&link, &shown.body, "全部已服", "do=taken")
        .await;
    assert!(
        again.status == 200 && again.body.contains(said),
        "{again:?}"
    );
    let other = clinic
        .press(&link, &shown.body, "全部已服", "do=skipped&reason=x")
        .await;
    assert_eq!(other.status, 409, "{other:?}");
    assert!(other.body.contains("这一页是旧的"), "{}", other.body);

    let pressure = |value: &'static str| clinic.press(&link, &shown.body, "高压", value);
    let unreadable = pressure("upper=9999&lower=1").await;
    assert_eq!(unreadable.status, 422);
    assert!(unreadable.body.contains("没有看懂") && unreadable.body.contains("120/80"));
    let read = pressure("upper=135&lower=85").await;
    assert!(read.body.contains("今天血压？ 135/85"), "{}", read.body);
    let choice = clinic
        .press(&link, &shown.body, ">一般<", "choice=%E4%B8%80%E8%88%AC")
        .await;
    assert!(choice.body.contains("睡得好吗？ 一般"), "{}", choice.body);
    let needed = clinic
        .press(&link, &shown.body, "我用了一次", "do=taken")
        .await;
    assert!(needed.body.contains("布洛芬"), "{}", needed.body);
    let last = clinic.get(&link).await.body;
    assert!(
        last.contains("请在 14:0") && last.contains("现在没有要回答的"),
        "{last}"
    );

    let english = clinic.get(&clinic.link("o-li", 4).await).await.body;
    assert!(
        english.contains("Warfarin") && english.contains("✓ Taken"),
        "{english}"
    );
    assert!(!english.contains("王秀兰"));
    assert_eq!(clinic.counted("noted").await, 5);
    assert_eq!(clinic.counted("not_noted").await, 2);
    assert_eq!(
        clinic.sandbox.deliveries().len(),
        4,
        "nothing was said twice"
    );
    let directory = clinic.stop().await;
    let states = states(directory.path());
    assert_eq!(
        states,
        [
            "li-lei Warfarin open",
            "wang-xiulan 氨氯地平 taken",
            "wang-xiulan 盐酸二甲双胍缓释片 taken"
        ]
    );
    let journal = history(directory.path(), &["wang-xiulan", "--journal"]).join("\n");
    for (entry, times) in [
        ("dose_closed", 2),
        ("check_in_answered", 2),
        ("taken_as_needed", 1),
    ] {
        let found = journal.matches(&format!("\"{entry}\"")).count();
        assert_eq!(found, times, "{entry}: {journal}");
    }
}

#[tokio::test]
async fn what_is_fetched_ahead_changes_nothing_and_nothing_else_is_served() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let link = clinic.link("o-wang", 4).await;
    let first = clinic.get(&link).await.body;
    for _ in 0..5 {
        assert_eq!(clinic.get(&link).await.status, 200);
        assert_eq!(
            clinic.get(&format!("{link}?from=preview")).await.status,
            200
        );
        assert_eq!(clinic.ask("HEAD", &link, "").await.status, 200);
    }
    assert_eq!(
        clinic.get(&format!("{link}?do=taken&form=x")).await.status,
        200
    );
    for (method, target, status) in [
        ("PUT", link.as_str(), 405),
        ("DELETE", &link, 405),
        ("GET", "/", 404),
        ("GET", "/p", 404),
        ("GET", "/p/", 404),
        ("GET", &format!("{link}/x"), 404),
        ("GET", "/p/../metrics", 404),
        ("GET", "/p/%2e%2e%2fmetrics", 404),
        ("GET", "/metrics", 404),
        ("GET", "/health", 404),
        ("GET", "/livez", 404),
        ("GET", "/assets/page.css", 404),
        ("POST", "/reload", 404),
        ("GET", "/wechat", 403),
    ] {
        let answer = clinic.ask(method, target, "").await;
        assert_eq!(answer.status, status, "{method} {target}");
        assert!(!answer.body.contains("王秀兰"), "{method} {target}");
    }
    let form = form_of(&first, "全部已服").to_owned();
    let directory = clinic.stop().await;
    assert!(
        states(directory.path())
            .iter()
            .all(|it| it.ends_with(" open"))
    );
    assert!(!form.is_empty());
}

#[tokio::test]
async fn wrong_links_are_answered_alike_and_tell_nothing() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let (wang, li) = (clinic.link("o-wang", 4).await, clinic.link("o-li", 4).await);
    let page = clinic.get(&wang).await.body;
    let mut changed = wang.clone();
    let middle = changed.remove(10);
    changed.insert(10, if middle == 'A' { 'B' } else { 'A' });
    // The form of one patient with the link of another.
    let crossed = clinic.press(&li, &page, "全部已服", "do=taken").await;
    assert_eq!(crossed.status, 400);
    assert!(!crossed.body.contains("王秀兰"));
    let mut bodies = Vec::new();
    for target in ["/p/x", "/p/%00", "/p/..", &changed, &format!("{wang}A")] {
        let answer = clinic.get(target).await;
        assert_eq!(answer.status, 404, "{target}");
        bodies.push(answer.body);
        let pressed = clinic.press(target, &page, "全部已服", "do=taken").await;
        assert_eq!(pressed.status, 404, "{target}");
        bodies.push(pressed.body);
    }
    // The same contact stops: the link is like any other that opens nothing.
    clinic.sandbox.write("o-wang", "停止");
    clinic.messages(5).await;
    let stopped = clinic.get(&wang).await;
    assert_eq!(stopped.status, 404);
    let pressed = clinic.press(&wang, &page, "全部已服", "do=taken").await;
    assert_eq!(pressed.status, 404);
    bodies.extend([stopped.body, pressed.body]);
    clinic.sandbox.write("o-wang", "开始");
    clinic.messages(6).await;
    assert_eq!(clinic.get(&wang).await.status, 200);
    clinic.sandbox.unfollow("o-wang");
    let gone = async { while clinic.get(&wang).await.status != 404 {} };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("it opens nothing any more");
    // Six hours' window and a day.
    clinic.clock.jump(at("24T13:59:00"));
    assert_eq!(clinic.get(&li).await.status, 200);
    clinic.clock.jump(at("24T14:00:02"));
    let expired = clinic.get(&li).await;
    assert_eq!(expired.status, 410);
    bodies.push(expired.body);
    let first = bodies[0].clone();
    assert!(bodies.iter().all(|body| *body == first), "{bodies:?}");
    assert!(
        first.contains("微信对话") && first.contains("answer there"),
        "{first}"
    );
    for words in ["王秀兰", "Li Lei", "Warfarin", "二甲双胍", "郝医生"] {
        assert!(!first.contains(words), "{words}");
    }
    let directory = clinic.stop().await;
    assert!(
        states(directory.path())
            .iter()
            .all(|it| !it.ends_with(" taken"))
    );
}

#[tokio::test]
async fn who_guesses_is_refused_soon_and_who_has_a_link_never() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let link = clinic.link("o-wang", 4).await;
    let mut statuses = Vec::new();
    for number in 0..40 {
        statuses.push(clinic.get(&format!("/p/{number:039}")).await.status);
    }
    assert_eq!(statuses[0], 404);
    assert_eq!(statuses[39], 429, "{statuses:?}");
    assert_eq!(clinic.get(&link).await.status, 200, "of the same address");
    let limited = clinic.counted("limited").await;
    assert!(limited > 0 && limited < 40, "{limited}");
    // Behind a proxy each is whom the proxy names.
    let head = format!(
        "GET /p/{:039} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
        7
    );
    assert_eq!(
        exchange(clinic.public, &[head.as_bytes()]).await.status,
        404
    );
    clinic.stop().await;
}

#[tokio::test]
async fn a_form_that_is_too_long_or_never_ends_is_refused() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let link = clinic.link("o-wang", 4).await;
    let head = |length: usize| {
        format!("POST {link} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
    };
    // It says so itself: none of it is waited for.
    let said = exchange(clinic.public, &[head(1 << 30).as_bytes()]).await;
    assert_eq!(said.status, 413);
    assert!(said.body.contains("没有记录"), "{said:?}");
    let chunked = format!("POST {link} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
    let mut parts = vec![chunked.as_bytes()];
    parts.extend(std::iter::repeat_n(chunk.as_bytes(), 8));
    let answer = exchange(clinic.public, &parts).await;
    assert!(matches!(answer.status, 413 | 0), "{answer:?}");
    // Half of a form, and then nothing.
    let slow = exchange(clinic.public, &[head(100).as_bytes(), b"form="]).await;
    assert_eq!(slow.status, 408);
    for body in ["", "form", "form=&do=taken", "a=b&c=d", "form=x&do=drop"] {
        let answer = clinic.ask("POST", &link, body).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    assert!(clinic.counted("unread").await >= 2);
    let directory = clinic.stop().await;
    assert!(
        states(directory.path())
            .iter()
            .all(|it| it.ends_with(" open"))
    );
}

#[tokio::test]
async fn a_question_in_the_talk_shows_the_way_to_the_page() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    clinic.messages(4).await;
    clinic.sandbox.write("o-wang", "9999");
    let messages = clinic.messages(5).await;
    let Content::Text(text) = &messages[4].content else {
        panic!("{messages:?}")
    };
    assert!(
        text.contains("也可以点这里回答：https://clinic.example/dosed/p/"),
        "{text}"
    );
    let path = url_of(&messages[4])
        .unwrap()
        .strip_prefix("https://clinic.example/dosed");
    assert_eq!(clinic.get(path.unwrap()).await.status, 200);
    clinic.stop().await;
}

#[tokio::test]
async fn without_a_public_address_there_is_no_page_and_no_link() {
    let config = CONFIG.replace("public_url = \"https://clinic.example/dosed/\"\n", "");
    let clinic = Clinic::open(&config).await;
    clinic.clock.jump(at("23T08:00:01"));
    let messages = clinic.messages(4).await;
    assert!(
        messages.iter().all(|it| url_of(it).is_none()),
        "{messages:?}"
    );
    clinic.sandbox.write("o-wang", "9999");
    let messages = clinic.messages(5).await;
    assert_eq!(url_of(&messages[4]), None);
    let answer = clinic.get(&format!("/p/{:039}", 1)).await;
    assert_eq!((answer.status, answer.body.as_str()), (404, ""));
    clinic.stop().await;
}

#[tokio::test]
async fn what_the_page_called_noted_is_in_the_store_when_the_daemon_ends() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let link = clinic.link("o-li", 4).await;
    let page = clinic.get(&link).await.body;
    let noted = clinic.press(&link, &page, "✓ Taken", "do=taken").await;
    assert_eq!(noted.status, 200);
    let public = clinic.public;
    let directory = clinic.stop().await;
    assert!(TcpStream::connect(public).await.is_err());
    assert!(states(directory.path()).contains(&"li-lei Warfarin taken".to_owned()));
}
