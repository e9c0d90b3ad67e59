//! What a contact did, or what the platform reports.

use super::refusal::Refusal;
use crate::messaging::wechat::wire::xml::{Element, XmlFault};
use std::fmt;

/// An event. `Debug` says its kind only: what a contact tapped or scanned is theirs.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// They follow the account, for the first time or again.
    Subscribe {
        /// The scene of the code whose scan made them follow; `None` if they came by themselves.
        scene: Option<String>,
    },
    /// They follow no more: nothing reaches them, and what is kept of them is theirs to have gone.
    Unsubscribe,
    /// A follower scanned a code.
    Scan {
        /// The code's scene.
        scene: String,
    },
    /// They tapped an item of the menu.
    Click {
        /// The item's key.
        key: String,
    },
    /// They opened a page of the menu.
    View,
    /// The phone reports where it is; not asked for, and dropped.
    Location,
    /// What became of a template message.
    TemplateSendJobFinish {
        /// The number that the API gave the message.
        msgid: i64,
        /// What became of it.
        status: DeliveryStatus,
    },
    /// They allowed or refused subscription notices (`subscribe_msg_popup_event`,
    /// `subscribe_msg_change_event`).
    Consents(Vec<Consent>),
    /// What became of subscription notices (`subscribe_msg_sent_event`).
    NoticesSent(Vec<NoticeSent>),
    /// An event that says nothing here.
    Other,
}

/// What became of a message that the API had accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// It is on the phone.
    Success,
    /// The recipient refuses messages.
    UserBlock,
    /// The platform erred.
    SystemFailed,
    /// Too many messages to this recipient.
    FreqLimit,
    /// It is not on the phone, for a reason that is not documented.
    OtherFailed,
}

impl DeliveryStatus {
    /// Reads the report's status; by its beginning, since what follows has varied.
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        if text == "success" {
            return Self::Success;
        }
        let reason = text.strip_prefix("failed").unwrap_or(text);
        let reason = reason.trim_start_matches([':', ' ']);
        match reason {
            _ if reason.starts_with("user block") => Self::UserBlock,
            _ if reason.starts_with("system failed") => Self::SystemFailed,
            _ if reason.starts_with("freq limit") => Self::FreqLimit,
            _ => Self::OtherFailed,
        }
    }
}

/// A recipient's word on one kind of subscription notice.
#[derive(Clone, PartialEq, Eq)]
pub struct Consent {
    /// The notice's template.
    pub template_id: String,
    /// Whether they allow it.
    pub accepts: bool,
}

/// What became of one subscription notice.
#[derive(Clone, PartialEq, Eq)]
pub struct NoticeSent {
    /// The notice's template.
    pub template_id: String,
    /// The number that the API gave it.
    pub msgid: Option<i64>,
    /// 0, or why it is not on the phone.
    pub errcode: i64,
}

impl Event {
    /// Reads the message's event; the names are as the platform writes them, upper case and lower.
    pub(super) fn read(message: &Element) -> Result<Self, Refusal> {
        let key = || Ok::<_, XmlFault>(message.text_of("EventKey")?.unwrap_or("").to_owned());
        Ok(match message.text_of("Event")?.ok_or(Refusal::Field)? {
            "subscribe" => Event::Subscribe {
                scene: key()?
                    .strip_prefix("qrscene_")
                    .filter(|scene| !scene.is_empty())
                    .map(ToOwned::to_owned),
            },
            "unsubscribe" => Event::Unsubscribe,
            "SCAN" => Event::Scan { scene: key()? },
            "CLICK" => Event::Click { key: key()? },
            "VIEW" => Event::View,
            "LOCATION" => Event::Location,
            "TEMPLATESENDJOBFINISH" => Event::TemplateSendJobFinish {
                msgid: integer(message.text_of("MsgID")?).ok_or(Refusal::Field)?,
                status: DeliveryStatus::read(message.text_of("Status")?.ok_or(Refusal::Field)?),
            },
            "subscribe_msg_popup_event" | "subscribe_msg_change_event" => {
                Event::Consents(items(message, consent)?)
            }
            "subscribe_msg_sent_event" => Event::NoticesSent(items(message, notice_sent)?),
            _ => Event::Other,
        })
    }

    /// The name of the event's kind.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Event::Subscribe { .. } => "subscribe",
            Event::Unsubscribe => "unsubscribe",
            Event::Scan { .. } => "scan",
            Event::Click { .. } => "click",
            Event::View => "view",
            Event::Location => "location",
            Event::TemplateSendJobFinish { .. } => "template_send_job_finish",
            Event::Consents(_) => "consents",
            Event::NoticesSent(_) => "notices_sent",
            Event::Other => "other",
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The items of an event's list. What they are wrapped in is not told apart: of one of the events
/// the documentation itself has it under two names.
fn items<T>(
    message: &Element,
    read: impl Fn(&Element) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let wrappers = message.children().iter();
    let lists = wrappers.flat_map(Element::children);
    lists
        .filter(|list| list.name() == "List" && !list.children().is_empty())
        .map(read)
        .collect()
}

fn consent(item: &Element) -> Result<Consent, Refusal> {
    Ok(Consent {
        template_id: template_id(item)?,
        // Anything but a plain yes is none.
        accepts: item.text_of("SubscribeStatusString")? == Some("accept"),
    })
}

fn notice_sent(item: &Element) -> Result<NoticeSent, Refusal> {
    Ok(NoticeSent {
        template_id: template_id(item)?,
        msgid: integer(item.text_of("MsgID")?),
        errcode: integer(item.text_of("ErrorCode")?).ok_or(Refusal::Field)?,
    })
}

fn template_id(item: &Element) -> Result<String, Refusal> {
    let id = item.text_of("TemplateId")?.ok_or(Refusal::Field)?;
    Ok(id.to_owned())
}

pub(super) fn integer(text: Option<&str>) -> Option<i64> {
    text?.trim().parse().ok()
}
