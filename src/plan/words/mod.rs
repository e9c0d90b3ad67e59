//! The words of the plan language: texts become [`Kind`]s, which are the same for all languages.
//!
//! A language is one table ([`english`], [`chinese`]). Full-width forms count as their ASCII
//! twins, capitals as small letters. English words end where their letters end; Chinese ones are
//! taken as long as possible.

mod chinese;
mod english;

use super::DayWord;
use jiff::civil::{Date, Weekday};
use std::ops::Range;

/// What a word, a number or a sign means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum Kind {
    /// A whole number.
    N(u32),
    /// A number with a fraction, in thousandths.
    Thousandths(i64),
    /// 1st, 2nd.
    Ordinal(u32),
    /// `HH:MM`, not checked.
    Clock(u32, u32),
    /// `YYYY-MM-DD`.
    Date(Date),
    Comma,
    Colon,
    Dash,
    Every,
    /// 每隔: some count the days between, some the days until.
    EveryGap,
    Other,
    Second,
    Minute,
    Hour,
    Day,
    /// 日, 号: the number of a day in a month.
    DayNumber,
    Week,
    Month,
    Year,
    Weekday(Weekday),
    Weekdays,
    Weekends,
    Part(DayWord),
    Meal(DayWord),
    Meals,
    With,
    Before,
    After,
    On,
    Off,
    Of,
    The,
    A,
    And,
    For,
    In,
    To,
    From,
    Last,
    Dose,
    Once,
    Times,
    Left,
    Back,
    Am,
    Pm,
    OClock,
    /// Anything else.
    Unknown,
}

/// A text in its parts.
#[derive(Debug)]
pub(in crate::plan) struct Words {
    text: String,
    kinds: Vec<Kind>,
    places: Vec<Range<usize>>,
}

impl Words {
    /// Takes a text apart.
    pub(in crate::plan) fn of(text: &str) -> Self {
        let text = normalise(text);
        let mut words = Words {
            text: String::new(),
            kinds: Vec::new(),
            places: Vec::new(),
        };
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            if first.is_whitespace() {
                at += first.len_utf8();
                continue;
            }
            let (kinds, length) = lex(&text[at..], first);
            for kind in kinds {
                words.kinds.push(kind);
                words.places.push(at..at + length);
            }
            at += length;
        }
        words.text = text;
        words
    }

    /// The meanings, in order.
    pub(in crate::plan) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The text of one part, normalised.
    pub(in crate::plan) fn text_of(&self, index: usize) -> &str {
        self.places
            .get(index)
            .map_or("", |place| &self.text[place.clone()])
    }

    /// The text from one part on, as it was written, and what stands before it; `None` where the
    /// two cannot be told apart.
    pub(in crate::plan) fn split_at<'t>(
        &self,
        index: usize,
        written: &'t str,
    ) -> Option<(&'t str, &'t str)> {
        let written = written.trim();
        let place = self.places.get(index)?.start;
        // Letters and their normal forms are one to one, but for a few capitals.
        if written.chars().count() != self.text.chars().count() {
            return None;
        }
        let before = self.text[..place].chars().count();
        let cut = written.char_indices().nth(before).map(|(at, _)| at)?;
        Some(written.split_at(cut))
    }

    /// The first part that no table knows, with the known word that is most like it.
    pub(in crate::plan) fn unknown(&self) -> Option<(String, Option<&'static str>)> {
        let index = self.kinds.iter().position(|kind| *kind == Kind::Unknown)?;
        let mut end = index;
        while self.kinds.get(end + 1) == Some(&Kind::Unknown)
            && self.places[end].end == self.places[end + 1].start
        {
            end += 1;
        }
        let word = &self.text[self.places[index].start..self.places[end].end];
        // Of a sign or of two letters nothing is near.
        let nearest = if word.len() > 2 && word.is_ascii() {
            english::WORDS
                .iter()
                .map(|(known, _)| (strsim::damerau_levenshtein(word, known), *known))
                .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
                .min_by_key(|(distance, _)| *distance)
                .map(|(_, known)| known)
        } else {
            None
        };
        Some((word.to_owned(), nearest))
    }
}

/// Full-width forms as their ASCII twins, small letters, one kind of dash and of comma.
pub(in crate::plan) fn normalise(text: &str) -> String {
    text.trim().chars().flat_map(plain).collect()
}

/// What one character counts as.
pub(crate) fn plain(character: char) -> impl Iterator<Item = char> {
    let plain = match character {
        '，' | '、' | '､' => ',',
        '。' | '．' => '.',
        '\u{3000}' | '\u{a0}' => ' ',
        '–' | '—' | '−' | '～' | '~' | '〜' | '‐' | '‑' => '-',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(character as u32 - 0xfee0).unwrap_or(character),
        other => other,
    };
    plain.to_lowercase()
}

/// Characters that turn the reading direction: what is shown reads differently from what is
/// written.
pub(in crate::plan) fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters that nobody sees, or that turn the reading direction.
pub(in crate::plan) fn is_hidden(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

fn lex(text: &str, first: char) -> (Vec<Kind>, usize) {
    if first.is_ascii_digit() {
        return lex_digits(text);
    }
    if let Some(thousandths) = vulgar_fraction(first) {
        return (vec![Kind::Thousandths(thousandths)], first.len_utf8());
    }
    if first.is_ascii_alphabetic() {
        let length = text
            .find(|letter: char| !letter.is_ascii_alphabetic())
            .unwrap_or(text.len());
        let word = &text[..length];
        let known = english::WORDS.iter().find(|(known, _)| *known == word);
        return (
            known.map_or(vec![Kind::Unknown], |(_, kinds)| kinds.to_vec()),
            length,
        );
    }
    let longest = chinese::WORDS
        .iter()
        .filter(|(known, _)| text.starts_with(known))
        .max_by_key(|(known, _)| known.len());
    if let Some((known, kinds)) = longest {
        return (kinds.to_vec(), known.len());
    }
    if let Some((number, length)) = chinese::numeral(text) {
        return (vec![number], length);
    }
    let kind = match first {
        ',' | ';' => Kind::Comma,
        ':' => Kind::Colon,
        '-' => Kind::Dash,
        _ => Kind::Unknown,
    };
    (vec![kind], first.len_utf8())
}

fn lex_digits(text: &str) -> (Vec<Kind>, usize) {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let length = digits(0);
    let rest = &text[length..];
    if length == 4
        && text.len() >= 10
        && text.is_char_boundary(10)
        && let Ok(date) = text[..10].parse::<Date>()
        && digits(8) == 2
    {
        return (vec![Kind::Date(date)], 10);
    }
    let Ok(number) = text[..length].parse::<u32>() else {
        return (vec![Kind::Unknown], length);
    };
    if rest.starts_with(':') && (1..=2).contains(&length) && digits(length + 1) == 2 {
        let minute = text[length + 1..length + 3].parse().unwrap_or(u32::MAX);
        let seconds = text[length + 3..].starts_with(":00") && digits(length + 4) == 2;
        return (
            vec![Kind::Clock(number, minute)],
            length + 3 + if seconds { 3 } else { 0 },
        );
    }
    if rest.starts_with('.') && (1..=3).contains(&digits(length + 1)) {
        let decimals = &text[length + 1..length + 1 + digits(length + 1)];
        let thousandths: i64 = format!("{decimals:0<3}").parse().unwrap_or(0);
        let number = i64::from(number) * 1000 + thousandths;
        return (vec![Kind::Thousandths(number)], length + 1 + decimals.len());
    }
    if let Some(fraction) = rest.chars().next()
        && let Some(thousandths) = vulgar_fraction(fraction)
    {
        let number = i64::from(number) * 1000 + thousandths;
        return (
            vec![Kind::Thousandths(number)],
            length + fraction.len_utf8(),
        );
    }
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    if matches!(&rest[..letters], "st" | "nd" | "rd" | "th") {
        return (vec![Kind::Ordinal(number)], length + letters);
    }
    (vec![Kind::N(number)], length)
}

/// ½ and its like, in thousandths.
pub(in crate::plan) fn vulgar_fraction(character: char) -> Option<i64> {
    Some(match character {
        '½' => 500,
        '¼' => 250,
        '¾' => 750,
        '⅓' => 333,
        '⅔' => 667,
        '⅛' => 125,
        _ => return None,
    })
}

pub(in crate::plan) use chinese::numeral;

/// The whole number from 一 to 九十九 at the beginning of a text, and its length in bytes.
pub(crate) fn chinese_number(text: &str) -> Option<(u32, usize)> {
    match numeral(text)? {
        (Kind::N(number), length) => Some((number, length)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_say_the_same() {
        for (a, b) in [
            ("every 3 days", "每3天"),
            ("every day", "每日"),
            ("Mon, Thu", "星期一，周四"),
            ("every 2 days", "隔天"),
            ("weekends", "周末"),
            ("08:30, bedtime", "０８：３０、睡前"),
            ("90 min", "90分钟"),
            ("2 weeks", "两周"),
            ("12 hours", "十二小时"),
        ] {
            assert_eq!(Words::of(a).kinds(), Words::of(b).kinds(), "{a} {b}");
        }
    }

    #[test]
    fn any_text_is_taken_apart_without_panic() {
        for text in [
            "",
            "½½",
            "1:2:3",
            "2026-13-99",
            "2026-03-0é",
            "99999999999",
            "1.",
            "十十",
            "é½:",
        ] {
            let words = Words::of(text);
            for index in 0..words.kinds().len() {
                assert!(!words.text_of(index).is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn tables_hold_each_word_once_and_as_it_is_compared() {
        for table in [english::WORDS, chinese::WORDS] {
            for (index, (word, kinds)) in table.iter().enumerate() {
                assert_eq!(normalise(word), *word);
                assert!(!kinds.is_empty());
                assert!(
                    table[index + 1..].iter().all(|(other, _)| other != word),
                    "{word}"
                );
            }
        }
    }
}
