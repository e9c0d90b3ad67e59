//! The token's life: one for all, replaced when it must be, and never in a storm.

use super::server::{Reply, Server, json, token};
use super::*;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

const OK: &str = r#"{"errcode":0,"errmsg":"ok","msgid":1}"#;

fn refusal(code: i64) -> Reply {
    json(&format!(
        r#"{{"errcode":{code},"errmsg":"token rid: 6720e3ab-1b2c3d4e-0a0b0c0d"}}"#
    ))
}

/// Sends so many messages at the same time.
async fn send_many(wechat: &WeChat, count: u8) -> Vec<Verdict> {
    let tasks: Vec<_> = (0..count)
        .map(|id| {
            let wechat = wechat.clone();
            tokio::spawn(async move { send(&wechat, id).await })
        })
        .collect();
    let mut verdicts = Vec::new();
    for task in tasks {
        verdicts.push(task.await.expect("a send does not panic"));
    }
    verdicts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_first_sends_fetch_one_token() {
    let server = Server::start(|seen| {
        if seen.is_token() {
            token("T1", 7200)
        } else {
            json(OK)
        }
    })
    .await;
    let wechat = channel(&settings(server.base()));
    let verdicts = send_many(&wechat, 64).await;
    assert!(
        verdicts
            .iter()
            .all(|verdict| verdict.outcome == Outcome::Accepted)
    );
    assert_eq!(server.tokens().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_refused_under_sixty_four_sends_is_replaced_once_and_nothing_is_lost() {
    for code in [40001, 40014, 42001, 41001] {
        let server = Server::start(move |seen| {
            if seen.is_token() {
                return token(&format!("T{}", seen.index), 7200);
            }
            // The first token works for ten sends and is then dead.
            match seen.token.as_deref() {
                Some("T0") if seen.index >= 10 => refusal(code),
                _ => json(OK),
            }
        })
        .await;
        let counts = Arc::new(Counts::default());
        let settings = Settings {
            observer: counts.clone(),
            ..settings(server.base())
        };
        let wechat = channel(&settings);
        for _ in 0..3 {
            let verdicts = send_many(&wechat, 64).await;
            assert!(
                verdicts
                    .iter()
                    .all(|verdict| verdict.outcome == Outcome::Accepted)
            );
        }
        let tokens = server.tokens();
        assert_eq!(tokens.len(), 2, "{code}: one refresh");
        assert!(
            tokens
                .iter()
                .all(|seen| seen.json()["force_refresh"] == false)
        );
        let refused = server
            .sends()
            .iter()
            .filter(|seen| seen.token.as_deref() == Some("T0") && seen.index >= 10)
            .count();
        assert_eq!(
            server.sends().len(),
            3 * 64 + refused,
            "{code}: each refusal was tried once more"
        );
        let errcodes = counts.errcodes.lock().expect("unpoisoned").clone();
        assert_eq!(errcodes, vec![errcode::label(code); refused]);
        assert_eq!(
            *counts.refreshes.lock().expect("unpoisoned"),
            [RefreshResult::Ok, RefreshResult::Ok]
        );
    }
}

#[tokio::test]
async fn a_token_that_normal_mode_gives_again_is_forced_once() {
    let server = Server::start(|seen| {
        if seen.is_token() {
            let forced = seen.json()["force_refresh"] == true;
            return token(if forced { "new" } else { "old" }, 7200);
        }
        if seen.token.as_deref() == Some("new") {
            json(OK)
        } else {
            refusal(40001)
        }
    })
    .await;
    let wechat = channel(&settings(server.base()));
    assert_eq!(send(&wechat, 1).await.outcome, Outcome::Accepted);
    let forced: Vec<bool> = server
        .tokens()
        .iter()
        .map(|seen| seen.json()["force_refresh"] == true)
        .collect();
    assert_eq!(forced, [false, false, true]);
    assert_eq!(server.sends().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_refused_for_ever_end_in_one_forced_refresh_and_a_pause() {
    let server = Server::start(|seen| {
        if seen.is_token() {
            token(&format!("T{}", seen.index), 7200)
        } else {
            refusal(40001)
        }
    })
    .await;
    let wechat = channel(&settings(server.base()));
    let verdicts = send_many(&wechat, 64).await;
    for verdict in &verdicts {
        assert_eq!(
            (verdict.outcome, verdict.detail),
            (Outcome::BadToken, Detail::TokenRefused)
        );
    }
    let forced = server
        .tokens()
        .iter()
        .filter(|seen| seen.json()["force_refresh"] == true)
        .count();
    assert_eq!(forced, 1, "force is for once in 30 s");
    // In the pause nobody asks for anything.
    let before = server.seen().len();
    assert_eq!(send(&wechat, 99).await.outcome, Outcome::BadToken);
    assert_eq!(server.seen().len(), before);
    assert_eq!(wechat.token_status().expires_in, None);
    assert!(wechat.token_status().trouble.is_some());
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_called_by_its_cause() {
    let configuration = [40013, 40001, 40125, 40164, 40243, 41002, 89503, 91_234_567];
    let throttled = [45009, 45011];
    let mut rows: Vec<(Reply, &str, RefreshResult)> = Vec::new();
    for code in configuration {
        rows.push((refusal(code), "configuration", RefreshResult::Configuration));
    }
    for code in throttled {
        rows.push((refusal(code), "throttled", RefreshResult::Throttled));
    }
    rows.push((refusal(-1), "retry_soon", RefreshResult::Unavailable));
    let html = || b"<html></html>".to_vec();
    rows.push((Reply::Close, "retry_soon", RefreshResult::Unavailable));
    rows.push((
        Reply::Answer(500, "text/html", html()),
        "retry_soon",
        RefreshResult::Unavailable,
    ));
    rows.push((json("{}"), "retry_soon", RefreshResult::Unavailable));
    rows.push((token("", 7200), "retry_soon", RefreshResult::Unavailable));
    rows.push((token("T1", -1), "retry_soon", RefreshResult::Unavailable));
    rows.push((
        json(r#"{"errcode":0,"errmsg":"ok"}"#),
        "retry_soon",
        RefreshResult::Unavailable,
    ));
    rows.push((
        Reply::Answer(302, "text/html", html()),
        "configuration",
        RefreshResult::Configuration,
    ));
    for (index, (reply, outcome, result)) in rows.into_iter().enumerate() {
        let server = Server::start(move |_| reply.clone()).await;
        let counts = Arc::new(Counts::default());
        let settings = Settings {
            observer: counts.clone(),
            ..settings(server.base())
        };
        let wechat = channel(&settings);
        // The second comes at once, and is told the same without another question.
        for _ in 0..2 {
            let verdict = send(&wechat, 1).await;
            assert_eq!(verdict.outcome.name(), outcome, "row {index}: {verdict}");
            assert_ne!(
                verdict.outcome,
                Outcome::Unknown,
                "a message was never sent"
            );
            assert!(!verdict.to_string().contains(SECRET));
        }
        assert_eq!(server.seen().len(), 1, "row {index}");
        assert_eq!(
            *counts.refreshes.lock().expect("unpoisoned"),
            [result],
            "row {index}"
        );
        let (_, pause) = wechat.token_status().trouble.expect("health is told");
        let least = if outcome == "configuration" { 290 } else { 0 };
        assert!(pause.as_secs() >= least, "row {index}: {pause:?}");
    }
}

#[tokio::test]
async fn the_address_that_is_not_allowed_is_named() {
    let server = Server::start(|_| {
        json(r#"{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 6720e3ab-1b2c3d4e-0a0b0c0d"}"#)
    })
    .await;
    let verdict = send(&channel(&settings(server.base())), 1).await;
    assert_eq!(verdict.outcome, Outcome::Configuration);
    assert_eq!(
        verdict.to_string(),
        "errcode 40164: this machine's IP address is not on the account's allow-list (address 203.0.113.9) [rid 6720e3ab-1b2c3d4e-0a0b0c0d]"
    );
}

#[tokio::test]
async fn the_status_counts_down_and_holds_no_secret() {
    let server = Server::start(|seen| {
        if seen.is_token() {
            token("very-secret-token", 7200)
        } else {
            json(OK)
        }
    })
    .await;
    let wechat = channel(&settings(server.base()));
    assert_eq!(
        wechat.token_status(),
        TokenStatus {
            expires_in: None,
            trouble: None
        }
    );
    wechat.warm_up(0).await;
    let status = wechat.token_status();
    let left = status.expires_in.expect("a token").as_secs();
    assert!((7100..=7200).contains(&left), "{left}");
    assert!(!format!("{status:?}").contains("very-secret"));
    assert_eq!(server.sends().len(), 0, "warming up sends nothing");
    wechat.warm_up(0).await;
    assert_eq!(server.tokens().len(), 1);
}

#[tokio::test]
async fn a_token_that_nears_its_end_is_replaced_while_the_old_one_serves() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let (again, asked_again) = tokio::sync::oneshot::channel();
    let again = Mutex::new(Some(again));
    let server = {
        let fetches = Arc::clone(&fetches);
        Server::start(move |seen| {
            if !seen.is_token() {
                return json(OK);
            }
            if fetches.fetch_add(1, Ordering::SeqCst) == 0 {
                return token("T0", 7200);
            }
            if let Some(again) = again.lock().expect("unpoisoned").take() {
                let _ = again.send(());
            }
            // The endpoint hangs: nobody waits for it.
            Reply::Hang
        })
        .await
    };
    let wechat = channel(&settings(server.base()));
    assert_eq!(send(&wechat, 1).await.outcome, Outcome::Accepted);
    wechat.tokens.age(Duration::from_secs(7000));
    for id in 2..20 {
        assert_eq!(send(&wechat, id).await.outcome, Outcome::Accepted);
    }
    asked_again.await.expect("a new token was asked for");
    assert_eq!(server.tokens().len(), 2, "by one of them");
    let used: BTreeSet<_> = server.sends().into_iter().map(|seen| seen.token).collect();
    assert_eq!(used, BTreeSet::from([Some("T0".to_owned())]));
}

#[tokio::test]
async fn while_the_old_token_serves_a_new_one_that_was_refused_is_asked_for_each_minute() {
    let server = Server::start(|seen| match (seen.is_token(), seen.index) {
        (true, 0) => token("T0", 7200),
        (true, _) => refusal(40164),
        (false, _) => json(OK),
    })
    .await;
    let wechat = channel(&settings(server.base()));
    assert_eq!(send(&wechat, 1).await.outcome, Outcome::Accepted);
    wechat.tokens.age(Duration::from_secs(6901));
    assert_eq!(send(&wechat, 2).await.outcome, Outcome::Accepted);
    let pause = loop {
        match wechat.token_status().trouble {
            Some((_, pause)) => break pause,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(pause <= Duration::from_secs(60), "{pause:?}");
    assert_eq!(send(&wechat, 3).await.outcome, Outcome::Accepted);
}

#[tokio::test]
async fn a_token_that_has_ended_is_not_used() {
    let server = Server::start(|seen| {
        if seen.is_token() {
            token(&format!("T{}", seen.index), 7200)
        } else {
            json(OK)
        }
    })
    .await;
    let wechat = channel(&settings(server.base()));
    assert_eq!(send(&wechat, 1).await.outcome, Outcome::Accepted);
    wechat.tokens.age(Duration::from_secs(7200));
    assert_eq!(wechat.token_status().expires_in, None);
    assert_eq!(send(&wechat, 2).await.outcome, Outcome::Accepted);
    let used: Vec<_> = server
        .sends()
        .into_iter()
        .filter_map(|seen| seen.token)
        .collect();
    assert_eq!(used, ["T0", "T1"]);
}

#[tokio::test]
async fn a_token_given_with_nothing_left_is_tried_and_replaced() {
    let server = Server::start(|seen| {
        if seen.is_token() {
            let life = if seen.index == 0 { 0 } else { 7200 };
            return token(&format!("T{}", seen.index), life);
        }
        if seen.token.as_deref() == Some("T0") {
            refusal(42001)
        } else {
            json(OK)
        }
    })
    .await;
    assert_eq!(
        send(&channel(&settings(server.base())), 1).await.outcome,
        Outcome::Accepted
    );
    assert_eq!(server.tokens().len(), 2);
}
