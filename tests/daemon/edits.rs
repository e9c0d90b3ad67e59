//! A plan's edit changes what it says and nothing else.

use crate::support::{World, eventually, metric};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// Together with their amounts they just fit one message.
const NAMES: [&str; 3] = ["地高辛", "华法林", "氨茶碱"];

/// Three medications; the first at this time, the others at eight.
fn plan(first_at: &str) -> String {
    let mut text = "name = \"王秀兰\"\nwechat = \"o-edited\"\n".to_owned();
    for (n, name) in NAMES.iter().enumerate() {
        let at = if n == 0 { first_at } else { "08:00" };
        write!(
            text,
            "\n[[medication]]\nname = \"{name}\"\ntake = \"1片\"\nat = \"{at}\"\n"
        )
        .expect("a String takes any text");
    }
    text
}

/// `dosed preview --json`: what is due on the day, without the identity of files.
async fn due(world: &World) -> Vec<(String, String)> {
    let from_to = [
        "preview",
        "--json",
        "--from",
        "2026-03-24T00:00:00+08:00",
        "--days",
        "1",
    ];
    let output = world.cli(&from_to).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("JSON is UTF-8")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"))
        .map(|line| (line["id"].to_string(), line["at"].to_string()))
        .collect()
}

async fn commits(daemon: &crate::support::Daemon) -> f64 {
    metric(
        &daemon.metrics().await,
        "dosed_store_commits_total",
        &["result=\"ok\""],
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_one_medication_leaves_the_others_doses_untouched() {
    let world = World::at("2026-03-24T07:50:00+08:00").await;
    world.sandbox.follow("o-edited");
    world.write_plan("edited", plan("08:00"));
    let daemon = world.start().await;
    let before = due(&world).await;
    world.write_plan("edited", plan("08:01"));
    daemon.reload().await;
    let after = due(&world).await;
    assert_eq!(before.len(), after.len());
    let untouched = |all: &[(String, String)]| {
        let others = all.iter().filter(|(id, _)| !id.contains(NAMES[0]));
        others.cloned().collect::<Vec<_>>()
    };
    assert_eq!(untouched(&before), untouched(&after));
    daemon.stop().await;

    world.clock.set("2026-03-24T07:59:57+08:00", 12);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 2, MINUTE)
            .await
    );
    eventually("everything settled", async || {
        (metric(&daemon.metrics().await, "dosed_outbox_depth", &[]) == 0.0).then_some(())
    })
    .await;
    daemon.stop().await;
    let at = |n: usize| {
        world.sandbox.inbox("o-edited")[n]
            .value("time3")
            .map(ToOwned::to_owned)
    };
    assert_eq!(at(0).as_deref(), Some("2026-03-24 08:00"));
    assert_eq!(at(1).as_deref(), Some("2026-03-24 08:01"));
    let doses = world.history().await;
    assert_eq!(doses.len(), 3, "{doses:?}");
    assert!(doses.iter().all(|dose| dose.state == "open"), "{doses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_bytes_write_nothing() {
    let world = World::at("2026-03-24T07:00:00+08:00").await;
    world.crowd(20);
    let daemon = world.start().await;
    // Housekeeping notes since when it knows its jobs a moment after the start.
    world.jobs_are_known().await;
    daemon.reload().await;
    let before = (
        commits(&daemon).await,
        std::fs::read(world.path("dosed.redb")).expect("the store"),
    );
    for _ in 0..3 {
        for n in 0..20 {
            let name = format!("plans.d/p{n:04}.toml");
            world.write(&name, world.read(&name));
        }
        daemon.reload().await;
    }
    let after = (
        commits(&daemon).await,
        std::fs::read(world.path("dosed.redb")).expect("the store"),
    );
    assert_eq!(before.0, after.0, "nothing is committed");
    assert!(before.1 == after.1, "not a byte of the store is changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_order_and_formatting_step_nobody_and_join_the_history() {
    let world = World::at("2026-03-24T07:00:00+08:00").await;
    world.sandbox.follow("o-edited");
    world.write_plan("edited", plan("08:00"));
    let daemon = world.start().await;
    let journal = async || {
        let window = [
            "--from",
            "2026-01-01T00:00:00Z",
            "--until",
            "2026-12-31T00:00:00Z",
        ];
        let arguments = [&["history", "--journal", "--json"] as &[&str], &window].concat();
        String::from_utf8(world.cli(&arguments).await.stdout).expect("JSON is UTF-8")
    };
    let before = journal().await;
    let wakes = metric(&daemon.metrics().await, "dosed_wakes_total", &[]);
    let mut blocks: Vec<&str> = Vec::new();
    let text = plan("08:00");
    let (head, medications) = text.split_once("\n[[").expect("there are medications");
    blocks.extend(medications.split("\n[["));
    blocks.reverse();
    let reordered = format!(
        "# mended by Dr Hao\n{head}\n\n[[{}\n",
        blocks.join("\n\n[[")
    );
    let formatted = text.replace(" = ", "=").replace('\n', "\r\n");
    for text in [format!("# a comment\n{text}"), reordered, formatted] {
        world.write_plan("edited", text);
        daemon.reload().await;
    }
    assert_eq!(
        metric(&daemon.metrics().await, "dosed_wakes_total", &[]),
        wakes
    );
    assert_eq!(
        metric(&daemon.metrics().await, "dosed_plans_rejected", &[]),
        0.0
    );
    let after = journal().await;
    let stepped = |text: &str| text.lines().filter(|line| line.contains("dose")).count();
    assert_eq!(stepped(&before), stepped(&after), "{after}");
    daemon.stop().await;
    // And eight o'clock is still eight o'clock, once.
    world.clock.set("2026-03-24T07:59:57+08:00", 1);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| !inbox.is_empty(), MINUTE)
            .await
    );
    daemon.stop().await;
    assert_eq!(world.sandbox.deliveries().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dose_reminded_of_today_is_not_reminded_of_again_at_its_new_time() {
    let world = World::new().await;
    world.patient(
        "edited",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, MINUTE)
            .await
    );
    eventually("everything settled", async || {
        (metric(&daemon.metrics().await, "dosed_outbox_depth", &[]) == 0.0).then_some(())
    })
    .await;
    world.patient(
        "edited",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:01\"")],
    );
    daemon.reload().await;
    daemon.stop().await;
    world.clock.set("2026-03-24T08:00:50+08:00", 6);
    let daemon = world.start().await;
    let later: Timestamp = "2026-03-24T08:01:20+08:00".parse().expect("an instant");
    eventually("a minute past", async || {
        (world.clock.now() > later).then_some(())
    })
    .await;
    daemon.stop().await;
    assert_eq!(world.sandbox.deliveries().len(), 1);
    // Tomorrow at the new time.
    world.clock.set("2026-03-25T08:00:58+08:00", 1);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 2, MINUTE)
            .await
    );
    daemon.stop().await;
    assert_eq!(
        world.sandbox.deliveries()[1].value("time3"),
        Some("2026-03-25 08:01")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_medication_that_is_taken_out_has_its_open_dose_cancelled() {
    let world = World::new().await;
    let both = [
        ("二甲双胍", "take = \"1片\"\nat = \"08:00\""),
        ("氨氯地平", "take = \"1片\"\nat = \"08:00\""),
    ];
    world.patient("edited", "王秀兰", &both);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, MINUTE)
            .await
    );
    world.patient("edited", "王秀兰", &both[..1]);
    daemon.reload().await;
    daemon.stop().await;
    let doses = world.history().await;
    let state = |id: &str| {
        doses
            .iter()
            .find(|dose| dose.id == id)
            .map(|dose| dose.state.clone())
    };
    assert_eq!(state("二甲双胍").as_deref(), Some("open"));
    assert_eq!(state("氨氯地平").as_deref(), Some("cancelled"));
}
