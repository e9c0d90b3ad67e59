//! Limits of one input: its time and the memory of the process.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An input that takes so many seconds hangs.
const SECONDS_MAX: u64 = 20;
/// The largest resident size of the process, in KiB.
const RESIDENT_KIB_MAX: u64 = 256 * 1024;
/// After so many inputs the memory is looked at.
const LOOK_EVERY: u64 = 64;

/// Watches the inputs of one target.
pub struct Watch {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Counts up at the beginning and at the end of each input: odd while one runs.
    turn: AtomicU64,
    input: Mutex<Vec<u8>>,
}

impl Watch {
    /// Starts to watch.
    pub fn new(target: &'static str) -> Self {
        let shared = Arc::new(Shared::default());
        let watched = Arc::clone(&shared);
        std::thread::spawn(move || {
            let (mut seen, mut seconds) = (0, 0);
            loop {
                std::thread::sleep(Duration::from_secs(1));
                let turn = watched.turn.load(Ordering::Relaxed);
                seconds = if turn == seen && turn % 2 == 1 {
                    seconds + 1
                } else {
                    0
                };
                seen = turn;
                if seconds >= SECONDS_MAX {
                    let input = watched.input.lock().map(|input| input.clone());
                    // The harness holds back what a test prints; this process is about to end.
                    let said = format!("{target}: hangs on {:?}\n", input.unwrap_or_default());
                    let _ = std::io::stderr().write_all(said.as_bytes());
                    std::process::abort();
                }
            }
        });
        Self { shared }
    }

    /// Runs a target over one input.
    pub fn over(&self, bytes: &[u8], run: impl FnOnce(&[u8])) {
        if let Ok(mut input) = self.shared.input.lock() {
            input.clear();
            input.extend_from_slice(bytes);
        }
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed);
        // A target that panicked leaves the turn odd.
        if turn % 2 == 1 {
            self.shared.turn.fetch_add(1, Ordering::Relaxed);
        }
        run(bytes);
        self.shared.turn.fetch_add(1, Ordering::Relaxed);
        if turn % (2 * LOOK_EVERY) < 2 {
            let resident = resident_kib_max();
            assert!(resident <= RESIDENT_KIB_MAX, "{resident} KiB were resident");
        }
    }
}

/// The largest resident size so far; 0 where the system does not say.
fn resident_kib_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok())
        .unwrap_or(0)
}
