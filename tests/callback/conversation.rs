//! Three days of three patients, two caregivers and a doctor: what is said on each phone, and what
//! the journal keeps of it. The daemon is the real one on a real store over real sockets; its clock
//! jumps from one instant of the script to the next.

use super::clock::JumpingClock;
use super::desk::{APPID, KEY, PATIENCE, TOKEN};
use dosed::daemon;
use dosed::daemon::clock::Clock as _;
use dosed::daemon::config::{Config, Environment};
use dosed::daemon::signals::Control;
use dosed::sandbox::{Callback, Content, Delivered, Follower, Options, Sandbox, Template};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const WANG: &str = r#"
name = "王秀兰"
wechat = "o-wang"
[[caregiver]]
id = "lei"
name = "王磊"
relation = "儿子"
wechat = "o-lei"
tell = "missed"
[[medication]]
name = "华法林"
take = "1片"
at = "08:00"
critical = true
[[check_in]]
ask = "今天血压？"
answer = "血压"
at = "09:00"
alert_if = ["高压超过160"]
"#;

const ZHANG: &str = r#"
name = "张建国"
wechat = "o-zhang"
[[medication]]
name = "二甲双胍"
take = "1片"
at = "08:00, 20:00"
[[medication]]
name = "氨氯地平"
take = "1片"
at = "08:00"
"#;

const LELE: &str = r#"
name = "陈乐乐"
[[caregiver]]
id = "mother"
name = "陈晓雯"
relation = "妈妈"
wechat = "o-chen"
answers = true
[[medication]]
name = "头孢克洛"
take = "5 ml"
at = "08:30, 20:30"
if_missed = "想起来就补服，不要加倍"
[[check_in]]
ask = "乐乐体温？"
answer = "体温"
at = "10:30"
alert_if = "超过38.5"
"#;

const CONFIG: &str = r#"
[clinic]
name = "郝医生诊所"
timezone = "Asia/Shanghai"
plans = "plans.d"
watch = false
[http]
private = "127.0.0.1:0"
public = "127.0.0.1:0"
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
data.thing2 = "{{ names }}"
[wechat.templates.check_in]
id = "ASK"
data.thing1 = "{{ patient }}"
data.thing2 = "{{ question }}"
[wechat.templates.alert]
id = "ALERT"
data.thing1 = "{{ patient }}"
data.thing2 = "{{ text }}"
[[staff]]
name = "Hao"
wechat = "o-hao"
"#;

/// A step of the script.
enum Step {
    /// The clock jumps to the instant of March 2026.
    At(&'static str),
    /// Somebody writes.
    Says(&'static str, &'static str),
    /// Somebody follows no more.
    Leaves(&'static str),
    /// Somebody follows (again).
    Returns(&'static str),
}

use Step::{At, Leaves, Returns, Says};

/// Each step, and all that arrives on phones from it on, ordered by phone and text. What ends in
/// `…` is only the beginning.
const SCRIPT: &[(Step, &[&str])] = &[
    // Monday: an answer, a later, a "not yet", readings, words that cannot wait, silence.
    (
        At("23 08:00:01"),
        &[
            "wang DOSE 王秀兰 华法林",
            "zhang DOSE 张建国 二甲双胍、氨氯地平",
        ],
    ),
    (
        Says("wang", "1"),
        &["wang 好的，记下了：08:00 华法林，已服用。"],
    ),
    (Says("zhang", "2"), &["zhang 好的，08:3…"]),
    (
        At("23 08:32:00"),
        &[
            "chen DOSE 陈乐乐 头孢克洛",
            "zhang DOSE 张建国 二甲双胍、氨氯地平",
        ],
    ),
    (
        Says("zhang", "吃了"),
        &["zhang 好的，记下了：08:00 二甲双胍、氨氯地平，已服用。"],
    ),
    (
        Says("chen", "没吃"),
        &["chen 好的，记下了：08:30 头孢克洛，还没有服。\n头孢克洛：想起来就补服，不要加倍…"],
    ),
    (At("23 08:48:00"), &["chen DOSE 陈乐乐 头孢克洛"]),
    (
        Says("chen", "1"),
        &["chen 好的，记下了：08:30 头孢克洛，已服用。"],
    ),
    (At("23 09:00:01"), &["wang ASK 王秀兰 今天血压？"]),
    (Says("wang", "9999"), &["wang 没看明白您的回答…"]),
    (
        Says("wang", "170/95"),
        &[
            "hao ALERT 王秀兰 今天血压？ 170/95",
            "wang 好的，记下了：今天血压？ 170/95。医生已收到提醒…",
        ],
    ),
    (At("23 10:30:01"), &["chen ASK 陈乐乐 乐乐体温？"]),
    (
        Says("chen", "39.2"),
        &[
            "chen 好的，记下了：乐乐体温？ 39.2。医生已收到提醒…",
            "hao ALERT 陈乐乐 乐乐体温？ 39.2",
        ],
    ),
    (At("23 20:00:01"), &["zhang DOSE 张建国 二甲双胍"]),
    (
        Says("zhang", "胸痛"),
        &[
            "hao ALERT 张建国 急！胸痛",
            "zhang 您说的情况可能很急。请马上拨打 120…",
        ],
    ),
    (At("23 20:15:05"), &["zhang DOSE 张建国 二甲双胍"]),
    (At("23 20:30:01"), &["chen DOSE 陈乐乐 头孢克洛"]),
    (
        Says("chen", "3"),
        &["chen 好的，记下了：20:30 头孢克洛，这次不服。…"],
    ),
    (At("23 21:00:10"), &["zhang DOSE 张建国 二甲双胍"]),
    // Tuesday: a critical dose is missed, one stops and starts.
    (
        At("24 08:00:01"),
        &[
            "wang DOSE 王秀兰 华法林",
            "zhang DOSE 张建国 二甲双胍、氨氯地平",
        ],
    ),
    (
        Says("zhang", "吃了"),
        &["zhang 好的，记下了：08:00 二甲双胍、氨氯地平，已服用。"],
    ),
    (
        Says("zhang", "停止"),
        &[
            "hao ALERT 张建国 不想再收到消息",
            "zhang 好的，郝医生诊所不再给您发消息了…",
        ],
    ),
    (At("24 08:10:05"), &["wang DOSE 王秀兰 华法林"]),
    (At("24 08:20:10"), &["wang DOSE 王秀兰 华法林"]),
    (
        At("24 08:30:15"),
        &["chen DOSE 陈乐乐 头孢克洛", "wang DOSE 王秀兰 华法林"],
    ),
    (
        Says("chen", "1"),
        &["chen 好的，记下了：08:30 头孢克洛，已服用。"],
    ),
    (At("24 09:00:01"), &["wang ASK 王秀兰 今天血压？"]),
    (
        At("24 10:00:05"),
        &[
            "hao ALERT 王秀兰 08:00 华法林 未回复",
            "lei ALERT 王秀兰 08:00 华法林 未回复",
        ],
    ),
    (At("24 10:30:01"), &["chen ASK 陈乐乐 乐乐体温？"]),
    (
        Says("chen", "36.8"),
        &["chen 好的，记下了：乐乐体温？ 36.8。谢谢您！"],
    ),
    (At("24 11:00:10"), &["wang ASK 王秀兰 今天血压？"]),
    (
        Says("wang", "早上的药八点吃了"),
        &["wang 好的，记下了：08:00 华法林，08:00 服用。"],
    ),
    // The son is told, and does not answer in her place.
    (Says("lei", "她吃了"), &["lei 收到，已转给医生…"]),
    (At("24 20:30:01"), &["chen DOSE 陈乐乐 头孢克洛"]),
    (
        Says("chen", "喂了"),
        &["chen 好的，记下了：20:30 头孢克洛，已服用。"],
    ),
    (
        Says("zhang", "开始"),
        &[
            "zhang DOSE 张建国 二甲双胍",
            "zhang 好的，到时间郝医生诊所会提醒您…",
        ],
    ),
    (
        Says("zhang", "1"),
        &["zhang 好的，记下了：20:00 二甲双胍，已服用。"],
    ),
    // Wednesday: one goes and comes back.
    (At("25 07:00:00"), &[]),
    (Leaves("zhang"), &["hao ALERT 张建国 微信联系不上"]),
    (At("25 08:00:01"), &["wang DOSE 王秀兰 华法林"]),
    (
        Says("wang", "吃过了"),
        &["wang 好的，记下了：08:00 华法林，已服用。"],
    ),
    (At("25 08:30:01"), &["chen DOSE 陈乐乐 头孢克洛"]),
    (
        Says("chen", "1"),
        &["chen 好的，记下了：08:30 头孢克洛，已服用。"],
    ),
    (At("25 09:00:01"), &["wang ASK 王秀兰 今天血压？"]),
    (
        Says("wang", "130/85"),
        &["wang 好的，记下了：今天血压？ 130/85。谢谢您！"],
    ),
    (
        Returns("zhang"),
        &[
            "zhang DOSE 张建国 二甲双胍、氨氯地平",
            "zhang 好的，到时间郝医生诊所会提醒您…",
        ],
    ),
    (
        Says("zhang", "1"),
        &["zhang 好的，记下了：08:00 二甲双胍、氨氯地平，已服用。"],
    ),
    (At("25 10:30:01"), &["chen ASK 陈乐乐 乐乐体温？"]),
    (
        Says("chen", "37"),
        &["chen 好的，记下了：乐乐体温？ 37。谢谢您！"],
    ),
    (At("25 20:00:01"), &["zhang DOSE 张建国 二甲双胍"]),
    (
        Says("zhang", "1"),
        &["zhang 好的，记下了：20:00 二甲双胍，已服用。"],
    ),
    (At("25 20:30:01"), &["chen DOSE 陈乐乐 头孢克洛"]),
    (
        Says("chen", "1"),
        &["chen 好的，记下了：20:30 头孢克洛，已服用。"],
    ),
];

/// How each dose ended in the journal: who, when, which, every version of it.
const CLOSED: &[&str] = &[
    "chen-lele 23T08:30 头孢克洛 taken by mother",
    "chen-lele 23T20:30 头孢克洛 skipped by mother",
    "chen-lele 24T08:30 头孢克洛 taken by mother",
    "chen-lele 24T20:30 头孢克洛 taken by mother",
    "chen-lele 25T08:30 头孢克洛 taken by mother",
    "chen-lele 25T20:30 头孢克洛 taken by mother",
    "wang-xiulan 23T08:00 华法林 taken by patient",
    "wang-xiulan 24T08:00 华法林 missed",
    "wang-xiulan 24T08:00 华法林 taken by patient",
    "wang-xiulan 25T08:00 华法林 taken by patient",
    "zhang-jianguo 23T08:00 二甲双胍 taken by patient",
    "zhang-jianguo 23T08:00 氨氯地平 taken by patient",
    "zhang-jianguo 23T20:00 二甲双胍 missed",
    "zhang-jianguo 24T08:00 二甲双胍 taken by patient",
    "zhang-jianguo 24T08:00 氨氯地平 taken by patient",
    "zhang-jianguo 24T20:00 二甲双胍 taken by patient",
    "zhang-jianguo 25T08:00 二甲双胍 taken by patient",
    "zhang-jianguo 25T08:00 氨氯地平 taken by patient",
    "zhang-jianguo 25T20:00 二甲双胍 taken by patient",
];

/// All else that was said, in the journal's words.
const SAID: &[&str] = &[
    "chen-lele check_in_answered {\"value\":36.8} false",
    "chen-lele check_in_answered {\"value\":37.0} false",
    "chen-lele check_in_answered {\"value\":39.2} true",
    "chen-lele said_not_taken",
    "wang-xiulan check_in_answered {\"value\":{\"lower\":85,\"upper\":130}} false",
    "wang-xiulan check_in_answered {\"value\":{\"lower\":95,\"upper\":170}} true",
    "wang-xiulan wrote 她吃了",
    "zhang-jianguo reach_changed followed",
    "zhang-jianguo reach_changed started",
    "zhang-jianguo reach_changed stopped",
    "zhang-jianguo reach_changed unfollowed",
    "zhang-jianguo snoozed",
    "zhang-jianguo wrote 胸痛",
];

fn at(day: &str) -> jiff::Timestamp {
    let (day, time) = day.split_once(' ').expect("a day and a time");
    format!("2026-03-{day}T{time}+08:00")
        .parse()
        .expect("an instant")
}

fn phone(name: &str) -> String {
    format!("o-{name}")
}

/// A message as the script writes it.
fn told(message: &Delivered) -> String {
    let phone = message.touser.trim_start_matches("o-");
    match &message.content {
        Content::Text(text) => format!("{phone} {text}"),
        Content::Template { template, data, .. } => {
            let values: Vec<&str> = data.values().map(String::as_str).collect();
            format!("{phone} {} {}", template.id, values.join(" "))
        }
    }
}

fn is_as_written(told: &str, written: &str) -> bool {
    match written.strip_suffix('…') {
        Some(beginning) => told.starts_with(beginning),
        None => told == written,
    }
}

/// A clinic's directory.
fn clinic(directory: &Path, api_base: &str) -> PathBuf {
    for (name, secret) in [("secret", "sandbox-secret"), ("token", TOKEN), ("key", KEY)] {
        let file = directory.join(name);
        std::fs::write(&file, secret).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let plans = directory.join("plans.d");
    std::fs::create_dir(&plans).unwrap();
    for (patient, plan) in [
        ("wang-xiulan", WANG),
        ("zhang-jianguo", ZHANG),
        ("chen-lele", LELE),
    ] {
        std::fs::write(plans.join(format!("{patient}.toml")), plan).unwrap();
    }
    let path = directory.join("dosed.toml");
    let text = CONFIG.replace("APPID", APPID).replace("API", api_base);
    std::fs::write(&path, text).unwrap();
    path
}

async fn sandbox(clock: &JumpingClock) -> Sandbox {
    let shown = clock.clone();
    let names = [("thing1", "患者"), ("thing2", "内容")];
    let options = Options {
        appid: APPID.to_owned(),
        followers: ["wang", "zhang", "chen", "lei", "hao"]
            .map(|name| Follower::new(&phone(name), name))
            .to_vec(),
        templates: ["DOSE", "ASK", "ALERT"]
            .map(|id| Template::new(id, id, &names))
            .to_vec(),
        now: Arc::new(move || shown.now()),
        ..Options::default()
    };
    Sandbox::start(options).await.unwrap()
}

#[tokio::test]
async fn three_days_of_talk_go_as_they_should_and_are_kept() {
    let clock = JumpingClock::starting(at("23 07:50:00"));
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox(&clock).await;
    let path = clinic(directory.path(), &sandbox.base_url());
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
    let left: Value = serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
    let metrics = format!("http://{}/metrics", left["private"].as_str().unwrap());
    let public = left["public"].as_str().unwrap().parse().unwrap();
    let callback = Callback::new(public, "/wechat", TOKEN, KEY, APPID).unwrap();
    sandbox.set_callback(Some(callback));

    let mut seen = 0;
    for (step, expected) in SCRIPT {
        let name = match step {
            At(instant) => {
                clock.jump(at(instant));
                format!("at {instant}")
            }
            Says(who, text) => {
                sandbox.write(&phone(who), text);
                format!("{who}: {text}")
            }
            Leaves(who) => {
                sandbox.unfollow(&phone(who));
                format!("{who} leaves")
            }
            Returns(who) => {
                sandbox.follow(&phone(who));
                format!("{who} returns")
            }
        };
        let enough = seen + expected.len();
        let came = sandbox
            .wait_for(|delivered| delivered.len() >= enough, PATIENCE)
            .await;
        let deliveries = sandbox.deliveries();
        let mut all: Vec<String> = deliveries[seen..].iter().map(told).collect();
        all.sort();
        let as_written = all.len() == expected.len()
            && (all.iter().zip(*expected)).all(|(told, written)| is_as_written(told, written));
        assert!(came && as_written, "{name}: {all:#?}, not {expected:#?}");
        seen = enough;
        let cards = deliveries
            .iter()
            .filter(|it| it.client_msg_id.is_some())
            .count();
        settled(&metrics, cards).await;
    }
    // Nothing but what was expected is on any phone, and nothing was tried twice.
    clock.jump(at("25 23:59:00"));
    stop.cancel();
    let ended = tokio::time::timeout(PATIENCE, running).await;
    let ended = ended.expect("the daemon ends").unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(sandbox.deliveries().len(), seen);
    check_journal(&path, &sandbox);
}

/// Waits until the outcome of each card is committed: a jump before that would be a daemon that
/// slept between sending and writing down.
async fn settled(metrics: &str, cards: usize) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let until = tokio::time::Instant::now() + PATIENCE;
    // The pause paces the questions; nothing is inferred from its length.
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    loop {
        pace.tick().await;
        let text = client.get(metrics).send().await.unwrap().text().await;
        let text = text.unwrap();
        let accepted: f64 = text
            .lines()
            .filter(|it| it.starts_with("dosed_reminders_total{") && it.contains("=\"accepted\""))
            .filter_map(|it| it.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum();
        if accepted as usize == cards {
            return;
        }
        let in_time = tokio::time::Instant::now() < until;
        assert!(in_time, "{accepted} of {cards} are settled");
    }
}

/// What `dosed history` says of the three days.
fn check_journal(config: &Path, sandbox: &Sandbox) {
    let output = Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(["history", "--journal", "--json"])
        .args(["--from", "2026-03-20T00:00:00Z"])
        .args(["--until", "2026-03-30T00:00:00Z", "--config"])
        .arg(config)
        .env_remove("STATE_DIRECTORY")
        .output()
        .expect("the built binary runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let mut closed = Vec::new();
    let mut said = Vec::new();
    let mut accepted: BTreeMap<String, u32> = BTreeMap::new();
    for line in &lines {
        let patient = word(line, "patient");
        let entry = word(line, "entry");
        match entry.as_str() {
            "dose_closed" => {
                let due = word(line, "due");
                let by = match &line["answer"]["by"] {
                    Value::Null => String::new(),
                    Value::String(by) => format!(" by {by}"),
                    by => format!(" by {}", word(by, "caregiver")),
                };
                let (id, state) = (word(line, "id"), word(line, "state"));
                closed.push(format!("{patient} {} {id} {state}{by}", &due[8..16]));
            }
            "accepted" => *accepted.entry(word(line, "message")).or_default() += 1,
            "check_in_answered" => said.push(format!(
                "{patient} {entry} {{\"value\":{}}} {}",
                line["value"], line["alert"]
            )),
            "wrote" => said.push(format!("{patient} {entry} {}", word(line, "text"))),
            "reach_changed" => said.push(format!("{patient} {entry} {}", word(line, "why"))),
            "snoozed" | "said_not_taken" => said.push(format!("{patient} {entry}")),
            _ => {}
        }
    }
    closed.sort();
    assert_eq!(closed, CLOSED, "{text}");
    said.sort();
    assert_eq!(said, SAID, "{text}");
    // Each card that arrived was accepted once, and each that was accepted arrived.
    let mut arrived: BTreeMap<String, u32> = BTreeMap::new();
    for message in sandbox.deliveries() {
        assert_eq!(message.duplicates, 0);
        if let Some(id) = &message.client_msg_id {
            *arrived.entry(id.to_string()).or_default() += 1;
        }
    }
    assert_eq!(accepted, arrived, "{text}");
}
