//! One bad plan is one bad plan.

use crate::support::{Daemon, World, eventually, metric};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// The plan that is broken and mended again; the same as everybody's.
const ID: &str = "p0042";
const NAME: &str = "患者0042";

fn plan(medication: &str) -> String {
    format!("name = \"{NAME}\"\nwechat = \"o-{ID}\"\n\n[[medication]]\n{medication}\n")
}

/// What it is, the broken text, where it is found, and the source line that is shown.
fn broken() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let text = |medication: &str| plan(medication).into_bytes();
    let mut invalid = text("name = \"二甲双胍\"\ntake = \"1 片\"\nat = \"08:00\"");
    let at = invalid
        .windows(2)
        .position(|pair| pair == b"ta")
        .expect("take is there");
    invalid[at + 1] = 0xff;
    vec![
        (
            "syntax",
            text("name = \"二甲双胍\"\ntake = \"1 片\nat = \"08:00\""),
            ":6:",
            "take = \"1 片",
        ),
        (
            "unknown key",
            text("name = \"二甲双胍\"\ntaek = \"1 片\"\nat = \"08:00\""),
            ":6:1",
            "taek",
        ),
        (
            "bad time",
            text("name = \"二甲双胍\"\ntake = \"1 片\"\nat = \"25:00\""),
            ":7:",
            "at = \"25:00\"",
        ),
        (
            "bad date",
            text("name = \"二甲双胍\"\ntake = \"1 片\"\nat = \"08:00\"\nstart = \"2026-02-30\""),
            ":8:",
            "start = \"2026-02-30\"",
        ),
        (
            "wrong type",
            text("name = \"二甲双胍\"\ntake = \"1 片\"\nat = 8"),
            ":7:",
            "at = 8",
        ),
        (
            "duplicate id",
            text(
                "name = \"二甲双胍\"\ntake = \"1 片\"\nat = \"08:00\"\n[[medication]]\nname = \"二甲双胍\"\ntake = \"2 片\"\nat = \"20:00\"",
            ),
            ":9:",
            "二甲双胍",
        ),
        ("invalid UTF-8", invalid, ":6:2", "ke = "),
        (
            "text that cannot fit",
            text(
                "name = \"门冬胰岛素三十注射液预混人胰岛素类似物特充装置\"\ntake = \"1 支\"\nat = \"08:00\"",
            ),
            ":5:",
            "门冬胰岛素三十注射液预混人胰岛素类似物特充装置",
        ),
    ]
}

/// `dosed check`: its code and what it says.
async fn check(world: &World) -> (Option<i32>, String) {
    let output = world.cli(&["check"]).await;
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

async fn health_is(daemon: &Daemon, status: &str) -> String {
    eventually(&format!("health {status}"), async || {
        let answer = daemon.get("/health").await;
        (answer.json()["status"] == status).then_some(answer.body)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ninety_nine_run_and_the_last_good_version_of_the_broken_one_runs_on() {
    let world = World::at("2026-03-24T07:58:30+08:00").await;
    world.crowd(100);
    let good = world.read(&format!("plans.d/{ID}.toml"));
    let daemon = world.start().await;
    health_is(&daemon, "pass").await;
    let (code, said) = check(&world).await;
    assert_eq!(code, Some(0), "{said}");

    for (kind, text, place, line) in broken() {
        world.write_plan(ID, &text);
        let (code, said) = check(&world).await;
        assert_eq!(code, Some(1), "{kind}: {said}");
        assert!(
            said.contains(&format!("{ID}.toml{place}")),
            "{kind}: {said}"
        );
        assert!(said.contains("error:"), "{kind}: {said}");
        assert!(said.contains(line), "{kind}: the line is shown: {said}");
        assert!(said.contains('^'), "{kind}: with a caret: {said}");

        daemon.reload().await;
        let health = health_is(&daemon, "warn").await;
        assert!(
            !health.contains(ID) && !health.contains(NAME),
            "{kind}: {health}"
        );
        let metrics = daemon.metrics().await;
        assert_eq!(metric(&metrics, "dosed_plans_rejected", &[]), 1.0, "{kind}");
        assert_eq!(metric(&metrics, "dosed_plans_active", &[]), 100.0, "{kind}");
        assert_eq!(daemon.get("/readyz").await.status, 200, "{kind}");

        world.write_plan(ID, &good);
        daemon.reload().await;
        health_is(&daemon, "pass").await;
        assert_eq!(
            metric(&daemon.metrics().await, "dosed_plans_rejected", &[]),
            0.0,
            "{kind}"
        );
    }

    world.write_plan(ID, &broken()[0].1);
    daemon.reload().await;
    // Also over a restart: the text is refused, the stored plan stays in force.
    assert_eq!(daemon.stop().await.code(), Some(0));
    world.clock.set("2026-03-24T07:59:56+08:00", 1);
    let daemon = world.start().await;
    health_is(&daemon, "warn").await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 100, MINUTE)
            .await
    );
    assert_eq!(world.sandbox.inbox(&format!("o-{ID}")).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_directory_is_read_again_when_it_has_been_quiet() {
    let world = World::new().await;
    world.reconfigure("watch = false", "watch = true");
    world.crowd(5);
    let good = world.read("plans.d/p0003.toml");
    let daemon = world.start().await;
    health_is(&daemon, "pass").await;
    world.write_plan("p0003", "name = ");
    health_is(&daemon, "warn").await;
    // As editors save: a new file takes the place of the old one.
    world.write("plans.d/p0003.toml.tmp", &good);
    std::fs::rename(
        world.path("plans.d/p0003.toml.tmp"),
        world.path("plans.d/p0003.toml"),
    )
    .expect("both are ours");
    health_is(&daemon, "pass").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn editors_leftovers_are_no_plans() {
    let world = World::new().await;
    world.crowd(2);
    for name in [
        "p0001.toml~",
        ".#p0001.toml",
        "p0001.swp",
        ".p0001.toml.swp",
        "p0001.tmp",
        "README.md",
    ] {
        world.write(&format!("plans.d/{name}"), "this is no plan");
    }
    let daemon = world.start().await;
    health_is(&daemon, "pass").await;
    assert_eq!(
        metric(&daemon.metrics().await, "dosed_plans_active", &[]),
        2.0
    );
    assert_eq!(check(&world).await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn most_of_the_plans_vanishing_at_once_is_not_believed_until_somebody_says_so() {
    let world = World::new().await;
    world.crowd(12);
    world.clock.set("2026-03-24T07:00:00+08:00", 60);
    let daemon = world.start().await;
    health_is(&daemon, "pass").await;
    for n in 0..8 {
        std::fs::remove_file(world.path(&format!("plans.d/p{n:04}.toml"))).expect("it was there");
    }
    daemon.reload().await;
    health_is(&daemon, "warn").await;
    let much_later = world.clock.now() + jiff::SignedDuration::from_mins(5);
    eventually("five minutes", async || {
        (world.clock.now() > much_later).then_some(())
    })
    .await;
    daemon.reload().await;
    assert_eq!(
        metric(&daemon.metrics().await, "dosed_plans_active", &[]),
        12.0
    );
    let output = world.cli(&["reload", "--accept-removals"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    eventually("four plans", async || {
        (metric(&daemon.metrics().await, "dosed_plans_active", &[]) == 4.0).then_some(())
    })
    .await;
    health_is(&daemon, "pass").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_gone_changes_nothing() {
    let world = World::new().await;
    world.crowd(3);
    let daemon = world.start().await;
    health_is(&daemon, "pass").await;
    std::fs::rename(world.path("plans.d"), world.path("plans.away")).expect("both are ours");
    daemon.reload().await;
    health_is(&daemon, "warn").await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 3, MINUTE)
            .await
    );
    std::fs::rename(world.path("plans.away"), world.path("plans.d")).expect("both are ours");
    daemon.reload().await;
    health_is(&daemon, "pass").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_is_gone_for_a_minute_ends_and_one_that_comes_back_does_not() {
    let world = World::new().await;
    world.crowd(12);
    world.clock.set("2026-03-24T08:00:00+08:00", 30);
    let daemon = world.start().await;
    health_is(&daemon, "pass").await;
    let kept = world.read("plans.d/p0001.toml");
    std::fs::remove_file(world.path("plans.d/p0000.toml")).expect("it was there");
    std::fs::remove_file(world.path("plans.d/p0001.toml")).expect("it was there");
    daemon.reload().await;
    assert_eq!(
        metric(&daemon.metrics().await, "dosed_plans_active", &[]),
        12.0,
        "not within a minute"
    );
    world.write("plans.d/p0001.toml", kept);
    let later = world.clock.now() + jiff::SignedDuration::from_secs(90);
    eventually("a minute and a half", async || {
        (world.clock.now() > later).then_some(())
    })
    .await;
    daemon.reload().await;
    eventually("eleven plans", async || {
        (metric(&daemon.metrics().await, "dosed_plans_active", &[]) == 11.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patient_may_stand_in_the_configuration_but_not_in_both_places() {
    let world = World::new().await;
    let inline = "\n[patients.inline]\nname = \"王秀兰\"\nwechat = \"o-inline\"\n[[patients.inline.medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"08:00\"\n";
    world.write("dosed.toml", format!("{}{inline}", world.config()));
    world.sandbox.follow("o-inline");
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, MINUTE)
            .await
    );
    daemon.stop().await;
    world.write_plan("inline", "name = \"王秀兰\"\n");
    let (code, said) = check(&world).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("inline"), "{said}");
}
