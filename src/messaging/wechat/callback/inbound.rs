//! One thing that came in.

use super::dedupe::DedupeKey;
use super::event::{Event, integer};
use super::refusal::Refusal;
use crate::messaging::wechat::wire::xml::Element;
use jiff::Timestamp;
use std::fmt;

/// Longest openid or account id; they have 28 and 15 characters.
const ID_BYTES_MAX: usize = 64;

/// A message or event of one contact. `Debug` says its kind only.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The contact's address: the openid.
    pub contact: String,
    /// The account it was sent to: its original id (`gh_…`).
    pub account: String,
    /// When the platform says it was sent, to the second; our own time of receipt decides.
    pub created_at: Timestamp,
    /// The same for every push of it.
    pub dedupe_key: DedupeKey,
    /// What it is.
    pub kind: Kind,
}

/// What came in. `Debug` says its kind only: what a patient writes is medical data.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text, typed or tapped.
    Text {
        /// As it was written; may be empty.
        content: String,
        /// For an item tapped in a menu message, the item's id. Such a text does not open the
        /// platform's 48 hours.
        menu_id: Option<String>,
    },
    /// A picture.
    Image {
        /// For fetching it, within three days.
        media_id: String,
    },
    /// A voice message. The platform recognises speech no more.
    Voice {
        /// For fetching it, within three days.
        media_id: String,
    },
    /// A video.
    Video,
    /// A short video.
    ShortVideo,
    /// A place that the contact sent.
    Location,
    /// A link that the contact sent.
    Link,
    /// An event.
    Event(Event),
    /// A kind of message that is not documented.
    Other,
}

impl Inbound {
    /// Reads a message as it stands in the clear.
    pub(super) fn read(message: &Element) -> Result<Self, Refusal> {
        let id = |name| match message.text_of(name)? {
            Some(id) if id.len() <= ID_BYTES_MAX && is_plain(id) => Ok(id.to_owned()),
            _ => Err(Refusal::Field),
        };
        let contact = id("FromUserName")?;
        let account = id("ToUserName")?;
        let created_at = integer(message.text_of("CreateTime")?)
            .and_then(|second| Timestamp::from_second(second).ok())
            .ok_or(Refusal::Field)?;
        let kind = Kind::read(message)?;
        let dedupe_key = key(message, &contact, created_at, &kind)?;
        Ok(Self {
            contact,
            account,
            created_at,
            dedupe_key,
            kind,
        })
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Kind {
    fn read(message: &Element) -> Result<Self, Refusal> {
        let text = |name| Ok::<_, Refusal>(message.text_of(name)?.map(ToOwned::to_owned));
        let media_id = || text("MediaId")?.ok_or(Refusal::Field);
        Ok(match message.text_of("MsgType")?.ok_or(Refusal::Field)? {
            "text" => Kind::Text {
                content: text("Content")?.unwrap_or_default(),
                menu_id: text("bizmsgmenuid")?,
            },
            "image" => Kind::Image {
                media_id: media_id()?,
            },
            "voice" => Kind::Voice {
                media_id: media_id()?,
            },
            "video" => Kind::Video,
            "shortvideo" => Kind::ShortVideo,
            "location" => Kind::Location,
            "link" => Kind::Link,
            "event" => Kind::Event(Event::read(message)?),
            _ => Kind::Other,
        })
    }

    /// The name of the kind.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Text { .. } => "text",
            Kind::Image { .. } => "image",
            Kind::Voice { .. } => "voice",
            Kind::Video => "video",
            Kind::ShortVideo => "shortvideo",
            Kind::Location => "location",
            Kind::Link => "link",
            Kind::Event(_) => "event",
            Kind::Other => "other",
        }
    }

    /// Whether the platform shows an answer to the contact. After these events it shows none, and
    /// wants to hear only that they were taken.
    #[must_use]
    pub fn can_be_answered(&self) -> bool {
        !matches!(
            self,
            Kind::Event(Event::Unsubscribe | Event::View | Event::TemplateSendJobFinish { .. })
        )
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Event(event) => write!(f, "event {event:?}"),
            kind => f.write_str(kind.name()),
        }
    }
}

/// The key under which a message is known again. Two events of one second differ in what they are
/// and in what they carry; two messages of one second differ in their number, which is unique for
/// one sender only.
fn key(
    message: &Element,
    contact: &str,
    created_at: Timestamp,
    kind: &Kind,
) -> Result<DedupeKey, Refusal> {
    if let Kind::Event(Event::TemplateSendJobFinish { msgid, .. }) = kind {
        return Ok(DedupeKey::of(&["report", contact, &msgid.to_string()]));
    }
    let text = |name| Ok::<_, Refusal>(message.text_of(name)?.unwrap_or(""));
    if let Some(msgid) = message.text_of("MsgId")? {
        // "7" and "007" are one number; what is none is its own text.
        let msgid = msgid.trim();
        let number = msgid.parse::<u64>().ok().map(|number| number.to_string());
        return Ok(DedupeKey::of(&[
            "message",
            contact,
            number.as_deref().unwrap_or(msgid),
        ]));
    }
    let second = created_at.as_second().to_string();
    if let Kind::Event(_) = kind {
        let mut parts = vec!["event", contact, &second, text("Event")?, text("EventKey")?];
        // Subscription notices carry what tells them apart inside their list.
        flatten(message, &mut parts, "List");
        return Ok(DedupeKey::of(&parts));
    }
    // No documented message lacks its number; all that it says then takes the number's place.
    let mut parts = vec!["unnumbered", contact, &second, text("MsgType")?];
    for child in message.children() {
        parts.extend([child.name(), child.text()]);
    }
    Ok(DedupeKey::of(&parts))
}

/// The texts inside the elements of a name, two levels down.
fn flatten<'a>(message: &'a Element, parts: &mut Vec<&'a str>, name: &str) {
    let lists = message.children().iter().flat_map(Element::children);
    for list in lists.filter(|list| list.name() == name) {
        for item in list.children() {
            parts.extend([item.name(), item.text()]);
        }
    }
}

/// Letters, digits, `_` and `-`: what ids of the platform consist of.
fn is_plain(id: &str) -> bool {
    id.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
