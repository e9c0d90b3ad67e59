//! How long the next occurrence takes, near the start and decades after it, and the same asked of
//! the `rrule` crate in the same run.
//!
//! `cargo bench --bench recurrence` prints a table of nanoseconds per answer and the ratios, and
//! fails where a limit is not kept: 150 ns for daily clock times in a zone with DST, 1 µs for any
//! pattern, 50 times as fast as `rrule` asked of a rule that began a year ago. The table says what
//! each side does. `-- --quick` measures briefly and only prints.
//!
//! Of a rule that began three days ago `rrule` answers within about a microsecond, most of which it
//! makes its iterator in: there the ratio is 20 to 50, it is shown, and nothing is claimed of it.

use dosed::recurrence::{
    Clock, Day, Days, Elapsed, MonthDays, Part, Pattern, Schedule, Slot, Weekdays, Zone,
};
use jiff::{Timestamp, ToSpan, civil};
use rrule::RRuleSet;
use std::fmt::Write as _;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Limits, in nanoseconds an answer.
const DAILY_NS_MAX: f64 = 150.0;
const ANY_NS_MAX: f64 = 1000.0;
/// How many times as fast as `rrule` at least.
const RATIO_MIN: f64 = 50.0;

struct Case {
    name: &'static str,
    schedule: Schedule,
    /// The same in RFC 5545, where it can be said.
    rrule: Option<&'static str>,
    limit_ns: f64,
}

fn clock(days: Days, times: &[i32], start: civil::Date) -> Pattern {
    Pattern::Clock(Clock {
        days,
        slots: times
            .iter()
            .map(|minute| Slot {
                minute: *minute,
                amount: 0,
            })
            .collect(),
        first_day: Some(start.into()),
        last_day: None,
    })
}

#[expect(clippy::too_many_lines, reason = "a list: one entry a pattern")]
fn cases() -> Vec<Case> {
    let start = civil::date(1990, 1, 31);
    let anchor = Day::from(start);
    let case = |name, pattern, rrule| Case {
        name,
        schedule: Schedule::of(pattern),
        rrule,
        limit_ns: ANY_NS_MAX,
    };
    let weekdays = Weekdays::NONE
        .with(civil::Weekday::Monday)
        .with(civil::Weekday::Thursday);
    let month_days = [1, 15].into_iter().fold(MonthDays::NONE, MonthDays::with);
    let alternating = [Weekdays::WORKING, Weekdays::WEEKEND].map(|set| Part {
        pattern: clock(Days::Weekdays(set), &[480, 1080], start),
        begin: None,
        end: None,
    });
    vec![
        Case {
            limit_ns: DAILY_NS_MAX,
            ..case(
                "daily, 08:00 and 20:00",
                clock(Days::EVERY, &[480, 1200], start),
                Some("FREQ=DAILY;BYHOUR=8,20;BYMINUTE=0;BYSECOND=0"),
            )
        },
        case(
            "mon, thu at 08:00",
            clock(Days::Weekdays(weekdays), &[480], start),
            Some("FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=8;BYMINUTE=0;BYSECOND=0"),
        ),
        case(
            "every 3 days",
            clock(
                Days::Cycle {
                    anchor,
                    period: 3,
                    run: 1,
                    weekdays: Weekdays::ALL,
                },
                &[480],
                start,
            ),
            Some("FREQ=DAILY;INTERVAL=3;BYHOUR=8;BYMINUTE=0;BYSECOND=0"),
        ),
        case(
            "21 on, 7 off",
            clock(
                Days::Cycle {
                    anchor,
                    period: 28,
                    run: 21,
                    weekdays: Weekdays::ALL,
                },
                &[480],
                start,
            ),
            None,
        ),
        case(
            "every 2 weeks on mon, thu",
            clock(
                Days::Weeks {
                    anchor,
                    period: 2,
                    weekdays,
                },
                &[480],
                start,
            ),
            Some("FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=MO,TH;BYHOUR=8;BYMINUTE=0;BYSECOND=0"),
        ),
        case(
            "every month from the 31st",
            clock(Days::Months { anchor, period: 1 }, &[480], start),
            None,
        ),
        case(
            "1st, 15th of the month",
            clock(Days::MonthDays(month_days), &[480], start),
            Some("FREQ=MONTHLY;BYMONTHDAY=1,15;BYHOUR=8;BYMINUTE=0;BYSECOND=0"),
        ),
        case(
            "last day of the month",
            clock(Days::MonthDays(MonthDays::LAST), &[480], start),
            Some("FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=8;BYMINUTE=0;BYSECOND=0"),
        ),
        case(
            "every 8 hours",
            Pattern::Elapsed(Elapsed {
                first: Some(633_747_600),
                every: 8 * 3600,
                amount: 0,
            }),
            Some("FREQ=HOURLY;INTERVAL=8"),
        ),
        case(
            "24 times a day",
            clock(
                Days::EVERY,
                &std::array::from_fn::<i32, 24, _>(|n| n as i32 * 60),
                start,
            ),
            Some("FREQ=HOURLY;BYMINUTE=0;BYSECOND=0"),
        ),
        case(
            "a time past midnight",
            clock(Days::EVERY, &[480, 1470], start),
            None,
        ),
        Case {
            name: "two amounts by weekday",
            schedule: Schedule {
                parts: alternating.into(),
                pauses: vec![],
            },
            rrule: None,
            limit_ns: ANY_NS_MAX,
        },
    ]
}

/// Seconds of Unix time from which is asked: over all hours and seasons, near days on which the
/// offset changes too.
fn questions(from: i64) -> Vec<i64> {
    (0..4096_i64).map(|n| from + n * 7_717).collect()
}

/// Nanoseconds an answer: the best of several runs, since only disturbances make it longer.
fn measure(budget: Duration, mut answer: impl FnMut(i64), questions: &[i64]) -> f64 {
    let mut best = f64::MAX;
    let deadline = Instant::now() + budget;
    let mut runs = 0;
    while runs < 3 || Instant::now() < deadline {
        let began = Instant::now();
        for question in questions {
            answer(*question);
        }
        best = best.min(began.elapsed().as_nanos() as f64 / questions.len() as f64);
        runs += 1;
    }
    best
}

fn next_ns(case: &Case, zone: &Zone, from: i64, budget: Duration) -> f64 {
    let answer = |second| {
        let from = Timestamp::from_second(second).expect("in range");
        black_box(black_box(&case.schedule).at_or_after(zone, from));
    };
    measure(budget, answer, &questions(from))
}

fn rule_set(rule: &str, start: civil::Date) -> RRuleSet {
    let start = start.strftime("%Y%m%d");
    let text = format!("DTSTART;TZID=Europe/Berlin:{start}T080000\nRRULE:{rule}");
    text.parse().expect("the rules of this bench are right")
}

/// The same question asked of `rrule`: the first occurrence at or after an instant, of a set that
/// is parsed already. It has no other way than to generate from its start on and to leave out what
/// is too early (`after()` does the same), and the start cannot be brought nearer: it is part of
/// what the rule means, as INTERVAL counts from it. `pairs` are sets with an instant each.
fn rrule_ns(pairs: &[(RRuleSet, i64)], runs: u32) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        for _ in 0..runs {
            for (set, from) in pairs {
                black_box(
                    black_box(set)
                        .into_iter()
                        .find(|found| found.timestamp() >= *from),
                );
            }
        }
        let answers = f64::from(runs) * pairs.len() as f64;
        best = best.min(began.elapsed().as_nanos() as f64 / answers);
    }
    best
}

/// The same question as the documentation of `rrule` puts it: `after()` takes the set by value, and
/// `all(1)` collects the one occurrence. A program that keeps its sets clones one for each question.
fn rrule_after_ns(pairs: &[(RRuleSet, i64)], runs: u32) -> f64 {
    let asked: Vec<_> = pairs
        .iter()
        .map(|(set, from)| {
            let start = *set.get_dt_start();
            let later = u64::try_from(from - start.timestamp()).unwrap_or_default();
            (set, start + Duration::from_secs(later))
        })
        .collect();
    let mut best = f64::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        for _ in 0..runs {
            for (set, from) in &asked {
                black_box(black_box(*set).clone().after(*from).all(1));
            }
        }
        let answers = f64::from(runs) * asked.len() as f64;
        best = best.min(began.elapsed().as_nanos() as f64 / answers);
    }
    best
}

/// Instants of some days after `near`, at all hours, each with the rule begun so long before.
fn asked(
    rule: &str,
    zone: &Zone,
    near: civil::Date,
    before: jiff::Span,
    count: i64,
) -> Vec<(RRuleSet, i64)> {
    let pairs = (0..count).map(|n| {
        let from = zone.instant(near.at(0, 0, 0, 0)).as_second() + n * 77_171;
        let at = Timestamp::from_second(from).expect("in range");
        let start = zone.local(at).date().saturating_sub(before);
        (rule_set(rule, start), from)
    });
    pairs.collect()
}

/// To make a set from its text: what is paid once more where sets are not kept.
fn rrule_parse_ns(rule: &str, start: civil::Date) -> f64 {
    let began = Instant::now();
    for _ in 0..100 {
        black_box(rule_set(black_box(rule), start));
    }
    began.elapsed().as_nanos() as f64 / 100.0
}

/// From one occurrence to the next, where `rrule` is at its best: for the record.
fn rrule_iteration_ns(set: &RRuleSet) -> f64 {
    let began = Instant::now();
    let count = set.into_iter().take(1000).map(black_box).count();
    began.elapsed().as_nanos() as f64 / count as f64
}

fn iteration_ns(schedule: &Schedule, zone: &Zone, near: civil::Date) -> f64 {
    let from = zone.instant(near.at(0, 0, 0, 0));
    let began = Instant::now();
    let count = schedule
        .occurrences(zone, from)
        .take(1000)
        .map(black_box)
        .count();
    began.elapsed().as_nanos() as f64 / count as f64
}

fn main() -> ExitCode {
    // `cargo test --benches` runs this too: then once, quickly, without judging.
    let quick = std::env::args().any(|arg| arg == "--quick" || arg == "--test");
    let budget = Duration::from_millis(if quick { 5 } else { 300 });
    let zone = Zone::get("Europe/Berlin").expect("the zone is bundled");
    let near = civil::date(2026, 3, 2);
    let second = |date: civil::Date| zone.instant(date.at(0, 0, 0, 0)).as_second();
    let (old, new) = (second(civil::date(1990, 3, 2)), second(near));
    println!(
        "Nanoseconds for the next occurrence after an arbitrary instant, Europe/Berlin.\n\
         dosed: one call of Schedule::at_or_after; the schedule began in 1990, the instants are \
         of 1990 and of 2026, at all hours and over DST.\n\
         rrule: RRuleSet::into_iter().find(it >= instant) of a parsed set, which generates from \
         DTSTART on; DTSTART is 3 days, 1 year or 36 years before the instant.\n\
         after 3d: the same as the documentation of rrule puts it, set.clone().after(t).all(1).\n\
         Neither side pays for its rule: the schedule is built, the set is parsed. \"parse\" is \
         what a set costs once more where it is not kept.\n\
         iterate: from one occurrence to the next, the cheapest that rrule can be asked; it \
         answers another question and is shown for the record."
    );
    println!(
        "{:26} {:>7} {:>7} | {:>8} {:>6} | {:>8} {:>6} | {:>9} {:>7} | {:>11} {:>8} | {:>7} | {:>7} {:>7}",
        "pattern from 1990",
        "in 1990",
        "in 2026",
        "rrule 3d",
        "",
        "after 3d",
        "",
        "rrule 1y",
        "",
        "rrule 36y",
        "",
        "parse",
        "iterate",
        "rrule"
    );
    let mut kept = true;
    for case in cases() {
        let early = next_ns(&case, &zone, old, budget);
        let late = next_ns(&case, &zone, new, budget);
        let iterate = iteration_ns(&case.schedule, &zone, near);
        let mut line = format!("{:26} {early:7.0} {late:7.0}", case.name);
        let mut fits = early.max(late) <= case.limit_ns;
        if let Some(rule) = case.rrule {
            let (close_runs, year_runs) = if quick { (1, 1) } else { (100, 8) };
            let close = asked(rule, &zone, near, 3.days(), 32);
            let close_ns = rrule_ns(&close, close_runs);
            let after_ns = rrule_after_ns(&close, close_runs);
            let year_ns = rrule_ns(&asked(rule, &zone, near, 1.year(), 16), year_runs);
            let far_ns = rrule_ns(&asked(rule, &zone, near, 36.years(), 1), 1);
            let parse = rrule_parse_ns(rule, near);
            let (close_ratio, after_ratio) = (close_ns / late, after_ns / late);
            let (ratio, far_ratio) = (year_ns / late, far_ns / late);
            fits &= ratio >= RATIO_MIN;
            let theirs = rrule_iteration_ns(&close[0].0);
            let _ = write!(
                line,
                " | {close_ns:8.0} {close_ratio:5.0}x | {after_ns:8.0} {after_ratio:5.0}x | {year_ns:9.0} {ratio:6.0}x | \
                 {far_ns:11.0} {far_ratio:7.0}x | {parse:7.0} | {iterate:7.0} {theirs:7.0}"
            );
        } else {
            let _ = write!(
                line,
                " | {:>15} | {:>15} | {:>17} | {:>20} | {:>7} | {iterate:7.0}",
                "-", "-", "-", "-", "-"
            );
        }
        kept &= fits;
        println!("{line}{}", if fits { "" } else { "  <- limit not kept" });
    }
    // Decades ahead of today, as far as tables of zones go and further than most calendars.
    for years in [36, 150] {
        let ahead = near.saturating_add(years.years());
        println!(
            "daily, asked in {}: {:.0} ns",
            ahead.year(),
            next_ns(&cases()[0], &zone, second(ahead), budget)
        );
    }
    if kept || quick {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
