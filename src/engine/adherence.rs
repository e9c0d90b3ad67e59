//! Adherence: how much of what was prescribed was taken, from what the journal says.
//!
//! What is counted and what is not, and where the definitions come from, stands in
//! `docs/adherence.md`.

use super::{ClosedDose, DoseState, Entry, ExpiredReason, GivenAnswer, Millis};
use crate::plan::Zone;
use jiff::{Timestamp, civil::Date};
use std::collections::BTreeMap;

/// A patient's doses due in a half-open range of time, as far as entries of the journal told.
///
/// Entries are noted in the order in which they were written: of several about one dose the last
/// counts.
#[derive(Clone, Debug)]
pub struct DoseHistory {
    from: Timestamp,
    until: Timestamp,
    /// By medication and scheduled instant.
    doses: BTreeMap<String, BTreeMap<Timestamp, Fate>>,
}

/// What became of one dose.
#[derive(Clone, Copy, Debug)]
struct Fate {
    outcome: Outcome,
    /// Somebody said within its window that it is not taken.
    said_not_taken: bool,
}

/// How one dose counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It waits for an answer.
    Open,
    Taken {
        on_time: bool,
    },
    Skipped,
    /// Reminded of, and not taken: the patient said so, or said nothing.
    Missed {
        said: bool,
    },
    NotSent(ExpiredReason),
    Cancelled,
}

/// The figures of one patient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adherence {
    /// Of all doses together; a day is correct if all of its doses are.
    pub all: Figures,
    /// Of each medication, by its id.
    pub medications: BTreeMap<String, Figures>,
}

/// Counts of doses and days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Doses taken, whenever.
    pub taken: u64,
    /// Of those, the ones taken on time.
    pub on_time: u64,
    /// Doses left out on purpose.
    pub skipped: u64,
    /// Doses of which the patient said that they were not taken.
    pub said_not_taken: u64,
    /// Doses that were reminded of and of which nobody said anything.
    pub no_answer: u64,
    /// Doses that were not reminded of in time, in the order of [`ExpiredReason::ALL`].
    pub not_sent: [u64; ExpiredReason::ALL.len()],
    /// Doses that an edit of the plan took back.
    pub cancelled: u64,
    /// Doses that wait for an answer.
    pub open: u64,
    /// Local days on which each dose was taken.
    pub days_correct: u64,
    /// Local days that had doses, of each of which it is known whether it was taken.
    pub days_judged: u64,
    /// Local days that had doses, one of them not sent or open.
    pub days_not_judged: u64,
}

/// A share: so many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// So many.
    pub numerator: u64,
    /// Of so many.
    pub denominator: u64,
}

impl Share {
    /// Tenths of a percent, rounded half up; `None` of nothing.
    #[must_use]
    pub fn per_mille(self) -> Option<u64> {
        let twice = self.denominator.checked_mul(2).filter(|it| *it > 0)?;
        Some((self.numerator.saturating_mul(2_000)).saturating_add(self.denominator) / twice)
    }
}

impl Figures {
    /// Doses of which it is known whether they were taken: the denominator.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.taken + self.skipped + self.said_not_taken + self.no_answer
    }

    /// Doses taken, of those of which it is known.
    #[must_use]
    pub fn doses_taken(&self) -> Share {
        Share {
            numerator: self.taken,
            denominator: self.known(),
        }
    }

    /// Doses taken on time, of those of which it is known whether they were taken.
    #[must_use]
    pub fn doses_on_time(&self) -> Share {
        Share {
            numerator: self.on_time,
            denominator: self.known(),
        }
    }

    /// Days on which each dose was taken, of those that can be judged.
    #[must_use]
    pub fn correct_days(&self) -> Share {
        Share {
            numerator: self.days_correct,
            denominator: self.days_judged,
        }
    }

    /// Doses that were not reminded of in time, for whatever reason.
    #[must_use]
    pub fn not_sent_in_all(&self) -> u64 {
        self.not_sent.iter().sum()
    }

    /// Adds the figures of others: of days only the sums of each one's own.
    pub fn add(&mut self, other: &Figures) {
        self.taken += other.taken;
        self.on_time += other.on_time;
        self.skipped += other.skipped;
        self.said_not_taken += other.said_not_taken;
        self.no_answer += other.no_answer;
        for (sum, more) in self.not_sent.iter_mut().zip(other.not_sent) {
            *sum += more;
        }
        self.cancelled += other.cancelled;
        self.open += other.open;
        self.days_correct += other.days_correct;
        self.days_judged += other.days_judged;
        self.days_not_judged += other.days_not_judged;
    }

    fn dose(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Open => self.open += 1,
            Outcome::Taken { on_time } => {
                self.taken += 1;
                self.on_time += u64::from(on_time);
            }
            Outcome::Skipped => self.skipped += 1,
            Outcome::Missed { said: true } => self.said_not_taken += 1,
            Outcome::Missed { said: false } => self.no_answer += 1,
            Outcome::NotSent(reason) => self.not_sent[reason as usize] += 1,
            Outcome::Cancelled => self.cancelled += 1,
        }
    }

    fn days<'a>(&mut self, days: impl Iterator<Item = &'a DayOfDoses>) {
        for day in days {
            if day.unknown {
                self.days_not_judged += 1;
            } else {
                self.days_judged += 1;
                self.days_correct += u64::from(!day.wrong);
            }
        }
    }
}

/// The doses of one local day.
#[derive(Clone, Copy, Debug, Default)]
struct DayOfDoses {
    /// One of them was skipped or missed.
    wrong: bool,
    /// Of one of them it is not known whether it was taken.
    unknown: bool,
}

impl DayOfDoses {
    fn dose(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Taken { .. } | Outcome::Cancelled => {}
            Outcome::Skipped | Outcome::Missed { .. } => self.wrong = true,
            Outcome::NotSent(_) | Outcome::Open => self.unknown = true,
        }
    }
}

impl DoseHistory {
    /// Of the doses due from `from` on and before `until` nothing is known yet.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            doses: BTreeMap::new(),
        }
    }

    /// Whether an entry says something of doses.
    #[must_use]
    pub fn is_told_by(entry: &Entry) -> bool {
        matches!(
            entry,
            Entry::DoseClosed(_)
                | Entry::DosesExpired { .. }
                | Entry::DoseReopened { .. }
                | Entry::SaidNotTaken { .. }
        )
    }

    /// Notes what an entry says of doses.
    pub fn note(&mut self, entry: &Entry) {
        match entry {
            Entry::DoseClosed(dose) => {
                let outcome = outcome_of(dose);
                if let Some(fate) = self.fate(&dose.medication, dose.due) {
                    fate.outcome = outcome;
                }
            }
            Entry::DosesExpired {
                medication,
                due,
                reason,
                ..
            } => {
                for due in due {
                    if let Some(fate) = self.fate(medication, *due) {
                        fate.outcome = Outcome::NotSent(*reason);
                    }
                }
            }
            Entry::DoseReopened { about, .. } => {
                if let Some(fate) = self.fate(&about.id, about.due) {
                    fate.outcome = Outcome::Open;
                }
            }
            Entry::SaidNotTaken { about, .. } => {
                for dose in about {
                    if let Some(fate) = self.fate(&dose.id, dose.due) {
                        fate.said_not_taken = true;
                    }
                }
            }
            // They say nothing of what became of a dose.
            Entry::PlanApplied { .. }
            | Entry::PlanTextChanged { .. }
            | Entry::PlanEnded
            | Entry::Accepted { .. }
            | Entry::NotAccepted { .. }
            | Entry::AppointmentNotReminded { .. }
            | Entry::CheckInClosed { .. }
            | Entry::Snoozed { .. }
            | Entry::TakenAsNeeded { .. }
            | Entry::AsNeededTooSoon { .. }
            | Entry::CheckInAnswered { .. }
            | Entry::Wrote { .. }
            | Entry::ReachChanged { .. }
            | Entry::ConsentGiven { .. }
            | Entry::Advised { .. }
            | Entry::Delivered { .. }
            | Entry::NotDelivered { .. }
            | Entry::Told { .. }
            | Entry::CallWanted { .. }
            | Entry::Restored { .. }
            | Entry::Erased
            | Entry::SentInWords { .. }
            | Entry::WordsRefused { .. }
            | Entry::CallDone { .. }
            | Entry::CallOver { .. }
            | Entry::CaregiverReach { .. }
            | Entry::StockCounted { .. }
            | Entry::RefillDue { .. } => {}
        }
    }

    /// A dose waits for an answer.
    pub fn waits(&mut self, medication: &str, due: Timestamp) {
        if let Some(fate) = self.fate(medication, Millis(due)) {
            fate.outcome = Outcome::Open;
        }
    }

    /// What is known of a dose; `None` outside of the range.
    fn fate(&mut self, medication: &str, due: Millis) -> Option<&mut Fate> {
        if due.0 < self.from || due.0 >= self.until {
            return None;
        }
        if !self.doses.contains_key(medication) {
            self.doses.insert(medication.to_owned(), BTreeMap::new());
        }
        let doses = self.doses.get_mut(medication)?;
        Some(doses.entry(due.0).or_insert(Fate {
            outcome: Outcome::Open,
            said_not_taken: false,
        }))
    }

    /// The figures. A dose belongs to the local day of its scheduled instant in `zone`.
    #[must_use]
    pub fn adherence(&self, zone: &Zone) -> Adherence {
        let mut adherence = Adherence::default();
        let mut all_days: BTreeMap<Date, DayOfDoses> = BTreeMap::new();
        for (medication, doses) in &self.doses {
            let mut figures = Figures::default();
            let mut days: BTreeMap<Date, DayOfDoses> = BTreeMap::new();
            for (due, fate) in doses {
                let outcome = match fate.outcome {
                    Outcome::Missed { said } => Outcome::Missed {
                        said: said || fate.said_not_taken,
                    },
                    other => other,
                };
                figures.dose(outcome);
                adherence.all.dose(outcome);
                if outcome != Outcome::Cancelled {
                    let day = zone.local(*due).date();
                    days.entry(day).or_default().dose(outcome);
                    all_days.entry(day).or_default().dose(outcome);
                }
            }
            figures.days(days.values());
            adherence.medications.insert(medication.clone(), figures);
        }
        adherence.all.days(all_days.values());
        adherence
    }
}

fn outcome_of(dose: &ClosedDose) -> Outcome {
    match dose.state {
        DoseState::Open => Outcome::Open,
        DoseState::Taken => Outcome::Taken {
            on_time: dose.answer.as_ref().is_some_and(|it| is_on_time(dose, it)),
        },
        DoseState::Skipped => Outcome::Skipped,
        DoseState::Missed => Outcome::Missed {
            said: dose.answer.is_some(),
        },
        // Each expired dose has its reason; should one lack it, nothing was sent all the same.
        DoseState::Expired => Outcome::NotSent(dose.reason.unwrap_or(ExpiredReason::DaemonDown)),
        DoseState::Cancelled => Outcome::Cancelled,
    }
}

/// Not farther from its instant, before or after, than the plan allowed for. Without a time it
/// was taken when that was said.
pub(super) fn is_on_time(dose: &ClosedDose, answer: &GivenAnswer) -> bool {
    let taken = answer.taken_at.unwrap_or(answer.said_at).0;
    let tolerance = dose.on_time_until.0.duration_since(dose.due.0);
    taken.duration_since(dose.due.0).abs() <= tolerance
}

#[cfg(test)]
mod tests;
