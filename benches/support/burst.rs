//! Many patients due at one instant.

use super::clinic::{Durability, Running, metric, write_clinic, write_config, write_plans};
use super::sink::Sink;
use dosed::daemon::clock::ScaledClock;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long after the daemon was started the doses are due: its start is not measured.
const LEAD: SignedDuration = SignedDuration::from_secs(6);

/// A store in which so many patients are due at one instant.
pub struct Crowd {
    world: TempDir,
    patients: usize,
    due: Timestamp,
    /// From the start of the daemon until it was ready: it read all plans and had none before.
    pub loaded_in: Duration,
}

impl Crowd {
    /// Writes the plans and lets the daemon load them.
    pub fn new(sink: &Sink, patients: usize) -> Self {
        let world = tempfile::tempdir().expect("a temporary directory");
        write_clinic(world.path(), sink.port).expect("the clinic is written");
        write_plans(world.path(), patients, |_| "08:00".to_owned()).expect("the plans are written");
        let due: Timestamp = "2026-03-02T00:00:00Z".parse().expect("an instant");
        let evening = ScaledClock::new(due - SignedDuration::from_hours(6), 1);
        let began = Instant::now();
        let daemon = Running::start(world.path(), Arc::new(evening), Durability::On);
        daemon.private();
        let loaded_in = began.elapsed();
        daemon.stop();
        Self {
            world,
            patients,
            due,
            loaded_in,
        }
    }

    /// Starts the daemon on a copy of the store, moments before the instant. The plan directory is
    /// not there, so that all plans stay in force and none is read again.
    pub fn burst(&self, sink: &Sink, durability: Durability) -> Burst {
        let world = tempfile::tempdir().expect("a temporary directory");
        write_config(world.path(), sink.port).expect("the configuration is written");
        for name in ["secret", "dosed.redb"] {
            let copied = fs::copy(self.world.path().join(name), world.path().join(name));
            copied.expect("the store is copied");
        }
        sink.expect(self.patients);
        let start = self.due - LEAD;
        let clock = ScaledClock::new(start, 1);
        let began = Instant::now();
        let daemon = Running::start(world.path(), Arc::new(clock), durability);
        daemon.private();
        let lead = Duration::try_from(LEAD).expect("it is ahead");
        assert!(began.elapsed() < lead, "the daemon was ready too late");
        let before = commits(&daemon);
        let cpu = sink.cpu_beside();
        daemon.arrived(sink);
        let metrics = daemon.settled(self.patients);
        let cpu = sink.cpu_beside().saturating_sub(cpu);
        daemon.stop();
        let arrivals = sink.take();
        let instant = began + lead;
        assert!(
            arrivals.first >= instant,
            "a message left before its instant"
        );
        let distinct: HashSet<&[u8]> = arrivals.bodies.iter().map(Vec::as_slice).collect();
        assert_eq!(distinct.len(), self.patients, "each patient is reminded");
        assert_eq!(arrivals.bodies.len(), self.patients, "nobody is twice");
        Burst {
            took: arrivals.last - instant,
            first: arrivals.first - instant,
            commits: metric(&metrics, COMMITS) - before,
            cpu,
            bodies: Arc::new(arrivals.bodies),
        }
    }
}

const COMMITS: &str = "dosed_store_commits_total{result=\"ok\"}";

fn commits(daemon: &Running) -> f64 {
    metric(&daemon.metrics(), COMMITS)
}

/// What a burst was: each message came once, and none early.
pub struct Burst {
    /// From the instant until the last arrival.
    pub took: Duration,
    /// From the instant until the first arrival.
    pub first: Duration,
    /// Commits from before the instant until all was settled.
    pub commits: f64,
    /// What the processors have worked for all of it, waking and settling included.
    pub cpu: Duration,
    pub bodies: Arc<Vec<Vec<u8>>>,
}
