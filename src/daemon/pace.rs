//! How fast messages may leave, and how fast they do. A pure value; the dispatcher holds it.

use std::time::Duration;

/// How fast messages may leave, and how fast they do.
pub struct Pace {
    tokens: f64,
    filled: Duration,
    seen: f64,
    since: Duration,
    ended: usize,
}

impl Pace {
    /// Nothing was sent yet.
    #[must_use]
    pub fn new(elapsed: Duration) -> Self {
        Self {
            tokens: 0.0,
            filled: elapsed,
            seen: 0.0,
            since: elapsed,
            ended: 0,
        }
    }

    /// How many of `wanted` may go now at `rate` a second. At most a tenth of a second's worth is
    /// saved up, so that a pause is not followed by a burst.
    pub fn allow(&mut self, wanted: usize, rate: f64, elapsed: Duration) -> usize {
        let gone = elapsed.saturating_sub(self.filled).as_secs_f64();
        self.filled = elapsed;
        let most = (rate / 10.0).max(1.0);
        self.tokens = (self.tokens + gone * rate).min(most);
        let allowed = wanted.min(self.tokens as usize);
        self.tokens -= allowed as f64;
        allowed
    }

    /// Nothing may go at present: nothing is saved up for afterwards.
    pub fn drain(&mut self, elapsed: Duration) {
        self.tokens = 0.0;
        self.filled = elapsed;
    }

    /// Workers have finished with `count` messages since the start. What is seen is the rate of
    /// times in which there was something to send; pauses do not lower it.
    pub fn finished(&mut self, count: usize, elapsed: Duration) {
        let span = elapsed.saturating_sub(self.since);
        if span < Duration::from_millis(20) {
            return;
        }
        let done = count.saturating_sub(self.ended);
        if span < Duration::from_secs(1) && done > 0 {
            let rate = done as f64 / span.as_secs_f64();
            self.seen = if self.seen == 0.0 {
                rate
            } else {
                f64::midpoint(self.seen, rate)
            };
        }
        self.since = elapsed;
        self.ended = count;
    }

    /// `None` before anything was sent.
    #[must_use]
    pub fn seen_per_second(&self) -> Option<usize> {
        (self.seen > 0.0).then_some(self.seen as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_any_second_and_saves_up_little() {
        let mut pace = Pace::new(Duration::ZERO);
        let mut sent = 0;
        for millisecond in 1..=10_000 {
            sent += pace.allow(1_000, 80.0, Duration::from_millis(millisecond));
        }
        assert!((799..=800).contains(&sent), "{sent}");
        assert!(pace.allow(1_000, 80.0, Duration::from_secs(100)) <= 8);
        pace.drain(Duration::from_secs(200));
        assert_eq!(pace.allow(1_000, 80.0, Duration::from_secs(200)), 0);
    }
}
