//! A value with other words beside it.

use super::super::writing::{Writing, squeezed};
use super::super::{OpenItem, Value};
use super::choice::{is_about_dose, yes_or_no};
use super::{Answer, Measure, Piece, measured, pieces, pressure, read};
use crate::plan::AnswerType;

/// The value of the one clause that is one, if the others tell of nothing that could be another,
/// nor of another time or person; or the value with which a clause begins.
pub(super) fn beside_words(
    text: &str,
    item: &OpenItem,
    answer: &AnswerType,
    dose_open: bool,
) -> Option<Value> {
    let folded: String = Writing::of(text).characters().iter().collect();
    let other =
        |part: &str| !part.contains('比') && ELSEWHERE.iter().any(|word| part.contains(word));
    let ends = |c: char| matches!(c, ',' | '。' | ';' | '!' | '?' | '\n');
    let mut clauses: Vec<&str> = folded.split(ends).collect();
    // A point between two clauses, but none within a number.
    clauses = clauses
        .into_iter()
        .flat_map(|clause| clause.split(". "))
        .map(|clause| clause.trim().trim_end_matches('.'))
        .filter(|clause| !squeezed(clause).is_empty())
        .collect();
    if let AnswerType::YesOrNo = answer {
        let (first, rest) = clauses.split_first()?;
        let said = yes_or_no(first, &item.name);
        let plain = !rest.is_empty()
            && !rest.iter().any(|part| {
                other(part)
                    || matches!(yes_or_no(part, &item.name), Answer::Value(_))
                    || is_about_dose(part)
            });
        return match said {
            Answer::Value(value) if plain && !other(first) => Some(value),
            _ => None,
        };
    }
    if matches!(answer, AnswerType::OneOf(_) | AnswerType::Text) {
        return None;
    }
    let mut found = None;
    for clause in &clauses {
        match read(clause, item, answer, dose_open) {
            Answer::Value(value) if found.is_none() && !other(clause) => found = Some(value),
            Answer::Value(_) | Answer::Malformed => return None,
            Answer::None if other(clause) => return None,
            Answer::None => {
                let begun = leading(clause, answer);
                if begun.is_some() {
                    if found.is_some() {
                        return None;
                    }
                    found = begun;
                }
            }
        }
    }
    found
}

/// Words of another time or person, or of no fact.
const ELSEWHERE: &[&str] = &[
    "昨",
    "前天",
    "上次",
    "上周",
    "上个月",
    "以前",
    "之前",
    "如果",
    "要是",
    "假如",
    "标准",
    "应该",
    "目标",
    "老公",
    "老婆",
    "老伴",
    "他",
    "她",
    "妈",
    "爸",
    "yesterday",
    "last ",
    "if ",
    "should",
    "husband",
    "wife",
    "target",
    "goal",
    "used to",
    "below",
    "above",
    "under ",
    "以下",
    "以上",
    "以内",
    "超过",
    "没到",
    "不到",
];

/// "172/101 is that bad", "38 degrees dead": a value that is one by its form, before other words.
fn leading(clause: &str, answer: &AnswerType) -> Option<Value> {
    let all = pieces(clause, None);
    let unknown = all
        .iter()
        .position(|piece| matches!(piece, Piece::Unknown { .. }))?;
    let (value, rest) = all.split_at(unknown);
    let number = |piece: &Piece| matches!(piece, Piece::Number(_));
    if rest
        .iter()
        .any(|piece| number(piece) || *piece == Piece::Half)
    {
        return None;
    }
    let formed = match answer {
        AnswerType::BloodPressure => value.iter().filter(|piece| number(piece)).count() >= 2,
        AnswerType::BloodGlucose
        | AnswerType::Temperature
        | AnswerType::Weight
        | AnswerType::HeartRate => value.iter().any(|piece| match piece {
            Piece::Unit(_) => true,
            // "3.9 feeling shaky".
            Piece::Number(number) => number.whole().is_none(),
            _ => false,
        }),
        _ => false,
    };
    if !formed {
        return None;
    }
    let read = match answer {
        AnswerType::BloodPressure => pressure(value),
        AnswerType::BloodGlucose => measured(value.to_vec(), &Measure::GLUCOSE),
        AnswerType::Temperature => measured(value.to_vec(), &Measure::TEMPERATURE),
        AnswerType::Weight => measured(value.to_vec(), &Measure::WEIGHT),
        AnswerType::HeartRate => measured(value.to_vec(), &Measure::HEART_RATE),
        _ => return None,
    };
    match read {
        Answer::Value(value) => Some(value),
        _ => None,
    }
}
