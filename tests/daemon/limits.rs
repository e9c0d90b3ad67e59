//! Ceilings: of an hour, of the API's day, of a recipient's patience.

use crate::support::{World, eventually, metric};
use dosed::sandbox::{Fault, Faults};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_held_at_the_hours_ceiling_over_restarts_until_a_person_resumes_it() {
    let world = World::new().await;
    world.reconfigure("rate = 0\n", "rate = 0\nhourly_max = 5\n");
    world.crowd(8);
    for id in ["critical-1", "critical-2"] {
        let keys = "take = \"1片\"\nat = \"08:00\"\ncritical = true";
        world.patient(id, "李桂芳", &[("胰岛素", keys)]);
    }
    let daemon = world.start().await;
    let held = async |daemon: &crate::support::Daemon| {
        eventually("the brake", async || {
            let metrics = daemon.metrics().await;
            let held = metric(&metrics, "dosed_sending_held", &["reason=\"brake\""]);
            (held == 1.0).then_some(())
        })
        .await;
    };
    held(&daemon).await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 5, PATIENCE)
            .await
    );
    for id in ["critical-1", "critical-2"] {
        assert_eq!(
            world.sandbox.inbox(&format!("o-{id}")).len(),
            1,
            "{id} goes first"
        );
    }
    let answer = daemon.get("/health").await;
    assert_eq!(answer.status, 503);
    let check = &answer.json()["checks"]["messaging:hour"][0];
    assert_eq!(
        (&check["status"], &check["observedValue"]),
        (&"fail".into(), &5.into())
    );
    assert!(daemon.log().contains("too many messages within an hour"));
    assert_eq!(daemon.stop().await.code(), Some(0));

    let daemon = world.start().await;
    held(&daemon).await;
    assert_eq!(
        world.sandbox.attempts().len(),
        5,
        "a restart is no way around it"
    );
    let output = world.cli(&["resume"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 10, PATIENCE)
            .await
    );
    let output = world.cli(&["resume"]).await;
    assert_eq!(output.status.code(), Some(1), "it is not held: {output:?}");
    assert_eq!(world.sandbox.attempts().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_doses_expire_as_held_critical_ones_leave_and_the_brake_lets_go_by_itself() {
    let world = World::new().await;
    world.reconfigure("rate = 0\n", "rate = 0\nhourly_max = 4\n");
    for n in 0..8 {
        let keys = "take = \"1片\"\nat = \"08:00\"\nwindow = \"10 min\"";
        world.patient(&format!("p{n}"), "王秀兰", &[("二甲双胍", keys)]);
    }
    let keys = "take = \"1片\"\nat = \"08:05\"\ncritical = true";
    world.patient("critical", "李桂芳", &[("胰岛素", keys)]);
    let keys = "take = \"1片\"\nat = \"09:30\"";
    world.patient("later", "陈乐乐", &[("氨氯地平", keys)]);
    world.clock.set("2026-03-24T07:48:00+08:00", 120);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(
                |inbox| inbox.iter().any(|it| &*it.touser == "o-critical"),
                PATIENCE
            )
            .await,
        "critical messages are never held"
    );
    let expired = eventually("the held doses' end", async || {
        let mut history = world.history().await;
        history.retain(|dose| dose.state == "expired");
        (history.len() == 4).then_some(history)
    })
    .await;
    assert!(
        expired
            .iter()
            .all(|dose| dose.reason.as_deref() == Some("held")),
        "{expired:?}"
    );
    assert!(
        world
            .sandbox
            .wait_for(
                |inbox| inbox.iter().any(|it| &*it.touser == "o-later"),
                PATIENCE
            )
            .await,
        "an hour later the count has fallen"
    );
    let metrics = daemon.metrics().await;
    assert_eq!(
        metric(&metrics, "dosed_sending_held", &["reason=\"brake\""]),
        0.0
    );
    assert_eq!(world.sandbox.attempts().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_tenth_of_the_days_quota_is_for_doses_also_after_a_restart() {
    let world = World::with_sandbox("2026-03-24T07:59:30+08:00", |options| {
        options.template_quota = Some(20);
    })
    .await;
    world.crowd(18);
    let asked = "name = \"王秀兰\"\nwechat = \"o-asked\"\n[[check_in]]\nask = \"血压多少？\"\n\
                 answer = \"blood pressure\"\nat = \"08:20\"\n";
    world.write_plan("asked", asked);
    world.sandbox.follow("o-asked");
    let keys = "take = \"1片\"\nat = \"08:40\"";
    world.patient("dose", "李桂芳", &[("二甲双胍", keys)]);
    world.clock.set("2026-03-24T07:54:00+08:00", 60);
    let daemon = world.start().await;
    let reserved = async |daemon: &crate::support::Daemon| {
        eventually("the reserve", async || {
            let check = daemon.health().await["checks"]["messaging:quota"][0].clone();
            (check["reserved"] == true).then_some(())
        })
        .await;
    };
    reserved(&daemon).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    world.clock.set("2026-03-24T08:19:00+08:00", 60);
    let daemon = world.start().await;
    reserved(&daemon).await;
    let metrics = daemon.metrics().await;
    assert_eq!(
        metric(&metrics, "dosed_sending_held", &["reason=\"quota\""]),
        1.0
    );
    assert!(
        world
            .sandbox
            .wait_for(
                |inbox| inbox.iter().any(|it| &*it.touser == "o-dose"),
                PATIENCE
            )
            .await
    );
    assert!(
        world.sandbox.inbox("o-asked").is_empty(),
        "a question waits while a dose, due later, has left"
    );
    assert_eq!(world.sandbox.attempts().len(), 19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_who_got_too_much_rests_with_all_messages_and_over_a_restart() {
    let world = World::new().await;
    for (id, name) in [("much", "王秀兰"), ("other", "李桂芳")] {
        let plan = format!(
            "name = \"{name}\"\nwechat = \"o-{id}\"\n\
             [[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"08:00\"\n\
             [[check_in]]\nask = \"血压多少？\"\nanswer = \"blood pressure\"\nat = \"08:02\"\n"
        );
        world.write_plan(id, &plan);
        world.sandbox.follow(&format!("o-{id}"));
    }
    world
        .sandbox
        .set_faults(Faults::none().on_send(|send, nth| {
            if send.touser == "o-much" && nth <= 2 {
                Fault::Errcode(43117)
            } else {
                Fault::None
            }
        }));
    world.clock.set("2026-03-24T07:58:30+08:00", 10);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 2, PATIENCE)
            .await,
        "the other one gets both"
    );
    assert_eq!(daemon.stop().await.code(), Some(0));
    world.clock.set("2026-03-24T08:04:00+08:00", 60);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 4, PATIENCE)
            .await
    );
    drop(daemon);
    let tries: Vec<_> = world
        .sandbox
        .attempts()
        .into_iter()
        .filter(|attempt| attempt.touser == "o-much")
        .map(|attempt| attempt.received)
        .collect();
    assert_eq!(tries.len(), 3, "refused once, then each once: {tries:?}");
    for later in &tries[1..] {
        let rested = later.duration_since(tries[0]);
        assert!(rested >= jiff::SignedDuration::from_mins(10), "{tries:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_answers_questions_and_takes_no_messages_costs_few_of_them_their_certainty() {
    let world = World::new().await;
    world.crowd(100);
    world.reconfigure("concurrency = 64", "concurrency = 4");
    world
        .sandbox
        .set_faults(Faults::none().on_send(|_, _| Fault::Errcode(-1)));
    world.clock.set("2026-03-24T07:58:30+08:00", 10);
    let daemon = world.start().await;
    eventually("five minutes", async || {
        (world.clock.now() > "2026-03-24T08:05:00+08:00".parse().expect("an instant")).then_some(())
    })
    .await;
    let tried: std::collections::HashSet<_> = world
        .sandbox
        .attempts()
        .into_iter()
        .map(|attempt| attempt.touser)
        .collect();
    assert!(
        tried.len() <= 20 + 4 + 10,
        "{} messages were put into doubt",
        tried.len()
    );
    world.sandbox.set_faults(Faults::none());
    let recovered = world.clock.now();
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() >= 100 - tried.len(), PATIENCE)
            .await
    );
    eventually("the others too", async || {
        let metrics = daemon.metrics().await;
        (metric(&metrics, "dosed_outbox_depth", &[]) == 0.0).then_some(())
    })
    .await;
    let accepted = world.sandbox.deliveries();
    assert_eq!(
        accepted.len(),
        100,
        "within eight minutes the same ids are safe"
    );
    let last = accepted
        .iter()
        .map(|it| it.received)
        .max()
        .expect("a hundred");
    let took = last.duration_since(recovered);
    assert!(took <= jiff::SignedDuration::from_mins(3), "{took:?}");
}
