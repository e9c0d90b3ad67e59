//! What changes in a plan beside the instants and amounts of the next days.

use super::compare::Line;
use crate::plan::{DueKind, Medication, QuietHours, ResolvedPlan};

/// One such change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Messages say something else; nothing falls at another time.
    Text(String),
    /// When or how messages leave changes.
    Sending(String),
    /// It changes, and none of the next days does.
    Later(String),
    /// It is kept, and no message follows from it.
    Kept(String),
    /// Nobody would be reminded of so many things.
    NoContact(usize),
    /// Messages would go to another contact.
    OtherContact,
}

impl Note {
    /// The word in JSON.
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
    pub fn words(&self) -> String {
        match self {
            Note::Text(what) => format!("only the text of messages changes: {what}"),
            Note::Sending(what) | Note::Later(what) => what.clone(),
            Note::Kept(what) => format!("no reminder changes by it: {what}"),
            Note::NoContact(count) => format!(
                "no contact is known (`wechat` is missing): nobody is reminded of the {count} \
                 things that fall in the next 7 days"
            ),
            Note::OtherContact => "messages go to another contact".to_owned(),
        }
    }
}

/// All of them.
pub(super) fn notes(old: Option<&ResolvedPlan>, new: &ResolvedPlan, lines: &[Line]) -> Vec<Note> {
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
        match before {
            Some(before) => compared(before, medication, shown, &mut notes),
            None if medication.as_needed.is_some() => notes.push(Note::Later(format!(
                "{} is new: taken when needed, never reminded of",
                medication.name
            ))),
            None if !shown => notes.push(Note::Later(format!(
                "{} is new: no reminder of it in the next 7 days",
                medication.name
            ))),
            None => {}
        }
    }
    for gone in old.iter().flat_map(|old| &old.medications) {
        let kept = new.medications.iter().any(|it| it.id == gone.id);
        if !kept && !shown(DueKind::Dose, &gone.id) {
            notes.push(Note::Later(format!(
                "{} is taken out: no reminder of it was due in the next 7 days",
                gone.name
            )));
        }
    }
    if let Some(old) = old {
        others(old, new, lines, &mut notes);
    }
    if notes.is_empty() && lines.is_empty() {
        notes.push(Note::Later("nothing of the next 7 days changes".to_owned()));
    }
    notes
}

fn patient(old: &ResolvedPlan, new: &ResolvedPlan, notes: &mut Vec<Note>) {
    if old.name != new.name {
        notes.push(Note::Text(format!(
            "the patient's name, {} instead of {}",
            new.name, old.name
        )));
    }
    if old.language != new.language {
        notes.push(Note::Text("the language of the messages".to_owned()));
    }
    if old.zone != new.zone {
        let what = if old.zone.name() == new.zone.name() {
            "the rules of the time zone, or the days away, change".to_owned()
        } else {
            format!(
                "the time zone is {} instead of {}",
                new.zone.name(),
                old.zone.name()
            )
        };
        notes.push(Note::Sending(what));
    }
    if old.quiet_hours != new.quiet_hours {
        notes.push(Note::Sending(format!(
            "quiet hours are {} instead of {}",
            quiet(new.quiet_hours.as_ref()),
            quiet(old.quiet_hours.as_ref())
        )));
    }
    if old.born != new.born {
        notes.push(Note::Kept("the date of birth".to_owned()));
    }
    if old.caregivers != new.caregivers {
        notes.push(Note::Kept("the caregivers".to_owned()));
    }
}

fn quiet(hours: Option<&QuietHours>) -> String {
    hours.map_or("none".to_owned(), |hours| {
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
        texts.push(format!("{name} is called so instead of {}", old.name));
    }
    if old.short != new.short {
        texts.push(format!("the short name of {name}"));
    }
    if old.note != new.note {
        texts.push(format!("the note of {name}"));
    }
    notes.extend(texts.into_iter().map(Note::Text));
    if old.critical != new.critical {
        let what = if new.critical {
            "is time-critical now: sent first, within a narrower window"
        } else {
            "is not time-critical any more"
        };
        notes.push(Note::Sending(format!("{name} {what}")));
    }
    if old.window != new.window {
        notes.push(Note::Sending(format!(
            "how long after its time a dose of {name} may still be reminded of changes"
        )));
    }
    // The daemon stored it with the instant at which it began.
    let anchored = new.schedule.needs_anchor();
    let schedule = (!anchored && old.schedule != new.schedule)
        || old.amounts != new.amounts
        || old.doses != new.doses;
    if schedule && !shown {
        notes.push(Note::Later(format!(
            "{name} changes: no reminder of it in the next 7 days does"
        )));
    }
    let kept = [
        ("nudges", old.nudge != new.nudge),
        ("stock", old.stock != new.stock),
        ("refill", old.refill_when != new.refill_when),
        ("words for a missed dose", old.if_missed != new.if_missed),
        ("guards of a medication taken when needed", {
            old.as_needed != new.as_needed
        }),
    ];
    let kept = kept.into_iter().filter(|(_, changed)| *changed);
    notes.extend(kept.map(|(what, _)| Note::Kept(format!("{name}: {what}"))));
}

fn others(old: &ResolvedPlan, new: &ResolvedPlan, lines: &[Line], notes: &mut Vec<Note>) {
    for check_in in &new.check_ins {
        let Some(before) = old.check_ins.iter().find(|it| it.id == check_in.id) else {
            continue;
        };
        if before.ask != check_in.ask {
            notes.push(Note::Text(format!("the question \"{}\"", check_in.ask)));
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
            notes.push(Note::Kept(format!(
                "\"{}\": what is expected as an answer, and who is told of it",
                check_in.ask
            )));
        }
    }
    let quiet = !lines.iter().any(|line| line.item.kind != DueKind::Dose);
    let schedules = |plan: &ResolvedPlan| -> Vec<_> {
        let all = plan.check_ins.iter();
        all.map(|it| (it.id.clone(), it.schedule.clone())).collect()
    };
    if quiet && schedules(old) != schedules(new) {
        notes.push(Note::Later(
            "the check-ins change: none of the next 7 days does".to_owned(),
        ));
    }
    if quiet && old.appointments != new.appointments {
        notes.push(Note::Later(
            "the appointments change: no reminder of the next 7 days falls at another time"
                .to_owned(),
        ));
    }
}
