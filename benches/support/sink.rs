//! A stand-in of the API that takes everything.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A server that takes every message and remembers when.
pub struct Sink {
    pub port: u16,
    state: Arc<Mutex<Arrivals>>,
    pub done: Arc<Notify>,
    stalled: Arc<AtomicBool>,
    /// The number of its thread.
    thread: OsString,
}

/// The number of the first message; each further one has the next.
pub const FIRST_MSGID: usize = 3_000_000_000_000_000_001;

/// What has arrived.
pub struct Arrivals {
    expected: usize,
    pub first: Instant,
    pub last: Instant,
    pub bodies: Vec<Vec<u8>>,
    /// When each of them came.
    pub at: Vec<Instant>,
}

impl Arrivals {
    fn none(expected: usize) -> Self {
        let now = Instant::now();
        Self {
            expected,
            first: now,
            last: now,
            bodies: Vec::new(),
            at: Vec::new(),
        }
    }
}

impl Sink {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(Arrivals::none(usize::MAX)));
        let stalled = Arc::new(AtomicBool::new(false));
        let done = Arc::new(Notify::new());
        let (told, port) = std::sync::mpsc::channel();
        let (sink, notify) = (Arc::clone(&state), Arc::clone(&done));
        let stall = Arc::clone(&stalled);
        let (known, thread) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let own = std::fs::read_link("/proc/thread-self").expect("a thread");
            let own = own.file_name().expect("a number").to_owned();
            known.send(own).expect("main waits");
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
                    tokio::spawn(serve(
                        stream,
                        Arc::clone(&sink),
                        Arc::clone(&notify),
                        Arc::clone(&stall),
                    ));
                }
            });
        });
        Self {
            port: port.recv().expect("the sink starts"),
            state,
            done,
            stalled,
            thread: thread.recv().expect("the sink starts"),
        }
    }

    /// Time for which this process has run on a processor, but for the sink.
    pub fn cpu_beside(&self) -> Duration {
        let process = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let process = Duration::new(process.tv_sec as u64, process.tv_nsec as u32);
        let path = Path::new("/proc/self/task").join(&self.thread);
        let own = std::fs::read_to_string(path.join("schedstat")).expect("the sink runs");
        let own = own.split_whitespace().next().and_then(|ns| ns.parse().ok());
        process.saturating_sub(Duration::from_nanos(own.expect("nanoseconds")))
    }

    /// From here on messages are taken and not answered, or are answered again.
    pub fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::SeqCst);
    }

    /// How many messages have arrived.
    pub fn count(&self) -> usize {
        self.state.lock().expect("not poisoned").bodies.len()
    }

    /// Waits until so many have arrived.
    pub fn wait_for(&self, count: usize, patience: Duration) {
        let began = Instant::now();
        while self.count() < count {
            let waited = began.elapsed();
            assert!(waited < patience, "only {} arrived", self.count());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// From here on so many are expected; `done` is told of the last.
    pub fn expect(&self, count: usize) {
        let mut state = self.state.lock().expect("not poisoned");
        state.expected = count;
        state.bodies = Vec::with_capacity(count.min(1 << 20));
        state.at = Vec::with_capacity(count.min(1 << 20));
    }

    /// The message at a place in the order of arrival, if it has come.
    pub fn body(&self, at: usize) -> Option<Vec<u8>> {
        let state = self.state.lock().expect("not poisoned");
        state.bodies.get(at).cloned()
    }

    /// All that has arrived since then.
    pub fn take(&self) -> Arrivals {
        let mut state = self.state.lock().expect("not poisoned");
        std::mem::replace(&mut *state, Arrivals::none(usize::MAX))
    }
}

/// Answers requests on one connection. Only what both clients send is understood.
async fn serve(
    mut stream: TcpStream,
    state: Arc<Mutex<Arrivals>>,
    done: Arc<Notify>,
    stalled: Arc<AtomicBool>,
) {
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
        let is_message = text.starts_with("post /cgi-bin/message/template/send");
        let body = if is_message {
            let mut state = state.lock().expect("not poisoned");
            let now = Instant::now();
            if state.bodies.is_empty() {
                state.first = now;
            }
            state.last = now;
            state.at.push(now);
            let msgid = FIRST_MSGID + state.bodies.len();
            state.bodies.push(buffer[head + 4..end].to_vec());
            if state.bodies.len() == state.expected {
                done.notify_one();
            }
            format!(r#"{{"errcode":0,"errmsg":"ok","msgid":{msgid}}}"#)
        } else {
            r#"{"access_token":"token","expires_in":7200}"#.to_owned()
        };
        while is_message && stalled.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
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
