//! How fast messages leave while the API takes only so many a second: learned from what it took and
//! what it refused. A pure value; the gate holds it.
//!
//! Each refusal closes the gate for a second at least. A sender that then sends as fast as it can
//! meets the next refusal at once, and spends more than half of its time in front of a closed gate.
//! So after the first burst that was cut off, messages leave a little more slowly than the API took
//! them. The speed rises to that and then ever faster beyond it, so that a limit that was lifted is
//! forgotten within the minute, and one that stays costs a pause now and then.

use jiff::{SignedDuration, Timestamp};

/// A burst was cut off, and not one message refused by chance, when so many in a row were refused.
const CUT_OFF_MIN: u32 = 3;

/// A refusal for longer than this is no limit a second.
const SHORT_MAX: SignedDuration = SignedDuration::from_secs(2);

/// Messages leave at first at this share of what the API took.
const START: f64 = 0.9;

/// After so many seconds they leave as fast as the API took them.
const RISE_SECONDS: f64 = 12.0;

/// From then on the speed doubles in so many seconds.
const DOUBLING_SECONDS: f64 = 4.0;

/// A limit that was not met for so long is forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_secs(40);

/// However little the API took, one refusal lowers the speed no further than to this share.
const FALL_MAX: f64 = 0.7;

/// The slowest speed, messages a second: below it the pauses after refusals are what slows down.
const RATE_MIN: f64 = 1.0;

/// Refused so often in a row within so many seconds of the gate's opening, messages do not leave
/// more slowly for it: what refuses them is not how fast they leave, or the limit is another now.
const IN_VAIN_MAX: u8 = 3;
const IN_VAIN_WITHIN: SignedDuration = SignedDuration::from_secs(6);

/// A look may be a little older than what it looks at; a clock that shows less was set back.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_secs(5);

/// What was learned of the API's limit.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    learned: Option<Learned>,
    /// How often in a row that has not helped.
    in_vain: u8,
    seen: Seen,
}

/// What was seen since the gate opened last.
#[derive(Clone, Debug, Default)]
struct Seen {
    taken: Taken,
    /// Messages refused, probes not counted; and in a row: the last, and the most.
    refused: u32,
    in_a_row: u32,
    most_in_a_row: u32,
    /// A probe was refused: what the API limits is not the second.
    probe_refused: bool,
    /// The speed when the first of them was refused, and for how long the gate had been open.
    met: Option<(f64, SignedDuration)>,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    /// What the API took within a second.
    ceiling: f64,
    since: Timestamp,
}

impl Throttle {
    /// Messages that may leave within a second; `None`: as many as there are.
    #[must_use]
    pub fn rate(&self, now: Timestamp) -> Option<f64> {
        let Learned { ceiling, since } = self.learned?;
        let age = now.duration_since(since);
        if age >= FORGOTTEN_AFTER || age < -SET_BACK_MIN {
            return None;
        }
        let seconds = age.as_secs_f64().max(0.0);
        let share = if seconds <= RISE_SECONDS {
            START + (1.0 - START) * seconds / RISE_SECONDS
        } else {
            ((seconds - RISE_SECONDS) / DOUBLING_SECONDS).exp2()
        };
        Some((ceiling * share).max(RATE_MIN))
    }

    /// The API took a message.
    pub fn taken(&mut self, now: Timestamp) {
        self.seen.taken.add(now);
        self.seen.in_a_row = 0;
    }

    /// The API refused a message because of its limit, and any other until `until`.
    pub fn refused(&mut self, until: Timestamp, is_probe: bool, now: Timestamp) {
        if until.duration_since(now) > SHORT_MAX {
            return;
        }
        if is_probe {
            self.seen.probe_refused = true;
            return;
        }
        let speed = self.rate(now);
        let age = self
            .learned
            .map(|learned| now.duration_since(learned.since));
        let seen = &mut self.seen;
        if seen.refused == 0 {
            seen.met = speed.zip(age);
        }
        seen.refused = seen.refused.saturating_add(1);
        seen.in_a_row = seen.in_a_row.saturating_add(1);
        seen.most_in_a_row = seen.most_in_a_row.max(seen.in_a_row);
    }

    /// The gate opens: what was seen since it opened last says how fast messages leave now.
    pub fn opened(&mut self, now: Timestamp) {
        let seen = std::mem::take(&mut self.seen);
        if seen.refused == 0 {
            return;
        }
        let most = f64::from(seen.taken.most);
        let ceiling = match seen.met {
            Some((_, age)) if self.is_in_vain(age) => None,
            // It was met at this speed; what is counted by tenths may be a little less.
            Some((speed, _)) if most >= START * speed => Some(speed),
            Some((speed, _)) => Some(most.max(FALL_MAX * speed)),
            None => seen.is_cut_off().then_some(most),
        };
        self.learned = ceiling.map(|ceiling| Learned {
            ceiling,
            since: now,
        });
    }

    /// What the API limits is not the second.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn is_in_vain(&mut self, age: SignedDuration) -> bool {
        self.in_vain = if age < IN_VAIN_WITHIN {
            self.in_vain + 1
        } else {
            0
        };
        let is_in_vain = self.in_vain >= IN_VAIN_MAX;
        if is_in_vain {
            self.in_vain = 0;
        }
        is_in_vain
    }
}

impl Seen {
    /// A burst met a limit, rather than one message a fault.
    fn is_cut_off(&self) -> bool {
        !self.probe_refused && self.taken.most > 0 && self.most_in_a_row >= CUT_OFF_MIN
    }
}

/// Tenths of a second that are counted.
const SLOTS: i64 = 10;

/// Messages taken within the last second, by its tenths, and the most there were in any.
#[derive(Clone, Debug, Default)]
struct Taken {
    slots: [u32; SLOTS as usize],
    /// The tenth since 1970 that was counted last.
    last: i64,
    most: u32,
}

impl Taken {
    fn add(&mut self, now: Timestamp) {
        let slot = now.as_millisecond().div_euclid(100);
        let index = |slot: i64| slot.rem_euclid(SLOTS) as usize;
        if slot < self.last || slot - self.last >= SLOTS {
            // The clock was set, or nothing was taken for a second.
            self.slots = [0; SLOTS as usize];
        } else {
            for passed in self.last + 1..=slot {
                self.slots[index(passed)] = 0;
            }
        }
        self.last = slot;
        let count = &mut self.slots[index(slot)];
        *count = count.saturating_add(1);
        let sum = self
            .slots
            .iter()
            .fold(0, |sum: u32, it| sum.saturating_add(*it));
        self.most = self.most.max(sum);
    }
}

#[cfg(test)]
mod tests;
