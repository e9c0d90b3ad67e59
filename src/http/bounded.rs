//! A listener on which everything a client can hold on to is bounded: anybody may reach the public
//! one, and a browser, or a script gone wrong, the private one.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// Connections at the same time; others wait to be accepted. With what follows, all of them
/// together hold some 50 MiB at most.
const CONNECTIONS_MAX: usize = 512;
/// Bytes of a request's line and headers.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// A head that has not come by then does not come.
const HEAD_READ_MAX: Duration = Duration::from_secs(3);
/// What is left to requests under way at the end: the time of a commit, and as much again.
const END_MAX: Duration = Duration::from_secs(2);
/// What is waited when the system has no more files or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The whole of a connection of the public listener. It carries one request, and the platform
/// itself waits no longer than five seconds.
pub const PUBLIC_CONNECTION_MAX: Duration = Duration::from_secs(8);
/// The whole of a connection of the private listener: a form comes within ten seconds, and advice
/// to a thousand patients is given in less than the rest.
pub const PRIVATE_CONNECTION_MAX: Duration = Duration::from_secs(40);

/// What a listener does not serve, whoever asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// The client said nothing, too slowly, too much, or what is no HTTP, and was cut off.
    CutOff,
    /// There is nothing of that path, or nothing that takes the method.
    NotFound,
}

impl Unserved {
    /// All of them.
    pub const ALL: [Unserved; 2] = [Unserved::CutOff, Unserved::NotFound];

    /// The name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unserved::CutOff => "cut_off",
            Unserved::NotFound => "not_found",
        }
    }
}

/// Counts what is not served.
pub type Count = Arc<dyn Fn(Unserved) + Send + Sync>;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves until `stop`; then lets nobody in any more, and requests under way come to their end.
/// Whoever has not said anything by then is cut off: the platform sends again, a person asks again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connection_max: Duration,
    count: Count,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        // It is never closed.
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let connection = carry(stream, Peer(peer), router.clone(), Arc::clone(&count));
                let count = Arc::clone(&count);
                connections.spawn(async move {
                    // Cut off in the middle, if it comes to that.
                    let carried = tokio::time::timeout(connection_max, connection).await;
                    if carried != Ok(true) {
                        count(Unserved::CutOff);
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(END_MAX, ended).await.is_err() {
        tracing::debug!("connections of a listener are cut off at the end");
    }
}

/// One connection with one request. False if we, and not the client, ended it in the middle.
async fn carry(stream: TcpStream, peer: Peer, router: Router, count: Count) -> bool {
    // Fails on a connection that is gone already; the next read says so.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let answered = router.clone().call(request);
        let count = Arc::clone(&count);
        async move {
            let answered = answered.await;
            if let Ok(answer) = &answered {
                let status = answer.status();
                if matches!(
                    status,
                    StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
                ) {
                    count(Unserved::NotFound);
                }
            }
            answered
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    match served {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, "a connection ended in the middle");
            !(error.is_timeout() || error.is_parse() || error.is_parse_too_large())
        }
    }
}

/// Who asks: the other end of the connection, or whom a proxy on this machine names last.
#[must_use]
pub fn address_of(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>()?.0.ip();
    let forwarded = request.headers().get("x-forwarded-for");
    let forwarded = forwarded.filter(|_| peer.is_loopback());
    let named = forwarded.and_then(|it| it.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    Some(named.unwrap_or(peer))
}

/// Whoever has one address of version 6 has all of its network.
#[must_use]
pub fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let kept = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(kept))
        }
        address @ IpAddr::V4(_) => address,
    }
}
