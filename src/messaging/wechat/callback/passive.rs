//! An answer in the push's own response.

use super::inbound::Inbound;
use crate::messaging::wechat::crypto::{Cipher, RANDOM_BYTES, signature};
use crate::messaging::wechat::wire::xml::Document;
use jiff::Timestamp;

/// Most bytes of an answer's text; the rest is cut off, at the end of a character.
pub const TEXT_BYTES_MAX: usize = 2048;

/// The answer in the clear: to whom the message came from, from whom it went to.
pub(super) fn text(to: &Inbound, content: &str, now: Timestamp) -> String {
    let mut end = content.len().min(TEXT_BYTES_MAX);
    // The start of a text is a boundary.
    while !content.is_char_boundary(end) {
        end -= 1;
    }
    Document::default()
        .text("ToUserName", &to.contact)
        .text("FromUserName", &to.account)
        .number("CreateTime", now.as_second())
        .text("MsgType", "text")
        .text("Content", &content[..end])
        .finish()
}

/// The answer encrypted and signed.
pub(super) fn sealed(
    answer: &str,
    token: &str,
    cipher: &Cipher,
    random: [u8; RANDOM_BYTES],
    nonce: u32,
    now: Timestamp,
) -> String {
    let encrypted = cipher.encrypt(random, answer);
    let (timestamp, nonce) = (now.as_second().to_string(), nonce.to_string());
    let signed = signature(&[token, &timestamp, &nonce, &encrypted]);
    Document::default()
        .text("Encrypt", &encrypted)
        .text("MsgSignature", &signed)
        .number("TimeStamp", now.as_second())
        .text("Nonce", &nonce)
        .finish()
}
