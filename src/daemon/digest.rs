//! What the digest for staff tells, read from the store and from what monitoring sees.

use crate::engine::{Digest, DoseHistory, Entry};
use crate::plan::Zone;
use crate::store::{Reader, StoreError};
use jiff::{SignedDuration, Timestamp};

/// Words are counted for so long back.
const WORDS_OF: SignedDuration = SignedDuration::from_hours(24);

/// What of a digest the store does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Patients whom the channel cannot reach.
    pub unreachable: u64,
    /// Plans that are rejected.
    pub rejected: u64,
    /// The backup failed, or is overdue.
    pub backup_late: bool,
}

/// The digest of the clinic's day before `now`. Reads patient by patient, in small pages: to be
/// called where waiting is allowed. `urgent` says whether a stranger's words cannot wait.
///
/// # Errors
/// The read failed. Records that cannot be read are left out: health tells of them.
pub fn collect(
    reader: &Reader,
    seen: Seen,
    now: Timestamp,
    zone: &Zone,
    urgent: impl Fn(&str) -> bool,
) -> Result<Digest, StoreError> {
    let today = zone.local(now).date();
    let day = today.yesterday().unwrap_or(today);
    let midnight = |day: jiff::civil::Date| zone.instant(day.at(0, 0, 0, 0));
    let (from, until) = (midnight(day), midnight(today));
    let mut digest = Digest {
        day,
        at: now,
        unreachable: seen.unreachable,
        rejected: seen.rejected,
        backup_late: seen.backup_late,
        ..Digest::default()
    };
    let lately = now.saturating_sub(WORDS_OF).unwrap_or(Timestamp::MIN);
    for chart in reader.charts(None, from, is_told_of)? {
        let chart = chart?;
        let mut history = DoseHistory::new(from, until);
        let open = chart.state.iter().flat_map(|state| &state.doses);
        for dose in open.filter(|dose| dose.due <= now) {
            history.waits(&dose.medication, dose.due);
        }
        for (at, entry) in &chart.entries {
            if let Entry::Wrote { red_flag, .. } = entry
                && *at > lately
            {
                digest.words += 1;
                digest.red_flags += u64::from(*red_flag);
            }
            history.note(entry);
        }
        digest.add(&history.adherence(zone).all);
    }
    for line in reader.strangers(lately, now)? {
        digest.words += 1;
        digest.red_flags += u64::from(urgent(&line.text));
    }
    let calls = reader.calls()?;
    let mut patients: Vec<&str> = calls.iter().map(|call| call.patient.as_str()).collect();
    patients.sort_unstable();
    patients.dedup();
    digest.calls = patients.len() as u64;
    Ok(digest)
}

fn is_told_of(entry: &Entry) -> bool {
    DoseHistory::is_told_by(entry) || matches!(entry, Entry::Wrote { .. })
}
