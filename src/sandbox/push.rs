//! What the platform pushes, as XML.

use crate::messaging::wechat::wire::xml::Document;
use jiff::Timestamp;

/// Something that a follower does, or that the platform reports, on its way to the account's
/// callback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// A text.
    Text(String),
    /// An item of a menu message was tapped: a text with the item's id.
    Tap {
        /// The item's id.
        id: String,
        /// The item's words.
        content: String,
    },
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
    /// They follow; by a code's scene and ticket, if by one.
    Subscribe(Option<(String, String)>),
    /// They follow no more.
    Unsubscribe,
    /// A follower scanned a code: its scene and ticket.
    Scan(String, String),
    /// An item of the account's menu was tapped: its key.
    Click(String),
    /// A page of the account's menu was opened: its address.
    View(String),
    /// What became of a template message.
    Report(i64, Report),
}

/// What the platform reports of template messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Report {
    /// It is on the phone.
    #[default]
    Success,
    /// The recipient refuses messages.
    UserBlock,
    /// The platform erred.
    SystemFailed,
    /// Too many messages to this recipient.
    FreqLimit,
    /// Nothing is reported, as happens.
    Never,
}

impl Report {
    fn status(self) -> &'static str {
        match self {
            Report::Success | Report::Never => "success",
            Report::UserBlock => "failed:user block",
            Report::SystemFailed => "failed: system failed",
            Report::FreqLimit => "failed:freq limit",
        }
    }
}

/// What all pushes carry.
pub(super) struct Envelope<'a> {
    pub account: &'a str,
    pub openid: &'a str,
    pub at: Timestamp,
    /// Of a message; events have none.
    pub msgid: i64,
}

impl Push {
    /// The elements of a push, `ToUserName` first.
    pub(super) fn document(&self, envelope: &Envelope<'_>) -> Document {
        let document = Document::default()
            .text("ToUserName", envelope.account)
            .text("FromUserName", envelope.openid)
            .number("CreateTime", envelope.at.as_second());
        let message = |kind| document_of(kind, envelope.msgid);
        let event =
            |document: Document, name| document.text("MsgType", "event").text("Event", name);
        match self {
            Push::Text(content) => message("text")(document).text("Content", content),
            Push::Tap { id, content } => message("text")(document)
                .text("Content", content)
                .text("bizmsgmenuid", id),
            Push::Image => message("image")(document)
                .text("PicUrl", "http://mmbiz.qpic.cn/sandbox")
                .text("MediaId", "sandbox-image"),
            Push::Voice => message("voice")(document)
                .text("MediaId", "sandbox-voice")
                .text("Format", "amr")
                .text("Recognition", ""),
            Push::Video => message("video")(document)
                .text("MediaId", "sandbox-video")
                .text("ThumbMediaId", "sandbox-thumb"),
            Push::ShortVideo => message("shortvideo")(document)
                .text("MediaId", "sandbox-video")
                .text("ThumbMediaId", "sandbox-thumb"),
            Push::Location => message("location")(document)
                .text("Location_X", "31.2304")
                .text("Location_Y", "121.4737")
                .text("Scale", "15")
                .text("Label", ""),
            Push::Link => message("link")(document)
                .text("Title", "-")
                .text("Description", "-")
                .text("Url", "https://example.org/"),
            Push::Subscribe(None) => event(document, "subscribe").text("EventKey", ""),
            Push::Subscribe(Some((scene, ticket))) => event(document, "subscribe")
                .text("EventKey", &format!("qrscene_{scene}"))
                .text("Ticket", ticket),
            Push::Unsubscribe => event(document, "unsubscribe").text("EventKey", ""),
            Push::Scan(scene, ticket) => event(document, "SCAN")
                .text("EventKey", scene)
                .text("Ticket", ticket),
            Push::Click(key) => event(document, "CLICK").text("EventKey", key),
            Push::View(url) => event(document, "VIEW").text("EventKey", url),
            Push::Report(msgid, report) => event(document, "TEMPLATESENDJOBFINISH")
                .number("MsgID", *msgid)
                .text("Status", report.status()),
        }
    }

    /// Whether a follower waits for an answer: where none comes, they are told so.
    pub(super) fn is_spoken(&self) -> bool {
        !matches!(
            self,
            Push::Unsubscribe | Push::View(_) | Push::Report(..) | Push::Subscribe(_)
        )
    }
}

fn document_of(kind: &'static str, msgid: i64) -> impl Fn(Document) -> Document {
    move |document| document.text("MsgType", kind).number("MsgId", msgid)
}
