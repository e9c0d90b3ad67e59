//! `Timing`: its invariants, its bounds, and the pattern that it means.

use super::{
    Fault, Terms,
    course::{COUNT_MAX, End, OnDays, Pattern},
    instant::{Moment, date_time},
    resource::{Quantity, Repeat, Timing},
    times::{self, Times},
};
use crate::plan::{DayWord, Zone};
use crate::recurrence::Weekdays;
use jiff::{Span, Timestamp};

/// The shortest distance between two reminders of one dosage, in seconds: what is more frequent
/// is no work for a messenger.
const DISTANCE_MIN: i64 = 300;
/// Longer periods and bounds are slips of the pen.
const DAYS_MAX: i64 = 36_500;
const DAY: i64 = 86_400;

/// A length of time: by the calendar, or elapsed (R5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Days(i64),
    Weeks(i64),
    Months(i64),
    Seconds(i64),
}

/// Where a repeat begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) start: Option<Moment>,
    pub(super) end: Option<Moment>,
    pub(super) length: Option<Length>,
}

fn unit_seconds(unit: &str) -> Option<i64> {
    match unit {
        "s" => Some(1),
        "min" => Some(60),
        "h" => Some(3600),
        _ => None,
    }
}

fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && (1.0..1e9).contains(&value)).then_some(value as i64)
}

/// A positive length of time with its UCUM unit.
fn length(value: f64, unit: &str) -> Result<Length, String> {
    if !(value > 0.0 && value < 1e9) {
        return Err(format!("{value} is no length of time"));
    }
    if let Some(seconds) = unit_seconds(unit) {
        return whole(value * seconds as f64)
            .filter(|seconds| *seconds <= DAYS_MAX * DAY)
            .map(Length::Seconds)
            .ok_or_else(|| format!("{value} {unit} is no whole number of seconds"));
    }
    let number = whole(value).ok_or_else(|| format!("{value} {unit} is not whole"))?;
    let (length, days) = match unit {
        "d" => (Length::Days(number), number),
        "wk" => (Length::Weeks(number), number * 7),
        "mo" => (Length::Months(number), number * 30),
        "a" => (Length::Months(number * 12), number * 365),
        _ => {
            return Err(format!(
                "`{unit}` is no unit of time: s, min, h, d, wk, mo, a"
            ));
        }
    };
    if days > DAYS_MAX {
        return Err(format!("{value} {unit} is longer than 100 years"));
    }
    Ok(length)
}

impl Length {
    /// A bound of this length that begins then; half open.
    fn end(self, start: Moment, zone: &Zone) -> Option<End> {
        let span = match self {
            Length::Seconds(seconds) => {
                return Some(End::Before(start.instant(zone).as_second() + seconds));
            }
            Length::Days(n) => Span::new().try_days(n).ok()?,
            Length::Weeks(n) => Span::new().try_weeks(n).ok()?,
            Length::Months(n) => Span::new().try_months(n).ok()?,
        };
        match start {
            Moment::Date(date) => Some(End::Day(date.checked_add(span).ok()?.yesterday().ok()?)),
            Moment::At(at) => {
                let local = zone.local(at).checked_add(span).ok()?;
                Some(End::Before(zone.instant(local).as_second()))
            }
        }
    }

    /// In the words of `for`.
    fn words(self) -> Option<String> {
        let (n, unit) = match self {
            Length::Days(n) => (n, "day"),
            Length::Weeks(n) => (n, "week"),
            Length::Months(n) => (n, "month"),
            Length::Seconds(_) => return None,
        };
        Some(format!("{n} {unit}{}", if n == 1 { "" } else { "s" }))
    }
}

/// A FHIR Duration.
fn duration(quantity: &Quantity) -> Result<Length, Fault> {
    if let Some(comparator) = &quantity.comparator {
        let reason = format!("`{comparator}` leaves open how long it is");
        return Err(Fault::new("comparator", reason));
    }
    let value = quantity
        .value
        .ok_or_else(|| Fault::new("value", "it is missing"))?;
    let unit = quantity.code.as_deref().or(quantity.unit.as_deref());
    let unit = unit.ok_or_else(|| Fault::new("code", "it is missing"))?;
    length(value, unit).map_err(|reason| Fault::new("value", reason))
}

/// A quantity as so many seconds, where it is elapsed or whole days.
pub(super) fn seconds(quantity: &Quantity) -> Option<i64> {
    match duration(quantity).ok()? {
        Length::Seconds(seconds) => Some(seconds),
        Length::Days(days) => Some(days * DAY),
        Length::Weeks(weeks) => Some(weeks * 7 * DAY),
        Length::Months(_) => None,
    }
}

/// What holds for every repeat (tim-1 to tim-10, per-1, positive numbers, known codes).
pub(super) fn check(repeat: &Repeat) -> Result<(), Fault> {
    let fault = |element: &str, reason: &str| Err(Fault::new(element, reason));
    let unit = |unit: &Option<String>, element: &str| match unit {
        Some(unit) if !matches!(unit.as_str(), "s" | "min" | "h" | "d" | "wk" | "mo" | "a") => {
            Err(Fault::new(
                element,
                format!("`{unit}` is no unit of time: s, min, h, d, wk, mo, a"),
            ))
        }
        _ => Ok(()),
    };
    unit(&repeat.duration_unit, "durationUnit")?;
    unit(&repeat.period_unit, "periodUnit")?;
    if repeat.duration.is_some() && repeat.duration_unit.is_none() {
        return fault("durationUnit", "`duration` needs its unit (tim-1)");
    }
    if repeat.period.is_some() && repeat.period_unit.is_none() {
        return fault("periodUnit", "`period` needs its unit (tim-2)");
    }
    if repeat.duration.is_some_and(|duration| duration < 0.0) {
        return fault("duration", "it is negative (tim-4)");
    }
    if repeat.period.is_some_and(|period| period < 0.0) {
        return fault("period", "it is negative (tim-5)");
    }
    if repeat.period_max.is_some() && repeat.period.is_none() {
        return fault("periodMax", "it needs a `period` (tim-6)");
    }
    if repeat.duration_max.is_some() && repeat.duration.is_none() {
        return fault("durationMax", "it needs a `duration` (tim-7)");
    }
    if repeat.count_max.is_some() && repeat.count.is_none() {
        return fault("countMax", "it needs a `count` (tim-8)");
    }
    if repeat.count == Some(0) {
        return fault("count", "it is zero");
    }
    if repeat.frequency == Some(0) {
        return fault("frequency", "it is zero");
    }
    let below =
        |max: Option<f64>, min: Option<f64>| max.zip(min).is_some_and(|(max, min)| max < min);
    let whole_below =
        |max: Option<u32>, min: Option<u32>| max.zip(min).is_some_and(|(max, min)| max < min);
    if below(repeat.period_max, repeat.period) {
        return fault("periodMax", "it is below `period`");
    }
    if below(repeat.duration_max, repeat.duration) {
        return fault("durationMax", "it is below `duration`");
    }
    if whole_below(repeat.frequency_max, repeat.frequency) {
        return fault("frequencyMax", "it is below `frequency`");
    }
    if whole_below(repeat.count_max, repeat.count) {
        return fault("countMax", "it is below `count`");
    }
    times::check(repeat)?;
    bounds(repeat).map(|_| ())
}

/// A range with two different ends leaves open which is meant.
pub(super) fn check_ranges(repeat: &Repeat) -> Result<(), Fault> {
    let open = |element: &str| {
        Err(Fault::new(
            element,
            "a range leaves open what is meant: both ends must agree",
        ))
    };
    if repeat.frequency_max.is_some() && repeat.frequency_max != repeat.frequency {
        return open("frequencyMax");
    }
    if repeat.count_max.is_some() && repeat.count_max != repeat.count {
        return open("countMax");
    }
    let differs = |max: f64| repeat.period.is_none_or(|period| max > period);
    if repeat.period_max.is_some_and(differs) {
        return open("periodMax");
    }
    if let Some(range) = &repeat.bounds_range {
        let end = |quantity: &Option<Quantity>, name: &str| match quantity {
            Some(quantity) => {
                duration(quantity).map_err(|fault| fault.within(name).within("boundsRange"))
            }
            None => Err(Fault::new(
                format!("boundsRange.{name}"),
                "it is missing: an open range leaves open how long",
            )),
        };
        if end(&range.low, "low")? != end(&range.high, "high")? {
            return open("boundsRange");
        }
    }
    Ok(())
}

/// The bounds as written; of `boundsRange` its upper end.
pub(super) fn bounds(repeat: &Repeat) -> Result<Bounds, Fault> {
    let given = [
        repeat.bounds_duration.is_some(),
        repeat.bounds_range.is_some(),
        repeat.bounds_period.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(Fault::new("bounds[x]", "there is more than one of them"));
    }
    let mut bounds = Bounds::default();
    if let Some(quantity) = &repeat.bounds_duration {
        bounds.length = Some(duration(quantity).map_err(|fault| fault.within("boundsDuration"))?);
    }
    if let Some(range) = &repeat.bounds_range {
        let high = range.high.as_ref().map(duration).transpose();
        bounds.length = high.map_err(|fault| fault.within("boundsRange.high"))?;
    }
    if let Some(period) = &repeat.bounds_period {
        let moment = |text: &Option<String>, element: &str| {
            text.as_deref()
                .map(date_time)
                .transpose()
                .map_err(|reason| Fault::new(format!("boundsPeriod.{element}"), reason))
        };
        bounds.start = moment(&period.start, "start")?;
        bounds.end = moment(&period.end, "end")?;
        let early = match (bounds.start, bounds.end) {
            (Some(Moment::Date(start)), Some(Moment::Date(end))) => end < start,
            (Some(Moment::At(start)), Some(Moment::At(end))) => end < start,
            (Some(start), Some(end)) => {
                // Zones lie within a day of UTC; nearer ones need a zone to be compared.
                let utc = |moment: Moment| match moment {
                    Moment::Date(date) => date,
                    Moment::At(at) => jiff::tz::Offset::UTC.to_datetime(at).date(),
                };
                utc(end).tomorrow().is_ok_and(|end| end < utc(start))
            }
            _ => false,
        };
        if early {
            return Err(Fault::new(
                "boundsPeriod.end",
                "it is before the start (per-1)",
            ));
        }
    }
    Ok(bounds)
}

impl Bounds {
    /// Where it ends, and where what follows begins.
    pub(super) fn end_from(
        &self,
        start: Option<Moment>,
        zone: &Zone,
    ) -> Result<Option<(End, Moment)>, Fault> {
        let end = match (self.end, self.length) {
            (Some(Moment::Date(date)), _) => End::Day(date),
            (Some(Moment::At(at)), _) => {
                return Ok(Some((End::Before(at.as_second() + 1), Moment::At(at))));
            }
            (None, Some(length)) => {
                let start = start.ok_or_else(|| {
                    Fault::new(
                        "boundsDuration",
                        "it counts from a start, and there is none",
                    )
                })?;
                length.end(start, zone).ok_or_else(|| {
                    Fault::new("boundsDuration", "it ends after the end of the calendar")
                })?
            }
            (None, None) => return Ok(None),
        };
        let next = match end {
            End::Day(date) => Moment::Date(date.tomorrow().unwrap_or(date)),
            End::Before(second) => {
                Moment::At(Timestamp::from_second(second).unwrap_or(Timestamp::MAX))
            }
        };
        Ok(Some((end, next)))
    }

    /// The length in the words of `for`.
    pub(super) fn span(&self) -> Option<String> {
        self.length?.words()
    }
}

/// Single instants: `event` (R14).
pub(super) fn events(timing: &Timing, terms: &Terms) -> Result<Pattern, Fault> {
    let mut seconds = Vec::new();
    for (index, event) in timing.event.iter().enumerate() {
        let within = |reason| Fault::new(format!("event[{index}]"), reason);
        let moment = date_time(event).map_err(within)?;
        seconds.extend(once(moment, terms).map_err(|fault| within(fault.reason))?);
    }
    seconds.sort_unstable();
    seconds.dedup();
    Ok(Pattern::Once(seconds))
}

/// An instant; a date means the time of once a day.
fn once(moment: Moment, terms: &Terms) -> Result<Vec<i64>, Fault> {
    match moment {
        Moment::At(at) => Ok(vec![at.as_second()]),
        Moment::Date(date) => {
            let at = |minute: i32| {
                let midnight = date.at(0, 0, 0, 0);
                let local = midnight.saturating_add(Span::new().minutes(minute));
                terms.zone.instant(local).as_second()
            };
            Ok(a_day(1, terms)?.into_iter().map(at).collect())
        }
    }
}

fn a_day(n: u32, terms: &Terms) -> Result<Vec<i32>, Fault> {
    times::of_frequency(n, &terms.day).ok_or_else(|| {
        Fault::new(
            "repeat.frequency",
            format!("nothing says when {n} times a day is: `{n} = […]` in [day.times] would"),
        )
    })
}

/// The pattern of a timing without events, and how often it falls.
pub(super) fn pattern(
    timing: &Timing,
    start: Moment,
    terms: &Terms,
) -> Result<(Pattern, Option<u32>), Fault> {
    let nothing = Repeat::default();
    let repeat = timing.repeat.as_ref().unwrap_or(&nothing);
    let in_repeat = |fault: Fault| fault.within("repeat");
    let says_days_or_times =
        !repeat.day_of_week.is_empty() || !repeat.time_of_day.is_empty() || !repeat.when.is_empty();
    let says_when = says_days_or_times || repeat.frequency.is_some() || repeat.period.is_some();
    if !says_when {
        return match repeat.count {
            Some(1) => Ok((Pattern::Once(once(start, terms)?), None)),
            Some(count) => Err(Fault::new(
                "repeat.count",
                format!("{count} times, and nothing says when"),
            )),
            None => Ok((code(timing, start, terms)?, None)),
        };
    }
    if repeat.count.is_some_and(|count| count > COUNT_MAX) {
        return Err(Fault::new(
            "repeat.count",
            format!("it is more than {COUNT_MAX}"),
        ));
    }
    let pattern = match (repeat.period, repeat.period_unit.as_deref()) {
        (None, _) if repeat.frequency.is_some() => {
            return Err(Fault::new(
                "repeat.period",
                "it is missing: so often in what time?",
            ));
        }
        (None, _) => days(repeat, 1, terms),
        (Some(period), unit) => {
            let unit = unit.unwrap_or_default();
            let length =
                length(period, unit).map_err(|reason| Fault::new("repeat.period", reason))?;
            match length {
                Length::Seconds(seconds) if seconds % DAY == 0 => {
                    days(repeat, (seconds / DAY) as u32, terms)
                }
                Length::Seconds(seconds) => elapsed(repeat, seconds, start, terms),
                Length::Days(n) => days(repeat, n as u32, terms),
                Length::Weeks(n) => weeks(repeat, n as u32, start, terms),
                Length::Months(n) => months(repeat, n as u32, terms),
            }
        }
    };
    Ok((pattern.map_err(in_repeat)?, repeat.count))
}

fn contradiction(frequency: u32, times: usize) -> Fault {
    Fault::new(
        "frequency",
        format!("{frequency} contradicts the {times} times that are named"),
    )
}

/// The fault of a frequency that no times go with; `a_day` names its element from outside.
fn plain(fault: Fault) -> Fault {
    Fault::new("frequency", fault.reason)
}

fn days(repeat: &Repeat, n: u32, terms: &Terms) -> Result<Pattern, Fault> {
    let minutes = match times::named(repeat, &terms.day)? {
        Some(times) => match repeat.frequency {
            Some(frequency) if !times.are(frequency) => {
                return Err(contradiction(frequency, times.written));
            }
            _ => times.minutes,
        },
        None => match repeat.frequency.unwrap_or(1) {
            frequency if n > 1 && frequency > 1 => {
                return Err(Fault::new(
                    "frequency",
                    format!("{frequency} times in {n} days, and nothing says when"),
                ));
            }
            frequency => a_day(frequency, terms).map_err(plain)?,
        },
    };
    let weekdays = times::weekdays(repeat)?;
    let weekdays = if weekdays.is_empty() {
        Weekdays::ALL
    } else {
        weekdays
    };
    let on = if n == 1 {
        OnDays::Weekdays(weekdays)
    } else {
        OnDays::EveryDays(n, weekdays)
    };
    Ok(Pattern::Clock { on, minutes })
}

fn weeks(repeat: &Repeat, n: u32, start: Moment, terms: &Terms) -> Result<Pattern, Fault> {
    let named = times::weekdays(repeat)?;
    let weekdays = if named.is_empty() {
        named.with(start.date(&terms.zone).weekday())
    } else {
        named
    };
    let days = weekdays.iter().count() as u32;
    let minutes = match times::named(repeat, &terms.day)? {
        Some(Times { minutes, written }) => match repeat.frequency {
            Some(frequency)
                if frequency != 1
                    && frequency != days * minutes.len() as u32
                    && frequency != days * written as u32 =>
            {
                return Err(contradiction(frequency, days as usize * written));
            }
            _ => minutes,
        },
        None => match repeat.frequency {
            Some(frequency) if frequency != 1 && named.is_empty() => {
                return Err(Fault::new(
                    "frequency",
                    format!("{frequency} times a week, and nothing says on which days"),
                ));
            }
            Some(frequency) if frequency != 1 && frequency != days => {
                return Err(Fault::new(
                    "frequency",
                    format!("{frequency} contradicts the {days} days that are named"),
                ));
            }
            _ => a_day(1, terms).map_err(plain)?,
        },
    };
    let on = if n == 1 {
        OnDays::Weekdays(weekdays)
    } else {
        OnDays::Weeks(n, weekdays)
    };
    Ok(Pattern::Clock { on, minutes })
}

fn months(repeat: &Repeat, n: u32, terms: &Terms) -> Result<Pattern, Fault> {
    if !repeat.day_of_week.is_empty() {
        return Err(Fault::new(
            "dayOfWeek",
            "days of the week do not go with months: which of them is meant?",
        ));
    }
    if let Some(frequency) = repeat.frequency.filter(|frequency| *frequency > 1) {
        return Err(Fault::new(
            "frequency",
            format!("{frequency} times in months, and nothing says on which days"),
        ));
    }
    let minutes = match times::named(repeat, &terms.day)? {
        Some(times) => match repeat.frequency {
            Some(frequency) if !times.are(frequency) => {
                return Err(contradiction(frequency, times.written));
            }
            _ => times.minutes,
        },
        None => a_day(1, terms).map_err(plain)?,
    };
    Ok(Pattern::Clock {
        on: OnDays::Months(n),
        minutes,
    })
}

/// The first instant of a distance (R9).
fn first(start: Moment, terms: &Terms) -> i64 {
    match start {
        Moment::At(at) => at.as_second(),
        Moment::Date(date) => {
            let time = terms.day.time(DayWord::Morning);
            terms.zone.instant(date.to_datetime(time)).as_second()
        }
    }
}

fn elapsed(repeat: &Repeat, every: i64, start: Moment, terms: &Terms) -> Result<Pattern, Fault> {
    if !repeat.when.is_empty() || !repeat.time_of_day.is_empty() {
        let element = if repeat.when.is_empty() {
            "timeOfDay"
        } else {
            "when"
        };
        return Err(Fault::new(
            element,
            "times of the day and a distance in hours are two schedules",
        ));
    }
    if let Some(frequency) = repeat.frequency.filter(|frequency| *frequency != 1) {
        return Err(Fault::new(
            "frequency",
            format!("{frequency} times in a span of hours, and nothing says when"),
        ));
    }
    if every < DISTANCE_MIN {
        return Err(Fault::new(
            "period",
            format!("every {every} s is too often to be reminded of"),
        ));
    }
    let weekdays = times::weekdays(repeat)?;
    Ok(Pattern::Elapsed {
        first: first(start, terms),
        every,
        weekdays: if weekdays.is_empty() {
            Weekdays::ALL
        } else {
            weekdays
        },
    })
}

/// The code systems in which timings are abbreviated.
const SYSTEMS: [&str; 2] = [
    "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation",
    "http://terminology.hl7.org/CodeSystem/timing-abbreviation",
];

/// `Timing.code`, read where the repeat says nothing (R14).
fn code(timing: &Timing, start: Moment, terms: &Terms) -> Result<Pattern, Fault> {
    let Some(concept) = &timing.code else {
        return Err(Fault::new("repeat", "nothing says when"));
    };
    let mut found: Option<(&str, Pattern)> = None;
    for coding in &concept.coding {
        let ours = coding
            .system
            .as_deref()
            .is_none_or(|system| SYSTEMS.contains(&system));
        let Some(code) = coding.code.as_deref().filter(|_| ours) else {
            continue;
        };
        let Some(pattern) = abbreviation(code, start, terms)? else {
            continue;
        };
        match &found {
            Some((other, known)) if *known != pattern => {
                return Err(Fault::new(
                    "code",
                    format!("`{other}` and `{code}` contradict each other"),
                ));
            }
            _ => found = Some((code, pattern)),
        }
    }
    found.map(|(_, pattern)| pattern).ok_or_else(|| {
        let words = concept.words().unwrap_or_default();
        Fault::new("code", format!("`{words}` is no timing that is known here"))
    })
}

fn abbreviation(code: &str, start: Moment, terms: &Terms) -> Result<Option<Pattern>, Fault> {
    let clock = |on, minutes| Ok(Some(Pattern::Clock { on, minutes }));
    let daily = OnDays::Weekdays(Weekdays::ALL);
    let times = |n| a_day(n, terms).map_err(|fault| Fault::new("code", fault.reason));
    match code {
        "QD" => clock(daily, times(1)?),
        "BID" => clock(daily, times(2)?),
        "TID" => clock(daily, times(3)?),
        "QID" => clock(daily, times(4)?),
        "QOD" => clock(OnDays::EveryDays(2, Weekdays::ALL), times(1)?),
        "AM" => clock(daily, vec![times::of_word(DayWord::Morning, &terms.day)]),
        "PM" => clock(daily, vec![times::of_word(DayWord::Afternoon, &terms.day)]),
        "BED" => clock(daily, vec![times::of_word(DayWord::Bedtime, &terms.day)]),
        "WK" => {
            let weekday = start.date(&terms.zone).weekday();
            clock(OnDays::Weekdays(Weekdays::NONE.with(weekday)), times(1)?)
        }
        "MO" => clock(OnDays::Months(1), times(1)?),
        "Q1H" | "Q2H" | "Q3H" | "Q4H" | "Q6H" | "Q8H" => Ok(Some(Pattern::Elapsed {
            first: first(start, terms),
            every: i64::from(code.as_bytes()[1] - b'0') * 3600,
            weekdays: Weekdays::ALL,
        })),
        _ => Ok(None),
    }
}
