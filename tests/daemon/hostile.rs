//! What anybody can send to the private listener, on each route that its own table has: refused,
//! counted, and harmless afterwards.

use crate::pages::{Browser, world_with};
use crate::support::{Daemon, PATIENCE, World, eventually, metric, request, send};
use dosed::http::page::{Route, routes};
use dosed::http::private_paths;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A header.
type Header<'h> = (&'h str, &'h str);

/// What would be somebody else's to know.
const SECRETS: [&str; 5] = ["王秀兰", "二甲双胍", "[clinic]", "root:", "wxsandbox"];

/// What a path parameter may be that is no patient.
const NASTY: [&str; 16] = [
    "..",
    ".",
    "%2e%2e",
    "%2E%2E",
    "..%2f..%2fdosed.toml",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cdosed.toml",
    "%252e%252e",
    "wang%00",
    "wang%0d%0aSet-Cookie:%20x=1",
    "wang/../../dosed.toml",
    "plans.d%2fwang",
    "%ff%fe",
    "WANG",
    "%E7%8E%8B",
    "-",
];

fn forms() -> impl Iterator<Item = &'static Route> {
    routes().filter(|route| route.is_form())
}

fn path_of(route: &Route) -> String {
    route.path.replace("{patient}", "wang")
}

async fn counted(daemon: &Daemon, event: &str) -> f64 {
    let label = format!("event=\"{event}\"");
    metric(
        &daemon.metrics().await,
        "dosed_page_events_total",
        &[&label],
    )
}

async fn unserved(daemon: &Daemon, reason: &str) -> f64 {
    let labels = ["listener=\"private\"", &format!("reason=\"{reason}\"")];
    metric(
        &daemon.metrics().await,
        "dosed_http_unserved_total",
        &labels,
    )
}

async fn memory(daemon: &Daemon) -> f64 {
    metric(
        &daemon.metrics().await,
        "process_resident_memory_bytes",
        &[],
    )
}

/// The files of a world, but for what the daemon itself writes.
fn files(world: &World) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for directory in [world.dir().to_path_buf(), world.path("plans.d")] {
        for entry in std::fs::read_dir(&directory).expect("it is there") {
            let path = entry.expect("it can be listed").path();
            all.insert(path.display().to_string());
        }
    }
    all
}

/// Whoever is in stays in, and all is as it was.
async fn is_well(world: &World, daemon: &Daemon, browser: &Browser<'_>, before: &Before) {
    assert_eq!(daemon.get("/livez").await.status, 200);
    assert_ne!(daemon.health().await["status"], "fail");
    let page = browser.get("/patients/wang").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("二甲双胍"), "{}", page.body);
    assert_eq!(world.read("plans.d/wang.toml"), before.plan);
    assert_eq!(files(world), before.files);
    let said = browser.get("/inbox").await.body;
    assert!(!said.contains("forged words"), "{said}");
}

/// What was there before anything was sent.
struct Before {
    plan: String,
    files: BTreeSet<String>,
}

impl Before {
    fn of(world: &World) -> Self {
        Self {
            plan: world.read("plans.d/wang.toml"),
            files: files(world),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_tells_anything_by_another_method_or_to_somebody_who_is_not_signed_in() {
    let (world, daemon) = world_with(&[("hao", "doctor")]).await;
    let before = Before::of(&world);
    let browser = Browser::sign_in(&daemon, "hao").await;
    let of_monitoring = ["/livez", "/readyz", "/health", "/healthz", "/metrics"];
    let open = [&of_monitoring[..], &["/", "/sign-in"]].concat();
    let mut known = 0;
    for path in private_paths() {
        let path = path.replace("{patient}", "wang");
        let is_open = open.contains(&path.as_str()) || path.starts_with("/assets/");
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
        ] {
            let answer = request(daemon.private(), method, &path, &[], "").await;
            let allowed: &[u16] = match method {
                "GET" | "HEAD" if is_open => &[200, 303],
                "GET" | "HEAD" => &[303, 405],
                // Not signed in; the form of signing in is none of ours without a word of its page.
                "POST" => &[401, 403, 405],
                _ => &[405],
            };
            assert!(
                allowed.contains(&answer.status),
                "{method} {path}: {}",
                answer.status
            );
            for secret in SECRETS {
                assert!(!answer.body.contains(secret), "{method} {path}: {secret}");
            }
            known += 1;
        }
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let answer = browser.ask(method, &path).await;
            assert_eq!(answer.status, 405, "{method} {path} of who is signed in");
            assert!(answer.body.is_empty(), "{method} {path}: {}", answer.body);
        }
    }
    assert!(known > 20 * 9, "{known}");
    assert!(counted(&daemon, "signed_out").await > 20.0);
    assert!(unserved(&daemon, "not_found").await > 100.0);
    is_well(&world, &daemon, &browser, &before).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_form_does_nothing_on_any_route() {
    let (world, daemon) = world_with(&[("hao", "doctor"), ("lin", "doctor")]).await;
    let before = Before::of(&world);
    let browser = Browser::sign_in(&daemon, "hao").await;
    let own = browser.token("/system").await;
    let others = Browser::sign_in(&daemon, "lin").await;
    let others = others.token("/system").await;
    let address = daemon.private().to_owned();
    let mut forged = counted(&daemon, "forged").await;
    for route in forms() {
        let path = path_of(route);
        let form = |token: &str| {
            format!("csrf={token}&patient=wang&id=wang&text=forged+words&note=x&reason=&loaded=")
        };
        let cookie = ("Cookie", browser.cookie());
        let same = ("Sec-Fetch-Site", "same-origin");
        let own_origin = format!("http://{address}");
        let rows: [(&str, &[Header<'_>], &str); 10] = [
            (
                "cross-site",
                &[cookie, ("Sec-Fetch-Site", "cross-site")],
                &own,
            ),
            (
                "same-site",
                &[cookie, ("Sec-Fetch-Site", "same-site")],
                &own,
            ),
            ("says nothing", &[cookie], &own),
            (
                "foreign",
                &[cookie, ("Origin", "http://evil.example")],
                &own,
            ),
            ("https", &[cookie, ("Origin", "https://evil.example")], &own),
            ("null", &[cookie, ("Origin", "null")], &own),
            (
                "both",
                &[
                    cookie,
                    ("Sec-Fetch-Site", "cross-site"),
                    ("Origin", &own_origin),
                ],
                &own,
            ),
            ("no token", &[cookie, same], ""),
            ("a wrong token", &[cookie, same], "0000"),
            ("another session's", &[cookie, same], &others),
        ];
        for (what, head, token) in rows {
            let answer = request(&address, "POST", &path, head, &form(token)).await;
            assert_eq!(answer.status, 403, "{path}: {what}");
            forged += 1.0;
        }
        assert_eq!(counted(&daemon, "forged").await, forged, "{path}");
    }
    // Signing in has no session, and so no token; it has an origin all the same.
    let form = "name=hao&password=correct+horse+battery";
    for head in [
        &[("Origin", "http://evil.example")][..],
        &[("Sec-Fetch-Site", "cross-site")],
        &[],
    ] {
        let answer = request(&address, "POST", "/sign-in", head, form).await;
        assert_eq!(answer.status, 403, "{head:?}");
        assert_eq!(answer.header("set-cookie"), None, "{head:?}");
    }
    assert_eq!(counted(&daemon, "forged").await, forged + 3.0);
    assert!(forged >= 70.0, "{forged}");
    is_well(&world, &daemon, &browser, &before).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_parameter_leads_out_of_the_clinic() {
    let (world, daemon) = world_with(&[("hao", "doctor")]).await;
    let before = Before::of(&world);
    let browser = Browser::sign_in(&daemon, "hao").await;
    let token = browser.token("/system").await;
    let mut sent = 0;
    for route in routes().filter(|route| route.path.contains('{')) {
        for nasty in NASTY {
            let path = route.path.replace("{patient}", nasty);
            let answer = if route.is_form() {
                let form = format!("csrf={token}&text=name+%3D+%22x%22&loaded=&id=x");
                browser.post(&path, "same-origin", &form).await
            } else {
                browser.get(&path).await
            };
            let status = answer.status;
            assert!(matches!(status, 400 | 404 | 405), "{path}: {status}");
            let told = SECRETS.iter().find(|it| answer.body.contains(**it));
            assert_eq!(told, None, "{path}");
            assert_eq!(answer.header("set-cookie"), None, "{path}");
            sent += 1;
        }
    }
    assert!(sent >= 8 * NASTY.len(), "{sent}");
    // What stands in forms and queries is no path either.
    for nasty in NASTY {
        let form = format!("csrf={token}&patient={nasty}&id={nasty}&text=x&note=x");
        for route in forms().filter(|it| !it.path.contains('{') && it.what != "sign_out") {
            let answer = browser.post(route.path, "same-origin", &form).await;
            let status = answer.status;
            assert!(
                (400..500).contains(&status),
                "{} {nasty}: {status}",
                route.path
            );
        }
        for path in [
            format!("/plans?after={nasty}"),
            format!("/today?show={nasty}&page={nasty}"),
            format!("/patients/wang?month={nasty}&days={nasty}"),
            format!("/patients/wang/journal?before={nasty}"),
            format!("/patients/wang/plans?before={nasty}"),
            format!("/system/audit?before={nasty}"),
        ] {
            let answer = browser.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            for secret in ["[clinic]", "root:", "wxsandbox"] {
                assert!(!answer.body.contains(secret), "{path}");
            }
        }
    }
    let long = "a".repeat(8_000);
    assert_eq!(browser.get(&format!("/patients/{long}")).await.status, 404);
    assert!(counted(&daemon, "not_found").await >= 50.0);
    is_well(&world, &daemon, &browser, &before).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

/// Sends a head and then a body without end, in chunks, until the other end has had enough; the
/// status, 0 where the connection was cut before it could be read, and how much was sent.
async fn pour(address: &str, head: &str) -> (u16, usize) {
    const CHUNK: usize = 64 * 1024;
    const MOST: usize = 64 * 1024 * 1024;
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream
        .write_all(head.as_bytes())
        .await
        .expect("it is let in");
    let chunk = format!("{CHUNK:x}\r\n{}\r\n", "x".repeat(CHUNK));
    let mut sent = 0;
    while sent < MOST && stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += CHUNK;
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(PATIENCE, read).await;
    // A reset is an end, too.
    let _ = read.expect("the connection comes to an end");
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.unwrap_or(0), sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_is_not_read_on_any_route() {
    let (world, daemon) = world_with(&[("hao", "doctor")]).await;
    let before = Before::of(&world);
    let browser = Browser::sign_in(&daemon, "hao").await;
    let address = daemon.private().to_owned();
    let paths: Vec<(String, usize)> = forms()
        .map(|it| (path_of(it), it.form_max))
        .chain([("/sign-in".to_owned(), 4 * 1024)])
        .collect();
    let mut too_long = counted(&daemon, "too_long").await;
    let at_rest = memory(&daemon).await;
    for (path, most) in &paths {
        for cookie in [browser.cookie(), "x=y"] {
            let head = |length: &str| {
                format!(
                    "POST {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\
                     Sec-Fetch-Site: same-origin\r\n{length}\r\n\r\n"
                )
            };
            // It says so itself: nothing of it is waited for.
            for length in [most + 1, 1 << 40] {
                let said = head(&format!("Content-Length: {length}"));
                let answer = send(&address, said.as_bytes()).await;
                assert_eq!(answer.status, 413, "{path}: {length}");
                too_long += 1.0;
            }
            let (status, sent) = pour(&address, &head("Transfer-Encoding: chunked")).await;
            assert!(matches!(status, 413 | 0), "{path}: {status}");
            // What lies in sockets' buffers is all that was taken beside the form's most.
            assert!(sent < 32 * 1024 * 1024, "{path}: {sent} bytes were taken");
            too_long += 1.0;
        }
    }
    assert_eq!(counted(&daemon, "too_long").await, too_long);
    let grown = memory(&daemon).await - at_rest;
    assert!(grown < 24e6, "it holds {grown} bytes more");
    is_well(&world, &daemon, &browser, &before).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

/// Writes a head and then byte after byte of something endless until the other end is gone.
async fn trickle(address: String, head: String) {
    let mut stream = TcpStream::connect(&address).await.expect("it listens");
    stream
        .write_all(head.as_bytes())
        .await
        .expect("it is let in");
    let (mut read, mut write) = stream.split();
    // The pause paces the bytes; nothing is inferred from its length.
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let writing = async {
        loop {
            pace.tick().await;
            if write.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    let ended = async {
        tokio::select! {
            () = writing => {}
            _ = read.read_to_end(&mut answer) => {}
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    ended.expect("who sends byte after byte is cut off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_byte_after_byte_is_cut_off_and_the_others_are_served_meanwhile() {
    let (world, daemon) = world_with(&[("hao", "doctor")]).await;
    let before = Before::of(&world);
    let browser = Browser::sign_in(&daemon, "hao").await;
    let address = daemon.private().to_owned();
    let mut slow = tokio::task::JoinSet::new();
    let mut bodies = 0.0;
    for path in forms().map(path_of).chain(["/sign-in".to_owned()]) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {}\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Length: 4000\r\n\r\ntext=",
            browser.cookie()
        );
        slow.spawn(trickle(address.clone(), head));
        bodies += 1.0;
    }
    let mut heads = 0.0;
    for path in private_paths() {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nX-Slow: ");
        slow.spawn(trickle(address.clone(), head));
        heads += 1.0;
    }
    let mut served = 0;
    while !slow.is_empty() {
        assert_eq!(browser.get("/today").await.status, 200);
        assert_eq!(daemon.get("/livez").await.status, 200);
        served += 1;
        while slow.try_join_next().is_some_and(|it| it.is_ok()) {}
    }
    assert!(served > 1, "{served}");
    assert_eq!(counted(&daemon, "too_slow").await, bodies);
    eventually("the heads are counted", async || {
        (unserved(&daemon, "cut_off").await >= heads).then_some(())
    })
    .await;
    is_well(&world, &daemon, &browser, &before).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_there_are_places_for_keep_nobody_out_for_long() {
    let (world, daemon) = world_with(&[("hao", "doctor")]).await;
    let before = Before::of(&world);
    let browser = Browser::sign_in(&daemon, "hao").await;
    let mut idle = Vec::new();
    for _ in 0..600 {
        let stream = TcpStream::connect(daemon.private()).await;
        idle.push(stream.expect("it is let in, or waits to be"));
    }
    // Behind all of them, and they say nothing.
    let answer = tokio::time::timeout(PATIENCE, browser.get("/today")).await;
    assert_eq!(answer.expect("there is room again").status, 200);
    eventually("all of them are cut off and counted", async || {
        (unserved(&daemon, "cut_off").await >= 600.0).then_some(())
    })
    .await;
    drop(idle);
    is_well(&world, &daemon, &browser, &before).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}
