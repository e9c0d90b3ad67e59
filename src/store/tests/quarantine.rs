//! A record that cannot be read is its patient's trouble, is counted, and nobody else's.

use super::super::open::begin_write;
use super::super::records::{
    ATTEMPTS, CONTACTS, DAYS, JOURNAL, LaterRecord, OUTBOX, OUTBOX_LATER, PATIENTS, PLANS, WAKES,
    encode, outbox_key,
};
use super::*;
use redb::{Database, ReadableTable, ReadableTableMetadata};

const BROKEN: &[u8] = &[9, 9, 9];

/// Two patients with messages in the outbox, and then a record of the first is broken.
async fn broken(
    directory: &tempfile::TempDir,
    spoil: impl FnOnce(&redb::WriteTransaction, &[Queued]),
) -> (Store, Vec<Queued>) {
    let options = options(directory);
    let store = open(&options);
    apply(
        &store,
        hour(7),
        vec![change("a", TWICE), change("b", TWICE)],
    )
    .await;
    let queued = fire(&store, hour(8)).await.queued;
    store.close().await;
    let database = Database::open(&options.path).unwrap();
    let transaction = begin_write(&database).unwrap();
    spoil(&transaction, &queued);
    transaction.commit().unwrap();
    drop(database);
    (open(&options), queued)
}

#[tokio::test]
async fn a_patients_record_that_cannot_be_read_stops_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = broken(&directory, |transaction, _| {
        let mut patients = transaction.open_table(PATIENTS).unwrap();
        patients.insert(1, BROKEN).unwrap();
    })
    .await;
    let claimed = store.claim(hour(8), queued.clone()).await.unwrap().messages;
    assert_eq!(claimed.len(), 2);
    for queued in &claimed {
        settle(&store, hour(8), queued, accepted(hour(8))).await;
        settle(&store, hour(8), queued, accepted(hour(8))).await;
    }
    assert_eq!(store.telemetry().unreadable(), 1);
    assert!(waiting(&store).await.is_empty());
    let fired = fire(&store, hour(20)).await;
    assert_eq!((fired.stepped, fired.broken, fired.queued.len()), (1, 1, 1));
    assert!(fired.next_wake.unwrap() > hour(20), "the broken one waits");
    let edited = TWICE.replace("20:00", "21:00");
    let applied = apply(
        &store,
        hour(20),
        vec![change("a", &edited), change("b", &edited)],
    )
    .await;
    assert_eq!((applied.broken, applied.changed), (1, 1));
    store.count_unreachable().await.unwrap();
    assert_eq!(store.telemetry().unreadable(), 1, "the same one");
    let reader = open_reader(&options(&directory)).unwrap();
    let lines = reader.doses(None, hour(0), hour(24), hour(20)).unwrap();
    assert!(lines.iter().all(|line| line.patient == "b"), "{lines:?}");
    assert_eq!(reader.unreadable(), 1);
    let told = reader.journal(Some("a"), hour(0), hour(24)).unwrap();
    assert!(
        told.iter()
            .any(|line| format!("{:?}", line.entry).starts_with("Accepted")),
        "what came back is remembered: {told:?}"
    );
}

#[tokio::test]
async fn a_plan_that_cannot_be_read_is_mended_by_its_text() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = broken(&directory, |transaction, _| {
        let mut plans = transaction.open_table(PLANS).unwrap();
        plans.insert(1, BROKEN).unwrap();
    })
    .await;
    let heads = store.plan_heads().await.unwrap();
    assert_eq!(heads.keys().collect::<Vec<_>>(), ["b"]);
    for queued in &queued {
        settle(&store, hour(8), queued, accepted(hour(8))).await;
    }
    assert!(store.telemetry().unreadable() > 0);
    let applied = apply(&store, hour(9), vec![change("a", TWICE)]).await;
    assert_eq!(applied.changed, 1);
    assert_eq!(store.plan_heads().await.unwrap()["a"].version, 2);
    while fire(&store, hour(20)).await.stepped > 0 {}
    assert_eq!(waiting(&store).await.len(), 2);
}

#[tokio::test]
async fn claims_that_cannot_be_read_put_into_doubt_what_may_have_been_claimed_and_open_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = broken(&directory, |transaction, queued| {
        let mut attempts = transaction.open_table(ATTEMPTS).unwrap();
        attempts.insert(7, BROKEN).unwrap();
        // What waits for a further try was released from its claim.
        let mut later = transaction.open_table(OUTBOX_LATER).unwrap();
        let key = queued[1].message.key;
        let record = encode(&LaterRecord {
            patient: queued[1].patient,
            key,
            attempts: Attempts::default(),
        })
        .unwrap();
        later
            .insert((hour(8).as_millisecond(), &key.id.0), record.as_slice())
            .unwrap();
    })
    .await;
    assert_eq!(store.telemetry().unreadable(), 1);
    let left = store.left_claimed().await.unwrap();
    assert_eq!(ids(&left), ids(&queued[..1]));
    assert!(left[0].attempts.is_unknown(), "{:?}", left[0].attempts);
    let in_doubt = TriedOutcome::Final(Settlement::InDoubt);
    settle(&store, hour(8), &left[0], in_doubt).await;
    // The row has gone with the last that it may have named.
    let rows = store.read(|snapshot, _| Ok(snapshot.open_table(ATTEMPTS)?.len()?));
    assert_eq!(rows.await.unwrap(), 0);
    let wanted = queued[1..].to_vec();
    assert_eq!(
        store.claim(hour(8), wanted).await.unwrap().messages.len(),
        1
    );
}

#[tokio::test]
async fn a_wake_left_by_a_time_of_quarantine_does_not_come_up_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = broken(&directory, |transaction, _| {
        let mut wakes = transaction.open_table(WAKES).unwrap();
        wakes.insert((hour(9).as_millisecond(), 1), ()).unwrap();
    })
    .await;
    for _ in 0..3 {
        fire(&store, hour(9)).await;
    }
    assert_eq!(fire(&store, hour(9)).await.stepped, 0);
    let (next, sleeping) = store.next_wake().await.unwrap();
    assert!(next.unwrap() > hour(9));
    assert_eq!(sleeping, 2, "one row a patient");
}

#[tokio::test]
async fn rows_of_outbox_contacts_journal_and_counts_that_cannot_be_read_stop_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let (store, queued) = broken(&directory, |transaction, queued| {
        let mut outbox = transaction.open_table(OUTBOX).unwrap();
        outbox
            .insert(
                outbox_key(queued[0].patient, &queued[0].message.key),
                BROKEN,
            )
            .unwrap();
        let mut contacts = transaction.open_table(CONTACTS).unwrap();
        contacts.insert(2, BROKEN).unwrap();
        let mut days = transaction.open_table(DAYS).unwrap();
        days.insert(DAY, BROKEN).unwrap();
        let mut later = transaction.open_table(OUTBOX_LATER).unwrap();
        let key = (hour(8).as_millisecond(), &queued[1].message.key.id.0);
        later.insert(key, BROKEN).unwrap();
        let mut journal = transaction.open_table(JOURNAL).unwrap();
        let first = journal
            .first()
            .unwrap()
            .map(|(key, _)| key.value())
            .unwrap();
        journal.insert(first, BROKEN).unwrap();
    })
    .await;
    let found = waiting(&store).await;
    assert_eq!(ids(&found), ids(&queued[1..]));
    assert_eq!(&*found[0].address, "", "whom it is for cannot be read");
    assert!(
        found[0].attempts.first_unknown.is_some(),
        "what was tried is not known: in doubt"
    );
    let claimed = store.claim(hour(8), queued.clone()).await.unwrap().messages;
    assert_eq!(ids(&claimed), ids(&queued[1..]));
    for queued in &queued {
        settle(&store, hour(8), queued, accepted(hour(8))).await;
    }
    assert_eq!(store.telemetry().unreadable(), 2, "outbox and outbox_later");
    assert_eq!(store.day_counts(DAY).await.unwrap().reminded, 1);
    let left = store.read(|snapshot, _| Ok(snapshot.open_table(OUTBOX)?.len()?));
    assert_eq!(left.await.unwrap(), 0);
    let reader = open_reader(&options(&directory)).unwrap();
    assert_eq!(
        reader
            .doses(None, hour(0), hour(24), hour(9))
            .unwrap()
            .len(),
        2
    );
    assert_eq!(reader.unreadable(), 1);
}
