//! The dead man's switch, told over HTTP while a clock runs 600 times as fast: five minutes are half
//! a second.

use super::support::{World, eventually};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A service that notes the paths that were asked for, and answers with a status of choice.
struct Sink {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    status: Arc<Mutex<u16>>,
}

impl Sink {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let sink = Self {
            address,
            asked: Arc::default(),
            status: Arc::new(Mutex::new(200)),
        };
        let (asked, status) = (Arc::clone(&sink.asked), Arc::clone(&sink.status));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n")
                    && stream.read_buf(&mut head).await.unwrap_or(0) > 0
                {}
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or("?").to_owned();
                let status = *status.lock().expect("nobody panics with it");
                asked.lock().expect("nobody panics with it").push(path);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        sink
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics with it").clone()
    }

    fn answer_with(&self, status: u16) {
        *self.status.lock().expect("nobody panics with it") = status;
    }

    async fn wait_for(&self, path: &str, times: usize) {
        eventually(&format!("{times} times {path}"), async || {
            (self.asked().iter().filter(|asked| *asked == path).count() >= times).then_some(())
        })
        .await;
    }
}

/// A world whose clock runs fast, and which tells `sink` under the path `/0b7c-ffee`.
async fn world(sink: &Sink) -> World {
    let world = World::new().await;
    world.clock.set("2026-03-24T07:59:55+08:00", 600);
    let table = format!(
        "[deadman]\nurl = \"http://{}/0b7c-ffee\"\n\n[log]",
        sink.address
    );
    world.reconfigure("[log]", &table);
    world.reconfigure("level = \"info\"", "level = \"debug\"");
    world
}

#[tokio::test]
async fn it_is_told_that_all_is_well_again_and_again_and_nothing_shows_the_address() {
    let sink = Sink::start().await;
    let world = world(&sink).await;
    let daemon = world.start().await;
    sink.wait_for("/0b7c-ffee", 3).await;
    let health = daemon.health().await;
    let told = &health["checks"]["deadman:told"][0];
    assert_eq!(told["status"], "pass", "{health}");
    assert!(told["lastSuccess"].is_string(), "{health}");
    assert!(!health.to_string().contains("ffee"), "{health}");
    assert!(!daemon.metrics().await.contains("ffee"));
    let ended = daemon.stop().await;
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(!ended.log.contains("ffee"), "{}", ended.log);
    assert!(
        sink.asked().iter().all(|path| path == "/0b7c-ffee"),
        "{:?}",
        sink.asked()
    );
}

#[tokio::test]
async fn it_is_told_when_something_does_not_work() {
    let sink = Sink::start().await;
    let world = world(&sink).await;
    world.reconfigure("rate = 0", "rate = 0\nhourly_max = 1");
    // Every hour of the day: the next one is at most six seconds away.
    let hours: Vec<String> = (0..24).map(|hour| format!("\"{hour:02}:00\"")).collect();
    let hourly = format!("take = \"1片\"\nat = [{}]", hours.join(", "));
    for id in ["wang", "li", "zhao"] {
        world.patient(id, "王秀兰", &[("二甲双胍", &hourly)]);
    }
    let daemon = world.start().await;
    // The second message within the hour trips the brake, which is a failure of health.
    sink.wait_for("/0b7c-ffee/fail", 1).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_reload_takes_another_address_up_and_a_service_that_fails_is_only_a_warning() {
    let sink = Sink::start().await;
    let world = world(&sink).await;
    let daemon = world.start().await;
    sink.wait_for("/0b7c-ffee", 1).await;
    sink.answer_with(503);
    world.reconfigure("0b7c-ffee", "0b7c-eeff");
    daemon.reload().await;
    sink.wait_for("/0b7c-eeff", 1).await;
    let health = eventually("the warning", async || {
        let health = daemon.health().await;
        (health["checks"]["deadman:told"][0]["status"] == "warn").then_some(health)
    })
    .await;
    assert_eq!(health["status"], "warn", "{health}");
    sink.answer_with(200);
    eventually("it is well again", async || {
        let health = daemon.health().await;
        (health["checks"]["deadman:told"][0]["status"] == "pass").then_some(())
    })
    .await;
    world.reconfigure(
        &format!("[deadman]\nurl = \"http://{}/0b7c-eeff\"\n\n", sink.address),
        "",
    );
    daemon.reload().await;
    let health = daemon.health().await;
    assert!(health["checks"].get("deadman:told").is_none(), "{health}");
    let ended = daemon.stop().await;
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(
        ended.log.contains("the dead man's switch cannot be told"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("HTTP 503"), "{}", ended.log);
    assert!(!ended.log.contains("eeff"), "{}", ended.log);
}
