//! What came of one try to send, in words that the dispatcher, the metrics and the log share.

use super::Word;
use super::wechat::errcode;
use super::wechat::keyword::Fault as FieldFault;
use crate::engine::ExpiredReason;
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::net::IpAddr;

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
    /// Surely not taken: there is no token, and none is asked for during this time, so that nobody
    /// can be sent to.
    NoToken(SignedDuration),
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
    /// Surely not taken: when it could have left its time was over, or had not come
    /// ([`super::Permit`]).
    NotSent,
}

impl Outcome {
    /// All names that [`Outcome::name`] can give.
    pub const NAMES: [&'static str; 9] = [
        "accepted",
        "retry_soon",
        "retry_later",
        "throttled",
        "bad_token",
        "recipient",
        "message",
        "configuration",
        "unknown",
    ];

    /// The label in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Unknown => "unknown",
            Outcome::RetrySoon | Outcome::NoToken(_) => "retry_soon",
            // Counted as what was put off: the set of labels is closed.
            Outcome::RetryAt(_) | Outcome::NotSent => "retry_later",
            Outcome::Throttled(_) => "throttled",
            Outcome::BadToken => "bad_token",
            Outcome::Recipient => "recipient",
            Outcome::Message => "message",
            Outcome::Configuration => "configuration",
        }
    }
}

/// What happened, for people: never a text of the API, a patient's word or a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// The API (or the console) has taken the message.
    Taken,
    /// No connection was made: refused, name not resolved, TLS failed, connecting took too long.
    NoConnection,
    /// No complete answer within the time limit.
    Timeout,
    /// The connection ended before a complete answer.
    Dropped,
    /// An answer larger than is read.
    Oversized,
    /// An answer that is no JSON object with a result.
    Unreadable,
    /// An HTTP status that no errcode explains.
    Status(u16),
    /// The API's own return code; its sentence is in [`errcode::sentence`].
    Errcode(i64),
    /// The same, when a token was asked for: it is no word on the message.
    TokenErrcode(i64),
    /// No template of this kind is configured.
    NoTemplate,
    /// A template's field cannot hold the text.
    Unfit(FieldFault),
    /// A template could not be rendered.
    Unrendered,
    /// The token is refused again and again, and no new one may be forced yet.
    TokenRefused,
    /// Its time was over, or had not come, when it could have left.
    NotPermitted,
    /// Standard output failed before the line began.
    OutputFailed,
    /// Standard output failed, or did not take the line in time; part of it may be out.
    OutputTorn,
}

impl Detail {
    /// Whether the message was refused here, before the API was asked.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(
            self,
            Detail::NoTemplate | Detail::Unfit(_) | Detail::Unrendered
        )
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Detail::Taken => "taken",
            Detail::NoConnection => "no connection to the API",
            Detail::Timeout => "no complete answer in time",
            Detail::Dropped => "the connection ended before a complete answer",
            Detail::Oversized => "the answer is too large",
            Detail::Unreadable => "the answer is not one of the API",
            Detail::Status(status @ 300..=399) => {
                return write!(
                    f,
                    "the API base answers with a redirect (HTTP {status}); set `wechat.api_base` to where it leads"
                );
            }
            Detail::Status(status) => return write!(f, "HTTP {status}"),
            Detail::Errcode(code) | Detail::TokenErrcode(code) => {
                return write!(f, "errcode {code}: {}", errcode::sentence(*code));
            }
            Detail::NoTemplate => "no template of this kind is configured",
            Detail::Unfit(fault) => return write!(f, "a template field {fault}"),
            Detail::Unrendered => "a template could not be rendered",
            Detail::TokenRefused => {
                "new access tokens are refused too; does another program fetch them by force?"
            }
            Detail::NotPermitted => "not sent: when it could have left, its time was over",
            Detail::OutputFailed => "standard output takes nothing",
            Detail::OutputTorn => "standard output may have taken a part of the line",
        })
    }
}

/// What a refusal named, parsed strictly from the API's text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// The template field that was refused or cannot hold its text.
    Field(Word),
    /// The address that is not on the account's allow-list.
    Ip(IpAddr),
}

/// What came of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What to do about it.
    pub outcome: Outcome,
    /// `Some(n)`: the n-th try of a message that ends so ends the message; the dispatcher then
    /// treats it as [`Outcome::Message`]. `None`: until the message's deadline.
    pub tries_max: Option<u8>,
    /// The return code, when one was read; of the token's endpoint when the token failed.
    pub errcode: Option<i64>,
    /// The API's number of the message; joins the delivery report.
    pub msgid: Option<i64>,
    /// What happened, for people.
    pub detail: Detail,
    /// What the refusal named.
    pub hint: Option<Hint>,
    /// The API's number of the request (`rid`), for its support.
    pub rid: Option<Word>,
}

impl Verdict {
    /// A verdict without an errcode.
    #[must_use]
    pub fn new(outcome: Outcome, detail: Detail) -> Self {
        Self {
            outcome,
            tries_max: None,
            errcode: None,
            msgid: None,
            detail,
            hint: None,
            rid: None,
        }
    }

    /// Why a dose has expired if this was the last word on it; `None` when it was accepted.
    #[must_use]
    pub fn reason(&self) -> Option<ExpiredReason> {
        match self.outcome {
            Outcome::Accepted => None,
            // What was waited for until its time was over is the API's answer or connection.
            Outcome::Unknown
            | Outcome::RetrySoon
            | Outcome::NoToken(_)
            | Outcome::BadToken
            | Outcome::Configuration
            | Outcome::NotSent => Some(ExpiredReason::ApiDown),
            // Only a code that is no matter of frequency has a bound on its tries.
            Outcome::RetryAt(_) if self.tries_max.is_some() => Some(ExpiredReason::Rejected),
            Outcome::RetryAt(_) | Outcome::Throttled(_) => Some(ExpiredReason::Throttled),
            Outcome::Recipient => Some(ExpiredReason::Unreachable),
            Outcome::Message => Some(ExpiredReason::Rejected),
        }
    }
}

/// For logs: the detail, what was named, and the request's number.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.detail.fmt(f)?;
        match self.hint {
            Some(Hint::Field(field)) => write!(f, " (field {field})")?,
            Some(Hint::Ip(ip)) => write!(f, " (address {ip})")?,
            None => {}
        }
        self.rid.map_or(Ok(()), |rid| write!(f, " [rid {rid}]"))
    }
}
