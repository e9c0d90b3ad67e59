//! The clinic's digest: told with its job in one commit, and about nobody.

use super::talk::address;
use super::*;
use crate::engine::{Body, DIGEST, Digest, Recipient, StaffMember};
use std::time::Duration;

async fn staff(store: &Store, members: &[(&str, &[&str])]) {
    let staff = members.iter().map(|(name, alerts)| {
        let member = StaffMember {
            name: (*name).to_owned(),
            language: Language::ZhCn,
            alerts: alerts.iter().map(|it| (*it).to_owned()).collect(),
            quiet_hours: None,
            refuses: false,
        };
        (member, Some(address(&format!("openid-{name}"))))
    });
    store
        .set_desk(hour(7), true, staff.collect())
        .await
        .unwrap();
}

async fn tell(store: &Store, now: Timestamp) -> DigestTold {
    let digest = Digest {
        day: "2026-03-01".parse().unwrap(),
        at: hour(8),
        due: 3,
        ..Digest::default()
    };
    let run = JobRun::default().after(now, Duration::ZERO, true);
    let zone = Zone::get("UTC").unwrap();
    let fits = Arc::new(Unlimited);
    store
        .tell_digest(now, digest, zone, fits, ("digest", run))
        .await
        .unwrap()
}

#[tokio::test]
async fn each_member_who_wants_it_is_told_once_and_the_job_is_done_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    staff(
        &store,
        &[
            ("Hao", &[DIGEST]),
            ("Li", &["red_flag", DIGEST]),
            ("Wu", &["red_flag"]),
        ],
    )
    .await;
    let told = tell(&store, hour(8)).await;
    let to = |queued: &Queued| match &queued.message.to {
        Recipient::Staff(name) => (name.clone(), queued.address.to_string()),
        other => panic!("{other:?}"),
    };
    let named: Vec<_> = told.queued.iter().map(to).collect();
    let both = ["Hao", "Li"].map(|name| (name.to_owned(), format!("openid-{name}")));
    assert_eq!((named.as_slice(), told.unfit), (both.as_slice(), 0));
    assert!(matches!(told.queued[0].message.body, Body::Digest(_)));
    let done = store.job("digest").await.unwrap();
    assert_eq!(done.last_success(), Some(hour(8)));

    // Made again after an outcome that nobody read: the same messages, not more of them.
    let again = tell(&store, hour(8)).await;
    assert_eq!(again.queued.len(), 2);
    let waiting = may_leave(&store, 10, hour(9)).await;
    assert_eq!(waiting.found.len(), 2);
    assert_eq!(store.telemetry().outbox_depth()[4], 2);

    // It is sent and settled as any other, and no patient's journal knows of it.
    let claimed = store.claim(hour(8), again.queued).await.unwrap().messages;
    assert_eq!(claimed.len(), 2);
    settle(&store, hour(8), &claimed[0], accepted(hour(8))).await;
    let later = TriedOutcome::Later(hour(9), Attempts::default());
    settle(&store, hour(8), &claimed[1], later).await;
    assert_eq!(store.telemetry().outbox_depth()[4], 1);
    store.close().await;
    let report = fsck(&options(&directory)).unwrap();
    assert!(report.is_clean(), "{report:?}");
    let reader = open_reader(&options(&directory)).unwrap();
    let journal = reader
        .journal(None, Timestamp::MIN, Timestamp::MAX)
        .unwrap();
    assert!(
        journal.iter().all(|line| line.patient == "a"),
        "{journal:?}"
    );
}
