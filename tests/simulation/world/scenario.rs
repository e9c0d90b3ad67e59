//! What is simulated: a seed, a size, and the kinds of faults that are on.

use super::api::Weather;
use super::dice::Dice;
use super::people::Words;
use super::{DAY, HOUR, MINUTE};
use dosed::store::DeliberateFault;
use std::collections::BTreeSet;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Edits,
    BadPlans,
    Removals,
    Gusts,
    Outages,
    Throttles,
    Follows,
    Kills,
    PowerCut,
    DiskErrors,
    Stops,
    Downtime,
    ClockSteps,
    ClockWrong,
    Drift,
    Zones,
    /// Patients answer, and the platform pushes it.
    Answers,
    /// The platform reports what became of messages, early, late or never, and loses some. Only
    /// where answers come does it have anybody to tell.
    Reports,
    /// Plans ask questions; where answers come, patients answer them.
    CheckIns,
}

impl Fault {
    pub const ALL: [Fault; 19] = [
        Fault::Edits,
        Fault::BadPlans,
        Fault::Removals,
        Fault::Gusts,
        Fault::Outages,
        Fault::Throttles,
        Fault::Follows,
        Fault::Kills,
        Fault::PowerCut,
        Fault::DiskErrors,
        Fault::Stops,
        Fault::Downtime,
        Fault::ClockSteps,
        Fault::ClockWrong,
        Fault::Drift,
        Fault::Zones,
        Fault::Answers,
        Fault::Reports,
        Fault::CheckIns,
    ];

    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// All that a run depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub seed: u64,
    pub days: i64,
    pub patients: usize,
    pub faults: BTreeSet<Fault>,
    /// A fault put into the store on purpose.
    pub deliberate: Option<DeliberateFault>,
}

impl Scenario {
    pub fn new(seed: u64, days: i64, patients: usize) -> Self {
        Self {
            seed,
            days,
            patients,
            faults: Fault::ALL.into(),
            deliberate: None,
        }
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// The kinds of faults of this seed: of those that are on some are left out, so that what is
    /// right in peace is seen too.
    pub fn drawn(mut self) -> Self {
        let mut dice = Dice::new(self.seed, "faults");
        let kept = *dice.pick(&[0, 250, 500, 800, 1_000]);
        self.faults.retain(|_| dice.chance(kept));
        self
    }
}

/// Something that happens to the clinic from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Edit,
    Break,
    Mend,
    Remove,
    Return,
    Readable(bool),
    Weather(Weather),
    Follow(bool),
    Kill,
    PowerCut,
    DiskFails,
    Stop,
    /// The wall clock is set ahead of the true one by so many ms.
    SetClock(i64),
    Drift(i64),
    /// A patient says something.
    Says(usize, Words),
    /// The platform has something to say of a message: address, number, whether it was lost.
    Report(String, i64, bool),
    /// The platform pushes what was said, for the first time or again.
    Push(usize),
    Look,
}

impl Event {
    /// Whether the store is opened by another because of it.
    pub fn may_kill(&self) -> bool {
        matches!(
            self,
            Event::Kill | Event::PowerCut | Event::DiskFails | Event::Stop | Event::Look
        )
    }
}

/// All events of a scenario, the last first.
pub fn timeline(scenario: &Scenario) -> Vec<(i64, Event)> {
    let mut events = Vec::new();
    let end = scenario.days * DAY;
    let begin = HOUR;
    for fault in &scenario.faults {
        let mut dice = Dice::new(scenario.seed, &fault.name());
        let per_month = match fault {
            Fault::Edits => 60,
            Fault::BadPlans | Fault::Removals => 6,
            Fault::Gusts => 20,
            Fault::Outages => 8,
            Fault::Throttles => 5,
            Fault::Follows => 8,
            Fault::Kills => 20,
            Fault::PowerCut => 8,
            Fault::DiskErrors => 8,
            Fault::Stops => 6,
            Fault::Downtime | Fault::Zones | Fault::Answers | Fault::Reports | Fault::CheckIns => 0,
            Fault::ClockSteps => 4,
            Fault::ClockWrong => 2,
            Fault::Drift => 4,
        };
        let count = (per_month * scenario.days / 30).max(i64::from(per_month > 0));
        for _ in 0..count {
            let mut at = dice.range(begin, end.max(begin + 1));
            if dice.chance(600) {
                // Where most happens: around a quarter of an hour.
                at = at / (15 * MINUTE) * (15 * MINUTE) + dice.range(-5_000, 20_000);
            }
            happen(*fault, &mut dice, at.max(begin), &mut events);
        }
    }
    let mut dice = Dice::new(scenario.seed, "looks");
    for _ in 0..(scenario.days / 6).max(1) {
        events.push((dice.range(begin, end.max(begin + 1)), Event::Look));
    }
    events.retain(|(at, _)| *at < end);
    events.sort_by_key(|(at, _)| *at);
    events.reverse();
    events
}

fn happen(fault: Fault, dice: &mut Dice, at: i64, events: &mut Vec<(i64, Event)>) {
    let brief = dice.range(MINUTE, 40 * MINUTE);
    let long = dice.range(MINUTE, 9 * HOUR);
    let span = if dice.chance(700) { brief } else { long };
    match fault {
        Fault::Edits => {
            // Several in a row are edits of an edit.
            let count = *dice.pick(&[1, 1, 1, 2, 4]);
            for number in 0..count {
                events.push((at + number * dice.range(1_000, 10 * MINUTE), Event::Edit));
            }
        }
        Fault::BadPlans => {
            if dice.chance(200) {
                events.push((at, Event::Readable(false)));
                events.push((at + span, Event::Readable(true)));
            } else {
                events.push((at, Event::Break));
                events.push((at + long, Event::Mend));
            }
        }
        Fault::Removals => {
            events.push((at, Event::Remove));
            events.push((at + long * dice.range(1, 12), Event::Return));
        }
        Fault::Gusts => {
            let strength = dice.range(50, 900) as u64;
            events.push((at, Event::Weather(Weather::Gusty(strength))));
            events.push((at + span, Event::Weather(Weather::Fair)));
        }
        Fault::Outages => {
            let weather = *dice.pick(&[Weather::Down, Weather::Silent]);
            events.push((at, Event::Weather(weather)));
            events.push((at + span, Event::Weather(Weather::Fair)));
        }
        Fault::Throttles => {
            let weather = *dice.pick(&[
                Weather::Throttled,
                Weather::BadToken,
                Weather::Misconfigured,
            ]);
            events.push((at, Event::Weather(weather)));
            events.push((at + span, Event::Weather(Weather::Fair)));
        }
        Fault::Follows => {
            events.push((at, Event::Follow(false)));
            events.push((at + long * 4, Event::Follow(true)));
        }
        Fault::Kills => events.push((at, Event::Kill)),
        Fault::PowerCut => events.push((at, Event::PowerCut)),
        Fault::DiskErrors => events.push((at, Event::DiskFails)),
        Fault::Stops => events.push((at, Event::Stop)),
        Fault::ClockSteps => {
            let ahead = *dice.pick(&[
                -2_000,
                2_000,
                -5 * MINUTE,
                5 * MINUTE,
                -HOUR,
                HOUR,
                -20 * HOUR,
                30 * HOUR,
                6 * DAY,
            ]);
            events.push((at, Event::SetClock(ahead)));
            events.push((at + span, Event::SetClock(0)));
        }
        Fault::ClockWrong => {
            // A boot without a battery, or with another's.
            let ahead = *dice.pick(&[-3 * DAY, -400 * DAY, 10 * DAY, 40 * DAY]);
            events.push((at, Event::PowerCut));
            events.push((at, Event::SetClock(ahead)));
            events.push((at + span, Event::SetClock(0)));
        }
        Fault::Drift => events.push((at, Event::Drift(dice.range(-30, 30)))),
        Fault::Downtime | Fault::Zones | Fault::Answers | Fault::Reports | Fault::CheckIns => {}
    }
}
