//! The channels this program knows, behind one door.

use super::wechat::template::{Templates, Unfit};
use super::wechat::{Quota, TokenStatus};
use super::{Console, Outcome, Outgoing, Verdict, WeChat};
use crate::engine::{Addressee, Body, Fits};
use jiff::{SignedDuration, Timestamp};
use std::pin::Pin;
use std::sync::Arc;

/// A send under way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// Whatever carries messages that this program does not know by name: the door for a simulated
/// API, which no configuration opens.
pub trait Carrier: Send + Sync {
    /// As [`Channel::send`].
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a>;

    /// As [`Channel::ask`].
    fn ask(&self, now: Timestamp) -> Outcome;

    /// As [`Channel::resend_within`].
    fn resend_within(&self) -> Option<SignedDuration>;
}

/// Where messages go. Clones share connections, token and output.
#[derive(Clone)]
pub enum Channel {
    /// Standard output, for a first look and for development.
    Console(Console),
    /// Template messages of a WeChat Official Account.
    WeChat(WeChat),
    /// What was given to it.
    Carrier(Arc<dyn Carrier>),
}

impl Channel {
    /// Hands one message over and says what came of it. Never fails, never panics, and ends
    /// within a small multiple of the configured time limit of a request.
    ///
    /// # What this does not promise
    /// *Accepted* means that the API has taken the message, not that the patient has it; the
    /// API's delivery report comes later, or never. Dropping the future leaves the outcome unknown.
    pub async fn send(&self, message: Outgoing<'_>) -> Verdict {
        match self {
            Channel::Console(console) => console.send(message).await,
            Channel::WeChat(wechat) => wechat.send(message).await,
            Channel::Carrier(carrier) => carrier.send(message).await,
        }
    }

    /// The same in free words, to a contact who has allowed them by writing or acting. No second
    /// try is told from a second message: an unknown outcome is final.
    pub async fn send_in_words(&self, message: Outgoing<'_>) -> Verdict {
        match self {
            Channel::Console(console) => console.send(message).await,
            Channel::WeChat(wechat) => wechat.send_in_words(message).await,
            Channel::Carrier(carrier) => carrier.send(message).await,
        }
    }

    /// The same with a clinic's own words for news.
    #[must_use]
    pub fn with_texts(self, texts: super::Texts) -> Self {
        match self {
            Channel::Console(console) => Channel::Console(console.with_texts(texts)),
            Channel::WeChat(wechat) => {
                let templates = wechat.templates().clone().with_texts(texts);
                Channel::WeChat(wechat.with_templates(templates))
            }
            Channel::Carrier(carrier) => Channel::Carrier(carrier),
        }
    }

    /// Makes ready what the first sends would have to wait for (the access token, connections for
    /// so many messages), so that the 08:00 reminders need not. Worth calling a few seconds ahead
    /// of messages after a quiet time; what was made and is not used is closed after seconds.
    pub async fn warm_up(&self, messages: usize) {
        match self {
            Channel::Console(_) | Channel::Carrier(_) => {}
            Channel::WeChat(wechat) => wechat.warm_up(messages).await,
        }
    }

    /// Whether the channel works, as far as can be told without sending a message.
    pub async fn ask(&self, now: Timestamp) -> Outcome {
        match self {
            Channel::Console(_) => Outcome::Accepted,
            Channel::WeChat(wechat) => wechat.ask(now).await,
            Channel::Carrier(carrier) => carrier.ask(now),
        }
    }

    /// How much of the day's quota is used; `None` when there is none, or it is not known.
    pub async fn quota(&self) -> Option<Quota> {
        match self {
            Channel::Console(_) | Channel::Carrier(_) => None,
            Channel::WeChat(wechat) => wechat.quota().await,
        }
    }

    /// How long after the first try a message whose outcome is *unknown* may be sent again under
    /// the same id without reaching the patient twice. `None`: never.
    #[must_use]
    pub fn resend_within(&self) -> Option<SignedDuration> {
        match self {
            Channel::Console(_) => None,
            // The API forgets ids after ten minutes; two are kept in hand.
            Channel::WeChat(_) => Some(SignedDuration::from_mins(8)),
            Channel::Carrier(carrier) => carrier.resend_within(),
        }
    }

    /// The state of the access token, for health; `None` on a channel without one.
    #[must_use]
    pub fn token_status(&self) -> Option<TokenStatus> {
        match self {
            Channel::Console(_) | Channel::Carrier(_) => None,
            Channel::WeChat(wechat) => Some(wechat.token_status()),
        }
    }

    /// What the channel's fields can hold.
    #[must_use]
    pub fn limits(&self) -> Limits {
        match self {
            Channel::Console(_) | Channel::Carrier(_) => Limits::Unlimited,
            Channel::WeChat(wechat) => Limits::WeChat(wechat.templates().clone()),
        }
    }
}

/// What a channel can hold, known without the channel: for the engine, and for checking plans
/// where nothing is sent. Cheap to clone.
#[derive(Clone)]
pub enum Limits {
    /// Any text.
    Unlimited,
    /// The fields of the account's templates.
    WeChat(Templates),
}

impl Limits {
    /// Checks that a message can be sent as it stands, late or not.
    ///
    /// # Errors
    /// Names the field that cannot hold its text, or the template that is not configured.
    pub fn check(&self, addressee: &Addressee, body: &Body) -> Result<(), Unfit> {
        match self {
            Limits::Unlimited => Ok(()),
            Limits::WeChat(templates) => templates.check(addressee, body),
        }
    }
}

impl Fits for Limits {
    fn fits(&self, addressee: &Addressee, body: &Body) -> bool {
        self.check(addressee, body).is_ok()
    }
}
