//! The world of a test.

mod clock;
mod http;
mod notify;
mod process;
mod tls;
mod world;

pub use clock::SharedClock;
pub use http::{Answer, get_with, request, send};
pub use process::Daemon;
pub use tls::TlsFront;
pub use world::World;

use std::time::Duration;

/// How long a test waits for what must happen, on a machine that does much else besides.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer is `Some`, and says what was waited for when patience ends.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let until = tokio::time::Instant::now() + PATIENCE;
    // The pause paces the questions; nothing is inferred from its length.
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            tokio::time::Instant::now() < until,
            "waited in vain for: {what}"
        );
    }
}

/// Sum of the samples of a metric whose labels contain all of `labels` (`outcome="accepted"`);
/// panics where there is no such series, as each is there from the start.
pub fn metric(text: &str, name: &str, labels: &[&str]) -> f64 {
    let mut sum = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        let (of, given) = series.split_once('{').unwrap_or((series, ""));
        if of == name && labels.iter().all(|label| given.contains(label)) {
            let value: f64 = value.parse().expect("a sample's value is a number");
            sum = Some(sum.unwrap_or(0.0) + value);
        }
    }
    sum.unwrap_or_else(|| panic!("no series {name} {labels:?} in:\n{text}"))
}

/// One dose a line of `dosed history --json`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct HistoryLine {
    pub patient: String,
    pub id: String,
    pub due: jiff::Timestamp,
    pub dose: String,
    pub state: String,
    pub reason: Option<String>,
    pub reminded: Option<jiff::Timestamp>,
    pub in_doubt: bool,
    pub messages: serde_json::Value,
}
