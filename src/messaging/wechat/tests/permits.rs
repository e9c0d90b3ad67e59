//! What is looked at again right before the first byte leaves.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const TAKEN: &str = r#"{"errcode":0,"errmsg":"ok","msgid":1}"#;

#[tokio::test]
async fn a_message_whose_time_ends_while_a_token_is_fetched_does_not_leave() {
    let in_time = Arc::new(AtomicBool::new(true));
    let ended = Arc::clone(&in_time);
    let server = Server::start(move |seen| {
        if seen.is_token() {
            ended.store(false, Ordering::SeqCst);
            server::token("T1", 7200)
        } else {
            server::json(TAKEN)
        }
    })
    .await;
    let wechat = channel(&settings(server.base()));
    let asked = Arc::clone(&in_time);
    let permit = Permit::new(move || asked.load(Ordering::SeqCst));
    let verdict = send_if(&wechat, 1, &permit).await;
    assert_eq!(
        (verdict.outcome, verdict.detail),
        (Outcome::NotSent, Detail::NotPermitted)
    );
    assert_eq!(server.tokens().len(), 1);
    assert!(server.sends().is_empty(), "not a byte of it has left");
    // The channel is none the worse for it.
    in_time.store(true, Ordering::SeqCst);
    assert_eq!(
        send_if(&wechat, 1, &permit).await.outcome,
        Outcome::Accepted
    );
}

#[tokio::test]
async fn a_resend_with_a_new_token_asks_again() {
    let permitted = Arc::new(AtomicU32::new(0));
    let server = Server::start(|seen| {
        if seen.is_token() {
            server::token("T1", 7200)
        } else {
            server::json(r#"{"errcode":40001,"errmsg":"invalid credential"}"#)
        }
    })
    .await;
    let wechat = channel(&settings(server.base()));
    let asked = Arc::clone(&permitted);
    let once = Permit::new(move || asked.fetch_add(1, Ordering::SeqCst) == 0);
    let verdict = send_if(&wechat, 1, &once).await;
    assert_eq!(verdict.outcome, Outcome::NotSent);
    assert_eq!(server.sends().len(), 1);
    assert_eq!(permitted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn asked_without_a_message_the_api_is_told_from_one_that_is_down() {
    for (answer, outcome) in [
        (
            r#"{"errcode":0,"quota":{"daily_limit":100,"used":99,"remain":1}}"#,
            "accepted",
        ),
        (
            r#"{"errcode":0,"quota":{"daily_limit":100,"used":100,"remain":0}}"#,
            "throttled",
        ),
        (
            r#"{"errcode":48001,"errmsg":"api unauthorized"}"#,
            "accepted",
        ),
        (
            r#"{"errcode":76021,"errmsg":"cgi_path not found"}"#,
            "accepted",
        ),
        (r#"{"errcode":-1,"errmsg":"system error"}"#, "unknown"),
        (r#"{"errcode":45009,"errmsg":"reach max"}"#, "throttled"),
        (
            r#"{"errcode":40164,"errmsg":"invalid ip"}"#,
            "configuration",
        ),
        (r#"{"errcode":40001,"errmsg":"invalid"}"#, "bad_token"),
        (r#"{"errcode":0}"#, "unknown"),
        ("<html></html>", "unknown"),
    ] {
        let server = Server::start(move |seen| {
            if seen.is_token() {
                server::token("T1", 7200)
            } else {
                server::json(answer)
            }
        })
        .await;
        let wechat = channel(&settings(server.base()));
        assert_eq!(wechat.ask(now()).await.name(), outcome, "{answer}");
        assert!(
            server
                .sends()
                .iter()
                .all(|seen| seen.path.contains("quota/get"))
        );
    }
}
