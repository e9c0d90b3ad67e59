//! What is removed after its time, and what never is.

use super::super::records::{JOURNAL, PATIENTS, PLAN_HISTORY, PLANS, STRANGERS, TOLD, WAKES};
use super::*;
use redb::{ReadableTable, ReadableTableMetadata};

/// Rows of journal, plan history, plans, states, wakes.
async fn rows(store: &Store) -> [u64; 5] {
    store
        .read(|snapshot, _| {
            Ok([
                snapshot.open_table(JOURNAL)?.len()?,
                snapshot.open_table(PLAN_HISTORY)?.len()?,
                snapshot.open_table(PLANS)?.len()?,
                snapshot.open_table(PATIENTS)?.len()?,
                snapshot.open_table(WAKES)?.len()?,
            ])
        })
        .await
        .unwrap()
}

fn days(count: i64) -> Timestamp {
    hour(24 * count)
}

#[tokio::test]
async fn old_days_of_the_journal_go_and_nothing_that_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(
        &store,
        hour(7),
        vec![change("a", TWICE), change("b", TWICE)],
    )
    .await;
    // Ten days, none of whose messages are sent: each dose expires.
    for hours in (8..240).step_by(12) {
        // And a while later: a message that nobody settles is waited for so long.
        for now in [hour(hours), hour(hours) + SignedDuration::from_mins(11)] {
            while fire(&store, now).await.stepped > 0 {}
        }
    }
    let before = rows(&store).await;
    let open = waiting(&store).await.len();
    let cut = days(5);
    let removed = store.forget_journal_before(days(10), cut).await.unwrap();
    let after = rows(&store).await;
    assert!(removed > 0);
    assert_eq!(after[0], before[0] - removed);
    assert_eq!(after[1..], before[1..]);
    assert_eq!(waiting(&store).await.len(), open);
    let reader = open_reader(&options(&directory)).unwrap();
    let left = reader.journal(None, hour(0), days(20)).unwrap();
    assert!(left.iter().all(|line| line.at >= cut), "whole days go");
    assert!(!left.is_empty());
    assert_eq!(store.forget_journal_before(days(10), cut).await.unwrap(), 0);
    // The patients go on as if nothing had been.
    assert!(
        fire(&store, days(10) + SignedDuration::from_hours(8))
            .await
            .stepped
            > 0
    );
}

#[tokio::test]
async fn a_long_journal_goes_in_steps_and_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let changes = (0..1_100)
        .map(|n| change(&format!("p{n}"), TWICE))
        .collect();
    apply(&store, hour(7), changes).await;
    assert_eq!(rows(&store).await[0], 1_100);
    let removed = store.forget_journal_before(days(9), days(9)).await.unwrap();
    assert_eq!((removed, rows(&store).await[0]), (1_100, 0));
}

#[tokio::test]
async fn texts_go_only_of_patients_who_left_long_ago_with_nothing_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let patients = ["gone", "stays", "left-later", "back"];
    let changes = patients.map(|patient| change(patient, TWICE)).into();
    apply(&store, hour(7), changes).await;
    let edited = TWICE.replace("20:00", "21:00");
    apply(&store, hour(9), vec![change("gone", &edited)]).await;
    end(&store, hour(10), "gone").await;
    end(&store, hour(10), "back").await;
    end(&store, days(6), "left-later").await;
    apply(&store, days(7), vec![change("back", &edited)]).await;
    assert_eq!(rows(&store).await[1], 6);
    // A message of the ended plan may still be under way: then it waits.
    for queued in waiting(&store).await {
        let in_doubt = TriedOutcome::Final(Settlement::InDoubt);
        settle(&store, hour(10), &queued, in_doubt).await;
    }
    let removed = store.forget_ended_plans_before(days(9), days(5)).await;
    assert_eq!(removed.unwrap(), 2, "both texts of the one that is gone");
    let heads = store.plan_heads().await.unwrap();
    assert_eq!(heads.len(), 2);
    // Numbers are never given out again, and somebody who comes back is the same patient.
    apply(&store, days(9), vec![change("gone", TWICE)]).await;
    let reader = open_reader(&options(&directory)).unwrap();
    assert!(reader.knows("gone").unwrap());
    assert_eq!(rows(&store).await[3], 4);
    drop(reader);
    store.close().await;
    let report = fsck(&options(&directory)).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn words_of_strangers_and_of_whom_staff_were_told_go_in_steps_and_only_the_old() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    // Two staff and a thousand patients, of whom every second was told of long ago; and a stranger
    // who wrote on every day of half a year, several times at once.
    let filled = store.write(hour(0), |scope| {
        let mut told = scope.transaction.open_table(TOLD)?;
        for contact in [1, 2] {
            for patient in 1..=1_000_u32 {
                let at = if patient % 2 == 0 { days(1) } else { days(8) };
                told.insert((contact, patient), at.as_millisecond())?;
            }
        }
        let mut strangers = scope.transaction.open_table(STRANGERS)?;
        for day in 0..180 {
            for number in 0..8 {
                strangers.insert((days(day).as_millisecond(), number), b"words".as_slice())?;
            }
        }
        Ok(())
    });
    filled.await.unwrap();
    let removed = store.forget_told_before(days(9), days(8)).await.unwrap();
    assert_eq!(removed, 1_000);
    let removed = store.forget_strangers_before(days(180), days(90)).await;
    assert_eq!(removed.unwrap(), 90 * 8);
    let left = store.read(|snapshot, _| {
        let told = snapshot.open_table(TOLD)?;
        for row in told.iter()? {
            let (key, at) = row?;
            assert!(key.value().1 % 2 == 1 && at.value() == days(8).as_millisecond());
        }
        let strangers = snapshot.open_table(STRANGERS)?;
        let first = strangers.first()?.map(|(key, _)| key.value());
        assert_eq!(first, Some((days(90).as_millisecond(), 0)));
        Ok((told.len()?, strangers.len()?))
    });
    assert_eq!(left.await.unwrap(), (1_000, 90 * 8));
    assert_eq!(store.forget_told_before(days(9), days(8)).await.unwrap(), 0);
}

#[tokio::test]
async fn runs_of_jobs_that_are_no_more_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let run = JobRun::default().after(hour(0), std::time::Duration::ZERO, true);
    for name in ["retention", "former"] {
        store.note_job(hour(0), name, run.clone()).await.unwrap();
    }
    for (before, kept) in [(hour(0), true), (hour(1), false)] {
        store
            .forget_jobs_before(days(9), before, &["retention"])
            .await
            .unwrap();
        let left = store.job("former").await.unwrap().last_success().is_some();
        assert_eq!(left, kept);
        assert!(
            store
                .job("retention")
                .await
                .unwrap()
                .last_success()
                .is_some()
        );
    }
}
