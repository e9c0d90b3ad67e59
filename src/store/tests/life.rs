//! What the transactions do, one after the other, and again.

use super::super::records::{ATTEMPTS, JOURNAL, OUTBOX, OUTBOX_LATER, PLAN_HISTORY};
use super::*;
use crate::engine::{Body, DoseState};
use redb::{ReadableTable, ReadableTableMetadata};

/// Rows in outbox, outbox_later, attempts.
async fn rows(store: &Store) -> (u64, u64, u64) {
    let rows = store.read(|snapshot, _| {
        Ok((
            snapshot.open_table(OUTBOX)?.len()?,
            snapshot.open_table(OUTBOX_LATER)?.len()?,
            snapshot.open_table(ATTEMPTS)?.len()?,
        ))
    });
    rows.await.unwrap()
}

/// What is kept in memory, in an order.
async fn memory(store: &Store) -> (Vec<String>, Vec<String>) {
    let read = store.read(|_, memory| {
        let claims = memory
            .claimed
            .iter()
            .map(|(id, claim)| format!("{id} {}", claim.group));
        let later = memory
            .later
            .iter()
            .map(|(id, later)| format!("{id} {later:?}"));
        let (mut claims, mut later): (Vec<_>, Vec<_>) = (claims.collect(), later.collect());
        claims.sort();
        later.sort();
        Ok((claims, later))
    });
    read.await.unwrap()
}

#[tokio::test]
async fn what_was_written_anew_under_the_same_id_is_claimed_as_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = with_messages(&directory, 1).await;
    let mut stale = queued[0].clone();
    let mut message = crate::engine::Message::clone(&stale.message);
    message.addressee.name = "as it was".to_owned();
    stale.message = Arc::new(message);
    let claimed = store.claim(hour(8), vec![stale]).await.unwrap().messages;
    assert_eq!(claimed[0].message, queued[0].message);
}

/// A store with patients whose doses of 08:00 are in the outbox.
async fn with_messages(directory: &tempfile::TempDir, patients: usize) -> (Store, Vec<Queued>) {
    let store = open(&options(directory));
    let changes = (0..patients).map(|number| change(&format!("p{number}"), TWICE));
    apply(&store, hour(7), changes.collect()).await;
    let queued = fire(&store, hour(8)).await.queued;
    assert_eq!(queued.len(), patients);
    (store, queued)
}

async fn reopen(store: Store, options: &Options) -> Store {
    store.close().await;
    drop(store);
    open(options)
}

#[tokio::test]
async fn every_transaction_made_again_changes_nothing_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let again = apply(&store, hour(7), vec![change("a", TWICE)]).await;
    assert_eq!(again.changed, 1);
    let again = apply(&store, hour(7), vec![change("a", TWICE)]).await;
    assert_eq!((again.changed, again.reworded), (0, 0));
    let queued = fire(&store, hour(8)).await.queued;
    let again = fire(&store, hour(8)).await;
    assert_eq!((again.stepped, again.queued.len()), (0, 0));
    for _ in 0..2 {
        let claimed = store.claim(hour(8), queued.clone()).await.unwrap().messages;
        assert_eq!(ids(&claimed), ids(&queued));
        assert_eq!(
            claimed[0].attempts.first_unknown, None,
            "nothing was sent yet"
        );
    }
    for _ in 0..2 {
        settle(&store, hour(8), &queued[0], accepted(hour(8))).await;
    }
    let counts = store.day_counts(DAY).await.unwrap();
    assert_eq!((counts.due, counts.reminded), (1, 1));
    for _ in 0..2 {
        end(&store, hour(9), "a").await;
    }
    assert_eq!(rows(&store).await, (0, 0, 0));
    store.close().await;
    let reader = open_reader(&options(&directory)).unwrap();
    let journal = reader.journal(Some("a"), hour(0), hour(24)).unwrap();
    let count = |wanted: &str| {
        let is = |line: &&JournalLine| format!("{:?}", line.entry).starts_with(wanted);
        journal.iter().filter(is).count()
    };
    for entry in ["PlanApplied", "Accepted", "DoseClosed", "PlanEnded"] {
        assert_eq!(count(entry), 1, "{entry} in {journal:?}");
    }
}

#[tokio::test]
async fn claims_put_off_and_settled_in_any_order_leave_no_row_and_memory_is_that_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, queued) = with_messages(&directory, 12).await;
    let mut open: Vec<Queued> = queued;
    let mut turn = 0_usize;
    while !open.is_empty() {
        turn += 1;
        let now = hour(8) + SignedDuration::from_secs(turn as i64);
        let group: Vec<Queued> = open.iter().take(5).cloned().collect();
        let claimed = store.claim(now, group).await.unwrap().messages;
        for (index, mut queued) in claimed.into_iter().enumerate() {
            let position = open
                .iter()
                .position(|it| it.message.key == queued.message.key);
            open.remove(position.unwrap());
            match (index + turn) % 3 {
                // Stays claimed for this turn, and is claimed anew.
                0 if turn < 6 => open.push(queued),
                1 if turn < 8 => {
                    queued.attempts.count += 1;
                    let later = TriedOutcome::Later(now, queued.attempts);
                    settle(&store, now, &queued, later).await;
                    open.push(queued);
                }
                _ => {
                    settle(&store, now, &queued, accepted(now)).await;
                }
            }
        }
        let before = memory(&store).await;
        store = reopen(store, &options(&directory)).await;
        assert_eq!(memory(&store).await, before, "turn {turn}");
        let (outbox, later, _) = rows(&store).await;
        assert_eq!(outbox as usize, open.len());
        assert!(later <= outbox);
        assert_eq!(store.telemetry().outbox_depth()[1], outbox);
    }
    assert!(turn > 4, "the table of outcomes was used");
    // Groups that ended when a claim of theirs was made anew are cleared by the next claim.
    store.claim(hour(9), Vec::new()).await.unwrap();
    assert_eq!(rows(&store).await, (0, 0, 0));
}

#[tokio::test]
async fn what_a_process_that_died_had_claimed_is_in_doubt_since_it_was_claimed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = with_messages(&directory, 3).await;
    let claimed_at = hour(8) + SignedDuration::from_secs(4);
    let wanted = queued[..2].to_vec();
    store.claim(claimed_at, wanted.clone()).await.unwrap();
    settle(&store, claimed_at, &wanted[0], accepted(claimed_at)).await;
    let store = reopen(store, &options(&directory)).await;
    let left = store.left_claimed().await.unwrap();
    assert_eq!(ids(&left), ids(&wanted[1..]));
    let attempts = left[0].attempts;
    let since = Some(claimed_at.as_millisecond());
    assert_eq!((attempts.count, attempts.first_unknown), (1, since));
    assert_eq!(&*left[0].address, "openid-p1");
}

#[tokio::test]
async fn a_withdrawn_message_is_not_claimed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = with_messages(&directory, 2).await;
    end(&store, hour(8), "p0").await;
    let claimed = store.claim(hour(8), queued.clone()).await.unwrap().messages;
    assert_eq!(ids(&claimed), ids(&queued[1..]));
}

#[tokio::test]
async fn an_edit_just_before_the_instant_changes_the_text_that_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    let ahead = hour(8) - SignedDuration::from_secs(2);
    let stale = fire(&store, ahead).await.queued;
    assert_eq!(stale.len(), 1);
    let edited = TWICE.replace("1 tablet", "2 tablets");
    let written = apply(&store, ahead, vec![change("a", &edited)])
        .await
        .queued;
    let both = stale.into_iter().chain(written).collect();
    let claimed = store.claim(hour(8), both).await.unwrap().messages;
    assert_eq!(claimed.len(), 1);
    let Body::Dose(lines) = &claimed[0].message.body else {
        panic!("a reminder of doses")
    };
    assert_eq!(lines[0].amount, "2 tablets");
}

#[tokio::test]
async fn what_was_put_off_keeps_its_attempts_whoever_claims_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = with_messages(&directory, 1).await;
    let attempts = Attempts {
        count: 3,
        first_unknown: Some(7),
        ..Attempts::default()
    };
    settle(
        &store,
        hour(8),
        &queued[0],
        TriedOutcome::Later(hour(8), attempts),
    )
    .await;
    let claimed = store.claim(hour(8), queued).await.unwrap().messages;
    assert_eq!(claimed[0].attempts, attempts);
}

#[tokio::test]
async fn what_is_far_is_left_to_the_store_and_its_time_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = with_messages(&directory, 3).await;
    let later = TriedOutcome::Later(hour(9), Attempts::default());
    settle(&store, hour(8), &queued[0], later).await;
    let near = may_leave(&store, 10, hour(8)).await;
    assert_eq!(
        (near.found.len(), near.more, near.next),
        (2, None, Some(hour(9)))
    );
    let one = may_leave(&store, 1, hour(9)).await;
    let from = one.more.expect("there are more");
    assert_eq!(one.found.len(), 1);
    let rest = store
        .waiting(10, ids(&one.found), from, hour(9))
        .await
        .unwrap();
    assert_eq!(rest.found.len(), 2);
}

#[tokio::test]
async fn history_shows_each_dose_once_and_those_ahead_not_yet() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    let ahead = hour(8) - SignedDuration::from_secs(2);
    let queued = fire(&store, ahead).await.queued;
    let reader = open_reader(&options(&directory)).unwrap();
    let doses = |now| reader.doses(None, hour(0), hour(24 * 30), now).unwrap();
    assert_eq!(doses(ahead), []);
    let open = doses(hour(8));
    assert_eq!((open.len(), open[0].state), (1, DoseState::Open));
    store.claim(hour(8), queued.clone()).await.unwrap();
    settle(&store, hour(8), &queued[0], accepted(hour(8))).await;
    assert_eq!(doses(hour(8))[0].reminded, Some(hour(8)));
    // Ten days pass without a daemon: a run of expired doses, each shown.
    let later = hour(24 * 10);
    while fire(&store, later).await.stepped > 0 {}
    let all = doses(later);
    let dues: Vec<_> = all.iter().map(|line| line.due).collect();
    let expected: Vec<_> = (0..20).map(|half| hour(8 + 12 * half)).collect();
    assert_eq!(dues[..19], expected[..19]);
    assert_eq!(all[0].state, DoseState::Missed);
    for line in &all[1..19] {
        let told = (line.state, line.reason);
        assert_eq!(
            told,
            (DoseState::Expired, Some(ExpiredReason::DaemonDown)),
            "{line:?}"
        );
    }
    let some = reader.doses(Some("a"), hour(8), hour(20), later).unwrap();
    assert_eq!(some.len(), 1, "the range is half-open");
    assert_eq!(reader.doses(Some("b"), hour(0), later, later).unwrap(), []);
}

#[tokio::test]
async fn a_transaction_writes_one_journal_row_for_a_patient() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = with_messages(&directory, 2).await;
    let journal = async || {
        let len = store.read(|snapshot, _| Ok(snapshot.open_table(JOURNAL)?.len()?));
        len.await.unwrap()
    };
    let before = journal().await;
    let batch = queued.iter().map(|queued| Tried {
        key: queued.message.key,
        patient: queued.patient,
        outcome: accepted(hour(8)),
        receipt: Receipt::default(),
    });
    let fits = Arc::new(Unlimited);
    store
        .settle(hour(8), batch.collect(), fits, DAY)
        .await
        .unwrap();
    assert_eq!(journal().await - before, 2);
}

#[tokio::test]
async fn a_text_without_a_change_of_meaning_steps_nobody_and_joins_the_history() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    let before = store.plan_heads().await.unwrap()["a"].clone();
    let wake = store.next_wake().await.unwrap();
    let mut reworded = change("a", &format!("# why\n{TWICE}"));
    reworded.inline = true;
    let applied = apply(&store, hour(10), vec![reworded]).await;
    assert_eq!((applied.changed, applied.reworded), (0, 1));
    assert_eq!(
        store.next_wake().await.unwrap(),
        wake,
        "08:00 was not looked at"
    );
    let head = store.plan_heads().await.unwrap()["a"].clone();
    assert_eq!((head.version, head.meaning), (2, before.meaning));
    assert!(head.inline, "where the text stands is taken up");
    end(&store, hour(11), "a").await;
    assert!(store.plan_heads().await.unwrap().is_empty());
    apply(&store, hour(12), vec![change("a", TWICE)]).await;
    assert_eq!(store.plan_heads().await.unwrap()["a"].version, 3);
    let texts = store.read(|snapshot, _| {
        let history = snapshot.open_table(PLAN_HISTORY)?;
        let keys = history.iter()?.map(|row| Ok(row?.0.value()));
        keys.collect::<Result<Vec<_>, StoreError>>()
    });
    assert_eq!(texts.await.unwrap(), [(1, 1), (1, 2), (1, 3)]);
}

#[tokio::test]
async fn numbers_are_kept_over_an_end_and_shared_by_one_address() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let mut child = change("child", TWICE);
    child.address.clone_from(&change("mother", TWICE).address);
    apply(
        &store,
        hour(7),
        vec![change("mother", TWICE), child, change("neighbour", TWICE)],
    )
    .await;
    let contacts = async || {
        let heads = store.plan_heads().await.unwrap();
        ["mother", "child", "neighbour"].map(|it| heads[it].contact.unwrap())
    };
    assert_eq!(contacts().await, [1, 1, 2]);
    let names = [1, 2, 3].map(|number| store.pseudonym(number));
    end(&store, hour(8), "child").await;
    let mut back = change("child", TWICE);
    back.address.clone_from(&change("mother", TWICE).address);
    apply(&store, hour(9), vec![back]).await;
    assert_eq!(contacts().await, [1, 1, 2]);
    let store = reopen(store, &options(&directory)).await;
    assert_eq!([1, 2, 3].map(|number| store.pseudonym(number)), names);
    let reader = open_reader(&options(&directory)).unwrap();
    for (name, patient) in names.iter().zip(["mother", "child", "neighbour"]) {
        assert_eq!(reader.who(name).unwrap().as_deref(), Some(patient));
        assert!(!name.contains(patient));
    }
    assert_eq!(reader.who("p-aaaaaaaa").unwrap(), None);
}

#[tokio::test]
async fn a_reminder_that_was_refused_is_not_tried_again_in_an_amount_that_was_changed_meanwhile() {
    for (edit, amounts) in [
        (Some("take = \"1 tablet\""), None),
        (
            Some("take = \"2 tablets\""),
            Some(vec!["2 tablets".to_owned()]),
        ),
        // The plan has ended.
        (None, Some(Vec::new())),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (store, queued) = with_messages(&directory, 1).await;
        let mut queued = store
            .claim(hour(8), queued)
            .await
            .unwrap()
            .messages
            .remove(0);
        match edit {
            Some(take) => {
                let text = TWICE.replace("take = \"1 tablet\"", take) + "# edited\n";
                apply(&store, at(8 * 3600 + 1), vec![change("p0", &text)]).await;
            }
            None => {
                end(&store, at(8 * 3600 + 1), "p0").await;
            }
        }
        queued.attempts.count += 1;
        let now = at(8 * 3600 + 2);
        let later = TriedOutcome::Later(hour(9), queued.attempts);
        let settled = settle(&store, now, &queued, later).await;
        let ended: Vec<MessageId> = settled.ended.iter().map(|(id, _)| *id).collect();
        let Some(amounts) = amounts else {
            assert_eq!(ended, [], "{edit:?}");
            assert_eq!(
                rows(&store).await.1,
                1,
                "{edit:?}: it waits for its next try"
            );
            continue;
        };
        assert_eq!(ended, [queued.message.key.id], "{edit:?}");
        let said = settled.queued.iter().flat_map(|it| match &it.message.body {
            Body::Dose(lines) => lines.clone(),
            other => panic!("{other:?}"),
        });
        let said: Vec<String> = said.map(|line| line.amount).collect();
        assert_eq!(said, amounts, "{edit:?}");
        let left = waiting(&store).await;
        assert_eq!(ids(&left), ids(&settled.queued), "{edit:?}");
        assert_eq!(memory(&store).await, (vec![], vec![]), "{edit:?}");
        // Made again it changes nothing more.
        settle(&store, now, &queued, later).await;
        assert_eq!(ids(&waiting(&store).await), ids(&left), "{edit:?}");
    }
}
