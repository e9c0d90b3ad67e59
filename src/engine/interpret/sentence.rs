//! Reads the words of a reply in their order: which acts it reports, without yet knowing of which
//! dose.

use super::DoseAnswer;
use super::clause::{
    answered, comment, denied_meal, eaten, is_comment, is_patient, names_dose, object,
};
use super::lexicon::{Kind, Manner};
use super::name::{Hit, Target};
use super::said::{Act, Choice, Sentence, When};
use super::token::{Gap, Sense, Token};

/// What was said since the last act.
#[derive(Clone, Debug, Default)]
struct Pending {
    not: bool,
    not_yet: bool,
    no: bool,
    refuse: bool,
    skip: bool,
    plan: bool,
    aux: bool,
    now: bool,
    forgot: bool,
    past: bool,
    past_maybe: bool,
    did: bool,
    medicine: bool,
    thanks: bool,
    meal_time: bool,
    all_after_not: bool,
    minutes: Option<u32>,
    when: When,
    choice: Choice,
}

impl Pending {
    /// Whether something was said that is an answer without a verb.
    fn has_head(&self) -> bool {
        self.not
            || self.not_yet
            || self.no
            || self.refuse
            || self.skip
            || self.plan
            || self.now
            || self.forgot
            || self.minutes.is_some()
    }

    /// What stands for itself is an act; what only tells which or when waits for one.
    fn act(&mut self, unclear: &mut bool) -> Option<Act> {
        if !self.has_head() {
            return None;
        }
        let said = std::mem::take(self);
        // 还没起床 is no answer.
        *unclear |= said.not && said.meal_time;
        let answer = if said.skip {
            DoseAnswer::Skipped
        } else if said.forgot || said.not_yet || said.no {
            if said.plan || said.minutes.is_some() {
                DoseAnswer::Later
            } else {
                DoseAnswer::NotTaken
            }
        } else if said.plan || said.minutes.is_some() {
            // "busy, not ..." and "won't" say more than is understood.
            *unclear |= said.refuse;
            DoseAnswer::Later
        } else if said.not {
            *unclear |= said.medicine;
            DoseAnswer::NotTaken
        } else {
            // "now" alone is about to be; what is refused without a verb may be anything.
            *unclear |= said.refuse;
            DoseAnswer::Later
        };
        *unclear |= said.did;
        let minutes = said.minutes;
        Some(Act {
            answer,
            choice: said.choice,
            when: said.when,
            minutes,
            manner: Manner::Any,
            forgot: said.forgot && !said.not && said.when == When::default(),
            just: false,
        })
    }
}

/// Reads the tokens of a reply.
#[allow(
    clippy::too_many_lines,
    reason = "one arm a word, to be read as a table"
)]
pub(super) fn sentence(tokens: &[Token]) -> Sentence {
    let mut found = Sentence::default();
    let mut said = Pending::default();
    let meaningful: Vec<&Token> = tokens
        .iter()
        .filter(|token| {
            !matches!(
                token.sense,
                Sense::Word(Kind::Filler | Kind::Thanks | Kind::De)
            )
        })
        .collect();
    if let [
        Token {
            sense: Sense::Number(digit),
            ..
        },
    ] = meaningful[..]
    {
        found.digit = Some(*digit);
    }
    let mut index = 0;
    // The token behind the last verb, for questions that end with a negation.
    let mut after_verb = usize::MAX;
    // How many acts there were when this clause began.
    let mut acts_before = 0;
    while index < tokens.len() {
        let token = &tokens[index];
        if token.gap == Gap::Mark {
            if found.acts.len() > acts_before {
                // "took it now, ...", "took warfarin, ...": of the clause that ends here.
                said.now = false;
                if let Some(act) = found.acts.last_mut()
                    && !said.has_head()
                {
                    merge(&mut act.choice, std::mem::take(&mut said.choice));
                }
            }
            acts_before = found.acts.len();
        }
        if token.gap == Gap::Mark
            && let Some(act) = said.act(&mut found.unclear)
        {
            found.acts.push(act);
        }
        // "3 肌肉痛": the digit and why.
        let reasoned = index == 0
            && matches!(token.sense, Sense::Number(3))
            && tokens
                .get(1)
                .is_some_and(|next| next.gap == Gap::Blank && next.sense == Sense::Unknown);
        if (token.gap == Gap::Mark || index == 0)
            && !reasoned
            && let Some(end) = comment(tokens, index)
        {
            remark(&mut found, index, end);
            found.burdened = true;
            index = end;
            continue;
        }
        let next = tokens.get(index + 1).map(|token| &token.sense);
        match &token.sense {
            Sense::Word(kind) => match kind {
                Kind::Verb(manner) if eaten(tokens, index).is_none() => {
                    index = verb(tokens, index, *manner, &mut said, &mut found);
                    after_verb = index;
                    continue;
                }
                Kind::Taken(manner) => taken(*manner, &mut said, &mut found),
                Kind::Aspect => {
                    // 过半小时: in half an hour.
                    said.plan |= matches!(next, Some(Sense::Minutes(_)));
                }
                Kind::Did if !said.not && object(tokens, index, false) => {
                    taken(Manner::Any, &mut said, &mut found);
                }
                Kind::Did => said.did = true,
                Kind::Had if object(tokens, index, true) => {
                    taken(Manner::Any, &mut said, &mut found);
                }
                Kind::From(day, part) => said.choice.part = Some((*part, *day)),
                Kind::Give
                    if tokens
                        .get(index + 1)
                        .is_some_and(|next| is_patient(&next.sense)) =>
                {
                    found.third = true;
                }
                Kind::Give => found.unclear = true,
                Kind::Gave => {
                    found.third = true;
                    found.gave = true;
                    taken(Manner::Any, &mut said, &mut found);
                }
                Kind::Softly => found.softly = true,
                Kind::Twice => found.two = true,
                Kind::People(count) => said.choice.people = Some(*count),
                Kind::Front(count) => said.choice.front = Some(*count),
                Kind::Back(count) => said.choice.back = Some(*count),
                Kind::Past => said.past = true,
                Kind::PastMaybe => {
                    // 吃了就: what follows from it.
                    found.unclear |= after_verb == index && token.gap == Gap::None && !token.latin;
                    said.past_maybe = true;
                }
                Kind::Not => {
                    if after_verb == index && index + 1 == tokens.len() {
                        found.unclear = true;
                    }
                    // "didn't not take it".
                    found.unclear |= said.not;
                    said.not = true;
                }
                Kind::NotYet => {
                    // "haven't taken it yet".
                    let told = found
                        .acts
                        .last()
                        .is_some_and(|act| act.answer == DoseAnswer::NotTaken);
                    said.not_yet |= !told || said.has_head();
                }
                Kind::No => {
                    if after_verb == index && token.gap != Gap::Mark {
                        found.unclear = true;
                    }
                    said.no = true;
                }
                Kind::Forgot => {
                    // "haven't forgotten", but 没有 忘了.
                    found.unclear |=
                        (said.not || said.refuse) && (token.latin || token.gap == Gap::None);
                    said.forgot = true;
                }
                Kind::Refuse => said.refuse = true,
                Kind::Skip => {
                    let with_other = said.not || said.did || said.forgot;
                    found.unclear |= with_other;
                    said.skip = true;
                    said.plan = false;
                }
                Kind::Plan => {
                    said.plan = true;
                    // "later 30": minutes.
                    if let (Some(Sense::Number(number)), true) = (next, index + 2 == tokens.len())
                        && (5..=240).contains(number)
                    {
                        said.minutes = Some(*number);
                        index += 1;
                    }
                }
                Kind::Aux => said.aux = true,
                Kind::Remind => said.plan |= !said.thanks,
                Kind::Thanks => said.thanks = true,
                Kind::Slip => {
                    let before = |act: &Act| act.answer == DoseAnswer::Taken;
                    found.unclear |= found.acts.iter().any(before);
                    found.slip_of |= !tokens[..index].iter().all(|token| {
                        matches!(
                            token.sense,
                            Sense::Word(Kind::Filler | Kind::Thanks | Kind::Yes | Kind::Past)
                        )
                    });
                    found.slip = true;
                    said.past = false;
                }
                Kind::Unforgotten => {
                    let denied = found
                        .acts
                        .last()
                        .is_some_and(|act| act.answer == DoseAnswer::NotTaken);
                    found.unclear |= denied || said.no || said.not;
                }
                Kind::Now => said.now = true,
                Kind::After => {
                    found.unclear |= !said.has_head() && !matches!(next, Some(Sense::Minutes(_)));
                }
                Kind::Ago => found.unclear = true,
                Kind::In => {
                    // "16 units in".
                    let inside = next.is_none()
                        && index
                            .checked_sub(1)
                            .is_some_and(|before| tokens[before].sense == Sense::Units);
                    if !inside {
                        found.unclear |= !matches!(next, Some(Sense::Minutes(_)));
                        said.plan = true;
                    }
                }
                Kind::At => {
                    let timed =
                        |sense: &Sense| matches!(sense, Sense::Clock(_) | Sense::Minutes(_));
                    let before = index.checked_sub(1).is_some_and(|before| {
                        timed(&tokens[before].sense)
                            || matches!(tokens[before].sense, Sense::Word(Kind::At | Kind::After))
                    });
                    found.unclear |= !before
                        && !next.is_some_and(timed)
                        && !matches!(next, Some(Sense::Word(Kind::At)));
                }
                Kind::NotAny => {
                    said.not = true;
                    said.choice.all = Some(None);
                }
                Kind::AnyOf => match found.acts.last_mut() {
                    Some(act) if act.answer == DoseAnswer::NotTaken && act.choice.is_empty() => {
                        act.choice.all = Some(None);
                    }
                    _ => found.unclear = true,
                },
                Kind::All => {
                    said.all_after_not |= said.not || said.refuse;
                    said.choice.all.get_or_insert(None);
                }
                // "gave it to both".
                Kind::Both(count) if found.gave => said.choice.people = Some(*count),
                Kind::Both(count) => {
                    said.all_after_not |= said.not || said.refuse;
                    said.choice.all = Some(Some(*count));
                    // 吃了两个 may be two tablets.
                    said.choice.counted |= !token.latin && !found.acts.is_empty();
                }
                Kind::Last => said.choice.last = true,
                Kind::Only => said.choice.only = true,
                Kind::Part(part) => {
                    if names_dose(tokens, index, found.acts.is_empty()) {
                        said.choice.part = Some((*part, said.when.day.take().unwrap_or(0)));
                    } else {
                        found.unclear |= said.when.part.is_some();
                        said.when.part = Some(*part);
                    }
                }
                Kind::Day(day, part) => {
                    if let (Some(part), true) =
                        (part, names_dose(tokens, index, found.acts.is_empty()))
                    {
                        said.choice.part = Some((*part, *day));
                    } else {
                        found.unclear |= said.when.day.is_some();
                        said.when.day = Some(*day);
                        said.when.part = part.or(said.when.part);
                    }
                }
                Kind::MealTime => said.meal_time = true,
                Kind::Medicine => said.medicine = true,
                Kind::Form(manner) => {
                    said.medicine = true;
                    found.forms.push(*manner);
                }
                Kind::Verb(_) | Kind::Meal | Kind::Ate => match eaten(tokens, index) {
                    // What was eaten is told beside what was taken.
                    // 还没吃饭, ...: the denial is of the meal.
                    Some(end)
                        if denied_meal(tokens, index, end)
                            || !said.has_head() && !said.medicine && said.choice.is_empty() =>
                    {
                        said.not = false;
                        // When it was may be said of both.
                        said.past = false;
                        said.past_maybe = false;
                        found.eaten = true;
                        index = end;
                        continue;
                    }
                    _ => found.unclear = true,
                },
                Kind::Question => {
                    found.question = true;
                    found.unclear = true;
                }
                Kind::Unclear => found.unclear = true,
                Kind::Because if matches!(next, Some(Sense::Word(Kind::Symptom))) => {}
                Kind::Because => {
                    // What follows is the reason.
                    found.remark = Some((index, tokens.len()));
                    found.burdened = true;
                    break;
                }
                Kind::Third => {
                    // 小明爸爸 is somebody else than 小明.
                    found.unclear |= token.gap != Gap::Mark
                        && index
                            .checked_sub(1)
                            .is_some_and(|before| is_patient(&tokens[before].sense));
                    found.third = true;
                }
                Kind::Symptom => {
                    // "no pain" is no answer.
                    found.unclear |= token.gap != Gap::Mark
                        && index.checked_sub(1).is_some_and(|before| {
                            matches!(
                                tokens[before].sense,
                                Sense::Word(Kind::Not | Kind::No | Kind::Refuse)
                            )
                        });
                    found.symptom = true;
                    let after_three = index == 1 && matches!(tokens[0].sense, Sense::Number(3));
                    let attached = token.gap == Gap::None && index > 0 && !after_three;
                    if !attached {
                        remark(&mut found, index, index + 1);
                    }
                    found.burdened |= attached;
                }
                // "lisinopril yes furosemide no".
                Kind::Yes => {
                    let choice = &said.choice;
                    found.unclear |= !choice.names.is_empty() || !choice.numbers.is_empty();
                }
                Kind::One | Kind::De | Kind::Finish | Kind::And | Kind::Filler | Kind::Had => {}
            },
            Sense::Name(hit) => {
                found.unclear |= answered(tokens, index) && !said.choice.is_empty();
                found.unclear |= hit.doubtful && is_patient(&token.sense);
                choose_name(hit, &mut said.choice);
            }
            Sense::Number(number) | Sense::Ordinal(number) => {
                found.unclear |= answered(tokens, index) && !said.choice.is_empty();
                let more_minutes = found.digit.is_none()
                    && said.choice.numbers == [2]
                    && index + 1 == tokens.len()
                    && token.gap != Gap::None
                    && *number >= 5
                    && matches!(token.sense, Sense::Number(_));
                if more_minutes {
                    // "2 30": later, in 30 minutes.
                    said.choice.numbers.clear();
                    said.minutes = Some(*number);
                    said.plan = true;
                    found.two_later = true;
                } else {
                    let behind = !found.acts.is_empty() && matches!(token.sense, Sense::Number(_));
                    if behind && token.gap != Gap::Mark && matches!(next, Some(Sense::Name(_))) {
                        // "took 2 ibuprofen".
                        found.one = *number == 1;
                        found.two = *number == 2;
                        found.unclear |= *number > 2;
                    } else {
                        said.choice.numbers.push(*number);
                        said.choice.counted |= behind;
                    }
                }
            }
            Sense::Amount(1000) => found.one = true,
            Sense::Amount(2000) => found.two = true,
            Sense::Amount(_) => found.unclear = true,
            Sense::Units => found.units = true,
            // 饭后半小时: when, by a meal.
            Sense::Minutes(_)
                if token.gap == Gap::None
                    && index.checked_sub(1).is_some_and(|before| {
                        tokens[before].sense == Sense::Word(Kind::MealTime)
                    })
                    && !matches!(next, Some(Sense::Word(Kind::Ago))) => {}
            Sense::Minutes(minutes) => {
                if matches!(next, Some(Sense::Word(Kind::Ago))) {
                    said.when.ago = Some(*minutes);
                    index += 1;
                } else if matches!(next, Some(Sense::Word(Kind::PastMaybe)))
                    && said.minutes.is_none()
                    && !said.plan
                {
                    found.unclear = true;
                } else {
                    found.unclear |= said.minutes.is_some();
                    said.minutes = Some(*minutes);
                    // "2 半小时": later, in half an hour.
                    if said.choice.numbers == [2]
                        && index > 0
                        && matches!(tokens[index - 1].sense, Sense::Number(2))
                    {
                        said.choice.numbers.clear();
                        said.plan = true;
                        found.two_later = true;
                    }
                }
            }
            Sense::Clock(clock) => {
                // "7 pm gabapentin".
                let of_name = token.latin
                    && found.acts.is_empty()
                    && matches!(next, Some(Sense::Name(hit)) if !is_patient(&Sense::Name(hit.clone())))
                    && !matches!(
                        index.checked_sub(1).map(|before| &tokens[before].sense),
                        Some(Sense::Word(Kind::At))
                    );
                if of_name || names_dose(tokens, index, found.acts.is_empty()) {
                    said.choice.clock = Some(*clock);
                    // 早上8点的.
                    if let Some(part) = said.when.part.take() {
                        let day = said.when.day.take().unwrap_or(0);
                        said.choice.part = Some((part, day));
                    }
                } else {
                    found.unclear |= said.when.clock.is_some();
                    said.when.clock = Some(*clock);
                }
            }
            Sense::Unknown => {
                let end = tokens[index..]
                    .iter()
                    .position(|token| token.gap == Gap::Mark && token.from > tokens[index].from)
                    .map_or(tokens.len(), |length| index + length);
                let apart = token.gap == Gap::Mark
                    || index == 0
                    || index == 1
                        && matches!(tokens[0].sense, Sense::Number(3))
                        && token.gap == Gap::Blank
                    || token.gap == Gap::Blank
                        && !tokens[index - 1].latin
                        && said.choice.is_empty();
                let alone = tokens[index..end]
                    .iter()
                    .all(|token| is_comment(&token.sense));
                if apart && alone {
                    remark(&mut found, index, end);
                    found.burdened = true;
                    index = end;
                    continue;
                }
                found.unclear = true;
            }
        }
        index += 1;
    }
    finish(said, &mut found);
    // Of a meal alone nothing follows, and "done" may be about the meal.
    // 打错了 of a syringe is no slip of the pen.
    found.unclear |= found.slip
        && found.acts.iter().any(|act| {
            act.answer == DoseAnswer::Taken && (found.slip_of || act.manner == Manner::Needle)
        });
    let told = |act: &Act| matches!(act.answer, DoseAnswer::Taken | DoseAnswer::NotTaken);
    found.unclear |=
        found.eaten && found.acts.iter().any(told) && !tokens.iter().any(|token| token.medicine);
    // Places in the text, for whoever wants the words.
    found.remark = found.remark.map(|(from, until)| {
        let place = |index: usize| tokens.get(index).map_or(usize::MAX, |token| token.from);
        (place(from), place(until))
    });
    found
}

/// A verb with what follows it; where to read on.
fn verb(
    tokens: &[Token],
    at: usize,
    manner: Manner,
    said: &mut Pending,
    found: &mut Sentence,
) -> usize {
    let (mut aspect, mut finish, mut de) = (false, false, false);
    let medicine_before = said.medicine;
    let mut index = at + 1;
    while let Some(token) = tokens.get(index) {
        if token.gap == Gap::Mark {
            break;
        }
        let next = tokens.get(index + 1).map(|token| &token.sense);
        match &token.sense {
            Sense::Word(Kind::Aspect) if !matches!(next, Some(Sense::Minutes(_))) => aspect = true,
            Sense::Word(Kind::Finish) => finish = true,
            Sense::Word(Kind::De) => {
                // "吃了的药" is a thing, no deed.
                found.unclear |= matches!(next, Some(Sense::Word(Kind::Medicine))) && aspect;
                de = true;
            }
            Sense::Word(Kind::Medicine | Kind::Filler | Kind::Thanks) => {}
            Sense::Word(Kind::Form(manner)) => found.forms.push(*manner),
            // 8点吃的药.
            Sense::Word(Kind::One) if token.gap == Gap::None && !token.latin => de = true,
            Sense::Word(Kind::Verb(Manner::Any)) if !aspect && !finish && !de => {}
            _ => break,
        }
        index += 1;
    }
    // 药吃完了 may say that none is left.
    if finish && aspect && medicine_before && !said.past && found.acts.is_empty() {
        found.unclear = true;
    }
    if finish && aspect && !said.choice.names.is_empty() && !said.past {
        found.unclear = true;
    }
    // 快吃完了.
    found.unclear |= said.aux && finish && aspect;
    said.plan |= said.aux;
    let timed = said.when != When::default() || said.meal_time;
    // 忘了已经吃了: was it forgotten, or that it was taken?
    found.unclear |= said.forgot && (said.past || said.now || said.past_maybe);
    let answer = if said.refuse {
        if said.not || said.past || said.did {
            found.unclear = true;
        }
        Some(DoseAnswer::Skipped)
    } else if said.skip {
        Some(DoseAnswer::Skipped)
    } else if said.not || said.not_yet || said.no {
        found.unclear |= said.no && !said.not;
        Some(DoseAnswer::NotTaken)
    } else if said.forgot {
        Some(DoseAnswer::NotTaken)
    } else if said.plan || said.minutes.is_some() {
        Some(DoseAnswer::Later)
    } else if said.now {
        found.unclear |= aspect || finish;
        Some(DoseAnswer::Later)
    } else if aspect || said.past || said.did || de && (timed || said.past_maybe) {
        Some(DoseAnswer::Taken)
    } else if timed && !de && !finish {
        Some(DoseAnswer::Later)
    } else {
        None
    };
    match answer {
        Some(answer) => push(answer, manner, said, found),
        None => found.unclear = true,
    }
    index
}

/// "Taken" as a whole, or what stands in front of it turned round.
fn taken(manner: Manner, said: &mut Pending, found: &mut Sentence) {
    found.unclear |= said.forgot || said.skip || said.no && !said.not || said.now && !said.past;
    said.plan |= said.aux;
    let answer = if said.refuse {
        found.unclear = true;
        DoseAnswer::Skipped
    } else if said.not || said.not_yet {
        DoseAnswer::NotTaken
    } else if said.plan || said.minutes.is_some() {
        found.unclear |= !said.plan;
        DoseAnswer::Later
    } else {
        DoseAnswer::Taken
    };
    push(answer, manner, said, found);
}

fn push(answer: DoseAnswer, manner: Manner, said: &mut Pending, found: &mut Sentence) {
    let mut said = std::mem::take(said);
    // What stands before the next verb belongs to that.
    said.choice.counted = false;
    found.unclear |= said.all_after_not;
    found.acts.push(Act {
        answer,
        just: said.past || said.now,
        choice: said.choice,
        when: said.when,
        minutes: said.minutes,
        manner,
        forgot: said.forgot,
    });
}

/// What was said behind the last act belongs to it.
fn finish(mut said: Pending, found: &mut Sentence) {
    if !found.acts.is_empty() {
        // "taking it now".
        said.now = false;
    }
    if let Some(last) = found.acts.last_mut()
        && last.answer == DoseAnswer::Later
        && last.minutes.is_none()
        && (said.plan || said.minutes.is_some())
        && !(said.not || said.not_yet || said.no || said.refuse || said.skip || said.forgot)
    {
        // "will take it soon", "会吃，半小时后".
        last.minutes = said.minutes;
        said.plan = false;
        said.minutes = None;
    }
    if said.has_head() && !said.did {
        // "took it, not yet ..." and the like are two acts.
        if let Some(act) = said.act(&mut found.unclear) {
            found.acts.push(act);
        }
        return;
    }
    let leftover = std::mem::take(&mut said.choice);
    if said.did {
        found.unclear = true;
    }
    let Some(act) = found.acts.last_mut() else {
        if said.meal_time && !said.past && leftover.is_empty() {
            found.acts.push(Act {
                answer: DoseAnswer::Later,
                choice: leftover,
                when: When::default(),
                minutes: None,
                manner: Manner::Any,
                forgot: false,
                just: false,
            });
            return;
        }
        found.rest_when = said.when;
        found.rest = leftover;
        return;
    };
    if said.when != When::default() {
        found.unclear |=
            act.when.clock.is_some() || act.when.day.is_some() && said.when.day.is_some();
        act.when = When {
            clock: said.when.clock.or(act.when.clock),
            part: said.when.part.or(act.when.part),
            day: said.when.day.or(act.when.day),
            ago: said.when.ago.or(act.when.ago),
        };
    }
    merge(&mut act.choice, leftover);
}

fn merge(choice: &mut Choice, leftover: Choice) {
    choice.names.extend(leftover.names);
    choice.numbers.extend(leftover.numbers);
    choice.all = choice.all.or(leftover.all);
    choice.last |= leftover.last;
    choice.only |= leftover.only;
    choice.counted |= leftover.counted;
    choice.clock = choice.clock.or(leftover.clock);
    choice.part = choice.part.or(leftover.part);
    choice.people = choice.people.or(leftover.people);
    choice.front = choice.front.or(leftover.front);
    choice.back = choice.back.or(leftover.back);
    if choice.patients.is_empty() {
        choice.patients = leftover.patients;
    }
}

fn remark(found: &mut Sentence, from: usize, until: usize) {
    let (first, last) = found.remark.unwrap_or((from, until));
    found.remark = Some((first.min(from), last.max(until)));
}

fn choose_name(hit: &Hit, choice: &mut Choice) {
    let patients: Vec<usize> = hit
        .targets
        .iter()
        .filter_map(|target| match target {
            Target::Patient(index) => Some(*index),
            _ => None,
        })
        .collect();
    if patients.is_empty() {
        choice.names.push(hit.clone());
    } else {
        choice.patients.extend(patients);
    }
}
