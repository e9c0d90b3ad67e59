//! The day before in numbers to staff, and the week before as a file: once each, whatever the
//! daemon was doing at their hour.

use super::support::{PATIENCE, World, eventually};
use dosed::sandbox::{Delivered, Template};
use std::os::unix::fs::PermissionsExt;

const STAFF: &str = r#"
[[staff]]
name = "Dr Hao"
wechat = "o-hao"
[[staff]]
name = "Nurse Li"
wechat = "o-li"
language = "en"
alerts = ["digest"]
[[staff]]
name = "Nurse Wu"
wechat = "o-wu"
alerts = ["red_flag"]
[wechat.templates.notice]
id = "NOTE"
[wechat.templates.notice.data]
thing1 = "{{ patient }}"
thing2 = "{{ text }}"
time3 = "{{ at }}"
"#;

/// A clinic with three members of staff, two of whom want to know of the day before.
async fn world(shown: &str) -> World {
    let note = [("thing1", "患者"), ("thing2", "内容"), ("time3", "时间")];
    let world = World::with_sandbox(shown, |options| {
        options.templates.push(Template::new("NOTE", "通知", &note));
    })
    .await;
    let text = world.read("dosed.toml") + STAFF;
    world.write("dosed.toml", text);
    for openid in ["o-hao", "o-li", "o-wu"] {
        world.sandbox.follow(openid);
    }
    world.patient(
        "wang",
        "王秀兰",
        &[(
            "二甲双胍",
            "take = \"1片\"\nat = \"08:00\"\nwindow = \"1 h\"",
        )],
    );
    world
}

fn digests(deliveries: &[Delivered]) -> usize {
    deliveries
        .iter()
        .filter(|it| it.value("thing1").is_some_and(|name| name != "王秀兰"))
        .count()
}

/// Starts a daemon, waits until it knows each job, so that the next hour of each counts, and ends it.
async fn run_until_jobs_are_known(world: &World) {
    let daemon = world.start().await;
    world.jobs_are_known().await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

/// Starts a daemon, waits until its digest is done, and ends it.
async fn run_past_the_hour(world: &World, success: &str) {
    let daemon = world.start().await;
    eventually("the digest is done", async || {
        let health = daemon.health().await;
        let last = health["checks"]["jobs:digest"][0]["lastSuccess"]
            .as_str()?
            .to_owned();
        last.starts_with(success).then_some(())
    })
    .await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test]
async fn downtime_over_the_digests_hour_gives_one_digest_after_return() {
    let world = world("2026-03-23T07:59:58+08:00").await;
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|all| !all.is_empty(), PATIENCE)
            .await
    );
    assert_eq!(daemon.stop().await.code(), Some(0));
    // Down over 07:30 of the next day, and of the day after it.
    world.clock.set("2026-03-25T11:00:00+08:00", 1);
    run_past_the_hour(&world, "2026-03-25T03:0").await;
    // Again, and again: it was told.
    world.clock.set("2026-03-25T11:20:00+08:00", 1);
    run_past_the_hour(&world, "2026-03-25T03:0").await;
    // What waited for the daemon's end leaves with the next start.
    world.clock.set("2026-03-25T11:40:00+08:00", 1);
    let daemon = world.start().await;
    let told = |all: &[Delivered]| digests(all) >= 2;
    assert!(world.sandbox.wait_for(told, PATIENCE).await);
    assert_eq!(daemon.stop().await.code(), Some(0));
    let all = world.sandbox.deliveries();
    assert_eq!(digests(&all), 2, "{all:?}");
    let to = |openid: &str| world.sandbox.inbox(openid);
    let [hao] = &to("o-hao")[..] else {
        panic!("{all:?}")
    };
    assert_eq!(hao.value("thing1"), Some("诊所日报"));
    // Of the 24th: the daemon was down, and nobody was reminded.
    assert_eq!(hao.value("thing2"), Some("服0/1 未提醒1"), "{hao:?}");
    let [li] = &to("o-li")[..] else {
        panic!("{all:?}")
    };
    assert_eq!(li.value("thing1"), Some("Clinic digest"));
    assert_eq!(li.value("thing2"), Some("0/1 taken 1 unsent"), "{li:?}");
    assert!(to("o-wu").is_empty(), "who does not want it is not told");
    // No name and no medicine on a lock screen.
    for told in [hao, li] {
        let shown = format!("{:?}", told.content);
        assert!(!shown.contains("王") && !shown.contains("二甲"), "{shown}");
    }
    // The next day's comes in its turn.
    world.clock.set("2026-03-26T07:30:01+08:00", 1);
    run_past_the_hour(&world, "2026-03-25T23:3").await;
}

#[tokio::test]
async fn the_hour_is_the_clinics_and_a_reload_moves_it() {
    let world = world("2026-03-23T12:00:00+08:00").await;
    world.reconfigure(
        "language = \"zh-CN\"\nplans",
        "language = \"zh-CN\"\ndigest = \"21:00\"\nplans",
    );
    run_until_jobs_are_known(&world).await;
    world.clock.set("2026-03-23T20:59:00+08:00", 1);
    let daemon = world.start().await;
    let health = daemon.health().await;
    let digest = &health["checks"]["jobs:digest"][0];
    assert!(digest["lastSuccess"].is_null(), "{health}");
    assert_eq!(daemon.stop().await.code(), Some(0));
    world.clock.set("2026-03-23T21:00:01+08:00", 1);
    run_past_the_hour(&world, "2026-03-23T13:0").await;
    let shown = world.cli(&["jobs", "--json"]).await;
    let shown = String::from_utf8(shown.stdout).expect("JSON is UTF-8");
    assert!(
        shown.contains("\"digest\"") && shown.contains("\"report\""),
        "{shown}"
    );
}

#[tokio::test]
async fn the_week_before_is_written_once_a_week_for_nobody_elses_eyes() {
    let world = world("2026-03-22T22:00:00+08:00").await;
    run_until_jobs_are_known(&world).await;
    // Down until Wednesday: the report of the week before is made then.
    world.clock.set("2026-03-25T10:00:00+08:00", 1);
    let daemon = world.start().await;
    eventually("the report is made", async || {
        let health = daemon.health().await;
        health["checks"]["jobs:report"][0]["lastSuccess"].as_str()?;
        Some(())
    })
    .await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    let mut names: Vec<String> = std::fs::read_dir(world.path("reports"))
        .expect("it is made")
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .into_string()
                .expect("ASCII")
        })
        .collect();
    names.sort();
    assert_eq!(names, ["2026-W12.csv", "2026-W12.html"]);
    for name in names {
        let path = world.path("reports").join(&name);
        let mode = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let text = std::fs::read_to_string(&path).expect("it is text");
        assert!(!text.is_empty());
    }
    let page = world.read("reports/2026-W12.html");
    assert!(page.contains("from 2026-03-16 until 2026-03-23"), "{page}");
    assert!(page.contains("Content-Security-Policy"), "{page}");
    let directory = std::fs::metadata(world.path("reports")).expect("it is there");
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
}
