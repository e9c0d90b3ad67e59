//! What a log, a metric and a health report tell of patients: nothing.

use crate::enrolment::{KEY, TOKEN, endpoint, enrolled, opened, said, world};
use crate::support::{Daemon, World, eventually, metric};
use dosed::sandbox::{Fault, Faults, Push};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MINUTE: Duration = Duration::from_secs(60);

/// Words that stand for somebody; each is nowhere else in the world.
const NAME: &str = "欧阳翠花";
const ID: &str = "ouyang-cuihua";
const OPENID: &str = "o-ouyang-cuihua";
const MEDICINE: &str = "奥氮平";
const NOTE: &str = "切勿外传";
const BROKEN_ID: &str = "shangguan-yu";
const BROKEN_LINE: &str = "诊断绝密";

/// A clinic on whose every path something goes wrong.
async fn troubled(level: &str, format: &str) -> (World, Daemon) {
    let world = World::new().await;
    world.reconfigure("level = \"info\"", &format!("level = \"{level}\""));
    world.reconfigure("format = \"human\"", &format!("format = \"{format}\""));
    world.crowd(10);
    let keys = format!("take = \"1片\"\nat = \"08:00\"\nnote = \"{NOTE}\"\nwindow = \"10 min\"");
    world.patient(ID, NAME, &[(MEDICINE, &keys)]);
    world.write_plan(
        "quarreller",
        format!("name = \"{NAME}\"\nwechat = \"{OPENID}-2\"\n[[medication]]\nname = \"{MEDICINE}\"\ntake = \"1片\"\nat = \"08:00\"\n"),
    );
    world.write_plan(BROKEN_ID, format!("name = \"{NAME}\"\n{BROKEN_LINE} = \n"));
    world
        .sandbox
        .set_faults(
            Faults::none().on_send(|send, nth| match (send.touser.as_str(), nth % 6) {
                (OPENID, _) => Fault::Errcode(47003),
                (_, 0) => Fault::Errcode(-1),
                (_, 1) => Fault::Http(500),
                (_, 2) => Fault::DropBefore,
                (_, 3) => Fault::Garble,
                (_, 4) => Fault::Errcode(43004),
                _ => Fault::None,
            }),
        );
    let daemon = world.start().await;
    daemon.reload().await;
    eventually("tries of all kinds", async || {
        let metrics = daemon.metrics().await;
        let tried = |outcome: &str| metric(&metrics, "dosed_send_attempts_total", &[outcome]);
        let all = ["accepted", "unknown", "recipient", "message"].iter();
        all.map(|outcome| tried(&format!("\"{outcome}\"")))
            .all(|count| count > 0.0)
            .then_some(())
    })
    .await;
    (world, daemon)
}

/// None of the words, nor the openids and names of the crowd.
fn tells_nothing(what: &str, text: &str) {
    let words = [
        NAME,
        ID,
        OPENID,
        MEDICINE,
        NOTE,
        BROKEN_LINE,
        "sandbox-secret",
        "scripted",
        "患者00",
        "二甲双胍",
        "o-p00",
        "p0001",
    ];
    for word in words {
        assert!(!text.contains(word), "{what} tells {word}:\n{text}");
        let escaped: String = word.chars().flat_map(char::escape_default).collect();
        assert!(!text.contains(&escaped), "{what} tells {escaped}:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_patient_is_in_the_log_at_info_nor_in_health_nor_in_metrics() {
    for format in ["human", "json", "journald"] {
        let (world, daemon) = troubled("info", format).await;
        daemon.signal(rustix::process::Signal::USR1);
        tells_nothing("health", &daemon.get("/health").await.body);
        tells_nothing("readyz", &daemon.get("/readyz").await.body);
        tells_nothing("metrics", &daemon.metrics().await);
        for said in daemon.notified() {
            tells_nothing("a notification", &said.text);
        }
        let health = daemon.get("/health").await.body;
        assert!(!health.contains(BROKEN_ID), "{health}");
        let output = daemon.out();
        let ended = daemon.stop().await;
        assert!(
            ended.log.lines().count() > 5,
            "there is a log: {}",
            ended.log
        );
        tells_nothing(&format!("the {format} log"), &ended.log);
        tells_nothing("standard output", &output);
        drop(world);
    }
}

/// A talk in which everything is said that can be, some of it by whoever is not WeChat.
async fn talked(world: &World, daemon: &Daemon) {
    enrolled(world, "wang-xiulan", "o-wang").await;
    let card = world.sandbox.wait_for(
        |all| all.iter().any(|it| it.client_msg_id.is_some()),
        MINUTE,
    );
    assert!(card.await, "the reminder of a dose");
    let say = async |words: &str, answer: &str| {
        world.sandbox.write("o-wang", words);
        said(world, "o-wang", answer).await;
    };
    say("吃了", "已服用").await;
    say("血糖七点八行不行呀", "医生").await;
    say("胸痛得厉害", "120").await;
    let advised = world.cli(&["say", "wang-xiulan", "改成饭后再服"]).await;
    assert_eq!(advised.status.code(), Some(0), "{advised:?}");
    said(world, "o-wang", "改成饭后再服").await;
    let refused = world.cli(&["enrol", "shangguan-yu"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    say("停止", "不再给您发消息").await;
    say("开始", "会提醒您").await;
    world.sandbox.write("o-stranger", "陌生人的话");
    let pushes = [Push::Image, Push::Voice, Push::Location, Push::Link];
    let before = world.sandbox.pushes().len();
    for push in pushes {
        world.sandbox.push("o-wang", push);
    }
    world.sandbox.unfollow("o-wang");
    let all = world
        .sandbox
        .wait_for_pushes(|pushes| pushes.len() >= before + 5, MINUTE);
    assert!(all.await);
    let body = "<xml><FromUserName>o-forged</FromUserName><Content>伪造的话</Content></xml>";
    for method in ["GET", "POST"] {
        let request = format!(
            "{method} /push?signature=0&timestamp=1774310400&nonce=1&openid=o-forged&echostr=forged-echo \
             HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(endpoint(world, "public")).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
    daemon.signal(rustix::process::Signal::USR1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_what_is_said_over_the_callback_and_the_socket_is_in_the_log_at_info() {
    for format in ["human", "json", "journald"] {
        let world = world("2026-03-24T07:59:57+08:00").await;
        world.reconfigure("format = \"human\"", &format!("format = \"{format}\""));
        let (world, daemon) = opened(world).await;
        talked(&world, &daemon).await;
        let codes = world.sandbox.codes();
        assert!(!codes.is_empty());
        let health = daemon.get("/health").await.body;
        let metrics = daemon.metrics().await;
        let log = daemon.stop().await.log;
        // What was refused is said, so that there is a line in which it could have stood.
        assert!(log.contains("callback address is refused"), "{log}");
        let mut words = vec![
            "o-wang",
            "o-stranger",
            "o-forged",
            "forged-echo",
            "王秀兰",
            "wang-xiulan",
            "赵一",
            "李雷",
            "二甲双胍",
            "阿司匹林",
            "吃了",
            "七点八",
            "胸痛",
            "饭后",
            "停止",
            "开始",
            "同意",
            "陌生人",
            "伪造",
            "shangguan",
            "sandbox-image",
            "sandbox-voice",
            TOKEN,
            KEY,
            "sandbox-secret",
        ];
        for code in &codes {
            words.extend([code.scene.as_str(), code.ticket.as_str()]);
        }
        for word in words {
            let escaped: String = word.chars().flat_map(char::escape_default).collect();
            for (what, text) in [("log", &log), ("health", &health), ("metrics", &metrics)] {
                assert!(!text.contains(word), "the {what} tells {word}:\n{text}");
                assert!(!text.contains(&escaped), "the {what} tells {word}:\n{text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_and_openids_are_in_no_log_at_any_level() {
    let (world, daemon) = troubled("trace", "json").await;
    let ended = daemon.stop().await;
    assert!(!ended.log.contains("sandbox-secret"), "the secret");
    assert!(
        !ended.log.contains("access_token="),
        "a token in an address"
    );
    drop(world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pseudonym_of_the_log_is_resolved_from_the_store_and_never_over_http() {
    let (world, daemon) = troubled("info", "json").await;
    // A settled 47003 is a matter for a person: the log says whose, under the pseudonym.
    let pseudonym = eventually("a pseudonym in the log", async || {
        daemon.log().lines().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let fields = line.get("fields").unwrap_or(&line);
            Some(fields.get("patient")?.as_str()?.to_owned())
        })
    })
    .await;
    let ask = async |pseudonym: &str| world.cli(&["status", "--who", pseudonym]).await;
    let output = ask(&pseudonym).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(
        world.path(&format!("plans.d/{found}.toml")).exists(),
        "{found}"
    );
    for path in ["/health", "/metrics", "/readyz"] {
        assert!(!daemon.get(path).await.body.contains(&pseudonym), "{path}");
    }
    assert_eq!(ask("nobody").await.status.code(), Some(1));
    // The same patient has another one in another clinic.
    daemon.stop().await;
    assert!(
        world
            .sandbox
            .wait_for_attempts(|attempts| !attempts.is_empty(), MINUTE)
            .await
    );
    for attempt in world.sandbox.attempts() {
        let id = attempt.client_msg_id.expect("each send has a key");
        assert!(
            id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{id}"
        );
    }
}
