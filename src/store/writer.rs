//! The write side: one thread, one transaction at a time.

use super::desk::Desk;
use super::lanes::{Handle, Lanes, Urgency};
use super::open::{Backing, Place, begin_write};
use super::patient::Effects;
use super::records::{
    ATTEMPTS, Attempts, AttemptsRecord, DAYS, DayCounts, LaterRecord, OUTBOX, OUTBOX_LATER, decode,
    encode, outbox_key,
};
use super::{DeliberateFault, Ledger, OpenError, Options, StoreError, calls, ledger};
use crate::engine::{ByMessageId, IdKey, MessageId, StrangerAlarms};
use jiff::Timestamp;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, WriteTransaction};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures to open the store again after which the daemon should end and be restarted.
const REOPEN_FAILURES_MAX: u64 = 3;

/// After the first failure to open the store again; it doubles with each further one.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// What the write side says of itself; read by health and metrics at any time.
pub struct Telemetry {
    /// Called after each commit: whether it succeeded, and how long it took.
    observe_commit: Box<dyn Fn(bool, Duration) + Send + Sync>,
    last_commit: AtomicI64,
    writable: AtomicBool,
    reopens: AtomicU64,
    reopen_failures: AtomicU64,
    depth: [AtomicI64; 5],
    unreadable: Mutex<HashSet<Unreadable>>,
    ledger: Mutex<Ledger>,
    staff_refusing: AtomicU64,
}

/// A record that cannot be read: its table, and the patient's number or the head of its key.
pub(super) type Unreadable = (&'static str, u64);

impl Telemetry {
    /// `observe_commit` is called after each commit with its success and duration.
    #[must_use]
    pub fn new(observe_commit: impl Fn(bool, Duration) + Send + Sync + 'static) -> Self {
        Self {
            observe_commit: Box::new(observe_commit),
            last_commit: AtomicI64::new(0),
            writable: AtomicBool::new(true),
            reopens: AtomicU64::new(0),
            reopen_failures: AtomicU64::new(0),
            depth: Default::default(),
            unreadable: Mutex::default(),
            ledger: Mutex::default(),
            staff_refusing: AtomicU64::new(0),
        }
    }

    /// How many records were met since the start that cannot be read. Each is left alone: the
    /// other patients are served.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// How many members of staff refuse what is sent to them.
    #[must_use]
    pub fn staff_refusing(&self) -> u64 {
        self.staff_refusing.load(Ordering::Relaxed)
    }

    fn show_desk(&self, desk: &Desk) {
        let refusing = u64::try_from(desk.refusing()).unwrap_or(u64::MAX);
        self.staff_refusing.store(refusing, Ordering::Relaxed);
    }

    pub(super) fn note_unreadable(&self, met: impl IntoIterator<Item = Unreadable>) {
        let mut known = self
            .unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for record in met {
            if known.insert(record) {
                tracing::error!(
                    table = record.0,
                    "a record cannot be read; it is left alone"
                );
            }
        }
    }

    /// What has left, counted, as of the last commit.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.ledger
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn show_ledger(&self, ledger: &Ledger) {
        ledger.clone_into(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// When the last commit succeeded, by the clock handed to the transaction.
    #[must_use]
    pub fn last_commit(&self) -> Option<Timestamp> {
        match self.last_commit.load(Ordering::Relaxed) {
            0 => None,
            ms => Timestamp::from_millisecond(ms).ok(),
        }
    }

    /// False from a storage error until a commit succeeds again.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    /// How often the store was opened again after a storage error.
    #[must_use]
    pub fn reopens(&self) -> u64 {
        self.reopens.load(Ordering::Relaxed)
    }

    /// True when the store could not be opened again several times: end and be restarted.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.reopen_failures.load(Ordering::Relaxed) >= REOPEN_FAILURES_MAX
    }

    /// Messages in the outbox of each class, in the order of [`crate::engine::Class::ALL`].
    #[must_use]
    pub fn outbox_depth(&self) -> [u64; 5] {
        std::array::from_fn(|class| {
            u64::try_from(self.depth[class].load(Ordering::Relaxed)).unwrap_or(0)
        })
    }
}

/// Where the write side works.
#[derive(Clone)]
enum Side {
    /// On a thread of its own.
    Thread(Handle),
    /// On the thread of whoever asks, one after the other.
    Inline(Arc<Mutex<Writer>>),
}

/// The handle on the write side; cheap to clone. The thread ends, and the file is closed, when
/// the last handle is gone.
#[derive(Clone)]
pub struct Store {
    side: Side,
    telemetry: Arc<Telemetry>,
    ids: IdKey,
    fault: Option<DeliberateFault>,
}

impl Store {
    /// Opens the store, making it if there is none, and starts its thread. Blocks.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: &Options, telemetry: Arc<Telemetry>) -> Result<Self, OpenError> {
        super::create_if_absent(options)?;
        Self::open_at(Place::File(options.clone()), telemetry, start)
    }

    /// As [`Store::open`], on storage other than a file; the path only names it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_on(
        backing: Arc<dyn Backing>,
        options: &Options,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, OpenError> {
        let place = Place::Backing(backing, options.clone());
        Self::open_at(place, telemetry, start)
    }

    /// As [`Store::open_on`], without a thread: each transaction is made by whoever asks for it,
    /// so that a simulation on one thread is the same each time.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_inline(
        backing: Arc<dyn Backing>,
        options: &Options,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, OpenError> {
        let place = Place::Backing(backing, options.clone());
        let inline = |writer| Ok(Side::Inline(Arc::new(Mutex::new(writer))));
        Self::open_at(place, telemetry, inline)
    }

    fn open_at(
        place: Place,
        telemetry: Arc<Telemetry>,
        side: impl FnOnce(Writer) -> std::io::Result<Side>,
    ) -> Result<Self, OpenError> {
        let fault = place.fault();
        let database = place.open()?;
        let options = place.options().clone();
        let failed = |error: StoreError| OpenError::Failed {
            path: options.path.clone(),
            why: error.to_string(),
        };
        let ids = read_id_key(&database).map_err(failed)?;
        let mut writer = Writer {
            place,
            retry_at: None,
            database: Some(database),
            closed: false,
            memory: Memory::default(),
            ids: ids.clone(),
            telemetry: Arc::clone(&telemetry),
        };
        writer.remember().map_err(failed)?;
        let side = side(writer).map_err(|error| failed(StoreError::Storage(error.to_string())))?;
        Ok(Self {
            side,
            telemetry,
            ids,
            fault,
        })
    }

    /// A fault put in on purpose; none in a store that lies in a file.
    pub(super) fn fault(&self) -> Option<DeliberateFault> {
        self.fault
    }

    /// The key of message ids.
    pub(super) fn id_key(&self) -> &IdKey {
        &self.ids
    }

    /// What the write side says of itself.
    #[must_use]
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// The short name under which a patient appears outside the clinic's own reports.
    #[must_use]
    pub fn pseudonym(&self, patient: u32) -> String {
        super::read::pseudonym(&self.ids, patient)
    }

    /// Keeps the clinic's side of all talks.
    pub(super) async fn remember_desk(&self, desk: Desk) -> Result<(), StoreError> {
        self.run(Urgency::InTurn, move |writer| {
            writer.telemetry.show_desk(&desk);
            writer.memory.desk = desk;
            Ok(())
        })
        .await
    }

    /// Closes the file. Transactions asked for before this are made; later ones are refused.
    pub async fn close(&self) {
        let closed = self.run(Urgency::InTurn, |writer| {
            writer.database = None;
            writer.closed = true;
            Ok(())
        });
        // It is closed already when nobody answers.
        let _ = closed.await;
    }

    /// Runs `job` as one write transaction at `now` and waits for its commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        now: Timestamp,
        job: impl FnOnce(&mut Scope<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Urgency::InTurn, move |writer| writer.transact(now, job))
            .await
    }

    /// As [`Store::write`], before all that is not urgent.
    pub(super) async fn write_first<T: Send + 'static>(
        &self,
        now: Timestamp,
        job: impl FnOnce(&mut Scope<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Urgency::First, move |writer| writer.transact(now, job))
            .await
    }

    /// A snapshot, for whoever reads on a thread of their own: it waits for the commit under way.
    pub(super) fn snapshot(&self) -> Result<redb::ReadTransaction, StoreError> {
        let begin = |writer: &mut Writer| {
            let snapshot = writer.begin_read();
            writer.doubt(&snapshot);
            snapshot
        };
        match &self.side {
            Side::Inline(writer) => {
                begin(&mut writer.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Side::Thread(lanes) => {
                let (answer, result) = std::sync::mpsc::sync_channel(1);
                // Quick, and somebody waits who blocks a thread.
                lanes.0.push(
                    Urgency::First,
                    Box::new(move |writer| {
                        // Whoever asked has not gone away: they are blocked.
                        let _ = answer.send(begin(writer));
                    }),
                );
                result.recv().map_err(|_| StoreError::Closed)?
            }
        }
    }

    /// Runs `job` on a snapshot and off the write side's thread: that only begins it.
    pub(super) async fn read_beside<T: Send + 'static>(
        &self,
        job: impl FnOnce(&redb::ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let snapshot = self.run(Urgency::First, |writer| {
            let snapshot = writer.begin_read();
            writer.doubt(&snapshot);
            snapshot
        });
        let snapshot = snapshot.await?;
        let read = tokio::task::spawn_blocking(move || job(&snapshot));
        read.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `job` on a snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&redb::ReadTransaction, &Memory) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Urgency::InTurn, move |writer| {
            let result = writer.look(job);
            writer.doubt(&result);
            result
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        urgency: Urgency,
        job: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let lanes = match &self.side {
            Side::Thread(lanes) => lanes,
            Side::Inline(writer) => {
                // Others may run before and after, as they do while a thread works.
                tokio::task::yield_now().await;
                let made = job(&mut writer.lock().unwrap_or_else(PoisonError::into_inner));
                tokio::task::yield_now().await;
                return made;
            }
        };
        let (answer, result) = tokio::sync::oneshot::channel();
        lanes.0.push(
            urgency,
            Box::new(move |writer| {
                // Nobody listens any more when the daemon is ending: the commit stands.
                let _ = answer.send(job(writer));
            }),
        );
        result.await.map_err(|_| StoreError::Closed)?
    }
}

/// Starts the write side's thread.
fn start(mut writer: Writer) -> std::io::Result<Side> {
    let lanes = Arc::new(Lanes::default());
    let handle = Handle::new(&lanes);
    std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || {
            while let Some(job) = lanes.next() {
                job(&mut writer);
            }
        })?;
    Ok(Side::Thread(handle))
}

/// Room for so many claims is kept when all are settled; what a burst needed beyond is given back.
const CLAIMED_KEPT: usize = 8_192;

/// What the write side keeps in memory beside the file; read from it on each opening.
#[derive(Default)]
pub(super) struct Memory {
    /// Messages claimed for sending and not settled: their group and what was tried before.
    pub claimed: ByMessageId<Claim>,
    /// How many messages of each group are not settled yet.
    pub groups: BTreeMap<u64, usize>,
    /// Messages whose next try waits: until when, and what was tried.
    pub later: ByMessageId<(i64, Attempts)>,
    /// Number of the next group.
    pub next_group: u64,
    /// A fault put in on purpose; none in a store that lies in a file.
    pub fault: Option<DeliberateFault>,
    /// Who at the clinic is told of patients; set by the daemon, not read from the file.
    pub desk: Desk,
    /// What has left, counted.
    pub ledger: Ledger,
    /// Of which strangers staff was told lately; not read from the file.
    pub stranger_alarms: StrangerAlarms,
    /// The latest clock by which ages may be told; noted by this process, not read from the file.
    pub ages_by: Option<Timestamp>,
}

/// A claim on one message.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    pub group: u64,
    pub attempts: Attempts,
    /// It was found when the store was opened: whether a try followed it is not known.
    pub found: bool,
}

impl Claim {
    /// One that is made now.
    pub fn new(group: u64, attempts: Attempts) -> Self {
        Self {
            group,
            attempts,
            found: false,
        }
    }
}

/// One write transaction under way.
pub(super) struct Scope<'t> {
    pub transaction: &'t WriteTransaction,
    pub memory: &'t Memory,
    pub ids: &'t IdKey,
    pub now: Timestamp,
    pub effects: Effects,
}

pub(super) struct Writer {
    place: Place,
    database: Option<Database>,
    /// After a failure to open the store again: not before this, by the steady clock.
    retry_at: Option<Duration>,
    closed: bool,
    memory: Memory,
    ids: IdKey,
    telemetry: Arc<Telemetry>,
}

impl Writer {
    /// The open database; opened again when the last handle saw a storage error.
    fn database(&mut self) -> Result<&Database, StoreError> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        if self.database.is_none() {
            self.reopen()?;
        }
        self.database.as_ref().ok_or(StoreError::Closed)
    }

    /// Opens the store again, with a growing pause between tries: several tasks ask, and each
    /// failure counts towards giving up.
    fn reopen(&mut self) -> Result<(), StoreError> {
        if self.retry_at.is_some_and(|at| self.place.elapsed() < at) {
            return Err(StoreError::Storage("it is opened again soon".to_owned()));
        }
        let opened = self.place.open();
        let opened = opened.map_err(|error| StoreError::Storage(error.to_string()));
        let opened = opened.and_then(|database| {
            self.database = Some(database);
            self.remember()
        });
        match opened {
            Ok(()) => {
                self.retry_at = None;
                self.telemetry.reopens.fetch_add(1, Ordering::Relaxed);
                self.telemetry.reopen_failures.store(0, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.database = None;
                let failures = &self.telemetry.reopen_failures;
                let before = failures.fetch_add(1, Ordering::Relaxed);
                let doublings = u32::try_from(before).unwrap_or(u32::MAX).min(5);
                let pause = REOPEN_PAUSE * 2_u32.pow(doublings);
                self.retry_at = Some(self.place.elapsed() + pause);
                Err(error)
            }
        }
    }

    /// Runs `job` on a snapshot.
    fn look<T>(
        &mut self,
        job: impl FnOnce(&redb::ReadTransaction, &Memory) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let snapshot = self.begin_read()?;
        job(&snapshot, &self.memory)
    }

    fn begin_read(&mut self) -> Result<redb::ReadTransaction, StoreError> {
        Ok(self.database()?.begin_read()?)
    }

    /// A handle that has seen a storage error, in reading or in writing, answers nothing else: it
    /// is opened anew.
    fn doubt<T>(&mut self, result: &Result<T, StoreError>) {
        if let Err(StoreError::Storage(_)) = result {
            self.telemetry.writable.store(false, Ordering::Relaxed);
            self.database = None;
        }
    }

    fn transact<T>(
        &mut self,
        now: Timestamp,
        job: impl FnOnce(&mut Scope<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = self.try_transact(now, job);
        self.doubt(&result);
        result
    }

    fn try_transact<T>(
        &mut self,
        now: Timestamp,
        job: impl FnOnce(&mut Scope<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.database()?;
        let database = self.database.as_ref().ok_or(StoreError::Closed)?;
        let mut transaction = begin_write(database)?;
        if !self.place.lasts() {
            transaction.set_quick_repair(false);
            let set = transaction.set_durability(Durability::None);
            set.map_err(|error| StoreError::Storage(error.to_string()))?;
        }
        let mut scope = Scope {
            transaction: &transaction,
            memory: &self.memory,
            ids: &self.ids,
            now,
            effects: Effects::default(),
        };
        let made = job(&mut scope)?;
        let effects = scope.effects;
        effects.write_counts(&transaction)?;
        calls::write(&transaction, &effects.calls, &effects.calls_over, now)?;
        if let Some(ledger) = &effects.ledger {
            ledger::write(&transaction, ledger)?;
        }
        let began = Instant::now();
        let committed = transaction.commit();
        (self.telemetry.observe_commit)(committed.is_ok(), began.elapsed());
        committed?;
        self.telemetry
            .last_commit
            .store(now.as_millisecond(), Ordering::Relaxed);
        self.telemetry.writable.store(true, Ordering::Relaxed);
        for (class, change) in effects.depth.iter().enumerate() {
            self.telemetry.depth[class].fetch_add(*change, Ordering::Relaxed);
        }
        self.telemetry
            .note_unreadable(effects.unreadable.iter().copied());
        if let Some(ledger) = &effects.ledger {
            self.telemetry.show_ledger(ledger);
        }
        self.memory.apply(effects);
        self.telemetry.show_desk(&self.memory.desk);
        Ok(made)
    }

    /// Reads what is kept in memory from the file.
    fn remember(&mut self) -> Result<(), StoreError> {
        let database = self.database.as_ref().ok_or(StoreError::Closed)?;
        let snapshot = database.begin_read()?;
        let outbox = snapshot.open_table(OUTBOX)?;
        let mut memory = Memory::default();
        let mut unreadable = None;
        for row in snapshot.open_table(ATTEMPTS)?.iter()? {
            let (group, record) = row?;
            let group = group.value();
            memory.next_group = memory.next_group.max(group + 1);
            memory.groups.entry(group).or_insert(0);
            let Ok(record) = decode::<AttemptsRecord>(&ATTEMPTS, record.value()) else {
                self.telemetry.note_unreadable([("attempts", group)]);
                unreadable = Some(group);
                continue;
            };
            for (patient, key, mut attempts) in record.messages {
                // Settled before the end of the last process: the row is gone.
                if outbox.get(outbox_key(patient, &key))?.is_some() {
                    attempts.count = attempts.count.saturating_add(1);
                    attempts.first_unknown.get_or_insert(record.started);
                    let claim = Claim {
                        group,
                        attempts,
                        found: true,
                    };
                    memory.claimed.insert(key.id, claim);
                }
            }
        }
        for row in snapshot.open_table(OUTBOX_LATER)?.iter()? {
            let (key, record) = row?;
            let (not_before, id) = key.value();
            let id = MessageId(*id);
            let record = decode::<LaterRecord>(&OUTBOX_LATER, record.value());
            let attempts = record.map_or_else(
                |_| {
                    self.telemetry
                        .note_unreadable([("outbox_later", key_head(&id))]);
                    Attempts::unknown()
                },
                |record| record.attempts,
            );
            // Its claim was released by the transaction that wrote this row.
            memory.claimed.remove(&id);
            memory.later.insert(id, (not_before, attempts));
        }
        if let Some(group) = unreadable {
            // Which messages were claimed in it cannot be known: any that no other row names. They
            // are taken as tried, nobody knows when. The dispatcher lets those go whose instant
            // has not come: none of them can have been claimed.
            for row in outbox.iter()? {
                let id = MessageId(*row?.0.value().3);
                if !memory.later.contains_key(&id) {
                    memory.claimed.entry(id).or_insert(Claim {
                        group,
                        attempts: Attempts::unknown(),
                        found: true,
                    });
                }
            }
        }
        for (id, (_, attempts)) in &mut memory.later {
            // Opened again by the process that made the try: it knows its age.
            let known = self.memory.later.get(id).map(|(_, known)| known);
            let known = known.filter(|known| known.first_unknown == attempts.first_unknown);
            attempts.steady = known.and_then(|known| known.steady);
        }
        for claim in memory.claimed.values() {
            if let Some(open) = memory.groups.get_mut(&claim.group) {
                *open += 1;
            }
        }
        let mut depth = [0; 5];
        for row in outbox.iter()? {
            let (key, _) = row?;
            if let Some(count) = depth.get_mut(usize::from(key.value().0)) {
                *count += 1;
            }
        }
        for (class, count) in depth.into_iter().enumerate() {
            self.telemetry.depth[class].store(count, Ordering::Relaxed);
        }
        memory.fault = self.place.fault();
        memory.ledger = ledger::read(&snapshot)?.unwrap_or_else(|| {
            self.telemetry.note_unreadable([("meta", 0)]);
            Ledger::default()
        });
        // What the file does not hold is taken over last: where a reading fails it stays.
        memory.desk = std::mem::take(&mut self.memory.desk);
        memory.ages_by = self.memory.ages_by;
        memory.stranger_alarms = std::mem::take(&mut self.memory.stranger_alarms);
        self.telemetry.show_ledger(&memory.ledger);
        self.memory = memory;
        Ok(())
    }
}

impl Memory {
    /// Whether the API may have the message or be about to: it was claimed, or it waits for
    /// another try after one whose outcome nobody knows. It cannot be withdrawn any more: a
    /// message in its place would have another id and might reach the patient twice.
    pub fn may_have_left(&self, id: &MessageId) -> bool {
        let tried = |(_, attempts): &(i64, Attempts)| attempts.first_unknown.is_some();
        self.claimed.contains_key(id) || self.later.get(id).is_some_and(tried)
    }

    fn apply(&mut self, effects: Effects) {
        if let Some(ledger) = effects.ledger {
            self.ledger = ledger;
        }
        self.ages_by = effects.ages_by.or(self.ages_by);
        if let Some(alarms) = effects.stranger_alarms {
            self.stranger_alarms = alarms;
        }
        for (contact, refuses) in effects.staff_refuses {
            self.desk.note_refusal(contact, refuses);
        }
        for id in effects.released {
            if let Some(claim) = self.claimed.remove(&id)
                && let Some(open) = self.groups.get_mut(&claim.group)
            {
                *open = open.saturating_sub(1);
            }
        }
        if self.claimed.is_empty() && self.claimed.capacity() > CLAIMED_KEPT {
            self.claimed = ByMessageId::default();
        }
        for group in effects.ended_groups {
            self.groups.remove(&group);
        }
        for (id, claim) in effects.claimed {
            *self.groups.entry(claim.group).or_insert(0) += 1;
            self.next_group = self.next_group.max(claim.group + 1);
            self.claimed.insert(id, claim);
        }
        for id in effects.not_later {
            self.later.remove(&id);
        }
        for (id, not_before, attempts) in effects.later {
            self.later.insert(id, (not_before, attempts));
        }
    }
}

impl Effects {
    /// Adds what this transaction counted to the row of its day.
    fn write_counts(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        if self.counts == DayCounts::default() {
            return Ok(());
        }
        let mut days = transaction.open_table(DAYS)?;
        let mut counts: DayCounts = match days.get(self.day)? {
            // Counts that cannot be read are counted anew: nobody waits for a statistic.
            Some(row) => decode(&DAYS, row.value()).unwrap_or_default(),
            None => DayCounts::default(),
        };
        counts.due += self.counts.due;
        counts.reminded += self.counts.reminded;
        counts.expired += self.counts.expired;
        counts.in_doubt += self.counts.in_doubt;
        days.insert(self.day, encode(&counts)?.as_slice())?;
        Ok(())
    }
}

/// The first half of a message's id, to tell unreadable rows apart.
pub(super) fn key_head(id: &MessageId) -> u64 {
    id.0.iter()
        .take(8)
        .fold(0, |head, byte| head << 8 | u64::from(*byte))
}

fn read_id_key(database: &Database) -> Result<IdKey, StoreError> {
    let snapshot = database.begin_read()?;
    super::read::id_key(&snapshot)
}
