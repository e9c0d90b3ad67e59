//! The words of replies: what each means, the same for all languages.
//!
//! A language is one table. What stands in no table is *unknown*, and an answer with an unknown
//! word in it is never read as *taken*: a word is only added here when it cannot change what the
//! words around it say.

mod chinese;
mod english;

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word means for an answer to a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 吃, 服, take: a taking, which alone says neither that it was nor that it will be.
    Verb(Manner),
    /// 了, 过: what the verb says has happened.
    Aspect,
    /// 完, 好: the verb's end was reached, if anything was.
    Finish,
    /// 的.
    De,
    /// Taken, as a whole.
    Taken(Manner),
    /// "did", which makes "take" taken.
    Did,
    /// 已, 刚: with a verb alone it has happened.
    Past,
    /// 早, 才: it has happened if the verb says so as well.
    PastMaybe,
    /// 没, "not", "haven't".
    Not,
    /// 还没, "not yet", without a verb.
    NotYet,
    /// 没有, "no": not taken when it stands alone.
    No,
    /// 忘了.
    Forgot,
    /// 不想, "won't".
    Refuse,
    /// Skipped, as a whole.
    Skip,
    /// 等会儿, "later": it has not happened yet.
    Plan,
    /// 要, 在: with a verb it has not happened yet; alone it says nothing.
    Aux,
    /// 提醒: later, unless it is what is thanked for.
    Remind,
    /// 现在, "now": with a verb alone it is about to happen.
    Now,
    /// 后, "after so long".
    After,
    /// 前, "ago".
    Ago,
    /// "in", "wait": a length of time follows.
    In,
    /// "at", "around": a time of the day may follow.
    At,
    /// 一个都没, "none of them": not, of all.
    NotAny,
    /// "any", "either": all, behind what was not taken.
    AnyOf,
    /// 都, "all".
    All,
    /// 两个, "both": all, and so many.
    Both(u32),
    /// 最后一个.
    Last,
    /// 只, "only".
    Only,
    /// A part of the day.
    Part(Part),
    /// 昨天: so many days from today, and the part of that day where it is said.
    Day(i8, Option<Part>),
    /// "from lunch": which, by a part of a day.
    From(i8, Part),
    /// 饭后, "with breakfast": when, by a meal.
    MealTime,
    /// 饭, breakfast: what was eaten is no medicine.
    Meal,
    /// "had breakfast": a meal was eaten.
    Ate,
    /// 药, "pills", "it": what was taken, without a name.
    Medicine,
    /// 针, "inhaler": what was taken, by its form.
    Form(Manner),
    /// "dose", "one": a medicine, after what tells which one.
    One,
    /// 和, "and".
    And,
    /// 因为, "because".
    Because,
    /// Says nothing about whether.
    Filler,
    /// 谢谢, "thanks": nothing as well.
    Thanks,
    /// 没忘: nothing as well, but no answer beside "no".
    Unforgotten,
    /// 打错了: of what was written before, if nothing was said yet.
    Slip,
    /// 是, "yes": alone no answer to a reminder.
    Yes,
    /// He, she, mother: somebody else.
    Third,
    /// 给: somebody else, if a name follows.
    Give,
    /// "gave": taken, by somebody else.
    Gave,
    /// "had": taken, if a medicine follows.
    Had,
    /// 两个人, "both kids": all doses of so many people.
    People(u32),
    /// 前两个: the first so many of the list; 0 for the former of two.
    Front(u32),
    /// 后两个: the last so many; 0 for the latter of two.
    Back(u32),
    /// 吧: a doubt about what was, none about what is wished.
    Softly,
    /// "twice".
    Twice,
    /// 头疼: why something was taken, or what came of it.
    Symptom,
    /// Perhaps, half, wrong, must: not to be read.
    Unclear,
    /// A question.
    Question,
}

/// How something is taken, where the verb says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// 吃, 用, "took": anything.
    Any,
    /// 打针, "injected".
    Needle,
    /// 喷, "inhaled".
    Spray,
    /// 滴.
    Drops,
    /// 贴, "patch on".
    Patch,
    /// 涂.
    Cream,
}

/// Parts of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Morning,
    Noon,
    Afternoon,
    Evening,
    Night,
}

impl Part {
    /// From which hour until which, counted from midnight of the day it belongs to.
    pub(super) fn hours(self) -> (i32, i32) {
        match self {
            Part::Morning => (3, 12),
            Part::Noon => (10, 15),
            Part::Afternoon => (12, 19),
            Part::Evening => (16, 26),
            Part::Night => (19, 28),
        }
    }
}

/// The words by their first character.
static BY_FIRST: LazyLock<HashMap<char, Vec<(&'static str, Kind)>>> = LazyLock::new(|| {
    let mut words: HashMap<char, Vec<(&'static str, Kind)>> = HashMap::new();
    for (word, kind) in [chinese::WORDS, english::WORDS].into_iter().flatten() {
        if let Some(first) = word.chars().next() {
            words.entry(first).or_default().push((word, *kind));
        }
    }
    words
});

/// The longest word of any table that begins here, and its length in characters.
pub(super) fn longest(text: &[char], at: usize) -> Option<(Kind, usize)> {
    let word_before = at
        .checked_sub(1)
        .is_some_and(|before| is_letter(text[before]));
    BY_FIRST
        .get(&text[at])?
        .iter()
        .filter_map(|(word, kind)| {
            let begins_with_letter = word.starts_with(is_letter);
            if begins_with_letter && word_before {
                return None;
            }
            let length = matching(text, at, word)?;
            Some((*kind, length))
        })
        .max_by_key(|(_, length)| *length)
}

/// How many characters of the text, from here, spell the word; blanks may part ideographs, and
/// letters end where the word ends.
fn matching(text: &[char], at: usize, word: &str) -> Option<usize> {
    let mut index = at;
    let mut last = ' ';
    for character in word.chars() {
        if !is_letter(character) && !is_letter(last) && index > at {
            while text.get(index) == Some(&' ') && character != ' ' {
                index += 1;
            }
        }
        if text.get(index) != Some(&character) {
            return None;
        }
        index += 1;
        last = character;
    }
    let in_word = |c: &char| is_letter(*c) || c.is_ascii_digit();
    let goes_on = is_letter(last) && text.get(index).is_some_and(in_word);
    (!goes_on).then_some(index - at)
}

/// Letters and what stands inside of English words.
pub(super) fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '\''
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::interpret::writing::Writing;

    #[test]
    fn tables_hold_each_word_once_and_as_it_is_compared() {
        let all: Vec<_> = [chinese::WORDS, english::WORDS].concat();
        for (index, (word, _)) in all.iter().enumerate() {
            let folded: String = Writing::of(word).characters().iter().collect();
            assert_eq!(folded, *word);
            assert!(
                all[index + 1..].iter().all(|(other, _)| other != word),
                "{word} stands twice"
            );
        }
    }

    #[test]
    fn words_end_where_their_letters_end() {
        let longest = |text: &str| {
            let text: Vec<char> = text.chars().collect();
            longest(&text, 0).map(|(_, length)| length)
        };
        assert_eq!(longest("took it"), Some(4));
        assert_eq!(longest("tooks"), None);
        assert_eq!(longest("等 会 儿吃"), Some(5));
        assert_eq!(longest("吃了"), Some(1));
    }
}
