//! Backups of a store in use, and what a restore makes of them.

use super::super::records::{JOURNAL, META};
use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn backup(options: &Options, to: &Path, now: Timestamp) -> Backup {
    let reader = open_reader(options).unwrap();
    reader
        .backup(&options.path, to, now, &mut |_, _| true)
        .unwrap()
}

fn read(path: &Path) -> Reader {
    open_reader(&Options {
        path: path.to_path_buf(),
        cache_bytes: 1 << 20,
    })
    .unwrap()
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Forty patients, the half of whose morning doses has been claimed.
async fn morning(options: &Options) -> Store {
    let store = open(options);
    let changes = (0..40).map(|n| change(&format!("p{n:02}"), TWICE));
    apply(&store, hour(7), changes.collect()).await;
    let fired = fire(&store, hour(8)).await;
    assert_eq!(fired.queued.len(), 40);
    let wanted = fired.queued[..20].to_vec();
    store.claim(hour(8), wanted).await.unwrap();
    store
}

#[tokio::test]
async fn a_backup_beside_the_writer_is_whole_private_and_no_store() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = morning(&options).await;
    // Days that are over are copied apart from the others.
    for day in [3, 5, 9] {
        let row = JournalRow {
            at: hour(day * 24).as_millisecond(),
            entries: vec![crate::engine::Entry::PlanEnded],
        };
        let rows = vec![row; 3];
        store
            .write_journal(hour(8), "p07".to_owned(), rows)
            .await
            .unwrap();
    }
    let to = directory.path().join("copy.redb");
    std::fs::write(&to, "an older one").unwrap();
    let made = backup(&options, &to, hour(8));
    assert_eq!((made.patients(), made.at), (40, hour(8)));
    assert_eq!(made.bytes, std::fs::metadata(&to).unwrap().len());
    let rights = std::fs::metadata(&to).unwrap().permissions().mode();
    assert_eq!(rights & 0o777, 0o600);
    assert_eq!(files(directory.path()), ["copy.redb", "dosed.redb"]);

    let (live, copy) = (open_reader(&options).unwrap(), read(&to));
    let (from, until) = (hour(0), hour(400));
    assert_eq!(
        copy.journal(None, from, until).unwrap(),
        live.journal(None, from, until).unwrap()
    );
    assert_eq!(
        copy.doses(None, from, until, hour(9)).unwrap(),
        live.doses(None, from, until, hour(9)).unwrap()
    );
    let (live, copy) = (live.snapshot().unwrap(), copy.snapshot().unwrap());
    let names = |snapshot: &redb::ReadTransaction| {
        use redb::TableHandle;
        let tables = snapshot.list_tables().unwrap();
        let mut names: Vec<String> = tables.map(|it| it.name().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&copy), names(&live));
    assert_eq!(
        redb::ReadableTableMetadata::len(&copy.open_table(JOURNAL).unwrap()).unwrap(),
        redb::ReadableTableMetadata::len(&live.open_table(JOURNAL).unwrap()).unwrap()
    );
    assert!(redb::ReadableTableMetadata::len(&copy.open_table(META).unwrap()).unwrap() > 0);
    drop((live, copy));

    let as_store = Options {
        path: to,
        cache_bytes: 1 << 20,
    };
    let error = Store::open(&as_store, telemetry()).err().unwrap();
    assert!(matches!(error, OpenError::Backup(_)), "{error}");
    assert!(error.to_string().contains("dosed restore"), "{error}");
}

#[tokio::test]
async fn a_backup_that_is_given_up_or_cannot_be_made_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    let changes = (0..1_200).map(|n| change(&format!("p{n}"), TWICE));
    apply(&store, hour(7), changes.collect()).await;
    let to = directory.path().join("copy.redb");
    std::fs::write(&to, "the one of yesterday").unwrap();
    let reader = open_reader(&options).unwrap();
    let given_up = reader.backup(&options.path, &to, hour(7), &mut |_, _| false);
    assert!(matches!(given_up, Err(BackupError::GivenUp)));
    let nowhere = directory.path().join("absent/copy.redb");
    let error = reader.backup(&options.path, &nowhere, hour(7), &mut |_, _| true);
    assert!(matches!(error, Err(BackupError::Create { .. })));
    let itself = directory.path().join(".").join("dosed.redb");
    let error = reader.backup(&options.path, &itself, hour(7), &mut |_, _| true);
    assert!(matches!(error, Err(BackupError::Itself(_))));
    assert_eq!(std::fs::read(&to).unwrap(), b"the one of yesterday");
    assert_eq!(files(directory.path()), ["copy.redb", "dosed.redb"]);
    assert_eq!(fire(&store, hour(8)).await.stepped, 100);
}

#[tokio::test]
async fn a_restored_store_sends_nothing_of_the_past_and_all_of_the_future() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = morning(&options).await;
    let to = directory.path().join("copy.redb");
    backup(&options, &to, hour(8));
    drop(store);
    let elsewhere = Options {
        path: directory.path().join("new.redb"),
        ..options.clone()
    };
    let restored = restore(&to, &elsewhere, hour(9), DAY, false).await.unwrap();
    assert_eq!(
        (
            restored.at,
            restored.patients,
            restored.doses,
            restored.calls
        ),
        (Some(hour(8)), 40, 40, 40)
    );
    assert_eq!((restored.broken, restored.findings), (0, 0));
    let mode = std::fs::metadata(&elsewhere.path)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let report = fsck(&elsewhere).unwrap();
    assert!(report.is_clean() && report.leftovers == 0, "{report:?}");

    let store = open(&elsewhere);
    assert!(waiting(&store).await.is_empty());
    assert!(store.left_claimed().await.unwrap().is_empty());
    assert_eq!(store.last_seen().await.unwrap(), Some(hour(9)));
    assert_eq!(fire(&store, hour(9)).await.queued.len(), 0);
    assert_eq!(fire(&store, hour(12)).await.queued.len(), 0);
    let evening = fire(&store, hour(20)).await.queued;
    assert_eq!(evening.len(), 40);
    assert!(evening.iter().all(|it| it.message.due == hour(20)));
    let reader = open_reader(&elsewhere).unwrap();
    let doses = reader.doses(None, hour(0), hour(12), hour(20)).unwrap();
    assert_eq!(doses.len(), 40);
    for dose in doses {
        let how = (dose.state, dose.reason);
        let expected = (
            crate::engine::DoseState::Expired,
            Some(ExpiredReason::DaemonDown),
        );
        assert_eq!(how, expected, "{}", dose.patient);
    }
    assert_eq!(reader.calls().unwrap().len(), 40);
}

#[tokio::test]
async fn nothing_is_restored_over_a_store_by_a_wrong_clock_or_from_a_broken_file() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = morning(&options).await;
    let to = directory.path().join("copy.redb");
    backup(&options, &to, hour(8));
    store.close().await;
    let before = std::fs::read(&options.path).unwrap();
    let over = restore(&to, &options, hour(9), DAY, true).await;
    assert!(matches!(over, Err(RestoreError::Exists(_))));
    assert!(std::fs::read(&options.path).unwrap() == before);

    let elsewhere = Options {
        path: directory.path().join("new.redb"),
        ..options.clone()
    };
    for (now, why) in [(hour(8 + 24 * 31), "ahead"), (hour(7), "behind")] {
        let doubted = restore(&to, &elsewhere, now, DAY, false).await;
        assert!(matches!(doubted, Err(RestoreError::Clock { .. })), "{why}");
    }
    let bytes = std::fs::read(&to).unwrap();
    let broken = directory.path().join("broken.redb");
    for text in [
        &b"this is no backup"[..],
        &bytes[..bytes.len() / 2],
        &[0; 8_192],
    ] {
        std::fs::write(&broken, text).unwrap();
        let refused = restore(&broken, &elsewhere, hour(9), DAY, false).await;
        assert!(
            matches!(refused, Err(RestoreError::Bad { .. })),
            "{}",
            text.len()
        );
    }
    let absent = directory.path().join("absent.redb");
    let missing = restore(&absent, &elsewhere, hour(9), DAY, false).await;
    assert!(matches!(missing, Err(RestoreError::Missing(_))));
    assert_eq!(
        files(directory.path()),
        ["broken.redb", "copy.redb", "dosed.redb"],
        "nothing stays behind"
    );
    let late = restore(&to, &elsewhere, hour(8 + 24 * 31), DAY, true)
        .await
        .unwrap();
    assert_eq!(late.doses, 40 * 63);
}
