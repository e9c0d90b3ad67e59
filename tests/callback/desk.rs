//! An inbox that takes what comes and answers as told, behind the real listener.

use dosed::http::{PublicParts, serve_public};
use dosed::messaging::Secret;
use dosed::messaging::wechat::callback::{
    Inbound, InboundKind, InboundResult, Inbox, Mode, Reception, Settings, Unavailable,
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const TOKEN: &str = "emulatortoken";
pub const KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";
pub const APPID: &str = "wx5f0a1b2c3d4e5f60";
pub const NOON: i64 = 1_800_000_000;
/// Far longer than anything here takes; short enough to see a test that hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub type Reply = Result<Option<String>, Unavailable>;
type Script = Box<dyn FnMut(&Inbound) -> Reply + Send>;

/// Takes what comes and answers as told.
pub struct Desk {
    replies: Mutex<Script>,
    pub taken: Mutex<Vec<Inbound>>,
    pub counts: Mutex<Vec<(InboundKind, InboundResult)>>,
}

impl Inbox for Desk {
    fn receive(&self, inbound: Inbound) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let reply = (self.replies.lock().unwrap())(&inbound);
            self.taken.lock().unwrap().push(inbound);
            reply
        })
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOON).unwrap()
    }

    fn count(&self, kind: InboundKind, result: InboundResult) {
        self.counts.lock().unwrap().push((kind, result));
    }
}

/// The listener with what it serves.
pub struct World {
    pub desk: Arc<Desk>,
    pub address: SocketAddr,
    _stop: DropGuard,
}

/// An inbox alone.
pub fn desk(replies: impl FnMut(&Inbound) -> Reply + Send + 'static) -> Arc<Desk> {
    Arc::new(Desk {
        replies: Mutex::new(Box::new(replies)),
        taken: Mutex::default(),
        counts: Mutex::default(),
    })
}

impl World {
    pub async fn start(
        mode: Mode,
        replies: impl FnMut(&Inbound) -> Reply + Send + 'static,
    ) -> Self {
        let desk = desk(replies);
        let settings = Settings {
            appid: APPID.to_owned(),
            account: None,
            token: Secret::new(TOKEN),
            aes_key: Some(Secret::new(KEY)),
            mode,
        };
        let reception = Arc::new(Reception::new(&settings, desk.clone()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = serve_public(
            listener,
            PublicParts::callback_at("/wechat", reception),
            Arc::new(|_| {}),
            stop.clone(),
        );
        tokio::spawn(served);
        Self {
            desk,
            address,
            _stop: stop.drop_guard(),
        }
    }

    pub fn refused(&self) -> usize {
        let counts = self.desk.counts.lock().unwrap();
        let refused = (InboundKind::Unread, InboundResult::Refused);
        counts.iter().filter(|count| **count == refused).count()
    }

    pub fn taken(&self) -> Vec<Inbound> {
        self.desk.taken.lock().unwrap().clone()
    }
}
