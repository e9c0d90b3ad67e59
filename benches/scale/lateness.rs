//! Goal 2: how late a reminder is that is due alone, and the last of a thousand.

use super::Size;
use super::measure::{median, ms, share};
use super::table::{Goal, Row};
use crate::support::burst::Crowd;
use crate::support::clinic::{Durability, Running, bare, write_clinic, write_plans};
use crate::support::sink::Sink;
use dosed::daemon::clock::{Clock, Sleep};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Daemons side by side, each a part of a try behind the one before: so that few of them do
/// anything at the same moment.
const DAEMONS: usize = 20;

/// What a daemon has on its clock before each dose: it wakes its patients three seconds ahead.
const LEAD: Duration = Duration::from_millis(4_200);

/// A clock that runs as the machine's does, and over which time is skipped in which nothing is
/// due: both of its sides go on at once, so that no step is seen.
#[derive(Clone)]
struct SkippingClock {
    start: Timestamp,
    began: Instant,
    skipped: Arc<Mutex<Duration>>,
}

impl SkippingClock {
    fn new(start: Timestamp) -> Self {
        Self {
            start,
            began: Instant::now(),
            skipped: Arc::default(),
        }
    }

    /// Goes on to an instant, and returns when the machine's clock will show one after it.
    fn skip_to(&self, to: Timestamp, then: Duration) -> Instant {
        let mut skipped = self.skipped.lock().expect("not poisoned");
        let now = self.began.elapsed();
        let wanted = Duration::try_from(to.duration_since(self.start)).expect("it is ahead");
        *skipped = (*skipped).max(wanted.saturating_sub(now));
        self.began + (wanted + then).saturating_sub(*skipped)
    }
}

impl Clock for SkippingClock {
    fn now(&self) -> Timestamp {
        let gone = SignedDuration::try_from(self.elapsed()).expect("no more than days");
        self.start + gone
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed() + *self.skipped.lock().expect("not poisoned")
    }

    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(span))
    }
}

pub fn measure(size: Size) -> Vec<Row> {
    let tries = size.of(1_000, 120).div_ceil(DAEMONS);
    let daemons: Vec<_> = (0..DAEMONS)
        .map(|at| {
            let delay = LEAD.mul_f64(at as f64 / DAEMONS as f64);
            std::thread::spawn(move || {
                std::thread::sleep(delay);
                alone(tries)
            })
        })
        .collect();
    let mut late = Vec::new();
    for daemon in daemons {
        late.extend(daemon.join().expect("no message left early"));
    }
    eprintln!(
        "  {} tries: median {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        late.len(),
        share(late.clone(), 0.5),
        share(late.clone(), 0.99),
        share(late.clone(), 1.0),
    );
    vec![
        Row::timed(
            2,
            "lateness.alone",
            format!("a reminder due alone is late by, p99 of {}", late.len()),
            share(late.clone(), 0.99),
            "ms",
            Goal::AtMost(5.0),
        ),
        Row::timed(
            2,
            "lateness.alone_median",
            "the same, median",
            median(late),
            "ms",
            Goal::Shown,
        ),
        thousand(size.of(7, 5)),
    ]
}

/// One patient a minute: how late each is reminded, in milliseconds.
fn alone(tries: usize) -> Vec<f64> {
    let sink = Sink::start();
    let world = tempfile::tempdir().expect("a temporary directory");
    write_clinic(world.path(), sink.port).expect("the clinic is written");
    let written = write_plans(world.path(), tries, |number| {
        format!("{:02}:{:02}", 8 + number / 60, number % 60)
    });
    written.expect("the plans are written");
    sink.expect(tries);
    let first: Timestamp = "2026-03-02T00:00:00Z".parse().expect("an instant");
    let clock = SkippingClock::new(first - SignedDuration::from_mins(30));
    let daemon = Running::start(world.path(), Arc::new(clock.clone()), Durability::On);
    daemon.private();
    let lead = SignedDuration::try_from(LEAD).expect("seconds");
    let mut instants = Vec::new();
    for minute in 0..tries {
        let due = first + SignedDuration::from_mins(minute as i64);
        instants.push(clock.skip_to(due - lead, LEAD));
        sink.wait_for(minute + 1, Duration::from_secs(60));
    }
    daemon.stop();
    let arrivals = sink.take();
    assert_eq!(arrivals.bodies.len(), tries, "nobody is reminded twice");
    let mut late = Vec::new();
    for (minute, instant) in instants.into_iter().enumerate() {
        let text = String::from_utf8_lossy(&arrivals.bodies[minute]);
        let name = format!("王秀兰{minute}\"");
        assert!(text.contains(&name), "in the order of their instants");
        assert!(arrivals.at[minute] >= instant, "none early");
        late.push(ms(arrivals.at[minute] - instant));
    }
    late
}

/// The last of a thousand that are due in one second, beyond what a bare loop needs for them.
fn thousand(rounds: usize) -> Row {
    let sink = Sink::start();
    let crowd = Crowd::new(&sink, 1_000);
    let mut beyond = Vec::new();
    for round in 1..=rounds {
        let burst = crowd.burst(&sink, Durability::On);
        let (bare, _) = bare(&sink, &burst.bodies);
        eprintln!(
            "  a thousand, round {round}: the last after {:.1} ms, bare {:.1} ms",
            ms(burst.took),
            ms(bare)
        );
        beyond.push(ms(burst.took) - ms(bare));
    }
    Row::timed(
        2,
        "lateness.thousand",
        "the last of 1000 due at once is late by, beyond a bare loop's time",
        median(beyond),
        "ms",
        Goal::AtMost(60.0),
    )
}
