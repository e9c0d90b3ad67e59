//! Enrolment, advice, the call list and the inbox, through the built binary.

use crate::support::{Daemon, PATIENCE, World, eventually};
use dosed::sandbox::{Callback, Content, Template};
use serde_json::Value;
use std::process::Output;

pub const TOKEN: &str = "emulatortoken";
pub const KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

/// A clinic to which the sandbox pushes; noon, so that nothing is due.
async fn clinic() -> (World, Daemon) {
    opened(world("2026-03-24T12:00:00+08:00").await).await
}

/// Its files, before its daemon is started.
pub async fn world(shown: &str) -> World {
    let world = World::with_sandbox(shown, |options| {
        let fields = [("thing1", "患者"), ("thing2", "内容")];
        options
            .templates
            .push(Template::new("NOTE", "通知", &fields));
    })
    .await;
    let noted = "[wechat.templates.notice]\nid = \"NOTE\"\n[wechat.templates.notice.data]\n\
                 thing1 = \"{{ patient }}\"\nthing2 = \"{{ text }}\"\n";
    world.write("dosed.toml", format!("{}{noted}", world.read("dosed.toml")));
    for (name, secret) in [("token", TOKEN), ("key", KEY)] {
        world.write(name, secret);
        world.set_mode(name, 0o600);
    }
    world.reconfigure(
        "private = \"127.0.0.1:0\"",
        "private = \"127.0.0.1:0\"\npublic = \"127.0.0.1:0\"\nadmin = \"admin.sock\"",
    );
    world.reconfigure(
        "secret_file = \"wechat-secret\"",
        "secret_file = \"wechat-secret\"\ncallback_path = \"/push\"\ntoken_file = \"token\"\n\
         aes_key_file = \"key\"",
    );
    let plan = |name: &str, medication: &str| {
        format!(
            "name = \"{name}\"\n[[medication]]\nname = \"{medication}\"\ntake = \"1片\"\n\
             at = \"08:00\"\n[[caregiver]]\nid = \"lei\"\nname = \"李雷\"\nrelation = \"儿子\"\n"
        )
    };
    world.write_plan("wang-xiulan", plan("王秀兰", "二甲双胍"));
    world.write_plan("zhao", plan("赵一", "阿司匹林"));
    world
}

/// The daemon, and the sandbox pushes to it.
pub async fn opened(world: World) -> (World, Daemon) {
    let daemon = world.start().await;
    let public = endpoint(&world, "public");
    let callback = Callback::new(public.parse().unwrap(), "/push", TOKEN, KEY, "wxsandbox");
    world.sandbox.set_callback(Some(callback.unwrap()));
    (world, daemon)
}

pub fn endpoint(world: &World, name: &str) -> String {
    let ready: Value = serde_json::from_str(&world.read("ready-0.json")).unwrap();
    ready[name].as_str().unwrap().to_owned()
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output.status.code(), stdout, stderr)
}

/// What is said to somebody in free words or at once, last.
pub async fn said(world: &World, openid: &str, part: &str) {
    let found = world.sandbox.wait_for(
        |all| {
            let mut to = all.iter().filter(|it| &*it.touser == openid);
            to.any(|it| matches!(&it.content, Content::Text(text) if text.contains(part)))
        },
        PATIENCE,
    );
    let found = found.await;
    assert!(found, "{part}: {:?}", world.sandbox.inbox(openid));
}

/// Enrols a patient on a phone, with consent.
pub async fn enrolled(world: &World, patient: &str, openid: &str) {
    let output = world.cli(&["enrol", patient]).await;
    assert_eq!(text(&output).0, Some(0), "{:?}", text(&output));
    let ticket = world.sandbox.codes()[0].ticket.clone();
    assert!(world.sandbox.scan(openid, &ticket));
    said(world, openid, "同意").await;
    world.sandbox.write(openid, "同意");
    let agreed = eventually("consent", async || {
        let output = world.cli(&["history", "--journal", patient]).await;
        let (_, journal, _) = text(&output);
        journal.contains("consent_given").then_some(journal)
    });
    assert!(agreed.await.contains("\"version\""));
}

#[tokio::test]
async fn a_code_is_drawn_for_whom_and_until_when_and_its_scan_leads_to_consent() {
    let (world, daemon) = clinic().await;
    let output = world
        .cli(&[
            "enrol",
            "wang-xiulan",
            "--valid",
            "10m",
            "--svg",
            "code.svg",
        ])
        .await;
    let (code, stdout, stderr) = text(&output);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("For wang-xiulan: "), "{stdout}");
    assert!(stdout.contains("until 2026-03-24 12:1"), "{stdout}");
    assert!(stdout.lines().next().unwrap().starts_with('\u{2588}'));
    let svg = world.read("code.svg");
    assert!(svg.starts_with("<?xml") && svg.contains("<svg"), "{svg}");
    let made = world.sandbox.codes()[0].clone();
    assert!(made.scene.len() >= 32, "at least 128 bits");

    enrolled(&world, "wang-xiulan", "o-wang").await;
    let log = daemon.log();
    for secret in [&made.scene, &made.ticket] {
        assert!(!log.contains(secret.as_str()), "{log}");
    }
    // The first code was not used; the second was, and is good for nobody else.
    let used = world.sandbox.codes()[0].ticket.clone();
    assert!(world.sandbox.scan("o-thief", &used));
    said(&world, "o-thief", "二维码").await;
    daemon.stop().await;
}

#[tokio::test]
async fn enrolments_that_cannot_be_are_refused_with_what_to_do() {
    let (world, daemon) = clinic().await;
    for (arguments, exit, part) in [
        (
            &["enrol", "wang-xiulna"][..],
            1,
            "did you mean `wang-xiulan`?",
        ),
        (&["enrol", "zhao", "--caregiver", "li"], 1, "it has `lei`"),
        (&["enrol", "zhao", "--valid", "31d"], 64, "30 days"),
        (&["enrol"], 64, "PATIENT"),
    ] {
        let (code, stdout, stderr) = text(&world.cli(arguments).await);
        assert_eq!(code, Some(exit), "{arguments:?} {stderr}");
        assert!(stderr.contains(part), "{arguments:?} {stderr}");
        assert_eq!(stdout, "");
    }
    world.sandbox.close().await;
    let (code, _, stderr) = text(&world.cli(&["enrol", "zhao"]).await);
    assert_eq!(code, Some(69), "{stderr}");
    assert!(
        stderr.contains("the messaging API gave no code"),
        "{stderr}"
    );
    daemon.stop().await;
    let (code, _, stderr) = text(&world.cli(&["enrol", "zhao"]).await);
    assert_eq!(code, Some(69), "{stderr}");
    assert!(stderr.contains("no daemon answers"), "{stderr}");
}

#[tokio::test]
async fn without_a_way_back_there_is_nothing_to_scan() {
    let world = World::new().await;
    world.patient(
        "wang",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    let daemon = world.start().await;
    let (code, _, stderr) = text(&world.cli(&["enrol", "wang"]).await);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("http.public"), "{stderr}");
    daemon.stop().await;

    let world = World::new().await;
    world.reconfigure("channel = \"wechat\"", "channel = \"console\"");
    world.patient(
        "wang",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    let daemon = world.start().await;
    let (code, _, stderr) = text(&world.cli(&["enrol", "wang"]).await);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("console"), "{stderr}");
    daemon.stop().await;
}

#[tokio::test]
async fn advice_reaches_who_is_enrolled_in_free_words_and_the_others_are_on_the_call_list() {
    let (world, daemon) = clinic().await;
    enrolled(&world, "wang-xiulan", "o-wang").await;
    let (code, stdout, stderr) = text(&world.cli(&["say", "wang-xiulan", "饭后服用"]).await);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "1 patient to be told\n"),
        "{stderr}"
    );
    said(&world, "o-wang", "饭后服用").await;

    let (code, _, stderr) = text(&world.cli(&["say", "--all", "明天休息"]).await);
    assert_eq!(code, Some(64), "{stderr}");
    assert!(stderr.contains("2 patients; add --yes"), "{stderr}");
    let (code, stdout, _) = text(&world.cli(&["say", "--all", "--yes", "明天休息"]).await);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("1 cannot be reached"), "{stdout}");
    said(&world, "o-wang", "明天休息").await;
    let (_, calls, _) = text(&world.cli(&["calls"]).await);
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(calls.contains("zhao  advice"), "{calls}");
    let (_, calls, _) = text(&world.cli(&["calls", "--json"]).await);
    let call: Value = serde_json::from_str(calls.trim()).unwrap();
    assert_eq!(
        (&call["patient"], &call["reason"]),
        (&"zhao".into(), &"advice".into())
    );
    assert!(
        call["name"].is_string() && call["since"].is_string(),
        "{call}"
    );
    assert!(call["caregivers"].is_array(), "{call}");

    for (arguments, exit, said) in [
        (&["calls", "--done", "nobody"][..], 1, "no plan of `nobody`"),
        (
            &["calls", "--done", "wang-xiulan"],
            1,
            "not on the call list",
        ),
        (
            &["calls", "--done", "zhao", "--reason", "red_flag"],
            1,
            "not on the call list for `red_flag`",
        ),
        (
            &["calls", "--done", "zhao", "--reason", "x"],
            64,
            "missed_in_a_row",
        ),
        (&["calls", "--note", "x"], 64, "--done"),
    ] {
        let (code, _, stderr) = text(&world.cli(arguments).await);
        assert_eq!(code, Some(exit), "{arguments:?} {stderr}");
        assert!(stderr.contains(said), "{arguments:?} {stderr}");
    }
    let done = ["calls", "--done", "zhao", "--note", "打过电话"];
    let (code, stdout, stderr) = text(&world.cli(&done).await);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "zhao is off the list: advice\n"),
        "{stderr}"
    );
    let (_, calls, _) = text(&world.cli(&["calls"]).await);
    assert_eq!(calls, "");
    let (_, journal, _) = text(&world.cli(&["history", "zhao", "--journal", "--json"]).await);
    let noted = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut noted = noted.filter(|line: &Value| line["entry"] == "call_done");
    let noted = noted.next().expect("it is in the journal");
    assert_eq!(noted["note"], "打过电话");
    assert_eq!(noted["reasons"][0], "advice");

    for (arguments, exit) in [
        (&["say", "nobody", "x"][..], 1),
        (&["say", "--taking", "青霉素", "x"], 1),
        (&["say", "--taking", "阿司匹林", "--yes", "x"], 1),
        (&["say", "x"], 64),
        (&["say", "--all", "wang", "x"], 64),
        (&["say", "wang-xiulan", "  "], 64),
        (&["say", "wang-xiulan", &"x".repeat(2_001)], 64),
    ] {
        let (code, _, stderr) = text(&world.cli(arguments).await);
        assert_eq!(code, Some(exit), "{arguments:?} {stderr}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn the_inbox_shows_words_of_patients_and_strangers_one_line_each() {
    let (world, daemon) = clinic().await;
    enrolled(&world, "wang-xiulan", "o-wang").await;
    world.sandbox.write("o-wang", "今天能\n吃柚子吗");
    world.sandbox.follow("o-x");
    world.sandbox.write("o-x", "你们几点开门");
    world.sandbox.follow("o-y");
    world.sandbox.write("o-y", "我胸痛");
    let lines = eventually("both", async || {
        let output = world.cli(&["inbox", "--from", "2026-03-24"]).await;
        let (_, stdout, _) = text(&output);
        let both = ["柚子", "开门", "胸痛"];
        // Somebody who follows without a code is listed, too; each push comes by itself.
        let all = both.iter().all(|it| stdout.contains(it)) && stdout.lines().count() >= 5;
        all.then_some(stdout)
    });
    let lines = lines.await;
    assert_eq!(lines.lines().count(), 5, "{lines}");
    assert!(lines.contains("[follow]"), "{lines}");
    assert!(lines.contains("RED FLAG  我胸痛"), "{lines}");
    assert!(lines.contains("wang-xiulan  今天能 吃柚子吗"), "{lines}");
    assert!(lines.contains("  stranger "), "{lines}");
    assert!(
        !lines.contains("o-x") && !lines.contains("o-wang"),
        "{lines}"
    );
    let output = world
        .cli(&["inbox", "--json", "--from", "2026-03-24"])
        .await;
    for line in text(&output).1.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let urgent = line["text"] == "我胸痛";
        assert_eq!(line["red_flag"], urgent, "{line}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn the_sixth_advice_after_they_wrote_goes_as_a_template() {
    let (world, daemon) = clinic().await;
    enrolled(&world, "wang-xiulan", "o-wang").await;
    for n in 1..=6 {
        let words = format!("第{n}句");
        let (code, _, stderr) = text(&world.cli(&["say", "wang-xiulan", &words]).await);
        assert_eq!(code, Some(0), "{stderr}");
        let arrived = world.sandbox.wait_for(
            |all| {
                all.iter().any(|it| match &it.content {
                    Content::Text(text) => n < 6 && *text == words,
                    Content::Template { .. } => n == 6 && it.value("thing2") == Some(&words),
                })
            },
            PATIENCE,
        );
        assert!(
            arrived.await,
            "{words}: {:?}",
            world.sandbox.inbox("o-wang")
        );
        // What was taken is counted when it is settled.
        eventually("it is settled", async || {
            let output = world.cli(&["history", "--journal", "wang-xiulan"]).await;
            let accepted = text(&output).1.matches("\"accepted\"").count();
            (accepted == n).then_some(())
        })
        .await;
    }
    // The template's arrival is reported, and the report joined.
    eventually("the report", async || {
        let output = world.cli(&["history", "--journal", "wang-xiulan"]).await;
        text(&output).1.contains("\"delivered\"").then_some(())
    })
    .await;
    daemon.stop().await;
}
