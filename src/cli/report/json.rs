//! The report as one JSON document, a line each of its parts.

use super::{Head, Line, Writer, percent};
use crate::engine::{ExpiredReason, Figures, Share};
use serde_json::{Value, json};
use std::io::{self, Write};

pub(super) struct Json<W> {
    out: W,
    first: bool,
}

impl<W> Json<W> {
    pub fn new(out: W) -> Self {
        Self { out, first: true }
    }
}

fn share(share: Share) -> Value {
    let percent = percent(share).and_then(|text| text.parse::<f64>().ok());
    json!({
        "numerator": share.numerator,
        "denominator": share.denominator,
        "percent": percent,
    })
}

fn figures(figures: &Figures, paused: u64) -> Value {
    let reasons = ExpiredReason::ALL.iter().zip(figures.not_sent);
    let not_sent: serde_json::Map<String, Value> = reasons
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| (reason.name().to_owned(), count.into()))
        .collect();
    json!({
        "taken": share(figures.doses_taken()),
        "on_time": share(figures.doses_on_time()),
        "correct_days": share(figures.correct_days()),
        "no_answer": figures.no_answer,
        "said_not_taken": figures.said_not_taken,
        "skipped": figures.skipped,
        "not_sent": figures.not_sent_in_all(),
        "not_sent_by_reason": not_sent,
        "cancelled": figures.cancelled,
        "open": figures.open,
        "paused": paused,
        "days_not_judged": figures.days_not_judged,
    })
}

impl<W: Write> Writer for Json<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        let head = json!({
            "clinic": head.clinic,
            "from": head.from,
            "until": head.until,
            "made": head.made,
        });
        let head = head.to_string();
        // The document stays open behind its head.
        write!(self.out, "{},\"lines\":[", head.trim_end_matches('}'))
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut value = figures(line.figures, line.paused);
        value["patient"] = line.patient.into();
        value["medication"] = line.medication.into();
        let separator = if self.first { "" } else { "," };
        self.first = false;
        write!(self.out, "{separator}\n{value}")
    }

    fn end(&mut self, sums: &Figures, paused: u64, patients: u64) -> io::Result<()> {
        let mut value = figures(sums, paused);
        value["patients"] = patients.into();
        writeln!(self.out, "\n],\"all\":{value}}}")?;
        self.out.flush()
    }
}
