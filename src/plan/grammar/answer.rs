//! What a check-in asks for, and which answers must be looked at.

use super::{Problem, Reading as Read, span};
use crate::plan::{AlertIf, AnswerType, Reading, words::normalise};

const HELP: &str = "\"text\", \"yes or no\", \"number from 0 to 10\", \"scale 1 to 5\", \"one of: good, bad\", \"blood pressure\", \"blood glucose\", \"temperature\", \"weight\" or \"heart rate\"";

/// Answers with a name of their own.
const NAMED: &[(&str, AnswerType)] = &[
    ("text", AnswerType::Text),
    ("文字", AnswerType::Text),
    ("yes or no", AnswerType::YesOrNo),
    ("yes/no", AnswerType::YesOrNo),
    ("是或否", AnswerType::YesOrNo),
    ("blood pressure", AnswerType::BloodPressure),
    ("血压", AnswerType::BloodPressure),
    ("blood glucose", AnswerType::BloodGlucose),
    ("blood sugar", AnswerType::BloodGlucose),
    ("血糖", AnswerType::BloodGlucose),
    ("temperature", AnswerType::Temperature),
    ("体温", AnswerType::Temperature),
    ("weight", AnswerType::Weight),
    ("体重", AnswerType::Weight),
    ("heart rate", AnswerType::HeartRate),
    ("pulse", AnswerType::HeartRate),
    ("心率", AnswerType::HeartRate),
];

/// What a check-in asks for, as `answer` of a plan says it.
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn answer(text: &str) -> Read<AnswerType> {
    let plain = collapse(&normalise(text));
    if let Some((_, answer)) = NAMED.iter().find(|(name, _)| *name == plain) {
        return Ok(answer.clone());
    }
    for prefix in ["one of", "选项", "选择"] {
        if let Some(rest) = plain
            .strip_prefix(prefix)
            .and_then(|rest| rest.trim_start().strip_prefix(':'))
        {
            return one_of(text, rest);
        }
    }
    for prefix in ["number from", "number", "数字从", "数字"] {
        if let Some(rest) = plain.strip_prefix(prefix) {
            let (from, to, unit) = range(rest).ok_or_else(|| {
                Problem::new("a number is asked for with its smallest and its largest value")
                    .help("\"number from 0 to 10\" or \"number from 30 to 300 mg/dL\"")
            })?;
            if milli(from) >= milli(to) {
                return Err(
                    Problem::new(format!("the range from {from} to {to} is empty"))
                        .help(format!("\"number from {to} to {from}\"")),
                );
            }
            return Ok(AnswerType::Number {
                from: from.to_owned(),
                to: to.to_owned(),
                unit: original_tail(text, unit),
            });
        }
    }
    for prefix in ["scale from", "scale", "评分从", "评分", "打分"] {
        if let Some(rest) = plain.strip_prefix(prefix) {
            let whole = range(rest)
                .filter(|(_, _, unit)| unit.is_empty())
                .and_then(|(from, to, _)| Some((from.parse().ok()?, to.parse().ok()?)));
            return match whole {
                Some((from, to)) if from < to && to - from <= 100 => {
                    Ok(AnswerType::Scale { from, to })
                }
                _ => Err(Problem::new(
                    "a scale goes in whole steps from a lower to a higher number",
                )
                .help("\"scale 1 to 5\"")),
            };
        }
    }
    let nearest = NAMED
        .iter()
        .map(|(name, _)| (strsim::damerau_levenshtein(&plain, name), *name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4 && name.is_ascii())
        .min_by_key(|(distance, _)| *distance);
    let message = match nearest {
        Some((_, name)) => format!(
            "`{}` is no kind of answer; the nearest one is `{name}`",
            text.trim()
        ),
        None => format!("`{}` is no kind of answer", text.trim()),
    };
    Err(Problem::new(message).help(HELP))
}

fn one_of(text: &str, rest: &str) -> Read<AnswerType> {
    // As written, not as compared: the patient reads these words.
    let words = original_tail(text, rest.trim()).unwrap_or_default();
    let words: Vec<String> = words
        .split([',', '，', '、', ';', '；'])
        .map(|word| word.trim().to_owned())
        .collect();
    if words.iter().any(String::is_empty) || words.len() < 2 {
        return Err(
            Problem::new("a choice needs at least two words").help("\"one of: good, fair, bad\"")
        );
    }
    for (index, word) in words.iter().enumerate() {
        if words[..index]
            .iter()
            .any(|other| normalise(other) == normalise(word))
        {
            return Err(Problem::new(format!("`{word}` stands here twice"))
                .help("\"one of: good, fair, bad\""));
        }
    }
    Ok(AnswerType::OneOf(words))
}

/// The end of the text as written, where `tail` is the same end normalised.
fn original_tail(text: &str, tail: &str) -> Option<String> {
    let count = tail.chars().count();
    let text = text.trim();
    let start = text
        .char_indices()
        .rev()
        .nth(count.checked_sub(1)?)
        .map(|(at, _)| at)?;
    Some(text[start..].trim().to_owned())
}

/// "A to B", "A到B", and what stands behind it.
fn range(text: &str) -> Option<(&str, &str, &str)> {
    let (from, rest) = number(text.trim_start())?;
    let rest = rest.trim_start();
    let rest = ["to", "到", "至", "-"]
        .iter()
        .find_map(|to| rest.strip_prefix(to))?;
    let (to, unit) = number(rest.trim_start())?;
    Some((from, to, unit.trim()))
}

/// A decimal number, perhaps negative, with at most three decimals, and the rest.
fn number(text: &str) -> Option<(&str, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let sign = usize::from(text.starts_with('-'));
    let whole = digits(&text[sign..]);
    if !(1..=9).contains(&whole) {
        return None;
    }
    let mut length = sign + whole;
    if text[length..].starts_with('.') {
        let decimals = digits(&text[length + 1..]);
        if !(1..=3).contains(&decimals) {
            return None;
        }
        length += 1 + decimals;
    }
    Some(text.split_at(length))
}

/// A number of [`number`] in thousandths.
pub(crate) fn milli(number: &str) -> i64 {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole_milli = whole
        .parse::<i64>()
        .unwrap_or_default()
        .saturating_mul(1000);
    let decimals = format!("{decimals:0<3}").parse::<i64>().unwrap_or_default();
    if number.starts_with('-') {
        whole_milli - decimals
    } else {
        whole_milli + decimals
    }
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads one entry of `alert_if`, which must fit the kind of answer.
pub(in crate::plan) fn alert_if(text: &str, answer: &AnswerType) -> Read<AlertIf> {
    let plain = collapse(&normalise(text));
    let numeric = !matches!(
        answer,
        AnswerType::Text | AnswerType::YesOrNo | AnswerType::OneOf(_)
    );
    let refused = || {
        Err(Problem::new(format!(
            "`{}` cannot be asked of this kind of answer",
            text.trim()
        ))
        .help(alert_help(answer)))
    };
    match plain.as_str() {
        "yes" | "是" if *answer == AnswerType::YesOrNo => return Ok(AlertIf::Yes),
        "no" | "否" if *answer == AnswerType::YesOrNo => return Ok(AlertIf::No),
        "yes" | "no" | "是" | "否" => return refused(),
        _ => {}
    }
    if let Some(word) = plain
        .strip_prefix("is ")
        .or_else(|| plain.strip_prefix('是'))
    {
        let AnswerType::OneOf(words) = answer else {
            return refused();
        };
        return match words.iter().find(|known| normalise(known) == word.trim()) {
            Some(known) => Ok(AlertIf::Is(known.clone())),
            None => Err(
                Problem::new(format!("`{}` is none of the answers", word.trim()))
                    .help(alert_help(answer)),
            ),
        };
    }
    let (reading, rest) = reading_of(&plain);
    let Some((form, rest)) = form_of(rest) else {
        return Err(Problem::new(format!(
            "`{}` is not understood as a condition",
            text.trim()
        ))
        .help(alert_help(answer)));
    };
    if !numeric {
        return refused();
    }
    let pressure = *answer == AnswerType::BloodPressure;
    if pressure && reading == Reading::Value {
        return Err(Problem::new("the upper or the lower blood pressure?").help(alert_help(answer)));
    }
    if !pressure && reading != Reading::Value {
        return refused();
    }
    let wrong = || {
        Problem::new(format!(
            "`{}` is not understood as a condition",
            text.trim()
        ))
        .help(alert_help(answer))
    };
    let (value, rest) = match form {
        Form::Outside => {
            let (from, to, rest) = range(rest).ok_or_else(wrong)?;
            if !rest.is_empty() {
                return Err(wrong());
            }
            let (from, to) = (milli(from), milli(to));
            if from >= to {
                return Err(Problem::new("the range is empty").help("\"outside 4 to 10\""));
            }
            if limits(answer).is_some_and(|(least, most)| from <= least && most <= to) {
                return Err(no_answer(answer));
            }
            return Ok(AlertIf::Outside(reading, from, to));
        }
        Form::Over | Form::Under | Form::Up | Form::Down => {
            number(rest.trim_start()).ok_or_else(wrong)?
        }
    };
    limit(form, reading, milli(value), rest.trim(), answer).unwrap_or_else(|| Err(wrong()))
}

/// The condition with its limit in thousandths; `None` where what stands behind it is not
/// understood.
fn limit(
    form: Form,
    reading: Reading,
    value: i64,
    rest: &str,
    answer: &AnswerType,
) -> Option<Read<AlertIf>> {
    if matches!(form, Form::Over | Form::Under) {
        if !rest.is_empty() {
            return None;
        }
        let beyond = |(least, most): (i64, i64)| {
            if form == Form::Over {
                !(least..most).contains(&value)
            } else {
                value <= least || value > most
            }
        };
        if limits(answer).is_some_and(beyond) {
            return Some(Err(no_answer(answer)));
        }
        return Some(Ok(if form == Form::Over {
            AlertIf::Over(reading, value)
        } else {
            AlertIf::Under(reading, value)
        }));
    }
    let time = rest
        .strip_prefix("in ")
        .or_else(|| rest.strip_suffix('内'))?;
    Some(span::positive_duration(time).and_then(|time| {
        let problem = if value <= 0 {
            "a change of zero is no change"
        } else if limits(answer).is_some_and(|(least, most)| value > most - least) {
            "no two answers are so far apart"
        } else {
            return Ok(if form == Form::Up {
                AlertIf::Up(reading, value, time)
            } else {
                AlertIf::Down(reading, value, time)
            });
        };
        Err(Problem::new(problem).help("\"up 2 in 3 days\""))
    }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Over,
    Under,
    Outside,
    Up,
    Down,
}

fn form_of(text: &str) -> Option<(Form, &str)> {
    let forms = [
        ("over", Form::Over),
        ("under", Form::Under),
        ("outside", Form::Outside),
        ("up", Form::Up),
        ("down", Form::Down),
        ("超过", Form::Over),
        ("高于", Form::Over),
        ("低于", Form::Under),
        ("超出", Form::Outside),
        ("不在", Form::Outside),
        ("升高", Form::Up),
        ("上升", Form::Up),
        ("降低", Form::Down),
        ("下降", Form::Down),
    ];
    forms
        .iter()
        .find_map(|(word, form)| Some((*form, text.strip_prefix(word)?.trim_start())))
}

fn reading_of(text: &str) -> (Reading, &str) {
    let readings = [
        ("upper", Reading::Upper),
        ("lower", Reading::Lower),
        ("高压", Reading::Upper),
        ("收缩压", Reading::Upper),
        ("低压", Reading::Lower),
        ("舒张压", Reading::Lower),
    ];
    readings
        .iter()
        .find_map(|(word, reading)| Some((*reading, text.strip_prefix(word)?.trim_start())))
        .unwrap_or((Reading::Value, text))
}

/// The smallest and the largest answer, where the question says them.
fn limits(answer: &AnswerType) -> Option<(i64, i64)> {
    match answer {
        AnswerType::Number { from, to, .. } => Some((milli(from), milli(to))),
        AnswerType::Scale { from, to } => Some((i64::from(*from) * 1000, i64::from(*to) * 1000)),
        _ => None,
    }
}

/// A limit that no answer can pass, or that each one passes, is a slip of the pen.
fn no_answer(answer: &AnswerType) -> Problem {
    let message = "no answer can be beyond this limit, or each one is";
    Problem::new(message).help(alert_help(answer))
}

fn alert_help(answer: &AnswerType) -> String {
    match answer {
        AnswerType::Text => {
            "a text has no limits: ask \"yes or no\", a number or \"one of: …\"".to_owned()
        }
        AnswerType::YesOrNo => "\"yes\" or \"no\"".to_owned(),
        AnswerType::OneOf(words) => format!("\"is {}\"", words.first().map_or("", String::as_str)),
        AnswerType::BloodPressure => "\"upper over 160\" or \"lower under 50\"".to_owned(),
        AnswerType::BloodGlucose => "\"over 13\", \"under 4\" or \"outside 4 to 10\"".to_owned(),
        AnswerType::Temperature => "\"over 38.5\"".to_owned(),
        AnswerType::Weight => "\"up 2 in 3 days\"".to_owned(),
        AnswerType::HeartRate => "\"over 120\" or \"under 50\"".to_owned(),
        AnswerType::Number { from, to, .. } => {
            let middle = i64::midpoint(milli(from), milli(to));
            let sign = if middle < 0 { "-" } else { "" };
            let (whole, rest) = (middle.abs() / 1000, middle.abs() % 1000);
            let decimals = if rest == 0 {
                String::new()
            } else {
                format!(".{rest:03}")
            };
            let decimals = decimals.trim_end_matches('0');
            format!("\"over {sign}{whole}{decimals}\": a limit within {from} to {to}")
        }
        AnswerType::Scale { to, .. } => format!("\"over {}\"", to - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn every_kind_of_answer_is_read_in_both_languages() {
        let number = |from: &str, to: &str, unit: Option<&str>| AnswerType::Number {
            from: from.into(),
            to: to.into(),
            unit: unit.map(Into::into),
        };
        for (text, expected) in [
            ("text", AnswerType::Text),
            ("文字", AnswerType::Text),
            ("Yes or  No", AnswerType::YesOrNo),
            ("是或否", AnswerType::YesOrNo),
            ("number from 0 to 10", number("0", "10", None)),
            (
                "number from 1.5 to 30 mmol/L",
                number("1.5", "30", Some("mmol/L")),
            ),
            ("数字从0到10", number("0", "10", None)),
            ("number from -5 to 5", number("-5", "5", None)),
            ("scale 1 to 5", AnswerType::Scale { from: 1, to: 5 }),
            ("评分1到5", AnswerType::Scale { from: 1, to: 5 }),
            (
                "one of: Good, Fair, Bad",
                AnswerType::OneOf(vec!["Good".into(), "Fair".into(), "Bad".into()]),
            ),
            (
                "选项：好、一般、差",
                AnswerType::OneOf(vec!["好".into(), "一般".into(), "差".into()]),
            ),
            ("blood pressure", AnswerType::BloodPressure),
            ("血压", AnswerType::BloodPressure),
            ("血糖", AnswerType::BloodGlucose),
            ("体温", AnswerType::Temperature),
            ("体重", AnswerType::Weight),
            ("心率", AnswerType::HeartRate),
        ] {
            assert_eq!(answer(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "number",
            "number from 5 to 5",
            "number from 10 to 0",
            "scale 5 to 1",
            "scale 1.5 to 3",
            "one of:",
            "one of: a",
            "one of: a, a",
            "one of: a,,b",
            "blod pressure",
            "maybe",
        ] {
            assert!(answer(text).unwrap_err().help.is_some(), "{text}");
        }
    }

    #[test]
    fn conditions_fit_their_answers() {
        let hours = SignedDuration::from_hours;
        let one_of = AnswerType::OneOf(vec!["Good".into(), "差".into()]);
        let scale = AnswerType::Scale { from: 0, to: 10 };
        for (text, answer, expected) in [
            (
                "upper over 160",
                AnswerType::BloodPressure,
                AlertIf::Over(Reading::Upper, 160_000),
            ),
            (
                "lower under 50",
                AnswerType::BloodPressure,
                AlertIf::Under(Reading::Lower, 50_000),
            ),
            (
                "高压超过160",
                AnswerType::BloodPressure,
                AlertIf::Over(Reading::Upper, 160_000),
            ),
            (
                "低压低于50",
                AnswerType::BloodPressure,
                AlertIf::Under(Reading::Lower, 50_000),
            ),
            (
                "over 38.5",
                AnswerType::Temperature,
                AlertIf::Over(Reading::Value, 38_500),
            ),
            (
                "超过38.5",
                AnswerType::Temperature,
                AlertIf::Over(Reading::Value, 38_500),
            ),
            (
                "低于4",
                AnswerType::BloodGlucose,
                AlertIf::Under(Reading::Value, 4000),
            ),
            (
                "outside 4 to 10",
                AnswerType::BloodGlucose,
                AlertIf::Outside(Reading::Value, 4000, 10_000),
            ),
            (
                "up 2 in 3 days",
                AnswerType::Weight,
                AlertIf::Up(Reading::Value, 2000, hours(72)),
            ),
            (
                "down 1.5 in 1 week",
                AnswerType::Weight,
                AlertIf::Down(Reading::Value, 1500, hours(168)),
            ),
            ("over 7", scale.clone(), AlertIf::Over(Reading::Value, 7000)),
            ("yes", AnswerType::YesOrNo, AlertIf::Yes),
            ("否", AnswerType::YesOrNo, AlertIf::No),
            ("is good", one_of.clone(), AlertIf::Is("Good".into())),
            ("是差", one_of.clone(), AlertIf::Is("差".into())),
        ] {
            assert_eq!(alert_if(text, &answer), Ok(expected), "{text}");
        }
        for (text, answer) in [
            ("over 160", AnswerType::BloodPressure),
            ("upper over 160", AnswerType::HeartRate),
            ("over 5", AnswerType::Text),
            ("over 5", AnswerType::YesOrNo),
            ("yes", AnswerType::Weight),
            ("is fine", one_of),
            ("over 11", scale),
            ("up 2", AnswerType::Weight),
            ("up 0 in 2 days", AnswerType::Weight),
            ("outside 10 to 4", AnswerType::BloodGlucose),
            ("over", AnswerType::Weight),
            ("over 5 kg", AnswerType::Weight),
            ("sometimes", AnswerType::YesOrNo),
        ] {
            assert!(
                alert_if(text, &answer).unwrap_err().help.is_some(),
                "{text}"
            );
        }
    }
}
