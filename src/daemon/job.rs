//! The jobs of housekeeping: which there are, and when each is due. Pure: no clock, no store.

use super::config;
use crate::plan::Zone;
use crate::store::JobRun;
use jiff::civil::{Date, Time, Weekday, time};
use jiff::{SignedDuration, Timestamp};

/// A job that failed is not tried again before this.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// A job that has not succeeded for its period and this is overdue.
const PATIENCE: SignedDuration = SignedDuration::from_hours(2);

/// A job of housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Removes what is not needed any more.
    Retention,
    /// Copies the store, and removes the oldest copies.
    Backup,
    /// Tells staff of the day before.
    Digest,
    /// Writes the report of the week before.
    Report,
}

impl Job {
    /// All jobs.
    pub const ALL: [Job; 4] = [Job::Retention, Job::Backup, Job::Digest, Job::Report];

    /// Their names.
    pub const NAMES: [&str; 4] = ["retention", "backup", "digest", "report"];

    /// The name in the store, metrics and `dosed jobs`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Job::Retention => "retention",
            Job::Backup => "backup",
            Job::Digest => "digest",
            Job::Report => "report",
        }
    }

    /// The name of its check in health.
    #[must_use]
    pub fn check(self) -> &'static str {
        match self {
            Job::Retention => "jobs:retention",
            Job::Backup => "jobs:backup",
            Job::Digest => "jobs:digest",
            Job::Report => "jobs:report",
        }
    }

    /// When its hour comes; that of the digest is the clinic's choice.
    #[must_use]
    pub fn rhythm(self, digest_at: Time) -> Rhythm {
        match self {
            Job::Retention => Rhythm::Daily(time(3, 30, 0, 0)),
            Job::Backup => Rhythm::Daily(time(2, 30, 0, 0)),
            Job::Digest => Rhythm::Daily(digest_at),
            // After Sunday's doses have been answered, and before the clinic opens.
            Job::Report => Rhythm::Weekly(Weekday::Monday, time(5, 0, 0, 0)),
        }
    }

    /// Whether the clinic wants it.
    #[must_use]
    pub fn is_on(self, store: &config::Store) -> bool {
        match self {
            Job::Retention | Job::Digest => true,
            Job::Backup => store.backups_keep > 0,
            Job::Report => store.reports_keep > 0,
        }
    }
}

/// When the hour of a job comes, in the clinic's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Each day at that time.
    Daily(Time),
    /// Each week on that day at that time.
    Weekly(Weekday, Time),
}

impl Rhythm {
    /// The last hour at or before `now`.
    #[must_use]
    pub fn latest(self, now: Timestamp, zone: &Zone) -> Timestamp {
        let today = zone.local(now).date();
        // A day or a week back is enough, a day more where the zone leaps over one.
        let days = std::iter::successors(Some(today), |day| day.yesterday().ok()).take(9);
        let hours = days.filter_map(|day| self.on(day, zone));
        hours
            .into_iter()
            .find(|hour| *hour <= now)
            .unwrap_or(Timestamp::MIN)
    }

    /// The first hour after `now`.
    #[must_use]
    pub fn next(self, now: Timestamp, zone: &Zone) -> Timestamp {
        let today = zone.local(now).date();
        let days = std::iter::successors(Some(today), |day| day.tomorrow().ok()).take(9);
        let mut hours = days.filter_map(|day| self.on(day, zone));
        hours.find(|hour| *hour > now).unwrap_or(Timestamp::MAX)
    }

    fn on(self, day: Date, zone: &Zone) -> Option<Timestamp> {
        let hour = match self {
            Rhythm::Daily(hour) => Some(hour),
            Rhythm::Weekly(weekday, hour) => (day.weekday() == weekday).then_some(hour),
        };
        hour.map(|hour| zone.instant(day.to_datetime(hour)))
    }

    /// From one hour to the next.
    #[must_use]
    pub fn period(self) -> SignedDuration {
        match self {
            Rhythm::Daily(_) => SignedDuration::from_hours(24),
            Rhythm::Weekly(..) => SignedDuration::from_hours(7 * 24),
        }
    }

    /// A job that has not succeeded for longer than this is overdue.
    #[must_use]
    pub fn age_max(self) -> SignedDuration {
        self.period() + PATIENCE
    }
}

/// Whether a job is due: its hour has come since it succeeded last; where it never did, since it
/// became known. So a daemon that is started for the first time begins with the next hour, and one
/// that was down over any number of hours runs the job once.
#[must_use]
pub fn is_due(rhythm: Rhythm, run: &JobRun, now: Timestamp, zone: &Zone) -> bool {
    let Some(done) = run.done_until() else {
        return false;
    };
    // By a clock that was far ahead: how long ago that was is not known.
    let unknown = done.duration_since(now) > rhythm.period();
    !rests(run, now) && (unknown || done < rhythm.latest(now, zone))
}

/// When a job is due next, or now if it is.
#[must_use]
pub fn next_due(rhythm: Rhythm, run: &JobRun, now: Timestamp, zone: &Zone) -> Timestamp {
    if is_due(rhythm, run, now, zone) {
        return now;
    }
    let next = rhythm.next(now, zone);
    let again = run.started().filter(|_| rests(run, now));
    again
        .and_then(|started| started.checked_add(AGAIN_AFTER).ok())
        .map_or(next, |again| again.min(next))
}

/// Whether a job has not succeeded for too long.
#[must_use]
pub fn is_overdue(rhythm: Rhythm, run: &JobRun, now: Timestamp) -> bool {
    let done = run.done_until();
    done.is_some_and(|done| now.duration_since(done) > rhythm.age_max())
}

/// Whether a job that failed is left alone for a while.
fn rests(run: &JobRun, now: Timestamp) -> bool {
    let since = run.started().map(|started| now.duration_since(started));
    run.failed() && since.is_some_and(|since| (SignedDuration::ZERO..AGAIN_AFTER).contains(&since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NIGHTLY: Rhythm = Rhythm::Daily(time(3, 30, 0, 0));

    fn shanghai(text: &str) -> Timestamp {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        zone.instant(text.parse().unwrap())
    }

    fn ran(at: Timestamp, success: bool) -> JobRun {
        JobRun::default().after(at, Duration::ZERO, success)
    }

    #[test]
    fn a_job_is_due_once_after_its_hour_in_the_clinics_zone() {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        let cases = [
            ("03-01T04:00", "03-02T03:29", false, "ran after yesterday's"),
            ("03-01T04:00", "03-02T03:30", true, "today's hour has come"),
            ("03-02T03:30", "03-02T23:59", false, "ran today"),
            ("02-20T04:00", "03-02T01:00", true, "was down for days"),
            (
                "03-03T04:00",
                "03-02T12:00",
                false,
                "the clock was set back",
            ),
            ("08-03T04:00", "03-02T12:00", true, "by a clock far ahead"),
        ];
        for (last, now, expected, why) in cases {
            let run = ran(shanghai(&format!("2026-{last}")), true);
            let now = shanghai(&format!("2026-{now}"));
            assert_eq!(is_due(NIGHTLY, &run, now, &zone), expected, "{why}");
        }
    }

    #[test]
    fn a_job_that_never_ran_is_due_at_the_first_hour_after_it_became_known() {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        let due = |run: &JobRun, now| is_due(NIGHTLY, run, shanghai(now), &zone);
        let unknown = JobRun::default();
        assert!(!due(&unknown, "2026-03-02T12:00"), "nothing is noted yet");
        let known = unknown.known_since(shanghai("2026-03-02T12:00"));
        assert!(!due(&known, "2026-03-03T03:29"));
        assert!(due(&known, "2026-03-03T03:30"));
        assert!(due(&known, "2026-04-01T00:00"));
        // Known is known: a later start changes nothing.
        let again = known.clone().known_since(shanghai("2026-03-09T12:00"));
        assert_eq!(again, known);
    }

    #[test]
    fn a_job_that_never_succeeds_is_overdue_as_one_that_succeeded_long_ago() {
        let start = shanghai("2026-03-02T12:00");
        let later = |hours| start + SignedDuration::from_hours(hours);
        let known = JobRun::default().known_since(start);
        let failing = known.after(later(16), Duration::ZERO, false);
        for run in [known, failing, ran(start, true)] {
            assert!(!is_overdue(NIGHTLY, &run, later(26)), "{run:?}");
            assert!(is_overdue(NIGHTLY, &run, later(27)), "{run:?}");
        }
        let weekly = Rhythm::Weekly(Weekday::Monday, time(8, 0, 0, 0));
        let run = ran(start, true);
        assert!(!is_overdue(weekly, &run, later(7 * 24 + 2)));
        assert!(is_overdue(weekly, &run, later(7 * 24 + 3)));
    }

    #[test]
    fn a_job_that_failed_is_left_alone_for_a_while() {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        let started = shanghai("2026-03-02T03:30");
        let minutes = |count| started + SignedDuration::from_mins(count);
        let run = ran(shanghai("2026-03-01T03:30"), true).after(started, Duration::ZERO, false);
        let due = |now| is_due(NIGHTLY, &run, now, &zone);
        assert!(!due(minutes(0)) && !due(minutes(29)));
        assert!(due(minutes(30)));
        assert_eq!(
            next_due(NIGHTLY, &run, minutes(1), &zone),
            minutes(30),
            "it says when it is tried again"
        );
        // A clock that was set back holds nothing up.
        assert!(!rests(&run, minutes(-1)));
        assert!(!rests(&ran(started, true), minutes(1)));
        assert!(!rests(&JobRun::default(), minutes(1)));
    }

    #[test]
    fn the_next_time_is_the_next_hour() {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        let monday = Rhythm::Weekly(Weekday::Monday, time(8, 0, 0, 0));
        // 2026-03-02 is a Monday.
        for (rhythm, now, latest, next) in [
            (NIGHTLY, "03-02T03:29", "03-01T03:30", "03-02T03:30"),
            (NIGHTLY, "03-02T03:30", "03-02T03:30", "03-03T03:30"),
            (NIGHTLY, "03-02T23:59", "03-02T03:30", "03-03T03:30"),
            (monday, "03-02T07:59", "02-23T08:00", "03-02T08:00"),
            (monday, "03-02T08:00", "03-02T08:00", "03-09T08:00"),
            (monday, "03-08T23:59", "03-02T08:00", "03-09T08:00"),
        ] {
            let at = |text: &str| shanghai(&format!("2026-{text}"));
            assert_eq!(rhythm.latest(at(now), &zone), at(latest), "{now}");
            assert_eq!(rhythm.next(at(now), &zone), at(next), "{now}");
            let run = ran(at(now), true);
            assert_eq!(next_due(rhythm, &run, at(now), &zone), at(next), "{now}");
        }
    }

    #[test]
    fn a_day_without_the_hour_has_its_job_all_the_same() {
        // 2026-03-29 in Berlin has no 02:30: it comes when the clocks have leapt to 03:30.
        let zone = Zone::get("Europe/Berlin").unwrap();
        let rhythm = Rhythm::Daily(time(2, 30, 0, 0));
        let run = ran(zone.instant("2026-03-28T02:30".parse().unwrap()), true);
        let before = zone.instant("2026-03-29T01:59".parse().unwrap());
        let after = before + SignedDuration::from_mins(31);
        assert!(!is_due(rhythm, &run, before, &zone));
        assert!(is_due(rhythm, &run, after, &zone));
    }

    #[test]
    fn names_are_in_the_order_of_the_jobs() {
        assert_eq!(Job::ALL.map(Job::name), Job::NAMES);
        for job in Job::ALL {
            assert_eq!(job.check(), format!("jobs:{}", job.name()));
            assert_eq!(Job::ALL[job as usize], job);
        }
    }
}
