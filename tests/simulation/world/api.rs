//! The simulated messaging API: takes messages, refuses them in every way that the channel knows,
//! hangs, drops answers, and forgets after ten minutes which ids it has seen.

use super::clock::SimClock;
use super::dice::Dice;
use dosed::engine::{Body, MessageId};
use dosed::messaging::{Carrier, Detail, Outcome, Outgoing, Sending, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The API answers a second message of the same id as it answered the first for so long.
const REMEMBERS_MS: i64 = 600_000;

/// The time limit of a request.
const TIMEOUT_MS: i64 = 10_000;

/// How the API is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// So many of a thousand requests fail, in all ways.
    Gusty(u64),
    /// No connection.
    Down,
    /// Connections, and no answers; half of the messages are taken.
    Silent,
    Throttled,
    BadToken,
    Misconfigured,
}

/// One message as it came to the API.
#[derive(Clone, Debug)]
pub struct Sent {
    /// True time.
    pub steady: i64,
    /// What the daemon's clock showed.
    pub wall: i64,
    /// Whom it is for, by the name in its text.
    pub name: String,
    pub id: MessageId,
    /// Medication, amount, instant; a question stands here by its id, without an amount.
    pub doses: Vec<(String, String, i64)>,
    /// It is a question.
    pub asks: bool,
    /// It reached the patient.
    pub delivered: bool,
    /// The API took it, now or before, and it never reaches the patient.
    pub lost: bool,
    pub outcome: Outcome,
    /// How long it waited for a token, ms.
    pub waited: i64,
}

/// What the platform will say of a message that it took.
pub struct Report {
    /// When, in true time: before the try is answered, soon, or hours later.
    pub at: i64,
    pub address: String,
    pub msgid: i64,
    /// It is not on the phone.
    pub fails: bool,
    pub id: MessageId,
}

#[derive(Clone)]
pub struct Api {
    state: Arc<Mutex<State>>,
    clock: SimClock,
}

struct State {
    dice: Dice,
    weather: Weather,
    /// When an address was sent an id first, in true time.
    seen: BTreeMap<(String, MessageId), Seen>,
    /// Messages are numbered, and what became of them is reported.
    fates: Option<Dice>,
    reports: Vec<Report>,
    numbered: i64,
    unfollowed: BTreeSet<String>,
    sent: Vec<Sent>,
    under_way: usize,
    dies_at: Option<usize>,
    died: bool,
}

/// A message that was taken.
#[derive(Clone, Copy)]
struct Seen {
    first: i64,
    msgid: Option<i64>,
    lost: bool,
}

impl Api {
    /// With `fates` the API numbers messages, loses some of those that it took, and reports.
    pub fn new(clock: SimClock, dice: Dice, fates: Option<Dice>) -> Self {
        let state = State {
            dice,
            weather: Weather::Fair,
            seen: BTreeMap::new(),
            fates,
            reports: Vec::new(),
            numbered: 0,
            unfollowed: BTreeSet::new(),
            sent: Vec::new(),
            under_way: 0,
            dies_at: None,
            died: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            clock,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    pub fn weather(&self) -> Weather {
        self.state().weather
    }

    /// A patient follows the account, or does not.
    pub fn follow(&self, address: &str, follows: bool) {
        let mut state = self.state();
        if follows {
            state.unfollowed.remove(address);
        } else {
            state.unfollowed.insert(address.to_owned());
        }
    }

    /// The process dies while the message after so many is under way.
    pub fn die_after(&self, messages: usize) {
        let mut state = self.state();
        state.dies_at = Some(state.sent.len() + messages);
    }

    /// The process does not die any more by what was asked for before.
    pub fn spare(&self) {
        self.state().dies_at = None;
    }

    /// The process is going to die while a message is under way.
    pub fn is_about_to_die(&self) -> bool {
        self.state().dies_at.is_some()
    }

    pub fn has_died(&self) -> bool {
        self.state().died
    }

    /// The process is gone, and what it had under way.
    pub fn kill(&self) {
        let mut state = self.state();
        (state.died, state.dies_at, state.under_way) = (false, None, 0);
    }

    pub fn under_way(&self) -> usize {
        self.state().under_way
    }

    pub fn sent(&self) -> usize {
        self.state().sent.len()
    }

    /// What came in since the first `known`.
    pub fn sent_since(&self, known: usize) -> Vec<Sent> {
        self.state().sent[known..].to_vec()
    }

    /// What will be reported, as far as nobody has asked for it yet.
    pub fn reports(&self) -> Vec<Report> {
        std::mem::take(&mut self.state().reports)
    }

    /// Takes a request: what the answer is, and after how long it is read.
    fn take(&self, message: &Outgoing<'_>, waited: i64) -> (i64, Verdict) {
        let (steady, wall) = (self.clock.steady(), self.clock.wall());
        let mut state = self.state();
        let (latency, taken, mut verdict) = state.answer(message);
        let key = (message.address.to_owned(), message.id);
        let known = state.seen.get(&key).copied();
        let known = known.filter(|known| steady - known.first < REMEMBERS_MS);
        let seen = known.or_else(|| taken.then(|| state.fresh(message, steady)));
        let delivered = taken && known.is_none() && seen.is_some_and(|seen| !seen.lost);
        let lost = taken && seen.is_some_and(|seen| seen.lost);
        if let (true, Some(seen)) = (taken, seen) {
            state.seen.insert(key, seen);
            if verdict.outcome == Outcome::Accepted {
                verdict.msgid = seen.msgid;
            }
        }
        let doses = match message.body {
            Body::Dose(lines) => lines
                .iter()
                .map(|line| {
                    let due = line.due.as_millisecond();
                    (line.medication.clone(), line.amount.clone(), due)
                })
                .collect(),
            Body::CheckIn(question) => vec![(
                question.check_in.clone(),
                String::new(),
                question.due.as_millisecond(),
            )],
            _ => Vec::new(),
        };
        state.sent.push(Sent {
            steady,
            wall,
            name: message.addressee.name.clone(),
            id: message.id,
            doses,
            asks: matches!(message.body, Body::CheckIn(_)),
            delivered,
            lost,
            outcome: verdict.outcome,
            waited,
        });
        if state.dies_at.is_some_and(|at| state.sent.len() >= at) {
            state.died = true;
        }
        (latency, verdict)
    }
}

impl State {
    /// A message is taken: its number, and what becomes of it.
    fn fresh(&mut self, message: &Outgoing<'_>, now: i64) -> Seen {
        let mut seen = Seen {
            first: now,
            msgid: None,
            lost: false,
        };
        let Some(fates) = &mut self.fates else {
            return seen;
        };
        self.numbered += 1;
        seen.msgid = Some(self.numbered);
        seen.lost = fates.chance(30);
        let after = match fates.below(20) {
            0..8 => Some(fates.range(1, 400)),
            8..17 => Some(fates.range(400, 60_000)),
            17 | 18 => Some(fates.range(60_000, 7_200_000)),
            _ => None,
        };
        if let Some(after) = after {
            self.reports.push(Report {
                at: now + after,
                address: message.address.to_owned(),
                msgid: self.numbered,
                fails: seen.lost,
                id: message.id,
            });
        }
        seen
    }

    /// Latency, whether the message is taken, and what the daemon is told.
    fn answer(&mut self, message: &Outgoing<'_>) -> (i64, bool, Verdict) {
        let quick = self.dice.range(20, 400);
        let refused = |outcome, detail| (quick, false, Verdict::new(outcome, detail));
        let later = |seconds| {
            let span = SignedDuration::from_secs(seconds);
            message.now.saturating_add(span).unwrap_or(Timestamp::MAX)
        };
        let weather = match self.weather {
            Weather::Gusty(per_mille) if !self.dice.chance(per_mille) => Weather::Fair,
            weather => weather,
        };
        match weather {
            Weather::Fair if self.unfollowed.contains(message.address) => {
                refused(Outcome::Recipient, Detail::Errcode(43_004))
            }
            Weather::Fair => (quick, true, Verdict::new(Outcome::Accepted, Detail::Taken)),
            Weather::Down if self.dice.chance(700) => {
                refused(Outcome::RetrySoon, Detail::NoConnection)
            }
            Weather::Down => {
                let verdict = Verdict::new(Outcome::Unknown, Detail::Timeout);
                (TIMEOUT_MS, false, verdict)
            }
            Weather::Silent => {
                let verdict = Verdict::new(Outcome::Unknown, Detail::Timeout);
                (TIMEOUT_MS, self.dice.chance(500), verdict)
            }
            Weather::Throttled => {
                let at = later(self.dice.range(1, 120));
                refused(Outcome::Throttled(at), Detail::Errcode(45_009))
            }
            Weather::BadToken => refused(without_token(message.id.0[0]), Detail::TokenRefused),
            Weather::Misconfigured => refused(Outcome::Configuration, Detail::Errcode(40_164)),
            Weather::Gusty(_) => match self.dice.below(12) {
                0 | 1 => {
                    // The answer is lost after the message was taken.
                    let verdict = Verdict::new(Outcome::Unknown, Detail::Dropped);
                    (quick, true, verdict)
                }
                2 | 3 => refused(Outcome::Unknown, Detail::Dropped),
                4 => {
                    let taken = self.dice.chance(500);
                    let verdict = Verdict::new(Outcome::Unknown, Detail::Timeout);
                    (TIMEOUT_MS, taken, verdict)
                }
                5 => refused(Outcome::RetrySoon, Detail::NoConnection),
                6 => {
                    let at = later(self.dice.range(1, 900));
                    refused(Outcome::RetryAt(at), Detail::Errcode(45_011))
                }
                7 => {
                    let verdict = Verdict {
                        tries_max: Some(3),
                        ..Verdict::new(Outcome::RetryAt(later(60)), Detail::Errcode(47_003))
                    };
                    (quick, false, verdict)
                }
                8 => {
                    let at = later(self.dice.range(1, 60));
                    refused(Outcome::Throttled(at), Detail::Errcode(45_009))
                }
                9 => refused(Outcome::BadToken, Detail::TokenRefused),
                10 => refused(Outcome::Message, Detail::Errcode(47_001)),
                _ => refused(Outcome::Configuration, Detail::Errcode(40_164)),
            },
        }
    }
}

/// Tokens are refused, or cannot be had for up to half a minute.
fn without_token(chance: u8) -> Outcome {
    match chance {
        0..=127 => Outcome::BadToken,
        _ => Outcome::NoToken(SignedDuration::from_millis(1 << (chance % 16))),
    }
}

impl Carrier for Api {
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a> {
        Box::pin(async move {
            let waits = {
                let mut state = self.state();
                state.under_way += 1;
                // For a token or a connection.
                if state.dice.chance(20) {
                    state.dice.range(1, 90_000)
                } else {
                    0
                }
            };
            if waits > 0 {
                self.clock.after(waits).await;
            }
            if !message.permit.holds() {
                self.state().under_way -= 1;
                return Verdict::new(Outcome::NotSent, Detail::NotPermitted);
            }
            let (latency, verdict) = self.take(&message, waits);
            self.clock.after(latency).await;
            let mut state = self.state();
            state.under_way = state.under_way.saturating_sub(1);
            drop(state);
            verdict
        })
    }

    fn ask(&self, now: Timestamp) -> Outcome {
        match self.weather() {
            Weather::Fair | Weather::Gusty(_) => Outcome::Accepted,
            Weather::Down | Weather::Silent => Outcome::RetrySoon,
            Weather::Throttled => {
                let span = SignedDuration::from_mins(1);
                Outcome::Throttled(now.saturating_add(span).unwrap_or(Timestamp::MAX))
            }
            Weather::BadToken => Outcome::BadToken,
            Weather::Misconfigured => Outcome::Configuration,
        }
    }

    fn resend_within(&self) -> Option<SignedDuration> {
        Some(SignedDuration::from_mins(8))
    }
}
