//! Whether the clock is right.

use super::finding::{Finding, Report};
use jiff::Timestamp;
use std::process::{Command, Stdio};

/// A clock further off than this makes reminders visibly early or late.
const OFF_WARN_SECONDS: i64 = 5;

/// WeChat's pushes are refused beyond ten minutes; half of it leaves room.
const OFF_FAIL_SECONDS: i64 = 300;

/// The kernel's word that the clock is synchronised, as systemd's timedated tells it.
pub fn synchronised(report: &mut Report) {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--property=NTP"])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let answer = asked.ok().filter(|output| output.status.success());
    let answer = answer.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    report.add(judge(answer.as_deref()));
}

/// What timedated's answer means; `None`: there is none.
fn judge(answer: Option<&str>) -> Finding {
    const CHECK: &str = "clock:synchronised";
    let says = |line: &str| answer.is_some_and(|answer| answer.lines().any(|it| it == line));
    if says("NTPSynchronized=yes") {
        return Finding::ok(CHECK, "the kernel says that the clock is synchronised");
    }
    if !says("NTPSynchronized=no") {
        return Finding::skipped(
            CHECK,
            "systemd's timedated does not answer: nobody vouches for the clock",
        );
    }
    let why = "Reminders leave by this clock; one that drifts makes them early or late";
    if says("NTP=yes") {
        Finding::warn(
            CHECK,
            "a time service is on, and the clock is not synchronised",
        )
        .why(why)
        .remedy("timedatectl timesync-status; chronyc tracking")
    } else {
        Finding::warn(CHECK, "no time service is on")
            .why(why)
            .remedy("timedatectl set-ntp true")
    }
}

/// This machine's clock against the API's.
pub fn against(api: Timestamp, now: Timestamp) -> Finding {
    const CHECK: &str = "clock:api";
    // Whole seconds are told, and the answer took a moment.
    let off = now.as_second() - api.as_second();
    let what = match off {
        0 => "the clock agrees with the API's".to_owned(),
        1.. => format!("the clock is {off} s ahead of the API's"),
        _ => format!("the clock is {} s behind the API's", -off),
    };
    let remedy = "timedatectl set-ntp true";
    if off.abs() <= OFF_WARN_SECONDS {
        return Finding::ok(CHECK, what);
    }
    if off.abs() <= OFF_FAIL_SECONDS {
        return Finding::warn(CHECK, what)
            .why("Reminders come early or late by as much")
            .remedy(remedy);
    }
    Finding::fail(CHECK, what)
        .why("Reminders come early or late by as much, and patients' answers may be refused")
        .remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn only_the_word_that_it_is_synchronised_is_well() {
        for (answer, status) in [
            (Some("NTPSynchronized=yes\nNTP=yes\n"), Status::Ok),
            (Some("NTP=no\nNTPSynchronized=yes\n"), Status::Ok),
            (Some("NTPSynchronized=no\nNTP=yes\n"), Status::Warn),
            (Some("NTPSynchronized=no\nNTP=no\n"), Status::Warn),
            (Some(""), Status::Skipped),
            (None, Status::Skipped),
        ] {
            assert_eq!(judge(answer).status, status, "{answer:?}");
        }
        assert!(
            judge(Some("NTPSynchronized=no\nNTP=no\n"))
                .remedy
                .contains("set-ntp")
        );
    }

    #[test]
    fn a_clock_that_is_off_is_said_by_how_much_and_in_which_direction() {
        let api: Timestamp = "2026-03-24T00:00:00Z".parse().unwrap();
        for (off, status, words) in [
            (0, Status::Ok, "agrees"),
            (5, Status::Ok, "5 s ahead"),
            (6, Status::Warn, "6 s ahead"),
            (-300, Status::Warn, "300 s behind"),
            (-301, Status::Fail, "301 s behind"),
            (86_400, Status::Fail, "86400 s ahead"),
        ] {
            let now = api + jiff::SignedDuration::from_secs(off);
            let finding = against(api, now);
            assert_eq!(finding.status, status, "{off}");
            assert!(finding.what.contains(words), "{}", finding.what);
        }
    }
}
