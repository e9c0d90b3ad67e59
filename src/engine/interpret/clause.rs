//! What stands around a word and changes what it says.

use super::lexicon::{Kind, Manner};
use super::name::Target;
use super::token::{Gap, Sense, Token};

/// Where a clause ends that begins here and says nothing that we know.
pub(super) fn comment(tokens: &[Token], at: usize) -> Option<usize> {
    let length = tokens[at + 1..]
        .iter()
        .position(|token| token.gap == Gap::Mark);
    let end = length.map_or(tokens.len(), |length| at + 1 + length);
    let clause = &tokens[at..end];
    let unknown = clause.iter().any(|token| token.sense == Sense::Unknown);
    (unknown && clause.iter().all(|token| is_comment(&token.sense))).then_some(end)
}

/// Whether words that belong to a remark leave what is said beside it as it is.
pub(super) fn is_comment(sense: &Sense) -> bool {
    match sense {
        Sense::Unknown
        | Sense::Number(_)
        | Sense::Amount(_)
        | Sense::Units
        | Sense::Minutes(_)
        | Sense::Clock(_) => true,
        Sense::Ordinal(_) | Sense::Name(_) => false,
        Sense::Word(kind) => !matches!(
            kind,
            Kind::Verb(_)
                | Kind::Taken(_)
                | Kind::Did
                | Kind::Forgot
                | Kind::Skip
                | Kind::Question
                | Kind::Medicine
                | Kind::Form(_)
                | Kind::NotAny
                | Kind::NotYet
                | Kind::Refuse
        ),
    }
}

/// Where the telling of a meal ends that begins here: 吃了饭, 早饭吃过了.
pub(super) fn eaten(tokens: &[Token], at: usize) -> Option<usize> {
    let kind = |index: usize| match tokens.get(index) {
        Some(Token {
            sense: Sense::Word(kind),
            gap,
            ..
        }) if index == at || *gap != Gap::Mark => Some(*kind),
        _ => None,
    };
    let many = |from: usize, is: fn(Kind) -> bool| {
        (from..tokens.len())
            .take_while(|index| kind(*index).is_some_and(is))
            .count()
    };
    let kind_at = |index: usize| match tokens.get(index).map(|token| &token.sense) {
        Some(Sense::Word(kind)) => Some(*kind),
        _ => None,
    };
    let aspect = |kind: Kind| matches!(kind, Kind::Aspect | Kind::Finish);
    let end = match kind(at)? {
        Kind::Ate => at + 1,
        Kind::Verb(Manner::Any) => {
            let meal = at + 1 + many(at + 1, aspect);
            let before = |is: fn(Kind) -> bool| at.checked_sub(1).and_then(kind_at).is_some_and(is);
            // 先喝粥, 没吃早饭.
            let told = meal > at + 1
                || many(meal + 1, aspect) > 0
                || before(|kind| matches!(kind, Kind::PastMaybe | Kind::Not));
            (told && kind(meal) == Some(Kind::Meal)).then_some(meal + 1)?
        }
        Kind::Meal => {
            let verb = at
                + 1
                + many(at + 1, |kind| {
                    matches!(
                        kind,
                        Kind::Past | Kind::PastMaybe | Kind::Filler | Kind::Not
                    )
                });
            if kind(verb) == Some(Kind::Verb(Manner::Any)) {
                let denied = kind(verb - 1) == Some(Kind::Not) && ends_clause(tokens, verb + 1);
                (many(verb + 1, aspect) > 0 && kind(verb - 1) != Some(Kind::Not) || denied)
                    .then_some(verb + 1)?
            } else {
                // 没吃早饭 with 吃早饭 in one word.
                (at.checked_sub(1).and_then(kind_at) == Some(Kind::Not)
                    && ends_clause(tokens, at + 1))
                .then_some(at + 1)?
            }
        }
        _ => return None,
    };
    let end = end + many(end, aspect);
    // 早饭的, 吃了饭的: what is spoken of is something else.
    (!matches!(kind(end), Some(Kind::De | Kind::One))).then_some(end)
}

fn ends_clause(tokens: &[Token], end: usize) -> bool {
    tokens.get(end).is_none_or(|next| next.gap == Gap::Mark)
}

/// 还没吃饭 and the end of the clause: the meal from `at` to `end` is denied, and nothing else.
pub(super) fn denied_meal(tokens: &[Token], at: usize, end: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| {
        tokens[before].sense == Sense::Word(Kind::Not)
            && tokens[at].gap != Gap::Mark
            && (before == 0 || tokens[before].gap == Gap::Mark)
    }) && ends_clause(tokens, end)
}

/// Whether an answer without a verb stands directly before: in 甲忘了乙吃了 it is not about 乙.
pub(super) fn answered(tokens: &[Token], index: usize) -> bool {
    tokens[index].gap != Gap::Mark
        && index.checked_sub(1).is_some_and(|before| {
            matches!(
                tokens[before].sense,
                Sense::Word(
                    Kind::Not
                        | Kind::NotYet
                        | Kind::No
                        | Kind::Forgot
                        | Kind::Refuse
                        | Kind::Skip
                        | Kind::Plan
                )
            )
        })
}

/// Whether a medicine follows what may be a verb: "had my metformin", "had hers".
pub(super) fn object(tokens: &[Token], at: usize, whose: bool) -> bool {
    let mut rest = tokens[at + 1..].iter().skip_while(|token| {
        token.gap != Gap::Mark
            && matches!(
                token.sense,
                Sense::Word(Kind::Filler | Kind::Past | Kind::All | Kind::Both(_))
                    | Sense::Number(_)
                    | Sense::Amount(_)
            )
    });
    let Some(first) = rest.next() else {
        return false;
    };
    if first.gap == Gap::Mark {
        return false;
    }
    match first.sense {
        Sense::Name(_) => first.medicine,
        Sense::Word(Kind::Form(_)) => true,
        Sense::Word(Kind::Third) => whose && rest.next().is_none_or(|next| next.gap == Gap::Mark),
        Sense::Word(_) => whose && first.medicine,
        _ => false,
    }
}

pub(super) fn is_patient(sense: &Sense) -> bool {
    matches!(sense, Sense::Name(hit) if hit.targets.iter().any(|target| matches!(target, Target::Patient(_))))
}

/// "8点的吃了", "the morning one", "早上的药": the time tells which, not when.
pub(super) fn names_dose(tokens: &[Token], index: usize, open: bool) -> bool {
    let kind = |index: usize| match tokens.get(index).map(|token| &token.sense) {
        Some(Sense::Word(kind)) => Some(*kind),
        _ => None,
    };
    match kind(index + 1) {
        Some(Kind::One) => true,
        Some(Kind::De) => match tokens.get(index + 2) {
            Some(_) => kind(index + 2) != Some(Kind::Filler),
            None => open,
        },
        // "morning pills", but not "8点 药吃了".
        Some(Kind::Medicine) => {
            tokens[index + 1].gap == Gap::Blank
                && kind(index + 2) != Some(Kind::Verb(Manner::Any))
                && tokens[index + 1].latin
        }
        _ => false,
    }
}
