//! What waits for a contact's answer, put together as it was asked, and numbered.

use super::Person;
use crate::engine::Sending;
use crate::engine::interpret::ItemKind;
use crate::engine::step::RECENT;
use crate::engine::{Asked, ChoiceItem, DoseName, Matter, MessageId, Millis, OpenDose, PromptKind};
use crate::plan::{AnswerType, ResolvedPlan};
use jiff::Timestamp;

/// Things that are asked about together: a reminder, or a question.
#[derive(Clone)]
pub(super) struct Prompt {
    /// Its number in the list; 0 while it has none.
    pub number: u32,
    /// What it is about: doses, or one check-in.
    pub matters: Vec<Matter>,
    /// As a list names it.
    pub item: ChoiceItem,
    /// What each matter is.
    pub kinds: Vec<ItemKind>,
    /// What each matter is called.
    pub names: Vec<String>,
    /// The latest instant of its matters.
    pub at: Timestamp,
    /// Whose it is, among the people of the contact.
    pub patient: usize,
    /// A question whose time is over, older than all that is open.
    pub is_over: bool,
    /// When something was said of it last, as far as is known.
    pub told_at: Option<Timestamp>,
}

impl Prompt {
    /// Whether it came up, or was repeated, after the list was sent or a number of it was said:
    /// words may be about that.
    pub(super) fn is_newer_than(&self, asked: &Asked) -> bool {
        let is_listed = asked
            .choices
            .iter()
            .any(|(number, _)| *number == self.number);
        self.told_at.is_some_and(|at| at > asked.at) || (!is_listed && self.at > asked.at)
    }

    /// Whether any words at all would answer it, now that its time is over.
    pub(super) fn is_words(&self) -> bool {
        self.is_over && matches!(self.kinds[..], [ItemKind::CheckIn(AnswerType::Text)])
    }
}

/// All that waits for an answer of these people, with the numbers of the list that was sent last.
pub(super) fn prompts(people: &[Person<'_>], asked: Option<&Asked>, now: Timestamp) -> Vec<Prompt> {
    let mut open = Vec::new();
    let mut over = Vec::new();
    for (index, person) in people.iter().enumerate().filter(|(_, it)| it.answers) {
        push_doses(index, person, asked, now, &mut open);
        push_check_ins(index, person, asked, now, &mut open, &mut over);
    }
    let oldest = open.iter().map(|it| it.at).min();
    for prompt in &mut over {
        prompt.is_over = prompt.number == 0 && oldest.is_some_and(|oldest| prompt.at < oldest);
    }
    open.append(&mut over);
    open
}

/// Those of them that may be meant: what the last list named keeps its numbers, and new ones
/// follow in the order in which they came up.
pub(super) fn numbered<'p>(
    prompts: impl Iterator<Item = &'p Prompt>,
    asked: Option<&Asked>,
) -> Vec<Prompt> {
    let mut prompts: Vec<Prompt> = prompts.cloned().collect();
    let listed = asked.map_or(&[][..], |asked| &asked.choices);
    let mut number = listed.iter().map(|(number, _)| *number).max().unwrap_or(0);
    let mut fresh: Vec<Prompt> = prompts.extract_if(.., |it| it.number == 0).collect();
    fresh.sort_by_key(|it| (it.at, it.patient));
    for prompt in &mut fresh {
        number = number.saturating_add(1);
        prompt.number = number;
    }
    prompts.append(&mut fresh);
    prompts.sort_by_key(|it| it.number);
    prompts
}

/// Its number in the last list; 0 where it was not in it.
fn listed(person: &Person<'_>, asked: Option<&Asked>, id: &str, due: Timestamp) -> u32 {
    let matter = matter_of(person.number, id, due);
    let choices = asked.map_or(&[][..], |asked| &asked.choices);
    let found = choices.iter().find(|(_, known)| *known == matter);
    found.map_or(0, |(number, _)| *number)
}

/// The latest message about something that was taken by the channel, or may have been.
fn last_message(person: &Person<'_>, sending: &Sending) -> Option<MessageId> {
    let under_way = sending.prompt.filter(|id| person.under_way.contains(id));
    under_way.or_else(|| sending.messages.last().copied())
}

/// For when the last message about something was meant that is under way, or when it was taken.
fn told_at(person: &Person<'_>, sending: &Sending, due: Timestamp) -> Option<Timestamp> {
    let is_under_way = sending
        .prompt
        .is_some_and(|id| person.under_way.contains(&id));
    if is_under_way {
        return Some(sending.repeat.unwrap_or(due));
    }
    sending.accepted_at.max(sending.repeated_until)
}

/// Doses that one message named last are one prompt; so are those of one instant of which nothing
/// has left.
#[derive(PartialEq, Eq)]
struct Together {
    listed: u32,
    message: Option<MessageId>,
    at: Option<Timestamp>,
}

fn push_doses(
    index: usize,
    person: &Person<'_>,
    asked: Option<&Asked>,
    now: Timestamp,
    prompts: &mut Vec<Prompt>,
) {
    let come_up = |dose: &&OpenDose| dose.due <= now;
    let open: Vec<&OpenDose> = person.state.doses.iter().filter(come_up).collect();
    // What was reminded of is what an answer means; else what is open all the same.
    let mut meant: Vec<&OpenDose> = open.clone();
    meant.retain(|dose| last_message(person, &dose.sending).is_some());
    if meant.is_empty() {
        meant = open;
    }
    let recent = person.state.recent.iter().map(|it| &it.dose);
    meant.extend(recent.filter(|it| listed(person, asked, &it.medication, it.due) > 0));
    let mut groups: Vec<(Together, Vec<&OpenDose>)> = Vec::new();
    for dose in meant {
        let message = last_message(person, &dose.sending);
        let together = Together {
            listed: listed(person, asked, &dose.medication, dose.due),
            message,
            at: message.is_none().then_some(dose.due),
        };
        match groups.iter_mut().find(|(known, _)| *known == together) {
            Some((_, doses)) => doses.push(dose),
            None => groups.push((together, vec![dose])),
        }
    }
    for (together, doses) in groups {
        let names: Vec<DoseName> = doses.iter().map(|it| name_of(person.plan, it)).collect();
        prompts.push(Prompt {
            number: together.listed,
            matters: doses
                .iter()
                .map(|dose| matter_of(person.number, &dose.medication, dose.due))
                .collect(),
            kinds: doses.iter().map(|_| ItemKind::Dose).collect(),
            names: names.iter().map(|it| it.label.clone()).collect(),
            at: doses.iter().map(|dose| dose.due).max().unwrap_or(now),
            item: ChoiceItem::Doses(names),
            patient: index,
            is_over: false,
            told_at: doses
                .iter()
                .filter_map(|dose| told_at(person, &dose.sending, dose.due))
                .max(),
        });
    }
}

/// Questions that were asked: those whose time runs, and of those whose time is over the latest of
/// each check-in. An answer to it is late, and kept.
fn push_check_ins(
    index: usize,
    person: &Person<'_>,
    asked: Option<&Asked>,
    now: Timestamp,
    open: &mut Vec<Prompt>,
    over: &mut Vec<Prompt>,
) {
    let prompt = |id: &str, due: Timestamp, told_at: Option<Timestamp>| {
        let check_in = person.plan.check_ins.iter().find(|it| it.id == id)?;
        Some(Prompt {
            number: listed(person, asked, id, due),
            matters: vec![matter_of(person.number, id, due)],
            kinds: vec![ItemKind::CheckIn(check_in.answer.clone())],
            names: vec![check_in.ask.clone()],
            at: due,
            item: ChoiceItem::CheckIn {
                ask: check_in.ask.clone(),
                due,
            },
            patient: index,
            is_over: false,
            told_at,
        })
    };
    let mut known: Vec<&str> = Vec::new();
    for asked_now in &person.state.prompts {
        let has_left = last_message(person, &asked_now.sending).is_some();
        if asked_now.kind == PromptKind::CheckIn && has_left {
            known.push(&asked_now.id);
            let told_at = told_at(person, &asked_now.sending, asked_now.due);
            open.extend(prompt(&asked_now.id, asked_now.due, told_at));
        }
    }
    for earlier in person.state.recent_check_ins.iter().rev() {
        let is_known = known.contains(&earlier.check_in.as_str());
        if !is_known && is_recent(earlier.due.0, now) {
            known.push(&earlier.check_in);
            over.extend(prompt(&earlier.check_in, earlier.due.0, None));
        }
    }
}

/// Whether something closed may still be meant. The state forgets at its next step only.
pub(super) fn is_recent(due: Timestamp, now: Timestamp) -> bool {
    now.duration_since(due) < RECENT
}

pub(super) fn matter_of(patient: u32, id: &str, due: Timestamp) -> Matter {
    Matter {
        patient,
        id: id.to_owned(),
        due: Millis(due),
    }
}

/// A dose as people are told of it.
pub(super) fn name_of(plan: &ResolvedPlan, dose: &OpenDose) -> DoseName {
    DoseName {
        label: label(plan, &dose.medication).to_owned(),
        amount: dose.amount.clone(),
        due: dose.due,
    }
}

/// What messages call a medication.
pub(super) fn label<'p>(plan: &'p ResolvedPlan, id: &'p str) -> &'p str {
    let known = plan.medications.iter().find(|it| it.id == id);
    known.map_or(id, |it| it.label())
}
