//! From the start to the end: ready, healthy, measured, gone.

use crate::support::{Daemon, World, eventually, get_with, metric};
use dosed::sandbox::{Fault, Faults};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// What a daemon with the shipped example shows.
fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    let text = std::fs::read_to_string(path).expect("the example is shipped");
    // Another daemon may hold the port on this machine.
    let port = "\nprivate = \"127.0.0.1:8380\"\n";
    assert_eq!(text.matches(port).count(), 1, "the example's port");
    text.replace(port, "\nprivate = \"127.0.0.1:0\"\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_configuration_runs_as_it_stands_and_ends_within_five_seconds() {
    let world = World::new().await;
    world.write("dosed.toml", example());
    let daemon = world.start().await;
    for path in ["/livez", "/readyz", "/health", "/healthz", "/metrics"] {
        assert_eq!(daemon.get(path).await.status, 200, "{path}");
    }
    let ended = daemon.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_has_the_documented_shape() {
    let world = World::new().await;
    world.crowd(3);
    let daemon = world.start().await;
    let answer = eventually("a healthy daemon", async || {
        let answer = daemon.get("/health").await;
        (answer.json()["status"] == "pass").then_some(answer)
    })
    .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/health+json")
    );
    assert!(
        answer.took < Duration::from_millis(500),
        "{:?}",
        answer.took
    );
    let health = answer.json();
    for (key, is) in [
        ("version", Value::is_string as fn(&Value) -> bool),
        ("releaseId", Value::is_string),
        ("serviceId", Value::is_string),
        ("time", Value::is_string),
        ("uptime_seconds", Value::is_number),
        ("summary", Value::is_string),
        ("checks", Value::is_object),
    ] {
        assert!(is(&health[key]), "{key}: {health}");
    }
    let checks = health["checks"].as_object().expect("checks are an object");
    for name in [
        "scheduler:lag",
        "store:writable",
        "store:free_space",
        "clock:step",
        "plans:active",
        "outbox:oldest",
        "messaging:send",
        "messaging:token",
        "messaging:quota",
        "messaging:hour",
        "messages:in_doubt",
        "doses:expired",
        "patients:unreachable",
        "staff:unreachable",
    ] {
        assert!(checks.contains_key(name), "{name}: {health}");
    }
    for (name, check) in checks {
        let status = check[0]["status"].as_str();
        assert!(
            matches!(status, Some("pass" | "warn" | "fail")),
            "{name}: {check}"
        );
    }
    assert_eq!(checks["plans:active"][0]["observedValue"], 3);
    assert_eq!(
        daemon.get("/healthz").await.json()["checks"]["plans:active"],
        checks["plans:active"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_else_is_served_and_nothing_is_changed_over_http() {
    let world = World::new().await;
    let daemon = world.start().await;
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/health/x", 404),
        ("GET", "/../etc/passwd", 404),
        ("POST", "/health", 405),
        ("DELETE", "/metrics", 405),
        ("HEAD", "/livez", 200),
    ] {
        let answer = get_with(daemon.private(), method, path)
            .await
            .expect("the daemon answers");
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_series_is_there_at_zero_from_the_start() {
    let world = World::new().await;
    let daemon = world.start().await;
    let answer = daemon.get("/metrics").await;
    assert!(
        answer
            .header("content-type")
            .is_some_and(|kind| kind.contains("text")),
        "{}",
        answer.head
    );
    let text = answer.body;
    let classes = ["critical", "dose", "nudge", "check_in", "notice"];
    for class in classes {
        assert_eq!(
            metric(&text, "dosed_outbox_depth", &[&label("class", class)]),
            0.0
        );
        for outcome in ["accepted", "unknown", "recipient", "message"] {
            let labels = [label("class", class), label("outcome", outcome)];
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            assert_eq!(metric(&text, "dosed_reminders_total", &labels), 0.0);
        }
    }
    for (name, key, values) in [
        (
            "dosed_send_attempts_total",
            "outcome",
            "accepted retry_soon retry_later throttled bad_token recipient message configuration unknown",
        ),
        (
            "dosed_doses_settled_total",
            "outcome",
            "taken skipped missed expired cancelled",
        ),
        (
            "dosed_doses_expired_total",
            "reason",
            "daemon_down api_down throttled not_enrolled unreachable consent_withdrawn held rejected clock",
        ),
        ("dosed_clock_steps_total", "direction", "forward backward"),
        ("dosed_sending_held", "reason", "clock brake quota"),
        (
            "dosed_wechat_errcode_total",
            "errcode",
            "-1 45009 47003 43004 40001 other",
        ),
    ] {
        for value in values.split(' ') {
            assert_eq!(
                metric(&text, name, &[&label(key, value)]),
                0.0,
                "{name} {value}"
            );
        }
    }
    for name in [
        "dosed_build_info",
        "dosed_start_time_seconds",
        "dosed_config_last_reload_successful",
        "dosed_config_last_reload_success_timestamp_seconds",
        "dosed_plans_active",
        "dosed_plans_rejected",
        "dosed_patients",
        "dosed_wakes_total",
        "dosed_reminder_lateness_seconds_count",
        "dosed_outbox_oldest_age_seconds",
        "dosed_send_duration_seconds_count",
        "dosed_token_refreshes_total",
        "dosed_check_ins_total",
        "dosed_scheduler_lag_seconds",
        "dosed_store_commits_total",
        "dosed_store_commit_duration_seconds_count",
        "dosed_store_bytes",
        "dosed_store_reopens_total",
        "process_resident_memory_bytes",
    ] {
        metric(&text, name, &[]);
    }
    for bound in [
        "0.005", "0.01", "0.05", "0.1", "0.5", "60", "300", "900", "3600", "+Inf",
    ] {
        let is_there = text.lines().any(|line| {
            let mut bounds = [format!("le=\"{bound}\""), format!("le=\"{bound}.0\"")].into_iter();
            line.starts_with("dosed_reminder_lateness_seconds_bucket{")
                && bounds.any(|bound| line.contains(&bound))
        });
        assert!(is_there, "no bucket {bound}");
    }
}

fn label(key: &str, value: &str) -> String {
    format!("{key}=\"{value}\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_ends_it_as_a_termination_does() {
    let world = World::new().await;
    let daemon = world.start().await;
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_are_finished_at_the_end() {
    let world = World::new().await;
    world.crowd(20);
    world
        .sandbox
        .set_faults(Faults::none().on_send(|_, _| Fault::Delay(Duration::from_secs(1))));
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 20, Duration::from_secs(60))
            .await
    );
    let ended = daemon.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let open = world.history().await;
    assert_eq!(open.len(), 20);
    assert!(
        open.iter()
            .all(|dose| dose.reminded.is_some() && !dose.in_doubt),
        "{open:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_hangs_delays_neither_health_nor_the_end() {
    let world = World::new().await;
    world.reconfigure("timeout = \"2 s\"", "timeout = \"60 s\"");
    world.crowd(5);
    world
        .sandbox
        .set_faults(Faults::none().on_send(|_, _| Fault::Hang));
    let daemon = world.start().await;
    let all_hang = world
        .sandbox
        .wait_for_attempts(|attempts| attempts.len() == 5, Duration::from_secs(60));
    assert!(all_hang.await);
    let answer = daemon.get("/health").await;
    assert!(
        answer.took < Duration::from_millis(500),
        "{:?}",
        answer.took
    );
    assert_eq!(daemon.get("/livez").await.status, 200);
    let ended = daemon.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_termination_ends_it_at_once_and_the_store_is_whole() {
    let world = World::new().await;
    world.reconfigure("timeout = \"2 s\"", "timeout = \"60 s\"");
    world.crowd(5);
    world.sandbox.queue_faults([Fault::Hang; 5]);
    let daemon = world.start().await;
    let all_hang = world
        .sandbox
        .wait_for_attempts(|attempts| attempts.len() == 5, Duration::from_secs(60));
    assert!(all_hang.await);
    daemon.signal(Signal::TERM);
    assert!(daemon.wait_for_notification("STOPPING=1", 1).await);
    daemon.signal(Signal::TERM);
    let ended = daemon.wait().await;
    assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
    // Five claims without an outcome: sent again with the same key by the next daemon.
    let daemon = Daemon::start(&world).await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 5, Duration::from_secs(60))
            .await
    );
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_signal_writes_a_summary() {
    let world = World::new().await;
    world.crowd(2);
    let daemon = world.start().await;
    let before = daemon.log().lines().count();
    daemon.signal(Signal::USR1);
    eventually("a summary in the log", async || {
        (daemon.log().lines().count() > before).then_some(())
    })
    .await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_tells_people_and_programs_what_health_tells_monitoring() {
    // The wake of eight o'clock is over three seconds before it.
    let world = World::at("2026-03-24T07:50:00+08:00").await;
    world.crowd(3);
    let daemon = world.start().await;
    let output = world.cli(&["status", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).expect("--json is JSON");
    assert_eq!(said["checks"]["plans:active"][0]["observedValue"], 3);
    let output = world.cli(&["status"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("a summary is UTF-8");
    for word in ["pass", "0 doses due today", "next wake 2026-03-24 08:00"] {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    // A reload by hand is told what came of it.
    world.write_plan("p0001", "name = ");
    let output = world.cli(&["reload"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    eventually("the warning in the summary", async || {
        let output = world.cli(&["status"]).await;
        let said = String::from_utf8(output.stdout).expect("a summary is UTF-8");
        (said.contains("warn") && said.contains("1 plan rejected")).then_some(())
    })
    .await;
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_a_disk_that_fails_and_goes_on_when_it_is_back() {
    let world = World::new().await;
    world.crowd(1);
    // A directory in place of the store: the operating system refuses to open it.
    let store = world.path("dosed.redb");
    std::fs::create_dir(&store).expect("a fresh directory takes another");
    let mended = async {
        waits_for_its_disk(&world).await;
        std::fs::remove_dir(&store).expect("nothing was put into it");
    };
    let (daemon, ()) = tokio::join!(world.start(), mended);
    assert_eq!(daemon.get("/readyz").await.status, 200);
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_waits_for_its_disk_ends_when_it_is_asked_to() {
    let world = World::new().await;
    std::fs::create_dir(world.path("dosed.redb")).expect("a fresh directory takes another");
    let daemon = Daemon::begin(&world);
    waits_for_its_disk(&world).await;
    let ended = daemon.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
}

/// Waits until the world's first daemon says that it waits.
async fn waits_for_its_disk(world: &World) {
    eventually("a daemon that waits", async || {
        let log = std::fs::read_to_string(world.path("log-0")).unwrap_or_default();
        log.contains("the store's disk is waited for").then_some(())
    })
    .await;
}
