//! The report as comma-separated values (RFC 4180), safe to open in a spreadsheet.

use super::{Head, Line, Writer, percent};
use crate::engine::{ExpiredReason, Figures};
use std::io::{self, Write};

/// Writes the table.
pub struct Csv<W>(pub W);

impl<W: Write> Csv<W> {
    fn row(&mut self, cells: &[String]) -> io::Result<()> {
        write!(self.0, "{}\r\n", cells.join(","))
    }
}

/// A text as a cell. What a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let is_formula = text
        .trim_start_matches(|c: char| c.is_whitespace() || c.is_control())
        .starts_with([
            '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
        ])
        || text.starts_with(['\t', '\r', '\n']);
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\r', '\n', ';', '\t']) || text.starts_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

impl<W: Write> Writer for Csv<W> {
    fn begin(&mut self, _: &Head<'_>) -> io::Result<()> {
        let mut names: Vec<String> = ["patient", "medication"].map(str::to_owned).to_vec();
        for share in ["taken", "on_time", "correct_days"] {
            names.push(format!("{share}_percent"));
            names.push(format!("{share}_numerator"));
            names.push(format!("{share}_denominator"));
        }
        let counts = [
            "no_answer",
            "said_not_taken",
            "skipped",
            "cancelled",
            "open",
            "paused",
            "days_not_judged",
            "not_sent",
        ];
        names.extend(counts.map(str::to_owned));
        names.extend(ExpiredReason::ALL.map(|reason| format!("not_sent_{}", reason.name())));
        self.row(&names)
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let figures = line.figures;
        // An empty medication stands for all of the patient's.
        let mut cells = vec![cell(line.patient), cell(line.medication.unwrap_or(""))];
        for share in [
            figures.doses_taken(),
            figures.doses_on_time(),
            figures.correct_days(),
        ] {
            cells.push(percent(share).unwrap_or_default());
            cells.push(share.numerator.to_string());
            cells.push(share.denominator.to_string());
        }
        let counts = [
            figures.no_answer,
            figures.said_not_taken,
            figures.skipped,
            figures.cancelled,
            figures.open,
            line.paused,
            figures.days_not_judged,
            figures.not_sent_in_all(),
        ];
        cells.extend(counts.iter().chain(&figures.not_sent).map(u64::to_string));
        self.row(&cells)
    }

    fn end(&mut self, _: &Figures, _: u64, _: u64) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_no_second_cell() {
        for (text, expected) in [
            ("Metformin", "Metformin"),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1", "'+1"),
            ("-2", "'-2"),
            ("@SUM", "'@SUM"),
            ("  =1", "'  =1"),
            ("\t=1", "\"'\t=1\""),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("a,b", "\"a,b\""),
            ("a\nb", "\"a\nb\""),
            ("a\"b", "\"a\"\"b\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }
}
