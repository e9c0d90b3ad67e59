//! Time zones as tables of spans with one offset, so that the usual question ("which instant is
//! 08:00 on that day?") is an addition and a comparison.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// First second of the tables: 1960-01-01 UTC. Outside of them the zone's rules are asked.
const TABLE_FROM: i64 = -315_619_200;
/// First second after the tables: 2100-01-01 UTC.
const TABLE_UNTIL: i64 = 4_102_444_800;
/// No UTC offset is larger (jiff's limit is 25:59:59).
const OFFSET_MAX: i64 = 26 * 3600;

/// An IANA time zone, compared by its name and its rules. Cheap to clone.
#[derive(Clone)]
pub struct Zone(Arc<Rules>);

struct Rules {
    name: Box<str>,
    zone: TimeZone,
    /// Ordered by `from`; the first begins at `TABLE_FROM`; neighbours differ in their offset.
    spans: Box<[Span]>,
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
        let made = Self(Arc::new(Rules::new(name.into(), zone.clone())));
        TABLES
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_default()
            .insert(made.0.name.clone(), made.clone());
        Ok(made)
    }

    /// The IANA name, e.g. `Asia/Shanghai`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The zone's rules.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.0.zone
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
        let index = spans.partition_point(|span| span.from <= second) - 1;
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
        let first = spans.partition_point(|span| span.from <= local - OFFSET_MAX) - 1;
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
            .map_or(local, |at| at.as_second())
    }
}

impl Rules {
    fn new(name: Box<str>, zone: TimeZone) -> Self {
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
        // FNV-1a: it need not resist anybody, only be equal on every machine and in every release.
        let fingerprint = spans
            .iter()
            .flat_map(|span| [span.from, span.offset])
            .flat_map(i64::to_le_bytes)
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        // Outside of the table local mean times reach a little further.
        let reach = spans
            .iter()
            .map(|span| span.offset.abs())
            .fold(16 * 3600, i64::max);
        let leap = spans
            .windows(2)
            .map(|pair| (pair[1].offset - pair[0].offset).abs())
            .fold(3600, i64::max);
        Self {
            name,
            zone,
            spans: spans.into(),
            fingerprint,
            reach,
            leap,
        }
    }
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
        self.0.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Zone::get(&name).map_err(serde::de::Error::custom)
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
        fn local_times_map_as_the_rules_say(zone in any_zone(), local in -1_000_000_000_i64..6_000_000_000) {
            prop_assert_eq!(zone.second_of(local), zone.second_by_rules(local));
        }

        #[test]
        fn offsets_are_those_of_the_rules(zone in any_zone(), second in -1_000_000_000_i64..6_000_000_000) {
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
    fn zones_are_shared_and_travel_by_name() {
        let zone = Zone::get("europe/berlin").unwrap();
        assert_eq!(zone.name(), "Europe/Berlin");
        assert!(Arc::ptr_eq(&zone.0, &Zone::get("Europe/Berlin").unwrap().0));
        let bytes = postcard::to_stdvec(&zone).unwrap();
        assert_eq!(postcard::from_bytes::<Zone>(&bytes).unwrap(), zone);
    }
}
