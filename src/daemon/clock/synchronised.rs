//! The kernel's word that the clock is synchronised.
//!
//! The kernel says it in `adjtimex(2)`, for which no crate has a safe call that tells the status,
//! and which a hardened unit may not use (`ProtectClock=yes` forbids it). systemd's timedated reads
//! the same flag and answers over D-Bus; its command is asked. Where there is no timedated nobody
//! vouches for the clock: then it must be plausible, or a person accepts it.

use jiff::{SignedDuration, Timestamp, civil};
use std::process::{Command, Stdio};

/// The clock that timedated speaks of is ours if both show the same within this.
const SAME_CLOCK: SignedDuration = SignedDuration::from_secs(5);

/// Asks timedated. Blocks until its command ends.
pub(super) fn by_timedated(now: Timestamp) -> bool {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--property=TimeUSec"])
        // Nothing of our environment may show it another clock or another language.
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    asked.is_ok_and(|output| {
        output.status.success() && vouches(&String::from_utf8_lossy(&output.stdout), now)
    })
}

/// Whether timedated's answer vouches for a clock that shows `now`. What it does not say, or says
/// of another clock, is no word.
fn vouches(answer: &str, now: Timestamp) -> bool {
    let value = |key| {
        answer
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    let same_clock = value("TimeUSec").and_then(shown).is_some_and(|shown| {
        let apart = shown.duration_since(now).abs();
        apart <= SAME_CLOCK
    });
    same_clock && value("NTPSynchronized") == Some("yes")
}

/// `Wed 2026-11-25 22:34:35 UTC`.
fn shown(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.strip_suffix(" UTC")?.split_once(' ')?;
    let local: civil::DateTime = rest.replace(' ', "T").parse().ok()?;
    Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_synchronised_clock_that_shows_the_same_is_vouched_for() {
        let now: Timestamp = "2026-11-25T22:34:37Z".parse().unwrap();
        for (answer, vouched) in [
            (
                "NTPSynchronized=yes\nTimeUSec=Wed 2026-11-25 22:34:35 UTC\n",
                true,
            ),
            (
                "TimeUSec=Wed 2026-11-25 22:34:41 UTC\nNTPSynchronized=yes\n",
                true,
            ),
            (
                "NTPSynchronized=no\nTimeUSec=Wed 2026-11-25 22:34:35 UTC\n",
                false,
            ),
            (
                "NTPSynchronized=yes\nTimeUSec=Wed 2026-11-25 22:34:30 UTC\n",
                false,
            ),
            (
                "NTPSynchronized=yes\nTimeUSec=Thu 2026-11-26 06:34:35 CST\n",
                false,
            ),
            ("NTPSynchronized=yes\n", false),
            ("NTPSynchronized=yes\nTimeUSec=n/a\n", false),
            ("", false),
        ] {
            assert_eq!(vouches(answer, now), vouched, "{answer}");
        }
    }
}
