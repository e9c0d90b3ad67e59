//! Looking a store over finds what is wrong, says so of nothing that is right, and writes nothing.

use super::super::open::begin_write;
use super::super::records::{
    ATTEMPTS, CONTACT_NUMBERS, CONTACTS, DAYS, JOBS, JOURNAL, OUTBOX, OUTBOX_LATER, PATIENT_IDS,
    PATIENT_SLUGS, PATIENTS, PLAN_HISTORY, PLANS, WAKES, decode, encode, outbox_key,
};
use super::*;
use crate::engine::OutboxRef;
use redb::{Database, ReadableTable, WriteTransaction};

const BROKEN: &[u8] = &[9, 9, 9];

/// A store in the middle of its life: messages fresh, claimed, put off, settled, a plan ended.
async fn lived_in(directory: &tempfile::TempDir) -> Vec<OutboxRef> {
    let store = open(&options(directory));
    let changes = ["a", "b", "c", "d", "e"].map(|it| change(it, TWICE)).into();
    apply(&store, hour(7), changes).await;
    let queued = fire(&store, hour(8)).await.queued;
    let claimed = store.claim(hour(8), queued[..3].to_vec()).await.unwrap();
    settle(&store, hour(8), &claimed.messages[0], accepted(hour(8))).await;
    let later = TriedOutcome::Later(hour(9), Attempts::default());
    settle(&store, hour(8), &claimed.messages[1], later).await;
    end(&store, hour(8), "e").await;
    apply(
        &store,
        hour(8),
        vec![change("d", &TWICE.replace("20:00", "21:00"))],
    )
    .await;
    store.note_seen(hour(8), hour(8), None).await.unwrap();
    store.close().await;
    queued.iter().map(|queued| queued.message.key).collect()
}

fn spoil(directory: &tempfile::TempDir, spoil: impl FnOnce(&WriteTransaction)) {
    let database = Database::open(options(directory).path).unwrap();
    let transaction = begin_write(&database).unwrap();
    spoil(&transaction);
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_store_in_use_is_clean_and_is_not_written_to() {
    let directory = tempfile::tempdir().unwrap();
    lived_in(&directory).await;
    let before = std::fs::read(options(&directory).path).unwrap();
    let report = fsck(&options(&directory)).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.integrity, Integrity::Whole);
    for table in [
        "patients",
        "plans",
        "outbox",
        "journal",
        "attempts",
        "outbox_later",
        "wakes",
    ] {
        assert!(report.rows[table] > 0, "{table}: {report:?}");
    }
    let after = std::fs::read(options(&directory).path).unwrap();
    assert!(before == after, "not a byte has changed");
}

#[tokio::test]
async fn beside_a_writer_the_tables_are_checked_on_a_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    lived_in(&directory).await;
    let store = open(&options(&directory));
    let report = fsck(&options(&directory)).unwrap();
    assert_eq!(report.integrity, Integrity::LeftOut);
    assert!(report.is_clean(), "{report:?}");
    store.close().await;
    assert_eq!(
        fsck(&options(&directory)).unwrap().integrity,
        Integrity::Whole
    );
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn each_thing_that_does_not_hold_is_found_in_its_table() {
    type Spoil = fn(&WriteTransaction, &[OutboxRef]);
    let cases: &[(&str, &str, Spoil)] = &[
        ("patient_ids", "an id without its number", |it, _| {
            it.open_table(PATIENT_SLUGS).unwrap().remove(2).unwrap();
        }),
        ("patient_slugs", "a number without its id", |it, _| {
            it.open_table(PATIENT_IDS).unwrap().remove("b").unwrap();
        }),
        ("contacts", "an address without its number", |it, _| {
            let mut numbers = it.open_table(CONTACT_NUMBERS).unwrap();
            numbers.insert("wechat:openid-b", 1).unwrap();
        }),
        (
            "contact_numbers",
            "a number without its address",
            |it, _| {
                it.open_table(CONTACTS).unwrap().remove(2).unwrap();
            },
        ),
        ("plans", "a plan without a state", |it, _| {
            it.open_table(PATIENTS).unwrap().remove(2).unwrap();
        }),
        ("plans", "a plan that cannot be read", |it, _| {
            it.open_table(PLANS).unwrap().insert(2, BROKEN).unwrap();
        }),
        (
            "plans",
            "a plan that is not the last of its history",
            |it, _| {
                let mut history = it.open_table(PLAN_HISTORY).unwrap();
                history.remove((4, 2)).unwrap();
            },
        ),
        ("plan_history", "a text that cannot be read", |it, _| {
            let mut history = it.open_table(PLAN_HISTORY).unwrap();
            history.insert((4, 1), BROKEN).unwrap();
        }),
        ("patients", "a state that cannot be read", |it, _| {
            it.open_table(PATIENTS).unwrap().insert(2, BROKEN).unwrap();
        }),
        ("wakes", "a wake that nobody has", |it, _| {
            it.open_table(WAKES).unwrap().insert((5, 2), ()).unwrap();
        }),
        ("wakes", "a wake that is missing", |it, _| {
            let mut wakes = it.open_table(WAKES).unwrap();
            let first = wakes.first().unwrap().unwrap().0.value();
            wakes.remove(first).unwrap();
        }),
        ("outbox", "a message that cannot be read", |it, keys| {
            let mut outbox = it.open_table(OUTBOX).unwrap();
            outbox.insert(outbox_key(2, &keys[1]), BROKEN).unwrap();
        }),
        ("outbox", "a message under another key", |it, keys| {
            let mut outbox = it.open_table(OUTBOX).unwrap();
            let row = outbox.remove(outbox_key(2, &keys[1])).unwrap().unwrap();
            let bytes = row.value().to_vec();
            drop(row);
            outbox
                .insert((4, 1, 2, &keys[1].id.0), bytes.as_slice())
                .unwrap();
        }),
        (
            "outbox",
            "a message that its patient does not wait for",
            |it, _| {
                let mut patients = it.open_table(PATIENTS).unwrap();
                let bytes = patients.get(2).unwrap().unwrap().value().to_vec();
                let mut record: super::super::records::PatientRecord =
                    decode(&PATIENTS, &bytes).unwrap();
                record.state.unsettled.clear();
                patients
                    .insert(2, encode(&record).unwrap().as_slice())
                    .unwrap();
            },
        ),
        ("outbox_later", "a put-off that cannot be read", |it, _| {
            let mut later = it.open_table(OUTBOX_LATER).unwrap();
            later.insert((1, &[7; 16]), BROKEN).unwrap();
        }),
        ("attempts", "claims that cannot be read", |it, _| {
            it.open_table(ATTEMPTS).unwrap().insert(9, BROKEN).unwrap();
        }),
        ("journal", "a row that cannot be read", |it, _| {
            let mut journal = it.open_table(JOURNAL).unwrap();
            let first = journal.first().unwrap().unwrap().0.value();
            journal.insert(first, BROKEN).unwrap();
        }),
        ("journal", "a number given out twice", |it, _| {
            let mut journal = it.open_table(JOURNAL).unwrap();
            let (day, patient, number) = journal.first().unwrap().unwrap().0.value();
            let bytes = encode(&JournalRow {
                at: 0,
                entries: Vec::new(),
            })
            .unwrap();
            journal
                .insert((day + 1, patient, number), bytes.as_slice())
                .unwrap();
        }),
        ("days", "counts that cannot be read", |it, _| {
            it.open_table(DAYS).unwrap().insert(1, BROKEN).unwrap();
        }),
        ("jobs", "a run that cannot be read", |it, _| {
            it.open_table(JOBS).unwrap().insert("x", BROKEN).unwrap();
        }),
    ];
    let directory = tempfile::tempdir().unwrap();
    let keys = lived_in(&directory).await;
    let whole = std::fs::read(options(&directory).path).unwrap();
    for (table, what, change) in cases {
        std::fs::write(options(&directory).path, &whole).unwrap();
        spoil(&directory, |transaction| change(transaction, &keys));
        let report = fsck(&options(&directory)).unwrap();
        assert!(!report.is_clean(), "{what}");
        let found = report.findings.iter().any(|it| it.table == *table);
        assert!(found, "{what}: {:?}", report.findings);
        assert_eq!(report.integrity, Integrity::Whole, "{what}");
        let text = format!("{:?}", report.findings);
        for private in ["openid-", "Wang", "Metformin"] {
            assert!(!text.contains(private), "{what}: {text}");
        }
    }
}

#[tokio::test]
async fn leftovers_are_counted_and_are_no_finding() {
    let directory = tempfile::tempdir().unwrap();
    lived_in(&directory).await;
    let before = fsck(&options(&directory)).unwrap().leftovers;
    spoil(&directory, |transaction| {
        let mut attempts = transaction.open_table(ATTEMPTS).unwrap();
        let record = super::super::records::AttemptsRecord {
            started: 1,
            messages: Vec::new(),
        };
        attempts
            .insert(99, encode(&record).unwrap().as_slice())
            .unwrap();
    });
    let report = fsck(&options(&directory)).unwrap();
    assert_eq!((report.leftovers, report.count), (before + 1, 0));
}

#[tokio::test]
async fn a_file_with_a_torn_page_is_damaged_or_refused_but_never_clean() {
    let directory = tempfile::tempdir().unwrap();
    lived_in(&directory).await;
    let path = options(&directory).path;
    let whole = std::fs::read(&path).unwrap();
    let journal = whole
        .windows(8)
        .rposition(|bytes| bytes == b"openid-a")
        .expect("an address stands in the file");
    let mut torn = whole.clone();
    torn[journal - 64..journal + 64].fill(0xff);
    std::fs::write(&path, &torn).unwrap();
    let clean = fsck(&options(&directory)).is_ok_and(|report| report.is_clean());
    assert!(!clean);
    assert_eq!(std::fs::read(&path).unwrap(), torn, "it repairs nothing");
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_damaged_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    lived_in(&directory).await;
    let path = options(&directory).path;
    let whole = std::fs::read(&path).unwrap();
    let half = &whole[..whole.len() / 2];
    std::fs::write(&path, half).unwrap();
    let report = fsck(&options(&directory)).unwrap();
    assert_eq!(
        (report.integrity, report.is_clean()),
        (Integrity::Damaged, false)
    );
    assert_eq!(std::fs::read(&path).unwrap(), half);
}
