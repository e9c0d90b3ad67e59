//! Which doses an answer is about.

use super::clock::due_in_part;
use super::form;
use super::lexicon::Manner;
use super::name::{Target, part_count};
use super::sentence::{Act, Choice, Said, Sentence, When};
use super::taken_at::{At, taken_at};
use super::writing::Writing;
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
    if !sentence.acts.is_empty()
        || sentence.unclear
        || sentence.remark.is_some()
        || sentence.symptom
    {
        return None;
    }
    let mut choice = sentence.rest.clone();
    // "一个" is no number of the list.
    if choice.is_empty() || sentence.one {
        return None;
    }
    choice.only = false;
    match choose(reply, &choice, asked, When::default()) {
        Chosen::Open(items) => Some(Interpretation::new(
            reading(asked),
            references(reply, &items),
        )),
        Chosen::Doubtful(items) if doses_of(reply, &Choice::default()).len() > 1 => {
            Some(ask(reply, asked, &items))
        }
        _ => None,
    }
}

fn reading(answer: DoseAnswer) -> Reading {
    match answer {
        DoseAnswer::Taken => Reading::Taken { taken_at: None },
        DoseAnswer::Later => Reading::Later { minutes: None },
        DoseAnswer::Skipped => Reading::Skipped { reason: None },
        DoseAnswer::NotTaken => Reading::NotTaken,
    }
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
    let Said::One(act) = sentence.said() else {
        return None;
    };
    if act.answer != DoseAnswer::Taken
        || act.choice.names.is_empty()
        || sentence.unclear
        || sentence.third
    {
        return None;
    }
    // Why it was taken may stand beside it; other words that are not understood may not.
    if sentence.remark.is_some() && !sentence.symptom {
        return None;
    }
    let simple = Choice {
        names: Vec::new(),
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
        At::Said(at) => Some(at),
        At::Unsaid => None,
        At::Impossible => return None,
    };
    Some(Interpretation::new(
        Reading::AsNeededTaken { taken_at },
        needed_references(reply, &needed),
    ))
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
        Said::Nothing => {
            if !sentence.acts.is_empty() {
                return None;
            }
            digit(reply, sentence, &mut reason)?
        }
    };
    if act.answer == DoseAnswer::Taken
        && (sentence.remark.is_some() || sentence.symptom || sentence.one)
    {
        return None;
    }
    if sentence.one || act.choice.only && act.choice.names.is_empty() {
        return None;
    }
    if sentence.third && !one_patient(reply, &act.choice) {
        return third(reply, &act);
    }
    match choose(reply, &act.choice, act.answer, act.when) {
        Chosen::Open(items) => {
            said_of_open(reply, &act, &items, reason, &sentence.forms, writing)
        }
        Chosen::Recent(doses) => said_of_recent(reply, &act, &doses),
        Chosen::Doubtful(items) => Some(ask(reply, act.answer, &items)),
        Chosen::Nothing => None,
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
    if !choice.patients.is_empty() {
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
        DoseAnswer::Taken => {
            let mut said: Option<Timestamp> = None;
            for item in items {
                match taken_at(&act.when, Some(reply.open[*item].at), reply) {
                    At::Unsaid => {}
                    At::Impossible => return None,
                    At::Said(at) if said.is_none_or(|other| other == at) => said = Some(at),
                    At::Said(_) => return None,
                }
            }
            Reading::Taken { taken_at: said }
        }
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

/// All of them, where what was said of when fits each.
fn all_at(reply: &Reply<'_>, items: Vec<usize>, answer: DoseAnswer, when: When) -> Chosen {
    let fits = |item: &usize| {
        let due = reply.open[*item].at;
        told_of(reply, answer, &when, due)
            && (answer != DoseAnswer::Taken
                || !matches!(taken_at(&when, Some(due), reply), At::Impossible))
    };
    if items.iter().all(fits) {
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
        _ => Chosen::Doubtful(then.into_iter().flatten().copied().collect()),
    }
}
