//! A clock that is not to be believed holds everything, and nothing expires by it.

use crate::support::{Daemon, HistoryLine, World, eventually, metric};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Has run ten minutes before eight, and was stopped.
async fn seen_before_eight() -> World {
    let world = World::at("2026-03-24T07:50:00+08:00").await;
    world.patient(
        "one",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    let daemon = world.start().await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    world
}

/// The daemon is up, says that it holds, and why.
async fn holds(world: &World, daemon: &Daemon, why: &str) {
    let ready = daemon.get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    assert!(ready.body.contains(why), "{}", ready.body);
    assert_eq!(
        daemon.get("/livez").await.status,
        200,
        "it is no dead daemon"
    );
    let answer = daemon.get("/health").await;
    assert_eq!(answer.status, 503);
    let check = &answer.json()["checks"]["clock:step"][0];
    assert_eq!(check["status"], "fail", "{check}");
    let output = check["output"].as_str().expect("a failure says why");
    assert!(
        output.contains(why) && output.contains("dosed clock accept"),
        "{output}"
    );
    let held = metric(
        &daemon.metrics().await,
        "dosed_sending_held",
        &["reason=\"clock\""],
    );
    assert_eq!(held, 1.0);
    assert!(daemon.log().contains(why), "{}", daemon.log());
    let output = world.cli(&["status"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("a summary is UTF-8");
    assert!(said.contains("the clock is not to be believed"), "{said}");
}

/// Ten seconds of the world's time pass.
async fn some_turns(world: &World) {
    let later = world.clock.now() + jiff::SignedDuration::from_secs(10);
    eventually("some turns", async || {
        (world.clock.now() > later).then_some(())
    })
    .await;
}

async fn history_when(
    world: &World,
    what: &str,
    is_met: impl Fn(&[HistoryLine]) -> bool,
) -> Vec<HistoryLine> {
    eventually(what, async || {
        let history = world.history().await;
        is_met(&history).then_some(history)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_a_month_ahead_holds_everything_and_is_forgotten_when_the_clock_is_right_again() {
    let world = seen_before_eight().await;
    world.clock.set("2026-04-24T07:59:58+08:00", 1);
    let daemon = world.start().await;
    some_turns(&world).await;
    holds(&world, &daemon, "more than 30 days ahead").await;
    assert_eq!(
        world.sandbox.attempts(),
        [],
        "eight o'clock of that day has passed"
    );
    assert_eq!(world.history().await, [], "nothing expires by such a clock");
    let output = world.cli(&["reload"]).await;
    assert_eq!(
        output.status.code(),
        Some(1),
        "no edit takes effect then: {output:?}"
    );
    assert_eq!(daemon.stop().await.code(), Some(0));
    // It was not recorded as seen: the right time is no step back.
    world.clock.set("2026-03-24T07:59:55+08:00", 1);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, MINUTE)
            .await
    );
    assert_eq!(daemon.get("/readyz").await.status, 200);
    assert_eq!(daemon.stop().await.code(), Some(0));
    let history = world.history().await;
    assert_eq!(history.len(), 1, "{history:?}");
    assert_eq!(history[0].state, "open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_clock_is_acted_upon_and_what_was_jumped_over_expires_for_the_clock() {
    accepted_a_month_ahead(seen_before_eight().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_jumped_over_expires_for_the_clock_where_the_plan_was_edited_too() {
    let world = seen_before_eight().await;
    let edited = "take = \"1片\"\nat = \"08:00\"\nnote = \"随餐服用\"";
    world.patient("one", "王秀兰", &[("二甲双胍", edited)]);
    accepted_a_month_ahead(world).await;
}

async fn accepted_a_month_ahead(world: World) {
    world.clock.set("2026-04-24T08:30:00+08:00", 1);
    let daemon = world.start().await;
    holds(&world, &daemon, "more than 30 days ahead").await;
    let output = world.cli(&["clock", "accept"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, MINUTE)
            .await
    );
    assert_eq!(
        world.sandbox.inbox("o-one")[0].value("time3"),
        Some("2026-04-24 08:00")
    );
    let history = history_when(&world, "a month of doses", |history| history.len() == 32).await;
    assert!(
        history[..31]
            .iter()
            .all(|dose| (dose.state.as_str(), dose.reason.as_deref()) == ("expired", Some("clock"))),
        "{history:?}"
    );
    eventually("readiness", async || {
        (daemon.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    let output = world.cli(&["clock", "accept"]).await;
    assert_eq!(
        output.status.code(),
        Some(1),
        "nothing is in doubt: {output:?}"
    );
    // From now on this is the last clock seen.
    assert_eq!(daemon.stop().await.code(), Some(0));
    let daemon = world.start().await;
    assert_eq!(daemon.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_more_than_a_day_back_holds_and_one_of_less_does_not() {
    let world = seen_before_eight().await;
    world.clock.set("2026-03-23T07:40:00+08:00", 1);
    let daemon = world.start().await;
    holds(&world, &daemon, "more than a day before").await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    world.clock.set("2026-03-23T08:10:00+08:00", 1);
    let daemon = world.start().await;
    assert_eq!(daemon.get("/readyz").await.status, 200);
    assert_eq!(daemon.stop().await.code(), Some(0));
    // A day back from there is two from the first.
    world.clock.set("2026-03-22T08:20:00+08:00", 1);
    let daemon = world.start().await;
    holds(&world, &daemon, "more than a day before").await;
    let output = world.cli(&["clock", "accept"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    eventually("readiness", async || {
        (daemon.get("/readyz").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_under_way_when_the_clock_was_set_back_is_in_doubt_and_not_sent_again() {
    use dosed::sandbox::{Fault, Faults};
    let world = World::new().await;
    world.reconfigure("timeout = \"2 s\"", "timeout = \"60 s\"");
    world.patient(
        "one",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    world
        .sandbox
        .set_faults(Faults::none().on_send(|_, _| Fault::HangAfter));
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for_attempts(|attempts| attempts.len() == 1, MINUTE)
            .await
    );
    daemon.kill().await;
    world.sandbox.set_faults(Faults::none());
    // The clock that was seen at the start was later than this.
    world.clock.set("2026-03-24T07:55:00+08:00", 1);
    let daemon = world.start().await;
    let history = eventually("the doubt", async || {
        let output = world
            .cli(&[
                "history",
                "--json",
                "--from",
                "2026-01-01T00:00:00Z",
                "--until",
                "2026-12-31T00:00:00Z",
                "--journal",
            ])
            .await;
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        text.contains("\"entry\":\"in_doubt\"").then_some(text)
    })
    .await;
    assert!(!history.contains("\"entry\":\"accepted\""), "{history}");
    drop(daemon);
    assert_eq!(world.sandbox.attempts().len(), 1, "it is not sent again");
}
