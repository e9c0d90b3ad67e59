//! What a reply says about doses, and what its acts come to.

use super::DoseAnswer;
use super::clock::Clock;
use super::lexicon::{Manner, Part};
use super::name::Hit;

/// Which of the doses are spoken of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// By name.
    pub(super) names: Vec<Hit>,
    /// By the patient's name: indexes of open items of that patient.
    pub(super) patients: Vec<usize>,
    /// By the number in the list.
    pub(super) numbers: Vec<u32>,
    /// All, and how many that are where it is said.
    pub(super) all: Option<Option<u32>>,
    /// The last in the list.
    pub(super) last: bool,
    /// "8点的": those due at that time.
    pub(super) clock: Option<Clock>,
    /// "早上的": those due in that part of the day.
    pub(super) part: Option<(Part, i8)>,
    /// Only these.
    pub(super) only: bool,
    /// A number behind the verb, which may as well be an amount.
    pub(super) counted: bool,
    /// All of so many people.
    pub(super) people: Option<u32>,
    /// The first so many of the list; 0 for the former of two.
    pub(super) front: Option<u32>,
    /// The last so many of the list; 0 for the latter of two.
    pub(super) back: Option<u32>,
}

impl Choice {
    /// Whether nothing was said of which.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// When something was taken, as it was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct When {
    pub(super) clock: Option<Clock>,
    pub(super) part: Option<Part>,
    pub(super) day: Option<i8>,
    /// So many minutes ago.
    pub(super) ago: Option<u32>,
}

/// One thing said about doses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) answer: DoseAnswer,
    pub(super) choice: Choice,
    pub(super) when: When,
    /// Of later.
    pub(super) minutes: Option<u32>,
    pub(super) manner: Manner,
    /// It was forgotten, which may have been mended since.
    pub(super) forgot: bool,
    /// It was said to have happened just now.
    pub(super) just: bool,
}

/// A whole reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) acts: Vec<Act>,
    /// What was chosen without an act.
    pub(super) rest: Choice,
    /// A time that was said without an act.
    pub(super) rest_when: When,
    /// Something in it is not understood, or makes what is said doubtful.
    pub(super) unclear: bool,
    /// Words that are not understood stand apart from the rest, from this character until that.
    pub(super) remark: Option<(usize, usize)>,
    /// Somebody else is spoken of.
    pub(super) third: bool,
    /// Symptoms are named.
    pub(super) symptom: bool,
    /// Something is asked.
    pub(super) question: bool,
    /// Symptoms stand in the clause of what was done, or words that are not understood beside it.
    pub(super) burdened: bool,
    /// 吧: what was done is in doubt, what is wished is not.
    pub(super) softly: bool,
    /// "One tablet" was said.
    pub(super) one: bool,
    /// It was given to somebody.
    pub(super) gave: bool,
    /// Two of it, or twice.
    pub(super) two: bool,
    /// So many units.
    pub(super) units: bool,
    /// "2 30": the 2 was read as the digit of later.
    pub(super) two_later: bool,
    /// What was written before was a slip.
    pub(super) slip: bool,
    /// More than courtesies stood before that.
    pub(super) slip_of: bool,
    /// A meal was told of.
    pub(super) eaten: bool,
    /// The forms that were named: 针, "inhaler".
    pub(super) forms: Vec<Manner>,
    /// The reply is nothing but this digit.
    pub(super) digit: Option<u32>,
}

/// The one act that counts, of the acts of a reply.
pub(super) enum Said {
    /// Nothing about a dose, or not to be understood.
    Nothing,
    /// Different things of different doses.
    Mixed,
    /// This.
    One(Act),
}

impl Sentence {
    /// What all acts come to.
    pub(super) fn said(&self) -> Said {
        let Some(last) = self.acts.last() else {
            return Said::Nothing;
        };
        if self.acts.len() == 1 {
            return Said::One(last.clone());
        }
        let is = |answer: DoseAnswer| self.acts.iter().all(|act| act.answer == answer);
        if is(last.answer) {
            // The same twice ("done, took it"): what was told once counts.
            let mut told = self.acts.iter().filter(|act| !act.choice.is_empty());
            let mut act = last.clone();
            match (told.next(), told.next()) {
                (Some(first), None) => act.choice = first.choice.clone(),
                (None, _) => {}
                (Some(_), Some(_)) => {
                    let mut choice = Choice::default();
                    for other in &self.acts {
                        let simple = Choice {
                            names: Vec::new(),
                            numbers: Vec::new(),
                            ..other.choice.clone()
                        };
                        if !simple.is_empty() {
                            return Said::Nothing;
                        }
                        choice.names.extend(other.choice.names.clone());
                        choice.numbers.extend(other.choice.numbers.clone());
                    }
                    act.choice = choice;
                }
            }
            for other in &self.acts {
                if other.when != When::default() {
                    act.when = other.when;
                }
                act.minutes = act.minutes.or(other.minutes);
            }
            return Said::One(act);
        }
        let chosen = self.acts.iter().any(|act| !act.choice.is_empty());
        let first = &self.acts[0];
        let two = self.acts.len() == 2;
        match (first.answer, last.answer) {
            // 还没吃，等会儿吃.
            (DoseAnswer::NotTaken | DoseAnswer::Skipped, DoseAnswer::Later) if two => {
                let mut act = last.clone();
                if act.choice.is_empty() {
                    act.choice = first.choice.clone();
                }
                Said::One(act)
            }
            // 等会儿吃，现在没空, 晚点，还没吃.
            (DoseAnswer::Later, DoseAnswer::NotTaken) if two && last.choice.is_empty() => {
                Said::One(first.clone())
            }
            (DoseAnswer::NotTaken, DoseAnswer::Skipped) if two && !chosen => {
                Said::One(last.clone())
            }
            // 忘了，刚补吃了.
            (DoseAnswer::NotTaken, DoseAnswer::Taken)
                if two && !chosen && first.forgot && last.just =>
            {
                Said::One(last.clone())
            }
            (DoseAnswer::Taken, _) | (_, DoseAnswer::Taken) if chosen => Said::Mixed,
            _ => Said::Nothing,
        }
    }
}

impl Act {
    /// What was told without a verb.
    pub(super) fn told(choice: Choice, when: When) -> Self {
        Self {
            choice,
            when,
            ..Self::of_digit(DoseAnswer::Taken)
        }
    }

    /// What a digit says.
    pub(super) fn of_digit(answer: DoseAnswer) -> Self {
        Self {
            answer,
            choice: Choice::default(),
            when: When::default(),
            minutes: None,
            manner: Manner::Any,
            forgot: false,
            just: false,
        }
    }
}
