//! What would change for one patient, in words and as JSON.

use super::compare::{Change, Line};
use super::notes::Note;
use crate::engine::Expected;
use crate::plan::diagnostic::{Colour, Diagnostic};
use crate::plan::explain::{self, amount_words};
use crate::plan::{DueKind, Language, ResolvedPlan, Zone};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What would happen to a patient's plan.
pub enum What<'a> {
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

    /// As a sentence without a full stop.
    #[must_use]
    pub fn words(&self, language: Language) -> &'static str {
        let (english, chinese) = match self {
            What::Begin => ("the plan is new", "计划是新的"),
            What::Change => ("the plan changes", "计划有变"),
            What::Reword => (
                "only the text of the file changes: nothing follows from it",
                "只改了文件的文字：不影响任何事",
            ),
            What::End => (
                "the plan would end, a minute after its file was removed",
                "计划会在文件删除一分钟后结束",
            ),
            What::Hold => (
                "the file is gone; the plan stays in force until its end is accepted",
                "文件不见了；确认结束之前计划继续有效",
            ),
            What::Reject { in_force: true, .. } => (
                "the plan is rejected; the last good one stays in force",
                "计划被拒绝；上一份正确的计划继续有效",
            ),
            What::Reject {
                in_force: false, ..
            } => (
                "the plan is rejected; there is none in force",
                "计划被拒绝；目前没有有效的计划",
            ),
            What::Broken => (
                "the record of this patient in the store cannot be read; the plan would not be \
                 applied",
                "存储中该患者的记录读不出来；计划不会生效",
            ),
        };
        match language {
            Language::En => english,
            Language::ZhCn => chinese,
        }
    }
}

/// What would change for one patient.
pub struct Report<'a> {
    /// The patient's id.
    pub patient: &'a str,
    /// The patient's name.
    pub name: Option<&'a str>,
    /// What happens to the plan.
    pub what: What<'a>,
    /// The plan in force.
    pub old: Option<&'a ResolvedPlan>,
    /// The plan that would come into force.
    pub new: Option<&'a ResolvedPlan>,
    /// What would fall otherwise.
    pub lines: Vec<Line>,
    /// What else would change.
    pub notes: Vec<Note>,
}

impl Report<'_> {
    /// Whether somebody should look: not at a text that means what it meant.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        !matches!(self.what, What::Reword)
    }

    /// The form for people on a terminal.
    #[must_use]
    pub fn words(&self) -> String {
        let mut text = self.patient.to_owned();
        if let Some(name) = self.name {
            let _ = write!(text, " ({name})");
        }
        let _ = writeln!(text, ": {}", self.what.words(Language::En));
        if let What::Reject { findings, .. } = self.what {
            for finding in findings.iter().filter(|finding| finding.is_error()) {
                for line in finding.render(Colour::None).lines() {
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
        for sentence in self.sentences(Language::En) {
            let _ = writeln!(text, "  {sentence}");
        }
        text
    }

    /// What would fall otherwise, and what else changes, one sentence each.
    #[must_use]
    pub fn sentences(&self, language: Language) -> Vec<String> {
        let lines = self.lines.iter().map(|line| self.line(line, language));
        let notes = self.notes.iter().map(|note| note.words(language));
        lines.chain(notes).collect()
    }

    fn line(&self, line: &Line, language: Language) -> String {
        let item = &line.item;
        let what = self.item(item, language);
        let zone = match line.change {
            Change::Added => self.zone_after(),
            _ => self.zone_before(),
        };
        let at = zone.map_or_else(String::new, |zone| day_and_time(item.due, zone, language));
        let english = language == Language::En;
        let change = match &line.change {
            Change::Added if english => "added".to_owned(),
            Change::Added => "新增".to_owned(),
            Change::Withdrawn if english => "withdrawn".to_owned(),
            Change::Withdrawn => "撤回".to_owned(),
            Change::Cancelled if english => {
                "has fallen and waits for an answer: cancelled".to_owned()
            }
            Change::Cancelled => "已到时间、正等回答：取消".to_owned(),
            Change::Amount(amount) => instead(amount, &item.amount, language),
            Change::Moved(to) => self.moved(item, to, language),
        };
        match language {
            Language::En => format!("{at}  {what}: {change}"),
            Language::ZhCn => format!("{at}  {what}：{change}"),
        }
    }

    fn moved(&self, item: &Expected, to: &Expected, language: Language) -> String {
        let english = language == Language::En;
        let (Some(before), Some(after)) = (self.zone_before(), self.zone_after()) else {
            return if english { "moved" } else { "改时间" }.to_owned();
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
            format!("{} ", day(to.due, after, language))
        };
        let amount = if item.amount == to.amount {
            String::new()
        } else {
            let comma = if english { ", " } else { "，" };
            format!("{comma}{}", instead(&to.amount, &item.amount, language))
        };
        let from = offset(item.due, before);
        let until = format!("{day}{}{}", new.strftime("%H:%M"), offset(to.due, after));
        if english {
            format!(
                "moved from {}{from} to {until}{amount}",
                old.strftime("%a %H:%M")
            )
        } else {
            format!("由 {}{from} 改到 {until}{amount}", old.strftime("%H:%M"))
        }
    }

    fn zone_before(&self) -> Option<&Zone> {
        self.old.or(self.new).map(|plan| &plan.zone)
    }

    fn zone_after(&self) -> Option<&Zone> {
        self.new.or(self.old).map(|plan| &plan.zone)
    }

    /// What it is called, and how much of it.
    fn item(&self, item: &Expected, language: Language) -> String {
        let name = self.name_of(item);
        let english = language == Language::En;
        match item.kind {
            DueKind::Dose if item.amount.is_empty() => name.to_owned(),
            DueKind::Dose if english => format!("{name}, {}", item.amount),
            DueKind::Dose => format!("{name}，{}", item.amount),
            DueKind::CheckIn if english => format!("question \"{name}\""),
            DueKind::CheckIn => format!("问题“{name}”"),
            DueKind::Appointment if english => format!("reminder of \"{name}\""),
            DueKind::Appointment => format!("“{name}”的提醒"),
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
    #[must_use]
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
                "what": note.words(Language::En),
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

fn day_and_time(at: Timestamp, zone: &Zone, language: Language) -> String {
    let time = zone.local(at).strftime("%H:%M");
    format!("{} {time}", day(at, zone, language))
}

fn day(at: Timestamp, zone: &Zone, language: Language) -> String {
    match language {
        Language::En => zone.local(at).strftime("%Y-%m-%d %a").to_string(),
        Language::ZhCn => {
            let moment = explain::moment(language, zone, at);
            let words: Vec<&str> = moment.split(' ').take(2).collect();
            words.join(" ")
        }
    }
}

fn instead(new: &str, old: &str, language: Language) -> String {
    let (new, old) = (amount_words(language, new), amount_words(language, old));
    match language {
        Language::En => format!("{new} instead of {old}"),
        Language::ZhCn => format!("由{old}改为{new}"),
    }
}
