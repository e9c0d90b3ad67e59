//! What patients say when they are reminded, and the platform that brings it: again and again,
//! under the same key, until it is told that it was taken.

use super::dice::Dice;
use super::{HOUR, MINUTE, SECOND};
use dosed::messaging::wechat::callback::{DedupeKey, DeliveryStatus, Event, Inbound, Kind};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The platform pushes so often at most.
const TRIES_MAX: u32 = 4;

/// It waits for so long for an answer.
pub const PATIENCE: i64 = 5 * SECOND;

/// Something that a patient says or does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    Taken,
    Later,
    Skipped,
    NotTaken,
    /// Words that no reminder asks for.
    Other,
    /// A blood pressure, in mmHg.
    Pressure(u32, u32),
    Unfollows,
    Follows,
    /// It is the platform that says it, of a message with this number: whether it was lost.
    Report(i64, bool),
}

/// One thing said, as the platform has it.
pub struct Push {
    pub patient: usize,
    pub words: Words,
    inbound: Inbound,
    tries: u32,
    /// What was said, if it is not the answer to anything.
    pub note: Option<String>,
}

impl Push {
    /// The phone from which it was said.
    pub fn contact(&self) -> &str {
        &self.inbound.contact
    }
}

/// All that was said, and what the platform knows to be taken.
#[derive(Default)]
pub struct Platform {
    pub pushes: Vec<Push>,
    taken: Arc<Mutex<BTreeSet<usize>>>,
}

impl Platform {
    pub fn is_taken(&self, push: usize) -> bool {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.contains(&push)
    }

    /// Something is said; returns its number.
    pub fn says(
        &mut self,
        dice: &mut Dice,
        patient: usize,
        contact: &str,
        words: Words,
        now: Timestamp,
    ) -> usize {
        let number = self.pushes.len();
        let mut note = None;
        let pressure;
        let text = match words {
            Words::Taken => *dice.pick(&["吃了", "taken", "1", "took it"]),
            Words::Later => *dice.pick(&["later", "2", "半小时后"]),
            Words::Skipped => *dice.pick(&["skip", "3", "不吃了"]),
            Words::NotTaken => *dice.pick(&["没吃", "not yet", "forgot"]),
            Words::Other => {
                note = Some(format!("my neighbour talks of {}", letters(number)));
                note.as_deref().unwrap_or_default()
            }
            Words::Pressure(upper, lower) => {
                pressure = format!("{upper}/{lower}");
                &pressure
            }
            Words::Unfollows | Words::Follows | Words::Report(..) => "",
        };
        let kind = match words {
            Words::Unfollows => Kind::Event(Event::Unsubscribe),
            Words::Follows => Kind::Event(Event::Subscribe { scene: None }),
            Words::Report(msgid, fails) => Kind::Event(Event::TemplateSendJobFinish {
                msgid,
                status: if fails {
                    DeliveryStatus::SystemFailed
                } else {
                    DeliveryStatus::Success
                },
            }),
            _ => Kind::Text {
                content: text.to_owned(),
                menu_id: None,
            },
        };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&(number as u64).to_le_bytes());
        self.pushes.push(Push {
            patient,
            words,
            inbound: Inbound {
                contact: contact.to_owned(),
                account: "gh_clinic".to_owned(),
                created_at: now,
                dedupe_key: DedupeKey(key),
                kind,
            },
            tries: 0,
            note,
        });
        number
    }

    /// What is to be pushed now; `None` when it was taken or has been given up.
    pub fn next_try(&mut self, number: usize) -> Option<Inbound> {
        if self.is_taken(number) {
            return None;
        }
        let push = &mut self.pushes[number];
        push.tries += 1;
        (push.tries <= TRIES_MAX).then(|| push.inbound.clone())
    }

    /// Is told that a push was taken.
    pub fn receipt(&self, number: usize) -> impl FnOnce() + Send + 'static {
        let taken = Arc::clone(&self.taken);
        move || {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.insert(number);
        }
    }
}

/// What follows from a reminder that has arrived: what is said, and after how long.
pub fn reaction(dice: &mut Dice) -> Vec<(i64, Words)> {
    let soon = dice.range(5 * SECOND, 40 * MINUTE);
    let answer = |dice: &mut Dice| {
        *dice.pick(&[
            Words::Taken,
            Words::Taken,
            Words::Taken,
            Words::Later,
            Words::Skipped,
            Words::NotTaken,
            Words::Other,
        ])
    };
    let mut said = Vec::new();
    if dice.chance(550) {
        said.push((soon, answer(dice)));
        if dice.chance(200) {
            // Another word on it, perhaps the contrary.
            said.push((soon + dice.range(SECOND, 2 * HOUR), answer(dice)));
        }
    } else if dice.chance(150) {
        said.push((dice.range(2 * HOUR, 14 * HOUR), Words::Taken));
    }
    if dice.chance(8) {
        said.push((soon, Words::Unfollows));
        said.push((soon + dice.range(HOUR, 9 * HOUR), Words::Follows));
    }
    said
}

/// When a question that has arrived is answered, if at all; perhaps again, with another value,
/// perhaps when its window is over.
pub fn answers(dice: &mut Dice) -> Vec<i64> {
    let mut after = Vec::new();
    if dice.chance(600) {
        after.push(dice.range(5 * SECOND, 3 * HOUR));
        if dice.chance(200) {
            after.push(dice.range(5 * SECOND, 5 * HOUR));
        }
    } else if dice.chance(200) {
        after.push(dice.range(20 * HOUR, 30 * HOUR));
    }
    after
}

/// A number in letters: digits would answer something.
fn letters(number: usize) -> String {
    let digit = |it: char| char::from(b'a' + it.to_digit(10).unwrap_or(0) as u8);
    number.to_string().chars().map(digit).collect()
}
