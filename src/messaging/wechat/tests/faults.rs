//! Each thing that can go wrong with one send, and what it is called.

use super::server::{Reply, Server, json, token};
use super::*;
use crate::engine::ExpiredReason;
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that gives a token and then this.
async fn serving(reply: Reply) -> Server {
    Server::start(move |seen| {
        if seen.is_token() {
            token("T1", 7200)
        } else {
            reply.clone()
        }
    })
    .await
}

fn html(status: u16) -> Reply {
    Reply::Answer(
        status,
        "text/html",
        b"<html><title>Bad Gateway</title></html>".to_vec(),
    )
}

#[expect(clippy::too_many_lines, reason = "one table")]
#[tokio::test]
async fn faults_of_transport_and_body_are_unknown_and_never_success() {
    let ok = r#"{"errcode":0,"errmsg":"ok","msgid":1}"#;
    let rows: Vec<(&str, Reply, Outcome, Detail)> = vec![
        (
            "closed unanswered",
            Reply::Close,
            Outcome::Unknown,
            Detail::Dropped,
        ),
        (
            "cut off",
            Reply::Truncate(ok.as_bytes().to_vec()),
            Outcome::Unknown,
            Detail::Dropped,
        ),
        ("500", html(500), Outcome::Unknown, Detail::Status(500)),
        ("502", html(502), Outcome::Unknown, Detail::Status(502)),
        (
            "503 with success inside",
            Reply::Answer(503, "application/json", ok.into()),
            Outcome::Unknown,
            Detail::Status(503),
        ),
        (
            "HTML in 200",
            html(200),
            Outcome::Unknown,
            Detail::Unreadable,
        ),
        ("empty", json(""), Outcome::Unknown, Detail::Unreadable),
        (
            "an object of nothing",
            json("{}"),
            Outcome::Unknown,
            Detail::Unreadable,
        ),
        (
            "another object",
            json(r#"{"status":"ok"}"#),
            Outcome::Unknown,
            Detail::Unreadable,
        ),
        (
            "an array",
            json("[0,1]"),
            Outcome::Unknown,
            Detail::Unreadable,
        ),
        (
            "half an object",
            json(r#"{"errcode":0,"#),
            Outcome::Unknown,
            Detail::Unreadable,
        ),
        (
            "an errcode beyond all bounds",
            json(r#"{"errcode":99999999999999999999,"msgid":1}"#),
            Outcome::Unknown,
            Detail::Unreadable,
        ),
        (
            "an errcode in words",
            json(r#"{"errcode":"none","msgid":1}"#),
            Outcome::Unknown,
            Detail::Unreadable,
        ),
        (
            "a body longer than is read",
            Reply::Answer(200, "text/plain", vec![b' '; 200 * 1024]),
            Outcome::Unknown,
            Detail::Oversized,
        ),
        (
            "a body longer than is read, of unknown length",
            Reply::Endless(200 * 1024),
            Outcome::Unknown,
            Detail::Oversized,
        ),
        (
            "301",
            html(301),
            Outcome::Configuration,
            Detail::Status(301),
        ),
        (
            "302 with success inside",
            Reply::Answer(302, "application/json", ok.into()),
            Outcome::Configuration,
            Detail::Status(302),
        ),
        (
            "403 of a gateway",
            html(403),
            Outcome::RetrySoon,
            Detail::Status(403),
        ),
        (
            "404 with success inside",
            Reply::Answer(404, "application/json", ok.into()),
            Outcome::RetrySoon,
            Detail::Status(404),
        ),
        (
            "429 of a gateway",
            html(429),
            Outcome::Throttled("2026-11-24T00:01:00Z".parse().expect("an instant")),
            Detail::Status(429),
        ),
    ];
    for (name, reply, outcome, detail) in rows {
        let server = serving(reply).await;
        let verdict = send(&channel(&settings(server.base())), 7).await;
        assert_eq!(
            (verdict.outcome, verdict.detail),
            (outcome, detail),
            "{name}"
        );
        assert_eq!(
            server.sends().len(),
            1,
            "{name}: sent once, nothing repeated behind our back"
        );
    }
}

#[tokio::test]
async fn hangs_end_as_unknown_at_the_time_limit() {
    for reply in [Reply::Hang, Reply::HangInBody] {
        let server = serving(reply).await;
        let settings = Settings {
            timeout: Duration::from_millis(400),
            ..settings(server.base())
        };
        let verdict = send(&channel(&settings), 7).await;
        assert_eq!(
            (verdict.outcome, verdict.detail),
            (Outcome::Unknown, Detail::Timeout)
        );
        assert_eq!(verdict.reason(), Some(ExpiredReason::ApiDown));
    }
}

#[tokio::test]
async fn what_was_never_written_is_surely_not_taken() {
    let refusing = {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port");
        format!("http://{}", listener.local_addr().expect("a bound port"))
    };
    // Accepts, and says nothing of TLS: connecting never ends.
    let mute = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a loopback port");
    let mute_base = format!("https://{}", mute.local_addr().expect("a bound port"));
    // A server without TLS where TLS is wanted.
    let plain = serving(json("{}")).await;
    // A label of a name has 63 characters at most, so nobody is asked for this one.
    let ca_pem = super::tls::authority().pem().into_bytes();
    let unnameable = format!("http://{}.invalid", "n".repeat(64));
    for base in [
        refusing,
        mute_base,
        format!("https://{}", plain.address),
        unnameable,
    ] {
        let settings = Settings {
            timeout: Duration::from_millis(600),
            // Whatever roots this machine has or lacks.
            ca_pem: Some(ca_pem.clone()),
            ..settings(base.clone())
        };
        let verdict = send(&channel(&settings), 7).await;
        assert_eq!(verdict.detail, Detail::NoConnection, "{base}");
        // What could not be reached was the token, and nobody asks for it again within a second.
        let Outcome::NoToken(pause) = verdict.outcome else {
            panic!("{base}: {verdict:?}")
        };
        assert!(pause.is_positive() && pause <= SignedDuration::from_millis(1_002));
    }
}

#[tokio::test]
async fn the_api_going_away_after_the_token_is_surely_not_taken() {
    // The token comes over a connection that closes behind it, and nobody listens afterwards.
    let (gone, has_gone) = tokio::sync::oneshot::channel();
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a loopback port");
    let base = format!("http://{}", listener.local_addr().expect("a bound port"));
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.expect("a connection");
        drop(listener);
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let body = r#"{"access_token":"T1","expires_in":7200}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream
            .write_all(answer.as_bytes())
            .await
            .expect("an answer");
        drop(stream);
        gone.send(()).expect("the test waits");
    });
    let wechat = channel(&settings(base));
    wechat.warm_up(0).await;
    has_gone.await.expect("the server has gone");
    let verdict = send(&wechat, 7).await;
    assert_eq!(
        (verdict.outcome, verdict.detail),
        (Outcome::RetrySoon, Detail::NoConnection)
    );
}

#[tokio::test]
async fn a_kept_connection_found_closed_never_doubles_a_send() {
    let ok = br#"{"errcode":0,"errmsg":"ok","msgid":1}"#.to_vec();
    let server = Server::start(move |seen| {
        if seen.is_token() {
            token("T1", 7200)
        } else {
            Reply::AnswerAndClose(ok.clone())
        }
    })
    .await;
    let wechat = channel(&settings(server.base()));
    for id in 0..50 {
        let before = server.sends().len();
        let verdict = send(&wechat, id).await;
        let written = server.sends().len() - before;
        match verdict.outcome {
            Outcome::Accepted => assert_eq!(written, 1, "message {id}"),
            // The connection was closed while the request was on its way.
            Outcome::Unknown => assert_eq!(written, 0, "message {id}"),
            other => panic!("message {id}: {other:?}"),
        }
    }
}

/// Waits until the server has seen so many connections.
async fn connected(server: &Server, count: usize) {
    while server.connections() < count {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.connections(), count);
}

#[tokio::test]
async fn connections_made_ahead_are_those_that_messages_leave_on() {
    let server = serving(json(r#"{"errcode":0,"errmsg":"ok","msgid":1}"#)).await;
    let mut settings = settings(server.base());
    settings.concurrency = 5;
    let wechat = channel(&settings);
    wechat.warm_up(3).await;
    // One brought the token.
    connected(&server, 4).await;
    wechat.warm_up(3).await;
    connected(&server, 4).await;
    assert_eq!(server.sends().len(), 0);
    wechat.warm_up(1_000).await;
    // Never more ahead than messages are sent at the same time.
    connected(&server, 6).await;
    let sends = (0..5).map(|id| {
        let wechat = wechat.clone();
        tokio::spawn(async move { send(&wechat, id).await.outcome })
    });
    for sent in sends.collect::<Vec<_>>() {
        assert_eq!(sent.await.unwrap(), Outcome::Accepted);
    }
    assert_eq!(server.connections(), 6, "none was made for a message");
    assert_eq!(server.sends().len(), 5);
}

#[tokio::test]
async fn connections_made_ahead_and_closed_meanwhile_are_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        // The token, then a connection that is closed before its first request.
        serve_once(&listener, br#"{"access_token":"T1","expires_in":7200}"#).await;
        drop(listener.accept().await.unwrap());
        serve_once(&listener, br#"{"errcode":0,"errmsg":"ok","msgid":1}"#).await;
    });
    let wechat = channel(&settings(format!("http://{address}")));
    wechat.warm_up(1).await;
    while wechat.http.has_open_ahead() {
        tokio::task::yield_now().await;
    }
    assert_eq!(send(&wechat, 1).await.outcome, Outcome::Accepted);
    server.await.unwrap();
}

/// Answers one request on a connection of its own, and closes that.
async fn serve_once(listener: &TcpListener, body: &[u8]) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "a whole request comes");
        seen.extend_from_slice(&buffer[..read]);
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .unwrap();
}

#[tokio::test]
async fn connections_are_kept_and_shared() {
    let server = serving(json(r#"{"errcode":0,"errmsg":"ok","msgid":1}"#)).await;
    let wechat = channel(&settings(server.base()));
    for id in 0..20 {
        assert_eq!(send(&wechat, id).await.outcome, Outcome::Accepted);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_errcode_inside_200_decides() {
    let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let rows: &[(i64, Outcome, Option<u8>, ExpiredReason)] = &[
        (-1, Outcome::Unknown, None, ExpiredReason::ApiDown),
        (40003, Outcome::Recipient, None, ExpiredReason::Unreachable),
        (
            40037,
            Outcome::RetryAt(at("2026-11-24T00:01:00Z")),
            Some(3),
            ExpiredReason::Rejected,
        ),
        (40164, Outcome::Configuration, None, ExpiredReason::ApiDown),
        (43004, Outcome::Recipient, None, ExpiredReason::Unreachable),
        (43101, Outcome::Recipient, None, ExpiredReason::Unreachable),
        (43116, Outcome::Message, None, ExpiredReason::Rejected),
        (
            43117,
            Outcome::RetryAt(at("2026-11-24T00:10:00Z")),
            None,
            ExpiredReason::Throttled,
        ),
        (
            45009,
            Outcome::Throttled(at("2026-11-24T00:00:01Z")),
            None,
            ExpiredReason::Throttled,
        ),
        (
            45011,
            Outcome::Throttled(at("2026-11-24T00:01:00.084Z")),
            None,
            ExpiredReason::Throttled,
        ),
        (47003, Outcome::Message, None, ExpiredReason::Rejected),
        (48001, Outcome::Configuration, None, ExpiredReason::ApiDown),
        (
            91_234_567,
            Outcome::RetryAt(at("2026-11-24T00:01:00Z")),
            Some(3),
            ExpiredReason::Rejected,
        ),
    ];
    for &(code, outcome, tries_max, reason) in rows {
        let body = format!(r#"{{"errcode":{code},"errmsg":"no","msgid":5}}"#);
        let server = serving(Reply::Answer(200, "text/plain", body.into())).await;
        let counts = Arc::new(Counts::default());
        let settings = Settings {
            observer: counts.clone(),
            ..settings(server.base())
        };
        let verdict = send(&channel(&settings), 7).await;
        assert_eq!(verdict.outcome, outcome, "{code}");
        assert_eq!(verdict.tries_max, tries_max, "{code}");
        assert_eq!(verdict.errcode, Some(code));
        assert_eq!(verdict.reason(), Some(reason), "{code}");
        assert_eq!(server.sends().len(), 1, "{code}");
        assert_eq!(
            *counts.errcodes.lock().expect("unpoisoned"),
            [errcode::label(code)]
        );
    }
}

#[tokio::test]
async fn success_is_read_in_every_form_it_is_known_to_come_in() {
    for body in [
        r#"{"errcode":0,"errmsg":"ok","msgid":200228332}"#,
        r#"{"errcode":0}"#,
        r#"{"errcode":"0","errmsg":"ok","msgid":"200228332"}"#,
        r#"{"msgid":200228332}"#,
        r#"{"errcode":null,"msgid":200228332}"#,
        r#"{"errcode":0,"errmsg":null,"msgid":18446744073709551615}"#,
        "\u{feff}{\"errcode\":0,\"errmsg\":\"ok\u{1}\u{8}\n\t\",\"msgid\":1}\r\n",
    ] {
        let server = serving(json(body)).await;
        let verdict = send(&channel(&settings(server.base())), 7).await;
        assert_eq!(verdict.outcome, Outcome::Accepted, "{body:?}");
    }
}

#[tokio::test]
async fn nothing_confidential_leaves_in_a_verdict() {
    let rows = [
        (
            47003,
            format!(
                "argument invalid! data.thing4.value invalid {OPENID} {SECRET} rid: 6720e3ab-1b2c3d4e-0a0b0c0d"
            ),
        ),
        (
            40164,
            format!(
                "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist {OPENID} rid: 6720e3ab-1b2c3d4e-0a0b0c0d"
            ),
        ),
        (40003, format!("invalid openid {OPENID} rid: {SECRET}")),
        (91_234_567, format!("王秀兰 {OPENID} data.{OPENID}.value")),
    ];
    let mut shown = Vec::new();
    for (code, words) in rows {
        let body = serde_json::json!({"errcode": code, "errmsg": words}).to_string();
        let server = serving(json(&body)).await;
        let verdict = send(&channel(&settings(server.base())), 7).await;
        for text in [
            verdict.to_string(),
            format!("{verdict:?}"),
            format!("{verdict:#?}"),
        ] {
            for confidential in [OPENID, SECRET, "王秀兰", "argument", "whitelist"] {
                assert!(!text.contains(confidential), "{text}");
            }
        }
        shown.push(verdict.to_string());
    }
    assert_eq!(
        shown,
        [
            "errcode 47003: a template keyword is empty or does not have the form its kind wants (field thing4) [rid 6720e3ab-1b2c3d4e-0a0b0c0d]",
            "errcode 40164: this machine's IP address is not on the account's allow-list (address 203.0.113.9) [rid 6720e3ab-1b2c3d4e-0a0b0c0d]",
            "errcode 40003: the openid does not belong to this account",
            "errcode 91234567: a return code this release does not know",
        ]
    );
}

#[tokio::test]
async fn the_quota_is_what_the_api_says_and_otherwise_unknown() {
    let rows = [
        (
            r#"{"errcode":0,"errmsg":"ok","quota":{"daily_limit":100000,"used":25000,"remain":75000}}"#,
            Some((25_000, 75_000, 0.25)),
        ),
        (
            r#"{"quota":{"daily_limit":0,"used":0,"remain":0}}"#,
            Some((0, 0, 1.0)),
        ),
        (r#"{"errcode":76021,"errmsg":"cgi_path not found"}"#, None),
        (r#"{"errcode":0,"quota":"none"}"#, None),
        (
            r#"{"errcode":0,"quota":{"daily_limit":-1,"used":2,"remain":3}}"#,
            None,
        ),
        ("<html>", None),
    ];
    for (reply, expected) in rows {
        let server = serving(json(reply)).await;
        let wechat = channel(&settings(server.base()));
        let quota = wechat.quota().await;
        let found = quota.map(|quota| (quota.used, quota.remain, quota.share_used()));
        assert_eq!(found, expected, "{reply}");
        let asked = server.sends();
        assert_eq!(asked.len(), 1, "{reply}: asked once");
        assert!(asked[0].path.ends_with("/cgi-bin/openapi/quota/get"));
        assert_eq!(asked[0].token.as_deref(), Some("T1"));
        assert_eq!(
            asked[0].json()["cgi_path"],
            "/cgi-bin/message/template/send"
        );
    }
}
