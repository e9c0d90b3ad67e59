//! What the daemon notes of itself and of the clock, and the counts of the clinic's days.

use super::records::{ClockMark, DAYS, DayCounts, META, decode, encode};
use super::writer::Scope;
use super::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, WriteTransaction};

/// The row of `meta` under which the daemon leaves where it listens.
pub(super) const ENDPOINTS: &str = "endpoints";

/// The row of `meta` with the latest wall clock that was believed, ms.
pub(super) const LAST_SEEN: &str = "last_seen";

/// The row of `meta` with the clock that a person took as right last, ms.
const ACCEPTED_AT: &str = "accepted_at";

/// The row of `meta` with what both clocks showed.
const CLOCK_MARK: &str = "clock_mark";

/// The row of `meta` with the latest instant from which the wall clock was set back, ms.
const SET_BACK_FROM: &str = "set_back_from";

/// The row of `meta` with the instants from and to which the wall clock was set ahead, ms.
const SET_AHEAD: &str = "set_ahead";

/// What is kept for a while by the clock is kept for so long after that was set ahead, too.
pub(super) const KEPT_FOR: SignedDuration = SignedDuration::from_hours(48);

impl Store {
    /// Notes where the daemon listens (JSON), for tools on this machine.
    ///
    /// # Errors
    /// The transaction failed.
    pub async fn note_endpoints(
        &self,
        now: Timestamp,
        endpoints: String,
    ) -> Result<(), StoreError> {
        self.write(now, move |scope| {
            let mut meta = scope.transaction.open_table(META)?;
            meta.insert(ENDPOINTS, endpoints.as_bytes())?;
            Ok(())
        })
        .await
    }

    /// Notes the latest wall clock that was believed, and what both clocks show at `now`. From then
    /// on what is too old at `now` may be forgotten.
    ///
    /// # Errors
    /// The transaction failed.
    pub async fn note_seen(
        &self,
        now: Timestamp,
        seen: Timestamp,
        mark: Option<ClockMark>,
    ) -> Result<(), StoreError> {
        self.write(now, move |scope| {
            let mut meta = scope.transaction.open_table(META)?;
            meta.insert(LAST_SEEN, seen.as_millisecond().to_le_bytes().as_slice())?;
            if let Some(mark) = mark {
                meta.insert(CLOCK_MARK, encode(&mark)?.as_slice())?;
            }
            drop(meta);
            let ahead = set_ahead(scope.transaction)?;
            let ahead = ahead.filter(|(_, to)| now < after_all(*to));
            scope.effects.ages_by = Some(ahead.map_or(now, |(from, _)| from.min(now)));
            Ok(())
        })
        .await
    }

    /// Makes an empty commit: with it all that was committed before is on the disk.
    ///
    /// # Errors
    /// The transaction failed.
    pub async fn sync(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(now, |_| Ok(())).await
    }

    /// What both clocks showed when a daemon noted them last; `None` where it did not, or where
    /// the note cannot be read.
    ///
    /// # Errors
    /// The read failed.
    pub async fn clock_mark(&self) -> Result<Option<ClockMark>, StoreError> {
        self.read(|snapshot, _| {
            let meta = snapshot.open_table(META)?;
            let row = meta.get(CLOCK_MARK)?;
            Ok(row.and_then(|row| decode(&META, row.value()).ok()))
        })
        .await
    }

    /// Notes that the wall clock was set back: up to `from` it has shown instants that it shows
    /// again, so that what was noted at or before `from` has an age that nobody knows.
    ///
    /// # Errors
    /// The transaction failed.
    pub async fn note_set_back(&self, now: Timestamp, from: Timestamp) -> Result<(), StoreError> {
        self.note_instant(now, SET_BACK_FROM, from).await
    }

    /// Notes that the wall clock was set ahead, `from` and `to`: what was noted before is not as old
    /// as it seems.
    ///
    /// # Errors
    /// The transaction failed.
    pub async fn note_set_ahead(
        &self,
        now: Timestamp,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(now, move |scope| {
            let (from, to) = match set_ahead(scope.transaction)? {
                // While the first counts they count as one.
                Some((first, last)) if from < after_all(last) => (first.min(from), last.max(to)),
                _ => (from, to),
            };
            let mut row = [0; 16];
            row[..8].copy_from_slice(&from.as_millisecond().to_le_bytes());
            row[8..].copy_from_slice(&to.as_millisecond().to_le_bytes());
            let mut meta = scope.transaction.open_table(META)?;
            meta.insert(SET_AHEAD, row.as_slice())?;
            Ok(())
        })
        .await
    }

    /// The latest wall clock that a daemon believed on this store.
    ///
    /// # Errors
    /// The read failed.
    pub async fn last_seen(&self) -> Result<Option<Timestamp>, StoreError> {
        self.instant(LAST_SEEN).await
    }

    /// Notes that a person took the clock, which shows `now`, as right.
    ///
    /// # Errors
    /// The transaction failed.
    pub async fn note_accepted(&self, now: Timestamp) -> Result<(), StoreError> {
        self.note_instant(now, ACCEPTED_AT, now).await
    }

    /// When a person took the clock as right last, by that clock.
    ///
    /// # Errors
    /// The read failed.
    pub async fn accepted_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.instant(ACCEPTED_AT).await
    }

    /// See [`Store::note_set_back`].
    ///
    /// # Errors
    /// The read failed.
    pub async fn set_back_from(&self) -> Result<Option<Timestamp>, StoreError> {
        self.instant(SET_BACK_FROM).await
    }

    async fn note_instant(
        &self,
        now: Timestamp,
        name: &'static str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(now, move |scope| {
            let mut meta = scope.transaction.open_table(META)?;
            meta.insert(name, at.as_millisecond().to_le_bytes().as_slice())?;
            Ok(())
        })
        .await
    }

    async fn instant(&self, name: &'static str) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |snapshot, _| {
            let meta = snapshot.open_table(META)?;
            let row = meta.get(name)?.and_then(|row| row.value().try_into().ok());
            Ok(row.and_then(|ms| Timestamp::from_millisecond(i64::from_le_bytes(ms)).ok()))
        })
        .await
    }

    /// The counts of one day of the clinic.
    ///
    /// # Errors
    /// The read failed.
    pub async fn day_counts(&self, day: u32) -> Result<DayCounts, StoreError> {
        self.read(
            move |snapshot, _| match snapshot.open_table(DAYS)?.get(day)? {
                Some(row) => Ok(decode(&DAYS, row.value()).unwrap_or_default()),
                None => Ok(DayCounts::default()),
            },
        )
        .await
    }
}

/// From and to which instant the wall clock was set ahead; `None` where it was not, or where the
/// note cannot be read.
fn set_ahead(transaction: &WriteTransaction) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let meta = transaction.open_table(META)?;
    let row: Option<[u8; 16]> = meta
        .get(SET_AHEAD)?
        .and_then(|row| row.value().try_into().ok());
    Ok(row.and_then(|row| {
        let (from, to) = row.split_at(8);
        let instant = |bytes: &[u8]| {
            let ms = i64::from_le_bytes(bytes.try_into().ok()?);
            Timestamp::from_millisecond(ms).ok()
        };
        Some((instant(from)?, instant(to)?))
    }))
}

/// When all that was noted until `at` has been kept for long enough.
fn after_all(at: Timestamp) -> Timestamp {
    at.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX)
}

impl Scope<'_> {
    /// What was noted before this has been kept for long enough; `None` while nobody knows by
    /// which clock that is to be told.
    pub(super) fn too_old(&self) -> Option<Timestamp> {
        let by = self.memory.ages_by?.min(self.now);
        Some(by.saturating_sub(KEPT_FOR).unwrap_or(Timestamp::MIN))
    }
}
