//! Numbers in digits and in words.

use super::lexicon::is_letter;
use crate::plan::chinese_number;

/// A number and how many characters it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numeral {
    /// In thousandths.
    pub(super) thousandths: i64,
    /// Characters.
    pub(super) length: usize,
    /// Digits, not words.
    pub(super) digits: bool,
}

impl Numeral {
    /// The number if it is whole.
    pub(super) fn whole(self) -> Option<u32> {
        if self.thousandths % 1000 == 0 {
            u32::try_from(self.thousandths / 1000).ok()
        } else {
            None
        }
    }
}

const ENGLISH: &[(&str, i64)] = &[
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("zero", 0),
];

/// The longest number that begins here.
pub(super) fn numeral(text: &[char], at: usize) -> Option<Numeral> {
    let first = *text.get(at)?;
    if first.is_ascii_digit() {
        return digits(text, at);
    }
    if is_letter(first) {
        return english(text, at);
    }
    chinese(text, at)
}

/// seven, seventy two, a hundred and thirty.
fn english(text: &[char], at: usize) -> Option<Numeral> {
    let joint = |end: usize| matches!(text.get(end), Some(' ' | '-')).then_some(end + 1);
    let words = |from: usize, words: &str| {
        let length = words.chars().count();
        let here = text.get(from..from + length)?;
        let ends = text.get(from + length).is_none_or(|next| !is_letter(*next));
        (here.iter().copied().eq(words.chars()) && ends).then_some(length)
    };
    let under_hundred = |from: usize| {
        let tens = english_word(text, from)?;
        let number = tens.thousandths / 1000;
        let ones = (number >= 20 && number % 10 == 0)
            .then(|| joint(from + tens.length))
            .flatten()
            .and_then(|next| Some((next, english_word(text, next)?)))
            .filter(|(_, ones)| (1000..10_000).contains(&ones.thousandths));
        Some(match ones {
            Some((next, ones)) => Numeral {
                thousandths: tens.thousandths + ones.thousandths,
                length: next + ones.length - from,
                digits: false,
            },
            None => tens,
        })
    };
    let (hundreds, mut end) = if let Some(length) = words(at, "a hundred") {
        (1, at + length)
    } else {
        let first = under_hundred(at)?;
        let next = joint(at + first.length);
        let hundred = next.and_then(|next| Some(next + words(next, "hundred")?));
        match hundred {
            Some(end) if (1000..10_000).contains(&first.thousandths) => {
                (first.thousandths / 1000, end)
            }
            _ => return Some(first),
        }
    };
    let mut thousandths = hundreds * 100_000;
    if let Some(next) = joint(end) {
        let next = words(next, "and")
            .and_then(|length| joint(next + length))
            .unwrap_or(next);
        if let Some(rest) = under_hundred(next) {
            thousandths += rest.thousandths;
            end = next + rest.length;
        }
    }
    Some(Numeral {
        thousandths,
        length: end - at,
        digits: false,
    })
}

/// One word.
fn english_word(text: &[char], at: usize) -> Option<Numeral> {
    ENGLISH
        .iter()
        .filter_map(|(word, number)| {
            let length = word.chars().count();
            let here = text.get(at..at + length)?;
            let spelt = here.iter().copied().eq(word.chars());
            let ends = text.get(at + length).is_none_or(|next| !is_letter(*next));
            (spelt && ends).then_some(Numeral {
                thousandths: number * 1000,
                length,
                digits: false,
            })
        })
        .max_by_key(|numeral| numeral.length)
}

fn digits(text: &[char], at: usize) -> Option<Numeral> {
    let run = |from: usize| {
        text[from..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let whole = run(at);
    if whole > 6 {
        return None;
    }
    let value = |from: usize, length: usize| -> i64 {
        text[from..from + length].iter().fold(0, |sum, c| {
            sum * 10 + i64::from(c.to_digit(10).unwrap_or(0))
        })
    };
    let mut numeral = Numeral {
        thousandths: value(at, whole) * 1000,
        length: whole,
        digits: true,
    };
    let decimals = match text.get(at + whole) {
        Some('.') => run(at + whole + 1),
        _ => 0,
    };
    if (1..=3).contains(&decimals) {
        let scale = [1000, 100, 10, 1][decimals];
        numeral.thousandths += value(at + whole + 1, decimals) * scale;
        numeral.length += 1 + decimals;
    }
    Some(numeral)
}

/// 一百三十五, 一百三 (130), 三十六点八, 一三零.
fn chinese(text: &[char], at: usize) -> Option<Numeral> {
    let digit = |index: usize| {
        "零一二三四五六七八九"
            .chars()
            .position(|d| text.get(index) == Some(&d))
    };
    let under_hundred = |index: usize| -> Option<(u32, usize)> {
        let text: String = text.get(index..)?.iter().take(3).collect();
        let (number, bytes) = chinese_number(&text)?;
        Some((number, text[..bytes].chars().count()))
    };
    let run = (at..text.len())
        .take_while(|index| digit(*index).is_some())
        .count();
    let followed = text.get(at + run).copied();
    let (number, mut length) = if run >= 2 && !matches!(followed, Some('十' | '百')) {
        // Read out digit by digit; a longer run is no number of any use.
        if run > 4 {
            return None;
        }
        let number = (at..at + run).fold(0, |sum, index| sum * 10 + digit(index).unwrap_or(0));
        (number as u32, run)
    } else if text.get(at + 1) == Some(&'百') {
        let hundreds = match text[at] {
            '两' => 2,
            _ => digit(at)? as u32,
        };
        let rest = at + 2;
        let (ones, more) = match text.get(rest) {
            Some('零') => digit(rest + 1).map_or((0, 0), |ones| (ones as u32, 2)),
            // 一百三 is 130, 一百三十 is 130 as well.
            _ => match under_hundred(rest) {
                Some((ones, 1)) if ones < 10 => (ones * 10, 1),
                Some(found) => found,
                None => (0, 0),
            },
        };
        (hundreds * 100 + ones, 2 + more)
    } else if digit(at) == Some(0) {
        (0, 1)
    } else {
        under_hundred(at)?
    };
    let mut thousandths = i64::from(number) * 1000;
    if matches!(text.get(at + length), Some('点' | '.'))
        && let Some(decimal) = digit(at + length + 1)
    {
        thousandths += decimal as i64 * 100;
        length += 2;
        if let Some(decimal) = digit(at + length) {
            thousandths += decimal as i64 * 10;
            length += 1;
        }
    }
    Some(Numeral {
        thousandths,
        length,
        digits: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_both_languages() {
        for (text, thousandths, length) in [
            ("36.8度", 36_800, 4),
            ("130/85", 130_000, 3),
            ("一百三十五", 135_000, 5),
            ("一百三", 130_000, 3),
            ("一百零五", 105_000, 4),
            ("两百", 200_000, 2),
            ("八十五", 85_000, 3),
            ("一三零", 130_000, 3),
            ("三十六点八", 36_800, 5),
            ("六点五", 6500, 3),
            ("七", 7000, 1),
            ("seven", 7000, 5),
            ("twenty", 20_000, 6),
            ("seventy two", 72_000, 11),
            ("forty-five min", 45_000, 10),
            ("a hundred and thirty over", 130_000, 20),
            ("two hundred", 200_000, 11),
        ] {
            let chars: Vec<char> = text.chars().collect();
            let found = numeral(&chars, 0).map(|n| (n.thousandths, n.length));
            assert_eq!(found, Some((thousandths, length)), "{text}");
        }
        for text in ["", "吃", "1234567", "sevens", "x", "百"] {
            let chars: Vec<char> = text.chars().collect();
            assert_eq!(numeral(&chars, 0), None, "{text}");
        }
    }
}
