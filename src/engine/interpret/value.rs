//! Answers to check-ins.

mod beside;
mod choice;
mod words;

use super::numeral::{Numeral, numeral};
use super::writing::{Writing, is_ideograph, is_mark, squeezed};
use super::{ItemKind, OpenItem, Reply, Value};
use crate::plan::{AnswerType, milli};
use beside::beside_words;
use choice::{one_of, yes_or_no};
use words::WORDS;

/// What a reply says to the open check-ins.
pub(super) enum CheckInReading {
    /// This value, of one of these open items; and whether there are words beside it.
    Value(Value, Vec<usize>, bool),
    /// Words, for one of these open items, if they are nothing else.
    Text(Vec<usize>),
    /// A bare 1 or 2 where one of these offers a choice: it may be a digit of either.
    Digit(Vec<usize>),
    /// A number or a choice, but none that these items can have.
    Unreadable(Vec<usize>),
    /// Nothing.
    Nothing,
}

/// What one check-in makes of a reply.
enum Answer {
    Value(Value),
    /// Meant as an answer, and none.
    Malformed,
    /// Something else.
    None,
}

/// Reads a reply as the answer to an open check-in.
pub(super) fn check_in(reply: &Reply<'_>, short: bool) -> CheckInReading {
    let check_ins = || {
        reply
            .open
            .iter()
            .enumerate()
            .filter_map(|(index, item)| match &item.kind {
                ItemKind::CheckIn(answer) => Some((index, item, answer)),
                ItemKind::Dose => None,
            })
    };
    if check_ins().next().is_none() || squeezed(reply.text).is_empty() {
        return CheckInReading::Nothing;
    }
    let mut values: Vec<(Value, usize)> = Vec::new();
    let mut beside: Vec<(Value, usize)> = Vec::new();
    let mut malformed = Vec::new();
    let mut texts = Vec::new();
    let mut choices = Vec::new();
    let dose_open = super::doses::is_open(reply);
    for (index, item, answer) in check_ins() {
        if *answer == AnswerType::Text {
            texts.push(index);
            continue;
        }
        if !short {
            continue;
        }
        let text = without_patient(reply.text, item);
        match read(&text, item, answer, dose_open) {
            Answer::Value(value) => values.push((value, index)),
            other => {
                if let Some(value) = beside_words(&text, item, answer, dose_open) {
                    beside.push((value, index));
                } else if matches!(other, Answer::Malformed) {
                    malformed.push(index);
                }
            }
        }
        if matches!(answer, AnswerType::OneOf(_) | AnswerType::YesOrNo) {
            choices.push(index);
        }
    }
    let has_remark = values.is_empty();
    if has_remark {
        values = beside;
    }
    if values.len() > 1 {
        narrow(reply, &mut values);
    }
    if let Some((value, _)) = values.first() {
        let value = value.clone();
        let items = values.into_iter().map(|(_, index)| index).collect();
        return CheckInReading::Value(value, items, has_remark);
    }
    if dose_open && !choices.is_empty() && matches!(squeezed(reply.text)[..], ['1' | '2' | '3']) {
        return CheckInReading::Digit(choices);
    }
    if !texts.is_empty() {
        return CheckInReading::Text(texts);
    }
    // A word that fits no choice may be meant for anybody where more was asked.
    if check_ins().count() > 1 {
        malformed.retain(|index| !choices.contains(index));
    }
    if malformed.is_empty() {
        CheckInReading::Nothing
    } else {
        CheckInReading::Unreadable(malformed)
    }
}

/// Of several that the value fits, those whose question or patient is named in the reply.
fn narrow(reply: &Reply<'_>, values: &mut Vec<(Value, usize)>) {
    let text: String = squeezed(reply.text).into_iter().collect();
    let named: Vec<usize> = values
        .iter()
        .map(|(_, index)| *index)
        .filter(|index| {
            let item = &reply.open[*index];
            let patient: String = item
                .patient
                .as_deref()
                .map(squeezed)
                .unwrap_or_default()
                .into_iter()
                .collect();
            patient.chars().count() >= 2 && text.contains(&patient)
        })
        .collect();
    if !named.is_empty() {
        values.retain(|(_, index)| named.contains(index));
    }
    for word in CONTEXTS {
        if text.contains(word) && values.len() > 1 {
            let holds = |index: &usize| {
                let name: String = squeezed(&reply.open[*index].name).into_iter().collect();
                name.contains(word)
            };
            if values.iter().any(|(_, index)| holds(index)) {
                values.retain(|(_, index)| holds(index));
            }
        }
    }
}

/// Words that tell two questions of one kind apart.
const CONTEXTS: &[&str] = &[
    "空腹", "餐前", "饭前", "餐后", "饭后", "早上", "早餐", "早饭", "中午", "午餐", "午饭", "晚上",
    "晚餐", "晚饭", "睡前", "左", "右", "fasting", "before", "after", "morning", "evening",
    "bedtime", "left", "right", "头", "胸", "腿", "腰", "pain", "疼", "痛",
];

fn without_patient(text: &str, item: &OpenItem) -> String {
    match &item.patient {
        Some(patient) if patient.chars().count() >= 2 => {
            // The words are compared in small letters anyway; a letter that changes its length
            // with its case is in no name that is looked for.
            let small = text.to_lowercase();
            let found = small.find(&patient.to_lowercase());
            match found {
                Some(at) if small.len() == text.len() => {
                    let rest = &small[at + patient.to_lowercase().len()..];
                    let rest = ["'s", "’s", "的"]
                        .iter()
                        .find_map(|of| rest.strip_prefix(of))
                        .unwrap_or(rest);
                    format!("{} {rest}", &small[..at])
                }
                _ => text.replacen(patient.as_str(), " ", 1),
            }
        }
        _ => text.to_owned(),
    }
}

fn read(text: &str, item: &OpenItem, answer: &AnswerType, dose_open: bool) -> Answer {
    match answer {
        AnswerType::Text => Answer::None,
        AnswerType::YesOrNo => yes_or_no(text, &item.name),
        AnswerType::OneOf(choices) => one_of(text, choices, dose_open),
        AnswerType::BloodPressure => pressure(&pieces(text, None)),
        AnswerType::BloodGlucose => single(text, &Measure::GLUCOSE),
        AnswerType::Temperature => single(text, &Measure::TEMPERATURE),
        AnswerType::Weight => single(text, &Measure::WEIGHT),
        AnswerType::HeartRate => single(text, &Measure::HEART_RATE),
        AnswerType::Scale { from, to } => ranged(
            text,
            (i64::from(*from) * 1000, i64::from(*to) * 1000),
            None,
            true,
            dose_open,
        ),
        AnswerType::Number { from, to, unit } => {
            let range = (milli(from), milli(to));
            ranged(text, range, unit.as_deref(), false, dose_open)
        }
    }
}

/// None of what is counted.
const NOTHING: &[&str] = &[
    "没有",
    "没",
    "无",
    "没疼",
    "不疼",
    "不痛",
    "一点不疼",
    "一点都不疼",
    "一次没有",
    "一次都没有",
    "none",
    "nil",
    "nothing",
    "nopain",
    "nopainatall",
    "notatall",
];

/// One part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Number(Numeral),
    Label(Label),
    Unit(Unit),
    /// "/", "over".
    Over,
    /// A comma between numbers, or another mark.
    Mark(char),
    /// High, fine: no number.
    Quality,
    /// 半, behind a unit.
    Half,
    Unknown {
        ideograph: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Upper,
    Lower,
    Pressure,
    Pulse,
    Glucose,
    Temperature,
    Weight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    MmHg,
    MmolL,
    MgDl,
    Celsius,
    Fahrenheit,
    Kg,
    Jin,
    Pound,
    Beats,
    Points,
    /// Of a pressure that nobody is asked in.
    Kilopascal,
    /// The plan's own.
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Label(Label),
    Unit(Unit),
    Over,
    Quality,
    Half,
    /// Of another time.
    Elsewhere,
    /// Says nothing of the value.
    Filler,
}

/// Takes an answer apart; `own` is the plan's own unit.
fn pieces(text: &str, own: Option<&str>) -> Vec<Piece> {
    let writing = Writing::of(text);
    let characters = writing.characters();
    let own: Option<Vec<char>> = own.map(|unit| Writing::of(unit).characters().to_vec());
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let first = characters[at];
        if first == ' ' {
            at += 1;
            continue;
        }
        if let Some(own) = &own
            && !own.is_empty()
            && characters[at..].starts_with(own)
        {
            pieces.push(Piece::Unit(Unit::Own));
            at += own.len();
            continue;
        }
        if let Some((_, length)) = super::clock::clock(characters, at)
            && matches!(characters.get(at + length), Some('量' | '测' | '称' | '查'))
        {
            // 6点半量的: when.
            at += length;
            continue;
        }
        let letter = first.is_ascii_alphabetic();
        let word = WORDS
            .iter()
            .filter_map(|(word, meaning)| {
                let length = word.chars().count();
                let here = characters.get(at..at + length)?;
                let ends = !word.ends_with(|c: char| c.is_ascii_alphabetic())
                    || characters
                        .get(at + length)
                        .is_none_or(|c| !c.is_ascii_alphabetic());
                (here.iter().copied().eq(word.chars()) && ends).then_some((length, *meaning))
            })
            .max_by_key(|(length, _)| *length);
        let number = numeral(characters, at)
            .filter(|number| !letter || word.is_none_or(|(length, _)| length <= number.length));
        if let Some(mut number) = number
            && word.is_none_or(|(length, _)| length < number.length || first.is_ascii_digit())
        {
            spoken(characters, at, &mut number);
            pieces.push(Piece::Number(number));
            at += number.length;
            continue;
        }
        if let Some((length, meaning)) = word {
            match meaning {
                Meaning::Label(label) => pieces.push(Piece::Label(label)),
                Meaning::Unit(unit) => pieces.push(Piece::Unit(unit)),
                Meaning::Over => pieces.push(Piece::Over),
                Meaning::Quality => pieces.push(Piece::Quality),
                Meaning::Half => pieces.push(Piece::Half),
                Meaning::Elsewhere => pieces.push(Piece::Unknown { ideograph: true }),
                Meaning::Filler => {}
            }
            at += length;
            continue;
        }
        if is_mark(first) {
            pieces.push(Piece::Mark(first));
            at += 1;
            continue;
        }
        let length = if letter {
            characters[at..]
                .iter()
                .take_while(|c| c.is_ascii_alphanumeric())
                .count()
        } else {
            1
        };
        pieces.push(Piece::Unknown {
            ideograph: is_ideograph(first) || length > 2,
        });
        at += length;
    }
    pieces
}

/// 6点5 and "6 and a half" are one number.
fn spoken(characters: &[char], at: usize, number: &mut Numeral) {
    if number.whole().is_none() {
        return;
    }
    let end = at + number.length;
    let digit = |index: usize| characters.get(index).and_then(|c| c.to_digit(10));
    let large = match characters.get(end) {
        Some('千') if characters.get(end + 1) != Some(&'克') => 1000,
        Some('万') => 10_000,
        _ => 1,
    };
    if large > 1 && number.thousandths < 100_000 {
        // 3千, 一万.
        number.thousandths *= large;
        number.length += 1;
    } else if number.digits
        && characters.get(end) == Some(&'点')
        && digit(end + 2).is_none()
        && let Some(tenth) = digit(end + 1)
    {
        number.thousandths += i64::from(tenth) * 100;
        number.length += 2;
    } else if super::clock::begins(characters, end, " and a half") {
        number.thousandths += 500;
        number.length += " and a half".len();
    }
}

fn numbers(pieces: &[Piece]) -> Vec<Numeral> {
    pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Number(number) => Some(*number),
            _ => None,
        })
        .collect()
}

/// A question mark, or words that are not of a value.
fn has_unknown(pieces: &[Piece]) -> bool {
    pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Unknown { .. } | Piece::Mark('?')))
}

/// Whether it was meant as a value: numbers and nothing that is not understood but a slip.
fn malformed(pieces: &[Piece]) -> Answer {
    let number = !numbers(pieces).is_empty();
    let quality = pieces.iter().any(|piece| {
        matches!(
            piece,
            Piece::Quality | Piece::Label(Label::Upper | Label::Lower)
        )
    });
    let words = pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Unknown { ideograph: true } | Piece::Mark('?')));
    if (number || quality) && !words {
        Answer::Malformed
    } else {
        Answer::None
    }
}

/// "130/85", "高压130低压85", "bp 130 over 85", with the pulse or without.
fn pressure(pieces: &[Piece]) -> Answer {
    if has_unknown(pieces) {
        return malformed(pieces);
    }
    let (mut upper, mut lower, mut pulse) = (None, None, None);
    let mut plain = Vec::new();
    let mut label = None;
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Label(found) => label = Some(*found),
            Piece::Number(number) => {
                let number = *number;
                // 13085 and 130.855 are slips, 130.85 is a point for a slash.
                if number.thousandths % 1000 != 0 && !plain.is_empty() {
                    return malformed(pieces);
                }
                let beats = matches!(pieces.get(index + 1), Some(Piece::Unit(Unit::Beats)));
                let slot = match label.take() {
                    Some(Label::Upper) => &mut upper,
                    Some(Label::Lower) => &mut lower,
                    Some(Label::Pulse) => &mut pulse,
                    Some(Label::Pressure) | None if beats => &mut pulse,
                    Some(Label::Pressure) | None => {
                        plain.push(number);
                        continue;
                    }
                    Some(_) => return malformed(pieces),
                };
                if slot.replace(number).is_some() {
                    return malformed(pieces);
                }
            }
            Piece::Unit(Unit::MmHg | Unit::Beats) | Piece::Over => {}
            Piece::Quality if upper.is_some() || lower.is_some() || !plain.is_empty() => {}
            Piece::Mark(',' | '-' | ':' | '.' | ';' | '!' | '(' | ')') => {}
            _ => return malformed(pieces),
        }
    }
    let whole = |number: Option<Numeral>| number.and_then(Numeral::whole);
    let (upper, lower) = match (upper, lower, &plain[..]) {
        (Some(upper), Some(lower), []) => (whole(Some(upper)), whole(Some(lower))),
        (None, None, [one])
            if one.digits
                && one.thousandths % 1000 != 0
                && one.length == 6
                && one.thousandths % 10 == 0 =>
        {
            // 130.85: three digits, a point, two digits.
            let decimals = one.thousandths % 1000 / 10;
            (
                u32::try_from(one.thousandths / 1000).ok(),
                u32::try_from(decimals).ok(),
            )
        }
        // 高压130，85.
        (Some(upper), None, [lower]) => (whole(Some(upper)), whole(Some(*lower))),
        (None, None, [upper, lower]) => (whole(Some(*upper)), whole(Some(*lower))),
        (None, None, [upper, lower, third]) if pulse.is_none() => {
            pulse = Some(*third);
            (whole(Some(*upper)), whole(Some(*lower)))
        }
        _ => return malformed(pieces),
    };
    let beats = pulse.is_none_or(|pulse| {
        pulse
            .whole()
            .is_some_and(|beats| (20..=300).contains(&beats))
    });
    match (upper, lower) {
        (Some(upper), Some(lower))
            if beats
                && (50..=300).contains(&upper)
                && (20..=200).contains(&lower)
                && upper > lower =>
        {
            Answer::Value(Value::BloodPressure { upper, lower })
        }
        _ => malformed(pieces),
    }
}

/// A check-in of one number in a unit of medicine.
struct Measure {
    label: Label,
    /// In thousandths, what the body can have.
    from: i64,
    to: i64,
    units: &'static [Unit],
}

impl Measure {
    const GLUCOSE: Self = Self {
        label: Label::Glucose,
        from: 500,
        to: 40_000,
        units: &[Unit::MmolL, Unit::MgDl],
    };
    const TEMPERATURE: Self = Self {
        label: Label::Temperature,
        from: 30_000,
        to: 45_000,
        units: &[Unit::Celsius, Unit::Fahrenheit],
    };
    const WEIGHT: Self = Self {
        label: Label::Weight,
        from: 2000,
        to: 400_000,
        units: &[Unit::Kg, Unit::Jin, Unit::Pound],
    };
    const HEART_RATE: Self = Self {
        label: Label::Pulse,
        from: 20_000,
        to: 300_000,
        units: &[Unit::Beats],
    };
}

fn single(text: &str, measure: &Measure) -> Answer {
    measured(pieces(text, None), measure)
}

fn measured(mut pieces: Vec<Piece>, measure: &Measure) -> Answer {
    join_half(&mut pieces);
    if measure.label != Label::Pulse {
        join_degrees(&mut pieces);
    }
    if has_unknown(&pieces) {
        return malformed(&pieces);
    }
    let mut number = None;
    let mut unit = None;
    for piece in &pieces {
        match piece {
            Piece::Number(found) if number.is_none() => number = Some(*found),
            Piece::Label(label) if *label == measure.label => {}
            Piece::Unit(found) if measure.units.contains(found) && unit.is_none() => {
                unit = Some(*found);
            }
            Piece::Mark(',' | ':' | '.' | '!' | ';' | '-')
                if number.is_none() || piece != &Piece::Mark('-') => {}
            Piece::Quality if number.is_some() => {}
            // A value of something else.
            Piece::Label(_) if number.is_none() && pieces.len() > 1 => return Answer::None,
            _ => return malformed(&pieces),
        }
    }
    let Some(number) = number else {
        return malformed(&pieces);
    };
    let value = match unit {
        // 1 mmol/L of glucose is 18.016 mg/dL.
        Some(Unit::MgDl) => rounded(number.thousandths * 1000, 18_016),
        Some(Unit::Fahrenheit) => rounded((number.thousandths - 32_000) * 5, 9),
        Some(Unit::Pound) => rounded(number.thousandths * 45_359, 100_000),
        Some(Unit::Jin) => number.thousandths / 2,
        _ => number.thousandths,
    };
    if measure.label == Label::Pulse && value % 1000 != 0
        || !(measure.from..=measure.to).contains(&value)
    {
        return malformed(&pieces);
    }
    Answer::Value(Value::Number(value))
}

/// A converted number to one decimal, in thousandths.
fn rounded(dividend: i64, divisor: i64) -> i64 {
    (dividend + divisor * 50).div_euclid(divisor * 100) * 100
}

/// 38度半, 65公斤半: half a unit more.
fn join_half(pieces: &mut Vec<Piece>) {
    let Some(at) = pieces.iter().position(|piece| *piece == Piece::Half) else {
        return;
    };
    if let Some([Piece::Number(number), Piece::Unit(_)]) =
        at.checked_sub(2).and_then(|from| pieces.get_mut(from..at))
        && number.whole().is_some()
    {
        number.thousandths += 500;
        pieces.remove(at);
    }
}

/// 36度8, 36,8 and 三十六度八 are one number.
fn join_degrees(pieces: &mut Vec<Piece>) {
    let Some(at) = pieces
        .iter()
        .position(|piece| matches!(piece, Piece::Number(_)))
    else {
        return;
    };
    let (
        Piece::Number(whole),
        Some(Piece::Unit(Unit::Celsius) | Piece::Mark(',' | '.')),
        Some(Piece::Number(tenth)),
    ) = (pieces[at], pieces.get(at + 1), pieces.get(at + 2))
    else {
        return;
    };
    if whole.thousandths % 1000 == 0
        && tenth.thousandths < 10_000
        && tenth.length == 1
        && tenth.thousandths % 1000 == 0
    {
        let joined = Numeral {
            thousandths: whole.thousandths + tenth.thousandths / 10,
            ..whole
        };
        pieces.splice(at..at + 3, [Piece::Number(joined)]);
    }
}

/// A number of a range that the plan gives.
fn ranged(
    text: &str,
    (from, to): (i64, i64),
    unit: Option<&str>,
    scale: bool,
    dose_open: bool,
) -> Answer {
    let pieces = pieces(text, unit);
    let words: String = squeezed(text).into_iter().collect();
    if from == 0 && !dose_open && NOTHING.contains(&words.as_str()) {
        return Answer::Value(Value::Number(0));
    }
    if has_unknown(&pieces) {
        return malformed(&pieces);
    }
    let negative = from < 0
        && matches!(pieces.iter().position(|piece| matches!(piece, Piece::Number(_))), Some(at) if at > 0 && pieces[at - 1] == Piece::Mark('-'));
    let mut found = Vec::new();
    let mut over = false;
    for piece in &pieces {
        match piece {
            Piece::Number(number) => found.push(*number),
            Piece::Over if scale => over = true,
            Piece::Unit(Unit::Own | Unit::Points) => {}
            // A unit that the plan does not name is only known to be right if it names none.
            Piece::Unit(_) if unit.is_none() && !scale => {}
            Piece::Unit(_) => return malformed(&pieces),
            Piece::Label(_) | Piece::Quality => {}
            Piece::Mark('-') if negative => {}
            Piece::Mark(',' | ':' | '.' | '!' | ';' | '(' | ')') => {}
            _ => return malformed(&pieces),
        }
    }
    let number = match found[..] {
        [number] if !over => number,
        // 7/10 of a scale to 10.
        [number, of] if over && of.thousandths == to => number,
        _ => return malformed(&pieces),
    };
    let value = if negative {
        -number.thousandths
    } else {
        number.thousandths
    };
    if scale && value % 1000 != 0 || !(from..=to).contains(&value) {
        return malformed(&pieces);
    }
    Answer::Value(Value::Number(value))
}
