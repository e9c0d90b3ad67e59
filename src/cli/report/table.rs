//! The report in columns.

use super::{Head, Line, Writer, percent};
use crate::engine::{Figures, Share};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Columns: what they are called, and how wide they are at least.
const COLUMNS: [(&str, usize); 11] = [
    ("patient", 18),
    ("medication", 18),
    ("taken", 15),
    ("on time", 15),
    ("correct days", 15),
    ("no answer", 9),
    ("said no", 7),
    ("skipped", 7),
    ("not sent", 8),
    ("paused", 6),
    ("open", 4),
];

pub(super) struct Table<W>(pub W);

impl<W: Write> Table<W> {
    fn row(&mut self, cells: [&str; COLUMNS.len()]) -> io::Result<()> {
        let mut row = String::new();
        for (index, (cell, (_, width))) in cells.into_iter().zip(COLUMNS).enumerate() {
            if index > 0 {
                row.push_str("  ");
            }
            let fill = " ".repeat(width.saturating_sub(cell.width()));
            // Names stand left, figures right.
            if index < 2 {
                row.push_str(cell);
                row.push_str(&fill);
            } else {
                row.push_str(&fill);
                row.push_str(cell);
            }
        }
        writeln!(self.0, "{}", row.trim_end())
    }

    fn figures(
        &mut self,
        patient: &str,
        medication: &str,
        figures: &Figures,
        paused: u64,
    ) -> io::Result<()> {
        let shares = [
            figures.doses_taken(),
            figures.doses_on_time(),
            figures.correct_days(),
        ]
        .map(share);
        let counts = [
            figures.no_answer,
            figures.said_not_taken,
            figures.skipped,
            figures.not_sent_in_all(),
            paused,
            figures.open,
        ]
        .map(|count| count.to_string());
        self.row([
            patient, medication, &shares[0], &shares[1], &shares[2], &counts[0], &counts[1],
            &counts[2], &counts[3], &counts[4], &counts[5],
        ])
    }
}

/// `93.3% 28/30`.
fn share(share: Share) -> String {
    match percent(share) {
        Some(percent) => format!("{percent}% {}/{}", share.numerator, share.denominator),
        None => "-".to_owned(),
    }
}

impl<W: Write> Writer for Table<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        let clinic = if head.clinic.is_empty() { "" } else { ", " };
        writeln!(
            self.0,
            "Doses due from {} until {}{clinic}{}",
            head.from, head.until, head.clinic
        )?;
        self.row(COLUMNS.map(|(name, _)| name))
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let medication = line.medication.unwrap_or("(all)");
        self.figures(line.patient, medication, line.figures, line.paused)
    }

    fn end(&mut self, figures: &Figures, paused: u64, patients: u64) -> io::Result<()> {
        let name = format!("({patients} patients)");
        self.figures(&name, "(all)", figures, paused)?;
        self.0.flush()
    }
}
