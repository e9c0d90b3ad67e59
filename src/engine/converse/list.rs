//! The numbered list that was sent, and what a number means that comes after it.

use super::parse;
use super::prompt::Prompt;
use crate::engine::{Asked, Report};
use jiff::{SignedDuration, Timestamp};

/// A number of a list that was answered is that of the list for so long, unless something new has
/// come up: a message that is sent twice means nothing else.
const REPEATED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The words that may answer one of several questions, and the question whose number was said.
pub(super) fn listed_value<'p>(
    text: &str,
    prompts: &'p [Prompt],
    asked: Option<&Asked>,
) -> Option<(String, &'p Prompt)> {
    let Report::Value(words) = &asked?.report else {
        return None;
    };
    let number = number_in(text)?;
    let prompt = prompts.iter().find(|it| it.number == number)?;
    Some((words.clone(), prompt))
}

/// The number, where the words are nothing else.
fn number_in(text: &str) -> Option<u32> {
    let digits = text.trim().trim_end_matches(['.', '。', '、']);
    let digits: String = digits.chars().map(narrow_digit).collect();
    digits.parse().ok()
}

impl Asked {
    /// Whether the words are a number of this list, which was answered a moment ago, and nothing was
    /// said since.
    pub(super) fn is_repeated_by(&self, text: &str, prompts: &[Prompt], now: Timestamp) -> bool {
        let listed = |number| self.choices.iter().any(|(known, _)| *known == number);
        number_in(text).is_some_and(listed)
            && now.duration_since(self.at) < REPEATED_FOR
            && !prompts.iter().any(|prompt| prompt.is_newer_than(self))
    }

    /// Whether the words are a number of this list of doses, what they were taken for is what it
    /// stands for, and nothing that is not in it has come up since.
    pub(super) fn names(&self, text: &str, references: &[String], prompts: &[Prompt]) -> bool {
        let number = number_in(text).filter(|_| !matches!(self.report, Report::Value(_)));
        let is_it = |reference: &String| match parse(reference) {
            Some(('o', index, _)) => {
                let prompt = prompts.get(index);
                prompt.is_some_and(|it| Some(it.number) == number)
            }
            _ => false,
        };
        // A nudge that came before the number ends nothing: the number was just understood.
        let is_known = |prompt: &Prompt| {
            let mut listed = self.choices.iter().map(|(number, _)| *number);
            prompt.at <= self.at || listed.any(|number| number == prompt.number)
        };
        number.is_some()
            && !references.is_empty()
            && references.iter().all(is_it)
            && prompts.iter().all(is_known)
    }
}

/// ２ as 2.
fn narrow_digit(digit: char) -> char {
    match digit {
        '０'..='９' => u32::from(digit)
            .checked_sub(u32::from('０'))
            .and_then(|it| char::from_digit(it, 10))
            .unwrap_or(digit),
        _ => digit,
    }
}
