//! Custom messages and codes.

use super::server::{Reply, Server, json, token};
use super::*;

async fn serving(reply: Reply) -> Server {
    Server::start(move |seen| {
        if seen.is_token() {
            token("T1", 7200)
        } else {
            reply.clone()
        }
    })
    .await
}

#[tokio::test]
async fn a_custom_message_goes_out_as_it_stands() {
    let server = serving(json(r#"{"errcode":0,"errmsg":"ok"}"#)).await;
    let wechat = channel(&settings(server.base() + "/gateway/"));
    let verdict = wechat
        .send_text(OPENID, "\u{597d}\u{7684} \"1\"\n", None, now())
        .await;
    assert_eq!(verdict.outcome, Outcome::Accepted);
    let sent = &server.sends()[0];
    assert_eq!(sent.path, "/gateway/cgi-bin/message/custom/send");
    assert_eq!(sent.token.as_deref(), Some("T1"));
    assert_eq!(
        sent.json(),
        serde_json::json!({
            "touser": OPENID,
            "msgtype": "text",
            "text": { "content": "\u{597d}\u{7684} \"1\"\n" },
        })
    );
    assert!(
        !String::from_utf8_lossy(&sent.body).contains("\\u"),
        "text goes out unescaped"
    );
}

#[tokio::test]
async fn an_unknown_outcome_of_a_custom_message_is_final_and_refusals_are_classified() {
    let refusal = |code: i64| json(&format!(r#"{{"errcode":{code},"errmsg":"x rid: 1"}}"#));
    let rows: [(&str, Reply, Outcome, Option<u8>); 11] = [
        ("closed", Reply::Close, Outcome::Unknown, Some(1)),
        (
            "500",
            Reply::Answer(500, "text/html", b"<html>".to_vec()),
            Outcome::Unknown,
            Some(1),
        ),
        ("no result", json("{}"), Outcome::Unknown, Some(1)),
        (
            "a number of a message alone",
            json(r#"{"msgid":1}"#),
            Outcome::Unknown,
            Some(1),
        ),
        ("-1", refusal(-1), Outcome::Unknown, Some(1)),
        ("no window", refusal(45015), Outcome::Recipient, None),
        ("used up", refusal(45047), Outcome::Recipient, None),
        ("turned off", refusal(48002), Outcome::Recipient, None),
        ("limited", refusal(50002), Outcome::Recipient, None),
        ("too long", refusal(45002), Outcome::Message, None),
        (
            "no permission",
            refusal(48001),
            Outcome::Configuration,
            None,
        ),
    ];
    for (name, reply, outcome, tries_max) in rows {
        let server = serving(reply).await;
        let wechat = channel(&settings(server.base()));
        let verdict = wechat.send_text(OPENID, "1", None, now()).await;
        assert_eq!(
            (verdict.outcome, verdict.tries_max),
            (outcome, tries_max),
            "{name}"
        );
        assert_eq!(server.sends().len(), 1, "{name}: sent once");
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_for_every_call() {
    let server = Server::start(|seen| match (seen.is_token(), seen.index) {
        (true, 0) => token("T1", 7200),
        (true, _) => token("T2", 7200),
        (false, _) if seen.token.as_deref() == Some("T1") => json(r#"{"errcode":42001}"#),
        (false, _) if seen.path.ends_with("create") => json(r#"{"ticket":"t","url":"u"}"#),
        (false, _) => json(r#"{"errcode":0}"#),
    })
    .await;
    let wechat = channel(&settings(server.base()));
    let verdict = wechat.send_text(OPENID, "1", None, now()).await;
    assert_eq!(verdict.outcome, Outcome::Accepted);
    let code = wechat
        .create_code(&Secret::new("s"), Duration::from_secs(60), now())
        .await;
    assert!(code.is_ok());
    assert_eq!(server.tokens().len(), 2);
}

#[tokio::test]
async fn a_code_carries_its_scene_and_its_life() {
    for (life, asked, answered, expires_in) in [
        (3600, 3600, Some(3600), 3600),
        (3600, 3600, None, 3600),
        (3600, 3600, Some(60), 60),
        (0, 1, Some(1), 1),
        (9_999_999, 2_592_000, Some(9_999_999), 2_592_000),
    ] {
        let mut body = serde_json::json!({ "ticket": "gQ==", "url": "http://weixin.qq.com/q/x" });
        if let Some(answered) = answered {
            body["expire_seconds"] = answered.into();
        }
        let server = serving(json(&body.to_string())).await;
        let wechat = channel(&settings(server.base()));
        let life = Duration::from_secs(life);
        let code = wechat
            .create_code(&Secret::new("5ecret"), life, now())
            .await;
        let code = code.unwrap_or_else(|verdict| panic!("{verdict}"));
        assert_eq!(code.ticket.expose(), "gQ==");
        assert_eq!(code.url.expose(), "http://weixin.qq.com/q/x");
        assert_eq!(code.expires_in, Duration::from_secs(expires_in));
        let sent = &server.sends()[0];
        assert_eq!(sent.path, "/cgi-bin/qrcode/create");
        assert_eq!(
            sent.json(),
            serde_json::json!({
                "expire_seconds": asked,
                "action_name": "QR_STR_SCENE",
                "action_info": { "scene": { "scene_str": "5ecret" } },
            })
        );
        assert!(!format!("{code:?}").contains("weixin"));
    }
}

#[tokio::test]
async fn what_is_no_code_is_an_error() {
    for (body, outcome) in [
        (r#"{"errcode":40053,"errmsg":"x"}"#, Outcome::Message),
        (r#"{"errcode":48001,"errmsg":"x"}"#, Outcome::Configuration),
        (r#"{"ticket":"t"}"#, Outcome::Unknown),
        (r#"{"ticket":"","url":""}"#, Outcome::Unknown),
        (r#"{"errcode":0}"#, Outcome::Unknown),
    ] {
        let server = serving(json(body)).await;
        let wechat = channel(&settings(server.base()));
        let code = wechat
            .create_code(&Secret::new("s"), Duration::from_secs(60), now())
            .await;
        assert_eq!(
            code.err().map(|verdict| verdict.outcome),
            Some(outcome),
            "{body}"
        );
    }
}
