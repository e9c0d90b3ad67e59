//! What is learned, in tables; and what comes of it, with the gate in front of APIs of several kinds.

use super::super::gate::{Gate, Passage};
use super::super::pace::Pace;
use super::*;
use crate::messaging::Outcome;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_772_409_600_000 + ms).unwrap()
}

/// A burst of which the API took `taken` and refused `refused`.
fn burst(taken: u32, refused: u32) -> Throttle {
    let mut throttle = Throttle::default();
    for _ in 0..taken {
        throttle.taken(at(0));
    }
    for _ in 0..refused {
        throttle.refused(at(1_000), false, at(0));
    }
    throttle
}

#[test]
fn a_burst_that_is_cut_off_teaches_how_much_a_second_the_api_takes() {
    for (taken, refused, learned) in [
        (20, 12, Some(18.0)),
        (20, 3, Some(18.0)),
        (500, 60, Some(450.0)),
        // One or two may be chance.
        (20, 1, None),
        (20, 2, None),
        // It took nothing: that is no speed.
        (0, 32, None),
    ] {
        let mut throttle = burst(taken, refused);
        assert_eq!(throttle.rate(at(500)), None, "not before the gate opens");
        throttle.opened(at(1_000));
        assert_eq!(throttle.rate(at(1_000)), learned, "{taken} {refused}");
    }
}

#[test]
fn refusals_here_and_there_are_chance() {
    let mut throttle = Throttle::default();
    for _ in 0..50 {
        throttle.taken(at(0));
        throttle.refused(at(1_000), false, at(0));
        throttle.refused(at(1_000), false, at(0));
    }
    throttle.opened(at(1_000));
    assert_eq!(throttle.rate(at(1_000)), None);
}

#[test]
fn what_is_limited_by_more_than_a_second_teaches_nothing() {
    let mut by_the_minute = burst(20, 0);
    for _ in 0..12 {
        by_the_minute.refused(at(40_000), false, at(0));
    }
    by_the_minute.opened(at(40_000));
    assert_eq!(by_the_minute.rate(at(40_000)), None);

    let mut probe_refused = burst(20, 12);
    probe_refused.refused(at(2_000), true, at(1_000));
    probe_refused.opened(at(3_000));
    assert_eq!(probe_refused.rate(at(3_000)), None);

    let mut used_up = burst(20, 12);
    used_up.opened(at(1_000));
    used_up.forget();
    assert_eq!(used_up.rate(at(1_000)), None);
}

#[test]
fn the_speed_rises_slowly_to_what_was_taken_and_then_ever_faster_until_it_is_forgotten() {
    let mut throttle = burst(100, 20);
    throttle.opened(at(0));
    for (second, rate) in [
        (0, Some(90.0)),
        (6, Some(95.0)),
        (12, Some(100.0)),
        (16, Some(200.0)),
        (32, Some(3_200.0)),
        (39, Some(10_763.5)),
        (40, None),
        // A clock that was read a little earlier, and one that was set back.
        (-4, Some(90.0)),
        (-6, None),
    ] {
        let found = throttle.rate(at(second * 1_000));
        let found = found.map(|found| (found * 10.0).round() / 10.0);
        assert_eq!(found, rate, "{second}");
    }
}

#[test]
fn a_refusal_lowers_the_speed_to_what_was_taken_but_never_by_a_third_at_once() {
    for (taken, ceiling) in [(20, 20.0), (18, 20.0), (17, 17.0), (3, 14.0), (0, 14.0)] {
        let after = ceiling * START;
        let mut throttle = burst(20, 12);
        throttle.opened(at(0));
        // After twelve seconds it leaves at twenty a second.
        for _ in 0..taken {
            throttle.taken(at(11_950));
        }
        throttle.refused(at(13_000), false, at(12_000));
        throttle.opened(at(13_000));
        let rate = throttle.rate(at(13_000)).unwrap();
        assert!((rate - after).abs() < 1e-9, "{taken}: {rate}");
    }
}

#[test]
fn the_slowest_is_one_message_a_second() {
    let mut slow = burst(2, 9);
    for seconds in (0..200).step_by(10) {
        slow.opened(at(seconds * 1_000));
        slow.refused(
            at(seconds * 1_000 + 8_500),
            false,
            at(seconds * 1_000 + 7_500),
        );
    }
    slow.opened(at(200_000));
    assert_eq!(slow.rate(at(200_000)), Some(RATE_MIN));
}

#[test]
fn what_is_refused_soon_however_slowly_it_leaves_is_not_slowed_down_any_more() {
    let mut throttle = burst(100, 20);
    let mut rates = Vec::new();
    for round in 0..5 {
        let now = at(round * 4_000);
        throttle.opened(now);
        rates.push(throttle.rate(now).is_some());
        throttle.refused(now + SignedDuration::from_secs(4), false, now + SECOND * 3);
    }
    assert_eq!(rates, [true, true, true, false, false]);
}

#[test]
fn the_most_of_any_second_is_counted_over_its_edges() {
    let mut taken = Taken::default();
    for ms in [0, 400, 900, 950, 999, 1_050, 1_399] {
        taken.add(at(ms));
    }
    assert_eq!(taken.most, 6, "from 400 to 1399");
    taken.add(at(9_000));
    assert_eq!(taken.most, 6);
    taken.add(at(-50_000));
    assert_eq!(taken.slots.iter().sum::<u32>(), 1, "the clock was set");
}

/// How an API counts what it takes.
#[derive(Clone, Copy, Debug)]
enum Counting {
    /// So many in each second of its clock.
    Fixed,
    /// So many in any second.
    Sliding,
    /// A bucket of twice as many, filled steadily.
    Bucket,
}

/// An API that takes so many messages a second, from `from` until `until`.
struct Api {
    counting: Counting,
    limit: u32,
    from: i64,
    until: i64,
    second: (i64, u32),
    taken: VecDeque<i64>,
    bucket: (i64, f64),
}

impl Api {
    fn new(counting: Counting, limit: u32, from: i64, until: i64) -> Self {
        Self {
            counting,
            limit,
            from,
            until,
            second: (i64::MIN, 0),
            taken: VecDeque::new(),
            bucket: (from, f64::from(2 * limit)),
        }
    }

    fn takes(&mut self, ms: i64) -> bool {
        if !(self.from..self.until).contains(&ms) {
            return true;
        }
        match self.counting {
            Counting::Fixed => {
                let second = ms.div_euclid(1_000);
                if self.second.0 != second {
                    self.second = (second, 0);
                }
                self.second.1 += 1;
                self.second.1 <= self.limit
            }
            Counting::Sliding => {
                while self.taken.front().is_some_and(|at| ms - at >= 1_000) {
                    self.taken.pop_front();
                }
                let takes = self.taken.len() < self.limit as usize;
                if takes {
                    self.taken.push_back(ms);
                }
                takes
            }
            Counting::Bucket => {
                let (filled, level) = self.bucket;
                let more = f64::from(self.limit) * (ms - filled) as f64 / 1_000.0;
                let level = (level + more).min(f64::from(2 * self.limit));
                let takes = level >= 1.0;
                self.bucket = (ms, if takes { level - 1.0 } else { level });
                takes
            }
        }
    }
}

/// A dispatcher with its workers, reduced to what the gate and the pace decide.
struct Sender {
    gate: Gate,
    pace: Pace,
    workers: usize,
    /// Milliseconds between a request and its answer, at least; half as much more at most.
    trip: i64,
    /// (when the answer comes, what it is)
    under_way: VecDeque<(i64, Outcome)>,
    /// One message in so many is refused whatever the speed.
    one_in: Option<u64>,
    dice: u64,
    waiting: u64,
    taken: Vec<u32>,
    refused: u64,
    gaps: Vec<i64>,
}

impl Sender {
    fn new(workers: usize, trip: i64) -> Self {
        Self {
            gate: Gate::default(),
            pace: Pace::new(Duration::ZERO),
            workers,
            trip,
            under_way: VecDeque::new(),
            one_in: None,
            dice: 1,
            waiting: 0,
            taken: Vec::new(),
            refused: 0,
            gaps: Vec::new(),
        }
    }

    /// A number that looks like chance and is the same in each run.
    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }

    /// One millisecond, at which `fresh` more messages want to leave.
    fn tick(&mut self, api: &mut Api, ms: i64, fresh: u64) {
        self.waiting += fresh;
        self.taken.resize(ms as usize / 1_000 + 1, 0);
        let now = at(ms);
        while self.under_way.front().is_some_and(|(end, _)| *end <= ms) {
            let (_, outcome) = self.under_way.pop_front().unwrap();
            if outcome == Outcome::Accepted {
                self.taken[ms as usize / 1_000] += 1;
            } else {
                self.waiting += 1;
                self.refused += 1;
                self.gaps.push(ms);
            }
            self.gate.tried(outcome, now);
        }
        let free = self.workers - self.under_way.len();
        let wanted = free.min(usize::try_from(self.waiting).unwrap());
        let elapsed = Duration::from_millis(ms as u64);
        let passage = self.gate.pass(now);
        if passage != Passage::Open {
            self.pace.drain(elapsed);
        }
        let sent = match passage {
            Passage::Closed(_) => 0,
            Passage::Probe | Passage::Confirm if wanted == 0 => {
                self.gate.probe_dropped();
                0
            }
            Passage::Probe | Passage::Confirm => 1,
            Passage::Open => match self.gate.rate(now) {
                None => wanted,
                Some(rate) => self.pace.allow(wanted, rate, elapsed),
            },
        };
        for _ in 0..sent {
            let chance = self.one_in.is_some_and(|of| self.roll().is_multiple_of(of));
            let outcome = if !chance && api.takes(ms) {
                Outcome::Accepted
            } else {
                Outcome::Throttled(now + SECOND)
            };
            let trip = self.trip + (self.roll() % (self.trip as u64 / 2 + 1)) as i64;
            let end = ms + trip;
            let place = self.under_way.partition_point(|(other, _)| *other <= end);
            self.under_way.insert(place, (end, outcome));
            self.waiting -= 1;
        }
    }

    /// Messages taken a second, on average of these seconds.
    fn speed(&self, seconds: std::ops::Range<usize>) -> f64 {
        let count = seconds.len() as f64;
        f64::from(self.taken[seconds].iter().sum::<u32>()) / count
    }
}

fn countings() -> impl Strategy<Value = Counting> {
    prop_oneof![
        Just(Counting::Fixed),
        Just(Counting::Sliding),
        Just(Counting::Bucket),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn four_fifths_of_a_limit_are_used_within_a_minute_and_all_speed_a_minute_after_its_end(
        counting in countings(),
        limit in 3_u32..200,
        workers in 16_usize..40,
        trip in 10_i64..40,
        phase in 0_i64..1_000,
    ) {
        // What the workers can do is more than what the API takes.
        prop_assume!(workers as f64 * 1_000.0 / trip as f64 > 2.0 * f64::from(limit));
        let (from, until) = (5_000 + phase, 200_000);
        let mut api = Api::new(counting, limit, from, until);
        let mut sender = Sender::new(workers, trip);
        for ms in 0..280_000 {
            // There is always more than can leave.
            let fresh = 1_000_u64.saturating_sub(sender.waiting);
            sender.tick(&mut api, ms, fresh);
        }
        let speed = sender.speed(66..200);
        prop_assert!(speed >= 0.8 * f64::from(limit), "{speed} of {limit}");
        // In the first minute, too, if not quite.
        let first = sender.speed(6..66);
        prop_assert!(first >= 0.7 * f64::from(limit), "{first} of {limit} at first");
        // Few tries are burnt for it: two a second where that few do not tell a limit from chance,
        // and now and then all that were under way.
        let most = 2 * 195 + 10 * workers as u64;
        prop_assert!(sender.refused < most, "{} were refused", sender.refused);
        let before = sender.speed(1..5);
        let after = sender.speed(260..280);
        prop_assert!(after >= 0.99 * before, "{after} instead of {before} a minute after it");
    }

    #[test]
    fn a_refusal_by_chance_slows_nobody_down(
        load in 1_u64..80,
        one_in in 200_u64..400,
        dice in 1_u64..,
    ) {
        let mut api = Api::new(Counting::Fixed, 1, i64::MAX, i64::MAX);
        let mut sender = Sender::new(32, 10);
        (sender.one_in, sender.dice) = (Some(one_in), dice);
        let mut most = 0;
        for ms in 0..180_000_i64 {
            let due = (ms as u64 + 1) * load / 1_000 - ms as u64 * load / 1_000;
            sender.tick(&mut api, ms, due);
            most = most.max(sender.waiting);
        }
        // What gathers is what came in some of the pauses.
        prop_assert!(most <= load * 12 + 32, "{most} waited at {load} a second");
    }
}

#[test]
fn pauses_of_a_limit_that_is_met_again_are_seconds_apart() {
    let mut api = Api::new(Counting::Fixed, 20, 0, i64::MAX);
    let mut sender = Sender::new(32, 10);
    for ms in 0..120_000 {
        let fresh = 100_u64.saturating_sub(sender.waiting);
        sender.tick(&mut api, ms, fresh);
    }
    sender
        .gaps
        .dedup_by(|later, earlier| *later - *earlier < 500);
    let late: Vec<i64> = sender
        .gaps
        .iter()
        .filter(|ms| **ms > 10_000)
        .copied()
        .collect();
    assert!(late.len() <= 12, "one in nine seconds: {late:?}");
    assert!(sender.speed(10..120) >= 16.5, "{}", sender.speed(10..120));
}
