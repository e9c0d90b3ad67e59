//! What would change for one patient, in words and as JSON.

use super::compare::{Change, Line};
use super::notes::Note;
use crate::engine::Expected;
use crate::plan::diagnostic::{Colour, Diagnostic};
use crate::plan::{DueKind, ResolvedPlan, Zone};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What would happen to a patient's plan.
pub(super) enum What<'a> {
    /// There was none.
    Begin,
    /// It means something else.
    Change,
    /// Its text differs and means the same.
    Reword,
    /// Its file is gone.
    End,
    /// Its file is gone, with too many others at once.
    Hold,
    /// The text is refused.
    Reject {
        /// Why.
        findings: &'a [Diagnostic],
        /// Whether there is a last good plan.
        in_force: bool,
    },
    /// The patient's record in the store cannot be read.
    Broken,
}

impl What<'_> {
    fn change(&self) -> &'static str {
        match self {
            What::Begin => "plan_new",
            What::Change => "plan_changed",
            What::Reword => "plan_text_changed",
            What::End => "plan_ends",
            What::Hold => "plan_held",
            What::Reject { .. } => "plan_rejected",
            What::Broken => "plan_not_applied",
        }
    }

    fn words(&self) -> &'static str {
        match self {
            What::Begin => "the plan is new",
            What::Change => "the plan changes",
            What::Reword => "only the text of the file changes: nothing follows from it",
            What::End => "the plan would end, a minute after its file was removed",
            What::Hold => "the file is gone; the plan stays in force until its end is accepted",
            What::Reject { in_force: true, .. } => {
                "the plan is rejected; the last good one stays in force"
            }
            What::Reject {
                in_force: false, ..
            } => "the plan is rejected; there is none in force",
            What::Broken => {
                "the record of this patient in the store cannot be read; the plan would not be \
                 applied"
            }
        }
    }
}

/// What would change for one patient.
pub(super) struct Report<'a> {
    pub patient: &'a str,
    pub name: Option<&'a str>,
    pub what: What<'a>,
    pub old: Option<&'a ResolvedPlan>,
    pub new: Option<&'a ResolvedPlan>,
    pub lines: Vec<Line>,
    pub notes: Vec<Note>,
}

impl Report<'_> {
    /// Whether somebody should look: not at a text that means what it meant.
    pub fn is_finding(&self) -> bool {
        !matches!(self.what, What::Reword)
    }

    /// The form for people.
    pub fn words(&self) -> String {
        let mut text = self.patient.to_owned();
        if let Some(name) = self.name {
            let _ = write!(text, " ({name})");
        }
        let _ = writeln!(text, ": {}", self.what.words());
        if let What::Reject { findings, .. } = self.what {
            for finding in findings.iter().filter(|finding| finding.is_error()) {
                for line in finding.render(Colour::None).lines() {
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
        for line in &self.lines {
            let _ = writeln!(text, "  {}", self.line(line));
        }
        for note in &self.notes {
            let _ = writeln!(text, "  {}", note.words());
        }
        text
    }

    fn line(&self, line: &Line) -> String {
        let item = &line.item;
        let what = self.item(item);
        let zone = match line.change {
            Change::Added => self.zone_after(),
            _ => self.zone_before(),
        };
        let at = zone.map_or_else(String::new, |zone| day_and_time(item.due, zone));
        let change = match &line.change {
            Change::Added => "added".to_owned(),
            Change::Withdrawn => "withdrawn".to_owned(),
            Change::Cancelled => "has fallen and waits for an answer: cancelled".to_owned(),
            Change::Amount(amount) => instead(amount, &item.amount),
            Change::Moved(to) => self.moved(item, to),
        };
        format!("{at}  {what}: {change}")
    }

    fn moved(&self, item: &Expected, to: &Expected) -> String {
        let (Some(before), Some(after)) = (self.zone_before(), self.zone_after()) else {
            return "moved".to_owned();
        };
        let (old, new) = (before.local(item.due), after.local(to.due));
        // A clock elsewhere shows another time, or the same one at another instant.
        let elsewhere = before != after;
        let offset = |at: Timestamp, zone: &Zone| {
            let text = zone.rfc3339(at);
            let offset = text.get(19..).unwrap_or_default();
            if elsewhere {
                format!(" (UTC{offset})")
            } else {
                String::new()
            }
        };
        let day = if old.date() == new.date() {
            String::new()
        } else {
            new.strftime("%Y-%m-%d %a ").to_string()
        };
        let amount = if item.amount == to.amount {
            String::new()
        } else {
            format!(", {}", instead(&to.amount, &item.amount))
        };
        format!(
            "moved from {}{} to {day}{}{}{amount}",
            old.strftime("%a %H:%M"),
            offset(item.due, before),
            new.strftime("%H:%M"),
            offset(to.due, after),
        )
    }

    fn zone_before(&self) -> Option<&Zone> {
        self.old.or(self.new).map(|plan| &plan.zone)
    }

    fn zone_after(&self) -> Option<&Zone> {
        self.new.or(self.old).map(|plan| &plan.zone)
    }

    /// What it is called, and how much of it.
    fn item(&self, item: &Expected) -> String {
        let name = self.name_of(item);
        match item.kind {
            DueKind::Dose if item.amount.is_empty() => name.to_owned(),
            DueKind::Dose => format!("{name}, {}", item.amount),
            DueKind::CheckIn => format!("question \"{name}\""),
            DueKind::Appointment => format!("reminder of \"{name}\""),
        }
    }

    fn name_of<'b>(&'b self, item: &'b Expected) -> &'b str {
        let plans = || self.new.into_iter().chain(self.old);
        let name = match item.kind {
            DueKind::Dose => plans()
                .flat_map(|plan| &plan.medications)
                .find(|it| it.id == item.id)
                .map(|it| it.name.as_str()),
            DueKind::CheckIn => plans()
                .flat_map(|plan| &plan.check_ins)
                .find(|it| it.id == item.id)
                .map(|it| it.ask.as_str()),
            DueKind::Appointment => None,
        };
        name.unwrap_or(&item.id)
    }

    /// One object a line: first what happens to the plan, then each change.
    pub fn json(&self) -> String {
        let mut head = json!({
            "patient": self.patient,
            "name": self.name,
            "change": self.what.change(),
        });
        if let What::Reject { findings, .. } = self.what {
            head["findings"] = findings.iter().map(Diagnostic::to_json).collect();
        }
        let mut text = format!("{head}\n");
        for line in &self.lines {
            let _ = writeln!(text, "{}", self.line_json(line));
        }
        for note in &self.notes {
            let note = json!({
                "patient": self.patient,
                "name": self.name,
                "change": note.change(),
                "what": note.words(),
            });
            let _ = writeln!(text, "{note}");
        }
        text
    }

    fn line_json(&self, line: &Line) -> Value {
        let item = &line.item;
        let at = |due: Timestamp, zone: Option<&Zone>| zone.map(|zone| zone.rfc3339(due));
        let amount = |item: &Expected| (item.kind == DueKind::Dose).then(|| item.amount.clone());
        let (change, to, dose) = match &line.change {
            Change::Added => ("added", None, amount(item)),
            Change::Withdrawn => ("withdrawn", None, amount(item)),
            Change::Cancelled => ("cancelled", None, amount(item)),
            Change::Amount(new) => ("amount", None, Some(new.clone())),
            Change::Moved(to) => ("moved", at(to.due, self.zone_after()), amount(to)),
        };
        let zone = match line.change {
            Change::Added => self.zone_after(),
            _ => self.zone_before(),
        };
        let was = match line.change {
            Change::Added => None,
            _ => amount(item),
        };
        json!({
            "patient": self.patient,
            "name": self.name,
            "change": change,
            "kind": item.kind.name(),
            "id": item.id,
            "item": self.name_of(item),
            "at": at(item.due, zone),
            "to": to,
            "dose": dose,
            "was": was,
        })
    }
}

fn day_and_time(at: Timestamp, zone: &Zone) -> String {
    zone.local(at).strftime("%Y-%m-%d %a %H:%M").to_string()
}

fn instead(new: &str, old: &str) -> String {
    let said = |amount: &str| {
        if amount.is_empty() {
            "as directed".to_owned()
        } else {
            amount.to_owned()
        }
    };
    format!("{} instead of {}", said(new), said(old))
}
