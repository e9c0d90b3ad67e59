//! The channel against a real server on loopback.

mod calls;
mod faults;
mod permits;
mod server;
mod templates;
mod tls;
mod tokens;

use super::template::{TemplateConfig, TemplatesConfig};
use super::*;
use crate::engine::{Addressee, Body, DoseLine, MessageId};
use crate::messaging::{MessageKind, Permit};
use crate::plan::{Language, Zone};
use jiff::Timestamp;
use server::Server;
use std::collections::BTreeMap;
use std::sync::Mutex;

pub const OPENID: &str = "oTestOpenidOfWangXiulan01234";
pub const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// 2026-11-24 08:00 in Shanghai.
pub const NOW: &str = "2026-11-24T00:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().expect("an instant")
}

pub fn wang() -> Addressee {
    Addressee {
        name: "王秀兰".into(),
        language: Language::ZhCn,
        zone: Zone::get("Asia/Shanghai").expect("a known zone"),
    }
}

pub fn dose(label: &str, amount: &str) -> DoseLine {
    DoseLine {
        medication: label.into(),
        label: label.into(),
        amount: amount.into(),
        formerly: None,
        due: now(),
        on_time_until: now() + jiff::SignedDuration::from_hours(1),
        note: None,
    }
}

pub fn config(kind: MessageKind, data: &[(&str, &str)]) -> TemplatesConfig {
    let data = data
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect();
    BTreeMap::from([(
        kind,
        TemplateConfig {
            id: "tmpl-Dose_01".into(),
            data,
        },
    )])
}

pub fn example() -> Templates {
    let config = config(
        MessageKind::Dose,
        &[
            ("thing1", "{{ patient }}"),
            ("thing2", "{{ medications }}"),
            ("time3", "{{ at }}"),
            ("thing4", "{{ note or '请按医嘱服用' }}"),
        ],
    );
    Templates::compile(&config, "郝医生诊所").expect("the example compiles")
}

/// Counts what the channel tells.
#[derive(Default)]
pub struct Counts {
    pub errcodes: Mutex<Vec<&'static str>>,
    pub refreshes: Mutex<Vec<RefreshResult>>,
}

impl Observer for Counts {
    fn errcode(&self, label: &'static str) {
        self.errcodes
            .lock()
            .expect("no panic under this lock")
            .push(label);
    }
    fn token_refreshed(&self, result: RefreshResult) {
        self.refreshes
            .lock()
            .expect("no panic under this lock")
            .push(result);
    }
}

pub fn settings(base: String) -> Settings {
    Settings {
        api_base: base,
        appid: "wx0123456789abcdef".into(),
        secret: Secret::new(SECRET),
        ca_pem: None,
        templates: example(),
        timeout: Duration::from_secs(10),
        concurrency: 64,
        observer: Arc::new(()),
    }
}

pub fn channel(settings: &Settings) -> WeChat {
    let mut wechat = WeChat::new(settings).expect("good settings");
    wechat.settling = Duration::ZERO;
    wechat
}

pub async fn send(wechat: &WeChat, id: u8) -> Verdict {
    send_if(wechat, id, &Permit::always()).await
}

pub async fn send_if(wechat: &WeChat, id: u8, permit: &Permit) -> Verdict {
    let body = Body::Dose(vec![dose("二甲双胍", "1片")]);
    let message = Outgoing {
        id: MessageId([id; 16]),
        address: OPENID,
        addressee: &wang(),
        body: &body,
        link: None,
        now: now(),
        permit,
    };
    wechat.send(message).await
}

#[tokio::test]
async fn a_reminder_goes_out_as_the_template_says() {
    let server = Server::start(|seen| {
        if seen.is_token() {
            server::token("T&1", 7200)
        } else {
            server::json(r#"{"errcode":0,"errmsg":"ok","msgid":9007199254740993}"#)
        }
    })
    .await;
    let wechat = channel(&settings(server.base() + "/gateway/"));
    let verdict = send(&wechat, 0xab).await;
    assert_eq!(verdict.outcome, Outcome::Accepted);
    assert_eq!(
        verdict.msgid,
        Some(9_007_199_254_740_993),
        "no digit is lost beyond 2^53"
    );
    assert_eq!(verdict.reason(), None);

    let token = &server.tokens()[0];
    assert_eq!(token.path, "/gateway/cgi-bin/stable_token");
    assert_eq!(
        token.json(),
        serde_json::json!({
            "grant_type": "client_credential",
            "appid": "wx0123456789abcdef",
            "secret": SECRET,
            "force_refresh": false,
        })
    );
    let sent = &server.sends()[0];
    assert_eq!(sent.path, "/gateway/cgi-bin/message/template/send");
    assert_eq!(
        sent.token.as_deref(),
        Some("T%261"),
        "a token is a value, whatever it holds"
    );
    assert!(
        sent.headers
            .contains(&"content-type: application/json".to_owned())
    );
    assert!(
        String::from_utf8_lossy(&sent.body).contains("二甲双胍 1片"),
        "text goes out unescaped"
    );
    let body: wire::TemplateSend = serde_json::from_slice(&sent.body).expect("the wire's form");
    assert_eq!(body.touser, OPENID);
    assert_eq!(body.template_id, "tmpl-Dose_01");
    assert_eq!(
        body.client_msg_id.as_deref(),
        Some("abababababababababababababababab")
    );
    let data: Vec<(&str, &str)> = body
        .data
        .iter()
        .map(|(key, value)| (key.as_str(), value.value.as_str()))
        .collect();
    assert_eq!(
        data,
        [
            ("thing1", "王秀兰"),
            ("thing2", "二甲双胍 1片"),
            ("thing4", "请按医嘱服用"),
            ("time3", "2026-11-24 08:00"),
        ]
    );
}

#[tokio::test]
async fn a_text_that_does_not_fit_is_not_sent() {
    let server = Server::start(|_| server::token("T1", 7200)).await;
    let wechat = channel(&settings(server.base()));
    let body = Body::Dose(vec![dose("一种名字非常非常非常非常非常非常长的药", "1片")]);
    let message = Outgoing {
        id: MessageId([1; 16]),
        address: OPENID,
        addressee: &wang(),
        body: &body,
        link: None,
        now: now(),
        permit: &Permit::always(),
    };
    let verdict = wechat.send(message).await;
    assert_eq!(verdict.outcome, Outcome::Message);
    assert_eq!(
        verdict.to_string(),
        "a template field cannot hold so long a text (field thing2)"
    );
    assert_eq!(server.seen().len(), 0, "not even a token was asked for");
}

#[test]
fn an_api_base_is_an_address_and_no_more() {
    for (base, good) in [
        ("https://api.weixin.qq.com", true),
        ("http://127.0.0.1:8080/", true),
        ("http://[::1]:8080/wechat", true),
        ("api.weixin.qq.com", false),
        ("ftp://api.weixin.qq.com", false),
        ("https://user:secret@api.weixin.qq.com", false),
        ("https://api.weixin.qq.com/?access_token=1", false),
        ("https://api.weixin.qq.com/#top", false),
        ("", false),
    ] {
        match parse_base(base) {
            Ok(_) => assert!(good, "{base}"),
            Err(error) => {
                assert!(!good, "{base}: {error}");
                assert!(!error.to_string().contains("secret@"), "{error}");
            }
        }
    }
}
