//! What a service manager is told.

use crate::support::{Daemon, World, eventually};
use dosed::sandbox::{Fault, Faults};
use rustix::process::Signal;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_status_reloading_ready_stopping_in_this_order() {
    let world = World::new().await;
    world.crowd(2);
    let daemon = world.start().await;
    assert_eq!(daemon.get("/readyz").await.status, 200, "ready means ready");
    daemon.reload().await;
    daemon.signal(Signal::TERM);
    assert!(daemon.wait_for_notification("STOPPING=1", 1).await);
    let said = daemon.notified();
    let place = |line: &str, nth: usize| {
        let mut places = said
            .iter()
            .enumerate()
            .filter(|(_, said)| said.says(line))
            .map(|(n, _)| n);
        places
            .nth(nth)
            .unwrap_or_else(|| panic!("no {line} in {said:?}"))
    };
    let order = [
        place("READY=1", 0),
        place("RELOADING=1", 0),
        place("READY=1", 1),
        place("STOPPING=1", 0),
    ];
    assert!(order.is_sorted(), "{said:?}");
    let reloading = &said[order[1]];
    let monotonic = reloading
        .value("MONOTONIC_USEC")
        .and_then(|text| text.parse::<u64>().ok());
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = u64::try_from(now.tv_sec).expect("since the machine's start") * 1_000_000;
    assert!(
        monotonic.is_some_and(|then| then <= now + 1_000_000 && then + 60_000_000 > now),
        "{reloading:?}"
    );
    let status = said
        .iter()
        .filter_map(|said| said.value("STATUS"))
        .next_back();
    assert!(status.is_some_and(|status| !status.is_empty()), "{said:?}");
    assert!(
        said.iter().all(|said| said.value("WATCHDOG").is_none()),
        "nobody asked for it"
    );
    assert_eq!(daemon.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_that_is_refused_is_over_too() {
    let world = World::new().await;
    world.crowd(1);
    let daemon = world.start().await;
    world.reconfigure("rate = 0", "rte = 0");
    daemon.reload().await;
    let metrics = daemon.metrics().await;
    assert_eq!(
        crate::support::metric(&metrics, "dosed_config_last_reload_successful", &[]),
        0.0
    );
    assert_eq!(
        daemon.get("/readyz").await.status,
        200,
        "the configuration before it is in force"
    );
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, Duration::from_secs(60))
            .await
    );
    world.reconfigure("rte = 0", "rate = 0");
    daemon.reload().await;
    let metrics = daemon.metrics().await;
    assert_eq!(
        crate::support::metric(&metrics, "dosed_config_last_reload_successful", &[]),
        1.0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_is_read_meanwhile_makes_no_refused_configuration_right() {
    let world = World::new().await;
    world.reconfigure("watch = false", "watch = true");
    world.crowd(1);
    let daemon = world.start().await;
    world.reconfigure("rate = 0", "rte = 0");
    daemon.reload().await;
    let successful =
        |metrics: &str| crate::support::metric(metrics, "dosed_config_last_reload_successful", &[]);
    assert_eq!(successful(&daemon.metrics().await), 0.0);
    world.crowd(2);
    let plans = crate::support::eventually("the second plan", async || {
        let plans = daemon.health().await["checks"]["plans:active"][0].clone();
        (plans["observedValue"] == 2).then_some(plans)
    })
    .await;
    assert_eq!(plans["status"], "warn", "{plans}");
    let said = plans["output"].as_str().expect("a warning says why");
    assert!(said.contains("the configuration is refused"), "{said}");
    assert_eq!(successful(&daemon.metrics().await), 0.0);
    world.reconfigure("rte = 0", "rate = 0");
    daemon.reload().await;
    assert_eq!(successful(&daemon.metrics().await), 1.0);
    let plans = daemon.health().await["checks"]["plans:active"][0].clone();
    assert_eq!(plans["status"], "pass", "{plans}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watchdog_is_fed_at_half_its_time_even_while_the_api_hangs() {
    let world = World::new().await;
    world.reconfigure("timeout = \"2 s\"", "timeout = \"60 s\"");
    world.crowd(80);
    world
        .sandbox
        .set_faults(Faults::none().on_send(|_, _| Fault::Hang));
    let daemon = Daemon::start_with(&world, |command| {
        command.env("WATCHDOG_USEC", "4000000");
    })
    .await;
    let hanging = world
        .sandbox
        .wait_for_attempts(|attempts| attempts.len() >= 64, Duration::from_secs(60));
    assert!(hanging.await);
    let fed = daemon
        .notified()
        .iter()
        .filter(|said| said.says("WATCHDOG=1"))
        .count();
    assert!(daemon.wait_for_notification("WATCHDOG=1", fed + 6).await);
    let at: Vec<_> = daemon
        .notified()
        .iter()
        .filter(|said| said.says("WATCHDOG=1"))
        .map(|said| said.at)
        .collect();
    // Two seconds each: who listens here may be held up as well.
    for pair in at.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap < Duration::from_secs(4), "starved for {gap:?}");
        assert!(
            gap > Duration::from_millis(100),
            "fed without need after {gap:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watchdog_is_not_fed_for_another_process() {
    let world = World::new().await;
    let daemon = Daemon::start_with(&world, |command| {
        command
            .env("WATCHDOG_USEC", "200000")
            .env("WATCHDOG_PID", "1");
    })
    .await;
    // Reloads take the time that a dozen feedings would.
    for _ in 0..5 {
        daemon.reload().await;
    }
    eventually("two seconds of uptime", async || {
        let uptime = daemon.health().await["uptime_seconds"].as_f64()?;
        (uptime >= 2.0).then_some(())
    })
    .await;
    assert!(
        daemon
            .notified()
            .iter()
            .all(|said| !said.says("WATCHDOG=1"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reload_signals_are_answered_and_nothing_is_sent_twice() {
    let world = World::new().await;
    world.crowd(30);
    let daemon = world.start().await;
    for _ in 0..200 {
        daemon.signal(Signal::HUP);
    }
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 30, Duration::from_secs(60))
            .await
    );
    daemon.reload().await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert_eq!(world.sandbox.attempts().len(), 30);
}
