//! A small HTTP server on loopback that answers as it is told, faults included.

use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub token: Option<String>,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// Requests to this path before this one.
    pub index: usize,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub fn is_token(&self) -> bool {
        self.path.ends_with("/cgi-bin/stable_token")
    }
}

/// What follows on a request.
#[derive(Clone)]
pub enum Reply {
    /// Status, content type, body.
    Answer(u16, &'static str, Vec<u8>),
    /// As `Answer` with 200, and the connection is closed behind it without a word.
    AnswerAndClose(Vec<u8>),
    /// Nothing, for ever.
    Hang,
    /// The head of an answer, then nothing, for ever.
    HangInBody,
    /// The connection ends.
    Close,
    /// The connection ends in the middle of the body.
    Truncate(Vec<u8>),
    /// A body without a stated length, of so many bytes, in chunks.
    Endless(usize),
}

pub fn json(text: &str) -> Reply {
    Reply::Answer(
        200,
        "application/json; encoding=utf-8",
        text.as_bytes().to_vec(),
    )
}

pub fn token(token: &str, expires_in: i64) -> Reply {
    json(&format!(
        r#"{{"access_token":"{token}","expires_in":{expires_in}}}"#
    ))
}

type Script = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves plain HTTP.
    pub async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, script).await
    }

    /// Serves HTTPS.
    pub async fn start_tls(
        tls: tokio_rustls::TlsAcceptor,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(Some(tls), script).await
    }

    async fn start_with(
        tls: Option<tokio_rustls::TlsAcceptor>,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port");
        let address = listener.local_addr().expect("a bound port");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let script: Script = Arc::new(script);
        let task = {
            let (seen, connections) = (Arc::clone(&seen), Arc::clone(&connections));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                    let tls = tls.clone();
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, &seen, &script).await,
                            Some(tls) => {
                                // A client that does not trust us ends the handshake.
                                if let Ok(stream) = tls.accept(stream).await {
                                    serve(stream, &seen, &script).await;
                                }
                            }
                        }
                    });
                }
            })
        };
        Self {
            address,
            seen,
            connections,
            task,
        }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic under this lock").clone()
    }

    pub fn sends(&self) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|seen| !seen.is_token())
            .collect()
    }

    pub fn tokens(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(Seen::is_token).collect()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Vec<Seen>>,
    script: &Script,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream, seen).await {
        let written = match script(&request) {
            Reply::Answer(status, kind, body) => {
                let head = format!(
                    "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nLocation: /elsewhere\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(&[head.as_bytes(), &body].concat()).await
            }
            Reply::AnswerAndClose(body) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                return;
            }
            Reply::Hang => std::future::pending().await,
            Reply::HangInBody => {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"errcode\"";
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.flush().await;
                std::future::pending().await
            }
            Reply::Close => return,
            Reply::Truncate(body) => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                    body.len() + 10
                );
                let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                let _ = stream.flush().await;
                return;
            }
            Reply::Endless(bytes) => {
                let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                for _ in 0..bytes / 1024 {
                    answer.extend_from_slice(b"400\r\n");
                    answer.extend_from_slice(&[b' '; 1024]);
                    answer.extend_from_slice(b"\r\n");
                }
                answer.extend_from_slice(b"f\r\n{\"errcode\": 0 }\r\n0\r\n\r\n");
                stream.write_all(&answer).await
            }
        };
        if written.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    seen: &Mutex<Vec<Seen>>,
) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("an ASCII head");
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<String> = lines.map(str::to_ascii_lowercase).collect();
    let length: usize = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let token = query.strip_prefix("access_token=").map(str::to_owned);
    let mut seen = seen.lock().expect("no panic under this lock");
    let index = seen.iter().filter(|earlier| earlier.path == path).count();
    let request = Seen {
        path: path.to_owned(),
        token,
        headers,
        body,
        index,
    };
    seen.push(request.clone());
    Some(request)
}
