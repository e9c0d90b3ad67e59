//! Bodies and queries of any form: nothing makes the reception panic, and nothing that was changed
//! on the way is taken.

use super::desk::{APPID, KEY, NOON, TOKEN};
use dosed::messaging::Secret;
use dosed::messaging::wechat::callback::{
    Inbound, InboundKind, InboundResult, Inbox, Mode, Reception, Settings, Unavailable,
};
use dosed::messaging::wechat::crypto::{Cipher, signature};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::Arc;

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
    Timestamp::from_second(NOON).unwrap()
}

fn reception(mode: Mode) -> Reception {
    let settings = Settings {
        appid: APPID.to_owned(),
        account: None,
        token: Secret::new(TOKEN),
        aes_key: Some(Secret::new(KEY)),
        mode,
    };
    Reception::new(&settings, Arc::new(Nobody)).unwrap()
}

fn signed(encrypted: Option<&str>) -> Vec<(String, String)> {
    let second = NOON.to_string();
    let mut query = vec![
        ("signature".to_owned(), signature(&[TOKEN, &second, "1"])),
        ("timestamp".to_owned(), second.clone()),
        ("nonce".to_owned(), "1".to_owned()),
    ];
    if let Some(encrypted) = encrypted {
        let signed = signature(&[TOKEN, &second, "1", encrypted]);
        query.push(("msg_signature".to_owned(), signed));
        query.push(("encrypt_type".to_owned(), "aes".to_owned()));
    }
    query
}

const MESSAGES: [&str; 3] = [
    "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>\n<FromUserName><![CDATA[oia2TjuEGTNoeX76QEjQNrcURxG8]]></FromUserName>\n<CreateTime>1714112445</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[已服药😀 <1>]]></Content>\n<MsgId>24000000000000001</MsgId>\n</xml>",
    "<xml><ToUserName>gh_7</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>3141592653589793238</MsgID><Status>failed:user block</Status></xml>",
    "<xml><ToUserName>gh_7</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List><TemplateId>A</TemplateId><MsgID>1</MsgID><ErrorCode>0</ErrorCode></List><List><TemplateId>B</TemplateId><MsgID>2</MsgID><ErrorCode>1</ErrorCode></List></SubscribeMsgSentEvent></xml>",
];

const PIECES: [&str; 30] = [
    "<xml>",
    "</xml>",
    "<ToUserName>",
    "</ToUserName>",
    "<FromUserName>",
    "</FromUserName>",
    "<CreateTime>1</CreateTime>",
    "<MsgType>",
    "</MsgType>",
    "text",
    "event",
    "<Event>",
    "</Event>",
    "subscribe",
    "SCAN",
    "<EventKey>",
    "</EventKey>",
    "<Encrypt>",
    "</Encrypt>",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&#x4e2d;",
    "&x;",
    "<!DOCTYPE xml>",
    "<!--",
    "-->",
    "<?xml?>",
    "<a/>",
    "\u{0}",
];

/// A message with some bytes changed, doubled or gone.
fn changed() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), 0..3_u8, any::<u8>());
    (0..MESSAGES.len(), prop::collection::vec(edit, 0..6)).prop_map(|(which, edits)| {
        let mut bytes = MESSAGES[which].as_bytes().to_vec();
        for (at, what, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        bytes
    })
}

fn pieced() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..40)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        changed(),
        pieced(),
        prop::collection::vec(any::<u8>(), 0..400)
    ]
}

/// What is taken is whole.
fn check(inbound: &Inbound) -> Result<(), TestCaseError> {
    for id in [&inbound.contact, &inbound.account] {
        prop_assert!(!id.is_empty() && id.len() <= 64 && id.is_ascii());
    }
    let shown = format!("{inbound:?}");
    prop_assert!(!shown.contains('药'), "{}", shown);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_body_in_the_clear_makes_it_panic(body in bytes()) {
        if let Ok(inbound) = reception(Mode::Plain).open(&signed(None), &body, now()) {
            check(&inbound)?;
        }
        for mode in [Mode::Secure, Mode::Compatible] {
            prop_assert!(reception(mode).open(&signed(None), &body, now()).is_err());
        }
    }

    #[test]
    fn no_text_under_encryption_makes_it_panic(text in bytes()) {
        let Ok(text) = String::from_utf8(text) else { return Ok(()) };
        let encrypted = Cipher::new(KEY, APPID).unwrap().encrypt([7; 16], &text);
        let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
        let inner = reception(Mode::Plain).open(&signed(None), text.as_bytes(), now());
        let outer = reception(Mode::Secure).open(&signed(Some(&encrypted)), body.as_bytes(), now());
        prop_assert!(inner == outer, "encryption changes nothing");
    }

    #[test]
    fn nothing_that_was_changed_on_the_way_is_taken(at: Index, byte: u8) {
        let encrypted = Cipher::new(KEY, APPID).unwrap().encrypt([7; 16], MESSAGES[0]);
        let query = signed(Some(&encrypted));
        let mut changed = encrypted.clone().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        let body = [b"<xml><Encrypt>".as_slice(), &changed, b"</Encrypt></xml>"].concat();
        let original = reception(Mode::Secure)
            .open(&query, format!("<xml><Encrypt>{encrypted}</Encrypt></xml>").as_bytes(), now())
            .ok();
        prop_assert!(original.is_some());
        let found = reception(Mode::Secure).open(&query, &body, now());
        prop_assert!(found.is_err());
    }

    #[test]
    fn no_query_makes_it_panic_and_none_but_the_signed_one_is_taken(
        pairs in prop::collection::vec(
            (prop::sample::select(vec!["signature", "timestamp", "nonce", "msg_signature", "encrypt_type", "echostr"]), "\\PC{0,12}|[0-9]{1,20}"),
            0..8,
        ),
    ) {
        let pairs: Vec<(String, String)> =
            pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        for mode in [Mode::Secure, Mode::Plain] {
            prop_assert!(reception(mode).open(&pairs, MESSAGES[0].as_bytes(), now()).is_err());
            prop_assert!(reception(mode).greet(&pairs).is_err());
        }
    }
}
