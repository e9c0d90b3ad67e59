//! What anybody can send to an address that anybody can reach.

use super::desk::{KEY, NOON, PATIENCE, TOKEN, World};
use dosed::messaging::wechat::callback::Mode;
use dosed::messaging::wechat::crypto::{Cipher, signature};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NONCE: &str = "415670741";
const MESSAGE: &str = "<xml><ToUserName>gh_a</ToUserName><FromUserName>o-wang</FromUserName>\
     <CreateTime>1800000000</CreateTime><MsgType>text</MsgType><Content>1</Content><MsgId>1</MsgId></xml>";

fn query_at(second: i64) -> String {
    let second = second.to_string();
    let signed = signature(&[TOKEN, &second, NONCE]);
    format!("signature={signed}&timestamp={second}&nonce={NONCE}&openid=o-wang")
}

fn query() -> String {
    query_at(NOON)
}

/// Sends bytes and reads what comes until the end; the status, and all of it.
async fn exchange(address: SocketAddr, parts: &[&[u8]]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for part in parts {
        // The other end may have said enough and closed.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(PATIENCE, read).await;
    // A reset is an end, too.
    let _ = read.expect("the connection comes to an end");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.unwrap_or(0), answer)
}

async fn send(address: SocketAddr, method: &str, target: &str, body: &[u8]) -> (u16, String) {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    exchange(address, &[head.as_bytes(), body]).await
}

#[tokio::test]
async fn the_public_listener_has_the_callback_and_nothing_else() {
    let world = World::start(Mode::Plain, |_| Ok(None)).await;
    let good = format!("/wechat?{}", query());
    let echo = format!("{good}&echostr=%3Cb%3E7");
    for (method, target, status) in [
        ("POST", good.as_str(), 200),
        ("GET", &echo, 200),
        ("PUT", &good, 405),
        ("DELETE", &good, 405),
        ("OPTIONS", &good, 405),
        ("GET", "/", 404),
        ("GET", "/livez", 404),
        ("GET", "/readyz", 404),
        ("GET", "/health", 404),
        ("GET", "/metrics", 404),
        ("POST", "/reload", 404),
        ("POST", "/wechat/", 404),
        ("POST", "/wechat/x", 404),
        ("POST", "/../metrics", 404),
        ("POST", "/wechat", 403),
        ("POST", "/wechat?%ff", 403),
        ("GET", &good, 403),
    ] {
        let (found, answer) = send(world.address, method, target, MESSAGE.as_bytes()).await;
        assert_eq!(found, status, "{method} {target}: {answer}");
        let answer = answer.to_lowercase();
        if status == 200 {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("content-type: text/plain"), "{head}");
            assert!(head.contains("nosniff"), "{head}");
            assert_eq!(body, if method == "GET" { "<b>7" } else { "success" });
        } else {
            assert!(answer.ends_with("\r\n\r\n"), "nothing is told: {answer}");
        }
    }
    assert_eq!(world.taken().len(), 1);
}

#[tokio::test]
async fn forged_old_and_broken_requests_give_a_count_and_nothing_else() {
    let world = World::start(Mode::Secure, |_| Ok(None)).await;
    let cipher = Cipher::new(KEY, super::desk::APPID).unwrap();
    let sealed = |text: &str| cipher.encrypt(*b"1234567890123456", text);
    let body = |text: &str| format!("<xml><Encrypt>{text}</Encrypt></xml>");
    let msg_signed = |text: &str| {
        let parts = [TOKEN, &NOON.to_string(), NONCE, text];
        let signed = signature(&parts);
        format!("{}&encrypt_type=aes&msg_signature={signed}", query())
    };
    let good = sealed(MESSAGE);
    let flipped = {
        let mut text = good.clone().into_bytes();
        text[40] = if text[40] == b'A' { b'B' } else { b'A' };
        String::from_utf8(text).unwrap()
    };
    let foreign = Cipher::new(KEY, "wx0").unwrap().encrypt([7; 16], MESSAGE);
    let bomb = format!(
        "<!DOCTYPE xml [{}]>{MESSAGE}",
        "<!ENTITY a \"&a;&a;\">".repeat(10)
    );
    let rows: Vec<(&str, String, String)> = vec![
        ("no query", String::new(), body(&good)),
        (
            "wrong signature",
            msg_signed(&good).replacen("signature=", "signature=0", 1),
            body(&good),
        ),
        (
            "wrong msg_signature",
            msg_signed(&good).replace("msg_signature=", "msg_signature=0"),
            body(&good),
        ),
        (
            "an hour old",
            format!("{}&encrypt_type=aes&msg_signature=0", query_at(NOON - 3600)),
            body(&good),
        ),
        (
            "from tomorrow",
            format!(
                "{}&encrypt_type=aes&msg_signature=0",
                query_at(NOON + 86_400)
            ),
            body(&good),
        ),
        ("changed text", msg_signed(&good), body(&flipped)),
        ("changed text, signed", msg_signed(&flipped), body(&flipped)),
        ("another account's", msg_signed(&foreign), body(&foreign)),
        ("not encrypted", query(), MESSAGE.to_owned()),
        (
            "not encrypted, said to be",
            msg_signed(&good),
            MESSAGE.to_owned(),
        ),
        ("a bomb outside", msg_signed(&good), bomb.clone()),
        (
            "a bomb inside",
            msg_signed(&sealed(&bomb)),
            body(&sealed(&bomb)),
        ),
        (
            "no XML inside",
            msg_signed(&sealed("{}")),
            body(&sealed("{}")),
        ),
        ("nothing", msg_signed(&good), String::new()),
    ];
    for (refused, (name, query, body)) in (1..).zip(&rows) {
        let target = format!("/wechat?{query}");
        let (status, answer) = send(world.address, "POST", &target, body.as_bytes()).await;
        assert_eq!(status, 403, "{name}: {answer}");
        assert!(
            answer.ends_with("\r\n\r\n"),
            "nothing is told: {name}: {answer}"
        );
        assert_eq!(world.refused(), refused, "{name}");
    }
    assert!(world.taken().is_empty());
    let target = format!("/wechat?{}", msg_signed(&good));
    let (status, answer) = send(world.address, "POST", &target, body(&good).as_bytes()).await;
    assert_eq!(status, 200, "the form itself is right: {answer}");
}

#[tokio::test]
async fn a_body_too_large_is_refused_whether_it_says_so_or_not() {
    let world = World::start(Mode::Plain, |_| Ok(None)).await;
    let target = format!("/wechat?{}", query());
    let padded = |bytes: usize| {
        let end = "</xml>";
        let text = MESSAGE.strip_suffix(end).unwrap();
        format!("{text}{}{end}", " ".repeat(bytes - MESSAGE.len()))
    };
    let (status, _) = send(world.address, "POST", &target, padded(64 * 1024).as_bytes()).await;
    assert_eq!(status, 200);
    let (status, _) = send(
        world.address,
        "POST",
        &target,
        padded(64 * 1024 + 1).as_bytes(),
    )
    .await;
    assert_eq!(status, 413);
    // What it says it has is believed, and none of it is waited for.
    let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n");
    let (status, _) = exchange(world.address, &[head.as_bytes()]).await;
    assert_eq!(status, 413);
    let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    let mut parts = vec![head.as_bytes()];
    parts.extend([chunk.as_slice(); 160]);
    let (status, answer) = exchange(world.address, &parts).await;
    // The rest is not read, and the answer may be lost with the connection.
    assert!(matches!(status, 413 | 0), "{answer}");
    assert_eq!(world.taken().len(), 1);
    assert_eq!(world.refused(), 3);
}

#[tokio::test]
async fn who_sends_slowly_or_nothing_is_cut_off_and_keeps_nobody_out() {
    let world = World::start(Mode::Plain, |_| Ok(None)).await;
    let target = format!("/wechat?{}", query());
    let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n<xml>");
    let beginnings: [&[u8]; 4] = [
        b"",
        b"POST",
        b"POST /wechat HTTP/1.1\r\nX: ",
        head.as_bytes(),
    ];
    let mut slow = Vec::new();
    for beginning in beginnings {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(world.address).await.unwrap();
            stream.write_all(beginning).await.unwrap();
            slow.push(stream);
        }
    }
    let (status, answer) = send(world.address, "POST", &target, MESSAGE.as_bytes()).await;
    assert_eq!(status, 200, "{answer}");
    for mut stream in slow {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        let _ = ended.expect("cut off");
        assert!(!rest.starts_with(b"HTTP/1.1 2"));
    }
    assert_eq!(world.taken().len(), 1);
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let world = World::start(Mode::Plain, |_| Ok(None)).await;
    let long = format!(
        "GET /wechat?{} HTTP/1.1\r\nHost: x\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let many = format!("GET /wechat HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    let words = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls, not http \r\n\r\n";
    for (name, text) in [
        ("long", long.as_bytes()),
        ("many", many.as_bytes()),
        ("tls", words),
    ] {
        let (status, answer) = exchange(world.address, &[text]).await;
        assert!(matches!(status, 0 | 400..=499), "{name}: {answer}");
    }
    let one = format!(
        "POST /wechat?{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{MESSAGE}",
        query(),
        MESSAGE.len()
    );
    let (status, answer) = exchange(world.address, &[one.as_bytes(), one.as_bytes()]).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(world.taken().len(), 1, "a connection carries one request");
}
