//! What an answer says of the doses it is about.

use super::form;
use super::lexicon::{Kind, Manner};
use super::name::{Names, Target};
use super::said::{Act, Choice, Said, Sentence, When};
use super::sentence;
use super::taken_at::{At, taken_at};
use super::token::{Gap, Sense, tokens};
use super::which::{Chosen, at_of, choose, doses_of, prompts};
use super::writing::{Writing, is_mark};
use super::{DoseAnswer, Interpretation, ItemKind, Reading, Reply, references};
use jiff::SignedDuration;

/// Whether a dose waits for an answer.
pub(super) fn is_open(reply: &Reply<'_>) -> bool {
    reply.open.iter().any(|item| item.kind == ItemKind::Dose)
}

/// The references of all open doses and of these other items.
pub(super) fn doubtful(reply: &Reply<'_>, items: &[usize]) -> Vec<String> {
    let all: Vec<usize> = (0..reply.open.len())
        .filter(|index| reply.open[*index].kind == ItemKind::Dose || items.contains(index))
        .collect();
    references(reply, &all)
}

/// The answer to our numbered list: which, and nothing else.
pub(super) fn listed(
    reply: &Reply<'_>,
    sentence: &Sentence,
    asked: DoseAnswer,
) -> Option<Interpretation> {
    if asked != DoseAnswer::Taken
        && (sentence.unclear
            || sentence
                .acts
                .iter()
                .any(|act| act.answer != DoseAnswer::Later))
        && let Some(answer) = listed_with_reason(reply, asked)
    {
        return Some(answer);
    }
    listed_whole(reply, sentence, asked)
}

fn listed_whole(
    reply: &Reply<'_>,
    sentence: &Sentence,
    asked: DoseAnswer,
) -> Option<Interpretation> {
    let burdened = sentence.remark.is_some() || sentence.symptom;
    if sentence.unclear || sentence.two || burdened && asked == DoseAnswer::Taken {
        return None;
    }
    let mut choice = sentence.rest.clone();
    let mut minutes = None;
    match &sentence.acts[..] {
        [] => {}
        // In answer to the list, the 2 of "2 30" is its number.
        [act] if sentence.two_later && asked == DoseAnswer::Later && act.choice.is_empty() => {
            choice.numbers.push(2);
            minutes = act.minutes;
        }
        _ => return None,
    }
    // "一个" is no number of the list.
    if choice.is_empty() || sentence.one {
        return None;
    }
    choice.only = false;
    if sentence.softly && asked == DoseAnswer::Taken {
        // "2吧".
        return Some(ask(reply, asked, &[]));
    }
    let when = sentence.rest_when;
    match choose(reply, &choice, asked, When::default()) {
        Chosen::Open(items) => {
            let reading = match asked {
                DoseAnswer::Taken => Reading::Taken {
                    taken_at: at_of(reply, &when, &items)?,
                },
                DoseAnswer::Later => Reading::Later {
                    minutes: match (minutes, when.clock) {
                        (Some(minutes), _) => Some(minutes),
                        (None, Some(clock)) => Some(clock.minutes_until(reply.now)?),
                        (None, None) => None,
                    },
                },
                DoseAnswer::Skipped => Reading::Skipped { reason: None },
                DoseAnswer::NotTaken => Reading::NotTaken,
            };
            let answer = Interpretation::new(reading, references(reply, &items));
            Some(answer.with_remark(burdened))
        }
        Chosen::Doubtful(items) if doses_of(reply, &Choice::default()).len() > 1 => {
            Some(ask(reply, asked, &items))
        }
        _ => None,
    }
}

/// "2, too dizzy": what was chosen, and why.
fn listed_with_reason(reply: &Reply<'_>, asked: DoseAnswer) -> Option<Interpretation> {
    let (head, reason) = head_and_reason(reply, |answer| answer == asked)?;
    let head = parsed(reply, head);
    if !head.acts.is_empty() || head.unclear {
        return None;
    }
    let answer = listed_whole(reply, &head, asked)?;
    let reading = match answer.reading {
        Reading::Skipped { .. } => Reading::Skipped {
            reason: Some(reason.to_owned()),
        },
        other => other,
    };
    Some(Interpretation { reading, ..answer }.with_remark(asked != DoseAnswer::Skipped))
}

/// The first clause, and the others if they may be why: nothing is asked in them, and no other
/// answer given.
fn head_and_reason<'a>(
    reply: &Reply<'a>,
    is_same: impl Fn(DoseAnswer) -> bool,
) -> Option<(&'a str, &'a str)> {
    let ends = |c: char| matches!(c, ',' | '，' | '。' | ';' | '；' | '!' | '！' | '、');
    let (head, reason) = if let Some(parts) = reply.text.split_once(ends) {
        parts
    } else {
        // "3 too dizzy": the digit and why; but not "3 days".
        let writing = Writing::of(reply.text);
        let tokens = tokens(&writing, &Names::of(reply));
        let [three, next, ..] = &tokens[..] else {
            return None;
        };
        let why = matches!(next.sense, Sense::Unknown | Sense::Word(Kind::Symptom));
        if three.sense != Sense::Number(3) || next.gap != Gap::Blank || !why {
            return None;
        }
        reply.text.trim().split_once(char::is_whitespace)?
    };
    let reason = reason.trim_matches(|c: char| c.is_whitespace() || is_mark(c));
    let said = parsed(reply, reason);
    let other = said.acts.iter().any(|act| !is_same(act.answer));
    let chosen = !said.rest.names.is_empty() || !said.rest.patients.is_empty();
    (!reason.is_empty() && !said.question && !other && !chosen).then_some((head, reason))
}

fn parsed(reply: &Reply<'_>, text: &str) -> Sentence {
    let writing = Writing::of(text);
    sentence::sentence(&tokens(&writing, &Names::of(reply)))
}

fn ask(reply: &Reply<'_>, answer: DoseAnswer, items: &[usize]) -> Interpretation {
    let mut references = if items.is_empty() {
        doubtful(reply, &[])
    } else {
        references(reply, items)
    };
    if references.is_empty() {
        for dose in reply.recent {
            if !references.contains(&dose.reference) {
                references.push(dose.reference.clone());
            }
        }
    }
    Interpretation::new(Reading::AskWhich(Some(answer)), references)
}

/// A medicine that is taken when needed, reported by its name.
pub(super) fn as_needed(reply: &Reply<'_>, sentence: &Sentence) -> Option<Interpretation> {
    let act = match sentence.said() {
        Said::One(act) => act,
        // "ibuprofen at 2pm".
        Said::Nothing
            if sentence.acts.is_empty()
                && reply.text.is_ascii()
                && (sentence.rest_when.clock.is_some() || sentence.rest_when.ago.is_some()) =>
        {
            Act::told(sentence.rest.clone(), sentence.rest_when)
        }
        _ => return None,
    };
    let of_others = reply.open.iter().any(|item| item.patient.is_some());
    if act.answer != DoseAnswer::Taken
        || act.choice.names.is_empty()
        || sentence.unclear
        || sentence.softly
        || sentence.units
        || sentence.third && !of_others
    {
        return None;
    }
    // Why it was taken may stand beside it; other words that are not understood may not.
    if sentence.remark.is_some() && !sentence.symptom {
        return None;
    }
    let simple = Choice {
        names: Vec::new(),
        patients: Vec::new(),
        all: None,
        ..act.choice.clone()
    };
    if !simple.is_empty() || act.choice.names.iter().any(|hit| hit.doubtful) {
        return None;
    }
    let mut needed: Vec<usize> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for hit in &act.choice.names {
        let found: Vec<usize> = hit
            .targets
            .iter()
            .filter_map(|target| match target {
                Target::AsNeeded(index) => Some(*index),
                _ => None,
            })
            .collect();
        if found.is_empty() {
            // A dose named beside it is left for an answer of its own.
            let dose = |target: &Target| matches!(target, Target::Open(..));
            if hit.targets.iter().any(dose) {
                continue;
            }
            return None;
        }
        if found.len() > 1 {
            return Some(Interpretation::new(
                Reading::AskWhich(Some(DoseAnswer::Taken)),
                needed_references(reply, &found),
            ));
        }
        needed.extend(found);
        open.extend(hit.targets.iter().filter_map(|target| match target {
            Target::Open(index, _) => Some(*index),
            _ => None,
        }));
    }
    if needed.is_empty() {
        return None;
    }
    if !open.is_empty() {
        // The reminder of this medicine, or another taking of it: only the patient knows.
        let mut both = references(reply, &open);
        both.extend(needed_references(reply, &needed));
        return Some(Interpretation::new(
            Reading::AskWhich(Some(DoseAnswer::Taken)),
            both,
        ));
    }
    let taken_at = match taken_at(&act.when, None, reply) {
        // Without a verb it is today's, or still to come.
        At::Said(at)
            if sentence.acts.is_empty()
                && reply.now.timestamp().duration_since(at) > SignedDuration::from_hours(12) =>
        {
            return None;
        }
        At::Said(at) => Some(at),
        At::Unsaid => None,
        At::Impossible => return None,
    };
    let answer = Interpretation::new(
        Reading::AsNeededTaken { taken_at },
        needed_references(reply, &needed),
    );
    // Two at once are for the doctor to see as well.
    Some(answer.with_remark(sentence.symptom || sentence.two))
}

fn needed_references(reply: &Reply<'_>, items: &[usize]) -> Vec<String> {
    let mut references: Vec<String> = Vec::new();
    for item in items {
        let reference = &reply.as_needed[*item].reference;
        if !references.contains(reference) {
            references.push(reference.clone());
        }
    }
    references
}

/// The answer to a reminder; `None` where there is none.
pub(super) fn answer(
    reply: &Reply<'_>,
    sentence: &Sentence,
    writing: &Writing<'_>,
) -> Option<Interpretation> {
    let whole = whole_answer(reply, sentence, writing);
    if whole.is_some() {
        return whole;
    }
    // "skip, the dentist said so": why may be said in any words.
    let (head, reason) = head_and_reason(reply, |answer| answer == DoseAnswer::Skipped)?;
    let head = parsed(reply, head);
    if head.unclear || head.remark.is_some() {
        return None;
    }
    let found = whole_answer(reply, &head, writing)?;
    let Reading::Skipped { .. } = found.reading else {
        return None;
    };
    let reading = Reading::Skipped {
        reason: Some(reason.to_owned()),
    };
    Some(Interpretation { reading, ..found })
}

/// The answer that all words make.
fn whole_answer(
    reply: &Reply<'_>,
    sentence: &Sentence,
    writing: &Writing<'_>,
) -> Option<Interpretation> {
    if sentence.unclear {
        return None;
    }
    let mut reason = sentence.remark;
    let act = match sentence.said() {
        Said::One(act) => without_digit(reply, act),
        Said::Mixed => {
            let several = prompts(reply, &doses_of(reply, &Choice::default())).len() > 1;
            return (several && sentence.remark.is_none())
                .then(|| ask(reply, DoseAnswer::Taken, &[]));
        }
        Said::Nothing if sentence.acts.is_empty() && sentence.rest_when != When::default() => {
            still_to_come(reply, sentence)?
        }
        Said::Nothing => {
            if !sentence.acts.is_empty() {
                return None;
            }
            digit(reply, sentence, &mut reason)?
        }
    };
    if act.answer == DoseAnswer::Taken && sentence.burdened {
        return None;
    }
    if sentence.softly && matches!(act.answer, DoseAnswer::Taken | DoseAnswer::NotTaken) {
        return None;
    }
    if sentence.one || sentence.two || act.choice.only && act.choice.names.is_empty() {
        return None;
    }
    if sentence.third && !one_patient(reply, &act.choice) {
        return third(reply, &act);
    }
    match choose(reply, &act.choice, act.answer, act.when) {
        Chosen::Open(items) => {
            let injected = |item: &usize| form::is_of(Manner::Needle, &reply.open[*item].name);
            if sentence.units && !items.iter().all(injected) {
                return None;
            }
            let answer = said_of_open(reply, &act, &items, reason, &sentence.forms, writing)?;
            Some(answer.with_remark(is_for_doctor(&act, sentence)))
        }
        Chosen::Recent(doses) => {
            let answer = said_of_recent(reply, &act, &doses)?;
            Some(answer.with_remark(is_for_doctor(&act, sentence)))
        }
        Chosen::Doubtful(items) => Some(ask(reply, act.answer, &items)),
        Chosen::Nothing => None,
    }
}

/// A bare time ("9点", "at nine") that no dose can have been taken at is when it will be.
fn still_to_come(reply: &Reply<'_>, sentence: &Sentence) -> Option<Act> {
    let when = sentence.rest_when;
    let doses = doses_of(reply, &Choice::default());
    let past = doses.iter().any(|item| {
        !matches!(
            taken_at(&when, Some(reply.open[*item].at), reply),
            At::Impossible
        )
    });
    let bare =
        sentence.rest.is_empty() && when.day.is_none_or(|day| day == 0) && when.ago.is_none();
    if past || !bare || doses.is_empty() {
        return None;
    }
    // Nobody puts a dose off for half a day.
    let clock = when.clock?;
    let clock = when.part.map_or(clock, |part| clock.in_part(part));
    clock
        .minutes_until(reply.now)
        .filter(|minutes| *minutes <= 12 * 60)?;
    let mut later = Act::of_digit(DoseAnswer::Later);
    later.when = when;
    Some(later)
}

/// Whether words beside the answer are for the doctor. Why it is skipped is kept with it, and
/// where somebody is while it has to wait helps nobody.
fn is_for_doctor(act: &Act, sentence: &Sentence) -> bool {
    match act.answer {
        DoseAnswer::Taken | DoseAnswer::NotTaken => {
            sentence.symptom || sentence.remark.is_some() || sentence.units
        }
        DoseAnswer::Later => sentence.symptom,
        DoseAnswer::Skipped => false,
    }
}

/// "2 later" says twice the same where there is no second to choose; "1 taken" may be about a
/// first that is not open any more.
fn without_digit(reply: &Reply<'_>, mut act: Act) -> Act {
    if let [digit] = act.choice.numbers[..]
        && act.answer != DoseAnswer::Taken
        && DoseAnswer::of_digit(digit) == Some(act.answer)
        && prompts(reply, &doses_of(reply, &Choice::default())).len() == 1
        && !act.choice.counted
    {
        act.choice.numbers.clear();
    }
    act
}

/// 1, 2, 3, and 3 with a reason.
fn digit(
    reply: &Reply<'_>,
    sentence: &Sentence,
    reason: &mut Option<(usize, usize)>,
) -> Option<Act> {
    let [number] = sentence.rest.numbers[..] else {
        return None;
    };
    let bare = Choice {
        numbers: Vec::new(),
        ..sentence.rest.clone()
    };
    let answer = DoseAnswer::of_digit(number)?;
    let with_reason = answer == DoseAnswer::Skipped && reason.is_some();
    if !bare.is_empty() || sentence.digit.is_none() && !with_reason {
        return None;
    }
    if !is_open(reply) && !reply.open.is_empty() {
        return None;
    }
    Some(Act::of_digit(answer))
}

/// Somebody else is spoken of: it is only clear who where the contact answers for one patient.
fn one_patient(reply: &Reply<'_>, choice: &Choice) -> bool {
    if !choice.patients.is_empty() || choice.people.is_some() {
        return true;
    }
    let mut patients = reply
        .open
        .iter()
        .filter(|item| item.kind == ItemKind::Dose)
        .map(|item| item.patient.as_deref());
    let first = patients.next().flatten();
    first.is_some() && patients.all(|patient| patient == first)
}

fn third(reply: &Reply<'_>, act: &Act) -> Option<Interpretation> {
    let several = reply.open.iter().any(|item| item.patient.is_some());
    several.then(|| ask(reply, act.answer, &[]))
}

fn said_of_open(
    reply: &Reply<'_>,
    act: &Act,
    items: &[usize],
    reason: Option<(usize, usize)>,
    forms: &[Manner],
    writing: &Writing<'_>,
) -> Option<Interpretation> {
    // "打了" and "my inhaler" are about no tablet.
    let formed = |index: &usize| {
        let name = &reply.open[*index].name;
        let named = !act.choice.names.is_empty();
        (named || form::can_be(act.manner, name))
            && forms.iter().all(|manner| form::is_of(*manner, name))
    };
    if !items.iter().all(formed) {
        return None;
    }
    let reading = match act.answer {
        DoseAnswer::Taken => Reading::Taken {
            taken_at: at_of(reply, &act.when, items)?,
        },
        DoseAnswer::Later => {
            if act.when.day.is_some_and(|day| day != 0) {
                return None;
            }
            let minutes = match (act.minutes, act.when.clock) {
                (Some(minutes), _) => Some(minutes),
                (None, Some(clock)) => {
                    let clock = match act.when.part {
                        Some(part) => clock.in_part(part),
                        None => clock,
                    };
                    Some(clock.minutes_until(reply.now)?)
                }
                (None, None) => None,
            };
            Reading::Later { minutes }
        }
        DoseAnswer::Skipped => Reading::Skipped {
            reason: reason
                .map(|(from, until)| writing.written(from, until).to_owned())
                .filter(|reason| !reason.is_empty()),
        },
        DoseAnswer::NotTaken => {
            if act.when.day.is_some_and(|day| day != 0) && !same_day(reply, act.when, items) {
                return None;
            }
            Reading::NotTaken
        }
    };
    Some(Interpretation::new(reading, references(reply, items)))
}

/// Whether all items were due on the day that was said.
fn same_day(reply: &Reply<'_>, when: When, items: &[usize]) -> bool {
    let day = when.day.unwrap_or(0);
    let date = reply
        .now
        .date()
        .checked_add(jiff::Span::new().days(i64::from(day)));
    items.iter().all(|item| {
        let due = reply.open[*item].at.to_zoned(reply.now.time_zone().clone());
        date.as_ref().is_ok_and(|date| due.date() == *date)
    })
}

fn said_of_recent(reply: &Reply<'_>, act: &Act, doses: &[usize]) -> Option<Interpretation> {
    let reading = match act.answer {
        DoseAnswer::Later => return None,
        DoseAnswer::Skipped => Reading::Skipped { reason: None },
        DoseAnswer::NotTaken => Reading::NotTaken,
        DoseAnswer::Taken => {
            let mut said = None;
            for dose in doses {
                match taken_at(&act.when, Some(reply.recent[*dose].at), reply) {
                    At::Unsaid => {}
                    At::Impossible => return None,
                    At::Said(at) => said = Some(at),
                }
            }
            Reading::Taken { taken_at: said }
        }
    };
    let mut references: Vec<String> = Vec::new();
    for dose in doses {
        let reference = &reply.recent[*dose].reference;
        if !references.contains(reference) {
            references.push(reference.clone());
        }
    }
    Some(Interpretation::new(reading, references))
}
