//! The stand-in of the WeChat API over real HTTP, against what the platform is documented to do.

use dosed::sandbox::{Act, Content, Fault, Faults, Follower, Options, Outcome, Sandbox, Template};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const SEND: &str = "/cgi-bin/message/template/send";
const CUSTOM: &str = "/cgi-bin/message/custom/send";
const STABLE: &str = "/cgi-bin/stable_token";
const NOON: i64 = 1_800_000_000;
/// Far longer than anything here takes; short enough to see a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sandbox with a clock moved by hand, and a client that talks to it.
struct World {
    sandbox: Sandbox,
    second: Arc<AtomicI64>,
    client: reqwest::Client,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let second = Arc::new(AtomicI64::new(NOON));
        let clock = Arc::clone(&second);
        let mut options = Options {
            appid: "wx1".into(),
            secret: "s3cret".into(),
            templates: vec![
                Template::new(
                    "T-dose",
                    "用药提醒",
                    &[("thing1", "患者"), ("time2", "时间")],
                ),
                Template::new("T-other", "复诊提醒", &[("phrase1", "科室")]),
            ],
            followers: vec![
                Follower::new("o-wang", "王秀兰"),
                Follower::new("o-li", "李雷"),
            ],
            now: Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
            ..Options::default()
        };
        change(&mut options);
        // Fails when another test of this process was first; then it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            second,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn pass(&self, seconds: i64) {
        self.second.fetch_add(seconds, Ordering::SeqCst);
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    async fn post_raw(&self, path: &str, body: impl Into<reqwest::Body>) -> Value {
        let response = self
            .client
            .post(self.url(path))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "errors come inside HTTP 200");
        response.json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.post_raw(path, body.to_string()).await
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    async fn stable(&self, force: bool) -> Value {
        let body = json!({"grant_type": "client_credential", "appid": "wx1", "secret": "s3cret",
            "force_refresh": force});
        self.post(STABLE, &body).await
    }

    async fn token(&self) -> String {
        self.stable(false).await["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn send(&self, body: &Value) -> Value {
        let path = format!("{SEND}?access_token={}", self.token().await);
        self.post(&path, body).await
    }

    /// The bare request, for faults that leave no answer to read.
    async fn try_send(&self, body: &Value) -> reqwest::Result<reqwest::Response> {
        let url = self.url(&format!("{SEND}?access_token={}", self.token().await));
        self.client.post(url).body(body.to_string()).send().await
    }
}

fn dose(openid: &str, id: &str) -> Value {
    json!({
        "touser": openid,
        "template_id": "T-dose",
        "client_msg_id": id,
        "data": {"thing1": {"value": "王秀兰"}, "time2": {"value": "2026-11-24 08:00"}},
    })
}

/// `body` with the value at a JSON pointer's last step replaced, or removed where it is null.
fn but(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key);
    } else {
        parent.insert(key.to_owned(), value);
    }
    body
}

fn errcode(reply: &Value) -> i64 {
    reply["errcode"].as_i64().unwrap()
}

#[tokio::test]
async fn a_good_send_is_in_the_inbox_as_it_was_sent() {
    let world = World::new().await;
    let reply = world.send(&dose("o-wang", "m1")).await;
    assert_eq!((errcode(&reply), reply["errmsg"].as_str()), (0, Some("ok")));
    let msgid = reply["msgid"].as_i64().unwrap();
    assert!(msgid > 1 << 53, "{msgid}");

    let [message] = &world.sandbox.inbox("o-wang")[..] else {
        panic!("one message")
    };
    assert_eq!(message.seq, 1);
    assert_eq!(message.msgid, msgid);
    assert_eq!(message.received, Timestamp::from_second(NOON).unwrap());
    assert_eq!(message.client_msg_id.as_deref(), Some("m1"));
    assert_eq!(message.value("thing1"), Some("王秀兰"));
    assert_eq!(message.value("time2"), Some("2026-11-24 08:00"));
    assert_eq!(world.sandbox.inbox("o-li"), []);
    assert_eq!(world.sandbox.deliveries(), world.sandbox.inbox("o-wang"));
    assert_eq!(world.sandbox.counts().accepted, 1);
}

#[tokio::test]
async fn each_flaw_of_a_send_has_its_errcode_and_delivers_nothing() {
    let world = World::new().await;
    world.sandbox.unfollow("o-li");
    let (long, long_key) = ("药".repeat(21), "x".repeat(33));
    let (thing, time) = ("/data/thing1/value", "/data/time2/value");
    let rows = [
        ("unknown openid", "/touser", json!("o-nobody"), 40003, ""),
        ("no openid", "/touser", Value::Null, 41009, ""),
        ("not following", "/touser", json!("o-li"), 43004, ""),
        ("no template", "/template_id", Value::Null, 40036, ""),
        (
            "unknown template",
            "/template_id",
            json!("T-gone"),
            40037,
            "",
        ),
        (
            "no data",
            "/data",
            Value::Null,
            47003,
            "data.thing1.value is empty",
        ),
        (
            "missing",
            "/data/time2",
            Value::Null,
            47003,
            "data.time2.value is empty",
        ),
        (
            "blank",
            thing,
            json!(" "),
            47003,
            "data.thing1.value is empty",
        ),
        (
            "too long",
            thing,
            json!(long),
            47003,
            "data.thing1.value invalid",
        ),
        (
            "control",
            thing,
            json!("a\u{1}b"),
            47003,
            "data.thing1.value invalid",
        ),
        (
            "newline",
            thing,
            json!("a\nb"),
            47003,
            "data.thing1.value invalid",
        ),
        (
            "wrong kind",
            time,
            json!("soon"),
            47003,
            "data.time2.value invalid",
        ),
        ("a number", thing, json!(7), 47001, ""),
        ("key too long", "/client_msg_id", json!(long_key), 45067, ""),
        ("key not ASCII", "/client_msg_id", json!("消息"), 45067, ""),
    ];
    for (label, pointer, value, code, words) in rows {
        let reply = world.send(&but(dose("o-wang", "m1"), pointer, value)).await;
        assert_eq!(errcode(&reply), code, "{label}");
        let errmsg = reply["errmsg"].as_str().unwrap();
        assert!(
            errmsg.contains(words) && errmsg.contains(" rid: "),
            "{label}: {errmsg}"
        );
        assert_eq!(reply.get("msgid"), None, "{label}");
    }
    assert_eq!(world.sandbox.deliveries(), []);
    assert_eq!(world.sandbox.counts().refused[&47003], 7);
}

#[tokio::test]
async fn bodies_that_are_no_json_of_the_platform_are_refused() {
    let world = World::new().await;
    let path = format!("{SEND}?access_token={}", world.token().await);
    let rows = [
        ("empty", String::new(), 44002),
        ("not JSON", "touser=o-wang".into(), 47001),
        ("cut", r#"{"touser":"o-wang","#.into(), 47001),
        (
            "escaped Han",
            r#"{"touser":"o-wang","template_id":"T-dose","data":{"thing1":{"value":"\u738b"}}}"#
                .into(),
            40033,
        ),
        (
            "an escaped backslash before a u is none",
            r#"{"touser":"o-wang\\u738b"}"#.into(),
            40036,
        ),
    ];
    for (label, body, code) in rows {
        let reply = world.post_raw(&path, body).await;
        assert_eq!(errcode(&reply), code, "{label}");
    }
}

#[tokio::test]
async fn calls_without_a_good_token_are_refused_before_anything_else() {
    let world = World::new().await;
    let old = world.token().await;
    world.sandbox.invalidate_token();
    let killed = old;
    let expiring = world.token().await;
    assert_ne!(killed, expiring);
    world.pass(7200);
    let guess: String = expiring.chars().rev().collect();
    let rows = [
        ("none", String::new(), 41001),
        ("empty", "?access_token=".into(), 41001),
        ("another parameter", "?token=x".into(), 41001),
        ("killed", format!("?access_token={killed}"), 40001),
        ("expired", format!("?access_token={expiring}"), 42001),
        ("guessed", format!("?access_token={guess}"), 40001),
        ("malformed", "?access_token=nonsense".into(), 40014),
    ];
    for (label, query, code) in rows {
        for path in [SEND, CUSTOM, "/cgi-bin/openapi/quota/get"] {
            let reply = world.post_raw(&format!("{path}{query}"), "no JSON").await;
            assert_eq!(errcode(&reply), code, "{label} {path}");
        }
        let reply = world
            .get(&format!(
                "/cgi-bin/template/get_all_private_template{query}"
            ))
            .await;
        assert_eq!(errcode(&reply), code, "{label}");
    }
    assert_eq!(world.sandbox.attempts(), []);
}

#[tokio::test]
async fn each_flaw_of_a_token_request_has_its_errcode() {
    let world = World::new().await;
    let good = json!({"grant_type": "client_credential", "appid": "wx1", "secret": "s3cret"});
    let rows = [
        ("no appid", but(good.clone(), "/appid", Value::Null), 41002),
        (
            "no secret",
            but(good.clone(), "/secret", Value::Null),
            41004,
        ),
        (
            "no grant type",
            but(good.clone(), "/grant_type", Value::Null),
            40002,
        ),
        (
            "wrong grant type",
            but(good.clone(), "/grant_type", json!("password")),
            40002,
        ),
        (
            "wrong appid",
            but(good.clone(), "/appid", json!("wx2")),
            40013,
        ),
        (
            "wrong secret",
            but(good.clone(), "/secret", json!("s")),
            40125,
        ),
    ];
    for (label, body, code) in rows {
        let reply = world.post(STABLE, &body).await;
        assert_eq!(errcode(&reply), code, "{label}");
        let query: Vec<String> = body
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap()))
            .collect();
        let reply = world
            .get(&format!("/cgi-bin/token?{}", query.join("&")))
            .await;
        assert_eq!(errcode(&reply), code, "{label}, plain");
    }
    let reply = world.post_raw(STABLE, "appid=wx1").await;
    assert_eq!(errcode(&reply), 47001);
    assert_eq!(world.sandbox.counts().tokens, 0);
}

#[tokio::test]
async fn the_wrong_method_is_an_errcode_too() {
    let world = World::new().await;
    for path in [STABLE, SEND, CUSTOM, "/cgi-bin/openapi/quota/get"] {
        assert_eq!(errcode(&world.get(path).await), 43002, "{path}");
    }
    for path in [
        "/cgi-bin/token",
        "/cgi-bin/template/get_all_private_template",
    ] {
        assert_eq!(errcode(&world.post_raw(path, "{}").await), 43001, "{path}");
    }
}

#[tokio::test]
async fn tokens_are_renewed_by_the_platforms_rules() {
    let world = World::new().await;
    let first = world.stable(false).await;
    assert_eq!(first["expires_in"], 7200);
    assert_eq!(first.get("errcode"), None, "success has no errcode here");
    world.pass(100);
    let again = world.stable(false).await;
    assert_eq!(again["access_token"], first["access_token"]);
    assert_eq!(again["expires_in"], 7100);

    world.pass(6800);
    let renewed = world.stable(false).await;
    assert_ne!(renewed["access_token"], first["access_token"]);
    for (token, label) in [(&first, "old"), (&renewed, "new")] {
        let path = format!(
            "{SEND}?access_token={}",
            token["access_token"].as_str().unwrap()
        );
        let reply = world.post(&path, &dose("o-wang", label)).await;
        assert_eq!(
            errcode(&reply),
            0,
            "{label} is good in the last five minutes"
        );
    }

    let forced = world.stable(true).await;
    let path = format!(
        "{SEND}?access_token={}",
        renewed["access_token"].as_str().unwrap()
    );
    assert_eq!(
        errcode(&world.post(&path, &dose("o-wang", "dead")).await),
        40001
    );
    world.pass(29);
    assert_eq!(
        world.stable(true).await["access_token"],
        forced["access_token"]
    );
    world.pass(1);
    assert_ne!(
        world.stable(true).await["access_token"],
        forced["access_token"]
    );
    for _ in 0..18 {
        world.pass(30);
        assert!(world.stable(true).await["access_token"].is_string());
    }
    world.pass(30);
    assert_eq!(
        errcode(&world.stable(true).await),
        45009,
        "the 21st of the day"
    );

    let plain = "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s3cret";
    let one = world.get(plain).await;
    assert_ne!(world.get(plain).await["access_token"], one["access_token"]);
}

#[tokio::test]
async fn a_jammed_token_needs_forcing() {
    let world = World::new().await;
    let before = world.token().await;
    world.sandbox.jam_token();
    assert_eq!(world.token().await, before);
    assert_eq!(errcode(&world.send(&dose("o-wang", "m")).await), 40001);
    world.stable(true).await;
    assert_eq!(errcode(&world.send(&dose("o-wang", "m")).await), 0);
}

#[tokio::test]
async fn the_same_key_is_delivered_once_within_ten_minutes_of_the_first() {
    let world = World::new().await;
    let first = world.send(&dose("o-wang", "k")).await["msgid"].clone();
    // Seconds to wait before the send, and whether it is delivered.
    let rows = [
        (0, false),
        (300, false),
        (299, false),
        (1, true),
        (599, false),
        (1, true),
    ];
    let mut deliveries = 1;
    for (wait, delivered) in rows {
        world.pass(wait);
        let reply = world.send(&dose("o-wang", "k")).await;
        assert_eq!(errcode(&reply), 0);
        deliveries += usize::from(delivered);
        assert_eq!(
            world.sandbox.inbox("o-wang").len(),
            deliveries,
            "after {wait} s"
        );
        assert_eq!(reply["msgid"] == first, !delivered && deliveries == 1);
    }
    let duplicates: Vec<u32> = world
        .sandbox
        .deliveries()
        .iter()
        .map(|message| message.duplicates)
        .collect();
    assert_eq!(duplicates, [3, 1, 0]);
    assert_eq!(world.sandbox.counts().duplicates, 4);
    let outcomes: Vec<Outcome> = world
        .sandbox
        .attempts()
        .iter()
        .map(|attempt| attempt.outcome)
        .collect();
    let (new, again) = (Outcome::Delivered, Outcome::Duplicate);
    assert_eq!(outcomes, [new, again, again, again, new, again, new]);
}

#[tokio::test]
async fn keys_are_per_recipient_and_only_accepted_sends_use_them_up() {
    let world = World::new().await;
    let refused = but(dose("o-wang", "k"), "/data/time2/value", json!("soon"));
    assert_eq!(errcode(&world.send(&refused).await), 47003);
    world.send(&dose("o-wang", "k")).await;
    world.send(&dose("o-li", "k")).await;
    assert_eq!(world.sandbox.inbox("o-wang").len(), 1);
    assert_eq!(world.sandbox.inbox("o-li").len(), 1);

    let keyless = but(dose("o-wang", "k"), "/client_msg_id", Value::Null);
    world.send(&keyless).await;
    world.send(&keyless).await;
    assert_eq!(
        world.sandbox.inbox("o-wang").len(),
        3,
        "without a key nothing is a duplicate"
    );
}

#[tokio::test]
async fn a_key_is_remembered_over_a_clock_that_went_back() {
    let world = World::new().await;
    world.send(&dose("o-wang", "k")).await;
    world.pass(-3600);
    world.send(&dose("o-wang", "k")).await;
    assert_eq!(world.sandbox.deliveries().len(), 1);
    world.pass(3600 + 600);
    world.send(&dose("o-wang", "k")).await;
    assert_eq!(world.sandbox.deliveries().len(), 2);
}

#[tokio::test]
async fn who_unfollows_gets_nothing_until_they_follow_again() {
    let world = World::new().await;
    world.sandbox.unfollow("o-wang");
    assert_eq!(errcode(&world.send(&dose("o-wang", "a")).await), 43004);
    world.sandbox.follow("o-wang");
    assert_eq!(errcode(&world.send(&dose("o-wang", "a")).await), 0);
    world.sandbox.follow("o-new");
    assert_eq!(errcode(&world.send(&dose("o-new", "a")).await), 0);
}

#[tokio::test]
async fn the_daily_quota_ends_at_midnight_in_beijing() {
    let world = World::with(|options| options.template_quota = Some(2)).await;
    let quota = async || {
        let path = format!(
            "/cgi-bin/openapi/quota/get?access_token={}",
            world.token().await
        );
        let reply = world.post(&path, &json!({"cgi_path": SEND})).await;
        assert_eq!(errcode(&reply), 0);
        reply["quota"].clone()
    };
    world.send(&dose("o-wang", "a")).await;
    world.send(&dose("o-wang", "a")).await;
    world.send(&dose("o-wang", "b")).await;
    assert_eq!(
        quota().await,
        json!({"daily_limit": 2, "used": 2, "remain": 0})
    );
    assert_eq!(errcode(&world.send(&dose("o-wang", "c")).await), 45009);
    // 1_800_000_000 is 16:00 in Beijing.
    world.pass(8 * 3600 - 1);
    assert_eq!(errcode(&world.send(&dose("o-wang", "c")).await), 45009);
    world.pass(1);
    assert_eq!(errcode(&world.send(&dose("o-wang", "c")).await), 0);
    assert_eq!(quota().await["used"], 1);

    let path = format!(
        "/cgi-bin/openapi/quota/get?access_token={}",
        world.token().await
    );
    assert_eq!(
        errcode(
            &world
                .post(&path, &json!({"cgi_path": "/cgi-bin/nothing"}))
                .await
        ),
        76021
    );
}

#[tokio::test]
async fn the_templates_are_listed_with_their_keywords() {
    let world = World::new().await;
    let path = format!(
        "/cgi-bin/template/get_all_private_template?access_token={}",
        world.token().await
    );
    let list = world.get(&path).await["template_list"].clone();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["template_id"], "T-dose");
    assert_eq!(list[0]["title"], "用药提醒");
    assert_eq!(
        list[0]["content"],
        "患者：{{thing1.DATA}}\n时间：{{time2.DATA}}\n"
    );
}

#[tokio::test]
async fn custom_messages_need_an_act_of_the_user_and_are_counted() {
    let world = World::new().await;
    let text = |content: &str| json!({"touser": "o-wang", "msgtype": "text", "text": {"content": content}});
    let send = async |body: Value| {
        let path = format!("{CUSTOM}?access_token={}", world.token().await);
        errcode(&world.post(&path, &body).await)
    };
    assert_eq!(send(text("你好")).await, 45015, "nothing was done yet");

    world.sandbox.act("o-wang", Act::Writes);
    for _ in 0..5 {
        assert_eq!(send(text("你好")).await, 0);
    }
    assert_eq!(send(text("你好")).await, 45047, "five are used up");

    world.sandbox.act("o-wang", Act::TapsMenu);
    world.pass(59);
    assert_eq!(send(text("你好")).await, 0);
    world.pass(1);
    assert_eq!(send(text("你好")).await, 45015, "a tap counts for a minute");

    world.sandbox.act("o-wang", Act::Writes);
    world.pass(48 * 3600 - 1);
    assert_eq!(send(text("你好")).await, 0);
    let rows = [
        ("empty", text(""), 44004),
        ("too long", text(&"药".repeat(683)), 45002),
        (
            "wrong type",
            but(text("x"), "/msgtype", json!("smoke")),
            40008,
        ),
        (
            "unknown",
            but(text("x"), "/touser", json!("o-nobody")),
            40003,
        ),
    ];
    for (label, body, code) in rows {
        assert_eq!(send(body).await, code, "{label}");
    }
    world.sandbox.unfollow("o-wang");
    world.sandbox.act("o-wang", Act::Writes);
    assert_eq!(send(text("你好")).await, 45015, "no longer following");

    let inbox = world.sandbox.inbox("o-wang");
    assert_eq!(inbox.len(), 7);
    assert_eq!(inbox[0].content, Content::Text("你好".into()));
}

/// What the caller of a faulty request gets to see.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Errcode(i64),
    Html(u16),
    /// No answer, and the connection is gone.
    Broken,
    /// The head of an answer and a part of its body.
    Cut,
    Nothing,
}

async fn look(result: reqwest::Result<reqwest::Response>) -> Seen {
    let Ok(response) = result else {
        return Seen::Broken;
    };
    let status = response.status().as_u16();
    match response.text().await {
        Err(_) => Seen::Cut,
        Ok(text) if text.starts_with("<html>") => Seen::Html(status),
        Ok(text) => {
            let reply: Value = serde_json::from_str(&text).unwrap();
            Seen::Errcode(errcode(&reply))
        }
    }
}

#[tokio::test]
async fn each_fault_is_seen_as_itself_and_carries_out_what_it_says() {
    let world = World::new().await;
    let rows = [
        (Fault::None, Seen::Errcode(0)),
        (Fault::Errcode(45009), Seen::Errcode(45009)),
        (Fault::ErrcodeAfter(-1), Seen::Errcode(-1)),
        (Fault::Http(502), Seen::Html(502)),
        (Fault::HttpAfter(500), Seen::Html(500)),
        (Fault::Hang, Seen::Nothing),
        (Fault::HangAfter, Seen::Nothing),
        (Fault::DropBefore, Seen::Broken),
        (Fault::DropAfter, Seen::Broken),
        (Fault::Delay(Duration::from_millis(20)), Seen::Errcode(0)),
        (Fault::Truncate, Seen::Cut),
        (Fault::Garble, Seen::Html(200)),
    ];
    for (n, (fault, seen)) in rows.into_iter().enumerate() {
        let body = dose("o-wang", &format!("m{n}"));
        let before = world.sandbox.deliveries().len();
        let tries = world.sandbox.attempts().len() + 1;
        world.sandbox.queue_faults([fault]);
        let began = Instant::now();
        let answer = async { look(world.try_send(&body).await).await };
        // What never answers is left alone as soon as the sandbox has noted the try.
        let noted = world
            .sandbox
            .wait_for_attempts(|all| all.len() >= tries, PATIENCE);
        let outcome = if seen == Seen::Nothing {
            tokio::select! {
                seen = answer => seen,
                noted = noted => { assert!(noted, "{fault:?}"); Seen::Nothing }
            }
        } else {
            answer.await
        };
        assert_eq!(outcome, seen, "{fault:?}");
        if let Fault::Delay(delay) = fault {
            assert!(began.elapsed() >= delay);
        }
        let carried_out = world.sandbox.deliveries().len() - before;
        assert_eq!(carried_out, usize::from(fault.carries_out()), "{fault:?}");
        assert_eq!(
            world.sandbox.attempts().len(),
            tries,
            "{fault:?}: the client did not repeat it"
        );
        let attempt = world.sandbox.attempts().pop().unwrap();
        assert_eq!((attempt.fault, attempt.touser.as_str()), (fault, "o-wang"));
        // The account is as usable as before.
        let reply = world.send(&dose("o-li", &format!("after{n}"))).await;
        assert_eq!(errcode(&reply), 0, "after {fault:?}");
    }
}

#[tokio::test]
async fn a_resend_after_an_answer_that_was_lost_is_a_duplicate() {
    let world = World::new().await;
    for (n, fault) in [
        Fault::DropAfter,
        Fault::Truncate,
        Fault::HttpAfter(500),
        Fault::Garble,
    ]
    .into_iter()
    .enumerate()
    {
        let body = dose("o-wang", &format!("m{n}"));
        world.sandbox.queue_faults([fault]);
        look(world.try_send(&body).await).await;
        assert_eq!(errcode(&world.send(&body).await), 0);
        let inbox = world.sandbox.inbox("o-wang");
        assert_eq!((inbox.len(), inbox[n].duplicates), (n + 1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_script_sees_each_send_and_its_number() {
    let world = World::with(|options| {
        options.faults = Faults::none().on_send(|send, nth| match (&*send.touser, nth) {
            ("o-li", _) => Fault::Errcode(43117),
            (_, 3) => Fault::Errcode(-1),
            _ => Fault::None,
        });
    })
    .await;
    let rows = [
        ("o-wang", 0),
        ("o-li", 43117),
        ("o-wang", -1),
        ("o-wang", 0),
    ];
    for (n, (openid, code)) in rows.into_iter().enumerate() {
        let reply = world.send(&dose(openid, &n.to_string())).await;
        assert_eq!(errcode(&reply), code, "send {}", n + 1);
    }
    assert_eq!(world.sandbox.counts().faults, 2);
    world.sandbox.set_faults(Faults::none());
    assert_eq!(errcode(&world.send(&dose("o-li", "z")).await), 0);
}

#[tokio::test]
async fn token_requests_have_a_script_of_their_own() {
    let world = World::with(|options| {
        options.faults = Faults::none().on_token(|nth| match nth {
            1 => Fault::Errcode(40164),
            2 => Fault::Http(503),
            3 => Fault::DropAfter,
            _ => Fault::None,
        });
    })
    .await;
    let ask = async || {
        let body = json!({"grant_type": "client_credential", "appid": "wx1", "secret": "s3cret"});
        world
            .client
            .post(world.url(STABLE))
            .body(body.to_string())
            .send()
            .await
    };
    assert_eq!(look(ask().await).await, Seen::Errcode(40164));
    assert_eq!(look(ask().await).await, Seen::Html(503));
    assert_eq!(look(ask().await).await, Seen::Broken);
    assert_eq!(world.token().await.len(), 512);
}

#[tokio::test]
async fn waiting_ends_with_the_change_or_with_the_time() {
    let world = World::new().await;
    assert!(
        !world
            .sandbox
            .wait_for(|all| !all.is_empty(), Duration::from_millis(1))
            .await
    );
    let body = dose("o-wang", "m");
    let (met, reply) = tokio::join!(
        world.sandbox.wait_for(|all| all.len() == 1, PATIENCE),
        world.send(&body)
    );
    assert!(met);
    assert_eq!(errcode(&reply), 0);
    assert!(
        world
            .sandbox
            .wait_for_counts(|counts| counts.accepted == 1, PATIENCE)
            .await
    );
}

#[tokio::test]
async fn closed_it_refuses_connections_and_reopened_it_remembers() {
    let world = World::new().await;
    let token = world.token().await;
    world.send(&dose("o-wang", "k")).await;
    world.sandbox.close().await;
    let refused = world
        .client
        .get(world.sandbox.base_url())
        .send()
        .await
        .unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    world.sandbox.open().await.unwrap();
    assert_eq!(world.token().await, token);
    world.send(&dose("o-wang", "k")).await;
    assert_eq!(world.sandbox.inbox("o-wang")[0].duplicates, 1);
}

#[tokio::test]
async fn shutting_down_ends_requests_that_hang() {
    let world = World::new().await;
    world.sandbox.queue_faults([Fault::Hang]);
    let url = world.url(&format!("{SEND}?access_token={}", world.token().await));
    let request = world
        .client
        .post(url)
        .body(dose("o-wang", "m").to_string())
        .send();
    let hanging = tokio::spawn(request);
    assert!(
        world
            .sandbox
            .wait_for_attempts(|all| all.len() == 1, PATIENCE)
            .await
    );
    let began = Instant::now();
    world.sandbox.shutdown().await;
    assert!(hanging.await.unwrap().is_err());
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "not by its time limit"
    );
}

#[tokio::test]
async fn without_a_record_only_the_numbers_grow() {
    let world = World::with(|options| options.record = false).await;
    world.send(&dose("o-wang", "a")).await;
    world.send(&dose("o-wang", "a")).await;
    world.send(&dose("o-wang", "b")).await;
    let counts = world.sandbox.counts();
    assert_eq!((counts.accepted, counts.duplicates), (2, 1));
    assert_eq!(world.sandbox.deliveries(), []);
    assert_eq!(world.sandbox.attempts(), []);
}

#[tokio::test]
async fn a_keyword_of_no_kind_is_refused_at_the_start() {
    let options = Options {
        templates: vec![Template::new("T", "x", &[("things1", "y")])],
        ..Options::default()
    };
    let error = Sandbox::start(options).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_page_comes_whole_from_here_under_a_strict_policy() {
    let world = World::new().await;
    let files = [
        ("/", "text/html; charset=utf-8"),
        ("/phone.css", "text/css; charset=utf-8"),
        ("/phone.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/phone/state", "application/json"),
    ];
    for (path, kind) in files {
        let response = world.client.get(world.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], kind, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none';"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let text = response.text().await.unwrap();
        let abroad = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!abroad.contains("://"), "{path} names another place");
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(
                !text.contains(word),
                "{path} turns text into markup by {word}"
            );
        }
        for inline in ["<script>", "<style", " style=", " onclick="] {
            assert!(
                path != "/" || !text.contains(inline),
                "{path} has {inline} inline"
            );
        }
    }
}

#[tokio::test]
async fn the_page_is_told_who_follows_and_what_came() {
    let world = World::with(|options| {
        options.page.title = "Dr Hao Clinic".into();
        options.page.timezone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        options.page.speed = 60;
        options.followers[0].note = "72 岁".into();
    })
    .await;
    world.send(&dose("o-wang", "a")).await;
    world.pass(90);
    world.sandbox.act("o-li", Act::Writes);
    let text = json!({"touser": "o-li", "msgtype": "text", "text": {"content": "<b>你好</b>"}});
    let path = format!("{CUSTOM}?access_token={}", world.token().await);
    assert_eq!(errcode(&world.post(&path, &text).await), 0);

    let mut state = world.get("/phone/state").await;
    let run = state["run"].take();
    assert_eq!(run.as_str().map(str::len), Some(16));
    let card = json!({
        "seq": 1, "to": "o-wang", "at": NOON * 1000, "kind": "card", "title": "用药提醒",
        "rows": [["患者", "王秀兰"], ["时间", "2026-11-24 08:00"]],
    });
    let text = json!({
        "seq": 2, "to": "o-li", "at": (NOON + 90) * 1000, "kind": "text", "text": "<b>你好</b>",
    });
    let expected = json!({
        "run": null, "title": "Dr Hao Clinic", "zone": "Asia/Shanghai", "speed": 60,
        "now": (NOON + 90) * 1000,
        "followers": [
            {"openid": "o-wang", "name": "王秀兰", "note": "72 岁"},
            {"openid": "o-li", "name": "李雷", "note": ""},
        ],
        "messages": [card, text],
        "answers": false, "following": ["o-wang", "o-li"], "codes": [],
    });
    assert_eq!(state, expected);
    assert_eq!(
        world.get("/phone/state?after=1").await["messages"],
        json!([text])
    );
    assert_eq!(
        world.get("/phone/state?after=2").await["messages"],
        json!([])
    );
    assert_eq!(
        world.get("/phone/state?after=99").await["messages"],
        json!([])
    );

    world.sandbox.follow("o-new");
    let followers = world.get("/phone/state").await["followers"].clone();
    assert_eq!(
        followers[2],
        json!({"openid": "o-new", "name": "o-new", "note": ""})
    );
}

/// Reads a stream of events until `count` of a kind have come, and returns their data.
async fn listen(response: &mut reqwest::Response, kind: &str, count: usize) -> Vec<Value> {
    let mut text = String::new();
    loop {
        let events: Vec<Value> = text
            .split_inclusive("\n\n")
            .filter(|event| event.ends_with("\n\n"))
            .filter(|event| match event.strip_prefix("event: ") {
                Some(named) => named.starts_with(kind),
                None => kind == "message",
            })
            .map(|event| serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap())
            .collect();
        if events.len() >= count {
            return events;
        }
        let chunk = response.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn the_stream_gives_what_came_after_and_what_comes() {
    let world = World::new().await;
    for id in ["a", "b", "c"] {
        world.send(&dose("o-wang", id)).await;
    }
    let url = world.url("/phone/events?after=1");
    let mut stream = world.client.get(url).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let seen = listen(&mut stream, "message", 2).await;
    assert_eq!([&seen[0]["seq"], &seen[1]["seq"]], [2, 3]);

    world.send(&dose("o-li", "d")).await;
    let seen = listen(&mut stream, "message", 1).await;
    assert_eq!(
        (&seen[0]["seq"], &seen[0]["to"]),
        (&json!(4), &json!("o-li"))
    );

    let mut stream = world
        .client
        .get(world.url("/phone/events?after=4"))
        .send()
        .await
        .unwrap();
    let clock = listen(&mut stream, "clock", 1).await;
    assert_eq!(clock[0]["now"], NOON * 1000);
    assert_eq!(clock[0]["run"], world.get("/phone/state").await["run"]);

    world.sandbox.shutdown().await;
    assert_eq!(
        stream.chunk().await.unwrap(),
        None,
        "a stop ends the stream"
    );
}
