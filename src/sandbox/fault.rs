//! Faults on order: what the stand-in is to do instead of answering as it should.

use crate::messaging::wechat::wire::TemplateSend;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What happens to one request. Each says whether the request is *carried out* (the message is in
/// the inbox, the token is issued) or not, whatever the caller gets to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the request is answered as it should.
    #[default]
    None,
    /// Not carried out; HTTP 200 with this `errcode`.
    Errcode(i64),
    /// Carried out, and answered with HTTP 200 and this `errcode` all the same (-1 may do that).
    ErrcodeAfter(i64),
    /// Not carried out; this HTTP status with a page of HTML.
    Http(u16),
    /// Carried out, and answered with this HTTP status and a page of HTML.
    HttpAfter(u16),
    /// Not carried out and never answered; the connection stays open.
    Hang,
    /// Carried out and never answered; the connection stays open.
    HangAfter,
    /// Not carried out; the connection is closed without an answer.
    DropBefore,
    /// Carried out; the connection is closed without an answer.
    DropAfter,
    /// Carried out at once, answered after this time (of the machine, not of the sandbox's clock).
    Delay(Duration),
    /// Carried out; the connection is closed in the middle of the answer's body.
    Truncate,
    /// Carried out; HTTP 200 with a page of HTML.
    Garble,
}

impl Fault {
    /// Whether the request is carried out, whatever is answered.
    #[must_use]
    pub fn carries_out(self) -> bool {
        match self {
            Fault::None
            | Fault::ErrcodeAfter(_)
            | Fault::HttpAfter(_)
            | Fault::HangAfter
            | Fault::DropAfter
            | Fault::Delay(_)
            | Fault::Truncate
            | Fault::Garble => true,
            Fault::Errcode(_) | Fault::Http(_) | Fault::Hang | Fault::DropBefore => false,
        }
    }
}

type OnSend = dyn Fn(&TemplateSend, u64) -> Fault + Send + Sync;
type OnToken = dyn Fn(u64) -> Fault + Send + Sync;

/// The script of faults: functions that are asked about each request, so that a run can be
/// repeated exactly. Nothing in it is drawn by lot.
#[derive(Clone, Default)]
pub struct Faults {
    send: Option<Arc<OnSend>>,
    token: Option<Arc<OnToken>>,
}

impl Faults {
    /// No faults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Asks `script` about each template send that carries a good token and a readable body; the
    /// number counts those sends from 1.
    #[must_use]
    pub fn on_send(
        mut self,
        script: impl Fn(&TemplateSend, u64) -> Fault + Send + Sync + 'static,
    ) -> Self {
        self.send = Some(Arc::new(script));
        self
    }

    /// Asks `script` about each request for a token; the number counts them from 1.
    #[must_use]
    pub fn on_token(mut self, script: impl Fn(u64) -> Fault + Send + Sync + 'static) -> Self {
        self.token = Some(Arc::new(script));
        self
    }

    /// Whether sends need to be asked about at all.
    pub(super) fn send_script(&self) -> Option<Arc<OnSend>> {
        self.send.clone()
    }

    pub(super) fn of_token(&self, nth: u64) -> Fault {
        self.token
            .as_ref()
            .map_or(Fault::None, |script| script(nth))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("send", &self.send.is_some())
            .field("token", &self.token.is_some())
            .finish()
    }
}
