//! What a plan's schedules give: doses and check-ins with their windows (P8).

use super::{CheckIn, Medication, ResolvedPlan, ScheduledCheckIn, ScheduledDose, Zone};
use crate::recurrence::{Occurrence, Schedule};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Between two amounts that fall on one instant.
pub(super) const BOTH: &str = " + ";

const fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

impl ResolvedPlan {
    /// The doses of one of the plan's medications at or after `from`, ascending. Without `start`
    /// in the plan they reach into the past without end: the caller knows since when the plan
    /// has been in force.
    pub fn doses_from<'a>(
        &'a self,
        medication: &'a Medication,
        from: Timestamp,
    ) -> impl Iterator<Item = ScheduledDose<'a>> + 'a {
        let gaps = Gaps::new(&medication.schedule, &self.zone, from);
        gaps.map(move |Gap { this, next, length }| {
            let window = medication
                .window
                .unwrap_or_else(|| window(length, medication.critical));
            let window_ends = end_of(this.at, window, next);
            let on_time = on_time(
                length,
                medication.critical,
                medication.schedule.is_interval(),
            );
            ScheduledDose {
                due: this.at,
                amount: medication.amount_of(&self.zone, this),
                window_ends,
                on_time_until: end_of(this.at, on_time, Some(window_ends)),
            }
        })
    }

    /// How many doses of a medication the plan's pauses leave out, from `from` on and before
    /// `until`.
    #[must_use]
    pub fn doses_paused(&self, medication: &Medication, from: Timestamp, until: Timestamp) -> u64 {
        let unpaused = Schedule {
            pauses: Vec::new(),
            ..medication.schedule.clone()
        };
        let instant = |second, limit| Timestamp::from_second(second).unwrap_or(limit);
        let paused = medication.schedule.pauses.iter().map(|pause| {
            let from = from.max(instant(pause.from, Timestamp::MIN));
            let until = until.min(instant(pause.until, Timestamp::MAX));
            let left_out = unpaused.occurrences(&self.zone, from);
            left_out.take_while(|it| it.at < until).count() as u64
        });
        paused.sum()
    }

    /// The askings of one of the plan's check-ins at or after `from`, ascending; without `start`
    /// they reach into the past without end.
    pub fn check_ins_from<'a>(
        &'a self,
        check_in: &'a CheckIn,
        from: Timestamp,
    ) -> impl Iterator<Item = ScheduledCheckIn> + 'a {
        let gaps = Gaps::new(&check_in.schedule, &self.zone, from);
        gaps.map(|Gap { this, next, length }| {
            let window_ends = end_of(this.at, hours(24), next);
            ScheduledCheckIn {
                due: this.at,
                window_ends,
                on_time_until: end_of(this.at, on_time(length, false, false), Some(window_ends)),
            }
        })
    }

    /// SHA-256 of all that the plan means: equal for texts that differ only in form, different
    /// after a change of what is inherited or of the zone's rules.
    ///
    /// # Panics
    /// Never: hashing does not fail, and a plan has no type that the stored form lacks.
    #[must_use]
    pub fn meaning_hash(&self) -> [u8; 32] {
        struct Sink(Sha256);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let sink = postcard::to_io(&(self, self.zone.fingerprint()), Sink(Sha256::new())).expect(
            "writing into a hash does not fail, and a plan has no type that postcard lacks",
        );
        sink.0.finalize().into()
    }
}

impl Medication {
    /// Whether elapsed time counts and not the wall clock ("every 8 hours").
    #[must_use]
    pub fn is_interval(&self) -> bool {
        self.by_distance || self.schedule.is_interval()
    }

    /// Whether the next dose is counted from when the last one was taken (P3).
    #[must_use]
    pub fn follows_last(&self) -> bool {
        let mut parts = self.schedule.parts.iter();
        parts.any(|part| matches!(part.pattern, crate::recurrence::Pattern::AfterLast(_)))
    }

    /// What messages call it: `short`, else the name.
    #[must_use]
    pub fn label(&self) -> &str {
        self.short.as_deref().unwrap_or(&self.name)
    }

    fn amount_of(&self, zone: &Zone, this: Occurrence) -> Cow<'_, str> {
        let words = |index: u16| {
            self.amounts
                .get(usize::from(index))
                .map_or("", String::as_str)
        };
        if !this.several {
            return Cow::Borrowed(words(this.amount));
        }
        let mut all: Vec<&str> = Vec::new();
        self.schedule.amounts_at(zone, this.at, |index| {
            if !all.contains(&words(index)) {
                all.push(words(index));
            }
        });
        match all[..] {
            [one] => Cow::Borrowed(one),
            _ => Cow::Owned(all.join(BOTH)),
        }
    }
}

/// One occurrence and its surroundings.
struct Gap {
    this: Occurrence,
    next: Option<Timestamp>,
    /// To the next one; of the last one, from the one before; of a single one, nothing.
    length: Option<SignedDuration>,
}

/// A schedule's occurrences with their gaps.
struct Gaps<'a> {
    schedule: &'a Schedule,
    zone: &'a Zone,
    this: Option<Occurrence>,
    before: Option<Timestamp>,
}

impl<'a> Gaps<'a> {
    fn new(schedule: &'a Schedule, zone: &'a Zone, from: Timestamp) -> Self {
        Self {
            schedule,
            zone,
            this: schedule.at_or_after(zone, from),
            before: None,
        }
    }
}

impl Iterator for Gaps<'_> {
    type Item = Gap;

    fn next(&mut self) -> Option<Gap> {
        let this = self.this?;
        let next = Timestamp::from_second(this.at.as_second() + 1)
            .ok()
            .and_then(|later| self.schedule.at_or_after(self.zone, later));
        let length = match next {
            Some(next) => Some(next.at.duration_since(this.at)),
            None => self
                .before
                .or_else(|| Some(self.schedule.before(self.zone, this.at)?.at))
                .map(|before| this.at.duration_since(before)),
        };
        self.before = Some(this.at);
        self.this = next;
        Some(Gap {
            this,
            next: next.map(|next| next.at),
            length,
        })
    }
}

/// How long after its instant a dose may still be reminded of (P8).
fn window(gap: Option<SignedDuration>, critical: bool) -> SignedDuration {
    let half = |gap: SignedDuration| SignedDuration::from_secs(gap.as_secs() / 2);
    match gap {
        gap if critical => gap.map_or(hours(2), |gap| half(gap).min(hours(2))),
        Some(gap) if gap <= hours(25) => half(gap).min(hours(6)),
        // 28 days over the beginning of DST are an hour or two shorter.
        Some(gap) if gap < hours(28 * 24 - 2) => hours(24),
        _ => hours(48),
    }
}

/// How long after its instant a reminder is not late (P8; ISMP's guidelines for timely
/// administration of scheduled medications).
fn on_time(gap: Option<SignedDuration>, critical: bool, interval: bool) -> SignedDuration {
    // Once a day by the wall clock is 23 hours on the day on which DST begins.
    let day = if interval { hours(24) } else { hours(23) };
    match gap {
        _ if critical => SignedDuration::from_mins(30),
        Some(gap) if gap <= hours(4) => SignedDuration::from_mins(30),
        Some(gap) if gap < day => hours(1),
        _ => hours(2),
    }
}

/// `length` after `at`, but not past `limit` nor the end of time.
fn end_of(at: Timestamp, length: SignedDuration, limit: Option<Timestamp>) -> Timestamp {
    let end = at.checked_add(length).unwrap_or(Timestamp::MAX);
    limit.map_or(end, |limit| end.min(limit))
}
