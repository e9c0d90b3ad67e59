//! The public listener: anybody can reach it, so that everything a client can hold on to is bounded.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at the same time; others wait to be accepted. With what follows, all of them
/// together hold some 50 MiB at most.
const CONNECTIONS_MAX: usize = 512;
/// Bytes of a request's line and headers.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// A head that has not come by then does not come.
const HEAD_READ_MAX: Duration = Duration::from_secs(3);
/// The whole of a connection. It carries one request, and the platform itself waits no longer than
/// five seconds.
const CONNECTION_MAX: Duration = Duration::from_secs(8);
/// What is left to requests under way at the end: the time of a commit, and as much again.
const END_MAX: Duration = Duration::from_secs(2);
/// What is waited when the system has no more files or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop`; then lets nobody in any more, and requests under way come to their end.
/// Whoever has not said anything by then is cut off: the platform sends again.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
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
            Ok((stream, _)) => {
                let connection = carry(stream, router.clone());
                connections.spawn(async move {
                    // Cut off in the middle, if it comes to that: the platform sends again.
                    let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
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
        tracing::debug!("connections of the public listener are cut off at the end");
    }
}

/// One connection with one request.
async fn carry(stream: TcpStream, router: Router) {
    // Fails on a connection that is gone already; the next read says so.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the public listener ended in the middle");
    }
}
