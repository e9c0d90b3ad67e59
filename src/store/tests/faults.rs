//! Each storage call of a day fails once: after opening again nothing is lost, nothing doubled.

use super::disk::Disk;
use super::*;
use crate::engine::{Body, DoseState, MessageIds};
use std::collections::BTreeMap;

const PATIENTS: [&str; 3] = ["a", "b", "c"];

/// What follows a storage error.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// The daemon goes on and asks again.
    Again,
    /// The machine dies, and what was not synced with it.
    PowerCut,
}

/// What the API got: for each dose the ids under which it was sent, and how often.
type Sent = BTreeMap<(u32, Timestamp), BTreeMap<MessageId, u32>>;

struct World {
    disk: Disk,
    store: Store,
    then: Then,
    sent: Sent,
    /// Whether patients can answer.
    answers: bool,
}

impl World {
    /// Opens the store; one that is not `whole` is being made.
    fn open(disk: &Disk, whole: bool) -> Store {
        let options = Options {
            path: PathBuf::from("memory"),
            cache_bytes: 1 << 20,
        };
        let backing: Arc<dyn Backing> = Arc::new(disk.clone());
        loop {
            // The first opening may be the one that fails.
            if let Ok(store) = Store::open_on(Arc::clone(&backing), &options, telemetry()) {
                return store;
            }
            if !whole {
                // A file is made under another name until it is whole; what failed is left behind.
                disk.erase();
            }
        }
    }

    /// Asks until it is done, as the daemon's tasks do.
    async fn ask<T, F: Future<Output = Result<T, StoreError>>>(
        &mut self,
        mut ask: impl FnMut(Store) -> F,
    ) -> T {
        loop {
            match ask(self.store.clone()).await {
                Ok(done) => return done,
                Err(StoreError::Storage(_)) => self.recover().await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn recover(&mut self) {
        if self.then == Then::Again {
            return;
        }
        self.store.close().await;
        self.disk.cut_power();
        self.store = Self::open(&self.disk, true);
        self.set_desk().await;
    }

    /// The clinic's side is kept in memory only: the daemon says it at each start.
    async fn set_desk(&mut self) {
        if !self.answers {
            return;
        }
        let set = |store: Store| async move { store.set_desk(hour(7), true, Vec::new()).await };
        // One call fails in all: either this one, or it has failed already.
        if set(self.store.clone()).await.is_err() {
            if self.then == Then::PowerCut {
                self.store.close().await;
                self.disk.cut_power();
                self.store = Self::open(&self.disk, true);
            }
            set(self.store.clone()).await.unwrap();
        }
    }

    /// Somebody writes. The platform pushes twice: it has not seen the first answer.
    async fn write(&mut self, now: Timestamp, patient: &str, text: &str, key: u8) {
        let mut answers = Vec::new();
        for _ in 0..2 {
            let received = self
                .ask(|store| async move {
                    let batch = vec![super::receive::pushed(
                        patient,
                        key,
                        What::Words(text.to_owned()),
                    )];
                    let talk = super::receive::talk();
                    store
                        .receive(now, batch, talk, Arc::new(Unlimited), DAY)
                        .await
                })
                .await;
            answers.extend(received.answers);
        }
        assert_eq!(answers[0], answers[1], "{patient}: {text}");
        assert!(answers[0].is_some(), "{patient}: {text}");
    }

    /// Sends all that may leave at `now`: claims, sends, settles.
    async fn drain(&mut self, now: Timestamp) {
        // What a process that died had claimed is tried again under the same id.
        let left = self
            .ask(|store| async move { store.left_claimed().await })
            .await;
        self.send(left, now).await;
        let known = MessageIds::default();
        let found = self
            .ask(|store| {
                let known = known.clone();
                async move { store.waiting(100, known, OutboxPlace::FIRST, now).await }
            })
            .await
            .found;
        if found.is_empty() {
            return;
        }
        let claimed = self
            .ask(|store| {
                let found = found.clone();
                async move { store.claim(now, found).await }
            })
            .await
            .messages;
        self.send(claimed, now).await;
    }

    async fn send(&mut self, messages: Vec<Queued>, now: Timestamp) {
        if messages.is_empty() {
            return;
        }
        for queued in &messages {
            let Body::Dose(lines) = &queued.message.body else {
                panic!("only doses are prescribed")
            };
            for line in lines {
                let ids = self.sent.entry((queued.patient, line.due)).or_default();
                *ids.entry(queued.message.key.id).or_default() += 1;
            }
        }
        let batch: Vec<Tried> = messages
            .iter()
            .map(|queued| Tried {
                key: queued.message.key,
                patient: queued.patient,
                outcome: accepted(now),
                receipt: Receipt::default(),
            })
            .collect();
        self.ask(|store| {
            let batch = batch.clone();
            async move { store.settle(now, batch, Arc::new(Unlimited), DAY).await }
        })
        .await;
    }
}

/// When who writes what.
type Script = [(i64, &'static str, &'static str)];

async fn day(
    fails_at: Option<u64>,
    then: Then,
    script: Option<&Script>,
) -> (Sent, Vec<DoseLine>, u64) {
    let disk = Disk::default();
    if let Some(call) = fails_at {
        disk.fail_at(call);
    }
    let store = World::open(&disk, false);
    let mut world = World {
        disk: disk.clone(),
        store,
        then,
        sent: Sent::new(),
        answers: script.is_some(),
    };
    world.set_desk().await;
    let overdue = ExpiredReason::DaemonDown;
    // With answers there is much more to a day: its morning is enough, with one nudge.
    let (plan, until) = match script {
        Some(_) => (format!("{TWICE}nudge = [\"15 min\"]\n"), hour(15)),
        None => (TWICE.to_owned(), hour(30)),
    };
    world
        .ask(|store| {
            let changes = PATIENTS.map(|patient| change(patient, &plan)).into();
            async move {
                let fits = Arc::new(Unlimited);
                store
                    .apply(hour(7), changes, Vec::new(), overdue, fits, DAY)
                    .await
            }
        })
        .await;
    let mut script = (0..).zip(script.unwrap_or_default()).peekable();
    loop {
        let (next, _) = world
            .ask(|store| async move { store.next_wake().await })
            .await;
        let next = next.filter(|next| *next < until);
        if let Some((key, (minute, patient, text))) = script.peek().copied()
            && next.is_none_or(|next| at(minute * 60) < next)
        {
            script.next();
            let now = at(minute * 60);
            world.write(now, patient, text, key).await;
            world.drain(now).await;
            continue;
        }
        let Some(next) = next else {
            break;
        };
        world
            .ask(|store| async move {
                store
                    .fire(next, 100, overdue, Arc::new(Unlimited), DAY)
                    .await
            })
            .await;
        world.drain(next + crate::engine::LOOK_AHEAD).await;
    }
    // What follows only looks.
    let calls = disk.calls();
    disk.fail_at(0);
    assert!(waiting(&world.store).await.is_empty());
    let left = world
        .store
        .read(|_, memory| Ok((memory.claimed.len(), memory.later.len())));
    assert_eq!(left.await.unwrap(), (0, 0));
    world.store.close().await;
    let reader = disk.reader();
    let lines = reader.doses(None, hour(0), until, until).unwrap();
    (world.sent, lines, calls)
}

fn check(sent: &Sent, lines: &[DoseLine], then: Then, call: u64) {
    let dues: Vec<_> = lines
        .iter()
        .map(|line| (line.due, line.patient.as_str()))
        .collect();
    let expected: Vec<_> = [8, 20]
        .iter()
        .flat_map(|at| PATIENTS.map(|patient| (hour(*at), patient)))
        .collect();
    assert_eq!(dues, expected, "{then:?} at call {call}");
    for line in lines {
        let told = (line.state, line.reminded.is_some(), line.messages.len());
        assert_eq!(
            told,
            (DoseState::Missed, true, 1),
            "{then:?} at call {call}: {line:?}"
        );
    }
    assert_eq!(sent.len(), 6, "{then:?} at call {call}");
    for ids in sent.values() {
        assert_eq!(ids.len(), 1, "{then:?} at call {call}: one id for a dose");
        let most = if then == Then::Again { 1 } else { 2 };
        let tries = ids.values().sum::<u32>();
        assert!(
            (1..=most).contains(&tries),
            "{then:?} at call {call}: {tries} tries"
        );
    }
}

#[tokio::test]
async fn whatever_storage_call_of_a_day_fails_nothing_is_lost_and_nothing_doubled() {
    let (sent, lines, calls) = day(None, Then::Again, None).await;
    check(&sent, &lines, Then::Again, 0);
    for call in 1..=calls {
        for then in [Then::Again, Then::PowerCut] {
            let (sent, lines, _) = day(Some(call), then, None).await;
            check(&sent, &lines, then, call);
        }
    }
}

/// One who answers at once, one who answers after a nudge, one who never does.
const ANSWERS: &Script = &[(8 * 60 + 5, "a", "1"), (9 * 60 + 30, "b", "taken")];

fn check_answered(sent: &Sent, lines: &[DoseLine], then: Then, call: u64) {
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let due = (line.due.duration_since(hour(0))).as_hours();
            (
                due,
                line.patient.as_str(),
                line.state,
                line.answer.is_some(),
                line.messages.len(),
            )
        })
        .collect();
    let expected = [
        (8, "a", DoseState::Taken, true, 1),
        (8, "b", DoseState::Taken, true, 2),
        (8, "c", DoseState::Missed, false, 2),
    ];
    assert_eq!(told, expected, "{then:?} at call {call}");
    let most = if then == Then::Again { 1 } else { 2 };
    for tries in sent.values().flat_map(BTreeMap::values) {
        assert!(
            (1..=most).contains(tries),
            "{then:?} at call {call}: {tries} tries"
        );
    }
    let distinct: usize = sent.values().map(BTreeMap::len).sum();
    assert_eq!(distinct, 5, "{then:?} at call {call}: {sent:?}");
}

#[tokio::test]
async fn whatever_storage_call_of_a_day_with_answers_fails_each_answer_counts_once() {
    let (sent, lines, calls) = day(None, Then::Again, Some(ANSWERS)).await;
    check_answered(&sent, &lines, Then::Again, 0);
    for call in 1..=calls {
        for then in [Then::Again, Then::PowerCut] {
            let (sent, lines, _) = day(Some(call), then, Some(ANSWERS)).await;
            check_answered(&sent, &lines, then, call);
        }
    }
}
