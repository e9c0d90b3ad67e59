//! A channel: what can be sent, and what came of it.

pub mod console;
pub mod wechat;

pub use crate::engine::MessageId;
use crate::engine::{Addressee, Body};
use jiff::Timestamp;

/// What a channel is handed: one message to one address.
///
/// `Debug` is not derived: it is medical data.
pub struct Outgoing<'a> {
    /// The same for every try of the same message.
    pub id: MessageId,
    /// The address on the channel (an openid); a secret in logs.
    pub address: &'a str,
    /// Name, language and zone for the text.
    pub addressee: &'a Addressee,
    /// What to say.
    pub body: &'a Body,
    /// The instant of this try: decides whether the text says it is late.
    pub now: Timestamp,
}

/// What came of one try, classified once; the dispatcher knows these and no vendor's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The API has taken it.
    Accepted,
    /// No answer that can be believed was read (timeout, reset, 5xx, unreadable, -1):
    /// the API may or may not have it.
    Unknown,
    /// Surely not taken; try again soon (connection refused, name not resolved).
    RetrySoon,
    /// Surely not taken; this recipient only, not before the instant.
    RetryAt(Timestamp),
    /// Surely not taken; nobody may be sent to before the instant.
    Throttled(Timestamp),
    /// Surely not taken; the token was refused even after one refresh.
    BadToken,
    /// Never for this recipient, until they act (unfollowed, refused, unknown).
    Recipient,
    /// Never in this form (a field, a size, a template).
    Message,
    /// Never for anybody, until an operator acts (secret, allow-list, permission).
    Configuration,
}
