//! Ways in which others have failed, tried here (`docs/guarantees.md` has the whole list).

use super::receive::{pushed, talk};
use super::*;
use crate::engine::{Body, DoseState};

/// The names and instants of a message's doses.
fn told(queued: &Queued) -> Vec<(String, Timestamp)> {
    match &queued.message.body {
        Body::Dose(lines) => lines
            .iter()
            .map(|line| (line.medication.clone(), line.due))
            .collect(),
        other => panic!("no reminder: {other:?}"),
    }
}

/// Each dose once, with its state.
fn states(directory: &tempfile::TempDir, patient: &str, now: Timestamp) -> Vec<(i64, DoseState)> {
    let reader = open_reader(&options(directory)).unwrap();
    let doses = reader
        .doses(Some(patient), hour(0), hour(200), now)
        .unwrap();
    let minute = |due: Timestamp| due.duration_since(hour(0)).as_mins();
    doses.iter().map(|it| (minute(it.due), it.state)).collect()
}

fn minute(minutes: i64) -> Timestamp {
    at(minutes * 60)
}

fn once(at: &str) -> String {
    TWICE.replace("08:00, 20:00", at)
}

#[tokio::test]
async fn a_message_that_never_gets_through_sends_no_other_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let changes = ["a", "b", "c"].map(|it| change(it, TWICE)).into();
    apply(&store, hour(7), changes).await;
    fire(&store, hour(8)).await;
    let mut left = std::collections::HashMap::new();
    // Every minute of its window the first message is tried and put off; the others are taken.
    let mut stuck = None;
    for minutes in 0..240 {
        let now = hour(8) + SignedDuration::from_mins(minutes);
        fire(&store, now).await;
        let ready = may_leave(&store, 100, now).await.found;
        let ready = ready
            .into_iter()
            .filter(|it| it.not_before <= now)
            .collect();
        for queued in store.claim(now, ready).await.unwrap().messages {
            let id = queued.message.key.id;
            *left.entry(id).or_insert(0) += 1;
            let outcome = if *stuck.get_or_insert(id) == id {
                let attempts = Attempts {
                    count: queued.attempts.count.saturating_add(1),
                    ..queued.attempts
                };
                TriedOutcome::Later(now + SignedDuration::from_mins(1), attempts)
            } else {
                accepted(now)
            };
            settle(&store, now, &queued, outcome).await;
        }
    }
    let stuck = left.remove(&stuck.unwrap()).unwrap();
    assert!(stuck > 200, "it was tried {stuck} times");
    assert_eq!(left.len(), 2);
    assert!(left.values().all(|tries| *tries == 1), "{left:?}");
}

#[tokio::test]
async fn a_dose_whose_minute_nobody_looked_at_is_found_at_the_next_look() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(&store, hour(7), vec![change("a", &once("08:03"))]).await;
    assert_eq!(fire(&store, hour(8)).await.queued.len(), 0);
    let queued = fire(&store, minute(8 * 60 + 5)).await.queued;
    assert_eq!(queued.len(), 1);
    assert_eq!(
        told(&queued[0]),
        [("Metformin".to_owned(), minute(8 * 60 + 3))]
    );
}

#[tokio::test]
async fn doses_on_both_sides_of_a_midnight_that_nobody_saw_are_both_looked_after() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(
        &store,
        hour(7),
        vec![change("a", &once("23:59, 00:00, 00:05"))],
    )
    .await;
    let midnight = 24 * 60;
    let queued = fire(&store, minute(midnight + 20)).await.queued;
    let mut found: Vec<i64> = queued
        .iter()
        .flat_map(told)
        .map(|(_, due)| due.duration_since(hour(0)).as_mins())
        .collect();
    found.sort_unstable();
    // Minutes apart as they are, the window of each ends before the next dose but for the last.
    let now = minute(midnight + 20);
    let all: Vec<i64> = states(&directory, "a", now).iter().map(|it| it.0).collect();
    assert_eq!(all, [midnight - 1, midnight, midnight + 5]);
    assert_eq!(found, [midnight + 5], "only one can still be taken now");
    // A day later all is as on the day before.
    let queued = fire(&store, minute(2 * midnight - 1)).await.queued;
    let due: Vec<_> = queued.iter().flat_map(told).map(|it| it.1).collect();
    assert_eq!(due, [minute(2 * midnight - 1)]);
}

#[tokio::test]
async fn another_name_for_a_medication_with_an_id_reminds_of_nothing_again() {
    let named = |name: &str| {
        TWICE.replace(
            "name = \"Metformin\"",
            &format!("id = \"m\"\nname = \"{name}\""),
        )
    };
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(&store, hour(7), vec![change("a", &named("Metformin"))]).await;
    let queued = fire(&store, hour(8)).await.queued;
    let claimed = store.claim(hour(8), queued).await.unwrap().messages;
    settle(&store, hour(8), &claimed[0], accepted(hour(8))).await;
    let renamed = apply(&store, hour(9), vec![change("a", &named("Glucophage"))]).await;
    assert_eq!((renamed.changed, renamed.queued.len()), (1, 0));
    assert!(fire(&store, minute(9 * 60 + 30)).await.queued.is_empty());
    let now = minute(9 * 60 + 30);
    let open = [(8 * 60, DoseState::Open)];
    assert_eq!(
        states(&directory, "a", now),
        open,
        "one dose, and it goes on"
    );
    let evening = fire(&store, hour(20)).await.queued;
    assert_eq!(told(&evening[0]), [("m".to_owned(), hour(20))]);
}

#[tokio::test]
async fn a_dose_that_was_put_off_comes_back_at_the_time_said_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    store.set_desk(hour(7), true, Vec::new()).await.unwrap();
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    let queued = fire(&store, hour(8)).await.queued;
    let claimed = store.claim(hour(8), queued).await.unwrap().messages;
    settle(&store, hour(8), &claimed[0], accepted(hour(8))).await;
    let later = pushed("a", 1, What::Words("in 30 minutes".to_owned()));
    let fits = Arc::new(Unlimited);
    let received = store.receive(minute(8 * 60 + 10), vec![later], talk(), fits, DAY);
    let answer = received.await.unwrap().answers[0].clone();
    assert_eq!(answer.as_deref(), Some("Later"));
    store.close().await;
    drop(store);

    let store = open(&options(&directory));
    store.set_desk(hour(8), true, Vec::new()).await.unwrap();
    let mut came = Vec::new();
    for minutes in 11..60 {
        let now = minute(8 * 60 + minutes);
        for queued in fire(&store, now).await.queued {
            came.push((minutes, queued.not_before, told(&queued)));
            let claimed = store.claim(now, vec![queued]).await.unwrap().messages;
            settle(&store, now, &claimed[0], accepted(now)).await;
        }
    }
    let dose = vec![("Metformin".to_owned(), hour(8))];
    assert_eq!(came, [(40, minute(8 * 60 + 40), dose)]);
}

#[tokio::test]
async fn a_store_that_was_put_back_goes_on_as_if_nothing_had_been() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    store.set_desk(hour(7), true, Vec::new()).await.unwrap();
    let changes = ["a", "b", "c"].map(|it| change(it, TWICE)).into();
    apply(&store, hour(7), changes).await;
    let queued = fire(&store, hour(8)).await.queued;
    let claimed = store.claim(hour(8), queued).await.unwrap().messages;
    settle(&store, hour(8), &claimed[0], accepted(hour(8))).await;
    let taken = pushed("a", 1, What::Words("taken".to_owned()));
    let fits = Arc::new(Unlimited);
    let received = store.receive(minute(8 * 60 + 10), vec![taken], talk(), fits, DAY);
    received.await.unwrap();
    store.close().await;
    drop(store);
    // The copy lies elsewhere, under the name that the store has.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(options(&directory).path, options(&elsewhere).path).unwrap();

    let mut lives = Vec::new();
    for place in [&directory, &elsewhere] {
        let report = fsck(&options(place)).unwrap();
        assert!(report.is_clean(), "{report:?}");
        let store = open(&options(place));
        let left = ids(&store.left_claimed().await.unwrap());
        let mut came = Vec::new();
        for hours in 9..60 {
            for queued in fire(&store, hour(hours)).await.queued {
                came.push((
                    hours,
                    queued.patient,
                    queued.message.key,
                    queued.address.clone(),
                ));
            }
        }
        store.close().await;
        drop(store);
        let doses: Vec<_> = ["a", "b", "c"].map(|it| states(place, it, hour(60))).into();
        assert!(came.len() > 6 && !left.is_empty());
        lives.push((left, came, doses));
    }
    assert!(lives[0] == lives[1], "{lives:?}");
}
