//! The daemon is stopped across a dose's instant.

use crate::support::{HistoryLine, World, eventually};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Runs before eight, is stopped (or killed), and is started again at an instant.
async fn away_until(back: &str, keys: &str, killed: bool) -> (World, crate::support::Daemon) {
    let world = World::at("2026-03-24T07:50:00+08:00").await;
    world.patient("away", "王秀兰", &[("二甲双胍", keys)]);
    let daemon = world.start().await;
    if killed {
        daemon.kill().await;
    } else {
        assert_eq!(daemon.stop().await.code(), Some(0));
    }
    world.clock.set(back, 1);
    let daemon = world.start().await;
    (world, daemon)
}

async fn only_dose(world: &World) -> HistoryLine {
    eventually("the dose in the history", async || {
        let history = world.history().await;
        assert!(history.len() <= 1, "{history:?}");
        history.into_iter().next()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn back_within_the_window_it_reminds_once_and_says_whether_it_is_late() {
    const ONCE: &str = "take = \"1片\"\nat = \"08:00\"";
    const THRICE: &str = "take = \"1片\"\nat = \"08:00, 14:00, 20:00\"";
    const CRITICAL: &str = "take = \"1片\"\nat = \"08:00\"\ncritical = true";
    // On time is two hours for once a day, one hour for more often, half an hour for critical.
    for (keys, back, killed, late) in [
        (ONCE, "2026-03-24T08:20:00+08:00", false, "按时"),
        (ONCE, "2026-03-24T10:30:00+08:00", true, "补发"),
        (THRICE, "2026-03-24T08:50:00+08:00", true, "按时"),
        (THRICE, "2026-03-24T09:10:00+08:00", false, "补发"),
        (CRITICAL, "2026-03-24T08:31:00+08:00", false, "补发"),
    ] {
        let (world, daemon) = away_until(back, keys, killed).await;
        assert!(
            world
                .sandbox
                .wait_for(|inbox| !inbox.is_empty(), MINUTE)
                .await,
            "{back}"
        );
        let dose = eventually("the outcome", async || {
            let dose = only_dose(&world).await;
            dose.reminded.is_some().then_some(dose)
        })
        .await;
        daemon.stop().await;
        assert_eq!(dose.state, "open", "{back}");
        let inbox = world.sandbox.inbox("o-away");
        assert_eq!(inbox.len(), 1, "{back}");
        assert_eq!(inbox[0].value("phrase5"), Some(late), "{back}");
        assert_eq!(inbox[0].value("time3"), Some("2026-03-24 08:00"), "{back}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn back_after_the_window_it_reminds_of_nothing_and_says_whose_fault_it_was() {
    let keys = "take = \"1片\"\nat = \"08:00\"";
    let (world, daemon) = away_until("2026-03-24T14:00:01+08:00", keys, false).await;
    let dose = eventually("the dose's end", async || {
        let dose = only_dose(&world).await;
        (dose.state != "open").then_some(dose)
    })
    .await;
    assert_eq!(
        (dose.state.as_str(), dose.reason.as_deref()),
        ("expired", Some("daemon_down"))
    );
    assert_eq!(dose.reminded, None);
    daemon.stop().await;
    assert_eq!(world.sandbox.attempts(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_away_end_each_dose_once_and_remind_of_the_one_that_is_open() {
    let keys = "take = \"1片\"\nat = \"08:00, 20:00\"";
    let (world, daemon) = away_until("2026-03-27T20:30:00+08:00", keys, true).await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| !inbox.is_empty(), MINUTE)
            .await
    );
    let history = eventually("seven ends", async || {
        let history = world.history().await;
        (history
            .iter()
            .filter(|dose| dose.state == "expired")
            .count()
            == 7)
            .then_some(history)
    })
    .await;
    assert_eq!(history.len(), 8, "{history:?}");
    assert!(
        history
            .iter()
            .filter(|dose| dose.state == "expired")
            .all(|dose| dose.reason.as_deref() == Some("daemon_down"))
    );
    daemon.stop().await;
    let inbox = world.sandbox.inbox("o-away");
    assert_eq!(inbox.len(), 1, "overdue ones are not dumped on the patient");
    assert_eq!(inbox[0].value("time3"), Some("2026-03-27 20:00"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_first_seen_after_todays_dose_waits_for_tomorrows() {
    let world = World::at("2026-03-24T08:10:00+08:00").await;
    world.patient(
        "new",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    let daemon = world.start().await;
    daemon.stop().await;
    world.clock.set("2026-03-25T08:00:30+08:00", 1);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| !inbox.is_empty(), MINUTE)
            .await
    );
    daemon.stop().await;
    let history = world.history().await;
    assert_eq!(history.len(), 1, "{history:?}");
    assert_eq!(
        world.sandbox.inbox("o-new")[0].value("time3"),
        Some("2026-03-25 08:00")
    );
}
