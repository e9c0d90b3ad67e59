//! Which doses an answer is about: by number, name, patient or time, or the only one it can mean.

use super::clock::due_in_part;
use super::name::{Target, part_count};
use super::said::{Choice, When};
use super::taken_at::{At, taken_at};
use super::{DoseAnswer, ItemKind, Reply};
use crate::engine::DoseState;
use jiff::{SignedDuration, Timestamp};

/// What a choice comes to.
pub(super) enum Chosen {
    /// These open items.
    Open(Vec<usize>),
    /// These recent doses.
    Recent(Vec<usize>),
    /// One of these open items; if none is given, of all.
    Doubtful(Vec<usize>),
    /// None that we know.
    Nothing,
}

/// When all of these were taken; `None` if it does not fit one of them.
pub(super) fn at_of(reply: &Reply<'_>, when: &When, items: &[usize]) -> Option<Option<Timestamp>> {
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

/// The open doses, of the patients that were named.
pub(super) fn doses_of(reply: &Reply<'_>, choice: &Choice) -> Vec<usize> {
    (0..reply.open.len())
        .filter(|index| reply.open[*index].kind == ItemKind::Dose)
        .filter(|index| is_of_named(reply, choice, reply.open[*index].patient.as_deref()))
        .collect()
}

/// Whether this patient was named, or none.
fn is_of_named(reply: &Reply<'_>, choice: &Choice, patient: Option<&str>) -> bool {
    let mut named = choice
        .patients
        .iter()
        .map(|index| reply.open[*index].patient.as_deref());
    choice.patients.is_empty() || named.any(|named| named == patient)
}

/// The recent doses of the patients that were named.
fn recent_of(reply: &Reply<'_>, choice: &Choice) -> Vec<usize> {
    (0..reply.recent.len())
        .filter(|index| is_of_named(reply, choice, reply.recent[*index].patient.as_deref()))
        .collect()
}

/// Items by prompt: those that share their number.
pub(super) fn prompts(reply: &Reply<'_>, items: &[usize]) -> Vec<Vec<usize>> {
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
pub(super) fn choose(reply: &Reply<'_>, choice: &Choice, answer: DoseAnswer, when: When) -> Chosen {
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
                let open = about_open.then(|| reply.open[prompt[0]].at);
                let closest = closest_recent(reply, choice, &when, open);
                if let Some(doses) = closest {
                    return doses;
                }
            }
            if !prompt
                .iter()
                .all(|item| told_of(reply, answer, &when, reply.open[*item].at))
            {
                // 早上没吃 in the evening is about the dose of the morning.
                let then: Vec<usize> = recent_of(reply, choice)
                    .into_iter()
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
fn closest_recent(
    reply: &Reply<'_>,
    choice: &Choice,
    when: &When,
    open: Option<Timestamp>,
) -> Option<Chosen> {
    let exact = when.clock.is_some() || when.ago.is_some();
    let distance = |due: Timestamp| match taken_at(when, Some(due), reply) {
        At::Said(at) => Some(at.duration_since(due).abs()),
        At::Unsaid if !exact => Some(SignedDuration::ZERO),
        _ => None,
    };
    let of_open = open.and_then(distance);
    if let (false, Some(part)) = (exact, when.part) {
        let in_part = |due: Timestamp| due_in_part(part, when.day.unwrap_or(0), due, reply.now);
        let then: Vec<usize> = recent_of(reply, choice)
            .into_iter()
            .filter(|index| in_part(reply.recent[*index].at))
            .collect();
        if !then.is_empty() && !open.is_some_and(in_part) {
            return Some(correctable(reply, &then, DoseAnswer::Taken));
        }
    }
    if !exact && of_open.is_some() {
        return None;
    }
    let near: Vec<usize> = recent_of(reply, choice)
        .into_iter()
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

/// The doses, if all were due at one instant for one patient: one reminder.
fn one_instant(reply: &Reply<'_>, doses: &[usize]) -> Option<Vec<usize>> {
    let first = &reply.recent[*doses.first()?];
    doses
        .iter()
        .map(|dose| &reply.recent[*dose])
        .all(|dose| dose.at == first.at && dose.patient == first.patient)
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
    if when == When::default() {
        // Said once more, or by a second person: where the last one is as they say, an older one is
        // not what they mean.
        let patient = |index: usize| reply.recent[index].patient.as_deref();
        let is_last = |index: &usize| {
            let later = |other: &usize| {
                patient(*other) == patient(*index)
                    && reply.recent[*other].at > reply.recent[*index].at
            };
            !all.iter().any(later)
        };
        let last: Vec<usize> = all.iter().copied().filter(is_last).collect();
        // Missed is what nobody spoke of: not taken may be said of another.
        let said = match answer {
            DoseAnswer::Taken => DoseState::Taken,
            _ => DoseState::Skipped,
        };
        let is_so = |index: &usize| reply.recent[*index].state == said;
        if last.iter().all(is_so) {
            all = last;
        } else if last.iter().any(is_so) && last.iter().any(|it| patient(*it) != patient(last[0])) {
            // So it is of one patient, and not of another.
            return Chosen::Doubtful(Vec::new());
        }
    }
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
                Target::Recent(index, _)
                    if is_of_named(reply, choice, reply.recent[index].patient.as_deref()) =>
                {
                    old.push(index);
                }
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
            let others = recent_of(reply, choice);
            let other = others.into_iter().any(|index| {
                let dose = &reply.recent[index];
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
            let recent: Vec<usize> = recent_of(reply, choice)
                .into_iter()
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
