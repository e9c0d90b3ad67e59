//! Schedules against a slow oracle that walks minute by minute, and the properties that make an
//! iterator over instants trustworthy.

use super::*;
use jiff::{ToSpan, civil};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// The clock on the wall as jiff says it: at home, or in the zone of the trip under way.
struct Wall {
    home: jiff::tz::TimeZone,
    away: Vec<(std::ops::Range<i64>, jiff::tz::TimeZone)>,
}

impl Wall {
    fn of(zone: &Zone) -> Self {
        Self {
            home: zone.time_zone().clone(),
            away: journeys(zone),
        }
    }

    /// What it shows, in minutes since 1970-01-01T00:00.
    fn local_minute(&self, second: i64) -> i64 {
        let away = self.away.iter().find(|(span, _)| span.contains(&second));
        let rules = away.map_or(&self.home, |(_, rules)| rules);
        let offset = i64::from(rules.to_offset(at(second)).seconds());
        (second + offset).div_euclid(MINUTE)
    }
}

/// When the trips begin and end (P11), said once more on jiff's dates.
fn journeys(zone: &Zone) -> Vec<(std::ops::Range<i64>, jiff::tz::TimeZone)> {
    let midnight = |day: Day, rules: &jiff::tz::TimeZone| {
        let local = days::tests::to_date(day).at(0, 0, 0, 0);
        rules.to_timestamp(local).unwrap().as_second()
    };
    let mut all: Vec<(std::ops::Range<i64>, jiff::tz::TimeZone)> = Vec::new();
    let mut before: Option<(Day, jiff::tz::TimeZone)> = None;
    for trip in zone.trips() {
        let rules = jiff::tz::TimeZone::get(&trip.zone).unwrap();
        let left = match &before {
            Some((until, rules)) if until.0 + 1 == trip.from.0 => rules.clone(),
            _ => zone.time_zone().clone(),
        };
        let span = midnight(trip.from, &left)..midnight(Day(trip.until.0 + 1), &rules);
        all.push((span, rules.clone()));
        before = Some((trip.until, rules));
    }
    all
}

/// The slots whose local time this is.
fn slots_at(clock: &Clock, local: i64) -> Vec<u16> {
    let slots = clock.slots.iter().filter(|slot| {
        let midnight = local - i64::from(slot.minute);
        let day = Day((midnight.div_euclid(1440)) as i32);
        midnight.rem_euclid(1440) == 0
            && days::tests::matches(&clock.days, days::tests::to_date(day))
            && clock.first_day.is_none_or(|first| day >= first)
            && clock.last_day.is_none_or(|last| day <= last)
    });
    slots.map(|slot| slot.amount).collect()
}

/// All that a clock pattern gives in `[from, until)`: walks every minute, takes a local time the
/// first time it comes, and gives one that is jumped over as much later as the jump is long.
fn walk(clock: &Clock, zone: &Zone, from: i64, until: i64) -> BTreeMap<i64, BTreeSet<u16>> {
    let mut found: BTreeMap<i64, BTreeSet<u16>> = BTreeMap::new();
    let mut seen = HashSet::new();
    // Two days before: a local time may have come then for the first time.
    let mut second = (from - 2 * DAY).div_euclid(MINUTE) * MINUTE;
    let wall = Wall::of(zone);
    let mut before = wall.local_minute(second - MINUTE);
    while second < until {
        let now = wall.local_minute(second);
        for local in (before + 1).min(now)..=now {
            if seen.insert(local) {
                let due = second
                    + if local < now {
                        (local - before - 1) * MINUTE
                    } else {
                        0
                    };
                for amount in slots_at(clock, local) {
                    found.entry(due).or_default().insert(amount);
                }
            }
        }
        before = now;
        second += MINUTE;
    }
    found.retain(|second, _| (from..until).contains(second));
    found
}

/// The same, as the schedule says it.
fn told(schedule: &Schedule, zone: &Zone, from: i64, until: i64) -> BTreeMap<i64, BTreeSet<u16>> {
    let occurrences = schedule
        .occurrences(zone, at(from))
        .take_while(|found| found.at < at(until));
    occurrences
        .map(|found| {
            let mut amounts = Vec::new();
            schedule.amounts_at(zone, found.at, |amount| amounts.push(amount));
            assert_eq!(amounts[0], found.amount);
            let set: BTreeSet<u16> = amounts.iter().copied().collect();
            assert_eq!(set.len() > 1, found.several, "{amounts:?}");
            (found.at.as_second(), set)
        })
        .collect()
}

/// And backwards.
fn told_backwards(schedule: &Schedule, zone: &Zone, from: i64, until: i64) -> Vec<i64> {
    let mut all = Vec::new();
    let mut before = at(until);
    while let Some(found) = schedule
        .before(zone, before)
        .filter(|found| found.at >= at(from))
    {
        all.push(found.at.as_second());
        before = found.at;
    }
    all.reverse();
    all
}

fn any_zone() -> impl Strategy<Value = Zone> {
    let names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .collect();
    proptest::sample::select(names).prop_map(|name| Zone::get(&name).unwrap())
}

/// 1973 to 2045; half of them near a change of the offset. Before, zones had offsets with
/// seconds, which a walk over minutes does not see.
fn moment(zone: &Zone, second: i64, near: bool) -> i64 {
    let rough = at(second);
    let change = zone.time_zone().following(rough).next();
    match change.filter(|_| near) {
        Some(change) if change.timestamp().as_second() < 2_400_000_000 => {
            change.timestamp().as_second() - DAY
        }
        _ => second,
    }
}

/// A day before the end of a February of a leap year, or of another month, near the second.
fn month_end(second: i64, leap: bool) -> i64 {
    let date = days::tests::to_date(Day(second.div_euclid(DAY) as i32));
    let date = if leap {
        let year = date.year() - date.year().rem_euclid(4);
        civil::date(year, 2, 28)
    } else {
        date.last_of_month()
    };
    i64::from(Day::from(date).0) * DAY - DAY
}

/// Days by the month, by an interval, by a cycle, and those of leap years and month ends.
fn days_of_month_ends() -> impl Strategy<Value = Days> {
    let anchor = (
        1972..2040_i16,
        1..13_i8,
        prop::sample::select(vec![1_i8, 28, 29, 30, 31]),
    );
    let anchor = anchor.prop_map(|(year, month, day)| {
        let first = civil::date(year, month, 1);
        Day::from(civil::date(year, month, day.min(first.days_in_month())))
    });
    prop_oneof![
        (anchor, prop::sample::select(vec![1_u32, 2, 3, 12]))
            .prop_map(|(anchor, period)| Days::Months { anchor, period }),
        prop::sample::select(vec![1_u8, 15, 28, 29, 30, 31])
            .prop_map(|day| Days::MonthDays(MonthDays::NONE.with(day))),
        Just(Days::MonthDays(MonthDays::LAST)),
    ]
}

fn any_clock() -> impl Strategy<Value = Clock> {
    let minute = prop_oneof![
        8 => (0..96_i32).prop_map(|quarter| quarter * 15),
        1 => -120..0_i32,
        1 => 1440..1600_i32,
    ];
    let slots = prop::collection::btree_map(minute, 0..3_u16, 1..8);
    (days::tests::any_days(), slots).prop_map(|(days, slots)| Clock {
        days,
        slots: slots
            .into_iter()
            .map(|(minute, amount)| Slot { minute, amount })
            .collect(),
        first_day: None,
        last_day: None,
    })
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        4 => any_clock().prop_map(Pattern::Clock),
        1 => (0..2_000_000_000_i64, 60..2_000_000_i64, 0..3_u16).prop_map(|(first, every, amount)| {
            Pattern::Elapsed(Elapsed { first: Some(first), every, amount })
        }),
        1 => (prop::collection::btree_set(0..2_400_000_000_i64, 0..5), 0..3_u16)
            .prop_map(|(seconds, amount)| Pattern::Once { seconds: seconds.into_iter().collect(), amount }),
    ]
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let bound = || prop::option::weighted(0.3, 0..2_400_000_000_i64);
    let part = (any_pattern(), bound(), bound()).prop_map(|(pattern, begin, end)| Part {
        pattern,
        begin,
        end,
    });
    let pauses = prop::collection::btree_set(0..27_000_i32, 0..3);
    (prop::collection::vec(part, 1..4), pauses).prop_map(|(parts, pauses)| {
        let zone = Zone::get("UTC").unwrap();
        let pauses = pauses
            .into_iter()
            .map(|day| Pause::new(Day(day * 2), Day(day * 2 + 1), &zone));
        Schedule {
            parts,
            pauses: pauses.collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn clock_times_fall_where_the_walk_finds_them(
        zone in any_zone(),
        clock in any_clock(),
        second in 100_000_000..2_300_000_000_i64,
        near in any::<bool>(),
    ) {
        let from = moment(&zone, second, near);
        let until = from + 3 * DAY;
        let walked = walk(&clock, &zone, from, until);
        let schedule = Schedule::of(Pattern::Clock(clock));
        prop_assert_eq!(&told(&schedule, &zone, from, until), &walked);
        let backwards: Vec<i64> = walked.into_keys().collect();
        prop_assert_eq!(told_backwards(&schedule, &zone, from, until), backwards);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn month_ends_and_leap_days_fall_where_the_walk_finds_them(
        zone in any_zone(),
        clock in any_clock(),
        days in days_of_month_ends(),
        second in 100_000_000..2_300_000_000_i64,
        leap in any::<bool>(),
    ) {
        let from = month_end(second, leap);
        let until = from + 4 * DAY;
        let clock = Clock { days, ..clock };
        let walked = walk(&clock, &zone, from, until);
        let schedule = Schedule::of(Pattern::Clock(clock));
        prop_assert_eq!(&told(&schedule, &zone, from, until), &walked);
        let backwards: Vec<i64> = walked.into_keys().collect();
        prop_assert_eq!(told_backwards(&schedule, &zone, from, until), backwards);
    }

    #[test]
    fn on_trips_clock_times_fall_where_the_walk_finds_them(
        home in any_zone(),
        abroad in (any_zone(), any_zone()),
        clock in any_clock(),
        second in 100_000_000..2_300_000_000_i64,
        near in any::<bool>(),
        lengths in (0..3_i32, 0..3_i32, 0..3_i32),
    ) {
        let from = moment(&home, second, near);
        let first = Day(from.div_euclid(DAY) as i32 + 1);
        let (stay, gap, second_stay) = lengths;
        let trip = |from: i32, days: i32, zone: &Zone| Trip {
            from: Day(from),
            until: Day(from + days),
            zone: zone.name().into(),
        };
        let next = first.0 + stay + 1 + gap;
        let trips = [trip(first.0, stay, &abroad.0), trip(next, second_stay, &abroad.1)];
        let zone = home.with_trips(&trips).unwrap();
        // A trip that is over by its own clock before it has begun is no trip: there is nothing
        // for a walk to see, and the plan's reader warns of none.
        prop_assume!(journeys(&zone).iter().all(|(span, _)| !span.is_empty()));
        prop_assume!(journeys(&zone).windows(2).all(|pair| pair[0].0.end <= pair[1].0.start));
        let until = from + 10 * DAY;
        let walked = walk(&clock, &zone, from, until);
        let schedule = Schedule::of(Pattern::Clock(clock));
        prop_assert_eq!(&told(&schedule, &zone, from, until), &walked);
        let backwards: Vec<i64> = walked.into_keys().collect();
        prop_assert_eq!(told_backwards(&schedule, &zone, from, until), backwards);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]
    #[test]
    fn order_is_strict_and_windows_add_up(
        zone in any_zone(),
        schedule in any_schedule(),
        second in 0..2_300_000_000_i64,
        near in any::<bool>(),
        lengths in (1..20 * DAY, 1..20 * DAY),
    ) {
        let a = moment(&zone, second, near);
        let (b, c) = (a + lengths.0, a + lengths.0 + lengths.1);
        let seconds = |from, until| -> Vec<i64> {
            let found = schedule.occurrences(&zone, at(from)).take_while(|found| found.at < at(until));
            found.take(5_000).map(|found| found.at.as_second()).collect()
        };
        let whole = seconds(a, c);
        prop_assume!(whole.len() < 5_000);
        prop_assert!(whole.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(&[seconds(a, b), seconds(b, c)].concat(), &whole);
        prop_assert_eq!(&told_backwards(&schedule, &zone, a, c), &whole);
        // Asked at any instant, the answer is the same as asked from the beginning.
        for from in [a + 1, i64::midpoint(a, c), c - 1] {
            let expected = whole.iter().find(|second| **second >= from);
            let found = schedule.at_or_after(&zone, at(from)).map(|found| found.at.as_second());
            prop_assert_eq!(found.filter(|found| *found < c), expected.copied());
        }
    }

    #[test]
    fn no_instant_at_all_makes_it_panic(
        zone in any_zone(),
        schedule in any_schedule(),
        second in prop_oneof![
            Timestamp::MIN.as_second()..Timestamp::MIN.as_second() + 10 * DAY,
            Timestamp::MAX.as_second() - 10 * DAY..=Timestamp::MAX.as_second(),
            Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
        ],
    ) {
        let found = schedule.at_or_after(&zone, at(second));
        prop_assert!(found.is_none_or(|found| found.at >= at(second)));
        let found = schedule.before(&zone, at(second));
        prop_assert!(found.is_none_or(|found| found.at < at(second)));
        prop_assert!(schedule.occurrences(&zone, at(second)).take(20).count() <= 20);
        schedule.amounts_at(&zone, at(second), |_| ());
    }
}

#[test]
fn every_zone_agrees_with_the_walk_over_its_changes() {
    let slots = (0..48).map(|half| Slot {
        minute: half * 30,
        amount: (half % 2) as u16,
    });
    let clock = Clock {
        days: Days::EVERY,
        slots: slots.collect(),
        first_day: None,
        last_day: None,
    };
    let schedule = Schedule::of(Pattern::Clock(clock.clone()));
    for name in jiff::tz::db().available() {
        let zone = Zone::get(name.as_str()).unwrap();
        // The two changes after 2011, the year in which Samoa skipped a day.
        let since = at(1_317_000_000);
        for change in zone.time_zone().following(since).take(2) {
            let middle = change.timestamp().as_second();
            let (from, until) = (middle - DAY / 8, middle + DAY / 8);
            assert_eq!(
                told(&schedule, &zone, from, until),
                walk(&clock, &zone, from, until),
                "{zone:?} at {change:?}"
            );
        }
    }
}

#[test]
fn a_day_that_a_zone_skipped_is_given_on_the_next() {
    let zone = Zone::get("Pacific/Apia").unwrap();
    let slot = |minute, amount| Slot { minute, amount };
    let on = |day: civil::Date, amount| Part {
        pattern: Pattern::Clock(Clock {
            days: Days::EVERY,
            slots: vec![slot(8 * 60, amount)],
            first_day: Some(day.into()),
            last_day: Some(day.into()),
        }),
        begin: None,
        end: None,
    };
    // 30 December 2011 did not exist: its 08:00 is 24 hours later, on the 31st's 08:00.
    let (skipped, next) = (civil::date(2011, 12, 30), civil::date(2011, 12, 31));
    let schedule = Schedule {
        parts: vec![on(skipped, 0), on(next, 1)],
        pauses: vec![],
    };
    let all: Vec<Occurrence> = schedule.occurrences(&zone, Timestamp::UNIX_EPOCH).collect();
    assert_eq!(all.len(), 1);
    assert!(all[0].several);
    assert_eq!(zone.local(all[0].at), next.at(8, 0, 0, 0));
}

#[test]
fn a_search_that_cannot_end_well_ends_soon() {
    let zone = Zone::get("Europe/Berlin").unwrap();
    let monday = civil::date(2026, 3, 2);
    let never = Schedule::of(Pattern::Clock(Clock {
        days: Days::Cycle {
            anchor: monday.into(),
            period: 7,
            run: 1,
            weekdays: Weekdays::NONE.with(civil::Weekday::Friday),
        },
        slots: vec![Slot {
            minute: 480,
            amount: 0,
        }],
        first_day: None,
        last_day: None,
    }));
    assert_eq!(never.at_or_after(&zone, Timestamp::UNIX_EPOCH), None);
    assert_eq!(never.before(&zone, Timestamp::UNIX_EPOCH), None);
    let empty = Schedule::default();
    assert_eq!(empty.at_or_after(&zone, Timestamp::MIN), None);
}

#[test]
fn the_last_of_a_month_never_drifts() {
    let zone = Zone::get("UTC").unwrap();
    let monthly = Schedule::of(Pattern::Clock(Clock {
        days: Days::Months {
            anchor: civil::date(2024, 1, 31).into(),
            period: 1,
        },
        slots: vec![Slot {
            minute: 0,
            amount: 0,
        }],
        first_day: None,
        last_day: None,
    }));
    let start = civil::date(2024, 1, 31);
    let found: Vec<civil::Date> = monthly
        .occurrences(&zone, zone.instant(start.at(0, 0, 0, 0)))
        .take(50)
        .map(|found| zone.local(found.at).date())
        .collect();
    let expected: Vec<civil::Date> = (0..50).map(|n| start.saturating_add(n.months())).collect();
    assert_eq!(found, expected);
}
