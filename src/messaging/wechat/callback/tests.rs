//! Requests as the platform makes them, and as it does not.

use super::*;
use crate::messaging::Secret;
use crate::messaging::wechat::crypto::{Cipher, CryptoError, signature};
use crate::messaging::wechat::wire::xml::{Element, XmlFault};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOKEN: &str = "emulatortoken";
const KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";
const APPID: &str = "wx5f0a1b2c3d4e5f60";
const ACCOUNT: &str = "gh_7f083739789a";
const OPENID: &str = "oia2TjuEGTNoeX76QEjQNrcURxG8";
const SECOND: i64 = 1_714_112_445;

fn now() -> Timestamp {
    Timestamp::from_second(SECOND).expect("an instant")
}

/// Takes everything and answers as told.
struct Desk {
    now: Timestamp,
    reply: Option<Result<Option<String>, Unavailable>>,
    taken: Mutex<Vec<Inbound>>,
    counts: Mutex<Vec<(InboundKind, InboundResult)>>,
}

impl Inbox for Desk {
    fn receive(&self, inbound: Inbound) -> BoxFuture<'_, Result<Option<String>, Unavailable>> {
        Box::pin(async move {
            let Some(reply) = self.reply.clone() else {
                return std::future::pending().await;
            };
            self.taken.lock().expect("no panic").push(inbound);
            reply
        })
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn count(&self, kind: InboundKind, result: InboundResult) {
        self.counts.lock().expect("no panic").push((kind, result));
    }
}

fn desk(reply: Option<Result<Option<String>, Unavailable>>) -> Arc<Desk> {
    Arc::new(Desk {
        now: now(),
        reply,
        taken: Mutex::default(),
        counts: Mutex::default(),
    })
}

fn settings(mode: Mode) -> Settings {
    Settings {
        appid: APPID.to_owned(),
        account: None,
        token: Secret::new(TOKEN),
        aes_key: Some(Secret::new(KEY)),
        mode,
    }
}

fn reception(mode: Mode) -> Reception {
    Reception::new(&settings(mode), desk(Some(Ok(None)))).expect("a good key")
}

fn cipher() -> Cipher {
    Cipher::new(KEY, APPID).expect("a good key")
}

type Pairs = Vec<(String, String)>;

fn pairs(list: &[(&str, &str)]) -> Pairs {
    list.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn signed_at(second: i64) -> Pairs {
    let second = second.to_string();
    let signed = signature(&[TOKEN, &second, "415670741"]);
    pairs(&[
        ("signature", &signed),
        ("timestamp", &second),
        ("nonce", "415670741"),
        ("openid", OPENID),
    ])
}

fn signed() -> Pairs {
    signed_at(SECOND)
}

/// Query and body of an encrypted push.
fn encrypted(message: &str) -> (Pairs, String) {
    let text = cipher().encrypt(*b"1234567890123456", message);
    (
        msg_signed(&text),
        format!(
            "<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName><Encrypt><![CDATA[{text}]]></Encrypt></xml>"
        ),
    )
}

fn msg_signed(text: &str) -> Pairs {
    let mut query = signed();
    let parts = [TOKEN, &SECOND.to_string(), "415670741", text];
    query.extend(pairs(&[
        ("encrypt_type", "aes"),
        ("msg_signature", &signature(&parts)),
    ]));
    query
}

fn message(rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName>\n<FromUserName><![CDATA[{OPENID}]]></FromUserName>\n\
         <CreateTime>{SECOND}</CreateTime>\n{rest}</xml>"
    )
}

fn event(rest: &str) -> String {
    message(&format!("<MsgType><![CDATA[event]]></MsgType>{rest}"))
}

fn opened(message: &str) -> Result<Inbound, Refusal> {
    let (query, body) = encrypted(message);
    let secure = reception(Mode::Secure).open(&query, body.as_bytes(), now());
    let plain = reception(Mode::Plain).open(&signed(), message.as_bytes(), now());
    assert!(secure == plain, "{message}: {secure:?} {plain:?}");
    secure
}

#[track_caller]
fn kind(message: &str) -> Kind {
    opened(message)
        .unwrap_or_else(|refusal| panic!("{message}: {refusal}"))
        .kind
}

#[test]
fn every_kind_of_message_is_read() {
    let text = |content: &str, menu_id: Option<&str>| Kind::Text {
        content: content.to_owned(),
        menu_id: menu_id.map(ToOwned::to_owned),
    };
    let id = "<MsgId>24000000000000001</MsgId>";
    let rows = [
        (
            "<MsgType>text</MsgType><Content><![CDATA[\u{5df2}\u{670d}\u{836f}\u{1f600} <1>]]></Content>",
            text("\u{5df2}\u{670d}\u{836f}\u{1f600} <1>", None),
        ),
        ("<MsgType>text</MsgType><Content/>", text("", None)),
        ("<MsgType>text</MsgType>", text("", None)),
        (
            "<MsgType>text</MsgType><Content> 1 </Content><bizmsgmenuid>a7</bizmsgmenuid>",
            text("1", Some("a7")),
        ),
        (
            "<MsgType>\n<![CDATA[text]]> </MsgType><Content><![CDATA[ 1]]></Content><Odd><x/></Odd>",
            text(" 1", None),
        ),
        (
            "<MediaId>m1</MediaId><PicUrl>http://x</PicUrl><MsgType>image</MsgType>",
            Kind::Image {
                media_id: "m1".to_owned(),
            },
        ),
        (
            "<MsgType>voice</MsgType><MediaId>m2</MediaId><Format>amr</Format><Recognition/>",
            Kind::Voice {
                media_id: "m2".to_owned(),
            },
        ),
        (
            "<MsgType>video</MsgType><MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId>",
            Kind::Video,
        ),
        (
            "<MsgType>shortvideo</MsgType><MediaId>m</MediaId>",
            Kind::ShortVideo,
        ),
        (
            "<MsgType>location</MsgType><Location_X>23.1</Location_X><Location_Y>113.3</Location_Y><Scale>20</Scale><Label>x</Label>",
            Kind::Location,
        ),
        (
            "<MsgType>link</MsgType><Title>t</Title><Description>d</Description><Url>u</Url>",
            Kind::Link,
        ),
        ("<MsgType>file</MsgType><Title>t</Title>", Kind::Other),
        ("<MsgType>TEXT</MsgType>", Kind::Other),
    ];
    for (rest, expected) in rows {
        let found = kind(&message(&format!("{rest}{id}")));
        assert!(found == expected, "{rest}: {found:?}");
    }
    let inbound = opened(&message(rows_text())).expect("a message");
    assert_eq!(inbound.contact, OPENID);
    assert_eq!(inbound.account, ACCOUNT);
    assert_eq!(inbound.created_at, now());
}

fn rows_text() -> &'static str {
    "<MsgType>text</MsgType><Content>1</Content><MsgId>1</MsgId>"
}

#[test]
fn every_kind_of_event_is_read() {
    let scene = |scene: Option<&str>| Event::Subscribe {
        scene: scene.map(ToOwned::to_owned),
    };
    let report = |status| Event::TemplateSendJobFinish {
        msgid: 3_141_592_653_589_793_238,
        status,
    };
    let id = "<MsgID>3141592653589793238</MsgID>";
    let consent = |template_id: &str, accepts| Consent {
        template_id: template_id.to_owned(),
        accepts,
    };
    let rows = [
        ("<Event>subscribe</Event>".to_owned(), scene(None)),
        ("<Event>subscribe</Event><EventKey><![CDATA[]]></EventKey>".to_owned(), scene(None)),
        ("<Event>subscribe</Event><EventKey>qrscene_</EventKey>".to_owned(), scene(None)),
        ("<Event>subscribe</Event><EventKey>last_trade_no_4001</EventKey>".to_owned(), scene(None)),
        ("<Event>subscribe</Event><EventKey>qrscene_a1b2</EventKey><Ticket>T</Ticket>".to_owned(), scene(Some("a1b2"))),
        ("<Event>SCAN</Event><EventKey>qrscene_a1b2</EventKey><Ticket>T</Ticket>".to_owned(), Event::Scan { scene: "qrscene_a1b2".to_owned() }),
        ("<Event>unsubscribe</Event><EventKey/>".to_owned(), Event::Unsubscribe),
        ("<Event>CLICK</Event><EventKey>TODAY</EventKey>".to_owned(), Event::Click { key: "TODAY".to_owned() }),
        ("<Event>VIEW</Event><EventKey>http://x</EventKey><MenuId>1</MenuId>".to_owned(), Event::View),
        ("<Event>LOCATION</Event><Latitude>23</Latitude>".to_owned(), Event::Location),
        ("<Event>Subscribe</Event>".to_owned(), Event::Other),
        ("<Event>scancode_push</Event><ScanCodeInfo><ScanType>qrcode</ScanType></ScanCodeInfo>".to_owned(), Event::Other),
        (format!("<Event>TEMPLATESENDJOBFINISH</Event>{id}<Status>success</Status>"), report(DeliveryStatus::Success)),
        (format!("<Event>TEMPLATESENDJOBFINISH</Event>{id}<Status><![CDATA[failed:user block]]></Status>"), report(DeliveryStatus::UserBlock)),
        (format!("<Event>TEMPLATESENDJOBFINISH</Event>{id}<Status>failed: system failed</Status>"), report(DeliveryStatus::SystemFailed)),
        (format!("<Event>TEMPLATESENDJOBFINISH</Event>{id}<Status>failed:freq limit</Status>"), report(DeliveryStatus::FreqLimit)),
        (format!("<Event>TEMPLATESENDJOBFINISH</Event>{id}<Status>failed:new reason</Status>"), report(DeliveryStatus::OtherFailed)),
        (format!("<Event>TEMPLATESENDJOBFINISH</Event>{id}<Status>successful</Status>"), report(DeliveryStatus::OtherFailed)),
        (
            "<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent>\
             <List><TemplateId>A</TemplateId><SubscribeStatusString>accept</SubscribeStatusString><PopupScene>1</PopupScene></List>\
             <List><TemplateId>B</TemplateId><SubscribeStatusString>reject</SubscribeStatusString></List>\
             </SubscribeMsgPopupEvent>".to_owned(),
            Event::Consents(vec![consent("A", true), consent("B", false)]),
        ),
        (
            "<Event>subscribe_msg_change_event</Event><SubscribeMsgChangeEvent><List><TemplateId>A</TemplateId>\
             <SubscribeStatusString>reject</SubscribeStatusString></List></SubscribeMsgChangeEvent>".to_owned(),
            Event::Consents(vec![consent("A", false)]),
        ),
        (
            "<Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List><TemplateId>A</TemplateId>\
             <MsgID>1700827132819554304</MsgID><ErrorCode>0</ErrorCode><ErrorStatus>success</ErrorStatus></List></SubscribeMsgSentEvent>".to_owned(),
            Event::NoticesSent(vec![NoticeSent { template_id: "A".to_owned(), msgid: Some(1_700_827_132_819_554_304), errcode: 0 }]),
        ),
    ];
    for (rest, expected) in rows {
        let found = kind(&event(&rest));
        assert!(found == Kind::Event(expected), "{rest}: {found:?}");
    }
}

#[test]
fn what_lacks_a_field_or_has_it_twice_is_refused() {
    let id = "<MsgId>1</MsgId>";
    for (text, refusal) in [
        (message(""), Refusal::Field),
        (message("<MsgType>image</MsgType>"), Refusal::Field),
        (
            message("<MsgType>text</MsgType><MsgType>text</MsgType>"),
            XmlFault::Repeated.into(),
        ),
        (
            message("<MsgType>text</MsgType><Content>1</Content><Content>2</Content>"),
            XmlFault::Repeated.into(),
        ),
        (event(""), Refusal::Field),
        (
            event("<Event>TEMPLATESENDJOBFINISH</Event><Status>success</Status>"),
            Refusal::Field,
        ),
        (
            event("<Event>TEMPLATESENDJOBFINISH</Event><MsgID>1e3</MsgID><Status>success</Status>"),
            Refusal::Field,
        ),
        (
            event("<Event>TEMPLATESENDJOBFINISH</Event><MsgID>1</MsgID>"),
            Refusal::Field,
        ),
        (
            event(
                "<Event>subscribe_msg_popup_event</Event><W><List><PopupScene>1</PopupScene></List></W>",
            ),
            Refusal::Field,
        ),
        (
            message(&format!("<MsgType>text</MsgType>{id}")).replace(OPENID, ""),
            Refusal::Field,
        ),
        (
            message(&format!("<MsgType>text</MsgType>{id}")).replace(OPENID, "o\u{836f}"),
            Refusal::Field,
        ),
        (
            message(&format!("<MsgType>text</MsgType>{id}")).replace(OPENID, &"o".repeat(65)),
            Refusal::Field,
        ),
        (
            message(&format!("<MsgType>text</MsgType>{id}")).replace(ACCOUNT, "a b"),
            Refusal::Field,
        ),
        (
            message(&format!("<MsgType>text</MsgType>{id}")).replace(&SECOND.to_string(), "soon"),
            Refusal::Field,
        ),
        (
            message(&format!("<MsgType>text</MsgType>{id}"))
                .replace(&SECOND.to_string(), "9223372036854775807"),
            Refusal::Field,
        ),
        (
            format!("<!DOCTYPE xml>{}", message(rows_text())),
            XmlFault::Entity.into(),
        ),
        (
            "{\"MsgType\":\"text\"}".to_owned(),
            XmlFault::Malformed.into(),
        ),
    ] {
        let found = opened(&text);
        assert_eq!(found.err(), Some(refusal), "{text}");
    }
}

#[test]
fn pushes_of_one_thing_have_one_key_and_others_have_another() {
    let other = OPENID.replace('G', "H");
    let texts = |rest: &str| {
        message(&format!(
            "<MsgType>text</MsgType><Content>1</Content>{rest}"
        ))
    };
    // Each row: the same thing in several forms, and different from all other rows.
    let rows: Vec<Vec<String>> = vec![
        vec![
            texts("<MsgId>7</MsgId>"),
            texts("<MsgId><![CDATA[ 7 ]]></MsgId>").replace("<Content>1", "<Content>2"),
            texts("<MsgId>7</MsgId>").replace(&SECOND.to_string(), "1714112450"),
        ],
        vec![texts("<MsgId>8</MsgId>")],
        vec![texts("<MsgId>7</MsgId>").replace(OPENID, &other)],
        vec![texts(""), texts("")],
        vec![texts("").replace("<Content>1", "<Content>2")],
        vec![event("<Event>CLICK</Event><EventKey>A</EventKey>"), event("<EventKey>A</EventKey><Event>CLICK</Event><New/>")],
        vec![event("<Event>CLICK</Event><EventKey>B</EventKey>")],
        vec![event("<Event>VIEW</Event><EventKey>A</EventKey>")],
        vec![event("<Event>CLICK</Event><EventKey>A</EventKey>").replace(&SECOND.to_string(), "1714112446")],
        vec![
            event("<Event>TEMPLATESENDJOBFINISH</Event><MsgID>7</MsgID><Status>success</Status>"),
            event("<Event>TEMPLATESENDJOBFINISH</Event><MsgID>7</MsgID><Status>failed:user block</Status>").replace(&SECOND.to_string(), "1714112450"),
        ],
        vec![event("<Event>TEMPLATESENDJOBFINISH</Event><MsgID>8</MsgID><Status>success</Status>")],
        vec![event("<Event>subscribe_msg_sent_event</Event><W><List><TemplateId>A</TemplateId><MsgID>1</MsgID><ErrorCode>0</ErrorCode></List></W>")],
        vec![event("<Event>subscribe_msg_sent_event</Event><W><List><TemplateId>A</TemplateId><MsgID>2</MsgID><ErrorCode>0</ErrorCode></List></W>")],
    ];
    let key = |text: &String| opened(text).expect("a message").dedupe_key;
    let mut seen = Vec::new();
    for row in &rows {
        let keys: Vec<DedupeKey> = row.iter().map(key).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{row:?}");
        assert!(!seen.contains(&keys[0]), "{row:?}");
        seen.push(keys[0]);
    }
}

#[test]
fn each_mode_takes_its_own_form_only() {
    let text = message(rows_text());
    let (query, body) = encrypted(&text);
    let both = body.replace(
        "</xml>",
        &format!(
            "{}</xml>",
            message("<MsgType>text</MsgType><Content>forged</Content><MsgId>2</MsgId>")
                .replace("<xml>", "")
                .replace("</xml>", "")
                .replace(
                    &format!("<ToUserName><![CDATA[{ACCOUNT}]]></ToUserName>\n"),
                    ""
                )
        ),
    );
    let msg_signature: Pairs = query
        .iter()
        .filter(|(key, _)| key != "encrypt_type")
        .cloned()
        .collect();
    let rows: [(Mode, &Pairs, &str, Option<Refusal>); 10] = [
        (Mode::Secure, &query, &body, None),
        (Mode::Secure, &query, &both, None),
        (Mode::Secure, &signed(), &text, Some(Refusal::NotEncrypted)),
        (
            Mode::Secure,
            &msg_signature,
            &body,
            Some(Refusal::NotEncrypted),
        ),
        (Mode::Secure, &query, &text, Some(Refusal::NotEncrypted)),
        (Mode::Compatible, &query, &both, None),
        (Mode::Compatible, &msg_signature, &both, None),
        (
            Mode::Compatible,
            &signed(),
            &text,
            Some(Refusal::NotEncrypted),
        ),
        (Mode::Plain, &signed(), &text, None),
        (Mode::Plain, &query, &body, Some(Refusal::Encrypted)),
    ];
    for (mode, query, body, refusal) in rows {
        let found = reception(mode).open(query, body.as_bytes(), now());
        assert_eq!(found.as_ref().err(), refusal.as_ref(), "{mode:?} {body}");
        if let Ok(inbound) = found {
            let one = Kind::Text {
                content: "1".to_owned(),
                menu_id: None,
            };
            assert!(
                inbound.kind == one,
                "{mode:?}: what is signed is read, not what stands beside it"
            );
        }
    }
}

#[test]
fn what_was_changed_on_the_way_or_is_for_another_is_refused() {
    let text = message(rows_text());
    let (query, body) = encrypted(&text);
    let with = |key: &str, value: Option<&str>| -> Pairs {
        let mut changed: Pairs = query
            .iter()
            .filter(|(found, _)| found != key)
            .cloned()
            .collect();
        changed.extend(value.map(|value| (key.to_owned(), value.to_owned())));
        changed
    };
    let twice = [query.clone(), pairs(&[("nonce", "415670741")])].concat();
    let long = "1".repeat(1025);
    let one_off = signature(&[TOKEN, &SECOND.to_string(), "1"]);
    for (query, refusal) in [
        (Pairs::new(), Refusal::Query),
        (with("signature", None), Refusal::Query),
        (with("timestamp", None), Refusal::Query),
        (with("nonce", None), Refusal::Query),
        (with("nonce", Some(&long)), Refusal::Query),
        (twice, Refusal::Query),
        (with("encrypt_type", Some("des")), Refusal::Query),
        (with("signature", Some("")), Refusal::Signature),
        (with("signature", Some(&one_off)), Refusal::Signature),
        (with("nonce", Some("415670742")), Refusal::Signature),
        (with("timestamp", Some("1714112446")), Refusal::Signature),
        (with("msg_signature", None), Refusal::MessageSignature),
        (
            with("msg_signature", Some(&query[0].1)),
            Refusal::MessageSignature,
        ),
    ] {
        let found = reception(Mode::Secure).open(&query, body.as_bytes(), now());
        assert_eq!(found.err(), Some(refusal), "{query:?}");
    }
    let flipped = body.replacen("9s4g", "9s4h", 1);
    assert_ne!(flipped, body);
    let found = reception(Mode::Secure).open(&query, flipped.as_bytes(), now());
    assert_eq!(found.err(), Some(Refusal::MessageSignature));

    // Signed by somebody who knows the token, but not for this account.
    let foreign = Cipher::new(KEY, "wx0000000000000000")
        .expect("a good key")
        .encrypt([7; 16], &text);
    let found = reception(Mode::Secure).open(
        &msg_signed(&foreign),
        format!("<xml><Encrypt>{foreign}</Encrypt></xml>").as_bytes(),
        now(),
    );
    assert_eq!(found.err(), Some(Refusal::Crypto(CryptoError::Appid)));
    let outside = body.replace(ACCOUNT, "gh_000000000000");
    let found = reception(Mode::Secure).open(&query, outside.as_bytes(), now());
    assert_eq!(found.err(), Some(Refusal::Account));
    let own = Settings {
        account: Some("gh_000000000000".to_owned()),
        ..settings(Mode::Secure)
    };
    let own = Reception::new(&own, desk(Some(Ok(None)))).expect("a good key");
    assert_eq!(
        own.open(&query, body.as_bytes(), now()).err(),
        Some(Refusal::Account)
    );
}

#[test]
fn a_request_of_more_than_ten_minutes_away_is_refused() {
    let text = message(rows_text());
    for (seconds, fresh) in [
        (0, true),
        (600, true),
        (-600, true),
        (601, false),
        (-601, false),
        (86_400, false),
    ] {
        let at = now() + SignedDuration::from_secs(seconds);
        let found = reception(Mode::Plain).open(&signed(), text.as_bytes(), at);
        assert_eq!(found.err(), (!fresh).then_some(Refusal::Stale), "{seconds}");
    }
    for odd in ["", "x", "-", "99999999999999999999", "9223372036854775807"] {
        let signed = signature(&[TOKEN, odd, "1"]);
        let query = pairs(&[("signature", &signed), ("timestamp", odd), ("nonce", "1")]);
        let found = reception(Mode::Plain).open(&query, text.as_bytes(), now());
        assert_eq!(found.err(), Some(Refusal::Query), "{odd}");
    }
}

#[test]
fn the_address_is_verified_by_its_echo() {
    let desk = desk(Some(Ok(None)));
    let reception = Reception::new(&settings(Mode::Secure), desk.clone()).expect("a good key");
    let mut query = signed();
    assert_eq!(reception.greet(&query), Err(Refusal::Query));
    query.extend(pairs(&[("echostr", "5927782489442352469")]));
    assert_eq!(
        reception.greet(&query).as_deref(),
        Ok("5927782489442352469")
    );
    query[0].1.replace_range(..1, "x");
    assert_eq!(reception.greet(&query), Err(Refusal::Signature));
    let counts = desk.counts.lock().expect("no panic");
    assert_eq!(*counts, [(InboundKind::Unread, InboundResult::Refused); 2]);
}

#[tokio::test]
async fn what_was_committed_is_answered_and_what_was_not_is_not() {
    let long = "\u{836f}".repeat(1000) + "]]>";
    for (reply, answer) in [
        (Some(Ok(None)), Some("success")),
        (Some(Ok(Some(String::new()))), Some("success")),
        (Some(Ok(Some(" \n".to_owned()))), Some("success")),
        (Some(Err(Unavailable)), None),
        (None, None),
    ] {
        let desk = desk(reply);
        let reception = Reception::new(&settings(Mode::Plain), desk.clone())
            .expect("plain mode needs no key")
            .with_commit_max(Duration::from_millis(20));
        let answered = reception
            .receive(&signed(), message(rows_text()).as_bytes())
            .await;
        let counts = desk.counts.lock().expect("no panic").clone();
        if let Some(body) = answer {
            assert!(answered == Answer::Taken(body.into()));
            assert_eq!(counts, [], "whoever takes it counts it");
        } else {
            assert!(answered == Answer::Unavailable);
            assert_eq!(counts, [(InboundKind::Text, InboundResult::Failed)]);
        }
    }
    let reception =
        Reception::new(&settings(Mode::Plain), desk(Some(Ok(Some(long.clone()))))).expect("no key");
    let Answer::Taken(body) = reception
        .receive(&signed(), message(rows_text()).as_bytes())
        .await
    else {
        panic!("not taken")
    };
    let reply = Element::read(body.as_bytes()).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(reply.text_of("ToUserName"), Ok(Some(OPENID)));
    assert_eq!(reply.text_of("FromUserName"), Ok(Some(ACCOUNT)));
    assert_eq!(
        reply.text_of("CreateTime"),
        Ok(Some(SECOND.to_string().as_str()))
    );
    assert_eq!(reply.text_of("MsgType"), Ok(Some("text")));
    let content = reply.text_of("Content").expect("once").expect("there");
    assert_eq!(content.len(), 2046, "cut at the end of a character");
    assert!(long.starts_with(content));
}

#[tokio::test]
async fn an_answer_is_encrypted_where_the_push_was() {
    for mode in [Mode::Secure, Mode::Compatible] {
        let desk = desk(Some(Ok(Some("\u{597d}\u{7684}]]>".to_owned()))));
        let reception = Reception::new(&settings(mode), desk).expect("a good key");
        let mut answers = Vec::new();
        for _ in 0..2 {
            let (query, body) = encrypted(&message(rows_text()));
            let Answer::Taken(body) = reception.receive(&query, body.as_bytes()).await else {
                panic!("not taken")
            };
            let outer = Element::read(body.as_bytes()).unwrap_or_else(|fault| panic!("{fault}"));
            let text = |name| {
                outer
                    .text_of(name)
                    .expect("once")
                    .expect("there")
                    .to_owned()
            };
            let parts = [TOKEN, &text("TimeStamp"), &text("Nonce"), &text("Encrypt")];
            assert_eq!(signature(&parts), text("MsgSignature"));
            let inner = cipher().decrypt(&text("Encrypt")).expect("our own");
            let inner = Element::read(&inner).unwrap_or_else(|fault| panic!("{fault}"));
            assert_eq!(inner.text_of("Content"), Ok(Some("\u{597d}\u{7684}]]>")));
            answers.push(text("Encrypt"));
        }
        assert_ne!(
            answers[0], answers[1],
            "each begins with other random bytes"
        );
    }
}

#[tokio::test]
async fn events_that_nobody_sees_an_answer_to_get_none() {
    for (rest, answered) in [
        ("<Event>unsubscribe</Event>", false),
        ("<Event>VIEW</Event><EventKey>x</EventKey>", false),
        (
            "<Event>TEMPLATESENDJOBFINISH</Event><MsgID>1</MsgID><Status>success</Status>",
            false,
        ),
        ("<Event>subscribe</Event>", true),
        ("<Event>SCAN</Event><EventKey>x</EventKey>", true),
        ("<Event>CLICK</Event><EventKey>x</EventKey>", true),
    ] {
        let desk = desk(Some(Ok(Some("words".to_owned()))));
        let reception = Reception::new(&settings(Mode::Plain), desk).expect("no key");
        let answer = reception.receive(&signed(), event(rest).as_bytes()).await;
        assert_eq!(
            answer == Answer::Taken("success".into()),
            !answered,
            "{rest}"
        );
    }
}

#[test]
fn nothing_of_a_message_is_shown_for_debugging() {
    let text = message(
        "<MsgType>text</MsgType><Content>hypoglycaemia</Content><bizmsgmenuid>m7</bizmsgmenuid><MsgId>1</MsgId>",
    );
    let scan = event("<Event>SCAN</Event><EventKey>s3cret</EventKey>");
    let shown = format!("{:?} {:?}", opened(&text), opened(&scan));
    assert_eq!(
        shown,
        "Ok(Inbound { kind: text, .. }) Ok(Inbound { kind: event scan, .. })"
    );
}

#[test]
fn a_mode_that_encrypts_needs_a_key() {
    for (mode, key, good) in [
        (Mode::Secure, Some(KEY), true),
        (Mode::Secure, Some("short"), false),
        (Mode::Secure, None, false),
        (Mode::Compatible, None, false),
        (Mode::Plain, None, true),
    ] {
        let settings = Settings {
            aes_key: key.map(Secret::new),
            ..settings(mode)
        };
        let made = Reception::new(&settings, desk(Some(Ok(None))));
        assert_eq!(made.is_ok(), good, "{mode:?} {key:?}");
    }
}
