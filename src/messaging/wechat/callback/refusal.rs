//! Why a request to the callback address is refused.

use crate::messaging::wechat::crypto::CryptoError;
use crate::messaging::wechat::wire::xml::XmlFault;

/// Why a request is refused, for the log. Holds nothing of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// A parameter is missing, repeated or too long.
    #[error("the query lacks a parameter, or has one twice")]
    Query,
    /// The signature is not that of our token.
    #[error("the signature is not that of `wechat.token_file`")]
    Signature,
    /// The timestamp is too far from our clock.
    #[error("the timestamp is more than 10 minutes from this machine's clock")]
    Stale,
    /// Secure mode, and the request is not encrypted.
    #[error("the request is not encrypted, and `wechat.mode` is not \"plain\"")]
    NotEncrypted,
    /// Plain mode, and the request is encrypted.
    #[error("the request is encrypted, and `wechat.mode` is \"plain\"")]
    Encrypted,
    /// The signature over the encrypted text is not that of our token.
    #[error("the signature of the encrypted text is not that of `wechat.token_file`")]
    MessageSignature,
    /// The text cannot be decrypted.
    #[error("{0}")]
    Crypto(#[from] CryptoError),
    /// The text is not the XML of a message.
    #[error("{0}")]
    Xml(#[from] XmlFault),
    /// The message lacks what every message has, or has it in a form that none has.
    #[error("the message lacks a field, or has one in an impossible form")]
    Field,
    /// The message is for another account.
    #[error("the message is for another account")]
    Account,
}

impl Refusal {
    /// Where this kind of refusal stands among all, below [`Refusal::KINDS`].
    pub(super) fn index(self) -> usize {
        match self {
            Refusal::Query => 0,
            Refusal::Signature => 1,
            Refusal::Stale => 2,
            Refusal::NotEncrypted => 3,
            Refusal::Encrypted => 4,
            Refusal::MessageSignature => 5,
            Refusal::Crypto(_) => 6,
            Refusal::Xml(_) => 7,
            Refusal::Field => 8,
            Refusal::Account => 9,
        }
    }

    /// Number of kinds.
    pub(super) const KINDS: usize = 10;
}
