//! A channel: what can be sent, and what came of it.
//!
//! A [`Channel`] takes one message ([`Outgoing`]) and answers with one [`Verdict`], whatever
//! happens; it never logs a patient's data, an address, a secret or a raw text of an API.
//! [`Limits`] says, without any I/O, whether a channel can hold a text at all.

mod channel;
pub mod console;
mod kind;
mod permit;
mod ping;
mod secret;
mod texts;
mod verdict;
pub mod wechat;
mod wording;

pub use channel::{Carrier, Channel, Limits, Sending};
pub use console::Console;
pub use kind::MessageKind;
pub use permit::Permit;
pub use ping::Ping;
pub use secret::{Secret, Word};
pub use texts::{Clinic, Texts, TextsError};
pub use verdict::{Detail, Hint, Outcome, Verdict};
pub use wechat::WeChat;
pub use wechat::template::{FieldError, Unfit};

pub use crate::engine::MessageId;
use crate::engine::{Addressee, Body};
use jiff::Timestamp;

/// What a channel is handed: one message to one address.
///
/// `Debug` is not derived: it is medical data.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// The same for every try of the same message.
    pub id: MessageId,
    /// The address on the channel (an openid); a secret in logs.
    pub address: &'a str,
    /// Name, language and zone for the text.
    pub addressee: &'a Addressee,
    /// What to say.
    pub body: &'a Body,
    /// The address of the patient's page, where there is one for this recipient; a secret in logs.
    pub link: Option<&'a str>,
    /// The instant of this try: decides whether the text says it is late.
    pub now: Timestamp,
    /// Asked again right before the first byte leaves: waiting for a token or a connection must
    /// not delay a message past its window, nor past the time for which the API knows its id.
    pub permit: &'a Permit,
}

/// Who is told of what a channel meets on its way, beyond the [`Verdict`] of each send: a send
/// that needed a second try with a new token is *accepted*, but the refusal is worth counting.
///
/// Called on the hot path: an implementation counts, and does nothing that can block.
pub trait Observer: Send + Sync {
    /// The API answered with a return code other than 0. `label` is from the closed set
    /// [`wechat::errcode::LABELS`].
    fn errcode(&self, label: &'static str);

    /// An access token was asked for.
    fn token_refreshed(&self, result: wechat::RefreshResult);
}

/// Nobody is told.
impl Observer for () {
    fn errcode(&self, _: &'static str) {}
    fn token_refreshed(&self, _: wechat::RefreshResult) {}
}

/// Chooses ring as the process's TLS implementation. Every HTTP client of this program is built
/// after this was called; calling it again changes nothing.
pub fn install_crypto_provider() {
    // An error says that one is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
