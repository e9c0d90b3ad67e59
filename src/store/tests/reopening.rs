//! What follows a storage error: the store is opened again, with pauses, and knows what it knew.

use super::disk::Disk;
use super::*;
use redb::{Builder, Database, DatabaseError, StorageError};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Storage that cannot be opened while it is away.
struct Removable {
    disk: Disk,
    away: AtomicBool,
    tries: AtomicU32,
}

impl Backing for Removable {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(StorageError::Io(gone).into());
        }
        self.disk.open(builder)
    }
}

/// A store with one message in its outbox, on storage that has just gone.
async fn gone() -> (Arc<Removable>, Store, Vec<Queued>) {
    let storage = Arc::new(Removable {
        disk: Disk::default(),
        away: AtomicBool::new(false),
        tries: AtomicU32::new(0),
    });
    let options = Options {
        path: PathBuf::from("memory"),
        cache_bytes: 1 << 20,
    };
    let backing: Arc<dyn Backing> = Arc::clone(&storage) as _;
    let store = Store::open_on(backing, &options, telemetry()).unwrap();
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    let queued = fire(&store, hour(8)).await.queued;
    assert_eq!(queued.len(), 1);
    storage.away.store(true, Ordering::SeqCst);
    storage.disk.fail_at(storage.disk.calls() + 1);
    let error = store.note_seen(hour(8), hour(8), None).await.unwrap_err();
    assert!(matches!(error, StoreError::Storage(_)), "{error}");
    (storage, store, queued)
}

/// Asks until `is_met`, a few times a second.
async fn until(store: &Store, mut is_met: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_met() {
        assert!(Instant::now() < end, "waited in vain");
        let _ = store.next_wake().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_store_that_failed_is_opened_again_and_its_outbox_read_anew() {
    let (storage, store, queued) = gone().await;
    assert!(!store.telemetry().writable());
    assert!(store.next_wake().await.is_err());
    storage.away.store(false, Ordering::SeqCst);
    until(&store, || store.telemetry().reopens() == 1).await;
    // What tells the dispatcher to read the outbox again, and what it then finds.
    assert_eq!(ids(&waiting(&store).await), ids(&queued));
    assert_eq!(store.telemetry().outbox_depth()[1], 1);
    store.note_seen(hour(8), hour(8), None).await.unwrap();
    assert!(store.telemetry().writable());
    let claimed = store.claim(hour(8), queued).await.unwrap().messages;
    settle(&store, hour(8), &claimed[0], accepted(hour(8))).await;
    assert!(waiting(&store).await.is_empty());
}

#[tokio::test]
async fn tries_to_open_it_again_are_apart_and_after_three_the_store_is_lost() {
    let (storage, store, _) = gone().await;
    let before = storage.tries.load(Ordering::SeqCst);
    for _ in 0..50 {
        assert!(store.next_wake().await.is_err());
    }
    let tries = storage.tries.load(Ordering::SeqCst) - before;
    assert_eq!(tries, 1, "all who ask share one try and its pause");
    assert!(!store.telemetry().lost());
    until(&store, || store.telemetry().lost()).await;
    assert_eq!(storage.tries.load(Ordering::SeqCst) - before, 3);
    assert_eq!(store.telemetry().reopens(), 0);
}

#[tokio::test]
async fn the_age_of_a_first_try_outlives_an_opening_but_not_a_process() {
    let (storage, store, queued) = gone().await;
    storage.away.store(false, Ordering::SeqCst);
    until(&store, || store.telemetry().reopens() == 1).await;
    let claimed = store.claim(hour(8), queued).await.unwrap().messages;
    let attempts = Attempts {
        count: 1,
        first_unknown: Some(hour(8).as_millisecond()),
        steady: Some(SignedDuration::from_secs(77)),
        ..Attempts::default()
    };
    let later = TriedOutcome::Later(at(28_801), attempts);
    settle(&store, hour(8), &claimed[0], later).await;
    storage.disk.fail_at(storage.disk.calls() + 1);
    assert!(store.note_seen(hour(8), hour(8), None).await.is_err());
    until(&store, || store.telemetry().reopens() == 2).await;
    assert_eq!(waiting(&store).await[0].attempts, attempts);
    store.close().await;
    let options = Options {
        path: PathBuf::from("memory"),
        cache_bytes: 1 << 20,
    };
    let backing: Arc<dyn Backing> = Arc::clone(&storage) as _;
    let store = Store::open_on(backing, &options, telemetry()).unwrap();
    let left = waiting(&store).await[0].attempts;
    assert_eq!(
        left,
        Attempts {
            steady: None,
            ..attempts
        }
    );
}
