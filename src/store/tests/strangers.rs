//! Words of people whom nobody knows, as transactions.

use super::talk::{address, claim, push, settle_with, staffed};
use super::*;
use crate::engine::{Body, Class, News, Recipient, Reply};

async fn write(store: &Store, now: Timestamp, openid: &str, words: &str) -> Received {
    push(store, now, openid, What::Words(words.to_owned())).await
}

/// What staff is told in the outbox: of whom, and what.
fn alarms(received: &Received) -> Vec<(String, String)> {
    let alarms = received.queued.iter().map(|it| {
        assert_eq!(it.message.key.class, Class::Critical);
        assert_eq!(it.message.to, Recipient::Staff("Hao".to_owned()));
        let Body::Alert(alert) = &it.message.body else {
            panic!("{:?}", it.message.body);
        };
        let News::RedFlag { text } = &alert.news else {
            panic!("{alert:?}");
        };
        (it.message.addressee.name.clone(), text.clone())
    });
    alarms.collect()
}

#[tokio::test]
async fn what_cannot_wait_reaches_staff_from_somebody_whom_nobody_knows_and_no_flood_does() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    staffed(&store, hour(0)).await;
    let quiet = write(&store, hour(1), "openid-x", "hello").await;
    assert_eq!(alarms(&quiet), []);
    let first = write(&store, at(3601), "openid-x", "I have chest pain").await;
    let told = (
        "Unknown sender 2".to_owned(),
        "I have chest pain".to_owned(),
    );
    assert_eq!(alarms(&first), [told]);
    let index = News::NAMES.iter().position(|name| *name == "red_flag");
    assert_eq!(first.tally.told[index.unwrap()], 1);
    let again = write(&store, at(3602), "openid-x", "chest pain!").await;
    assert_eq!(alarms(&again), [], "of each stranger once an hour");
    let mut count = 0;
    for number in 0..200 {
        let openid = format!("openid-{number}");
        let received = write(&store, at(3700 + number), &openid, "chest pain").await;
        count += alarms(&received).len();
    }
    assert_eq!(count, 5, "of all of them six times");
    // All of it is in the inbox.
    let reader = open_reader(&options).unwrap();
    let kept = reader.strangers(Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!(kept.len(), 203);
    let later = write(&store, hour(3), "openid-x", "chest pain").await;
    assert_eq!(alarms(&later).len(), 1);
    let report = fsck(&options).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn words_of_staff_after_such_an_alarm_go_to_no_patient_by_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    staffed(&store, hour(0)).await;
    let own = PlanChange {
        address: Some(address("openid-wang")),
        ..change("wang", TWICE)
    };
    apply(&store, hour(1), vec![own]).await;
    write(&store, at(3700), "openid-wang", "my chest pain is back").await;
    write(&store, at(3701), "openid-x", "chest pain").await;
    for queued in claim(&store, at(3702)).await {
        settle_with(&store, at(3702), &queued, Receipt::default()).await;
    }
    let asked = write(&store, at(3710), "openid-hao", "Go to the hospital").await;
    assert_eq!(asked.queued.len(), 0, "it is not guessed for whom that is");
    let expected = Reply::AdviseWhom {
        choices: vec!["Unknown sender".to_owned(), "Wang".to_owned()],
    };
    assert_eq!(asked.answers, [Some(format!("{expected:?}"))]);
    let nobody = write(&store, at(3711), "openid-hao", "1").await;
    assert_eq!(
        nobody.answers,
        [Some(format!("{:?}", Reply::NobodyToAdvise))]
    );
    assert_eq!(nobody.queued.len(), 0);
    let report = fsck(&options).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn staff_and_those_who_follow_without_a_word_raise_no_alarm() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    let staff = write(&store, hour(1), "openid-hao", "chest pain").await;
    assert_eq!(alarms(&staff), []);
    let follows = What::Followed { secret: None };
    let followed = push(&store, hour(1), "openid-x", follows).await;
    assert_eq!(alarms(&followed), []);
}
