//! Looking the store over, and what is kept.

use crate::support::{World, eventually};
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

async fn fsck(world: &World) -> (Option<i32>, Value) {
    let output = world.cli(&["fsck", "--json"]).await;
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} {error}"));
    (output.status.code(), report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fsck_finds_nothing_beside_a_daemon_after_its_end_and_after_a_kill() {
    let world = World::new().await;
    world.crowd(20);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() >= 5, PATIENCE)
            .await
    );
    let (code, report) = fsck(&world).await;
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["integrity"], "left_out");
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 20, PATIENCE)
            .await
    );
    daemon.kill().await;
    let before = std::fs::read(world.path("dosed.redb")).expect("the store is there");
    let (code, report) = fsck(&world).await;
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(
        (&report["integrity"], &report["ok"]),
        (&"whole".into(), &true.into())
    );
    let after = std::fs::read(world.path("dosed.redb")).expect("the store is there");
    assert!(before == after, "not even a repair is written");
    let daemon = world.start().await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    let output = world.cli(&["fsck"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("a report is UTF-8");
    assert!(
        said.contains("file: whole") && said.contains("0 findings"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fsck_says_what_is_no_store_or_not_there() {
    let world = World::new().await;
    let output = world.cli(&["fsck"]).await;
    assert_eq!(output.status.code(), Some(66), "{output:?}");
    world.write("dosed.redb", "this is no store of anybody's at all");
    let output = world.cli(&["fsck"]).await;
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    assert_eq!(
        world.read("dosed.redb"),
        "this is no store of anybody's at all"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_is_cut_after_its_time_and_the_patient_goes_on() {
    let world = World::new().await;
    world.reconfigure(
        "path = \"dosed.redb\"\n",
        "path = \"dosed.redb\"\nkeep = \"90 days\"\n",
    );
    world.patient(
        "one",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, PATIENCE)
            .await
    );
    assert_eq!(daemon.stop().await.code(), Some(0));
    let old = async || {
        let output = world
            .cli(&[
                "history",
                "--json",
                "--journal",
                "--from",
                "2026-01-01",
                "--until",
                "2026-04-01",
            ])
            .await;
        String::from_utf8(output.stdout).expect("JSON is UTF-8")
    };
    assert!(old().await.contains("plan_applied"), "{}", old().await);
    // A clock that a person had to accept removes nothing.
    world.clock.set("2026-07-20T12:00:00+08:00", 60);
    let daemon = world.start().await;
    let output = world.cli(&["clock", "accept"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    eventually("a look at what is old", async || {
        daemon.log().contains("nothing is removed").then_some(())
    })
    .await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert!(old().await.contains("plan_applied"), "{}", old().await);
    world.clock.set("2026-08-10T07:40:00+08:00", 60);
    let daemon = world.start().await;
    eventually("the old journal's end", async || {
        old().await.is_empty().then_some(())
    })
    .await;
    assert!(
        world
            .sandbox
            .wait_for(
                |inbox| inbox
                    .iter()
                    .any(|it| it.value("time3") == Some("2026-08-10 08:00")),
                PATIENCE
            )
            .await,
        "what is in force is never removed"
    );
    assert_eq!(daemon.stop().await.code(), Some(0));
    let (code, report) = fsck(&world).await;
    assert_eq!(code, Some(0), "{report}");
}
