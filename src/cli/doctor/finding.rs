//! What was found, why it matters, and what to do about it.

use crate::plan::diagnostic::Colour;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is well.
    Ok,
    /// It was not looked at, and why is said.
    Skipped,
    /// Somebody should see to it.
    Warn,
    /// It keeps reminders, answers or their record from working.
    Fail,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Skipped => "skipped",
            Status::Warn => "warn",
            Status::Fail => "fail",
        }
    }

    fn paint(self) -> &'static str {
        match self {
            Status::Ok => "32",
            Status::Skipped => "2",
            Status::Warn => "1;33",
            Status::Fail => "1;31",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `component:measurement`, or a component.
    pub check: String,
    /// How it stands.
    pub status: Status,
    /// What was seen.
    pub what: String,
    /// Why it matters; empty where it is well.
    pub why: String,
    /// What to do: a command to copy, where there is one.
    pub remedy: String,
}

impl Finding {
    fn new(status: Status, check: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            status,
            what: what.into(),
            why: String::new(),
            remedy: String::new(),
        }
    }

    /// It is well.
    pub fn ok(check: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Status::Ok, check, what)
    }

    /// It was not looked at.
    pub fn skipped(check: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Status::Skipped, check, what)
    }

    /// Somebody should see to it.
    pub fn warn(check: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Status::Warn, check, what)
    }

    /// Something does not work.
    pub fn fail(check: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Status::Fail, check, what)
    }

    /// Says why it matters.
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// Says what to do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

/// All that was looked at.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Notes one thing.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// How many somebody has to see to.
    pub fn found(&self) -> usize {
        let found = |finding: &&Finding| matches!(finding.status, Status::Warn | Status::Fail);
        self.findings.iter().filter(found).count()
    }

    /// One JSON object a line.
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let line = json!({
                "check": finding.check,
                "status": finding.status.name(),
                "what": finding.what,
                "why": some(&finding.why),
                "remedy": some(&finding.remedy),
            });
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// For reading: a line each, and below what was found why it matters and what to do.
    pub fn render(&self, colour: Colour) -> String {
        let paint = |style: &str, text: &str| match colour {
            Colour::Ansi => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
            Colour::None => text.to_owned(),
        };
        let width = self
            .findings
            .iter()
            .map(|it| it.check.len())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for finding in &self.findings {
            let status = paint(
                finding.status.paint(),
                &format!("{:<7}", finding.status.name()),
            );
            let _ = writeln!(
                text,
                "{status}  {:<width$}  {}",
                finding.check, finding.what
            );
            for (name, words) in [("why", &finding.why), ("do", &finding.remedy)] {
                if !words.is_empty() {
                    let _ = writeln!(text, "           {name:<4} {words}");
                }
            }
        }
        text
    }
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_for_a_shell_where_it_must_be() {
        for (path, expected) in [
            ("/etc/dosed/config.toml", "/etc/dosed/config.toml"),
            ("/srv/the clinic/x", "'/srv/the clinic/x'"),
            ("/srv/it's", r"'/srv/it'\''s'"),
            ("/srv/$(reboot)", "'/srv/$(reboot)'"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }

    #[test]
    fn findings_come_with_their_why_and_remedy_and_what_is_well_does_not_count() {
        let mut report = Report::default();
        report.add(Finding::ok("a", "fine"));
        report.add(Finding::skipped("b", "not looked at"));
        assert_eq!(report.found(), 0);
        report.add(
            Finding::fail("c:d", "broken")
                .why("It matters")
                .remedy("mend it"),
        );
        assert_eq!(report.found(), 1);
        let text = report.render(Colour::None);
        assert!(text.contains("fail     c:d  broken\n"), "{text}");
        assert!(
            text.contains("why  It matters\n") && text.contains("do   mend it\n"),
            "{text}"
        );
        let lines = report.to_json();
        let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!(last["remedy"], "mend it");
        assert_eq!(lines.lines().count(), 3);
    }
}
