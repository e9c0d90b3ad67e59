//! One patient's rows, and nobody else's.

use super::*;
use crate::engine::Entry;

/// A row of the journal: a count that tells it from others.
fn row(now: Timestamp, counts: &[u32]) -> JournalRow {
    let entries = counts.iter().map(|&version| Entry::PlanApplied { version });
    JournalRow {
        at: now.as_millisecond(),
        entries: entries.collect(),
    }
}

/// Two patients with rows on several days, between them days without any.
async fn two_patients(directory: &tempfile::TempDir) -> Reader {
    let options = options(directory);
    let store = open(&options);
    apply(
        &store,
        hour(0),
        vec![change("wang", TWICE), change("li", TWICE)],
    )
    .await;
    for (patient, base) in [("wang", 100), ("li", 500)] {
        let rows = vec![
            row(hour(24), &[base, base + 1]),
            row(hour(25), &[base + 2]),
            row(hour(24 * 9), &[base + 3]),
            row(hour(24 * 40), &[base + 4, base + 5]),
        ];
        store
            .write_journal(hour(24 * 40), patient.to_owned(), rows)
            .await
            .unwrap();
    }
    store.close().await;
    drop(store);
    open_reader(&options).unwrap()
}

fn counts(leaf: &JournalLeaf) -> Vec<u32> {
    let counts = leaf.lines.iter().map(|line| match line.entry {
        Entry::PlanApplied { version } => version,
        _ => panic!("what was written is read: {line:?}"),
    });
    counts.collect()
}

#[tokio::test]
async fn the_journal_is_turned_from_its_end_and_nothing_is_left_out_or_shown_twice() {
    let directory = tempfile::tempdir().unwrap();
    let reader = two_patients(&directory).await;
    // The first row says that the first version was applied.
    let whole = [105, 104, 103, 102, 101, 100, 1];
    for rows in 1..8 {
        let mut all = Vec::new();
        let mut mark = None;
        for turned in 0.. {
            assert!(turned < 8, "the pages end");
            let leaf = reader.journal_leaf("wang", mark, rows).unwrap();
            all.extend(counts(&leaf));
            mark = leaf.older;
            let Some(older) = leaf.older else { break };
            assert_eq!(JournalMark::of(&older.to_string()), Some(older));
        }
        assert_eq!(all, whole, "{rows} rows a page");
    }
    let nobody = reader.journal_leaf("nobody", None, 10).unwrap();
    assert_eq!(nobody, JournalLeaf::default());
}

#[test]
fn only_two_numbers_are_a_mark() {
    for bad in [
        "",
        "1",
        "1.",
        ".1",
        "1.2.3",
        "-1.2",
        "+1.2",
        "1.4294967296",
        "a.b",
        "1. 2",
    ] {
        assert_eq!(JournalMark::of(bad), None, "{bad}");
    }
    assert!(JournalMark::of("20514.7").is_some());
}

#[tokio::test]
async fn a_mark_of_elsewhere_reads_what_lies_before_it_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let reader = two_patients(&directory).await;
    let at = |mark: &str| {
        let leaf = reader
            .journal_leaf("wang", JournalMark::of(mark), 100)
            .unwrap();
        counts(&leaf)
    };
    assert_eq!(at("4294967295.4294967295").len(), 7, "after the end: all");
    assert_eq!(at("0.0"), [] as [u32; 0], "before the beginning: nothing");
    // A day on which nothing was written.
    assert_eq!(at(&format!("{}.9", DAY + 5)), [102, 101, 100, 1]);
}

#[tokio::test]
async fn texts_of_a_plan_are_told_newest_first_and_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    let text = |count: u32| TWICE.replace("1 tablet", &format!("{count} tablets"));
    for count in 1..=5 {
        apply(
            &store,
            hour(count),
            vec![change("wang", &text(count as u32 + 1))],
        )
        .await;
        apply(&store, hour(count), vec![change("li", TWICE)]).await;
    }
    store.close().await;
    drop(store);
    let reader = open_reader(&options).unwrap();
    let numbers = |before, count| -> Vec<u32> {
        let versions = reader.plan_versions("wang", before, count).unwrap();
        versions.iter().map(|it| it.version).collect()
    };
    assert_eq!(numbers(None, 3), [5, 4, 3]);
    assert_eq!(numbers(Some(3), 3), [2, 1]);
    assert_eq!(numbers(Some(1), 3), [] as [u32; 0]);
    let newest = &reader.plan_versions("wang", None, 1).unwrap()[0];
    assert_eq!(newest.text.text, text(6));
    assert_eq!(newest.text.file, "wang.toml");
    assert_eq!(newest.text.at, hour(5).as_millisecond());
    assert_eq!(reader.plan_versions("nobody", None, 3).unwrap(), []);
}

#[tokio::test]
async fn who_is_reached_is_told_without_an_address() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    let unknown = PlanChange {
        address: None,
        ..change("li", TWICE)
    };
    apply(&store, hour(0), vec![change("wang", TWICE), unknown]).await;
    store.close().await;
    drop(store);
    let reader = open_reader(&options).unwrap();
    let wang = reader.reach("wang").unwrap().unwrap();
    assert!(wang.attested && !wang.bound);
    assert!(!format!("{wang:?}").contains("openid"));
    let li = reader.reach("li").unwrap().unwrap();
    assert!(!li.attested && !li.bound);
    assert_eq!(reader.reach("nobody").unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_the_write_side_sees_what_was_committed_before_it_asks() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let reader = Arc::new(Reader::of_store(&store));
    for count in 1..=20_i64 {
        let text = TWICE.replace("1 tablet", &format!("{count} tablets"));
        apply(&store, hour(count), vec![change("wang", &text)]).await;
        let reader = Arc::clone(&reader);
        let read = tokio::task::spawn_blocking(move || reader.plan_versions("wang", None, 100));
        let versions = read.await.unwrap().unwrap();
        assert_eq!(versions.len(), count as usize);
        assert_eq!(versions[0].text.text, text);
    }
    // After the end there is nothing to be read, and nobody waits for ever.
    store.close().await;
    let read = tokio::task::spawn_blocking(move || reader.knows("wang"));
    assert!(matches!(read.await.unwrap(), Err(StoreError::Closed)));
}
