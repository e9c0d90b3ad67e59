//! A client for the private listener, without a library between the test and the bytes.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// From the first byte written to the last one read.
    pub took: Duration,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }
}

pub async fn get(address: &str, path: &str) -> Answer {
    get_with(address, "GET", path)
        .await
        .expect("the daemon answers")
}

pub async fn get_with(address: &str, method: &str, path: &str) -> std::io::Result<Answer> {
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    exchange(address, request.as_bytes()).await
}

/// A request with a head and, unless it is empty, a form.
pub async fn request(
    address: &str,
    method: &str,
    path: &str,
    head: &[(&str, &str)],
    form: &str,
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n");
    for (name, value) in head {
        request.extend([name, ": ", value, "\r\n"]);
    }
    if method == "POST" {
        request += "Content-Type: application/x-www-form-urlencoded\r\n";
        let length = form.len().to_string();
        request.extend(["Content-Length: ", &length, "\r\n"]);
    }
    request += "\r\n";
    request += form;
    send(address, request.as_bytes()).await
}

/// Bytes as they are.
pub async fn send(address: &str, request: &[u8]) -> Answer {
    exchange(address, request)
        .await
        .expect("the daemon answers")
}

async fn exchange(address: &str, request: &[u8]) -> std::io::Result<Answer> {
    let began = std::time::Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    // What is refused for its length is answered before all of it was written.
    let written = stream.write_all(request).await;
    let mut raw = Vec::new();
    let read = stream.read_to_end(&mut raw).await;
    if raw.is_empty() {
        written?;
        read?;
    }
    let took = began.elapsed();
    let text = String::from_utf8(raw).map_err(std::io::Error::other)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| std::io::Error::other("no head"))?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(|| std::io::Error::other("no status"))?,
        head: head.to_owned(),
        body: body.to_owned(),
        took,
    })
}
