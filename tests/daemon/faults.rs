//! What the messaging API may do instead of sending: each is told from the others, nothing is
//! doubled, nothing is lost within its window, and what could not be sent says why.

use crate::support::{Daemon, HistoryLine, World, eventually, metric};
use dosed::sandbox::{Fault, Faults};
use jiff::SignedDuration;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// The fault of the first try of each, and whether a message is in the inbox in the end.
const FIRST_TRY: &[(&str, Fault, bool)] = &[
    ("busy", Fault::Errcode(-1), true),
    ("busy-but-sent", Fault::ErrcodeAfter(-1), true),
    ("http-500", Fault::Http(500), true),
    ("http-502-but-sent", Fault::HttpAfter(502), true),
    ("hang", Fault::Hang, true),
    ("hang-but-sent", Fault::HangAfter, true),
    ("dropped", Fault::DropBefore, true),
    ("dropped-but-sent", Fault::DropAfter, true),
    ("slow", Fault::Delay(Duration::from_secs(4)), true),
    ("truncated", Fault::Truncate, true),
    ("garbled", Fault::Garble, true),
    ("unfollowed", Fault::Errcode(43004), false),
    ("keyword", Fault::Errcode(47003), false),
    ("stranger", Fault::Errcode(40003), false),
];

/// The script: the first try of these patients fails, everything else works.
fn first_try_fails() -> Faults {
    let tried = Mutex::new(HashSet::new());
    Faults::none().on_send(move |send, _| {
        let id = send.touser.trim_start_matches("o-").to_owned();
        let fault = FIRST_TRY
            .iter()
            .find(|(name, ..)| *name == id)
            .map(|(_, fault, _)| *fault);
        let first = tried.lock().expect("nobody panics in here").insert(id);
        fault.filter(|_| first).unwrap_or_default()
    })
}

async fn settled(daemon: &Daemon) {
    eventually("an empty outbox", async || {
        let metrics = daemon.metrics().await;
        (metric(&metrics, "dosed_outbox_depth", &[]) == 0.0).then_some(())
    })
    .await;
}

async fn history_by_patient(world: &World) -> BTreeMap<String, HistoryLine> {
    let lines = world.history().await;
    let count = lines.len();
    let map: BTreeMap<_, _> = lines
        .into_iter()
        .map(|line| (line.patient.clone(), line))
        .collect();
    assert_eq!(map.len(), count, "a dose has exactly one line");
    map
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_told_from_the_others_and_nothing_is_doubled() {
    let world = World::new().await;
    world.crowd(60);
    for (id, ..) in FIRST_TRY {
        world.patient(
            id,
            "王秀兰",
            &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
        );
    }
    world.sandbox.set_faults(first_try_fails());
    let daemon = world.start().await;
    let reached = 60 + FIRST_TRY.iter().filter(|(.., reached)| *reached).count();
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == reached, PATIENCE)
            .await
    );
    settled(&daemon).await;
    let metrics = daemon.metrics().await;
    assert_eq!(daemon.stop().await.code(), Some(0));

    assert_eq!(world.sandbox.deliveries().len(), reached);
    let attempts = world.sandbox.attempts();
    let history = history_by_patient(&world).await;
    for (id, fault, reached) in FIRST_TRY {
        let openid = format!("o-{id}");
        let tries: Vec<_> = attempts
            .iter()
            .filter(|attempt| attempt.touser == openid)
            .collect();
        let keys: HashSet<_> = tries.iter().map(|attempt| &attempt.client_msg_id).collect();
        assert_eq!(keys.len(), 1, "{id}: a resend carries the same key");
        assert_eq!(
            world.sandbox.inbox(&openid).len(),
            usize::from(*reached),
            "{id}"
        );
        let dose = &history[*id];
        if *reached {
            assert!(tries.len() >= 2, "{id}: {fault:?} was taken for success");
            assert_eq!(
                (dose.state.as_str(), dose.in_doubt),
                ("open", false),
                "{id}: {dose:?}"
            );
            assert!(dose.reminded.is_some(), "{id}: {dose:?}");
        } else {
            assert_eq!(tries.len(), 1, "{id}: {fault:?} is for ever");
            assert_eq!(dose.reminded, None, "{id}: {dose:?}");
        }
    }
    for code in ["-1", "43004", "47003"] {
        let label = format!("errcode=\"{code}\"");
        assert!(
            metric(&metrics, "dosed_wechat_errcode_total", &[&label]) >= 1.0,
            "{code}"
        );
    }
    assert_eq!(
        metric(
            &metrics,
            "dosed_send_attempts_total",
            &["outcome=\"accepted\""]
        ),
        reached as f64
    );
    assert!(
        metric(
            &metrics,
            "dosed_send_attempts_total",
            &["outcome=\"unknown\""]
        ) >= 9.0
    );
    assert_eq!(
        metric(
            &metrics,
            "dosed_send_attempts_total",
            &["outcome=\"recipient\""]
        ),
        2.0
    );
    assert_eq!(
        metric(
            &metrics,
            "dosed_send_attempts_total",
            &["outcome=\"message\""]
        ),
        1.0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_for_ever_end_as_expired_with_their_reason() {
    let world = World::new().await;
    for (id, window) in [("unfollowed", "10 min"), ("keyword", "10 min")] {
        let keys = format!("take = \"1片\"\nat = \"08:00\"\nwindow = \"{window}\"");
        world.patient(id, "王秀兰", &[("二甲双胍", &keys)]);
    }
    world.sandbox.set_faults(first_try_fails());
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for_attempts(|attempts| attempts.len() == 2, PATIENCE)
            .await
    );
    settled(&daemon).await;
    daemon.stop().await;
    world.clock.set("2026-03-24T08:11:00+08:00", 1);
    let _daemon = world.start().await;
    let history = eventually("the doses' end", async || {
        let history = history_by_patient(&world).await;
        history
            .values()
            .all(|dose| dose.state == "expired")
            .then_some(history)
    })
    .await;
    assert_eq!(history["unfollowed"].reason.as_deref(), Some("unreachable"));
    assert_eq!(history["keyword"].reason.as_deref(), Some("rejected"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_quota_holds_everybody_and_ends_as_throttled() {
    let world = World::new().await;
    for n in 0..30 {
        let keys = "take = \"1片\"\nat = \"08:00\"\nwindow = \"10 min\"";
        world.patient(&format!("q{n:02}"), "王秀兰", &[("二甲双胍", keys)]);
    }
    world.reconfigure("concurrency = 64", "concurrency = 4");
    world
        .sandbox
        .set_faults(Faults::none().on_send(|_, _| Fault::Errcode(45009)));
    world.clock.set("2026-03-24T07:58:00+08:00", 20);
    let daemon = world.start().await;
    let history = eventually("the doses' end", async || {
        let history = history_by_patient(&world).await;
        (history.len() == 30 && history.values().all(|dose| dose.state != "open"))
            .then_some(history)
    })
    .await;
    for dose in history.values() {
        assert_eq!(
            (dose.state.as_str(), dose.reason.as_deref()),
            ("expired", Some("throttled")),
            "{dose:?}"
        );
    }
    // Whoever was on the wire when the first refusal came, and one probe after 1, 2, 4 … 60 s:
    // fifteen within ten minutes.
    assert!(
        world.sandbox.attempts().len() <= 8 + 15,
        "{}",
        world.sandbox.attempts().len()
    );
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_is_down_for_a_whole_window_ends_as_expired_and_later_doses_are_sent() {
    let world = World::new().await;
    for n in 0..10 {
        let keys = "take = \"1片\"\nat = \"08:00, 09:00\"\nwindow = \"10 min\"";
        world.patient(&format!("d{n}"), "王秀兰", &[("二甲双胍", keys)]);
    }
    world.sandbox.close().await;
    world.clock.set("2026-03-24T07:55:00+08:00", 60);
    let daemon = world.start().await;
    eventually("the first doses' end", async || {
        let history = world.history().await;
        let expired = history.iter().filter(|dose| {
            (dose.state.as_str(), dose.reason.as_deref()) == ("expired", Some("api_down"))
        });
        (expired.count() == 10).then_some(())
    })
    .await;
    let health = daemon.health().await;
    assert_ne!(health["status"], "pass", "{health}");
    world
        .sandbox
        .open()
        .await
        .expect("the address is still ours");
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() >= 10, PATIENCE)
            .await
    );
    for message in world.sandbox.deliveries() {
        assert_eq!(message.value("time3"), Some("2026-03-24 09:00"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_comes_back_within_the_window_gets_every_reminder_once() {
    let world = World::new().await;
    world.crowd(50);
    world.sandbox.close().await;
    world.clock.set("2026-03-24T07:57:30+08:00", 30);
    let daemon = world.start().await;
    eventually("failed sends", async || {
        let metrics = daemon.metrics().await;
        (metric(
            &metrics,
            "dosed_send_attempts_total",
            &["outcome=\"retry_soon\""],
        ) >= 1.0)
            .then_some(())
    })
    .await;
    world
        .sandbox
        .open()
        .await
        .expect("the address is still ours");
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 50, PATIENCE)
            .await
    );
    settled(&daemon).await;
    assert_eq!(world.sandbox.deliveries().len(), 50);
    assert_eq!(
        world.sandbox.counts().duplicates,
        0,
        "a send that was never written is no doubt"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_does_not_come_is_one_failure_and_not_that_of_all_who_wait_for_it() {
    let world = World::new().await;
    world.crowd(100);
    world
        .sandbox
        .set_faults(Faults::none().on_token(|_| Fault::DropBefore));
    world.clock.set("2026-03-24T07:59:55+08:00", 1);
    let daemon = world.start().await;
    let failed = async || {
        let metrics = daemon.metrics().await;
        let labels = &["outcome=\"retry_soon\""];
        metric(&metrics, "dosed_send_attempts_total", labels)
    };
    eventually("failed sends", async || {
        (failed().await >= 1.0).then_some(())
    })
    .await;
    world.sandbox.set_faults(Faults::none());
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 100, PATIENCE)
            .await
    );
    settled(&daemon).await;
    let metrics = daemon.metrics().await;
    let labels = &["result=\"unavailable\""];
    let refused = metric(&metrics, "dosed_token_refreshes_total", labels);
    // Those that left at the same time, and one for each further time that a token was asked for.
    let failed = failed().await;
    assert!(failed < 64.0 + refused, "{failed} after {refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_stays_unknown_is_in_doubt_after_eight_minutes_and_not_sent_again() {
    let world = World::new().await;
    world.patient(
        "doubt",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    world.crowd(5);
    world.sandbox.set_faults(Faults::none().on_send(|send, _| {
        if send.touser == "o-doubt" {
            Fault::DropAfter
        } else {
            Fault::None
        }
    }));
    world.clock.set("2026-03-24T07:55:00+08:00", 60);
    let daemon = world.start().await;
    eventually("the doubt", async || {
        let history = history_by_patient(&world).await;
        history
            .get("doubt")
            .is_some_and(|dose| dose.in_doubt)
            .then_some(())
    })
    .await;
    let tries: Vec<_> = world
        .sandbox
        .attempts()
        .into_iter()
        .filter(|attempt| attempt.touser == "o-doubt")
        .collect();
    let first = tries.first().expect("it was tried").received;
    for attempt in &tries {
        let after = attempt.received.duration_since(first);
        assert!(
            after <= SignedDuration::from_mins(8),
            "resent after {after:?}"
        );
    }
    assert!(tries.len() >= 2);
    // Sixteen more minutes of the clinic's time: nothing more goes out.
    let later = world.clock.now() + SignedDuration::from_mins(16);
    eventually("later", async || (world.clock.now() > later).then_some(())).await;
    let again = world
        .sandbox
        .attempts()
        .iter()
        .filter(|attempt| attempt.touser == "o-doubt")
        .count();
    assert_eq!(again, tries.len());
    let check = eventually("the doubt in health", async || {
        let check = daemon.health().await["checks"]["messages:in_doubt"][0].clone();
        (check["observedValue"] == 1).then_some(check)
    })
    .await;
    assert_eq!(check["status"], "warn", "{check}");
    let output = world.cli(&["status"]).await;
    let said = String::from_utf8(output.stdout).expect("a summary is UTF-8");
    assert!(said.contains("1 message in doubt"), "{said}");
    assert_eq!(
        world.sandbox.inbox("o-doubt").len(),
        1,
        "the API had taken the first"
    );
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_dies_in_mid_run_costs_one_refresh_and_no_message() {
    let world = World::new().await;
    world.crowd(100);
    let daemon = world.start().await;
    eventually("a token", async || {
        (world.sandbox.counts().tokens >= 1).then_some(())
    })
    .await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() >= 30, PATIENCE)
            .await
    );
    let before = world.sandbox.counts().tokens;
    world.sandbox.invalidate_token();
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 100, PATIENCE)
            .await
    );
    settled(&daemon).await;
    assert_eq!(world.sandbox.deliveries().len(), 100);
    // None where all sends were on the wire already.
    assert!(
        world.sandbox.counts().tokens <= before + 1,
        "one refresh for all"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_dead_before_the_burst_is_refreshed_once_for_all() {
    let world = World::at("2026-03-24T07:59:53+08:00").await;
    world.crowd(100);
    world.patient(
        "early",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"07:59\"")],
    );
    world.clock.set("2026-03-24T07:58:15+08:00", 10);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, PATIENCE)
            .await
    );
    let before = world.sandbox.counts();
    world.sandbox.invalidate_token();
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 101, PATIENCE * 2)
            .await
    );
    settled(&daemon).await;
    let after = world.sandbox.counts();
    assert_eq!(after.tokens, before.tokens + 1, "one refresh for all");
    assert_eq!(after.duplicates, 0);
    assert_eq!(world.sandbox.deliveries().len(), 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expires_in_mid_run_costs_one_refresh_and_no_message() {
    let world = World::new().await;
    let keys = "take = \"1片\"\nat = \"08:00, 09:30, 11:00, 12:30\"";
    world.patient("day", "王秀兰", &[("二甲双胍", keys)]);
    world.clock.set("2026-03-24T07:10:00+08:00", 600);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 4, PATIENCE)
            .await
    );
    settled(&daemon).await;
    // The daemon believes in a token for as long as the machine's steady clock says, which the
    // world's clock outruns: the sandbox finds it expired, twice at most in these hours.
    let counts = world.sandbox.counts();
    let expired = counts.refused.get(&42001).copied().unwrap_or(0);
    assert!((1..=2).contains(&expired), "{counts:?}");
    assert_eq!(
        counts.refused.len(),
        1,
        "nothing else is refused: {counts:?}"
    );
    assert_eq!(counts.tokens, 1 + expired, "{counts:?}");
    assert_eq!(world.sandbox.deliveries().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_stays_dead_is_forced_once() {
    let world = World::new().await;
    world.crowd(20);
    world.sandbox.jam_token();
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 20, PATIENCE)
            .await
    );
    settled(&daemon).await;
    assert_eq!(world.sandbox.deliveries().len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_an_operators_matter_and_is_told() {
    let world = World::new().await;
    world.crowd(3);
    world.write("wechat-secret", "not-the-secret\n");
    let daemon = world.start().await;
    let health = eventually("the failure in health", async || {
        let health = daemon.health().await;
        (health["status"] != "pass").then_some(health)
    })
    .await;
    assert!(!health.to_string().contains("not-the-secret"));
    assert_eq!(
        daemon.get("/livez").await.status,
        200,
        "the outside is no matter of liveness"
    );
    assert!(!daemon.log().contains("not-the-secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_comes_after_the_window_sends_nothing_any_more() {
    let world = World::new().await;
    world.patient(
        "late",
        "王秀兰",
        &[(
            "二甲双胍",
            "take = \"1片\"\nat = \"08:00\"\nwindow = \"10 min\"",
        )],
    );
    // Fifteen minutes of the clinic's time.
    let slow = Duration::from_millis(1_500);
    world
        .sandbox
        .set_faults(Faults::none().on_token(move |_| Fault::Delay(slow)));
    // The plan comes into force before eight also on a slow machine.
    world.clock.set("2026-03-24T07:00:00+08:00", 600);
    let daemon = world.start().await;
    let dose = eventually("the dose's end", async || {
        let history = world.history().await;
        history.into_iter().find(|dose| dose.state != "open")
    })
    .await;
    // Which reason depends on whether the try has ended when the dose is closed.
    assert_eq!((dose.state.as_str(), dose.reminded), ("expired", None));
    eventually("the token", async || {
        (world.sandbox.counts().tokens >= 1).then_some(())
    })
    .await;
    settled(&daemon).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert_eq!(world.sandbox.attempts(), [], "its window had passed");
}
