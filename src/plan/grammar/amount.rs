//! How much: amounts, schemes, steps and stocks.

use super::{Problem, Reading, span::CalendarSpan};
use crate::plan::words::{Kind, Words, normalise, numeral, vulgar_fraction};
use jiff::civil::Date;

/// Longer ones are sentences, and those belong into a note.
const LENGTH_MAX: usize = 60;

/// More decimals are a slip of the pen; 0.0625 mg is a dose.
const DECIMALS_MAX: usize = 4;

/// A number at the beginning of a text.
struct Leading<'t> {
    thousandths: i64,
    rest: &'t str,
}

/// A number in digits, as a fraction, or as a Chinese numeral.
fn leading(text: &str) -> Option<Leading<'_>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let first = text.chars().next()?;
    if digits == 0 {
        if let Some(thousandths) = vulgar_fraction(first) {
            return Some(Leading {
                thousandths,
                rest: &text[first.len_utf8()..],
            });
        }
        let (kind, length) = numeral(text)?;
        let thousandths = match kind {
            Kind::N(number) => i64::from(number) * 1000,
            Kind::Thousandths(number) => number,
            _ => return None,
        };
        return Some(Leading {
            thousandths,
            rest: &text[length..],
        });
    }
    let whole: i64 = text[..digits]
        .parse()
        .ok()
        .filter(|whole| *whole < 1_000_000_000)?;
    let rest = &text[digits..];
    if let Some(decimals) = rest.strip_prefix('.') {
        let count = decimals.bytes().take_while(u8::is_ascii_digit).count();
        if (1..=DECIMALS_MAX).contains(&count) {
            let part: i64 = format!("{:0<4}", &decimals[..count]).parse().ok()?;
            return Some(Leading {
                // Rounded: nothing is counted more finely.
                thousandths: whole * 1000 + (part + 5) / 10,
                rest: &decimals[count..],
            });
        }
        return None;
    }
    if let Some((thousandths, rest)) = slashed(&text[digits..], whole) {
        return Some(Leading { thousandths, rest });
    }
    // "1½", "1 1/2"
    let next = rest.trim_start();
    if let Some(fraction) = next.chars().next()
        && let Some(part) = vulgar_fraction(fraction)
    {
        return Some(Leading {
            thousandths: whole * 1000 + part,
            rest: &next[fraction.len_utf8()..],
        });
    }
    let inner = next.bytes().take_while(u8::is_ascii_digit).count();
    if inner > 0
        && let Ok(numerator) = next[..inner].parse()
        && let Some((part, rest)) = slashed(&next[inner..], numerator)
    {
        return Some(Leading {
            thousandths: whole * 1000 + part,
            rest,
        });
    }
    Some(Leading {
        thousandths: whole * 1000,
        rest,
    })
}

/// The rest of "1/2" after its numerator.
fn slashed(text: &str, numerator: i64) -> Option<(i64, &str)> {
    let rest = text.strip_prefix('/')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let denominator: i64 = rest[..digits].parse().ok()?;
    // Thousandths, rounded: a third of a tablet is 0.333.
    let proper = (2..=10).contains(&denominator) && (1..denominator).contains(&numerator);
    proper.then(|| ((numerator * 2000 / denominator + 1) / 2, &rest[digits..]))
}

/// `take`: the amount in the doctor's words; empty for "as directed".
pub(in crate::plan) fn amount(text: &str) -> Reading<String> {
    let words = text.trim();
    let plain = normalise(words);
    if matches!(plain.as_str(), "as directed" | "遵医嘱" | "按医嘱") {
        return Ok(String::new());
    }
    if words.chars().count() > LENGTH_MAX || words.chars().any(char::is_control) {
        return Err(Problem::new(format!(
            "an amount is one line of at most {LENGTH_MAX} characters"
        ))
        .help("\"1 tablet\"; put explanations into `note`"));
    }
    if let Some(problem) = invisible(words).or_else(|| scheme_in_take(words, &plain)) {
        return Err(problem);
    }
    if plain.starts_with('-') {
        return Err(Problem::new("an amount cannot be negative").help("\"1 tablet\""));
    }
    let Some(first) = leading(&plain) else {
        return Err(no_number(words, &plain));
    };
    let mut rest = first.rest;
    if let Some(second) = rest.trim_start().strip_prefix('-') {
        match leading(second.trim_start()) {
            Some(upper) if upper.thousandths > first.thousandths => rest = upper.rest,
            Some(_) => {
                return Err(
                    Problem::new("a range goes from the smaller to the larger number")
                        .help("\"1-2 puffs\""),
                );
            }
            None => {
                return Err(Problem::new(format!("`{words}` is no amount")).help("\"1-2 puffs\""));
            }
        }
    }
    if let Some(decimals) = rest.strip_prefix(',')
        && decimals.starts_with(|c: char| c.is_ascii_digit())
    {
        let decimal = plain.replacen(',', ".", 1);
        let digits = decimals.bytes().take_while(u8::is_ascii_digit).count();
        let problem = Problem::new("a comma in a number is ambiguous");
        return Err(if digits == 3 {
            problem.help(format!(
                "\"{}\" or \"{decimal}\"",
                plain.replacen(',', "", 1)
            ))
        } else {
            problem.help(format!("\"{decimal}\""))
        });
    }
    if rest.starts_with(['百', '千', '万', '亿', '零', '〇', '点']) {
        let message = format!("`{words}`: numbers beyond 99 and fractions are written in digits");
        return Err(Problem::new(message).help("\"100单位\" or \"2.5毫克\""));
    }
    let number = &plain[..plain.len() - rest.len()];
    if let Some(problem) = says_when(number, rest).or_else(|| says_more(number, rest)) {
        return Err(problem);
    }
    if exponent(rest) {
        return Err(
            Problem::new(format!("`{words}` is written like a calculator's number"))
                .help("\"1000 mg\", with all its digits"),
        );
    }
    let number = &plain[..plain.len() - first.rest.len()];
    if first.thousandths == 0 && !number.contains(|c: char| matches!(c, '1'..='9')) {
        return Err(Problem::new("an amount of zero is no dose").help("\"1 tablet\""));
    }
    if rest.starts_with(['.', '/', ':', '*', '+', '=']) || rest.contains(|c: char| c.is_control()) {
        return Err(Problem::new(format!("`{words}` is no amount"))
            .help("\"0.5 tablet\", \"1 tablet\" or \"1-2 puffs\""));
    }
    Ok(words.to_owned())
}

/// "1 tablet for 7 days", "1片，每天3次": an amount that says when, which nothing would follow.
fn says_when(number: &str, rest: &str) -> Option<Problem> {
    use Kind::{Day, DayNumber, Every, Hour, Month, N, Once, Part, Times, Week, Weekday};
    let words = Words::of(rest);
    let at = words.kinds().windows(2).position(|pair| {
        matches!(
            pair,
            [N(_), Day | DayNumber | Week | Month | Times]
                | [Times | Once, N(_)]
                | [
                    Every,
                    Day | N(_) | Hour | Week | Month | Weekday(_) | Part(_)
                ]
        )
    })?;
    let message =
        "an amount says how much; when, and for how long, stand in `at`, `days` and `for`";
    if at == 0 && matches!(words.kinds()[0], Times | Once) {
        return Some(Problem::new(message).help("\"2 tablets\""));
    }
    let (unit, _) = words.split_at(at, rest)?;
    let unit = unit.trim_end_matches([' ', ',', '-']);
    let unit = unit.strip_suffix(" for").unwrap_or(unit);
    let space = if rest.starts_with(' ') { " " } else { "" };
    Some(Problem::new(message).help(format!("\"{number}{space}{unit}\"")))
}

/// Characters that cannot be seen, or that turn the reading direction: what is shown must be what
/// is written.
fn invisible(words: &str) -> Option<Problem> {
    let hidden = words.chars().find(|c| crate::plan::words::is_hidden(*c))?;
    Some(
        Problem::new(format!(
            "an amount has a character that cannot be seen: U+{:04X}",
            u32::from(hidden)
        ))
        .help("\"1 tablet\", typed anew"),
    )
}

/// "1-0-1", "1-0-1 tablets": morning, noon and evening, or a range?
fn scheme_in_take(words: &str, plain: &str) -> Option<Problem> {
    let fields: Vec<&str> = plain.split('-').collect();
    // 2026-03-02 is a date.
    if fields.len() < 3 || plain.find('-') == Some(4) {
        return None;
    }
    let (last, others) = fields.split_last()?;
    let number = |field: &&str| leading(field.trim()).is_some_and(|found| found.rest.is_empty());
    if !others.iter().all(number) {
        return None;
    }
    let unit = leading(last.trim())?.rest.trim();
    let numbers = words[..words.len().saturating_sub(unit.len())].trim_end();
    let unit = if unit.is_empty() { "tablet" } else { unit };
    Some(
        Problem::new(format!("`{words}` in `take` is ambiguous")).help(format!(
            "scheme = \"{numbers}\" and unit = \"{unit}\", without `at` and `take`"
        )),
    )
}

/// Why a text that does not begin with a number is no amount.
fn no_number(words: &str, plain: &str) -> Problem {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(plain);
    let decimals = plain[whole..].strip_prefix('.').map_or(0, digits);
    if whole == 0 && decimals > 0 {
        return Problem::new(format!("`{words}` has nothing before its point"))
            .help(format!("\"0{plain}\""));
    }
    if whole > 0
        && decimals == 0
        && let Some(unit) = plain[whole..].strip_prefix('.')
    {
        return Problem::new(format!("`{words}` has nothing behind its point"))
            .help(format!("\"{}{unit}\"", &plain[..whole]));
    }
    if decimals > DECIMALS_MAX {
        return Problem::new(format!("`{words}` has more than {DECIMALS_MAX} decimals"))
            .help("\"62.5 µg\": a smaller unit with fewer decimals");
    }
    Problem::new(format!(
        "`{words}` is no amount: an amount begins with a number"
    ))
    .help("\"1 tablet\", \"½ tablet\", \"1-2 puffs\" or \"as directed\"")
}

/// Abbreviations that say how often; ("od" is also the right eye).
const LATIN: &[&str] = &[
    "bd", "bid", "eod", "hs", "od", "prn", "qd", "qds", "qhs", "qid", "qn", "qod", "tds", "tid",
];

/// An amount that says a second amount, or a time: `rest` is what follows its number. What stands
/// in parentheses explains, and is left alone.
fn says_more(number: &str, rest: &str) -> Option<Problem> {
    let plain = rest.split('(').next().unwrap_or(rest);
    let unit = plain.trim();
    let begins_with_number = |text: &str| leading(text.trim_start()).is_some();
    if unit.starts_with(|c: char| c.is_ascii_digit()) {
        let digits = unit.bytes().take_while(u8::is_ascii_digit).count();
        let grouped = digits == 3 && number.bytes().all(|b| b.is_ascii_digit());
        let help = if grouped && unit.starts_with('0') {
            format!("\"{number}{unit}\"")
        } else {
            let strength: Vec<&str> = unit.split_whitespace().take(2).collect();
            format!("\"{number} tablets of {}\"", strength.join(" "))
        };
        return Some(Problem::new("two numbers side by side can be read as one").help(help));
    }
    let one = || {
        let end = unit.find([',', ';']).unwrap_or(unit.len());
        let end = [" or ", "或", " then ", "然后"]
            .iter()
            .filter_map(|word| unit.find(word))
            .fold(end, usize::min);
        let space = if plain.starts_with(' ') { " " } else { "" };
        format!("\"{number}{space}{}\"", unit[..end].trim_end())
    };
    let after = |word: &str| plain.split(word).skip(1).any(begins_with_number);
    if [" or ", "或"].into_iter().any(after) {
        let message = "this or that much: an amount is one number, or a range";
        return Some(Problem::new(message).help("\"1-2 tablets\""));
    }
    if [",", ";", " then ", "然后"].into_iter().any(after) {
        let message = "these are two amounts: which one when?";
        let help = format!(
            "{}, or one amount for each time: take = {{ \"08:00\" = \"1 tablet\", \"20:00\" = \"2 tablets\" }}",
            one()
        );
        return Some(Problem::new(message).help(help));
    }
    let latin = unit
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .map(|word| word.replace('.', ""))
        .find(|word| LATIN.contains(&word.as_str()) || every_so_often(word));
    if let Some(word) = latin {
        let message = format!(
            "`{word}` is an abbreviation that is often misread; when stands in `at` and `days`"
        );
        return Some(Problem::new(message).help("\"1 tablet\", and at = \"08:00\""));
    }
    let at = time_in(plain)?;
    let cut = plain[..at].trim_end_matches([' ', ',', '-', '@']);
    let cut = [" at", " on", " in the", " each", " per"]
        .iter()
        .find_map(|word| cut.strip_suffix(word))
        .unwrap_or(cut);
    Some(
        Problem::new("an amount says how much; when stands in `at` and `days`")
            .help(format!("\"{number}{}\"", cut.trim_end())),
    )
}

/// "q8h", "q2d".
fn every_so_often(word: &str) -> bool {
    word.strip_prefix('q')
        .and_then(|rest| rest.strip_suffix(['h', 'd']))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Where the rest of an amount begins to say a time: a clock time, a meal, or a word of the day
/// or a day of the week at its end ("evening primrose" is none).
fn time_in(rest: &str) -> Option<usize> {
    use Kind::{A, After, And, Before, Clock, Comma, Day, Meal, Meals, Part, Week, Weekday};
    let words = Words::of(rest);
    let kinds = words.kinds();
    let ends = |index: usize| matches!(kinds.get(index + 1), None | Some(Comma | And));
    let at = (0..kinds.len()).find(|&index| {
        let next = kinds.get(index + 1);
        match kinds[index] {
            Clock(hour, minute) => hour < 24 && minute < 60 && words.text_of(index).len() == 5,
            Part(_) | Weekday(_) | Kind::Weekdays | Kind::Weekends => ends(index),
            Kind::Date(_) => true,
            A => matches!(next, Some(Day | Week)),
            Meal(_) | Meals => matches!(next, Some(Before | After | Kind::With)),
            Before | After | Kind::With => matches!(next, Some(Meal(_) | Meals)),
            _ => false,
        }
    })?;
    let indent = rest.len() - rest.trim_start().len();
    words
        .split_at(at, rest)
        .map(|(before, _)| indent + before.len())
}

/// "e3": the rest of a number that a calculator shows as 1e3.
fn exponent(rest: &str) -> bool {
    let digits = rest
        .strip_prefix('e')
        .map(|rest| rest.trim_start_matches(['-', '+']));
    digits.is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
}

/// The four places of a scheme: morning, noon, evening, bedtime; `None` for 0. The unit is not
/// yet appended.
pub(in crate::plan) fn scheme(text: &str) -> Reading<[Option<String>; 4]> {
    let plain = normalise(text);
    let fields: Vec<&str> = plain.split('-').map(str::trim).collect();
    let wrong = |message: String| Problem::new(message).help("scheme = \"1-0-1\" or \"1-0-½-0\"");
    if !(3..=4).contains(&fields.len()) {
        return Err(wrong(format!(
            "`{}` is no scheme: it has three or four numbers, morning-noon-evening-bedtime",
            text.trim()
        )));
    }
    let mut places = [const { None }; 4];
    for (place, field) in places.iter_mut().zip(&fields) {
        match leading(field) {
            Some(found) if found.rest.is_empty() => {
                *place = (found.thousandths > 0).then(|| (*field).to_owned());
            }
            _ => {
                let problem = wrong(format!("`{field}` is no number of a scheme"));
                let decimal = plain.replace(',', ".");
                let repaired = field.contains(',') && scheme(&decimal).is_ok();
                return Err(if repaired {
                    problem.help(format!("scheme = \"{decimal}\""))
                } else {
                    problem
                });
            }
        }
    }
    if places.iter().all(Option::is_none) {
        return Err(wrong("a scheme of zeros never falls due".to_owned()));
    }
    Ok(places)
}

/// How long a step goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum StepLength {
    Span(CalendarSpan),
    Once,
    Open,
}

/// "40 mg for 5 days", "500 mg once", "5 mg", "40 mg 5天", "500 mg 一次".
pub(in crate::plan) fn step(text: &str) -> Reading<(String, StepLength)> {
    let text = text.trim();
    for ending in [" once", "一次", " 1次", "，1次"] {
        if let Some(cut) = strip_ending(text, ending).filter(|cut| !cut.ends_with('十')) {
            return Ok((amount_of_step(cut, ending)?, StepLength::Once));
        }
    }
    let lower = text.to_ascii_lowercase();
    // Trimmed, a "for" without its span ends the text.
    if let Some(at) = lower.rfind(" for ").or(lower
        .len()
        .checked_sub(4)
        .filter(|at| lower[..].ends_with(" for") && *at > 0))
    {
        let words = text[..at].trim();
        let span = super::span::calendar_span(text.get(at + 5..).unwrap_or_default())
            .map_err(|problem| problem.help(format!("\"{words} for 5 days\"")))?;
        return Ok((
            amount_of_step(words, " for 5 days")?,
            StepLength::Span(span),
        ));
    }
    // The last words, where they are a span: "40 mg 5天", "40 mg，5天", "40 mg 5 days".
    let words = Words::of(text);
    if let [
        ..,
        Kind::N(number),
        unit @ (Kind::Day | Kind::Week | Kind::Month),
    ] = *words.kinds()
        && let Some((amount, _)) = words.split_at(words.kinds().len() - 2, text)
        && amount.ends_with([' ', '\u{3000}', ',', '，', '、'])
    {
        let amount = amount.trim_end_matches([' ', '\u{3000}', ',', '，', '、']);
        let Some(span) = CalendarSpan::of(number, unit) else {
            let help = format!("\"{amount} for 5 days\"");
            return Err(Problem::new("a step lasts from a day to 100 years").help(help));
        };
        if amount.ends_with([' ', '\u{d7}', '*']) || amount.ends_with(" x") {
            let amount = amount.trim_end_matches(['x', '\u{d7}', '*', ' ']);
            let help = format!("\"{amount} for {number} days\"");
            return Err(Problem::new("how long a step lasts stands behind `for`").help(help));
        }
        let ending = if text.is_ascii() {
            " for 5 days"
        } else {
            " 5天"
        };
        return Ok((amount_of_step(amount, ending)?, StepLength::Span(span)));
    }
    let open = amount(text).map_err(|problem| {
        let says_length = matches!(
            words.kinds(),
            [
                ..,
                Kind::N(_),
                Kind::Day | Kind::DayNumber | Kind::Week | Kind::Month
            ]
        );
        if says_length {
            problem.help("\"40 mg for 5 days\"")
        } else {
            problem
        }
    });
    Ok((open?, StepLength::Open))
}

/// The amount of a step; what is wrong with it is helped with a whole step.
fn amount_of_step(text: &str, ending: &str) -> Reading<String> {
    amount(text).map_err(|problem| {
        let help = problem.help.as_deref().unwrap_or_default();
        let first = help.split('"').nth(1).unwrap_or("40 mg").to_owned();
        problem.help(format!("\"{first}{ending}\""))
    })
}

fn strip_ending<'t>(text: &'t str, ending: &str) -> Option<&'t str> {
    let at = text
        .len()
        .checked_sub(ending.len())
        .filter(|at| text.is_char_boundary(*at))?;
    text[at..]
        .eq_ignore_ascii_case(ending)
        .then(|| text[..at].trim_end_matches(['，', ',', ' ']))
}

/// "60 tablets on 2026-03-01", "60片 2026-03-01": thousandths, unit, day.
pub(in crate::plan) fn stock(text: &str) -> Reading<(i64, String, Date)> {
    const HELP: &str = "\"60 tablets on 2026-03-01\"";
    let text = text.trim();
    let cut = text
        .len()
        .checked_sub(10)
        .filter(|at| text.is_char_boundary(*at));
    let Some((counted, date)) = cut.map(|at| text.split_at(at)) else {
        return Err(Problem::new("a stock has an amount and the day it was counted").help(HELP));
    };
    if let Some(problem) = super::span::impossible_date(text, HELP) {
        return Err(problem);
    }
    let Ok(date) = date.parse::<Date>() else {
        return Err(Problem::new("a stock ends with the day on which it was counted").help(HELP));
    };
    let counted = counted.trim_end_matches([' ', '\u{3000}', ',', '，']);
    let counted = strip_ending(counted, " on").unwrap_or(counted).trim();
    let plain = normalise(counted);
    match leading(&plain) {
        Some(found) if found.thousandths >= 0 && !found.rest.starts_with(['-', ',', '.', '/']) => {
            Ok((found.thousandths, found.rest.trim().to_owned(), date))
        }
        _ => Err(Problem::new(format!("`{counted}` is no amount")).help(HELP)),
    }
}

/// The number at the beginning of an amount, in thousandths; of a range the upper one. `None`
/// where an amount has no number ("as directed").
#[must_use]
pub fn thousandths(amount: &str) -> Option<i64> {
    let plain = normalise(amount);
    let first = leading(&plain)?;
    let upper = first
        .rest
        .trim_start()
        .strip_prefix('-')
        .and_then(|rest| leading(rest.trim_start()));
    Some(upper.map_or(first.thousandths, |upper| upper.thousandths))
}

/// What is taken of a stock with an amount: thousandths, of a range the upper number, and the unit.
/// Several amounts at one instant ("1 tablet + 2 tablets") are summed up. `None` where an amount
/// has no number ("as directed"), or several have different units.
#[must_use]
pub fn quantity(amount: &str) -> Option<(i64, String)> {
    let mut sum: Option<(i64, String)> = None;
    for part in amount.split(crate::plan::BOTH) {
        let thousandths = thousandths(part)?;
        let unit = unit_of(&normalise(part));
        sum = Some(match sum {
            None => (thousandths, unit),
            Some((before, known)) if same_unit(&known, &unit) => {
                (before.checked_add(thousandths)?, known)
            }
            Some(_) => return None,
        });
    }
    sum
}

/// The unit of an amount: the first word behind its numbers.
fn unit_of(plain: &str) -> String {
    let Some(first) = leading(plain) else {
        return String::new();
    };
    let rest = first.rest.trim_start();
    let second = rest.strip_prefix('-');
    let rest = second.and_then(|rest| leading(rest.trim_start()));
    let rest = rest.map_or(first.rest, |second| second.rest).trim_start();
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | '（' | ',' | '，' | ';'));
    rest[..end.unwrap_or(rest.len())].to_owned()
}

/// One unit in the words of both languages, and in one and in many.
const UNITS: &[&[&str]] = &[
    &["tablet", "tab", "pill", "片", "tbl"],
    &["capsule", "cap", "粒", "胶囊"],
    &["ml", "毫升"],
    &["mg", "毫克"],
    &["g", "克"],
    &["µg", "μg", "mcg", "ug", "微克"],
    &["puff", "喷", "揿", "吸"],
    &["drop", "滴"],
    &["unit", "iu", "单位"],
    &["patch", "patche", "贴"],
    &["sachet", "packet", "袋", "包"],
    &["ampoule", "vial", "支", "瓶"],
    &["dose", "次"],
];

/// Whether two units are one and the same, as far as words can tell. One that is not said is the
/// other one.
#[must_use]
pub fn same_unit(one: &str, other: &str) -> bool {
    let plain = |unit: &str| {
        let unit = unit_word(unit);
        let known = UNITS
            .iter()
            .position(|words| words.contains(&unit.as_str()));
        (known, unit)
    };
    let ((one, word), (other, other_word)) = (plain(one), plain(other));
    if word.is_empty() || other_word.is_empty() {
        return true;
    }
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        (None, None) => word == other_word,
        _ => false,
    }
}

/// `Tablets` as `tablet`.
fn unit_word(unit: &str) -> String {
    let unit = normalise(unit.trim()).to_lowercase();
    match unit.strip_suffix('s') {
        Some(one) if one.len() > 2 && one.is_ascii() => one.to_owned(),
        _ => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_amount_takes_of_a_stock() {
        for (text, expected) in [
            ("1 tablet", Some((1_000, "tablet"))),
            ("½ tablet", Some((500, "tablet"))),
            ("1 1/2 tablets", Some((1_500, "tablets"))),
            ("1-2 puffs", Some((2_000, "puffs"))),
            ("1-2喷", Some((2_000, "喷"))),
            ("半片", Some((500, "片"))),
            ("两片（饭后）", Some((2_000, "片"))),
            ("5 ml (one spoon)", Some((5_000, "ml"))),
            ("2", Some((2_000, ""))),
            ("1 tablet + 2 tablets", Some((3_000, "tablet"))),
            ("1片 + 2 tablets", Some((3_000, "片"))),
            ("5 mg + 1 tablet", None),
            ("", None),
        ] {
            let expected = expected.map(|(number, unit)| (number, unit.to_owned()));
            assert_eq!(quantity(text), expected, "{text}");
        }
    }

    #[test]
    fn units_are_the_same_in_both_languages_in_one_and_in_many() {
        for (one, other, same) in [
            ("tablets", "tablet", true),
            ("Tablets", "片", true),
            ("capsule", "粒", true),
            ("", "tablet", true),
            ("mL", "毫升", true),
            ("patches", "patch", true),
            ("tablets", "mg", false),
            ("片", "粒", false),
            ("spoons", "spoon", true),
            ("spoons", "tablets", false),
        ] {
            assert_eq!(same_unit(one, other), same, "{one} {other}");
            assert_eq!(same_unit(other, one), same, "{other} {one}");
        }
    }

    #[test]
    fn amounts_are_kept_in_the_doctors_words() {
        for (text, thousandths_expected) in [
            ("1 tablet", 1000),
            ("0.5 tablet", 500),
            ("½ tablet", 500),
            ("1½ tablets", 1500),
            ("1/2 tablet", 500),
            ("1 1/2 tablets", 1500),
            ("1-2 puffs", 2000),
            ("2.5 mg", 2500),
            ("10", 10_000),
            ("半片", 500),
            ("一片", 1000),
            ("两片", 2000),
            ("1-2喷", 2000),
            ("½片", 500),
            ("１片", 1000),
            ("5 ml (one spoon)", 5000),
            ("1 puff in each nostril", 1000),
            ("1次", 1000),
            ("2 tablets (1 in the morning)", 2000),
            ("2 tablets (morning), then rest", 2000),
            ("0.0625 mg", 63),
            ("1 evening primrose capsule", 1000),
            ("1 tablet of 500 mg", 1000),
            ("5 ml 1:10 solution", 5000),
            ("2 x 500 mg", 2000),
            ("1 tablet with food", 1000),
            ("2 drops in the right eye", 2000),
            ("1片半", 1000),
        ] {
            assert_eq!(amount(text).as_deref(), Ok(text), "{text}");
            assert_eq!(thousandths(text), Some(thousandths_expected), "{text}");
        }
        assert_eq!(amount(" As directed ").as_deref(), Ok(""));
        assert_eq!(amount("遵医嘱").as_deref(), Ok(""));
    }

    #[test]
    fn amounts_that_can_be_misread_are_refused() {
        for text in [
            "",
            "tablet",
            "0 tablets",
            "-1 tablet",
            "1,5 tablets",
            "1,000 units",
            "1-0-1",
            "2-1 puffs",
            "2-2 puffs",
            "1-",
            ".5 mg",
            "1..5 mg",
            "1.23456 mg",
            "0.0000 mg",
            "1/0 tablet",
            "3/2 tablets",
            "1\ntablet",
            "08:00",
            "1e3 mg",
            "1 tablet for 7 days",
            "1 tablet 3 times a day",
            "1 tablet daily",
            "1片，每天3次",
            "2片7天",
            "一次2片",
            "1.5E-3 g",
            "1-0-1 tablets",
            "1-2-1片",
            "2 500 mg tablets",
            "1 000 mg",
            "1-2 500 mg",
            "1 tablet, 2 tablets",
            "1片，2片",
            "40 mg then 20 mg",
            "1 or 2 tablets",
            "1片或2片",
            "1 tablet bid",
            "1 tab. q8h",
            "1 tablet P.R.N.",
            "1 tablet at 08:00",
            "1 tablet in the morning",
            "1片 早上",
            "10 units before meals",
            "1片饭后",
            "2 tablets a day",
            "1 tablet on mon and thu",
            "1\u{200b}0 mg",
            "1 \u{202e}gm 5",
            "一百单位",
            "5. mg",
            "40 mg 2026-03-05",
            "1\u{fe0f}\u{20e3} tablet",
            "两点五毫克",
        ] {
            assert!(amount(text).unwrap_err().help.is_some(), "{text}");
        }
        for (text, help) in [
            (".5 mg", "\"0.5 mg\""),
            ("5. mg", "\"5 mg\""),
            (
                "1-0-1片",
                "scheme = \"1-0-1\" and unit = \"片\", without `at` and `take`",
            ),
            ("1 000 mg", "\"1000 mg\""),
            ("2 tablets a day", "\"2 tablets\""),
            ("1 tablet at 08:00", "\"1 tablet\""),
            ("1 tablet in the morning", "\"1 tablet\""),
            ("1片 早上", "\"1片\""),
            ("10 units before meals", "\"10 units\""),
        ] {
            assert_eq!(
                amount(text).unwrap_err().help.as_deref(),
                Some(help),
                "{text}"
            );
        }
        assert!(amount(&"1 tablet ".repeat(20)).is_err());
        assert!(
            amount("1,5 mg")
                .unwrap_err()
                .help
                .unwrap()
                .contains("\"1.5 mg\"")
        );
    }

    #[test]
    fn schemes_have_three_or_four_places() {
        let places = |text: &str| {
            scheme(text).map(|places| {
                places
                    .map(|place| place.unwrap_or_else(|| "0".to_owned()))
                    .join(" ")
            })
        };
        assert_eq!(places("1-0-1").as_deref(), Ok("1 0 1 0"));
        assert_eq!(places("1-0-½-0").as_deref(), Ok("1 0 ½ 0"));
        assert_eq!(places("0.5 - 0 - 1/2 - 2").as_deref(), Ok("0.5 0 1/2 2"));
        for text in ["", "1-1", "1-0-1-0-1", "0-0-0", "1-x-1", "1--1"] {
            assert!(scheme(text).is_err(), "{text}");
        }
    }

    #[test]
    fn steps_have_an_amount_and_a_length() {
        use StepLength::{Once, Open, Span};
        for (text, words, length) in [
            ("40 mg for 5 days", "40 mg", Span(CalendarSpan::Days(5))),
            ("40 mg 5天", "40 mg", Span(CalendarSpan::Days(5))),
            ("40毫克 2周", "40毫克", Span(CalendarSpan::Weeks(2))),
            (
                "1 tablet for 1 month",
                "1 tablet",
                Span(CalendarSpan::Months(1)),
            ),
            ("500 mg once", "500 mg", Once),
            ("500 mg 一次", "500 mg", Once),
            ("40 mg 5 days", "40 mg", Span(CalendarSpan::Days(5))),
            ("40 mg，5 天", "40 mg", Span(CalendarSpan::Days(5))),
            ("４０ mg　5天", "４０ mg", Span(CalendarSpan::Days(5))),
            ("500 mg 1次", "500 mg", Once),
            ("5 mg", "5 mg", Open),
        ] {
            assert_eq!(step(text), Ok((words.to_owned(), length)), "{text}");
        }
        for text in [
            "for 5 days",
            "40 mg for",
            "40 mg for 0 days",
            "40 mg for ever",
            "once",
            "40 mg5天",
            "40 mg 5日",
            "40 mg x 5 days",
            "40 mg × 5天",
            "40 mg 5 days then stop",
            "500 mg 十一次",
            "500 mg 3次",
            "",
        ] {
            assert!(step(text).is_err(), "{text}");
        }
    }

    #[test]
    fn stocks_have_an_amount_and_a_day() {
        let day = jiff::civil::date(2026, 3, 1);
        assert_eq!(
            stock("60 tablets on 2026-03-01"),
            Ok((60_000, "tablets".to_owned(), day))
        );
        assert_eq!(stock("60片 2026-03-01"), Ok((60_000, "片".to_owned(), day)));
        assert_eq!(
            stock("7.5 ml on 2026-03-01"),
            Ok((7500, "ml".to_owned(), day))
        );
        for text in [
            "",
            "60 tablets",
            "tablets on 2026-03-01",
            "60 tablets on 2026-02-30",
            "-5 on 2026-03-01",
        ] {
            assert!(stock(text).is_err(), "{text}");
        }
    }
}
