//! What changes in a plan beside the instants and amounts of the next days.

use super::compare::Line;
use crate::plan::{DueKind, Language, Medication, QuietHours, ResolvedPlan};

/// A sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    en: String,
    zh: String,
}

impl Said {
    fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        let (en, zh) = (en.into(), zh.into());
        Self { en, zh }
    }

    /// In a language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::ZhCn => &self.zh,
        }
    }
}

/// One such change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Messages say something else; nothing falls at another time.
    Text(Said),
    /// When or how messages leave changes.
    Sending(Said),
    /// It changes, and none of the next days does.
    Later(Said),
    /// It is kept, and no message follows from it.
    Kept(Said),
    /// Nobody would be reminded of so many things.
    NoContact(usize),
    /// Messages would go to another contact.
    OtherContact,
}

impl Note {
    /// The word in JSON.
    #[must_use]
    pub fn change(&self) -> &'static str {
        match self {
            Note::Text(_) => "text",
            Note::Sending(_) => "sending",
            Note::Later(_) => "later",
            Note::Kept(_) => "kept",
            Note::NoContact(_) => "no_contact",
            Note::OtherContact => "other_contact",
        }
    }

    /// The sentence.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let english = language == Language::En;
        match self {
            Note::Text(what) if english => {
                format!("only the text of messages changes: {}", what.en)
            }
            Note::Text(what) => format!("只改消息的文字：{}", what.zh),
            Note::Sending(what) | Note::Later(what) => what.in_language(language).to_owned(),
            Note::Kept(what) if english => format!("no reminder changes by it: {}", what.en),
            Note::Kept(what) => format!("不影响任何提醒：{}", what.zh),
            Note::NoContact(count) if english => format!(
                "no contact is known (`wechat` is missing): nobody is reminded of the {count} \
                 things that fall in the next 7 days"
            ),
            Note::NoContact(count) => {
                format!("不知道联系人（缺 `wechat`）：接下来 7 天的 {count} 件事都不会提醒任何人")
            }
            Note::OtherContact if english => "messages go to another contact".to_owned(),
            Note::OtherContact => "消息改发给另一个联系人".to_owned(),
        }
    }
}

/// All of them.
pub fn notes(old: Option<&ResolvedPlan>, new: &ResolvedPlan, lines: &[Line]) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Some(old) = old {
        patient(old, new, &mut notes);
    }
    let shown = |kind: DueKind, id: &str| {
        lines
            .iter()
            .any(|line| line.item.kind == kind && line.item.id == id)
    };
    for medication in &new.medications {
        let before = old.and_then(|old| old.medications.iter().find(|it| it.id == medication.id));
        let shown = shown(DueKind::Dose, &medication.id);
        let name = &medication.name;
        match before {
            Some(before) => compared(before, medication, shown, &mut notes),
            None if medication.as_needed.is_some() => notes.push(Note::Later(Said::new(
                format!("{name} is new: taken when needed, never reminded of"),
                format!("新增{name}：需要时用，从不提醒"),
            ))),
            None if !shown => notes.push(Note::Later(Said::new(
                format!("{name} is new: no reminder of it in the next 7 days"),
                format!("新增{name}：接下来 7 天没有它的提醒"),
            ))),
            None => {}
        }
    }
    for gone in old.iter().flat_map(|old| &old.medications) {
        let kept = new.medications.iter().any(|it| it.id == gone.id);
        if !kept && !shown(DueKind::Dose, &gone.id) {
            let name = &gone.name;
            notes.push(Note::Later(Said::new(
                format!("{name} is taken out: no reminder of it was due in the next 7 days"),
                format!("去掉{name}：接下来 7 天本来就没有它的提醒"),
            )));
        }
    }
    if let Some(old) = old {
        others(old, new, lines, &mut notes);
    }
    if notes.is_empty() && lines.is_empty() {
        notes.push(Note::Later(Said::new(
            "nothing of the next 7 days changes",
            "接下来 7 天没有任何变化",
        )));
    }
    notes
}

fn patient(old: &ResolvedPlan, new: &ResolvedPlan, notes: &mut Vec<Note>) {
    if old.name != new.name {
        notes.push(Note::Text(Said::new(
            format!("the patient's name, {} instead of {}", new.name, old.name),
            format!("患者姓名由{}改为{}", old.name, new.name),
        )));
    }
    if old.language != new.language {
        notes.push(Note::Text(Said::new(
            "the language of the messages",
            "消息的语言",
        )));
    }
    if old.zone != new.zone {
        let (before, after) = (old.zone.name(), new.zone.name());
        let what = if before == after {
            Said::new(
                "the rules of the time zone, or the days away, change",
                "时区规则或外出日期有变",
            )
        } else {
            Said::new(
                format!("the time zone is {after} instead of {before}"),
                format!("时区由 {before} 改为 {after}"),
            )
        };
        notes.push(Note::Sending(what));
    }
    if old.quiet_hours != new.quiet_hours {
        let (before, after) = (old.quiet_hours.as_ref(), new.quiet_hours.as_ref());
        notes.push(Note::Sending(Said::new(
            format!(
                "quiet hours are {} instead of {}",
                quiet(after, "none"),
                quiet(before, "none")
            ),
            format!(
                "免打扰时间由{}改为{}",
                quiet(before, "无"),
                quiet(after, "无")
            ),
        )));
    }
    if old.born != new.born {
        notes.push(Note::Kept(Said::new("the date of birth", "出生日期")));
    }
    if old.caregivers != new.caregivers {
        notes.push(Note::Kept(Said::new("the caregivers", "照护者")));
    }
}

fn quiet(hours: Option<&QuietHours>, none: &str) -> String {
    hours.map_or(none.to_owned(), |hours| {
        format!(
            "{}-{}",
            hours.from.strftime("%H:%M"),
            hours.until.strftime("%H:%M")
        )
    })
}

/// A medication that is in both plans. `shown`: some of its doses are in the lines.
fn compared(old: &Medication, new: &Medication, shown: bool, notes: &mut Vec<Note>) {
    let name = &new.name;
    let mut texts = Vec::new();
    if old.name != new.name {
        texts.push(Said::new(
            format!("{name} is called so instead of {}", old.name),
            format!("{}改称{name}", old.name),
        ));
    }
    if old.short != new.short {
        texts.push(Said::new(
            format!("the short name of {name}"),
            format!("{name}的简称"),
        ));
    }
    if old.note != new.note {
        texts.push(Said::new(
            format!("the note of {name}"),
            format!("{name}的医嘱"),
        ));
    }
    notes.extend(texts.into_iter().map(Note::Text));
    if old.critical != new.critical {
        let what = if new.critical {
            Said::new(
                format!("{name} is time-critical now: sent first, within a narrower window"),
                format!("{name}现在必须准时：最先发送，时间窗更窄"),
            )
        } else {
            Said::new(
                format!("{name} is not time-critical any more"),
                format!("{name}不再必须准时"),
            )
        };
        notes.push(Note::Sending(what));
    }
    if old.window != new.window {
        notes.push(Note::Sending(Said::new(
            format!("how long after its time a dose of {name} may still be reminded of changes"),
            format!("{name}过点后多久内仍可提醒，有变"),
        )));
    }
    // The daemon stored it with the instant at which it began.
    let anchored = new.schedule.needs_anchor();
    let schedule = (!anchored && old.schedule != new.schedule)
        || old.amounts != new.amounts
        || old.doses != new.doses;
    if schedule && !shown {
        notes.push(Note::Later(Said::new(
            format!("{name} changes: no reminder of it in the next 7 days does"),
            format!("{name}有变：接下来 7 天它的提醒不变"),
        )));
    }
    let kept = [
        ("nudges", "再次提醒", old.nudge != new.nudge),
        ("stock", "存量", old.stock != new.stock),
        ("refill", "续药", old.refill_when != new.refill_when),
        (
            "words for a missed dose",
            "漏服时的话",
            old.if_missed != new.if_missed,
        ),
        (
            "guards of a medication taken when needed",
            "需要时用药的限制",
            old.as_needed != new.as_needed,
        ),
    ];
    let kept = kept.into_iter().filter(|(_, _, changed)| *changed);
    notes.extend(kept.map(|(en, zh, _)| {
        Note::Kept(Said::new(format!("{name}: {en}"), format!("{name}：{zh}")))
    }));
}

fn others(old: &ResolvedPlan, new: &ResolvedPlan, lines: &[Line], notes: &mut Vec<Note>) {
    for check_in in &new.check_ins {
        let Some(before) = old.check_ins.iter().find(|it| it.id == check_in.id) else {
            continue;
        };
        let ask = &check_in.ask;
        if before.ask != *ask {
            notes.push(Note::Text(Said::new(
                format!("the question \"{ask}\""),
                format!("问题“{ask}”"),
            )));
        }
        let rest = (
            &check_in.answer,
            &check_in.alert_if,
            &check_in.alert_if_no_answer,
            &check_in.tell,
        );
        if rest
            != (
                &before.answer,
                &before.alert_if,
                &before.alert_if_no_answer,
                &before.tell,
            )
        {
            notes.push(Note::Kept(Said::new(
                format!("\"{ask}\": what is expected as an answer, and who is told of it"),
                format!("“{ask}”：期待怎样的回答、告知谁"),
            )));
        }
    }
    let quiet = !lines.iter().any(|line| line.item.kind != DueKind::Dose);
    let schedules = |plan: &ResolvedPlan| -> Vec<_> {
        let all = plan.check_ins.iter();
        all.map(|it| (it.id.clone(), it.schedule.clone())).collect()
    };
    if quiet && schedules(old) != schedules(new) {
        notes.push(Note::Later(Said::new(
            "the check-ins change: none of the next 7 days does",
            "随访问题有变：接下来 7 天的不变",
        )));
    }
    if quiet && old.appointments != new.appointments {
        notes.push(Note::Later(Said::new(
            "the appointments change: no reminder of the next 7 days falls at another time",
            "预约有变：接下来 7 天的提醒时间不变",
        )));
    }
}
