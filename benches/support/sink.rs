//! A stand-in of the API that takes everything.

use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A server that takes every message and remembers when.
pub struct Sink {
    pub port: u16,
    state: Arc<Mutex<Arrivals>>,
    pub done: Arc<Notify>,
}

/// The number of the first message; each further one has the next.
pub const FIRST_MSGID: usize = 3_000_000_000_000_000_001;

/// What has arrived.
pub struct Arrivals {
    expected: usize,
    pub first: Instant,
    pub last: Instant,
    pub bodies: Vec<Vec<u8>>,
}

impl Sink {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(Arrivals {
            expected: usize::MAX,
            first: Instant::now(),
            last: Instant::now(),
            bodies: Vec::new(),
        }));
        let done = Arc::new(Notify::new());
        let (told, port) = std::sync::mpsc::channel();
        let (sink, notify) = (Arc::clone(&state), Arc::clone(&done));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                told.send(listener.local_addr().expect("a port").port())
                    .expect("main waits");
                loop {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(serve(stream, Arc::clone(&sink), Arc::clone(&notify)));
                }
            });
        });
        Self {
            port: port.recv().expect("the sink starts"),
            state,
            done,
        }
    }

    /// From here on so many are expected; `done` is told of the last.
    pub fn expect(&self, count: usize) {
        let mut state = self.state.lock().expect("not poisoned");
        state.expected = count;
        state.bodies = Vec::with_capacity(count);
    }

    /// The message at a place in the order of arrival, if it has come.
    pub fn body(&self, at: usize) -> Option<Vec<u8>> {
        let state = self.state.lock().expect("not poisoned");
        state.bodies.get(at).cloned()
    }

    /// All that has arrived since then.
    pub fn take(&self) -> Arrivals {
        let mut state = self.state.lock().expect("not poisoned");
        let now = Instant::now();
        let fresh = Arrivals {
            expected: usize::MAX,
            first: now,
            last: now,
            bodies: Vec::new(),
        };
        std::mem::replace(&mut *state, fresh)
    }
}

/// Answers requests on one connection. Only what both clients send is understood.
async fn serve(mut stream: TcpStream, state: Arc<Mutex<Arrivals>>, done: Arc<Notify>) {
    let mut buffer: Vec<u8> = Vec::with_capacity(4_096);
    loop {
        let Some(head) = find(&buffer, b"\r\n\r\n") else {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        let end = head + 4 + length;
        while buffer.len() < end {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let body = if text.starts_with("post /cgi-bin/message/template/send") {
            let mut state = state.lock().expect("not poisoned");
            let now = Instant::now();
            if state.bodies.is_empty() {
                state.first = now;
            }
            state.last = now;
            let msgid = FIRST_MSGID + state.bodies.len();
            state.bodies.push(buffer[head + 4..end].to_vec());
            if state.bodies.len() == state.expected {
                done.notify_one();
            }
            format!(r#"{{"errcode":0,"errmsg":"ok","msgid":{msgid}}}"#)
        } else {
            r#"{"access_token":"token","expires_in":7200}"#.to_owned()
        };
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(body.as_bytes());
        if stream.write_all(&answer).await.is_err() {
            return;
        }
        buffer.drain(..end);
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
