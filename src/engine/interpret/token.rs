//! A reply taken apart into words, names, numbers and times.

use super::clock::{self, Clock};
use super::lexicon::{self, Kind, Part, is_letter};
use super::name::{Hit, Names, Target};
use super::numeral::numeral;
use super::writing::{Writing, is_ideograph, is_mark};

/// What one part of a reply is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    /// A word of the lexicon.
    Word(Kind),
    /// A name.
    Name(Hit),
    /// A whole number.
    Number(u32),
    /// The first, 第一个, 2号.
    Ordinal(u32),
    /// So much of something, in thousandths.
    Amount(i64),
    /// So many units, of what is injected.
    Units,
    /// A length of time.
    Minutes(u32),
    /// A time of the day.
    Clock(Clock),
    /// Nothing that is known.
    Unknown,
}

/// What stands in front of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    None,
    Blank,
    Mark,
}

/// One part of a reply.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) sense: Sense,
    /// Its first character in the writing.
    pub(super) from: usize,
    pub(super) gap: Gap,
    /// It ends with a letter of the alphabet: a blank behind it parts nothing.
    pub(super) latin: bool,
    /// It names a medicine, or says that it is one.
    pub(super) medicine: bool,
}

/// Takes a reply apart.
pub(super) fn tokens(writing: &Writing<'_>, names: &Names) -> Vec<Token> {
    let text = writing.characters();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    let mut gap = Gap::None;
    while at < text.len() {
        if text[at] == ' ' {
            if gap == Gap::None {
                gap = Gap::Blank;
            }
            at += 1;
            continue;
        }
        let Some((sense, length)) = token(text, at, names, &tokens) else {
            gap = Gap::Mark;
            at += 1;
            continue;
        };
        let medicine = match &sense {
            Sense::Name(hit) => hit
                .targets
                .iter()
                .all(|target| !matches!(target, Target::Patient(_))),
            Sense::Word(Kind::Medicine | Kind::Form(_)) => true,
            _ => text[at..at + length].contains(&'药'),
        };
        tokens.push(Token {
            sense,
            from: at,
            gap,
            latin: is_letter(text[at + length - 1]),
            medicine,
        });
        at += length;
        gap = Gap::None;
    }
    settle_numbers(&mut tokens);
    tokens
}

/// The token that begins here; `None` for a mark.
fn token(text: &[char], at: usize, names: &Names, before: &[Token]) -> Option<(Sense, usize)> {
    let word = lexicon::longest(text, at);
    let word_length = word.map_or(0, |(_, length)| length);
    // 早8点: a part of the day. 晚一点 is none.
    let part = match text[at] {
        '早' => Some(Part::Morning),
        '晚' => Some(Part::Evening),
        _ => None,
    };
    if let Some(part) = part
        && word_length <= 1
        && at + 1 < text.len()
        && clock::clock(text, at + 1).is_some()
    {
        return Some((Sense::Word(Kind::Part(part)), 1));
    }
    if let Some((hit, length)) = names.longest(text, at)
        && (length > word_length || length == word_length && !hit.doubtful)
    {
        return Some((Sense::Name(hit), length));
    }
    let in_word = at > 0 && is_letter(text[at]) && is_letter(text[at - 1]);
    if !in_word && let Some((sense, length)) = counted(text, at, before) {
        // "一会儿" begins with a numeral and is none.
        if length >= word_length {
            return Some((sense, length));
        }
    }
    if let Some((kind, length)) = word {
        return Some((Sense::Word(kind), length));
    }
    let first = text[at];
    if is_mark(first) && first != '/' {
        return None;
    }
    if first.is_ascii_alphanumeric() || first == '\'' {
        let length = text[at..]
            .iter()
            .take_while(|c| c.is_ascii_alphanumeric() || **c == '\'')
            .count();
        return Some((Sense::Unknown, length));
    }
    if is_decoration(first) {
        return Some((Sense::Word(Kind::Filler), 1));
    }
    let same = text[at..]
        .iter()
        .take_while(|c| **c == first && !is_ideograph(**c))
        .count();
    Some((Sense::Unknown, same.max(1)))
}

/// Pictures without a meaning of their own; food and faces that feel ill have one and stand in the
/// lexicon or count as unknown.
fn is_decoration(c: char) -> bool {
    let food = matches!(c, '\u{1f32d}'..='\u{1f37f}' | '\u{1f950}'..='\u{1f96f}' | '\u{1f9c0}'..='\u{1f9cb}');
    let bodies = matches!(c, '\u{1f910}'..='\u{1f95f}' | '\u{1f614}'..='\u{1f64f}' | '\u{1f970}'..='\u{1f97a}');
    let signs = matches!(c, '\u{1f6a0}'..='\u{1f6d0}' | '\u{2690}'..='\u{27bf}');
    !food && !bodies && !signs && matches!(c, '\u{1f300}'..='\u{1faff}' | '\u{2600}'..='\u{268f}')
}

/// Numbers and what they count.
fn counted(text: &[char], at: usize, before: &[Token]) -> Option<(Sense, usize)> {
    if let Some((number, length)) = ordinal(text, at) {
        return Some((Sense::Ordinal(number), length));
    }
    let minutes = clock::minutes(text, at);
    let clock = clock::clock(text, at);
    if let Some((minutes, length)) = minutes
        && clock.is_none_or(|(_, other)| other < length)
    {
        return Some((Sense::Minutes(minutes), length));
    }
    if let Some((clock, length)) = clock {
        return Some((Sense::Clock(clock), length));
    }
    let number = numeral(text, at)?;
    let mut end = at + number.length;
    if text.get(end) == Some(&'/') && text.get(end + 1).is_some_and(char::is_ascii_digit) {
        let length = numeral(text, end + 1)?.length;
        return Some((Sense::Unknown, number.length + 1 + length));
    }
    // "one" after "the first" is no number.
    let after_choice = before.last().is_some_and(|token| {
        matches!(
            token.sense,
            Sense::Ordinal(_) | Sense::Name(_) | Sense::Clock(_)
        ) || matches!(
            token.sense,
            Sense::Word(Kind::Part(_) | Kind::Day(..) | Kind::Medicine | Kind::Last)
        )
    });
    let spelt = |word: &str| clock::begins(text, at, word) && number.length == word.len();
    if spelt("one") && after_choice {
        return Some((Sense::Word(Kind::One), 3));
    }
    while text.get(end) == Some(&' ') {
        end += 1;
    }
    if let Some(length) = measure(text, end) {
        let unit: String = text[end..end + length].iter().collect();
        let sense = match unit.as_str() {
            "单位" | "units" | "unit" | "u" | "iu" => Sense::Units,
            _ => Sense::Amount(number.thousandths),
        };
        return Some((sense, end + length - at));
    }
    let end = at + number.length;
    // 1-3 and 1到3 may be what lies between as well.
    if matches!(text.get(end), Some('-' | '~' | '～' | '到' | '至' | '—'))
        && let Some(until) = numeral(text, end + 1)
    {
        return Some((Sense::Unknown, number.length + 1 + until.length));
    }
    if let Some(length) = ["个", "样", "种"]
        .iter()
        .find(|word| clock::begins(text, end, word))
    {
        let length = number.length + length.chars().count();
        return Some(match number.whole() {
            Some(1) => (Sense::Amount(1000), length),
            Some(count) => (Sense::Word(Kind::Both(count)), length),
            None => (Sense::Amount(number.thousandths), length),
        });
    }
    match number.whole() {
        Some(whole) if number.digits || text[at] != '半' => Some((
            if text.get(end).is_some_and(char::is_ascii_alphabetic) && number.digits {
                Sense::Unknown
            } else {
                Sense::Number(whole)
            },
            number.length,
        )),
        _ => Some((Sense::Amount(number.thousandths), number.length)),
    }
}

fn ordinal(text: &[char], at: usize) -> Option<(u32, usize)> {
    let units = [
        "个药", "种药", "顿药", "个", "种", "样", "项", "条", "号", "款", "味", "片", "顿", "颗",
        "粒", "瓶", "盒",
    ];
    let unit = |end: usize| {
        units
            .iter()
            .find(|unit| clock::begins(text, end, unit))
            .map_or(0, |unit| unit.chars().count())
    };
    if clock::begins(text, at, "第") {
        let number = numeral(text, at + 1)?;
        let end = at + 1 + number.length;
        return Some((number.whole()?, end + unit(end) - at));
    }
    if clock::begins(text, at, "头一个") || clock::begins(text, at, "头一样") {
        return Some((1, 3));
    }
    for (word, number) in [
        ("first", 1),
        ("1st", 1),
        ("second", 2),
        ("2nd", 2),
        ("third", 3),
        ("3rd", 3),
        ("fourth", 4),
        ("4th", 4),
    ] {
        let end = at + word.len();
        if clock::begins(text, at, word) && text.get(end).is_none_or(|c| !is_letter(*c)) {
            return Some((number, word.len()));
        }
    }
    let number = numeral(text, at)?;
    let end = at + number.length;
    // 2号 counts, but 2号楼 and dates do not come here as answers.
    if clock::begins(text, end, "号") {
        return Some((number.whole()?, number.length + 1));
    }
    None
}

/// A unit of medicine, and the characters it takes.
fn measure(text: &[char], at: usize) -> Option<usize> {
    const UNITS: &[&str] = &[
        "片", "粒", "颗", "丸", "支", "袋", "包", "针", "滴", "喷", "勺", "瓶", "次", "毫升",
        "毫克", "克", "单位", "格", "杯", "口", "枚", "tablets", "tablet", "tabs", "tab", "pills",
        "pill", "capsules", "capsule", "caps", "puffs", "puff", "drops", "drop", "units", "unit",
        "mg", "ml", "mcg", "g", "u", "iu", "spoons", "spoon", "times", "doses", "shots", "sprays",
        "more",
    ];
    UNITS
        .iter()
        .filter(|unit| clock::begins(text, at, unit))
        .map(|unit| unit.chars().count())
        .max()
        .filter(|length| {
            !is_letter(text[at]) || text.get(at + length).is_none_or(|c| !is_letter(*c))
        })
}

/// "at 8" is a time, "number 2" is a choice.
fn settle_numbers(tokens: &mut Vec<Token>) {
    let mut index = 1;
    while index < tokens.len() {
        let Sense::Number(number) = tokens[index].sense else {
            index += 1;
            continue;
        };
        match tokens[index - 1].sense {
            Sense::Word(Kind::At) => {
                let minute = match tokens.get(index + 1) {
                    Some(Token {
                        sense: Sense::Number(minute),
                        gap: Gap::Blank,
                        ..
                    }) if (10..60).contains(minute) => Some(*minute),
                    _ => None,
                };
                if let Some(clock) = Clock::of_hour(number) {
                    let minute_said = minute.unwrap_or(0);
                    tokens[index].sense = Sense::Clock(Clock {
                        minute: minute_said,
                        ..clock
                    });
                    if minute.is_some() {
                        tokens.remove(index + 1);
                    }
                }
            }
            Sense::Word(Kind::One) => tokens[index].sense = Sense::Ordinal(number),
            // "all 3"; "all 1" may be anything.
            Sense::Word(Kind::All) if tokens[index].gap != Gap::Mark => {
                tokens[index].latin = true;
                tokens[index].sense = if number > 1 {
                    Sense::Word(Kind::Both(number))
                } else {
                    Sense::Unknown
                };
            }
            // "1 n 3".
            Sense::Word(Kind::No)
                if tokens[index].gap == Gap::Blank
                    && index > 1
                    && matches!(tokens[index - 2].sense, Sense::Number(_)) =>
            {
                tokens[index - 1].sense = Sense::Word(Kind::And);
            }
            // "no 1" may be its number.
            Sense::Word(Kind::No) if tokens[index].gap != Gap::Mark => {
                tokens[index - 1].sense = Sense::Word(Kind::One);
                tokens[index].sense = Sense::Ordinal(number);
            }
            _ => {}
        }
        index += 1;
    }
}
