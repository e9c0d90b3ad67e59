//! What anybody can ask of the public listener: it has the callback and the patients' page, whatever
//! the private one has, and a link opens its own patient's page alone.

use super::desk::PATIENCE;
use super::page::{CONFIG, Clinic, at, exchange};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dosed::http::private_paths;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What would be a patient's.
const SECRETS: [&str; 5] = ["王秀兰", "二甲双胍", "Li Lei", "Warfarin", "郝医生"];

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
];

async fn unserved(clinic: &Clinic, reason: &str) -> u64 {
    let series = format!("dosed_http_unserved_total{{listener=\"public\",reason=\"{reason}\"}} ");
    clinic.metric(&series).await
}

#[tokio::test]
async fn nothing_that_the_private_listener_has_is_on_the_public_one() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let link = clinic.link("o-wang", 4).await;
    let mut asked = 0;
    for path in private_paths() {
        let path = path.replace("{patient}", "wang-xiulan");
        for method in METHODS {
            let answer = clinic.ask(method, &path, "").await;
            assert_eq!(answer.status, 404, "{method} {path}");
            assert_eq!(answer.body, "", "{method} {path}");
            assert!(!answer.head.contains("set-cookie"), "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 20 * METHODS.len() as u64, "{asked}");
    assert_eq!(unserved(&clinic, "not_found").await, asked);
    // Nor what the administration socket has, nor a way around.
    for path in [
        "/reload",
        "/say",
        "/enrol",
        "/erase",
        "/p/../today",
        "/p/%2e%2e/today",
        "/p/..%2ftoday",
        "/wechat/../metrics",
        "/wechat/%2e%2e/metrics",
        "//metrics",
        "/./metrics",
        "/%6detrics",
        "http://127.0.0.1/metrics",
        "/metrics%00",
    ] {
        for method in ["GET", "POST"] {
            let answer = clinic.ask(method, path, "").await;
            assert_eq!(answer.status, 404, "{method} {path}");
            assert!(!answer.body.contains("dosed_"), "{method} {path}");
        }
    }
    for method in ["OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "BREW"] {
        for path in [link.as_str(), "/wechat"] {
            let answer = clinic.ask(method, path, "").await;
            assert_eq!((answer.status, answer.body.as_str()), (405, ""), "{method}");
        }
    }
    assert_eq!(clinic.get(&link).await.status, 200);
    clinic.stop().await;
}

#[tokio::test]
async fn no_change_to_a_link_opens_another_patients_page() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let (wang, li) = (clinic.link("o-wang", 4).await, clinic.link("o-li", 4).await);
    let open = |link: &str| {
        let sealed = link.strip_prefix("/p/").expect("a link");
        URL_SAFE_NO_PAD.decode(sealed).expect("a sealed link")
    };
    let (own, other) = (open(&wang), open(&li));
    // Version, patient, contact, expiry: thirteen bytes; then what signs them.
    let spliced = |parts: &[&[u8]]| format!("/p/{}", URL_SAFE_NO_PAD.encode(parts.concat()));
    let mut links = vec![
        // Of one patient, signed for the other.
        spliced(&[&own[..13], &other[13..]]),
        spliced(&[&other[..13], &own[13..]]),
        // The patient, the contact, or the end of another.
        spliced(&[&own[..1], &other[1..5], &own[5..]]),
        spliced(&[&own[..5], &other[5..9], &own[9..]]),
        spliced(&[&own[..9], &u32::MAX.to_be_bytes(), &own[13..]]),
        spliced(&[&own[..9], &u32::MAX.to_le_bytes(), &own[13..]]),
        // Unsigned, or signed by nothing.
        spliced(&[&own[..13]]),
        spliced(&[&own[..13], &[0; 16]]),
        spliced(&[&[0; 29]]),
    ];
    for byte in 0..own.len() {
        let mut changed = own.clone();
        changed[byte] ^= 1;
        links.push(spliced(&[&changed]));
    }
    let page = clinic.get(&li).await.body;
    let mut refused = 0;
    for (index, link) in links.iter().enumerate() {
        // As a proxy on this machine says, from other phones: each may err now and then.
        let from = format!("X-Forwarded-For: 203.0.113.{}", index / 4);
        let head = format!("GET {link} HTTP/1.1\r\nHost: x\r\n{from}\r\n\r\n");
        let shown = exchange(clinic.public, &[head.as_bytes()]).await;
        assert_eq!(shown.status, 404, "{link}");
        let form = "form=x&do=taken";
        let head = format!(
            "POST {link} HTTP/1.1\r\nHost: x\r\n{from}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let pressed = exchange(clinic.public, &[head.as_bytes()]).await;
        assert_eq!(pressed.status, 404, "{link}");
        for secret in SECRETS {
            assert!(!shown.body.contains(secret) && !pressed.body.contains(secret));
        }
        refused += 2;
    }
    assert_eq!(clinic.counted("unknown").await, refused);
    // Harmless: both pages are as they were, and their own forms count.
    assert_eq!(clinic.get(&wang).await.status, 200);
    let noted = clinic.press(&li, &page, "✓ Taken", "do=taken").await;
    assert_eq!(noted.status, 200, "{noted:?}");
    assert_eq!(clinic.counted("noted").await, 1);
    clinic.stop().await;
}

#[tokio::test]
async fn who_fills_the_public_listener_is_cut_off_and_a_patient_gets_in() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let link = clinic.link("o-wang", 4).await;
    let mut idle = Vec::new();
    for number in 0..600 {
        let mut stream = TcpStream::connect(clinic.public).await.expect("it listens");
        let begin = match number % 3 {
            0 => String::new(),
            1 => format!("GET {link} HT"),
            _ => format!("POST {link} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nform="),
        };
        // One that waits to be let in takes it as well.
        stream
            .write_all(begin.as_bytes())
            .await
            .expect("it is let in");
        idle.push(stream);
    }
    // What the clinic's people see is another listener.
    assert_eq!(clinic.private_status("/livez").await, 200);
    let shown = tokio::time::timeout(PATIENCE, clinic.get(&link)).await;
    assert_eq!(shown.expect("there is room again").status, 200);
    for mut stream in idle {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        // A reset is an end, too.
        let _ = read.expect("who says nothing is not held on to");
    }
    let cut = async {
        while unserved(&clinic, "cut_off").await < 400 || clinic.counted("unread").await < 200 {
            // The pause paces the questions; nothing is inferred from its length.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, cut)
        .await
        .expect("all of them are counted");
    assert_eq!(clinic.get(&link).await.status, 200);
    clinic.stop().await;
}

#[tokio::test]
async fn what_many_press_at_once_is_noted_for_each() {
    let clinic = Clinic::open(CONFIG).await;
    clinic.clock.jump(at("23T08:00:01"));
    let (wang, li) = (clinic.link("o-wang", 4).await, clinic.link("o-li", 4).await);
    let pages = (clinic.get(&wang).await.body, clinic.get(&li).await.body);
    let presses = (0..60).map(|number| {
        let (link, page) = if number % 2 == 0 {
            (&wang, &pages.0)
        } else {
            (&li, &pages.1)
        };
        let button = if number % 2 == 0 {
            "全部已服"
        } else {
            "✓ Taken"
        };
        clinic.press(link, page, button, "do=taken")
    });
    let answers = futures_util::future::join_all(presses).await;
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(clinic.counted("noted").await, 60);
    assert_eq!(clinic.closed("taken").await, 3, "two of Wang, one of Li");
    clinic.stop().await;
}
