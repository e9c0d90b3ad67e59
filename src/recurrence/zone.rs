//! Time zones as tables of spans with one offset, so that the usual question ("which instant is
//! 08:00 on that day?") is an addition and a comparison.

use super::Day;
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// First second of the tables: 1899-01-01 UTC, before all that a plan may say. Outside of them the
/// zone's rules are asked.
const TABLE_FROM: i64 = -2_240_524_800;
/// First second after the tables: 2210-01-01 UTC.
const TABLE_UNTIL: i64 = 7_573_651_200;
/// The time of which a zone's fingerprint speaks: 1960 to 2099. It is kept in stores, and does
/// not follow the tables.
const FINGERPRINTED: std::ops::Range<i64> = -315_619_200..4_102_444_800;
/// Seconds, as a power of two, of the pieces of the table's time for which [`Rules::pieces`] knows
/// where to begin: 97 days, in which an offset seldom changes more than once.
const PIECE_BITS: u32 = 23;
/// No UTC offset is larger (jiff's limit is 25:59:59).
const OFFSET_MAX: i64 = 26 * 3600;

/// The time zone in force for somebody: an IANA zone, perhaps with trips into others. Compared by
/// name and rules; cheap to clone.
///
/// Over the beginning and the end of a trip local time jumps as it does over DST, and the same
/// rules hold: a local time that is jumped over moves later by the gap, one that comes twice is
/// the first.
#[derive(Clone)]
pub struct Zone(Arc<Rules>);

/// Days in another zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// The first day. It begins at local midnight in the zone that is left.
    pub from: Day,
    /// The last day. It ends at local midnight in the trip's zone.
    pub until: Day,
    /// IANA name of the zone.
    pub zone: Box<str>,
}

struct Rules {
    name: Box<str>,
    zone: TimeZone,
    trips: Box<[Trip]>,
    /// Ordered by `from`; the first begins at `TABLE_FROM`; neighbours differ in their offset.
    spans: Box<[Span]>,
    /// For each piece of the table's time the span that holds its first second, so that no search
    /// among all spans is needed.
    pieces: Box<[u32]>,
    fingerprint: u64,
    /// The largest distance of its local times from UTC, in seconds.
    reach: i64,
    /// The largest change of its offset, in seconds.
    leap: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: i64,
    offset: i64,
}

/// A stretch of time with one UTC offset, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) offset: i64,
}

/// The tables made so far. An entry is used only while the database still gives equal rules.
static TABLES: RwLock<Option<HashMap<Box<str>, Zone>>> = RwLock::new(None);

impl Zone {
    /// Looks the zone up in the time zone database.
    ///
    /// # Errors
    /// The name is not in the database.
    pub fn get(name: &str) -> Result<Self, jiff::Error> {
        let zone = TimeZone::get(name)?;
        // The database is right about the spelling: "asia/shanghai" is Asia/Shanghai.
        let name = zone.iana_name().unwrap_or(name);
        let known = TABLES.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.as_ref().and_then(|tables| tables.get(name))
            && found.0.zone == zone
        {
            return Ok(found.clone());
        }
        drop(known);
        let spans = spans_of(&zone);
        let made = Self(Arc::new(Rules::new(
            name.into(),
            zone.clone(),
            Box::default(),
            spans,
        )));
        TABLES
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_default()
            .insert(made.0.name.clone(), made.clone());
        Ok(made)
    }

    /// The same with trips, which are ascending and do not overlap.
    ///
    /// # Errors
    /// A trip's zone is not in the database.
    pub fn with_trips(&self, trips: &[Trip]) -> Result<Self, jiff::Error> {
        let home = Self::get(self.name())?;
        let mut spans = Vec::new();
        let mut left = home.clone();
        let mut since = TABLE_FROM;
        let mut previous: Option<&Trip> = None;
        for trip in trips {
            let zone = Self::get(&trip.zone)?;
            let at_home = previous.is_none_or(|previous| previous.until.0 + 1 < trip.from.0);
            if at_home && previous.is_some() {
                let back =
                    previous.map_or(since, |previous| Day(previous.until.0 + 1).midnight(&left));
                left.copy_spans(since, back, &mut spans);
                (left, since) = (home.clone(), back);
            }
            let leaves = trip.from.midnight(&left);
            left.copy_spans(since, leaves, &mut spans);
            (left, since, previous) = (zone, leaves, Some(trip));
        }
        if let Some(last) = previous {
            let back = Day(last.until.0 + 1).midnight(&left);
            left.copy_spans(since, back, &mut spans);
            (left, since) = (home.clone(), back);
        }
        left.copy_spans(since, TABLE_UNTIL, &mut spans);
        let rules = Rules::new(home.name().into(), home.0.zone.clone(), trips.into(), spans);
        Ok(Self(Arc::new(rules)))
    }

    /// Appends the spans of a stretch of time.
    fn copy_spans(&self, from: i64, until: i64, spans: &mut Vec<Span>) {
        let mut from = from;
        while from < until {
            let stretch = self.stretch_at(from);
            // A trip that is over before it began has left no time to the zone before.
            while spans.last().is_some_and(|last| last.from >= from) {
                spans.pop();
            }
            if spans
                .last()
                .is_none_or(|last| last.offset != stretch.offset)
            {
                spans.push(Span {
                    from,
                    offset: stretch.offset,
                });
            }
            from = stretch.until;
        }
    }

    /// The IANA name, e.g. `Asia/Shanghai`; without regard to trips, the one at home.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The rules of the zone at home. Who wants to show a time asks [`Zone::local`].
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.0.zone
    }

    /// The trips, ascending.
    #[must_use]
    pub fn trips(&self) -> &[Trip] {
        &self.0.trips
    }

    /// What the clock on the wall shows, at home or on a trip.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> civil::DateTime {
        let offset = self.stretch_at(at.as_second()).offset;
        let offset = jiff::tz::Offset::from_seconds(offset as i32).unwrap_or(jiff::tz::Offset::UTC);
        offset.to_datetime(at)
    }

    /// The instant with its UTC offset, as RFC 3339 writes it.
    #[must_use]
    pub fn rfc3339(&self, at: Timestamp) -> String {
        let offset = self.stretch_at(at.as_second()).offset;
        jiff::tz::Offset::from_seconds(offset as i32).map_or_else(
            |_| at.to_string(),
            |offset| at.display_with_offset(offset).to_string(),
        )
    }

    /// The instant at which the clock on the wall shows this: of a time that does not exist, the
    /// one later by the gap, of one that comes twice, the first.
    #[must_use]
    pub fn instant(&self, local: civil::DateTime) -> Timestamp {
        let day = i64::from(Day::from(local.date()).0);
        let time = local.time();
        let seconds = i64::from(time.hour()) * 3600
            + i64::from(time.minute()) * 60
            + i64::from(time.second());
        let second = self.second_of(day * 86_400 + seconds);
        let limit = if second < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        Timestamp::from_second(second).unwrap_or(limit)
    }

    /// A number that changes when the zone's rules change: of a plan's meaning, the name alone
    /// says too little once a government has moved the clocks.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.0.fingerprint
    }

    /// No local time of the zone is further from UTC than this, in seconds.
    pub(super) fn reach(&self) -> i64 {
        self.0.reach
    }

    /// No change of the offset is larger, in seconds: a change longer ago than this moves no
    /// local time to the other side of an instant.
    pub(super) fn leap(&self) -> i64 {
        self.0.leap
    }

    /// The stretch with one offset that holds the second. Outside of the table it is a guess of
    /// one second's length, so that nobody concludes anything from it about its neighbours.
    pub(super) fn stretch_at(&self, second: i64) -> Stretch {
        if !(TABLE_FROM..TABLE_UNTIL).contains(&second) {
            let offset = Timestamp::from_second(second)
                .map_or(0, |at| i64::from(self.0.zone.to_offset(at).seconds()));
            return Stretch {
                from: second,
                until: second + 1,
                offset,
            };
        }
        let spans = &self.0.spans;
        let index = self.0.span_at(second);
        Stretch {
            from: spans[index].from,
            until: spans.get(index + 1).map_or(TABLE_UNTIL, |next| next.from),
            offset: spans[index].offset,
        }
    }

    /// The instant of a local time given in seconds since 1970-01-01T00:00 of the wall clock.
    /// One that does not exist moves later by the gap, of one that comes twice it is the first.
    pub(super) fn second_of(&self, local: i64) -> i64 {
        let spans = &self.0.spans;
        if !(TABLE_FROM + 2 * OFFSET_MAX..TABLE_UNTIL - 2 * OFFSET_MAX).contains(&local) {
            return self.second_by_rules(local);
        }
        let first = self.0.span_at(local - OFFSET_MAX);
        for index in first..spans.len() {
            let second = local - spans[index].offset;
            let until = spans.get(index + 1).map_or(TABLE_UNTIL, |next| next.from);
            if second < until {
                // Earlier than this stretch, and too late for the one before: in the gap.
                let gap = second < spans[index].from && index > first;
                return if gap {
                    local - spans[index - 1].offset
                } else {
                    second
                };
            }
        }
        self.second_by_rules(local)
    }

    fn second_by_rules(&self, local: i64) -> i64 {
        Timestamp::from_second(local)
            .ok()
            .map(|at| TimeZone::UTC.to_datetime(at))
            .and_then(|at| self.0.zone.to_ambiguous_timestamp(at).compatible().ok())
            .map_or(local, Timestamp::as_second)
    }
}

fn spans_of(zone: &TimeZone) -> Vec<Span> {
    let start = Timestamp::from_second(TABLE_FROM).unwrap_or(Timestamp::UNIX_EPOCH);
    let first = i64::from(zone.to_offset(start).seconds());
    let mut spans = vec![Span {
        from: TABLE_FROM,
        offset: first,
    }];
    for change in zone.following(start) {
        let from = change.timestamp().as_second();
        if from >= TABLE_UNTIL {
            break;
        }
        let offset = i64::from(change.offset().seconds());
        if spans.last().is_none_or(|last| last.offset != offset) {
            spans.push(Span { from, offset });
        }
    }
    spans
}

impl Rules {
    fn new(name: Box<str>, zone: TimeZone, trips: Box<[Trip]>, spans: Vec<Span>) -> Self {
        let fingerprint = fingerprint(&spans);
        // Outside of the table local mean times reach a little further.
        let reach = spans
            .iter()
            .map(|span| span.offset.abs())
            .fold(16 * 3600, i64::max);
        let leap = spans
            .windows(2)
            .map(|pair| (pair[1].offset - pair[0].offset).abs())
            .fold(3600, i64::max);
        let pieces = pieces_of(&spans);
        Self {
            name,
            zone,
            trips,
            spans: spans.into(),
            pieces,
            fingerprint,
            reach,
            leap,
        }
    }
}

fn fingerprint(spans: &[Span]) -> u64 {
    let first = spans.partition_point(|span| span.from <= FINGERPRINTED.start);
    let before = first.checked_sub(1).map_or(0, |last| spans[last].offset);
    let within = spans[first..].iter().map(|span| (span.from, span.offset));
    // FNV-1a: it need not resist anybody, only be equal on every machine and in every release.
    std::iter::once((FINGERPRINTED.start, before))
        .chain(within.take_while(|(from, _)| *from < FINGERPRINTED.end))
        .flat_map(|(from, offset)| [from, offset])
        .flat_map(i64::to_le_bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

impl Rules {
    /// The span that holds a second of the table's time.
    fn span_at(&self, second: i64) -> usize {
        let piece = (second - TABLE_FROM) >> PIECE_BITS;
        let mut index = self.pieces[piece as usize] as usize;
        while self
            .spans
            .get(index + 1)
            .is_some_and(|next| next.from <= second)
        {
            index += 1;
        }
        index
    }
}

fn pieces_of(spans: &[Span]) -> Box<[u32]> {
    let mut index = 0;
    let starts = (TABLE_FROM..TABLE_UNTIL).step_by(1 << PIECE_BITS);
    let pieces = starts.map(|start| {
        while spans.get(index + 1).is_some_and(|next| next.from <= start) {
            index += 1;
        }
        index as u32
    });
    pieces.collect()
}

impl fmt::Debug for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Zone").field(&self.0.name).finish()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.name == other.0.name && self.0.fingerprint == other.0.fingerprint)
    }
}

impl Eq for Zone {}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0.name, &self.0.trips).serialize(serializer)
    }
}

/// A zone as it is written. Its name is only looked up: it is borrowed where it stands in one piece.
#[derive(Deserialize)]
struct Written<'a>(#[serde(borrow)] Cow<'a, str>, Vec<Trip>);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written(name, trips) = Written::deserialize(deserializer)?;
        let home = Zone::get(&name).map_err(serde::de::Error::custom)?;
        if trips.is_empty() {
            return Ok(home);
        }
        home.with_trips(&trips).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_zone() -> impl Strategy<Value = Zone> {
        let names: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.to_string())
            .collect();
        assert!(names.len() > 400);
        proptest::sample::select(names).prop_map(|name| Zone::get(&name).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn local_times_map_as_the_rules_say(zone in any_zone(), local in -2_500_000_000_i64..8_000_000_000) {
            prop_assert_eq!(zone.second_of(local), zone.second_by_rules(local));
        }

        #[test]
        fn offsets_are_those_of_the_rules(zone in any_zone(), second in -2_500_000_000_i64..8_000_000_000) {
            let at = Timestamp::from_second(second).unwrap();
            let offset = i64::from(zone.time_zone().to_offset(at).seconds());
            let stretch = zone.stretch_at(second);
            prop_assert_eq!(stretch.offset, offset);
            prop_assert!(stretch.from <= second && second < stretch.until);
        }
    }

    #[test]
    fn local_times_around_every_change_map_as_the_rules_say() {
        for name in jiff::tz::db().available() {
            let zone = Zone::get(name.as_str()).unwrap();
            for span in &zone.0.spans[1..] {
                let before = zone.stretch_at(span.from - 1).offset;
                for local in [span.from + before, span.from + span.offset] {
                    for around in [-7200, -1800, -1, 0, 1, 1800, 3599, 3600, 7200, 86_400] {
                        let local = local + around;
                        assert_eq!(
                            zone.second_of(local),
                            zone.second_by_rules(local),
                            "{zone:?} {local}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn trips_hold_from_midnight_in_the_zone_left_to_the_end_of_their_last_day() {
        let day = |month, day| Day::from(civil::date(2026, month, day));
        let trip = Trip {
            from: day(4, 10),
            until: day(4, 12),
            zone: "Europe/Berlin".into(),
        };
        let zone = Zone::get("Asia/Shanghai")
            .unwrap()
            .with_trips(&[trip])
            .unwrap();
        for (local, instant) in [
            // At home, until midnight there.
            ("2026-04-09T20:00", "2026-04-09T12:00:00Z"),
            // Comes twice: at home first.
            ("2026-04-09T23:00", "2026-04-09T15:00:00Z"),
            ("2026-04-10T08:00", "2026-04-10T06:00:00Z"),
            ("2026-04-12T23:59", "2026-04-12T21:59:00Z"),
            // Jumped over on the way back: later by the gap of six hours.
            ("2026-04-13T05:00", "2026-04-13T03:00:00Z"),
            ("2026-04-13T06:00", "2026-04-12T22:00:00Z"),
            ("2026-04-13T08:00", "2026-04-13T00:00:00Z"),
        ] {
            let local: civil::DateTime = local.parse().unwrap();
            assert_eq!(zone.instant(local).to_string(), instant, "{local}");
        }
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            zone.local(at("2026-04-09T15:59:59Z")).to_string(),
            "2026-04-09T23:59:59"
        );
        assert_eq!(
            zone.local(at("2026-04-09T16:00:00Z")).to_string(),
            "2026-04-09T18:00:00"
        );
        assert_eq!(
            zone.rfc3339(at("2026-04-11T06:00:00Z")),
            "2026-04-11T08:00:00+02:00"
        );
        let bytes = postcard::to_stdvec(&zone).unwrap();
        let again: Zone = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(again, zone);
        assert_ne!(again, Zone::get("Asia/Shanghai").unwrap());
    }

    #[test]
    fn a_trip_may_follow_another_directly() {
        let day = |day| Day::from(civil::date(2026, 4, day));
        let trip = |from, until, zone: &str| Trip {
            from: day(from),
            until: day(until),
            zone: zone.into(),
        };
        let trips = [
            trip(1, 3, "Europe/Berlin"),
            trip(4, 5, "Europe/London"),
            trip(10, 11, "Asia/Tokyo"),
        ];
        let zone = Zone::get("Asia/Shanghai")
            .unwrap()
            .with_trips(&trips)
            .unwrap();
        let at = |text: &str| zone.instant(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-03-31T12:00"), "2026-03-31T04:00:00Z");
        assert_eq!(at("2026-04-03T12:00"), "2026-04-03T10:00:00Z");
        assert_eq!(at("2026-04-04T12:00"), "2026-04-04T11:00:00Z");
        assert_eq!(at("2026-04-07T12:00"), "2026-04-07T04:00:00Z");
        assert_eq!(at("2026-04-10T12:00"), "2026-04-10T03:00:00Z");
        assert_eq!(at("2026-04-12T12:00"), "2026-04-12T04:00:00Z");
    }

    #[test]
    fn a_fingerprint_speaks_of_1960_to_2099_as_in_former_releases() {
        let span = |from, offset| Span { from, offset };
        let summer = [span(515_527_200, 32_400), span(527_018_400, 28_800)];
        let of = |before: &[Span], after: &[Span]| fingerprint(&[before, &summer, after].concat());
        let former = of(&[span(-315_619_200, 28_800)], &[]);
        assert_eq!(former, 0x6a97_69a3_1ba2_ec15);
        let longer = [span(TABLE_FROM, 29_143), span(-2_177_481_943, 28_800)];
        assert_eq!(of(&longer, &[span(4_102_444_800, 25_200)]), former);
        assert_ne!(of(&longer, &[span(4_102_444_799, 25_200)]), former);
    }

    #[test]
    fn zones_are_shared_and_travel_by_name() {
        let zone = Zone::get("europe/berlin").unwrap();
        assert_eq!(zone.name(), "Europe/Berlin");
        assert!(Arc::ptr_eq(&zone.0, &Zone::get("Europe/Berlin").unwrap().0));
        let bytes = postcard::to_stdvec(&zone).unwrap();
        assert_eq!(postcard::from_bytes::<Zone>(&bytes).unwrap(), zone);
    }
}
