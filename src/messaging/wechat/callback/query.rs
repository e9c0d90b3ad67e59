//! The query of a request to the callback address.

use super::refusal::Refusal;
use crate::messaging::wechat::crypto;
use jiff::{SignedDuration, Timestamp};

/// How far a request's timestamp may be from our clock, either way.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Longest value that is looked at.
const VALUE_BYTES_MAX: usize = 1024;

/// The parameters that the platform adds to the callback address. `Debug` is not derived: for ten
/// minutes a signature opens the door.
pub struct Query<'a> {
    signature: &'a str,
    timestamp: &'a str,
    nonce: &'a str,
    /// `encrypt_type` is there and says `aes`.
    pub(super) encrypted: bool,
    msg_signature: Option<&'a str>,
    echostr: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Reads the decoded pairs of a query.
    ///
    /// # Errors
    /// [`Refusal::Query`]
    pub fn read(pairs: &'a [(String, String)]) -> Result<Self, Refusal> {
        let one = |name: &str| {
            let mut values = pairs.iter().filter(|(key, _)| key == name);
            let first = values.next().map(|(_, value)| value.as_str());
            match first {
                Some(value) if value.len() > VALUE_BYTES_MAX => Err(Refusal::Query),
                _ if values.next().is_some() => Err(Refusal::Query),
                found => Ok(found),
            }
        };
        let required = |name| one(name)?.ok_or(Refusal::Query);
        Ok(Self {
            signature: required("signature")?,
            timestamp: required("timestamp")?,
            nonce: required("nonce")?,
            encrypted: match one("encrypt_type")? {
                None | Some("" | "raw") => false,
                Some("aes") => true,
                Some(_) => return Err(Refusal::Query),
            },
            msg_signature: one("msg_signature")?,
            echostr: one("echostr")?,
        })
    }

    /// Checks that the request is one of the platform, and of now.
    pub(super) fn check(&self, token: &str, now: Timestamp) -> Result<(), Refusal> {
        if !crypto::is_signature(self.signature, &[token, self.timestamp, self.nonce]) {
            return Err(Refusal::Signature);
        }
        let then = self.timestamp.parse().ok();
        let then = then.and_then(|second| Timestamp::from_second(second).ok());
        let then = then.ok_or(Refusal::Query)?;
        if now.duration_since(then).abs() > WINDOW {
            return Err(Refusal::Stale);
        }
        Ok(())
    }

    /// Checks that an encrypted text belongs to this request.
    pub(super) fn check_message(&self, token: &str, encrypted: &str) -> Result<(), Refusal> {
        let given = self.msg_signature.ok_or(Refusal::MessageSignature)?;
        let parts = [token, self.timestamp, self.nonce, encrypted];
        if crypto::is_signature(given, &parts) {
            Ok(())
        } else {
            Err(Refusal::MessageSignature)
        }
    }

    /// What the platform wants to hear back when the address is set up.
    pub(super) fn echo(&self) -> Result<&'a str, Refusal> {
        self.echostr.ok_or(Refusal::Query)
    }
}
