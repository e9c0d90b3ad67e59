//! The part of the outbox that is in memory: a window on the durable queue, bounded, in the
//! order of urgency. A pure value; the dispatcher holds it.

use crate::engine::{Class, MessageId, MessageIds, OutboxRef};
use crate::store::{OutboxPlace, Queued};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A message that cannot leave within this span stays in the store until its time is near.
pub const HORIZON: SignedDuration = SignedDuration::from_secs(120);

/// The store is read again when a message that stayed there is this near.
const NEAR: SignedDuration = SignedDuration::from_secs(60);

/// Messages known to the dispatcher and not handed out.
///
/// Invariants: each message is in `ready` or in `waiting`, and `known` names them all. No message of
/// the store that is not in memory, out of hand or far is more urgent than those that are ready,
/// once [`Queue::room`] has nothing to be read: what is held never keeps out what may leave.
pub struct Queue {
    /// So many may be ready, and so many may wait.
    capacity: usize,
    ready: BTreeMap<Place, Queued>,
    waiting: BTreeMap<(Timestamp, u32, MessageId), Queued>,
    known: MessageIds,
    /// Before this place nothing is in the store that is not in memory, out of hand or far; nor
    /// anywhere, where it is `None`.
    unread_from: Option<OutboxPlace>,
    /// When the first message leaves that stays in the store because its time is far.
    far: Option<Timestamp>,
    /// When the first of those leaves for which there was no room among those that wait, and before
    /// which place none of them lies.
    left_out: Option<(Timestamp, OutboxPlace)>,
}

/// Where a message lies among those that are ready: class, deadline, patient, id, as in the store,
/// so that those that are claimed together lie together there.
type Place = (Class, Timestamp, u32, MessageId);

fn place(queued: &Queued) -> Place {
    let OutboxRef {
        class,
        deadline,
        id,
    } = queued.message.key;
    (class, deadline, queued.patient, id)
}

impl Queue {
    /// An empty window for at most `capacity` messages, which holds nothing of what the store
    /// may have.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            ready: BTreeMap::new(),
            waiting: BTreeMap::new(),
            known: MessageIds::default(),
            unread_from: Some(OutboxPlace::FIRST),
            far: None,
            left_out: None,
        }
    }

    /// Takes a message in. Where there is no room the least urgent one of those that are ready is
    /// left to the store, or the last of those that wait; so is one whose time is far, and one that
    /// lies where the store is to be read all the same.
    pub fn push(&mut self, queued: Queued, now: Timestamp) {
        let id = queued.message.key.id;
        if self.known.contains(&id) {
            return;
        }
        // At its deadline it is ready for being settled.
        let leaves = queued.not_before.min(queued.message.key.deadline);
        if leaves > horizon(now) {
            self.note_far(leaves);
            return;
        }
        if !self.lies_unread(&queued) {
            self.put_back(queued, now);
        }
    }

    /// Whether it is read from the store all the same.
    fn lies_unread(&self, queued: &Queued) -> bool {
        (self.unread_from).is_some_and(|from| from <= OutboxPlace::of(queued))
    }

    /// As [`Queue::push`], one that was taken and could not be claimed: the store may say of it that
    /// it was, and only this process knows that it was not sent.
    pub fn put_back(&mut self, queued: Queued, now: Timestamp) {
        let id = queued.message.key.id;
        let leaves = queued.not_before.min(queued.message.key.deadline);
        if !self.known.insert(id) {
            return;
        }
        if leaves <= now {
            self.ready.insert(place(&queued), queued);
            self.leave_ready(self.capacity);
        } else {
            self.waiting.insert((leaves, queued.patient, id), queued);
            self.leave_waiting();
        }
    }

    /// Leaves the least urgent of those that are ready to the store, beyond so many.
    fn leave_ready(&mut self, most: usize) {
        while self.ready.len() > most
            && let Some((_, least)) = self.ready.pop_last()
        {
            self.known.remove(&least.message.key.id);
            self.note_unread(OutboxPlace::of(&least));
        }
    }

    /// Leaves the last of those that wait to the store, where there is no room.
    fn leave_waiting(&mut self) {
        while self.waiting.len() > self.capacity
            && let Some(((leaves, ..), last)) = self.waiting.pop_last()
        {
            self.known.remove(&last.message.key.id);
            let place = OutboxPlace::of(&last);
            let known = self.left_out.unwrap_or((leaves, place));
            self.left_out = Some((known.0.min(leaves), known.1.min(place)));
        }
    }

    /// Moves what may leave from `now` on to the messages that are ready.
    pub fn ripen(&mut self, now: Timestamp) {
        if self.far.is_some_and(|far| far.duration_since(now) <= NEAR) {
            self.far = None;
            self.forget_completeness();
        }
        while let Some(entry) = self.waiting.first_entry()
            && entry.key().0 <= now
        {
            let queued = entry.remove();
            if self.lies_unread(&queued) {
                self.known.remove(&queued.message.key.id);
            } else {
                self.ready.insert(place(&queued), queued);
            }
        }
        self.leave_ready(self.capacity);
        if let Some((leaves, place)) = self.left_out
            && leaves <= now
        {
            self.left_out = None;
            self.note_unread(place);
        }
    }

    /// Removes and returns ready messages whose deadline has passed.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Queued> {
        let mut expired = Vec::new();
        for class in crate::engine::Class::ALL {
            let first = (class, Timestamp::MIN, 0, MessageId([0; 16]));
            let last = (class, now, u32::MAX, MessageId([0xff; 16]));
            let keys: Vec<Place> = self
                .ready
                .range(first..=last)
                .map(|(key, _)| *key)
                .collect();
            expired.extend(keys.iter().filter_map(|key| self.ready.remove(key)));
        }
        for queued in &expired {
            self.known.remove(&queued.message.key.id);
        }
        expired
    }

    /// Removes and returns the `count` most urgent messages that are ready, none less urgent than
    /// of the class `least`.
    pub fn take(&mut self, count: usize, least: Class) -> Vec<Queued> {
        let mut taken = Vec::new();
        while taken.len() < count
            && let Some(entry) = self.ready.first_entry()
            && entry.key().0 <= least
        {
            taken.push(entry.remove());
        }
        for queued in &taken {
            self.known.remove(&queued.message.key.id);
        }
        taken
    }

    /// Removes and returns at most `count` messages that were never tried and that may leave up to
    /// `until`, but not yet; none less urgent than of the class `least`.
    pub fn take_early(&mut self, until: Timestamp, count: usize, least: Class) -> Vec<Queued> {
        let early = self
            .waiting
            .iter()
            .take_while(|((leaves, _, _), _)| *leaves <= until)
            .filter(|(_, queued)| {
                queued.attempts.count == 0
                    && queued.not_before == queued.message.not_before
                    && queued.message.key.class <= least
            });
        let keys: Vec<_> = early.map(|(key, _)| *key).take(count).collect();
        let taken: Vec<Queued> = keys
            .iter()
            .filter_map(|key| self.waiting.remove(key))
            .collect();
        for queued in &taken {
            self.known.remove(&queued.message.key.id);
        }
        taken
    }

    /// Removes and returns a message for a probe, none less urgent than of the class `least`: one
    /// that was tried already, so that no fresh one is put into doubt.
    pub fn take_probe(&mut self, least: Class) -> Option<Queued> {
        let (key, _) = self
            .ready
            .iter()
            .take_while(|(key, _)| key.0 <= least)
            .find(|(_, queued)| queued.attempts.count > 0)?;
        let key = *key;
        let queued = self.ready.remove(&key)?;
        self.known.remove(&key.3);
        Some(queued)
    }

    /// Whether a message is ready that is not more urgent than of the class `most`, and not less
    /// than of the class `least`.
    #[must_use]
    pub fn has_ready(&self, most: Class, least: Class) -> bool {
        let from = (most, Timestamp::MIN, 0, MessageId([0; 16]));
        let first = self.ready.range(from..).next();
        first.is_some_and(|(key, _)| key.0 <= least)
    }

    /// How many messages are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// When the next waiting message becomes ready.
    #[must_use]
    pub fn next_ripe(&self) -> Option<Timestamp> {
        let waiting = self.waiting.first_key_value().map(|((at, ..), _)| *at);
        let left_out = self.left_out.map(|(leaves, _)| leaves);
        [waiting, left_out].into_iter().flatten().min()
    }

    /// The earliest deadline of a ready message.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let classes = crate::engine::Class::ALL;
        let first = |class| {
            let from = (class, Timestamp::MIN, 0, MessageId([0; 16]));
            self.ready.range(from..).next().map(|(key, _)| key.1)
        };
        classes.into_iter().filter_map(first).min()
    }

    /// Since when the longest waiting ready message could have left.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.ready
            .values()
            .map(|queued| queued.message.not_before)
            .min()
    }

    /// The ids in memory, for a reading of the rest from the store.
    #[must_use]
    pub fn known(&self) -> MessageIds {
        self.known.clone()
    }

    /// How many more messages should be read from the store, and from which place; `None` while
    /// there is enough in memory, or nothing in the store that is not. Where what was not read may
    /// be more urgent than what is ready, room is made.
    pub fn room(&mut self) -> Option<(usize, OutboxPlace)> {
        let from = self.unread_from?;
        if !self.wants_reading() {
            return None;
        }
        self.leave_ready(self.capacity / 2);
        Some((self.capacity - self.ready.len(), from))
    }

    /// Whether [`Queue::room`] has something to be read.
    #[must_use]
    pub fn wants_reading(&self) -> bool {
        let least = self.ready.last_key_value().map(|(_, least)| least);
        self.unread_from.is_some_and(|from| {
            self.ready.len() <= self.capacity / 2
                || least.is_some_and(|least| from < OutboxPlace::of(least))
        })
    }

    /// A reading from the store has begun: what it does not bring is not there, unless
    /// [`Queue::note_unread`] or [`Queue::forget_completeness`] says so again.
    pub fn assume_complete(&mut self) {
        self.unread_from = None;
    }

    /// From this place on the store may hold messages that are not in memory.
    pub fn note_unread(&mut self, from: OutboxPlace) {
        self.unread_from = Some(self.unread_from.map_or(from, |unread| unread.min(from)));
    }

    /// A message that can leave at `leaves` stays in the store until that is near.
    pub fn note_far(&mut self, leaves: Timestamp) {
        self.far = Some(self.far.map_or(leaves, |far| far.min(leaves)));
    }

    /// The store may hold messages anywhere that are not in memory.
    pub fn forget_completeness(&mut self) {
        self.note_unread(OutboxPlace::FIRST);
    }

    /// Where a message is, for tests of the invariant.
    #[cfg(test)]
    fn is_consistent(&self) -> bool {
        self.known.len() == self.ready.len() + self.waiting.len()
            && self.ready.keys().all(|key| self.known.contains(&key.3))
            && self
                .waiting
                .keys()
                .all(|(_, _, id)| self.known.contains(id))
    }
}

/// What leaves after this stays in the store.
#[must_use]
pub fn horizon(now: Timestamp) -> Timestamp {
    now.saturating_add(HORIZON).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::{Addressee, Body, Class, Message, Recipient, Text};
    use crate::plan::{Language, Zone};
    use crate::store::Attempts;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::sync::Arc;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_409_600 + seconds).unwrap()
    }

    pub(in crate::daemon) fn queued(
        id: u8,
        class: Class,
        not_before: i64,
        deadline: i64,
        tries: u16,
    ) -> Queued {
        let key = OutboxRef {
            class,
            deadline: at(deadline),
            id: MessageId([id; 16]),
        };
        let addressee = Addressee {
            name: String::new(),
            language: Language::En,
            zone: Zone::get("UTC").unwrap(),
        };
        let body = Body::Notice(Text {
            text: String::new(),
            at: at(0),
        });
        let (not_before, due) = (at(not_before), at(not_before));
        Queued {
            patient: 1,
            contact: 1,
            address: "".into(),
            message: Arc::new(Message {
                key,
                not_before,
                due,
                addressee,
                to: Recipient::Patient,
                body,
            }),
            attempts: Attempts {
                count: tries,
                ..Attempts::default()
            },
            not_before,
        }
    }

    /// A window on a store that has been read and is empty.
    fn read(capacity: usize) -> Queue {
        let mut queue = Queue::new(capacity);
        queue.assume_complete();
        queue
    }

    fn ids(taken: &[Queued]) -> Vec<u8> {
        taken
            .iter()
            .map(|queued| queued.message.key.id.0[0])
            .collect()
    }

    #[test]
    fn the_most_urgent_leaves_first_by_class_then_deadline() {
        let mut queue = read(10);
        queue.push(queued(1, Class::Notice, 0, 10, 0), at(0));
        queue.push(queued(2, Class::Dose, 0, 30, 0), at(0));
        queue.push(queued(3, Class::Dose, 0, 20, 0), at(0));
        queue.push(queued(4, Class::Critical, 0, 90, 0), at(0));
        queue.push(queued(5, Class::Critical, 5, 6, 0), at(0));
        assert_eq!(ids(&queue.take(9, Class::Notice)), [4, 3, 2, 1]);
        assert_eq!(queue.next_ripe(), Some(at(5)));
        queue.ripen(at(5));
        assert_eq!(ids(&queue.take(9, Class::Notice)), [5]);
    }

    #[test]
    fn what_leaves_in_a_moment_can_be_taken_early_unless_it_was_tried() {
        let mut queue = read(9);
        queue.push(queued(1, Class::Dose, 5, 90, 0), at(0));
        queue.push(queued(2, Class::Dose, 6, 90, 1), at(0));
        queue.push(queued(3, Class::Notice, 6, 90, 0), at(0));
        queue.push(queued(4, Class::Critical, 6, 90, 0), at(0));
        queue.push(queued(5, Class::Dose, 8, 90, 0), at(0));
        assert!(queue.take_early(at(4), 9, Class::Notice).is_empty());
        assert_eq!(ids(&queue.take_early(at(7), 1, Class::Dose)), [1]);
        assert_eq!(ids(&queue.take_early(at(7), 9, Class::Dose)), [4]);
        assert_eq!(queue.known().len(), 3);
        queue.ripen(at(9));
        assert_eq!(ids(&queue.take(9, Class::Notice)), [2, 5, 3]);
    }

    #[test]
    fn a_full_queue_keeps_the_urgent_and_leaves_the_rest_to_the_store() {
        let mut queue = read(2);
        queue.push(queued(1, Class::Notice, 0, 10, 0), at(0));
        queue.push(queued(2, Class::Dose, 0, 10, 0), at(0));
        queue.push(queued(3, Class::Critical, 0, 10, 0), at(0));
        assert_eq!(queue.room(), None, "still full");
        assert_eq!(ids(&queue.take(9, Class::Notice)), [3, 2]);
        let notice = OutboxPlace::of(&queued(1, Class::Notice, 0, 10, 0));
        assert_eq!(
            queue.room(),
            Some((2, notice)),
            "the notice is in the store"
        );
    }

    #[test]
    fn what_is_held_never_keeps_out_what_may_leave() {
        let mut queue = read(4);
        for id in 10..30 {
            queue.push(queued(id, Class::Notice, 0, 900, 0), at(0));
        }
        assert_eq!((queue.ready(), queue.room()), (4, None));
        // Decided a moment ahead.
        queue.push(queued(1, Class::Critical, 3, 600, 0), at(0));
        queue.ripen(at(3));
        assert_eq!(ids(&queue.take(9, Class::Critical)), [1]);
        // Something may be in the store that nobody has told of.
        queue.forget_completeness();
        assert_eq!(queue.room(), Some((2, OutboxPlace::FIRST)), "room is made");
        queue.assume_complete();
        queue.push(queued(2, Class::Critical, 0, 600, 0), at(3));
        queue.note_unread(OutboxPlace::of(&queued(12, Class::Notice, 0, 900, 0)));
        assert_eq!(ids(&queue.take(9, Class::Critical)), [2]);
    }

    #[test]
    fn what_could_not_be_claimed_is_kept_as_it_was() {
        let mut queue = read(4);
        queue.push(queued(1, Class::Dose, 0, 900, 0), at(0));
        let taken = queue.take(1, Class::Notice).remove(0);
        queue.forget_completeness();
        queue.push(queued(2, Class::Dose, 0, 900, 0), at(0));
        assert!(queue.known().is_empty(), "it is read from the store");
        queue.put_back(taken, at(0));
        assert!(queue.wants_reading());
        assert_eq!(ids(&queue.take(9, Class::Notice)), [1]);
    }

    #[test]
    fn what_ripens_where_the_store_is_to_be_read_is_read_with_the_rest() {
        let mut queue = read(4);
        queue.push(queued(9, Class::Notice, 5, 900, 0), at(0));
        for id in 1..6 {
            queue.push(queued(id, Class::Dose, 0, 900, 0), at(0));
        }
        let from = OutboxPlace::of(&queued(5, Class::Dose, 0, 900, 0));
        assert_eq!((queue.unread_from, queue.room()), (Some(from), None));
        queue.ripen(at(5));
        assert!(!queue.known().contains(&MessageId([9; 16])));
        assert!(queue.is_consistent());
        assert_eq!(queue.room(), None, "no row is read for it");
    }

    #[test]
    fn what_waits_does_not_keep_out_what_is_ready() {
        let mut queue = read(2);
        for id in 10..15 {
            let seconds = i64::from(id);
            queue.push(queued(id, Class::Critical, seconds, 900, 0), at(0));
        }
        queue.push(queued(1, Class::Notice, 0, 900, 0), at(0));
        assert_eq!(ids(&queue.take(9, Class::Notice)), [1]);
        assert_eq!(queue.room(), None, "nothing of what is left out is due");
        assert_eq!(queue.next_ripe(), Some(at(10)));
        queue.ripen(at(12));
        let first = OutboxPlace::of(&queued(12, Class::Critical, 12, 900, 0));
        assert_eq!(queue.unread_from, Some(first));
    }

    #[test]
    fn what_is_far_stays_in_the_store_and_is_read_again_when_it_is_near() {
        let mut queue = read(4);
        for id in 0..100 {
            queue.push(queued(id, Class::CheckIn, 30_000, 40_000, 0), at(0));
        }
        assert!(queue.known().is_empty(), "nights of check-ins take no room");
        queue.ripen(at(29_939));
        assert_eq!(queue.room(), None);
        queue.ripen(at(29_940));
        assert_eq!(queue.room(), Some((4, OutboxPlace::FIRST)));
    }

    #[test]
    fn a_message_that_waits_beyond_its_deadline_is_settled_at_its_deadline() {
        let mut queue = read(4);
        queue.push(queued(1, Class::Dose, 90, 20, 0), at(0));
        assert_eq!(queue.next_ripe(), Some(at(20)));
        queue.ripen(at(20));
        assert_eq!(ids(&queue.expire(at(20))), [1]);
    }

    #[test]
    fn a_probe_is_only_what_was_tried_already() {
        let mut queue = read(9);
        queue.push(queued(1, Class::Critical, 0, 10, 0), at(0));
        queue.push(queued(2, Class::Notice, 0, 10, 1), at(0));
        queue.push(queued(3, Class::Dose, 0, 10, 1), at(0));
        let mut probe = |least| {
            let probe = queue.take_probe(least);
            probe.map(|it| it.message.key.id.0[0])
        };
        assert_eq!(probe(Class::Critical), None);
        assert_eq!(probe(Class::Notice), Some(3));
        assert_eq!(probe(Class::Dose), None);
        assert_eq!(probe(Class::Notice), Some(2));
        assert_eq!(probe(Class::Notice), None, "no fresh message is burnt");
    }

    #[test]
    fn classes_that_are_held_stay_where_they_are() {
        let mut queue = read(9);
        queue.push(queued(1, Class::Critical, 0, 10, 0), at(0));
        queue.push(queued(2, Class::Dose, 0, 10, 0), at(0));
        queue.push(queued(3, Class::Nudge, 0, 10, 0), at(0));
        assert_eq!(ids(&queue.take(9, Class::Critical)), [1]);
        assert!(!queue.has_ready(Class::Critical, Class::Critical));
        assert!(queue.has_ready(Class::Dose, Class::Dose));
        assert_eq!(ids(&queue.take(9, Class::Dose)), [2]);
        assert!(!queue.has_ready(Class::Critical, Class::Dose));
        assert!(queue.has_ready(Class::Dose, Class::Notice));
        assert_eq!(queue.ready(), 1);
    }

    /// A small window on a store, used as the dispatcher uses it.
    struct Desk {
        queue: Queue,
        store: BTreeMap<OutboxPlace, Queued>,
        out: Vec<Queued>,
    }

    impl Desk {
        fn push(&mut self, queued: Queued, now: Timestamp) {
            self.store.insert(OutboxPlace::of(&queued), queued.clone());
            self.queue.push(queued, now);
        }

        fn refill(&mut self, now: Timestamp) {
            let Some((room, from)) = self.queue.room() else {
                return;
            };
            let mut known = self.queue.known();
            known.extend(self.out.iter().map(|it| it.message.key.id));
            self.queue.assume_complete();
            let mut found = Vec::new();
            for (place, queued) in self.store.range(from..) {
                if known.contains(&queued.message.key.id) {
                    continue;
                }
                if found.len() == room {
                    self.queue.note_unread(*place);
                    break;
                }
                if queued.not_before > horizon(now) {
                    self.queue.note_far(queued.not_before);
                } else {
                    found.push(queued.clone());
                }
            }
            for queued in found {
                self.queue.push(queued, now);
            }
        }

        /// What is taken is the most urgent of all that may leave, wherever it lies.
        fn take(&mut self, count: usize, least: Class, now: Timestamp) {
            self.queue.ripen(now);
            while self.queue.room().is_some() {
                self.refill(now);
            }
            let is_out = |id| self.out.iter().any(|it| it.message.key.id == id);
            let wanted = self.store.values().filter(|it| {
                it.not_before <= now && it.message.key.class <= least && !is_out(it.message.key.id)
            });
            let wanted: Vec<u8> = wanted.map(|it| it.message.key.id.0[0]).collect();
            let taken = self.queue.take(count, least);
            let found = ids(&taken);
            assert!(wanted.starts_with(&found), "{found:?} of {wanted:?}");
            assert_eq!(found.is_empty(), wanted.is_empty() || count == 0);
            self.out.extend(taken);
        }

        /// The oldest that is out is done, or is to be tried again later.
        fn settle(&mut self, again_at: Option<i64>, now: Timestamp) {
            if self.out.is_empty() {
                return;
            }
            let mut queued = self.out.remove(0);
            self.store.remove(&OutboxPlace::of(&queued));
            if let Some(seconds) = again_at {
                queued.not_before = at(seconds);
                self.push(queued, now);
            }
        }
    }

    proptest! {
        #[test]
        fn what_does_not_fit_into_memory_is_read_again_and_nothing_is_left_behind(
            steps in prop::collection::vec(
                (0_u8..5, 0_usize..5, 0_i64..300, 0_i64..400, 1_i64..20), 1..120)
        ) {
            let store = BTreeMap::new();
            let mut desk = Desk { queue: Queue::new(4), store, out: Vec::new() };
            let mut now = 0;
            for (id, (action, class, wait, deadline, span)) in (0_u8..).zip(steps) {
                now += span;
                match action {
                    0..=2 => {
                        let class = Class::ALL[class];
                        let message = queued(id, class, now + wait, 10_000 + deadline, 0);
                        desk.push(message, at(now));
                    }
                    // Now and then only the most urgent may leave.
                    3 => desk.take(3, Class::ALL[class], at(now)),
                    _ => desk.settle((wait % 3 == 0).then_some(now + wait), at(now)),
                }
                prop_assert!(desk.queue.is_consistent());
            }
            // Then all is taken and done, within the hours before the first deadline.
            for _ in 0..150 {
                now += 30;
                desk.take(2, Class::Notice, at(now));
                while !desk.out.is_empty() {
                    desk.settle(None, at(now));
                }
            }
            prop_assert!(desk.store.is_empty(), "left behind: {}", desk.store.len());
        }

        #[test]
        fn nothing_is_lost_doubled_or_handed_out_early(
            steps in prop::collection::vec((0_u8..40, 0_i64..20, 1_i64..30, 0_u8..4), 1..80)
        ) {
            let mut queue = read(1_000);
            let mut inside = HashSet::new();
            let mut now = 0;
            for (id, not_before, span, action) in steps {
                now += 1;
                match action {
                    0 | 1 => {
                        let message = queued(id, Class::Dose, now + not_before, now + not_before + span, 0);
                        queue.push(message, at(now));
                        inside.insert(id);
                    }
                    2 => {
                        queue.ripen(at(now));
                        for taken in queue.take(3, Class::Notice) {
                            prop_assert!(taken.not_before <= at(now));
                            prop_assert!(inside.remove(&taken.message.key.id.0[0]));
                        }
                    }
                    _ => {
                        queue.ripen(at(now));
                        for expired in queue.expire(at(now)) {
                            prop_assert!(expired.message.key.deadline <= at(now));
                            prop_assert!(inside.remove(&expired.message.key.id.0[0]));
                        }
                    }
                }
                prop_assert!(queue.is_consistent());
                prop_assert_eq!(queue.known().len(), inside.len());
            }
        }
    }
}
