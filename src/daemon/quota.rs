//! Asks the API how much of the day's quota is used: now and then while messages are sent, and
//! when it says that it has had too much.

use super::shared::Shared;
use crate::messaging::wechat::errcode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a question is due.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// While messages are sent, and while the quota is used up, it is asked this often.
const ROUTINE: Duration = Duration::from_secs(300);

/// However often the API refuses, it is not asked more often than this.
const SPACING: Duration = Duration::from_secs(60);

/// Asks until `stop`.
pub async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut asked: Option<Duration> = None;
    let mut seen = None;
    // An earlier process may have used the quota up.
    let mut held = shared.store.telemetry().ledger().is_spent(shared.now());
    let mut throttled = false;
    loop {
        tokio::select! {
            () = shared.throttled.notified() => throttled = true,
            () = shared.clock.sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let elapsed = shared.clock.elapsed();
        let last_success = shared.gate().last_success();
        let wanted = held || last_success != seen;
        let since = asked.map(|asked| elapsed.saturating_sub(asked));
        if !is_due(since, wanted, throttled) {
            continue;
        }
        (asked, seen, throttled) = (Some(elapsed), last_success, false);
        let channel = shared.outlet().channel.clone();
        let quota = tokio::select! {
            quota = channel.quota() => quota,
            () = stop.cancelled() => return,
        };
        let Some(quota) = quota else {
            continue;
        };
        let now = shared.now();
        let noted = shared.store.change_ledger(now, move |ledger| {
            ledger.note_quota(now, quota.daily_limit, quota.used);
        });
        if noted.await.is_err() {
            // The store says itself what is wrong with it; the next answer is noted.
        }
        if quota.remain == 0 {
            // The next probes could not succeed.
            held = shared.gate().hold(errcode::next_quota_look(now, 0));
        } else if std::mem::take(&mut held) {
            shared.gate().release(now);
        }
    }
}

/// Whether to ask now. `since`: the last question.
fn is_due(since: Option<Duration>, wanted: bool, throttled: bool) -> bool {
    let passed = |span| since.is_none_or(|since| since >= span);
    (throttled && passed(SPACING)) || (wanted && passed(ROUTINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_while_messages_are_sent_and_soon_after_a_refusal() {
        for (since, wanted, throttled, due) in [
            (None, false, false, false),
            (None, true, false, true),
            (None, false, true, true),
            (Some(59), false, true, false),
            (Some(60), false, true, true),
            (Some(299), true, false, false),
            (Some(300), true, false, true),
            (Some(300), false, false, false),
        ] {
            let since = since.map(Duration::from_secs);
            assert_eq!(
                is_due(since, wanted, throttled),
                due,
                "{since:?} {wanted} {throttled}"
            );
        }
    }
}
