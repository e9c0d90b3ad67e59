//! Reads the API's answers, of which only the return code decides: an error comes as HTTP 200.

use super::account::AccountTemplate;
use crate::messaging::{Detail, Hint, Outcome, Secret, Word};
use serde::de::{Deserialize, Deserializer, Visitor};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Why there is no answer that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection; nothing was written.
    NoConnection,
    /// The message's time was over before its first byte left.
    NotPermitted,
    /// The time limit passed after the request may have been written.
    Timeout,
    /// The connection ended before a complete answer.
    Dropped,
    /// More than [`BODY_BYTES_MAX`].
    Oversized,
    /// Not a JSON object with a result.
    Unreadable,
    /// An HTTP status that says nothing was done, or may have been done.
    Status(u16),
}

/// The largest body that is read. An answer has some 100 bytes; a token up to some 600.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

impl Fault {
    /// What a fault means for the message that was being sent.
    pub(super) fn outcome(self, now: jiff::Timestamp) -> Outcome {
        match self {
            // What leads elsewhere will do so until an operator corrects the address.
            Fault::Status(300..=399) => Outcome::Configuration,
            Fault::Status(429) => Outcome::Throttled(
                now.saturating_add(jiff::SignedDuration::from_secs(60))
                    .unwrap_or(now),
            ),
            Fault::NotPermitted => Outcome::NotSent,
            // Of the other statuses of this class: a gateway in front of the API refused, and
            // nothing was done.
            Fault::NoConnection | Fault::Status(400..=499) => Outcome::RetrySoon,
            Fault::Timeout
            | Fault::Dropped
            | Fault::Oversized
            | Fault::Unreadable
            | Fault::Status(_) => Outcome::Unknown,
        }
    }

    /// What a fault is called.
    pub(super) fn detail(self) -> Detail {
        match self {
            Fault::NoConnection => Detail::NoConnection,
            Fault::NotPermitted => Detail::NotPermitted,
            Fault::Timeout => Detail::Timeout,
            Fault::Dropped => Detail::Dropped,
            Fault::Oversized => Detail::Oversized,
            Fault::Unreadable => Detail::Unreadable,
            Fault::Status(status) => Detail::Status(status),
        }
    }
}

/// What a body said.
#[derive(Default, serde::Deserialize)]
pub(super) struct Answer {
    /// 0 or absent is success; which of the other members must then be there, the caller knows.
    #[serde(default)]
    errcode: Integer,
    #[serde(default)]
    msgid: Integer,
    #[serde(default)]
    errmsg: Option<Text>,
    #[serde(default)]
    access_token: Option<Text>,
    #[serde(default)]
    expires_in: Integer,
    #[serde(default)]
    quota: serde_json::Value,
    #[serde(default)]
    template_list: serde_json::Value,
    #[serde(default)]
    ticket: Option<Text>,
    #[serde(default)]
    url: Option<Text>,
    #[serde(default)]
    expire_seconds: Integer,
}

impl Answer {
    /// Reads one answer.
    pub(super) fn read(status: u16, body: &[u8]) -> Result<Self, Fault> {
        if (500..=599).contains(&status) {
            return Err(Fault::Status(status));
        }
        match Self::parse(body) {
            Some(Self {
                errcode: Integer::Odd,
                ..
            }) if (200..=299).contains(&status) => Err(Fault::Unreadable),
            Some(answer) if (200..=299).contains(&status) => Ok(answer),
            // A gateway may pass the API's refusal on under a status of its own; it can never
            // turn one into success.
            Some(answer) if answer.errcode().is_some_and(|code| code != 0) => Ok(answer),
            _ if (200..=299).contains(&status) => Err(Fault::Unreadable),
            _ => Err(Fault::Status(status)),
        }
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let body = body
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(body)
            .trim_ascii();
        // An array would be read as the members in their order here.
        if body.first() != Some(&b'{') {
            return None;
        }
        if let Ok(answer) = serde_json::from_slice(body) {
            return Some(answer);
        }
        // Seen in practice: raw control characters inside strings, and bytes that are no UTF-8.
        // Neither can change a number, so both are replaced and the body is read once more.
        let plain: Vec<u8> = body
            .iter()
            .map(|byte| if *byte < b' ' { b' ' } else { *byte })
            .collect();
        serde_json::from_str(&String::from_utf8_lossy(&plain)).ok()
    }

    /// The return code, if one was given.
    pub(super) fn errcode(&self) -> Option<i64> {
        self.errcode.value()
    }

    /// The API's number of the message.
    pub(super) fn msgid(&self) -> Option<i64> {
        self.msgid.value()
    }

    /// The day's quota of a call: limit, used, remaining.
    pub(super) fn quota(&self) -> Option<(u64, u64, u64)> {
        let member = |name| self.quota.get(name)?.as_u64();
        Some((member("daily_limit")?, member("used")?, member("remain")?))
    }

    /// The account's templates, if a list of them was given. One without an id is none.
    pub(super) fn template_list(&self) -> Option<Vec<AccountTemplate>> {
        let text = |template: &serde_json::Value, key| {
            let value = template.get(key).and_then(serde_json::Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let templates = self.template_list.as_array()?.iter();
        let templates = templates.map(|template| AccountTemplate {
            id: text(template, "template_id"),
            title: text(template, "title"),
            fields: super::account::fields(&text(template, "content")),
        });
        Some(
            templates
                .filter(|template| !template.id.is_empty())
                .collect(),
        )
    }

    /// A code's ticket, its address, and its seconds of life where they were given.
    pub(super) fn code(self) -> Option<(Secret, Secret, Option<u64>)> {
        let given = |text: Option<Text>| text.filter(|text| !text.0.is_empty());
        let (ticket, url) = (given(self.ticket)?, given(self.url)?);
        let seconds = self.expire_seconds.value();
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Some((Secret::new(ticket.0), Secret::new(url.0), seconds))
    }

    /// The token and its seconds of life, if both were given.
    pub(super) fn token(self) -> Option<(Secret, i64)> {
        Some((Secret::new(self.access_token?.0), self.expires_in.value()?))
    }

    /// The number of the request, which the text for people ends in: three groups of eight
    /// hexadecimal digits.
    pub(super) fn rid(&self) -> Option<Word> {
        let text = &self.errmsg.as_ref()?.0;
        let rid = text.get(text.rfind("rid: ")? + 5..)?.trim_end().get(..26)?;
        let strict = rid.bytes().enumerate().all(|(index, byte)| match index {
            8 | 17 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        strict.then(|| Word::new(rid)).flatten()
    }

    /// What the text for people names: a field (`data.thing1.value`) or this machine's address.
    pub(super) fn hint(&self) -> Option<Hint> {
        let text = &self.errmsg.as_ref()?.0;
        match self.errcode()? {
            47003 => {
                let rest = text.get(text.find("data.")? + 5..)?;
                let name = rest.get(..rest.find(".value")?)?;
                super::keyword::Kind::of(name)?;
                Word::new(name).map(Hint::Field)
            }
            40164 | 45035 | 61004 => text
                .split(|c: char| !(c.is_ascii_digit() || c == '.'))
                .find_map(|part| part.parse::<Ipv4Addr>().ok())
                .map(|ip| Hint::Ip(IpAddr::V4(ip))),
            _ => None,
        }
    }
}

/// An integer that may be quoted.
#[derive(Clone, Copy, Default)]
enum Integer {
    /// Missing, or null.
    #[default]
    Absent,
    /// As it should be.
    Value(i64),
    /// Anything else: too large, a fraction, words.
    Odd,
}

impl Integer {
    fn value(self) -> Option<i64> {
        match self {
            Integer::Value(value) => Some(value),
            Integer::Absent | Integer::Odd => None,
        }
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = Integer;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Integer, E> {
                Ok(Integer::Value(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Integer, E> {
                Ok(i64::try_from(value).map_or(Integer::Odd, Integer::Value))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Integer, E> {
                Ok(Integer::Odd)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Integer, E> {
                Ok(Integer::Odd)
            }
            fn visit_str<E>(self, value: &str) -> Result<Integer, E> {
                Ok(value.trim().parse().map_or(Integer::Odd, Integer::Value))
            }
            fn visit_unit<E>(self) -> Result<Integer, E> {
                Ok(Integer::Absent)
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

/// A text; any other value is read as absent words.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Text(text)),
            _ => Ok(Text(String::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &[u8]) -> Answer {
        Answer::read(200, body).unwrap_or_else(|fault| panic!("{body:?}: {fault:?}"))
    }

    #[test]
    fn control_characters_and_stray_bytes_do_not_hide_the_code() {
        for body in [
            b"{\"errcode\":40037,\"errmsg\":\"a\x00b\x1fc\nd\"}".as_slice(),
            b"{\"errcode\":40037,\"errmsg\":\"\xff\xfe\"}",
            b"\xef\xbb\xbf {\"errcode\":40037}",
            b"{\"errmsg\":[1,{}],\"errcode\":40037,\"more\":{\"x\":[1.5,null]}}",
            b"{\"errcode\": \"40037\"}",
        ] {
            assert_eq!(read(body).errcode(), Some(40037), "{body:?}");
        }
    }

    #[test]
    fn a_refusal_counts_under_any_status_but_5xx_and_success_only_under_2xx() {
        let refusal = br#"{"errcode":40037}"#;
        let success = br#"{"errcode":0,"msgid":1}"#;
        for (status, of_refusal, of_success) in [
            (200, Ok(Some(40037)), Ok(Some(0))),
            (201, Ok(Some(40037)), Ok(Some(0))),
            (302, Ok(Some(40037)), Err(Fault::Status(302))),
            (400, Ok(Some(40037)), Err(Fault::Status(400))),
            (412, Ok(Some(40037)), Err(Fault::Status(412))),
            (500, Err(Fault::Status(500)), Err(Fault::Status(500))),
            (504, Err(Fault::Status(504)), Err(Fault::Status(504))),
            (600, Ok(Some(40037)), Err(Fault::Status(600))),
        ] {
            let code = |body: &[u8]| Answer::read(status, body).map(|answer| answer.errcode());
            assert_eq!(code(refusal), of_refusal, "{status}");
            assert_eq!(code(success), of_success, "{status}");
        }
    }

    #[test]
    fn a_request_number_is_taken_in_its_strict_form_only() {
        for (errmsg, rid) in [
            (
                "ok rid: 6720e3ab-1b2c3d4e-0a0b0c0d",
                Some("6720e3ab-1b2c3d4e-0a0b0c0d"),
            ),
            (
                "rid: 6720e3ab-1b2c3d4e-0a0b0c0d ",
                Some("6720e3ab-1b2c3d4e-0a0b0c0d"),
            ),
            (
                "rid: one rid: 6720e3ab-1b2c3d4e-0a0b0c0d",
                Some("6720e3ab-1b2c3d4e-0a0b0c0d"),
            ),
            ("rid: 6720e3ab-1b2c3d4e-0a0b0c0", None),
            ("rid: 6720e3ab+1b2c3d4e-0a0b0c0d", None),
            ("rid: oTestOpenidOfWangXiulan0123", None),
            ("rid: 王秀兰王秀兰王秀兰", None),
            ("rid: ", None),
            ("", None),
        ] {
            let body = serde_json::json!({"errcode": 40037, "errmsg": errmsg}).to_string();
            let found = read(body.as_bytes()).rid();
            assert_eq!(found.as_ref().map(Word::as_str), rid, "{errmsg}");
        }
    }

    #[test]
    fn a_field_or_an_address_is_named_only_where_the_code_speaks_of_one() {
        let ip = |text: &str| Some(Hint::Ip(text.parse().expect("an address")));
        let field = |name| Word::new(name).map(Hint::Field);
        for (code, errmsg, hint) in [
            (
                47003,
                "argument invalid! data.thing1.value invalid",
                field("thing1"),
            ),
            (
                47003,
                "data.character_string12.value is empty",
                field("character_string12"),
            ),
            (47003, "data.oTestOpenid1.value invalid", None),
            (47003, "data.thing1", None),
            (47003, "", None),
            (40037, "data.thing1.value", None),
            (
                40164,
                "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in",
                ip("203.0.113.9"),
            ),
            (
                61004,
                "access clientip is not registered requestIP: 203.0.113.9",
                ip("203.0.113.9"),
            ),
            (40164, "invalid ip 1.2.3.4.5 or 999.1.1.1", None),
            (40001, "203.0.113.9", None),
        ] {
            let body = serde_json::json!({"errcode": code, "errmsg": errmsg}).to_string();
            assert_eq!(read(body.as_bytes()).hint(), hint, "{code} {errmsg}");
        }
    }

    proptest! {
        #[test]
        fn no_body_is_a_panic(status in 100u16..700, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(answer) = Answer::read(status, &body) {
                let _ = (answer.rid(), answer.hint(), answer.errcode(), answer.msgid());
            }
        }

        #[test]
        fn every_code_and_number_survives_any_errmsg(code: i64, msgid: i64, errmsg: String) {
            let body = serde_json::json!({"errmsg": errmsg, "msgid": msgid, "errcode": code});
            let answer = read(body.to_string().as_bytes());
            prop_assert_eq!(answer.errcode(), Some(code));
            prop_assert_eq!(answer.msgid(), Some(msgid));
            let _ = (answer.rid(), answer.hint());
        }
    }
}
