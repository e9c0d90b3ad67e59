//! What the sandbox pushes, and what it makes of the answers.

use super::desk::{APPID, KEY, NOON, PATIENCE, TOKEN, World};
use dosed::messaging::wechat::callback::{DeliveryStatus, Event, Kind, Mode, Unavailable};
use dosed::sandbox::{
    Callback, CallbackMode, Content, Follower, Options, Push, Report, Sandbox, Template,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const MODES: [(Mode, CallbackMode); 3] = [
    (Mode::Secure, CallbackMode::Secure),
    (Mode::Compatible, CallbackMode::Compatible),
    (Mode::Plain, CallbackMode::Plain),
];

async fn sandbox(world: &World, change: impl FnOnce(&mut Callback)) -> Sandbox {
    let mut callback = Callback::new(world.address, "/wechat", TOKEN, KEY, APPID).unwrap();
    change(&mut callback);
    let options = Options {
        appid: APPID.to_owned(),
        secret: "s3cret".to_owned(),
        templates: vec![Template::new("T", "x", &[("thing1", "x")])],
        followers: vec![
            Follower::new("o-wang", "王秀兰"),
            Follower::new("o-li", "李雷"),
        ],
        now: Arc::new(|| Timestamp::from_second(NOON).unwrap()),
        callback: Some(callback),
        ..Options::default()
    };
    // Fails when another test of this process was first; then it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Sandbox::start(options).await.unwrap()
}

/// Calls the sandbox's API with a token.
async fn call(sandbox: &Sandbox, path: &str, body: Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, body: Value| -> Value {
        let url = format!("{}/cgi-bin/{path}", sandbox.base_url());
        let body = body.to_string();
        let response = client.post(url).body(body).send().await.unwrap();
        response.json().await.unwrap()
    };
    let credential =
        json!({ "grant_type": "client_credential", "appid": APPID, "secret": "s3cret" });
    let token = post("stable_token", credential).await;
    let token = token["access_token"].as_str().unwrap();
    post(&format!("{path}?access_token={token}"), body).await
}

#[expect(clippy::too_many_lines, reason = "one table")]
#[tokio::test]
async fn every_push_of_every_mode_is_read_and_taken() {
    let text = |content: &str, menu_id: Option<&str>| Kind::Text {
        content: content.to_owned(),
        menu_id: menu_id.map(ToOwned::to_owned),
    };
    let report = |status| {
        Kind::Event(Event::TemplateSendJobFinish {
            msgid: i64::MAX,
            status,
        })
    };
    let subscribe = |scene: Option<&str>| {
        Kind::Event(Event::Subscribe {
            scene: scene.map(ToOwned::to_owned),
        })
    };
    let odd = "]]> <1> & 已服药😀";
    let rows = [
        (Push::Text(odd.to_owned()), text(odd, None)),
        (
            Push::Tap {
                id: "a1".to_owned(),
                content: "1".to_owned(),
            },
            text("1", Some("a1")),
        ),
        (
            Push::Image,
            Kind::Image {
                media_id: "sandbox-image".to_owned(),
            },
        ),
        (
            Push::Voice,
            Kind::Voice {
                media_id: "sandbox-voice".to_owned(),
            },
        ),
        (Push::Video, Kind::Video),
        (Push::ShortVideo, Kind::ShortVideo),
        (Push::Location, Kind::Location),
        (Push::Link, Kind::Link),
        (Push::Subscribe(None), subscribe(None)),
        (
            Push::Subscribe(Some(("s1".to_owned(), "t".to_owned()))),
            subscribe(Some("s1")),
        ),
        (Push::Unsubscribe, Kind::Event(Event::Unsubscribe)),
        (
            Push::Scan("s1".to_owned(), "t".to_owned()),
            Kind::Event(Event::Scan {
                scene: "s1".to_owned(),
            }),
        ),
        (
            Push::Click("TODAY".to_owned()),
            Kind::Event(Event::Click {
                key: "TODAY".to_owned(),
            }),
        ),
        (
            Push::View("https://x/?a=1&b=2".to_owned()),
            Kind::Event(Event::View),
        ),
        (
            Push::Report(i64::MAX, Report::Success),
            report(DeliveryStatus::Success),
        ),
        (
            Push::Report(i64::MAX, Report::UserBlock),
            report(DeliveryStatus::UserBlock),
        ),
        (
            Push::Report(i64::MAX, Report::SystemFailed),
            report(DeliveryStatus::SystemFailed),
        ),
        (
            Push::Report(i64::MAX, Report::FreqLimit),
            report(DeliveryStatus::FreqLimit),
        ),
    ];
    for (mode, pushed_as) in MODES {
        let world = World::start(mode, |_| Ok(None)).await;
        let sandbox = sandbox(&world, |callback| callback.mode = pushed_as).await;
        for (done, (push, kind)) in (1..).zip(&rows) {
            sandbox.push("o-wang", push.clone());
            assert!(
                sandbox
                    .wait_for_pushes(|pushes| pushes.len() == done, PATIENCE)
                    .await
            );
            let pushed = &sandbox.pushes()[done - 1];
            assert_eq!(
                (pushed.tries, pushed.taken, &pushed.reply),
                (1, true, &None),
                "{push:?}"
            );
            let taken = world.taken();
            assert_eq!(taken.len(), done);
            let inbound = &taken[done - 1];
            assert!(inbound.kind == *kind, "{mode:?} {push:?}: {inbound:?}");
            assert_eq!(inbound.contact, "o-wang");
            assert_eq!(inbound.account, "gh_sandbox00000");
            assert_eq!(inbound.created_at.as_second(), NOON);
        }
        assert_eq!(world.refused(), 0);
        sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn what_is_answered_at_once_stands_on_the_phone() {
    for (mode, pushed_as) in MODES {
        let world = World::start(mode, |_| Ok(Some("好的 ]]> & <记下了>".to_owned()))).await;
        let sandbox = sandbox(&world, |callback| callback.mode = pushed_as).await;
        sandbox.write("o-wang", "1");
        assert!(
            sandbox
                .wait_for(|delivered| delivered.len() == 1, PATIENCE)
                .await
        );
        let inbox = sandbox.inbox("o-wang");
        assert_eq!(
            inbox[0].content,
            Content::Text("好的 ]]> & <记下了>".to_owned())
        );
        assert_eq!(sandbox.pushes()[0].tries, 1, "{mode:?}");
    }
}

#[tokio::test]
async fn what_is_not_committed_is_pushed_again_under_the_same_key() {
    let mut tries = 0;
    let world = World::start(Mode::Secure, move |_| {
        tries += 1;
        if tries < 3 {
            Err(Unavailable)
        } else {
            Ok(None)
        }
    })
    .await;
    let short = |callback: &mut Callback| callback.patience = Duration::from_secs(2);
    let sandbox = sandbox(&world, short).await;
    sandbox.write("o-wang", "已服药");
    assert!(
        sandbox
            .wait_for_pushes(|pushes| pushes.len() == 1, PATIENCE)
            .await
    );
    let pushed = &sandbox.pushes()[0];
    assert_eq!((pushed.tries, pushed.taken), (3, true));
    let taken = world.taken();
    assert_eq!(taken.len(), 3);
    assert!(taken.iter().all(|inbound| inbound == &taken[0]));
    assert!(sandbox.inbox("o-wang").is_empty());
}

#[tokio::test]
async fn what_is_never_committed_is_given_up_and_the_follower_is_told() {
    let world = World::start(Mode::Secure, |_| Err(Unavailable)).await;
    let short = |callback: &mut Callback| callback.patience = Duration::from_millis(500);
    let sandbox = sandbox(&world, short).await;
    sandbox.write("o-wang", "已服药");
    assert!(
        sandbox
            .wait_for_pushes(|pushes| pushes.len() == 1, PATIENCE)
            .await
    );
    let pushed = &sandbox.pushes()[0];
    assert_eq!((pushed.tries, pushed.taken), (4, false));
    let inbox = sandbox.inbox("o-wang");
    assert_eq!(inbox.len(), 1);
    assert!(matches!(&inbox[0].content, Content::Text(text) if text.contains("暂时无法提供服务")));
}

#[tokio::test]
async fn a_code_tells_who_scanned_it_and_whether_they_came_by_it() {
    let world = World::start(Mode::Secure, |_| Ok(None)).await;
    let sandbox = sandbox(&world, |_| ()).await;
    let body = json!({
        "expire_seconds": 60,
        "action_name": "QR_STR_SCENE",
        "action_info": { "scene": { "scene_str": "5f1e" } },
    });
    let made = call(&sandbox, "qrcode/create", body).await;
    assert_eq!(made["expire_seconds"], 60);
    let ticket = made["ticket"].as_str().unwrap();
    assert!(
        made["url"]
            .as_str()
            .unwrap()
            .starts_with("http://weixin.qq.com/q/")
    );
    assert!(sandbox.scan("o-wang", ticket));
    assert!(!sandbox.scan("o-wang", "no such ticket"));
    assert!(
        sandbox
            .wait_for_pushes(|pushes| pushes.len() == 1, PATIENCE)
            .await
    );
    sandbox.unfollow("o-li");
    assert!(
        sandbox
            .wait_for_pushes(|pushes| pushes.len() == 2, PATIENCE)
            .await
    );
    assert!(sandbox.scan("o-li", ticket));
    assert!(
        sandbox
            .wait_for_pushes(|pushes| pushes.len() == 3, PATIENCE)
            .await
    );
    sandbox.follow("o-new");
    assert!(
        sandbox
            .wait_for_pushes(|pushes| pushes.len() == 4, PATIENCE)
            .await
    );
    let taken = world.taken();
    let expected = [
        (
            "o-wang",
            Event::Scan {
                scene: "5f1e".to_owned(),
            },
        ),
        ("o-li", Event::Unsubscribe),
        (
            "o-li",
            Event::Subscribe {
                scene: Some("5f1e".to_owned()),
            },
        ),
        ("o-new", Event::Subscribe { scene: None }),
    ];
    for (inbound, (openid, event)) in taken.iter().zip(expected) {
        assert_eq!(inbound.contact, openid);
        assert!(inbound.kind == Kind::Event(event), "{inbound:?}");
    }
    for (body, errcode) in [
        (
            json!({ "action_name": "QR_SCENE", "action_info": { "scene": { "scene_id": 1 } } }),
            40052,
        ),
        (json!({ "action_name": "QR_STR_SCENE" }), 40053),
        (
            json!({ "action_name": "QR_STR_SCENE", "action_info": { "scene": { "scene_str": "x".repeat(65) } } }),
            40053,
        ),
    ] {
        assert_eq!(
            call(&sandbox, "qrcode/create", body).await["errcode"],
            errcode
        );
    }
}

#[tokio::test]
async fn a_template_message_is_reported_under_its_number() {
    let world = World::start(Mode::Secure, |_| Ok(None)).await;
    let sandbox = sandbox(&world, |callback| callback.report = Report::SystemFailed).await;
    let body =
        json!({ "touser": "o-wang", "template_id": "T", "data": { "thing1": { "value": "x" } } });
    let sent = call(&sandbox, "message/template/send", body).await;
    let msgid = sent["msgid"].as_i64().unwrap();
    assert!(
        sandbox
            .wait_for_pushes(|pushes| pushes.len() == 1, PATIENCE)
            .await
    );
    let status = DeliveryStatus::SystemFailed;
    let report = Kind::Event(Event::TemplateSendJobFinish { msgid, status });
    assert!(world.taken()[0].kind == report);
}

#[tokio::test]
async fn somebody_who_looks_at_the_phone_page_can_write_on_it() {
    let world = World::start(Mode::Secure, |_| Ok(Some("收到".to_owned()))).await;
    let sandbox = sandbox(&world, |_| ()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let state = async || -> Value {
        let url = format!("{}/phone/state", sandbox.base_url());
        client.get(url).send().await.unwrap().json().await.unwrap()
    };
    let act = async |body: &str, kind: &str| {
        let url = format!("{}/phone/do", sandbox.base_url());
        let request = client.post(url).header("content-type", kind);
        request
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let kind_json = "application/json";
    assert_eq!(state().await["answers"], true);
    for (body, kind, status) in [
        (
            r#"{"openid":"o-wang","do":"write","text":"1"}"#,
            kind_json,
            200,
        ),
        (
            r#"{"openid":"o-wang","do":"write","text":"1"}"#,
            "text/plain",
            415,
        ),
        (r#"{"openid":"o-nobody","do":"follow"}"#, kind_json, 409),
        (
            r#"{"openid":"o-wang","do":"scan","ticket":"x"}"#,
            kind_json,
            409,
        ),
        (r#"{"openid":"o-li","do":"unfollow"}"#, kind_json, 200),
        (
            r#"{"openid":"o-li","do":"write","text":"1"}"#,
            kind_json,
            409,
        ),
    ] {
        assert_eq!(act(body, kind).await, status, "{body} {kind}");
    }
    assert!(
        sandbox
            .wait_for_pushes(|pushes| pushes.len() == 2, PATIENCE)
            .await
    );
    let state = state().await;
    assert_eq!(state["following"], json!(["o-wang"]));
    let shown: Vec<(&str, &str)> = state["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            (
                message["kind"].as_str().unwrap(),
                message["text"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(shown, [("own", "1"), ("text", "收到")]);
}
