//! When a dose was taken, by what the patient says and when it was due.

use super::Reply;
use super::clock::{fitting, part_fits};
use super::said::When;
use jiff::{SignedDuration, Timestamp};

/// When something was taken.
pub(super) enum At {
    /// Then.
    Said(Timestamp),
    /// Nothing was said, or nothing exact.
    Unsaid,
    /// What was said does not fit the dose, or lies ahead.
    Impossible,
}

/// When the dose due at `due`, or what was taken without a plan, was taken.
pub(super) fn taken_at(when: &When, due: Option<Timestamp>, reply: &Reply<'_>) -> At {
    let now = reply.now;
    if let Some(minutes) = when.ago {
        if when.day.is_some() || when.clock.is_some() {
            return At::Impossible;
        }
        let at = now
            .timestamp()
            .checked_sub(SignedDuration::from_mins(i64::from(minutes)));
        return match (at, due) {
            (Ok(at), Some(due)) if fitting(&[at], due).is_none() => At::Impossible,
            (Ok(at), _) => At::Said(at),
            (Err(_), _) => At::Impossible,
        };
    }
    if let Some(clock) = when.clock {
        let clock = match when.part {
            Some(part) => clock.in_part(part),
            None => clock,
        };
        let instants = clock.instants(when.day, now);
        let at = match due {
            Some(due) => fitting(&instants, due),
            None => instants.last().copied(),
        };
        return at.map_or(At::Impossible, At::Said);
    }
    let day = when.day.unwrap_or(0);
    let Some(due) = due else {
        // Without a dose to hold it against, "yesterday" has no instant.
        return if day == 0 { At::Unsaid } else { At::Impossible };
    };
    let fits = match when.part {
        Some(part) => part_fits(part, day, due, now),
        None if when.day.is_some() => {
            let due = due.to_zoned(now.time_zone().clone());
            now.date()
                .checked_add(jiff::Span::new().days(i64::from(day)))
                .is_ok_and(|date: jiff::civil::Date| due.date() == date)
        }
        None => true,
    };
    if fits { At::Unsaid } else { At::Impossible }
}
