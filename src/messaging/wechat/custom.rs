//! Custom messages (客服消息): free text, inside the windows that a contact opens by acting.
//!
//! Source: `POST /cgi-bin/message/custom/send` of the Official Account API. Five messages within 48
//! hours after the contact wrote; three within a minute after they tapped the menu, followed, or
//! scanned a code. 45015 says that no window is open, 45047 that its messages are used up: neither
//! is helped by trying again.

use super::wire::{CustomSend, CustomText};
use super::{WeChat, call, fault_verdict, taken};
use crate::messaging::wechat::answer::Fault;
use crate::messaging::{Outcome, Outgoing, Permit, Verdict};
use jiff::Timestamp;

/// Most bytes of a text; longer ones are refused with 45002.
pub const TEXT_BYTES_MAX: usize = 2048;

impl WeChat {
    /// Sends a message in free words instead of a template, as [`WeChat::send_text`] does: what no
    /// template has to hold. Only advice and news have such words; all others go as templates.
    pub async fn send_in_words(&self, message: Outgoing<'_>) -> Verdict {
        let Some(words) = self.templates.in_words(message.addressee, message.body) else {
            return self.send(message).await;
        };
        let end = (0..=words.len().min(TEXT_BYTES_MAX))
            .rev()
            .find(|end| words.is_char_boundary(*end));
        let words = &words[..end.unwrap_or(0)];
        self.send_text(message.address, words, Some(message.permit), message.now)
            .await
    }

    /// Sends a text to an openid.
    ///
    /// The API knows no key for this by which it would tell a second try from a second message: an
    /// unknown outcome is final, and its verdict says so (`tries_max` is 1).
    pub async fn send_text(
        &self,
        address: &str,
        text: &str,
        permit: Option<&Permit>,
        now: Timestamp,
    ) -> Verdict {
        let request = CustomSend {
            touser: address.to_owned(),
            msgtype: "text".to_owned(),
            text: CustomText {
                content: text.to_owned(),
            },
        };
        // A struct of texts always is JSON.
        let body = serde_json::to_vec(&request).unwrap_or_default();
        let spread = address.bytes().fold(0, u8::wrapping_add);
        let verdict = match self
            .call(call::CUSTOM_SEND, body.into(), permit, now, spread)
            .await
        {
            Err(verdict) => verdict,
            Ok(answer) if answer.errcode() == Some(0) => taken(&answer),
            Ok(_) => fault_verdict(Fault::Unreadable, now),
        };
        match verdict.outcome {
            Outcome::Unknown => Verdict {
                tries_max: Some(1),
                ..verdict
            },
            _ => verdict,
        }
    }
}
