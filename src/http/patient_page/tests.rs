//! What a phone is told when the store, or what it asks for, is not as it should be.

use super::*;
use crate::engine::Millis;
use crate::plan::{Language, Zone};
use axum::body::{Body, to_bytes};
use jiff::Timestamp;
use std::sync::Mutex;
use tower_service::Service as _;

/// Answers as told.
struct Told {
    opened: fn() -> Opened,
    pressed: fn() -> Pressed,
    counted: Mutex<Vec<PageResult>>,
}

impl PatientPage for Told {
    fn check(&self, link: &str) -> Result<(), Refusal> {
        if link == "good" {
            Ok(())
        } else {
            Err(Refusal::Unknown)
        }
    }

    fn open<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Opened> {
        Box::pin(async { (self.opened)() })
    }

    fn press<'a>(&'a self, _: &'a str, _: &'a str, _: Press) -> BoxFuture<'a, Pressed> {
        Box::pin(async { (self.pressed)() })
    }

    fn count(&self, result: PageResult) {
        self.counted.lock().unwrap().push(result);
    }
}

fn page() -> Opened {
    Opened::Page(Box::new(Page {
        sheet: Sheet {
            name: "<b>Wang</b>".to_owned(),
            language: Language::En,
            zone: Zone::get("UTC").unwrap(),
            now: Timestamp::UNIX_EPOCH,
            doses: Vec::new(),
            questions: Vec::new(),
            as_needed: Vec::new(),
            closed: vec![crate::engine::ClosedLine {
                medication: "m".to_owned(),
                name: "\"><script>".to_owned(),
                amount: String::new(),
                due: Timestamp::UNIX_EPOCH,
                state: crate::engine::DoseState::Missed,
                taken_at: None,
            }],
            ahead: Vec::new(),
            advice: None,
        },
        seal: Box::new(|subject| {
            let one = Subject::Doses(vec![("m".to_owned(), Millis(Timestamp::UNIX_EPOCH))]);
            assert_eq!(*subject, one);
            "sealed".to_owned()
        }),
        clinic: String::new(),
        emergency_number: String::new(),
    }))
}

async fn ask(told: Told, method: &str, body: &'static str) -> (u16, String, Vec<PageResult>) {
    let told = Arc::new(told);
    let request = Request::builder()
        .method(method)
        .uri("/p/good")
        .body(Body::from(body))
        .unwrap();
    let answer = router(told.clone()).call(request).await.unwrap();
    let status = answer.status().as_u16();
    for header in [
        "content-security-policy",
        "referrer-policy",
        "cache-control",
    ] {
        assert!(answer.headers().contains_key(header), "{header}");
    }
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let counted = told.counted.lock().unwrap().clone();
    (status, String::from_utf8(body.to_vec()).unwrap(), counted)
}

fn told(opened: fn() -> Opened, pressed: fn() -> Pressed) -> Told {
    Told {
        opened,
        pressed,
        counted: Mutex::default(),
    }
}

/// What a press comes to.
type PressedBy = fn() -> Pressed;

const PRESSED: &str = "form=sealed&do=taken";

#[tokio::test]
async fn what_may_not_be_stored_is_not_called_noted() {
    let failing = told(|| Opened::Unavailable, || Pressed::Unavailable);
    let (status, body, counted) = ask(failing, "POST", PRESSED).await;
    assert_eq!(status, 503);
    assert!(
        body.contains("may not be noted") && body.contains("可能没有记录"),
        "{body}"
    );
    assert_eq!(counted, [PageResult::Unavailable]);
    let failing = told(|| Opened::Unavailable, || Pressed::Unavailable);
    let (status, body, counted) = ask(failing, "GET", "").await;
    assert_eq!(status, 503);
    assert!(
        body.contains("cannot be shown") && body.contains("现在打不开"),
        "{body}"
    );
    assert_eq!(counted, [PageResult::Unavailable]);
    // Noted, and then the page could not be read: it is noted all the same.
    let noted = told(
        || Opened::Unavailable,
        || Pressed::Noted("Noted as taken.".to_owned(), None),
    );
    let (status, body, counted) = ask(noted, "POST", PRESSED).await;
    assert_eq!((status, counted), (200, vec![PageResult::Noted]));
    assert!(body.contains("Noted as taken."), "{body}");
}

#[tokio::test]
async fn what_is_not_noted_says_why_on_the_page_as_it_is_now() {
    let rows: [(PressedBy, u16, &str); 5] = [
        (
            || Pressed::NotNoted(NotNoted::Old, None),
            409,
            "may not be noted",
        ),
        (
            || Pressed::NotNoted(NotNoted::NotOpen, of(page())),
            409,
            "needs no answer any more",
        ),
        (
            || Pressed::NotNoted(NotNoted::Unreadable("Like 120/80.".to_owned()), of(page())),
            422,
            "Like 120/80.",
        ),
        (
            || Pressed::NotNoted(NotNoted::TooLong, of(page())),
            422,
            "too many words",
        ),
        (
            || Pressed::Refused(Refusal::Unknown),
            404,
            "This link does not open",
        ),
    ];
    for (pressed, expected, words) in rows {
        let (status, body, _) = ask(told(page, pressed), "POST", PRESSED).await;
        assert_eq!(status, expected, "{words}");
        assert!(body.contains(words), "{words}: {body}");
    }
    // A form that is none is answered with the page, and asks nobody to store anything.
    let never = told(page, || panic!("nothing was pressed"));
    let (status, body, _) = ask(never, "POST", "do=taken").await;
    assert_eq!(status, 400);
    assert!(body.contains("please press again"), "{body}");
}

fn of(opened: Opened) -> Option<Box<Page>> {
    match opened {
        Opened::Page(page) => Some(page),
        Opened::Refused(_) | Opened::Unavailable => None,
    }
}

#[tokio::test]
async fn what_plans_and_people_say_is_text_and_nothing_else() {
    let shown = told(page, || Pressed::Unavailable);
    let (status, body, _) = ask(shown, "GET", "").await;
    assert_eq!(status, 200);
    assert!(
        body.contains("&lt;b&gt;Wang") && body.contains("&quot;&gt;&lt;script&gt;"),
        "{body}"
    );
    assert!(
        !body.contains("<script") && !body.contains(" style="),
        "{body}"
    );
    assert!(body.contains("name=\"form\" value=\"sealed\""));
}
