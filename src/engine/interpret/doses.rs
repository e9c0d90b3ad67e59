//! Which doses an answer is about.

use super::clock::due_in_part;
use super::form;
use super::lexicon::{Kind, Manner};
use super::name::{Names, Target, part_count};
use super::sentence::{self, Act, Choice, Said, Sentence, When};
use super::taken_at::{At, taken_at};
use super::token::{Gap, Sense, tokens};
use super::writing::{Writing, is_mark};
use super::{DoseAnswer, Interpretation, ItemKind, Reading, Reply, references};
use crate::engine::DoseState;
use jiff::{SignedDuration, Timestamp};

/// What a choice comes to.
enum Chosen {
    /// These open items.
    Open(Vec<usize>),
    /// These recent doses.
    Recent(Vec<usize>),
    /// One of these open items; if none is given, of all.
    Doubtful(Vec<usize>),
    /// None that we know.
    Nothing,
}

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
    let (head, reason) = match reply.text.split_once(ends) {
        Some(parts) => parts,
        None => {
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
        }
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

/// When all of these were taken; `None` if it does not fit one of them.
fn at_of(reply: &Reply<'_>, when: &When, items: &[usize]) -> Option<Option<Timestamp>> {
    let mut said: Option<Timestamp> = None;
    for item in items {
        match taken_at(when, Some(reply.open[*item].at), reply) {
            At::Unsaid => {}
            At::Said(at) if said.is_none_or(|other| other == at) => said = Some(at),
            At::Impossible | At::Said(_) => return None,
        }
    }
    Some(said)
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

/// The open doses, of the patients that were named.
fn doses_of(reply: &Reply<'_>, choice: &Choice) -> Vec<usize> {
    let named: Vec<Option<&str>> = choice
        .patients
        .iter()
        .map(|index| reply.open[*index].patient.as_deref())
        .collect();
    (0..reply.open.len())
        .filter(|index| reply.open[*index].kind == ItemKind::Dose)
        .filter(|index| named.is_empty() || named.contains(&reply.open[*index].patient.as_deref()))
        .collect()
}

/// Items by prompt: those that share their number.
fn prompts(reply: &Reply<'_>, items: &[usize]) -> Vec<Vec<usize>> {
    let mut prompts: Vec<Vec<usize>> = Vec::new();
    for item in items {
        let number = reply.open[*item].number;
        match prompts
            .iter_mut()
            .find(|prompt| reply.open[prompt[0]].number == number)
        {
            Some(prompt) => prompt.push(*item),
            None => prompts.push(vec![*item]),
        }
    }
    prompts
}

/// Which doses are meant.
fn choose(reply: &Reply<'_>, choice: &Choice, answer: DoseAnswer, when: When) -> Chosen {
    let items = doses_of(reply, choice);
    if choice.counted && !choice.names.is_empty() {
        return if items.is_empty() {
            Chosen::Nothing
        } else {
            Chosen::Doubtful(items)
        };
    }
    if !choice.names.is_empty() {
        return choose_named(reply, choice, &items, answer, when);
    }
    let prompts = prompts(reply, &items);
    let several = prompts.len() > 1;
    if choice.counted {
        return if several {
            Chosen::Doubtful(items)
        } else {
            Chosen::Nothing
        };
    }
    if !choice.numbers.is_empty() {
        let mut chosen: Vec<usize> = Vec::new();
        for number in &choice.numbers {
            match prompts
                .iter()
                .find(|prompt| reply.open[prompt[0]].number == *number)
            {
                Some(prompt) => chosen.extend(prompt),
                None if several => return Chosen::Doubtful(items),
                None => return Chosen::Nothing,
            }
        }
        // "第一个" of a reminder with two medicines may be the first of the two.
        if choice.last
            && several
            && let Some(last) = prompts
                .iter()
                .max_by_key(|prompt| reply.open[prompt[0]].number)
        {
            // "the first and the last".
            chosen.extend(last);
        }
        let two_in_one = chosen.len() > 1
            || chosen
                .iter()
                .any(|item| part_count(&reply.open[*item].name) > 1);
        if !several && two_in_one {
            return Chosen::Doubtful(items);
        }
        chosen.sort_unstable();
        chosen.dedup();
        if choice
            .all
            .is_some_and(|count| count.is_some_and(|count| count as usize != choice.numbers.len()))
        {
            return Chosen::Doubtful(items);
        }
        return Chosen::Open(chosen);
    }
    if let Some(count) = choice.people {
        let mut patients: Vec<Option<&str>> = items
            .iter()
            .map(|item| reply.open[*item].patient.as_deref())
            .collect();
        patients.sort_unstable();
        patients.dedup();
        return if items.is_empty() {
            Chosen::Nothing
        } else if patients.len() == count as usize {
            all_at(reply, items, answer, when)
        } else {
            Chosen::Doubtful(items)
        };
    }
    if choice.front.is_some() || choice.back.is_some() {
        return at_an_end(reply, choice, prompts);
    }
    if choice.last {
        return match prompts
            .iter()
            .max_by_key(|prompt| reply.open[prompt[0]].number)
        {
            Some(prompt) if several => Chosen::Open(prompt.clone()),
            _ => Chosen::Nothing,
        };
    }
    if choice.clock.is_some() || choice.part.is_some() {
        return choose_by_time(reply, choice, &prompts, answer);
    }
    if let Some(count) = choice.all {
        if items.is_empty() {
            return if reply.open.is_empty() {
                recent(reply, answer, when)
            } else {
                Chosen::Nothing
            };
        }
        let names: usize = items
            .iter()
            .map(|item| part_count(&reply.open[*item].name))
            .sum();
        let counted =
            count.is_none_or(|count| prompts.len() == count as usize || names == count as usize);
        return if counted {
            all_at(reply, items, answer, when)
        } else if several {
            Chosen::Doubtful(items)
        } else {
            Chosen::Nothing
        };
    }
    match &prompts[..] {
        [] if choice.patients.is_empty() => recent(reply, answer, when),
        [] => Chosen::Nothing,
        [prompt] => {
            // "8点吃的" at noon is about the dose of eight, if that is the one that was missed.
            let fits =
                |due: Timestamp| !matches!(taken_at(&when, Some(due), reply), At::Impossible);
            let about_open = prompt.iter().all(|item| fits(reply.open[*item].at));
            if answer == DoseAnswer::Taken && when != When::default() {
                let closest =
                    closest_recent(reply, &when, about_open.then(|| reply.open[prompt[0]].at));
                if let Some(doses) = closest {
                    return doses;
                }
            }
            if !prompt
                .iter()
                .all(|item| told_of(reply, answer, &when, reply.open[*item].at))
            {
                // 早上没吃 in the evening is about the dose of the morning.
                let then: Vec<usize> = (0..reply.recent.len())
                    .filter(|index| told_of(reply, answer, &when, reply.recent[*index].at))
                    .collect();
                return correctable(reply, &then, answer);
            }
            Chosen::Open(prompt.clone())
        }
        _ => {
            if answer == DoseAnswer::Taken && when.clock.is_some() {
                let fitting: Vec<&Vec<usize>> = prompts
                    .iter()
                    .filter(|prompt| {
                        prompt.iter().all(|item| {
                            !matches!(
                                taken_at(&when, Some(reply.open[*item].at), reply),
                                At::Impossible
                            )
                        })
                    })
                    .collect();
                if let [prompt] = fitting[..] {
                    return Chosen::Open(prompt.clone());
                }
            }
            Chosen::Doubtful(items)
        }
    }
}

/// 前两个, 后面那个.
fn at_an_end(reply: &Reply<'_>, choice: &Choice, mut prompts: Vec<Vec<usize>>) -> Chosen {
    prompts.sort_by_key(|prompt| reply.open[prompt[0]].number);
    let all = || prompts.iter().flatten().copied().collect();
    let part = match (choice.front, choice.back) {
        (Some(0), None) if prompts.len() == 2 => &prompts[..1],
        (None, Some(0)) if prompts.len() == 2 => &prompts[1..],
        (Some(count), None) if count > 0 && count as usize <= prompts.len() => {
            &prompts[..count as usize]
        }
        (None, Some(count)) if count > 0 && count as usize <= prompts.len() => {
            &prompts[prompts.len() - count as usize..]
        }
        _ if prompts.len() > 1 => return Chosen::Doubtful(all()),
        _ => return Chosen::Nothing,
    };
    Chosen::Open(part.iter().flatten().copied().collect())
}

/// All of them, where what was said of when fits each.
fn all_at(reply: &Reply<'_>, items: Vec<usize>, answer: DoseAnswer, when: When) -> Chosen {
    let fits = |item: &usize| {
        let due = reply.open[*item].at;
        told_of(reply, answer, &when, due)
            && (answer != DoseAnswer::Taken
                || !matches!(taken_at(&when, Some(due), reply), At::Impossible))
    };
    let together = answer != DoseAnswer::Taken || at_of(reply, &when, &items).is_some();
    if together && items.iter().all(fits) {
        Chosen::Open(items)
    } else {
        Chosen::Doubtful(items)
    }
}

/// Whether a part of the day or a time fits a dose that was not taken, or is not to be: there it
/// can only tell which dose is meant.
fn told_of(reply: &Reply<'_>, answer: DoseAnswer, when: &When, due: Timestamp) -> bool {
    if !matches!(answer, DoseAnswer::NotTaken | DoseAnswer::Skipped) {
        return true;
    }
    let part = when
        .part
        .is_none_or(|part| due_in_part(part, when.day.unwrap_or(0), due, reply.now));
    let clock = when.clock.is_none_or(|clock| {
        let clock = when.part.map_or(clock, |part| clock.in_part(part));
        clock.shows(&due.to_zoned(reply.now.time_zone().clone()))
    });
    part && clock
}

/// The recent dose that a time fits better than the open one.
fn closest_recent(reply: &Reply<'_>, when: &When, open: Option<Timestamp>) -> Option<Chosen> {
    let exact = when.clock.is_some() || when.ago.is_some();
    let distance = |due: Timestamp| match taken_at(when, Some(due), reply) {
        At::Said(at) => Some(at.duration_since(due).abs()),
        At::Unsaid if !exact => Some(SignedDuration::ZERO),
        _ => None,
    };
    let of_open = open.and_then(distance);
    if let (false, Some(part)) = (exact, when.part) {
        let in_part = |due: Timestamp| due_in_part(part, when.day.unwrap_or(0), due, reply.now);
        let then: Vec<usize> = (0..reply.recent.len())
            .filter(|index| in_part(reply.recent[*index].at))
            .collect();
        if !then.is_empty() && !open.is_some_and(in_part) {
            return Some(correctable(reply, &then, DoseAnswer::Taken));
        }
    }
    if !exact && of_open.is_some() {
        return None;
    }
    let near: Vec<usize> = (0..reply.recent.len())
        .filter(|index| {
            distance(reply.recent[*index].at)
                .is_some_and(|far| of_open.is_none_or(|open| far < open))
        })
        .collect();
    let candidates: Vec<usize> = near
        .iter()
        .copied()
        .filter(|index| reply.recent[*index].state != DoseState::Taken)
        .collect();
    if near.is_empty() {
        return None;
    }
    // Between a dose that is open and one that is not, a time alone decides only if it fits one.
    Some(match one_instant(reply, &candidates) {
        Some(doses) if of_open.is_none() => Chosen::Recent(doses),
        _ => match of_open {
            Some(_) => Chosen::Doubtful(Vec::new()),
            None => Chosen::Nothing,
        },
    })
}

/// The doses, if all were due at one instant: one reminder.
fn one_instant(reply: &Reply<'_>, doses: &[usize]) -> Option<Vec<usize>> {
    let first = reply.recent[*doses.first()?].at;
    doses
        .iter()
        .all(|dose| reply.recent[*dose].at == first)
        .then(|| doses.to_vec())
}

/// A correction, when nothing is open.
fn recent(reply: &Reply<'_>, answer: DoseAnswer, when: When) -> Chosen {
    if answer == DoseAnswer::Later || !reply.open.is_empty() {
        return Chosen::Nothing;
    }
    let fits = |index: &usize| {
        answer != DoseAnswer::Taken
            || !matches!(
                taken_at(&when, Some(reply.recent[*index].at), reply),
                At::Impossible
            )
    };
    let mut all: Vec<usize> = (0..reply.recent.len()).filter(fits).collect();
    if let (Some(part), None) = (when.part, when.clock) {
        // 中午吃了 is about the dose of noon, if there was one.
        let in_part = |index: &usize| {
            let due = reply.recent[*index].at;
            due_in_part(part, when.day.unwrap_or(0), due, reply.now)
        };
        if all.iter().any(in_part) || answer != DoseAnswer::Taken {
            all.retain(in_part);
        }
    }
    correctable(reply, &all, answer)
}

/// Of these recent doses the ones that the answer would change, if they belong together.
fn correctable(reply: &Reply<'_>, doses: &[usize], answer: DoseAnswer) -> Chosen {
    let taken = answer == DoseAnswer::Taken;
    let changed: Vec<usize> = doses
        .iter()
        .copied()
        .filter(|index| match reply.recent[*index].state {
            DoseState::Taken => !taken,
            DoseState::Cancelled => false,
            _ => taken,
        })
        .collect();
    let candidates = if changed.is_empty() { doses } else { &changed };
    match one_instant(reply, candidates) {
        Some(doses) => Chosen::Recent(doses),
        None if candidates.is_empty() => Chosen::Nothing,
        None => Chosen::Doubtful(Vec::new()),
    }
}

fn choose_named(
    reply: &Reply<'_>,
    choice: &Choice,
    items: &[usize],
    answer: DoseAnswer,
    when: When,
) -> Chosen {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut recent: Vec<usize> = Vec::new();
    let mut doubtful = false;
    for hit in &choice.names {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut old: Vec<usize> = Vec::new();
        for target in &hit.targets {
            match *target {
                Target::Open(index, part)
                    if items.contains(&index) && due_then(reply, choice, reply.open[index].at) =>
                {
                    found.push((index, part));
                }
                Target::Recent(index, _) => old.push(index),
                _ => {}
            }
        }
        let prompts = prompts(
            reply,
            &found.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        );
        // The same name in two reminders, or a name only begun: which one is not known.
        doubtful |= prompts.len() > 1 && choice.numbers.is_empty() || hit.doubtful;
        if found.is_empty() {
            if old.is_empty() {
                return if hit.doubtful {
                    Chosen::Doubtful(Vec::new())
                } else {
                    Chosen::Nothing
                };
            }
            recent.extend(old);
        } else {
            open.extend(found);
        }
    }
    let mut chosen: Vec<usize> = open.iter().map(|(index, _)| *index).collect();
    chosen.sort_unstable();
    chosen.dedup();
    if !recent.is_empty() {
        return if open.is_empty() && !doubtful && choice.numbers.is_empty() {
            let fits = |index: &usize| {
                answer != DoseAnswer::Taken
                    || !matches!(
                        taken_at(&when, Some(reply.recent[*index].at), reply),
                        At::Impossible
                    )
            };
            recent.retain(fits);
            if answer == DoseAnswer::Later {
                Chosen::Nothing
            } else {
                correctable(reply, &recent, answer)
            }
        } else {
            Chosen::Doubtful(chosen)
        };
    }
    if doubtful && choice.all.is_some() && choice.names.iter().all(|hit| !hit.doubtful) {
        doubtful = false;
    }
    if doubtful {
        // A time may still tell which of two doses of one medicine.
        if let (true, DoseAnswer::Taken, Some(_)) = (
            choice.names.len() == 1 && !choice.names[0].doubtful,
            answer,
            when.clock,
        ) {
            let fitting: Vec<usize> = chosen
                .iter()
                .copied()
                .filter(|item| {
                    !matches!(
                        taken_at(&when, Some(reply.open[*item].at), reply),
                        At::Impossible
                    )
                })
                .collect();
            if let [one] = fitting[..] {
                return Chosen::Open(vec![one]);
            }
        }
        return Chosen::Doubtful(chosen);
    }
    // A reference that stands for two medicines is only covered if both are named.
    let covered = chosen.iter().all(|item| {
        let parts = part_count(&reply.open[*item].name);
        (0..parts).all(|part: usize| open.contains(&(*item, part)))
    });
    let numbered = choice.numbers.iter().all(|number| {
        chosen
            .iter()
            .any(|item| reply.open[*item].number == *number)
    });
    if !covered || !numbered {
        return Chosen::Doubtful(chosen);
    }
    if !choice.numbers.is_empty() {
        chosen.retain(|item| choice.numbers.contains(&reply.open[*item].number));
    }
    Chosen::Open(chosen)
}

fn due_then(reply: &Reply<'_>, choice: &Choice, due: Timestamp) -> bool {
    let local = due.to_zoned(reply.now.time_zone().clone());
    choice.clock.is_none_or(|clock| {
        choice
            .part
            .map_or(clock, |(part, _)| clock.in_part(part))
            .shows(&local)
    }) && choice
        .part
        .is_none_or(|(part, day)| due_in_part(part, day, due, reply.now))
}

fn choose_by_time(
    reply: &Reply<'_>,
    choice: &Choice,
    prompts: &[Vec<usize>],
    answer: DoseAnswer,
) -> Chosen {
    let then: Vec<&Vec<usize>> = prompts
        .iter()
        .filter(|prompt| {
            prompt
                .iter()
                .all(|item| due_then(reply, choice, reply.open[*item].at))
        })
        .collect();
    match then[..] {
        [prompt] => {
            // 8点的 may be those of the morning and of the evening.
            let date = |due: Timestamp| due.to_zoned(reply.now.time_zone().clone()).date();
            let today = date(reply.open[prompt[0]].at);
            let other = reply.recent.iter().any(|dose| {
                dose.state != DoseState::Taken
                    && date(dose.at) == today
                    && due_then(reply, choice, dose.at)
            });
            if other {
                Chosen::Doubtful(prompt.clone())
            } else {
                Chosen::Open(prompt.clone())
            }
        }
        [] => {
            let recent: Vec<usize> = (0..reply.recent.len())
                .filter(|index| due_then(reply, choice, reply.recent[*index].at))
                .collect();
            if recent.is_empty() || answer == DoseAnswer::Later {
                if prompts.len() > 1 {
                    Chosen::Doubtful(Vec::new())
                } else {
                    Chosen::Nothing
                }
            } else {
                correctable(reply, &recent, answer)
            }
        }
        _ => {
            let count_then = then.len();
            let items = then.into_iter().flatten().copied().collect();
            match choice.all {
                Some(count) if count.is_none_or(|count| count as usize == count_then) => {
                    Chosen::Open(items)
                }
                _ => Chosen::Doubtful(items),
            }
        }
    }
}
