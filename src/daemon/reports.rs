//! Reports of how much of what was prescribed was taken: written line by line, for `dosed report`
//! and for the weekly report that lies beside the store.

mod csv;
mod html;
mod weekly;

pub use csv::Csv;
pub use html::Html;
pub use weekly::{ReportError, make};

use crate::engine::{Adherence, DoseHistory, Figures, Share};
use crate::plan::Zone;
use crate::store::{Chart, Reader, StoreError};
use jiff::{SignedDuration, Timestamp, civil};
use std::io;

/// One end of the range, as it was given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// This moment everywhere.
    Instant(Timestamp),
    /// In each patient's zone.
    Local(civil::DateTime),
}

impl End {
    /// The instant in a zone.
    #[must_use]
    pub fn in_zone(self, zone: &Zone) -> Timestamp {
        match self {
            End::Instant(at) => at,
            End::Local(local) => zone.instant(local),
        }
    }
}

/// What is asked for, and when.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Doses due from here on.
    pub from: End,
    /// Doses due before this.
    pub until: End,
    /// The present: later doses are only planned.
    pub now: Timestamp,
}

/// What stands above the lines.
pub struct Head<'a> {
    /// The clinic's name; may be empty.
    pub clinic: &'a str,
    /// The first end, as it is shown.
    pub from: &'a str,
    /// The other end, as it is shown.
    pub until: &'a str,
    /// When the report is made, as it is shown.
    pub made: String,
}

/// One line of the report.
pub struct Line<'a> {
    /// The patient's id.
    pub patient: &'a str,
    /// `None`: all medications of the patient.
    pub medication: Option<&'a str>,
    /// The counts.
    pub figures: &'a Figures,
    /// Doses that a pause leaves out.
    pub paused: u64,
}

/// A way to write the report, line by line.
pub trait Writer {
    /// What comes first.
    ///
    /// # Errors
    /// The output fails.
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()>;

    /// One line.
    ///
    /// # Errors
    /// The output fails.
    fn line(&mut self, line: &Line<'_>) -> io::Result<()>;

    /// The sums over all patients, of so many.
    ///
    /// # Errors
    /// The output fails.
    fn end(&mut self, figures: &Figures, paused: u64, patients: u64) -> io::Result<()>;
}

/// Why a report ended early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output fails.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Writes the report of one patient or of all. `progress` is told how many patients there are and
/// how many are done.
///
/// # Errors
/// The store cannot be read, or the output fails.
pub fn write(
    writer: &mut dyn Writer,
    head: &Head<'_>,
    reader: &Reader,
    patient: Option<&str>,
    range: Range,
    clinic: &Zone,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), Stop> {
    writer.begin(head)?;
    // A day more on both sides than the clinic's range: patients live elsewhere.
    let days = SignedDuration::from_hours(48);
    let earliest = range.from.in_zone(clinic).saturating_sub(days);
    let charts = reader.charts(
        patient,
        earliest.unwrap_or(Timestamp::MIN),
        DoseHistory::is_told_by,
    )?;
    let whole = charts.patients() as u64;
    let (mut sum, mut paused_sum, mut patients) = (Figures::default(), 0, 0);
    for (done, chart) in (1..).zip(charts) {
        let chart = chart?;
        let (adherence, paused) = of_chart(&chart, range, clinic);
        if !adherence.medications.is_empty() || !paused.is_empty() {
            let mut medications: Vec<&str> =
                adherence.medications.keys().map(String::as_str).collect();
            medications.extend(paused.iter().map(|(id, _)| id.as_str()));
            medications.sort_unstable();
            medications.dedup();
            let none = Figures::default();
            for id in medications {
                let paused = paused.iter().find(|(paused, _)| paused == id);
                writer.line(&Line {
                    patient: &chart.patient,
                    medication: Some(id),
                    figures: adherence.medications.get(id).unwrap_or(&none),
                    paused: paused.map_or(0, |(_, count)| *count),
                })?;
            }
            let paused = paused.iter().map(|(_, count)| count).sum();
            writer.line(&Line {
                patient: &chart.patient,
                medication: None,
                figures: &adherence.all,
                paused,
            })?;
            sum.add(&adherence.all);
            paused_sum += paused;
            patients += 1;
        }
        progress(whole, done);
    }
    writer.end(&sum, paused_sum, patients)?;
    Ok(())
}

/// A patient's figures, and the doses that pauses leave out, by medication.
fn of_chart(chart: &Chart, range: Range, clinic: &Zone) -> (Adherence, Vec<(String, u64)>) {
    let zone = chart.plan.as_ref().map_or(clinic, |plan| &plan.zone);
    let (from, until) = (range.from.in_zone(zone), range.until.in_zone(zone));
    let mut history = DoseHistory::new(from, until);
    let doses = chart.state.iter().flat_map(|state| &state.doses);
    // Stepped ahead of its instant it is only planned.
    for dose in doses.filter(|dose| dose.due <= range.now) {
        history.waits(&dose.medication, dose.due);
    }
    for (_, entry) in &chart.entries {
        history.note(entry);
    }
    let mut paused = Vec::new();
    if let (Some(plan), Some(state)) = (&chart.plan, &chart.state) {
        for medication in &plan.medications {
            let known = state.medications.iter().find(|it| it.id == medication.id);
            let from = known.map(|known| known.since.max(from));
            let count = from.map_or(0, |from| {
                plan.doses_paused(medication, from, until.min(range.now))
            });
            if count > 0 {
                paused.push((medication.id.clone(), count));
            }
        }
    }
    (history.adherence(zone), paused)
}

/// `93.3`, or nothing of nothing.
#[must_use]
pub fn percent(share: Share) -> Option<String> {
    let per_mille = share.per_mille()?;
    Some(format!("{}.{}", per_mille / 10, per_mille % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_one_decimal_and_none_of_nothing() {
        let share = |numerator, denominator| {
            percent(Share {
                numerator,
                denominator,
            })
        };
        assert_eq!(share(0, 0), None);
        assert_eq!(share(1, 3).as_deref(), Some("33.3"));
        assert_eq!(share(3, 3).as_deref(), Some("100.0"));
        assert_eq!(share(1, 40).as_deref(), Some("2.5"));
    }
}
