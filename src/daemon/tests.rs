//! For tests of single tasks: a clock that is set by hand, and what the tasks share.

use super::clock::{Answer, Clock, Sleep};
use super::manners::Manners;
use super::metrics::Metrics;
use super::shared::{Outlet, Shared};
use super::vitals::Vitals;
use crate::messaging::{Channel, Console, console};
use crate::plan::Zone;
use crate::store::{Options, Store, Telemetry};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// What the clock shows at 0, seconds since 1970.
pub const START: i64 = 1_772_409_600;

/// A clock that shows what it is set to, as the machine's does.
#[derive(Default)]
pub struct SetClock {
    pub wall: AtomicI64,
    pub steady: AtomicI64,
    pub synchronised: AtomicBool,
}

impl SetClock {
    pub fn set(&self, wall: i64, steady: i64) {
        self.wall.store(wall, Ordering::SeqCst);
        self.steady.store(steady, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(START + self.wall.load(Ordering::SeqCst)).unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.steady.load(Ordering::SeqCst) as u64)
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(Duration::from_millis(1)))
    }

    fn run(&self) -> Option<String> {
        Some("one machine".to_owned())
    }

    fn is_synchronised(&self) -> Answer {
        Box::pin(std::future::ready(self.synchronised.load(Ordering::SeqCst)))
    }
}

/// What the tasks share, with a store in `directory` and a channel that swallows everything.
pub fn shared(directory: &tempfile::TempDir, clock: &Arc<SetClock>) -> Arc<Shared> {
    let options = Options {
        path: directory.path().join("dosed.redb"),
        cache_bytes: 1 << 20,
    };
    let telemetry = Arc::new(Telemetry::new(|_, _| {}));
    let store = Store::open(&options, telemetry).unwrap();
    let channel = Console::to(std::io::sink(), console::Format::Json).unwrap();
    let channel = Channel::Console(channel);
    let outlet = Outlet {
        limits: Arc::new(channel.limits()),
        channel,
        zone: Zone::get("Asia/Shanghai").unwrap(),
        rate: None,
        hourly_max: None,
        manners: Arc::new(Manners::default()),
    };
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let vitals = Arc::new(Vitals::default());
    let metrics = Arc::new(Metrics::new(0.0));
    Arc::new(Shared::new(clock, store, vitals, metrics, outlet))
}
