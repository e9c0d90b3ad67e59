//! Who takes what came in.

use super::inbound::{Inbound, Kind};
use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// Takes what the platform pushed.
///
/// It also is the clock by which requests are judged, and counts them.
pub trait Inbox: Send + Sync + 'static {
    /// Commits what came in, once for each dedupe key, and says what to answer the contact at once,
    /// if anything: such an answer is free of the platform's allowances, and there is one a push.
    ///
    /// `Ok` means *durable*. It has to come within a second; after that the future is dropped and
    /// the platform told nothing, so that it sends again: a commit under way may then happen all
    /// the same, and the dedupe key knows the second push. What was answered to the first one is to
    /// be answered to the second: the contact may have seen neither.
    ///
    /// It counts what it took, with [`InboundResult::Accepted`] or [`InboundResult::Duplicate`].
    /// What never came here, or was not taken, is counted by the caller.
    fn receive(&self, inbound: Inbound) -> BoxFuture<'_, Result<Option<String>, Unavailable>>;

    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Counts one request; it does nothing that can block.
    fn count(&self, kind: InboundKind, result: InboundResult);
}

/// It was not committed, or nobody knows; the platform is to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came in could not be stored in time")]
pub struct Unavailable;

/// What came in, as metrics tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InboundKind {
    /// A text.
    Text,
    /// A picture.
    Image,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// A short video.
    ShortVideo,
    /// A place.
    Location,
    /// A link.
    Link,
    /// An event.
    Event,
    /// A kind of message that is not documented.
    Other,
    /// A request that was refused before it could be read.
    Unread,
}

impl InboundKind {
    /// All kinds.
    pub const ALL: [InboundKind; 10] = [
        InboundKind::Text,
        InboundKind::Image,
        InboundKind::Voice,
        InboundKind::Video,
        InboundKind::ShortVideo,
        InboundKind::Location,
        InboundKind::Link,
        InboundKind::Event,
        InboundKind::Other,
        InboundKind::Unread,
    ];

    /// That of a message.
    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Text { .. } => InboundKind::Text,
            Kind::Image { .. } => InboundKind::Image,
            Kind::Voice { .. } => InboundKind::Voice,
            Kind::Video => InboundKind::Video,
            Kind::ShortVideo => InboundKind::ShortVideo,
            Kind::Location => InboundKind::Location,
            Kind::Link => InboundKind::Link,
            Kind::Event(_) => InboundKind::Event,
            Kind::Other => InboundKind::Other,
        }
    }

    /// The label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            InboundKind::Text => "text",
            InboundKind::Image => "image",
            InboundKind::Voice => "voice",
            InboundKind::Video => "video",
            InboundKind::ShortVideo => "shortvideo",
            InboundKind::Location => "location",
            InboundKind::Link => "link",
            InboundKind::Event => "event",
            InboundKind::Other => "other",
            InboundKind::Unread => "unread",
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InboundResult {
    /// Committed.
    Accepted,
    /// Committed before; nothing was done a second time.
    Duplicate,
    /// Not one of the platform's, or not to be understood.
    Refused,
    /// Not committed in time; the platform sends again.
    Failed,
}

impl InboundResult {
    /// All results.
    pub const ALL: [InboundResult; 4] = [
        InboundResult::Accepted,
        InboundResult::Duplicate,
        InboundResult::Refused,
        InboundResult::Failed,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            InboundResult::Accepted => "accepted",
            InboundResult::Duplicate => "duplicate",
            InboundResult::Refused => "refused",
            InboundResult::Failed => "failed",
        }
    }
}
