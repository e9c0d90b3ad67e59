//! A plan's doses reach the patient's phone: once, at their instant, with the right words.

use crate::support::{TlsFront, World, eventually, metric};
use dosed::sandbox::{Fault, Faults, Outcome};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn eight() -> Timestamp {
    "2026-03-24T08:00:00+08:00".parse().expect("an instant")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_patients_at_one_minute_get_one_message_each_within_two_seconds() {
    let world = World::at("2026-03-24T07:59:50+08:00").await;
    world.crowd(180);
    for n in 0..20 {
        let amlodipine = (
            "氨氯地平",
            "take = \"1片\"\nat = \"08:00\"\nnote = \"饭后服用\"",
        );
        let metformin = ("二甲双胍", "take = \"2片\"\nat = \"08:00\"");
        world.patient(
            &format!("two{n:02}"),
            &format!("李{n:02}"),
            &[metformin, amlodipine],
        );
    }
    let daemon = world.start().await;
    assert!(
        world.clock.now() < eight(),
        "the daemon took too long to start for this test"
    );
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() >= 200, MINUTE)
            .await
    );
    eventually("everything settled", async || {
        let metrics = daemon.metrics().await;
        (metric(&metrics, "dosed_outbox_depth", &[]) == 0.0).then_some(())
    })
    .await;
    assert_eq!(daemon.stop().await.code(), Some(0));

    let inbox = world.sandbox.deliveries();
    assert_eq!(inbox.len(), 200);
    assert_eq!(world.sandbox.attempts().len(), 200);
    let addressees: BTreeSet<_> = inbox.iter().map(|message| message.touser.clone()).collect();
    assert_eq!(addressees.len(), 200);
    for message in &inbox {
        let waited = message.received.duration_since(eight());
        assert!(!waited.is_negative(), "before its instant: {waited:?}");
        // How late they are is measured by the bench; here the machine does other things, too.
        assert!(waited <= SignedDuration::from_secs(20), "after {waited:?}");
        assert_eq!(message.value("time3"), Some("2026-03-24 08:00"));
        assert_eq!(message.value("phrase5"), Some("按时"));
        let id = message
            .client_msg_id
            .as_deref()
            .expect("each send has a key");
        assert!(!id.is_empty() && id.len() <= 32 && id.is_ascii(), "{id}");
    }
    let one = &world.sandbox.inbox("o-p0007")[0];
    assert_eq!(one.value("thing1"), Some("患者0007"));
    assert_eq!(one.value("thing2"), Some("二甲双胍 1片"));
    assert_eq!(one.value("thing4"), Some("请按医嘱服用"));
    let two = &world.sandbox.inbox("o-two11")[0];
    assert_eq!(two.value("thing1"), Some("李11"));
    assert_eq!(two.value("thing2"), Some("二甲双胍 2片、氨氯地平 1片"));
    assert_eq!(two.value("thing4"), Some("饭后服用"));

    let history = world.history().await;
    assert_eq!(history.len(), 220, "one line a dose");
    for dose in &history {
        assert_eq!(
            (dose.state.as_str(), dose.due, dose.in_doubt),
            ("open", eight(), false),
            "{dose:?}"
        );
        assert!(dose.reminded.is_some_and(|at| at >= eight()), "{dose:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn medications_that_do_not_fit_one_message_get_one_each_and_none_is_cut() {
    let world = World::new().await;
    let names = [
        "苯磺酸左旋氨氯地平片",
        "盐酸二甲双胍缓释片",
        "阿托伐他汀钙片",
    ];
    let medications = names.map(|name| (name, "take = \"1片\"\nat = \"08:00\""));
    world.patient("many", "赵敏", &medications);
    let _daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 3, MINUTE)
            .await
    );
    let told: BTreeSet<String> = world
        .sandbox
        .inbox("o-many")
        .iter()
        .map(|message| message.value("thing2").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        told,
        names.iter().map(|name| format!("{name} 1片")).collect()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_in_asks_its_question_and_says_how_to_answer() {
    let world = World::new().await;
    world.write_plan(
        "asked",
        "name = \"王秀兰\"\nwechat = \"o-asked\"\n[[check_in]]\nask = \"今天的血压是多少？\"\nanswer = \"blood pressure\"\nat = \"08:00\"\n",
    );
    world.sandbox.follow("o-asked");
    let _daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| !inbox.is_empty(), MINUTE)
            .await
    );
    let message = &world.sandbox.inbox("o-asked")[0];
    assert_eq!(message.value("thing2"), Some("今天的血压是多少？"));
    assert!(
        message
            .value("thing3")
            .is_some_and(|answer| !answer.is_empty())
    );
    assert!(message.received >= eight());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_patient_is_reminded_in_their_own_zone_and_language() {
    let world = World::new().await;
    world.write_plan(
        "abroad",
        "name = \"Li Wei\"\nwechat = \"o-abroad\"\ntimezone = \"Europe/Berlin\"\nlanguage = \"en\"\n[[medication]]\nname = \"Metformin\"\ntake = \"1 tablet\"\nat = \"01:00\"\n",
    );
    world.sandbox.follow("o-abroad");
    let _daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| !inbox.is_empty(), MINUTE)
            .await
    );
    let message = &world.sandbox.inbox("o-abroad")[0];
    assert_eq!(message.value("time3"), Some("2026-03-24 01:00"));
    assert_eq!(message.value("thing2"), Some("Metformin 1 tablet"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_hours_hold_check_ins_and_never_doses() {
    let world = World::at("2026-03-24T21:59:55+08:00").await;
    world.reconfigure(
        "plans = \"plans.d\"",
        "quiet_hours = \"21:30-07:00\"\nplans = \"plans.d\"",
    );
    world.write_plan(
        "night",
        "name = \"王秀兰\"\nwechat = \"o-night\"\n[[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"22:00\"\n[[check_in]]\nask = \"睡得好吗？\"\nanswer = \"yes or no\"\nat = \"22:00\"\n",
    );
    world.sandbox.follow("o-night");
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| !inbox.is_empty(), MINUTE)
            .await
    );
    assert_eq!(
        world.sandbox.inbox("o-night")[0].value("phrase5"),
        Some("按时")
    );
    daemon.stop().await;
    // The next morning, within the question's window.
    world.clock.set("2026-03-25T06:59:57+08:00", 1);
    let _daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 2, MINUTE)
            .await
    );
    let question = &world.sandbox.inbox("o-night")[1];
    let seven: Timestamp = "2026-03-25T07:00:00+08:00".parse().expect("an instant");
    assert_eq!(question.value("thing2"), Some("睡得好吗？"));
    assert!(question.received >= seven, "{}", question.received);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recipients_whose_sends_hang_delay_nobody_else() {
    // The first tries of ten are never answered; they are the most urgent of all.
    let world = World::with_sandbox("2026-03-24T07:59:55+08:00", |options| {
        let tried = std::sync::Mutex::new(BTreeSet::new());
        options.faults = Faults::none().on_send(move |send, _| {
            let first = tried.lock().expect("no panic").insert(send.touser.clone());
            if first && send.touser.starts_with("o-slow") {
                Fault::Hang
            } else {
                Fault::None
            }
        });
    })
    .await;
    for n in 0..10 {
        let keys = "take = \"1片\"\nat = \"08:00\"\ncritical = true";
        world.patient(
            &format!("slow{n}"),
            &format!("李{n:02}"),
            &[("胰岛素", keys)],
        );
    }
    world.crowd(200);
    // So long that 200 sends of a debug build end within it.
    world.reconfigure("timeout = \"2 s\"", "timeout = \"10 s\"");
    let daemon = world.start().await;
    let all = world.sandbox.wait_for(|inbox| inbox.len() == 210, MINUTE);
    assert!(all.await);
    daemon.stop().await;
    let attempts = world.sandbox.attempts();
    let slow = |attempt: &&dosed::sandbox::Attempt| attempt.touser.starts_with("o-slow");
    assert_eq!(
        attempts.iter().filter(slow).count(),
        20,
        "each was tried twice"
    );
    // What was waited for is not the hanging ones' time limit.
    let again = attempts.iter().filter(slow).nth(10).expect("a second try");
    let later = attempts
        .iter()
        .filter(|attempt| !slow(attempt) && attempt.received > again.received);
    assert_eq!(later.count(), 0, "others waited for those that hang");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_rate_limit_is_kept() {
    let world = World::new().await;
    world.reconfigure("rate = 0", "rate = 20");
    world.crowd(60);
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 60, MINUTE)
            .await
    );
    daemon.stop().await;
    let mut at: Vec<Timestamp> = world
        .sandbox
        .attempts()
        .iter()
        .map(|attempt| attempt.received)
        .collect();
    at.sort();
    // Whatever burst a limiter allows itself, no second holds more than two seconds' worth.
    for (n, first) in at.iter().enumerate() {
        let within = at[n..]
            .iter()
            .filter(|at| at.duration_since(*first) < SignedDuration::from_secs(1));
        assert!(
            within.count() <= 40,
            "more than 40 within a second of {first}"
        );
    }
    assert!(at[59].duration_since(at[0]) >= SignedDuration::from_millis(1_500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_patient_without_an_address_disturbs_nobody() {
    let world = World::new().await;
    world.crowd(2);
    world.write_plan(
        "unbound",
        "name = \"周不在\"\n[[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"08:00\"\nwindow = \"30 min\"\n",
    );
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 2, MINUTE)
            .await
    );
    daemon.stop().await;
    world.clock.set("2026-03-24T08:31:00+08:00", 1);
    let _daemon = world.start().await;
    let dose = eventually("the dose's end", async || {
        let history = world.history().await;
        history
            .into_iter()
            .find(|dose| dose.patient == "unbound" && dose.state != "open")
    })
    .await;
    assert_eq!(
        (dose.state.as_str(), dose.reason.as_deref()),
        ("expired", Some("not_enrolled"))
    );
    let refused =
        |attempt: &dosed::sandbox::Attempt| matches!(attempt.outcome, Outcome::Refused(_));
    assert!(!world.sandbox.attempts().iter().any(refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_gateways_certificate_is_trusted_where_it_is_configured() {
    let world = World::new().await;
    world.crowd(10);
    let front = TlsFront::before(world.sandbox.addr()).await;
    world.write("ca.pem", front.authority());
    world.reconfigure(&world.sandbox.base_url(), &front.base_url());
    world.reconfigure("appid = ", "ca_file = \"ca.pem\"\nappid = ");
    let _daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 10, MINUTE)
            .await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_vouches_for_is_not_trusted() {
    let world = World::new().await;
    world.crowd(1);
    let front = TlsFront::before(world.sandbox.addr()).await;
    world.reconfigure(&world.sandbox.base_url(), &front.base_url());
    let daemon = world.start().await;
    eventually("the failure in health", async || {
        (daemon.health().await["status"] != "pass").then_some(())
    })
    .await;
    assert_eq!(world.sandbox.counts().tokens, 0, "the secret was not told");
}
