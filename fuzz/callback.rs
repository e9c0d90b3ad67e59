//! What is pushed to the callback address: messages and events mended and broken, in the clear and
//! encrypted, with right signatures and others.

use crate::choices::Choices;
use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockEncryptMut, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dosed::messaging::Secret;
use dosed::messaging::wechat::callback::{
    Inbound, InboundKind, InboundResult, Inbox, Kind, Mode, Reception, Refusal, Settings,
    Unavailable,
};
use dosed::messaging::wechat::crypto::{Cipher, signature};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

const TOKEN: &str = "emulatortoken";
const KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";
/// The same key, as the cipher takes it.
const KEY_HEX: &str = "916c4f115d94103cb15a998f74a0b71787603c398ebdf297d471a71140d2d5a4";
const APPID: &str = "wx5f0a1b2c3d4e5f60";
const OPENID: &str = "oia2TjuEGTNoeX76QEjQNrcURxG8";
const ACCOUNT: &str = "gh_7f083739789a";
const NOW: i64 = 1_800_000_000;

/// Values of elements, right and wrong. None holds the end of CDATA.
const VALUES: &[&str] = &[
    "1",
    "已服药😀 <1> & 二",
    "没吃",
    "停止",
    "130/85",
    "",
    "   ",
    "success",
    "failed:user block",
    "failed: system failed",
    "qrscene_5f1e",
    "qrscene_",
    "24000000000000001",
    "9223372036854775808",
    "-1",
    "007",
    "1e9",
    "text",
    "event",
    "subscribe",
    "o1 o2",
    "\u{200b}\u{feff}",
    "&amp;",
    "&#x4e2d;",
    "<b/>",
    "accept",
];
const KINDS: &[&str] = &[
    "text",
    "image",
    "voice",
    "video",
    "shortvideo",
    "location",
    "link",
    "event",
    "music",
    "TEXT",
    "",
];
const EVENTS: &[&str] = &[
    "subscribe",
    "unsubscribe",
    "SCAN",
    "CLICK",
    "VIEW",
    "LOCATION",
    "TEMPLATESENDJOBFINISH",
    "subscribe_msg_popup_event",
    "subscribe_msg_change_event",
    "subscribe_msg_sent_event",
    "kf_create_session",
    "Subscribe",
    "",
];
/// Elements that messages and events have beside those that all have.
const ELEMENTS: &[&str] = &[
    "Content",
    "MsgId",
    "MsgID",
    "bizmsgmenuid",
    "MediaId",
    "PicUrl",
    "Format",
    "Recognition",
    "EventKey",
    "Ticket",
    "Status",
    "Latitude",
    "Unknown",
    "Encrypt",
    "ToUserName",
];
/// What is put where it does not belong.
const STRAYS: &[&str] = &[
    "<xml>",
    "</xml>",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE xml [<!ENTITY a \"aaaa\">]>",
    "<!ENTITY b SYSTEM \"file:///etc/passwd\">",
    "&a;",
    "&lt;",
    "&#0;",
    "&#x110000;",
    "<!--",
    "-->",
    "<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
    "<a b=\"c\" d='e'/>",
    "<a><a><a><a><a><a><a><a>",
    "</",
    "<",
    "\u{0}",
    "\r\n",
    "<xml/>",
];

struct Nobody;

impl Inbox for Nobody {
    fn receive(&self, _: Inbound) -> BoxFuture<'_, Result<Option<String>, Unavailable>> {
        Box::pin(std::future::ready(Err(Unavailable)))
    }
    fn now(&self) -> Timestamp {
        now()
    }
    fn count(&self, _: InboundKind, _: InboundResult) {}
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("the second of this file is one")
}

fn reception(mode: Mode) -> Reception {
    let settings = Settings {
        appid: APPID.to_owned(),
        account: None,
        token: Secret::new(TOKEN),
        aes_key: Some(Secret::new(KEY)),
        mode,
    };
    Reception::new(&settings, Arc::new(Nobody)).expect("the key of this file is one")
}

static PLAIN: LazyLock<Reception> = LazyLock::new(|| reception(Mode::Plain));
static SECURE: LazyLock<Reception> = LazyLock::new(|| reception(Mode::Secure));
static COMPATIBLE: LazyLock<Reception> = LazyLock::new(|| reception(Mode::Compatible));

type Query = Vec<(String, String)>;

fn signed(second: i64, encrypted: Option<&str>) -> Query {
    let second = second.to_string();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mut query = vec![
        pair("signature", &signature(&[TOKEN, &second, "7"])),
        pair("timestamp", &second),
        pair("nonce", "7"),
        pair("openid", OPENID),
    ];
    if let Some(encrypted) = encrypted {
        let signed = signature(&[TOKEN, &second, "7", encrypted]);
        query.push(pair("encrypt_type", "aes"));
        query.push(pair("msg_signature", &signed));
    }
    query
}

/// A value in one of the forms in which it may stand.
fn form(value: &str, choices: &mut Choices<'_>) -> String {
    let escaped = || value.replace('&', "&amp;").replace('<', "&lt;");
    match choices.below(4) {
        0 | 1 => format!("<![CDATA[{value}]]>"),
        2 => escaped(),
        _ => format!("\n  {}\n ", escaped()),
    }
}

/// A message or an event, whole; what was written as its kind and as its content.
fn message(choices: &mut Choices<'_>) -> (String, &'static str, &'static str) {
    let kind = KINDS[choices.below(KINDS.len())];
    let content = VALUES[choices.below(VALUES.len())];
    let mut elements: Vec<(&str, String)> = vec![
        ("ToUserName", ACCOUNT.to_owned()),
        ("FromUserName", OPENID.to_owned()),
        ("CreateTime", (NOW - 3).to_string()),
        ("MsgType", kind.to_owned()),
    ];
    if kind == "event" {
        elements.push(("Event", choices.pick(EVENTS).to_owned()));
    } else {
        elements.push(("Content", content.to_owned()));
        elements.push(("MediaId", "m-1".to_owned()));
    }
    if choices.chance(12) {
        elements.push(("MsgId", choices.below(65_536).to_string()));
    }
    for _ in 0..choices.below(4) {
        let name = choices.pick(ELEMENTS);
        if elements.iter().all(|(known, _)| known != &name) {
            elements.push((name, choices.pick(VALUES).to_owned()));
        }
    }
    let mut text = String::from("<xml>");
    let turn = choices.below(elements.len());
    elements.rotate_left(turn);
    for (name, value) in elements {
        let value = form(&value, choices);
        let _ = write!(text, "<{name}>{value}</{name}>");
    }
    if choices.chance(3) {
        text.push_str("<SubscribeMsgPopupEvent>");
        for _ in 0..choices.below(3) {
            let value = choices.pick(VALUES);
            let value = form(value, choices);
            let _ = write!(
                text,
                "<List><TemplateId>T</TemplateId><SubscribeStatusString>{value}\
                 </SubscribeStatusString><ErrorCode>{value}</ErrorCode></List>"
            );
        }
        text.push_str("</SubscribeMsgPopupEvent>");
    }
    text.push_str("</xml>");
    (text, kind, content)
}

/// The bytes with some changed, doubled, gone, or others between them.
fn broken(text: &str, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=choices.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = choices.below(bytes.len().min(65_536));
        match choices.below(5) {
            0 => bytes[at] = choices.below(256) as u8,
            1 => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => {
                let part = bytes[at..].to_vec();
                bytes.extend(part);
            }
            _ => drop(bytes.splice(at..at, choices.pick(STRAYS).bytes())),
        }
    }
    bytes
}

/// What is taken has an address that is one, and does not show what was written.
fn check(inbound: &Inbound) {
    for id in [&inbound.contact, &inbound.account] {
        assert!(!id.is_empty() && id.len() <= 64 && id.is_ascii(), "{id:?}");
    }
    let shown = format!("{inbound:?}");
    assert!(shown.is_ascii() && shown.len() < 100, "{shown}");
}

/// One input of pushes in the clear.
pub fn clear(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let (text, kind, content) = message(&mut choices);
    let query = signed(NOW, None);
    let body = match choices.below(8) {
        0 => choices.rest().to_vec(),
        1..=4 => broken(&text, &mut choices),
        _ => {
            whole(&text, kind, content);
            text.into_bytes()
        }
    };
    let opened = PLAIN.open(&query, &body, now());
    if let Ok(inbound) = &opened {
        check(inbound);
        // The same push again, later: the same thing.
        let again = PLAIN.open(&signed(NOW + 5, None), &body, now());
        assert!(again == opened, "another push of the same");
    }
    for encrypted in [&SECURE, &COMPATIBLE] {
        assert!(encrypted.open(&query, &body, now()).is_err());
    }
    // Without our signature, or at another time, nothing is looked at.
    let mut forged = query.clone();
    let at = choices.below(40);
    let digit = if forged[0].1.as_bytes()[at] == b'0' {
        "1"
    } else {
        "0"
    };
    forged[0].1.replace_range(at..=at, digit);
    assert!(PLAIN.open(&forged, &body, now()) == Err(Refusal::Signature));
    let stale = signed(NOW + 601 + choices.below(60_000) as i64, None);
    assert!(PLAIN.open(&stale, &body, now()) == Err(Refusal::Stale));
}

/// A message that nobody has broken is read as it was written.
fn whole(text: &str, kind: &str, content: &str) {
    let opened = PLAIN.open(&signed(NOW, None), text.as_bytes(), now());
    let Ok(inbound) = opened else {
        // An event without its own fields, or a message without a kind.
        assert!(matches!(kind, "event" | ""), "{text}: {:?}", opened.err());
        return;
    };
    assert_eq!(
        (inbound.contact.as_str(), inbound.account.as_str()),
        (OPENID, ACCOUNT)
    );
    match &inbound.kind {
        Kind::Text { content: read, .. } => {
            assert_eq!(kind, "text");
            // White space around a text that stands plainly is not part of it.
            assert_eq!(read.trim(), content.trim(), "{text}");
        }
        Kind::Image { media_id } | Kind::Voice { media_id } => assert_eq!(media_id, "m-1"),
        found => assert!(
            found.name() == kind || found.name() == "other",
            "{kind} is no {}",
            found.name()
        ),
    }
}

/// One input of encrypted pushes.
pub fn sealed(bytes: &[u8]) {
    static CIPHER: LazyLock<Cipher> =
        LazyLock::new(|| Cipher::new(KEY, APPID).expect("the key of this file is one"));
    let mut choices = Choices::new(bytes);
    let (text, ..) = message(&mut choices);
    let text = if choices.chance(8) {
        String::from_utf8_lossy(&broken(&text, &mut choices)).into_owned()
    } else {
        text
    };
    let encrypted = match choices.below(6) {
        0 => raw(choices.rest()),
        1 | 2 => raw(&padded(&text, &mut choices)),
        _ => CIPHER.encrypt([7; 16], &text),
    };
    let encrypted = if choices.chance(4) {
        String::from_utf8_lossy(&broken(&encrypted, &mut choices)).into_owned()
    } else {
        encrypted
    };
    let body = envelope(&encrypted, &mut choices);
    let body = if choices.chance(2) {
        broken(&body, &mut choices)
    } else {
        body.into_bytes()
    };
    let query = signed(NOW, Some(&encrypted));
    for reception in [&SECURE, &COMPATIBLE] {
        let opened = reception.open(&query, &body, now());
        if let Ok(inbound) = &opened {
            check(inbound);
            // Nobody but the platform can have said it: without the signature over the encrypted
            // text it is refused, as is the same text under the signature of another.
            let unsigned = &query[..5];
            let found = reception.open(unsigned, &body, now());
            assert!(found == Err(Refusal::MessageSignature));
            let other = signed(NOW, Some("AAAA"));
            let found = reception.open(&other, &body, now());
            assert!(found == Err(Refusal::MessageSignature));
            assert!(PLAIN.open(&query, &body, now()) == Err(Refusal::Encrypted));
        }
    }
    // Encryption changes nothing of what is read.
    let encrypted = CIPHER.encrypt([9; 16], &text);
    let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
    let inner = PLAIN.open(&signed(NOW, None), text.as_bytes(), now());
    let outer = SECURE.open(&signed(NOW, Some(&encrypted)), body.as_bytes(), now());
    assert!(inner == outer, "{text}");
}

/// The envelope as each of the modes has it.
fn envelope(encrypted: &str, choices: &mut Choices<'_>) -> String {
    let account = if choices.chance(2) { "gh_b" } else { ACCOUNT };
    match choices.below(4) {
        0 => format!("<xml><Encrypt>{encrypted}</Encrypt></xml>"),
        1 => format!(
            "<xml><ToUserName>{account}</ToUserName><FromUserName>{OPENID}</FromUserName>\
             <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>1</Content>\
             <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        ),
        _ => format!(
            "<xml><ToUserName><![CDATA[{account}]]></ToUserName>\
             <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        ),
    }
}

/// The plain text of the cipher, with lengths and padding that may be wrong.
fn padded(text: &str, choices: &mut Choices<'_>) -> Vec<u8> {
    let length = match choices.below(5) {
        0 => u32::MAX,
        1 => text.len() as u32 + 1 + choices.below(64) as u32,
        2 => choices.below(65_536) as u32,
        _ => text.len() as u32,
    };
    let appid = choices.pick(&[APPID, "wx0", ""]);
    let mut plain = vec![7; 16];
    plain.extend(length.to_be_bytes());
    plain.extend(text.as_bytes());
    plain.extend(appid.as_bytes());
    let pad = 32 - plain.len() % 32;
    let said = if choices.chance(8) {
        choices.below(256)
    } else {
        pad
    };
    plain.resize(plain.len() + pad, said as u8);
    if choices.chance(3) {
        let last = plain.len() - 1 - choices.below(pad);
        plain[last] = choices.below(256) as u8;
    }
    plain
}

/// Whole blocks of anything under the account's key.
fn raw(plain: &[u8]) -> String {
    let byte = |at: usize| u8::from_str_radix(&KEY_HEX[2 * at..2 * at + 2], 16);
    let key: [u8; 32] = std::array::from_fn(|at| byte(at).expect("the key of this file is one"));
    let vector: [u8; 16] = std::array::from_fn(|at| key[at]);
    let whole = plain.len() - plain.len() % 16;
    let mut blocks = plain[..whole].to_vec();
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &vector.into());
    let encrypted = cipher.encrypt_padded_mut::<NoPadding>(&mut blocks, whole);
    STANDARD.encode(encrypted.expect("whole blocks"))
}
