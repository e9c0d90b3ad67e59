//! The end of a daemon that is pushed to: who was let in is answered, and what was answered is kept.

use super::daemon::{config_with, options};
use super::desk::{APPID, KEY, NOON, PATIENCE, Reply, TOKEN};
use dosed::daemon;
use dosed::daemon::signals::Control;
use dosed::http::{PublicParts, serve_public};
use dosed::messaging::Secret;
use dosed::messaging::wechat::callback::{
    Inbound, InboundKind, InboundResult, Inbox, Mode, Reception, Settings,
};
use dosed::messaging::wechat::crypto::signature;
use dosed::sandbox::{Options, Sandbox};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// An inbox whose commit comes when it is told to.
struct Slow {
    came: Notify,
    go: Notify,
}

impl Inbox for Slow {
    fn receive(&self, _: Inbound) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            self.came.notify_one();
            self.go.notified().await;
            Ok(None)
        })
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOON).unwrap()
    }

    fn count(&self, _: InboundKind, _: InboundResult) {}
}

/// A push in the clear: whose, the words, its number.
pub fn request(second: i64, openid: &str, text: &str, number: u64) -> Vec<u8> {
    let signed = signature(&[TOKEN, &second.to_string(), "7"]);
    let body = format!(
        "<xml><ToUserName>gh_a</ToUserName><FromUserName>{openid}</FromUserName>\
         <CreateTime>{second}</CreateTime><MsgType>text</MsgType><Content>{text}</Content>\
         <MsgId>{number}</MsgId></xml>"
    );
    let head = format!(
        "POST /push?signature={signed}&timestamp={second}&nonce=7&openid={openid} HTTP/1.1\r\n\
         Host: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// Sends a request; what was answered, if anything was.
pub async fn send(address: SocketAddr, request: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).expect("an answer is text");
    (!answer.is_empty()).then_some(answer)
}

#[tokio::test]
async fn a_push_under_way_at_the_end_is_answered_and_nobody_else_is_let_in() {
    let inbox = Arc::new(Slow {
        came: Notify::new(),
        go: Notify::new(),
    });
    let settings = Settings {
        appid: APPID.to_owned(),
        account: None,
        token: Secret::new(TOKEN),
        aes_key: Some(Secret::new(KEY)),
        mode: Mode::Plain,
    };
    let reception = Reception::new(&settings, inbox.clone()).unwrap();
    let reception = Arc::new(reception.with_commit_max(PATIENCE));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = serve_public(
        listener,
        PublicParts::callback_at("/push", reception),
        Arc::new(|_| {}),
        stop.clone(),
    );
    let served = tokio::spawn(served);
    let pushed = request(NOON, "o-wang", "1", 1);
    let pushed = tokio::spawn(async move { send(address, &pushed).await });
    let came = tokio::time::timeout(PATIENCE, inbox.came.notified()).await;
    came.expect("the push comes in");
    stop.cancel();
    let closed = async { while TcpStream::connect(address).await.is_ok() {} };
    let closed = tokio::time::timeout(PATIENCE, closed).await;
    closed.expect("nobody is let in any more");
    inbox.go.notify_one();
    let answer = pushed.await.unwrap().expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("success"), "{answer}");
    let served = tokio::time::timeout(PATIENCE, served).await;
    served.expect("it comes to its end").unwrap();
}

/// Who push at the same time.
const PUSHERS: usize = 32;
/// How many pushes are answered before the daemon is told to end.
const BEFORE: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_push_is_refused_because_the_daemon_ends_and_what_was_answered_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options {
        appid: APPID.to_owned(),
        now: Arc::new(Timestamp::now),
        ..Options::default()
    });
    let sandbox = sandbox.await.unwrap();
    let config = config_with(directory.path(), &sandbox.base_url(), "mode = \"plain\"\n");
    let control = Control::default();
    let (ready, stop) = (Arc::clone(&control.ready), control.stop.clone());
    let running = tokio::spawn(daemon::run(config, options(directory.path()), control));
    let is_ready = tokio::time::timeout(PATIENCE, ready.notified()).await;
    is_ready.expect("the daemon becomes ready");
    let left = std::fs::read_to_string(directory.path().join("ready")).unwrap();
    let left: serde_json::Value = serde_json::from_str(&left).unwrap();
    let address: SocketAddr = left["public"].as_str().unwrap().parse().unwrap();

    let (answered, mut answers) = mpsc::unbounded_channel();
    for pusher in 0..PUSHERS {
        let answered = answered.clone();
        tokio::spawn(async move {
            for number in 1.. {
                let (openid, text) = (format!("o-{pusher}"), format!("说 {pusher}-{number}"));
                let second = Timestamp::now().as_second();
                let pushed = request(second, &openid, &text, number);
                // Nobody answers any more: that is the end.
                let Some(answer) = send(address, &pushed).await else {
                    return;
                };
                answered.send((text, answer)).expect("the test looks on");
            }
        });
    }
    drop(answered);
    let mut taken = BTreeSet::new();
    let all = async {
        while let Some((text, answer)) = answers.recv().await {
            assert!(answer.starts_with("HTTP/1.1 200 "), "{text}: {answer}");
            taken.insert(text);
            if taken.len() == BEFORE {
                stop.cancel();
            }
        }
    };
    let all = tokio::time::timeout(PATIENCE, all).await;
    all.expect("the pushers come to their end");
    let ended = tokio::time::timeout(PATIENCE, running).await;
    let ended = ended.expect("the daemon ends").unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    assert!(taken.len() >= BEFORE);

    let output = Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(["inbox", "--json", "--config"])
        .arg(directory.path().join("dosed.toml"))
        .env_remove("STATE_DIRECTORY")
        .output()
        .expect("the built binary runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let lines = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line["text"].as_str().expect("words").to_owned()
    });
    let lines: Vec<String> = lines.collect();
    let kept: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(kept.len(), lines.len(), "nothing is kept twice");
    let lost: Vec<&String> = taken.difference(&kept).collect();
    assert!(lost.is_empty(), "answered and not kept: {lost:?}");
}
