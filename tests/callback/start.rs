//! The start of a daemon that is pushed to: what comes before the plans are read is heard as well.

use super::daemon::options;
use super::desk::{APPID, KEY, PATIENCE, TOKEN};
use super::end::{request, send};
use dosed::daemon;
use dosed::daemon::config::{Config, Environment};
use dosed::daemon::signals::Control;
use dosed::sandbox::{Content, Follower, Options, Sandbox, Template};
use jiff::Timestamp;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// So many others, that reading the plans takes its time.
const OTHERS: usize = 400;

fn write_clinic(directory: &Path, public: SocketAddr, api_base: &str) {
    for (name, secret) in [("secret", "sandbox-secret"), ("token", TOKEN), ("key", KEY)] {
        let file = directory.join(name);
        std::fs::write(&file, secret).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let text = format!(
        "[clinic]\nname = \"郝医生诊所\"\ntimezone = \"Asia/Shanghai\"\nwatch = false\n\
         [http]\nprivate = \"127.0.0.1:0\"\npublic = \"{public}\"\n\
         [messaging]\nchannel = \"wechat\"\n\
         [wechat]\napi_base = \"{api_base}\"\nappid = \"{APPID}\"\nsecret_file = \"secret\"\n\
         callback_path = \"/push\"\ntoken_file = \"token\"\nmode = \"plain\"\n\
         [wechat.templates.dose]\nid = \"DOSE\"\ndata.thing1 = \"{{{{ names }}}}\"\n\
         [wechat.templates.alert]\nid = \"ALERT\"\ndata.thing1 = \"{{{{ text }}}}\"\n\
         [[staff]]\nname = \"Hao\"\nwechat = \"o-hao\"\n"
    );
    std::fs::write(directory.join("dosed.toml"), text).unwrap();
    let plans = directory.join("plans.d");
    std::fs::create_dir(&plans).unwrap();
    for number in 0..=OTHERS {
        let plan = format!(
            "name = \"患者{number}\"\nwechat = \"o-{number}\"\n[[medication]]\nname = \"二甲双胍\"\n\
             take = \"1片\"\nonce = 2199-01-01T08:00:00\n"
        );
        std::fs::write(plans.join(format!("p{number}.toml")), plan).unwrap();
    }
}

type Running = JoinHandle<Result<(), daemon::DaemonError>>;

fn start(directory: &Path) -> (Running, CancellationToken, Arc<tokio::sync::Notify>) {
    let path = directory.join("dosed.toml");
    let config = Config::load(&path, &Environment::default());
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let control = Control::default();
    let (ready, stop) = (Arc::clone(&control.ready), control.stop.clone());
    let running = tokio::spawn(daemon::run(config, options(directory), control));
    (running, stop, ready)
}

async fn end(running: Running, stop: &CancellationToken) {
    stop.cancel();
    let ended = tokio::time::timeout(PATIENCE, running).await;
    let ended = ended.expect("the daemon ends").unwrap();
    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_cannot_wait_alarm_staff_also_before_the_plans_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options {
        appid: APPID.to_owned(),
        followers: vec![Follower::new("o-hao", "郝医生")],
        templates: ["DOSE", "ALERT"]
            .map(|id| Template::new(id, id, &[("thing1", "内容")]))
            .to_vec(),
        now: Arc::new(Timestamp::now),
        ..Options::default()
    });
    let sandbox = sandbox.await.unwrap();
    // Where it will listen has to be known before it says so.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let public = free.local_addr().unwrap();
    drop(free);
    write_clinic(directory.path(), public, &sandbox.base_url());
    let (running, stop, ready) = start(directory.path());
    let is_ready = tokio::time::timeout(PATIENCE, ready.notified()).await;
    is_ready.expect("the daemon becomes ready");
    end(running, &stop).await;

    // The plans are in the store now; the next daemon reads their files again.
    let (running, stop, ready) = start(directory.path());
    let second = Timestamp::now().as_second();
    let pushed = request(second, "o-0", "胸痛", 1);
    // The pause paces the tries; nothing is inferred from its length.
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    let answer = async {
        loop {
            pace.tick().await;
            if let Some(answer) = send(public, &pushed).await {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    let answer = answer.expect("it is answered as soon as it listens");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("120"), "{answer}");
    let alarmed = sandbox.wait_for(
        |all| {
            all.iter().any(|it| {
                let words = it.value("thing1");
                &*it.touser == "o-hao" && words.is_some_and(|words| words.contains("胸痛"))
            })
        },
        PATIENCE,
    );
    assert!(alarmed.await, "staff are not alarmed");
    let is_ready = tokio::time::timeout(PATIENCE, ready.notified()).await;
    is_ready.expect("the daemon becomes ready");
    end(running, &stop).await;
    assert!(
        sandbox
            .deliveries()
            .iter()
            .all(|it| matches!(it.content, Content::Template { .. }))
    );
}
