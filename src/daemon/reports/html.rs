//! The report as one page to print: no script, nothing from elsewhere, and a policy that says so.

use super::{Head, Line, Writer, percent};
use crate::engine::{ExpiredReason, Figures, Share};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::io::{self, Write};

const STYLE: &str = "\
body{font:11pt/1.4 system-ui,\"Noto Sans CJK SC\",\"Microsoft YaHei\",sans-serif;margin:1.5rem;color:#111;background:#fff}
h1{font-size:1.3rem;margin:0 0 .3rem}
p{margin:.2rem 0;max-width:60rem}
table{border-collapse:collapse;margin:1rem 0;width:100%}
th,td{border-bottom:1px solid #bbb;padding:.25rem .5rem;text-align:right;vertical-align:top}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left;overflow-wrap:anywhere}
thead th{border-bottom:2px solid #111}
tr.all td{font-weight:600;border-bottom:1px solid #111}
small{color:#444}
@media print{@page{size:A4 landscape;margin:12mm}body{margin:0;font-size:9pt}thead{display:table-header-group}tr{break-inside:avoid}}
";

/// Writes the page.
pub struct Html<W> {
    out: W,
}

impl<W> Html<W> {
    /// Writes to `out`.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

/// A text between tags or in quotes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn share(share: Share) -> String {
    match percent(share) {
        Some(percent) => format!(
            "{percent}&nbsp;% <small>{}/{}</small>",
            share.numerator, share.denominator
        ),
        None => "&ndash;".to_owned(),
    }
}

/// How many were not sent, and why.
fn not_sent(figures: &Figures) -> String {
    let reasons: Vec<String> = ExpiredReason::ALL
        .iter()
        .zip(figures.not_sent)
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{} {count}", reason.name().replace('_', " ")))
        .collect();
    if reasons.is_empty() {
        return "0".to_owned();
    }
    format!(
        "{} <small>{}</small>",
        figures.not_sent_in_all(),
        escape(&reasons.join(", "))
    )
}

impl<W: Write> Html<W> {
    fn row(
        &mut self,
        (patient, medication): (&str, &str),
        class: &str,
        figures: &Figures,
        paused: u64,
    ) -> io::Result<()> {
        writeln!(
            self.out,
            "<tr{class}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td><td>{paused}</td><td>{}</td></tr>",
            escape(patient),
            escape(medication),
            share(figures.doses_taken()),
            share(figures.doses_on_time()),
            share(figures.correct_days()),
            figures.no_answer,
            figures.said_not_taken,
            figures.skipped,
            not_sent(figures),
            figures.open,
        )
    }
}

impl<W: Write> Writer for Html<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        let title = if head.clinic.is_empty() {
            "Adherence".to_owned()
        } else {
            format!("Adherence \u{b7} {}", head.clinic)
        };
        writeln!(
            self.out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
             <p>Doses due from {} until {} (not included), in each patient&#39;s time zone. \
             Made {}.</p>\n\
             <p><small>As patients and caregivers say. Taken, on time: of the doses of which it \
             is known whether they were taken, or that were reminded of and not answered. \
             Correct days: days on which each dose was taken. Doses that were not sent, or that \
             a pause leaves out, count nowhere.</small></p>\n\
             <table>\n<thead><tr><th scope=\"col\">Patient</th><th scope=\"col\">Medication</th>\
             <th scope=\"col\">Taken</th><th scope=\"col\">On time</th>\
             <th scope=\"col\">Correct days</th><th scope=\"col\">No answer</th>\
             <th scope=\"col\">Said no</th><th scope=\"col\">Skipped</th>\
             <th scope=\"col\">Not sent</th><th scope=\"col\">Paused</th>\
             <th scope=\"col\">Open</th></tr></thead>\n<tbody>",
            escape(head.from),
            escape(head.until),
            escape(&head.made),
            title = escape(&title),
        )
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let class = match line.medication {
            Some(_) => "",
            None => " class=\"all\"",
        };
        let medication = line.medication.unwrap_or("all");
        self.row((line.patient, medication), class, line.figures, line.paused)
    }

    fn end(&mut self, figures: &Figures, paused: u64, patients: u64) -> io::Result<()> {
        let name = format!("{patients} patients");
        self.row((&name, "all"), " class=\"all\"", figures, paused)?;
        writeln!(self.out, "</tbody>\n</table>\n</body>\n</html>")?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_markup() {
        assert_eq!(
            escape("<b onclick='x'>\"&\u{7}"),
            "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\u{fffd}"
        );
    }
}
