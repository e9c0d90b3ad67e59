//! Connections of the API's client: each made within a limit, some ahead of their first request,
//! so that at eight o'clock nobody waits for a handshake.

use hyper::Uri;
use hyper::rt::{Read, ReadBuf};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tower_service::Service;

/// For so long a connection that was made ahead is used: longer than messages are fired ahead,
/// and shorter than the five seconds that the most impatient of common servers wait for a first
/// request.
const FRESH_FOR: Duration = Duration::from_secs(4);

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = Result<Connection, Failure>> + Send>>;

/// Connects, TLS included, within a limit; or gives what was connected ahead. Clones share what
/// was.
#[derive(Clone)]
pub(super) struct Connector {
    shared: Arc<Shared>,
}

struct Shared {
    https: HttpsConnector<HttpConnector>,
    limit: Duration,
    fresh_for: Duration,
    ahead: Mutex<Vec<Ahead>>,
}

/// A connection without a request so far.
struct Ahead {
    place: Place,
    made: Instant,
    connection: Connection,
}

/// Scheme, host and port.
type Place = (Option<String>, Option<String>);

fn place(address: &Uri) -> Place {
    let authority = address.authority().map(|it| it.as_str().to_owned());
    (address.scheme_str().map(str::to_owned), authority)
}

impl Connector {
    pub(super) fn new(https: HttpsConnector<HttpConnector>, limit: Duration) -> Self {
        Self::with_fresh_for(https, limit, FRESH_FOR)
    }

    fn with_fresh_for(
        https: HttpsConnector<HttpConnector>,
        limit: Duration,
        fresh_for: Duration,
    ) -> Self {
        let shared = Shared {
            https,
            limit,
            fresh_for,
            ahead: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Connects until so many connections wait for their first request. What stands in the way is
    /// met, and said, by the first request. Nobody else waits for this: a request that comes
    /// meanwhile takes what is there, or connects for itself.
    pub(super) async fn connect_ahead(&self, address: &Uri, count: usize) {
        let place = place(address);
        let missing = count.saturating_sub(self.shared.waiting(&place));
        let mut connecting: JoinSet<Result<Connection, Failure>> = JoinSet::new();
        for _ in 0..missing {
            connecting.spawn(self.connect(address.clone()));
        }
        while let Some(connected) = connecting.join_next().await {
            if let Ok(Ok(connection)) = connected {
                self.keep(place.clone(), connection);
            }
        }
    }

    /// Keeps one as long as it is fresh, and as long as there is a client.
    fn keep(&self, place: Place, connection: Connection) {
        let made = Instant::now();
        let kept = Ahead {
            place,
            made,
            connection,
        };
        self.shared.with_ahead(|ahead| ahead.push(kept));
        let shared = Arc::downgrade(&self.shared);
        let ends = made + self.shared.fresh_for;
        tokio::spawn(async move {
            tokio::time::sleep_until(ends).await;
            if let Some(shared) = shared.upgrade() {
                shared.with_ahead(|_| ());
            }
        });
    }

    fn connect(&self, address: Uri) -> Connecting {
        let connecting = timeout(self.shared.limit, self.shared.https.clone().call(address));
        Box::pin(async move { connecting.await? })
    }

    /// Whether one is there and open.
    #[cfg(test)]
    pub(super) fn has_open(&self) -> bool {
        self.shared
            .with_ahead(|ahead| ahead.iter_mut().any(|it| is_open(&mut it.connection)))
    }
}

impl Shared {
    /// Closes those that are not fresh any more, and looks at the others.
    fn with_ahead<T>(&self, look: impl FnOnce(&mut Vec<Ahead>) -> T) -> T {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.retain(|it| it.made.elapsed() < self.fresh_for);
        look(&mut ahead)
    }

    fn waiting(&self, place: &Place) -> usize {
        self.with_ahead(|ahead| ahead.iter().filter(|it| it.place == *place).count())
    }

    fn take(&self, place: &Place) -> Option<Connection> {
        self.with_ahead(|ahead| {
            while let Some(index) = ahead.iter().position(|it| it.place == *place) {
                let mut connection = ahead.swap_remove(index).connection;
                if is_open(&mut connection) {
                    return Some(connection);
                }
            }
            None
        })
    }
}

/// False where the other end has closed it, or has said anything before a request, as far as the
/// system knows: what is written to such a connection may be lost, and nobody could say whether it
/// was.
fn is_open(connection: &mut Connection) -> bool {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    let mut context = Context::from_waker(Waker::noop());
    // A server's tickets may lie there already, and its goodbye behind them: TLS reads both.
    let read = Pin::new(&mut *connection).poll_read(&mut context, buffer.unfilled());
    let tcp = match connection {
        MaybeHttpsStream::Http(tcp) => tcp.inner(),
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner().inner(),
    };
    // The runtime may not have heard yet what the system knows.
    let seen = recv(tcp, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!((read, seen), (Poll::Pending, Err(Errno::AGAIN)))
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = Failure;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        // The system's resolver, the only one here, is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Connecting {
        match self.shared.take(&place(&address)) {
            Some(connection) => Box::pin(std::future::ready(Ok(connection))),
            None => self.connect(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::tls;
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_is_made_ahead_and_not_used_is_closed() {
        crate::messaging::install_crypto_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/path", listener.local_addr().unwrap());
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls(false, Vec::new()).unwrap())
            .https_or_http()
            .enable_http1()
            .wrap_connector({
                let mut tcp = HttpConnector::new();
                tcp.enforce_http(false);
                tcp
            });
        let (limit, fresh_for) = (Duration::from_secs(10), Duration::from_millis(1));
        let connector = Connector::with_fresh_for(https, limit, fresh_for);
        connector.connect_ahead(&address.parse().unwrap(), 2).await;
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let end = timeout(Duration::from_secs(30), stream.read(&mut [0])).await;
            assert_eq!(end.expect("it is closed").unwrap(), 0);
        }
    }
}
