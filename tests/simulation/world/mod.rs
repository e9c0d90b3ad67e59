//! A simulated clinic: the daemon's own engine, store and tasks on a machine, a network, a clock
//! and people that are made up, on one thread and in no real time. The same scenario gives the
//! same run, byte for byte.

mod api;
mod calendar;
mod chart;
mod clock;
mod dice;
mod disk;
mod executor;
mod facts;
mod oracle;
mod people;
mod process;
mod scenario;
mod shrink;

pub use oracle::Numbers;
pub use scenario::{Fault, Scenario};
pub use shrink::{replay, shrink};

use api::{Api, Weather};
use chart::Chart;
use clock::SimClock;
use dice::Dice;
use disk::Disk;
use dosed::engine::MessageId;
use dosed::messaging::Limits;
use facts::{Facts, Trouble};
use jiff::Timestamp;
use people::{PATIENCE, Platform, Words};
use process::{Folder, Process, Site};
use scenario::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A quarter of all instructions were those of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// After the last fault the clinic runs on for so long.
const CONVALESCENCE: i64 = 3 * HOUR;

/// The kernel's word about a clock in doubt is asked for at least so often.
const WORD_WITHIN: i64 = 2 * MINUTE;

/// A request under way takes no longer than this, with what it waits for before it leaves: then
/// the daemon that was asked to end has ended.
const END_WITHIN: i64 = 2 * MINUTE;

/// Parts of `/health`.
const CLOCK: &str = "clock:step";
const PLANS: &str = "plans:active";
const SENDING: &str = "messaging:send";

/// What may end the process within this is near.
const NEAR: i64 = 5 * MINUTE;

/// A task that is polled so often at one instant spins.
const POLLS_MAX: u64 = 2_000_000;

/// What a run gives.
pub struct Outcome {
    /// What was found to be wrong first.
    pub failure: Option<String>,
    /// A hash over all that happened.
    pub trace: u64,
    /// All that happened, if it was asked for.
    pub lines: String,
    /// Messages that came to the API.
    pub sent: usize,
    pub restarts: u64,
    pub numbers: Numbers,
}

/// Runs a scenario to its end, or to the first thing that is wrong.
pub fn run(scenario: &Scenario, tell: bool) -> Outcome {
    let mut world = World::new(scenario, tell);
    let failure = world.live().err();
    if let Some(failure) = &failure {
        world.note(failure);
    }
    let first_line = |it: String| it.lines().next().unwrap_or_default().to_owned();
    Outcome {
        failure: failure.map(first_line),
        trace: world.trace,
        lines: world.lines,
        sent: world.site.api.sent(),
        restarts: world.restarts,
        numbers: world.numbers,
    }
}

struct World {
    scenario: Scenario,
    site: Site,
    process: Option<Process>,
    events: Vec<(i64, Event)>,
    order: Dice,
    chance: Dice,
    people: Dice,
    answers: Dice,
    questions: Dice,
    /// So many blood pressures has each patient said.
    measured: Vec<u32>,
    platform: Platform,
    /// Messages that were lost and of which that will be reported, by their number.
    lost: BTreeMap<i64, MessageId>,
    /// Who has said that they unfollow, and since when; until it is known that they are back.
    away: BTreeMap<(usize, String), i64>,
    /// From which phone they did.
    left: BTreeMap<usize, String>,
    charts: Vec<Chart>,
    /// Patients whose text in the folder is broken.
    broken: BTreeSet<usize>,
    gone: BTreeSet<usize>,
    /// The folder cannot be read.
    unreadable: bool,
    facts: Facts,
    base_offset: i64,
    end: i64,
    starts_at: Option<i64>,
    /// The machine has started anew since a process ran.
    booted: bool,
    /// When the wall clock was set ahead since a process has started, and what it showed before and
    /// after.
    set_ahead: Vec<(i64, i64, i64)>,
    /// When the daemon was asked to end.
    stops_since: Option<i64>,
    down_since: Option<i64>,
    /// When the last process ended that had lived for a minute, by the wall clock of then.
    idle_since: Option<i64>,
    /// When the last process started, by the steady clock.
    started_at: i64,
    /// Since when the API has not been as it should.
    foul_since: Option<i64>,
    /// Since when the daemon has not believed the clock, by that clock.
    held_since: Option<i64>,
    /// What keeps reminders from patients, as the part of `/health` that must say so, and since
    /// when, in true time (G10).
    ailing: BTreeMap<&'static str, i64>,
    /// When somebody at the clinic has come to look after a clock that is held.
    looks_after_clock_at: Option<i64>,
    /// Since when the clock has been right and a process has run, in true time.
    could_know_since: i64,
    restarts: u64,
    edits: u64,
    /// What was seen to happen last, and how long nothing has.
    activity: (usize, u64),
    idle: i64,
    told: usize,
    numbers: Numbers,
    trace: u64,
    lines: String,
    tell: bool,
}

impl World {
    fn new(scenario: &Scenario, tell: bool) -> Self {
        let seed = scenario.seed;
        let mut people = Dice::new(seed, "people");
        let begin: Timestamp = people
            .pick(&[
                "2026-03-05T09:00:00Z",
                "2026-03-24T22:00:00Z",
                "2026-10-20T01:00:00Z",
                "2028-02-21T12:00:00Z",
                "2027-12-20T05:00:00Z",
                "2026-06-01T00:00:00Z",
            ])
            .parse()
            .expect("these are instants");
        let clock = SimClock::starting(begin);
        if Dice::new(seed, "time service").chance(600) {
            clock.serve();
        }
        let reports = scenario.has(Fault::Answers) && scenario.has(Fault::Reports);
        let fates = reports.then(|| Dice::new(seed, "fates"));
        let api = Api::new(clock.clone(), Dice::new(seed, "api"), fates);
        let mut dice = Dice::new(seed, "disk");
        let disk = Disk::new(clock.clone(), &mut dice, scenario.deliberate);
        let folder = Folder::default();
        let config = process::config(scenario.has(Fault::Answers));
        // With narrow fields some reminders are split, with none all are one.
        let limits = if people.chance(500) {
            config.limits()
        } else {
            Limits::Unlimited
        };
        let site = Site {
            clock,
            disk,
            api,
            folder,
            config,
            limits,
        };
        let end = scenario.days * DAY;
        let mut world = Self {
            events: scenario::timeline(scenario),
            order: Dice::new(seed, "order"),
            chance: Dice::new(seed, "chance"),
            people,
            answers: Dice::new(seed, "answers"),
            questions: Dice::new(seed, "questions"),
            measured: vec![0; scenario.patients],
            platform: Platform::default(),
            lost: BTreeMap::new(),
            away: BTreeMap::new(),
            left: BTreeMap::new(),
            charts: Vec::new(),
            broken: BTreeSet::new(),
            gone: BTreeSet::new(),
            unreadable: false,
            facts: Facts::new(scenario.patients, scenario.has(Fault::Answers)),
            base_offset: site.clock.offset(),
            end,
            starts_at: Some(0),
            stops_since: None,
            booted: false,
            set_ahead: Vec::new(),
            down_since: None,
            idle_since: None,
            started_at: 0,
            foul_since: None,
            held_since: None,
            ailing: BTreeMap::new(),
            looks_after_clock_at: None,
            could_know_since: 0,
            restarts: 0,
            edits: 0,
            activity: (0, 0),
            idle: 0,
            told: 0,
            numbers: Numbers::default(),
            trace: 0xcbf2_9ce4_8422_2325,
            lines: String::new(),
            tell,
            process: None,
            scenario: scenario.clone(),
            site,
        };
        for patient in 0..scenario.patients {
            let today = world.today();
            let zones = scenario.has(Fault::Zones);
            let mut chart = Chart::new(&mut world.people, patient, today, zones);
            if scenario.has(Fault::CheckIns) {
                chart.ask(&mut world.questions, today);
            }
            world.charts.push(chart);
            world.write(patient);
        }
        world
    }

    /// Notes what happened.
    fn note(&mut self, what: &str) {
        let at = self.site.clock.steady();
        for byte in at.to_le_bytes().into_iter().chain(what.bytes()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.tell {
            let shown = self.show(self.site.clock.wall());
            writeln!(self.lines, "{at:>12} {shown} {what}").expect("a String takes any text");
        }
    }

    fn show(&self, wall: i64) -> String {
        Timestamp::from_millisecond(wall).map_or_else(|_| wall.to_string(), |at| at.to_string())
    }

    fn today(&self) -> jiff::civil::Date {
        let wall = self.base_offset + self.site.clock.steady();
        calendar::date(&jiff::tz::TimeZone::UTC, wall)
    }

    /// Puts a patient's present chart into the folder.
    fn write(&mut self, patient: usize) {
        let text = self.charts[patient].text();
        let chart = self.charts[patient].clone();
        self.facts.charts.insert(format!("# {}", chart.edit), chart);
        self.broken.remove(&patient);
        self.gone.remove(&patient);
        self.site.folder.write(&slug(patient), text);
    }

    fn live(&mut self) -> Result<(), String> {
        // The store is made under another name until it is whole.
        drop(Process::start(&self.site).map_err(|error| error.to_string())?);
        self.site.disk.kill();
        let mut last = self.end + CONVALESCENCE;
        let mut healed = false;
        loop {
            self.run_tasks()?;
            let now = self.site.clock.steady();
            if now >= self.end && !healed {
                healed = true;
                self.heal()?;
                continue;
            }
            if now >= last {
                // What falls in this moment is still under way.
                let waits = self.process.as_ref().is_some_and(|it| it.outbox() > 0);
                if waits && last < self.end + CONVALESCENCE + 10 * MINUTE {
                    last += 20 * SECOND;
                    continue;
                }
                return self.look(true);
            }
            let target = if healed { last } else { self.end };
            let at = self.next_instant().min(target);
            let coming = self.events.iter().rev();
            let mut coming = coming.take_while(|(coming, _)| coming - at < NEAR);
            let is_near = at + NEAR > target
                || coming.any(|(_, event)| event.may_kill())
                || self.site.api.is_about_to_die();
            if self.site.disk.expect_crash(is_near)
                && let Some(process) = &self.process
            {
                process.sync();
            }
            self.site.clock.advance(at);
            while self
                .events
                .last()
                .is_some_and(|(at, _)| *at <= self.site.clock.steady())
                && !healed
            {
                if let Some((_, event)) = self.events.pop() {
                    self.happen(&event)?;
                }
            }
            if self
                .starts_at
                .is_some_and(|at| at <= self.site.clock.steady())
            {
                self.start();
            }
        }
    }

    /// Polls tasks until none is ready.
    fn run_tasks(&mut self) -> Result<(), String> {
        let mut polls = 0;
        loop {
            let Some(process) = &mut self.process else {
                break;
            };
            let turned = process.turn(&mut self.order);
            if self.site.disk.has_died() || self.site.api.has_died() {
                self.note("the process dies in a call");
                let cut = self.scenario.has(Fault::PowerCut) && self.chance.chance(400);
                self.crash(cut)?;
                break;
            }
            if !turned {
                break;
            }
            polls += 1;
            if polls > POLLS_MAX {
                return Err("a task spins: time stands still".to_owned());
            }
        }
        if let Some(process) = &self.process {
            if process.is_stopping() && process.running() == 0 {
                self.note("the daemon has ended in good order");
                self.gone_down();
            } else if process.has_lost_its_store() {
                self.note("the daemon has lost its store and ends");
                self.crash(false)?;
            }
        }
        let stops_for = self
            .stops_since
            .map_or(0, |it| self.site.clock.steady() - it);
        if stops_for > END_WITHIN && self.site.disk.is_sound() {
            return Err("the daemon was asked to end and does not".to_owned());
        }
        self.hear();
        self.watch_clock()?;
        self.watch_health()
    }

    /// What keeps reminders from patients is told of within a minute (G10).
    fn watch_health(&mut self) -> Result<(), String> {
        let now = self.site.clock.steady();
        let Some(process) = self.process.as_ref().filter(|it| !it.is_stopping()) else {
            self.ailing.clear();
            return Ok(());
        };
        let is_held = process.is_held();
        let texts = self.broken.difference(&self.gone).next().is_some();
        let unread = self.unreadable || (texts && self.site.disk.is_sound());
        for (part, is_so) in [(CLOCK, is_held), (PLANS, unread)] {
            if is_so {
                self.ailing.entry(part).or_insert(now);
            } else {
                self.ailing.remove(part);
            }
        }
        for (part, since) in &mut self.ailing {
            if now - *since > MINUTE {
                if !process.tells_of(part) {
                    return Err(format!("G10: nothing is said of {part} for a minute"));
                }
                // It is looked at again after another.
                *since = now;
            }
        }
        Ok(())
    }

    /// Whether the daemon believes the clock. Where a time service runs a right clock must be
    /// believed soon; elsewhere somebody at the clinic comes after hours and says that it is right.
    fn watch_clock(&mut self) -> Result<(), String> {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let (wall, now) = (self.site.clock.wall(), self.site.clock.steady());
        if !process.is_held() {
            self.looks_after_clock_at = None;
            if let Some(since) = self.held_since.take() {
                let (from, until) = (since.min(wall), since.max(wall));
                self.facts
                    .trouble(Trouble::Clock, from - 2 * MINUTE, until + 10 * MINUTE);
            }
            return Ok(());
        }
        self.held_since.get_or_insert(wall);
        if !self.site.clock.is_right() || process.is_stopping() {
            self.could_know_since = now;
            return Ok(());
        }
        if self.site.clock.has_service() {
            if now - self.could_know_since > WORD_WITHIN {
                return Err(
                    "G8: sending is held though the kernel says that the clock is right".to_owned(),
                );
            }
            return Ok(());
        }
        let comes_at = match self.looks_after_clock_at {
            _ if now >= self.end => now,
            Some(at) => at,
            None => now + self.chance.range(10 * MINUTE, 20 * HOUR),
        };
        self.looks_after_clock_at = Some(comes_at);
        if comes_at <= now {
            self.accept_clock();
        }
        Ok(())
    }

    /// Somebody at the clinic says that the clock is right.
    fn accept_clock(&mut self) {
        let accepted = self
            .process
            .as_ref()
            .is_some_and(|it| it.shared.accept_clock("an operator"));
        if accepted {
            self.idle = 0;
            self.note("somebody says that the clock is right");
        }
    }

    /// Notes what came to the API.
    fn hear(&mut self) {
        for sent in self.site.api.sent_since(self.told) {
            self.told += 1;
            let trouble = match sent.outcome {
                dosed::messaging::Outcome::Accepted if sent.waited < SECOND && !sent.lost => None,
                dosed::messaging::Outcome::Recipient => Some(Trouble::Unfollowed),
                _ => Some(Trouble::Api),
            };
            let weather = self.site.api.weather();
            let is_foul = !matches!(weather, Weather::Fair | Weather::Gusty(_));
            if is_foul && matches!(trouble, Some(Trouble::Api)) && !sent.lost {
                self.ailing.entry(SENDING).or_insert(sent.steady);
            }
            if let Some(kind) = trouble {
                // What follows may wait behind it.
                let since = sent.wall - sent.waited - 2 * MINUTE;
                self.facts.trouble(kind, since, sent.wall + 12 * MINUTE);
            }
            let what = format!(
                "{} to {} {:?} {}{}",
                sent.id,
                sent.name,
                sent.doses,
                sent.outcome.name(),
                if sent.delivered { ", delivered" } else { "" }
            );
            self.note(&what);
            if sent.delivered && !sent.doses.is_empty() && self.facts.answers {
                self.react(&sent.name, sent.asks);
            }
            self.facts.note_sent(sent);
        }
        for report in self.site.api.reports() {
            if report.fails {
                self.lost.insert(report.msgid, report.id);
            }
            let event = Event::Report(report.address, report.msgid, report.fails);
            self.schedule(report.at, event);
        }
    }

    /// A patient has been reminded, or asked.
    fn react(&mut self, name: &str, asked: bool) {
        let name = |chart: &Chart| chart.name == name;
        let Some(patient) = self.charts.iter().position(name) else {
            return;
        };
        let now = self.site.clock.steady();
        if asked {
            for after in people::answers(&mut self.questions) {
                // No two of a patient are the same.
                let measured = &mut self.measured[patient];
                *measured += 1;
                let words = Words::Pressure(100 + *measured % 100, 50 + *measured / 100 % 40);
                self.schedule(now + after, Event::Says(patient, words));
            }
            return;
        }
        for (after, words) in people::reaction(&mut self.answers) {
            self.schedule(now + after, Event::Says(patient, words));
        }
    }

    fn schedule(&mut self, at: i64, event: Event) {
        if at < self.end {
            let place = self.events.partition_point(|(other, _)| *other > at);
            self.events.insert(place, (at, event));
        }
    }

    /// A patient says or does something.
    fn say(&mut self, patient: usize, words: Words) {
        let Some(mut openid) = self.charts[patient].openid.clone() else {
            return;
        };
        let wall = self.site.clock.wall();
        match words {
            Words::Unfollows => {
                if self.left.get(&patient).is_some_and(|left| *left != openid) {
                    // One phone at a time.
                    return;
                }
                self.left.insert(patient, openid.clone());
                self.site.api.follow(&openid, false);
                self.away.entry((patient, openid.clone())).or_insert(wall);
            }
            Words::Follows => {
                // Whoever comes back does so from the phone from which they left, though the plan
                // may name another by now.
                openid = self.left.remove(&patient).unwrap_or(openid);
                self.site.api.follow(&openid, true);
            }
            _ => {
                let name = self.charts[patient].name.clone();
                if let Words::Pressure(upper, lower) = words {
                    let said = self.facts.pressures.entry(name.clone()).or_default();
                    said.insert((upper, lower));
                }
                self.facts.speakers.insert(name);
            }
        }
        let now = Timestamp::from_millisecond(wall).unwrap_or(Timestamp::UNIX_EPOCH);
        let number = self
            .platform
            .says(&mut self.answers, patient, &openid, words, now);
        self.note(&format!("p{patient} says {words:?} ({number})"));
        self.push(number);
    }

    /// The platform pushes what was said, unless it knows that it was taken.
    fn push(&mut self, number: usize) {
        let Some(inbound) = self.platform.next_try(number) else {
            return;
        };
        let now = self.site.clock.steady();
        self.schedule(now + PATIENCE, Event::Push(number));
        // What is answered too late, or is lost on the way back, is pushed again.
        let is_heard = self.answers.chance(850);
        let receipt = self.platform.receipt(number);
        if let Some(process) = &mut self.process {
            process.receive(inbound, move || {
                if is_heard {
                    receipt();
                }
            });
        }
    }

    /// Of which lost messages the daemon has taken the report.
    fn hear_what_is_reported(&mut self) {
        for (number, push) in self.platform.pushes.iter().enumerate() {
            if let Words::Report(msgid, true) = push.words
                && self.platform.is_taken(number)
                && let Some(id) = self.lost.remove(&msgid)
            {
                self.facts.reported.insert(id);
            }
        }
    }

    /// What was taken of those that have come back.
    fn hear_who_is_back(&mut self) {
        let wall = self.site.clock.wall();
        let back = self.platform.pushes.iter().enumerate();
        let back: BTreeMap<(usize, String), usize> = back
            .filter(|(_, push)| matches!(push.words, Words::Follows | Words::Unfollows))
            .map(|(number, push)| ((push.patient, push.contact().to_owned()), number))
            .collect();
        for (phone, number) in back {
            let follows = self.platform.pushes[number].words == Words::Follows;
            if follows
                && self.platform.is_taken(number)
                && let Some(since) = self.away.remove(&phone)
            {
                self.facts
                    .trouble(Trouble::Unfollowed, since - MINUTE, wall + 15 * MINUTE);
            }
        }
    }

    /// When something happens next. Where nothing has happened for a while, time passes as if the
    /// machine slept: the tasks look again when it is over.
    fn next_instant(&mut self) -> i64 {
        let now = self.site.clock.steady();
        let event = self.events.last().map_or(i64::MAX, |(at, _)| *at);
        let event = self.starts_at.map_or(event, |at| at.min(event));
        let Some(process) = &self.process else {
            return event;
        };
        let timer = self.site.clock.next_timer().unwrap_or(i64::MAX);
        if process.is_stopping() {
            // No machine falls asleep over the end of its daemon, which takes seconds.
            return event.min(timer).max(now);
        }
        let outbox = process.outbox();
        let activity = (self.site.api.sent(), outbox);
        if activity != self.activity || self.site.api.under_way() > 0 {
            self.activity = activity;
            self.idle = 0;
        } else {
            let is_waited_for = outbox > 0 || self.held_since.is_some();
            self.idle = match self.idle {
                // What is under way in memory comes to its end.
                idle if is_waited_for || idle < 4 * SECOND => (idle * 4).clamp(250, 20 * SECOND),
                _ => HOUR,
            };
        }
        let mut rest = now + self.idle;
        if let Some(wake) = process.shared.vitals.signs().next_wake {
            let wake = wake.as_millisecond() - self.site.clock.offset();
            if wake > now {
                rest = rest.min(wake);
            } else {
                rest = rest.min(now + 20 * SECOND);
            }
        } else {
            // Nobody has looked yet.
            rest = rest.min(now + 20 * SECOND);
        }
        event.min(timer.max(rest)).max(now)
    }

    fn start(&mut self) {
        self.starts_at = None;
        self.idle = 0;
        if self.process.is_some() {
            return;
        }
        match Process::start(&self.site) {
            Ok(process) => {
                self.note("the daemon starts");
                self.booted = false;
                self.set_ahead.clear();
                self.process = Some(process);
                self.restarts += 1;
                self.could_know_since = self.site.clock.steady();
                let now = self.site.clock.wall();
                let held = self.process.as_ref().is_some_and(Process::is_held);
                if let Some(since) = self.down_since.take() {
                    let (since, until) = (since - 2 * MINUTE, now + 2 * MINUTE);
                    self.facts.trouble(Trouble::Down, since, until);
                    if held {
                        let since = self.idle_since.map_or(since, |idle| since.min(idle));
                        self.facts.trouble(Trouble::DownIntoDoubt, since, until);
                    }
                }
                self.started_at = self.site.clock.steady();
            }
            Err(error) => {
                self.note(&format!("the daemon does not start: {error}"));
                self.site.disk.kill();
                self.starts_at = Some(self.site.clock.steady() + 5 * SECOND);
            }
        }
    }

    /// The process is no more.
    fn gone_down(&mut self) {
        self.process = None;
        self.stops_since = None;
        self.site.disk.kill();
        self.site.api.kill();
        let wall = self.site.clock.wall();
        self.down_since.get_or_insert(wall);
        // One that dies as soon as it has started has done nothing.
        if self.site.clock.steady() - self.started_at >= MINUTE {
            self.idle_since = Some(wall);
        }
        let away = *self
            .chance
            .pick(&[SECOND, 5 * SECOND, 5 * SECOND, 2 * MINUTE, 20 * MINUTE]);
        let away = if self.scenario.has(Fault::Downtime) && self.chance.chance(300) {
            self.chance.range(HOUR, 14 * HOUR)
        } else {
            away
        };
        self.starts_at = Some(self.site.clock.steady() + away);
    }

    /// Kills the process, and with `cut` the machine; then looks at what is left.
    fn crash(&mut self, cut: bool) -> Result<(), String> {
        self.hear();
        if let Some(process) = self.process.take() {
            // Handles that are dropped after this write nothing.
            self.site.disk.kill();
            drop(process);
        }
        if cut {
            self.note("the power is cut");
            let mut dice = Dice::new(self.chance.next(), "cut");
            self.site.disk.cut_power(&mut dice);
            self.site.clock.boot();
            self.booted = true;
            let soon = self.site.clock.steady() - MINUTE;
            let unseen = self.set_ahead.iter();
            let unseen = unseen.filter(|(at, ..)| *at >= soon);
            let unseen = unseen.map(|(_, before, after)| (*before, *after));
            self.facts.set_ahead_unseen.extend(unseen);
            self.set_ahead.clear();
        }
        self.gone_down();
        self.look(false)
    }

    /// What is out of order at present, and since when by the wall clock of then.
    fn lasting(&self) -> Vec<(Trouble, i64)> {
        let one = |kind, since: Option<i64>| since.map(|since| (kind, since));
        let away = self.away.values();
        away.map(|since| (Trouble::Unfollowed, *since))
            .chain(one(Trouble::Down, self.down_since))
            .chain(one(Trouble::Api, self.foul_since))
            .chain(one(Trouble::Clock, self.held_since))
            .collect()
    }

    /// The oracle looks at the store.
    fn look(&mut self, last: bool) -> Result<(), String> {
        self.hear();
        self.hear_who_is_back();
        self.hear_what_is_reported();
        self.facts.notes.clear();
        for (number, push) in self.platform.pushes.iter().enumerate() {
            if let Some(note) = &push.note {
                let is_taken = self.platform.is_taken(number);
                self.facts.notes.insert(note.clone(), is_taken);
            }
        }
        let database = self
            .site
            .disk
            .copy()
            .map_err(|error| format!("the store cannot be opened: {error}"))?;
        let now = self.site.clock.wall();
        // What is out of order now is not over, whatever the clock shows.
        let mut open = Vec::new();
        for (kind, since) in self.lasting() {
            open.push((kind, since.min(now) - 2 * MINUTE, i64::MAX));
        }
        self.facts.set_open(open);
        let numbers = oracle::examine(&database, &self.facts, now, last);
        self.facts.set_open(Vec::new());
        self.numbers = numbers?;
        let numbers = format!("{:?}", self.numbers);
        self.note(&numbers);
        Ok(())
    }

    /// All is in order again, and stays so.
    fn heal(&mut self) -> Result<(), String> {
        self.note("all is in order again");
        self.events.clear();
        self.site.disk.spare();
        self.site.api.spare();
        self.set_weather(Weather::Fair);
        if self.site.clock.offset() != self.base_offset {
            self.set_clock(self.base_offset);
        }
        self.accept_clock();
        for patient in 0..self.charts.len() {
            for number in 0..3 {
                self.site.api.follow(&chart::openid(patient, number), true);
            }
            if self.broken.contains(&patient) {
                self.write(patient);
            }
        }
        let now = self.site.clock.wall();
        self.facts
            .trouble(Trouble::Edit, now - MINUTE, now + MINUTE);
        self.site.folder.set_readable(true);
        self.unreadable = false;
        self.site.folder.accept_removals();
        if let Some(process) = &self.process {
            process.reload();
        } else {
            self.starts_at = Some(self.site.clock.steady());
        }
        self.run_tasks()
    }

    fn set_weather(&mut self, weather: Weather) {
        let wall = self.site.clock.wall();
        if let Some(since) = self.foul_since.take() {
            // It goes on until the gate has been probed again.
            self.facts
                .trouble(Trouble::Api, since - MINUTE, wall + 15 * MINUTE);
        }
        self.site.api.set_weather(weather);
        self.ailing.remove(SENDING);
        if weather != Weather::Fair {
            self.foul_since = Some(wall);
        }
    }

    /// Sets the wall clock.
    fn set_clock(&mut self, offset: i64) {
        let before = self.site.clock.wall();
        self.site.clock.set_offset(offset);
        self.could_know_since = self.site.clock.steady();
        let after = self.site.clock.wall();
        // What lasts has lasted until here, whatever the clock shows from now on.
        for (kind, since) in self.lasting() {
            self.facts
                .trouble(kind, since - 2 * MINUTE, before + 15 * MINUTE);
        }
        for since in self.away.values_mut() {
            *since = (*since).min(after);
        }
        if after < before {
            self.facts.set_back.push((after, before));
        } else if self.process.is_some() || !self.booted {
            // Whoever looks at the clocks before the next boot sees it.
            self.set_ahead
                .push((self.site.clock.steady(), before, after));
        } else {
            self.facts.set_ahead_unseen.push((before, after));
        }
        self.facts.trouble(
            Trouble::Clock,
            before.min(after) - 10 * MINUTE,
            before.max(after) + 30 * MINUTE,
        );
        self.note(&format!(
            "the clock is set by {} s",
            (after - before) / SECOND
        ));
    }

    fn happen(&mut self, event: &Event) -> Result<(), String> {
        self.idle = 0;
        let zones = self.scenario.has(Fault::Zones);
        let wall = self.site.clock.wall();
        match event {
            Event::Edit => {
                let patient = self.chance.below(self.charts.len() as u64) as usize;
                if self.gone.contains(&patient) {
                    return Ok(());
                }
                let today = self.today();
                let chart = &mut self.charts[patient];
                let asks = self.scenario.has(Fault::CheckIns) && self.questions.chance(200);
                let what = if asks {
                    chart.edit_check_ins(&mut self.questions, today)
                } else {
                    chart.edit(&mut self.people, patient, today, zones)
                };
                self.edits += 1;
                self.charts[patient].edit = format!("p{patient} {}", self.edits);
                self.write(patient);
                self.note(&format!(
                    "edit of p{patient}: {what}\n{}",
                    self.charts[patient].text()
                ));
                self.edited();
            }
            Event::Break => {
                let patient = self.chance.below(self.charts.len() as u64) as usize;
                if self.gone.contains(&patient) {
                    return Ok(());
                }
                let text = self.charts[patient].broken(&mut self.people);
                self.broken.insert(patient);
                self.site.folder.write(&slug(patient), text);
                self.note(&format!("p{patient} is broken"));
                self.edited();
            }
            Event::Mend => {
                for patient in self.broken.clone() {
                    self.write(patient);
                    self.note(&format!("p{patient} is mended"));
                }
                self.edited();
            }
            Event::Remove => {
                let patient = self.chance.below(self.charts.len() as u64) as usize;
                self.site.folder.remove(&slug(patient));
                self.gone.insert(patient);
                self.note(&format!("p{patient} is gone"));
                if self.chance.chance(300) {
                    self.site.folder.accept_removals();
                }
                self.edited();
            }
            Event::Return => {
                for patient in self.gone.clone() {
                    self.write(patient);
                    self.note(&format!("p{patient} is back"));
                }
                self.edited();
            }
            Event::Readable(readable) => {
                self.site.folder.set_readable(*readable);
                self.unreadable = !readable;
                self.note(&format!("the folder can be read: {readable}"));
                self.edited();
            }
            Event::Weather(weather) => {
                self.note(&format!("weather: {weather:?}"));
                self.set_weather(*weather);
            }
            Event::Follow(follows) => {
                let patient = self.chance.below(self.charts.len() as u64) as usize;
                if let Some(openid) = &self.charts[patient].openid {
                    self.site.api.follow(openid, *follows);
                    self.note(&format!("p{patient} follows: {follows}"));
                }
                self.facts.trouble(Trouble::Unfollowed, wall, wall);
            }
            Event::Kill => match self.chance.below(4) {
                0 => self.site.api.die_after(self.chance.below(5) as usize + 1),
                1 | 2 => self.site.disk.die_after(self.chance.below(400) + 1),
                _ if self.process.is_some() => {
                    self.note("kill");
                    return self.crash(false);
                }
                _ => {}
            },
            Event::PowerCut => {
                if self.chance.chance(700) {
                    self.site.disk.die_after(self.chance.below(200) + 1);
                } else if self.process.is_some() {
                    return self.crash(true);
                }
            }
            Event::DiskFails => {
                self.site.disk.fail_after(self.chance.below(300) + 1);
                self.facts
                    .trouble(Trouble::Store, wall - MINUTE, wall + 10 * HOUR);
            }
            Event::Stop => {
                if let Some(process) = &mut self.process {
                    process.stop();
                    self.stops_since.get_or_insert(self.site.clock.steady());
                    self.note("the daemon is asked to end");
                }
            }
            Event::SetClock(ahead) => self.set_clock(self.base_offset + ahead),
            Event::Drift(gain) => self.site.clock.set_drift(*gain),
            Event::Says(patient, words) => self.say(*patient, *words),
            Event::Report(address, msgid, fails) => {
                let now = Timestamp::from_millisecond(wall).unwrap_or(Timestamp::UNIX_EPOCH);
                let words = Words::Report(*msgid, *fails);
                let dice = &mut self.answers;
                let number = self.platform.says(dice, usize::MAX, address, words, now);
                self.push(number);
            }
            Event::Push(number) => self.push(*number),
            Event::Look => return self.look(false),
        }
        Ok(())
    }

    fn edited(&mut self) {
        let wall = self.site.clock.wall();
        self.facts
            .trouble(Trouble::Edit, wall - MINUTE, wall + 2 * MINUTE);
        if let Some(process) = &self.process {
            process.reload();
        }
    }
}

/// A patient's id.
fn slug(patient: usize) -> String {
    format!("p{patient}")
}
