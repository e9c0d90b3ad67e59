//! The inbound side of the channel: what the platform pushes to the account's callback address.
//!
//! [`Reception`] judges a request and reads it into an [`Inbound`]; what follows from it is for the
//! [`Inbox`] that was handed in. Rules: the platform's guides on receiving messages and events, and
//! on their encryption (<https://developers.weixin.qq.com/doc/service/>).
//!
//! A request passes in this order: its query, the signature, the timestamp, in secure and
//! compatible mode the signature over the encrypted text, the text's own account, the message. What
//! does not pass leaves a [`Refusal`], which holds nothing of the request.

mod dedupe;
mod event;
mod inbound;
mod inbox;
mod passive;
mod query;
mod reception;
mod refusal;

pub use dedupe::DedupeKey;
pub use event::{Consent, DeliveryStatus, Event, NoticeSent};
pub use inbound::{Inbound, Kind};
pub use inbox::{InboundKind, InboundResult, Inbox, Unavailable};
pub use passive::TEXT_BYTES_MAX;
pub use query::Query;
pub use reception::{Answer, Mode, Reception, Settings};
pub use refusal::Refusal;

#[cfg(test)]
mod tests;
