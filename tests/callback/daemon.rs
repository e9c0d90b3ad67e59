//! The daemon opens the callback where it is told to, with the secrets of its files, and shows
//! nothing of the private side there.

use super::desk::{APPID, KEY, PATIENCE, TOKEN};
use dosed::daemon;
use dosed::daemon::clock::SystemClock;
use dosed::daemon::config::{Config, Environment};
use dosed::daemon::signals::Control;
use dosed::sandbox::{Callback, Content, Follower, Options, Sandbox};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

async fn sandbox() -> Sandbox {
    let options = Options {
        appid: APPID.to_owned(),
        followers: vec![Follower::new("o-wang", "王秀兰")],
        now: Arc::new(Timestamp::now),
        ..Options::default()
    };
    Sandbox::start(options).await.unwrap()
}

/// A configuration with a public listener, its secrets beside it.
fn config(directory: &Path, api_base: &str) -> Config {
    config_with(directory, api_base, "")
}

/// The same with further lines of `[wechat]`.
pub fn config_with(directory: &Path, api_base: &str, lines: &str) -> Config {
    for (name, secret) in [("secret", "sandbox-secret"), ("token", TOKEN), ("key", KEY)] {
        let file = directory.join(name);
        std::fs::write(&file, secret).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let text = format!(
        "[clinic]\nname = \"郝医生诊所\"\ntimezone = \"Asia/Shanghai\"\n[http]\nprivate = \"127.0.0.1:0\"\n\
         public = \"127.0.0.1:0\"\n[messaging]\nchannel = \"wechat\"\n[wechat]\n\
         api_base = \"{api_base}\"\nappid = \"{APPID}\"\nsecret_file = \"secret\"\n\
         callback_path = \"/push\"\ntoken_file = \"token\"\naes_key_file = \"key\"\n{lines}\
         [wechat.templates.dose]\nid = \"T\"\ndata.thing1 = \"{{{{ medications }}}}\"\n"
    );
    let path = directory.join("dosed.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path, &Environment::default()).unwrap_or_else(|error| panic!("{error}"))
}

pub fn options(directory: &Path) -> daemon::Options {
    daemon::Options {
        ready_file: Some(directory.join("ready")),
        environment: Environment::default(),
        clock: Arc::new(SystemClock),
    }
}

#[tokio::test]
async fn a_follower_whom_nobody_knows_is_greeted_with_the_clinics_name() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox().await;
    let config = config(directory.path(), &sandbox.base_url());
    let options = options(directory.path());
    let control = Control::default();
    let (ready, stop) = (Arc::clone(&control.ready), control.stop.clone());
    let running = tokio::spawn(daemon::run(config, options, control));
    tokio::time::timeout(PATIENCE, ready.notified())
        .await
        .expect("ready");
    let left = std::fs::read_to_string(directory.path().join("ready")).unwrap();
    let left: serde_json::Value = serde_json::from_str(&left).unwrap();
    let public: SocketAddr = left["public"].as_str().unwrap().parse().unwrap();

    let callback = Callback::new(public, "/push", TOKEN, KEY, APPID).unwrap();
    sandbox.set_callback(Some(callback));
    sandbox.write("o-wang", "1");
    assert!(
        sandbox
            .wait_for(|delivered| delivered.len() == 1, PATIENCE)
            .await
    );
    assert!(
        sandbox
            .wait_for(|delivered| !delivered.is_empty(), PATIENCE)
            .await
    );
    let inbox = sandbox.inbox("o-wang");
    let Content::Text(said) = &inbox[0].content else {
        panic!("{inbox:?}")
    };
    assert!(said.contains("郝医生诊所"), "{said}");

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, status) in [
        ("/metrics", 404),
        ("/health", 404),
        ("/wechat", 404),
        ("/push", 403),
    ] {
        let response = client
            .get(format!("http://{public}{path}"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
    stop.cancel();
    let ended = tokio::time::timeout(PATIENCE, running)
        .await
        .expect("it ends")
        .unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    assert!(
        client
            .get(format!("http://{public}/push"))
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox().await;
    let config = config(directory.path(), &sandbox.base_url());
    std::fs::write(directory.path().join("key"), "tooshort").unwrap();
    let options = options(directory.path());
    let ended = daemon::run(config, options, Control::default()).await;
    let error = ended.expect_err("no key").to_string();
    assert!(error.contains("wechat.aes_key_file"), "{error}");
    assert!(!error.contains("tooshort"), "{error}");
}
